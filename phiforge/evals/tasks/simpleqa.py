"""SimpleQA: short questions of fact with one answer, where not knowing may be said (Wei et al., arXiv:2411.04368)."""

import re
from pathlib import Path

from phiforge.engine.request import Sampling
from phiforge.evals.log import Grade
from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.lm import LanguageModel
from phiforge.records import Message, Problem

GET = (
    "MIT: simple_qa_test_set.csv, which https://github.com/openai/simple-evals reads (simpleqa_eval.py says from where), in a "
    "folder simpleqa"
)
PROMPT = Path(__file__).with_name("_simpleqa.txt").read_text("utf-8").strip()  # simple-evals' grader, to the letter
_GRADE = re.compile(r"\W*(A|B|C|CORRECT|INCORRECT|NOT[ _]ATTEMPTED)\b")


def item(row: Row, index: int) -> Problem:
    return Problem(id="", messages=[Message("user", row["problem"])], answer=row["answer"])


def judge(lm: LanguageModel, problem: Problem, answers: list[str]) -> Grade:
    """Ask for A (correct), B (incorrect) or C (not attempted). A reply that begins with none of them counts as C."""
    asked = PROMPT.format(question=question(problem), target=problem.answer, predicted_answer=answers[-1])
    (reply,) = lm.chat([Message("user", asked)], sampling=Sampling(temperature=0.0, max_tokens=1024))
    said = reply.message.text.strip()
    found = _GRADE.match(said)
    grade = found[1].replace(" ", "_") if found else "NOT_ATTEMPTED"
    told = said[:200] if found else f"the judge gave no grade: {said[:200]}"
    if grade in ("A", "CORRECT"):
        return Grade("right", 1.0, told, measures={"attempted": 1.0})
    if grade in ("B", "INCORRECT"):
        return Grade("wrong", 0.0, told, measures={"attempted": 1.0})
    return Grade("refused", 0.0, told, measures={"attempted": 0.0})


TASK = Task(
    data={"test": Files(folder="simpleqa", files="*.csv", hub="basicv8vc/SimpleQA", get=GET)},
    item=item,
    metric="f1",
    protocols={
        "phi4": Generate(
            words="simple-evals: the question alone, T = 0.5; a model with its grading prompt says A (correct), B "
            "(incorrect) or C (not attempted), greedily. There the judge is GPT-4o; another's grades do not compare.",
            temperature=0.5, judge=judge,
        ),
    },
    published={"Phi-4": 3.0, "GPT-4o-mini": 9.9, "Qwen-2.5-14B": 5.4, "Llama-3.3-70B": 20.9},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1 (F1)",
)  # fmt: skip
