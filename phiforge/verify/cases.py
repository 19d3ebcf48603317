"""The error table of a verifier: what it accepts and rejects of hand-labelled responses.

`<name>_cases.jsonl` beside a verifier holds one `Case` a line, right answers in all their forms and near misses. The maths
comparison has pairs instead (math_table.py), which are judged in both directions.
"""

from __future__ import annotations

import time
from os import PathLike
from pathlib import Path
from typing import Any

from msgspec import Struct

from phiforge import verify
from phiforge.records import Message, Problem, read_jsonl

HERE = Path(__file__).parent


class Case(Struct, frozen=True, omit_defaults=True):
    """A response to a problem with this answer and these verifier arguments, and whether it is right."""

    response: str
    answer: str
    correct: bool
    args: dict[str, Any] = {}
    category: str = ""
    note: str = ""


class Counts(Struct):
    """Of one category, or of all: how many responses are right and wrong, and how many of either were misjudged."""

    right: int = 0
    wrong: int = 0
    false_accepts: int = 0
    false_rejects: int = 0


class Misjudged(Struct, frozen=True):
    """A case that was judged wrongly, and the reason the verifier gave."""

    case: Case
    reason: str


class ErrorTable(Struct):
    """What `error_table` measured. `seconds`: wall time of each judgement, in the order of the file."""

    total: Counts
    by_category: dict[str, Counts]
    misjudged: list[Misjudged]
    seconds: list[float]

    def __str__(self) -> str:
        width = max([21, *map(len, self.by_category)]) + 1
        lines = [f"{'category':{width}}{'right':>8}{'wrong':>8}{'false accepts':>15}{'false rejects':>15}"]
        for name, c in [*self.by_category.items(), ("all", self.total)]:
            lines.append(f"{name:{width}}{c.right:8}{c.wrong:8}{c.false_accepts:15}{c.false_rejects:15}")
        ranked = sorted(self.seconds) or [0.0]
        lines.append(f"median {ranked[len(ranked) // 2] * 1e6:.0f} µs a response, slowest {ranked[-1]:.2f} s")
        for each in self.misjudged:
            kind = "false reject" if each.case.correct else "FALSE ACCEPT"
            lines.append(f"{kind}: {each.case.response!r} for {each.case.answer!r}: {each.reason}")
        return "\n".join(lines)


def labelled() -> list[str]:
    """The verifiers that have labelled cases."""
    return sorted(file.name.removesuffix("_cases.jsonl") for file in HERE.glob("*_cases.jsonl"))


def error_table(name: str, path: str | PathLike[str] | None = None) -> ErrorTable:
    """Judge the labelled cases of a verifier, its own or those of another JSONL file.

    Raises ValueError for an unknown verifier or a line that is not a `Case`.
    """
    judge = verify.get(name)
    table = ErrorTable(Counts(), {}, [], [])
    for case in read_jsonl(path or HERE / f"{name}_cases.jsonl", Case):
        problem = Problem("case", [Message("user", "")], case.answer, name, case.args)
        started = time.perf_counter()
        verdict = judge(case.response, problem)
        table.seconds.append(time.perf_counter() - started)
        for counts in (table.total, table.by_category.setdefault(case.category, Counts())):
            counts.right += case.correct
            counts.wrong += not case.correct
            counts.false_accepts += verdict.correct and not case.correct
            counts.false_rejects += case.correct and not verdict.correct
        if verdict.correct != case.correct:
            table.misjudged.append(Misjudged(case, verdict.reason))
    return table
