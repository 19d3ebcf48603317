"""Quantised products: the library, torch and plain arithmetic agree, and a row knows nothing of its neighbours."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from phiforge.kernels import native
from phiforge.kernels.formats import Packed, dequantize, quantize
from phiforge.kernels.linear import GROUP, product

FORMATS = [("int8", 0), ("int4", 32), ("int4", 64), ("bf16", 0)]
NATIVE = [pytest.param(True, marks=pytest.mark.skipif(native.library() is None, reason="no library here")), False]


def weight(kind: str, group: int, n: int, k: int, seed: int = 0) -> Packed:
    w = torch.randn(n, k, generator=torch.Generator().manual_seed(seed))
    return quantize(w, kind, group or 32)  # type: ignore[arg-type]


def rows(m: int, k: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(m, k, generator=torch.Generator().manual_seed(seed)) * 3


def expected(x: torch.Tensor, packed: Packed) -> torch.Tensor:
    """In double precision, from the definition: rounded activations times the dequantised weight."""
    w = dequantize(packed).double()
    if packed.kind == "bf16":
        return x.double() @ w.t()
    group = packed.group or GROUP
    groups = F.pad(x, (0, -packed.k % group)).unflatten(1, (-1, group))
    largest = groups.abs().amax(2, keepdim=True).clamp(min=1e-30)
    q = (groups * (torch.full_like(largest, 127) / largest)).round()
    return (q.double() * (largest / 127)).flatten(1)[:, : packed.k] @ w.t()


@pytest.mark.parametrize("on", NATIVE)
@pytest.mark.parametrize(("kind", "group"), FORMATS)
@pytest.mark.parametrize(("m", "n", "k"), [(1, 48, 64), (3, 1, 192), (7, 50, 576), (17, 200, 64), (70, 33, 128)])
def test_products_are_what_the_format_means(on: bool, kind: str, group: int, m: int, n: int, k: int) -> None:
    packed, x = weight(kind, group, n, k), rows(m, k)
    want = expected(x, packed)
    assert (product(x, packed, native=on) - want).abs().max() < 2e-6 * want.abs().max() * k**0.5


@pytest.mark.skipif(native.library() is None, reason="no library here")
@pytest.mark.parametrize(("kind", "group"), FORMATS)
def test_library_and_torch_agree(kind: str, group: int) -> None:
    packed, x = weight(kind, group, 300, 1536), rows(40, 1536)
    ours, theirs = product(x, packed), product(x, packed, native=False)
    within = 5e-6 if kind == "bf16" else 1e-6  # bf16 adds 1,536 floats in another order
    assert (ours - theirs).abs().max() < within * theirs.abs().max()


@pytest.mark.skipif(native.library() is None, reason="no library here")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("kind", "group"), FORMATS)
def test_a_row_is_the_same_in_any_batch(kind: str, group: int, threads: int) -> None:
    packed, x = weight(kind, group, 208, 576), rows(600, 576)  # more rows than one pass takes
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = torch.cat([product(row[None], packed) for row in x[:40]])
        torch.set_num_threads(threads)
        for m in (2, 3, 4, 5, 7, 8, 16, 33, 600):
            assert torch.equal(product(x[:m], packed)[:40], alone[:m])
        assert torch.equal(product(x[593:], packed), product(x, packed)[593:])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("on", NATIVE)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 63, 130])
def test_int8_and_bf16_take_any_number_of_inputs(on: bool, k: int) -> None:
    for kind in ("int8", "bf16"):
        packed, x = weight(kind, 0, 20, k), rows(5, k)
        torch.testing.assert_close(product(x, packed, native=on).double(), expected(x, packed), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("on", NATIVE)
def test_the_largest_values_do_not_saturate(on: bool) -> None:
    k = 8192
    signs = torch.where(torch.arange(k) % 3 == 0, -1.0, 1.0)
    for kind in ("int8", "int4"):
        packed = quantize(signs.repeat(16, 1), kind)
        x = torch.stack((signs, -signs, torch.ones(k)))  # rounded to 127 and -127 throughout
        got = product(x, packed, native=on).double()
        torch.testing.assert_close(got, expected(x, packed), rtol=1e-5, atol=0.01)


@pytest.mark.parametrize("on", NATIVE)
@pytest.mark.parametrize(("kind", "group"), FORMATS)
def test_adding_and_shapes(on: bool, kind: str, group: int) -> None:
    packed, x = weight(kind, group, 50, 64), rows(6, 64)
    plain = product(x, packed, native=on)
    out = torch.ones(2, 3, 50)
    assert product(x.view(2, 3, 64), packed, add_to=out, native=on) is out
    torch.testing.assert_close(out.view(6, 50), plain + 1)
    assert torch.equal(
        product(rows(64, 6).t(), packed, native=on), product(rows(64, 6).t().contiguous(), packed, native=on)
    )
    assert product(torch.empty(0, 64), packed, native=on).shape == (0, 50)
    assert product(x[0], packed, native=on).shape == (50,)


@pytest.mark.parametrize("on", NATIVE)
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_rows_without_a_scale(on: bool, kind: str) -> None:
    packed, x = weight(kind, 0, 20, 64), rows(5, 64)
    alone = product(x[4:], packed, native=on)
    x[0], x[1, 7], x[2, 9], x[3] = 0, float("nan"), float("-inf"), 1e-42
    out = product(x, packed, native=on)
    assert torch.equal(out[0], torch.zeros(20))
    assert out[1:3].isnan().all()
    assert torch.equal(out[3], torch.zeros(20))  # too small for a scale
    torch.testing.assert_close(out[4:], alone)


def test_what_does_not_fit_is_refused() -> None:
    packed = weight("int4", 32, 32, 64)
    with pytest.raises(ValueError, match=r"takes fp32 \[\.\.\., 64\], and x is torch.float32 \[2, 32\]"):
        product(torch.randn(2, 32), packed)
    with pytest.raises(ValueError, match="float64"):
        product(torch.randn(2, 64).double(), packed)
    with pytest.raises(ValueError, match="add_to"):
        product(torch.randn(2, 64), packed, add_to=torch.zeros(32, 2).t())
    with pytest.raises(ValueError, match="gradients"):
        product(torch.randn(2, 64, requires_grad=True), packed)


def test_quantised_is_close_to_the_weight_itself() -> None:
    w, x = torch.randn(96, 576), rows(9, 576)
    exact = F.linear(x, w)
    for kind, error in (("bf16", 0.01), ("int8", 0.02), ("int4", 0.12)):
        assert (product(x, quantize(w, kind)) - exact).norm() < error * exact.norm()  # type: ignore[arg-type]


@pytest.mark.skipif(native.library() is None, reason="no library here")
@pytest.mark.parametrize("setting", ["off", "generic"])
def test_the_setting_is_obeyed(setting: str) -> None:
    program = (
        "import torch; from phiforge.kernels import native; from phiforge.kernels.formats import quantize;"
        "from phiforge.kernels.linear import GROUP, product; torch.manual_seed(0);"
        "p = quantize(torch.randn(40, 64), 'int8'); x = torch.randn(3, 64);"
        "assert (product(x, p) - product(x, p, native=False)).abs().max() < 1e-4; print(native.variant())"
    )
    environment = {**os.environ, "PHIFORGE_KERNELS": setting}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("None" if setting == "off" else setting)
