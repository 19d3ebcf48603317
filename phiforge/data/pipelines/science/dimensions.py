"""Dimensional analysis: base units of quantities, consistency of formulas, and exponents that make one consistent.

`make` multiplies out units from a table of named quantities; `solve` has its own table of units and solves for exponents.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import listed

_BASE = ("kg", "m", "s", "A", "K")
# Exponents of kg, m, s, A, K, and the unit as people write it.
_QUANTITIES: dict[str, tuple[tuple[int, ...], str]] = {
    "length": ((0, 1, 0, 0, 0), "m"), "area": ((0, 2, 0, 0, 0), "m^2"), "volume": ((0, 3, 0, 0, 0), "m^3"), "time": ((0, 0, 1, 0, 0), "s"), "mass": ((1, 0, 0, 0, 0), "kg"),
    "speed": ((0, 1, -1, 0, 0), "m/s"), "acceleration": ((0, 1, -2, 0, 0), "m/s^2"), "frequency": ((0, 0, -1, 0, 0), "Hz"), "force": ((1, 1, -2, 0, 0), "N"), "pressure": ((1, -1, -2, 0, 0), "Pa"),
    "energy": ((1, 2, -2, 0, 0), "J"), "power": ((1, 2, -3, 0, 0), "W"), "momentum": ((1, 1, -1, 0, 0), "kg m/s"), "density": ((1, -3, 0, 0, 0), "kg/m^3"), "surface tension": ((1, 0, -2, 0, 0), "N/m"),
    "dynamic viscosity": ((1, -1, -1, 0, 0), "Pa s"), "kinematic viscosity": ((0, 2, -1, 0, 0), "m^2/s"), "torque": ((1, 2, -2, 0, 0), "N m"), "spring constant": ((1, 0, -2, 0, 0), "N/m"), "intensity": ((1, 0, -3, 0, 0), "W/m^2"),
    "current": ((0, 0, 0, 1, 0), "A"), "charge": ((0, 0, 1, 1, 0), "C"), "voltage": ((1, 2, -3, -1, 0), "V"), "resistance": ((1, 2, -3, -2, 0), "ohm"), "capacitance": ((-1, -2, 4, 2, 0), "F"),
    "inductance": ((1, 2, -2, -2, 0), "H"), "magnetic flux density": ((1, 0, -2, -1, 0), "T"), "electric field strength": ((1, 1, -3, -1, 0), "V/m"), "temperature": ((0, 0, 0, 0, 1), "K"), "specific heat capacity": ((0, 2, -2, 0, -1), "J/(kg K)"),
    "heat capacity": ((1, 2, -2, 0, -1), "J/K"), "thermal conductivity": ((1, 1, -3, 0, -1), "W/(m K)"), "moment of inertia": ((1, 2, 0, 0, 0), "kg m^2"), "mass flow": ((1, 0, -1, 0, 0), "kg/s"), "volume flow": ((0, 3, -1, 0, 0), "m^3/s"),
}  # fmt: skip
# Laws with numbers left out: what is on the left, what on the right with exponents.
_LAWS: tuple[tuple[str, dict[str, str]], ...] = (
    ("time", {"length": "1/2", "acceleration": "-1/2"}), ("speed", {"acceleration": "1/2", "length": "1/2"}), ("speed", {"pressure": "1/2", "density": "-1/2"}), ("time", {"mass": "1/2", "spring constant": "-1/2"}),
    ("force", {"density": "1", "area": "1", "speed": "2"}), ("power", {"force": "1", "speed": "1"}), ("energy", {"mass": "1", "speed": "2"}), ("pressure", {"density": "1", "acceleration": "1", "length": "1"}),
    ("force", {"dynamic viscosity": "1", "length": "1", "speed": "1"}), ("pressure", {"surface tension": "1", "length": "-1"}), ("frequency", {"force": "1/2", "mass": "-1/2", "length": "-1/2"}), ("energy", {"capacitance": "1", "voltage": "2"}),
    ("time", {"resistance": "1", "capacitance": "1"}), ("power", {"current": "2", "resistance": "1"}), ("power", {"voltage": "2", "resistance": "-1"}), ("energy", {"inductance": "1", "current": "2"}), ("time", {"inductance": "1/2", "capacitance": "1/2"}),
    ("force", {"charge": "1", "speed": "1", "magnetic flux density": "1"}), ("energy", {"mass": "1", "specific heat capacity": "1", "temperature": "1"}), ("power", {"thermal conductivity": "1", "area": "1", "temperature": "1", "length": "-1"}),
    ("acceleration", {"speed": "2", "length": "-1"}), ("volume flow", {"pressure": "1", "length": "3", "dynamic viscosity": "-1"}), ("speed", {"surface tension": "1/2", "density": "-1/2", "length": "-1/2"}), ("power", {"density": "1", "area": "1", "speed": "3"}),
    ("force", {"electric field strength": "1", "charge": "1"}), ("power", {"moment of inertia": "1", "frequency": "3"}), ("energy", {"moment of inertia": "1", "frequency": "2"}), ("torque", {"moment of inertia": "1", "frequency": "2"}),
    ("length", {"energy": "1/3", "pressure": "-1/3"}), ("time", {"length": "1", "density": "1/2", "pressure": "-1/2"}), ("kinematic viscosity", {"speed": "1", "length": "1"}), ("intensity", {"pressure": "1", "speed": "1"}),
)  # fmt: skip
_ASK_BASE = (
    "Write the unit of {q} in SI base units.", "What are the SI base units of {q}?", "Express the unit of {q} ({unit}) by kg, m, s, A and K.", "Which combination of base units is the unit of {q}?",
    "Take the unit of {q}, {unit}, apart into SI base units.", "In SI base units, what is the unit of {q}?",
)  # fmt: skip
_ASK_PRODUCT = (
    "What is the unit of {expr}, in SI base units?", "Simplify the unit of {expr} to SI base units.", "Which SI base units does {expr} have?", "Find the unit of {expr} in kg, m, s, A and K.",
    "A quantity is computed as {expr}. What is its unit in SI base units?", "Reduce to SI base units: the unit of {expr}.",
)  # fmt: skip
_ASK_POWERS = (
    "Suppose that {left} depends only on {right}, as a product of powers. Which exponents does each have, in this order? Give a tuple.",
    "By dimensional analysis, {left} is a number times a product of powers of {right}. Find the exponents in this order as a tuple.",
    "A law says that {left} is proportional to powers of {right}. Give their exponents, in this order, as a tuple.",
    "Only {right} can matter for {left}. With what powers must they enter, in this order? Answer with a tuple.",
)
_ASK_CONSISTENT = (
    "Are the units of this formula consistent? {law} Answer yes or no.", "Someone claims: {law} Can that be right, by its units? Answer yes or no.", "Check by dimensions whether this can hold: {law} Answer yes or no.",
    "Could this be a law of physics as far as units go? {law} Answer yes or no.",
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = ((_base,), (_base, _product, _product), (_product, _consistent), (_consistent, _powers), (_powers,))
    return draw.pick(kinds[level - 1])(draw, level)


def _unit(exponents: tuple[Fraction, ...]) -> str:
    """Exponents as a unit: "kg m^2 s^-3"."""
    parts = [base if e == 1 else f"{base}^{e}" for base, e in zip(_BASE, exponents, strict=True) if e]
    return " ".join(parts)


def _of(name: str) -> tuple[Fraction, ...]:
    return tuple(Fraction(e) for e in _QUANTITIES[name][0])


def _total(powers: dict[str, str]) -> tuple[Fraction, ...]:
    return tuple(sum((Fraction(p) * _of(q)[i] for q, p in powers.items()), Fraction(0)) for i in range(5))


def _base(draw: Draw, level: int) -> Draft:
    name = draw.pick(
        [q for q, (e, unit) in _QUANTITIES.items() if unit not in _BASE and (level > 1 or e[3] == e[4] == 0)]
    )
    form = draw.between(0, len(_ASK_BASE) - 1)
    numbers = draw.between(2, 90)
    unit = _unit(_of(name))
    lead = draw.pick(
        (
            "",
            f"A measurement gave {numbers} {_QUANTITIES[name][1]}. ",
            f"In a table you find {numbers} {_QUANTITIES[name][1]} for some {name}. ",
        )
    )
    return Draft(
        question=lead + _ASK_BASE[form].format(q=name, unit=_QUANTITIES[name][1]),
        answer=f"1 {unit}",
        facts={"kind": "product", "powers": {name: "1"}},
        template=f"base {name} {form}",
        steps=_base_steps(name),
        says=f"The unit of {name} is {unit}.",
        given=f"The unit of {name} is {_QUANTITIES[name][1]}.",
        check=f"Counting exponents of kg, m, s, A, K: {', '.join(map(str, _of(name)))}.",
        verifier="units",
    )


_WHY = {
    "force": ("mass", "acceleration", 1), "energy": ("force", "length", 1), "torque": ("force", "length", 1), "power": ("energy", "time", -1), "pressure": ("force", "area", -1), "momentum": ("mass", "speed", 1), "density": ("mass", "volume", -1),
    "surface tension": ("force", "length", -1), "spring constant": ("force", "length", -1), "dynamic viscosity": ("pressure", "time", 1), "kinematic viscosity": ("area", "time", -1), "intensity": ("power", "area", -1), "charge": ("current", "time", 1),
    "voltage": ("power", "current", -1), "resistance": ("voltage", "current", -1), "capacitance": ("charge", "voltage", -1), "inductance": ("voltage", "current", -1), "electric field strength": ("voltage", "length", -1), "heat capacity": ("energy", "temperature", -1),
    "mass flow": ("mass", "time", -1), "volume flow": ("volume", "time", -1), "speed": ("length", "time", -1), "acceleration": ("speed", "time", -1), "moment of inertia": ("mass", "area", 1),
}  # fmt: skip


def _base_steps(name: str) -> list[Step]:
    """The quantity as a product or quotient of two simpler ones."""
    if name in _WHY:
        a, b, power = _WHY[name]
        word = "times" if power == 1 else "over"
        if name == "inductance":
            return [
                Step(
                    f"({_unit(_of(a))}) s / A = {_unit(_of(name))}.", "Inductance is voltage times time over current."
                )
            ]
        return [
            Step(
                f"({_unit(_of(a))}) {'×' if power == 1 else '/'} ({_unit(_of(b))}) = {_unit(_of(name))}.",
                f"{name.capitalize()} is {a} {word} {b}.",
            )
        ]
    return [Step(f"{_QUANTITIES[name][1]} = {_unit(_of(name))}.", f"The unit of {name} is {_QUANTITIES[name][1]}.")]


def _product(draw: Draw, level: int) -> Draft:
    chosen = draw.sample(list(_QUANTITIES), draw.between(2, 2 + level // 3))
    powers = {q: str(draw.pick((1, 1, 1, 2, -1, -1, -2))) for q in chosen}
    if all(int(p) < 0 for p in powers.values()):
        powers[chosen[0]] = "1"
    total = _total(powers)
    if not any(total) or any(abs(e) > 6 for e in total):
        raise Unfit
    form = draw.between(0, len(_ASK_PRODUCT) - 1)
    expr = _expression(powers)
    steps = [Step(f"{q}: {_unit(_of(q))}.", "Unit by unit:" if q == chosen[0] else "") for q in chosen]
    sums = [
        f"{base}: {' + '.join(f'{p} × {_of(q)[i]}' for q, p in powers.items() if _of(q)[i])} = {total[i]}"
        for i, base in enumerate(_BASE)
        if any(_of(q)[i] for q in chosen)
    ]
    return Draft(
        question=_ASK_PRODUCT[form].format(expr=expr),
        answer=f"1 {_unit(total)}",
        facts={"kind": "product", "powers": powers},
        template=f"product {form} {len(chosen)}",
        steps=[*steps, Step(f"{'; '.join(sums)}.", "Exponents of each base unit add up, times the power:")],
        says=f"The unit is {_unit(total)}.",
        given=f"The unit of {expr} is wanted.",
        check=f"Dividing {_unit(total)} by the unit of {chosen[0]} to its power leaves that of the rest: {_unit(_total({q: p for q, p in powers.items() if q != chosen[0]})) or 'none'}.",
        verifier="units",
    )


def _expression(powers: dict[str, str]) -> str:
    """ "mass times speed squared over length"."""

    def raised(q: str, p: int) -> str:
        return q if p == 1 else f"{q} squared"

    top = [raised(q, int(p)) for q, p in powers.items() if int(p) > 0]
    under = [raised(q, -int(p)) for q, p in powers.items() if int(p) < 0]
    text = " times ".join(top)
    return text + (f" divided by {' and by '.join(under)}" if under else "")


def _law_in_words(left: str, right: dict[str, str]) -> str:
    parts = []
    for q, p in right.items():
        parts.append(f"({q})" if p == "1" else f"({q})^({p})")
    return f"{left} = number × {' × '.join(parts)}."


def _consistent(draw: Draw, level: int) -> Draft:
    left, right = draw.pick(_LAWS)
    right = dict(draw.shuffled(list(right.items())))
    if draw.chance(0.5):
        q = draw.pick(list(right))
        right[q] = draw.pick([p for p in ("1", "2", "-1", "1/2", "-1/2", "3") if p != right[q]])
        if draw.chance(0.3):
            left = draw.pick([other for other in _QUANTITIES if other != left])
    total = _total(right)
    same = total == _of(left)
    form = draw.between(0, len(_ASK_CONSISTENT) - 1)
    steps = [Step(f"Left: {_unit(_of(left))}.", f"The unit of {left} in base units.")]
    steps += [
        Step(
            f"({q})^({p}): {_unit(tuple(Fraction(p) * e for e in _of(q))) or '1'}."
            if p != "1"
            else f"{q}: {_unit(_of(q))}."
        )
        for q, p in right.items()
    ]
    steps.append(Step(f"Right, multiplied out: {_unit(total) or 'no unit'}.", "Exponents add up."))
    steps.append(Step(f"Both sides {'agree' if same else 'differ'}, so the answer is {'yes' if same else 'no'}."))
    wrong = [base for i, base in enumerate(_BASE) if total[i] != _of(left)[i]]
    return Draft(
        question=_ASK_CONSISTENT[form].format(
            law=f"{_law_in_words(left, right)[0].upper()}{_law_in_words(left, right)[1:]}"
        ),
        answer="yes" if same else "no",
        facts={"kind": "consistent", "left": left, "powers": right},
        template=f"consistent {form} {left}",
        steps=steps,
        says="The units are consistent."
        if same
        else f"The units are not consistent: the exponent of {listed(wrong)} differs.",
        given="A number has no unit, so only the quantities count.",
        check="Base unit by base unit: "
        + ", ".join(
            f"{base} {_of(left)[i]} and {total[i]}" for i, base in enumerate(_BASE) if total[i] or _of(left)[i]
        )
        + ".",
        verifier="choice",
    )


def _powers(draw: Draw, level: int) -> Draft:
    left, law = draw.pick([(left, law) for left, law in _LAWS if len(law) <= (2 if level < 5 else 3)])
    right = dict(draw.shuffled(list(law.items())))
    if _solutions(left, list(right)) != [tuple(Fraction(p) for p in right.values())]:
        raise Unfit
    names = "abcd"
    form = draw.between(0, len(_ASK_POWERS) - 1)
    units = [f"{q} ({_QUANTITIES[q][1]})" for q in right]
    steps = [
        Step(
            f"{left.capitalize()} has {_unit(_of(left))}; {'; '.join(f'{q} has {_unit(_of(q))}' for q in right)}.",
            "All units in base units:",
        )
    ]
    for i, base in enumerate(_BASE):
        terms = [f"{_of(q)[i]}{x}" for x, q in zip(names, right, strict=False) if _of(q)[i]]
        if terms or _of(left)[i]:
            steps.append(Step(f"{base}: {' + '.join(terms).replace('+ -', '− ') or '0'} = {_of(left)[i]}."))
    slip = (
        Slip(
            f"All exponents are 1: {_unit(_total(dict.fromkeys(right, '1'))) or 'no unit'}.",
            f"That is not {_unit(_of(left))}, so the powers have to be worked out.",
        )
        if any(p != "1" for p in right.values())
        else None
    )
    steps.append(
        Step(
            f"So {listed([f'{x} = {p}' for x, p in zip(names, right.values(), strict=False)])}.",
            "These equations have one solution.",
            slip,
        )
    )
    answer = f"({', '.join(right.values())})" if len(right) > 1 else next(iter(right.values()))
    number = draw.pick(("", " Numbers without units are left aside.", " (Pure numbers don't matter here.)"))
    return Draft(
        question=_ASK_POWERS[form].format(left=f"{left} ({_QUANTITIES[left][1]})", right=listed(units)) + number,
        answer=answer,
        facts={"kind": "powers", "left": left, "right": list(right)},
        template=f"powers {form} {left} {len(right)}",
        steps=steps,
        says=f"{left.capitalize()} goes as {' × '.join(f'({q})^({p})' for q, p in right.items())}.",
        given=f"{left} = {' × '.join(f'({q})^{x}' for q, x in zip(right, names, strict=False))}, with unknown exponents.",
        check=f"Multiplied out, {' × '.join(f'({_unit(_of(q))})^({p})' for q, p in right.items())} = {_unit(_of(left))}.",
        verifier="math",
    )


_CANDIDATES = sorted(
    {Fraction(n, d) for d in (1, 2, 3) for n in range(-3 * d, 3 * d + 1)}, key=lambda e: (e.denominator, abs(e))
)


def _solutions(left: str, right: list[str]) -> list[tuple[Fraction, ...]]:
    """All exponents that work, by elimination; empty when there is none or more than one."""
    rows = [[_of(q)[i] for q in right] + [_of(left)[i]] for i in range(5)]
    pivots = 0
    for column in range(len(right)):
        found = next((r for r in range(pivots, 5) if rows[r][column]), None)
        if found is None:
            return []
        rows[pivots], rows[found] = rows[found], rows[pivots]
        rows[pivots] = [x / rows[pivots][column] for x in rows[pivots]]
        for r in range(5):
            if r != pivots and rows[r][column]:
                rows[r] = [x - rows[r][column] * y for x, y in zip(rows[r], rows[pivots], strict=True)]
        pivots += 1
    if any(row[-1] for row in rows[pivots:]):
        return []
    return [tuple(row[-1] for row in rows[:pivots])]


# --- the independent solver: units as symbols, expanded ------------------------------------------------------------

_SYMBOLS = {
    "Hz": "s^-1", "N": "kg m s^-2", "Pa": "kg m^-1 s^-2", "J": "kg m^2 s^-2", "W": "kg m^2 s^-3", "C": "A s", "V": "kg m^2 s^-3 A^-1",
    "ohm": "kg m^2 s^-3 A^-2", "F": "kg^-1 m^-2 s^4 A^2", "H": "kg m^2 s^-2 A^-2", "T": "kg s^-2 A^-1",
}  # fmt: skip


def _expand(unit: str) -> dict[str, Fraction]:
    """A written unit such as "J/(kg K)" as exponents."""
    top, _, under = unit.partition("/")
    found: dict[str, Fraction] = {}
    for text, sign in ((top, 1), (under.strip("()"), -1)):
        for symbol in text.split():
            name, _, power = symbol.partition("^")
            for base in _SYMBOLS.get(name, name).split():
                what, _, inner = base.partition("^")
                found[what] = found.get(what, Fraction(0)) + sign * Fraction(power or 1) * Fraction(inner or 1)
    return found


def _expanded(powers: dict[str, Any]) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for q, p in powers.items():
        for base, e in _expand(_QUANTITIES[q][1]).items():
            total[base] = total.get(base, Fraction(0)) + Fraction(p) * e
    return {base: e for base, e in total.items() if e}


def solve(facts: dict[str, Any]) -> str:
    """Expand written units symbol by symbol; find exponents by trying small fractions."""
    if facts["kind"] == "product":
        total = _expanded(facts["powers"])
        return "1 " + " ".join(f"{base}^{total[base]}" for base in reversed(_BASE) if base in total)
    wanted = {base: e for base, e in _expand(_QUANTITIES[facts["left"]][1]).items() if e}
    if facts["kind"] == "consistent":
        return "yes" if _expanded(facts["powers"]) == wanted else "no"
    for exponents in product(_CANDIDATES, repeat=len(facts["right"]) - 1):
        powers = dict(zip(facts["right"], exponents, strict=False))
        rest = _expanded(powers)
        last = facts["right"][-1]
        unit = {base: e for base, e in _expand(_QUANTITIES[last][1]).items() if e}
        base = next(iter(unit))
        e = (wanted.get(base, Fraction(0)) - rest.get(base, Fraction(0))) / unit[base]
        if _expanded({**powers, last: e}) == wanted:
            return f"({', '.join(map(str, (*exponents, e)))})" if exponents else str(e)
    raise ValueError(f"no exponents make {facts['left']} of {facts['right']}")


PIPELINE = Solver(
    make,
    solve,
    knobs="level: base units, products, consistency of formulas, exponents of two or three quantities",
    verifier="units",
)
