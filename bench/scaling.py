"""The learning rate and batch of phi-nano networks, measured: which of a few gives the lowest loss on texts kept aside, for
several sizes N and lengths of training D, and the rule that fits them.

    python bench/scaling.py --out FOLDER     trains what is not in bench/scaling.jsonl yet, adds it there, prints the fit
    python bench/scaling.py --fit            prints the fit of what is there

Texts are the data factory's (arithmetic.chains and words at level 1). Each optimum is the vertex of a parabola through
the losses around the best rate, in the rate's logarithm; the rule is a least-squares plane through the optima's logarithms:

    lr* = A (N / 1M)^-a (D / 1M)^-b        N without the vocabulary's rows

The Phi-4-mini report has b = 0.32 at its scale.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import defaultdict
from pathlib import Path

import torch

RESULTS = Path(__file__).with_suffix(".jsonl")
VOCABULARY, LENGTH = 2048, 256
RATES = (5e-4, 1e-3, 2e-3, 4e-3, 8e-3)
GRID = [  # depth, tokens, batch, rates
    *((2, tokens, 2048, RATES) for tokens in (250_000, 500_000, 1_000_000, 2_000_000)),
    *((3, tokens, 2048, RATES) for tokens in (250_000, 500_000, 1_000_000)),
    *((4, tokens, 2048, RATES) for tokens in (250_000, 500_000, 1_000_000)),
    *((2, tokens, batch, RATES) for tokens in (250_000, 1_000_000) for batch in (512, 1024, 4096, 8192)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "phiforge-scaling")
    parser.add_argument("--fit", action="store_true", help="train nothing")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.fit:
        measure(args.out)
    found = fit(rows())
    print(json.dumps(found) if args.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def rows() -> list[dict[str, float]]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def measure(out: Path) -> None:
    """Train every network of the grid that has no result."""
    from phiforge.data import run as factory
    from phiforge.model.phi3 import Phi3
    from phiforge.train import loop, pretrain, tokenizer
    from phiforge.train.optim import Optimizer

    make = [factory.Make(["arithmetic.chains"], 6000, 1), factory.Make(["words"], 2500, 1)]
    factory.execute(factory.plan(factory.Config(str(out / "rows"), make)))
    from phiforge.data import mixture

    words = tokenizer.learn(mixture.texts(str(out / "rows")), VOCABULARY)
    texts = pretrain.read(str(out / "rows"), words)
    kept, learnt = texts[::50], [text for i, text in enumerate(texts) if i % 50]
    there = {(row["depth"], row["tokens"], row["batch"], row["lr"]) for row in rows()}
    for depth, tokens, batch, rates in GRID:
        for lr in rates:
            if (depth, tokens, batch, lr) in there:
                continue
            model = Phi3(pretrain.nano(depth, VOCABULARY, context=LENGTH)).init_weights(
                torch.Generator().manual_seed(0)
            )
            some, _ = pretrain.mixed({"rows": learnt}, {"rows": 1.0}, tokens, seed=0)
            micro = min(batch, 2048)
            stage = pretrain.stage(
                some, length=LENGTH, tokens=micro, accumulate=batch // micro, held_out=kept, held_out_every=10**9
            )
            settings = Optimizer(lr=lr, schedule="wsd", warmup=0.05)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    loop.train(model, stage, settings, folder, spike=math.inf)
                    loss = json.loads(Path(folder, "metrics.jsonl").read_text().splitlines()[-1])["held_out"]
                except loop.Diverged:
                    loss = 99.0
            weights = sum(p.numel() for name, p in model.named_parameters() if "layers." in name)
            row = {
                "depth": depth,
                "weights": weights,
                "tokens": tokens,
                "batch": batch,
                "lr": lr,
                "loss": round(loss, 5),
            }
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


def optimum(losses: dict[float, float]) -> tuple[float, float] | None:
    """The rate at the vertex of the parabola through the best and its neighbours, and the loss there; None at the edge."""
    rates = sorted(losses)
    best = min(range(len(rates)), key=lambda i: losses[rates[i]])
    if best in (0, len(rates) - 1):
        return None
    x = [math.log(rates[i]) for i in (best - 1, best, best + 1)]
    y = [losses[rates[i]] for i in (best - 1, best, best + 1)]
    step, bend = x[1] - x[0], y[0] - 2 * y[1] + y[2]
    shift = (y[0] - y[2]) / (2 * bend) if bend > 0 else 0.0
    return math.exp(x[1] + shift * step), y[1] - (y[0] - y[2]) * shift / 4


def fit(found: list[dict[str, float]]) -> dict[str, object]:
    """The rule's constants, how far the optima lie from it, and the loss by batch."""
    series: dict[tuple[float, ...], dict[float, float]] = defaultdict(dict)
    for row in found:
        series[row["depth"], row["weights"], row["tokens"], row["batch"]][row["lr"]] = row["loss"]
    points: list[tuple[float, float, float]] = []
    batches: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for (depth, weights, tokens, batch), losses in sorted(series.items()):
        best = optimum(losses)
        if best is None:
            continue
        if batch == 2048:
            points.append((weights, tokens, best[0]))
        if depth == 2:
            batches[f"{tokens:.0f} tokens"][f"batch {batch:.0f}"] = [round(best[1], 4), round(best[0], 5)]
    if len(points) < 3:
        return {"points": points}
    left = torch.tensor([[1.0, -math.log(n / 1e6), -math.log(d / 1e6)] for n, d, _ in points], dtype=torch.float64)
    right = torch.tensor([math.log(lr) for *_, lr in points], dtype=torch.float64)
    constants = torch.linalg.lstsq(left, right[:, None]).solution.squeeze(1)
    off = (left @ constants - right).exp()
    return {
        "A": round(float(constants[0].exp()), 6), "a": round(float(constants[1]), 3), "b": round(float(constants[2]), 3),
        "rule/optimum": [round(float(each), 2) for each in off],
        "optima": [[int(n), int(d), round(lr, 5)] for n, d, lr in points],
        "loss and rate by batch": dict(batches),
    }  # fmt: skip


if __name__ == "__main__":
    main()
