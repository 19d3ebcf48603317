"""Single facts in a long document: one delivery among many like it, the first, the last, or the one before another.

`make` picks the delivery and asks so that only it fits; `solve` reads every delivery out of the text and searches.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.longcontext._diary import Event, date, events, read, write
from phiforge.data.rows import Unfit
from phiforge.data.words import plural

_WANTED = ("n", "thing", "start", "end", "who", "date")
_ASKS = {
    "n": (
        "How many {things} did {who} carry on {date}?",
        "What number of {things} was on board when {who} drove on {date}?",
    ),
    "thing": ("What did {who} carry on {date}?", "Which goods did {who} transport on {date}?"),
    "start": ("Where did {who} start on {date}?", "From which place did {who} come on {date}?"),
    "end": ("Where did {who} unload on {date}?", "To which place did {who} go on {date}?"),
    "who": (
        "Who carried {n} {things} from {start} to {end}?",
        "Which person drove from {start} to {end} with {n} {things}?",
    ),
    "date": (
        "On which date did {who} carry {things} from {start} to {end}?",
        "When did {things} leave {start} for {end} with {who}?",
    ),
}
_ORDERED = {
    "first": ("Where did {who} unload on the first of all trips?", "To which place did {who} make the first trip that is told?"),
    "last": ("Where did {who} unload on the last of all trips?", "What was the destination of {who}'s last trip in this document?"),
    "after": ("Where did {who} unload on the trip that came right after the one of {date}?", "{who} drove on {date}. To which place did the next trip of {who} go?"),
    "before": ("Where did {who} unload on the trip just before the one of {date}?", "Think of {who}'s trip on {date}: to which place had {who} gone the time before?"),
}  # fmt: skip
_LEADS = (
    "Here are the notes of a carrier's office.",
    "Read these notes.",
    "The following is from a carrier's logbook.",
    "A document:",
)


def make(draw: Draw, level: int) -> Draft:
    n = (8, 16, 30, 50, 80)[level - 1]
    made = events(draw, n, people=3 + level, things=3 + level // 2, places=4 + level)
    document = write(draw, made, asides=n // 2)
    ordered = level >= 3 and draw.chance(0.5)
    index = draw.between(0, n - 1)
    target = made[index]
    mine = [event for event in made if event.who == target.who]
    if ordered:
        if len(mine) < 3:
            raise Unfit
        kind = draw.pick(tuple(_ORDERED))
        position = {"first": 0, "last": len(mine) - 1}.get(kind, draw.between(1, len(mine) - 2))
        named = mine[position]
        found = mine[position + {"after": 1, "before": -1}.get(kind, 0)]
        form = draw.between(0, 1)
        ask = _ORDERED[kind][form].format(who=target.who, date=date(named.day))
        facts: dict[str, Any] = {"who": target.who, "kind": kind, "day": named.day}
        answer = found.end
        steps = [
            Step(f"{target.who}'s trips are on {_dates(mine)}.", f"I collect the trips of {target.who} in order."),
            Step(f"The one asked for is of {date(found.day)}.", {"first": "The first is wanted.", "last": "The last is wanted."}.get(kind, f"It is the one {kind} {date(named.day)}.")),
            Step(f"It goes to {found.end}.", "", Slip(f"It goes to {found.start}.", "That is where it starts.")),
        ]  # fmt: skip
    else:
        kind = draw.pick(_WANTED[: 3 + level])
        form = draw.between(0, 1)
        alike = [e for e in made if e != target and _fits(e, target, kind)]
        if alike:
            raise Unfit
        thing, of, rest = target.thing.partition(" of ")
        words = {"who": target.who, "date": date(target.day), "n": target.n, "start": target.start, "end": target.end}
        ask = _ASKS[kind][form].format(**words, things=f"{plural(thing)}{of}{rest}")
        facts = {"kind": kind, "event": list(target)}
        found = target
        answer = date(target.day) if kind == "date" else str(getattr(target, kind))
        if kind == "thing":
            answer = f"{plural(thing)}{of}{rest}"
        others = [e for e in mine if e != target][:2]
        slip = (
            Slip(
                f"{target.who} drove on {date(others[0].day)}, from {others[0].start} to {others[0].end}.",
                "That is another trip.",
            )
            if others and kind not in ("who", "date")
            else None
        )
        steps = [
            Step(f"The passage that fits is of {date(target.day)}: {target.who}, {target.n} {plural(thing)}{of}{rest}, {target.start} to {target.end}.", "I look for the one passage with all that the question names.", slip),
        ]  # fmt: skip
    return Draft(
        question=f"{draw.pick(_LEADS)}\n\n{document}\n\n{ask}",
        answer=answer,
        facts={**facts, "document": document},
        template=f"{kind} {form}",
        steps=steps,
        says=f"{_sentence(found)}",
        given=f"The question: {ask}",
        check=f"No other passage fits, and this one says: {_sentence(found)}",
        verifier="choice",
        verifier_args={"aliases": [answer.split()[0]]} if kind == "thing" else {},
    )


def _fits(event: Event, target: Event, kind: str) -> bool:
    if kind == "who":
        return event[2:] == target[2:]
    if kind == "date":
        return (event.who, event.thing, event.start, event.end) == (target.who, target.thing, target.start, target.end)
    return (event.who, event.day) == (target.who, target.day)


def _dates(some: list[Event]) -> str:
    return ", ".join(date(event.day) for event in some)


def _sentence(event: Event) -> str:
    thing, of, rest = event.thing.partition(" of ")
    return f"On {date(event.day)}, {event.who} carried {event.n} {plural(thing)}{of}{rest} from {event.start} to {event.end}."


def solve(facts: dict[str, Any]) -> str:
    """Search what the text tells."""
    told, kind = read(facts["document"]), facts["kind"]
    if kind in _ORDERED:
        days = sorted(event.day for event in told if event.who == facts["who"])
        here = days.index(facts["day"])
        day = days[{"first": 0, "last": -1, "after": here + 1, "before": here - 1}[kind]]
        return next(event.end for event in told if event.who == facts["who"] and event.day == day)
    known = Event(*facts["event"])
    hidden = {"thing": 3, "n": 2, "start": 4, "end": 5, "who": 1, "date": 0}[kind]
    fits = [
        event
        for event in told
        if all(a == b for i, (a, b) in enumerate(zip(event, known, strict=True)) if i != hidden)
    ]
    assert len(fits) == 1
    value = fits[0][hidden]
    if kind == "date":
        return date(fits[0].day)
    if kind == "thing":
        first, of, rest = fits[0].thing.partition(" of ")
        return f"{plural(first)}{of}{rest}"
    return str(value)


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 8 to 80 deliveries among more and more alike; from level 3 by their order",
    verifier="choice",
)
