"""What is measured, and the bar for each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from limits import Limits
from models import BITS, Model
from peers import Entry
from worker import Worker

# Bits of a weight in our files: of layers, with the scale and minimum of each group, and of the output layer.
STORED = {"int4": (5.0, 8.0), "int8": (8.0, 8.0), "fp32": (32.0, 32.0)}
PREFILL_1000 = "prefill of 1,000 tokens, 135m"


@dataclass(frozen=True, kw_only=True)
class Task:
    """`n` samples of each of `streams` prompts of `length` tokens, `new` tokens each.

    `counts`: "prefill" the prompt's tokens until the first new one comes; "decode" the new tokens from the first on;
    "whole" all new tokens from the start; "seconds" the whole time. `bars` are (peer, least ratio) pairs, where "best" is
    the best peer among those of at most `bits` a weight.
    """

    what: str
    model: str
    length: int
    new: int
    n: int = 1
    streams: int = 1
    counts: Literal["prefill", "decode", "whole", "seconds"] = "decode"
    bits: float = 8.5
    bars: tuple[tuple[str, float], ...] = (("best", 1.0),)
    share_bar: float | None = None  # of the machine's limit
    continuations: int = 0  # to score, four tokens each
    against: str = ""  # the task whose time scoring is held against

    @property
    def unit(self) -> str:
        return "s" if self.counts == "seconds" else "tokens/s"

    @property
    def ours_only(self) -> bool:
        return self.counts == "seconds"

    def allows(self, peer: Entry) -> bool:
        return BITS[peer.form] <= self.bits

    def prompts(self) -> list[list[int]]:
        return [random.choices(range(100, 30_000), k=self.length) for _ in range(self.streams)]

    def measure(self, worker: Worker, prompts: list[list[int]]) -> float:
        if self.continuations:
            texts = [random.choices(range(100, 30_000), k=4) for _ in range(self.continuations)]
            return worker.ask("score", prompt=prompts[0], continuations=texts)["last"]
        answer = worker.ask("generate", prompts=prompts, n=self.n, new=self.new)
        first, last = answer["first"], answer["last"]
        if self.counts == "prefill":
            return self.streams * self.length / first
        if self.counts == "decode":
            return self.n * self.streams * (self.new - 1) / (last - first)
        return last if self.counts == "seconds" else self.n * self.streams * self.new / last

    def achieved(self, model: Model, peer: Entry, rate: float, most: Limits) -> tuple[float, float, str]:
        """Our rate of reading weights, for one stream, or else of arithmetic with them; the machine's; and the unit."""
        if self.n * self.streams == 1 and self.counts == "decode":
            layers, head = STORED[peer.form] if peer.engine == "phiforge" else (BITS[peer.form], BITS[peer.form])
            bits = model.layer_weights * layers + (model.weights - model.layer_weights) * head
            return rate * bits / 8 / 1e9, most.read, "GB/s"
        weights = model.layer_weights if self.counts == "prefill" else model.weights
        return 2 * weights * rate / 1e9, most.int8 if BITS[peer.form] <= 8.5 else most.fp32, "GOP/s"


TASKS = [
    Task(what="64 samples of one prompt, 256 + 128, 135m", model="135m", length=256, new=128, n=64,
         bars=(("best", 2.0), ("llama.cpp", 4.5))),
    Task(what="16 samples of one prompt, 256 + 128, 135m", model="135m", length=256, new=128, n=16, bars=(("best", 1.6),)),
    Task(what="64 samples of one prompt, 256 + 32, 135m", model="135m", length=256, new=32, n=64, bars=(("best", 2.0),)),
    Task(what="prefill of 512 tokens, 135m", model="135m", length=512, new=1, counts="prefill", bars=(("best", 1.2),)),
    Task(what="one stream, 256 + 64, 135m", model="135m", length=256, new=64, bars=(("llama.cpp q4_0", 1.1),)),
    Task(what="16 streams of different prompts, 200 + 64, 135m", model="135m", length=200, new=64, streams=16,
         counts="whole", bars=(("llama.cpp", 1.5),)),
    Task(what=PREFILL_1000, model="135m", length=1000, new=1, counts="seconds"),
    Task(what="scoring 4 continuations of 1,000 tokens, 135m", model="135m", length=1000, new=0, counts="seconds",
         continuations=4, against=PREFILL_1000),
    Task(what="64 samples of one prompt, 256 + 32, mini", model="mini", length=256, new=32, n=64, bars=(("best", 1.5),)),
    Task(what="16 samples of one prompt, 256 + 16, mini", model="mini", length=256, new=16, n=16, bars=()),
    Task(what="prefill of 512 tokens, mini", model="mini", length=512, new=1, counts="prefill", bars=(("best", 1.2),)),
    Task(what="one stream, 256 + 16, mini", model="mini", length=256, new=16, bits=4.5, bars=(("best", 1.0),), share_bar=0.7),
]  # fmt: skip

QUICK = [
    Task(what="16 samples of one prompt, 128 + 8, 135m", model="135m", length=128, new=8, n=16, bars=(("best", 1.6),)),
    Task(what="prefill of 256 tokens, 135m", model="135m", length=256, new=1, counts="prefill", bars=(("best", 1.2),)),
    Task(what="one stream, 32 + 12, 135m", model="135m", length=32, new=12, bars=(("llama.cpp q4_0", 1.1),)),
]  # fmt: skip
