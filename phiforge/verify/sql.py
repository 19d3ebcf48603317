"""Whether an SQL query gives the right result: it is run by DuckDB on tables in memory, and the rows are compared.

`verifier_args`:
    tables    [{"name": "orders", "columns": [["id", "INTEGER"], ...], "rows": [[1, ...], ...]}, ...]
    ordered   whether the order of the rows counts (no)
    seconds   that a query may take (5)
`Problem.answer` is the right result as JSON, a list of rows, or a query that gives it. Names of columns don't count, their order
does; 2, 2.0 and 2.00 are equal.

Only one SELECT is run, in a process of its own that sees no files and no network (`sql_worker`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import MAX_RESPONSE_CHARS, visible
from phiforge.verify.sql_worker import TimedOut, Worker

_FENCE = re.compile(r"^(`{3,}|~{3,})[ \t]*([^\n`]*)\n(.*?)(?:^\1[`~]*[ \t]*$|\Z)", re.M | re.S)
_QUERY = re.compile(r"(?:^|\n|answer:?)[ \t*`]*((?:select|with|from|values)\b.*)\Z", re.I | re.S)
_LANGUAGES = ("sql", "duckdb", "postgresql", "postgres", "sqlite", "")
_worker = Worker()

Row = tuple[Any, ...]


def verify(response: str, problem: Problem) -> Verdict:
    """Compare what the response's query gives with the right rows. Raises ValueError if the problem's own side is broken."""
    args = problem.verifier_args
    query = extract(response)
    if query is None:
        return Verdict(False, 0.0, "the response has no query")
    tables, seconds = args.get("tables", []), float(args.get("seconds", 5))
    answer = problem.answer.strip()
    try:
        if answer.startswith("["):
            wanted = _json_rows(answer)
            (result,) = _worker.ask(tables, [query], seconds)
        else:
            reference, result = _worker.ask(tables, [extract(answer) or answer, query], seconds)
            if "error" in reference:
                raise ValueError(f"the reference query fails: {reference['error']}")
            wanted = _rows(reference["rows"])
    except TimedOut:
        return Verdict(False, 0.0, "it took too long or too much memory")
    except ValueError as error:
        raise ValueError(f"{problem.id}: {error}") from None
    if "error" in result:
        return Verdict(False, 0.0, result["error"])
    return _compared(_rows(result["rows"]), wanted, bool(args.get("ordered", False)))


def run(query: str, tables: Sequence[Mapping[str, Any]], seconds: float = 5.0) -> list[Row]:
    """The rows that a query gives on tables. Raises ValueError for one that can't be run."""
    try:
        (result,) = _worker.ask(tables, [query], seconds)
    except TimedOut:
        raise ValueError("the query took too long or too much memory") from None
    if "error" in result:
        raise ValueError(f"the query fails: {result['error']}")
    return _rows(result["rows"])


def extract(response: str) -> str | None:
    """The query of a response: its last fenced SQL block, or what begins with SELECT or WITH."""
    shown = visible(response) if len(response) <= MAX_RESPONSE_CHARS else None
    if shown is None or not shown.strip():
        return None
    fenced = _FENCE.findall(shown)
    if fenced:
        blocks = [code for _, info, code in fenced if (info.split() or [""])[0].lower() in _LANGUAGES]
        return (blocks[-1].strip() or None) if blocks else None
    bare = _QUERY.search(shown.strip())
    return bare[1].strip().strip("`").strip() if bare else None


def _json_rows(text: str) -> list[Row]:
    try:
        found = json.loads(text)
        return [tuple(row) for row in found]
    except (ValueError, TypeError) as error:
        raise ValueError(f"the answer is no JSON list of rows: {error}") from None


def _rows(rows: list[list[Any]]) -> list[Row]:
    return [tuple(row) for row in rows]


def _compared(got: list[Row], wanted: list[Row], ordered: bool) -> Verdict:
    if len(got) != len(wanted):
        return Verdict(False, 0.0, f"{len(got)} rows instead of {len(wanted)}")
    if got and len(got[0]) != len(wanted[0]):
        return Verdict(False, 0.0, f"{len(got[0])} columns instead of {len(wanted[0])}")
    one, two = [[tuple(map(_comparable, row)) for row in rows] for rows in (got, wanted)]
    if one == two or (not ordered and sorted(one) == sorted(two)):
        return Verdict(True, 1.0, f"the right result, {len(got)} row{'s' * (len(got) != 1)}")
    if ordered and sorted(one) == sorted(two):
        return Verdict(False, 0.0, "the right rows in the wrong order")
    odd = next(row for row, each in zip(got, one, strict=True) if one.count(each) > two.count(each))
    return Verdict(False, 0.0, f"the row {str(odd)[:120]} is not right")


def _comparable(value: Any) -> tuple[int, Any]:
    """A value as it is compared and sorted: numbers by ten significant digits, no number equal to a text."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool | int | float):
        return (1, float(f"{value:.10g}"))
    return (2, str(value))
