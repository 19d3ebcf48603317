"""The engine, first form: continuous batching over a packed batch.

Every step feeds each active request its next tokens, all in one forward pass without padding: the last sampled token of
each sample, or the next chunk of a prompt. Samples of one request share the prompt's keys and values and stay equally
long, so a request is one `Group` with one length. A finished sample leaves the batch at once.

LongRoPE: a sequence longer than the model's `original_context` must use the long factors throughout. Two policies:
`recompute` starts short and, when a request first grows past the limit, drops its whole cache and feeds everything
again with long factors (exact, the reference; a pause at the crossing); `long` takes long factors from the start when
prompt + max_tokens will pass the limit (no pause; short-range answers of such requests differ slightly).
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from phiforge.engine.cache import KVCache, attend, attend_shared
from phiforge.engine.request import Event, Finished, Request, Token
from phiforge.engine.sampler import Row, choose
from phiforge.engine.text import Detokenizer, Output
from phiforge.model.phi3 import Phi3

PREFILL_CHUNK = 512  # tokens of prompts fed per step, so that running samples are not kept waiting
MAX_SAMPLES = 256  # samples in the batch; further requests wait


class Engine:
    """Generates for many requests at once. Not thread-safe: one caller submits, cancels and steps (see `driver.py`).

    `detokenizer` makes a streaming decoder per sample; without one, events carry no text and stop strings are refused.
    """

    def __init__(
        self,
        model: Phi3,
        detokenizer: Callable[[], Detokenizer] | None = None,
        *,
        long_rope: Literal["recompute", "long"] = "recompute",
    ) -> None:
        self.model = model
        self.long_rope = long_rope
        self._detokenizer = detokenizer
        self._waiting: deque[Group] = deque()
        self._active: list[Group] = []
        self._events: list[Event] = []

    @property
    def busy(self) -> bool:
        """Whether anything is waiting, running or yet to be told."""
        return bool(self._waiting or self._active or self._events)

    def submit(self, request: Request) -> None:
        """Queue a request. Raises ValueError, naming the reason, for one that can never run."""
        config = self.model.config
        if request.n > MAX_SAMPLES:
            raise ValueError(f"n is {request.n}, at most {MAX_SAMPLES} samples run at once")
        if (request.sampling.logprobs or 0) > config.vocab_size:
            raise ValueError(f"logprobs is {request.sampling.logprobs}, the vocabulary has {config.vocab_size} tokens")
        if request.sampling.stop and self._detokenizer is None:
            raise ValueError("stop strings need an engine with a detokenizer")
        group = Group(request, self.model, self._detokenizer)
        length, most = len(group.prompt), request.sampling.max_tokens or 1
        if length + most > config.context:
            raise ValueError(
                f"the prompt has {length} tokens and max_tokens is {most}: "
                f"together more than the model's context of {config.context}"
            )
        if self.long_rope == "long" and config.long_after is not None:
            group.long = length + group.max_tokens > config.long_after
        self._waiting.append(group)

    def cancel(self, request_id: int) -> None:
        """End all samples of a request now; its memory is freed at once. An unknown or finished id is ignored."""
        for queue in (self._waiting, self._active):
            for group in list(queue):
                if group.request.id == request_id:
                    queue.remove(group)
                    for sample in group.samples:
                        self._events.append(Finished(request_id, sample.index, "cancelled", sample.output.flush()))

    def has(self, request_id: int) -> bool:
        """Whether a request is waiting or has samples that still run."""
        return any(group.request.id == request_id for queue in (self._waiting, self._active) for group in queue)

    def reset(self) -> None:
        """Forget every request, without a word to anyone."""
        self._waiting.clear()
        self._active.clear()
        self._events.clear()

    @torch.inference_mode()
    def step(self) -> list[Event]:
        """Advance every active request by one forward pass and return what happened. Call while `busy`."""
        self._admit()
        if self._active:
            self._sample(*self._forward())
            self._active = [group for group in self._active if group.samples]
        events, self._events = self._events, []
        return events

    def _admit(self) -> None:
        running = sum(len(group.samples) for group in self._active)
        while self._waiting and running + self._waiting[0].request.n <= MAX_SAMPLES:
            group = self._waiting.popleft()
            running += group.request.n
            self._active.append(group)

    def _forward(self) -> tuple[Tensor, list[Group]]:
        """Feed the next tokens; logits of those groups that are now ready to sample, in their samples' order."""
        limit = self.model.config.long_after
        fed: list[tuple[Group, int]] = []  # group and new tokens per sample
        budget = PREFILL_CHUNK
        for group in self._active:
            if limit is not None and not group.long and group.length > limit:
                group.restart_long()
            n = group.next_chunk(budget)
            if n:
                fed.append((group, n))
                budget -= n * group.width if n > 1 else 0

        embeddings, positions, long, spans, row = [], [], [], [], 0
        for group, n in fed:
            embeddings.append(group.embed(n))
            positions.append(torch.arange(group.cached, group.cached + n).repeat(group.width))
            long.append(torch.full((n * group.width,), group.long))
            spans.append((group, row, n))
            row += n * group.width
        device = self.model.embed_tokens.weight.device

        def attention(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            parts = [
                group.attend(
                    layer, *(x[a : a + n * group.width].unflatten(0, (group.width, n)) for x in (q, k, v))
                ).flatten(0, 1)
                for group, a, n in spans
            ]
            return parts[0] if len(parts) == 1 else torch.cat(parts)

        ready, rows = [], []
        for group, a, n in spans:
            if group.complete_after(n):
                ready.append(group)
                last = [a + n - 1 + s * n for s in range(group.width)]
                # The first tokens of all samples come from the one last row of their shared prompt.
                rows += last if len(last) == len(group.samples) else last * len(group.samples)
        logits = self.model(
            embeddings=torch.cat(embeddings),
            positions=torch.cat(positions).to(device),
            long=torch.cat(long).to(device),
            attend=attention,
            rows=torch.tensor(rows, dtype=torch.long, device=device),
        )
        for group, n in fed:
            group.advance(n)
        return logits, ready

    def _sample(self, logits: Tensor, ready: list[Group]) -> None:
        if not ready:
            return
        turns = [(group, sample) for group in ready for sample in group.samples]
        chosen = choose(logits, [group.row(sample) for group, sample in turns])
        ids = chosen.tolist()
        for row, ((group, sample), id) in enumerate(zip(turns, ids, strict=True)):
            logprob, top = None, ()
            if group.request.sampling.logprobs is not None:
                logprob, top = _logprobs(logits[row], id, group.request.sampling.logprobs)
            self._events += group.take(sample, id, logprob, top)
        for group in ready:
            group.drop_finished()


def _logprobs(logits: Tensor, id: int, k: int) -> tuple[float, tuple[tuple[int, float], ...]]:
    logprobs = logits.float().log_softmax(dim=-1)
    values, ids = logprobs.topk(k)
    return float(logprobs[id]), tuple(zip(ids.tolist(), values.tolist(), strict=True))


class Sample:
    """One continuation of a request: its index, tokens and output."""

    def __init__(self, index: int, output: Output) -> None:
        self.index = index
        self.output = output
        self.tokens: list[int] = []
        self.finished = False


class Group:
    """One request in the batch: what has been fed, and the samples that still run.

    With n > 1 the prompt is `shared` and each sample's tokens are its `own`; with n = 1 all of it is `own`.
    """

    def __init__(self, request: Request, model: Phi3, detokenizer: Callable[[], Detokenizer] | None) -> None:
        self.request = request
        self.model = model
        self.prompt: list[int] = []
        self.blocks: list[tuple[int, Tensor]] = []  # embedding blocks and where they begin
        for item in request.prompt:
            if isinstance(item, Tensor):
                if item.ndim != 2 or item.shape[1] != model.config.d_model:
                    raise ValueError(
                        f"an embedding block has shape {tuple(item.shape)}, expected [L, {model.config.d_model}]"
                    )
                self.blocks.append((len(self.prompt), item))
                self.prompt += [0] * len(item)
            elif 0 <= item < model.config.vocab_size:
                self.prompt.append(item)
            else:
                raise ValueError(f"token id {item} is outside the vocabulary of {model.config.vocab_size}")
        sampling = request.sampling
        self.seed = secrets.randbits(64) if sampling.seed is None else sampling.seed
        self.max_tokens = sampling.max_tokens or model.config.context - len(self.prompt)
        self.samples = [
            Sample(i, Output(detokenizer() if detokenizer else None, sampling.stop)) for i in range(request.n)
        ]
        self.long = False
        self._new_cache()

    def _new_cache(self) -> None:
        like = self.model.embed_tokens.weight
        self.shared = KVCache(self.model.config, 1, like.dtype, like.device) if self.request.n > 1 else None
        self.own = KVCache(self.model.config, len(self.samples), like.dtype, like.device)

    @property
    def _device(self) -> torch.device:
        return self.model.embed_tokens.weight.device

    @property
    def length(self) -> int:
        """Tokens of each sequence, prompt and generated."""
        return len(self.prompt) + len(self.samples[0].tokens)

    @property
    def cached(self) -> int:
        return self.own.length + (self.shared.length if self.shared else 0)

    @property
    def feeding_shared(self) -> bool:
        return self.shared is not None and self.shared.length < len(self.prompt)

    @property
    def width(self) -> int:
        """Sequences fed side by side: all samples, or one while their shared prompt is read."""
        return 1 if self.feeding_shared else len(self.samples)

    def restart_long(self) -> None:
        """Forget every key made under short factors; all tokens will be fed again under long ones."""
        self.long = True
        self._new_cache()

    def next_chunk(self, budget: int) -> int:
        """How many tokens per sequence to feed now; a single one always goes, longer runs wait for budget."""
        missing = (len(self.prompt) if self.feeding_shared else self.length) - self.cached
        return missing if missing <= 1 else min(missing, budget // self.width)

    def complete_after(self, n: int) -> bool:
        return self.cached + n == self.length

    def embed(self, n: int) -> Tensor:
        """Embeddings of the next n tokens of every sequence, [width * n, d_model]."""
        a, past = self.cached, self.cached - len(self.prompt)
        prompt = self.prompt[a : a + n]
        generated: list[list[int]] = [[]] if self.feeding_shared else [sample.tokens for sample in self.samples]
        ids = torch.tensor(
            [prompt + tokens[max(past, 0) : max(past + n, 0)] for tokens in generated], device=self._device
        )
        x = self.model.embed_tokens(ids)
        for start, block in self.blocks:
            first, last = max(start, a), min(start + len(block), a + n)
            if first < last:
                x[:, first - a : last - a] = block[first - start : last - start].to(x.dtype)
        return x.flatten(0, 1)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store the new keys and values and attend: q [width, N, H, D], k and v [width, N, G, D] -> [width, N, H, D]."""
        if self.feeding_shared:
            assert self.shared is not None
            return attend(q, *self.shared.append(layer, k, v))
        own = self.own.append(layer, k, v)
        return attend(q, *own) if self.shared is None else attend_shared(q, self.shared.get(layer), own)

    def advance(self, n: int) -> None:
        cache = self.shared if self.feeding_shared else self.own
        assert cache is not None
        cache.advance(n)

    def row(self, sample: Sample) -> Row:
        seen = None
        if self.request.sampling.repetition_penalty != 1:
            words = [t for t in self.request.prompt if not isinstance(t, Tensor)] + sample.tokens
            seen = torch.tensor(sorted(set(words)), device=self._device)
        return Row(self.request.sampling, self.seed, sample.index, len(sample.tokens), seen)

    def take(self, sample: Sample, id: int, logprob: float | None, top: tuple[tuple[int, float], ...]) -> list[Event]:
        """Give a sample its next token and say what that means for it."""
        request = self.request
        sample.tokens.append(id)
        stopped = id in request.sampling.stop_ids
        text = "" if stopped else sample.output.feed(id)
        events: list[Event] = [Token(request.id, sample.index, id, text, logprob, top)]
        if stopped or sample.output.stopped:
            events.append(Finished(request.id, sample.index, "stop", sample.output.flush()))
        elif len(sample.tokens) >= self.max_tokens:
            rest = sample.output.flush()
            reason = "stop" if sample.output.stopped else "length"
            events.append(Finished(request.id, sample.index, reason, rest))
        sample.finished = len(events) > 1
        return events

    def drop_finished(self) -> None:
        keep = [row for row, sample in enumerate(self.samples) if not sample.finished]
        if len(keep) < len(self.samples):
            self.samples = [self.samples[row] for row in keep]
            if keep:
                self.own.keep(keep)
