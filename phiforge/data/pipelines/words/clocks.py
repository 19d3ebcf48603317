"""Clocks and timetables: durations, ends and starts, time zones, clocks that gain or lose, hands and strokes.

`make` adds hours and minutes; `solve` steps through the minutes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import asides, known, told
from phiforge.data.pipelines.words.travel import span
from phiforge.data.words import clock, count, decimal, on_the_clock, people

_SHOWS = ("a film", "the rehearsal", "a lesson", "the night train", "a lecture", "the ferry trip", "the football match with its break", "an operation", "the guided tour", "a play", "the council meeting", "a shift at the bakery", "the choir practice", "a flight", "the charging of the battery", "the firing of a kiln", "a wash with the drying", "the hike")  # fmt: skip
# Cities by their winter time, in minutes from Greenwich. Facts of today's rules; questions state them.
_CITIES = (("Lisbon", 0), ("Accra", 0), ("Berlin", 60), ("Lagos", 60), ("Athens", 120), ("Cairo", 120), ("Nairobi", 180), ("Istanbul", 180), ("Dubai", 240), ("Karachi", 300), ("Delhi", 330), ("Dhaka", 360), ("Hanoi", 420), ("Perth", 480), ("Seoul", 540), ("Brisbane", 600), ("Buenos Aires", -180), ("Halifax", -240), ("Lima", -300), ("Chicago", -360), ("Denver", -420), ("Vancouver", -480))  # fmt: skip
_CLOCKS = (
    "a kitchen clock",
    "an old wristwatch",
    "a cuckoo clock",
    "the tower clock",
    "an alarm clock",
    "a ship's clock",
    "a pocket watch",
    "the station clock",
    "a grandfather clock",
    "the clock of an oven",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_end,),
        (_end, _length),
        (_length, _zones, _chain),
        (_zones, _drift, _chain),
        (_drift, _hands, _strokes, _zones),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _aliases(minutes: int) -> dict[str, list[str]]:
    return {"aliases": [f"{clock(minutes):0>5}"]}


_AS = ("Give it as H:MM on a 24-hour clock.", "Answer like 17:05.", "Write the time as H:MM, 24-hour.")


def _end(draw: Draw, level: int) -> Draft:
    who, show = people(draw, 1)[0], draw.pick(_SHOWS)
    minutes = draw.between(5, 40) * 5 if level == 1 else draw.between(25, 320)
    start = draw.between(60, 200) * 5 if level == 1 else draw.between(300, 1100)
    back = draw.chance(0.4)
    end = start + minutes
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"For {who}, {show} takes {span(minutes)}.",
                f"{show[0].upper()}{show[1:]} lasts {span(minutes)}, and {who} is there from start to end.",
            )
        ),
        draw.pick((f"It is over at {clock(end)}.", f"At {clock(end)} it ends."))
        if back
        else draw.pick((f"It begins at {clock(start)}.", f"The start is at {clock(start)}.")),
    ]
    wanted = start if back else end
    return Draft(
        question=told(draw, facts, f"When {'did it begin' if back else 'is it over'}? {draw.pick(_AS)}", extra),
        answer=clock(wanted),
        facts={"kind": "end", "at": end if back else start, "minutes": -minutes if back else minutes},
        template=f"end {show} {back}",
        verifier="choice",
        verifier_args=_aliases(wanted),
        steps=[Step(on_the_clock(end, -minutes) if back else on_the_clock(start, minutes), draw.pick(("Hours first, then minutes.", "In two goes.")), Slip(f"{end // 60}.{end % 60:02d} − {minutes // 60}.{minutes % 60:02d} as decimals." if back else f"{start // 60}.{start % 60:02d} + {minutes // 60}.{minutes % 60:02d} as decimals.", "An hour has 60 minutes, not 100."))],
        says=f"It {'began' if back else 'is over'} at {clock(wanted)}.",
        given=known(draw, f"{span(minutes)}, {'ending' if back else 'beginning'} at {clock(end if back else start)}.", extra),
        check=f"From {clock(start)} to {clock(end)} it is {span(minutes)}.",
    )  # fmt: skip


def _length(draw: Draw, level: int) -> Draft:
    who, show = people(draw, 1)[0], draw.pick(_SHOWS)
    start, minutes = draw.between(300, 1380), draw.between(30, 600)
    end, night = start + minutes, start + minutes >= 1440
    pause = draw.pick((0, 0, 10, 15, 20, 30)) if minutes > 60 else 0
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"{who} notes that {show} begins at {clock(start)} and ends at {clock(end)}{' the next day' if night else ''}.",
                f"From {clock(start)} to {clock(end)}{' the next morning' if night else ''}, {who} is busy with {show}.",
            )
        )
    ]
    if pause:
        facts.append(
            draw.pick((f"There is a pause of {pause} minutes in it.", f"{pause} minutes of that are a pause."))
        )
    question = (
        "How many minutes is that without the pause?"
        if pause
        else draw.pick(("How many minutes is that?", "How long is it, in minutes?"))
    )
    steps = []
    if night:
        steps.append(
            Step(
                f"From {clock(start)} to midnight it is {span(1440 - start)}, and then {span(end - 1440) or 'nothing'}: {1440 - start} + {end - 1440} = {minutes} minutes.",
                "It goes over midnight, so count to midnight first.",
                Slip(
                    f"{clock(start)} minus {clock(end)} is {span(start - (end - 1440))}.",
                    "That is the wrong way round the clock.",
                )
                if start > end - 1440
                else None,
            )
        )
    else:
        hours = (end - start) // 60
        steps.append(
            Step(
                f"{clock(start)} to {clock(start + 60 * hours)} is {count(hours, 'hour')}, and {count(minutes % 60, 'minute')} more: {60 * hours} + {minutes % 60} = {minutes} minutes."
                if hours
                else f"From {clock(start)} to {clock(end)} it is {minutes} minutes.",
                "Whole hours first.",
            )
        )
    if pause:
        steps.append(Step(f"{minutes} − {pause} = {minutes - pause}.", "The pause does not count."))
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(minutes - pause),
        facts={"kind": "length", "start": start, "end": end % 1440, "pause": pause},
        template=f"length {show} {night}",
        steps=steps,
        says=f"It is {minutes - pause} minutes.",
        given=known(draw, f"From {clock(start)} to {clock(end)}{', over midnight' if night else ''}.", extra),
        check=f"{clock(start)} and {span(minutes)} make {clock(end)}.",
    )  # fmt: skip


def _zone(minutes: int) -> str:
    return f"{span(abs(minutes))} {'ahead of' if minutes > 0 else 'behind'}"


def _zones(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    (here, a), (there, b) = draw.sample(_CITIES, 2)
    while a == b:
        (here, a), (there, b) = draw.sample(_CITIES, 2)
    leave, way = draw.between(60, 270) * 5, draw.between(14, 150) * 5 if level > 3 or draw.chance(0.5) else 0
    arrive = leave + way + b - a
    extra = asides(draw, level, who, "t")
    zone = f"The time in {there} is {_zone(b - a)} that in {here}."
    facts = [draw.pick((f"{who}'s plane leaves {here} at {clock(leave)} local time and lands in {there} after {span(way)}.", f"At {clock(leave)} by {here} time, {who} takes off for {there}; the flight takes {span(way)}.")), zone] if way else [draw.pick((f"In {here} it is {clock(leave)} when {who} calls a friend in {there}.", f"{who} in {here} starts a video call to {there} at {clock(leave)}.")), zone]  # fmt: skip
    question = f"What time is it in {there} {'on landing' if way else 'then'}? {draw.pick(_AS)}"
    steps = [Step(on_the_clock(leave, way), f"First by the clock of {here}.")] if way else []
    local = leave + way
    steps.append(
        Step(
            f"{clock(local)} {'and' if b > a else 'less'} {span(abs(b - a))}: {clock(arrive)}.",
            f"{there} is {_zone(b - a)} {here}, so {'add' if b > a else 'take off'} {span(abs(b - a))}.",
            Slip(
                f"{clock(local)} {'less' if b > a else 'and'} {span(abs(b - a))}: {clock(local - b + a)}.",
                f"{'Ahead' if b > a else 'Behind'} means {'later' if b > a else 'earlier'} on the clock.",
            ),
        )
    )
    return Draft(
        question=told(draw, facts, question, extra),
        answer=clock(arrive),
        facts={"kind": "zones", "leave": leave, "way": way, "shift": b - a},
        template=f"zones {there} {bool(way)}",
        verifier="choice",
        verifier_args=_aliases(arrive % 1440),
        steps=steps,
        says=f"It is {clock(arrive)} in {there}.",
        given=known(draw, f"{there} is {_zone(b - a)} {here}.", extra),
        check=f"{clock(arrive)} in {there} is {clock(arrive - b + a)} in {here}.",
    )  # fmt: skip


def _chain(draw: Draw, level: int) -> Draft:
    """Several things in a row, with a time to be there."""
    who = people(draw, 1)[0]
    tasks = draw.sample((("a shower", 5, 15), ("breakfast", 10, 35), ("the dishes", 5, 20), ("feeding the hens", 5, 25), ("packing", 10, 45), ("a phone call", 5, 30), ("ironing a shirt", 5, 15), ("the walk to the bus", 4, 25), ("watering the garden", 10, 40), ("a little yoga", 10, 40), ("reading the mail", 5, 30), ("the crossword", 8, 35), ("practising the flute", 15, 45)), 2 + (level + 1) // 2)  # fmt: skip
    lengths = [draw.between(low, high) for _, low, high in tasks]
    total, due = sum(lengths), draw.between(80, 260) * 5
    start = due - total
    extra = asides(draw, level, who, "t")
    goal = draw.pick(
        (
            "catch the bus",
            "be on the phone with the office",
            "open the shop",
            "start the lesson",
            "be at the gate",
            "meet a friend at the door",
        )
    )
    facts = [
        draw.pick((f"{who} has to {goal} at {clock(due)}.", f"At {clock(due)}, {who} must {goal}.")),
        f"Before that {who} needs "
        + ", ".join(f"{n} minutes for {what}" for (what, _, _), n in zip(tasks[:-1], lengths[:-1], strict=True))
        + f" and {lengths[-1]} minutes for {tasks[-1][0]}.",
    ]
    return Draft(
        question=told(draw, facts, f"At what time must {who} begin, at the latest? {draw.pick(_AS)}", extra),
        answer=clock(start),
        facts={"kind": "chain", "due": due, "lengths": lengths},
        template=f"chain {goal} {len(tasks)}",
        verifier="choice",
        verifier_args=_aliases(start),
        steps=[
            Step(
                f"{' + '.join(map(str, lengths))} = {total} minutes{f', that is {span(total)}' if total > 60 else ''}.",
                "All of it takes",
            ),
            Step(
                f"{clock(due)} less {span(total)} is {clock(start)}.",
                "Go back from the end.",
                Slip(
                    f"{clock(due)} and {span(total)} is {clock(due + total)}.", "It has to be done before, so go back."
                ),
            ),
        ],
        says=f"{who} must begin at {clock(start)}.",
        given=known(draw, f"Ready at {clock(due)}; {len(tasks)} things before that.", extra),
        check=f"{clock(start)} and {span(total)} make {clock(due)}.",
    )


def _drift(draw: Draw, level: int) -> Draft:
    who, thing = people(draw, 1)[0], draw.pick(_CLOCKS)
    name = thing.split(" ", 1)[1]
    gain, per = draw.between(1, 9), draw.pick(("hour", "day"))
    n = draw.between(3, 20)
    off, fast = gain * n, draw.chance(0.5)
    set_at = draw.between(6, 14) * 60
    true = (set_at + n * 60) if per == "hour" else set_at
    shown = true + (off if fast else -off)
    asked_true = draw.chance(0.4)
    extra = asides(draw, level, who, "t")
    facts = [draw.pick((f"{who} has {thing} that {'gains' if fast else 'loses'} {count(gain, 'minute')} every {per}.", f"{thing[0].upper()}{thing[1:]} of {who}'s {'gains' if fast else 'loses'} {count(gain, 'minute')} each {per}.")).replace("The tower clock of", "A tower clock of").replace("has the ", "looks after the "), f"It was set right at {clock(set_at)}{' one day' if per == 'day' else ''}.", f"Now it is {n} {per}s later by the right time."]  # fmt: skip
    question = (
        f"How many minutes is the {name} {'fast' if fast else 'slow'}?"
        if asked_true
        else f"What does the {name} show? {draw.pick(_AS)}"
    )
    steps = [
        Step(f"{n} × {gain} = {off} minutes.", f"{'It gains' if fast else 'It loses'} {gain} in each of {n} {per}s.")
    ]
    if not asked_true:
        steps.append(Step(f"The right time is {clock(true)}.", f"{n} {per}s after {clock(set_at)}:"))
        steps.append(
            Step(
                f"{clock(true)} {'and' if fast else 'less'} {span(off)}: {clock(shown)}.",
                "",
                Slip(
                    f"{clock(true)} {'less' if fast else 'and'} {span(off)}: {clock(true - (shown - true))}.",
                    f"A clock that {'gains' if fast else 'loses'} shows {'more' if fast else 'less'}.",
                ),
            )
        )
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(off) if asked_true else clock(shown),
        facts={"kind": "drift", "gain": gain if fast else -gain, "per": 60 if per == "hour" else 1440, "set": set_at, "n": n, "off": asked_true},
        template=f"drift {name} {asked_true}",
        verifier="math" if asked_true else "choice",
        verifier_args={} if asked_true else _aliases(shown % 1440),
        steps=steps,
        says=f"It is {off} minutes {'fast' if fast else 'slow'}." if asked_true else f"It shows {clock(shown)}.",
        given=known(draw, f"{gain} minutes a {per} too {'much' if fast else 'little'}, for {n} {per}s.".replace("1 minutes a hour", "1 minute an hour").replace("minutes a hour", "minutes an hour").replace("1 minutes", "1 minute"), extra),
        check=f"{off} ÷ {n} = {gain}.",
    )  # fmt: skip


def _hands(draw: Draw, level: int) -> Draft:
    who, thing = people(draw, 1)[0], draw.pick(_CLOCKS)
    h, m = draw.between(1, 12), draw.between(0, 29) * 2
    hour, minute = Fraction(30 * h + Fraction(m, 2)) % 360, Fraction(6 * m)
    gap = abs(hour - minute)
    angle = min(gap, 360 - gap)
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"{who} looks at {thing} with hands: it is {h}:{m:02d}.",
                f"At {h}:{m:02d}, {who} draws the hands of {thing}.",
                f"On {thing} with two hands, {who} reads {h}:{m:02d}.",
            )
        )
    ]
    return Draft(
        question=told(draw, facts, "What is the smaller angle between the hour hand and the minute hand, in degrees?", extra),
        answer=decimal(angle),
        facts={"kind": "hands", "h": h, "m": m},
        template=f"hands {thing} {facts[0][:4]}",
        steps=[
            Step(f"The minute hand stands at 6 × {m} = {minute} degrees.", "Each minute is 360 ÷ 60 = 6 degrees, counted from the top."),
            Step(f"The hour hand stands at 30 × {h % 12} + {m} ÷ 2 = {decimal(hour)} degrees.", "Each hour is 30 degrees, and it moves half a degree a minute.", Slip(f"The hour hand stands at 30 × {h % 12} = {30 * (h % 12)} degrees.", "It has moved on since the full hour.") if m else None),
            Step(f"{decimal(max(hour, minute))} − {decimal(min(hour, minute))} = {decimal(gap)}."),
            *([Step(f"360 − {decimal(gap)} = {decimal(angle)}.", "That is more than 180, so the other side is smaller.")] if gap > 180 else []),
        ],
        says=f"The angle is {decimal(angle)} degrees.",
        given=known(draw, f"The hands at {h}:{m:02d}.", extra),
        check=f"|30 × {h % 12} − 5.5 × {m}| = {decimal(abs(30 * (h % 12) - Fraction(11 * m, 2)))}{'' if gap <= 180 else f', and 360 less that is {decimal(angle)}'}.",
    )  # fmt: skip


def _strokes(draw: Draw, level: int) -> Draft:
    """How long the bell rings: gaps, not strokes."""
    who = people(draw, 1)[0]
    a, b = draw.sample(range(3, 13), 2)
    gap = draw.between(2, 9)
    bell = draw.pick(
        (
            "church bell",
            "school bell",
            "bell of the town hall",
            "ship's bell",
            "gong of the monastery",
            "bell of the lighthouse",
            "cathedral bell",
            "chapel bell",
        )
    )
    extra = asides(draw, level, who, "t")
    facts = [
        draw.pick(
            (
                f"At {a} o'clock the {bell} strikes {a} times, evenly.",
                f"{who} hears the {bell} strike {a} at {a} o'clock.",
            )
        ),
        f"From the first stroke to the last it takes {gap * (a - 1)} seconds.",
    ]
    return Draft(
        question=told(
            draw,
            facts,
            f"How many seconds does it take at {b} o'clock, from the first of {b} strokes to the last?",
            extra,
        ),
        answer=str(gap * (b - 1)),
        facts={"kind": "strokes", "a": a, "b": b, "seconds": gap * (a - 1)},
        template=f"strokes {bell}",
        steps=[
            Step(
                f"Between {a} strokes there are {a - 1} gaps.",
                "It is the gaps that take time, not the strokes.",
                Slip(
                    f"{gap * (a - 1)} ÷ {a} × {b} = {decimal(Fraction(gap * (a - 1) * b, a))}.",
                    "The number of gaps is one less than the number of strokes.",
                ),
            ),
            Step(f"{gap * (a - 1)} ÷ {a - 1} = {gap} seconds for a gap."),
            Step(f"{b} strokes have {b - 1} gaps: {b - 1} × {gap} = {gap * (b - 1)}."),
        ],
        says=f"It takes {gap * (b - 1)} seconds.",
        given=known(draw, f"{a} strokes take {gap * (a - 1)} seconds.", extra),
        check=f"With a gap of {gap}, {a} strokes take {a - 1} × {gap} = {gap * (a - 1)}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "length":
        at, minutes = facts["start"], 0
        while at != facts["end"]:
            at, minutes = (at + 1) % 1440, minutes + 1
        return str(minutes - facts["pause"])
    if kind == "hands":
        minutes = facts["h"] * 60 + facts["m"]  # both hands as shares of a turn
        apart = (Fraction(minutes, 720) - Fraction(minutes, 60)) % 1
        return decimal(360 * min(apart, 1 - apart))
    if kind == "strokes":
        return str(Fraction(facts["seconds"], facts["a"] - 1) * len(range(1, facts["b"])))
    if kind == "drift":
        if facts["off"]:
            return str(abs(sum(facts["gain"] for _ in range(facts["n"]))))
        at = facts["set"] + facts["n"] * (facts["per"] + facts["gain"])
    elif kind == "end":
        at = facts["at"] + facts["minutes"]
    elif kind == "zones":
        at = facts["leave"] + facts["shift"] + facts["way"]
    else:
        at = facts["due"]
        for n in reversed(facts["lengths"]):
            at -= n
    hour, minute = divmod(at % 1440, 60)
    return f"{hour}:{minute:02d}"


PIPELINE = Solver(
    make,
    solve,
    knobs="level: ends, durations over midnight, chains, time zones, drifting clocks, angles of hands, strokes",
)
