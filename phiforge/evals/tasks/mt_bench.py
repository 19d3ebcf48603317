"""MT-Bench: 80 conversations of two turns, each answer marked from 1 to 10 by a language model (arXiv:2306.05685)."""

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks import _judges
from phiforge.records import Message, Problem

GET = (
    "Apache-2.0, from https://github.com/lm-sys/FastChat (fastchat/llm_judge/data/mt_bench): question.jsonl, and "
    "reference_answer/gpt-4.jsonl as reference_answer_gpt-4.jsonl"
)


def item(row: Row, index: int) -> Problem:
    """`choices` are GPT-4's answers, which questions of mathematics, reasoning and coding have for the judge to read."""
    first, *more = row["turns"]
    metadata = {"subset": row["category"], "follow_ups": more}
    if "choices" in row:
        metadata["reference"] = row["choices"][0]["turns"]
    return Problem(id=f"mt_bench/{row['question_id']}", messages=[Message("user", first)], metadata=metadata)


TASK = Task(
    data={
        "test": Files(folder="mt_bench", files="question.jsonl", more="reference_answer_gpt-4.jsonl", key="question_id",
                      sha256="facb0e7d71d02f603a7b4b5d0cb9ec36b12c9f63a5d22b1e2a21cfe55cad5747", get=GET),
    },
    item=item,
    metric="score",
    protocols={
        "judge": Generate(
            words="Two turns, greedy (FastChat draws at T = 0 to 0.7 by category), 1,024 tokens a turn; the judge marks each by "
            "FastChat's prompts, beside GPT-4's answer where there is one. The score is the mean mark over 10.",
            max_tokens=1024, judge=_judges.mark,
        ),
    },
)  # fmt: skip
