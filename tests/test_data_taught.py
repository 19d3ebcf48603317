"""Taught pipelines: every one runs with any teacher, repeats exactly, and keeps what its stages let through."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from phiforge.data import pipeline as registry
from phiforge.data import seeds as seedbed
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.rows import Options, taught_rows
from phiforge.data.run import Config, Make, execute, plan
from phiforge.data.simulated import Known, Nature, SimulatedTeacher
from phiforge.data.teacher import Teacher
from phiforge.records import Example, read_parquet

TAUGHT = [name for name in registry.names() if isinstance(registry.get(name), Taught)]


def made(name: str, teacher: Teacher, n: int = 3) -> tuple[list[Example], list[Reject]]:
    pipeline = registry.get(name)
    assert isinstance(pipeline, Taught)
    return asyncio.run(taught_rows(pipeline, teacher, seedbed.own(pipeline.seeds)[:n], Options()))


def known() -> list[Known]:
    wrong = ("1", "2", "3", "1/2")
    return [
        Known(question=seed.text, answer=seed.answer, wrong=wrong, difficulty=3) for seed in seedbed.own("problems")
    ]


@pytest.mark.parametrize("name", TAUGHT)
def test_a_taught_pipeline_runs_with_any_teacher_and_repeats(name: str) -> None:
    first, again = made(name, SimulatedTeacher(known())), made(name, SimulatedTeacher(known()))
    assert sum(map(len, first)) >= 3
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    for example in first[0]:
        assert example.provenance.seeds
        assert example.provenance.metadata["asked"]
        assert example.response.text


@pytest.mark.parametrize("name", ["problems.voted", "problems.solved"])
def test_votes_and_samples_find_the_known_answers(name: str) -> None:
    teacher = SimulatedTeacher(known(), Nature(errors=(0.3,) * 5, favour=0.2))
    rows, rejects = made(name, teacher, 24)
    assert len(rows) >= 18
    right = sum(
        row.problem.answer == seed.answer
        for row in rows
        for seed in seedbed.own("problems")
        if seed.text == row.problem.messages[0].text
    )
    assert right >= len(rows) - 2
    assert all(reject.reason for reject in rejects)


def test_what_a_row_was_asked_can_be_looked_up() -> None:
    teacher = SimulatedTeacher(known())
    rows, _ = made("problems.solved", teacher, 4)
    for key in rows[0].provenance.metadata["asked"]:
        question = teacher.answers.question(key)
        assert question is not None
        assert question.messages[-1].text


def test_seeds_of_a_file_are_checked_before_any_work(tmp_path: Path) -> None:
    file = tmp_path / "seeds.jsonl"
    file.write_text('{"body": "one"}\n')

    def config(**options: str) -> Config:
        return Config(str(tmp_path / "out"), [Make(["language.reading"], **options)])

    with pytest.raises(ValueError, match="no column 'text'; it has body"):
        plan(config(seeds=str(file)))
    with pytest.raises(FileNotFoundError, match=r"missing\.jsonl"):
        plan(config(seeds=str(tmp_path / "missing.jsonl")))
    assert plan(config(seeds=str(file), column="body")).jobs[0].rows == 1
    assert not (tmp_path / "out").exists()


def test_passages_are_cut_from_texts(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("\n\n".join(f"Paragraph {i}. " + "Words and more words. " * 12 for i in range(12)))
    (tmp_path / "b.py").write_text("x = 1")
    found = seedbed.read(str(tmp_path), licence="CC0")
    assert len(found) > 1
    assert all(len(seed.text) <= seedbed.PASSAGE and seed.licence == "CC0" and "a.md" in seed.source for seed in found)
    assert len({seed.id for seed in found}) == len(found)


@pytest.mark.slow
def test_the_default_model_runs_every_taught_pipeline(tmp_path: Path) -> None:
    """Its accept rates are what they are; nothing may fail, and a second run asks nothing."""
    config = Config(str(tmp_path), [Make(["taught"], rows=1)])
    reports = execute(plan(config))
    assert [report.pipeline for report in reports] == TAUGHT
    for report in reports:
        assert report.kept + sum(report.rejected.values()) >= 1
    kept = sum(len(list(read_parquet(file, Example))) for file in (tmp_path / "data").rglob("*.parquet"))
    assert kept == sum(report.kept for report in reports)
