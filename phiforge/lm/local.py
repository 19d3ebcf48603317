"""A model that runs on this machine: checkpoint, tokenizer, chat format and engine put together."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import torch

from phiforge.chat.format import ChatFormat
from phiforge.chat.parse import Parser
from phiforge.chat.render import Tool
from phiforge.chat.tokenizer import Tokenizer
from phiforge.engine.driver import Driver, Stream
from phiforge.engine.engine import Engine
from phiforge.engine.products import pack
from phiforge.engine.request import Event, Request, Sampling, Token
from phiforge.lm.base import Conversation, Delta, LanguageModel, Reply, TokenLogprob, Writing
from phiforge.lm.sources import quantised_folder
from phiforge.model import checkpoint
from phiforge.model.config import read_config
from phiforge.model.phi3 import Phi3
from phiforge.model.quantized_files import read_scheme
from phiforge.store import models as store
from phiforge.store.home import converted_dir, ensure_space, locked, size_text
from phiforge.store.machine import machine

# What the model cards recommend, where a checkpoint's generation_config.json says nothing.
RECOMMENDED = {
    "phi-4-reasoning": Sampling(temperature=0.8, top_p=0.95, top_k=50),
    "phi-4-reasoning-plus": Sampling(temperature=0.8, top_p=0.95, top_k=50),
    "phi-4-mini-reasoning": Sampling(temperature=0.8, top_p=0.95),
    "smollm2-135m-instruct": Sampling(temperature=0.2, top_p=0.9),
}

FP32_PARAMETERS = 1_000_000_000  # a GGUF with more is converted to bf16
MEMORY_SHARE = 0.8  # of the free memory that weights may take


class LocalModel(LanguageModel):
    """A loaded network that answers. The engine runs in a thread of its own; many callers may ask at once."""

    def __init__(
        self,
        network: Phi3,
        tokenizer: Tokenizer,
        *,
        name: str,
        long_rope: Literal["recompute", "long"] = "recompute",
        defaults: Sampling | None = None,
    ) -> None:
        self.name = name
        self.network = network
        self.tokenizer = tokenizer
        self.format = ChatFormat.for_tokenizer(tokenizer, name)
        self.defaults = defaults or RECOMMENDED.get(name, Sampling())
        engine = Engine(network, lambda: tokenizer.detokenizer(skip_special=False), long_rope=long_rope)
        self._driver = Driver(engine)

    @classmethod
    def open(
        cls,
        name: str,
        *,
        dtype: str | torch.dtype = "auto",
        device: str = "auto",
        long_rope: Literal["recompute", "long"] = "recompute",
    ) -> Self:
        """Load a model by the name it was pulled under, or by a path.

        `dtype` "auto" is the checkpoint's on a GPU; on a CPU, where bf16 arithmetic is often emulated, it is fp32 if that
        fits into memory. "int8" and "int4" quantise the weights, once and into the store, and "stored" keeps a quantised
        folder's as they are, as "auto" does.
        Raises ValueError (NotInstalled, CheckpointError) in a sentence that says what to do.
        """
        model = store.find(name)
        kind = dtype if dtype in ("int8", "int4") else None
        folder = quantised_folder(model, kind) if kind else Path(convert(model))
        device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        network = checkpoint.load(folder, dtype=_dtype(dtype, device, folder), device=device)
        with ThreadPoolExecutor(1) as aside:  # reading the tokenizer and copying weights are a core's work each
            reading = aside.submit(Tokenizer.from_folder, folder)
            pack(network)
            tokenizer = reading.result()
        return cls(network, tokenizer, name=model.name, long_rope=long_rope, defaults=_recommended(folder, model.name))

    def stream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> Iterator[Delta | Reply]:
        """See `LanguageModel.stream`."""
        turn = self._submit(messages, sampling, n, tools)
        try:
            for event in turn.stream:
                yield from turn.take(event)
        finally:
            turn.stream.cancel()

    async def astream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> AsyncIterator[Delta | Reply]:
        """See `LanguageModel.astream`."""
        turn = self._submit(messages, sampling, n, tools)
        try:
            async for event in turn.stream:
                for item in turn.take(event):
                    yield item
        finally:
            turn.stream.cancel()

    def chat_many(
        self,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
    ) -> list[list[Reply]]:
        """See `LanguageModel.chat_many`. All conversations are in the engine at once."""
        turns = [self._submit(messages, sampling, n, tools) for messages in conversations]
        try:
            answers: list[list[Reply]] = []
            for turn in turns:
                items = [item for event in turn.stream for item in turn.take(event)]
                answers.append(sorted((i for i in items if isinstance(i, Reply)), key=lambda reply: reply.sample))
            return answers
        finally:
            for turn in turns:
                turn.stream.cancel()

    def close(self) -> None:
        """Stop the engine's thread."""
        self._driver.close()

    def _submit(
        self, messages: Conversation, sampling: Sampling | None, n: int, tools: Sequence[Tool] | None
    ) -> _Turn:
        sampling = sampling or self.defaults
        prompt = self.format.render(messages, tools=tools)
        stop_ids = tuple(dict.fromkeys((*sampling.stop_ids, *self.format.stop_ids)))
        request = Request(prompt=prompt.ids, n=n, sampling=replace(sampling, stop_ids=stop_ids))
        parsers = [self.format.parser(prompt) for _ in range(n)]
        return _Turn(self._driver.submit(request), parsers, self.tokenizer)


class _Turn:
    """A request under way and what its samples have written so far."""

    def __init__(self, stream: Stream, parsers: list[Parser], tokenizer: Tokenizer) -> None:
        self.stream = stream
        self._parsers = parsers
        self._tokenizer = tokenizer
        self._samples = [Writing(i) for i in range(len(parsers))]

    def take(self, event: Event) -> list[Delta | Reply]:
        sample, parser = self._samples[event.sample], self._parsers[event.sample]
        if isinstance(event, Token):
            sample.tokens += 1
            if event.logprob is not None:
                sample.logprobs = sample.logprobs or []
                sample.logprobs.append(self._logprob(event, event.logprob))
            return [*sample.take(parser.feed(event.text), event.text)] if event.text else []
        deltas = sample.take([*parser.feed(event.text), *parser.finish()], event.text)
        return [*deltas, sample.reply(event.reason, len(self.stream.request.prompt))]

    def _logprob(self, event: Token, logprob: float) -> TokenLogprob:
        def text(id: int) -> str:
            return self._tokenizer.decode([id], skip_special=False)

        return TokenLogprob(text(event.id), logprob, [(text(id), value) for id, value in event.top_logprobs])


def _dtype(wanted: str | torch.dtype, device: str, folder: Path) -> torch.dtype | None:
    """The dtype to load in; None keeps the stored one."""
    if wanted in ("int8", "int4") or (wanted == "auto" and read_scheme(folder) is not None):
        return None
    if wanted == "auto":
        fp32 = 4 * read_config(folder).parameter_count
        return torch.float32 if device == "cpu" and fp32 < MEMORY_SHARE * machine().memory_available else None
    if wanted == "stored" or isinstance(wanted, torch.dtype):
        return None if wanted == "stored" else wanted
    if wanted not in ("float32", "bfloat16", "float16"):
        raise ValueError(f"dtype {wanted!r} is not one of auto, stored, float32, bfloat16, float16, int8, int4")
    return getattr(torch, wanted)


def _recommended(folder: Path, name: str) -> Sampling:
    """The sampling that generation_config.json recommends, or what we know of the model's card."""
    file = folder / "generation_config.json"
    fields = json.loads(file.read_text()) if file.exists() else {}
    known = {
        key: fields[key] for key in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty") if key in fields
    }
    if fields.get("do_sample") is False:
        return Sampling(temperature=0)
    return Sampling(**known) if known else RECOMMENDED.get(name, Sampling())


def convert(model: store.Installed) -> str:
    """The folder to load a model from. A GGUF is dequantised and laid out for memory-mapping once; later calls are free.

    The folder appears whole or not at all. A GGUF opened by path, without being pulled, is converted into the store too.
    Raises ValueError where memory or disk are too small.
    """
    if model.format == "hf":
        return model.path
    if folder := store.converted(model):
        return str(folder)
    from phiforge.model.gguf import GGUFFile  # parsing a GGUF takes seconds: only when it has to be

    with locked(model.name):
        if folder := store.converted(model):  # by another process, while we waited
            return str(folder)
        folder = converted_dir(model.name)
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        file = GGUFFile(model.path)
        # fp32 is exact and quick, but a large model has no room for it.
        dtype = torch.float32 if file.config.parameter_count < FP32_PARAMETERS else torch.bfloat16
        needed = file.config.parameter_count * dtype.itemsize
        if needed > machine().memory_available:
            raise ValueError(
                f"{model.name}: converting it takes {size_text(needed)} of memory, "
                f"and {size_text(machine().memory_available)} are free"
            )
        ensure_space(folder.parent, needed, f"the converted {model.name}")
        checkpoint.save(checkpoint.assemble(file.config, file, dtype=dtype), partial)
        Tokenizer.from_gguf(file.reader).save(partial)
        store.mark_converted(model, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return str(folder)
