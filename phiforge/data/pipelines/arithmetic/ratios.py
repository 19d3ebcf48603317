"""Ratios and rates: dividing in a ratio, direct and inverse proportion, unit prices, scales, ratios in a row.

`make` goes through one part or one unit; `solve` cross-multiplies.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed, people

_MIXES = (
    ("a paint", "blue", "white", "litres"), ("a mortar", "cement", "sand", "buckets"), ("a drink", "juice", "water", "glasses"), ("a dough", "flour", "water", "cups"), ("a dressing", "vinegar", "oil", "spoons"),
    ("a bronze", "tin", "copper", "kilograms"), ("a fertiliser", "nitrogen", "potash", "sacks"), ("a granola", "nuts", "oats", "bowls"), ("a potting soil", "compost", "sand", "shovels"), ("a glaze", "ash", "clay", "scoops"),
)  # fmt: skip
_UNIT = (
    ("pens", "cents"), ("apples", "cents"), ("metres of ribbon", "cents"), ("stamps", "cents"), ("kilograms of rice", "cents"), ("tickets", "euros"), ("notebooks", "cents"), ("litres of milk", "cents"), ("tiles", "cents"),
    ("bus rides", "cents"), ("candles", "cents"), ("rolls of tape", "cents"),
)  # fmt: skip
_WORK = (("workers", "pave a path", "days"), ("pumps", "empty a pool", "hours"), ("painters", "paint a hall", "days"), ("machines", "fill an order", "hours"), ("gardeners", "plant a hedge", "hours"), ("taps", "fill a tank", "minutes"), ("printers", "print a catalogue", "hours"), ("cooks", "peel the potatoes", "minutes"))  # fmt: skip
_RATES = (("a car", "litres of petrol", "kilometres"), ("a printer", "minutes", "pages"), ("a tap", "minutes", "litres"), ("a typist", "minutes", "words"), ("a walker", "minutes", "metres"), ("a machine", "hours", "parts"), ("a cow", "days", "litres of milk"), ("a lamp", "hours", "watt-hours"), ("a baker", "hours", "loaves"))  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_share, _unit_price),
        (_share, _unit_price, _simplify),
        (_rate, _scale, _share, _from_part),
        (_inverse, _rate, _from_part),
        (_joined, _inverse, _scale),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _share(draw: Draw, level: int) -> Draft:
    n = 2 if level < 3 else 3
    while True:
        parts = [draw.between(1, 4 + 2 * level) for _ in range(n)]
        if gcd(*parts) == 1 and len(set(parts)) == n:
            break
    one = draw.between(2, 10 * level + 5)
    who = people(draw, n)
    which = draw.between(0, n - 1)
    things = draw.pick(("euros", "sweets", "shells", "marbles", "points", "stickers", "grams of gold", "hectares"))
    ratio = " : ".join(map(str, parts))
    names = listed([str(w) for w in who])
    total = one * sum(parts)
    form = draw.between(0, 2)
    question = (
        f"{names} share {total} {things} in the ratio {ratio}. How many does {who[which]} get?",
        f"{total} {things} are divided among {names} in the ratio {ratio}, in this order. What is {who[which]}'s share?",
        f"In the ratio {ratio}, {names} split {total} {things}. Find how many {things} go to {who[which]}.",
    )[form]
    return Draft(
        question=question,
        answer=str(one * parts[which]),
        facts={"kind": "share", "parts": parts, "total": total, "which": which},
        template=f"share {things} {form} {n}",
        steps=[
            Step(
                f"{' + '.join(map(str, parts))} = {sum(parts)} parts.",
                "First, how many parts are there in all?",
                Slip(
                    f"{total} ÷ {n} = {Fraction(total, n)!s} for each.",
                    "The shares are not equal; the ratio says so.",
                ),
            ),
            Step(f"One part is {total} ÷ {sum(parts)} = {one}."),
            Step(f"{who[which]} gets {parts[which]} × {one} = {one * parts[which]}."),
        ],
        says=f"{who[which]} gets {one * parts[which]} {things}.",
        given=f"{total} {things} in the ratio {ratio}; {who[which]} has {count(parts[which], 'part')}.",
        check=f"All shares: {' + '.join(str(one * p) for p in parts)} = {total}.",
    )


def _unit_price(draw: Draw, level: int) -> Draft:
    things, money = draw.pick(_UNIT)
    price = draw.between(5, 60 * level)
    a, b = draw.sample(range(2, 6 + 4 * level), 2)
    form = draw.between(0, 3)
    question = (
        f"{a} {things} cost {a * price} {money}. What do {b} {things} cost, in {money}?", f"If {a} {things} are {a * price} {money}, how many {money} are {b}?",
        f"Somebody pays {a * price} {money} for {a} {things}. At the same price, what would {b} {things} come to in {money}?", f"The price of {a} {things} is {a * price} {money}. Find the price of {b} {things} in {money}.",
    )[form]  # fmt: skip
    return Draft(
        question=question,
        answer=str(b * price),
        facts={"kind": "direct", "a": a, "value": a * price, "b": b},
        template=f"price {things} {form}",
        steps=[
            Step(f"{a * price} ÷ {a} = {price} {money} each.", "First the price of one."),
            Step(
                f"{b} × {price} = {b * price} {money}.",
                "Then of as many as are wanted.",
                Slip(
                    f"{a * price} + {abs(b - a)} = {a * price + abs(b - a)}.",
                    "Adding the difference in number forgets the price.",
                ),
            ),
        ],
        says=f"They cost {b * price} {money}.",
        given=f"{a} for {a * price}; wanted: {b}.",
        check=f"{b * price} ÷ {b} = {price}, the price of one, as {a * price} ÷ {a} is.",
    )


def _simplify(draw: Draw, level: int) -> Draft:
    while True:
        parts = [draw.between(1, 12) for _ in range(draw.between(2, 3))]
        if gcd(*parts) == 1 and len(set(parts)) > 1:
            break
    k = draw.between(2, 14)
    scaled = " : ".join(str(p * k) for p in parts)
    form = draw.between(0, 3)
    question = (
        "Simplify the ratio {}.",
        "Write {} as a ratio of the smallest whole numbers.",
        "Bring the ratio {} to lowest terms.",
        "What is the ratio {} in its simplest form?",
    )[form].format(scaled)
    return Draft(
        question=f"{question} Give it as a tuple, such as (1, 2).",
        answer=f"({', '.join(map(str, parts))})",
        facts={"kind": "simplify", "parts": [p * k for p in parts]},
        template=f"simplify {form} {len(parts)}",
        steps=[
            Step(f"The greatest common divisor of {listed([str(p * k) for p in parts])} is {k}."),
            Step(f"Dividing by {k} gives {' : '.join(map(str, parts))}."),
        ],
        says=f"{scaled} = {' : '.join(map(str, parts))}.",
        given=f"The ratio {scaled}.",
        check=f"Multiplied by {k} again: {scaled}.",
    )


def _rate(draw: Draw, level: int) -> Draft:
    who, per, what = draw.pick(_RATES)
    a, b = draw.sample(range(2, 10 + 6 * level), 2)
    rate = Fraction(draw.between(2, 20 * level), draw.pick((1, 1, 2)))
    if (rate * a).denominator > 1 or (rate * b).denominator > 1:
        rate *= 2
    backwards = draw.chance(0.4)
    form = draw.between(0, 1)
    x, y = rate * a, rate * b
    if backwards:
        question = (
            f"With {a} {per}, {who} manages {x} {what}. How many {per} are needed for {y} {what}?",
            f"{who[0].upper()}{who[1:]} does {x} {what} for every {a} {per}. How many {per} do {y} {what} take?",
        )[form]
        steps = [
            Step(f"{x} ÷ {a} = {rate!s} {what} for one of the {per}.", "The rate first."),
            Step(f"{y} ÷ {rate!s} = {b}.", f"How often does the rate go into {y}?"),
        ]
        answer = str(b)
    else:
        question = (
            f"With {a} {per}, {who} manages {x} {what}. How many {what} are it with {b} {per}?",
            f"{who[0].upper()}{who[1:]} does {x} {what} for every {a} {per}. How many {what} come from {b} {per}?",
        )[form].replace("are it", "is that")
        steps = [
            Step(f"{x} ÷ {a} = {rate!s} {what} for one of the {per}.", "The rate first."),
            Step(f"{rate!s} × {b} = {y}."),
        ]
        answer = str(y)
    return Draft(
        question=question,
        answer=answer,
        facts={
            "kind": "direct",
            "a": str(x) if backwards else a,
            "value": a if backwards else str(x),
            "b": str(y) if backwards else b,
        },
        template=f"rate {who} {backwards} {form}",
        steps=steps,
        says=f"The answer is {answer} {per if backwards else what}.",
        given=f"{a} {per} go with {x} {what}.",
        check=f"{a} : {x} and {b} : {y} are the same ratio, since {a} × {y} = {a * y} and {b} × {x} = {b * x}.",
    )


def _scale(draw: Draw, level: int) -> Draft:
    scale = draw.pick((100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 25_000, 50_000))
    cm = draw.between(2, 40)
    metres = Fraction(cm * scale, 100)
    what = draw.pick(("path", "river", "wall", "garden", "corridor", "street", "fence", "field", "bridge", "hall"))
    backwards = draw.chance(0.5)
    form = draw.between(0, 1)
    if metres.denominator > 1:
        raise Unfit
    if backwards:
        question = (
            f"A {what} is {metres} m long. How many centimetres is it on a plan of scale 1 : {scale}?",
            f"On a drawing in the scale 1 : {scale}, how long (in cm) is a {what} of {metres} m?",
        )[form]
        steps = [
            Step(f"{metres} m are {metres * 100} cm.", "Plans are measured in centimetres."),
            Step(f"{metres * 100} ÷ {scale} = {cm}.", f"On the plan everything is {scale} times smaller."),
        ]
        answer = str(cm)
    else:
        question = (
            f"On a plan of scale 1 : {scale}, a {what} is {cm} cm long. How many metres is it in reality?",
            f"The scale of a drawing is 1 : {scale}. How many metres long is a {what} that measures {cm} cm on it?",
        )[form]
        steps = [
            Step(f"{cm} × {scale} = {cm * scale} cm.", f"In reality everything is {scale} times larger."),
            Step(
                f"{cm * scale} cm are {metres} m.", "", Slip(f"{cm * scale} m, then.", "Those are centimetres still.")
            ),
        ]
        answer = str(metres)
    return Draft(
        question=question,
        answer=answer,
        facts={
            "kind": "scale",
            "scale": scale,
            "cm": None if backwards else cm,
            "metres": str(metres) if backwards else None,
        },
        template=f"scale {what} {backwards} {form}",
        steps=steps,
        says=f"It is {answer} {'cm' if backwards else 'm'}.",
        given=f"Scale 1 : {scale}.",
        check=f"{cm} cm × {scale} = {cm * scale} cm = {metres} m.",
    )


def _from_part(draw: Draw, level: int) -> Draft:
    mix, one, two, unit = draw.pick(_MIXES)
    while True:
        a, b = draw.between(1, 9), draw.between(1, 9)
        if gcd(a, b) == 1 and a != b:
            break
    k = draw.between(2, 8 * level)
    known_first = draw.chance(0.5)
    total = draw.chance(0.5)
    given, other = (a * k, b * k) if known_first else (b * k, a * k)
    known, wanted = (one, two) if known_first else (two, one)
    form = draw.between(0, 1)
    question = (
        f"For {mix}, {one} and {two} are mixed {a} : {b}. There are {given} {unit} of {known}. ",
        f"{mix[0].upper()}{mix[1:]} is made of {one} and {two} in the ratio {a} : {b}, and {given} {unit} of {known} are used. ",
    )[form]
    question += (
        f"How many {unit} of the mixture does that make?" if total else f"How many {unit} of {wanted} belong to it?"
    )
    p, q = (a, b) if known_first else (b, a)
    steps = [Step(f"{given} ÷ {p} = {k} {unit} for one part.", f"{known.capitalize()} has {count(p, 'part')}.")]
    steps.append(Step(f"{q} × {k} = {other} {unit} of {wanted}.", f"{wanted.capitalize()} has {count(q, 'part')}."))
    if total:
        steps.append(Step(f"{given} + {other} = {given + other}."))
    answer = given + other if total else other
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "from part", "ratio": [p, q], "given": given, "total": total},
        template=f"from part {mix} {total} {form}",
        steps=steps,
        says=f"That is {answer} {unit}.",
        given=f"{one} : {two} = {a} : {b}, with {given} of {known}.",
        check=f"{given} : {other} reduces to {p} : {q}.",
    )


def _inverse(draw: Draw, level: int) -> Draft:
    who, do, unit = draw.pick(_WORK)
    a = draw.between(2, 12)
    b = draw.pick([n for n in range(2, 25) if n != a])
    total = a * b // gcd(a, b) * draw.between(1, 4)
    t1, t2 = total // a, total // b
    if t1 < 2:
        raise Unfit
    form = draw.between(0, 1)
    question = (
        f"{a} {who} {do} in {t1} {unit}. How many {unit} do {b} {who} need for it?",
        f"To {do}, {a} {who} need {t1} {unit}. In how many {unit} would {b} {who} do it, all equally fast?",
    )[form]
    return Draft(
        question=question,
        answer=str(t2),
        facts={"kind": "inverse", "a": a, "value": t1, "b": b},
        template=f"inverse {who} {form}",
        steps=[
            Step(
                f"{a} × {t1} = {total}.",
                f"One alone would need {a} times as long.",
                Slip(
                    f"{t1} ÷ {a} × {b} = {Fraction(t1 * b, a)!s} {unit}.",
                    f"But {'more' if b > a else 'fewer'} {who} should need {'less' if b > a else 'more'} time.",
                ),
            ),
            Step(f"{total} ÷ {b} = {t2} {unit}.", f"{b} of them share it."),
        ],
        says=f"They need {t2} {unit}.",
        given=f"{a} {who} take {t1} {unit}; {b} are {'more' if b > a else 'fewer'}, so it takes {'less' if b > a else 'more'} time.",
        check=f"{b} × {t2} = {b * t2} = {a} × {t1}.",
    )


def _joined(draw: Draw, level: int) -> Draft:
    """a : b and b : c, and one amount."""
    while True:
        a, b, c, d = (draw.between(1, 8) for _ in range(4))
        if gcd(a, b) == 1 == gcd(c, d) and b != c:
            break
    x, y, z = a * c, b * c, b * d
    g = gcd(x, y, z)
    x, y, z = x // g, y // g, z // g
    k = draw.between(2, 15)
    who = people(draw, 3)
    things = draw.pick(("stamps", "coins", "books", "points", "cards", "photos"))
    known, wanted = draw.sample(range(3), 2)
    values = [x * k, y * k, z * k]
    form = draw.between(0, 1)
    question = (
        f"{who[0]}'s and {who[1]}'s {things} are in the ratio {a} : {b}, {who[1]}'s and {who[2]}'s in the ratio {c} : {d}. {who[known]} has {values[known]}. How many does {who[wanted]} have?",
        f"The number of {things} of {who[0]} is to that of {who[1]} as {a} : {b}, and {who[1]}'s to {who[2]}'s as {c} : {d}. If {who[known]} has {values[known]} {things}, how many has {who[wanted]}?",
    )[form]
    return Draft(
        question=question,
        answer=str(values[wanted]),
        facts={"kind": "joined", "ratios": [a, b, c, d], "known": known, "value": values[known], "wanted": wanted},
        template=f"joined {things} {form} {known}{wanted}",
        steps=[
            Step(
                f"Together: {who[0]} : {who[1]} : {who[2]} = {a} × {c} : {b} × {c} : {b} × {d} = {x} : {y} : {z}{' (reduced)' if g > 1 else ''}.",
                f"{who[1]} is in both ratios, with {b} and {c}; make them equal.",
                Slip(
                    f"{a} : {b} : {d}.",
                    f"{who[1]} is {b} in one ratio and {c} in the other; they can't just be joined.",
                ),
            ),
            Step(f"{values[known]} ÷ {(x, y, z)[known]} = {k}.", "One part:"),
            Step(f"{(x, y, z)[wanted]} × {k} = {values[wanted]}."),
        ],
        says=f"{who[wanted]} has {values[wanted]} {things}.",
        given=f"Two ratios with {who[1]} in both, and {who[known]}'s number.",
        check=f"{values[0]} : {values[1]} is {a} : {b} and {values[1]} : {values[2]} is {c} : {d}.",
    )


def solve(facts: dict[str, Any]) -> str:
    """By cross-multiplying."""
    kind = facts["kind"]
    if kind == "share":
        return str(Fraction(facts["total"] * facts["parts"][facts["which"]], sum(facts["parts"])))
    if kind == "direct":
        return str(Fraction(facts["value"]) * Fraction(facts["b"]) / Fraction(facts["a"]))
    if kind == "inverse":
        return str(Fraction(facts["value"] * facts["a"], facts["b"]))
    if kind == "simplify":
        parts = list(facts["parts"])
        for prime in (2, 3, 5, 7, 11, 13):
            while all(p % prime == 0 for p in parts):
                parts = [p // prime for p in parts]
        return f"({', '.join(map(str, parts))})"
    if kind == "scale":
        if facts["cm"] is not None:
            return str(Fraction(facts["cm"], 100) * facts["scale"])
        return str(Fraction(facts["metres"]) / facts["scale"] * 100)
    if kind == "from part":
        p, q = facts["ratio"]
        other = Fraction(facts["given"] * q, p)
        return str(other + facts["given"] if facts["total"] else other)
    a, b, c, d = facts["ratios"]
    sizes = [Fraction(a, b), Fraction(1), Fraction(d, c)]  # in units of the one in the middle
    return str(facts["value"] * sizes[facts["wanted"]] / sizes[facts["known"]])


PIPELINE = Solver(
    make, solve, knobs="level: sharing and unit prices, then rates and scales, inverse proportion, joined ratios"
)
