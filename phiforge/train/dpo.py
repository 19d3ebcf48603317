"""Direct preference optimisation (Rafailov et al. 2023): answers that are preferred over others, without a reward model.

The same stage serves single-token pairs of the pivotal-token search, judge-guided pairs and pairs of rollouts; `Pair.begun` keeps
only the beginnings of answers, as the report does for hallucinations (5 tokens). What the reference model thinks of the
answers is computed once, in fp32, and kept in the run's folder; a policy in bf16 or int8 differs from it by its rounding from the
first step on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.files import whole
from phiforge.model.phi3 import Phi3
from phiforge.train import distributed
from phiforge.train.batches import Batch, Document, hidden, plan
from phiforge.train.loop import Stage
from phiforge.train.loss import log_probabilities


class Pair(NamedTuple):
    """Token ids of a prompt, and of an answer that is preferred to another."""

    prompt: Sequence[int]
    chosen: Sequence[int]
    rejected: Sequence[int]

    def begun(self, first: int) -> Pair:
        """Only the first tokens of both answers."""
        return Pair(self.prompt, self.chosen[:first], self.rejected[:first])


@dataclass(frozen=True)
class PairBatch:
    """Pairs as documents: chosen and rejected in turn. `reference` [2 n] are the reference's log-probabilities."""

    batch: Batch
    reference: Tensor


def answers(pairs: Sequence[Pair]) -> list[Document]:
    """Two documents a pair, of which the answer's tokens count. Raises ValueError for a pair without a difference."""
    found: list[Document] = []
    for number, (prompt, chosen, rejected) in enumerate(pairs):
        if not prompt or not chosen or not rejected or list(chosen) == list(rejected):
            raise ValueError(f"pair {number} needs a prompt and two answers that differ")
        for answer in (chosen, rejected):
            found.append(Document([*prompt, *answer], [0.0] * len(prompt) + [1.0] * len(answer)))
    return found


def answer_log_probabilities(model: Phi3, batch: Batch) -> Tensor:
    """log p(answer | prompt) of each document, fp32 [n]: the sum over its weighted tokens."""
    each = log_probabilities(hidden(model, batch), model.lm_head.weight, batch.labels) * batch.weights
    return torch.stack([part.sum() for part in each.split(batch.lengths)])


def dpo_loss(policy: Tensor, reference: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """-log sigmoid(beta (difference of the policy - difference of the reference)) of each pair [n], and the margins [n] that
    sigmoid is taken of. Both arguments [2 n]: chosen and rejected in turn."""
    margins = beta * ((policy[0::2] - policy[1::2]) - (reference[0::2] - reference[1::2]))
    return -F.logsigmoid(margins), margins


def stage(
    reference: Phi3,
    pairs: Sequence[Pair],
    folder: str | Path,
    *,
    beta: float = 0.1,
    nll: float = 0.0,
    tokens: int = 4096,
    epochs: float = 1,
    accumulate: int = 1,
    seed: int = 0,
) -> Stage[PairBatch]:
    """Pairs in batches of at most `tokens`. `reference` is asked before training begins, and its answers kept in `folder`. `nll`
    weighs the negative log-likelihood of chosen answers, a token, which keeps them likely (Pang et al. 2024, "Iterative Reasoning
    Preference Optimization").

    Raises ValueError for a pair that is longer than a batch, or has no difference.
    """
    documents = answers(pairs)
    known = distributed.by_first(lambda: _reference(reference, documents, tokens, Path(folder)))
    sizes = [len(documents[2 * i].ids) + len(documents[2 * i + 1].ids) for i in range(len(pairs))]
    batches = plan(sizes, tokens, epochs, seed)

    def of_step(step: int) -> list[PairBatch]:
        found: list[PairBatch] = []
        for numbers in batches[step * accumulate : (step + 1) * accumulate]:
            both = [2 * i + j for i in numbers for j in (0, 1)]
            found.append(PairBatch(Batch.of(documents[k] for k in both), known[both]))
        return found

    def loss(model: Phi3, pair: PairBatch) -> tuple[Tensor, dict[str, float]]:
        policy = answer_log_probabilities(model, pair.batch)
        each, margins = dpo_loss(policy, pair.reference, beta)
        written = torch.stack([part.sum() for part in pair.batch.weights.split(pair.batch.lengths)])
        likely = policy[0::2] / written[0::2]
        said = {"preferred": margins > 0, "margin": margins.detach(), "nll": -likely.detach()}
        return (each - nll * likely).sum(), {name: float(value.sum()) for name, value in said.items()}

    return Stage(
        steps=-(-len(batches) // accumulate),
        batches=of_step,
        loss=loss,
        count=lambda pair: len(pair.reference) / 2,
        tokens=lambda pair: len(pair.batch),
    )


@torch.no_grad()
def _reference(model: Phi3, documents: Sequence[Document], tokens: int, folder: Path) -> Tensor:
    """The reference's log-probabilities of all documents [n], from the folder if these documents' are there."""
    mark = blake2b(repr([(list(d.ids), list(d.weights)) for d in documents]).encode(), digest_size=8).hexdigest()
    file = folder / f"reference-{mark}.pt"
    if file.exists():
        return torch.load(file, weights_only=True)
    found = torch.empty(len(documents))
    model.eval()
    for numbers in plan([len(d.ids) for d in documents], tokens, 1, 0):
        found[numbers] = answer_log_probabilities(model, Batch.of(documents[i] for i in numbers))
    with whole(file) as partial:
        torch.save(found, partial)
    return found
