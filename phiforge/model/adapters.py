"""Adapters on a network: any number at once, each row of a batch with its own, and one of them trainable.

For the engine: `add` what requests name, `select` who gets which before each forward pass. For a trainer: `add` with
`trainable=True`, `select` it for all rows, give `parameters()` to the optimiser, and `trained()` is the result.

    T rows (tokens) of a batch, R rank, summed over the blocks of a layer
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phiforge.kernels.formats import dequantize
from phiforge.model.lora import Adapter, LowRank, check
from phiforge.model.phi3 import Phi3
from phiforge.model.quantized import QuantizedLinear


class Selection:
    """Which rows of the coming batches use which adapter; one for all layers of a network."""

    def __init__(self) -> None:
        self.uses: list[tuple[str, slice | Tensor]] = []
        self.end = 0  # the batch has this many rows at least


class LoraLinear(nn.Module):
    """A linear layer of any kind that adds adapters' updates to its output, on the rows that were selected.

    It is not built but put on: `lora_class(kind)` is a subclass of the layer's own class, and the layer takes it for
    as long as it has adapters. So it stays the same object, its parameters keep their names, and a batch without
    adapters pays for one look at the selection.
    """

    kind: type[nn.Module]
    selection: Selection
    updates: dict[str, tuple[Tensor, Tensor]]  # by adapter: A and the scaled B
    gains: dict[str, Tensor]  # what DoRA multiplies the output by
    trained: tuple[str, Tensor] | None  # name and factor of the trainable one; lora_A and lora_B are its values
    lora_A: nn.Parameter
    lora_B: nn.Parameter

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if self.selection.uses:
            self._add(x.reshape(-1, x.shape[-1]), y.view(-1, y.shape[-1]))
        return y

    def _add(self, x: Tensor, y: Tensor) -> None:
        if len(x) < self.selection.end:
            raise IndexError(f"adapters were selected for {self.selection.end} rows, the batch has {len(x)}")
        for name, rows in self.selection.uses:
            if self.trained is not None and name == self.trained[0]:
                a, b = self.lora_A, self.lora_B * self.trained[1]
            elif name in self.updates:
                a, b = self.updates[name]
            else:
                continue  # this adapter leaves this layer alone
            # bf16 products are slow on many CPUs, and these are small.
            dtype = torch.promote_types(x.dtype, a.dtype) if x.device.type == "cpu" else x.dtype
            added = F.linear(F.linear(x[rows].to(dtype), a.to(dtype)), b.to(dtype))
            if isinstance(rows, slice):
                y[rows].add_(added)
            else:
                y.index_add_(0, rows, added.to(y.dtype))
            if name in self.gains:
                y[rows] *= self.gains[name]


@functools.cache
def lora_class(kind: type[nn.Module]) -> type[LoraLinear]:
    return type(f"Lora{kind.__name__}", (LoraLinear, kind), {"kind": kind})


def _put_on(layer: nn.Module, selection: Selection) -> LoraLinear:
    if not isinstance(layer, LoraLinear):
        layer.__class__ = lora_class(type(layer))
        assert isinstance(layer, LoraLinear)
        layer.selection, layer.updates, layer.gains, layer.trained = selection, {}, {}, None
    return layer


def _take_off(layer: LoraLinear) -> None:
    kind, plain = layer.kind, cast(nn.Module, layer)
    del layer.selection, layer.updates, layer.gains, layer.trained
    plain.__class__ = kind


def _weight(layer: nn.Module) -> Tensor:
    """What a linear layer of any kind multiplies by, [d_out, d_in]."""
    return dequantize(layer.packed) if isinstance(layer, QuantizedLinear) else cast(Tensor, layer.weight)


class Adapters:
    """The adapters of one network, by name. Layers that no adapter updates are not touched.

    A layer whose module is replaced by another object loses its adapters: replace it first, or add them again.
    """

    def __init__(self, model: Phi3) -> None:
        self.model = model
        self._held: dict[str, list[str]] = {}  # modules of each adapter
        self._selection = Selection()
        self._trainable: tuple[str, Adapter] | None = None  # and what it was when it came

    @property
    def selected(self) -> bool:
        """Whether any row of the coming batch uses an adapter."""
        return bool(self._selection.uses)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._held)

    def add(self, name: str, adapter: Adapter, *, replace: bool = False, trainable: bool = False) -> None:
        """Put a copy of an adapter on the network; nothing uses it until it is selected.

        `replace` puts it in the place of one of the same name, also while that is selected. `trainable` makes it the
        network's one adapter whose A and B are parameters (lora_A, lora_B of each layer, fp32) and takes the gradient
        from all others. Raises ValueError for one that does not fit, and for a name or a trainable place taken.
        """
        check(self.model.config, adapter)
        if name in self._held and not replace:
            raise ValueError(f"there is an adapter {name!r} already; replace or remove it")
        if trainable and self._trainable is not None and self._trainable[0] != name:
            raise ValueError(f"adapter {self._trainable[0]!r} is trainable, and only one can be; remove it first")
        if trainable and any(update.magnitude is not None for update in adapter.updates.values()):
            raise ValueError("an adapter with DoRA's magnitudes is trained by phiforge.train.lora, not here")
        layers = {module: self.model.get_submodule(module) for module in adapter.updates}
        for module, layer in layers.items():
            if isinstance(layer, LoraLinear) and layer.selection is not self._selection:
                raise ValueError(f"{module} has adapters of another Adapters object; use one for a network")
        if name in self._held:
            self._drop(name)
        if trainable:
            self.model.requires_grad_(False)
            self._trainable = (name, adapter)
        plain = self.model.norm.weight
        dtype = torch.float32 if plain.device.type == "cpu" else plain.dtype
        for module, plain_layer in layers.items():
            layer = _put_on(plain_layer, self._selection)
            update = adapter.updates[module]
            if trainable:
                layer.trained = (name, update.factor().to(plain.device))
                layer.lora_A = nn.Parameter(update.a.detach().to(plain.device, copy=True))
                layer.lora_B = nn.Parameter(update.b.detach().to(plain.device, copy=True))
            else:
                gain = update.gain(_weight(layer)) if update.magnitude is not None else None
                if gain is not None:
                    layer.gains[name] = gain.to(plain.dtype)
                layer.updates[name] = (
                    update.a.detach().to(plain.device, dtype, copy=True),
                    (update.b * update.factor()).detach().to(plain.device, dtype),
                )
        self._held[name] = list(layers)

    def remove(self, name: str) -> None:
        """Take an adapter off the network and free its memory. Raises ValueError for one that is unknown or selected."""
        if name not in self._held:
            raise ValueError(f"there is no adapter {name!r}; there are {list(self._held)}")
        if any(name == used for used, _ in self._selection.uses):
            raise ValueError(f"adapter {name!r} is selected for the coming batch; select others, or None, first")
        self._drop(name)

    def _drop(self, name: str) -> None:
        for module in self._held.pop(name):
            layer = self.model.get_submodule(module)
            if not isinstance(layer, LoraLinear):
                continue  # replaced by another object since
            layer.updates.pop(name, None)
            layer.gains.pop(name, None)
            if layer.trained is not None and layer.trained[0] == name:
                layer.trained = None
                del layer.lora_A, layer.lora_B
            if not layer.updates and layer.trained is None:
                _take_off(layer)
        if self._trainable is not None and self._trainable[0] == name:
            self._trainable = None

    def select(self, rows: str | Sequence[str | None] | Sequence[tuple[str | None, int, int]] | None) -> None:
        """Say which rows of the coming batches [T, d_model] (leading dims flattened) use which adapter, until told else.

        A name: all rows. None: no row. A list of names: one for each row, None for the base. A list of spans (name,
        start, end): those rows; the others use the base. Raises ValueError for an unknown name and overlapping spans.
        """
        spans: list[tuple[str | None, int, int]] = []
        if rows is not None and not isinstance(rows, str):
            spans = [row if isinstance(row, tuple) else (row, i, i + 1) for i, row in enumerate(rows)]
            spans = sorted((span for span in spans if span[1] != span[2]), key=lambda span: span[1])
        at = 0
        runs: dict[str, list[tuple[int, int]]] = {}
        for name, start, end in spans:
            if not at <= start < end:
                raise ValueError(f"rows {start} to {end} of adapter {name!r} are no span, or overlap the one before")
            at = end
            if name is None:
                continue
            mine = runs.setdefault(name, [])
            if mine and mine[-1][1] == start:
                mine[-1] = (mine[-1][0], end)
            else:
                mine.append((start, end))
        unknown = ({rows} if isinstance(rows, str) else runs.keys()) - self._held.keys()
        if unknown:
            raise ValueError(f"there is no adapter {min(unknown)!r}; there are {list(self._held)}")
        uses: list[tuple[str, slice | Tensor]] = [(rows, slice(None))] if isinstance(rows, str) else []
        for name, mine in runs.items():
            if len(mine) == 1:
                uses.append((name, slice(*mine[0])))
            else:
                scattered = torch.cat([torch.arange(*run) for run in mine])
                uses.append((name, scattered.to(self.model.norm.weight.device)))
        self._selection.uses, self._selection.end = uses, at

    def parameters(self) -> list[nn.Parameter]:
        """The parameters of the trainable adapter, layer by layer; none without one."""
        return [parameter for _, layer in self._training() for parameter in (layer.lora_A, layer.lora_B)]

    def trained(self) -> Adapter:
        """A copy of the trainable adapter as it stands, to save or to add to another network."""
        if self._trainable is None:
            raise ValueError("no adapter is trainable; add one with trainable=True")
        _, source = self._trainable
        updates = {
            module: LowRank(
                layer.lora_A.detach().clone(), layer.lora_B.detach().clone(), source.updates[module].blocks
            )
            for module, layer in self._training()
        }
        return Adapter(source.rank, source.alpha, source.rslora, updates)

    @contextmanager
    def base_only(self) -> Iterator[Phi3]:
        """The network with the names of its own parameters only, as `checkpoint.save` wants it: those of the trainable
        adapter are out of sight meanwhile. Adapters that are not trainable never show."""
        hidden = [(layer, key, getattr(layer, key)) for _, layer in self._training() for key in ("lora_A", "lora_B")]
        for layer, key, _ in hidden:
            delattr(layer, key)
        try:
            yield self.model
        finally:
            for layer, key, parameter in hidden:
                setattr(layer, key, parameter)

    def _training(self) -> Iterator[tuple[str, LoraLinear]]:
        for module in self._held[self._trainable[0]] if self._trainable else ():
            yield module, cast(LoraLinear, self.model.get_submodule(module))
