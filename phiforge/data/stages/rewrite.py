"""Web rewriting: the content of a found text in a form that teaches, in new words, without a number the source has not.

What can be checked without a model is: how much is copied, which numbers are new, whether it was cut off. `claims` asks a
teacher which sentences the source does not bear out.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from phiforge.data.stages import texts
from phiforge.data.teacher import Teacher

Form = Literal[
    "textbook section", "exercise", "discussion", "questions and answers", "encyclopedia entry", "letter", "notes"
]

FORMS: dict[Form, str] = {
    "textbook section": "a section of a textbook: a heading, an explanation that builds up step by step, an example",
    "exercise": "an exercise with everything one has to know in it, and a worked solution under the heading 'Solution'",
    "discussion": "a discussion between two people who know different halves of it and find out the whole together",
    "questions and answers": "a list of questions that a curious reader would ask, each with a short, complete answer",
    "encyclopedia entry": "an encyclopedia entry: what it is in the first sentence, then the facts in a sensible order",
    "letter": "a letter to a friend who has never heard of it, plain and without jargon",
    "notes": "study notes: short lines, the main idea first, terms explained where they first come up",
}


class Unsupported(Struct, frozen=True):
    sentences: Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=5)]


class Rewritten(Struct, frozen=True):
    """A text in its new form, and what was measured: `copied` is the share of its runs of eight words that are the
    source's, `length` its words per word of the source."""

    text: str
    form: Form
    copied: float
    length: float
    new_numbers: list[str]
    lost_numbers: list[str]
    unsupported: list[str]
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason


_WRITER = (
    "You rewrite texts for learners. You keep every fact and number as it is, add none of your own, use your own words, and "
    "leave out advertisements, menus and calls to click. You answer with the new text and nothing else."
)


async def rewrite(
    teacher: Teacher,
    text: str,
    form: Form = "textbook section",
    *,
    most_copied: float = 0.2,
    lengths: tuple[float, float] = (0.3, 3.0),
    claims: bool = False,
    max_tokens: int = 1024,
    seed: int = 0,
) -> Rewritten:
    """Rewrite a text. It is dropped if too much is copied, a number is new, it is much shorter or longer, or cut off; with
    `claims` also if it says what the source does not bear out."""
    asked = f"Rewrite this text as {FORMS[form]}.\n\n{text}"
    said = (await teacher.answer(asked, system=_WRITER, max_tokens=max_tokens, seed=seed))[0]
    copied = texts.copied(said.text, text)
    length = len(texts.words(said.text)) / max(1, len(texts.words(text)))
    new = texts.new_numbers(said.text, text)
    reason = ""
    if not said.whole:
        reason = "cut off"
    elif not lengths[0] <= length <= lengths[1]:
        reason = "too short" if length < lengths[0] else "too long"
    elif copied > most_copied:
        reason = "copied"
    elif new and form != "exercise":  # whose solution may compute
        reason = "new numbers"
    unsupported: list[str] = []
    if claims and not reason:
        unsupported = await unsupported_claims(teacher, said.text, text, seed=seed)
        reason = "unsupported claims" if unsupported else ""
    return Rewritten(said.text, form, copied, length, new, texts.lost_numbers(said.text, text), unsupported, reason)


async def unsupported_claims(teacher: Teacher, text: str, source: str, *, seed: int = 0) -> list[str]:
    """The sentences of a text that its source does not bear out, as the teacher sees it. What is no sentence of the text
    does not count."""
    asked = (
        f"Source:\n{source}\n\nText:\n{text}\n\nQuote the sentences of the text that state as a fact what the source does not "
        "say or imply, word by word. None is a good answer."
    )
    found = await teacher.fill(Unsupported, asked, system="You check texts against their sources.", seed=seed)
    return [sentence for sentence in found.sentences if texts.quoted(sentence, text)]
