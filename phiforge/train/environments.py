"""Problems and judges of other projects: the tasks of reasoning-gym, and tasksets of `verifiers`. Both come with
`pip install phiforge[environments]`.

An `Environment` is what `grpo.stage` and `pivotal_run.run` take: problems, and the environment's own scorer as their judge.
Its score, from 0 to 1, is the reward called "score"; a full score is a right answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any

import msgspec

from phiforge.records import Message, Problem, Verdict
from phiforge.verify.math_extract import visible

NO_ANSWER = "the response gives no final answer"
ASKS = "Give your final answer between <answer> and </answer>, and nothing else in between."


@dataclass(frozen=True)
class Environment:
    """`judge(response, problem)` is the verdict of the environment's own scorer, for its own problems only."""

    name: str
    problems: list[Problem]
    judge: Callable[[str, Problem], Verdict]


def reasoning_gym(
    task: str, n: int, *, seed: int = 0, tagged: bool = True, config: Mapping[str, Any] | None = None
) -> Environment:
    """`n` problems of a reasoning-gym task, the same for the same seed. `config` are the task's own settings, such as
    `min_digits`. `tagged` asks for the answer between tags, and reads it there; otherwise all visible text is the answer.

    Raises ValueError for an unknown task or setting, ModuleNotFoundError, saying what to install, without the package.
    """
    gym = _package("reasoning_gym", "reasoning-gym")
    try:
        data = gym.create_dataset(task, size=n, seed=seed, **(config or {}))
    except (ValueError, TypeError, AssertionError) as error:
        raise ValueError(f"reasoning-gym's task {task!r}: {error}") from None
    entries = [data[i] for i in range(n)]
    problems = [
        Problem(
            f"reasoning-gym/{task}/{seed}/{i}",
            [Message("user", f"{entry['question']}\n\n{ASKS}" if tagged else entry["question"])],
            answer=str(entry["answer"]), metadata={"entry": i},
        )
        for i, entry in enumerate(entries)
    ]  # fmt: skip

    def judge(response: str, problem: Problem) -> Verdict:
        said = visible(response) or ""
        answer = _tagged(said) if tagged else said.strip()
        if not answer:
            return Verdict(False, 0.0, NO_ANSWER)
        return _verdict(float(data.score_answer(answer, entries[problem.metadata["entry"]])), task)

    return Environment(f"reasoning-gym/{task}", problems, judge)


def verifiers(taskset: Any, n: int | None = None, *, right_from: float = 1.0) -> Environment:
    """The first `n` tasks of a `verifiers` taskset (0.4 or later): an installed one's name, or a `Taskset`. A single turn.

    The score is the taskset's own reward, of all its `@reward` functions with their weights. Raises ValueError for what
    takes more than a prompt and an answer: tools, a container, a conversation that the user opens, rewards that need a runtime.
    """
    vf = _package("verifiers.v1", "verifiers")
    if isinstance(taskset, str):
        name, taskset = taskset, vf.import_taskset(taskset)
        taskset = vf.load_taskset(vf.TasksetConfig(id=name))
    else:
        name = type(taskset).__name__
    if n is None and not taskset.bounded:
        raise ValueError(f"{name} goes on for ever: say how many tasks")
    tasks = list(islice(iter(taskset), n))
    if not tasks:
        raise ValueError(f"{name} has no tasks")
    for task in tasks:
        _single_turn(name, task)
    problems = [
        Problem(f"{name}/{task.data.id or task.data.name or i}", _messages(task.data), metadata={"task": i})
        for i, task in enumerate(tasks)
    ]

    def judge(response: str, problem: Problem) -> Verdict:
        said = visible(response)
        if said is None:
            return Verdict(False, 0.0, NO_ANSWER)
        task = tasks[problem.metadata["task"]]
        trace = _trace(vf, task, problem, said)
        asyncio.run(task.score(trace))
        missing = [each for each, found in trace.rewards.items() if found is None]
        if missing or not trace.rewards:
            raise ValueError(f"{name}: the rewards {', '.join(missing) or 'of its tasks'} were not given")
        return _verdict(float(trace.reward), name, right_from)

    return Environment(f"verifiers/{name}", problems, judge)


def _package(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} is not installed ({error.name} is missing): pip install 'phiforge[environments]'", name=error.name
        ) from None


def _tagged(text: str) -> str:
    """What the last pair of answer tags holds; empty without one."""
    _, opened, rest = text.rpartition("<answer>")
    answer, closed, _ = rest.partition("</answer>")
    return answer.strip() if opened and closed else ""


def _verdict(score: float, name: str, right_from: float = 1.0) -> Verdict:
    if not 0 <= score <= 1:
        raise ValueError(f"{name} gave a score of {score}; only those from 0 to 1 are understood")
    return Verdict(score >= right_from, score, f"a score of {score:g}")


def _single_turn(name: str, task: Any) -> None:
    told = f"{name}, task {task.data.idx}"
    if task.NEEDS_CONTAINER:
        raise ValueError(f"{told} needs a container, and only single turns of text are supported")
    if task.toolsets(task.config):
        raise ValueError(f"{told} needs tools, and only single turns of text are supported")
    if task.data.prompt is None:
        raise ValueError(f"{told} has no prompt: its conversation is opened by a user")


def _messages(data: Any) -> list[Message]:
    """A task's prompt, after its system prompt. Raises ValueError for parts that are no text, and roles but these two."""
    messages = [Message("system", data.system_prompt)] if data.system_prompt else []
    given = [{"role": "user", "content": data.prompt}] if isinstance(data.prompt, str) else data.prompt
    for each in given:
        fields = each if isinstance(each, dict) else each.model_dump()
        if not isinstance(fields["content"], str):
            raise ValueError(f"task {data.idx}: a prompt's message has content that is no plain text")
        try:
            messages.append(msgspec.convert({"role": fields["role"], "content": fields["content"]}, Message))
        except msgspec.ValidationError as error:
            raise ValueError(f"task {data.idx}: a message of its prompt: {error}") from None
    return messages


def _trace(vf: Any, task: Any, problem: Problem, said: str) -> Any:
    """A finished rollout as the package's own agents leave it: the prompt, and the answer that was sampled."""
    kinds = {"system": vf.SystemMessage, "user": vf.UserMessage, "assistant": vf.AssistantMessage}
    if other := {each.role for each in problem.messages} - kinds.keys():
        raise ValueError(
            f"{problem.id}: its prompt has messages of role {', '.join(sorted(other))}: single turns only"
        )
    nodes = [
        vf.MessageNode(parent=i - 1 if i else None, message=kinds[each.role](content=each.text))
        for i, each in enumerate(problem.messages)
    ]
    nodes.append(vf.MessageNode(parent=len(nodes) - 1, message=vf.AssistantMessage(content=said), sampled=True))
    about = vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
    return vf.Trace(
        task=about,
        agent=vf.AgentInfo(config=vf.AgentConfig()),
        nodes=nodes,
        is_completed=True,
        ok=True,
        root_reply=said,
    )
