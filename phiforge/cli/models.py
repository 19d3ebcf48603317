"""`phiforge models`: what is on this machine, and the figures of the Phi-4 family."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from phiforge.store.models import Installed


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--family", action="store_true", help="list the Phi-4 family's presets with every figure")
    what.add_argument("--remove", metavar="NAME", help="delete the model of exactly this name from this machine")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List the models here, or the family's presets, or remove one."""
    import msgspec

    from phiforge.store.home import size_text
    from phiforge.store.models import installed, remove

    if args.family:
        presets = family()
        if args.json:
            _print_json(presets)
        else:
            _print_family(presets)
    elif args.remove:
        model = remove(args.remove)
        in_place = model.source == model.path
        if args.json:
            _print_json({"removed": msgspec.to_builtins(model), "files_kept": in_place})
        elif in_place:
            print(f"forgot {model.name}; its files stay at {model.path}")
        else:
            print(f"removed {model.name} ({size_text(model.bytes)})")
    elif args.json:
        _print_json(msgspec.to_builtins(installed()))
    else:
        _print_installed(installed())
    return 0


def family() -> list[dict[str, Any]]:
    """Every preset with its exact parameter count and every figure of its architecture."""
    import msgspec

    from phiforge.model.config import PRESETS

    return [
        {"name": name, "parameter_count": config.parameter_count, **msgspec.to_builtins(config)}
        for name, config in PRESETS.items()
    ]


def _print_json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def _print_table(table: Table) -> None:
    """Print each row on one line, even where the terminal is narrower: half a number helps nobody."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    console.width = max(console.width, console.measure(table, options=console.options.update(width=1000)).maximum)
    console.print(table)


def _print_installed(models: list[Installed]) -> None:
    from rich.table import Table

    from phiforge.store.catalogue import DEFAULT_MODEL
    from phiforge.store.home import models_dir, size_text
    from phiforge.store.models import quantised

    if not models:
        print(f"No model is here yet ({models_dir()}). `phiforge pull {DEFAULT_MODEL}` brings in a small one.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "family", "size", "licence", "format", "quantised", "path"):
        table.add_column(column, justify="right" if column == "size" else "left", no_wrap=True)
    for m in models:
        table.add_row(
            m.name,
            m.family,
            size_text(m.bytes),
            m.licence or "unknown",
            m.format,
            " ".join(quantised(m.name)) or "-",
            m.path,
        )
    _print_table(table)


def _print_family(presets: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "params", "layers", "d_model", "heads/kv", "d_ff", "vocab", "context", "rope", "tied"):
        table.add_column(column, justify="left" if column in ("name", "rope", "tied") else "right", no_wrap=True)
    for p in presets:
        rope = f"{p['rope']['theta']:,.0f}"
        if p["rope"].get("scaling", "none") != "none":
            rope += f" {p['rope']['scaling']}"
        table.add_row(
            p["name"],
            f"{p['parameter_count']:,}",
            str(p["n_layers"]),
            str(p["d_model"]),
            f"{p['n_heads']}/{p['n_kv_heads']}",
            str(p["d_ff"]),
            str(p["vocab_size"]),
            str(p["context"]),
            rope,
            "yes" if p["tied_embeddings"] else "no",
        )
    _print_table(table)
