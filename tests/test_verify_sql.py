"""The SQL verifier: what its table of cases doesn't show, and what it must not be asked."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from phiforge.records import Message, Problem
from phiforge.verify.sql import extract, run, verify

TABLES = [{"name": "t", "columns": [["a", "INTEGER"], ["b", "TEXT"]], "rows": [[1, "it's"], [2, "b"], [3, None]]}]


def problem(answer: str = "SELECT a FROM t", **args: Any) -> Problem:
    return Problem("p", [Message("user", "?")], answer, "sql", {"tables": TABLES, **args})


def test_quotes_and_nulls_survive() -> None:
    assert run("SELECT b FROM t ORDER BY a", TABLES) == [("it's",), ("b",), (None,)]


def test_the_reason_says_what_differs() -> None:
    assert verify("SELECT a FROM t WHERE a < 3", problem()).reason == "2 rows instead of 3"
    assert verify("SELECT a, b FROM t", problem()).reason == "2 columns instead of 1"
    assert verify("SELECT a + 1 FROM t", problem()).reason == "the row (4,) is not right"
    assert "Referenced column" in verify("SELECT c FROM t", problem()).reason
    assert (
        verify("SELECT a FROM t ORDER BY -a", problem("[[1], [2], [3]]", ordered=True)).reason
        == "the right rows in the wrong order"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer": "SELECT x FROM t"}, "reference query fails"),
        ({"answer": "[1, 2]"}, "no JSON list of rows"),
        ({"tables": [{"name": "t;", "columns": [], "rows": []}]}, "can't name a table"),
        ({"tables": [{"name": "t", "columns": [["a", "BLOB"]], "rows": []}]}, "has the type 'BLOB'"),
        ({"tables": [{"name": "t", "columns": [["a", "INTEGER"]], "rows": [["x"]]}]}, "Could not convert"),
        ({"tables": [{"name": "t", "columns": [["a", "INTEGER"]], "rows": [[1, 2]]}]}, "columns"),
    ],
)
def test_a_broken_problem_is_its_own_fault(changes: dict[str, Any], message: str) -> None:
    answer = changes.pop("answer", "SELECT 1")
    with pytest.raises(ValueError, match=message):
        verify("SELECT 1", problem(answer, **changes))


def test_nothing_stays_between_requests() -> None:
    """Not the tables of another, nor what a query changed in them."""
    assert verify("WITH x AS (DELETE FROM t RETURNING a) SELECT a FROM x", problem("[[9]]")).correct is False
    assert run("SELECT COUNT(*) FROM t", TABLES) == [(3,)]
    with pytest.raises(ValueError, match="does not exist"):
        run("SELECT * FROM t", [])


def test_what_takes_too_long_is_stopped_and_the_next_is_served() -> None:
    started = time.monotonic()
    assert not verify("SELECT COUNT(*) FROM range(100000000000)", problem(seconds=0.2)).correct
    assert not verify("SELECT SUM(length(repeat('ab', 400000000))) FROM range(1000)", problem(seconds=0.2)).correct
    assert time.monotonic() - started < 10
    assert verify("SELECT a FROM t", problem()).correct


def test_threads_share_the_process() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: run(f"SELECT a * {n} FROM t WHERE a = 2", TABLES), range(20)))
    assert found == [[(2 * n,)] for n in range(20)]


def _in_child(n: int) -> list[tuple[Any, ...]]:
    return run(f"SELECT {n}", [])


def test_a_forked_process_has_its_own() -> None:
    run("SELECT 1", [])
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_in_child, [1, 2, 3]) == [[(1,)], [(2,)], [(3,)]]
    assert run("SELECT 1", []) == [(1,)]


def test_a_query_is_found_in_a_response() -> None:
    assert extract("```sql\nSELECT 1;\n```") == "SELECT 1;"
    assert extract("So:\n\nSELECT a\nFROM t") == "SELECT a\nFROM t"
    assert extract("Answer: `SELECT 1`") == "SELECT 1"
    assert extract("```python\nSELECT = 1\n```") is None
    assert extract("I would select the rows.") is None
