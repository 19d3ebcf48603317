"""The members' chat formats, exactly: five Phi-4 models, SmolLM2, and what we make of it.

Each `Dialect` writes a conversation byte for byte as the jinja template published with that model does (the tests
compare them), and says besides which tokens the assistant wrote. `jinja` is our own template for the same format; it
goes into tokenizers built here, so that other software renders alike.

What the published templates leave open is decided so:

- A thought stands before the answer as `<think>…</think>`, for every member: in a training target and in history.
  The tags are tokens where the tokenizer has them (phi-4-reasoning) and plain text elsewhere. Text between and after
  them is kept as the model wrote it, so that a turn renders to the tokens that were generated.
- phi-4-mini: calls are `<|tool_call|>[{"name": …, "arguments": …}, …]<|/tool_call|>`, as the model writes them, after
  the turn's text; a result is a turn `<|tool_response|>…<|end|>`, without the call's id or name, for which the format
  has no place. Tools offered without a system message get the model card's, "You are a helpful assistant with some
  tools."
- phi-4 14B and SmolLM2 were not trained on tools: offering some is an error.
- phiforge, our own models on SmolLM2's vocabulary: its turns, without a system message of its own, and with thoughts, tools
  and calls as phi-4-mini writes them. The tags of those are plain text there, which costs a few tokens and no vocabulary.
- phi-4-reasoning knows one system message, its own. Microsoft's template drops any other without a word; here another
  is an error, unless the caller asks to have it appended (`merge_system`), which the model was not trained on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phiforge.chat import published
from phiforge.chat.render import Draft, Tool, function_of
from phiforge.records import Message


@dataclass(frozen=True)
class Dialect:
    """One model's format: how it is written, which special tokens it needs, what ends a turn, whether it has tools."""

    name: str
    write: Callable[[Draft, Sequence[Message], Sequence[Tool], bool], None]
    tokens: tuple[str, ...]
    turn_end: str
    has_tools: bool
    has_own_system: bool  # a fixed system message that admits no other
    jinja: str

    def check(self, messages: Sequence[Message], tools: Sequence[Tool], *, merge_system: bool) -> None:
        """Raises ValueError naming what this model's format cannot say, and the way out."""
        traffic = bool(tools) or any(m.role == "tool" or m.tool_calls for m in messages)
        if traffic and not self.has_tools:
            raise ValueError(
                f"{self.name} does not support tools (it was not trained on them); "
                "use phi-4-mini-instruct, or describe the tools in the prompt and read the answer yourself"
            )
        if self.has_own_system and not merge_system and any(m.role == "system" for m in messages):
            raise ValueError(
                f"{self.name} has a fixed system message, and its template would drop yours; put the text into the "
                "user message, or pass merge_system=True to append it to the fixed one"
            )


def get(name: str) -> Dialect:
    """The dialect of a preset's name. Raises ValueError for an unknown one."""
    found = find(name)
    if found is None:
        raise ValueError(f"no chat format {name!r}; there are {', '.join(DIALECTS)}")
    return found


def find(name: str) -> Dialect | None:
    """The dialect of a model's name as people write it (`microsoft/Phi-4`, `smollm2-135m-instruct`), or None."""
    short = name.lower().rpartition("/")[2]
    return DIALECTS.get(next((family for family in ("smollm2", "phiforge") if short.startswith(family)), short))


# --- ChatML: phi-4 14B and SmolLM2 -------------------------------------------------------------------------------


def _phi4(draft: Draft, messages: Sequence[Message], _: Sequence[Tool], generate: bool) -> None:
    for message in messages:
        own = message.role == "assistant"
        draft.markup(f"<|im_start|>{message.role}<|im_sep|>")
        _body(draft, message)
        draft.markup("<|im_end|>", own=own)
    if generate:
        draft.markup("<|im_start|>assistant<|im_sep|>")


def _phi4_reasoning(draft: Draft, messages: Sequence[Message], tools: Sequence[Tool], generate: bool) -> None:
    # The tags that the prompt mentions are tokens to the published tokenizer, hence markup.
    draft.markup(f"<|im_start|>system<|im_sep|>{published.PHI4_REASONING_SYSTEM}")
    for message in messages:
        if message.role == "system":  # merge_system
            draft.text(f"\n\n{message.text}")
    draft.markup("<|im_end|>")
    _phi4(draft, [m for m in messages if m.role != "system"], tools, generate)


def _smollm2(draft: Draft, messages: Sequence[Message], _: Sequence[Tool], generate: bool) -> None:
    if messages and messages[0].role != "system":
        messages = [Message("system", published.SMOLLM2_SYSTEM), *messages]
    for message in messages:
        own = message.role == "assistant"
        draft.markup(f"<|im_start|>{message.role}\n")
        _body(draft, message)
        draft.markup("<|im_end|>", own=own)
        draft.markup("\n")
    if generate:
        draft.markup("<|im_start|>assistant\n")


def _phiforge(draft: Draft, messages: Sequence[Message], tools: Sequence[Tool], generate: bool) -> None:
    if tools and (not messages or messages[0].role != "system"):
        messages = [Message("system"), *messages]
    for n, message in enumerate(messages):
        draft.markup(f"<|im_start|>{message.role}\n")
        _body(draft, message)
        _offer(draft, tools if n == 0 else ())
        _calls(draft, message)
        draft.markup("<|im_end|>", own=message.role == "assistant")
        draft.markup("\n")
    if generate:
        draft.markup("<|im_start|>assistant\n")


# --- phi-4-mini ------------------------------------------------------------------------------------------------------


def _mini(draft: Draft, messages: Sequence[Message], tools: Sequence[Tool], generate: bool) -> None:
    if tools and (not messages or messages[0].role != "system"):
        messages = [Message("system", published.MINI_TOOLS_SYSTEM), *messages]
    for n, message in enumerate(messages):
        _mini_turn(draft, message, tools if n == 0 else ())
    draft.markup("<|assistant|>" if generate else "<|endoftext|>")


def _mini_reasoning(draft: Draft, messages: Sequence[Message], tools: Sequence[Tool], generate: bool) -> None:
    draft.markup(f"<|system|>{published.MINI_REASONING_SYSTEM}")
    systems = [m for m in messages if m.role == "system"] or ([Message("system")] if tools else [])
    for n, message in enumerate(systems):
        draft.text(f" {message.text}")
        _offer(draft, tools if n == 0 else ())
    draft.markup("<|end|>")
    for message in messages:
        if message.role != "system":
            _mini_turn(draft, message, ())
    draft.markup("<|assistant|>" if generate else "<|endoftext|>")


def _mini_turn(draft: Draft, message: Message, tools: Sequence[Tool]) -> None:
    own = message.role == "assistant"
    draft.markup("<|tool_response|>" if message.role == "tool" else f"<|{message.role}|>")
    _body(draft, message)
    _offer(draft, tools)
    _calls(draft, message)
    draft.markup("<|end|>", own=own)


def _calls(draft: Draft, message: Message) -> None:
    if message.tool_calls:
        calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
        draft.markup("<|tool_call|>", own=True)
        draft.text(json.dumps(calls, ensure_ascii=False), own=True)
        draft.markup("<|/tool_call|>", own=True)


def _offer(draft: Draft, tools: Sequence[Tool]) -> None:
    if tools:
        draft.markup("<|tool|>")
        draft.text(tools_json(tools))
        draft.markup("<|/tool|>")


def tools_json(tools: Sequence[Tool]) -> str:
    """The list between `<|tool|>` and `<|/tool|>`: each tool's own description, without OpenAI's wrapping."""
    return json.dumps([dict(function_of(tool)) for tool in tools], ensure_ascii=False)


def _body(draft: Draft, message: Message) -> None:
    if message.thinking is not None:
        draft.markup("<think>", own=True)
        draft.text(message.thinking, own=True)
        draft.markup("</think>", own=True)
    draft.text(message.text, own=message.role == "assistant")


_PHI4_TOKENS = ("<|im_start|>", "<|im_sep|>", "<|im_end|>")
_MINI_TOKENS = (
    *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"),
    *("<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>", "<|tool_response|>"),
)


_SMOLLM2_TOKENS = ("<|im_start|>", "<|im_end|>")


def _chatml(name: str, write: Callable[..., None], tokens: tuple[str, ...], turns: str, own_system: bool) -> Dialect:
    jinja = (published.JINJA_BODY + published.JINJA_NO_TOOLS + turns).replace("NAME", name)
    return Dialect(name, write, tokens, "<|im_end|>", False, own_system, jinja)


def _mini_member(name: str, write: Callable[..., None], jinja: str) -> Dialect:
    jinja = published.JINJA_BODY + published.JINJA_TOOLS + published.JINJA_MINI_TURN + jinja
    return Dialect(name, write, _MINI_TOKENS, "<|end|>", True, False, jinja)


_REASONING_TURNS = published.JINJA_PHI4_REASONING_SYSTEM + published.JINJA_PHI4_TURNS

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        _chatml("phi-4", _phi4, _PHI4_TOKENS, published.JINJA_PHI4_TURNS, False),
        _chatml("phi-4-reasoning", _phi4_reasoning, _PHI4_TOKENS, _REASONING_TURNS, True),
        _chatml("phi-4-reasoning-plus", _phi4_reasoning, _PHI4_TOKENS, _REASONING_TURNS, True),
        _mini_member("phi-4-mini-instruct", _mini, published.JINJA_MINI),
        _mini_member("phi-4-mini-reasoning", _mini_reasoning, published.JINJA_MINI_REASONING),
        _chatml("smollm2", _smollm2, _SMOLLM2_TOKENS, published.JINJA_SMOLLM2_TURNS, False),
        Dialect("phiforge", _phiforge, _SMOLLM2_TOKENS, "<|im_end|>", True, False, published.JINJA_PHIFORGE),
    )
}
