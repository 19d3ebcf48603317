"""The record types every floor shares, and their files (JSONL and Parquet). Nothing else lives here.

A benchmark item, an RL prompt and a synthetic problem are one thing, a `Problem`. An `Example` is a problem with a
response and its provenance. A verifier reads a response and a problem and returns a `Verdict`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from phiforge.files import whole

R = TypeVar("R", bound=Struct)

Role = Literal["system", "user", "assistant", "tool"]


class Text(Struct, tag_field="type", tag="text", frozen=True):
    """A run of text inside a message."""

    text: str


class Image(Struct, tag_field="type", tag="image", frozen=True):
    """An image: its encoded bytes, or the path of a local file. Exactly one is given."""

    data: bytes | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        _one_source(self, self.data, self.path)


class Audio(Struct, tag_field="type", tag="audio", frozen=True):
    """A sound clip: its encoded bytes, or the path of a local file. Exactly one is given."""

    data: bytes | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        _one_source(self, self.data, self.path)


def _one_source(part: Image | Audio, data: bytes | None, path: str | None) -> None:
    if (data is None) == (path is None):
        raise ValueError(f"{type(part).__name__} needs exactly one of `data` and `path`")


Part = Text | Image | Audio


class ToolCall(Struct, frozen=True, omit_defaults=True):
    """One call the assistant makes. `id` joins it to the tool message that answers it; some dialects have none."""

    name: str
    arguments: dict[str, Any] = {}
    id: str = ""


class Message(Struct, frozen=True, omit_defaults=True):
    """One turn. `thinking` is the assistant's reasoning, kept apart from the visible `content`."""

    role: Role
    content: str | list[Part] = ""
    thinking: str | None = None
    tool_calls: list[ToolCall] = []
    tool_call_id: str = ""  # role "tool": the call that this result answers
    name: str = ""  # role "tool": the tool that was called

    @property
    def text(self) -> str:
        """The visible text: `content`, or its text parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, Text))


class Problem(Struct, frozen=True, omit_defaults=True):
    """Something to be answered: the conversation so far, the reference answer, and the verifier that decides."""

    id: str
    messages: list[Message]
    answer: str = ""
    verifier: str = ""
    verifier_args: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class Provenance(Struct, frozen=True, omit_defaults=True):
    """Where a row comes from, back to its seeds: enough to trace a training token to the text and prompt that made it."""

    source: str  # a pipeline, a data set or a file
    seeds: list[str] = []  # ids of the rows this one was made from
    model: str = ""  # the language model that wrote it, if one did
    prompt: str = ""  # id or text of the prompt template
    licence: str = ""
    created: str = ""  # ISO 8601, UTC
    metadata: dict[str, Any] = {}


class Example(Struct, frozen=True, omit_defaults=True):
    """A problem with a response and where both come from."""

    problem: Problem
    response: Message
    provenance: Provenance


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What a verifier decided, and why, in a phrase a person can read."""

    correct: bool
    score: float  # 0 to 1; 1.0 exactly when `correct`, unless the verifier gives part marks
    reason: str = ""


# --- files -------------------------------------------------------------------------------------------------------


def write_jsonl(path: str | os.PathLike[str], records: Iterable[Struct]) -> int:
    """Write one record a line and return how many. The file appears whole or not at all."""
    encoder = msgspec.json.Encoder()
    n = 0
    with whole(Path(path)) as partial, partial.open("wb") as f:
        for record in records:
            f.write(encoder.encode(record) + b"\n")
            n += 1
    return n


def read_jsonl(path: str | os.PathLike[str], kind: type[R]) -> Iterator[R]:
    """Yield the records of a JSONL file. Blank lines are skipped; a bad line is a ValueError with file and line number."""
    decoder = msgspec.json.Decoder(kind)
    with Path(path).open("rb") as f:
        for number, line in enumerate(f, 1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number}: not a valid {kind.__name__}: {error}") from None


def write_parquet(
    path: str | os.PathLike[str], records: Sequence[R], kind: type[R], also: Mapping[str, list[Any]] | None = None
) -> int:
    """Write records as Parquet, one column a field, and return how many.

    Strings, numbers and booleans keep their type; every nested field is a column of JSON text, so that any table
    engine can read the file without knowing our types. `also` are columns for other readers, with a value a record;
    `read_parquet` passes over them. The file appears whole or not at all. A record of another type
    is a TypeError.
    """
    pa, pq = _arrow()
    for number, record in enumerate(records):
        if not isinstance(record, kind):
            raise TypeError(f"{path}: record {number} is a {type(record).__name__}, not a {kind.__name__}")
    columns = {f.encode_name: (f.name, _arrow_type(pa, f.type)) for f in msgspec.structs.fields(kind)}
    arrays: dict[str, Any] = {}
    for name, (attribute, arrow_type) in columns.items():
        values: list[Any] = [getattr(record, attribute) for record in records]
        if arrow_type is None:
            arrays[name] = pa.array([msgspec.json.encode(v).decode() for v in values], pa.string())
        else:
            arrays[name] = pa.array(values, arrow_type)
    arrays |= {name: pa.array(values) for name, values in (also or {}).items()}
    nested = [name for name, (_, arrow_type) in columns.items() if arrow_type is None]
    metadata = {"phiforge.record": kind.__name__, "phiforge.json_columns": ",".join(nested)}
    with whole(Path(path)) as partial:
        pq.write_table(pa.table(arrays).replace_schema_metadata(metadata), partial, compression="zstd")
    return len(records)


def read_parquet(path: str | os.PathLike[str], kind: type[R]) -> Iterator[R]:
    """Yield the records of a Parquet file that `write_parquet` wrote. A file of another record type is a ValueError."""
    _, pq = _arrow()
    with pq.ParquetFile(path) as file:
        metadata: dict[bytes, bytes] = file.schema_arrow.metadata or {}
        found = metadata.get(b"phiforge.record", b"an unknown type").decode()
        if found != kind.__name__:
            raise ValueError(f"{path}: holds records of {found}, not {kind.__name__}")
        nested = metadata[b"phiforge.json_columns"].decode().split(",")
        rows = (row for batch in file.iter_batches() for row in batch.to_pylist())
        for number, row in enumerate(rows):
            try:
                for name in nested:
                    if name in row:
                        row[name] = msgspec.json.decode(row[name])
                yield msgspec.convert(row, kind)
            except msgspec.DecodeError as error:
                raise ValueError(f"{path}, row {number}: not a valid {kind.__name__}: {error}") from None


def _arrow() -> tuple[Any, Any]:
    """pyarrow, loaded when first needed; it has no types, so Any."""
    return import_module("pyarrow"), import_module("pyarrow.parquet")


def _arrow_type(pa: Any, kind: Any) -> Any:
    """The arrow type of a plain field, or None for one that is stored as JSON text."""
    if kind in (str, Role):
        return pa.string()
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}.get(kind)
