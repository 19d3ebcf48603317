"""Forging: from a recipe, or problems of one's own, to a measured, quantised, described model; and on where it was stopped."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from small_recipe import TEMPLATE
from test_export import small_tokenizer
from test_model import shrink

from phiforge.chat.tokenizer import Tokenizer
from phiforge.cli.main import main
from phiforge.evals.log import read_items
from phiforge.forge import budget, own
from phiforge.forge import run as forging
from phiforge.forge.recipe import Forge, check_forge, read_forge
from phiforge.lm.local import LocalModel
from phiforge.model import checkpoint
from phiforge.model.config import PRESETS
from phiforge.records import Example, Message, read_jsonl
from phiforge.train.recipe import Dpo, Grpo, Pretrain, Sft

RECIPES = Path(__file__).parent.parent / "recipes/forge"


@pytest.fixture
def base(tmp_path: Path, network: Callable[..., Any]) -> Path:
    """A random network with a tokenizer, to be made better."""
    small = small_tokenizer()
    Tokenizer(small.core, bos_id=1, eos_ids=[2], pad_id=0, chat_template=TEMPLATE).save(tmp_path / "base")
    checkpoint.save(network(shrink(PRESETS["phi-4-mini-instruct"])), tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def recipe(base: Path, tmp_path: Path) -> Callable[..., Path]:
    """recipe(text, **replaced): the path of a small recipe; `replaced` are changed in its words."""

    def write(more: str = "", **replaced: str) -> Path:
        text = f"""
            name = "small"
            out = "{tmp_path}/out"
            dtype = "float32"
            [start]
            model = "{base}"
            [data.sums]
            pipelines = ["arithmetic.chains"]
            rows = 40
            level = 1
            length = "short"
            [data.test]
            pipelines = ["arithmetic.chains"]
            rows = 20
            level = 1
            length = "short"
            seed = 1
            [[stage]]
            kind = "sft"
            data = ["sums"]
            batch = 512
            micro = 512
            length = 400
            lora = {{rank = 4}}
            optimizer = {{lr = 1e-3}}
            precision = "float32"
            [[eval]]
            data = "test"
            learn = true
            limit = 6
            max_tokens = 8
            {more}
        """
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "recipe.toml"
        file.write_text(text)
        return file

    return write


def test_a_recipe_becomes_a_model_with_a_story(
    recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = '[[eval]]\ntask = "mmlu"\nlimit = 4\n[ship]\nquantise = "int8"\ngguf = "f32"\n'
    command = ["forge", str(recipe(more)), "--data", str(tmp_path / "nowhere"), "--json"]
    assert main(command) == 0
    story = msgspec.json.decode(capsys.readouterr().out)
    out = tmp_path / "out"
    (found,) = story["comparisons"].values()
    assert found["items"] == 6
    assert "no data" in story["left_out"]["mmlu"]
    assert story["curated"]["sums"]["read"] == 40
    learnt = {row.problem.messages[-1].text for row in forging.mixture.rows(str(out / "curated/sums"))}
    asked = {item.prompt.rpartition("\n")[2] for item in read_items(out / "evals/start/problems-test")}
    assert len(asked) == 6
    assert not asked & learnt
    (result,) = story["results"]
    assert result["loss"] > 0
    assert set(story["clock"]) == {"data", "curation", "measuring", "planning", "training", "shipping"}
    for form in ("model", "model-int8"):
        with LocalModel.open(str(out / form), device="cpu") as lm:
            (reply,) = lm.chat([Message("user", "1 + 1")], n=1)
            assert reply.message.role == "assistant"
        assert "phiforge forge recipe.toml" in (out / form / "README.md").read_text()
    assert (out / "small-f32.gguf").stat().st_size > 10_000
    page = (out / "report.html").read_text()
    assert "small" in page
    assert "src=" not in page
    assert main(command) == 0  # what is done is not done again
    again = msgspec.json.decode(capsys.readouterr().out)
    assert again["comparisons"] == story["comparisons"]
    assert again["results"] == story["results"]
    assert main(["forge", str(recipe(more, **{"lr = 1e-3": "lr = 2e-3"}))]) == 1
    assert "another recipe" in capsys.readouterr().err


def test_a_stopped_forge_goes_on(recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = read_forge(recipe())
    whole = forging.forge(msgspec.structs.replace(wanted, out=wanted.out + "/whole"))
    half = msgspec.structs.replace(wanted, out=wanted.out + "/half")
    stops = ["curating", "measuring test", "1/1 sft", "quantising"]

    def stop(what: str, step: Any) -> None:
        if stops and what.startswith(stops[0]) and (step is None or step.step == 2):
            raise KeyboardInterrupt

    while stops:
        with pytest.raises(KeyboardInterrupt):
            forging.forge(half, progress=stop)
        stops.pop(0)
    found = forging.forge(half, progress=stop)
    logs = [
        [(item.id, item.response, item.outcome) for item in read_items(story.comparisons["problems:test"].b.log)]
        for story in (whole, found)
    ]
    assert logs[0] == logs[1]
    assert found.results[0].loss == whole.results[0].loss


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('data = "test"', 'data = "tests"', "there is no [data.tests]"),
        ("learn = true", 'learn = true\n task = "mmlu"', "needs one of task and data"),
        ('name = "small"', 'name = "small"\n minutes = 0', "minutes = 0.0 must be above 0"),
        ("limit = 6", "limit = 0", "limit = 0 must be 1 or more"),
        ("limit = 6", 'protocol = "none"', "no protocol 'none'"),
        ("max_tokens = 8", '[ship]\n gguf = "q9"', "ship.gguf = 'q9' is not known"),
        ("max_tokens = 8", '[curate]\n against = ["no.jsonl"]', "there is no file no.jsonl"),
        ("limit = 6", "limits = 6", "unknown field `limits`"),
    ],
)
def test_a_bad_recipe_is_named(
    recipe: Callable[..., Path], capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    assert main(["forge", str(recipe(**{old: new}))]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("default_gguf")
@pytest.mark.parametrize("file", sorted(RECIPES.glob("*.toml")), ids=lambda file: file.stem)
def test_our_own_recipes_can_be_carried_out(file: Path) -> None:
    recipe = read_forge(file)
    assert any(each.learn for each in recipe.eval)


# --- the time there is ------------------------------------------------------------------------------------------------


def test_stages_are_cut_to_the_time_there_is(recipe: Callable[..., Path], tmp_path: Path) -> None:
    wanted = read_forge(recipe(**{'data = ["sums"]\n': 'data = ["sums"]\n epochs = 100\n'}))
    said: list[str] = []
    story = forging.forge(
        msgspec.structs.replace(wanted, minutes=0.01),
        progress=lambda what, step: said.append(what) if not step else None,
    )
    (stage,) = story.recipe.stage
    assert isinstance(stage, Sft)
    assert stage.epochs == pytest.approx(1.0)  # no time is left, and something is learnt all the same
    assert any("0.0 are left" in what for what in said)
    assert read_forge(tmp_path / "out/recipe.toml") == story.recipe


def test_every_kind_of_stage_can_be_shorter() -> None:
    sft, grpo, dpo = Sft(data=["a"], epochs=3), Grpo(data=["a"], steps=40), Dpo(data=["a"], problems=50)
    assert budget.shorter(sft, 0.5) == msgspec.structs.replace(sft, epochs=1.5)
    assert budget.shorter(grpo, 0.5) == msgspec.structs.replace(grpo, steps=20)
    assert budget.shorter(dpo, 0.001) == msgspec.structs.replace(dpo, problems=1)
    mixed = Pretrain(mix={"a": 1.0}, tokens=1_000_000)
    assert budget.shorter(mixed, 0.25) == msgspec.structs.replace(mixed, tokens=250_000)


# --- of one's own -----------------------------------------------------------------------------------------------------


def write_rows(file: Path, rows: list[dict[str, str]]) -> Path:
    file.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return file


def test_ones_own_problems_become_a_recipe(base: Path, tmp_path: Path) -> None:
    rows = [
        {"question": f"Ann has {n} pens and buys {n + 2}. How many has she?",
         "answer": f"She has {n} + {n + 2} = <<{n}+{n + 2}={2 * n + 2}>>{2 * n + 2} pens.\n#### {2 * n + 2}"}
        for n in range(3, 33)
    ]  # fmt: skip
    recipe = own.from_seeds(str(write_rows(tmp_path / "pens.jsonl", rows)), tmp_path / "out", str(base))
    check_forge(recipe)
    assert read_forge(own.write(recipe)) == recipe
    assert [stage.kind for stage in recipe.stage] == ["sft", "grpo"]
    learn, test = (list(read_jsonl(tmp_path / f"out/own/{name}.jsonl", Example)) for name in ("learn", "test"))
    assert (len(learn), len(test)) == (24, 6)
    assert not {row.problem.id for row in learn} & {row.problem.id for row in test}
    assert learn[0].response.thinking == "She has 4 + 6 = 10 pens."
    assert learn[0].problem.answer == "10"
    varied = forging.training.make_data(recipe.training(), "varied", recipe.data["varied"], lambda *_: None)
    assert len(list(forging.mixture.rows(str(varied)))) > 100


def test_a_teacher_teaches_what_has_no_solution(base: Path, tmp_path: Path) -> None:
    rows = [{"problem": f"What is {n} times 3?", "answer": str(3 * n)} for n in range(20)]
    recipe = own.from_seeds(
        str(write_rows(tmp_path / "t.jsonl", rows)), tmp_path / "out", str(base), "http://x/v1#big"
    )
    assert [stage.kind for stage in recipe.stage] == ["distil", "grpo"]
    assert recipe.stage[0].teacher == "http://x/v1#big"  # type: ignore[union-attr]
    assert math.isclose(len(list(read_jsonl(tmp_path / "out/own/test.jsonl", Example))), 4)


def test_ones_own_documents_become_a_recipe(base: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for n in range(12):
        (tmp_path / f"notes/{n}.txt").write_text(f"Harbour {n} opens at {n} in the morning. " * 20)
    recipe = own.from_documents(str(tmp_path / "notes"), tmp_path / "out", str(base))
    check_forge(recipe)
    assert isinstance(read_forge(own.write(recipe)), Forge)
    assert recipe.data["learn"].seeds.endswith("learn.jsonl")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"question": "a", "answer": "1"}] * 5, "10 are needed at least"),
        ([{"question": "a", "reply": "1"}] * 20, "need a column `answer`"),
        ([{"question": "a", "answer": ""}] * 20, "cannot be judged"),
    ],
)
def test_bad_seeds_are_named(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[dict[str, str]], said: str
) -> None:
    file = write_rows(tmp_path / "bad.jsonl", rows)
    assert main(["forge", "--seeds", str(file), "-o", str(tmp_path / "out"), "-m", str(base)]) == 1
    assert said in capsys.readouterr().err
    assert main(["forge", "--seeds", str(file)]) == 2
    assert main(["forge"]) == 2
