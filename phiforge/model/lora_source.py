"""A model's weights with an adapter's updates added as they are read."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from phiforge.model.checkpoint import TensorSource
from phiforge.model.config import ModelConfig
from phiforge.model.lora import LowRank, targets
from phiforge.model.peft import WEIGHTS, load_adapter


class Updated:
    """The weights of `base` with the adapter in `folder` merged in, fp32: a TensorSource. Raises CheckpointError for an adapter
    that does not fit."""

    mapped = False

    def __init__(self, base: TensorSource, config: ModelConfig, folder: str | os.PathLike[str]) -> None:
        self._base, self.shapes = base, base.shapes
        self.dtypes = dict.fromkeys(base.shapes, torch.float32)
        self._file = Path(folder) / WEIGHTS
        adapter = load_adapter(folder, config)
        self._updates: dict[str, LowRank] = {}
        for layer in range(config.n_layers):
            for name, target in targets(config).items():
                update = adapter.updates.get(f"layers.{layer}.{target.module}")
                if update is not None:
                    self._updates[f"model.layers.{layer}.{name}.weight"] = update.rows(target.start, target.end)

    def read(self, name: str, rows: slice = slice(None)) -> Tensor:
        weight = self._base.read(name, rows)
        if name not in self._updates:
            return weight.float()
        start, end, _ = rows.indices(self.shapes[name][0])
        return self._updates[name].rows(start, end).merged(weight)

    def where(self, name: str) -> str:
        return f"{self._base.where(name)}, with {self._file}"
