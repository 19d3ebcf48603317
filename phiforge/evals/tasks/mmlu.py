"""MMLU: four-way questions of 57 school and professional subjects (Hendrycks et al., arXiv:2009.03300)."""

from phiforge.evals.protocol import Choice, Generate, cloze, lettered, spaced_options, step_by_step
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

GET = "MIT, from https://github.com/hendrycks/test: one CSV a subject with a header, answers 0 to 3"


def item(row: Row, index: int) -> Problem:
    """Local rows have choice0 to choice3 and their subject in the file's name; the hub's have `choices` and `subject`."""
    subject = row.get("subject") or row["_file"].removesuffix("_test").removesuffix("_dev").removesuffix("_val")
    texts = row.get("choices") or [row[f"choice{i}"] for i in range(4)]
    return Problem(
        id="",
        messages=[Message("user", row["question"])],
        answer="ABCD"[int(row["answer"])],
        verifier="choice",
        verifier_args={"options": texts},
        metadata={"subset": subject},
    )


def intro(problem: Problem) -> str:
    subject = problem.metadata["subset"].replace("_", " ")
    return f"The following are multiple choice questions (with answers) about {subject}.\n\n"


TASK = Task(
    data={
        "test": Files(folder="mmlu", files="test*/*.csv", hub="cais/mmlu", config="all", get=GET),
        "dev": Files(folder="mmlu", files="dev/*.csv", hub="cais/mmlu", config="all", split="dev", get=GET,
                     sha256="2dd8eb13a2f36076b343d8773a57a4e8d2de8e55172793ae316de72fe8209e03"),
    },
    item=item,
    shots="dev",
    protocols={
        "letter": Choice(words="5 worked examples of the subject; the likeliest of ' A' to ' D' (lm-eval's mmlu).", shots=5,
                         prompt=lettered, intro=intro),
        "cloze": Choice(words="5 worked examples; the likeliest option text, summed log-likelihood over its characters.", shots=5,
                        prompt=cloze, choices=spaced_options, intro=intro, per="char"),
        "phi4": Generate(words="simple-evals: zero-shot chat, thinking step by step, T = 0.5, 'Answer: X' extracted.",
                         prompt=step_by_step, temperature=0.5),
    },
    published={"Phi-4": 84.8, "GPT-4o-mini": 81.8, "Qwen-2.5-14B": 79.9, "Llama-3.3-70B": 86.3},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
)  # fmt: skip
