"""Low-rank adapters in training: the network's weights stay, and a small update beside each linear layer is learnt; by DoRA
(Liu et al. 2024) the magnitude of each of its rows as well."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from phiforge.model.lora import Adapter, LowRank, check
from phiforge.model.phi3 import Linear, Phi3
from phiforge.train.frozen import Rounded, adapted


class Adapted(nn.Module):
    """x W^T + x a^T (b factor)^T, of which a and b are learnt; with a magnitude, each output times gain = magnitude / the norm
    of its row of W + (b factor) a. As in the paper (§4.3), no gradient flows through that norm."""

    factor: Tensor
    covered: Tensor

    def __init__(self, base: Linear, update: LowRank) -> None:
        super().__init__()
        self.base = base
        self.a, self.b = nn.Parameter(update.a.clone()), nn.Parameter(update.b.clone())
        self.magnitude = None if update.magnitude is None else nn.Parameter(update.magnitude.clone())
        self.register_buffer("factor", update.factor(), persistent=False)
        self.register_buffer("covered", update.covered(), persistent=False)
        self.blocks = update.blocks
        self.rounded: Rounded | None = None  # what takes part in products, where the network works in int8

    def forward(self, x: Tensor) -> Tensor:
        y = adapted(x, self.rounded or self.base.weight, self.a, (self.b * self.factor).to(x.dtype))
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
        adapted = model.get_submodule(name)
        if not isinstance(adapted, Adapted):
            raise ValueError(f"{name} carries no update")
        learnt[name] = adapted.update()
        _replace(model, name, adapted.base)
    return Adapter(adapter.rank, adapter.alpha, adapter.rslora, learnt)


def round_frozen(network: Phi3) -> None:
    """Let the frozen weights of a bf16 network with updates take part in products as int8. Raises ValueError without updates."""
    layers = [module for module in network.modules() if isinstance(module, Adapted)]
    if not layers:
        raise ValueError("int8 is for weights that stay: give the stage a lora, or another precision")
    for layer in layers:
        layer.rounded = Rounded(layer.base.weight.detach())


def _replace(model: Phi3, name: str, module: nn.Module) -> None:
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, module)
