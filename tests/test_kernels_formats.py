"""Quantised matrices: the layout that kernels rely on, how far they may be from their source, what stays exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize as gguf_dequantize
from gguf.quants import quantize as gguf_quantize

from phiforge.kernels.formats import KINDS, dequantize, dtypes, packed_shapes, quantize


def weights(n: int, k: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed)) * 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "k", "group"), [(16, 64, 32), (40, 192, 64), (1, 64, 64), (33, 96, 32)])
def test_shapes_and_error(kind: str, n: int, k: int, group: int) -> None:
    weight = weights(n, k)
    packed = quantize(weight, kind, group)
    data, scales = packed_shapes(n, k, kind, group)
    assert packed.data.shape == data
    assert packed.data.dtype == dtypes(kind)[0]
    assert (packed.scales.shape, packed.scales.dtype) == (scales, dtypes(kind)[1]) if scales else packed.scales is None
    back = dequantize(packed)
    assert back.shape == (n, k)
    error = ((back - weight).square().mean() / weight.square().mean()).sqrt()
    assert error < {"int8": 0.01, "int4": 0.1, "bf16": 0.002}[kind]


def test_int8_layout_and_rounding() -> None:
    weight = weights(20, 10)
    packed = quantize(weight, "int8")
    assert packed.data.shape == (2, 3, 16, 4)
    for n, k in ((0, 0), (3, 5), (17, 9), (19, 3)):
        scale = weight[n].abs().max() / 127
        assert packed.scales[n] == scale
        assert packed.data[n // 16, k // 4, n % 16, k % 4] == (weight[n, k] / scale).round()
    assert (packed.scales[20:] == 0).all()
    assert (packed.data[1, :, 4:] == 0).all()  # rows that are padding
    assert (packed.data[:, 2, :, 2:] == 0).all()  # columns that are


@pytest.mark.parametrize("group", [32, 64])
def test_int4_layout(group: int) -> None:
    q = torch.randint(16, (19, 2 * group), generator=torch.Generator().manual_seed(1))
    q[:, 0], q[:, 1], q[:, group], q[:, group + 1] = 0, 15, 0, 15  # the whole range in every group
    scale = torch.rand(19, 2).mul(0.1).add(0.01).half().float()
    minimum = -torch.rand(19, 2).half().float()
    weight = (q.view(19, 2, group) * scale[..., None] + minimum[..., None]).flatten(1)
    packed = quantize(weight, "int4", group)
    for n, k in ((0, 0), (5, 3), (18, group + 13), (7, group - 1), (16, 2 * group - 4)):
        g, inner = k // group, k % group
        byte = int(packed.data[n // 16, g, inner // 8, n % 16, inner % 4])
        assert (byte >> 4 if inner % 8 >= 4 else byte & 15) == q[n, k]
        assert packed.scales[n // 16, g, 0, n % 16] == scale[n, g]
        assert packed.scales[n // 16, g, 1, n % 16] == minimum[n, g]
    assert torch.equal(dequantize(packed), weight)


def test_bf16_layout() -> None:
    weight = weights(18, 32)
    packed = quantize(weight, "bf16")
    assert packed.data[1, 7, 1] == weight[17, 7].bfloat16()
    assert torch.equal(dequantize(packed), weight.bfloat16().float())


@pytest.mark.parametrize("kind", [Type.Q4_0, Type.Q4_1])
def test_int4_reproduces_a_gguf_source_exactly(kind: Type) -> None:
    source = torch.from_numpy(gguf_dequantize(gguf_quantize(weights(48, 256).numpy(), kind), kind))
    assert torch.equal(dequantize(quantize(source, "int4", 32)), source)


def test_the_search_beats_the_plain_range() -> None:
    weight = weights(64, 256)
    groups = weight.view(-1, 32)
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    plain = ((groups - low) / (high - low) * 15).round() / 15 * (high - low) + low
    error = (dequantize(quantize(weight, "int4")).view(-1, 32) - groups).square().sum(1)
    plain_error = (plain - groups).square().sum(1)
    assert error.sum() < 0.88 * plain_error.sum()
    assert (error < 1.05 * plain_error + 1e-12).all()  # fp16 scales cost a little, nothing else does


@pytest.mark.parametrize("kind", KINDS)
def test_some_rows_equal_those_of_the_whole(kind: str) -> None:
    packed = quantize(weights(70, 64), kind)
    whole = dequantize(packed)
    assert torch.equal(dequantize(packed, slice(5, 41)), whole[5:41])
    assert torch.equal(dequantize(packed, slice(64, None)), whole[64:])
    assert dequantize(packed, slice(9, 3)).shape == (0, 64)
    rows = torch.tensor([69, 0, 17, 17])
    assert torch.equal(dequantize(packed, rows), whole[rows])
    with pytest.raises(ValueError, match="stride of 2"):
        dequantize(packed, slice(0, 10, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_of_sixteen_rows_join_to_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = weights(100, 64)
    whole = quantize(weight, kind)
    pieces = [quantize(weight[i : i + 32], kind) for i in range(0, 100, 32)]
    assert torch.equal(torch.cat([p.data for p in pieces]), whole.data)
    if whole.scales is not None:
        assert torch.equal(torch.cat([p.scales for p in pieces]), whole.scales)
    monkeypatch.setattr("phiforge.kernels.formats.BLOCK", 1)  # one block of lanes at a time
    assert torch.equal(quantize(weight, kind).data, whole.data)


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_constant_and_zero_rows(kind: str) -> None:
    weight = torch.zeros(4, 64)
    weight[1], weight[2, 5] = 0.25, -3.0
    assert np.abs(dequantize(quantize(weight, kind)).numpy() - weight.numpy()).max() < 1e-7


def test_what_cannot_be_held_is_said() -> None:
    with pytest.raises(ValueError, match="divide by it, and these have 48 weights"):
        quantize(weights(16, 48), "int4", 32)
    with pytest.raises(ValueError, match="not of 16"):
        quantize(weights(16, 64), "int4", 16)
    with pytest.raises(ValueError, match="'int5'"):
        quantize(weights(16, 64), "int5")  # type: ignore[arg-type]
    broken = weights(32, 64)
    broken[20, 3] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        quantize(broken, "int8")
    with pytest.raises(ValueError, match="up to 65,504"):
        quantize(broken.nan_to_num() * 1e8, "int4")
