"""Optimisers and schedules: AdamW or Muon for matrices, no decay on norms, and how the learning rate moves."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from msgspec import Struct
from torch import Tensor, nn

Schedule = Literal["constant", "linear", "cosine", "wsd"]


class Optimizer(Struct, frozen=True, forbid_unknown_fields=True):
    """How weights move. `warmup` and `decay` are shares of all steps; `floor` is the share of `lr` the schedule ends at."""

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    clip: float = 1.0  # of the gradient's norm; 0 clips nothing
    schedule: Schedule = "cosine"
    warmup: float = 0.02
    decay: float = 0.2  # of wsd: the last share of the steps
    floor: float = 0.1
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


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal by five Newton-Schulz steps (Jordan et al. 2024), in the weights' own precision.

    Updates are scaled to the size that AdamW's have, so that both can share a learning rate (Liu et al. 2025).
    """

    def __init__(self, parameters: list[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                state = self.state[parameter]
                momentum = state.setdefault("momentum", torch.zeros_like(gradient))
                momentum.lerp_(gradient, 1 - group["momentum"])
                update = orthogonal(gradient.lerp(momentum, group["momentum"]))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(parameter.shape)))


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
    """The optimisers of a model's trainable weights, stepped as one."""

    def __init__(self, model: nn.Module, settings: Optimizer) -> None:
        self.settings = settings
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        matrices, decayed, plain = list[nn.Parameter](), list[nn.Parameter](), list[nn.Parameter]()
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            if settings.muon and parameter.ndim == 2 and "layers." in name:
                matrices.append(parameter)
            else:
                (decayed if parameter.ndim > 1 else plain).append(parameter)
        how: dict[str, Any] = {"lr": settings.lr, "betas": settings.betas, "eps": settings.eps, "fused": True}
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW([g for g in groups if g["params"]], **how)]
        if matrices:
            self.optimizers.append(Muon(matrices, settings.lr, settings.weight_decay))

    def clip(self) -> float:
        """Shorten the gradient to the limit. Returns its norm before that."""
        return float(nn.utils.clip_grad_norm_(self.parameters, self.settings.clip or math.inf))

    def step(self, step: int, steps: int) -> float:
        """Move the weights and clear the gradients. Returns the learning rate."""
        lr = self.settings.lr * share(self.settings, step, steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return lr

    def state_dict(self) -> list[dict[str, Any]]:
        return [optimizer.state_dict() for optimizer in self.optimizers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)
