"""The process that runs queries for `sql`: one DuckDB in memory, kept from request to request, killed when it overruns.

    python -m phiforge.verify.sql_worker        requests as lines of JSON in, answers as lines of JSON out

The database sees no files and no network, its settings are locked, and only a SELECT is run. Tables are temporary and
belong to one request. What DuckDB itself doesn't bound, the process does: by its address space (a text of two gigabytes in
one expression can't be interrupted) and by the clock of the parent.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

MAX_ROWS = 10_000
MAX_MEMORY = 1536 * 2**20  # bytes of address space, of which DuckDB's libraries take 400 MB
GRACE = 1.0  # seconds beyond a query's own limit after which the process is killed
START_SECONDS = 60.0
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
TYPES = ("INTEGER", "BIGINT", "DOUBLE", "DECIMAL(10,2)", "TEXT", "DATE", "TIMESTAMP", "TIME", "BOOLEAN")
_SETTINGS: dict[str, Any] = {
    "threads": 1,
    "memory_limit": "256MB",
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "temp_directory": "",
}


class TimedOut(Exception):
    """The process gave no answer in time, or died over it."""


class Worker:
    """A handle on the process; it starts with the first request. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        os.register_at_fork(after_in_child=self._forget)

    def ask(self, tables: Sequence[Mapping[str, Any]], queries: Sequence[str], seconds: float) -> list[dict[str, Any]]:
        """The results of queries on the same tables: {"rows": [...]} or {"error": "..."} each.

        Raises TimedOut, ValueError for tables that can't be made, RuntimeError if the process doesn't start.
        """
        request = json.dumps({"tables": list(tables), "queries": list(queries), "seconds": seconds}).encode() + b"\n"
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            process = self._process
            assert process is not None
            assert process.stdin is not None
            try:
                process.stdin.write(request)
                process.stdin.flush()
                answer = json.loads(_line(process, len(queries) * (seconds + GRACE)))
            except (TimedOut, OSError):
                self._stop()
                raise TimedOut from None
            except BaseException:  # an interrupt: the answer still to come must not be taken for the next one's
                self._stop()
                raise
        if "broken" in answer:
            raise ValueError(answer["broken"])
        return answer["results"]

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "phiforge.verify.sql_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            ready = _line(self._process, START_SECONDS)
        except TimedOut:
            ready = b""
        if not ready:
            self._stop()
            raise RuntimeError(
                "the SQL worker did not start (it needs duckdb); see what "
                f"{sys.executable} -m phiforge.verify.sql_worker says"
            )

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            _close_pipes(self._process)
        self._process = None

    def _forget(self) -> None:
        """In a forked child: leave the process to the parent. The lock may have been copied while it was held."""
        self._lock = threading.Lock()
        if self._process is not None:
            _close_pipes(self._process)
        self._process = None


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # the last request may not have been written
                pipe.close()


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    descriptor = process.stdout.fileno()
    poll = select.poll()  # select() fails on descriptors over 1023
    poll.register(descriptor, select.POLLIN)
    line = bytearray()
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimedOut
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            raise TimedOut
        line += piece
    return bytes(line)


# --- inside the process ------------------------------------------------------------------------------------------------


def main() -> None:
    """Answer requests from standard input until it closes."""
    duckdb = import_module("duckdb")
    database = duckdb.connect(":memory:", config=_SETTINGS)
    database.execute("SET lock_configuration = true")
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    print(flush=True)  # ready
    for line in sys.stdin.buffer:
        request = json.loads(line)
        cursor = database.cursor()
        try:
            for table in request["tables"]:
                _create(cursor, table)
            results = [_run(duckdb, cursor, query, request["seconds"]) for query in request["queries"]]
            answer = {"results": results}
        except (ValueError, KeyError, TypeError) as error:
            answer = {"broken": f"{error}"}
        except duckdb.Error as error:
            answer = {"broken": _said(error)}
        finally:
            cursor.close()
        print(json.dumps(answer), flush=True)


def _create(cursor: Any, table: Mapping[str, Any]) -> None:
    name, columns, rows = str(table["name"]), table["columns"], table["rows"]
    for each in [name, *(column for column, _ in columns)]:
        if not _NAME.fullmatch(each):
            raise ValueError(f"{each!r} can't name a table or a column; expected letters, digits and underscores")
    for column, kind in columns:
        if kind not in TYPES:
            raise ValueError(f"column {column!r} has the type {kind!r}; expected one of {', '.join(TYPES)}")
    heads = ", ".join(f'"{column}" {kind}' for column, kind in columns)
    values = ",".join(f"({', '.join(map(_literal, row))})" for row in rows)
    filled = f'; INSERT INTO temp."{name}" VALUES {values}' if values else ""
    cursor.execute(f'CREATE TEMP TABLE "{name}" ({heads}){filled}')


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _run(duckdb: Any, cursor: Any, query: str, seconds: float) -> dict[str, Any]:
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        cursor.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    try:
        statements = cursor.extract_statements(query)
        if len(statements) != 1:
            return {"error": f"there are {len(statements)} statements, and one is expected"}
        if statements[0].type != duckdb.StatementType.SELECT:
            return {"error": f"only SELECT may be run, and this is {statements[0].type.name}"}
        timer.start()
        rows = cursor.execute(statements[0]).fetchmany(MAX_ROWS + 1)
    except duckdb.Error as error:
        return {"error": "it took too long" if timed_out.is_set() else _said(error)}
    except (UnicodeEncodeError, MemoryError) as error:
        return {"error": f"it can't be run: {type(error).__name__}"}
    finally:
        timer.cancel()
    if len(rows) > MAX_ROWS:
        return {"error": f"it gives more than {MAX_ROWS} rows"}
    return {"rows": [[_plain(value) for value in row] for row in rows]}


def _said(error: Exception) -> str:
    return " ".join(str(error).split("\n\nLINE")[0].split())[:200]


def _plain(value: Any) -> Any:
    """A value as JSON: numbers as numbers, dates and whatever else as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat().removesuffix("T00:00:00")
    return str(value)


if __name__ == "__main__":
    main()
