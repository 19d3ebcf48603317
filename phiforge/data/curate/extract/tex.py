r"""TeX to Markdown: sections, lists, tables, captions and verbatim text converted, mathematics as it is but for its macros.

The preamble gives macros and the title, nothing else. Citations, bibliographies, labels, pictures and layout are left out;
references stay as [label]. Not a TeX engine: catcodes, counters and delimited \def parameters are not followed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from phiforge.data.curate.extract import macros, markdown, names
from phiforge.data.curate.extract.macros import Source, Token
from phiforge.data.curate.extract.markdown import APART, BREAK, Cell, Holder
from phiforge.data.curate.extract.record import Unreadable

DEEPEST = 50  # arguments and environments within each other


def read(text: str, file: Path | None = None) -> tuple[str, str]:
    """The title and the Markdown of a TeX source; what it takes in by \\input is looked for in the file's folder."""
    from phiforge.data.curate.extract import decode

    def content(path: Path) -> str:
        return markdown.plain(decode(path.read_bytes()))

    text = markdown.plain(text)
    source = Source(text, file.parent if file is not None else None, content)
    reader = _Reader(source)
    if re.search(r"^(?:[^%\n\\]|\\.)*?\\begin\s*\{document\}", text, re.MULTILINE):
        reader.preamble()
    return reader.title, _tidied(markdown.document(reader.blocks("document")))


def parts(file: Path) -> set[Path]:
    r"""The files that a TeX file names in \input and its like, where they are."""
    from phiforge.data.curate.extract import decode

    text = re.sub(r"(?<!\\)%.*", "", decode(file.read_bytes()))
    names = [a or b for a, b in re.findall(r"\\(?:input|include|subfile)\s*(?:\{([^{}]+)\}|([^\s{}\\]+))", text)]
    found = {macros.located(folder, name.strip()) for name in names for folder in (file.parent, file.parent.parent)}
    return {each for each in found if each is not None and each.is_file() and each != file.resolve()}


def _tidied(text: str) -> str:
    """Without the spaces that citations leave behind. Code is not touched."""
    pieces = re.split(
        r"(^(?P<fence>`{3,}).*?^(?P=fence)$|`[^`\n]+`|\$\$.+?\$\$|\$[^$\n]+\$|\\begin\{(?P<name>[\w*]+)\}.+?\\end\{(?P=name)\})",
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    out, at = [], 0
    while at < len(pieces):
        out.append(re.sub(r" +([.,;:])(?=\s|\Z)", r"\1", re.sub(r"(?<=[\w.,]) \(\s*\)| \[[\s,;]*\]", "", pieces[at])))
        out.append(pieces[at + 1] if at + 1 < len(pieces) else "")
        at += 4
    return "".join(out)


class _Reader:
    """Converts a source; sub-readers convert arguments with the same macros."""

    def __init__(self, source: Source, holder: Holder | None = None, depth: int = 0) -> None:
        if depth > DEEPEST:
            raise Unreadable("nested too deeply", f"arguments or environments within each other, over {DEEPEST}")
        self.source, self.holder, self.depth = source, holder or Holder(), depth
        self.title = ""
        self.float = ""
        self._running: list[str] = []

    # --- the whole -------------------------------------------------------------------------------------------------------

    def preamble(self) -> None:
        while (token := self.source.next()) is not None:
            if token.kind != "word":
                continue
            if token.text == "begin":
                name = self.source.group()
                if name == "document":
                    return
                self._raw(name)
            elif token.text == "title":
                self.source.optional()
                self.title = self._line(self.source.group())

    def blocks(self, until: str = "", items: bool = False) -> list[str]:
        r"""The blocks up to \end{until}, or up to the next \item, or to the end."""
        found: list[str] = []
        running = self._running = []

        def end() -> None:
            found.extend(self.holder.paragraphs("".join(running)))
            running.clear()

        while (token := self.source.next()) is not None:
            self._running = running
            if token.kind == "par":
                end()
            elif token.kind != "word":
                running.append(self._inline(token))
            elif token.text == "item":
                if items:
                    self.source.push("\\item")
                    break
                running.append(BREAK + "- ")
            elif token.text == "end":
                name = self.source.group()
                if name == until:
                    if items:
                        self.source.push(f"\\end{{{name}}}")
                    break
                self.source.end(name)
            elif token.text == "begin":
                name = self.source.group()
                if self.source.begin(name):
                    continue
                if name.rstrip("*") in names.MATHS:
                    running.append(self._environment_maths(name))
                    continue
                end()
                found += self._deeper(lambda name=name: self._environment(name))
            elif token.text in names.LEVELS:
                end()
                self.source.star()
                self.source.optional()
                if title := self._line(self.source.group()):
                    found.append(f"{'#' * names.LEVELS[token.text]} {title}")
            elif token.text in ("paragraph", "subparagraph"):
                end()
                self.source.star()
                if title := self._line(self.source.group()):
                    running.append(f"**{title}** ")
            elif token.text == "maketitle":
                end()
                if self.title:
                    found.append(f"# {self.title}")
            elif token.text == "title":
                self.source.optional()
                self.title = self._line(self.source.group())
            elif token.text in names.CAPTIONS:
                end()
                self.source.star()
                if token.text == "captionof":
                    self.source.group()
                self.source.optional()
                if caption := self._line(self.source.group()):
                    found.append(f"{self.float or 'Figure'}: {caption}")
            else:
                running.append(self._command(token))
        end()
        return found

    def _deeper(self, make: Callable[[], list[str]]) -> list[str]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable("nested too deeply", f"arguments or environments within each other, over {DEEPEST}")
        try:
            return make()
        finally:
            self.depth -= 1

    def _sub(self, raw: str) -> _Reader:
        reader = _Reader(self.source.within(raw), self.holder, self.depth + 1)
        reader.float = self.float
        return reader

    def _text(self, raw: str) -> str:
        """An argument as inline text, its formulas held."""
        return f"{APART}".join(self._sub(raw).blocks())

    def _line(self, raw: str) -> str:
        return self.holder.line(" ".join(self._sub(raw).blocks()))

    # --- environments --------------------------------------------------------------------------------------------------------

    def _environment(self, name: str) -> list[str]:
        plain = name.rstrip("*")
        if plain in names.CODE:
            return [self._code(plain)]
        if plain in names.DROPPED:
            self._raw(name)
            return []
        if plain in names.LISTS:
            self._skip(names.ENVIRONMENT_ARGUMENTS.get(plain, "o"))
            return self._list(name, names.LISTS[plain])
        if plain in names.TABLES or (plain == "tabular" and name.endswith("*")):
            return self._table(name, plain)
        if plain in ("quote", "quotation", "verse", "displayquote"):
            inner = self.blocks(name)
            return [markdown.quote(inner)] if inner else []
        if plain == "abstract":
            return ["## Abstract", *self.blocks(name)]
        if plain == "proof":
            note = self.source.optional()
            return _led(f"*{self._line(note) if note else 'Proof'}.*", self.blocks(name))
        if title := self.source.theorems.get(name) or names.THEOREMS.get(plain):
            note = self.source.optional()
            head = f"**{self._line(title)}**" + (f" ({self._line(note)})" if note else "")
            return _led(f"{head}.", self.blocks(name))
        if plain in ("frame", "block", "exampleblock", "alertblock"):
            self.source.optional()
            title = self._line(self.source.group()) if self.source.peek() == "{" else ""
            return [*([f"### {title}"] if title else []), *self.blocks(name)]
        self._skip(names.ENVIRONMENT_ARGUMENTS.get(plain, "o"))
        outer, self.float = self.float, names.FLOATS.get(plain, self.float)
        try:
            return self.blocks(name)
        finally:
            self.float = outer

    def _skip(self, spec: str) -> str:
        """Read arguments; those marked K come back as text."""
        kept = ""
        for each in spec:
            if each == "s":
                self.source.star()
            elif each == "o":
                self.source.optional()
            elif each == "m":
                self.source.group()
            else:
                kept += self._text(self.source.group())
        return kept

    def _raw(self, name: str) -> str:
        r"""The source up to \end{name}, word for word."""
        match = self.source.matching(re.compile(rf"(.*?)\\end\s*\{{{re.escape(name)}\}}", re.DOTALL))
        if match is None:
            match = self.source.matching(re.compile(r"(.*)", re.DOTALL))
        return match[1] if match else ""

    def _code(self, name: str) -> str:
        ending = next(
            (n for n in (name, f"{name}*") if re.search(rf"\\end\s*\{{{re.escape(n)}\}}", self._rest())), name
        )
        options = (
            self.source.matching(re.compile(r"[ \t]*\[([^\]\n]*)\]"))
            if name in ("lstlisting", "minted", "Verbatim", "BVerbatim", "listing")
            else None
        )
        language = self.source.matching(re.compile(r"\s*\{([^{}]*)\}")) if name == "minted" else None
        told = re.search(r"language\s*=\s*\{?(?:\[[^\]]*\])?\s*([\w+#-]+)", options[1]) if options else None
        code = self._raw(ending)
        code = code.split("\n", 1)[1] if "\n" in code and not code.split("\n", 1)[0].strip() else code
        if name == "alltt":
            code = re.sub(r"\\([{}\\])", r"\1", re.sub(r"\\(?:textbf|textit|emph)\{([^{}]*)\}", r"\1", code))
        caption = (
            re.search(r"caption\s*=\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|([^,\]]*))", options[1]) if options else None
        )
        block = markdown.fence(code, (language[1] if language else told[1] if told else "").lower())
        return block + (f"\n\nListing: {self._line(caption[1] or caption[2] or '')}" if caption and block else "")

    def _rest(self) -> str:
        if not self.source.peek():
            return ""
        text, at = self.source._frames[-1]
        return text[at:]

    def _environment_maths(self, name: str) -> str:
        if name.rstrip("*") == "math":
            return self.holder.formula(self._until_end(name), False)
        body = self._until_end(name)
        held = self.holder.hold(f"\\begin{{{name}}}{body}\\end{{{name}}}")
        return f"{APART}{held}{APART}"

    def _until_end(self, name: str) -> str:
        r"""The source up to \end{name}, macros expanded and comments left out."""
        parts: list[str] = []
        depth = 0
        while (token := self.source.next()) is not None:
            if token.kind == "word" and token.text in ("begin", "end"):
                inner = self.source.group()
                if token.text == "begin" and self.source.begin(inner):
                    continue
                if token.text == "end" and inner == name and depth == 0:
                    break
                if token.text == "end" and self.source.end(inner):
                    continue
                depth += (1 if token.text == "begin" else -1) if inner == name else 0
                parts.append(f"\\{token.text}{{{inner}}}")
            else:
                self._maths_token(parts, token)
        return "".join(parts)

    def _maths_token(self, parts: list[str], token: Token) -> None:
        if token.kind == "word" and token.text == "ensuremath":
            self.source.push(self.source.group())
        else:
            macros.add(parts, "\n" if token.kind == "par" else token.raw)

    def _list(self, name: str, marker: str) -> list[str]:
        self.blocks(name, items=True)  # what stands before the first item
        items: list[str] = []
        number = 1
        while (token := self.source.next()) is not None:
            if token.kind == "word" and token.text == "end":
                self.source.group()
                break
            if token.kind != "word" or token.text != "item":
                continue
            label = self.source.optional()
            self.source.spaces()
            blocks = self._deeper(lambda: self.blocks(name, items=True))
            if label is not None and (told := self._line(label)):
                blocks = _led(f"**{told}**" if not marker else told, blocks)
            if blocks:
                items.append(markdown.item(f"{number}." if marker == "1" else "-", blocks))
                number += 1
        loose = any("\n\n" in item for item in items)
        return [("\n\n" if loose else "\n").join(items)] if items else []

    def _table(self, name: str, plain: str) -> list[str]:
        self._skip(
            "mom" if plain == "tabular" and name.endswith("*") else names.ENVIRONMENT_ARGUMENTS.get(plain, "om")
        )
        body = self._until_end(name)
        caption = re.search(r"\\caption\s*(?:\[[^\]]*\])?\s*(\{.*)", body, re.DOTALL)
        before = []
        if caption:
            raw = self.source.within(caption[1]).group()
            before = [f"Table: {self._line(raw)}"]
            body = body.replace(raw, "", 1)
        rows: list[list[str]] = []
        below: list[tuple[int, int, int, str]] = []  # row, column, rows and text of a \multirow
        for row in _split(body, "\\\\"):
            texts: list[str] = []
            for raw in _split(
                re.sub(
                    r"\A\s*\[[^\]]{0,20}\]|\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead|endfoot|endlastfoot|centering|caption\{\})(?![A-Za-z])(?:\[[^\]]*\])?",
                    "",
                    row,
                ),
                "&",
            ):
                wide = re.match(r"\s*\\multicolumn\s*\{\s*(\d{1,3})\s*\}", raw)
                high = re.search(r"\\multirow\s*(?:\[[^\]]*\])?\s*\{\s*(\d{1,4})\s*\}", raw)
                text = self._line(raw)
                if high:
                    below.append((len(rows), len(texts), int(high[1]), text))
                texts += [text] * (int(wide[1]) if wide else 1)
            rows.append(texts)
        for y, x, height, text in below:
            for row in rows[y + 1 : y + height]:
                if x < len(row) and not row[x]:
                    row[x] = text
        table = markdown.table([[Cell(text) for text in row] for row in rows])
        return [*before, table] if table else before

    # --- within paragraphs ---------------------------------------------------------------------------------------------------

    def _inline(self, token: Token) -> str:
        match token.kind:
            case "text":
                return _typography(token.text)
            case "space":
                return " "
            case "tie":
                return " "
            case "dollar" | "dollars":
                return self._dollars(token.kind)
            case "symbol":
                return self._symbol(token.text)
            case "open":
                return self._switched()
            case _:
                return ""

    def _dollars(self, kind: str) -> str:
        parts: list[str] = []
        depth = 0
        while (token := self.source.next()) is not None:
            depth += (token.kind == "open") - (token.kind == "close")
            if token.kind == kind and depth <= 0:
                break
            if token.kind == "dollars" and kind == "dollar" and depth <= 0:  # $a$$b$
                self.source.push("$")
                break
            if token.kind == "par" and kind == "dollar":  # TeX would stop here too: a dollar that was none
                return "\\$" + self._text("".join(parts)) + APART
            self._maths_token(parts, token)
        return self.holder.formula("".join(parts), kind == "dollars")

    def _bracketed(self, closing: str, display: bool) -> str:
        parts: list[str] = []
        while (token := self.source.next()) is not None:
            if token.kind == "symbol" and token.text == closing:
                break
            self._maths_token(parts, token)
        return self.holder.formula("".join(parts), display)

    def _symbol(self, symbol: str) -> str:
        if symbol == "(":
            return self._bracketed(")", False)
        if symbol == "[":
            return self._bracketed("]", True)
        if symbol == "\\":
            self.source.star()
            self.source.matching(re.compile(r"[ \t]*\[[^\]\n]{0,20}\]"))
            return BREAK
        if symbol in names.ACCENTS:
            return self._accent(names.ACCENTS[symbol])
        if symbol in "!-/@*>":
            return ""
        if symbol in " \n\t,;:":
            return " "
        return f"\\{symbol}" if symbol == "$" else symbol

    def _accent(self, mark: str) -> str:
        letter = self._line(self.source.group()).replace("ı", "i").replace("ȷ", "j")
        return unicodedata.normalize("NFC", letter[:1] + mark + letter[1:]) if letter else ""

    def _switched(self) -> str:
        r"""A group that begins with \bf or its like, or nothing: other braces do not matter to text."""
        match = self.source.matching(re.compile(r"\s*\\(bf|bfseries|em|it|itshape|sl|tt|ttfamily)(?![A-Za-z])\s*"))
        if match is None:
            return ""
        text = self._text(self.source._until("close"))
        return (
            self.holder.code(self.holder.release(text))
            if match[1].startswith("tt")
            else _marked(text, names.MARKS[match[1]])
        )

    def _command(self, token: Token) -> str:
        name = token.text
        if name in ("verb", "lstinline", "mintinline", "Verb"):
            return self._verb(name)
        if name in names.LETTER_ACCENTS:
            return self._accent(names.LETTER_ACCENTS[name])
        self._after(name)
        if name in names.SYMBOLS:
            return names.SYMBOLS[name]
        if name in names.MARKS and name not in names.SWITCHES:
            return _marked(self._text(self.source.group()), names.MARKS[name])
        if name in ("texttt", "code", "path", "file"):
            return self.holder.code(self.holder.release(self._line(self.source.group())))
        if name == "url":
            return self.holder.hold(self.source.group())
        if name in ("footnote", "footnotetext"):
            self.source.optional()
            note = self._line(self.source.group())
            return f" ({note})" if note else ""
        if name in names.REFERENCES:
            self.source.star()
            label = self.source.group().strip()
            return f"[{label}]" if label else ""
        if name in names.AS_MATHS:
            options = self.source.optional()
            groups = "".join(f"{{{self.source.group()}}}" for _ in range(names.AS_MATHS[name]))
            return self.holder.formula(f"\\{name}{f'[{options}]' if options else ''}{groups}", False)
        if name == "ensuremath":
            return self.holder.formula(self._sub(self.source.group())._until_end(""), False)
        if name in names.ARGUMENTS:
            return self._skip(names.ARGUMENTS[name])
        if name == "enquote":
            return f"“{self._text(self.source.group())}”"
        if name in ("textsuperscript", "textsubscript"):
            text = self._line(self.source.group())
            return (
                text
                if re.fullmatch(r"st|nd|rd|th", text)
                else f"{'^' if 'super' in name else '_'}{text if len(text) == 1 else f'{{{text}}}'}"
            )
        self.source.star()
        if self.source.peek() == "[":
            self.source.optional()
        return ""  # what stands in its braces is read as text

    def _after(self, name: str) -> None:
        """The spaces after a control word are its end, but a word that is text keeps one if braces or a slash say so."""
        self.source.spaces()

    def _verb(self, name: str) -> str:
        if name == "mintinline":
            self.source.group()
        options = r"(?:\[[^\]]*\])?" if name != "verb" else r"\*?"
        match = self.source.matching(re.compile(options + r"(?:\{([^{}\n]*)\}|([^\w\s])(.*?)\2)"))
        if match is None:
            return ""
        return self.holder.code(match[1] if match[1] is not None else match[3])


def _led(head: str, blocks: list[str]) -> list[str]:
    """Blocks that begin with a head: in the first one's line where that is text."""
    if blocks and not re.match(r"(?:`{3}|[-*|>#] |\d+\. |\||\$\$|\\begin)", blocks[0]):
        return [f"{head} {blocks[0]}", *blocks[1:]]
    return [head, *blocks]


def _marked(text: str, mark: str) -> str:
    core = text.strip()
    return f"{mark}{core}{mark}" if core and APART not in core and not core.startswith("*") else text


def _typography(text: str) -> str:
    text = text.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”")
    return text.replace("`", "‘")


def _split(body: str, at: str) -> list[str]:
    r"""Source split at & or \\ outside braces, formulas and environments."""
    parts = [""]
    depth = 0
    maths = False
    for piece in re.findall(r"\\(?:begin|end)\s*\{[^{}]*\}|\\[A-Za-z@]+|\\.|[{}&$]|[^\\{}&$]+|\\", body, re.DOTALL):
        if piece == "{" or piece.startswith("\\begin"):
            depth += 1
        elif piece == "}" or re.match(r"\\end\s*\{", piece):
            depth -= 1
        elif piece == "$":
            maths = not maths
        if piece == at and depth <= 0 and not maths:
            parts.append("")
        else:
            parts[-1] += piece
    return parts
