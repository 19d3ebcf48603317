"""The two networks of the benchmark, in every form that a peer reads.

    smollm2-135m-instruct   the default model
    mini-8-layers           phi-4-mini's width (3072, 24/8 heads of 128, 8192 inside) with 8 layers and 32,000 tokens, random

Everything made lies in Phiforge's home under bench/<model>/, and is made once. The random network is of architecture llama
with plain RoPE: the same products as phi-4-mini's, on the path that every peer knows best. Its tokenizer is the default
model's, cut, for peers that will not start without one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.quants import quantize

from phiforge.lm.local import convert
from phiforge.model import checkpoint
from phiforge.model.config import ModelConfig, Rope, read_config
from phiforge.model.phi3 import Phi3
from phiforge.store.catalogue import DEFAULT_MODEL
from phiforge.store.home import ensure_space, home_dir
from phiforge.store.models import find

MINI = ModelConfig(
    architecture="llama",
    vocab_size=32_000,
    d_model=3072,
    n_layers=8,
    n_heads=24,
    n_kv_heads=8,
    head_dim=128,
    d_ff=8192,
    context=4096,
    original_context=4096,
    rope=Rope(theta=10_000.0),
    tied_embeddings=True,
    bos_id=1,
    eos_ids=(2,),
    pad_id=2,
)
BITS = {"q4_0": 4.5, "q8_0": 8.5, "int4": 4.5, "int8": 8.0, "fp16": 16.0, "bf16": 16.0, "fp32": 32.0}  # a weight


@dataclass(frozen=True)
class Model:
    """One network: `source` is its checkpoint folder as Hugging Face lays it out, `folder` where peers' forms go."""

    name: str
    source: Path
    config: ModelConfig
    folder: Path

    @property
    def weights(self) -> int:
        """Weights that a token is multiplied by; the table of embeddings counts as the output layer that it also is."""
        untied = 0 if self.config.tied_embeddings else self.config.vocab_size * self.config.d_model
        return self.config.parameter_count - untied

    @property
    def layer_weights(self) -> int:
        """The same without the output layer, which a prompt's tokens but the last do not need."""
        return self.weights - self.config.vocab_size * self.config.d_model

    def form(self, name: str) -> Path:
        """Where a peer's form of this model is, or will be."""
        return self.folder / name


def default() -> Model:
    installed = find(DEFAULT_MODEL)
    source = Path(convert(installed))
    return Model(DEFAULT_MODEL, source, read_config(source), home_dir() / "bench" / DEFAULT_MODEL)


def mini() -> Model:
    folder = home_dir() / "bench" / "mini-8-layers"
    return Model("mini-8-layers", make(folder / "hf", write_random), MINI, folder)


MODELS: dict[str, Callable[[], Model]] = {"135m": default, "mini": mini}


def make(target: Path, write: Callable[[Path], None]) -> Path:
    """`target`, a file or folder, written by `write` if it is not there yet: whole or not at all."""
    if not target.exists():
        ensure_space(target.parent, 4_000_000_000, str(target))
        partial = target.with_name(f".part.{target.name}")  # the ending stays: some writers look at it
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        partial.rename(target)
    return target


def write_random(folder: Path) -> None:
    network = Phi3(MINI).to(torch.bfloat16).init_weights(torch.Generator().manual_seed(0))
    checkpoint.save(network, folder)
    for file in default().source.glob("*token*"):
        if file.name != "tokenizer.json":
            shutil.copy(file, folder / file.name)
    (folder / "tokenizer.json").write_text(cut_tokenizer(default().source / "tokenizer.json"))


def cut_tokenizer(file: Path) -> str:
    """The default model's tokenizer without the tokens, and merges, that the random network has no rows for."""
    import json

    tokenizer = json.loads(file.read_text())
    model = tokenizer["model"]
    model["vocab"] = {token: id for token, id in model["vocab"].items() if id < MINI.vocab_size}
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    model["merges"] = [pair for pair in pairs if "".join(pair) in model["vocab"]]
    return json.dumps(tokenizer, ensure_ascii=False)


def gguf_file(model: Model, kind: str) -> Path:
    """The model as a GGUF file with every matrix quantised to `kind`: q4_0, q8_0 or f16."""
    return make(model.form(f"{kind}.gguf"), lambda file: write_gguf(model, kind, file))


def write_gguf(model: Model, kind: str, path: Path) -> None:
    config, source = model.config, checkpoint.SafetensorsFolder(model.source)
    reader = gguf.GGUFReader(find(DEFAULT_MODEL).path)  # for its vocabulary
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.n_heads)
    writer.add_head_count_kv(config.n_kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope.theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, field in reader.fields.items():
        if key.startswith("tokenizer."):
            value = field.contents()
            if key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
                value = value[: config.vocab_size]
            writer.add_key_value(key, value, field.types[0], field.types[1] if len(field.types) > 1 else None)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.n_layers)
    quantised = gguf.GGMLQuantizationType[kind.upper()]
    for name in sorted(source.shapes):
        values = source.read(name, slice(None)).float().numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # to llama.cpp's interleaved pairs
            heads = config.n_heads if ".q_proj" in name else config.n_kv_heads
            values = values.reshape(heads, 2, -1, config.d_model).swapaxes(1, 2).reshape(values.shape)
        dtype = quantised if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        found = names.get_name(name, try_suffixes=(".weight",))
        if found is None:
            raise ValueError(f"{name}: no GGUF name for this tensor")
        writer.add_tensor(found, quantize(np.ascontiguousarray(values), dtype), raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
