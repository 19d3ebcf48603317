"""Translations that survive the way back: right language, every number kept, and the same sense when translated again."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages import texts
from phiforge.data.teacher import Teacher
from phiforge.records import Message
from phiforge.verify.instructions import broken

_LANGUAGES = {"de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch"}
_ASKS = (
    "Translate into {}: {}",
    "How does one say this in {}? {}",
    "Give a {} translation of this: {}",
    "Please put this into {}: {}",
)


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    sentences = [each for each in texts.sentences(seed.text) if 8 <= len(texts.words(each)) <= 40]
    if not sentences:
        return [Reject("no sentence of a fitting length", {"seed": seed.id})]
    code = draw.pick(list(_LANGUAGES))
    return [
        await _one(teacher, each.strip(), code, draw.pick(_ASKS))
        for each in draw.sample(sentences, min(2, len(sentences)))
    ]


async def _one(teacher: Teacher, sentence: str, code: str, ask: str) -> Draft | Reject:
    language = _LANGUAGES[code]
    question = ask.format(language, sentence)
    said = (
        await teacher.answer(
            question, system="You translate. You answer with the translation only.", max_tokens=200, temperature=0.0
        )
    )[0]
    what = {"source": sentence, "translation": said.text}
    if not said.whole or not said.text.strip():
        return Reject("cut off", what)
    if wrong := broken({"kind": "language:response_language", "language": code}, said.text):
        return Reject("another language", {**what, "found": wrong})
    if texts.new_numbers(said.text, sentence) or texts.lost_numbers(said.text, sentence):
        return Reject("a number has changed", what)
    back = (
        await teacher.ask(
            f"Translate into English: {said.text}",
            system="You translate. You answer with the translation only.",
            max_tokens=200,
            temperature=0.0,
        )
    )[0]
    before, after = set(texts.words(sentence.lower())), set(texts.words(back.lower()))
    overlap = len(before & after) / max(1, len(before | after))
    if overlap < 0.5:
        return Reject("the way back leads elsewhere", {**what, "back": back})
    return Draft(
        question=question,
        answer=said.text,
        facts={},
        template=f"{language} {ask[:9]}",
        verifier="",
        response=Message("assistant", said.text),
        metadata={"back": back, "overlap": round(overlap, 2)},
    )


PIPELINE = Taught(
    make, seeds="passages", knobs="six languages, two sentences a text", verifier="", stages=("translate", "way back")
)
