"""A checkpoint's own jinja template, run as transformers runs it, in a sandbox and within bounds.

What the template writes becomes tokens; what it only passes on from a message stays text. To tell them apart, special-
token strings inside messages are hidden behind private-use characters while the template runs.

The bounds (loop steps, size) stop a template that runs away. They do not make a hostile one safe: a checkpoint is code
that its user chose to run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from phiforge.chat.render import Draft, Tool, function_of
from phiforge.records import Message

MAX_CHARS = 16_000_000  # of the rendered text: several times the longest context there is
MAX_LOOP_STEPS = 300_000  # about a second

# Placeholders come from private-use plane 15; the last two mark what stands in a {% generation %} block.
_PLANE_START, _PLANE_END = 0xF0000, 0xFFFFB
_GENERATION_START, _GENERATION_END = "\U000ffffc", "\U000ffffd"


class TemplateError(ValueError):
    """A template failed. The message names where it came from and the problem."""


class Template:
    """One jinja template. `name` says in errors where it came from. Raises TemplateError if it does not parse."""

    def __init__(self, source: str, name: str) -> None:
        self.name = name
        self.source = source
        try:
            self._template = _environment().from_string(source)
        except jinja2.TemplateError as error:
            raise TemplateError(f"chat template of {name} does not parse: {error}") from None

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        generate: bool = True,
        specials: Iterable[str] = (),
        variables: Mapping[str, Any] | None = None,
    ) -> Draft:
        """Run the template over `messages`.

        `specials` are the strings to keep apart inside messages, `variables` what the template sees besides
        (`bos_token`, …).

        Raises TemplateError when the template fails, runs away, or leaves out a message, a tool or a call.
        """
        shield = _Shield(specials)
        chat = [self._as_dict(message, shield) for message in messages]
        offered = [shield.hide(dict(tool)) for tool in tools] or None
        names = [str(function_of(tool).get("name")) for tool in tools]
        names += [call.name for message in messages for call in message.tool_calls]
        context = {"messages": chat, "tools": offered, "documents": None, "add_generation_prompt": generate}
        output = self._run({**context, **(variables or {})})
        self._check_nothing_dropped(output, chat, [shield.hide(name) for name in names])
        return shield.reveal(output)

    def _as_dict(self, message: Message, shield: _Shield) -> dict[str, Any]:
        """A message as transformers hands it to templates."""
        content: str = shield.hide(message.text)
        entry: dict[str, Any] = {"role": message.role, "content": content}
        if message.thinking is not None:
            thinking = shield.hide(message.thinking)
            if "reasoning_content" in self.source:
                entry["reasoning_content"] = thinking
            else:  # a template that knows no thoughts gets it inside the text, as the model wrote it
                entry["content"] = f"<think>{thinking}</think>{content}"
        if message.tool_calls:
            entry["tool_calls"] = [
                {
                    "type": "function",
                    "id": call.id,
                    "function": {"name": shield.hide(call.name), "arguments": shield.hide(call.arguments)},
                }
                for call in message.tool_calls
            ]
        if message.tool_call_id:
            entry["tool_call_id"] = message.tool_call_id
        if message.name:
            entry["name"] = shield.hide(message.name)
        return entry

    def _run(self, context: dict[str, Any]) -> str:
        steps = 0

        def count_step() -> None:
            nonlocal steps
            steps += 1
            if steps > MAX_LOOP_STEPS:
                raise SecurityError(f"more than {MAX_LOOP_STEPS:,} loop steps")

        chunks: list[str] = []
        size = 0
        try:
            for chunk in self._template.generate(**context, **{_COUNT_STEP: count_step}):
                size += len(chunk)
                if size > MAX_CHARS:
                    raise SecurityError(f"more than {MAX_CHARS:,} characters")
                chunks.append(chunk)
        except Exception as error:  # a template runs any expression, so any exception can come out of it
            problem = str(error) or type(error).__name__
            raise TemplateError(f"chat template of {self.name} failed: {problem}") from None
        return "".join(chunks)

    def _check_nothing_dropped(self, output: str, chat: list[dict[str, Any]], names: list[str]) -> None:
        """Templates drop what they do not know without a word. Spaces do not count, and the assistant's own turns may
        be rewritten: many templates take old thoughts out of them."""
        seen = "".join(output.split())
        for message in chat:
            text = message["content"]
            if message["role"] == "assistant" or "".join(text.split()) in seen:
                continue
            if "".join(json.dumps(text, ensure_ascii=False)[1:-1].split()) not in seen:
                raise TemplateError(
                    f"chat template of {self.name} leaves out the {message['role']} message {text[:60]!r}; "
                    "put its text into a user message"
                )
        for name in names:
            if name not in output:
                raise TemplateError(f"chat template of {self.name} does not support tools: it leaves out {name!r}")


class _Shield:
    """Hides special-token strings in messages behind placeholder characters, and finds them again in the output."""

    def __init__(self, specials: Iterable[str]) -> None:
        longest_first = sorted(specials, key=len, reverse=True)
        self._markup = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        alternatives = [*map(re.escape, longest_first), "[\U000f0000-\U000ffffd]"]  # and characters like our own
        self._hideable = re.compile("|".join(alternatives))
        self._placeholders: dict[str, str] = {}

    def hide(self, value: Any) -> Any:
        """`value` (text, or JSON holding text) with nothing in it that looks like a special token."""
        if isinstance(value, str):
            return self._hideable.sub(lambda match: self._placeholder(match.group()), value)
        if isinstance(value, dict):
            return {self.hide(k): self.hide(v) for k, v in cast(dict[Any, Any], value).items()}
        if isinstance(value, list | tuple):
            return [self.hide(v) for v in cast(Sequence[Any], value)]
        return value

    def _placeholder(self, text: str) -> str:
        code = _PLANE_START + len(self._placeholders)
        if text not in self._placeholders and code > _PLANE_END:
            raise ValueError("too many different private-use characters in one conversation")
        return self._placeholders.setdefault(text, chr(code))

    def reveal(self, output: str) -> Draft:
        """The output, special tokens written by the template as markup, everything else as text."""
        back = str.maketrans({placeholder: text for text, placeholder in self._placeholders.items()})
        draft = Draft()
        own = False
        for part in re.split(f"([{_GENERATION_START}{_GENERATION_END}])", output):
            if part in (_GENERATION_START, _GENERATION_END):
                own = part == _GENERATION_START
                continue
            at = 0
            for match in self._markup.finditer(part) if self._markup else ():
                draft.text(part[at : match.start()].translate(back), own=own)
                draft.markup(match.group(), own=own)
                at = match.end()
            draft.text(part[at:].translate(back), own=own)
        return draft


# --- the environment -----------------------------------------------------------------------------------------------

_COUNT_STEP = "_count_loop_step"


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, counting loop steps and refusing to multiply text beyond all bounds."""

    intercepted_binops = frozenset({"+", "*", "**"})

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            call = nodes.Call(nodes.Name(_COUNT_STEP, "load"), [], [], None, None)
            step = nodes.ExprStmt(call).set_lineno(loop.lineno).set_environment(self)
            loop.body.insert(0, step)
        return tree

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sizes = [
            len(cast(Sequence[Any], value)) if isinstance(value, str | list | tuple) else None
            for value in (left, right)
        ]
        if operator == "+" and sizes[0] is not None and sizes[1] is not None:
            size = sizes[0] + sizes[1]
        elif operator == "*":
            size = next((s * o for s, o in zip(sizes, (right, left), strict=True) if s and isinstance(o, int)), 0)
        elif operator == "**":
            size = MAX_CHARS + 1 if isinstance(right, int) and right > 1024 else 0
        else:
            size = 0
        if size > MAX_CHARS:
            raise SecurityError(f"{operator!r} makes a value beyond {MAX_CHARS:,} characters")
        return super().call_binop(context, operator, left, right)


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: what the assistant wrote, as transformers marks it."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(lineno)

    def _mark(self, caller: Callable[[], str]) -> str:
        return f"{_GENERATION_START}{caller()}{_GENERATION_END}"


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    # The settings, filters and functions that transformers gives templates (its utils/chat_template_utils.py).
    environment = _Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters.update(tojson=_tojson)  # pyright: ignore[reportUnknownMemberType]
    environment.globals.update(  # pyright: ignore[reportUnknownMemberType]
        raise_exception=_raise_exception, strftime_now=_strftime_now
    )
    return environment


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Unlike jinja's own filter, without escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)
