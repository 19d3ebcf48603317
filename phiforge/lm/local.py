"""A model that runs on this machine: checkpoint, tokenizer, chat format and engine put together."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.chat.format import ChatFormat
from phiforge.chat.render import Tool
from phiforge.chat.tokenizer import Tokenizer
from phiforge.engine.driver import Driver, Stream
from phiforge.engine.engine import Engine
from phiforge.engine.guide import Grammars
from phiforge.engine.products import pack
from phiforge.engine.request import Request, Sampling, Score, Scored
from phiforge.kernels.formats import Kind
from phiforge.kernels.native import library
from phiforge.lm.base import Conversation, Delta, LanguageModel, Options, Reply
from phiforge.lm.scoring import cut
from phiforge.lm.sources import open_source, own_kind, quantised_folder
from phiforge.lm.turn import Thoughts, Turn
from phiforge.model import checkpoint
from phiforge.model.config import read_config
from phiforge.model.peft import load_adapter
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
    "phiforge-135m-reasoning": Sampling(temperature=0.2, top_p=0.9),
}

FP32_PARAMETERS = 1_000_000_000  # a GGUF with more is converted to bf16
MEMORY_SHARE = 0.8  # of the free memory that weights may take

KVDtype = Literal["auto", "float32", "bfloat16", "int8"]
KV_DTYPES = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}


class LocalModel(LanguageModel):
    """A loaded network that answers. The engine runs in a thread of its own; many callers may ask at once.

    `kv_dtype` is how keys and values are kept ("auto": as the network computes), `kv_memory` the bytes they may take.
    `speculate` drafts tokens by looking them up in the text so far, which changes speed only. `adapters` are folders of
    LoRA adapters by the names that calls use for them.
    """

    def __init__(
        self,
        network: Phi3,
        tokenizer: Tokenizer,
        *,
        name: str,
        long_rope: Literal["recompute", "long"] = "recompute",
        defaults: Sampling | None = None,
        kv_dtype: KVDtype = "auto",
        kv_memory: int | None = None,
        speculate: bool = False,
        adapters: Mapping[str, str | Path] | None = None,
    ) -> None:
        if kv_dtype not in KV_DTYPES:
            raise ValueError(f"kv_dtype {kv_dtype!r} is not one of {', '.join(KV_DTYPES)}")
        if kv_memory is not None and kv_memory < 1:
            raise ValueError(f"kv_memory is the bytes for keys and values, 1 or more, not {kv_memory}")
        self.name = name
        self.network = network
        self.tokenizer = tokenizer
        self.format = ChatFormat.for_tokenizer(tokenizer, name)
        self.defaults = defaults or RECOMMENDED.get(name, Sampling())
        self._thoughts = Thoughts(self.format, name)
        engine = Engine(
            network,
            lambda: tokenizer.detokenizer(skip_special=False),
            long_rope=long_rope,
            grammars=lambda: self.grammars,
            memory=kv_memory,
            kv_dtype=KV_DTYPES[kv_dtype],
            speculate=speculate,
        )
        for adapter, folder in (adapters or {}).items():
            engine.add_adapter(adapter, load_adapter(folder, network.config))
        self._driver = Driver(engine)

    @classmethod
    def open(
        cls,
        name: str,
        *,
        dtype: str | torch.dtype = "auto",
        device: str = "auto",
        long_rope: Literal["recompute", "long"] = "recompute",
        kv_dtype: KVDtype = "auto",
        kv_memory: int | None = None,
        speculate: bool = False,
        adapters: Mapping[str, str | Path] | None = None,
    ) -> Self:
        """Load a model by the name it was pulled under, or by a path.

        `dtype` "int8" and "int4" quantise the weights, once and into the store; "stored" takes them as they are. "auto"
        leaves a quantised model's bits as they are, a GGUF's too where there are kernels for them. Any other is opened
        in the checkpoint's dtype on a GPU, and on a CPU, where bf16 arithmetic is often emulated, in fp32 if that fits.
        Raises ValueError (NotInstalled, CheckpointError) in a sentence that says what to do.
        """
        model = store.find(name)
        device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        kind: Kind | None = None
        if dtype in ("int8", "int4"):
            kind = "int8" if dtype == "int8" else "int4"
        elif dtype == "auto" and device == "cpu" and library() is not None:
            kind = own_kind(model)
        folder = quantised_folder(model, kind) if kind else Path(convert(model))
        network = checkpoint.load(folder, dtype=_dtype(dtype, device, folder), device=device)
        with ThreadPoolExecutor(1) as aside:  # reading the tokenizer and copying weights are a core's work each
            reading = aside.submit(Tokenizer.from_folder, folder)
            pack(network)
            tokenizer = reading.result()
        return cls(
            network,
            tokenizer,
            name=model.name,
            long_rope=long_rope,
            defaults=_recommended(folder, model.name),
            kv_dtype=kv_dtype,
            kv_memory=kv_memory,
            speculate=speculate,
            adapters=adapters,
        )

    @property
    def thinks(self) -> bool:
        """Whether the model is one that thinks before it answers."""
        return self._thoughts.expected

    def stream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> Iterator[Delta | Reply]:
        """See `LanguageModel.stream`."""
        turn = self._submit(messages, sampling, n, tools, options)
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
        options: Options | None = None,
    ) -> AsyncIterator[Delta | Reply]:
        """See `LanguageModel.astream`."""
        if sampling is not None and sampling.grammar is not None:
            await asyncio.to_thread(self.check, sampling, options)  # compiling takes its time, and others have a turn
        turn = self._submit(messages, sampling, n, tools, options)
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
        options: Options | None = None,
    ) -> list[list[Reply]]:
        """See `LanguageModel.chat_many`. All conversations are in the engine at once."""
        turns = [self._submit(messages, sampling, n, tools, options) for messages in conversations]
        try:
            answers: list[list[Reply]] = []
            for turn in turns:
                items = [item for event in turn.stream for item in turn.take(event)]
                answers.append(sorted((i for i in items if isinstance(i, Reply)), key=lambda reply: reply.sample))
            return answers
        finally:
            for turn in turns:
                turn.stream.cancel()

    def submit(self, work: Request | Score) -> Stream:
        """Let the engine work on token ids as they are, without a chat format; what it says, as it comes."""
        return self._driver.submit(work)

    def embed(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """The mean of the last hidden states of each text's tokens, at length one: [len(texts), d_model], fp32.

        Other requests go on between the texts. Raises ValueError for a text without tokens, or beyond the context.
        """
        for ids in texts:
            if not 0 < len(ids) <= self.network.config.context:
                raise ValueError(f"a text to embed has 1 to {self.network.config.context} tokens, not {len(ids)}")
        return torch.stack([self._driver.call(lambda _, ids=ids: self._mean_state(ids)) for ids in texts])

    @torch.inference_mode()
    def _mean_state(self, ids: Sequence[int]) -> Tensor:
        states = self.network.hidden(torch.tensor([ids], device=self.network.norm.weight.device))[0]
        return F.normalize(states.float().mean(0), dim=0).cpu()

    def score(self, pairs: Sequence[tuple[str, str]], *, adapter: str | None = None) -> list[Scored]:
        """See `LanguageModel.score`. All pairs are in the engine at once; those that begin alike share the beginning.

        For where a pair is cut into tokens, see `scoring.cut`.
        """
        return self.score_ids(cut(pairs, self.tokenizer), adapter=adapter)

    def score_ids(
        self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], *, adapter: str | None = None
    ) -> list[Scored]:
        """`score` for token ids."""
        scores = [Score(prompt=before, continuation=after, adapter=adapter) for before, after in pairs]
        streams = [self._driver.submit(score) for score in scores]
        try:
            return [event for stream in streams for event in stream if isinstance(event, Scored)]
        finally:
            for stream in streams:
                stream.cancel()

    def score_chat(
        self, messages: Conversation, continuations: Sequence[str], *, adapter: str | None = None
    ) -> list[Scored]:
        """See `LanguageModel.score_chat`."""
        prompt = self.format.render(messages).ids
        # What follows the header is encoded apart from it, as it is when the model writes it.
        texts = [self.tokenizer.encode_pieces([prompt[-1], text])[1] for text in continuations]
        return self.score_ids([(prompt, ids) for ids in texts], adapter=adapter)

    def check(self, sampling: Sampling | None = None, options: Options | None = None) -> None:
        """See `LanguageModel.check`."""
        options = options or Options()
        if options.adapter is not None and options.adapter not in self.adapters:
            known = ", ".join(self.adapters) or "none"
            raise ValueError(f"adapter {options.adapter!r} is not loaded; loaded are: {known}")
        self._guided(sampling or self.defaults, options, begun=False)

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the adapters that calls may use."""
        return self._driver.engine.adapters.names

    def add_adapter(self, name: str, folder: str | Path) -> None:
        """Load a LoRA adapter, as peft saves it, under a name; one of the same name is replaced, also under way.

        Raises CheckpointError (a ValueError) for one that does not fit the network."""
        adapter = load_adapter(folder, self.network.config)
        self._driver.call(lambda engine: engine.add_adapter(name, adapter))

    def remove_adapter(self, name: str) -> None:
        """Let go of an adapter. Raises ValueError for one that is unknown, or in use."""
        self._driver.call(lambda engine: engine.remove_adapter(name))

    @cached_property
    def grammars(self) -> Grammars:
        """What compiles grammars for this model's tokens."""
        if not self.format.stop_ids:
            raise ValueError(f"{self.tokenizer.source} names no token that ends a text, so no grammar could end one")
        return Grammars(
            self.tokenizer.token_bytes,
            specials=self.tokenizer.specials.values(),
            end=self.format.stop_ids[0],
            vocab_size=self.network.config.vocab_size,
        )

    @cached_property
    def token_bytes(self) -> list[bytes]:
        """The bytes of every token id below the tokenizer's size; an id without a token has none."""
        return self.tokenizer.token_bytes()

    def close(self) -> None:
        """Stop the engine's thread."""
        self._driver.close()

    def _submit(
        self,
        messages: Conversation,
        sampling: Sampling | None,
        n: int,
        tools: Sequence[Tool] | None,
        options: Options | None,
    ) -> Turn:
        options = options or Options()
        prompt = self.format.render(messages, tools=tools)
        begun = self._thoughts.begun(prompt)
        sampling = self._guided(sampling or self.defaults, options, begun=begun)
        stop_ids = tuple(dict.fromkeys((*sampling.stop_ids, *self.format.stop_ids)))
        sampling = replace(sampling, stop_ids=stop_ids)
        request = Request(prompt=prompt.ids, n=n, sampling=sampling, adapter=options.adapter)
        parsers = [self.format.parser(prompt, trim=sampling.grammar is not None) for _ in range(n)]
        counters = [self._thoughts.counter(begun=begun) for _ in range(n)]
        return Turn(self._driver.submit(request), parsers, counters, stop_ids, self.tokenizer)

    def _guided(self, sampling: Sampling, options: Options, *, begun: bool) -> Sampling:
        """The sampling with what the engine must know of the thought; its grammar is compiled here, in the caller's
        thread."""
        if sampling.grammar is not None:
            self.grammars.compile(sampling.grammar)
        if sampling.thinking is None:
            thinking = self._thoughts.thinking(options, before_grammar=sampling.grammar is not None, begun=begun)
            return replace(sampling, thinking=thinking)
        if options.think_limit is not None or options.think_soft_limit is not None:
            raise ValueError("both the sampling's `thinking` and the options limit the thought; give one of them")
        return sampling


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
    """The folder to load a model from. A GGUF is dequantised and laid out for memory-mapping once, and an adapter added to its
    model; later calls are free.

    The folder appears whole or not at all. A GGUF opened by path, without being pulled, is converted into the store too.
    Raises ValueError where memory or disk are too small.
    """
    if model.format == "hf":
        return model.path
    if folder := store.converted(model):
        return str(folder)
    with locked(model.name):
        if folder := store.converted(model):  # by another process, while we waited
            return str(folder)
        folder = converted_dir(model.name)
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        source = open_source(model)
        # fp32 is exact and quick, but a large model has no room for it.
        dtype = torch.float32 if source.config.parameter_count < FP32_PARAMETERS else torch.bfloat16
        needed = source.config.parameter_count * dtype.itemsize
        if needed > machine().memory_available:
            raise ValueError(
                f"{model.name}: converting it takes {size_text(needed)} of memory, "
                f"and {size_text(machine().memory_available)} are free"
            )
        ensure_space(folder.parent, needed, f"the converted {model.name}")
        checkpoint.save(checkpoint.assemble(source.config, source.tensors, dtype=dtype), partial)
        source.companions(partial)
        store.mark_converted(model, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return str(folder)
