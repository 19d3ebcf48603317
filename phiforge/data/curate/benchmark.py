"""Benchmark items, as decontamination looks for them: the words of each that a model would be asked."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

QUESTIONS = ("question", "problem", "prompt", "instruction", "text", "query", "input", "ctx", "turns", "messages")
CHOICES = ("choices", "options", "endings", "choice0", "choice1", "choice2", "choice3", "A", "B", "C", "D")
_IDS = ("id", "task_id", "question_id", "uid", "key")


class Item(Struct, frozen=True):
    """One item of a benchmark. `text` is the question with its choices, not the answer."""

    benchmark: str
    id: str
    text: str


def read_items(path: str, benchmark: str = "", columns: tuple[str, ...] = ()) -> Iterator[Item]:
    """The items of a file: JSON lines or CSV with a header, gzipped or not, or Parquet.

    Without `columns`, an item's text is the first column there is of QUESTIONS and all there are of CHOICES; JSON lines of our
    own records are read by their messages. `benchmark` is the file's name if empty. Raises FileNotFoundError, and ValueError
    for another kind of file or one without such a column.
    """
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{path}: there is no such benchmark file")
    name = benchmark or file.name.split(".")[0]
    for number, row in enumerate(_rows(file)):
        row = row.get("problem") if isinstance(row.get("problem"), dict) else row  # an Example of ours
        assert row is not None
        chosen = columns or [*[c for c in QUESTIONS if c in row][:1], *[c for c in CHOICES if c in row]]
        missing = [column for column in chosen if column not in row]
        if missing or not chosen:
            wanted = ", ".join(missing) or f"any of {', '.join(QUESTIONS)}"
            raise ValueError(f"{path}, row {number}: no column {wanted}; it has {', '.join(map(str, row))}")
        text = "\n".join(_text(row[column]) for column in chosen)
        mark = next((str(row[each]) for each in _IDS if each in row), str(number))
        yield Item(name, mark, text)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    if file.suffix == ".parquet":
        from pyarrow import parquet

        yield from parquet.read_table(file).to_pylist()
        return
    content = file.read_bytes()
    suffix = file.suffix
    if suffix == ".gz":
        content, suffix = gzip.decompress(content), Path(file.stem).suffix
    if suffix == ".csv":
        yield from csv.DictReader(io.StringIO(content.decode()))
    elif suffix in (".jsonl", ".json"):
        for number, line in enumerate(content.splitlines(), 1):
            try:
                row = msgspec.json.decode(line) if line.strip() else None
            except msgspec.DecodeError as error:
                raise ValueError(f"{file}, line {number}: not JSON: {error}") from None
            if isinstance(row, dict):
                yield row
    else:
        raise ValueError(f"{file}: benchmark items are read from .jsonl, .json, .csv (or these .gz) and .parquet")


def _text(value: Any) -> str:
    """The text of a column: a string, a list of them, or chat messages."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _text(value.get("content", value.get("text", "")))
    if isinstance(value, (list, tuple)):
        return "\n".join(_text(each) for each in value)
    return "" if value is None else str(value)
