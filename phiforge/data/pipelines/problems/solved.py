"""Solutions of problems with known answers, sampled until the verifier accepts one; the share that is right rates the problem."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.rejection import rejection
from phiforge.data.teacher import Teacher
from phiforge.records import Message, Problem


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    problem = Problem(seed.id, [Message("user", seed.text)], seed.answer, "math")
    sampled = await rejection(teacher, problem, want=2, n=8)
    if not sampled.accepted:
        return [
            Reject(
                sampled.reason or "no attempt is right",
                {"question": seed.text, "answer": seed.answer, "tried": sampled.n},
            )
        ]
    best = min(sampled.accepted, key=lambda answer: len(answer.text))
    about = {
        "right": sampled.right.value,
        "tried": sampled.n,
        "wrong": [each.response.text for each in sampled.rejected[:1]],
    }
    return [
        Draft(
            question=seed.text,
            answer=seed.answer,
            facts={},
            template="solved",
            response=Message("assistant", best.text),
            metadata=about,
        )
    ]


PIPELINE = Taught(
    make, seeds="problems", knobs="up to eight attempts", stages=("rejection sampling", "difficulty rating")
)
