"""bf16 with fp32 masters or without, and layers that are computed twice: near fp32, or the same."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import new_adapter
from phiforge.model.phi3 import Phi3
from phiforge.train import loop, pretrain, working
from phiforge.train import precision as measuring
from phiforge.train.loop import Diverged, Interrupted, Stage, Step, train
from phiforge.train.lora import attach
from phiforge.train.optim import Optimizer
from phiforge.train.run_folder import RunFolder

CONFIG = shrink(PRESETS["phi-4-mini-instruct"], vocab_size=97, n_layers=3)
TEXT = [(7 * i * i + 3 * i) % 97 for i in range(2000)]
MODES: dict[str, dict[str, Any]] = {
    "float32": {"precision": "float32"},
    "float32 recompute": {"precision": "float32", "recompute": True},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16 recompute": {"precision": "bfloat16", "recompute": True},
}
every_mode = pytest.mark.parametrize("mode", MODES)


def stage(steps: int = 50) -> Stage[Any]:
    found = pretrain.stage([TEXT], length=100, tokens=200, accumulate=2, epochs=20)
    return replace(found, steps=steps)


def run(
    folder: Path,
    steps: int = 50,
    *,
    adapter: bool = False,
    stop: int = 0,
    lr: float = 3e-3,
    narrow: bool = False,
    **how: Any,
) -> Phi3:
    model = Phi3(CONFIG).init_weights(torch.Generator().manual_seed(0))
    if narrow:
        measuring.converted(model, torch.bfloat16)
    if adapter:
        attach(model, new_adapter(CONFIG, 4, generator=torch.Generator().manual_seed(1)))

    def press(step: Step) -> None:
        if step.step == stop:
            signal.raise_signal(signal.SIGINT)

    return train(model, stage(steps), Optimizer(lr=lr), folder, progress=press, **how)


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in RunFolder(folder).metrics()]


def same(one: Phi3, other: Phi3) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("adapter", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_bf16_stays_near_fp32(tmp_path: Path, adapter: bool) -> None:
    """Fifty steps, by which full training takes the loss below a tenth: 0.03 apart at most, 0.005 in the mean.

    At thrice these rates, fp32 runs of weights that differ by a thousandth are 0.2 apart themselves."""
    for mode in ("float32", "bfloat16"):
        run(tmp_path / mode, adapter=adapter, lr=3e-3 if adapter else 1e-3, precision=mode)
    fp32, bf16 = losses(tmp_path / "float32"), losses(tmp_path / "bfloat16")
    apart = [abs(a - b) for a, b in zip(fp32, bf16, strict=True)]
    assert max(apart[1:]) > 1e-5  # it is not fp32
    assert max(apart) < 0.03
    assert sum(apart) / len(apart) < 0.005
    assert fp32[-1] < (0.99 if adapter else 0.1) * fp32[0]


@every_mode
def test_masters_are_fp32_and_keep_small_steps(tmp_path: Path, mode: str) -> None:
    """A step far below bf16's resolution moves them, and what is saved is fp32."""
    before = Phi3(CONFIG).init_weights(torch.Generator().manual_seed(0))
    model = run(tmp_path, steps=3, lr=1e-6, **MODES[mode])
    for (name, new), old in zip(model.named_parameters(), before.parameters(), strict=True):
        assert new.dtype == torch.float32
        assert new.grad is None
        moved = (new - old).abs().max()
        assert 0 < moved < 4e-6, name
    state = {f"weights.{name}": torch.empty_like(p) for name, p in model.named_parameters()}
    memories = {
        f"optimizer.{name}.{what}": torch.empty_like(p)
        for name, p in model.named_parameters() for what in ("exp_avg", "exp_avg_sq")
    }  # fmt: skip
    RunFolder(tmp_path).load(state | memories)
    assert all(torch.equal(state[f"weights.{name}"], p) for name, p in model.named_parameters())
    assert all(value.abs().max() > 0 for value in memories.values())


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_layers_computed_twice_give_the_same_and_hold_less(tmp_path: Path, precision: str, adapter: bool) -> None:
    found: dict[bool, tuple[Phi3, list[float]]] = {}
    held = {False: 0, True: 0}
    for recompute in (False, True):
        plain = stage(8)

        def loss(model: Phi3, batch: Any, plain: Any = plain, recompute: bool = recompute) -> Any:
            kept: dict[int, int] = {}

            def keep(tensor: Tensor) -> Tensor:
                if not isinstance(tensor, torch.nn.Parameter):
                    kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                found = plain.loss(model, batch)
            held[recompute] = max(held[recompute], sum(kept.values()))
            return found

        model = Phi3(CONFIG).init_weights(torch.Generator().manual_seed(0))
        if adapter:
            attach(model, new_adapter(CONFIG, 4, generator=torch.Generator().manual_seed(1)))
        folder = tmp_path / str(recompute)
        how: dict[str, Any] = {"precision": precision, "recompute": recompute}
        train(model, replace(plain, loss=loss), Optimizer(lr=5e-3), folder, **how)
        found[recompute] = model, losses(folder)
    assert found[True][1] == found[False][1]
    assert same(found[True][0], found[False][0])
    state = 198 * CONFIG.d_model * getattr(torch, precision).itemsize  # of a batch's tokens, between two layers
    assert held[True] < (CONFIG.n_layers + 3.2) * state  # what goes into each layer, the last norm and the head
    assert held[True] < held[False] / 7


@pytest.mark.parametrize("began", ["float32", "bfloat16"])
def test_auto_goes_on_in_what_the_run_began_with(tmp_path: Path, began: str) -> None:
    whole = run(tmp_path / "whole", steps=8, precision=began)
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", steps=8, stop=4, precision=began)
    assert same(run(tmp_path / "cut", steps=8, precision="auto"), whole)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


def test_auto_takes_the_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes is what it measured, and it measures once."""
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path / "home"))
    cpu = torch.device("cpu")
    chosen = measuring.fastest(cpu, CONFIG)
    fp32, bf16 = measuring.measured(cpu, CONFIG)
    assert fp32 > 0
    assert bf16 > 0
    assert chosen == (torch.bfloat16 if bf16 < measuring.PAYS * fp32 else torch.float32)
    run(tmp_path / "auto", steps=3, precision="auto")
    run(tmp_path / "named", steps=3, precision=str(chosen).removeprefix("torch."))
    assert losses(tmp_path / "auto") == losses(tmp_path / "named")
    with pytest.raises(ValueError, match="precision = 'float8' is not known: auto, float32, bfloat16, int8"):
        run(tmp_path / "other", precision="float8")


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=[pytest.mark.slow] * ("recompute" in mode)) for mode in MODES]
)
def test_bf16_weights_stay_near_fp32_ones_and_go_on_where_they_were(tmp_path: Path, mode: str, adapter: bool) -> None:
    how: dict[str, Any] = {"adapter": adapter, "lr": 3e-3 if adapter else 1e-3}
    run(tmp_path / "fp32", **how, precision="float32")
    whole = run(tmp_path / "whole", **how, **MODES[mode], narrow=True)
    wide, narrow = losses(tmp_path / "fp32"), losses(tmp_path / "whole")
    assert max(abs(a - b) for a, b in zip(wide, narrow, strict=True)) < 0.06
    assert narrow[-1] < (0.99 if adapter else 0.1) * narrow[0]
    for name, parameter in whole.named_parameters():
        assert parameter.dtype is (torch.float32 if adapter and parameter.requires_grad else torch.bfloat16), name
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", **how, **MODES[mode], narrow=True, stop=7)
    assert same(run(tmp_path / "parts", **how, **MODES[mode], narrow=True), whole)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_bf16_weights_keep_some_of_small_steps(tmp_path: Path) -> None:
    """A step of a size that rounding to the nearest would lose for nearly all."""
    before = Phi3(CONFIG).init_weights(torch.Generator().manual_seed(0))
    model = run(tmp_path, steps=3, lr=1e-6, narrow=True, precision="bfloat16")
    moved = [(a - b.bfloat16()).abs() for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    share = sum(float((each > 0).sum()) for each in moved) / sum(each.numel() for each in moved)
    assert 1e-3 < share < 0.2


def test_weights_of_other_precisions_are_not_trained(tmp_path: Path) -> None:
    model = Phi3(CONFIG).init_weights()
    with pytest.raises(ValueError, match="weights of float16 are to be trained: all must be float32, or all bfloat16"):
        train(model.half(), stage(), Optimizer(), tmp_path)
    model.float().norm.bfloat16()
    with pytest.raises(ValueError, match="weights of bfloat16, float32 are to be trained"):
        train(model, stage(), Optimizer(), tmp_path)
    with pytest.raises(ValueError, match="Muon moves weights of float32"):
        train(model.bfloat16(), stage(), Optimizer(muon=True), tmp_path)


NAN = (float("nan"), 4, r"step 4: the loss is nan and the gradient's norm nan")
SPIKE = (50.0, 26, r"step 26: the loss is .*, after .* in the last 25 steps")


@pytest.mark.parametrize(
    ("mode", "factor", "step", "message"),
    [(mode, *NAN) for mode in MODES]
    + [pytest.param(mode, *SPIKE, marks=[pytest.mark.slow] * ("recompute" in mode)) for mode in MODES],
)
def test_what_diverges_stops_with_its_batches_kept(
    tmp_path: Path, mode: str, factor: float, step: int, message: str
) -> None:
    plain, at = stage(30), [0]

    def batches(number: int) -> Any:
        at[0] = number
        return plain.batches(number)

    def loss(model: Phi3, batch: Any) -> Any:
        value, more = plain.loss(model, batch)
        return value * (factor if at[0] == step - 1 else 1.0), more

    model = Phi3(CONFIG).init_weights(torch.Generator().manual_seed(0))
    with pytest.raises(Diverged, match=message):
        train(
            model, replace(plain, batches=batches, loss=loss), Optimizer(), tmp_path, save_seconds=0.0, **MODES[mode]
        )
    kept = torch.load(tmp_path / f"diverged-{step}.pt", weights_only=False)
    assert [batch.tokens.tolist() for batch in kept] == [b.tokens.tolist() for b in plain.batches(step - 1)]
    state = {f"weights.{name}": torch.empty_like(p) for name, p in model.named_parameters()}
    RunFolder(tmp_path).load(state)  # of the step before
    assert all(torch.equal(state[f"weights.{name}"], p) for name, p in model.named_parameters())
    assert [path.name for path in RunFolder(tmp_path).checkpoints()][-1] == f"{step - 1:08}"


@pytest.mark.parametrize("pays", [True, False])
def test_int8_is_taken_where_it_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays: bool) -> None:
    monkeypatch.setattr(loop, "int8_pays", lambda _: pays)
    monkeypatch.setattr(loop, "fastest", lambda *_: torch.float32)
    run(tmp_path / "asked", steps=2, adapter=True, precision="int8")
    run(tmp_path / "exact", steps=2, adapter=True, precision="float32")
    assert (losses(tmp_path / "asked") == losses(tmp_path / "exact")) == (not pays)


@pytest.mark.parametrize(("adapter", "lr"), [(True, 3e-3), (False, 1e-3)])
@pytest.mark.parametrize("beside", [torch.bfloat16, torch.float32])
def test_int8_learns_as_fp32_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: torch.dtype, adapter: bool, lr: float
) -> None:
    monkeypatch.setattr(loop, "int8_pays", lambda _: True)
    monkeypatch.setattr(working, "fastest", lambda *_: beside)
    whole = run(tmp_path / "whole", adapter=adapter, precision="int8", lr=lr)
    run(tmp_path / "exact", adapter=adapter, precision="float32", lr=lr)
    for ours, exact in zip(losses(tmp_path / "whole"), losses(tmp_path / "exact"), strict=True):
        assert abs(ours - exact) < 0.02 * exact
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", adapter=adapter, precision="int8", lr=lr, stop=7)
    assert same(run(tmp_path / "parts", adapter=adapter, precision="int8", lr=lr), whole)


def test_a_tied_weight_gets_the_gradients_of_both_its_places() -> None:
    """In a dtype that loses nothing they are autograd's own, of two micro-batches, though those of the embedding are sparse."""
    assert CONFIG.tied_embeddings
    model = Phi3(CONFIG).init_weights(torch.Generator().manual_seed(0))
    recast = measuring.Recast(model, torch.float64)
    for tokens in (torch.tensor([3, 5, 3, 3]), torch.tensor([8, 3])):
        model(tokens[None]).square().sum().backward()
    expected = [weight.grad for weight in model.parameters()]
    model.zero_grad()
    for tokens in (torch.tensor([3, 5, 3, 3]), torch.tensor([8, 3])):
        recast.network(tokens[None]).square().sum().backward()
    for weight, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-4)
