"""GPQA diamond: 198 questions of biology, chemistry and physics that a search does not answer (Rein et al., arXiv:2311.12022)."""

import random

from phiforge.evals.protocol import Choice, Generate, options, question, step_by_step
from phiforge.evals.task import Files, Row, Scores, Task
from phiforge.records import Message, Problem

GET = (
    "CC BY 4.0, and its authors ask not to show it in plain text on the web: gpqa_diamond.csv out of dataset.zip of "
    "https://github.com/idavidrein/gpqa (its README has the password), as gpqa/gpqa_diamond.csv"
)


def item(row: Row, index: int) -> Problem:
    """The options are shuffled by the question, so the same in every run and repeat."""
    texts = [row["Correct Answer"], *(row[f"Incorrect Answer {i}"] for i in (1, 2, 3))]
    order = random.Random(row["Question"]).sample(range(4), 4)
    return Problem(
        id="",
        messages=[Message("user", row["Question"])],
        answer="ABCD"[order.index(0)],
        verifier="choice",
        verifier_args={"options": [texts[i] for i in order]},
        metadata={"subset": row.get("High-level domain") or ""},
    )


def choices(problem: Problem) -> str:
    """lm-eval's gpqa."""
    texts = (text.strip().replace(" [title]", ". ").replace("  ", " ") for text in options(problem))
    lines = "\n".join(f"({letter}) {text}" for letter, text in zip("ABCD", texts, strict=True))
    return f"What is the correct answer to this question:{question(problem)}\nChoices:\n{lines}\nAnswer:"


TASK = Task(
    data={
        "test": Files(
            folder="gpqa", files="gpqa_diamond.csv", hub="Idavidrein/gpqa", config="gpqa_diamond", split="train", get=GET,
        ),
    },
    item=item,
    protocols={
        "phi4": Generate(
            words="simple-evals: zero-shot chat, thinking step by step, T = 0.5, 'Answer: X' extracted, 10 repeats. "
            "There each repeat has its own order of options.",
            prompt=step_by_step, temperature=0.5, repeats=10,
        ),
        "letter": Choice(
            words="Zero-shot; the likeliest of ' (A)' to ' (D)' (lm-eval's gpqa_diamond_zeroshot, whose order of "
            "options is random).",
            prompt=choices, choices=lambda p: [f" ({letter})" for letter in "ABCD"],
        ),
        "reasoning": Generate(
            words="As phi4, at T = 0.8, top-p 0.95, mean of 5 repeats (the Phi-4-reasoning report).",
            prompt=step_by_step, temperature=0.8, top_p=0.95, max_tokens=31_744, repeats=5,
        ),
    },
    published={"Phi-4": 56.1, "GPT-4o-mini": 40.9, "Qwen-2.5-14B": 42.9, "Llama-3.3-70B": 49.1},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
    also_published=[Scores(
        scores={"Phi-4-reasoning": 67.1, "Phi-4-reasoning-plus": 69.3, "R1": 73.0, "o1": 76.7, "o3-mini-high": 77.7},
        protocol="reasoning", source="Phi-4-reasoning Technical Report, arXiv:2504.21318",
    )],
)  # fmt: skip
