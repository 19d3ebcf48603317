"""Problems without a known answer: independent attempts vote, too easy and hopeless ones are dropped, the plurality stands in."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.plurality import plurality
from phiforge.data.teacher import Teacher
from phiforge.records import Message


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    found = await plurality(teacher, seed.text, n=9)
    what = {"question": seed.text, "votes": found.votes, "asked": found.asked}
    if not found.kept:
        return [Reject(found.reason, what)]
    about = {"agreement": found.agreement, "votes": found.asked, "saved": found.saved, "known answer": seed.answer}
    return [
        Draft(
            question=seed.text,
            answer=found.answer,
            facts={},
            template="voted",
            response=Message("assistant", found.responses[0]),
            metadata=about,
        )
    ]


PIPELINE = Taught(make, seeds="problems", knobs="nine votes, stopped when they are settled", stages=("plurality",))
