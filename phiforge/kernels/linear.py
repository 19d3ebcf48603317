"""Products with quantised weights: x W^T where W is int8, int4 or bf16 (`formats.py`).

For int8 and int4, each group of inputs in each row of x is rounded to integers of -127 to 127 times its own scale, and
products are summed exactly within a group; one scale for a whole row costs SmolLM2-135M 4 % of perplexity
(docs/log.md). A row's result is the same, bit for bit, whatever other rows are in x.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels.formats import LANES, Kind, Packed, dequantize
from phiforge.kernels.native import kernel

GROUP = 64  # inputs of an int8 row that share a scale; at int4 they are the weight's groups
SMALLEST = 2.0**-100  # a row of x whose largest value is below counts as zeros (activations.h)
BLOCK = 4_000_000  # weights dequantised at a time, where there is no library


def product(x: Tensor, packed: Packed, *, add_to: Tensor | None = None, native: bool = True) -> Tensor:
    """x W^T: fp32 [..., k] to fp32 [..., n], on the CPU and without gradients.

    With `add_to`, fp32 [..., n] and contiguous, the product is added to it in place, and it is what is returned.
    Without a library, or with `native=False`, torch does the same in more steps; both agree to fp32 rounding. In int8
    and int4, a row of x with a value that is not finite gives a row of NaN. Raises ValueError for what does not fit.
    """
    k, n = packed.k, packed.n
    if x.dtype != torch.float32 or x.shape[-1] != k:
        raise ValueError(f"the weight takes fp32 [..., {k}], and x is {x.dtype} {list(x.shape)}")
    if x.requires_grad and torch.is_grad_enabled():
        raise ValueError("quantised products have no gradients: call them under torch.no_grad()")
    shape = (*x.shape[:-1], n)
    if add_to is None:
        out = torch.empty(shape)
    elif add_to.dtype == torch.float32 and add_to.shape == shape and add_to.is_contiguous():
        out = add_to
    else:
        raise ValueError(f"add_to is {add_to.dtype} {list(add_to.shape)}, not contiguous fp32 {list(shape)}")
    if not out.numel():
        return out
    call = _kernel(packed.kind) if native else None
    if call is None:
        rows = _rows(x.reshape(-1, k), packed).view(shape)
        return out.add_(rows) if add_to is not None else out.copy_(rows)
    x = x.contiguous()
    scales = 0 if packed.scales is None else packed.scales.data_ptr()
    # fmt: off
    call(_LINEAR_CALL(
        x.data_ptr(), x.numel() // k, k, k, packed.data.data_ptr(), scales, packed.group, n,
        out.data_ptr(), n, add_to is not None, torch.get_num_threads(),
    ))
    # fmt: on
    return out


_LINEAR_CALL = struct.Struct("12q").pack  # LinearCall in kernels.h


@cache
def _kernel(kind: Kind) -> Callable[..., None] | None:
    return kernel(f"linear_{kind}", ctypes.c_char_p)


def _rows(x: Tensor, packed: Packed) -> Tensor:
    """The product in torch, [m, k] to [m, n]."""
    if packed.kind == "int8":
        assert packed.scales is not None
        q, scale = _round(x, GROUP)
        weight = packed.data.transpose(1, 2).reshape(packed.data.shape[0] * LANES, -1)
        out = torch.zeros(len(x), len(weight))
        for g, start in enumerate(range(0, packed.k, GROUP)):
            part = weight[:, start : start + GROUP]
            out += _exact(q[:, start : start + part.shape[1]], part).float() * scale[:, g : g + 1]
        return (out * packed.scales)[:, : packed.n]
    if packed.kind == "int4":
        q, scale = _round(x, packed.group)
        x = (q.float().unflatten(1, (-1, packed.group)) * scale[..., None]).flatten(1)
    out = torch.empty(len(x), packed.n)
    step = max(1, BLOCK // (LANES * packed.k)) * LANES
    for start in range(0, packed.n, step):
        rows = slice(start, min(start + step, packed.n))
        out[:, rows] = F.linear(x, dequantize(packed, rows))
    return out


def _round(x: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """Rows as integers, int8 [m, groups * group], padded with zeros, and the scales [m, groups] that they stand for
    (activations.h does the same)."""
    x = F.pad(x, (0, -x.shape[1] % group)).unflatten(1, (-1, group))
    largest = x.abs().amax(2, keepdim=True)
    finite = largest.isfinite()
    used = finite & (largest >= SMALLEST)
    # A number / a tensor is torch's reciprocal times the number, which rounds twice.
    q = torch.where(finite, x, 0) * torch.where(used, torch.full_like(largest, 127) / largest, 0)
    scale = torch.where(finite, torch.where(used, largest / 127, 0), float("nan"))
    return q.round_().to(torch.int8).flatten(1), scale[..., 0]


def _exact(q: Tensor, weight: Tensor) -> Tensor:
    """int8 [m, k] times int8 [n, k]^T, exact: int32 [m, n]."""
    # torch._int_mm wants more than 16 rows on some devices, and has no promise of its own for fewer; padding is safe.
    rows = max(17, len(q))
    return torch._int_mm(F.pad(q, (0, 0, 0, rows - len(q))), weight.t())[: len(q)]
