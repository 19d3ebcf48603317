"""Mixtures: strengths after mixing and diluting, how much of each, prices of blends, parts taken out and replaced.

`make` follows the pure part through the steps; `solve` tries amounts until the strength is right.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import CURRENCIES, asides, known, told
from phiforge.data.words import decimal, people, percent_of

# A liquid, what is dissolved in it, how it is measured, who has to do with it.
_LIQUIDS = (
    ("brine", "salt", "kilograms", "for pickling"), ("syrup", "sugar", "kilograms", "for the sorbet"), ("vinegar", "acid", "litres", "for the marinade"), ("antifreeze", "glycol", "litres", "for the radiator"), ("plant feed", "concentrate", "litres", "for the greenhouse"),
    ("cleaning fluid", "soda", "litres", "for the kitchen"), ("hydrogen peroxide", "peroxide", "grams", "for the laboratory"), ("tea", "milk", "millilitres", "for the café"), ("paint", "blue pigment", "kilograms", "for the stage"), ("lemonade", "lemon juice", "litres", "for the fair"),
    ("salt solution", "salt", "grams", "for the experiment"), ("glaze", "zinc", "kilograms", "for the pots"), ("punch", "elderflower syrup", "litres", "for the party"), ("bleach", "chlorine", "litres", "for the pool"), ("fertiliser", "nitrogen", "kilograms", "for the orchard"),
)  # fmt: skip
_METALS = (
    ("brass", "copper"),
    ("bronze", "copper"),
    ("solder", "tin"),
    ("silver alloy", "silver"),
    ("gold alloy", "gold"),
    ("steel", "chromium"),
    ("pewter", "tin"),
    ("nickel silver", "nickel"),
)
_BLENDS = (
    ("coffee", "arabica beans", "robusta beans"),
    ("tea", "Assam", "Ceylon"),
    ("nut mix", "cashews", "peanuts"),
    ("muesli", "dried berries", "oats"),
    ("rice mix", "wild rice", "white rice"),
    ("bird food", "sunflower seeds", "millet"),
    ("spice blend", "cardamom", "coriander"),
    ("sweets", "pralines", "toffees"),
    ("grass seed", "clover", "rye-grass"),
    ("flour", "spelt flour", "wheat flour"),
)


def make(draw: Draw, level: int) -> Draft:
    kinds = ((_part,), (_part, _mix), (_mix, _dilute, _blend), (_dilute, _target, _blend), (_target, _replace, _mix))
    return draw.pick(kinds[level - 1])(draw, level)


def _stuff(draw: Draw) -> tuple[str, str, str, str]:
    if draw.chance(0.3):
        metal, part = draw.pick(_METALS)
        return (
            metal,
            part,
            draw.pick(("kilograms", "grams")),
            draw.pick(("for a bell", "for the foundry", "for a statue", "for medals")),
        )
    return draw.pick(_LIQUIDS)


def _part(draw: Draw, level: int) -> Draft:
    who, (what, pure, unit, use) = people(draw, 1)[0], _stuff(draw)
    p, n = draw.pick((5, 10, 20, 25, 30, 40, 50, 12, 15, 8, 60)), draw.between(2, 40) * 5
    inside = Fraction(n * p, 100)
    rest = draw.chance(0.35)
    extra = asides(draw, level, who, "w")
    facts = [draw.pick((f"{who} has {n} {unit} of {what} {use}.", f"{use[0].upper()}{use[1:]}, {who} prepares {n} {unit} of {what}.", f"There are {n} {unit} of {what} in {who}'s store.")), draw.pick((f"{p} % of it is {pure}.", f"It contains {p} % {pure}."))]  # fmt: skip
    wanted = n - inside if rest else inside
    return Draft(
        question=told(
            draw,
            facts,
            f"How many {unit} are {'not ' if rest else ''}{pure}?"
            if rest
            else draw.pick((f"How many {unit} of {pure} are in it?", f"How much {pure} is that, in {unit}?")),
            extra,
        ),
        answer=decimal(wanted),
        facts={"kind": "part", "n": n, "p": p, "rest": rest},
        template=f"part {what} {use} {rest}",
        steps=[
            Step(percent_of(p, n), f"The {pure} is {p} of every 100 parts."),
            *(
                [
                    Step(
                        f"{n} − {decimal(inside)} = {decimal(wanted)}.",
                        "The rest is asked for.",
                        Slip(f"So {decimal(inside)}.", f"That is the {pure} itself."),
                    )
                ]
                if rest
                else []
            ),
        ],
        says=f"It is {decimal(wanted)} {unit}.",
        given=known(draw, f"{n} {unit} with {p} % {pure}.", extra),
        check=f"{decimal(wanted)} of {n} is {100 - p if rest else p} %.",
    )


def _mix(draw: Draw, level: int) -> Draft:
    who, (what, pure, unit, use) = people(draw, 1)[0], _stuff(draw)
    while True:
        a, b, p, q = draw.between(1, 24), draw.between(1, 24), draw.between(1, 18) * 5, draw.between(1, 18) * 5
        if p != q and a != b and (a * p + b * q) % (a + b) == 0:
            break
    r = (a * p + b * q) // (a + b)
    extra = asides(draw, level, who, "w")
    facts = [
        draw.pick(
            (
                f"{use[0].upper()}{use[1:]}, {who} stirs {a} {unit} of {what} with {p} % {pure} into {b} {unit} with {q} % {pure}.",
                f"{who} joins {a} {unit} of {what} that has {p} % {pure} with {b} {unit} that have {q} %.".replace(
                    "1 kilograms of", "1 kilogram of"
                ),
            )
        )
    ]
    facts = [
        facts[0]
        .replace(" 1 kilograms", " 1 kilogram")
        .replace(" 1 litres", " 1 litre")
        .replace(" 1 grams", " 1 gram")
        .replace(" 1 millilitres", " 1 millilitre")
    ]
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick(
                (f"What percentage of the mixture is {pure}?", f"How strong is the mixture, in percent of {pure}?")
            ),
            extra,
        ),
        answer=str(r),
        facts={"kind": "mix", "a": a, "b": b, "p": p, "q": q},
        template=f"mix {what} {use}",
        steps=[
            Step(
                f"{a} × {p} % = {decimal(Fraction(a * p, 100))} and {b} × {q} % = {decimal(Fraction(b * q, 100))}.",
                f"How much {pure} does each bring?",
                Slip(f"({p} + {q}) ÷ 2 = {decimal(Fraction(p + q, 2))} %.", "That would hold for equal amounts only."),
            ),
            Step(
                f"{decimal(Fraction(a * p, 100))} + {decimal(Fraction(b * q, 100))} = {decimal(Fraction(a * p + b * q, 100))} in {a} + {b} = {a + b}."
            ),
            Step(f"{decimal(Fraction(a * p + b * q, 100))} ÷ {a + b} = {decimal(Fraction(r, 100))}, that is {r} %."),
        ],
        says=f"{r} % of it is {pure}.",
        given=known(draw, f"{a} at {p} % and {b} at {q} %.", extra),
        check=f"{r} lies between {min(p, q)} and {max(p, q)}, nearer to the {p if a > b else q} % of which there is more.",
    )


def _dilute(draw: Draw, level: int) -> Draft:
    who, (what, pure, unit, use) = people(draw, 1)[0], draw.pick(_LIQUIDS)
    while True:
        n, p, r = draw.between(2, 60), draw.between(3, 18) * 5, draw.between(1, 16) * 5
        if r < p and n * p % r == 0:
            break
    end = n * p // r
    extra = asides(draw, level, who, "w")
    facts = [
        draw.pick(
            (
                f"{who} has {n} {unit} of {what} with {p} % {pure} and needs it at {r} % {use}.",
                f"{use[0].upper()}{use[1:]} {who} wants {what} with {r} % {pure}, but the {n} {unit} in store have {p} %.",
            )
        )
    ]
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick((f"How many {unit} of water must be added?", f"How much water, in {unit}, makes it so?")),
            extra,
        ),
        answer=str(end - n),
        facts={"kind": "dilute", "n": n, "p": p, "r": r},
        template=f"dilute {what} {use}",
        steps=[
            Step(
                f"{n} × {p} % = {decimal(Fraction(n * p, 100))} {unit} of {pure}.",
                f"Water brings no {pure}, so its amount stays.",
            ),
            Step(
                f"{decimal(Fraction(n * p, 100))} ÷ {decimal(Fraction(r, 100))} = {end} {unit}.",
                f"That must be {r} % of the new whole.",
                Slip(f"{p} − {r} = {p - r} %, so add {p - r} % of {n}.", "The percentages are of different wholes."),
            ),
            Step(f"{end} − {n} = {end - n}.", "The water is what the whole has grown by."),
        ],
        says=f"{end - n} {unit} of water must be added.",
        given=known(draw, f"{n} {unit} at {p} %, wanted at {r} %.", extra),
        check=f"{decimal(Fraction(n * p, 100))} of {end} is {r} %.",
    )


def _target(draw: Draw, level: int) -> Draft:
    """How much of each of two strengths."""
    who, (what, pure, unit, use) = people(draw, 1)[0], _stuff(draw)
    while True:
        p, q, r, n = draw.between(1, 18) * 5, draw.between(1, 18) * 5, draw.between(4, 90), draw.between(4, 80)
        if p < r < q and n * (q - r) % (q - p) == 0:
            break
    low = n * (q - r) // (q - p)
    weak = draw.chance(0.5)
    extra = asides(draw, level, who, "w")
    facts = [
        draw.pick(
            (
                f"{who} mixes {what} with {p} % {pure} and {what} with {q} % {pure}.",
                f"Two kinds of {what} stand in {who}'s store: one with {p} %, the other with {q} % {pure}.",
            )
        ),
        draw.pick(
            (
                f"{n} {unit} with {r} % are needed {use}.",
                f"{use[0].upper()}{use[1:]} it should be {n} {unit} at {r} %.",
            )
        ),
    ]
    answer = low if weak else n - low
    return Draft(
        question=told(
            draw, facts, f"How many {unit} of the {'weaker' if weak else 'stronger'} one must {who} take?", extra
        ),
        answer=str(answer),
        facts={"kind": "target", "p": p, "q": q, "r": r, "n": n, "weak": weak},
        template=f"target {what} {use} {weak}",
        steps=[
            Step(
                f"Take x {unit} of the weaker one and {n} − x of the stronger one.",
                "One unknown is enough, as the sum is known.",
            ),
            Step(
                f"{p}x + {q}({n} − x) = {r} × {n} = {r * n}.",
                f"The {pure}, in hundredths:",
                Slip(f"{p}x + {q}x = {r * n}.", "That would be the same amount of both."),
            ),
            Step(f"{q * n} − {q - p}x = {r * n}, so x = {q * n - r * n} ÷ {q - p} = {low}."),
            *([] if weak else [Step(f"{n} − {low} = {n - low}.", "The stronger one is asked for.")]),
        ],
        says=f"{who} must take {answer} {unit if answer != 1 else unit[:-1]}.",
        given=known(draw, f"{p} % and {q} % shall make {n} {unit} at {r} %.", extra),
        check=f"{decimal(Fraction(low * p, 100))} + {decimal(Fraction((n - low) * q, 100))} = {decimal(Fraction(n * r, 100))}, and {r} % of {n} is {decimal(Fraction(n * r, 100))}.",
    )


def _blend(draw: Draw, level: int) -> Draft:
    who, money, (what, dear, cheap) = people(draw, 1)[0], draw.pick(CURRENCIES), draw.pick(_BLENDS)
    while True:
        a, b, p, q = draw.between(1, 20), draw.between(1, 20), draw.between(6, 40), draw.between(2, 30)
        if q < p and a != b and (a * p + b * q) % (a + b) == 0:
            break
    r = (a * p + b * q) // (a + b)
    extra = asides(draw, level, who, "m")
    facts = [
        draw.pick(
            (
                f"{who} makes a {what} blend of {a} kg of {dear} and {b} kg of {cheap}.",
                f"A {what} blend of {who}'s has {a} kg of {dear} to {b} kg of {cheap}.",
            )
        ),
        f"The {dear} {'cost' if dear.endswith('s') else 'costs'} {p} {money.many} a kilogram, the {cheap} {q}.",
    ]
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick(
                (
                    f"What does a kilogram of the blend cost, in {money.many}?",
                    f"How many {money.many} must a kilogram of the blend be, to cover the cost?",
                )
            ),
            extra,
        ),
        answer=str(r),
        facts={"kind": "mix", "a": a, "b": b, "p": p, "q": q},
        template=f"blend {what}",
        steps=[
            Step(
                f"{a} × {p} + {b} × {q} = {a * p} + {b * q} = {a * p + b * q}.",
                "The cost of everything that goes in:",
                Slip(f"({p} + {q}) ÷ 2 = {decimal(Fraction(p + q, 2))}.", "There is not the same amount of both."),
            ),
            Step(f"{a * p + b * q} ÷ {a + b} = {r}.", f"It makes {a + b} kg."),
        ],
        says=f"A kilogram costs {r} {money.many}.",
        given=known(draw, f"{a} kg at {p} and {b} kg at {q}.", extra),
        check=f"{r} × {a + b} = {r * (a + b)}.",
    )


def _replace(draw: Draw, level: int) -> Draft:
    """Some is poured off and replaced by water, several times."""
    who, (what, pure, unit, _) = people(draw, 1)[0], draw.pick(_LIQUIDS)
    times = draw.between(1, 3)
    n = draw.pick((10, 20, 40, 50, 80))
    out = n // draw.pick((2, 5, 10))
    p = draw.between(4, 18) * 5
    left = Fraction(n - out, n)
    end = Fraction(p) * left**times
    extra = asides(draw, level, who, "w")
    often = {1: "once", 2: "twice", 3: "three times"}[times]
    facts = [
        f"{who}'s vessel holds {n} {unit} of {what} with {p} % {pure}.",
        f"{out} {unit} are taken out and replaced by water, and all is stirred.",
        *([f"This is done {often} in all."] if times > 1 else []),
    ]
    facts = [
        f.replace("1 litres are", "1 litre is").replace("1 kilograms are", "1 kilogram is") if out == 1 else f
        for f in facts
    ]
    steps, value = [], Fraction(p)
    for i in range(times):
        steps.append(
            Step(
                f"{decimal(value)} × {decimal(left)} = {decimal(value * left)} %.",
                (
                    f"Each time, {n - out} of {n} stay, a share of {decimal(left)}."
                    if i == 0
                    else draw.pick(("Again.", "And once more."))
                ),
                Slip(
                    f"It loses {decimal(Fraction(100 * out, n))} % of {p} each time, {decimal(Fraction(times * out * p, n))} in all.",
                    "What is taken the next time is weaker already.",
                )
                if times > 1 and i == 0
                else None,
            )
        )
        value *= left
    return Draft(
        question=told(draw, facts, f"What percentage of {pure} does it have in the end?", extra),
        answer=decimal(end),
        facts={"kind": "replace", "n": n, "out": out, "p": p, "times": times},
        template=f"replace {what} {times}",
        steps=steps,
        says=f"In the end it has {decimal(end)} % {pure}.",
        given=known(draw, f"{n} {unit} at {p} %, {out} of them exchanged {often}.", extra),
        check=f"{p} × {decimal(left)}^{times} = {decimal(end)}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "part":
        inside = Fraction(facts["p"], 100) * facts["n"]
        return decimal(facts["n"] - inside if facts["rest"] else inside)
    if kind == "mix":
        units = [facts["p"]] * facts["a"] + [facts["q"]] * facts["b"]
        return decimal(Fraction(sum(units), len(units)))
    if kind == "dilute":
        return str(next(w for w in range(10_000) if facts["n"] * facts["p"] == facts["r"] * (facts["n"] + w)))
    if kind == "target":
        n = facts["n"]
        low = next(x for x in range(n + 1) if facts["p"] * x + facts["q"] * (n - x) == facts["r"] * n)
        return str(low if facts["weak"] else n - low)
    pure = Fraction(facts["n"] * facts["p"], 100)
    for _ in range(facts["times"]):
        pure -= pure * facts["out"] / facts["n"]
    return decimal(100 * pure / facts["n"])


PIPELINE = Solver(
    make, solve, knobs="level: a part, mixing two, diluting, blends, amounts for a strength, replaced parts"
)
