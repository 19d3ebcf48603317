"""Runs of the data factory: the same bytes whatever happened on the way, and clear words before any work starts."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from phiforge.cli.main import main
from phiforge.data.place import Place
from phiforge.data.rows import question
from phiforge.data.run import Config, Make, Report, execute, plan, read_config
from phiforge.records import Example, read_parquet

PIPELINES = ["arithmetic.chains", "longcontext.retrieval"]


def files(folder: Path) -> dict[str, bytes]:
    """What a run made: everything but what tells times."""
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {name: content for name, content in found.items() if name not in ("report.json", ".lock")}


def config(out: Path, rows: int = 600, **options: object) -> Config:
    return msgspec.structs.replace(Config(str(out), [Make(PIPELINES, rows=rows)], workers=2), **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    out = tmp_path_factory.mktemp("run") / "whole"
    execute(plan(config(out)))
    return out


def test_a_run_keeps_every_row_and_says_so(whole: Path) -> None:
    reports = msgspec.json.decode((whole / "report.json").read_bytes(), type=list[Report])
    assert [(r.pipeline, r.asked, r.kept, r.rejected) for r in reports] == [(name, 600, 600, {}) for name in PIPELINES]
    assert set(files(whole)) == {"run.json", *(f"data/{name}/train-00000.parquet" for name in PIPELINES)}
    for name in PIPELINES:
        rows = list(read_parquet(whole / f"data/{name}/train-00000.parquet", Example))
        assert [row.problem.id for row in rows] == [f"{name}/0/{number}" for number in range(600)]
        assert len({question(row.problem) for row in rows}) == 600


def test_one_worker_makes_the_same(whole: Path, tmp_path: Path) -> None:
    execute(plan(config(tmp_path / "out", workers=1)))
    assert files(tmp_path / "out") == files(whole)


def test_a_finished_run_is_not_made_again(whole: Path) -> None:
    before = (whole / "report.json").stat().st_mtime_ns
    execute(plan(config(whole)))
    assert (whole / "report.json").stat().st_mtime_ns == before


def test_a_stopped_run_goes_on(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps = 0

    def stop_after_two(_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(plan(config(out)), stop_after_two)
    finished = Place(str(out)).names("batches")
    assert finished
    made_again: list[int] = []
    execute(plan(config(out)), lambda state: made_again.append(state.done))
    assert made_again[0] == 0
    assert files(out) == files(whole)


def run_in_process(out: Path, rows: int) -> subprocess.Popen[bytes]:
    words = ["data", "run", *PIPELINES, "--rows", str(rows), "--out", str(out), "--json"]
    return subprocess.Popen([sys.executable, "-m", "phiforge.cli.main", *words], stdout=subprocess.DEVNULL)


def killed_at_random(out: Path, rows: int, kills: int, pause: Callable[[], float]) -> int:
    """Kill a run so many times while it works, then let it end. Returns the batches that were ready at the last kill."""
    ready = 0
    for _ in range(kills):
        process = run_in_process(out, rows)
        time.sleep(pause())
        process.send_signal(signal.SIGKILL)
        process.wait()
        ready = max(ready, len(Place(str(out)).names("batches")))
    assert run_in_process(out, rows).wait(240) == 0
    return ready


def test_kill_9_loses_and_doubles_nothing(whole: Path, tmp_path: Path) -> None:
    draw = random.Random(3)
    killed_at_random(tmp_path / "out", 600, 2, lambda: draw.uniform(1, 3))
    assert files(tmp_path / "out") == files(whole)


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments(tmp_path: Path) -> None:
    execute(plan(config(tmp_path / "whole", rows=20_000)))
    draw = random.Random()
    ready = killed_at_random(tmp_path / "out", 20_000, 20, lambda: draw.uniform(1, 6))
    assert ready > 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")


@pytest.mark.slow
def test_ray_makes_the_same(whole: Path, tmp_path: Path) -> None:
    words = ["data", "run", *PIPELINES, "--rows", "600", "--out", str(tmp_path / "out"), "--engine", "ray", "--json"]
    subprocess.run([sys.executable, "-m", "phiforge.cli.main", *words], check=True, stdout=subprocess.DEVNULL)
    assert files(tmp_path / "out") == files(whole)


def test_a_question_of_an_earlier_batch_is_drawn_anew(tmp_path: Path) -> None:
    """Level 1 of the chains has few questions: over several batches some come twice."""
    make = Make(["arithmetic.chains"], rows=1500, level=1)
    execute(plan(Config(str(tmp_path), [make], workers=2)))
    rows = list(read_parquet(tmp_path / "data/arithmetic.chains/train-00000.parquet", Example))
    assert len({question(row.problem) for row in rows}) == len(rows) == 1500


def test_another_plan_does_not_go_into_the_same_folder(whole: Path) -> None:
    with pytest.raises(ValueError, match="holds another run"):
        execute(plan(config(whole, rows=601)))


def test_two_runs_do_not_fill_one_folder(tmp_path: Path) -> None:
    with Place(str(tmp_path)).held(), pytest.raises(ValueError, match="another run is filling"):
        execute(plan(config(tmp_path)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('out = "x"\n[[make]]\npipelines = ["arithmetic.chain"]', "arithmetic.chain.*did you mean arithmetic.chains"),
        ('out = "x"\n[[make]]\npipelines = ["nothing.*"]', "nothing"),
        ('out = "x"\n[[make]]\npipelines = ["arithmetic.chains"]\nrow = 3', "row"),
        ('out = "x"\n[[make]]\npipelines = ["arithmetic.chains"]\nrows = 0', "rows = 0"),
        ('out = "x"\n[[make]]\npipelines = ["arithmetic.chains"]\nlevel = 9', "level = 9"),
        ('out = "x"\n[[make]]\npipelines = ["arithmetic.chains"]\nlength = "huge"', "huge"),
        ('out = "x"\nengine = "spark"\n[[make]]\npipelines = ["arithmetic.chains"]', "spark"),
        (
            'out = "x"\n[[make]]\npipelines = ["arithmetic.chains", "arithmetic"]\n[[make]]\npipelines = ["all"]',
            "twice",
        ),
        ("out = ", "config.toml"),
        ('out = "x"\nmake = []', "nothing to make"),
    ],
)
def test_a_bad_config_says_so_before_any_work(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        plan(read_config(file))
    assert not (tmp_path / "x").exists()


def test_the_command_line_runs_shows_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "run", "arithmetic.chains", "-n", "50", "-o", str(tmp_path / "a"), "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["pipelines"][0]["kept"] == 50
    assert main(["data", "show", "arithmetic.chains", "-n", "1", "--length", "long", "--level", "3"]) == 0
    assert "<think>" in capsys.readouterr().out
    assert main(["data", "list", "longcontext", "--json"]) == 0
    assert [each["name"] for each in msgspec.json.decode(capsys.readouterr().out)] == [
        "longcontext.aggregation",
        "longcontext.retrieval",
    ]
    assert main(["data", "run", "arithmetic.chains"]) == 2
    assert "--out" in capsys.readouterr().err
