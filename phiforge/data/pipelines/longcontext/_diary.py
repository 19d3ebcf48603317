"""Long documents of small events: who took what, how much of it, from where to where, on which day; with asides between.

An event is [day, person, number, thing, from, to]; the document tells it in one of many sentences, and `read` finds every
event again in the text with patterns of its own.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.words import PEOPLE, count

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
THINGS = ("crate of pears", "box of tiles", "sack of flour", "roll of cloth", "barrel of oil", "case of books", "bag of cement",
          "tray of seedlings", "bundle of cable", "drum of paint", "pallet of bricks", "tin of varnish")  # fmt: skip
PLACES = ("Aldervik", "Bramley", "Castor", "Dunmore", "Elmstead", "Farrow", "Glenholt", "Harwick", "Innisfall", "Juniper Hill",
          "Kelmore", "Lorne", "Marwood", "Northam", "Oakley", "Pinefield")  # fmt: skip
_FORMS = (
    "On {date}, {who} took {load} from {start} to {end}.",
    "{who} brought {load} from {start} to {end} on {date}.",
    "On {date} it was {who} who drove {load} from {start} to {end}.",
    "The book says for {date}: {who}, {load}, from {start} to {end}.",
    "{date}: {who} left {start} with {load} and unloaded in {end}.",
    "With {load} on board, {who} went from {start} to {end} on {date}.",
)
_ASIDES = (
    "It rained for most of the {part}, and the yard was slow to dry.",
    "The scales by the gate were checked and found to be right.",
    "{who} complained about the lights in the hall again.",
    "A new lock was fitted to the side door.",
    "The kettle broke in the {part}, to general regret.",
    "Nobody could find the ledger until {who} looked under the bench.",
    "A wagon of the neighbours blocked the road for an hour in the {part}.",
    "{who} was late because of the ferry.",
    "The cat of the office had kittens, three of them grey.",
    "There was talk of painting the gate, but no decision.",
    "The telephone was out of order in the {part}.",
    "{who} and {other} spent the {part} mending tarpaulins.",
    "A letter from the insurer came and was put aside.",
    "The {part} was so foggy that the lamps stayed on.",
    "{other} told {who} a long story about a bridge.",
    "Fresh gravel was laid in front of the shed.",
)


class Event(NamedTuple):
    """One delivery. `day` counts from 1 January of a year without 29 February."""

    day: int
    who: str
    n: int
    thing: str
    start: str
    end: str


_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS = [(number, month) for month, length in zip(MONTHS, _LENGTHS, strict=True) for number in range(1, length + 1)]
_DAY_OF = {f"{number} {month}": day for day, (number, month) in enumerate(_DAYS, 1)}


def date(day: int) -> str:
    """The date of a day: 1 is "1 January"."""
    number, month = _DAYS[day - 1]
    return f"{number} {month}"


def write(draw: Draw, events: list[Event], asides: int) -> str:
    """The document: every event in a sentence, in order of days, and so many asides between them, in paragraphs."""
    told: list[str] = []
    for event in events:
        thing, of, rest = event.thing.partition(" of ")
        load = f"{count(event.n, thing)}{of}{rest}"
        told.append(
            draw.pick(_FORMS).format(date=date(event.day), who=event.who, load=load, start=event.start, end=event.end)
        )
    gaps = sorted(draw.between(0, len(events)) for _ in range(asides))
    for gap in reversed(gaps):
        who, other = draw.sample(PEOPLE, 2)
        told.insert(
            gap, draw.pick(_ASIDES).format(who=who, other=other, part=draw.pick(("morning", "afternoon", "evening")))
        )
    paragraphs: list[str] = []
    while told:
        size = draw.between(3, 6)
        paragraphs.append(" ".join(told[:size]))
        told = told[size:]
    return "\n\n".join(paragraphs)


def events(draw: Draw, n: int, people: int, things: int, places: int) -> list[Event]:
    """`n` deliveries in order of days, among so many people, things and places; no two on one day by one person."""
    who = [person.name for person in draw.sample(PEOPLE, people)]
    what, where = draw.sample(THINGS, things), draw.sample(PLACES, places)
    first = draw.between(1, 365 - 2 * n)
    days = sorted(draw.sample(range(first, first + 2 * n), n))
    made: list[Event] = []
    for day in days:
        start, end = draw.sample(where, 2)
        made.append(Event(day, draw.pick(who), draw.between(2, 60), draw.pick(what), start, end))
    return made


_DATE = r"(?P<date>\d{1,2} (?:" + "|".join(MONTHS) + r"))"
_LOAD = r"(?P<n>\d+) (?P<thing>[a-z]+ of [a-z]+)"
_WHO = r"(?P<who>[A-Z][a-z]+)"
_START, _END = r"(?P<start>[A-Z][a-z]+(?: Hill)?)", r"(?P<end>[A-Z][a-z]+(?: Hill)?)"
_READ = [
    re.compile(form.format(date=_DATE, who=_WHO, load=_LOAD, start=_START, end=_END).replace(".", r"\.") + "$")
    for form in _FORMS
]
_SINGULAR: dict[str, str] = {
    re.sub(r"^(\w+)", lambda m: {"box": "boxes"}.get(m[1], m[1] + "s"), thing): thing for thing in THINGS
}


def read(text: str) -> list[Event]:
    """The events that a document tells."""
    found: list[Event] = []
    for sentence in re.split(r"(?<=\.)\s+", text):
        match: Any = next((m for pattern in _READ if (m := pattern.match(sentence))), None)
        if match:
            thing = _SINGULAR[match["thing"]]
            found.append(
                Event(_DAY_OF[match["date"]], match["who"], int(match["n"]), thing, match["start"], match["end"])
            )
    return found
