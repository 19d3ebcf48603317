r"""TeX source read token by token, macros expanded as they come: \newcommand, \def, \let, \newenvironment and their like, \input.

What a macro stands for is put back in front of the source, as TeX does it, so that a macro may begin what another ends. Counted
limits end sources that expand or include themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from phiforge.data.curate.extract.record import Unreadable

MOST_EXPANSIONS = 100_000
MOST_CHARACTERS = 20_000_000  # put back by macros
MOST_INPUTS = 500
MOST_FRAMES = 20_000  # macros that wait for the end of others

_TOKEN = re.compile(
    r"\\(?P<word>[A-Za-z@]+)|\\(?P<symbol>.)|(?P<comment>%[^\n]*\n?[ \t]*)|(?P<par>[ \t]*\n[ \t]*\n\s*)|(?P<space>\s+)"
    r"|(?P<dollars>\$\$)|(?P<dollar>\$)|(?P<open>\{)|(?P<close>\})|(?P<amp>&)|(?P<tie>~)|(?P<text>[^\\%\s${}&~]+)|(?P<stray>\\)",
    re.DOTALL,
)
_BRACE = re.compile(r"\\.|%[^\n]*|[{}]", re.DOTALL)
_BRACKETED = re.compile(r"[ \t]*\n?[ \t]*\[[^\]]{0,2000}\]")
_NOT_TEXT = re.compile(r"\.(?:bbl|bib|ind|gls|acr|pgf|tikz|pdf_tex|pdf_t|pstex_t|eps|pdf|png|sty|cls|aux|toc)\Z")
_DEFINING = frozenset(
    "newcommand renewcommand providecommand DeclareRobustCommand DeclareMathOperator def gdef edef xdef let newenvironment renewenvironment "
    "NewDocumentCommand RenewDocumentCommand ProvideDocumentCommand DeclareDocumentCommand newtheorem newif".split()
)


class Token(Struct, frozen=True):
    """A piece of source: what it is, its text (of a control word or symbol, its name), and the source itself."""

    kind: str
    text: str
    raw: str


class Macro(Struct, frozen=True):
    """What stands for a control word. `spec` has an entry an argument: None for one in braces, the default for one in brackets;
    "*" for a star."""

    body: str
    spec: tuple[str | None, ...] = ()
    star: bool = False


class Source:
    """The source and the macros met in it. `folder` is where \\input may read; None forbids it."""

    def __init__(self, text: str, folder: Path | None = None, read: Callable[[Path], str] | None = None) -> None:
        self.folder, self.read = folder, read
        self.macros: dict[str, Macro] = {}
        self.environments: dict[str, tuple[Macro, str]] = {}
        self.theorems: dict[str, str] = {}
        self.flags: dict[str, bool] = {"false": False, "true": True}
        self._frames: list[tuple[str, int]] = [(text, 0)]
        self.aliases: dict[str, Token] = {}  # of \\let, for what is no macro
        self._spent = {"expansions": 0, "characters": 0, "inputs": 0}
        self._arguments: list[list[str]] = []  # of environments that are open

    def within(self, text: str) -> Source:
        """Another text that shares macros and limits with this one."""
        other = Source.__new__(Source)
        other.__dict__.update(self.__dict__)
        other._frames, other._arguments = [(text, 0)], []
        return other

    # --- tokens --------------------------------------------------------------------------------------------------------

    def next(self, expand: bool = True) -> Token | None:
        """The next token, comments skipped, definitions taken in and macros expanded; None at the end."""
        while (token := self._token()) is not None:
            if not expand or token.kind != "word":
                return token
            name = token.text
            if name in _DEFINING:
                self._define(name)
            elif name in self.aliases:
                return self.aliases[name]
            elif name in self.macros:
                self._expand(self.macros[name])
            elif name in ("input", "include", "subfile", "import", "subimport"):
                self._include(name)
            elif name.startswith("if") and name[2:] in self.flags:
                self.spaces()
                if not self.flags[name[2:]]:
                    self._skip_to_fi(stop_at_else=True)
            elif name == "else":
                self._skip_to_fi(stop_at_else=False)
            elif name == "fi":
                self.spaces()
            elif name[-4:] == "true" and name[:-4] in self.flags:
                self.flags[name[:-4]] = True
                self.spaces()
            elif name[-5:] == "false" and name[:-5] in self.flags:
                self.flags[name[:-5]] = False
                self.spaces()
            elif name in ("xspace", "relax", "protect", "makeatletter", "makeatother"):
                continue
            else:
                return token
        return None

    def _token(self) -> Token | None:
        while self._frames:
            text, at = self._frames[-1]
            if at >= len(text):
                self._frames.pop()
                continue
            match = _TOKEN.match(text, at)
            assert match is not None
            assert match.lastgroup is not None
            kind, end = match.lastgroup, match.end()
            self._frames[-1] = (text, end)
            if kind == "comment":
                if text[end : end + 1] == "\n" and match[0].endswith(("\n", " ", "\t")):
                    return Token("par", "\n\n", "\n\n")
                continue
            if kind == "stray":
                continue
            return Token(kind, match[kind], match[0])
        return None

    def push(self, text: str) -> None:
        """Put text in front of what is left."""
        self._spent["characters"] += len(text)
        self._spent["expansions"] += 1
        if (
            self._spent["expansions"] > MOST_EXPANSIONS
            or self._spent["characters"] > MOST_CHARACTERS
            or len(self._frames) > MOST_FRAMES
        ):
            raise Unreadable(
                "macros without end", f"over {MOST_EXPANSIONS:,} expansions or {MOST_CHARACTERS:,} characters"
            )
        if text:
            self._frames.append((text, 0))

    def spaces(self) -> None:
        """Skip spaces, as TeX does after a control word."""
        while self._frames:
            text, at = self._frames[-1]
            end = at
            while end < len(text) and text[end] in " \t":
                end += 1
            if end < len(text) and text[end] == "\n" and not re.match(r"\n[ \t]*\n", text[end : end + 200]):
                end += 1
                while end < len(text) and text[end] in " \t":
                    end += 1
            self._frames[-1] = (text, end)
            if end < len(text):
                if text[end] == "%":
                    line = text.find("\n", end)
                    self._frames[-1] = (text, len(text) if line < 0 else line + 1)
                    continue
                return
            self._frames.pop()

    def peek(self) -> str:
        """The next character, or "" at the end."""
        while self._frames:
            text, at = self._frames[-1]
            if at < len(text):
                return text[at]
            self._frames.pop()
        return ""

    def matching(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Take what matches here, of the text at hand, word for word."""
        if not self.peek():
            return None
        text, at = self._frames[-1]
        if match := pattern.match(text, at):
            self._frames[-1] = (text, match.end())
        return match

    # --- arguments -------------------------------------------------------------------------------------------------------

    def star(self) -> bool:
        return self.matching(re.compile(r"\s*\*")) is not None

    def group(self) -> str:
        """The next argument: what is in braces, or one token."""
        self.spaces()
        token = self._token()
        while token is not None and token.kind in ("space", "par"):
            token = self._token()
        if token is None:
            return ""
        if token.kind == "close":
            self.push("}")
            return ""
        if token.kind == "text" and len(token.text) > 1:
            self.push(token.text[1:])
            return token.text[0]
        return self._until("close") if token.kind == "open" else token.raw

    def optional(self) -> str | None:
        """The next argument in brackets, or None; a bracket that does not close soon is text."""
        if not self.peek() or not _BRACKETED.match(*self._frames[-1]):
            return None
        self.matching(re.compile(r"\s*\["))
        return self._until("]")

    def arguments(self, macro: Macro) -> list[str]:
        found = ["*" if self.star() else ""] if macro.star else []
        for default in macro.spec:
            if default is None:
                found.append(self.group())
            else:
                told = self.optional()
                found.append(default if told is None else told)
        return found

    def _until(self, stop: str) -> str:
        """The source up to a closing brace or bracket, braces balanced."""
        if stop == "close" and (whole := self._braced_text()) is not None:
            return whole
        parts: list[str] = []
        depth = 0
        while (token := self._token()) is not None:
            if token.kind == "close":
                if depth == 0:
                    if stop == "close":
                        return "".join(parts)
                    self.push("}")  # a bracket that was none
                    return "".join(parts)
                depth -= 1
            elif token.kind == "open":
                depth += 1
            elif stop == "]" and depth == 0 and token.kind == "text" and "]" in token.text:
                inside, _, rest = token.text.partition("]")
                self.push(rest)
                return "".join([*parts, inside])
            add(parts, token.raw)
        return "".join(parts)

    def _braced_text(self) -> str | None:
        """The source up to the closing brace, comments in it, where it closes in the text at hand or nothing follows that."""
        if not self.peek():
            return ""
        text, at = self._frames[-1]
        depth = 0
        for match in _BRACE.finditer(text, at):
            depth += (match[0] == "{") - (match[0] == "}")
            if depth < 0:
                self._frames[-1] = (text, match.end())
                return text[at : match.start()]
        if len(self._frames) > 1:
            return None
        self._frames.clear()
        return text[at:]

    # --- macros ------------------------------------------------------------------------------------------------------------

    def _expand(self, macro: Macro) -> None:
        if macro.spec or macro.star:
            self.push(substituted(macro.body, self.arguments(macro)))
        else:
            self.push(macro.body)

    def begin(self, name: str) -> bool:
        """Open an environment of \\newenvironment, if it is one."""
        if name not in self.environments:
            return False
        macro, _ = self.environments[name]
        self._arguments.append(self.arguments(macro))
        self.push(substituted(macro.body, self._arguments[-1]))
        return True

    def end(self, name: str) -> bool:
        if name not in self.environments or not self._arguments:
            return False
        self.push(substituted(self.environments[name][1], self._arguments.pop()))
        return True

    def _name(self) -> str:
        """A control word's name, with or without braces around it; "" if it is something else."""
        name = self.group().strip()
        return name[1:] if re.fullmatch(r"\\(?:[A-Za-z@]+|.)", name) else ""

    def _define(self, command: str) -> None:
        if command == "newif":
            self.flags[self._name().removeprefix("if")] = False
            return
        if command in ("def", "gdef", "edef", "xdef"):
            self._def()
            return
        if command == "let":
            name = self._name()
            self.matching(re.compile(r"\s*=?\s*"))
            token = self._token()
            if name and token is not None and token.raw != f"\\{name}":
                if token.kind == "word" and token.text in self.macros:
                    self._put(name, self.macros[token.text])
                else:
                    self.aliases[name] = self.aliases.get(token.text, token)
            return
        star = self.star()
        if command == "newtheorem":
            name = self.group()
            self.optional()
            self.theorems[name] = self.group()
            self.optional()
            return
        if command == "DeclareMathOperator":
            name, body = self._name(), self.group()
            self._put(name, Macro(rf"\operatorname{'*' if star else ''}{{{body}}}"))
            return
        if "DocumentCommand" in command:
            name, spec = self._name(), self.group()
            kinds = re.findall(r"([smorO])(?:\{([^{}]*)\})?", spec)
            entries = tuple(None if kind in "mr" else default for kind, default in kinds if kind != "s")
            self._put(name, Macro(self.group(), entries, star="s" in spec[:1]))
            return
        environment = command.endswith("environment")
        name = self.group().strip() if environment else self._name()
        count, default = self.optional(), self.optional()
        n = int(count) if count and count.strip().isdigit() and len(count.strip()) == 1 else 0
        entries: tuple[str | None, ...] = (None,) * n if default is None else (default, *(None,) * (n - 1))
        body = self.group()
        if environment:
            self.environments[name] = (Macro(body, entries), self.group())
        elif not (command == "providecommand" and name in self.macros):
            self._put(name, Macro(body, entries))

    def _def(self) -> None:
        self.spaces()
        token = self._token()
        name = token.text if token is not None and token.kind == "word" else ""
        told = self.matching(re.compile(r"[^{}]{0,80}(?=\{)"))
        parameters = told[0].strip() if told else ""
        body = self.group()
        if re.fullmatch(r"(?:#[1-9])*", parameters):  # delimited parameters are left to the text
            self._put(name, Macro(body, (None,) * (len(parameters) // 2)))

    def _put(self, name: str, macro: Macro) -> None:
        """Keep a macro, unless it redefines what this module or Markdown needs as it is, or stands for itself."""
        if name and name not in _STANDING and not re.search(rf"\\{re.escape(name)}(?![A-Za-z])", macro.body):
            self.macros[name] = macro
            self.aliases.pop(name, None)

    # --- conditions and files --------------------------------------------------------------------------------------------

    def _skip_to_fi(self, *, stop_at_else: bool) -> None:
        depth = 0
        while (token := self._token()) is not None:
            if token.kind != "word":
                continue
            if depth == 0 and (token.text == "fi" or (token.text == "else" and stop_at_else)):
                self.spaces()
                return
            if token.text == "fi":
                depth -= 1
            elif token.text.startswith("if") and token.text not in ("iff", "ifthenelse"):
                depth += 1

    def _include(self, command: str) -> None:
        names = (
            [self.group().strip() for _ in range(2 if "import" in command else 1)]
            if self._braced()
            else [self._bare()]
        )
        name = "/".join(each.strip("/") if n else each for n, each in enumerate(names)).replace("//", "/")
        if not name or _NOT_TEXT.search(name):
            return
        self._spent["inputs"] += 1
        if self._spent["inputs"] > MOST_INPUTS:
            raise Unreadable("files without end", f"over {MOST_INPUTS} times \\input")
        if self.folder is None or self.read is None:
            raise Unreadable("\\input of bytes", f"\\{command}{{{name}}} has no folder to read from")
        file = located(self.folder, name)
        if file is None:
            raise Unreadable("\\input outside its folder", f"\\{command}{{{name}}} is not read")
        if not file.is_file():
            raise Unreadable("missing \\input", f"\\{command}{{{name}}}: there is no such file")
        apart = "\n\n" if command == "include" else ""  # which begins a page
        self.push(f"{apart}{self.read(file)}\n{apart}")

    def _braced(self) -> bool:
        self.spaces()
        return self.peek() == "{"

    def _bare(self) -> str:
        match = self.matching(re.compile(r"[^\s{}\\%]+"))
        return match[0] if match else ""


# Redefinitions of these would take their meaning from the converter, which knows it.
_STANDING = frozenset(
    "begin end item section subsection subsubsection chapter part title caption includegraphics footnote maketitle label ref cite par".split()
)


def add(parts: list[str], raw: str) -> None:
    """Add source to source, a space where a control word would run into a letter that came from a macro."""
    if parts and raw[:1].isalpha() and parts[-1][:1] == "\\" and parts[-1][-1:].isalpha():
        parts.append(" ")
    parts.append(raw)


def substituted(body: str, arguments: list[str]) -> str:
    """A macro's body with #1 to #9 replaced, a space where a command would run into an argument's first letter."""

    def put(match: re.Match[str]) -> str:
        word = match[1] or ""
        if match[2] == "#":
            return word + "#"
        argument = arguments[int(match[2]) - 1] if int(match[2]) <= len(arguments) else ""
        return word + (" " if word and argument[:1].isalpha() else "") + argument

    return re.sub(r"(\\[A-Za-z@]+)?#([1-9#])", put, body)


def located(folder: Path, name: str) -> Path | None:
    """The file that \\input means, or None where it lies outside the folder, links followed."""
    root = folder.resolve()
    for candidate in (name, f"{name}.tex"):
        file = (root / candidate).resolve()
        if not file.is_relative_to(root):
            return None
        if file.is_file():
            return file
    return root / name
