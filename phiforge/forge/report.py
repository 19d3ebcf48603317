"""The story of a forge as one HTML file: what it can now, what it cost, what got worse, and what was made on the way."""

from __future__ import annotations

import math
from html import escape
from itertools import zip_longest
from pathlib import Path

import msgspec

from phiforge.evals.compare import Change, Comparison
from phiforge.evals.log import Item, read_items
from phiforge.evals.stats import Estimate
from phiforge.files import whole
from phiforge.forge.recipe import Eval
from phiforge.forge.run import Story
from phiforge.train.report import STYLE, figure, table

SHOWN = 4  # answers that got better, and as many that got worse


def write(story: Story) -> Path:
    """Write `out`/report.html."""
    recipe = story.recipe
    parts = [
        f"<h1>{escape(recipe.name)}</h1><p class=soft>made from {escape(recipe.start.model)}. {escape(recipe.about)}</p>",
        f"<p><strong>{escape(headline(story))}</strong></p>",
        "<h2>Before and after</h2>", _scores(story), *(_answers(story, each) for each in recipe.eval if each.learn),
        "<h2>What it learnt from</h2>", _data(story),
        "<h2>How it learnt</h2>", _training(story),
        "<h2>What is shipped</h2>", _shipped(story),
        "<h2>What it cost</h2>", _cost(story),
        "<h2>Recipe</h2><details><summary>recipe.toml, as carried out</summary>",
        f"<pre>{escape(_toml(recipe.path))}</pre></details>",
    ]  # fmt: skip
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    file = recipe.path / "report.html"
    title = f"<title>{escape(recipe.name)}</title><style>{STYLE}</style>"
    with whole(file) as partial:
        partial.write_text(f"<!doctype html><html lang=en>{head}{title}{''.join(parts)}</html>\n")
    return file


def headline(story: Story) -> str:
    """What it is for, before and after, and what got worse, in a sentence or two."""
    said: list[str] = []
    worse: list[str] = []
    for each in story.recipe.eval:
        found = story.comparisons.get(each.name)
        if found is None:
            continue
        if each.learn:
            said.append(f"{each.title}: {figures(found)}.")
        elif verdict(found) == "worse":
            worse.append(each.title)
    kept = [each for each in story.recipe.eval if not each.learn and each.name in story.comparisons]
    if worse:
        said.append(f"It got worse at {', '.join(worse)}.")
    elif kept:
        said.append(f"Nothing else that was measured got worse ({', '.join(each.title for each in kept)}).")
    return " ".join(said)


def figures(found: Comparison) -> str:
    """ "4.0 % before, 71.0 % after, a difference of +67.0 (57.5 to 76.5) on 100 items"."""
    percent = found.metric != "perplexity"
    scale, digits, unit = (100, 1, " %") if percent else (1, 4, "")
    before, after = (f"{scale * side.value.value:.{digits}f}{unit}" for side in (found.a, found.b))
    return f"{before} before, {after} after, a difference of {signed(found.paired.difference, percent)} on {found.items} items"


def signed(value: Estimate, percent: bool) -> str:
    scale, digits = (100, 1) if percent else (1, 4)
    if math.isnan(value.low):
        return f"{scale * value.value:+.{digits}f}"
    return f"{scale * value.value:+.{digits}f} ({scale * value.low:.{digits}f} to {scale * value.high:.{digits}f})"


def verdict(found: Comparison) -> str:
    """ "better" or "worse" where the interval of the difference leaves zero out, else "no difference seen"."""
    difference = found.paired.difference
    if math.isnan(difference.low) or difference.low <= 0 <= difference.high:
        return "no difference seen"
    return "better" if (difference.value > 0) != found.lower_is_better else "worse"


def _scores(story: Story) -> str:
    rows: list[list[str]] = []
    for each in story.recipe.eval:
        found = story.comparisons.get(each.name)
        if found is None:
            continue
        percent = found.metric != "perplexity"
        rows.append([
            each.title + (" ★" if each.learn else ""), found.protocol, f"{found.items:,}", found.a.value.text(percent),
            found.b.value.text(percent), signed(found.paired.difference, percent), f"{found.paired.p:.2g}", verdict(found),
            f"{found.a.tokens_out:.0f} → {found.b.tokens_out:.0f}",
        ])  # fmt: skip
    names = [
        "",
        "protocol",
        "items",
        "before (95 %)",
        "after (95 %)",
        "difference, paired (95 %)",
        "p",
        "",
        "tokens an answer",
    ]
    notes = ["★ what it was made for. Both sides answer the same items; intervals of differences are paired. "
             "Perplexity is in bits a byte: less is better."]  # fmt: skip
    notes += [f"Left out: {escape(name)}: {escape(why)}" for name, why in story.left_out.items()]
    return table(names, rows) + "".join(f'<p class="soft">{note}</p>' for note in notes)


def _answers(story: Story, each: Eval) -> str:
    """Some items that got better, and some that got worse, side by side."""
    found = story.comparisons.get(each.name)
    if found is None:
        return ""
    sides = [{item.id: item for item in read_items(side.log)} for side in (found.a, found.b)]
    parts = [f"<h3>{escape(each.title)}: {len(found.better)} items got better, {len(found.worse)} worse</h3>"]
    for what, changes in (("better", found.better), ("worse", found.worse)):
        parts += [_beside(what, change, *(side[change.id] for side in sides)) for change in changes[:SHOWN]]
    return "".join(parts)


def _beside(what: str, change: Change, before: Item, after: Item) -> str:
    cells = "".join(
        f'<div><p class="{"right" if item.right else "wrong"}">{name}: {escape(item.outcome)}</p>'
        f"<pre>{escape(_said(item))}</pre></div>"
        for name, item in (("before", before), ("after", after))
    )
    asked = change.prompt.rpartition("<|user|>\n")[2] or change.prompt
    return (
        f"<details><summary>{what}: {escape(asked[:160])}</summary><pre>{escape(asked)}</pre><p class=soft>expected: "
        f'{escape(before.gold)}</p><div style="display:grid;grid-template-columns:1fr 1fr;gap:1rem">{cells}</div></details>'
    )


def _said(item: Item) -> str:
    return (f"<think>{item.thought}</think>\n" if item.thought else "") + item.response


def _data(story: Story) -> str:
    parts: list[str] = []
    rows = [
        [name, each.pipeline, f"{each.asked:,}", f"{each.kept:,}", _counts(each.rejected), f"{each.seconds:.1f}",
         f"{each.teacher.get('tokens_out', 0):,.0f}" if each.teacher else ""]
        for name, made in story.made.items() for each in made
    ]  # fmt: skip
    if rows:
        parts.append(table(["source", "pipeline", "asked", "kept", "rejected", "seconds", "teacher's tokens"], rows))
    rows = [[name, f"{c.read:,}", f"{c.kept:,}", _counts(c.rejected)] for name, c in story.curated.items()]
    parts.append("<h3>Curation</h3>" + table(["source", "rows", "left", "dropped"], rows))
    leaks = [
        [name, bench, f"{found.items:,}", f"{found.leaked_items:,}", f"{found.texts:,}"]
        for name, c in story.curated.items() for bench, found in c.benchmarks.items()
    ]  # fmt: skip
    if leaks:
        names = ["source", "benchmark", "items looked for", "items found", "rows dropped for it"]
        parts.append("<h3>Decontamination</h3>" + table(names, leaks))
    return "".join(parts)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in counts.items())


def _training(story: Story) -> str:
    rows: list[list[str]] = []
    curves: list[str] = []
    for number, each in enumerate(story.results):
        before, after = each.before.held_out, each.after.held_out
        rows.append([
            each.stage, f"{each.steps:,}", f"{each.tokens:,}", f"{each.seconds / 60:.1f}",
            f"{each.tokens / each.seconds:,.0f}" if each.seconds else "",
            "" if before is None or after is None else f"{before:.3f} → {after:.3f}",
        ])  # fmt: skip
        file = story.recipe.training().folder(number) / "metrics.jsonl"
        logged = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
        held_out = [(row["step"], row["held_out"]) for row in logged if "held_out" in row]
        curves.append(figure(f"{each.stage}: loss", [(row["step"], row["loss"]) for row in logged], held_out))
    names = ["stage", "steps", "tokens", "minutes", "tokens/s", "loss on what was kept aside"]
    link = '<p class="soft">All curves, lessons and samples: <a href="train/report.html">train/report.html</a>.</p>'
    return table(names, rows) + "".join(curves) + link


def _shipped(story: Story) -> str:
    rows = [
        [str(Path(path).relative_to(story.recipe.path)), f"{size / 1e6:.1f}"] for path, size in story.shipped.items()
    ]
    said = ""
    if cost := story.quantised:
        said = (
            f'<p class="soft">Quantised: perplexity {cost["source_perplexity"]:.3f} → {cost["result_perplexity"]:.3f}, '
            f"KL {cost['kl']:.4f} nats a token, on {cost['tokens']:,} tokens of {escape(cost['text'])}.</p>"
        )
    return table(["in this folder", "MB"], rows) + said


def _cost(story: Story) -> str:
    parts = [*story.clock.items()]
    rows = [[name, f"{part.seconds / 60:.1f}", f"{part.cpu / 60:.1f}"] for name, part in parts]
    rows.append(["all", *(f"{sum(getattr(p, key) for _, p in parts) / 60:.1f}" for key in ("seconds", "cpu"))])
    return table(["", "minutes", "CPU-minutes"], rows)


def _toml(out: Path) -> str:
    return (out / "recipe.toml").read_text()


def table_text(story: Story) -> str:
    """Before and after for a terminal."""
    rows = [("", "before", "after", "difference (95 %, paired)", "")]
    for each in story.recipe.eval:
        if found := story.comparisons.get(each.name):
            percent = found.metric != "perplexity"
            scale, digits, unit = (100, 1, " %") if percent else (1, 4, "")
            before, after = (f"{scale * side.value.value:.{digits}f}{unit}" for side in (found.a, found.b))
            rows.append((each.title, before, after, signed(found.paired.difference, percent), verdict(found)))
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
