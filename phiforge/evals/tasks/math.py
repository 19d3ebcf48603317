"""MATH: 5,000 competition problems of seven subjects and five levels (Hendrycks et al., arXiv:2103.03874)."""

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks.gsm8k import boxed
from phiforge.records import Message, Problem
from phiforge.verify.math_extract import boxed as inside

GET = "MIT, from https://github.com/hendrycks/math: MATH.tar unpacked, so that there is MATH/test/algebra/1.json"
SUBJECTS = "algebra,counting_and_probability,geometry,intermediate_algebra,number_theory,prealgebra,precalculus"


def item(row: Row, index: int) -> Problem:
    """The answer is its own column in MATH-500, else the last \\boxed{} of the solution."""
    answer = row.get("answer") or inside(row["solution"])
    if not answer:
        raise ValueError(f"row {index}: the solution has no \\boxed answer")
    return Problem(
        id=str(row.get("unique_id", "")).removesuffix(".json"),
        messages=[Message("user", row["problem"])],
        answer=answer,
        verifier="math",
        metadata={"subset": row.get("subject") or row.get("type") or "", "level": str(row.get("level", ""))},
    )


def simple_evals(problem: Problem) -> str:
    return (
        "Solve the following math problem step by step. The last line of your response should be of the form ANSWER: $ANSWER "
        f"(without quotes) where $ANSWER is the answer to the problem.\n\n{question(problem)}\n\n"
        'Remember to put your answer on its own line after "ANSWER:", and you do not need to use a \\boxed command.'
    )


PROTOCOLS = {
    "chat": Generate(
        words="Zero-shot chat, step by step, the answer in \\boxed{}; greedy.",
        prompt=boxed,
    ),
    "phi4": Generate(
        words="simple-evals: zero-shot chat, step by step, T = 0.5, the answer after 'ANSWER:'. There a model "
        "decides what is equal, here the verifier does.",
        prompt=simple_evals, temperature=0.5,
    ),
    "reasoning": Generate(
        words="As chat, at T = 0.8, top-p 0.95, mean of 5 repeats (the Phi-4-reasoning report).",
        prompt=boxed, temperature=0.8, top_p=0.95, max_tokens=31_744, repeats=5,
    ),
}  # fmt: skip

TASK = Task(
    data={
        "test": Files(folder="MATH", files="test/*/*.json", hub="EleutherAI/hendrycks_math", config=SUBJECTS, get=GET)
    },
    item=item,
    protocols=PROTOCOLS,
    published={"Phi-4": 80.4, "GPT-4o-mini": 73.0, "Qwen-2.5-14B": 75.6, "Llama-3.3-70B": 66.3},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
)
