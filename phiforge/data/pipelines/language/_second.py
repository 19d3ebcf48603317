"""A second opinion: whether the teacher, asked afresh, gives the answer that a row stands for."""

from __future__ import annotations

from phiforge.data.stages import solve
from phiforge.data.teacher import Teacher


async def agrees(teacher: Teacher, question: str, answer: str, *, verifier: str = "choice", seed: int = 0) -> bool:
    """Whether an attempt that saw only the question ends in the same answer."""
    problem = solve.as_problem(question, verifier)
    said = (await solve.attempts(teacher, problem, 1, max_tokens=400, seed=seed))[0]
    return len(await solve.clustered(problem, [answer, solve.final(problem, said)])) == 1
