"""Inequalities: linear, double, with absolute values, quadratic, and in words; answers are intervals or whole numbers.

`make` solves by rearranging; `solve` tests points between and at the places where both sides meet.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.algebra._terms import linear, polynomial, signed, term
from phiforge.data.rows import Unfit
from phiforge.data.words import people

_ASKS = (
    "Solve {}.", "For which x is {}?", "Find all x with {}.", "Give the set of x for which {}.", "Determine where {}.", "Which real numbers x satisfy {}?", "Solve the inequality {}.", "When is {} true?",
)  # fmt: skip
_TURN = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}
_END = (" Answer with an interval.", " Give an interval.", " Write the answer as an interval.")


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_linear, _words),
        (_linear, _both, _words),
        (_both, _double, _words),
        (_double, _absolute, _quadratic),
        (_absolute, _quadratic),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _interval(sign: str, bound: Fraction) -> str:
    """The numbers x with x sign bound."""
    return {
        "<": f"(-\\infty, {bound})",
        "≤": f"(-\\infty, {bound}]",
        ">": f"({bound}, \\infty)",
        "≥": f"[{bound}, \\infty)",
    }[sign]


def _ask(draw: Draw, text: str) -> tuple[str, int]:
    form = draw.between(0, len(_ASKS) - 1)
    return _ASKS[form].format(text) + draw.pick(_END), form


def _draft(
    draw: Draw, text: str, answer: str, facts: dict[str, Any], kind: str, steps: list[Step], check: str
) -> Draft:
    question, form = _ask(draw, text)
    return Draft(
        question=question,
        answer=answer,
        facts=facts,
        template=f"{kind} {form}",
        steps=steps,
        says=f"The solution is {answer.replace('infty', 'infty')}.",
        given=f"{text} is to be solved for x.",
        check=check,
    )


def _linear(draw: Draw, level: int) -> Draft:
    bound = Fraction(draw.between(-5 * level, 8 * level))
    a = draw.between(2, 4 + level) * (draw.pick((1, -1)) if level > 1 else 1)
    b = draw.between(1, 15) * draw.pick((1, -1))
    sign = draw.pick("<>≤≥")
    c = a * bound + b
    end = _TURN[sign] if a < 0 else sign
    steps = [
        Step(f"{term(a, 'x')} {sign} {c - b}.", f"{'Subtract' if b > 0 else 'Add'} {abs(b)}."),
        Step(
            f"x {end} {bound}.",
            f"Divide by {a}{'; by a negative number, so the sign turns' if a < 0 else ''}.",
            Slip(f"x {sign} {bound}.", "Dividing by a negative number turns the sign round.") if a < 0 else None,
        ),
    ]
    inside = bound + (1 if end in ">≥" else -1)
    return _draft(
        draw,
        f"{linear(a, b)} {sign} {c}",
        _interval(end, bound),
        {"left": [0, a, b], "sign": sign, "right": [0, 0, str(c)]},
        "linear",
        steps,
        f"For x = {inside}, {a} × ({inside}) {signed(b)} = {a * inside + b}, and {a * inside + b} {sign} {c} is true.",
    )


def _both(draw: Draw, level: int) -> Draft:
    bound = Fraction(draw.between(-5 * level, 8 * level))
    a, c = draw.sample([n for n in range(-6, 9) if n], 2)
    b = draw.between(-12, 12)
    sign = draw.pick("<>≤≥")
    d = a * bound + b - c * bound
    end = _TURN[sign] if a < c else sign
    steps = [
        Step(
            f"{linear(a - c, b)} {sign} {d}.", f"{'Subtract' if c > 0 else 'Add'} {term(abs(c), 'x')} on both sides."
        ),
        Step(f"{term(a - c, 'x')} {sign} {d - b}.", f"{'Subtract' if b > 0 else 'Add'} {abs(b)}." if b else ""),
        Step(
            f"x {end} {bound}.",
            f"Divide by {a - c}{', which is negative: the sign turns' if a < c else ''}.",
            Slip(f"x {sign} {bound}.", "The divisor is negative, so the sign turns.") if a < c else None,
        ),
    ]
    return _draft(
        draw,
        f"{linear(a, b)} {sign} {linear(c, d)}",
        _interval(end, bound),
        {"left": [0, a, b], "sign": sign, "right": [0, c, str(d)]},
        "both",
        steps,
        f"At x = {bound} both sides are {a * bound + b}.",
    )


def _double(draw: Draw, level: int) -> Draft:
    low = Fraction(draw.between(-12, 8))
    high = low + draw.between(1, 12)
    a = draw.between(2, 5) * draw.pick((1, 1, -1))
    b = draw.between(-9, 9)
    first, second = draw.pick("<≤"), draw.pick("<≤")
    left, right = (a * low + b, a * high + b) if a > 0 else (a * high + b, a * low + b)
    steps = [
        Step(
            f"{left - b} {first} {term(a, 'x')} {second} {right - b}.",
            f"{'Subtract' if b > 0 else 'Add'} {abs(b)} everywhere." if b else "There is nothing to add.",
        )
    ]
    if a > 0:
        steps.append(Step(f"{low} {first} x {second} {high}.", f"Divide by {a}."))
        answer = f"{'(' if first == '<' else '['}{low}, {high}{')' if second == '<' else ']'}"
    else:
        steps.append(
            Step(
                f"{high} {_TURN[first]} x {_TURN[second]} {low}.",
                f"Divide by {a}: both signs turn.",
                Slip(
                    f"{(left - b) / a} {first} x {second} {(right - b) / a}.",
                    "Then the smaller number would stand on the wrong side.",
                ),
            )
        )
        answer = f"{'(' if second == '<' else '['}{low}, {high}{')' if first == '<' else ']'}"
    middle = (low + high) / 2
    return _draft(
        draw,
        f"{left} {first} {linear(a, b)} {second} {right}",
        answer,
        {"double": [str(left), first, a, b, second, str(right)]},
        f"double {a > 0}",
        steps,
        f"In the middle, x = {middle} gives {a * middle + b}, between {left} and {right}.",
    )


def _absolute(draw: Draw, level: int) -> Draft:
    h, r = Fraction(draw.between(-9, 9)), Fraction(draw.between(1, 9))
    a = draw.pick((1, 1, 2, 3))
    sign = draw.pick("<≤>≥")
    inner = linear(a, -a * h)
    low, high = h - r, h + r
    if sign in "<≤":
        answer = f"({low}, {high})" if sign == "<" else f"[{low}, {high}]"
        steps = [
            Step(
                f"-{a * r} {sign} {inner} {sign} {a * r}.",
                "A small absolute value lies between two bounds.",
                Slip(f"{inner} {sign} {a * r}.", "The negative side is forgotten."),
            ),
            Step(f"{low} {sign} x {sign} {high}."),
        ]
    else:
        brackets = ")(" if sign == ">" else "]["
        answer = f"(-\\infty, {low}{brackets[0]} \\cup {brackets[1]}{high}, \\infty)"
        steps = [
            Step(
                f"{inner} {sign} {a * r} or {inner} {_TURN[sign]} -{a * r}.",
                "A large absolute value lies outside of two bounds.",
                Slip(f"{inner} {sign} {a * r} only.", "Very negative values have a large absolute value too."),
            ),
            Step(f"x {sign} {high} or x {_TURN[sign]} {low}."),
        ]
    question, form = _ask(draw, f"|{inner}| {sign} {a * r}")
    return Draft(
        question=question.replace("an interval", "intervals") if sign in ">≥" else question,
        answer=answer,
        facts={"absolute": [a, str(-a * h), sign, str(a * r)]},
        template=f"absolute {form} {sign in '<≤'}",
        steps=steps,
        says="x lies " + (f"between {low} and {high}." if sign in "<≤" else f"below {low} or above {high}."),
        given=f"|{inner}| is the distance of {term(a, 'x')} from {a * h}.",
        check=f"At x = {low} and x = {high} the absolute value is exactly {a * r}; at x = {h} it is 0.",
    )


def _quadratic(draw: Draw, level: int) -> Draft:
    low = draw.between(-9, 6)
    high = low + draw.between(1, 9)
    a = draw.pick((1, 1, 2, -1))
    p = [a, -a * (low + high), a * low * high]
    sign = draw.pick("<≤>≥")
    inside = (sign in "<≤") == (a > 0)
    closed = sign in "≤≥"
    if inside:
        answer = f"[{low}, {high}]" if closed else f"({low}, {high})"
    else:
        answer = f"(-\\infty, {low}{']' if closed else ')'} \\cup {'[' if closed else '('}{high}, \\infty)"
    steps = [
        Step(
            f"{polynomial(p)} = {'' if a == 1 else '-' if a == -1 else a}(x {signed(-low)})(x {signed(-high)}), zero at {low} and {high}.",
            "Where is it zero?",
        ),
        Step(
            f"The parabola opens {'upwards' if a > 0 else 'downwards'}, so it is {'negative' if a > 0 else 'positive'} between {low} and {high} and {'positive' if a > 0 else 'negative'} outside.",
            "",
            Slip(
                f"So x {sign} {low} and x {sign} {high}.",
                "Signs of products don't work that way; the parabola shows where it is below zero.",
            ),
        ),
    ]
    question, form = _ask(draw, f"{polynomial(p)} {sign} 0")
    middle = Fraction(low + high, 2)
    return Draft(
        question=question if inside else question.replace("an interval", "intervals"),
        answer=answer,
        facts={"left": [str(c) for c in p], "sign": sign, "right": [0, 0, 0]},
        template=f"quadratic {form} {inside}",
        steps=steps,
        says=f"x lies {'between' if inside else 'outside of the stretch from'} {low} {'and' if inside else 'to'} {high}.",
        given=f"{polynomial(p)} changes its sign only at its zeros.",
        check=f"At x = {middle} it is {a * (middle - low) * (middle - high)}.",
    )


def _words(draw: Draw, level: int) -> Draft:
    """The largest or smallest whole number that meets a limit."""
    who = people(draw, 1)[0]
    fixed, each = draw.between(5, 60), draw.between(2, 6 * level + 3)
    n = draw.between(3, 15 + 5 * level)
    limit = fixed + each * n + draw.between(0, each - 1)
    most = draw.chance(0.5)
    form = draw.between(0, 2)
    if most:
        question = (
            f"{who} has {limit} euros. A club costs {fixed} euros to join and {each} euros a visit. How many visits can {who} pay at most?",
            f"A lift carries {limit} kg. A trolley of {fixed} kg is in it already, and every crate weighs {each} kg. At most how many crates can be added?",
            f"A message may have {limit} characters. The greeting takes {fixed}, and each word of the list {each}. How many words fit in at most?",
        )[form]  # fmt: skip
        answer = n
        steps = [
            Step(f"{fixed} + {each}n ≤ {limit}.", "The total must not be over the limit."),
            Step(
                f"{each}n ≤ {limit - fixed}, so n ≤ {Fraction(limit - fixed, each)}.",
                f"Subtract {fixed} and divide by {each}.",
            ),
            Step(
                f"The largest whole number is {n}.",
                "",
                Slip(f"Rounded, that is {n + 1}.", f"{n + 1} would need {fixed + each * (n + 1)}, which is too much.")
                if (limit - fixed) % each
                else None,
            ),
        ]
        check = f"{fixed} + {each} × {n} = {fixed + each * n} ≤ {limit}, but {fixed} + {each} × {n + 1} = {fixed + each * (n + 1)} > {limit}."
    else:
        limit = fixed + each * (n - 1) + draw.between(1, each)
        question = (
            f"{who} has saved {fixed} euros and puts {each} euros aside every week. After how many weeks at the least are {limit} euros there?",
            f"A tank holds {fixed} litres and gains {each} litres a minute. What is the least whole number of minutes after which it has at least {limit} litres?",
            f"A collection has {fixed} stamps and grows by {each} every month. How many months, at the least, until there are {limit} or more?",
        )[form]  # fmt: skip
        answer = n
        steps = [
            Step(f"{fixed} + {each}n ≥ {limit}.", "The total has to reach the mark."),
            Step(
                f"{each}n ≥ {limit - fixed}, so n ≥ {Fraction(limit - fixed, each)}.",
                f"Subtract {fixed} and divide by {each}.",
            ),
            Step(
                f"The smallest whole number is {n}.",
                "",
                Slip(f"So about {n - 1}.", f"{n - 1} gives only {fixed + each * (n - 1)}.")
                if (limit - fixed) % each
                else None,
            ),
        ]
        check = f"{fixed} + {each} × {n} = {fixed + each * n} ≥ {limit}, but with {n - 1} it is only {fixed + each * (n - 1)}."
    return Draft(
        question=question,
        answer=str(answer),
        facts={"whole": [fixed, each, limit], "most": most},
        template=f"words {form} {most}",
        steps=steps,
        says=f"The answer is {answer}.",
        given=f"{fixed} at first, {each} each time, {'at most' if most else 'at least'} {limit}.",
        check=check,
    )


_TRUE = {"<": lambda a, b: a < b, "≤": lambda a, b: a <= b, ">": lambda a, b: a > b, "≥": lambda a, b: a >= b}


def solve(facts: dict[str, Any]) -> str:
    """Test each place where a side meets the other, and a point of each stretch between."""
    if "whole" in facts:
        fixed, each, limit = facts["whole"]
        n = 0
        while (fixed + each * (n + 1) <= limit) if facts["most"] else (fixed + each * n < limit):
            n += 1
        return str(n)
    if "double" in facts:
        left, first, a, b, second, right = facts["double"]
        low, high = Fraction(left), Fraction(right)
        places = sorted({(low - b) / a, (high - b) / a})

        def holds(x: Fraction) -> bool:
            return _TRUE[first](low, a * x + b) and _TRUE[second](a * x + b, high)
    elif "absolute" in facts:
        a, b, sign, r = facts["absolute"]
        places = sorted({(Fraction(r) - Fraction(b)) / a, (-Fraction(r) - Fraction(b)) / a})

        def holds(x: Fraction) -> bool:
            return _TRUE[sign](abs(a * x + Fraction(b)), Fraction(r))
    else:
        p = [Fraction(c) - Fraction(d) for c, d in zip(facts["left"], facts["right"], strict=True)]
        if p[0]:
            places = [Fraction(n) for n in range(-60, 61) if p[0] * n * n + p[1] * n + p[2] == 0]
        else:
            places = [-p[2] / p[1]]

        def holds(x: Fraction) -> bool:
            return _TRUE[facts["sign"]](p[0] * x * x + p[1] * x + p[2], 0)

    return _pieces(places, holds)


def _pieces(places: list[Fraction], holds: Any) -> str:
    """The set of all x for which something holds that changes only at these places."""
    if not places:
        raise Unfit
    probes = [places[0] - 1, *((a + b) / 2 for a, b in itertools.pairwise(places)), places[-1] + 1]
    parts: list[str] = []
    start = r"(-\infty" if holds(probes[0]) else None
    for place, after in zip(places, probes[1:], strict=True):
        at, then = holds(place), holds(after)
        if start is not None and not (at and then):
            parts.append(f"{start}, {place}{']' if at else ')'}")
            start = None
        if start is None and then:
            start = f"{'[' if at else '('}{place}"
    if start is not None:
        parts.append(rf"{start}, \infty)")
    return r" \cup ".join(parts)


PIPELINE = Solver(
    make, solve, knobs="level: one step, both sides, chains of two, absolute values, quadratics; limits in words"
)
