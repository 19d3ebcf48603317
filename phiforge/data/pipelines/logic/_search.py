"""Search for the solutions of a model of variables and constraints, as `phiforge.verify.logic` has them.

Every pair of values of two variables is judged once; then values are tried, the variable with fewest left first, and each
choice strikes out what no longer fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from phiforge.verify.logic import holds, mentioned

Table = list[int]  # for each value of one variable, the values of another that go with it, as bits


def search(variables: dict[str, list[Any]], constraints: list[list[Any]]) -> Iterator[dict[str, Any]]:
    """All assignments that satisfy all constraints."""
    values = list(variables.values())
    place = {name: i for i, name in enumerate(variables)}
    domains = [(1 << len(each)) - 1 for each in values]
    partners: list[list[tuple[int, Table]]] = [[] for _ in values]
    wide: list[list[Any]] = []

    def pair(a: str, b: str, constraint: list[Any]) -> None:
        i, j = place[a], place[b]
        if constraint[0] == "different":
            table = [[x != y for y in values[j]] for x in values[i]]
        else:
            table = [[holds(constraint, {a: x, b: y}) for y in values[j]] for x in values[i]]
        partners[i].append((j, [_bits(row) for row in table]))
        partners[j].append((i, [_bits(column) for column in zip(*table, strict=True)]))

    for constraint in constraints:
        names = mentioned(constraint)
        if len(names) == 1:
            i = place[names[0]]
            domains[i] &= _bits([holds(constraint, {names[0]: x}) for x in values[i]])
        elif len(names) == 2:
            pair(names[0], names[1], constraint)
        elif constraint[0] == "different":
            for a, b in combinations(names, 2):
                pair(a, b, constraint)
        else:
            wide.append(constraint)

    def go(domains: list[int], open_: list[int]) -> Iterator[dict[str, Any]]:
        if not open_:
            found = {name: values[i][domains[i].bit_length() - 1] for name, i in place.items()}
            if all(holds(constraint, found) for constraint in wide):
                yield found
            return
        i = min(open_, key=lambda v: domains[v].bit_count())
        rest = [v for v in open_ if v != i]
        for k in range(len(values[i])):
            if domains[i] >> k & 1:
                left = domains.copy()
                left[i] = 1 << k
                if all(_keep(left, j, table[k]) for j, table in partners[i]):
                    yield from go(left, rest)

    if all(domains):
        yield from go(domains, list(range(len(values))))


def _bits(row: Any) -> int:
    return sum(1 << i for i, fits in enumerate(row) if fits)


def _keep(domains: list[int], i: int, allowed: int) -> bool:
    domains[i] &= allowed
    return domains[i] != 0
