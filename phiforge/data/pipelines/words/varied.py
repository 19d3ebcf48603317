"""Number-varied rewrites of word problems with calculator annotations (GSM8K's format), executed again.

The numbers of the question change, the annotations are computed anew, and a variant is kept where it stays sensible: what
was whole is whole again, what was positive is positive, a percentage stays below 100, nothing grows out of proportion.
Names change too. `make` runs the annotations one by one; `solve` reads the numbers off the new question and evaluates one
nested formula. Give it a set of your own: `phiforge data run words.varied --seeds train.jsonl --column question`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._annotated import (
    ANNOTATION,
    NUMBER,
    Annotated,
    evaluate,
    nested,
    read,
    solve,
    value,
)
from phiforge.data.rows import Unfit
from phiforge.data.seeds import Seed
from phiforge.data.words import PEOPLE

TRIES = 60  # sets of numbers tried for one variant
_DIGITS = r"\d[\d,]*\.?\d*|\.\d+"
_HE_OR_SHE = {person.name: person.they for person in PEOPLE}
_NAME = re.compile(rf"\b(?:{'|'.join(_HE_OR_SHE)})\b")
_READ = lru_cache(maxsize=20_000)(lambda question, answer: _read(question, answer))


def _read(question: str, answer: str) -> Annotated | Unfit:
    try:
        return read(question, answer)
    except Unfit as reason:
        return reason


def make(draw: Draw, level: int, seed: Seed) -> Draft:
    problem = _READ(seed.text, seed.answer)
    if isinstance(problem, Unfit):
        raise problem
    for _ in range(TRIES):
        numbers = _other_numbers(draw, problem, level)
        try:
            results = _run(problem, numbers)
        except Unfit:
            continue
        if _sensible(problem, numbers, results):
            break
    else:
        raise Unfit("no other numbers make sense")
    names = _other_names(draw, f"{problem.question} {problem.solution}")
    changed = dict(zip(problem.numbers, numbers, strict=True)) | dict(zip(problem.results, results, strict=True))
    question = _renamed(_with_numbers(problem.question, changed), names)
    solution = _renamed(_with_numbers(problem.solution, changed), names)
    lines = [line.strip() for line in ANNOTATION.sub("", solution).splitlines() if line.strip()]
    answer = _written(results[problem.final])
    return Draft(
        question=question,
        answer=answer,
        facts={"question": question, "formula": nested(problem, problem.final)},
        template=seed.id,
        steps=[Step(line) for line in lines],
        metadata={"annotated": f"{solution}\n#### {answer}", "varied from": seed.id},
    )


def _other_numbers(draw: Draw, problem: Annotated, level: int) -> list[Fraction]:
    """New values for the numbers that formulas use, of the kind and about the size of the old ones; equal ones stay equal."""
    new: dict[Fraction, Fraction] = {}
    for i in problem.varied:
        old = problem.numbers[i]
        if old not in new:
            new[old] = _other(draw, old, level)
    return [new.get(n, n) if i in problem.varied else n for i, n in enumerate(problem.numbers)]


def _other(draw: Draw, old: Fraction, level: int) -> Fraction:
    spread = 1 + level / 4  # up to so many times as much, or so much less
    least, most = float(old) / spread, float(old) * spread
    if old.denominator > 1:  # a price: keep its hundredths
        return Fraction(draw.between(max(1, round(100 * least)), round(100 * most)), 100)
    for step in (1000, 100, 50, 10, 5):
        if old % step == 0 and old >= 4 * step:
            return Fraction(step * draw.between(max(2, round(least / step)), round(most / step)))
    return Fraction(draw.between(max(2, round(least)), max(round(most), int(old) + 3)))


def _run(problem: Annotated, numbers: list[Fraction]) -> list[Fraction]:
    results: list[Fraction] = []
    for formula in problem.formulas:
        results.append(evaluate(formula, numbers, results))
    return results


def _sensible(problem: Annotated, numbers: list[Fraction], results: list[Fraction]) -> bool:
    new = {problem.numbers[i]: numbers[i] for i in problem.varied}
    if all(old == other for old, other in new.items()):
        return False
    percent = {value(found) for found in re.findall(r"(\d+(?:\.\d+)?) ?(?:%|per ?cent)", problem.question)}
    if any(old in percent and old <= 100 < other for old, other in new.items()):
        return False
    for old, result in zip(problem.results, results, strict=True):
        if (old > 0) != (result > 0) or (old.denominator == 1 and result.denominator > 1):
            return False
        if (
            (100 * result).denominator > 1
            or not abs(old) / 25 <= abs(result) <= 25 * abs(old)
            or (old == 1) != (result == 1)
        ):
            return False
    everything = [*dict.fromkeys(numbers), *results]  # each number in the text must mean one thing
    return len(set(everything)) == len(everything) and len(set(new.values())) == len(new)


def _with_numbers(text: str, changed: dict[Fraction, Fraction]) -> str:
    def other(found: re.Match[str]) -> str:
        old = value(found.group())
        new = changed.get(old, old)
        return found.group() if new == old else _written(new, "," in found.group(), money="." in found.group())

    def inside(found: re.Match[str]) -> str:
        return f"<<{re.sub(_DIGITS, other, found.group()[2:-2])}>>"

    pieces, end = [], 0
    for found in ANNOTATION.finditer(text):
        pieces += [_sums(text[end : found.start()], other), inside(found)]
        end = found.end()
    return "".join([*pieces, _sums(text[end:], other)])


def _sums(text: str, other: Any) -> str:
    """Replace numbers in prose, also those of sums like 6*24= and 900/6."""
    sums = re.compile(r"(?<![\w.])[\d.,]*\d(?:\s*[-+*/x]\s*[\d.,]*\d)+(?=\s*=|\s*$)")
    pieces, end = [], 0
    for found in sums.finditer(text):
        pieces += [NUMBER.sub(other, text[end : found.start()]), re.sub(_DIGITS, other, found.group())]
        end = found.end()
    return "".join([*pieces, NUMBER.sub(other, text[end:])])


def _written(number: Fraction, commas: bool = False, money: bool = False) -> str:
    if number.denominator == 1 and not money:
        return f"{int(number):,}" if commas else str(int(number))
    return f"{float(number):,.2f}" if commas else f"{float(number):.2f}"


def _other_names(draw: Draw, text: str) -> dict[str, str]:
    old = list(dict.fromkeys(_NAME.findall(text)))
    taken, new = set(old), dict[str, str]()
    for name in old:
        other = draw.pick([p.name for p in PEOPLE if p.they == _HE_OR_SHE[name] and p.name not in taken])
        taken.add(other)
        new[name] = other
    return new


def _renamed(text: str, names: dict[str, str]) -> str:
    return _NAME.sub(lambda found: names.get(found.group(), found.group()), text)


PIPELINE = Solver(
    make, solve, seeds="annotated", knobs="level: how far numbers move; --seeds and --column name a set of your own"
)
