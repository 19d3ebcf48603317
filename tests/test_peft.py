"""Adapters on disk, in and out, against the `peft` library; and adapters that are models."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_cases import (
    CONFIGS,
    FUSED_NAMES,
    IDS,
    LLAMA,
    PHI3,
    SPLIT_NAMES,
    Factory,
    adapter,
    assert_close,
    assert_same,
    dense,
    every_config,
    logits,
    loss_of,
    merged,
)
from msgspec.structs import replace
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from phiforge.lm.sources import open_source
from phiforge.model import checkpoint
from phiforge.model.adapters import Adapters
from phiforge.model.checkpoint import CheckpointError
from phiforge.model.config import ModelConfig
from phiforge.model.lora import Block, LowRank, Part, difference, join, merge, spread, targets
from phiforge.model.peft import SETTINGS, WEIGHTS, load_adapter, save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.store.home import StoreError
from phiforge.store.models import from_path

# --- files --------------------------------------------------------------------------------------------------------


@every_config
@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("modules", [FUSED_NAMES, SPLIT_NAMES, ("k_proj", "up_proj"), ("qkv_proj",)])
def test_our_own_round_trip(config: ModelConfig, modules: tuple[str, ...], rslora: bool, tmp_path: Path) -> None:
    one = adapter(config, modules=modules, rank=3, alpha=16, rslora=rslora)
    save_adapter(one, tmp_path, config)
    save_adapter(one, tmp_path, config)  # over itself
    assert sorted(file.name for file in tmp_path.iterdir()) == [SETTINGS, WEIGHTS]
    back = load_adapter(tmp_path, config)
    assert (back.rank, back.alpha, back.rslora) == (3, 16, rslora)
    assert_same(back, one)
    if modules is FUSED_NAMES or config.architecture == "llama":  # split parts of a phi3 network become one
        assert {n: u.blocks for n, u in back.updates.items()} == {n: u.blocks for n, u in one.updates.items()}


def test_the_published_layout(tmp_path: Path) -> None:
    save_adapter(adapter(LLAMA, modules=FUSED_NAMES), tmp_path / "llama", LLAMA)
    tensors = load_file(tmp_path / "llama" / WEIGHTS)
    settings = json.loads((tmp_path / "llama" / SETTINGS).read_text())
    assert settings["target_modules"] == sorted(SPLIT_NAMES)
    assert (settings["r"], settings["lora_alpha"], settings["rank_pattern"], settings["alpha_pattern"]) == (
        4,
        6,
        {},
        {},
    )
    start = "base_model.model.model.layers.1.self_attn"
    assert tensors[f"{start}.k_proj.lora_B.weight"].shape == (LLAMA.n_kv_heads * LLAMA.head_dim, 4)
    assert torch.equal(tensors[f"{start}.k_proj.lora_A.weight"], tensors[f"{start}.q_proj.lora_A.weight"])
    assert len(tensors) == 2 * 7 * LLAMA.n_layers

    uneven = adapter(PHI3, modules=("q_proj", "v_proj", "o_proj"))
    del uneven.updates["layers.0.self_attn.o_proj"]
    save_adapter(uneven, tmp_path / "phi3", PHI3)
    settings = json.loads((tmp_path / "phi3" / SETTINGS).read_text())
    qkv = [f"model.layers.{i}.self_attn.qkv_proj" for i in range(2)]
    assert settings["target_modules"] == [
        "model.layers.0.self_attn.qkv_proj",
        "model.layers.1.self_attn.o_proj",
        qkv[1],
    ]
    assert settings["rank_pattern"] == dict.fromkeys(qkv, 8)
    assert settings["alpha_pattern"] == dict.fromkeys(qkv, 12)
    assert_same(load_adapter(tmp_path / "phi3", PHI3), uneven)


def test_blocks_of_different_scales_survive(tmp_path: Path) -> None:
    """One published target made of two blocks: their scales differ, so they go into B."""
    one = adapter(PHI3, modules=("gate_up_proj",))
    for name, update in one.updates.items():
        halves = (Block(0, PHI3.d_ff, 1, 0.5), Block(PHI3.d_ff - 3, 2 * PHI3.d_ff, 3, 3.0))
        one.updates[name] = LowRank(update.a, update.b, halves)
    for config in (PHI3, replace(PHI3, architecture="llama")):
        save_adapter(one, tmp_path, config)
        assert_same(load_adapter(tmp_path, config), one)


def test_a_kill_between_files_leaves_no_loadable_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = adapter(PHI3, 1), adapter(PHI3, 2)
    rename = Path.replace
    for survived in range(3):
        save_adapter(old, tmp_path, PHI3)
        done = iter(range(survived))

        def dying(self: Path, target: Path, done: Any = done) -> Path:
            if next(done, None) is None:
                raise KeyboardInterrupt
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying)
            try:
                save_adapter(new, tmp_path, PHI3)
                break
            except KeyboardInterrupt:
                pass
        with pytest.raises(CheckpointError, match=r"adapter_config\.json: not found"):
            load_adapter(tmp_path, PHI3)
    assert survived == 2  # the weights and the settings
    assert_same(load_adapter(tmp_path, PHI3), new)


def edited(folder: Path, config: ModelConfig, **settings: Any) -> Path:
    save_adapter(adapter(config), folder, config)
    raw = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps(raw | settings))
    return folder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use_dora": True}, r"layers\.0\.self_attn\.qkv_proj\.lora_magnitude_vector' is missing"),
        ({"modules_to_save": ["lm_head"]}, r"modules_to_save is \['lm_head'\]"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"lora_bias": True}, "lora_bias is True"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out is True"),
        ({"trainable_token_indices": [3]}, r"trainable_token_indices is \[3\]"),
        ({"layer_replication": [[0, 2]]}, "layer_replication is"),
        ({"invented_next_year": {"x": 1}}, "invented_next_year is {'x': 1}"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa', which needs changed base weights"),
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA'"),
        ({"target_modules": ["qkv_proj", "lm_head"]}, "target_modules has 'lm_head'"),
        ({"target_modules": ["qkv_proj", "model.embed_tokens"]}, "target_modules has 'model.embed_tokens'"),
        ({"target_modules": ["qkv_proj"]}, r"holds 'mlp\.down_proj' of layer 0, which adapter_config\.json does not"),
        ({"layers_to_transform": 1}, r"holds 'mlp\.down_proj' of layer 0"),
        ({"layers_to_transform": [0, 1, 2]}, r"layers\.2\.self_attn\.qkv_proj\.lora_A\.weight' is missing"),
        ({"r": 0}, r"not the settings of a LoRA adapter .*\$\.r"),
        ({"r": "4"}, r"\$\.r"),
        ({"lora_alpha": None}, r"\$\.lora_alpha"),
        ({"r": 5}, r"qkv_proj\.lora_A\.weight' has shape \(4, 96\) .* need numbers of shape \(5, 96\)"),
        ({"rank_pattern": {"o_proj": 2}}, r"layers\.0\.self_attn\.o_proj\.lora_A\.weight' has shape \(4, 96\) .*\(2, 96\)"),
        ({"alpha_pattern": {"(": 2}}, r"'\(' is no pattern of names"),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_honoured_is_refused(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load_adapter(edited(tmp_path, PHI3, **settings), PHI3)
    assert str(caught.value).startswith(str(tmp_path / "adapter_"))


def test_harmless_settings_are_let_through(tmp_path: Path) -> None:
    edited(tmp_path, PHI3, lora_dropout=0.1, base_model_name_or_path="x/y", modules_to_save=[], use_dora=False,
           loftq_config={}, target_modules=[*FUSED_NAMES, *SPLIT_NAMES, "query"], layers_pattern="layers",
           layers_to_transform=[0, 1])  # fmt: skip
    assert_same(load_adapter(tmp_path, PHI3), adapter(PHI3))
    edited(tmp_path, PHI3, target_modules=".*(proj)")  # a pattern: the tensors decide
    assert_same(load_adapter(tmp_path, PHI3), adapter(PHI3))


def test_a_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    start = "base_model.model.model.layers"
    good = load_file(edited(tmp_path, PHI3) / WEIGHTS)
    narrow = good | {f"{start}.1.mlp.down_proj.lora_B.weight": torch.zeros(95, 4)}
    integer = good | {f"{start}.0.mlp.down_proj.lora_A.weight": torch.zeros(4, PHI3.d_ff, dtype=torch.int32)}
    lost = {name: tensor for name, tensor in good.items() if name != f"{start}.1.self_attn.o_proj.lora_B.weight"}
    no_layer = {name: tensor for name, tensor in good.items() if ".1.self_attn.o_proj." not in name}
    extras = {
        "base_model.model.lm_head.lora_A.weight": r"tensor 'base_model\.model\.lm_head\.lora_A\.weight' .*no place",
        f"{start}.0.mlp.down_proj.lora_magnitude_vector": "lora_magnitude_vector' .*no place",
        f"{start}.0.mlp.router.lora_A.weight": "router.* no place",
        f"{start}.2.mlp.down_proj.lora_A.weight": "is for a network of more than 2 layers",
        "base_model.model.model.embed_tokens.lora_embedding_A": "embed_tokens.* no place",
    }
    cases: list[tuple[dict[str, Tensor], str]] = [
        (narrow, r"layers\.1\.mlp\.down_proj\.lora_B\.weight' has shape \(95, 4\) .* shape \(96, 4\)"),
        (integer, r"layers\.0\.mlp\.down_proj\.lora_A\.weight' .*torch\.int32"),
        (lost, r"layers\.1\.self_attn\.o_proj\.lora_B\.weight' is missing; expected shape \(96, 4\)"),
        (no_layer, r"layers\.1\.self_attn\.o_proj\.lora_A\.weight' is missing; expected shape \(4, 96\)"),
        *((good | {name: torch.zeros(1)}, message) for name, message in extras.items()),
    ]
    for tensors, message in cases:
        save_file(tensors, tmp_path / WEIGHTS)
        with pytest.raises(CheckpointError, match=message) as caught:
            load_adapter(tmp_path, PHI3)
        assert str(caught.value).startswith(str(tmp_path / WEIGHTS))
    save_file(good, tmp_path / WEIGHTS)
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors: truncated or damaged"):
        load_adapter(tmp_path, PHI3)
    (tmp_path / WEIGHTS).rename(tmp_path / "adapter_model.bin")
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors: not found .*is a pickle"):
        load_adapter(tmp_path, PHI3)
    (tmp_path / SETTINGS).write_text("{")
    with pytest.raises(CheckpointError, match=r"adapter_config\.json: not the settings"):
        load_adapter(tmp_path, PHI3)


def test_unequal_parts_are_joined_in_their_rows(tmp_path: Path) -> None:
    """Written by hand, not by `save_adapter`: rank and alpha per part, by name and by pattern, and one part missing."""
    q, kv = LLAMA.n_heads * LLAMA.head_dim, LLAMA.n_kv_heads * LLAMA.head_dim
    parts = {"q_proj": (q, 4, 8), "v_proj": (kv, 2, 8)}  # rows, rank, alpha
    tensors, deltas = {}, {}
    for layer in range(LLAMA.n_layers):
        for name, (rows, rank, alpha) in parts.items():
            if (layer, name) == (1, "q_proj"):
                alpha = 3
            a, b = torch.randn(rank, LLAMA.d_model), torch.randn(rows, rank)
            tensors[f"base_model.model.model.layers.{layer}.self_attn.{name}.lora_A.weight"] = a.half()
            tensors[f"base_model.model.model.layers.{layer}.self_attn.{name}.lora_B.weight"] = b.half()
            deltas[layer, name] = alpha / math.sqrt(rank) * b.half().float() @ a.half().float()
    save_file(tensors, tmp_path / WEIGHTS)
    settings = {
        "peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": True, "target_modules": ["q_proj", "v_proj"],
        "rank_pattern": {"v_proj": 2}, "alpha_pattern": {"proj": 77, "q": 77, r"layers\.1\.self_attn\.q_proj": 3, "q_proj": 8},
    }  # fmt: skip
    (tmp_path / SETTINGS).write_text(json.dumps(settings))
    for config in (LLAMA, replace(LLAMA, architecture="phi3")):
        found = dense(load_adapter(tmp_path, config))
        for layer in range(LLAMA.n_layers):
            delta = found[f"layers.{layer}.self_attn.qkv_proj"]
            torch.testing.assert_close(delta[:q], deltas[layer, "q_proj"], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(delta[q + kv :], deltas[layer, "v_proj"], atol=1e-5, rtol=1e-5)
            assert not delta[q : q + kv].any()


def test_parts_that_share_one_a_become_one_block_if_their_scales_agree() -> None:
    known, f = targets(LLAMA), LLAMA.d_ff
    a, gate, up = torch.randn(2, LLAMA.d_model), torch.randn(f, 2), torch.randn(f, 2)
    for scale in (1.5, 2.0):
        parts = (Part(known["mlp.up_proj"], a, up, 1.5), Part(known["mlp.gate_proj"], a.clone(), gate, scale))
        joined = join(LLAMA, parts)
        assert joined.blocks == (
            (Block(0, 2 * f, 2, 1.5),) if scale == 1.5 else (Block(f, 2 * f, 2, 1.5), Block(0, f, 2, 2.0))
        )
        expected = torch.cat([scale * gate @ a, 1.5 * up @ a])
        torch.testing.assert_close((joined.b * joined.factor()) @ joined.a, expected)


# --- against peft -------------------------------------------------------------------------------------------------

PEFT_CASES: list[tuple[str, dict[str, Any]]] = [
    ("phi3", {"target_modules": list(FUSED_NAMES)}),
    ("phi3", {"target_modules": ["o_proj", "qkv_proj"], "use_rslora": True, "layers_to_transform": [1]}),
    ("phi3", {"target_modules": r".*\.(gate_up_proj|o_proj)"}),
    ("llama", {"target_modules": list(SPLIT_NAMES)}),
    ("llama", {"target_modules": ["q_proj", "v_proj"], "use_rslora": True}),
    ("llama", {"target_modules": ["k_proj", "up_proj", "down_proj"], "exclude_modules": ["layers.0.mlp.up_proj"]}),
    (
        "llama",
        {
            "target_modules": list(SPLIT_NAMES),
            "rank_pattern": {"q_proj": 2, "layers.1.mlp.up_proj": 5, "^model.layers.0.mlp.down_proj": 1},
            "alpha_pattern": {"k_proj": 3, "layers.0.self_attn.q_proj": 1},
        },
    ),
]
EIGHT_BITS = torch.float8_e4m3fn  # up to 448


@pytest.fixture(scope="module")
def peft() -> Any:
    return pytest.importorskip("peft", reason="peft is not installed; it is an oracle, not a dependency")


@pytest.mark.parametrize(("name", "options"), PEFT_CASES)
def test_we_load_what_peft_saves(
    name: str, options: dict[str, Any], peft: Any, tmp_path: Path, network: Factory, oracle: Factory
) -> None:
    model = network(CONFIGS[name])
    torch.manual_seed(0)
    theirs = peft.get_peft_model(oracle(model), peft.LoraConfig(r=4, lora_alpha=6, task_type="CAUSAL_LM", **options))
    for parameter_name, parameter in theirs.named_parameters():
        if "lora_B" in parameter_name:
            nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(tmp_path)
    adapters = Adapters(model)
    plain = logits(model)
    adapters.add("theirs", load_adapter(tmp_path, model.config))
    adapters.select("theirs")
    assert not torch.allclose(logits(model), plain, atol=0.1)
    assert_close(logits(model), logits(theirs.eval()))


@every_config
@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("modules", [FUSED_NAMES, SPLIT_NAMES, ("q_proj", "up_proj", "o_proj")])
def test_peft_loads_what_we_save(
    config: ModelConfig,
    modules: tuple[str, ...],
    rslora: bool,
    peft: Any,
    tmp_path: Path,
    network: Factory,
    oracle: Factory,
) -> None:
    model = network(config)
    one = adapter(config, modules=modules, rslora=rslora)
    del one.updates["layers.1.self_attn.o_proj"]  # full names among target_modules
    save_adapter(one, tmp_path, config)
    theirs = oracle(model)
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path).eval()
    assert_close(logits(theirs), logits(merged(model, one)))


def test_training_takes_the_steps_that_peft_takes(
    peft: Any, network: Factory, oracle: Factory, tmp_path: Path
) -> None:
    model = network(LLAMA)
    torch.manual_seed(0)
    options = peft.LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", target_modules=list(SPLIT_NAMES))
    theirs = peft.get_peft_model(oracle(model), options).train()
    theirs.save_pretrained(tmp_path)
    adapters = Adapters(model)
    adapters.add("mine", load_adapter(tmp_path, LLAMA), trainable=True)
    adapters.select("mine")
    ours = torch.optim.AdamW(adapters.parameters(), lr=3e-3, weight_decay=0.1)
    other = torch.optim.AdamW([p for p in theirs.parameters() if p.requires_grad], lr=3e-3, weight_decay=0.1)
    for _ in range(20):
        a, b = loss_of(model), theirs(IDS, labels=IDS).loss
        assert abs(a.item() - b.item()) < 1e-4
        for loss, optimiser in ((a, ours), (b, other)):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


# --- from trained weights, and as a model --------------------------------------------------------------------------


@every_config
def test_a_difference_of_low_rank_is_found_exactly(config: ModelConfig) -> None:
    start = Phi3(config).init_weights(torch.Generator().manual_seed(0))
    made = copy.deepcopy(start)
    merge(made, adapter(config))
    found = difference(made, start, 12)  # three parts of rank 4 in a layer at most
    again = copy.deepcopy(start)
    merge(again, found)
    for ours, theirs in zip(again.parameters(), made.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    smaller = difference(made, start, 1)
    assert {block.rank for update in smaller.updates.values() for block in update.blocks} == {1}


@every_config
def test_eight_bits_a_number_hold_an_adapter(config: ModelConfig, tmp_path: Path) -> None:
    new = adapter(config)
    for update in new.updates.values():
        update.b.mul_(1e-3)  # too small for the type as it is
    torch.testing.assert_close(dense(spread(new, 448.0)), dense(new))
    save_adapter(spread(new, 448.0), tmp_path, config, dtype=EIGHT_BITS)
    assert {tensor.dtype for tensor in load_file(tmp_path / WEIGHTS).values()} == {EIGHT_BITS}
    found, wanted = dense(load_adapter(tmp_path, config)), dense(new)
    for name, update in wanted.items():
        assert (found[name] - update).norm() < 0.05 * update.norm(), name


@every_config
def test_peft_loads_eight_bits_a_number(
    config: ModelConfig, peft: Any, tmp_path: Path, network: Factory, oracle: Factory
) -> None:
    save_adapter(spread(adapter(config), 448.0), tmp_path, config, dtype=EIGHT_BITS)
    model = network(config)
    theirs = peft.PeftModel.from_pretrained(oracle(model), tmp_path).eval()
    assert_close(logits(theirs), logits(merged(model, load_adapter(tmp_path, config))))


@every_config
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_adapter_that_names_its_base_is_a_model(config: ModelConfig, dtype: torch.dtype, tmp_path: Path) -> None:
    base = Phi3(config).init_weights(torch.Generator().manual_seed(0))
    checkpoint.save(base, tmp_path / "base")
    save_adapter(adapter(config), tmp_path / "adapter", config, base=str(tmp_path / "base"), dtype=dtype)
    merge(base, load_adapter(tmp_path / "adapter", config))
    model = from_path(tmp_path / "adapter")
    assert model.format == "lora"
    source = open_source(model)
    opened = checkpoint.assemble(source.config, source.tensors)
    for ours, theirs in zip(opened.parameters(), base.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_an_adapter_without_a_base_is_none(tmp_path: Path) -> None:
    save_adapter(adapter(PHI3), tmp_path, PHI3)
    with pytest.raises(StoreError, match="base_model_name_or_path does not say which model"):
        from_path(tmp_path)
    save_adapter(adapter(PHI3), tmp_path, PHI3, base="no-such-model")
    with pytest.raises(ValueError, match="no model 'no-such-model' on this machine"):
        open_source(from_path(tmp_path))
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(StoreError, match=f"has no {WEIGHTS}"):
        from_path(tmp_path)
