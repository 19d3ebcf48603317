"""MT-Bench: 80 conversations of two turns, each answer marked from 1 to 10 by a language model (arXiv:2306.05685)."""

import re

from phiforge.engine.request import Sampling
from phiforge.evals.log import Grade
from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks import _prompts
from phiforge.lm import LanguageModel
from phiforge.records import Message, Problem

GET = (
    "Apache-2.0, from https://github.com/lm-sys/FastChat (fastchat/llm_judge/data/mt_bench): question.jsonl, and "
    "reference_answer/gpt-4.jsonl as reference_answer_gpt-4.jsonl"
)
_MARK = (re.compile(r"\[\[(\d+\.?\d*)\]\]"), re.compile(r"\[(\d+\.?\d*)\]"))


def item(row: Row, index: int) -> Problem:
    """`choices` are GPT-4's answers, which questions of mathematics, reasoning and coding have for the judge to read."""
    first, *more = row["turns"]
    metadata = {"subset": row["category"], "follow_ups": more}
    if "choices" in row:
        metadata["reference"] = row["choices"][0]["turns"]
    return Problem(id=f"mt_bench/{row['question_id']}", messages=[Message("user", first)], metadata=metadata)


def judged(judge: LanguageModel, problem: Problem, answers: list[str]) -> Grade:
    """The mean of the turns' marks over 10. A mark that cannot be read is an error: FastChat leaves such an answer out."""
    questions = [problem.messages[-1].text, *problem.metadata["follow_ups"]]
    reference = problem.metadata.get("reference", [])
    turns = range(1, len(answers) + 1)
    asked = [_prompts.mt_bench(questions[:n], answers[:n], reference[:n]) for n in turns]
    said = [
        reply.message.text for (reply,) in judge.chat_many(asked, sampling=Sampling(temperature=0.0, max_tokens=2048))
    ]
    found = [next((m for pattern in _MARK if (m := pattern.search(text))), None) for text in said]
    marks = [float(m[1]) for m in found if m and 1 <= float(m[1]) <= 10]
    reason = "\n\n".join(f"Turn {n}: {text.strip()}" for n, text in zip(turns, said, strict=True))
    if len(marks) < len(said):
        return Grade("error", 0.0, f"the judge gave no mark from 1 to 10\n\n{reason}")
    score = sum(marks) / len(marks) / 10
    measures = {f"turn {n}": mark for n, mark in zip(turns, marks, strict=True)}
    return Grade("right" if score == 1 else "wrong", score, reason, measures=measures)


TASK = Task(
    data={"test": Files(folder="mt_bench", files="question.jsonl", more="reference_answer_gpt-4.jsonl", key="question_id", get=GET,
                        sha256="facb0e7d71d02f603a7b4b5d0cb9ec36b12c9f63a5d22b1e2a21cfe55cad5747")},
    item=item,
    metric="score",
    protocols={
        "judge": Generate(words="Two turns, greedy (FastChat draws at T = 0 to 0.7 by category), 1,024 tokens a turn; the judge marks "
                          "each by FastChat's prompts, with GPT-4's answer where there is one. The score is the mean mark over 10.",
                          max_tokens=1024, judge=judged),
    },
)  # fmt: skip
