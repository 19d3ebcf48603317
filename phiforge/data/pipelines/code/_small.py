"""A small function with its specification, its code, and cases that prove both; and how values are written in code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._operation import Operation, Values

Case = tuple[tuple[Any, ...], Any]  # arguments, what is expected

_IMPORTS = (
    ("Counter(", "from collections import Counter"),
    ("accumulate(", "from itertools import accumulate"),
    ("combinations(", "from itertools import combinations"),
    ("groupby(", "from itertools import groupby"),
    ("math.", "import math"),
)


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


def chained(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return (
        f"{', '.join(parts[:-1])} and {parts[-1]}"
        if len(parts) < 4
        else f"{', '.join(parts[:-2])}, then {parts[-2]}, and {parts[-1]}"
    )
