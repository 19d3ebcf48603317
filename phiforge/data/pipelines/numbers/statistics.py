"""Statistics of small samples: mean, median, mode, range, quartiles, variance, missing values, combined means, frequencies.

`make` computes step by step; `solve` goes back to the definitions with its own code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import listed, people

_SAMPLES = (
    ("temperatures of some days, in °C", -5, 30), ("marks of a test", 2, 20), ("ages of the members of a band", 16, 60), ("minutes that calls took", 1, 45), ("goals of a team in its matches", 0, 7), ("prices of some books, in euros", 5, 40), ("pages read on some days", 4, 70), ("weights of parcels, in kg", 1, 30),
    ("numbers of passengers on some trips", 8, 60), ("points of some players", 3, 50), ("hours worked on some days", 2, 11), ("heights of seedlings, in mm", 10, 90), ("waiting times in minutes", 0, 40), ("numbers of eggs found each morning", 2, 16), ("depths of a river, in dm", 4, 60), ("laps of some runners", 3, 30),
)  # fmt: skip
_ASKS = {
    "mean": ("What is the mean?", "Find the arithmetic mean.", "What is the average?"), "median": ("What is the median?", "Find the median.", "Which value is the median?"), "mode": ("What is the mode?", "Which value is the most frequent?", "Find the mode."),
    "range": ("What is the range?", "Find the range (largest minus smallest).", "How large is the range?"), "variance": ("What is the variance (mean squared deviation, divided by the number of values)?", "Find the population variance.", "Compute the mean of the squared deviations from the mean."),
    "absolute": ("What is the mean absolute deviation from the mean?", "Find the mean of the distances from the mean.", "How far are the values from their mean, on average?"),
}  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        ("mean", "median", "mode", "range"),
        ("mean", "median", "mode", "missing"),
        ("median", "missing", "combined", "table"),
        ("variance", "absolute", "combined", "table", "added"),
        ("variance", "weighted", "added", "missing"),
    )
    kind = draw.pick(kinds[level - 1])
    if kind in _ASKS:
        return _measure(draw, level, kind)
    return {"missing": _missing, "combined": _combined, "table": _table, "added": _added, "weighted": _weighted}[kind](
        draw, level
    )


def _sample(draw: Draw, n: int) -> tuple[str, list[int]]:
    what, least, most = draw.pick(_SAMPLES)
    return what, [draw.between(least, most) for _ in range(n)]


def _list(values: Sequence[int | Fraction]) -> str:
    return ", ".join(map(str, values))


def _plus(values: Sequence[int | Fraction]) -> str:
    return " + ".join(str(v) if v >= 0 else f"({v})" for v in values)


def _measure(draw: Draw, level: int, kind: str) -> Draft:
    n = draw.between(4, 5 + level) if kind not in ("variance", "absolute") else draw.between(4, 6)
    what, values = _sample(draw, n)
    if kind == "mode":
        again = draw.pick(values)
        values = draw.shuffled([*values, again, again])
        if Counter(values).most_common(2)[0][1] == Counter(values).most_common(2)[1][1]:
            raise Unfit
    form = draw.between(0, 2)
    lead = draw.pick(
        (
            f"These are the {what}: {_list(values)}.",
            f"The {what} were {_list(values)}.",
            f"Given are the {what}: {_list(values)}.",
        )
    )
    ordered = sorted(values)
    n, total = len(values), sum(values)
    mean = Fraction(total, n)
    steps: list[Step]
    if kind == "mean":
        steps = [
            Step(f"{_plus(values)} = {total}.", "The sum first."),
            Step(f"{total} ÷ {n} = {mean}.", f"There are {n} values."),
        ]
        answer, check = mean, f"The deviations from {mean} add up to 0: {_plus([v - mean for v in values])} = 0."
    elif kind == "median":
        half = n // 2
        answer = Fraction(ordered[half]) if n % 2 else Fraction(ordered[half - 1] + ordered[half], 2)
        steps = [
            Step(
                f"In order: {_list(ordered)}.",
                "The median is in the middle of the ordered values.",
                Slip(f"In the middle stands {values[half]}.", "The list is not in order yet.")
                if values != ordered
                else None,
            ),
            Step(
                f"The middle one is {answer}."
                if n % 2
                else f"({ordered[half - 1]} + {ordered[half]}) ÷ 2 = {answer}.",
                "" if n % 2 else "Two are in the middle.",
            ),
        ]
        check = (
            f"{sum(v < answer for v in values)} values are below {answer} and {sum(v > answer for v in values)} above."
        )
    elif kind == "mode":
        answer = Fraction(Counter(values).most_common(1)[0][0])
        steps = [
            Step(f"In order: {_list(ordered)}.", "Equal values come together then."),
            Step(f"{answer} occurs {values.count(int(answer))} times, more than any other."),
        ]
        check = f"The next most frequent occurs {Counter(values).most_common(2)[1][1]} times."
    elif kind == "range":
        answer = Fraction(max(values) - min(values))
        steps = [
            Step(f"The largest is {max(values)}, the smallest {min(values)}."),
            Step(
                f"{max(values)} − {min(values) if min(values) >= 0 else f'({min(values)})'} = {answer}.",
                "",
                Slip(
                    f"{max(values)} − {abs(min(values))} = {max(values) - abs(min(values))}.",
                    "The smallest is negative, so the distance is larger.",
                )
                if min(values) < 0
                else None,
            ),
        ]
        check = f"{min(values)} + {answer} = {max(values)}."
    else:
        deviations = [v - mean for v in values]
        if kind == "variance":
            squares = [d * d for d in deviations]
            answer = sum(squares, Fraction(0)) / n
            steps = [
                Step(f"The mean is {total} ÷ {n} = {mean}."),
                Step(f"Deviations: {_list(deviations)}.", ""),
                Step(
                    f"Squares: {_list(squares)}, together {sum(squares, Fraction(0))}.",
                    "",
                    Slip(
                        f"The deviations add up to {sum(deviations, Fraction(0))}.",
                        "They always do; they have to be squared first.",
                    ),
                ),
                Step(f"{sum(squares, Fraction(0))} ÷ {n} = {answer}."),
            ]
            check = f"Mean of the squares minus square of the mean: {Fraction(sum(v * v for v in values), n)} − {mean * mean} = {answer}."
        else:
            answer = sum(map(abs, deviations), Fraction(0)) / n
            steps = [
                Step(f"The mean is {total} ÷ {n} = {mean}."),
                Step(f"Distances: {_list([abs(d) for d in deviations])}."),
                Step(
                    f"{_plus([abs(d) for d in deviations])} = {sum(map(abs, deviations), Fraction(0))}, divided by {n}: {answer}."
                ),
            ]
            check = f"Above the mean the distances add up to {sum((d for d in deviations if d > 0), Fraction(0))}, below it to the same."
    return Draft(
        question=f"{lead} {_ASKS[kind][form]}{' Give the exact value.' if answer.denominator > 1 else ''}", answer=str(answer), facts={"kind": kind, "values": values}, template=f"{kind} {form} {what[:9]}",
        steps=steps, says=f"The {'mean absolute deviation' if kind == 'absolute' else kind} is {answer}.", given=f"{n} values: {_list(values)}.", check=check,
    )  # fmt: skip


def _missing(draw: Draw, level: int) -> Draft:
    n = draw.between(4, 6 + level)
    _what, values = _sample(draw, n)
    if sum(values) % n and level < 4:
        values[-1] += n - sum(values) % n
    mean = Fraction(sum(values), n)
    who = people(draw, 1)[0]
    form = draw.between(0, 2)
    known, hidden = values[:-1], values[-1]
    question = (
        f"The mean of {n} numbers is {mean}. {n - 1} of them are {_list(known)}. What is the last one?", f"{who} has the values {_list(known)} so far. What must the next one be, so that the mean of all {n} is {mean}?",
        f"Of {n} values with mean {mean}, one is unreadable; the others are {_list(known)}. Find the unreadable one.",
    )[form]  # fmt: skip
    return Draft(
        question=question, answer=str(hidden), facts={"kind": "missing", "known": known, "mean": str(mean)}, template=f"missing {form} {n}",
        steps=[Step(f"{n} × {mean} = {sum(values)}.", "All together must be:", Slip(f"{n - 1} × {mean} = {(n - 1) * mean}.", f"The mean is of all {n} values.")), Step(f"{_plus(known)} = {sum(known)}.", "Those that are known:"), Step(f"{sum(values)} − {sum(known) if sum(known) >= 0 else f'({sum(known)})'} = {hidden}.")],
        says=f"It is {hidden}.", given=f"Mean {mean} of {n} values, one unknown.", check=f"({_plus(known)} + {hidden if hidden >= 0 else f'({hidden})'}) ÷ {n} = {mean}.",
    )  # fmt: skip


def _combined(draw: Draw, level: int) -> Draft:
    a, b = draw.between(4, 30), draw.between(4, 30)
    x, y = Fraction(draw.between(4, 60)), Fraction(draw.between(4, 60))
    if a == b or x == y:
        raise Unfit
    answer = (a * x + b * y) / (a + b)
    who = draw.pick(
        (
            ("classes", "pupils", "marks"),
            ("teams", "players", "points"),
            ("shops", "customers", "purchases in euros"),
            ("groups", "hikers", "ages"),
            ("shelves", "books", "numbers of chapters"),
            ("farms", "hens", "eggs a month"),
            ("lines", "trains", "minutes of delay"),
        )
    )
    form = draw.between(0, 1)
    question = (
        f"Two {who[0]} have {a} and {b} {who[1]}. The means of their {who[2]} are {x} and {y}. What is the mean of all together?",
        f"The mean of the {who[2]} of {a} {who[1]} is {x}, that of {b} other {who[1]} is {y}. Find the mean for all {a + b}.",
    )[form]
    return Draft(
        question=question + (" Give the exact value." if answer.denominator > 1 else ""), answer=str(answer), facts={"kind": "combined", "groups": [[a, str(x)], [b, str(y)]]}, template=f"combined {who[0]} {form}",
        steps=[Step(f"{a} × {x} = {a * x} and {b} × {y} = {b * y}.", "From means back to sums.", Slip(f"({x} + {y}) ÷ 2 = {(x + y) / 2}.", "The groups are not equally large.")), Step(f"({a * x} + {b * y}) ÷ {a + b} = {answer}.")],
        says=f"The mean is {answer}.", given=f"{a} with mean {x}, {b} with mean {y}.", check=f"{answer} ≈ {float(answer):.2f} lies nearer to {x if a > b else y}, the mean of the larger group.",
    )  # fmt: skip


def _table(draw: Draw, level: int) -> Draft:
    values = sorted(draw.sample(range(12), draw.between(3, 5)))
    counts = [draw.between(1, 9) for _ in values]
    n = sum(counts)
    kind = draw.pick(("mean", "median", "mode"))
    every = [v for v, c in zip(values, counts, strict=True) for _ in range(c)]
    what = draw.pick(
        (
            "children of a family",
            "goals in a match",
            "books borrowed",
            "mistakes in a text",
            "calls a day",
            "pets in a household",
            "trips a week",
            "rooms of a flat",
        )
    )
    rows = "\n".join(f"| {v} | {c} |" for v, c in zip(values, counts, strict=True))
    if kind == "mode" and counts.count(max(counts)) > 1:
        raise Unfit
    answer = {
        "mean": Fraction(sum(every), n),
        "mode": Fraction(values[counts.index(max(counts))]),
        "median": Fraction(every[(n - 1) // 2] + every[n // 2], 2),
    }[kind]
    form = draw.between(0, 2)
    if kind == "mean":
        steps = [
            Step(
                f"{' + '.join(f'{v} × {c}' for v, c in zip(values, counts, strict=True))} = {sum(every)}.",
                "Each value as often as it occurs:",
                Slip(
                    f"({_plus(values)}) ÷ {len(values)} = {Fraction(sum(values), len(values))}.",
                    "The frequencies must not be forgotten.",
                ),
            ),
            Step(f"{' + '.join(map(str, counts))} = {n} cases, and {sum(every)} ÷ {n} = {answer}."),
        ]
        check = f"{answer} lies between {values[0]} and {values[-1]}."
    elif kind == "mode":
        steps = [
            Step(
                f"The largest frequency is {max(counts)}, of the value {answer}.",
                "The most frequent value is asked for.",
                Slip(f"The mode is {max(counts)}.", "That is the frequency, not the value."),
            )
        ]
        check = f"All others occur at most {max(c for c in counts if c != max(counts)) if len(set(counts)) > 1 else 0} times."
    else:
        running = [sum(counts[: i + 1]) for i in range(len(counts))]
        steps = [
            Step(
                f"{' + '.join(map(str, counts))} = {n} cases; in the middle {'is number ' + str((n + 1) // 2) if n % 2 else f'are numbers {n // 2} and {n // 2 + 1}'}."
            ),
            Step(
                f"Counted up: {', '.join(f'{v} up to number {r}' for v, r in zip(values, running, strict=True))}. So the median is {answer}."
            ),
        ]
        check = f"{sum(v < answer for v in every)} cases are below {answer}, {sum(v > answer for v in every)} above."
    return Draft(
        question=f"A survey counted {what}:\n\n| value | frequency |\n|---|---|\n{rows}\n\n{_ASKS[kind][form]}{' Give the exact value.' if answer.denominator > 1 else ''}", answer=str(answer), facts={"kind": kind, "values": every}, template=f"table {kind} {form} {what[:6]}",
        steps=steps, says=f"The {kind} is {answer}.", given=f"{n} cases in a table of frequencies.", check=check,
    )  # fmt: skip


def _added(draw: Draw, level: int) -> Draft:
    n, mean = draw.between(4, 12), draw.between(5, 40)
    x = draw.between(1, 80)
    out = draw.chance(0.4)
    m = n - 1 if out else n + 1
    answer = Fraction(n * mean + (-x if out else x), m)
    if x == mean or answer < 0:
        raise Unfit
    form = draw.between(0, 1)
    question = (
        f"The mean of {n} numbers is {mean}. Then {x} is {'taken away from' if out else 'added to'} the list. What is the new mean?",
        f"{n} values have the mean {mean}. {'One of them, ' + str(x) + ', is removed' if out else 'Another value, ' + str(x) + ', joins them'}. Find the mean of the {m} values.",
    )[form]
    return Draft(
        question=question + (" Give the exact value." if answer.denominator > 1 else ""), answer=str(answer), facts={"kind": "added", "n": n, "mean": mean, "x": x, "out": out}, template=f"added {form} {out} {n}",
        steps=[Step(f"{n} × {mean} = {n * mean}.", "The sum before:"), Step(f"{n * mean} {'−' if out else '+'} {x} = {n * mean + (-x if out else x)}."), Step(f"{n * mean + (-x if out else x)} ÷ {m} = {answer}.", f"Now there are {m}.", Slip(f"Divided by {n}.", f"The number of values is {m} now."))],
        says=f"The new mean is {answer}.", given=f"Mean {mean} of {n}; {x} {'goes' if out else 'comes'}.", check=f"{x} is {'above' if x > mean else 'below'} the old mean, so the mean {'falls' if (x > mean) == out else 'rises'}: {float(answer):.3f} against {mean}.",
    )  # fmt: skip


def _weighted(draw: Draw, level: int) -> Draft:
    n = draw.between(3, 4)
    weights = [draw.between(1, 6) for _ in range(n)]
    values = [draw.between(30, 100) for _ in range(n)]
    names = draw.sample(
        ("homework", "the oral exam", "the written exam", "the project", "the lab", "the quiz", "the essay"), n
    )
    answer = Fraction(sum(w * v for w, v in zip(weights, values, strict=True)), sum(weights))
    who = people(draw, 1)[0]
    form = draw.between(0, 1)
    told = listed([f"{v} for {name} (weight {w})" for v, name, w in zip(values, names, weights, strict=True)])
    question = (
        f"{who} has these marks: {told}. What is the weighted mean?",
        f"The final mark is the weighted mean of {told}. What is {who}'s final mark?",
    )[form]
    return Draft(
        question=question + " Give the exact value.", answer=str(answer), facts={"kind": "combined", "groups": [[w, str(v)] for w, v in zip(weights, values, strict=True)]}, template=f"weighted {form} {n} {sum(weights)}",
        steps=[Step(f"{' + '.join(f'{w} × {v}' for w, v in zip(weights, values, strict=True))} = {sum(w * v for w, v in zip(weights, values, strict=True))}.", "Each mark times its weight:", Slip(f"({' + '.join(map(str, values))}) ÷ {n} = {Fraction(sum(values), n)}.", "That ignores the weights.")), Step(f"Weights: {' + '.join(map(str, weights))} = {sum(weights)}; divided by that: {answer}.")],
        says=f"The weighted mean is {answer}.", given=f"{n} marks with weights.", check=f"{float(answer):.2f} lies between {min(values)} and {max(values)}.",
    )  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """By the definitions."""
    kind = facts["kind"]
    if kind == "missing":
        return str(Fraction(facts["mean"]) + sum(Fraction(facts["mean"]) - v for v in facts["known"]))
    if kind == "combined":
        weight, mean = 0, Fraction(0)
        for n, value in facts["groups"]:  # group after group, moving the mean
            weight += n
            mean += (Fraction(value) - mean) * Fraction(n, weight)
        return str(mean)
    if kind == "added":
        mean, n, x = Fraction(facts["mean"]), facts["n"], facts["x"]
        return str(mean - (x - mean) / (n - 1) if facts["out"] else mean + (x - mean) / (n + 1))
    values = facts["values"]
    if kind == "median":
        rest = list(values)
        while len(rest) > 2:
            rest.remove(max(rest))
            rest.remove(min(rest))
        return str(Fraction(sum(rest), len(rest)))
    if kind == "mode":
        return str(max(values, key=values.count))
    if kind == "range":
        return str(max(abs(a - b) for a in values for b in values))
    n = len(values)
    if kind == "variance":
        return str(Fraction(sum((a - b) ** 2 for a in values for b in values), 2 * n * n))
    mean = sum(Fraction(v, n) for v in values)
    return str(mean if kind == "mean" else sum(abs(v - mean) for v in values) / n)


PIPELINE = Solver(
    make, solve, knobs="level: mean, median, mode, range; missing values, combined means, tables, variance, weights"
)
