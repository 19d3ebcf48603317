"""Systems of linear equations with two or three unknowns, bare or as stories of prices, animals, ages and coins.

`make` starts from the solution and eliminates; `solve` uses determinants.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.algebra._terms import plus, term
from phiforge.data.rows import Unfit
from phiforge.data.words import count, people

_ASKS = (
    "Solve the system {}.", "Find x and y with {}.", "Which pair (x, y) satisfies {}?", "{}. Find (x, y).", "Determine the solution of {}.", "For which x and y are both true: {}?", "Solve for x and y: {}.",
)  # fmt: skip
_PRICES = (
    ("coffee", "tea", "cents"), ("adult ticket", "child ticket", "euros"), ("pen", "notebook", "cents"), ("apple", "pear", "cents"), ("chair", "table", "euros"), ("bread roll", "cake", "cents"), ("rose", "tulip", "cents"), ("brush", "tube of paint", "cents"),
    ("day pass", "boat trip", "euros"), ("stamp", "postcard", "cents"), ("sandwich", "juice", "cents"), ("ball", "racket", "euros"),
)  # fmt: skip
_LEGS = (
    ("hens", 2, "rabbits", 4),
    ("ducks", 2, "sheep", 4),
    ("bicycles", 2, "tricycles", 3),
    ("stools", 3, "chairs", 4),
    ("motorcycles", 2, "cars", 4),
    ("beetles", 6, "spiders", 8),
    ("doubles rooms", 2, "family rooms", 5),
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_legs, _sum_difference),
        (_legs, _bare, _sum_difference),
        (_bare, _prices, _coins),
        (_prices, _bare, _coins),
        (_three, _bare),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _equation(row: list[int]) -> str:
    (a, b, c), names = row, "xy"
    if not a:
        return f"{term(b, names[1])} = {c}"
    return f"{term(a, names[0])} {plus(b, names[1])} = {c}" if b else f"{term(a, names[0])} = {c}"


def _eliminate(rows: list[list[int]], x: Fraction, y: Fraction) -> list[Step]:
    """Make the coefficients of x equal, subtract, and put the result in."""
    (a, b, c), (d, _e, _f) = rows
    if d == 0:
        return [
            Step(f"y = {y}.", "The second equation has only y."),
            Step(f"{_equation(rows[0])} gives x = {y and ''}{x}."),
        ]
    left, right = [d * v for v in rows[0]], [a * v for v in rows[1]]
    rest, total = left[1] - right[1], left[2] - right[2]
    slip = (
        Slip(
            f"{term(left[1] + right[1], 'y')} = {left[2] + right[2]}.",
            "Then x would not drop out: the equations have to be subtracted.",
        )
        if left[1] + right[1]
        else None
    )
    return [
        Step(
            f"{_equation(left)} and {_equation(right)}.",
            f"Multiply the first by {d} and the second by {a}, so that x has the same coefficient in both.",
        ),
        Step(f"{term(rest, 'y')} = {total}, so y = {y}.", "Subtract the second from the first.", slip),
        Step(f"{term(a, 'x')} = {c} − ({b}) × ({y}) = {c - b * y}, so x = {x}.", "Put it into the first equation."),
    ]


def _bare(draw: Draw, level: int) -> Draft:
    x, y = (Fraction(draw.between(-3 * level, 4 * level)) for _ in range(2))
    if level >= 4 and draw.chance(0.3):
        x = Fraction(draw.between(-15, 15), 2)
    most = 2 + level
    a, b, d, e = (draw.between(1, most) * draw.pick((1, 1, -1)) for _ in range(4))
    if a * e == b * d or (a * x + b * y).denominator > 1 or (d * x + e * y).denominator > 1:
        raise Unfit
    rows = [[a, b, int(a * x + b * y)], [d, e, int(d * x + e * y)]]
    form = draw.between(0, len(_ASKS) - 1)
    both = f"{_equation(rows[0])} and {_equation(rows[1])}"
    return Draft(
        question=_ASKS[form].format(both) + " Answer with a pair.",
        answer=f"({x}, {y})",
        facts={"rows": rows},
        template=f"bare {form} {'minus' if a * d < 0 else 'plus'} {b * e > 0}",
        steps=_eliminate(rows, x, y),
        says=f"x = {x} and y = {y}.",
        given=f"Two equations, {both}.",
        check=f"In the second equation: {d} × ({x}) + ({e}) × ({y}) = {rows[1][2]}.",
    )


def _legs(draw: Draw, level: int) -> Draft:
    one, m, two, n = draw.pick(_LEGS)
    what = {"bicycles": "wheels", "motorcycles": "wheels", "doubles rooms": "beds"}.get(one, "legs")
    one = one.replace("doubles rooms", "double rooms")
    x, y = draw.between(3, 12 * level), draw.between(3, 12 * level)
    heads, legs = x + y, m * x + n * y
    asked = draw.between(0, 1)
    where = (
        draw.pick(("In a yard there are", "Somebody counts", "On a farm are", "A visitor sees", "In a hall stand"))
        if what == "legs"
        else "There are"
    )
    form = draw.between(0, 2)
    question = (
        f"{where} {one} and {two}, {heads} in all, with {legs} {what} together. How many {(one, two)[asked]} are there?",
        f"{heads} {one} and {two} have {legs} {what}. How many of them are {(one, two)[asked]}?",
        f"Each of the {one} has {m} {what}, each of the {two} {n}. There are {heads} of both kinds, with {legs} {what}. Find the number of {(one, two)[asked]}.",
    )[form]  # fmt: skip
    steps = [
        Step(f"{heads} × {m} = {heads * m} {what}.", f"Suppose all of them were {one}."),
        Step(
            f"{legs} − {heads * m} = {legs - heads * m} {what} are missing, and {legs - heads * m} ÷ {n - m} = {y}: so many are {two}.",
            f"Each of the {two} has {n - m} more.",
            Slip(
                f"{legs - heads * m} ÷ {n} = {Fraction(legs - heads * m, n)}.",
                f"Exchanging one for another adds only {n} − {m} = {n - m}.",
            ),
        ),
    ]
    if asked == 0:
        steps.append(Step(f"{heads} − {y} = {x} are {one}."))
    return Draft(
        question=question,
        answer=str((x, y)[asked]),
        facts={"rows": [[1, 1, heads], [m, n, legs]], "asked": asked},
        template=f"legs {one} {form} {asked}",
        steps=steps,
        says=f"There are {(x, y)[asked]} {(one, two)[asked]}.",
        given=f"{heads} in all and {legs} {what}.",
        check=f"{m} × {x} + {n} × {y} = {legs}.",
    )


def _sum_difference(draw: Draw, level: int) -> Draft:
    x, y = draw.between(10, 60 * level), draw.between(2, 50 * level)
    if x <= y:
        x, y = y + 1, x
    asked = draw.between(0, 1)
    who = people(draw, 2)
    things = draw.pick(("stickers", "books", "points", "coins", "shells", "pages", "metres of rope", "kilometres"))
    form = draw.between(0, 2)
    question = (
        f"{who[0]} and {who[1]} have {x + y} {things} together, and {who[0]} has {x - y} more than {who[1]}. How many has {who[asked]}?",
        f"Two numbers add up to {x + y} and differ by {x - y}. Find the {('larger', 'smaller')[asked]} one.",
        f"{x + y} {things} are split so that {who[0]} gets {x - y} more than {who[1]}. How many does {who[asked]} get?",
    )[form]  # fmt: skip
    return Draft(
        question=question,
        answer=str((x, y)[asked]),
        facts={"rows": [[1, 1, x + y], [1, -1, x - y]], "asked": asked},
        template=f"sum {things if form != 1 else ''} {form} {asked}",
        steps=[
            Step(
                f"{x + y} − {x - y} = {2 * y}.",
                "Without the surplus both would be equal.",
                Slip(
                    f"{x + y} ÷ 2 = {Fraction(x + y, 2)}, plus {x - y} is {Fraction(x + y, 2) + x - y}.",
                    "Then the difference would be counted twice.",
                ),
            ),
            Step(f"{2 * y} ÷ 2 = {y} is the smaller part."),
            *([Step(f"{y} + {x - y} = {x} is the larger part.")] if asked == 0 else []),
        ],
        says=f"It is {(x, y)[asked]}.",
        given=f"Sum {x + y}, difference {x - y}.",
        check=f"{x} + {y} = {x + y} and {x} − {y} = {x - y}.",
    )


def _prices(draw: Draw, level: int) -> Draft:
    one, two, money = draw.pick(_PRICES)
    step = 5 if money == "cents" else 1
    x, y = draw.between(4, 40) * step, draw.between(4, 60) * step
    a, b, d, e = (draw.between(1, 3 + level) for _ in range(4))
    if a * e == b * d or x == y:
        raise Unfit
    rows = [[a, b, a * x + b * y], [d, e, d * x + e * y]]
    asked = draw.between(0, 1)
    who = people(draw, 2)
    ones, twos = f"{one}s", f"{two}s" if not two.startswith("tube") else "tubes of paint"
    ones, twos = (
        ones.replace("brushs", "brushes").replace("days pass", "day passes").replace("day passs", "day passes"),
        twos.replace("sandwichs", "sandwiches"),
    )
    ones = ones.replace("sandwichs", "sandwiches")
    form = draw.between(0, 1)

    def bought(n: int, m: int) -> str:
        return f"{count(n, one, ones)} and {count(m, two, twos)}"

    question = (
        f"{who[0]} pays {rows[0][2]} {money} for {bought(a, b)}; {who[1]} pays {rows[1][2]} {money} for {bought(d, e)}. What does one {(one, two)[asked]} cost, in {money}?",
        f"{bought(a, b)[0].upper()}{bought(a, b)[1:]} cost {rows[0][2]} {money}, {bought(d, e)} cost {rows[1][2]} {money}. Find the price of one {(one, two)[asked]} in {money}.",
    )[form]  # fmt: skip
    steps = [
        Step(
            f"{_equation(rows[0])} and {_equation(rows[1])}.",
            f"Let x be the price of one {one} and y that of one {two}.",
        ),
        *_eliminate(rows, Fraction(x), Fraction(y)),
    ]
    return Draft(
        question=question,
        answer=str((x, y)[asked]),
        facts={"rows": rows, "asked": asked},
        template=f"prices {one} {form} {asked}",
        steps=steps,
        says=f"One {(one, two)[asked]} costs {(x, y)[asked]} {money}.",
        given=f"Two bills with two unknown prices, {one} and {two}.",
        check=f"{d} × {x} + {e} × {y} = {rows[1][2]}, the second bill.",
    )


def _coins(draw: Draw, level: int) -> Draft:
    small, large = draw.pick(((5, 20), (10, 50), (20, 50), (5, 10), (10, 20), (50, 200)))
    x, y = draw.between(3, 10 * level), draw.between(3, 10 * level)
    asked = draw.between(0, 1)
    who = people(draw, 1)[0]
    n, value = x + y, small * x + large * y
    form = draw.between(0, 2)
    question = (
        f"{who} has {n} coins of {small} and {large} cents, worth {value} cents together. How many {(small, large)[asked]}-cent coins are there?",
        f"In {who}'s purse are {n} coins, some of {small} cents and some of {large} cents. They make {value} cents. How many of them are {(small, large)[asked]}-cent coins?",
        f"A machine holds {n} coins of {small} or {large} cents with a total of {value} cents. Find the number of {(small, large)[asked]}-cent coins.",
    )[form]  # fmt: skip
    steps = [
        Step(f"{n} × {small} = {n * small}.", f"If all were {small}-cent coins:"),
        Step(
            f"({value} − {n * small}) ÷ {large - small} = {y} coins of {large} cents.",
            f"Each {large}-cent coin adds {large - small} cents.",
        ),
    ]
    if asked == 0:
        steps.append(Step(f"{n} − {y} = {x} coins of {small} cents."))
    return Draft(
        question=question,
        answer=str((x, y)[asked]),
        facts={"rows": [[1, 1, n], [small, large, value]], "asked": asked},
        template=f"coins {small} {large} {form} {asked}",
        steps=steps,
        says=f"There are {(x, y)[asked]} of them.",
        given=f"{n} coins worth {value} cents.",
        check=f"{small} × {x} + {large} × {y} = {value}.",
    )


def _three(draw: Draw, level: int) -> Draft:
    root = [draw.between(-6, 9) for _ in range(3)]
    rows = [[draw.between(1, 3) * draw.pick((1, 1, -1)) for _ in range(3)] for _ in range(3)]
    rows[0][0] = 1
    if _det(rows) == 0:
        raise Unfit
    rows = [[*row, sum(a * x for a, x in zip(row, root, strict=True))] for row in rows]

    def shown(row: list[int]) -> str:
        text = term(row[0], "x") if row[0] else ""
        for c, name in zip(row[1:3], "yz", strict=True):
            text += (f" {plus(c, name)}" if text else term(c, name)) if c else ""
        return f"{text} = {row[3]}"

    steps = []
    reduced = []
    for number, row in (("second", rows[1]), ("third", rows[2])):
        new = [b - row[0] * a for a, b in zip(rows[0], row, strict=True)]
        reduced.append(new)
        steps.append(
            Step(
                f"{shown(new)}." if any(new[1:3]) else f"0 = {new[3]}.",
                f"From the {number} take {row[0]} times the first, so that x drops out.",
            )
        )
    (_, b, c, d), (_, e, f, g) = reduced
    if b == 0 and e == 0:
        raise Unfit
    if b * f == c * e:
        raise Unfit
    steps.append(
        Step(
            f"{term(b * f - c * e, 'y')} = {d * f - c * g}, so y = {root[1]}.",
            f"Multiply the first of these by {f}, the second by {c}, and subtract, so that z drops out.",
        )
    )
    steps.append(Step(f"z = {root[2]}.", "Put y into one of them." if c or f else ""))
    steps.append(
        Step(
            f"x = {rows[0][3]} − ({rows[0][1]}) × ({root[1]}) − ({rows[0][2]}) × ({root[2]}) = {root[0]}.",
            "Put both into the first equation.",
        )
    )
    form = draw.between(0, 3)
    question = (
        "Solve the system {}.",
        "Find x, y and z with {}.",
        "Which triple (x, y, z) satisfies {}?",
        "{}. Determine (x, y, z).",
    )[form].format(", ".join(map(shown, rows)))
    return Draft(
        question=question + " Answer with a triple.",
        answer=f"({', '.join(map(str, root))})",
        facts={"rows": rows},
        template=f"three {form}",
        steps=steps,
        says=f"x = {root[0]}, y = {root[1]}, z = {root[2]}.",
        given="Three equations with three unknowns; eliminate one after the other.",
        check=f"In the third: {' + '.join(f'({a}) × ({x})' for a, x in zip(rows[2], root, strict=False))} = {rows[2][3]}.",
    )


def _det(m: list[list[int]]) -> int:
    if len(m) == 2:
        return m[0][0] * m[1][1] - m[0][1] * m[1][0]
    return sum((-1) ** j * m[0][j] * _det([row[:j] + row[j + 1 :] for row in m[1:]]) for j in range(3))


def solve(facts: dict[str, Any]) -> str:
    """Cramer's rule."""
    rows = facts["rows"]
    n = len(rows)
    matrix, right = [row[:n] for row in rows], [row[n] for row in rows]
    whole = _det(matrix)
    values = []
    for i in range(n):
        changed = [[*row[:i], r, *row[i + 1 :]] for row, r in zip(matrix, right, strict=True)]
        values.append(Fraction(_det(changed), whole))
    return str(values[facts["asked"]]) if "asked" in facts else f"({', '.join(map(str, values))})"


PIPELINE = Solver(
    make,
    solve,
    knobs="level: sums and differences, heads and legs, then elimination, prices and coins, three unknowns",
)
