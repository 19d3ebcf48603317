"""Training beside TRL's SFTTrainer and GRPOTrainer: the same weights, documents, prompts, steps and machine, in turns.

    python bench/train.py --trl PYTHON            packed SFT at 512 and 1,024 tokens, and GRPO; medians of 3 rounds
    python bench/train.py --trl PYTHON --quick    a single short round of SFT
    python bench/train.py --trl PYTHON --search   every one of TRL's settings once, and which of them fail, to see its best here
    python bench/train.py --json                  a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok

PYTHON is an interpreter that has TRL, in an environment of its own (`pip install trl torch`). The model is the default one.
Each side runs in a process of its own, one at a time; a step is timed from the end of the one before, so that nothing is left
out but loading and the first step. Documents are of 64 to 512 tokens, a third of them a prompt that is not learnt. Tokens are
the documents', not padding. Peaks are of the whole process. GRPO: 8 prompts, 8 answers each of exactly 128 tokens; all weights,
and an adapter; ours has precision = "int8". Where bf16 is fast, TRL has it, and ours too in SFT, with recompute = true. SFT is
measured once more with ours' weights in bf16; where bf16 is fast, TRL's are too, and GRPO is measured so as well.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import torch
from generate import row, show
from models import default

from phiforge.chat.tokenizer import Tokenizer
from phiforge.train.precision import fastest

HERE = Path(__file__).parent
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FASTER_SFT, SMALLER_SFT, FASTER_GRPO, GROWTH = 1.4, 1 / 0.7, 4.0, 1 / 1.2
STEP = 2048  # tokens of an optimiser's step of SFT
GROUP, LONGEST = 8, 128

Settings = dict[str, Any]
Figures = dict[str, float]  # tokens a second, and peak in bytes

# TRL's best by --search, as docs/performance.md has it; `bf16`, where it is not given, as this machine is faster. Rows that are
# "wrapped" let documents see each other; ours and "bfd" do not.
TRL: Settings = {"dtype": "float32", "attention": "sdpa"}
SFT_BEST: Settings = TRL | {"packing": "wrapped", "batch": 1, "compile": True}
GRPO_BEST: Settings = TRL | {"batch": 8, "continuous": False, "lora": 0}
SFT_SEARCH: list[Settings] = [
    {}, {"batch": 2}, {"packing": "bfd"}, {"compile": False}, {"compile": False, "batch": 2},
    {"compile": False, "attention": "eager"},
]  # fmt: skip
GRPO_SEARCH: list[Settings] = [{}, {"batch": 16}, {"batch": 4}, {"continuous": True}]
# Searched where bf16 is faster; elsewhere it can take sixty times as long.
NARROW: Settings = {"dtype": "bfloat16"}
LOWER: list[Settings] = [{"bf16": False}, NARROW]
OURS_SFT: Settings = {"weights": "float32", "precision": "auto", "batch": 1}
OURS_GRPO: Settings = {"weights": "float32", "precision": "auto", "tokens": 2048, "rollouts": "int8", "lora": 0}
OURS_NARROW: Settings = {"weights": "bfloat16"}
LORA = 16  # rank, on both sides

QUESTIONS = (
    "A baker sells {a} loaves in the morning and {b} in the afternoon, at {c} coins each. How much does she earn in a day?",
    "A train of {a} wagons carries {b} people in each. At the next stop {c} people leave. How many are left on it?",
    "Explain in a few sentences why a pond of {a} square metres freezes later than one of {b}, and {c} is not between them.",
    "Write a short letter to a friend who has waited {a} days, then {b} more, for a book of {c} pages.",
)


def documents(n: int) -> list[tuple[list[int], int]]:
    """Random token ids, and how many of them are a prompt's."""
    draw = Random(0)
    lengths = [draw.randint(64, 512) for _ in range(n)]
    return [([draw.randrange(1000, 40_000) for _ in range(length)], length // 3) for length in lengths]


class Failed(Exception):
    """A side's process ended with an error."""


class Bench:
    def __init__(self, trl: str, folder: Path, rounds: int, steps: int) -> None:
        self.trl, self.folder, self.rounds, self.steps = trl, folder, rounds, steps
        self.source = default().source
        self.bf16 = fastest(torch.device("cpu"), default().config) is torch.bfloat16
        self.rows: list[dict[str, object]] = []

    def measure(self, who: str, task: str, request: dict[str, Any], settings: Settings) -> Figures:
        """One side's figures, from a process of its own."""
        settings = settings if who == "ours" else {"bf16": self.bf16} | settings
        asked, answer = self.folder / "request.json", self.folder / "answer.json"
        asked.write_text(json.dumps(request | {"settings": settings, "threads": THREADS, "model": str(self.source)}))
        if who == "trl":
            command = [self.trl, "-P", str(HERE / "peers" / "trl_train.py"), task]
            environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self.folder / "hf")}
        else:
            command = [sys.executable, str(HERE / "peers" / "ours_train.py"), task]
            environment = {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
        done = subprocess.run(
            [*command, str(asked), str(answer)], env=os.environ | environment, cwd=self.folder, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"{who} failed at {task} with {settings}:\n{done.stderr[-2000:]}")
        found = json.loads(answer.read_text())
        figures = {"peak": float(found["peak"])}
        if found["seconds"]:
            figures["speed"] = sum(found["tokens"]) / sum(found["seconds"])
        told = {key: round(value, 1) for key, value in figures.items()}
        print(
            f"  {who} {task} {request.get('length', '')} {settings}: {told} {found['versions']}",
            file=sys.stderr,
            flush=True,
        )
        return figures

    def compare(self, what: str, task: str, request: dict[str, Any], ours: Settings, theirs: Settings) -> None:
        taken: dict[str, list[Figures]] = {"ours": [], "trl": []}
        for _ in range(self.rounds):
            for who, settings in (("ours", ours), ("trl", theirs)):
                taken[who].append(self.measure(who, task, request, settings))
        speed, peak = ({who: median(each[key] for each in taken[who]) for who in taken} for key in ("speed", "peak"))
        apart = [mine["speed"] / other["speed"] for mine, other in zip(taken["ours"], taken["trl"], strict=True)]
        more: dict[str, object] = {"from": round(min(apart), 2), "to": round(max(apart), 2), "settings": theirs}
        faster = FASTER_SFT if task == "sft" else FASTER_GRPO
        self.rows.append(row(what, "tokens/s", speed["ours"], "TRL", speed["trl"], faster, **more))
        smaller = SMALLER_SFT if task == "sft" else None
        self.rows.append(row(f"{what}, peak memory", "MB", peak["ours"] / 1e6, "TRL", peak["trl"] / 1e6, smaller))

    def loss(self) -> None:
        """Of the head alone: 4,096 tokens of a large vocabulary and of a small one."""
        small, large = (
            self.measure("ours", "loss", {"vocabulary": n, "rows": 4096}, {})["peak"] / 1e6 for n in (32_000, 200_000)
        )
        what = "loss of 4,096 tokens, 200,000 words, peak memory"
        self.rows.append(row(what, "MB", large, "ours, 32,000 words", small, round(GROWTH, 3)))

    def supervised(self, length: int) -> dict[str, Any]:
        rows = STEP // length
        n = (self.steps + 1) * STEP // 250
        return {"documents": documents(n), "length": length, "rows": rows, "steps": self.steps}

    def rewarded(self) -> dict[str, Any]:
        tokenizer, draw = Tokenizer.from_folder(self.source), Random(0)
        texts = [
            QUESTIONS[i % len(QUESTIONS)].format(a=draw.randint(2, 99), b=draw.randint(2, 99), c=draw.randint(2, 99))
            for i in range(8)
        ]
        ids = [list(tokenizer.encode(text)) for text in texts]
        return {"prompts": texts, "ids": ids, "group": GROUP, "longest": LONGEST, "steps": self.steps}


def search(bench: Bench, only: list[str]) -> None:
    lower = LOWER if bench.bf16 else []
    tried = [("sft", bench.supervised(n), SFT_BEST | each) for n in (512, 1024) for each in SFT_SEARCH + lower]
    bench.steps = 2
    tried += [("grpo", bench.rewarded(), GRPO_BEST | each) for each in GRPO_SEARCH + lower]
    for task, request, settings in tried:
        if task in only:
            try:
                bench.measure("trl", task, request, settings)
            except Failed as failed:
                print(f"  {failed}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trl", required=True, help="the interpreter that has TRL")
    parser.add_argument("--only", nargs="+", choices=("sft", "grpo", "loss"), default=["sft", "grpo", "loss"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the side under measurement ends, too
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        bench = Bench(args.trl, Path(folder), 1 if args.quick else args.rounds, 2 if args.quick else 4)
        if args.search:
            search(bench, args.only)
            return 0
        if "sft" in args.only:
            ours = OURS_SFT | {"recompute": bench.bf16}  # in bf16 there is speed to spare for less memory
            for length in (512,) if args.quick else (512, 1024):
                theirs = SFT_BEST | {"compile": length == 512}  # which pays within five steps there, and not at 1,024
                bench.compare(f"packed SFT at {length}", "sft", bench.supervised(length), ours, theirs)
                if not args.quick:
                    what, theirs = f"packed SFT at {length}, weights of bf16", theirs | (NARROW if bench.bf16 else {})
                    bench.compare(what, "sft", bench.supervised(length), ours | OURS_NARROW, theirs)
        if "grpo" in args.only and not args.quick:
            bench.steps = 2
            asked, ours, adapter = bench.rewarded(), OURS_GRPO | {"precision": "int8"}, {"lora": LORA}
            kinds = [("all weights", ours, GRPO_BEST), (f"LoRA {LORA}", ours | adapter, GRPO_BEST | adapter)]
            if bench.bf16:
                kinds.append(("all weights, of bf16", ours | OURS_NARROW, GRPO_BEST | NARROW))
            for weights, mine, theirs in kinds:
                bench.compare(f"GRPO, 8 x 8 x 128, {weights}", "grpo", asked, mine, theirs)
        if "loss" in args.only:
            bench.loss()
    for each in bench.rows:
        print(json.dumps(each)) if args.json else show(each)
    return 0 if args.quick or all(each["ok"] for each in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
