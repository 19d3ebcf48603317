"""The grammar of a scalar: numbers, names, functions, powers, products and sums.

Ambiguities are settled once, the same way for both sides of a comparison, or refused:
- juxtaposition multiplies and binds as `*` does, so 1/2x is x/2; two numbers side by side are refused;
- e is Euler's number, i the imaginary unit; `log` without a base is neither ln nor log10;
- an unbracketed argument runs to the next +, - or function, and is refused before `/` or `(`: sin x/2 has two readings;
- an integer before a proper fraction is a mixed number: 1\\frac{4}{5} is 9/5.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from phiforge.verify.math_lex import Cursor, NotMath, Token, TooLarge
from phiforge.verify.math_tree import CONSTANTS, FUNCTIONS, GREEK, Node, is_name, letter, num, scalar

MAX_DEPTH = 40  # of nesting; about eight Python frames each

_ENCLOSED = {"\\lfloor": ("\\rfloor", "floor"), "\\lceil": ("\\rceil", "ceil")}
_BASES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen",
]  # fmt: skip
_INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}


class ScalarParser(Cursor):
    """Recursive descent, one method a rule, each leaving the cursor after what it read. All raise NotMath and TooLarge."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.depth = 0
        self.bars = 0  # open |...|

    def enclosed(self, opener: str) -> Node:
        """What an opening symbol begins: a scalar in brackets, or a collection (see `math_parse`)."""
        raise NotImplementedError

    def nested(self, rule: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooLarge
        node = rule()
        self.depth -= 1
        return node

    def sum(self) -> Node:
        terms = [self.product()]
        while self.sees("+", "-", "±", "∓"):
            terms.append(self.product(sign=self.take().text))
        return _joined("add", terms)

    def product(self, sign: str = "") -> Node:
        factors = [self.signed()]
        while True:
            if self.accept("*"):
                factors.append(self.signed())
            elif self.accept("/"):
                factors.append(Node("inv", (scalar(self.signed()),)))
            elif self.starts_factor() and (self.peek().kind != "number" or self.sees("!", ahead=-1)):
                factors.append(self.power())
            else:
                break
        return self.with_sign(sign, self.times(factors))

    def times(self, factors: list[Node]) -> Node:
        return _joined("mul", factors)

    def starts_factor(self) -> bool:
        token = self.peek()
        if token.kind == "symbol":
            if token.text == "|":
                return self.bars == 0
            command = token.text[0] == "\\" and token.text[1:].isalpha()
            return token.text in ("(", "[", "{") or (command and token.text not in ("\\rfloor", "\\rceil", "\\end"))
        return token.kind in ("number", "letters", "text") or (
            token.kind == "word" and token.text not in ("U", "and", "or")
        )

    def with_sign(self, sign: str, node: Node) -> Node:
        if sign in ("", "+"):
            return node
        return Node("neg", (scalar(node),)) if sign == "-" else Node("sign", (scalar(node),), sign)

    # --- factors

    def signed(self) -> Node:
        if self.sees("+", "-", "±", "∓"):
            sign = self.take().text
            if sign == "+" and self.accept("/"):
                self.expect("-")
                sign = "±"
            return self.with_sign(sign, self.nested(self.signed))
        return self.power()

    def power(self) -> Node:
        base = self.nested(self.postfix)
        if not self.accept("^", "**"):
            return base
        return Node("pow", (scalar(base), scalar(self.exponent())))

    def exponent(self) -> Node:
        if self.sees("+", "-"):
            return self.with_sign(self.take().text, self.nested(self.exponent))
        return self.nested(self.power)

    def postfix(self) -> Node:
        node = self.atom()
        if self.peek().kind != "symbol":
            return node
        if self.accept("!"):
            node = Node("fact", (scalar(node),))
            if self.sees("!"):
                raise NotMath  # the double factorial is another function
        if self.accept("%"):
            return Node("percent", (scalar(node),))
        if self.sees("^") and self.sees("{", ahead=1) and self.sees("°", ahead=2) and self.sees("}", ahead=3):
            self.at += 4
            return Node("deg", (scalar(node),))
        if self.sees("°") or (self.sees("^") and self.sees("°", ahead=1)):
            self.at += 1 if self.sees("°") else 2
            return Node("deg", (scalar(node),))
        return node

    def atom(self) -> Node:
        token = self.peek()
        if token.kind == "number":
            return self.number()
        if token.kind in ("word", "letters", "text"):
            return self.name(token)
        if token.kind == "digits":
            self.at += 1
            self.expect("_")
            return self.in_base(token.text)
        if token.kind == "end":
            raise NotMath
        self.at += 1
        match token.text:
            case "(" | "[" | "{" | "\\{" | "\\begin" | "\\mathbb" | "\\emptyset":
                return self.enclosed(token.text)
            case "|":
                self.bars += 1
                inner = self.nested(self.sum)
                self.bars -= 1
                self.expect("|")
                return _call("abs", inner)
            case "\\frac":
                numerator = self.argument()
                return Node("mul", (numerator, Node("inv", (self.argument(),))))
            case "\\binom":
                return _call("binom", self.argument(), self.argument())
            case "\\sqrt":
                if not self.accept("["):
                    return _call("sqrt", self.argument(digits=False))
                index = self.nested(self.sum)
                self.expect("]")
                return _call("root", self.argument(digits=False), index)
            case "\\lfloor" | "\\lceil":
                closer, function = _ENCLOSED[token.text]
                inner = self.nested(self.sum)
                self.expect(closer)
                return _call(function, inner)
            case _:
                if token.text[0] != "\\" or len(token.text) < 2:
                    raise NotMath
                return self.known(token.text[1:])

    def number(self) -> Node:
        token = self.take()
        value = _decimal(token.text)
        if self.peek().kind not in ("symbol", "number"):
            return num(value)
        if self.accept("\\overline"):
            return num(value + self.repetend(token.text))
        if self.accept("_"):
            return self.in_base(token.text)
        if token.text.isdigit():
            before = self.at, self.depth
            proper = self.proper_fraction()
            if proper is not None:
                return num(value + proper)
            self.at, self.depth = before
        return num(value)

    def in_base(self, digits: str) -> Node:
        """The number that these digits are in the base that follows: 52_8, 52_{\\text{eight}}."""
        braced = self.sees("{") and self.sees("}", ahead=2)
        word = self.peek(1 if braced else 0)
        if word.text in _BASES:
            base = Fraction(_BASES.index(word.text))
            self.at += 3 if braced else 1
        else:
            base = self.argument(digits=False).value
        if not isinstance(base, Fraction) or not digits.isalnum():
            raise NotMath
        try:
            return num(int(digits, int(base)))
        except ValueError:
            raise NotMath from None

    def repetend(self, written: str) -> Fraction:
        """The value that the digits under a bar add to the decimal before them: 0.1\\overline{6}."""
        group = self.accept("{")
        digits = self.take()
        if group:
            self.expect("}")
        if digits.kind != "number" or not digits.text.isdigit() or "." not in written:
            raise NotMath
        decimals = len(written) - written.index(".") - 1
        return Fraction(int(digits.text), (10 ** len(digits.text) - 1) * 10**decimals)

    def proper_fraction(self) -> Fraction | None:
        """The fraction part of a mixed number, if one follows: \\frac{4}{5}, or 4/5 after a space."""
        if self.accept("\\frac"):
            try:
                parts = self.argument(), self.argument()
            except NotMath:
                return None
        elif self.peek().spaced and [self.peek(k).kind for k in (0, 2)] == ["number"] * 2 and self.sees("/", ahead=1):
            parts = num(_decimal(self.peek().text)), num(_decimal(self.peek(2).text))
            self.at += 3
        else:
            return None
        top, bottom = parts[0].value, parts[1].value
        raised = self.sees("^") and not self.sees("°", ahead=2 if self.sees("{", ahead=1) else 1)
        if not isinstance(top, Fraction) or not isinstance(bottom, Fraction) or raised or self.sees("!"):
            return None
        return top / bottom if 0 < top < bottom and top.denominator == bottom.denominator == 1 else None

    def argument(self, digits: bool = True) -> Node:
        """The argument of a command: a group, or one token; of a number only its first digit, as TeX reads it, if `digits`."""
        token = self.peek()
        if token.kind == "number" and digits:
            return num(_decimal(self.split(1)))
        if token.kind in ("word", "letters"):
            return letter(self.split(1)) if token.text not in CONSTANTS else self.name(token)
        if self.accept("{"):
            inner = self.nested(self.sum)
            self.expect("}")
            return scalar(inner)
        return scalar(self.nested(self.atom))

    def name(self, token: Token) -> Node:
        """A letter, a known name, or the first letter of a short word that stands for a product."""
        if is_name(token.text) and token.kind != "letters":
            self.at += 1
            return self.known(token.text)
        longest = {"word": 3, "letters": 2, "text": 1}[token.kind]
        if len(token.text) > longest or token.text in ("or", "and"):
            raise NotMath
        return self.subscripted(self.split(1))

    def known(self, name: str) -> Node:
        if name in FUNCTIONS:
            return self.function(FUNCTIONS[name])
        if name in CONSTANTS:
            return Node("const", (), CONSTANTS[name])
        if name in GREEK:
            return self.subscripted("\\" + name)
        if name == "angle" and self.peek().kind in ("word", "letters"):
            return Node("sym", (), f"∠{self.take().text}")
        raise NotMath

    def subscripted(self, name: str) -> Node:
        if not self.accept("_"):
            return letter(name)
        group = self.accept("{")
        index = self.take()
        if index.kind not in ("number", "word", "letters", "text"):
            raise NotMath
        written = index.text
        while group and not self.accept("}"):  # a_{n+1}
            written += self.take().text
        return Node("sym", (), f"{name}_{written}")

    def function(self, name: str) -> Node:
        exponent = base = None
        if name == "log" and self.accept("_"):
            base = self.argument(digits=False)
        if self.accept("^"):
            exponent = self.exponent()
            if exponent == Node("neg", (num(1),)):
                if name not in _INVERSE:
                    raise NotMath
                name, exponent = _INVERSE[name], None
        if self.sees("(", "[", "{"):
            inside = self.nested(self.atom)
            arguments = inside.args if inside.op == "tuple" else (inside,)
        else:
            factors = [self.nested(self.power)]
            while self.starts_factor() and not self.sees("(", "["):
                if self.peek().kind == "number" or self.peek().text.lstrip("\\") in FUNCTIONS:
                    break
                factors.append(self.power())
            if self.sees("(", "[") or (self.sees("/") and self.peek(1).text.lstrip("\\") not in FUNCTIONS):
                raise NotMath
            arguments = (_joined("mul", factors),)
        if len(arguments) != (2 if name == "binom" else 1):
            raise NotMath
        node = _call(name, *arguments) if base is None else _call("log", *arguments, base)
        return node if exponent is None else Node("pow", (node, exponent))


def _joined(op: str, parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Node(op, tuple(scalar(part) for part in parts))


def _call(name: str, *args: Node) -> Node:
    return Node("call", tuple(scalar(arg) for arg in args), name)


def _decimal(text: str) -> Fraction:
    """The exact value of a decimal literal. Raises TooLarge for an exponent over 9999."""
    if text.isdecimal():
        return Fraction(int(text))
    mantissa, _, exponent = text.lower().partition("e")
    if len(exponent) > 5:
        raise TooLarge
    value = Fraction(mantissa + ("0" if mantissa.endswith(".") else ""))
    return value * Fraction(10) ** int(exponent) if exponent else value
