"""The model card of what a forge made: README.md beside the weights, with the fields that the hub reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

import phiforge
from phiforge.data.pipeline import Solver
from phiforge.data.pipeline import get as pipeline
from phiforge.forge import report
from phiforge.forge.run import Story
from phiforge.store.models import find


def write(story: Story) -> list[Path]:
    """Write the card into every folder that is shipped."""
    text = card(story)
    folders = [Path(path) for path in story.shipped if Path(path).is_dir()]
    for folder in folders:
        (folder / "README.md").write_text(text)
    return [folder / "README.md" for folder in folders]


def card(story: Story) -> str:
    """The card as Markdown."""
    recipe = story.recipe
    start = find(recipe.start.model)
    lines = ["---", *_fields(story, start.licence), "---", f"# {recipe.name}", ""]
    lines += [
        f"{recipe.about} " if recipe.about else "",
        f"Made from {start.name} ({start.source}) by `phiforge forge`.",
        "",
    ]
    lines += ["## Before and after", "", *_scores(story), "", report.headline(story), ""]
    lines += [f"Not measured: {name}: {why}" for name, why in story.left_out.items()]
    lines += ["## What it learnt from", "", *_data(story), ""]
    lines += ["## How", "", *_stages(story), ""]
    lines += ["## Again", "", "```", f"phiforge forge recipe.toml  # phiforge {phiforge.__version__}", "```", ""]
    lines += ["```toml", (recipe.path / "recipe.toml").read_text().strip(), "```", ""]
    lines += [
        "## Limits",
        "",
        "A small model: it is often wrong, most of all at what the table above does not measure.",
    ]
    return "\n".join(lines) + "\n"


def _fields(story: Story, licence: str) -> list[str]:
    fields: dict[str, Any] = {
        "license": licence or "other",
        "base_model": story.recipe.start.model,
        "tags": ["phiforge", *dict.fromkeys(stage.kind for stage in story.recipe.stage)],
        "pipeline_tag": "text-generation",
    }
    return [f"{name}: {msgspec.json.encode(value).decode()}" for name, value in fields.items()]  # JSON is YAML


def _scores(story: Story) -> list[str]:
    lines = ["| | items | before | after | difference (95 %, paired) |", "|---|---|---|---|---|"]
    for each in story.recipe.eval:
        if found := story.comparisons.get(each.name):
            percent = found.metric != "perplexity"
            before, after = (side.value.text(percent) for side in (found.a, found.b))
            difference = report.signed(found.paired.difference, percent)
            lines.append(f"| {each.title} ({found.protocol}) | {found.items} | {before} | {after} | {difference} |")
    return lines


def _data(story: Story) -> list[str]:
    lines: list[str] = []
    for name, made in story.made.items():
        for each in made:
            proven = "each proven by a solver" if isinstance(pipeline(each.pipeline), Solver) else "a model's, checked"
            lines.append(f"- {name}: {each.kept:,} rows of `{each.pipeline}` (version {each.version}), {proven}")
    lines += [
        f"- {name}: {data.path}" for name, data in story.recipe.data.items() if data.path and name not in story.made
    ]
    for name, curated in story.curated.items():
        dropped = ", ".join(f"{reason} {n:,}" for reason, n in curated.rejected.items()) or "nothing dropped"
        lines.append(f"- {name}, curated: {curated.kept:,} of {curated.read:,} rows left; {dropped}")
        lines += [
            f"  - {bench}: {found.leaked_items} of {found.items} items found, {found.texts} rows dropped for it"
            for bench, found in curated.benchmarks.items()
        ]
    return lines


def _stages(story: Story) -> list[str]:
    return [
        f"- {each.stage}: {each.steps:,} steps, {each.tokens:,} tokens, {each.seconds / 60:.1f} minutes"
        for each in story.results
    ]
