"""Difficulty by weaker models: a question is teachable that they sometimes get right, and that takes reasoning.

The reasoning report (section 2.1) keeps a seed when weaker models agree with the reference answer neither nearly always
nor nearly never, and when rubrics say that it takes steps and not recall. Its thresholds are not published; ours are knobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.stages import solve
from phiforge.data.teacher import Teacher
from phiforge.records import Problem


class Difficulty(Struct, frozen=True):
    """How often each weaker model agreed with the answer, and all together. `level` goes from 1, easy, to 5."""

    by_solver: dict[str, solve.Share]
    agreement: solve.Share

    @property
    def level(self) -> int:
        return 5 - min(4, int(self.agreement.value * 5))


class Reasoning(Struct, frozen=True):
    """What a rubric says of a solution."""

    steps: Annotated[int, Meta(ge=0, le=50)]
    hardest_step: Annotated[str, Meta(max_length=160)]
    complexity: Annotated[int, Meta(ge=1, le=5)]
    recall: Annotated[int, Meta(ge=1, le=5)]


async def rate(
    solvers: Sequence[Teacher],
    problem: Problem,
    *,
    answer: str | None = None,
    n: int = 4,
    temperature: float | None = solve.TEMPERATURE,
    max_tokens: int = solve.MAX_TOKENS,
    seed: int = 0,
) -> Difficulty:
    """Let each of the weaker models try `n` times. `answer` stands in for a problem's own: a plurality, say."""
    if not solvers:
        raise ValueError("difficulty is rated by at least one solver")
    options = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}

    async def share(solver: Teacher) -> solve.Share:
        attempts = await solve.attempts(solver, problem, n, **options)  # type: ignore[arg-type]
        verdicts = [await solve.judged(problem, each, answer) for each in attempts]
        return solve.Share(sum(each.correct for each in verdicts), n)

    shares = await asyncio.gather(*(share(solver) for solver in solvers))
    named: dict[str, solve.Share] = {}
    for solver, each in zip(solvers, shares, strict=True):
        name = solver.name if solver.name not in named else f"{solver.name} ({len(named) + 1})"
        named[name] = each
    total = solve.Share(sum(each.count for each in shares), sum(each.of for each in shares))
    return Difficulty(named, total)


def teachable(difficulty: Difficulty, least: float = 0.1, most: float = 0.8) -> bool:
    """Whether the weaker models agree with the answer at least, and at most, so often."""
    return least <= difficulty.agreement.value <= most


def untaught_reason(difficulty: Difficulty, least: float = 0.1, most: float = 0.8) -> str:
    """Why a question is not teachable, in words to count; empty if it is."""
    if teachable(difficulty, least, most):
        return ""
    return "too hard for weaker models" if difficulty.agreement.value < least else "too easy for weaker models"


_RATER = "You look at solutions and say how much thinking they took. You count only steps that conclude something new."


async def reasoning(
    teacher: Teacher, question: str, solution: str, *, max_tokens: int = 400, seed: int = 0
) -> Reasoning:
    """How many steps a solution takes, how complex the hardest is, and how far recall alone would do (1 not, 5 wholly)."""
    asked = (
        f"Question:\n{question}\n\nSolution:\n{solution}\n\nCount the steps of reasoning. Name the hardest. Grade the "
        "complexity of the reasoning from 1 to 5, and from 1 to 5 how far one could answer by recall alone."
    )
    return await teacher.fill(Reasoning, asked, system=_RATER, max_tokens=max_tokens, seed=seed)


def takes_thought(found: Reasoning, *, steps: int = 2, complexity: int = 2, recall: int = 3) -> bool:
    """Whether a solution has so many steps of such complexity, and recall does not go farther than that."""
    return found.steps >= steps and found.complexity >= complexity and found.recall <= recall
