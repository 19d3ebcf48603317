"""Percentages: of an amount, which percentage, the whole from a part, changes up and down, changes in a row, points.

`make` goes by tenths, hundredths or factors; `solve` works with fractions of the whole.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import decimal, people, percent_of

_EASY = (10, 20, 25, 50, 75, 5, 40, 60, 30, 80)
_THINGS = (
    ("pupils", "of a school", "come by bicycle"), ("books", "of a library", "are novels"), ("trees", "in an orchard", "are pear trees"), ("seats", "in a theatre", "are taken"), ("emails", "in an inbox", "are unread"),
    ("houses", "in a village", "have solar panels"), ("tickets", "for a concert", "are sold"), ("members", "of a club", "voted yes"), ("loaves", "of a bakery", "are rye bread"), ("cars", "in a car park", "are electric"),
    ("fish", "in a pond", "are carp"), ("questions", "of a test", "are solved"), ("screws", "in a box", "are made of brass"), ("photos", "in an album", "show the sea"),
)  # fmt: skip
_PRICED = ("coat", "lamp", "bicycle", "tent", "chair", "printer", "guitar", "table", "watch", "suitcase", "rucksack", "camera", "monitor", "jacket", "keyboard", "carpet")  # fmt: skip
_MEASURED = ("rent", "population of a village", "price of a ticket", "number of visitors", "water level in centimetres", "weight of a parcel in grams", "circulation of a newspaper", "speed of a machine in turns a minute", "salary", "stock of a shop")  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_part,),
        (_part, _rate, _change),
        (_rate, _whole, _change),
        (_whole, _before, _changes),
        (_before, _changes, _reverse_changes),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _percent(draw: Draw, level: int) -> int:
    return draw.pick(_EASY) if level < 3 else draw.between(2, 95)


def _whole_for(draw: Draw, percent: int, level: int) -> int:
    """A whole of which so many percent are a whole number."""
    step = Fraction(percent, 100).denominator
    return step * draw.between(max(2, 40 // step), max(4, (150 + 250 * level) // step))


def _part(draw: Draw, level: int) -> Draft:
    p = _percent(draw, level)
    whole = _whole_for(draw, p, level)
    part = whole * p // 100
    things, where, what = draw.pick(_THINGS)
    rest = draw.chance(0.35)
    form = draw.between(0, 3)
    question = (
        f"{p} % of the {whole} {things} {where} {what}. How many {'do not' if rest and not what.startswith(('are', 'have')) else 'are the others' if rest else 'is that'}?",
        f"There are {whole} {things} {where}, and {p} % of them {what}. {'How many other ' + things + ' are there' if rest else 'How many ' + things + ' are these'}?",
        f"Of {whole} {things} {where}, {p} % {what}. Find the number of {'the rest' if rest else 'these'}.",
        f"What number of {things} is {100 - p if rest else p} % of {whole}?",
    )[form]
    if form == 3:
        rest_now, wanted = False, whole * (100 - p if rest else p) // 100
        q = 100 - p if rest else p
    else:
        rest_now, wanted, q = rest, whole - part if rest else part, p
    steps = [
        Step(
            percent_of(q, whole),
            "Go by halves, tenths or hundredths.",
        )
    ]
    if rest_now:
        steps.append(
            Step(
                f"{whole} − {part} = {whole - part}.",
                "The others are asked for.",
                Slip(f"The answer is {part}.", "Those are the ones named; the others are wanted."),
            )
        )
    return Draft(
        question=question,
        answer=str(wanted),
        facts={"kind": "part", "whole": whole, "percent": q, "rest": rest_now},
        template=f"part {things} {form}",
        steps=steps,
        says=f"That is {wanted} {things}.",
        given=f"{q} % of {whole}{', then the rest' if rest_now else ''}.",
        check=f"{wanted} / {whole} = {Fraction(wanted, whole)} = {decimal(Fraction(100 * wanted, whole))} %.",
    )


def _rate(draw: Draw, level: int) -> Draft:
    p = _percent(draw, level)
    whole = _whole_for(draw, p, level)
    part = whole * p // 100
    things, where, what = draw.pick(_THINGS)
    form = draw.between(0, 2)
    question = (
        f"Of the {whole} {things} {where}, {part} {what}. What percentage is that?",
        f"{part} out of {whole} {things} {where} {what}. How many percent are these?",
        f"There are {whole} {things} {where}; {part} of them {what}. Express this in percent.",
    )[form] + " Give the number."
    slip = (
        Slip(
            f"{whole} / {part} × 100 would be {decimal(Fraction(100 * whole, part))}.",
            "The part goes on top: it is less than the whole.",
        )
        if part < whole
        else None
    )
    return Draft(
        question=question,
        answer=str(p),
        facts={"kind": "rate", "whole": whole, "part": part},
        template=f"rate {things} {form}",
        steps=[
            Step(f"{part}/{whole} = {Fraction(part, whole)}.", "The part over the whole:", slip),
            Step(f"{Fraction(part, whole)} × 100 = {p}, so {p} %."),
        ],
        says=f"It is {p} %.",
        given=f"{part} of {whole} in percent.",
        check=f"{p} % of {whole} is {part}.",
    )


def _whole(draw: Draw, level: int) -> Draft:
    p = _percent(draw, level)
    whole = _whole_for(draw, p, level)
    part = whole * p // 100
    things, where, what = draw.pick(_THINGS)
    form = draw.between(0, 2)
    question = (
        f"{part} {things} {where} {what}; that is {p} % of all. How many {things} are there?",
        f"{p} % of the {things} {where} {what}, namely {part}. Find the number of all {things}.",
        f"The {part} {things} that {what} are {p} % of all the {things} {where}. How many are there altogether?",
    )[form]
    return Draft(
        question=question,
        answer=str(whole),
        facts={"kind": "whole", "part": part, "percent": p},
        template=f"whole {things} {form}",
        steps=[
            Step(
                f"{part} / {p} = {decimal(Fraction(part, p))} is 1 %.",
                f"{part} is {p} %, so divide to find one percent.",
                Slip(
                    f"{p} % of {part} is {decimal(Fraction(part * p, 100))}.",
                    f"But {part} is the part already, not the whole.",
                ),
            ),
            Step(f"100 × {decimal(Fraction(part, p))} = {whole}.", "The whole is 100 %."),
        ],
        says=f"There are {whole} {things}.",
        given=f"{part} is {p} % of an unknown whole.",
        check=f"{p} % of {whole} is {part}.",
    )


def _change(draw: Draw, level: int) -> Draft:
    p = _percent(draw, level)
    old = _whole_for(draw, p, level)
    up = draw.chance(0.5)
    new = old + old * p // 100 * (1 if up else -1)
    back = level >= 3 and draw.chance(0.5)
    what = draw.pick(_MEASURED)
    form = draw.between(0, 1)
    word = draw.pick(("rises", "grows", "goes up") if up else ("falls", "drops", "goes down"))
    if back:
        question = (
            f"The {what} {word} from {old} to {new}. By how many percent? Give the number.",
            f"A change from {old} to {new} in the {what}: what is it in percent of the old value? Give the number without a sign.",
        )[form]
        steps = [
            Step(f"The change is {abs(new - old)}.", f"{max(old, new)} − {min(old, new)}:"),
            Step(
                f"{abs(new - old)} / {old} × 100 = {p}.",
                "It is measured against the old value.",
                Slip(
                    f"{abs(new - old)} / {new} × 100 = {decimal(Fraction(100 * abs(new - old), new))}.",
                    "That measures against the new value.",
                ),
            ),
        ]
        answer, says, check = str(p), f"It {word} by {p} %.", f"{p} % of {old} is {abs(new - old)}."
    else:
        question = (
            f"The {what} {word} by {p} % from {old}. What is it then?",
            f"At first the {what} is {old}. Then it {word} by {p} %. Find the new value.",
        )[form]
        steps = [
            Step(f"{p} % of {old} is {old * p // 100}."),
            Step(f"{old} {'+' if up else '−'} {old * p // 100} = {new}."),
        ]
        answer, says, check = (
            str(new),
            f"It is {new} then.",
            f"{new} / {old} = {decimal(Fraction(new, old))}, which is 1 {'+' if up else '−'} {decimal(Fraction(p, 100))}.",
        )
    return Draft(
        question=question,
        answer=answer,
        facts={
            "kind": "change",
            "old": old,
            "new": new if back else None,
            "percent": None if back else p * (1 if up else -1),
        },
        template=f"change {what} {back} {form}",
        steps=steps,
        says=says,
        given=f"From {old} {'to ' + str(new) if back else 'by ' + str(p) + ' %'}.",
        check=check,
    )


def _before(draw: Draw, level: int) -> Draft:
    p = draw.between(1, 12) * 5
    up = draw.chance(0.4)
    old = _whole_for(draw, p, level)
    new = old + old * p // 100 * (1 if up else -1)
    thing = draw.pick(_PRICED)
    who = people(draw, 1)[0]
    form = draw.between(0, 2)
    question = (
        f"After {'an increase' if up else 'a discount'} of {p} %, a {thing} costs {new} euros. What did it cost before?",
        f"{who} pays {new} euros for a {thing} whose price had been {'raised' if up else 'lowered'} by {p} %. What was the price before?",
        f"The price of a {thing} {'went up' if up else 'went down'} by {p} % and is {new} euros now. Find the old price in euros.",
    )[form]
    share = 100 + p if up else 100 - p
    slip = Slip(
        f"{p} % of {new} is {decimal(Fraction(new * p, 100))}, so it was {decimal(Fraction(new * (100 - p if up else 100 + p), 100))}.",
        f"The {p} % were of the old price, not of {new}.",
    )
    return Draft(
        question=question,
        answer=str(old),
        facts={"kind": "before", "new": new, "percent": p if up else -p},
        template=f"before {thing} {form}",
        steps=[
            Step(
                f"{new} euros are {share} % of the old price.", f"100 % {'+' if up else '−'} {p} % = {share} %.", slip
            ),
            Step(f"{new} / {share} × 100 = {old}.", "One percent, then a hundred:"),
        ],
        says=f"It cost {old} euros before.",
        given=f"The new price {new} is known, and the change of {p} % from the old one.",
        check=f"{p} % of {old} is {old * p // 100}, and {old} {'+' if up else '−'} {old * p // 100} = {new}.",
    )


def _changes(draw: Draw, level: int) -> Draft:
    n = 2 if level < 5 else draw.between(2, 3)
    changes = [draw.pick((-1, 1)) * draw.pick((10, 20, 25, 30, 40, 50, 5, 60)) for _ in range(n)]
    what = draw.pick(_MEASURED)
    start = draw.between(2, 40) * 400
    total = draw.chance(0.4)
    told = ", then ".join(f"{'rises' if c > 0 else 'falls'} by {abs(c)} %" for c in changes)
    value, steps = Fraction(start), []
    if total:
        factor = Fraction(1)
        for c in changes:
            factor *= Fraction(100 + c, 100)
        shown = " × ".join(decimal(Fraction(100 + c, 100)) for c in changes)
        change = (factor - 1) * 100
        slip = Slip(
            f"Together {' '.join(('+ ' if c > 0 else '− ') + str(abs(c)) for c in changes).removeprefix('+ ')} = {sum(changes)} %.",
            "Each change is of what is there by then, so they can't be added.",
        )
        steps = [
            Step(f"{shown} = {decimal(factor)}.", "A change is a factor, and factors multiply.", slip),
            Step(f"({decimal(factor)} − 1) × 100 = {decimal(change)}."),
        ]
        question = (
            f"The {what} {told}. By how many percent has it changed in all? Give a signed number, negative for a fall."
        )
        answer = decimal(change)
        says, check = (
            f"In all it changed by {answer} %.",
            f"Starting from 100: {' → '.join(decimal(x) for x in _path(Fraction(100), changes))}.",
        )
    else:
        for c in changes:
            new = value * (100 + c) / 100
            steps.append(
                Step(
                    f"{decimal(value)} × {decimal(Fraction(100 + c, 100))} = {decimal(new)}.",
                    f"{'Up' if c > 0 else 'Down'} by {abs(c)} % of what is there now.",
                )
            )
            value = new
        question = f"The {what} is {start} at first. It {told}. What is it in the end?"
        answer = decimal(value)
        says, check = (
            f"In the end it is {answer}.",
            f"{answer} / {start} = {decimal(value / start)}, the product of the factors {', '.join(decimal(Fraction(100 + c, 100)) for c in changes)}.",
        )
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "changes", "start": start, "changes": changes, "total": total},
        template=f"changes {what} {n} {total}",
        steps=steps,
        says=says,
        given=f"{n} changes, one after the other.",
        check=check,
    )


def _path(value: Fraction, changes: list[int]) -> list[Fraction]:
    path = [value]
    for c in changes:
        path.append(path[-1] * (100 + c) / 100)
    return path


def _reverse_changes(draw: Draw, level: int) -> Draft:
    p = draw.pick((10, 20, 25, 30, 40, 50, 60, 75, 80))
    up = draw.chance(0.5)
    back = Fraction(100 * 100, 100 + p if up else 100 - p) - 100
    what = draw.pick(_MEASURED)
    form = draw.between(0, 1)
    word, other = ("rises", "fall") if up else ("falls", "rise")
    question = (
        f"The {what} {word} by {p} %. By how many percent must it {other} to be what it was? Give an exact number without a sign.",
        f"After the {what} {word} by {p} %, what percentage {other} brings the old value back? Give an exact number.",
    )[form]
    new = 100 + p if up else 100 - p
    start = draw.between(1, 9) * 100
    answer = str(abs(back))
    return Draft(
        question=question if start == 100 else f"At first it is {start}. {question}",
        answer=answer,
        facts={"kind": "undo", "percent": p if up else -p},
        template=f"undo {what} {form} {up}",
        steps=[
            Step(f"From 100 it goes to {new}.", "Take 100 as the old value."),
            Step(
                f"It has to change by {p} of {new}: {p}/{new} × 100 = {answer}.",
                "",
                Slip(f"{p} % back, of course.", f"But {p} % of {new} is {decimal(Fraction(p * new, 100))}, not {p}."),
            ),
        ],
        says=f"It must {other} by {answer} %.",
        given=f"Up and down by the same percentage don't cancel: the second is of {new}.",
        check=f"{new} {'−' if up else '+'} {answer} % of {new} = {new} {'−' if up else '+'} {p} = 100.",
    )


def solve(facts: dict[str, Any]) -> str:
    """As fractions of the whole."""
    kind = facts["kind"]
    if kind == "part":
        share = Fraction(facts["percent"], 100)
        return str((1 - share if facts["rest"] else share) * facts["whole"])
    if kind == "rate":
        return str(Fraction(facts["part"] * 100, facts["whole"]))
    if kind == "whole":
        return str(facts["part"] / Fraction(facts["percent"], 100))
    if kind == "change":
        if facts["new"] is not None:
            return str(abs(Fraction(facts["new"], facts["old"]) * 100 - 100))
        return str(facts["old"] * (1 + Fraction(facts["percent"], 100)))
    if kind == "before":
        return str(facts["new"] / (1 + Fraction(facts["percent"], 100)))
    if kind == "undo":
        factor = 1 + Fraction(facts["percent"], 100)
        return str(abs(1 / factor - 1) * 100)
    value = Fraction(facts["start"])
    for change in facts["changes"]:
        value += value * Fraction(change, 100)
    return str((value / facts["start"] - 1) * 100 if facts["total"] else value)


PIPELINE = Solver(make, solve, knobs="level: parts of wholes, rates, wholes from parts, changes back and in a row")
