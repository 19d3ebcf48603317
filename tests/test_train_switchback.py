"""Products by int8, and those beside an update: the gradients are those that autograd finds, or near them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Linear, Phi3
from phiforge.train import switchback
from phiforge.train.lora import adapted
from phiforge.train.switchback import Rounded, Switched, round_columns, round_rows, switch

EITHER = [torch.bfloat16, torch.float32]


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


@pytest.mark.parametrize("dtype", EITHER)
def test_int8_is_near(dtype: torch.dtype) -> None:
    x, weight, a, b = inputs(dtype)
    exact = learnt(weight.double(), x.double(), a.double(), b.double())
    for ours, theirs in zip(learnt(Rounded(weight), x, a, b), exact, strict=True):
        error = (ours.double() - theirs).norm() / theirs.norm()
        assert error < 0.015  # of three roundings, 1/127 and two of bf16 at the most


@pytest.mark.parametrize("rounded", [round_rows, round_columns])
@pytest.mark.parametrize("shape", [(3, 7), (40, 130), (300, 576), (1, 576)])
@pytest.mark.parametrize("dtype", EITHER)
def test_rounding_is_that_of_torch(
    rounded: Callable[[Tensor], tuple[Tensor, Tensor]],
    shape: tuple[int, int],
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = drawn(*shape).to(dtype)
    x[0], x[:, 1] = 0, 0
    found = rounded(x)
    monkeypatch.setattr(switchback, "kernel", lambda *_: None)
    plain = rounded(x)
    assert torch.equal(found[0], plain[0])
    torch.testing.assert_close(found[1], plain[1])


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("dtype", EITHER)
def test_the_way_back_from_int8_is_that_of_torch(
    beside: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, weight, out = (drawn(*shape).to(dtype) for shape in ((20, 48), (34, 48), (20, 34)))
    rounded = Rounded(weight)
    found = rounded.forward(x, out.clone() if beside else None)
    monkeypatch.setattr(switchback, "kernel", lambda *_: None)
    exact = dtype is torch.float32
    plain = rounded.forward(x, out.clone() if beside else None)
    torch.testing.assert_close(found, plain, rtol=1e-5 if exact else 0.02, atol=1e-5 if exact else 0.05)


@pytest.mark.parametrize("dtype", EITHER)
def test_a_weight_that_moves_has_a_gradient_by_int8(dtype: torch.dtype) -> None:
    x, weight, slope = (
        drawn(*shape, seed=i).to(dtype) for i, shape in enumerate([(4, 10, 64), (24, 64), (4, 10, 24)])
    )
    given = [each.requires_grad_() for each in (x.double(), weight.double())]
    exact = given[0] @ given[1].T
    exact.backward(slope.double())
    layer, x = Switched(torch.nn.Parameter(weight)), x.requires_grad_()
    y = layer(x)
    y.backward(slope)
    for ours, theirs in zip((y, x.grad, layer.weight.grad), (exact, given[0].grad, given[1].grad), strict=True):
        assert ours is not None
        assert theirs is not None
        assert ours.dtype is dtype
        assert (ours.double() - theirs).norm() / theirs.norm() < 0.015
    with torch.no_grad():
        layer.weight.mul_(2)
    layer.refresh()
    torch.testing.assert_close(layer(x), 2 * y, rtol=0.02, atol=0.05)


def test_all_layers_but_the_head_are_switched() -> None:
    network = Phi3(shrink(PRESETS["phi-4-mini-instruct"], n_layers=3)).init_weights().bfloat16()
    assert len(switch(network)) == 3 * 4
    assert not any(type(module) is Linear for module in network.layers.modules())
    assert type(network.lm_head) is Linear
