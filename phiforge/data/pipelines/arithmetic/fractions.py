"""Fractions: reducing, comparing, the four operations, mixed numbers, fractions of amounts, chains and decimals.

`make` works with common denominators and cancelling; `solve` computes with whole numbers over one denominator.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import people

_SIZE = (0, 9, 12, 20, 40, 60)  # largest denominator, by level
_ASKS = (
    "What is {}?", "Compute {}.", "Work out {} and reduce.", "Give {} in lowest terms.", "Evaluate {}.", "Find {} as a fraction in lowest terms.",
    "How much is {}?", "{} = ? Answer in lowest terms.", "Please calculate {}.", "What do you get for {}?", "Simplify {}.", "Carry out {}.",
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_reduce, _add, _compare),
        (_add, _multiply, _of),
        (_add, _multiply, _divide, _mixed, _decimal),
        (_divide, _mixed, _chain, _decimal),
        (_chain, _chain, _mixed),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _fraction(draw: Draw, level: int) -> tuple[int, int]:
    """A proper fraction in lowest terms."""
    while True:
        bottom = draw.between(2, _SIZE[level])
        top = draw.between(1, bottom - 1)
        if gcd(top, bottom) == 1:
            return top, bottom


def _ask(draw: Draw, what: str) -> tuple[str, int]:
    form = draw.between(0, len(_ASKS) - 1)
    return _ASKS[form].format(what), form


def _cancel(top: int, bottom: int) -> list[Step]:
    common = gcd(top, bottom)
    if common == 1:
        return [Step(f"{top}/{bottom} can't be reduced.")]
    return [Step(f"{_divided(top, bottom)}.", f"{top} and {bottom} have the common factor {common}.")]


def _divided(top: int, bottom: int) -> str:
    """A fraction and what becomes of it, both divided by one prime after another: "27/36, by 3: 9/12, by 3: 3/4"."""
    text, prime = f"{top}/{bottom}", 2
    while gcd(top, bottom) > 1:
        if gcd(top, bottom) % prime:
            prime += 1
            continue
        top, bottom = top // prime, bottom // prime
        text += f", by {prime}: {top}/{bottom}"
    return text if bottom > 1 else f"{text} = {top}"


def _reduce(draw: Draw, level: int) -> Draft:
    a, b = _fraction(draw, level)
    k = draw.between(2, 6 + 3 * level)
    form = draw.between(0, 5)
    question = (
        "Reduce {} to lowest terms.", "Write {} in lowest terms.", "Simplify the fraction {}.", "Cancel as far as possible: {}.", "What is {} when it is fully reduced?", "Bring {} to its simplest form.",
    )[form].format(f"{a * k}/{b * k}")  # fmt: skip
    smaller = next((d for d in range(2, k) if k % d == 0), 0)
    slip = (
        Slip(
            f"Dividing by {smaller} gives {a * k // smaller}/{b * k // smaller}, done.",
            f"{a * k // smaller} and {b * k // smaller} still have a common factor.",
        )
        if smaller
        else None
    )
    return Draft(
        question=question,
        answer=f"{a}/{b}",
        facts={"expression": [["+", a * k, b * k]]},
        template=f"reduce {form}",
        steps=[
            Step(f"{_divided(a * k, b * k)}.", "What divides both?", slip),
        ],
        says=f"{a * k}/{b * k} = {a}/{b}.",
        given=f"{a * k}/{b * k} is to be reduced.",
        check=f"{a} × {b * k} = {a * b * k} and {b} × {a * k} = {a * b * k}: the fractions are equal.",
    )


def _add(draw: Draw, level: int) -> Draft:
    (a, b), (c, d) = _fraction(draw, level), _fraction(draw, level)
    minus = draw.chance(0.5)
    if minus and Fraction(a, b) < Fraction(c, d):
        (a, b), (c, d) = (c, d), (a, b)
    sign, mark = (-1, "−") if minus else (1, "+")
    common = lcm(b, d)
    x, y = a * common // b, c * common // d
    total = x + sign * y
    value = Fraction(total, common)
    question, form = _ask(draw, f"{a}/{b} {mark} {c}/{d}")
    slip = (
        Slip(
            f"{a}/{b} {mark} {c}/{d} = {a + sign * c}/{b + sign * d}.",
            "Tops and bottoms can't be taken separately; the parts must be of one size first.",
        )
        if b != d and b + sign * d > 0 and a + sign * c > 0
        else None
    )
    steps = (
        [
            Step(
                f"The common denominator of {b} and {d} is {common}: {_expanded(a, b, common)} and {_expanded(c, d, common)}.",
                "Both need parts of one size.",
                slip,
            )
        ]
        if b != d
        else []
    )
    steps += [
        Step(
            f"{x} {mark} {y} = {total}: {x}/{common} {mark} {y}/{common} = {total}/{common}.",
            f"Now the tops are {'subtracted' if minus else 'added'}.",
        ),
        *_cancel(total, common),
    ]
    back = f"{value} {'+' if minus else '−'} {c}/{d} = {a}/{b}."
    return Draft(
        question=question,
        answer=str(value),
        facts={"expression": [["+", a, b], ["-" if minus else "+", c, d]]},
        template=f"{'subtract' if minus else 'add'} {form}",
        steps=steps,
        says=f"{a}/{b} {mark} {c}/{d} = {value}.",
        given=f"{a}/{b} {mark} {c}/{d}; the denominators are {b} and {d}.",
        check=f"Backwards: {back}",
    )


def _expanded(top: int, bottom: int, common: int) -> str:
    times = common // bottom
    return (
        f"{top}/{bottom} = {top} × {times}/{common} = {top * times}/{common}" if times > 1 else f"{top}/{bottom} stays"
    )


def _multiply(draw: Draw, level: int) -> Draft:
    (a, b), (c, d) = _fraction(draw, level), _fraction(draw, level)
    value = Fraction(a * c, b * d)
    question, form = _ask(draw, f"{a}/{b} × {c}/{d}")
    return Draft(
        question=question,
        answer=str(value),
        facts={"expression": [["+", a, b], ["*", c, d]]},
        template=f"multiply {form}",
        steps=[
            Step(
                f"{a} × {c} = {a * c} and {b} × {d} = {b * d}: {a * c}/{b * d}.",
                "Tops with tops, bottoms with bottoms.",
            ),
            *_cancel(a * c, b * d),
        ],
        says=f"{a}/{b} × {c}/{d} = {value}.",
        given=f"A product of {a}/{b} and {c}/{d}.",
        check=f"Both factors are below 1, and {value} is less than {min(Fraction(a, b), Fraction(c, d))}, as it must be.",
    )


def _divide(draw: Draw, level: int) -> Draft:
    (a, b), (c, d) = _fraction(draw, level), _fraction(draw, level)
    value = Fraction(a * d, b * c)
    question, form = _ask(draw, f"{a}/{b} ÷ {c}/{d}")
    slip = Slip(f"{b}/{a} × {c}/{d} = {b * c}/{a * d}.", "The second fraction is turned over, not the first.")
    return Draft(
        question=question,
        answer=str(value),
        facts={"expression": [["+", a, b], ["/", c, d]]},
        template=f"divide {form}",
        steps=[
            Step(
                f"{a}/{b} ÷ {c}/{d} = {a}/{b} × {d}/{c} = {a * d}/{b * c}.",
                "To divide by a fraction, multiply by its reciprocal.",
                slip,
            ),
            *_cancel(a * d, b * c),
        ],
        says=f"{a}/{b} ÷ {c}/{d} = {value}.",
        given=f"How often does {c}/{d} go into {a}/{b}?",
        check=f"{value} × {c}/{d} = {a}/{b}.",
    )


def _mixed(draw: Draw, level: int) -> Draft:
    (a, b), (c, d) = _fraction(draw, min(level, 3)), _fraction(draw, min(level, 3))
    m, n = draw.between(1, 4 + level), draw.between(1, 4 + level)
    kind = draw.pick("+-*/" if level > 3 else "+-*")
    x, y = Fraction(m * b + a, b), Fraction(n * d + c, d)
    if kind == "-" and x < y:
        (m, a, b, x), (n, c, d, y) = (n, c, d, y), (m, a, b, x)
    value = {"+": x + y, "-": x - y, "*": x * y, "/": x / y}[kind]
    mark = {"+": "+", "-": "−", "*": "×", "/": "÷"}[kind]
    what = f"({m} + {a}/{b}) {mark} ({n} + {c}/{d})" if draw.chance(0.4) else f"{m} {a}/{b} {mark} {n} {c}/{d}"
    question, form = _ask(draw, what)
    if "+ " not in what.split(mark)[0]:
        question += draw.pick(
            (" (These are mixed numbers.)", " Both are mixed numbers.", " Read them as mixed numbers.")
        )
    steps = [
        Step(
            f"{m} {a}/{b} = {m * b + a}/{b} and {n} {c}/{d} = {n * d + c}/{d}.",
            "As improper fractions they are easier to handle.",
        )
    ]
    steps.append(
        Step(
            f"{x} {mark} {y} = {value}.",
            {
                "+": "Over a common denominator:",
                "-": "Over a common denominator:",
                "*": "Tops with tops, bottoms with bottoms, then cancel:",
                "/": "Multiply by the reciprocal, then cancel:",
            }[kind],
        )
    )
    inverse = {
        "+": f"{value} − {y} = {x}",
        "-": f"{value} + {y} = {x}",
        "*": f"{value} ÷ {y} = {x}",
        "/": f"{value} × {y} = {x}",
    }[kind]
    return Draft(
        question=question,
        answer=str(value),
        facts={"expression": [["+", m * b + a, b], [kind, n * d + c, d]]},
        template=f"mixed {kind} {form}",
        steps=steps,
        says=f"The result is {value}.",
        given=f"Mixed numbers: {m} and {a}/{b}, and {n} and {c}/{d}.",
        check=f"{inverse}.",
    )


def _chain(draw: Draw, level: int) -> Draft:
    terms = [_fraction(draw, level - 1) for _ in range(level - 1)]
    marks = [draw.pick("+-") if i != 1 else draw.pick("*/") for i in range(len(terms) - 1)]
    shown = [f"{a}/{b}" for a, b in terms]
    names = {"+": "+", "-": "−", "*": "×", "/": "÷"}
    what = shown[0] + "".join(f" {names[mark]} {each}" for mark, each in zip(marks, shown[1:], strict=True))
    values = [Fraction(a, b) for a, b in terms]
    steps: list[Step] = []
    sums, signs = [values[0]], ["+"]
    for mark, value, text in zip(marks, values[1:], shown[1:], strict=True):
        if mark in "*/":
            left = sums.pop()
            product = left * value if mark == "*" else left / value
            steps.append(Step(f"{left} {names[mark]} {text} = {product}.", "× and ÷ come before + and −."))
            sums.append(product)
        else:
            sums.append(value)
            signs.append(mark)
    total = sums[0]
    for sign, value in zip(signs[1:], sums[1:], strict=True):
        new = total + value if sign == "+" else total - value
        steps.append(Step(f"{total} {names[sign]} {value} = {new}."))
        total = new
    question, form = _ask(draw, what)
    return Draft(
        question=question,
        answer=str(total),
        facts={
            "expression": [["+", *terms[0]]] + [[mark, *term] for mark, term in zip(marks, terms[1:], strict=True)]
        },
        template=f"chain {''.join(marks)} {form}",
        steps=steps,
        says=f"{what} = {total}.",
        given=f"{what}: × and ÷ bind more tightly than + and −.",
        check=f"In decimals the parts are {', '.join(f'{float(v):.3f}' for v in values)}, and the whole comes to about {float(total):.3f}, as {total} does.",
    )


def _compare(draw: Draw, level: int) -> Draft:
    while True:
        (a, b), (c, d) = _fraction(draw, level + 1), _fraction(draw, level + 1)
        if a * d != b * c:
            break
    larger = draw.chance(0.5)
    x, y = Fraction(a, b), Fraction(c, d)
    answer = max(x, y) if larger else min(x, y)
    word = "larger" if larger else "smaller"
    form = draw.between(0, 5)
    question = (
        f"Which is {word}, {a}/{b} or {c}/{d}?", f"Of {a}/{b} and {c}/{d}, give the {word} one.", f"Compare {a}/{b} with {c}/{d}. Which is the {word}?", f"Find the {word} of the two fractions {a}/{b} and {c}/{d}.",
        f"Two fractions, {a}/{b} and {c}/{d}: which one is {word}?", f"Name the {word} fraction: {a}/{b} or {c}/{d}.",
    )[form]  # fmt: skip
    slip = (
        Slip(
            f"{max(b, d)} is the larger bottom, so that fraction is larger.",
            "A larger bottom means smaller parts; both numbers count.",
        )
        if b != d
        else None
    )
    return Draft(
        question=question,
        answer=str(answer),
        facts={"compare": [[a, b], [c, d]], "larger": larger},
        template=f"compare {form}",
        steps=[
            Step(
                f"{a} × {d} = {a * d} and {c} × {b} = {c * b}.",
                f"Over the common denominator {b * d}, the tops decide.",
                slip,
            ),
            Step(
                f"{a * d} {'>' if a * d > c * b else '<'} {c * b}, so {a}/{b} {'>' if a * d > c * b else '<'} {c}/{d}."
            ),
        ],
        says=f"The {word} one is {answer}.",
        given=f"{a}/{b} and {c}/{d} have different parts, so they can't be compared at sight.",
        check=f"In decimals: {a / b:.4f} and {c / d:.4f}.",
    )


def _of(draw: Draw, level: int) -> Draft:
    a, b = _fraction(draw, 3)
    whole = b * draw.between(2, 12 * level)
    part = whole // b * a
    who = people(draw, 1)[0]
    things = draw.pick(
        (
            "marbles",
            "stickers",
            "photographs",
            "pages",
            "seeds",
            "tickets",
            "beads",
            "cards",
            "walnuts",
            "coins",
            "stamps",
            "buttons",
        )
    )
    rest = draw.chance(0.4)
    verb = draw.pick(("gives away", "uses", "loses", "sells", "packs away"))
    form = draw.between(0, 2)
    question = (
        f"{who} has {whole} {things} and {verb} {a}/{b} of them. How many {'are left' if rest else 'is that'}?",
        f"Out of {whole} {things}, {who} {verb} {a}/{b}. {'How many remain' if rest else 'How many are these'}?",
        f"{a}/{b} of {who}'s {whole} {things} are gone because {who.they} {verb} them. What number {'does ' + who.they + ' still have' if rest else 'is gone'}?",
    )[form]
    steps = [
        Step(f"{whole} ÷ {b} = {whole // b}.", f"One part of {b}:"),
        Step(f"{whole // b} × {a} = {part}.", f"{a} of these parts:"),
    ]
    if rest:
        steps.append(
            Step(
                f"{whole} − {part} = {whole - part}.",
                "The rest is asked for.",
                Slip(f"So the answer is {part}.", "That is what is gone; what is left is wanted."),
            )
        )
    answer = whole - part if rest else part
    return Draft(
        question=question,
        answer=str(answer),
        facts={"of": [a, b, whole], "rest": rest},
        template=f"of {things} {form} {rest}",
        steps=steps,
        says=f"The answer is {answer} {things}.",
        given=f"{a}/{b} of {whole}{', and then the rest' if rest else ''}.",
        check=f"{part} out of {whole} is {Fraction(part, whole)}, as it should be.",
    )


def _decimal(draw: Draw, level: int) -> Draft:
    bottom = draw.pick((2, 4, 5, 8, 10, 16, 20, 25, 40, 50, 80, 100, 125))
    top = draw.between(1, 2 * bottom)
    value = Fraction(top, bottom)
    places = next(p for p in range(8) if 10**p % value.denominator == 0)
    text = f"{float(value):.{places}f}"
    to_decimal = draw.chance(0.5)
    form = draw.between(0, 3)
    scaled = value * 10**places
    if to_decimal:
        question = (
            "Write {} as a decimal.",
            "What is {} as a decimal number?",
            "Convert {} to a decimal.",
            "Turn the fraction {} into a decimal.",
        )[form].format(f"{top}/{bottom}")
        steps = [
            Step(f"{top}/{bottom} = {scaled}/{10**places}.", f"Expand to the denominator {10**places}:"),
            Step(f"That is {text}."),
        ]
    else:
        question = (
            "Write {} as a fraction in lowest terms.",
            "Which reduced fraction is {}?",
            "Convert {} to a fraction in lowest terms.",
            "Turn the decimal {} into a reduced fraction.",
        )[form].format(text)
        steps = [
            Step(
                f"{text} = {scaled}/{10**places}.",
                f"{places} places after the point mean {10**places} below the line." if places else "It is whole.",
            ),
            *_cancel(int(scaled), 10**places),
        ]
    return Draft(
        question=question,
        answer=text if to_decimal else str(value),
        facts={"expression": [["+", top, bottom]]},
        template=f"decimal {to_decimal} {form}",
        steps=steps,
        says=f"{value} = {text}.",
        given=f"{top if to_decimal else text}{f'/{bottom}' if to_decimal else ''} in another form.",
        check=f"{value} × {value.denominator} = {value.numerator}, and {text} × {value.denominator} = {value.numerator} too.",
    )


def solve(facts: dict[str, Any]) -> str:
    """One denominator for everything, whole numbers above it."""
    if "compare" in facts:
        (a, b), (c, d) = facts["compare"]
        first = (a * d > c * b) == facts["larger"]
        return f"{a}/{b}" if first else f"{c}/{d}"
    if "of" in facts:
        a, b, whole = facts["of"]
        return str(whole * (b - a) // b if facts["rest"] else whole * a // b)
    groups: list[list[int]] = []  # sums of products, each [sign × top, bottom]
    for mark, top, bottom in facts["expression"]:
        if mark in "+-":
            groups.append([top if mark == "+" else -top, bottom])
        else:
            groups[-1][0] *= top if mark == "*" else bottom
            groups[-1][1] *= bottom if mark == "*" else top
    below = 1
    for _, bottom in groups:
        below *= bottom
    above = sum(top * (below // bottom) for top, bottom in groups)
    common = gcd(above, below)
    return f"{above // common}/{below // common}"


PIPELINE = Solver(
    make,
    solve,
    knobs="level: reducing and adding, then all operations, mixed numbers, chains; denominators up to 9 … 60",
)
