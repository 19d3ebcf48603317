"""A step of AdamW on weights that are bf16 themselves, with moments that are.

Most steps are below what bf16 can tell apart. So they are computed in fp32 and stored by chance, up or down, such that the mean
is exact: nothing is lost (stochastic rounding; Zamirai et al. 2020, arXiv:2010.06192). On CPUs by a kernel (training.cpp).
"""

from __future__ import annotations

import torch
from torch import Tensor

from phiforge.kernels.native import integer, kernel, pointer, real64

CHANCES = 1 << 20  # as many weights have one of their own; so many apart they share it


def chances(step: int) -> Tensor:
    """What decides at that step: int32 [CHANCES], 16 bits each. The same for the same step, so that whoever goes on makes the
    same weights."""
    drawn = torch.Generator().manual_seed(step)
    return torch.randint(1 << 16, (CHANCES,), dtype=torch.int32, generator=drawn)


def move(
    weight: Tensor, mean: Tensor, square: Tensor, gradient: Tensor, chance: Tensor, step: int, *, lr: float,
    betas: tuple[float, float], eps: float, weight_decay: float,
) -> None:  # fmt: skip
    """Step number `step`, from 1, in place: weight, its moments and its gradient are bf16 of any one shape, contiguous."""
    fast, slow = betas
    shrink, rate, spread = 1 - lr * weight_decay, lr / (1 - fast**step), (1 - slow**step) ** -0.5
    flat = [x.view(-1) for x in (weight, mean, square, gradient)]
    run = kernel("narrow_adamw", *[pointer] * 5, integer, *[real64] * 6, integer)
    if run and weight.is_cpu:
        places = (x.data_ptr() for x in (*flat, chance))
        run(*places, weight.numel(), fast, slow, shrink, rate, spread, eps, torch.get_num_threads())
        return
    for kept in zip(*(x.split(CHANCES) for x in flat), strict=True):  # pieces, so that little is fp32 at a time
        w, m, v, g = (x.float() for x in kept)
        m.lerp_(g, 1 - fast)
        v.mul_(slow).addcmul_(g, g, value=1 - slow)
        w.mul_(shrink).addcdiv_(m, v.sqrt().mul_(spread).add_(eps), value=-rate)
        for narrow, exact in zip(kept, (w, m, v), strict=False):
            # The upper half of a float is the bf16 before it; what is added to the lower half carries over by chance.
            up = exact.view(torch.int32).add_(chance[: len(exact)]).bitwise_and_(-1 << 16)
            narrow.copy_(up.view(torch.float32))
