"""Quantised networks on disk: written a few rows at a time from any source, and opened as the file's own pages.

A folder in Hugging Face layout whose config.json says `quantization_config: {"quant_method": "phiforge", ...}` and whose
model.safetensors holds packed weights (kernels/formats.py) under the published names, fused, with their scales beside
them ("model.layers.0.mlp.down_proj.weight", "....scales").
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from phiforge.kernels import formats
from phiforge.kernels.formats import LANES, Packed
from phiforge.model.checkpoint import (
    WEIGHTS,
    CheckpointError,
    TensorSource,
    parts_of,
    published,
    read_rows,
    write_config,
)
from phiforge.model.config import QUANT_METHOD, ModelConfig, read_config
from phiforge.model.phi3 import Linear, Phi3
from phiforge.model.quantized import (
    QuantizedEmbedding,
    QuantizedLinear,
    Scheme,
    arguments,
    check,
    embedding_kind,
    put,
    quantize_rows,
    scheme,
    scheme_of,
)

BLOCK = 2_000_000  # source weights in memory at a time
ALIGNMENT = 64  # bytes; a cache line, and every vector register
DTYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8", torch.uint8: "U8"
}  # fmt: skip

_T = TypeVar("_T")

# progress(what is being done, weights done, weights in all)
Progress = Callable[[str, int, int], None]


class Entry(NamedTuple):
    """One tensor of the file."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]


def entries(model: Phi3, wanted: Scheme) -> dict[str, list[Entry]]:
    """For each module of an unquantised network (on meta, usually) the tensors that the file keeps of it.

    Raises ValueError, naming the layer, where the kind cannot hold a shape.
    """
    found: dict[str, list[Entry]] = {}
    for module, layer in model.named_modules():
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, Tensor):
            continue
        if isinstance(layer, Linear):
            n, k = weight.shape
            check(module, (n, k), wanted)
            kind, group = arguments(wanted.of(module))
            shapes, dtypes = formats.packed_shapes(n, k, kind, group), formats.dtypes(kind)
        elif isinstance(layer, nn.Embedding):
            whole = embedding_kind(wanted.kind) == "bf16"
            shapes = (tuple(weight.shape), None if whole else (len(weight),))
            dtypes = (torch.bfloat16, None) if whole else (torch.int8, torch.float32)
        else:
            shapes, dtypes = (tuple(weight.shape), None), (torch.float32, None)  # a norm
        found[module] = [Entry(published(f"{module}.weight"), dtypes[0], shapes[0])]
        if shapes[1] is not None and dtypes[1] is not None:
            found[module].append(Entry(published(f"{module}.scales"), dtypes[1], shapes[1]))
    return found


# --- writing ------------------------------------------------------------------------------------------------------


def convert_quantized(
    config: ModelConfig,
    source: TensorSource,
    folder: str | os.PathLike[str],
    kind: formats.Kind,
    group: int = 32,
    *,
    head: formats.Kind | None = None,
    progress: Progress | None = None,
) -> Scheme:
    """Write the quantised form of a source's network, never holding more than a few rows of it. Raises CheckpointError
    for a source that does not fit the config, ValueError for weights the kind cannot hold.

    The weights' file appears whole or not at all, and config.json comes last.
    """
    wanted = scheme(kind, group, head)
    with torch.device("meta"):
        model = Phi3(config)
    parts = parts_of(model, source)
    if config.tied_embeddings:
        parts["lm_head.weight"] = parts["embed_tokens.weight"]
    listed = entries(model, wanted)
    weights = {module: model.get_parameter(f"{module}.weight") for module in listed}
    total = sum(weight.numel() for weight in weights.values())

    def pack(module: str, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        rows = read_rows(source, parts[f"{module}.weight"], start, stop)
        layer = model.get_submodule(module)
        if isinstance(layer, Linear):
            packed = formats.quantize(rows, *arguments(wanted.of(module)))
            return packed.data, packed.scales
        return quantize_rows(rows, embedding_kind(kind)) if isinstance(layer, nn.Embedding) else (rows.float(), None)

    def chunks() -> Iterator[Tensor]:
        done, jobs = 0, []
        for module, weight in weights.items():
            step = max(1, BLOCK // (LANES * math.prod(weight.shape[1:]))) * LANES
            jobs += [(module, at, min(at + step, len(weight))) for at in range(0, len(weight), step)]
        scales: list[Tensor] = []
        for (module, start, stop), (data, scale) in _in_order(pack, jobs):
            yield data
            scales += [] if scale is None else [scale]
            if stop == len(weights[module]) and scales:
                yield torch.cat(scales)
                scales.clear()
            done += (stop - start) * math.prod(weights[module].shape[1:])
            if progress is not None:
                progress(module, done, total)

    _write(Path(folder), config, wanted, (entry for found in listed.values() for entry in found), chunks())
    return wanted


def _in_order(work: Callable[..., _T], jobs: list[tuple[str, int, int]]) -> Iterator[tuple[tuple[str, int, int], _T]]:
    """Each job with its result, in order, worked on by as many threads as torch may use, a few jobs ahead.

    One thread of torch's for each of ours: its own pool would wait at every small operation, and on a machine that is
    busy besides, that made this a hundred times slower.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(n_threads) as pool:
            ahead: deque[tuple[tuple[str, int, int], Future[_T]]] = deque()
            try:
                for job in jobs:
                    ahead.append((job, pool.submit(work, *job)))
                    if len(ahead) > n_threads:
                        first, result = ahead.popleft()
                        yield first, result.result()
                while ahead:
                    first, result = ahead.popleft()
                    yield first, result.result()
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        torch.set_num_threads(n_threads)


def save_quantized(model: Phi3, folder: str | os.PathLike[str]) -> None:
    """Write a quantised network. Raises ValueError for one that is not."""
    wanted = scheme_of(model)
    if wanted is None:
        raise ValueError(
            "the network is not quantised: checkpoint.save writes it, or quantize(model, kind) comes first"
        )
    with torch.device("meta"):
        listed = [entry for found in entries(Phi3(model.config), wanted).values() for entry in found]
    tensors = {published(name): tensor.detach() for name, tensor in model.state_dict().items()}
    _write(Path(folder), model.config, wanted, listed, (tensors[entry.name].cpu() for entry in listed))


def _write(
    folder: Path, config: ModelConfig, wanted: Scheme, listed: Iterable[Entry], chunks: Iterable[Tensor]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for entry in listed:
        size = math.prod(entry.shape) * entry.dtype.itemsize
        header[entry.name] = {
            "dtype": DTYPES[entry.dtype], "shape": entry.shape, "data_offsets": [end, end + size]
        }  # fmt: skip
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    partial = folder / f".{WEIGHTS}.part"
    try:
        with partial.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for chunk in chunks:
                file.write(chunk.contiguous().flatten().view(torch.uint8).numpy())  # type: ignore[arg-type]  (numpy has no bf16)
            written = file.tell() - len(text) - 8
            assert written == end, f"{written} bytes written where {end} were announced"
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / WEIGHTS)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    for stale in folder.glob("model*.safetensors*"):
        if stale.name != WEIGHTS:
            stale.unlink()
    quantization = {"quant_method": QUANT_METHOD, "version": 1, **msgspec.structs.asdict(wanted)}
    write_config(folder, config, {"quantization_config": quantization})


# --- reading ------------------------------------------------------------------------------------------------------


def read_scheme(folder: str | os.PathLike[str]) -> Scheme | None:
    """How the network in a folder is quantised by us; None where it is not. Raises CheckpointError for another version."""
    file = Path(folder) / "config.json"
    try:
        fields = json.loads(file.read_text()).get("quantization_config") or {}
    except (OSError, ValueError, AttributeError):
        return None  # read_config says what is wrong with it
    if fields.get("quant_method") != QUANT_METHOD:
        return None
    if fields.get("version") != 1:
        raise CheckpointError(
            f"{file}: quantised in version {fields.get('version')} of the format, and this release reads 1"
        )
    try:
        return msgspec.convert(fields, Scheme)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{file}: quantization_config: {error}") from None


def load(folder: str | os.PathLike[str], *, device: torch.device | str = "cpu") -> Phi3:
    """Open a quantised network, in eval mode. On the CPU its weights are the file's pages, read when they are used.

    Raises CheckpointError for a file that is damaged or does not fit its config.
    """
    folder, wanted = Path(folder), read_scheme(folder)
    if wanted is None:
        raise CheckpointError(f"{folder}: its config.json does not say that the weights are quantised by Phiforge")
    with torch.device("meta"):
        model = Phi3(read_config(folder))
    listed = _listed(folder, model, wanted)
    tensors = _open(folder, listed)
    for module, found in listed.items():
        weight, *rest = (tensors[entry.name].to(device) for entry in found)
        scales = rest[0] if rest else None
        layer = model.get_submodule(module)
        if isinstance(layer, Linear):
            kind, group = wanted.of(module)
            n, k = layer.weight.shape
            put(model, module, QuantizedLinear(Packed(kind, n, k, group, weight, scales)))
        elif isinstance(layer, nn.Embedding):
            put(model, module, QuantizedEmbedding(weight, scales))
        else:
            layer.weight = nn.Parameter(weight, requires_grad=False)
    model.rotary.to(device)
    return model.eval()


def _listed(folder: Path, model: Phi3, wanted: Scheme) -> dict[str, list[Entry]]:
    try:
        return entries(model, wanted)
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None


def _open(folder: Path, listed: dict[str, list[Entry]]) -> dict[str, Tensor]:
    """Every tensor as the file's pages, checked by name, dtype and shape."""
    file = folder / WEIGHTS
    if not file.exists():
        raise CheckpointError(f"{file}: not found; the checkpoint is incomplete")
    expected = {entry.name: entry for found in listed.values() for entry in found}
    try:
        with safe_open(file, "pt") as shard:
            tensors = {name: shard.get_tensor(name) for name in shard.keys()}  # noqa: SIM118 (safe_open is no mapping)
    except SafetensorError as error:
        raise CheckpointError(f"{file}: truncated or damaged ({error}); quantise the model again") from None
    for name, entry in expected.items():
        if name not in tensors:
            raise CheckpointError(f"{file}: tensor {name!r} is missing; expected shape {entry.shape}")
        if (tensors[name].dtype, tuple(tensors[name].shape)) != (entry.dtype, entry.shape):
            raise CheckpointError(
                f"{file}: tensor {name!r} is {tensors[name].dtype} {tuple(tensors[name].shape)}, "
                f"but the config needs {entry.dtype} {entry.shape}"
            )
    if unused := sorted(tensors.keys() - expected.keys()):
        raise CheckpointError(
            f"{file}: {len(unused)} tensors have no place in this network, the first is {unused[0]!r}"
        )
    return tensors
