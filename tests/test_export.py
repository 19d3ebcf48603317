"""Models written for others: GGUF files that we, transformers' tokenizer and llama.cpp read alike, and official folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import tokenizers
import torch
from msgspec.structs import replace
from tokenizers import AddedToken, decoders, models

from phiforge.chat.gguf_export import PROBE, pre_name
from phiforge.chat.gguf_vocab import PRE_TOKENIZERS, pre_tokenizer
from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.main import main
from phiforge.model import checkpoint
from phiforge.model.checkpoint import SafetensorsFolder
from phiforge.model.config import PRESETS, ModelConfig, Rope, shrink
from phiforge.model.gguf import GGUFFile, load_gguf
from phiforge.model.gguf_write import TYPES, write_gguf
from phiforge.model.quantized import quantize
from phiforge.model.quantized_files import save_quantized

Factory = Callable[..., Any]
MINI, PHI4 = shrink(PRESETS["phi-4-mini-instruct"]), shrink(PRESETS["phi-4"])
LLAMA = replace(PHI4, architecture="llama", rope=Rope(theta=10_000.0))
LLAMA3 = Rope(theta=10_000.0, scaling="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
CONFIGS = {
    "phi-4": PHI4,
    "phi-4-mini": MINI,
    "llama": LLAMA,
    "llama, tied": replace(LLAMA, tied_embeddings=True),
    "llama, narrow heads": replace(LLAMA, head_dim=16, n_kv_heads=8),
    "llama, linear": replace(LLAMA, rope=Rope(theta=10_000.0, scaling="linear", factor=4.0)),
    "llama 3": replace(LLAMA, rope=LLAMA3, original_context=256, context=2048),
}
IDS = torch.randint(3, 300, (1, 70), generator=torch.Generator().manual_seed(0))  # 70: above MINI's crossing


def small_tokenizer(pre: str = "gpt-4o") -> Tokenizer:
    """Byte-level BPE of 256 letters, a few merges and three special tokens: ids below 300."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "w"), ("o", "r")]
    vocab = {letter: i + 3 for i, letter in enumerate(alphabet)}
    vocab |= {a + b: len(vocab) + 3 + i for i, (a, b) in enumerate(merges)}
    core = tokenizers.Tokenizer(models.BPE(vocab={"<pad>": 0, "<bos>": 1, "<eos>": 2} | vocab, merges=merges))
    core.pre_tokenizer, core.decoder = pre_tokenizer(PRE_TOKENIZERS[pre]), decoders.ByteLevel()
    core.add_tokens([AddedToken(t, special=True, normalized=False) for t in ("<pad>", "<bos>", "<eos>")])
    core.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    return Tokenizer(core, bos_id=1, eos_ids=[2], pad_id=0, chat_template=template)


@pytest.fixture
def folder(tmp_path: Path, network: Factory) -> Callable[[ModelConfig], tuple[Any, Path]]:
    """folder(config): a network, and a folder that holds it with a tokenizer."""

    def make(config: ModelConfig) -> tuple[Any, Path]:
        model, where = network(config), tmp_path / "model"
        checkpoint.save(model, where)
        small_tokenizer().save(where)
        return model, where

    return make


# --- GGUF ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
@torch.inference_mode()
def test_an_exported_gguf_loads_to_equal_logits(folder: Factory, tmp_path: Path, name: str) -> None:
    model, where = folder(CONFIGS[name])
    steps: list[int] = []
    file = tmp_path / "m.gguf"
    write_gguf(model.config, SafetensorsFolder(where), file, "f32", progress=lambda _, done, __: steps.append(done))
    back = load_gguf(file)
    assert steps == sorted(steps)
    torch.testing.assert_close(back(IDS), model(IDS), atol=2e-4, rtol=1e-4)
    assert back.config.context == model.config.context
    assert back.config.tied_embeddings == model.config.tied_embeddings


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("config", [MINI, LLAMA], ids=["phi3", "llama"])
def test_every_type_holds_the_weights(folder: Factory, tmp_path: Path, config: ModelConfig, kind: str) -> None:
    model, where = folder(config)
    write_gguf(config, SafetensorsFolder(where), tmp_path / "m.gguf", kind)
    file = GGUFFile(tmp_path / "m.gguf")
    back = load_gguf(tmp_path / "m.gguf")
    limit = {"f32": 0, "f16": 1e-3, "bf16": 5e-3, "q8_0": 0.01, "q4_0": 0.12, "q4_1": 0.1}[kind]
    for name, parameter in model.named_parameters():
        error = (back.get_parameter(name) - parameter).norm() / parameter.norm()
        assert error <= (0 if parameter.ndim == 1 else limit), name
    stored = {t.name: t.tensor_type for t in file.reader.tensors}
    assert stored["blk.0.ffn_down.weight"] == TYPES[kind][0]
    if kind.startswith("q4"):
        assert stored["token_embd.weight"] == gguf.GGMLQuantizationType.Q8_0


def test_what_llama_cpp_cannot_run_is_refused(folder: Factory, tmp_path: Path) -> None:
    _, where = folder(PHI4)
    source = SafetensorsFolder(where)
    with pytest.raises(ValueError, match="'q4_k' cannot be written"):
        write_gguf(PHI4, source, tmp_path / "m.gguf", "q4_k")
    half = replace(LLAMA, rope=Rope(theta=1e4, partial=0.5))
    with pytest.raises(ValueError, match="not 16 of 32 dims"):
        write_gguf(half, source, tmp_path / "m.gguf", "f32")
    with pytest.raises(ValueError, match="phi3 networks with Llama 3"):
        write_gguf(replace(PHI4, rope=LLAMA3), source, tmp_path / "m.gguf", "f32")
    narrow = replace(LLAMA, d_ff=200)
    _, where = folder(narrow)
    with pytest.raises(ValueError, match="ffn_down: rows of 200 weights do not divide"):
        write_gguf(narrow, SafetensorsFolder(where), tmp_path / "m.gguf", "q8_0")


def test_the_tokenizer_comes_back(folder: Factory, tmp_path: Path) -> None:
    _, where = folder(MINI)
    assert main(["export", str(where), "--to", "gguf", "-o", str(tmp_path / "m.gguf"), "--json"]) == 0
    ours, back = Tokenizer.from_folder(where), Tokenizer.from_gguf(tmp_path / "m.gguf")
    for text in (PROBE, "hello world <eos> <think>"):
        assert back.encode(text) == ours.encode(text)
        assert back.encode(text, specials=True) == ours.encode(text, specials=True)
        assert back.decode(back.encode(text)) == text
    for field in ("bos_id", "eos_ids", "pad_id", "specials", "chat_template"):
        assert getattr(back, field) == getattr(ours, field)
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    assert reader.get_field("tokenizer.ggml.pre").contents() == "gpt-4o"
    assert reader.get_field("tokenizer.ggml.tokens").contents()[-1] == "[PAD511]"
    # and from that GGUF to another, key by key
    assert main(["export", str(tmp_path / "m.gguf"), "--to", "gguf", "-o", str(tmp_path / "n.gguf"), "--json"]) == 0
    again = gguf.GGUFReader(tmp_path / "n.gguf")
    for key, field in reader.fields.items():
        if key.startswith("tokenizer."):
            assert again.get_field(key).contents() == field.contents(), key


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_each_pre_tokenizer_is_told_from_the_others(pre: str) -> None:
    core = small_tokenizer(pre).core
    found = pre_name(core, pre.startswith("llama"), "here")
    assert PRE_TOKENIZERS[found] == PRE_TOKENIZERS[pre]
    assert found.startswith("llama") == pre.startswith("llama")


def test_an_unknown_pre_tokenizer_is_refused() -> None:
    core = small_tokenizer().core
    core.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    with pytest.raises(ValueError, match="none of those that GGUF has a name for"):
        pre_name(core, False, "here")


# --- llama.cpp ----------------------------------------------------------------------------------------------------


def llama_cpp(file: Path, prompt: list[int], n: int, without: list[int]) -> list[tuple[int, float]]:
    """llama.cpp's greedy continuation: ids and log probabilities. Tokens of `without` are not written."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path, params.n_parallel, params.n_ctx = str(file), 1, 256
    params.warmup, params.verbosity = False, -1
    chunks: list[Any] = []
    request = {"prompt": prompt, "n_predict": n, "temperature": 0, "n_probs": 1, "ignore_eos": True}
    request |= {"logit_bias": [[i, False] for i in without]}
    xllamacpp.Server(params).handle_completions(request, chunks.append)
    chunk = chunks[0] if isinstance(chunks[0], dict) else json.loads(chunks[0])
    return [(token["id"], token["logprob"]) for token in chunk["choices"][0]["logprobs"]["content"]]


@torch.inference_mode()
def agrees(model: Any, prompt: list[int], answer: list[tuple[int, float]], near: float, without: list[int]) -> None:
    """Every token of theirs is our favourite, or within `near` of it, at nearly the same log probability."""
    ids = [i for i, _ in answer]
    # llama.cpp chooses LongRoPE's factors by the size of its whole context, which is beyond the crossing here.
    long = True if model.config.rope.scaling == "longrope" else None
    logprobs = model(torch.tensor([prompt + ids]), long=long)[0, len(prompt) - 1 : -1].float().log_softmax(-1)
    best = logprobs.index_fill(1, torch.tensor(without), -torch.inf).amax(1)
    for step, (i, theirs) in enumerate(answer):
        ours = float(logprobs[step, i])
        assert ours > float(best[step]) - near, f"step {step}"
        assert abs(ours - theirs) < near, f"step {step}"


@pytest.mark.parametrize("name", ["phi-4", "phi-4-mini", "llama, tied", "llama 3"])
def test_llama_cpp_runs_what_was_exported(folder: Factory, tmp_path: Path, name: str) -> None:
    model, where = folder(CONFIGS[name])
    file = tmp_path / "m.gguf"
    assert main(["export", str(where), "--to", "gguf", "--type", "f32", "-o", str(file), "--json"]) == 0
    prompt = IDS[0, :40].tolist()
    # llama.cpp ends at eos, and says nothing of tokens that are only a part of a letter.
    tokenizer = small_tokenizer()
    broken = [i for i, text in enumerate(tokenizer.token_bytes()) if not text.isascii()]
    without = [*broken, *tokenizer.eos_ids]
    answer = llama_cpp(file, prompt, 16, without)
    assert len(answer) == 16
    agrees(model, prompt, answer, 0.1, without)


@pytest.mark.slow
def test_llama_cpp_answers_like_the_default_model(default_gguf: Path, tmp_path: Path) -> None:
    source = GGUFFile(default_gguf)
    checkpoint.save(checkpoint.assemble(source.config, source), tmp_path / "hf")
    tokenizer = Tokenizer.from_gguf(source.reader)
    tokenizer.save(tmp_path / "hf")
    file = tmp_path / "m.gguf"
    assert main(["export", str(tmp_path / "hf"), "--to", "gguf", "--type", "q8_0", "-o", str(file), "--json"]) == 0
    text = "<|im_start|>user\nName three colours.<|im_end|>\n<|im_start|>assistant\n"
    prompt = tokenizer.encode(text, specials=True)
    without = list(tokenizer.eos_ids)
    agrees(load_gguf(file), prompt, llama_cpp(file, prompt, 40, without), 0.3, without)


# --- Hugging Face folders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phi-4", "phi-4-mini", "llama, tied"])
@torch.inference_mode()
def test_transformers_loads_an_exported_folder(folder: Factory, tmp_path: Path, name: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, where = folder(CONFIGS[name])
    file, out = tmp_path / "m.gguf", tmp_path / "out"
    assert main(["export", str(where), "--to", "gguf", "--type", "f32", "-o", str(file), "--json"]) == 0
    assert main(["export", str(file), "--to", "hf", "--type", "f32", "-o", str(out), "--json"]) == 0
    theirs = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    torch.testing.assert_close(theirs(IDS).logits, model(IDS), atol=1e-3, rtol=1e-3)
    assert AutoTokenizer.from_pretrained(out).encode("hello world") == small_tokenizer().encode("hello world")


def test_a_quantised_folder_is_exported_dequantised(
    folder: Factory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, where = folder(MINI)
    quantised = tmp_path / "int8"
    save_quantized(quantize(model, "int8"), quantised)
    small_tokenizer().save(quantised)
    out = tmp_path / "out"
    assert main(["export", str(quantised), "--to", "hf", "-o", str(out)]) == 0
    assert "bf16" in (said := capsys.readouterr()).out
    assert "quantised to int8" in said.err
    back = checkpoint.load(out)
    plain = checkpoint.load(where)
    for name, parameter in plain.named_parameters():
        assert back.get_parameter(name).dtype == torch.bfloat16
        assert (back.get_parameter(name) - parameter).norm() < 0.02 * parameter.norm()
    assert main(["export", str(quantised), "--to", "gguf", "-o", str(tmp_path / "q.gguf"), "--json"]) == 0
    assert (load_gguf(tmp_path / "q.gguf").norm.weight == plain.norm.weight).all()


def test_words_that_cannot_be_meant(folder: Factory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, where = folder(MINI)
    out = tmp_path / "out"
    assert main(["export", str(where), "--to", "gguf", "--type", "q4_k", "-o", str(out)]) == 2
    assert "q4_k: the gguf package cannot write it" in capsys.readouterr().err
    assert main(["export", str(where), "--to", "hf", "--type", "q8_0", "-o", str(out)]) == 2
    assert "written as f32, f16, bf16" in capsys.readouterr().err
    out.mkdir()
    (out / "precious").touch()
    for force in ([], ["--force"]):
        assert main(["export", str(where), "--to", "hf", "-o", str(out), *force]) == 2
    assert (out / "precious").exists()
    (out / "precious").unlink()
    assert main(["export", str(where), "--to", "hf", "-o", str(out), "--force", "--json"]) == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
