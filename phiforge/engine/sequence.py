"""One text in the engine, from its prompt to its end: what it is, how far it has been computed, and what it lets out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from phiforge.engine.request import Event, Finished, Request, Sampling, Score, Token
from phiforge.engine.sampler import Row
from phiforge.engine.text import Output
from phiforge.kernels.attention import BLOCK
from phiforge.model.config import ModelConfig

if TYPE_CHECKING:
    from phiforge.engine.guide import Guide
    from phiforge.engine.speculate import Drafter


class Prompt:
    """The token ids of a prompt, 0 where an embedding stands, and what tells its positions apart in the prefix tree."""

    def __init__(self, items: object, config: ModelConfig) -> None:
        """Raises ValueError for an id outside the vocabulary and for a block of the wrong shape."""
        self.ids: list[int] = []
        self.blocks: list[tuple[int, Tensor]] = []  # embedding blocks and where they begin
        self.keys: list[Hashable] = []
        for item in items:  # type: ignore[attr-defined]
            if isinstance(item, Tensor):
                if item.ndim != 2 or item.shape[1] != config.d_model:
                    raise ValueError(
                        f"an embedding block has shape {tuple(item.shape)}, expected [L, {config.d_model}]"
                    )
                digest = hashlib.blake2b(item.detach().float().cpu().numpy().tobytes(), digest_size=16).digest()
                self.blocks.append((len(self.ids), item))
                self.keys += [(digest, i) for i in range(len(item))]
                self.ids += [0] * len(item)
            elif 0 <= item < config.vocab_size:
                self.ids.append(item)
                self.keys.append(item)
            else:
                raise ValueError(f"token id {item} is outside the vocabulary of {config.vocab_size}")


class Sequence:
    """A sample of a request, all its samples while they still share the prompt (`fan_out` of them), or a text to score.

    `ids` are all its tokens, of which the keys and values of the first `cached` lie in `blocks`; those after it are to
    be fed, then `draft`, which may turn out wrong.
    """

    def __init__(self, request: Request | Score, prompt: Prompt, arrival: int, *, seed: int = 0) -> None:
        self.request = request
        self.arrival = arrival
        self.index = 0
        self.fan_out = request.n
        self.prompt = prompt
        self.ids = list(prompt.ids)
        self.keys = list(prompt.keys) if prompt.blocks else self.ids
        self.seed = seed
        self.max_tokens = 0
        self.output: Output | None = None
        self.guide: Guide | None = None
        self.drafter: Drafter | None = None
        self.draft: list[int] = []
        self.ahead: list[Guide] = []  # with a guide: its states along the draft
        self.long = False  # LongRoPE's regime
        self.blocks: list[int] = []
        self.cached = 0
        self.published = 0  # blocks that hang in the prefix tree
        self.found: int | None = None  # tokens of the prompt that the cache had, when first admitted
        self.logprobs: list[float] = []  # of a text to score, as far as they are known
        self.likeliest: list[tuple[int, float]] = []
        if isinstance(request, Score):
            # The last token is only a target: nothing has to be computed for it.
            self.ids += request.continuation[:-1]
            if prompt.blocks:
                self.keys += request.continuation[:-1]

    @property
    def order(self) -> tuple[int, int]:
        """Who came first."""
        return self.arrival, self.index

    @property
    def root(self) -> Hashable:
        """Where the sequence begins in the prefix tree: other weights or angles make other keys."""
        return self.request.adapter, self.long

    @property
    def n_generated(self) -> int:
        return len(self.ids) - len(self.prompt.ids)

    @property
    def missing(self) -> int:
        """Tokens known but not computed."""
        return len(self.ids) - self.cached

    @property
    def first_row(self) -> int:
        """The first position whose logits are needed."""
        return len(self.prompt.ids) - 1 if isinstance(self.request, Score) else len(self.ids) - 1

    @property
    def sampling(self) -> Sampling:
        assert isinstance(self.request, Request)
        return self.request.sampling

    def key(self, block: int) -> tuple[Hashable, ...]:
        """The tokens of one full block, as the prefix tree knows them."""
        return tuple(self.keys[block * BLOCK : (block + 1) * BLOCK])

    def before(self, block: int) -> Hashable:
        """What comes before a block in the prefix tree."""
        return self.blocks[block - 1] if block else self.root

    def child(self, index: int, output: Output) -> Sequence:
        """Another sample of the same request, at the end of the prompt they share. It holds no blocks yet."""
        child = Sequence(self.request, self.prompt, self.arrival, seed=self.seed)
        child.index, child.fan_out = index, 1
        child.max_tokens, child.long, child.found = self.max_tokens, self.long, self.found
        child.output = output
        return child

    @property
    def penalised(self) -> bool:
        """Whether what has been generated changes the logits."""
        s = self.sampling
        return bool(s.frequency_penalty or s.presence_penalty or s.repetition_penalty != 1)

    def row(self, ahead: int) -> Row:
        """What the logits after `ahead` tokens of the draft are sampled with."""
        counts: dict[int, int] = {}
        seen = None
        if self.penalised:
            counts = Counter(self.ids[len(self.prompt.ids) :])
            if self.sampling.repetition_penalty != 1:
                seen = sorted({key for key in self.prompt.keys if isinstance(key, int)} | counts.keys())
        return Row(self.sampling, self.seed, self.index, self.n_generated + ahead, seen, counts)

    def guides(self) -> list[Guide | None]:
        """The guide of the next token and of those after each drafted one."""
        if self.guide is not None and self.draft:
            return [*self.ahead]
        return [self.guide] * (1 + len(self.draft))

    def take(self, id: int, logprob: float | None, top: tuple[tuple[int, float], ...]) -> list[Event]:
        """Append a chosen token and say what that means: a Token, and a Finished if it was the last."""
        assert isinstance(self.request, Request)
        assert self.output is not None
        self.ids.append(id)
        if self.keys is not self.ids:
            self.keys.append(id)
        stopped = id in self.sampling.stop_ids
        text = "" if stopped else self.output.feed(id)
        token = Token(self.request.id, self.index, id, text, logprob, top)
        if self.guide is not None and not stopped:
            self.guide.accept(id)
            stopped = self.guide.finished
        if stopped or self.output.stopped:
            return [token, self.finish("stop")]
        if self.n_generated >= self.max_tokens:
            last = self.finish("length")
            return [token, self.finish("stop", last.text) if self.output.stopped else last]
        return [token]

    def finish(self, reason: str, text: str | None = None) -> Finished:
        """The sample's last event, with whatever text was held back."""
        if text is None:
            text = self.output.flush() if self.output else ""
        return Finished(self.request.id, self.index, reason, text, self.found or 0)  # type: ignore[arg-type]

    def embed(self, embed_tokens: torch.nn.Module, n: int) -> Tensor | None:
        """Embeddings [n, d_model] of the next n tokens where some of them are not tokens; None where all are."""
        a, b = self.cached, self.cached + n
        parts = [(s, block) for s, block in self.prompt.blocks if s < b and a < s + len(block)]
        if not parts:
            return None
        weight_device = next(iter(embed_tokens.buffers()), None)
        device = weight_device.device if weight_device is not None else next(embed_tokens.parameters()).device
        x = embed_tokens(torch.tensor(self.ids[a:b], device=device))
        for start, block in parts:
            first, last = max(start, a), min(start + len(block), b)
            x[first - a : last - a] = block[first - start : last - start].to(x)
        return x
