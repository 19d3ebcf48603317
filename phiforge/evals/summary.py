"""What a run comes to: its figure with intervals, by subset, how items ended, what they cost, what repeats are worth, and what
is left without contaminated items. `report` shows it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import fmean

import msgspec
from msgspec import Struct

from phiforge.evals import repeats as several
from phiforge.evals.log import OUTCOMES, Item, Run, read_items, read_run
from phiforge.evals.stats import Estimate, bootstrap, mean, ratio
from phiforge.lm import is_endpoint

VOTE_CHARS = 200  # of an answer that is voted on as text; longer ones are programs or essays


class Subset(Struct, frozen=True):
    name: str
    value: Estimate


class Cost(Struct, frozen=True):
    """Tokens are means of an answer; `seconds` is the run's, `tokens_right` and `tokens_wrong` tell whether long answers pay."""

    tokens_in: float
    tokens_out: Estimate
    thought_tokens: float
    tokens_right: float | None
    tokens_wrong: float | None
    tokens: int  # read and written, of the whole run
    seconds: float


class OfK(Struct, frozen=True):
    """What `k` answers to an item are worth. `majority` is None where answers cannot be voted on."""

    k: int
    passed: Estimate  # the best of k, where part marks count
    all: Estimate  # the worst
    majority: Estimate | None


class Contamination(Struct, frozen=True):
    """The figure of items that were found in training data, and of the others. `strangers` are ids given that are not here."""

    flagged: int
    strangers: int
    without: Estimate | None
    of_flagged: Estimate | None


class Summary(Struct, frozen=True, kw_only=True):
    """`value` is the run's figure (`Run.metric`; bits per byte of perplexity), every answer counting alike; clusters are the
    items' own, and all answers to an item. `macro` is the mean of subsets. `remarks` are what a reader must know."""

    log: str
    run: Run
    items: int
    answers: int
    value: Estimate
    bootstrap: Estimate
    macro: float | None = None
    subsets: list[Subset] = []
    outcomes: dict[str, int] = {}
    measures: dict[str, Estimate] = {}
    cost: Cost
    of_k: list[OfK] = []
    spread: several.Spread | None = None
    contamination: Contamination | None = None
    remarks: list[str] = []


def summarise(folder: str | Path, flagged: Collection[str] | None = None, *, seed: int = 0) -> Summary:
    """Summarise the log in `folder`. `flagged` are ids of contaminated items, of `read_flags`. Raises ValueError for no log
    or one without items."""
    run, items = read_run(folder), read_items(folder)
    if not items:
        raise ValueError(f"{folder}: the run has no items yet")
    above, below = figures(run, items)
    clusters = [cluster(item) for item in items]
    value = estimate(run, items)
    by_subset: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_subset[item.subset].append(item)
    subsets = (
        [Subset(name, estimate(run, by_subset[name])) for name in sorted(by_subset)] if len(by_subset) > 1 else []
    )
    return Summary(
        log=str(folder),
        run=run,
        items=len({item.id for item in items}),
        answers=len(items),
        value=value,
        bootstrap=bootstrap(above, below, clusters, seed=seed),
        macro=fmean(subset.value.value for subset in subsets) if subsets else None,
        subsets=subsets,
        outcomes=outcomes(run, items),
        measures=_measures(run, items),
        cost=_cost(run, items),
        of_k=_of_k(run, items),
        spread=_spread(run, items),
        contamination=None if flagged is None else _contamination(run, items, flagged),
        remarks=_remarks(run, items),
    )


def figures(run: Run, items: Sequence[Item]) -> tuple[list[float], list[float]]:
    """What is summed and what it is divided by: marks and ones, or bits and bytes of perplexity. F1 of c right and a attempted
    answers out of n is 2c / (n + a): the harmonic mean of c / n and c / a."""
    if run.kind == "perplexity":
        bits = [-item.measures.get("logprob", 0.0) / math.log(2) for item in items]
        return bits, [item.measures.get("bytes", 0.0) for item in items]
    if run.metric == "f1":
        return [2.0 * item.right for item in items], [1.0 + item.measures.get("attempted", 0.0) for item in items]
    return worth(run, items), [1.0] * len(items)


def worth(run: Run, items: Sequence[Item]) -> list[float]:
    """What each item is worth by itself. F1 is a figure of many: of an item it is whether it is right."""
    if run.kind == "perplexity":
        return figures(run, items)[0]
    return [item.score if run.metric == "score" else float(item.right) for item in items]


def estimate(run: Run, items: Sequence[Item]) -> Estimate:
    """The run's figure of some of its items."""
    above, below = figures(run, items)
    clusters = [cluster(item) for item in items]
    return ratio(above, below, clusters) if run.kind == "perplexity" or run.metric == "f1" else mean(above, clusters)


def mean_of(items: Sequence[Item], values: Sequence[float]) -> Estimate:
    """The mean of a number that each item has, as tokens are."""
    return ratio(values, [1.0] * len(items), [cluster(item) for item in items])


def cluster(item: Item) -> Hashable:
    """Answers with the same are no independent draws: the task's clusters, else the item."""
    return ("cluster", item.cluster) if item.cluster else ("item", item.id)


def outcomes(run: Run, items: Sequence[Item]) -> dict[str, int]:
    """How many items ended how, in the order of `OUTCOMES`; none for perplexity, of which only errors are an outcome."""
    counted = Counter(item.outcome for item in items)
    found = {outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]}
    return {k: n for k, n in found.items() if k == "error"} if run.kind == "perplexity" else found


def by_item(items: Sequence[Item]) -> dict[str, list[Item]]:
    """All answers to each item, in the order items first appear."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.id, []).append(item)
    return found


def read_flags(file: str | Path, task: str = "", split: str = "") -> set[str]:
    """The ids of contaminated items in a file: what `phiforge data leaks --against TASK` wrote, an id a line, JSON lines with
    "item" (or "id"), or the report.json of `phiforge data curate --against LOG/items.jsonl`. A bare row number becomes
    `task`/`split`/number.

    Raises ValueError for a file that cannot be read, and for a report that does not list all items it found.
    """
    try:
        text = Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: {error}") from None
    ids: set[str] = set()
    if (report := _json(text)) and isinstance(report.get("benchmarks"), dict):
        for name, found in report["benchmarks"].items():
            named = {*found.get("leaked", ()), *(leak["item"] for leak in found["matches"] if leak["contaminated"])}
            if len(named) < found["leaked_items"]:
                raise ValueError(
                    f"{file} lists {len(named)} of the {found['leaked_items']} items of {name} that were found; give a file "
                    "of all their ids, one a line"
                )
            ids |= named
    else:
        for line in text.splitlines():
            row = _json(line)
            if row and row.get("contaminated", True):
                ids.add(str(row.get("item", row.get("id", ""))))
            elif row is None and line.strip() and not line.startswith("#"):
                ids.add(line.strip())
    return {f"{task}/{split}/{each}" if each.isdigit() and task else each for each in ids if each}


def _json(text: str) -> dict | None:
    try:
        row = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return row if isinstance(row, dict) else None


def _measures(run: Run, items: Sequence[Item]) -> dict[str, Estimate]:
    names = sorted({name for item in items for name in item.measures})
    if run.kind == "perplexity":
        return {}
    clusters = [cluster(item) for item in items]
    found: dict[str, Estimate] = {}
    for name in names:
        if not name.startswith("of "):
            above = [item.measures.get(name, 0.0) for item in items]
            found[name] = ratio(above, [item.measures.get(f"of {name}", 1.0) for item in items], clusters)
    return found


def _cost(run: Run, items: Sequence[Item]) -> Cost:
    right = [item.tokens_out for item in items if item.right]
    wrong = [item.tokens_out for item in items if not item.right]
    return Cost(
        fmean(item.tokens_in for item in items),
        mean_of(items, [item.tokens_out for item in items]),
        fmean(item.thought_tokens for item in items),
        fmean(right) if right and run.kind == "generate" else None,
        fmean(wrong) if wrong and run.kind == "generate" else None,
        sum(item.tokens_in + item.tokens_out for item in items),
        run.seconds,
    )


def _of_k(run: Run, items: Sequence[Item]) -> list[OfK]:
    """For k = 1, 2, 4, ... and all repeats, over the items that have been answered that often."""
    answers = by_item(items)
    most = max(len(each) for each in answers.values())
    if most < 2:
        return []
    votes = {id: _votes(run, each) for id, each in answers.items()}
    found: list[OfK] = []
    for k in sorted({1 << i for i in range(most.bit_length())} | {most}):
        enough = {id: each for id, each in answers.items() if len(each) >= k}
        clusters = [cluster(each[0]) for each in enough.values()]
        scores = {id: worth(run, each) for id, each in enough.items()}
        voted = {id: votes[id] for id in enough}
        majority = [several.majority_of(v, len(enough[id]), k) for id, v in voted.items() if v is not None]
        found.append(
            OfK(
                k,
                mean([several.best_of(each, k) for each in scores.values()], clusters),
                mean([several.worst_of(each, k) for each in scores.values()], clusters),
                mean(majority, clusters) if len(majority) == len(enough) else None,
            )
        )
    return found


def _votes(run: Run, answers: Sequence[Item]) -> list[tuple[int, float]] | None:
    """Answers to an item that agree, by the verifier's own equality where it has one: (how many, their mean score)."""
    given = [item.extracted.strip() if item.extracted else None for item in answers]
    if run.verifiers == ["math"]:
        groups = [group.members for group in import_module("phiforge.verify.math").cluster(given)]
    elif any(text and len(text) > VOTE_CHARS for text in given) or not run.verifiers:
        return None
    else:
        same: defaultdict[str, list[int]] = defaultdict(list)
        for place, text in enumerate(given):
            if text:
                same[text.casefold()].append(place)
        groups = list(same.values())
    marks = worth(run, answers)
    return [(len(members), fmean(marks[i] for i in members)) for members in groups]


def _spread(run: Run, items: Sequence[Item]) -> several.Spread | None:
    answers = by_item(items)
    runs = max(len(each) for each in answers.values())
    whole = [sorted(each, key=lambda item: item.repeat) for each in answers.values() if len(each) == runs]
    if runs < 2:
        return None
    return several.spread([worth(run, [each[r] for each in whole]) for r in range(runs)])


def _contamination(run: Run, items: Sequence[Item], flagged: Collection[str]) -> Contamination:
    found = [item for item in items if item.id in flagged]
    left = [item for item in items if item.id not in flagged]
    return Contamination(
        len({item.id for item in found}),
        len(set(flagged) - {item.id for item in items}),
        estimate(run, left) if left else None,
        estimate(run, found) if found else None,
    )


def _remarks(run: Run, items: Sequence[Item]) -> list[str]:
    said: list[str] = []
    here = len({item.id for item in items})
    if not run.finished:
        of = f"{len(items):,} of {run.items * run.repeats:,} answers"
        said.append(f"not finished, {of}" + (f": {run.stopped}" if run.stopped else ""))
    if run.items < run.data.items:
        said.append(f"a sample: {run.items:,} of the {run.data.items:,} items")
    if not run.data.pinned:
        said.append("the data set is not pinned by a checksum")
    if "Changed:" in run.protocol_words:
        said.append(f"the protocol is changed:{run.protocol_words.rpartition('Changed:')[2].rstrip('.')}")
    if errors := sum(item.outcome == "error" for item in items):
        said.append(f"{errors:,} answers failed and count as wrong")
    if run.judge:
        here_only = (
            "" if is_endpoint(run.judge) else ", a model on this machine: not comparable with published figures"
        )
        said.append(f"graded by {run.judge}{here_only}")
    if here < 30:
        said.append(f"{here} items say little")
    return said
