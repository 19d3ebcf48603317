"""The products of a linear layer whose weight stays, with a low-rank update beside it that is learnt.

    y = x W^T + (x a^T) b^T          x [T, k], W [n, k], a [r, k], b [n, r]

W takes part in two products, forward and for the gradient of x; for a weight that stays there is no third. Rounded to int8,
with x and the gradient rounded row by row as they come, both run at twice the speed of bf16 on processors with VNNI (the layer
of SwitchBack, Wortsman et al. 2023, arXiv:2304.13013, without its third product). The update is never rounded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from phiforge.kernels.native import integer, kernel, pointer


class Rounded:
    """A weight W [n, k] in int8: its rows with a scale each, and its columns with a scale each, as each product sums over one or
    the other."""

    def __init__(self, weight: Tensor) -> None:
        self.rows, self.row_scales = round_rows(weight.bfloat16())
        self.columns, self.column_scales = round_rows(weight.T.bfloat16().contiguous())


def round_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """bf16 [m, k] as int8 [m, k] times fp32 [m]."""
    run = kernel("round_rows", pointer, integer, integer, pointer, pointer, integer)
    if run and x.is_contiguous() and x.is_cpu:
        q, scales = x.new_empty(x.shape, dtype=torch.int8), x.new_empty(len(x), dtype=torch.float32)
        run(x.data_ptr(), *x.shape, q.data_ptr(), scales.data_ptr(), torch.get_num_threads())
        return q, scales
    most = x.abs().amax(-1, keepdim=True).float()
    return (x.float() * (127 / most.clamp_min(1e-30))).round_().to(torch.int8), most.squeeze(-1) / 127


def _add_rounded(x: Tensor, weight: Tensor, scales: Tensor, out: Tensor) -> Tensor:
    """out += x W^T, for bf16 x [T, k], W [n, k] int8 times `scales` [n], and bf16 out [T, n]."""
    q, of_rows = round_rows(x)
    product = torch._int_mm(q, weight.T)
    run = kernel("add_scaled", pointer, integer, integer, pointer, pointer, pointer, integer)
    if run and out.is_contiguous() and out.is_cpu:
        places = of_rows.data_ptr(), scales.data_ptr(), out.data_ptr()
        run(product.data_ptr(), *product.shape, *places, torch.get_num_threads())
        return out
    return out.add_(product * of_rows[:, None] * scales)


def adapted(x: Tensor, weight: Tensor | Rounded, a: Tensor, b: Tensor) -> Tensor:
    """x W^T + (x a^T) b^T, [..., k] -> [..., n], with gradients for x, a and b. A `Rounded` weight wants everything else in
    bf16."""
    return _Adapted.apply(x.flatten(0, -2), weight, a, b).view(*x.shape[:-1], len(b))


class _Adapted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | Rounded, a: Tensor, b: Tensor) -> Tensor:
        low = x @ a.T
        if isinstance(weight, Rounded):
            y = _add_rounded(x, weight.rows, weight.row_scales, low @ b.T)
        else:
            y = (x @ weight.T).addmm_(low, b.T)
        ctx.weight = weight
        ctx.save_for_backward(x, low, a, b)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, low, a, b = ctx.saved_tensors
        slope = slope.contiguous()
        steep = slope @ b
        of_x = None
        if ctx.needs_input_grad[0]:
            if isinstance(ctx.weight, Rounded):
                of_x = _add_rounded(slope, ctx.weight.columns, ctx.weight.column_scales, steep @ a)
            else:
                of_x = (slope @ ctx.weight).addmm_(steep, a)
        return of_x, None, steep.T @ x, slope.T @ low
