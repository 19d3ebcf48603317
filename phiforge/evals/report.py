"""Summaries and comparisons for people: tables in a terminal, and published scores beside what was measured."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from phiforge.evals import task as registry
from phiforge.evals.compare import EXCERPT, SHOWN, Change, Comparison
from phiforge.evals.stats import Estimate
from phiforge.evals.summary import Summary

WIDTH = 100  # of text that is not for a terminal


class Published(Struct, frozen=True):
    """Scores of other models on a run's task, in percent. `unlike` are the reasons why they do not compare; without any they
    were measured by the same protocol, on all items."""

    task: str
    scores: dict[str, float]
    protocol: str
    source: str
    unlike: list[str] = []


def published(summary: Summary) -> Published | None:
    """What is published about the task that was measured, and whether it compares."""
    run = summary.run
    if run.task not in registry.names():
        return None
    task = registry.get(run.task)
    if not task.publications:
        return None
    known = next((each for each in task.publications if each.protocol == run.protocol), task.publications[0])
    unlike: list[str] = []
    if run.protocol != known.protocol:
        unlike.append(f"measured by protocol {run.protocol}, published by {known.protocol}")
    elif "Changed:" in run.protocol_words:
        unlike.append(f"the protocol was changed:{run.protocol_words.rpartition('Changed:')[2].rstrip('.')}")
    if run.task_version != task.version:
        unlike.append(f"measured by version {run.task_version} of the task, now {task.version}")
    if run.part:
        unlike.append(f"only {run.part} was measured")
    elif run.items < run.data.items or not run.finished:
        unlike.append(f"{summary.items:,} of {run.data.items:,} items were measured")
    if run.data.split != task.split:
        unlike.append(f"measured on the split {run.data.split}")
    return Published(run.task, dict(known.scores), known.protocol, known.source, unlike)


def show(summaries: Sequence[Summary], console: Console | None = None) -> None:
    """Print summaries: of one run all there is, of several a line each, and published scores below."""
    console = console or Console()
    if len(summaries) == 1:
        console.print(_whole(summaries[0]))
    elif summaries:
        console.print(_overview(summaries))
    if shown := _published(summaries):
        console.print("", shown)


def text(summaries: Sequence[Summary], width: int = WIDTH) -> str:
    """The same without colours."""
    out = io.StringIO()
    show(summaries, Console(file=out, width=width, no_color=True, highlight=False))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def comparison(found: Comparison, width: int = WIDTH) -> str:
    """A comparison as text: both figures, the difference with its intervals, what changed."""
    out = io.StringIO()
    Console(file=out, width=width, no_color=True, highlight=False).print(_compared(found))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _whole(summary: Summary) -> RenderableType:
    run, percent = summary.run, summary.run.kind != "perplexity"
    what = {"right": "right", "score": "mean score", "f1": "F1", "perplexity": "bits per byte"}[run.metric]
    head = Text.assemble((f"{run.model}  ", "bold"), f"{name(summary)}, {run.protocol}: {run.protocol_words}")
    parts: list[RenderableType] = [head, Text()]
    line = Text.assemble(
        (f"{summary.value.text(percent)}", "bold"), f" {what}; bootstrap {interval(summary.bootstrap, percent)}"
    )
    line.append(f"; {summary.items:,} items" + (f" x {run.repeats}" if run.repeats > 1 else ""))
    if summary.value.clusters < summary.items:
        line.append(f" in {summary.value.clusters:,} clusters")
    parts.append(line)
    rows = [(outcome, f"{n:,}", f"{100 * n / summary.answers:.1f} %") for outcome, n in summary.outcomes.items()]
    parts += [Text(), _table(("outcome", "answers", "share"), rows)] if rows else []
    if summary.measures:
        rows = [(key, each.text(percent=False)) for key, each in summary.measures.items()]
        parts += [Text(), _table(("measure", "mean (95 %)"), rows)]
    if summary.of_k:
        rows = [
            (f"{each.k}", each.passed.text(), "" if each.majority is None else each.majority.text(), each.all.text())
            for each in summary.of_k
        ]
        best = ("pass@k", "all of k") if run.metric != "score" else ("best of k", "worst of k")
        parts += [Text(), _table(("k", best[0], "majority@k", best[1]), rows)]
    if (spread := summary.spread) is not None:
        mean, low, high = 100 * spread.mean, 100 * spread.low, 100 * spread.high
        parts.append(
            Text(
                f"\n{spread.runs} runs over the items: {mean:.1f} % on the mean, {low:.1f} to {high:.1f}; standard deviation "
                f"{100 * spread.between:.1f} points between runs, {100 * spread.within:.1f} expected of sampling alone"
            )
        )
    if summary.subsets:
        rows = [(each.name or "(none)", f"{each.value.n:,}", each.value.text(percent)) for each in summary.subsets]
        parts += [Text(), _table(("subset", "answers", f"{what} (95 %)"), rows)]
        parts.append(Text(f"mean of subsets: {_figure(summary.macro or 0.0, percent)}"))
    if summary.contamination is not None:
        parts += [Text(), _contaminated(summary, percent)]
    parts += [Text(), Text(_cost(summary))]
    parts += [Text(f"! {remark}", "yellow") for remark in summary.remarks]
    return Group(*parts)


def _contaminated(summary: Summary, percent: bool) -> Text:
    found = summary.contamination
    assert found is not None
    said = f"{found.flagged:,} of {summary.items:,} items are in the training data by the flags given"
    if found.of_flagged is not None and found.without is not None:
        said += f": {found.of_flagged.text(percent)} of them, {found.without.text(percent)} without them"
    return Text(said + (f"; flags that name no item of this run: {found.strangers:,}" if found.strangers else ""))


def _cost(summary: Summary) -> str:
    cost = summary.cost
    said = f"tokens an answer: {cost.tokens_in:,.0f} read, {cost.tokens_out.value:,.0f} written"
    if cost.thought_tokens:
        said += f" ({cost.thought_tokens:,.0f} of them thought)"
    if cost.tokens_right is not None and cost.tokens_wrong is not None:
        said += f"; {cost.tokens_right:,.0f} where right, {cost.tokens_wrong:,.0f} where not"
    return f"{said}; {cost.tokens:,} in {cost.seconds:,.0f} s"


def _overview(summaries: Sequence[Summary]) -> RenderableType:
    rows: list[Sequence[str]] = []
    for each in summaries:
        percent = each.run.kind != "perplexity"
        ended = ", ".join(
            f"{n:,} {outcome}" for outcome, n in each.outcomes.items() if outcome not in ("right", "wrong")
        )
        value = each.value.text(percent) + ("" if percent else " bits/byte")
        rows.append((each.run.model, name(each), each.run.protocol, f"{each.items:,}", value,
                     f"{each.cost.tokens_out.value:,.0f}" if each.run.kind == "generate" else "", ended))  # fmt: skip
    parts: list[RenderableType] = [
        _table(
            ("model", "task", "protocol", "items", "figure (95 %)", "tokens", "neither right nor wrong"), rows, left=3
        )
    ]
    parts += [
        Text(f"! {name(each)}, {each.run.model}: {'; '.join(each.remarks)}", "yellow")
        for each in summaries
        if each.remarks
    ]
    return Group(*parts)


def _published(summaries: Sequence[Summary]) -> RenderableType | None:
    """The published tables, one of each source and protocol, a task a line, beside what was measured. A figure by another
    protocol has a star and its reason."""
    by_source: dict[tuple[str, str], list[tuple[Summary, Published]]] = {}
    for each in summaries:
        if (known := published(each)) is not None:
            by_source.setdefault((known.source, known.protocol), []).append((each, known))
    parts: list[RenderableType] = []
    for (source, protocol), found in by_source.items():
        parts += [Text(), *_of_source(found), Text(f"Published: {source} ({protocol})", "dim")]
    return Group(*parts[1:]) if parts else None


def _of_source(found: Sequence[tuple[Summary, Published]]) -> list[RenderableType]:
    models = list(dict.fromkeys(model for _, known in found for model in known.scores))
    rows: list[Sequence[str]] = []
    notes: list[str] = []
    for each, known in found:
        if known.unlike:
            notes.append(f"* {name(each)}, {each.run.model}: {'; '.join(known.unlike)}: not to be compared")
        measured = f"{100 * each.value.value:.1f}{'*' if known.unlike else ''}"
        scores = [f"{known.scores[model]:.1f}" if model in known.scores else "" for model in models]
        rows.append((name(each), each.run.model, measured, *scores))
    table = _table(("published, percent", "measured", "", *models), rows, left=2)
    return [table, *(Text(note, "yellow") for note in notes)]


def _compared(found: Comparison) -> RenderableType:
    percent = found.metric != "perplexity"
    difference, pair = found.paired.difference, found.paired
    head = f"{found.task}{':' + found.part if found.part else ''}, {found.protocol}: {found.items:,} items of both"
    rows = [
        (label, side.model, side.value.text(percent), f"{side.tokens_out:,.0f}",
         ", ".join(f"{n:,} {outcome}" for outcome, n in side.outcomes.items()))
        for label, side in (("A", found.a), ("B", found.b))
    ]  # fmt: skip
    names = ("", "model", "right (95 %)" if found.metric == "right" else "figure (95 %)", "tokens", "outcomes")
    parts: list[RenderableType] = [Text(head, "bold"), Text(), _table(names, rows, left=2), Text()]
    parts.append(Text(f"B - A  {signed(difference, percent)}; bootstrap {interval(pair.bootstrap, percent, plus=True)}; "
                      f"p = {_p(pair.p)}"))  # fmt: skip
    parts.append(Text(verdict(found)))
    if pair.mcnemar is not None:
        m = pair.mcnemar
        parts.append(Text(f"only A right: {m.only_a:,}; only B right: {m.only_b:,}; McNemar, exact: p = {_p(m.p)}"))
    if found.subsets:
        rows = [
            (each.name or "(none)", f"{each.items:,}", _figure(each.a, percent), _figure(each.b, percent),
             signed(each.difference, percent))
            for each in found.subsets
        ]  # fmt: skip
        parts += [Text(), _table(("subset", "items", "A", "B", "B - A (95 %, each by itself)"), rows)]
    for title, changes in (("better in B", found.better), ("worse in B", found.worse)):
        if changes:
            parts += [
                Text(),
                Text(f"{len(changes):,} items {title}" + (f", the first {SHOWN}:" if len(changes) > SHOWN else ":")),
            ]
            parts += [Text(_change(change, percent), no_wrap=True, overflow="ellipsis") for change in changes[:SHOWN]]
    parts += [Text(f"! {remark}", "yellow") for remark in found.remarks]
    return Group(*parts)


def verdict(found: Comparison) -> str:
    """In words: whether the difference is more than chance, and what it would take to see one."""
    pair, percent = found.paired, found.metric != "perplexity"
    difference = pair.difference
    sized = f"{100 * pair.visible:.1f} points" if percent else f"{pair.visible:.4f} bits per byte"
    if math.isnan(difference.se):
        return "One cluster of items tells nothing of others."
    if difference.low <= 0 <= difference.high or pair.p > 1 - difference.level:
        if percent and not difference.value and not pair.visible:
            return "No difference that these items can tell from chance: the same ones are right in both."
        seen = f" A difference of this size takes about {pair.needed:,} items to see." if pair.needed else ""
        return (
            f"No difference that these items can tell from chance: they would show {sized} four times of five.{seen}"
        )
    better = (difference.value > 0) != found.lower_is_better
    return f"B is {'better' if better else 'worse'} than A by more than chance explains."


def _change(change: Change, percent: bool) -> str:
    words = " ".join(change.prompt.replace("<|user|>", " ").split())
    told = f"{change.outcome_a} -> {change.outcome_b}" if percent else f"{change.a:.4f} -> {change.b:.4f}"
    return f"  {change.id}  {told}  ...{words[-EXCERPT:]}"


def name(summary: Summary) -> str:
    """The task with its part."""
    return summary.run.task + (f":{summary.run.part}" if summary.run.part else "")


def interval(found: Estimate, percent: bool, *, plus: bool = False) -> str:
    """ "68.0 to 74.3 %"."""
    if math.isnan(found.low):
        return "unknown"
    sign = "+" if plus else ""
    return (
        f"{100 * found.low:{sign}.1f} to {100 * found.high:{sign}.1f}"
        if percent
        else f"{found.low:{sign}.4f} to {found.high:{sign}.4f}"
    )


def signed(found: Estimate, percent: bool) -> str:
    """ "+2.1 points (+0.3 to +3.9)"."""
    value = f"{100 * found.value:+.1f} points" if percent else f"{found.value:+.4f}"
    return value if math.isnan(found.low) else f"{value} ({interval(found, percent, plus=True)})"


def _figure(value: float, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else f"{value:.4f}"


def _p(p: float) -> str:
    return "unknown" if math.isnan(p) else f"{p:.1g}" if p < 0.001 else f"{p:.3f}"


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(names):
        words = place < left or (place == len(names) - 1 and len(names) > 4)
        table.add_column(title, justify="left" if words else "right", no_wrap=not words)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
