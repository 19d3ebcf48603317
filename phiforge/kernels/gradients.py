"""What lies between the products of a layer, for training: the same functions as in `elementwise.py`, with gradients written out.

Autograd would keep several tensors of each and go over them once more for every operator. Here a norm keeps its input and a
number a row, the gate keeps its input only, and a rotation nothing: its gradient is the rotation back.

    T rows, whatever their leading dims; in any dtype, with sums and squares in fp32

On CPUs each of them is one pass of a kernel (training.cpp), where torch takes a pass for every operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import c_char_p
from itertools import accumulate
from struct import Struct
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from phiforge.kernels.native import integer, kernel, pointer, real64

LONGEST = 1024  # tokens of a document in `packed_attention`


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


class Families(NamedTuple):
    """Documents end to end: where each begins, and the end of the last; the document that each sees besides itself, which is the
    first of its family; the first document of each family, and the number of documents; int64. `longest` is the most tokens
    that one sees."""

    starts: Tensor
    leaders: Tensor
    firsts: Tensor
    longest: int

    @classmethod
    def of(cls, families: Sequence[Sequence[int]]) -> Families:
        """From the lengths of each family's documents, the first one's first."""
        firsts = [0, *accumulate(map(len, families))]
        leaders = [first for first, family in zip(firsts, families, strict=False) for _ in family]
        starts = [0, *accumulate(length for family in families for length in family)]
        longest = max(family[0] + max(family[1:], default=0) for family in families)
        return cls(torch.tensor(starts), torch.tensor(leaders), torch.tensor(firsts), longest)


def packed_attention(
    qkv: Tensor, cos: Tensor, sin: Tensor, families: Families, heads: int, groups: int
) -> Tensor | None:
    """Attention of documents end to end, of each token to itself, those before it in its document, and the first document of
    its family: of qkv [T, (H + 2 G) D] with cos and sin [T, 1, r / 2], to [T, H D]. None where there is no kernel for it, or
    documents are so long that torch's, which goes through them block by block, is the faster one."""
    D = qkv.shape[-1] // (heads + 2 * groups)
    fits = qkv.is_cpu and qkv.dtype in (torch.bfloat16, torch.float32) and D % 16 == 0 and families.longest <= LONGEST
    if not fits or kernel("packed_attend", c_char_p) is None:
        return None
    return _PackedAttention.apply(qkv, cos, sin, families, heads, groups)


def readable(*tensors: Tensor) -> bool:
    """Whether the kernels can read them: all bf16, or all fp32."""
    dtype = tensors[0].dtype
    return dtype in (torch.bfloat16, torch.float32) and all(
        x.dtype is dtype and x.is_cpu and x.is_contiguous() for x in tensors
    )


def narrow(x: Tensor) -> int:
    """What the kernels are told of the type."""
    return int(x.dtype is torch.bfloat16)


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        run = kernel("norm", pointer, pointer, integer, integer, real64, pointer, pointer, integer, integer)
        if run and readable(x, weight):
            rows, d = x.numel() // x.shape[-1], x.shape[-1]
            out, scale = torch.empty_like(x), torch.empty(*x.shape[:-1], 1)
            run(
                x.data_ptr(),
                weight.data_ptr(),
                rows,
                d,
                eps,
                out.data_ptr(),
                scale.data_ptr(),
                narrow(x),
                torch.get_num_threads(),
            )
        else:
            unit, scale = torch.ops.aten._fused_rms_norm(x.float(), x.shape[-1:], None, eps)  # what F.rms_norm calls
            out = weight * unit.to(x.dtype)
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scale = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = _norm_weight_gradient(x, scale, slope).to(weight.dtype)
        if ctx.needs_input_grad[0]:
            of_x = _norm_gradient(x, weight, scale, slope)
        return of_x, of_weight, None


def _norm_weight_gradient(x: Tensor, scale: Tensor, slope: Tensor) -> Tensor:
    """Of x and slope [..., d], scale [..., 1], fp32 [d]."""
    run = kernel("norm_weight_slope", pointer, pointer, pointer, integer, integer, pointer, integer, integer)
    if run and readable(x, slope):
        found, d = torch.empty(x.shape[-1]), x.shape[-1]
        tensors = (each.data_ptr() for each in (x, scale, slope))
        run(*tensors, x.numel() // d, d, found.data_ptr(), narrow(x), torch.get_num_threads())
        return found
    return (slope.float() * (x.float() * scale)).flatten(0, -2).sum(0)


def _norm_gradient(x: Tensor, weight: Tensor, scale: Tensor, slope: Tensor) -> Tensor:
    run = kernel("norm_slope", pointer, pointer, pointer, pointer, integer, integer, pointer, integer, integer)
    if run and readable(x, weight, slope):
        found, d = torch.empty_like(x), x.shape[-1]
        tensors = (each.data_ptr() for each in (x, weight, scale, slope))
        run(*tensors, x.numel() // d, d, found.data_ptr(), narrow(x), torch.get_num_threads())
        return found
    unit, steep = x.float() * scale, slope.float() * weight
    along = (steep * unit).mean(-1, keepdim=True)
    return steep.addcmul_(unit, along, value=-1).mul_(scale).to(x.dtype)


def _gated(gate_up: Tensor) -> Tensor:
    run = kernel("gate", pointer, integer, integer, pointer, integer, integer)
    f = gate_up.shape[-1] // 2
    if run and readable(gate_up):
        out = gate_up.new_empty(*gate_up.shape[:-1], f)
        run(gate_up.data_ptr(), gate_up.numel() // (2 * f), f, out.data_ptr(), narrow(out), torch.get_num_threads())
        return out
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate).mul_(up)


def _gate_gradient(gate_up: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of silu_mul's input, and what silu_mul had returned."""
    run = kernel("gate_slope", pointer, pointer, integer, integer, pointer, pointer, integer, integer)
    found = torch.empty_like(gate_up)
    if run and readable(gate_up, slope):
        gated, f = torch.empty_like(slope), slope.shape[-1]
        places = found.data_ptr(), gated.data_ptr()
        sizes = slope.numel() // f, f
        run(gate_up.data_ptr(), slope.data_ptr(), *sizes, *places, narrow(slope), torch.get_num_threads())
        return found, gated
    gate, up = gate_up.chunk(2, dim=-1)
    of_gate, of_up = found.chunk(2, dim=-1)
    active = F.silu(gate)
    torch.mul(slope, active, out=of_up)
    torch.ops.aten.silu_backward.grad_input(slope * up, gate, grad_input=of_gate)
    return found, active.mul_(up)


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        return _gated(gate_up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        return _gate_gradient(gate_up, slope)[0]


class _GatedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up, weight)
        return _gated(gate_up) @ weight.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor | None]:
        gate_up, weight = ctx.saved_tensors
        of_gate_up, gated = _gate_gradient(gate_up, slope @ weight)
        of_weight = slope.flatten(0, -2).T @ gated.flatten(0, -2) if ctx.needs_input_grad[1] else None
        return of_gate_up, of_weight


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, sign: int, out: Tensor | None = None) -> Tensor:
    half = cos.shape[-1]
    if out is None:
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
    run = kernel("turn", pointer, pointer, pointer, *[integer] * 6, pointer, integer, integer, integer)
    if run and x.dim() == 3 and readable(x[0], cos, sin) and cos.numel() == len(x) * half:
        tables = x.data_ptr(), cos.data_ptr(), sin.data_ptr()
        shape = len(x), x.stride(0), x.shape[1], x.shape[2], half
        run(*tables, *shape, int(sign < 0), out.data_ptr(), out.stride(0), narrow(out), torch.get_num_threads())
        return out
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


class _PackedAttention(torch.autograd.Function):
    """Keeps rotated queries and keys, values, and a number for each query: chances are computed again for the gradient."""

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, cos: Tensor, sin: Tensor, families: Families, heads: int, groups: int
    ) -> Tensor:
        x = qkv.unflatten(-1, (heads + 2 * groups, -1))
        qk, v = _rotated(x[:, : heads + groups], cos, sin, 1), x[:, heads + groups :].contiguous()
        logs, out = torch.empty(len(x), heads), qkv.new_empty(len(x), heads * x.shape[-1])
        _packed("packed_attend", qk, v, families, logs, out, None, None, None)
        ctx.families = families
        ctx.save_for_backward(qk, v, cos, sin, logs)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        qk, v, cos, sin, logs = ctx.saved_tensors
        T, both, D = qk.shape
        found, of_qk = qk.new_empty(T, both + v.shape[1], D), torch.empty_like(qk)
        _packed("packed_attend_slope", qk, v, ctx.families, logs, None, slope.contiguous(), of_qk, found[:, both:])
        _rotated(of_qk, cos, sin, -1, found[:, :both])
        return found.flatten(1), None, None, None, None, None


_PACKED_CALL = Struct("5P6q5P2q")  # training.h


def _packed(
    name: str, qk: Tensor, v: Tensor, families: Families, logs: Tensor, out: Tensor | None, slope: Tensor | None,
    of_qk: Tensor | None, of_v: Tensor | None,
) -> None:  # fmt: skip
    run = kernel(name, c_char_p)
    assert run
    starts, leaders, firsts, _ = families
    groups, dim = v.shape[1:]
    given = (each.data_ptr() for each in (qk, v, starts, leaders, firsts))
    sizes = len(leaders), len(firsts) - 1, qk.shape[1] - groups, groups, dim, narrow(qk)
    places = (0 if each is None else each.data_ptr() for each in (logs, out, slope, of_qk, of_v))
    stride = 0 if of_v is None else of_v.stride(0)
    run(_PACKED_CALL.pack(*given, *sizes, *places, stride, torch.get_num_threads()))
