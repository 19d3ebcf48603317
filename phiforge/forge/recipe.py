"""What a forge makes: a training recipe, and around it what is kept out of the data, what is measured, what is shipped.

name = "smollm2-clerk"
out = "runs/clerk"
about = "Answers questions about opening hours, and says so when a day is closed."
...                                   # [start], [data.NAME], [[stage]]: as `phiforge/train/recipe.py` has them

[[eval]]
data = "test"                         # problems of [data.test] that are in no stage's data
learn = true                          # what it is for; the others must not get worse
limit = 100

[[eval]]
task = "mmlu"                         # any of `phiforge eval list`; left out, and said, where its data is missing
limit = 200

[ship]
quantise = "int8"
gguf = "q8_0"
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from phiforge.evals import task as tasks
from phiforge.evals.run import Options
from phiforge.files import whole
from phiforge.lm.export import BITS
from phiforge.train.recipe import Recipe
from phiforge.train.recipe_file import check, check_here, decode


class Eval(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A measurement of the start and of what is made: `task` of the benchmarks, or held-out problems of the source `data`.
    `learn` marks what the recipe is for."""

    task: str = ""
    data: str = ""
    learn: bool = False
    protocol: str = ""
    limit: int = 100
    max_tokens: int | None = None

    @property
    def name(self) -> str:
        """As `phiforge eval` calls it."""
        return self.task or f"problems:{self.data}"

    @property
    def title(self) -> str:
        return self.task or f"{self.data} (held out)"

    def options(self) -> Options:
        return Options(protocol=self.protocol, limit=self.limit, max_new_tokens=self.max_tokens)


class Curate(Struct, frozen=True, forbid_unknown_fields=True):
    """`near` is the similarity from which of two rows one is dropped; from 1 on none. `against` are files of items that may not
    be in the data, besides those of every `[[eval]]`."""

    near: float = 0.95
    against: list[str] = []


class Ship(Struct, frozen=True, forbid_unknown_fields=True):
    """The forms besides `model/`, which is stored as the recipe's `dtype` says; empty for none. What is measured is the
    quantised one, start and result alike."""

    quantise: Literal["", "int8", "int4"] = "int8"
    gguf: str = ""


class Forge(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`minutes` is the time all of it may take on the machine at hand; without, stages are as long as they say."""

    name: str
    about: str = ""
    minutes: float | None = None
    curate: Curate = Curate()
    eval: list[Eval] = []
    ship: Ship = Ship()

    def training(self, **changes: Any) -> Recipe:
        """What of it `phiforge train` carries out."""
        fields = {name: getattr(self, name) for name in Recipe.__struct_fields__}
        return Recipe(**fields | {"out": str(self.path / "train"), "measure": None} | changes)

    @property
    def path(self) -> Path:
        return Path(self.out).expanduser()


def read_forge(path: str | os.PathLike[str]) -> Forge:
    """Raises OSError for a missing file, ValueError naming the file and what is wrong in it."""
    try:
        recipe = decode(Path(path).read_bytes(), Forge)
        check_forge(recipe)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return recipe


def write_forge(recipe: Forge, file: Path) -> Path:
    """Write a recipe with what is not a default. The file appears whole or not at all."""
    with whole(file) as partial:
        partial.write_bytes(msgspec.toml.encode(_without_defaults(msgspec.to_builtins(recipe), recipe)))
    return file


def _without_defaults(found: Any, of: Any) -> Any:
    if isinstance(of, list):
        return [_without_defaults(*pair) for pair in zip(found, of, strict=True)]
    if isinstance(of, dict):
        return {name: _without_defaults(found[name], each) for name, each in of.items()}
    if not isinstance(of, Struct):
        return found
    defaults = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields(of)}
    changed = (name for name in found if name not in defaults or getattr(of, name) != defaults[name])
    return {name: _without_defaults(found[name], getattr(of, name)) for name in changed}


def check_forge(recipe: Forge) -> None:
    """Raises ValueError for what cannot be carried out, before any work."""
    check(recipe)
    check_here(recipe)
    if not recipe.start.model:
        raise ValueError("[start] needs a model to make better: `phiforge train` begins from random weights")
    if recipe.minutes is not None and recipe.minutes <= 0:
        raise ValueError(f"minutes = {recipe.minutes} must be above 0")
    if recipe.ship.gguf not in ("", *BITS):
        raise ValueError(f"ship.gguf = {recipe.ship.gguf!r} is not known: {', '.join(BITS)}")
    for path in recipe.curate.against:
        if not Path(path).expanduser().exists():
            raise ValueError(f"curate.against: there is no file {path}")
    for each in recipe.eval:
        if bool(each.task) == bool(each.data):
            raise ValueError("[[eval]] needs one of task and data")
        if each.data and each.data not in recipe.data:
            raise ValueError(f"[[eval]]: there is no [data.{each.data}]; there are {', '.join(recipe.data)}")
        if each.limit < 1:
            raise ValueError(f"[[eval]] {each.title}: limit = {each.limit} must be 1 or more")
        tasks.get(each.name.partition(":")[0]).protocol(each.protocol)
    names = [each.name for each in recipe.eval]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"[[eval]] has {twice[0]} twice")
