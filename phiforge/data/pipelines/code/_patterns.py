"""Pieces of regular expressions that know their pattern, their English, what they match, and texts that just miss them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from phiforge.data.draw import Draw

_LOWER, _UPPER, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
# characters, as a class, one and many in words
_CLASSES: dict[str, tuple[str, str, str, str]] = {
    "digit": (_DIGITS, "[0-9]", "digit", "digits"),
    "lower": (_LOWER, "[a-z]", "small letter", "small letters"),
    "upper": (_UPPER, "[A-Z]", "capital letter", "capital letters"),
    "letter": (_LOWER + _UPPER, "[A-Za-z]", "letter", "letters (small or capital)"),
    "word": (_LOWER + _DIGITS, "[a-z0-9]", "small letter or digit", "small letters or digits"),
    "vowel": ("aeiou", "[aeiou]", "small vowel", "small vowels"),
    "hex": (_DIGITS + "abcdef", "[0-9a-f]", "hexadecimal digit (0–9, a–f)", "hexadecimal digits (0–9, a–f)"),
    "nonzero": ("123456789", "[1-9]", "digit from 1 to 9", "digits from 1 to 9"),
    "binary": ("01", "[01]", "0 or 1", "digits 0 or 1"),
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Piece:
    """A piece: a literal text, characters of a class some times over, or one of several words. It may be optional."""

    kind: str  # literal, class or choice
    text: str = ""  # of a literal, or the name of a class
    least: int = 1
    most: int = 1
    words: tuple[str, ...] = ()
    optional: bool = False

    def base(self) -> str:
        return _CLASSES[self.text][1] if self.kind == "class" else ""

    def pattern(self) -> str:
        if self.kind == "literal":
            inner = (
                re.escape(self.text)
                .replace("\\-", "-")
                .replace("\\#", "#")
                .replace("\\@", "@")
                .replace("\\:", ":")
                .replace("\\ ", " ")
            )
            return inner if not self.optional else f"{inner}?" if len(self.text) == 1 else f"(?:{inner})?"
        if self.kind == "choice":
            return f"(?:{'|'.join(map(re.escape, self.words))}){'?' * self.optional}"
        times = (
            ""
            if (self.least, self.most) == (1, 1)
            else "+"
            if (self.least, self.most) == (1, 99)
            else f"{{{self.least}}}"
            if self.least == self.most
            else f"{{{self.least},{self.most if self.most < 99 else ''}}}"
        )
        return (
            f"{self.base()}{times}"
            if not self.optional
            else f"(?:{self.base()}{times})?"
            if times
            else f"{self.base()}?"
        )

    def words_of(self) -> str:
        """In English: "two to four digits", "a hyphen, which may be missing"."""
        missing = ", which may be missing" if self.optional else ""
        if self.kind == "literal":
            return f"{_SIGNS.get(self.text) or chr(34) + self.text + chr(34)}{missing}"
        if self.kind == "choice":
            quoted = [f'"{word}"' for word in self.words]
            return f"{', '.join(quoted[:-1])} or {quoted[-1]}{missing}"
        _, _, one, many = _CLASSES[self.text]
        if (self.least, self.most) == (1, 1):
            return f"one {one}{missing}"
        if self.most == 99:
            return f"{_NUMBERS[self.least]} or more {many}{missing}"
        return (
            f"{_NUMBERS[self.least]} {many}{missing}"
            if self.least == self.most
            else f"{_NUMBERS[self.least]} to {_NUMBERS[self.most]} {many}{missing}"
        )

    def ends(self, text: str, start: int) -> set[int]:
        """Where a match that begins at `start` can end: our own matcher, without `re`."""
        found = {start} if self.optional else set()
        if self.kind == "literal":
            return found | ({start + len(self.text)} if text[start : start + len(self.text)] == self.text else set())
        if self.kind == "choice":
            return found | {start + len(word) for word in self.words if text[start : start + len(word)] == word}
        allowed, n = _CLASSES[self.text][0], 0
        while True:
            if self.least <= n <= self.most:
                found.add(start + n)
            if n >= self.most or start + n >= len(text) or text[start + n] not in allowed:
                return found
            n += 1

    def sample(self, draw: Draw) -> str:
        if self.optional and draw.chance(0.4):
            return ""
        if self.kind == "literal":
            return self.text
        if self.kind == "choice":
            return draw.pick(self.words)
        allowed = _CLASSES[self.text][0]
        return "".join(draw.pick(allowed) for _ in range(draw.between(self.least, min(self.most, self.least + 3))))

    def miss(self, draw: Draw) -> str:
        """A text that is much like it and usually doesn't match."""
        if self.kind == "literal":
            return draw.pick(("", self.text * 2, draw.pick("_ .-/:").replace(self.text[0], "*")))
        if self.kind == "choice":
            word = draw.pick(self.words)
            return draw.pick((word[:-1], word.swapcase(), word + word[0]))
        allowed, n = _CLASSES[self.text][0], draw.between(self.least, min(self.most, self.least + 3))
        kind = draw.between(0, 2)
        if kind == 0:
            return "".join(draw.pick(allowed) for _ in range(self.least - 1))
        if kind == 1 and self.most < 99:
            return "".join(draw.pick(allowed) for _ in range(self.most + 1))
        text = [draw.pick(allowed) for _ in range(n)]
        text[draw.between(0, n - 1)] = draw.pick([c for c in "aZ5x-Q0g_" if c not in allowed])
        return "".join(text)

    def as_facts(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "text": self.text,
            "least": self.least,
            "most": self.most,
            "words": list(self.words),
            "optional": self.optional,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Piece:
        return cls(**{**facts, "words": tuple(facts["words"])})


_SIGNS = {"-": "a hyphen", ".": "a full stop", "/": "a slash", ":": "a colon", "_": "an underscore", "#": "a hash sign", "@": "an at sign", "+": "a plus sign", " ": "a space", "$": "a dollar sign", "%": "a per cent sign", "(": "an opening bracket", ")": "a closing bracket", "=": "an equals sign"}  # fmt: skip


def matches(pieces: tuple[Piece, ...], text: str) -> bool:
    """Whether a whole text is matched by the pieces one after another."""
    places = {0}
    for piece in pieces:
        places = {end for start in places for end in piece.ends(text, start)}
    return len(text) in places


def pattern_of(pieces: list[Piece]) -> str:
    return "".join(piece.pattern() for piece in pieces)


def described(pieces: list[Piece]) -> str:
    """All pieces in English: "two digits, then a hyphen, then one or more small letters"."""
    return ", then ".join(piece.words_of() for piece in pieces)


def sample(draw: Draw, pieces: list[Piece]) -> str:
    return "".join(piece.sample(draw) for piece in pieces)


def spoiled(draw: Draw, pieces: list[Piece]) -> str:
    """A text with one piece gone wrong, left out, doubled or in the wrong place."""
    parts = [piece.sample(draw) for piece in pieces]
    i = draw.between(0, len(parts) - 1)
    kind = draw.pick(("miss", "miss", "miss", "drop", "swap", "more"))
    if kind == "miss":
        parts[i] = pieces[i].miss(draw)
    elif kind == "drop":
        parts[i] = ""
    elif kind == "swap" and len(parts) > 1:
        j = (i + 1) % len(parts)
        parts[i], parts[j] = parts[j], parts[i]
    else:
        parts.append(draw.pick(("x", "0", "-", "!", "A")))
    return "".join(parts)


def _c(name: str, least: int = 1, most: int | None = None, optional: bool = False) -> Piece:
    return Piece("class", name, least, most if most is not None else least, optional=optional)


def _l(text: str, optional: bool = False) -> Piece:
    return Piece("literal", text, optional=optional)


def _or(*words: str, optional: bool = False) -> Piece:
    return Piece("choice", words=words, optional=optional)


def _known(draw: Draw) -> list[tuple[int, str, list[Piece]]]:
    """Things that people validate: level, what they are called, pieces."""
    a, b = draw.between(2, 3), draw.between(4, 6)
    return [
        (1, "room numbers", [_c("upper"), _c("digit", a)]),
        (1, "PINs", [_c("digit", draw.between(4, 6))]),
        (1, "short codes", [_c("lower", a), _l(draw.pick("-_")), _c("digit", a)]),
        (2, "basketball results", [_c("digit", 2), _l(":"), _c("digit", 2)]),
        (2, "product codes", [_c("upper", a), _l("-"), _c("digit", b)]),
        (2, "user names", [_c("lower"), _c("word", 2, draw.between(5, 9))]),
        (2, "file names", [_c("lower", 1, 99), _l("."), _or("txt", "csv", "pdf")]),
        (3, "archive numbers", [_c("digit", 4), _l("-"), _c("digit", 2), _l("-"), _c("digit", 2)]),
        (3, "prices", [_l("$"), _c("digit", 1, 4), _l("."), _c("digit", 2)]),
        (3, "colour codes", [_l("#"), _c("hex", 6)]),
        (3, "phone extensions", [_l("+", optional=True), _c("nonzero"), _c("digit", a, b)]),
        (3, "version numbers", [_l("v", optional=True), _c("digit", 1, 2), _l("."), _c("digit", 1, 2), _l("."), _c("digit", 1, 2)]),
        (4, "licence plates", [_c("upper", 1, 3), _l("-"), _c("upper", 1, 2), _l(" "), _c("nonzero"), _c("digit", 1, 3)]),
        (4, "sizes with a unit", [_c("digit", 1, 3), _l(" ", optional=True), _or("mm", "cm", "km")]),
        (4, "simple e-mail addresses", [_c("word", 1, 99), _l("@"), _c("lower", 1, 99), _l("."), _or("com", "org", "net")]),
        (4, "signed whole numbers", [_l("-", optional=True), _c("nonzero"), _c("digit", 1, a + 1)]),
        (5, "slot labels", [_or("0", "1"), _c("digit"), _l(":"), _c("digit", 2), _or("am", "pm", optional=True)]),
        (5, "log levels with a code", [_or("INFO", "WARN", "ERROR"), _l("("), _c("digit", 3), _l(")"), _l("!", optional=True)]),
        (5, "identifiers of devices", [_c("hex", 2), _l(":"), _c("hex", 2), _l(":"), _c("hex", 2), _l("-", optional=True), _c("binary", 1, 99)]),
        (5, "percentages", [_l("-", optional=True), _c("nonzero"), _c("digit", 1, 2), _l("."), _c("digit", 1, 2, optional=True), _l("%")]),
    ]  # fmt: skip


def pieces_of(draw: Draw, level: int) -> tuple[str, list[Piece]]:
    """What the texts are, and pieces for them: something known, or free pieces in a row."""
    if draw.chance(0.4):
        _, what, pieces = draw.pick([each for each in _known(draw) if abs(each[0] - level) <= 1])
        return what, pieces
    n = draw.between(1 + (level + 1) // 2, 2 + level // 2 + (level > 3))
    pieces: list[Piece] = []
    names = list(_CLASSES)
    while len(pieces) < n:
        before = pieces[-1] if pieces else None
        kind = draw.pick(("class", "class", "literal", "choice") if level > 1 else ("class", "class", "literal"))
        if (before and before.kind == kind != "class") or (kind == "literal" and not before):
            kind = "class"
        if kind == "class":
            name = draw.pick([each for each in names if not before or before.text != each])
            least = draw.between(1, 3)
            most = draw.pick((least, least, least + draw.between(1, 3), 99))
            pieces.append(_c(name, least, most, optional=level >= 4 and draw.chance(0.2)))
        elif kind == "literal":
            pieces.append(_l(draw.pick("-./:_#@+=%"), optional=level >= 3 and draw.chance(0.3)))
        else:
            pieces.append(
                _or(
                    *draw.sample(
                        (
                            "cat",
                            "dog",
                            "owl",
                            "red",
                            "blue",
                            "on",
                            "off",
                            "yes",
                            "no",
                            "north",
                            "south",
                            "left",
                            "right",
                            "kg",
                            "lb",
                        ),
                        draw.between(2, 3),
                    ),
                    optional=level >= 4 and draw.chance(0.25),
                )
            )
    if all(piece.optional for piece in pieces):
        pieces[0] = Piece(pieces[0].kind, pieces[0].text, pieces[0].least, pieces[0].most, pieces[0].words)
    return draw.pick(
        (
            "reference numbers",
            "labels",
            "serial numbers",
            "keys of a configuration",
            "article codes",
            "tags of a machine",
            "ticket labels",
        )
    ), pieces
