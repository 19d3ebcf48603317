"""GRPO teaches two-digit addition to a network that SFT left half-taught: how often it is right before and after, in how long,
and why groups taught nothing.

    python bench/grpo_arithmetic.py            # a few minutes on two cores
    python bench/grpo_arithmetic.py --quick    # a few steps only, to see that it runs
    python bench/grpo_arithmetic.py --out DIR  # goes on there, where it was stopped

A network of 0.4M weights reads characters and writes a sum's digits, the last one first. SFT stops early; then only right or
wrong counts. Questions that are measured on are in neither. The bars: under 40 % before, over 80 % after, within 15 minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import torch
from msgspec.structs import replace

from phiforge.model.phi3 import Phi3
from phiforge.records import Message, Problem
from phiforge.train import grpo, sft
from phiforge.train.batches import Document
from phiforge.train.groups import Prompt
from phiforge.train.loop import Step, train
from phiforge.train.optim import Optimizer
from phiforge.train.pivotal import Chance
from phiforge.train.pretrain import nano
from phiforge.train.rollouts import Sampler, Wanted

CHARACTERS = "0123456789+= "
END = len(CHARACTERS)
LONGEST = 5  # tokens of an answer
FAST = Optimizer(lr=3e-3, muon=True, weight_decay=0.0, schedule="constant", warmup=0)
HELD_OUT = 500


def encode(text: str) -> list[int]:
    return [CHARACTERS.index(each) for each in text]


def decode(ids: Sequence[int]) -> str:
    """The number that is written, its last digit first."""
    return "".join(CHARACTERS[id] for id in reversed(ids) if id < END)


def questions() -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """To learn from, and to measure on."""
    every = [(a, b) for a in range(10, 100) for b in range(10, 100)]
    Random(0).shuffle(every)
    return every[HELD_OUT:], every[:HELD_OUT]


def prompt(a: int, b: int) -> Prompt:
    asked = f"{a}+{b}="
    return Prompt(encode(asked), Problem(asked, [Message("user", asked)], str(a + b), "math"))


def document(a: int, b: int) -> Document:
    asked, said = encode(f"{a}+{b}="), [*encode(str(a + b)[::-1]), END]
    return Document([*asked, *said], [0.0] * len(asked) + [1.0] * len(said))


def accuracy(model: Phi3, asked: list[tuple[int, int]]) -> Chance:
    """One answer to each question, sampled at temperature 1."""
    sampler = Sampler(model.eval(), [END])
    found = sampler.answers([Wanted(prompt(a, b).ids, 1, LONGEST, seed=i) for i, (a, b) in enumerate(asked)])
    right = [x.ended and decode(x.ids) == str(a + b) for (x,), (a, b) in zip(found, asked, strict=True)]
    return Chance(sum(right), len(right))


def half_taught(learnt: list[tuple[int, int]], held_out: list[tuple[int, int]], folder: Path) -> Phi3:
    """After as much SFT as leaves it right a fifth of the time; kept in the folder."""
    model = Phi3(nano(2, END + 1, context=64)).init_weights(torch.Generator().manual_seed(1))
    kept = folder / "start.pt"
    if kept.exists():
        model.load_state_dict(torch.load(kept, weights_only=True))
        return model
    documents = [document(*each) for each in learnt]
    for part in range(60):
        some = Random(part).sample(documents, 500)
        with tempfile.TemporaryDirectory() as passing:
            train(model, sft.stage(some, tokens=512, epochs=1), FAST, passing)
        if accuracy(model, held_out).p >= 0.2:
            break
    torch.save(model.state_dict(), kept)
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one row a line")
    parser.add_argument("--quick", action="store_true", help="a few steps only, which reach no bar")
    parser.add_argument("--out", help="folder to train in, and to go on in")
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    folder = Path(options.out or tempfile.mkdtemp(prefix="grpo-"))
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    learnt, held_out = questions()
    model = half_taught(learnt, held_out, folder)
    before, sft_seconds = accuracy(model, held_out), time.monotonic() - started
    print(f"before: {told(before)} after {sft_seconds:.0f} s of SFT", file=sys.stderr)
    steps = 6 if options.quick else options.steps
    settings = grpo.Settings(prompts=32, group=8, longest=LONGEST)
    stage = grpo.stage(
        model, [prompt(*each) for each in learnt], decode, [END], folder, steps=steps, tokens=2048, settings=settings
    )

    def progress(step: Step) -> None:
        if step.step % 5 == 0:
            right = step.more.get("right", float("nan"))
            print(f"step {step.step}/{steps}  right {right:.0%}  {step.seconds:.1f} s", file=sys.stderr, flush=True)

    train(model, stage, replace(FAST, lr=1e-3), folder, progress=progress, save_seconds=30)
    after = accuracy(model, held_out)
    metrics = [msgspec.json.decode(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    minutes = sum(row["seconds"] for row in metrics) / 60
    rows = [
        row("right before GRPO", "share", before.p, 0.4, before.p < 0.4),
        row("right after GRPO", "share", after.p, 0.8, after.p > 0.8),
        row("GRPO", "minutes", minutes, 15, minutes < 15),
    ]
    if options.json:
        print("\n".join(json.dumps(each) for each in rows))
    else:
        print(f"before {told(before)}, after {told(after)}, in {minutes:.1f} minutes of GRPO ({steps} steps)")
        table(folder / "groups.jsonl", steps)
    return 0 if options.quick or all(each["ok"] for each in rows) else 1


def told(chance: Chance) -> str:
    low, high = chance.interval()
    return f"{chance.p:.1%} ({low:.1%} to {high:.1%}, n = {chance.n})"


def row(what: str, unit: str, ours: float, bar: float, ok: bool) -> dict[str, object]:
    return {"what": what, "unit": unit, "ours": round(ours, 4), "peer": None, "peer_value": None, "ratio": None,
            "bar": bar, "ok": ok}  # fmt: skip


def table(file: Path, steps: int) -> None:
    """Of every quarter of the steps, how many groups taught, and why the others did not."""
    groups = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    lessons = sorted({group["lesson"] for group in groups})
    print(f"\n{'steps':>10} {'groups':>7} " + " ".join(f"{lesson:>14}" for lesson in lessons))
    quarter = -(-steps // 4)
    for first in range(1, steps + 1, quarter):
        some = [group for group in groups if first <= group["step"] < first + quarter]
        counts = Counter(group["lesson"] for group in some)
        span = f"{first}-{min(steps, first + quarter - 1)}"
        print(f"{span:>10} {len(some):>7} " + " ".join(f"{counts[lesson]:>14}" for lesson in lessons))


if __name__ == "__main__":
    sys.exit(main())
