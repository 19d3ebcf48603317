"""Products beside an update: the gradients are those that autograd finds, and int8 is near them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phiforge.train import frozen
from phiforge.train.frozen import Rounded, adapted, round_rows


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs(dtype: torch.dtype) -> list[Tensor]:
    """x, the weight, a and b."""
    return [drawn(*shape, seed=i).to(dtype) for i, shape in enumerate([(5, 10, 64), (24, 64), (4, 64), (24, 4)])]


def learnt(weight: Tensor | Rounded, x: Tensor, a: Tensor, b: Tensor) -> list[Tensor]:
    given = [each.clone().requires_grad_() for each in (x, a, b)]
    y = adapted(given[0], weight, *given[1:])
    y.backward(drawn(*y.shape, seed=4).to(y.dtype))
    return [y.detach(), *(each.grad for each in given if each.grad is not None)]


def test_plain_weights_are_exact() -> None:
    x, weight, a, b = inputs(torch.float64)
    given = [each.clone().requires_grad_() for each in (x, a, b)]
    y = given[0] @ weight.T + given[0] @ given[1].T @ given[2].T
    y.backward(drawn(*y.shape, seed=4).to(y.dtype))
    expected = [y.detach(), *(each.grad for each in given if each.grad is not None)]
    found = learnt(weight, x, a, b)
    assert len(found) == len(expected) == 4
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_int8_is_near() -> None:
    x, weight, a, b = inputs(torch.bfloat16)
    exact = learnt(weight.double(), x.double(), a.double(), b.double())
    for ours, theirs in zip(learnt(Rounded(weight), x, a, b), exact, strict=True):
        error = (ours.double() - theirs).norm() / theirs.norm()
        assert error < 0.015  # of three roundings, 1/127 and two of bf16 at the most


@pytest.mark.parametrize("shape", [(3, 7), (40, 130), (1, 576)])
def test_rounding_is_that_of_torch(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    x = drawn(*shape).bfloat16()
    x[0] = 0
    found = round_rows(x)
    monkeypatch.setattr(frozen, "kernel", lambda *_: None)
    plain = round_rows(x)
    assert torch.equal(found[0], plain[0])
    torch.testing.assert_close(found[1], plain[1])


def test_the_way_back_from_int8_is_that_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, out = (drawn(*shape).bfloat16() for shape in ((20, 48), (34, 48), (20, 34)))
    found = frozen._add_rounded(x, *round_rows(weight), out.clone())
    monkeypatch.setattr(frozen, "kernel", lambda *_: None)
    torch.testing.assert_close(found, frozen._add_rounded(x, *round_rows(weight), out.clone()), rtol=0.02, atol=0.05)
