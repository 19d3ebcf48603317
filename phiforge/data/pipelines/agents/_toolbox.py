"""Tools in OpenAI's form, and the ways in which people ask for them: what a request says is known exactly.

A form is a sentence with gaps, "What is the weather like in {city}[ {when}]?"; what stands in brackets is left out where
its argument is not given. A form that begins with a small letter is something to be done, "book a table", which is asked
for in many ways. Optional arguments without a gap have sentences of their own.

`ask` says a call, `read` finds the call in what was said, by patterns made of the forms.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._groups import apart
from phiforge.data.pipelines.agents._values import Kind

Args = dict[str, Any]


class Request(NamedTuple):
    """What a user says to have a tool called: the text, the name of its phrasing, and how each argument is put."""

    text: str
    template: str
    said: dict[str, str]


class Param(NamedTuple):
    """A parameter: its kind of value, the noun for it, its description, and sentences that state it by itself."""

    kind: Kind
    noun: str
    about: str
    also: tuple[str, ...] = ()
    default: Any = None


class Tool:
    """A function that may be called.

    `need` and `may` are its required and optional parameters, `asks` the forms of requests, `gives` the values that come
    back, `reply` the sentence that tells them. A `broad` tool could serve for much that is asked of others.
    """

    def __init__(
        self,
        name: str,
        domain: str,
        about: str,
        need: Mapping[str, Param],
        may: Mapping[str, Param],
        asks: Sequence[str],
        gives: Mapping[str, Kind],
        reply: str,
        broad: bool = False,
    ) -> None:
        self.name, self.family, self.domain, self.about, self.need, self.may = (
            name,
            name,
            domain,
            about,
            dict(need),
            dict(may),
        )
        self.gives, self.reply, self.broad = dict(gives), reply, broad
        self.params = self.need | self.may
        self.forms = [Form(text, self.params) for text in asks]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        properties: dict[str, Any] = {}
        for name, param in self.params.items():
            properties[name] = {**param.kind.schema(), "description": param.about}
            if param.default is not None:
                properties[name]["default"] = param.default
        return {"type": "object", "properties": properties, "required": list(self.need)}

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The tool in the form of OpenAI's function calling."""
        function = {"name": self.name, "description": self.about, "parameters": self.parameters}
        return {"type": "function", "function": function}

    @cached_property
    def also(self) -> dict[str, re.Pattern[str]]:
        """A pattern for each optional parameter that has sentences of its own."""
        return {
            name: re.compile("|".join(f"(?:{_pattern(text, {name: param}, n)})" for n, text in enumerate(param.also)))
            for name, param in self.may.items()
            if param.also
        }

    @property
    def does(self) -> str:
        """The description as it stands in a sentence."""
        return f"{self.about[0].lower()}{self.about[1:]}".rstrip(".")

    def ordered(self, args: Args) -> Args:
        """Arguments in the order of the parameters."""
        return {name: args[name] for name in self.params if name in args}

    def draw(self, draw: Draw, today: date, optional: int = 0) -> Args:
        """Arguments for a call, with so many of the optional ones."""
        chosen = draw.sample(list(self.may), min(optional, len(self.may)))
        kinds = {n: p.kind for n, p in self.params.items() if n in self.need or n in chosen}
        args = apart({name: kind.draw(draw, today) for name, kind in kinds.items()}, kinds, draw, today)
        return {name: value for name, value in args.items() if value != self.params[name].default}

    def called(self, name: str) -> Tool:
        """The same tool under another name."""
        twin = copy(self)
        twin.__dict__.pop("definition", None)
        twin.name = name
        return twin


class Form:
    """One way to ask for a tool: pieces of text, each with its gaps, some of them optional."""

    def __init__(self, text: str, params: Mapping[str, Param]) -> None:
        self.text, self.params = text, params
        self.pieces = [
            (part.strip("[]"), tuple(_GAP.findall(part)), part.startswith("["))
            for part in re.split(r"(\[[^\]]*\])", text)
            if part
        ]
        self.fixed = {gap for _, gaps, optional in self.pieces if not optional for gap in gaps}
        self.gaps = {gap for _, gaps, _ in self.pieces for gap in gaps}
        self.is_order = text[0].islower()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(_pattern(self.text, self.params))

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """Texts without which nothing can be an instance of this form: much faster to look for than its pattern."""
        literal = [text for piece, _, optional in self.pieces if not optional for text in _GAP.split(piece)[::2]]
        return tuple(text for text in (literal[0][1:], *literal[1:]) if text)

    def found(self, request: str) -> Iterator[re.Match[str]]:
        """Where a request holds this form."""
        if all(mark in request for mark in self.marks):
            yield from self.pattern.finditer(request)

    def said(self, said: Mapping[str, str]) -> str:
        """The form with what is said in its gaps."""
        return "".join(
            text.format(**said) for text, gaps, optional in self.pieces if not optional or all(g in said for g in gaps)
        )


_GAP = re.compile(r"\{(\w+)\}")


def _pattern(text: str, params: Mapping[str, Param], number: int = -1) -> str:
    """The regular expression of a form. Groups are named by parameter, with a number where one is given."""
    tail = "" if number < 0 else f"__{number}"
    made: list[str] = []
    for part in re.split(r"(\[[^\]]*\])", text):
        escaped = re.escape(part.strip("[]")).replace(r"\{", "{").replace(r"\}", "}").replace(r"\_", "_")
        gapped = _GAP.sub(lambda m: f"(?P<{m[1]}{tail}>{params[m[1]].kind.pattern})", escaped)
        made.append(f"(?:{gapped})?" if part.startswith("[") else gapped)
    whole = "".join(made)
    return f"(?<![\\w-])(?i:{whole[0]}){whole[1:]}(?![\\w-])" if whole[0].isalpha() else whole


def phrase(draw: Draw, tool: Tool, args: Args, today: date) -> tuple[Form, dict[str, str]]:
    """A form that can say these arguments, of which required ones may be missing, and how each is put."""
    able = [
        form
        for form in tool.forms
        if form.fixed <= args.keys() and all(name in form.gaps or tool.params[name].also for name in args)
    ]
    return draw.pick(able), {name: tool.params[name].kind.say(value, draw, today) for name, value in args.items()}


def ask(draw: Draw, tool: Tool, args: Args, today: date) -> Request:
    """A request for a call with these arguments."""
    form, said = phrase(draw, tool, args, today)
    body = form.said(said)
    first = order(draw, body) if form.is_order else f"{body[0].upper()}{body[1:]}"
    template = f"{tool.family} {tool.forms.index(form)}"
    return Request(" ".join([first, *asides(draw, tool, form, said)]), template, said)


def asides(draw: Draw, tool: Tool, form: Form, said: Mapping[str, str]) -> list[str]:
    """Sentences for what a form has no gap for."""
    return draw.shuffled([draw.pick(tool.params[name].also).format(**{name: said[name]}) for name in said if name not in form.gaps])  # fmt: skip


def askable(tool: Tool, args: Args) -> bool:
    """Whether some form can say these arguments and no others."""
    return any(f.fixed <= args.keys() and all(n in f.gaps or tool.params[n].also for n in args) for f in tool.forms)


def read(tool: Tool, request: str, today: date) -> Args | None:
    """The arguments that a request states for this tool; None where it does not ask for it."""
    matches = [match for form in tool.forms for match in form.found(request)]
    if not matches:
        return None
    best = max(matches, key=lambda match: (match.end() - match.start(), len(match.groups())))
    found = {name: text for name, text in best.groupdict().items() if text is not None}
    for name, pattern in tool.also.items():
        if name not in found and (match := pattern.search(request)):
            found[name] = next(text for text in match.groupdict().values() if text is not None)
    return tool.ordered({name: tool.params[name].kind.read(text, today) for name, text in found.items()})


def offered(request: str, tools: Sequence[Tool], today: date) -> Iterator[tuple[Tool, Args]]:
    """Every tool that a request asks for, with the arguments it states."""
    for tool in tools:
        if (args := read(tool, request, today)) is not None:
            yield tool, args


def expected(tool: Tool, args: Args) -> dict[str, Any]:
    """The call as the `schema` verifier expects it: a default that is not stated may be given or left out."""
    open_to = {n: [p.default, ""] for n, p in tool.may.items() if p.default is not None and n not in args}
    if not open_to:
        return {"name": tool.name, "arguments": tool.ordered(args)}
    return {"name": tool.name, "accept": {n: [v] for n, v in tool.ordered(args).items()} | open_to}


def answer(calls: Sequence[tuple[Tool, Args]]) -> str:
    """The expected calls as JSON."""
    return json.dumps([expected(tool, args) for tool, args in calls], ensure_ascii=False)


def order(draw: Draw, body: str) -> str:
    """Something to be done as a sentence: an order, a plea, a question or a wish."""
    form = draw.pick(_ORDERS)
    made = form.format(body)
    return f"{made[0].upper()}{made[1:]}"


_ORDERS = ("{}.", "{}.", "{}, please.", "please {}.", "could you {}?", "can you {}?", "would you {}?", "could you please {}?", "I would like you to {}.", "I need you to {}.", "I want you to {}.", "would you mind helping me? Please {}.", "it would be great if you could {}.", "go ahead and {}.", "do me a favour and {}.", "what I need is simple: {}.")  # fmt: skip
