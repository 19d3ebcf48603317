"""Functions to rewrite without changing what they do: with comprehensions, without nesting, recursion or chains of ifs, shorter.

The requirement is checked on the syntax, the behaviour by tests. `make` takes their results from an interpreter or from the old
version, `solve` runs the new one.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._composed import composed
from phiforge.data.pipelines.code._layouts import LAYOUTS
from phiforge.data.pipelines.code._reply import fenced, proven
from phiforge.data.pipelines.code._rewritings import CHAINS, REWRITINGS
from phiforge.data.pipelines.code._small import Small, imports_of, shown
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed

_ASKS = (
    "Rewrite this function {wish}. It must do the same as before.\n\n{old}",
    "Refactor the code below {wish}, without changing its behaviour.\n\n{old}",
    "{old}\n\nThis works, but I would like it {wish}. Please rewrite it.",
    "Can you write `{name}` {wish}?\n\n{old}",
    "Our linter complains about this function.\n\n{old}\n\nMake it pass: it should be written {wish}, and all callers must notice nothing.",
    "Please clean this up. I want it {wish}.\n\n{old}\n\nSame name, same results.",
    "Code review comment on `{name}`: \"Do this {wish}.\" The code is\n\n{old}\n\nChange it accordingly.",
    "Here is a working function:\n\n{old}\n\nGive me an equivalent one {wish}.",
    "Turn this into a version {wish}; the results have to stay the same for every input.\n\n{old}",
    "How would the following look {wish}?\n\n{old}\n\nWrite the whole function.",
    "Improve the style of `{name}`, that is: write it {wish}. Don't change the signature.\n\n{old}",
    "I am learning to write better Python. How do I write this {wish}?\n\n{old}",
    "Take this function\n\n{old}\n\nand write it again {wish}. Its tests must still pass.",
    "Behaviour-preserving refactoring, please: {old_inline} should be there {wish}.\n\n{old}",
    "Exercise: express the same {wish}.\n\n{old}",
    "The team's rule is that such functions are written {wish}. Bring this one into line:\n\n{old}",
    "{old}\n\nSame function, but {wish}, please.",
    "An old script has this in it.\n\n{old}\n\nReplace it with a modern version, {wish}.",
    "Keep what `{name}` does, change how it does it: it should be {wish}.\n\n{old}",
    "Rewrite\n\n{old}\n\n{wish}. Answer with the new code only in a code block, after a short explanation.",
    "My teacher wants `{name}` {wish}. What I have:\n\n{old}",
    "Make this function better to read by writing it {wish}.\n\n{old}",
)  # fmt: skip
_SAYS = ("The rewritten function:", "It does the same as before.", "So:", "The new version:", "Rewritten:")


def make(draw: Draw, level: int) -> Draft:
    kind = draw.pick(("loop", "loop", "lines", "lambda", "while", "while", "pairs", "chain", "guards"))
    old, new, name, wish, requires, steps, tests = _KINDS[kind](draw, level)
    ask = draw.between(0, len(_ASKS) - 1)
    new = f"{imports}\n\n\n{new}" if (imports := imports_of(new)) else new
    old = f"{imports}\n\n\n{old}" if (imports := imports_of(old)) else old
    question = _ASKS[ask].format(wish=wish, old=f"```python\n{old}\n```", name=name, old_inline=f"`{name}`")
    return Draft(
        question=question.replace("\n\nwithout", "\n\nso that it is written without").replace(
            "\n\nwith ", "\n\nso that it is written with "
        ),
        answer=fenced(new),
        facts={"code": new, "tests": tests, "old": old},
        template=f"ask {ask}",
        steps=steps,
        says=draw.pick(_SAYS),
        given=f"`{name}` must keep its results, but be written {wish}.",
        check=_check(name, tests),
        verifier="rewrite",
        verifier_args={"entry_point": name, "tests": tests, "requires": requires},
    )


def _check(name: str, tests: str) -> str:
    lines = sorted(tests.split("\n"), key=lambda line: abs(len(line) - 50))
    call, _sign, result = lines[0].removeprefix("assert ").partition(" == " if " == " in lines[0] else " is ")
    return f"Old and new agree on `{call}`: both give `{result}`."


Made = tuple[str, str, str, str, list[list[Any]], list[Step], str]


def _function(draw: Draw, level: int, style: str, fits: Any, begin: tuple[str, ...] = ("keep map",)) -> Small:
    for _ in range(8):
        function = composed(draw, max(level, 2), "numbers numbers words", style, begin)
        if fits(function):
            return function
    raise Unfit


def _elementwise(function: Small) -> int:
    n = 0
    while n < len(function.stages) - 1 and function.stages[n].op.elementwise:
        n += 1
    return n


def _layouts(function: Small) -> Any:
    return {
        name: "\n".join(
            [
                function.signature,
                *(
                    "    " + line.replace("\n", "\n    ")
                    for _, line in layout(function.stages, function.parameter, function.one)
                ),
            ]
        )
        for name, layout in LAYOUTS.items()
    }


def _loop(draw: Draw, level: int) -> Made:
    function = _function(draw, level, "loop", lambda f: _elementwise(f) >= 1 and "return " not in f.stages[-1].op.code)
    old, new = function.code, _layouts(function)["compact"]
    wish = draw.pick(
        ("with comprehensions instead of loop statements", "with a comprehension and without any `for` statement", "without loop statements, using comprehensions")
    )  # fmt: skip
    body = [line for line in new.split("\n")[1:] if " for " in line]
    steps = [
        Step(f"The loop does this: {function.lines[0][0]}.", "First I read what the old code does."),
        Step(f"In one expression: `{body[0].strip()}`.", "A loop that only tests, changes and appends is a comprehension.", Slip("The condition can stay an `if` statement.", "Inside a comprehension it stands behind the `for`, as part of the expression.")),
    ]  # fmt: skip
    if len(function.lines) > 1:
        steps.append(Step(f"What follows stays: {function.lines[-1][0]}.", ""))
    return old, new, function.name, wish, [["no_loops"], ["comprehension"]], steps, function.tests


def _lines(draw: Draw, level: int) -> Made:
    function = _function(
        draw, level, "steps", lambda f: _elementwise(f) >= 1 and "return " not in f.stages[-1].op.code
    )
    layouts = _layouts(function)
    old, new = layouts["loop"], layouts["compact"]
    n = new.count("\n")
    if n + 2 > old.count("\n"):
        raise Unfit
    wish = draw.pick((f"in at most {count(n, 'line')}, not counting the `def` line", f"shorter, with at most {count(n, 'line')} in its body")) if n > 1 else "with a body of a single line"  # fmt: skip
    steps = [
        Step(f"The old body has {old.count(chr(10))} lines; a part of them is a loop that collects values.", "Where is there something to save?"),
        Step(f"It can be written as `{new.split(chr(10))[1].strip()}`.", "That part is a comprehension."),
        Step(f"Then the body has {count(n, 'line')}.", "", Slip("Semicolons would save lines too.", "They hide statements but don't save any; only expressions make it really shorter.")),
    ]  # fmt: skip
    return old, new, function.name, wish, [["max_lines", n]], steps, function.tests


def _lambda(draw: Draw, level: int) -> Made:
    function = _function(draw, level, "steps", lambda f: _elementwise(f) >= 1)
    new = function.code
    body = []
    for stage, (_, line) in zip(function.stages, function.lines, strict=True):
        if stage.op.elementwise and " = [" in line:
            name, _, made = line.partition(" = ")
            where = r"^\[\w+ for (\w+) in (\w+) if " if stage.op.kind == "keep" else r" for (\w+) in (\w+)\]$"
            element, source = re.search(where, made).groups()  # type: ignore[union-attr]
            call = "filter" if stage.op.kind == "keep" else "map"
            line = f"{name} = list({call}(lambda {element}: {stage.code(v=element)}, {source}))"
        body.append("    " + line.replace("\n", "\n    "))
    old = "\n".join([function.signature, *body])
    wish = draw.pick(
        ("with comprehensions, without `map`, `filter` and `lambda`", "without `map` and `filter`, by comprehensions")
    )
    first = next(line for _, line in function.lines if " for " in line)
    steps = [
        Step(f"`filter` keeps and `map` changes; here they do this: {function.lines[0][0]}.", "What do the calls do?"),
        Step(f"The first becomes `{first}`.", "A lambda's body is the condition or the value of a comprehension.", Slip("Just drop the `list(...)`.", "Then there would be an iterator, which can be gone through only once; a comprehension makes a list.")),
        Step("The other lines keep their order, so the results stay the same.", ""),
    ]  # fmt: skip
    return old, new, function.name, wish, [["no_calls", ["map", "filter"]], ["comprehension"]], steps, function.tests


def _while(draw: Draw, level: int) -> Made:
    function = _function(draw, level, "loop", lambda f: _elementwise(f) >= 1 and "\nfor " in f.lines[0][1])
    new = function.code
    head = f"    for {function.one} in {function.parameter}:"
    before, _, after = new.partition(head)
    inside: list[str] = []
    rest = after.split("\n")[1:]
    while rest and rest[0].startswith("        "):
        inside.append(rest.pop(0))
    index = draw.pick(("i", "i", "index", "k"))
    old = "\n".join(
        [
            f"{before}    {index} = 0",
            f"    while {index} < len({function.parameter}):",
            f"        {function.one} = {function.parameter}[{index}]",
            *inside,
            f"        {index} += 1",
            *rest,
        ]
    )
    wish = draw.pick(
        (
            "without `while` and without an index",
            "with a `for` loop or a comprehension instead of `while`",
            "without a `while` loop",
        )
    )
    steps = [
        Step(f"The index `{index}` only serves to take one element after the other.", "What is the loop for?"),
        Step(f"`for {function.one} in {function.parameter}:` does that by itself.", "Python's `for` goes through the elements.", Slip(f"Write `for {index} in {function.parameter}`.", f"That gives elements, not indexes, so `{function.parameter}[{index}]` would be wrong.")),
        Step(f"The lines `{index} = 0` and `{index} += 1` are no longer needed, and nobody can forget them.", ""),
    ]  # fmt: skip
    return old, new, function.name, wish, [["no_while"]], steps, function.tests


def _guards(draw: Draw, level: int) -> Made:
    """Conditions inside conditions become one."""
    function = _function(draw, max(level, 3), "loop", lambda f: [s.op.kind for s in f.stages[:2]] == ["keep", "keep"] and "return " not in f.stages[-1].op.code, ("keep", "keep"))  # fmt: skip
    old = function.code
    n = next(i for i, stage in enumerate(function.stages) if stage.op.kind != "keep")
    keeps = [stage.code(v=function.one) for stage in function.stages[:n]]
    one = "\n".join(f"{'    ' * (i + 2)}if {keep}:" for i, keep in enumerate(keeps))
    if one not in old:
        raise Unfit
    both = " and ".join(f"({keep})" if " or " in keep else keep for keep in keeps)
    before, _, after = old.partition(one)
    lines = after.split("\n")[1:]
    deep = 4 * (n + 2)
    rest = [line[deep - 12 :] if line.startswith(" " * deep) else line for line in lines]
    new = f"{before}        if {both}:\n" + "\n".join(rest)
    wish = draw.pick(("without an `if` inside an `if`", "flatter, without nested `if` statements"))
    steps = [
        Step(f"All conditions must hold: {listed([f'`{keep}`' for keep in keeps])}.", "What do the ifs mean together?", Slip("Join them with `or`.", "Then one of them would be enough; in the old code the second is only tested when the first holds.")),
        Step(f"One condition says it: `if {both}:`.", "There is no `else`, so nothing else depends on the nesting."),
    ]  # fmt: skip
    return old, new, function.name, wish, [["no_nested_if"]], steps, function.tests


def _pairs(draw: Draw, level: int) -> Made:
    chosen = draw.pick([each for each in REWRITINGS if abs(each.level - level) <= 1])
    names = {
        "values": draw.pick(("values", "numbers", "items", "readings")),
        "result": draw.pick(("result", "found", "output")),
        "total": draw.pick(("total", "running")),
    }
    old, new = (_renamed(code, names) for code in (chosen.old, chosen.new))
    name = old[4 : old.index("(")]
    arguments = [*chosen.edges, *(chosen.arguments(draw) for _ in range(7))]
    space: dict[str, Any] = {}
    exec(chosen.old, space)
    tests = []
    for each in arguments:
        expected = space[name](*deepcopy(each))
        sign = "is" if expected is None or isinstance(expected, bool) else "=="
        tests.append(f"assert {name}({', '.join(map(shown, each))}) {sign} {shown(expected)}")
    steps = [
        Step(chosen.why, "What can take the place of the old way?"),
        Step(
            f"Its ends stay right: {tests[0].removeprefix('assert ').replace(' == ', ' is ')}.",
            "And for the smallest input?",
        ),
    ]
    return old, new, name, chosen.wish, chosen.requires, steps, "\n".join(dict.fromkeys(tests))


def _renamed(code: str, names: dict[str, str]) -> str:
    for one, other in names.items():
        code = re.sub(rf"(?<![.\w]){one}(?!\w|\()", other, code)
    return code


def _chain(draw: Draw, level: int) -> Made:
    name, parameter, values, other = draw.pick(CHAINS)
    keys = draw.sample(list(values), min(2 + level // 2 + draw.between(0, 1), len(values)))
    chosen = {key: draw.between(*values[key]) for key in keys}
    default = draw.between(*other)
    body = []
    for i, (key, value) in enumerate(chosen.items()):
        body += [f'    {"if" if i == 0 else "elif"} {parameter} == "{key}":', f"        return {value}"]
    body += ["    else:", f"        return {default}"] if draw.chance(0.5) else [f"    return {default}"]
    old = "\n".join([f"def {name}({parameter}: str) -> int:", *body])
    table = "{" + ", ".join(f'"{key}": {value}' for key, value in chosen.items()) + "}"
    plural = f"{parameter}s" if not parameter.endswith("y") else f"{parameter[:-1]}ies"
    new = f"def {name}({parameter}: str) -> int:\n    {plural} = {table}\n    return {plural}.get({parameter}, {default})"
    wish = draw.pick(("with a dictionary instead of the chain of `if`s", "without `if` statements, by looking it up in a dictionary", "as a look-up in a table, without `if`"))  # fmt: skip
    inputs = [*values, "unknown", "", keys[0].upper()]
    tests = "\n".join(f"assert {name}({shown(each)}) == {chosen.get(each, default)}" for each in inputs)
    steps = [
        Step(f"Every branch compares `{parameter}` with a text and returns a number: {table}.", "What does the chain depend on?"),
        Step(f"Everything else gives {default}, so it is `.get({parameter}, {default})`.", "What if none fits?", Slip(f"Look it up with `{plural}[{parameter}]`.", "For an unknown text that raises a KeyError, where the old code gave a number.")),
    ]  # fmt: skip
    return old, new, name, wish, [["no_if"]], steps, tests


_KINDS = {"loop": _loop, "lines": _lines, "lambda": _lambda, "while": _while, "pairs": _pairs, "chain": _chain, "guards": _guards}  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """The old version passes the tests too."""
    proven({**facts, "code": facts["old"]})
    return proven(facts)


PIPELINE = Solver(
    make, solve, knobs="level: longer chains of operations, harder algorithms, more branches", verifier="rewrite"
)
