"""Deduction chains: where a text reasons, the chain of its steps is drawn out, and a key step becomes a question.

(phi-4 report, section 2.2, seeds of the third kind.) A step counts only if the text holds the words it is read from; a
question counts only if it does not tell its answer and, with `votes`, if independent attempts come to it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.stages import solve, texts
from phiforge.data.stages.plurality import Plurality, plurality
from phiforge.data.teacher import Teacher

Short = Annotated[str, Meta(max_length=240)]


class Link(Struct, frozen=True):
    """One deduction: from what, to what, and the words of the text that say so."""

    premises: Annotated[list[Short], Meta(max_length=3)]
    conclusion: Short
    quote: Short


class Chain(Struct, frozen=True):
    reasons: bool
    links: Annotated[list[Link], Meta(max_length=6)]


class Posed(Struct, frozen=True):
    question: Annotated[str, Meta(max_length=900)]
    answer: Annotated[str, Meta(max_length=200)]
    reasoning: Annotated[str, Meta(max_length=900)]


class Deduced(Struct, frozen=True):
    """The links that the text bears out, and the question made of the last. `dropped` links have no words in the text."""

    links: list[Link]
    dropped: int
    posed: Posed | None = None
    agreed: Plurality | None = None
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason


_READER = "You read closely. You tell what a text concludes from what it merely states."


async def deduce(
    teacher: Teacher,
    text: str,
    *,
    least: int = 2,
    votes: int = 0,
    verifier: str = "choice",
    max_tokens: int = 1024,
    seed: int = 0,
) -> Deduced:
    """The deduction chain of a text of at least `least` links, and a question whose answer is reached by it.

    With `votes`, so many attempts at the question have to have the answer for their plurality; see `plurality`.
    """
    asked = (
        "Does this text deduce something, step by step? If so, give the links of the chain in order: the premises of each, "
        f"its conclusion, and the words of the text that you read it from, copied exactly.\n\n{text}"
    )
    options = {"max_tokens": max_tokens, "seed": seed}
    chain = await teacher.fill(Chain, asked, system=_READER, **options)
    links = [link for link in chain.links if link.premises and texts.quoted(link.quote, text)]
    dropped = len(chain.links) - len(links)
    if not chain.reasons or not chain.links:
        return Deduced([], dropped, reason="no deduction")
    if len(links) < least:
        return Deduced(links, dropped, reason="not in the text" if dropped else "chain too short")
    shown = "\n".join(f"{n}. From {'; '.join(x.premises)} follows: {x.conclusion}" for n, x in enumerate(links, 1))
    asked = (
        f"This is a chain of deductions:\n{shown}\n\nMake a question of it that gives all the premises one needs, in words of "
        "its own, and asks for what follows at the end. Do not give the conclusion away. The answer is a word, a number or a "
        "short phrase. Add the reasoning that leads there."
    )
    posed = await teacher.fill(Posed, asked, system=_READER, **options)
    if reason := _fault(posed):
        return Deduced(links, dropped, posed, reason=reason)
    if not votes:
        return Deduced(links, dropped, posed)
    agreed = await plurality(teacher, posed.question, n=votes, verifier=verifier, seed=seed)
    problem = solve.as_problem(posed.question, verifier)
    found = (
        agreed.outcome != "no agreement" and len(await solve.clustered(problem, [agreed.answer, posed.answer])) == 1
    )
    reason = (
        "" if found else ("attempts disagree" if agreed.outcome == "no agreement" else "attempts find another answer")
    )
    return Deduced(links, dropped, posed, agreed, reason)


def _fault(posed: Posed) -> str:
    if len(posed.question.split()) < 8:
        return "no question"
    if not posed.answer.strip():
        return "no answer"
    return "the question tells its answer" if texts.tells(posed.question, posed.answer) else ""
