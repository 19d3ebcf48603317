"""The books of the KV cache: who holds what, what can be found again, and that nothing is lost or given twice."""

from __future__ import annotations

import random

from phiforge.engine.blocks import Blocks
from phiforge.kernels.attention import BLOCK

ROOT = (None, False)


def key(*tokens: int) -> tuple[int, ...]:
    """A full block's tokens: the given ones and zeros."""
    return (*tokens, *[0] * (BLOCK - len(tokens)))


def hang(blocks: Blocks, *keys: tuple[int, ...]) -> list[int]:
    """A sequence that has computed these blocks."""
    own = blocks.allocate(len(keys))
    assert own is not None
    for i, k in enumerate(keys):
        own[i] = blocks.publish(own[i - 1] if i else ROOT, k, own[i])
    return own


def test_a_text_finds_the_blocks_of_one_that_begins_alike() -> None:
    blocks = Blocks(8)
    a = hang(blocks, key(1), key(2), key(3))
    assert blocks.match(ROOT, [*key(1), *key(2), *key(9)]) == (a[:2], False)
    assert blocks.match(ROOT, [*key(1), *key(2)[:-1]]) == (a[:1], False)  # only whole blocks
    assert blocks.match(("adapter", False), key(1)) == ([], False)
    assert blocks.match(ROOT, key(2)) == ([], False)  # the same tokens elsewhere are something else


def test_what_nobody_holds_stays_until_its_room_is_needed_ends_first() -> None:
    blocks = Blocks(4)
    a = hang(blocks, key(1), key(2), key(3))
    blocks.release(a)
    assert (blocks.available, blocks.held) == (4, 0)
    assert blocks.match(ROOT, [*key(1), *key(2), *key(3)])[0] == a
    assert len(blocks.allocate(2) or []) == 2  # one was free, one is taken from the end
    assert blocks.match(ROOT, [*key(1), *key(2), *key(3)])[0] == a[:2]
    assert blocks.allocate(3) is None
    blocks.hold(a[:1])
    assert blocks.allocate(2) is None
    assert blocks.allocate(1) == [a[1]]
    assert blocks.match(ROOT, [*key(1), *key(2)])[0] == a[:1]


def test_a_block_that_is_being_computed_is_waited_for_and_forgotten_if_it_never_comes() -> None:
    blocks = Blocks(4)
    own = blocks.allocate(2)
    assert own is not None
    blocks.announce(ROOT, key(1), own[0])
    blocks.announce(own[0], key(2), own[1])
    assert blocks.match(ROOT, key(1)) == ([], True)
    assert blocks.publish(ROOT, key(1), own[0]) == own[0]
    assert blocks.match(ROOT, [*key(1), *key(2)]) == (own[:1], True)
    blocks.release(own)
    assert blocks.match(ROOT, [*key(1), *key(2)]) == (own[:1], False)


def test_the_same_computed_twice_is_kept_once() -> None:
    blocks = Blocks(4)
    a = hang(blocks, key(1), key(2))
    b = hang(blocks, key(1), key(2))
    assert a == b
    assert blocks.held == 2
    blocks.release(a)
    assert blocks.held == 2
    blocks.release(b)
    assert blocks.held == 0


def test_nothing_hangs_under_a_block_that_is_not_in_the_tree() -> None:
    blocks = Blocks(3)
    a = hang(blocks, key(1))
    blocks.clear()
    (b,) = blocks.allocate(1) or []
    blocks.publish(a[0], key(2), b)  # goes on, but below something that cannot be found
    blocks.release([*a, b])
    again = hang(blocks, key(7))
    assert blocks.match(ROOT, [*key(7), *key(2)])[0] == again


def test_random_texts_never_find_another_texts_block() -> None:
    """Each block remembers whose whole prefix it was written for, which the books do not know."""
    rng = random.Random(0)
    blocks, written = Blocks(12), {}
    held: list[list[int]] = []
    hits = 0
    for _ in range(4000):
        if held and (rng.random() < 0.45 or blocks.available < 4):
            blocks.release(held.pop(rng.randrange(len(held))))
            continue
        keys = [key(rng.randrange(3)) for _ in range(rng.randint(1, 4))]
        flat = [t for k in keys for t in k]
        found, pending = blocks.match(ROOT, flat)
        assert not pending
        for i, block in enumerate(found):
            assert written[block] == tuple(keys[: i + 1])
        hits += len(found)
        blocks.hold(found)
        own = blocks.allocate(len(keys) - len(found))
        if own is None:
            blocks.release(found)
            continue
        mine = found + own
        for i in range(len(found), len(keys)):
            if rng.random() < 0.1:
                break  # preempted half-way: what was not computed is not published
            written[mine[i]] = tuple(keys[: i + 1])
            mine[i] = blocks.publish(mine[i - 1] if i else ROOT, keys[i], mine[i])
        held.append(mine)
        assert blocks.held == len({b for m in held for b in m})
    for mine in held:
        blocks.release(mine)
    assert blocks.held == 0
    assert hits > 500
