"""A quantised folder as a source of full-precision weights, for export and for running it dequantised."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from phiforge.kernels import formats
from phiforge.model.checkpoint import WEIGHTS, published
from phiforge.model.quantized import QuantizedEmbedding, QuantizedLinear
from phiforge.model.quantized_files import load


class QuantizedFolder:
    """The weights of a quantised folder, dequantised to fp32: a TensorSource. A tied output layer is not listed: what it
    multiplies by is the embedding at fewer bits. Raises CheckpointError like `load`."""

    mapped = False

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.file = Path(folder) / WEIGHTS
        model = load(folder)
        self._modules: dict[str, nn.Module] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for name, module in model.named_modules():
            weight = getattr(module, "weight", None)
            if not isinstance(weight, Tensor) or (name == "lm_head" and model.config.tied_embeddings):
                continue
            self._modules[published(f"{name}.weight")] = module
            shape = (module.n, module.k) if isinstance(module, QuantizedLinear) else tuple(weight.shape)
            self.shapes[published(f"{name}.weight")] = shape
        self.dtypes = dict.fromkeys(self.shapes, torch.float32)

    def read(self, name: str, rows: slice = slice(None)) -> Tensor:
        module = self._modules[name]
        if isinstance(module, QuantizedLinear):
            return formats.dequantize(module.packed, rows)
        weight = (
            module.get_buffer("weight") if isinstance(module, QuantizedEmbedding) else module.get_parameter("weight")
        )
        if isinstance(module, QuantizedEmbedding) and module.scales is not None:
            return weight[rows] * module.scales[rows, None]
        return weight[rows].float()

    def where(self, name: str) -> str:
        return str(self.file)
