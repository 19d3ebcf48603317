"""Reading questions on a passage, each with the words that answer it, found again by a second reading.

The words have to be in the passage; a second answer, asked for without the first, has to be the same.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.pipelines.language._second import agrees
from phiforge.data.seeds import Seed
from phiforge.data.stages import texts
from phiforge.data.teacher import Teacher

_KINDS = (
    "a detail",
    "a cause",
    "a comparison",
    "a number",
    "the order of events",
    "a consequence",
    "a definition",
    "a condition",
)


class Asked(Struct, frozen=True):
    question: Annotated[str, Meta(max_length=300)]
    answer: Annotated[str, Meta(max_length=80)]
    quote: Annotated[str, Meta(max_length=300)]


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    kinds = draw.sample(_KINDS, 3)
    return [await _one(teacher, seed, kind, number) for number, kind in enumerate(kinds)]


async def _one(teacher: Teacher, seed: Seed, kind: str, number: int) -> Draft | Reject:
    task = f"{seed.text}\n\nAsk one question about {kind} in this text that can be answered from it in a few words. Give the answer and the sentence of the text, copied exactly, that holds it."
    asked = await teacher.fill(Asked, task, system="You write reading tests.", seed=number)
    what = {"question": asked.question, "answer": asked.answer, "quote": asked.quote}
    if not texts.quoted(asked.quote, seed.text):
        return Reject("the quoted words are not in the text", what)
    if texts.tells(asked.question, asked.answer):
        return Reject("the question tells its answer", what)
    question = f"{seed.text}\n\n{asked.question}"
    if not await agrees(teacher, question, asked.answer, seed=number):
        return Reject("a second reading answers otherwise", what)
    return Draft(
        question=question,
        answer=asked.answer,
        facts={},
        template=kind,
        steps=[
            Step(f"The text says: “{asked.quote.strip()}”", f"I look for the place that tells {kind}."),
            Step(f"So the answer is {asked.answer}."),
        ],
        says=f"The text says: “{asked.quote.strip()}”",
        verifier="choice",
        metadata={"quote": asked.quote},
    )


PIPELINE = Taught(
    make,
    seeds="passages",
    knobs="eight kinds of question; three a passage",
    verifier="choice",
    stages=("propose", "second reading"),
)
