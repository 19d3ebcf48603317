"""A forge carried out: data made and curated, the start measured, stages trained, the result shipped and measured beside it.

    <out>/recipe.toml          as it is carried out, its stages cut to the time there is
    <out>/data/<name>/         what the data factory made        <out>/curated/<name>/   what is left to learn from
    <out>/evals/start/, evals/made/     logs, as `phiforge eval` writes them; evals/data/ has the held-out problems
    <out>/train/               a run of `phiforge train`
    <out>/model/               the result, merged, with its card; model-int8/ and <name>.gguf, as `[ship]` asks
    <out>/clock.json           what each part took
    <out>/report.html          the story

The same command again goes on where a stopped one was: what is there is not made twice.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec import Struct

from phiforge.data import mixture
from phiforge.data.curate import filters
from phiforge.data.curate.benchmark import Item, read_items
from phiforge.data.curate.decontaminate import Decontaminator
from phiforge.data.curate.duplicates import NearDuplicates
from phiforge.data.curate.filters import CurationReport
from phiforge.data.run import Report as Made
from phiforge.evals import data as sets
from phiforge.evals import task as tasks
from phiforge.evals.compare import Comparison, compare
from phiforge.evals.log import read_items as answered
from phiforge.evals.run import execute, plan
from phiforge.forge import budget
from phiforge.forge.recipe import Eval, Forge, read_forge, write_forge
from phiforge.lm import quantise
from phiforge.lm.export import write_gguf
from phiforge.lm.local import LocalModel
from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.records import Problem, write_jsonl
from phiforge.store.models import from_path
from phiforge.train import run as training
from phiforge.train.measure import Result, question, unseen
from phiforge.train.work import Progress


class Part(Struct):
    """What a part of the work took, over all sittings. `cpu` counts all threads and processes."""

    seconds: float = 0.0
    cpu: float = 0.0


class Story(Struct):
    """What a forge came to. `left_out` says which measurements could not be taken, and why."""

    recipe: Forge
    made: dict[str, list[Made]] = {}
    curated: dict[str, CurationReport] = {}
    results: list[Result] = []
    comparisons: dict[str, Comparison] = {}  # by the eval's name
    left_out: dict[str, str] = {}
    shipped: dict[str, int] = {}  # bytes by path
    quantised: dict[str, Any] = {}
    clock: dict[str, Part] = {}


def forge(recipe: Forge, data: str | Path | None = None, progress: Progress = lambda *_: None) -> Story:
    """Carry a recipe out, or on; `data` is the folder of benchmark data sets.

    Raises ValueError if `out` holds a run of another recipe or data is not fit, and what training raises.
    """
    out = recipe.path
    story = Story(_begun(recipe))
    clock = Clock(out / "clock.json")
    story.clock = clock.parts
    folder = sets.data_folder(data)
    with clock("data"):
        places = _made(recipe, story, progress)
    with clock("curation"):
        learnt = _curated(recipe, places, folder, story, progress)
        _hold_out(recipe, places, learnt)
    with clock("measuring"):
        generated = _measure(recipe, recipe.start.model, "start", folder, story, progress)
    fitted = out / "recipe.toml"
    if not fitted.exists():
        with clock("planning"):
            spent = sum(part.seconds for part in clock.parts.values()) + clock.parts["measuring"].seconds
            write_forge(budget.cut(recipe, learnt, spent, generated, progress), fitted)
    story.recipe = recipe = read_forge(fitted)
    with clock("training"):
        used = {
            name: msgspec.structs.replace(each, path=str(learnt[name]), pipelines=[]) if name in learnt else each
            for name, each in recipe.data.items()
        }
        story.results = training.run(recipe.training(data=used), progress)
    with clock("shipping"):
        measured = _shipped(recipe, story, progress)
    with clock("measuring"):
        _measure(recipe, str(measured), "made", folder, story, progress)
    for each in recipe.eval:
        if each.name not in story.left_out:
            logs = (_log(recipe, side, each) for side in ("start", "made"))
            story.comparisons[each.name] = compare(*logs)
    return story


class Clock:
    """Parts of the work, timed over all sittings."""

    def __init__(self, file: Path) -> None:
        self._file = file
        found = file.read_bytes() if file.exists() else b"{}"
        self.parts = msgspec.json.decode(found, type=dict[str, Part])

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        part = self.parts.setdefault(name, Part())
        began, used = time.monotonic(), _cpu()
        try:
            yield
        finally:
            part.seconds += time.monotonic() - began
            part.cpu += _cpu() - used
            self._file.write_bytes(msgspec.json.format(msgspec.json.encode(self.parts)))


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _begun(recipe: Forge) -> Forge:
    """Write what was asked for, or see that it is the same."""
    out = recipe.path
    out.mkdir(parents=True, exist_ok=True)
    asked, now = out / "asked.json", msgspec.json.encode(recipe)
    if asked.exists() and msgspec.json.decode(asked.read_bytes()) != msgspec.json.decode(now):
        raise ValueError(f"{out} holds a forge of another recipe: name another with --out, or delete it")
    asked.write_bytes(now)
    return recipe


# --- data -----------------------------------------------------------------------------------------------------------


def _made(recipe: Forge, story: Story, progress: Progress) -> dict[str, str]:
    """Where each source of rows is. Texts, environments and what is not at hand are left to the stages."""
    places: dict[str, str] = {}
    for name, data in recipe.data.items():
        if not (data.pipelines or data.path) or _is_text(data.path):
            continue
        place = training.make_data(recipe, name, data, progress)
        assert isinstance(place, str)
        places[name] = place
        if data.pipelines:
            story.made[name] = msgspec.json.decode(Path(place, "report.json").read_bytes(), type=list[Made])
    return places


def _is_text(path: str) -> bool:
    return bool(path) and any(file.suffix == ".txt" for file in mixture.files(path))


def _curated(recipe: Forge, places: dict[str, str], folder: Path, story: Story, progress: Progress) -> dict[str, Path]:
    """The sources that stages learn from, without duplicates and benchmark items."""
    wanted = {name for stage in recipe.stage for name in stage.sources} & places.keys()
    items = [item for path in recipe.curate.against for item in read_items(path)]
    for each in recipe.eval:
        if each.task:
            items += _benchmark(each, folder, story)
    found: dict[str, Path] = {}
    for name in sorted(wanted):
        place = found[name] = recipe.path / "curated" / name
        if not (place / "report.json").exists():
            shutil.rmtree(place, ignore_errors=True)
            leaks = Decontaminator(items) if items else None
            near = NearDuplicates(recipe.curate.near) if recipe.curate.near < 1 else None
            filters.curate(
                filters.opened(places[name]), str(place), filters.standard(decontaminator=leaks), near=near,
                decontaminator=leaks, progress=lambda what, n, name=name: progress(f"curating {name}: {what} {n:,}", None),
            )  # fmt: skip
        story.curated[name] = msgspec.json.decode((place / "report.json").read_bytes(), type=CurationReport)
    return found


def _benchmark(each: Eval, folder: Path, story: Story) -> list[Item]:
    """The items of a benchmark, as decontamination looks for them. What is missing is noted, and not measured either."""
    name, _, part = each.task.partition(":")
    task = tasks.get(name)
    source = task.data[task.split]
    if not isinstance(source, tasks.Files):
        return []
    try:
        problems = sets.problems(task, sets.load(source, folder), task.split, part)
    except ValueError as error:
        story.left_out[each.name] = str(error)
        return []
    said = ((problem, problem.verifier_args.get("options") or ()) for problem in problems)
    if task.protocol(each.protocol)[1].kind == "perplexity":
        return []  # a text is no item; what is learnt here is made, not read
    return [
        Item(each.task, problem.id, "\n".join([question(problem), *map(str, options)])) for problem, options in said
    ]


def _hold_out(recipe: Forge, places: dict[str, str], learnt: dict[str, Path]) -> None:
    """Write the problems that are measured on: those of a source whose question is in no stage's data."""
    asked = [each for each in recipe.eval if each.data]
    target = recipe.path / "evals/data/problems"
    if not asked or all((target / f"{each.data}.jsonl").exists() for each in asked):
        return
    target.mkdir(parents=True, exist_ok=True)
    seen = {question(row.problem) for place in learnt.values() for row in mixture.rows(str(place))}
    for each in asked:
        problems = (row.problem for row in mixture.rows(places[each.data]))
        write_jsonl(target / f"{each.data}.jsonl", _apart(unseen(problems, seen, each.limit)))


def _apart(problems: list[Problem]) -> list[Problem]:
    """With ids of their own, as rows of several pipelines may share one."""
    return [msgspec.structs.replace(problem, id=f"{i}-{problem.id}") for i, problem in enumerate(problems)]


# --- measuring ------------------------------------------------------------------------------------------------------


def _measure(recipe: Forge, model: str, side: str, folder: Path, story: Story, progress: Progress) -> float:
    """Run every eval of one side into its log. Returns how many tokens a second were written."""
    wanted = [each for each in recipe.eval if each.name not in story.left_out]
    if not wanted:
        return 0.0
    kind = recipe.ship.quantise or "auto"
    tokens = seconds = 0.0
    with LocalModel.open(model, dtype="auto" if side == "made" else kind) as lm:
        for each in wanted:
            home = recipe.path / "evals/data" if each.data else folder
            planned = plan(each.name, lm, home, each.options())
            said = f"measuring {each.title}, {side}"
            done = execute(
                planned, lm, _log(recipe, side, each), each.options(),
                progress=lambda at, said=said: progress(f"{said}: {at.done} of {at.total}", None),
            )  # fmt: skip
            if done.kind == "generate":
                tokens += sum(item.tokens_out for item in answered(_log(recipe, side, each)))
                seconds += done.seconds
    return tokens / seconds if seconds else 0.0


def _log(recipe: Forge, side: str, each: Eval) -> Path:
    return recipe.path / "evals" / side / each.name.replace(":", "-")


# --- shipping -------------------------------------------------------------------------------------------------------


def _shipped(recipe: Forge, story: Story, progress: Progress) -> Path:
    """Write the model in its forms. Returns the one that is measured."""
    out, ship = recipe.path, recipe.ship
    model = out / "model"
    if not model.exists():
        progress("merging", None)
        part = _fresh(out / ".model.part")
        done = training.network(recipe.training(), len(recipe.stage))
        checkpoint.save(done.to(getattr(torch, recipe.dtype)), part)
        for file in (out / "train/start").iterdir():  # the tokenizer
            shutil.copyfile(file, part / file.name)
        part.rename(model)
    source = open_source(from_path(model, recipe.name))
    forms = [model]
    if ship.quantise:
        forms.append(out / f"model-{ship.quantise}")
        if not forms[-1].exists():
            progress(f"quantising to {ship.quantise}", None)
            part = _fresh(out / ".quantised.part")
            quantise.write(from_path(model, recipe.name), source, part, ship.quantise)
            part.rename(forms[-1])
        story.quantised = msgspec.json.decode((forms[-1] / quantise.MANIFEST).read_bytes())["evaluation"]
    if ship.gguf:
        file = out / f"{recipe.name}-{ship.gguf}.gguf"
        if not file.exists():
            progress(f"writing {file.name}", None)
            part = file.with_suffix(".part")
            write_gguf(source, part, ship.gguf, recipe.name)
            part.rename(file)
        story.shipped[str(file)] = file.stat().st_size
    for form in forms:
        story.shipped[str(form)] = sum(file.stat().st_size for file in form.iterdir())
    return forms[-1]


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
