"""A conversation grown from a snippet: profiles, a first turn, alternating turns, each revised if that is asked for.

(phi-4 report, appendix D.1.3.) The one who asks has a profile, has not seen the snippet and wants to get somewhere; the one
who answers knows the snippet and says no more than is asked for. Each is the teacher with a system message of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.draw import Draw
from phiforge.data.stages import texts
from phiforge.data.stages.revise import Revised, Rubric, revise
from phiforge.data.teacher import Teacher
from phiforge.records import Message

CLOSING = "DONE"  # what the one who asks says when there is nothing left to ask
_MOST_ALIKE = 0.6

PERSONAS = (
    "a pupil of fourteen who is curious but impatient",
    "a nurse who reads this between two shifts",
    "a retired engineer who wants to know exactly how it works",
    "a journalist with a deadline who checks every claim",
    "a first-year student who is too shy to admit a gap",
    "a shop owner who asks what it means in practice",
    "a teacher who wants an example for a class",
    "a parent who has to explain it to a child tonight",
    "a sceptic who doubts the first answer on principle",
    "a translator who cares what each term means",
    "a farmer with much experience and little theory",
    "a programmer who thinks in edge cases",
)


class Profile(Struct, frozen=True):
    """Who asks, what for, and what they take for true at the beginning."""

    who: Annotated[str, Meta(max_length=160)]
    wants: Annotated[str, Meta(max_length=160)]
    believes: Annotated[str, Meta(max_length=160)]


class Conversed(Struct, frozen=True):
    """A conversation, user first and assistant last; `revised` has the drafts of each answer, if they were revised."""

    messages: list[Message]
    profile: Profile
    revised: list[Revised]
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason


async def converse(
    teacher: Teacher,
    snippet: str,
    draw: Draw,
    *,
    turns: int = 2,
    personas: Sequence[str] = PERSONAS,
    rubric: Rubric | None = None,
    rounds: int = 1,
    max_tokens: int = 400,
    seed: int = 0,
) -> Conversed:
    """A conversation of at most `turns` questions and answers. With a rubric, such as `revise.CLEAR`, each answer is
    revised up to `rounds` times before the next question is asked."""
    persona = draw.pick(personas)
    profile = await teacher.fill(
        Profile,
        f"Invent someone for a conversation about the text below: {persona}. Say who it is, what the person wants to find "
        f"out, and one thing the person wrongly or vaguely believes.\n\n{snippet}",
        system="You invent believable people.",
        seed=seed,
    )
    knows = (
        f"You answer questions. You know this:\n{snippet}\n\nAnswer what is asked, correct what is wrong, and say so when what "
        "you know does not settle it. Speak as one who knows, not of a text."
    )
    asks = (
        f"You play someone who asks: {profile.who}. You want: {profile.wants}. You believe: {profile.believes}. Write only "
        f"what this person says next, in one to three sentences. When your wish is fulfilled, say {CLOSING}."
    )
    messages: list[Message] = []
    revised: list[Revised] = []
    reason = ""
    for turn in range(turns):
        if turn:
            heard = _mirrored(messages)
        else:
            heard = [Message("user", f"Begin the conversation. It will be about: {_topic(snippet)}")]
        question = (await teacher.answer(heard, system=asks, max_tokens=120, seed=seed))[0]
        if turn and CLOSING in question.text:
            break
        if reason := _fault(question.text.replace(CLOSING, ""), question.whole, messages):
            break
        messages.append(Message("user", question.text.replace(CLOSING, "").strip()))
        answer = (await teacher.answer(messages, system=knows, max_tokens=max_tokens, seed=seed))[0]
        text = answer.text
        if answer.whole and rubric is not None:
            task = f"Answer the last question of this conversation.\n\n{spoken(messages)}\n\nKnown is:\n{snippet}"
            revised.append(await revise(teacher, task, text, rubric, rounds=rounds, max_tokens=max_tokens, seed=seed))
            text = revised[-1].text
        if reason := _fault(text, answer.whole, messages[:-1]):
            messages.pop()
            break
        messages.append(Message("assistant", text))
    if len(messages) >= 2:
        reason = ""  # what came before the turn that failed stands
    return Conversed(messages, profile, revised, reason or ("" if messages else "no turn"))


def spoken(messages: Sequence[Message]) -> str:
    """A conversation as text."""
    return "\n".join(f"{'Question' if each.role == 'user' else 'Answer'}: {each.text}" for each in messages)


def _mirrored(messages: Sequence[Message]) -> list[Message]:
    """The conversation as the one who asks lives it: what they said is the assistant's."""
    begun = [Message("user", "Begin the conversation.")]
    return begun + [Message("assistant" if each.role == "user" else "user", each.text) for each in messages]


def _topic(snippet: str) -> str:
    first = texts.sentences(snippet)[:1] or [snippet]
    return " ".join(first[0].split()[:25])


def _fault(said: str, whole: bool, before: Sequence[Message]) -> str:
    if not said.strip():
        return "nothing said"
    if not whole:
        return "cut off"
    alike = any(texts.copied(said, each.text, 4) > _MOST_ALIKE or said == each.text for each in before)
    return "repeats itself" if alike else ""
