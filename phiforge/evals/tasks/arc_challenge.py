"""ARC-Challenge: school science questions that word overlap does not answer (Clark et al., arXiv:1803.05457)."""

from phiforge.evals.protocol import Choice, Generate, lettered, question, spaced_options, step_by_step
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

GET = "CC BY-SA 4.0, from https://allenai.org/data/arc: the folders ARC-Easy and ARC-Challenge of the archive, in a folder arc"


def item(row: Row, index: int) -> Problem:
    """The authors have `stem` and `choices` in `question`, the hub has columns. Labels are letters or numbers."""
    inside = (
        row["question"] if isinstance(row["question"], dict) else {"stem": row["question"], "choices": row["choices"]}
    )
    choices = inside["choices"]
    if isinstance(choices, dict):
        choices = [{"text": t, "label": label} for t, label in zip(choices["text"], choices["label"], strict=True)]
    labels = [each["label"] for each in choices]
    if row["answerKey"] not in labels:
        raise ValueError(f"row {index}: answer {row['answerKey']!r} is none of {', '.join(labels)}")
    return Problem(
        id=row["id"],
        messages=[Message("user", inside["stem"])],
        answer="ABCDE"[labels.index(row["answerKey"])],
        verifier="choice",
        verifier_args={"options": [each["text"] for each in choices]},
    )


def asked(problem: Problem) -> str:
    return f"Question: {question(problem)}\nAnswer:"


PROTOCOLS = {
    "acc_norm": Choice(
        words="Zero-shot; the likeliest option text by log-likelihood over its characters (lm-eval's acc_norm).",
        prompt=asked, choices=spaced_options, per="char",
    ),
    "acc": Choice(
        words="Zero-shot; the likeliest option text (lm-eval's acc).",
        prompt=asked, choices=spaced_options,
    ),
    "letter": Choice(
        words="Zero-shot, the options shown; the likeliest of ' A' to ' E'.",
        prompt=lettered,
    ),
    "chat": Generate(
        words="simple-evals' question for MMLU, zero-shot chat, thinking step by step, greedy, 'Answer: X' extracted.",
        prompt=step_by_step,
    ),
}  # fmt: skip

TASK = Task(
    data={
        "test": Files(
            folder="arc/ARC-Challenge", files="*Test.jsonl", hub="allenai/ai2_arc", config="ARC-Challenge", get=GET
        )
    },
    item=item,
    protocols=PROTOCOLS,
)
