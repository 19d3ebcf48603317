"""Who holds which block of the KV cache, and which blocks can be had again because their tokens are known.

A block holds BLOCK consecutive tokens of one sequence. Full blocks hang in a prefix tree: a block is found by the block
before it and its own tokens, so two sequences that begin alike hold the same blocks, whoever computed them. A block
that nobody holds any more stays findable until its room is needed; the longest unused goes first, ends before beginnings.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from phiforge.kernels.attention import BLOCK

Key = tuple[Hashable, ...]  # the tokens of one full block


class Blocks:
    """Counts and the prefix tree of `n` blocks. It knows numbers only; the keys and values lie in `kernels.attention.Pool`."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._free = list(range(n - 1, -1, -1))
        self._holders = [0] * n
        self._tree: dict[tuple[Hashable, Key], int] = {}  # (block before, or a root), tokens -> block
        self._place: dict[int, tuple[Hashable, Key]] = {}  # block -> its place in the tree
        self._pending: set[int] = set()  # in the tree, but not computed yet
        self._idle: OrderedDict[int, None] = OrderedDict()  # in the tree, held by nobody; longest unused first

    @property
    def available(self) -> int:
        """Blocks that `allocate` can give."""
        return len(self._free) + len(self._idle)

    @property
    def held(self) -> int:
        """Blocks that somebody holds."""
        return self.n - self.available

    def match(self, root: Hashable, keys: Sequence[Hashable]) -> tuple[list[int], bool]:
        """The blocks in the tree that begin `keys`, and whether the next one is being computed by someone else."""
        found: list[int] = []
        before: Hashable = root
        for start in range(0, len(keys) - BLOCK + 1, BLOCK):
            block = self._tree.get((before, tuple(keys[start : start + BLOCK])))
            if block is None:
                break
            if block in self._pending:
                return found, True
            found.append(block)
            before = block
        return found, False

    def hold(self, blocks: Sequence[int]) -> None:
        """One more holder for each of these blocks."""
        for block in blocks:
            self._holders[block] += 1
            self._idle.pop(block, None)

    def allocate(self, n: int) -> list[int] | None:
        """n blocks for one holder, or None if there are not so many; idle ones are forgotten as needed."""
        if n > self.available:
            return None
        while len(self._free) < n:
            block, _ = self._idle.popitem(last=False)
            self._forget(block)
            self._free.append(block)
        taken = [self._free.pop() for _ in range(n)]
        for block in taken:
            self._holders[block] = 1
        return taken

    def release(self, blocks: Sequence[int]) -> None:
        """One holder fewer for each block of a sequence, given from its beginning."""
        for block in reversed(blocks):  # ends first, so that they also grow old first
            self._holders[block] -= 1
            assert self._holders[block] >= 0
            if self._holders[block]:
                continue
            if block in self._pending:  # never computed: whoever waits for it has to do it
                self._forget(block)
            if block in self._place:
                self._idle[block] = None
            else:
                self._free.append(block)

    def announce(self, before: Hashable, key: Key, block: int) -> None:
        """Hang a block in the tree whose tokens are about to be computed, so that others wait rather than repeat it."""
        if (before, key) not in self._tree and self._hangs(before):
            self._tree[before, key] = block
            self._place[block] = (before, key)
            self._pending.add(block)

    def publish(self, before: Hashable, key: Key, block: int) -> int:
        """Hang a computed block in the tree. Where another one holds the same already, the caller's is given back and
        the other's number returned, held."""
        other = self._tree.get((before, key))
        if other is None:
            if self._hangs(before):
                self._tree[before, key] = block
                self._place[block] = (before, key)
        elif other != block and other not in self._pending:
            self.hold([other])
            self.release([block])
            return other
        elif other == block:
            self._pending.discard(block)
        return block

    def clear(self) -> None:
        """Forget the whole tree, as when the weights have changed. What is held stays held."""
        for block in list(self._place):
            self._forget(block)
        self._free += self._idle
        self._idle.clear()

    def _hangs(self, before: Hashable) -> bool:
        # Under a block that is not in the tree itself, the entry would outlive what it means.
        return not isinstance(before, int) or before in self._place

    def _forget(self, block: int) -> None:
        del self._tree[self._place.pop(block)]
        self._pending.discard(block)
