r"""Whether an answer to a mathematical problem is right: exact first, bounded always.

One comparison serves the benchmark grader, the data filter, the RL reward and the majority vote. Two answers that are
rational numbers, or collections of them, are settled here in microseconds by exact arithmetic. Anything with a root, a
function or an identity in it goes to a worker process with computer algebra, which has two seconds and 400 MB. No
floating-point number decides anything, nothing is evaluated as code, and what cannot be proven equal is not equal.

What agrees with what is listed in `math_compare`; `math_table` measures it on labelled pairs:

    python -m phiforge.verify.math_table
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from phiforge.records import Problem, Verdict
from phiforge.verify.math_compare import DIFFERS, EQUAL, TOO_LARGE, UNPROVEN, UNREADABLE, decide
from phiforge.verify.math_exact import Exact, Undecided, near, plain_number
from phiforge.verify.math_extract import MAX_RESPONSE_CHARS, extract_answer
from phiforge.verify.math_lex import MAX_CHARS
from phiforge.verify.math_read import normal
from phiforge.verify.math_worker import Request, TimedOut, Worker

NO_ANSWER = "no answer found"
TIMED_OUT = "timed out"
MAX_TIMEOUTS = 2  # of one answer in a vote: one may be the other answer's fault
REASONS = (EQUAL, DIFFERS, UNPROVEN, UNREADABLE, TOO_LARGE, TIMED_OUT, NO_ANSWER)

__all__ = ["REASONS", "Group", "cluster", "compare", "equal", "extract_answer", "verify"]

_ASKS_PERCENT = re.compile(
    r"\b(?:what|which|as an?|how many|find the|calculate the|determine the)\s+percent(?:age)?\b", re.I
)
_worker = Worker()


class Group(Struct, frozen=True):
    """Answers that agree: the first of them, and the positions of all."""

    answer: str
    members: list[int]


def equal(a: str, b: str, *, tolerance: float = 0, percent_unit: bool = False) -> bool:
    """Whether two answers are mathematically the same: `compare` without the reason."""
    return compare(a, b, tolerance=tolerance, percent_unit=percent_unit).correct


def compare(a: str, b: str, *, tolerance: float = 0, percent_unit: bool = False) -> Verdict:
    """Whether answer `a` is the same as reference `b`, with one of `REASONS`. Never raises on account of the texts.

    tolerance: the largest difference of two numbers, relative to `b`, that still counts as equal. 0 is exact.
    percent_unit: percent is the unit asked for, so that 50 agrees with 50%. 50% is 1/2 either way.
    """
    reason = _exactly(a, b, tolerance, percent_unit)
    return _verdict(reason if reason is not None else _symbolically(a, b, tolerance, percent_unit))


def verify(response: str, problem: Problem) -> Verdict:
    """Whether the final answer of a response agrees with `problem.answer`; the reason is one of `REASONS`.

    `problem.verifier_args` may hold `tolerance` and `percent_unit` as for `compare`; any other key is a ValueError.
    Unless it is given, percent is the unit when the reference carries a percent sign or the question asks for one.
    """
    options = _options(problem)
    if len(response) > MAX_RESPONSE_CHARS:
        return _verdict(TOO_LARGE)
    answer = extract_answer(response)
    return _verdict(NO_ANSWER) if answer is None else compare(answer, problem.answer, **options)


def cluster(answers: Sequence[str | None], *, percent_unit: bool = False) -> list[Group]:
    """The answers grouped by equality, the largest group first, ties by first appearance. None and blanks belong to no group.

    Each answer joins the first group whose first member it equals. Equal texts and equal numbers find each other
    without a comparison. An answer that has timed out twice is compared exactly only, so that n answers cost at most n
    time-outs and one that hangs does not spoil the rest.
    """
    groups: list[Group] = []
    group_of: dict[str, int] = {}
    timeouts: Counter[int] = Counter()
    for position, answer in enumerate(answers):
        if answer is None or not answer.strip():
            continue
        key = _key(answer)
        if key not in group_of:
            group_of[key] = _group_for(answer, groups, timeouts, percent_unit)
            if group_of[key] == len(groups):
                groups.append(Group(answer, []))
        groups[group_of[key]].members.append(position)
    return sorted(groups, key=lambda group: (-len(group.members), group.members[0]))


def _group_for(answer: str, groups: list[Group], timeouts: Counter[int], percent_unit: bool) -> int:
    """The index of the group that an answer joins, or of the group to be made for it."""
    new = len(groups)
    for index, group in enumerate(groups):
        reason = _exactly(answer, group.answer, 0, percent_unit)
        if reason is None and max(timeouts[index], timeouts[new]) < MAX_TIMEOUTS:
            reason = _symbolically(answer, group.answer, 0, percent_unit)
            if reason == TIMED_OUT:
                timeouts.update((index, new))
        if reason == EQUAL:
            timeouts.pop(new, None)
            return index
    return new


def _key(answer: str) -> str:
    number = plain_number(answer)
    return normal(answer) if number is None else str(number)


def _exactly(a: str, b: str, tolerance: float, percent_unit: bool) -> str | None:
    """The reason, if the texts or exact arithmetic settle it; None if not."""
    if len(a) > MAX_CHARS or len(b) > MAX_CHARS:
        return TOO_LARGE
    if normal(a) == normal(b):
        return EQUAL if a.strip() else UNREADABLE
    x, y = plain_number(a), plain_number(b)
    if x is not None and y is not None:
        return EQUAL if x == y or (tolerance and near(x, y, Fraction(str(tolerance)))) else DIFFERS
    try:
        return decide(a, b, Exact(Fraction(str(tolerance)) if tolerance else Fraction()), percent_unit)
    except Undecided:
        return None


def _symbolically(a: str, b: str, tolerance: float, percent_unit: bool) -> str:
    try:
        return _worker.ask(Request(a, b, str(tolerance), percent_unit))
    except TimedOut:
        return TIMED_OUT


def _verdict(reason: str) -> Verdict:
    return Verdict(correct=reason == EQUAL, score=float(reason == EQUAL), reason=reason)


def _options(problem: Problem) -> dict[str, Any]:
    options: dict[str, Any] = dict(problem.verifier_args)
    unknown = options.keys() - {"tolerance", "percent_unit"}
    if unknown:
        raise ValueError(
            f"problem {problem.id}: verifier 'math' takes tolerance and percent_unit, not {sorted(unknown)}"
        )
    if "percent_unit" not in options:
        question = problem.messages[-1].text if problem.messages else ""
        options["percent_unit"] = "%" in problem.answer or bool(_ASKS_PERCENT.search(question))
    return options
