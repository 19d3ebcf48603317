"""Configurations of the dense decoders: the Phi-4 family's presets, and config.json in and out.

Figures come from the checkpoints' own config.json files as collected in the project's fact sheet; a preset's `notes`
name every figure that nobody has confirmed from a published file.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

QUANT_METHOD = "phiforge"  # of the quantised folders that model/quantized_files.py reads and writes


class Rope(Struct, frozen=True, omit_defaults=True):
    """Rotary position embedding: base, rotated share of each head, and how positions past the training length are scaled.

    `scaling` is "longrope" (two factor sets, Ding et al. 2024), "llama3" (Llama 3.1's wavelength bands), "linear", or
    "none". `mscale` multiplies cos and sin in both LongRoPE regimes.
    """

    theta: float
    partial: float = 1.0
    scaling: Literal["none", "longrope", "llama3", "linear"] = "none"
    short_factor: tuple[float, ...] = ()
    long_factor: tuple[float, ...] = ()
    mscale: float = 1.0
    factor: float = 1.0  # llama3, linear
    low_freq_factor: float = 1.0  # llama3
    high_freq_factor: float = 4.0  # llama3


class ModelConfig(Struct, frozen=True, omit_defaults=False):
    """Every figure of a dense decoder. `original_context` is the length trained before RoPE scaling extended it."""

    architecture: Literal["phi3", "llama"]
    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    context: int
    original_context: int
    rope: Rope
    tied_embeddings: bool = False
    norm_eps: float = 1e-5
    sliding_window: int | None = None
    dtype: str = "bfloat16"
    init_std: float = 0.02
    bos_id: int | None = None
    eos_ids: tuple[int, ...] = ()
    pad_id: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"{self.n_heads} query heads cannot share {self.n_kv_heads} key/value heads evenly")
        if self.rope.scaling == "longrope":
            for name in ("short_factor", "long_factor"):
                found = len(getattr(self.rope, name))
                if found != self.rotary_dim // 2:
                    raise ValueError(
                        f"rope {name} has {found} entries, {self.rotary_dim} rotated dims need {self.rotary_dim // 2}"
                    )

    @property
    def rotary_dim(self) -> int:
        """How many of each head's dims are rotated; the rest pass through."""
        return int(self.head_dim * self.rope.partial)

    @property
    def long_after(self) -> int | None:
        """A sequence longer than this many tokens takes LongRoPE's long factors; None where there is only one regime."""
        return self.original_context if self.rope.scaling == "longrope" else None

    @property
    def parameter_count(self) -> int:
        """Exact number of weights; tied embeddings count once."""
        q, kv = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        attention = (q + 2 * kv) * self.d_model + q * self.d_model
        mlp = 3 * self.d_ff * self.d_model
        embeddings = self.vocab_size * self.d_model * (1 if self.tied_embeddings else 2)
        return self.n_layers * (attention + mlp + 2 * self.d_model) + self.d_model + embeddings

    def kv_bytes_per_token(self, bytes_per_value: float = 2) -> float:
        """Bytes that one token adds to the KV cache."""
        return 2 * self.n_layers * self.n_kv_heads * self.head_dim * bytes_per_value


# --- presets ------------------------------------------------------------------------------------------------------

_PHI_4 = ModelConfig(
    architecture="phi3",
    vocab_size=100_352,
    d_model=5120,
    n_layers=40,
    n_heads=40,
    n_kv_heads=10,
    head_dim=128,
    d_ff=17_920,
    context=16_384,
    original_context=16_384,
    rope=Rope(theta=250_000.0),
    bos_id=100_257,
    eos_ids=(100_265,),
    pad_id=100_349,
    notes=("the first release had bos = eos = pad = 100257",),
)

_PHI_4_REASONING = replace(
    _PHI_4,
    context=32_768,
    original_context=32_768,
    rope=Rope(theta=500_000.0),
    eos_ids=(100_265, 100_257),
    notes=("ids of <think> and </think> (100350, 100351): from memory",),
)

# LongRoPE's 48 long factors, as in config.json of Phi-4-mini-instruct; the short ones are all 1.
_MINI_LONG_FACTOR = (
    1.0, 1.118320672, 1.250641126, 1.398617824, 1.564103225, 1.74916897, 1.956131817, 2.187582649,
    2.446418898, 2.735880826, 3.059592084, 3.421605075, 3.826451687, 4.279200023, 4.785517845, 5.351743533,
    5.984965424, 6.693110555, 7.485043894, 8.370679318, 9.36110372, 10.4687158, 11.70738129, 13.09260651,
    14.64173252, 16.37415215, 18.31155283, 20.47818807, 22.90118105, 25.61086418, 28.64115884, 32.03,
    32.1, 32.13, 32.23, 32.6, 32.61, 32.64, 32.66, 32.7,
    32.71, 32.93, 32.97, 33.28, 33.49, 33.5, 44.16, 47.77,
)  # fmt: skip


def longrope_mscale(context: int, original_context: int) -> float:
    """sqrt(1 + ln(context / original) / ln(original)), the attention temperature of LongRoPE; 1 when nothing is extended."""
    if context <= original_context:
        return 1.0
    return math.sqrt(1 + math.log(context / original_context) / math.log(original_context))


_PHI_4_MINI = ModelConfig(
    architecture="phi3",
    vocab_size=200_064,
    d_model=3072,
    n_layers=32,
    n_heads=24,
    n_kv_heads=8,
    head_dim=128,
    d_ff=8192,
    context=131_072,
    original_context=4096,
    rope=Rope(
        theta=10_000.0,
        partial=0.75,
        scaling="longrope",
        short_factor=(1.0,) * 48,
        long_factor=_MINI_LONG_FACTOR,
        mscale=longrope_mscale(131_072, 4096),
    ),
    tied_embeddings=True,
    sliding_window=262_144,  # longer than the context: no effect
    bos_id=199_999,
    eos_ids=(200_020, 199_999),
    pad_id=199_999,
    notes=("ids of the tool tokens (200023 to 200027): from memory",),
)

PRESETS: dict[str, ModelConfig] = {
    "phi-4": _PHI_4,
    "phi-4-reasoning": _PHI_4_REASONING,
    "phi-4-reasoning-plus": replace(
        _PHI_4_REASONING,
        notes=(*_PHI_4_REASONING.notes, "whole config inferred from Phi-4-reasoning and Phi-4-reasoning-vision-15B"),
    ),
    "phi-4-mini-instruct": _PHI_4_MINI,
    "phi-4-mini-reasoning": replace(
        _PHI_4_MINI, notes=(*_PHI_4_MINI.notes, "that its config equals Phi-4-mini-instruct's: from memory")
    ),
}


def shrink(config: ModelConfig, *, head_dim: int = 32, n_layers: int = 2, vocab_size: int = 512) -> ModelConfig:
    """A tiny config of the same architecture for tests: the same head grouping, rotary share, tying and RoPE kind.

    LongRoPE keeps its factor sets, thinned to the smaller head, and crosses from short to long at 1/64 of the original
    context (64 tokens for phi-4-mini).
    """
    n_heads = 2 * config.n_heads // config.n_kv_heads
    rope = config.rope
    original, context = config.original_context, config.context
    if rope.scaling == "longrope":
        n = int(head_dim * rope.partial) // 2
        step = len(rope.long_factor) / n
        thin = tuple(int(i * step) for i in range(n))
        original, context = original // 64, context // 64
        rope = replace(
            rope,
            short_factor=tuple(rope.short_factor[i] for i in thin),
            long_factor=tuple(rope.long_factor[i] for i in thin),
            mscale=longrope_mscale(context, original),
        )
    return replace(
        config,
        vocab_size=vocab_size,
        d_model=n_heads * head_dim,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=2,
        head_dim=head_dim,
        d_ff=2 * n_heads * head_dim,
        context=context,
        original_context=original,
        rope=rope,
        dtype="float32",
        bos_id=1,
        eos_ids=(2,),
        pad_id=0,
    )


# --- config.json --------------------------------------------------------------------------------------------------


def read_config(path: str | os.PathLike[str]) -> ModelConfig:
    """Read a Hugging Face config.json (the file, or its folder), with eos ids from generation_config.json beside it.

    Raises ValueError, naming the file and the field, for an architecture or a feature that this network does not have.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "config.json"
    if not file.exists():
        raise FileNotFoundError(f"{file}: not found; a checkpoint folder needs its config.json")
    raw = _read_object(file)
    generation = file.with_name("generation_config.json")
    if generation.exists():
        eos = _read_object(generation).get("eos_token_id")
        if eos is not None:
            raw["eos_token_id"] = eos
    try:
        return config_from_hf(raw)
    except (ValueError, TypeError, KeyError) as error:
        missing = f"the field {error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{file}: {missing}") from None


def _read_object(file: Path) -> dict[str, Any]:
    try:
        raw = json.loads(file.read_text())
    except ValueError as error:
        raise ValueError(f"{file}: not valid JSON: {error}") from None
    if not isinstance(raw, dict):
        raise ValueError(f"{file}: not a JSON object")
    return raw


def config_from_hf(raw: dict[str, Any]) -> ModelConfig:
    """Build a ModelConfig from the fields of a config.json of `model_type` phi3 or llama, in transformers 4 or 5 spelling."""
    architecture = raw.get("model_type")
    if architecture not in ("phi3", "llama"):
        raise ValueError(f"model_type {architecture!r} is not supported; supported are 'phi3' and 'llama'")
    if raw.get("hidden_act", "silu") != "silu":
        raise ValueError(f"hidden_act {raw['hidden_act']!r} is not supported, only 'silu'")
    method = (raw.get("quantization_config") or {}).get("quant_method", "an unnamed method")
    if raw.get("quantization_config") and method != QUANT_METHOD:
        raise ValueError(
            f"weights quantised by {method!r} are not supported; use the unquantised checkpoint or a GGUF"
        )
    for flag in ("attention_bias", "mlp_bias"):
        if raw.get(flag):
            raise ValueError(f"{flag} is true, but this network has no biases")
    for size in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
        if not isinstance(raw[size], int) or raw[size] < 1:
            raise ValueError(f"{size} must be a positive whole number, not {raw[size]!r}")
    n_heads, d_model, context = raw["num_attention_heads"], raw["hidden_size"], raw["max_position_embeddings"]
    window = raw.get("sliding_window")
    if window is not None and window < context:
        raise ValueError(
            f"sliding_window {window} is shorter than the context {context}; windowed attention is not supported"
        )

    # transformers 5 gathers every rope field in rope_parameters; 4 had rope_theta and rope_scaling at the top.
    scaling = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    original = (
        scaling.get("original_max_position_embeddings") or raw.get("original_max_position_embeddings") or context
    )
    rope = _rope_from_hf(raw, scaling, context, original)
    return ModelConfig(
        architecture=architecture,
        vocab_size=raw["vocab_size"],
        d_model=d_model,
        n_layers=raw["num_hidden_layers"],
        n_heads=n_heads,
        n_kv_heads=raw.get("num_key_value_heads") or n_heads,
        head_dim=raw.get("head_dim") or d_model // n_heads,
        d_ff=raw["intermediate_size"],
        context=context,
        original_context=original,
        rope=rope,
        tied_embeddings=raw.get("tie_word_embeddings", False),
        norm_eps=raw.get("rms_norm_eps", 1e-5 if architecture == "phi3" else 1e-6),
        sliding_window=window,
        dtype=str(raw.get("dtype") or raw.get("torch_dtype") or "float32").removeprefix("torch."),
        init_std=raw.get("initializer_range", 0.02),
        bos_id=raw.get("bos_token_id"),
        eos_ids=_ids(raw.get("eos_token_id")),
        pad_id=raw.get("pad_token_id"),
    )


def _rope_from_hf(raw: dict[str, Any], scaling: dict[str, Any], context: int, original: int) -> Rope:
    theta = float(scaling.get("rope_theta") or raw.get("rope_theta") or 10_000.0)
    partial = float(scaling.get("partial_rotary_factor") or raw.get("partial_rotary_factor") or 1.0)
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind in ("longrope", "su"):
        factor = scaling.get("factor") or context / original
        mscale = scaling.get("attention_factor") or longrope_mscale(int(factor * original), original)
        return Rope(
            theta,
            partial,
            "longrope",
            short_factor=tuple(map(float, scaling["short_factor"])),
            long_factor=tuple(map(float, scaling["long_factor"])),
            mscale=float(mscale),
        )
    if kind == "llama3":
        return Rope(
            theta,
            partial,
            "llama3",
            factor=float(scaling["factor"]),
            low_freq_factor=float(scaling["low_freq_factor"]),
            high_freq_factor=float(scaling["high_freq_factor"]),
        )
    if kind == "linear":
        return Rope(theta, partial, "linear", factor=float(scaling["factor"]))
    if kind == "default":
        return Rope(theta, partial)
    raise ValueError(f"rope scaling {kind!r} is not supported; supported are longrope, llama3, linear and default")


def _ids(value: int | list[int] | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def config_to_hf(config: ModelConfig) -> dict[str, Any]:
    """The config.json fields that transformers 4 and 5 both read back as this config."""
    rope = config.rope
    raw: dict[str, Any] = {
        "architectures": ["Phi3ForCausalLM" if config.architecture == "phi3" else "LlamaForCausalLM"],
        "model_type": config.architecture,
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.d_ff,
        "hidden_act": "silu",
        "max_position_embeddings": config.context,
        "original_max_position_embeddings": config.original_context,
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied_embeddings,
        "sliding_window": config.sliding_window,
        "initializer_range": config.init_std,
        "rope_theta": rope.theta,
        "partial_rotary_factor": rope.partial,
        "rope_scaling": None,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "torch_dtype": config.dtype,
        "bos_token_id": config.bos_id,
        "eos_token_id": config.eos_ids[0] if len(config.eos_ids) == 1 else list(config.eos_ids) or None,
        "pad_token_id": config.pad_id,
    }
    if rope.scaling == "longrope":
        raw["rope_scaling"] = {
            "type": "longrope",
            "rope_type": "longrope",
            "short_factor": list(rope.short_factor),
            "long_factor": list(rope.long_factor),
        }
        if not math.isclose(rope.mscale, longrope_mscale(config.context, config.original_context)):
            raw["rope_scaling"]["attention_factor"] = rope.mscale
    elif rope.scaling == "llama3":
        raw["rope_scaling"] = {
            "rope_type": "llama3",
            "factor": rope.factor,
            "low_freq_factor": rope.low_freq_factor,
            "high_freq_factor": rope.high_freq_factor,
            "original_max_position_embeddings": config.original_context,
        }
    elif rope.scaling == "linear":
        raw["rope_scaling"] = {"rope_type": "linear", "factor": rope.factor}
    return raw
