"""What a function does: inputs generated for it, and what it returns for each, found in the sandbox."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import islice, product
from typing import Any

from msgspec import Struct

from phiforge.data.draw import Draw
from phiforge.verify import sandbox

SECONDS = 10.0
MOST_COMBINATIONS = 27  # of kinds of arguments that are tried on a function without annotations
PROBES = 4  # inputs with which each combination is tried

Args = list[Any]


class Signature(Struct, frozen=True):
    """A top-level function: its name, its parameters, and what each may be: names of `KINDS`, likeliest first."""

    name: str
    header: str
    kinds: list[list[str]]


class Behaviour(Struct, frozen=True):
    """What came of each input: the value in a canonical form, or None where the function raised."""

    values: list[str | None]
    problem: str = ""


KINDS: dict[str, Callable[[Draw], Any]] = {
    "int": lambda draw: draw.pick((0, 1, 2, -1, draw.between(-20, 20), draw.between(3, 30), draw.between(10, 500))),
    "float": lambda draw: draw.pick((0.0, 1.5, -2.25, draw.between(-400, 400) / 8)),
    "bool": lambda draw: draw.chance(0.5),
    "str": lambda draw: draw.pick(("", _word(draw), f"{_word(draw)} {_word(draw)} {_word(draw)}", _noise(draw))),
    "list[int]": lambda draw: [draw.between(-9, 30) for _ in range(draw.between(0, 8))],
    "list[float]": lambda draw: [draw.between(-80, 240) / 8 for _ in range(draw.between(0, 6))],
    "list[str]": lambda draw: [_word(draw) for _ in range(draw.between(0, 6))],
    "list[list[int]]": lambda draw: _grid(draw),
    "dict[str, int]": lambda draw: {_word(draw): draw.between(-5, 40) for _ in range(draw.between(0, 5))},
    "list[bool]": lambda draw: [draw.chance(0.5) for _ in range(draw.between(0, 5))],
}
_WIDER = {
    "list": ["list[int]", "list[str]", "list[list[int]]"],
    "tuple": ["list[int]", "list[str]"],
    "Sequence": ["list[int]", "list[str]"],
    "Iterable": ["list[int]", "list[str]"],
    "set": ["list[int]"],
    "dict": ["dict[str, int]"],
    "Sequence[int]": ["list[int]"],
    "Iterable[int]": ["list[int]"],
    "Sequence[str]": ["list[str]"],
    "Iterable[str]": ["list[str]"],
}
_BY_NAME = {
    "int": ("n", "k", "m", "i", "x", "y", "a", "b", "num", "number", "count", "limit", "size", "year", "index"),
    "str": ("s", "t", "text", "word", "string", "sentence", "name", "line", "key", "pattern", "char", "sep"),
    "list[int]": (
        "xs",
        "nums",
        "numbers",
        "values",
        "arr",
        "array",
        "lst",
        "items",
        "data",
        "scores",
        "seq",
        "prices",
    ),
    "list[str]": ("words", "names", "lines", "strings", "tokens"),
    "list[list[int]]": ("grid", "matrix", "rows", "board", "table", "intervals", "edges"),
    "dict[str, int]": ("d", "counts", "mapping", "stock", "inventory", "totals"),
    "float": ("rate", "price", "weight", "ratio"),
    "bool": ("flag", "reverse", "strict"),
}
_UNKNOWN = ["int", "str", "list[int]"]


def signature(code: str, entry: str = "") -> Signature | None:
    """The function of this name, or the last top-level one with parameters that is not private. None if there is none."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
    found = [f for f in found if (f.name == entry if entry else f.args.args and not f.name.startswith("_"))]
    if not found:
        return None
    function = found[-1]
    required = function.args.args[: len(function.args.args) - len(function.args.defaults)] or function.args.args
    if function.args.kwonlyargs and any(default is None for default in function.args.kw_defaults):
        return None
    header = f"def {function.name}({ast.unparse(function.args)})"
    if function.returns is not None:
        header += f" -> {ast.unparse(function.returns)}"
    return Signature(function.name, header, [_kinds_of(each) for each in required])


async def inputs_for(code: str, found: Signature, draw: Draw, n: int) -> list[Args]:
    """`n` different inputs for a function, of the kinds with which it raises least and its values vary most."""
    combinations = [list(each) for each in islice(product(*found.kinds), MOST_COMBINATIONS)]
    best = combinations[0] if combinations else []
    if len(combinations) > 1:
        probes = [_inputs(combination, draw, PROBES) for combination in combinations]
        seen = await behaviour(code, found.name, [args for some in probes for args in some])
        if seen.problem:
            return []
        values, scores = iter(seen.values), []
        for some in probes:
            own = [next(values) for _ in some]
            scores.append((sum(each is not None for each in own), len(set(own) - {None})))
        best = combinations[max(range(len(combinations)), key=lambda i: (scores[i], -i))]
    return _inputs(best, draw, n)


async def behaviour(code: str, entry: str, inputs: Sequence[Args], *, seconds: float = SECONDS) -> Behaviour:
    """What a function of a program returns for each input; each gets a copy of its own, and what it prints is ignored."""
    program = _HARNESS.format(code=repr(code), entry=repr(entry), inputs=repr(json.dumps(inputs)))
    outcome = await asyncio.to_thread(sandbox.run, program, seconds=seconds)
    if not outcome.ok:
        return Behaviour([], outcome.stderr.strip().rpartition("\n")[2][:200] or outcome.status)
    try:
        values = json.loads(outcome.stdout.rpartition("\n#")[2])
    except ValueError:
        return Behaviour([], "it printed over its results")
    return Behaviour(values)


_HARNESS = """
import builtins, contextlib, io, itertools, json, types

def shown(value, depth=0):
    if depth > 8:
        return "deep"
    if isinstance(value, float):
        return repr(float(f"{{value:.9g}}"))
    if isinstance(value, (set, frozenset)):
        return "{{" + ", ".join(sorted(shown(each, depth + 1) for each in value)) + "}}"
    if isinstance(value, dict):
        return "{{" + ", ".join(shown(k, depth + 1) + ": " + shown(v, depth + 1) for k, v in value.items()) + "}}"
    if isinstance(value, (list, tuple)):
        return f"{{type(value).__name__}}(" + ", ".join(shown(each, depth + 1) for each in value) + ")"
    if isinstance(value, (types.GeneratorType, map, filter, zip, range)):
        return shown(list(itertools.islice(value, 1000)), depth + 1)
    if value is None or isinstance(value, (bool, int, str, bytes, complex)):
        return repr(value)
    return f"<{{type(value).__name__}}>"

there, values = {{"__name__": "solution"}}, []
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    exec(compile({code}, "solution.py", "exec"), there)
    for args in json.loads({inputs}):
        try:
            values.append(shown(there[{entry}](*args))[:2000])
        except (Exception, SystemExit):
            values.append(None)
print("\\n#" + json.dumps(values))
"""


def _inputs(kinds: Sequence[str], draw: Draw, n: int) -> list[Args]:
    found: dict[str, Args] = {}
    for _ in range(4 * n):
        args = [KINDS[kind](draw) for kind in kinds]
        found.setdefault(json.dumps(args), args)
        if len(found) == n:
            break
    return list(found.values())


def _kinds_of(parameter: ast.arg) -> list[str]:
    if parameter.annotation is not None:
        written = ast.unparse(parameter.annotation).strip("'\"").removeprefix("typing.")
        written = written[0].lower() + written[1:] if written.startswith(("List", "Dict", "Tuple")) else written
        written = written.removesuffix(" | None")
        if written in KINDS:
            return [written]
        plain = written.partition("[")[0]
        if wider := _WIDER.get(written) or _WIDER.get(plain):
            return wider
    by_name = [kind for kind, names in _BY_NAME.items() if parameter.arg.lower() in names]
    return [*by_name, *(kind for kind in _UNKNOWN if kind not in by_name)]


_LETTERS = "abcdefghijklmnoprstuvwy"


def _word(draw: Draw) -> str:
    word = "".join(draw.pick(_LETTERS) for _ in range(draw.between(1, 7)))
    return draw.pick((word, word.capitalize(), word + word[::-1], word))


def _noise(draw: Draw) -> str:
    return "".join(draw.pick("aAbB01 29.,-_()[]!?") for _ in range(draw.between(1, 12)))


def _grid(draw: Draw) -> list[list[int]]:
    wide = draw.between(1, 4)
    return [[draw.between(-5, 12) for _ in range(wide)] for _ in range(draw.between(0, 4))]
