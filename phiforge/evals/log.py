"""The log of a run: a folder that says by itself what was asked, how, of which model, and what came of every item.

    run.json       the `Run`
    items.jsonl    an `Item` a line, one for each problem and repeat, in the order of the data

While a run is under way lines stand as they came; at its end the file is put in order, so that it does not matter when items
were answered, or in how many sittings.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from phiforge.files import mended, whole_lines
from phiforge.records import write_jsonl

Outcome = Literal["right", "wrong", "truncated", "refused", "unparsable", "unclosed thought", "timeout", "error"]
OUTCOMES: tuple[Outcome, ...] = Outcome.__args__


class Weighed(Struct, frozen=True, forbid_unknown_fields=True):
    """One continuation: its summed log-likelihood, its length in tokens and in UTF-8 bytes without the leading space, and
    whether it is what greedy decoding would write."""

    text: str
    logprob: float
    tokens: int
    bytes: int
    greedy: bool


class Grade(Struct, frozen=True, forbid_unknown_fields=True):
    """What a grader says. `score` is 0 to 1; `measures` are further numbers of the item (F1, a judge's mark). The run's figure
    of "x" is its mean, or where there are "of x" too, the sum of the ones over the sum of the others."""

    outcome: Outcome
    score: float
    reason: str = ""
    extracted: str | None = None  # the final answer as found in the response
    measures: dict[str, float] = {}


class Item(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One problem, answered once. A part mark has `score` between 0 and 1 and outcome "right" only where it is full.

    A truncated answer that is right counts as right; `finish` says that it was cut. `measures` of perplexity are `logprob`,
    `tokens`, `bytes` and `words` of the text; they are to be summed, not averaged.
    """

    id: str
    repeat: int = 0
    subset: str = ""
    cluster: str = ""
    prompt: str  # as sent, in text: a conversation's turns each begin with "<|role|>\n"
    thought: str | None = None
    response: str = ""  # what is shown, thought stripped; the text of the choice; turns of follow-ups joined
    extracted: str | None = None
    gold: str = ""
    outcome: Outcome
    score: float
    reason: str = ""
    finish: str = ""  # stop, length, tool_calls
    measures: dict[str, float] = {}
    choices: list[Weighed] = []
    tokens_in: int = 0
    tokens_out: int = 0
    thought_tokens: int = 0
    seconds: float = 0.0  # from asking to graded, among others at the same time: no measure of speed

    @property
    def right(self) -> bool:
        return self.outcome == "right"


class DataUsed(Struct, frozen=True, forbid_unknown_fields=True):
    """Which items were measured: the split, where it was found, the files' checksum and whether that is the pinned one."""

    split: str
    where: str
    sha256: str
    pinned: bool
    items: int  # there are; `Run.items` of them were asked for


class Run(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was asked. Two runs compare where `task`, `part`, `protocol` and their versions, and the data are the same."""

    format: int = 1
    task: str
    part: str = ""
    task_version: int
    protocol: str
    protocol_version: int
    protocol_words: str
    kind: Literal["generate", "choice", "perplexity"]
    metric: Literal["right", "score", "f1", "perplexity"] = "right"  # the headline figure, of `Task.metric`
    verifiers: list[str]
    model: str
    model_details: dict[str, Any] = {}  # architecture, dtype, files' checksums, adapter, endpoint: as far as known
    judge: str = ""
    sampling: dict[str, Any] = {}
    repeats: int = 1
    seed: int = 0
    limit: int | None = None
    items: int
    data: DataUsed
    versions: dict[str, str] = {}
    machine: str = ""
    created: str = ""  # ISO 8601, UTC
    finished: bool = False
    stopped: str = ""  # why it is not finished: a budget, Ctrl-C
    seconds: float = 0.0  # of all sittings


IDENTITY = (
    "task", "part", "task_version", "protocol", "protocol_version", "kind", "model", "model_details", "judge", "sampling",
    "repeats", "seed", "limit", "items", "data",
)  # fmt: skip


class Log:
    """A run's folder, to write to; one process at a time. `done` are the items that are there, by (id, repeat)."""

    def __init__(self, folder: str | os.PathLike[str], run: Run) -> None:
        """Begin a run, or go on with it. Raises ValueError where the folder holds another run."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._items = self.folder / "items.jsonl"
        self.done: dict[tuple[str, int], Item] = {}
        if (self.folder / "run.json").exists():
            there = read_run(self.folder)
            for name in IDENTITY:
                old, new = getattr(there, name), getattr(run, name)
                if old != new:
                    raise ValueError(
                        f"{self.folder} holds a run with {name} {_shown(old)}, and {_shown(new)} was asked for; "
                        "give another --out, or delete it"
                    )
            run = msgspec.structs.replace(run, created=there.created, seconds=there.seconds, finished=there.finished)
            self.done = {(item.id, item.repeat): item for item in read_items(self.folder)}
        self.run = run
        self._write_run()
        mended(self._items)
        self._file = self._items.open("ab")

    def add(self, item: Item) -> None:
        """Keep an item; a kill after this returns does not lose it."""
        self._file.write(msgspec.json.encode(item) + b"\n")
        self._file.flush()
        self.done[item.id, item.repeat] = item

    def close(self, order: Sequence[tuple[str, int]], *, seconds: float, stopped: str = "") -> Run:
        """Put the items in order and say how the run ended. Items that `order` does not name are left out."""
        self._file.close()
        write_jsonl(self._items, (self.done[key] for key in order if key in self.done))
        finished = all(key in self.done for key in order)
        seconds = self.run.seconds + seconds
        self.run = msgspec.structs.replace(self.run, finished=finished, stopped=stopped, seconds=seconds)
        self._write_run()
        return self.run

    def _write_run(self) -> None:
        partial = self.folder / ".run.json.part"
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(self.run)))
        partial.replace(self.folder / "run.json")


def read_run(folder: str | os.PathLike[str]) -> Run:
    """The run of a log's folder. Raises ValueError where it holds none."""
    file = Path(folder) / "run.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Run)
    except OSError as error:
        raise ValueError(f"{folder} holds no evaluation log: {file}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"{file} is not an evaluation's run.json: {error}") from None


def read_items(folder: str | os.PathLike[str]) -> list[Item]:
    """The items of a log's folder, of a run under way too. A last line that a kill cut short is left out; any other bad line
    is a ValueError."""
    file = Path(folder) / "items.jsonl"
    decoder = msgspec.json.Decoder(Item)
    items: list[Item] = []
    for number, line in enumerate(whole_lines(file), 1):
        try:
            items.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise ValueError(f"{file}, line {number}: not an item: {error}") from None
    return items


def write_log(folder: str | os.PathLike[str], run: Run, items: Iterable[Item]) -> Path:
    """A whole log at once, as of items that came from elsewhere. Returns the folder."""
    log = Log(folder, run)
    order: list[tuple[str, int]] = []
    for item in items:
        order.append((item.id, item.repeat))
        log.add(item)
    log.close(order, seconds=0.0)
    return Path(folder)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
