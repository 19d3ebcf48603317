"""The engine: continuous batching over one packed batch and one paged cache.

Every step feeds each running sequence its next tokens, all in one forward pass without padding: the last sampled token
of each sample, a draft after it, or the next part of a prompt (`batch.py`). Who runs is the scheduler's decision
(`scheduler.py`); keys and values of texts that begin alike are kept and read once (`blocks.py`).

LongRoPE: a sequence longer than the model's `original_context` must use the long factors throughout. Two policies:
`recompute` starts short and, when a sequence first grows past the limit, drops its whole cache and feeds everything
again with long factors (exact, the reference; a pause at the crossing); `long` takes long factors from the start when
prompt + max_tokens will pass the limit (no pause; short-range answers of such requests differ slightly).
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from phiforge.engine.batch import Batch
from phiforge.engine.guide import Guide, masks
from phiforge.engine.request import Event, Failed, Request, Score, Scored
from phiforge.engine.sampler import Told, choose, weigh
from phiforge.engine.scheduler import MAX_SAMPLES, Scheduler, Span
from phiforge.engine.sequence import Prompt, Sequence
from phiforge.engine.speculate import MOST, Drafter
from phiforge.engine.text import Detokenizer, Output
from phiforge.kernels.attention import BLOCK, Pool
from phiforge.model.adapters import Adapters
from phiforge.model.phi3 import Phi3
from phiforge.model.quantized import layers_on, update
from phiforge.store.machine import machine

if TYPE_CHECKING:
    from phiforge.engine.guide import Grammars
    from phiforge.model.lora import Adapter

SCORED_ROWS = 64  # rows of logits that exist at a time when texts are scored: 200k-vocabulary rows are large
DRAFTING = 4  # sequences at most that drafts are made for: with more, the batch is better company than guesses
MEMORY_SHARE = 0.25  # of the free memory, for keys and values
MEMORY_BYTES = 2 << 30  # and no more than this, unless one whole context needs it


class Engine:
    """Generates for many requests at once. Not thread-safe: one caller submits, cancels and steps (see `driver.py`).

    `detokenizer` makes a streaming decoder per sample; without one, events carry no text and stop strings are refused.
    `grammars` gives the compiler of grammars, when first needed. `memory` is the bytes that keys and values may take;
    `kv_dtype` is how they are kept ("int8" halves bf16, at some loss). `speculate` drafts tokens by prompt lookup, which
    changes no result.
    """

    def __init__(
        self,
        model: Phi3,
        detokenizer: Callable[[], Detokenizer] | None = None,
        *,
        long_rope: Literal["recompute", "long"] = "recompute",
        grammars: Callable[[], Grammars] | None = None,
        memory: int | None = None,
        kv_dtype: torch.dtype | None = None,
        speculate: bool = False,
    ) -> None:
        self.model = model
        self.long_rope = long_rope
        self.speculate = speculate
        self.adapters = Adapters(model)
        self.device = model.norm.weight.device
        self._detokenizer = detokenizer
        self._make_grammars = grammars
        self._grammars: Grammars | None = None
        self._arrivals = itertools.count()
        self._events: list[Event] = []
        config = model.config
        self._kv_dtype = kv_dtype or model.norm.weight.dtype
        per_block = Pool.bytes_per_block(config.n_layers, config.n_kv_heads, config.head_dim, self._kv_dtype)
        self._n_blocks = max((memory or self._budget(per_block)) // per_block, 1)
        self._start()

    def _budget(self, per_block: int) -> int:
        context = per_block * -(-self.model.config.context // BLOCK)
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
            return int(0.8 * free)
        return int(min(max(context, MEMORY_BYTES), MEMORY_SHARE * machine().memory_available))

    def _start(self) -> None:
        config = self.model.config
        self._scheduler = Scheduler(self._n_blocks)
        self._pool = Pool(
            config.n_layers, self._n_blocks, config.n_kv_heads, config.head_dim, self._kv_dtype, self.device
        )
        self._layers = layers_on(self.model, self._pool)

    @property
    def busy(self) -> bool:
        """Whether anything is waiting, running or yet to be told."""
        return bool(self._scheduler.waiting or self._scheduler.running or self._events)

    @property
    def blocks_held(self) -> int:
        """Blocks of the cache that requests hold now."""
        return self._scheduler.blocks.held

    def submit(self, request: Request | Score) -> None:
        """Queue a request. Raises ValueError, naming the reason, for one that can never run."""
        prompt = Prompt(request.prompt, self.model.config)
        if request.adapter is not None and request.adapter not in self.adapters.names:
            known = ", ".join(self.adapters.names) or "none"
            raise ValueError(f"adapter {request.adapter!r} is not loaded; loaded are: {known}")
        sequence = Sequence(request, prompt, next(self._arrivals))
        if isinstance(request, Score):
            for id in request.continuation:
                if not 0 <= id < self.model.config.vocab_size:
                    raise ValueError(f"token id {id} is outside the vocabulary of {self.model.config.vocab_size}")
            most = len(request.continuation)
        else:
            most = request.sampling.max_tokens or 1
            self._prepare(request, sequence)
        length = len(prompt.ids)
        room = min(self.model.config.context, self._n_blocks * BLOCK)
        if length + most > room:
            what = "continuation has" if isinstance(request, Score) else "max_tokens is"
            limit = (
                f"the model's context of {room}"
                if room == self.model.config.context
                else f"the {room} tokens that the memory for keys and values holds"
            )
            raise ValueError(f"the prompt has {length} tokens and {what} {most}: together more than {limit}")
        sequence.max_tokens = most if isinstance(request, Score) else request.sampling.max_tokens or room - length
        limit = self.model.config.long_after
        if limit is not None:
            # Known from the start to end up there, or already there.
            sequence.long = len(sequence.ids) > limit or (
                self.long_rope == "long" and length + sequence.max_tokens > limit
            )
        self._scheduler.add(sequence)

    def _prepare(self, request: Request, sequence: Sequence) -> None:
        sampling, vocabulary = request.sampling, self.model.config.vocab_size
        if request.n > MAX_SAMPLES:
            raise ValueError(f"n is {request.n}, at most {MAX_SAMPLES} samples run at once")
        if (sampling.logprobs or 0) > vocabulary:
            raise ValueError(f"logprobs is {sampling.logprobs}, the vocabulary has {vocabulary} tokens")
        if sampling.stop and self._detokenizer is None:
            raise ValueError("stop strings need an engine with a detokenizer")
        for id in sampling.logit_bias:
            if not 0 <= id < vocabulary:
                raise ValueError(f"logit_bias names token {id}, outside the vocabulary of {vocabulary}")
        if sampling.grammar is not None or sampling.thinking is not None:
            if self._grammars is None and (self._make_grammars or sampling.grammar):
                if self._make_grammars is None:
                    raise ValueError("a grammar needs an engine that was given `grammars`")
                self._grammars = self._make_grammars()
            sequence.guide = Guide(sampling, self._grammars, sampling.stop_ids, vocabulary)
        sequence.seed = secrets.randbits(64) if sampling.seed is None else sampling.seed
        sequence.output = self._output(sampling.stop)

    def _output(self, stop: tuple[str, ...]) -> Output:
        return Output(self._detokenizer() if self._detokenizer else None, stop)

    def cancel(self, request_id: int) -> None:
        """End all samples of a request now; its memory is freed at once. An unknown or finished id is ignored."""
        for sequence in self._of(request_id):
            self._scheduler.remove(sequence)
            for index in range(sequence.index, sequence.index + sequence.fan_out):
                sequence.index = index
                self._events.append(sequence.finish("cancelled"))

    def has(self, request_id: int) -> bool:
        """Whether a request is waiting or has samples that still run."""
        return bool(self._of(request_id))

    def _of(self, request_id: int) -> list[Sequence]:
        everyone = (*self._scheduler.running, *self._scheduler.waiting)
        return [sequence for sequence in everyone if sequence.request.id == request_id]

    def reset(self) -> None:
        """Forget every request and the whole cache, without a word to anyone."""
        self._events.clear()
        self._start()

    def update(self, weights: Mapping[str, Tensor]) -> None:
        """Take new parameters, by the network's own names, without rebuilding anything. Raises ValueError for a name or
        shape that does not fit, before anything has changed. Running samples go on with the new weights: what they have
        written stays, and is read again."""
        update(self.model, weights)
        self._forget()

    def add_adapter(self, name: str, adapter: Adapter) -> None:
        """Make a LoRA adapter available to requests; one of the same name is replaced."""
        self.adapters.add(name, adapter, replace=True)
        self._forget()

    def remove_adapter(self, name: str) -> None:
        """Let go of an adapter. Raises ValueError while a request still uses it."""
        everyone = (*self._scheduler.running, *self._scheduler.waiting)
        if any(sequence.request.adapter == name for sequence in everyone):
            raise ValueError(f"adapter {name!r} is in use")
        self.adapters.select(None)
        self.adapters.remove(name)
        self._forget()

    def _forget(self) -> None:
        for sequence in list(self._scheduler.running):
            self._scheduler.restart(sequence)
        self._scheduler.blocks.clear()
        self._layers = layers_on(self.model, self._pool)

    @torch.inference_mode()
    def step(self) -> list[Event]:
        """Advance every running sequence by one forward pass and return what happened. Call while `busy`."""
        self._cross_into_long()
        if spans := self._scheduler.plan():
            try:
                self._forward(spans)
            except (torch.OutOfMemoryError, MemoryError) as error:
                # Nothing of this step has been counted. Who asked for most has to go; the others go on.
                largest, _ = max(spans, key=lambda span: span[1])
                self._fail(largest, error)
        events, self._events = self._events, []
        return events

    def _cross_into_long(self) -> None:
        limit = self.model.config.long_after
        if limit is None:
            return
        for sequence in list(self._scheduler.running):
            if not sequence.long and len(sequence.ids) > limit:
                self._scheduler.restart(sequence)
                sequence.long = True

    def _forward(self, spans: list[Span]) -> None:
        batch = Batch(spans, self.device)
        sampled: list[tuple[Sequence, int]] = []  # who is to be sampled or scored, and from how many rows of logits
        scored: list[tuple[Sequence, int]] = []
        rows: list[int] = []
        score_rows: list[int] = []
        for (sequence, n), first in zip(spans, batch.first, strict=True):
            if isinstance(sequence.request, Score):
                # A text that was restarted is not weighed again where it has been.
                count = sequence.cached + n - max(sequence.cached, sequence.first_row + len(sequence.logprobs))
                if count > 0:
                    scored.append((sequence, count))
                    score_rows += range(first + n - count, first + n)
            elif sequence.cached + n >= len(sequence.ids):
                count = 1 + len(sequence.draft)
                sampled.append((sequence, count))
                rows += range(first + n - count, first + n)
        self.adapters.select([(s.request.adapter, a, a + n) for (s, n), a in zip(spans, batch.first, strict=True)])
        layers = self._layers
        if self.adapters.selected or (layers is not None and len(batch.positions) > layers.most_tokens):
            layers = None
        hidden = batch.hidden(self.model, self._pool, rows + score_rows, layers)
        logits = self.model.lm_head(hidden[: len(rows)])
        for sequence, n in spans:
            self._scheduler.advance(sequence, n - len(sequence.draft))
        if sampled:
            self._sample(logits, sampled)
        self._score(hidden[len(rows) :], scored)

    def _sample(self, logits: Tensor, sampled: list[tuple[Sequence, int]]) -> None:
        turns: list[tuple[Sequence, int]] = []
        index: list[int] = []
        first = 0
        for parent, count in sampled:
            for sequence in self._part(parent):
                turns.append((sequence, count))
                index += range(first, first + count)
            first += count
        if len(index) > first:  # the first tokens of all samples come from the one last row of their prompt
            logits = logits[torch.tensor(index, device=logits.device)]
        guides = [guide for sequence, _ in turns for guide in sequence.guides()]
        for row, guide in enumerate(guides):
            if guide is not None and guide.may_think:
                guide.begin(int(logits[row].argmax()))
        mask = masks(guides, self.device) if any(guide is not None for guide in guides) else None
        chosen = choose(logits, [s.row(ahead) for s, count in turns for ahead in range(count)], mask)
        told = weigh(logits, chosen, [s.sampling for s, count in turns for _ in range(count)])
        tokens = list(zip(chosen.tolist(), told, strict=True))
        at = 0
        for sequence, count in turns:
            self._take(sequence, tokens[at : at + count])
            at += count
        if self.speculate and len(self._scheduler.running) <= DRAFTING:
            for sequence, _ in turns:
                self._propose(sequence)

    def _part(self, parent: Sequence) -> list[Sequence]:
        """The samples of a sequence: at the end of the prompt they part, each with the blocks that it will fill."""
        if parent.fan_out == 1:
            return [parent]
        children = [parent.child(i, self._output(parent.sampling.stop)) for i in range(1, parent.fan_out)]
        for child in children:
            child.guide = parent.guide.fork() if parent.guide else None
        parent.fan_out = 1
        if copies := self._scheduler.fork(parent, children):
            self._pool.copy(*zip(*copies, strict=True))
        return [parent, *children]

    def _take(self, sequence: Sequence, tokens: list[tuple[int, Told]]) -> None:
        """Give a sequence its next token, and those after it as far as its draft foresaw them."""
        draft, sequence.draft = sequence.draft, []
        right, ended = 0, False
        for id, told in tokens:
            try:
                events = sequence.take(id, *told)
            except ValueError as error:  # a grammar that gave up
                self._fail(sequence, error)
                return
            self._events += events
            ended = len(events) > 1
            if ended or right == len(draft) or draft[right] != id:
                break
            right += 1
        if draft:
            assert sequence.drafter is not None
            sequence.drafter.learn(len(draft), right)
            self._scheduler.advance(sequence, right)
        if ended:
            self._scheduler.remove(sequence)

    def _propose(self, sequence: Sequence) -> None:
        if not sequence.blocks or sequence.penalised:
            return  # it has ended, or what a penalty does to the second token depends on the first
        sequence.drafter = sequence.drafter or Drafter()
        most = min(MOST, sequence.max_tokens - sequence.n_generated - 1)
        sequence.draft = sequence.drafter.propose(sequence.ids, most)
        if sequence.guide is not None:
            sequence.ahead = sequence.guide.ahead(sequence.draft)
            sequence.draft = sequence.draft[: len(sequence.ahead) - 1]

    def _score(self, hidden: Tensor, scored: list[tuple[Sequence, int]]) -> None:
        targets: list[int] = []
        for sequence, count in scored:
            assert isinstance(sequence.request, Score)
            a = len(sequence.logprobs)
            targets += sequence.request.continuation[a : a + count]
        logprobs: list[float] = []
        likeliest: list[tuple[int, float]] = []
        for part, ids in zip(hidden.split(SCORED_ROWS), torch.tensor(targets).split(SCORED_ROWS), strict=False):
            logits = self.model.lm_head(part).float()
            ids = ids.to(logits.device)
            chosen = logits.gather(-1, ids[:, None])[:, 0]
            total = logits.logsumexp(-1)
            logprobs += (chosen - total).tolist()
            best = logits.max(-1)
            likeliest += zip(best.indices.tolist(), (best.values - total).tolist(), strict=True)
        at = 0
        for sequence, count in scored:
            sequence.logprobs += logprobs[at : at + count]
            sequence.likeliest += likeliest[at : at + count]
            at += count
            if not sequence.missing:
                assert isinstance(sequence.request, Score)
                continuation = sequence.request.continuation
                self._events.append(
                    Scored(
                        sequence.request.id,
                        tuple(sequence.logprobs),
                        tuple(best == id for (best, _), id in zip(sequence.likeliest, continuation, strict=True)),
                        tuple(sequence.likeliest),
                        sequence.found or 0,
                    )
                )
                self._scheduler.remove(sequence)

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        self._scheduler.remove(sequence)
        for index in range(sequence.index, sequence.index + sequence.fan_out):
            self._events.append(Failed(sequence.request.id, index, error))
