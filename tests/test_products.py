"""The packed products: same answers, chosen by measurement, and out of the way where they do not belong."""

from __future__ import annotations

import json

import pytest
import torch

from phiforge.engine import products as kernels
from phiforge.engine.products import ANY, ROWS, PackedLinear, choices, pack
from phiforge.kernels import formats
from phiforge.kernels.formats import KINDS, Kind, Packed
from phiforge.kernels.linear import product
from phiforge.kernels.native import variant
from phiforge.kernels.pool import Pool
from phiforge.model.checkpoint import load, save
from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Linear, Phi3
from phiforge.model.quantized import QuantizedLinear, layers_on, quantize

CONFIG = shrink(PRESETS["phi-4-mini-instruct"])

pytestmark = pytest.mark.skipif(not kernels._available(), reason="this torch has no packed product")


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path))
    monkeypatch.setattr(kernels, "measure", lambda shape: [True] * len(ROWS))


def network() -> Phi3:
    return Phi3(CONFIG).init_weights(torch.Generator().manual_seed(0)).eval()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("rows", [1, 2, 5, 16, 17, 200])
def test_packed_equals_plain(rows: int) -> None:
    plain, packed = network(), pack(network())
    assert isinstance(packed.lm_head, PackedLinear)
    tokens = torch.randint(0, 512, (1, rows))
    with torch.inference_mode():
        assert (plain(tokens) - packed(tokens)).abs().max() < 1e-4


@torch.inference_mode()
def test_no_rows_give_no_rows() -> None:
    # A step that only feeds a chunk of a long prompt asks for no logits.
    layer = PackedLinear(torch.randn(16, 32), (True,) * len(ROWS))
    assert layer(torch.empty(0, 32)).shape == (0, 16)


@pytest.mark.usefixtures("always")
def test_parameters_stay_and_save_as_before(tmp_path) -> None:
    plain, packed = network(), pack(network())
    assert plain.state_dict().keys() == packed.state_dict().keys()
    assert packed.lm_head.weight is packed.embed_tokens.weight
    save(packed, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(load(tmp_path).parameters(), plain.parameters(), strict=True))


@pytest.mark.usefixtures("always")
def test_gradients_take_the_plain_product() -> None:
    plain, packed = network(), pack(network())
    tokens = torch.randint(0, 512, (2, 9))
    for model in (plain, packed):
        model(tokens).square().mean().backward()
    for a, b in zip(plain.parameters(), packed.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_choices_are_measured_once(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path))
    measured: list[tuple[int, ...]] = []

    def measure(shape: tuple[int, ...]) -> list[bool]:
        measured.append(shape)
        return [shape[0] > 10] * len(ROWS)

    monkeypatch.setattr(kernels, "measure", measure)
    assert choices({(8, 4), (16, 4)}) == {(8, 4): (False,) * 4, (16, 4): (True,) * 4}
    assert choices({(16, 4), (32, 4)})[16, 4] == (True,) * 4
    assert sorted(measured) == [(8, 4), (16, 4), (32, 4)]
    torch.set_num_threads(torch.get_num_threads())  # the key names the threads; the same ones, the same key
    (kept,) = json.loads((tmp_path / "kernels.json").read_text()).values()
    assert set(kept) == {"8x4", "16x4", "32x4"}
    (tmp_path / "kernels.json").write_text("{damaged")
    assert choices({(8, 4)})[8, 4] == (False,) * 4


def test_a_real_measurement_gives_a_choice_for_each_number_of_rows() -> None:
    pays = kernels.measure((64, 32))
    assert len(pays) == len(ROWS)
    assert all(isinstance(p, bool) for p in pays)


def test_what_does_not_pay_or_fit_stays_plain(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path))
    monkeypatch.setattr(kernels, "measure", lambda shape: [False] * len(ROWS))
    assert isinstance(pack(network()).lm_head, Linear)
    monkeypatch.setattr(kernels, "choices", lambda shapes: pytest.fail("measured although it cannot be used"))
    assert isinstance(pack(network().to(torch.bfloat16)).lm_head, Linear)
    monkeypatch.setattr(kernels, "MEMORY_SHARE", 0.0)
    assert isinstance(pack(network()).lm_head, Linear)
    monkeypatch.setattr(kernels, "_available", lambda: False)
    assert isinstance(pack(network()).lm_head, Linear)


@pytest.mark.skipif(variant() is None, reason="no compiled kernels here")
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_quantised_layers_take_the_kernel_that_was_faster(
    monkeypatch: pytest.MonkeyPatch, tmp_path, kind: Kind
) -> None:
    monkeypatch.setenv("PHIFORGE_HOME", str(tmp_path))
    measured: list[str] = []

    def native_rows(packed: Packed) -> int:
        measured.append(f"{packed.n}x{packed.k}")
        return 4

    monkeypatch.setattr(kernels, "native_rows", native_rows)
    ours, other = quantize(network(), kind), pack(quantize(network(), kind))
    again = pack(quantize(network(), kind))
    assert sorted(measured) == sorted(set(measured))  # each shape once, and nothing again
    assert {m.native_rows for m in again.modules() if isinstance(m, QuantizedLinear)} == {4}
    tokens = torch.arange(3, 15)[None]
    assert (ours(tokens) - other(tokens)).abs().max() < 1e-4
    assert torch.equal(ours(tokens[:, :4]), other(tokens[:, :4]))
    pool = Pool(CONFIG.n_layers, 4, CONFIG.n_kv_heads, CONFIG.head_dim)
    layers = layers_on(other, pool)
    assert layers is None or layers.most_tokens == 4


@pytest.mark.skipif(variant() is None, reason="no compiled kernels here")
@pytest.mark.parametrize(
    ("seconds", "most"), [((1.0, 1.0), ANY), ((1.0, 0.9), 1), ((1.0, 0.96), ANY)], ids=["tie", "torch", "nearly"]
)
def test_ours_is_kept_unless_torchs_is_clearly_faster(monkeypatch, seconds: tuple[float, float], most: int) -> None:
    monkeypatch.setattr(kernels, "_seconds", lambda *_: list(seconds))
    assert kernels.native_rows(formats.quantize(torch.randn(32, 64), "int8")) == most


def test_a_wide_weight_is_measured_by_a_part_that_is_its_own() -> None:
    weight = torch.randn(4096 + 32, 64)
    x = torch.randn(3, 64)
    for kind in KINDS:
        packed = formats.quantize(weight, kind)
        part = kernels._part(packed)
        assert part.n == 4096
        assert torch.equal(product(x, part), product(x, packed)[:, :4096])
