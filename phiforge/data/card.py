"""What a folder of rows holds: counts by the real tokenizer, how varied it is, samples, and a Hugging Face dataset card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from phiforge.data import pipeline as registry
from phiforge.data.curate import duplicates
from phiforge.data.place import Place
from phiforge.data.rows import in_words
from phiforge.data.run import Report
from phiforge.data.tokens import Counter as Tokens
from phiforge.data.tokens import text_of
from phiforge.records import Example, read_parquet

SAMPLED = 20_000  # rows of a pipeline whose diversity is measured; all rows are counted
NGRAM = 5


class Diversity(Struct, frozen=True):
    """How varied questions are. `distinct_2`: different pairs of words by all pairs; `near_duplicates`: share of questions
    that are alike in 80 % of their word 5-grams to an earlier one; `commonest_template`: its share of rows."""

    distinct_2: float
    near_duplicates: float
    commonest_template: float
    templates: int


class Part(Struct, kw_only=True):
    """One pipeline's rows in a folder. `accepted` is the share of made rows that were kept, where a run tells."""

    name: str
    rows: int
    tokens: int
    thought_tokens: int
    levels: dict[str, int]
    verifiers: list[str]
    licences: list[str]
    models: list[str]
    sources: list[str]
    diversity: Diversity
    samples: list[Example]
    accepted: float | None = None
    seconds_per_thousand: float | None = None
    cost_per_kept_token: float | None = None


def parts(folder: str | Path) -> dict[str, list[Path]]:
    """The Parquet files of each part of a folder. Raises ValueError if there is none."""
    found: dict[str, list[Path]] = {}
    for file in sorted(Path(folder, "data").glob("*/*.parquet")):
        found.setdefault(file.parent.name, []).append(file)
    if not found:
        raise ValueError(f"{folder} holds no data/NAME/*.parquet; `phiforge data run` makes such a folder")
    return found


def describe(folder: str, tokens: Tokens) -> list[Part]:
    """Measure every part of a folder, here or in an object store. Raises ValueError for one without rows."""
    by_name = {each.pipeline: each for each in run_reports(folder)}
    with Place(folder).copied() as local:
        return [_describe(name, files, tokens, by_name.get(name)) for name, files in parts(local).items()]


def run_reports(folder: str) -> list[Report]:
    """What a run told of its pipelines; nothing for a folder that no run made."""
    return msgspec.json.decode(Place(folder).read("report.json") or b"[]", type=list[Report])


def _describe(name: str, files: list[Path], tokens: Tokens, report: Report | None) -> Part:
    part = Part(
        name=name, rows=0, tokens=0, thought_tokens=0, levels={}, verifiers=[], licences=[], models=[], sources=[],
        diversity=Diversity(0, 0, 0, 0), samples=[],
    )  # fmt: skip
    levels, kinds = Counter[str](), {key: Counter[str]() for key in ("verifiers", "licences", "models", "sources")}
    some: list[Example] = []
    for batch in _batches(row for file in files for row in read_parquet(file, Example)):
        part.rows += len(batch)
        part.tokens += sum(tokens([text_of(row) for row in batch]))
        part.thought_tokens += sum(tokens([row.response.thinking or "" for row in batch]))
        for row in batch:
            levels[str(row.problem.metadata.get("level", "-"))] += 1
            kinds["verifiers"][row.problem.verifier] += 1
            kinds["licences"][row.provenance.licence] += 1
            kinds["models"][row.provenance.model] += 1
            kinds["sources"][row.provenance.source] += 1
        some += batch[: SAMPLED - len(some)]
    part.levels = dict(sorted(levels.items()))
    for key, counts in kinds.items():
        setattr(part, key, [value for value, _ in counts.most_common() if value])
    part.diversity = diversity(some)
    part.samples = [some[i * len(some) // 3] for i in range(min(3, len(some)))]
    if report is not None:
        made = report.kept + sum(report.rejected.values())
        part.accepted = report.kept / made if made else None
        part.seconds_per_thousand = report.seconds / report.kept * 1000 if report.kept else None
        if report.teacher and part.tokens:
            part.cost_per_kept_token = report.teacher.get("cost", 0.0) / part.tokens
    return part


def _batches(rows: Iterator[Example], size: int = 512) -> Iterator[list[Example]]:
    batch: list[Example] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def diversity(rows: Sequence[Example]) -> Diversity:
    """How varied the questions of some rows are."""
    questions = ["\n".join(m.text for m in row.problem.messages if m.role != "system") for row in rows]
    pairs = Counter(pair for words in map(str.split, questions) for pair in pairwise(words))
    templates = Counter(str(row.problem.metadata.get("template", "")) for row in rows)
    return Diversity(
        distinct_2=len(pairs) / max(1, pairs.total()),
        near_duplicates=duplicates.near_share(questions, ngram=NGRAM),
        commonest_template=max(templates.values(), default=0) / max(1, len(rows)),
        templates=len(templates),
    )


def write_card(folder: str, described: Sequence[Part]) -> str:
    """Write the folder's README.md, which `datasets` and the Hub read, and return its path."""
    licences = sorted({licence for part in described for licence in part.licences})
    rows, tokens = sum(part.rows for part in described), sum(part.tokens for part in described)
    head: dict[str, Any] = {
        "license": licences[0].lower() if len(licences) == 1 else "other",
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "reasoning", "phiforge"],
        "size_categories": [_size(rows)],
        "configs": [{"config_name": "all", "data_files": "data/*/*.parquet", "default": True}]
        + [{"config_name": part.name, "data_files": f"data/{part.name}/*.parquet"} for part in described],
    }
    # JSON is YAML, so a line a key is front matter.
    lines = ["---", *(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in head.items()), "---", ""]
    lines += [f"# {Path(folder).absolute().name}", ""]
    lines += [
        f"{rows:,} rows, {tokens:,} tokens, made by Phiforge. Every row is accepted by the verifier it names.",
        "",
    ]
    lines += [
        "| part | rows | tokens | of thoughts | accepted | distinct-2 | near-duplicates | commonest template | verifier |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for part in described:
        d = part.diversity
        accepted = "" if part.accepted is None else f"{part.accepted:.1%}"
        lines.append(
            f"| {part.name} | {part.rows:,} | {part.tokens:,} | {part.thought_tokens:,} | {accepted} | {d.distinct_2:.2f} "
            f"| {d.near_duplicates:.1%} | {d.commonest_template:.1%} | {', '.join(part.verifiers)} |"
        )
    lines += [
        "",
        "`messages` is for training as it is; `problem`, `response` and `provenance` are JSON, for all else.",
    ]
    for part in described:
        lines += ["", f"## {part.name}", ""]
        if part.name in registry.names():
            pipeline = registry.get(part.name)
            lines += [f"{pipeline.summary}. {pipeline.knobs[0].upper()}{pipeline.knobs[1:]}.", ""]
        lines += [f"Sources: {', '.join(part.sources)}. Licence: {', '.join(part.licences) or 'unknown'}."]
        if part.models:
            lines += [f"Teacher: {', '.join(part.models)}."]
        for row in part.samples:
            lines += ["", *_sample(row)]
    place = Place(folder)
    place.write("README.md", ("\n".join(lines) + "\n").encode())
    return f"{folder.rstrip('/')}/README.md"


def _sample(row: Example) -> list[str]:
    fence = "````"
    return [f"{fence}text", in_words(row), fence]


def _size(rows: int) -> str:
    limits = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for limit, name in limits if rows < limit), "1M<n<10M")
