"""What lies between the products of a layer, for training: the same functions as in `elementwise.py`, with gradients written out.

Autograd would keep several tensors of each and go over them once more for every operator. Here a norm keeps its input and a
number a row, the gate keeps its input only, and a rotation nothing: its gradient is the rotation back.

    T rows, whatever their leading dims; in any dtype, with sums and squares in fp32
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x [..., d] / rms(x) * weight [d]."""
    return _Norm.apply(x, weight, eps)


def silu_mul(gate_up: Tensor) -> Tensor:
    """silu(gate) * up of gate_up [..., 2f], the gates first: [..., f]."""
    return _Gate.apply(gate_up)


def gated_product(gate_up: Tensor, weight: Tensor) -> Tensor:
    """silu_mul(gate_up) weight^T, of gate_up [..., 2f] and weight [d, f]. The gated rows are computed again for the gradient."""
    return _GatedProduct.apply(gate_up, weight)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [..., H, D] rotated by cos and sin [..., 1, r / 2], which get no gradient; pairs are (i, i + r / 2), the rest passes."""
    return _Rotation.apply(x, cos, sin)


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        unit, scale = torch.ops.aten._fused_rms_norm(x.float(), x.shape[-1:], None, eps)  # what F.rms_norm calls
        ctx.save_for_backward(x, weight, scale)
        return weight * unit.to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scale = ctx.saved_tensors
        unit = x.float() * scale
        steep = slope.float()
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = (steep * unit).flatten(0, -2).sum(0).to(weight.dtype)
        of_x = None
        if ctx.needs_input_grad[0]:
            steep = steep * weight
            along = (steep * unit).mean(-1, keepdim=True)
            of_x = steep.addcmul_(unit, along, value=-1).mul_(scale).to(x.dtype)
        return of_x, of_weight, None


def _gate_gradient(gate_up: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of silu_mul's input, and what it had returned."""
    gate, up = gate_up.chunk(2, dim=-1)
    found = torch.empty_like(gate_up)
    of_gate, of_up = found.chunk(2, dim=-1)
    active = F.silu(gate)
    torch.mul(slope, active, out=of_up)
    torch.ops.aten.silu_backward.grad_input(slope * up, gate, grad_input=of_gate)
    return found, active.mul_(up)


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        return _gate_gradient(gate_up, slope)[0]


class _GatedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up, weight)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate).mul_(up) @ weight.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor | None]:
        gate_up, weight = ctx.saved_tensors
        of_gate_up, gated = _gate_gradient(gate_up, slope @ weight)
        of_weight = slope.flatten(0, -2).T @ gated.flatten(0, -2) if ctx.needs_input_grad[1] else None
        return of_gate_up, of_weight


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, sign: int) -> Tensor:
    half = cos.shape[-1]
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    first, second = x[..., :half], x[..., half : 2 * half]
    sin = sin * sign
    torch.mul(first, cos, out=out[..., :half]).sub_(second * sin)  # rounded as elementwise.py does it
    torch.mul(second, cos, out=out[..., half : 2 * half]).add_(first * sin)
    if 2 * half < x.shape[-1]:
        out[..., 2 * half :] = x[..., 2 * half :]
    return out


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _rotated(x, cos, sin, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _rotated(slope, cos, sin, -1), None, None
