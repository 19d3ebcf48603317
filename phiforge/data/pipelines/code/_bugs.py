"""Planted bugs: for well-known functions the ones that people make, for composed ones small changes of what a line says."""

from __future__ import annotations

import itertools
import re
from copy import deepcopy
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._small import Case, Small, imports_of, shown

_WRONG = "fails"  # what a wrong program gives where it raises


class Bug(NamedTuple):
    """A wrong version of a function: its code, what is wrong with it, the right and the wrong piece, the cases it fails."""

    code: str
    effect: str
    right: str
    wrong: str
    fails: list[tuple[Case, Any]]  # a case, and what the wrong version gives instead


def bugs_of(function: Small, draw: Draw, n: int) -> list[Bug]:
    """Up to `n` different bugs of a function, each of them shown by at least one of its cases."""
    options = function.bugs or _changes(function)
    found: list[Bug] = []
    for right, wrong, effect in draw.shuffled(options):
        if len(found) == n:
            break
        code = _replaced(function.code, right, wrong)
        if code == function.code or any(bug.code == code for bug in found):
            continue
        fails = _failing(function, code)
        if fails:
            found.append(Bug(code, effect, right, wrong, fails))
    return found


def _replaced(code: str, right: str, wrong: str) -> str:
    """Only in the body: the signature stays."""
    signature, _, body = code.partition("\n")
    return f"{signature}\n{body.replace(right, wrong, 1)}"


def _failing(function: Small, code: str) -> list[tuple[Case, Any]]:
    space: dict[str, Any] = {}
    exec(f"{imports_of(code)}\n{code}", space)
    fails = []
    for case in function.cases:
        try:
            got = space[function.name](*deepcopy(case[0]))
        except Exception as error:
            got = f"{_WRONG}: {type(error).__name__}: {error}"
        if got != case[1]:
            fails.append((case, got))
    return fails


def told(got: Any) -> str:
    """What a wrong version gives, in words: "returns 3" or "raises IndexError: ..."."""
    if isinstance(got, str) and got.startswith(f"{_WRONG}: "):
        return f"raises {got.removeprefix(f'{_WRONG}: ')}"
    return f"returns {shown(got)}"


# A pattern in a line of code, what stands there wrongly, and what that does.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    (r" >= (-?\d+)", r" > \1", "the limit itself is left out"),
    (r" <= (-?\d+)", r" < \1", "the limit itself is left out"),
    (r" > (-?\d+)", r" >= \1", "the limit itself is let in"),
    (r" < (-?\d+)", r" <= \1", "the limit itself is let in"),
    (r"\[:(\d+)\]", r"[\1:]", "it takes the rest instead of the first ones"),
    (r"\[(\d+):\]", r"[:\1]", "it takes the first ones instead of the rest"),
    (r"\[-(\d+):\]", r"[:\1]", "it takes the first ones instead of the last"),
    (r"\[::2\]", "[1::2]", "it begins with the second one"),
    (r", reverse=True", "", "the order is the wrong way round"),
    (r"sorted\((\w+)\)\[", r"\1[", "it is never sorted"),
    (r" == 0", " != 0", "the condition is the wrong way round"),
    (r" == 1\]", " > 1]", "the condition is the wrong way round"),
    (r" not in ", " in ", "the condition is the wrong way round"),
    (r"max\(", "min(", "it takes the smaller where the larger is wanted"),
    (r"min\(", "max(", "it takes the larger where the smaller is wanted"),
    (r" // ", " / ", "the division isn't rounded down"),
    (r"- (\d) \+ 1\)", r"- \1)", "the last window is left out"),
    (r"b - a", "a - b", "the difference is taken the wrong way round"),
    (r"abs\(([^()]+)\)", r"\1", "the sign isn't dropped"),
    (r" \+= ", " = ", "what was collected before is overwritten"),
    (r"\.lower\(\)", "", "the case of letters isn't ignored"),
    (r"len\(set\((\w+)\)\)", r"len(\1)", "repeats are counted too"),
    (r"list\(dict\.fromkeys\((\w+)\)\)", r"sorted(set(\1))", "the order is lost"),
    (r" and ", " or ", "one condition is enough where both are needed"),
    (r" or ", " and ", "both conditions are needed where one is enough"),
    (r"a <= b", "a < b", "equal neighbours count as falling"),
    (r"a < b", "a <= b", "equal neighbours count as rising"),
    (r"a < b >", "a <= b >", "an equal neighbour on the left is accepted"),
    (r"default=None", "default=0", "for nothing it gives 0 instead of None"),
    (r"else None", "else 0", "for nothing it gives 0 instead of None"),
    (r"else 0$", "else None", "for nothing it gives None instead of 0"),
    (r"else -1$", "else 0", "for nothing it gives 0 instead of -1"),
    (r"len\((\w+)\) - 1\) // 2", r"len(\1)) // 2", "it takes the upper of two middle ones"),
    (r" \* 2\b", " + 2", "it adds 2 instead of doubling"),
    (r" \*\* 2", " * 2", "it doubles instead of squaring"),
    (r"% (\d+)\b", r"// \1", "it takes the quotient instead of the remainder"),
    (r"\[-2\]", "[1]", "it takes the second smallest"),
    (r"\(-(\w+\[key\]), key\)", r"(\1, key)", "the smallest value comes first"),
    (r"setdefault\((.+?), \[\]\)\.append\((\w+)\)", r"setdefault(\1, [\2])", "only the first of each group is kept"),
    (r"\.upper\(\)", "", "small letters stay small"),
    (r"\[::-1\]", "[1::-1]", "only the first two are turned round"),
    (r", 1\)", ")", "the numbers begin with 0"),
    (r"\.get\((\w+\[\"\w+\"\]), 0\) \+ ", r".get(\1, 0) * 0 + ", "earlier amounts are lost"),
    (r"(\w+)\.values\(\)", r"\1", "it looks at the keys instead of the values"),
    (r"< 2:", "< 1:", "one element alone is treated like several"),
)  # fmt: skip
_READY = tuple((re.compile(pattern, re.M), wrong, effect) for pattern, wrong, effect in _PATTERNS)


def _changes(function: Small) -> list[tuple[str, str, str]]:
    """Small changes of its lines, a line left out, and the wrong variable gone on with."""
    body = function.code.partition("\n")[2].split("\n")
    changes = []
    for line in body:
        for pattern, wrong, effect in _READY:
            if pattern.search(line):
                changes.append((line, pattern.sub(wrong, line, count=1), effect))
    for one, two in itertools.pairwise(body):
        made = re.match(r"    (\w+) = (?!\[\]|0$).*\b(\w+)\b", one)
        before = re.findall(r"\bin (\w+)\b(?= if|\])|^    \w+ = (\w+)\[", one)
        if made and before and re.search(rf"\b{made[1]}\b", two):
            source = next(name for name in before[0] if name)
            changes.append(
                (
                    two,
                    re.sub(rf"\b{made[1]}\b", source, two),
                    f"the last step goes on with `{source}` instead of `{made[1]}`",
                )
            )
    return changes
