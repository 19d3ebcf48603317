"""DoRA (Liu et al. 2024): adapters with a magnitude for each row, against peft, in training, on disk, merged and served."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file
from torch import Tensor

from phiforge.model import checkpoint
from phiforge.model.adapters import Adapters
from phiforge.model.checkpoint import SafetensorsFolder
from phiforge.model.config import PRESETS, Rope, shrink
from phiforge.model.lora import Adapter, LowRank, merge, new_adapter
from phiforge.model.lora_source import Updated
from phiforge.model.peft import WEIGHTS, load_adapter, save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.model.quantized import quantize
from phiforge.train.lora import attach, detach
from phiforge.train.rollouts import plain_weights

PHI3 = shrink(PRESETS["phi-4-mini-instruct"], head_dim=16)
LLAMA = replace(shrink(PRESETS["phi-4"], head_dim=16), architecture="llama", norm_eps=1e-6, rope=Rope(theta=10_000.0))
CONFIGS = {"phi3": PHI3, "llama": LLAMA}
MODULES = {
    "phi3": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "llama": ("q_proj", "v_proj", "o_proj", "up_proj", "down_proj"),  # k_proj and gate_proj are left alone
}
IDS = torch.randint(3, 512, (3, 12), generator=torch.Generator().manual_seed(0))
Factory = Callable[..., Any]
every_config = pytest.mark.parametrize("name", CONFIGS)


def logits(model: Any) -> Tensor:
    with torch.no_grad():
        found = model(IDS)
    return found if isinstance(found, Tensor) else found.logits


def assert_close(one: Tensor, other: Tensor) -> None:
    """Within 1e-5 of the largest logit."""
    torch.testing.assert_close(one, other, atol=1e-5 * float(other.abs().max()), rtol=0)


def drawn(model: Phi3, name: str) -> Adapter:
    """An adapter of this network that changes it: b is not zero, and the magnitudes are not what they were."""
    adapter, chance = new_adapter(model.config, 4, 6, MODULES[name]), torch.Generator().manual_seed(1)
    begun = detach(attach(deepcopy(model), adapter, dora=True), adapter)
    updates: dict[str, LowRank] = {}
    for module, update in begun.updates.items():
        assert update.magnitude is not None
        far = 1 + 0.3 * torch.randn(update.magnitude.shape, generator=chance)
        b = 0.1 * torch.randn(update.b.shape, generator=chance)
        updates[module] = LowRank(
            update.a, b, update.blocks, update.magnitude * torch.where(update.covered(), far, 1.0)
        )
    return Adapter(adapter.rank, adapter.alpha, adapter.rslora, updates)


@every_config
def test_a_fresh_one_changes_nothing_and_all_ways_agree(name: str, network: Factory, tmp_path: Path) -> None:
    model = network(CONFIGS[name])
    plain = logits(model)
    fresh = new_adapter(model.config, 4, 6, MODULES[name])
    assert_close(logits(attach(deepcopy(model), fresh, dora=True)), plain)

    adapter = drawn(model, name)
    trained = attach(deepcopy(model), adapter)
    expected = logits(trained)
    assert (expected - plain).abs().max() > 0.1
    merged = deepcopy(model)
    merge(merged, adapter)
    assert_close(logits(merged), expected)
    weights = plain_weights(trained)  # as rollouts have them
    for module in adapter.updates:
        torch.testing.assert_close(weights[f"{module}.weight"], merged.get_submodule(module).weight)

    save_adapter(adapter, tmp_path, model.config)
    again = load_adapter(tmp_path, model.config)
    for module, update in adapter.updates.items():
        assert update.magnitude is not None
        other, covered = again.updates[module].magnitude, update.covered()
        assert other is not None
        assert torch.equal(other[covered], update.magnitude[covered])
    checkpoint.save(model, tmp_path / "base")
    read = Updated(SafetensorsFolder(tmp_path / "base"), model.config, tmp_path)
    assert_close(logits(checkpoint.assemble(model.config, read, dtype=torch.float32)), expected)
    projection = next(each for each in read.shapes if each.endswith("down_proj.weight"))
    assert torch.equal(read.read(projection, slice(3, 9)), read.read(projection)[3:9])
    served = deepcopy(model)
    adapters = Adapters(served)
    adapters.add("one", again)
    assert torch.equal(logits(served), plain)
    adapters.select("one")
    assert_close(logits(served), expected)
    adapters.select([("one", 12, 24), (None, 24, 36)])  # the second text alone
    mixed = logits(served)
    assert_close(mixed[1], expected[1])
    assert_close(mixed[::2], plain[::2])
    adapters.select(None)
    adapters.remove("one")
    assert torch.equal(logits(served), plain)


def test_one_is_served_on_a_quantised_network(network: Factory) -> None:
    model = network(replace(PHI3, d_model=128, d_ff=256))
    adapter = drawn(model, "phi3")
    served = quantize(deepcopy(model), "int8")
    adapters = Adapters(served)
    adapters.add("one", adapter)
    plain, rounded = logits(model), logits(served)
    adapters.select("one")
    expected = logits(attach(deepcopy(model), adapter))
    off = (logits(served) - expected).norm() / expected.norm()
    assert off < 2 * (rounded - plain).norm() / plain.norm()  # what rounding costs without an adapter
    assert off < 0.3 * (plain - expected).norm() / expected.norm()


def test_what_cannot_be_is_refused(network: Factory, tmp_path: Path) -> None:
    model = network(PHI3)
    adapter = drawn(model, "phi3")
    with pytest.raises(ValueError, match=r"is trained by phiforge\.train\.lora"):
        Adapters(model).add("one", adapter, trainable=True)
    half = deepcopy(adapter)
    update = half.updates["layers.0.mlp.down_proj"]
    half.updates["layers.0.mlp.down_proj"] = LowRank(update.a, update.b, update.blocks)
    with pytest.raises(ValueError, match=r"'layers\.0\.mlp\.down_proj' has not the magnitudes of all rows"):
        save_adapter(half, tmp_path, PHI3)
    half.updates["layers.0.mlp.down_proj"] = LowRank(update.a, update.b, update.blocks, torch.ones(3))
    with pytest.raises(ValueError, match=r"the magnitude of 'layers\.0\.mlp\.down_proj' is \(3,\), not \(96,\)"):
        merge(model, half)
    # The magnitudes of q alone, saved for a network whose files have q, k and v in one.
    part = drawn(network(LLAMA), "llama")
    save_adapter(part, tmp_path, LLAMA)
    fused = replace(LLAMA, architecture="phi3")
    with pytest.raises(ValueError, match="has not the magnitudes of all rows"):
        save_adapter(load_adapter(tmp_path, fused), tmp_path / "fused", fused)


# --- against peft -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peft() -> Any:
    return pytest.importorskip("peft", reason="peft is not installed; it is an oracle, not a dependency")


@every_config
def test_peft_computes_what_we_do(name: str, peft: Any, network: Factory, oracle: Factory, tmp_path: Path) -> None:
    model = network(CONFIGS[name])
    adapter = drawn(model, name)
    save_adapter(adapter, tmp_path, model.config)
    theirs = peft.PeftModel.from_pretrained(oracle(model), tmp_path).eval()
    assert_close(logits(attach(deepcopy(model), adapter)), logits(theirs))
    theirs.save_pretrained(tmp_path / "theirs")
    back = load_adapter(tmp_path / "theirs", model.config)
    assert_close(logits(attach(deepcopy(model), back)), logits(theirs))
    ours, other = load_file(tmp_path / WEIGHTS), load_file(tmp_path / "theirs" / WEIGHTS)
    assert ours.keys() == other.keys()
    assert all(torch.equal(ours[key], other[key]) for key in ours)


@every_config
def test_training_takes_the_steps_that_peft_takes(
    name: str, peft: Any, network: Factory, oracle: Factory, tmp_path: Path
) -> None:
    model = network(CONFIGS[name])
    torch.manual_seed(0)
    config = peft.LoraConfig(
        r=4, lora_alpha=8, task_type="CAUSAL_LM", target_modules=list(MODULES[name]), use_dora=True
    )
    theirs = peft.get_peft_model(oracle(model), config).train()
    theirs.save_pretrained(tmp_path)
    attach(model, load_adapter(tmp_path, model.config))
    moving = [p for p in model.parameters() if p.requires_grad]
    ours = torch.optim.AdamW(moving, lr=3e-3, weight_decay=0.0)
    other = torch.optim.AdamW([p for p in theirs.parameters() if p.requires_grad], lr=3e-3, weight_decay=0.0)
    first = last = 0.0
    for step in range(20):
        flat = model(IDS)[:, :-1].flatten(0, 1)
        a, b = torch.nn.functional.cross_entropy(flat, IDS[:, 1:].flatten()), theirs(IDS, labels=IDS).loss
        first, last = first or a.item(), a.item()
        assert abs(a.item() - b.item()) < 1e-4, step
        for loss, optimiser in ((a, ours), (b, other)):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert last < 0.9 * first
