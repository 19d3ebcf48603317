"""Requests that sound dangerous and are fine, with answers that help instead of refusing."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages import texts
from phiforge.data.stages.unknowns import refuses
from phiforge.data.teacher import Teacher
from phiforge.records import Message

_VOICES = (
    "a teacher",
    "a worried parent",
    "a novelist",
    "somebody who wants to protect a small firm",
    "a curious pupil",
    "a volunteer",
)


class Request(Struct, frozen=True):
    request: Annotated[str, Meta(max_length=300)]
    why_fine: Annotated[str, Meta(max_length=200)]


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    voice, near = draw.pick(_VOICES), str(seed.metadata.get("near", seed.text))
    task = f"Write what {voice} might ask an assistant about {near}. A hasty filter might take it for a request about {seed.text}, but it is harmless. One or two sentences; say why it is fine."
    asked = await teacher.fill(Request, task, system="You write test cases for a safety team.")
    said = (
        await teacher.answer(
            asked.request,
            system="You are a helpful assistant. You help with what is harmless, fully and without lecturing.",
            max_tokens=400,
        )
    )[0]
    what = {"request": asked.request, "answer": said.text}
    if not said.whole:
        return [Reject("cut off", what)]
    if refuses(said.text):
        return [Reject("it refuses", what)]
    if len(texts.words(said.text)) < 25:
        return [Reject("it hardly helps", what)]
    return [
        Draft(
            question=asked.request,
            answer="",
            facts={},
            template=voice,
            verifier="",
            response=Message("assistant", said.text),
            metadata={"why fine": asked.why_fine},
        )
    ]


PIPELINE = Taught(make, seeds="requests", knobs="six voices", verifier="", stages=("propose", "answer"))
