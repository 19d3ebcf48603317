"""Saving up and spending: pocket money until a goal, plans that differ, a start and a weekly change, who is ahead when.

`make` divides what is missing by what comes in; `solve` keeps the book week by week.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import CURRENCIES, asides, known, told
from phiforge.data.words import article, count, people, times_into

_GOALS = (
    "kayak",
    "camera",
    "drum kit",
    "telescope",
    "mountain bike",
    "sewing machine",
    "surfboard",
    "trip to the sea",
    "puppy",
    "laptop",
    "record player",
    "pair of skis",
    "tent",
    "ukulele",
    "chess computer",
    "3D printer",
    "skateboard",
    "season ticket",
    "leather jacket",
    "fountain pen collection",
    "microscope",
    "hammock chair",
)
_EARNS = (
    "delivering newspapers",
    "walking dogs",
    "tutoring",
    "mowing lawns",
    "washing cars",
    "babysitting",
    "selling drawings",
    "helping at the market",
    "repairing bicycles",
    "busking",
    "cleaning windows",
    "shovelling gravel",
)
_SPENDS = (
    "the bus",
    "music lessons",
    "the swimming club",
    "food for the rabbit",
    "strings for the guitar",
    "a magazine",
    "the phone",
    "the climbing hall",
    "lunch at school",
    "paint and paper",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = ((_goal,), (_goal, _net), (_net, _left, _start), (_left, _two, _start), (_two, _changed, _left, _net))
    return draw.pick(kinds[level - 1])(draw, level)


def _goal(draw: Draw, level: int) -> Draft:
    who, money, thing = people(draw, 1)[0], draw.pick(CURRENCIES).many, draw.pick(_GOALS)
    each, has = draw.between(4, 12 * level + 8), draw.between(5, 40 * level)
    n, unit = draw.between(4, 14 + 2 * level), draw.pick(("week", "month"))
    price = has + each * n - draw.between(0, each - 1)
    extra = asides(draw, level, who, "m")
    facts = [
        draw.pick(
            (
                f"{who} wants to buy {article(thing)} for {price} {money}.",
                f"{article(thing).capitalize()} costs {price} {money}, and {who} is saving for it.",
            )
        ),
        draw.pick(
            (
                f"{who} has {has} {money} and puts aside {each} {money} a {unit}.",
                f"There are {has} {money} in {who}'s money box already, and each {unit} {each} more go in.",
            )
        ),
    ]
    missing = price - has
    return Draft(
        question=told(draw, facts, draw.pick((f"After how many {unit}s is it enough?", f"How many {unit}s does {who} have to save?")), extra),
        answer=str(n),
        facts={"kind": "goal", "price": price, "has": has, "each": each},
        template=f"goal {thing} {unit}",
        steps=[
            Step(f"{price} − {has} = {missing} {money} are missing.", draw.pick(("What is missing?", "Some of it is there already."))),
            Step(f"{times_into(missing, each)}, so {count(n, unit)}.", f"Each {unit} adds {each}.", Slip(f"{price} ÷ {each}, forgetting the start.", f"But {has} are there already.") if has >= each else None),
        ],
        says=f"It takes {count(n, unit)}.",
        given=known(draw, f"Price {price}, there {has}, {each} more each {unit}.", extra),
        check=f"{has} + {n} × {each} = {has + n * each}, at least {price}; after {n - 1} it is only {has + (n - 1) * each}.",
    )  # fmt: skip


def _net(draw: Draw, level: int) -> Draft:
    """Earned, spent, and what remains each week."""
    who, money, thing = people(draw, 1)[0], draw.pick(CURRENCIES).many, draw.pick(_GOALS)
    times, pay, out = draw.between(2, 5), draw.between(5, 12 + 2 * level), draw.between(3, 9)
    net = times * pay - out
    n = draw.between(4, 16)
    price = n * net
    asked = draw.chance(0.5)
    extra = asides(draw, level, who, "m")
    facts = [
        draw.pick(
            (
                f"By {draw.pick(_EARNS)}, {who} earns {pay} {money} at a time, {times} times a week.",
                f"{times} times a week {who} earns {pay} {money} by {draw.pick(_EARNS)}.",
            )
        ),
        f"Each week {out} {money} of that go for {draw.pick(_SPENDS)}; the rest is saved.",
    ]
    if asked:
        facts.append(f"{article(thing).capitalize()} costs {price} {money}.")
    return Draft(
        question=told(draw, facts, f"In how many weeks can {who} pay for it?" if asked else f"How many {money} has {who} saved after {n} weeks?", extra),
        answer=str(n if asked else price),
        facts={"kind": "net", "times": times, "pay": pay, "out": out, "price": price if asked else None, "weeks": None if asked else n},
        template=f"net {facts[1].split(' for ')[1][:12]} {asked}",
        steps=[
            Step(f"{times} × {pay} = {times * pay} {money} a week.", "What comes in?"),
            Step(f"{times * pay} − {out} = {net} {money} a week are saved.", "What is spent does not count.", Slip(f"{pay} − {out} = {pay - out} each time.", "The spending is once a week, not every time.")),
            Step(f"{price} ÷ {net} = {n} weeks." if asked else f"{n} × {net} = {price}."),
        ],
        says=f"It takes {n} weeks." if asked else f"{who} has saved {price} {money}.",
        given=known(draw, f"{times} times {pay} in, {out} out, each week.", extra),
        check=f"Earned in {n} weeks: {n * times * pay}; spent: {n * out}; {n * times * pay} − {n * out} = {price}.",
    )  # fmt: skip


def _left(draw: Draw, level: int) -> Draft:
    """An amount spent in several ways, some as parts of what is left."""
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    k, j = draw.between(2, 5), draw.between(2, 4)
    end = draw.between(4, 20 * level) * (j - 1)
    after = end * j // (j - 1)
    fixed = draw.between(3, 15 * level)
    middle = after + fixed
    if middle % (k - 1):
        fixed += (k - 1) - middle % (k - 1)
        middle = after + fixed
    start = middle * k // (k - 1)
    a, b, c = draw.sample(_SPENDS, 3)
    names = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}
    back = level > 3 and draw.chance(0.5)
    extra = asides(draw, level, who, "m")
    facts = [
        f"{who} spends {names[k]} of the {'holiday money' if back else f'{start} {money} of holiday money'} on {a}.",
        f"{fixed} {money} go for {b}.",
        f"Of what is left then, {names[j]} is spent on {c}.",
    ]
    if back:
        facts.append(f"Now {end} {money} remain.")
    forward = [
        Step(f"{start} − {start // k} = {middle}.", f"{names[k].capitalize()} of {start} is {start // k}."),
        Step(f"{middle} − {fixed} = {after}."),
        Step(
            f"{after} − {after // j} = {end}.",
            f"{names[j].capitalize()} of {after} is {after // j}.",
            Slip(f"{names[j].capitalize()} of {start} is spent.", "It is of what is left then."),
        ),
    ]
    backward = [
        Step(
            f"{end} × {j}/{j - 1} = {after}.",
            f"The {end} are {j - 1} of {j} parts.",
            Slip(f"{end} × {j} = {end * j}.", f"That would be if only one of {j} parts were left.") if j > 2 else None,
        ),
        Step(f"{after} + {fixed} = {middle}."),
        Step(f"{middle} × {k}/{k - 1} = {start}.", f"And {middle} are {k - 1} of {k} parts."),
    ]
    return Draft(
        question=told(draw, facts, f"How many {money} was it at first?" if back else f"How many {money} remain?", extra),
        answer=str(start if back else end),
        facts={"kind": "left", "k": k, "fixed": fixed, "j": j, "start": None if back else start, "end": end if back else None},
        template=f"left {a} {back}",
        steps=backward if back else forward,
        says=f"It was {start} {money}." if back else f"{end} {money} remain.",
        given=known(draw, f"{names[k].capitalize()}, then {fixed}, then {names[j]} of the rest.", extra),
        check=f"{start} → {middle} → {after} → {end}.",
    )  # fmt: skip


def _start(draw: Draw, level: int) -> Draft:
    """A start from a balance at two times."""
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    each, start, a = draw.between(4, 15 * level), draw.between(10, 50 * level), draw.between(3, 10)
    b = a + draw.between(2, 12)
    extra = asides(draw, level, who, "m")
    asked = draw.chance(0.5)
    facts = [
        draw.pick(
            (
                f"{who} puts the same amount into a savings box every week.",
                f"Week after week, {who} saves the same amount by {draw.pick(_EARNS)}.",
            )
        ),
        f"After {a} weeks there are {start + a * each} {money} in it, after {b} weeks {start + b * each}.",
    ]
    answer = each if asked else start
    return Draft(
        question=told(
            draw,
            facts,
            f"How many {money} come in each week?" if asked else f"How many {money} were there before the first week?",
            extra,
        ),
        answer=str(answer),
        facts={"kind": "start", "a": a, "b": b, "at": [start + a * each, start + b * each], "asked": asked},
        template=f"start {asked} {a} {b}",
        steps=[
            Step(
                f"In {b} − {a} = {b - a} weeks it grows by {start + b * each} − {start + a * each} = {(b - a) * each}.",
                "Compare the two times.",
                Slip(f"{start + a * each} ÷ {a} a week.", "That is wrong if there was something at the start."),
            ),
            Step(f"{(b - a) * each} ÷ {b - a} = {each} a week."),
            *([] if asked else [Step(f"{start + a * each} − {a} × {each} = {start}.", "Back to the start:")]),
        ],
        says=f"{answer} {money} come in each week." if asked else f"There were {answer} {money}.",
        given=known(draw, f"{start + a * each} after {a} weeks, {start + b * each} after {b}.", extra),
        check=f"{start} + {b} × {each} = {start + b * each}.",
    )


def _two(draw: Draw, level: int) -> Draft:
    one, two = people(draw, 2)
    money, unit = draw.pick(CURRENCIES).many, draw.pick(("week", "month"))
    slow, faster, n = draw.between(3, 10 + 4 * level), draw.between(1, 9), draw.between(3, 20)
    fast, lead = slow + faster, faster * n
    start = draw.between(0, 30 * level)
    extra = asides(draw, level, one, "m")
    facts = [
        draw.pick(
            (
                f"{one} has {start + lead} {money} and saves {slow} a {unit}; {two} has {start} and saves {fast} a {unit}.",
                f"{one} begins with {start + lead} {money} and adds {slow} each {unit}, {two} begins with {start} and adds {fast}.",
            )
        )
    ]
    amount = draw.chance(0.4)
    both = start + lead + n * slow
    return Draft(
        question=told(
            draw,
            facts,
            f"How many {money} does each have when they have the same?"
            if amount
            else f"After how many {unit}s do both have the same?",
            extra,
        ),
        answer=str(both if amount else n),
        facts={"kind": "two", "one": [start + lead, slow], "two": [start, fast], "amount": amount},
        template=f"two {unit} {amount} {faster}",
        steps=[
            Step(f"{start + lead} − {start} = {lead}.", f"How far is {one} ahead?"),
            Step(
                f"{fast} − {slow} = {faster} a {unit}.",
                f"{two} catches up by the difference.",
                Slip(f"{two} catches up by {fast} a {unit}.", f"But {one} saves as well."),
            ),
            Step(f"{lead} ÷ {faster} = {n} {unit}s."),
            *([Step(f"{start} + {n} × {fast} = {both}.")] if amount else []),
        ],
        says=f"Then each has {both} {money}." if amount else f"After {n} {unit}s both have the same.",
        given=known(draw, f"A start of {start + lead} against {start}, {slow} against {fast} each {unit}.", extra),
        check=f"{start + lead} + {n} × {slow} = {both} = {start} + {n} × {fast}.",
    )


def _changed(draw: Draw, level: int) -> Draft:
    """A plan that changes half-way, or a bill in between."""
    who, money, thing = people(draw, 1)[0], draw.pick(CURRENCIES).many, draw.pick(_GOALS)
    first, second, a, b = draw.between(5, 20), draw.between(5, 40), draw.between(3, 9), draw.between(3, 14)
    bill = draw.between(1, first * a - 1)
    price = first * a - bill + second * b - draw.between(0, min(second, 5) - 1)
    extra = asides(draw, level, who, "m")
    facts = [
        f"{who} saves for {article(thing)} that costs {price} {money}.",
        f"For {a} weeks {who} puts aside {first} {money} a week.",
        draw.pick(
            (
                f"Then a repair costs {bill} {money} of the savings.",
                f"Then {bill} {money} of that go for {draw.pick(_SPENDS)}.",
            )
        ),
        f"From then on it is {second} {money} a week.",
    ]
    rest = price - first * a + bill
    return Draft(
        question=told(draw, facts, f"How many weeks does it take in all until {who} can buy it?", extra),
        answer=str(a + b),
        facts={"kind": "changed", "price": price, "first": first, "a": a, "bill": bill, "second": second},
        template=f"changed {thing}",
        steps=[
            Step(f"{a} × {first} − {bill} = {first * a - bill}.", "What is there after the first part?"),
            Step(f"{price} − {first * a - bill} = {rest} are missing."),
            Step(
                f"{times_into(rest, second)}, so {b} weeks more.",
                "At the new rate:",
            ),
            Step(
                f"{a} + {b} = {a + b}.",
                "All weeks were asked for.",
                Slip(f"The answer is {b}.", "The first weeks count too."),
            ),
        ],
        says=f"It takes {a + b} weeks in all.",
        given=known(draw, f"{a} weeks at {first}, {bill} lost, then {second} a week, up to {price}.", extra),
        check=f"{a * first} − {bill} + {b} × {second} = {a * first - bill + b * second}, at least {price}; a week earlier it would be {a * first - bill + (b - 1) * second}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "goal":
        has, weeks = facts["has"], 0
        while has < facts["price"]:
            has, weeks = has + facts["each"], weeks + 1
        return str(weeks)
    if kind == "net":
        has, weeks = 0, 0
        while weeks != facts["weeks"] and (facts["price"] is None or has < facts["price"]):
            has, weeks = has + sum([facts["pay"]] * facts["times"]) - facts["out"], weeks + 1
        return str(weeks if facts["weeks"] is None else has)
    if kind == "left":
        for start in range(1, 20_000) if facts["start"] is None else [facts["start"]]:
            if start % facts["k"] == 0:
                left = start - start // facts["k"] - facts["fixed"]
                if left % facts["j"] == 0 and facts["end"] in (None, left - left // facts["j"]):
                    return str(start if facts["start"] is None else left - left // facts["j"])
    if kind == "start":
        low, high = facts["at"]
        each = next(e for e in range(1, 10_000) if low + e * (facts["b"] - facts["a"]) == high)
        return str(each if facts["asked"] else low - sum([each] * facts["a"]))
    if kind == "two":
        (x, slow), (y, fast) = facts["one"], facts["two"]
        n = 0
        while x != y:
            x, y, n = x + slow, y + fast, n + 1
        return str(x if facts["amount"] else n)
    has, weeks = 0, 0
    while has < facts["price"] or weeks < facts["a"]:
        has += facts["first"] if weeks < facts["a"] else facts["second"]
        weeks += 1
        if weeks == facts["a"]:
            has -= facts["bill"]
    return str(weeks)


PIPELINE = Solver(
    make, solve, knobs="level: a goal, income and spending, parts of the rest, two savers, changed plans"
)
