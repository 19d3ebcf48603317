"""What sampling asks of logits: the greatest candidates of each row, the sum over all, one drawn, and a grammar's mask."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_char_p
from functools import cache
from struct import Struct

import torch
from torch import Tensor

from phiforge.kernels.native import kernel


@cache
def _kernels() -> tuple[Callable[..., None], ...] | None:
    found = [kernel(name, c_char_p) for name in ("top", "argmax", "mask", "draw")]
    return tuple(each for each in found if each) if all(found) else None


_TOP_CALL, _ARGMAX_CALL, _MASK_CALL, _DRAW_CALL = (Struct(f"{n}q").pack for n in (9, 6, 7, 8))  # attention.h


def top(logits: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k greatest logits of each row of [n, V], greatest first, equal ones by their ids: values [n, k] and ids [n, k];
    and each row's logsumexp [n]. ValueError unless 1 <= k <= V.

    Rows of -inf are valid: they have the lowest ids that are -inf. In torch, the order of equal logits is left open.
    """
    n, V = logits.shape
    if not 1 <= k <= V:
        raise ValueError(f"cannot take {k} candidates of {V} logits; take 1 to {V}")
    kernels = _kernels()
    if kernels and _plain(logits):
        values, ids, total = torch.empty(n, k), torch.empty(n, k, dtype=torch.long), torch.empty(n)
        out = (values.data_ptr(), ids.data_ptr(), total.data_ptr())
        kernels[0](_TOP_CALL(logits.data_ptr(), n, V, logits.stride(0), k, *out, torch.get_num_threads()))
        return values, ids, total
    values, ids = logits.topk(k)
    return values, ids, logits.logsumexp(dim=-1)


def argmax(logits: Tensor) -> Tensor:
    """The id of the greatest logit of each row of [n, V], the first of equal ones: [n]."""
    kernels = _kernels()
    if kernels and _plain(logits):
        ids = torch.empty(len(logits), dtype=torch.long)
        n, V = logits.shape
        kernels[1](_ARGMAX_CALL(logits.data_ptr(), n, V, logits.stride(0), ids.data_ptr(), torch.get_num_threads()))
        return ids
    return logits.argmax(dim=-1)


def draw(logits: Tensor, temperature: Tensor, u: Tensor) -> Tensor:
    """The id of each row of [n, V] where the cumulative softmax of logits / temperature passes u: [n]. Both [n, 1]; u in [0, 1),
    temperature above 0."""
    kernels = _kernels()
    if kernels and _plain(logits):
        n, V = logits.shape
        ids = torch.empty(n, dtype=torch.long)
        temperature, u = temperature.float().contiguous(), u.double().contiguous()
        where = (temperature.data_ptr(), u.data_ptr(), ids.data_ptr())
        kernels[3](_DRAW_CALL(logits.data_ptr(), n, V, logits.stride(0), *where, torch.get_num_threads()))
        return ids
    return invert((logits / temperature).softmax(dim=-1), u)


def invert(probabilities: Tensor, u: Tensor) -> Tensor:
    """The index where the cumulative share of each row passes u [n, 1] in [0, 1): [n]."""
    cumulative = probabilities.cumsum(dim=-1, dtype=torch.float64)
    index = torch.searchsorted(cumulative, u * cumulative[:, -1:], right=True)[:, 0]
    return index.clamp_(max=probabilities.shape[-1] - 1)


def mask_(logits: Tensor, bitmask: Tensor) -> Tensor:
    """Put -inf, in place, where a bit of int32 [n, ceil(V / 32)] is 0: id i's is bit i % 32 of word i // 32. The logits."""
    n, V = logits.shape
    if bitmask.dtype != torch.int32 or bitmask.shape != (n, -(-V // 32)):
        raise ValueError(
            f"the bitmask of {n} rows of {V} logits is int32 [{n}, {-(-V // 32)}], not {bitmask.dtype} {list(bitmask.shape)}"
        )
    kernels = _kernels()
    if kernels and _plain(logits) and bitmask.is_cpu and bitmask.stride(1) == 1:
        z, bits = (logits.data_ptr(), n, V, logits.stride(0)), (bitmask.data_ptr(), bitmask.stride(0))
        kernels[2](_MASK_CALL(*z, *bits, torch.get_num_threads()))
        return logits
    bit = torch.arange(32, dtype=torch.int32, device=bitmask.device)
    allowed = (bitmask[..., None] >> bit & 1).bool().flatten(1)[:, :V]
    return logits.masked_fill_(~allowed.to(logits.device), -torch.inf)


def _plain(logits: Tensor) -> bool:
    """Whether kernels can read the logits: fp32 rows on the CPU, nobody asking for gradients."""
    return (
        logits.dtype is torch.float32
        and logits.is_cpu
        and logits.stride(1) == 1
        and not (logits.requires_grad and torch.is_grad_enabled())
    )
