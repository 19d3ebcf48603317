"""All kinds of small programs that print one line, by level."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code import _programs_easy as easy
from phiforge.data.pipelines.code import _programs_hard as hard
from phiforge.data.pipelines.code._programs_easy import Program as Program


class Kind(NamedTuple):
    level: int
    write: Callable[[Draw, int], Program]


PROGRAMS = tuple(
    Kind(level, write)
    for level, write in (
        (1, easy.arithmetic), (1, easy.accumulate), (1, easy.slices), (1, easy.branches), (1, easy.list_methods), (2, easy.while_program), (2, easy.nested), (2, easy.counting), (2, easy.default_program), (2, hard.words), (2, hard.negative),
        (3, easy.alias), (3, easy.comprehended), (3, easy.zipped), (3, easy.sorted_program), (3, easy.leaving), (3, hard.truth), (4, hard.mutable_default), (4, hard.late), (4, hard.removing), (4, hard.rows),
        (4, hard.caught), (4, hard.scopes), (4, hard.counter), (4, hard.recursion), (5, hard.mutual), (5, hard.stack), (5, hard.table), (5, hard.classes), (5, hard.matrix),
    )
)  # fmt: skip
