"""Optimisers and schedules: AdamW or Muon for matrices, no decay on norms, and how the learning rate moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from msgspec import Struct
from torch import Tensor, nn

from phiforge.kernels import adamw
from phiforge.train import distributed
from phiforge.train.limits import BelowOne, NotNegative, Positive, Share

Schedule = Literal["constant", "linear", "cosine", "wsd"]


class Optimizer(Struct, frozen=True, forbid_unknown_fields=True):
    """How weights move. `warmup` and `decay` are shares of all steps; `floor` is the share of `lr` the schedule ends at."""

    lr: Positive = 3e-4
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.95)
    eps: Positive = 1e-8
    weight_decay: NotNegative = 0.1
    clip: NotNegative = 1.0  # of the gradient's norm; 0 clips nothing
    schedule: Schedule = "cosine"
    warmup: Share = 0.02
    decay: Share = 0.2  # of wsd: the last share of the steps
    floor: Share = 0.1
    muon: bool = False  # for the matrices of the layers (Jordan et al. 2024); all else stays with AdamW


def share(settings: Optimizer, step: int, steps: int) -> float:
    """By what the learning rate is multiplied at `step`, counted from 0, of `steps`."""
    warm = round(settings.warmup * steps)
    if step < warm:
        return (step + 1) / warm
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "wsd":
        start = steps - round(settings.decay * steps)
        if step < start:
            return 1.0
        return 1 - (1 - settings.floor) * (step - start + 1) / max(1, steps - start)
    done = (step - warm) / max(1, steps - warm - 1)
    if settings.schedule == "linear":
        return 1 - (1 - settings.floor) * done
    return settings.floor + (1 - settings.floor) * (1 + math.cos(math.pi * done)) / 2


class NarrowAdamW(torch.optim.Optimizer):
    """AdamW of bf16 weights, with bf16 moments (`kernels/adamw.py`)."""

    def __init__(self, groups: list[dict[str, Any]], **how: Any) -> None:
        super().__init__(groups, how)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        chance: dict[int, Tensor] = {}  # by steps
        for group in self.param_groups:
            how = {key: group[key] for key in ("lr", "betas", "eps", "weight_decay")}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state |= {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                    state["step"] = torch.zeros(())
                state["step"] += 1
                step = int(state["step"])
                if step not in chance:
                    chance[step] = adamw.chances(step).to(parameter.device)
                moments = distributed.own(state["exp_avg"]), distributed.own(state["exp_avg_sq"])
                gradient = distributed.own(parameter.grad).contiguous()
                adamw.move(distributed.own(parameter), *moments, gradient, chance[step], step, **how)


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal by five Newton-Schulz steps (Jordan et al. 2024), in the weights' own precision.

    Updates are scaled to the size that AdamW's have, so that both can share a learning rate (Liu et al. 2025). Of weights that
    are spread over processes, each process makes every so-many-th whole matrix orthogonal, and all get their parts of it.
    """

    def __init__(self, parameters: list[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            moving = [parameter for parameter in group["params"] if parameter.grad is not None]
            for first in range(0, len(moving), distributed.size()):
                some = moving[first : first + distributed.size()]
                directions = [self._direction(parameter, group["momentum"]) for parameter in some]
                for parameter, update in zip(some, orthogonals(directions), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(parameter.shape)))

    def _direction(self, parameter: nn.Parameter, share: float) -> Tensor:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        momentum = state.setdefault("momentum", torch.zeros_like(gradient))
        momentum.lerp_(gradient, 1 - share)
        return gradient.lerp(momentum, share)


def orthogonals(matrices: list[Tensor]) -> list[Tensor]:
    """`orthogonal` of each: at most as many as there are processes, each of which takes one."""
    whole = [distributed.whole(matrix) for matrix in matrices]
    mine = distributed.rank()
    found = [orthogonal(x).contiguous() if i == mine else torch.empty_like(x) for i, x in enumerate(whole)]
    return [
        distributed.part_of(distributed.broadcast(x, i), matrix)
        for i, (x, matrix) in enumerate(zip(found, matrices, strict=True))
    ]


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """About U V^T of a matrix U S V^T [m, n]: singular values between 0.7 and 1.2."""
    x = matrix / matrix.norm().clamp_min(1e-7)
    if wide := x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if wide else x


class Moved:
    """The optimisers of a network's trained weights, by name, stepped as one."""

    def __init__(self, trained: Mapping[str, nn.Parameter], settings: Optimizer) -> None:
        self.settings, self.trained = settings, dict(trained)
        matrices, decayed, plain = list[nn.Parameter](), list[nn.Parameter](), list[nn.Parameter]()
        for name, parameter in trained.items():
            if settings.muon and parameter.ndim == 2 and "layers." in name:
                matrices.append(parameter)
            else:
                (decayed if parameter.ndim > 1 else plain).append(parameter)
        how: dict[str, Any] = {"lr": settings.lr, "betas": settings.betas, "eps": settings.eps}
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        narrow = any(parameter.dtype is torch.bfloat16 for parameter in trained.values())
        if narrow and matrices:
            raise ValueError("Muon moves weights of float32")
        self.optimizers: list[torch.optim.Optimizer] = []
        if groups:
            self.optimizers = [NarrowAdamW(groups, **how) if narrow else torch.optim.AdamW(groups, fused=True, **how)]
        if matrices:
            self.optimizers.append(Muon(matrices, settings.lr, settings.weight_decay))

    def clip(self) -> float:
        """Shorten the gradient to the limit. Returns its norm before that, of all processes' parts."""
        norm = nn.utils.clip_grad_norm_(list(self.trained.values()), self.settings.clip or math.inf)
        return float(distributed.whole(norm))

    def step(self, step: int, steps: int) -> float:
        """Move the weights and clear the gradients. Returns the learning rate."""
        lr = self.settings.lr * share(self.settings, step, steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return lr

    def state(self) -> dict[str, Tensor]:
        """What the optimisers remember of each weight: "weight's name.what"."""
        names: dict[Tensor, str] = {parameter: name for name, parameter in self.trained.items()}
        return {
            f"{names[parameter]}.{key}": value
            for optimizer in self.optimizers
            for parameter, of_it in optimizer.state.items()
            for key, value in of_it.items()
        }

    @torch.no_grad()
    def expect(self, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
        """Empty memories of these names and shapes, put in their places to be filled."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    optimizer.state[parameter] = {}
        owners = {
            p: optimizer for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]
        }
        for full, shape in shapes.items():
            name, _, key = full.rpartition(".")
            parameter = self.trained[name]
            like = shape == parameter.shape
            owners[parameter].state[parameter][key] = torch.zeros_like(parameter) if like else torch.zeros(shape)
        return self.state()
