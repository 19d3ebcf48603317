"""Whether two answer trees mean the same. Structure is settled here; scalars are handed to a judge (`Exact`, `Symbolic`).

The rules, for both sides alike:
- a bare list and a set are unordered; tuples are ordered and keep their brackets; a set of one is its element;
- x = 5 agrees with 5, and so does 2 + 3 = 5; two equations agree when one is a constant multiple of the other;
- x > 5, (5, ∞) and 5 < x agree; (1, 2) is one thing whether it is meant as point or as interval;
- 12 cm agrees with 12 and with 0.12 m, not with 12 m; $12 with 12 and with 1200 cents;
- (x, y) = (1, 2) agrees with (1, 2), and so does x = 1, y = 2;
- 50% is 1/2. It agrees with 50 only where `percent_unit` says that percent is the unit asked for;
- words agree without case and punctuation.

So agreement is not quite transitive: 12 agrees with 12 cm and 12 kg.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from phiforge.verify.math_exact import Undecided, Undefined, Unproven
from phiforge.verify.math_lex import TooLarge
from phiforge.verify.math_read import Unreadable, read
from phiforge.verify.math_tree import INFINITY, SCALARS, Node, symbols

EQUAL = "equal"
DIFFERS = "differs"
UNPROVEN = "not proven equal"  # agrees numerically, as far as that goes
UNREADABLE = "cannot be read"
TOO_LARGE = "too large"

MAX_ITEMS = 50  # of an unordered collection: matching is quadratic


class Judge(Protocol):
    """Decides about scalars; may raise Undecided, Unproven, Undefined or TooLarge."""

    def equal(self, a: Node, b: Node) -> bool: ...

    def proportional(self, a: Node, b: Node, positive: bool) -> bool: ...


def decide(a: str, b: str, judge: Judge, percent_unit: bool = False) -> str:
    """What a comparison of two answers comes to: one of the reasons above. Raises Undecided if the judge does."""
    try:
        return EQUAL if same(read(a), read(b), judge, percent_unit) else DIFFERS
    except (Unreadable, Undefined):
        return UNREADABLE
    except Unproven:
        return UNPROVEN
    except (TooLarge, RecursionError, MemoryError):
        return TOO_LARGE


def same(a: Node, b: Node, judge: Judge, percent_unit: bool = False) -> bool:
    """Whether two answers mean the same. Raises what the judge raises, and TooLarge."""
    if a == b:
        return True
    if percent_unit and (a.op == "percent" or b.op == "percent"):
        bare = [node.args[0] if node.op == "percent" else node for node in (a, b)]
        return same(a, b, judge) or same(bare[0], bare[1], judge)
    if a.op in SCALARS and b.op in SCALARS:
        return judge.equal(a, b)
    if a.op == "text" or b.op == "text":
        return _same_text(a, b, judge)
    if "union" in (a.op, b.op) or "between" in (a.op, b.op) or _is_inequality(a) or _is_inequality(b):
        return _same_region(a, b, judge)
    if {a.op, b.op} == {"seq", "tuple"}:
        return _same_values(a, b, judge)
    if {a.op, b.op} <= {"seq", "set"}:
        return _same_items(a, b, judge)
    if a.op == b.op and a.op in ("tuple", "matrix") and a.value == b.value:
        return _all_same(a.args, b.args, judge)
    if a.op == "rel" or b.op == "rel":
        return _same_equation(a, b, judge)
    if a.op == "quantity" or b.op == "quantity":
        return _same_quantity(a, b, judge)
    return False


def _all_same(a: Sequence[Node], b: Sequence[Node], judge: Judge) -> bool:
    """Item by item. One pair that differs decides, even where another is undecided."""
    if len(a) != len(b):
        return False
    doubt = None
    for x, y in zip(a, b, strict=True):
        try:
            if not same(x, y, judge):
                return False
        except (Undecided, Unproven) as error:
            doubt = error
    if doubt is not None:
        raise doubt
    return True


def _matched(a: Sequence[Node], b: Sequence[Node], judge: Judge) -> bool:
    if len(a) != len(b):
        return False
    if len(a) > MAX_ITEMS:
        raise TooLarge
    rest = list(b)
    for x in a:
        found = rest.index(x) if x in rest else next((i for i, y in enumerate(rest) if same(x, y, judge)), None)
        if found is None:
            return False
        del rest[found]
    return True


def _same_items(a: Node, b: Node, judge: Judge) -> bool:
    if a.value != b.value:
        return False  # Ana or Ben is not Ana and Ben; of numbers, both words only list
    names = [[_named(item)[0] for item in node.args if item.op == "rel"] for node in (a, b)]
    for mine, other in ((0, 1), (1, 0)):
        if len(set(names[mine])) > 1 and len(names[other]) < len(names[mine]):
            return False  # x = 1, y = 2 is not the unordered pair 2, 1
    sides = [_distinct(node.args, judge) if "set" in (a.op, b.op) else node.args for node in (a, b)]
    return _matched(sides[0], sides[1], judge)


def _same_values(a: Node, b: Node, judge: Judge) -> bool:
    """x = 7, y = -3 and (7, -3): the names in the order of the alphabet."""
    listed, point = (a, b) if a.op == "seq" else (b, a)
    named = [_named(item) for item in listed.args]
    names = [name for name, _ in named]
    values = [value for name, value in named if name and value is not None]
    if point.value != "()" or len(values) < len(names) or names != sorted(set(names)):
        return False
    return _all_same(values, point.args, judge) if listed is a else _all_same(point.args, values, judge)


def _distinct(items: Sequence[Node], judge: Judge) -> list[Node]:
    if len(items) > MAX_ITEMS:
        raise TooLarge
    kept: list[Node] = []
    for item in items:
        if not any(same(item, other, judge) for other in kept):
            kept.append(item)
    return kept


def _same_text(a: Node, b: Node, judge: Judge) -> bool:
    if a.op == b.op:
        return a.value == b.value
    x, y = (node.args[0] if node.op == "text" and node.args else node for node in (a, b))
    return x.op in SCALARS and y.op in SCALARS and judge.equal(x, y)


def _same_quantity(a: Node, b: Node, judge: Judge) -> bool:
    if a.op == b.op:
        scaled = [Node("mul", node.args) for node in (a, b)]
        return a.value == b.value and judge.equal(scaled[0], scaled[1])
    x, y = (node.args[0] if node.op == "quantity" else node for node in (a, b))
    return x.op in SCALARS and y.op in SCALARS and judge.equal(x, y)


# --- equations, inequalities, intervals


def _named(node: Node) -> tuple[str, Node | None]:
    """The name and value of an equation that gives something a value: x = 5, 5 = x, f(x) = 2x, (x, y) = (1, 2)."""
    if node.op == "rel" and node.value == "=":
        for name, value in (node.args, node.args[::-1]):
            if name.op == "sym" and name.value not in symbols(value):
                return str(name.value), value
            point = name.op == value.op == "tuple" and len(name.args) == len(value.args)
            if point and all(arg.op == "sym" for arg in name.args) and not symbols(name) & symbols(value):
                return ",".join(str(arg.value) for arg in name.args), value
    return "", None


def _same_equation(a: Node, b: Node, judge: Judge) -> bool:
    if a.op == b.op == "rel":
        if a.value != b.value:
            return False
        (first, x), (second, y) = _named(a), _named(b)
        if first == second and x is not None and y is not None and same(x, y, judge):
            return True
        if any(side.op not in SCALARS for node in (a, b) for side in node.args):
            return False
        zeros = [Node("add", (node.args[0], Node("neg", (node.args[1],)))) for node in (a, b)]
        return judge.proportional(zeros[0], zeros[1], positive=a.value in ("<", "<="))
    equation, other = (a, b) if a.op == "rel" else (b, a)
    if equation.value != "=":
        return False
    value = _named(equation)[1]
    if value is None and not symbols(equation) and same(equation.args[0], equation.args[1], judge):
        value = equation.args[1]  # 2 + 3 = 5 says 5
    if value is None:
        return False
    return same(value, other, judge) if equation is a else same(other, value, judge)


def _is_inequality(node: Node) -> bool:
    if node.op == "seq":
        return all(_is_inequality(item) or item.op == "between" for item in node.args)
    return node.op == "rel" and node.value != "="


def _same_region(a: Node, b: Node, judge: Judge) -> bool:
    xs, ys = _intervals(a), _intervals(b)
    if xs is not None and ys is not None:
        names = [{name for name, _ in side if name} for side in (xs, ys)]
        if any(len(side) > 1 for side in names) or (names[0] and names[1] and names[0] != names[1]):
            return a.op == b.op == "seq" and _matched(a.args, b.args, judge)
        return _matched([x for _, x in xs], [y for _, y in ys], judge)
    if a.op == b.op == "rel":
        return _same_equation(a, b, judge)
    if a.op == b.op == "between":
        return a.value == b.value and _all_same(a.args, b.args, judge)
    return a.op == b.op == "seq" and _matched(a.args, b.args, judge)


def _intervals(node: Node) -> list[tuple[str, Node]] | None:
    """The intervals a region of one variable is made of, each with the variable's name if it has one; None for any other."""
    minus_infinity = Node("neg", (INFINITY,))
    match node.op:
        case "tuple" if len(node.args) == 2:
            return [("", node)]
        case "union" | "seq":
            found: list[tuple[str, Node]] = []
            for part in node.args:
                intervals = _intervals(part)
                if intervals is None:
                    return None
                found += intervals
            return found
        case "between" if node.args[1].op == "sym":
            low, name, high = node.args
            brackets = {"<": "()", "<=": "[]"}
            left, right = str(node.value).split()
            return [(str(name.value), Node("tuple", (low, high), brackets[left][0] + brackets[right][1]))]
        case "rel" if node.value != "=":
            low, high = node.args
            if (low.op == "sym") == (high.op == "sym"):
                return None
            name, bound, below = (low, high, True) if low.op == "sym" else (high, low, False)
            if symbols(bound) & symbols(name):
                return None
            closed = node.value == "<="
            under = Node("tuple", (minus_infinity, bound), "(]" if closed else "()")
            over = Node("tuple", (bound, INFINITY), "[)" if closed else "()")
            sides = (under, over) if node.value == "!=" else (under,) if below else (over,)
            return [(str(name.value), side) for side in sides]
        case _:
            return None
