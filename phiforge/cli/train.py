"""`phiforge train`: a stage of training by a recipe; the same command again goes on where a stopped one was."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phiforge.train.loop import Step

EPILOG = """\
A recipe is a TOML file; `phiforge/train/recipe.py` has every key. Ctrl-C saves and stops.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("recipe", help="a TOML file")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and no progress")


def run(args: argparse.Namespace) -> int:
    """Check the recipe, train, and say where the model is."""
    import msgspec

    from phiforge.train import recipe as recipes
    from phiforge.train.loop import Diverged, Interrupted

    recipe = recipes.read_recipe(args.recipe)
    try:
        result = recipes.run(recipe, Line() if not args.json else lambda _: None)
    except Interrupted as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    except Diverged as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(msgspec.json.encode(result).decode())
        return 0
    held = f", {result.held_out:.3f} on rows kept aside" if result.held_out is not None else ""
    left = f" ({result.too_long} longer ones left out)" if result.too_long else ""
    print(f"{result.steps} steps over {result.rows} rows{left}; loss {result.loss:.3f}{held}", file=sys.stderr)
    print(result.model)
    return 0


class Line:
    """A line on stderr that is written anew after each step: loss, speed, time left. Where stderr is no terminal, a line
    every half minute."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = 0.0
        self._pace = 0.0  # seconds a step, smoothed

    def __call__(self, step: Step) -> None:
        self._pace = step.seconds if not self._pace else 0.9 * self._pace + 0.1 * step.seconds
        now = time.monotonic()
        if not self._live and now - self._last < 30 and step.step < step.steps:
            return
        self._last = now
        left = self._pace * (step.steps - step.step)
        text = (
            f"step {step.step:,} of {step.steps:,}  loss {step.loss:.3f}  {step.tokens / step.seconds:,.0f} tokens/s  "
            f"{step.utilisation:.0%} of this machine's matrix speed  {_span(left)} left"
        )
        print(f"\r\033[K{text}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)
        if self._live and step.step == step.steps:
            print(file=sys.stderr)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
