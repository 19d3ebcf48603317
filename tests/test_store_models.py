"""The store's folders, its list of models, and what counts as a model."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phiforge.store import home
from phiforge.store.formats import describe, read_gguf_header
from phiforge.store.home import StoreError, home_dir, model_dir, models_dir
from phiforge.store.models import (
    MANIFEST,
    Installed,
    NotInstalled,
    find,
    installed,
    remove,
    write_manifest,
)


def install(name: str, store: Path, source: str = "hub:org/x") -> Installed:
    """A model in the store, with weights of its own."""
    folder = model_dir(name, store)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    model = Installed(
        name=name,
        source=source,
        family="phi-4",
        architecture="phi3",
        format="hf",
        bytes=7,
        files=[],
        pulled="2026-01-01T00:00:00+00:00",
        path=str(folder),
    )
    write_manifest(model, folder, store)
    return model


# --- where things live ---------------------------------------------------------------------------------------------


def test_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("PHIFORGE_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert home_dir() == Path.home() / ".cache" / "phiforge"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert home_dir() == tmp_path / "xdg" / "phiforge"
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path / "own"))
    assert home_dir() == tmp_path / "own"
    assert home_dir(tmp_path) == tmp_path


@given(st.text(max_size=30))
def test_no_name_leads_out_of_the_store(name):
    try:
        folder = model_dir(name, "/store")
    except StoreError:
        return
    assert folder.parent == Path("/store/models")
    assert not folder.name.startswith(".")


def test_sizes_for_people():
    texts = [home.size_text(n) for n in (0, 999, 1000, 98_362_432, 7_672_043_520, 29_319_014_400_000)]
    assert texts == ["0 bytes", "999 bytes", "1.0 kB", "98.4 MB", "7.7 GB", "29.3 TB"]


def test_a_full_disk(monkeypatch, tmp_path):
    home.ensure_space(tmp_path / "not" / "yet", 1, "it")
    monkeypatch.setattr(home, "free_bytes", lambda folder: 100_000_000)
    with pytest.raises(StoreError, match=r"it needs 50\.0 MB but .* has 100 MB free: make room"):
        home.ensure_space(tmp_path, 50_000_000, "it")


# --- the list -----------------------------------------------------------------------------------------------------


def test_list_is_by_name_and_survives_moving_the_store(tmp_path):
    store = tmp_path / "a"
    install("b-model", store)
    install("org/a-model", store)
    assert [m.name for m in installed(store)] == ["b-model", "org/a-model"]
    store.rename(tmp_path / "moved")
    moved = installed(tmp_path / "moved")[1]
    assert moved.path == str(tmp_path / "moved/models/org--a-model")


def test_an_empty_store_and_a_damaged_manifest(tmp_path):
    assert installed(tmp_path) == []
    install("fine", tmp_path)
    (models_dir(tmp_path) / "fine" / MANIFEST).write_text("{")
    with pytest.raises(StoreError, match=r"fine/phiforge\.json: not a model's manifest"):
        installed(tmp_path)


def test_find_by_name_repository_prefix_and_path(tmp_path, monkeypatch):
    mini = install("phi-4-mini-instruct", tmp_path, "hub:microsoft/Phi-4-mini-instruct")
    other = install("org/other", tmp_path, "hub:Org/Other")
    assert find("phi-4-mini-instruct", tmp_path) == mini
    assert find("microsoft/phi-4-mini-instruct", tmp_path) == mini
    assert find("Phi-4-Mini", tmp_path) == mini
    assert find("org/", tmp_path) == other
    install("phi-4-mini-reasoning", tmp_path)
    with pytest.raises(NotInstalled, match="could be any of phi-4-mini-instruct, phi-4-mini-reasoning"):
        find("phi-4-mini", tmp_path)

    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(b"")
    assert find(str(folder), tmp_path).path == str(folder)
    assert "mine" not in [m.name for m in installed(tmp_path)]


def test_a_known_name_never_stands_for_another_model(tmp_path):
    install("phi-4-mini-instruct", tmp_path)
    with pytest.raises(
        NotInstalled, match=r"no model 'phi-4' .*Here are: phi-4-mini-instruct\. `phiforge pull phi-4`"
    ):
        find("phi-4", tmp_path)


def test_an_unknown_name_says_how_to_pull(tmp_path):
    with pytest.raises(NotInstalled, match=r"no model 'nothing' on this machine\. No model is here yet"):
        find("nothing", tmp_path)
    with pytest.raises(NotInstalled, match=r"`phiforge pull org/name` brings"):
        find("org/name", tmp_path)
    with pytest.raises(NotInstalled):
        find("", tmp_path)


def test_remove_takes_exact_names_only(tmp_path):
    model = install("phi-4-mini-instruct", tmp_path)
    converted = tmp_path / "converted" / model.name
    converted.mkdir(parents=True)
    with pytest.raises(NotInstalled, match="nothing was removed"):
        remove("phi-4-mini", tmp_path)
    assert remove(model.name, tmp_path).name == model.name
    assert installed(tmp_path) == []
    assert not Path(model.path).exists()
    assert not converted.exists()


# --- what counts as a model ---------------------------------------------------------------------------------------


def gguf_bytes(*fields: tuple[str, int, bytes], version: int = 3) -> bytes:
    body = b"".join(
        struct.pack("<Q", len(k)) + k.encode() + struct.pack("<I", kind) + value for k, kind, value in fields
    )
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(fields)) + body


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def test_gguf_header_reads_general_fields_and_stops(tmp_path):
    tags = struct.pack("<IQ", 8, 2) + text("a") + text("b")
    data = gguf_bytes(
        ("general.architecture", 8, text("llama")),
        ("general.tags", 9, tags),
        ("general.file_type", 4, struct.pack("<I", 3)),
        ("llama.block_count", 4, struct.pack("<I", 30)),
    )
    file = tmp_path / "m.gguf"
    file.write_bytes(data)
    expected = {"general.architecture": "llama", "general.tags": ["a", "b"], "general.file_type": 3}
    assert read_gguf_header(file) == expected
    for cut in range(4, len(data) - 30):
        file.write_bytes(data[:cut])
        with pytest.raises(StoreError, match="cut short or damaged"):
            read_gguf_header(file)
    file.write_bytes(gguf_bytes(version=1))
    with pytest.raises(StoreError, match="GGUF version 1 is not supported"):
        read_gguf_header(file)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_gguf_reader(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "fuzz.gguf"
    file.write_bytes(gguf_bytes(("general.architecture", 8, text("x")), ("general.x", 9, data)))
    with suppress(StoreError):
        read_gguf_header(file)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "no config.json"),
        ({"a.gguf": "", "b.gguf": ""}, "name one of its GGUF files instead: a.gguf, b.gguf"),
        ({"config.json": "{"}, "config.json: not a JSON object"),
        ({"config.json": "[]"}, "config.json: not a JSON object"),
        ({"config.json": "{}"}, "has no model_type"),
        ({"config.json": '{"model_type": "phi3"}', "pytorch_model.bin": ""}, "has no model.*safetensors"),
        (
            {
                "config.json": '{"model_type": "phi3"}',
                "model-1.safetensors": "",
                "model.safetensors.index.json": '{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}',
            },
            "names files that are not there: model-2.safetensors",
        ),
    ],
)
def test_folders_that_are_no_model(tmp_path, files, expected):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(StoreError, match=expected):
        describe(tmp_path)


def test_files_that_are_no_model(tmp_path):
    for name, expected in (
        ("model.bin", "not a model, which is"),
        ("part-00001-of-00002.gguf", "one part of a split GGUF"),
        ("text.gguf", "does not begin with the letters GGUF"),
    ):
        (tmp_path / name).write_text("hello")
        with pytest.raises(StoreError, match=expected):
            describe(tmp_path / name)
    with pytest.raises(StoreError, match="not found"):
        describe(tmp_path / "nothing.gguf")


def test_licence_comes_from_the_card(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "phi3"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert describe(tmp_path).licence == ""
    (tmp_path / "README.md").write_text("---\ntags:\n- x\nlicense: 'apache-2.0'\n---\nlicense: other")
    assert describe(tmp_path).licence == "apache-2.0"
