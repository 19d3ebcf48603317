"""A model's weights at 8, 4 or 16 bits in a folder, with what that cost measured on a text."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from phiforge import __version__
from phiforge.chat.tokenizer import Tokenizer
from phiforge.kernels.formats import Kind
from phiforge.lm.sources import Source
from phiforge.model import quantized_files
from phiforge.model.divergence import measure, windows
from phiforge.model.quantized_files import Progress
from phiforge.store.models import Installed, now

MANIFEST = "manifest.json"
METHODS = {
    "int8": "symmetric per row, round to nearest",
    "int4": "scale and minimum per group, least squared error of a small search",
    "bf16": "round to nearest",
}


def write(
    model: Installed,
    source: Source,
    folder: Path,
    kind: Kind,
    group: int = 32,
    head: Kind | None = None,
    *,
    text: str = "",
    text_name: str = "",
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Write weights, tokenizer and manifest into `folder`, and return the manifest. The cost, perplexity before and after and
    the KL divergence, is measured on `text`, or on a short built-in one."""
    text, text_name = (text, text_name) if text else (files("phiforge.lm").joinpath("sample.txt").read_text(), "")
    wanted = quantized_files.convert_quantized(
        source.config, source.tensors, folder, kind, group, head=head, progress=progress
    )
    source.companions(folder)
    ids = Tokenizer.from_folder(folder).encode(text)
    cost = measure(source.config, source.tensors, quantized_files.load(folder), windows(ids), progress)
    manifest: dict[str, Any] = {
        "method": METHODS[kind],
        **msgspec.structs.asdict(wanted),
        "embedding": "bf16" if kind == "bf16" else "int8",
        "source": {
            "name": model.name,
            "from": model.source,
            "path": model.path,
            "sha256": {file.name: sha256(file, progress) for file in source.weights},
        },
        "bytes": {
            "source": sum(file.stat().st_size for file in source.weights),
            "result": sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        },
        "evaluation": {"text": text_name or "the built-in sample", **cost._asdict()},
        "date": now(),
        "phiforge": __version__,
    }
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


def sha256(file: Path, progress: Progress) -> str:
    digest, total = hashlib.sha256(), file.stat().st_size
    with file.open("rb") as stream:
        while block := stream.read(2**22):
            digest.update(block)
            progress(f"checksum of {file.name}", stream.tell(), total)
    return digest.hexdigest()
