"""Rejection sampling: attempts until enough of them are accepted by the verifier; the others are kept as rejects.

What accepts need not be the problem's own answer: `answer` may be a plurality, `accepts` any test of one's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable

from msgspec import Struct

from phiforge.data.answers import Answer
from phiforge.data.stages import solve
from phiforge.data.teacher import Teacher
from phiforge.records import Problem, Verdict


class Rejected(Struct, frozen=True):
    response: Answer
    why: str


class Sampled(Struct, frozen=True):
    """The accepted attempts, no text twice, and the rejected ones. `tried` were paid for of at most `n`."""

    accepted: list[Answer]
    rejected: list[Rejected]
    right: solve.Share
    n: int
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason

    @property
    def tried(self) -> int:
        return self.right.of

    @property
    def shortest(self) -> Answer:
        """The accepted attempt of the fewest tokens: the right one with the least beside the point."""
        return min(self.accepted, key=lambda each: each.tokens)


Accepts = Callable[[Answer], Verdict | Awaitable[Verdict]]


async def rejection(
    teacher: Teacher,
    problem: Problem,
    *,
    want: int = 1,
    n: int = 8,
    step: int = 0,
    answer: str | None = None,
    accepts: Accepts | None = None,
    temperature: float | None = solve.TEMPERATURE,
    max_tokens: int = solve.MAX_TOKENS,
    seed: int = 0,
) -> Sampled:
    """Ask until `want` different attempts are accepted, `step` (by default `want`) at a time, at most `n` times."""
    if not 1 <= want <= n:
        raise ValueError(f"{want} accepted attempts cannot come of at most {n}")
    accepted: list[Answer] = []
    rejected: list[Rejected] = []
    tried = right = 0
    while tried < n and len(accepted) < want:
        more = min(step or want, n - tried)
        options = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
        attempts = await solve.attempts(teacher, problem, more, first=tried, **options)  # type: ignore[arg-type]
        tried += more
        for attempt in attempts:
            verdict = await _judged(problem, attempt, answer, accepts)
            right += verdict.correct
            if not verdict.correct:
                rejected.append(Rejected(attempt, verdict.reason))
            elif attempt.text not in [each.text for each in accepted]:
                accepted.append(attempt)
    reason = "" if len(accepted) >= want else ("never right" if not right else "too few right")
    return Sampled(accepted, rejected, solve.Share(right, tried), n, reason)


async def _judged(problem: Problem, attempt: Answer, answer: str | None, accepts: Accepts | None) -> Verdict:
    if accepts is None:
        return await solve.judged(problem, attempt, answer)
    if not attempt.whole:
        return Verdict(False, 0.0, "cut off")
    verdict = accepts(attempt)
    return await verdict if isawaitable(verdict) else verdict
