"""Low-rank adapters in training: the network's weights stay, and a small update beside each linear layer is learnt."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from phiforge.model.lora import Adapter, LowRank, check
from phiforge.model.phi3 import Linear, Phi3


class Adapted(nn.Module):
    """x W^T + x a^T (b factor)^T, of which a and b are learnt."""

    factor: Tensor

    def __init__(self, base: Linear, update: LowRank) -> None:
        super().__init__()
        self.base = base
        self.a, self.b = nn.Parameter(update.a.clone()), nn.Parameter(update.b.clone())
        self.register_buffer("factor", update.factor(), persistent=False)
        self.blocks = update.blocks

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + F.linear(F.linear(x, self.a), (self.b * self.factor).to(x.dtype))

    def update(self) -> LowRank:
        return LowRank(self.a.detach().clone(), self.b.detach().clone(), self.blocks)


def attach(model: Phi3, adapter: Adapter) -> Phi3:
    """Freeze the network and put the adapter's updates beside its layers, in place. Raises ValueError where they don't fit."""
    check(model.config, adapter)
    model.requires_grad_(False)
    for name, update in adapter.updates.items():
        layer = model.get_submodule(name)
        if not isinstance(layer, Linear):
            raise ValueError(f"{name} is a {type(layer).__name__}; only plain weights take an update in training")
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


def _replace(model: Phi3, name: str, module: nn.Module) -> None:
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, module)
