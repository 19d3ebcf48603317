"""MGSM: 250 of GSM8K's problems in each of eleven languages, translated by people (Shi et al., arXiv:2210.03057)."""

import json
from pathlib import Path

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks.gsm8k import boxed
from phiforge.records import Message, Problem

GET = "CC BY-SA 4.0, from https://github.com/google-research/url-nlp/tree/main/mgsm: mgsm_bn.tsv to mgsm_zh.tsv, in a folder mgsm"
# simple-evals' instructions by language, to the letter: the oddities of some are theirs.
INSTRUCTIONS: dict[str, str] = json.loads(Path(__file__).with_name("_mgsm.json").read_text("utf-8"))


def item(row: Row, index: int) -> Problem:
    """The language is in the file's name, or the hub's configuration."""
    asked, answer = (row["0"], row["1"]) if "0" in row else (row["question"], str(row["answer_number"]))
    return Problem(
        id="",
        messages=[Message("user", asked.strip())],
        answer=answer.strip().replace(",", ""),
        verifier="math",
        metadata={"subset": row["_file"].removeprefix("mgsm_")},
    )


def simple_evals(problem: Problem) -> str:
    return f"{INSTRUCTIONS[problem.metadata['subset']]}\n\n{question(problem)}"


TASK = Task(
    data={"test": Files(folder="mgsm", files="mgsm_*.tsv", hub="juletxara/mgsm", config=",".join(INSTRUCTIONS), get=GET)},
    item=item,
    protocols={
        "phi4": Generate(
            words="simple-evals: zero-shot chat, step by step in the problem's language, T = 0.5, the last number "
            "after that language's word for 'Answer'.",
            prompt=simple_evals, temperature=0.5, verifier="mgsm",
        ),
        "chat": Generate(
            words="Zero-shot chat, asked in English for steps and the answer in \\boxed{}; greedy.",
            prompt=boxed,
        ),
    },
    published={"Phi-4": 80.6, "GPT-4o-mini": 86.5, "Qwen-2.5-14B": 79.6, "Llama-3.3-70B": 89.1},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
)  # fmt: skip
