"""The gradients that are written out are those that autograd finds."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_char_p

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels import gradients
from phiforge.kernels.gradients import LONGEST, Families
from phiforge.kernels.head import logs_of, slopes_of
from phiforge.kernels.native import kernel


def norm(x: Tensor, weight: Tensor) -> Tensor:
    return weight * F.rms_norm(x, x.shape[-1:], eps=1e-5)


def gate(x: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return F.silu(first) * second


def rotation(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = cos.shape[-1]
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat((first * cos - second * sin, second * cos + first * sin, rest), -1)


ANGLES = torch.randn(2, 5, 1, 3)
CASES = {
    "norm": (lambda x, w: gradients.rms_norm(x, w, 1e-5), norm, [(2, 5, 8), (8,)]),
    "gate": (gradients.silu_mul, gate, [(2, 5, 8)]),
    "product": (gradients.gated_product, lambda x, w: gate(x) @ w.T, [(2, 5, 8), (6, 4)]),
    "rotation": (
        lambda x: gradients.rotate(x, ANGLES.cos(), ANGLES.sin()),
        lambda x: rotation(x, ANGLES.cos(), ANGLES.sin()),
        [(2, 5, 4, 8)],
    ),
}


@pytest.mark.parametrize(("mine", "theirs", "shapes"), CASES.values(), ids=CASES)
def test_same_values_and_gradients(
    mine: Callable[..., Tensor], theirs: Callable[..., Tensor], shapes: list[tuple[int, ...]]
) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(shape, generator=generator) for shape in shapes]
    found: list[list[Tensor]] = []
    for function in (mine, theirs):
        given = [each.clone().requires_grad_() for each in inputs]
        value = function(*given)
        (value * torch.linspace(-1, 2, value.numel()).view_as(value)).sum().backward()
        found.append([value.detach(), *(each.grad for each in given if each.grad is not None)])
    assert len(found[0]) == 1 + len(shapes)
    for ours, other in zip(*found, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dim", [64, 36])
@pytest.mark.parametrize(("mine", "theirs", "shapes"), CASES.values(), ids=CASES)
def test_bf16_is_as_exact_as_its_inputs(
    mine: Callable[..., Tensor], theirs: Callable[..., Tensor], shapes: list[tuple[int, ...]], dim: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    wide = (
        [tuple(dim * n // 4 if n in (4, 8) else n for n in shape) for shape in shapes]
        if len(shapes[0]) == 3
        else shapes
    )
    inputs = [torch.randn(shape, generator=generator).bfloat16() for shape in wide]
    found: list[list[Tensor]] = []
    for function, dtype in ((mine, torch.bfloat16), (theirs, torch.float64)):
        given = [each.to(dtype, copy=True).requires_grad_() for each in inputs]
        value = function(*given)
        slope = torch.linspace(-1, 2, value.numel()).view(value.shape).bfloat16()
        value.backward(slope.to(value.dtype))
        found.append([value.detach(), *(each.grad for each in given if each.grad is not None)])
    for ours, other in zip(*found, strict=True):
        scale = float(other.abs().max())
        torch.testing.assert_close(ours.double(), other.double(), rtol=0.01, atol=0.01 * scale)


FAMILIES = [
    [(5,)],
    [(1,), (2,), (3,), (16,), (17,), (37,)],
    [(64,), (130,)],
    [(7, 1, 20, 5), (1, 1), (33, 40)],
    [(16, 16, 16), (3,)],
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("families", FAMILIES)
@pytest.mark.parametrize(("heads", "groups", "dim", "half"), [(4, 2, 32, 16), (3, 3, 16, 6), (9, 3, 64, 32)])
def test_packed_attention_is_that_of_each_document(
    heads: int, groups: int, dim: int, half: int, families: list[tuple[int, ...]], dtype: torch.dtype
) -> None:
    if kernel("packed_attend", c_char_p) is None:
        pytest.skip("no compiled kernels")
    generator = torch.Generator().manual_seed(0)
    T = sum(map(sum, families))
    qkv = torch.randn(T, (heads + 2 * groups) * dim, generator=generator).to(dtype)
    angles = 6 * torch.rand(T, 1, half, generator=generator)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    slope = torch.randn(T, heads * dim, generator=generator).to(dtype)
    ours = qkv.clone().requires_grad_()
    out = gradients.packed_attention(ours, cos, sin, Families.of(families), heads, groups)
    assert out is not None
    out.backward(slope)
    theirs = qkv.double().requires_grad_()
    expected = attended(theirs, cos.double(), sin.double(), families, heads, groups)
    expected.backward(slope.double())
    tolerance = 2e-5 if dtype is torch.float32 else 0.02
    assert ours.grad is not None
    assert theirs.grad is not None
    for found, wanted in ((out.detach(), expected.detach()), (ours.grad, theirs.grad)):
        torch.testing.assert_close(found.double(), wanted, rtol=tolerance, atol=tolerance * float(wanted.abs().max()))


def attended(
    qkv: Tensor, cos: Tensor, sin: Tensor, families: list[tuple[int, ...]], heads: int, groups: int
) -> Tensor:
    """The same in plain torch, with a mask over all tokens."""
    number = [(f, d) for f, family in enumerate(families) for d, length in enumerate(family) for _ in range(length)]
    sees = torch.tensor([[a[0] == b[0] and b[1] in (0, a[1]) for b in number] for a in number]).tril()
    x = qkv.unflatten(-1, (heads + 2 * groups, -1))
    qk, v = rotation(x[:, : heads + groups], cos, sin), x[:, heads + groups :]
    k, v = (each.repeat_interleave(heads // groups, dim=1) for each in (qk[:, heads:], v))
    scores = torch.einsum("ihd,jhd->hij", qk[:, :heads], k) / k.shape[-1] ** 0.5
    return torch.einsum("hij,jhd->ihd", scores.masked_fill(~sees, -torch.inf).softmax(-1), v).flatten(1)


def test_long_documents_are_left_to_torch() -> None:
    qkv, angles = torch.randn(LONGEST + 1, 3 * 16), torch.rand(LONGEST + 1, 1, 8)
    families = Families.of([(LONGEST + 1,)])
    assert gradients.packed_attention(qkv, angles.cos(), angles.sin(), families, 1, 1) is None


def test_a_frozen_weight_gets_none() -> None:
    x, weight = torch.randn(3, 8, requires_grad=True), torch.randn(6, 4)
    gradients.gated_product(x, weight).sum().backward()
    gradients.rms_norm(x, torch.ones(8), 1e-5).sum().backward()
    assert x.grad is not None
    assert weight.grad is None


@pytest.mark.parametrize("words", [5, 97, 160])
@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_slopes_of_logits_are_those_of_autograd(words: int, entropy: bool, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (4 * torch.randn(30, words, generator=generator)).to(dtype)
    labels = torch.randint(words, (30,), generator=generator)
    logits[3, labels[3]] += 40  # as sure as can be: the slope there is next to nothing
    wide = logits.double().requires_grad_()
    logs = wide.logsumexp(-1)
    p = (wide - logs[:, None]).exp()
    entropies = -(p * (wide - logs[:, None])).sum(-1)
    of_label, of_all, of_entropy = torch.randn(3, 30, generator=generator)
    of_all[3] = -of_label[3]
    of_entropy = of_entropy * entropy
    own = wide.gather(-1, labels[:, None]).squeeze(-1)
    (own * of_label + logs * of_all + entropies * of_entropy).sum().backward()
    found_logs, found_entropies = logs_of(logits, entropy)
    torch.testing.assert_close(found_logs.double(), logs, rtol=1e-5, atol=1e-5)
    more = (found_entropies, of_entropy) if entropy else (None, None)
    if found_entropies is not None:
        torch.testing.assert_close(found_entropies.double(), entropies, rtol=1e-4, atol=1e-5)
    found = slopes_of(logits.clone(), labels, found_logs, of_label, of_all, *more)
    assert wide.grad is not None
    tolerance = 1e-5 if dtype is torch.float32 else 0.005
    torch.testing.assert_close(found.double(), wide.grad, rtol=tolerance, atol=1e-5)
    assert abs(found[3, labels[3]]) < 1e-5 + abs(wide.grad[3, labels[3]])
