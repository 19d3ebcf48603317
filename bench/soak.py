"""A server under mixed load for a while: does its memory stay flat, does every request get an answer or an honest refusal?

    python bench/soak.py                30 minutes, 8 clients; a line a minute, and a verdict
    python bench/soak.py --minutes 2    shorter

Clients on loopback ask, stream, vote, want JSON, embed, and leave in the middle. Memory is the server's own, with 100 MB for
keys and values; it is flat when the last third's mean is within 3 % of the middle third's. Exit status 1 when it is not, or
when anything answered with 500 or hung for two minutes.
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
from pathlib import Path

import httpx

CLIENTS = 8
PATIENCE = 120.0  # seconds for one request
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def requests(chance: random.Random) -> tuple[str, dict[str, object]]:
    """One request of some kind."""
    text = " ".join(chance.choices(["red", "why", "seven", "count", "tree", "2 + 2"], k=chance.randint(1, 80)))
    chat: dict[str, object] = {"messages": [{"role": "user", "content": text}], "max_tokens": chance.randint(1, 80)}
    kind = chance.randrange(6)
    if kind == 0:
        return "/v1/embeddings", {"input": [text] * chance.randint(1, 4)}
    if kind == 1:
        return "/v1/completions", {"prompt": text, "max_tokens": 16, "echo": True, "logprobs": 1}
    if kind == 2:
        format = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
        return "/v1/chat/completions", {**chat, "response_format": format}
    if kind == 3:
        return "/v1/chat/completions", {**chat, "majority_vote": 4}
    return "/v1/chat/completions", {**chat, "stream": True, "n": chance.randint(1, 3)}


async def client(url: str, end: float, seed: int, outcomes: dict[str, int]) -> None:
    chance = random.Random(seed)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        while time.monotonic() < end:
            path, asked = requests(chance)
            try:
                async with http.stream("POST", path, json=asked) as answer:
                    outcome = str(answer.status_code)
                    pieces = chance.randint(1, 30) if chance.random() < 0.4 else 1 << 30
                    async for _ in answer.aiter_bytes():
                        pieces -= 1
                        if not pieces:
                            outcome = "left"
                            break
            except httpx.TimeoutException:
                outcome = "hung"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1


async def watch(pid: int, end: float, outcomes: dict[str, int]) -> list[float]:
    """MB that the server holds, every two seconds; a line every minute."""
    began, found = time.monotonic(), list[float]()
    while time.monotonic() < end:
        await asyncio.sleep(2)
        found.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6)
        if len(found) % 30 == 0:
            print(f"  {(time.monotonic() - began) / 60:4.0f} min  {found[-1]:7.0f} MB  {outcomes}", flush=True)
    return found


async def soak(url: str, pid: int, minutes: float) -> bool:
    end, outcomes = time.monotonic() + 60 * minutes, dict[str, int]()
    watching = asyncio.create_task(watch(pid, end, outcomes))
    await asyncio.gather(*(client(url, end, seed, outcomes) for seed in range(CLIENTS)))
    found = await watching
    third = len(found) // 3
    middle, last = statistics.mean(found[third : 2 * third]), statistics.mean(found[2 * third :])
    bad = sum(count for outcome, count in outcomes.items() if outcome == "hung" or outcome.startswith("5"))
    flat = last <= 1.03 * middle
    print(json.dumps({"requests": sum(outcomes.values()), "outcomes": outcomes, "mb": [middle, last], "flat": flat}))
    return flat and not bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    args = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", "--port", str(port), "--quiet", "--kv-memory", "0.1"]
    child = subprocess.Popen([sys.executable, "-m", "phiforge.cli.main", *words], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/health")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        return 0 if asyncio.run(soak(url, child.pid, args.minutes)) else 1
    finally:
        child.terminate()
        child.wait(60)


if __name__ == "__main__":
    sys.exit(main())
