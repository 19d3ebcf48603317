"""Steps of annotated solutions (GSM8K's format) as problems: a sentence to be completed, or what is left when some are told.

    Ann has 3 boxes of 12 pens. …    Fill in the blank: “Ann has ____ pens.”

Numbers and names are changed first, as `words.varied` does. A small model learns from them what each sentence of a problem is
for, which the whole problem shows it only all at once. Give it a set of your own, as there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words import varied
from phiforge.data.pipelines.words._annotated import ANNOTATION, Annotated, nested, read, solve
from phiforge.data.rows import Unfit
from phiforge.data.seeds import Seed

BLANK = "____"
_SUM = re.compile(r"(?:(?<=\s)|^)[\d.$(](?:[\d.$%()+\-–*/x×÷ ]|,(?=\d))*=\s*(\$?)$")
_SIGN = re.compile(r"[=*/+×÷–]|\bx\b|\d\s*-\s*[\d_]")
_RESULT = re.compile(r"\s*\$?\s*\d[\d,]*(?:\.\d+)?")
_LAST = re.compile(r"(?<=[.?!])\s+(?=[A-Z][^.?!]*\?\s*$)")
_BLANKS = (
    "{story}\nFill in the blank: “{said}”",
    "{story} What number belongs in the blank? “{said}”",
    "{story}\nComplete the sentence with a number: {said}",
    "{story} Which number is missing here: “{said}”?",
)
_TOLD = ("{question}\nSo far: {told}", "{question} (It is known already: {told})", "{question}\nHint: {told}")


class Line(NamedTuple):
    """A line of a solution without its sum: with a blank for the result, and with the result."""

    blank: str
    told: str


def make(draw: Draw, level: int, seed: Seed) -> Draft:
    changed = varied.make(draw, level, seed)
    problem = read(changed.question, changed.metadata["annotated"])
    lines = completed(problem.solution)
    final = problem.final
    wanted = [i for i, line in enumerate(lines) if line and i != final]
    tellable = next((i for i, line in enumerate(lines) if not line), final)  # so many of the first
    if final == len(lines) - 1 and tellable and draw.chance(0.25):
        asked, result, told = _TOLD, final, draw.between(1, tellable)
    elif wanted:
        asked, result, told = _BLANKS, draw.pick(wanted), 0
    else:
        raise Unfit("no step of the solution can be asked for by itself")
    form = draw.between(0, len(asked) - 1)
    line = lines[result]
    question = asked[form].format(
        question=changed.question,
        story=_story(changed.question),
        said=line.blank if line else "",
        told=" ".join(each.told for each in lines[:told] if each),
    )
    way = [problem.solution.splitlines()[i] for i in sorted(_needed(problem, result)) if i >= told]
    answer = solve({"question": question, "formula": nested(problem, result)})
    return Draft(
        question=question,
        answer=answer,
        facts={"question": question, "formula": nested(problem, result)},
        template=f"{seed.id} {result} {form}",
        steps=[Step(ANNOTATION.sub("", each)) for each in way],
        metadata={"annotated": "\n".join([*way, f"#### {answer}"]), "varied from": seed.id},
    )


def completed(solution: str) -> list[Line | None]:
    """The lines of a solution, None for one that makes no sentence without its sum. Raises Unfit unless each has one result."""
    lines: list[Line | None] = []
    for line in solution.splitlines():
        if len(ANNOTATION.findall(line)) != 1:
            raise Unfit("a line of the solution has several results, or none")
        before, after = ANNOTATION.split(line)
        result = _RESULT.match(after)
        sign = _SUM.search(before)
        before = f"{before[: sign.start()]}{sign.group(1)}" if sign else before
        after = after[result.end() :] if result else after
        blank = f"{before}{BLANK}{after}".strip()
        number = result.group().strip().removeprefix("$") if result else ""
        sentence = not _SIGN.search(blank) and len(re.findall(r"[A-Za-z]{2,}", blank)) > 2
        asks = number and number not in re.findall(r"\d[\d,.]*\d|\d", blank)
        told = f"{before}{number}{after}".strip()
        lines.append(Line(blank, told if told.endswith((".", "!")) else f"{told}.") if sentence and asks else None)
    return lines


def _needed(problem: Annotated, result: int) -> set[int]:
    """The results that one is made from, and itself."""
    found = {result}
    for each in re.findall(r"\br(\d+)\b", problem.formulas[result]):
        found |= _needed(problem, int(each))
    return found


def _story(question: str) -> str:
    """A question without what is asked at its end, if that tells nothing."""
    parts = _LAST.split(question)
    asked = parts[-1].lower()
    return question if len(parts) < 2 or re.search(r"\d|\bif\b|\bwhen\b", asked) else " ".join(parts[:-1])


PIPELINE = Solver(
    make, solve, seeds="annotated", knobs="level: how far numbers move; --seeds and --column name a set of your own"
)
