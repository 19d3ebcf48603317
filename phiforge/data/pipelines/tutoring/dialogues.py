"""Tutoring: a pupil is stuck or wrong, the tutor asks and hints and never gives the answer away before the pupil has it."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages import texts
from phiforge.data.teacher import Teacher
from phiforge.records import Message

_PUPILS = (
    "has no idea how to begin",
    "has made a slip in calculating",
    "has misread the question",
    "has used the wrong operation",
    "got half of the way and lost the thread",
    "guesses wildly",
)
_TUTOR = "You are a patient tutor. In two or three sentences you take up what the pupil said, and give one hint or ask one question. You never say the final answer."


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    kind, turns = draw.pick(_PUPILS), draw.between(2, 3)
    system = f"You play a pupil who {kind}. You say only what the pupil says, in one or two sentences, and you get a little further with every hint."
    messages: list[Message] = []
    for turn in range(turns):
        history = "\n".join(f"{'Pupil' if m.role == 'user' else 'Tutor'}: {m.text}" for m in messages)
        said = (
            await teacher.answer(f"Problem: {seed.text}\n{history}\nPupil:", system=system, max_tokens=100, seed=turn)
        )[0]
        text = said.text.removeprefix("Pupil:").strip()
        messages.append(Message("user", f"{seed.text}\n\n{text}" if turn == 0 else text))
        hint = (await teacher.answer(messages, system=_TUTOR, max_tokens=160, seed=turn))[0]
        what = {"messages": [m.text for m in messages], "hint": hint.text}
        if not (said.whole and hint.whole and text):
            return [Reject("cut off", what)]
        if texts.tells(hint.text, seed.answer) and not texts.tells(text, seed.answer):
            return [Reject("the tutor gives the answer away", what)]
        messages.append(Message("assistant", hint.text.strip()))
    *before, last = messages
    return [
        Draft(messages=before, system=_TUTOR, answer=seed.answer, facts={}, template=kind, verifier="", response=last)
    ]


PIPELINE = Taught(
    make,
    seeds="problems",
    knobs="six kinds of pupil, two or three turns",
    verifier="",
    stages=("two players", "answer withheld"),
)
