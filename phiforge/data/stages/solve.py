"""Asking a teacher to solve a problem: what it is told, which answer it gave, and which answers are the same.

The stages that vote, rate and sample stand on this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import sqrt

from msgspec import Struct

from phiforge import verify
from phiforge.data.answers import Answer
from phiforge.data.teacher import Teacher
from phiforge.records import Message, Problem, Verdict
from phiforge.verify import math
from phiforge.verify.choice import final_answer, plain

TEMPERATURE = 0.8  # of attempts that have to be independent
MAX_TOKENS = 1024

_BOXED = "Work the problem out step by step. End with a line of this form, and nothing after it:\nAnswer: \\boxed{...}"
_PLAIN = "Think it through step by step. End with a line of this form, and nothing after it:\nAnswer: ..."
SYSTEM = {
    "math": _BOXED,
    "units": f"{_BOXED}\nGive the unit inside the box.",
    "choice": _PLAIN,
    "logic": _PLAIN,
    "code": "Write the Python code that is asked for, whole, in one ```python block. Explain briefly before it.",
}


class Share(Struct, frozen=True):
    """How many of how many, with the interval (Wilson's, 95 %) in which the true share lies."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        z2, n, p = 1.96**2, self.of, self.value
        middle, half = p + z2 / (2 * n), sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n)))
        return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def as_problem(question: str | Problem, verifier: str = "math") -> Problem:
    """A question as a problem; the name of the verifier says what kind of answer it has."""
    return Problem("", [Message("user", question)], verifier=verifier) if isinstance(question, str) else question


async def attempts(
    teacher: Teacher,
    problem: Problem,
    n: int,
    *,
    first: int = 0,
    temperature: float | None = TEMPERATURE,
    max_tokens: int = MAX_TOKENS,
    seed: int = 0,
    system: str | None = None,
) -> list[Answer]:
    """Attempts number `first` to `first + n`, independent of each other. A problem with a system message keeps its own."""
    if system is None:
        system = "" if problem.messages[0].role == "system" else SYSTEM.get(problem.verifier, "")
    options = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
    return await teacher.answer(problem.messages, system=system, n=n, first=first, **options)  # type: ignore[arg-type]


def final(problem: Problem, attempt: Answer | str) -> str | None:
    """The answer that an attempt gives, None if it gives none. One that was cut off gives none."""
    if isinstance(attempt, Answer):
        if not attempt.whole:
            return None
        attempt = attempt.text
    if problem.verifier == "math":
        return math.extract_answer(attempt)
    return final_answer(attempt, n_options=len(problem.verifier_args.get("options") or ()))


async def clustered(problem: Problem, answers: Sequence[str | None]) -> list[list[int]]:
    """The positions of answers that are the same, the largest cluster first. An answer that is None is alone with itself.

    Mathematical answers are compared by the verifier of mathematics, options by their letters, other answers as text.
    """
    if problem.verifier == "math":
        groups = await asyncio.to_thread(math.cluster, answers)  # algebra may take seconds
        found = [group.members for group in groups]
    else:
        by_text: dict[str, list[int]] = {}
        for position, answer in enumerate(answers):
            if answer is not None:
                by_text.setdefault(_same(problem, answer), []).append(position)
        found = list(by_text.values())
    inside = {position for members in found for position in members}
    found += [[position] for position in range(len(answers)) if position not in inside]
    return sorted(found, key=lambda members: (-len(members), members[0]))


def _same(problem: Problem, answer: str) -> str:
    options: Sequence[str] = problem.verifier_args.get("options") or ()
    if not options:
        return plain(answer)
    for number, option in enumerate(options):
        letter = chr(ord("A") + number)
        asked = Problem("", problem.messages, letter, "choice", {"options": list(options)})
        if verify.get("choice")(f"Answer: {answer}", asked).correct or plain(option) == plain(answer):
            return letter
    return plain(answer)


async def judged(problem: Problem, attempt: Answer, answer: str | None = None) -> Verdict:
    """What the problem's verifier says of an attempt; with `answer`, measured by that instead of the problem's own."""
    if not attempt.whole:
        return Verdict(False, 0.0, "cut off")
    if answer is not None:
        problem = Problem(
            problem.id, problem.messages, answer, problem.verifier, problem.verifier_args, problem.metadata
        )
    return await asyncio.to_thread(verify.get(problem.verifier), attempt.text, problem)
