"""Logs to look into: one HTML file with all items of one run or several, that needs nothing else and asks nobody.

What models wrote is carried as compressed data and put on the page as text, never as markup; the page's policy allows its own
script and style and no request at all. The page's parts lie beside this file.
"""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import msgspec

from phiforge.evals import report
from phiforge.evals.compare import compare
from phiforge.evals.log import OUTCOMES, Item, Run, read_items, read_run
from phiforge.evals.stats import Estimate
from phiforge.evals.summary import Summary, by_item, estimate, mean_of, summarise

SCRIPTS = ("element.js", "state.js", "charts.js", "overview.js", "item.js", "list.js", "main.js")  # in this order
BINS = 5  # of answers by length, as many in each
FEWEST = 8  # answers in one
HOME = Path(__file__).parent


def write(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Write the page of the logs in `runs`, and return where it is. Raises ValueError for no log, or one without items."""
    if not runs:
        raise ValueError("there is no log to look into; name one")
    logs = [(read_run(folder), read_items(folder)) for folder in runs]
    summaries = [summarise(folder) for folder in runs]
    data = {
        "outcomes": OUTCOMES,
        "runs": _told_apart([_run(s, items) for s, (_, items) in zip(summaries, logs, strict=True)], summaries),
        "pairs": _pairs(runs, [run for run, _ in logs]),
        **_items(logs),
    }
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    partial.write_text(_page(_title(summaries), msgspec.json.encode(data)), encoding="utf-8")
    partial.replace(target)
    return target


def _page(title: str, data: bytes) -> str:
    """The parts of the page put together, its policy naming script and style by their hashes."""
    style = (HOME / "style.css").read_text(encoding="utf-8")
    script = "\n".join((HOME / name).read_text(encoding="utf-8") for name in SCRIPTS)
    policy = f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    parts = {
        "POLICY": policy,
        "TITLE": escape(title),
        "STYLE": style,
        "DATA": b64encode(gzip.compress(data, 6, mtime=0)).decode(),
        "SCRIPT": script,
    }
    page = (HOME / "page.html").read_text(encoding="utf-8")
    pieces = page.split("$$")  # text, name, text, name, ...: nothing that is put in is looked through again
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _title(summaries: Sequence[Summary]) -> str:
    tasks = list(dict.fromkeys(report.name(each) for each in summaries))
    models = list(dict.fromkeys(each.run.model for each in summaries))
    return f"{', '.join(tasks)}: {', '.join(models)}"


def _run(summary: Summary, items: Sequence[Item]) -> dict[str, Any]:
    """A run as the page's overview shows it."""
    run = summary.run
    known = report.published(summary)
    return {
        "model": run.model,
        "name": run.model,
        "task": report.name(summary),
        "protocol": run.protocol,
        "words": run.protocol_words,
        "kind": run.kind,
        "metric": run.metric,
        "items": summary.items,
        "answers": summary.answers,
        "value": _interval(summary.value),
        "tokens": _interval(summary.cost.tokens_out),
        "thought": summary.cost.thought_tokens,
        "seconds": run.seconds,
        "outcomes": summary.outcomes,
        "subsets": [[each.name, *_interval(each.value)] for each in summary.subsets],
        "ofK": [
            [each.k, _interval(each.passed), each.majority and _interval(each.majority), _interval(each.all)]
            for each in summary.of_k
        ],
        "lengths": _lengths(run, items),
        "remarks": summary.remarks,
        "published": known and {"scores": known.scores, "source": known.source, "unlike": known.unlike},
        "about": [
            [name, str(value)]
            for name, value in (
                ("log", summary.log), ("created", run.created), ("machine", run.machine), ("data", run.data.where),
                ("sampling", ", ".join(f"{k} {v}" for k, v in run.sampling.items())), ("seed", run.seed),
                ("verifiers", ", ".join(run.verifiers)), ("judge", run.judge),
                ("versions", ", ".join(f"{k} {v}" for k, v in run.versions.items())),
            ) if value != ""
        ],
    }  # fmt: skip


def _told_apart(runs: list[dict[str, Any]], summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """The runs, with what tells those of one model and task apart behind the model's name: its numbers, its adapter, the
    protocol, the seed, or else the log."""
    for run in runs:
        alike = [s for s in summaries if (s.run.model, report.name(s)) == (run["model"], run["task"])]
        mine = summaries[runs.index(run)]
        ways = [lambda s: str(s.run.model_details.get("dtype", "")), lambda s: str(s.run.model_details.get("adapter", "")),
                lambda s: s.run.protocol, lambda s: f"seed {s.run.seed}", lambda s: s.log]  # fmt: skip
        told = next((way for way in ways if len({way(s) for s in alike}) == len(alike)), None)
        if len(alike) > 1 and told is not None and told(mine):
            run["name"] = f"{run['model']}, {told(mine)}"
    return runs


def _lengths(run: Run, items: Sequence[Item]) -> list[list[list[float | None]]]:
    """Accuracy by length: answers in order of their tokens, in BINS of as many, each as [tokens, figure] with intervals."""
    if run.kind != "generate" or len(items) < BINS * FEWEST:
        return []
    ordered = sorted(items, key=lambda item: item.tokens_out)
    cuts = [len(ordered) * i // BINS for i in range(BINS + 1)]
    bins = [ordered[a:b] for a, b in pairwise(cuts)]
    return [[_interval(mean_of(each, [i.tokens_out for i in each])), _interval(estimate(run, each))] for each in bins]


def _interval(found: Estimate) -> list[float | None]:
    """[value, low, high]; JSON has null for what is not known."""
    return [found.value, found.low, found.high]


def _pairs(folders: Sequence[str | Path], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The comparisons of runs of one task, also where protocols differ: then the remarks say so."""
    found: list[dict[str, Any]] = []
    for a, b in combinations(range(len(runs)), 2):
        if (runs[a].task, runs[a].kind == "perplexity") != (runs[b].task, runs[b].kind == "perplexity"):
            continue
        try:
            told = compare(folders[a], folders[b], force=True)
        except ValueError:  # no item in common
            continue
        pair, percent = told.paired, told.metric != "perplexity"
        found.append({
            "a": a, "b": b, "items": told.items, "remarks": told.remarks, "value": _interval(pair.difference),
            "text": report.signed(pair.difference, percent), "verdict": report.verdict(told), "p": pair.p,
            "mcnemar": pair.mcnemar and [pair.mcnemar.only_a, pair.mcnemar.only_b, pair.mcnemar.p],
        })  # fmt: skip
    return found


def _items(logs: Sequence[tuple[Run, Sequence[Item]]]) -> dict[str, Any]:
    """Items by id with the answers of all runs; prompts that several share are there once."""
    prompts: dict[str, int] = {}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for number, (run, items) in enumerate(logs):
        for id, answers in by_item(items).items():
            first = answers[0]
            row = rows.setdefault(
                (run.task, id),
                {"id": id, "subset": first.subset, "gold": first.gold, "prompts": [], "answers": [[] for _ in logs]},
            )
            row["answers"][number] = [_answer(item) for item in answers]
            row["prompts"].append([number, prompts.setdefault(first.prompt, len(prompts))])
    return {"prompts": list(prompts), "items": list(rows.values())}


def _answer(item: Item) -> list[Any]:
    """One answer, in the order in which `item.js` reads it."""
    return [
        OUTCOMES.index(item.outcome), item.score, item.thought, item.response, item.extracted, item.reason, item.finish,
        item.tokens_in, item.tokens_out, item.thought_tokens, item.seconds, item.measures,
        [[each.text, each.logprob, each.tokens, each.bytes, each.greedy] for each in item.choices],
    ]  # fmt: skip
