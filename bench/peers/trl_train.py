"""TRL's SFTTrainer and GRPOTrainer, as a program: `python -P trl_train.py TASK REQUEST.json ANSWER.json`.

It runs in the environment that has trl, where nothing of ours is. Every request has `model` (a folder), `steps`, `threads` and
the `settings` under test: `dtype` of the weights, `bf16` products, `attention`, and `batch`, of rows or of answers at a time.

    sft     `documents` (token ids, and how many of them are a prompt's), `length` of a packed row, `rows` of a step;
            settings: `packing` strategy, `compile`
    grpo    `prompts` (texts), `group`, `longest` (every answer has so many tokens); settings: `continuous` batching, and `lora`,
            the rank of an adapter on all linear layers, or 0 to learn all weights

The answer: `seconds` and `tokens` of each step, the most `peak` bytes held, and `versions`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any
from zlib import crc32


class Steps:
    """When each step ended, and how many tokens had been laid out by then; padding does not count."""

    def __init__(self) -> None:
        self.ended: list[tuple[float, int]] = []
        self.so_far = 0

    def end(self) -> None:
        self.ended.append((time.perf_counter(), self.so_far))

    def answer(self) -> dict[str, Any]:
        """The first step prepares, and is left out."""
        apart = [(b - a, n - m) for (a, m), (b, n) in zip(self.ended, self.ended[1:], strict=False)]
        peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
        return {"seconds": [s for s, _ in apart], "tokens": [n for _, n in apart], "peak": 1024 * int(peak)}


def reward(completions: list[str], **_: Any) -> list[float]:
    """Costs nothing, and tells answers apart."""
    return [crc32(each.encode()) % 1000 / 1000 for each in completions]


def common(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Arguments of either trainer: nothing is saved, told or computed twice."""
    settings = request["settings"]
    return {
        "output_dir": str(folder / "trl"), "max_steps": request["steps"], "per_device_train_batch_size": settings["batch"],
        "bf16": settings["bf16"], "gradient_checkpointing": False, "use_cpu": True, "learning_rate": 1e-5,
        "save_strategy": "no", "logging_steps": 1000, "report_to": "none", "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }  # fmt: skip


def supervised(request: dict[str, Any], model: Any, tokenizer: Any, told: Any, steps: Steps, folder: Path) -> Any:
    import trl
    from datasets import Dataset

    settings = request["settings"]
    asked = trl.SFTConfig(
        **common(request, folder),
        gradient_accumulation_steps=request["rows"] // settings["batch"],
        max_length=request["length"],
        packing=True,
        packing_strategy=settings["packing"],
        torch_compile=settings["compile"],
        dataloader_drop_last=True,
    )
    documents = [
        {"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]} for ids, prompt in request["documents"]
    ]  # fmt: skip
    trainer = trl.SFTTrainer(
        model, asked, train_dataset=Dataset.from_list(documents), processing_class=tokenizer, callbacks=[told]
    )
    collate = trainer.data_collator

    def counted(rows: list[Any]) -> Any:
        steps.so_far += sum(len(row["input_ids"]) for row in rows)
        return collate(rows)

    trainer.data_collator = counted
    return trainer


def by_reward(request: dict[str, Any], model: Any, tokenizer: Any, told: Any, steps: Steps, folder: Path) -> Any:
    import trl
    from datasets import Dataset

    settings, answers = request["settings"], len(request["prompts"]) * request["group"]
    asked = trl.GRPOConfig(
        **common(request, folder),
        gradient_accumulation_steps=answers // settings["batch"],
        num_generations=request["group"],
        max_completion_length=request["longest"],
        generation_kwargs={"min_new_tokens": request["longest"]},
        use_transformers_continuous_batching=settings["continuous"],
        temperature=1.0,
        beta=0.0,
    )
    prompts = Dataset.from_list([{"prompt": prompt} for prompt in request["prompts"]])
    adapter = None
    if settings["lora"]:
        from peft import LoraConfig

        adapter = LoraConfig(r=settings["lora"], lora_alpha=2 * settings["lora"], target_modules="all-linear")
    return trl.GRPOTrainer(
        model, reward, asked, train_dataset=prompts, processing_class=tokenizer, callbacks=[told], peft_config=adapter
    )  # fmt: skip


def main(task: str, request_file: str, answer_file: str) -> None:
    import torch
    import transformers
    import trl

    request = json.loads(Path(request_file).read_text())
    settings = request["settings"]
    torch.set_num_threads(request["threads"])
    model = transformers.AutoModelForCausalLM.from_pretrained(
        request["model"], dtype=settings["dtype"], attn_implementation=settings["attention"]
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(request["model"], padding_side="left")
    steps = Steps()

    class Told(transformers.TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if task == "grpo":
                steps.so_far += len(request["prompts"]) * request["group"] * request["longest"]
            steps.end()

    make = {"sft": supervised, "grpo": by_reward}[task]
    make(request, model, tokenizer, Told(), steps, Path(answer_file).parent).train()
    versions = {"trl": trl.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    Path(answer_file).write_text(json.dumps(steps.answer() | {"versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
