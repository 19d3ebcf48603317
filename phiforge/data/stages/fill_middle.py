"""Fill-in-the-middle exercises: a reasoned-out part of a text or a program is taken away and has to be found again.

(phi-4 report, appendix D.2: a kind of data, not the tokens of that name.) The solver writes background, reasoning and a
guess; a grader who sees the original compares them, gives a grade from 1 to 5 and a hint, and with the hint the solver tries
again. For code a function of one's own judges instead: `check` runs the whole with the guess in place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.draw import Draw
from phiforge.data.stages import texts
from phiforge.data.stages.execute import code_of
from phiforge.data.teacher import Teacher

_REASONED = re.compile(
    r"\b(?:therefore|thus|hence|because|since|so that|consequently|it follows|as a result|which means|implies|"
    r"this is why|for this reason|so)\b",
    re.I,
)
HOLE = "[…]"


class Hole(Struct, frozen=True):
    """A text with a part taken out."""

    before: str
    middle: str
    after: str

    @property
    def shown(self) -> str:
        return f"{self.before}{HOLE}{self.after}"


class Try(Struct, frozen=True):
    background: Annotated[str, Meta(max_length=500)]
    reasoning: Annotated[str, Meta(max_length=1000)]
    guess: Annotated[str, Meta(max_length=1000)]


class Grade(Struct, frozen=True):
    comparison: Annotated[str, Meta(max_length=400)]
    grade: Annotated[int, Meta(ge=1, le=5)]
    hint: Annotated[str, Meta(max_length=200)]


class Filled(Struct, frozen=True):
    """The exercise, every try with its grade, and whether the last is good enough."""

    hole: Hole
    tries: list[Try]
    grades: list[Grade]
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason

    @property
    def hints(self) -> int:
        """Hints that were needed: an exercise that needs many asks for more than its text gives."""
        return len(self.tries) - 1


def reasoned_hole(text: str, draw: Draw, *, shortest: int = 6, longest: int = 80) -> Hole | None:
    """Take out a sentence that concludes or gives a reason, with something left before and after. None if there is none."""
    found = [
        sentence
        for sentence in texts.sentences(text)[1:-1]
        if _REASONED.search(sentence) and shortest <= len(sentence.split()) <= longest and text.count(sentence) == 1
    ]
    if not found:
        return None
    before, middle, after = text.partition(draw.pick(found))
    return Hole(before, middle, after)


def code_hole(code: str, draw: Draw, *, most_lines: int = 12) -> Hole | None:
    """Take out the body of a loop or condition, or a run of statements, of some function. None if there is none."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return None
    lines = code.splitlines(keepends=True)
    spans: list[tuple[int, int]] = []
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not isinstance(node, ast.stmt) or isinstance(node, ast.ClassDef):
            continue
        rest = body[1:] if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) else body
        if rest and rest[-1].end_lineno and rest[0].lineno > node.lineno:  # not on the line of its head
            first, last = rest[0].lineno, rest[-1].end_lineno
            if last - first < most_lines:
                spans.append((first, last))
    if not spans:
        return None
    first, last = draw.pick(sorted(set(spans)))
    return Hole("".join(lines[: first - 1]), "".join(lines[first - 1 : last]), "".join(lines[last:]))


_SOLVER = "You restore texts. You find out what must have stood in the gap by reasoning from what stands around it."
_GRADER = "You compare a guess with what really stood there. What counts is the same content, not the same words."


async def fill_middle(
    teacher: Teacher,
    text: str | Hole,
    draw: Draw,
    *,
    tries: int = 3,
    least: int = 4,
    check: Callable[[str], Awaitable[str]] | None = None,
    max_tokens: int = 1024,
    seed: int = 0,
) -> Filled:
    """An exercise from a text and its solution by rejection sampling: up to `tries`, until the grade is `least` or better.

    `check(whole)` judges instead of a grader: it gets the whole with the guess in the hole and returns what is wrong with
    it, "" if nothing is. A hint that tells a run of the missing words is left out.
    """
    hole = text if isinstance(text, Hole) else reasoned_hole(text, draw)
    if hole is None:
        return Filled(Hole(text if isinstance(text, str) else "", "", ""), [], [], "nothing reasoned to take out")
    made: list[Try] = []
    grades: list[Grade] = []
    hint = ""
    for turn in range(tries):
        asked = (
            f"A part of this is missing, at {HOLE}. Say what one has to know, reason step by step what the part must say, and "
            f"give your guess of the missing part itself.\n\n{hole.shown}{hint}"
        )
        made.append(await teacher.fill(Try, asked, system=_SOLVER, max_tokens=max_tokens, seed=seed + turn))
        grades.append(await _grade(teacher, hole, made[-1].guess, check, seed))
        if grades[-1].grade >= least:
            return Filled(hole, made, grades)
        said = grades[-1].hint
        hint = f"\n\nHint: {said}" if said and not texts.copied(said, hole.middle, 4) else ""
    return Filled(hole, made, grades, "not found again")


async def _grade(
    teacher: Teacher, hole: Hole, guess: str, check: Callable[[str], Awaitable[str]] | None, seed: int
) -> Grade:
    if check is not None:
        guess = code_of(guess) if "```" in guess else guess
        wrong = await check(f"{hole.before}{guess}{hole.after}")
        return Grade(wrong or "It works.", 1 if wrong else 5, wrong[:200])
    if texts.words(guess) == texts.words(hole.middle):
        return Grade("Word for word the same.", 5, "")
    asked = (
        f"The text around the gap:\n{hole.shown}\n\nWhat stood there:\n{hole.middle}\n\nThe guess:\n{guess}\n\nCompare them, "
        "grade the guess from 1 (something else) to 5 (says the same), and give a hint that helps without telling."
    )
    return await teacher.fill(Grade, asked, system=_GRADER, seed=seed)
