"""A place for rows that is no folder of this machine: the same files, through pyarrow's file systems."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow.fs import LocalFileSystem

from phiforge.data.place import Place
from phiforge.records import Example, Message, Problem, Provenance, read_parquet


@pytest.fixture(params=["folder", "file system"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """A local folder, and one that is reached as an object store is."""
    place = Place(tmp_path / "rows")
    if request.param == "file system":
        place.local, place._fs = False, LocalFileSystem()
        (tmp_path / "rows").mkdir()
        (tmp_path / "rows/data/part").mkdir(parents=True)
    return place


def test_what_is_written_is_read_listed_copied_and_removed(place: Place) -> None:
    assert place.read("report.json") is None
    assert place.names() == []
    place.write("report.json", b"[]")
    row = Example(Problem("1", [Message("user", "2+2?")], "4"), Message("assistant", "4"), Provenance("test"))
    place.write_examples("data/part/train-00000.parquet", [row])
    assert place.read("report.json") == b"[]"
    assert place.names() == ["data/part/train-00000.parquet", "report.json"]
    assert place.names("data") == ["data/part/train-00000.parquet"]
    with place.copied() as local:
        assert list(read_parquet(local / "data/part/train-00000.parquet", Example)) == [row]
        assert (local / "report.json").read_bytes() == b"[]"
    assert local.exists() == place.local
    place.remove("data")
    assert place.names() == ["report.json"]


def test_an_address_of_no_file_system_is_an_error() -> None:
    with pytest.raises(ValueError, match="nowhere://bucket/rows: no file system can be reached there"):
        Place("nowhere://bucket/rows")
