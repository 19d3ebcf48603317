"""Logs for tests, written by the log's own writer, as of a model with a given skill that answers sums."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec

from phiforge.evals.log import DataUsed, Item, Outcome, Run, write_log


def run(**changes: Any) -> Run:
    """A run of GSM8K."""
    base = Run(
        task="gsm8k",
        task_version=1,
        protocol="chat",
        protocol_version=1,
        protocol_words="Zero-shot chat.",
        kind="generate",
        verifiers=["math"],
        model="small",
        sampling={"temperature": 0.8, "max_tokens": 256, "shots": 0, "stop": []},
        items=40,
        data=DataUsed("test", "data/gsm8k/test.jsonl", "ab" * 32, True, 40),
        versions={"phiforge": "0.1"},
        machine="a machine",
        created="2026-11-27T12:00:00+00:00",
        finished=True,
        seconds=12.5,
    )
    return msgspec.structs.replace(base, **changes)


def items(skill: float, n: int = 40, repeats: int = 1, seed: int = 0, subsets: int = 4) -> list[Item]:
    """Answers to `n` sums, each right with its own chance around `skill`; a few end otherwise than right or wrong."""
    made: list[Item] = []
    for i in range(n):
        hard = random.Random(i).random()
        for repeat in range(repeats):
            own = random.Random(f"{seed}/{i}/{repeat}")
            right = own.random() < min(1.0, max(0.0, skill + 0.5 - hard))
            gold = str(7 * i + 5)
            said = gold if right else str(7 * i + 6)
            outcome: Outcome = (
                "right" if right else own.choice(["wrong", "wrong", "wrong", "truncated", "unclosed thought"])
            )
            unclosed = outcome == "unclosed thought"
            tokens = own.randint(20, 200)
            made.append(
                Item(
                    id=f"gsm8k/test/{i}",
                    repeat=repeat,
                    subset=f"part{i % subsets}",
                    prompt=f"<|user|>\nAnna has {7 * i} apples and buys 5 more. How many has she?",
                    thought=f"She had {7 * i}. Then {7 * i} + 5 is {said}.",
                    response="" if unclosed else f"She has \\boxed{{{said}}} apples.",
                    extracted=None if unclosed else said,
                    gold=gold,
                    outcome=outcome,
                    score=float(right),
                    reason="equal" if right else "the answers differ",
                    finish="length" if outcome == "truncated" or unclosed else "stop",
                    tokens_in=30,
                    tokens_out=tokens,
                    thought_tokens=tokens // 2,
                    seconds=0.5,
                )
            )
    return made


def log(folder: Path, skill: float, *, n: int = 40, repeats: int = 1, seed: int = 0, **changes: Any) -> Path:
    """A finished log in `folder`."""
    told = run(repeats=repeats, items=n, **changes)
    if "data" not in changes:
        told = msgspec.structs.replace(told, data=msgspec.structs.replace(told.data, items=n))
    return write_log(folder, told, items(skill, n, repeats, seed))
