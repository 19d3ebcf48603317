"""Phiforge's engine, stepped directly."""

from __future__ import annotations

import torch

from peers import TEMPERATURE, THREADS, TOP_K, Arrivals
from phiforge.engine.engine import Engine
from phiforge.engine.products import pack
from phiforge.engine.request import Request, Sampling, Score
from phiforge.model import checkpoint


class Phiforge:
    def __init__(self, path: str, form: str, slots: int) -> None:
        torch.set_num_threads(THREADS)
        network = pack(checkpoint.load(path, dtype=torch.float32 if form == "fp32" else None))
        self.engine = Engine(network)

    def generate(self, prompts: list[list[int]], n: int, new: int) -> Arrivals:
        arrivals = Arrivals()
        sampling = Sampling(temperature=TEMPERATURE, top_k=TOP_K, max_tokens=new)
        for prompt in prompts:
            self.engine.submit(Request(prompt=prompt, n=n, sampling=sampling))
        while self.engine.busy:
            if self.engine.step():
                arrivals.tick()
        return arrivals

    def score(self, prompt: list[int], continuations: list[list[int]]) -> Arrivals:
        arrivals = Arrivals()
        for continuation in continuations:
            self.engine.submit(Score(prompt=prompt, continuation=continuation))
        while self.engine.busy:
            if self.engine.step():
                arrivals.tick()
        return arrivals
