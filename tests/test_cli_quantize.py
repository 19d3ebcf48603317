"""`phiforge quantize`: the folder it writes, what its manifest says, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.main import main
from phiforge.model import checkpoint
from phiforge.model.checkpoint import SafetensorsFolder
from phiforge.model.config import PRESETS, shrink
from phiforge.model.divergence import measure, windows
from phiforge.model.quantized import quantize, scheme_of

Factory = Callable[..., Any]
MINI = shrink(PRESETS["phi-4-mini-instruct"])
TEXT = "Six times seven is 42, she said; and 42 it was, whatever they wrote. " * 20


@pytest.fixture
def source(tmp_path: Path, network: Factory, monkeypatch: pytest.MonkeyPatch) -> Path:
    from test_export import small_tokenizer

    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "model"
    checkpoint.save(network(MINI), folder)
    small_tokenizer().save(folder)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


@pytest.mark.parametrize("kind", ["int8", "int4", "bf16"])
@torch.inference_mode()
def test_the_folder_and_its_manifest(
    source: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "out"
    text.write_text(TEXT)
    words = ["quantize", str(source), "--kind", kind, "-o", str(out), "--text", str(text), "--json"]
    assert main(words) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads((out / "manifest.json").read_text())
    weights = (source / "model.safetensors").read_bytes()
    assert manifest["source"]["sha256"] == {"model.safetensors": hashlib.sha256(weights).hexdigest()}
    assert manifest["bytes"] == {"source": len(weights), "result": (out / "model.safetensors").stat().st_size}
    assert (manifest["kind"], manifest["group"]) == (kind, 32 if kind == "int4" else 0)

    loaded, plain = checkpoint.load(out), checkpoint.load(source)
    assert scheme_of(loaded).kind == kind
    ids = Tokenizer.from_folder(out).encode(TEXT)
    loss = kl = n = 0.0
    for window in windows(ids):
        p, q = (m(window[None])[0, :-1].log_softmax(-1) for m in (plain, loaded))
        loss -= float(q.gather(1, window[1:, None]).sum())
        kl += float((p.exp() * (p - q)).sum())
        n += len(window) - 1
    cost = manifest["evaluation"]
    assert cost["tokens"] == n
    assert cost["result_perplexity"] == pytest.approx(math.exp(loss / n), rel=1e-4)
    assert cost["kl"] == pytest.approx(kl / n, rel=1e-3, abs=1e-5)
    assert (out / "chat_template.jinja").exists()
    assert main(["quantize", str(out), "-o", str(tmp_path / "again")]) == 1
    assert f"is quantised to {kind} already" in capsys.readouterr().err


def test_a_network_that_is_its_own_source_loses_nothing(source: Path) -> None:
    result = measure(MINI, SafetensorsFolder(source), checkpoint.load(source), windows(list(range(3, 200)), 64))
    assert result.tokens == 197 - 4
    assert abs(result.kl) < 1e-5
    assert result.source_perplexity == pytest.approx(result.result_perplexity, rel=1e-5)
    with pytest.raises(ValueError, match="fewer than two tokens"):
        measure(MINI, SafetensorsFolder(source), checkpoint.load(source), windows([5]))


def test_the_built_in_text_and_what_is_printed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["quantize", str(source), "--kind", "int8"]) == 0
    assert "perplexity" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "model-int8" / "manifest.json").read_text())
    assert manifest["evaluation"]["text"] == "the built-in sample"
    assert manifest["evaluation"]["tokens"] > 2000


def test_nothing_is_overwritten_unless_forced(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "out"
    text.write_text(TEXT)
    words = ["quantize", str(source), "--kind", "int8", "-o", str(out), "--text", str(text), "--json"]
    out.mkdir()
    (out / "precious").touch()
    assert main(words) == 2
    assert main([*words, "--force"]) == 2  # no model's folder
    assert (out / "precious").exists()
    (out / "precious").unlink()
    assert main([*words, "--force"]) == 0
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == ["out"]


@pytest.mark.parametrize("where", ["convert_quantized", "measure"])
def test_an_interrupt_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    module = "phiforge.model.quantized_files" if where == "convert_quantized" else "phiforge.lm.quantise"
    calls: list[int] = []

    def interrupted(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        if where == "convert_quantized":
            (args[2]).mkdir()
            (args[2] / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{module}.{where}", interrupted)
    assert main(["quantize", str(source), "--kind", "int8", "-o", str(tmp_path / "out"), "--json"]) == 130
    assert calls
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == []


def test_a_model_opens_at_8_and_4_bits_from_the_store(source: Path, tmp_path: Path, network: Factory) -> None:
    from phiforge.lm.sources import quantised_folder
    from phiforge.store import models

    model = models.from_path(source)
    first = quantised_folder(model, "int8")
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert quantised_folder(model, "int8") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp  # the second time is free
    four = quantised_folder(model, "int4")
    assert four != first
    assert models.quantised(model.name) == {"int4": four, "int8": first}
    assert (four / "tokenizer.json").exists()
    assert scheme_of(checkpoint.load(four)).kind == "int4"
    checkpoint.save(network(MINI, seed=3), source)  # another model under that name
    again = quantised_folder(models.from_path(source), "int8")
    plain = quantize(network(MINI, seed=3), "int8")
    assert torch.equal(checkpoint.load(again).lm_head.weight, plain.lm_head.weight)
    assert quantised_folder(models.from_path(again), "int8") == again
    with pytest.raises(ValueError, match="quantised to int8 already"):
        quantised_folder(models.from_path(again), "int4")
