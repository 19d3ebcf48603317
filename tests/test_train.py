"""Training: packing and optimiser against plain torch and transformers, and runs that end as if never stopped."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from msgspec.structs import replace
from torch import Tensor

from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import merge, new_adapter
from phiforge.model.peft import save_adapter
from phiforge.model.phi3 import Phi3
from phiforge.train import loop, pretrain, sft
from phiforge.train.batches import Batch, Document, hidden, plan, stream
from phiforge.train.loop import Diverged, Interrupted, Stage, Step, train
from phiforge.train.lora import attach, detach
from phiforge.train.optim import Optimizer, share
from phiforge.train.run_folder import RunFolder

# Without a padding id: transformers gives that token's embedding no gradient.
CONFIG = replace(shrink(PRESETS["phi-4-mini-instruct"], vocab_size=97), pad_id=None)


def network(seed: int = 0) -> Phi3:
    return Phi3(CONFIG).init_weights(torch.Generator().manual_seed(seed))


def documents(n: int, seed: int = 0, most: int = 30) -> list[Document]:
    rng = Random(seed)
    lengths = [rng.randint(2, most) for _ in range(n)]
    return [
        Document(
            [rng.randrange(97) for _ in range(k)], [1.0 if i == k - 1 else float(rng.random() < 0.7) for i in range(k)]
        )
        for k in lengths
    ]


# --- batches ----------------------------------------------------------------------------------------------------------


def test_packed_documents_do_not_see_each_other() -> None:
    model, some = network(), documents(5)
    packed = Batch.of(some)
    alone = torch.cat([hidden(model, Batch.of([each])) for each in some])
    torch.testing.assert_close(hidden(model, packed), alone, rtol=1e-5, atol=1e-5)
    assert packed.positions.tolist() == [i for each in some for i in range(len(each.ids) - 1)]


def test_a_plan_takes_every_document_as_often_as_asked() -> None:
    lengths = [Random(n).randint(2, 300) for n in range(2000)]
    batches = plan(lengths, 1024, 2.5, seed=3)
    counts = [0] * 2000
    for numbers in batches:
        assert sum(lengths[i] for i in numbers) <= 1024
        for i in numbers:
            counts[i] += 1
    assert set(counts) == {2, 3}
    assert sum(counts) == 5000
    assert sum(lengths[i] * n for i, n in enumerate(counts)) > 0.98 * 1024 * len(batches)
    assert batches == plan(lengths, 1024, 2.5, seed=3)
    assert batches != plan(lengths, 1024, 2.5, seed=4)
    with pytest.raises(ValueError, match="300 tokens does not fit a batch of 200"):
        plan([300], 200, 1, 0)


def test_a_stream_keeps_every_token() -> None:
    pieces = list(stream([range(10), range(7), range(1)], 4))
    assert [list(p.ids) for p in pieces] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1, 2, 3], [4, 5, 6]]


# --- schedules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "wsd"])
def test_a_schedule_warms_up_and_ends_at_its_floor(name: str) -> None:
    settings = Optimizer(schedule=name, warmup=0.1, floor=0.1)  # type: ignore[arg-type]
    rates = [share(settings, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert max(rates) == pytest.approx(1)
    assert rates[-1] == pytest.approx(1 if name == "constant" else 0.1)
    assert all(a >= b - 1e-12 for a, b in pairwise(rates[10:]))


# --- against transformers ---------------------------------------------------------------------------------------------


def test_fifty_steps_are_those_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from phiforge.model import checkpoint

    model = network()
    checkpoint.save(model, tmp_path / "start")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "start", dtype=torch.float32)
    ours = _compared(model, theirs, tmp_path / "run")
    assert ours[-1] < ours[0]


@pytest.mark.parametrize("rslora", [False, True])
def test_fifty_steps_of_an_adapter_are_those_of_peft(tmp_path: Path, rslora: bool) -> None:
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    from phiforge.model import checkpoint

    model = network()
    checkpoint.save(model, tmp_path / "start")
    adapter = new_adapter(CONFIG, 4, 8, rslora=rslora, generator=torch.Generator().manual_seed(1))
    save_adapter(adapter, tmp_path / "adapter", CONFIG)
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "start", dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(base, tmp_path / "adapter", is_trainable=True)
    attach(model, adapter)
    ours = _compared(model, theirs, tmp_path / "run")
    assert ours[-1] < ours[0]
    merge(model, detach(model, adapter))
    tokens = documents(1, most=30)[0].ids
    with torch.no_grad():
        mine = model.lm_head(hidden(model, Batch.of([Document([*tokens, 0], [1.0] * (len(tokens) + 1))])))
        torch.testing.assert_close(mine, theirs(torch.tensor([tokens])).logits[0], atol=1e-3, rtol=0)


def _compared(model: Phi3, theirs: Any, folder: Path, steps: int = 50) -> list[float]:
    """Train ours by the loop and theirs by torch alone, on the same batches. Returns the losses, which must agree."""
    stage = sft.stage(documents(100), tokens=60, epochs=6, accumulate=2)
    settings = Optimizer(lr=3e-3, warmup=0.1, schedule="linear", weight_decay=0.1)
    ours: list[float] = []
    cut = Stage(steps, stage.batches, stage.loss, stage.count, stage.tokens)
    train(model, cut, settings, folder, progress=lambda step: ours.append(step.loss))

    moving = [p for p in theirs.parameters() if p.requires_grad]
    decayed, plain = [p for p in moving if p.ndim > 1], [p for p in moving if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=3e-3, betas=(0.9, 0.95))
    for step in range(steps):
        batches = stage.batches(step)
        total, count = torch.zeros(()), sum(float(b.weights.sum()) for b in batches)
        for batch in batches:
            parts = (x.split(batch.lengths) for x in (batch.tokens, batch.labels, batch.weights))
            for tokens, labels, weights in zip(*parts, strict=True):
                logits = theirs(tokens[None]).logits[0]
                total = total + (weights * F.cross_entropy(logits, labels, reduction="none")).sum()
        loss = total / count
        loss.backward()
        torch.nn.utils.clip_grad_norm_(moving, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * share(settings, step, steps)
        optimizer.step()
        optimizer.zero_grad()
        assert abs(float(loss.detach()) - ours[step]) < 1e-4, step
    return ours


def test_what_fills_a_batch_up_is_not_learnt_from_nor_counted() -> None:
    model, some = network(), documents(5, most=20)
    plain, filled = Batch.of(some), Batch.of(some, 32)
    assert len(filled.tokens) % 32 == 0
    assert len(filled.tokens) == sum(filled.lengths) > len(plain.tokens)
    assert len(filled) == len(plain) == len(plain.tokens)
    (one, _), (other, _) = (sft.language_loss(model, batch) for batch in (plain, filled))
    torch.testing.assert_close(one, other, rtol=1e-6, atol=0)


# --- runs -------------------------------------------------------------------------------------------------------------


def run(folder: Path, stop_after: int | None = None, **how: object) -> Phi3:
    """A small run, given up after so many steps as a killed process would be."""

    def stop(step: Step) -> None:
        if step.step == stop_after:
            raise KeyError("killed")

    model = network()
    stage = sft.stage(documents(60), tokens=80, epochs=2, held_out=documents(5, 9), held_out_every=4)
    return train(
        model, stage, Optimizer(lr=1e-2, muon=bool(how.pop("muon", False))), folder, progress=stop, save_seconds=0.0
    )


def same(one: Phi3, other: Phi3) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("muon", [False, True])
def test_a_run_goes_on_exactly_where_it_was(tmp_path: Path, muon: bool) -> None:
    whole = run(tmp_path / "whole", muon=muon)
    for stop_after in (3, 4, 11):
        with pytest.raises(KeyError):
            run(tmp_path / "cut", stop_after, muon=muon)
    assert same(run(tmp_path / "cut", muon=muon), whole)
    assert not same(whole, network())
    rows = [RunFolder(tmp_path / name).metrics() for name in ("whole", "cut")]
    assert [r["loss"] for r in rows[0]] == [r["loss"] for r in rows[1]]
    assert [r["step"] for r in rows[1]] == list(range(1, len(rows[1]) + 1))
    assert "held_out" in rows[1][3]
    assert rows[1][-1]["held_out"] < rows[1][3]["held_out"] or muon


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves(tmp_path: Path, number: int) -> None:
    def press(step: Step) -> None:
        if step.step == 5:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    stage = sft.stage(documents(60), tokens=80)
    with pytest.raises(Interrupted, match="stopped after step 5 of"):
        train(network(), stage, Optimizer(), tmp_path, progress=press)
    assert [path.name for path in RunFolder(tmp_path).checkpoints()] == ["00000005"]
    assert signal.getsignal(number) is before


def test_a_loss_that_is_no_number_stops_and_keeps_its_batch(tmp_path: Path) -> None:
    stage = sft.stage(documents(60), tokens=80)

    def spoilt(model: Phi3, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        value, more = stage.loss(model, batch)
        return value * (float("nan") if batch.tokens.equal(stage.batches(3)[0].tokens) else 1.0), more

    model, before = network(), network()
    bad = Stage(stage.steps, stage.batches, spoilt, stage.count, stage.tokens)
    with pytest.raises(Diverged, match=r"step 4: the loss is nan .*diverged-4\.pt"):
        train(model, bad, Optimizer(), tmp_path)
    assert (tmp_path / "diverged-4.pt").exists()
    assert not same(model, before)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert RunFolder(tmp_path).checkpoints()[-1].name == "00000003"  # from where a mended run goes on
    mended = train(network(), stage, Optimizer(), tmp_path)
    assert same(mended, train(network(), stage, Optimizer(), tmp_path / "sound"))


def test_a_spike_stops(tmp_path: Path) -> None:
    stage = sft.stage(documents(200), tokens=80)

    def spoilt(model: Phi3, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        value, more = stage.loss(model, batch)
        return value * (50.0 if batch.tokens.equal(stage.batches(25)[0].tokens) else 1.0), more

    with pytest.raises(Diverged, match=r"step 26: the loss is .* in the last 25 steps"):
        train(network(), Stage(stage.steps, stage.batches, spoilt, stage.count, stage.tokens), Optimizer(), tmp_path)


def test_another_network_does_not_go_on_from_a_run(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        run(tmp_path, 3)
    other = Phi3(pretrain.nano(1, 97)).init_weights()
    with pytest.raises(ValueError, match="another network"):
        train(other, sft.stage(documents(60), tokens=80), Optimizer(), tmp_path)


_KILLED = """
import os, random, signal, sys, time
sys.path.insert(0, sys.argv[1])
from test_train import Path, run
folder, chance = Path(sys.argv[2]), random.Random(0)
log = folder / "metrics.jsonl"
for step in sorted(chance.sample(range(1, 22), int(sys.argv[3]))):
    child = os.fork()  # before torch has any thread
    if not child:
        run(folder)
        os._exit(0)
    while not log.exists() or log.read_bytes().count(b"\\n") < step:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "too late"
"""


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_kill_9_changes_nothing(tmp_path: Path, times: int) -> None:
    words = [sys.executable, "-c", _KILLED, str(Path(__file__).parent), str(tmp_path / "cut"), str(times)]
    process = subprocess.Popen(words)
    whole = run(tmp_path / "whole")
    assert process.wait(timeout=120) == 0
    assert len(RunFolder(tmp_path / "cut").metrics()) < len(RunFolder(tmp_path / "whole").metrics())
    assert same(run(tmp_path / "cut"), whole)


def test_operations_are_six_a_weight_that_is_learnt_and_four_of_another() -> None:
    model = network().requires_grad_(True)
    head = model.lm_head.weight.numel()
    tokens = 0 if model.config.tied_embeddings else model.embed_tokens.weight.numel()
    matrices = sum(each.numel() for each in model.parameters() if each.dim() == 2) - tokens
    assert loop.flops_a_token(model) == 6 * matrices
    adapter = new_adapter(model.config, 2, 4)
    attach(model, adapter)
    learnt = sum(each.numel() for each in model.parameters() if each.requires_grad)
    assert 0 < learnt < head
    assert loop.flops_a_token(model) == 4 * matrices + 6 * learnt


def test_the_nano_networks_grow_by_one_dial() -> None:
    sizes = [pretrain.nano(depth, 8192).parameter_count for depth in (2, 4, 8, 12)]
    assert sizes == sorted(sizes)
    assert 1e6 < sizes[0] < 2e6
    assert 80e6 < sizes[-1] < 125e6


def test_a_nano_network_learns_a_text(tmp_path: Path) -> None:
    model = Phi3(pretrain.nano(1, 97)).init_weights(torch.Generator().manual_seed(0))
    text = [(7 * i * i + 3 * i) % 97 for i in range(400)]
    stage = pretrain.stage([text], length=100, tokens=400, epochs=60)
    last: list[float] = []
    train(model, stage, Optimizer(lr=5e-3), tmp_path, progress=lambda step: last.append(step.loss))
    assert last[0] > 4
    assert last[-1] < 0.5


# --- trackers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "message"), [
    ("mlflow", "tracker = 'mlflow' is not known: trackio or wandb"),
    ("wandb", "tracker = 'wandb' is not installed: pip install wandb"),
])  # fmt: skip
def test_a_tracker_that_is_not_there_is_named(tmp_path: Path, name: Any, message: str) -> None:
    if name == "wandb" and importlib.util.find_spec(name):
        pytest.skip("it is installed")
    with pytest.raises(ValueError, match=message):
        train(network(), sft.stage(documents(20), tokens=80), Optimizer(), tmp_path, tracker=name)
    assert not RunFolder(tmp_path).metrics()


def test_a_run_is_tracked_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By trackio, in a database on this machine: every step once, also of a run that was stopped."""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "tracked"))
    pytest.importorskip("trackio")
    stage = sft.stage(documents(60), tokens=80, held_out=documents(5, 9), held_out_every=4)

    def press(step: Step) -> None:
        if step.step == 5:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train(network(), stage, Optimizer(), tmp_path / "run", progress=press, tracker="trackio")
    train(network(), stage, Optimizer(), tmp_path / "run", tracker="trackio")
    assert not capfd.readouterr().out
    with sqlite3.connect(tmp_path / "tracked/phiforge.db") as database:
        rows = database.execute("select run_name, step, metrics from metrics order by step").fetchall()
    logged = RunFolder(tmp_path / "run").metrics()
    assert [step for _, step, _ in rows] == [row["step"] for row in logged]
    assert {name for name, *_ in rows} == {f"{tmp_path.name}-run"}
    for (_, _, told), row in zip(rows, logged, strict=True):
        assert json.loads(told) == {key: value for key, value in row.items() if key != "step"}


def test_a_mixture_of_hard_and_easy_batches_is_no_spike(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.begin()
    last = [0.6] * 5 + [0.1] * 100  # the hard ones come rarely
    for hard in (0.7, 1.2):
        loop._sound(run, 105, [], hard, 1.0, last, loop.SPIKE)
    with pytest.raises(loop.Diverged, match=r"the loss is 3.000, after 0.100"):
        loop._sound(run, 30, [], 3.0, 1.0, last, loop.SPIKE)
    with pytest.raises(loop.Diverged, match=r"the loss is 3.200, after 1.000"):  # where batches are alike
        loop._sound(run, 30, [], 3.2, 1.0, [0.9, 1.0, 1.1] * 10, loop.SPIKE)
