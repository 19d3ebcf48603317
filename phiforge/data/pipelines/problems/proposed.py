"""New problems from topic, persona and difficulty, examined and repaired, kept when attempts agree on the proposed answer."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages import solve
from phiforge.data.stages.plurality import plurality
from phiforge.data.stages.propose import Brief, propose
from phiforge.data.teacher import Teacher
from phiforge.records import Message

_PERSONAS = (
    "a cook",
    "a bus driver",
    "a nurse",
    "a carpenter",
    "a gardener",
    "a football coach",
    "a librarian",
    "a shopkeeper",
    "an astronomer",
    "a beekeeper",
    "an electrician",
    "a musician",
)


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    brief = Brief(seed.text, draw.pick(_PERSONAS), draw.between(1, 5))
    made = await propose(teacher, brief)
    what = {"question": made.question, "answer": made.answer}
    if made.reason:
        return [Reject(made.reason, what)]
    agreed = await plurality(teacher, made.question, n=5)
    if agreed.outcome == "no agreement":
        return [Reject("attempts disagree", what)]
    same = await solve.clustered(solve.as_problem(made.question), [made.answer, agreed.answer])
    if len(same) > 1:
        return [Reject("attempts find another answer", {**what, "found": agreed.answer})]
    return [
        Draft(
            question=made.question,
            answer=agreed.answer,
            facts={},
            template=brief.persona,
            response=Message("assistant", agreed.responses[0]),
            metadata={"difficulty": brief.difficulty, "agreement": agreed.agreement},
        )
    ]


PIPELINE = Taught(
    make,
    seeds="topics",
    knobs="twelve personas, five difficulties",
    stages=("propose", "examine", "repair", "plurality"),
)
