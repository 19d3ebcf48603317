"""Sequences with their rule told: arithmetic, geometric, recurrences, sums, which term, missing terms.

`make` uses the formulas; `solve` writes the terms out one after the other.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.algebra._terms import plus, signed, term
from phiforge.data.rows import Unfit
from phiforge.data.words import listed, people

_STORIES = (
    ("The first row of a hall has {a} seats, and each further row {d} more than the one before.", "row", "seats"), ("{who} reads {a} pages on the first day and {d} more on each day than the day before.", "day", "pages"),
    ("A plant gets {a} leaves in the first week and, every week, {d} more new leaves than in the week before.", "week", "leaves"), ("A stack has {a} logs in its lowest layer counted first, and each next layer counted has {d} more.", "layer", "logs"),
    ("{who} saves {a} euros in the first month and raises the amount by {d} euros every month.", "month", "euros"), ("A trainer has the team run {a} laps in the first session and {d} more in each next one.", "session", "laps"),
    ("The first level of a game gives {a} points, and each level {d} more than the last.", "level", "points"), ("A baker makes {a} loaves on the first day and {d} more every following day.", "day", "loaves"),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_next, _story),
        (_nth, _next, _story),
        (_nth, _geometric, _which, _story),
        (_sum, _recurrence, _geometric),
        (_sum, _recurrence, _two_terms, _geometric),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _first(a: int, d: int, n: int) -> list[int]:
    return [a + i * d for i in range(n)]


def _step(draw: Draw, level: int) -> tuple[int, int]:
    a = draw.between(-10 * (level - 1), 20 + 20 * level)
    d = draw.between(2, 6 + 4 * level) * draw.pick((1, 1, -1))
    return a, d


def _next(draw: Draw, level: int) -> Draft:
    a, d = _step(draw, level)
    shown = _first(a, d, 5)
    geometric = level > 1 and draw.chance(0.4)
    if geometric:
        a, d = draw.between(1, 6), draw.pick((2, 3, 4, 5, -2, 10))
        shown = [a * d**i for i in range(4)]
    form = draw.between(0, 4)
    kind = "geometric" if geometric else "arithmetic"
    question = (
        "The sequence {} is {}. What comes next?", "{} … is a sequence of the kind called {}. Give its next term.", "Continue {} by one term; the sequence is {}.", "Which number follows in {}, which is {}?", "Find the next term of {} ({}).",
    )[form].format(", ".join(map(str, shown)), kind)  # fmt: skip
    nxt = shown[-1] * d if geometric else shown[-1] + d
    steps = [
        Step(
            f"{shown[1]} ÷ {shown[0]} = {d}."
            if geometric
            else f"{shown[1]} − {shown[0] if shown[0] >= 0 else f'({shown[0]})'} = {d}.",
            "The ratio of neighbours:" if geometric else "The difference of neighbours:",
        ),
        Step(
            f"{shown[-1]} × {d if d > 0 else f'({d})'} = {nxt}." if geometric else f"{shown[-1]} {signed(d)} = {nxt}."
        ),
    ]
    return Draft(
        question=question,
        answer=str(nxt),
        facts={"start": [shown[0]], "p": d if geometric else 1, "q": 0 if geometric else d, "n": len(shown) + 1},
        template=f"next {form} {kind}",
        steps=steps,
        says=f"The next term is {nxt}.",
        given=f"A{'n arithmetic' if kind[0] == 'a' else ' geometric'} sequence: {'equal differences' if kind[0] == 'a' else 'equal ratios'}.",
        check=f"The rule fits all given terms: {shown[0]} → {shown[1]} → {shown[2]}.",
    )


def _nth(draw: Draw, level: int) -> Draft:
    a, d = _step(draw, level)
    n = draw.between(8, 20 * level)
    value = a + (n - 1) * d
    form = draw.between(0, 3)
    known = ", ".join(map(str, _first(a, d, draw.between(3, 4))))
    question = (
        f"An arithmetic sequence begins {known}. What is its term number {n}?", f"Find the {n}th term of the arithmetic sequence {known}, …", f"In an arithmetic sequence the first term is {a} and the common difference is {d}. Give the {n}th term.",
        f"What is a_{n}, if a_1 = {a} and every term is the one before {'plus' if d > 0 else 'minus'} {abs(d)}?",
    )[form].replace("1th", "1st").replace("11st", "11th").replace("2th", "2nd").replace("12nd", "12th").replace("3th", "3rd").replace("13rd", "13th")  # fmt: skip
    return Draft(
        question=question,
        answer=str(value),
        facts={"start": [a], "p": 1, "q": d, "n": n},
        template=f"nth {form} {d > 0}",
        steps=[
            Step(
                f"{n} − 1 = {n - 1} steps of {d}.",
                "From the first term to this one:",
                Slip(
                    f"{n} steps of {d}: {a + n * d}.",
                    "The first term is there without a step, so it is one step fewer.",
                ),
            ),
            Step(f"{a} + {n - 1} × ({d}) = {value}."),
        ],
        says=f"Term {n} is {value}.",
        given=f"It begins with {a}, and the difference is {d}.",
        check=f"Back from {value}: {n - 1} steps of {-d} lead to {value - (n - 1) * d}.",
    )


def _story(draw: Draw, level: int) -> Draft:
    which = draw.between(0, len(_STORIES) - 1)
    story, unit, things = _STORIES[which]
    a, d = draw.between(3, 30), draw.between(1, 4 + 2 * level)
    n = draw.between(4, 6 + 5 * level)
    total = level > 1 and draw.chance(0.5)
    last = a + (n - 1) * d
    whole = n * (a + last) // 2
    who = people(draw, 1)[0]
    lead = story.format(a=a, d=d, who=who)
    form = draw.between(0, 1)
    if total:
        question = (
            f"{lead} How many {things} are that in {n} {unit}s altogether?",
            f"{lead} Find the number of {things} in the first {n} {unit}s together.",
        )[form].replace("are that", "is that")
        steps = [
            Step(f"{unit.capitalize()} {n}: {a} + {n - 1} × {d} = {last}.", "First the last one:"),
            Step(
                f"{n} × ({a} + {last}) ÷ 2 = {whole}.",
                "First and last, second and second last, … have equal sums.",
                Slip(f"{n} × {last} = {n * last}.", "Then all would be as large as the last."),
            ),
        ]
    else:
        question = (
            f"{lead} How many {things} does {unit} {n} bring?",
            f"{lead} What number of {things} belongs to {unit} {n}?",
        )[form]
        steps = [
            Step(
                f"{n - 1} × {d} = {(n - 1) * d} more than at first.",
                f"From {unit} 1 to {unit} {n} there are {n - 1} steps.",
            ),
            Step(f"{a} + {(n - 1) * d} = {last}."),
        ]
    return Draft(
        question=question,
        answer=str(whole if total else last),
        facts={"start": [a], "p": 1, "q": d, "n": n, "sum": total},
        template=f"story {which} {form} {total}",
        steps=steps,
        says=f"That is {whole if total else last} {things}.",
        given=f"{a} at first, {d} more each time, {n} {unit}s.",
        check=f"The mean of {a} and {last} is {Fraction(a + last, 2)}, times {n} is {whole}."
        if total
        else f"{last} − {n - 1} × {d} = {a}.",
    )


def _geometric(draw: Draw, level: int) -> Draft:
    a, r = draw.between(1, 9), draw.pick((2, 3, 4, 5, -2, -3))
    n = draw.between(4, 7 if abs(r) > 2 else 10)
    halves = level > 3 and draw.chance(0.4)
    ratio = Fraction(1, abs(r)) if halves else Fraction(r)
    first = Fraction(a * abs(r) ** draw.between(2, 4)) if halves else Fraction(a)
    value = first * ratio ** (n - 1)
    form = draw.between(0, 2)
    question = (
        f"A geometric sequence has first term {first} and ratio {ratio}. What is its term number {n}?", f"The terms of a sequence begin {', '.join(str(first * ratio**i) for i in range(3))} and each is {ratio} times the one before. Find term {n}.",
        f"a_1 = {first}, and a_(n+1) = ({ratio}) × a_n. Compute a_{n}.",
    )[form]  # fmt: skip
    return Draft(
        question=question,
        answer=str(value),
        facts={"start": [str(first)], "p": str(ratio), "q": 0, "n": n},
        template=f"geometric {form} {halves}",
        steps=[
            Step(
                f"It is multiplied {n - 1} times.",
                f"From term 1 to term {n}:",
                Slip(f"{first} × ({ratio})^{n} = {first * ratio**n}.", "One multiplication too many."),
            ),
            Step(f"{first} × ({ratio})^{n - 1} = {first} × ({ratio ** (n - 1)}) = {value}."),
        ],
        says=f"Term {n} is {value}.",
        given=f"First term {first}, ratio {ratio}.",
        check=f"The term before is {value / ratio}, and {value / ratio} × ({ratio}) = {value}.",
    )


def _which(draw: Draw, level: int) -> Draft:
    a, d = _step(draw, level)
    n = draw.between(10, 60)
    value = a + (n - 1) * d
    form = draw.between(0, 2)
    known = ", ".join(map(str, _first(a, d, 4)))
    question = (
        f"Which term of the arithmetic sequence {known}, … is {value}?",
        f"The arithmetic sequence {known}, … contains {value}. At what position?",
        f"For which n is a_n = {value} in the arithmetic sequence {known}, …?",
    )[form] + " Give its number."
    return Draft(
        question=question,
        answer=str(n),
        facts={"start": [a], "p": 1, "q": d, "find": value},
        template=f"which {form} {d > 0}",
        steps=[
            Step(f"({value} − ({a})) ÷ ({d}) = {n - 1} steps.", "How many steps lead there?"),
            Step(
                f"{n - 1} + 1 = {n}.",
                "The first term needs no step.",
                Slip(f"So it is term {n - 1}.", "That many steps come after the first term, which counts too."),
            ),
        ],
        says=f"It is term {n}.",
        given=f"The difference is {d}.",
        check=f"{a} + {n - 1} × ({d}) = {value}.",
    )


def _sum(draw: Draw, level: int) -> Draft:
    geometric = draw.chance(0.4)
    form = draw.between(0, 2)
    if geometric:
        a, r, n = draw.between(1, 6), draw.pick((2, 3, 4, 5)), draw.between(4, 8)
        terms = [a * r**i for i in range(n)]
        total = sum(terms)
        shown = f"{terms[0]} + {terms[1]} + {terms[2]} + … + {terms[-1]}"
        steps = [
            Step(
                f"{r} times the sum is the same without {a} and with {terms[-1] * r}.",
                f"Each term is {r} times the one before.",
            ),
            Step(
                f"({terms[-1] * r} − {a}) ÷ ({r} − 1) = {total}.",
                "",
                Slip(
                    f"{n} × ({a} + {terms[-1]}) ÷ 2 = {Fraction(n * (a + terms[-1]), 2)}.",
                    "That holds for equal differences, not for equal ratios.",
                ),
            ),
        ]
        facts: dict[str, Any] = {"start": [a], "p": r, "q": 0, "n": n, "sum": True}
        check = f"The terms are {listed(list(map(str, terms)))}; there are {n} of them, and the last is {'more' if terms[-1] * 2 > total else 'less'} than half of the sum."
    else:
        a, d = _step(draw, level)
        n = draw.between(10, 50)
        last = a + (n - 1) * d
        total = n * (a + last) // 2
        shown = f"{a} + ({a + d}) + ({a + 2 * d}) + … + ({last})"
        steps = [
            Step(f"({last} − ({a})) ÷ ({d}) + 1 = {n} terms.", "How many are there?"),
            Step(f"{n} × ({a} + ({last})) ÷ 2 = {total}.", "Pairs from both ends have equal sums."),
        ]
        facts = {"start": [a], "p": 1, "q": d, "n": n, "sum": True}
        check = f"The mean of the terms is {Fraction(a + last, 2)}, and {Fraction(a + last, 2)} × {n} = {total}."
    kind = "geometric" if geometric else "arithmetic"
    question = (
        f"Find the {kind} sum {shown}.",
        f"The terms of {shown} form a{'n' if kind[0] == 'a' else ''} {kind} sequence. What is the sum?",
        f"Compute {shown} ({kind}).",
    )[form]
    return Draft(
        question=question,
        answer=str(total),
        facts=facts,
        template=f"sum {kind} {form}",
        steps=steps,
        says=f"The sum is {total}.",
        given=f"A {'sum of terms with equal differences' if kind[0] == 'a' else 'sum of terms with equal ratios'}.",
        check=check,
    )


def _recurrence(draw: Draw, level: int) -> Draft:
    n = draw.between(4, 6)
    two = draw.chance(0.5)
    if two:
        start = [draw.between(1, 6), draw.between(1, 6)]
        p, q = draw.between(1, 3), draw.between(1, 2) * draw.pick((1, 1, -1))
        terms = list(start)
        while len(terms) < n + 1:
            terms.append(p * terms[-1] + q * terms[-2])
        rule = f"a_(n+2) = {term(p, 'a_(n+1)')} {plus(q, 'a_n')}"
        begins = f"a_1 = {start[0]}, a_2 = {start[1]}"
        steps = [
            Step(
                f"a_{i + 1} = {p} × ({terms[i - 1]}) {signed(q)} × ({terms[i - 2]}) = {terms[i]}.",
                "One after the other:" if i == 2 else "",
            )
            for i in range(2, n + 1)
        ]
        facts: dict[str, Any] = {"start": start, "p": p, "q": q, "two": True, "n": n + 1}
    else:
        a, p, q = draw.between(1, 9), draw.pick((2, 3, -1, -2, 4)), draw.between(1, 9) * draw.pick((1, -1))
        terms = [a]
        while len(terms) < n + 1:
            terms.append(p * terms[-1] + q)
        rule, begins = f"a_(n+1) = {term(p, 'a_n')} {signed(q)}", f"a_1 = {a}"
        steps = [
            Step(
                f"a_{i + 1} = {p if p > 0 else f'({p})'} × ({terms[i - 1]}) {signed(q)} = {terms[i]}.",
                "One after the other:" if i == 1 else "",
            )
            for i in range(1, n + 1)
        ]
        facts = {"start": [a], "p": p, "q": q, "n": n + 1}
    form = draw.between(0, 2)
    question = (
        f"A sequence has {begins} and {rule}. What is a_{n + 1}?",
        f"Compute a_{n + 1} for {begins} and {rule}.",
        f"Let {begins} and {rule} for all n ≥ 1. Find a_{n + 1}.",
    )[form]
    return Draft(
        question=question,
        answer=str(terms[-1]),
        facts=facts,
        template=f"recurrence {form} {two}",
        steps=steps,
        says=f"a_{n + 1} = {terms[-1]}.",
        given=f"{rule}, starting from {begins}.",
        check=f"The whole sequence: {', '.join(map(str, terms))}; its last step is {rule.split(' = ')[1].replace('a_(n+1)', f'({terms[-2]})').replace('a_n', f'({terms[-3] if two else terms[-2]})')} = {terms[-1]}.",
    )


def _two_terms(draw: Draw, level: int) -> Draft:
    a, d = _step(draw, level)
    i = draw.between(2, 9)
    j = i + draw.between(2, 9)
    n = draw.between(j + 1, 40)
    x, y = a + (i - 1) * d, a + (j - 1) * d
    value = a + (n - 1) * d
    if d == 0:
        raise Unfit
    form = draw.between(0, 1)
    question = (
        f"In an arithmetic sequence, term {i} is {x} and term {j} is {y}. What is term {n}?",
        f"An arithmetic sequence has a_{i} = {x} and a_{j} = {y}. Find a_{n}.",
    )[form]
    return Draft(
        question=question,
        answer=str(value),
        facts={"points": [[i, x], [j, y]], "n": n},
        template=f"two terms {form} {d > 0}",
        steps=[
            Step(
                f"({y} − ({x})) ÷ ({j} − {i}) = {d}.",
                f"Between them lie {j - i} equal steps.",
                Slip(
                    f"({y} − ({x})) ÷ {j} = {Fraction(y - x, j)}.",
                    f"There are {j - i} steps from term {i} to term {j}, not {j}.",
                ),
            ),
            Step(f"{y} + {n - j} × ({d}) = {value}.", f"From term {j} to term {n} there are {n - j} more."),
        ],
        says=f"Term {n} is {value}.",
        given=f"Terms {i} and {j} are known.",
        check=f"From term {i}: {x} + {n - i} × ({d}) = {value}.",
    )


def solve(facts: dict[str, Any]) -> str:
    """Write the terms out."""
    if "points" in facts:
        (i, x), (j, y) = facts["points"]
        for d in range(-60, 61):
            if x + d * (j - i) == y:
                return str(x + d * (facts["n"] - i))
    p, q = Fraction(facts["p"]), Fraction(facts["q"])
    terms = [Fraction(x) for x in facts["start"]]
    while len(terms) < facts.get("n", 10_000):
        if "find" in facts and terms[-1] == facts["find"]:
            return str(len(terms))
        terms.append(p * terms[-1] + q * (terms[-2] if facts.get("two") else 1))
    return str(sum(terms) if facts.get("sum") else terms[facts["n"] - 1])


PIPELINE = Solver(
    make, solve, knobs="level: next terms and stories, far terms, positions, sums, recurrences, terms from two others"
)
