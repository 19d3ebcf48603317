"""Chance that can be repeated: everything a row draws comes from its seed, its pipeline and its number."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import Self, TypeVar

T = TypeVar("T")


class Draw(Random):
    """`random.Random`, begun from a key, with a few words more. Never draw from a set: its order is not repeatable."""

    @classmethod
    def of(cls, *key: str | int) -> Self:
        """The draw that belongs to a key. Equal keys draw alike on every machine; different ones have nothing in common."""
        return cls(int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest()))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return self.choice(options)

    def between(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return self.randint(least, most)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in another order."""
        return self.sample(items, len(items))
