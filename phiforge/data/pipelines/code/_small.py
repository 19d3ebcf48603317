"""Small functions as people ask for them: composed of operations, with specification, code, and cases that prove both.

What a case expects is said by our interpreter of the operations, never by the printed code.
"""

from __future__ import annotations

import builtins
import keyword
from dataclasses import dataclass, field
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._on_numbers import OPERATIONS, WORLDS
from phiforge.data.pipelines.code._on_tables import ON_ROWS, ON_TABLES, ROW_WORLDS, TABLE_WORLDS
from phiforge.data.pipelines.code._on_words import ON_TEXTS, ON_WORDS, TEXT_WORLDS, TEXTS, WORD_WORLDS
from phiforge.data.pipelines.code._operation import Operation, Values, parameters_of
from phiforge.data.rows import Unfit

Case = tuple[tuple[Any, ...], Any]  # arguments, what is expected

_ALL = (*OPERATIONS, *ON_WORDS, *ON_TEXTS, *ON_TABLES, *ON_ROWS)
_BY_TYPE = {kind: [op for op in _ALL if op.takes == kind] for kind in ("numbers", "words", "text", "table", "rows")}
_ANNOTATIONS = {"numbers": "list[int]", "words": "list[str]", "text": "str", "table": "dict[str, int]", "rows": "list[dict]"}  # fmt: skip
_IMPORTS = (
    ("Counter(", "from collections import Counter"),
    ("accumulate(", "from itertools import accumulate"),
    ("combinations(", "from itertools import combinations"),
    ("groupby(", "from itertools import groupby"),
    ("math.", "import math"),
)
_NAMED = {
    "sorted": "ordered",
    "reversed": "backwards",
    "list": "items",
    "top": "largest",
    "text": "cleaned",
    "": "kept",
}


@dataclass
class Stage:
    """An operation with its parameters, as it is used in one function."""

    op: Operation
    values: Values

    @property
    def says(self) -> str:
        return self.op.says.format_map(self.values)

    def run(self, value: Any) -> Any:
        if not self.op.elementwise:
            return self.op.run(value, self.values)
        if self.op.kind == "keep":
            return [v for v in value if self.op.run(v, self.values)]
        return [self.op.run(v, self.values) for v in value]

    def code(self, x: str = "", v: str = "") -> str:
        return self.op.code.format_map({**self.values, "x": x, "v": v or x})


@dataclass
class Small:
    """A small function. `spec` is a sentence in the imperative, `signature` the line with its parameters and types."""

    name: str
    signature: str
    spec: str
    note: str
    code: str  # without docstring
    cases: list[Case]
    lines: list[tuple[str, str]]  # what is done, and the line that does it
    kind: str
    about: str = ""  # what its argument is, with an article: "a list of test scores"
    stages: list[Stage] = field(default_factory=list)
    parameter: str = ""
    one: str = ""
    idea: str = ""  # what the code rests on, where there are no stages
    bugs: list[tuple[str, str, str]] = field(default_factory=list)  # a right piece of code, a wrong one, what is wrong

    def call(self, case: Case) -> str:
        return f"{self.name}({', '.join(map(shown, case[0]))})"

    def test(self, case: Case) -> str:
        expected = case[1]
        sign = "is" if expected is None or isinstance(expected, bool) else "=="
        return f"assert {self.call(case)} {sign} {shown(expected)}"

    def stub(self, examples: list[Case], detailed: bool = True) -> str:
        """The signature with a docstring that holds the specification and true examples."""
        shown_spec = self.spec if detailed else self.spec.partition(". ")[0].rstrip(".") + "."
        lines = [self.signature, f'    """{wrapped(shown_spec, 4, 3)}']
        if self.note:
            lines += ["", f"    {wrapped(self.note, 4)}"]
        for case in examples:
            lines += ["", f"    >>> {self.call(case)}"] if case is examples[0] else [f"    >>> {self.call(case)}"]
            if case[1] is not None:
                lines.append(f"    {case[1]!r}")
        return "\n".join([*lines, '    """'])

    def program(self, code: str = "") -> str:
        """The code, or another for it, with the imports it needs."""
        code = code or self.code
        return f"{imports}\n\n\n{code}" if (imports := imports_of(code)) else code

    def examples(self, draw: Draw, n: int) -> list[Case]:
        """Cases that show something: results that are there and differ."""
        telling = [case for case in self.cases if case[1] not in (None, [], {}, "", 0) and len(repr(case)) < 240]
        telling = telling or [case for case in self.cases if case[1] is not None] or self.cases
        chosen = [draw.pick(telling)]
        for case in draw.shuffled(telling):
            if len(chosen) < n and case[1] not in [each[1] for each in chosen]:
                chosen.append(case)
        return chosen

    @property
    def tests(self) -> str:
        """All cases as assertions, a line each."""
        return "\n".join(map(self.test, self.cases))

    def trace(self, case: Case) -> list[str]:
        """What an argument becomes, stage by stage."""
        values, now = [], case[0][0]
        for stage in self.stages:
            now = stage.run(now)
            values.append(shown(now))
        return values

    @property
    def imports(self) -> str:
        return imports_of(self.code)


def shown(value: Any) -> str:
    """A value as it is written in code, texts in double quotes where that needs no escapes."""
    if isinstance(value, str):
        return repr(value) if '"' in value or "'" in value else '"' + repr(value)[1:-1] + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(k)}: {shown(v)}" for k, v in value.items()) + "}"
    return repr(value)


def wrapped(text: str, indent: int, first: int = 0) -> str:
    """A text in lines of at most 88 columns, as a docstring has it."""
    lines, now = [], " " * (indent + first)
    for word in text.split(" "):
        if len(now) + 1 + len(word) > 88 and now.strip():
            lines.append(now)
            now = " " * indent + word
        else:
            now = f"{now} {word}" if now.strip() else now + word
    return "\n".join([*lines, now]).lstrip()


def imports_of(code: str) -> str:
    """The import lines that a piece of code needs."""
    needed = [line for sign, line in _IMPORTS if sign in code]
    together = [line for line in needed if line.startswith("from itertools")]
    if len(together) > 1:
        names = ", ".join(line.rpartition(" ")[2] for line in together)
        needed = [f"from itertools import {names}", *(line for line in needed if line not in together)]
    needed.sort(key=lambda line: (line.startswith("from"), line))
    return "\n".join(needed)


# --- composing ---------------------------------------------------------------------------------------------------------


KINDS = "numbers numbers numbers words words text table rows"


def composed(draw: Draw, level: int, kinds: str = KINDS, style: str = "") -> Small:
    """A function of one argument, a chain of operations. Raises Unfit where no sensible one was drawn."""
    for _ in range(12):
        made = _composed(draw, level, kinds, style)
        if made is not None:
            return made
    raise Unfit


def _composed(draw: Draw, level: int, kinds: str, style: str) -> Small | None:
    kind = draw.pick(kinds.split())
    world = _World(draw, kind)
    stages = _chain(draw, level, kind, world)
    inputs = [world.value(draw, stages, n) for n in (0, 1, 4, 5, 6, 7, 8, 9, 6, 7)]
    cases = [((x,), _result(stages, x)) for x in _distinct(inputs)]
    if not _sensible(stages, cases):
        return None
    name = _name(draw, stages, world)
    style = style or draw.pick(("steps", "steps", "loop", "compact"))
    lines = _LAYOUTS[style](stages, world.parameter, world.element)
    returns = stages[-1].op.returns
    signature = f"def {name}({world.parameter}: {_ANNOTATIONS[kind]}) -> {returns}:"
    code = "\n".join([signature, *("    " + line.replace("\n", "\n    ") for _, line in lines)])
    chained = [stage.says for stage in stages]
    spec = (
        f"From {world.about}, {_chained(chained)}." if kind != "text" else f"Take {world.about}, {_chained(chained)}."
    )
    return Small(name, signature, spec, stages[-1].op.empty, code, cases, lines, kind, world.about, stages, world.parameter, world.element)  # fmt: skip


class _World:
    """What a function is about: its parameter and where values for it come from."""

    def __init__(self, draw: Draw, kind: str) -> None:
        self.kind, self.fields, self.low, self.high, self.plain = kind, {}, 0, 9, False
        if kind == "numbers":
            world = draw.pick(WORLDS)
            self.parameter, self.about, self.low, self.high, self.plain = world.parameter, f"a list of {world.many}", world.low, world.high, world.plain  # fmt: skip
            one = world.one.split()[0]
            self.element = "value" if one in dir(builtins) or one == world.parameter else one
        elif kind == "words":
            self.parameter, self.element, many, pool = draw.pick(WORD_WORLDS)
            self.element, self.about, self.pool = self.element.split()[0], f"a list of {many}", pool.split()
        elif kind == "text":
            self.parameter, one = draw.pick(TEXT_WORLDS)
            self.element, self.about = "word", f"a {one}"
        elif kind == "table":
            self.parameter, self.element, self.about, pool, self.low, self.high = draw.pick(TABLE_WORLDS)
            self.pool = pool.split()
        else:
            self.parameter, self.element, name, group, number, names, groups, self.low, self.high = draw.pick(
                ROW_WORLDS
            )
            self.names, self.groups = names.split(), groups.split()
            self.fields = {"name": name, "group": group, "number": number, "group_value": draw.pick(self.groups)}
            self.about = f'a list of {self.parameter}, dictionaries with the keys "{name}", "{group}" and "{number}"'

    def value(self, draw: Draw, stages: list[Stage], n: int) -> Any:
        """An argument of about `n` parts, near the limits that the operations have."""
        limits = [
            stage.values[key]
            for stage in stages[:2]
            for key in ("k", "a", "b", "m")
            if isinstance(stage.values.get(key), int)
        ]
        limits = [limit for limit in limits if self.low <= limit <= self.high]

        def number() -> int:
            if limits and draw.chance(0.35):
                return min(max(draw.pick(limits) + draw.between(-1, 1), self.low), self.high)
            return draw.between(self.low, self.high)

        if self.kind == "numbers":
            numbers = [number() for _ in range(n)]
            if n > 4:
                numbers[draw.between(1, n - 1)] = numbers[0]
                at = draw.between(0, n - 2)
                numbers[at + 1] = numbers[at]
            return numbers
        if self.kind == "words":
            words = [draw.pick(self.pool) for _ in range(n)]
            if n > 4 and draw.chance(0.5):
                words[-1] = words[0]
            return words
        if self.kind == "text":
            if n < 2:
                return "a" * n
            return (
                draw.pick(TEXTS)
                if draw.chance(0.6)
                else " ".join(draw.pick(TEXTS).split()[-1] for _ in range(max(n // 3, 1)))
            )
        if self.kind == "table":
            keys = draw.sample(self.pool, min(n, len(self.pool)))
            values = {key: number() for key in keys}
            if n > 3:
                values[keys[2]] = values[keys[0]]
            return values
        name, group, amount = self.fields["name"], self.fields["group"], self.fields["number"]
        return [
            {name: draw.pick(self.names), group: draw.pick(self.groups), amount: number()} for _ in range(min(n, 6))
        ]


_STAGES = ((), (1, 1), (1, 2), (2, 2), (2, 3), (3, 4))


def _chain(draw: Draw, level: int, kind: str, world: _World) -> list[Stage]:
    stages: list[Stage] = []
    wanted = draw.between(*_STAGES[level])
    for _ in range(wanted):
        used = [stage.op.tag for stage in stages]
        options = [
            op
            for op in _BY_TYPE[kind]
            if op.kind != "fold" and op.level <= level + 1 and (op.tag not in used or not op.tag) and (world.plain or not op.plain or world.kind != "numbers")
        ]  # fmt: skip
        op = draw.pick(options)
        stages.append(Stage(op, {**world.fields, **parameters_of(op, draw, world.low, world.high)}))
        kind = op.gives
    folds = [
        op
        for op in _BY_TYPE[kind]
        if op.kind == "fold" and max(level - 3, 1) <= op.level <= level + 1 and (world.plain or not op.plain or world.kind != "numbers")
    ]  # fmt: skip
    op = draw.pick(folds)
    return [*stages, Stage(op, {**world.fields, **parameters_of(op, draw, world.low, world.high)})]


def _result(stages: list[Stage], value: Any) -> Any:
    for stage in stages:
        value = stage.run(value)
    return value


def _distinct(values: list[Any]) -> list[Any]:
    return [x for i, x in enumerate(values) if x not in values[:i]]


def _sensible(stages: list[Stage], cases: list[Case]) -> bool:
    """Whether the results differ, are of a readable size, and every stage makes a difference to one of them."""
    results = [repr(result) for _, result in cases]
    if (
        len(cases) < 5
        or len(set(results)) < (2 if stages[-1].op.returns == "bool" else 4)
        or max(map(len, results)) > 300
    ):
        return False
    if any(isinstance(result, int) and abs(result) > 10**7 for _, result in cases):
        return False
    for i, stage in enumerate(stages[:-1]):
        if stage.op.takes == stage.op.gives:
            without = [*stages[:i], *stages[i + 1 :]]
            if sum(_result(without, args[0]) != expected for args, expected in cases) < 2:
                return False
    for i in range(len(stages) - 2):  # the order of the stages matters, or is the natural one
        one, two = stages[i].op, stages[i + 1].op
        if one.tag == two.tag or (
            one.tag in ("sorted", "ranked", "reversed", "by_length")
            and two.tag in ("sorted", "ranked", "top", "bottom", "trimmed", "by_length")
        ):
            return False
    return True


def _chained(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return (
        f"{', '.join(parts[:-1])} and {parts[-1]}"
        if len(parts) < 4
        else f"{', '.join(parts[:-2])}, then {parts[-2]}, and {parts[-1]}"
    )


def _name(draw: Draw, stages: list[Stage], world: _World) -> str:
    tags = [tag for stage in stages[:-1] if (tag := stage.op.tag.format_map(stage.values)) and tag.isidentifier()]
    last = stages[-1].op.tag
    if len(tags) > 1 and draw.chance(0.6 if len(tags) == 2 else 1.0):
        tags = [draw.pick(tags)]
    noun = world.parameter
    if not tags and last in ("list", "text", "table"):
        return f"{draw.pick(('process', 'prepare', 'tidy', 'convert'))}_{noun}"
    if len(stages) > 3 and draw.chance(0.5):
        return f"{draw.pick(('summarise', 'evaluate', 'analyse', 'condense'))}_{noun}"
    parts = [*([last] if last not in ("list", "text", "table") else []), *tags, noun]
    return "_".join(parts).lower()


# --- printing ----------------------------------------------------------------------------------------------------------


def _free(wanted: str, taken: set[str]) -> str:
    """A name that nothing else has: no keyword, no builtin, no other variable."""
    name = _NAMED.get(wanted, wanted)
    name = name if name.isidentifier() and not keyword.iskeyword(name) and name not in dir(builtins) else "kept"
    while name in taken:
        name = f"{name[:-1]}{int(name[-1]) + 1}" if name[-1].isdigit() else f"{name}_2"
    taken.add(name)
    return name


def _ending(stage: Stage, x: str) -> list[tuple[str, str]]:
    code = stage.code(x)
    return [(stage.says, code if "return " in code else f"return {code}")]


def _steps(stages: list[Stage], parameter: str, element: str) -> list[tuple[str, str]]:
    """A line for every stage."""
    lines, x, taken = [], parameter, {parameter, element, "v", "a", "b", "c", "i", "group", "row", "key"}
    for stage in stages[:-1]:
        tag = stage.op.tag.format_map(stage.values).lower()
        name = _free(tag, taken)
        if stage.op.kind == "keep":
            line = f"{name} = [{element} for {element} in {x} if {stage.code(v=element)}]"
        elif stage.op.elementwise:
            line = f"{name} = [{stage.code(v=element)} for {element} in {x}]"
        else:
            line = f"{name} = {stage.code(x)}"
        lines.append((stage.says, line))
        x = name
    return lines + _ending(stages[-1], x)


def _compact(stages: list[Stage], parameter: str, element: str) -> list[tuple[str, str]]:
    """As few lines as can still be read: conditions and one change share a comprehension."""
    lines, x, taken, i = [], parameter, {parameter, element, "v", "a", "b", "c", "i", "group", "row", "key"}, 0
    while i < len(stages) - 1:
        keeps, says = [], []
        while i < len(stages) - 1 and stages[i].op.kind == "keep":
            keeps.append(stages[i].code(v=element))
            says.append(stages[i].says)
            i += 1
        value = element
        if i < len(stages) - 1 and stages[i].op.elementwise:
            value = stages[i].code(v=element)
            says.append(stages[i].says)
            i += 1
        if says:
            tests = [f"({keep})" if " or " in keep and len(keeps) > 1 else keep for keep in keeps]
            made = f"[{value} for {element} in {x}{' if ' * bool(keeps)}{' and '.join(tests)}]"
        else:
            made, says = stages[i].code(x), [stages[i].says]
            i += 1
        x = _free(stages[i - 1].op.tag.format_map(stages[i - 1].values).lower(), taken)
        lines.append((_chained(says), f"{x} = {made}"))
    return lines + _ending(stages[-1], x)


def _loop(stages: list[Stage], parameter: str, element: str) -> list[tuple[str, str]]:
    """A loop over the elements, as one writes it before one knows comprehensions."""
    n = 0
    while n < len(stages) - 1 and stages[n].op.elementwise:
        n += 1
    if n == 0:
        return _steps(stages, parameter, element)
    last, fold = stages[n], n == len(stages) - 1 and stages[n].op.tag
    name = {"sum": "total", "count": "count"}.get(str(fold), "result")
    lines = [f"{name} = {'[]' if name == 'result' else 0}", f"for {element} in {parameter}:"]
    indent, value = "    ", element
    for stage in stages[:n]:
        if stage.op.kind == "keep":
            lines.append(f"{indent}if {stage.code(v=value)}:")
            indent += "    "
        else:
            new = "changed" if value != "changed" else "value"
            lines.append(f"{indent}{new} = {stage.code(v=value)}")
            value = new
    lines.append(
        f"{indent}" + {"total": f"total += {value}", "count": "count += 1"}.get(name, f"result.append({value})")
    )
    says = _chained([stage.says for stage in stages[:n]])
    if name != "result":
        return [(says, "\n".join(lines)), (last.says, f"return {name}")]
    return [(says, "\n".join(lines)), *_steps(stages[n:], "result", element)]


_LAYOUTS = {"steps": _steps, "compact": _compact, "loop": _loop}
