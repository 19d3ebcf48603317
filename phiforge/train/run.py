"""A recipe carried out: data made, tokenizer learnt, stage after stage trained and measured, the report written.

    <out>/run.json                the recipe, and the versions that carry it out
    <out>/data/<name>/            what the data factory made
    <out>/start/                  the tokenizer, and the weights of a network from scratch
    <out>/<n>-<stage>/            metrics.jsonl, checkpoints/, at the end model/ (or adapter/) and stage.json
    <out>/report.html

The same command again goes on where a stopped one was: what is there is not made twice. A recipe that has more stages than the
one of the run goes on from its end. Under `torchrun`, all processes carry
it out together, on one folder: the first makes, measures, reports and writes, and all of them train.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from msgspec.structs import replace

import phiforge
from phiforge.chat import dialects
from phiforge.chat.tokenizer import Tokenizer
from phiforge.data import mixture
from phiforge.data import run as factory
from phiforge.files import whole
from phiforge.lm.sources import open_source
from phiforge.model.phi3 import Phi3
from phiforge.store.models import find
from phiforge.train import distributed, environments, report
from phiforge.train import tokenizer as vocabulary
from phiforge.train.course import Course
from phiforge.train.environments import Environment
from phiforge.train.loop import SPIKE, Step
from phiforge.train.measure import Result
from phiforge.train.recipe import Data, Recipe
from phiforge.train.work import Progress


class _About(Struct, frozen=True):
    """What run.json holds."""

    recipe: Recipe
    phiforge: str
    torch: str


def _silent(what: str, step: Step | None) -> None:
    pass


def run(recipe: Recipe, progress: Progress = _silent) -> list[Result]:
    """Carry a recipe out, or on. Raises ValueError if `out` holds a run of another recipe, or data is not fit."""
    out = Path(recipe.out).expanduser()
    chief = distributed.rank() == 0
    if not chief:
        progress = _silent
    distributed.by_first(lambda: _describe(out, recipe))
    data = {name: make_data(recipe, name, each, progress) for name, each in recipe.data.items()}
    tokenizer = _tokenizer(recipe, data, progress)
    course = Course(recipe, data, tokenizer, progress)
    results: list[Result] = []
    for number in range(len(recipe.stage)):
        results.append(course.result(number) or course.train(number))
        if chief:
            report.write(recipe, results, out)
    return results


def network(recipe: Recipe, done: int) -> Phi3:
    """The network after so many stages, fp32, adapters merged. Raises OSError where one of them has not ended."""
    tokenizer = _tokenizer(recipe, {}, lambda *_: None)
    return Course(recipe, {}, tokenizer, lambda *_: None).model(done)


def _describe(out: Path, recipe: Recipe) -> None:
    """Write run.json: what is made, and by which versions."""
    file = out / "run.json"
    if file.exists():
        there = _recipe_of(file)
        if there == recipe:
            return
        begun = there and replace(
            recipe, stage=recipe.stage[: len(there.stage)], data={name: recipe.data.get(name) for name in there.data}
        )
        if not there or not begun or _made(begun) != _made(there):
            raise ValueError(f"{out} holds a run of another recipe: name another `out`, or delete it")
    about = _About(recipe, phiforge.__version__, str(torch.__version__))
    with whole(file) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(about)))


def _made(recipe: Recipe) -> Recipe:
    """What decides the weights; not what stops a run."""
    return replace(recipe, stage=[replace(stage, spike=SPIKE) for stage in recipe.stage])


def _recipe_of(file: Path) -> Recipe | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_About).recipe
    except msgspec.MsgspecError:  # of a version that knew other keys
        return None


def make_data(recipe: Recipe, name: str, data: Data, progress: Progress) -> str | Environment:
    """Where the data is, made by the factory if it has pipelines; or the environment that it is."""
    if data.path:
        return data.path
    if data.environment:
        kind, _, task = data.environment.partition(":")
        make = {"reasoning_gym": lambda: environments.reasoning_gym(task, data.rows, seed=data.seed),
                "verifiers": lambda: environments.verifiers(task, data.rows)}  # fmt: skip
        return make[kind]()
    progress(f"making {name}", None)
    place = str(Path(recipe.out).expanduser() / "data" / name)
    distributed.by_first(lambda: factory.execute(factory.plan(data.making(place))))
    return place


def _tokenizer(recipe: Recipe, data: dict[str, str | Environment], progress: Progress) -> Tokenizer:
    """The start's tokenizer, in the folder `start`; learnt there if the recipe says so."""
    folder = Path(recipe.out).expanduser() / "start"
    distributed.by_first(lambda: _learn(recipe, folder, data, progress))
    return Tokenizer.from_folder(folder)


def _learn(recipe: Recipe, folder: Path, data: dict[str, str | Environment], progress: Progress) -> None:
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if recipe.tokenizer:
            progress("learning the tokenizer", None)
            places = [each for name in recipe.tokenizer.data if isinstance(each := data[name], str)]
            texts = (text for place in places for text in mixture.texts(place))
            vocabulary.learn(texts, recipe.tokenizer.size).save(folder)
        elif recipe.start.preset:  # of a member; a nano has a [tokenizer]
            Tokenizer.for_preset(recipe.start.preset).save(folder)
        else:
            open_source(find(recipe.start.model)).companions(folder)
            if recipe.start.format:
                tokenizer = Tokenizer.from_folder(folder)
                tokenizer.chat_template = dialects.get(recipe.start.format).jinja
                (folder / "chat_template.jinja").unlink(missing_ok=True)
                tokenizer.save(folder)
