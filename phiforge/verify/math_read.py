"""Answer text to a tree: lists and alternatives, units, words and choices around the grammar of `math_parse`."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from phiforge.verify.math_lex import NotMath, Token, clean, tokenize
from phiforge.verify.math_parse import parse
from phiforge.verify.math_tree import REALS, Node, both_signs, is_name, letter, num
from phiforge.verify.math_units import split_unit

_CHOICE = re.compile(r"(?:(?i:option|choice|answer)\s+)?(?:\(\s*([A-Z])\s*\)|([A-Z])\s*[).:]?)")
_NAMED = re.compile(r"([A-Za-z]'{0,2}(?:\^\{-1\})?\s*\(\s*[a-z]\s*\))\s*=(?!=)")  # f(x) = ..., f^{-1}(x) = ...
_TEXT = re.compile(r"[\w\s.,;:'\"/()&#?!%$€£°+-]*")
_SEPARATORS = ("or", "and")


class Unreadable(Exception):
    """The text is empty, undefined, or neither an expression nor words."""


@lru_cache(maxsize=4096)
def read(text: str) -> Node:
    """The tree of an answer. Raises Unreadable, or TooLarge (see `math_lex`)."""
    cleaned = clean(text)
    if not cleaned:
        raise Unreadable
    named = _NAMED.match(cleaned)
    if named is not None:
        value = read(cleaned[named.end() :])
        return Node("rel", (Node("sym", (), re.sub(r"\s", "", named[1])), value), "=")
    tokens = tokenize(cleaned)
    try:
        items = [item for piece in _pieces(tokens[:-1]) for item in both_signs(_piece(piece, cleaned))]
    except NotMath:
        return _words(cleaned)
    if len(items) == 1:
        return items[0]
    either = all(item.op == "text" for item in items) and any(token[:2] == ("word", "or") for token in tokens)
    return Node("seq", tuple(items), "or" if either else "")


def normal(text: str) -> str:
    """The text with only that white space left which can change its meaning. Equal texts have equal answers."""
    return re.sub(r"\s+(?![A-Za-z0-9\\\s])|(?<![A-Za-z0-9])\s+", "", text.strip())


def _pieces(tokens: list[Token]) -> list[list[Token]]:
    """The tokens cut at the commas, `and` and `or` outside brackets."""
    pieces: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "symbol":
            if token.text in ("(", "[", "{", "\\{", "\\begin"):
                depth += 1
            elif token.text in (")", "]", "}", "\\}", "\\end"):
                depth -= 1
        separates = (
            token.text in ",;" if token.kind == "symbol" else token.kind == "word" and token.text in _SEPARATORS
        )
        if separates and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(token)
    # "3, 5, and 7" leaves an empty piece between comma and `and`; any other empty piece is an error of the writer.
    return [piece for i, piece in enumerate(pieces) if piece or i in (0, len(pieces) - 1)]


def _piece(tokens: list[Token], source: str) -> Node:
    """One item of a list: a choice letter, words, an amount with its unit, or an expression."""
    if not tokens:
        raise NotMath
    written = source[tokens[0].start : tokens[-1].end]
    if len(tokens) == 1 and tokens[0].kind == "text":
        written = tokens[0].text
    choice = _CHOICE.fullmatch(written)
    if choice is not None:
        return Node("sym", (), choice[1] or choice[2])
    if all(token.kind in ("word", "text") for token in tokens) and not any(_is_math(token) for token in tokens):
        return _words(" ".join(token.text for token in tokens))
    end = Token("end", "", tokens[-1].end, tokens[-1].end, False)
    unit = split_unit(tokens)
    if unit is not None:
        amount, (dimension, size, multiplier) = parse([*unit[0], end]), unit[1]
        if multiplier != 1:
            amount = Node("mul", (amount, num(multiplier)))
        return _quantity(amount, dimension, size)
    try:
        node = parse([*tokens, end])
    except NotMath:
        return _words(written)
    return _angle(node)


def _angle(node: Node) -> Node:
    """An answer in degrees is an amount of them, as with any unit; within an expression ° is a number, π/180."""
    if node.op == "rel" and node.value == "=":  # x = 35°
        return Node("rel", (node.args[0], _angle(node.args[1])), "=")
    return _quantity(node.args[0], {"degree": 1}, Fraction(1)) if node.op == "deg" else node


def _is_math(token: Token) -> bool:
    return len(token.text) == 1 or is_name(token.text)


def _quantity(amount: Node, dimension: dict[str, int], size: Fraction) -> Node:
    if amount.op == "rel" and amount.value == "=":  # x = 5 cm
        return Node("rel", (amount.args[0], _quantity(amount.args[1], dimension, size)), "=")
    name = "*".join(f"{base}^{power}" for base, power in sorted(dimension.items()) if power)
    return Node("quantity", (amount, num(size)), name) if name else amount


def _words(text: str) -> Node:
    """A text node: compared without case and punctuation. A word of two or three letters may also be a product (args)."""
    text = re.sub(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}|\\ ", r" \1 ", text).replace("\\!", "")
    value = re.sub(r"(?<=[^\W\d_])\.", "", text)  # p.m.
    value = " ".join(re.sub(r"[\"'.,;!?()\s]+", " ", value).split()).casefold()
    value = re.sub(r"^(?:an?|the) (?=\w{3})", "", value)
    if value in ("all real numbers", "all reals"):
        return REALS
    if not value or not _TEXT.fullmatch(text) or not re.search(r"[^\W\d_]{2}|\d:\d", text):
        raise Unreadable
    letters = tuple(letter(character) for character in text)
    return Node("text", (Node("mul", letters),) if text.isalpha() and len(text) < 4 else (), value)
