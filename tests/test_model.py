"""The dense decoder: every published figure, its RoPE from the formula, and the whole network against transformers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from msgspec.structs import asdict, replace
from torch import Tensor

from phiforge.kernels.elementwise import rotate
from phiforge.model.config import PRESETS, ModelConfig, Rope, config_from_hf, config_to_hf, shrink
from phiforge.model.phi3 import Phi3
from phiforge.model.rope import RotaryEmbedding, inverse_frequencies

# --- figures ------------------------------------------------------------------------------------------------------

# The published figures, typed in a second time from the fact sheet rather than from config.py.
COMMON_14B = {
    "vocab_size": 100352, "d_model": 5120, "n_layers": 40, "n_heads": 40, "n_kv_heads": 10, "head_dim": 128,
    "d_ff": 17920, "tied_embeddings": False, "norm_eps": 1e-5, "sliding_window": None, "dtype": "bfloat16",
    "init_std": 0.02, "bos_id": 100257, "pad_id": 100349, "parameter_count": 14_659_507_200, "rotary_dim": 128,
    "long_after": None,
}  # fmt: skip
REASONING = COMMON_14B | {"context": 32768, "original_context": 32768, "eos_ids": (100265, 100257)}
MINI_FACTS = {
    "vocab_size": 200064, "d_model": 3072, "n_layers": 32, "n_heads": 24, "n_kv_heads": 8, "head_dim": 128,
    "d_ff": 8192, "tied_embeddings": True, "norm_eps": 1e-5, "sliding_window": 262144, "dtype": "bfloat16",
    "init_std": 0.02, "bos_id": 199999, "eos_ids": (200020, 199999), "pad_id": 199999, "context": 131072,
    "original_context": 4096, "parameter_count": 3_836_021_760, "rotary_dim": 96, "long_after": 4096,
}  # fmt: skip
FACTS: dict[str, dict[str, Any]] = {
    "phi-4": COMMON_14B | {"context": 16384, "original_context": 16384, "eos_ids": (100265,)},
    "phi-4-reasoning": REASONING,
    "phi-4-reasoning-plus": REASONING,
    "phi-4-mini-instruct": MINI_FACTS,
    "phi-4-mini-reasoning": MINI_FACTS,
}
ROPE_FACTS = {"phi-4": (250_000, 1.0, "none"), "phi-4-reasoning": (500_000, 1.0, "none")}
ROPE_FACTS["phi-4-reasoning-plus"] = ROPE_FACTS["phi-4-reasoning"]
ROPE_FACTS["phi-4-mini-instruct"] = ROPE_FACTS["phi-4-mini-reasoning"] = (10_000, 0.75, "longrope")
LONG_FACTOR = [
    1, 1.118320672, 1.250641126, 1.398617824, 1.564103225, 1.74916897, 1.956131817, 2.187582649, 2.446418898,
    2.735880826, 3.059592084, 3.421605075, 3.826451687, 4.279200023, 4.785517845, 5.351743533, 5.984965424,
    6.693110555, 7.485043894, 8.370679318, 9.36110372, 10.4687158, 11.70738129, 13.09260651, 14.64173252, 16.37415215,
    18.31155283, 20.47818807, 22.90118105, 25.61086418, 28.64115884, 32.03, 32.1, 32.13, 32.23, 32.6, 32.61, 32.64,
    32.66, 32.7, 32.71, 32.93, 32.97, 33.28, 33.49, 33.5, 44.16, 47.77,
]  # fmt: skip
every_preset = pytest.mark.parametrize("name", PRESETS)


def test_the_presets_are_the_familys_text_models() -> None:
    assert set(PRESETS) == set(FACTS)


@every_preset
def test_figures(name: str) -> None:
    config = PRESETS[name]
    assert {field: getattr(config, field) for field in FACTS[name]} == FACTS[name]
    assert (config.rope.theta, config.rope.partial, config.rope.scaling) == ROPE_FACTS[name]


@every_preset
def test_parameter_count_on_the_meta_device(name: str) -> None:
    with torch.device("meta"):
        model = Phi3(PRESETS[name])
    assert all(p.is_meta for p in model.parameters())
    assert sum(p.numel() for p in model.parameters()) == FACTS[name]["parameter_count"]


def test_shapes_of_the_published_mini() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(p.shape) for name, p in Phi3(PRESETS["phi-4-mini-instruct"]).named_parameters()}
    assert {name.removeprefix("layers.31."): s for name, s in shapes.items() if name.startswith("layers.31.")} == {
        "self_attn.qkv_proj.weight": (5120, 3072),
        "self_attn.o_proj.weight": (3072, 3072),
        "mlp.gate_up_proj.weight": (16384, 3072),
        "mlp.down_proj.weight": (3072, 8192),
        "input_layernorm.weight": (3072,),
        "post_attention_layernorm.weight": (3072,),
    }
    assert "lm_head.weight" not in shapes  # tied


@every_preset
def test_config_survives_config_json(name: str) -> None:
    back = config_from_hf(config_to_hf(PRESETS[name]))
    assert back == replace(PRESETS[name], notes=())


def test_a_config_that_cannot_be_is_refused() -> None:
    mini = PRESETS["phi-4-mini-instruct"]
    with pytest.raises(ValueError, match="24 query heads cannot share 7 key/value heads"):
        replace(mini, n_kv_heads=7)
    with pytest.raises(ValueError, match="long_factor has 3 entries, 96 rotated dims need 48"):
        replace(mini, rope=replace(mini.rope, long_factor=(1.0, 2.0, 3.0)))


# --- RoPE ---------------------------------------------------------------------------------------------------------


def test_longrope_by_the_formula() -> None:
    """inv_freq[i] = 1 / (factor[i] * theta^(2i/96)), mscale = sqrt(1 + ln 32 / ln 4096), in double precision."""
    config = PRESETS["phi-4-mini-instruct"]
    for long, factors in ((False, [1.0] * 48), (True, LONG_FACTOR)):
        expected = torch.tensor([1 / (f * 10_000 ** (2 * i / 96)) for i, f in enumerate(factors)])
        torch.testing.assert_close(inverse_frequencies(config, long), expected, rtol=1e-6, atol=0)
    assert round(config.rope.mscale, 5) == 1.19024
    assert config.rope.mscale == math.sqrt(1 + math.log(32) / math.log(4096))


@pytest.mark.parametrize("theta", [250_000, 500_000])
def test_plain_rope_by_the_formula(theta: float) -> None:
    config = next(c for c in PRESETS.values() if c.rope.theta == theta)
    expected = torch.tensor([theta ** (-2 * i / 128) for i in range(64)])
    torch.testing.assert_close(inverse_frequencies(config), expected, rtol=1e-6, atol=0)


def test_cos_and_sin_carry_mscale_in_both_regimes() -> None:
    config = PRESETS["phi-4-mini-instruct"]
    rotary = RotaryEmbedding(config)
    for last, factors in ((4095, [1.0] * 48), (4096, LONG_FACTOR)):
        cos, sin = rotary(torch.tensor([[0, last]]), None, torch.float32)
        angles = torch.tensor([last / (f * 10_000 ** (2 * i / 96)) for i, f in enumerate(factors)])
        torch.testing.assert_close(
            cos[0, :, 0], 1.19024 * torch.stack([torch.ones(48), angles.cos()]), atol=5e-4, rtol=0
        )
        torch.testing.assert_close(
            sin[0, :, 0], 1.19024 * torch.stack([torch.zeros(48), angles.sin()]), atol=5e-4, rtol=0
        )


def test_the_last_quarter_of_a_mini_head_is_not_rotated() -> None:
    cos, sin = RotaryEmbedding(PRESETS["phi-4-mini-instruct"])(torch.arange(5), False, torch.float32)
    x = torch.randn(5, 24, 128)
    turned = rotate(x, cos, sin)
    assert torch.equal(turned[..., 96:], x[..., 96:])
    pairs, was = turned[..., :96].unflatten(-1, (2, 48)), x[..., :96].unflatten(-1, (2, 48))
    torch.testing.assert_close(pairs.norm(dim=-2), was.norm(dim=-2) * 1.19024, rtol=1e-5, atol=1e-6)


# --- against transformers -----------------------------------------------------------------------------------------

MINI, PHI4 = shrink(PRESETS["phi-4-mini-instruct"]), shrink(PRESETS["phi-4"])  # MINI crosses to long factors at 64
LLAMA = replace(PHI4, architecture="llama", norm_eps=1e-6, rope=Rope(theta=10_000.0))
LLAMA3 = Rope(theta=10_000.0, scaling="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
CONFIGS = {name: shrink(config) for name, config in PRESETS.items()} | {
    "llama": LLAMA,
    "llama, tied": replace(LLAMA, tied_embeddings=True),
    # Heads narrower than d_model / n_heads, and one key/value head for each query head.
    "llama, narrow heads": replace(LLAMA, head_dim=16, n_kv_heads=8),
    "llama, one kv head": replace(LLAMA, n_kv_heads=1),
    "llama 3": replace(LLAMA, rope=LLAMA3, original_context=64, context=512),
    "llama, linear": replace(LLAMA, rope=Rope(theta=10_000.0, scaling="linear", factor=4.0)),
}
Factory = Callable[..., Any]


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(3, 512, shape, generator=torch.Generator().manual_seed(seed))


def assert_same(ours: Tensor, theirs: Tensor, atol: float = 1e-4) -> None:
    assert theirs.abs().max() > 1, "logits this small would agree by being zero"
    torch.testing.assert_close(ours, theirs, atol=atol, rtol=0)


@pytest.mark.parametrize("name", CONFIGS)
@torch.inference_mode()
def test_prefill(name: str, network: Factory, oracle: Factory) -> None:
    """fp32 logits within 1e-4: one row and three, far below, just below, at and above the crossing."""
    ours = network(CONFIGS[name])
    theirs = oracle(ours)
    for shape in ((1, 1), (1, 7), (3, 33), (2, 63), (2, 64), (2, 65), (1, 150)):
        ids = tokens(*shape)
        assert_same(ours(ids), theirs(ids).logits)


@torch.inference_mode()
def test_a_wrong_regime_would_show(network: Factory) -> None:
    """The same tokens under the short and the long factors differ far above the tolerance; so do two norm weights."""
    ours, ids = network(MINI), tokens(1, 64)
    assert (ours(ids, long=True) - ours(ids, long=False)).abs().max() > 0.1
    assert torch.equal(ours(ids), ours(ids, long=False))
    assert torch.equal(ours(tokens(1, 65)), ours(tokens(1, 65), long=True))


@torch.inference_mode()
def test_rows_of_one_batch_in_different_regimes(network: Factory, oracle: Factory) -> None:
    """Each row equals its own run, in ours and in transformers (which puts all rows of a batch into one regime)."""
    ours = network(MINI)
    theirs = oracle(ours)
    ids = tokens(3, 60)
    positions = torch.arange(60) + torch.tensor([[0], [4], [5]])  # the last positions are 59, 63 and 64
    batch = ours(ids, positions=positions)
    chosen = ours(ids, positions=positions, long=torch.tensor([[False], [False], [True]]))
    for row in range(3):
        one = slice(row, row + 1)
        assert_same(batch[one], ours(ids[one], positions=positions[one]), atol=1e-5)
        assert_same(batch[one], theirs(ids[one], position_ids=positions[one]).logits)
        assert_same(chosen[one], batch[one], atol=1e-5)
    together = theirs(ids, position_ids=positions).logits
    assert (together[0] - batch[0]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["phi-4", "phi-4-mini-instruct", "llama, tied"])
@pytest.mark.parametrize("length", [40, 65])
def test_gradients(name: str, length: int, network: Factory, oracle: Factory) -> None:
    """One backward of the next-token loss in training mode; every weight's gradient within 1e-4 of its own norm."""
    ours = network(CONFIGS[name]).train()
    theirs = oracle(ours).train()
    ids = tokens(2, length)

    def loss(logits: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())

    loss(ours(ids)).backward()
    loss(theirs(ids).logits).backward()
    expected = {n.removeprefix("model."): p.grad for n, p in theirs.named_parameters()}
    if CONFIGS[name].architecture == "llama":
        for layer in range(CONFIGS[name].n_layers):
            at, mlp = f"layers.{layer}.self_attn", f"layers.{layer}.mlp"
            expected[f"{at}.qkv_proj.weight"] = torch.cat([expected.pop(f"{at}.{p}_proj.weight") for p in "qkv"])
            expected[f"{mlp}.gate_up_proj.weight"] = torch.cat(
                [expected.pop(f"{mlp}.{p}_proj.weight") for p in ("gate", "up")]
            )
    found = {n: p.grad for n, p in ours.named_parameters()}
    assert found.keys() == expected.keys()
    for n, grad in found.items():
        assert expected[n].norm() > 0
        assert (grad - expected[n]).norm() <= 1e-4 * expected[n].norm(), n


@pytest.mark.parametrize("name", ["phi-4", "phi-4-mini-instruct", "llama"])
@torch.inference_mode()
def test_bf16(name: str, network: Factory, oracle: Factory) -> None:
    """In bf16 two right networks differ, by the order of their roundings, so neither is the other's measure.

    Both are held against the fp32 logits of the same (bf16-rounded) weights: our root-mean-square error may not exceed
    1.25 of transformers' own. Both make some ten roundings of 2^-9 a layer on the way, which the wide weights magnify:
    so a tenth of the logits' own size is the coarsest that rounding, and not a mistake, could explain.
    """
    ours = network(CONFIGS[name]).bfloat16()
    truth = oracle(ours).float()
    theirs = oracle(ours)
    ids = tokens(4, 90)

    def error(logits: Tensor) -> float:
        return float((logits.float() - exact).square().mean().sqrt())

    exact = truth(ids).logits
    our_error, their_error = error(ours(ids)), error(theirs(ids).logits)
    assert our_error <= 1.25 * their_error
    assert our_error <= 0.1 * float(exact.square().mean().sqrt())


# --- the forward's other arguments --------------------------------------------------------------------------------


@torch.inference_mode()
def test_embeddings_in_place_of_tokens(network: Factory, oracle: Factory) -> None:
    ours, ids = network(MINI), tokens(2, 20)
    embedded = ours.embed_tokens(ids)
    assert torch.equal(ours(embeddings=embedded), ours(ids))
    foreign = embedded + 0.3  # what no token embeds to, as an image's blocks will be
    assert_same(ours(embeddings=foreign), oracle(ours)(inputs_embeds=foreign).logits)
    for both_or_none in ({}, {"tokens": ids, "embeddings": embedded}):
        with pytest.raises(ValueError, match="either tokens or embeddings"):
            ours(**both_or_none)


@torch.inference_mode()
def test_positions_are_relative_within_one_regime(network: Factory, oracle: Factory) -> None:
    ours, ids = network(PHI4), tokens(2, 20)
    shifted = (torch.arange(20) + 100).expand(2, 20)
    assert_same(ours(ids, positions=shifted), ours(ids), atol=2e-3)  # fp32 angles at 120 are that much coarser
    gaps = (torch.arange(20) * 3).expand(2, 20)
    assert (ours(ids, positions=gaps) - ours(ids)).abs().max() > 0.1
    assert_same(ours(ids, positions=gaps), oracle(ours)(ids, position_ids=gaps).logits)


@torch.inference_mode()
def test_rows_pick_the_tokens_whose_logits_are_wanted(network: Factory) -> None:
    ours, ids = network(MINI), tokens(30)
    every = ours(ids)
    assert every.shape == (30, 512)
    assert_same(every, ours(ids[None])[0])
    rows = torch.tensor([29, 0, 7])
    assert_same(ours(ids, rows=rows), every[rows], atol=1e-5)


def test_fresh_weights_are_drawn_as_the_family_was() -> None:
    model = Phi3(MINI).init_weights(torch.Generator().manual_seed(1))
    again = Phi3(MINI).init_weights(torch.Generator().manual_seed(1))
    for (name, parameter), twin in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(parameter, twin)
        if name.endswith("norm.weight"):
            assert torch.equal(parameter, torch.ones_like(parameter))
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(parameter.mean().item()) < 0.001


def test_shrunk_configs_keep_what_makes_a_member_itself() -> None:
    for name, config in PRESETS.items():
        small = shrink(config)
        kept = ("architecture", "tied_embeddings", "norm_eps", "sliding_window")
        assert [asdict(small)[field] for field in kept] == [asdict(config)[field] for field in kept], name
        assert small.n_heads / small.n_kv_heads == config.n_heads / config.n_kv_heads
        assert small.rotary_dim / small.head_dim == config.rope.partial
        assert (small.rope.theta, small.rope.scaling) == (config.rope.theta, config.rope.scaling)
    assert MINI.long_after == 64
    assert MINI.rope.mscale == pytest.approx(math.sqrt(1 + math.log(32) / math.log(64)))
    assert isinstance(MINI, ModelConfig)
