"""Every pipeline of the data factory, found by registration: its rows are proven, varied and repeatable."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from phiforge import verify
from phiforge.data import pipeline as registry
from phiforge.data import seeds
from phiforge.data.pipeline import LEVELS, Reject, Solver, Taught
from phiforge.data.rows import Options, make_row, spoken
from phiforge.records import Example

SOLVERS = [name for name in registry.names() if isinstance(registry.get(name), Solver)]
ROWS = 120


def rows(name: str, n: int = ROWS, **options: Any) -> list[Example | Reject]:
    pipeline, seen = registry.get(name), set()
    assert isinstance(pipeline, Solver)
    return [make_row(pipeline, i, Options(**options), seen) for i in range(n)]


@pytest.mark.parametrize("name", registry.names())
def test_a_pipeline_says_what_it_makes(name: str) -> None:
    pipeline = registry.get(name)
    assert 20 <= len(pipeline.summary) <= 150
    assert pipeline.knobs
    if pipeline.verifier:
        verify.get(pipeline.verifier)
    if isinstance(pipeline, Taught):
        assert pipeline.stages
        assert seeds.own(pipeline.seeds)


@pytest.mark.parametrize("name", SOLVERS)
def test_rows_are_proven_varied_and_repeatable(name: str) -> None:
    made = rows(name)
    assert [r for r in made if isinstance(r, Reject)] == []
    examples = [r for r in made if isinstance(r, Example)]
    assert len({msgspec.json.encode(e.problem.messages) for e in examples}) == ROWS
    assert msgspec.json.encode(rows(name)) == msgspec.json.encode(made)
    assert msgspec.json.encode(rows(name, 5, seed=1)) != msgspec.json.encode(made[:5])
    templates = Counter(e.problem.metadata["template"] for e in examples)
    assert max(templates.values()) <= ROWS * 0.4
    assert msgspec.json.decode(msgspec.json.encode(examples), type=list[Example]) == examples
    for example in examples:
        text = "".join(m.text for m in example.problem.messages) + example.response.text
        assert "None" not in text or name.startswith("code.")
        assert "  " not in example.problem.messages[-1].text.replace("\n ", "\n") or "code" in name
        assert len(text) < 20_000


@pytest.mark.parametrize("name", SOLVERS)
def test_a_wrong_answer_is_rejected(name: str) -> None:
    """The answer of another row, where it differs, must not pass."""
    examples = [r for r in rows(name, 24) if isinstance(r, Example)]
    tried = 0
    for one, other in itertools.pairwise(examples):
        if one.problem.verifier != other.problem.verifier or one.problem.answer == other.problem.answer:
            continue
        check = verify.get(one.problem.verifier)
        assert check(spoken(one.response), one.problem).correct
        tried += not check(spoken(other.response), one.problem).correct
    assert tried >= 4


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("level", [LEVELS[0], LEVELS[-1]])
def test_each_level_and_length_is_made(name: str, level: int) -> None:
    made = [rows(name, 12, level=level, length=length) for length in ("short", "medium", "long")]
    assert all(isinstance(r, Example) for some in made for r in some)
    lengths = [sum(len(r.response.thinking or "") for r in some if isinstance(r, Example)) for some in made]
    assert lengths[0] <= lengths[1] <= lengths[2] or lengths == [0, 0, 0]


def test_the_gallery_shows_every_pipeline_as_it_is() -> None:
    """`phiforge/data/gallery.py` says how it is written anew."""
    gallery = (Path(__file__).parents[1] / "docs/gallery.md").read_text()
    for name in registry.names():
        assert f"### {name}\n\n{registry.get(name).summary}.\n" in gallery, name
    assert f"{len(registry.names())} pipelines; {len(SOLVERS)} need no language model" in gallery
