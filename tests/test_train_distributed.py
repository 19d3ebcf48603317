"""Two processes under `torchrun`, on the CPU by gloo, train what one process trains."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

from phiforge.cli.main import main
from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import new_adapter
from phiforge.model.phi3 import Phi3
from phiforge.train import distributed, sft
from phiforge.train.batches import Batch, Document
from phiforge.train.loop import Diverged, Interrupted, Step, train
from phiforge.train.lora import attach, detach
from phiforge.train.optim import Optimizer
from phiforge.train.precision import converted
from phiforge.train.run_folder import RunFolder

TIED = shrink(PRESETS["phi-4-mini-instruct"], vocab_size=97)
CONFIGS = {"tied": TIED, "untied": replace(TIED, tied_embeddings=False)}
CASES = (
    "tied",
    "untied",
    "tied muon",
    "untied muon",
    "tied lora",
    "untied lora muon",
    "tied lora dora",
    "tied bfloat16 recompute",
    "tied bfloat16 narrow",
)


def documents(n: int, seed: int = 0) -> list[Document]:
    rng = Random(seed)
    return [Document([rng.randrange(97) for _ in range(k)], [1.0] * k) for k in (rng.randint(2, 30) for _ in range(n))]


def run(case: str, folder: Path, stop_after: int = 0) -> dict[str, Tensor]:
    """The trained weights of a small run: three micro-batches a step, so that one process of two has one too few. Stopped by
    a signal to its first process after so many steps, if any."""
    words = case.split()
    model = Phi3(CONFIGS[words[0]]).init_weights(torch.Generator().manual_seed(0))
    if "narrow" in words:
        converted(model, torch.bfloat16)
    adapter = None
    if "lora" in words:
        adapter = new_adapter(model.config, 4, generator=torch.Generator().manual_seed(1))
        attach(model, adapter, dora="dora" in words)
    stage = sft.stage(documents(80), tokens=80, epochs=2, accumulate=3, held_out=documents(5, 9), held_out_every=4)

    def press(step: Step) -> None:
        if step.step == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    def spoilt(loss: Any, model: Phi3, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        value, more = loss(model, batch)
        return value * (float("nan") if batch.tokens.equal(stage.batches(4)[1].tokens) else 1.0), more

    if "diverges" in words:  # in one micro-batch, so in one process, of step 5
        stage = dataclasses.replace(stage, loss=partial(spoilt, stage.loss))
    with contextlib.suppress(Interrupted, Diverged):
        train(
            model, stage, Optimizer(lr=3e-3, muon="muon" in words), folder, progress=press,
            precision="bfloat16" if "bfloat16" in words else "float32", recompute="recompute" in words,
        )  # fmt: skip
    assert not model.training or stop_after or "diverges" in words
    if adapter:
        learnt = detach(model, adapter)
        return {f"{name}.{k}": getattr(update, k) for name, update in learnt.updates.items() for k in ("a", "b")}
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def torchrun(*words: str, processes: int = 2, **how: Any) -> subprocess.Popen[str]:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    here = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [*launch, *words], env=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how
    )


@contextlib.contextmanager
def by_several(*runs: tuple[str, Path, int], processes: int = 2) -> Iterator[None]:
    """Carry out runs one after the other, in the same processes, meanwhile; they are done at the end."""
    asked = json.dumps([(case, str(folder), stop) for case, folder, stop in runs])
    process = torchrun(__file__, asked, processes=processes)
    try:
        yield
        told, _ = process.communicate(timeout=300)
    finally:
        process.terminate()  # torchrun ends those that it has started
    assert process.returncode == 0, told


def weights(folder: Path) -> dict[str, Tensor]:
    return torch.load(folder / "weights.pt", weights_only=True)


def assert_same_run(one: Path, other: Path, tolerance: float = 1e-5) -> None:
    """The same steps, with the same losses, to the same weights."""
    ours, theirs = RunFolder(one).metrics(), RunFolder(other).metrics()
    assert [row["step"] for row in ours] == [row["step"] for row in theirs] == list(range(1, 1 + len(ours)))
    assert ours[-1]["loss"] < ours[0]["loss"]
    for a, b in zip(ours, theirs, strict=True):
        assert a["tokens"] == b["tokens"]
        for key in {"loss", "held_out"} & a.keys():
            assert a[key] == pytest.approx(b[key], abs=tolerance), (a["step"], key)
        assert a["norm"] == pytest.approx(b["norm"], rel=100 * tolerance), a["step"]


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    _compared(tmp_path, "tied", "tied lora")


@pytest.mark.slow
def test_two_processes_train_what_one_does_in_all_cases(tmp_path: Path) -> None:
    _compared(tmp_path, *CASES)


@pytest.mark.slow
def test_what_diverges_in_one_process_stops_all(tmp_path: Path) -> None:
    with by_several(("tied diverges", tmp_path / "two", 0)):
        one = run("tied diverges", tmp_path / "one")
    assert_same_run(tmp_path / "one", tmp_path / "two")
    two = weights(tmp_path / "two")
    for name, weight in one.items():  # those of the step before
        torch.testing.assert_close(weight, two[name], atol=1e-4, rtol=0)
    kept = [torch.load(tmp_path / each / "diverged-5.pt", weights_only=False) for each in ("one", "two")]
    assert [len(each) for each in kept] == [3, 3]  # what all processes had of the step
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(*kept, strict=True))


@pytest.mark.slow
def test_three_processes_and_one_step_for_each(tmp_path: Path) -> None:
    _compared(tmp_path, "tied", "tied muon", processes=3)


def _compared(folder: Path, *cases: str, processes: int = 2) -> None:
    with by_several(*((case, folder / f"{case}-many", 0) for case in cases), processes=processes):
        alone = {case: run(case, folder / case) for case in cases}
    for case, one in alone.items():
        rough = 200 if "bfloat16" in case else 1  # sums in another order round a weight to another bf16 now and then
        assert_same_run(folder / case, folder / f"{case}-many", 1e-5 * rough)
        two = weights(folder / f"{case}-many")
        assert one.keys() == two.keys()
        near = (
            0.05 if "narrow" in case else 1e-4 * min(rough, 100)
        )  # each process rounds its parts by chances of its own
        for name, weight in one.items():
            torch.testing.assert_close(weight, two[name], atol=near, rtol=0, msg=lambda m, n=name: f"{n}: {m}")
            assert abs((weight.float() - two[name].float()).mean()) < near / 10, name


@pytest.mark.slow
@pytest.mark.parametrize("case", ["tied", "untied muon", "tied lora"])
def test_another_number_of_processes_goes_on(tmp_path: Path, case: str) -> None:
    run(case, tmp_path / "one-two", stop_after=6)
    with by_several((case, tmp_path / "one-two", 0), (case, tmp_path / "two-one", 6)):
        run(case, tmp_path / "whole")
    run(case, tmp_path / "two-one")
    for cut in ("one-two", "two-one"):
        assert_same_run(tmp_path / "whole", tmp_path / cut)


# --- whole recipes ----------------------------------------------------------------------------------------------------

START = """
out = "{out}"
dtype = "float32"

[start]
depth = 1
context = 160

[tokenizer]
size = 300
data = ["problems"]

[data.problems]
pipelines = ["words.calendars"]
rows = 60
level = 1
length = "short"
"""
PRETRAIN = """
[[stage]]
kind = "pretrain"
data = ["problems"]
epochs = {epochs}
batch = 1024
micro = 512
length = 96
precision = "float32"
optimizer = {{lr = 4e-3}}
"""
GRPO = """
[[stage]]
kind = "grpo"
data = ["problems"]
steps = 4
precision = "float32"
reward = "{reward}"
micro = 300
settings = {{prompts = 3, group = 4, longest = 12, beta = 0.01, tied_to = "start"}}
optimizer = {{lr = 1e-3, schedule = "constant"}}

[[stage]]
kind = "grpo"
name = "ahead"
data = ["problems"]
steps = 6
precision = "float32"
reward = "{reward}"
micro = 300
lora = {{rank = 4, dora = true}}
settings = {{prompts = 3, group = 4, longest = 12, ahead = 2, passes = 2, staleness = 3, beta = 0.01}}
optimizer = {{lr = 1e-3, schedule = "constant"}}
"""
TRAIN = ("-m", "phiforge.cli.main", "train")


@pytest.mark.slow
def test_a_recipe_under_torchrun_comes_to_what_it_does_alone(tmp_path: Path) -> None:
    """Data made and measured by the first process, groups sampled by both: the network learns the same."""
    reward = tmp_path / "reward.py"
    reward.write_text("def reward(rollout):\n    return len(rollout.text) % 7 / 7\n")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text((START + PRETRAIN + GRPO).format(out=tmp_path / "alone", epochs=2, reward=reward))
    process = torchrun(*TRAIN, str(recipe), "--out", str(tmp_path / "two"))
    assert main(["train", str(recipe), "--json"]) == 0
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert told.count("report: ") == 1
    for stage in ("1-pretrain", "2-grpo", "3-ahead"):
        one, two = (RunFolder(tmp_path / name / stage).metrics() for name in ("alone", "two"))
        assert len(one) >= 4
        for a, b in zip(one, two, strict=True):
            assert a.keys() == b.keys()
            assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
            assert a["tokens"] == b["tokens"]
    for stage, steps in (("2-grpo", 4), ("3-ahead", 6)):
        one, two = ((tmp_path / name / stage / "groups.jsonl").read_text() for name in ("alone", "two"))
        assert one == two
        assert one.count('"taught"') > steps


@pytest.mark.slow
def test_what_stops_the_first_process_stops_all(tmp_path: Path) -> None:
    """It alone looks into the folder, while the others wait for it."""
    recipe = tmp_path / "recipe.toml"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text('{"recipe": {}}')
    recipe.write_text((START + PRETRAIN).format(out=tmp_path / "run", epochs=1))
    told, _ = (process := torchrun(*TRAIN, str(recipe))).communicate(timeout=60)
    assert process.returncode != 0
    assert told.count("holds a run of another recipe") == 1


@pytest.mark.slow
def test_ctrl_c_in_torchrun_saves_and_hangs_nowhere(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text((START + PRETRAIN).format(out=tmp_path / "run", epochs=12))
    log = tmp_path / "run/1-pretrain/metrics.jsonl"
    process = torchrun(*TRAIN, str(recipe), start_new_session=True)
    while not log.exists() or log.read_bytes().count(b"\n") < 3:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does; torchrun passes it on once more
    told, _ = process.communicate(timeout=25)  # torchrun kills what still runs after 30 s
    saved = RunFolder(log.parent).checkpoints()
    assert [int(path.name) for path in saved] == [len(RunFolder(log.parent).metrics())]
    assert f"stopped after step {int(saved[0].name)} of" in told

    process = torchrun(*TRAIN, str(recipe))
    while int(RunFolder(log.parent).metrics()[-1]["step"]) < int(saved[0].name) + 2:
        assert process.poll() is None
        time.sleep(0.05)
    (children,) = Path(f"/proc/{process.pid}/task/{process.pid}").glob("children")
    os.kill(int(children.read_text().split()[-1]), signal.SIGTERM)  # one process is told, and all stop
    told, _ = process.communicate(timeout=60)
    assert "exitcode  : 130" in told
    assert main(["train", str(recipe), "--json"]) == 0  # alone, to the end
    assert (log.parent / "model/config.json").exists()


def _worker(asked: str) -> None:
    with distributed.joined():
        for case, folder, stop in json.loads(asked):
            found = run(case, Path(folder), stop)
            if distributed.rank() == 0:
                torch.save(found, Path(folder) / "weights.pt")


if __name__ == "__main__":
    _worker(sys.argv[1])
    distributed.leave(0)
