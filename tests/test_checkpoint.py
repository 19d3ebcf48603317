"""Checkpoints against transformers, in and out; what is wrong with one is named; memory stays at the weights' size."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from phiforge.model.checkpoint import INDEX, WEIGHTS, CheckpointError, load, published_tensors, save
from phiforge.model.config import PRESETS, Rope, config_to_hf, read_config, shrink
from phiforge.model.phi3 import Phi3

MINI, PHI4 = shrink(PRESETS["phi-4-mini-instruct"]), shrink(PRESETS["phi-4"])
LLAMA = replace(PHI4, architecture="llama", norm_eps=1e-6, rope=Rope(theta=10_000.0))
CONFIGS = {
    "phi-4": PHI4,
    "phi-4-mini": MINI,
    "llama": LLAMA,
    "llama, tied": replace(LLAMA, tied_embeddings=True),
    "llama 3": replace(
        LLAMA,
        rope=Rope(theta=10_000.0, scaling="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0),
        original_context=64,
        context=512,
    ),
    "llama, linear": replace(LLAMA, rope=Rope(theta=10_000.0, scaling="linear", factor=4.0)),
}
every_config = pytest.mark.parametrize("name", CONFIGS)
IDS = torch.randint(3, 512, (2, 70), generator=torch.Generator().manual_seed(0))  # 70: above MINI's crossing
SHARD = 300_000  # bytes: several shards for networks of this size
Factory = Callable[..., Any]


def logits(model: Any) -> Tensor:
    with torch.inference_mode():
        out = model(IDS)
    return out if isinstance(out, Tensor) else out.logits


def assert_equal_networks(ours: Phi3, theirs: Any) -> None:
    torch.testing.assert_close(logits(ours), logits(theirs), atol=1e-4, rtol=0)


# --- out: transformers loads ours ---------------------------------------------------------------------------------


@every_config
@pytest.mark.parametrize("shard_bytes", [SHARD, 10**9], ids=["sharded", "single"])
def test_transformers_loads_what_we_save(name: str, shard_bytes: int, tmp_path: Path, network: Factory) -> None:
    ours = network(CONFIGS[name])
    save(ours, tmp_path, shard_bytes=shard_bytes)
    assert (tmp_path / INDEX).exists() == (shard_bytes == SHARD)
    theirs, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    assert type(theirs).__name__ == ("LlamaForCausalLM" if "llama" in name else "Phi3ForCausalLM")
    assert theirs.dtype == torch.float32
    assert_equal_networks(ours, theirs.eval())


@every_config
def test_our_own_round_trip_changes_nothing(name: str, tmp_path: Path, network: Factory) -> None:
    ours = network(CONFIGS[name])
    save(ours, tmp_path, shard_bytes=SHARD)
    back = load(tmp_path)
    assert back.config == replace(ours.config, notes=())
    assert not back.training
    assert torch.equal(logits(back), logits(ours))
    save(back, tmp_path)  # over the files that its own weights are mapped from, and single where shards were
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "generation_config.json", WEIGHTS]
    assert torch.equal(logits(load(tmp_path)), logits(ours))


def test_the_published_layout(tmp_path: Path, network: Factory) -> None:
    save(network(MINI), tmp_path / "phi3", shard_bytes=SHARD)
    index = json.loads((tmp_path / "phi3" / INDEX).read_text())
    files = sorted(set(index["weight_map"].values()))
    assert files == [f"model-{i:05}-of-{len(files):05}.safetensors" for i in range(1, len(files) + 1)]
    sizes = [sum(t.nbytes for t in load_file(tmp_path / "phi3" / file).values()) for file in files]
    assert index["metadata"]["total_size"] == sum(sizes) == 4 * MINI.parameter_count
    largest = 4 * 2 * MINI.d_ff * MINI.d_model
    assert all(size <= max(SHARD, largest) for size in sizes), sizes
    assert "lm_head.weight" not in index["weight_map"]
    assert "model.layers.1.self_attn.qkv_proj.weight" in index["weight_map"]
    tokens = json.loads((tmp_path / "phi3" / "generation_config.json").read_text())
    assert tokens == {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}

    save(network(LLAMA), tmp_path / "llama")
    names = load_file(tmp_path / "llama" / WEIGHTS).keys()
    assert {n.removeprefix("model.layers.0.").removesuffix(".weight") for n in names if ".0." in n} == {
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
        "mlp.down_proj", "input_layernorm", "post_attention_layernorm",
    }  # fmt: skip


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_saved_files_honour_the_umask(umask: int, tmp_path: Path, network: Factory) -> None:
    model = network(MINI)
    before = os.umask(umask)
    try:
        save(model, tmp_path, shard_bytes=SHARD)
    finally:
        os.umask(before)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    assert set(modes.values()) == {oct(0o666 & ~umask)}, modes


def test_a_kill_between_files_leaves_no_loadable_half(
    tmp_path: Path, network: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Die before each rename in turn, saving new weights over an old checkpoint: what is left never loads."""
    old, new = network(MINI, seed=1), network(MINI, seed=2)
    rename = Path.replace
    for survived in range(100):
        save(old, tmp_path, shard_bytes=SHARD)
        done = iter(range(survived))

        def dying(self: Path, target: Path, done: Any = done) -> Path:
            if next(done, None) is None:
                raise KeyboardInterrupt
            return rename(self, target)

        monkeypatch.setattr(Path, "replace", dying)
        try:
            save(new, tmp_path, shard_bytes=SHARD)
            break
        except KeyboardInterrupt:
            with pytest.raises(FileNotFoundError, match=r"config\.json: not found"):
                load(tmp_path)
        finally:
            monkeypatch.setattr(Path, "replace", rename)
    assert survived > 4  # some shards, the index, generation_config.json, config.json
    assert torch.equal(logits(load(tmp_path)), logits(new))


# --- in: we load what transformers saves --------------------------------------------------------------------------


@pytest.fixture(scope="module", params=CONFIGS)
def theirs(request: pytest.FixtureRequest, network: Factory, oracle: Factory) -> Any:
    return oracle(network(CONFIGS[request.param], seed=3))


def old_spelling(file: Path) -> None:
    """Rewrite a transformers 5 config.json as transformers 4 wrote it: rope fields at the top, `torch_dtype`, `type`."""
    raw = json.loads(file.read_text())
    rope = raw.pop("rope_parameters")
    raw["torch_dtype"] = raw.pop("dtype")
    raw["rope_theta"] = rope.pop("rope_theta")
    partial = rope.pop("partial_rotary_factor", 1.0)
    if partial != 1.0:
        raw["partial_rotary_factor"] = partial
    kind = rope.pop("rope_type")
    if kind == "longrope":
        raw["original_max_position_embeddings"] = rope.pop("original_max_position_embeddings")
        rope = {"type": kind, "short_factor": rope["short_factor"], "long_factor": rope["long_factor"]}
    elif kind == "linear":
        rope |= {"type": kind}
    elif kind == "llama3":
        rope |= {"rope_type": kind}
    raw["rope_scaling"] = rope if kind != "default" else None
    file.write_text(json.dumps(raw))


@pytest.mark.parametrize("spelling", [5, 4])
@pytest.mark.parametrize("shard", ["300KB", "1GB"])
def test_we_load_what_transformers_saves(theirs: Any, spelling: int, shard: str, tmp_path: Path) -> None:
    theirs.save_pretrained(tmp_path, max_shard_size=shard)
    assert (tmp_path / INDEX).exists() == (shard == "300KB")
    assert "rope_parameters" in json.loads((tmp_path / "config.json").read_text())
    if spelling == 4:
        old_spelling(tmp_path / "config.json")
    ours = load(tmp_path)
    assert_equal_networks(ours, theirs)
    if ours.config.tied_embeddings:
        assert ours.lm_head.weight is ours.embed_tokens.weight


def test_stop_tokens_come_from_generation_config(tmp_path: Path, network: Factory) -> None:
    save(network(MINI), tmp_path)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [7, 2]}')
    assert read_config(tmp_path).eos_ids == (7, 2)
    (tmp_path / "generation_config.json").unlink()
    assert read_config(tmp_path).eos_ids == (2,)


# --- dtypes -------------------------------------------------------------------------------------------------------

DTYPES = [torch.bfloat16, torch.float16, torch.float32]


@pytest.mark.parametrize("stored", DTYPES)
@pytest.mark.parametrize("wanted", [*DTYPES, None])
@pytest.mark.parametrize("config", [MINI, LLAMA], ids=["phi3", "llama"])
def test_dtype_is_chosen_at_load(config: Any, stored: Any, wanted: Any, tmp_path: Path, network: Factory) -> None:
    ours = network(config).to(stored)
    save(ours, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == str(stored).removeprefix("torch.")
    back = load(tmp_path, dtype=wanted)
    expected = ours.to(wanted or stored)
    assert {p.dtype for p in back.parameters()} == {wanted or stored}
    assert not any(p.requires_grad for p in back.parameters())
    for (name, found), wants in zip(back.named_parameters(), expected.parameters(), strict=True):
        assert torch.equal(found, wants), name
    assert back.rotary.long.dtype == torch.float32  # angles of 100,000 positions need it, whatever the weights are
    assert torch.isfinite(logits(back)).all()


def test_a_checkpoint_of_mixed_dtypes_comes_to_the_configs_own(tmp_path: Path, network: Factory) -> None:
    save(network(MINI).bfloat16(), tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    save_file({n: t.float() if "norm" in n else t for n, t in tensors.items()}, tmp_path / WEIGHTS)
    assert {p.dtype for p in load(tmp_path).parameters()} == {torch.bfloat16}
    assert logits(load(tmp_path)).dtype == torch.bfloat16


def test_training_mapped_weights_does_not_write_into_the_checkpoint(tmp_path: Path, network: Factory) -> None:
    save(network(MINI), tmp_path)
    before = (tmp_path / WEIGHTS).read_bytes()
    model = load(tmp_path)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert (tmp_path / WEIGHTS).read_bytes() == before


# --- what is wrong is named ---------------------------------------------------------------------------------------

GATE_UP, QKV = "model.layers.1.mlp.gate_up_proj.weight", "model.layers.0.self_attn.qkv_proj.weight"


@pytest.fixture
def broken(tmp_path: Path, network: Factory) -> Callable[..., Path]:
    """broken(config, tensors=change, fields=change): a saved checkpoint with its tensors or config fields changed."""

    def make(config: Any = MINI, tensors: Callable[[dict[str, Tensor]], Any] | None = None, **fields: Any) -> Path:
        save(network(config), tmp_path)
        if tensors:
            held = {name: tensor.clone() for name, tensor in load_file(tmp_path / WEIGHTS).items()}
            tensors(held)
            save_file(held, tmp_path / WEIGHTS)
        file = tmp_path / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))
        return tmp_path

    return make


def refuses(folder: Path, *said: str) -> None:
    """Loading raises one sentence that says all of `said`."""
    with pytest.raises(ValueError) as caught:
        load(folder)
    for part in said:
        assert part in str(caught.value), f"{part!r} is not in: {caught.value}"


def test_missing_tensor(broken: Factory) -> None:
    folder = broken(tensors=lambda t: t.pop(GATE_UP))
    refuses(folder, str(folder), f"tensor '{GATE_UP}' is missing", "expected shape (768, 192)")


def test_missing_part_of_a_fused_tensor(broken: Factory) -> None:
    folder = broken(LLAMA, tensors=lambda t: t.pop("model.layers.1.self_attn.k_proj.weight"))
    refuses(folder, str(folder), "'model.layers.1.self_attn.k_proj.weight' is missing", "expected shape (64, 256)")


def test_missing_lm_head_where_embeddings_are_not_tied(broken: Factory) -> None:
    refuses(broken(PHI4, tensors=lambda t: t.pop("lm_head.weight")), "'lm_head.weight' is missing", "(512, 256)")


def test_wrong_shape(broken: Factory) -> None:
    folder = broken(tensors=lambda t: t.update({QKV: torch.zeros(320, 100)}))
    refuses(folder, WEIGHTS, f"tensor '{QKV}' has shape (320, 100), but the config needs (320, 192)")


def test_extra_tensors(broken: Factory) -> None:
    folder = broken(tensors=lambda t: t.update({"model.layers.9.surprise": torch.zeros(3), "z": torch.zeros(1)}))
    refuses(folder, WEIGHTS, "2 tensors have no place", "'model.layers.9.surprise' with shape (3,)")


def test_bias_tensors(broken: Factory) -> None:
    bias = QKV.replace("weight", "bias")
    folder = broken(tensors=lambda t: t.update({bias: torch.zeros(320)}))
    refuses(folder, WEIGHTS, f"'{bias}' with shape (320,)")


def test_the_old_inverse_frequency_buffer_is_no_surprise(broken: Factory) -> None:
    load(broken(tensors=lambda t: t.update({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(12)})))


def test_integer_weights(broken: Factory) -> None:
    folder = broken(tensors=lambda t: t.update({QKV: torch.zeros(320, 192, dtype=torch.int8)}))
    refuses(folder, WEIGHTS, QKV, "stored as I8; supported are F64, F32, F16, BF16")


def test_tied_flag_with_an_lm_head_of_its_own(broken: Factory) -> None:
    folder = broken(tensors=lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"] + 1}))
    refuses(folder, WEIGHTS, "'lm_head.weight' differs from 'model.embed_tokens.weight'", "tied")


def test_tied_flag_with_the_same_lm_head_again(broken: Factory) -> None:
    load(broken(tensors=lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].clone()})))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_key_value_heads": 3}, [QKV, "has shape (320, 192), but the config needs (384, 192)"]),
        ({"intermediate_size": 400}, ["layers.0.mlp.gate_up_proj", "(768, 192)", "(800, 192)"]),
        ({"vocab_size": 513}, ["'model.embed_tokens.weight' has shape (512, 192)", "(513, 192)"]),
        ({"num_hidden_layers": 1}, ["no place in this network", "'model.layers.1."]),
        ({"num_hidden_layers": 3}, ["'model.layers.2.", "is missing"]),
        ({"tie_word_embeddings": False}, ["'lm_head.weight' is missing", "(512, 192)"]),
        ({"num_key_value_heads": 4}, ["config.json", "6 query heads cannot share 4 key/value heads"]),
        ({"head_dim": 64}, ["config.json", "12 entries, 48 rotated dims need 24"]),
        ({"sliding_window": 100}, ["config.json", "sliding_window 100 is shorter than the context 2048"]),
        ({"model_type": "gemma2"}, ["config.json", "model_type 'gemma2' is not supported", "'phi3' and 'llama'"]),
        ({"model_type": None}, ["config.json", "model_type None is not supported"]),
        ({"hidden_act": "gelu"}, ["config.json", "hidden_act 'gelu'", "'silu'"]),
        ({"attention_bias": True}, ["config.json", "attention_bias"]),
        ({"quantization_config": {"quant_method": "awq"}}, ["config.json", "quantised by 'awq'"]),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, ["config.json", "'yarn' is not supported"]),
        (
            {"rope_scaling": {"rope_type": "longrope", "long_factor": [1.0]}},
            ["config.json", "'short_factor' is missing"],
        ),
        ({"hidden_size": "192"}, ["config.json", "hidden_size", "'192'"]),
        ({"num_attention_heads": 0}, ["config.json", "num_attention_heads"]),
    ],
    ids=lambda value: next(iter(value.items()))[0] if isinstance(value, dict) else "",
)
def test_config_that_contradicts_the_tensors_or_asks_for_more(
    fields: dict[str, Any], said: list[str], broken: Factory
) -> None:
    refuses(broken(**fields), *said)


@pytest.mark.parametrize("field", ["vocab_size", "hidden_size", "max_position_embeddings", "num_hidden_layers"])
def test_config_without_a_field(field: str, broken: Factory) -> None:
    folder = broken()
    file = folder / "config.json"
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != field}))
    refuses(folder, str(file), f"the field '{field}' is missing")


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
@pytest.mark.parametrize("content", [b"{", b"[1, 2]", b"", b"\xff"])
def test_config_that_is_no_object(file: str, content: bytes, broken: Factory) -> None:
    folder = broken()
    (folder / file).write_bytes(content)
    refuses(folder, f"{folder / file}: not ")


# Every size at which a copy may have stopped: nothing, inside the header's length, the header, the last tensor.
@pytest.mark.parametrize("kept", [0, 5, 300, -1, -100_000])
def test_truncated_file(kept: int, broken: Factory) -> None:
    file = broken() / WEIGHTS
    whole = file.read_bytes()
    file.write_bytes(whole[:kept])
    refuses(file.parent, str(file), "truncated or damaged", f"{len(whole[:kept]):,} bytes")


def test_a_file_that_is_no_safetensors(broken: Factory) -> None:
    file = broken() / WEIGHTS
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5000000000\n")
    refuses(file.parent, str(file), "truncated or damaged")


@pytest.fixture
def sharded(tmp_path: Path, network: Factory) -> tuple[Path, list[Path]]:
    save(network(PHI4), tmp_path, shard_bytes=SHARD)
    return tmp_path, sorted(tmp_path.glob("model-*.safetensors"))


def test_truncated_shard(sharded: tuple[Path, list[Path]]) -> None:
    folder, shards = sharded
    with shards[2].open("r+b") as f:
        f.truncate(shards[2].stat().st_size - 1)
    refuses(folder, str(shards[2]), "truncated or damaged")


def test_missing_shard(sharded: tuple[Path, list[Path]]) -> None:
    folder, shards = sharded
    shards[1].unlink()
    refuses(folder, str(shards[1]), "not found", "incomplete")


def test_missing_weights(sharded: tuple[Path, list[Path]]) -> None:
    folder, _ = sharded
    (folder / INDEX).unlink()
    refuses(folder, str(folder / WEIGHTS), "not found")


def test_index_that_names_a_tensor_its_file_lacks(sharded: tuple[Path, list[Path]]) -> None:
    folder, shards = sharded
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"][QKV] = shards[-1].name
    (folder / INDEX).write_text(json.dumps(index))
    refuses(folder, str(folder / INDEX), shards[-1].name, QKV)


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"weight_map": [1]}', '{"weight_map": {"a": 1}}'])
def test_damaged_index(content: str, sharded: tuple[Path, list[Path]]) -> None:
    folder, _ = sharded
    (folder / INDEX).write_text(content)
    refuses(folder, str(folder / INDEX), "damaged, or no index of weights")


def test_checkpoint_errors_are_of_one_type(broken: Factory) -> None:
    with pytest.raises(CheckpointError):
        load(broken(tensors=lambda t: t.pop(QKV)))


# --- memory -------------------------------------------------------------------------------------------------------


def write_random_checkpoint(folder: Path, config: Any, kind: str) -> None:
    """A checkpoint file of random bytes, written straight to disk; `kind` is F32 or BF16."""
    with torch.device("meta"):
        model = Phi3(replace(config, dtype={"F32": "float32", "BF16": "bfloat16"}[kind]))
    width, header, end = {"F32": 4, "BF16": 2}[kind], {}, 0
    for name, tensor in published_tensors(model):
        start, end = end, end + tensor.numel() * width
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config_to_hf(model.config)))
    encoded = json.dumps(header).encode()
    noise = os.urandom(1 << 20)
    with (folder / WEIGHTS).open("wb") as f:
        f.write(struct.pack("<Q", len(encoded)) + encoded)
        for at in range(0, end, len(noise)):
            f.write(noise[: end - at])


LOAD_AND_MEASURE = """if True:
    import sys
    import torch
    from phiforge.model.checkpoint import load

    torch.set_num_threads(1)

    def memory(field):
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(field))

    torch.ones(64, 64).to(torch.bfloat16) @ torch.ones(64, 64, dtype=torch.bfloat16)  # torch's own first-use memory
    before = memory("VmRSS")
    model = load(sys.argv[1], dtype=getattr(torch, sys.argv[2]) if sys.argv[2] else None)
    print(memory("VmHWM") - before, sum(p.nbytes for p in model.parameters()))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("architecture", "stored", "wanted", "bound"),
    [
        ("llama", "F32", "bfloat16", 1.15),  # every tensor converted, most of them fused as well
        ("phi3", "BF16", "", 0.15),  # mapped: no page is touched before it is used
    ],
)
def test_peak_memory(architecture: str, stored: str, wanted: str, bound: float, tmp_path: Path) -> None:
    """Loading takes at most 1.15 times the loaded weights, whatever conversion it takes: 300 MB file, fresh process."""
    config = replace(
        LLAMA, architecture=architecture, vocab_size=8192, d_model=768, d_ff=2048, n_layers=9, n_heads=12, n_kv_heads=4,
        head_dim=64,
    )  # fmt: skip
    write_random_checkpoint(tmp_path / "big", config, stored)
    run = [sys.executable, "-c", LOAD_AND_MEASURE, str(tmp_path / "big"), wanted]
    out = subprocess.run(run, capture_output=True, text=True, check=True)
    grown, weights = map(int, out.stdout.split())
    assert weights == 2 * config.parameter_count
    assert grown < bound * weights, f"{grown / weights:.2f} times the {weights:,} bytes loaded"
