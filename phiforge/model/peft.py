"""Adapters on disk, in and out, as the `peft` library keeps them: adapter_config.json and adapter_model.safetensors.

What a setting would change in the adapter's function is honoured or refused by name. Llama-type networks have split
targets on disk and fused ones here; `lora.join` makes the first into the second and `save_adapter` undoes it.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from phiforge.model.checkpoint import CheckpointError, write_json, write_tensors
from phiforge.model.config import ModelConfig
from phiforge.model.lora import Adapter, LowRank, Part, Target, check, join, published_targets, scaling, targets

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TENSOR = re.compile(
    r"base_model\.model\.model\.layers\.(0|[1-9][0-9]{0,3})\.((?:self_attn|mlp)\.\w+)"
    r"\.lora_(?:[AB]\.weight|(magnitude_vector))"
)
# Settings that change nothing in a trained adapter's function. Every other one that is on is refused by name.
HARMLESS = {
    "auto_mapping", "base_model_name_or_path", "corda_config", "eva_config", "inference_mode", "layers_pattern",
    "lora_dropout", "lora_ga_config", "megatron_core", "peft_version", "qalora_group_size", "revision",
    "runtime_config", "task_type", "velora_config",
}  # fmt: skip
# The other ways to start (pissa, olora, corda, loftq) take something out of the base weights.
PURE_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")

Rank = Annotated[int, Meta(ge=1)]


class _Settings(msgspec.Struct):
    peft_type: str
    r: Rank
    lora_alpha: float
    target_modules: list[str] | str | None = None
    exclude_modules: list[str] | str | None = None
    layers_to_transform: list[int] | int | None = None
    use_rslora: bool = False
    use_dora: bool = False
    rank_pattern: dict[str, Rank] | None = None
    alpha_pattern: dict[str, float] | None = None
    init_lora_weights: bool | str | None = True
    bias: str = "none"


def load_adapter(folder: str | os.PathLike[str], config: ModelConfig) -> Adapter:
    """Read an adapter as peft saves it, for the network of `config`. Fused and split target names are understood for
    either architecture. Raises CheckpointError naming the file and the tensor or setting that does not fit."""
    settings = _read_settings(Path(folder) / SETTINGS)
    file = Path(folder) / WEIGHTS
    if not file.exists():
        pickled = " (adapter_model.bin is a pickle and is not read; save it as safetensors)"
        raise CheckpointError(f"{file}: not found{pickled if file.with_suffix('.bin').exists() else ''}")
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        size = file.stat().st_size
        raise CheckpointError(f"{file}: truncated or damaged ({error}; it has {size:,} bytes)") from None
    found: set[tuple[int, str]] = set()
    known = targets(config)
    for name, tensor in tensors.items():
        match = TENSOR.fullmatch(name)
        if not match or match[2] not in known or (match[3] and not settings.use_dora):
            raise CheckpointError(
                f"{file}: tensor {name!r} with shape {tuple(tensor.shape)} has no place; "
                f"expected are lora_A and lora_B of {', '.join(known)}, under base_model.model.model.layers"
            )
        if int(match[1]) >= config.n_layers:
            raise CheckpointError(f"{file}: tensor {name!r} is for a network of more than {config.n_layers} layers")
        found.add((int(match[1]), match[2]))

    wanted = _wanted(settings, config, {target for _, target in found})
    if unlisted := found - wanted if wanted is not None else ():
        layer, target = min(unlisted)
        raise CheckpointError(
            f"{file}: holds {target!r} of layer {layer}, which {SETTINGS} does not have among its target_modules"
        )
    parts: dict[str, list[Part]] = {}
    order = list(known)
    for layer, target in sorted(wanted or found, key=lambda pair: (pair[0], order.index(pair[1]))):
        rows = known[target]
        name = f"model.layers.{layer}.{target}"
        rank = int(_pattern(settings.rank_pattern, name, settings.r))
        a = _tensor(file, tensors, f"base_model.model.{name}.lora_A.weight", (rank, rows.d_in))
        b = _tensor(file, tensors, f"base_model.model.{name}.lora_B.weight", (rows.end - rows.start, rank))
        scale = scaling(rank, _pattern(settings.alpha_pattern, name, settings.lora_alpha), settings.use_rslora)
        magnitude = None
        if settings.use_dora:
            magnitude = _tensor(file, tensors, f"base_model.model.{name}.lora_magnitude_vector", (len(b),))
        parts.setdefault(f"layers.{layer}.{rows.module}", []).append(Part(rows, a, b, scale, magnitude))
    if not parts:
        raise CheckpointError(f"{file}: holds no update of any layer")
    updates = {module: join(config, joined) for module, joined in parts.items()}
    return Adapter(settings.r, settings.lora_alpha, settings.use_rslora, updates)


def _read_settings(file: Path) -> _Settings:
    if not file.exists():
        raise CheckpointError(f"{file}: not found; an adapter needs it beside {WEIGHTS}")
    try:
        raw = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        settings = msgspec.convert(raw, _Settings, strict=True)
    except msgspec.DecodeError as error:
        raise CheckpointError(f"{file}: not the settings of a LoRA adapter ({error})") from None
    if settings.peft_type != "LORA":
        raise CheckpointError(f"{file}: peft_type is {settings.peft_type!r}, only 'LORA' is supported")
    if settings.bias != "none":
        raise CheckpointError(f"{file}: bias is {settings.bias!r}, but this network has no biases; train with 'none'")
    if settings.init_lora_weights not in PURE_STARTS:
        raise CheckpointError(
            f"{file}: init_lora_weights is {settings.init_lora_weights!r}, which needs changed base weights; "
            "save it with peft's path_initial_model_for_weight_conversion"
        )
    for key in (*(settings.rank_pattern or ()), *(settings.alpha_pattern or ())):
        try:
            re.compile(key)
        except re.error as error:
            raise CheckpointError(f"{file}: {key!r} is no pattern of names ({error})") from None
    for key, value in raw.items():
        if key not in HARMLESS and key not in _Settings.__struct_fields__ and value not in (None, False, "", [], {}):
            raise CheckpointError(f"{file}: {key} is {value!r}, which is not supported; merge the adapter with peft")
    listed = settings.target_modules
    for name in listed if isinstance(listed, list) else [listed or ""]:
        if name.rpartition(".")[2] in ("lm_head", "embed_tokens"):
            raise CheckpointError(f"{file}: target_modules has {name!r}; only layers' linear modules are supported")
    return settings


def _wanted(settings: _Settings, config: ModelConfig, seen: set[str]) -> set[tuple[int, str]] | None:
    """The (layer, target) pairs that the settings promise; None where they are a pattern and the tensors decide.

    Only names of this architecture or in the file count: people list the names of several architectures at once.
    """
    listed, layers = settings.target_modules, settings.layers_to_transform
    if not isinstance(listed, list) or settings.exclude_modules:
        return None
    chosen = [layers] if isinstance(layers, int) else layers or range(config.n_layers)
    return {
        (layer, target)
        for layer in chosen
        for target in seen | published_targets(config).keys()
        if any(f".model.layers.{layer}.{target}".endswith(f".{name}") for name in listed)
    }


def _pattern(patterns: dict[str, Any] | None, name: str, default: float) -> float:
    """peft's rule: the first key that, as a regular expression, matches the end of the module's name."""
    return next((value for key, value in (patterns or {}).items() if re.match(rf"(.*\.)?({key})$", name)), default)


def _tensor(file: Path, tensors: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in tensors:
        raise CheckpointError(f"{file}: tensor {name!r} is missing; expected shape {shape}")
    tensor = tensors[name]
    if tuple(tensor.shape) != shape or not tensor.is_floating_point():
        raise CheckpointError(
            f"{file}: tensor {name!r} has shape {tuple(tensor.shape)} and type {tensor.dtype}, "
            f"but the adapter's settings and the network need numbers of shape {shape}"
        )
    return tensor.to(torch.float32, copy=True)  # the file's pages may change under a view


def save_adapter(
    adapter: Adapter, folder: str | os.PathLike[str], config: ModelConfig, *, base: str = "",
    dtype: torch.dtype = torch.float32,
) -> None:  # fmt: skip
    """Write the adapter so that peft loads it onto the published network: split targets for Llama-type ones. `base` is the model
    that it belongs to; with that the folder is a model, too.

    An update of a whole fused module becomes one for each part, with the same A and the part's rows of B; split parts
    on a phi3 network become one of their summed rank. Each file appears whole or not at all, the settings last. Raises
    ValueError where some updates have DoRA's magnitudes and others not, or one has not those of all rows that it is saved with.
    """
    check(config, adapter)
    dora = any(update.magnitude is not None for update in adapter.updates.values())
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    for module, update in adapter.updates.items():
        layer = ".".join(module.split(".")[:2])
        for name, target in published_targets(config).items():
            blocks = _rows(update, target) if module == f"{layer}.{target.module}" else []
            if not blocks:
                continue
            scales = {scale for _, _, scale in blocks}
            scale = scales.pop() if len(scales) == 1 else None  # different ones go into B
            a = torch.cat([a for a, _, _ in blocks])
            b = torch.cat([b if scale is not None else b * own for _, b, own in blocks], dim=1)
            full, rank = f"model.{layer}.{name}", len(a)
            if dora:
                tensors[f"base_model.model.{full}.lora_magnitude_vector"] = _magnitude(module, update, target)
            tensors[f"base_model.model.{full}.lora_A.weight"] = a.to(dtype).contiguous()
            tensors[f"base_model.model.{full}.lora_B.weight"] = b.to(dtype).contiguous()
            ranks[full] = rank
            alpha = (1.0 if scale is None else scale) * (math.sqrt(rank) if adapter.rslora else rank)
            alphas[full] = float(f"{alpha:.12g}")  # 16 again, where 16 / 3 * 3 is not

    names = {full.split(".", 3)[3] for full in ranks}
    everywhere = len(ranks) == config.n_layers * len(names)
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base or None,
        "inference_mode": True,
        "r": adapter.rank,
        "lora_alpha": _whole(adapter.alpha),
        "use_rslora": adapter.rslora,
        "use_dora": dora,
        "target_modules": sorted(name.rpartition(".")[2] for name in names) if everywhere else sorted(ranks),
        "rank_pattern": {full: rank for full, rank in ranks.items() if rank != adapter.rank},
        "alpha_pattern": {full: _whole(alpha) for full, alpha in alphas.items() if alpha != adapter.alpha},
        "bias": "none",
        "lora_dropout": 0.0,
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "modules_to_save": None,
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).unlink(missing_ok=True)
    write_tensors(folder / WEIGHTS, tensors)
    write_json(folder / SETTINGS, settings)


def _rows(update: LowRank, target: Target) -> list[tuple[Tensor, Tensor, float]]:
    """A, B and scale of each block that acts on the target's rows; B has those rows only, [end - start, rank]."""
    found, at = [], 0
    for block in update.blocks:
        columns = slice(at, at + block.rank)
        at += block.rank
        first, last = max(target.start, block.start), min(target.end, block.end)
        if first < last:
            b = torch.zeros(target.end - target.start, block.rank)
            b[first - target.start : last - target.start] = update.b[first:last, columns]
            found.append((update.a[columns].detach().cpu().float(), b, block.scale))
    return found


def _magnitude(module: str, update: LowRank, target: Target) -> Tensor:
    rows = None if update.magnitude is None else update.magnitude[target.start : target.end].detach().cpu().float()
    if rows is None or not rows.all():  # no weight's row is all zeros
        raise ValueError(f"the update of {module!r} has not the magnitudes of all rows that it is saved with")
    return rows.contiguous()


def _whole(number: float) -> float:
    return int(number) if number == int(number) else number
