"""Counting: arrangements, choices, committees, words with repeated letters, paths on a grid, seatings, numbers from digits.

`make` uses products, factorials and binomials; `solve` counts by recursion over the possibilities.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations, product
from math import comb, factorial, perm
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import count, listed, people

_WORDS = ("LEVEL", "BANANA", "COFFEE", "BALLOON", "PEPPER", "TOMATO", "SETTLE", "COCOA", "ANNA", "KAYAK", "RADAR", "CARROT", "LITTLE", "MAMMAL", "DENDER", "TEPEE", "ERROR", "STATS", "PAPAYA", "GEESE", "ROTOR", "SEESAW", "ALASKA", "BUBBLE", "NOON", "HAPPY", "PUZZLE", "SUMMER", "YELLOW", "CHEESE")  # fmt: skip
_CLOTHES = ((("shirts", "trousers", "hats"), "outfits"), (("soups", "main courses", "desserts"), "menus"), (("breads", "cheeses", "sauces"), "sandwiches"), (("covers", "papers", "pens"), "writing sets"), (("frames", "saddles", "bells"), "bicycles"), (("sizes", "colours", "prints"), "kinds of shirt"), (("doors", "stairs", "corridors"), "ways in"), (("routes", "trains", "seats"), "journeys"))  # fmt: skip
_THINGS = (
    "books",
    "pictures",
    "flags",
    "plants",
    "cups",
    "records",
    "trophies",
    "hats",
    "maps",
    "lamps",
    "postcards",
    "model ships",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_outfits, _arrange),
        (_outfits, _arrange, _choose, _digits),
        (_choose, _podium, _letters, _digits),
        (_committee, _letters, _grid, _together),
        (_committee, _grid, _together, _stars, _at_least),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _outfits(draw: Draw, level: int) -> Draft:
    parts, wholes = draw.pick(_CLOTHES)
    n = [draw.between(2, 4 + 2 * level) for _ in range(2 if level < 2 else 3)]
    total = 1
    for x in n:
        total *= x
    told = listed([f"{x} {part}" for x, part in zip(n, parts, strict=False)])
    form = draw.between(0, 2)
    question = (
        f"There are {told}. How many different {wholes} can be put together, with one of each?",
        f"With {told} to choose from, one of each, how many {wholes} are possible?",
        f"Somebody combines one each of {told}. In how many ways can that be done?",
    )[form]
    return Draft(
        question=question, answer=str(total), facts={"kind": "product", "n": n}, template=f"outfits {wholes} {form}",
        steps=[Step(f"{' × '.join(map(str, n))} = {total}.", "Every choice of the one goes with every choice of the others.", Slip(f"{' + '.join(map(str, n))} = {sum(n)}.", "Adding would count single things, not combinations."))],
        says=f"There are {total} {wholes}.", given=f"One of each of {told}.", check=f"With one {parts[0][:-1]} fixed there are {total // n[0]}, and {n[0]} times that is {total}.",
    )  # fmt: skip


def _arrange(draw: Draw, level: int) -> Draft:
    n = draw.between(3, 5 + level)
    things = draw.pick(_THINGS)
    circle = level > 1 and draw.chance(0.35)
    total = factorial(n - 1) if circle else factorial(n)
    form = draw.between(0, 2)
    who = listed([str(p) for p in people(draw, n)]) if n <= 6 else f"{n} people"
    if circle:
        question = (
            f"In how many ways can {who} sit at a round table, if only who sits next to whom on which side counts?",
            f"{n} friends sit down in a circle. Seatings that differ by a turn are the same. How many are there?",
            f"How many circular orders of {n} different beads are there, if turning the circle changes nothing (but turning it over does)?",
        )[form]
        steps = [
            Step(f"{n}! = {factorial(n)} in a row.", "First as if the places were numbered.", None),
            Step(
                f"{factorial(n)} ÷ {n} = {total}.",
                f"Each circle was counted {n} times, once for every turn.",
                Slip(f"So {factorial(n)}.", "Turned seatings are the same."),
            ),
        ]
        check = f"With one person fixed, the other {n - 1} can be ordered in {n - 1}! = {total} ways."
    else:
        question = (
            f"In how many orders can {n} different {things} stand on a shelf?",
            f"How many ways are there to line up {who}?",
            f"{n} {things} are put in a row. How many different rows are possible?",
        )[form]
        steps = [
            Step(
                f"{' × '.join(str(i) for i in range(n, 0, -1))} = {total}.",
                f"{n} choices for the first place, {n - 1} for the next, and so on.",
                Slip(
                    f"{n} × {n} = {n * n}.",
                    "Each place has one choice fewer than the one before, and there are more than two.",
                ),
            )
        ]
        check = f"It is {n} times the {factorial(n - 1)} orders of {n - 1}."
    return Draft(
        question=question,
        answer=str(total),
        facts={"kind": "circle" if circle else "orders", "n": n},
        template=f"arrange {circle} {form} {things if form != 1 else ''}",
        steps=steps,
        says=f"There are {total}.",
        given=f"{n} different ones {'in a circle' if circle else 'in a row'}.",
        check=check,
    )


def _choose(draw: Draw, level: int) -> Draft:
    n, k = draw.between(5, 8 + 2 * level), draw.between(2, 4)
    form = draw.between(0, 4)
    total = comb(n, k)
    question = (
        f"In how many ways can {k} of {n} {draw.pick(_THINGS)} be chosen?", f"A team of {k} is picked from {n} players. How many teams are possible?", f"How many subsets with {k} elements has a set of {n} elements?", f"From {n} toppings, {k} different ones go on a pizza. How many pizzas are there?", f"{n} points lie on a circle. How many {('', '', 'chords join two of them', 'triangles have corners among them', 'quadrilaterals have corners among them')[k]}?",
    )[form]  # fmt: skip
    return Draft(
        question=question, answer=str(total), facts={"kind": "choose", "n": n, "k": k}, template=f"choose {form} {k}",
        steps=[Step(f"{' × '.join(str(n - i) for i in range(k))} = {perm(n, k)}.", "First with order:"), Step(f"{perm(n, k)} ÷ {k}! = {perm(n, k)} ÷ {factorial(k)} = {total}.", f"Each choice was counted in {factorial(k)} orders.", Slip(f"So the answer is {perm(n, k)}.", "The order doesn't count here."))],
        says=f"There are {total}.", given=f"{k} out of {n}, without order.", check=f"Leaving out {n - k} instead gives the same number: C({n}, {n - k}) = {comb(n, n - k)}.",
    )  # fmt: skip


def _podium(draw: Draw, level: int) -> Draft:
    n, k = draw.between(5, 12), draw.between(2, 4)
    form = draw.between(0, 2)
    roles = (
        "a chair and a deputy",
        "a chair, a deputy and a treasurer",
        "a chair, a deputy, a treasurer and a clerk",
    )[k - 2]
    question = (
        f"{n} runners start. In how many ways can the first {k} places be filled?",
        f"A club of {n} elects {roles}, all different people. How many outcomes are there?",
        f"How many ways are there to hang {k} of {n} pictures on {k} numbered hooks?",
    )[form]
    return Draft(
        question=question, answer=str(perm(n, k)), facts={"kind": "ordered", "n": n, "k": k}, template=f"podium {form} {k}",
        steps=[Step(f"{' × '.join(str(n - i) for i in range(k))} = {perm(n, k)}.", "The order counts, and nobody is taken twice.", Slip(f"{n}^{k} = {n**k}.", "That would let one be taken several times."))],
        says=f"There are {perm(n, k)}.", given=f"{k} places, {n} to fill them.", check=f"{comb(n, k)} choices, each in {factorial(k)} orders, make {perm(n, k)}.",
    )  # fmt: skip


def _letters(draw: Draw, level: int) -> Draft:
    word = draw.pick(_WORDS)
    form = draw.between(0, 2)
    times = {letter: word.count(letter) for letter in dict.fromkeys(word)}
    repeated = [f"{t}!" for t in times.values() if t > 1]
    total = factorial(len(word))
    for t in times.values():
        total //= factorial(t)
    question = (
        f"How many different arrangements have the letters of {word}?",
        f"In how many ways can the letters of the word {word} be ordered?",
        f"Count the different strings made of all letters of {word}.",
    )[form]
    return Draft(
        question=question, answer=str(total), facts={"kind": "letters", "word": word}, template=f"letters {word} {form}",
        steps=[Step(f"{len(word)}! = {factorial(len(word))}.", f"{word} has {len(word)} letters; first as if all were different."), Step(f"{factorial(len(word))} ÷ ({' × '.join(repeated)}) = {total}.", f"Equal letters can be exchanged unseen: {listed([f'{t} {letter}' for letter, t in times.items() if t > 1])}.", Slip(f"So {factorial(len(word))} arrangements.", "Equal letters make many of them look the same."))],
        says=f"There are {total} arrangements.", given=f"The letters {', '.join(f'{letter} ({t})' for letter, t in times.items())}.", check=f"Placing letter by letter gives the same: {_placed(times)} = {total}.",
    )  # fmt: skip


def _placed(times: dict[str, int]) -> str:
    left = sum(times.values())
    parts = []
    for t in times.values():
        parts.append(f"C({left}, {t})")
        left -= t
    return " × ".join(parts)


def _digits(draw: Draw, level: int) -> Draft:
    k = draw.between(2, 3 + (level > 2))
    digits = sorted(draw.sample(range(10), draw.between(4, 6)))
    if k > len(digits):
        k = len(digits)
    repeat = draw.chance(0.5)
    m, zero = len(digits), 0 in digits
    first = m - 1 if zero else m
    total = first * m ** (k - 1) if repeat else first * perm(m - 1, k - 1)
    form = draw.between(0, 1)
    listed_digits = listed(list(map(str, digits)))
    question = (
        f"How many numbers with {k} digits can be formed of the digits {listed_digits}, if digits {'may be repeated' if repeat else 'may not be repeated'}? (A number does not begin with 0.)",
        f"From the digits {listed_digits}, {k}-digit numbers are made, {'repetitions allowed' if repeat else 'each digit at most once'}. How many are there? (No leading zero.)",
    )[form]
    rest = " × ".join(str(m if repeat else m - 1 - i) for i in range(k - 1))
    return Draft(
        question=question, answer=str(total), facts={"kind": "digits", "digits": digits, "k": k, "repeat": repeat}, template=f"digits {form} {k} {repeat} {zero}",
        steps=[Step(f"The first digit has {first} choices.", "It may not be 0." if zero else "None of them is 0.", Slip(f"The first digit has {m} choices.", "0 can't stand first.") if zero else None), Step(f"{first} × {rest} = {total}.", "The others: " + ("any digit each." if repeat else "those that are left."))],
        says=f"There are {total} numbers.", given=f"{k} places, digits {listed_digits}.", check=f"Without the rule about 0 there would be {m**k if repeat else perm(m, k)}; those that begin with 0 are {(m ** (k - 1) if repeat else perm(m - 1, k - 1)) if zero else 0}, and the difference is {total}.",
    )  # fmt: skip


def _committee(draw: Draw, level: int) -> Draft:
    a, b = draw.between(4, 8), draw.between(4, 8)
    x, y = draw.between(1, 3), draw.between(1, 3)
    one, two = draw.pick(
        (
            ("women", "men"),
            ("teachers", "parents"),
            ("engineers", "designers"),
            ("pianists", "violinists"),
            ("adults", "children"),
            ("doctors", "nurses"),
        )
    )
    form = draw.between(0, 1)
    question = (
        f"A committee of {x} {one} and {y} {two} is chosen from {a} {one} and {b} {two}. In how many ways?",
        f"From {a} {one} and {b} {two}, how many groups with exactly {x} {one} and {y} {two} can be formed?",
    )[form]
    total = comb(a, x) * comb(b, y)
    return Draft(
        question=question, answer=str(total), facts={"kind": "committee", "a": a, "b": b, "x": x, "y": y}, template=f"committee {one} {form}",
        steps=[Step(f"C({a}, {x}) = {comb(a, x)} choices of {one}, C({b}, {y}) = {comb(b, y)} of {two}.", "Each group is chosen without order."), Step(f"{comb(a, x)} × {comb(b, y)} = {total}.", "Every choice of the one goes with every choice of the other.", Slip(f"C({a + b}, {x + y}) = {comb(a + b, x + y)}.", f"That would allow any mixture of {one} and {two}."))],
        says=f"There are {total}.", given=f"{x} of {a} and {y} of {b}.", check=f"It is less than all {comb(a + b, x + y)} groups of {x + y}, as it must be.",
    )  # fmt: skip


def _grid(draw: Draw, level: int) -> Draft:
    a, b = draw.between(2, 6), draw.between(2, 6)
    via = level > 4 and draw.chance(0.5)
    form = draw.between(0, 1)
    if via:
        p, q = draw.between(1, a - 1) if a > 1 else 0, draw.between(1, b - 1) if b > 1 else 0
        total = comb(p + q, p) * comb(a - p + b - q, a - p)
        question = (
            f"On a grid one walks from (0, 0) to ({a}, {b}), only right or up, and has to pass ({p}, {q}). How many ways are there?",
            f"How many shortest lattice paths from (0, 0) to ({a}, {b}) go through ({p}, {q})?",
        )[form]
        steps = [
            Step(f"To ({p}, {q}): C({p + q}, {p}) = {comb(p + q, p)} ways.", f"Of {p + q} steps, {p} go right."),
            Step(f"On to ({a}, {b}): C({a - p + b - q}, {a - p}) = {comb(a - p + b - q, a - p)} ways."),
            Step(f"{comb(p + q, p)} × {comb(a - p + b - q, a - p)} = {total}."),
        ]
        facts: dict[str, Any] = {"kind": "grid", "a": a, "b": b, "via": [p, q]}
        check = f"All paths without the condition are {comb(a + b, a)}, which is not fewer."
    else:
        total = comb(a + b, a)
        place = draw.pick(("streets", "a grid", "a chessboard of points", "lattice lines"))
        question = (
            f"On {place}, one goes {a} steps right and {b} steps up, in any order. How many different ways are there?",
            f"How many shortest paths lead from (0, 0) to ({a}, {b}) on {place}, going only right or up?",
        )[form]
        steps = [
            Step(
                f"C({a + b}, {a}) = {total}.",
                f"Of {a + b} steps, {a} are chosen to go right.",
                Slip(f"{a} × {b} = {a * b}.", "That counts the cells, not the paths."),
            )
        ]
        facts = {"kind": "grid", "a": a, "b": b, "via": None}
        check = f"The last step comes from the left or from below: {comb(a + b - 1, a - 1)} + {comb(a + b - 1, a)} = {total}."
    return Draft(
        question=question,
        answer=str(total),
        facts=facts,
        template=f"grid {form} {via}",
        steps=steps,
        says=f"There are {total} ways.",
        given=f"{a} right, {b} up.",
        check=check,
    )


def _together(draw: Draw, level: int) -> Draft:
    n = draw.between(4, 7)
    who = people(draw, 2)
    apart = draw.chance(0.5)
    together = 2 * factorial(n - 1)
    total = factorial(n) - together if apart else together
    form = draw.between(0, 1)
    question = (
        f"{who[0]}, {who[1]} and {n - 2} others stand in a row. In how many orders do {who[0]} and {who[1]} {'not stand' if apart else 'stand'} next to each other?",
        f"{n} people, {who[0]} and {who[1]} among them, line up. How many line-ups have these two {'apart' if apart else 'side by side'}?",
    )[form]
    steps = [
        Step(
            f"2 × {n - 1}! = {together} orders have them side by side.",
            "Take the two as one block, which can be turned round.",
            Slip(f"{n - 1}! = {factorial(n - 1)}.", "The block can stand in two orders."),
        )
    ]
    if apart:
        steps.append(
            Step(f"{n}! − {together} = {factorial(n)} − {together} = {total}.", "All the others have them apart.")
        )
    return Draft(
        question=question,
        answer=str(total),
        facts={"kind": "together", "n": n, "apart": apart},
        template=f"together {form} {apart} {n}",
        steps=steps,
        says=f"There are {total}.",
        given=f"{n} in a row, two of them {'apart' if apart else 'together'}.",
        check=f"Two given people are neighbours in 2/{n} of all {factorial(n)} orders: {together}.",
    )


def _stars(draw: Draw, level: int) -> Draft:
    n, k = draw.between(5, 14), draw.between(3, 4)
    least = draw.between(0, 1)
    things, boxes = draw.pick(
        (
            ("sweets", "children"),
            ("coins", "boxes"),
            ("balls", "bags"),
            ("votes", "candidates"),
            ("hours", "tasks"),
            ("points", "questions"),
        )
    )
    form = draw.between(0, 1)
    total = comb(n - 1, k - 1) if least else comb(n + k - 1, k - 1)
    question = (
        f"In how many ways can {n} equal {things} be distributed to {k} {boxes}, if {'each gets at least one' if least else 'some may get none'}?",
        f"How many solutions in {'positive' if least else 'non-negative'} whole numbers has {' + '.join('xyzw'[:k])} = {n}?",
    )[form]
    steps = [
        Step(
            f"{'One for each first; then ' if least else ''}{n - k if least else n} {'are left' if least else things} in a row with {k - 1} dividers between them.",
            "Equal things are only counted, so dividers tell everything.",
        ),
        Step(
            f"C({n - 1 if least else n + k - 1}, {k - 1}) = {total}.",
            "Choose the places of the dividers.",
            Slip(f"{k}^{n} = {k**n}.", "That would be for different things."),
        ),
    ]
    return Draft(
        question=question,
        answer=str(total),
        facts={"kind": "stars", "n": n, "k": k, "least": least},
        template=f"stars {form} {things if not form else ''} {least} {k}",
        steps=steps,
        says=f"There are {total} ways.",
        given=f"{count(n, 'equal thing')} into {k} parts.",
        check=f"Summing over the first part: {' + '.join(str(comb(n - i - 1, k - 2) if least else comb(n - i + k - 2, k - 2)) for i in range(least, n + 1 - least * (k - 1)))} = {total}.",
    )


def _at_least(draw: Draw, level: int) -> Draft:
    n, colours = draw.between(4, 7), draw.between(2, 4)
    total = colours**n - (colours - 1) ** n
    form = draw.between(0, 2)
    question = (
        f"Strings of length {n} are made of {colours} different letters, one of which is A. How many contain at least one A?",
        f"{n} numbered lamps can each have one of {colours} colours, red among them. In how many ways can they be set so that at least one is red?",
        f"A code has {n} places, each with one of {colours} symbols. How many codes contain a certain symbol at least once?",
    )[form]
    return Draft(
        question=question, answer=str(total), facts={"kind": "at least", "n": n, "colours": colours}, template=f"at least {form} {colours}",
        steps=[Step(f"{colours}^{n} = {colours**n} in all.", "It is easier to count those without."), Step(f"{colours - 1}^{n} = {(colours - 1) ** n} without it."), Step(f"{colours**n} − {(colours - 1) ** n} = {total}.", "", Slip(f"{n} × {colours}^{n - 1} = {n * colours ** (n - 1)}.", "That counts those with two or more several times."))],
        says=f"There are {total}.", given=f"{n} places, {colours} choices each.", check=f"By the number of places that have it: {' + '.join(str(comb(n, k) * (colours - 1) ** (n - k)) for k in range(1, n + 1))} = {total}.",
    )  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """By listing where there is little to list, else by recursion on the first choice."""
    return str(_COUNT[facts["kind"]](facts))


@cache
def _choices(n: int, k: int) -> int:
    """Pascal's rule."""
    if k < 0 or k > n:
        return 0
    return 1 if n == 0 else _choices(n - 1, k - 1) + _choices(n - 1, k)


@cache
def _orders(n: int, k: int) -> int:
    return 1 if k == 0 else n * _orders(n - 1, k - 1)


@cache
def _paths(a: int, b: int) -> int:
    return 1 if a == 0 or b == 0 else _paths(a - 1, b) + _paths(a, b - 1)


@cache
def _arrangements(left: tuple[int, ...]) -> int:
    if not any(left):
        return 1
    return sum(_arrangements(tuple(sorted(x - (i == j) for j, x in enumerate(left)))) for i, x in enumerate(left) if x)


@cache
def _split(n: int, k: int, least: int) -> int:
    if k == 1:
        return int(n >= least)
    return sum(_split(n - i, k - 1, least) for i in range(least, n + 1))


@cache
def _neighbours(n: int) -> int:
    """Orders of n in which 0 and 1 are neighbours."""
    return (
        sum(abs(order.index(0) - order.index(1)) == 1 for order in permutations(range(n)))
        if n < 7
        else 2 * (n - 1) * _orders(n - 2, n - 2)
    )


@cache
def _numbers(digits: tuple[int, ...], k: int, repeat: bool) -> int:
    if repeat:
        return sum(1 for each in product(digits, repeat=k) if each[0])
    return sum(1 for each in permutations(digits, k) if each[0])


@cache
def _without(n: int, colours: int, seen: bool) -> int:
    if n == 0:
        return int(seen)
    return _without(n - 1, colours, True) + (colours - 1) * _without(n - 1, colours, seen)


def _times(n: list[int]) -> int:
    return len(list(product(*map(range, n))))


_COUNT: dict[str, Any] = {
    "product": lambda f: _times(f["n"]),
    "orders": lambda f: _orders(f["n"], f["n"]),
    "circle": lambda f: _orders(f["n"], f["n"]) // f["n"],
    "choose": lambda f: _choices(f["n"], f["k"]),
    "ordered": lambda f: _orders(f["n"], f["k"]),
    "letters": lambda f: _arrangements(tuple(sorted(f["word"].count(x) for x in set(f["word"])))),
    "digits": lambda f: _numbers(tuple(f["digits"]), f["k"], f["repeat"]),
    "committee": lambda f: _choices(f["a"], f["x"]) * _choices(f["b"], f["y"]),
    "grid": lambda f: (
        _paths(f["a"], f["b"])
        if f["via"] is None
        else _paths(*f["via"]) * _paths(f["a"] - f["via"][0], f["b"] - f["via"][1])
    ),
    "together": lambda f: _orders(f["n"], f["n"]) - _neighbours(f["n"]) if f["apart"] else _neighbours(f["n"]),
    "stars": lambda f: _split(f["n"], f["k"], f["least"]),
    "at least": lambda f: _without(f["n"], f["colours"], False),
}

PIPELINE = Solver(
    make,
    solve,
    knobs="level: products and orders, choices, repeated letters, committees and grids, blocks and dividers",
)
