"""Supervised fine-tuning: chats with thoughts and tool calls, of which only what the assistant says is learnt.

What a model could do before, it forgets meanwhile. What is recalled holds that: of each of its words the model learns what
chances a teacher, as the model that it once was, gives to all words there (Li and Hoiem 2016, "Learning without Forgetting").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from phiforge.chat.format import ChatFormat
from phiforge.model.phi3 import Phi3
from phiforge.records import Example
from phiforge.train.batches import Batch, Document, hidden, plan
from phiforge.train.divergence import distillation
from phiforge.train.loop import Stage
from phiforge.train.loss import ROUND, cross_entropy


def document(format: ChatFormat, example: Example) -> Document:
    """An example as its model reads it; the weights are the renderer's mask: 1 for the answer, thought and end of turn."""
    tools = example.problem.metadata.get("tools")
    rendered = format.render([*example.problem.messages, example.response], tools=tools, generate=False)
    return Document(rendered.ids, [float(each) for each in rendered.mask])


def with_prompt(document: Document, weight: float) -> Document:
    """The same with tokens that are not learnt counting so much."""
    return document._replace(weights=[each or weight for each in document.weights])


def language_loss(
    model: Phi3, batch: Batch, z: float = 0.0, teacher: Phi3 | None = None
) -> tuple[Tensor, dict[str, float]]:
    """The summed cross-entropy of a batch's weighted tokens; of those to recall, the divergence from the teacher."""
    states, head, weights = hidden(model, batch), model.lm_head.weight, batch.weights
    if teacher is None or batch.recalled is None:
        return cross_entropy(states, head, batch.labels, weights, z), {}
    n, new = len(batch.recalled), weights.clone()
    new[:n] = 0
    with torch.no_grad():
        known = hidden(teacher, batch.recalled)
    apart, said = distillation(
        states[:n], head, batch.labels[:n], weights[:n], lambda piece: (None, known[piece] @ teacher.lm_head.weight.T), 1.0, 1.0
    )  # fmt: skip
    return apart + cross_entropy(states, head, batch.labels, new, z), {"divergence": float(said)}


def stage(
    documents: Sequence[Document],
    *,
    tokens: int = 4096,
    epochs: float = 2,
    accumulate: int = 1,
    seed: int = 0,
    z: float = 0.0,
    held_out: Sequence[Document] = (),
    held_out_every: int = 0,
    teacher: Phi3 | None = None,
) -> Stage[Batch]:
    """Documents in packed batches of at most `tokens`, `accumulate` of them a step. Without a `teacher` to recall by, those to
    recall are learnt as they are.

    Raises ValueError for a document that is longer than a batch, or has nothing to learn.
    """
    for number, each in enumerate(documents):
        if not any(each.weights[1:]):
            raise ValueError(f"document {number} has no token to learn")
    batches = plan([len(each.ids) for each in documents], tokens, epochs, seed)
    steps = -(-len(batches) // accumulate)

    def of_step(step: int) -> list[Batch]:
        chosen = batches[step * accumulate : (step + 1) * accumulate]
        return [Batch.of((documents[i] for i in numbers), ROUND) for numbers in chosen]

    return Stage(
        steps=steps,
        batches=of_step,
        loss=lambda model, batch: language_loss(model, batch, z, teacher),
        count=lambda batch: float(batch.weights.sum()),
        tokens=len,
        held_out=held_out_loss(held_out, tokens) if held_out else None,
        held_out_every=held_out_every,
    )


def held_out_loss(documents: Iterable[Document], tokens: int) -> Callable[[Phi3], dict[str, float]]:
    """A measurement for the log: the mean loss of documents that are not trained on."""
    kept = list(documents)
    batches = [Batch.of(kept[i] for i in numbers) for numbers in plan([len(d.ids) for d in kept], tokens, 1, 0)]

    def measure(model: Phi3) -> dict[str, float]:
        with torch.no_grad():
            total = sum(float(language_loss(model, batch)[0]) for batch in batches)
        return {"held_out": total / sum(float(batch.weights.sum()) for batch in batches)}

    return measure
