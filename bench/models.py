"""The two networks of the benchmark, in every form that a peer reads.

    smollm2-135m-instruct   what the default model is made from
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

import torch

from phiforge.chat.gguf_export import write_tokenizer
from phiforge.chat.tokenizer import Tokenizer
from phiforge.lm.local import convert
from phiforge.model import checkpoint
from phiforge.model.config import ModelConfig, Rope, read_config
from phiforge.model.gguf_write import write_gguf
from phiforge.model.phi3 import Phi3
from phiforge.model.quantized_files import convert_quantized
from phiforge.store.catalogue import BASE_MODEL
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
    installed = find(BASE_MODEL)
    source = Path(convert(installed))
    return Model(BASE_MODEL, source, read_config(source), home_dir() / "bench" / BASE_MODEL)


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
    """The model as `phiforge export` writes it for llama.cpp: q4_0 (with its embeddings at q8_0), q8_0 or f16."""
    source = checkpoint.SafetensorsFolder(model.source)
    tokenizer = Tokenizer.from_folder(model.source)

    def write(file: Path) -> None:
        write_gguf(
            model.config,
            source,
            file,
            kind,
            tokenizer=lambda w: write_tokenizer(tokenizer, model.config.vocab_size, w),
        )

    return make(model.form(f"{kind}.gguf"), write)


def quantised(model: Model, kind: str) -> Path:
    """The model as our engine keeps it at int4 or int8, made as `phiforge quantize` does."""
    source = checkpoint.SafetensorsFolder(model.source)
    return make(model.form(kind), lambda folder: convert_quantized(model.config, source, folder, kind, 32))
