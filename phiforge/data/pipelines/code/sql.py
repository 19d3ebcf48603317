"""Questions to two tables in SQL: queries to write, which are run on DuckDB, and results of given queries to work out.

To write: `make` writes the query, `solve` finds its rows in plain Python. To read: `make` finds the rows, `solve` runs the query.
"""

from __future__ import annotations

import json
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._queries import QUERIES, Query, Rows
from phiforge.data.pipelines.code._reply import fenced
from phiforge.data.pipelines.code._schemas import THEMES, Table, Theme, schema, tables_of
from phiforge.data.rows import Unfit
from phiforge.data.words import count
from phiforge.verify import sql

_LEADS = (
    "{schema}\n\nWrite an SQL query. {ask}",
    "{schema}\n\n{ask} Answer with a query in SQL.",
    "A database has two tables. Some of their rows are shown.\n\n{schema}\n\n{ask} Write the SQL for it.",
    "I need an SQL query for this: {ask}\n\nThe tables, with their first rows:\n\n{schema}",
    "Given\n\n{schema}\n\n(there are more rows), write a query: {ask}",
    "{ask}\n\nPlease answer this in SQL (DuckDB or any standard dialect), for these tables, of which you see the beginning:\n\n{schema}",
    "Schema and sample data:\n\n{schema}\n\nQuestion for the database: {ask} Which query answers it?",
    "SQL exercise. {ask}\n\n{schema}",
    'Our tables look like this.\n\n{schema}\n\nA colleague asks: "{ask}" Write the query.',
    "{schema}\n\nExpress in SQL: {ask}",
)
_READS = (
    "{schema}\n\nWhat does this query return?\n\n{query}",
    "Given these tables\n\n{schema}\n\nwhat is the result of\n\n{query}",
    "The tables are complete:\n\n{schema}\n\nWork out by hand what the following gives.\n\n{query}",
    "{schema}\n\n{query}\n\nWhich result does the database show?",
    "Without running it, find the result of the query below.\n\n{query}\n\nThe data:\n\n{schema}",
    "Read the query and the tables.\n\n{query}\n\n{schema}\n\nWhat comes out?",
)
_LIST_FORM = "Give the values in order, separated by commas."
_SAYS = ("The query:", "This query answers it.", "In SQL:", "So:", "Put together:")


def make(draw: Draw, level: int) -> Draft:
    for _ in range(12):
        try:
            kind = draw.pick([name for name, each in QUERIES.items() if abs(each.level - level) <= 1])
            return (
                _write(draw, level, kind)
                if QUERIES[kind].shape == "rows" or draw.chance(0.55)
                else _read(draw, level, kind)
            )
        except Unfit:
            continue
    raise Unfit


def _given(draw: Draw, theme: Theme, tables: list[Table]) -> dict[str, Any]:
    """The names and the values of a question; values that occur, and limits within the range."""
    parents, children = (table["rows"] for table in tables)
    numbers = sorted(row[3] for row in children)
    dates = sorted(row[5] for row in children)
    value, value2 = draw.sample(theme.categories, 2)
    if not any(row[2] == value for row in children):
        raise Unfit
    i = draw.between(0, len(dates) // 2)
    return {
        **{name: getattr(theme, name) for name in ("parents", "parent", "group", "children", "child", "category", "number", "count", "date")},
        "key": f"{theme.parent}_id", "value": value, "value2": value2, "group_value": draw.pick(parents)[2], "letter": draw.pick(parents)[1][0],
        "limit": numbers[draw.between(1, len(numbers) - 2)], "n": draw.between(2, 3), "first": dates[i], "last": dates[draw.between(i + 1, len(dates) - 1)],
    }  # fmt: skip


def _write(draw: Draw, level: int, kind: str) -> Draft:
    query, theme = QUERIES[kind], draw.pick(THEMES)
    tables = list(tables_of(draw, theme, draw.between(5, 6), draw.between(12, 18)))
    given = _given(draw, theme, tables)
    rows = query.find(tables[0]["rows"], tables[1]["rows"], given)
    if (
        not rows
        or rows == [[0]]
        or (len(rows) == len(tables[1]["rows"]) and kind in ("filter", "above average", "and or"))
    ):
        raise Unfit
    text = query.sql.format_map(given)
    form = draw.between(0, len(query.asks) - 1)
    lead = draw.pick(_LEADS)
    ordered = query.ordered or (kind == "names" and form == 1)
    shown = schema(draw, _needed(query, tables), draw.between(3, 4), draw.pick(("sql", "table")))
    return Draft(
        question=lead.format(schema=shown, ask=query.asks[form].format_map(given)),
        answer=fenced(text, "sql"),
        facts={"kind": kind, "mode": "write", "tables": tables, "given": given},
        template=f"{kind} {form}",
        steps=_clauses(query, given),
        says=draw.pick(_SAYS),
        given=f"There are {theme.parents} and {theme.children}, joined by {given['key']}.",
        check=_check(query, theme, given, tables, rows),
        verifier="sql",
        verifier_args={"tables": tables, "ordered": ordered},
    )


def _needed(query: Query, tables: list[Table]) -> list[Table]:
    """Both tables, or where the query reads just one and is easy, that one."""
    used = [table for table in tables if f"{{{'parents' if table is tables[0] else 'children'}}}" in query.sql]
    return used if query.level == 1 else tables


def _clauses(query: Query, given: dict[str, Any]) -> list[Step]:
    steps = [Step(say.format_map(given), because.format_map(given)) for say, because in query.clauses]
    if query.slip[0]:
        slip = Slip(query.slip[0].format_map(given), query.slip[1].format_map(given))
        steps[-1] = Step(steps[-1].say, steps[-1].because, slip)
    return steps


def _check(query: Query, theme: Theme, given: dict[str, Any], tables: list[Table], rows: Rows) -> str:
    row = rows[0]
    if query.shape == "value":
        return f"On data of {count(len(tables[1]['rows']), 'row')} that gives one row with one number, as it should: {row[0]}."
    columns = (
        f"the one column {query.sql.split(chr(10))[0].removeprefix('SELECT ').removeprefix('DISTINCT ').format_map(given)}"
        if len(row) == 1
        else f"{len(row)} columns"
    )
    one = "one row for each " + (theme.category if "{category}" in query.sql.split("FROM")[0] else theme.parent)
    return f"The result has {columns}, with {'the rows in the order asked for' if query.ordered else one if 'GROUP BY' in query.sql else 'one row for each that fits'}; a row of it could be {', '.join(map(str, row))}."


def _read(draw: Draw, level: int, kind: str) -> Draft:
    query, theme = QUERIES[kind], draw.pick(THEMES)
    tables = list(tables_of(draw, theme, draw.between(3, 4), draw.between(5, 6 + level // 2)))
    given = _given(draw, theme, tables)
    rows = query.find(tables[0]["rows"], tables[1]["rows"], given)
    if not rows or len(rows) > 5:
        raise Unfit
    values = [str(row[0]) for row in rows]
    text = query.sql.format_map(given)
    if query.shape == "list" and "ORDER BY" not in text:
        text += "\nORDER BY id"
        values = sorted(values, key=int)
    form = draw.between(0, len(_READS) - 1)
    shown = schema(draw, [table for table in tables if table["name"] in text], 99, "table")
    question = _READS[form].format(schema=shown, query=f"```sql\n{text}\n```")
    number = query.shape == "value"
    return Draft(
        question=question if number else f"{question}\n\n{_LIST_FORM}",
        answer=values[0] if number else ", ".join(values),
        facts={"kind": kind, "mode": "read", "tables": tables, "query": text},
        template=f"read {kind} {form}" if number else f"read list {kind} {form}",
        steps=_reading(query, theme, given, tables, values, kind),
        says="That is the result." if number else f"The query returns {count(len(values), 'row')}.",
        given=f"I go through the rows of {theme.children if theme.children in text else theme.parents}.",
        check=_recount(query, tables, kind, values),
        verifier="math" if number else "choice",
    )


def _reading(
    query: Query, theme: Theme, given: dict[str, Any], tables: list[Table], values: list[str], kind: str
) -> list[Step]:
    parents, children = (table["rows"] for table in tables)
    names = {row[0]: row[1] for row in parents}
    steps: list[Step] = []
    by_parent = kind in ("join list", "without", "both")
    if kind == "names":
        fits = [row[1] for row in parents if row[2] == given["group_value"]]
        steps.append(Step(f"The {theme.group} is {given['group_value']} for {', '.join(fits)}.", "WHERE comes first."))
    elif kind in ("sum", "join list"):
        fits = [f"{names[row[1]]}" if by_parent else str(row[3]) for row in children if row[2] == given["value"]]
        what = f"belong to {', '.join(fits)}" if by_parent else f"have {theme.number} {', '.join(fits)}"
        steps.append(Step(f"The rows with {theme.category} = '{given['value']}' {what}.", "WHERE comes first."))
        if kind == "sum" and len(fits) > 1:
            steps.append(
                Step(
                    f"{' + '.join(fits)} = {values[0]}.",
                    "SUM adds them up.",
                    Slip(f"There are {len(fits)}, so {len(fits)}.", "That would be COUNT."),
                )
            )
    elif kind in ("count where", "distinct"):
        fits = [row for row in children if row[3] > given["limit"]]
        steps.append(Step(f"A {theme.number} above {given['limit']} have the rows with id {', '.join(str(row[0]) for row in fits)}." if fits else f"No row has a {theme.number} above {given['limit']}.", "WHERE comes first.", Slip(f"The row with {given['limit']} counts too.", "> leaves out the limit itself.")))  # fmt: skip
        if kind == "distinct" and fits:
            steps.append(
                Step(
                    f"Their {given['key']} are {', '.join(str(row[1]) for row in fits)}, of which {values[0]} {'is' if values[0] == '1' else 'are'} different."
                )
            )
    elif kind == "between":
        fits = [row for row in children if given["first"] <= row[5] <= given["last"]]
        steps.append(Step(f"In the period lie {', '.join(row[5] for row in fits)}.", "BETWEEN includes both ends."))
    elif kind == "and or":
        fits = [row for row in children if row[2] in (given["value"], given["value2"])]
        steps.append(
            Step(
                f"With one of the two values of {theme.category} there are {', '.join(f'{row[0]} ({row[3]})' for row in fits)}.",
                "Both conditions have to hold.",
            )
        )
        steps.append(Step(f"Of these the {theme.number} is at most {given['limit']} for {', '.join(values)}."))
    elif kind == "above average":
        total = sum(row[3] for row in children)
        steps.append(
            Step(
                f"The average of {theme.number} is {total} ÷ {len(children)}, about {total / len(children):.1f}.",
                "The subquery comes first.",
            )
        )
        steps.append(Step(f"Above it are the rows with id {', '.join(values)}."))
    elif kind == "top":
        ranked = sorted(children, key=lambda row: -row[3])
        steps.append(
            Step(
                f"By falling {theme.number} the rows are {', '.join(f'{row[0]} ({row[3]})' for row in ranked)}.",
                "ORDER BY ... DESC means largest first.",
            )
        )
        steps.append(Step(f"The first {given['n']} are {', '.join(values)}."))
    elif kind == "without":
        having = sorted({row[1] for row in children})
        steps.append(
            Step(
                f"The {given['key']} that occur are {', '.join(map(str, having))}.",
                "IS NULL holds for those without a partner.",
            )
        )
        steps.append(
            Step(f"The others are {', '.join(f'{row[0]} ({row[1]})' for row in parents if row[0] not in having)}.")
        )
    else:
        for row in parents:
            own = [child[2] for child in children if child[1] == row[0]]
            steps.append(
                Step(f"{row[1]}: {', '.join(own) or 'none'}.", "For each one I list the values." if not steps else "")
            )
    if len(values) > 1:
        steps.append(Step(f"In the order of the query that is {', '.join(values)}."))
    elif not steps or values[0] not in steps[-1].say:
        steps.append(Step(f"So the result is {values[0]}."))
    return steps


def _recount(query: Query, tables: list[Table], kind: str, values: list[str]) -> str:
    children = tables[1]["rows"]
    if kind in ("count where", "between"):
        return f"The other {len(children) - int(values[0])} of the {len(children)} rows don't fulfil the condition."
    if kind == "sum":
        return f"All {len(children)} rows together have {sum(row[3] for row in children)}; the rows left out make {sum(row[3] for row in children) - int(values[0])}, and the difference is {values[0]}."
    by_name = not values[0].isdigit()
    others = [str(row[1] if by_name else row[0]) for row in tables[0 if by_name else 1]["rows"]]
    left = [each for each in others if each not in values]
    return (
        f"Left out are {', '.join(left)}, and for none of them the condition holds." if left and kind != "top" else ""
    )


def solve(facts: dict[str, Any]) -> str:
    """Rows to a written query in plain Python, as JSON; for a given query, what DuckDB returns."""
    if facts["mode"] == "write":
        parents, children = (table["rows"] for table in facts["tables"])
        return json.dumps(QUERIES[facts["kind"]].find(parents, children, facts["given"]))
    return ", ".join(str(row[0]) for row in sql.run(facts["query"], facts["tables"]))


PIPELINE = Solver(
    make,
    solve,
    knobs="level: filters and counts; groups; joins and HAVING; subqueries and outer joins; window functions",
    verifier="sql",
)
