"""Arena-Hard: hard questions of users, each answer weighed against a baseline's by a language model (arXiv:2406.11939)."""

from phiforge.evals.data import Missing
from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Scores, Task
from phiforge.evals.tasks import _judges
from phiforge.records import Message, Problem

GET = (
    "Apache-2.0, from https://github.com/lmarena/arena-hard-auto and its data set lmarena-ai/arena-hard-auto: {0}_question.jsonl "
    "is its question.jsonl, {0}_baseline.jsonl the file model_answer/{1}.jsonl"
)
GET_V01 = GET.format("arena-hard-v0.1", "gpt-4-0314")
GET_V2 = GET.format("arena-hard-v2.0", "o3-mini-2025-01-31") + " (of creative writing: gemini-2.0-flash-001.jsonl)"
WORDS = (
    "The prompt as it is, {}; the judge compares with the baseline's answer by Arena-Hard's prompt, in both orders. The score is "
    "the mean share won; measure `win rate` is Arena-Hard's own, over all games, without style control."
)


def item(row: Row, index: int) -> Problem:
    """The baseline's answer is in another file's row of the same uid, as arena-hard-auto writes it."""
    if "messages" not in row:
        get = GET_V01 if "v0.1" in row["_file"] else GET_V2
        raise Missing(f"no data: {row['uid']} has no answer of the baseline to compare with; {get}")
    said = row["messages"][-1]["content"]
    creative = row["category"] == "creative_writing"
    return Problem(
        id=row["uid"],
        messages=[Message("user", row["prompt"])],
        answer=said["answer"] if isinstance(said, dict) else said,
        metadata={"subset": row.get("subcategory", ""), "creative": creative, "baseline": row["model"]},
    )


def files(name: str, get: str) -> Files:
    return Files(
        folder="arena_hard", files=f"{name}_question.jsonl", more=f"{name}_baseline.jsonl", key="uid", get=get
    )


def asked(how: str, temperature: float = 0.0, top_p: float | None = None, max_tokens: int = 4096) -> Generate:
    return Generate(
        words=WORDS.format(how), judge=_judges.compare, temperature=temperature, top_p=top_p, max_tokens=max_tokens
    )


TASK = Task(
    data={"v0.1": files("arena-hard-v0.1", GET_V01), "v2": files("arena-hard-v2.0", GET_V2)},
    item=item,
    metric="score",
    protocols={
        "phi4": asked("T = 0.5", temperature=0.5),
        "greedy": asked("greedy"),
        "reasoning": asked("T = 0.8, top-p 0.95", temperature=0.8, top_p=0.95, max_tokens=31_744),
    },
    published={"Phi-4": 75.4, "GPT-4o-mini": 76.2, "Qwen-2.5-14B": 70.2, "Llama-3.3-70B": 65.5},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1 (version 0.1)",
    also_published=[
        Scores(scores={"Phi-4": 68.1, "Phi-4-reasoning": 73.3, "Phi-4-reasoning-plus": 79.0, "GPT-4o": 69.0},
               protocol="reasoning", source="Phi-4-reasoning Technical Report, arXiv:2504.21318"),
    ],
)  # fmt: skip
