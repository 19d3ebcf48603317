"""Kinds of questions to one data frame: English, pandas, wrong pandas, and the value found in plain Python with its steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from phiforge.data.draft import Slip, Step
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed

Row = dict[str, Any]
Given = dict[str, Any]
Found = tuple[Any, list[Step]]  # the value, and how it is found


class Ask(NamedTuple):
    """`expression` is right, `wrong` are others that give something else; all with the names of `Given` in braces."""

    level: int
    asks: tuple[str, ...]
    expression: str
    wrong: tuple[str, ...]
    find: Callable[[list[Row], Given], Found]


def _terms(values: list[Any]) -> str:
    return " + ".join(map(str, values))


def _sum_step(values: list[int]) -> Step:
    return Step(f"{_terms(values)} = {sum(values)}." if len(values) > 1 else f"That is {sum(values)}.")


def _only(values: list[Any], value: Any) -> None:
    if values.count(value) != 1:
        raise Unfit


def _cell(rows: list[Row], g: Given) -> Found:
    value = rows[g["i"]][g["number"]]
    return value, [Step(f"The row with index {g['i']} is row number {g['i'] + 1} of the table, and its {g['number']} is {value}.", "The index begins with 0.", Slip(f"Row {g['i']} has {rows[g['i'] - 1][g['number']]}.", "Counting begins with 0, so it is one further down."))]  # fmt: skip


def _sum(rows: list[Row], g: Given) -> Found:
    values = [row[g["number"]] for row in rows]
    return sum(values), [Step(f"The column holds {listed([str(v) for v in values])}."), _sum_step(values)]


def _spread(rows: list[Row], g: Given) -> Found:
    values = [row[g["number"]] for row in rows]
    return max(values) - min(values), [Step(f"The largest {g['number']} is {max(values)}, the smallest {min(values)}."), Step(f"{max(values)} − {min(values)} = {max(values) - min(values)}.")]  # fmt: skip


def _count(rows: list[Row], g: Given) -> Found:
    fits = [row[g["number"]] for row in rows if row[g["number"]] > g["limit"]]
    return len(fits), [Step(f"Above {g['limit']} are {listed([str(v) for v in fits])}." if fits else f"None is above {g['limit']}.", "I compare each value.", Slip(f"{g['limit']} itself counts as well.", "Above means larger, so it doesn't.")), Step(f"That is {count(len(fits), 'row')}.")]  # fmt: skip


def _filtered_sum(rows: list[Row], g: Given) -> Found:
    values = [row[g["number"]] for row in rows if row[g["category"]] == g["value"]]
    return sum(values), [
        Step(
            f"The rows with {g['category']} {g['value']} have {listed([str(v) for v in values])}.", "First the filter."
        ),
        _sum_step(values),
    ]


def _nunique(rows: list[Row], g: Given) -> Found:
    names = list(dict.fromkeys(row[g["parent"]] for row in rows))
    return len(names), [Step(f"The different values of {g['parent']} are {listed(names)}.", "Each counts once.", Slip(f"There are {len(rows)} rows, so {len(rows)}.", "Some occur several times.") if len(names) < len(rows) else None), Step(f"That makes {len(names)}.")]  # fmt: skip


def _argmax(rows: list[Row], g: Given) -> Found:
    best = max(rows, key=lambda row: row[g["number"]])
    return best[g["parent"]], [
        Step(f"The largest {g['number']} is {best[g['number']]}.", "First the row, then the other column."),
        Step(f"That row belongs to {best[g['parent']]}."),
    ]


def _second(rows: list[Row], g: Given) -> Found:
    order = sorted(rows, key=lambda row: row[g["number"]])
    return order[1][g["parent"]], [Step(f"Sorted by {g['number']}, the table begins with {order[0][g['number']]} ({order[0][g['parent']]}) and {order[1][g['number']]} ({order[1][g['parent']]}).", "Smallest first."), Step(f"The second of them is {order[1][g['parent']]}.", "", Slip(f"So it is {order[0][g['parent']]}.", "That one is first, and the second is asked for."))]  # fmt: skip


def _commonest(rows: list[Row], g: Given) -> Found:
    values = [row[g["category"]] for row in rows]
    counts = {value: values.count(value) for value in dict.fromkeys(values)}
    best = max(counts, key=lambda value: counts[value])
    _only(list(counts.values()), counts[best])
    return best, [
        Step(f"The counts are {listed([f'{value}: {n}' for value, n in counts.items()])}.", "I count every value."),
        Step(f"{best} is the most frequent."),
    ]


def _totals(rows: list[Row], by: str, number: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row[by]] = totals.get(row[by], 0) + row[number]
    return totals


def _group_best(rows: list[Row], g: Given) -> Found:
    totals = _totals(rows, g["parent"], g["number"])
    best = max(totals, key=lambda name: totals[name])
    _only(list(totals.values()), totals[best])
    biggest = max(rows, key=lambda row: row[g["number"]])[g["parent"]]
    return best, [Step(f"The sums are {listed([f'{name} {total}' for name, total in totals.items()])}.", "Grouping puts the rows of one together."), Step(f"The largest is that of {best}.", "", Slip(f"{biggest} has the largest single value.", "The sums decide, not single values.") if biggest != best else None)]  # fmt: skip


def _group_mean(rows: list[Row], g: Given) -> Found:
    values = [row[g["number"]] for row in rows if row[g["category"]] == g["value"]]
    mean = Fraction(sum(values), len(values))
    return mean, [
        Step(f"The group {g['value']} holds {listed([str(v) for v in values])}.", "Only this group matters."),
        Step(f"({_terms(values)}) ÷ {len(values)} = {mean}."),
    ]


def _both(rows: list[Row], g: Given) -> Found:
    fits = [row for row in rows if row[g["number"]] > g["limit"] and row[g["category"]] == g["value"]]
    values = [row[g["count"]] for row in fits]
    return sum(values), [Step(f"{count(len(fits), 'row')} {'fulfils' if len(fits) == 1 else 'fulfil'} both conditions, with {g['number']} {listed([str(row[g['number']]) for row in fits])}." if fits else "No row fulfils both conditions.", "Both conditions have to hold."), Step(f"Their {g['count']}: {_terms(values)}{f' = {sum(values)}' * (len(values) > 1)}." if fits else "The sum of nothing is 0.")]  # fmt: skip


def _head(rows: list[Row], g: Given) -> Found:
    order = sorted(rows, key=lambda row: -row[g["number"]])[: g["n"]]
    values = [row[g["count"]] for row in order]
    return sum(values), [
        Step(
            f"The {g['n']} rows with the largest {g['number']} are those with {listed([str(row[g['number']]) for row in order])}.",
            "Largest first.",
        ),
        Step(f"Their {g['count']}: {_terms(values)} = {sum(values)}."),
    ]


def _median(rows: list[Row], g: Given) -> Found:
    values = sorted(row[g["number"]] for row in rows)
    n = len(values)
    value = Fraction(values[(n - 1) // 2] + values[n // 2], 2)
    said = (
        f"the middle one is {value}"
        if n % 2
        else f"the two in the middle are {values[n // 2 - 1]} and {values[n // 2]}, and half their sum is {float(value):g}"
    )
    return value, [
        Step(f"In order they are {listed([str(v) for v in values])}.", "The median needs them sorted."),
        Step(f"With {n} values {said}."),
    ]


def _product(rows: list[Row], g: Given) -> Found:
    parts = [row[g["number"]] * row[g["count"]] for row in rows]
    number, times = g["number"], g["count"]
    said = ", ".join(f"{row[number]} · {row[times]} = {part}" for row, part in zip(rows, parts, strict=True))
    return sum(parts), [Step(f"Row by row: {said}.", "The columns are multiplied row by row."), _sum_step(parts)]


def _diff(rows: list[Row], g: Given) -> Found:
    values = [row[g["number"]] for row in rows]
    steps = [b - a for a, b in itertools.pairwise(values)]
    return max(steps), [
        Step(
            f"From row to row the changes are {listed([str(s) for s in steps])}.",
            "Each row is compared with the one above it; the first has none.",
        ),
        Step(f"The largest is {max(steps)}."),
    ]


def _cumsum(rows: list[Row], g: Given) -> Found:
    totals = [sum(row[g["number"]] for row in rows[: i + 1]) for i in range(len(rows))]
    limit = g["total"]
    at = next((i for i, total in enumerate(totals) if total > limit), None)
    if at is None:
        raise Unfit
    return at, [
        Step(f"The running totals are {listed([str(t) for t in totals])}.", "Each adds the next row."),
        Step(
            f"{totals[at]} is the first above {limit}, at index {at}.",
            "",
            Slip(f"It is the row number {at + 1}, so {at + 1}.", "The index begins with 0."),
        ),
    ]


def _pivot(rows: list[Row], g: Given) -> Found:
    values = [row[g["number"]] for row in rows if row[g["category"]] == g["value"] and row[g["parent"]] == g["name"]]
    if not values:
        raise Unfit
    return sum(values), [
        Step(
            f"For {g['name']} and {g['value']} the table has {listed([str(v) for v in values])}.",
            "What is wanted collects the rows with both.",
        ),
        _sum_step(values),
    ]


def _size(rows: list[Row], g: Given) -> Found:
    sizes: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row[g["parent"]], row[g["category"]])
        sizes[key] = sizes.get(key, 0) + 1
    best = max(sizes, key=lambda key: sizes[key])
    return sizes[best], [
        Step(f"There are {len(sizes)} pairs of {g['parent']} and {g['category']}.", "Each pair is a group."),
        Step(f"The most frequent is {best[0]} with {best[1]}, {count(sizes[best], 'time')}."),
    ]


def _first_each(rows: list[Row], g: Given) -> Found:
    firsts: dict[str, int] = {}
    for row in rows:
        firsts.setdefault(row[g["parent"]], row[g["number"]])
    return sum(firsts.values()), [
        Step(
            f"The first rows are {listed([f'{name} {value}' for name, value in firsts.items()])}.",
            "Only the first row of each counts.",
        ),
        _sum_step(list(firsts.values())),
    ]


def _above_mean(rows: list[Row], g: Given) -> Found:
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(row[g["category"]], []).append(row[g["number"]])
    hits = sum(row[g["number"]] * len(groups[row[g["category"]]]) > sum(groups[row[g["category"]]]) for row in rows)
    means = listed([f"{name} {Fraction(sum(values), len(values))}" for name, values in groups.items()])
    return hits, [Step(f"The means of the groups are {means}.", "Each row has the mean of its own group to beat."), Step(f"{count(hits, 'row')} {'is' if hits == 1 else 'are'} above the mean of the own group.", "", Slip("I compare with the mean of all.", "Each row is compared with its own group only."))]  # fmt: skip


def _rank(rows: list[Row], g: Given) -> Found:
    value = rows[g["i"]][g["number"]]
    larger = [row[g["number"]] for row in rows if row[g["number"]] > value]
    return len(larger) + 1, [
        Step(f"Row {g['i']} has {value}.", "The index begins with 0."),
        Step(
            f"Larger are {listed([str(v) for v in larger])}, so its rank is {len(larger) + 1}."
            if larger
            else "No value is larger, so its rank is 1."
        ),
    ]


def _merge(rows: list[Row], g: Given) -> Found:
    rates = dict(zip(g["rate_names"], g["rate_values"], strict=True))
    parts = [row[g["count"]] * rates[row[g["category"]]] for row in rows if row[g["category"]] in rates]
    if not parts:
        raise Unfit
    return sum(parts), [Step(f"Only rows whose {g['category']} is {listed(list(rates), 'or')} find a partner, {count(len(parts), 'row')}.", "An inner join keeps what occurs in both.", Slip("The others count with a rate of 1.", "An inner join drops them.") if len(parts) < len(rows) else None), Step(f"Times their rates: {_terms(parts)}{f' = {sum(parts)}' * (len(parts) > 1)}.")]  # fmt: skip


def _share(rows: list[Row], g: Given) -> Found:
    part, whole = sum(row[g["category"]] == g["value"] for row in rows), len(rows)
    return Fraction(part, whole), [
        Step(
            f"{count(part, 'row')} of {whole} {'has' if part == 1 else 'have'} {g['value']}.",
            "A share is a part of the whole.",
        ),
        Step(f"{part} ÷ {whole} = {Fraction(part, whole)}."),
    ]


def _isin(rows: list[Row], g: Given) -> Found:
    values = [row[g["number"]] for row in rows if row[g["category"]] not in (g["value"], g["value2"])]
    return len(values), [
        Step(
            f"{count(len(rows) - len(values), 'row')} of {len(rows)} {'is' if len(rows) - len(values) == 1 else 'are'} {g['value']} or {g['value2']}.",
            "Other than these means all rows but these.",
        ),
        Step(f"So {len(values)} {'is' if len(values) == 1 else 'are'} left."),
    ]


N, C, P, K = '"{number}"', '"{category}"', '"{parent}"', '"{count}"'
ASKS: dict[str, Ask] = {
    "cell": Ask(1, ("What is the {number} in the row with index {i}?", "Which {number} stands at index {i}?"), f"df.loc[{{i}}, {N}]", (f"df.loc[{{i}} + 1, {N}]", f"df[{N}].iloc[-1 - {{i}}]", f"df.loc[{{i}}, {K}]"), _cell),
    "sum": Ask(1, ("What is the sum of {number}?", "What do the values of {number} add up to?"), f"df[{N}].sum()", (f"df[{N}].count()", f"df[{K}].sum()", f"df[{N}].max()"), _sum),
    "spread": Ask(1, ("By how much does the largest {number} exceed the smallest?", "What is the range (largest minus smallest) of {number}?"), f"df[{N}].max() - df[{N}].min()", (f"df[{N}].max()", f"df[{K}].max() - df[{K}].min()", f"df[{N}].iloc[-1] - df[{N}].iloc[0]"), _spread),
    "count": Ask(1, ("How many rows have more than {limit} under {number}?", "In how many rows is {number} above {limit}?"), f"(df[{N}] > {{limit}}).sum()", (f"(df[{N}] >= {{limit}}).sum()", f"df[df[{N}] > {{limit}}][{N}].sum()", f"(df[{N}] < {{limit}}).sum()"), _count),
    "filtered sum": Ask(2, ("What is the total {number} of the rows with {category} \"{value}\"?", "Add up {number} over the rows whose {category} is {value}. What is the sum?"), f'df.loc[df[{C}] == "{{value}}", {N}].sum()', (f'df.loc[df[{C}] != "{{value}}", {N}].sum()', f'(df[{C}] == "{{value}}").sum()', f'df.loc[df[{C}] == "{{value}}", {K}].sum()'), _filtered_sum),
    "nunique": Ask(2, ("How many different values does {parent} have?", "How many distinct {parent} entries are there?"), f"df[{P}].nunique()", (f"df[{P}].count()", f"df[{C}].nunique()", f"df[{P}].value_counts().max()"), _nunique),
    "argmax": Ask(2, ("Which {parent} does the row with the largest {number} belong to?", "Whose row has the highest {number}? Give the {parent}."), f"df.loc[df[{N}].idxmax(), {P}]", (f"df.loc[df[{N}].idxmin(), {P}]", f"df.loc[df[{K}].idxmax(), {P}]", f"df[{P}].max()"), _argmax),
    "second": Ask(2, ("Which {parent} has the row with the second smallest {number}?", "Sort the rows by {number}, smallest first: which {parent} is second?"), f"df.sort_values({N}).iloc[1][{P}]", (f"df.sort_values({N}).iloc[2][{P}]", f"df.sort_values({N}, ascending=False).iloc[1][{P}]", f"df.sort_values({N}).loc[1, {P}]"), _second),
    "commonest": Ask(2, ("Which {category} occurs most often?", "What is the most frequent value of {category}?"), f"df[{C}].value_counts().idxmax()", (f"df[{C}].value_counts().idxmin()", f"df[{C}].max()", f"df[{C}].iloc[0]"), _commonest),
    "group best": Ask(3, ("Which {parent} has the largest total {number}?", "For which {parent} is the sum of {number} the highest?"), f"df.groupby({P})[{N}].sum().idxmax()", (f"df.groupby({P})[{N}].sum().idxmin()", f"df.groupby({P})[{N}].mean().idxmax()", f"df.groupby({P})[{N}].count().idxmax()"), _group_best),
    "group mean": Ask(3, ("What is the mean {number} of the rows with {category} \"{value}\"? Give it exactly.", "Group by {category}: what is the exact mean of {number} in the group {value}?"), f'df.groupby({C})[{N}].mean()["{{value}}"]', (f'df.groupby({C})[{N}].median()["{{value}}"]', f'df.groupby({C})[{N}].sum()["{{value}}"]', f"df[{N}].mean()"), _group_mean),
    "both": Ask(3, ("What is the total {count} of the rows with a {number} above {limit} and {category} \"{value}\"?", "Take the rows where {number} is larger than {limit} and {category} is {value}: what do they have together under {count}?"), f'df[(df[{N}] > {{limit}}) & (df[{C}] == "{{value}}")][{K}].sum()', (f'df[(df[{N}] > {{limit}}) | (df[{C}] == "{{value}}")][{K}].sum()', f'df[(df[{N}] <= {{limit}}) & (df[{C}] == "{{value}}")][{K}].sum()', f'df[(df[{N}] > {{limit}}) & (df[{C}] != "{{value}}")][{K}].sum()'), _both),
    "head": Ask(3, ("What is the sum of {count} over the {n} rows with the largest {number}?", "Order by {number}, largest first, and take {n} rows: what is their {count} in all?"), f"df.sort_values({N}, ascending=False).head({{n}})[{K}].sum()", (f"df.sort_values({N}).head({{n}})[{K}].sum()", f"df.head({{n}})[{K}].sum()", f"df.sort_values({N}, ascending=False).head({{n}})[{N}].sum()"), _head),
    "median": Ask(3, ("What is the median of {number}?", "Find the median {number} of all rows."), f"df[{N}].median()", (f"df[{N}].mean()", f"df[{N}].iloc[len(df) // 2]", f"df[{K}].median()"), _median),
    "share": Ask(3, ("What share of the rows has {category} \"{value}\"? Give an exact number.", "Which fraction of all rows has the {category} {value}?"), f'(df[{C}] == "{{value}}").mean()', (f'(df[{C}] == "{{value}}").sum()', f'(df[{C}] != "{{value}}").mean()', f"1 / df[{C}].nunique()"), _share),
    "isin": Ask(3, ("How many rows have a {category} other than {value} and {value2}?", "Leave out {value} and {value2} ({category}): how many rows are left?"), f'(~df[{C}].isin(["{{value}}", "{{value2}}"])).sum()', (f'df[{C}].isin(["{{value}}", "{{value2}}"]).sum()', f'(df[{C}] != "{{value}}").sum()', f'(df[{C}] != "{{value2}}").sum()'), _isin),
    "product": Ask(4, ("Multiply {number} by {count} in every row; what is the sum?", "What is the sum over all rows of {number} times {count}?"), f"(df[{N}] * df[{K}]).sum()", (f"df[{N}].sum() * df[{K}].sum()", f"(df[{N}] + df[{K}]).sum()", f"(df[{N}] * df[{K}]).max()"), _product),
    "diff": Ask(4, ("What is the largest rise of {number} from one row to the next?", "By how much does {number} increase at most from a row to the one below it?"), f"df[{N}].diff().max()", (f"df[{N}].max() - df[{N}].min()", f"df[{N}].diff().min()", f"df[{N}].diff().sum()"), _diff),
    "cumsum": Ask(4, ("At which index does the running total of {number} first exceed {total}?", "Add up {number} from the top: which index is the first where the sum is above {total}?"), f"(df[{N}].cumsum() > {{total}}).idxmax()", (f"(df[{N}].cumsum() > {{total}}).sum()", f"(df[{N}] > {{total}}).idxmax()", f"(df[{N}].cumsum() < {{total}}).idxmax()"), _cumsum),
    "pivot": Ask(4, ("What is the total {number} of {name} with {category} \"{value}\"?", "In a table of {parent} against {category} with sums of {number}, what stands at {name} and {value}?"), f'df.pivot_table(index={P}, columns={C}, values={N}, aggfunc="sum", fill_value=0).loc["{{name}}", "{{value}}"]', (f'df.groupby({P})[{N}].sum()["{{name}}"]', f'df.groupby({C})[{N}].sum()["{{value}}"]', f'df.loc[df[{P}] == "{{name}}", {K}].sum()'), _pivot),
    "size": Ask(4, ("How often does the most frequent pair of {parent} and {category} occur?", "Group by {parent} and {category} together: how many rows has the largest group?"), f"df.groupby([{P}, {C}]).size().max()", (f"df.groupby({P}).size().max()", f"df.groupby({C}).size().max()", f"len(df.groupby([{P}, {C}]))"), _size),
    "first each": Ask(4, ("Keep only the first row of each {parent}: what is the sum of {number}?", "What do the first rows of every {parent} have together under {number}?"), f"df.drop_duplicates({P})[{N}].sum()", (f"df[{N}].sum()", f'df.drop_duplicates({P}, keep="last")[{N}].sum()', f"df.drop_duplicates({C})[{N}].sum()"), _first_each),
    "above mean": Ask(5, ("How many rows have a {number} above the mean of their own {category}?", "Compare each {number} with the mean of its {category}: how many are larger?"), f'(df[{N}] > df.groupby({C})[{N}].transform("mean")).sum()', (f"(df[{N}] > df[{N}].mean()).sum()", f'(df[{N}] < df.groupby({C})[{N}].transform("mean")).sum()', f'(df[{N}] >= df.groupby({C})[{N}].transform("max")).sum()'), _above_mean),
    "rank": Ask(5, ("Which rank has the row with index {i} by {number}, the largest being 1?", "Ranked by falling {number}, at which place is the row with index {i}?"), f"int(df[{N}].rank(ascending=False).loc[{{i}}])", (f"int(df[{N}].rank().loc[{{i}}])", f"int(df[{K}].rank(ascending=False, method=\"first\").loc[{{i}}])", f"int(df[{N}].rank(ascending=False).iloc[-1 - {{i}}])"), _rank),
    "merge": Ask(5, ("Let rates be pd.DataFrame({{\"{category}\": {rate_of}, \"rate\": {rates}}}). After df.merge(rates, on=\"{category}\"), what is the sum of {count} times rate?", "A second frame gives rates for {category}: {said_rates}. Join it to df (inner join) and add up {count} times rate. What is the result?"), f'df.merge(pd.DataFrame({{{{{C}: {{rate_of}}, "rate": {{rates}}}}}}), on={C}).eval("{{count}} * rate").sum()', (f"df[{K}].sum() * {{rates}}[0]", f'df[df[{C}] == {{rate_of}}[0]][{K}].sum()', f"df[df[{C}].isin({{rate_of}})][{K}].sum()"), _merge),
}  # fmt: skip
