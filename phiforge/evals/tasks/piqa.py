"""PIQA: which of two ways to reach a physical goal works (Bisk et al., arXiv:1911.11641)."""

from phiforge.evals.protocol import Choice, spaced_options
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks.arc_challenge import asked
from phiforge.records import Message, Problem

GET = (
    "AFL 3.0, from https://github.com/ybisk/ybisk.github.io/tree/master/piqa: valid.jsonl with its labels put in, "
    "paste valid.jsonl valid-labels.lst | sed 's/}\\t\\(.\\)$/, \"label\": \\1}/' > piqa/valid.jsonl"
)


def item(row: Row, index: int) -> Problem:
    return Problem(
        id="",
        messages=[Message("user", row["goal"])],
        answer="AB"[int(row["label"])],
        verifier="choice",
        verifier_args={"options": [row["sol1"], row["sol2"]]},
    )


TASK = Task(
    data={"validation": Files(folder="piqa", files="valid.jsonl", hub="baber/piqa", split="validation", get=GET)},
    item=item,
    protocols={
        "acc_norm": Choice(
            words="Zero-shot; the likeliest solution by log-likelihood over its characters (lm-eval's acc_norm).",
            prompt=asked, choices=spaced_options, per="char",
        ),
        "acc": Choice(
            words="Zero-shot; the likeliest solution (lm-eval's acc).",
            prompt=asked, choices=spaced_options,
        ),
    },
)  # fmt: skip
