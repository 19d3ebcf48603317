"""One forward pass: the next tokens of many sequences side by side, without padding, and who attends to what.

Sequences that hold the same blocks read them together: each stretch of blocks that the same sequences share is one run
of the attention, whose keys and values are read once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence as List

import torch
from torch import Tensor

from phiforge.engine.scheduler import Span
from phiforge.engine.sequence import Sequence
from phiforge.kernels.attention import BLOCK, Plan, Pool, Run, attend_qkv
from phiforge.kernels.layers import Layers
from phiforge.model.phi3 import Attention, Phi3


class Batch:
    """Spans laid end to end. `first[i]` is the row of span i's first token."""

    def __init__(self, spans: List[Span], device: torch.device) -> None:
        self.spans = spans
        self.first: list[int] = []
        ids: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        long: list[bool] = []
        rows: dict[int, range] = {}
        for sequence, n in spans:
            a = sequence.cached
            rows[id(sequence)] = range(len(ids), len(ids) + n)
            self.first.append(len(ids))
            ids += sequence.ids[a : a + n]
            ids += sequence.draft[: a + n - len(sequence.ids)] if sequence.draft else []
            positions += range(a, a + n)
            slots += [sequence.blocks[p // BLOCK] * BLOCK + p % BLOCK for p in range(a, a + n)]
            long += [sequence.long] * n
        self.positions = torch.tensor(positions, device=device)
        self.long = torch.tensor(long, device=device) if any(long) else False
        self._ids = torch.tensor(ids, device=device)
        self._slots = torch.tensor(slots, device=device)
        self._plan = Plan(runs([(s, s.cached + n) for s, n in spans], rows), positions, device)

    def hidden(self, model: Phi3, pool: Pool, rows: List[int], layers: Layers | None = None) -> Tensor:
        """Feed the tokens: their keys and values go to `pool`; the network's last hidden states [len(rows), d_model].

        With `layers`, the model's own as one call on that pool, its modules are left out.
        """
        x = model.embed_tokens(self._ids)
        for (sequence, n), first in zip(self.spans, self.first, strict=True):
            if sequence.prompt.blocks and (own := sequence.embed(model.embed_tokens, n)) is not None:
                x[first : first + n] = own

        def attention(_: Attention, layer: int, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            return attend_qkv(qkv, cos, sin, pool, layer, self._slots, self._plan)

        index = torch.tensor(rows, dtype=torch.long, device=x.device)
        if layers is not None:
            cos, sin = model.rotary(self.positions, self.long, x.dtype)
            return model.norm(layers(x, cos, sin, self._slots, self._plan, index))
        return model.hidden(embeddings=x, positions=self.positions, long=self.long, attend=attention, rows=index)


def runs(sequences: List[tuple[Sequence, int]], rows: dict[int, range]) -> list[Run]:
    """The runs of blocks that make up every sequence's first `length` tokens; a stretch held by several is one run."""
    found: list[Run] = []

    def split(group: List[tuple[Sequence, int]], depth: int) -> None:
        branches: dict[int, list[tuple[Sequence, int]]] = {}
        for sequence, length in group:
            if depth * BLOCK < length:
                branches.setdefault(sequence.blocks[depth], []).append((sequence, length))
        for members in branches.values():
            head, length = members[0]
            if len(members) == 1:
                end = -(-length // BLOCK)
            else:
                end = depth + 1
                most = min(length for _, length in members) // BLOCK
                while end < most and all(s.blocks[end] == head.blocks[end] for s, _ in members):
                    end += 1
                length = end * BLOCK
            found.append(
                Run(
                    blocks=head.blocks[depth:end],
                    start=depth * BLOCK,
                    length=length - depth * BLOCK,
                    rows=[row for s, _ in members for row in rows[id(s)]],
                )
            )
            if len(members) > 1:
                split(members, end)

    split(sequences, 0)
    return found
