"""AIME: the American Invitational Mathematics Examination, 30 problems a year with whole numbers as answers."""

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Scores, Task
from phiforge.evals.tasks.gsm8k import boxed
from phiforge.records import Message, Problem

GET = "the problems are the Mathematical Association of America's; as lines with problem and answer"


def item(row: Row, index: int) -> Problem:
    """The copies of this data set call their columns differently."""
    row = {key.casefold(): value for key, value in row.items()}
    return Problem(
        id="",
        messages=[Message("user", (row.get("problem") or row["question"]).strip())],
        answer=str(row["answer"]).strip(),
        verifier="math",
        metadata={"subset": str(row.get("year", ""))},
    )


TASK = Task(
    data={
        "2025": Files(folder="aime", files="2025*", hub="math-ai/aime25", get=GET),
        "2024": Files(folder="aime", files="2024*", hub="Maxwell-Jia/AIME_2024", split="train", get=GET),
        "1983-2024": Files(folder="aime", files="1983*", hub="gneubig/aime-1983-2024", split="train", get=GET),
    },
    item=item,
    protocols={
        "reasoning": Generate(
            words="Zero-shot chat, step by step, the answer in \\boxed{}; T = 0.8, top-p 0.95, 50 repeats, without "
            "which 30 problems say little (the Phi-4-reasoning report).",
            prompt=boxed, temperature=0.8, top_p=0.95, max_tokens=31_744, repeats=50,
        ),
        "mini": Generate(
            words="The same at T = 0.6, 32,768 tokens, 8 repeats, as the small reasoning models are measured (their "
            "card; the number of repeats is not given).",
            prompt=boxed, temperature=0.6, top_p=0.95, max_tokens=32_768, repeats=8,
        ),
        "chat": Generate(
            words="As reasoning, but once and greedy.",
            prompt=boxed, max_tokens=8_192,
        ),
    },
    published={
        "Phi-4-reasoning": 63.1, "Phi-4-reasoning-plus": 78.0, "R1-Distill-70B": 51.5, "R1": 70.4, "o1": 71.4,
        "o3-mini-high": 82.5,
    },
    published_as="reasoning",
    source="Phi-4-reasoning Technical Report, arXiv:2504.21318 (2025)",
    also_published=[Scores(scores={"Phi-4-mini-reasoning": 31.77, "Phi-4-mini-flash-reasoning": 33.59}, protocol="mini",
                           source="Phi-4-mini-flash-reasoning model card (2025)")],
)  # fmt: skip
