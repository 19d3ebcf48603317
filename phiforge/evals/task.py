"""What a task is, and how its file is found.

    phiforge/evals/tasks/<name>.py     is the task <name>

The file's docstring begins with the sentence that says what it measures. It holds a function that makes a `Problem` of a
row, and

    TASK = Task(data={"test": Files(folder="gsm8k", files="test.jsonl", get="...")}, item=item, protocols={...})

The first split of `data` is the one measured, the first protocol the default. `NAME:PART` asks for a part of a task: a subset
of its items (MMLU's subject), or what a generated task makes of it (`reasoning_gym:leg_counting`).
`Problem.metadata` keys with a meaning here: `subset`, `cluster` (items that share a passage or a template; standard errors
respect it), `solution`, `tools`, `follow_ups`, `context` (tokens that a model must be able to read). An item without an id is
`<task>/<split>/<index of its row>`, and `.../<its place in the row>` where a row makes several.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Literal

import phiforge.evals.tasks as home
from phiforge.evals.protocol import Protocol
from phiforge.records import Problem

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Files:
    """A split of a data set: files in a local folder, or a split on the hub.

    `folder` and `files` (a glob) are inside the folder of data sets; formats are .jsonl, .json, .csv with a header, .tsv
    without, .parquet and .txt, also with .gz. A row of a local file has its stem as `_file`. `sha256` pins the files: of
    `data.checksum`. `hub` is the id of a data set there, `revision` its commit; `config` may name several, with commas, and
    is then the rows' `_file`. `only` picks the split's rows of files that hold more. `more` (a glob in `folder`) are files
    with further columns of the rows that have the same `key`; a row may be without. `get` says how to come by the data, and
    under what licence.
    """

    folder: str = ""
    files: str = "*.jsonl"
    only: Callable[[Row], bool] | None = None
    more: str = ""
    key: str = ""
    sha256: str = ""
    hub: str = ""
    config: str = ""
    split: str = "test"
    revision: str = ""
    get: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """Items that a seeded generator makes: make(part, seed, n) gives n rows, the same for the same three."""

    make: Callable[[str, int, int], Iterable[Row]]
    n: int = 100
    parts: Callable[[], Iterable[str]] = tuple  # what `NAME:PART` may ask for
    default_part: str = ""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Known scores by model, in percent, with the protocol they were measured under and where they stand."""

    scores: Mapping[str, float]
    protocol: str
    source: str


@dataclass(kw_only=True)
class Task:
    """`item(row, index)` makes a problem of a row, or several; None leaves the row out.

    `shots` names the split that has worked examples: the first ones of the item's subset. `version` counts changes that make
    scores incomparable. `metric` is the headline figure: the share of items that are right; the mean score, where part marks
    count; or F1, where an answer need not be attempted (measure `attempted`): the harmonic mean of the share that is right
    and that share of the attempted ones. `published` are known scores by model, in percent, with the protocol they were
    measured under in `published_as`; `source` says where they stand. Scores by other protocols are in `also_published`.
    """

    data: Mapping[str, Files | Made]
    item: Callable[[Row, int], Problem | list[Problem] | None]
    protocols: Mapping[str, Protocol]
    shots: str = ""
    metric: Literal["right", "score", "f1"] = "right"
    version: int = 1
    published: Mapping[str, float] = field(default_factory=dict)
    published_as: str = ""
    source: str = ""
    also_published: Sequence[Scores] = ()
    name: str = field(default="", init=False)
    summary: str = field(default="", init=False)

    @property
    def split(self) -> str:
        """The split that is measured."""
        return next(iter(self.data))

    @property
    def publications(self) -> list[Scores]:
        """All published scores, the main ones first."""
        main = (
            [Scores(scores=self.published, protocol=self.published_as, source=self.source)] if self.published else []
        )
        return [*main, *self.also_published]

    def protocol(self, name: str = "") -> tuple[str, Protocol]:
        """The protocol of this name with its name, or the default one. Raises ValueError where there is none."""
        name = name or next(iter(self.protocols))
        if name not in self.protocols:
            raise ValueError(f"{self.name} has no protocol {name!r}: it has {', '.join(self.protocols)}")
        return name, self.protocols[name]


@cache
def names() -> tuple[str, ...]:
    """The names of all tasks, in order. Nothing of theirs is imported."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(home.__path__) if not m.name.startswith("_")))


@cache
def get(name: str) -> Task:
    """The task of this name, without a part, or of lm-eval's task file at this path. Raises ValueError, with near names, if
    there is none."""
    if name.endswith((".yaml", ".yml")):
        return import_module("phiforge.evals.lm_eval_yaml").read(name)
    if name not in names():
        from difflib import get_close_matches

        near = get_close_matches(name, names(), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `phiforge eval list` shows them all"
        raise ValueError(f"no task is called {name!r}{hint}")
    module = import_module(f"{home.__name__}.{name}")
    task = module.TASK
    if not isinstance(task, Task):
        raise TypeError(f"{module.__file__}: TASK is a {type(task).__name__}, not a Task")
    task.name = name
    task.summary = (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return task
