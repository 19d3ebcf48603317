"""GGUF files as a source of weights: metadata to a config, names to the published spelling, any quantisation to fp32.

Dequantising is the `gguf` package's. What is ours is the undoing of llama.cpp's conversion: `llama` files store the rows
of Q and K in interleaved-pair order, which has to go back to rotate-half order; `phi3` files do not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from torch import Tensor

from phiforge.model.checkpoint import CheckpointError, assemble
from phiforge.model.config import ModelConfig, Rope
from phiforge.model.phi3 import Phi3

_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_qkv": "self_attn.qkv_proj",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",  # in phi3 files: gate and up, fused
    "ffn_down": "mlp.down_proj",
}
_TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_ROPE_TENSORS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")


class GGUFFile:
    """An open GGUF file of architecture llama or phi3: `config`, and a TensorSource. Raises CheckpointError."""

    mapped = False

    def __init__(self, path: str | Path, reader: GGUFReader | None = None) -> None:
        self.path = Path(path)
        try:
            self.reader = reader or GGUFReader(self.path)
        except (ValueError, IndexError, OSError) as error:
            raise CheckpointError(f"{self.path}: not a readable GGUF file, or a truncated one ({error})") from None
        self.architecture = str(self._get("general.architecture", ""))
        if self.architecture not in ("llama", "phi3"):
            raise CheckpointError(
                f"{self.path}: architecture {self.architecture!r} is not supported; supported are 'llama' and 'phi3'"
            )
        self._tensors: dict[str, Any] = {}
        self._rope: dict[str, Any] = {}
        for tensor in self.reader.tensors:
            if tensor.name in _ROPE_TENSORS:
                self._rope[tensor.name] = tensor
            else:
                self._tensors[self._published(tensor.name)] = tensor
        self.config = self._read_config()
        self.shapes = {name: tuple(int(n) for n in reversed(t.shape)) for name, t in self._tensors.items()}
        self.dtypes = dict.fromkeys(self.shapes, torch.float32)

    def _get(self, key: str, default: Any = None) -> Any:
        field = self.reader.get_field(key)
        return default if field is None else field.contents()

    def _published(self, name: str) -> str:
        stem, _, suffix = name.rpartition(".")
        if match := re.fullmatch(r"blk\.(\d+)\.(\w+)", stem):
            layer, part = match.groups()
            inner = "mlp.gate_up_proj" if self.architecture == "phi3" and part == "ffn_up" else _LAYER_NAMES.get(part)
            if inner:
                return f"model.layers.{layer}.{inner}.{suffix}"
        elif stem in _TOP_NAMES:
            return f"{_TOP_NAMES[stem]}.{suffix}"
        return name  # left for the loader to refuse by name

    def _need(self, key: str) -> Any:
        value = self._get(f"{self.architecture}.{key}")
        if value is None:
            raise CheckpointError(f"{self.path}: the metadata field {self.architecture}.{key} is missing")
        return value

    def _read_config(self) -> ModelConfig:
        d_model, n_heads = int(self._need("embedding_length")), int(self._need("attention.head_count"))
        context = int(self._need("context_length"))
        head_dim = int(self._get(f"{self.architecture}.attention.key_length", d_model // n_heads))
        original = int(self._get(f"{self.architecture}.rope.scaling.original_context_length", context))
        window = self._get(f"{self.architecture}.attention.sliding_window") or None
        if window is not None and window < context:
            raise CheckpointError(f"{self.path}: a sliding window of {window} tokens is not supported")
        eos = [self._get(f"tokenizer.ggml.{key}_token_id") for key in ("eos", "eot", "eom")]
        try:
            return ModelConfig(
                architecture="phi3" if self._rope else self.architecture,  # type: ignore[arg-type]
                vocab_size=int(self._tensors["model.embed_tokens.weight"].shape[1]),
                d_model=d_model,
                n_layers=int(self._need("block_count")),
                n_heads=n_heads,
                n_kv_heads=int(self._get(f"{self.architecture}.attention.head_count_kv", n_heads)),
                head_dim=head_dim,
                d_ff=int(self._need("feed_forward_length")),
                context=context,
                original_context=original,
                rope=self._read_rope(head_dim),
                tied_embeddings="lm_head.weight" not in self._tensors,
                norm_eps=float(np.float32(self._need("attention.layer_norm_rms_epsilon"))),
                sliding_window=window,
                dtype="float32",
                bos_id=self._get("tokenizer.ggml.bos_token_id"),
                eos_ids=tuple(dict.fromkeys(int(i) for i in eos if i is not None)),
                pad_id=self._get("tokenizer.ggml.padding_token_id"),
            )
        except KeyError as error:
            raise CheckpointError(f"{self.path}: tensor {error} is missing") from None
        except CheckpointError:
            raise
        except ValueError as error:  # the config's own checks do not know the file
            raise CheckpointError(f"{self.path}: {error}") from None

    def _read_rope(self, head_dim: int) -> Rope:
        theta = float(self._get(f"{self.architecture}.rope.freq_base", 10_000.0))
        partial = int(self._get(f"{self.architecture}.rope.dimension_count", head_dim)) / head_dim
        kind = self._get(f"{self.architecture}.rope.scaling.type", "none")
        factors = {name: tuple(map(float, tensor.data)) for name, tensor in self._rope.items()}
        if "rope_factors_long.weight" in factors:
            return Rope(
                theta,
                partial,
                "longrope",
                short_factor=factors["rope_factors_short.weight"],
                long_factor=factors["rope_factors_long.weight"],
                mscale=float(self._get(f"{self.architecture}.rope.scaling.attn_factor", 1.0)),
            )
        if "rope_freqs.weight" in factors:  # Llama 3.1's bands, already worked out: one set for every length
            same = factors["rope_freqs.weight"]
            return Rope(theta, partial, "longrope", short_factor=same, long_factor=same)
        if kind == "linear":
            return Rope(theta, partial, "linear", factor=float(self._need("rope.scaling.factor")))
        if kind in ("none", "longrope"):
            return Rope(theta, partial)
        raise CheckpointError(f"{self.path}: rope scaling {kind!r} is not supported")

    def read(self, name: str, rows: slice = slice(None)) -> Tensor:
        tensor = self._tensors[name]
        data, shape = np.asarray(tensor.data), self.shapes[name]  # a memmap's own slices are slow
        if self.architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = self.config.n_heads if name.endswith("q_proj.weight") else self.config.n_kv_heads
            # Quantisation blocks lie within rows, so rows can be put back in order before anything is dequantised.
            data = data[np.arange(shape[0]).reshape(heads, -1, 2).swapaxes(1, 2).reshape(-1)[rows]]
        else:
            data = data[rows]
        try:
            values = dequantize(data, tensor.tensor_type)
        except NotImplementedError:
            kind = gguf.GGMLQuantizationType(tensor.tensor_type).name
            raise CheckpointError(
                f"{self.path}: tensor {tensor.name!r} has type {kind}, which is not supported"
            ) from None
        return torch.from_numpy(np.require(values, np.float32, "W"))

    def where(self, name: str) -> str:
        return str(self.path)


def load_gguf(path: str | Path, *, dtype: torch.dtype | None = None, device: torch.device | str = "cpu") -> Phi3:
    """Load a GGUF file, dequantised to fp32 (or `dtype`). Raises CheckpointError."""
    file = GGUFFile(path)
    return assemble(file.config, file, dtype=dtype, device=device)
