"""Stories of several steps: amounts told by one another, put together, then given away, packed, shared, sold, spent or saved.

    Mina picked 24 apples on Monday and half as many on Tuesday. She sold all of them for $2 each …

A story begins in one of sixteen ways and takes up to three turns, each of which needs what came before: wide rather than deep, as
the problems of school books are. `make` writes an equation for each step, `solve` plays the turns through.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._openings import OPENINGS, Opening
from phiforge.data.pipelines.words._story import PARTS, Have, Story, asides, known, told
from phiforge.data.rows import Unfit
from phiforge.data.words import plural

TRIES = 200  # stories begun until one has whole amounts only
_TAKERS = ("a neighbour", "the school", "a cousin", "a friend", "the children's home", "the museum", "a colleague")
_SHARERS = ("friends", "cousins", "children", "classmates", "neighbours", "nieces", "colleagues", "families")
_LOST = ("got lost", "were spoilt", "turned out to be bad", "were stolen", "broke", "got wet and could not be used")
_GOALS = ("a bicycle", "a tent", "a guitar", "a phone", "a desk", "a camera", "a trip to the sea", "a telescope")
_COSTS = ("material", "the stall", "petrol", "lunch", "a present", "the bus", "shoes", "repairs", "a book", "tools")


class Turn(NamedTuple):
    """A turn told in two ways, and asked about in two: "She sold each for $2. How much did she make?" and "If she sells …"."""

    fact: str
    condition: str
    asked: str
    ahead: str
    says: str  # of the result, which stands for {}


def make(draw: Draw, level: int) -> Draft:
    opening, turns = draw.pick(OPENINGS), draw.between(0, min(3, 1 + level))
    for _ in range(TRIES):
        try:
            return _made(Story(draw, level), opening, turns)
        except Unfit:
            continue
    raise Unfit("no story came out whole")


def _made(story: Story, opening: Callable[[Story], Opening], turns: int) -> Draft:
    draw = story.draw
    have, question, says = opening(story)
    names, of = [opening.__name__], have.of
    for left in reversed(range(0 if have.ends else turns)):
        fit, last = (_WITH_THINGS, _LAST_THINGS) if have.of else (_WITH_MONEY, _LAST_MONEY)
        turn = draw.pick([each for each in (fit if left else fit + last) if each.__name__ not in names])
        have, said = turn(story, have)
        names.append(turn.__name__)
        if left == 0 and draw.chance(0.5):
            question = f"If {said.condition}, {said.ahead}?"
        else:
            story.tell(f"{said.fact}.")
            question = f"{said.asked[0].upper()}{said.asked[1:]}?"
        says = said.says
    if len(story.notes) < 2:
        raise Unfit("too short a story")
    extra = asides(draw, 1, have.who, "mtdwa") if draw.chance(0.2) and have.who.they != "they" else []
    return Draft(
        question=told(draw, story.facts, question, extra),
        answer=str(have.n),
        facts={"turns": story.turns, "wanted": have.place},
        template=f"{' '.join(names).replace('_', '')}: {of or 'money'}",
        steps=story.steps,
        says=says.format(have.n if have.of else story.money(have.n)),
        given=known(draw, question, extra),
        metadata={"annotated": "\n".join([*story.notes, f"#### {have.n}"])},
    )


def _gave(story: Story, have: Have) -> tuple[Have, Turn]:
    """A part of the things, or of the money, goes to somebody."""
    k, part, to = (
        *story.draw.pick([(k, part) for k, parts in PARTS.items() for part in parts]),
        story.draw.pick(_TAKERS),
    )
    them, much = (story.draw.pick(("them", f"the {have.of}")), "many") if have.of else ("the money", "much money")
    gone = story.reckon(f"{have.n}/{k}", "What goes away:")
    left = story.reckon(f"{have.n}-{gone}", "What is left:")
    return have._replace(n=left, place=story.turn("part", have.place, k - 1, k, 0)), _left(
        have, f"gave {part} of {them} to {to}", f"give{have.s} {part} of {them} to {to}", much
    )


def _left(have: Have, did: str, does: str, much: str) -> Turn:
    what = f"{much} {have.of}" if have.of else much
    return Turn(
        f"{have.who.They} {did}",
        f"{have.they} {does}",
        f"how {what} {have.do} {have.who} have left",
        f"how {what} will {have.they} have left",
        f"{have.who} {'have' if have.they == 'they' else 'has'} {{}} left.",
    )


def _lost(story: Story, have: Have) -> tuple[Have, Turn]:
    n, how = story.some(), story.draw.pick(_LOST)
    left = story.reckon(f"{have.n}-{n}", "What is left:")
    said = _left(have, "", "", "many")
    return have._replace(n=left, place=story.turn("part", have.place, 1, 1, -n)), said._replace(
        fact=f"{story.number(n).capitalize()} of them {how}", condition=f"{n} of them {how}"
    )


def _got(story: Story, have: Have) -> tuple[Have, Turn]:
    n, by = story.some(20), story.draw.pick(_TAKERS[:1] + _TAKERS[2:4])
    now = story.reckon(f"{have.n}+{n}", "With what comes:")
    return have._replace(n=now, place=story.turn("part", have.place, 1, 1, n)), Turn(
        f"{by.capitalize()} gave {have.who.them} {n} more", f"{by} gives {have.who.them} {n} more",
        f"how many {have.of} {have.do} {have.who} have now", f"how many {have.of} will {have.they} have", f"Now it is {{}} {have.of}.",
    )  # fmt: skip


def _sold(story: Story, have: Have) -> tuple[Have, Turn]:
    """All of it is sold, by the piece or by the box."""
    price, place, n, each = story.draw.between(2, 12), have.place, have.n, "each of them"
    boxed, did, does = have.n > 40 or story.draw.chance(0.3), "", ""
    if boxed:
        hold = story.draw.pick((2, 3, 4, 5, 6, 8, 10, 12))
        n, place = story.then(f"{n}/{hold}", f"{plural(have.box).capitalize()}:", "into", have.place, hold)
        did, does = (f"{verb} them into {plural(have.box)} of {hold} and " for verb in ("put", f"put{have.s}"))
        each = f"each {have.box}"
    made, place = story.then(f"{n}*{price}", "The money:", "times", place, price)
    return have._replace(n=made, place=place, of=""), Turn(
        f"{have.who.They} {did}sold {each} for {story.money(price)}", f"{have.they} {does}sell{have.s} {each} for {story.money(price)}",
        f"how much money did {have.who} make", f"how much money will {have.they} make", f"{have.who} made {{}}.",
    )  # fmt: skip


def _packed(story: Story, have: Have) -> tuple[Have, Turn]:
    hold = story.draw.pick((3, 4, 5, 6, 8, 9, 10, 12))
    boxes, place = story.then(f"{have.n}/{hold}", f"{plural(have.box).capitalize()}:", "into", have.place, hold)
    return have._replace(n=boxes, place=place, of=plural(have.box)), Turn(
        f"{have.who.They} packed {hold} of them into each {have.box}", f"{hold} of them go into each {have.box}",
        f"how many {plural(have.box)} did {have.who} fill", f"how many {plural(have.box)} will {have.they} need", f"It takes {{}} {plural(have.box)}.",
    )  # fmt: skip


def _dealt(story: Story, have: Have) -> tuple[Have, Turn]:
    """Shared alike, things or money."""
    n, whom = story.draw.between(2, 9), story.draw.pick(_SHARERS)
    each, place = story.then(f"{have.n}/{n}", "For each:", "split", have.place, n)
    what, it = (f"many {have.of}", "all of them") if have.of else ("much", "the money")
    return have._replace(n=each, place=place), Turn(
        f"{have.who.They} shared {it} equally among {story.number(n)} {whom}", f"{have.they} share{have.s} {it} equally among {n} {whom}",
        f"how {what} did each of the {whom} get", f"how {what} will each of them get", "Each gets {}.",
    )  # fmt: skip


def _spent(story: Story, have: Have) -> tuple[Have, Turn]:
    n, what = story.some(30), story.draw.pick(_COSTS)
    left = story.reckon(f"{have.n}-{n}", "What is left:")
    return have._replace(n=left, place=story.turn("part", have.place, 1, 1, -n)), _left(
        have, f"spent {story.money(n)} on {what}", f"spend{have.s} {story.money(n)} on {what}", "much money"
    )


def _taxed(story: Story, have: Have) -> tuple[Have, Turn]:
    percent, what = story.draw.pick((10, 20, 25, 30, 40)), story.draw.pick(_COSTS)
    paid = story.reckon(f"{have.n}*{percent}/100", f"{percent}% of it:")
    left = story.reckon(f"{have.n}-{paid}", "What is left:")
    return have._replace(n=left, place=story.turn("part", have.place, 100 - percent, 100, 0)), _left(
        have,
        f"used {percent}% of the money for {what}",
        f"use{have.s} {percent}% of the money for {what}",
        "much money",
    )


def _had(story: Story, have: Have) -> tuple[Have, Turn]:
    n = story.some(60)
    now = story.reckon(f"{have.n}+{n}", "Together with that:")
    return have._replace(n=now, place=story.turn("part", have.place, 1, 1, n)), Turn(
        f"Before that, {have.they} already had {story.money(n)}", f"{have.they} had {story.money(n)} before",
        f"how much money {have.do} {have.who} have now", f"how much money {have.do} {have.they} have now", "Now it is {}.",
    )  # fmt: skip


def _missing(story: Story, have: Have) -> tuple[Have, Turn]:
    goal, cost = story.draw.pick(_GOALS), have.n + story.some(80)
    lack = story.reckon(f"{cost}-{have.n}", "What is missing:")
    place = story.turn("less", story.turn("is", cost), have.place)
    return have._replace(n=lack, place=place), Turn(
        f"{have.who.They} want{have.s} to buy {goal} for {story.money(cost)}", f"{have.they} want{have.s} {goal} that costs {story.money(cost)}",
        f"how much more money {have.do} {have.who} need", f"how much more {have.do} {have.they} need", "{} more is needed.",
    )  # fmt: skip


_WITH_THINGS, _LAST_THINGS = (_gave, _lost, _got, _sold), (_packed, _dealt)
_WITH_MONEY, _LAST_MONEY = (_gave, _spent, _taxed, _had), (_missing, _dealt)


def solve(facts: dict[str, Any]) -> str:
    """The turns, played one after the other."""
    amounts: list[Fraction] = []
    for what, first, *rest in facts["turns"]:
        if what == "is":
            amounts.append(Fraction(first))
        elif what == "sum":
            amounts.append(sum((amounts[i] for i in first), Fraction()))
        elif what == "less":
            amounts.append(amounts[first] - amounts[rest[0]])
        elif what == "times":
            amounts.append(sum((amounts[first] for _ in range(rest[0])), Fraction()))
        elif what == "part":
            times, of, plus = rest
            amounts.append(amounts[first] * times / of + plus)
        elif what == "per":
            amounts.append(amounts[first] / amounts[rest[0]])
        else:  # "split" between so many, or "into" boxes of so many: one, or a box, at a time
            left, dealt = amounts[first], 0
            while left >= rest[0]:
                left, dealt = left - rest[0], dealt + 1
            amounts.append(dealt + left / rest[0])
    return str(amounts[facts["wanted"]])


PIPELINE = Solver(make, solve, knobs="level: how large numbers are, and up to how many turns a story takes")
