"""Any model that can be loaded as a GGUF file, tokenizer included."""

from __future__ import annotations

from pathlib import Path

from phiforge.chat.gguf_export import copy_tokenizer, write_tokenizer
from phiforge.chat.tokenizer import Tokenizer
from phiforge.lm.sources import Source
from phiforge.model import gguf_write
from phiforge.model.quantized_files import Progress
from phiforge.store.home import ensure_space

BITS = {"f32": 32, "f16": 16, "bf16": 16, "q8_0": 9, "q4_0": 5, "q4_1": 6}


def write_gguf(source: Source, file: Path, kind: str, name: str, progress: Progress = lambda *_: None) -> None:
    """Write `file` with weights of a `kind` of BITS. Raises StoreError where there is no room."""
    ensure_space(file.parent, source.config.parameter_count * BITS[kind] // 8, f"{name} as {kind}")
    if source.reader is not None:  # from GGUF to GGUF nothing of the tokenizer is lost
        reader = source.reader
        gguf_write.write_gguf(
            source.config, source.tensors, file, kind, tokenizer=lambda w: copy_tokenizer(reader, w), name=name,
            progress=progress,
        )  # fmt: skip
        return
    tokenizer = Tokenizer.from_folder(source.weights[0].parent)
    gguf_write.write_gguf(
        source.config, source.tensors, file, kind, name=name, progress=progress,
        tokenizer=lambda w: write_tokenizer(tokenizer, source.config.vocab_size, w),
    )  # fmt: skip
