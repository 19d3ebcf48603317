"""One operation of a small function: how English, Python and our own interpreter each say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from phiforge.data.draw import Draw

Values = dict[str, Any]  # an operation's parameters: {"k": 3}


class Operation(NamedTuple):
    """`code` has {x} for what it is applied to ({v} for one element of a keep or a map) and {k}, {a}, ... for parameters.

    `run` does the same on values, in another way where there is one: it, not the code, says what a test expects.
    `parameters`: "k 2 9" draws k from 2 to 9; "k low" and "k high" draw from the lower and upper part of the context's range.
    """

    kind: str  # keep, map, list or fold
    takes: str  # numbers, words, text, table or rows
    gives: str
    tag: str  # its part of the function's name
    says: str
    code: str
    run: Callable[[Any, Values], Any]
    parameters: str = ""
    level: int = 1
    plain: bool = False  # only for numbers that are just numbers: nobody squares an age
    empty: str = ""  # what is given for nothing, where one has to be told
    returns: str = ""  # the annotation of what a fold gives

    @property
    def elementwise(self) -> bool:
        """Whether it looks at one element of a list at a time."""
        return self.kind in ("keep", "map") and self.takes != "text"


def parameters_of(operation: Operation, draw: Draw, low: int, high: int) -> Values:
    """Values for an operation's parameters, in a context whose numbers go from `low` to `high`."""
    values: Values = {}
    for part in operation.parameters.split(";"):
        words = part.split()
        if not words:
            continue
        third = max((high - low) // 3, 2)
        if words[1] == "low":
            values[words[0]] = tidy(low + draw.between(1, third), third)
        elif words[1] == "high":
            values[words[0]] = tidy(high - draw.between(1, third), third)
        elif words[1].isdigit():
            values[words[0]] = draw.between(int(words[1]), int(words[2]))
        else:
            values[words[0]] = draw.pick(words[1:])
    return values


def tidy(value: int, spread: int) -> int:
    """A limit that a person would choose: round where the range is wide."""
    step = 100 if spread > 900 else 50 if spread > 300 else 10 if spread > 90 else 5 if spread > 25 else 1
    return value // step * step
