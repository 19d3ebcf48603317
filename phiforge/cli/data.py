"""`phiforge data`: what the factory can make, and making, describing, cleaning and mixing it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phiforge.cli import WrongWords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phiforge.data.curate.benchmark import Item
    from phiforge.data.draft import Length
    from phiforge.data.run import Config, Progress, Report

LENGTHS = ("short", "medium", "long", "worked", "mixed")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words of each thing that can be done with data."""
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (summary, declare, _) in ACTIONS.items():
        sub = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        declare(sub)
        sub.add_argument("--json", action="store_true", help="JSON instead of text, and no progress")


def run(args: argparse.Namespace) -> int:
    return ACTIONS[args.action][2](args)


# --- list and show -----------------------------------------------------------------------------------------------


def _declare_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("patterns", nargs="*", metavar="PIPELINE", help="names, families or patterns (default: all)")


def _list(args: argparse.Namespace) -> int:
    from phiforge.data import pipeline as registry

    found = registry.chosen(args.patterns or ["all"])
    if args.json:
        return _print_json([_about(each) for each in found])
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("pipeline", "needs", "verifier", "makes"):
        table.add_column(column, no_wrap=column != "makes")
    for each in found:
        table.add_row(each.name, each.needs, each.verifier or "its stages", each.summary)
    Console().print(table)
    solvers = sum(each.needs == "no model" for each in found)
    print(f"\n{len(found)} pipelines, {solvers} of which need no language model. See rows: phiforge data show NAME")
    return 0


def _about(pipeline: Any) -> dict[str, Any]:
    names = ("name", "summary", "needs", "verifier", "stages", "knobs", "version")
    about = {name: getattr(pipeline, name) for name in names}
    return about | ({"seeds": pipeline.seeds} if pipeline.seeds else {})


def _declare_rows(parser: argparse.ArgumentParser, rows: int) -> None:
    parser.add_argument("-n", "--rows", type=int, default=rows, help="rows of each pipeline (default: %(default)s)")
    parser.add_argument("--level", type=int, choices=range(1, 6), help="1, easy, to 5 (default: all)")
    parser.add_argument("--length", choices=LENGTHS, default="mixed", help="of the thought (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds make other rows (default: %(default)s)")


def _declare_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", help="its name, as `phiforge data list` has it")
    _declare_rows(parser, 3)


def _show(args: argparse.Namespace) -> int:
    from phiforge.data import pipeline as registry
    from phiforge.data.pipeline import Reject, Solver
    from phiforge.data.rows import Options, in_words, make_row

    pipeline = registry.get(args.pipeline)
    length: Length | str = args.length
    options = Options(args.seed, args.level or 0, length)
    seen: set[str] = set()
    made = [make_row(pipeline, n, options, seen) for n in range(args.rows)] if isinstance(pipeline, Solver) else []
    if args.json:
        return _print_json({**_about(pipeline), "rows": made})
    print(f"{pipeline.name}: {pipeline.summary}.")
    starts = f"; starts from {pipeline.seeds}" if pipeline.seeds else ""
    print(f"needs {pipeline.needs}{starts}; verified by {pipeline.verifier or 'its stages'}; {pipeline.knobs}")
    if not isinstance(pipeline, Solver):
        print(f"stages: {', '.join(pipeline.stages)}")
        print(f"Rows: phiforge data run {pipeline.name} --rows 3 --out DIR")
    for row in made:
        print("\n" + "─" * 80)
        print(f"rejected: {row.reason}" if isinstance(row, Reject) else in_words(row))
    return 0


# --- run -----------------------------------------------------------------------------------------------------------


def _declare_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="+", metavar="PIPELINE", help="names, families, patterns, all, solvers, taught; or a config.toml"
    )
    _declare_rows(parser, 1000)
    parser.add_argument(
        "-o", "--out", help="folder or object store address to fill; the same again goes on from there"
    )
    parser.add_argument("--engine", choices=("native", "ray"), default="native", help="default: %(default)s")
    parser.add_argument("--ray-address", default="", help="a cluster to join (default: one on this machine)")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one a core)")
    taught = parser.add_argument_group("pipelines that need a teacher")
    taught.add_argument(
        "--seeds",
        default="",
        help="JSONL, Parquet, CSV, or documents: text, HTML, PDF, TeX or EPUB, or a folder of them (default: our own)",
    )
    taught.add_argument("--column", default="text", help="the column that holds a seed's text (default: %(default)s)")
    taught.add_argument("--licence", default="", help="of the seeds; goes into every row made of them")
    taught.add_argument(
        "--teacher", default="", help="a model, a path, or http://host/v1#name (default: smollm2-135m-instruct)"
    )
    taught.add_argument("--concurrency", type=int, default=8, help="questions asked at a time (default: %(default)s)")
    taught.add_argument(
        "--price", type=float, nargs=2, default=(0.0, 0.0), metavar=("IN", "OUT"), help="a million tokens"
    )


def _config(args: argparse.Namespace) -> Config:
    """The run that the words ask for, or that the file they name does."""
    from phiforge.data.run import Config, Make, TeacherChoice, read_config

    if args.what[0].endswith(".toml"):
        if len(args.what) > 1:
            raise WrongWords(f"give a config or pipelines, not both: {' '.join(args.what)}")
        return read_config(args.what[0])
    if not args.out:
        raise WrongWords("where to? name a folder with --out")
    make = Make(args.what, args.rows, args.level or 0, args.length, args.seeds, args.column, args.licence)
    teacher = TeacherChoice(args.teacher, args.concurrency, *args.price)
    return Config(args.out, [make], args.seed, args.engine, args.ray_address, args.workers, teacher)


def _run(args: argparse.Namespace) -> int:
    from phiforge.data.run import execute, plan

    config = _config(args)
    planned = plan(config)
    started = time.perf_counter()
    try:
        with _progress(quiet=args.json) as show:
            reports = execute(planned, show)
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on from what is in {config.out}", file=sys.stderr)
        return 130
    seconds = time.perf_counter() - started
    if args.json:
        return _print_json({"out": config.out, "seconds": seconds, "pipelines": reports})
    _print_reports(reports)
    kept, asked = sum(r.kept for r in reports), sum(r.asked for r in reports)
    print(f"\n{kept:,} rows of {asked:,} asked for, in {seconds:.0f} s: {config.out}/data")
    print(f"Describe them: phiforge data card {config.out}")
    return 0


def _progress(*, quiet: bool) -> Any:
    """A line on stderr: rows, share accepted, tokens, what the teacher has cost, time left."""
    from contextlib import contextmanager

    @contextmanager
    def bar() -> Any:
        if quiet:
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("starting", total=None)
            yield lambda state: shown.update(task, completed=state.done, total=state.total, description=_status(state))

    return bar()


def _status(state: Progress) -> str:
    made = state.kept + state.rejected
    parts = [state.what, f"{state.kept / made:.1%} accepted" if made else "", f"≈{state.characters // 4:,} tokens"]
    if state.teacher:
        parts.append(f"teacher {state.teacher.get('calls', 0):,.0f} calls, {state.teacher.get('cost', 0):.2f} spent")
    return " · ".join(part for part in parts if part)


def _print_reports(reports: list[Report]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("pipeline", "asked", "kept", "rows/s a core", "rejected because"):
        table.add_column(column, justify="left" if column in ("pipeline", "rejected because") else "right")
    for each in reports:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in sorted(each.rejected.items(), key=lambda r: -r[1])[:3])
        table.add_row(each.pipeline, f"{each.asked:,}", f"{each.kept:,}", f"{each.rows_per_second:,.0f}", reasons)
    Console().print(table)


# --- card, curate, mix ---------------------------------------------------------------------------------------------


def _declare_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="what `phiforge data run`, `curate` or `mix` made")
    parser.add_argument(
        "--tokenizer", default="", metavar="MODEL", help="whose tokens to count (default: smollm2-135m-instruct)"
    )


def _card(args: argparse.Namespace) -> int:
    from phiforge.data.card import describe, write_card
    from phiforge.data.tokens import counter

    described = describe(args.folder, counter(args.tokenizer))
    if args.json:
        return _print_json(described)
    print(
        f"wrote {write_card(args.folder, described)}; `datasets.load_dataset({args.folder!r}, NAME)` reads the folder"
    )
    return 0


def _declare_curate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        help="a folder or file of rows; a folder of documents (text, HTML, PDF, TeX, EPUB); with --text, JSONL, Parquet or CSV",
    )
    parser.add_argument("-o", "--out", required=True, help="what is kept, the rejects and the report go here")
    parser.add_argument(
        "--text", metavar="COLUMN", help="the source is a file of documents, and this column is their text"
    )
    parser.add_argument("--languages", default="", help="keep these only, as en,de (default: all)")
    parser.add_argument("--against", nargs="+", default=[], metavar="FILE", help="benchmarks that may not be in it")
    parser.add_argument("--near", type=float, default=0.75, help="near-duplicates from here on; 1 and over: none")
    parser.add_argument("--quality", metavar="FOLDER", help="a trained classifier")
    parser.add_argument("--scrub", action="store_true", help="replace personal data in documents")


def _curate(args: argparse.Namespace) -> int:
    from phiforge.cli.progress import progress_bar
    from phiforge.data.curate import filters
    from phiforge.data.curate.benchmark import read_items
    from phiforge.data.curate.decontaminate import Decontaminator
    from phiforge.data.curate.duplicates import NearDuplicates
    from phiforge.data.curate.pii import Scrub
    from phiforge.data.curate.quality import Quality

    source = filters.opened(args.source, args.text)
    items = [item for path in args.against for item in read_items(path)]
    leaks = Decontaminator(items) if items else None
    chain = filters.standard(languages=args.languages.split(",") if args.languages else (), decontaminator=leaks)
    if args.quality:
        chain.append(Quality.open(args.quality).many)
    near = NearDuplicates(args.near) if args.near < 1 else None
    scrub = Scrub() if args.scrub else None
    with progress_bar(quiet=args.json) as show:
        report = filters.curate(
            source,
            args.out,
            chain,
            near=near,
            scrub=scrub,
            decontaminator=leaks,
            progress=lambda w, n: show(f"{w} {n:,}", 0, 0),
        )
    if args.json:
        return _print_json(report)
    print(f"{report.kept:,} of {report.read:,} kept, in {args.out}")
    for what, counts in (("rejected", report.rejected), ("replaced", report.scrubbed)):
        for reason, n in counts.items():
            print(f"  {n:8,} {what}: {reason}")
    for name, found in report.benchmarks.items():
        print(f"  {name}: {found.leaked_items} of {found.items} items found, in {found.texts} texts")
    return 0


def _declare_leaks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="training data, as `curate` takes it")
    parser.add_argument(
        "--against", nargs="+", required=True, metavar="TASK", help="tasks of `phiforge eval`, TASK:SPLIT, or files"
    )
    parser.add_argument(
        "-o", "--out", required=True, metavar="FILE", help="a line for each item found; for eval's --flagged"
    )
    parser.add_argument(
        "--text", metavar="COLUMN", help="the source is a file of documents, and this column is their text"
    )
    parser.add_argument(
        "--sets", metavar="FOLDER", help="the folder of data sets (default: as `phiforge eval` has it)"
    )


def _leaks(args: argparse.Namespace) -> int:
    from phiforge.cli.progress import progress_bar
    from phiforge.data.curate import filters
    from phiforge.data.curate.decontaminate import Decontaminator
    from phiforge.data.curate.leaks import leaks
    from phiforge.records import write_jsonl

    source = filters.opened(args.source, args.text)
    decontaminator = Decontaminator(item for name in args.against for item in _benchmark(name, args.sets))
    with progress_bar(quiet=args.json) as show:
        found = leaks(source, decontaminator, lambda w, n: show(f"{w} {n:,}", 0, 0))
        write_jsonl(args.out, found)
    if args.json:
        return _print_json(decontaminator.report)
    for name, report in decontaminator.report.items():
        untold = f" ({report.untold:,} cannot be told from other text)" if report.untold else ""
        print(f"{name}: {report.leaked_items:,} of {report.items:,} items found, in {report.texts:,} texts{untold}")
    print(f"their ids and places: {args.out}")
    return 0


def _benchmark(name: str, sets: str | None) -> Iterator[Item]:
    """The items of a file, or of a task with the ids that its logs have."""
    from phiforge.data.curate.benchmark import Item, read_items

    if Path(name).exists():
        yield from read_items(name)
        return
    from phiforge.evals import task as registry
    from phiforge.evals.data import data_folder, load, problems

    name, _, split = name.partition(":")
    task = registry.get(name)
    split = split or task.split
    if split not in task.data:
        raise ValueError(f"{name} has no split {split!r}: it has {', '.join(task.data)}")
    for problem in problems(task, load(task.data[split], data_folder(sets), unpinned=True), split):
        texts = [*(message.text for message in problem.messages), *problem.verifier_args.get("options", ())]
        yield Item(name, problem.id, "\n".join(map(str, texts)))


def _declare_mix(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mixture", help="a mixture.toml; with --trace, a folder of rows")
    parser.add_argument("-o", "--out", help="write the mixed rows here (default: only show the ledger)")
    parser.add_argument("--trace", metavar="ROW", help="where a row comes from: its number or id")


def _mix(args: argparse.Namespace) -> int:
    from phiforge.data import mixture as mixtures
    from phiforge.data.tokens import counter

    if args.trace:
        return _print_json(mixtures.trace(args.mixture, int(args.trace) if args.trace.isdigit() else args.trace))
    mixture = mixtures.read_mixture(args.mixture)
    tokens = counter(mixture.tokenizer)
    entries = mixtures.write(mixture, args.out, tokens) if args.out else mixtures.ledger(mixture, tokens)[0]
    if args.json:
        return _print_json(entries)
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "share", "unique tokens", "epochs", "tokens", "rows", "licence"):
        table.add_column(column, justify="left" if column in ("source", "licence") else "right")
    for e in entries:
        numbers = (f"{e.share:.1%}", f"{e.unique_tokens:,}", f"{e.epochs:.2f}", f"{e.tokens:,}", f"{e.rows:,}")
        table.add_row(e.name, *numbers, ", ".join(e.licences))
    Console().print(table)
    if args.out:
        print(f"\n{sum(e.tokens for e in entries):,} tokens in {args.out}/data; the ledger is {args.out}/ledger.json")
    return 0


ACTIONS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "list": ("what the factory can make", _declare_list, _list),
    "show": ("one pipeline, and rows of it", _declare_show, _show),
    "run": ("make rows, proven, into a folder", _declare_run, _run),
    "card": ("describe a folder of rows: counts, diversity, samples, a dataset card", _declare_card, _card),
    "leaks": ("which benchmark items a training set holds, by their ids", _declare_leaks, _leaks),
    "curate": ("drop duplicates, broken texts and benchmark items, with reasons", _declare_curate, _curate),
    "mix": ("sources in shares, with a ledger of tokens and epochs", _declare_mix, _mix),
}


def _print_json(what: Any) -> int:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(what)).decode())
    return 0
