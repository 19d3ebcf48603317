"""`phiforge quantize`: a model's weights at 8, 4 or 16 bits, in a folder with what that cost measured on a text."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from phiforge.cli import WrongWords
from phiforge.store.catalogue import BASE_MODEL


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.add_argument("model", nargs="?", default=BASE_MODEL, help="a pulled model or a path (default: %(default)s)")
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
    text = args.text.read_text(encoding="utf-8") if args.text else ""
    import_torch_quickly()
    from phiforge.lm.quantise import write
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
            manifest = write(
                model, source, partial, args.kind, args.group, args.head, text=text, text_name=str(args.text or ""),
                progress=progress,
            )  # fmt: skip
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
