"""Batches with hardly any padding: documents laid end to end, each blind to the others.

A batch is one row of tokens. Positions begin again at every document, and attention runs document by document, so what
a token sees is what it would see alone, and no work is done on masked pairs. Where batches are to have few different
lengths, zeros fill them up: a document from which nothing is learnt.

    T tokens of a batch
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from random import Random
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels.elementwise import rotate
from phiforge.kernels.gradients import Families, packed_attention
from phiforge.model.phi3 import Attention, Phi3


class Document(NamedTuple):
    """Token ids, and for each of them what predicting it counts: 0 for a prompt's, 1 for an answer's. The first counts for
    nothing, as nothing is before it. `recalled` is learnt from a teacher's chances of going on instead."""

    ids: Sequence[int]
    weights: Sequence[float]
    recalled: bool = False


@dataclass(frozen=True)
class Batch:
    """Documents end to end: tokens [T], labels [T] (the next token), weights [T] of the labels, positions [T], and the
    documents' lengths, which add up to T. The last `spare` tokens are there to fill up. `recalled` are the first documents once
    more, alone, if they are to be recalled."""

    tokens: Tensor
    labels: Tensor
    weights: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    spare: int = field(default=0, kw_only=True)
    recalled: Batch | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, documents: Iterable[Document], multiple: int = 1) -> Batch:
        """T becomes a multiple of that. Raises ValueError if there is no document, or one of fewer than two tokens."""
        documents = sorted(documents, key=lambda each: not each.recalled)
        first = [each._replace(recalled=False) for each in documents if each.recalled]
        ids: list[int] = []
        labels: list[int] = []
        weights: list[float] = []
        lengths: list[int] = []
        for document in documents:
            if len(document.ids) < 2 or len(document.ids) != len(document.weights):
                raise ValueError(f"a document needs two tokens or more and a weight for each, not {len(document.ids)}")
            ids += document.ids[:-1]
            labels += document.ids[1:]
            weights += document.weights[1:]
            lengths.append(len(document.ids) - 1)
        if not ids:
            raise ValueError("a batch needs a document")
        if spare := -len(ids) % multiple:
            ids += [0] * spare
            labels += [0] * spare
            weights += [0.0] * spare
            lengths.append(spare)
        positions = torch.cat([torch.arange(n) for n in lengths])
        return cls(
            torch.tensor(ids), torch.tensor(labels), torch.tensor(weights), positions, tuple(lengths), spare=spare,
            recalled=cls.of(first) if first else None,
        )  # fmt: skip

    def __len__(self) -> int:
        """Tokens, without those that fill up."""
        return len(self.tokens) - self.spare

    @cached_property
    def families(self) -> Families:
        return Families.of([(length,) for length in self.lengths])

    def attend(self, attention: Attention, layer: int, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Causal attention within each document: [T, (H + 2 G) D] -> [T, H D]."""
        packed = packed_attention(qkv, cos, sin, self.families, attention.n_heads, attention.n_kv_heads)
        return self._attend(attention, qkv, cos, sin) if packed is None else packed

    def _attend(self, attention: Attention, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """The same by torch, document by document."""
        H, G = attention.n_heads, attention.n_kv_heads
        qk, v = qkv.unflatten(-1, (-1, attention.head_dim)).split((H + G, G), dim=-2)
        q, k = rotate(qk, cos, sin).split((H, G), dim=-2)
        parts = zip(*(x.split(self.lengths) for x in (q, k, v)), strict=True)
        seen = [
            F.scaled_dot_product_attention(
                *(x.transpose(0, 1)[None] for x in part), is_causal=True, enable_gqa=H != G
            ).squeeze(0)
            for part in parts
        ]
        return torch.cat([each.transpose(0, 1) for each in seen]).flatten(-2)


def placed(micro: Any, device: torch.device) -> Any:
    """A micro-batch whose tensors are on a device: a dataclass of tensors, of dataclasses of them, and of other things."""
    if isinstance(micro, Tensor):
        return micro.to(device)
    if device.type == "cpu" or not is_dataclass(micro) or isinstance(micro, type):
        return micro
    return replace(micro, **{each.name: placed(getattr(micro, each.name), device) for each in fields(micro)})


def hidden(model: Phi3, batch: Batch) -> Tensor:
    """The network's last hidden states of a batch, [T, d]."""
    return model.hidden(batch.tokens, positions=batch.positions, attend=batch.attend)


def plan(lengths: Sequence[int], tokens: int, epochs: float, seed: int) -> list[list[int]]:
    """Which documents make up each batch: every document `epochs` times in an order drawn from `seed`, each batch at most
    `tokens` long, filled best first.

    The order is that of the epochs; within a window of documents, the longest that fits goes next, which leaves little
    room unused. Raises ValueError for a document longer than a batch.
    """
    if lengths and max(lengths) > tokens:
        raise ValueError(f"a document of {max(lengths)} tokens does not fit a batch of {tokens}")
    order: list[int] = []
    whole, part = divmod(epochs, 1)
    for epoch in range(int(whole) + (part > 0)):
        each = list(range(len(lengths)))
        Random(f"{seed} {epoch}").shuffle(each)
        order += each if epoch < whole else each[: round(part * len(each))]
    batches: list[list[int]] = []
    window: list[int] = []
    ahead = iter(order)
    while True:
        window += [number for _, number in zip(range(_WINDOW - len(window)), ahead, strict=False)]
        if not window:
            return batches
        room, chosen = tokens, [0]
        room -= lengths[window[0]]
        by_length = sorted(range(1, len(window)), key=lambda i: -lengths[window[i]])
        for i in by_length:
            if lengths[window[i]] <= room:
                chosen.append(i)
                room -= lengths[window[i]]
        batches.append([window[i] for i in sorted(chosen)])
        for i in sorted(chosen, reverse=True):
            del window[i]


_WINDOW = 256  # documents among which the next batch is filled


def stream(documents: Iterable[Sequence[int]], length: int) -> Iterable[Document]:
    """Long texts cut into documents of at most `length` tokens, all of which count; a rest of one token is left out."""
    for ids in documents:
        for start in range(0, len(ids), length):
            piece = ids[start : start + length]
            if len(piece) > 1:
                yield Document(piece, [1.0] * len(piece))
