"""MBPP+: 378 of MBPP's functions, mended, against about 35 times as many tests (EvalPlus, arXiv:2305.01210)."""

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks import mbpp
from phiforge.evals.tasks._prompts import evalplus
from phiforge.evals.tasks.humaneval_plus import SECONDS
from phiforge.records import Message, Problem

GET = "Apache-2.0, from https://huggingface.co/datasets/evalplus/mbppplus: its Parquet file, or its rows as JSON lines"


def item(row: Row, index: int) -> Problem:
    """`test` holds inputs and results. The problem is EvalPlus' docstring: the sentence and the first assertion."""
    if "test" not in row:
        raise ValueError(f"{row.get('task_id')} has inputs, but no results to compare with; {GET}")
    problem = mbpp.item(row, index)
    entry = problem.verifier_args["entry_point"]
    return Problem(
        id=problem.id.replace("mbpp", "mbpp_plus"),
        messages=[Message("user", f'"""\n{question(problem)}\n{row["test_list"][0]}\n"""\n')],
        answer=problem.answer,
        verifier="code",
        verifier_args={"tests": row["test"], "entry_point": entry, "seconds": SECONDS},
    )


TASK = Task(
    data={"test": Files(folder="mbpp_plus", files="*.*", hub="evalplus/mbppplus", get=GET)},
    item=item,
    protocols={
        "evalplus": Generate(words="EvalPlus' chat prompt, one greedy answer, 768 tokens.", prompt=evalplus, max_tokens=768),
    },
)  # fmt: skip
