"""A model's weights with an adapter's updates added as they are read."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from phiforge.model.checkpoint import CheckpointError, TensorSource
from phiforge.model.config import ModelConfig
from phiforge.model.lora import targets
from phiforge.model.peft import WEIGHTS, load_adapter


class Updated:
    """The weights of `base` with the adapter in `folder` merged in, fp32: a TensorSource. Raises CheckpointError for an adapter
    that does not fit, and for one with DoRA's magnitudes."""

    mapped = False

    def __init__(self, base: TensorSource, config: ModelConfig, folder: str | os.PathLike[str]) -> None:
        self._base, self.shapes = base, base.shapes
        self.dtypes = dict.fromkeys(base.shapes, torch.float32)
        self._file = Path(folder) / WEIGHTS
        adapter = load_adapter(folder, config)
        if any(update.magnitude is not None for update in adapter.updates.values()):
            raise CheckpointError(
                f"{self._file}: has DoRA's magnitudes, which are not added as weights are read; merge it first"
            )
        self._updates: dict[str, tuple[Tensor, Tensor]] = {}
        for layer in range(config.n_layers):
            for name, target in targets(config).items():
                update = adapter.updates.get(f"layers.{layer}.{target.module}")
                if update is not None:
                    b = (update.b * update.factor())[target.start : target.end]
                    self._updates[f"model.layers.{layer}.{name}.weight"] = update.a, b

    def read(self, name: str, rows: slice = slice(None)) -> Tensor:
        weight = self._base.read(name, rows).float()
        if name not in self._updates:
            return weight
        a, b = self._updates[name]
        return weight + b[rows] @ a

    def where(self, name: str) -> str:
        return f"{self._base.where(name)}, with {self._file}"
