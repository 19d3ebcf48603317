"""MBPP: Python functions to write from a sentence and three assertions, run in the sandbox (Austin et al., arXiv:2108.07732)."""

import builtins
import re

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

GET = "CC BY 4.0, from https://github.com/google-research/google-research/tree/master/mbpp: mbpp.jsonl"
SHA256 = "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f"
_AROUND = {*dir(builtins), "assert", "not", "isclose"}  # what assertions wrap around the function's call


def item(row: Row, index: int) -> Problem:
    """Of the hub's rows, `prompt` is the sentence in its sanitized configuration and MBPP+."""
    code = row["code"].replace("\r\n", "\n")
    called = [name for name in re.findall(r"(\w+) ?\(", row["test_list"][0]) if name not in _AROUND]
    return Problem(
        id=f"mbpp/{row['task_id']}",
        messages=[Message("user", (row.get("text") or row["prompt"]).strip())],
        answer=code,
        verifier="code",
        verifier_args={
            "test_list": row["test_list"],
            "test_setup_code": "\n".join(
                ["import math, sys", row.get("test_setup_code", ""), *row.get("test_imports", ())]
            ),
            "entry_point": called[0] if called else "",
        },
        metadata={"solution": f"{code}\n[DONE]"},
    )


def asked(problem: Problem) -> str:
    """The paper's prompt: the sentence, its assertions, and a mark after which code is expected."""
    tests = "\n".join(problem.verifier_args["test_list"])
    return (
        f"You are an expert Python programmer, and here is your task: {question(problem)} Your code should pass these tests:\n\n"
        f"{tests}\n[BEGIN]\n"
    )


def chat(problem: Problem) -> str:
    tests = "\n".join(problem.verifier_args["test_list"])
    return f"{question(problem)} Your code should pass these tests:\n\n{tests}\n\nAnswer with the Python code only."


def split(name: str, first: int, last: int) -> Files:
    """A split is a range of task ids (README of MBPP); the file holds them all."""
    return Files(folder="mbpp", files="mbpp.jsonl", sha256=SHA256, hub="google-research-datasets/mbpp", config="full",
                 split=name, only=lambda row: first <= row["task_id"] <= last, get=GET)  # fmt: skip


TASK = Task(
    data={
        "test": split("test", 11, 510), "worked": split("prompt", 2, 4), "prompt": split("prompt", 1, 10),
        "validation": split("validation", 511, 600), "train": split("train", 601, 974),
    },
    item=item,
    shots="worked",
    protocols={
        "chat": Generate(words="Zero-shot chat: the sentence and its three assertions; greedy, 1,024 tokens.",
                         prompt=chat, max_tokens=1024),
        "3-shot": Generate(words="The paper's prompt after tasks 2 to 4, as text to continue up to [DONE]; greedy, 512 tokens.",
                           chat=False, prompt=asked, shots=3, max_tokens=512, stop=("[DONE]",)),
    },
)  # fmt: skip
