"""Record files: what is written is what is read, a bad line is named, and a file appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phiforge import records
from phiforge.records import (
    Audio,
    Example,
    Image,
    Message,
    Problem,
    Provenance,
    Text,
    ToolCall,
    Verdict,
    read_jsonl,
    read_parquet,
    write_jsonl,
    write_parquet,
)

# --- any record ---------------------------------------------------------------------------------------------------

text = st.text(max_size=12)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    plain | text, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
table = st.dictionaries(text, anything, max_size=3)
sources = st.one_of(st.binary(max_size=8).map(lambda b: {"data": b}), text.map(lambda p: {"path": p}))
parts = st.one_of(st.builds(Text, text), *(sources.map(lambda s, kind=kind: kind(**s)) for kind in (Image, Audio)))
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=text | st.lists(parts, max_size=3),
    thinking=st.none() | text,
    tool_calls=st.lists(st.builds(ToolCall, text, table, text), max_size=2),
    tool_call_id=text,
    name=text,
)
problems = st.builds(Problem, text, st.lists(messages, max_size=3), text, text, table, table)
provenances = st.builds(Provenance, text, st.lists(text, max_size=3), text, text, text, text, table)
KINDS: dict[type[Any], st.SearchStrategy[Any]] = {
    Message: messages,
    Problem: problems,
    Provenance: provenances,
    Example: st.builds(Example, problems, messages, provenances),
    Verdict: st.builds(Verdict, st.booleans(), st.floats(0, 1), text),
}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


@every_kind
@given(data=st.data())
@settings(max_examples=25)
def test_both_files_give_back_what_was_written(folder: Path, kind: type[Any], data: st.DataObject) -> None:
    rows = data.draw(st.lists(KINDS[kind], max_size=4))
    assert write_jsonl(folder / "x.jsonl", rows) == len(rows)
    assert list(read_jsonl(folder / "x.jsonl", kind)) == rows
    assert write_parquet(folder / "x.parquet", rows, kind) == len(rows)
    assert list(read_parquet(folder / "x.parquet", kind)) == rows


@every_kind
def test_empty_files(tmp_path: Path, kind: type[Any]) -> None:
    assert write_jsonl(tmp_path / "x.jsonl", []) == write_parquet(tmp_path / "x.parquet", [], kind) == 0
    assert (tmp_path / "x.jsonl").read_bytes() == b""
    assert list(read_jsonl(tmp_path / "x.jsonl", kind)) == list(read_parquet(tmp_path / "x.parquet", kind)) == []


def test_parquet_columns_are_readable_by_any_engine(tmp_path: Path) -> None:
    problem = Problem("p1", [Message("user", "2 + 2?")], answer="4", verifier="math", metadata={"level": 1})
    write_parquet(tmp_path / "p.parquet", [problem], Problem)
    (row,) = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert (row["id"], row["answer"], row["verifier"]) == ("p1", "4", "math")
    assert json.loads(row["metadata"]) == {"level": 1}
    assert json.loads(row["messages"]) == [{"role": "user", "content": "2 + 2?"}]

    write_parquet(tmp_path / "v.parquet", [Verdict(True, 1)], Verdict)  # an int where a float belongs
    assert pq.read_table(tmp_path / "v.parquet").to_pylist() == [{"correct": True, "score": 1.0, "reason": ""}]


# --- what is refused ----------------------------------------------------------------------------------------------

GOOD = b'{"correct":true,"score":1.0}\n'


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "truncated"),
        (b'{"correct":true}', "missing required field `score`"),
        (b'{"correct":"yes","score":1}', r"Expected `bool`, got `str` - at `\$.correct`"),
        (b"[]", "Expected `object`"),
        (b'{"correct":true,"score":1,"reason":"\xff"}', "utf-8|UTF-8"),  # msgspec before 0.23, and since
        (b"[" * 100_000, "Expected `object`|recursion"),
    ],
    ids=["cut", "missing", "ill-typed", "no object", "not UTF-8", "too deep"],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, why: str) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_bytes(GOOD + b"\n  \n" + line + b"\n" + GOOD)
    reader = read_jsonl(file, Verdict)
    assert next(reader) == Verdict(True, 1.0)
    with pytest.raises(ValueError, match=rf"verdicts\.jsonl, line 4: not a valid Verdict: .*({why})"):
        next(reader)


def test_nesting_without_end_is_a_bad_line_too(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(b'{"id":"p","messages":[],"metadata":{"a":' + b"[" * 100_000)
    with pytest.raises(ValueError, match=r"p\.jsonl, line 1: not a valid Problem"):
        list(read_jsonl(file, Problem))


@every_kind
def test_another_record_type_is_refused(tmp_path: Path, kind: type[Any]) -> None:
    samples: dict[type[Any], Any] = {
        Message: Message("user", "hi"),
        Problem: Problem("p", []),
        Provenance: Provenance("seed"),
        Verdict: Verdict(False, 0.0),
    }
    samples[Example] = Example(samples[Problem], samples[Message], samples[Provenance])
    write_jsonl(tmp_path / "x.jsonl", [samples[kind]])
    write_parquet(tmp_path / "x.parquet", [samples[kind]], kind)
    for other in samples.keys() - {kind}:
        with pytest.raises(ValueError, match=rf"x\.jsonl, line 1: not a valid {other.__name__}"):
            list(read_jsonl(tmp_path / "x.jsonl", other))
        with pytest.raises(ValueError, match=rf"x\.parquet: holds records of {kind.__name__}, not {other.__name__}"):
            list(read_parquet(tmp_path / "x.parquet", other))
        with pytest.raises(TypeError, match=f"{kind.__name__}.*{other.__name__}"):
            write_parquet(tmp_path / "y.parquet", [samples[kind]], other)


def test_a_bad_parquet_row_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    write_parquet(file, [Verdict(True, 1.0), Verdict(True, 0.5)], Verdict)
    rows = pq.read_table(file)
    pq.write_table(rows.set_column(2, "reason", [["fine", None]]), file)  # as another engine may rewrite it
    reader = read_parquet(file, Verdict)
    assert next(reader).reason == "fine"
    with pytest.raises(ValueError, match=r"x\.parquet, row 1: not a valid Verdict: Expected `str`, got `null`"):
        next(reader)


def test_a_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(records._arrow()[0].table({"correct": [True], "score": [1.0]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="holds records of an unknown type, not Verdict"):
        list(read_parquet(tmp_path / "x.parquet", Verdict))


@pytest.mark.parametrize("kind", [Image, Audio])
def test_a_part_has_exactly_one_source(kind: type[Image] | type[Audio]) -> None:
    for sources in ({}, {"data": b"x", "path": "x"}):
        with pytest.raises(ValueError, match=f"{kind.__name__} needs exactly one of `data` and `path`"):
            kind(**sources)
    with pytest.raises(msgspec.ValidationError, match="exactly one"):
        msgspec.json.decode(b'{"type":"%s"}' % kind.__name__.lower().encode(), type=kind)


def test_visible_text_of_a_message() -> None:
    assert Message("user", [Text("a"), Image(path="cat.png"), Text("b")]).text == "ab"
    assert Message("user", "plain").text == "plain"


# --- whole or not at all ------------------------------------------------------------------------------------------


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Verdict]:
        yield Verdict(True, 1.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(tmp_path / "new.jsonl", interrupted())
    assert list(tmp_path.iterdir()) == []

    write_jsonl(tmp_path / "old.jsonl", [Verdict(False, 0.0)])
    with pytest.raises(KeyboardInterrupt):
        write_jsonl(tmp_path / "old.jsonl", interrupted())
    assert list(tmp_path.iterdir()) == [tmp_path / "old.jsonl"]
    assert list(read_jsonl(tmp_path / "old.jsonl", Verdict)) == [Verdict(False, 0.0)]


def test_an_interrupted_parquet_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "x.parquet", [Verdict(False, 0.0)], Verdict)
    write_table = pq.write_table

    def interrupted(rows: Any, where: Path, **options: Any) -> None:
        write_table(rows, where, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_parquet(tmp_path / "x.parquet", [Verdict(True, 1.0)], Verdict)
    assert list(tmp_path.iterdir()) == [tmp_path / "x.parquet"]
    assert list(read_parquet(tmp_path / "x.parquet", Verdict)) == [Verdict(False, 0.0)]
