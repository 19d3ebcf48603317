"""Polynomials: expanding, factoring, roots of quadratics, values, remainders, the vertex, coefficients from roots.

`make` builds from factors; `solve` works with lists of coefficients, or searches for roots.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import gcd, isqrt
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.algebra._terms import linear, polynomial, signed, term
from phiforge.data.rows import Unfit

_EXPAND = (
    "Expand {}.",
    "Multiply out {}.",
    "Write {} as a polynomial without brackets.",
    "Expand and collect like terms: {}.",
    "What is {} multiplied out?",
    "Remove the brackets: {}.",
)
_ROOTS = (
    "Solve {} = 0.",
    "Find all real roots of {}.",
    "For which x is {} = 0?",
    "Give the set of solutions of {} = 0.",
    "Where is {} zero?",
    "Determine the zeros of {}.",
)
_FACTOR = (
    "Factor {}.",
    "Write {} as a product of linear factors.",
    "Factorise {} over the integers.",
    "Find the factors of {}.",
    "Split {} into factors.",
)
_VALUE = (
    "What is {} at x = {}?",
    "Evaluate {} for x = {}.",
    "Find the value of {} when x is {}.",
    "Put {1} for x in {0}. What comes out?",
    "Compute p({1}) for p(x) = {0}.",
    "Let p(x) = {}. What is p({})?",
)
_REMAINDER = (
    "What is the remainder of {} divided by {}?",
    "Divide {} by {}. Which remainder is left?",
    "Find the remainder when {} is divided by {}.",
    "{} is divided by {}. Give the remainder.",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_value, _expand),
        (_value, _expand, _roots),
        (_expand, _roots, _factor),
        (_roots, _factor, _remainder, _vertex),
        (_remainder, _vertex, _unknown, _roots),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _small(draw: Draw, most: int) -> int:
    return draw.between(1, most) * draw.pick((1, -1))


def times(p: list[int], q: list[int]) -> list[int]:
    """The product of two polynomials, highest coefficient first."""
    result = [0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return result


def _expand(draw: Draw, level: int) -> Draft:
    a, b, c, d = (
        draw.between(1, level + 1),
        _small(draw, 5 + level),
        draw.between(1, level + 1),
        _small(draw, 5 + level),
    )
    square = draw.chance(0.25)
    if square:
        c, d = a, b
    p, q = [a, b], [c, d]
    three = level >= 3 and draw.chance(0.5)
    what = f"({linear(a, b)})^2" if square else f"({linear(a, b)})({linear(c, d)})"
    product = times(p, q)
    steps = [
        Step(
            f"{term(a, 'x')} × {term(c, 'x')} = {term(a * c, 'x^2')}, the terms with x are {term(a * d, 'x')} and {term(b * c, 'x')}, and {b} × ({d}) = {b * d}.",
            "Every term of the one with every term of the other.",
            Slip(f"{polynomial([a * c, 0, b * d])}.", "The products across the middle are missing."),
        ),
        Step(f"Together {polynomial(product)}."),
    ]
    if three:
        e = _small(draw, 4)
        what += f"({linear(1, e)})"
        more = times(product, [1, e])
        steps.append(
            Step(
                f"Times ({linear(1, e)}): {polynomial([*product, 0])} and {polynomial([e * x for x in product])}, together {polynomial(more)}.",
                "The third factor in the same way.",
            )
        )
        p, q, product = product, [1, e], more
    form = draw.between(0, len(_EXPAND) - 1)
    at = draw.pick((1, 2, -1))
    return Draft(
        question=_EXPAND[form].format(what),
        answer=polynomial(product).replace("−", "-"),
        facts={"kind": "expand", "factors": [[a, b], [c, d]] + ([[1, q[1]]] if three else [])},
        template=f"expand {form} {square} {three}",
        steps=steps,
        says=f"{what} = {polynomial(product)}.",
        given=f"{what} is to be written without brackets.",
        check=f"At x = {at}, the factors give {_product_at([[a, b], [c, d]] + ([[1, q[1]]] if three else []), at)} and the polynomial gives {_at(product, at)}.",
    )


def _product_at(factors: list[list[int]], x: int) -> int:
    value = 1
    for factor in factors:
        value *= _at(factor, x)
    return value


def _at(p: list[int], x: int) -> int:
    value = 0
    for c in p:
        value = value * x + c
    return value


def _value(draw: Draw, level: int) -> Draft:
    degree = 1 + (level + 1) // 2
    p = [draw.between(1, 4) * draw.pick((1, 1, -1)), *(draw.between(-7, 7) for _ in range(degree))]
    x = draw.between(2, 4) if level == 1 else _small(draw, 5)
    form = draw.between(0, len(_VALUE) - 1)
    powers = [c * x ** (degree - i) for i, c in enumerate(p)]
    steps = [
        Step(f"{term(c, f'({x})' + (f'^{degree - i}' if degree - i > 1 else '')) if degree - i and c not in (1, -1) else ('' if c == 1 else '-' if c == -1 else str(c)) + (f'({x})^{degree - i}' if degree - i else '1' if c in (1, -1) else '')} = {powers[i]}.", "Term by term:" if i == 0 else "", Slip(f"({x})^{degree - i} = {-abs(x) ** (degree - i)}.", "An even power of a negative number is positive.") if x < 0 and (degree - i) % 2 == 0 and degree > i and i == 0 else None)
        for i, c in enumerate(p) if c and degree - i
    ]  # fmt: skip
    steps.append(
        Step(
            f"{' '.join(signed(v) if j else str(v) for j, v in enumerate(v for v, c in zip(powers, p, strict=True) if c))} = {sum(powers)}.",
            "Now the sum.",
        )
    )
    nested, shown = p[0], str(p[0])
    for c in p[1:]:
        nested = nested * x + c
        shown += f" → {nested}"
    return Draft(
        question=_VALUE[form].format(polynomial(p), x),
        answer=str(sum(powers)),
        facts={"kind": "value", "p": p, "x": x},
        template=f"value {form} {degree}",
        steps=steps,
        says=f"The value at {x} is {sum(powers)}.",
        given=f"x = {x} is put into {polynomial(p)}.",
        check=f"By Horner's scheme: {shown}.",
    )


def _roots(draw: Draw, level: int) -> Draft:
    kind = draw.pick(("two", "two", "two", "double", "none")) if level > 2 else "two"
    a = draw.pick((1, 1, 1, 2, 3, -1)) if level > 2 else 1
    if kind == "none":
        b, c = _small(draw, 6), draw.between(1, 20)
        p = [a, b, c if a > 0 else -c]
        if p[1] ** 2 - 4 * p[0] * p[2] >= 0:
            raise Unfit
        roots: list[Fraction] = []
    else:
        r = draw.between(-6 - level, 6 + level)
        s = r if kind == "double" else draw.pick([n for n in range(-6 - level, 7 + level) if n != r])
        if level >= 4 and kind == "two" and draw.chance(0.5):
            first, second = [draw.pick((2, 3)), 0], [1, -s]
            first[1] = -draw.pick([n for n in range(-9, 10) if n % first[0]])
            p, roots = times(first, second), sorted({Fraction(-first[1], first[0]), Fraction(s)})
        else:
            p, roots = [a * c for c in times([1, -r], [1, -s])], sorted({Fraction(r), Fraction(s)})
    form = draw.between(0, len(_ROOTS) - 1)
    A, B, C = p
    disc = B * B - 4 * A * C
    steps = [
        Step(
            f"The discriminant is ({B})² − 4 × {A if A > 0 else f'({A})'} × {C if C >= 0 else f'({C})'} = {disc}.",
            "The quadratic formula: first what stands under the root.",
        )
    ]
    if disc < 0:
        steps.append(Step("It is negative, so there is no real root."))
        answer, says = r"\emptyset", "There is no real solution."
        check = f"The least absolute value is at x = {Fraction(-B, 2 * A)}, and there it is {Fraction(-disc, 4 * A)}, not 0."
    else:
        root = isqrt(disc)
        if disc:
            steps.append(
                Step(
                    f"√{disc} = {root}, so x = ({-B} ± {root}) / {2 * A}.",
                    "",
                    Slip(f"x = ({B} ± {root}) / {2 * A}.", "The formula begins with −b.") if B else None,
                )
            )
        else:
            steps.append(Step(f"So x = {-B} / {2 * A}, a double root."))
        steps.append(Step(f"x = {' or x = '.join(map(str, roots))}."))
        answer, says = (
            "{" + ", ".join(map(str, roots)) + "}",
            f"The solutions are {' and '.join(map(str, roots))}."
            if len(roots) > 1
            else f"The only solution is {roots[0]}.",
        )
        check = f"Sum of the roots {roots[0] + roots[-1]} = −b/a, product {roots[0] * roots[-1]} = c/a."
    return Draft(
        question=_ROOTS[form].format(polynomial(p))
        + draw.pick((" Answer with a set.", " Give them as a set.", " Write the answer as a set."))
        + (" (Real numbers only.)" if level > 2 else ""),
        answer=answer,
        facts={"kind": "roots", "p": p},
        template=f"roots {form} {kind}",
        steps=steps,
        says=says,
        given=f"a = {A}, b = {B}, c = {C}.",
        check=check,
    )


def _factor(draw: Draw, level: int) -> Draft:
    a = 1 if level < 4 else draw.between(1, 3)
    r, s = _small(draw, 4 + level), _small(draw, 4 + level)
    if gcd(a, r) > 1:
        raise Unfit
    p = times([a, r], [1, s])
    form = draw.between(0, len(_FACTOR) - 1)
    factors = [linear(a, r), linear(1, s)]
    steps = [
        Step(
            f"{a * s * r if a > 1 else r * s} = {a * s if a > 1 else s} × ({r}) and {a * s if a > 1 else s} + ({r}) = {p[1]}.",
            f"Two numbers are needed with product {p[0] * p[2]} and sum {p[1]}.",
        ),
        Step(
            f"So {polynomial(p)} = ({factors[0]})({factors[1]}).",
            "",
            Slip(f"({linear(a, -r)})({linear(1, -s)})", f"Multiplied out, the middle term would be {-p[1]}x.")
            if p[1]
            else None,
        ),
    ]
    text = f"({factors[0]})({factors[1]})".replace("−", "-")
    return Draft(
        question=_FACTOR[form].format(polynomial(p)),
        answer=text,
        facts={"kind": "factor", "p": p},
        template=f"factor {form} {a}",
        steps=steps,
        says=f"{polynomial(p)} = ({factors[0]})({factors[1]}).",
        given=f"{polynomial(p)} is to become a product.",
        check=f"Multiplied out: {term(a, 'x')} × x = {term(a, 'x^2')}, middle {linear(a * s, 0)} and {linear(r, 0)}, last {r * s}.",
    )


def _remainder(draw: Draw, level: int) -> Draft:
    p = [draw.between(1, 3), *(draw.between(-8, 8) for _ in range(level - 1))]
    r = _small(draw, 4)
    form = draw.between(0, len(_REMAINDER) - 1)
    rest = _at(p, r)
    steps, value = [], p[0]
    for c in p[1:]:
        new = value * r + c
        steps.append(Step(f"{value} × ({r}) {signed(c)} = {new}."))
        value = new
    steps[0] = Step(
        steps[0].say,
        f"By the remainder theorem it is the value at x = {r}; Horner's scheme finds it.",
        Slip(f"It is the value at x = {-r}.", f"x {signed(-r)} is zero at {r}."),
    )
    return Draft(
        question=_REMAINDER[form].format(polynomial(p), linear(1, -r)),
        answer=str(rest),
        facts={"kind": "remainder", "p": p, "r": r},
        template=f"remainder {form} {len(p)}",
        steps=steps,
        says=f"The remainder is {rest}.",
        given=f"{polynomial(p)} divided by {linear(1, -r)}.",
        check=f"Directly: {' '.join((signed(v) if i else str(v)) for i, v in enumerate(c * r ** (len(p) - 1 - j) for j, c in enumerate(p)))} = {rest}.",
    )


def _vertex(draw: Draw, level: int) -> Draft:
    a, h, k = draw.pick((1, 1, 2, 3, -1, -2)), _small(draw, 5 + level), draw.between(-12, 12)
    p = [a, -2 * a * h, a * h * h + k]
    form = draw.between(0, 3)
    question = (
        "Find the vertex of the parabola y = {}.",
        "Which point is the vertex of y = {}?",
        "At which point does y = {} have its extreme value?",
        "Give the turning point of the graph of y = {}.",
    )[form].format(polynomial(p)) + " Answer with a pair."
    return Draft(
        question=question,
        answer=f"({h}, {k})",
        facts={"kind": "vertex", "p": p},
        template=f"vertex {form} {a}",
        steps=[
            Step(
                f"x = −({p[1]}) / (2 × {a if a > 0 else f'({a})'}) = {h}.",
                "The vertex lies at x = −b/(2a).",
                Slip(f"x = {p[1]} / {2 * a} = {-h}.", "The minus sign of −b/(2a) is missing."),
            ),
            Step(
                f"y = {a if a not in (1, -1) else '' if a == 1 else '-'}({h})² {signed(p[1])} × ({h}) {signed(p[2])} = {k}.",
                "The value there:",
            ),
        ],
        says=f"The vertex is ({h}, {k}).",
        given=f"a = {a}, b = {p[1]}, c = {p[2]}.",
        check=f"y = {'' if a == 1 else '-' if a == -1 else a}({linear(1, -h)})² {signed(k)} multiplied out is {polynomial(p)}.",
    )


def _unknown(draw: Draw, level: int) -> Draft:
    """One root of a quadratic with an unknown coefficient is known; find the coefficient."""
    r, s = _small(draw, 9), _small(draw, 9)
    p = times([1, -r], [1, -s])
    form, where = draw.between(0, 1), draw.between(1, 2)
    shown = f"x^2 + kx {signed(p[2])}" if where == 1 else f"{polynomial([1, p[1], 0])} + k"
    if not p[1] or not p[2]:
        raise Unfit
    question = (f"One root of {shown} is {r}. What is k?", f"For which k does {shown} = 0 have the solution x = {r}?")[
        form
    ]
    rest = r * r + (p[2] if where == 1 else p[1] * r)
    return Draft(
        question=question,
        answer=str(p[where]),
        facts={"kind": "unknown", "r": r, "where": where, "known": p[2] if where == 1 else p[1]},
        template=f"unknown {form} {where}",
        steps=[
            Step(
                f"({r})² {'+ k × (' + str(r) + ') ' + signed(p[2]) if where == 1 else signed(p[1]) + ' × (' + str(r) + ') + k'} = 0.",
                f"{r} makes it zero, so put it in.",
            ),
            Step(f"{rest} + {f'({r})k' if where == 1 else 'k'} = 0, so k = {p[where]}."),
        ],
        says=f"k = {p[where]}.",
        given=f"{r} is a root of {shown}.",
        check=f"With k = {p[where]} the roots are {r} and {s}: their sum is {r + s} and their product {r * s}.",
    )


def solve(facts: dict[str, Any]) -> str:
    """Coefficients convolved from values, roots by search."""
    kind = facts["kind"]
    if kind == "expand":
        factors = facts["factors"]
        degree = len(factors)
        values = [
            Fraction(_product_at(factors, x)) for x in range(degree + 1)
        ]  # through so many points goes one polynomial
        return polynomial([int(c) for c in _interpolate(values)]).replace("−", "-")
    if kind == "value":
        return str(sum(c * facts["x"] ** i for i, c in enumerate(reversed(facts["p"]))))
    if kind == "roots":
        found = [
            Fraction(n, d)
            for d in (1, 2, 3, 6)
            for n in range(-60, 61)
            if gcd(n, d) == 1 and sum(c * Fraction(n, d) ** i for i, c in enumerate(reversed(facts["p"]))) == 0
        ]
        return "{" + ", ".join(map(str, found)) + "}" if found else r"\emptyset"
    if kind == "factor":
        a, b, c = facts["p"]
        for m in range(-30, 31):
            for n in range(-30, 31):
                if m * n == c and a * n + m == b:
                    return f"({a}*x + {m})*(x + {n})".replace("+ -", "- ")
        raise ValueError(f"{facts['p']} has no such factors")
    if kind == "remainder":
        rest = list(facts["p"])
        while len(rest) > 1:  # long division
            lead = rest.pop(0)
            rest[0] += lead * facts["r"]
        return str(rest[0])
    if kind == "vertex":
        a, b, c = facts["p"]
        left, right = a - b + c, a + b + c  # a parabola through three points has its axis where the slope is zero
        axis = Fraction(left - right, 2 * (left + right - 2 * c))
        return f"({axis}, {a * axis * axis + b * axis + c})"
    r, known = facts["r"], facts["known"]
    return str(Fraction(-(r * r + known), r) if facts["where"] == 1 else -(r * r + known * r))


def _interpolate(values: list[Fraction]) -> list[Fraction]:
    """The polynomial with these values at 0, 1, 2, …, by Newton's differences, highest coefficient first."""
    n = len(values)
    table, heads = list(values), [values[0]]
    for step in range(1, n):
        table = [(b - a) / step for a, b in itertools.pairwise(table)]
        heads.append(table[0])
    result = [Fraction(0)]
    for k in reversed(range(n)):
        shifted = [*result, Fraction(0)]
        result = [a - k * b for a, b in zip(shifted, [Fraction(0), *result], strict=True)]
        result[-1] += heads[k]
    while len(result) > 1 and not result[0]:
        result = result[1:]
    return result


PIPELINE = Solver(
    make, solve, knobs="level: values and products, roots and factors, remainders, vertices, unknown coefficients"
)
