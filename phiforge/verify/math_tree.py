"""The tree an answer is read into, and the names it may hold."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from phiforge.verify.math_lex import NotMath


class Node(NamedTuple):
    """A node of an answer's tree.

    Scalars: num, sym, const (π e i ∞), add, mul, inv, neg, pow, fact, percent, deg, sign (± or ∓), call.
    The rest: tuple (value: its brackets), set, seq (a bare list: order does not count; value "or" between words), union,
    matrix (args: rows), rel (value: = != < <=), between (value: two of < <=), quantity (args: amount, size of the unit in
    base units; value: its dimension), text (value: the words; args: the product that a short word may also be).
    """

    op: str
    args: tuple[Node, ...] = ()
    value: str | Fraction = ""


SCALARS = {"num", "sym", "const", "add", "mul", "inv", "neg", "pow", "fact", "percent", "deg", "sign", "call"}
INFINITY = Node("const", (), "∞")
REALS = Node("tuple", (Node("neg", (INFINITY,)), INFINITY), "()")

# As written, and as the tree has it.
FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "sec": "sec", "csc": "csc", "cot": "cot", "tg": "tan", "ctg": "cot",
    "cosec": "csc", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsin": "arcsin", "arccos": "arccos",
    "arctan": "arctan", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "ln": "ln", "log": "log", "lg": "log10",
    "exp": "exp", "abs": "abs", "sqrt": "sqrt", "cbrt": "cbrt", "floor": "floor", "ceil": "ceil",
    "factorial": "factorial", "binom": "binom",
}  # fmt: skip
CONSTANTS = {"pi": "π", "e": "e", "i": "i", "infty": "∞", "infinity": "∞", "inf": "∞", "oo": "∞"}
GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta",
    "Theta", "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega", "ell",
}  # fmt: skip


def is_name(word: str) -> bool:
    """Whether a word has a meaning in mathematics."""
    return word in FUNCTIONS or word in CONSTANTS or word in GREEK


def num(value: int | Fraction) -> Node:
    """The node of a rational number."""
    return Node("num", (), Fraction(value))


def letter(name: str) -> Node:
    """The node of a one-letter name: e and i are constants."""
    return Node("const", (), name) if name in ("e", "i") else Node("sym", (), name)


def scalar(node: Node) -> Node:
    """The node itself. Raises NotMath if it is not a scalar."""
    if node.op not in SCALARS:
        raise NotMath
    return node


def symbols(node: Node) -> frozenset[str]:
    """The names of the symbols in a tree."""
    if node.op == "sym":
        return frozenset((str(node.value),))
    return frozenset[str]().union(*(symbols(arg) for arg in node.args))


def holds_infinity(node: Node) -> bool:
    """Whether ∞ occurs in a tree."""
    return node == INFINITY or any(holds_infinity(arg) for arg in node.args)


def both_signs(node: Node) -> list[Node]:
    """The one or two nodes that a node with ± or ∓ stands for. Raises NotMath for a second ±, which has two readings."""
    signs = _signs(node)
    if not signs:
        return [node]
    if len(signs) > 2 or (len(signs) == 2 and signs[0] == signs[1]):
        raise NotMath
    return [_resolved(node, "±"), _resolved(node, "∓")]


def _signs(node: Node) -> list[str]:
    own = [str(node.value)] if node.op == "sign" else []
    return own + [sign for arg in node.args for sign in _signs(arg)]


def _resolved(node: Node, plus: str) -> Node:
    """The node with the sign `plus` read as + and the other as -."""
    args = tuple(_resolved(arg, plus) for arg in node.args)
    if node.op != "sign":
        return Node(node.op, args, node.value)
    return args[0] if node.value == plus else Node("neg", args)
