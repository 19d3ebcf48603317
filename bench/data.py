"""Near-duplicates and decontamination beside datatrove and datasketch, on the same documents, one core each, in turns.

    python bench/data.py                        200,000 documents, 3 rounds
    python bench/data.py --documents 20000 --rounds 1
    python bench/data.py --json                 a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok

Documents are 200 to 400 words, drawn so that words are as frequent as in English (Zipf). In 5 of 100, an earlier one comes again
with 2 % of its words changed; in 1 of 100 stands one of 2,000 items of 40 words. Recall of what was planted and the share of
others that are dropped are printed beside the speed. Peers:
pip install datatrove datasketch spacy nltk tokenizers 'xxhash<3.6'; --peer-python names the interpreter that has them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from generate import row, show

TASKS = {"near": ("datatrove", "datasketch"), "decontaminate": ("datatrove",)}
BAR = 3.0


def write_documents(folder: Path, n: int) -> None:
    """The documents, and the items that stand in some of them."""
    draw = random.Random(0)
    letters = "etaoinshrdlucmfwypvbg"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(30_000)]
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    items = [" ".join(draw.choices(words, cum_weights=weights, k=40)) for _ in range(2000)]
    (folder / "items.json").write_text(json.dumps(items))
    held: list[list[str]] = []
    with (folder / "documents.jsonl").open("w") as file:
        for i in range(n):
            kind, planted = i % 100, ""
            if kind in (20, 40, 60, 80, 99) and held:
                text, planted = list(draw.choice(held)), "near"
                for place in draw.sample(range(len(text)), len(text) // 50):
                    text[place] = draw.choice(words)
            else:
                text = draw.choices(words, cum_weights=weights, k=draw.randint(200, 400))
                if kind == 50:
                    place = draw.randint(0, len(text))
                    text[place:place], planted = draw.choice(items).split(), "decontaminate"
                elif len(held) < 50_000:
                    held.append(text)
            file.write(json.dumps({"text": " ".join(text), "planted": planted}) + "\n")


def measure(who: str, task: str, folder: str, python: str) -> dict[str, float]:
    """One contestant's figures, from a process of its own."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    words = [
        sys.executable if who == "ours" else python,
        str(Path(__file__).parent / "peers/data.py"),
        who,
        task,
        folder,
    ]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{who} failed at {task}: {done.stderr.strip().rpartition(chr(10))[2]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--peers", nargs="+", choices=("datatrove", "datasketch"), default=["datatrove", "datasketch"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        write_documents(Path(folder), args.documents)
        for task in args.tasks:
            peers = [peer for peer in TASKS[task] if peer in args.peers]
            taken: dict[str, list[dict[str, float]]] = {who: [] for who in ("ours", *peers)}
            for _ in range(args.rounds):
                for who, figures in taken.items():
                    figures.append(measure(who, task, folder, args.peer_python))
                    print(f"  {figures[-1]}", file=sys.stderr)
            speed = {
                who: statistics.median(each["documents_per_second"] for each in figures)
                for who, figures in taken.items()
            }
            for peer in peers:
                rows.append(
                    row(f"{task}, {args.documents:,} documents", "documents/s", speed["ours"], peer, speed[peer], BAR)
                )
    for each in rows:
        print(json.dumps(each)) if args.json else show(each)


if __name__ == "__main__":
    main()
