"""A small interpreter of Python's syntax tree that says what happens: it predicts what our generated programs print.

It knows the part of Python that the programs use, and none of it is left to Python's own `exec`: assignments, loops, functions
with closures and defaults, comprehensions, exceptions, plain classes. A construct it doesn't know is a NotImplementedError.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

_MOST_STEPS = 3000

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
_COMPARE: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_BUILTINS = {
    f.__name__: f
    for f in (len, range, sum, max, min, sorted, abs, str, int, list, dict, set, tuple, enumerate, zip, reversed, any, all, bool, divmod, ord, chr, float,
              ValueError, KeyError, IndexError, ZeroDivisionError, TypeError, round, map, filter, isinstance)
}  # fmt: skip


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Scope:
    """Variables of one function call, or of the module, and the scope around it."""

    def __init__(self, around: _Scope | None = None) -> None:
        self.around, self.values, self.outer = around, {}, set()

    def find(self, name: str) -> _Scope | None:
        if name in self.values and name not in self.outer:
            return self
        return self.around.find(name) if self.around else None


class _Function:
    """A function of the program; builtins can call it too."""

    def __init__(self, tracer: Tracer, node: ast.FunctionDef | ast.Lambda, scope: _Scope) -> None:
        self.tracer, self.node, self.scope = tracer, node, scope
        self.defaults = [tracer.value(each, scope) for each in node.args.defaults]  # once, as Python does

    def __call__(self, *args: Any) -> Any:
        node, tracer = self.node, self.tracer
        scope, names = _Scope(self.scope), [arg.arg for arg in node.args.args]
        given = dict(zip(names, args, strict=False))
        for name, default in zip(names[len(names) - len(self.defaults) :], self.defaults, strict=True):
            given.setdefault(name, default)
        if len(args) > len(names) or len(given) < len(names):
            raise TypeError("the number of arguments is wrong")
        scope.values.update(given)
        if isinstance(node, ast.Lambda):
            return tracer.value(node.body, scope)
        shown = ", ".join(repr(each) for each in args if not isinstance(each, _Object))
        result = None
        tracer.depth += 1
        try:
            tracer.block(node.body, scope)
        except _Return as returned:
            result = returned.value
        finally:
            tracer.depth -= 1
        if node.name != "__init__" and result is not None and not isinstance(result, _Function):
            tracer.say(f"{node.name}({shown}) returns {result!r}", always=True)
        return result


class _Class:
    def __init__(self, name: str, methods: dict[str, _Function], base: _Class | None) -> None:
        self.name, self.methods, self.base = name, methods, base

    def method(self, name: str) -> _Function | None:
        return self.methods.get(name) or (self.base.method(name) if self.base else None)

    def __call__(self, *args: Any) -> _Object:
        made = _Object(self)
        if begin := self.method("__init__"):
            begin(made, *args)
        return made


class _Object:
    def __init__(self, kind: _Class) -> None:
        self.kind, self.fields = kind, {}


class Tracer:
    """Runs a program; afterwards `printed` are its lines, and `said` what happened: (line of the top level, words)."""

    def __init__(self, program: str) -> None:
        self.printed: list[str] = []
        self.said: list[tuple[int, str]] = []
        self.depth = self.steps = self.line = 0
        self.scope = _Scope()
        for node in ast.parse(program).body:
            self.line = node.lineno
            self.statement(node, self.scope)

    def say(self, words: str, always: bool = False) -> None:
        if self.depth == 0 or always:
            self.said.append((self.line, words))

    def block(self, body: list[ast.stmt], scope: _Scope) -> None:
        for node in body:
            self.statement(node, scope)

    # --- statements ----------------------------------------------------------------------------------------------

    def statement(self, node: ast.stmt, scope: _Scope) -> None:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise RuntimeError("the program runs too long")
        match node:
            case ast.Assign(targets=[target]):
                self.assign(target, self.value(node.value, scope), scope)
            case ast.AugAssign(target=target, op=op):
                old = self.value(target, scope)
                new = self.value(node.value, scope)
                if isinstance(old, list) and isinstance(op, ast.Add):
                    old.extend(new)  # in place, as Python does
                    self.assign(target, old, scope)
                else:
                    self.assign(target, _BINARY[type(op)](old, new), scope)
            case ast.Expr(value=value):
                self.expression(value, scope)
            case ast.If():
                self.block(node.body if self.value(node.test, scope) else node.orelse, scope)
            case ast.For():
                self.loop(node, scope)
            case ast.While():
                try:
                    while self.value(node.test, scope):
                        try:
                            self.block(node.body, scope)
                        except _Continue:
                            continue
                    self.block(node.orelse, scope)
                except _Break:
                    self.say("the loop is left")
            case ast.FunctionDef():
                scope.values[node.name] = _Function(self, node, scope)
            case ast.ClassDef():
                methods = {
                    each.name: _Function(self, each, scope) for each in node.body if isinstance(each, ast.FunctionDef)
                }
                scope.values[node.name] = _Class(
                    node.name, methods, self.value(node.bases[0], scope) if node.bases else None
                )
            case ast.Return():
                raise _Return(self.value(node.value, scope) if node.value else None)
            case ast.Try():
                self.attempt(node, scope)
            case ast.Raise(exc=raised) if raised is not None:
                raise self.value(raised, scope)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                scope.outer.update(names)
            case ast.Delete(targets=[ast.Subscript(value=holder, slice=index)]):
                del self.value(holder, scope)[self.value(index, scope)]
            case ast.Break():
                raise _Break
            case ast.Continue():
                raise _Continue
            case ast.Pass():
                pass
            case _:
                raise NotImplementedError(ast.dump(node)[:80])

    def assign(self, target: ast.expr, value: Any, scope: _Scope) -> None:
        match target:
            case ast.Name(id=name):
                if name in scope.outer and (found := scope.around and scope.around.find(name)):
                    found.values[name] = value
                else:
                    scope.values[name] = value
                if not isinstance(value, _Function | _Object):
                    self.say(f"{name} = {value!r}")
            case ast.Tuple(elts=parts):
                for part, each in zip(parts, list(value), strict=True):
                    self.assign(part, each, scope)
            case ast.Subscript(value=holder, slice=index):
                held = self.value(holder, scope)
                held[self.value(index, scope)] = value
                self.say(f"{ast.unparse(holder).partition('[')[0]} is now {self.value(_root(holder), scope)!r}")
            case ast.Attribute(value=holder, attr=name):
                self.value(holder, scope).fields[name] = value
            case _:
                raise NotImplementedError(ast.dump(target)[:80])

    def loop(self, node: ast.For, scope: _Scope) -> None:
        try:
            for each in self.value(node.iter, scope):
                self.assign(node.target, each, scope)
                try:
                    self.block(node.body, scope)
                except _Continue:
                    continue
            self.block(node.orelse, scope)
        except _Break:
            self.say("the loop is left")

    def attempt(self, node: ast.Try, scope: _Scope) -> None:
        try:
            try:
                self.block(node.body, scope)
            except (_Return, _Break, _Continue, NotImplementedError, RuntimeError):
                raise
            except Exception as error:
                for handler in node.handlers:
                    if handler.type is None or isinstance(error, self.value(handler.type, scope)):
                        self.say(f"a {type(error).__name__} is raised and caught")
                        self.block(handler.body, scope)
                        break
                else:
                    raise
            else:
                self.block(node.orelse, scope)
        finally:
            self.block(node.finalbody, scope)

    def expression(self, node: ast.expr, scope: _Scope) -> None:
        """A call on its own: something is printed, or something is changed in place."""
        match node:
            case ast.Call(func=ast.Name(id="print"), args=args):
                separator = next((self.value(k.value, scope) for k in node.keywords if k.arg == "sep"), " ")
                line = separator.join(str(each) for each in self.values(args, scope))
                self.printed.append(line)
                self.say(f"it prints {line}", always=True)
            case ast.Call(func=ast.Attribute(value=holder)):
                self.value(node, scope)
                held = self.value(holder, scope) if isinstance(holder, ast.Name) else None
                if isinstance(held, list | dict | set):
                    self.say(f"{ast.unparse(holder)} is now {held!r}")
            case _:
                self.value(node, scope)

    # --- values --------------------------------------------------------------------------------------------------

    def values(self, nodes: list[ast.expr], scope: _Scope) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found.extend(self.value(node.value, scope))
            else:
                found.append(self.value(node, scope))
        return found

    def value(self, node: ast.expr, scope: _Scope) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                found = scope.find(name)
                return found.values[name] if found else _BUILTINS[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self.value(left, scope), self.value(right, scope))
            case ast.UnaryOp(op=op, operand=operand):
                inner = self.value(operand, scope)
                return not inner if isinstance(op, ast.Not) else -inner
            case ast.BoolOp(op=op, values=values):
                result = None
                for each in values:
                    result = self.value(each, scope)
                    if bool(result) is isinstance(op, ast.Or):
                        break
                return result
            case ast.Compare(left=left, ops=ops, comparators=others):
                one = self.value(left, scope)
                for op, other in zip(ops, others, strict=True):
                    two = self.value(other, scope)
                    if not _COMPARE[type(op)](one, two):
                        return False
                    one = two
                return True
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test, scope) else orelse, scope)
            case ast.List(elts=parts):
                return self.values(parts, scope)
            case ast.Tuple(elts=parts):
                return tuple(self.values(parts, scope))
            case ast.Set(elts=parts):
                return set(self.values(parts, scope))
            case ast.Dict(keys=keys, values=values):
                return {self.value(k, scope): self.value(v, scope) for k, v in zip(keys, values, strict=True) if k}
            case ast.Subscript(value=holder, slice=index):
                return self.value(holder, scope)[self.value(index, scope)]
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(self.value(part, scope) if part else None for part in (lower, upper, step)))
            case ast.JoinedStr(values=parts):
                return "".join(
                    str(self.value(part.value if isinstance(part, ast.FormattedValue) else part, scope))
                    for part in parts
                )
            case ast.Lambda():
                return _Function(self, node, scope)
            case ast.ListComp(elt=element, generators=generators):
                return self.comprehended(element, generators, _Scope(scope))
            case ast.GeneratorExp(elt=element, generators=generators):
                return iter(self.comprehended(element, generators, _Scope(scope)))
            case ast.SetComp(elt=element, generators=generators):
                return set(self.comprehended(element, generators, _Scope(scope)))
            case ast.DictComp(key=key, value=value, generators=generators):
                return dict(self.comprehended(ast.Tuple([key, value]), generators, _Scope(scope)))
            case ast.Attribute(value=holder, attr=name):
                return self.attribute(self.value(holder, scope), name)
            case ast.Call():
                function = self.value(node.func, scope)
                return function(
                    *self.values(node.args, scope),
                    **{k.arg: self.value(k.value, scope) for k in node.keywords if k.arg},
                )
            case _:
                raise NotImplementedError(ast.dump(node)[:80])

    def attribute(self, held: Any, name: str) -> Any:
        if not isinstance(held, _Object):
            return getattr(held, name)
        if name in held.fields:
            return held.fields[name]
        method = held.kind.method(name)
        if method is None:
            raise AttributeError(name)
        return lambda *args: method(held, *args)

    def comprehended(self, element: ast.expr, generators: list[ast.comprehension], scope: _Scope) -> list[Any]:
        if not generators:
            return [self.value(element, scope)]
        first, *rest = generators
        found: list[Any] = []
        self.depth += 1  # its variables are nobody's business
        for each in self.value(first.iter, scope):
            self.assign(first.target, each, scope)
            if all(self.value(test, scope) for test in first.ifs):
                found.extend(self.comprehended(element, rest, scope))
        self.depth -= 1
        return found


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Subscript):
        node = node.value
    return node
