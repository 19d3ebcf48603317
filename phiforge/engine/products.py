"""Which matrix product to use for which shape: measured once on each machine, and remembered.

On a CPU in fp32, torch multiplies by a weight as it lies in the file; oneDNN can do it on a copy in its own blocked
layout, which is up to four times as fast for a few rows on some machines, and slower for single rows of small weights.
`pack` gives every linear layer of a network the faster of the two for each number of rows, at the price of a second
copy of the weights in memory; where the copy never pays, or does not fit, the network stays as it is.

Quantised weights have our kernels and the same in torch's operators. Ours read the packed weights, which nothing beats
for few rows; for many, a processor that our kernels know little of may be faster the other way.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phiforge.files import whole
from phiforge.kernels import build
from phiforge.kernels.formats import LANES, Packed
from phiforge.kernels.linear import product
from phiforge.kernels.native import variant
from phiforge.model.phi3 import Linear, Phi3
from phiforge.model.quantized import QuantizedLinear
from phiforge.store.home import home_dir
from phiforge.store.machine import machine

ROWS = (1, 4, 16, 64)  # a choice for up to 1, 4 and 16 rows, and for more: measured at these
REPEATS = 5  # timings of each product; the least counts, as noise only adds
PAYS = 0.95  # the copy is used where it takes less than this share of the plain product's time
MEMORY_SHARE = 0.25  # of the free memory that the copy may take
OUTPUTS = 4096  # of a quantised weight are enough to measure it
ANY = 1 << 30  # rows


class PackedLinear(nn.Module):
    """x W^T without bias, for inference: with the packed copy where `pays` says so, with the weight itself elsewhere."""

    def __init__(self, weight: Tensor, pays: tuple[bool, ...]) -> None:
        super().__init__()
        self.weight = weight
        self._pays = pays
        self._packed = _reorder(weight)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.numel() // x.shape[-1]
        if self._pays[min(bisect_left(ROWS, rows), len(ROWS) - 1)] and not torch.is_grad_enabled():
            return _packed_product(x, self._packed)
        return F.linear(x, self.weight)


def pack(model: Phi3) -> Phi3:
    """Give the linear layers of a network, in place, the products that are fastest here. Its parameters stay the same.

    Whoever changes an fp32 weight afterwards has to pack again. Does nothing off the CPU, in other dtypes than fp32 and
    the quantised ones, without oneDNN or our kernels, and where memory is short.
    """
    quantised = [module for module in model.modules() if isinstance(module, QuantizedLinear)]
    if quantised:
        _choose_kernels(quantised)
        return model
    weights = {name: module.weight for name, module in model.named_modules() if isinstance(module, Linear)}
    wanted = [w for w in weights.values() if w.device.type == "cpu" and w.dtype == torch.float32]
    if len(wanted) < len(weights) or not _available():
        return model
    if sum(w.nbytes for w in wanted) > MEMORY_SHARE * machine().memory_available:
        return model
    pays = choices({tuple(w.shape) for w in wanted})
    with torch.no_grad():
        for name, weight in weights.items():
            shape = tuple(weight.shape)
            if any(pays[shape]):
                owner, _, leaf = name.rpartition(".")
                setattr(model.get_submodule(owner), leaf, PackedLinear(weight, pays[shape]))
    return model


def choices(shapes: set[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[bool, ...]]:
    """For each weight shape, whether the packed copy pays, for each of `ROWS`. Measures what this machine has not yet
    measured, and keeps it in `kernels.json` in Phiforge's home."""
    names = {shape: "x".join(map(str, shape)) for shape in shapes}
    known = remembered("", {name: lambda shape=shape: measure(shape) for shape, name in names.items()})
    return {shape: tuple(known[name]) for shape, name in names.items()}


def _choose_kernels(layers: list[QuantizedLinear]) -> None:
    if variant() is None or layers[0].weight.device.type != "cpu":
        return
    parts = [_part(layer.packed) for layer in layers]
    names = [f"{part.kind} {part.group} {part.n}x{part.k}" for part in parts]
    known = remembered(
        f", kernels {variant()} {build.source_hash()}",
        {name: lambda part=part: native_rows(part) for name, part in zip(names, parts, strict=True)},
    )
    for layer, name in zip(layers, names, strict=True):
        layer.native_rows = known[name]


def _part(packed: Packed) -> Packed:
    """Its first `OUTPUTS` outputs."""
    n = min(packed.n, OUTPUTS)
    scales = packed.scales
    if scales is not None:
        scales = scales[: n // LANES] if packed.kind == "int4" else scales[:n]
    return (
        packed if n == packed.n else Packed(packed.kind, n, packed.k, packed.group, packed.data[: n // LANES], scales)
    )


@torch.no_grad()
def native_rows(packed: Packed) -> int:
    """The most rows for which our kernel is the faster one, of `ROWS`; ANY where it always is."""
    most = ANY
    for fewer, rows in reversed(list(pairwise(ROWS))):
        x = torch.randn(rows, packed.k)
        ours, torchs = _seconds(lambda x=x: product(x, packed), lambda x=x: product(x, packed, native=False))
        if torchs >= PAYS * ours:
            break
        most = fewer
    return most


def remembered(about: str, measurements: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each measurement has given on this machine, now or earlier; `about` is what else it depends on."""
    file = home_dir() / "kernels.json"
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    key = f"{machine().cpu}, {torch.get_num_threads()} threads, torch {torch.__version__}{about}"
    mine: dict[str, Any] = known.setdefault(key, {})
    missing = measurements.keys() - mine.keys()
    for name in missing:
        mine[name] = measurements[name]()
    if missing:
        try:
            with whole(file) as partial:
                partial.write_text(json.dumps(known, indent=1))
        except OSError:
            pass  # a home that cannot be written costs a second measurement, no more
    return mine


@torch.no_grad()
def measure(shape: tuple[int, ...]) -> list[bool]:
    """Whether the packed product pays for a weight of this shape, for each of `ROWS`."""
    weight = torch.randn(shape)
    packed = _reorder(weight)
    pays = []
    for rows in ROWS:
        x = torch.randn(rows, shape[1])
        plain, other = _seconds(lambda x=x: F.linear(x, weight), lambda x=x: _packed_product(x, packed))
        pays.append(other < PAYS * plain)
    return pays


def _seconds(*works: Callable[[], Tensor]) -> list[float]:
    """The least time of each product, timed in turn."""
    least = [float("inf")] * len(works)
    for _ in range(REPEATS):
        for i, work in enumerate(works):
            start = time.perf_counter()
            work()
            least[i] = min(least[i], time.perf_counter() - start)
    return least


# torch's own compiler uses these two operators; they have no public name.


def _reorder(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), ROWS[2])


def _packed_product(x: Tensor, packed: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")


def _available() -> bool:
    """Whether this torch has the packed product and it gives the right answer."""
    try:
        with torch.no_grad():
            x, weight = torch.randn(3, 32), torch.randn(16, 32)
            return torch.allclose(_packed_product(x, _reorder(weight)), F.linear(x, weight), atol=1e-4)
    except (AttributeError, RuntimeError):
        return False
