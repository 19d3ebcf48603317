"""Kinds of questions to two tables: their English, their SQL, and a plain Python function that finds the rows."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from phiforge.data.rows import Unfit

Rows = list[list[Any]]
Given = dict[str, Any]  # the names of the tables and columns, and the values that a question is about


class Query(NamedTuple):
    """`asks` and `sql` have the names of `Given` in braces. `find` takes parents, children and the given values.

    `shape` says what comes out: one value, a list of values, or rows. `clauses` are the steps to the query.
    """

    level: int
    asks: tuple[str, ...]
    sql: str
    find: Callable[[Rows, Rows, Given], Rows]
    clauses: tuple[tuple[str, str], ...]  # what is done, and why
    ordered: bool = False
    shape: str = "rows"
    slip: tuple[str, str] = ("", "")


# Positions in the rows: parents id, name, group; children id, parent, category, number, count, date.
_ID, _OF, _CAT, _NUM, _CNT, _DATE = range(6)


def _groups(rows: Rows, at: int) -> dict[Any, Rows]:
    found: dict[Any, Rows] = {}
    for row in rows:
        found.setdefault(row[at], []).append(row)
    return found


def _rounded(value: Fraction, digits: int) -> float:
    """Rounded; a value that lies exactly between two is no fair question."""
    scaled = value * 10**digits
    if scaled.denominator == 2:
        raise Unfit
    return round(scaled) / 10**digits


def _untied(values: list[Any]) -> None:
    if len(set(values)) < len(values):
        raise Unfit


def _ranked(groups: dict[Any, Rows]) -> Rows:
    totals = [[key, sum(r[_NUM] for r in rows)] for key, rows in groups.items()]
    _untied([total for _, total in totals])
    return sorted(totals, key=lambda row: -row[1])


def _shares(children: Rows) -> Rows:
    whole = sum(r[_NUM] for r in children)
    return [
        [key, _rounded(Fraction(100 * sum(r[_NUM] for r in rows), whole), 1)]
        for key, rows in _groups(children, _CAT).items()
    ]


def _averages(parents: Rows, children: Rows) -> Rows:
    group = {p[0]: p[2] for p in parents}
    return [
        [key, _rounded(Fraction(sum(r[1] for r in rows), len(rows)), 2)]
        for key, rows in _groups([[group[c[_OF]], c[_NUM]] for c in children], 0).items()
    ]


def _best_parents(parents: Rows, children: Rows) -> Rows:
    found = []
    for group, some in _groups(parents, 2).items():
        totals = sorted(
            (
                (sum(c[_NUM] for c in children if c[_OF] == p[0]), p[1])
                for p in some
                if any(c[_OF] == p[0] for c in children)
            ),
            reverse=True,
        )
        if len(totals) > 1 and totals[0][0] == totals[1][0]:
            raise Unfit
        if totals:
            found.append([group, totals[0][1], totals[0][0]])
    return found


QUERIES: dict[str, Query] = {
    "filter": Query(1, ("List the id and the {number} of all {children} whose {category} is '{value}'.", "Give id and {number} for every {child} with {category} '{value}'.", "Which {children} have the {category} '{value}'? Show their id and {number}."),
        "SELECT id, {number}\nFROM {children}\nWHERE {category} = '{value}'", lambda p, c, g: [[r[_ID], r[_NUM]] for r in c if r[_CAT] == g["value"]],
        (("Two columns are wanted, so it is SELECT id, {number} FROM {children}.", "What is to be shown?"), ("Only rows with {category} = '{value}' count, which goes into WHERE.", "")), slip=("WHERE {category} = {value} without quotes.", "Then {value} would be the name of a column; texts stand in single quotes.")),
    "count where": Query(1, ("How many {children} have a value above {limit} under {number}?", "Count the {children} with more than {limit} under {number}.", "For how many {children} is {number} greater than {limit}?"),
        "SELECT COUNT(*)\nFROM {children}\nWHERE {number} > {limit}", lambda p, c, g: [[sum(r[_NUM] > g["limit"] for r in c)]],
        (("The condition is {number} > {limit}.", "Above means that the limit itself doesn't count."), ("COUNT(*) counts the rows that are left.", "")), shape="value", slip=("WHERE {number} >= {limit}.", "A value of exactly {limit} isn't above it.")),
    "sum": Query(1, ("What is the total {number} of the {children} with {category} '{value}'?", "Add up {number} over all {children} whose {category} is '{value}'.", "How much is {number} in all for {category} '{value}'?"),
        "SELECT SUM({number})\nFROM {children}\nWHERE {category} = '{value}'", lambda p, c, g: [[sum(r[_NUM] for r in c if r[_CAT] == g["value"])]],
        (("First the rows: WHERE {category} = '{value}'.", "Which rows count?"), ("SUM({number}) adds them up.", "")), shape="value", slip=("COUNT({number}) gives the total.", "It gives the number of rows; SUM adds the values.")),
    "names": Query(1, ("Which {parents} have '{group_value}' as their {group}? Give the names.", "List the names of the {parents} whose {group} is '{group_value}', in alphabetical order.", "Show the names of all {parents} with {group} '{group_value}'."),
        "SELECT name\nFROM {parents}\nWHERE {group} = '{group_value}'\nORDER BY name", lambda p, c, g: [[n] for n in sorted(r[1] for r in p if r[2] == g["group_value"])],
        (("The names are in {parents}, so no other table is needed.", "Which table has it?"), ("WHERE {group} = '{group_value}' picks the rows.", "")), shape="list"),
    "top": Query(2, ("Show the id of the {n} {children} with the largest {number}, largest first.", "Which {n} {children} have the highest {number}? Give their ids, the highest first.", "Give the ids of the top {n} {children} by {number}, in falling order."),
        "SELECT id\nFROM {children}\nORDER BY {number} DESC\nLIMIT {n}", lambda p, c, g: [[r[_ID]] for r in sorted(c, key=lambda r: -r[_NUM])[: g["n"]]],
        (("Sorted by {number}, largest first, that is ORDER BY {number} DESC.", "The largest come first."), ("LIMIT {n} keeps the first {n}.", "")), True, "list", ("ORDER BY {number}.", "Without DESC the smallest come first.")),
    "group count": Query(2, ("For each {category}, how many {children} are there?", "Count the {children} by {category}.", "Give every {category} with the number of its {children}."),
        "SELECT {category}, COUNT(*)\nFROM {children}\nGROUP BY {category}", lambda p, c, g: [[key, len(rows)] for key, rows in _groups(c, _CAT).items()],
        (("One row for each {category} means GROUP BY {category}.", "For each calls for groups."), ("COUNT(*) counts within each group.", "")), slip=("SELECT {category}, COUNT(*) without GROUP BY.", "A column beside an aggregate has to be grouped.")),
    "group sum": Query(2, ("For each {category}, give the total {number}, the largest total first.", "Rank the values of {category} by their total {number}, from the highest down; show both.", "Sum {number} by {category} and sort by the sum in falling order."),
        "SELECT {category}, SUM({number}) AS total\nFROM {children}\nGROUP BY {category}\nORDER BY total DESC", lambda p, c, g: _ranked(_groups(c, _CAT)),
        (("GROUP BY {category} with SUM({number}) gives the totals.", "First the totals, then their order."), ("The order goes by the sum, so it gets a name: ORDER BY total DESC.", "")), True, slip=("ORDER BY {number} DESC.", "After grouping there is no single {number} any more; the sum has to be sorted by.")),
    "like": Query(2, ("Which {parents} have a name that begins with '{letter}'? Give name and {group}.", "Show name and {group} of the {parents} whose name starts with the letter {letter}.", "List all {parents} with a name in {letter}..., together with their {group}."),
        "SELECT name, {group}\nFROM {parents}\nWHERE name LIKE '{letter}%'", lambda p, c, g: [[r[1], r[2]] for r in p if r[1][0] == g["letter"]],
        (("LIKE '{letter}%' matches texts that begin with {letter}.", "The % stands for any rest."), ("Name and {group} are both in {parents}.", "")), slip=("LIKE '%{letter}%'.", "That would match the letter anywhere in the name.")),
    "between": Query(2, ("How many {children} have a {date} from {first} to {last}, both days included?", "Count the {children} between {first} and {last} (inclusive), by {date}.", "What is the number of {children} whose {date} lies in the period {first} to {last}?"),
        "SELECT COUNT(*)\nFROM {children}\nWHERE {date} BETWEEN DATE '{first}' AND DATE '{last}'", lambda p, c, g: [[sum(g["first"] <= r[_DATE] <= g["last"] for r in c)]],
        (("BETWEEN includes both ends, as is asked for.", "Are the ends included?"), ("COUNT(*) counts the rows in that period.", "")), shape="value"),
    "and or": Query(2, ("Give the ids of the {children} with {category} '{value}' or '{value2}' and a {number} of at most {limit}.", "Which {children} have a {number} of {limit} or less and the {category} '{value}' or '{value2}'? Ids, please.", "List the id of every {child} whose {category} is '{value}' or '{value2}', provided its {number} doesn't exceed {limit}."),
        "SELECT id\nFROM {children}\nWHERE {category} IN ('{value}', '{value2}')\n  AND {number} <= {limit}", lambda p, c, g: [[r[_ID]] for r in c if r[_CAT] in (g["value"], g["value2"]) and r[_NUM] <= g["limit"]],
        (("Two values of one column: {category} IN ('{value}', '{value2}').", "IN saves an OR and its brackets."), ("The limit holds for both, so it is joined by AND.", "")), shape="list", slip=("{category} = '{value}' OR {category} = '{value2}' AND {number} <= {limit}.", "AND binds more tightly than OR, so the limit would only hold for the second.")),
    "join list": Query(3, ("List the names of all {parents} that have at least one {child} with {category} '{value}', each once, in alphabetical order.", "Which {parents} have a {child} of {category} '{value}'? Names without repeats, from A to Z.", "Give the distinct names of {parents} with some {child} whose {category} is '{value}', sorted by name."),
        "SELECT DISTINCT p.name\nFROM {parents} p\nJOIN {children} c ON c.{key} = p.id\nWHERE c.{category} = '{value}'\nORDER BY p.name", lambda p, c, g: [[n] for n in sorted(r[1] for r in p if any(k[_OF] == r[0] and k[_CAT] == g["value"] for k in c))],
        (("The name is in {parents} and the {category} in {children}, so they are joined by c.{key} = p.id.", "Both tables are needed."), ("Someone with several such {children} must appear once, so DISTINCT.", "")), True, "list", ("SELECT p.name without DISTINCT.", "A {parent} with two such {children} would appear twice.")),
    "join sum": Query(3, ("For each {parent} that has {children}, give the name and the total {number}.", "Show the names of the {parents} with the sum of {number} over their {children}; leave out those without any.", "How much {number} does each {parent} have in all? Name and total, only for those with {children}."),
        "SELECT p.name, SUM(c.{number})\nFROM {parents} p\nJOIN {children} c ON c.{key} = p.id\nGROUP BY p.id, p.name", lambda p, c, g: [[r[1], sum(k[_NUM] for k in c if k[_OF] == r[0])] for r in p if any(k[_OF] == r[0] for k in c)],
        (("JOIN leaves out {parents} without {children}, as is asked.", "Which join is right?"), ("Grouped by {parent}, SUM(c.{number}) gives each total.", "")), slip=("GROUP BY c.id.", "That makes a group of every single {child}.")),
    "having": Query(3, ("Which values of {category} occur in more than {n} {children}? Show them with their number.", "Give each {category} that more than {n} {children} have, and how many they are.", "List the {category} and the count for those with over {n} {children}."),
        "SELECT {category}, COUNT(*)\nFROM {children}\nGROUP BY {category}\nHAVING COUNT(*) > {n}", lambda p, c, g: [[key, len(rows)] for key, rows in _groups(c, _CAT).items() if len(rows) > g["n"]],
        (("First GROUP BY {category} with COUNT(*).", "The condition is about groups."), ("Conditions on groups go into HAVING, not WHERE.", "")), slip=("WHERE COUNT(*) > {n}.", "WHERE is applied before there are groups; HAVING comes after.")),
    "average": Query(3, ("For each {group} of the {parents}, what is the average of {number} over their {children}, rounded to two decimals?", "Give every {group} with the mean {number} of its {children}, to two decimals.", "Average {number} by {group}, rounded to 2 digits: show both columns."),
        "SELECT p.{group}, ROUND(AVG(c.{number}), 2)\nFROM {children} c\nJOIN {parents} p ON p.id = c.{key}\nGROUP BY p.{group}", lambda p, c, g: _averages(p, c),
        (("The {group} is in {parents}, the {number} in {children}; they are joined by the key.", "Where are the two columns?"), ("ROUND(AVG(c.{number}), 2) by p.{group}.", "")), slip=("Average the averages of the {parents}.", "Those with more {children} have to weigh more, so the average goes over the {children}.")),
    "distinct": Query(3, ("How many different {parents} have at least one {child} with a {number} above {limit}?", "Count the {parents} with some {child} over {limit} in {number}; each counts once.", "What is the number of distinct {parents} among the {children} with {number} greater than {limit}?"),
        "SELECT COUNT(DISTINCT {key})\nFROM {children}\nWHERE {number} > {limit}", lambda p, c, g: [[len({r[_OF] for r in c if r[_NUM] > g["limit"]})]],
        (("The key {key} tells the {parent}, so no join is needed.", "Is one table enough?"), ("COUNT(DISTINCT {key}) counts each once.", "")), shape="value", slip=("COUNT({key}).", "That counts {children}; a {parent} with several would count several times.")),
    "case": Query(3, ("Call {children} with a {number} below {limit} 'small' and the others 'large'. How many are there of each?", "Count the {children} in two classes: 'small' for a {number} under {limit}, 'large' otherwise.", "Split the {children} at a {number} of {limit} ('small' below it, 'large' from it on) and count both."),
        "SELECT CASE WHEN {number} < {limit} THEN 'small' ELSE 'large' END AS size, COUNT(*)\nFROM {children}\nGROUP BY size", lambda p, c, g: [[key, len(rows)] for key, rows in _groups([["small" if r[_NUM] < g["limit"] else "large"] for r in c], 0).items()],
        (("CASE WHEN {number} < {limit} THEN 'small' ELSE 'large' END makes the classes.", "The classes aren't a column yet."), ("They are grouped by under their name.", ""))),
    "without": Query(4, ("Which {parents} have no {children} at all? Give the names in alphabetical order.", "List the names of {parents} for which there isn't a single {child}, sorted.", "Find the {parents} without {children}: names, from A to Z."),
        "SELECT p.name\nFROM {parents} p\nLEFT JOIN {children} c ON c.{key} = p.id\nWHERE c.id IS NULL\nORDER BY p.name", lambda p, c, g: [[n] for n in sorted(r[1] for r in p if r[0] not in [k[_OF] for k in c])],
        (("A LEFT JOIN keeps {parents} without a partner, with NULL in the other columns.", "What is missing must be made visible."), ("WHERE c.id IS NULL keeps just those.", "")), True, "list", ("WHERE c.id = NULL.", "Nothing equals NULL; it has to be IS NULL.")),
    "above average": Query(4, ("Give the ids of the {children} whose {number} is above the average of all {children}.", "Which {children} lie above the overall mean {number}? Show their ids.", "List the id of each {child} with more {number} than the average {child}."),
        "SELECT id\nFROM {children}\nWHERE {number} > (SELECT AVG({number}) FROM {children})", lambda p, c, g: [[r[_ID]] for r in c if r[_NUM] * len(c) > sum(k[_NUM] for k in c)],
        (("The average is one number, found by SELECT AVG({number}) FROM {children}.", "An aggregate can't stand in WHERE."), ("As a subquery it can be compared with each row.", "")), shape="list", slip=("WHERE {number} > AVG({number}).", "An aggregate isn't allowed in WHERE; it needs a subquery.")),
    "left count": Query(4, ("For every {parent}, also those without any, give the name and the number of {children}.", "Count the {children} of each {parent}; those who have none must appear with 0.", "Show all {parents} by name with how many {children} they have, 0 included."),
        "SELECT p.name, COUNT(c.id)\nFROM {parents} p\nLEFT JOIN {children} c ON c.{key} = p.id\nGROUP BY p.id, p.name", lambda p, c, g: [[r[1], [k[_OF] for k in c].count(r[0])] for r in p],
        (("LEFT JOIN keeps {parents} without {children}.", "Nobody may be lost."), ("COUNT(c.id) doesn't count NULL, so those get 0.", "")), slip=("COUNT(*).", "It would count the row with NULL too, and give 1 instead of 0.")),
    "both": Query(4, ("Which {parents} have a {child} with {category} '{value}' and also one with '{value2}'? Names in alphabetical order.", "Find the names of {parents} that have {children} of both '{value}' and '{value2}' ({category}), sorted by name.", "List those {parents}, by name from A to Z, whose {children} include '{value}' as well as '{value2}'."),
        "SELECT p.name\nFROM {parents} p\nJOIN {children} c ON c.{key} = p.id\nWHERE c.{category} IN ('{value}', '{value2}')\nGROUP BY p.id, p.name\nHAVING COUNT(DISTINCT c.{category}) = 2\nORDER BY p.name", lambda p, c, g: [[n] for n in sorted(r[1] for r in p if {g["value"], g["value2"]} <= {k[_CAT] for k in c if k[_OF] == r[0]})],
        (("No single row can have both values, so the condition is about the {children} of a {parent} together.", "Both means two different rows."), ("Of the two values, two different ones must be there: HAVING COUNT(DISTINCT c.{category}) = 2.", "")), True, "list", ("WHERE c.{category} = '{value}' AND c.{category} = '{value2}'.", "One row has one {category}, so that is never true.")),
    "month": Query(4, ("How many {children} are there in each month (as a number), by {date}? Order by month.", "Count the {children} per month of {date}, the months as numbers in order.", "For each month number of {date} give the count of {children}, sorted by month."),
        "SELECT EXTRACT(MONTH FROM {date}) AS month, COUNT(*)\nFROM {children}\nGROUP BY month\nORDER BY month", lambda p, c, g: sorted([int(key), len(rows)] for key, rows in _groups([[r[_DATE][5:7]] for r in c], 0).items()),
        (("EXTRACT(MONTH FROM {date}) gives the month.", "The month has to be made from the date."), ("Grouped and ordered by it.", "")), True),
    "top per group": Query(5, ("For each {category}, which {child} has the largest {number}? Show {category}, id and {number}.", "Give the id and {number} of the {child} with the highest {number} within every {category}.", "Pick the top {child} by {number} in each {category}: {category}, id, {number}."),
        "SELECT {category}, id, {number}\nFROM (\n    SELECT *, ROW_NUMBER() OVER (PARTITION BY {category} ORDER BY {number} DESC) AS place\n    FROM {children}\n) ranked\nWHERE place = 1", lambda p, c, g: [[key, *max([r[_NUM], r[_ID]] for r in rows)[::-1]] for key, rows in _groups(c, _CAT).items()],
        (("ROW_NUMBER() OVER (PARTITION BY {category} ORDER BY {number} DESC) numbers the rows of each {category}.", "MAX alone doesn't tell the id."), ("A window function can't stand in WHERE, so place = 1 is asked for outside.", "")), slip=("SELECT {category}, id, MAX({number}) GROUP BY {category}.", "The id is neither grouped nor aggregated.")),
    "running": Query(5, ("Show id and running total of {number} in the order of {date}.", "For every {child}, give its id and the sum of {number} up to and including it, by {date}.", "List ids with the cumulative {number}, earliest {date} first."),
        "SELECT id, SUM({number}) OVER (ORDER BY {date}) AS running\nFROM {children}\nORDER BY {date}", lambda p, c, g: [[r[_ID], sum(k[_NUM] for k in c if k[_DATE] <= r[_DATE])] for r in sorted(c, key=lambda r: r[_DATE])],
        (("SUM(...) OVER (ORDER BY {date}) adds up all rows up to the present one.", "A sum that keeps the rows is a window function."), ("The rows are shown in the same order.", "")), True, slip=("GROUP BY id.", "Then each sum has one row only; nothing would accumulate.")),
    "share": Query(5, ("What share of the total {number} has each {category}, in per cent with one decimal?", "For every {category}, give its percentage of all {number}, rounded to one decimal.", "Show {category} and its part of the whole {number} in per cent (1 decimal)."),
        "SELECT {category}, ROUND(100.0 * SUM({number}) / (SELECT SUM({number}) FROM {children}), 1)\nFROM {children}\nGROUP BY {category}", lambda p, c, g: _shares(c),
        (("The whole is SELECT SUM({number}) FROM {children}, as a subquery.", "A part needs the whole."), ("100.0 * the sum of the group, divided by it and rounded.", "")), slip=("SUM({number}) / SUM({number}).", "Within a group that is always 1.")),
    "lag": Query(5, ("By how much does the {number} of each {child} differ from the one before it by {date}? Give id and difference, in that order of time, without the first.", "Order the {children} by {date} and show, from the second on, id and change in {number} against the previous one.", "List id and {number} minus the previous {number} (by {date}), leaving out the first {child}, earliest first."),
        "SELECT id, change\nFROM (\n    SELECT id, {date}, {number} - LAG({number}) OVER (ORDER BY {date}) AS change\n    FROM {children}\n) steps\nWHERE change IS NOT NULL\nORDER BY {date}", lambda p, c, g: [[b[_ID], b[_NUM] - a[_NUM]] for a, b in pairwise(sorted(c, key=lambda r: r[_DATE]))],
        (("LAG({number}) OVER (ORDER BY {date}) is the {number} of the row before.", "A row has to see the one before it."), ("The first row has none, so its difference is NULL and is left out.", "")), True, slip=("LEAD instead of LAG.", "LEAD looks at the row after.")),
    "best parent": Query(5, ("For each {group}, which {parent} has the largest total {number}? Show {group}, name and total.", "In every {group}, find the {parent} with the highest sum of {number}: {group}, name, sum.", "Give the leading {parent} of each {group} by total {number}, with the total; {group} first, then the name."),
        "SELECT {group}, name, total\nFROM (\n    SELECT p.{group}, p.name, SUM(c.{number}) AS total,\n        ROW_NUMBER() OVER (PARTITION BY p.{group} ORDER BY SUM(c.{number}) DESC) AS place\n    FROM {parents} p\n    JOIN {children} c ON c.{key} = p.id\n    GROUP BY p.id, p.name, p.{group}\n) totals\nWHERE place = 1", lambda p, c, g: _best_parents(p, c),
        (("First the total of each {parent}, by a join and GROUP BY.", "This takes two stages."), ("Then ROW_NUMBER() within each {group}, by falling total; place = 1 is the leader.", ""))),
}  # fmt: skip
