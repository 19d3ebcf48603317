"""Low-rank adapters in training: the network's weights stay, and a small update beside each linear layer is learnt; by DoRA
(Liu et al. 2024) the magnitude of each of its rows as well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from phiforge.model.lora import Adapter, LowRank, check
from phiforge.model.phi3 import Linear, Phi3
from phiforge.train.switchback import Rounded, Switched


class Adapted(nn.Module):
    """x W^T + x a^T (b factor)^T, of which a and b are learnt; with a magnitude, each output times gain = magnitude / the norm
    of its row of W + (b factor) a. As in the paper (§4.3), no gradient flows through that norm."""

    factor: Tensor
    covered: Tensor

    base: Linear | Switched

    def __init__(self, base: Linear, update: LowRank) -> None:
        super().__init__()
        self.base = base
        self.a, self.b = nn.Parameter(update.a.clone()), nn.Parameter(update.b.clone())
        self.magnitude = None if update.magnitude is None else nn.Parameter(update.magnitude.clone())
        self.register_buffer("factor", update.factor(), persistent=False)
        self.register_buffer("covered", update.covered(), persistent=False)
        self.blocks = update.blocks

    def forward(self, x: Tensor) -> Tensor:
        weight = self.base.rounded if isinstance(self.base, Switched) else self.base.weight
        y = adapted(x, weight, self.a.to(x.dtype), (self.b * self.factor).to(x.dtype))
        gain = self.gain()
        return y if gain is None else y * gain.to(x.dtype)

    def gain(self) -> Tensor | None:
        """fp32 [d_out]; 1 for rows outside the update's blocks."""
        if self.magnitude is None:
            return None
        with torch.no_grad():
            whole = self.base.weight.float() + (self.b * self.factor).float() @ self.a.float()
            norm = torch.linalg.vector_norm(whole, dim=1)
        return torch.where(self.covered, self.magnitude.float() / norm, 1.0)

    def merged(self) -> Tensor:
        """The weight that does the same, [d_out, d_in]."""
        whole, gain = self.base.weight + (self.b * self.factor) @ self.a, self.gain()
        return whole if gain is None else whole * gain[:, None]

    def update(self) -> LowRank:
        magnitude = None if self.magnitude is None else self.magnitude.detach().clone()
        return LowRank(self.a.detach().clone(), self.b.detach().clone(), self.blocks, magnitude)


def adapted(x: Tensor, weight: Tensor | Rounded, a: Tensor, b: Tensor) -> Tensor:
    """x W^T + (x a^T) b^T, [..., k] -> [..., n], with gradients for x, a and b."""
    return _Adapted.apply(x.flatten(0, -2), weight, a, b).view(*x.shape[:-1], len(b))


class _Adapted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | Rounded, a: Tensor, b: Tensor) -> Tensor:
        low = x @ a.T
        ctx.weight = weight
        ctx.save_for_backward(x, low, a, b)
        return weight.forward(x, low @ b.T) if isinstance(weight, Rounded) else (x @ weight.T).addmm_(low, b.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, low, a, b = ctx.saved_tensors
        slope, weight = slope.contiguous(), ctx.weight
        steep = slope @ b
        of_x = None
        if ctx.needs_input_grad[0]:
            rounded = isinstance(weight, Rounded)
            of_x = weight.backward(slope, steep @ a) if rounded else (slope @ weight).addmm_(steep, a)
        return of_x, None, steep.T @ x, slope.T @ low


def attach(model: Phi3, adapter: Adapter, *, dora: bool = False) -> Phi3:
    """Freeze the network and put the adapter's updates beside its layers, in place. `dora` learns magnitudes, too, which begin as
    those of the rows as they are, where the adapter has none yet. Raises ValueError where it does not fit."""
    check(model.config, adapter)
    model.requires_grad_(False)
    for name, update in adapter.updates.items():
        layer = model.get_submodule(name)
        if not isinstance(layer, Linear):
            raise ValueError(f"{name} is a {type(layer).__name__}; only plain weights take an update in training")
        if dora and update.magnitude is None:
            whole = layer.weight.detach().float() + (update.b * update.factor()) @ update.a
            update = replace(update, magnitude=torch.linalg.vector_norm(whole, dim=1))
        _replace(model, name, Adapted(layer, update))
    return model


def detach(model: Phi3, adapter: Adapter) -> Adapter:
    """Take the updates off again: the adapter as it has been learnt, and the network as it was."""
    learnt: dict[str, LowRank] = {}
    for name in adapter.updates:
        found = model.get_submodule(name)
        if not isinstance(found, Adapted):
            raise ValueError(f"{name} carries no update")
        learnt[name] = found.update()
        _replace(model, name, found.base)
    return Adapter(adapter.rank, adapter.alpha, adapter.rslora, learnt)


def _replace(model: Phi3, name: str, module: nn.Module) -> None:
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, module)
