"""`phiforge eval`: measure a model on benchmarks, compare two runs, look into a log. The same command again goes on where a
stopped one was."""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from phiforge.cli import WrongWords
from phiforge.store.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from phiforge.evals.log import Run
    from phiforge.evals.run import Options, Progress
    from phiforge.lm import LanguageModel

# The Phi-4 report's Table 1, in its order, as far as there are tasks: simple-evals' protocol, which each calls "phi4".
PHI4 = (
    "mmlu", "gpqa_diamond", "math", "humaneval", "mgsm", "simpleqa", "drop", "mmlu_pro", "humaneval_plus", "arena_hard", "ifeval",
)  # fmt: skip

EPILOG = """\
  phiforge eval list [TASK...]           tasks; of one: its protocols, where its data comes from, what is published
  phiforge eval mmlu gsm8k -m MODEL      measure; one folder a task under --out
  phiforge eval phi4 -m MODEL            every task of the Phi-4 report's table whose data is there
  phiforge eval report RUN...            figures with intervals, costs, beside what is published
  phiforge eval compare RUN RUN          two models on the same items, paired
  phiforge eval view RUN...              one HTML file to read logs in
  phiforge eval export RUN --format F    its log as inspect-ai or lm-eval writes them

Data sets are looked for in --data, else $PHIFORGE_DATA, else ./data; `--hub` lets missing ones be downloaded.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "what",
        nargs="+",
        metavar="TASK",
        help="tasks, or NAME:PART of one; or list, phi4, report, compare, view, export",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "-m",
        "--model",
        default=os.environ.get("PHIFORGE_MODEL", DEFAULT_MODEL),
        help="a pulled model, a path, or http://host/v1#name for an OpenAI-compatible endpoint (default: %(default)s)",
    )
    dtypes = ("auto", "stored", "float32", "bfloat16", "float16", "int8", "int4")
    model.add_argument("--dtype", default="auto", choices=dtypes)
    model.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ...")
    model.add_argument("--adapter", metavar="FOLDER", type=Path, help="a LoRA adapter for the model, as peft saves it")
    model.add_argument("--judge", default="", help="the model that grades, where one does: named as --model is")
    how = parser.add_argument_group("how")
    how.add_argument("--protocol", default="", help="one of the task's, see `list` (default: its first)")
    how.add_argument("--split", default="", help="of the data, see `list` (default: the task's first)")
    how.add_argument("--limit", type=int, metavar="N", help="so many items, drawn by --seed")
    how.add_argument("--repeats", type=int, metavar="N", help="answers to each item")
    how.add_argument("--shots", type=int, metavar="N", help="worked examples before each item")
    how.add_argument("-t", "--temperature", type=float)
    how.add_argument("--max-tokens", type=int, metavar="N", help="of one answer, thought included")
    how.add_argument("--seed", type=int, default=0)
    how.add_argument("--at-once", type=int, metavar="N", help="answers under way (default: 64; an endpoint: 16)")
    where = parser.add_argument_group("data, budget, log")
    where.add_argument("--data", metavar="FOLDER", type=Path, help="the folder of data sets")
    where.add_argument("--hub", action="store_true", help="download what is missing, through the package datasets")
    where.add_argument("--unpinned", action="store_true", help="take data that is not what the task was written for")
    where.add_argument("--minutes", type=float, help="stop after so long; the same command goes on")
    where.add_argument("--max-tokens-total", type=int, metavar="N", help="stop after so many, read and written")
    where.add_argument(
        "--out", metavar="FOLDER", type=Path, help="of the logs (default: evals/MODEL); or view's or export's file"
    )
    where.add_argument(
        "--format", choices=("inspect", "lm-eval"), default="inspect", help="of export (default: %(default)s)"
    )
    where.add_argument(
        "--flagged", metavar="FILE", type=Path, help="ids of contaminated items: figures with and without"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and no progress")


def run(args: argparse.Namespace) -> int:
    """Do what the first word says."""
    first, rest = args.what[0], args.what[1:]
    if first == "list":
        return _list(args, rest)
    if first == "compare":
        return _compare(args, rest)
    if first == "view":
        return _view(args, rest)
    if first == "export":
        return _export(args, rest)
    if first == "report":
        if not rest:
            raise WrongWords("report takes one log or more")
        _report(args, [Path(word) for word in rest], [])
        return 0
    return _measure(args)


def _measure(args: argparse.Namespace) -> int:
    from phiforge.evals import task as registry
    from phiforge.evals.data import Missing, data_folder
    from phiforge.evals.log import read_items

    tasks = list(dict.fromkeys(name for word in args.what for name in (PHI4 if word == "phi4" else (word,))))
    phi4 = "phi4" in args.what
    known = registry.names()
    for name in tasks:
        if not (phi4 and name in PHI4):
            registry.get(name.partition(":")[0])  # a wrong name is told before a model is loaded
    folder, out = data_folder(args.data), args.out or Path("evals") / _slug(args.model)
    options = _options(args)
    lm, judge = _open(args, args.model), _open(args, args.judge) if args.judge else None
    runs: list[tuple[Run, Path]] = []
    missing: list[str] = []
    try:
        for name in tasks:
            if phi4 and name in PHI4 and name not in known:
                missing.append(f"{name}: there is no such task yet")
                continue
            try:
                runs.append(_one(args, name, lm, judge, folder, out, options, published=phi4 and name in PHI4))
            except Missing as error:
                if not phi4:
                    raise
                missing.append(f"{name}: {error}")
    finally:
        lm.close()
        if judge is not None:
            judge.close()
    _report(args, [place for _, place in runs if read_items(place)], missing)
    return 0 if runs and all(each.finished for each, _ in runs) else 1


def _one(
    args: argparse.Namespace,
    name: str,
    lm: LanguageModel,
    judge: LanguageModel | None,
    folder: Path,
    out: Path,
    options: Options,
    *,
    published: bool,
) -> tuple[Run, Path]:
    import msgspec

    from phiforge.evals import task as registry
    from phiforge.evals.run import execute, plan

    task = registry.get(name.partition(":")[0])
    if published and not options.protocol:
        options = msgspec.structs.replace(options, protocol=task.published_as)
    planned = plan(name, lm, folder, options, hub=args.hub, judge=args.judge)
    place = out / _slug(f"{name}-{planned.run.protocol}")
    line = Line(f"{name} ({planned.run.protocol})", planned.run.kind)
    done = execute(planned, lm, place, options, judge=judge, progress=_quiet if args.json else line)
    line.end()
    return done, place


def _report(args: argparse.Namespace, folders: list[Path], missing: list[str]) -> None:
    """Print what the logs come to: tables for people, a summary a line for machines."""
    import msgspec

    from phiforge.evals.log import read_run
    from phiforge.evals.report import show, text
    from phiforge.evals.summary import read_flags, summarise

    summaries = []
    for folder in folders:
        run = read_run(folder)
        flagged = read_flags(args.flagged, run.task, run.data.split) if args.flagged else None
        summaries.append(summarise(folder, flagged))
    if args.json:
        for each in summaries:
            print(msgspec.json.encode(each).decode())
    elif summaries and sys.stdout.isatty():
        show(summaries)
    elif summaries:
        print(text(summaries), end="")
    if not args.json:
        print(*(f"log: {folder}" for folder in folders), sep="\n")
    for each in missing:
        print(f"left out: {each}", file=sys.stderr)


def _list(args: argparse.Namespace, names: list[str]) -> int:
    import msgspec
    from rich.console import Console

    from phiforge.evals import catalogue
    from phiforge.evals.data import data_folder

    tasks = catalogue.listed(data_folder(args.data), names)
    if args.json:
        for each in tasks:
            print(msgspec.json.encode(each).decode())
    elif names:
        print("\n\n".join(map(catalogue.details, tasks)))
    else:
        console = Console(width=None if sys.stdout.isatty() else catalogue.WIDTH, highlight=False)
        console.print(catalogue.table(tasks))
        console.print("\n`phiforge eval list TASK` says how it asks, where its data comes from and what is published.")
    return 0


def _compare(args: argparse.Namespace, words: list[str]) -> int:
    if len(words) != 2:
        raise WrongWords(f"compare takes two logs, not {len(words)}")
    import msgspec

    from phiforge.evals.compare import compare

    found = compare(Path(words[0]), Path(words[1]))
    print(msgspec.json.encode(found).decode() if args.json else found.text())
    return 0


def _view(args: argparse.Namespace, words: list[str]) -> int:
    if not words:
        raise WrongWords("view takes one log or more")
    print(import_module("phiforge.evals.view").write([Path(word) for word in words], args.out or Path("eval.html")))
    return 0


def _export(args: argparse.Namespace, words: list[str]) -> int:
    if len(words) != 1:
        raise WrongWords(f"export takes one log, not {len(words)}")
    from phiforge.evals.export import export

    out = args.out or Path(f"{Path(words[0]).resolve().name}.{args.format}.json")
    print(*export(words[0], args.format, out), sep="\n")
    return 0


def _options(args: argparse.Namespace) -> Options:
    from phiforge.evals.run import Options

    for word in ("limit", "repeats", "max_tokens", "at_once", "max_tokens_total", "minutes"):
        if (value := getattr(args, word)) is not None and value <= 0:
            raise WrongWords(f"--{word.replace('_', '-')} {value}: expected more than 0")
    return Options(
        protocol=args.protocol,
        split=args.split,
        limit=args.limit,
        repeats=args.repeats,
        seed=args.seed,
        temperature=args.temperature,
        max_new_tokens=args.max_tokens,
        shots=args.shots,
        adapter=args.adapter.resolve().name if args.adapter else None,
        unpinned=args.unpinned,
        minutes=args.minutes,
        max_tokens=args.max_tokens_total,
        at_once=args.at_once,
    )


def _open(args: argparse.Namespace, name: str) -> LanguageModel:
    from phiforge.cli.options import import_torch_quickly
    from phiforge.lm import is_endpoint, open_model

    adapter = args.adapter if name == args.model else None
    if is_endpoint(name):
        if adapter:
            raise WrongWords(f"--adapter is for models on this machine, and {name} is an endpoint")
        return open_model(name, concurrency=args.at_once or 16)
    if adapter and not adapter.is_dir():
        raise WrongWords(f"--adapter {adapter}: there is no such folder")
    import_torch_quickly()
    adapters = {adapter.resolve().name: adapter} if adapter else None
    return open_model(name, dtype=args.dtype, device=args.device, adapters=adapters)


def _slug(name: str) -> str:
    """A name as a folder's."""
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in name.rpartition("/")[2] or name)


def _quiet(_: Progress) -> None:
    pass


class Line:
    """A line on stderr that is written anew as items come; where stderr is no terminal, a line every half minute."""

    def __init__(self, title: str, kind: str) -> None:
        self.title, self.kind = title, kind
        self._live = sys.stderr.isatty()
        self._last = 0.0
        self._first: int | None = None

    def __call__(self, now: Progress) -> None:
        self._first = now.done - 1 if self._first is None else self._first
        clock = time.monotonic()
        if clock - self._last < (0.2 if self._live else 30) and now.done < now.total:
            return
        self._last = clock
        pace = (now.done - self._first) / now.seconds if now.seconds else 0.0
        left = f"  {(now.total - now.done) / pace / 60:.1f} min left" if pace and now.done < now.total else ""
        right = "" if self.kind == "perplexity" else f"  {now.right / now.done:.1%} right"
        text = f"{self.title}: {now.done:,} of {now.total:,}{right}  {now.tokens:,} tokens{left}"
        print(f"\r\033[K{text}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._live and self._last:
            print(file=sys.stderr)
