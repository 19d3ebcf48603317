"""Batches in which the answers to one prompt share it: the prompt goes through the network once, whatever their number.

A group is laid out as its prompt and then its answers, each without its last token, which is only predicted. An answer's
tokens see the prompt and those before them in the answer, at the positions they would have alone; what the network computes
of them, and its gradient, is what it would be alone.

    T tokens laid out, A tokens of answers
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels.elementwise import rotate
from phiforge.kernels.gradients import Families
from phiforge.model.phi3 import Attention
from phiforge.train.batches import Batch
from phiforge.train.loss import ROUND


class Begun(NamedTuple):
    """A prompt's token ids, and those of answers to it, none of them empty."""

    prompt: Sequence[int]
    answers: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Shared(Batch):
    """`rows` [A]: which of the T states predicts each token of the answers; `targets` [A] what it is; `answers`, how many
    tokens each has; `parts`, how long each group's prompt and answers are as they are laid out."""

    rows: Tensor
    targets: Tensor
    answers: tuple[int, ...]
    parts: tuple[tuple[int, tuple[int, ...]], ...]

    @classmethod
    def of_groups(cls, groups: Iterable[Begun]) -> Shared:
        """Raises ValueError for a group without a prompt or answers, or with an empty answer."""
        ids: list[int] = []
        positions: list[int] = []
        rows: list[int] = []
        targets: list[int] = []
        answers: list[int] = []
        parts: list[tuple[int, tuple[int, ...]]] = []
        for prompt, said in groups:
            if not prompt or not said or not all(said):
                raise ValueError("a group needs a prompt, and answers of one token or more")
            last = len(ids) + len(prompt) - 1
            ids += prompt
            positions += range(len(prompt))
            for answer in said:
                rows += [last, *range(len(ids), len(ids) + len(answer) - 1)]
                ids += answer[:-1]
                positions += range(len(prompt), len(prompt) + len(answer) - 1)
                targets += answer
                answers.append(len(answer))
            parts.append((len(prompt), tuple(len(answer) - 1 for answer in said)))
        if spare := -len(ids) % ROUND:
            ids += [0] * spare
            positions += range(spare)
            parts.append((spare, ()))
        empty = torch.zeros(len(ids))
        lengths = tuple(prompt + sum(said) for prompt, said in parts)
        return cls(
            torch.tensor(ids), empty.long(), empty, torch.tensor(positions), lengths, torch.tensor(rows),
            torch.tensor(targets), tuple(answers), tuple(parts), spare=spare,
        )  # fmt: skip

    @cached_property
    def families(self) -> Families:
        return Families.of([(prompt, *(length for length in answers if length)) for prompt, answers in self.parts])

    def _attend(self, attention: Attention, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Causal attention within each prompt, and of each answer to its prompt and itself: [T, (H + 2 G) D] -> [T, H D]."""
        H, G = attention.n_heads, attention.n_kv_heads
        qk, v = qkv.unflatten(-1, (-1, attention.head_dim)).split((H + G, G), dim=-2)
        q, k = rotate(qk, cos, sin).split((H, G), dim=-2)
        q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))  # [1, heads, T, D]
        seen: list[Tensor] = []
        at = 0
        for prompt, answers in self.parts:
            to = at + prompt
            known = k[:, :, at:to], v[:, :, at:to]
            seen.append(
                F.scaled_dot_product_attention(q[:, :, at:to], *known, is_causal=True, enable_gqa=H != G).squeeze(0)
            )
            at = to
            for length in answers:
                if not length:
                    continue
                to = at + length
                both = (torch.cat([x, y[:, :, at:to]], dim=2) for x, y in zip(known, (k, v), strict=True))
                mask = _mask(prompt, length).to(q.device)
                seen.append(
                    F.scaled_dot_product_attention(q[:, :, at:to], *both, attn_mask=mask, enable_gqa=H != G).squeeze(0)
                )
                at = to
        return torch.cat(seen, dim=1).transpose(0, 1).flatten(-2)


@lru_cache(maxsize=256)
def _mask(prompt: int, length: int) -> Tensor:
    """What each of an answer's tokens sees: the prompt, itself and those before it, bool [length, prompt + length]."""
    return torch.ones(length, prompt + length, dtype=torch.bool).tril(prompt)
