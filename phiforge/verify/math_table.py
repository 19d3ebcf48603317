"""The error table of the maths comparison: what it accepts and rejects on hand-labelled pairs of answers.

    python -m phiforge.verify.math_table [FILE]

prints the table and every wrong pair, and exits with 1 if a pair was accepted that differs.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from os import PathLike
from pathlib import Path

from msgspec import Struct

from phiforge.records import read_jsonl
from phiforge.verify.math import compare

PAIRS = Path(__file__).with_name("math_pairs.jsonl")


class Pair(Struct, frozen=True, omit_defaults=True):
    """Two answers, and whether they are the same."""

    a: str
    b: str
    equal: bool
    category: str
    note: str = ""
    percent_unit: bool = False


class Counts(Struct):
    """Of the pairs of one category, or of all: how many are equal and differ, and how many of either were judged wrongly."""

    equal: int = 0
    different: int = 0
    false_accepts: int = 0
    false_rejects: int = 0


class Wrong(Struct, frozen=True):
    """A pair that was judged wrongly, and the reason given."""

    pair: Pair
    reason: str


class ErrorTable(Struct):
    """What `error_table` measured. `seconds`: wall time of each comparison, in the order of the file."""

    total: Counts
    by_category: dict[str, Counts]
    wrong: list[Wrong]
    seconds: list[float]

    def __str__(self) -> str:
        lines = [f"{'category':22}{'equal':>8}{'different':>11}{'false accepts':>15}{'false rejects':>15}"]
        for name, c in [*self.by_category.items(), ("all", self.total)]:
            lines.append(f"{name:22}{c.equal:8}{c.different:11}{c.false_accepts:15}{c.false_rejects:15}")
        ranked = sorted(self.seconds) or [0.0]
        median, slowest = ranked[len(ranked) // 2], ranked[-1]
        lines.append(f"median {median * 1e6:.0f} µs a pair, slowest {slowest:.2f} s, all {sum(ranked):.1f} s")
        for wrong in self.wrong:
            kind = "false reject" if wrong.pair.equal else "FALSE ACCEPT"
            lines.append(f"{kind}: {wrong.pair.a!r} and {wrong.pair.b!r} ({wrong.pair.category}): {wrong.reason}")
        return "\n".join(lines)


def error_table(path: str | PathLike[str] = PAIRS) -> ErrorTable:
    """Compare the labelled pairs of a JSONL file, each in both directions: a pair is accepted if either accepts it.

    Raises ValueError for a line that is not a `Pair`.
    """
    table = ErrorTable(Counts(), defaultdict(Counts), [], [])
    compare("\\sqrt{2}", "\\sqrt{3}")  # the worker's start is not part of any pair
    for pair in read_jsonl(path, Pair):
        started = time.perf_counter()
        verdict = compare(pair.a, pair.b, percent_unit=pair.percent_unit)
        table.seconds.append(time.perf_counter() - started)
        reverse = compare(pair.b, pair.a, percent_unit=pair.percent_unit)
        for counts in (table.total, table.by_category[pair.category]):
            if pair.equal:
                counts.equal += 1
                counts.false_rejects += not (verdict.correct and reverse.correct)
            else:
                counts.different += 1
                counts.false_accepts += verdict.correct or reverse.correct
        if pair.equal != verdict.correct or pair.equal != reverse.correct:
            table.wrong.append(Wrong(pair, reverse.reason if verdict.correct == pair.equal else verdict.reason))
    return table


def main() -> int:
    """Print the table of the file named on the command line, or of the pairs that come with the package."""
    table = error_table(*sys.argv[1:2])
    print(table)
    return 1 if table.total.false_accepts else 0


if __name__ == "__main__":
    sys.exit(main())
