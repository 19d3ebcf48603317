"""Execution validation: code counts when its tests pass in the sandbox, and tests count when they catch broken code.

`run_tests` checks code that is there. `write_code` has a teacher write code and tests, runs them, and shows it what failed.
"""

from __future__ import annotations

import ast
import asyncio
import re
from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.teacher import Teacher
from phiforge.verify import sandbox

SECONDS = 10.0
MOST_MUTANTS = 8


class Executed(Struct, frozen=True):
    """What running code against tests showed. Of `mutants` (broken copies of the code) the tests caught `caught`."""

    passed: bool
    said: str = ""
    mutants: int = 0
    caught: int = 0

    @property
    def kept(self) -> bool:
        """The code passes, and the tests tell it from something broken."""
        return self.passed and (not self.mutants or self.caught > 0)

    @property
    def reason(self) -> str:
        if not self.passed:
            return "tests fail"
        return "" if self.kept else "tests catch nothing"


class Attempt(Struct, frozen=True):
    code: str
    tests: str
    executed: Executed


class Written(Struct, frozen=True):
    """Code and tests that pass, or the last that did not, with every attempt."""

    code: str
    tests: str
    attempts: list[Attempt]
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason


class Code(Struct, frozen=True):
    code: Annotated[str, Meta(max_length=4000)]


class Tests(Struct, frozen=True):
    asserts: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=8)]


async def run_tests(code: str, tests: str, *, mutants: int = MOST_MUTANTS, seconds: float = SECONDS) -> Executed:
    """Run tests (statements that raise where the code is wrong) after the code, and after broken copies of it."""
    outcome = await asyncio.to_thread(_test, code, tests, seconds)
    if not outcome.passed:
        return Executed(False, (outcome.broken or outcome.reason)[:300])
    broken = mutated(code)[:mutants]
    outcomes = [await asyncio.to_thread(_test, each, tests, seconds) for each in broken]
    return Executed(True, mutants=len(broken), caught=sum(not each.passed for each in outcomes))


_WRITER = "You write short, correct Python with no input, no output and nothing beyond the standard library."


async def write_code(
    teacher: Teacher, task: str, tests: str = "", *, tries: int = 3, max_tokens: int = 1024, seed: int = 0
) -> Written:
    """Code that does a task. Without `tests` the teacher writes some first, from the task alone, before there is code."""
    if not tests:
        asked = f"{task}\n\nWrite up to eight assert statements that a correct solution passes. Work each value out with care."
        filled = await teacher.fill(Tests, asked, system=_WRITER, max_tokens=max_tokens, seed=seed)
        tests = "\n".join(line for line in filled.asserts if _is_assert(line))
        if not tests:
            return Written("", "", [], "no usable test")
    attempts: list[Attempt] = []
    asked = f"{task}\n\nIt has to pass these:\n{tests}\n\nGive the code in one ```python block."
    for _ in range(tries):
        said = (await teacher.answer(asked, system=_WRITER, max_tokens=max_tokens, seed=seed))[0]
        code = code_of(said.text)
        executed = await run_tests(code, tests) if code else Executed(False, "there is no Python in the answer")
        attempts.append(Attempt(code, tests, executed))
        if executed.passed:
            return Written(code, tests, attempts, executed.reason)
        asked = (
            f"{task}\n\nIt has to pass these:\n{tests}\n\nThis does not:\n```python\n{code}\n```\nIt ends with: "
            f"{executed.said}\n\nGive corrected code, whole, in one ```python block."
        )
    return Written(attempts[-1].code, tests, attempts, attempts[-1].executed.reason)


_BLOCK = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.S)


def code_of(text: str) -> str:
    """The Python in an answer: its longest code block that parses, or the whole of it; empty if there is none."""
    candidates = sorted(_BLOCK.findall(text), key=len, reverse=True) or [text]
    for candidate in candidates:
        try:
            tree = ast.parse(candidate)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if any(not isinstance(each, ast.Expr) for each in tree.body):
            return candidate.strip() + "\n"
    return ""


def mutated(code: str) -> list[str]:
    """Copies of code with one thing broken each: a comparison turned, a number moved by one, an operator exchanged, a
    result gone. In order of place."""
    tree = ast.parse(code)
    spots = [node for node in ast.walk(tree) if _mutant(node) is not None]
    found: list[str] = []
    for spot in spots:
        change = _mutant(spot)
        assert change is not None
        field, new = change
        old = getattr(spot, field)
        setattr(spot, field, new)
        text = ast.unparse(tree)
        setattr(spot, field, old)
        if text not in found:
            found.append(text)
    return found


_EXCHANGED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def _mutant(node: ast.AST) -> tuple[str, object] | None:
    """The field of a node to change, and its new value."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _EXCHANGED:
        return "ops", [_EXCHANGED[type(node.ops[0])](), *node.ops[1:]]
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in _EXCHANGED:
        return "op", _EXCHANGED[type(node.op)]()
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return "value", node.value + 1
    if isinstance(node, ast.Return) and node.value is not None:
        return "value", ast.Constant(None)
    return None


def _is_assert(line: str) -> bool:
    try:
        body = ast.parse(line.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return len(body) == 1 and isinstance(body[0], ast.Assert) and not isinstance(body[0].test, ast.Constant)


def _test(code: str, tests: str, seconds: float) -> sandbox.TestOutcome:
    with sandbox.borrowed() as box:
        return box.test(code, tests, limits=sandbox.Limits(seconds=seconds))
