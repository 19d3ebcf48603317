"""Answer text to tokens: LaTeX, Unicode and plain notation brought to one alphabet.

Nothing here understands mathematics, and nothing is ever evaluated as code. Every pattern is linear in the text, and
a text over `MAX_CHARS` is refused before it is looked at.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_CHARS = 5_000  # of one answer; the longest in MATH has about 200
MAX_DIGITS = 4_000  # of one number; Python refuses to read more than 4,300


class TooLarge(Exception):
    """The answer is well formed, perhaps, but deciding about it exactly would cost too much."""


class NotMath(Exception):
    """The text is not an expression of the grammar in `math_parse`."""


class Token(NamedTuple):
    kind: str  # number, digits (of a base over ten), word, letters (rest of a word, a product), text (\text{...}), symbol, end
    text: str
    start: int  # offsets into the cleaned text
    end: int
    spaced: bool  # white space stands before it


CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen"}
_LATEX_DOLLAR = "\ue000"  # stands for \$ while the delimiters $...$ are taken away

_UNICODE = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "⁄": "/", "∕": "/",
        "≤": "<=", "≥": ">=", "≠": "!=", "º": "°", "％": "%", "，": ",", "（": "(", "）": ")", "∣": "|",
        "√": "\\sqrt ", "∞": "\\infty ", "∅": "\\emptyset ", "π": "\\pi ", "θ": "\\theta ", "α": "\\alpha ",
        "β": "\\beta ", "γ": "\\gamma ", "λ": "\\lambda ", "μ": "\\mu ", "φ": "\\phi ", "ω": "\\omega ", "σ": "\\sigma ",
        "⁰": "^0", "¹": "^1", "²": "^2", "³": "^3", "⁴": "^4", "⁵": "^5", "⁶": "^6", "⁷": "^7", "⁸": "^8", "⁹": "^9",
        "½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4", "ℝ": "\\mathbb{R}",
        "“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip

# Commands that are another way to write a symbol, and commands that only space or size what follows.
_SAME_AS = {
    "\\cdot": "*", "\\times": "*", "\\ast": "*", "\\div": "/", "\\le": "<=", "\\leq": "<=", "\\leqslant": "<=",
    "\\ge": ">=", "\\geq": ">=", "\\geqslant": ">=", "\\lt": "<", "\\gt": ">", "\\ne": "!=", "\\neq": "!=",
    "\\pm": "±", "\\mp": "∓", "\\cup": "∪", "\\in": "∈", "\\circ": "°", "\\degree": "°", "\\%": "%", "\\lbrace": "\\{",
    "\\rbrace": "\\}", "\\lvert": "|", "\\rvert": "|", "\\vert": "|", "\\mid": "|", "\\approx": "≈", "\\simeq": "≈",
    "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\cfrac": "\\frac", "\\dbinom": "\\binom", "\\varnothing": "\\emptyset",
    "\\land": "and", "\\wedge": "and", "\\lor": "or", "\\vee": "or", "\\euro": "€", "\\pounds": "£", "\\bar": "\\overline",
    "\\lbrack": "[", "\\rbrack": "]", "\\to": "\\rightarrow", "\\thinspace": "\\,", "\\varphi": "\\phi",
}  # fmt: skip
_PREFIX = {"over": "frac", "choose": "binom"}  # TeX's infix commands
_SILENT = {
    "\\left", "\\right", "\\big", "\\Big", "\\bigg", "\\Bigg", "\\bigl", "\\bigr", "\\Bigl", "\\Bigr", "\\displaystyle",
    "\\textstyle", "\\limits", "\\quad", "\\qquad", "\\,", "\\;", "\\:", "\\!", "\\ ", "\\/", "\\rm", "\\bf", "\\it",
}  # fmt: skip

_PATTERN = r"""
  (?P<space>[\s~]+)
| (?P<digits>(?=[A-F]*\d)(?=\d*[A-F])[0-9A-F]+(?=_\{?1[1-6]\}?(?!\d)))
| (?P<number>GROUPED(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
| (?P<text>\\(?:text|textbf|textit|textrm|textsf|mathrm|mathbf|mathit|mathsf|mbox|hbox|operatorname\*?)\s*\{[^{}]*\})
| (?P<command>\\(?:[A-Za-z]+|.))
| (?P<word>[^\W\d_]+)
| (?P<symbol>\*\*|<=|>=|!=|.)
"""
_INSIDE = re.compile(_PATTERN.replace("GROUPED", ""), re.X | re.S)
_OUTSIDE = re.compile(_PATTERN.replace("GROUPED", r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|"), re.X | re.S)

_SILENT_COMMA = re.compile(r"(?<=\d)(?:,\\!|\{,\})\s*(?=\d{3})|(?<=\d)\\,(?=\d{3}(?!\d))")
_INFIX = re.compile(r"\{([^{}]*)\\(over|choose)\b([^{}]*)\}")
_DECORATION = re.compile(
    r"\\(?:text)?color\s*\{\w+\}|(?<=\\\\)\s*\[[^\[\]]{1,9}(?:mm|cm|ex|em|pt|in)\]|\bm(?=\\angle\b)"
)
_QUOTED = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*(?:[\d,]|\b(?:and|or)\b)[^{}]*)\}\.?"
)
_DELIMITED = re.compile(r"\$(?=\S)([^$]*?)(?<=\S)\$(?!\d)")
_TEMPERATURE = re.compile(r"(?:\^\s*)?(?:\{\s*\\circ\s*\}|\\circ|°)\s*(?:\\(?:text|mathrm)\s*\{\s*)?([CF])\b\s*\}?")


def clean(text: str) -> str:
    """The text without what surrounds an answer: maths delimiters, Markdown emphasis, end punctuation.

    Raises TooLarge over `MAX_CHARS`.
    """
    if len(text) > MAX_CHARS:
        raise TooLarge
    text = text.strip()
    if not text.isascii():
        text = text.translate(_UNICODE)
    if "\\" in text:
        text = _DECORATION.sub("", text).replace("\\$", _LATEX_DOLLAR)
        for delimiter in ("\\(", "\\)", "\\[", "\\]"):
            text = text.replace(delimiter, " ")
    if "\\" in text or "{,}" in text:
        text = _SILENT_COMMA.sub("", text)
    if "$$" in text:
        text = text.replace("$$", " ")
    if text.count("$") > 1:
        text = _DELIMITED.sub(r"\1", text)
    text = text.replace(_LATEX_DOLLAR, "$")
    if "\\over" in text or "\\choose" in text:
        text = _INFIX.sub(lambda found: f"\\{_PREFIX[found[2]]}{{{found[1]}}}{{{found[3]}}}", text)
    quoted = _QUOTED.fullmatch(text.strip()) if "{" in text else None
    if quoted is not None:
        text = quoted[1]
    if "\\circ" in text or "°" in text:
        text = _TEMPERATURE.sub(r" \\text{°\1}", text)
    return text.strip().strip("*").lstrip(":= ").rstrip(".,;: \n").strip()


def tokenize(text: str) -> list[Token]:
    """The tokens of a cleaned text, closed by one of kind `end`. Raises TooLarge for a number over `MAX_DIGITS`.

    A comma before three digits groups thousands at top level and separates items inside brackets: 1,234 is a number,
    (1,234) a point.
    """
    tokens: list[Token] = []
    depth = 0
    position = 0
    spaced = False
    while position < len(text):
        match = (_INSIDE if depth else _OUTSIDE).match(text, position)
        assert match is not None  # the last alternative takes any character
        kind, piece = match.lastgroup or "symbol", match.group()
        start, position = position, match.end()
        if kind == "command":
            piece = _SAME_AS.get(piece, piece)
            kind = "word" if piece.isalpha() and piece.isascii() else "symbol"
        if kind == "number":
            piece = piece.replace(",", "")
            if len(piece) > MAX_DIGITS:
                raise TooLarge
        elif kind == "text":
            piece = piece[piece.index("{") + 1 : -1].strip()
            piece = "%" if piece == "percent" else piece
            kind = {"or": "word", "and": "word", ",": "symbol", "%": "symbol", "": "space"}.get(piece, "text")
        elif piece == "percent":
            kind, piece = "symbol", "%"
        elif piece in ("(", "[", "\\{"):
            depth += 1
        elif piece in (")", "]", "\\}"):
            depth = max(0, depth - 1)
        if kind == "space" or piece in _SILENT:
            spaced = True
            continue
        tokens.append(Token(kind, piece, start, position, spaced))
        spaced = False
    tokens.append(Token("end", "", len(text), len(text), False))
    return tokens


class Cursor:
    """Reads a token list, which ends in an `end` token, from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = [*tokens, *tokens[-1:] * 3]  # so that looking ahead needs no check
        self.at = 0

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or one after it."""
        return self.tokens[self.at + ahead]

    def sees(self, *texts: str, ahead: int = 0) -> bool:
        """Whether the next token, or one after it, is one of these symbols."""
        token = self.tokens[self.at + ahead]
        return token.text in texts and token.kind == "symbol"

    def take(self) -> Token:
        """Step over the next token. Raises NotMath at the end."""
        token = self.tokens[self.at]
        if token.kind == "end":
            raise NotMath
        self.at += 1
        return token

    def accept(self, *texts: str) -> bool:
        """Step over the next token if it is one of these symbols."""
        if not self.sees(*texts):
            return False
        self.at += 1
        return True

    def expect(self, text: str) -> None:
        """Step over this symbol. Raises NotMath if it is not next."""
        if not self.accept(text):
            raise NotMath

    def split(self, n: int) -> str:
        """Take the first `n` characters of the next token and leave the rest in its place."""
        token = self.peek()
        rest = token.text[n:]
        if rest:
            kind = "letters" if token.kind in ("word", "letters") else token.kind
            self.tokens[self.at] = Token(kind, rest, token.start + n, token.end, False)
        else:
            self.at += 1
        return token.text[:n]
