"""Phiforge's training loop, as a program: `python ours_train.py TASK REQUEST.json ANSWER.json`.

The requests are those of trl_train.py, with `ids` beside the prompts' texts. The settings: `weights`, their dtype; `precision` of
the products; `recompute`; `batch` of rows at a time (for sft); `tokens` of a micro-batch, `rollouts`, the sampler's number
format, and `lora`, the rank of an adapter on all linear layers, or 0 (for grpo).
The task `loss` is the head's alone, forward and backward: `vocabulary` and `rows`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from peers.trl_train import Steps
from phiforge.model import checkpoint
from phiforge.model.lora import new_adapter
from phiforge.model.phi3 import Phi3
from phiforge.records import Message, Problem, Verdict
from phiforge.train import grpo, sft
from phiforge.train.batches import Document
from phiforge.train.groups import Prompt
from phiforge.train.loop import Stage, Step, train
from phiforge.train.lora import attach
from phiforge.train.loss import cross_entropy
from phiforge.train.optim import Optimizer
from phiforge.train.rewards import Rollout


class Enough(Exception):
    """The last step is done; what a run would save is not waited for."""


def supervised(request: dict[str, Any], folder: str) -> tuple[Phi3, Stage[Any]]:
    documents = [
        Document(ids, [0.0] * prompt + [1.0] * (len(ids) - prompt)) for ids, prompt in request["documents"]
    ]  # fmt: skip
    batch = request["settings"]["batch"]
    model = checkpoint.load(request["model"], dtype=getattr(torch, request["settings"]["weights"])).requires_grad_(
        True
    )
    return model, sft.stage(documents, tokens=batch * request["length"], accumulate=request["rows"] // batch, epochs=1)


def by_reward(request: dict[str, Any], folder: str) -> tuple[Phi3, Stage[Any]]:
    """The texts of answers stand for themselves: nothing is verified, and the reward is the peer's."""
    model = checkpoint.load(request["model"], dtype=getattr(torch, request["settings"]["weights"])).requires_grad_(
        True
    )
    if rank := request["settings"]["lora"]:
        attach(model, new_adapter(model.config, rank, 2 * rank))
    prompts = [
        Prompt(ids, Problem(str(i), [Message("user", text)], "", "none"))
        for i, (ids, text) in enumerate(zip(request["ids"], request["prompts"], strict=True))
    ]

    def decode(ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))

    def judge(text: str, problem: Problem) -> Verdict:
        return Verdict(True, 1.0)

    def reward(rollout: Rollout, problem: Problem) -> float:
        return crc32(rollout.text.encode()) % 1000 / 1000

    settings = grpo.Settings(
        prompts=len(prompts), group=request["group"], longest=request["longest"],
        rollout_dtype=request["settings"]["rollouts"],
    )  # fmt: skip
    return model, grpo.stage(
        model,
        prompts,
        decode,
        [],
        folder,
        steps=request["steps"],
        tokens=request["settings"]["tokens"],
        judge=judge,
        reward=reward,
        settings=settings,
    )


def head(request: dict[str, Any]) -> None:
    rows, vocabulary, width = request["rows"], request["vocabulary"], 64
    states, weight = torch.randn(rows, width, requires_grad=True), torch.randn(vocabulary, width)
    cross_entropy(states, weight, torch.randint(vocabulary, (rows,)), torch.ones(rows)).backward()


def main(task: str, request_file: str, answer_file: str) -> None:
    request = json.loads(Path(request_file).read_text())
    torch.set_num_threads(request["threads"])
    steps = Steps()
    if task == "loss":
        head(request)
    else:
        with tempfile.TemporaryDirectory(dir=Path(answer_file).parent) as folder:
            model, stage = {"sft": supervised, "grpo": by_reward}[task](request, folder)

            def ended(step: Step) -> None:
                steps.so_far += (
                    step.tokens if task == "sft" else len(request["ids"]) * request["group"] * request["longest"]
                )
                steps.end()
                if step.step == request["steps"]:
                    raise Enough

            with suppress(Enough):
                train(
                    model,
                    stage,
                    Optimizer(lr=1e-5),
                    folder,
                    progress=ended,
                    precision=request["settings"]["precision"],
                    recompute=request["settings"].get("recompute", False),
                )
    Path(answer_file).write_text(json.dumps(steps.answer() | {"versions": {"torch": torch.__version__}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
