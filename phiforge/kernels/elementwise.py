"""What lies between the products of a layer: norms, the gate and rotations.

On CPUs, without gradients and in fp32, one call of a kernel each: when single tokens are decoded, torch's several
operators of some microseconds for each of these are as long as the products. Everywhere else, in torch, and with the gradients
of `gradients.py` where they are asked for. A given `out` is filled and returned: making a tensor takes as long as the whole
kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_char_p
from functools import cache
from struct import Struct

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels import gradients
from phiforge.kernels.native import kernel


@cache
def _kernels() -> tuple[Callable[..., None], ...] | None:
    norm, gate, rotation = kernel("rms_norm", c_char_p), kernel("silu_mul", c_char_p), kernel("rotate", c_char_p)
    return (norm, gate, rotation) if norm and gate and rotation else None


_NORM_CALL, _GATE_CALL, _ROTATE_CALL = Struct("5qdq").pack, Struct("5q").pack, Struct("11q").pack  # attention.h


def rms_norm(x: Tensor, weight: Tensor, eps: float, out: Tensor | None = None) -> Tensor:
    """x [..., d] / rms(x) * weight [d], with the mean square taken in fp32 (Zhang and Sennrich 2019). `out` may be x."""
    kernels = _kernels()
    if kernels and _plain(x) and _fits(out) and weight.dtype is torch.float32:
        if out is None:
            out = torch.empty_like(x)
        d = weight.shape[0]
        rows = x.numel() // d
        threads = torch.get_num_threads() if rows > 1 else 1
        kernels[0](_NORM_CALL(x.data_ptr(), weight.data_ptr(), out.data_ptr(), rows, d, eps, threads))
        return out
    if out is None and x.is_cpu and (_learnt(x) or _learnt(weight)):
        return gradients.rms_norm(x, weight, eps)
    result = weight * F.rms_norm(x.float(), x.shape[-1:], eps=eps).to(x.dtype)
    return result if out is None else out.copy_(result)


def silu_mul(gate_up: Tensor, out: Tensor | None = None) -> Tensor:
    """silu(gate) * up of gate_up [..., 2f], the gates first: [..., f]."""
    kernels = _kernels()
    if kernels and _plain(gate_up) and _fits(out):
        width = gate_up.shape[-1]
        rows = gate_up.numel() // width
        if out is None:
            out = torch.empty(rows, width // 2)
            if gate_up.dim() != 2:
                out = out.view(*gate_up.shape[:-1], width // 2)
        threads = torch.get_num_threads() if rows > 1 else 1
        kernels[1](_GATE_CALL(gate_up.data_ptr(), out.data_ptr(), rows, width // 2, threads))
        return out
    if out is None and _learnt(gate_up):
        return gradients.silu_mul(gate_up)
    gate, up = gate_up.chunk(2, dim=-1)
    result = F.silu(gate) * up
    return result if out is None else out.copy_(result)


def rotate(x: Tensor, cos: Tensor, sin: Tensor, out: Tensor | None = None) -> Tensor:
    """Rotate x [..., H, D] by cos and sin [..., r / 2] or [..., 1, r / 2]; pairs are (i, i + r / 2), the rest passes.

    `out` may be x, or a view of the wider tensor that x is a view of too.
    """
    kernels = _kernels()
    half = cos.shape[-1]
    if kernels and x.dim() == 3 and _rows(x) and _plain(cos) and _plain(sin):
        rows, heads, dim = x.shape
        if cos.numel() == rows * half and (out is None or _rows(out)):
            if out is None:
                out = torch.empty(rows, heads, dim)
            threads = torch.get_num_threads() if rows > 1 else 1
            tables, to = (cos.data_ptr(), sin.data_ptr()), (out.data_ptr(), out.stride(0))
            kernels[2](_ROTATE_CALL(x.data_ptr(), x.stride(0), *tables, *to, rows, heads, dim, half, threads))
            return out
    if cos.dim() < x.dim():
        cos, sin = cos.unsqueeze(-2), sin.unsqueeze(-2)
    if out is None and _learnt(x):
        return gradients.rotate(x, cos, sin)
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    result = torch.cat((first * cos - second * sin, second * cos + first * sin, rest), dim=-1)
    return result if out is None else out.copy_(result)


def _learnt(x: Tensor) -> bool:
    """Whether a gradient will be asked for."""
    return x.requires_grad and torch.is_grad_enabled()


def _plain(x: Tensor) -> bool:
    """Whether kernels can read x: contiguous fp32 on the CPU, nobody asking for gradients."""
    return x.dtype is torch.float32 and x.is_cpu and x.is_contiguous() and not torch.is_grad_enabled()


def _fits(out: Tensor | None) -> bool:
    return out is None or (out.dtype is torch.float32 and out.is_cpu and out.is_contiguous())


def _rows(x: Tensor) -> bool:
    """Whether kernels can read x [T, H, D]: fp32 on the CPU, a row's heads contiguous."""
    _, head, step = x.stride()
    return x.dtype is torch.float32 and step == 1 and head == x.shape[2] and x.is_cpu
