"""`phiforge export`: a model as a GGUF file for llama.cpp, or as a folder in the official Hugging Face layout."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from phiforge.cli import WrongWords
from phiforge.cli.quantize import put_in_place, refuse_to_overwrite

if TYPE_CHECKING:
    from phiforge.lm.sources import Source

Progress = Callable[[str, int, int], None]

HF_TYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
EPILOG = """\
Types of a GGUF file: f32, f16 (the default), bf16, q8_0, q4_0, q4_1. Of a Hugging Face folder: f32, f16, bf16; by
default what the model is stored in, and bf16 for one that is quantised.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("model", help="a pulled model or a path: a GGUF file, or a folder, quantised ones included")
    parser.add_argument("--to", choices=("gguf", "hf"), required=True)
    parser.add_argument("-o", "--out", type=Path, required=True, help="the file (gguf) or folder (hf) to write")
    parser.add_argument("--type", help="how weights are stored; see below")
    parser.add_argument("--force", action="store_true", help="replace what is there already")
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


def run(args: argparse.Namespace) -> int:
    """Write the model beside its place, then put it there: whole or not at all."""
    import msgspec

    from phiforge.cli.options import import_torch_quickly
    from phiforge.cli.progress import progress_bar
    from phiforge.store.home import size_text
    from phiforge.store.models import find

    model = find(args.model)
    out: Path = args.out.absolute()
    refuse_to_overwrite(out, args.force)
    if out.is_dir() and args.to == "gguf":
        raise WrongWords(f"{out} is a folder: name a file with -o, such as {out / (model.name + '.gguf')}")
    if args.to == "hf" and args.type not in (None, *HF_TYPES):
        raise WrongWords(f"--type {args.type}: a Hugging Face folder is written as {', '.join(HF_TYPES)}")
    import_torch_quickly()
    from phiforge.lm.export import write_gguf
    from phiforge.lm.sources import open_source
    from phiforge.model.gguf_write import TYPES

    kind: str | None = args.type or ("f16" if args.to == "gguf" else None)
    if args.to == "gguf" and kind not in TYPES:
        raise WrongWords(f"--type {kind}: the gguf package cannot write it; it writes {', '.join(TYPES)}")
    source = open_source(model)
    partial = out.with_name(f".{out.name}.part")
    _remove(partial)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with progress_bar(quiet=args.json) as progress:
            if args.to == "gguf" and kind is not None:
                write_gguf(source, partial, kind, model.name, progress)
            else:
                kind = _write_folder(source, partial, kind, progress)
        put_in_place(partial, out)
    finally:
        _remove(partial)
    written = [out] if out.is_file() else sorted(out.iterdir())
    size = sum(file.stat().st_size for file in written)
    if args.json:
        print(msgspec.json.encode({"path": str(out), "to": args.to, "type": kind, "bytes": size}).decode())
    else:
        print(f"{out}: {size_text(size)}, {kind}")
        if source.scheme is not None:
            print(f"Its source is quantised to {source.scheme.kind}, so it is no better than that.", file=sys.stderr)
    return 0


def _write_folder(source: Source, folder: Path, kind: str | None, progress: Progress) -> str:
    """Write the folder, and say in which type."""
    import torch

    from phiforge.model import checkpoint
    from phiforge.store.home import ensure_space, size_text
    from phiforge.store.machine import machine

    stored = set(source.tensors.dtypes.values())
    if kind is None:
        dtype = torch.bfloat16 if source.scheme is not None else stored.pop() if len(stored) == 1 else torch.bfloat16
    else:
        dtype = getattr(torch, HF_TYPES[kind])
    needed = source.config.parameter_count * dtype.itemsize
    ensure_space(folder.parent, needed, f"the folder in {dtype}")
    if needed > machine().memory_available and not (source.tensors.mapped and stored <= {dtype}):
        raise ValueError(
            f"converting the weights takes {size_text(needed)} of memory, "
            f"and {size_text(machine().memory_available)} are free"
        )
    progress("reading", 0, 2)
    model = checkpoint.assemble(source.config, source.tensors, dtype=dtype)
    progress("writing", 1, 2)
    checkpoint.save(model, folder)
    generated = (folder / "generation_config.json").read_bytes()
    source.companions(folder)
    if source.reader is not None:
        (folder / "generation_config.json").write_bytes(generated)
    progress("written", 2, 2)
    return next(name for name, full in HF_TYPES.items() if full == str(dtype).removeprefix("torch."))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
