"""Who is computed in the next step: admission, shares of a step for long prompts, and who gives way when memory is short.

First come, first served: nobody overtakes a sequence that waits for room, except past one that waits for a prefix which
another sequence is computing already. A sequence that needs a block when none is left takes it from the youngest one,
which returns to the queue and is computed again later; what it had written stays, and its blocks may still be found.
"""

from __future__ import annotations

from bisect import insort

from phiforge.engine.blocks import Blocks
from phiforge.engine.sequence import Sequence
from phiforge.kernels.attention import BLOCK

MAX_SAMPLES = 256  # sequences in a step; further ones wait
PREFILL_ALONE = 512  # tokens of prompts in one step
PREFILL_BESIDE = 128  # the same when samples are running, which wait for the step to end

Span = tuple[Sequence, int]  # a sequence and how many of its tokens to feed, drafted ones included


class Scheduler:
    """The queue, the running sequences and their blocks."""

    def __init__(self, n_blocks: int) -> None:
        self.blocks = Blocks(n_blocks)
        self.waiting: list[Sequence] = []  # oldest first
        self.running: list[Sequence] = []  # oldest first

    def plan(self) -> list[Span]:
        """Admit who fits, and say what to feed. Every sequence named has blocks for it."""
        self._admit()
        spans: list[Span] = []
        reading = []
        for sequence in list(self.running):  # the oldest first: they take from the youngest, not the other way round
            if not sequence.blocks:
                continue  # it has just given way
            if sequence.missing > 1:
                reading.append(sequence)
                continue
            n = 1 + len(sequence.draft)
            if self._grow(sequence, n):
                spans.append((sequence, n))
            elif sequence.draft:
                sequence.draft = []
                if self._grow(sequence, 1):
                    spans.append((sequence, 1))
        reading = [sequence for sequence in reading if sequence.blocks]
        budget = PREFILL_BESIDE if spans else PREFILL_ALONE
        for left, sequence in zip(range(len(reading), 0, -1), sorted(reading, key=_length), strict=True):
            # The shortest first: what they leave of their equal share goes to the longer ones.
            n = min(sequence.missing, max(budget // left, 1))
            if budget > 0:
                spans.append((sequence, n))
                budget -= n
        return [(sequence, n) for sequence, n in spans if sequence.blocks]

    def advance(self, sequence: Sequence, n: int) -> None:
        """The keys and values of the sequence's next n tokens have been computed, and the tokens were the right ones."""
        sequence.cached += n
        self._publish(sequence)

    def fork(self, parent: Sequence, children: list[Sequence]) -> list[tuple[int, int]]:
        """Let `children` share what `parent` has computed. Returns the blocks to copy, (from, to): the last one is not
        full, and each continues it in its own way. A child for which there is no block waits and is computed again."""
        copies: list[tuple[int, int]] = []
        full, tail = divmod(parent.cached, BLOCK)
        for child in children:
            own = self.blocks.allocate(1) if tail else []
            if own is None:
                insort(self.waiting, child, key=_order)
                continue
            shared = parent.blocks[:full]
            self.blocks.hold(shared)
            child.blocks, child.cached, child.published = shared + own, parent.cached, full
            copies += [(parent.blocks[full], block) for block in own]
            insort(self.running, child, key=_order)
        return copies

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence."""
        insort(self.waiting, sequence, key=_order)

    def remove(self, sequence: Sequence) -> None:
        """Let go of a sequence and its blocks, wherever it is."""
        self._drop(sequence)
        for queue in (self.running, self.waiting):
            if sequence in queue:
                queue.remove(sequence)

    def restart(self, sequence: Sequence) -> None:
        """Forget what was computed of a sequence; it waits to be computed again."""
        self._drop(sequence)
        if sequence in self.running:
            self.running.remove(sequence)
            insort(self.waiting, sequence, key=_order)

    def _drop(self, sequence: Sequence) -> None:
        self.blocks.release(sequence.blocks)
        sequence.blocks, sequence.cached, sequence.published, sequence.draft = [], 0, 0, []

    def _admit(self) -> None:
        n_running = len(self.running)
        for sequence in list(self.waiting):
            if n_running + sequence.fan_out > MAX_SAMPLES:
                return
            found, pending = self.blocks.match(sequence.root, sequence.keys[: sequence.first_row])
            if pending:
                continue
            if not self._start(sequence, found):
                return
            self.waiting.remove(sequence)
            insort(self.running, sequence, key=_order)
            n_running += sequence.fan_out

    def _start(self, sequence: Sequence, found: list[int]) -> bool:
        length = len(sequence.ids)
        self.blocks.hold(found)
        need = -(-length // BLOCK) - len(found)
        # Room for the samples to part, and a block for each that runs, so that the newcomer is not sent back at once.
        spare = sequence.fan_out + len(self.running) if self.running else 0
        own = self.blocks.allocate(need) if need + spare <= self.blocks.available else None
        if own is None:
            self.blocks.release(found)
            return False
        sequence.blocks = found + own
        sequence.cached = len(found) * BLOCK
        sequence.published = len(found)
        if sequence.found is None:
            sequence.found = sequence.cached
        for i in range(len(found), length // BLOCK):
            self.blocks.announce(sequence.before(i), sequence.key(i), sequence.blocks[i])
        return True

    def _grow(self, sequence: Sequence, n: int) -> bool:
        """Blocks for n more tokens; the youngest gives way. False where the sequence itself had to, or a draft has no room."""
        need = -(-(sequence.cached + n) // BLOCK) - len(sequence.blocks)
        if need <= 0:
            return True
        while (own := self.blocks.allocate(need)) is None:
            if sequence.draft:
                return False
            youngest = self.running[-1]
            self.restart(youngest)
            if youngest is sequence:
                return False
        sequence.blocks += own
        return True

    def _publish(self, sequence: Sequence) -> None:
        for i in range(sequence.published, sequence.cached // BLOCK):
            sequence.blocks[i] = self.blocks.publish(sequence.before(i), sequence.key(i), sequence.blocks[i])
        sequence.published = max(sequence.published, sequence.cached // BLOCK)


def _order(sequence: Sequence) -> tuple[int, int]:
    return sequence.order


def _length(sequence: Sequence) -> tuple[int, tuple[int, int]]:
    return sequence.missing, sequence.order
