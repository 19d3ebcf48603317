"""MMLU-Pro: questions of 14 fields with up to ten options, harder than MMLU's (Wang et al., arXiv:2406.01574)."""

from string import ascii_uppercase

from phiforge.evals.protocol import Choice, Generate, letters, options, question, step_by_step
from phiforge.evals.task import Files, Row, Scores, Task
from phiforge.records import Message, Problem

GET = "MIT, from https://huggingface.co/datasets/TIGER-Lab/MMLU-Pro: the files of data/, test-*.parquet and validation-*.parquet"
TAUGHT = "Let's think step by step."


def item(row: Row, index: int) -> Problem:
    """Older copies of the data fill up to ten options with "N/A"."""
    return Problem(
        id="",
        messages=[Message("user", row["question"])],
        answer=row["answer"],
        verifier="choice",
        verifier_args={"options": [text for text in row["options"] if text != "N/A"]},
        metadata={"subset": row["category"], "solution": row["cot_content"].removeprefix(f"A: {TAUGHT}").strip()},
    )


def listed(problem: Problem) -> str:
    return "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options(problem), strict=False))


def intro(problem: Problem) -> str:
    return (
        f"The following are multiple choice questions (with answers) about {problem.metadata['subset']}. Think step by step "
        'and then finish your answer with "the answer is (X)" where X is the correct letter choice.\n\n'
    )


TASK = Task(
    data={
        "test": Files(folder="mmlu_pro", files="test*", hub="TIGER-Lab/MMLU-Pro", get=GET),
        "validation": Files(folder="mmlu_pro", files="validation*", hub="TIGER-Lab/MMLU-Pro", split="validation", get=GET),
    },
    item=item,
    shots="validation",
    protocols={
        "phi4": Generate(
            words="simple-evals' question with letters up to J, zero-shot chat, T = 0.5, 'Answer: X' extracted. The "
            "Phi-4 report does not say how it asked.",
            prompt=step_by_step, temperature=0.5,
        ),
        "5-shot": Generate(
            words="The authors': 5 worked examples of the field, thinking step by step, as text to continue; greedy; "
            "'the answer is (X)' extracted (lm-eval's mmlu_pro).",
            chat=False, intro=intro, shots=5, stop=("Question:",),
            prompt=lambda p: f"Question:\n{question(p)}\nOptions:\n{listed(p)}\nAnswer: {TAUGHT}",
        ),
        "letter": Choice(
            words="5 worked examples of the field; the likeliest of ' A' to ' J'.",
            shots=5, choices=letters, prompt=lambda p: f"{question(p)}\n{listed(p)}\nAnswer:",
        ),
        "reasoning": Generate(
            words="As phi4, at T = 0.8, top-p 0.95, as the Phi-4-reasoning models are measured.",
            prompt=step_by_step, temperature=0.8, top_p=0.95, max_tokens=31_744,
        ),
    },
    published={"Phi-4": 70.4, "GPT-4o-mini": 63.4, "Qwen-2.5-14B": 63.2, "Llama-3.3-70B": 64.4},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
    also_published=[Scores(scores={"Phi-4": 71.5, "Phi-4-reasoning": 74.3, "Phi-4-reasoning-plus": 76.0}, protocol="reasoning",
                           source="Phi-4-reasoning Technical Report, arXiv:2504.21318")],
)  # fmt: skip
