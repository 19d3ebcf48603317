"""Two programs that speak only in plain data: the one that is tested, and the tests.

The tests call the other's functions through stand-ins. What comes back is rebuilt from numbers, texts and containers, so it
can't bring its own idea of equality; who ends early, prints or patches does so in its own process only.
Loaded by path inside the sandbox: standard library only.
"""

# pyright: basic

from __future__ import annotations

import ast
import builtins
import collections.abc
import contextlib
import json
import os
import struct
import sys
import types
from typing import Any

MAX_REPLY = 32 * 2**20
MAX_ITEMS = 1_000_000  # that an iterator is asked for


class NotPlain(TypeError):
    """A value that is not plain data and can't be handed over."""


# --- plain data as JSON ------------------------------------------------------------------------------------------------


def pack(value: Any, depth: int = 0) -> Any:
    """A value as JSON with tags. Raises NotPlain."""
    if depth > 200:
        raise NotPlain("nested too deeply")
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if isinstance(value, int):
        return {"i": hex(int(value))}
    if isinstance(value, float):
        return {"f": float(value).hex()}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, complex):
        return {"c": [value.real.hex(), value.imag.hex()]}
    if isinstance(value, bytes | bytearray):
        return {"b": value.hex(), "k": kind.__name__}
    if isinstance(value, list):
        return {"l": [pack(each, depth + 1) for each in list.__iter__(value)]}
    if isinstance(value, tuple):
        return {"t": [pack(each, depth + 1) for each in tuple.__iter__(value)]}
    if isinstance(value, set | frozenset):
        return {"s": [pack(each, depth + 1) for each in value]}
    if isinstance(value, dict):
        return {"d": [[pack(k, depth + 1), pack(v, depth + 1)] for k, v in dict.items(value)]}
    if kind.__module__ == "fractions":
        return {"q": [hex(value.numerator), hex(value.denominator)]}
    if kind.__module__ == "decimal":
        return {"n": str(value)}
    if hasattr(value, "tolist") and kind.__module__.split(".")[0] == "numpy":
        return pack(value.tolist(), depth + 1)
    if isinstance(value, collections.abc.Iterator | range) or kind.__name__ in (
        "dict_keys",
        "dict_values",
        "dict_items",
        "deque",
    ):
        items = []
        for each in value:
            items.append(pack(each, depth + 1))
            if len(items) > MAX_ITEMS:
                raise NotPlain("an iterator that doesn't end")
        return {"l": items} if not isinstance(value, collections.abc.Iterator) else {"g": items}
    raise NotPlain(f"{kind.__name__} is not plain data")


def unpack(data: Any) -> Any:
    """The value of tagged JSON."""
    if not isinstance(data, dict):
        return data
    (tag, content), *_ = data.items()
    if tag == "i":
        return int(content, 16)
    if tag == "f":
        return float.fromhex(content)
    if tag == "c":
        return complex(float.fromhex(content[0]), float.fromhex(content[1]))
    if tag == "b":
        return bytearray.fromhex(content) if data.get("k") == "bytearray" else bytes.fromhex(content)
    if tag == "q":
        from fractions import Fraction

        return Fraction(int(content[0], 16), int(content[1], 16))
    if tag == "n":
        from decimal import Decimal

        return Decimal(content)
    if tag == "d":
        return {unpack(k): unpack(v) for k, v in content}
    items = [unpack(each) for each in content]
    return {"l": list, "t": tuple, "s": set, "g": iter}[tag](items)


def _send(fd: int, value: Any) -> None:
    data = json.dumps(value).encode()
    data = struct.pack("=I", len(data)) + data
    while data:
        data = data[os.write(fd, data) :]


def _receive(fd: int) -> Any:
    (size,) = struct.unpack("=I", _exactly(fd, 4))
    if size > MAX_REPLY:
        raise EOFError
    return json.loads(_exactly(fd, size))


def _exactly(fd: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = os.read(fd, min(1 << 16, size - len(data)))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


# --- the program that is tested -----------------------------------------------------------------------------------------


def serve(code: str, ask: int, answer: int) -> None:
    """Run the program, name its functions and plain values, and answer calls until nobody asks."""
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    try:
        exec(compile(code, "<program>", "exec"), module.__dict__)
    except BaseException as error:
        _send(answer, {"failed": f"{type(error).__name__}: {error}"[:500]})
        raise
    functions, values = [], {}
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, types.ModuleType):
            continue
        if callable(value):
            functions.append(name)
        else:
            with contextlib.suppress(Exception):
                values[name] = pack(value)
    _send(answer, {"functions": functions, "values": values})
    while True:
        try:
            name, arguments, named = _receive(ask)
        except EOFError:
            return
        args, kwargs = unpack(arguments), unpack(named)
        try:
            result = vars(module)[name](*args, **kwargs)
            reply = {"result": pack(result), "arguments": [_again(each) for each in args]}
        except (Exception, SystemExit) as error:
            reply = {"raised": type(error).__name__, "text": str(error)[:500]}
        _send(answer, reply)


def _again(value: Any) -> Any:
    """An argument as it is after the call, where a function may have changed it in place."""
    if isinstance(value, list | dict | set | bytearray):
        with contextlib.suppress(NotPlain):
            return pack(value)
    return None


# --- the tests ------------------------------------------------------------------------------------------------------------


class Gone(BaseException):
    """The tested program ended instead of answering; not an Exception, so that no test takes it for one."""


def test(told: dict[str, Any], ask: int, answer: int, result: int) -> None:
    """Run tests against the served program, and tell on `result` how that went, with the caller's secret."""
    told_result = os.fdopen(result, "w")

    def verdict(**what: Any) -> None:
        told_result.write(json.dumps({"secret": told["secret"], **what}))
        told_result.flush()

    try:
        first = _receive(answer)
    except (EOFError, ValueError):
        return verdict(passed=False, reason="the program ended before its functions could be called")
    if "failed" in first:
        return verdict(passed=False, reason=first["failed"])
    module = types.ModuleType("tests")
    space = module.__dict__
    space.update({name: unpack(value) for name, value in first["values"].items()})
    for name in first["functions"]:
        space[name] = _stand_in(name, ask, answer)
    entry = told["entry_point"]
    if entry and entry not in first["functions"]:
        return verdict(passed=False, reason=f"there is no function {entry!r}")
    if entry:
        space["candidate"] = space[entry]
    try:
        tree = ast.parse(told["tests"], "<tests>")
    except SyntaxError as error:
        return verdict(passed=False, broken=f"the tests don't parse: {error}")
    try:
        exec(compile(tree, "<tests>", "exec"), space)
    except BaseException as error:
        return verdict(passed=False, reason=_where(error, told["tests"]))
    return verdict(passed=True)


def _stand_in(name: str, ask: int, answer: int) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        _send(ask, [name, pack(list(args)), pack(kwargs)])
        try:
            reply = _receive(answer)
        except (EOFError, ValueError, OSError):
            raise Gone(f"the program ended while {name} was called") from None
        if "raised" in reply:
            kind = getattr(builtins, str(reply["raised"]), None)
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                kind = RuntimeError
            try:
                error = kind(str(reply["text"]))
            except TypeError:  # UnicodeDecodeError and the like want more
                error = RuntimeError(f"{reply['raised']}: {reply['text']}")
            raise error
        for mine, theirs in zip(args, reply["arguments"], strict=False):
            if theirs is not None and isinstance(mine, list | dict | set | bytearray):
                changed = unpack(theirs)
                if isinstance(mine, dict | set):
                    mine.clear()
                    mine.update(changed)
                else:
                    mine[:] = changed
        return unpack(reply["result"])

    call.__name__ = call.__qualname__ = name
    return call


def _where(error: BaseException, tests: str) -> str:
    """The test that failed, in a line."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<tests>":
            line = trace.tb_lineno
        trace = trace.tb_next
    text = tests.splitlines()[line - 1].strip() if 0 < line <= len(tests.splitlines()) else ""
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"[:200]
    return f"{text[:200]} — {kind or 'fails'}" if text else kind or "an assertion fails"
