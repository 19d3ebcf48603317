"""A run of the data factory: from pipelines and seeds to Parquet, in batches that a killed run need not make again.

    <out>/run.json            what was asked for
    <out>/batches/…           finished batches, until their pipeline is whole
    <out>/data/<pipeline>/    train-00000-of-00001.parquet: the rows, `Example` records
    <out>/rejects/            what was made and not kept, with reasons
    <out>/report.json         counts, reasons, times, the teacher's use

What a batch holds follows from the run's seed, its pipeline and its place, so a run that was killed, moved to Ray or given
other workers ends in the same bytes. The batches are rows of a Daft table; Daft runs them here or on Ray.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from phiforge.data import pipeline as registry
from phiforge.data import seeds as seedbed
from phiforge.data.draft import Length
from phiforge.data.pipeline import LEVELS, Reject, Solver, Taught
from phiforge.data.place import Place
from phiforge.data.rows import Options, make_row, question, taught_rows
from phiforge.records import Example
from phiforge.store.machine import machine

ROWS_A_BATCH = 250
SEEDS_A_BATCH = 16
ROWS_A_FILE = 50_000


class TeacherChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """Which language model teaches: a pulled one, a path, or http://host/v1#name of an OpenAI-compatible server."""

    model: str = ""  # smollm2-135m-instruct if empty
    concurrency: int = 8
    price_in: float = 0.0  # currency a million tokens
    price_out: float = 0.0
    cache: str = ""  # the file of its answers; teacher.sqlite in the run's folder if empty


class Make(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of some pipelines. `rows` of each: of solver pipelines as many, of taught ones as many seeds. `seeds` are for those
    that start from some."""

    pipelines: list[str]
    rows: int = 1000
    level: int = 0
    length: str = "mixed"
    seeds: str = ""
    column: str = "text"
    licence: str = ""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What to make, where to put it, and on what it runs. `workers` 0 means one a core."""

    out: str
    make: list[Make]
    seed: int = 0
    engine: Literal["native", "ray"] = "native"
    ray_address: str = ""
    workers: int = 0
    teacher: TeacherChoice = TeacherChoice()


class Job(Struct, frozen=True):
    """One pipeline's part of a run, checked."""

    pipeline: str
    version: int
    rows: int
    options: Options
    seeds: str = ""
    column: str = "text"
    licence: str = ""

    def batches(self) -> list[tuple[int, int]]:
        """First row and number of rows of each batch."""
        size = ROWS_A_BATCH if isinstance(registry.get(self.pipeline), Solver) else SEEDS_A_BATCH
        return [(first, min(size, self.rows - first)) for first in range(0, self.rows, size)]


class Batch(Struct):
    """What a worker made: rows, rejects, and what it took."""

    rows: list[Example]
    rejects: list[Reject]
    seconds: float
    teacher: dict[str, float] = {}


class Report(Struct):
    """What became of one pipeline. `seconds` are a worker's, summed."""

    pipeline: str
    version: int
    asked: int = 0
    kept: int = 0
    rejected: dict[str, int] = {}
    seconds: float = 0.0
    characters: int = 0
    teacher: dict[str, float] = {}

    @property
    def rows_per_second(self) -> float:
        return self.kept / self.seconds if self.seconds else 0.0


class Progress(Struct):
    """How far a run is; `jobs` counts finished pipelines."""

    what: str
    done: int
    total: int
    kept: int
    rejected: int
    characters: int
    teacher: dict[str, float] = {}


class Plan(Struct, frozen=True):
    """A config that can be run: what is wrong with one is said here, before any work."""

    config: Config
    jobs: list[Job]


def read_config(path: str | os.PathLike[str]) -> Config:
    """A config from a TOML file. Raises ValueError that names the wrong key or value."""
    try:
        return msgspec.toml.decode(Path(path).read_bytes(), type=Config)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}") from None


def plan(config: Config) -> Plan:
    """Check a config whole. Raises ValueError or OSError for a missing pipeline, file, column or model."""
    jobs: dict[str, Job] = {}
    if not config.make:
        raise ValueError("nothing to make: the config has no [[make]]")
    for make in config.make:
        if make.rows < 1:
            raise ValueError(f"rows = {make.rows}: at least one row has to be made")
        if make.level not in (0, *LEVELS):
            raise ValueError(f"level = {make.level}: expected 1 to {LEVELS[-1]}, or 0 for all")
        if make.length not in (lengths := (*get_args(Length), "mixed")):
            raise ValueError(f"length = {make.length!r}: expected one of {', '.join(lengths)}")
        for pipeline in registry.chosen(make.pipelines):
            if pipeline.name in jobs:
                raise ValueError(f"{pipeline.name} is asked for twice; give it one [[make]]")
            rows = make.rows
            if pipeline.seeds:
                found = _seeds(pipeline.seeds, make.seeds, make.column, make.licence)
                rows = min(rows, len(found)) if isinstance(pipeline, Taught) else rows
            jobs[pipeline.name] = Job(
                pipeline.name,
                pipeline.version,
                rows,
                Options(config.seed, make.level, make.length),
                *(make.seeds, make.column, make.licence) if pipeline.seeds else (),
            )
    return Plan(config, list(jobs.values()))


def execute(plan: Plan, progress: Callable[[Progress], None] = lambda _: None) -> list[Report]:
    """Run a plan to its end, or on from where an earlier run of the same plan stopped. Returns a report a pipeline.

    Raises ValueError if the folder holds a run of another plan, or another process fills it.
    """
    place = Place(plan.config.out)
    with place.held():
        return _execute(plan, place, progress)


def _execute(plan: Plan, place: Place, progress: Callable[[Progress], None]) -> list[Report]:
    asked_for = msgspec.json.format(msgspec.json.encode(plan.jobs))
    there = place.read("run.json")
    if there is not None and there != asked_for:
        raise ValueError(
            f"{plan.config.out} holds another run (see its run.json): choose another folder, or delete it"
        )
    if there is not None and (done := place.read("report.json")) is not None:
        return msgspec.json.decode(done, type=list[Report])
    place.write("run.json", asked_for)
    finished = set(place.names("batches")) | set(place.names("reports"))
    state = Progress("", 0, sum(job.rows for job in plan.jobs), 0, 0, 0)
    left: dict[str, set[int]] = {}
    todo: list[dict[str, Any]] = []
    for job in plan.jobs:
        if f"reports/{job.pipeline}.json" in finished:
            _count(state, job.pipeline, job.rows, _report(place, job))
            continue
        batches = job.batches()
        left[job.pipeline] = {first for first, _ in batches}
        todo += [{"job": job, "first": first, "count": count} for first, count in batches]
    by_name = {job.pipeline: job for job in plan.jobs}

    def note(name: str, first: int, made: Report) -> None:
        """A batch is there; with a pipeline's last one its file is written."""
        left[name].discard(first)
        _count(state, name, made.asked, made)
        progress(state)
        if not left[name]:
            _finish(place, by_name[name])

    progress(state)
    new = [task for task in todo if _batch_name(task["job"].pipeline, task["first"]) not in finished]
    for task in todo:
        if _batch_name(task["job"].pipeline, task["first"]) in finished:
            batch = _read_batch(place, task["job"].pipeline, task["first"])
            note(task["job"].pipeline, task["first"], _summary(task["job"], task["count"], batch))
    for name, first, made in _work(plan.config, new):
        note(name, first, made)
    reports = [_report(place, job) for job in plan.jobs]
    place.write("report.json", msgspec.json.format(msgspec.json.encode(reports)))
    place.remove("batches")
    place.remove("reports")
    return reports


def _work(config: Config, tasks: list[dict[str, Any]]) -> Iterator[tuple[str, int, Report]]:
    """Have the tasks done: those without a teacher on every core, then those with one."""
    for taught in (False, True):
        some = [task for task in tasks if isinstance(registry.get(task["job"].pipeline), Taught) == taught]
        if some:
            workers = config.workers or machine().allowed_cores
            if taught and not config.teacher.model.startswith("http"):
                workers = 1  # a local model has every core to itself already
            yield from _on_daft(config, some, min(workers, len(some)))


def _on_daft(config: Config, tasks: list[dict[str, Any]], workers: int) -> Iterator[tuple[str, int, Report]]:
    import daft

    _choose_engine(config.engine, config.ray_address)
    choice = msgspec.json.encode(config.teacher).decode()
    worker = daft.cls(Worker, max_concurrency=workers, use_process=True)(config.out, choice, os.getpid())
    table = daft.from_pydict({"task": [msgspec.json.encode(task).decode() for task in tasks]})
    for row in table.into_batches(1).select(worker.make(table["task"]).alias("made")).iter_rows(1):
        name, first, report = msgspec.json.decode(row["made"], type=tuple[str, int, Report])
        yield name, first, report


@cache
def _choose_engine(engine: str, ray_address: str) -> None:
    """Once a process: Daft can't be told twice. Raises ValueError for another engine than before."""
    import daft
    from daft.exceptions import DaftCoreException

    try:
        if engine == "native":
            daft.set_runner_native()
            return
        try:
            import ray  # pyright: ignore[reportMissingImports] -- an extra
        except ImportError:
            raise ValueError('the ray engine needs Ray, which is not installed: pip install "phiforge[ray]"') from None

        if not ray.is_initialized() and not ray_address:  # on loopback, without the dashboard it would open
            ray.init(include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
        daft.set_runner_ray(ray_address or None)
    except DaftCoreException as error:
        raise ValueError(f"this process runs on another engine than {engine} already: {error}") from None


class Worker:
    """One process of a run: makes batches and puts them where the run wants them."""

    def __init__(self, out: str, teacher: str, parent: int) -> None:
        self.place = Place(out)
        self.choice = msgspec.json.decode(teacher, type=TeacherChoice)
        self.teacher: Any = None

    def make(self, task: str) -> str:
        asked_for = msgspec.json.decode(task)
        job = msgspec.convert(asked_for["job"], Job)
        first, count = asked_for["first"], asked_for["count"]
        started = time.perf_counter()
        pipeline = registry.get(job.pipeline)
        if isinstance(pipeline, Solver):
            batch = _solver_batch(pipeline, job, first, count)
        else:
            batch = self._taught_batch(pipeline, job, first, count)
        batch.seconds = time.perf_counter() - started
        self.place.write(_batch_name(job.pipeline, first), msgspec.msgpack.encode(batch))
        return msgspec.json.encode((job.pipeline, first, _summary(job, count, batch))).decode()

    def _taught_batch(self, pipeline: Taught, job: Job, first: int, count: int) -> Batch:
        import asyncio

        from phiforge.data.teacher import Teacher

        if self.teacher is None:
            cache = self.choice.cache or self.place.path("teacher.sqlite")
            self.teacher = Teacher.open(self.choice, cache)
        seeds = _seeds(pipeline.seeds, job.seeds, job.column, job.licence)[first : first + count]
        before = self.teacher.used()
        rows, rejects = asyncio.run(taught_rows(pipeline, self.teacher, seeds, job.options))
        used = {key: value - before[key] for key, value in self.teacher.used().items()}
        return Batch(rows, rejects, 0.0, used)


def _solver_batch(pipeline: Solver, job: Job, first: int, count: int) -> Batch:
    batch, seen = Batch([], [], 0.0), set[str]()
    seeds = _seeds(pipeline.seeds, job.seeds, job.column, job.licence) if pipeline.seeds else []
    for number in range(first, first + count):
        made = make_row(pipeline, number, job.options, seen, seeds)
        if isinstance(made, Example):
            batch.rows.append(made)
        else:
            batch.rejects.append(made)
    return batch


@lru_cache(maxsize=4)
def _seeds(kind: str, path: str, column: str, licence: str) -> list[seedbed.Seed]:
    return seedbed.read(path, column, licence) if path else seedbed.own(kind)


def _batch_name(pipeline: str, first: int) -> str:
    return f"batches/{pipeline}/{first:09}.msgpack"


def _read_batch(place: Place, pipeline: str, first: int) -> Batch:
    content = place.read(_batch_name(pipeline, first))
    assert content is not None, f"{place.path(_batch_name(pipeline, first))} went away while the run was on"
    return msgspec.msgpack.decode(content, type=Batch)


def _summary(job: Job, count: int, batch: Batch) -> Report:
    """A batch in numbers."""
    reasons = Counter(reject.reason for reject in batch.rejects)
    return Report(
        job.pipeline,
        job.version,
        asked=count,
        kept=len(batch.rows),
        rejected=dict(sorted(reasons.items())),
        seconds=batch.seconds,
        characters=sum(_characters(row) for row in batch.rows),
        teacher=batch.teacher,
    )


def _characters(row: Example) -> int:
    asked_for = sum(len(message.text) for message in row.problem.messages)
    return asked_for + len(row.response.text) + len(row.response.thinking or "")


def _finish(place: Place, job: Job) -> None:
    """Make a pipeline's files of its batches, in order. What an earlier batch asked already is drawn anew, or dropped."""
    pipeline, seen = registry.get(job.pipeline), set[str]()
    report, files = Report(job.pipeline, job.version), 0
    rows: list[Example] = []
    rejects: list[Reject] = []
    for first, count in job.batches():
        batch = _read_batch(place, job.pipeline, first)
        made = [_once(pipeline, row, job, seen) for row in batch.rows]
        batch.rows = [row for row in made if isinstance(row, Example)]
        batch.rejects += [row for row in made if isinstance(row, Reject)]
        _add(report, _summary(job, count, batch))
        rows += batch.rows
        rejects += batch.rejects
        while len(rows) >= ROWS_A_FILE or (rows and first + count >= job.rows):
            place.write_examples(f"data/{job.pipeline}/train-{files:05}.parquet", rows[:ROWS_A_FILE])
            rows, files = rows[ROWS_A_FILE:], files + 1
    if rejects:
        place.write(f"rejects/{job.pipeline}.jsonl", msgspec.json.Encoder().encode_lines(rejects))
    place.write(f"reports/{job.pipeline}.json", msgspec.json.encode(report))


def _once(pipeline: Solver | Taught, row: Example, job: Job, seen: set[str]) -> Example | Reject:
    asked = question(row.problem)
    if asked not in seen:
        seen.add(asked)
        return row
    if isinstance(pipeline, Solver):
        return make_row(pipeline, int(row.problem.id.rpartition("/")[2]), job.options, seen)
    return Reject("asked before", {"problem": asked})


def _report(place: Place, job: Job) -> Report:
    content = place.read(f"reports/{job.pipeline}.json")
    assert content is not None, f"{job.pipeline} has no report"
    return msgspec.json.decode(content, type=Report)


def _add(total: Report, part: Report) -> None:
    total.asked += part.asked
    total.kept += part.kept
    total.seconds += part.seconds
    total.characters += part.characters
    total.rejected = dict(Counter(total.rejected) + Counter(part.rejected))
    total.teacher = {key: total.teacher.get(key, 0) + value for key, value in part.teacher.items()} or total.teacher


def _count(state: Progress, name: str, rows: int, made: Report) -> None:
    state.what = name
    state.done += rows
    state.kept += made.kept
    state.rejected += sum(made.rejected.values())
    state.characters += made.characters
    state.teacher = {key: state.teacher.get(key, 0) + value for key, value in made.teacher.items()} or state.teacher
