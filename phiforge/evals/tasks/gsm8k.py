"""GSM8K: grade-school word problems with a whole number as their answer (Cobbe et al., arXiv:2110.14168)."""

import re

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

GET = "MIT, from https://github.com/openai/grade-school-math: train.jsonl and test.jsonl"
_NOTE = re.compile(r"<<[^<>]*>>")


def item(row: Row, index: int) -> Problem:
    """Answers end in "#### 72"; calculator notes <<48/2=24>> are taken out of worked solutions."""
    return Problem(
        id="",
        messages=[Message("user", row["question"].strip())],
        answer=row["answer"].rpartition("####")[2].strip().replace(",", ""),
        verifier="math",
        metadata={"solution": _NOTE.sub("", row["answer"])},
    )


def asked(problem: Problem) -> str:
    return f"Question: {question(problem)}\nAnswer:"


def boxed(problem: Problem) -> str:
    return f"{question(problem)}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}."


TASK = Task(
    data={
        "test": Files(folder="gsm8k", files="test.jsonl", hub="openai/gsm8k", config="main", get=GET),
        "train": Files(
            folder="gsm8k", files="train.jsonl", sha256="17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
            hub="openai/gsm8k", config="main", split="train", get=GET,
        ),
    },
    item=item,
    shots="train",
    protocols={
        "chat": Generate(words="Zero-shot chat, step by step, the answer in \\boxed{}; greedy.", prompt=boxed),
        "calculator": Generate(
            words="As chat, a calculator offered, whose calls are answered; greedy.", prompt=boxed, calculator=True
        ),
        "8-shot": Generate(
            words="8 worked examples, the first of the training split, as text to continue; greedy, 256 tokens; the final answer "
            "after '####', or the last number.",
            chat=False, prompt=asked, shots=8, max_tokens=256, stop=("Question:",),
        ),
        "reasoning": Generate(
            words="As chat, at T = 0.8, top-p 0.95, 8 repeats (as the reasoning models are measured).",
            prompt=boxed, temperature=0.8, top_p=0.95, max_tokens=31_744, repeats=8,
        ),
    },
)  # fmt: skip
