"""`phiforge pull`: bring models in, with a progress bar."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phiforge.cli import WrongWords

if TYPE_CHECKING:
    from phiforge.store.download import Progress
    from phiforge.store.models import Installed

EPILOG = """\
NAME is one of
  phiforge-135m-reasoning          the default model: an adapter that comes with Phiforge, and its base
  smollm2-135m-instruct            that base, out of a Python package (98 MB)
  phi-4-mini-instruct, phi-4, ...  the Phi-4 family, from the Hugging Face hub (see `phiforge models --family`)
  ORG/NAME[@REVISION]              any model of the hub; ORG/NAME/FILE.gguf for one GGUF file
  PATH                             a .gguf file or a Hugging Face folder, used where it lies
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("source", nargs="+", metavar="NAME", help="what to bring in; see below")
    parser.add_argument("--revision", help="a branch, tag or commit of the hub's repository")
    parser.add_argument("--name", default="", help="call the model this (hub and paths, one NAME only)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each model")


def run(args: argparse.Namespace) -> int:
    """Bring in every model named, in turn, and say where each is."""
    import msgspec

    from phiforge.store.home import size_text
    from phiforge.store.pull import pull

    if args.name and len(args.source) > 1:
        raise WrongWords(f"--name {args.name} can name only one model, but {len(args.source)} were given")
    for source in args.source:
        with progress_bar(source, quiet=args.json) as progress:
            model = pull(source, progress=progress, revision=args.revision, name=args.name)
        prepare(model, quiet=args.json)
        if args.json:
            print(msgspec.json.encode(model).decode())
        else:
            licence = model.licence or "licence unknown"
            print(f"{model.name}: {size_text(model.bytes)}, {licence}, {model.path}")
    return 0


def prepare(model: Installed, *, quiet: bool = False) -> None:
    """Convert a pulled GGUF or adapter for quick starts, unless that has been done."""
    from phiforge.store.models import converted, quantised

    if model.format == "hf" or converted(model) or quantised(model.name):
        return
    from phiforge.cli.options import import_torch_quickly

    if not quiet:
        print(f"Preparing {model.name} for quick starts (once) ...", file=sys.stderr)
    import_torch_quickly()
    if model.format == "lora":
        from phiforge.lm.sources import own_kind, quantised_folder

        if kind := own_kind(model):
            quantised_folder(model, kind)
        return
    from phiforge.lm.local import convert

    convert(model)


def fetch(source: str) -> None:
    """Pull a model that somebody is waiting for, and convert it."""
    from phiforge.store.pull import pull

    with progress_bar(source) as progress:
        model = pull(source, progress=progress)
    prepare(model)


@contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Iterator[Progress]:
    """A bar on stderr with bytes, speed and time left, as long as the block runs; nothing when `quiet`."""
    if quiet:
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    description = TextColumn(
        "{task.description}", table_column=Column(no_wrap=True, max_width=24, overflow="ellipsis")
    )
    columns = (description, BarColumn(12), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(title), total=None)
        total_now = 0

        def update(what: str, done: int, total: int) -> None:
            nonlocal total_now
            if total != total_now:  # another phase began: its speed is not the last one's
                bar.reset(task, total=total)
                total_now = total
            bar.update(task, completed=done, description=escape(what))

        yield update
