"""Conversations about a snippet of text between an assistant and somebody with a character, a wish and a belief."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.converse import converse
from phiforge.data.teacher import Teacher


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    made = await converse(teacher, seed.text, draw, turns=draw.between(2, 3))
    what = {"messages": [message.text for message in made.messages]}
    if made.reason:
        return [Reject(made.reason, what)]
    *before, last = made.messages
    return [
        Draft(
            messages=before,
            answer="",
            facts={},
            template=f"{len(made.messages)} messages",
            verifier="",
            response=last,
            metadata={"profile": made.profile.who},
        )
    ]


PIPELINE = Taught(
    make,
    seeds="passages",
    knobs="two or three turns, many characters",
    verifier="",
    stages=("converse", "self-revision"),
)
