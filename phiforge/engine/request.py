"""What goes into the engine and what comes out of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from phiforge.engine.guide import Grammar, Thinking


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are chosen and when a sample ends.

    Logits are changed in the order logit bias, repetition penalty, frequency and presence penalty (which count what the
    sample has generated, as OpenAI's do); filters then apply in the order temperature, top-k, top-p, min-p.
    `temperature` 0 is greedy. `seed` None draws a fresh one; with a seed, a sample's tokens depend only on the prompt,
    the seed and the sample's index, whatever else is in the batch. `max_tokens` None means as far as the context goes.
    `logprobs` k reports the log-probability of each chosen token and of the k likeliest (0: the chosen one only),
    under the model's own distribution: before bias, penalties, temperature and filters. `logprobs_of` "sampled" is after
    the temperature, as training wants them.
    `grammar` limits the answer to what it accepts; `thinking` tracks and limits a thought before it (see `guide.py`).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    logprobs: int | None = None
    logprobs_of: Literal["model", "sampled"] = "model"
    grammar: Grammar | None = None
    thinking: Thinking | None = None

    def __post_init__(self) -> None:
        for name, ok, expected in (
            ("temperature", self.temperature >= 0, "0 or more"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("min_p", 0 <= self.min_p <= 1, "between 0 and 1"),
            ("repetition_penalty", 0 < self.repetition_penalty < math.inf, "above 0 and finite"),
            ("frequency_penalty", math.isfinite(self.frequency_penalty), "finite"),
            ("presence_penalty", math.isfinite(self.presence_penalty), "finite"),
            ("logit_bias", not any(math.isnan(bias) for bias in self.logit_bias.values()), "numbers"),
            ("max_tokens", self.max_tokens is None or self.max_tokens >= 1, "1 or more"),
            ("logprobs", self.logprobs is None or self.logprobs >= 0, "0 or more"),
            ("stop", all(self.stop), "without empty strings"),
        ):
            if not ok:
                raise ValueError(f"{name} must be {expected}, not {getattr(self, name)!r}")


_ids = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt to continue `n` times. The prompt is token ids, with optional embedding blocks [L, d_model] between them.

    `adapter` names a LoRA adapter that the engine has been given.
    """

    prompt: Sequence[int | Tensor]
    sampling: Sampling = field(default_factory=Sampling)
    n: int = 1
    adapter: str | None = None
    id: int = field(default_factory=lambda: next(_ids))

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be 1 or more, not {self.n}")
        if not self.prompt:
            raise ValueError("the prompt is empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A text to weigh rather than to continue: how likely is `continuation` after `prompt`? Answered by one `Scored`.

    Requests with the same prompt, as the choices of a question, compute it once.
    """

    prompt: Sequence[int | Tensor]
    continuation: Sequence[int]
    adapter: str | None = None
    id: int = field(default_factory=lambda: next(_ids))
    n: Literal[1] = field(default=1, init=False)

    def __post_init__(self) -> None:
        if not self.prompt:
            raise ValueError("the prompt is empty; a first token needs something before it, such as the model's bos")
        if not self.continuation:
            raise ValueError("the continuation is empty")


@dataclass(frozen=True, slots=True)
class Token:
    """One chosen token of one sample. `text` is what it lets out: less than its own text while a character or a stop
    string may still be forming, nothing for a token that stops the sample."""

    request: int
    sample: int
    id: int
    text: str
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one sample; `text` is whatever had been held back. `cached_tokens` of its prompt were not computed
    for it but found in the cache."""

    request: int
    sample: int
    reason: Literal["stop", "length", "cancelled"]
    text: str = ""
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """The log-probability of each token of a continuation, whether each was the likeliest one there, and which that was,
    with its own log-probability."""

    request: int
    logprobs: tuple[float, ...]
    greedy: tuple[bool, ...]
    likeliest: tuple[tuple[int, float], ...]
    cached_tokens: int = 0
    sample: int = 0

    @property
    def total(self) -> float:
        """The log-probability of the whole continuation."""
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True)
class Failed:
    """The end of one sample by an error of its own; the others in the batch go on."""

    request: int
    sample: int
    error: Exception


Event = Token | Finished | Scored | Failed
