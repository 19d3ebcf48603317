"""Arena-Hard: hard questions of users, each answer weighed against a baseline's by a language model (arXiv:2406.11939)."""

import re

from phiforge.engine.request import Sampling
from phiforge.evals.log import Grade
from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Scores, Task
from phiforge.evals.tasks import _prompts
from phiforge.lm import LanguageModel
from phiforge.records import Message, Problem

GET = (
    "Apache-2.0, from https://github.com/lmarena/arena-hard-auto and its data set lmarena-ai/arena-hard-auto: {0}_question.jsonl "
    "is its question.jsonl, {0}_baseline.jsonl the file model_answer/{1}.jsonl"
)
_V01 = GET.format("arena-hard-v0.1", "gpt-4-0314")
_V2 = (
    GET.format("arena-hard-v2.0", "o3-mini-2025-01-31")
    + ", with gemini-2.0-flash-001's answers where category is creative_writing"
)
_VERDICT = (re.compile(r"\[\[([AB<>=]+)\]\]"), re.compile(r"\[([AB<>=]+)\]"))
# What a verdict is worth to A, and how much it counts: a clear one as three slight ones (arena-hard-auto's show_result.py).
_WORTH = {"A>>B": (1.0, 3), "A>B": (1.0, 1), "A=B": (0.5, 1), "B>A": (0.0, 1), "B>>A": (0.0, 3)}
_WORTH |= {"B<<A": (1.0, 3), "B<A": (1.0, 1), "B=A": (0.5, 1), "A<B": (0.0, 1), "A<<B": (0.0, 3)}


def item(row: Row, index: int) -> Problem:
    """The baseline's answer is in another file's row of the same uid, as arena-hard-auto writes it."""
    if "messages" not in row:
        raise ValueError(f"{row['uid']} has no baseline answer; {_V01 if 'v0.1' in row['_file'] else _V2}")
    baseline = row["messages"][-1]["content"]
    return Problem(
        id=row["uid"],
        messages=[Message("user", row["prompt"])],
        answer=baseline["answer"] if isinstance(baseline, dict) else baseline,
        metadata={"subset": row.get("subcategory", ""), "creative": row["category"] == "creative_writing", "baseline": row["model"]},
    )  # fmt: skip


def judged(judge: LanguageModel, problem: Problem, answers: list[str]) -> Grade:
    """The share won of two games, the baseline's answer shown first and then last; a clear verdict counts three times."""
    prompt, own, other = problem.messages[-1].text, answers[-1], problem.answer
    asked = [
        _prompts.arena(prompt, a, b, creative=problem.metadata["creative"]) for a, b in ((other, own), (own, other))
    ]
    said = [
        reply.message.text for (reply,) in judge.chat_many(asked, sampling=Sampling(temperature=0.0, max_tokens=4096))
    ]
    verdicts = [next((found[-1] for p in _VERDICT if (found := p.findall(text.upper()))), "") for text in said]
    reason = f"{verdicts[0] or '?'} as B, {verdicts[1] or '?'} as A, against {problem.metadata['baseline']}"
    shown = f"{reason}\n\n{said[0].strip()}\n\n{said[1].strip()}"
    if not all(verdict in _WORTH for verdict in verdicts):
        return Grade("error", 0.0, f"the judge gave no verdict: {shown}")
    (first, weight), (second, other_weight) = (_WORTH[verdict] for verdict in verdicts)
    won, games = (1 - first) * weight + second * other_weight, float(weight + other_weight)
    measures = {"win rate": won, "of win rate": games}
    return Grade("right" if won == games else "wrong", won / games, shown, measures=measures)


def files(name: str, get: str) -> Files:
    return Files(
        folder="arena_hard", files=f"{name}_question.jsonl", more=f"{name}_baseline.jsonl", key="uid", get=get
    )


WORDS = (
    "The prompt as it is, {}; the judge compares with the baseline's answer by Arena-Hard's prompt, in both orders. The score is "
    "the mean share won; measure `win rate` is Arena-Hard's own, over all games, without style control."
)
TASK = Task(
    data={"v0.1": files("arena-hard-v0.1", _V01), "v2": files("arena-hard-v2.0", _V2)},
    item=item,
    metric="score",
    protocols={
        "phi4": Generate(words=WORDS.format("T = 0.5, 4,096 tokens"), temperature=0.5, max_tokens=4096, judge=judged),
        "greedy": Generate(words=WORDS.format("greedy, 4,096 tokens"), max_tokens=4096, judge=judged),
        "reasoning": Generate(words=WORDS.format("T = 0.8, top-p 0.95"), temperature=0.8, top_p=0.95, max_tokens=31_744,
                              judge=judged),
    },
    published={"Phi-4": 75.4, "GPT-4o-mini": 76.2, "Qwen-2.5-14B": 70.2, "Llama-3.3-70B": 65.5},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1 (version 0.1)",
    also_published=[
        Scores(scores={"Phi-4": 68.1, "Phi-4-reasoning": 73.3, "Phi-4-reasoning-plus": 79.0, "GPT-4o": 69.0}, protocol="reasoning",
               source="Phi-4-reasoning Technical Report, arXiv:2504.21318"),
    ],
)  # fmt: skip
