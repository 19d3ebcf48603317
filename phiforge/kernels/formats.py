"""Weight matrices at 4, 8 and 16 bits, in the one layout that every kernel reads and every file stores.

Sixteen outputs (lanes) lie side by side, so that one vector register takes the next inputs of sixteen rows of W:

    int8  data int8 [N/16, K/4, 16, 4], scales fp32 [N]: w = q * scale, q in -127..127
    int4  data uint8 [N/16, K/group, group/8, 16, 4], scales fp16 [N/16, K/group, 2, 16]: w = q * scale + minimum,
          q in 0..15; a byte's low half is input 8j + b of its group, its high half input 8j + 4 + b
    bf16  data bf16 [N/16, K, 16], no scales

N is padded to 16 with zero rows, K to 4 with zero columns at int8. Whole blocks of 16 rows are contiguous, so a large
matrix is quantised some rows at a time and its pieces are joined end to end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Kind = Literal["int8", "int4", "bf16"]
KINDS: tuple[Kind, ...] = ("int8", "int4", "bf16")
GROUPS = (32, 64)
LANES = 16
BLOCK = 150_000  # weights quantised at a time: what the search computes between stays in the cache

# Where the search for a group's scale starts: the shares of its range given up at the low and at the high end.
STARTS = ((0, 0), (0.06, 0), (0, 0.06))
REFITS = 2  # times that a line is fitted to the rounded values and they are rounded anew


@dataclass(frozen=True, slots=True)
class Packed:
    """A quantised weight matrix [n, k]. `group` is 0 unless the kind is int4; `scales` is None at bf16."""

    kind: Kind
    n: int
    k: int
    group: int
    data: Tensor
    scales: Tensor | None

    @property
    def nbytes(self) -> int:
        return self.data.nbytes + (0 if self.scales is None else self.scales.nbytes)


def packed_shapes(n: int, k: int, kind: Kind, group: int = 32) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The shapes of `data` and `scales` for a matrix [n, k]. Raises ValueError for what the kind cannot hold."""
    blocks = -(-n // LANES)
    if kind == "int8":
        return (blocks, -(-k // 4), LANES, 4), (blocks * LANES,)
    if kind == "bf16":
        return (blocks, k, LANES), None
    if kind != "int4":
        raise ValueError(f"weights cannot be kept as {kind!r}; the kinds are {', '.join(KINDS)}")
    if group not in GROUPS:
        raise ValueError(f"int4 has groups of {' or '.join(map(str, GROUPS))} weights, not of {group}")
    if k % group:
        raise ValueError(f"int4 in groups of {group} needs rows that divide by it, and these have {k} weights")
    return (blocks, k // group, group // 8, LANES, 4), (blocks, k // group, 2, LANES)


def dtypes(kind: Kind) -> tuple[torch.dtype, torch.dtype | None]:
    """The dtypes of `data` and `scales`."""
    return {
        "int8": (torch.int8, torch.float32),
        "int4": (torch.uint8, torch.float16),
        "bf16": (torch.bfloat16, None),
    }[kind]


def quantize(weight: Tensor, kind: Kind, group: int = 32) -> Packed:
    """Quantise [n, k] of any float dtype, some rows at a time. Raises ValueError for weights the kind cannot hold.

    int8 is symmetric per row. int4 takes per group the least squared error that a small search finds; a group that four
    bits reproduce exactly, as those of a Q4_0 or Q4_1 file in groups of 32, stays exact.
    """
    n, k = weight.shape
    data_shape, scales_shape = packed_shapes(n, k, kind, group)
    data_dtype, scales_dtype = dtypes(kind)
    data = torch.empty(data_shape, dtype=data_dtype)
    scales = None if scales_shape is None else torch.empty(scales_shape, dtype=scales_dtype)
    step = max(1, BLOCK // (LANES * k)) * LANES
    for start in range(0, n, step):
        rows = weight[start : start + step].float()
        if not all(each.isfinite() for each in rows.aminmax()):  # in one pass: both are NaN where a value is
            raise ValueError(f"rows {start} to {start + len(rows) - 1} of the weight have values that are not finite")
        rows = F.pad(rows, (0, -k % 4 if kind == "int8" else 0, 0, -len(rows) % LANES))
        at = start // LANES
        blocks = slice(at, at + len(rows) // LANES)
        if kind == "bf16":
            data[blocks] = rows.view(-1, LANES, k).transpose(1, 2)
        elif kind == "int8":
            q, scale = _round_rows(rows)
            data[blocks] = q.view(-1, LANES, q.shape[1] // 4, 4).transpose(1, 2)
            assert scales is not None
            scales[start : start + len(rows)] = scale
        else:
            q, scale, minimum = _round_groups(rows, group)
            halves = q.view(-1, LANES, k // group, group // 8, 2, 4).permute(4, 0, 2, 3, 1, 5)
            data[blocks] = halves[0] | halves[1] << 4
            assert scales is not None
            scales[blocks, :, 0] = scale.view(-1, LANES, k // group).transpose(1, 2)
            scales[blocks, :, 1] = minimum.view(-1, LANES, k // group).transpose(1, 2)
    return Packed(kind, n, k, group if kind == "int4" else 0, data, scales)


def dequantize(packed: Packed, rows: Tensor | slice | None = None) -> Tensor:
    """The matrix in fp32, [n, k], or [rows, k] of it; only the pages of those rows are read."""
    if isinstance(rows, Tensor):
        blocks, lanes = rows // LANES, rows % LANES
        if packed.kind == "int8":
            assert packed.scales is not None
            values = packed.data[blocks, :, lanes].flatten(1)[:, : packed.k]
            return values * packed.scales[rows, None]
        if packed.kind == "bf16":
            return packed.data[blocks, :, lanes].float()
        assert packed.scales is not None
        data = packed.data[blocks, :, :, lanes]  # [rows, k / group, group / 8, 4]
        scale, minimum = packed.scales[blocks, :, :, lanes].float().unsqueeze(-1).unbind(2)
        values = torch.stack((data & 15, data >> 4), dim=-2).flatten(2)
        return (values * scale + minimum).flatten(1)
    start, stop, stride = (rows or slice(None)).indices(packed.n)
    if stride != 1:
        raise ValueError(f"rows are taken one after another, not with a stride of {stride}")
    first = start // LANES
    blocks = slice(first, max(first, math.ceil(stop / LANES)))
    data = packed.data[blocks]
    if packed.kind == "bf16":
        values = data.transpose(1, 2).float().flatten(0, 1)
    elif packed.kind == "int8":
        assert packed.scales is not None
        values = data.transpose(1, 2).flatten(2)[..., : packed.k]
        values = (values * packed.scales[blocks.start * LANES : blocks.stop * LANES].view(-1, LANES, 1)).flatten(0, 1)
    else:
        assert packed.scales is not None
        halves = torch.stack((data & 15, data >> 4), dim=-2)  # [blocks, k / group, group / 8, lanes, 2, 4]
        scale, minimum = packed.scales[blocks].float().transpose(1, 3).unsqueeze(-1).unbind(2)
        values = halves.permute(0, 3, 1, 2, 4, 5).flatten(3) * scale + minimum
        values = values.flatten(2).flatten(0, 1)
    offset = first * LANES
    return values[start - offset : max(stop, start) - offset]


def _round_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    scale = rows.abs().amax(1) / 127
    q = (rows * torch.where(scale > 0, 1 / scale, 0)[:, None]).round_().clamp_(-127, 127)
    return q.to(torch.int8), scale


def _round_groups(rows: Tensor, group: int) -> tuple[Tensor, Tensor, Tensor]:
    """q uint8 [N, K], scale and minimum fp16 [N * K / group], for the least squared error among what is tried.

    Tried are a group's range as Q4_1 takes it, its largest value at -8 scales as Q4_0 does (the scale may be negative),
    and lines fitted to the values rounded from the full range and from ranges that give up one end.
    """
    x = rows.view(-1, group).t().contiguous()  # [group, groups]: reductions run over the first dim, vectorised
    low, high = x.amin(0), x.amax(0)
    limit = torch.finfo(torch.float16).max
    if (low < -limit).any() or (high > limit).any() or (high - low > limit).any():
        raise ValueError(f"int4 holds weights up to {limit:,.0f}, and the largest here is {x.abs().amax():,.0f}")
    full = (high - low) / 15
    extreme = torch.where(high > -low, high, low) / -8
    scale, minimum, error = _better(x, full, low, extreme, extreme * -8)
    (rest,) = (error > 0).nonzero(as_tuple=True)  # groups that four bits do not reproduce exactly
    if len(rest):
        narrow = x[:, rest] if len(rest) < x.shape[1] else x
        scale[rest], minimum[rest] = _search(narrow, full[rest], low[rest], (scale[rest], minimum[rest], error[rest]))
    q = _rounded(x, scale, minimum, torch.empty_like(x)).to(torch.uint8)
    return q.t().contiguous().view(rows.shape), scale.half(), minimum.half()


def _better(x: Tensor, *lines: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The better of two lines (scale, minimum, scale, minimum) for each group, in fp16's values, and its error."""
    fits = []
    for scale, minimum in (lines[:2], lines[2:]):
        scale, minimum = scale.half().float(), minimum.half().float()
        q = _rounded(x, scale, minimum, torch.empty_like(x))
        fits.append((scale, minimum, q.mul_(scale).add_(minimum).sub_(x).square_().sum(0)))
    (scale, minimum, error), second = fits
    worse = second[2] < error
    return tuple(torch.where(worse, b, a) for a, b in zip((scale, minimum, error), second, strict=True))  # type: ignore[return-value]


def _search(x: Tensor, full: Tensor, low: Tensor, best: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    group = x.shape[0]
    scale, minimum, error = best
    total, q, work = x.sum(0), torch.empty_like(x), torch.empty_like(x)
    for cut_low, cut_high in STARTS:
        slope, offset = full * (1 - cut_low - cut_high), low + full * (15 * cut_low)
        for step in range(REFITS + 1):
            slope, offset = slope.half().float(), offset.half().float()
            _rounded(x, slope, offset, q)
            if step or cut_low or cut_high:  # the full range itself has been tried
                found = torch.mul(q, slope, out=work).add_(offset).sub_(x).square_().sum(0)
                better = found < error
                error = torch.where(better, found, error)
                scale, minimum = torch.where(better, slope, scale), torch.where(better, offset, minimum)
            if step < REFITS:  # the least-squares line through (q, x)
                q_sum, products = q.sum(0), torch.mul(q, x, out=work).sum(0)
                spread = group * torch.mul(q, q, out=work).sum(0) - q_sum.square()
                slope = torch.where(spread > 0, (group * products - q_sum * total) / spread, slope)
                offset = (total - slope * q_sum) / group
    return scale, minimum


def _rounded(x: Tensor, scale: Tensor, minimum: Tensor, out: Tensor) -> Tensor:
    inverse = torch.where(scale != 0, 1 / scale, 0)
    return torch.sub(x, minimum, out=out).mul_(inverse).round_().clamp_(0, 15)
