"""How long code takes: the growth of its running time as an option, or exactly how often a line is run.

`make` reasons with products, sums and logarithms. `solve` runs the printed code: for exact counts all of it, for the growth
each loop with two sizes.
"""

from __future__ import annotations

import ast
import math
from functools import lru_cache
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._counts import (
    broken_off,
    choose,
    divisors,
    halving,
    parts,
    product,
    single,
    triangle,
)
from phiforge.data.rows import Unfit


class Loop(NamedTuple):
    """A loop header over `{v}`, how often it runs in terms of n, as a class and in words. `outer`: it depends on that loop."""

    head: str
    turns: str  # one, log, root, n: how its number of turns grows
    words: str
    before: str = ""  # a line before the header
    last: str = ""  # a line at the end of the body


_LOOPS = (
    Loop("for {v} in range(n):", "n", "runs n times"),
    Loop("for {v} in range(1, n):", "n", "runs n − 1 times, which grows like n"),
    Loop("for {v} in range(0, n, {k}):", "n", "runs about n/{k} times, and a constant factor doesn't matter"),
    Loop("for {v} in range({k} * n):", "n", "runs {k}n times, and a constant factor doesn't matter"),
    Loop("for {v} in range(n, 0, -1):", "n", "runs n times, only backwards"),
    Loop("for {v} in range({big}):", "one", "runs {big} times whatever n is"),
    Loop(
        "while {v} < n:",
        "log",
        "multiplies {v} by {k} each time, so it runs about log n times",
        "{v} = 1",
        "{v} *= {k}",
    ),
    Loop(
        "while {v} > 0:", "log", "divides {v} by {k} each time, so it runs about log n times", "{v} = n", "{v} //= {k}"
    ),
    Loop(
        "while {v} * {v} < n:",
        "root",
        "ends when the square of {v} reaches n, so it runs about √n times",
        "{v} = 0",
        "{v} += 1",
    ),
    Loop(
        "while {v} < n:",
        "n",
        "adds {k} each time, so it runs about n/{k} times, which grows like n",
        "{v} = 0",
        "{v} += {k}",
    ),
)
# Inner loops that depend on the outer variable, inside a loop that goes to n in single steps.
_TRIANGLES = (
    ("for {v} in range({o}):", "n", "runs 0, 1, 2, … times, on the average about n/2 times"),
    ("for {v} in range({o}, n):", "n", "runs n, n − 1, … times, on the average about n/2 times"),
    (
        "for {v} in range(0, n, {o} + 1):",
        "log",
        "runs n, n/2, n/3, … times; the harmonic sum makes n log n of that together",
    ),
)
_CLASSES = {
    (0, 0, 0): "O(1)", (0, 0, 1): "O(log n)", (0, 0, 2): "O(log² n)", (0, 1, 0): "O(√n)", (1, 0, 0): "O(n)", (1, 0, 1): "O(n log n)", (1, 0, 2): "O(n log² n)",
    (1, 1, 0): "O(n√n)", (2, 0, 0): "O(n²)", (2, 0, 1): "O(n² log n)", (3, 0, 0): "O(n³)", (2, 1, 0): "O(n²√n)", (0, 1, 1): "O(√n · log n)",
}  # fmt: skip
_POWERS = {"one": (0, 0, 0), "log": (0, 0, 1), "root": (0, 1, 0), "n": (1, 0, 0)}

_GROWTH_ASKS = (
    "What is the time complexity of this function in terms of n?\n\n{code}\n\n{options}",
    "How does the running time of the following code grow with n?\n\n{code}\n\n{options}",
    "{code}\n\nWhich of these describes its running time most tightly?\n\n{options}",
    "Choose the tightest bound for the number of steps.\n\n{code}\n\n{options}",
    "For large n, how many times is the innermost line run, up to a constant factor?\n\n{code}\n\n{options}",
    "Big-O question. How long does `{name}(n)` take?\n\n{code}\n\n{options}",
    "I want to call this with a large n. How does the time grow?\n\n{code}\n\n{options}",
    "Analyse the loops below.\n\n{code}\n\nThe running time is\n\n{options}",
    "Determine the asymptotic running time of `{name}`.\n\n{code}\n\n{options}",
    "In a review someone asks how `{name}` scales. What do you answer?\n\n{code}\n\n{options}",
    "Give the order of growth of the number of operations.\n\n{code}\n\n{options}",
    "Which complexity class does this belong to, in n?\n\n{code}\n\n{options}",
)
_COUNT_ASKS = (
    "How often is the line `{line}` run by `{name}({n})`?\n\n{code}",
    "{code}\n\nWhat does `{name}({n})` return?",
    "Without running it: what is `{name}({n})`?\n\n{code}",
    "Count exactly: how many times does `{name}({n})` execute `{line}`?\n\n{code}",
    "The function below counts its own steps. How many are there for n = {n}?\n\n{code}",
    "Find the exact number of steps that `{name}` counts when n is {n}.\n\n{code}",
    "What number comes out of `{name}({n})`?\n\n{code}",
    "For n = {n}, how often is the innermost statement reached?\n\n{code}",
    "{code}\n\nWork out the result for n = {n} with a formula rather than by counting.",
    "How many turns do the loops make in all, as counted by `{name}({n})`?\n\n{code}",
    "A profiler shows how often `{line}` was run in a call of `{name}({n})`. Which number is that?\n\n{code}",
    "Give the value of `{name}({n})`.\n\n{code}",
    "Let n = {n}. What is returned?\n\n{code}",
    "The loops below are run with n = {n}. How large is the counter in the end?\n\n{code}",
    "Compute `{name}({n})` by hand.\n\n{code}",
    "For a cost estimate I need the exact result of `{name}({n})`.\n\n{code}",
)
_NAMES = ("count", "work", "steps", "f", "run", "scan", "visit", "measure")
_COUNTERS = ("count", "total", "steps", "ops")


def make(draw: Draw, level: int) -> Draft:
    return _growth(draw, level) if draw.chance(0.5) else _count(draw, level)


# --- growth --------------------------------------------------------------------------------------------------------------


def _growth(draw: Draw, level: int) -> Draft:
    depth = (0, 1, 2, 2, 3, 3)[level]
    blocks = 2 if level >= 3 and draw.chance(0.4) else 1
    made = [_nest(draw, depth if i == 0 else draw.between(1, depth), level) for i in range(blocks)]
    powers = [power for _, power, _ in made]
    if any(power not in _CLASSES for power in powers):
        raise Unfit
    largest = max(powers, key=_rank)
    right = _CLASSES[largest]
    counter, name = draw.pick(_COUNTERS), draw.pick(_NAMES)
    if counter == name:
        name = "work"
    body = [line for lines, _, _ in made for line in lines]
    code = "\n".join(
        [
            f"def {name}(n):",
            f"    {counter} = 0",
            *(f"    {line}".replace("{count}", counter) for line in body),
            f"    return {counter}",
        ]
    )
    near = sorted(
        (each for each in _CLASSES.values() if each != right), key=lambda each: abs(_place(each) - _place(right))
    )
    options = draw.shuffled([right, *draw.sample(near[:5], 3)])
    letter = "ABCD"[options.index(right)]
    ask = draw.between(0, len(_GROWTH_ASKS) - 1)
    steps: list[Step] = []
    for i, (_, power, words) in enumerate(made):
        where = f"In the {'first' if i == 0 else 'second'} part: " if blocks > 1 else ""
        for j, each in enumerate(words):
            which = (
                "the loop"
                if len(words) == 1
                else "the outer loop"
                if j == 0
                else "the loop in it"
                if j == 1
                else "the innermost loop"
            )
            sentence = f"{where}{which} {each}."
            slip = (
                Slip(
                    f"A loop over n is always O(n), so {which} is too.",
                    "It is the steps of its variable that count, not that n is in the condition.",
                )
                if "log n" in each or "√n" in each
                else None
            )
            steps.append(
                Step(
                    sentence[0].upper() + sentence[1:], "Loop by loop, from the outside." if i == j == 0 else "", slip
                )
            )
        if len(words) > 1:
            steps.append(Step(f"Loops inside one another multiply, which makes {_CLASSES[power]}.", ""))
    if blocks > 1:
        steps.append(Step(f"One after another they add up, and of {_CLASSES[powers[0]]} and {_CLASSES[powers[1]]} the larger one counts: {right}." if powers[0] != powers[1] else f"Both parts are {right}, and twice that is the same order.", "", Slip("Two parts multiply.", "They stand one after the other, so they add.")))  # fmt: skip
    factor = _size(largest, 10**6) / _size(largest, 10**3)
    return Draft(
        question=_GROWTH_ASKS[ask].format(code=f"```python\n{code}\n```", name=name, options="\n".join(f"{a}) {b}" for a, b in zip("ABCD", options, strict=True))),
        answer=letter,
        facts={"kind": "growth", "code": code, "name": name, "options": options},
        template=f"growth {ask}",
        steps=steps,
        says=f"The running time is {right}, option {letter}.",
        given="I need how the number of turns grows with n; constant factors and smaller terms don't count.",
        check=f"From n = 1,000 to n = 1,000,000 {right} grows by a factor of about {_round(factor)}, and so do the turns of the loops.",
        verifier="choice",
        verifier_args={"options": options},
    )  # fmt: skip


Nest = tuple[list[str], tuple[int, int, int], list[str]]  # lines, power, what each loop does


def _nest(draw: Draw, depth: int, level: int) -> Nest:
    names = draw.pick((("i", "j", "k"), ("a", "b", "c"), ("x", "y", "z")))
    kinds = _LOOPS[:5] if level == 1 else _LOOPS
    lines: list[str] = []
    last: list[tuple[int, str]] = []
    words: list[str] = []
    power, indent, outer = (0, 0, 0), 0, ""
    for i in range(depth):
        k, big, v = draw.between(2, 4), draw.pick((5, 10, 50, 100)), names[i]
        pad = "    " * indent
        if outer and level >= 3 and draw.chance(0.45):
            head, turns, said = draw.pick(_TRIANGLES)
            lines.append(pad + head.format(v=v, o=outer))
            words.append(said)
            outer = ""
        else:
            loop = draw.pick(kinds)
            if loop.before:
                lines.append(pad + loop.before.format(v=v))
            lines.append(pad + loop.head.format(v=v, k=k, big=big))
            if loop.last:
                last.append((indent + 1, loop.last.format(v=v, k=k)))
            words.append(loop.words.format(v=v, k=k, big=big))
            turns, outer = loop.turns, v if loop is _LOOPS[0] else ""
        power = tuple(a + b for a, b in zip(power, _POWERS[turns], strict=True))  # type: ignore[assignment]
        indent += 1
    lines.append("    " * indent + "{count} += 1")
    for depth_of, line in reversed(last):
        lines.append("    " * depth_of + line)
    n, root, log = power
    return lines, (n + root // 2, root % 2, log), words


def _rank(power: tuple[int, int, int]) -> float:
    return power[0] + power[1] / 2 + power[2] / 100


def _place(name: str) -> float:
    return next(_rank(power) for power, each in _CLASSES.items() if each == name)


def _size(power: tuple[int, int, int], n: int) -> float:
    return n ** (power[0] + power[1] / 2) * math.log2(n) ** power[2]


def _round(x: float) -> str:
    return (
        f"{float(f'{x:.2g}'):,.0f}"
        if x >= 10
        else f"{x:.2g}".rstrip("0").rstrip(".")
        if "." in f"{x:.2g}"
        else f"{x:.2g}"
    )


# --- exact counts ----------------------------------------------------------------------------------------------------------


def _count(draw: Draw, level: int) -> Draft:
    counter, name = draw.pick(_COUNTERS), draw.pick(_NAMES[1:])
    if counter == name:
        name = "work"
    kinds = ((single, product), (single, product), (product, triangle, halving), (triangle, halving, parts), (triangle, parts, choose), (choose, parts, divisors, broken_off))  # fmt: skip
    lines, n, result, steps, check = draw.pick(kinds[level])(draw, level)
    code = "\n".join(
        [
            f"def {name}(n):",
            f"    {counter} = 0",
            *(f"    {line}".replace("{count}", counter) for line in lines),
            f"    return {counter}",
        ]
    )
    asks = [
        i
        for i, ask in enumerate(_COUNT_ASKS)
        if "{line}" not in ask or (code.count(f"{counter} += 1") == 1 and "+= 2" not in code)
    ]
    asks = [i for i in asks if code.count(f"{counter} +=") == 1 or "innermost" not in _COUNT_ASKS[i]]
    ask = draw.pick(asks)
    return Draft(
        question=_COUNT_ASKS[ask].format(code=f"```python\n{code}\n```", name=name, n=n, line=f"{counter} += 1"),
        answer=str(result),
        facts={"kind": "count", "code": code, "name": name, "n": n},
        template=f"count {ask}",
        steps=steps,
        says=f"For n = {n} it is {result}.",
        given=f"`{counter}` starts with 0, and I need its value after the loops for n = {n}.",
        check=check,
    )


# --- the solver --------------------------------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """Count by running."""
    if facts["kind"] == "count":
        space: dict[str, Any] = {}
        exec(facts["code"], space)
        return str(space[facts["name"]](facts["n"]))
    function = ast.parse(facts["code"]).body[0]
    assert isinstance(function, ast.FunctionDef)
    slowest = max(_powers(function.body, ""), key=_rank)
    if _CLASSES[slowest] in facts["options"]:
        return "ABCD"[facts["options"].index(_CLASSES[slowest])]
    furthest = max(facts["options"], key=lambda option: abs(_place(option) - _rank(slowest)))
    return "ABCD"[facts["options"].index(furthest)]  # no option is right, so this one must not be taken for it


def _powers(body: list[ast.stmt], around: str) -> list[tuple[int, int, int]]:
    """The growth of every path into the loops of a body: each loop's turns are measured by itself, and multiplied."""
    found = [(0, 0, 0)]
    for before, node in zip([None, *body], body, strict=False):
        if isinstance(node, ast.For):
            variable, own = ast.unparse(node.target), _turns(ast.unparse(node.iter), "", "", around)
        elif isinstance(node, ast.While):
            variable = ast.unparse(node.test).split()[0]
            change = ast.unparse(node.body[-1])
            own = _turns(ast.unparse(node.test), ast.unparse(before) if before else "", change, "")
        else:
            continue
        for inner in _powers(node.body, variable):
            a, b, c = (x + y for x, y in zip(_POWERS[own], inner, strict=True))
            found.append((a + b // 2, b % 2, c))
    return found


@lru_cache(maxsize=1024)
def _turns(head: str, begin: str, change: str, around: str) -> str:
    """How the turns of one loop grow, measured with two sizes; where they depend on a loop around, their average."""
    sizes = (2**6, 2**12)
    turns = []
    for n in sizes:
        if not change:
            program = f"turns = sum(len({head}) for {around} in range(n)) / n" if around else f"turns = len({head})"
        else:
            program = f"turns = 0\n{begin}\nwhile {head}:\n    turns += 1\n    {change}"
        space: dict[str, Any] = {"n": n}
        exec(program, space)
        turns.append(space["turns"])
    grown = turns[1] / max(turns[0], 1)
    return min(_POWERS, key=lambda name: abs(math.log(grown / {"one": 1, "log": 2, "root": 8, "n": 64}[name])))


PIPELINE = Solver(
    make,
    solve,
    knobs="level: one loop to three nested ones, steps that multiply, dependent bounds, two parts; exact counts by formula",
    verifier="choice",
)
