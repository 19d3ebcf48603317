"""Functions with a result, and the question which input gives it: worked out backwards, and any right input counts.

`make` goes backwards from the result through the inverse of every line; `solve` runs the printed function forwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._reply import fenced
from phiforge.data.pipelines.code._searches import Search, searched
from phiforge.data.pipelines.code._small import shown
from phiforge.data.rows import Unfit

_ASKS = (
    "Find an input for which this function returns {output}.\n\n{code}",
    "{code}\n\nWhich argument makes `{name}` return {output}?",
    "For what value of `{parameter}` does the following give {output}?\n\n{code}",
    "The function below returned {output}. What may it have been called with?\n\n{code}",
    "Work backwards: what has to go in so that {output} comes out?\n\n{code}",
    "Look for an x with `{name}(x) == {bare}`.\n\n{code}",
    "In the log of a program I find the result {output}, but not the argument of the call. Reconstruct one.\n\n{code}",
    "{code}\n\nGive an argument with the result {output}.",
    "I need a test case for this function whose expected result is {output}. Which input fits?\n\n{code}",
    "Undo this function for the result {output}.\n\n{code}",
    "Reverse engineering: `{name}` gave {output}.\n\n{code}\n\nName an input that explains this.",
    "What could I pass to `{name}` to get {output}?\n\n{code}",
    "The assertion `assert {name}(answer) == {bare}` has to hold. Find `answer`.\n\n{code}",
    "Invert this by hand.\n\n{code}\n\nThe result is to be {output}.",
    "Which input leads to the output {output}?\n\n{code}",
    "Here is a function:\n\n{code}\n\nFind out what it must be given so that it returns {output}.",
    "Someone called this function and got {output}.\n\n{code}\n\nDetermine an argument with which that happens.",
    "Solve `{name}({parameter}) == {bare}` for `{parameter}`.\n\n{code}",
    "A puzzle: make the function return {output}.\n\n{code}",
    "How do I have to choose `{parameter}` to obtain {output} here?\n\n{code}",
    "Think of the steps in reverse order. Which `{parameter}` gives {output}?\n\n{code}",
    "A student shows you the result {output} of this function and asks for the input. What was it, or what may it have been?\n\n{code}",
)  # fmt: skip
_FORMS = (
    "Answer with a Python block of the form `answer = ...`.",
    "Write your answer as one assignment, `answer = ...`, in a Python code block.",
    "Put it into a Python code block as `answer = ...`; if several inputs are right, any of them will do.",
    "Any right input counts. Give it as `answer = ...` in a Python block.",
)
_OPTIONS = 0.45  # share of rows in which the input is one of four options


class Line(NamedTuple):
    """A line of a function, what it does to a value, and how a value before it is found from the one after it."""

    code: str  # with {x} for the value
    does: str
    undo: str
    forth: Callable[[Any], Any]
    back: Callable[[Any], Any]


def _list_line(draw: Draw) -> Line:
    k = draw.between(2, 9)
    m = draw.between(1, 2)
    return draw.pick(
        (
            Line("{x}[::-1]", "turns the list round", "turn it round again", lambda v: v[::-1], lambda v: v[::-1]),
            Line(f"[x + {k} for x in {{x}}]", f"adds {k} to each", f"subtract {k} from each", lambda v: [x + k for x in v], lambda v: [x - k for x in v]),
            Line(f"[x - {k} for x in {{x}}]", f"subtracts {k} from each", f"add {k} to each", lambda v: [x - k for x in v], lambda v: [x + k for x in v]),
            Line(f"[x * {k} for x in {{x}}]", f"multiplies each by {k}", f"divide each by {k}", lambda v: [x * k for x in v], lambda v: [_exactly(x, k) for x in v]),
            Line("[x + i for i, x in enumerate({x})]", "adds to each its position", "subtract 0, 1, 2 and so on", lambda v: [x + i for i, x in enumerate(v)], lambda v: [x - i for i, x in enumerate(v)]),
            Line(f"{{x}}[{m}:] + {{x}}[:{m}]", f"moves the first {m if m > 1 else 'one'} to the end", f"move the last {m if m > 1 else 'one'} to the front", lambda v: v[m:] + v[:m], lambda v: v[-m:] + v[:-m]),
            Line("list(accumulate({x}))", "forms running totals", "take the differences, beginning with the first itself", lambda v: [sum(v[: i + 1]) for i in range(len(v))], lambda v: [x - (v[i - 1] if i else 0) for i, x in enumerate(v)]),
            Line("{x}[::2] + {x}[1::2]", "puts the even positions before the odd ones", "deal the first half to the even positions and the rest to the odd ones", lambda v: v[::2] + v[1::2], _dealt),
            Line("[-x for x in {x}]", "changes every sign", "change every sign again", lambda v: [-x for x in v], lambda v: [-x for x in v]),
            Line(f"[{k * 5} - x for x in {{x}}]", f"subtracts each from {k * 5}", f"subtract each from {k * 5} again", lambda v: [k * 5 - x for x in v], lambda v: [k * 5 - x for x in v]),
            Line("{x}[-1:] + {x}[1:-1] + {x}[:1]", "swaps the first and the last", "swap the first and the last again", lambda v: v[-1:] + v[1:-1] + v[:1], lambda v: v[-1:] + v[1:-1] + v[:1]),
        )
    )  # fmt: skip


def _text_line(draw: Draw) -> Line:
    k, m, c = draw.between(1, 5), draw.between(1, 3), draw.pick("-.+")
    low = "abcdefghijklmnopqrstuvwxyz"
    return draw.pick(
        (
            Line("{x}[::-1]", "turns the text round", "turn it round again", lambda v: v[::-1], lambda v: v[::-1]),
            Line(f"{{x}}[{m}:] + {{x}}[:{m}]", f"moves the first {m if m > 1 else 'one'} to the end", f"move the last {m if m > 1 else 'one'} to the front", lambda v: v[m:] + v[:m], lambda v: v[-m:] + v[:-m]),
            Line(f'"".join(chr((ord(c) - 97 + {k}) % 26 + 97) for c in {{x}})', f"moves every letter {k} on in the alphabet", f"move every letter {k} back", lambda v: "".join(low[(low.index(c) + k) % 26] for c in v), lambda v: "".join(low[low.index(c) - k] for c in v)),
            Line("{x}[::2] + {x}[1::2]", "puts the even positions before the odd ones", "deal the first half to the even positions and the rest to the odd ones", lambda v: v[::2] + v[1::2], lambda v: "".join(_dealt(list(v)))),
            Line(f'"{c}".join({{x}})', f'puts "{c}" between all characters', f'take the "{c}" out again', lambda v: c.join(v), lambda v: v[::2]),
            Line("{x} + {x}[::-1]", "appends the text turned round", "keep the first half", lambda v: v + v[::-1], lambda v: v[: len(v) // 2]),
            Line("{x}.upper()", "turns it into capitals", "small letters will do", lambda v: v.upper(), lambda v: v.lower()),
            Line("{x}[-1] + {x}[:-1]", "moves the last to the front", "move the first to the end", lambda v: v[-1] + v[:-1], lambda v: v[1:] + v[0]),
            Line("{x} * 2", "writes it twice", "keep one half", lambda v: v + v, lambda v: v[: len(v) // 2]),
        )
    )  # fmt: skip


def _number_line(draw: Draw) -> Line:
    k, big = draw.between(2, 9), draw.between(11, 60)
    return draw.pick(
        (
            Line(f"{{x}} * {k}", f"multiplies by {k}", f"divide by {k}", lambda v: v * k, lambda v: _exactly(v, k)),
            Line(f"{{x}} + {big}", f"adds {big}", f"subtract {big}", lambda v: v + big, lambda v: v - big),
            Line(f"{{x}} - {big}", f"subtracts {big}", f"add {big}", lambda v: v - big, lambda v: v + big),
            Line(f"{{x}} // {k}", f"divides by {k} and rounds down", f"multiply by {k} (that plus anything below {k} is right)", lambda v: v // k, lambda v: v * k),
            Line(f"{{x}} ^ {big}", f"flips the bits of {big}", f"flip the bits of {big} again", lambda v: v ^ big, lambda v: v ^ big),
            Line(f"{big * 9} - {{x}}", f"subtracts from {big * 9}", f"subtract from {big * 9} again", lambda v: big * 9 - v, lambda v: big * 9 - v),
            Line("int(str({x})[::-1])", "reverses the digits", "reverse the digits again", _digits_forth, _digits_back),
            Line("{x} ** 2", "squares it", "take the root", lambda v: v * v, _root),
        )
    )  # fmt: skip


def _exactly(x: int, k: int) -> int:
    if x % k:
        raise Unfit
    return x // k


def _digits_forth(v: int) -> int:
    if v < 0:
        raise Unfit
    return int(str(v)[::-1])


def _digits_back(v: int) -> int:
    if v <= 0 or v % 10 == 0:
        raise Unfit
    return int(str(v)[::-1])


def _root(v: int) -> int:
    root = round(max(v, 0) ** 0.5)
    if v < 0 or root * root != v:
        raise Unfit
    return root


def _dealt(v: list[Any]) -> list[Any]:
    half = (len(v) + 1) // 2
    return [v[i // 2] if i % 2 == 0 else v[half + i // 2] for i in range(len(v))]


_KINDS: dict[str, tuple[str, str, Callable[[Draw], Line]]] = {
    "list": ("xs", "list[int]", _list_line),
    "text": ("s", "str", _text_line),
    "number": ("n", "int", _number_line),
}
_NAMES = ("f", "transform", "encode", "convert", "scramble", "process", "mix", "change")
_TEXT = ("kite", "lamp", "otter", "stone", "maple", "tiger", "cloud", "brick", "piano", "lemon", "robin", "salt", "ocean", "velvet", "anchor", "ticket", "puzzle", "meadow", "button", "harvest")  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    for _ in range(30):
        try:
            kind = draw.pick(("list", "list", "text", "text", "number", "number", "search", "search", "search"))
            search = searched(draw, level) if kind == "search" else _chained(draw, level, kind)
            return _draft(draw, search)
        except Unfit:
            continue
    raise Unfit


def _chained(draw: Draw, level: int, kind: str) -> Search:
    """A function that is a chain of lines. An input is drawn, what each line makes of it found, and then undone."""
    parameter, annotation, line = _KINDS[kind]
    n = (0, 1, 2, 3, 3, 4)[level] + (kind == "number" and level > 1)
    lines = [line(draw) for _ in range(n)]
    if level < 3 and any("^" in each.code for each in lines):
        raise Unfit
    if any(one.code.split()[0] == two.code.split()[0] for one, two in itertools.pairwise(lines)):
        raise Unfit
    if kind == "text" and any(
        ".upper" in each.code or (".join(" in each.code and "chr" not in each.code) for each in lines[:-1]
    ):
        raise Unfit  # what comes after works on small letters
    start: Any = {
        "list": [draw.between(1, 20) for _ in range(draw.between(3, 4 + level // 3))],
        "text": draw.pick(_TEXT),
        "number": draw.between(3, 200),
    }[kind]
    forward = [start]
    for each in lines:
        forward.append(each.forth(forward[-1]))
    output = value = forward[-1]
    steps = []
    for each in reversed(lines):
        value = each.back(value)
        steps.append((each, value))
    if (
        (kind == "number" and (abs(output) > 10**6 or output < 0 or min(forward) < 0))
        or (value != start and kind != "number")
        or output == start
    ):
        raise Unfit
    name = draw.pick(_NAMES)
    variable = parameter
    body = [f"    {variable} = {each.code.format(x=variable)}" for each in lines[:-1]] + [
        f"    return {lines[-1].code.format(x=variable)}"
    ]
    code = "\n".join([f"def {name}({parameter}: {annotation}) -> {annotation}:", *body])
    if "accumulate(" in code:
        code = f"from itertools import accumulate\n\n\n{code}"
    told = []
    after = output
    for i, (each, before) in enumerate(steps):
        which = "The last line" if i == 0 and n > 1 else "The line before it" if i else "The line"
        slip = None
        if i == 0 and n > 1:
            first = lines[0]
            slip = Slip(
                f"Begin with the first line and {first.undo}.", "The last thing that was done has to be undone first."
            )
        told.append(
            Step(
                f"{which} {each.does}, so {each.undo}: {shown(after)} comes from {shown(before)}.",
                "Undo the lines in reverse order." if i == 0 else "",
                slip,
            )
        )
        after = before
    way = [value]
    for each in lines:
        way.append(each.forth(way[-1]))
    check = f"Forwards again: {' → '.join(shown(each) for each in way)}."
    wrong = [_spoiled(draw, value) for _ in range(12)]
    return Search(code, name, parameter, value, output, told, check, wrong)


def _spoiled(draw: Draw, value: Any) -> Any:
    """An input that looks much like it."""
    if isinstance(value, int):
        return value + draw.pick((-10, -5, -2, -1, 1, 2, 5, 10, 20))
    parts = list(value)
    kind = draw.between(0, 3)
    if kind == 0:
        parts.reverse()
    elif kind == 1:
        i = draw.between(0, len(parts) - 2)
        parts[i], parts[i + 1] = parts[i + 1], parts[i]
    elif kind == 2:
        parts = [*parts[1:], parts[0]]
    elif isinstance(value, list):
        i = draw.between(0, len(parts) - 1)
        parts[i] += draw.pick((-2, -1, 1, 2, 3))
    else:
        i = draw.between(0, len(parts) - 1)
        parts[i] = draw.pick("aeiorst")
    return "".join(parts) if isinstance(value, str) else parts


def _draft(draw: Draw, search: Search) -> Draft:
    ask = draw.between(0, len(_ASKS) - 1)
    bare = shown(search.output)
    question = _ASKS[ask].format(
        code=f"```python\n{search.code}\n```",
        name=search.name,
        parameter=search.parameter,
        bare=bare,
        output=f"`{bare}`",
    )
    facts = {"code": search.code, "name": search.name, "output": repr(search.output), "input": repr(search.input)}
    common: dict[str, Any] = {
        "template": f"ask {ask}",
        "steps": search.steps,
        "given": f"`{search.name}` must return {shown(search.output)}, and I may choose the argument.",
        "check": search.check,
    }
    space: dict[str, Any] = {}
    exec(search.code, space)
    if draw.chance(_OPTIONS):
        options: list[Any] = []
        for each in search.wrong:
            if each not in options and each != search.input and _differs(space[search.name], each, search.output):
                options.append(each)
        if len(options) >= 3:
            chosen = draw.shuffled([*options[:3], search.input])
            listing = "\n".join(f"{letter}) {shown(each)}" for letter, each in zip("ABCD", chosen, strict=True))
            letter = "ABCD"[chosen.index(search.input)]
            return Draft(
                question=f"{question}\n\n{listing}",
                answer=letter,
                facts={**facts, "options": [repr(each) for each in chosen]},
                says=f"The input is {shown(search.input)}, option {letter}.",
                verifier="choice",
                verifier_args={"options": [shown(each) for each in chosen]},
                **common,
            )
    tests = f"{search.code}\n\nassert type(answer) is {type(search.input).__name__}\nassert {search.name}(answer) == {search.output!r}"
    return Draft(
        question=f"{question}\n\n{draw.pick(_FORMS)}",
        answer=fenced(f"answer = {shown(search.input)}"),
        facts=facts,
        says=draw.pick(("This input works.", "One right input:", "So it may have been this.", "An input that fits:")),
        verifier="code",
        verifier_args={"tests": tests},
        **common,
    )


def _differs(function: Callable[[Any], Any], value: Any, output: Any) -> bool:
    try:
        return function(value) != output
    except Exception:
        return False  # an option that raises would be no fair option


def solve(facts: dict[str, Any]) -> str:
    """Run the printed function on the input, and on every option. Raises AssertionError where it gives another result."""
    space: dict[str, Any] = {}
    exec(facts["code"], space)
    function, output = space[facts["name"]], eval(facts["output"])
    if "options" in facts:
        right = [
            letter for letter, each in zip("ABCD", facts["options"], strict=True) if function(eval(each)) == output
        ]
        assert len(right) == 1, f"{right} of the options are right"
        return right[0]
    value = eval(facts["input"])
    assert function(value) == output, f"{facts['name']}({value!r}) is not {output!r}"
    return fenced(f"answer = {shown(value)}")


PIPELINE = Solver(
    make, solve, knobs="level: one to five lines to undo, and searches with more conditions", verifier="code"
)
