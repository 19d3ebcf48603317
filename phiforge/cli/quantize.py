"""`phiforge quantize`: a model's weights at 8, 4 or 16 bits, in a folder with what that cost measured on a text."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phiforge.cli import WrongWords
from phiforge.store.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from phiforge.lm.sources import Source
    from phiforge.store.models import Installed

MANIFEST = "manifest.json"
METHODS = {
    "int8": "symmetric per row, round to nearest",
    "int4": "scale and minimum per group, least squared error of a small search",
    "bf16": "round to nearest",
}
Progress = Callable[[str, int, int], None]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.add_argument(
        "model", nargs="?", default=DEFAULT_MODEL, help="a pulled model or a path (default: %(default)s)"
    )
    parser.add_argument("--kind", choices=("int8", "int4", "bf16"), default="int4", help="default: %(default)s")
    parser.add_argument("--group", type=int, choices=(32, 64), default=32, help="weights that share a scale at int4")
    parser.add_argument(
        "--head", choices=("int8", "int4", "bf16"), help="the output layer's kind (default: int8, or bf16 at bf16)"
    )
    parser.add_argument("-o", "--out", type=Path, help="the folder to write (default: ./MODEL-KIND)")
    parser.add_argument("--text", type=Path, help="measure on this file's text instead of a short built-in one")
    parser.add_argument("--force", action="store_true", help="replace a model folder that is there already")
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON, and no progress")


def run(args: argparse.Namespace) -> int:
    """Quantise, measure, and put the folder in its place: whole or not at all."""
    import msgspec

    from phiforge.cli.options import import_torch_quickly
    from phiforge.cli.progress import progress_bar
    from phiforge.store.home import ensure_space, size_text
    from phiforge.store.models import find

    model = find(args.model)
    out: Path = (args.out or Path(f"{model.name.replace('/', '--')}-{args.kind}")).absolute()
    refuse_to_overwrite(out, args.force)
    text = (
        args.text.read_text(encoding="utf-8")
        if args.text
        else files("phiforge.cli").joinpath("sample.txt").read_text()
    )
    import_torch_quickly()
    from phiforge.lm.sources import open_source, quantised_bytes
    from phiforge.model.quantized import scheme

    source = open_source(model)
    if source.scheme is not None:
        raise ValueError(f"{model.name} is quantised to {source.scheme.kind} already: quantise what it was made from")
    wanted = scheme(args.kind, args.group, args.head)
    ensure_space(out.parent, quantised_bytes(source.config, wanted), f"{model.name} at {args.kind}")
    partial = out.with_name(f".{out.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with progress_bar(quiet=args.json) as progress:
            manifest = write(model, source, partial, args, text, progress)
        put_in_place(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if args.json:
        print(msgspec.json.encode(manifest).decode())
        return 0
    cost, size = manifest["evaluation"], manifest["bytes"]
    print(f"{out}: {size_text(size['result'])} (from {size_text(size['source'])})")
    print(
        f"perplexity {cost['source_perplexity']:.3f} -> {cost['result_perplexity']:.3f}, "
        f"KL {cost['kl']:.4f} nats a token, over {cost['tokens']:,} tokens of {cost['text']}"
    )
    print(f"Use it: phiforge ask -m {args.out or out.name} '...'", file=sys.stderr)
    return 0


def write(
    model: Installed, source: Source, folder: Path, args: argparse.Namespace, text: str, progress: Progress
) -> dict[str, Any]:
    """Write weights, tokenizer and manifest into `folder`, and return the manifest."""
    import msgspec

    from phiforge import __version__
    from phiforge.chat.tokenizer import Tokenizer
    from phiforge.model import quantized_files
    from phiforge.model.divergence import measure, windows
    from phiforge.store.models import now

    wanted = quantized_files.convert_quantized(
        source.config, source.tensors, folder, args.kind, args.group, head=args.head, progress=progress
    )
    source.companions(folder)
    ids = Tokenizer.from_folder(folder).encode(text)
    cost = measure(source.config, source.tensors, quantized_files.load(folder), windows(ids), progress)
    manifest: dict[str, Any] = {
        "method": METHODS[args.kind],
        **msgspec.structs.asdict(wanted),
        "embedding": "bf16" if args.kind == "bf16" else "int8",
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
        "evaluation": {"text": str(args.text) if args.text else "the built-in sample", **cost._asdict()},
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


def refuse_to_overwrite(out: Path, force: bool) -> None:
    """Raise WrongWords unless `out` is free, or a model folder or file that `force` allows to be replaced."""
    if not out.exists():
        return
    if not force:
        raise WrongWords(f"{out} is there already: name another with -o, or replace it with --force")
    if out.is_dir() and any(out.iterdir()) and not (out / "config.json").is_file():
        raise WrongWords(f"{out} is a folder but no model's, so --force does not delete it")


def put_in_place(partial: Path, out: Path) -> None:
    """Rename a finished folder or file to its name, and delete what had that name before."""
    old = out.with_name(f".{out.name}.old")
    if out.is_dir():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)
