"""Checkpoints in the official Hugging Face layout, in and out: config.json and safetensors, single or sharded.

Reading is memory-mapped: where a tensor is stored as the network wants it, the parameter *is* the file's pages, and
otherwise some rows are converted and their pages let go before the next, so that peak memory stays at the size of the
loaded weights plus one block. Everything is checked by name and shape before the first byte of weights is read: a
network is loaded whole or not at all.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from phiforge.files import whole
from phiforge.model.config import ModelConfig, config_to_hf, read_config
from phiforge.model.phi3 import Phi3

SHARD_BYTES = 5_000_000_000
BLOCK = 1_000_000  # numbers converted at a time; more would show in the peak memory of small models
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

# Llama-type checkpoints keep apart what this network fuses; the parts are joined by rows in this order.
FUSED = {
    "self_attn.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "mlp.gate_up_proj": ("mlp.gate_proj", "mlp.up_proj"),
}


class CheckpointError(ValueError):
    """A checkpoint that cannot be loaded; the message names the file, the tensor and what was expected."""


class TensorSource(Protocol):
    """Where weights come from: names in the checkpoint's own spelling, shapes before data, rows before whole tensors."""

    mapped: bool  # whether `read` of a whole tensor gives the file's own pages
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, torch.dtype]  # what `read` gives

    def read(self, name: str, rows: slice = slice(None)) -> Tensor: ...

    def where(self, name: str) -> str:
        """The file that holds the tensor, for error messages."""
        ...


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


class SafetensorsFolder:
    """The weights of a folder in Hugging Face layout. Raises CheckpointError for missing, damaged or inconsistent files."""

    mapped = True

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        self.files: dict[str, Path] = {}
        index = self.folder / INDEX
        if not index.exists():
            self._scan(self.folder / WEIGHTS)
            return
        try:
            listed = msgspec.json.decode(index.read_bytes(), type=_Index).weight_map
        except msgspec.DecodeError as error:
            raise CheckpointError(f"{index}: damaged, or no index of weights ({error})") from None
        for file in sorted(set(listed.values())):
            self._scan(self.folder / file)
        for name, file in listed.items():
            if self.files.get(name) != self.folder / file:
                raise CheckpointError(f"{index}: says that {file} holds tensor {name!r}, but that file does not")

    def _scan(self, file: Path) -> None:
        if not file.exists():
            raise CheckpointError(f"{file}: not found; the checkpoint is incomplete")
        try:
            with safe_open(file, "pt") as shard:
                for name in shard.keys():  # noqa: SIM118 (safe_open is no mapping)
                    header = shard.get_slice(name)
                    if header.get_dtype() not in DTYPES:
                        raise CheckpointError(
                            f"{file}: tensor {name!r} is stored as {header.get_dtype()}; supported are {', '.join(DTYPES)}"
                        )
                    self.shapes[name] = tuple(header.get_shape())
                    self.dtypes[name] = DTYPES[header.get_dtype()]
                    self.files[name] = file
        except SafetensorError as error:
            size = file.stat().st_size
            raise CheckpointError(
                f"{file}: truncated or damaged ({error}; it has {size:,} bytes); fetch it again"
            ) from None

    def read(self, name: str, rows: slice = slice(None)) -> Tensor:
        # One opening a call: the pages that were read leave memory with their mapping.
        with safe_open(self.files[name], "pt") as shard:
            return shard.get_tensor(name) if rows == slice(None) else shard.get_slice(name)[rows]

    def where(self, name: str) -> str:
        return str(self.files.get(name, self.folder))


def load(
    folder: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Phi3:
    """Load a checkpoint folder. `dtype` None keeps the stored one (then weights stay memory-mapped on the CPU).

    A folder of ours with quantised weights gives a quantised network, or a dequantised one where a `dtype` is given.
    """
    from phiforge.model import quantized_files, quantized_source  # which are built on this file

    if quantized_files.read_scheme(folder) is not None:
        if dtype is None:
            return quantized_files.load(folder, device=device)
        return assemble(read_config(folder), quantized_source.QuantizedFolder(folder), dtype=dtype, device=device)
    return assemble(read_config(folder), SafetensorsFolder(folder), dtype=dtype, device=device)


def assemble(
    config: ModelConfig,
    source: TensorSource,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Phi3:
    """Build the network of `config` from the tensors of `source`, in eval mode. Raises CheckpointError.

    `dtype` None keeps the stored one; a source that mixes several, as with norms in fp32, comes to the config's.
    """
    with torch.device("meta"):
        model = Phi3(config)
    plan = parts_of(model, source)
    stored = {source.dtypes[part] for parts in plan.values() for part in parts}
    wanted: torch.dtype = dtype or (stored.pop() if len(stored) == 1 else getattr(torch, config.dtype))
    for name, parts in plan.items():
        owner, _, leaf = name.rpartition(".")
        tensor = read_parameter(source, parts, wanted, device)
        setattr(model.get_submodule(owner), leaf, nn.Parameter(tensor, requires_grad=False))
    if config.tied_embeddings:
        model.lm_head.weight = model.embed_tokens.weight
    model.rotary.to(device)
    return model.eval()


def parts_of(model: Phi3, source: TensorSource) -> dict[str, tuple[str, ...]]:
    """For each parameter the source tensors whose rows make it up. Raises CheckpointError unless all fit exactly."""
    plan: dict[str, tuple[str, ...]] = {}
    for name, parameter in model.named_parameters():
        parts = (published(name),)
        for fused, pieces in FUSED.items():
            split = tuple(parts[0].replace(fused, piece) for piece in pieces)
            if f".{fused}." in name and any(part in source.shapes for part in split):
                parts = split
        shapes = part_shapes(model.config, name, tuple(parameter.shape), len(parts))
        for part, expected in zip(parts, shapes, strict=True):
            if part not in source.shapes:
                raise CheckpointError(f"{source.where(part)}: tensor {part!r} is missing; expected shape {expected}")
            if source.shapes[part] != expected:
                raise CheckpointError(
                    f"{source.where(part)}: tensor {part!r} has shape {source.shapes[part]}, but the config needs {expected}"
                )
        plan[name] = parts

    unused = source.shapes.keys() - {part for parts in plan.values() for part in parts}
    unused = {name for name in unused if not name.endswith("rotary_emb.inv_freq")}  # older files keep this buffer
    if model.config.tied_embeddings and "lm_head.weight" in unused:
        if not torch.equal(source.read("lm_head.weight"), source.read("model.embed_tokens.weight")):
            raise CheckpointError(
                f"{source.where('lm_head.weight')}: the config says embeddings are tied, "
                "but 'lm_head.weight' differs from 'model.embed_tokens.weight'"
            )
        unused.discard("lm_head.weight")
    if unused:
        first = min(unused)
        raise CheckpointError(
            f"{source.where(first)}: {len(unused)} tensors have no place in this network, "
            f"the first is {first!r} with shape {source.shapes[first]}"
        )
    return plan


def published(name: str) -> str:
    """A parameter's name in the checkpoint's spelling."""
    return name if name.startswith("lm_head.") else f"model.{name}"


def part_shapes(config: ModelConfig, name: str, whole: tuple[int, ...], n_parts: int) -> list[tuple[int, ...]]:
    """The shapes of the tensors that make up one parameter."""
    if n_parts == 1:
        return [whole]
    rows = [config.d_ff] * 2
    if n_parts == 3:
        rows = [config.n_heads * config.head_dim, *[config.n_kv_heads * config.head_dim] * 2]
    return [(r, *whole[1:]) for r in rows]


def read_parameter(
    source: TensorSource, parts: tuple[str, ...], dtype: torch.dtype, device: torch.device | str
) -> Tensor:
    """A tensor that fits is taken as it is; one to convert, or several to join row-wise, is copied a block at a time."""
    if source.mapped and len(parts) == 1 and source.dtypes[parts[0]] == dtype:
        return source.read(parts[0]).to(device)
    shapes = [source.shapes[part] for part in parts]
    whole = torch.empty((sum(shape[0] for shape in shapes), *shapes[0][1:]), dtype=dtype, device=device)
    at = 0
    for part, (n_rows, *columns) in zip(parts, shapes, strict=True):
        step = max(1, BLOCK // math.prod(columns))
        for start in range(0, n_rows, step):
            block = source.read(part, slice(start, min(start + step, n_rows)))
            whole[at : at + len(block)] = block
            at += len(block)
    return whole


def read_rows(source: TensorSource, parts: tuple[str, ...], start: int, stop: int) -> Tensor:
    """Rows start to stop of tensors joined by rows, in the dtype they are stored in."""
    found: list[Tensor] = []
    for part in parts:
        n = source.shapes[part][0]
        if start < n and stop > 0:
            found.append(source.read(part, slice(max(start, 0), min(stop, n))))
        start, stop = start - n, stop - n
    return found[0] if len(found) == 1 else torch.cat(found)


def save(model: Phi3, folder: str | os.PathLike[str], *, shard_bytes: int = SHARD_BYTES) -> None:
    """Write the network in the layout of its architecture: config.json, generation_config.json and safetensors.

    phi3 keeps the fused projections, llama gets them split. Each file appears whole or not at all; config.json comes
    last, so that an interrupted save is no checkpoint.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config
    (folder / "config.json").unlink(missing_ok=True)

    shards: list[dict[str, Tensor]] = [{}]
    size = total = 0
    for name, tensor in published_tensors(model):
        if size and size + tensor.nbytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
        total += tensor.nbytes

    names = (
        [WEIGHTS]
        if len(shards) == 1
        else [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    )
    for file, shard in zip(names, shards, strict=True):
        write_tensors(folder / file, {name: tensor.contiguous() for name, tensor in shard.items()})
    for stale in folder.glob("model*.safetensors*"):
        if stale.name not in names:
            stale.unlink()
    if len(shards) > 1:
        weight_map = {name: file for file, shard in zip(names, shards, strict=True) for name in shard}
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})

    write_config(folder, config, {"torch_dtype": str(next(model.parameters()).dtype).removeprefix("torch.")})


def write_config(folder: Path, config: ModelConfig, more: dict[str, object]) -> None:
    """Write generation_config.json and config.json with `more` fields: a checkpoint's last step."""
    fields = config_to_hf(config) | more
    tokens = {key: fields[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id") if fields[key] is not None}
    write_json(folder / "generation_config.json", tokens)
    write_json(folder / "config.json", fields)


def published_tensors(model: Phi3) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors as the architecture publishes them. Split parts are views: nothing is copied."""
    config = model.config
    for name, parameter in model.named_parameters():  # a tied lm_head is listed once, as embed_tokens
        tensor = parameter.detach()
        pieces = next(
            (p for fused, p in FUSED.items() if config.architecture == "llama" and f".{fused}." in name), None
        )
        if pieces is None:
            yield published(name), tensor
            continue
        shapes = part_shapes(config, name, tuple(tensor.shape), len(pieces))
        fused = next(f for f in FUSED if f".{f}." in name)
        for piece, part in zip(pieces, tensor.split([s[0] for s in shapes]), strict=True):
            yield published(name).replace(fused, piece), part


def write_json(file: Path, content: object) -> None:
    """Write the file whole or not at all."""
    with whole(file) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def write_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write contiguous tensors, whole or not at all."""
    with whole(file) as partial:
        partial.touch()
        mode = partial.stat().st_mode  # what the umask allows; save_file would make the file private
        save_file(tensors, partial, metadata={"format": "pt"})
        partial.chmod(mode)
