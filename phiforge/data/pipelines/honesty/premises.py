"""Questions with a false premise, and answers that say so instead of inventing."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.unknowns import refuses, unknowns
from phiforge.data.teacher import Teacher
from phiforge.records import Message


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    found = await unknowns(teacher, seed.text, seed.answer)
    if found.bogus is None:
        return [Reject("no question with a false premise came of it", {"question": seed.text})]
    what = {"question": found.bogus.question, "why": found.bogus.why_impossible}
    if not refuses(found.bogus_refusal):
        return [Reject("the answer doesn't say that it can't be answered", {**what, "answer": found.bogus_refusal})]
    return [
        Draft(
            question=found.bogus.question,
            answer="",
            facts={},
            template="false premise",
            verifier="",
            response=Message("assistant", found.bogus_refusal),
            metadata=what,
        )
    ]


PIPELINE = Taught(make, seeds="trivia", knobs="one a question", verifier="", stages=("hallucination data",))
