"""`phiforge forge`: from a recipe, or problems or documents of one's own, to a better model with a report; resumable."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from phiforge.cli import WrongWords
from phiforge.store.catalogue import BASE_MODEL

if TYPE_CHECKING:
    from phiforge.forge.recipe import Forge
    from phiforge.forge.run import Story

EPILOG = """\
  phiforge forge recipes/forge/ages.toml               carry a recipe out; the same again goes on where it was
  phiforge forge recipes/forge/ages.toml --minutes 10  in about so long on this machine
  phiforge forge --seeds my.jsonl -o runs/mine       from problems with answers: {"question": ..., "answer": ...}
  phiforge forge --docs notes/ -o runs/notes         from documents: questions that they answer
The recipe that --seeds and --docs come to is written to OUT/own.toml, to be read, changed, and carried out again.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("recipe", nargs="?", help="a TOML file; `phiforge/forge/recipe.py` has every key")
    parser.add_argument("-o", "--out", help="the folder for all of it (default: the recipe's)")
    parser.add_argument("--minutes", type=float, metavar="M", help="how long it may take; stages are cut to that")
    parser.add_argument("--data", metavar="FOLDER", help="the folder of benchmark data sets (default: $PHIFORGE_DATA)")
    own = parser.add_argument_group("of one's own")
    own.add_argument("--seeds", metavar="FILE", help="problems with answers, JSONL, Parquet or CSV")
    own.add_argument("--docs", metavar="FOLDER", help="texts, HTML, PDF, TeX or EPUB")
    own.add_argument(
        "--teacher", default="", metavar="MODEL", help="a stronger model: a name, a path, http://host/v1#name"
    )
    own.add_argument("-m", "--model", default=BASE_MODEL, help="what to make better (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the story as JSON, and no progress")


def run(args: argparse.Namespace) -> int:
    """Carry it out, and say what it came to and where it is."""
    import msgspec

    from phiforge.cli.train import Line

    if sum(map(bool, (args.recipe, args.seeds, args.docs))) != 1:
        raise WrongWords("name a recipe, or --seeds, or --docs")
    recipe = _recipe(args)
    from phiforge.forge import card, report
    from phiforge.forge import run as forging
    from phiforge.train.loop import Diverged, Interrupted

    try:
        story = forging.forge(recipe, args.data, (lambda *_: None) if args.json else Line())
    except Interrupted as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    except Diverged as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    report.write(story)
    card.write(story)
    if args.json:
        print(msgspec.json.encode(story).decode())
        return 0
    _tell(story, report.table_text(story))
    return 0


def _recipe(args: argparse.Namespace) -> Forge:
    from msgspec.structs import replace

    from phiforge.forge.recipe import check_forge, read_forge

    if args.recipe:
        recipe = read_forge(args.recipe)
    else:
        from phiforge.forge import own

        if not args.out:
            raise WrongWords("--seeds and --docs need a folder: -o runs/NAME")
        place = Path(args.out).expanduser()
        recipe = (own.from_seeds(args.seeds, place, args.model, args.teacher) if args.seeds
                  else own.from_documents(args.docs, place, args.model, args.teacher))  # fmt: skip
        print(f"the recipe: {own.write(recipe)}", file=sys.stderr)
    if args.out:
        recipe = replace(recipe, out=args.out)
    if args.minutes is not None:
        recipe = replace(recipe, minutes=args.minutes)
    check_forge(recipe)
    return recipe


def _tell(story: Story, table: str) -> None:
    out = story.recipe.path
    minutes = sum(part.seconds for part in story.clock.values()) / 60
    print(file=sys.stderr)
    print(f"{table}\n")
    for name, why in story.left_out.items():
        print(f"not measured: {name}: {why}", file=sys.stderr)
    model = next(iter(reversed([path for path in story.shipped if Path(path).is_dir()])))
    print(f"{minutes:.1f} minutes. The story: {out / 'report.html'}\nAsk it: phiforge ask -m {model} '...'")
