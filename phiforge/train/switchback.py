"""Products of linear layers by int8, of networks in training: SwitchBack (Wortsman et al. 2023, arXiv:2304.13013).

    y = x W^T          dx = dy W          dW = dy^T x          x [T, k], W [n, k], dy [T, n]

W, x and dy are rounded for each product along what it sums over. SwitchBack leaves the third in 16 bits, as an error grows with
the number of tokens that are summed over; with the thousands of a micro-batch here, a gradient has a cosine of
0.998 with the one so left. Processors with VNNI are twice as fast at int8 as at bf16.
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
        self.rows, self.row_scales = round_rows(weight.bfloat16())
        self.columns, self.column_scales = round_rows(weight.T.bfloat16().contiguous())

    def add_forward(self, x: Tensor, out: Tensor) -> Tensor:
        """out += x W^T, bf16 [T, k] and [T, n]."""
        return _add_rounded(x, self.rows, self.row_scales, out)

    def add_backward(self, slope: Tensor, out: Tensor) -> Tensor:
        """out += slope W, bf16 [T, n] and [T, k]."""
        return _add_rounded(slope, self.columns, self.column_scales, out)


def round_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """bf16 [m, k] as int8 [m, k] times fp32 [m]."""
    return _round(x, "round_rows", along=1)


def round_columns(x: Tensor) -> tuple[Tensor, Tensor]:
    """bf16 [m, k] as int8 [m, k] times fp32 [k]."""
    return _round(x, "round_columns", along=0)


def _round(x: Tensor, name: str, along: int) -> tuple[Tensor, Tensor]:
    run = kernel(name, pointer, integer, integer, pointer, pointer, integer)
    if run and x.is_contiguous() and x.is_cpu:
        q, scales = x.new_empty(x.shape, dtype=torch.int8), x.new_empty(x.shape[1 - along], dtype=torch.float32)
        run(x.data_ptr(), *x.shape, q.data_ptr(), scales.data_ptr(), torch.get_num_threads())
        return q, scales
    most = x.abs().amax(along, keepdim=True).float()
    factors = torch.full_like(most, 127) / most.clamp_min(1e-30)  # a number / a tensor would be rounded twice
    return (x.float() * factors).round_().to(torch.int8), most.squeeze(along) / 127


def _add_rounded(x: Tensor, weight: Tensor, scales: Tensor, out: Tensor) -> Tensor:
    """out += x W^T, for bf16 x [T, k], W [n, k] int8 times `scales` [n], and bf16 out [T, n]."""
    q, of_rows = round_rows(x)
    return _add_scaled(torch._int_mm(q, weight.T), of_rows, scales, out)


def _add_scaled(product: Tensor, of_rows: Tensor, of_columns: Tensor, out: Tensor) -> Tensor:
    """out += product * of_rows * of_columns, int32 [m, n], fp32 [m] and [n], to bf16 [m, n]."""
    run = kernel("add_scaled", pointer, integer, integer, pointer, pointer, pointer, integer)
    if run and out.is_contiguous() and out.is_cpu:
        places = of_rows.data_ptr(), of_columns.data_ptr(), out.data_ptr()
        run(product.data_ptr(), *product.shape, *places, torch.get_num_threads())
        return out
    return out.add_(product * of_rows[:, None] * of_columns)


class Switched(nn.Module):
    """A linear layer of a bf16 network, by int8. `refresh` takes over where the weight has moved."""

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
        return rounded.add_forward(x, x.new_zeros(len(x), len(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        slope = slope.contiguous()
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = ctx.rounded.add_backward(slope, slope.new_zeros(len(slope), ctx.rounded.rows.shape[1]))
        return of_x, None if x is None else _summed(slope, x), None


def _summed(slope: Tensor, x: Tensor) -> Tensor:
    """slope^T x, bf16 [T, n] and [T, k] to [n, k]."""
    (q, of_rows), (other, of_columns) = round_columns(slope), round_columns(x)
    return _add_scaled(torch._int_mm(q.T, other), of_rows, of_columns, x.new_zeros(slope.shape[1], x.shape[1]))


def switch(network: Phi3) -> list[Switched]:
    """Have the linear layers of a bf16 network take their products by int8, in place; not the head, whose logits are no place for
    rounding."""
    found: list[Switched] = []
    for owner in list(network.layers.modules()):
        for name, module in list(owner.named_children()):
            if type(module) is Linear:
                found.append(Switched(module.weight))
                setattr(owner, name, found[-1])
    return found
