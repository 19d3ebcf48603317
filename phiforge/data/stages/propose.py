"""Proposing: questions grown from seeds in several steps by several agents.

`annotate` marks the excerpts of a text that are worth a question (phi-4 report, appendix D.1.1). `briefs` spread a taxonomy,
personas and difficulties evenly. `propose` has a writer think of ideas and write one out, an examiner take the question
without its answer, and the writer repair what the examiner found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Annotated, Literal

from msgspec import Meta, Struct

from phiforge.data.draw import Draw
from phiforge.data.teacher import Teacher

Letter = Literal["A", "B", "C", "D", "E"]
Short = Annotated[str, Meta(max_length=160)]
Long = Annotated[str, Meta(max_length=1500)]

# --- excerpts ----------------------------------------------------------------------------------------------------


class Inference(Struct, frozen=True):
    """One step of a line of reasoning: from what, to what, and how."""

    assumption: Short
    conclusion: Short
    description: Short


class Excerpt(Struct, frozen=True):
    """A part of a text. Lines count from 1. Complexity and obscurity go from A, plain or widely known, to E."""

    start_line: Annotated[int, Meta(ge=1)]
    end_line: Annotated[int, Meta(ge=1)]
    information_type: Annotated[str, Meta(max_length=40)]
    description: Short
    complexity: Letter
    obscurity: Letter
    chain_of_reasoning: bool
    steps: Annotated[list[Inference], Meta(max_length=4)] = []
    depends_on_lines: Annotated[list[int], Meta(max_length=4)] = []


class Marked(Struct, frozen=True):
    excerpts: Annotated[list[Excerpt], Meta(max_length=6)]


class Annotations(Struct, frozen=True):
    """The excerpts of a text that hold, with their words, and how many were dropped for which reason."""

    excerpts: list[Excerpt]
    texts: list[str]
    dropped: dict[str, int] = {}


_ANNOTATOR = (
    "You read texts for a school of careful thinkers and mark the parts from which a good question could be made: parts "
    "that state facts worth knowing, or that reason from something to something else."
)


async def annotate(
    teacher: Teacher, text: str, *, most: int = 4, max_tokens: int = 1024, seed: int = 0
) -> Annotations:
    """Mark the excerpts of a text. Those whose lines are not there, or overlap an earlier excerpt, are dropped."""
    lines = text.splitlines()
    shown = "\n".join(f"{number}: {line}" for number, line in enumerate(lines, 1))
    asked = (
        f"Mark at most {most} excerpts of this text by the numbers of their first and last lines. For each give the type of "
        "information, a short description, its complexity and its obscurity (A for plain or widely known, E for very "
        "complex or hardly known), whether it holds a chain of reasoning, the steps of that chain, and the other lines "
        f"that one must have read to understand it.\n\n{shown}"
    )
    marked = await teacher.fill(Marked, asked, system=_ANNOTATOR, max_tokens=max_tokens, seed=seed)
    kept: list[Excerpt] = []
    dropped: Counter[str] = Counter()
    taken: set[int] = set()
    for excerpt in marked.excerpts[:most]:
        own = set(range(excerpt.start_line, excerpt.end_line + 1))
        if not own or excerpt.end_line > len(lines):
            dropped["no such lines"] += 1
        elif not any(lines[number - 1].strip() for number in own):
            dropped["empty lines"] += 1
        elif own & taken:
            dropped["overlaps another"] += 1
        else:
            taken |= own
            kept.append(excerpt)
    return Annotations(kept, ["\n".join(lines[e.start_line - 1 : e.end_line]) for e in kept], dict(dropped))


def worthwhile(
    excerpt: Excerpt, *, complexity: Letter = "B", obscurity: Letter = "E", chain_of_reasoning: bool = False
) -> bool:
    """Whether an excerpt is at least so complex, at most so obscure and, if asked for, reasons in steps."""
    reasons = excerpt.chain_of_reasoning and len(excerpt.steps) > 0
    return excerpt.complexity >= complexity and excerpt.obscurity <= obscurity and (reasons or not chain_of_reasoning)


# --- briefs ------------------------------------------------------------------------------------------------------


class Brief(Struct, frozen=True):
    """What a question should be about, for whom, and how hard, from 1 to 5."""

    topic: str
    persona: str
    difficulty: int


def briefs(
    topics: Sequence[str], personas: Sequence[str], difficulties: Sequence[int], draw: Draw, n: int
) -> list[Brief]:
    """`n` briefs, no combination twice until all were had, each topic, persona and difficulty as often as the next."""
    if not (topics and personas and difficulties):
        raise ValueError("briefs need at least one topic, one persona and one difficulty")
    found: list[Brief] = []
    left: list[tuple[str, str, int]] = []
    used: Counter[str | int] = Counter()
    while len(found) < n:
        left = left or draw.shuffled(list(product(topics, personas, difficulties)))
        rarest = min(range(len(left)), key=lambda i: (sum(used[part] ** 2 for part in left[i]), i))
        chosen = left.pop(rarest)
        used.update(chosen)
        found.append(Brief(*chosen))
    return found


# --- questions ---------------------------------------------------------------------------------------------------


class Ideas(Struct, frozen=True):
    ideas: Annotated[list[Short], Meta(max_length=5)]


class Asked(Struct, frozen=True):
    question: Annotated[str, Meta(max_length=900)]
    solution: Long
    answer: Annotated[str, Meta(max_length=200)]


class Examined(Struct, frozen=True):
    """What the examiner found. `missing` names what one would have to be told to answer."""

    understood: bool
    one_answer: bool
    missing: Short
    difficulty: Annotated[int, Meta(ge=1, le=5)]
    change: Annotated[str, Meta(max_length=300)]


class Proposed(Struct, frozen=True):
    """A question with its answer, all that the agents said on the way, and why it is not kept, if it is not."""

    question: str
    solution: str
    answer: str
    ideas: list[str]
    drafts: list[Asked]
    examined: list[Examined]
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason


_WRITER = (
    "You write questions for study. A good one stands alone, has exactly one answer, and cannot be answered by recall."
)
_EXAMINER = (
    "You examine questions before they are given to students. You see the question only. You are strict: a question that "
    "refers to a text that is not shown, leaves out a number it needs, or has two defensible answers must be changed."
)
_HARD = ("", "a beginner's exercise", "easy", "of middle difficulty", "hard", "very hard, with many steps")


async def propose(
    teacher: Teacher,
    brief: Brief,
    excerpt: str = "",
    *,
    repairs: int = 1,
    avoid: Sequence[str] = (),
    max_tokens: int = 1024,
    seed: int = 0,
) -> Proposed:
    """One question by a brief, from an excerpt if one is given; `avoid` are questions that are there already."""
    source = f"\n\nStart from this text, but do not mention it:\n{excerpt}" if excerpt else ""
    others = "".join(f"\n- {each}" for each in avoid)
    others = f"\n\nThese are there already; think of others:{others}" if others else ""
    about = f"on {brief.topic}, for {brief.persona}, {_HARD[brief.difficulty]}"
    options = {"max_tokens": max_tokens, "seed": seed}
    asked = f"List up to five different ideas for a question {about}. One line each.{source}{others}"
    ideas = (await teacher.fill(Ideas, asked, system=_WRITER, **options)).ideas
    if not ideas:
        return Proposed("", "", "", [], [], [], "no idea")
    idea = Draw.of("idea", seed, brief.topic, brief.persona, brief.difficulty).pick(ideas)
    asked = f"Write a question {about}, with a worked solution and the short final answer. The idea: {idea}{source}"
    drafts = [await teacher.fill(Asked, asked, system=_WRITER, **options)]
    examined: list[Examined] = []
    for turn in range(repairs + 1):
        look = f"Examine this question, meant to be {_HARD[brief.difficulty]}:\n\n{drafts[-1].question}"
        examined.append(await teacher.fill(Examined, look, system=_EXAMINER, **options))
        if not (reason := _fault(drafts[-1], examined[-1])) or turn == repairs:
            break
        asked = (
            f"An examiner looked at your question and asks for a change: {examined[-1].change or reason}. What it lacks: "
            f"{examined[-1].missing or 'nothing'}. Write the question again, with solution and answer.\n\n"
            f"Question: {drafts[-1].question}\nSolution: {drafts[-1].solution}\nAnswer: {drafts[-1].answer}"
        )
        drafts.append(await teacher.fill(Asked, asked, system=_WRITER, **options))
    last = drafts[-1]
    return Proposed(last.question, last.solution, last.answer, ideas, drafts, examined, _fault(last, examined[-1]))


def _fault(draft: Asked, examined: Examined) -> str:
    if len(draft.question.split()) < 5:
        return "no question"
    if not draft.answer.strip():
        return "no answer"
    if not examined.understood:
        return "not understood"
    return "" if examined.one_answer else "more than one answer"
