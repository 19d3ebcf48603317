"""Seeds: the texts, problems and topics that teacher pipelines start from, our own or those of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from phiforge.data.curate import extract

OWN = Path(__file__).with_name("seed_texts")
PASSAGE = 1500  # characters of a passage cut from a longer text
_TEXTS = tuple(extract.SUFFIXES)
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,}).*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_TABLES = (".jsonl", ".json", ".parquet", ".csv")


class Seed(Struct, frozen=True, kw_only=True):
    """One thing to start from. `text` is the passage, the question, the code or the topic; `answer` a problem's own."""

    id: str
    text: str
    answer: str = ""
    licence: str = ""
    source: str = ""
    metadata: dict[str, Any] = {}


def own(kind: str) -> list[Seed]:
    """The seeds of a kind that come with Phiforge. Raises ValueError if there are none."""
    file = OWN / f"{kind}.jsonl"
    if not file.exists():
        raise ValueError(f"no {kind!r} seeds come with Phiforge; name a file of them")
    rows = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    return [
        Seed(id=f"{kind}/{number}", licence="MIT", source="phiforge", **_fields(row, "text"))
        for number, row in enumerate(rows)
    ]


def read(path: str, column: str = "text", licence: str = "") -> list[Seed]:
    """The seeds of a file or folder: a row each of a JSONL, Parquet or CSV file, or passages cut from documents.

    Documents are texts, HTML, PDF, TeX and EPUB (`curate.extract`). `column` holds a seed's text, `answer` (if there) its
    answer; the other columns become its metadata. Raises OSError for a missing file, ValueError for one without that
    column, without a row, of another kind, or that gives no text.
    """
    found = list(iterate(path, column, licence))
    if not found:
        raise ValueError(f"{path}: holds no seed")
    return found


def iterate(path: str, column: str = "text", licence: str = "") -> Iterator[Seed]:
    """`read`, one at a time."""
    file = Path(path).expanduser()
    if not file.exists():
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    if file.is_dir():
        for each in extract.documents(file):
            yield from _passages(each, licence)
    elif file.suffix.lower() in _TEXTS:
        yield from _passages(file, licence)
    elif file.suffix in _TABLES:
        for number, row in enumerate(rows(file)):
            fields = _fields(row, column, path)
            yield Seed(id=f"{file.name}/{number}", licence=licence, source=str(path), **fields)
    else:
        raise ValueError(
            f"{path}: seeds are read from {', '.join((*_TABLES, *_TEXTS))} files or a folder of documents"
        )


def rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL, Parquet or CSV file as they are. Raises ValueError for a line that is not JSON."""
    file = Path(path).expanduser()
    if file.suffix == ".parquet":
        from pyarrow import parquet

        yield from parquet.read_table(file).to_pylist()
    elif file.suffix == ".csv":
        from pyarrow import csv

        yield from csv.read_csv(file).to_pylist()
    else:
        for number, line in enumerate(file.read_bytes().splitlines(), 1):
            try:
                row = msgspec.json.decode(line) if line.strip() else None
            except msgspec.DecodeError as error:
                raise ValueError(f"{file}, line {number}: not JSON: {error}") from None
            if isinstance(row, dict):
                yield row


def _fields(row: dict[str, Any], column: str, path: str = "") -> dict[str, Any]:
    if column not in row:
        raise ValueError(f"{path} has no column {column!r}; it has {', '.join(map(str, row))}")
    rest = {key: value for key, value in row.items() if key not in (column, "answer")}
    return {"text": str(row[column]), "answer": str(row.get("answer", "")), "metadata": rest}


def _passages(file: Path, licence: str) -> Iterator[Seed]:
    """Runs of paragraphs of at most `PASSAGE` characters, but for a single longer one; very short ones are left out."""
    facts = file.stat()
    text = _text(file, facts.st_mtime_ns, facts.st_size)
    passage = ""
    for paragraph in [*_paragraphs(text), ""]:
        if passage and (not paragraph or len(passage) + len(paragraph) > PASSAGE):
            if len(passage) >= 200:
                mark = blake2b(passage.encode(), digest_size=6).hexdigest()
                yield Seed(id=f"{file.name}/{mark}", text=passage, licence=licence, source=str(file))
            passage = ""
        indented = paragraph.lstrip().startswith(("```", "~~~"))  # a block within a list
        passage = f"{passage}\n\n{paragraph.rstrip() if indented else paragraph.strip()}".strip("\n")


def _paragraphs(text: str) -> Iterator[str]:
    """What stands between blank lines, those within a fenced block left to it."""
    blocks = iter(_FENCED.finditer(text))
    block = next(blocks, None)
    start = 0
    for blank in re.finditer(r"\n\s*\n", text):
        while block is not None and block.end() <= blank.start():
            block = next(blocks, None)
        if block is None or blank.start() < block.start():
            yield text[start : blank.start()]
            start = blank.end()
    yield text[start:]


@lru_cache(maxsize=1000)  # a run reads its seeds again for each batch
def _text(file: Path, _changed: int, _size: int) -> str:
    if extract.SUFFIXES.get(file.suffix.lower()) == "text":
        return file.read_text(errors="replace")
    return extract.extract(file).text
