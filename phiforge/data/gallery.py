"""docs/gallery.md: every pipeline with what it makes, its figures and three of its rows, written from the code and from runs.

phiforge data run solvers -n 1000 -o runs/solvers
phiforge data run taught -o runs/taught
python -m phiforge.data.gallery docs/gallery.md runs/solvers runs/taught
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from phiforge.data import pipeline as registry
from phiforge.data.card import Part, describe, run_reports
from phiforge.data.pipeline import Solver, Taught
from phiforge.data.rows import in_words
from phiforge.data.run import Report
from phiforge.data.tokens import counter

SHOWN = 1200  # characters of a sample row; long contexts and programs are cut


def write(path: str, parts: dict[str, Part], reports: dict[str, Report]) -> None:
    """Write the gallery of all registered pipelines, with figures and rows of those that are in `parts`, and with what became
    of the others in `reports`."""
    pipelines = [registry.get(name) for name in registry.names()]
    solvers = sum(isinstance(each, Solver) for each in pipelines)
    lines = [
        "# Gallery of pipelines",
        "",
        f"{len(pipelines)} pipelines; {solvers} need no language model: a generator makes each row, and an independent solver "
        "or an execution proves it. The others work with any teacher; their figures here are those of "
        "SmolLM2-135M, which is small for a teacher. Diversity is that of the questions: `distinct-2` is different pairs of "
        "words by all pairs, near-duplicates share 80 % of their word 5-grams with an earlier question. Rates are rows a "
        "second on one core, proof included.",
        "",
        "This file is generated: see `phiforge/data/gallery.py`.",
    ]
    for family, members in groupby(pipelines, key=lambda each: each.family):
        lines += ["", f"## {family}", ""]
        for each in members:
            lines += _section(each, parts.get(each.name), reports.get(each.name))
    Path(path).write_text("\n".join(lines) + "\n")


def _section(pipeline: Solver | Taught, part: Part | None, report: Report | None) -> list[str]:
    about = [
        f"needs {pipeline.needs}",
        f"seeds: {pipeline.seeds}" if pipeline.seeds else "",
        f"stages: {', '.join(pipeline.stages)}" if pipeline.stages else "",
        f"verifier: {pipeline.verifier or 'its stages'}",
        pipeline.knobs,
    ]
    lines = [f"### {pipeline.name}", "", f"{pipeline.summary}.", "", f"{'; '.join(filter(None, about))}.", ""]
    if part is None:
        reasons = "; ".join(f"{n} × {reason}" for reason, n in report.rejected.items()) if report else ""
        return [*lines, f"No row of it has been kept yet{f': {reasons}' if reasons else ''}.", ""]
    lines += [_figures(part), ""]
    for number, row in enumerate(part.samples, 1):
        text = in_words(row)
        text = text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}\n[…]\n{text[-SHOWN // 2 :]}"
        lines += [f"<details><summary>row {number}</summary>", "", "````text", text, "````", "", "</details>"]
    return [*lines, ""]


def _figures(part: Part) -> str:
    d = part.diversity
    figures = [f"{part.rows:,} rows" if part.rows > 1 else "1 row", f"{part.tokens / part.rows:,.0f} tokens a row"]
    if part.accepted is not None:
        figures.append(f"{part.accepted:.1%} accepted")
    if part.seconds_per_thousand:
        figures.append(f"{1000 / part.seconds_per_thousand:,.0f} rows a second")
    if part.seconds_per_thousand and part.models:
        figures.append(f"{part.seconds_per_thousand * part.rows / part.tokens:.2g} ms a kept token")
    figures.append(f"distinct-2 {d.distinct_2:.2f}, near-duplicates {d.near_duplicates:.1%}")
    figures.append(f"{d.templates} templates, the commonest {d.commonest_template:.1%}")
    return "; ".join(figures) + "."


if __name__ == "__main__":
    target, *folders = sys.argv[1:]
    tokens = counter()
    reports = [report for folder in folders for report in run_reports(folder)]
    parts = [part for folder in folders for part in describe(folder, tokens)]
    write(target, {part.name: part for part in parts}, {report.pipeline: report for report in reports})
