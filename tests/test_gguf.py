"""GGUF files written here as llama.cpp's converter writes them, read into the network, and held against what they hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, RopeScalingType
from gguf.quants import dequantize, quantize
from msgspec.structs import replace
from torch import Tensor

from phiforge.model import checkpoint
from phiforge.model.checkpoint import CheckpointError
from phiforge.model.config import PRESETS, Rope, shrink
from phiforge.model.gguf import GGUFFile, load_gguf
from phiforge.model.phi3 import Phi3

MINI, PHI4 = (replace(shrink(PRESETS[name]), notes=()) for name in ("phi-4-mini-instruct", "phi-4"))
LLAMA = replace(PHI4, architecture="llama", rope=Rope(theta=10_000.0))
LLAMA3 = Rope(theta=10_000.0, scaling="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
IDS = torch.randint(3, 512, (2, 70), generator=torch.Generator().manual_seed(0))  # 70: above MINI's crossing
Kind = GGMLQuantizationType
Factory = Callable[..., Any]


# --- the converter, in small --------------------------------------------------------------------------------------


def permute(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """llama.cpp's order of Q and K rows: pair (i, i + half) of each head becomes neighbours (2i, 2i + 1)."""
    half = len(rows) // n_heads // 2
    order = [
        head * 2 * half + pair + part * half for head in range(n_heads) for pair in range(half) for part in (0, 1)
    ]
    return rows[order]


def converted(model: Phi3) -> dict[str, np.ndarray]:
    """The network's fp32 tensors under GGUF names, split and permuted as its architecture's converter does."""
    config, out = model.config, {}
    q, kv = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    weights = {name.removesuffix(".weight"): p.detach().numpy() for name, p in model.named_parameters()}
    out["token_embd"], out["output_norm"] = weights["embed_tokens"], weights["norm"]
    if not config.tied_embeddings:
        out["output"] = weights["lm_head"]
    for n in range(config.n_layers):
        of, to = f"layers.{n}", f"blk.{n}"
        out[f"{to}.attn_norm"], out[f"{to}.ffn_norm"] = (
            weights[f"{of}.{norm}_layernorm"] for norm in ("input", "post_attention")
        )
        out[f"{to}.attn_output"] = weights[f"{of}.self_attn.o_proj"]
        out[f"{to}.ffn_down"] = weights[f"{of}.mlp.down_proj"]
        qkv, gate_up = weights[f"{of}.self_attn.qkv_proj"], weights[f"{of}.mlp.gate_up_proj"]
        if config.architecture == "phi3":
            out[f"{to}.attn_qkv"], out[f"{to}.ffn_up"] = qkv, gate_up
        else:
            out[f"{to}.attn_q"] = permute(qkv[:q], config.n_heads)
            out[f"{to}.attn_k"] = permute(qkv[q : q + kv], config.n_kv_heads)
            out[f"{to}.attn_v"] = qkv[q + kv :]
            out[f"{to}.ffn_gate"], out[f"{to}.ffn_up"] = np.split(gate_up, 2)
    return {f"{name}.weight": tensor for name, tensor in out.items()}


def stored(tensor: np.ndarray, kind: Kind) -> np.ndarray:
    """The tensor as a file of that kind holds it; norms stay F32 as everywhere, and bytes are blocks already."""
    return tensor if tensor.ndim == 1 or kind == Kind.F32 or tensor.dtype == np.uint8 else quantize(tensor, kind)


def write(
    path: Path,
    model: Phi3,
    kind: Kind = Kind.F32,
    *,
    tensors: Callable[[dict[str, np.ndarray]], Any] | None = None,
    metadata: Callable[[GGUFWriter], Any] | None = None,
    without: str = "",
    arch: str = "",
) -> Path:
    """Write `model`; `tensors` and `metadata` may change it on the way, `without` leaves one metadata call out."""
    config = model.config
    writer = GGUFWriter(path, arch or config.architecture)
    fields: dict[str, Any] = {
        "context_length": config.context,
        "embedding_length": config.d_model,
        "block_count": config.n_layers,
        "feed_forward_length": config.d_ff,
        "head_count": config.n_heads,
        "head_count_kv": config.n_kv_heads,
        "layer_norm_rms_eps": config.norm_eps,
        "rope_freq_base": config.rope.theta,
        "rope_dimension_count": config.rotary_dim,
        "sliding_window": config.sliding_window or 0,
        "bos_token_id": config.bos_id,
        "eos_token_id": config.eos_ids[0],
        "pad_token_id": config.pad_id,
    }
    if config.rope.scaling == "longrope":
        fields |= {
            "rope_scaling_orig_ctx_len": config.original_context,
            "rope_scaling_attn_factors": config.rope.mscale,
        }
    if config.rope.scaling == "linear":
        fields |= {"rope_scaling_type": RopeScalingType.LINEAR, "rope_scaling_factor": config.rope.factor}
    if config.head_dim * config.n_heads != config.d_model:
        fields["key_length"] = config.head_dim
    for name, value in fields.items():
        if name != without:
            getattr(writer, f"add_{name}")(value)
    if metadata:
        metadata(writer)
    weights = converted(model)
    if config.rope.scaling == "longrope":
        for length in ("long", "short"):
            weights[f"rope_factors_{length}.weight"] = np.float32(getattr(config.rope, f"{length}_factor"))
    if config.rope.scaling == "llama3":
        weights["rope_freqs.weight"] = np.float32(llama3_factors(config))
    if tensors:
        tensors(weights)
    for name, tensor in weights.items():
        writer.add_tensor(name, stored(tensor, kind), raw_dtype=None if tensor.ndim == 1 else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def llama3_factors(config: Any) -> list[float]:
    """What each frequency is divided by, as convert_hf_to_gguf.py writes it (Llama 3.1's three bands of wavelength)."""
    rope, factors = config.rope, []
    for i in range(config.head_dim // 2):
        wavelength = 2 * math.pi * rope.theta ** (2 * i / config.head_dim)
        if wavelength < config.original_context / rope.high_freq_factor:
            factors.append(1.0)
        elif wavelength > config.original_context / rope.low_freq_factor:
            factors.append(rope.factor)
        else:
            smooth = (config.original_context / wavelength - rope.low_freq_factor) / (
                rope.high_freq_factor - rope.low_freq_factor
            )
            factors.append(1 / ((1 - smooth) / rope.factor + smooth))
    return factors


@torch.inference_mode()
def logits(model: Any) -> Tensor:
    out = model(IDS)
    return out if isinstance(out, Tensor) else out.logits


# --- files that load ----------------------------------------------------------------------------------------------

CONFIGS = {
    "phi-4": PHI4,
    "phi-4-mini": MINI,
    "llama": LLAMA,
    "llama, tied": replace(LLAMA, tied_embeddings=True),
    "llama, narrow heads": replace(LLAMA, head_dim=16, n_kv_heads=8),
    "llama, linear": replace(LLAMA, rope=Rope(theta=10_000.0, scaling="linear", factor=4.0)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_an_fp32_file_is_the_network_it_was_written_from(name: str, tmp_path: Path, network: Factory) -> None:
    model = network(CONFIGS[name])
    back = load_gguf(write(tmp_path / "m.gguf", model))
    for (parameter, found), expected in zip(back.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(found, expected), parameter
    torch.testing.assert_close(
        logits(back), logits(model), atol=1e-4, rtol=0
    )  # its eps and mscale are fp32 in the file

    config = back.config
    assert config.norm_eps == pytest.approx(model.config.norm_eps)
    assert config.rope.mscale == pytest.approx(model.config.rope.mscale)
    assert config.rope.long_factor == pytest.approx(model.config.rope.long_factor)
    rope = model.config.rope if config.rope.scaling != "longrope" else config.rope
    assert replace(config, norm_eps=model.config.norm_eps, rope=rope, init_std=0.2) == replace(
        model.config, rope=rope, original_context=config.original_context
    )
    assert config.original_context == (64 if name == "phi-4-mini" else config.context)


@pytest.mark.parametrize("config", [PHI4, LLAMA], ids=["phi3", "llama"])
@pytest.mark.parametrize(
    "kind", [Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1], ids=lambda kind: kind.name
)
def test_quantised_files(config: Any, kind: Kind, tmp_path: Path, network: Factory) -> None:
    """The loaded network is the one whose matrices were rounded to that type before any of the converter's reordering."""
    model = network(config)
    path = write(tmp_path / "m.gguf", model, kind)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data = torch.from_numpy(dequantize(stored(parameter.data.numpy(), kind), kind))
    back = load_gguf(path)
    for (parameter, found), expected in zip(back.named_parameters(), model.named_parameters(), strict=True):
        assert torch.equal(found, expected[1]), parameter
    torch.testing.assert_close(logits(back), logits(model), atol=1e-4, rtol=0)


def random_blocks(tensors: dict[str, np.ndarray], kind: Kind) -> None:
    """Put random bytes in place of every matrix: below 64, so that fp16 scales among them are finite."""
    rng, (block, size) = np.random.default_rng(0), GGML_QUANT_SIZES[kind]
    for name, tensor in tensors.items():
        if tensor.ndim == 2:
            rows, columns = tensor.shape
            tensors[name] = rng.integers(0, 64, (rows, columns // block * size), dtype=np.uint8)


# The gguf package can read these but not make them.
READ_ONLY = [Kind.Q2_K, Kind.Q3_K, Kind.Q4_K, Kind.Q5_K, Kind.Q6_K, Kind.IQ4_NL, Kind.IQ4_XS, Kind.IQ3_S, Kind.IQ2_XS]


@pytest.mark.parametrize("kind", READ_ONLY, ids=lambda kind: kind.name)
def test_types_that_can_only_be_read(kind: Kind, tmp_path: Path, network: Factory) -> None:
    blocks: dict[str, np.ndarray] = {}

    def randomise(tensors: dict[str, np.ndarray]) -> None:
        random_blocks(tensors, kind)
        blocks.update(tensors)

    file = GGUFFile(write(tmp_path / "m.gguf", network(LLAMA), kind, tensors=randomise))
    down = dequantize(blocks["blk.1.ffn_down.weight"], kind)
    assert np.isfinite(down).all()
    assert down.std() > 0
    assert torch.equal(file.read("model.layers.1.mlp.down_proj.weight"), torch.from_numpy(down))
    k = file.read("model.layers.0.self_attn.k_proj.weight")
    assert np.array_equal(permute(k.numpy(), LLAMA.n_kv_heads), dequantize(blocks["blk.0.attn_k.weight"], kind))
    assert torch.equal(file.read("model.layers.0.self_attn.k_proj.weight", slice(5, 40)), k[5:40])
    model = load_gguf(tmp_path / "m.gguf")
    assert torch.equal(model.get_parameter("layers.0.self_attn.qkv_proj.weight")[256:320], k)


def test_llama_3_frequency_factors(tmp_path: Path, network: Factory) -> None:
    """The file holds them worked out, one set for every length; saved and loaded again they still are the same network."""
    model = network(replace(LLAMA, rope=LLAMA3, original_context=64, context=512))
    assert 1 < len(set(llama3_factors(model.config))) < 16  # some bands are stretched, some not, some between
    back = load_gguf(write(tmp_path / "m.gguf", model))
    torch.testing.assert_close(logits(back), logits(model), atol=1e-4, rtol=0)

    checkpoint.save(back, tmp_path / "hf")
    assert torch.equal(logits(checkpoint.load(tmp_path / "hf")), logits(back))
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    torch.testing.assert_close(logits(theirs), logits(model), atol=1e-4, rtol=0)


@pytest.mark.parametrize("config", [MINI, LLAMA], ids=["phi3", "llama"])
def test_a_converted_folder_is_the_same_network(config: Any, tmp_path: Path, network: Factory) -> None:
    back = load_gguf(write(tmp_path / "m.gguf", network(config), Kind.Q8_0), dtype=torch.bfloat16)
    assert {p.dtype for p in back.parameters()} == {torch.bfloat16}
    checkpoint.save(back, tmp_path / "hf")
    assert torch.equal(logits(checkpoint.load(tmp_path / "hf")), logits(back))


def test_every_stop_token_is_read(tmp_path: Path, network: Factory) -> None:
    def tokens(writer: GGUFWriter) -> None:
        writer.add_eot_token_id(7)

    config = load_gguf(write(tmp_path / "m.gguf", network(LLAMA), metadata=tokens)).config
    assert (config.bos_id, config.eos_ids, config.pad_id) == (1, (2, 7), 0)


# --- files that do not --------------------------------------------------------------------------------------------


def refuses(path: Path, *said: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_gguf(path)
    for part in (str(path), *said):
        assert part in str(caught.value), f"{part!r} is not in: {caught.value}"


def test_an_architecture_of_another_family(tmp_path: Path, network: Factory) -> None:
    refuses(
        write(tmp_path / "m.gguf", network(LLAMA), arch="gemma2"), "'gemma2' is not supported", "'llama' and 'phi3'"
    )


def test_a_type_that_cannot_be_read(tmp_path: Path, network: Factory) -> None:
    kind = Kind.Q8_1
    path = write(tmp_path / "m.gguf", network(PHI4), kind, tensors=lambda t: random_blocks(t, kind))
    refuses(path, "tensor 'token_embd.weight' has type Q8_1, which is not supported")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("blk.1.ffn_norm.weight"), ["layers.1.post_attention_layernorm.weight", "missing", "(256,)"]),
        (lambda t: t.pop("blk.1.attn_k.weight"), ["layers.1.self_attn.k_proj.weight", "missing", "(64, 256)"]),
        (lambda t: t.pop("token_embd.weight"), ["model.embed_tokens.weight", "missing"]),
        (lambda t: t.update({"blk.0.attn_q.bias": np.zeros(256, np.float32)}), ["self_attn.q_proj.bias", "(256,)"]),
        (lambda t: t.update({"blk.0.attn_q_norm.weight": np.ones(32, np.float32)}), ["blk.0.attn_q_norm.weight"]),
        (
            lambda t: t.update({"blk.0.attn_k.weight": np.zeros((32, 256), np.float32)}),
            ["layers.0.self_attn.k_proj.weight", "has shape (32, 256), but the config needs (64, 256)"],
        ),
    ],
    ids=["missing", "missing part", "no embeddings", "bias", "unknown", "wrong shape"],
)
def test_tensors_that_do_not_fit(change: Any, said: list[str], tmp_path: Path, network: Factory) -> None:
    refuses(write(tmp_path / "m.gguf", network(LLAMA), tensors=change), *said)


@pytest.mark.parametrize(
    "without", ["context_length", "embedding_length", "block_count", "feed_forward_length", "head_count"]
)
def test_metadata_that_is_missing(without: str, tmp_path: Path, network: Factory) -> None:
    refuses(write(tmp_path / "m.gguf", network(LLAMA), without=without), f"{without} is missing", "metadata")


@pytest.mark.parametrize(
    ("config", "metadata", "said"),
    [
        (LLAMA, lambda w: w.add_rope_scaling_type(RopeScalingType.YARN), ["rope scaling 'yarn' is not supported"]),
        (replace(PHI4, sliding_window=100), None, ["sliding window of 100 tokens is not supported"]),
    ],
    ids=["yarn", "sliding window"],
)
def test_features_this_network_lacks(
    config: Any, metadata: Any, said: list[str], tmp_path: Path, network: Factory
) -> None:
    refuses(write(tmp_path / "m.gguf", network(config), metadata=metadata), *said)


def test_metadata_that_contradicts_itself(tmp_path: Path, network: Factory) -> None:
    path = write(
        tmp_path / "a.gguf", network(LLAMA), without="head_count_kv", metadata=lambda w: w.add_head_count_kv(3)
    )
    refuses(path, "8 query heads cannot share 3 key/value heads")

    def shorten(tensors: dict[str, np.ndarray]) -> None:
        tensors["rope_factors_long.weight"] = np.ones(5, np.float32)

    refuses(write(tmp_path / "b.gguf", network(MINI), tensors=shorten), "long_factor has 5 entries")


def test_a_file_cut_anywhere_is_named(tmp_path: Path, network: Factory) -> None:
    whole = write(tmp_path / "m.gguf", network(MINI), Kind.Q8_0).read_bytes()
    cut = tmp_path / "cut.gguf"
    sizes = [
        *range(0, 4000, 37),
        *range(4000, len(whole), len(whole) // 20),
        len(whole) - 17,
    ]  # 16: padding at the end
    for kept in sizes:
        cut.write_bytes(whole[:kept])
        refuses(cut, "truncated")


def test_what_is_no_gguf(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 98362432\n")
    refuses(tmp_path / "m.gguf", "not a readable GGUF file")
    refuses(tmp_path / "absent.gguf", "No such file")


# --- the default model --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def default_file(default_gguf: Path) -> GGUFFile:
    return GGUFFile(default_gguf)


def test_default_model_config_and_tensors(default_file: GGUFFile) -> None:
    config = default_file.config
    assert (config.architecture, config.parameter_count) == ("llama", 134_515_008)
    assert (config.d_model, config.n_layers, config.n_heads, config.n_kv_heads, config.d_ff) == (576, 30, 9, 3, 1536)
    assert config.tied_embeddings
    raw = {tensor.name: tensor for tensor in default_file.reader.tensors}
    for theirs, ours, n_heads in (("attn_q", "q_proj", 9), ("attn_k", "k_proj", 3), ("attn_v", "v_proj", None)):
        tensor = raw[f"blk.7.{theirs}.weight"]
        found = default_file.read(f"model.layers.7.self_attn.{ours}.weight").numpy()
        expected = dequantize(tensor.data, tensor.tensor_type)
        assert np.array_equal(permute(found, n_heads) if n_heads else found, expected)
    norm = default_file.read("model.norm.weight")
    assert np.array_equal(norm.numpy(), raw["output_norm.weight"].data)


@pytest.mark.slow
def test_default_model_logits_equal_transformers(default_file: GGUFFile, default_gguf: Path) -> None:
    """Within 1e-3 of transformers' own reading of the same file, on ordinary text's length and on one token."""
    from transformers import AutoModelForCausalLM

    ours = checkpoint.assemble(default_file.config, default_file)
    theirs = AutoModelForCausalLM.from_pretrained(
        default_gguf.parent, gguf_file=default_gguf.name, dtype=torch.float32
    ).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for shape in ((1, 1), (2, 120)):
            ids = torch.randint(0, 49_152, shape, generator=generator)
            torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-3, rtol=0)
