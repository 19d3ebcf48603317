"""Networks and adapters that act, and their updates written out: what tests of adapters compare with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from msgspec.structs import replace
from torch import Tensor

from phiforge.model.config import PRESETS, ModelConfig, Rope, shrink
from phiforge.model.lora import Adapter, LowRank, new_adapter
from phiforge.model.phi3 import Phi3

PHI3 = shrink(PRESETS["phi-4-mini-instruct"], head_dim=16)
LLAMA = replace(shrink(PRESETS["phi-4"], head_dim=16), architecture="llama", norm_eps=1e-6, rope=Rope(theta=10_000.0))
CONFIGS = {"phi3": PHI3, "llama": LLAMA}
FUSED_NAMES = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
SPLIT_NAMES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
IDS = torch.randint(3, 512, (3, 12), generator=torch.Generator().manual_seed(0))
Factory = Callable[..., Any]
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def adapter(config: ModelConfig, seed: int = 0, modules: tuple[str, ...] = FUSED_NAMES, **options: Any) -> Adapter:
    """One that acts: B drawn, inside its blocks and outside."""
    generator = torch.Generator().manual_seed(seed)
    fresh = new_adapter(config, **({"rank": 4, "alpha": 6, "modules": modules, "generator": generator} | options))
    updates = {
        name: LowRank(update.a, torch.randn(update.b.shape, generator=generator) * 0.3, update.blocks)
        for name, update in fresh.updates.items()
    }
    return Adapter(fresh.rank, fresh.alpha, fresh.rslora, updates)


def dense(adapter: Adapter) -> dict[str, Tensor]:
    """Every update as one matrix, block by block, written out."""
    found = {}
    for name, update in adapter.updates.items():
        total, at = torch.zeros(len(update.b), update.a.shape[1]), 0
        for start, end, rank, scale in update.blocks:
            total[start:end] += scale * update.b[start:end, at : at + rank] @ update.a[at : at + rank]
            at += rank
        found[name] = total
    return found


def merged(model: Phi3, adapter: Adapter | None) -> Phi3:
    """A copy of the network with the update in its weights; not by `merge`."""
    twin = Phi3(model.config)
    twin.load_state_dict(copy.deepcopy(model.state_dict()))
    for name, update in dense(adapter).items() if adapter else ():
        twin.get_submodule(name).weight.data += update
    return twin.eval()


@torch.inference_mode()
def logits(model: Any, ids: Tensor = IDS) -> Tensor:
    out = model(ids)
    return out if isinstance(out, Tensor) else out.logits


def assert_close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> None:
    assert a.shape == b.shape
    assert (a - b).abs().max() <= tolerance * max(1.0, float(b.abs().max())), float((a - b).abs().max())


def assert_same(ours: Adapter, theirs: Adapter) -> None:
    a, b = dense(ours), dense(theirs)
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=1e-6, rtol=1e-6)


def loss_of(model: Phi3) -> Tensor:
    out = model(IDS[:, :-1])
    return F.cross_entropy(out.flatten(0, 1), IDS[:, 1:].flatten())
