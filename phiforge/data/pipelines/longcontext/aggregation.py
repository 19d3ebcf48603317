"""Totals over a long document: how much of a thing, how many trips, who carried the most, what is left at a place.

`make` sums over its own list of deliveries; `solve` reads them out of the text again.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.longcontext._diary import MONTHS, Event, date, events, read, write
from phiforge.data.rows import Unfit
from phiforge.data.words import plural

_ASKS = {
    "thing": ("How many {things} were carried in all?", "Add up all {things} in these notes. How many are there?", "What is the total number of {things}?"),
    "trips": ("How many trips did {who} make?", "Count the trips of {who}.", "On how many days does {who} appear as the driver?"),
    "into": ("How many {things} were unloaded in {place}?", "What number of {things} arrived in {place} in all?", "Add up the {things} that were brought to {place}."),
    "most": ("Who carried the most {things} in all?", "Add up the {things} of every driver: whose total is the largest?", "Which driver moved the largest number of {things}?"),
    "month": ("How many trips were there in {month}?", "Count the deliveries of {month}.", "How many of the trips took place in {month}?"),
    "balance": ("By how much do the {things} unloaded in {place} exceed those taken from there? (If fewer were unloaded, give a negative number.)", "In {place}, how many {things} came in, minus how many went out?", "What is the balance of {things} in {place}: arrivals minus departures?"),
    "places": ("To how many different places did {who} carry something?", "How many different destinations does {who} have?", "Count the different places in which {who} unloaded."),
}  # fmt: skip
_FROM = {"trips": 1, "thing": 1, "into": 2, "month": 2, "places": 3, "most": 3, "balance": 4}
_LEADS = (
    "Here are the notes of a carrier's office.",
    "Read these notes.",
    "The following is from a carrier's logbook.",
    "A document:",
)


def make(draw: Draw, level: int) -> Draft:
    n = (6, 12, 20, 32, 48)[level - 1]
    made = events(draw, n, people=2 + level, things=2 + level // 2, places=3 + level)
    kind = draw.pick([kind for kind, least in _FROM.items() if least <= level])
    target = draw.pick(made)
    thing, of, rest = target.thing.partition(" of ")
    things = f"{plural(thing)}{of}{rest}"
    month = date(target.day).split()[1]
    place = target.end
    some = [event for event in made if _counts(event, kind, target, place, month)]
    if kind == "most":
        totals = _by_driver(some)
        ranked = sorted(totals.values())
        if len(ranked) < 2 or ranked[-1] == ranked[-2]:
            raise Unfit
    steps, answer, says, check = _work(kind, some, target, things, place, month)
    form = draw.between(0, 2)
    ask = _ASKS[kind][form].format(who=target.who, things=things, place=place, month=month)
    document = write(draw, made, asides=n // 2)
    return Draft(
        question=f"{draw.pick(_LEADS)}\n\n{document}\n\n{ask}",
        answer=answer,
        facts={
            "kind": kind,
            "who": target.who,
            "thing": target.thing,
            "place": place,
            "month": month,
            "document": document,
        },
        template=f"{kind} {form}",
        steps=steps,
        says=says,
        given=f"The question: {ask} I go through the notes from the top.",
        check=check,
        verifier="choice" if kind == "most" else "math",
    )


def _counts(event: Event, kind: str, target: Event, place: str, month: str) -> bool:
    if kind in ("trips", "places"):
        return event.who == target.who
    if kind == "month":
        return date(event.day).endswith(month)
    if event.thing != target.thing:
        return False
    return {"into": event.end == place, "balance": place in (event.start, event.end)}.get(kind, True)


def _by_driver(some: list[Event]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for event in some:
        totals[event.who] = totals.get(event.who, 0) + event.n
    return totals


def _work(
    kind: str, some: list[Event], target: Event, things: str, place: str, month: str
) -> tuple[list[Step], str, str, str]:
    """Steps, answer, closing sentence and check."""
    numbers = [event.n for event in some]
    added = (
        f"{' + '.join(map(str, numbers))} = {sum(numbers)}"
        if len(numbers) > 1
        else f"There is only one such trip, with {numbers[0]}"
    )
    where = f" to {place}" if kind == "into" else ""
    listing = "; ".join(f"{date(event.day)}, {event.who}: {event.n}" for event in some)
    backwards = f"From the end back, {' + '.join(map(str, reversed(numbers)))} is {sum(numbers)} as well."
    if kind in ("thing", "into"):
        steps = [Step(f"Trips with {things}{where}: {listing}.", "I note every one that counts."), Step(f"{added}.")]
        return steps, str(sum(numbers)), f"In all, {sum(numbers)} {things}.", backwards
    if kind in ("trips", "month"):
        days = ", ".join(date(event.day) for event in some)
        what = f"{target.who}'s trips" if kind == "trips" else f"The trips of {month}"
        steps = [Step(f"{what}: {days}.", "I write down their dates."), Step(f"That makes {len(some)}.")]
        return (
            steps,
            str(len(some)),
            f"There are {len(some)}.",
            f"Counted in pairs: {len(some) // 2} pairs and {len(some) % 2} over, {len(some)}.",
        )
    if kind == "places":
        ends = [event.end for event in some]
        different = sorted(set(ends))
        slip = (
            Slip(f"That makes {len(ends)} places.", "Some are named more than once, and count once.")
            if len(different) < len(ends)
            else None
        )
        steps = [Step(f"{target.who} unloads in {', '.join(ends)}.", "In the order of the notes."), Step(f"Different ones: {', '.join(different)}. That makes {len(different)}.", "", slip)]  # fmt: skip
        return (
            steps,
            str(len(different)),
            f"{target.who} unloads in {len(different)} different places.",
            f"{len(ends)} trips with {len(ends) - len(different)} repeated: {len(different)}.",
        )
    if kind == "most":
        totals = _by_driver(some)
        parts = {who: [event.n for event in some if event.who == who] for who in totals}
        steps = [
            Step(f"{who}: {' + '.join(map(str, each))} = {sum(each)}." if len(each) > 1 else f"{who}: {each[0]}.")
            for who, each in parts.items()
        ]
        best = max(totals, key=lambda who: totals[who])
        steps.append(Step(f"The largest is {totals[best]}, for {best}."))
        return (
            steps,
            best,
            f"{best} carried the most {things}: {totals[best]}.",
            f"Together that is {sum(numbers)}, the same as going through all trips with {things}.",
        )
    came = [event.n for event in some if event.end == place]
    went = [event.n for event in some if event.start == place]
    steps = [
        Step(
            f"Into {place}: {' + '.join(map(str, came)) or 0}{f' = {sum(came)}' if len(came) > 1 else ''}.",
            f"Only trips with {things} count.",
        ),
        Step(f"Out of {place}: {' + '.join(map(str, went)) or 0}{f' = {sum(went)}' if len(went) > 1 else ''}."),
        Step(f"{sum(came)} − {sum(went)} = {sum(came) - sum(went)}."),
    ]
    balance = sum(came) - sum(went)
    return steps, str(balance), f"The balance is {balance}.", f"{sum(went)} + ({balance}) = {sum(came)}."


def solve(facts: dict[str, Any]) -> str:
    """Go through what the text tells, with one running total."""
    told, kind = read(facts["document"]), facts["kind"]
    total, seen, by = 0, set[str](), dict[str, int]()
    for day, who, n, thing, start, end in told:
        same = thing == facts["thing"]
        if kind == "trips":
            total += who == facts["who"]
        elif kind == "month":
            total += MONTHS.index(date(day).split()[1]) == MONTHS.index(facts["month"])
        elif kind == "places":
            seen |= {end} if who == facts["who"] else set()
        elif kind == "balance" and same:
            total += n * ((end == facts["place"]) - (start == facts["place"]))
        elif (kind == "thing" and same) or (kind == "into" and same and end == facts["place"]):
            total += n
        elif kind == "most" and same:
            by[who] = by.get(who, 0) + n
    if kind == "most":
        return sorted(by, key=lambda who: -by[who])[0]
    return str(len(seen) if kind == "places" else total)


PIPELINE = Solver(
    make, solve, knobs="level: 6 to 48 deliveries; counts, then sums, then totals by driver and balances"
)
