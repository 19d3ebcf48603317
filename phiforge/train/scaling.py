"""The learning rate of pretraining a phi-nano from scratch: a rule that `bench/scaling.py` measured and fitted."""

from __future__ import annotations

from msgspec.structs import replace

from phiforge.model.phi3 import Phi3
from phiforge.train.optim import Optimizer
from phiforge.train.recipe import AnyStage, Pretrain

A, PER_WEIGHTS, PER_TOKENS = 1.42e-3, 0.645, 0.018


def learning_rate(weights: int, tokens: int) -> float:
    """The peak rate for a network of so many weights, the vocabulary's rows left out, that reads so many tokens.

    Fitted to the optima of 9 sweeps: 0.4 to 3M weights, 0.25 to 2M tokens, batches of 2,048 tokens, AdamW, WSD. The optima are
    within 25 % of it; beyond these sizes it extrapolates. The best rate falls with size, but hardly with tokens, unlike D^-0.32
    at Phi-4-mini's scale: runs this short are bounded by what stays stable.
    """
    return A * (weights / 1e6) ** -PER_WEIGHTS * (tokens / 1e6) ** -PER_TOKENS


def optimizer(stage: AnyStage, model: Phi3, steps: int) -> Optimizer:
    """A stage's optimiser, with the rule's rate if it asks for that."""
    if not (isinstance(stage, Pretrain) and stage.rule):
        return stage.optimizer
    weights = sum(p.numel() for name, p in model.named_parameters() if name.startswith("layers."))
    return replace(stage.optimizer, lr=learning_rate(weights, steps * stage.batch))
