"""Textbook sections on a topic at three levels, criticised against a rubric and revised until they meet it."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages import texts
from phiforge.data.stages.revise import Criterion, Rubric, revise
from phiforge.data.teacher import Teacher
from phiforge.records import Message

_READERS = ("a curious twelve-year-old", "a pupil in the last year of school", "a student in the first year")
_ASKS = (
    "Write a textbook section on {topic} for {reader}.",
    "Explain {topic} to {reader}, as a section of a textbook.",
    "I need a textbook section about {topic}; its reader is {reader}.",
    "Teach {topic} in one section of a textbook. The reader is {reader}.",
)
RUBRIC = Rubric(
    (
        Criterion("order", "Does every step build on what was said before, from the simple to the hard?"),
        Criterion("example", "Is there a worked example with concrete numbers or cases?"),
        Criterion("truth", "Is everything correct?"),
        Criterion("level", "Are words and ideas right for the reader named in the task?"),
    )
)


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    ask = draw.pick(_ASKS)
    task = ask.format(topic=seed.text, reader=draw.pick(_READERS))
    first = (await teacher.answer(task, system="You write textbooks: clear, exact, with examples.", max_tokens=900))[0]
    if not first.whole:
        return [Reject("cut off", {"task": task})]
    revised = await revise(teacher, task, first.text, RUBRIC, rounds=2)
    best = revised.drafts[revised.best]
    what = {"task": task, "text": best.text, "scores": best.scores}
    if not revised.met:
        return [Reject("the rubric is not met", what)]
    if len(texts.words(best.text)) < 120:
        return [Reject("too short", what)]
    about = {"scores": best.scores, "first scores": revised.drafts[0].scores}
    return [
        Draft(
            question=task,
            answer="",
            facts={},
            template=ask[:14],
            verifier="",
            response=Message("assistant", best.text),
            metadata=about,
        )
    ]


PIPELINE = Taught(
    make, seeds="topics", knobs="three levels of reader", verifier="", stages=("propose", "self-revision")
)
