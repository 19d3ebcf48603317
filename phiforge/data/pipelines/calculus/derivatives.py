"""Calculus of polynomials and simple quotients: derivatives, slopes, tangents, extrema, antiderivatives, areas, motion.

`make` uses the rules; `solve` takes limits of difference quotients and sums of rectangles exactly, by interpolation.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.algebra._terms import linear, polynomial, signed
from phiforge.data.rows import Unfit

Poly = list[Fraction]  # coefficients, the highest power first

_DERIVE = (
    "Differentiate f(x) = {}.",
    "Find the derivative of {}.",
    "What is f'(x) for f(x) = {}?",
    "Let f(x) = {}. Compute f'(x).",
    "Give the derivative of f(x) = {} with respect to x.",
)
_SLOPE = (
    "What is the slope of y = {} at x = {}?",
    "Find f'({1}) for f(x) = {0}.",
    "How steep is the graph of {} at x = {}?",
    "Compute the rate of change of {} at x = {}.",
)
_TANGENT = (
    "Find the tangent to y = {} at x = {}, as a polynomial in x.",
    "Which line touches the graph of {} at x = {}? Give it as a polynomial in x.",
    "The tangent of f(x) = {} at x = {} is y = ? Give the right-hand side.",
)
_AREA = (
    "Compute the integral of {} from {} to {}.",
    "What is the definite integral of f(x) = {} between x = {} and x = {}?",
    "Integrate {} over [{}, {}].",
)
_EXTREMA = (
    "At which x does f(x) = {} have local extrema? Answer with a set.",
    "Find all x with f'(x) = 0 for f(x) = {}. Answer with a set.",
    "Give the critical points (the x) of {} as a set.",
)
_TWICE = ("Find the second derivative of f(x) = {}.", "What is f''(x) for f(x) = {}?", "Differentiate {} twice.")
_PRODUCT = (
    "Differentiate ({})({}) and expand.",
    "Find the derivative of the product ({})({}), expanded.",
    "What is the derivative of f(x) = ({})({})? Multiply it out.",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_derive,),
        (_derive, _slope, _twice),
        (_slope, _tangent, _area, _twice),
        (_tangent, _area, _product, _motion),
        (_product, _extrema, _area, _motion),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _poly(draw: Draw, degree: int, most: int = 9) -> Poly:
    return [
        Fraction(draw.between(1, most) * draw.pick((1, 1, -1))),
        *(Fraction(draw.between(-most, most)) for _ in range(degree)),
    ]


def derivative(p: Poly) -> Poly:
    n = len(p) - 1
    return [c * (n - i) for i, c in enumerate(p[:-1])] or [Fraction(0)]


def at(p: Poly, x: Fraction | int) -> Fraction:
    value = Fraction(0)
    for c in p:
        value = value * x + c
    return value


def _answer(p: Poly) -> str:
    return polynomial(p).replace("−", "-")


def _rules(p: Poly) -> list[Step]:
    """The power rule, term by term."""
    n = len(p) - 1
    steps = []
    for i, c in enumerate(p):
        k = n - i
        if c and k:
            term = polynomial([c, *[Fraction(0)] * k])
            slip = (
                Slip(
                    f"({term})' = {polynomial([c, *[Fraction(0)] * (k - 1)])}.",
                    "The exponent has to come down as a factor.",
                )
                if k > 1 and not steps
                else None
            )
            steps.append(
                Step(
                    f"({term})' = {polynomial([c * k, *[Fraction(0)] * (k - 1)])}.",
                    "The power rule: bring the exponent down and lower it by one." if not steps else "",
                    slip,
                )
            )
    if p[-1]:
        steps.append(Step(f"({p[-1]})' = 0.", "A constant doesn't change."))
    return steps


def _facts(kind: str, p: Poly, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "p": [str(c) for c in p], **more}


def _derive(draw: Draw, level: int) -> Draft:
    p = _poly(draw, 1 + level + draw.between(0, 1))
    form = draw.between(0, len(_DERIVE) - 1)
    d = derivative(p)
    return Draft(
        question=_DERIVE[form].format(polynomial(p)),
        answer=_answer(d),
        facts=_facts("derivative", p),
        template=f"derive {form} {len(p)}",
        steps=[*_rules(p), Step(f"Together {polynomial(d)}.")],
        says=f"f'(x) = {polynomial(d)}.",
        given=f"f(x) = {polynomial(p)}, a sum of powers.",
        check=f"Near x = 1, from 1 to 1.001, f grows by {float((at(p, Fraction(1001, 1000)) - at(p, 1)) * 1000):.2f} a unit, and f'(1) = {at(d, 1)}.",
    )


def _twice(draw: Draw, level: int) -> Draft:
    p = _poly(draw, 2 + level // 2 + draw.between(0, 1))
    form = draw.between(0, len(_TWICE) - 1)
    d = derivative(p)
    e = derivative(d)
    return Draft(
        question=_TWICE[form].format(polynomial(p)),
        answer=_answer(e),
        facts=_facts("second", p),
        template=f"twice {form} {len(p)}",
        steps=[
            Step(
                f"f'(x) = {polynomial(d)}.",
                "Once:",
                Slip(f"So the answer is {polynomial(d)}.", "That is the first derivative; the second is asked for."),
            ),
            Step(f"f''(x) = {polynomial(e)}.", "And again:"),
        ],
        says=f"f''(x) = {polynomial(e)}.",
        given=f"f(x) = {polynomial(p)}.",
        check=f"f' changes from {at(d, 1)} at x = 1 to {at(d, 2)} at x = 2, and f'' lies between {min(at(e, 1), at(e, 2))} and {max(at(e, 1), at(e, 2))} at these places.",
    )


def _slope(draw: Draw, level: int) -> Draft:
    p, x = _poly(draw, 2 + level // 2), draw.between(-4, 4)
    form = draw.between(0, len(_SLOPE) - 1)
    d = derivative(p)
    value = at(d, x)
    h = Fraction(1, 100)
    return Draft(
        question=_SLOPE[form].format(polynomial(p), x),
        answer=str(value),
        facts=_facts("slope", p, x=x),
        template=f"slope {form} {len(p)}",
        steps=[
            Step(f"f'(x) = {polynomial(d)}.", "First the derivative."),
            Step(
                f"f'({x}) = {value}.",
                f"Now put x = {x} in.",
                Slip(f"f({x}) = {at(p, x)}.", "That is the height, not the slope."),
            ),
        ],
        says=f"The slope is {value}.",
        given=f"f(x) = {polynomial(p)} at x = {x}.",
        check=f"(f({float(x + h):.2f}) − f({float(x - h):.2f})) / 0.02 ≈ {float((at(p, x + h) - at(p, x - h)) * 50):.3f}.",
    )


def _tangent(draw: Draw, level: int) -> Draft:
    p, x = _poly(draw, draw.between(2, 3), 5), draw.between(-3, 3)
    form = draw.between(0, len(_TANGENT) - 1)
    m, y = at(derivative(p), x), at(p, x)
    line = [m, y - m * x]
    return Draft(
        question=_TANGENT[form].format(polynomial(p), x),
        answer=_answer(line),
        facts=_facts("tangent", p, x=x),
        template=f"tangent {form} {len(p)}",
        steps=[
            Step(f"f'(x) = {polynomial(derivative(p))}, so the slope is f'({x}) = {m}."),
            Step(f"f({x}) = {y}.", "The line goes through the point of the graph."),
            Step(
                f"y = {m}(x {signed(-x)}) {signed(y)} = {linear(line[0], line[1])}."
                if x
                else f"y = {linear(line[0], line[1])}.",
                "",
                Slip(f"y = {linear(m, y)}.", f"That goes through (0, {y}), not through ({x}, {y}).") if x else None,
            ),
        ],
        says=f"y = {linear(line[0], line[1])}.",
        given=f"The tangent of {polynomial(p)} at x = {x}.",
        check=f"At x = {x} the line has the value {at(line, x)}, as the graph does.",
    )


def _area(draw: Draw, level: int) -> Draft:
    p = _poly(draw, draw.between(1, level - 1), 6)
    a = draw.between(-3, 2)
    b = a + draw.between(1, 4)
    n = len(p)
    F = [c / (n - i) for i, c in enumerate(p)] + [Fraction(0)]
    value = at(F, b) - at(F, a)
    form = draw.between(0, len(_AREA) - 1)
    return Draft(
        question=_AREA[form].format(polynomial(p), a, b) + " Give the exact value.",
        answer=str(value),
        facts=_facts("integral", p, a=a, b=b),
        template=f"integral {form} {n}",
        steps=[
            Step(
                f"F(x) = {polynomial(F)}.",
                "An antiderivative: raise each exponent by one and divide by it.",
                Slip(f"F(x) = {polynomial(derivative(p))}.", "That is the derivative, the wrong way."),
            ),
            Step(f"F({b}) = {at(F, b)} and F({a}) = {at(F, a)}."),
            Step(f"{at(F, b)} − ({at(F, a)}) = {value}.", "Upper minus lower:"),
        ],
        says=f"The integral is {value}.",
        given=f"{polynomial(p)} from {a} to {b}.",
        check=f"By Simpson's rule with the middle it is about {float((b - a) * (at(p, a) + 4 * at(p, Fraction(a + b, 2)) + at(p, b)) / 6):.4f}, and {value} ≈ {float(value):.4f}.",
    )


def _product(draw: Draw, level: int) -> Draft:
    p, q = _poly(draw, draw.between(1, 2), 5), _poly(draw, 1, 5)
    form = draw.between(0, len(_PRODUCT) - 1)
    left, right = _times(derivative(p), q), _times(p, derivative(q))
    d = _plus(left, right)
    return Draft(
        question=_PRODUCT[form].format(polynomial(p), polynomial(q)),
        answer=_answer(d),
        facts=_facts("product", p, q=[str(c) for c in q]),
        template=f"product {form} {len(p)}",
        steps=[
            Step(
                f"u = {polynomial(p)}, u' = {polynomial(derivative(p))}; v = {polynomial(q)}, v' = {polynomial(derivative(q))}.",
                "The product rule: u'v + uv'.",
                Slip(
                    f"u'v' = {polynomial(_times(derivative(p), derivative(q)))}.",
                    "The derivative of a product is not the product of the derivatives.",
                ),
            ),
            Step(f"u'v = {polynomial(left)} and uv' = {polynomial(right)}."),
            Step(f"Together {polynomial(d)}."),
        ],
        says=f"The derivative is {polynomial(d)}.",
        given="A product of two polynomials.",
        check=f"Multiplied out first, f = {polynomial(_times(p, q))}, and the power rule gives {polynomial(derivative(_times(p, q)))}.",
    )


def _extrema(draw: Draw, level: int) -> Draft:
    r, s = draw.sample(range(-5, 6), 2)
    a = draw.pick((1, 1, -1, 2))
    d = [Fraction(3 * a), Fraction(-3 * a * (r + s)), Fraction(3 * a * r * s)]
    p = [Fraction(a), Fraction(-3 * a * (r + s), 2), Fraction(3 * a * r * s), Fraction(draw.between(-9, 9))]
    if any(c.denominator > 1 for c in p):
        raise Unfit
    form = draw.between(0, len(_EXTREMA) - 1)
    low, high = min(r, s), max(r, s)
    return Draft(
        question=_EXTREMA[form].format(polynomial(p)),
        answer=f"{{{low}, {high}}}",
        facts=_facts("extrema", p),
        template=f"extrema {form} {a}",
        steps=[
            Step(f"f'(x) = {polynomial(d)}.", "Where the slope is zero:"),
            Step(
                f"{polynomial(d)} = {3 * a}(x {signed(-low)})(x {signed(-high)}).",
                f"The sum of the zeros is {r + s} and their product {r * s}.",
            ),
            Step(
                f"So x = {low} or x = {high}.",
                "",
                Slip("f(x) = 0 has to be solved.", "Extrema are where the derivative is zero, not the function."),
            ),
        ],
        says=f"At x = {low} and x = {high}.",
        given=f"f(x) = {polynomial(p)}.",
        check=f"f'({low}) = {at(d, low)} and f'({high}) = {at(d, high)}; between them, f'({Fraction(r + s, 2)}) = {at(d, Fraction(r + s, 2))}.",
    )


def _motion(draw: Draw, level: int) -> Draft:
    p = [
        Fraction(draw.between(1, 3)),
        Fraction(draw.between(-6, 6)),
        Fraction(draw.between(0, 12)),
        Fraction(draw.between(0, 9)),
    ]
    t = draw.between(1, 6)
    second = draw.chance(0.5)
    thing = draw.pick(("cart", "lift", "drone", "train", "sled", "boat"))
    s = polynomial(p, "t")
    d, e = derivative(p), derivative(derivative(p))
    value = at(e if second else d, t)
    form = draw.between(0, 1)
    what = "acceleration" if second else "velocity"
    question = (
        f"The position of a {thing} along a line is s(t) = {s} (metres, t in seconds). What is its {what} at t = {t}, in m/s{'²' if second else ''}?",
        f"A {thing} is at s(t) = {s} metres after t seconds. Find its {what} after {t} seconds, in m/s{'²' if second else ''}.",
    )[form]
    steps = [Step(f"v(t) = s'(t) = {polynomial(d, 't')}.", "Velocity is the derivative of position.")]
    if second:
        steps.append(Step(f"a(t) = v'(t) = {polynomial(e, 't')}.", "Acceleration is the derivative of velocity."))
    steps.append(
        Step(
            f"At t = {t}: {value}.",
            "",
            Slip(f"s({t}) / {t} = {at(p, t) / t}.", f"That is an average of the way, not the {what} at that moment."),
        )
    )
    return Draft(
        question=question,
        answer=str(value),
        facts=_facts("second at" if second else "slope", p, x=t),
        template=f"motion {thing} {second} {form}",
        steps=steps,
        says=f"The {what} is {value} m/s{'²' if second else ''}.",
        given=f"s(t) = {s}.",
        check=f"From t = {t} to t = {t}.01, {'v' if second else 's'} changes by {float(at(d if second else p, t + Fraction(1, 100)) - at(d if second else p, t)):.4f}.",
    )


def _times(p: Poly, q: Poly) -> Poly:
    result = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return result


def _plus(p: Poly, q: Poly) -> Poly:
    n = max(len(p), len(q))
    return [a + b for a, b in zip([Fraction(0)] * (n - len(p)) + p, [Fraction(0)] * (n - len(q)) + q, strict=True)]


# --- the independent solver: limits of quotients, by exact extrapolation -----------------------------------------------


def _value(facts: dict[str, Any], x: Fraction) -> Fraction:
    def of(coefficients: list[str]) -> Fraction:
        return sum((Fraction(c) * x**i for i, c in enumerate(reversed(coefficients))), Fraction(0))

    return of(facts["p"]) * (of(facts["q"]) if "q" in facts else 1)


def _limit(quotient: Any, degree: int) -> Fraction:
    """The value at h = 0 of a polynomial in h, from its values at h = 1, 2, …: Neville's scheme."""
    table = [quotient(Fraction(h)) for h in range(1, degree + 2)]
    for width in range(1, degree + 1):
        table = [((i + width + 1) * a - (i + 1) * b) / width for i, (a, b) in enumerate(itertools.pairwise(table))]
    return table[0]


def _slope_at(f: Any, x: Fraction, degree: int) -> Fraction:
    return _limit(lambda h: (f(x + h) - f(x)) / h, degree)


def solve(facts: dict[str, Any]) -> str:
    """Difference quotients, and for integrals the exact limit of sums by interpolation at whole points."""
    degree = len(facts["p"]) + len(facts.get("q", [])) - 1

    def f(x: Fraction) -> Fraction:
        return _value(facts, x)

    def slope(x: Fraction) -> Fraction:
        return _slope_at(f, x, degree)

    kind = facts["kind"]
    if kind in ("derivative", "product"):
        return _through(slope, degree)
    if kind == "second":
        return _through(lambda x: _slope_at(slope, x, degree), degree)
    if kind == "slope":
        return str(slope(Fraction(facts["x"])))
    if kind == "second at":
        return str(_slope_at(slope, Fraction(facts["x"]), degree))
    if kind == "tangent":
        x = Fraction(facts["x"])
        m = slope(x)
        return f"{m}*x + ({f(x) - m * x})"
    if kind == "extrema":
        return "{" + ", ".join(str(x) for x in range(-12, 13) if slope(Fraction(x)) == 0) + "}"
    a, b = facts["a"], facts["b"]
    # The mean of n rectangles' heights is a polynomial in h = 1/n, up to its degree: at h = 0 it is the integral's mean.
    width = Fraction(b - a)

    def mean(h: Fraction) -> Fraction:
        n = 2 ** (int(h) - 1)
        return sum((f(a + width * (2 * k + 1) / (2 * n)) for k in range(n)), Fraction(0)) / n

    table = [mean(Fraction(h)) for h in range(1, degree // 2 + 3)]
    factor = 4
    while len(table) > 1:  # Romberg: each row removes one even power of the width
        table = [(factor * fine - coarse) / (factor - 1) for coarse, fine in itertools.pairwise(table)]
        factor *= 4
    return str(table[0] * width)


def _through(g: Any, degree: int) -> str:
    """The polynomial with the values of g, by Lagrange."""
    points = [Fraction(x) for x in range(degree + 1)]
    total: Poly = [Fraction(0)]
    for x in points:
        basis: Poly = [g(x)]
        for other in points:
            if other != x:
                basis = [c / (x - other) for c in _times(basis, [Fraction(1), -other])]
        total = _plus(total, basis)
    return _answer(total)


PIPELINE = Solver(
    make,
    solve,
    knobs="level: derivatives, slopes and second derivatives, tangents and integrals, products, extrema, motion",
)
