"""Ages: sums, differences and multiples, now, years ago and years ahead, of two or three people.

`make` sets up the younger one's age and solves; `solve` tries all ages.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import asides, known, told
from phiforge.data.words import TIMES, Person, count, people

_PAIRS = ("friends", "neighbours", "cousins", "members of the same choir", "colleagues", "two of the guests", "players of one team", "regulars of the same café", "passengers on the same train", "fellow gardeners", "from the same village", "in the same drawing class")  # fmt: skip
_OTHERS = (
    "a tortoise",
    "a parrot",
    "an old oak",
    "a lighthouse",
    "a bridge",
    "a piano",
    "a violin",
    "a sailing boat",
    "a house",
    "a church clock",
    "a steam engine",
    "a pear tree",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_sum, _later),
        (_sum, _later, _times),
        (_times, _when, _thing),
        (_when, _three, _thing, _shift),
        (_three, _shift, _when),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _opening(draw: Draw, one: Person, two: Person) -> list[str]:
    return [f"{one} and {two} are {draw.pick(_PAIRS)}."] if draw.chance(0.6) else []


def _sum(draw: Draw, level: int) -> Draft:
    one, two = people(draw, 2)
    young, gap = draw.between(4, 20 + 10 * level), draw.between(2, 8 + 6 * level)
    total = 2 * young + gap
    extra = asides(draw, level, one, "at")
    elder = draw.chance(0.5)
    facts = [
        *_opening(draw, one, two),
        draw.pick(
            (
                f"{one} is {count(gap, 'year')} older than {two}, and their ages add up to {total}.",
                f"Together they are {total} years old, {one} being {count(gap, 'year')} older than {two}.",
                f"The ages of {one} and {two} make {total} in all; {two} is {gap} years younger than {one}.",
            )
        ),
    ]
    who, age = (one, young + gap) if elder else (two, young)
    steps = [
        Step(
            f"{total} − {gap} = {2 * young}.",
            draw.pick(
                (
                    f"If {one} were as young as {two}, the sum would be {gap} less.",
                    f"Take away what {one} has more; then both are equal.",
                )
            ),
            Slip(f"Half of {total} each, and then {gap} on top.", f"Then the sum would be too large by {gap}."),
        ),
        Step(f"{2 * young} ÷ 2 = {young}, so {two} is {young}."),
    ]
    if elder:
        steps.append(
            Step(f"{young} + {gap} = {young + gap}, so {one} is {young + gap}.", f"{one} is the one asked about.")
        )
    return Draft(
        question=told(
            draw, facts, draw.pick((f"How old is {who}?", f"Find {who}'s age.", f"What is the age of {who}?")), extra
        ),
        answer=str(age),
        facts={"kind": "sum", "total": total, "gap": gap, "elder": elder},
        template=f"sum {elder} {len(facts)} {facts[0].split()[-1] if len(facts) > 1 else ''}",
        steps=steps,
        says=f"{who} is {age} years old.",
        given=known(draw, f"The sum of two ages is {total}, their difference {gap}.", extra),
        check=f"{young} + {young + gap} = {total}, and {young + gap} − {young} = {gap}.",
    )


def _later(draw: Draw, level: int) -> Draft:
    one, two = people(draw, 2)
    now, gap, years = draw.between(7, 40), draw.between(2, 5 + 5 * level), draw.between(2, 6 + 4 * level)
    past = draw.chance(0.4) and now > years
    older = draw.chance(0.5) or now <= gap
    other = now + gap if older else now - gap
    if past and other <= years:
        past = False
    then = other - years if past else other + years
    extra = asides(draw, level, one, "at")
    facts = [*_opening(draw, one, two), draw.pick((f"{one} is {now} years old and {two} is {count(gap, 'year')} {'older' if older else 'younger'}.", f"{two} is {count(gap, 'year')} {'older' if older else 'younger'} than {one}, who is {now}.", f"{one}, aged {now}, is {count(gap, 'year')} {'younger' if older else 'older'} than {two}."))]  # fmt: skip
    question = (
        f"How old was {two} {count(years, 'year')} ago?"
        if past
        else draw.pick(
            (
                f"How old will {two} be in {count(years, 'year')}?",
                f"What will {two}'s age be {count(years, 'year')} from now?",
            )
        )
    )
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(then),
        facts={"kind": "later", "now": now, "gap": gap if older else -gap, "years": -years if past else years},
        template=f"later {past} {older} {facts[0].split()[-1] if len(facts) > 1 else ''}",
        steps=[
            Step(f"{two} is {now} {'+' if older else '−'} {gap} = {other} now.", draw.pick((f"How old is {two} today?", "First today's age.", f"{two} is the {'older' if older else 'younger'} one.")), Slip(f"{two} is {now} {'−' if older else '+'} {gap} = {now - gap if older else now + gap} now." if now != gap else f"{two} is as old as {one}.", f"But {two} is {'older' if older else 'younger'} than {one}.")),
            Step(f"{other} {'−' if past else '+'} {years} = {then}.", f"{'Back' if past else 'Ahead'} by {count(years, 'year')}:"),
        ],
        says=f"{two} {'was' if past else 'will be'} {then}.",
        given=known(draw, f"{one} is {now}, {two} {gap} years {'older' if older else 'younger'}.", extra),
        check=f"{one} {'was' if past else 'will be'} {now - years if past else now + years} then, and the difference is still {gap}.",
    )  # fmt: skip


def _times(draw: Draw, level: int) -> Draft:
    """Now k times as old, with a difference or a sum."""
    one, two = people(draw, 2)
    k, young = draw.between(2, 5), draw.between(3, 16)
    by_sum = draw.chance(0.5)
    known_number = (k + 1) * young if by_sum else (k - 1) * young
    extra = asides(draw, level, one, "at")
    elder = draw.chance(0.4)
    who, age = (one, k * young) if elder else (two, young)
    facts = [*_opening(draw, one, two), f"{one} is {TIMES[k]} as old as {two}.", draw.pick((f"Their ages add up to {known_number}.", f"Together they are {known_number}.")) if by_sum else draw.pick((f"The difference between their ages is {known_number}.", f"{two} was born {known_number} years after {one}."))]  # fmt: skip
    parts = k + 1 if by_sum else k - 1
    steps = [
        Step(
            f"{two}'s age is one part and {one}'s {k} parts, so the {'sum' if by_sum else 'difference'} is {parts} {'parts' if parts > 1 else 'part'}.",
            draw.pick(("Think in parts.", f"Let {two}'s age be one part.")),
            Slip(f"The {'sum' if by_sum else 'difference'} is {k} parts.", f"No, {k} parts are {one}'s age alone."),
        ),
        Step(f"{known_number} ÷ {parts} = {young}, so {two} is {young}."),
    ]
    if elder:
        steps.append(Step(f"{k} × {young} = {k * young}, so {one} is {k * young}."))
    return Draft(
        question=told(draw, facts, f"How old is {who}?", extra),
        answer=str(age),
        facts={"kind": "times", "k": k, "number": known_number, "by_sum": by_sum, "elder": elder},
        template=f"times {k} {by_sum} {elder} {facts[0].split()[-1] if len(facts) > 2 else ''}",
        steps=steps,
        says=f"{who} is {age} years old.",
        given=known(draw, f"{one} is {TIMES[k]} as old as {two}; the {'sum' if by_sum else 'difference'} is {known_number}.", extra),
        check=f"{k} × {young} = {k * young}, and {k * young} {'+' if by_sum else '−'} {young} = {known_number}.",
    )  # fmt: skip


def _when(draw: Draw, level: int) -> Draft:
    """In how many years is one k times as old as the other, or when was that."""
    one, two = people(draw, 2)
    while True:
        k, then, years = draw.between(2, 5), draw.between(4, 22), draw.between(2, 14)
        past = draw.chance(0.35)
        young = then + years if past else then - years
        old = young + (k - 1) * then
        if young > 0 and old < 95:
            break
    gap = old - young
    extra = asides(draw, level, one, "at")
    facts = [
        *_opening(draw, one, two),
        draw.pick(
            (
                f"{one} is {old} and {two} is {young} years old.",
                f"Today {one} is {old} years old, {two} {young}.",
                f"{two} is {young}, {one} {old}.",
            )
        ),
    ]
    question = (
        f"How many years ago was {one} {TIMES[k]} as old as {two}?"
        if past
        else draw.pick(
            (
                f"In how many years will {one} be {TIMES[k]} as old as {two}?",
                f"After how many years is {one} {TIMES[k]} {two}'s age?",
            )
        )
    )
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(years),
        facts={"kind": "when", "old": old, "young": young, "k": k, "past": past},
        template=f"when {k} {past} {facts[0].split()[-1] if len(facts) > 1 else ''}",
        steps=[
            Step(f"{old} − {young} = {gap}.", "The difference between the ages never changes."),
            Step(f"Then {gap} is {'as much as' if k == 2 else f'{k - 1} times'} {two}'s age, which is therefore {gap}{f' ÷ {k - 1} = {then}' if k > 2 else ''}.", f"When {one} is {TIMES[k]} as old, the difference is {k - 1} {'time' if k == 2 else 'times'} {two}'s age.", Slip(f"{gap} ÷ {k} is {two}'s age then.", f"{one} has {k} parts and {two} one, so the difference is {k - 1}.")),
            Step(f"{max(then, young)} − {min(then, young)} = {years}.", f"{two} is {young} now."),
        ],
        says=f"That {'was' if past else 'will be'} {count(years, 'year')} {'ago' if past else 'from now'}.",
        given=known(draw, f"{one} is {old}, {two} {young}.", extra),
        check=f"Then they {'were' if past else 'will be'} {k * then} and {then}, and {k * then} = {k} × {then}.",
    )  # fmt: skip


def _shift(draw: Draw, level: int) -> Draft:
    """k times as old years ago, m times in some years."""
    one, two = people(draw, 2)
    while True:
        k, m, young = draw.between(3, 6), draw.between(2, 4), draw.between(3, 18)  # young: at the earlier time
        years, rest = divmod((k - m) * young, m - 1)  # k y + years = m (y + years)
        old = k * young
        if k > m and not rest and old + years < 95:
            break
    ago = draw.between(0, min(years, 9))
    ahead = years - ago
    extra = asides(draw, level, one, "at")
    first = (
        f"{count(ago, 'year').capitalize()} ago, {one} was {TIMES[k]} as old as {two}."
        if ago
        else f"{one} is {TIMES[k]} as old as {two} now."
    )
    second = (
        f"In {count(ahead, 'year')}, {one} will be only {TIMES[m]} as old."
        if ahead
        else f"Today {one} is only {TIMES[m]} as old."
    )
    elder = draw.chance(0.5)
    who, age = (one, old + ago) if elder else (two, young + ago)
    return Draft(
        question=told(draw, [*_opening(draw, one, two), first, second], f"How old is {who} now?", extra),
        answer=str(age),
        facts={"kind": "shift", "k": k, "m": m, "ago": ago, "ahead": ahead, "elder": elder},
        template=f"shift {k} {m} {elder} {bool(ago)} {bool(ahead)}",
        steps=[
            Step(f"Let y be {two}'s age {count(ago, 'year') + ' ago' if ago else 'now'}. {one}'s was {k}y then." if ago else f"Let y be {two}'s age now. {one}'s is {k}y.", "It is simplest to count from the earlier time."),
            Step(f"{count(years, 'year').capitalize()} later: {k}y + {years} = {m}(y + {years}).", f"From {'then' if ago else 'now'} to the other time it is {f'{ago} + {ahead} = {years}' if ago and ahead else years} years.", Slip(f"{k}y + {years} = {m}y.", f"{two} has grown older as well by then.")),
            Step(f"({k} − {m})y = {m} × {years} − {years} = {(m - 1) * years}, so y = {young}."),
            Step(f"Now {two} is {young + ago} and {one} is {old + ago}.", f"That was {count(ago, 'year')} ago." if ago else ""),
        ],
        says=f"{who} is {age}.",
        given=known(draw, f"Two times, {years} years apart, with a multiple at each.", extra),
        check=f"{old} = {k} × {young}, and {old + years} = {m} × {young + years}.",
    )  # fmt: skip


def _three(draw: Draw, level: int) -> Draft:
    one, two, three = people(draw, 3)
    a = draw.between(5, 30)
    gap, k = draw.between(2, 12), draw.between(2, 3)
    b, c = a + gap, k * a
    total = a + b + c
    who, age = draw.pick(((one, a), (two, b), (three, c)))
    extra = asides(draw, level, one, "at")
    facts = draw.shuffled([f"{two} is {gap} years older than {one}.", f"{three} is {TIMES[k]} as old as {one}."])
    facts.append(
        draw.pick(
            (
                f"The three of them are {total} years old together.",
                f"The sum of the three ages is {total}.",
                f"All three ages add up to {total}.",
            )
        )
    )
    parts = k + 2
    return Draft(
        question=told(draw, facts, draw.pick((f"How old is {who}?", f"Find {who}'s age.")), extra),
        answer=str(age),
        facts={"kind": "three", "gap": gap, "k": k, "total": total, "who": (one, two, three).index(who)},
        template=f"three {k} {(one, two, three).index(who)} {gap}",
        steps=[
            Step(
                f"Let {one} be x. Then {two} is x + {gap} and {three} is {k}x.",
                f"Both others are told by {one}'s age.",
            ),
            Step(
                f"x + x + {gap} + {k}x = {total}, that is {parts}x = {total - gap}.",
                "Add them up.",
                Slip(f"x + {gap} + {k}x = {total}.", f"That forgets {one} in the sum."),
            ),
            Step(f"x = {total - gap} ÷ {parts} = {a}."),
            Step(f"{two} is {b} and {three} is {c}."),
        ],
        says=f"{who} is {age} years old.",
        given=known(draw, f"Three ages with the sum {total}, all tied to {one}'s.", extra),
        check=f"{a} + {b} + {c} = {total}.",
    )


def _thing(draw: Draw, level: int) -> Draft:
    """A thing that is some years older than a person, in a year when the ages have a sum."""
    who, other = people(draw, 1)[0], draw.pick(_OTHERS)
    name = other.split(" ", 1)[1]
    age, gap, years = draw.between(8, 40), draw.between(15, 120), draw.between(3, 15)
    total = 2 * (age + years) + gap
    extra = asides(draw, level, who, "at")
    facts = [draw.pick((f"Near {who}'s home there is {other}; it is {gap} years older than {who}.", f"{who} knows {other} that is {gap} years older than {who}.")).replace(f"older than {who}.", f"older than {who.they} is."), f"In {years} years, the {name} and {who} will be {total} years old together."]  # fmt: skip
    return Draft(
        question=told(draw, facts, draw.pick((f"How old is {who} today?", f"What is {who}'s age now?")), extra),
        answer=str(age),
        facts={"kind": "thing", "gap": gap, "years": years, "total": total},
        template=f"thing {name}",
        steps=[
            Step(
                f"{total} − 2 × {years} = {total - 2 * years}.",
                "Both grow older, so the sum grows by twice the years.",
                Slip(f"{total} − {years} = {total - years}.", f"The years pass for the {name} as well."),
            ),
            Step(
                f"{total - 2 * years} − {gap} = {2 * age}.",
                f"Today's sum without the {gap} years that the {name} has more.",
            ),
            Step(f"{2 * age} ÷ 2 = {age}."),
        ],
        says=f"{who} is {age}.",
        given=known(draw, f"The {name} is {gap} years older; in {years} years the sum is {total}.", extra),
        check=f"{age + years} + {age + gap + years} = {total}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "later":
        return str(facts["now"] + facts["gap"] + facts["years"])
    if kind == "when":
        step = -1 if facts["past"] else 1
        return str(
            next(abs(t) for t in range(0, 100 * step, step) if facts["old"] + t == facts["k"] * (facts["young"] + t))
        )
    found: list[int] = []
    for young in range(1, 200):
        if kind == "sum" and young + young + facts["gap"] == facts["total"]:
            found.append(young + facts["gap"] if facts["elder"] else young)
        if kind == "times" and facts["number"] == (
            facts["k"] * young + young if facts["by_sum"] else facts["k"] * young - young
        ):
            found.append(facts["k"] * young if facts["elder"] else young)
        if kind == "shift":
            old = facts["k"] * (young - facts["ago"]) + facts["ago"]
            if young > facts["ago"] and old + facts["ahead"] == facts["m"] * (young + facts["ahead"]):
                found.append(old if facts["elder"] else young)
        if kind == "three":
            three = (young, young + facts["gap"], facts["k"] * young)
            if sum(three) == facts["total"]:
                found.append(three[facts["who"]])
        if kind == "thing" and young + facts["years"] + young + facts["gap"] + facts["years"] == facts["total"]:
            found.append(young)
    (only,) = found
    return str(only)


PIPELINE = Solver(
    make, solve, knobs="level: sums and differences, multiples, years ahead and ago, three people, two times"
)
