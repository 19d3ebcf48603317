"""Summaries at three lengths whose facts are all in the text: no new number, nothing copied at length, no claim unsupported."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages import texts
from phiforge.data.stages.rewrite import unsupported_claims
from phiforge.data.teacher import Teacher
from phiforge.records import Message

_LENGTHS = {"one sentence": 35, "two or three sentences": 70, "a short paragraph": 120}
_ASKS = (
    "Summarise this text in {}.",
    "Give the main points of this text in {}.",
    "What does this text say? Answer in {}.",
    "Write a summary of {} for somebody who has not read the text.",
)


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    return [await _one(teacher, seed, length, most, draw.pick(_ASKS)) for length, most in _LENGTHS.items()]


async def _one(teacher: Teacher, seed: Seed, length: str, most: int, ask: str) -> Draft | Reject:
    question = f"{ask.format(length)}\n\n{seed.text}"
    said = (
        await teacher.answer(question, system="You summarise faithfully and in your own words.", max_tokens=3 * most)
    )[0]
    what = {"summary": said.text, "length": length}
    if not said.whole:
        return Reject("cut off", what)
    if not 8 <= len(texts.words(said.text)) <= most:
        return Reject("another length than asked for", what)
    if new := texts.new_numbers(said.text, seed.text):
        return Reject("new numbers", {**what, "numbers": new})
    if texts.copied(said.text, seed.text) > 0.35:
        return Reject("copied", what)
    if claims := await unsupported_claims(teacher, said.text, seed.text):
        return Reject("unsupported claims", {**what, "claims": claims})
    return Draft(
        question=question,
        answer="",
        facts={},
        template=f"{length}: {ask[:12]}",
        verifier="",
        response=Message("assistant", said.text),
    )


PIPELINE = Taught(
    make, seeds="passages", knobs="one sentence to a paragraph", verifier="", stages=("summarise", "claims checked")
)
