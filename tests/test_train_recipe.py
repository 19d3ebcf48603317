"""`phiforge train`: a recipe's stages, from data to models, checked first, measured, and gone on with after a stop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from small_recipe import GROUPS, PAIRS, TEMPLATE

from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.main import main
from phiforge.cli.train import Line
from phiforge.model import checkpoint
from phiforge.model.lora import merge
from phiforge.model.peft import load_adapter
from phiforge.train import loop
from phiforge.train import run as runs
from phiforge.train.loop import Step
from phiforge.train.lora import attach, detach
from phiforge.train.recipe_file import read_recipe


def test_a_recipe_makes_a_model(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(recipe()), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert (result["documents"], result["too_long"]) == (27, 1)
    logged = [msgspec.json.decode(line) for line in (tmp_path / "out/1-sft/metrics.jsonl").read_bytes().splitlines()]
    assert len(logged) == result["steps"]
    assert logged[-1]["loss"] < logged[0]["loss"]
    assert logged[-1]["held_out"] == pytest.approx(result["after"]["held_out"]) != result["before"]["held_out"]
    before, after = (checkpoint.load(folder, dtype=torch.float32) for folder in (tmp_path / "base", result["model"]))
    assert not torch.equal(before.lm_head.weight, after.lm_head.weight)
    assert Tokenizer.from_folder(result["model"]).chat_template == TEMPLATE
    assert not (tmp_path / "out/1-sft/checkpoints").exists()
    assert main(["train", str(recipe()), "--json"]) == 0  # what is done is not done again
    assert msgspec.json.decode(capsys.readouterr().out) == [result]
    assert main(["train", str(recipe(epochs=2)), "--json"]) == 1
    assert "holds a run of another recipe" in capsys.readouterr().err


def test_a_finished_run_goes_on_with_more_stages(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recipe()
    assert main(["train", str(file), "--json"]) == 0
    (first,) = msgspec.json.decode(capsys.readouterr().out)
    keys = msgspec.toml.decode(file.read_bytes())
    (tmp_path / "more.txt").write_text("All that is written here counts. " * 30)
    keys["data"]["more"] = {"path": str(tmp_path / "more.txt")}
    keys["stage"].append(keys["stage"][0] | {"name": "again", "data": ["more", "rows"], "held_out": 0.0})
    file.write_bytes(msgspec.toml.encode(keys))
    assert main(["train", str(file), "--json"]) == 0
    one, two = msgspec.json.decode(capsys.readouterr().out)
    assert (one, two["stage"]) == (first, "again")
    assert two["documents"] > first["documents"]  # pieces of the text, too
    assert main(["train", str(recipe()), "--json"]) == 1  # which has one stage only
    assert "holds a run of another recipe" in capsys.readouterr().err


def test_an_adapter_is_learnt_and_the_network_stays(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(recipe(lora={"rank": 4})), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert result["model"] == str(tmp_path / "out/1-sft/adapter")
    base = checkpoint.load(tmp_path / "base", dtype=torch.float32)
    adapter = load_adapter(result["model"], base.config)
    assert all(update.b.any() for update in adapter.updates.values())
    tokens = torch.tensor([[1, 5, 9, 12]])
    plain = base(tokens)
    attached = attach(base, adapter)(tokens)
    detach(base, adapter)
    torch.testing.assert_close(base(tokens), plain)
    merge(base, adapter)
    torch.testing.assert_close(base(tokens), attached, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(attached, plain, atol=1e-3)


@pytest.mark.parametrize("lora", [None, {"rank": 4}])
def test_weights_of_bf16_learn_the_same_in_less_memory(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], lora: dict[str, int] | None
) -> None:
    fall, memory = dict[str, float](), dict[str, float]()
    for weights in ("float32", "bfloat16"):
        file = str(recipe(weights=weights, lora=lora))
        assert main(["train", file, "--plan", "--gpus", "1", "--json"]) == 0
        (planned,) = msgspec.json.decode(capsys.readouterr().out)
        assert main(["train", file, "--json"]) == 0
        (result,) = msgspec.json.decode(capsys.readouterr().out)
        fall[weights] = result["before"]["held_out"] - result["after"]["held_out"]
        memory[weights] = planned["memory"]
        shutil.rmtree(tmp_path / "out")
    assert fall["float32"] > 5  # from 11
    assert fall["bfloat16"] == pytest.approx(fall["float32"], rel=0.1)
    network = checkpoint.load(tmp_path / "base")
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert memory["float32"] - memory["bfloat16"] == (2 if lora else 8) * weights


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "sleep"}, "stage 1: kind = 'sleep': there are pretrain, midtrain, sft, distil, dpo, grpo"),
        ({"weights": "fp8"}, "'fp8' - at `$.stage[0].weights`: there are bfloat16, float32"),
        (
            {"optimizer": {"schedule": "step"}},
            "'step' - at `$.stage[0].optimizer.schedule`: there are constant, cosine, linear, wsd",
        ),
        ({"learning_rate": 3}, "unknown field `learning_rate`"),
        ({"epochs": 0}, "Expected `float` > 0.0 - at `$.stage[0].epochs`"),
        ({"held_out": 1}, "< 1.0 - at `$.stage[0].held_out`"),
        ({"prompt": 1.5}, "Expected `float` <= 1.0 - at `$.stage[0].prompt`"),
        ({"optimizer": {"lr": -1e-3}}, "Expected `float` > 0.0 - at `$.stage[0].optimizer.lr`"),
        ({"optimizer": {"warmup": 2.0}}, "Expected `float` <= 1.0 - at `$.stage[0].optimizer.warmup`"),
        ({"lora": {"rank": 0}}, "Expected `int` >= 1 - at `$.stage[0].lora.rank`"),
        ({"lora": {"modules": ["nothing"]}}, "stage 'sft': no linear layer is called 'nothing'"),
        ({"length": 4000}, "length = 4000 must be at least 2 and at most `micro`"),
        ({"batch": 64}, "batch = 64 must be a multiple of micro = 128"),
        ({"batch": 200}, "batch = 200 must be a multiple of micro = 128"),
        ({"tokens": 9}, "tokens = 9 must be left out: `data` is gone through `epochs` times"),
        (
            {"data": [], "mix": {"rows": 1.0}, "tokens": 9},
            "epochs = 4.0 must be left out: `mix` has shares of `tokens`",
        ),
        (
            {"weights": "bfloat16", "optimizer": {"muon": True}},
            'weights = "bfloat16" must be "float32": Muon moves no others',
        ),
        (PAIRS | {"pairs": "judged"}, "stage 'dpo': judge = \"\" must be a model or an endpoint"),
        (PAIRS | {"pairs": "judged", "judge": "nobody"}, "stage 'dpo': "),
        (PAIRS | {"pairs": "judged", "judged": {"by": "length"}}, "Invalid enum value 'length'"),
        (GROUPS | {"reward": "money"}, "stage 'grpo': no reward is called 'money'"),
        (GROUPS | {"reward": "nowhere.py"}, "stage 'grpo': nowhere.py: there is no such file with a reward"),
        ({"kind": "distil", "teacher": "nobody"}, "stage 'distil': "),
        ({"recall": ["others"]}, "stage 'sft': recall = [\"others\"] must be some of what the stage learns from"),
        ({"recall": ["rows"]}, "stage 'sft': teacher = \"\" must be a model if there is `recall`, else left out"),
        ({"teacher": "nobody"}, "stage 'sft': teacher = \"nobody\" must be a model if there is"),
        ({"recall": ["rows"], "teacher": "nobody"}, "stage 'sft': "),
        ({"recall": ["rows"], "teacher": "http://localhost:1#x"}, "stage 'sft': "),
        ({"start": {"preset": "phi-nano-4m"}}, "a network from scratch needs a [tokenizer]"),
        ({"data": ["nowhere"]}, "stage 'sft': there is no [data.nowhere]; there are rows"),
        ({"mix": {"rows": 1.0}}, "given, or else `data`, not both"),
        ({"data": [], "mix": {"rows": 0.5}, "tokens": 9}, "shares that add up to 1"),
        ({"start": {"model": "nobody"}}, "nobody"),
        ({"start": {"depth": 2}}, "a network from scratch needs a [tokenizer]"),
        (
            {"start": {"depth": 2}, "tokenizer": {"size": 100, "data": ["rows"]}},
            "Expected `int` >= 272 - at `$.tokenizer.size`",
        ),
        ({"start": {}}, "[start] needs one of model, depth and preset"),
        ({"sources": {"rows": {"path": "nowhere"}}}, "nowhere: no such file"),
        ({"sources": {"rows": {"tokens": 5}}}, "can only be planned"),
        ({"length": 5}, "none of 30 rows of rows has at most 5 tokens"),
    ],
)
def test_a_recipe_is_checked_before_any_work(
    recipe: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    said: str,
) -> None:
    assert main(["train", str(recipe(**changes)), "--json"]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out/1-sft/metrics.jsonl").exists()


def test_another_spike_is_no_other_recipe(recipe: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    """So that a run that a hard batch has stopped goes on."""
    assert main(["train", str(recipe()), "--json"]) == 0
    made = capsys.readouterr().out
    assert main(["train", str(recipe(spike=20)), "--json"]) == 0
    assert capsys.readouterr().out == made
    assert main(["train", str(recipe(spike=20, batch=256)), "--json"]) == 1
    assert "holds a run of another recipe" in capsys.readouterr().err


# --- from nothing to a model that solves ---------------------------------------------------------------------------------


def test_a_killed_recipe_goes_on_with_the_stage_it_was_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, tokenizer, pretraining and SFT from scratch; Ctrl-C in the second stage changes nothing in the end."""
    file = tmp_path / "recipe.toml"
    common = 'held_out = 0.1\nbatch = 512\nmicro = 512\nlength = 128\nprecision = "float32"\noptimizer = {lr = 2e-3}\n'
    file.write_text(
        f'out = "{tmp_path}/OUT"\ndtype = "float32"\n[start]\ndepth = 1\ncontext = 256\n'
        '[tokenizer]\nsize = 400\ndata = ["sums"]\n'
        '[data.sums]\npipelines = ["arithmetic.chains"]\nrows = 60\nlevel = 1\n'
        '[data.test]\npipelines = ["arithmetic.chains"]\nrows = 20\nlevel = 1\nseed = 9\n'
        '[measure]\ndata = "test"\nproblems = 5\nlongest = 20\n'
        f'[[stage]]\nkind = "pretrain"\nmix = {{sums = 1.0}}\ntokens = 4000\n{common}'
        f'[[stage]]\nkind = "sft"\ndata = ["sums"]\n{common}'
    )
    monkeypatch.setattr(loop, "matrix_speed", lambda *_: 1e10)

    def recipe_in(name: str) -> Any:
        file.write_text(file.read_text().replace("OUT", name))
        return read_recipe(file)

    whole = runs.run(msgspec.structs.replace(recipe_in("OUT"), out=str(tmp_path / "whole")))
    assert [result.stage for result in whole] == ["pretrain", "sft"]
    assert whole[0].after.held_out is not None
    assert whole[0].after.held_out < (whole[0].before.held_out or 0)
    assert whole[0].ledger[0].name == "sums"
    score = whole[1].after.score
    assert score is not None
    assert score.n == 5

    broken = msgspec.structs.replace(read_recipe(file), out=str(tmp_path / "broken"))

    def stop(what: str, step: Any) -> None:
        if step is not None and "sft" in what and step.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.run(broken, stop)
    again = runs.run(broken)
    assert again[0].model != whole[0].model
    for one, other in zip(whole, again, strict=True):
        a, b = (checkpoint.load(each.model, dtype=torch.float32) for each in (one, other))
        assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
        assert one.after == other.after


@pytest.mark.parametrize("live", [False, True])
def test_a_line_tells_where_training_stands(
    live: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: live)
    line = Line()
    line("1/2 sft: reading", None)
    for n in (1, 2, 3):
        line("1/2 sft", Step(n, 3, loss=0.5, lr=1e-3, norm=1.0, tokens=1000, seconds=40.0 / n, utilisation=0.25))
    line("2/2 dpo: 4 from 9 problems", None)
    told = [
        f"1/2 sft: step {n} of 3  loss 0.500  {25 * n} tokens/s  25% of this machine's matrix speed  {left} left"
        for n, left in ((1, "1 min 20 s"), (2, "38 s"), (3, "0 s"))
    ]
    begins, ends = "1/2 sft: reading", "2/2 dpo: 4 from 9 problems"
    shown = [f"\n\r\033[K{begins}", *(f"\r\033[K{each}" for each in told), f"\n\r\033[K{ends}"]
    assert capsys.readouterr().err == ("".join(shown) if live else f"{begins}\n{told[-1]}\n{ends}\n")
