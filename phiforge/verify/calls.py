"""Whether a response makes one function call with right arguments, by the rules of the Berkeley Function-Calling Leaderboard.

`Problem.answer` is a JSON array: of one call {"name", "accept": {parameter: [right values]}}, in which "" means that the
parameter may be left out; or empty, where nothing may be called. `verifier_args`:
    functions   the descriptions, with parameters in BFCL's types: string, integer, float, boolean, array, tuple, dict, any

The rules (`ast_checker` of bfcl_eval, for Python): all required parameters are there and no unknown ones; a value has the
declared type, where an int will do for a float, or the type of the right values; texts are compared without case, spaces and
the punctuation , . / - _ * ^, also in lists and dicts; an object's values are lists of right values again. An underscore
will do for a dot in a function's name. Calls are read as `schema` reads them, or as Python: [f(a=1, b="x")].
What cannot be read is no call, so that it is right where nothing should be called.
"""

from __future__ import annotations

import ast
import json
import operator
import re
import warnings
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from phiforge.records import Problem, Verdict
from phiforge.verify import schema
from phiforge.verify.math_extract import visible

TYPES: dict[str, type] = {
    "string": str, "any": str, "integer": int, "float": float, "boolean": bool, "array": list, "tuple": list, "dict": dict,
}  # fmt: skip

_FENCED = re.compile(r"^```\w*\n(.*?)\n?```$", re.S)


def _divide(a: float, b: float) -> float:
    return a / b


_OPERATORS: dict[type, Any] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: _divide}

Call = dict[str, Any]


def verify(response: str, problem: Problem) -> Verdict:
    """Compare the call of a response with the right ones. Raises ValueError for an answer or functions that can't be read."""
    expected, functions = _expected(problem)
    calls = read_calls(response)
    if calls is None:
        return Verdict(False, 0.0, "the response ends within a thought, or is too long")
    if len(calls) != len(expected):
        reason = (
            f"{calls[0]['name']} is called, but nothing should be" if not expected else f"{len(calls)} calls, not 1"
        )
        return Verdict(False, 0.0, reason)
    if not expected:
        return Verdict(True, 1.0, "nothing is called")
    wanted = expected[0]
    reason = wrong_with(calls[0], wanted.name, wanted.accept, functions[wanted.name]["parameters"])
    return Verdict(not reason, float(not reason), reason or "the call is right")


def extracted(response: str, problem: Problem) -> str | None:
    """The calls as JSON; None where there are none and there should be."""
    calls = read_calls(response)
    return json.dumps(calls, ensure_ascii=False, default=str) if calls or problem.answer == "[]" else None


def read_calls(response: str) -> list[Call] | None:
    """The calls of a response, written as JSON or as Python; None where its thought isn't closed or it is too long."""
    calls = schema.read_calls(response)
    return _python_calls((visible(response) or "").strip()) if calls == [] else calls


def wrong_with(call: Call, name: str, accept: Mapping[str, list[Any]], parameters: Mapping[str, Any]) -> str:
    """What is wrong with a call; empty if nothing. `accept` are right values by parameter, `parameters` the description."""
    given: dict[str, Any] = call["arguments"]
    if call["name"].replace(".", "_") != name.replace(".", "_"):
        return f"{call['name']} is called instead of {name}"
    if missing := [each for each in parameters.get("required", ()) if each not in given]:
        return f"{missing[0]} is missing"
    for key, value in given.items():
        if key not in parameters["properties"] or key not in accept:
            return f"there should be no {key}"
        if reason := _wrong_value(value, accept[key], parameters["properties"][key]):
            return f"{key}: {reason}"
    left_out = [key for key, values in accept.items() if key not in given and "" not in values]
    return f"{left_out[0]} is missing" if left_out else ""


def _wrong_value(value: Any, accept: list[Any], described: Mapping[str, Any]) -> str:
    kind = described["type"]
    if kind == "tuple" and isinstance(value, tuple):
        value = list(cast(tuple[Any, ...], value))
    if kind == "float" and type(value) is int and abs(value) < 1e300:
        value = float(value)
    declared = TYPES[kind]
    inner = TYPES[described["items"]["type"]] if kind in ("array", "tuple") else None
    of_answers = _type_of(accept)
    if type(value) is declared:
        fits = inner is None or any(
            not isinstance(right, list) or _all_are(value, inner, cast(list[Any], right)) for right in accept
        )
        by_value = of_answers not in (None, declared)  # the right values have another type: compared as they are
    else:
        fits = by_value = of_answers is not None and type(value) is of_answers
    if not fits:
        return f"{_shown(value)} is no {kind}" + (f" of {described['items']['type']}" if inner else "")
    if by_value:
        same = value in accept
    elif declared is dict:
        same = any(_same_dict(value, right) for right in accept)
    elif inner is dict:
        same = any(_same_dicts(value, right) for right in accept)
    elif declared in (str, list):
        same = _plain(value) in [_plain(right or declared()) for right in accept]  # an empty list is as good as none
    else:
        same = value in accept
    return "" if same else f"{_shown(value)}, not {' or '.join(_shown(right) for right in accept if right != '')}"


def _type_of(answers: list[Any]) -> Any:
    return next((answer.__class__ for answer in answers if answer != ""), None)


def _all_are(values: Any, kind: type, right: Any) -> bool:
    """Whether a list's values have a type, or that of the right list's own; "" and other answers that are no list say nothing."""
    if not isinstance(right, list):
        return True
    of_answers = _type_of(cast(list[Any], right))
    return all(type(value) in (kind, of_answers) for value in values)


def _plain(value: Any) -> Any:
    """Texts as they are compared, in a list too; anything else as it is."""
    if isinstance(value, str):
        return re.sub(r"[ ,./\-_*^]", "", value).lower().replace("'", '"')
    return [_text(each) for each in cast(list[Any], value)] if isinstance(value, list) else value


def _same_dict(value: Any, right: Any) -> bool:
    if not isinstance(right, dict) or not isinstance(value, dict):
        return False
    accept, given = cast(dict[str, list[Any]], right), cast(dict[str, Any], value)
    known = all(key in accept and _text(each) in map(_text, accept[key]) for key, each in given.items())
    return known and all(key in given or "" in values for key, values in accept.items())


def _text(value: Any) -> Any:
    return _plain(value) if isinstance(value, str) else value


def _same_dicts(values: Any, right: Any) -> bool:
    if not isinstance(right, list):
        return False
    answers = cast(list[Any], right)
    return len(values) == len(answers) and all(map(_same_dict, values, answers))


def _shown(value: Any) -> str:
    return repr(value)[:60]


# --- reading ---------------------------------------------------------------------------------------------------------


class _Right(Struct, frozen=True):
    name: str
    accept: dict[str, list[Any]]


def _expected(problem: Problem) -> tuple[list[_Right], dict[str, Any]]:
    functions = {each["name"]: each for each in problem.verifier_args.get("functions") or ()}
    try:
        calls = msgspec.json.decode(problem.answer, type=list[_Right])
    except msgspec.DecodeError as error:
        raise ValueError(f"{problem.id}: the right calls cannot be read: {error}") from None
    if len(calls) > 1:
        raise ValueError(f"{problem.id}: {len(calls)} right calls, and one or none is understood")
    for call in calls:
        if call.name not in functions:
            raise ValueError(f"{problem.id}: {call.name} is none of the functions {', '.join(functions)}")
    return calls, functions


def _python_calls(text: str) -> list[Call]:
    """The calls of [f(a=1), ...], bare or in a fence; none where it is anything else. Positional arguments are left out."""
    fenced = _FENCED.match(text)
    text = (fenced[1] if fenced else text).strip("`\n '")
    text = ("" if text.startswith("[") else "[") + text + ("" if text.endswith("]") else "]")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the response's escapes
            body = ast.parse(text, mode="eval").body
        if not isinstance(body, ast.List):
            return []
        return [_python_call(each) for each in body.elts]
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return []


def _python_call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call) or not re.fullmatch(r"[\w.]+", name := ast.unparse(node.func)):
        raise ValueError("no call")
    return {"name": name, "arguments": {each.arg: _value(each.value) for each in node.keywords if each.arg}}


def _value(node: ast.expr) -> Any:
    """A literal, arithmetic of numbers included; the text of anything else, such as a variable's name."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=elts):
            return [_value(each) for each in elts]
        case ast.Tuple(elts=elts):
            return tuple(_value(each) for each in elts)
        case ast.Dict(keys=keys, values=values):
            return {_value(key): _value(each) for key, each in zip(keys, values, strict=True) if key is not None}
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            a, b = _value(left), _value(right)
            plain = isinstance(a, int | float) and isinstance(b, int | float)
            return _OPERATORS[type(op)](a, b) if plain else ast.unparse(node)
        case _:
            return ast.unparse(node)
