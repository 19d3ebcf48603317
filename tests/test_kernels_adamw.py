"""AdamW on bf16 weights: the kernel and torch alike, and in the mean what AdamW of fp32 does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phiforge.kernels import adamw
from phiforge.kernels.adamw import chances, move
from phiforge.kernels.native import kernel
from phiforge.train.optim import NarrowAdamW

HOW = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}


def moved(n: int, steps: int) -> list[Tensor]:
    """Weight, moments and gradient of so many weights after so many steps."""
    drawn = torch.Generator().manual_seed(0)
    weight = torch.randn(n, generator=drawn).bfloat16()
    state = [weight, torch.zeros_like(weight), torch.zeros_like(weight), torch.zeros_like(weight)]
    for step in range(1, steps + 1):
        state[3] = torch.randn(n, generator=drawn).bfloat16()
        move(*state, chances(step), step, **HOW)
    return state


@pytest.mark.skipif(kernel("narrow_adamw") is None, reason="no kernels here")
@pytest.mark.parametrize("n", [1, 77, adamw.CHANCES + 5])
def test_kernel_and_torch_are_alike(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """Their sums differ in the last bit of fp32, by which one in some thousands carries over and the other does not."""
    ours = moved(n, 3)
    monkeypatch.setattr(adamw, "kernel", lambda *_: None)
    for a, b in zip(ours, moved(n, 3), strict=True):
        torch.testing.assert_close(a, b, rtol=2**-6, atol=1e-6)
        assert (a != b).sum() <= max(1, n // 200)


@pytest.mark.parametrize("by", ["kernel", "torch"])
def test_steps_that_bf16_cannot_tell_apart_are_kept_in_the_mean(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """Weights of 1, of which the next ones are 1/256 below: thirty steps of 1e-4 move none of torch's, and ours by 3e-3 in the
    mean, within five standard errors."""
    if by == "torch":
        monkeypatch.setattr(adamw, "kernel", lambda *_: None)
    how = HOW | {"lr": 1e-4, "weight_decay": 0.0}
    ours, theirs = (torch.nn.Parameter(torch.ones(100_000, dtype=torch.bfloat16)) for _ in range(2))
    steps = NarrowAdamW([{"params": [ours]}], **how), torch.optim.AdamW([theirs], **how)
    for _ in range(30):
        for weight, optimizer in zip((ours, theirs), steps, strict=True):
            weight.grad = torch.ones_like(weight)
            optimizer.step()
    assert torch.equal(theirs, torch.ones_like(theirs))
    gone = 1 - ours.detach().float()
    assert abs(gone.mean() - 3e-3) < 5 * gone.std() / 100_000**0.5 + 3e-6  # and what moments in bf16 are off by


def test_near_adamw_of_fp32() -> None:
    """Where steps are large, both find the same minimum."""
    wanted = torch.linspace(-2, 2, 64)
    narrow, wide = torch.nn.Parameter(torch.zeros(64, dtype=torch.bfloat16)), torch.nn.Parameter(torch.zeros(64))
    how = HOW | {"lr": 0.02, "weight_decay": 0.01}
    steps = NarrowAdamW([{"params": [narrow]}], **how), torch.optim.AdamW([wide], **how)
    for _ in range(200):
        for weight, optimizer in zip((narrow, wide), steps, strict=True):
            weight.grad = (weight.detach().float() - wanted).to(weight.dtype)
            optimizer.step()
    assert (wide - wanted).abs().max() < 0.05
    assert (narrow.float() - wide).abs().max() < 0.03
