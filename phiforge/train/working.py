"""The network as the loop works with it: itself, or a copy in another precision, or one that is spread over processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.utils.checkpoint import checkpoint

from phiforge.model.phi3 import Phi3
from phiforge.train import distributed
from phiforge.train.precision import Recast, fastest, working_copy
from phiforge.train.switchback import Switched, switch


class Working:
    """`network` is what a stage's loss is taken of, `trained` the weights by name, or this process' parts of them, which
    gradients come to and the optimiser moves: all fp32, or all bf16."""

    def __init__(self, model: Phi3, dtype: torch.dtype, recompute: bool) -> None:
        self._model = model
        dtypes = {p.dtype for p in model.parameters()}
        moving = {p.dtype for p in model.parameters() if p.requires_grad}
        if moving not in ({torch.float32}, {torch.bfloat16}):
            said = ", ".join(sorted(str(each).removeprefix("torch.") for each in moving))
            raise ValueError(f"weights of {said or 'none'} are to be trained: all must be float32, or all bfloat16")
        self._recast: Recast | None = None
        self._switched: list[Switched] = []
        self.device = model.embed_tokens.weight.device
        if dtype is torch.int8 and (distributed.size() > 1 or self.device.type != "cpu"):
            raise ValueError("int8 is for one process on a CPU: choose another precision")
        if distributed.size() > 1:
            if torch.cuda.is_available():
                self.device = torch.device("cuda", torch.cuda.current_device())
            self.network = working_copy(model)
        else:
            rounded = dtype is torch.int8
            beside = fastest(self.device, model.config) if rounded else dtype  # what is not the layers' products
            if dtypes != {torch.float32} or beside != torch.float32:
                self._recast = Recast(model, beside, briefly=recompute and not rounded, rounded=rounded)
                self.network = self._recast.network
            else:
                self.network = working_copy(model) if rounded or recompute else model
            if rounded:
                self._switched = switch(self.network)
        if recompute:
            for layer in self.network.layers:
                layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
        if distributed.size() > 1:
            distributed.shard(self.network, dtype, self.device)
        source = self.network if distributed.size() > 1 else model
        self.trained = {name: p for name, p in source.named_parameters() if p.requires_grad}

    def moved(self) -> None:
        """The weights have been moved: take that over."""
        if self._recast:
            self._recast.refresh()
        for layer in self._switched:
            layer.refresh()

    def measured(self) -> None:
        """A pass without a backward has left whole weights behind."""
        if isinstance(self.network, FSDPModule):
            self.network.reshard()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """The network that is trained has its weights meanwhile, though each process holds only a part of them."""
        if not isinstance(self.network, FSDPModule):
            yield
            return
        _give_back(self.network, self._model)
        yield
        _empty(self._model)


@contextmanager
def working(
    model: Phi3, dtype: torch.dtype, recompute: bool, final: tuple[type[BaseException], ...]
) -> Iterator[Working]:
    """A network to work with, in `dtype`; `recompute` keeps only what goes into each layer and computes the rest again in the
    backward. `model` has the weights afterwards, also when what ends it is `final`, which happens in all processes alike.

    While the network is spread over processes, `model` itself has no weights.
    """
    work = Working(model, dtype, recompute)
    work.network.train()
    if work.network is model or distributed.size() == 1:
        yield work
        return
    _empty(model)
    try:
        yield work
    except final:
        _give_back(work.network, model)
        raise
    _give_back(work.network, model)


def _empty(model: Phi3) -> None:
    for parameter in model.parameters():
        parameter.data = parameter.data.new_empty(0)


@torch.no_grad()
def _give_back(network: nn.Module, model: Phi3) -> None:
    if isinstance(network, FSDPModule):
        network.reshard()
    found = dict[str, Tensor](network.named_parameters())
    for name, parameter in model.named_parameters():
        parameter.data = distributed.whole(found[name].detach()).to(parameter.device)
