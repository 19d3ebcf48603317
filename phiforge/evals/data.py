"""A data set's rows: from a local folder in its authors' format, or from the hub through `datasets` when that is asked for."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from phiforge.evals.task import Files, Made, Row, Task
from phiforge.records import Problem


class Missing(ValueError):
    """What a run needs is not here: its data, or a model that judges."""


class Loaded(Struct, frozen=True):
    """Rows, where they come from, and the checksum of the files (of the rows, for what no file holds)."""

    rows: list[Row]
    where: str
    sha256: str
    pinned: bool


def data_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """The folder of data sets: the one given, or $PHIFORGE_DATA, or ./data."""
    return Path(given or os.environ.get("PHIFORGE_DATA") or "data").expanduser()


def load(
    source: Files | Made,
    folder: Path,
    *,
    hub: bool = False,
    unpinned: bool = False,
    part: str = "",
    seed: int = 0,
    n: int = 0,
) -> Loaded:
    """The rows of a split. `hub` allows to ask the hub for what `folder` does not have, `unpinned` takes other files than the
    pinned ones.

    Raises Missing for data that is not there, with how to get it, and ValueError for data that is not the pinned one or
    cannot be read.
    """
    if isinstance(source, Made):
        rows = list(source.make(part or source.default_part, seed, n or source.n))
        return Loaded(rows, f"made by seed {seed}", _of_rows(rows), True)
    files = sorted((folder / source.folder).glob(source.files)) if source.folder else []
    if files:
        more = sorted((folder / source.folder).glob(source.more)) if source.more else []
        found = checksum([*files, *more])
        if source.sha256 and found != source.sha256 and not unpinned:
            raise ValueError(
                f"{folder / source.folder / source.files} is not the data this task was written for: its checksum is {found}, "
                f"expected {source.sha256}. --unpinned takes it all the same"
            )
        rows = [row for file in files for row in read_rows(file)]
        further = {row[source.key]: row for file in more for row in read_rows(file)}
        rows = [{**further.get(row[source.key], {}), **row} for row in rows] if further else rows
        rows = _picked(source, rows)
        return Loaded(rows, str(folder / source.folder / source.files), found, found == source.sha256)
    if hub and source.hub:
        rows = _picked(source, _from_hub(source))
        where = f"hub: {source.hub} {source.config} {source.split}".replace("  ", " ")
        return Loaded(rows, where, _of_rows(rows), bool(source.revision))
    how = f"; {source.get}" if source.get else ""
    on_hub = f", or let --hub download {source.hub} ({source.split})" if source.hub else ""
    raise Missing(
        f"no data: {folder / source.folder / source.files} is not there{how}. Give the folder of data sets with --data or "
        f"PHIFORGE_DATA{on_hub}"
    )


def problems(task: Task, loaded: Loaded, split: str, part: str = "") -> list[Problem]:
    """The problems of a split's rows, in order, with ids; of one subset, where `part` names it (not for made ones).

    Raises ValueError for a part that no item has, for two items with one id, and for a row that makes no problem.
    """
    found: list[Problem] = []
    for index, row in enumerate(loaded.rows):
        try:
            made = task.item(row, index)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{loaded.where}, row {index}: {task.name} cannot read it: {error!r}") from None
        several = made if isinstance(made, list) else [] if made is None else [made]
        for place, problem in enumerate(several):
            own = f"{task.name}/{split}/{index}" + (f"/{place}" if isinstance(made, list) else "")
            found.append(msgspec.structs.replace(problem, id=problem.id or own))
    if part and not isinstance(task.data[split], Made):
        subsets = {str(p.metadata.get("subset", "")) for p in found}
        if part not in subsets:
            raise ValueError(f"{task.name} has no part {part!r}: it has {', '.join(sorted(subsets)) or 'none'}")
        found = [p for p in found if p.metadata.get("subset") == part]
    seen: set[str] = set()
    for problem in found:
        if problem.id in seen:
            raise ValueError(f"{loaded.where}: two items have the id {problem.id!r}")
        seen.add(problem.id)
    return found


def checksum(files: list[Path]) -> str:
    """One SHA-256 for a set of files: of the lines "name digest" in the order of paths; of the file itself if there is one."""
    digests = [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in sorted(files)]
    if len(files) == 1:
        return digests[0][1]
    return hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in digests).encode()).hexdigest()


def read_rows(file: Path) -> list[Row]:
    """The rows of one file by its suffix. Raises ValueError for a format that is not known, or for a bad line."""
    suffixes = file.suffixes
    data = gzip.decompress(file.read_bytes()) if suffixes[-1:] == [".gz"] else file.read_bytes()
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else file.suffix
    stem = file.name.removesuffix(".gz").removesuffix(suffix)
    try:
        rows = _READERS[suffix](data)
    except KeyError:
        raise ValueError(f"{file}: {suffix or 'no suffix'} is none of {', '.join(_READERS)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file}: {error}") from None
    return [{**row, "_file": stem} for row in rows]


def _jsonl(data: bytes) -> list[Row]:
    return [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]


def _json(data: bytes) -> list[Row]:
    """A list of rows, one row, or (as some authors have it) a row a line."""
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return _jsonl(data)
    return found if isinstance(found, list) else [found]


def _csv(data: bytes) -> list[Row]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _tsv(data: bytes) -> list[Row]:
    """Without a header: fields by their numbers, "0" the first. Nothing is quoted."""
    lines = [line for line in data.decode("utf-8-sig").splitlines() if line.strip()]
    return [{str(i): text for i, text in enumerate(line.split("\t"))} for line in lines]


def _txt(data: bytes) -> list[Row]:
    return [{"text": data.decode()}]


def _parquet(data: bytes) -> list[Row]:
    pq: Any = import_module("pyarrow.parquet")
    return pq.read_table(io.BytesIO(data)).to_pylist()


_READERS = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".tsv": _tsv, ".txt": _txt, ".parquet": _parquet}


def _from_hub(source: Files) -> list[Row]:
    try:
        datasets: Any = import_module("datasets")
    except ModuleNotFoundError:
        raise ValueError("--hub needs the package datasets: pip install datasets") from None
    rows: list[Row] = []
    for config in source.config.split(","):
        try:
            found = datasets.load_dataset(
                source.hub, config or None, split=source.split, revision=source.revision or None
            )
        except Exception as error:  # its errors have no common class
            raise ValueError(f"the hub's {source.hub} could not be loaded: {type(error).__name__}: {error}") from None
        rows += [{**row, "_file": config or source.split} for row in found]
    return rows


def _picked(source: Files, rows: list[Row]) -> list[Row]:
    return [row for row in rows if source.only(row)] if source.only else rows


def _of_rows(rows: list[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(msgspec.json.encode(row, enc_hook=str, order="sorted") + b"\n")
    return digest.hexdigest()
