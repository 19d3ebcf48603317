"""lm-evaluation-harness over transformers, as a program: `python -P lm_eval_harness.py REQUEST.json ANSWER.json`.

It runs in the environment that has lm-eval, where nothing of ours is. The request: `model` (a folder), `dtype`, `batch`
(a number, or "auto"), `tasks` (names), `include` (a folder of task files), `limit`, `threads`, `max_length`. The answer:
`seconds` of the evaluation without loading, and `samples` by task: index, prompts, log-likelihoods, text, scores.
"""

from __future__ import annotations

import json
import sys
import time


def main(request_file: str, answer_file: str) -> None:
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    with open(request_file) as file:
        request = json.load(file)
    torch.set_num_threads(request["threads"])
    model = HFLM(
        pretrained=request["model"],
        dtype=request["dtype"],
        device="cpu",
        batch_size=request["batch"],
        max_length=request["max_length"],
    )
    tasks = TaskManager(include_path=request["include"], include_defaults=False)
    begin = time.perf_counter()
    found = lm_eval.simple_evaluate(
        model=model, tasks=request["tasks"], task_manager=tasks, limit=request["limit"], bootstrap_iters=0
    )
    seconds = time.perf_counter() - begin
    samples = {
        name: [
            {
                "doc": sample["doc"],
                "arguments": [list(arguments.values()) for arguments in sample["arguments"].values()]
                if isinstance(sample["arguments"], dict)
                else [list(map(str, arguments)) for arguments in sample["arguments"]],
                "answers": sample["resps"],
                "scores": {key: sample[key] for key in sample["metrics"]},
            }
            for sample in of_task
        ]
        for name, of_task in found["samples"].items()
    }
    with open(answer_file, "w") as file:
        json.dump({"seconds": seconds, "samples": samples, "version": lm_eval.__version__}, file, default=str)


if __name__ == "__main__":
    main(*sys.argv[1:])
