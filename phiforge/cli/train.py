"""`phiforge train`: a recipe, stage after stage; the same command again goes on where a stopped one was."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phiforge.train.loop import Step
    from phiforge.train.measure import Result
    from phiforge.train.plan import Planned
    from phiforge.train.recipe import Recipe

EPILOG = """\
A recipe is a TOML file; `recipes/` has some, `phiforge/train/recipe.py` every key. Ctrl-C saves and stops.
Several processes or machines train together under torchrun, on one folder that all of them see:
  torchrun --nproc-per-node 8 -m phiforge.cli.main train recipes/phi-4.toml
--plan says what each stage would take on --gpus, and trains nothing: the data need not be there.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("recipe", help="a TOML file")
    parser.add_argument("--out", help="another folder for the run than the recipe's")
    parser.add_argument(
        "--plan", action="store_true", help="say tokens, steps, memory and days of every stage, and stop"
    )
    parser.add_argument("--gpus", type=int, default=8, metavar="N", help="how many the plan reckons with (8)")
    parser.add_argument("--peak", type=float, default=989, metavar="TFLOPS", help="a GPU's bf16 peak (989, an H100's)")
    parser.add_argument(
        "--use", type=float, default=0.25, metavar="SHARE", help="the share of it training gets (0.25)"
    )
    parser.add_argument("--memory", type=float, default=80, metavar="GB", help="a GPU's memory (80)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, and no progress")


def run(args: argparse.Namespace) -> int:
    """Check the recipe, carry it out, and say what each stage came to."""
    from msgspec.structs import replace

    from phiforge.train.recipe_file import read_recipe

    recipe = read_recipe(args.recipe, here=not args.plan)
    if args.out:
        recipe = replace(recipe, out=args.out)
    if args.plan:
        return _plan(args, recipe)
    from phiforge.train.distributed import leave

    return leave(_train(args, recipe))


def _plan(args: argparse.Namespace, recipe: Recipe) -> int:
    import msgspec

    from phiforge.train.plan import Gpus, plan

    for name, value in (("--gpus", args.gpus), ("--peak", args.peak), ("--use", args.use), ("--memory", args.memory)):
        if value <= 0:
            raise ValueError(f"{name} {value} must be above 0")
    planned = plan(recipe, Gpus(args.gpus, args.peak * 1e12, args.use, args.memory * 1e9))
    if args.json:
        print(msgspec.json.encode(planned).decode())
    else:
        _show_plan(args.gpus, planned)
    return 0


def _show_plan(gpus: int, planned: list[Planned]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("stage", "weights", "context", "tokens", "steps", "batch", "peak lr", "GB a GPU", f"days on {gpus}"):
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=name == "stage")
    for each in planned:
        table.add_row(
            each.stage, _short(each.weights), f"{each.context:,}", _short(each.tokens), _short(each.steps),
            _short(each.batch), f"{each.lr:.2g}", f"{_amount(each.memory / 1e9)}{'' if each.fits else ' (too much)'}",
            "?" if each.days is None else _amount(each.days),
        )  # fmt: skip
    console = Console(soft_wrap=True)
    console.print(table)
    if any(each.tokens is None for each in planned):
        console.print("?: follows from data that isn't here yet, or was not counted (`tokens` of a source)")
    for each in planned:
        for entry in each.ledger:
            console.print(
                f"{each.stage}: {entry.name} {entry.share:.0%}, {_short(entry.unique_tokens)} unique tokens "
                f"{entry.epochs:.1f} times",
                highlight=False,
            )


def _amount(x: float) -> str:
    return f"{x:,.0f}" if x >= 100 else f"{x:,.1f}" if x >= 1 else f"{x:.1g}"


def _short(n: int | None) -> str:
    if n is None:
        return "?"
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if n >= size:
            return f"{n / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{n:,}"


def _train(args: argparse.Namespace, recipe: Recipe) -> int:
    import msgspec

    from phiforge.train import distributed
    from phiforge.train import run as runs
    from phiforge.train.loop import Diverged, Interrupted

    with distributed.joined():
        tells = distributed.rank() == 0  # of several processes, the first
        try:
            results = runs.run(recipe, Line() if not args.json else lambda *_: None)
        except Interrupted as stopped:
            if tells:
                print(f"\n{stopped}", file=sys.stderr)
            return 130
        except Diverged as error:
            if tells:
                print(f"\nerror: {error}", file=sys.stderr)
            return 1
    if not tells:
        return 0
    if args.json:
        print(msgspec.json.encode(results).decode())
        return 0
    print(file=sys.stderr)
    for result in results:
        print(_told(result), file=sys.stderr)
    print(f"report: {recipe.out}/report.html", file=sys.stderr)
    print(results[-1].model)
    return 0


def _told(result: Result) -> str:
    """A stage in a line."""
    words = [f"{result.stage}: {result.steps:,} steps, {_short(result.tokens)} tokens, {_span(result.seconds)}"]
    if result.too_long:
        words.append(f"{result.too_long} too long and left out")
    if result.alike:
        words.append(f"{result.alike} pairs alike and left out")
    before, after = result.before, result.after
    if before.held_out is not None and after.held_out is not None:
        words.append(f"loss on what was kept aside {before.held_out:.3f} -> {after.held_out:.3f}")
    if before.score and after.score:
        words.append(f"problems {before.score.right} -> {after.score.right} of {after.score.n}")
    words += [f"found at {n} tokens {right} -> {after.retrieval[n]}" for n, right in before.retrieval.items()]
    return "; ".join(words)


class Line:
    """A line on stderr that is written anew after each step: loss, speed, time left. Where stderr is no terminal, a line
    every half minute, and one when something else begins."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = 0.0
        self._what = ""
        self._pace = 0.0  # seconds a step, smoothed

    def __call__(self, what: str, step: Step | None) -> None:
        subject = what.partition(":")[0]
        begins, self._what = subject != self._what, subject
        now = time.monotonic()
        ends = step is not None and step.step == step.steps
        if begins:
            self._pace = 0.0
        if step is not None:
            self._pace = step.seconds if not self._pace else 0.9 * self._pace + 0.1 * step.seconds
        if not (self._live or begins or ends) and now - self._last < 30:
            return
        self._last = now
        if self._live and begins:
            print(file=sys.stderr)
        text = what if step is None else f"{what}: {self._told(step)}"
        print(f"\r\033[K{text}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def _told(self, step: Step) -> str:
        left = self._pace * (step.steps - step.step)
        return (
            f"step {step.step:,} of {step.steps:,}  loss {step.loss:.3f}  {step.tokens / step.seconds:,.0f} tokens/s  "
            f"{step.utilisation:.0%} of this machine's matrix speed  {_span(left)} left"
        )


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
