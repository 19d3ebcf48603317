"""A run's report: one HTML file without anything from outside, with each stage's curves, what it taught, samples, and cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from phiforge.chat.tokenizer import Tokenizer
from phiforge.files import whole
from phiforge.train import pivotal_run, pivotal_view
from phiforge.train.measure import Result, Score
from phiforge.train.midtrain import RETRIEVALS
from phiforge.train.recipe import Recipe

WIDTH, HEIGHT, LEFT, BELOW = 640, 200, 52, 24
MARKED = 3  # answers whose pivotal tokens are shown
POINTS = 400  # of a curve; longer ones are thinned by their means

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1c2430, #e4e8ee); --soft: light-dark(#5c6675, #9aa4b2);
  --line: light-dark(#dde2e9, #333c48); --paper: light-dark(#fff, #14181e); --a: light-dark(#0b62c4, #6db1ff);
  --b: light-dark(#c2570c, #ffab70); --good: light-dark(#1a7f4b, #63d297); --bad: light-dark(#b3261e, #ff8a80); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 960px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-top: 1px solid var(--line);
  padding-top: 1rem } h3 { font-size: 1rem }
table { border-collapse: collapse; margin: .6rem 0 } th, td { padding: .25rem .8rem .25rem 0; text-align: right;
  font-variant-numeric: tabular-nums; border-bottom: 1px solid var(--line) } th { color: var(--soft); font-weight: 500 }
th:first-child, td:first-child { text-align: left }
figure { margin: 1rem 0; display: inline-block } figcaption, .soft { color: var(--soft); font-size: .85rem }
svg { max-width: 100%; height: auto } svg text { font-size: 11px; fill: var(--soft) } .axis { stroke: var(--line) }
.curve { fill: none; stroke: var(--a); stroke-width: 1.5 } .curve.b { stroke: var(--b) } .dot { fill: var(--b) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: light-dark(#f5f7fa, #1b2129); padding: .6rem .8rem;
  border-radius: 6px; margin: .3rem 0 } .right { color: var(--good) } .wrong { color: var(--bad) }
details { margin: .4rem 0 } summary { cursor: pointer }
"""


def write(recipe: Recipe, results: Sequence[Result], out: Path) -> Path:
    """Write `out`/report.html. A run under way has the stages that are done."""
    parts = [f"<h1>{escape(Path(recipe.out).name)}</h1>", _summary(results)]
    parts += [_stage(number, result, recipe.folder(number)) for number, result in enumerate(results)]
    about = (out / "run.json").read_text() if (out / "run.json").exists() else ""
    parts.append(f"<h2>Recipe</h2><details><summary>run.json</summary><pre>{escape(about)}</pre></details>")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    title = f"<title>{escape(Path(recipe.out).name)}: training</title><style>{STYLE}</style>"
    file = out / "report.html"
    with whole(file) as partial:
        partial.write_text(f"<!doctype html><html lang=en>{head}{title}{''.join(parts)}</html>\n")
    return file


def _summary(results: Sequence[Result]) -> str:
    rows: list[list[str]] = []
    for each in results:
        before, after = each.before, each.after
        rows.append([
            each.stage, f"{each.steps:,}", f"{each.tokens:,}", f"{each.seconds / 60:.1f}",
            f"{each.tokens / each.seconds:,.0f}" if each.seconds else "",
            "" if before.held_out is None or after.held_out is None else f"{before.held_out:.3f} → {after.held_out:.3f}",
            "" if before.score is None or after.score is None else f"{_solved(before.score)} → {_solved(after.score)}",
        ])  # fmt: skip
    names = [
        "stage",
        "steps",
        "tokens",
        "minutes",
        "tokens/s",
        "loss on what was kept aside",
        "problems solved (95 %)",
    ]
    total = sum(each.seconds for each in results)
    note = f'<p class="soft">{total / 60:.1f} minutes of training steps; measuring and making data come on top.</p>'
    return table(names, rows) + note


def _solved(score: Score) -> str:
    low, high = score.chance.interval()
    return f"{score.chance.p:.0%} ({low:.0%} to {high:.0%})"


def _stage(number: int, result: Result, folder: Path) -> str:
    parts = [f"<h2>{number + 1}. {escape(result.stage)}</h2>"]
    rows = [msgspec.json.decode(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    loss = [(row["step"], row["loss"]) for row in rows]
    held_out = [(row["step"], row["held_out"]) for row in rows if "held_out" in row]
    parts.append(
        figure("loss of each step" + (", and of what was kept aside (orange)" if held_out else ""), loss, held_out)
    )
    parts.append(figure("gradient's norm", [(row["step"], row["norm"]) for row in rows], []))
    for name in sorted({key for row in rows for key in row} - _KNOWN):
        found = [(row["step"], row[name]) for row in rows if name in row]
        parts.append(figure(name.replace("_", " "), found, []))
    if result.ledger:
        entries = [
            [e.name, f"{e.share:.1%}", f"{e.unique_tokens:,}", f"{e.epochs:.2f}", f"{e.tokens:,}"]
            for e in result.ledger
        ]
        parts.append(table(["source", "share", "unique tokens", "epochs", "tokens"], entries))
    if result.after.retrieval:
        found = [
            [f"{int(n):,}", f"{result.before.retrieval.get(n, 0)}", f"{right}", f"{RETRIEVALS}"]
            for n, right in result.after.retrieval.items()
        ]
        parts.append("<h3>Numbers found in registers</h3>" + table(["tokens", "before", "after", "of"], found))
    parts += [_pivotal(folder), _lessons(folder)]
    if result.after.score:
        parts.append(_samples(result))
    return "".join(parts)


def _pivotal(folder: Path) -> str:
    """What a search for pivotal tokens took, and the answers with most of them, marked."""
    found = pivotal_run.rows(folder / "made") if (folder / "made/pivotal.jsonl").exists() else []
    if not found:
        return ""
    cost = pivotal_run.cost(folder / "made")
    figures = [("prompts", cost.prompts), ("pairs", cost.pairs), ("rollouts", cost.rollouts), ("tokens written", cost.written),
               ("tokens read", cost.read), ("tokens read before, by another", cost.saved), ("seconds", cost.seconds)]  # fmt: skip
    rows = [[name, f"{value:,.0f}", f"{value / cost.pairs:,.1f}" if cost.pairs else ""] for name, value in figures]
    decode = Tokenizer.from_folder(folder.parent / "start").decode
    answers = sorted((a for row in found for a in row.answers if a.pivotal), key=lambda a: -len(a.pivotal))
    marked = "".join(f"<pre>{pivotal_view.html(answer, decode)}</pre>" for answer in answers[:MARKED])
    note = '<p class="soft">Green tokens raised the chance of success, red ones lowered it; pointing at one says how far.</p>'
    return "<h3>Pivotal tokens</h3>" + table(["", "in all", "a pair"], rows) + (marked + note if marked else "")


_KNOWN = {"step", "loss", "lr", "norm", "tokens", "seconds", "held_out"}


def _lessons(folder: Path) -> str:
    """What groups taught, of a GRPO run."""
    file = folder / "groups.jsonl"
    if not file.exists():
        return ""
    groups = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    counts = Counter(group["lesson"] for group in groups)
    rows = [[lesson, f"{n:,}", f"{n / len(groups):.0%}"] for lesson, n in counts.most_common()]
    return "<h3>What groups taught</h3>" + table(["lesson", "groups", "share"], rows)


def _samples(result: Result) -> str:
    assert result.after.score
    before = {sample.question: sample for sample in (result.before.score.samples if result.before.score else [])}
    parts = ["<h3>Answers to problems that were not learnt</h3>"]
    for sample in result.after.score.samples:
        was = before.get(sample.question)
        said = [("before", was), ("after", sample)]
        parts.append(
            f"<details><summary>{escape(sample.question[:160])}</summary><p class=soft>expected: {escape(sample.expected)}</p>"
            + "".join(
                f'<p class="{"right" if each.correct else "wrong"}">{name}: {"right" if each.correct else "wrong"}</p>'
                f"<pre>{escape(each.answer)}</pre>"
                for name, each in said
                if each
            )
            + "</details>"
        )
    return "".join(parts)


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def figure(title: str, line: Sequence[tuple[float, float]], dots: Sequence[tuple[float, float]]) -> str:
    """A curve over steps, with another's points."""
    line = [point for point in _thin(line) if math.isfinite(point[1])]
    if len(line) < 2:
        return ""
    xs, ys = [x for x, _ in line], [y for _, y in [*line, *dots]]
    low, high = min(ys), max(ys)
    high = high if high > low else low + 1

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - xs[0]) / max(1, xs[-1] - xs[0]) * (WIDTH - LEFT - 8),
            8 + (high - y) / (high - low) * (HEIGHT - BELOW - 8),
        )

    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in line))
    marks = "".join('<circle class="dot" r="2.5" cx="{:.1f}" cy="{:.1f}"/>'.format(*at(*point)) for point in dots)
    ticks = "".join(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 8}" y1="{at(xs[0], y)[1]:.1f}" y2="{at(xs[0], y)[1]:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{at(xs[0], y)[1] + 4:.1f}" text-anchor="end">{y:.3g}</text>'
        for y in (low, (low + high) / 2, high)
    )
    steps = "".join(
        f'<text x="{at(x, low)[0]:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{x:,.0f}</text>'
        for x, anchor in ((xs[0], "start"), (xs[-1], "end"))
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(title)}">'
        f'{ticks}{steps}<polyline class="curve" points="{path}"/>{marks}</svg><figcaption>{escape(title)}</figcaption></figure>'
    )


def _thin(points: Sequence[tuple[float, Any]]) -> list[tuple[float, float]]:
    """At most POINTS, each the mean of its neighbours."""
    each = -(-len(points) // POINTS)
    groups = [points[i : i + each] for i in range(0, len(points), each)] if each else []
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]
