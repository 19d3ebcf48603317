"""Linear equations in one unknown: one step, two steps, unknowns on both sides, brackets, fractions, and number riddles.

`make` starts from the root and undoes operations; `solve` reads the equation at two places and draws the line through them.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.algebra._terms import linear, plus, signed
from phiforge.data.words import people

_ASKS = (
    "Solve for {x}: {eq}.", "What is {x}, if {eq}?", "Find {x}: {eq}.", "Solve the equation {eq}.", "For which {x} is {eq}?", "Determine the value of {x} with {eq}.", "{eq}. What is {x}?", "Which number {x} satisfies {eq}?",
    "Give the solution of {eq}.", "Work out {x} from {eq}.",
)  # fmt: skip
_NAMES = "xxxyznatk"


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_two_steps,),
        (_two_steps, _both_sides, _riddle),
        (_both_sides, _brackets, _riddle),
        (_brackets, _fractions, _riddle),
        (_fractions, _brackets),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _root(draw: Draw, level: int) -> Fraction:
    if level >= 4 and draw.chance(0.5):
        return Fraction(draw.between(-30, 30), draw.pick((2, 3, 4, 5)))
    return Fraction(draw.between(-4 * (level - 1), 10 + 6 * level))


def _finish(draw: Draw, left: str, right: str, x: str, root: Fraction, steps: list[Step], kind: str) -> Draft:
    if draw.chance(0.25):
        left, right = right, left
    form = draw.between(0, len(_ASKS) - 1)
    equation = f"{left} = {right}"
    value = _value(left, x, root)
    return Draft(
        question=_ASKS[form].format(x=x, eq=equation),
        answer=str(root),
        facts={"left": left, "right": right, "x": x},
        template=f"{kind} {form}",
        steps=steps,
        says=f"{x} = {root}.",
        given=f"{equation} holds for one {x}; everything with {x} goes to one side.",
        check=f"With {x} = {root}, the left side is {value} and the right side is {_value(right, x, root)}.",
    )


def _divided(a: Fraction | int, b: Fraction | int, x: str, root: Fraction) -> list[Step]:
    return [] if a == 1 else [Step(f"{x} = {b} ÷ {a if a > 0 else f'({a})'} = {root}.", f"Divide by {a}.")]


def _two_steps(draw: Draw, level: int) -> Draft:
    x, root = draw.pick(_NAMES), _root(draw, level)
    a = draw.between(2, 5 + 3 * level) * (draw.pick((1, 1, -1)) if level > 1 else 1)
    b = draw.between(1, 10 + 8 * level) * draw.pick((1, -1))
    c = a * root + b
    slip = Slip(f"{linear(a, 0, x)} = {c} {signed(b)} = {c + b}.", f"On the other side {b} has to change its sign.")
    steps = [
        Step(
            f"{linear(a, 0, x)} = {c} {signed(-b)} = {c - b}.",
            f"{'Subtract' if b > 0 else 'Add'} {abs(b)} on both sides.",
            slip,
        ),
        *_divided(a, c - b, x, root),
    ]
    return _finish(draw, linear(a, b, x), str(c), x, root, steps, "two steps")


def _both_sides(draw: Draw, level: int) -> Draft:
    x, root = draw.pick(_NAMES), _root(draw, level)
    a = draw.between(2, 8 + level)
    c = draw.pick([n for n in range(-level, 8 + level) if n not in (a, 0)])
    b = draw.between(-9 * level, 9 * level)
    d = a * root + b - c * root
    steps = [
        Step(
            f"{linear(a - c, b, x)} = {d}.",
            f"{'Subtract' if c > 0 else 'Add'} {linear(abs(c), 0, x)} on both sides.",
            Slip(f"{linear(a + c, b, x)} = {d}.", f"{linear(c, 0, x)} has to be taken away on the left, not added.")
            if c > 0
            else None,
        ),
        *([Step(f"{linear(a - c, 0, x)} = {d - b}.", f"{'Subtract' if b > 0 else 'Add'} {abs(b)}.")] if b else []),
        *_divided(a - c, d - b, x, root),
    ]
    return _finish(draw, linear(a, b, x), linear(c, d, x), x, root, steps, "both sides")


def _brackets(draw: Draw, level: int) -> Draft:
    x, root = draw.pick(_NAMES), _root(draw, level)
    p, a, b = draw.between(2, 6), draw.between(1, 4), draw.between(1, 9) * draw.pick((1, -1))
    c = draw.pick([n for n in range(-4, 9) if n not in (p * a, 0)])
    d = p * (a * root + b) - c * root
    minus = draw.chance(0.4)
    left = f"{p}({linear(a, b, x)})"
    right = linear(c, d, x)
    extra = 0
    if minus and level >= 4:
        extra = draw.between(1, 9)
        left = f"{extra} − {p}({linear(a, b, x)})"
        p = -p
        c = draw.pick([n for n in range(-4, 9) if n not in (p * a, 0)])
        d = extra + p * (a * root + b) - c * root
        right = linear(c, d, x)
    slip = Slip(f"{linear(p * a, b + extra, x)} = {right}.", f"{p} multiplies {b} too, not only {linear(a, 0, x)}.")
    steps = [
        Step(f"{linear(p * a, p * b + extra, x)} = {right}.", "First the brackets.", slip),
        Step(
            f"{linear(p * a - c, p * b + extra, x)} = {d}.",
            f"{'Subtract' if c > 0 else 'Add'} {linear(abs(c), 0, x)}.",
        ),
        Step(f"{linear(p * a - c, 0, x)} = {d - p * b - extra}."),
        *_divided(p * a - c, d - p * b - extra, x, root),
    ]
    return _finish(draw, left, right, x, root, steps, "brackets")


def _fractions(draw: Draw, level: int) -> Draft:
    x = draw.pick(_NAMES)
    m, n = draw.sample((2, 3, 4, 5, 6), 2)
    common = m * n
    root = Fraction(common * draw.between(-4, 8)) if draw.chance(0.5) else Fraction(draw.between(-20, 30))
    b, c = draw.between(1, 9) * draw.pick((1, -1)), draw.between(1, 9) * draw.pick((1, -1))
    minus = draw.chance(0.5)
    sign = -1 if minus else 1
    value = (root + b) / m + sign * (root + c) / n
    a1, b1 = n + sign * m, n * b + sign * m * c
    right = str(value)
    steps = [
        Step(
            f"{n}({linear(1, b, x)}) {'−' if minus else '+'} {m}({linear(1, c, x)}) = {common * value}.",
            f"Multiply everything by {common}, so that no fraction is left.",
            Slip(f"Multiply the left side by {common} and leave {right}.", "Both sides have to be multiplied."),
        )
    ]
    if a1:
        steps.append(Step(f"{linear(a1, b1, x)} = {common * value}.", "Brackets and like terms:"))
        steps.append(Step(f"{linear(a1, 0, x)} = {common * value - b1}."))
        steps += _divided(a1, common * value - b1, x, root)
    left = f"({linear(1, b, x)})/{m} {'−' if minus else '+'} ({linear(1, c, x)})/{n}"
    if a1 == 0:
        return _brackets(draw, level)
    return _finish(draw, left, right, x, root, steps, "fractions")


def _riddle(draw: Draw, level: int) -> Draft:
    """An unknown number, told in words."""
    root = draw.between(2, 10 + 8 * level)
    a, b = draw.between(2, 9), draw.between(1, 20)
    who = people(draw, 1)[0]
    minus, both = draw.chance(0.5), level >= 3 and draw.chance(0.6)
    c = draw.pick([n for n in range(1, 9) if n != a]) if both else 0
    result = a * root + (-b if minus else b) - c * root
    if both and result < 0:
        a, c = max(a, c), min(a, c)
        result = a * root + (-b if minus else b) - c * root
    many = {2: "twice", 3: "three times"}.get(a, f"{a} times")
    told = f"{many} the number {'minus' if minus else 'plus'} {b}"
    times_c = {1: "the number", 2: "twice the number"}.get(c, f"{c} times the number")
    end = f"{times_c} {'plus' if result >= 0 else 'minus'} {abs(result)}" if both else str(result)
    form = draw.between(0, 3)
    question = (
        f"{who} thinks of a number. {told[0].upper()}{told[1:]} is {end}. What is the number?", f"For which number is {told} equal to {end}?", f"A number has this property: {told} gives {end}. Find it.",
        f"{who} says: \"{told[0].upper()}{told[1:]} makes {end}.\" Which number does {who.they} mean?",
    )[form]  # fmt: skip
    sign = -b if minus else b
    left, right = linear(a, sign, "n"), linear(c, result, "n") if both else str(result)
    steps = [Step(f"{left} = {right}.", "Call the number n.")]
    if both:
        steps.append(Step(f"{linear(a - c, sign, 'n')} = {result}.", f"Subtract {linear(c, 0, 'n')}."))
    steps.append(
        Step(
            f"{linear(a - c, 0, 'n')} = {result - sign}.",
            f"{'Add' if minus else 'Subtract'} {b}.",
            Slip(
                f"{linear(a - c, 0, 'n')} = {result + sign}.",
                f"{b} is {'subtracted' if minus else 'added'} on the left, so the opposite has to be done.",
            ),
        )
    )
    steps += _divided(a - c, result - sign, "n", Fraction(root))
    return Draft(
        question=question,
        answer=str(root),
        facts={"left": left, "right": right, "x": "n"},
        template=f"riddle {form} {minus} {both}",
        steps=steps,
        says=f"The number is {root}.",
        given=f"{told}, and that is {end}.",
        check=f"{a} × {root} {'−' if minus else '+'} {b} = {a * root + sign}"
        + (f", and {c} × {root} {plus(result, '')} = {c * root + result}." if both and result not in (1, -1) else "."),
    )


def _value(side: str, x: str, at: Fraction) -> Fraction:
    """A side of an equation at a value of its unknown."""
    text = re.sub(rf"(?<=[\d)]){x}", f"*{x}", side.replace("−", "-")).replace(")(", ")*(")
    text = re.sub(r"(\d)\(", r"\1*(", text)
    text = re.sub(r"(\d+)", r"F(\1)", text)
    return eval(text, {"__builtins__": {}}, {"F": Fraction, x: at})  # our own text: digits, one name, + - * / ( )


def solve(facts: dict[str, Any]) -> str:
    """The difference of both sides is a line; two of its points tell where it is zero."""
    y0, y1 = (
        _value(facts["left"], facts["x"], Fraction(at)) - _value(facts["right"], facts["x"], Fraction(at))
        for at in (0, 1)
    )
    return str(y0 / (y0 - y1))


PIPELINE = Solver(
    make, solve, knobs="level: two steps, both sides, brackets, fractions; roots negative and fractional from level 4"
)
