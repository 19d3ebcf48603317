"""Two kinds in one count: coins, tickets, wheels and legs, points; how many of each, by the total and the value.

`make` supposes all were of one kind; `solve` tries all numbers.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import asides, known, told
from phiforge.data.words import people

# Two kinds with what each counts for, and how the whole is told: {n} things, {v} in all.
_KINDS = (
    ("20-cent coins", 20, "50-cent coins", 50, "In {who}'s purse there are {n} coins, of 20 and of 50 cents, worth {v} cents in all."), ("5-euro notes", 5, "20-euro notes", 20, "{who} has {n} notes, of 5 and of 20 euros, {v} euros together."), ("10-cent coins", 10, "20-cent coins", 20, "A parking meter holds {n} coins, of 10 and of 20 cents; {who} counts {v} cents."),
    ("chickens", 2, "rabbits", 4, "On {who}'s farm chickens and rabbits have {n} heads and {v} legs."), ("bicycles", 2, "tricycles", 3, "{who} repairs bicycles and tricycles: {n} of them, with {v} wheels in all."), ("motorcycles", 2, "cars", 4, "In {who}'s car park stand {n} motorcycles and cars, with {v} wheels on the ground."),
    ("children's tickets", 4, "adults' tickets", 9, "{who} sells {n} tickets, at 4 euros for children and 9 euros for adults, and takes in {v} euros."), ("small boxes", 6, "large boxes", 15, "{who} packs {v} eggs into {n} boxes, small ones for 6 and large ones for 15, all full."), ("two-pointers", 2, "three-pointers", 3, "{who}'s team makes {n} baskets, worth two or three points each, and scores {v} points."),
    ("beetles", 6, "spiders", 8, "{who} collects beetles with 6 legs and spiders with 8: {n} animals, {v} legs."), ("pens", 3, "notebooks", 7, "For {v} euros, {who} buys {n} things, pens at 3 euros and notebooks at 7."), ("double rooms", 2, "family rooms", 5, "{who}'s hotel has {n} rooms, double rooms for 2 and family rooms for 5, {v} beds in all."),
    ("tables for four", 4, "tables for ten", 10, "In {who}'s restaurant {v} guests sit at {n} full tables, for four or for ten."), ("short planks", 2, "long planks", 5, "{who} lays {n} planks end to end, of 2 or 5 metres, and they reach {v} metres."), ("single scoops", 1, "sundaes", 3, "{who} serves {n} guests, each with a single scoop or a sundae of three scoops, {v} scoops in all."), ("letters", 2, "parcels", 9, "{who} posts {n} things, letters at 2 euros and parcels at 9, for {v} euros."),
    ("stools", 3, "chairs", 4, "{who}'s workshop makes {n} stools with three legs and chairs with four, from {v} legs."), ("rowing boats", 3, "canoes", 2, "On the lake {v} people sit in {n} full boats of {who}'s, rowing boats for 3 and canoes for 2."),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_two,),
        (_two, _points),
        (_two, _points, _relation),
        (_two, _relation, _three),
        (_relation, _three, _points),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _ask(draw: Draw, name: str) -> str:
    return draw.pick((f"How many {name} are there?", f"How many of them are {name}?", f"Find the number of {name}."))


def _two(draw: Draw, level: int) -> Draft:
    who = people(draw, 1)[0]
    one, p, two, q, story = draw.pick(_KINDS)
    a, b = draw.between(2, 6 + 9 * level), draw.between(2, 6 + 9 * level)
    n, v = a + b, a * p + b * q
    first = draw.chance(0.5)
    name, answer = (one, a) if first else (two, b)
    extra = asides(draw, level, who, "m")
    gap = abs(q - p)
    more, less, high = (two, one, q) if q > p else (one, two, p)
    found = b if q > p else a
    low = min(p, q)
    steps = [
        Step(
            f"If all {n} were {less}, it would make {n} × {low} = {n * low}.",
            draw.pick(("Suppose they are all of one kind.", "A trick helps: take them all for the smaller kind.")),
        ),
        Step(
            f"{v} − {n * low} = {v - n * low} are missing.",
            "But it is more than that.",
            Slip(f"{v} ÷ {n} says how many.", "That would be an average, not a number of either."),
        ),
        Step(f"Each of the {more} adds {high} − {low} = {gap}, so there are {v - n * low} ÷ {gap} = {found} {more}."),
    ]
    if name != more:
        steps.append(Step(f"{n} − {found} = {answer} {name}.", "The others are asked for."))
    return Draft(
        question=told(draw, [story.format(who=who, n=n, v=v)], _ask(draw, name), extra),
        answer=str(answer),
        facts={"kind": "two", "n": n, "v": v, "p": p, "q": q, "first": first},
        template=f"two {one} {first}",
        steps=steps,
        says=f"There are {answer} {name}.",
        given=known(draw, f"{n} things of two kinds, {p} and {q}, and {v} in all.", extra),
        check=f"{a} × {p} + {b} × {q} = {v}, and {a} + {b} = {n}.",
    )


def _points(draw: Draw, level: int) -> Draft:
    """A quiz: points for right answers, points off for wrong ones."""
    who = people(draw, 1)[0]
    plus, minus = draw.between(3, 10), draw.between(1, 5)
    right, wrong = draw.between(4, 12 + 4 * level), draw.between(1, 10)
    n, score = right + wrong, plus * right - minus * wrong
    if score < 0:
        right, score = right + wrong, plus * (right + wrong) - minus * wrong
        n = right + wrong
    contest = draw.pick(
        (
            "a quiz",
            "a maths contest",
            "a geography test",
            "a spelling match",
            "a shooting gallery",
            "a chemistry olympiad",
            "a game show",
            "a music quiz",
            "a riddle night",
            "an orienteering exam",
            "a bird-watching test",
            "a vocabulary game",
        )
    )
    ask_wrong = draw.chance(0.4)
    extra = asides(draw, level, who, "m")
    facts = [
        draw.pick(
            (
                f"In {contest} a right answer brings {plus} points and a wrong one costs {minus}.",
                f"{contest[0].upper()}{contest[1:]} gives {plus} points for each right answer and takes {minus} off for each wrong one.",
            )
        ).replace("costs 1.", "costs 1 point."),
        draw.pick(
            (f"{who} answers {n} questions and has {score} points.", f"With {n} answers, {who} scores {score} points.")
        ),
    ]
    total = plus + minus
    return Draft(
        question=told(draw, facts, f"How many answers were {'wrong' if ask_wrong else 'right'}?", extra),
        answer=str(wrong if ask_wrong else right),
        facts={"kind": "points", "n": n, "plus": plus, "minus": minus, "score": score, "wrong": ask_wrong},
        template=f"points {contest} {ask_wrong}",
        steps=[
            Step(f"All right would be {n} × {plus} = {n * plus} points.", "Suppose every answer were right."),
            Step(f"{n * plus} − {score} = {n * plus - score} points were lost."),
            Step(f"A wrong answer loses {plus} + {minus} = {total}, so {n * plus - score} ÷ {total} = {wrong} were wrong.", "It misses its points and costs some besides.", Slip(f"A wrong answer loses {minus}.", f"It also misses the {plus} it would have brought.")),
            *([] if ask_wrong else [Step(f"{n} − {wrong} = {right}.")]),
        ],
        says=f"{wrong if ask_wrong else right} were {'wrong' if ask_wrong else 'right'}.",
        given=known(draw, f"{n} answers, {plus} for right, {minus} off for wrong, {score} points.", extra),
        check=f"{right} × {plus} − {wrong} × {minus} = {score}.",
    )  # fmt: skip


def _relation(draw: Draw, level: int) -> Draft:
    """A relation instead of the number: twice as many, or some more."""
    who = people(draw, 1)[0]
    one, p, two, q, _ = draw.pick([kind for kind in _KINDS if kind[1] != kind[3]])
    a = draw.between(2, 8 * level)
    k, plus = (draw.between(2, 4), 0) if draw.chance(0.5) else (1, draw.between(2, 12))
    b = k * a + plus
    v = a * p + b * q
    first = draw.chance(0.5)
    extra = asides(draw, level, who, "m")
    relation = (
        f"There are { ({2: 'twice', 3: 'three times', 4: 'four times'}[k]) } as many {two} as {one}."
        if k > 1
        else f"There are {plus} more {two} than {one}."
    )
    facts = [
        f"{who} has {one} and {two}; each of the {one} counts for {p}, each of the {two} for {q}.",
        relation,
        f"In all they make {v}.",
    ]
    name, answer = (one, a) if first else (two, b)
    return Draft(
        question=told(draw, facts, _ask(draw, name), extra),
        answer=str(answer),
        facts={"kind": "relation", "p": p, "q": q, "k": k, "plus": plus, "v": v, "first": first},
        template=f"relation {one} {k > 1} {first}",
        steps=[
            *([Step(f"{v} − {plus} × {q} = {v - plus * q}.", f"Without the {plus} more, there would be equally many.")] if plus else []),
            Step(f"One of the {one} with {k if k > 1 else 'one'} of the {two} makes {p} + {k} × {q} = {p + k * q}.", "Put them into groups.", Slip(f"{p} + {q} = {p + q}.", f"With each of the {one} come {k} of the {two}.") if k > 1 else None),
            Step(f"{v - plus * q} ÷ {p + k * q} = {a}.", "How many such groups?"),
            *([] if first else [Step(f"{k} × {a}{f' + {plus}' if plus else ''} = {b}.")]),
        ],
        says=f"There are {answer} {name}.",
        given=known(draw, f"Two kinds, {p} and {q}, {v} in all.", extra),
        check=f"{a} × {p} + {b} × {q} = {v}.",
    )  # fmt: skip


def _three(draw: Draw, level: int) -> Draft:
    """Three coins, with the number of one of them known by another."""
    who = people(draw, 1)[0]
    values = sorted(draw.sample((1, 2, 5, 10, 20, 50), 3))
    a, c = draw.between(2, 5 * level), draw.between(2, 5 * level)
    n, v = 2 * a + c, a * values[0] + a * values[1] + c * values[2]
    i = draw.between(0, 2)
    answer = (a, a, c)[i]
    extra = asides(draw, level, who, "m")
    x, y, z = values
    facts = [
        draw.pick(
            (
                f"{who} pays {v} cents with {n} coins of {x}, {y} and {z} cents.",
                f"{n} coins of {x}, {y} and {z} cents, {v} cents in all, lie in {who}'s drawer.",
            )
        ),
        f"There are as many {x}-cent coins as {y}-cent coins.",
    ]
    return Draft(
        question=told(draw, facts, f"How many {values[i]}-cent coins are there?", extra),
        answer=str(answer),
        facts={"kind": "three", "values": values, "n": n, "v": v, "i": i},
        template=f"three {x} {y} {z}",
        steps=[
            Step(f"Take a of each of the two, and {n} − 2a of the third.", "The first two are equally many."),
            Step(
                f"{x}a + {y}a + {z}({n} − 2a) = {v}, that is {z * n} − {2 * z - x - y}a = {v}.",
                "The value:",
                Slip(f"{x}a + {y}a + {z}({n} − a) = {v}.", "Two coins are taken for each a, not one."),
            ),
            Step(f"a = ({z * n} − {v}) ÷ {2 * z - x - y} = {a}."),
            *([Step(f"{n} − 2 × {a} = {c}.")] if i == 2 else []),
        ],
        says=f"There are {answer}.",
        given=known(draw, f"{n} coins, {v} cents, two kinds in equal number.", extra),
        check=f"{a} × {x} + {a} × {y} + {c} × {z} = {v}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "two":
        (a,) = [a for a in range(facts["n"] + 1) if a * facts["p"] + (facts["n"] - a) * facts["q"] == facts["v"]]
        return str(a if facts["first"] else facts["n"] - a)
    if kind == "points":
        (right,) = [
            r for r in range(facts["n"] + 1) if r * facts["plus"] - (facts["n"] - r) * facts["minus"] == facts["score"]
        ]
        return str(facts["n"] - right if facts["wrong"] else right)
    if kind == "relation":
        (a,) = [
            a
            for a in range(facts["v"] + 1)
            if a * facts["p"] + (facts["k"] * a + facts["plus"]) * facts["q"] == facts["v"]
        ]
        return str(a if facts["first"] else facts["k"] * a + facts["plus"])
    x, y, z = facts["values"]
    (a,) = [a for a in range(facts["n"] // 2 + 1) if a * (x + y) + (facts["n"] - 2 * a) * z == facts["v"]]
    return str((a, a, facts["n"] - 2 * a)[facts["i"]])


PIPELINE = Solver(make, solve, knobs="level: two kinds by number and value, quiz points, relations, three kinds")
