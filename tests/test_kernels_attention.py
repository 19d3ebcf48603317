"""Attention over blocks, against a softmax per row in fp64."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from phiforge.kernels import attention
from phiforge.kernels import pool as pool_of_blocks
from phiforge.kernels.attention import BLOCK, Plan, Pool, Run, attend, attend_qkv
from phiforge.kernels.elementwise import rotate
from phiforge.kernels.pool import DTYPES
from phiforge.kernels.pool import NATIVE as NATIVE_DTYPES

PATHS = ["native", "torch"]


class Forest:
    """Random sequences that share beginnings: a tree whose every node is a run, and query rows anywhere in it."""

    def __init__(self, seed: int, G: int, R: int, D: int, aligned: bool = True, long: int = 300) -> None:
        self.random = random.Random(seed)
        torch.manual_seed(seed)
        self.G, self.H, self.D = G, G * R, D
        self.keys: list[Tensor] = []  # per node [length, G, D]
        self.values: list[Tensor] = []
        self.starts: list[int] = []
        self.parents: list[int] = []
        for node in range(self.random.randint(1, 7)):
            parent = self.random.randint(-1, node - 1)
            start = 0 if parent < 0 else self.starts[parent] + len(self.keys[parent])
            length = self.random.choice([1, 15, 16, 17, self.random.randint(1, long)])
            if aligned:
                length = -(-length // BLOCK) * BLOCK
            self.starts.append(start)
            self.parents.append(parent)
            self.keys.append(2 * torch.randn(length, G, D))
            self.values.append(torch.randn(length, G, D) + 1)
        self.rows: list[int] = []  # the node each query row stands in
        self.positions: list[int] = []
        for _ in range(self.random.choice([1, 2, 5, 40])):
            node = self.random.randrange(len(self.keys))
            self.rows.append(node)
            self.positions.append(self.starts[node] + self.random.randrange(len(self.keys[node])))
        self.q = torch.randn(len(self.rows), self.H, D)

    def path(self, node: int) -> list[int]:
        return [] if node < 0 else [*self.path(self.parents[node]), node]

    def expected(self) -> Tensor:
        out = []
        for q, node, position in zip(self.q, self.rows, self.positions, strict=True):
            k = torch.cat([self.keys[n] for n in self.path(node)])[: position + 1].double()
            v = torch.cat([self.values[n] for n in self.path(node)])[: position + 1].double()
            k, v = (x.repeat_interleave(self.H // self.G, dim=1) for x in (k, v))
            scores = torch.einsum("hd,lhd->hl", q.double(), k) * self.D**-0.5
            out.append(torch.einsum("hl,lhd->hd", scores.softmax(-1), v))
        return torch.stack(out)

    def pool(self, dtype: torch.dtype) -> tuple[Pool, list[list[int]]]:
        """A pool full of NaN but for the nodes' tokens, in shuffled blocks, and the blocks of each node."""
        counts = [-(-len(k) // BLOCK) for k in self.keys]
        pool = Pool(2, sum(counts) + 3, self.G, self.D, dtype)
        for tensor in (*pool.keys, *pool.values, *pool.key_scales, *pool.value_scales):
            tensor.fill_(-128 if tensor.dtype == torch.int8 else torch.nan)
        free = list(range(pool.n_blocks))
        self.random.shuffle(free)
        blocks = [[free.pop() for _ in range(n)] for n in counts]
        for k, v, own in zip(self.keys, self.values, blocks, strict=True):
            slots = torch.tensor([own[i // BLOCK] * BLOCK + i % BLOCK for i in range(len(k))])
            pool.store(1, k, v, slots)
        return pool, blocks

    def plan(self, blocks: list[list[int]]) -> Plan:
        """One run a node, seen by the rows that stand in it or above it, though some see only its beginning."""
        runs = []
        for node, own in enumerate(blocks):
            rows = [t for t, at in enumerate(self.rows) if node in self.path(at)]
            runs.append(Run(own, self.starts[node], len(self.keys[node]), rows))
        self.random.shuffle(runs)
        return Plan(runs, self.positions)


@pytest.fixture(params=PATHS)
def path(request, monkeypatch) -> str:
    if request.param == "torch":
        monkeypatch.setattr(attention, "_kernels", lambda: None)
        monkeypatch.setattr(pool_of_blocks, "_store_kernel", lambda: None)
    elif not attention._kernels():
        pytest.skip("no compiled kernels here")
    return request.param


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_any_tree_of_runs_is_one_softmax_per_row(path: str, seed: int, dtype: torch.dtype) -> None:
    G, R, D = random.Random(seed).choice([(1, 1, 8), (3, 3, 64), (2, 5, 24), (2, 1, 96), (1, 7, 40), (2, 4, 128)])
    forest = Forest(seed, G, R, D, aligned=seed % 3 > 0)
    pool, blocks = forest.pool(dtype)
    out = attend(forest.q, pool, 1, forest.plan(blocks))
    tolerance = {torch.float32: 3e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2, torch.int8: 4e-2}[dtype]
    torch.testing.assert_close(out.double(), forest.expected(), atol=tolerance, rtol=tolerance)


def test_queries_in_bf16_give_bf16(path: str) -> None:
    forest = Forest(3, 2, 2, 16)
    pool, blocks = forest.pool(torch.bfloat16)
    out = attend(forest.q.bfloat16(), pool, 1, forest.plan(blocks))
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.double(), forest.expected(), atol=4e-2, rtol=4e-2)


def test_many_rows_are_scored_a_slice_at_a_time(monkeypatch) -> None:
    monkeypatch.setattr(attention, "SCORES", 5000)
    forest = Forest(8, 2, 2, 16)
    pool, blocks = forest.pool(torch.float32)
    out = attention._attend_torch(forest.q, pool, 1, forest.plan(blocks))
    torch.testing.assert_close(out.double(), forest.expected(), atol=3e-6, rtol=3e-6)


@pytest.fixture
def native() -> None:
    if not attention._kernels():
        pytest.skip("no compiled kernels here")


NATIVE = pytest.mark.parametrize("dtype", list(NATIVE_DTYPES), ids=str)


def sequences(
    dtype: torch.dtype, n: int, shared: int, length: int, R: int = 3
) -> tuple[Pool, Tensor, list[list[int]]]:
    """n sequences of `length` tokens, the first `shared` the same and in the same blocks; one query for each token."""
    torch.manual_seed(n * length)
    k, v = 3 * torch.randn(n, length, 2, 64), torch.randn(n, length, 2, 64)
    k[:, :shared], v[:, :shared] = k[0, :shared], v[0, :shared]
    per = -(-length // BLOCK)
    pool = Pool(1, n * per, 2, 64, dtype)
    blocks = [list(range(i * per, (i + 1) * per)) for i in range(n)]
    for i in range(n):
        pool.store(0, k[i], v[i], torch.tensor([blocks[i][p // BLOCK] * BLOCK + p % BLOCK for p in range(length)]))
        blocks[i][: shared // BLOCK] = blocks[0][: shared // BLOCK]
    return pool, torch.randn(n, length, 2 * R, 64), blocks


@NATIVE
@pytest.mark.parametrize("R", [1, 3, 8])
def test_a_row_has_the_same_bits_whatever_else_is_in_the_batch(native, dtype: torch.dtype, R: int) -> None:
    pool, q, blocks = sequences(dtype, 1, 0, 700, R)
    together = attend(q[0], pool, 0, Plan([Run(blocks[0], 0, 700, range(700))], range(700)))
    for first, last in ((0, 1), (255, 258), (300, 301), (511, 530), (640, 700)):
        run = Run(blocks[0], 0, last, range(last - first))
        some = attend(q[0, first:last], pool, 0, Plan([run], range(first, last)))
        assert torch.equal(some, together[first:last])


@NATIVE
@pytest.mark.parametrize("shared", [16, 240, 256, 272, 496])
def test_a_shared_beginning_gives_the_bits_of_a_private_one(native, dtype: torch.dtype, shared: int) -> None:
    n, length = 5, 600
    pool, q, blocks = sequences(dtype, n, shared, length)
    last = q[:, -1].contiguous()
    alone = [attend(last[i : i + 1], pool, 0, Plan([Run(blocks[i], 0, length, [0])], [length - 1])) for i in range(n)]
    cut = shared // BLOCK
    runs = [Run(blocks[i][cut:], shared, length - shared, [i]) for i in range(n)]
    runs.append(Run(blocks[0][:cut], 0, shared, range(n)))
    assert torch.equal(attend(last, pool, 0, Plan(runs, [length - 1] * n)), torch.cat(alone))
    thirds = [
        Run(blocks[1][a:b], a * BLOCK, min(b * BLOCK, length) - a * BLOCK, [0]) for a, b in ((0, 7), (7, 9), (9, 38))
    ]
    assert torch.equal(attend(last[1:2], pool, 0, Plan(thirds, [length - 1])), alone[1])


@NATIVE
def test_threads_do_not_change_bits(native, dtype: torch.dtype) -> None:
    pool, q, blocks = sequences(dtype, 1, 0, 900)
    plan = Plan([Run(blocks[0], 0, 900, range(100))], range(800, 900))
    threads = torch.get_num_threads()
    try:
        results = []
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            results.append(attend(q[0, 800:], pool, 0, plan))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_a_long_prompt_goes_part_after_part(path: str) -> None:
    """So many query rows and keys that the kernel's partial sums take more memory than it allows itself at once."""
    G, R, D, length, T = 1, 4, 16, 12_000, 700
    torch.manual_seed(0)
    k, v, q = torch.randn(length, G, D), torch.randn(length, G, D), torch.randn(T, G * R, D)
    blocks = list(range(length // BLOCK))
    pool = Pool(1, len(blocks), G, D)
    pool.store(0, k, v, torch.arange(length))
    out = attend(q, pool, 0, Plan([Run(blocks, 0, length, range(T))], range(length - T, length)))
    rows = torch.tensor([0, 1, 350, T - 1])
    scores = torch.einsum("thd,ld->thl", q[rows].double(), k[:, 0].double()) * D**-0.5
    scores.masked_fill_(torch.arange(length) > (rows + length - T)[:, None, None], -torch.inf)
    expected = torch.einsum("thl,ld->thd", scores.softmax(-1), v[:, 0].double())
    torch.testing.assert_close(out[rows].double(), expected, atol=3e-6, rtol=3e-6)


def test_extreme_scores_are_neither_lost_nor_infinite(path: str) -> None:
    pool = Pool(1, 40, 1, 8)
    k, v = torch.zeros(640, 1, 8), torch.randn(640, 1, 8)
    k[:, 0, 0] = torch.linspace(-3000, 3000, 640)
    k[5, 0, 0] = -2000
    pool.store(0, k, v, torch.arange(640))
    q = torch.tensor([1.0, -1.0, 1e-3])[:, None, None] * torch.eye(8)[0]
    out = attend(q.contiguous(), pool, 0, Plan([Run(range(40), 0, 640, range(3))], [639] * 3))
    scores = (q[:, 0].double() @ k[:, 0].double().T) * 8**-0.5
    torch.testing.assert_close(out[:, 0].double(), scores.softmax(-1) @ v[:, 0].double(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("given", [False, True])
def test_one_call_rotates_stores_and_attends(path: str, dtype: torch.dtype, given: bool) -> None:
    torch.manual_seed(1)
    H, G, D, T = 6, 2, 24, 5
    qkv, angles = torch.randn(T, (H + 2 * G) * D), torch.randn(T, 1, 8)
    cos, sin = angles.cos(), angles.sin()
    pools = [Pool(2, 3, G, D, dtype) for _ in range(2)]
    slots, blocks = torch.arange(T) + 2 * BLOCK - 2, [1, 2]
    plan = Plan([Run(blocks, 0, 14 + T, range(T))], range(14, 14 + T))
    for pool in pools:
        torch.manual_seed(2)
        pool.store(1, torch.randn(14, G, D), torch.randn(14, G, D), torch.arange(14) + BLOCK)
    q, k, v = qkv.clone().view(T, -1, D).split((H, G, G), dim=1)
    pools[0].store(1, rotate(k, cos, sin), v, slots)
    expected = attend(rotate(q, cos, sin), pools[0], 1, plan)
    out = torch.empty(T, H * D) if given else None
    with torch.inference_mode():
        result = attend_qkv(qkv, cos, sin, pools[1], 1, slots, plan, out)
    assert result.shape == (T, H * D)
    assert out is None or result is out
    torch.testing.assert_close(result.view(T, H, D), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_store_puts_tokens_where_they_belong(path: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    for G, D, slots in ((2, 24, [17, 3, 40, 41, 15]), (3, 64, [31]), (1, 8, [0, 1, 2])):
        pool = Pool(2, 3, G, D, dtype)
        k, v = torch.randn(len(slots), G, D), torch.randn(len(slots), G, D)
        k[0, 0] = 0
        pool.store(1, k, v, torch.tensor(slots))
        for i, slot in enumerate(slots):
            block, place = divmod(slot, BLOCK)
            key, value = pool.keys[1][block, :, :, place].float(), pool.values[1][block, :, place].float()
            if dtype == torch.int8:
                key = key * pool.key_scales[1][block, :, place, None]
                value = value * pool.value_scales[1][block, :, place, None]
                torch.testing.assert_close(key, k[i], atol=float(k.abs().max()) / 253, rtol=0)
                torch.testing.assert_close(value, v[i], atol=float(v.abs().max()) / 253, rtol=0)
            else:
                assert torch.equal(key, k[i].to(dtype).float())
                assert torch.equal(value, v[i].to(dtype).float())


def test_store_takes_views_of_a_wider_tensor(path: str) -> None:
    qkv = torch.randn(4, 7, 16)
    pool = Pool(1, 2, 2, 16)
    pool.store(0, qkv[:, 3:5], qkv[:, 5:], torch.tensor([9, 8, 7, 31]))
    assert torch.equal(pool.keys[0][1, :, :, 15], qkv[3, 3:5])
    assert torch.equal(pool.values[0][0, :, 9], qkv[0, 5:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8], ids=str)
def test_copied_blocks_are_equal_in_all_layers(dtype: torch.dtype) -> None:
    pool = Pool(2, 5, 2, 8, dtype)
    slots = torch.arange(5 * BLOCK)
    for layer in range(2):
        pool.store(layer, torch.randn(80, 2, 8), torch.randn(80, 2, 8), slots)
    tensors = (*pool.keys, *pool.values, *pool.key_scales, *pool.value_scales)
    before = [tensor.clone() for tensor in tensors]
    pool.copy(1, 4)
    pool.copy([4, 0], [0, 2])
    for old, new in zip(before, tensors, strict=True):
        assert torch.equal(new, old[[1, 1, 0, 3, 1]])
    with pytest.raises(ValueError, match="2 blocks cannot be copied to 1"):
        pool.copy([0, 1], 2)


def test_a_block_takes_what_its_tensors_take() -> None:
    for dtype in DTYPES:
        pool = Pool(3, 4, 2, 8, dtype)
        tensors = (*pool.keys, *pool.values, *pool.key_scales, *pool.value_scales)
        assert sum(tensor.nbytes for tensor in tensors) == 4 * Pool.bytes_per_block(3, 2, 8, dtype)


def test_a_plan_names_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="run of 17 tokens does not fit its 1 blocks"):
        Plan([Run([0], 0, 17, [0])], [16])
    with pytest.raises(ValueError, match="row 1 sees no key"):
        Plan([Run([0], 0, 4, [0]), Run([1], 8, 4, [1])], [3, 7])
    with pytest.raises(ValueError, match=r"cannot hold torch\.int32"):
        Pool(1, 1, 1, 8, torch.int32)


def test_a_block_beyond_the_pool_is_an_error(path: str) -> None:
    with pytest.raises(IndexError, match=r"block 4 of a pool of 4|out of"):
        attend(torch.zeros(1, 1, 8), Pool(1, 4, 1, 8), 0, Plan([Run([4], 0, 4, [0])], [3]))
