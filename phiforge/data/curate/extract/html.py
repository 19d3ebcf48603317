"""HTML to Markdown by walking lxml's tree: formulas, code and tables word for word, boilerplate left out.

Formulas are read from MathML, MathJax 2 and 3, KaTeX, LaTeXML, MediaWiki, pandoc and Sphinx pages, and from TeX in the text.
libxml2 neither expands entities nor fetches anything for HTML. Images, links' addresses and styles are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from phiforge.data.curate.extract import boilerplate, markdown, mathml
from phiforge.data.curate.extract.markdown import APART, BREAK, Cell, Holder
from phiforge.data.curate.extract.mathml import local
from phiforge.data.curate.extract.record import Unreadable, library

_BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure footer form h1 h2 h3 "
    "h4 h5 h6 header hgroup hr html legend li main nav ol p pre section summary table tbody td tfoot th thead tr ul caption "
    "listing xmp plaintext optgroup".split()
)
_HEADINGS = {f"h{n}": "#" * n for n in range(1, 7)}
_CODE = frozenset(["code", "kbd", "samp", "tt"])
_PRE = frozenset(["pre", "listing", "xmp", "plaintext"])
_EMPHASIS = {"b": "**", "strong": "**", "i": "*", "em": "*", "cite": "*", "dfn": "*"}
_LANGUAGE = re.compile(
    r"(?:^|\s)(?:language|lang|highlight-source|highlight|brush:|sourcecode|src|code)[-\s]\s*([a-z][\w+#.-]*)"
)
_NO_LANGUAGE = frozenset(
    [
        "default",
        "text",
        "plain",
        "plaintext",
        "none",
        "nohighlight",
        "block",
        "console-output",
        "wrapper",
        "notranslate",
        "example",
    ]
)
_TEX_IMAGE = frozenset(
    [
        "tex",
        "latex",
        "math",
        "mwe-math-fallback-image-inline",
        "mwe-math-fallback-image-display",
        "formula",
        "ltx_math",
    ]
)
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|e|ème|re|TM|®|™|o|a)\.?")
_RENDERED = frozenset(
    [
        "mathjax",
        "mathjax_display",
        "mathjax_svg",
        "mathjax_svg_display",
        "mathjax_chtml",
        "mjx-chtml",
        "mathjax_mathml",
    ]
)


def read(text: str) -> tuple[str, str]:
    """The title and the Markdown of a page. Raises Unreadable if it declares entities or is nested too deeply."""
    root = parse(text)
    title = next((" ".join("".join(e.itertext()).split()) for e in root.iter("title")), "")
    body = next(root.iter("body"), root)
    return title, walk(boilerplate.content(body))


def parse(text: str) -> Any:
    """The tree of a page, as browsers make it."""
    etree = library("lxml.etree", "HTML")
    text = markdown.plain(text)
    if re.search(r"<!ENTITY\s", text[:20_000]):
        raise Unreadable("declares entities", "a page that defines its own entities is not read")
    parser = etree.HTMLParser(encoding="utf-8")
    root = etree.fromstring(text.encode("utf-8", "replace"), parser) if text.strip() else None
    if root is None:
        raise Unreadable("no text", "an empty page")
    if any("depth" in error.message for error in parser.error_log):
        raise Unreadable("nested too deeply", "elements within elements, over 255 of them")
    return root


def walk(element: Any) -> str:
    """An element's content as Markdown."""
    return markdown.document(_Walker(element).blocks(element))


class _Walker:
    def __init__(self, root: Any) -> None:
        self.holder = Holder()
        self.elements = list(root.iter())  # held, so that lxml keeps giving the same objects
        self.parents: set[Any] = set()  # of blocks
        for element in reversed(self.elements):
            if (local(element) in _BLOCKS or element in self.parents) and (above := element.getparent()) is not None:
                self.parents.add(above)

    # --- blocks ------------------------------------------------------------------------------------------------------

    def blocks(self, element: Any) -> list[str]:
        """The blocks within an element; text between them makes paragraphs."""
        found: list[str] = []
        running: list[str] = [self._text(element.text)]

        def end() -> None:
            found.extend(self.holder.paragraphs(self.holder.maths("".join(running))))
            running.clear()

        for child in element:
            tag = local(child)
            if tag in _BLOCKS or (child in self.parents and tag != "math" and not self._rendered(child)):
                end()
                found += self.block(child, tag)
            else:
                running.append(self.inline(child))
            running.append(self._text(child.tail))
        end()
        return found

    def block(self, element: Any, tag: str) -> list[str]:
        if tag in _HEADINGS:
            title = self.holder.line(self.holder.maths(self.inside(element)))
            return [f"{_HEADINGS[tag]} {title}"] if title else []
        if tag in _PRE or "white-space:pre" in (element.get("style") or "").replace(" ", ""):
            return [markdown.fence(self._preformatted(element), _language(element))]
        if tag in ("ul", "ol", "dir"):
            return self._list(element, tag == "ol")
        if tag == "blockquote":
            return [markdown.quote(inner)] if (inner := self.blocks(element)) else []
        if tag == "table":
            return self._table(element)
        if tag == "dd":
            inner = self.blocks(element)
            return (
                [markdown.indented(": ", inner[0]), *inner[1:]]
                if len(inner) == 1 and not inner[0].startswith("```")
                else inner
            )
        if tag == "hr":
            return []
        return self.blocks(element)

    def _preformatted(self, element: Any) -> str:
        parts: list[str] = []

        def gather(each: Any) -> None:
            parts.append(each.text or "")
            for child in each:
                tag = local(child)
                before = child.getprevious()
                if (
                    tag == "code"
                    and before is not None
                    and local(before) == "code"
                    and not (before.tail or "").strip()
                ):
                    parts.append("\n")  # two programs side by side, of which a page shows one
                if tag == "br":
                    parts.append("\n")
                elif tag == "math":
                    parts.append(f"${mathml.latex(child)}$")
                elif tag:
                    line = tag in ("div", "li", "p", "tr")
                    gather(child)
                    if line and parts and not "".join(parts[-3:]).endswith("\n"):
                        parts.append("\n")
                parts.append(child.tail or "")

        gather(element)
        return "".join(parts).replace("\xa0", " ")

    def _list(self, element: Any, ordered: bool) -> list[str]:
        start = element.get("start") or "1"
        number = int(start) if start.isdigit() else 1
        lines: list[str] = []
        for child in element:
            if not local(child):
                continue
            blocks = self.blocks(child) if local(child) == "li" else self.block(child, local(child))
            if blocks:
                lines.append(markdown.item(f"{number}." if ordered else "-", blocks))
                number += 1
        loose = any("\n\n" in line for line in lines)
        return [("\n\n" if loose else "\n").join(lines)] if lines else []

    def _table(self, element: Any) -> list[str]:
        names = element.get("class") or ""
        if "highlighttable" in names or "rouge-table" in names:  # code beside its line numbers
            codes = list(element.iter("pre"))
            return [markdown.fence(self._preformatted(codes[-1]), _language(codes[-1]))] if codes else []
        rows = list(_rows(element))
        cells = [[cell for cell in row if local(cell) in ("td", "th")] for row in rows]
        if "ltx_eq" in names:
            return self._equations(cells)
        caption = [b for child in element if local(child) == "caption" for b in self.blocks(child)]
        if self._is_layout(element, cells, bool(caption)):
            return [*caption, *(block for row in cells for cell in row for block in self.blocks(cell))]
        made = [
            [Cell(self._cell(cell), _span(cell, "colspan"), _span(cell, "rowspan") or len(rows)) for cell in row]
            for row in cells
        ]
        table = markdown.table(made)
        return [*caption, table] if table else caption

    def _cell(self, cell: Any) -> str:
        if cell not in self.parents:
            return self.holder.line(self.holder.maths(self.inside(cell)))
        return " ".join(" ".join(block.split()) for block in self.blocks(cell))

    def _is_layout(self, element: Any, cells: list[list[Any]], captioned: bool) -> bool:
        """Whether a table only places things: it says so, or has no heads and one row or column, or holds whole sections."""
        if (element.get("role") or "") in ("presentation", "none"):
            return True
        if captioned or any(local(cell) == "th" for row in cells for cell in row):
            return False
        if len(cells) < 2 or max(map(len, cells), default=0) < 2:
            return True
        blocks = [e for row in cells for cell in row if cell in self.parents for e in cell.iter()]
        return any(local(e) in ("table", "pre", "h1", "h2", "h3", "h4", "blockquote") for e in blocks)

    def _equations(self, cells: list[list[Any]]) -> list[str]:
        found = []
        for row in cells:
            tex = mathml.joined([mathml.latex(e) for cell in row for e in cell.iter("math")])
            if tex:
                found.append(f"$${tex}$$")
        return found

    # --- within paragraphs ---------------------------------------------------------------------------------------------

    def inside(self, element: Any) -> str:
        """The inline content of an element."""
        return self._text(element.text) + "".join(self.inline(child) + self._text(child.tail) for child in element)

    def inline(self, element: Any) -> str:
        """An element within a paragraph, without what follows it."""
        tag = local(element)
        if not tag or tag in ("style", "head", "title", "annotation", "annotation-xml"):
            return ""
        if tag == "math":
            return self.holder.formula(mathml.latex(element), mathml.is_display(element) or _stands_apart(element))
        if tag == "script":
            kind = element.get("type") or ""
            return (
                self.holder.formula(_script(element.text or ""), "display" in kind)
                if kind.startswith("math/tex")
                else ""
            )
        if tag == "br":
            return BREAK
        if tag == "img":
            return self._image(element)
        if rendered := self._rendered(element):
            return self._formula(element) if rendered == "formula" else ""
        if tag in _CODE and not any(local(e) == "math" for e in element.iter()):
            return self.holder.code("".join(element.itertext()).replace("\xa0", " "))
        inner = self.inside(element)
        if tag in _BLOCKS:
            return f"{APART}{inner}{APART}"
        if tag in ("sup", "sub"):
            return _script_of(element, inner, "^" if tag == "sup" else "_")
        if tag == "q":
            return f"“{inner}”"
        if mark := _EMPHASIS.get(tag):
            return _emphasised(inner, mark)
        return inner

    def _rendered(self, element: Any) -> str:
        """Whether an element is a typeset formula ("formula"), or a second showing of one ("copy")."""
        names = set((element.get("class") or "").lower().split())
        if local(element) == "mjx-container":
            return "formula"
        if names & {"katex-html", "mathjax_preview", "mjx_assistive_mml_copy"}:
            return "copy"
        if names & _RENDERED:
            follows = element.getnext()
            beside = [follows, *(follows.itersiblings() if follows is not None else ())][:3]
            scripts = any(e is not None and local(e) == "script" for e in beside)
            within = element.getparent() is not None and self._rendered(element.getparent()) == "formula"
            return "copy" if scripts or within else "formula"
        return ""

    def _formula(self, element: Any) -> str:
        """A formula that MathJax has typeset, from the MathML or the TeX that it keeps."""
        names = (element.get("class") or "").lower()
        display = (
            element.get("display") == "true"
            or "display" in names
            or any("isplay" in (e.get("class") or "") for e in element.iter("div", "span"))
        )
        if (math := next((e for e in element.iter() if local(e) == "math"), None)) is not None:
            return self.holder.formula(mathml.latex(math), display or mathml.is_display(math))
        for each in element.iter():
            if local(each) and (tex := each.get("data-latex") or each.get("data-tex")):
                return self.holder.formula(tex, display)
            if local(each) and (kept := each.get("data-mathml")):
                found = next((e for e in parse(kept).iter() if local(e) == "math"), None)
                return self.holder.formula(mathml.latex(found), display) if found is not None else ""
        return ""

    def _image(self, element: Any) -> str:
        names = set((element.get("class") or "").lower().split())
        alt = (element.get("alt") or "").strip()
        if not alt or not names & _TEX_IMAGE:
            return ""
        above = element.getparent()
        if above is not None and any(local(e) == "math" for e in above.iter()):
            return ""  # MediaWiki has it as MathML too
        bare = re.fullmatch(r"\$+(.+?)\$+|\\[(\[](.+)\\[)\]]", alt, re.DOTALL)
        tex = (bare[1] or bare[2]) if bare else alt
        tex = re.sub(r"^\{\\displaystyle (.*)\}$", r"\1", tex, flags=re.DOTALL)
        return self.holder.formula(tex, any("display" in name for name in names))

    def _text(self, text: str | None) -> str:
        return text or ""


def _rows(table: Any) -> Iterable[Any]:
    """A table's own rows: heads, bodies, feet, whatever their order in the source."""
    parts = [
        (("thead", "tbody", "tr", "tfoot").index(local(e)) if local(e) in ("thead", "tfoot") else 1, e) for e in table
    ]
    for _, part in sorted(parts, key=lambda each: each[0]):
        if local(part) == "tr":
            yield part
        elif local(part) in ("thead", "tbody", "tfoot"):
            yield from (row for row in part if local(row) == "tr")


def _span(cell: Any, name: str) -> int:
    told = (cell.get(name) or "1").strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) < 6 else 1


def _script(tex: str) -> str:
    """The TeX of a MathJax script, which XHTML pages wrap as character data."""
    return re.sub(r"^\s*(?:%\s*)?<!\[CDATA\[|(?:%\s*)?\]\]>\s*$", "", tex).strip()


def _stands_apart(math: Any) -> bool:
    """Whether KaTeX or another page has a formula displayed by what is around it."""
    above = math.getparent()
    for _ in range(4):
        if above is None:
            return False
        if re.search(r"katex-display|math-display|display-math|\bmath display\b", above.get("class") or ""):
            return True
        above = above.getparent()
    return False


def _language(element: Any) -> str:
    """The language that a block of code says it is in, by the class names of highlighters and generators."""
    around = [element, *(e for e in element if local(e) == "code"), *list(element.iterancestors())[:2]]
    for each in around:
        if told := each.get("data-lang") or each.get("data-language"):
            return re.sub(r"[^\w+#.-]", "", told.lower())
        for found in _LANGUAGE.findall((each.get("class") or "").lower()):
            if found not in _NO_LANGUAGE:
                return "python" if found in ("python3", "py3", "ipython3", "py") else found
    return "rust" if re.search(r"(?:^|\s)rust(?:\s|$)", element.get("class") or "") else ""


def _emphasised(inner: str, mark: str) -> str:
    core = inner.strip()
    if not core or APART in core or core.startswith("*") or core.endswith("*"):
        return inner
    start = inner.index(core)
    return f"{inner[:start]}{mark}{core}{mark}{inner[start + len(core) :]}"


def _script_of(element: Any, inner: str, mark: str) -> str:
    """x^2 and H_2O; marks of footnotes go, and ordinals are words."""
    core = inner.strip()
    links = list(element.iter("a")) + [e for e in element.iterancestors() if local(e) == "a"][:1]
    if not core or (
        mark == "^" and (any((e.get("href") or "").startswith("#") for e in links) or re.fullmatch(r"\[.*\]", core))
    ):
        return ""
    if mark == "^" and _ORDINAL.fullmatch(core):
        return core
    return f"{mark}{core}" if len(core) == 1 or markdown.HELD in core else f"{mark}{{{core}}}"
