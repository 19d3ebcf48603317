"""What the code pipelines share in their answers: fenced code, its proof by running it, and plans of small functions."""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._classics import classic
from phiforge.data.pipelines.code._composed import composed
from phiforge.data.pipelines.code._small import Small, shown


def small(draw: Draw, level: int, classics: float = 0.15) -> Small:
    """A small function: one of the well-known ones, or one that is composed."""
    return classic(draw, level) if draw.chance(classics) else composed(draw, level)


def fenced(code: str, language: str = "python") -> str:
    """An answer that is code: it stands in a block of its own, below the word "Answer"."""
    return f"\n```{language}\n{code}\n```"


def proven(facts: dict[str, Any]) -> str:
    """Run the code of `facts` on its tests, and give it back as an answer. Raises AssertionError where a test fails."""
    space: dict[str, Any] = {}
    exec(facts["code"], space)
    exec(facts["tests"], space)
    return fenced(facts["code"])


def plan(function: Small) -> list[Step]:
    """How the code comes about, step by step."""
    if not function.stages:
        right, wrong, effect = function.bugs[len(function.cases) % len(function.bugs)]
        slip = None
        if "\n" not in wrong + right and wrong:
            slip = Slip(f"I could write `{wrong.strip()}`.", f"But then {effect}; it has to be `{right.strip()}`.")
        special = [case for case in function.cases if case[1] in (None, [], "", 0, -1, False) or len(repr(case)) < 30][
            :2
        ]
        steps = [Step(function.idea, "What is the idea?", slip)]
        if special:
            results = " and ".join(f"`{function.call(case)}` has to give `{shown(case[1])}`" for case in special)
            steps.append(
                Step(f"Special cases: {results}.", "Where could it go wrong? At the ends of what is possible.")
            )
        return steps
    steps = []
    tags = {stage.says: stage.op.tag for stage in function.stages}
    kinds = {stage.says: "each" if stage.op.elementwise else "whole" for stage in function.stages}
    for says, line in function.lines:
        slip = _SLIPS.get(tags.get(says, "").split("_")[0]) or _SLIPS.get(tags.get(says, ""))
        first, _, more = line.partition("\n")
        shown_line = (
            f"`{first}` and a loop below it"
            if more and "= " in first
            else f"`{first}` and what follows it"
            if more
            else f"`{first}`"
        )
        begun = says.removeprefix("return ")
        if says.startswith("return "):
            because, say = "Now the result.", f"Return {begun}: {shown_line}."
        else:
            because = _REASONS[kinds.get(says, "both")][len(line) % 2] if len(steps) < 2 else ""
            say = f"{says[0].upper()}{says[1:]}: {shown_line}."
        steps.append(Step(say, because, Slip(*slip) if slip else None))
    return steps


_REASONS = {
    "each": ("This looks at one element at a time.", "For this a comprehension is enough."),
    "whole": ("This needs all of it at once.", "Then comes what concerns the whole."),
    "both": ("This can be done element by element.", "One pass is enough for this."),
}


def traced(function: Small, draw: Draw) -> str:
    """A check: what the steps make of an example."""
    case = function.examples(draw, 1)[0]
    if not function.stages:
        return ""
    *between, last = function.trace(case)
    way = ", then ".join(between)
    if not between:
        return f"For {function.call(case)} that gives {last}, which is right."
    return f"Tracing {function.call(case)}: it becomes {way}, and the result is {last}."


# Mistakes that are easily made with an operation, and what shows them; by the tag of the operation.
_SLIPS = {
    "average": ("Divide with `/`.", "The average is to be rounded down to a whole number, so it has to be `//`."),
    "largest": ("`max(...)` alone will do.", "For an empty list `max` raises an error, so it needs `default=None`."),
    "smallest": ("`min(...)` alone will do.", "For an empty list `min` raises an error, so it needs `default=None`."),
    "longest": ("`max(...)` alone will do.", "That compares alphabetically and fails for nothing; `key=len` and a default are needed."),
    "sorted": ("Call `.sort()` on the argument.", "That returns None and changes the caller's list; `sorted` makes a new one."),
    "ranked": ("Sort with `sorted` and be done.", "That is smallest first; `reverse=True` is needed."),
    "distinct": ("Use `set` to drop the repeats.", "A set keeps no order, and the order matters; where only the number counts it will do."),
    "digit": ("`str` of the number gives the digits.", "For a negative number it gives a minus sign too, so take `abs` first."),
    "window": ("Let the windows start at every index.", "The last ones would be too short; they have to stop at the length minus the size, plus 1."),
    "top": ("Sort and take the first few.", "Smallest first is the wrong end; `reverse=True` is needed."),
    "mode": ("Take the largest count and be done.", "Several may be equally frequent, and then the smallest is wanted; the key needs both."),
    "spread": ("`max(...) - min(...)` is all.", "It raises an error for nothing, so that case comes first."),
    "median": ("The middle is at `len // 2`.", "For an even number that is the upper one of the two, and the lower one is wanted."),
    "peak": ("`index(max(...))` is all.", "It raises an error for nothing, so that case needs its own answer."),
    "steady": ("Compare with `<`.", "Equal neighbours don't decrease, so it has to be `<=`."),
    "valid": ("Use `range(a, b)` for the limits.", "Both limits are included, so compare with `<=` on both sides."),
    "second": ("Sort and take the one before last.", "Equal values would count twice; only different ones are meant, so make a set first."),
    "ranking": ("Sort by value with `reverse=True`.", "Then equal values come in reverse alphabetical order; a key of minus the value and the name is right."),
    "initial": ("Test with `startswith` alone.", "Either case is meant, so lower the word first."),
    "last": ("Slice from the length minus the number.", "For a shorter list that is negative and wrong; a negative start of the slice does it."),
    "differences": ("Subtract each from the one before.", "It is the other way round: each minus the one before it."),
    "palindromic": ("Compare the word with its reverse.", "Case is to be ignored, so lower both first."),
    "numbered": ("`enumerate` gives the numbers.", "It counts from 0 unless it is told to begin with 1."),
    "grouped": ("Write `groups[key].append(...)`.", "The first time there is no list yet; `setdefault` makes one."),
    "total": ("Write `totals[name] += ...`.", "The first time the name isn't there yet; `get` with 0 helps."),
}  # fmt: skip
