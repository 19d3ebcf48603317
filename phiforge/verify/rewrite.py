"""Whether a rewritten function still does the same, and is written as it was asked: tests, and requirements on its form.

`verifier_args`: those of the code verifier (tests, entry_point, ...), and `requires`, a list of [requirement, value]:
    no_loops, no_while, no_nested_loops    `for` and `while` statements; comprehensions count as loops only for nesting
    no_nested_if, no_if                    `if` statements inside others; any at all (the expression `a if b else c` is none)
    comprehension                          there has to be one
    no_calls ["map", "filter"]             these names may not be called, as functions or methods
    no_lambda
    recursion, no_recursion                whether the function calls itself, or defines one that does
    max_lines n                            lines of its body, without blank lines, comments and the docstring
    max_returns n
Requirements are read from the syntax of the function `entry_point`; everything else is decided by running it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from phiforge.records import Problem, Verdict
from phiforge.verify import code

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def verify(response: str, problem: Problem) -> Verdict:
    """Check the form, then run the tests. Raises ValueError for a requirement that isn't known."""
    args = problem.verifier_args
    entry = str(args.get("entry_point", ""))
    source = code.extract(response, entry)
    if source is None:
        return Verdict(False, 0.0, "the response has no code")
    broken = missed(source, entry, args.get("requires", []))
    if broken:
        return Verdict(False, 0.0, broken)
    return code.verify(f"```python\n{source}```", problem)


def missed(source: str, entry: str, requires: list[list[Any]]) -> str:
    """The first requirement that a program doesn't meet, in words; empty if it meets all."""
    unknown = [rule[0] for rule in requires if rule[0] not in _RULES]
    if unknown:
        raise ValueError(f"no requirement is called {unknown[0]!r}: expected one of {', '.join(_RULES)}")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"the code doesn't parse: {str(error)[:200]}"
    found = [node for node in tree.body if isinstance(node, _Function) and node.name == entry]
    if not found:
        return f"there is no function {entry!r} at the top level"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in ("exec", "eval", "compile"):
            return f"it uses {node.id}, in which anything may hide"
    try:
        for name, *value in requires:
            if said := _RULES[name](found[-1], tree, value[0] if value else None):
                return said
    except RecursionError:
        return "the code is nested too deeply"
    return ""


def _reached(function: _Function, tree: ast.Module) -> list[ast.stmt]:
    """The function and what it uses of the module, directly or through others: a loop doesn't hide in a helper."""
    by_name: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, _Function | ast.ClassDef):
            by_name[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            by_name |= {name.id: node for name in ast.walk(node) if isinstance(name, ast.Name) and not _read(name)}
    reached: list[ast.stmt] = [function]
    waiting: list[ast.stmt] = [function]
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Name) and node.id in by_name and by_name[node.id] not in reached:
                reached.append(by_name[node.id])
                waiting.append(by_name[node.id])
    return reached


def _read(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def _any(function: _Function, tree: ast.Module, kinds: tuple[type[ast.AST], ...]) -> bool:
    return any(isinstance(node, kinds) for each in _reached(function, tree) for node in ast.walk(each))


def _depth(node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> int:
    """How deeply nodes of these kinds stand in one another. An `elif` is no deeper than its `if`."""
    below = 0
    for child in ast.iter_child_nodes(node):
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        below = max(below, _depth(child, kinds) - is_elif)
    own = len(node.generators) if isinstance(node, _COMPREHENSIONS) else 1
    return below + own if isinstance(node, kinds) else below


def _no_loops(function: _Function, tree: ast.Module, value: Any) -> str:
    return "there is a loop" if _any(function, tree, _LOOPS) else ""


def _no_while(function: _Function, tree: ast.Module, value: Any) -> str:
    return "there is a while loop" if _any(function, tree, (ast.While,)) else ""


def _no_nested_loops(function: _Function, tree: ast.Module, value: Any) -> str:
    deepest = max(_depth(each, (*_LOOPS, *_COMPREHENSIONS)) for each in _reached(function, tree))
    return "there are loops in loops" if deepest > 1 else ""


def _no_nested_if(function: _Function, tree: ast.Module, value: Any) -> str:
    deepest = max(_depth(each, (ast.If,)) for each in _reached(function, tree))
    return "there is an if in an if" if deepest > 1 else ""


def _no_if(function: _Function, tree: ast.Module, value: Any) -> str:
    return "there is an if or match statement" if _any(function, tree, (ast.If, ast.Match)) else ""


def _comprehension(function: _Function, tree: ast.Module, value: Any) -> str:
    return "" if _any(function, tree, _COMPREHENSIONS) else "there is no comprehension"


def _no_calls(function: _Function, tree: ast.Module, value: Any) -> str:
    unwanted = set(value)
    for each in _reached(function, tree):
        for node in ast.walk(each):
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in unwanted:
                    return f"it uses {name}"
    return ""


def _no_lambda(function: _Function, tree: ast.Module, value: Any) -> str:
    return "there is a lambda" if _any(function, tree, (ast.Lambda,)) else ""


def _calls_itself(function: _Function, tree: ast.Module) -> bool:
    """Also by way of another function, or in an inner one."""
    inner = [node for each in _reached(function, tree) for node in ast.walk(each) if isinstance(node, _Function)]
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (each.name, function.name)
        for each in inner
        for node in ast.walk(each)
    )


def _recursion(function: _Function, tree: ast.Module, value: Any) -> str:
    return "" if _calls_itself(function, tree) else "it doesn't call itself"


def _no_recursion(function: _Function, tree: ast.Module, value: Any) -> str:
    return "it calls itself" if _calls_itself(function, tree) else ""


def _max_lines(function: _Function, tree: ast.Module, value: Any) -> str:
    """Lines as a formatter would leave them, so that neither semicolons nor long brackets gain anything."""
    lines = sum(1 for each in _reached(function, tree) for _ in _statements(each))
    return f"its body has {lines} lines, more than {value}" if lines > value else ""


def _statements(part: ast.stmt) -> Iterator[ast.AST]:
    """Statements of a body, a line each, with the lines `else` and `except`, without docstrings."""
    for node in ast.walk(part):
        if isinstance(node, ast.ExceptHandler | ast.match_case):
            yield node
        if (node is part and isinstance(node, _Function)) or not isinstance(node, ast.stmt):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        yield node
        is_elif = isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
        if isinstance(node, ast.If | ast.For | ast.While) and node.orelse and not is_elif:
            yield node.orelse[0]


def _max_returns(function: _Function, tree: ast.Module, value: Any) -> str:
    n = sum(isinstance(node, ast.Return) for node in ast.walk(function))
    return f"it has {n} return statements, more than {value}" if n > value else ""


_RULES: dict[str, Callable[[_Function, ast.Module, Any], str]] = {
    "no_loops": _no_loops,
    "no_while": _no_while,
    "no_nested_loops": _no_nested_loops,
    "no_nested_if": _no_nested_if,
    "no_if": _no_if,
    "comprehension": _comprehension,
    "no_calls": _no_calls,
    "no_lambda": _no_lambda,
    "recursion": _recursion,
    "no_recursion": _no_recursion,
    "max_lines": _max_lines,
    "max_returns": _max_returns,
}
