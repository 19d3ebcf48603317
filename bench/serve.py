"""Many users at a time: our server beside llama.cpp's (from the xllamacpp wheel), on the same model file and bits.

    python bench/serve.py           1, 8, 32 and 64 users, with and without a shared system prompt, 3 interleaved rounds
    python bench/serve.py --quick   1 and 8 users, one round, under a minute on two cores
    python bench/serve.py --json    a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok

Open loop: each request is sent at a time drawn beforehand, the same for both servers, whether or not earlier ones have
been answered, so a slow server gets no easier a day. A user asks once: a chat of about 100 random words, streamed, 32
tokens (the end of the turn is forbidden). Time to first token counts from the moment the request was due, and inter-token
latency between the chunks of a stream. One server runs at a time; both listen on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from generate import row, show
from peers import THREADS

from phiforge.store.catalogue import BASE_MODEL
from phiforge.store.models import find

USERS = (1, 8, 32, 64)
WINDOW = 4.0  # seconds in which all users ask
NEW = 32
WORDS = "time river stone light paper green seven walk north under glass music early apple cloud train".split()  # noqa: SIM905
SYSTEM = " ".join(random.Random(0).choices(WORDS, k=150))
ENDS = {"0": -100, "2": -100}  # <|endoftext|> and <|im_end|> of SmolLM2
BARS = {("throughput", 32): 2.0, ("p99 to first token", 32): 1.0}


@dataclass
class Load:
    """What a server did with one load: seconds to first tokens, between tokens, and tokens a second."""

    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, float]:
        gaps = self.gaps or [0.0]
        return {
            "throughput": self.tokens / self.seconds,
            "p50 to first token": statistics.median(self.first),
            "p99 to first token": percentile(self.first, 0.99),
            "p50 between tokens": statistics.median(gaps),
            "p99 between tokens": percentile(gaps, 0.99),
        }


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextmanager
def serving(name: str) -> Iterator[str]:
    """The server of this name in a process of its own, until the block ends; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    child = subprocess.Popen([sys.executable, __file__, "--serve", name, str(port)], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"{url}/health").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if time.monotonic() > end or child.poll() is not None:
                raise RuntimeError(f"{name}: the server did not start")
            time.sleep(0.1)
        yield url
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def serve(name: str, port: int) -> None:
    if name == "phiforge":
        from phiforge.cli.main import main

        sys.exit(main(["serve", "--port", str(port), "--quiet", "--max-running", "128"]))
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = find(BASE_MODEL).path
    params.n_parallel = 64
    params.kv_unified = True
    params.n_ctx = 64 * 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.verbosity = -1
    server = xllamacpp.Server(params)
    while server:
        time.sleep(1)


async def drive(url: str, users: int, shared: bool, seed: int) -> Load:
    chance = random.Random(seed)
    due = [0.0] + [chance.uniform(0, WINDOW) for _ in range(users - 1)]
    prompts = [" ".join(chance.choices(WORDS, k=100)) for _ in due]
    load, began = Load(), time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=httpx.Limits(max_connections=None)) as client:

        async def user(at: float, prompt: str) -> None:
            await asyncio.sleep(at)
            system = [{"role": "system", "content": SYSTEM}] if shared else []
            asked = {
                "messages": [*system, {"role": "user", "content": prompt}],
                "max_tokens": NEW,
                "temperature": 1,
                "top_k": 50,
                "logit_bias": ENDS,
                "stream": True,
            }
            last = None
            async with client.stream("POST", "/v1/chat/completions", json=asked) as answer:
                assert answer.status_code == 200, await answer.aread()
                async for line in answer.aiter_lines():
                    if '"content":"' not in line or '"content":""' in line:
                        continue
                    now = time.perf_counter()
                    load.first.append(now - began - at) if last is None else load.gaps.append(now - last)
                    last = now
            load.tokens += NEW

        await asyncio.gather(*(user(at, prompt) for at, prompt in zip(due, prompts, strict=True)))
    load.seconds = time.perf_counter() - began
    return load


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=USERS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve[0], int(args.serve[1]))
        return 0
    users, rounds = ((1, 8), 1) if args.quick else (args.users, args.rounds)
    loads = [(n, shared) for n in users for shared in ((False,) if args.quick else (False, True))]
    figures: dict[tuple[str, int, bool, str], list[float]] = {}
    for turn in range(rounds):
        for name in ("phiforge", "llama.cpp"):
            with serving(name) as url:
                asyncio.run(drive(url, 1, False, -1))  # loaded and warm
                for n, shared in loads:
                    found = asyncio.run(drive(url, n, shared, 1000 * turn + n)).figures()
                    print(f"  {name}, {n} users{', shared' * shared}: {found}", file=sys.stderr, flush=True)
                    for what, value in found.items():
                        figures.setdefault((name, n, shared, what), []).append(value)
    failed = 0
    for n, shared in loads:
        for what in Load([1.0], [1.0], 1, 1.0).figures():
            ours, theirs = (statistics.median(figures[name, n, shared, what]) for name in ("phiforge", "llama.cpp"))
            unit = "tokens/s" if what == "throughput" else "s"
            title = f"{what}, {n} users{', shared system prompt' if shared else ''}"
            line = row(title, unit, ours, "llama.cpp server", theirs, BARS.get((what, n)))
            failed |= not line["ok"]
            print(json.dumps(line), flush=True) if args.json else show(line)
    return failed


if __name__ == "__main__":
    sys.exit(main())
