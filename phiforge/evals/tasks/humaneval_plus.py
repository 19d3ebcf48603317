"""HumanEval+: HumanEval's functions against about 80 times as many tests (EvalPlus, arXiv:2305.01210)."""

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks import humaneval
from phiforge.evals.tasks._prompts import evalplus
from phiforge.records import Problem

GET = "Apache-2.0, from https://huggingface.co/datasets/evalplus/humanevalplus: its Parquet file, or its rows as JSON lines"
SECONDS = 60.0  # a thousand calls and more, each from one process to another


def item(row: Row, index: int) -> Problem:
    """The hub's rows have HumanEval's fields; their `test` holds inputs and results. Raises ValueError for EvalPlus' releases."""
    if "test" not in row:
        raise ValueError(f"{row.get('task_id')} has inputs, but no results to compare with; {GET}")
    problem = humaneval.item(row, index)
    problem.verifier_args["seconds"] = SECONDS
    return problem


TASK = Task(
    data={"test": Files(folder="humaneval_plus", files="*.*", hub="evalplus/humanevalplus", get=GET)},
    item=item,
    protocols={
        "phi4": Generate(words="As HumanEval by simple-evals, T = 0.5, one answer (the report does not say its own prompt).",
                         prompt=humaneval.simple_evals, temperature=0.5),
        "evalplus": Generate(words="EvalPlus' chat prompt, one greedy answer, 768 tokens.", prompt=evalplus, max_tokens=768),
        "completion": humaneval.PROTOCOLS["completion"],
    },
    published={"Phi-4": 82.8, "GPT-4o-mini": 82.0, "Qwen-2.5-14B": 79.1, "Llama-3.3-70B": 77.9},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
)  # fmt: skip
