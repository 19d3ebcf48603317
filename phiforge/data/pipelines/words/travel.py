"""Journeys: distance, time and speed, arrival, two who meet or catch up, legs with a stop, fuel for the way.

`make` uses the formulas; `solve` lets the clock run minute by minute.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import asides, known, told
from phiforge.data.rows import Unfit
from phiforge.data.words import Person, clock, decimal, people

# How someone travels, with the least and the highest speed in kilometres an hour.
_MOVES = (
    ("goes", "by car", 48, 120), ("travels", "by bicycle", 12, 28), ("goes", "on foot", 3, 6), ("travels", "on horseback", 8, 20), ("goes", "by canoe", 4, 9), ("travels", "in a small boat", 6, 18), ("goes", "by bus", 36, 80),
    ("goes", "by train", 60, 180), ("goes", "on skis", 6, 15), ("goes", "on skates", 9, 20), ("goes", "by tram", 15, 30), ("travels", "by scooter", 18, 45),
)  # fmt: skip
_ENDS = (
    ("the harbour", "the lighthouse"), ("the village", "the lake"), ("the campsite", "the castle"), ("the farm", "the market town"), ("the mill", "the old bridge"), ("the hostel", "the waterfall"), ("home", "the seaside"), ("the station", "the monastery"),
    ("the office", "the workshop"), ("the valley", "the pass"), ("the museum", "the airport"), ("the school", "the ferry"), ("the city", "the vineyard"), ("the forest hut", "the river mouth"), ("the quarry", "the brickworks"),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_plain,),
        (_plain, _arrive),
        (_arrive, _meet, _legs),
        (_meet, _catch, _legs, _fuel),
        (_catch, _average, _meet, _legs),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def span(minutes: int) -> str:
    """A length of time in words: "1 hour 20 minutes"."""
    hours, rest = divmod(minutes, 60)
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((hours, "hour"), (rest, "minute")) if n]
    return " ".join(parts)


def _trip(draw: Draw) -> tuple[str, str, int, int, str, str]:
    verb, how, low, high = draw.pick(_MOVES)
    start, goal = draw.pick(_ENDS)
    if draw.chance(0.5) and start != "home":
        start, goal = goal, start
    return verb, how, low, high, start, goal


def _at(speed: int) -> str:
    return f"{speed} kilometres an hour"


def _minutes(draw: Draw, level: int) -> int:
    """A time on the way that level makes less round."""
    return draw.between(1, 5) * 60 if level == 1 else draw.between(3, 20) * (30, 20, 15, 10)[min(level, 5) - 2]


def _speed_for(draw: Draw, low: int, high: int, minutes: int) -> int | None:
    """A speed at which that time makes whole kilometres, if there is one."""
    fits = [v for v in range(low, high + 1) if v * minutes % 60 == 0]
    return draw.pick(fits) if fits else None


def _whole(draw: Draw, level: int, low: int, high: int) -> tuple[int, int, int]:
    """Speed, minutes and kilometres, all whole."""
    while True:
        minutes = _minutes(draw, level)
        speed = _speed_for(draw, low, high, minutes)
        if speed is not None:
            return speed, minutes, speed * minutes // 60


def _hours(minutes: int) -> str:
    return decimal(Fraction(minutes, 60))


def _plain(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    verb, how, low, high, start, goal = _trip(draw)
    speed, minutes, km = _whole(draw, level, low, high)
    wanted = draw.pick(("distance", "time", "speed"))
    extra = asides(draw, level, who, "td")
    way = f"{who} {verb} {how} from {start} to {goal}"
    if wanted == "distance":
        facts = [
            draw.pick(
                (
                    f"{way} at {_at(speed)} and arrives after {span(minutes)}.",
                    f"{way}. The trip takes {span(minutes)} at a steady {_at(speed)}.",
                )
            )
        ]
        question, answer = (
            draw.pick(("How many kilometres is that?", f"How far is it from {start} to {goal}, in kilometres?")),
            km,
        )
        steps = [
            Step(f"{span(minutes)} = {_hours(minutes)} hours.", "Put the time in hours.")
            if minutes % 60
            else Step(f"The time is {span(minutes)}."),
            Step(
                f"{speed} × {_hours(minutes)} = {km}.",
                "Distance is speed times time.",
                Slip(
                    f"{speed} × {minutes} = {speed * minutes}.", "The speed is for an hour, the time was in minutes."
                ),
            ),
        ]
        says = f"It is {km} kilometres."
    elif wanted == "time":
        facts = [
            draw.pick(
                (
                    f"{way}, which is {km} kilometres, at {_at(speed)}.",
                    f"{way}. The distance is {km} kilometres and the speed {_at(speed)}.",
                )
            )
        ]
        question, answer = (
            draw.pick(("How many minutes does it take?", f"For how many minutes is {who} on the way?")),
            minutes,
        )
        steps = [
            Step(
                f"{km} ÷ {speed} = {_hours(minutes)} hours.",
                "Time is distance over speed.",
                Slip(
                    f"{speed} ÷ {km} = {Fraction(speed, km)}.",
                    "That is hours turned over: divide the distance by the speed.",
                ),
            ),
            Step(f"{_hours(minutes)} × 60 = {minutes} minutes.", "They ask for minutes."),
        ]
        says = f"It takes {minutes} minutes."
    else:
        facts = [
            draw.pick(
                (f"{way}, {km} kilometres, in {span(minutes)}.", f"{way}. The {km} kilometres take {span(minutes)}.")
            )
        ]
        question, answer = (
            draw.pick(
                ("What is the average speed in kilometres an hour?", "How many kilometres an hour is that on average?")
            ),
            speed,
        )
        steps = [
            Step(f"{span(minutes)} = {_hours(minutes)} hours.", "Put the time in hours."),
            Step(
                f"{km} ÷ {_hours(minutes)} = {speed}.",
                "Speed is distance over time.",
                Slip(
                    f"{km} ÷ {minutes} = {decimal(Fraction(km, minutes))}.",
                    "That is for a minute; an hour was asked for.",
                ),
            ),
        ]
        says = f"The speed is {_at(speed)}."
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(answer),
        facts={"kind": wanted, "speed": speed, "minutes": minutes, "km": km} | {{"distance": "km", "time": "minutes", "speed": "speed"}[wanted]: None},
        template=f"{wanted} {how} {start}",
        steps=steps,
        says=says,
        given=known(draw, {"distance": f"{_at(speed)} for {span(minutes)}.", "time": f"{km} kilometres at {_at(speed)}.", "speed": f"{km} kilometres in {span(minutes)}."}[wanted], extra),
        check=f"{_hours(minutes)} hours at {_at(speed)} make {km} kilometres.",
    )  # fmt: skip


def _arrive(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    verb, how, low, high, start, goal = _trip(draw)
    speed, minutes, km = _whole(draw, level, low, high)
    leaves, rest = draw.between(60, 150) * 5, draw.pick((0, 10, 15, 20, 25, 40)) if level > 2 else 0
    arrives = leaves + minutes + rest
    extra = asides(draw, level, who, "td")
    facts = [
        draw.pick(
            (
                f"At {clock(leaves)}, {who} {verb} {how} from {start} towards {goal}, {km} kilometres away, at {_at(speed)}.",
                f"{who} leaves {start} at {clock(leaves)} and {verb} {how} the {km} kilometres to {goal} at {_at(speed)}.",
            )
        )
    ]
    if rest:
        facts.append(
            draw.pick(
                (
                    f"On the way {who} rests for {rest} minutes.",
                    f"There is one stop of {rest} minutes.",
                    f"A closed gate costs {rest} minutes.",
                )
            )
        )
    steps = [
        Step(
            f"{km} ÷ {speed} = {_hours(minutes)} hours, that is {span(minutes)}.",
            draw.pick(("How long is the way?", "First the time on the way.")),
        )
    ]
    if rest:
        steps.append(Step(f"{minutes} + {rest} = {minutes + rest} minutes in all.", "The stop comes on top."))
    steps.append(
        Step(
            f"{clock(leaves)} and {span(minutes + rest)} make {clock(arrives)}.",
            "Now from the start on the clock.",
            Slip(f"{clock(leaves)} and {span(minutes)} make {clock(leaves + minutes)}.", "That forgets the stop.")
            if rest
            else None,
        )
    )
    return Draft(
        question=told(draw, facts, draw.pick((f"At what time does {who} arrive at {goal}? Give it as H:MM.", f"When is {who} there, as H:MM on a 24-hour clock?")).replace("at home", "home"), extra),
        answer=clock(arrives),
        facts={"kind": "arrive", "speed": speed, "km": km, "leaves": leaves, "rest": rest},
        template=f"arrive {how} {start}",
        verifier="choice",
        verifier_args={"aliases": [f"{clock(arrives):0>5}"]},
        steps=steps,
        says=f"{who} arrives at {clock(arrives)}.",
        given=known(draw, f"{km} kilometres at {_at(speed)}, starting at {clock(leaves)}.", extra),
        check=f"From {clock(leaves)} to {clock(arrives)} it is {span(minutes + rest)}.",
    )  # fmt: skip


def _two(draw: Draw) -> tuple[Person, Person, str, int, int, str, str]:
    one, two = people(draw, 2)
    _, how, low, high, start, goal = _trip(draw)
    return one, two, how, low, high, start, goal


def _meet(draw: Draw, level: int) -> Draft:
    one, two, how, low, high, start, goal = _two(draw)
    if start == "home":
        start = "the park"
    while True:
        a, b, minutes = draw.between(low, high), draw.between(low, high), _minutes(draw, level)
        if a != b and (a + b) * minutes % 60 == 0 and a * minutes % 60 == 0:
            break
    km = (a + b) * minutes // 60
    place = level > 3 and draw.chance(0.5)
    extra = asides(draw, level, one, "td")
    facts = [draw.pick((f"{one} sets out from {start} and {two} from {goal} at the same time, towards each other, both {how}.", f"From {start} and {goal}, {one} and {two} start towards each other at the same moment, each {how}.")), draw.pick((f"The way is {km} kilometres long; {one} makes {_at(a)}, {two} {b}.", f"{one}'s speed is {_at(a)}, {two}'s {_at(b)}, and there are {km} kilometres between them at first."))]  # fmt: skip
    question, answer = (
        (
            draw.pick(
                (
                    f"How many kilometres from {start} do they meet?",
                    f"How far has {one} come when they meet, in kilometres?",
                )
            ),
            a * minutes // 60,
        )
        if place
        else (draw.pick(("After how many minutes do they meet?", "How many minutes pass until they meet?")), minutes)
    )
    steps = [
        Step(
            f"{a} + {b} = {a + b} kilometres an hour.",
            "They come towards each other, so the gap shrinks by both speeds together.",
            Slip(
                f"The average speed is {decimal(Fraction(a + b, 2))}.",
                f"Each of them shortens the gap, so the speeds add up to {a + b}.",
            ),
        ),
        Step(f"{km} ÷ {a + b} = {_hours(minutes)} hours, that is {minutes} minutes.", "So the gap is gone after"),
    ]
    if place:
        steps.append(Step(f"{a} × {_hours(minutes)} = {a * minutes // 60}.", f"In that time {one} comes"))
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(answer),
        facts={"kind": "meet", "a": a, "b": b, "km": km, "place": place},
        template=f"meet {how} {start} {place}",
        steps=steps,
        says=f"They meet {f'{answer} kilometres from {start}' if place else f'after {answer} minutes'}.",
        given=known(draw, f"{km} kilometres between them, {a} and {_at(b)}.", extra),
        check=f"{a * minutes // 60} + {km - a * minutes // 60} = {km} kilometres.",
    )


def _catch(draw: Draw, level: int) -> Draft:
    one, two, how, low, high, start, _ = _two(draw)
    while True:
        slow, fast, lead = draw.between(low, high), draw.between(low, high + high // 2), draw.between(1, 12) * 5
        if fast <= slow or slow * lead % (fast - slow):
            continue
        minutes = slow * lead // (fast - slow)
        if minutes <= 300:
            break
    place = fast * minutes % 60 == 0 and draw.chance(0.5)
    km = Fraction(fast * minutes, 60)
    extra = asides(draw, level, one, "td")
    facts = [
        draw.pick(
            (f"{one} leaves {start} {how} at {_at(slow)}.", f"{one} starts {how} from {start}, making {_at(slow)}.")
        ),
        draw.pick(
            (
                f"{lead} minutes later {two} follows on the same road at {_at(fast)}.",
                f"{two} sets off on the same route {lead} minutes after that, at {_at(fast)}.",
            )
        ),
    ]
    question, answer = (
        (
            draw.pick(
                (
                    f"How many kilometres from {start} does {two} catch up with {one}?",
                    "At what distance from the start, in kilometres, is that gap closed?",
                )
            ),
            str(km),
        )
        if place
        else (
            draw.pick(
                (
                    f"How many minutes does {two} need to catch up with {one}?",
                    f"After how many minutes of travel is {two} level with {one}?",
                )
            ),
            str(minutes),
        )
    )
    steps = [
        Step(
            f"{slow} × {lead}/60 = {decimal(Fraction(slow * lead, 60))} kilometres.",
            f"What lead does {one} have when {two} starts?",
        ),
        Step(
            f"{fast} − {slow} = {fast - slow} kilometres an hour.",
            f"The gap closes by the difference of the speeds, since {one} goes on moving.",
            Slip(f"The gap closes at {_at(fast)}.", f"No, {one} does not stand still."),
        ),
        Step(
            f"{decimal(Fraction(slow * lead, 60))} ÷ {fast - slow} = {decimal(Fraction(minutes, 60))} hours, that is {minutes} minutes."
        ),
    ]
    if place:
        steps.append(Step(f"{fast} × {_hours(minutes)} = {km}.", f"By then {two} has come"))
    return Draft(
        question=told(draw, facts, question, extra),
        answer=answer,
        facts={"kind": "catch", "slow": slow, "fast": fast, "lead": lead, "place": place},
        template=f"catch {how} {start} {place}",
        steps=steps,
        says=f"That is {answer} {'kilometres' if place else 'minutes'}.",
        given=known(draw, f"{_at(slow)} with a start of {lead} minutes, against {_at(fast)}.", extra),
        check=f"{one}: {slow} × {minutes + lead}/60 = {decimal(Fraction(slow * (minutes + lead), 60))}; {two}: {fast} × {minutes}/60 = {decimal(km)}.",
    )  # fmt: skip


def _legs(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    start, goal = draw.pick(_ENDS)
    moves = draw.sample(_MOVES, 2 if level < 5 else 3)
    legs = [(verb, how, *_whole(draw, level, low, high)) for verb, how, low, high in moves]
    wait = draw.pick((0, 5, 10, 12, 18, 25))
    total = sum(m for _, _, _, m, _ in legs) + wait
    distance = draw.chance(0.3)
    extra = asides(draw, level, who, "td")
    parts = [
        draw.pick(
            (f"{who} {verb} {how} for {span(m)} at {_at(v)}.", f"Then {who} {verb} {how} for {span(m)}, at {_at(v)}.")
        )
        if distance
        else f"{'First' if i == 0 else 'Then'} {who} {verb} {how} for {km} {'kilometre' if km == 1 else 'kilometres'} at {_at(v)}."
        for i, (verb, how, v, m, km) in enumerate(legs)
    ]
    if distance:
        parts[0] = parts[0].replace("Then ", "First ")
    if wait:
        parts.insert(draw.between(1, len(parts)), f"There is a wait of {wait} minutes.")
    facts = [f"{who} travels from {start} to {goal}.", *parts]
    km_total = sum(km for *_, km in legs)
    if distance:
        question, answer = "How many kilometres is the whole way?", km_total
        steps = [
            Step(f"{v} × {_hours(m)} = {km} kilometres.", f"{how[0].upper()}{how[1:]}:") for _, how, v, m, km in legs
        ]
        steps.append(
            Step(
                f"{' + '.join(str(km) for *_, km in legs)} = {km_total}.",
                "All legs together." + (" During the wait nothing is covered." if wait else ""),
            )
        )
        check = "Each leg again: " + ", ".join(f"{km} ÷ {_hours(m)} = {v}" for _, _, v, m, km in legs) + "."
    else:
        question, answer = (
            draw.pick(
                ("How many minutes does the whole journey take?", f"How long is {who} under way in all, in minutes?")
            ),
            total,
        )
        steps = [
            Step(f"{km} ÷ {v} = {_hours(m)} hours, that is {m} minutes.", f"{how[0].upper()}{how[1:]}:")
            for _, how, v, m, km in legs
        ]
        numbers = [str(m) for _, _, _, m, _ in legs] + ([str(wait)] if wait else [])
        steps.append(
            Step(
                f"{' + '.join(numbers)} = {total}.",
                "All of it together." + (" The wait counts too." if wait else ""),
                Slip(f"{' + '.join(numbers[:-1])} = {total - wait}.", "The wait is missing.") if wait else None,
            )
        )
        check = f"{total} minutes are {span(total)}."
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(answer),
        facts={"kind": "legs", "legs": [[v, m if distance else None, None if distance else km] for _, _, v, m, km in legs], "wait": wait, "distance": distance},
        template=f"legs {legs[0][1]} {start} {distance}",
        steps=steps,
        says=f"It is {answer} {'kilometres' if distance else 'minutes'}.",
        given=known(draw, f"{len(legs)} legs, each with a speed of its own{f', and a wait of {wait} minutes' if wait else ''}.", extra),
        check=check,
    )  # fmt: skip


@cache
def _harmonic(low: int, high: int) -> list[tuple[int, int]]:
    """Pairs of speeds of which the average, there and back, is whole."""
    speeds = range(low, high + 1)
    return [(a, b) for a in speeds for b in speeds if a != b and 2 * a * b % (a + b) == 0]


def _average(draw: Draw, level: int) -> Draft:
    """There at one speed, back at another: the average is not the mean."""
    who = people(draw, 1)[0]
    verb, how, low, high, start, goal = _trip(draw)
    pairs = _harmonic(low, high)
    if not pairs:
        raise Unfit("no two speeds of this kind have a whole average")
    a, b = draw.pick(pairs)
    average = 2 * a * b // (a + b)
    extra = asides(draw, level, who, "td")
    facts = [
        draw.pick(
            (
                f"{who} {verb} {how} from {start} to {goal} at {_at(a)} and comes back the same way at {_at(b)}.",
                f"From {start} to {goal}, {who} {verb} {how} at {_at(a)}; on the way back along the same road it is {_at(b)}.",
            )
        )
    ]
    return Draft(
        question=told(draw, facts, draw.pick(("What is the average speed of the whole trip in kilometres an hour?", "Find the average speed for there and back, in kilometres an hour.")), extra),
        answer=str(average),
        facts={"kind": "average", "a": a, "b": b},
        template=f"average {how} {start}",
        steps=[
            Step(f"Take a way of {a * b} kilometres: there it takes {b} hours, back {a} hours.", "The length is not given, so it can't matter; choose one that both speeds divide.", Slip(f"({a} + {b}) ÷ 2 = {decimal(Fraction(a + b, 2))}.", "But the slower way takes longer, so it counts for more.")),
            Step(f"2 × {a * b} = {2 * a * b} kilometres in {a + b} hours: {2 * a * b} ÷ {a + b} = {average}.", "Average speed is the whole way over the whole time."),
        ],
        says=f"The average speed is {_at(average)}.",
        given=known(draw, f"{a} there and {b} back.", extra),
        check=f"It lies between {min(a, b)} and {max(a, b)}, nearer to the slower one.",
    )  # fmt: skip


def _fuel(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    start, goal = draw.pick(_ENDS)
    per, km, price = draw.between(8, 18) * 5, draw.between(2, 16) * 50, draw.between(140, 210)
    both = draw.chance(0.5)
    ways = 2 if both else 1
    litres = Fraction(per * km * ways, 1000)
    cost = litres * price / 100
    extra = asides(draw, level, who, "mtd")
    facts = [
        draw.pick(
            (
                f"From {start} to {goal} it is {km} kilometres.",
                f"{who} drives the {km} kilometres from {start} to {goal}.",
            )
        ),
        draw.pick(
            (
                f"The car needs {decimal(Fraction(per, 10))} litres of petrol for 100 kilometres.",
                f"On 100 kilometres the car burns {decimal(Fraction(per, 10))} litres.",
            )
        ),
        f"A litre costs {price // 100}.{price % 100:02d} euros.",
    ]
    if both:
        facts.append(draw.pick((f"{who} drives there and back.", f"{who} comes back the same way by car.")))
    return Draft(
        question=told(draw, facts, "How many euros does the petrol for the whole trip cost?", extra),
        answer=decimal(cost),
        facts={"kind": "fuel", "per": per, "km": km, "ways": ways, "price": price},
        template=f"fuel {start} {both}",
        steps=[
            *([Step(f"2 × {km} = {2 * km} kilometres.", "There and back:")] if both else []),
            Step(f"{decimal(Fraction(per, 10))} × {decimal(Fraction(km * ways, 100))} = {decimal(litres)} litres.", f"The way is {decimal(Fraction(km * ways, 100))} times 100 kilometres.", Slip(f"{decimal(Fraction(per, 10))} × {km * ways} = {decimal(Fraction(per * km * ways, 10))} litres.", "The consumption is for 100 kilometres, not for one.")),
            Step(f"{decimal(litres)} × {price / 100:.2f} = {decimal(cost)}.", "Now the price."),
        ],
        says=f"The petrol costs {decimal(cost)} euros.",
        given=known(draw, f"{decimal(Fraction(per, 10))} litres for 100 kilometres, {km} kilometres{' each way' if both else ''}.", extra),
        check=f"A kilometre costs {decimal(Fraction(per * price, 100000))} euros; times {km * ways} that is {decimal(cost)}.",
    )  # fmt: skip


def _covered(speed: int, km: Fraction | int) -> int:
    """The minutes until so many kilometres are covered, by watching the clock."""
    minutes, way = 0, 0  # the way in sixtieths of a kilometre
    while way < 60 * km:
        minutes, way = minutes + 1, way + speed
    assert way == 60 * km
    return minutes


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "distance":
        return str(Fraction(sum(facts["speed"] for _ in range(facts["minutes"])), 60))
    if kind == "time":
        return str(_covered(facts["speed"], facts["km"]))
    if kind == "speed":
        return str(Fraction(facts["km"]) / Fraction(facts["minutes"], 60))
    if kind == "arrive":
        at = facts["leaves"] + _covered(facts["speed"], facts["km"]) + facts["rest"]
        return f"{at // 60 % 24}:{at % 60:02d}"
    if kind in ("meet", "catch"):
        first, second = (facts["a"], facts["b"]) if kind == "meet" else (facts["slow"], facts["fast"])
        one, two, minutes = (
            (0, 60 * facts["km"], 0) if kind == "meet" else (first * facts["lead"], 0, 0)
        )  # in sixtieths of a kilometre
        while one != two:
            minutes, one, two = minutes + 1, one + first, two - second if kind == "meet" else two + second
        return str(Fraction(one, 60)) if facts["place"] else str(minutes)
    if kind == "legs":
        if facts["distance"]:
            return str(sum(Fraction(v * m, 60) for v, m, _ in facts["legs"]))
        return str(facts["wait"] + sum(_covered(v, km) for v, _, km in facts["legs"]))
    if kind == "average":
        return str(2 / (Fraction(1, facts["a"]) + Fraction(1, facts["b"])))
    return str(Fraction(facts["price"], 100) * facts["ways"] * facts["km"] * Fraction(facts["per"], 10) / 100)


PIPELINE = Solver(
    make, solve, knobs="level: one of three, arrival with stops, meeting, catching up, legs, average of two speeds"
)
