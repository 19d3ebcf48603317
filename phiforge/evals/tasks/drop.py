"""DROP: questions on a passage that take adding, counting, sorting; F1 of words (Dua et al., arXiv:1903.00161)."""

from zlib import crc32

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

GET = (
    "CC BY-SA 4.0: drop_v0_dev.jsonl.gz and drop_v0_train.jsonl.gz, which https://github.com/openai/simple-evals reads "
    "(drop_eval.py says from where), in a folder drop"
)


def item(row: Row, index: int) -> Problem:
    """simple-evals' rows hold passage and question in `context` and references in `ref_text`; the hub's have columns."""
    if "context" in row:
        context, answers = row["context"], row["ref_text"].split("|")
    else:
        context = f"Passage: {row['passage']}\nQuestion: {row['question']}\nAnswer:"
        columns = zip(*(row["validated_answers"][key] for key in ("number", "date", "spans")), strict=True)
        answers = [
            given(*(row["answer"][key] for key in ("number", "date", "spans"))),
            *(given(*each) for each in columns),
        ]
    answers = [each for each in answers if each and each != [""]]
    first = answers[0] if isinstance(answers[0], str) else ", ".join(answers[0])
    passage = context.partition("\nQuestion:")[0]
    return Problem(
        id=row.get("query_id", ""),
        messages=[Message("user", context)],
        answer=first,
        verifier="drop",
        verifier_args={"answers": answers},
        metadata={"solution": row.get("completion", first), "cluster": crc32(passage.encode())},
    )


def given(number: str, date: dict[str, str], spans: list[str]) -> str | list[str]:
    """What an annotator gave: one of the three."""
    return number or list(spans or ()) or " ".join(filter(None, (date.get(key) for key in ("day", "month", "year"))))


def asked(problem: Problem) -> str:
    return (
        f"\n# Your Task\n\n---\n{question(problem)} \n\nThink step by step, then write a line of the form "
        f'"Answer: $ANSWER" at the end of your response.\n{" " * 20}'
    )


TASK = Task(
    data={
        "dev": Files(folder="drop", files="drop_v0_dev.jsonl.gz", hub="EleutherAI/drop", split="validation", get=GET,
                     sha256="7a58d35552dc476699d87ee8af0254f63e9f00f5a7f6b8b033e11c933157e186"),
        "train": Files(folder="drop", files="drop_v0_train.jsonl.gz", hub="EleutherAI/drop", split="train", get=GET,
                       sha256="d4a3a00ea2cfbe69d11f0bd24f5ba069731c645489bd39248b480d8eb34e1fb6"),
    },
    item=item,
    shots="train",
    metric="score",
    protocols={
        "phi4": Generate(
            words="simple-evals: 3 worked examples of the training set in the message, drawn for each question, "
            "thinking step by step, T = 0.5, F1 of what follows 'Answer:'. There the draw depends on the order of "
            "threads, here on the id.",
            intro="You will be asked to read a passage and answer a question. Some examples of passages and Q&A are "
            "provided below.\n\n# Examples",
            worked=lambda p: f"\n---\n{question(p)} {p.metadata['solution']}\n", prompt=asked, between="", shots=3,
            drawn=True, temperature=0.5,
        ),
    },
    published={"Phi-4": 75.5, "GPT-4o-mini": 79.3, "Qwen-2.5-14B": 85.5, "Llama-3.3-70B": 90.2},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
)  # fmt: skip
