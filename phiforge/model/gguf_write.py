"""A network into a GGUF file that llama.cpp loads: architectures llama and phi3, a tensor at a time.

The names and the order of rows are those that gguf.py undoes: `llama` files keep the rows of Q and K as interleaved
pairs, `phi3` files keep Q, K and V fused and in rotate-half order. Quantising is the `gguf` package's.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import NamedTuple

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, RopeScalingType

from phiforge.model.checkpoint import TensorSource, parts_of, read_rows
from phiforge.model.config import ModelConfig, Rope
from phiforge.model.phi3 import Phi3
from phiforge.model.rope import inverse_frequencies

# What the gguf package can write, and the file's own name for it.
TYPES = {
    "f32": (GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "bf16": (GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16),
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (GGMLQuantizationType.Q4_0, LlamaFileType.MOSTLY_Q4_0),
    "q4_1": (GGMLQuantizationType.Q4_1, LlamaFileType.MOSTLY_Q4_1),
}
ROWS = 2048  # quantised at a time: the gguf package needs several times the memory of what it is given

# progress(what is being done, weights done, weights in all)
Progress = Callable[[str, int, int], None]


class Piece(NamedTuple):
    """A tensor of the file: rows start to stop of a parameter of the network, interleaved for so many heads (0: not)."""

    name: str
    parameter: str
    start: int
    stop: int
    columns: int
    heads: int = 0


def write_gguf(
    config: ModelConfig,
    source: TensorSource,
    file: str | os.PathLike[str],
    kind: str,
    *,
    tokenizer: Callable[[GGUFWriter], None] | None = None,
    name: str = "",
    progress: Progress | None = None,
) -> None:
    """Write the network of a source at one of `TYPES`; `tokenizer` adds its own keys.

    Norms and RoPE factors stay fp32, and embedding and output layer have eight bits where the rest has four. Raises
    ValueError for a network that llama.cpp cannot run, or rows that do not divide into blocks.
    """
    if kind not in TYPES:
        raise ValueError(f"GGUF type {kind!r} cannot be written here; the types are {', '.join(TYPES)}")
    with torch.device("meta"):
        parts = parts_of(Phi3(config), source)
    pieces = _pieces(config)
    for piece in pieces:
        block = gguf.GGML_QUANT_SIZES[_type(piece, kind)][0]
        if piece.columns % block:
            raise ValueError(
                f"{piece.name}: rows of {piece.columns} weights do not divide into {kind}'s blocks of {block}"
            )
    writer = GGUFWriter(file, config.architecture)
    try:
        _add_metadata(writer, config, kind, name)
        if tokenizer is not None:
            tokenizer(writer)
        factors = _rope_factors(config)
        for tensor, values in factors.items():
            writer.add_tensor_info(tensor, values.shape, values.dtype, values.nbytes)
        for piece in pieces:
            shape = (piece.stop - piece.start, piece.columns) if piece.columns > 1 else (piece.stop - piece.start,)
            qtype = _type(piece, kind)
            block, size = gguf.GGML_QUANT_SIZES[qtype]
            n_bytes = math.prod(shape) // block * size
            writer.add_tensor_info(f"{piece.name}.weight", shape, np.dtype(np.float32), n_bytes, raw_dtype=qtype)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for values in factors.values():
            writer.write_tensor_data(values)
        done, total = 0, sum((piece.stop - piece.start) * piece.columns for piece in pieces)
        for piece in pieces:
            writer.write_tensor_data(_values(source, parts[piece.parameter], piece, _type(piece, kind)))
            done += (piece.stop - piece.start) * piece.columns
            if progress is not None:
                progress(piece.name, done, total)
    finally:
        writer.close()


def _type(piece: Piece, kind: str) -> GGMLQuantizationType:
    if piece.columns == 1:
        return GGMLQuantizationType.F32
    if kind.startswith("q4") and piece.name in ("token_embd", "output"):
        return GGMLQuantizationType.Q8_0
    return TYPES[kind][0]


def _pieces(config: ModelConfig) -> list[Piece]:
    d, q, kv, f = config.d_model, config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim, config.d_ff
    found = [
        Piece("token_embd", "embed_tokens.weight", 0, config.vocab_size, d),
        Piece("output_norm", "norm.weight", 0, d, 1),
    ]
    if not config.tied_embeddings:
        found.append(Piece("output", "lm_head.weight", 0, config.vocab_size, d))
    for i in range(config.n_layers):
        ours, theirs = f"layers.{i}", f"blk.{i}"
        qkv, gate_up = f"{ours}.self_attn.qkv_proj.weight", f"{ours}.mlp.gate_up_proj.weight"
        found.append(Piece(f"{theirs}.attn_norm", f"{ours}.input_layernorm.weight", 0, d, 1))
        if config.architecture == "phi3":
            found.append(Piece(f"{theirs}.attn_qkv", qkv, 0, q + 2 * kv, d))
            found.append(Piece(f"{theirs}.ffn_up", gate_up, 0, 2 * f, d))
        else:
            found.append(Piece(f"{theirs}.attn_q", qkv, 0, q, d, config.n_heads))
            found.append(Piece(f"{theirs}.attn_k", qkv, q, q + kv, d, config.n_kv_heads))
            found.append(Piece(f"{theirs}.attn_v", qkv, q + kv, q + 2 * kv, d))
            found.append(Piece(f"{theirs}.ffn_gate", gate_up, 0, f, d))
            found.append(Piece(f"{theirs}.ffn_up", gate_up, f, 2 * f, d))
        found.append(Piece(f"{theirs}.attn_output", f"{ours}.self_attn.o_proj.weight", 0, d, q))
        found.append(Piece(f"{theirs}.ffn_norm", f"{ours}.post_attention_layernorm.weight", 0, d, 1))
        found.append(Piece(f"{theirs}.ffn_down", f"{ours}.mlp.down_proj.weight", 0, d, f))
    return found


def _values(source: TensorSource, parts: tuple[str, ...], piece: Piece, qtype: GGMLQuantizationType) -> np.ndarray:
    """The tensor's bytes. Quantising works within rows, so that rows can be put in order afterwards."""
    blocks = []
    for start in range(piece.start, piece.stop, ROWS):
        rows = read_rows(source, parts, start, min(start + ROWS, piece.stop)).float().numpy()
        blocks.append(gguf.quants.quantize(rows, qtype))
    values = np.concatenate(blocks)
    if piece.heads:  # pair (i, i + half) of each head becomes neighbours
        shape = values.shape
        values = values.reshape(piece.heads, 2, -1, shape[-1]).swapaxes(1, 2).reshape(shape)
    return np.ascontiguousarray(values)


def _add_metadata(writer: GGUFWriter, config: ModelConfig, kind: str, name: str) -> None:
    if name:
        writer.add_name(name)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.n_heads)
    writer.add_head_count_kv(config.n_kv_heads)
    if config.head_dim * config.n_heads != config.d_model:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(TYPES[kind][1])
    if kind.startswith("q"):
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_rope(writer, config, config.rope)


def _add_rope(writer: GGUFWriter, config: ModelConfig, rope: Rope) -> None:
    writer.add_rope_freq_base(rope.theta)
    writer.add_rope_dimension_count(config.rotary_dim)
    if config.architecture == "phi3":
        writer.add_rope_scaling_orig_ctx_len(config.original_context)
        writer.add_sliding_window(config.sliding_window or 0)
    elif config.rotary_dim != config.head_dim:
        raise ValueError(
            f"llama.cpp rotates whole heads of llama networks, not {config.rotary_dim} of {config.head_dim} dims"
        )
    if rope.scaling == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope.factor)
    elif rope.scaling == "longrope":
        if config.architecture != "phi3":
            writer.add_rope_scaling_type(RopeScalingType.LONGROPE)
            writer.add_rope_scaling_orig_ctx_len(config.original_context)
        writer.add_rope_scaling_attn_factors(rope.mscale)
    elif rope.scaling == "llama3" and config.architecture == "phi3":
        raise ValueError("llama.cpp has no phi3 networks with Llama 3.1's RoPE scaling")


def _rope_factors(config: ModelConfig) -> dict[str, np.ndarray]:
    """What frequencies are divided by, for the scalings that llama.cpp reads from tensors."""
    if config.rope.scaling == "longrope":
        return {
            f"rope_factors_{length}.weight": np.asarray(getattr(config.rope, f"{length}_factor"), np.float32)
            for length in ("long", "short")
        }
    if config.rope.scaling == "llama3":
        exponent = torch.arange(0, config.rotary_dim, 2, dtype=torch.float32) / config.rotary_dim
        return {"rope_freqs.weight": (config.rope.theta**-exponent / inverse_frequencies(config)).numpy()}
    return {}
