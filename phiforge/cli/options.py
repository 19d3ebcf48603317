"""What `ask` and `chat` share: the words that choose a model and its sampling, and how an answer is shown."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TextIO

from phiforge.chat.parse import Call, MalformedCall, Said, Thought
from phiforge.cli import WrongWords
from phiforge.cli.schema import closed
from phiforge.store.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from phiforge.engine.grammar import Grammar
    from phiforge.engine.request import Sampling
    from phiforge.lm import Delta, LanguageModel, Options, Reply

PENALTIES = ("repetition_penalty", "frequency_penalty", "presence_penalty")
SAMPLING = ("temperature", "top_k", "top_p", "min_p", *PENALTIES, "seed", "max_tokens")
KV_DTYPES = {"auto": "auto", "bf16": "bfloat16", "int8": "int8"}


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Words for which model to load, how to sample from it, what its answers must be, and what to tell it first."""
    model = parser.add_argument_group("model")
    model.add_argument(
        "-m",
        "--model",
        default=os.environ.get("PHIFORGE_MODEL", DEFAULT_MODEL),
        help="a pulled model, a path, or http://host/v1#name for an OpenAI-compatible endpoint (default: %(default)s)",
    )
    dtypes = ("auto", "stored", "float32", "bfloat16", "float16", "int8", "int4")
    model.add_argument(
        "--dtype", default="auto", choices=dtypes, help="int8 and int4 quantise the weights, once and into the store"
    )
    model.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ...")
    model.add_argument(
        "--long-rope",
        choices=("recompute", "long"),
        default="recompute",
        help="where phi-4-mini passes 4096 tokens: read all again (exact), or use long factors from the start",
    )
    model.add_argument("--adapter", metavar="FOLDER", type=Path, help="a LoRA adapter for the model, as peft saves it")
    model.add_argument(
        "--kv", choices=KV_DTYPES, default="auto", help="how keys and values are kept: int8 takes a quarter of fp32"
    )
    sampling = parser.add_argument_group("sampling (default: what the model's authors recommend)")
    sampling.add_argument("-t", "--temperature", type=float, help="0 is greedy")
    sampling.add_argument("--top-k", type=int)
    sampling.add_argument("--top-p", type=float)
    sampling.add_argument("--min-p", type=float)
    sampling.add_argument("--repetition-penalty", type=float)
    sampling.add_argument("--frequency-penalty", type=float, help="for each time that a token has been said")
    sampling.add_argument("--presence-penalty", type=float, help="for a token that has been said")
    sampling.add_argument("--seed", type=int, help="same seed, same tokens")
    sampling.add_argument("--max-tokens", type=int, help="of the answer, thought included")
    sampling.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end before this text; repeatable"
    )
    answer = parser.add_argument_group("the answer")
    answer.add_argument(
        "--think-limit", type=int, metavar="N", help="close the thought after N tokens (a model that thinks)"
    )
    grammar = answer.add_mutually_exclusive_group()
    grammar.add_argument(
        "--schema",
        metavar="FILE",
        type=Path,
        help="the answer is JSON that this JSON Schema describes, without properties that it does not name",
    )
    grammar.add_argument("--regex", metavar="PATTERN", help="the whole answer matches this regular expression")
    grammar.add_argument("--lark", metavar="FILE", type=Path, help="the answer follows this Lark grammar")
    parser.add_argument("-s", "--system", help="the system message")


def open_lm(args: argparse.Namespace) -> LanguageModel:
    """Open the model that the words name; the default one is pulled when it is not here yet."""
    from phiforge.lm import is_endpoint, open_model

    if is_endpoint(args.model):
        if args.adapter or args.kv != "auto":
            word = "--adapter" if args.adapter else "--kv"
            raise WrongWords(f"{word} is for models on this machine, and {args.model} is an endpoint")
        # What OpenAI's protocol has no field for goes as many servers (vLLM, llama.cpp) take it.
        names = ("top_k", "min_p", "repetition_penalty")
        return open_model(args.model, extra={n: getattr(args, n) for n in names if getattr(args, n) is not None})
    from phiforge.store import models as store

    if args.adapter and not args.adapter.is_dir():
        raise WrongWords(f"--adapter {args.adapter}: there is no such folder")
    try:
        store.find(args.model)
    except store.NotInstalled:
        if args.model != DEFAULT_MODEL:
            raise
        from phiforge.cli.pull import fetch

        print(f"Fetching {DEFAULT_MODEL} (93 MB, once) ...", file=sys.stderr)
        fetch(DEFAULT_MODEL)
    import_torch_quickly()
    return open_model(
        args.model,
        dtype=args.dtype,
        device=args.device,
        long_rope=args.long_rope,
        kv_dtype=KV_DTYPES[args.kv],
        adapters={_adapter_name(args): args.adapter} if args.adapter else None,
    )


def import_torch_quickly() -> None:
    """Import torch without the shape rules of its compiler, a quarter of its import time: no verb that answers compiles.

    The module is only left out of this import, not replaced: whatever needs it later imports the real one.
    """
    name = "torch._meta_registrations"
    if "torch" in sys.modules:
        return
    sys.modules[name] = ModuleType(name)
    try:
        import torch  # noqa: F401
    finally:
        del sys.modules[name]


def grammar_of(args: argparse.Namespace) -> Grammar | None:
    """The grammar that the words give, read and looked at as far as that goes without a model."""
    if args.regex is None and not args.schema and not args.lark:
        return None
    from phiforge.engine.grammar import Grammar

    try:
        if args.regex is not None:
            return Grammar.regex(args.regex)
        if args.schema:
            asked = Grammar.json_schema(args.schema.read_text(encoding="utf-8"))
            return Grammar.json_schema(closed(json.loads(asked.text)))
        return Grammar.lark(args.lark.read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongWords(f"{error.filename}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise WrongWords(f"{args.schema or args.lark} is not UTF-8 text: {error}") from None
    except ValueError as error:
        raise WrongWords(f"{args.schema or args.lark or '--regex'}: {error}") from None


def settings_of(args: argparse.Namespace, lm: LanguageModel, grammar: Grammar | None) -> tuple[Sampling, Options]:
    """The model's defaults with what the words change, and whatever else each call takes. Raises WrongWords for what
    makes no sense, or what this model cannot do."""
    from phiforge.lm import Options

    given = {name: getattr(args, name) for name in SAMPLING if getattr(args, name) is not None}
    options = Options(think_limit=args.think_limit, adapter=_adapter_name(args) if args.adapter else None)
    try:
        sampling = replace(lm.defaults, **given, stop=(*lm.defaults.stop, *args.stop), grammar=grammar)
        lm.check(sampling, options)
    except ValueError as error:
        raise WrongWords(error) from None
    return sampling, options


def _adapter_name(args: argparse.Namespace) -> str:
    return args.adapter.resolve().name


class Screen:
    """Writes one answer as it comes: the thought dimmed, then the text, tool calls on lines of their own.

    `thoughts` is where thoughts go if not to `out`.
    """

    def __init__(self, out: TextIO | None = None, thoughts: TextIO | None = None) -> None:
        self.out: TextIO = out or sys.stdout
        self.thoughts: TextIO = thoughts or self.out
        self.colour = self.thoughts.isatty() and "NO_COLOR" not in os.environ
        self.first: float | None = None
        self.start = time.perf_counter()
        self._dimmed = False

    def note_first(self) -> None:
        """The first token of any sample has come."""
        if self.first is None:
            self.first = time.perf_counter()

    def show(self, delta: Delta) -> None:
        self.note_first()
        match delta.event:
            case Thought(text):
                self._dim(True)
                self._write(text, self.thoughts)
            case Said(text):
                if self._dimmed:
                    text = text.lstrip("\n")
                    if not text:
                        return
                    self._write("\n\n", self.thoughts)
                self._dim(False)
                self._write(text)
            case Call(call):
                self._dim(False)
                self._write(
                    f"\n[tool call] {call.name}({', '.join(f'{k}={v!r}' for k, v in call.arguments.items())})\n"
                )
            case MalformedCall(raw, reason):
                self._dim(False)
                self._write(f"\n[malformed tool call: {reason}] {raw}\n")
            case _:
                pass

    def end(self) -> None:
        self._dim(False)
        self._write("\n")

    def speed(self, tokens: int) -> dict[str, float]:
        """Tokens a second after the first token, and seconds to it."""
        now = time.perf_counter()
        first = self.first or now
        return {
            "tokens": tokens,
            "tokens_per_second": round((tokens - 1) / (now - first), 1) if now > first and tokens > 1 else 0.0,
            "seconds_to_first_token": round(first - self.start, 3),
        }

    def _dim(self, on: bool) -> None:
        if self.colour and on != self._dimmed:
            self.thoughts.write("\x1b[2m" if on else "\x1b[0m")
            self.thoughts.flush()
        self._dimmed = on

    def _write(self, text: str, out: TextIO | None = None) -> None:
        out = out or self.out
        out.write(printable(text))
        out.flush()


def printable(text: str) -> str:
    """Text without control characters: what a model writes must not drive the terminal."""
    return "".join(c for c in text if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160))


def speed_line(speed: dict[str, float]) -> str:
    return (
        f"{speed['tokens']:.0f} tokens, {speed['tokens_per_second']:.1f} tokens/s, "
        f"first token after {speed['seconds_to_first_token']:.2f} s"
    )


def note_ending(reply: Reply) -> str:
    """What a reader must know of how an answer ended, or nothing."""
    if reply.finish_reason == "length":
        return "the answer was cut off at its token limit (--max-tokens)"
    return "" if reply.thought_closed else "the model never closed its thought, so there is no answer"
