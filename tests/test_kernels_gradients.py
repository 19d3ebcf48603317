"""The gradients that are written out are those that autograd finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels import gradients


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


def test_a_frozen_weight_gets_none() -> None:
    x, weight = torch.randn(3, 8, requires_grad=True), torch.randn(6, 4)
    gradients.gated_product(x, weight).sum().backward()
    gradients.rms_norm(x, torch.ones(8), 1e-5).sum().backward()
    assert x.grad is not None
    assert weight.grad is None
