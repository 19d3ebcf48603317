"""Adapters to other projects' environments, with the real packages where they are installed; and what is said where not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace

from phiforge.model.config import PRESETS, shrink
from phiforge.model.phi3 import Phi3
from phiforge.records import Message
from phiforge.train import environments, grpo, rewards
from phiforge.train.groups import Prompt


@pytest.mark.parametrize(
    "task", ["basic_arithmetic", "spell_backward", "number_sorting", "knights_knaves", "countdown"]
)
def test_reasoning_gym_judges_its_own_answers(task: str) -> None:
    gym = pytest.importorskip("reasoning_gym")
    found = environments.reasoning_gym(task, 6, seed=3)
    again = environments.reasoning_gym(task, 6, seed=3)
    assert found.problems == again.problems
    assert found.problems != environments.reasoning_gym(task, 6, seed=4).problems
    assert found.problems[0].messages[-1].text.startswith(gym.create_dataset(task, size=6, seed=3)[0]["question"])
    for problem in found.problems:
        if task != "countdown":  # whose entries hold no solution as an answer in all versions
            right = found.judge(f"<think>so</think> It is <answer>{problem.answer}</answer>.", problem)
            assert (right.correct, right.score) == (True, 1.0)
        assert not found.judge("<answer>none of it</answer>", problem).correct
        lost = rewards.judged(str(problem.answer), 3, True, problem, found.judge)
        assert (lost.parsed, lost.correct) == (False, False)


def test_an_untagged_answer_is_all_visible_text() -> None:
    pytest.importorskip("reasoning_gym")
    found = environments.reasoning_gym("basic_arithmetic", 2, tagged=False, config={"min_terms": 2, "max_terms": 2})
    problem = found.problems[0]
    assert found.judge(f"<think>so</think>{problem.answer}", problem).correct
    with pytest.raises(ValueError, match=r"reasoning-gym's task 'no_such_task': .*not registered"):
        environments.reasoning_gym("no_such_task", 1)
    with pytest.raises(ValueError, match=r"reasoning-gym's task 'basic_arithmetic'.*no_such"):
        environments.reasoning_gym("basic_arithmetic", 1, config={"no_such": 1})


def test_grpo_takes_a_task_of_reasoning_gym(tmp_path: Path) -> None:
    pytest.importorskip("reasoning_gym")
    found = environments.reasoning_gym("basic_arithmetic", 3, tagged=False)
    config = replace(shrink(PRESETS["phi-4-mini-instruct"], vocab_size=16), pad_id=None)
    model = Phi3(config).init_weights(torch.Generator().manual_seed(0))
    prompts = [Prompt([3, 4, 5 + i], problem) for i, problem in enumerate(found.problems)]
    settings = grpo.Settings(prompts=3, group=4, longest=3)
    stage = grpo.stage(
        model, prompts, lambda ids: " ".join(map(str, ids)), [2], tmp_path, steps=1, settings=settings,
        judge=found.judge, reward=rewards.load("score"),
    )  # fmt: skip
    stage.batches(0)
    assert (tmp_path / "groups.jsonl").read_text().count("a score of") >= 3


def taskset(vf: Any, **how: Any) -> Any:
    """Sums, paid for being right and, a little, for being short."""

    class Data(vf.TaskData):
        total: str

    class Sum(vf.Task[Data]):
        NEEDS_CONTAINER = how.get("container", False)

        @vf.reward(weight=0.75)
        async def right(self, trace: Any) -> float:
            return float(trace.last_reply.endswith(self.data.total))

        @vf.reward(weight=0.25 * how.get("times", 1))
        async def short(self, trace: Any) -> float:
            assert trace.assistant_messages[-1].content == trace.last_reply
            return float(len(trace.last_reply) < 10)

    class Sums(vf.Taskset[Sum, vf.TasksetConfig]):
        INFINITE = how.get("infinite", False)

        def load(self) -> Any:
            for i in range(3):
                prompt = None if how.get("user") else f"{i} + 2"
                yield Sum(Data(prompt=prompt, system_prompt="Add.", total=str(i + 2)))

    return Sums(vf.TasksetConfig())


def test_a_taskset_of_verifiers_judges_by_its_own_rewards() -> None:
    vf = pytest.importorskip("verifiers.v1")
    found = environments.verifiers(taskset(vf))
    assert [problem.messages for problem in found.problems] == [
        [Message("system", "Add."), Message("user", f"{i} + 2")] for i in range(3)
    ]
    problem = found.problems[1]
    assert found.judge("<think>a long thought about it</think>3", problem).correct
    for said, score in (("4", 0.25), ("It is, all in all, 3", 0.75), ("It may very well be 7", 0.0)):
        verdict = found.judge(said, problem)
        assert (verdict.correct, verdict.score) == (False, score)
    assert environments.verifiers(taskset(vf), right_from=0.75).judge("It is, all in all, 3", problem).correct
    assert not found.judge("<think>never closed 3", problem).correct


def test_what_is_more_than_a_turn_is_refused() -> None:
    vf = pytest.importorskip("verifiers.v1")
    for how, said in (
        ({"container": True}, "task 0 needs a container"),
        ({"user": True}, "task 0 has no prompt"),
        ({"infinite": True}, "goes on for ever"),
    ):
        with pytest.raises(ValueError, match=said):
            environments.verifiers(taskset(vf, **how))
    found = environments.verifiers(taskset(vf, times=2))
    with pytest.raises(ValueError, match=r"gave a score of 1.25; only those from 0 to 1"):
        found.judge("2", found.problems[0])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    monkeypatch.setitem(sys.modules, "verifiers.v1", None)
    with pytest.raises(ModuleNotFoundError, match=r"reasoning-gym is not installed.*phiforge\[environments\]"):
        environments.reasoning_gym("basic_arithmetic", 1)
    with pytest.raises(ModuleNotFoundError, match="verifiers is not installed"):
        environments.verifiers("x")
