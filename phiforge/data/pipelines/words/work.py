"""Work done together: rates of people, taps and machines, one who joins late, leaks, wages for shared work.

`make` adds rates in shares of the job; `solve` counts the job in small equal pieces.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import CURRENCIES, asides, known, told
from phiforge.data.words import decimal, people

# What is to be done, "... the fence", and the unit of time it takes.
_JOBS = (
    ("paint the fence", "hours"), ("mow the meadow", "hours"), ("clear the attic", "hours"), ("dig the garden", "hours"), ("lay the parquet", "days"), ("plaster the hall", "days"), ("pick the cherries", "hours"), ("type the archive cards", "days"), ("wash all the windows", "hours"),
    ("stack the firewood", "hours"), ("fold the leaflets", "minutes"), ("peel the potatoes", "minutes"), ("shovel the snow off the yard", "minutes"), ("bake the wedding cakes", "hours"), ("restore the boat", "days"), ("tile the bathroom", "days"), ("sort the donated books", "hours"), ("proofread the encyclopaedia", "days"),
    ("decorate the ballroom", "hours"), ("build the stage", "hours"), ("catalogue the herbarium", "days"), ("shear the flock", "hours"), ("sew the curtains", "hours"), ("harvest the vineyard", "days"),
)  # fmt: skip
_FILLED = (("pool", "tap"), ("cistern", "pipe"), ("reservoir", "pump"), ("fish pond", "hose"), ("water tower", "pump"), ("bathtub", "tap"), ("lock chamber", "sluice"), ("milk tank", "pipe"), ("vat", "valve"), ("oil tank", "pump"), ("paddling pool", "hose"), ("fire pond", "inlet"))  # fmt: skip
_MADE = (
    ("machine", "bolts"),
    ("press", "bricks"),
    ("loom", "metres of cloth"),
    ("printer", "posters"),
    ("oven", "loaves"),
    ("robot", "welds"),
    ("mill", "sacks of flour"),
    ("saw", "planks"),
    ("bottling line", "bottles"),
    ("kiln", "tiles"),
    ("knitting machine", "scarves"),
    ("packer", "parcels"),
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_output,),
        (_output, _crew),
        (_crew, _together, _pay),
        (_together, _late, _leak),
        (_late, _leak, _together, _alone),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _pair(draw: Draw, level: int, most: int = 40) -> tuple[int, int, int]:
    """Two times alone and the whole time they need together."""
    while True:
        a, b = draw.between(2, most), draw.between(2, most)
        if a != b and a * b % (a + b) == 0:
            return a, b, a * b // (a + b)


def _output(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    machine, goods = draw.pick(_MADE)
    n, rate, hours = draw.between(2, 6 + 2 * level), draw.between(3, 20 * level), draw.between(2, 9)
    more, longer = draw.between(2, 12), draw.between(2, 12)
    made, wanted = n * rate * hours, more * rate * longer
    extra = asides(draw, level, who, "t")
    s = "es" if machine == "press" else "s"
    facts = [
        draw.pick(
            (
                f"In {who}'s workshop, {n} {machine}{s} make {made} {goods} in {hours} hours.",
                f"{who} watches {n} {machine}{s} turn out {made} {goods} in {hours} hours.",
                f"It takes {n} {machine}{s} {hours} hours to make {made} {goods}, as {who} has noted.",
            )
        )
    ]
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick(
                (
                    f"How many {goods} do {more} of them make in {longer} hours?",
                    f"At this rate, how many {goods} come from {more} {machine}{s} in {longer} hours?",
                )
            ),
            extra,
        ),
        answer=str(wanted),
        facts={"kind": "output", "n": n, "made": made, "hours": hours, "more": more, "longer": longer},
        template=f"output {machine} {facts[0][:5]}",
        steps=[
            Step(
                f"{made} ÷ {n} = {n and made // n} for one {machine} in {hours} hours.",
                draw.pick(("One machine first.", "Go down to a single one.")),
                Slip(f"{made} × {more} = {made * more}.", f"{made} is the output of {n}, not of one."),
            ),
            Step(f"{made // n} ÷ {hours} = {rate} an hour.", "And in one hour."),
            Step(f"{rate} × {more} = {rate * more} an hour for {more}.", f"Now up again, to {more} of them."),
            Step(f"{rate * more} × {longer} = {wanted}.", f"And to {longer} hours."),
        ],
        says=f"They make {wanted} {goods}.",
        given=known(draw, f"{n} of them make {made} in {hours} hours.", extra),
        check=f"{wanted} ÷ ({more} × {longer}) = {rate}, as before.",
    )


def _crew(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    job, unit = draw.pick(_JOBS)
    while True:
        n, time, m = draw.between(2, 12), draw.between(2, 24), draw.between(2, 15)
        if n != m and n * time % m == 0:
            break
    answer = n * time // m
    asked_people = draw.chance(0.4)
    extra = asides(draw, level, who, "t")
    crew = draw.pick(("helpers", "volunteers", "students", "workers", "neighbours", "members of the club"))
    facts = [
        draw.pick(
            (
                f"{n} {crew} need {time} {unit} to {job}.",
                f"To {job}, {n} {crew} need {time} {unit}.",
                f"{who} reckons that {n} {crew} {job} in {time} {unit}.",
            )
        )
    ]
    question = (
        f"How many of them are needed to do it in {answer} {unit if answer > 1 else unit[:-1]}?"
        if asked_people
        else draw.pick(
            (
                f"How many {unit} do {m} need, if all work alike?",
                f"At the same pace, in how many {unit} is it done by {m}?",
            )
        )
    )
    return Draft(
        question=told(draw, facts, question, extra) if facts[0].startswith(who.name) or not extra else told(draw, [f"{who} plans a day of work.", *facts], question, extra),
        answer=str(m if asked_people else answer),
        facts={"kind": "crew", "n": n, "time": time, "other": answer if asked_people else m},
        template=f"crew {job} {asked_people}",
        steps=[
            Step(f"{n} × {time} = {n * time}.", f"The whole job in {unit} of one person's work:", Slip(f"{time} × {m} ÷ {n} = {decimal(Fraction(time * m, n))}.", "That grows with more people, but more people need less time." ) if not asked_people else None),
            Step(f"{n * time} ÷ {answer if asked_people else m} = {m if asked_people else answer}.", f"Shared out over {f'{answer} {unit}' if asked_people else f'{m} people'}."),
        ],
        says=f"{m} are needed." if asked_people else f"They need {answer} {unit if answer > 1 else unit[:-1]}.",
        given=known(draw, f"{n} people, {time} {unit}.", extra),
        check=f"{m} × {answer} = {n * time} = {n} × {time}.",
    )  # fmt: skip


def _together(draw: Draw, level: int) -> Draft:
    one, two = people(draw, 2)
    job, unit = draw.pick(_JOBS)
    a, b, t = _pair(draw, level, 12 * level)
    extra = asides(draw, level, one, "t")
    c = lcm(a, b)
    facts = [
        draw.pick(
            (
                f"Alone, {one} can {job} in {a} {unit}, {two} in {b}.",
                f"{one} needs {a} {unit} to {job}; {two} needs {b} {unit} for the same.",
                f"To {job} takes {one} {a} {unit} and {two} {b} {unit}.",
            )
        )
    ]
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick(
                (
                    f"How many {unit} does it take them together?",
                    f"Working side by side, in how many {unit} are they done?",
                )
            ),
            extra,
        ),
        answer=str(t),
        facts={"kind": "together", "times": [a, b]},
        template=f"together {job}",
        steps=[
            Step(
                f"In one {unit[:-1]}, {one} does 1/{a} and {two} 1/{b} of it.",
                "Times can't be added, but what is done in a unit of time can.",
                Slip(
                    f"({a} + {b}) ÷ 2 = {decimal(Fraction(a + b, 2))}.",
                    f"Together they can't take longer than {min(a, b)}, which the faster one needs alone.",
                ),
            ),
            Step(f"1/{a} + 1/{b} = {c // a}/{c} + {c // b}/{c} = {c // a + c // b}/{c} = 1/{t}."),
            Step(f"So the whole job takes {t} {unit if t > 1 else unit[:-1]}.", f"1/{t} in each {unit[:-1]}."),
        ],
        says=f"It takes them {t} {unit if t > 1 else unit[:-1]}.",
        given=known(draw, f"{a} and {b} {unit} alone.", extra),
        check=f"{t}/{a} + {t}/{b} = {Fraction(t, a)} + {Fraction(t, b)} = 1.",
    )


def _late(draw: Draw, level: int) -> Draft:
    """One begins, the other joins."""
    one, two = people(draw, 2)
    job, unit = draw.pick(_JOBS)
    while True:
        a, b, first = draw.between(4, 36), draw.between(4, 36), draw.between(1, 12)
        if first < a:
            rest = (1 - Fraction(first, a)) / (Fraction(1, a) + Fraction(1, b))
            if rest.denominator == 1 and a != b:
                break
    extra = asides(draw, level, one, "t")
    whole = draw.chance(0.5)
    answer = first + int(rest) if whole else int(rest)
    facts = [
        f"{one} can {job} alone in {a} {unit}, {two} in {b}.",
        draw.pick(
            (
                f"{one} starts alone; after {first} {unit if first > 1 else unit[:-1]}, {two} joins in.",
                f"For {first} {unit if first > 1 else unit[:-1]} {one} works alone, then {two} comes to help.",
            )
        ),
    ]
    question = f"How many {unit} does the whole job take?" if whole else f"How many {unit} do they then work together?"
    done = Fraction(first, a)
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(answer),
        facts={"kind": "late", "a": a, "b": b, "first": first, "whole": whole},
        template=f"late {job} {whole}",
        steps=[
            Step(f"{one} does {first}/{a} = {done} alone, so {1 - done} remains.", f"What is done before {two} comes?"),
            Step(f"Together they do 1/{a} + 1/{b} = {Fraction(1, a) + Fraction(1, b)} in one {unit[:-1]}."),
            Step(f"{1 - done} ÷ {Fraction(1, a) + Fraction(1, b)} = {rest} {unit if rest > 1 else unit[:-1]}.", "Now the rest.", Slip(f"1 ÷ {Fraction(1, a) + Fraction(1, b)} = {1 / (Fraction(1, a) + Fraction(1, b))}.", "That is for the whole job, but a part is done already.")),
            *([Step(f"{first} + {rest} = {answer}.", "The time alone counts too.")] if whole else []),
        ],
        says=f"{'The whole job takes' if whole else 'Together they work'} {answer} {unit if answer > 1 else unit[:-1]}.",
        given=known(draw, f"{a} and {b} {unit} alone; the first {first} {unit if first > 1 else unit[:-1]} only {one}.", extra),
        check=f"{one}: {first + rest}/{a}, {two}: {rest}/{b}; together {Fraction(first + rest, a)} + {Fraction(rest, b)} = 1.",
    )  # fmt: skip


def _leak(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    vessel, inlet = draw.pick(_FILLED)
    unit = draw.pick(("hours", "minutes"))
    while True:
        a, b = draw.between(2, 30), draw.between(3, 60)
        if b > a and a * b % (b - a) == 0 and a * b // (b - a) < 200:
            break
    t = a * b // (b - a)
    extra = asides(draw, level, who, "t")
    out = draw.pick(("the drain empties it", "a leak would empty it", "an open outlet empties it"))
    facts = [draw.pick((f"One {inlet} fills {who}'s {vessel} in {a} {unit}.", f"{who} has a {vessel} that a {inlet} fills in {a} {unit}.")).replace("a oil", "an oil").replace("a inlet", "an inlet"), f"When it is full, {out} in {b} {unit}.", draw.pick((f"By mistake both are open, and the {vessel} is empty at first.", f"The {vessel} is empty, and both stay open."))]  # fmt: skip
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick((f"After how many {unit} is it full?", f"How many {unit} does filling take now?")),
            extra,
        ),
        answer=str(t),
        facts={"kind": "leak", "a": a, "b": b},
        template=f"leak {vessel} {unit}",
        steps=[
            Step(f"In one {unit[:-1]}, 1/{a} flows in and 1/{b} out.", "Shares of the whole in a unit of time:"),
            Step(
                f"1/{a} − 1/{b} = {Fraction(1, a) - Fraction(1, b)}.",
                "What goes out works against what comes in.",
                Slip(f"1/{a} + 1/{b} = {Fraction(1, a) + Fraction(1, b)}.", "Out is the other way, so take it off."),
            ),
            Step(f"1 ÷ {Fraction(1, a) - Fraction(1, b)} = {t}."),
        ],
        says=f"It is full after {t} {unit}.",
        given=known(draw, f"In: {a} {unit}; out: {b} {unit}.", extra),
        check=f"{t}/{a} − {t}/{b} = {Fraction(t, a)} − {Fraction(t, b)} = 1.",
    )


def _alone(draw: Draw, level: int) -> Draft:
    one, two = people(draw, 2)
    job, unit = draw.pick(_JOBS)
    a, b, t = _pair(draw, level, 60)
    extra = asides(draw, level, one, "t")
    facts = [
        draw.pick(
            (
                f"Together, {one} and {two} can {job} in {t} {unit if t > 1 else unit[:-1]}.",
                f"{one} and {two} {job} in {t} {unit if t > 1 else unit[:-1]} when both work.",
            )
        ),
        f"{one} alone would need {a} {unit}.",
    ]
    return Draft(
        question=told(draw, facts, f"How many {unit} would {two} need alone?", extra),
        answer=str(b),
        facts={"kind": "alone", "a": a, "t": t},
        template=f"alone {job}",
        steps=[
            Step(
                f"{two} does 1/{t} − 1/{a} of it in one {unit[:-1]}.",
                "Shares in a unit of time: both together, less the one.",
                Slip(
                    f"{a} − {t} = {a - t}.", "Times can't be taken from each other like this; shares of the work can."
                ),
            ),
            Step(f"1/{t} − 1/{a} = {Fraction(1, t) - Fraction(1, a)}."),
            Step(f"So {two} needs {b} {unit}."),
        ],
        says=f"{two} needs {b} {unit}.",
        given=known(draw, f"{t} together, {a} for {one}.", extra),
        check=f"1/{a} + 1/{b} = {Fraction(1, a) + Fraction(1, b)}.",
    )


def _pay(draw: Draw, level: int) -> Draft:
    one, two, three = people(draw, 3)
    job, _ = draw.pick(_JOBS)
    money = draw.pick(CURRENCIES)
    hours = [draw.between(2, 9 + level) for _ in range(3)]
    wage = draw.between(6, 24)
    total = wage * sum(hours)
    i = draw.between(0, 2)
    who = (one, two, three)[i]
    extra = asides(draw, level, one, "tm")
    facts = [
        f"{one}, {two} and {three} {job} for {total} {money.many} and share the money by the hours they worked.",
        draw.pick(
            (
                f"{one} worked {hours[0]} hours, {two} {hours[1]} and {three} {hours[2]}.",
                f"It was {hours[0]} hours for {one}, {hours[1]} for {two} and {hours[2]} for {three}.",
            )
        ),
    ]
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick((f"How many {money.many} does {who} get?", f"What is {who}'s share in {money.many}?")),
            extra,
        ),
        answer=str(wage * hours[i]),
        facts={"kind": "pay", "hours": hours, "total": total, "i": i},
        template=f"pay {job}",
        steps=[
            Step(
                f"{' + '.join(map(str, hours))} = {sum(hours)} hours.",
                "All hours first.",
                Slip(f"{total} ÷ 3 = {decimal(Fraction(total, 3))} each.", "They share by hours, not by heads."),
            ),
            Step(f"{total} ÷ {sum(hours)} = {wage} an hour."),
            Step(f"{wage} × {hours[i]} = {wage * hours[i]} for {who}."),
        ],
        says=f"{who} gets {wage * hours[i]} {money.many}.",
        given=known(draw, f"{total} {money.many}, {hours[0]}, {hours[1]} and {hours[2]} hours.", extra),
        check=f"{' + '.join(str(wage * h) for h in hours)} = {total}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "output":
        return str(Fraction(facts["made"] * facts["more"] * facts["longer"], facts["n"] * facts["hours"]))
    if kind == "crew":
        return str(Fraction(facts["n"] * facts["time"], facts["other"]))
    if kind == "pay":
        return str(Fraction(facts["total"] * facts["hours"][facts["i"]], sum(facts["hours"])))
    if kind == "alone":
        return str(next(b for b in range(1, 5000) if facts["a"] * b == facts["t"] * (facts["a"] + b)))
    a, b = facts["times"] if kind == "together" else (facts["a"], facts["b"])
    pieces = lcm(a, b)  # the job in small pieces, of which each does a whole number in a unit of time
    done, time, alone = 0, 0, facts.get("first", 0)
    while done < pieces:
        time += 1
        done += pieces // a
        if time > alone:
            done += -pieces // b if kind == "leak" else pieces // b
    assert done == pieces
    return str(time - (0 if facts.get("whole", True) else alone))


PIPELINE = Solver(
    make, solve, knobs="level: output, crews, shares of pay, together, one joins late, leaks, alone from together"
)
