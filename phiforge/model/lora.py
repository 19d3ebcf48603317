"""Low-rank adapters (LoRA, Hu et al. 2021): scale * x A^T B^T, added to the output x W^T of linear layers. Those of DoRA (Liu
et al. 2024) have a magnitude for each row as well, which W + scale B A is scaled to.

Here is what an adapter is, a fresh one for training, and `merge`, which adds one to the weights for good. `adapters.py`
puts them on a network, many at once; `peft.py` reads and writes their files.

Llama-type checkpoints keep apart what this network fuses, and so do their adapters. The parts are joined: A stacked, B
block-diagonal, and each `Block` remembers which rows of the output its columns of B may touch.

    R rank, summed over the blocks of a layer
    scale = alpha / rank, or alpha / sqrt(rank) for rsLoRA (Kalajdzievski 2023), of each block
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from phiforge.model.checkpoint import FUSED
from phiforge.model.config import ModelConfig
from phiforge.model.phi3 import Linear, Phi3


class Block(NamedTuple):
    """The next `rank` rows of A and columns of B: they act on rows start to end of the output only, times `scale`."""

    start: int
    end: int
    rank: int
    scale: float


@dataclass(frozen=True, slots=True)
class LowRank:
    """The update of one linear layer: a [R, d_in] and b [d_out, R]. What b holds outside its blocks counts as 0. DoRA's
    magnitude [d_out] is that of the new rows; what it holds outside the blocks changes nothing."""

    a: Tensor
    b: Tensor
    blocks: tuple[Block, ...]
    magnitude: Tensor | None = None

    def factor(self) -> Tensor:
        """[d_out, R], the scale inside the blocks and 0 outside: the update is x a^T (b * factor)^T."""
        factor, at = torch.zeros_like(self.b), 0
        for block in self.blocks:
            factor[block.start : block.end, at : at + block.rank] = block.scale
            at += block.rank
        return factor

    def covered(self) -> Tensor:
        """Which rows of the output are in a block, bool [d_out]."""
        found = torch.zeros(len(self.b), dtype=torch.bool, device=self.b.device)
        for block in self.blocks:
            found[block.start : block.end] = True
        return found

    def rows(self, start: int, end: int) -> LowRank:
        """What it is to rows start to end of the output alone."""

        def within(row: int) -> int:
            return min(max(row, start), end) - start

        blocks = tuple(block._replace(start=within(block.start), end=within(block.end)) for block in self.blocks)
        return LowRank(
            self.a, self.b[start:end], blocks, None if self.magnitude is None else self.magnitude[start:end]
        )

    def added(self, weight: Tensor) -> Tensor:
        """W + scale B A, fp32 [d_out, d_in], of the layer's weight W."""
        a, b = (x.to(weight.device, torch.float32) for x in (self.a, self.b * self.factor()))
        return weight.float() + b @ a

    def gain(self, weight: Tensor) -> Tensor | None:
        """What DoRA multiplies each row of W + scale B A by, fp32 [d_out], for the layer's weight [d_out, d_in]."""
        return None if self.magnitude is None else self._gain(self.magnitude, self.added(weight))

    def merged(self, weight: Tensor) -> Tensor:
        """The weight that does what W and the update do, fp32 [d_out, d_in]."""
        new = self.added(weight)
        return new if self.magnitude is None else new * self._gain(self.magnitude, new)[:, None]

    def _gain(self, magnitude: Tensor, new: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(new, dim=1)
        return torch.where(self.covered().to(new.device), magnitude.to(new.device).float() / norm, 1.0)


@dataclass(frozen=True, slots=True)
class Adapter:
    """Updates by the names of this network's modules, such as "layers.3.self_attn.qkv_proj". `rank` and `alpha` are
    what most targets have; each block has its own."""

    rank: int
    alpha: float
    rslora: bool
    updates: dict[str, LowRank]


class Target(NamedTuple):
    """Where a published linear layer, such as "self_attn.k_proj", is in this network: rows start to end of a module."""

    module: str
    start: int
    end: int
    d_in: int


class Part(NamedTuple):
    """The update of one published linear layer: a [r, d_in], b [rows, r], DoRA's magnitude [rows] if it has one."""

    target: Target
    a: Tensor
    b: Tensor
    scale: float
    magnitude: Tensor | None = None


def targets(config: ModelConfig) -> dict[str, Target]:
    """Every linear layer that an adapter may update in each decoder layer, under fused and split names alike."""
    q, kv, d, f = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim, config.d_model, config.d_ff
    modules = {
        "self_attn.qkv_proj": (d, (q, kv, kv)),
        "self_attn.o_proj": (q, (d,)),
        "mlp.gate_up_proj": (d, (f, f)),
        "mlp.down_proj": (f, (d,)),
    }
    found: dict[str, Target] = {}
    for module, (d_in, rows) in modules.items():
        found[module] = Target(module, 0, sum(rows), d_in)
        for i, piece in enumerate(FUSED.get(module, ())):
            found[piece] = Target(module, sum(rows[:i]), sum(rows[: i + 1]), d_in)
    return found


def published_targets(config: ModelConfig) -> dict[str, Target]:
    """Those of `targets` that the architecture's own checkpoints have."""
    split = config.architecture == "llama"
    return {
        name: target
        for name, target in targets(config).items()
        if (name not in FUSED if split else name == target.module)
    }


def scaling(rank: int, alpha: float, rslora: bool) -> float:
    return alpha / (math.sqrt(rank) if rslora else rank)


def join(config: ModelConfig, parts: Sequence[Part]) -> LowRank:
    """The parts of one module as its update. Parts that make up a whole module and share one A become one block."""
    first = parts[0]
    d_out = targets(config)[first.target.module].end
    magnitude = torch.zeros(d_out) if first.magnitude is not None else None
    if magnitude is not None:
        for part in parts:
            assert part.magnitude is not None
            magnitude[part.target.start : part.target.end] = part.magnitude
    whole = sum(part.target.end - part.target.start for part in parts) == d_out
    if whole and all(part.scale == first.scale and torch.equal(part.a, first.a) for part in parts):
        in_order = sorted(parts, key=lambda part: part.target.start)
        return LowRank(
            first.a, torch.cat([part.b for part in in_order]), (Block(0, d_out, len(first.a), first.scale),), magnitude
        )
    b, blocks, at = torch.zeros(d_out, sum(len(part.a) for part in parts)), [], 0
    for target, a, rows, scale, _ in parts:
        b[target.start : target.end, at : at + len(a)] = rows
        blocks.append(Block(target.start, target.end, len(a), scale))
        at += len(a)
    return LowRank(torch.cat([part.a for part in parts]), b, tuple(blocks), magnitude)


def new_adapter(
    config: ModelConfig,
    rank: int = 16,
    alpha: float = 32,
    modules: Sequence[str] = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    *,
    rslora: bool = False,
    generator: torch.Generator | None = None,
) -> Adapter:
    """A fresh adapter for training, which changes nothing yet: A from U(-1/sqrt(d_in), 1/sqrt(d_in)), B zero.

    Split names ("q_proj", "up_proj", ...) give each part its own A, as peft has it on Llama-type networks. Raises
    ValueError for a name that is no linear layer's, and for ranks below 1.
    """
    known = {name.rpartition(".")[2]: target for name, target in targets(config).items()}
    for name in modules:
        if name not in known:
            raise ValueError(f"no linear layer is called {name!r}; an adapter may update {', '.join(known)}")
    if rank < 1 or not modules:
        raise ValueError(f"rank = {rank} must be 1 or more" if modules else "modules names no layer for an adapter")
    scale = scaling(rank, alpha, rslora)
    updates: dict[str, LowRank] = {}
    for layer in range(config.n_layers):
        parts: dict[str, list[Part]] = {}
        for target in (target for name, target in known.items() if name in modules):
            a = torch.empty(rank, target.d_in).uniform_(-1, 1, generator=generator) / math.sqrt(target.d_in)
            b = torch.zeros(target.end - target.start, rank)
            parts.setdefault(target.module, []).append(Part(target, a, b, scale))
        updates |= {f"layers.{layer}.{module}": join(config, of_module) for module, of_module in parts.items()}
    return Adapter(rank, alpha, rslora, updates)


@torch.no_grad()
def difference(model: Phi3, start: Phi3, rank: int) -> Adapter:
    """The adapter of this rank that turns the layers of `start` into about those of `model`: of each published matrix' difference
    the largest singular values. Exact where what was learnt has that rank."""
    updates: dict[str, LowRank] = {}
    for layer in range(model.config.n_layers):
        parts: dict[str, list[Part]] = {}
        for target in published_targets(model.config).values():
            module, rows = f"layers.{layer}.{target.module}", slice(target.start, target.end)
            new, old = (cast(Linear, network.get_submodule(module)).weight[rows].float() for network in (model, start))
            u, s, v = torch.linalg.svd(new - old, full_matrices=False)
            root = s[:rank].sqrt()
            part = Part(target, root[:, None] * v[:rank], u[:, :rank] * root, 1.0)
            parts.setdefault(module, []).append(part)
        updates |= {module: join(model.config, of_module) for module, of_module in parts.items()}
    return Adapter(rank, rank, False, updates)


def spread(adapter: Adapter, most: float) -> Adapter:
    """The same adapter, for a type of numbers that ends at `most`: its A and B as large as fit, and as one another, and alpha as
    much smaller, by a power of two."""
    sizes = {name: (float(u.a.abs().max()), float(u.b.abs().max())) for name, u in adapter.updates.items()}
    largest = max(a * b for a, b in sizes.values()) or 1.0
    times = 2.0 ** math.floor(math.log2(most**2 / largest))
    updates: dict[str, LowRank] = {}
    for name, update in adapter.updates.items():
        a, b = sizes[name]
        up = math.sqrt(times * b / a) if a * b else 1.0
        blocks = tuple(block._replace(scale=block.scale / times) for block in update.blocks)
        updates[name] = replace(update, a=update.a * up, b=update.b * (times / up), blocks=blocks)
    return Adapter(adapter.rank, adapter.alpha / times, adapter.rslora, updates)


def check(config: ModelConfig, adapter: Adapter) -> None:
    """Raises ValueError unless every update fits a linear layer of the network."""
    whole = [target for name, target in targets(config).items() if name == target.module]
    fits = {
        f"layers.{i}.{target.module}": (target.end, target.d_in) for i in range(config.n_layers) for target in whole
    }
    for name, update in adapter.updates.items():
        if name not in fits:
            raise ValueError(f"the adapter updates {name!r}, which this network does not have")
        d_out, d_in = fits[name]
        rank = sum(block.rank for block in update.blocks)
        if update.a.shape != (rank, d_in) or update.b.shape != (d_out, rank):
            raise ValueError(
                f"the adapter's update of {name!r} has A {tuple(update.a.shape)} and B {tuple(update.b.shape)}; "
                f"this network needs {(rank, d_in)} and {(d_out, rank)}"
            )
        if update.magnitude is not None and update.magnitude.shape != (d_out,):
            raise ValueError(f"the magnitude of {name!r} is {tuple(update.magnitude.shape)}, not {(d_out,)}")


@torch.no_grad()
def merge(model: Phi3, adapter: Adapter) -> None:
    """Add the adapter to the weights, in place: all of it, or ValueError before anything changed.

    Only plain weights take it; a quantised or packed network is made from the merged one.
    """
    check(model.config, adapter)
    layers: dict[str, Linear] = {}
    for name in adapter.updates:
        layer = model.get_submodule(name)
        if not isinstance(layer, Linear):
            raise ValueError(f"{name} is a {type(layer).__name__}; an adapter merges into plain weights only")
        layers[name] = layer
    for name, layer in layers.items():
        old = layer.weight
        # A new tensor, as the old one may be a file's pages.
        layer.weight = nn.Parameter(adapter.updates[name].merged(old).to(old.dtype), requires_grad=old.requires_grad)
