"""Fill-in-the-middle: a reasoned part of a text is taken out, thought about, and found again in substance."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.fill_middle import fill_middle, reasoned_hole
from phiforge.data.teacher import Teacher
from phiforge.records import Message

_ASKS = (
    "A part of this text is missing at [...]. What belongs there?",
    "Fill the gap marked [...] in this text.",
    "Which words could stand at [...]? Give the missing part.",
    "Find out from the rest of the text what was said at [...].",
)


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    hole = reasoned_hole(seed.text, draw)
    if hole is None:
        return [Reject("no part of the text that can be reasoned out", {"seed": seed.id})]
    filled = await fill_middle(teacher, hole, draw)
    if filled.reason:
        return [Reject(filled.reason, {"middle": hole.middle, "guesses": [each.guess for each in filled.tries]})]
    last = filled.tries[-1]
    ask = draw.pick(_ASKS)
    response = Message("assistant", last.guess.strip(), thinking=last.reasoning.strip())
    return [
        Draft(
            question=f"{ask}\n\n{hole.before}[...]{hole.after}",
            answer=hole.middle,
            facts={},
            template=ask[:12],
            verifier="",
            response=response,
            metadata={"grade": filled.grades[-1].grade},
        )
    ]


PIPELINE = Taught(
    make,
    seeds="passages",
    knobs="parts of 6 to 80 words, up to three tries",
    verifier="",
    stages=("fill-in-the-middle",),
)
