"""Which benchmark items a training set holds, told without changing it: a line for each place where one is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from phiforge.data.curate.decontaminate import Decontaminator
from phiforge.data.curate.filters import BATCH
from phiforge.records import Example


class Found(Struct, frozen=True):
    """An item in a text. `text` is the row's id, a document's file, or the number of the text; the rest as `Leak` has it."""

    item: str
    benchmark: str
    contaminated: bool
    how: str
    ratio: float
    text: str
    excerpt: str


def leaks(
    source: Iterable[tuple[str, str, Any]],
    decontaminator: Decontaminator,
    progress: Callable[[str, int], None] = lambda _what, _done: None,
) -> Iterator[Found]:
    """Everything that is found of the items in a source (see `filters.opened`), text by text."""
    texts, number = iter(source), 0
    while batch := list(islice(texts, BATCH)):
        for (_, _, row), found in zip(batch, decontaminator.find([text for _, text, _ in batch]), strict=True):
            for leak in found:
                mark = _mark(row, number)
                yield Found(leak.item, leak.benchmark, leak.contaminated, leak.how, leak.ratio, mark, leak.excerpt)
            number += 1
        progress("reading", number)


def _mark(row: Any, number: int) -> str:
    if isinstance(row, Example):
        return row.problem.id
    return str(row.get("source") or row.get("id") or number)
