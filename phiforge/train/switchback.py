"""Products of linear layers by int8, of networks in training: SwitchBack (Wortsman et al. 2023, arXiv:2304.13013).

    y = x W^T          dx = dy W          dW = dy^T x          x [T, k], W [n, k], dy [T, n]

W, x and dy are rounded for each product along what it sums over. SwitchBack leaves the third in 16 bits, as an error grows with
the number of tokens that are summed over; with the thousands of a micro-batch here, a gradient has a cosine of
0.998 with the one so left. Processors with VNNI are twice as fast at int8 as at bf16; those with VNNI but without instructions
for bf16, four times as fast as at fp32. What lies between the products is in what the network is in, bf16 or fp32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from phiforge.kernels.native import integer, kernel, pointer
from phiforge.model.phi3 import Linear, Phi3


class Rounded:
    """A weight W [n, k] in int8: its rows with a scale each, and its columns with a scale each, as each product sums over one or
    the other."""

    def __init__(self, weight: Tensor) -> None:
        self.rows, self.row_scales = round_rows(weight)
        self.columns, self.column_scales = round_columns(weight)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """x W^T + beside, of [T, k] and [T, n]; `beside` is written over."""
        q, scales = round_rows(x)
        return _scaled(torch._int_mm(q, self.rows.T), scales, self.row_scales, x.dtype, beside)

    def backward(self, slope: Tensor, beside: Tensor | None = None) -> Tensor:
        """slope W + beside, of [T, n] and [T, k]; likewise."""
        q, scales = round_rows(slope)
        return _scaled(torch._int_mm(q, self.columns), scales, self.column_scales, slope.dtype, beside)


def round_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """[m, k] as int8 [m, k] times fp32 [m]."""
    return _round(x, "round_rows", along=1)


def round_columns(x: Tensor) -> tuple[Tensor, Tensor]:
    """[m, k] as int8 [m, k] times fp32 [k]."""
    return _round(x, "round_columns", along=0)


def _round(x: Tensor, name: str, along: int) -> tuple[Tensor, Tensor]:
    run = kernel(name, pointer, integer, integer, pointer, pointer, integer, integer)
    if run and x.is_contiguous() and x.is_cpu:
        q, scales = x.new_empty(x.shape, dtype=torch.int8), x.new_empty(x.shape[1 - along], dtype=torch.float32)
        narrow = x.dtype is torch.bfloat16
        run(x.data_ptr(), *x.shape, q.data_ptr(), scales.data_ptr(), narrow, torch.get_num_threads())
        return q, scales
    most = x.abs().amax(along, keepdim=True).float()
    factors = torch.full_like(most, 127) / most.clamp_min(1e-30)  # a number / a tensor would be rounded twice
    return (x.float() * factors).round_().to(torch.int8), most.squeeze(along) / 127


def _scaled(
    product: Tensor, of_rows: Tensor, of_columns: Tensor, dtype: torch.dtype, beside: Tensor | None = None
) -> Tensor:
    """product * of_rows * of_columns + beside, of int32 [m, n], fp32 [m] and [n], and `dtype` [m, n], which is written over."""
    run = kernel("add_scaled", pointer, integer, integer, pointer, pointer, pointer, integer, integer, integer)
    if run and product.is_cpu and (beside is None or beside.is_contiguous()):
        out = torch.empty(product.shape, dtype=dtype) if beside is None else beside
        places = of_rows.data_ptr(), of_columns.data_ptr(), out.data_ptr()
        narrow = dtype is torch.bfloat16
        run(product.data_ptr(), *product.shape, *places, beside is None, narrow, torch.get_num_threads())
        return out
    found = product * of_rows[:, None] * of_columns
    return found.to(dtype) if beside is None else beside.add_(found)


class Switched(nn.Module):
    """A linear layer by int8. `refresh` takes over where the weight has moved."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight
        self.rounded = Rounded(weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        return _Switched.apply(x.flatten(0, -2), self.weight, self.rounded).view(*x.shape[:-1], -1)

    def refresh(self) -> None:
        if self.weight.requires_grad:
            self.rounded = Rounded(self.weight.detach())


class _Switched(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, rounded: Rounded) -> Tensor:
        ctx.rounded = rounded
        ctx.save_for_backward(x if weight.requires_grad else None)
        return rounded.forward(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        slope = slope.contiguous()
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = ctx.rounded.backward(slope)
        return of_x, None if x is None else _summed(slope, x), None


def _summed(slope: Tensor, x: Tensor) -> Tensor:
    """slope^T x, [T, n] and [T, k] to [n, k]."""
    (q, of_rows), (other, of_columns) = round_columns(slope), round_columns(x)
    return _scaled(torch._int_mm(q.T, other), of_rows, of_columns, x.dtype)


def switch(network: Phi3) -> list[Switched]:
    """Have the linear layers of a network take their products by int8, in place; not the head, whose logits are no place for
    rounding."""
    found: list[Switched] = []
    for owner in list(network.layers.modules()):
        for name, module in list(owner.named_children()):
            if type(module) is Linear:
                found.append(Switched(module.weight))
                setattr(owner, name, found[-1])
    return found
