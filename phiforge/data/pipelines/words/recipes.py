"""Recipes: amounts for more or fewer people, packages to buy, what the least plentiful ingredient allows, baking in batches.

`make` goes by one portion or a factor; `solve` cross-multiplies or counts batches.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import CURRENCIES, amount, asides, known, told
from phiforge.data.words import count, decimal, listed, people, times_into

_DISHES = (
    ("pancakes", ("flour", "g", 150, 400), ("milk", "ml", 200, 600), ("sugar", "g", 20, 80)), ("lentil soup", ("lentils", "g", 200, 500), ("stock", "ml", 600, 1500), ("carrots", "g", 100, 400)), ("apple cake", ("apples", "g", 400, 1000), ("flour", "g", 200, 450), ("butter", "g", 100, 250)), ("risotto", ("rice", "g", 250, 500), ("stock", "ml", 700, 1500), ("cheese", "g", 50, 150)),
    ("goulash", ("beef", "g", 500, 1200), ("onions", "g", 300, 900), ("paprika powder", "g", 10, 40)), ("hummus", ("chickpeas", "g", 200, 600), ("sesame paste", "g", 50, 200), ("lemon juice", "ml", 20, 80)), ("bread", ("rye flour", "g", 300, 800), ("water", "ml", 250, 600), ("salt", "g", 8, 24)), ("curry", ("coconut milk", "ml", 200, 800), ("sweet potatoes", "g", 300, 900), ("spinach", "g", 100, 400)),
    ("lemonade", ("lemon juice", "ml", 100, 400), ("syrup", "ml", 60, 250), ("water", "ml", 600, 1500)), ("gnocchi", ("potatoes", "g", 500, 1200), ("flour", "g", 100, 350), ("parmesan", "g", 40, 120)), ("fruit salad", ("grapes", "g", 150, 500), ("melon", "g", 300, 900), ("honey", "g", 15, 60)), ("chocolate mousse", ("chocolate", "g", 100, 300), ("cream", "ml", 150, 500), ("sugar", "g", 20, 80)),
    ("dumplings", ("minced meat", "g", 250, 700), ("dough", "g", 300, 800), ("cabbage", "g", 150, 500)), ("granola", ("oats", "g", 250, 700), ("hazelnuts", "g", 80, 300), ("maple syrup", "ml", 50, 200)),
)  # fmt: skip
_BATCHES = (
    ("biscuits", "baking tray", 12, 40),
    ("muffins", "tin", 6, 12),
    ("rolls", "sheet", 8, 24),
    ("pretzels", "tray", 6, 16),
    ("waffles", "iron", 2, 6),
    ("meringues", "tray", 12, 36),
    ("samosas", "pan", 5, 15),
    ("tartlets", "tin", 8, 24),
    ("falafel balls", "pan", 8, 24),
    ("flatbreads", "oven", 3, 9),
    ("scones", "tray", 8, 20),
    ("spring rolls", "pan", 6, 18),
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_scale,),
        (_scale, _batches),
        (_scale, _packs, _limit),
        (_packs, _limit, _batches),
        (_limit, _cost, _packs, _back),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _recipe(draw: Draw, level: int) -> tuple[str, int, list[tuple[str, str, int]]]:
    """A dish, for how many, and its ingredients, of which a single portion is a whole number where level is low."""
    dish, *parts = draw.pick(_DISHES)
    n = draw.pick((2, 4, 6, 3, 8, 5))
    step = n * (5 if level < 3 else 1)
    return (
        dish,
        n,
        [(what, unit, max(step, draw.between(low, high) // step * step)) for what, unit, low, high in parts],
    )


def _list(parts: list[tuple[str, str, int]]) -> str:
    return listed([f"{n} {unit} of {what}" for what, unit, n in parts])


def _scale(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    dish, n, parts = _recipe(draw, level)
    shown = parts[: draw.between(1, 3)] if level < 3 else parts
    what, unit, need = draw.pick(shown)
    m = draw.pick([k for k in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 30) if k != n])
    answer = Fraction(need * m, n)
    extra = asides(draw, level, who, "w")
    facts = [
        draw.pick(
            (
                f"{who}'s recipe for {dish} takes {_list(shown)} and serves {n}.",
                f"For {n} portions of {dish}, {who} needs {_list(shown)}.",
                f"A recipe for {dish}, enough for {n} people, says: {_list(shown)}.",
            )
        ),
        draw.pick(
            (
                f"{count(m, 'guest')} will come." if m != 1 else f"Today {who} eats alone.",
                f"{who} cooks for {count(m, 'person', 'people')}.",
                f"This time it has to be enough for {count(m, 'person', 'people')}.",
            )
        ),
    ]
    if facts[1].endswith("guests will come."):
        facts[1] = facts[1].replace("guests will come.", f"guests will come, and {who} cooks for them only.")
    one = Fraction(need, n)
    return Draft(
        question=told(draw, facts, draw.pick((f"How many {unit} of {what} are needed?", f"How much {what} is that, in {unit}?")), extra),
        answer=decimal(answer),
        facts={"kind": "scale", "n": n, "need": need, "m": m},
        template=f"scale {dish} {what}",
        steps=[
            Step(f"{need} ÷ {n} = {decimal(one)} {unit} for one.", draw.pick(("One portion first.", f"Only the {what} matters; go down to one portion.")), Slip(f"It is {abs(m - n)} {'more' if m > n else 'fewer'}, so {need} {'+' if m > n else '−'} {abs(m - n)}.", "Portions multiply, they are not added.")),
            Step(f"{decimal(one)} × {m} = {decimal(answer)} {unit}." if m != 1 else f"That is all: {decimal(answer)} {unit}.", f"Then {count(m, 'portion')}."),
        ],
        says=f"{who} needs {decimal(answer)} {unit}.",
        given=known(draw, f"{need} {unit} of {what} for {n}, wanted for {m}.", extra),
        check=f"{m}/{n} = {Fraction(m, n)}, and {Fraction(m, n)} × {need} = {decimal(answer)}.",
    )  # fmt: skip


def _packs(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    dish, n, parts = _recipe(draw, level)
    what, unit, need = draw.pick(parts)
    m, pack = n * draw.between(2, 9) + draw.pick((0, 0, n // 2)), draw.pick((100, 125, 200, 250, 400, 500, 750, 1000))
    total = Fraction(need * m, n)
    packs = ceil(total / pack)
    left = draw.chance(0.35)
    over = packs * pack - total
    extra = asides(draw, level, who, "w")
    facts = [
        draw.pick(
            (
                f"To make {dish} for {n}, one takes {need} {unit} of {what}.",
                f"In {who}'s recipe there are {need} {unit} of {what} for {n} people.",
            )
        ),
        f"{who} makes {dish} for {m}.",
        draw.pick((f"A pack holds {pack} {unit}.", f"It is sold in packs of {pack} {unit}.")),
    ]
    return Draft(
        question=told(draw, facts, f"How many {unit} are left over, if no more packs are bought than needed?" if left else draw.pick(("How many packs must be bought?", f"How many packs does {who} need?")), extra),
        answer=decimal(over) if left else str(packs),
        facts={"kind": "packs", "n": n, "need": need, "m": m, "pack": pack, "left": left},
        template=f"packs {dish} {what}",
        steps=[
            Step(f"{need} × {m}/{n} = {decimal(total)} {unit}.", f"How much {what} for {m}?"),
            Step(f"{times_into(total, pack)}, so {count(packs, 'pack')}.", "Only whole packs can be bought.", Slip(f"{packs - 1} packs are nearly enough.", f"{packs - 1} × {pack} = {(packs - 1) * pack} is too little.") if total % pack and packs > 1 else None),
            *([Step(f"{packs} × {pack} − {decimal(total)} = {decimal(over)}.", "What is over?")] if left else []),
        ],
        says=f"{decimal(over)} {unit} are left over." if left else f"{who} needs {count(packs, 'pack')}.",
        given=known(draw, f"{need} {unit} for {n}, cooked for {m}, in packs of {pack}.", extra),
        check=f"{packs} × {pack} = {packs * pack}, at least {decimal(total)}; one pack less would not do.",
    )  # fmt: skip


def _limit(draw: Draw, level: int) -> Draft:
    """What is in the kitchen, and the ingredient that runs out first."""
    who = people(draw, 1)[0]
    dish, _, parts = _recipe(draw, 3)
    k = 2 if level < 4 else 3
    parts = [(what, unit, draw.between(2, 12) * 5) for what, unit, _ in draw.sample(parts, k)]
    most = draw.between(3, 24)
    which = draw.between(0, k - 1)
    have = [
        need * (most if i == which else most + draw.between(1, 9)) + draw.between(0, need - 1)
        for i, (_, _, need) in enumerate(parts)
    ]
    fits = [h // need for h, (_, _, need) in zip(have, parts, strict=True)]
    extra = asides(draw, level, who, "w")
    facts = [
        f"A portion of {dish} takes {_list(parts)}.",
        draw.pick(
            (
                f"{who} has {_list([(w, u, h) for (w, u, _), h in zip(parts, have, strict=True)])}.",
                f"In {who}'s kitchen there are {_list([(w, u, h) for (w, u, _), h in zip(parts, have, strict=True)])}.",
            )
        ),
    ]
    return Draft(
        question=told(draw, facts, draw.pick(("How many whole portions can be made?", f"For how many people can {who} cook at most?")), extra),
        answer=str(most),
        facts={"kind": "limit", "need": [n for _, _, n in parts], "have": have},
        template=f"limit {dish} {k}",
        steps=[
            *[Step(f"{h} ÷ {need} gives {fit} whole portions.", f"The {what}:") for (what, _, need), h, fit in zip(parts, have, fits, strict=True)],
            Step(f"The least is {most}, by the {parts[which][0]}.", "All ingredients are needed, so the scarcest one decides.", Slip(f"The most is {max(fits)}.", f"By then the {parts[which][0]} would be used up.") if max(fits) != most else None),
        ],
        says=f"{most} portions can be made.",
        given=known(draw, "What a portion takes, and what there is.", extra),
        check=f"{most} portions take {_list([(w, u, n * most) for w, u, n in parts])}; {most + 1} would need {parts[which][2] * (most + 1)} {parts[which][1]} of {parts[which][0]}.",
    )  # fmt: skip


def _batches(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    what, tool, low, high = draw.pick(_BATCHES)
    each, minutes, n = draw.between(low, high), draw.between(3, 35), draw.between(high + 3, high * (2 + level))
    batches = ceil(Fraction(n, each))
    pause = draw.between(1, 6) if level > 2 and batches > 1 else 0
    total = batches * minutes + (batches - 1) * pause
    time = draw.chance(0.6)
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"{who} bakes {n} {what} for a party.",
                f"{n} {what} are on order, and {who} bakes them.",
                f"{who} wants to have {n} {what} ready.",
            )
        ),
        f"One {tool} takes {each} at a time, for {count(minutes, 'minute')}.",
    ]
    if pause and time:
        facts.append(f"Between two batches it takes {count(pause, 'minute')} to change.")
    total = total if time else batches
    return Draft(
        question=told(draw, facts, draw.pick(("How many minutes does it take in all?", "After how many minutes is the last batch done?")) if time else "How many batches does it take?", extra),
        answer=str(total),
        facts={"kind": "batches", "n": n, "each": each, "minutes": minutes, "pause": pause if time else 0, "time": time},
        template=f"batches {what} {time}",
        steps=[
            Step(f"{n} ÷ {each} {'= ' + str(batches) if n % each == 0 else 'is more than ' + str(batches - 1)}, so {count(batches, 'batch', 'batches')}.", "The last batch may be smaller, but it has to be baked too.", Slip(f"{n // each} batches.", f"That makes only {n // each * each}.") if n % each else None),
            *([Step(f"{batches} × {minutes} = {batches * minutes} minutes.")] if time else []),
            *([Step(f"{batches - 1} × {pause} = {(batches - 1) * pause}, and {batches * minutes} + {(batches - 1) * pause} = {total}.", f"There are {batches - 1} changes between {batches} batches.", Slip(f"{batches} × {pause} = {batches * pause} for the changes.", "After the last one nothing is changed."))] if time and pause else []),
        ],
        says=f"It takes {total} minutes." if time else f"It takes {count(batches, 'batch', 'batches')}.",
        given=known(draw, f"{n} {what}, {each} at a time.", extra),
        check=f"{batches} × {each} = {batches * each} covers {n}, {batches - 1} × {each} = {(batches - 1) * each} does not.",
    )  # fmt: skip


def _cost(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES)
    dish, n, parts = _recipe(draw, 3)
    parts = [(what, unit, n * 10 * max(1, round(need / n / 10))) for what, unit, need in parts[:2]]
    prices = [draw.between(2, 30) * 50 for _ in parts]  # hundredths for 1000 of the unit
    m = draw.pick([k for k in (2, 3, 4, 6, 8, 10, 12, 20) if k != n])
    costs = [Fraction(need * m * price, n * 1000) for (_, _, need), price in zip(parts, prices, strict=True)]
    total = sum(costs, Fraction(0)) / 100
    extra = asides(draw, level, who, "wm")
    big = {"g": "kilogram", "ml": "litre"}
    facts = [
        f"For {n} portions of {dish}, {who} takes {_list(parts)}.",
        "It costs "
        + listed(
            [
                f"{money.of(price)} a {big[unit]} for {what}"
                for (what, unit, _), price in zip(parts, prices, strict=True)
            ]
        )
        + ".",
    ]
    steps = [
        Step(
            f"{need} × {m}/{n} = {need * m // n if need * m % n == 0 else decimal(Fraction(need * m, n))} {unit}, at {amount(price)} for 1000: {decimal(cost / 100)}.",
            f"The {what} for {m} portions:",
            Slip(
                f"{need} × {amount(price)} = {decimal(Fraction(need * price, 100))}.", f"The price is for 1000 {unit}."
            )
            if i == 0
            else None,
        )
        for i, ((what, unit, need), price, cost) in enumerate(zip(parts, prices, costs, strict=True))
    ]
    steps.append(Step(f"{' + '.join(decimal(c / 100) for c in costs)} = {decimal(total)}."))
    return Draft(
        question=told(draw, facts, f"What do these ingredients cost for {m} portions, in {money.many}?", extra),
        answer=decimal(total),
        facts={"kind": "cost", "n": n, "m": m, "need": [x for _, _, x in parts], "prices": prices},
        template=f"cost {dish}",
        steps=steps,
        says=f"They cost {decimal(total)} {money.many}.",
        given=known(draw, f"Amounts for {n}, prices for 1000, wanted for {m}.", extra),
        check=f"A portion costs {decimal(total / m)}, and {m} × {decimal(total / m)} = {decimal(total)}.",
    )  # fmt: skip


def _back(draw: Draw, level: int) -> Draft:
    """For how many is an amount enough."""
    who = people(draw, 1)[0]
    dish, n, parts = _recipe(draw, 3)
    what, unit, need = draw.pick(parts)
    one = need // n
    have = one * draw.between(n + 1, 40) + draw.between(0, one - 1)
    extra = asides(draw, level, who, "w")
    facts = [
        draw.pick(
            (
                f"{need} {unit} of {what} make {dish} for {n}.",
                f"In {dish} for {n}, {who} puts {need} {unit} of {what}.",
            )
        ),
        draw.pick((f"There are {have} {unit} in the house.", f"{who} finds {have} {unit} in the larder.")),
    ]
    return Draft(
        question=told(draw, facts, draw.pick(("For how many people is that enough, at most?", "How many full portions does that make?")), extra),
        answer=str(have // one),
        facts={"kind": "limit", "need": [Fraction(need, n).numerator], "have": [have * Fraction(need, n).denominator]},
        template=f"back {dish} {what}",
        steps=[Step(f"{need} ÷ {n} = {one} {unit} for one.", "One portion first."), Step(f"{have} ÷ {one} gives {have // one}{f', with {have % one} {unit} over' if have % one else ''}.", "How often is that in it?", Slip(f"{have} ÷ {need} gives {have // need}.", f"That counts pots for {n}, not portions."))],
        says=f"It is enough for {have // one}.",
        given=known(draw, f"{need} {unit} for {n}; {have} {unit} are there.", extra),
        check=f"{have // one} × {one} = {have // one * one}, at most {have}; one more would need {(have // one + 1) * one}.",
    )  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "scale":
        return decimal(Fraction(facts["m"]) / Fraction(facts["n"], facts["need"]))
    if kind == "packs":
        bought, packs = 0, 0
        while bought * facts["n"] < facts["need"] * facts["m"]:
            bought, packs = bought + facts["pack"], packs + 1
        return decimal(bought - Fraction(facts["need"] * facts["m"], facts["n"])) if facts["left"] else str(packs)
    if kind == "limit":
        have, made = list(facts["have"]), 0
        while all(h >= need for h, need in zip(have, facts["need"], strict=True)):
            have, made = [h - need for h, need in zip(have, facts["need"], strict=True)], made + 1
        return str(made)
    if kind == "batches":
        left, time, batches = facts["n"], 0, 0
        while left > 0:
            time += facts["minutes"] + (facts["pause"] if batches else 0)
            left, batches = left - facts["each"], batches + 1
        return str(time if facts["time"] else batches)
    portion = sum(
        (Fraction(need * price, facts["n"]) for need, price in zip(facts["need"], facts["prices"], strict=True)),
        Fraction(0),
    )
    return decimal(portion * facts["m"] / 100_000)


PIPELINE = Solver(
    make, solve, knobs="level: scaling, batches, packages, the scarcest ingredient, cost, how far an amount goes"
)
