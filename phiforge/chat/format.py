"""`ChatFormat`: a conversation into tokens, and the stream that comes back into events, for any checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

import msgspec

from phiforge.chat import dialects
from phiforge.chat.dialects import Dialect
from phiforge.chat.parse import Parser
from phiforge.chat.render import Draft, Rendered, Tool, check
from phiforge.chat.tokenizer import Tokenizer
from phiforge.records import Message

if TYPE_CHECKING:
    from phiforge.chat.template import Template

# Tokens that end a turn in the formats around: a generation stops on any that the vocabulary has, whatever else the
# checkpoint's files name. (phi-4's first release named <|endoftext|> only, and ran on.)
TURN_ENDS = ("<|im_end|>", "<|end|>", "<|eot_id|>", "<|endoftext|>")


class ChatFormat:
    """How to talk to one checkpoint. Make one with `for_tokenizer`.

    To generate, the checkpoint's own jinja template wins where it has one. The exact renderer of its dialect (one of
    `dialects.DIALECTS`) is used where it has none, for the loss mask, and for what published templates cannot say:
    tool calls, tool results, a merged system message.
    """

    def __init__(self, tokenizer: Tokenizer, dialect: Dialect | None) -> None:
        self.tokenizer = tokenizer
        self._named = dialect

    @classmethod
    def for_tokenizer(cls, tokenizer: Tokenizer, name: str | None = None) -> Self:
        """The format of `tokenizer`. `name` is the model's, as in `dialects.find`; one that is not known there is
        fine when the checkpoint has a template.

        Raises ValueError when there is neither a known name nor a template, or when the tokenizer lacks the format's
        tokens.
        """
        dialect = dialects.find(name) if name else None
        if dialect is None and tokenizer.chat_template is None:
            known = ", ".join(dialects.DIALECTS)
            raise ValueError(f"{tokenizer.source} has no chat template, and {name!r} is none of the formats {known}")
        missing = [t for t in dialect.tokens if t not in tokenizer.specials] if dialect else []
        if dialect and missing:
            raise ValueError(f"{tokenizer.source} lacks tokens of the {dialect.name} format: {', '.join(missing)}")
        return cls(tokenizer, dialect)

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids on which a generation ends."""
        ends = [self.tokenizer.specials[t] for t in TURN_ENDS if t in self.tokenizer.specials]
        return tuple(dict.fromkeys([*self.tokenizer.eos_ids, *ends]))

    @property
    def has_tools(self) -> bool:
        """Whether the format says tools and calls."""
        return self._dialect is not None and self._dialect.has_tools

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] | None = None,
        generate: bool = True,
        keep_thinking: bool = True,
        merge_system: bool = False,
    ) -> Rendered:
        """Render a conversation.

        `generate` opens the assistant's next turn; without it the result is a training sequence. `keep_thinking=False`
        leaves out the thoughts of turns before the last user message. `merge_system` appends system messages to a
        fixed one (phi-4-reasoning), which is otherwise an error.

        Raises ValueError (TemplateError is one) naming what the format cannot say.
        """
        offered = list(tools or ())
        check(messages, offered)
        if not keep_thinking:
            messages = _without_old_thoughts(messages)
        traffic = bool(offered) or any(m.role == "tool" or m.tool_calls for m in messages)
        template = self.tokenizer.chat_template
        exact = not generate or merge_system or (traffic and "tool_calls" not in (template or ""))
        dialect = self._dialect if exact else self._named
        if dialect is not None:
            dialect.check(messages, offered, merge_system=merge_system)
        elif merge_system:
            raise ValueError(f"{self.tokenizer.source}: merge_system is for models with a fixed system message")
        # Our own template says the same as the renderer, so jinja need not be loaded for it.
        if dialect is not None and (exact or template in (None, dialect.jinja)):
            draft = Draft()
            dialect.write(draft, messages, offered, generate)
            return draft.finish(self.tokenizer)
        rendered = self._run_template(messages, offered, generate)
        if generate or any(rendered.mask) or not any(m.role == "assistant" for m in messages):
            return rendered
        return rendered._replace(mask=self._mask_by_prefixes(messages, offered, rendered.ids))

    def parser(self, prompt: Rendered | None = None, *, trim: bool = False) -> Parser:
        """A streaming parser for the answer to `prompt`: it starts in a thought if the prompt has opened one."""
        return Parser(in_thought=prompt is not None and prompt.text.rstrip().endswith("<think>"), trim=trim)

    # --- the checkpoint's template ---------------------------------------------------------------------------------

    @cached_property
    def _template(self) -> Template:
        from phiforge.chat.template import Template  # jinja2 takes its time to import

        return Template(self.tokenizer.chat_template or "", self.tokenizer.source)

    @cached_property
    def _dialect(self) -> Dialect | None:
        """The dialect by name, or else the one that writes what the checkpoint's template writes."""
        if self._named is not None:
            return self._named
        turns = [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
        try:
            written = self._run_template(turns, [], True).text
        except ValueError:  # a template for another kind of conversation
            return None
        for dialect in dialects.DIALECTS.values():
            if all(token in self.tokenizer.specials for token in dialect.tokens):
                draft = Draft()
                dialect.write(draft, turns, (), True)
                if draft.finish(self.tokenizer).text == written:
                    return dialect
        return None

    def _run_template(self, messages: Sequence[Message], tools: Sequence[Tool], generate: bool) -> Rendered:
        tokenizer = self.tokenizer
        names = {"bos_token": tokenizer.bos_id, "eos_token": next(iter(tokenizer.eos_ids), None)}
        names["pad_token"] = tokenizer.pad_id
        texts = {i: text for text, i in tokenizer.specials.items()}
        draft = self._template.render(
            messages,
            tools=tools,
            generate=generate,
            specials=tokenizer.specials,
            variables={name: texts[i] for name, i in names.items() if i in texts},
        )
        return draft.finish(tokenizer)

    def _mask_by_prefixes(self, messages: Sequence[Message], tools: Sequence[Tool], ids: list[int]) -> list[bool]:
        """The loss mask under a template without {% generation %}: an assistant's turn is what comes on top of the
        prompt that asks for it, up to the token that ends the turn.

        Raises ValueError when the template does not build a conversation turn by turn.
        """
        mask = [False] * len(ids)
        for n, message in enumerate(messages):
            if message.role != "assistant":
                continue
            start = len(self._run_template(messages[:n], tools, True).ids)
            upto = self._run_template(messages[: n + 1], tools, True).ids
            end = next((i + 1 for i in range(start, len(upto)) if upto[i] in self.stop_ids), len(upto))
            if upto[:end] != ids[:end]:
                raise ValueError(
                    f"chat template of {self.tokenizer.source} rewrites earlier turns, so there is no telling which "
                    "tokens the assistant wrote; mark them with {% generation %} in the template"
                )
            mask[start:end] = [True] * (end - start)
        return mask


def _without_old_thoughts(messages: Sequence[Message]) -> list[Message]:
    last_user = max((n for n, m in enumerate(messages) if m.role == "user"), default=0)
    return [
        msgspec.structs.replace(m, thinking=None) if m.role == "assistant" and n < last_user else m
        for n, m in enumerate(messages)
    ]
