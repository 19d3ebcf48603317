"""Quantised networks: how far they are from their source, their files, and weights taken in while they run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from safetensors import safe_open

from phiforge.kernels.attention import Plan, Pool, Run, attend_qkv
from phiforge.kernels.formats import KINDS, dequantize
from phiforge.kernels.layers import Layers
from phiforge.model import checkpoint, quantized_files
from phiforge.model.checkpoint import CheckpointError, SafetensorsFolder
from phiforge.model.config import PRESETS, ModelConfig, shrink
from phiforge.model.quantized import QuantizedEmbedding, QuantizedLinear, layers_on, quantize, scheme_of, update
from phiforge.model.quantized_files import convert_quantized, read_scheme, save_quantized
from phiforge.model.quantized_source import QuantizedFolder

Factory = Callable[..., Any]
# phi-4-mini ties its embeddings, phi-4 does not.
MINI, LARGE = shrink(PRESETS["phi-4-mini-instruct"]), shrink(PRESETS["phi-4"])
LLAMA = replace(MINI, architecture="llama", rope=replace(LARGE.rope, partial=1.0), tied_embeddings=True)
TOKENS = torch.arange(3, 43).view(2, 20)


def kl(source: torch.Tensor, result: torch.Tensor) -> float:
    p, q = source.log_softmax(-1), result.log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())


@pytest.mark.parametrize("config", [MINI, LARGE, LLAMA], ids=["mini", "large", "llama"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_quantised_network_is_near_its_source(network: Factory, config: ModelConfig, kind: str) -> None:
    model = network(config)
    before = model(TOKENS)
    assert quantize(model, kind) is model
    after = model(TOKENS)
    assert after.shape == before.shape
    assert after.dtype == torch.float32
    assert 1e-9 < kl(before, after) < {"int8": 0.1, "int4": 1.5, "bf16": 0.01}[kind]
    assert scheme_of(model).kind == kind
    assert isinstance(model.lm_head, QuantizedLinear)  # also where it was tied
    assert {p.dtype for p in model.parameters()} == {torch.float32}  # the norms


@torch.no_grad()
def test_a_network_computes_with_what_it_keeps(network: Factory) -> None:
    """Dequantised weights in the plain network give the same logits; products at int8 round x besides."""
    model = network(LARGE)
    plain = network(LARGE, seed=5)
    quantize(model, "int4")
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLinear):
            plain.get_submodule(name).weight.copy_(dequantize(module.packed))
        elif isinstance(module, QuantizedEmbedding):
            plain.embed_tokens.weight.copy_(module.weight * module.scales[:, None])
        elif hasattr(module, "weight"):
            plain.get_submodule(name).weight.copy_(module.weight)
    assert kl(plain(TOKENS), model(TOKENS)) < 0.1
    embeddings = model.embed_tokens(TOKENS).requires_grad_()
    with torch.enable_grad():  # dequantised products, which pass gradients on to x
        logits = model(embeddings=embeddings)
        logits.sum().backward()
    torch.testing.assert_close(logits, plain(embeddings=embeddings), atol=2e-3, rtol=1e-4)
    assert embeddings.grad.abs().max() > 0


@pytest.mark.parametrize("config", [MINI, LARGE, LLAMA], ids=["mini", "large", "llama"])
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_layers_in_one_call_equal_the_modules_bit_for_bit(network: Factory, config: ModelConfig, kind: str) -> None:
    """Two prompts that part after a block, then one token more of each; states of some tokens, of none, of all."""
    model = quantize(network(config), kind)

    def pool() -> Pool:
        return Pool(config.n_layers, 8, config.n_kv_heads, config.head_dim)

    mine, other = pool(), pool()
    if not Layers.available(mine):
        assert layers_on(model, mine) is None
        pytest.skip("no compiled kernels here")
    layers = layers_on(model, mine)
    assert layers is not None
    blocks, positions = {0: [5, 1, 2], 1: [5, 3, 4]}, [*range(40), *range(16, 35)]
    owner = [0] * 40 + [1] * 19
    runs = [Run([5], 0, 16, range(59)), Run([1, 2], 16, 24, range(16, 40)), Run([3, 4], 16, 19, range(40, 59))]
    more = [Run([5], 0, 16, [0, 1]), Run([1, 2], 16, 25, [0]), Run([3, 4], 16, 20, [1])]
    for owners, at, seen in ((owner, positions, runs), ([0, 1], [40, 35], more)):
        slots = torch.tensor([blocks[o][p // 16] * 16 + p % 16 for o, p in zip(owners, at, strict=True)])
        plan, where = Plan(seen, at), torch.tensor(at)
        x = model.embed_tokens(torch.arange(3, 3 + len(at)))
        for rows in (torch.tensor([len(at) - 1, 0]), torch.tensor([], dtype=torch.long), torch.arange(len(at))):
            expected = model.hidden(
                embeddings=x.clone(),
                positions=where,
                attend=lambda _, layer, qkv, cos, sin: attend_qkv(qkv, cos, sin, other, layer, slots, plan),  # noqa: B023
                rows=rows,
            )
            states = layers(x.clone(), *model.rotary(where, False, x.dtype), slots, plan, rows)
            assert torch.equal(model.norm(states), expected)
        for layer in range(config.n_layers):
            block, place = slots // 16, slots % 16
            assert torch.equal(mine.keys[layer][block, :, :, place], other.keys[layer][block, :, :, place])
            assert torch.equal(mine.values[layer][block, :, place], other.values[layer][block, :, place])


def test_the_output_layer_may_have_a_kind_of_its_own(network: Factory) -> None:
    model = quantize(network(MINI), "int4")
    assert (model.lm_head.kind, model.layers[0].mlp.down_proj.kind) == ("int8", "int4")
    model = quantize(network(LARGE), "int4", group=64, head="int4")
    assert (model.lm_head.group, model.layers[0].mlp.down_proj.group) == (32, 64)


def test_what_does_not_divide_is_refused_before_anything_changes(network: Factory) -> None:
    model = network(replace(MINI, d_ff=200))
    with pytest.raises(ValueError, match=r"layers\.0\.mlp\.down_proj: int4 in groups of 32 .* have 200 weights"):
        quantize(model, "int4")
    assert scheme_of(model) is None
    assert not any(isinstance(m, QuantizedLinear | QuantizedEmbedding) for m in model.modules())


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [MINI, LARGE, LLAMA], ids=["mini", "large", "llama"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_converting_equals_quantising_and_saving(
    tmp_path: Path, network: Factory, config: ModelConfig, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network(config)
    checkpoint.save(model, tmp_path / "source")
    monkeypatch.setattr("phiforge.model.quantized_files.BLOCK", 5000)  # several pieces, also across q, k and v
    steps: list[tuple[int, int]] = []
    convert_quantized(
        model.config,
        SafetensorsFolder(tmp_path / "source"),
        tmp_path / "converted",
        kind,
        progress=lambda _, done, total: steps.append((done, total)),
    )
    quantize(model, kind)
    save_quantized(model, tmp_path / "saved")
    file = checkpoint.WEIGHTS
    assert (tmp_path / "converted" / file).read_bytes() == (tmp_path / "saved" / file).read_bytes()
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]

    loaded = checkpoint.load(tmp_path / "converted")
    assert loaded.config == replace(model.config, notes=())
    assert scheme_of(loaded) == scheme_of(model) == read_scheme(tmp_path / "converted")
    assert torch.equal(loaded(TOKENS), model(TOKENS))
    assert sorted(p.name for p in (tmp_path / "converted").iterdir()) == [
        "config.json",
        "generation_config.json",
        file,
    ]


def test_loaded_weights_are_the_files_pages(tmp_path: Path, network: Factory) -> None:
    save_quantized(quantize(network(LARGE), "int4"), tmp_path)
    model = checkpoint.load(tmp_path)
    maps = [
        tuple(int(x, 16) for x in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(tmp_path / checkpoint.WEIGHTS))
    ]
    addresses = [t.data_ptr() for t in model.state_dict().values()]
    assert all(any(start <= a < end for start, end in maps) for a in addresses)
    with safe_open(tmp_path / checkpoint.WEIGHTS, "pt"):
        header = int.from_bytes((tmp_path / checkpoint.WEIGHTS).read_bytes()[:8], "little")
    assert (8 + header) % 64 == 0
    assert all(t.data_ptr() % 64 == 0 for t in model.state_dict().values())


@torch.no_grad()
def test_a_dtype_dequantises(tmp_path: Path, network: Factory) -> None:
    for config in (MINI, LARGE):
        model = quantize(network(config), "int8")
        save_quantized(model, tmp_path)
        plain = checkpoint.load(tmp_path, dtype=torch.float32)
        assert scheme_of(plain) is None
        assert torch.equal(plain.layers[1].mlp.down_proj.weight, dequantize(model.layers[1].mlp.down_proj.packed))
        assert kl(plain(TOKENS), model(TOKENS)) < 0.1
        source = QuantizedFolder(tmp_path)
        name = "model.layers.0.self_attn.qkv_proj.weight"
        assert torch.equal(source.read(name, slice(5, 40)), source.read(name)[5:40])


def test_an_interrupted_conversion_leaves_no_checkpoint(tmp_path: Path, network: Factory) -> None:
    checkpoint.save(network(LARGE), tmp_path / "source")
    source = SafetensorsFolder(tmp_path / "source")

    def interrupt(_what: str, done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_quantized(LARGE, source, tmp_path / "out", "int8", progress=interrupt)
    assert list((tmp_path / "out").iterdir()) == []


def test_damaged_and_foreign_folders_say_so(tmp_path: Path, network: Factory) -> None:
    save_quantized(quantize(network(LARGE), "int8"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())

    def write(**changes: object) -> None:
        fields = config | {"quantization_config": config["quantization_config"] | changes}
        (tmp_path / "config.json").write_text(json.dumps(fields))

    write(version=2)
    with pytest.raises(CheckpointError, match="version 2 of the format"):
        checkpoint.load(tmp_path)
    write(kind="int9")
    with pytest.raises(CheckpointError, match="int9"):
        checkpoint.load(tmp_path)
    write(kind="int4", group=32)
    with pytest.raises(CheckpointError, match=r"'model\.layers\.0\.self_attn\.qkv_proj\.weight' is torch\.int8"):
        checkpoint.load(tmp_path)
    write(quant_method="awq")
    with pytest.raises(ValueError, match="'awq' are not supported"):
        checkpoint.load(tmp_path)
    write()
    weights = tmp_path / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        checkpoint.load(tmp_path)
    with pytest.raises(ValueError, match="not quantised"):
        save_quantized(network(LARGE), tmp_path / "other")


# --- live weights -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [MINI, LARGE], ids=["tied", "untied"])
@pytest.mark.parametrize("kind", [None, "int8", "int4", "bf16"])
@torch.no_grad()
def test_an_update_equals_a_fresh_network(tmp_path: Path, network: Factory, config: ModelConfig, kind: str) -> None:
    model, other = network(config), network(config, seed=1)
    weights = dict(other.named_parameters())
    if kind is not None:
        save_quantized(quantize(model, kind), tmp_path)
        model = checkpoint.load(tmp_path)
        file = (tmp_path / checkpoint.WEIGHTS).read_bytes()
        weights = {name: weight.clone() for name, weight in weights.items()}
        quantize(other, kind)
    assert not torch.equal(model(TOKENS), other(TOKENS))
    update(model, weights)
    assert torch.equal(model(TOKENS), other(TOKENS))
    if kind is not None:
        assert (tmp_path / checkpoint.WEIGHTS).read_bytes() == file


@torch.no_grad()
def test_an_update_that_does_not_fit_changes_nothing(network: Factory) -> None:
    model = quantize(network(MINI), "int8")
    before = model(TOKENS)
    norm = torch.zeros(MINI.d_model)
    good = {"norm.weight": norm}
    for bad, message in [
        ({"layers.9.mlp.down_proj.weight": norm}, r"no parameter 'layers\.9"),
        ({"layers.0.mlp.down_proj.scales": norm}, "no parameter"),
        ({"layers.0.mlp.down_proj.weight": norm}, r"has shape \(192, 384\), and the update \(192,\)"),
        ({"layers.0.mlp.down_proj.weight": torch.full((192, 384), torch.nan)}, "not finite"),
        ({"lm_head.weight": torch.zeros(MINI.vocab_size, MINI.d_model)}, "tied"),
    ]:
        with pytest.raises(ValueError, match=message):
            update(model, good | bad)
    assert torch.equal(model(TOKENS), before)
    update(model, good)
    assert model(TOKENS).abs().max() == 0


def test_moving_a_network_keeps_its_bits(network: Factory) -> None:
    model = quantize(network(MINI), "int4").to(torch.float64)
    assert model.layers[0].mlp.down_proj.scales.dtype == torch.float16
    assert model.embed_tokens.scales.dtype == torch.float32
    assert quantized_files.scheme_of(model) is not None
