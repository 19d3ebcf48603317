"""`phiforge train`: a recipe's stages, from data to models, checked first, measured, and gone on with after a stop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from endpoint import Server, delta, sends, usage
from msgspec.structs import replace
from test_export import small_tokenizer
from torch.nn.functional import kl_div

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.main import main
from phiforge.cli.train import Line
from phiforge.data import mixture
from phiforge.model import checkpoint
from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import merge
from phiforge.model.peft import load_adapter
from phiforge.records import Example, Message, Problem, Provenance, write_jsonl
from phiforge.train import loop
from phiforge.train import run as runs
from phiforge.train.loop import Step
from phiforge.train.lora import attach, detach
from phiforge.train.recipe import AnyStage
from phiforge.train.recipe_file import read_recipe
from phiforge.train.sft import document
from phiforge.train.work import Works

TEMPLATE = (
    "{% for m in messages %}<bos>{{ m.role }} {{ m.content }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<bos>assistant {% endif %}"
)


OTHER_KEYS = dict.fromkeys(("epochs", "held_out", "every", "length", "batch"))  # that these kinds of stage don't have
PAIRS, GROUPS = {"kind": "dpo"} | OTHER_KEYS | {"micro": 2048}, {"kind": "grpo"} | OTHER_KEYS | {"steps": 1}


def rows(n: int) -> list[Example]:
    """One of them long."""
    return [
        Example(
            Problem(str(i), [Message("user", f"say {i} {'and wait ' * (i == 7) * 100}")], str(i), "math"),
            Message("assistant", f"hello {i}"),
            Provenance("test"),
        )
        for i in range(n)
    ]


@pytest.fixture
def recipe(tmp_path: Path, network: Callable[..., Any]) -> Callable[..., Path]:
    """recipe(**changes): the path of a recipe of one SFT stage over thirty rows and a random network."""
    small = small_tokenizer()
    Tokenizer(small.core, bos_id=1, eos_ids=[2], pad_id=0, chat_template=TEMPLATE).save(tmp_path / "base")
    checkpoint.save(network(shrink(PRESETS["phi-4-mini-instruct"])), tmp_path / "base")
    write_jsonl(tmp_path / "rows.jsonl", rows(30))

    def write(**changes: object) -> Path:
        stage: dict[str, object] = {
            "kind": "sft", "data": ["rows"], "batch": 128, "micro": 128, "length": 100, "epochs": 4, "held_out": 0.1,
            "every": 5, "optimizer": {"lr": 1e-3}, "precision": "float32",
        }  # fmt: skip
        keys: dict[str, object] = {
            "out": str(tmp_path / "out"), "dtype": "float32", "start": {"model": str(tmp_path / "base")},
            "data": {"rows": {"path": str(tmp_path / "rows.jsonl")}},
        }  # fmt: skip
        top = {"start": "start", "tokenizer": "tokenizer", "sources": "data"}
        stage |= {key: value for key, value in changes.items() if key not in top}
        keys["stage"] = [{key: value for key, value in stage.items() if value is not None}]
        keys |= {key: changes[name] for name, key in top.items() if name in changes}
        file = tmp_path / "recipe.toml"
        file.write_bytes(msgspec.toml.encode(keys))
        return file

    return write


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


def test_prompts_are_learnt_as_far_as_asked_for(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    firsts, befores = list[float](), list[float]()
    for prompt in (0.0, 0.5, 1.0):
        file = recipe(prompt=prompt, epochs=1, batch=2048, micro=2048)  # one step, of all rows
        assert main(["train", str(file), "--json"]) == 0
        (result,) = msgspec.json.decode(capsys.readouterr().out)
        (step,) = (tmp_path / "out/1-sft/metrics.jsonl").read_bytes().splitlines()
        firsts.append(msgspec.json.decode(step)["loss"])
        befores.append(result["before"]["held_out"])
        shutil.rmtree(tmp_path / "out")
    assert befores[0] == befores[1] == befores[2]  # what is kept aside is measured on its answers
    assert firsts[0] != pytest.approx(firsts[2], rel=1e-4)
    assert min(firsts[::2]) < firsts[1] < max(firsts[::2])


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


# --- what stages learn from ----------------------------------------------------------------------------------------------


def test_chats_are_mixed_by_shares_of_tokens(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "others.jsonl", rows(7))
    sources = {name: {"path": str(tmp_path / f"{name}.jsonl")} for name in ("rows", "others")}
    mix: dict[str, object] = {"mix": {"rows": 0.75, "others": 0.25}, "data": [], "tokens": 2000, "epochs": 1}
    assert main(["train", str(recipe(sources=sources, **mix)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert [entry["name"] for entry in result["ledger"]] == ["rows", "others"]
    assert [entry["tokens"] for entry in result["ledger"]] == [1500, 500]
    assert result["tokens"] == pytest.approx(2000, rel=0.05)
    assert main(["train", str(recipe(sources=sources, **mix | {"kind": "distil"}))]) == 1
    assert "a distil stage goes through its `data`" in capsys.readouterr().err


@pytest.mark.parametrize("how", [{"data": [], "mix": {"rows": 1.0}, "tokens": 300, "epochs": 1}, {"epochs": 0.5}])
def test_stages_that_read_a_part_of_a_source_read_different_parts(
    recipe: Callable[..., Path], tmp_path: Path, how: dict[str, object]
) -> None:
    stage = read_recipe(recipe(**how)).stage[0]
    base = tmp_path / "base"
    format, model = ChatFormat.for_tokenizer(Tokenizer.from_folder(base), str(base)), checkpoint.load(base)

    def read(stage: AnyStage, seed: int = 0) -> list[list[int]]:
        works = Works(str(base), {"rows": str(tmp_path / "rows.jsonl")}, format, seed, lambda *_: None)
        work, _ = works.work(stage, model, [], tmp_path)
        return [batch.tokens.tolist() for step in range(work.steps) for batch in work.batches(step)]

    again = replace(stage, name="again")
    assert read(stage) == read(stage)
    assert set(map(str, read(stage))).isdisjoint(map(str, read(again)))
    assert read(again) != read(again, seed=1)


def test_problems_of_an_environment_are_selected_and_learnt_in_groups(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("reasoning_gym")
    changes = GROUPS | {
        "steps": 2, "data": ["sums"], "sources": {"sums": {"environment": "reasoning_gym:basic_arithmetic", "rows": 12}},
        "settings": {"prompts": 4, "group": 2, "longest": 8}, "select": {"rounds": 1, "spread": 10.0},
    }  # fmt: skip
    assert main(["train", str(recipe(**changes)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert (result["steps"], result["documents"]) == (2, 12)
    folder = tmp_path / "out/1-grpo"
    assert len((folder / "selection.jsonl").read_bytes().splitlines()) == 12
    assert len((folder / "groups.jsonl").read_bytes().splitlines()) == 2 * 4


@pytest.mark.parametrize(
    "how", [{"kind": "distil", "learn": "chances", "share": 1.0}, {"recall": ["rows"], "held_out": 0.0}]
)
def test_a_student_learns_its_teacher_s_chances(
    recipe: Callable[..., Path],
    tmp_path: Path,
    network: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    how: dict[str, object],
) -> None:
    base, student = tmp_path / "base", tmp_path / "student"
    Tokenizer.from_folder(base).save(student)
    checkpoint.save(network(shrink(PRESETS["phi-4-mini-instruct"]), seed=1), student)
    changes = how | {"teacher": str(base), "start": {"model": str(student)}, "optimizer": {"lr": 2e-2}}
    assert main(["train", str(recipe(**changes)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    read = document(ChatFormat.for_tokenizer(Tokenizer.from_folder(base), str(base)), rows(4)[3])
    tokens, learnt = torch.tensor([read.ids]), [weight > 0 for weight in read.weights[1:]]
    taught, before, after = (
        checkpoint.load(folder, dtype=torch.float32)(tokens)[0, :-1][learnt].log_softmax(-1)
        for folder in (base, student, result["model"])
    )
    apart = [kl_div(each, taught, log_target=True, reduction="batchmean") for each in (before, after)]
    assert apart[1] < 0.5 * apart[0]


def test_an_endpoint_teaches_what_is_right(
    recipe: Callable[..., Path], server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(handler: Any) -> None:
        n = int(server.asked[-1]["messages"][-1]["content"].split()[1])
        said = f"It is \\boxed{{{n if n % 3 else 100}}}."
        sends(delta(content=said), delta(finish="stop"), usage(9, 9))(handler)

    server.otherwise = act
    changes = {
        "kind": "distil",
        "teacher": f"{server.url}#larger",
        "sampled": {"n": 1, "at_once": 1},
        "epochs": 1,
        "held_out": 0.0,
    }
    assert main(["train", str(recipe(**changes)), "--json"]) == 0
    (result,) = msgspec.json.decode(capsys.readouterr().out)
    assert (len(server.asked), result["documents"] + result["too_long"]) == (30, 20)
    learnt = mixture.rows(str(tmp_path / "out/1-distil/made/examples.jsonl"))
    assert {row.response.text for row in learnt} == {f"It is \\boxed{{{n}}}." for n in range(30) if n % 3}


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
