"""Questions about a table: looking up, counting, sums, means, extremes, differences, shares and grouped totals.

`make` keeps the table as rows and reasons over them; `solve` reads the printed table back and computes with its own code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import PEOPLE, listed


class Subject(NamedTuple):
    """What a table is about: title, the column of names, one of groups, and columns of numbers with their ranges."""

    title: str
    one: str
    many: str
    names: tuple[str, ...]
    group: str
    groups: tuple[str, ...]
    numbers: tuple[tuple[str, str, int, int], ...]  # column, how a sentence speaks of it, least, most


_PLACES = (
    "Aldervik", "Bramley", "Castor", "Dunmore", "Elmstead", "Farrow", "Glenholt", "Harwick", "Innisfall", "Juniper",
    "Kelmore", "Lorne", "Marwood", "Northam", "Oakley", "Pinefield", "Quarry Hill", "Ravensby", "Stonebridge", "Thornbury",
)  # fmt: skip
_PEOPLE = tuple(person.name for person in PEOPLE)
_SUBJECTS = (
    Subject("Library branches", "branch", "branches", _PLACES, "District", ("North", "South", "East", "West"),
            (("Visitors", "visitors", 120, 990), ("Books lent", "books lent", 80, 900), ("Staff", "staff", 3, 24))),
    Subject("School classes", "class", "classes", tuple(f"{n}{c}" for n in range(5, 11) for c in "abc"), "Building",
            ("Main", "Annexe", "Garden"), (("Pupils", "pupils", 17, 31), ("Absent days", "absent days", 4, 60), ("Books read", "books read", 20, 140))),
    Subject("Team members", "member", "members", _PEOPLE, "Team", ("Red", "Blue", "Green"),
            (("Games", "games", 4, 20), ("Points", "points", 10, 240), ("Fouls", "fouls", 0, 19))),
    Subject("Orchard plots", "plot", "plots", tuple(f"Plot {n}" for n in range(1, 30)), "Fruit", ("Apple", "Pear", "Plum", "Cherry"),
            (("Trees", "trees", 12, 95), ("Crates", "crates", 8, 160), ("Hours worked", "hours of work", 5, 70))),
    Subject("Bakery sales", "product", "products", ("Rye loaf", "Baguette", "Croissant", "Muffin", "Bagel", "Pretzel", "Scone", "Ciabatta", "Cinnamon roll", "Cheese stick", "Seed roll", "Apple pie"),
            "Shelf", ("Counter", "Window", "Rack"), (("Baked", "baked", 30, 240), ("Weight (g)", "grams", 60, 900), ("Price (cents)", "cents", 60, 480))),
    Subject("Warehouse stock", "item", "items", ("Bolts", "Hinges", "Brackets", "Screws", "Washers", "Clamps", "Hooks", "Pulleys", "Springs", "Valves", "Gaskets", "Bearings"),
            "Aisle", ("A", "B", "C", "D"), (("In stock", "in stock", 15, 900), ("Ordered", "ordered", 0, 300), ("Boxes", "boxes", 1, 60))),
    Subject("Train lines", "line", "lines", tuple(f"Line {n}" for n in range(1, 25)), "Operator", ("Metro", "Regio", "Coast"),
            (("Stops", "stops", 6, 38), ("Minutes", "minutes", 14, 95), ("Trains a day", "trains a day", 8, 140))),
    Subject("Weather stations", "station", "stations", _PLACES, "Region", ("Hills", "Coast", "Plain"),
            (("Rain (mm)", "mm of rain", 2, 180), ("Sunny hours", "sunny hours", 40, 260), ("Frost days", "frost days", 0, 25))),
    Subject("Charity runners", "runner", "runners", _PEOPLE, "Start", ("Morning", "Noon", "Evening"),
            (("Laps", "laps", 3, 40), ("Sponsors", "sponsors", 1, 24), ("Euros raised", "euros raised", 15, 600))),
    Subject("Museum rooms", "room", "rooms", ("Amber", "Ivory", "Cobalt", "Jade", "Coral", "Onyx", "Pearl", "Copper", "Velvet", "Marble", "Cedar", "Silver"),
            "Floor", ("Ground", "First", "Second"), (("Exhibits", "exhibits", 6, 90), ("Visitors", "visitors", 50, 980), ("Guides", "guides", 1, 9))),
    Subject("Farm deliveries", "farm", "farms", tuple(f"{p} Farm" for p in _PLACES), "Product", ("Milk", "Eggs", "Grain"),
            (("Deliveries", "deliveries", 2, 40), ("Crates", "crates", 10, 320), ("Kilometres", "kilometres", 3, 85))),
    Subject("Support agents", "agent", "agents", _PEOPLE, "Shift", ("Early", "Late", "Night"),
            (("Tickets", "tickets", 12, 130), ("Reopened", "reopened tickets", 0, 18), ("Calls", "calls", 5, 90))),
)  # fmt: skip


class Ask(NamedTuple):
    """A kind of question: its phrasings, and the level from which it is asked."""

    level: int
    forms: tuple[str, ...]


_ASKS = {
    "lookup": Ask(1, ("What is the value of {col} for {name}?", "Look up {name}: what is its {col}?", "Which number stands under {col} for {name}?")),
    "argmax": Ask(1, ("Which {one} has the highest value of {col}?", "Name the {one} with the largest {col}.", "Whose {col} is the highest?")),
    "argmin": Ask(1, ("Which {one} has the lowest value of {col}?", "Name the {one} with the smallest {col}.", "Whose {col} is the lowest?")),
    "count": Ask(2, ("How many {many} have more than {limit} under {col}?", "Count the {many} whose {col} is above {limit}.", "For how many {many} is {col} greater than {limit}?")),
    "sum": Ask(2, ("What do all {many} have together under {col}?", "Add up the column {col}. What is the total?", "What is the total of {col}?")),
    "difference": Ask(2, ("By how much does {name} exceed {other} in {col}?", "What is the difference between {name} and {other} in {col}?", "How much higher is {col} for {name} than for {other}?")),
    "group sum": Ask(3, ("What is the total of {col} for the {many} whose {group} is {value}?", "Take only the {many} with {group} {value}: what do they have together under {col}?", "Add up {col} over the {many} where {group} is {value}.")),
    "mean": Ask(3, ("What is the mean of {col} over all {many}? Give an exact number.", "On average, what is {col}? Give an exact number.", "Find the arithmetic mean of the column {col}, exactly.")),
    "second": Ask(3, ("Which {one} has the second highest {col}?", "Order the {many} by {col}, highest first: which is second?", "Name the {one} that comes second in {col}.")),
    "best group": Ask(4, ("Which {group} has the highest total of {col}?", "Group the {many} by {group}. Which group has the largest total of {col}?", "For which value of {group} is the sum of {col} the largest?")),
    "two conditions": Ask(4, ("How many {many} with {group} {value} have more than {limit} under {col}?", "Count the {many} whose {group} is {value} and whose {col} is above {limit}.", "Among the {many} with {group} {value}, how many exceed {limit} in {col}?")),
    "share": Ask(5, ("What fraction of the total of {col} comes from the {many} whose {group} is {value}? Give it in lowest terms.", "Of all {col}, which share belongs to {group} {value}? Answer with a fraction in lowest terms.", "The {many} with {group} {value} hold what part of the total of {col}? Give a reduced fraction.")),
    "median": Ask(4, ("What is the median of {col}?", "Order the values of {col}: what is the median?", "Find the median of the column {col}.")),
    "ratio": Ask(5, ("Which {one} has the highest ratio of {col} to {col2}?", "Divide {col} by {col2} for every {one}: for which is the result largest?", "Name the {one} with the most {col} for each unit of {col2}.")),
}  # fmt: skip
_LEADS = (
    "Look at this table.", "Here is a table: {title}.", "{title}:", "The following table is about this: {title}.", "Use the table to answer.",
    "Read the table ({title}) and answer the question below it.",
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    which = draw.between(0, len(_SUBJECTS) - 1)
    subject = _SUBJECTS[which]
    kind = draw.pick([kind for kind, ask in _ASKS.items() if level - 2 <= ask.level <= level])
    size = draw.between(3 + level, 5 + 2 * level)
    names = draw.sample(subject.names, min(size, len(subject.names)))
    columns = draw.shuffled(subject.numbers)[: 2 if level < 3 else 3]
    grouped = level >= 3 or draw.chance(0.4)
    rows: list[dict[str, Any]] = []
    for name in names:
        row: dict[str, Any] = {subject.one.capitalize(): name}
        if grouped:
            row[subject.group] = draw.pick(subject.groups)
        row |= {column: draw.between(least, most) for column, _, least, most in columns}
        rows.append(row)
    col, col2 = columns[0][0], columns[1][0]
    numbers = [row[col] for row in rows]
    if kind in ("argmax", "argmin", "second", "ratio", "best group", "median"):
        _make_different(draw, rows, col, columns[0][2:])
        numbers = [row[col] for row in rows]
    name, other = draw.sample(names, 2)
    if kind == "difference" and _cell(rows, subject, name, col) < _cell(rows, subject, other, col):
        name, other = other, name
    facts: dict[str, Any] = {"kind": kind, "col": col, "name": name, "other": other, "one": subject.one}
    facts["group"], facts["value"] = subject.group, draw.pick([row[subject.group] for row in rows]) if grouped else ""
    facts["col2"], facts["limit"] = col2, draw.pick(sorted(numbers)[:-1])
    if kind == "ratio" and (any(row[col2] == 0 for row in rows) or _tied([Fraction(r[col], r[col2]) for r in rows])):
        kind = facts["kind"] = "argmax"
    if kind == "best group" and _tied(list(_totals(rows, subject.group, col).values())):
        kind = facts["kind"] = "sum"
    if kind == "share" and sum(numbers) == 0:
        kind = facts["kind"] = "sum"
    form = draw.between(0, 2)
    ask = _ASKS[kind].forms[form].format(**{**facts, "group": subject.group.lower()}, many=subject.many)
    table, style = _printed(draw, rows)
    lead = draw.pick(_LEADS).format(title=subject.title)
    answer, steps, check, text = _KINDS[kind](rows, subject, facts)
    return Draft(
        question=f"{lead}\n\n{table}\n\n{ask}",
        answer=answer,
        facts={**facts, "table": table, "style": style},
        template=f"{kind} {form}",
        steps=steps,
        says=f"The answer is {answer}." if text else f"It comes to {answer}.",
        given=f"There are {len(rows)} {subject.many}, and what matters is {col}.",
        check=check,
        verifier="choice" if text else "math",
    )


def _cell(rows: list[dict[str, Any]], subject: Subject, name: str, col: str) -> int:
    return next(row[col] for row in rows if row[subject.one.capitalize()] == name)


def _make_different(draw: Draw, rows: list[dict[str, Any]], col: str, limits: tuple[Any, ...]) -> None:
    """Give every row another number, so that an order is an order."""
    least, most = limits
    values = draw.sample(range(least, max(most, least + 3 * len(rows))), len(rows))
    for row, value in zip(rows, values, strict=True):
        row[col] = value


def _tied(values: list[Any]) -> bool:
    return len(values) > 1 and sorted(values)[-1] == sorted(values)[-2]


def _totals(rows: list[dict[str, Any]], group: str, col: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row[group]] = totals.get(row[group], 0) + row[col]
    return totals


def _printed(draw: Draw, rows: list[dict[str, Any]]) -> tuple[str, str]:
    style = draw.pick(("markdown", "markdown", "csv", "tabs"))
    head, body = list(rows[0]), [[str(value) for value in row.values()] for row in rows]
    if style == "markdown":
        lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        return "\n".join([*lines, *(f"| {' | '.join(line)} |" for line in body)]), style
    if style == "csv":
        return "\n".join(",".join(line) for line in [head, *body]), style
    return "\n".join("\t".join(line) for line in [head, *body]), style


# --- answers, kind by kind -----------------------------------------------------------------------------------------

Worked = tuple[str, list[Step], str, bool]  # answer, steps, check, whether the answer is a name


def _named(rows: list[dict[str, Any]], subject: Subject, col: str) -> str:
    return listed([f"{row[subject.one.capitalize()]} {row[col]}" for row in rows])


def _lookup(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    value = _cell(rows, subject, facts["name"], facts["col"])
    position = 1 + [row[subject.one.capitalize()] for row in rows].index(facts["name"])
    step = Step(
        f"In the row of {facts['name']} the column {facts['col']} holds {value}.",
        f"{facts['name']} is row {position} of the table.",
    )
    return (
        str(value),
        [step],
        f"Counting again, {facts['name']} is row {position} and the column is {facts['col']}: {value}.",
        False,
    )


def _extreme(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    col, key = facts["col"], subject.one.capitalize()
    order = sorted(rows, key=lambda row: row[col], reverse=facts["kind"] != "argmin")
    place = 1 if facts["kind"] == "second" else 0
    found, word = order[place], "lowest" if facts["kind"] == "argmin" else "highest"
    steps = [Step(f"{col}: {_named(rows, subject, col)}.", "Go down the column.")]
    steps.append(Step(f"The {word} is {order[0][col]}, for {order[0][key]}."))
    if place:
        slip = Slip(f"So the answer is {order[0][key]}.", "That one is first, and the second is asked for.")
        steps.append(Step(f"Without it, the highest is {found[col]}, for {found[key]}.", "", slip))
    nearest = order[place + 1]
    side = ">" if facts["kind"] != "argmin" else "<"
    return (
        found[key],
        steps,
        f"The next in order is {nearest[key]} with {nearest[col]}, and {found[col]} {side} {nearest[col]}.",
        True,
    )


def _count(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    col, limit, steps = facts["col"], facts["limit"], []
    some = rows
    if facts["kind"] == "two conditions":
        some = [row for row in rows if row[facts["group"]] == facts["value"]]
        steps.append(
            Step(
                f"{len(some)} {subject.many if len(some) != 1 else subject.one} with {facts['value']}: {_named(some, subject, col)}.",
                f"First keep those whose {facts['group'].lower()} is {facts['value']}.",
            )
        )
    hits = [row for row in some if row[col] > limit]
    equal = [row for row in some if row[col] == limit]
    slip = (
        Slip(
            f"That makes {len(hits) + len(equal)}.",
            f"{equal[0][col]} itself is not more than {limit}, so it does not count.",
        )
        if equal
        else None
    )
    found = _named(hits, subject, col) if hits else "none"
    steps.append(Step(f"Above {limit}: {found}. That makes {len(hits)}.", f"More than {limit} is wanted.", slip))
    rest = len(some) - len(hits)
    return (
        str(len(hits)),
        steps,
        f"{rest} of the {len(some)} are at or below {limit}, and {len(hits)} + {rest} = {len(some)}.",
        False,
    )


def _sum(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    steps: list[Step] = []
    if facts["kind"] == "group sum":
        rows = [row for row in rows if row[facts["group"]] == facts["value"]]
        steps.append(
            Step(
                f"Those with {facts['value']}: {_named(rows, subject, facts['col'])}.",
                f"Only rows whose {facts['group'].lower()} is {facts['value']} count.",
            )
        )
    numbers = [row[facts["col"]] for row in rows]
    total = sum(numbers)
    steps.append(_added(numbers, facts["col"]))
    back = " + ".join(map(str, reversed(numbers)))
    return str(total), steps, f"From the bottom up, {back} is {total} too.", False


def _added(numbers: list[int], col: str) -> Step:
    total = sum(numbers)
    return Step(
        f"{' + '.join(map(str, numbers))} = {total}.",
        f"Add up the {len(numbers)} values of {col}." if len(numbers) > 1 else "There is only one.",
    )


def _difference(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    a, b = (_cell(rows, subject, facts[who], facts["col"]) for who in ("name", "other"))
    steps = [
        Step(f"{facts['name']} has {a}, {facts['other']} has {b}.", f"Both values stand under {facts['col']}."),
        Step(f"{a} − {b} = {a - b}."),
    ]
    return str(a - b), steps, f"{b} + {a - b} = {a}.", False


def _mean(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    numbers = [row[facts["col"]] for row in rows]
    mean = Fraction(sum(numbers), len(numbers))
    steps = [
        _added(numbers, facts["col"]),
        Step(f"{sum(numbers)} ÷ {len(numbers)} = {mean}.", f"There are {len(numbers)} {subject.many}."),
    ]
    return (
        str(mean),
        steps,
        f"{mean} lies between the least, {min(numbers)}, and the most, {max(numbers)}, and {len(numbers)} times it is {sum(numbers)}.",
        False,
    )


def _best_group(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    col, group, steps = facts["col"], facts["group"], []
    totals = _totals(rows, group, col)
    for name, total in totals.items():
        numbers = [row[col] for row in rows if row[group] == name]
        steps.append(
            Step(f"{name}: {' + '.join(map(str, numbers))} = {total}." if len(numbers) > 1 else f"{name}: {total}.")
        )
    best = max(totals, key=lambda name: totals[name])
    steps.append(Step(f"The largest of {listed(list(map(str, totals.values())))} is {totals[best]}, for {best}."))
    whole = sum(totals.values())
    return best, steps, f"The totals add up to {whole}, as the whole column {col} does.", True


def _share(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    col = facts["col"]
    some = [row[col] for row in rows if row[facts["group"]] == facts["value"]]
    whole = [row[col] for row in rows]
    share = Fraction(sum(some), sum(whole))
    slip = Slip(
        f"{len(some)}/{len(whole)} of the {subject.many} are of this kind, so that is the share.",
        f"The share of {col} is asked for, not of {subject.many}.",
    )
    steps = [
        Step(f"{facts['value']}: {' + '.join(map(str, some))} = {sum(some)}." if len(some) > 1 else f"{facts['value']}: {some[0]}."),
        Step(f"All: {' + '.join(map(str, whole))} = {sum(whole)}."),
        Step(_reduced(sum(some), sum(whole)), "The share is the part over the whole.", slip),
    ]  # fmt: skip
    return (
        str(share),
        steps,
        f"The others have {sum(whole) - sum(some)}/{sum(whole)} = {1 - share}, and {share} + {1 - share} = 1.",
        False,
    )


def _reduced(part: int, whole: int) -> str:
    share = Fraction(part, whole)
    same = share.denominator == whole
    return f"{part}/{whole} is in lowest terms already." if same else f"{part}/{whole} = {share}."


def _median(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    numbers = sorted(row[facts["col"]] for row in rows)
    half = len(numbers) // 2
    steps = [Step(f"In order: {listed(list(map(str, numbers)))}.", "The median is the middle of the ordered values.")]
    if len(numbers) % 2:
        median = Fraction(numbers[half])
        steps.append(Step(f"The middle one of {len(numbers)} is {median}."))
    else:
        median = Fraction(numbers[half - 1] + numbers[half], 2)
        steps.append(
            Step(
                f"({numbers[half - 1]} + {numbers[half]}) ÷ 2 = {median}.",
                f"With {len(numbers)} values there are two in the middle.",
            )
        )
    below = sum(n < median for n in numbers)
    return (
        str(median),
        steps,
        f"{below} values are below {median} and {sum(n > median for n in numbers)} above it.",
        False,
    )


def _ratio(rows: list[dict[str, Any]], subject: Subject, facts: dict[str, Any]) -> Worked:
    col, col2, key = facts["col"], facts["col2"], subject.one.capitalize()
    ratios = {row[key]: Fraction(row[col], row[col2]) for row in rows}
    best = max(ratios, key=lambda name: ratios[name])
    second = max((name for name in ratios if name != best), key=lambda name: ratios[name])
    steps = [Step(f"{row[key]}: {row[col]} ÷ {row[col2]} ≈ {float(ratios[row[key]]):.3f}.") for row in rows]
    most = max(rows, key=lambda row: row[col])[key]
    slip = (
        Slip(f"{most} has the highest {col}, so it is {most}.", f"But {col} has to be taken for each unit of {col2}.")
        if most != best
        else None
    )
    steps.append(Step(f"The largest is that of {best}.", "", slip))
    a, b = ratios[best], ratios[second]
    return (
        best,
        steps,
        f"The next is {second}: {a.numerator} × {b.denominator} = {a.numerator * b.denominator} is more than {b.numerator} × {a.denominator} = {b.numerator * a.denominator}.",
        True,
    )


_KINDS: dict[str, Callable[[list[dict[str, Any]], Subject, dict[str, Any]], Worked]] = {
    "lookup": _lookup, "argmax": _extreme, "argmin": _extreme, "second": _extreme, "count": _count, "two conditions": _count,
    "sum": _sum, "group sum": _sum, "difference": _difference, "mean": _mean, "best group": _best_group, "share": _share,
    "median": _median, "ratio": _ratio,
}  # fmt: skip


# --- the independent solver -----------------------------------------------------------------------------------------

_SPLIT = {"markdown": re.compile(r"\s*\|\s*"), "csv": re.compile(","), "tabs": re.compile("\t")}


def solve(facts: dict[str, Any]) -> str:
    """Read the printed table and compute column-wise."""
    lines = [line.strip("| ") for line in facts["table"].split("\n") if not line.startswith("|---")]
    table = [_SPLIT[facts["style"]].split(line.strip()) for line in lines]
    columns = dict(zip(table[0], zip(*table[1:], strict=True), strict=True))
    names = columns[facts["one"].capitalize()]
    values = [int(cell) for cell in columns[facts["col"]]]
    inside = [cell == facts["value"] for cell in columns.get(facts["group"], names)]
    kind = facts["kind"]
    if kind in ("lookup", "difference"):
        mine = values[names.index(facts["name"])]
        return str(mine if kind == "lookup" else mine - values[names.index(facts["other"])])
    if kind in ("argmax", "argmin", "second"):
        ranked = sorted(zip(values, names, strict=True))
        return ranked[{"argmax": -1, "argmin": 0, "second": -2}[kind]][1]
    if kind == "ratio":
        under = [int(cell) for cell in columns[facts["col2"]]]
        best = 0
        for i in range(1, len(values)):
            if values[i] * under[best] > values[best] * under[i]:
                best = i
        return names[best]
    if kind == "best group":
        groups = columns[facts["group"]]
        return max(groups, key=lambda g: sum(v for v, each in zip(values, groups, strict=True) if each == g))
    if kind in ("count", "two conditions"):
        return str(sum(v > facts["limit"] and (kind == "count" or ok) for v, ok in zip(values, inside, strict=True)))
    part = sum(v for v, ok in zip(values, inside, strict=True) if ok)
    if kind == "median":
        ordered = sorted(values)
        return str(Fraction(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2], 2))
    whole = sum(values)
    return str(
        {"sum": whole, "group sum": part, "mean": Fraction(whole, len(values)), "share": Fraction(part, whole or 1)}[
            kind
        ]
    )


PIPELINE = Solver(
    make, solve, knobs="level: 4 to 15 rows; looking up, then counting and sums, then groups, medians and ratios"
)
