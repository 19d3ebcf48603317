"""Answers as HTML: Markdown with maths, and nothing that could run.

Three walls: raw HTML is text to the Markdown reader; what it makes is cleaned against a list of elements and attributes
(nh3); and the page's own policy (`guard.py`) lets no script run but its own. Images are links: a model's answer does not
make the browser ask other servers.
"""

from __future__ import annotations

import html
import re

import nh3
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

LONGEST_FORMULA = 4000

_MATH = "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle msub msup msubsup munder mover munderover mtable mtr mtd"
_MATH += " mpadded mphantom menclose semantics annotation mmultiscripts mprescripts none"
_TEXT = "p br hr h1 h2 h3 h4 h5 h6 strong em s code pre ul ol li blockquote table thead tbody tr th td a"
_MATH_ATTRIBUTES = {
    "display", "mathvariant", "stretchy", "fence", "form", "separator", "lspace", "rspace", "minsize", "maxsize",
    "width", "height", "depth", "accent", "accentunder", "linethickness", "notation", "columnalign", "rowspacing",
    "columnspacing", "columnlines", "rowlines", "displaystyle", "scriptlevel", "movablelimits", "symmetric", "largeop",
}  # fmt: skip
TAGS = set(f"{_TEXT} {_MATH}".split())
ATTRIBUTES: dict[str, set[str]] = {
    **dict.fromkeys(_MATH.split(), _MATH_ATTRIBUTES),
    "a": {"href", "title"},
    "code": {"class"},
    "ol": {"start"},
}
# Opening and closing marks of formulas; the second pair of each kind is shown in a line of its own.
_FORMULA = re.compile(
    r"\$\$(?P<b1>.+?)\$\$|\\\[(?P<b2>.+?)\\\]|\\\((?P<i2>.+?)\\\)|\$(?P<i1>[^\s$](?:[^$]*[^\s$\\])?)\$(?!\d)",
    re.DOTALL,
)


def render(text: str) -> str:
    """Safe HTML of an answer. Never raises: what cannot be read as a formula is shown as it is."""
    made = _reader.render(text)
    return nh3.clean(
        made,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "code" and name == "class":
        return value if re.fullmatch(r"language-[\w+#.-]{1,30}", value) else None
    return value if len(value) <= 2000 else None


def _formula(state: StateInline, silent: bool) -> bool:
    """Formulas in `$...$` and `\\(...\\)`, and in lines of their own `$$...$$` and `\\[...\\]`. As in pandoc, a dollar opens
    only before something that is no blank, and closes only after such and before no digit: prices are no formulas."""
    if state.src[state.pos] not in "$\\":
        return False
    found = _FORMULA.match(state.src, state.pos)
    if found is None or len(found[0]) > LONGEST_FORMULA:
        return False
    if not silent:
        token = state.push("formula", "", 0)
        kind = found.lastgroup or ""
        token.content, token.info, token.markup = found[kind], "block" if kind[0] == "b" else "inline", found[0]
    state.pos = found.end()
    return True


def _mathml(latex: str, display: str, source: str) -> str:
    try:
        return convert(latex.strip(), display=display)
    except Exception:  # of many kinds: the converter has no error of its own
        return f"<code>{html.escape(source)}</code>"


def _make_reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 40}).enable(
        ["table", "strikethrough"]
    )
    reader.disable(["image", "html_inline", "html_block"])
    reader.inline.ruler.before("escape", "formula", _formula)
    reader.add_render_rule(
        "formula", lambda self, tokens, i, options, env: _mathml(tokens[i].content, tokens[i].info, tokens[i].markup)
    )
    return reader


_reader = _make_reader()
