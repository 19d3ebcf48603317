"""Filters one after another over rows or documents: what is kept, what is rejected and why, and how often each reason is.

A filter takes texts and gives for each a reason, or None. The source is read twice: once to judge, and to sketch what the
filters let through; once to write. Memory holds a reason and a sketch a text, never the texts.

    <out>/data/<name>/train-00000.parquet    kept rows, from a folder or file of rows
    <out>/kept.jsonl                         kept documents, from a folder, or JSONL, Parquet or CSV with a text column
    <out>/rejects.jsonl                      {"reason", "text", "id"} of the others
    <out>/report.json                        counts, and what was found of each benchmark
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from phiforge.data import seeds
from phiforge.data.curate import extract
from phiforge.data.curate.corrupted import corrupted
from phiforge.data.curate.decontaminate import BenchmarkReport, Decontaminator
from phiforge.data.curate.duplicates import ExactDuplicates, NearDuplicates
from phiforge.data.curate.pii import Scrub
from phiforge.data.place import Place
from phiforge.data.tokens import text_of
from phiforge.records import Example, read_jsonl, read_parquet

BATCH = 1024
ROWS_A_FILE = 50_000

T = TypeVar("T")
Filter = Callable[[Sequence[str]], list[str | None]]


class CurationReport(Struct):
    """What became of a source. `scrubbed` counts personal data that was replaced, by kind."""

    read: int = 0
    kept: int = 0
    rejected: dict[str, int] = {}
    scrubbed: dict[str, int] = {}
    benchmarks: dict[str, BenchmarkReport] = {}


def opened(path: str, column: str | None = None) -> Rows | Documents | Folder:
    """A source: rows of ours, a file of documents of which a column is the text, or a folder of documents."""
    place = Path(path).expanduser()
    if place.is_dir() and not any((place / "data").rglob("*.parquet")):
        return Folder(path, column or "text")
    return Documents(path, column) if column else Rows(path)


def each(judge: Callable[[str], str | None]) -> Filter:
    """A filter of one text as a filter of many."""
    return lambda texts: [judge(text) for text in texts]


def standard(*, languages: Sequence[str] = (), decontaminator: Decontaminator | None = None) -> list[Filter]:
    """Exact duplicates, corrupted texts, other languages if some are named, benchmark items; cheap ones first."""
    chain = [each(ExactDuplicates()), each(corrupted)]
    if languages:
        from phiforge.data.curate.language import Language

        chain.append(each(Language(languages)))
    if decontaminator is not None:
        chain.append(decontaminator.many)
    return chain


class Rows:
    """Our own rows: a folder that a run made, or a Parquet or JSONL file of `Example` records."""

    refused: dict[int, str] = {}

    def __init__(self, path: str) -> None:
        place = Path(path).expanduser()
        files = [place] if place.is_file() else sorted((place / "data").rglob("*.parquet"))
        if not files:
            raise ValueError(f"{path}: no such file, and no folder with data/**/*.parquet")
        self.files = [(file.parent.name if place.is_dir() else file.stem, file) for file in files]

    def __iter__(self) -> Iterator[tuple[str, str, Example]]:
        """Name of the part, text and row."""
        for name, file in self.files:
            for row in read_parquet(file, Example) if file.suffix == ".parquet" else read_jsonl(file, Example):
                yield name, text_of(row), row


class Documents:
    """Documents: a row each of a JSONL, Parquet or CSV file, of which `column` is the text."""

    refused: dict[int, str] = {}

    def __init__(self, path: str, column: str = "text") -> None:
        self.path, self.column = path, column
        next(iter(self))  # names a missing file or column at once

    def __iter__(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for seed in seeds.iterate(self.path, self.column):
            yield "", seed.text, {self.column: seed.text, **seed.metadata}


class Folder:
    """A folder of documents: texts, HTML, PDF, TeX and EPUB, each whole. `refused` has why a document gives no text.

    A row is {column: text, "source", "kind", "title"}. Texts are extracted once and kept in a temporary file. Raises
    ValueError for a folder without a document, and where a library that reads one is missing.
    """

    def __init__(self, path: str, column: str = "text") -> None:
        self.path, self.column = path, column
        self.refused: dict[int, str] = {}
        self.root = Path(path).expanduser()
        self.files = list(extract.documents(self.root))
        if not self.files:
            raise ValueError(
                f"{path}: holds neither rows (data/**/*.parquet) nor documents ({', '.join(extract.SUFFIXES)})"
            )
        self._texts: Any = None

    def __iter__(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if self._texts is None:
            texts = TemporaryFile("w+b")  # noqa: SIM115  as long as this object
            with ThreadPoolExecutor() as pool:  # a PDF is read in a process of its own
                for batch in _batches(enumerate(self.files), 64):
                    for line in pool.map(self._row, batch):
                        texts.write(line + b"\n")
            self._texts = texts
        self._texts.seek(0)
        for line in self._texts:
            row = msgspec.json.decode(line)
            yield "", row[self.column], row

    def _row(self, numbered: tuple[int, Path]) -> bytes:
        number, file = numbered
        source = str(file.relative_to(self.root))
        try:
            found = extract.extract(file)
            row = {self.column: found.text, "source": source, "kind": found.kind, "title": found.title}
        except extract.Unreadable as error:
            self.refused[number] = f"unreadable: {error.reason}"
            row = {self.column: "", "source": source}
        return msgspec.json.encode(row)


def curate(
    source: Rows | Documents | Folder,
    out: str,
    chain: Sequence[Filter],
    *,
    near: NearDuplicates | None = None,
    scrub: Scrub | None = None,
    decontaminator: Decontaminator | None = None,
    progress: Callable[[str, int], None] = lambda _what, _done: None,
) -> CurationReport:
    """Filter a source into `out`. Raises ValueError if there is a curation already, or for rows with `scrub`."""
    place = Place(out)
    if place.read("report.json") is not None:
        raise ValueError(f"{out} holds a curation or a run already: choose another folder, or delete it")
    if scrub is not None and isinstance(source, Rows):
        raise ValueError("personal data is replaced in documents, not in rows, whose answers could change")
    reasons: list[str | None] = []
    numbers: list[int] = []  # of the texts in the index
    for texts in _batches(text for _, text, _ in source):
        found = _judged(chain, texts, [source.refused.get(len(reasons) + i) for i in range(len(texts))])
        if near is not None:
            passed = [i for i, reason in enumerate(found) if reason is None]
            near.add([texts[i] for i in passed])
            numbers += [len(reasons) + i for i in passed]
        reasons += found
        progress("judging", len(reasons))
    if near is not None:
        for number, first in zip(numbers, near.first().tolist(), strict=True):
            if numbers[first] != number:
                reasons[number] = "near duplicate"
    report = CurationReport(len(reasons), reasons.count(None), dict(Counter(filter(None, reasons)).most_common()))
    _write(source, place, reasons, scrub, progress)
    report.scrubbed = dict(scrub.counts) if scrub else {}
    report.benchmarks = decontaminator.report if decontaminator else {}
    place.write("report.json", msgspec.json.format(msgspec.json.encode(report)))
    return report


def _judged(chain: Sequence[Filter], texts: Sequence[str], found: list[str | None]) -> list[str | None]:
    """The first reason of each text, if it has none yet. A filter sees only what those before it let through."""
    for judge in chain:
        left = [i for i, reason in enumerate(found) if reason is None]
        for i, reason in zip(left, judge([texts[i] for i in left]), strict=True):
            found[i] = reason
    return found


def _write(
    source: Rows | Documents | Folder,
    place: Place,
    reasons: Sequence[str | None],
    scrub: Scrub | None,
    progress: Callable[[str, int], None],
) -> None:
    folder = Path(place.root)
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[Example]] = {}
    files = Counter[str]()

    def flush(name: str) -> None:
        place.write_examples(f"data/{name}/train-{files[name]:05}.parquet", rows[name])
        files[name] += 1
        rows[name] = []

    encode = msgspec.json.Encoder().encode
    with (folder / "rejects.jsonl").open("wb") as rejects, (folder / ".kept.part").open("wb") as kept:
        for number, ((name, text, row), reason) in enumerate(zip(source, reasons, strict=True), 1):
            if reason is not None:
                mark = row.problem.id if isinstance(row, Example) else str(number - 1)
                if isinstance(source, Folder) and not isinstance(row, Example):
                    mark = row["source"]
                rejects.write(encode({"reason": reason, "id": mark, "text": text}) + b"\n")
            elif isinstance(row, Example):
                rows.setdefault(name, []).append(row)
                if len(rows[name]) == ROWS_A_FILE:
                    flush(name)
            else:
                assert not isinstance(source, Rows)
                kept.write(encode({**row, source.column: scrub(text)} if scrub else row) + b"\n")
            progress("writing", number)
    for name in [name for name, held in rows.items() if held]:
        flush(name)
    if not isinstance(source, Rows):
        os.replace(folder / ".kept.part", folder / "kept.jsonl")
    else:
        (folder / ".kept.part").unlink()


def _batches(items: Iterator[T], size: int = BATCH) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch
