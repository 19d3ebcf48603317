"""Probability: dice, coins, urns with and without replacement, cards, spinners, at least one, conditions, expected values.

`make` uses rules; `solve` lists equally likely outcomes, or follows the tree of draws.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product
from math import comb
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed

_COLOURS = ("red", "blue", "green", "yellow", "white", "black")
_BAGS = ("bag", "urn", "box", "jar", "basket", "drawer")
_THINGS = ("marble", "ball", "bead", "sweet", "counter", "sock", "button", "token")
_END = (" Give a fraction.", " Answer with a fraction in lowest terms.", " Give the exact value.", "")


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_one_draw, _die),
        (_one_draw, _two_dice, _coins),
        (_draws, _two_dice, _coins, _spinner),
        (_draws, _at_least, _cards, _expected),
        (_draws, _condition, _expected, _at_least),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _bag(draw: Draw, level: int, kinds: int) -> tuple[dict[str, int], str, str, str]:
    colours = draw.sample(_COLOURS, kinds)
    content = {colour: draw.between(2, 4 + 2 * level) for colour in colours}
    bag, thing = draw.pick(_BAGS), draw.pick(_THINGS)
    told = listed([count(n, f"{colour} {thing}") for colour, n in content.items()])
    return content, bag, thing, told


def _one_draw(draw: Draw, level: int) -> Draft:
    content, bag, thing, told = _bag(draw, level, 2 + (level > 1))
    wanted = draw.pick(list(content))
    negative = draw.chance(0.4)
    total = sum(content.values())
    hits = total - content[wanted] if negative else content[wanted]
    p = Fraction(hits, total)
    form = draw.between(0, 2)
    what = f"not {wanted}" if negative else wanted
    question = (
        (
            f"A {bag} holds {told}. One is taken at random. What is the probability that it is {what}?",
            f"From a {bag} with {told}, one {thing} is drawn blindly. How likely is it to be {what}?",
            f"There are {told} in a {bag}. Find the probability of drawing a {thing} that is {what}.",
        )[form]
        .replace("A urn", "An urn")
        .replace("a urn", "an urn")
    )
    others = [c for c in content if c != wanted]
    slip = Slip(
        f"{content[wanted]}/{total - content[wanted]}.", f"That compares with the others; it has to be all {total}."
    )
    return Draft(
        question=question + draw.pick(_END), answer=str(p), facts={"kind": "bag", "content": content, "draws": 1, "replace": True, "want": dict.fromkeys(others if negative else [wanted], 1), "any": True},
        template=f"one {form} {negative} {thing}", steps=[Step(f"There are {total} {thing}s in all.", ""), Step(f"{hits} of them are {what}, so the probability is {hits}/{total}{f' = {p}' if str(p) != f'{hits}/{total}' else ''}.", "All are equally likely.", slip)],
        says=f"The probability is {p}.", given=f"{told}; wanted: {what}.", check=f"The other {total - hits} have probability {1 - p}, together 1.",
    )  # fmt: skip


_EVENTS = (
    ("even", lambda n: n % 2 == 0), ("odd", lambda n: n % 2 == 1), ("a prime", lambda n: n in (2, 3, 5, 7, 11, 13, 17, 19)), ("a multiple of 3", lambda n: n % 3 == 0), ("at least 5", lambda n: n >= 5), ("less than 4", lambda n: n < 4), ("a square", lambda n: n in (1, 4, 9, 16)), ("greater than 2", lambda n: n > 2), ("a divisor of 6", lambda n: 6 % n == 0), ("a multiple of 4", lambda n: n % 4 == 0),
)  # fmt: skip


def _die(draw: Draw, level: int) -> Draft:
    sides = draw.pick((6, 6, 8, 10, 12, 20, 4))
    index = draw.between(0, len(_EVENTS) - 1)
    name, test = _EVENTS[index]
    hits = [n for n in range(1, sides + 1) if test(n)]
    p = Fraction(len(hits), sides)
    form = draw.between(0, 2)
    question = (
        f"A fair die with {sides} sides, numbered 1 to {sides}, is rolled. What is the probability that the number is {name}?",
        f"How likely is a roll of a fair {sides}-sided die (1 to {sides}) to be {name}?",
        f"Cards numbered 1 to {sides} are shuffled and one is drawn. Find the probability that its number is {name}.",
    )[form]
    return Draft(
        question=question + draw.pick(_END), answer=str(p), facts={"kind": "die", "sides": sides, "event": index}, template=f"die {form} {index}",
        steps=[Step(f"Those that are {name}: {listed(list(map(str, hits))) if hits else 'none'}.", "Which numbers count?"), Step(f"{len(hits)} of {sides}: {len(hits)}/{sides}{f' = {p}' if str(p) != f'{len(hits)}/{sides}' else ''}.")],
        says=f"The probability is {p}.", given=f"{sides} equally likely numbers.", check=f"{sides - len(hits)} numbers are left, with probability {1 - p}.",
    )  # fmt: skip


def _two_dice(draw: Draw, level: int) -> Draft:
    m, n = (6, 6) if level < 3 or draw.chance(0.5) else (draw.pick((4, 6, 8)), draw.pick((4, 6, 8)))
    kind = draw.pick(("sum", "at least", "difference", "larger", "product"))
    k = (
        draw.between(3, m + n - 2)
        if kind in ("sum", "at least")
        else draw.between(1, min(m, n) - 1)
        if kind == "difference"
        else draw.pick((6, 12, 4, 8))
    )
    tests = {
        "sum": lambda a, b: a + b == k,
        "at least": lambda a, b: a + b >= k,
        "difference": lambda a, b: abs(a - b) == k,
        "larger": lambda a, b: a > b,
        "product": lambda a, b: a * b == k,
    }
    pairs = [(a, b) for a in range(1, m + 1) for b in range(1, n + 1) if tests[kind](a, b)]
    if not pairs:
        raise Unfit
    dice = "Two fair dice" if (m, n) == (6, 6) else f"Two fair dice, one with {m} sides and one with {n},"
    what = {
        "sum": f"the sum is {k}",
        "at least": f"the sum is at least {k}",
        "difference": f"the numbers differ by exactly {k}",
        "larger": "the first shows more than the second",
        "product": f"the product is {k}",
    }[kind]
    p = Fraction(len(pairs), m * n)
    form = draw.between(0, 1)
    question = (
        f"{dice} are rolled. What is the probability that {what}?",
        f"{dice} are thrown together. How likely is it that {what}?",
    )[form]
    shown = (
        ", ".join(f"({a}, {b})" for a, b in pairs)
        if len(pairs) <= 12
        else f"{', '.join(f'({a}, {b})' for a, b in pairs[:4])}, … — {len(pairs)} in all"
    )
    slip = (
        Slip(f"The sums run from 2 to {m + n}, so 1/{m + n - 1}.", "The sums are not equally likely; the pairs are.")
        if kind == "sum"
        else None
    )
    return Draft(
        question=question + draw.pick(_END), answer=str(p), facts={"kind": "dice", "m": m, "n": n, "test": kind, "k": k}, template=f"dice {kind} {form} {m}{n}",
        steps=[Step(f"There are {m} × {n} = {m * n} equally likely pairs.", "", slip), Step(f"Pairs that count: {shown}.", ""), Step(f"{len(pairs)}/{m * n}{f' = {p}' if str(p) != f'{len(pairs)}/{m * n}' else ' is in lowest terms'}.")],
        says=f"The probability is {p}.", given=f"Pairs of two dice; {what}.", check=f"By the first die: {' + '.join(str(sum(a == i for a, _ in pairs)) for i in range(1, m + 1))} = {len(pairs)} pairs.",
    )  # fmt: skip


def _coins(draw: Draw, level: int) -> Draft:
    n = draw.between(2, 4 + level)
    k = draw.between(0, n)
    least = draw.chance(0.4) and 0 < k < n
    hits = sum(comb(n, i) for i in range(k, n + 1)) if least else comb(n, k)
    p = Fraction(hits, 2**n)
    form = draw.between(0, 2)
    thing = ("heads", "a six-or-odd surprise", "girls")[0]
    what = f"{'at least' if least else 'exactly'} {k} {thing}"
    question = (
        f"A fair coin is tossed {n} times. What is the probability of {what}?",
        f"{n} fair coins are thrown. How likely are {what}?",
        f"Find the probability that {n} tosses of a fair coin show {what}.",
    )[form]
    terms = " + ".join(f"C({n}, {i})" for i in range(k, n + 1)) if least else f"C({n}, {k})"
    return Draft(
        question=question + draw.pick(_END), answer=str(p), facts={"kind": "coins", "n": n, "k": k, "least": least}, template=f"coins {form} {least} {n}",
        steps=[Step(f"2^{n} = {2**n} equally likely rows.", "Each toss doubles the number."), Step(f"{terms} = {hits} of them have {what}.", "Choose which tosses are heads.", Slip(f"There are {n + 1} possible numbers of heads, so 1/{n + 1}.", "These numbers are not equally likely.")), Step(f"{hits}/{2**n}{f' = {p}' if str(p) != f'{hits}/{2**n}' else ' is in lowest terms'}.")],
        says=f"The probability is {p}.", given=f"{n} tosses, {what}.", check=f"The others are {2**n - hits} of {2**n}, probability {1 - p}.",
    )  # fmt: skip


def _draws(draw: Draw, level: int) -> Draft:
    content, bag, thing, told = _bag(draw, 2, 2 + (level > 4))
    n = 2 if level < 5 else draw.between(2, 3)
    replace = draw.chance(0.4)
    colours = list(content)
    order = [draw.pick(colours) for _ in range(n)] if draw.chance(0.6) else [colours[0]] * n
    same = len(set(order)) == 1
    in_order = not same and draw.chance(0.5)
    want = {c: order.count(c) for c in dict.fromkeys(order)}
    if any(want[c] > content[c] for c in want):
        raise Unfit
    total = sum(content.values())
    p, parts = Fraction(1), []
    left = dict(content)
    for i, colour in enumerate(order):
        size = total if replace else total - i
        parts.append(f"{left[colour]}/{size}")
        p *= Fraction(left[colour], size)
        if not replace:
            left[colour] -= 1
    ways = 1
    if not in_order and not same:
        rest = n
        for c in want.values():
            ways *= comb(rest, c)
            rest -= c
    answer = p * ways
    how = (
        "one after the other, each put back before the next"
        if replace
        else draw.pick(("at once", "one after the other without putting any back"))
    )
    if in_order:
        how = "one after the other" + (", each put back before the next" if replace else " without putting any back")
    what = (
        f"all {n} are {order[0]}"
        if same
        else "the colours are " + ", then ".join(order)
        if in_order
        else "among them are " + listed([f"{c} {colour}" for colour, c in want.items()])
    )
    form = draw.between(0, 1)
    number = {2: "Two", 3: "Three"}[n]
    question = (
        (
            f"A {bag} holds {told}. {number} are drawn {how}. What is the probability that {what}?",
            f"From a {bag} with {told}, {number.lower()} {thing}s are taken {how}. How likely is it that {what}?",
        )[form]
        .replace("A urn", "An urn")
        .replace("a urn", "an urn")
    )
    slip = (
        Slip(" × ".join(f"{content[c]}/{total}" for c in order) + ".", "After each draw one is missing.")
        if not replace
        else None
    )
    steps = [Step(f"{' × '.join(parts)} = {p}.", "Along one path of the tree:", slip)]
    if ways > 1:
        steps.append(
            Step(
                f"{ways} × {p} = {answer}.",
                f"There are {ways} orders in which that can happen.",
                Slip(f"So {p}.", "That is only one of the orders."),
            )
        )
    return Draft(
        question=question + draw.pick(_END), answer=str(answer), facts={"kind": "bag", "content": content, "draws": n, "replace": replace, "want": want, "order": order if in_order else None},
        template=f"draws {form} {n} {replace} {same} {in_order}", steps=steps, says=f"The probability is {answer}.", given=f"{told}; {what}; {'with' if replace else 'without'} putting back.",
        check=f"As a decimal that is {float(answer):.4f}, and with equal chances of all colours it would be about {ways / len(content) ** n:.4f}.",
    )  # fmt: skip


def _spinner(draw: Draw, level: int) -> Draft:
    n = draw.between(5, 12)
    red = draw.between(1, n - 2)
    spins = draw.between(2, 3)
    p = Fraction(red, n)
    none = draw.chance(0.5)
    answer = (1 - p) ** spins if none else p**spins
    form = draw.between(0, 1)
    what = "it never stops on red" if none else "it stops on red every time"
    question = (
        f"A spinner has {n} equal fields, {red} of them red. It is spun {spins} times. What is the probability that {what}?",
        f"{red} of the {n} equal fields of a wheel are red. In {spins} turns, how likely is it that {what}?",
    )[form]
    return Draft(
        question=question + draw.pick(_END), answer=str(answer), facts={"kind": "bag", "content": {"red": red, "other": n - red}, "draws": spins, "replace": True, "want": {"other" if none else "red": spins}, "order": None},
        template=f"spinner {form} {none} {spins}", steps=[Step(f"One spin: {1 - p if none else p}.", f"{'Not red' if none else 'Red'}: {n - red if none else red} of {n}."), Step(f"({1 - p if none else p})^{spins} = {answer}.", "The spins don't influence each other.", Slip(f"{spins} × {1 - p if none else p} = {spins * (1 - p if none else p)}.", "Adding would go over 1 soon; all of them have to happen, so multiply."))],
        says=f"The probability is {answer}.", given=f"{spins} spins, each red with {p}.", check=f"It is smaller than the {1 - p if none else p} of a single spin, as it must be.",
    )  # fmt: skip


def _at_least(draw: Draw, level: int) -> Draft:
    p = Fraction(1, draw.pick((2, 3, 4, 5, 6, 10)))
    n = draw.between(2, 4)
    what = draw.pick(
        (
            ("A machine fails on a day with probability {p}.", "that it fails at least once in {n} days"),
            (
                "Each ticket of a raffle wins with probability {p}.",
                "of winning at least once with {n} tickets from different raffles",
            ),
            ("An archer hits with probability {p} on each shot.", "that {n} shots hit at least once"),
            ("A seed sprouts with probability {p}.", "that at least one of {n} seeds sprouts"),
            ("A train is late with probability {p} each day.", "that it is late at least once in {n} days"),
            ("A fair game is won with probability {p}.", "of at least one win in {n} games"),
            ("A sensor misses an event with probability {p}.", "that at least one of {n} events is missed"),
        )
    )
    answer = 1 - (1 - p) ** n
    form = draw.between(0, 1)
    question = f"{what[0].format(p=p)} {('What is the probability', 'Find the probability')[form]} {what[1].format(n=n)}{'?' if not form else '.'}"
    return Draft(
        question=question + " The single cases are independent." + draw.pick(_END), answer=str(answer), facts={"kind": "trials", "p": str(p), "n": n}, template=f"at least {what[0][:12]} {form} {n}",
        steps=[Step(f"1 − {p} = {1 - p} for one failure, ({1 - p})^{n} = {(1 - p) ** n} for {n} in a row.", "The opposite is: not once."), Step(f"1 − {(1 - p) ** n} = {answer}.", "", Slip(f"{n} × {p} = {n * p}.", "That counts cases with two or more several times."))],
        says=f"The probability is {answer}.", given=f"Probability {p} each time, {n} times, at least once.", check=f"By the first time it happens: {' + '.join(str((1 - p) ** i * p) for i in range(n))} = {answer}.",
    )  # fmt: skip


def _cards(draw: Draw, level: int) -> Draft:
    name, hits = draw.pick(
        (
            ("a heart", 13),
            ("a king", 4),
            ("a red card", 26),
            ("an ace", 4),
            ("a picture card (jack, queen or king)", 12),
            ("a spade", 13),
            ("a number card from 2 to 10", 36),
        )
    )
    n = draw.between(1, 2)
    answer = Fraction(hits, 52) if n == 1 else Fraction(hits * (hits - 1), 52 * 51)
    form = draw.between(0, 1)
    question = (
        f"{'One card is' if n == 1 else 'Two cards are'} drawn from a shuffled deck of 52. What is the probability that {'it is' if n == 1 else 'each of them is'} {name}?",
        f"From 52 shuffled cards, {'one is' if n == 1 else 'two are'} dealt. How likely is it that {'it is' if n == 1 else 'both times it is'} {name}?",
    )[form]
    steps = [Step(f"{hits} of 52 cards are such: {hits}/52 = {Fraction(hits, 52)}.", "")]
    if n == 2:
        steps.append(
            Step(
                f"Then {hits - 1} of 51: {hits - 1}/51 = {Fraction(hits - 1, 51)}.",
                "One such card is gone.",
                Slip(f"Again {hits}/52.", "The first card is not put back."),
            )
        )
        steps.append(Step(f"{Fraction(hits, 52)} × {Fraction(hits - 1, 51)} = {answer}."))
    return Draft(
        question=question + draw.pick(_END), answer=str(answer), facts={"kind": "bag", "content": {"such": hits, "other": 52 - hits}, "draws": n, "replace": False, "want": {"such": n}, "order": None},
        template=f"cards {name} {form} {n}", steps=steps, says=f"The probability is {answer}.", given=f"52 cards; {hits} of them are {name}.", check=f"C({hits}, {n}) / C(52, {n}) = {comb(hits, n)}/{comb(52, n)} = {answer}.",
    )  # fmt: skip


def _expected(draw: Draw, level: int) -> Draft:
    n = draw.between(3, 4)
    weights = [draw.between(1, 5) for _ in range(n)]
    values = draw.sample(range(-5, 21), n)
    total = sum(weights)
    answer = sum((Fraction(w * v, total) for w, v in zip(weights, values, strict=True)), Fraction(0))
    form = draw.between(0, 1)
    fields = listed([f"{count(w, 'field')} with {v}" for w, v in zip(weights, values, strict=True)])
    question = (
        f"A wheel has {total} equal fields: {fields}. What is the expected value of a spin?",
        f"A ticket is drawn from {total}: {fields.replace('fields', 'tickets').replace('field', 'ticket')} points. What number of points can be expected on average?",
    )[form]
    products = [f"{w} × {v if v >= 0 else f'({v})'}" for w, v in zip(weights, values, strict=True)]
    return Draft(
        question=question + " Give the exact value.", answer=str(answer), facts={"kind": "expected", "weights": weights, "values": values}, template=f"expected {form} {n} {total}",
        steps=[Step(f"{' + '.join(products)} = {sum(w * v for w, v in zip(weights, values, strict=True))}.", "Each value as often as it occurs:", Slip(f"({' + '.join(map(str, values))}) ÷ {n} = {Fraction(sum(values), n)}.", "The values are not equally frequent.")), Step(f"Divided by {total}: {answer}.")],
        says=f"The expected value is {answer}.", given=f"{total} equally likely fields.", check=f"{answer} ≈ {float(answer):.3f} lies between {min(values)} and {max(values)}.",
    )  # fmt: skip


def _condition(draw: Draw, level: int) -> Draft:
    a, b, c, d = (draw.between(2, 30) for _ in range(4))
    rows, columns, what = draw.pick(
        (
            (("vaccinated", "not vaccinated"), ("ill", "well"), "people"),
            (("from the first shift", "from the second shift"), ("faulty", "good"), "parts"),
            (("girls", "boys"), ("in the choir", "not in the choir"), "pupils"),
            (("paperbacks", "hardbacks"), ("novels", "other books"), "books"),
            (("morning", "evening"), ("late", "on time"), "trains"),
            (("trained", "untrained"), ("certified", "not certified"), "workers"),
        )
    )
    given_row = draw.chance(0.5)
    r, k = draw.between(0, 1), draw.between(0, 1)
    table = [[a, b], [c, d]]
    hits = table[r][k]
    base = sum(table[r]) if given_row else table[0][k] + table[1][k]
    answer = Fraction(hits, base)
    known, asked = (rows[r], columns[k]) if given_row else (columns[k], rows[r])
    form = draw.between(0, 1)
    told = f"Of {a + b + c + d} {what}, {a} are {rows[0]} and {columns[0]}, {b} are {rows[0]} and {columns[1]}, {c} are {rows[1]} and {columns[0]}, and {d} are {rows[1]} and {columns[1]}."
    question = (
        f"{told} One is picked at random and turns out to be one of those that are {known}. What is the probability that it is one of those that are {asked}?",
        f"{told} Given that a randomly chosen one is of the kind '{known}', how likely is it of the kind '{asked}'?",
    )[form]
    return Draft(
        question=question + draw.pick(_END), answer=str(answer), facts={"kind": "table", "table": table, "r": r, "k": k, "given_row": given_row}, template=f"condition {what} {form} {given_row}",
        steps=[Step(f"{base} are {known}.", "Only these count now.", Slip(f"{hits}/{a + b + c + d} = {Fraction(hits, a + b + c + d)}.", "That is of all, but the condition leaves fewer.")), Step(f"{hits} of them are {asked}: {hits}/{base}{f' = {answer}' if str(answer) != f'{hits}/{base}' else ' is in lowest terms'}.")],
        says=f"The probability is {answer}.", given=f"It is known to be {known}.", check=f"The others among them are {base - hits}, probability {1 - answer}.",
    )  # fmt: skip


@cache
def _tree(
    content: tuple[tuple[str, int], ...], draws: int, replace: bool, drawn: tuple[str, ...]
) -> tuple[tuple[tuple[str, ...], Fraction], ...]:
    """All sequences of colours with their probabilities."""
    if len(drawn) == draws:
        return ((drawn, Fraction(1)),)
    total = sum(n for _, n in content)
    found: list[tuple[tuple[str, ...], Fraction]] = []
    for i, (colour, n) in enumerate(content):
        if n:
            rest = content if replace else (*content[:i], (colour, n - 1), *content[i + 1 :])
            found += [(row, p * Fraction(n, total)) for row, p in _tree(rest, draws, replace, (*drawn, colour))]
    return tuple(found)


def solve(facts: dict[str, Any]) -> str:
    """List the outcomes."""
    kind = facts["kind"]
    if kind == "bag":
        rows = _tree(tuple(facts["content"].items()), facts["draws"], facts["replace"], ())
        if facts.get("any"):
            return str(sum(p for row, p in rows if row[0] in facts["want"]))
        if facts.get("order"):
            return str(sum(p for row, p in rows if list(row) == facts["order"]))
        return str(sum(p for row, p in rows if all(row.count(c) == n for c, n in facts["want"].items())))
    if kind == "die":
        return str(Fraction(sum(map(_EVENTS[facts["event"]][1], range(1, facts["sides"] + 1))), facts["sides"]))
    if kind == "dice":
        k = facts["k"]
        hits = 0
        for a, b in product(range(1, facts["m"] + 1), range(1, facts["n"] + 1)):
            hits += {
                "sum": a == k - b,
                "at least": a >= k - b,
                "difference": a - b in (k, -k),
                "larger": b < a,
                "product": k % a == 0 and k // a == b,
            }[facts["test"]]
        return str(Fraction(hits, facts["m"] * facts["n"]))
    if kind == "coins":
        heads = [bin(row).count("1") for row in range(2 ** facts["n"])]
        return str(Fraction(sum(h >= facts["k"] if facts["least"] else h == facts["k"] for h in heads), len(heads)))
    if kind == "trials":
        p, total = Fraction(facts["p"]), Fraction(0)
        for row in product((True, False), repeat=facts["n"]):
            chance = Fraction(1)
            for hit in row:
                chance *= p if hit else 1 - p
            total += chance if any(row) else 0
        return str(total)
    if kind == "expected":
        fields = [v for w, v in zip(facts["weights"], facts["values"], strict=True) for _ in range(w)]
        return str(Fraction(sum(fields), len(fields)))
    people = [(r, k) for r in (0, 1) for k in (0, 1) for _ in range(facts["table"][r][k])]
    left = [each for each in people if (each[0] == facts["r"] if facts["given_row"] else each[1] == facts["k"])]
    return str(Fraction(left.count((facts["r"], facts["k"])), len(left)))


PIPELINE = Solver(
    make, solve, knobs="level: one draw, two dice and coins, several draws, at least one, expected values, conditions"
)
