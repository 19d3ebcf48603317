"""Speculative decoding by prompt lookup: what followed the last time the text stood here is likely to follow again.

The draft is checked by the network in one forward pass (Leviathan et al. 2023; prompt lookup: Saxena 2023). Every sampled
token comes from a uniform draw that belongs to its position (see `sampler.py`), so a draft changes nothing: the tokens are
the very ones that would have come without it, and a draft is worth as much as it foresees of them.
"""

from __future__ import annotations

LONGEST, SHORTEST = 4, 2  # tokens of the end of the text that must have occurred before
MOST = 8  # drafted tokens in a step


class Drafter:
    """Drafts for one sequence. It drafts more where drafts have come true, and pauses where they have not."""

    def __init__(self) -> None:
        self._after: dict[tuple[int, ...], int] = {}  # n-gram -> where what followed it begins
        self._read = 0
        self._most = MOST // 2
        self._pause = 0

    def propose(self, ids: list[int], most: int) -> list[int]:
        """At most `most` tokens that may follow `ids`."""
        # The n-grams that end before the last token: the end of the text must not find itself.
        for end in range(self._read, len(ids)):
            for n in range(SHORTEST, LONGEST + 1):
                if end >= n:
                    self._after[tuple(ids[end - n : end])] = end
        self._read = len(ids)
        if self._pause:
            self._pause -= 1
            return []
        for n in range(LONGEST, SHORTEST - 1, -1):
            start = self._after.get(tuple(ids[-n:])) if len(ids) >= n else None
            if start is not None:
                return ids[start : start + min(most, self._most)]
        return []

    def learn(self, drafted: int, right: int) -> None:
        """So many of the drafted tokens came true."""
        if right == drafted:
            self._most = min(2 * self._most, MOST)
        else:
            self._most = max(right + 1, 2)
            if right == 0:
                self._pause = 4
