r"""MathML to LaTeX: presentation markup (MathML 3, chapter 3), or the TeX that a page keeps beside it.

`\frac`, `\sqrt`, scripts, limits, accents, fences, matrices, cases and aligned equations come out as one would write them.
Content markup (`<apply>`) has its symbols only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

_COMMON = {
    "−": "-", "\u2061": "", "\u2062": "", "\u2063": "", "\u2064": "", "\u2009": r"\,", "\u2003": r"\quad ", "\xa0": r"\ ", "×": r"\times", "·": r"\cdot", "⋅": r"\cdot",
    "÷": r"\div", "±": r"\pm", "∓": r"\mp", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "≈": r"\approx", "≡": r"\equiv", "∞": r"\infty", "→": r"\to",
    "←": r"\leftarrow", "⇒": r"\Rightarrow", "⇔": r"\Leftrightarrow", "↦": r"\mapsto", "∈": r"\in", "∉": r"\notin", "⊂": r"\subset", "⊆": r"\subseteq",
    "∪": r"\cup", "∩": r"\cap", "∅": r"\emptyset", "∀": r"\forall", "∃": r"\exists", "¬": r"\neg", "∧": r"\land", "∨": r"\lor", "∂": r"\partial",
    "∇": r"\nabla", "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∮": r"\oint", "√": r"\surd", "…": r"\ldots", "⋯": r"\cdots", "⋮": r"\vdots",
    "⋱": r"\ddots", "′": "'", "″": "''", "∘": r"\circ", "°": r"^{\circ}", "∣": r"\mid", "∥": r"\parallel", "‖": r"\|", "⟨": r"\langle", "⟩": r"\rangle",
    "〈": r"\langle", "〉": r"\rangle", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "∖": r"\setminus", "∼": r"\sim", "∝": r"\propto",
    "⊥": r"\perp", "ϵ": r"\epsilon", "ε": r"\varepsilon", "ϕ": r"\phi", "φ": r"\varphi", "ℓ": r"\ell", "ℏ": r"\hbar", "ℜ": r"\Re", "ℑ": r"\Im", "ℵ": r"\aleph",
    "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "_": r"\_", "\\": r"\backslash", "~": r"\sim", "^": r"\wedge",
}  # fmt: skip
_FUNCTIONS = frozenset(
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max min sec "
    "sin sinh sup tan tanh Pr".split()
)
_LIMITS = frozenset(
    [
        "∑",
        "∏",
        "∐",
        "⋃",
        "⋂",
        "⋁",
        "⋀",
        "⨁",
        "⨂",
        "⨀",
        "lim",
        "max",
        "min",
        "sup",
        "inf",
        "limsup",
        "liminf",
        "det",
        "gcd",
        "Pr",
    ]
)
_ACCENTS = {
    "^": "hat", "ˆ": "hat", "¯": "bar", "‾": "overline", "ˉ": "bar", "_": "underline", "~": "tilde", "˜": "tilde", "→": "vec", "⃗": "vec", "˙": "dot", "¨": "ddot",
    "ˇ": "check", "˘": "breve", "´": "acute", "`": "grave", "⏞": "overbrace", "⏟": "underbrace", "←": "overleftarrow", "↔": "overleftrightarrow",
    "―": "overline", "\u0304": "bar", "\u0305": "overline", "\u0302": "hat", "\u0303": "tilde", "\u0307": "dot", "\u0308": "ddot",
}  # fmt: skip
_UNDER = {
    "_": "underline",
    "¯": "underline",
    "‾": "underline",
    "\u0332": "underline",
    "⏟": "underbrace",
    "→": "underrightarrow",
}
_WIDE = {"hat": "widehat", "tilde": "widetilde", "bar": "overline", "vec": "overrightarrow"}
_VARIANTS = {
    "bold": "mathbf", "bold-italic": "boldsymbol", "double-struck": "mathbb", "script": "mathcal", "bold-script": "mathcal", "fraktur": "mathfrak",
    "bold-fraktur": "mathfrak", "sans-serif": "mathsf", "monospace": "mathtt",
}  # fmt: skip
_LETTERS = (("DOUBLE-STRUCK", "mathbb"), ("FRAKTUR", "mathfrak"), ("BLACK-LETTER", "mathfrak"), ("SCRIPT", "mathcal"))
_LETTERS += (("SANS-SERIF", "mathsf"), ("MONOSPACE", "mathtt"), ("BOLD", "mathbf"))
_INFIX = frozenset("=+<>≤≥≠≈≡→←⇒⇔↦∈∉⊂⊆∪∩×÷±∓∧∨∼∝∖≪≫≅≃⊃⊇↔⟹⟺⟶-−∣∘⊕⊗⋅·")
_OPEN, _CLOSE = frozenset("([{|‖⟨⌊⌈〈∣∥"), frozenset(")]}|‖⟩⌋⌉〉∣∥")
_BEFORE = frozenset("([{,")  # after these a sign is no infix
_TALL = frozenset(["mfrac", "mtable", "munderover", "munder", "mover"])
_MATRICES = {
    ("(", ")"): "pmatrix",
    ("[", "]"): "bmatrix",
    ("|", "|"): "vmatrix",
    ("{", "}"): "Bmatrix",
    ("‖", "‖"): "Vmatrix",
}


def local(element: Any) -> str:
    """An element's name without namespace or prefix; "" of a comment."""
    tag = element.tag
    return _local(tag) if isinstance(tag, str) else ""


@lru_cache(maxsize=10_000)
def _local(tag: str) -> str:
    return re.split(r"[}:]", tag)[-1].lower()


def latex(math: Any) -> str:
    """The LaTeX of a `<math>` element of lxml, without dollars."""
    for note in math.iter():
        if local(note) == "annotation" and "tex" in (note.get("encoding") or "").lower() and (note.text or "").strip():
            return _unwrapped(note.text)
    told = math.get("alttext") or ""
    if re.search(r"[\\^_]", told):
        return _unwrapped(told)
    return re.sub(r"\s+", " ", _row(list(math))).strip()


def is_display(math: Any) -> bool:
    return math.get("display") == "block" or math.get("mode") == "display"


def _unwrapped(tex: str) -> str:
    r"""TeX without what MediaWiki and LaTeXML put around it: {\displaystyle ...}, comments at line ends."""
    tex = re.sub(r"(?<!\\)%[^\n]*\n\s*", "", tex.strip())
    if match := re.fullmatch(r"\{\\(?:displaystyle|textstyle)\s+(.*)\}", tex, re.DOTALL):
        inner = match[1]
        depth = low = 0
        for mark in re.findall(r"(?<!\\)[{}]", inner):
            depth += 1 if mark == "{" else -1
            low = min(low, depth)
        if low == 0:
            tex = inner
    return re.sub(r"^\\(?:displaystyle|textstyle)\s+", "", tex).strip()


def _children(element: Any) -> list[Any]:
    return [child for child in element if local(child) not in ("", "annotation", "annotation-xml")]


def _content(element: Any) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip()


def joined(pieces: Sequence[str]) -> str:
    """Pieces of LaTeX one after the other, a space where a command or a script would run into a letter."""
    out = ""
    for piece in pieces:
        script = piece[:1].isalnum() and out[-2:-1] in ("^", "_")
        if script or (piece[:1].isalpha() and re.search(r"\\[A-Za-z]+\Z", out[-40:])):
            out += " "
        out += piece
    return out


def _row(elements: Sequence[Any]) -> str:
    elements = [e for e in elements if local(e) not in ("", "annotation", "annotation-xml")]
    if len(elements) == 1 and local(elements[0]) in (
        "mrow",
        "mstyle",
        "mpadded",
        "semantics",
        "math",
        "merror",
        "maction",
    ):
        return _any(elements[0])
    if len(elements) >= 2 and (fenced := _fenced(elements)):
        return fenced
    pieces: list[str] = []
    for n, element in enumerate(elements):
        text = _any(element)
        sign = _content(element) if local(element) == "mo" else ""
        infix = sign in _INFIX and sign and 0 < n < len(elements) - 1 and element.get("form", "infix") == "infix"
        spaced = infix and not (local(elements[n - 1]) == "mo" and _content(elements[n - 1]) in _INFIX | _BEFORE)
        pieces.append(
            f" {text} " if spaced and element.get("fence") != "true" else text + (" " if sign == "," else "")
        )
    return re.sub(r" {2,}", " ", joined(pieces))


def _fenced(elements: Sequence[Any]) -> str:
    """A row that begins and ends with a fence around something tall, or begins with a brace around cases; or ""."""
    first, last = elements[0], elements[-1]
    opens = _content(first) if local(first) == "mo" else ""
    closes = _content(last) if local(last) == "mo" else ""
    if len(opens) != 1 or opens not in _OPEN:
        return ""
    body = [e for e in elements[1 : -1 if closes in _CLOSE and closes else None] if _any(e).strip()]
    if len(body) == 1:
        inner = body[0]
        while local(inner) in ("mrow", "mstyle", "mpadded") and len(_children(inner)) == 1:
            inner = _children(inner)[0]
        if local(inner) == "mtable" and (opens, closes) in _MATRICES:
            return _table(inner, _MATRICES[opens, closes])
        if local(inner) == "mtable" and opens == "{" and not closes:
            return _table(inner, "cases")
        if (
            local(inner) == "mfrac"
            and inner.get("linethickness") in ("0", "0px", "0em", "0pt")
            and (opens, closes) == ("(", ")")
        ):
            return rf"\binom{{{_any(inner[0])}}}{{{_any(inner[1])}}}"
    if closes not in _CLOSE or not closes or not any(local(e) in _TALL for part in body for e in part.iter()):
        return ""
    return joined([rf"\left{_symbol(opens)}", _row(body), rf"\right{_symbol(closes)}"])


def _any(element: Any) -> str:
    tag = local(element)
    children = _children(element)
    if tag in _TOKENS:
        return _TOKENS[tag](element)
    if (needs := _NEEDS.get(tag)) and len(children) < needs:
        return _row(children)
    match tag:
        case "mfrac":
            top, bottom = _row(children[:1]), _row(children[1:2])
            if element.get("bevelled") == "true":
                return f"{top}/{bottom}"
            flat = element.get("linethickness") in ("0", "0px", "0em", "0pt")
            return rf"\genfrac{{}}{{}}{{0pt}}{{}}{{{top}}}{{{bottom}}}" if flat else rf"\frac{{{top}}}{{{bottom}}}"
        case "msqrt":
            return rf"\sqrt{{{_row(children)}}}"
        case "mroot":
            return rf"\sqrt[{_row(children[1:2])}]{{{_row(children[:1])}}}"
        case "msup" | "msub" | "msubsup":
            marks = {"msup": "^", "msub": "_", "msubsup": "_^"}[tag]
            return _scripted(children[0], marks, children[1:])
        case "munder" | "mover" | "munderover":
            return _limits(tag, children)
        case "mmultiscripts":
            return _multiscripts(children)
        case "mtable":
            aligned = element.get("displaystyle") == "true" or "right left" in (element.get("columnalign") or "")
            return _table(element, "aligned" if aligned else "matrix")
        case "mfenced":
            opens, closes = element.get("open", "("), element.get("close", ")")
            comma = (element.get("separators", ",").strip() or " ")[0]
            tall = any(local(e) in _TALL for e in element.iter())
            inner = f"{comma} ".join(_row([child]) for child in children)
            marks = (_symbol(opens) or ".", _symbol(closes) or ".")
            if tall or "." in marks:
                return joined([rf"\left{marks[0]}", inner, rf"\right{marks[1]}"])
            return joined([marks[0], inner, marks[1]])
        case "menclose":
            notation, inner = element.get("notation", ""), _row(children)
            for word, command in (
                ("box", "boxed"),
                ("diagonalstrike", "cancel"),
                ("radical", "sqrt"),
                ("top", "overline"),
            ):
                if word in notation:
                    return rf"\{command}{{{inner}}}"
            return inner
        case "mphantom":
            return rf"\phantom{{{_row(children)}}}"
        case "semantics" | "maction":
            return _row(children[:1])
        case _:
            variant = element.get("mathvariant")
            inner = _row(children) if children else _symbols(_content(element))
            return rf"\{_VARIANTS[variant]}{{{inner}}}" if variant in _VARIANTS and tag == "mstyle" else inner


_NEEDS = {
    "mfrac": 2,
    "mroot": 2,
    "msup": 2,
    "msub": 2,
    "msubsup": 3,
    "munder": 2,
    "mover": 2,
    "munderover": 3,
    "mmultiscripts": 1,
}


def _braced(tex: str) -> str:
    return tex if len(tex) == 1 and (tex.isalnum() or tex in "+-*") else f"{{{tex}}}"


def _scripted(base: Any, marks: str, scripts: Sequence[Any]) -> str:
    text = _row([base])
    if local(base) in ("msup", "msub", "msubsup", "mfrac") or (
        local(base) == "mrow" and len(_children(base)) > 1 and not _closed(base)
    ):
        text = f"{{{text}}}"
    for mark, script in zip(marks, scripts, strict=False):
        inner = _row([script])
        if mark == "^" and inner and (set(inner) == {"'"} or inner == r"^{\circ}"):
            text += inner
        elif inner:
            text += f"{mark}{_braced(inner)}"
    return text or "{}"


def _closed(row: Any) -> bool:
    """Whether a row begins and ends with a fence, so that a script after it belongs to it all."""
    children = _children(row)
    return _content(children[0]) in _OPEN and _content(children[-1]) in _CLOSE


def _limits(tag: str, children: Sequence[Any]) -> str:
    base, text = children[0], _row(children[:1])
    name = _content(base)
    if tag == "munderover":
        if name in _LIMITS or local(base) == "mo":
            return _scripted(base, "_^", children[1:])
        return rf"\overset{{{_row(children[2:3])}}}{{\underset{{{_row(children[1:2])}}}{{{text}}}}}"
    sign = _content(children[1])
    script = _row(children[1:2])
    if tag == "mover":
        if sign in _ACCENTS and local(children[1]) in ("mo", "mi", "mrow", "mstyle", "mtext"):
            accent = _ACCENTS[sign]
            return rf"\{_WIDE.get(accent, accent) if len(name) > 1 else accent}{{{text}}}"
        if "⏞" in name:
            return f"{text}^{_braced(script)}"
        return f"{text}^{_braced(script)}" if name in _LIMITS else rf"\overset{{{script}}}{{{text}}}"
    if sign in _UNDER:
        return rf"\{_UNDER[sign]}{{{text}}}"
    under = name in _LIMITS or "⏟" in name or local(base) in ("mo", "munder") or text.startswith(r"\operatorname")
    return f"{text}_{_braced(script)}" if under else rf"\underset{{{script}}}{{{text}}}"


def _multiscripts(children: Sequence[Any]) -> str:
    names = [local(child) for child in children]
    at = names.index("mprescripts") if "mprescripts" in names else len(children)

    def scripts(found: Sequence[Any]) -> str:
        texts = ["" if local(each) == "none" else _row([each]) for each in found]
        return "".join(f"{'_^'[n % 2]}{_braced(text)}" for n, text in enumerate(texts) if text)

    before = scripts(children[at + 1 :])
    return (f"{{}}{before}" if before else "") + _row(children[:1]) + scripts(children[1:at])


def _table(element: Any, name: str) -> str:
    rows = []
    for row in _children(element):
        cells = _children(row)
        if local(row) == "mlabeledtr":
            cells = cells[1:]
        texts = [_row(_children(cell)) or _symbols((cell.text or "").strip()) for cell in cells]
        separator = " & "
        rows.append(separator.join(text.strip() for text in texts))
    return rf"\begin{{{name}}} " + r" \\ ".join(rows) + rf" \end{{{name}}}"


def _identifier(element: Any) -> str:
    text = _content(element)
    variant = element.get("mathvariant", "")
    if text in _FUNCTIONS:
        return rf"\{text}"
    if variant in _VARIANTS:
        return rf"\{_VARIANTS[variant]}{{{_symbols(text)}}}"
    if len(text) > 1 and text.isascii() and text.isalpha():
        return (
            rf"\operatorname{{{text}}}"
            if element.getnext() is not None and _content(element.getnext()) == "\u2061"
            else rf"\mathrm{{{text}}}"
        )
    if variant == "normal" and text.isascii() and text.isalpha():
        return rf"\mathrm{{{text}}}"
    return _symbols(text)


def _operator(element: Any) -> str:
    text = _content(element)
    if text in _FUNCTIONS:
        return rf"\{text}"
    if len(text) > 1 and text.isascii() and text.isalpha():
        return rf"\operatorname{{{text}}}"
    return _symbols(text)


def _words(element: Any) -> str:
    text = re.sub(r"[\s\xa0]+", " ", "".join(element.itertext()))
    if not text.strip():
        return r"\ " if text else ""
    return r"\text{" + re.sub(r"[%#$&_{}]", r"\\\g<0>", text) + "}"


def _space(element: Any) -> str:
    if element.get("linebreak") == "newline":
        return r" \\ "
    match = re.fullmatch(r"\s*(-?[\d.]+)em\s*", element.get("width") or "")
    width = float(match[1]) if match and match[1].count(".") < 2 and match[1] not in (".", "-", "-.") else 0.0
    return r"\quad " if width >= 0.9 else r"\ " if width >= 0.25 else r"\," if width > 0 else ""


_TOKENS = {
    "mi": _identifier,
    "ci": _identifier,
    "mo": _operator,
    "mn": lambda element: _symbols(_content(element)),
    "cn": lambda element: _symbols(_content(element)),
    "mtext": _words,
    "ms": _words,
    "mspace": _space,
    "none": lambda element: "",
    "mprescripts": lambda element: "",
}


def _symbols(text: str) -> str:
    return joined([_symbol(character) for character in text])


def _symbol(character: str) -> str:
    """The LaTeX of one character."""
    if character in _COMMON:
        return _COMMON[character]
    if character.isascii():
        return character
    name = unicodedata.name(character, "")
    if name.startswith(("MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER")):
        letter = unicodedata.normalize("NFKC", character)
        for word, command in _LETTERS:
            if word in name:
                return rf"\{command}{{{_symbol(letter)}}}"
        return _symbol(letter)
    return _names().get(character, character)


@cache
def _names() -> dict[str, str]:
    """LaTeX commands by character, from the table that latex2mathml (a dependency) keeps of unicode-math."""
    from latex2mathml.symbols_parser import SYMBOLS

    names: dict[str, str] = {}
    for command, code in SYMBOLS.items():
        if command.startswith("\\") and re.fullmatch(r"[0-9A-F]+", code):
            names.setdefault(chr(int(code, 16)), command)
    return names
