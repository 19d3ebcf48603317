"""What a pipeline is, and how its file is found.

    phiforge/data/pipelines/<family>/<name>.py     is the pipeline `family.name`

The file's docstring begins with the sentence that says what it makes. It holds `make`, `solve` and

    PIPELINE = Solver(make, solve, knobs="...")           rows that need no language model
    PIPELINE = Taught(make, seeds="passages", knobs="...")    rows that a language model writes

`make(draw, level)` makes a row's draft, `level` 1 to 5 from easy to hard. `solve(facts)` finds the answer again from the
facts alone, by another way than `make` took: by search, by another formula, by running the code. A row counts only when the
verifier accepts its response as an answer to what `solve` found.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import phiforge.data.pipelines as home
from phiforge.data.draft import Draft
from phiforge.data.draw import Draw

if TYPE_CHECKING:
    from phiforge.data.seeds import Seed
    from phiforge.data.teacher import Teacher

LEVELS = (1, 2, 3, 4, 5)

SeedKind = Literal["passages", "problems", "annotated", "code", "topics", "trivia", "requests"]


@dataclass(kw_only=True)
class Pipeline:
    """What both kinds have. `version` counts changes that make other rows; name and summary come from the file."""

    knobs: str
    verifier: str = "math"
    stages: tuple[str, ...] = ()
    version: int = 1
    name: str = field(default="", init=False)
    summary: str = field(default="", init=False)

    needs: ClassVar[str]

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]


@dataclass
class Solver(Pipeline):
    """A generator with an independent solver: every row is proven, and none needs a language model.

    Where it has `seeds`, each row is made of one of them, which `make` is given after the level.
    """

    make: Callable[..., Draft]
    solve: Callable[[dict[str, Any]], str]
    seeds: SeedKind | None = field(default=None, kw_only=True)
    needs: ClassVar[str] = "no model"


@dataclass
class Taught(Pipeline):
    """A language model writes the rows, seed by seed; what does not pass is a `Reject` with its reason.

    `solve`, where there is one, finds the answer of a row again without the model.
    """

    make: Callable[[Teacher, Seed, Draw], Coroutine[Any, Any, list[Draft | Reject]]]
    seeds: SeedKind = field(kw_only=True)
    solve: Callable[[dict[str, Any]], str] | None = None
    needs: ClassVar[str] = "a teacher"


@dataclass(frozen=True)
class Reject:
    """Something that a pipeline made and does not stand by: why, in a few words that can be counted, and what it was."""

    reason: str
    what: dict[str, Any] = field(default_factory=dict)


@cache
def names() -> tuple[str, ...]:
    """The names of all pipelines, in order. Nothing of theirs is imported."""
    found = pkgutil.walk_packages(home.__path__, f"{home.__name__}.")
    return tuple(sorted(each.name.removeprefix(f"{home.__name__}.") for each in found if _is_pipeline(each)))


def _is_pipeline(module: pkgutil.ModuleInfo) -> bool:
    return not module.ispkg and module.name.count(".") == home.__name__.count(".") + 2 and "._" not in module.name


@cache
def get(name: str) -> Solver | Taught:
    """The pipeline of this name. Raises ValueError, with near names, if there is none."""
    if name not in names():
        from difflib import get_close_matches

        near = get_close_matches(name, names(), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `phiforge data list` shows them all"
        raise ValueError(f"no pipeline is called {name!r}{hint}")
    module = import_module(f"{home.__name__}.{name}")
    pipeline = module.PIPELINE
    if not isinstance(pipeline, Solver | Taught):
        raise TypeError(f"{module.__file__}: PIPELINE is a {type(pipeline).__name__}, not a Solver or Taught")
    pipeline.name = name
    pipeline.summary = (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return pipeline


def chosen(patterns: list[str]) -> list[Solver | Taught]:
    """The pipelines that any of the patterns names: `words.money`, `words`, `words.*`, `all`, `solvers`, `taught`.

    Raises ValueError for a pattern that names none.
    """
    from fnmatch import fnmatchcase

    found: dict[str, Solver | Taught] = {}
    for pattern in patterns:
        if pattern in ("all", "solvers", "taught"):
            kind = {"all": (Solver, Taught), "solvers": Solver, "taught": Taught}[pattern]
            matching = [name for name in names() if isinstance(get(name), kind)]
        else:
            matching = [n for n in names() if fnmatchcase(n, pattern) or n.startswith(f"{pattern}.")]
        if not matching:
            get(pattern)  # says what is near
        found |= {name: get(name) for name in matching}
    return list(found.values())
