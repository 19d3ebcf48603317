"""Attention over keys and values that lie in blocks of 16 tokens, wherever a pool had room for them.

What a step attends to is a list of runs: consecutive tokens of some sequence, and the query rows that see them. A prefix
that many samples share is one run with many rows, read once for all of them. The partial softmaxes of a row's runs are
merged by their log-sum-exp, so the result is the softmax over all of them (Milakov and Gimelshein 2018; Dao 2022).

    T query rows, H query heads, G key/value heads, R = H / G, D head dim, L keys of a run, B runs, M rows of a run
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from ctypes import c_char_p
from dataclasses import dataclass
from functools import cache
from struct import Struct

import torch
from torch import Tensor

from phiforge.kernels.elementwise import rotate
from phiforge.kernels.native import kernel
from phiforge.kernels.pool import BLOCK, Pool, readable

SCORES = 1 << 25  # scores that the torch path holds at once, 128 MB of fp32


@cache
def _kernels() -> tuple[Callable[..., None], ...] | None:
    plain, qkv = kernel("attend", c_char_p), kernel("attend_qkv", c_char_p)
    return (plain, qkv) if plain and qkv else None


_ATTEND_CALL, _QKV_CALL = Struct("7q").pack, Struct("12q").pack  # attention.h


@dataclass(frozen=True, slots=True)
class Run:
    """`length` consecutive tokens of one sequence from position `start`, in `blocks`, and the query rows that see them.

    Row t sees those at positions up to its own. All but the last block are full; `start` is the first block's first
    token. Where it is a multiple of BLOCK, the CPU kernel's results do not depend on how a sequence is cut into runs.
    """

    blocks: Sequence[int]
    start: int
    length: int
    rows: Sequence[int]


class Plan:
    """Who attends to what in one step: made once, used by every layer.

    `positions` [T] are the query rows' own. A ValueError names a run that is longer than its blocks, and a row that
    sees no key at all.
    """

    def __init__(self, runs: Sequence[Run], positions: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.runs = [run for run in runs if run.length and run.rows]
        self.positions = list(positions)
        self.device = torch.device(device)
        self._buckets: list[_Bucket] | None = None
        self._native: array[int] | None = None
        self._checked: Pool | None = None
        seen = [False] * len(self.positions)
        for run in self.runs:
            if run.length > len(run.blocks) * BLOCK:
                raise ValueError(
                    f"a run of {run.length} tokens does not fit its {len(run.blocks)} blocks of {BLOCK}; give it all its blocks"
                )
            for row in run.rows:
                seen[row] = seen[row] or self.positions[row] >= run.start
        if not all(seen):
            raise ValueError(f"query row {seen.index(False)} sees no key; give it a run that its position reaches")

    def native(self, pool: Pool) -> int:
        """Where the kernels find the plan: int32 numbers as attention.cpp, Plan, reads them."""
        if self._native is None:
            runs = sorted(self.runs, key=lambda run: run.start)
            first_block, first_row = [0], [0]
            blocks: list[int] = []
            rows: list[int] = []
            for run in runs:
                blocks += run.blocks[: -(-run.length // BLOCK)]
                rows += run.rows
                first_block.append(len(blocks))
                first_row.append(len(rows))
            starts, lengths = [run.start for run in runs], [run.length for run in runs]
            numbers = (starts, lengths, first_block, first_row, blocks, rows, self.positions)
            self._native = array("i", [len(runs), len(self.positions)])
            for part in numbers:
                self._native.extend(part)
            self._where = self._native.buffer_info()[0]
            self._most = max(blocks)
        if self._checked is not pool:
            if self._most >= pool.n_blocks:
                raise IndexError(f"the plan reads block {self._most} of a pool of {pool.n_blocks}")
            self._checked = pool
        return self._where

    def buckets(self) -> list[_Bucket]:
        """The runs in groups of about equal size, for batched products."""
        if self._buckets is None:
            self._buckets = []
            group: list[Run] = []
            for run in sorted(self.runs, key=lambda run: (len(run.rows), len(run.blocks))):
                # Padding at most doubles the work: a long run beside short ones is a group of its own.
                if group and (
                    len(run.blocks) > 2 * len(group[0].blocks) + 4 or len(run.rows) > 2 * len(group[0].rows) + 2
                ):
                    self._buckets.append(_Bucket(group, self))
                    group = []
                group.append(run)
            self._buckets.append(_Bucket(group, self))
            entries: list[list[int]] = [[] for _ in self.positions]
            n = 0
            for bucket in self._buckets:
                for row, count in zip(bucket.rows.flatten().tolist(), bucket.visible.flatten().tolist(), strict=True):
                    if count:
                        entries[row].append(n)
                    n += 1
            most = max(map(len, entries))
            # [T, most] partial results of each row, n (one after the last) where it has fewer.
            self.partials = torch.tensor([e + [n] * (most - len(e)) for e in entries], device=self.device)
        return self._buckets


class _Bucket:
    """Runs padded to one shape: blocks [B, n], rows [B, M], and how many of the keys each row sees, [B, M]."""

    def __init__(self, runs: list[Run], plan: Plan) -> None:
        n, m = max(len(run.blocks) for run in runs), max(len(run.rows) for run in runs)
        visible = [[min(run.length, max(0, plan.positions[t] - run.start + 1)) for t in run.rows] for run in runs]
        self.blocks = torch.tensor([[*run.blocks, *[run.blocks[0]] * (n - len(run.blocks))] for run in runs])
        self.rows = torch.tensor([[*run.rows, *[run.rows[0]] * (m - len(run.rows))] for run in runs])
        self.visible = torch.tensor([x + [0] * (m - len(x)) for x in visible])
        lengths = torch.tensor([run.length for run in runs])
        # What lies beyond a run's end may be anything, NaN too.
        self.beyond = None if int(lengths.min()) == n * BLOCK else torch.arange(n * BLOCK) >= lengths[:, None]
        self.full = self.beyond is None and bool((self.visible == n * BLOCK).all())
        self.blocks, self.rows, self.visible = (x.to(plan.device) for x in (self.blocks, self.rows, self.visible))
        if self.beyond is not None:
            self.beyond = self.beyond.to(plan.device)


def attend(q: Tensor, pool: Pool, layer: int, plan: Plan) -> Tensor:
    """Attention of queries q [T, H, D] over what `plan` lets them see, scaled by D**-0.5: [T, H, D] in q's dtype.

    Query head h reads key/value head h // R.
    """
    kernels = _kernels()
    if kernels and pool.layers and readable(q):
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        queries, threads = (q.data_ptr(), q.stride(0), q.shape[1]), torch.get_num_threads()
        kernels[0](_ATTEND_CALL(*queries, out.data_ptr(), pool.layers[layer], plan.native(pool), threads))
        return out
    return _attend_torch(q, pool, layer, plan)


def attend_qkv(
    qkv: Tensor, cos: Tensor, sin: Tensor, pool: Pool, layer: int, slots: Tensor, plan: Plan, out: Tensor | None = None
) -> Tensor:
    """What a layer does between its two products, in one call: rotate, store, attend; [T, H D], in `out` if given.

    qkv [T, (H + 2 G) D] holds each token's queries, keys and values; its queries and keys may be rotated in place.
    cos and sin [T, r / 2] or [T, 1, r / 2] are `elementwise.rotate`'s.
    """
    kernels = _kernels()
    T, width = qkv.shape
    D = pool.head_dim
    q_width = width - 2 * pool.n_kv_heads * D
    half = cos.shape[-1]
    if (
        kernels
        and pool.layers
        and qkv.dtype is cos.dtype is torch.float32
        and qkv.is_cpu
        and qkv.is_contiguous()
        and not qkv.requires_grad
        and cos.is_contiguous()
        and cos.numel() == T * half
        and (out is None or out.is_contiguous())
    ):
        if out is None:
            out = torch.empty(T, q_width)
        tables, threads = (cos.data_ptr(), sin.data_ptr(), half), torch.get_num_threads()
        where = (out.data_ptr(), slots.data_ptr(), pool.layers[layer], plan.native(pool))
        kernels[1](_QKV_CALL(qkv.data_ptr(), width, q_width // D, *tables, T, *where, threads))
        return out
    if kernels and pool.layers and qkv.is_cpu and qkv.dtype is torch.bfloat16 and not qkv.requires_grad:
        # Widened for the kernels: torch's path takes as long as all products of a small network together.
        wide = attend_qkv(qkv.float(), cos.float(), sin.float(), pool, layer, slots, plan)
        return wide.to(qkv.dtype) if out is None else out.copy_(wide)
    q, k, v = qkv.view(T, -1, D).split((q_width // D, pool.n_kv_heads, pool.n_kv_heads), dim=1)
    pool.store(layer, rotate(k, cos, sin), v, slots)
    result = attend(rotate(q, cos, sin), pool, layer, plan).view(T, q_width)
    return result if out is None else out.copy_(result)


def _attend_torch(q: Tensor, pool: Pool, layer: int, plan: Plan) -> Tensor:
    T, H, D = q.shape
    # On CPUs products of bf16 are emulated; on GPUs they are what the hardware is for.
    dtype = q.dtype if q.is_cuda else torch.float32
    q_TGRD = (q * D**-0.5).to(dtype).view(T, pool.n_kv_heads, -1, D)
    partials = [_partial(q_TGRD, pool, layer, bucket, dtype) for bucket in plan.buckets()]
    if plan.partials.shape[1] == 1:
        top, total, out = (torch.cat(x) for x in zip(*partials, strict=True))
        rows = plan.partials[:, 0]
        return (out[rows] / total[rows][..., None]).view(T, H, D).to(q.dtype)
    # One partial result more, of no keys, stands for those that a row does not have.
    none = torch.zeros_like(partials[0][1][:1])
    partials.append((none - torch.inf, none, torch.zeros_like(partials[0][2][:1])))
    top, total, out = (torch.cat(x)[plan.partials] for x in zip(*partials, strict=True))  # [T, E, G, R (, D)]
    weight = (top - top.amax(dim=1, keepdim=True)).exp()
    out = (out * weight[..., None]).sum(dim=1) / (total * weight).sum(dim=1)[..., None]
    return out.view(T, H, D).to(q.dtype)


def _partial(q: Tensor, pool: Pool, layer: int, bucket: _Bucket, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Greatest scores and sums of exponentials [B M, G, R], and weighted sums of values [B M, G, R, D], all fp32."""
    blocks = bucket.blocks
    B, L = blocks.shape[0], blocks.shape[1] * BLOCK
    _, G, R, D = q.shape
    keys, values = pool.keys[layer][blocks].to(dtype), pool.values[layer][blocks].to(dtype)
    if pool.key_scales:
        keys *= pool.key_scales[layer][blocks][..., None, :].to(dtype)
        values *= pool.value_scales[layer][blocks][..., None].to(dtype)
    keys = keys.permute(0, 2, 3, 1, 4).reshape(B * G, D, L)
    values = values.transpose(1, 2).reshape(B, G, L, D)
    if bucket.beyond is not None:
        values.masked_fill_(bucket.beyond[:, None, :, None], 0)
    values = values.view(B * G, L, D)

    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows, visible in _slices(bucket, B * G * R * L):
        M = rows.shape[1]
        q_run = q[rows].transpose(1, 2).reshape(B * G, M * R, D)
        scores = torch.bmm(q_run, keys).float().view(B, G, M, R, L)
        if not bucket.full:
            hidden = torch.arange(L, device=q.device) >= visible[..., None]  # [B, M, L]
            scores.masked_fill_(hidden[:, None, :, None], -torch.inf)
        top = scores.amax(dim=-1, keepdim=True)
        weights = scores.sub_(top.clamp(min=torch.finfo(torch.float32).min)).exp_()
        out = torch.bmm(weights.view(B * G, M * R, L).to(dtype), values).float().view(B, G, M, R, D)
        parts.append((top[..., 0].transpose(1, 2), weights.sum(dim=-1).transpose(1, 2), out.transpose(1, 2)))
    top, total, out = (torch.cat(x, dim=1) for x in zip(*parts, strict=True))
    return top.reshape(-1, G, R), total.reshape(-1, G, R), out.reshape(-1, G, R, D)


def _slices(bucket: _Bucket, per_row: int) -> list[tuple[Tensor, Tensor]]:
    """The bucket's rows and what they see, so many at a time that their scores fit in memory."""
    n = max(1, SCORES // per_row)
    return list(zip(bucket.rows.split(n, dim=1), bucket.visible.split(n, dim=1), strict=True))
