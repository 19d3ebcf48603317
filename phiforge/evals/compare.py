"""Two runs on the same items: who is better, by how much, how sure that is, and which items changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from msgspec import Struct

from phiforge.evals import paired
from phiforge.evals.log import Item, Run, read_items, read_run
from phiforge.evals.stats import Estimate
from phiforge.evals.summary import by_item, cluster, estimate, worth

SHOWN = 10  # changed items that `text` lists
EXCERPT = 76  # characters of a prompt there
MUST_AGREE = ("task", "part", "task_version", "protocol", "protocol_version", "kind", "metric", "judge")
TOLD = ("sampling", "repeats", "seed", "machine", "versions")  # may differ, and is said


class Side(Struct, frozen=True):
    """One of the two: its figure over the items both have, and what its answers cost."""

    model: str
    log: str
    value: Estimate
    tokens_out: float
    outcomes: dict[str, int]


class Change(Struct, frozen=True):
    """An item on which the two differ; scores are means of its repeats (bits per byte of perplexity)."""

    id: str
    subset: str
    a: float
    b: float
    outcome_a: str
    outcome_b: str
    prompt: str


class SubsetDifference(Struct, frozen=True):
    name: str
    items: int
    a: float
    b: float
    difference: Estimate


class Comparison(Struct, frozen=True, kw_only=True):
    """`paired.difference` is B minus A. `better` are items on which B is better, the most so first; `worse` likewise.
    `remarks` say what is not alike in the two runs."""

    task: str
    part: str
    protocol: str
    metric: str
    a: Side
    b: Side
    items: int
    same: int
    paired: paired.Paired
    better: list[Change]
    worse: list[Change]
    subsets: list[SubsetDifference] = []
    remarks: list[str] = []

    @property
    def lower_is_better(self) -> bool:
        return self.metric == "perplexity"

    def text(self) -> str:
        """The comparison for a terminal."""
        from phiforge.evals.report import comparison

        return comparison(self)


def compare(a: str | Path, b: str | Path, *, force: bool = False, seed: int = 0) -> Comparison:
    """Compare the logs `a` and `b` over the items both have.

    Raises ValueError where they share no item, and, without `force`, where task, protocol, judge, data or an item's gold answer
    differ; with it the difference is among the remarks.
    """
    runs = read_run(a), read_run(b)
    answers = by_item(read_items(a)), by_item(read_items(b))
    shared = [id for id in answers[0] if id in answers[1]]
    if not shared:
        raise ValueError(f"{a} and {b} have no item in common: {_name(runs[0])} and {_name(runs[1])}")
    unlike = _unlike(runs[0], runs[1]) + _other_gold(answers[0], answers[1], shared)
    if unlike and not force:
        raise ValueError(
            f"{a} and {b} do not compare: {'; '.join(unlike)}. With --force they are compared all the same"
        )
    run = runs[0]
    marks = [_scores(runs[i], answers[i], shared) for i in (0, 1)]
    weights = None
    if run.kind == "perplexity":
        weights = [sum(item.measures.get("bytes", 0.0) for item in answers[0][id]) for id in shared]
    clusters = [cluster(answers[0][id][0]) for id in shared]
    found = paired.compare(marks[0], marks[1], clusters, weights=weights, seed=seed)
    better, worse = _changes(answers, shared, marks, weights)
    return Comparison(
        task=run.task,
        part=run.part,
        protocol=run.protocol,
        metric=run.metric,
        a=_side(runs[0], a, answers[0], shared),
        b=_side(runs[1], b, answers[1], shared),
        items=len(shared),
        same=len(shared) - len(better) - len(worse),
        paired=found,
        better=better,
        worse=worse,
        subsets=_subsets(answers[0], shared, marks, weights),
        remarks=unlike + _remarks(runs, answers, len(shared)),
    )


def _unlike(a: Run, b: Run) -> list[str]:
    found = [
        f"{n.replace('_', ' ')} {getattr(a, n)!r} and {getattr(b, n)!r}"
        for n in MUST_AGREE
        if getattr(a, n) != getattr(b, n)
    ]
    if a.data.split != b.data.split:
        found.append(f"splits {a.data.split!r} and {b.data.split!r}")
    if a.data.sha256 != b.data.sha256:
        found.append(
            f"data with checksums {a.data.sha256[:12]} and {b.data.sha256[:12]} ({a.data.where}; {b.data.where})"
        )
    if a.sampling.get("shots", 0) != b.sampling.get("shots", 0):
        found.append(f"{a.sampling.get('shots', 0)} and {b.sampling.get('shots', 0)} worked examples")
    return found


def _other_gold(a: dict[str, list[Item]], b: dict[str, list[Item]], shared: Sequence[str]) -> list[str]:
    """Items of one id that are not the same item. A prompt may differ, as templates do; what is right may not."""
    other = [id for id in shared if a[id][0].gold != b[id][0].gold]
    return [f"items with other gold answers: {len(other):,}, as {other[0]}"] if other else []


def _scores(run: Run, answers: dict[str, list[Item]], shared: Sequence[str]) -> list[float]:
    """An item's mean mark over its repeats; of perplexity its bits, of F1 the share that is right."""
    return [fmean(worth(run, answers[id])) for id in shared]


def _side(run: Run, log: str | Path, answers: dict[str, list[Item]], shared: Sequence[str]) -> Side:
    items = [item for id in shared for item in answers[id]]
    outcomes = dict(Counter(item.outcome for item in items).most_common()) if run.kind != "perplexity" else {}
    return Side(run.model, str(log), estimate(run, items), fmean(item.tokens_out for item in items), outcomes)


def _changes(
    answers: Sequence[dict[str, list[Item]]],
    shared: Sequence[str],
    marks: Sequence[Sequence[float]],
    weights: Sequence[float] | None,
) -> tuple[list[Change], list[Change]]:
    """Items on which B is better, and on which it is worse, by how much. Of perplexity less is better."""
    up: list[Change] = []
    down: list[Change] = []
    for at, id in enumerate(shared):
        a, b = marks[0][at], marks[1][at]
        if weights is not None:
            a, b = (x / weights[at] if weights[at] else 0.0 for x in (a, b))
        if a == b:
            continue
        first, second = answers[0][id], answers[1][id]
        change = Change(id, first[0].subset, a, b, _ended(first), _ended(second), first[0].prompt)
        (up if (b > a) == (weights is None) else down).append(change)
    key = lambda change: -abs(change.b - change.a)  # noqa: E731
    return sorted(up, key=key), sorted(down, key=key)


def _ended(items: Sequence[Item]) -> str:
    """How an item's answers ended: "wrong", or "3 right, 1 truncated"."""
    counted = Counter(item.outcome for item in items)
    return (
        next(iter(counted)) if len(items) == 1 else ", ".join(f"{n} {outcome}" for outcome, n in counted.most_common())
    )


def _subsets(
    answers: dict[str, list[Item]],
    shared: Sequence[str],
    marks: Sequence[Sequence[float]],
    weights: Sequence[float] | None,
) -> list[SubsetDifference]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, id in enumerate(shared):
        places[answers[id][0].subset].append(at)
    if len(places) < 2:
        return []
    found: list[SubsetDifference] = []
    for name, those in sorted(places.items()):
        a, b = ([side[at] for at in those] for side in marks)
        below = [1.0] * len(those) if weights is None else [weights[at] for at in those]
        clusters = [cluster(answers[shared[at]][0]) for at in those]
        difference = paired.ratio([y - x for x, y in zip(a, b, strict=True)], below, clusters)
        found.append(SubsetDifference(name, len(those), sum(a) / sum(below), sum(b) / sum(below), difference))
    return found


def _remarks(runs: Sequence[Run], answers: Sequence[dict[str, list[Item]]], shared: int) -> list[str]:
    said: list[str] = []
    for run, own, name in zip(runs, answers, "AB", strict=True):
        if len(own) > shared:
            said.append(f"left out of {name}, as the other run does not have them: {len(own) - shared:,} items")
        if not run.finished:
            said.append(f"{name} is not finished" + (f": {run.stopped}" if run.stopped else ""))
    if runs[0].metric == "f1":
        said.append("F1 has no item of its own: the difference is of the shares that are right")
    a, b = runs
    for key in TOLD:
        x, y = getattr(a, key), getattr(b, key)
        if x == y:
            continue
        if isinstance(x, dict):
            keys = [k for k in {**x, **y} if x.get(k) != y.get(k) and k != "shots"]
            said += [f"{key}, {k}: {x.get(k)!r} and {y.get(k)!r}" for k in keys]
        else:
            said.append(f"{key}: {x} and {y}")
    return said


def _name(run: Run) -> str:
    return f"{run.task}{':' + run.part if run.part else ''} ({run.protocol})"
