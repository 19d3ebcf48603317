"""Answers for training, from the engine of floor 2: many samples of one beginning are one request, and many requests run at once.

The engine reads the trained weights where they are: in the network's own precision it shares them, and nothing is copied.
At int8 or bfloat16 it has a copy of its own, made anew when the weights have moved. That policy is not quite the one that
learns; who uses it weighs its answers by how likely either finds them (`grpo.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import torch
from msgspec import Struct
from torch import Tensor, nn

from phiforge.engine.engine import Engine
from phiforge.engine.request import Failed, Finished, Request, Sampling, Token
from phiforge.engine.scheduler import MAX_SAMPLES
from phiforge.model.phi3 import Phi3
from phiforge.model.quantized import quantize
from phiforge.train.lora import Adapted
from phiforge.train.precision import converted, working_copy

RolloutDtype = Literal["same", "bfloat16", "int8"]


class Answer(Struct, frozen=True):
    """Sampled token ids, the end token among them where the answer `ended` by itself, and their log-probabilities, where
    they were asked for: of the distribution they were drawn from."""

    ids: list[int]
    logprobs: list[float]
    ended: bool


class Wanted(Struct, frozen=True):
    """`n` continuations of token ids, each of at most `longest` tokens. The same for the same weights and seed, whatever else
    is sampled beside them."""

    ids: Sequence[int]
    n: int
    longest: int
    seed: int
    temperature: float = 1.0
    top_p: float = 1.0
    logprobs: bool = False


@dataclass
class Spent:
    """What sampling came to, in tokens: written, read of prompts, and not read because another sample had."""

    written: int = 0
    read: int = 0
    saved: int = 0


class Sampler:
    """An engine over a network in training. `submit` and `step` keep it busy with many requests; `answers` waits for some.

    Call `refresh` whenever the weights have moved. `memory` is the bytes for keys and values.
    """

    def __init__(
        self, model: Phi3, stop_ids: Sequence[int], *, dtype: RolloutDtype = "same", memory: int | None = None
    ) -> None:
        self.stop_ids = tuple(stop_ids)
        self.dtype: RolloutDtype = dtype
        self.spent = Spent()
        self._model = model
        self._memory = memory
        self._made: Engine | None = None
        self._precision = model.norm.weight.dtype
        self._under_way: dict[int, _Growing] = {}

    @property
    def _engine(self) -> Engine:
        """Made when first needed: what trains the network may have changed its precision by then."""
        if self._made is None:
            self._precision = self._model.norm.weight.dtype
            self._made = Engine(to_sample(self._model, self.dtype), memory=self._memory)
        return self._made

    @torch.no_grad()
    def refresh(self) -> None:
        """Take the network's weights as they are now. What was computed with the old ones is forgotten."""
        if self._made is None:
            return
        if self.dtype != "same":
            self._made.update(plain_weights(self._model))
        elif self._precision != self._model.norm.weight.dtype:
            self._made = None
        else:
            self._made.update({})

    @property
    def busy(self) -> bool:
        """Whether an answer is still missing."""
        return bool(self._under_way)

    def submit(self, wanted: Wanted) -> int:
        """Queue a request; its number comes back with its answers. Raises ValueError for what can never run."""
        if wanted.n > MAX_SAMPLES:
            raise ValueError(f"{wanted.n} samples of one beginning: at most {MAX_SAMPLES} at a time")
        sampling = Sampling(
            temperature=wanted.temperature,
            top_p=wanted.top_p,
            max_tokens=wanted.longest,
            stop_ids=self.stop_ids,
            logprobs=0 if wanted.logprobs else None,
            logprobs_of="sampled",
            seed=wanted.seed,
        )
        request = Request(prompt=list(wanted.ids), n=wanted.n, sampling=sampling)
        self._engine.submit(request)
        self._under_way[request.id] = _Growing(len(wanted.ids), [([], []) for _ in range(wanted.n)])
        return request.id

    def step(self) -> list[tuple[int, list[Answer]]]:
        """Advance what runs by a token each. Returns the requests that are complete with it."""
        complete: list[tuple[int, list[Answer]]] = []
        for event in self._engine.step():
            growing = self._under_way[event.request]
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Token):
                ids, logprobs = growing.samples[event.sample]
                ids.append(event.id)
                if event.logprob is not None:
                    logprobs.append(event.logprob)
            elif isinstance(event, Finished):
                growing.answers[event.sample] = Answer(*growing.samples[event.sample], event.reason == "stop")
                if len(growing.answers) == len(growing.samples):
                    self._count(growing, event.cached_tokens)
                    answers = [answer for _, answer in sorted(growing.answers.items())]
                    complete.append((event.request, answers))
                    del self._under_way[event.request]
        return complete

    def answers(self, wanted: Sequence[Wanted]) -> list[list[Answer]]:
        """The answers to each request, all sampled side by side. Nothing else may be under way."""
        numbers = [self.submit(each) for each in wanted]
        found: dict[int, list[Answer]] = {}
        while self.busy:
            found |= self.step()
        return [found[number] for number in numbers]

    def _count(self, growing: _Growing, cached: int) -> None:
        self.spent.written += sum(len(answer.ids) for answer in growing.answers.values())
        self.spent.read += growing.length - cached
        self.spent.saved += growing.length * (len(growing.samples) - 1) + cached


class _Growing:
    """A request under way: its prompt's length, ids and log-probabilities of its samples, and those that are complete."""

    def __init__(self, length: int, samples: list[tuple[list[int], list[float]]]) -> None:
        self.length = length
        self.samples = samples
        self.answers: dict[int, Answer] = {}


def seed_of(*parts: object) -> int:
    """A seed that depends on these and nothing else."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1


def plain_weights(model: Phi3) -> dict[str, Tensor]:
    """A network's parameters by their plain names; adapters that are being learnt are added to the weights they update."""
    adapted = {name: module for name, module in model.named_modules() if isinstance(module, Adapted)}
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        module = adapted.get(name.removesuffix(".base.weight"))
        if module is not None and name.endswith(".base.weight"):
            name = name.removesuffix(".base.weight") + ".weight"
            parameter = module.merged()
        elif name.rpartition(".")[0] in adapted:
            continue  # what an adapter learns
        found[name] = parameter.detach()
    return found


@torch.no_grad()
def to_sample(model: Phi3, dtype: RolloutDtype) -> Phi3:
    """A trained network as an engine takes it: over the same tensors, or a copy of another type."""
    if dtype == "same":
        return working_copy(model).eval()
    network = _plain(model)
    return quantize(network, "int8") if dtype == "int8" else converted(network, torch.bfloat16)


def _plain(model: Phi3) -> Phi3:
    """A network of plain modules over the trained one's tensors."""
    network, weights = Phi3(model.config).eval(), plain_weights(model)
    for name, module in network.named_modules():
        for leaf in dict(module.named_parameters(recurse=False)):
            tensor = weights.get(f"{name}.{leaf}")
            if tensor is not None:
                setattr(module, leaf, nn.Parameter(tensor.float(), requires_grad=False))
    if model.config.tied_embeddings:
        network.lm_head.weight = network.embed_tokens.weight
    return network
