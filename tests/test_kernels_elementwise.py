"""Norms, the gate and rotations: kernels and torch against fp64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels import elementwise, native
from phiforge.kernels.elementwise import rms_norm, rotate, silu_mul


@pytest.fixture(params=["native", "torch"], autouse=True)
def path(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(elementwise, "_kernels", lambda: None)
    elif not elementwise._kernels():
        pytest.skip("no compiled kernels here")
    with torch.inference_mode():
        yield request.param


@pytest.mark.parametrize("shape", [(1, 576), (3, 2, 100), (70, 1001), (1, 7), (5, 64)], ids=str)
def test_rms_norm(shape: tuple[int, ...]) -> None:
    x, weight = 3 * torch.randn(shape), torch.randn(shape[-1])
    x[0] *= 1e-3
    exact = x.double() / (x.double().square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight.double()
    torch.testing.assert_close(rms_norm(x, weight, 1e-5).double(), exact, atol=1e-6, rtol=1e-6)
    out = torch.empty(shape)
    assert rms_norm(x, weight, 1e-5, out) is out
    torch.testing.assert_close(out.double(), exact, atol=1e-6, rtol=1e-6)
    assert rms_norm(x, weight, 1e-5, x) is x
    assert torch.equal(x, out)


@pytest.mark.parametrize("shape", [(1, 1536), (3, 2, 100), (70, 601), (1, 7)], ids=str)
def test_silu_mul(shape: tuple[int, ...]) -> None:
    gate, up = 30 * torch.randn(shape), torch.randn(shape)
    gate.view(-1)[:6] = torch.tensor([0.0, 200, -200, -88, 1e-6, -1e30])
    exact = torch.nn.functional.silu(gate.double()) * up.double()
    gate_up = torch.cat((gate, up), -1)
    result = silu_mul(gate_up)
    torch.testing.assert_close(result.double(), exact, atol=1e-30, rtol=2e-6)
    out = torch.empty(shape)
    assert silu_mul(gate_up, out) is out
    assert torch.equal(out, result)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Pairs as complex numbers times cos + i sin, in fp64."""
    half = cos.shape[-1]
    z = torch.complex(x[..., :half].double(), x[..., half : 2 * half].double()) * torch.complex(cos, sin)
    return torch.cat((z.real, z.imag, x[..., 2 * half :].double()), -1)


@pytest.mark.parametrize(("T", "H", "D", "half"), [(1, 9, 64, 32), (5, 3, 24, 5), (600, 4, 96, 36), (2, 1, 8, 4)])
def test_rotate_turns_pairs(T: int, H: int, D: int, half: int) -> None:
    wide = torch.randn(T, H + 2, D)
    x, cos, sin = wide[:, :H], torch.randn(T, 1, half), torch.randn(T, 1, half)
    expected = rotate(x, cos, sin)
    torch.testing.assert_close(expected.double(), turned(x, cos, sin), atol=1e-6, rtol=1e-6)
    assert torch.equal(rotate(x, cos[:, 0].contiguous(), sin[:, 0].contiguous()), expected)
    rest = wide[:, H:].clone()
    rotate(x, cos, sin, out=x)
    assert torch.equal(wide, torch.cat((expected, rest), 1))


def test_other_dtypes_and_layouts_go_through_torch() -> None:
    x = torch.randn(4, 64, dtype=torch.bfloat16)
    weight = torch.ones(64, dtype=torch.bfloat16)
    assert rms_norm(x, weight, 1e-5).dtype == torch.bfloat16
    assert silu_mul(x).shape == (4, 32)
    y = torch.randn(64, 4).T
    torch.testing.assert_close(silu_mul(y), silu_mul(y.contiguous()))
    z = torch.randn(2, 3, 5, 8)
    c = torch.randn(2, 3, 1, 4)
    torch.testing.assert_close(rotate(z, c, c).double(), turned(z, c, c), atol=1e-6, rtol=1e-6)


def test_gradients_go_through_torch() -> None:
    with torch.inference_mode(False):
        x = torch.randn(2, 8, requires_grad=True)
        (rms_norm(x, torch.ones(8), 1e-5).sum() + silu_mul(x).sum()).backward()
        assert x.grad is not None


@pytest.mark.skipif(native.variant() not in ("avx2", "avx512vnni"), reason="other vectors add in another order")
@pytest.mark.parametrize("d", [8, 24, 64, 100, 576, 3072, 5120])
@torch.inference_mode()
def test_norms_are_torchs_to_the_bit(d: int) -> None:
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("torch runs on vectors of another width")
    x, weight = torch.randn(9, d) * 3, torch.rand(d)
    assert torch.equal(rms_norm(x, weight, 1e-5), weight * F.rms_norm(x, (d,), eps=1e-5))
