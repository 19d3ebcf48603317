"""Makes trl_losses.json: TRL's own DPO and GRPO losses, and their gradients, on fixed tensors. Run where TRL is installed
(1.16.0 made the file that is here):

    python tests/golden/trl_losses.py > tests/golden/trl_losses.json

The trainers' methods are called on an object that has what they read, as making whole trainers would need a model each.
"""

from __future__ import annotations

import json
from collections import defaultdict
from types import SimpleNamespace
from unittest.mock import MagicMock

import torch
import trl
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer


def drawn(*shape: int, seed: int, scale: float = 3.0) -> torch.Tensor:
    return -torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def grpo(loss_type: str, beta: float, entropy: float, lengths: list[int]) -> dict[str, object]:
    """`lengths` of the answers; padded to the longest with ones that must not count."""
    n, longest = len(lengths), max(lengths)
    mask = torch.tensor([[1] * k + [0] * (longest - k) for k in lengths])
    policy, old = (
        drawn(n, longest, seed=1).requires_grad_(),
        drawn(n, longest, seed=1) + 0.4 * drawn(n, longest, seed=2),
    )
    reference, entropies = drawn(n, longest, seed=3), (-drawn(n, longest, seed=4)).requires_grad_()
    advantages = torch.tensor([1.2, -0.7, 0.4, -0.9], dtype=torch.float64)[:n]
    trainer = MagicMock()
    for name, value in {
        "top_entropy_quantile": 1.0, "off_policy_mask_threshold": None, "importance_sampling_level": "token",
        "beta": beta, "loss_type": loss_type, "epsilon_low": 0.2, "epsilon_high": 0.3, "use_vllm": False,
        "current_gradient_accumulation_steps": 1, "_entropy_bonus_enabled": bool(entropy), "use_adaptive_entropy": False,
        "entropy_coef": entropy, "aux_loss_enabled": False, "_metrics": defaultdict(lambda: defaultdict(list)),
        "args": SimpleNamespace(use_bias_correction_kl=False, delta=None), "model": SimpleNamespace(training=True),
    }.items():  # fmt: skip
        setattr(trainer, name, value)
    trainer.accelerator = SimpleNamespace(
        gather=lambda x: x, reduce=lambda x, reduction: x, sync_gradients=True, num_processes=1,
        gather_for_metrics=lambda x: x,
    )  # fmt: skip
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (policy, entropies, None)
    inputs = {
        "prompt_ids": torch.zeros(n, 1, dtype=torch.long), "prompt_mask": torch.ones(n, 1, dtype=torch.long),
        "completion_ids": torch.zeros(n, longest, dtype=torch.long), "completion_mask": mask,
        "advantages": advantages, "old_per_token_logps": old, "ref_per_token_logps": reference,
    }  # fmt: skip
    loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    of_policy, of_entropy = torch.autograd.grad(loss, [policy, entropies], allow_unused=True)

    def flat(x: torch.Tensor) -> list[float]:
        return [float(v) for row, k in zip(x.detach(), lengths, strict=True) for v in row[:k]]

    return {
        "what": "grpo", "loss_type": loss_type, "beta": beta, "entropy_coef": entropy, "lengths": lengths,
        "policy": flat(policy), "old": flat(old), "reference": flat(reference), "entropy": flat(entropies),
        "advantages": advantages.tolist(), "loss": float(loss.detach()), "of_policy": flat(of_policy),
        "of_entropy": flat(of_entropy) if of_entropy is not None else None,
    }  # fmt: skip


def dpo(beta: float) -> dict[str, object]:
    """The trainer's own loss on models whose log-probabilities are given: chosen answers first, then rejected ones."""
    n = 4
    policy, reference = drawn(2 * n, seed=5, scale=9).requires_grad_(), drawn(2 * n, seed=6, scale=9)
    trainer = MagicMock()
    for name, value in {
        "beta": beta, "loss_types": ["sigmoid"], "loss_weights": [1.0], "f_divergence_type": "reverse_kl",
        "ld_alpha": None, "precompute_ref_logps": False, "aux_loss_enabled": False, "use_weighting": False,
        "label_smoothing": 0.0, "_metrics": defaultdict(lambda: defaultdict(list)), "_total_train_tokens": 0,
        "args": SimpleNamespace(gradient_checkpointing_kwargs=None), "_is_vision_dataset": False,
    }.items():  # fmt: skip
        setattr(trainer, name, value)
    trainer.accelerator = SimpleNamespace(
        gather=lambda x: x, reduce=lambda x, reduction: x, gather_for_metrics=lambda x: x, num_processes=1,
        unwrap_model=lambda m: m, device=torch.device("cpu"),
    )  # fmt: skip

    def answering(logps: torch.Tensor):
        """A model whose answer of one token has the log-probability that is given."""

        def forward(**_: object) -> object:
            given = torch.stack([torch.zeros_like(logps), logps], 1)
            others = {name: torch.zeros_like(given) for name in ("entropy", "mean_logits")}
            return SimpleNamespace(log_probs=given, is_top1=given > 0, logits=None, aux_loss=None, **others)

        model = MagicMock(side_effect=forward)
        model.training = True
        return model

    trainer.ref_model = answering(reference)
    model = answering(policy)
    trainer.model = model
    inputs = {
        "input_ids": torch.arange(2 * n * 3).reshape(2 * n, 3), "attention_mask": torch.ones(2 * n, 3, dtype=torch.long),
        "completion_mask": torch.tensor([[0, 0, 1]] * 2 * n),
    }  # fmt: skip
    loss = DPOTrainer._compute_loss(trainer, model, inputs, False)
    (slope,) = torch.autograd.grad(loss, policy)
    turn = [i for pair in range(n) for i in (pair, n + pair)]  # as ours have it: chosen and rejected in turn
    return {
        "what": "dpo", "beta": beta, "policy": policy.detach()[turn].tolist(), "reference": reference[turn].tolist(),
        "loss": float(loss.detach()), "of_policy": slope[turn].tolist(),
    }  # fmt: skip


if __name__ == "__main__":
    uneven, even = [3, 5, 1, 4], [4, 4, 4, 4]
    rows = [
        grpo(loss_type, beta, entropy, lengths)
        for loss_type in ("grpo", "bnpo") for beta in (0.0, 0.04) for entropy in (0.0, 0.01) for lengths in (uneven, even)
    ]  # fmt: skip
    print(json.dumps({"trl": trl.__version__, "rows": [*rows, dpo(0.1), dpo(0.5)]}))
