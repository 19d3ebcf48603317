"""How fast the engine generates, side by side with transformers and llama.cpp, interleaved in one run.

    python bench/generate.py            the default model, medians of 3 interleaved rounds
    python bench/generate.py --quick    one short round, under a minute on two cores
    python bench/generate.py --json     a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok

Every figure is tokens per second. Decoding excludes the prompt: the time to the first token is measured apart and left
out. All sample with temperature 1 and top-k 50, on prompts that no cache has seen. transformers runs in fp32 and in
bf16, where bf16 is not emulated; llama.cpp (`xllamacpp`) runs the quantised file itself, with its best settings for
many samples of one prompt (flash attention on auto, one unified KV stream). Peers that are not installed are left out.
Clocks of shared machines drift: read ratios, not figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from phiforge.engine.engine import Engine
from phiforge.engine.kernels import pack
from phiforge.engine.request import Request, Sampling
from phiforge.lm.local import convert
from phiforge.model import checkpoint
from phiforge.store.catalogue import DEFAULT_MODEL
from phiforge.store.models import find

BAR = {"transformers": 1.0}  # the least ratio to each peer; others are for information


class Runner(ABC):
    """One engine under test."""

    name: str

    @abstractmethod
    def generate(self, prompt: list[int], n: int, new: int) -> tuple[float, float]:
        """Generate `new` tokens for each of `n` samples: seconds to the first token, and from the first to the last."""


class Ours(Runner):
    name = "phiforge"

    def __init__(self, folder: str) -> None:
        self.model = pack(checkpoint.load(folder, dtype=torch.float32))

    def generate(self, prompt: list[int], n: int, new: int) -> tuple[float, float]:
        clock = Clock()
        engine = Engine(self.model)
        engine.submit(Request(prompt=prompt, n=n, sampling=Sampling(top_k=50, max_tokens=new)))
        while engine.busy:
            if engine.step():
                clock.tick()
        return clock.times()


class Transformers(Runner):
    def __init__(self, folder: str, dtype: torch.dtype) -> None:
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.name = f"transformers {str(dtype).removeprefix('torch.')}"
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

    @torch.inference_mode()
    def generate(self, prompt: list[int], n: int, new: int) -> tuple[float, float]:
        # generate() would read the prompt once for every sample; a copied cache is the better use of it.
        from transformers import DynamicCache

        clock = Clock()
        ids = torch.tensor([prompt])
        cache = DynamicCache(config=self.model.config)
        logits = self.model(ids, cache=cache, logits_to_keep=1).logits[:, -1].expand(n, -1)
        cache.batch_repeat_interleave(n)
        for step in range(new):
            values, candidates = logits.float().topk(50)
            token = candidates.gather(-1, torch.multinomial(values.softmax(-1), 1))
            clock.tick()
            if step < new - 1:
                logits = self.model(token, cache=cache, logits_to_keep=1).logits[:, -1]
        return clock.times()


class LlamaCpp(Runner):
    def __init__(self, file: str, slots: int) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = file
        params.n_parallel = slots
        params.n_ctx = 1024 + slots * 256
        params.kv_unified = True
        params.warmup = False
        params.verbosity = -1
        self.server = xllamacpp.Server(params)
        self.name = "llama.cpp " + file.split(".")[-2]

    def generate(self, prompt: list[int], n: int, new: int) -> tuple[float, float]:
        clock = Clock()
        done: list[dict] = []

        def arrived(chunk: str | bytes | dict) -> None:
            clock.tick()
            done.append(chunk if isinstance(chunk, dict) else {})

        request = {
            "prompt": prompt,
            "n_predict": new,
            "n": n,
            "stream": True,
            "ignore_eos": True,
            "cache_prompt": False,
            "temperature": 1.0,
            "top_k": 50,
            "samplers": ["top_k", "temperature"],
        }
        self.server.handle_completions(request, arrived)
        return clock.times()


class Clock:
    """Notes when tokens arrive."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.ticks: list[float] = []

    def tick(self) -> None:
        self.ticks.append(time.perf_counter())

    def times(self) -> tuple[float, float]:
        return self.ticks[0] - self.start, self.ticks[-1] - self.ticks[0]


def fresh_prompt(length: int) -> list[int]:
    return torch.randint(100, 40_000, (length,)).tolist()


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def prefill(runner: Runner, length: int) -> float:
    return length / runner.generate(fresh_prompt(length), 1, 1)[0]


def decode(runner: Runner, n: int, prompt: int, new: int) -> float:
    return n * (new - 1) / runner.generate(fresh_prompt(prompt), n, new)[1]


def bf16_is_native() -> bool:
    """Whether a bf16 product is at least half as fast as an fp32 one; where it is emulated it is many times slower."""
    timing = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.randn(64, 576, dtype=dtype), torch.randn(576, 1536, dtype=dtype)
        a @ b
        timing[dtype] = min(seconds(lambda a=a, b=b: a @ b) for _ in range(5))
    return timing[torch.bfloat16] < 2 * timing[torch.float32]


def runners(model: str, slots: int) -> list[Runner]:
    installed = find(model)
    folder = convert(installed)
    found: list[Runner] = [Ours(folder)]
    wanted: list[Callable[[], Runner]] = [partial(Transformers, folder, torch.float32)]
    if bf16_is_native():
        wanted.append(partial(Transformers, folder, torch.bfloat16))
    if Path(installed.path).suffix == ".gguf":
        wanted.append(partial(LlamaCpp, installed.path, slots))
    for make in wanted:
        try:
            found.append(make())
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    single, batch = (16, 6) if args.quick else (64, 32)
    tasks: dict[str, Callable[[Runner], float]] = {
        "prefill, 512 tokens": partial(prefill, length=512),
        f"one stream, 256 + {single}": partial(decode, n=1, prompt=256, new=single),
        f"16 samples of one prompt, 256 + {batch}": partial(decode, n=16, prompt=256, new=batch),
        f"64 samples of one prompt, 256 + {batch}": partial(decode, n=64, prompt=256, new=batch),
    }
    engines = runners(args.model, slots=64)
    for runner in engines:
        runner.generate(fresh_prompt(32), 2, 2)  # first-call costs are nobody's speed

    results: dict[tuple[str, str], list[float]] = {}
    for _ in range(1 if args.quick else args.rounds):
        for what, task in tasks.items():
            for runner in engines:
                results.setdefault((what, runner.name), []).append(task(runner))
                print(f"  {runner.name}, {what}: {results[what, runner.name][-1]:.1f}", file=sys.stderr)

    failed = False
    for what in tasks:
        ours = statistics.median(results[what, "phiforge"])
        for peer in [runner.name for runner in engines[1:]]:
            value = statistics.median(results[what, peer])
            ratio = ours / value
            bar = BAR.get(peer.split()[0])
            ok = bar is None or ratio >= bar
            failed |= not ok
            row = {
                "what": what, "unit": "tokens/s", "ours": round(ours, 1), "peer": peer, "peer_value": round(value, 1),
                "ratio": round(ratio, 2), "bar": bar, "ok": ok,
            }  # fmt: skip
            if args.json:
                print(json.dumps(row), flush=True)
            else:
                verdict = "" if bar is None else f"  (bar {bar}: {'met' if ok else 'MISSED'})"
                print(f"{what:38} {ours:8.1f}  against {peer:22} {value:8.1f}  = {ratio:5.2f} x{verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
