"""Candidates, their sum and masks, against sorting and fp64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phiforge.kernels import select
from phiforge.kernels.select import argmax, draw, mask_, top


@pytest.fixture(params=["native", "torch"])
def path(request, monkeypatch) -> str:
    if request.param == "torch":
        monkeypatch.setattr(select, "_kernels", lambda: None)
    elif not select._kernels():
        pytest.skip("no compiled kernels here")
    return request.param


def rows(seed: int, n: int, V: int) -> Tensor:
    """Logits of all kinds: wide and narrow, with ties, of few values, mostly -inf, all the same, ascending."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, V, generator=generator) * 10 ** torch.empty(n, 1).uniform_(-2, 2, generator=generator)
    for i in range(n):
        kind = (seed + i) % 6
        if kind == 1:
            z[i] = z[i].sign() * 0.0  # both zeros
        if kind == 2:
            z[i] = z[i].round()
        if kind == 3:
            z[i, torch.rand(V, generator=generator) < 0.98] = -torch.inf
        if kind == 4:
            z[i] = z[i].sort().values
        if kind == 5:
            z[i] = -torch.inf
            z[i, V // 2] = -4
    return z


@pytest.mark.parametrize("seed", range(12))
def test_candidates_are_those_of_a_stable_sort(path: str, seed: int) -> None:
    n, V = [(1, 49152), (7, 1000), (3, 5003), (2, 4096), (5, 257), (1, 200_064)][seed % 6]
    z = rows(seed, n, V)
    before = z.clone()
    for k in (1, 50, 256):
        values, ids, total = top(z, k)
        expected, order = z.sort(descending=True, stable=True)
        assert torch.equal(values, expected[:, :k])
        assert torch.equal(z.gather(1, ids), values)
        assert all(len(set(row)) == k for row in ids.tolist())
        if path == "native":
            assert torch.equal(ids, order[:, :k])
        torch.testing.assert_close(total.double(), z.double().logsumexp(-1), atol=1e-6, rtol=4e-7)
    assert torch.equal(z, before)


def test_all_of_a_row_can_be_candidates(path: str) -> None:
    z = rows(3, 6, 40)
    values, ids, _ = top(z, 40)
    assert torch.equal(values, z.sort(descending=True).values)
    assert torch.equal(ids.sort().values, torch.arange(40).expand(6, 40))
    with pytest.raises(ValueError, match="cannot take 41 candidates of 40"):
        top(z, 41)
    with pytest.raises(ValueError, match="cannot take 0"):
        top(z, 0)


def test_a_row_that_forbids_all_and_one_that_is_infinite(path: str) -> None:
    z = torch.full((2, 100), -torch.inf)
    z[1, 7] = torch.inf
    values, ids, total = top(z, 3)
    assert values.tolist() == [[-torch.inf] * 3, [torch.inf, -torch.inf, -torch.inf]]
    assert total.tolist() == [-torch.inf, torch.inf]
    assert ids[1, 0] == 7
    if path == "native":
        assert ids.tolist() == [[0, 1, 2], [7, 0, 1]]


@pytest.mark.parametrize("place", [0, 4500, 9000])
def test_a_nan_shows_in_the_sum(path: str, place: int) -> None:
    z = torch.full((3, 10_000), -torch.inf)
    z[1] = torch.randn(10_000)
    z[2, 9_999] = 1
    z[:, place] = torch.nan
    assert top(z, 5)[2].isnan().all()


def test_rows_may_lie_in_a_wider_tensor(path: str) -> None:
    wide = torch.randn(4, 700)
    z = wide[:, :600]
    values, _, total = top(z, 9)
    assert torch.equal(values, z.topk(9).values)
    torch.testing.assert_close(total, z.logsumexp(-1))
    assert torch.equal(argmax(z), z.argmax(-1))
    assert torch.equal(top(wide.T, 3)[0], wide.T.topk(3).values)  # columns that are rows


@pytest.mark.parametrize("seed", range(6))
def test_argmax_takes_the_first(path: str, seed: int) -> None:
    z = rows(seed, 6, [1, 31, 256, 300, 49152, 5000][seed])
    assert torch.equal(argmax(z), z.sort(descending=True, stable=True).indices[:, 0])


@pytest.mark.parametrize("V", [1, 31, 32, 33, 500, 4096])
def test_masks_forbid_bit_by_bit(path: str, V: int) -> None:
    z = torch.randn(3, V)
    allowed = torch.rand(3, V) < 0.5
    allowed[1] = True
    words = -(-V // 32)
    bits = torch.zeros(3, words * 32, dtype=torch.int64)
    bits[:, :V] = allowed
    packed = (bits.view(3, words, 32) << torch.arange(32)).sum(-1)
    mask = torch.where(packed >= 1 << 31, packed - (1 << 32), packed).int()
    expected = z.masked_fill(~allowed, -torch.inf)
    assert mask_(z, mask) is z
    assert torch.equal(z, expected)
    with pytest.raises(ValueError, match="the bitmask of 3 rows"):
        mask_(z, mask.long())


def test_other_dtypes_and_gradients_go_through_torch() -> None:
    z = torch.randn(2, 300)
    values, ids, _ = top(z.double(), 4)
    assert values.dtype == torch.float64
    assert torch.equal(ids, z.topk(4).indices)
    z.requires_grad_()
    top(z, 4)[2].sum().backward()
    assert z.grad is not None


@pytest.mark.parametrize("seed", range(12))
def test_a_draw_falls_where_the_cumulative_softmax_passes_it(path: str, seed: int) -> None:
    n, V = [(64, 5000), (7, 1000), (3, 49152), (2, 4096), (5, 257), (1, 200_064)][seed % 6]
    z = rows(seed, n, V)
    generator = torch.Generator().manual_seed(seed)
    temperature = torch.empty(n, 1).uniform_(0.3, 1.7, generator=generator)
    share = (z.double() / temperature).softmax(-1)
    upto = share.cumsum(-1)
    for u in (*torch.rand(20, n, 1, dtype=torch.float64, generator=generator), torch.zeros(n, 1).double()):
        ids = draw(z, temperature, u)[:, None]
        assert (share.gather(-1, ids) > 0).all()  # nothing that is forbidden
        assert (upto.gather(-1, ids) >= u - 1e-6).all()
        assert ((upto - share).gather(-1, ids) <= u + 1e-6).all()
    last = draw(z, temperature, torch.full((n, 1), 1 - 2**-53, dtype=torch.float64))[:, None]
    assert (share.gather(-1, last) > 0).all()
    assert (upto.gather(-1, last) >= 1 - 1e-6).all()


def test_draws_have_the_shares_of_their_ids(path: str) -> None:
    z = torch.tensor([[0.0, -torch.inf, 1.0, 2.0, -torch.inf]])
    u = (torch.arange(1000, dtype=torch.float64)[:, None] + 0.5) / 1000
    ids = draw(z.expand(1000, 5), torch.full((1000, 1), 2.0), u)
    counts = ids.bincount(minlength=5)
    torch.testing.assert_close(counts / 1000, (z[0] / 2).softmax(-1), atol=2e-3, rtol=0)
    assert torch.equal(draw(z.expand(1000, 5), torch.full((1000, 1), 2), u.expand(1000, 1)), ids)  # a whole number


def test_a_row_that_forbids_all_has_some_draw(path: str) -> None:
    z = torch.full((1, 100), -torch.inf)
    assert 0 <= int(draw(z, torch.ones(1, 1), torch.full((1, 1), 0.5, dtype=torch.float64))) < 100
