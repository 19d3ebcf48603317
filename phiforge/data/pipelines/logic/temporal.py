"""Time: the order of events, what may come before what, clock times and durations, intervals and how they lie, weekdays.

`make` follows chains and the clock; `solve` tries all orders, marks every minute, or counts days one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, permutations
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import WEEKDAYS, clock, count, counted_days, listed, on_the_clock, past_weeks, people

_STORIES = (
    ("the history of a town", "the bridge was built;the mill burned down;the school opened;the river flooded;the town got its wall;the market moved;the church lost its tower;the railway came;the theatre closed"),
    ("a long voyage", "the mast broke;the cook fell ill;land was sighted;the crew ran out of bread;the storm came;the compass was lost;a whale was seen;the sails were mended;the captain shaved"),
    ("a day in a laboratory", "the pump was started;the sample was cooled;the lamp failed;the log was signed;the valve was opened;the alarm rang;the guests arrived;the scale was set to zero;the door was locked"),
    ("a software project", "the server moved;the tests were rewritten;the logo changed;the database grew too large;the first user paid;the office closed;the app was translated;the bug was found;the licence changed"),
    ("a family's year", "the house was painted;the twins were born;the old car was sold;the dog ran away;the roof leaked;the garden was planted;the piano arrived;the cousins visited;the shed was built"),
    ("an expedition", "the tent tore;the glacier was crossed;the radio fell silent;the summit was reached;a camp was built;the guide turned back;the food was divided;the fog came;the maps got wet"),
    ("a theatre season", "the director left;the comedy opened;the stage was rebuilt;the prize was won;the lead actor fell ill;the strike began;the opera was cancelled;the new lights came;the play moved to another house"),
    ("a film", "the letter is burned;the train departs;the thief is seen;the duel takes place;the key is found;the king returns;the bridge falls;the child speaks;the clock stops"),
)  # fmt: skip
_DOINGS = ("a walk", "a phone call", "a swim", "a nap", "a piano lesson", "a meeting", "a bath", "a bus ride", "a game of chess", "a visit to the dentist", "a rehearsal", "a bicycle ride", "a talk", "a shift in the shop", "a yoga class", "a fitting at the tailor's")  # fmt: skip
_ALLEN = {
    "before": "ends before the other begins",
    "meets": "ends exactly when the other begins",
    "overlaps": "begins first, and they overlap without one containing the other",
    "during": "lies inside the other",
    "contains": "contains the other",
    "starts": "begins at the same time but ends earlier",
    "finishes": "ends at the same time but begins later",
    "after": "begins after the other has ended",
}


def make(draw: Draw, level: int) -> Draft:
    kinds: tuple[tuple[Callable[[Draw, int], Draft], ...], ...] = (
        (_order, _clock, _weekday),
        (_order, _clock, _weekday, _overlap, _relation),
        (_order, _may, _clock, _weekday, _overlap, _relation),
        (_order, _may, _clock, _weekday, _overlap, _together),
        (_order, _may, _clock, _weekday, _overlap, _together),
    )
    return draw.pick(kinds[level - 1])(draw, level)


# --- order -----------------------------------------------------------------------------------------------------------


def _events(draw: Draw, n: int) -> tuple[str, list[str]]:
    title, events = _STORIES[draw.between(0, len(_STORIES) - 1)]
    return title, draw.sample(events.split(";"), n)


def _link(draw: Draw, a: str, b: str) -> str:
    """That `a` came before `b`."""
    return draw.pick((f"{a[0].upper()}{a[1:]} before {b}.", f"{b[0].upper()}{b[1:]} after {a}.", f"Only later than “{a}” came “{b}”.", f"First {a}, and at some time after that {b}."))  # fmt: skip


def _order(draw: Draw, level: int) -> Draft:
    """Events in one order, told by neighbours and more."""
    n = (3, 4, 4, 5, 6)[level - 1]
    title, events = _events(draw, n)
    order = draw.shuffled(events)
    pairs = [[order[i], order[i + 1]] for i in range(n - 1)]
    spare = [sorted(draw.sample(range(n), 2)) for _ in range(level // 2)]
    extra = [[order[i], order[j]] for i, j in spare if j > i + 1]
    links = draw.shuffled(pairs + [pair for i, pair in enumerate(extra) if pair not in extra[:i]])
    told = [_link(draw, *pair) for pair in links]
    steps = [Step("; ".join(f"“{a}”, then “{b}”" for a, b in links) + ".", "Put all sentences the same way round.")]
    later = [b for _, b in pairs]
    named = _named_first(" ".join(told), events)
    slip = Slip(f"The first that is mentioned is “{named}”, so begin with it.", "Something may have come before it.") if named != order[0] else None  # fmt: skip
    steps.append(Step(f"Nothing is said to come before “{order[0]}”, so it is first.", f"Of {len(later)} events it is said that something came before them." if len(later) > 1 else "", slip))  # fmt: skip
    for a, b in pairs:
        steps.append(Step(f"Then “{b}”.", f"“{a}” comes before “{b}”, and nothing that is left comes between."))
    ask = draw.pick(("first", "last", "nth", "between", "next"))
    verifier, about = "choice", list[Any]()
    if ask in ("first", "last"):
        answer = order[0] if ask == "first" else order[-1]
        question = f"What happened {ask}?"
    elif ask == "nth":
        k = draw.between(1, n - 2)
        about, answer = [k], order[k]
        question = f"What was the {('second', 'third', 'fourth', 'fifth')[k - 1]} of these events in time?"
    elif ask == "next":
        k = draw.between(0, n - 2)
        about, answer = [order[k]], order[k + 1]
        question = f"Of these events, what happened next after “{order[k]}”?"
    else:
        a, b = sorted(draw.sample(range(n), 2))
        about, answer, verifier = [order[a], order[b]], str(b - a - 1), "math"
        question = f"How many of these events happened between “{order[a]}” and “{order[b]}”?"
        steps.append(Step(f"Between them there {'is' if b - a - 1 == 1 else 'are'} {b - a - 1 or 'none'}."))
    form = draw.between(0, 2)
    intro = (f"Some events from {title}.", f"About {title}, this is known.", f"These sentences tell of {title}; no two events happened at once.")[form]  # fmt: skip
    options = events if verifier == "choice" else []
    listing = f" (The events are: {'; '.join(draw.shuffled(events))}.)" if draw.chance(0.5) else ""
    return Draft(
        question=f"{intro} {' '.join(told)}{listing} {question}" + (" Answer with the event." if options else ""),
        answer=answer,
        facts={"kind": "order", "events": events, "pairs": pairs + extra, "ask": ask, "about": about},
        template=f"order {ask} {title} {form}",
        steps=steps,
        says=f"It is “{answer}”." if options else f"The number is {answer}.",
        given=f"There are {n} events to be put in order.",
        check=f"In the order {', '.join(f'“{e}”' for e in order)} every sentence is true.",
        verifier=verifier,
    )


def _named_first(text: str, events: list[str]) -> str:
    lower = text.lower()
    return min(events, key=lambda event: lower.find(event.lower()))


def _may(draw: Draw, level: int) -> Draft:
    """A partial order: must, may or can't one event come before another?"""
    n = 3 + level - draw.between(0, 1)
    title, events = _events(draw, n)
    order = draw.shuffled(events)
    pairs: list[list[str]] = []
    for j in range(1, n):
        for i in draw.sample(range(j), 1 if draw.chance(0.75) else min(2, j)):
            if j < 3 or draw.chance(0.85):
                pairs.append([order[i], order[j]])
    order = [event for event in order if any(event in pair for pair in pairs)]
    events = draw.shuffled(order)
    a, b = draw.sample(events, 2)
    chain = _chain(pairs, a, b)
    back = _chain(pairs, b, a)
    for _ in range(6):
        if len(chain) > 2 or len(back) > 2 or (not chain and not back and draw.chance(0.5)):
            break
        a, b = draw.sample(events, 2)
        chain, back = _chain(pairs, a, b), _chain(pairs, b, a)
    answer = "certain" if chain else "impossible" if back else "possible"
    told = [_link(draw, *pair) for pair in draw.shuffled(pairs)]
    if chain or back:
        way = chain or back
        steps = [Step(f"“{x}” came before “{y}”.", "Follow the chain." if i == 0 else "") for i, (x, y) in enumerate(pairwise(way))]  # fmt: skip
        if len(way) > 2:
            steps.append(Step(f"So “{way[0]}” came before “{way[-1]}”.", "Earlier than something earlier is earlier still."))  # fmt: skip
        if back:
            steps.append(Step("The claim says the opposite, so it is impossible.", "", Slip("So the claim is certain.", f"It is about “{a}” being earlier, and the chain goes the other way.")))  # fmt: skip
        else:
            steps.append(Step("That is the claim, so it is certain."))
        check = f"The chain is {', '.join(f'“{e}”' for e in way)}, each before the next."
    else:
        named = _named_first(" ".join(told), [a, b])
        one, other = _placed(order, pairs, a, b), _placed(order, pairs, b, a)
        steps = [
            Step(f"No chain of sentences leads from “{a}” to “{b}” or back.", "Look for a chain.", Slip(f"“{named}” is told of first, so it came first.", "The order of the sentences says nothing.")),
            Step(f"This would fit: {', '.join(f'“{e}”' for e in one)}.", "Try it with the claim true."),
            Step(f"And so would this: {', '.join(f'“{e}”' for e in other)}.", "And with the claim false."),
        ]  # fmt: skip
        check = "Both orders agree with every sentence, and they differ in the claim."
    form = draw.between(0, 2)
    question = (
        f"About {title}, only this is known. {' '.join(told)} No two of these happened at once. “{a}” came before “{b}”: is that certain, possible or impossible?",
        f"{' '.join(told)} All that is from {title}, and each event had its own time. Is it certain, possible or impossible that “{a}” came earlier than “{b}”?",
        f"Someone reports on {title}: {' '.join(told)} Nothing happened at the same time. Judge the claim that “{a}” was earlier than “{b}”, with one of the words certain, possible, impossible.",
    )[form]
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "may", "events": events, "pairs": pairs, "claim": [a, b]},
        template=f"may {answer} {title} {form}",
        steps=steps,
        says=f"It is {answer}" + (", but not certain." if answer == "possible" else "."),
        given=f"The claim is that “{a}” came before “{b}”.",
        check=check,
        verifier="choice",
    )


def _chain(pairs: list[list[str]], start: str, goal: str) -> list[str]:
    """A way from an event to a later one, empty where there is none."""
    if start == goal:
        return [goal]
    for a, b in pairs:
        if a == start:
            rest = _chain(pairs, b, goal)
            if rest:
                return [start, *rest]
    return []


def _placed(order: list[str], pairs: list[list[str]], first: str, second: str) -> list[str]:
    """An order that keeps the pairs, with one event before another to which no chain leads."""
    needed = [e for e in order if e == first or _chain(pairs, e, first)]
    return needed + [e for e in order if e not in needed]


# --- clock -----------------------------------------------------------------------------------------------------------


def _minutes(n: int) -> str:
    hours, rest = divmod(n, 60)
    parts = ([count(hours, "hour")] if hours else []) + ([count(rest, "minute")] if rest or not hours else [])
    return " and ".join(parts)


def _clock(draw: Draw, level: int) -> Draft:
    """One thing after another, each with a length or a gap; a time is asked for, forwards or backwards."""
    who = people(draw, 1)[0]
    n = level + draw.between(0, 1) + 1
    step = draw.pick((5, 10, 15)) if level < 4 else draw.pick((1, 5))
    begin = 60 * draw.between(5, 20) + step * draw.between(0, 60 // step - 1)
    doings = draw.sample(_DOINGS, n)
    parts: list[list[Any]] = []
    told: list[str] = []
    for i, doing in enumerate(doings):
        length = step * draw.between(max(1, 10 // step), 130 // step)
        if i and draw.chance(0.5):
            gap = step * draw.between(1, max(2, 45 // step))
            parts.append(["gap", gap])
            told.append(draw.pick((f"after a break of {_minutes(gap)}", f"{_minutes(gap)} later")))
        elif i:
            told.append(draw.pick(("straight after that", "directly after that")))
        parts.append(["doing", length])
        told.append(f"{doing} of {_minutes(length)}" if draw.chance(0.5) else f"{doing}, which takes {_minutes(length)}")  # fmt: skip
    total = sum(length for _, length in parts)
    end = begin + total
    backwards = level > 1 and draw.chance(0.45)
    text = f"{who} has {told[0]}"
    for part in told[1:]:
        text += f"; {part}" if part[:2] not in ("a ", "a") and (part.startswith(("after", "straight", "directly")) or part.endswith("later")) else f" {part}"  # fmt: skip
    text += "."
    steps: list[Step] = []
    at = end if backwards else begin
    for i, (what, length) in enumerate(reversed(parts) if backwards else parts):
        new = at - length if backwards else at + length
        mark = "−" if backwards else "+"
        why = ("A break." if what == "gap" else "") if i else f"Begin at {'the end' if backwards else 'the start'}, {clock(at)}."  # fmt: skip
        decimal = at // 60 * 100 + at % 60 + (-1 if backwards else 1) * (length // 60 * 100 + length % 60)
        carried = (at % 60 + length % 60 >= 60) if not backwards else (at % 60 < length % 60)
        slip = Slip(f"{clock(at)} {mark} {_minutes(length)} is {decimal // 100}:{decimal % 100:02d}.", "An hour has 60 minutes, not 100.") if carried and decimal > 0 else None  # fmt: skip
        midnight = "That is on the other side of midnight." if new // 1440 != at // 1440 else ""
        steps.append(Step(f"{on_the_clock(at, -length if backwards else length)} {midnight}".strip(), why, slip))
        at = new
    form = draw.between(0, 2)
    if backwards:
        question = (
            f"{text} At {clock(end)} all of it is over. When did {who.they} begin?",
            f"All of this ends at {clock(end)}: {text} At what time does it begin?",
            f"{text} It has to be finished by {clock(end)} sharp. When is the latest time to start?",
        )[form]
        answer, asked = clock(begin), "begin"
    elif draw.chance(0.25):
        question = f"{text} It begins at {clock(begin)} and everything goes as planned until {clock(end)}. How many minutes of that are breaks?"  # fmt: skip
        gaps = [length for what, length in parts if what == "gap"]
        answer, asked = str(sum(gaps)), "breaks"
        busy = [length for what, length in parts if what == "doing"]
        steps = [
            Step(f"From {clock(begin)} to {clock(end)} it is {_minutes(total)}, so {total} minutes."),
            Step(f"{' + '.join(map(str, busy))} = {sum(busy)} minutes are taken up.", "The rest is breaks."),
            Step(f"{total} − {sum(busy)} = {sum(gaps)}."),
        ]
    else:
        question = (
            f"{text} It begins at {clock(begin)}. When is it all over?",
            f"At {clock(begin)} the day begins: {text} At what time does the last thing end?",
            f"{text} If the first begins at {clock(begin)}, when does the last one end?",
        )[form]
        answer, asked = clock(end), "end"
    return Draft(
        question=question + (" Give the time as h:mm on the 24-hour clock." if asked != "breaks" else ""),
        answer=answer,
        facts={"kind": "clock", "parts": parts, "begin": begin, "end": end, "asked": asked},
        template=f"clock {asked} {n} {form} {step}",
        steps=steps,
        says=f"It {'began' if asked == 'begin' else 'ends'} at {answer}." if asked != "breaks" else f"The breaks take {answer} minutes.",
        given=f"{count(len(parts), 'stretch', 'stretches')} of time, one after the other.",
        check=f"All together it is {' + '.join(str(length) for _, length in parts)} = {total} minutes, and {clock(begin)} and {clock(end)} are that far apart.",
        verifier="math" if asked == "breaks" else "choice",
        verifier_args={} if asked == "breaks" else {"aliases": [f"0{answer}"] if len(answer) == 4 else []},
    )  # fmt: skip


# --- intervals -------------------------------------------------------------------------------------------------------


def _span(draw: Draw, step: int) -> tuple[int, int]:
    begin = 480 + step * draw.between(0, 480 // step)
    return begin, begin + step * draw.between(max(1, 20 // step), 240 // step)


def _overlap(draw: Draw, level: int) -> Draft:
    """For how long two or three are there at the same time."""
    n = 2 if level < 4 else 3
    who = [p.name for p in people(draw, n)]
    step = 5 if level < 4 else 1
    spans = [_span(draw, step) for _ in range(n)]
    for _ in range(30):
        if min(b for _, b in spans) > max(a for a, _ in spans) or draw.chance(0.03):
            break
        spans = [_span(draw, step) for _ in range(n)]
    begin, end = max(a for a, _ in spans), min(b for _, b in spans)
    length = max(0, end - begin)
    place = draw.pick(("at the library", "in the office", "at the pool", "at the fair", "in the workshop", "at the gym", "in the café", "at the museum", "in the garden", "at the station", "in the studio", "at the beach"))  # fmt: skip
    told = [draw.pick((f"{name} is {place} from {clock(a)} to {clock(b)}.", f"{name} comes at {clock(a)} and stays for {_minutes(b - a)}.", f"{name} leaves at {clock(b)}, having come at {clock(a)}.", f"{name} is there for {_minutes(b - a)}, until {clock(b)}.")) for name, (a, b) in zip(who, spans, strict=True)]  # fmt: skip
    told[0] = f"{who[0]} is {place} from {clock(spans[0][0])} to {clock(spans[0][1])}."
    together = "both" if n == 2 else "all three"
    steps = [
        Step(f"{name}: {clock(a)} to {clock(b)}.", "Write all as begin and end." if i == 0 else "")
        for i, (name, (a, b)) in enumerate(zip(who, spans, strict=True))
    ]
    last, first = who[[a for a, _ in spans].index(begin)], who[[b for _, b in spans].index(end)]
    steps.append(Step(f"The last to come is {last}, at {clock(begin)}; the first to leave is {first}, at {clock(end)}.", "They are together from the latest beginning to the earliest end."))  # fmt: skip
    if length:
        steps.append(Step(f"From {clock(begin)} to {clock(end)} it is {_minutes(length)}{f', {length} minutes' if length >= 60 else ''}.", "", Slip(f"{end // 60 * 100 + end % 60 - begin // 60 * 100 - begin % 60} minutes.", "Hours and minutes can't be subtracted like plain numbers.") if end % 60 < begin % 60 else None))  # fmt: skip
    else:
        steps.append(Step(f"{clock(end)} is not later than {clock(begin)}, so they are never there together: 0 minutes."))  # fmt: skip
    form = draw.between(0, 2)
    ask = (f"For how many minutes are {together} there at the same time?", f"How many minutes do {listed(who)} spend there together?", f"What is the length, in minutes, of the time when {together} are there?")[form]  # fmt: skip
    return Draft(
        question=f"{' '.join(told)} {ask}",
        answer=str(length),
        facts={"kind": "overlap", "spans": [list(span) for span in spans]},
        template=f"overlap {n} {place} {form}",
        steps=steps,
        says=f"They are there together for {length} minutes.",
        given=f"{n} people; the time that {together} share is wanted.",
        check=f"{clock(begin)} and {clock(end)} lie in {'both' if n == 2 else 'all three'} stays."
        if length
        else f"{first} has gone by {clock(end)}, and {last} comes at {clock(begin)}.",
    )


def _relation(draw: Draw, level: int) -> Draft:
    """How one interval lies to another, as one of four options."""
    kind = draw.pick(list(_ALLEN))
    a, b, c, d = (480 + 15 * k for k in sorted(draw.sample(range(40), 4)))
    one, other = {
        "before": ((a, b), (c, d)), "after": ((c, d), (a, b)), "meets": ((a, b), (b, d)), "overlaps": ((a, c), (b, d)), "during": ((b, c), (a, d)),
        "contains": ((a, d), (b, c)), "starts": ((a, b), (a, d)), "finishes": ((c, d), (a, d)),
    }[kind]  # fmt: skip
    x, y = draw.sample(_DOINGS, 2)
    x, y = x.removeprefix("a "), y.removeprefix("a ")
    wrong = draw.sample([name for name in _ALLEN if name != kind], 3)
    options = draw.shuffled([kind, *wrong])
    texts = [f"The {x} {_ALLEN[name]}." for name in options]
    letter = "ABCD"[options.index(kind)]
    form = draw.between(0, 1)
    question = (
        f"The {x} goes from {clock(one[0])} to {clock(one[1])}, the {y} from {clock(other[0])} to {clock(other[1])}. What is true?",
        f"{people(draw, 1)[0]} notes: {x} {clock(one[0])}–{clock(one[1])}, {y} {clock(other[0])}–{clock(other[1])}. How does the {x} lie to the {y}?",
    )[form]

    def compared(p: int, q: int) -> str:
        return f"{clock(p)} is {'earlier than' if p < q else 'later than' if p > q else 'the same as'} {clock(q)}"

    steps = [
        Step(f"Begins: {compared(one[0], other[0])}.", f"The {x} first, then the {y}."),
        Step(f"Ends: {compared(one[1], other[1])}."),
        Step(f"The end of the first and the beginning of the second: {compared(one[1], other[0])}."),
        Step(f"The beginning of the first and the end of the second: {compared(one[0], other[1])}."),
        Step(f"So the {x} {_ALLEN[kind]}, option {letter}."),
    ]
    return Draft(
        question=f"{question} (“The other” is the {y}.)\n\n" + "\n".join(f"{mark}. {text}" for mark, text in zip("ABCD", texts, strict=True)),
        answer=letter,
        facts={"kind": "relation", "one": list(one), "other": list(other), "options": options},
        template=f"relation {kind} {x} {form}",
        steps=steps,
        says=f"The {x} {_ALLEN[kind]}.",
        given="Four times have to be compared.",
        check=f"Seen from the {y}, it is the same picture: {clock(other[0])} to {clock(other[1])} against {clock(one[0])} to {clock(one[1])}.",
        verifier="choice",
        verifier_args={"options": texts},
    )  # fmt: skip


def _together(draw: Draw, level: int) -> Draft:
    """The most that were there at once, among visitors."""
    n = draw.between(4, 3 + level)
    names = [p.name for p in people(draw, n)]
    spans: list[list[int]] = []
    for _ in names:
        begin = 540 + 10 * draw.between(0, 36)
        spans.append([begin, begin + 10 * draw.between(2, 18)])
    moments = sorted([(b, -1, name) for name, (_, b) in zip(names, spans, strict=True)] + [(a, 1, name) for name, (a, _) in zip(names, spans, strict=True)])  # fmt: skip
    inside, most, when = 0, 0, 0
    steps: list[Step] = []
    for at, change, name in moments:
        inside += change
        steps.append(Step(f"{clock(at)}: {name} {'comes' if change > 0 else 'leaves'}, {inside} inside.", "Go through all comings and goings in order of time." if not steps else ""))  # fmt: skip
        if inside > most:
            most, when = inside, at
    steps.append(Step(f"The largest number is {most}.", "", Slip(f"There are {n} visitors, so {n}.", "They were not all there at once.") if most < n else None))  # fmt: skip
    place = draw.pick(("a small museum", "a chapel", "a bookshop", "a greenhouse", "a sauna", "a reading room", "a tower", "a gallery", "a cave", "an observatory", "a tea room", "a workshop"))  # fmt: skip
    form = draw.between(0, 1)
    told = "; ".join(f"{name} {clock(a)}–{clock(b)}" for name, (a, b) in zip(names, spans, strict=True))
    question = (
        f"The visitors' book of {place} shows: {told}. What is the greatest number of them that were inside at the same time? Somebody who leaves at the moment when another comes is out already.",
        f"These people were in {place}: {told}. How many were there at once, at most? (At the minute when one goes and one comes, count the one who goes as gone.)",
    )[form]
    return Draft(
        question=question,
        answer=str(most),
        facts={"kind": "together", "spans": spans},
        template=f"together {place} {form}",
        steps=steps,
        says=f"At most {most} were there at once.",
        given=f"{n} stays; the number inside changes only when somebody comes or leaves.",
        check=f"At {clock(when)} these are inside: {listed([name for name, (a, b) in zip(names, spans, strict=True) if a <= when < b])}.",
    )


# --- weekdays --------------------------------------------------------------------------------------------------------


def _weekday(draw: Draw, level: int) -> Draft:
    today = draw.between(0, 6)
    event = draw.pick(("the concert", "the exam", "the match", "the delivery", "the wedding", "the dentist", "the flight", "the fair", "the inspection", "the party", "the lecture", "the auction", "the launch", "the reunion"))  # fmt: skip
    who = people(draw, 1)[0]
    hops: list[int] = []
    phrases: list[str] = []
    for _ in range(1 + level // 2):
        far = draw.between(2, 6 + 18 * level)
        option = draw.pick(("after", "before", "tomorrow", "yesterday") if level < 3 else ("after", "before", "after", "before", "week"))  # fmt: skip
        if option == "week":
            weeks = draw.between(2, 9)
            hops.append(7 * weeks + 1)
            phrases.append(f"{count(weeks, 'week')} and one day after")
        elif option in ("tomorrow", "yesterday"):
            hops.append(1 if option == "tomorrow" else -1)
            phrases.append("the day after" if option == "tomorrow" else "the day before")
        else:
            hops.append(far if option == "after" else -far)
            phrases.append(f"{count(far, 'day')} {option}")
    anchor = draw.pick(("today", "tomorrow", "yesterday", "the day after tomorrow", "the day before yesterday"))
    shift = {"today": 0, "tomorrow": 1, "yesterday": -1, "the day after tomorrow": 2, "the day before yesterday": -2}[anchor]  # fmt: skip
    start = (today + shift) % 7
    steps: list[Step] = []
    if shift:
        steps.append(Step(f"Today is {count(abs(shift), 'day')} {'before' if shift > 0 else 'after'} {anchor}. {counted_days(start, -shift)} Today is {WEEKDAYS[today]}.", f"{anchor[0].upper()}{anchor[1:]} is {WEEKDAYS[start]}.", Slip(f"Today is {WEEKDAYS[(start + shift) % 7]}.", "That counts in the wrong direction.")))  # fmt: skip
    day = today
    for hop, phrase in zip(reversed(hops), reversed(phrases), strict=True):
        rest = abs(hop) % 7
        new = (day + hop) % 7
        weeks = f"{past_weeks(abs(hop))} " if abs(hop) > 7 else ""
        why = "Whole weeks change nothing." if weeks else ""
        steps.append(Step(f"{phrase[0].upper()}{phrase[1:]} {WEEKDAYS[day]}. {weeks}{counted_days(day, rest if hop > 0 else -rest)}", why, Slip(f"Count back: {WEEKDAYS[(day - hop) % 7]}.", "It has to go forward.") if hop > 7 and rest else None))  # fmt: skip
        day = new
    chain = " ".join(phrases) + " today"
    chain = chain.replace("the day after today", "tomorrow").replace("the day before today", "yesterday")
    form = draw.between(0, 2)
    told = f"{anchor[0].upper()}{anchor[1:]} {'was' if shift < 0 else 'is'} {WEEKDAYS[start]}."
    question = (
        f"{told} {event[0].upper()}{event[1:]} is {chain}. On which day of the week is that?",
        f"{who} says: “{told} And {event} falls {chain}.” Which day of the week is it?",
        f"{told} What day of the week is {chain}, when {who} has {event}?",
    )[form]
    return Draft(
        question=question,
        answer=WEEKDAYS[day],
        facts={"kind": "weekday", "day": WEEKDAYS[start], "shift": shift, "hops": hops},
        template=f"weekday {anchor} {len(hops)} {form}",
        steps=steps,
        says=f"It is a {WEEKDAYS[day]}.",
        given=f"{told} From there count to {chain}.",
        check=f"In all the shift from today is {sum(hops):+d} {'day' if abs(sum(hops)) == 1 else 'days'}, which leaves {sum(hops) % 7} over whole weeks: from {WEEKDAYS[today]} that is {WEEKDAYS[day]}.",
        verifier="choice",
    )


# --- the independent solver ------------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """All orders, all minutes, all days."""
    kind = facts["kind"]
    if kind in ("order", "may"):
        events, pairs = facts["events"], facts["pairs"]
        return _by_orders(facts) if len(events) < 6 or kind == "order" else _by_levels(facts, events, pairs)
    if kind == "clock":
        lengths = [length for _, length in facts["parts"]]
        if facts["asked"] == "breaks":
            return str(sum(length for what, length in facts["parts"] if what == "gap"))
        at, sign = (facts["end"], -1) if facts["asked"] == "begin" else (facts["begin"], 1)
        for _ in range(sum(lengths)):
            at = (at + sign) % 1440
        return f"{at // 60}:{at % 60:02d}"
    if kind == "overlap":
        return str(sum(all(a <= minute < b for a, b in facts["spans"]) for minute in range(480, 1320)))
    if kind == "together":
        return str(max(sum(a <= minute < b for a, b in facts["spans"]) for minute in range(540, 1100, 10)))
    if kind == "relation":
        one, other = (set(range(begin, end, 5)) for begin, end in (facts["one"], facts["other"]))
        return "ABCD"[[_lies(name, one, other) for name in facts["options"]].index(True)]
    day = WEEKDAYS.index(facts["day"])
    for hop in (-facts["shift"], *facts["hops"]):
        for _ in range(abs(hop)):
            day = (day + (1 if hop > 0 else 6)) % 7
    return WEEKDAYS[day]


def _lies(name: str, one: set[int], other: set[int]) -> bool:
    if name in ("before", "meets"):
        return max(one) < min(other) and (max(one) + 5 == min(other)) == (name == "meets")
    if name == "after":
        return min(one) > max(other)
    if name in ("during", "starts", "finishes"):
        ends = (min(one) == min(other), max(one) == max(other))
        return one < other and ends == (name == "starts", name == "finishes")
    if name == "contains":
        return other < one
    return bool(one & other) and not one <= other and not other <= one and min(one) < min(other)


def _by_orders(facts: dict[str, Any]) -> str:
    fit: list[tuple[str, ...]] = []
    for order in permutations(facts["events"]):
        at = {event: i for i, event in enumerate(order)}
        if all(at[a] < at[b] for a, b in facts["pairs"]):
            fit.append(order)
    if facts["kind"] == "may":
        a, b = facts["claim"]
        true = sum(order.index(a) < order.index(b) for order in fit)
        return "certain" if true == len(fit) else "possible" if true else "impossible"
    if len(fit) != 1:
        return "not one order"
    order, ask, about = fit[0], facts["ask"], facts["about"]
    if ask in ("first", "last"):
        return order[0 if ask == "first" else -1]
    if ask == "nth":
        return order[about[0]]
    if ask == "next":
        return order[order.index(about[0]) + 1]
    return str(order.index(about[1]) - order.index(about[0]) - 1)


def _by_levels(facts: dict[str, Any], events: list[str], pairs: list[list[str]]) -> str:
    """Who is before whom, made complete by squaring the relation."""
    before = {(a, b) for a, b in pairs}
    while True:
        more = {(a, d) for a, b in before for c, d in before if b == c} - before
        if not more:
            break
        before |= more
    a, b = facts["claim"]
    return "certain" if (a, b) in before else "impossible" if (b, a) in before else "possible"


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 3 to 8 events, 2 to 6 stretches, weekdays over 1 to 3 hops; orders left open from 3",
    verifier="choice",
)
