"""HellaSwag: how a scene or an instruction goes on, four endings (Zellers et al., arXiv:1905.07830)."""

import re

from phiforge.evals.protocol import Choice, question, spaced_options
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

GET = "MIT, from https://github.com/rowanz/hellaswag: data/hellaswag_val.jsonl (the test set has no labels)"


def cleaned(text: str) -> str:
    """Without the marks of WikiHow's headings, as lm-eval takes them out."""
    return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def item(row: Row, index: int) -> Problem:
    text = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    return Problem(
        id="",
        messages=[Message("user", cleaned(text))],
        answer="ABCD"[int(row["label"])],
        verifier="choice",
        verifier_args={"options": [cleaned(ending) for ending in row["endings"]]},
        metadata={"subset": "wikihow" if str(row.get("source_id", "")).startswith("wikihow") else "activitynet",
                  "cluster": str(row.get("source_id", ""))},
    )  # fmt: skip


TASK = Task(
    data={
        "validation": Files(folder="hellaswag", files="hellaswag_val.jsonl", hub="Rowan/hellaswag", split="validation", get=GET),
    },
    item=item,
    protocols={
        "acc_norm": Choice(
            words="Zero-shot; the likeliest ending by log-likelihood over its characters (lm-eval's acc_norm).",
            prompt=question, choices=spaced_options, per="char",
        ),
        "acc": Choice(
            words="Zero-shot; the likeliest ending (lm-eval's acc).",
            prompt=question, choices=spaced_options,
        ),
    },
)  # fmt: skip
