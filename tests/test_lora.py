"""Adapters in a network against merged copies of it, served and trained."""

from __future__ import annotations

import copy
import gc
import weakref
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from adapter_cases import (
    FUSED_NAMES,
    IDS,
    LLAMA,
    PHI3,
    SPLIT_NAMES,
    Factory,
    adapter,
    assert_close,
    assert_same,
    dense,
    every_config,
    logits,
    loss_of,
    merged,
)
from msgspec.structs import replace
from torch import Tensor, nn

from phiforge.model import checkpoint
from phiforge.model.adapters import Adapters, LoraLinear
from phiforge.model.config import ModelConfig
from phiforge.model.lora import Adapter, LowRank, merge, new_adapter
from phiforge.model.peft import load_adapter, save_adapter

# --- serving ------------------------------------------------------------------------------------------------------


@every_config
@pytest.mark.parametrize("modules", [FUSED_NAMES, SPLIT_NAMES, ("q_proj", "v_proj", "down_proj")])
def test_a_mixed_batch_equals_each_row_on_its_own_merged_network(
    config: ModelConfig, modules: tuple[str, ...], network: Factory
) -> None:
    model = network(config)
    a, b = adapter(config, 1, modules), adapter(config, 2, ("o_proj", "k_proj"), rslora=True, rank=3)
    expected = {name: logits(merged(model, one)) for name, one in {"a": a, "b": b, None: None}.items()}
    assert not torch.allclose(expected["a"], expected[None], atol=0.1)  # the adapters matter
    assert not torch.allclose(expected["b"], expected[None], atol=0.1)
    adapters = Adapters(model)
    adapters.add("a", a)
    adapters.add("b", b)
    n = IDS.shape[1]
    for turn in (("a", None, "b"), ("b", "b", "a"), (None, "a", None), ("a", "b", "a"), (None, None, None)):
        spans = [(name, i * n, (i + 1) * n) for i, name in enumerate(turn)]
        adapters.select(list(reversed(spans)))
        by_span = logits(model)
        adapters.select([name for name in turn for _ in range(n)])
        assert torch.equal(logits(model), by_span)
        for i, name in enumerate(turn):
            assert_close(by_span[i], expected[name][i])
    adapters.select("b")
    assert_close(logits(model), expected["b"])


def test_rows_without_an_adapter_are_unchanged_to_the_bit(network: Factory) -> None:
    model = network(PHI3)
    layer = model.layers[0].mlp.gate_up_proj
    x = torch.randn(6, PHI3.d_model)
    plain, whole = layer(x).detach(), logits(model)
    adapters = Adapters(model)
    adapters.add("a", adapter(PHI3))
    assert torch.equal(logits(model), whole)  # nothing selected
    for rows in ([("a", 2, 4)], ["a", None, None, "a", None, None]):
        adapters.select(rows)
        touched = [i for i in range(6) if (i in (2, 3) if isinstance(rows[0], tuple) else rows[i])]
        out = layer(x).detach()
        assert [i for i in range(6) if not torch.equal(out[i], plain[i])] == touched
    adapters.select(None)
    assert torch.equal(logits(model), whole)


def test_it_goes_on_linear_layers_of_any_kind(network: Factory) -> None:
    """One that keeps its weight in int8, and one from another library: only [..., d_in] -> [..., d_out] is asked."""

    class Int8Linear(nn.Module):
        def __init__(self, weight: Tensor) -> None:
            super().__init__()
            self.scale = weight.abs().amax(1, keepdim=True) / 127
            self.register_buffer("q", (weight / self.scale).round().to(torch.int8))

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(x, self.q.float() * self.scale)

    model = network(PHI3)
    twin = merged(model, None)
    int8 = Int8Linear(model.layers[0].self_attn.o_proj.weight.detach())
    model.layers[0].self_attn.o_proj = int8
    twin.layers[0].self_attn.o_proj.weight.data = int8.q.float() * int8.scale
    theirs = nn.Linear(PHI3.d_ff, PHI3.d_model, bias=False)
    theirs.weight.data = model.layers[1].mlp.down_proj.weight.data
    model.layers[1].mlp.down_proj = theirs
    one = adapter(PHI3)
    adapters = Adapters(model)
    adapters.add("a", one)
    assert model.layers[0].self_attn.o_proj is int8
    assert isinstance(int8, Int8Linear)
    assert isinstance(int8, LoraLinear)
    adapters.select("a")
    assert_close(logits(model), logits(merged(twin, one)))
    with pytest.raises(ValueError, match=r"layers\.0\.self_attn\.o_proj is a LoraInt8Linear; .* plain weights only"):
        merge(model, one)


def test_a_network_in_bf16_takes_adapters_in_fp32(network: Factory) -> None:
    model = network(PHI3).bfloat16()
    layer = model.layers[1].self_attn.qkv_proj
    x = torch.randn(5, PHI3.d_model, generator=torch.Generator().manual_seed(0)).bfloat16()
    one = adapter(PHI3)
    plain = layer(x).float().detach()
    adapters = Adapters(model)
    adapters.add("a", one)
    added = F.linear(x.float(), dense(one)["layers.1.self_attn.qkv_proj"])
    adapters.select([("a", 1, 4)])
    out = layer(x).detach()
    assert out.dtype == torch.bfloat16
    exact = (plain + added)[1:4]
    assert ((out[1:4].float() - exact).abs() <= exact.abs() * 2**-8 + 1e-5).all()  # rounded once, at the end
    assert torch.equal(out[[0, 4]].float(), plain[[0, 4]])


def test_remove_gives_back_the_layers_and_the_memory(network: Factory) -> None:
    model = network(PHI3)
    kinds = {name: type(module) for name, module in model.named_modules()}
    attributes = {name: module.__dict__.keys() - {"training"} for name, module in model.named_modules()}
    whole = logits(model)
    adapters = Adapters(model)
    adapters.add("a", adapter(PHI3, 1))
    adapters.add("b", adapter(PHI3, 2, ("o_proj",)))
    kept = [weakref.ref(x) for m in model.modules() if isinstance(m, LoraLinear) for x in m.updates["a"]]
    assert len(kept) == 2 * 4 * PHI3.n_layers
    adapters.remove("a")
    gc.collect()
    assert [ref for ref in kept if ref() is not None] == []
    assert adapters.names == ("b",)
    assert [n for n, m in model.named_modules() if isinstance(m, LoraLinear)] == [
        f"layers.{i}.self_attn.o_proj" for i in range(PHI3.n_layers)
    ]
    adapters.remove("b")
    assert {name: type(module) for name, module in model.named_modules()} == kinds
    assert {name: module.__dict__.keys() - {"training"} for name, module in model.named_modules()} == attributes
    assert torch.equal(logits(model), whole)


def test_replace_takes_effect_while_selected(network: Factory) -> None:
    model = network(PHI3)
    first, second = adapter(PHI3, 1), adapter(PHI3, 2, ("o_proj", "up_proj"))
    adapters = Adapters(model)
    adapters.add("a", first)
    adapters.select("a")
    for update in first.updates.values():  # the network has a copy
        update.a.zero_()
    assert_close(logits(model), logits(merged(model, adapter(PHI3, 1))))
    with pytest.raises(ValueError, match="adapter 'a' already; replace or remove"):
        adapters.add("a", second)
    adapters.add("a", second, replace=True)
    assert_close(logits(model), logits(merged(model, second)))
    assert not isinstance(model.layers[0].mlp.down_proj, LoraLinear)


def test_what_cannot_be_is_refused_by_name_and_changes_nothing(network: Factory) -> None:
    model = network(PHI3)
    adapters = Adapters(model)
    adapters.add("a", adapter(PHI3))
    adapters.select([("a", 0, 2)])
    whole = model.layers[0].mlp.down_proj(torch.ones(2, PHI3.d_ff)).detach()
    for rows, message in (
        ("b", "no adapter 'b'; there are \\['a'\\]"),
        (["a", "b"], "no adapter 'b'"),
        ([("a", 0, 3), ("a", 2, 4)], "rows 2 to 4 of adapter 'a' are no span, or overlap"),
        ([("a", 3, 2)], "rows 3 to 2"),
        ([("a", -2, 2)], "rows -2 to 2"),
    ):
        with pytest.raises(ValueError, match=message):
            adapters.select(rows)
    with pytest.raises(IndexError, match="selected for 2 rows, the batch has 1"):
        model.layers[0].mlp.down_proj(torch.ones(1, PHI3.d_ff))
    with pytest.raises(ValueError, match="adapter 'a' is selected for the coming batch"):
        adapters.remove("a")
    with pytest.raises(ValueError, match="no adapter 'b'"):
        adapters.remove("b")
    with pytest.raises(ValueError, match="of another Adapters object"):
        Adapters(model).add("b", adapter(PHI3))
    deep = adapter(replace(PHI3, n_layers=3))
    with pytest.raises(
        ValueError, match=r"updates 'layers\.2\.self_attn\.qkv_proj', which this network does not have"
    ):
        adapters.add("b", deep)
    wide = adapter(replace(PHI3, d_ff=2 * PHI3.d_ff))
    with pytest.raises(ValueError, match=r"'layers\.0\.mlp\.gate_up_proj' has A \(4, 96\) and B \(768, 4\)"):
        adapters.add("a", wide, replace=True)
    with pytest.raises(ValueError, match=r"'layers\.0\.mlp\.gate_up_proj' has A"):
        merge(model, wide)
    with pytest.raises(ValueError, match="no linear layer is called 'lm_head'"):
        new_adapter(PHI3, modules=("q_proj", "lm_head"))
    with pytest.raises(ValueError, match="rank = 0 must be 1 or more"):
        new_adapter(PHI3, rank=0)
    assert adapters.names == ("a",)
    assert torch.equal(model.layers[0].mlp.down_proj(torch.ones(2, PHI3.d_ff)), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_merge_is_the_same_network(dtype: torch.dtype, network: Factory, tmp_path: Path) -> None:
    one = adapter(LLAMA, modules=SPLIT_NAMES)
    checkpoint.save(network(LLAMA).to(dtype), tmp_path)
    model = checkpoint.load(tmp_path)  # its weights are the file's pages
    expected = merged(model.float() if dtype == torch.float32 else copy.deepcopy(model).float(), one)
    merge(model, one)
    for name, weight in model.state_dict().items():
        assert weight.dtype == dtype
        close = {torch.float32: 1e-5, torch.bfloat16: 2**-8}[dtype]  # bf16 rounds once
        torch.testing.assert_close(weight.float(), expected.state_dict()[name], atol=1e-6, rtol=close)
    again = checkpoint.load(tmp_path)
    assert not torch.equal(again.layers[0].mlp.down_proj.weight, model.layers[0].mlp.down_proj.weight)


# --- training -----------------------------------------------------------------------------------------------------


@every_config
@pytest.mark.parametrize("modules", [FUSED_NAMES, SPLIT_NAMES])
def test_gradients_are_those_of_the_merged_formulation(
    config: ModelConfig, modules: tuple[str, ...], network: Factory
) -> None:
    """W + sum over blocks of scale * B A as the weight, differentiated by torch, in fp64."""
    one = adapter(config, 5, modules)
    model = network(config).double()
    twin = copy.deepcopy(model)
    adapters = Adapters(model)
    updates = {n: LowRank(u.a.double(), u.b.double(), u.blocks) for n, u in one.updates.items()}
    adapters.add("mine", Adapter(one.rank, one.alpha, one.rslora, updates), trainable=True)
    adapters.select("mine")
    loss = loss_of(model)
    loss.backward()
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert with_gradient == {f"{name}.lora_{x}" for name in one.updates for x in "AB"}
    assert {id(p) for p in model.parameters() if p.requires_grad} == {id(p) for p in adapters.parameters()}

    leaves, weights = {}, {}
    for name, update in updates.items():
        a, b = (x.clone().requires_grad_() for x in (update.a, update.b))
        leaves[name] = (a, b)
        delta, at = torch.zeros(len(b), a.shape[1], dtype=torch.float64), 0
        for start, end, rank, scale in update.blocks:
            part = scale * b[start:end, at : at + rank] @ a[at : at + rank]
            delta = delta + F.pad(part, (0, 0, start, len(b) - end))
            at += rank
        weights[f"{name}.weight"] = twin.get_submodule(name).weight.detach() + delta
    out = torch.func.functional_call(twin, weights, (IDS[:, :-1],))
    expected = F.cross_entropy(out.flatten(0, 1), IDS[:, 1:].flatten())
    torch.testing.assert_close(loss, expected)
    expected.backward()
    for name, (a, b) in leaves.items():
        layer = model.get_submodule(name)
        assert a.grad is not None
        assert a.grad.abs().max() > 1e-6
        torch.testing.assert_close(layer.lora_A.grad, a.grad)
        torch.testing.assert_close(layer.lora_B.grad, b.grad)


def test_a_trained_adapter_goes_to_another_network_and_to_disk(network: Factory, tmp_path: Path) -> None:
    model, server = network(LLAMA), network(LLAMA)
    before = logits(model)
    adapters, serving = Adapters(model), Adapters(server)
    fresh = new_adapter(LLAMA, 4, 8, SPLIT_NAMES, generator=torch.Generator().manual_seed(0))
    adapters.add("mine", fresh, trainable=True)
    adapters.select("mine")
    assert torch.equal(logits(model), before)  # B is zero
    optimiser = torch.optim.AdamW(adapters.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        serving.add("mine", adapters.trained(), replace=True)  # as RL does
        serving.select("mine")
        assert_close(logits(server), logits(model))
    assert losses[-1] < losses[0] - 0.1
    save_adapter(adapters.trained(), tmp_path, LLAMA)
    assert_same(load_adapter(tmp_path, LLAMA), adapters.trained())
    adapters.select(None)  # a reference for DPO and KL
    assert torch.equal(logits(model), before)
    assert all(parameter.requires_grad for parameter in adapters.parameters())
    with pytest.raises(ValueError, match="'mine' is trainable, and only one"):
        adapters.add("other", fresh, trainable=True)
    adapters.add("mine", adapters.trained(), replace=True)  # done: no longer trainable
    assert adapters.parameters() == []
    with pytest.raises(ValueError, match="no adapter is trainable"):
        adapters.trained()


def test_only_rows_of_the_trainable_one_carry_gradient(network: Factory) -> None:
    """A trainable and a frozen adapter in one batch, scattered rows included."""
    model = network(PHI3)
    mine, other = adapter(PHI3, 1, ("o_proj",)), adapter(PHI3, 2)
    adapters = Adapters(model)
    adapters.add("mine", mine, trainable=True)
    adapters.add("other", other)
    layer = model.layers[0].self_attn.o_proj
    x = torch.randn(5, layer.weight.shape[1])
    adapters.select(["mine", "other", "mine", None, "mine"])
    layer(x).sum().backward()
    grad = layer.lora_A.grad.clone()
    layer.lora_A.grad = None
    adapters.select("mine")
    layer(x[[0, 2, 4]]).sum().backward()
    torch.testing.assert_close(layer.lora_A.grad, grad)


@every_config
def test_checkpoints_do_not_notice(config: ModelConfig, network: Factory, tmp_path: Path) -> None:
    model = network(config)
    names, parameters = list(model.state_dict()), [name for name, _ in model.named_parameters()]
    adapters = Adapters(model)
    adapters.add("a", adapter(config))
    adapters.select("a")
    assert list(model.state_dict()) == names
    assert [name for name, _ in model.named_parameters()] == parameters
    model.load_state_dict(network(config, seed=7).state_dict())
    checkpoint.save(model, tmp_path / "served")
    assert torch.equal(logits(checkpoint.load(tmp_path / "served")), logits(network(config, seed=7)))

    adapters.add("b", adapter(config, 3), trainable=True)
    trained = adapters.parameters()
    with adapters.base_only() as base:
        assert list(base.state_dict()) == names
        checkpoint.save(base, tmp_path / "trained")
    assert torch.equal(logits(checkpoint.load(tmp_path / "trained")), logits(network(config, seed=7)))
    assert [id(p) for p in adapters.parameters()] == [id(p) for p in trained]
    assert sum(name.endswith(("lora_A", "lora_B")) for name, _ in model.named_parameters()) == len(trained)
