"""Unit conversion: lengths, masses, times, areas, volumes, speeds, prices a unit, and sums of mixed units.

`make` multiplies or divides by known factors step by step; `solve` turns everything into one base unit.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.science._numbers import decimal
from phiforge.data.rows import Unfit

# Units of a kind in order, each with how many of the one before it make one.
_CHAINS: dict[str, tuple[tuple[str, int], ...]] = {
    "length": (("mm", 1), ("cm", 10), ("dm", 10), ("m", 10), ("km", 1000)),
    "mass": (("mg", 1), ("g", 1000), ("kg", 1000), ("t", 1000)),
    "time": (("s", 1), ("min", 60), ("h", 60), ("days", 24)),
    "volume": (("mL", 1), ("cL", 10), ("dL", 10), ("L", 10), ("m³", 1000)),
    "area": (("mm²", 1), ("cm²", 100), ("dm²", 100), ("m²", 100), ("ha", 10_000), ("km²", 100)),
    "data": (("bits", 1), ("bytes", 8), ("kilobytes (of 1000)", 1000), ("megabytes (of 1000)", 1000)),
}
_WHAT = {
    "length": ("ribbon", "path", "beam", "rope", "cable", "plank", "race", "shadow"), "mass": ("parcel", "stone", "crate", "suitcase", "pumpkin", "load", "sample", "sack"), "time": ("film", "journey", "lesson", "recording", "break", "shift", "experiment", "concert"),
    "volume": ("bottle", "tank", "barrel", "can", "bucket", "cistern", "glass", "pool"), "area": ("tile", "garden", "field", "sheet", "park", "wall", "lake", "carpet"), "data": ("file", "message", "image", "song", "backup", "log", "letter", "table"),
}  # fmt: skip
_ASKS = (
    "How many {to} are {n} {of}?", "Convert {n} {of} to {to}.", "Write {n} {of} in {to}.", "{n} {of} = ? {to}", "Express {n} {of} in {to}.", "A {what} measures {n} {of}. How many {to} is that?",
    "Turn {n} {of} into {to}.", "Give {n} {of} in {to}.", "The {what} has {n} {of}. What is that in {to}?", "What is {n} {of} in {to}?",
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_convert,),
        (_convert, _convert, _mixed),
        (_convert, _mixed, _speed),
        (_mixed, _speed, _price),
        (_speed, _price, _compound),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _factor(kind: str, small: int, large: int) -> int:
    """How many of the smaller unit make one of the larger."""
    factor = 1
    for _, times in _CHAINS[kind][small + 1 : large + 1]:
        factor *= times
    return factor


def _number(draw: Draw, level: int) -> Fraction:
    return (
        Fraction(draw.between(2, 60 * level))
        if level < 2 or draw.chance(0.4)
        else Fraction(draw.between(3, 900), draw.pick((10, 2, 4, 5, 20)))
    )


def _convert(draw: Draw, level: int) -> Draft:
    kind = draw.pick(list(_CHAINS))
    chain = _CHAINS[kind]
    distance = min(len(chain) - 1, 1 + (level > 1) * draw.between(0, 1) + (level > 2) * draw.between(0, 1))
    small = draw.between(0, len(chain) - 1 - distance)
    large = small + distance
    factor = _factor(kind, small, large)
    down = draw.chance(0.5)
    n = _number(draw, level)
    if not down:
        n = n * factor if draw.chance(0.6) else n
    value = n * factor if down else n / factor
    if (n.denominator > 1 and kind == "data") or value.denominator > 1000 or value > 10**9:
        raise Unfit
    of, to = (chain[large][0], chain[small][0]) if down else (chain[small][0], chain[large][0])
    form = draw.between(0, len(_ASKS) - 1)
    question = _ASKS[form].format(n=decimal(n), of=of, to=to, what=draw.pick(_WHAT[kind]))
    steps, now = [], n
    order = range(large, small, -1) if down else range(small + 1, large + 1)
    for i in order:
        times = chain[i][1]
        new = now * times if down else now / times
        one = chain[i][0].replace("bytes", "byte").replace("days", "day")
        slip = (
            Slip(
                f"{decimal(now)} {'÷' if down else '×'} {times}.",
                f"There must be {'more' if down else 'fewer'} of the {'smaller' if down else 'larger'} unit.",
            )
            if len(steps) == 0
            else None
        )
        steps.append(
            Step(
                f"1 {one} is {times} {chain[i - 1][0]}, so {'times' if down else 'by'} {times}: {decimal(now)} {'×' if down else '÷'} {times} = {decimal(new)} {chain[i - 1][0] if down else chain[i][0]}.",
                "",
                slip,
            )
        )
        now = new
    return Draft(
        question=question,
        answer=decimal(value),
        facts={"kind": kind, "terms": [[str(n), of]], "to": to},
        template=f"{kind} {of} {to} {form}",
        steps=steps,
        says=f"{decimal(n)} {of} = {decimal(value)} {to}.",
        given=f"From {of} to {to}: {'smaller' if down else 'larger'} units, so {'more' if down else 'fewer'} of them.",
        check=f"Back: {decimal(value)} {'÷' if down else '×'} {factor} = {decimal(n)}.",
    )


def _mixed(draw: Draw, level: int) -> Draft:
    kind = draw.pick(("length", "mass", "time", "volume", "time"))
    chain = _CHAINS[kind]
    top = draw.between(1, len(chain) - 1)
    second = top - 1
    a, b = draw.between(1, 12), draw.between(1, min(chain[top][1] - 1, 999))
    to = draw.pick((second, top)) if level > 2 else second
    factor = _factor(kind, second, top)
    value = Fraction(a * factor + b, _factor(kind, second, to))
    if value.denominator not in (1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 125, 200, 250, 500, 1000):
        to, value = second, Fraction(a * factor + b)
    form = draw.between(0, 3)
    question = (
        f"How many {chain[to][0]} are {a} {chain[top][0]} and {b} {chain[second][0]}?", f"Write {a} {chain[top][0]} {b} {chain[second][0]} in {chain[to][0]} only.",
        f"Express {a} {chain[top][0]} and {b} {chain[second][0]} together in {chain[to][0]}.", f"{a} {chain[top][0]} + {b} {chain[second][0]} = ? {chain[to][0]}",
    )[form]  # fmt: skip
    steps = [
        Step(f"{a} {chain[top][0]} = {a} × {factor} = {a * factor} {chain[second][0]}.", "First one unit for both."),
        Step(f"{a * factor} + {b} = {a * factor + b} {chain[second][0]}."),
    ]
    if to == top:
        steps.append(
            Step(
                f"{a * factor + b} ÷ {factor} = {decimal(value)} {chain[top][0]}.",
                "",
                Slip(
                    f"{a}.{b} {chain[top][0]}.",
                    f"{b} {chain[second][0]} are not the decimals; one {chain[top][0]} has {factor} of them.",
                ),
            )
        )
    return Draft(
        question=question,
        answer=decimal(value),
        facts={"kind": kind, "terms": [[str(a), chain[top][0]], [str(b), chain[second][0]]], "to": chain[to][0]},
        template=f"mixed {kind} {top} {to} {form}",
        steps=steps,
        says=f"It is {decimal(value)} {chain[to][0]}.",
        given=f"Two units, {chain[top][0]} and {chain[second][0]}, are to become one.",
        check=f"{a * factor + b} {chain[second][0]} hold {a} times {factor}, with {b} over.",
    )


def _speed(draw: Draw, level: int) -> Draft:
    n = draw.between(1, 60)
    to_kmh = draw.chance(0.5)
    ms, kmh = Fraction(n, draw.pick((1, 2))), Fraction(0)
    kmh = ms * Fraction(18, 5)
    what = draw.pick(("car", "train", "falcon", "storm", "cyclist", "boat", "lift", "skier", "sled", "ball"))
    form = draw.between(0, 1)
    if to_kmh:
        question = (
            f"A {what} moves at {decimal(ms)} m/s. How many km/h is that?",
            f"Convert {decimal(ms)} m/s, the speed of a {what}, to km/h.",
        )[form]
        steps = [
            Step(f"{decimal(ms)} × 3600 = {decimal(ms * 3600)} m in an hour.", "An hour has 3600 seconds."),
            Step(f"{decimal(ms * 3600)} ÷ 1000 = {decimal(kmh)} km/h."),
        ]
        answer = decimal(kmh)
    else:
        question = (
            f"A {what} moves at {decimal(kmh)} km/h. How many m/s is that?",
            f"Convert {decimal(kmh)} km/h, the speed of a {what}, to m/s.",
        )[form]
        steps = [
            Step(f"{decimal(kmh)} × 1000 = {decimal(kmh * 1000)} m in an hour."),
            Step(
                f"{decimal(kmh * 1000)} ÷ 3600 = {decimal(ms)} m/s.",
                "An hour has 3600 seconds.",
                Slip(
                    f"÷ 60 gives {decimal(kmh * 50 / 3) if (kmh * 50 / 3).denominator in (1, 2, 4, 5) else 'too much'}.",
                    "That would be metres in a minute.",
                ),
            ),
        ]
        answer = decimal(ms)
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "speed", "value": str(ms if to_kmh else kmh), "to": "km/h" if to_kmh else "m/s"},
        template=f"speed {what} {to_kmh} {form}",
        steps=steps,
        says=f"{decimal(ms)} m/s = {decimal(kmh)} km/h.",
        given="Metres become kilometres and seconds hours, or the other way round.",
        check=f"The factor between m/s and km/h is 3.6, and {decimal(ms)} × 3.6 = {decimal(kmh)}.",
    )


def _price(draw: Draw, level: int) -> Draft:
    kind, small, large = draw.pick((("mass", "g", "kg"), ("volume", "mL", "L"), ("length", "cm", "m")))
    names = [u for u, _ in _CHAINS[kind]]
    factor = _factor(kind, names.index(small), names.index(large))
    size = draw.pick((20, 25, 40, 50, 100, 125, 150, 200, 250, 300, 400, 500, 750))
    cents = draw.between(4, 90) * 5
    value = Fraction(cents * factor, size)
    if value.denominator > 100:
        raise Unfit
    what = draw.pick(
        {
            "mass": ("cheese", "tea", "almonds", "coffee", "chocolate", "flour"),
            "volume": ("juice", "oil", "vinegar", "shampoo", "syrup", "ink"),
            "length": ("ribbon", "cable", "chain", "tape", "cord", "wire"),
        }[kind]
    )
    form = draw.between(0, 2)
    question = (
        f"{size} {small} of {what} cost {cents} cents. What does one {large} cost, in cents?", f"A pack of {size} {small} of {what} is sold for {cents} cents. How many cents is that for each {large}?",
        f"If {what} is {cents} cents for {size} {small}, find the price of 1 {large} in cents.",
    )[form]  # fmt: skip
    return Draft(
        question=question,
        answer=decimal(value) if value.denominator in (1, 2, 4, 5, 10, 20, 25, 50, 100) else str(value),
        facts={"kind": "price", "size": size, "cents": cents, "factor": factor},
        template=f"price {what} {form}",
        steps=[
            Step(f"1 {large} = {factor} {small}."),
            Step(f"{cents} ÷ {size} × {factor} = {value}.", f"The price of one {small} times {factor}:"),
        ],
        says=f"It is {value} cents for each {large}.",
        given=f"{cents} cents for {size} {small}.",
        check=f"{value} × {size}/{factor} = {cents}.",
    )


def _compound(draw: Draw, level: int) -> Draft:
    """A sum of three amounts in different units."""
    kind = draw.pick(("length", "mass", "volume", "time"))
    names = [u for u, _ in _CHAINS[kind]]
    picked = draw.sample(range(len(names)), 3)
    to = draw.pick(picked)
    terms = [
        (
            Fraction(draw.between(1, 90))
            if names[i] not in ("km", "t", "m³", "days")
            else Fraction(draw.between(1, 4)),
            names[i],
        )
        for i in picked
    ]
    base = [n * _factor(kind, 0, names.index(u)) for n, u in terms]
    value = sum(base, Fraction(0)) / _factor(kind, 0, to)
    if (value * 10**6).denominator > 1 or value > 10**9:
        raise Unfit
    shown = " + ".join(f"{n} {u}" for n, u in terms)
    form = draw.between(0, 2)
    question = (
        f"Add up {shown} and give the sum in {names[to]}.",
        f"What is {shown} in {names[to]}?",
        f"Find {shown}, expressed in {names[to]}.",
    )[form]
    each = [n * _factor(kind, 0, names.index(u)) / _factor(kind, 0, to) for n, u in terms]
    if any((x * 10**6).denominator > 1 for x in each):
        raise Unfit
    return Draft(
        question=question,
        answer=decimal(value),
        facts={"kind": kind, "terms": [[str(n), u] for n, u in terms], "to": names[to]},
        template=f"compound {kind} {names[to]} {form}",
        steps=[
            *(
                Step(f"{n} {u} = {decimal(x)} {names[to]}.")
                for (n, u), x in zip(terms, each, strict=True)
                if u != names[to]
            ),
            Step(f"{' + '.join(decimal(x) for x in each)} = {decimal(value)} {names[to]}.", "Now all have one unit."),
        ],
        says=f"The sum is {decimal(value)} {names[to]}.",
        given=f"Everything has to be in {names[to]} first.",
        check=f"In {names[0]}: {' + '.join(decimal(x) for x in base)} = {decimal(sum(base, Fraction(0)))}.",
    )


_BASE = {
    "mm": 1, "cm": 10, "dm": 100, "m": 1000, "km": 10**6, "mg": 1, "g": 10**3, "kg": 10**6, "t": 10**9, "s": 1, "min": 60, "h": 3600, "days": 86_400, "mL": 1, "cL": 10, "dL": 100, "L": 1000, "m³": 10**6,
    "mm²": 1, "cm²": 10**2, "dm²": 10**4, "m²": 10**6, "ha": 10**10, "km²": 10**12, "bits": 1, "bytes": 8, "kilobytes (of 1000)": 8000, "megabytes (of 1000)": 8_000_000,
}  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """Through the smallest unit."""
    if facts["kind"] == "speed":
        value = Fraction(facts["value"])
        return decimal(value * 3600 / 1000 if facts["to"] == "km/h" else value * 1000 / 3600)
    if facts["kind"] == "price":
        return str(Fraction(facts["cents"], facts["size"]) * facts["factor"])
    return str(sum(Fraction(n) * _BASE[unit] for n, unit in facts["terms"]) / Fraction(_BASE[facts["to"]]))


PIPELINE = Solver(
    make, solve, knobs="level: one step up or down, then several, mixed units, speeds, prices, sums of three units"
)
