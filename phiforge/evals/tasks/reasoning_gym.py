"""Any task of reasoning-gym, named as the part: puzzles and sums by the hundred kinds, made from a seed (arXiv:2505.24760)."""

from collections.abc import Iterator

from phiforge.evals.protocol import Generate, question
from phiforge.evals.task import Made, Row, Task
from phiforge.records import Message, Problem
from phiforge.verify import reasoning_gym as gym


def make(part: str, seed: int, n: int) -> Iterator[Row]:
    """`n` questions of the task `part`, by its default settings. Raises ValueError without the package, a task or a known one."""
    if not part:
        raise ValueError(f"name a task, as in reasoning_gym:leg_counting; there are {', '.join(gym.tasks())}")
    for i, entry in enumerate(gym.make(part, seed, n)):
        yield {"task": part, "seed": seed, "size": n, "index": i} | entry


def item(row: Row, index: int) -> Problem:
    return Problem(
        id=f"reasoning_gym/{row['task']}/{row['seed']}/{row['index']}",
        messages=[Message("user", row["question"])],
        answer=row["answer"],
        verifier="reasoning_gym",
        verifier_args={key: row[key] for key in ("task", "seed", "size", "index")},
    )


def tagged(problem: Problem) -> str:
    return (
        f"{question(problem)}\n\nGive your final answer between <answer> and </answer>, and nothing else in between."
    )


WORDS = "The question, the answer asked for in <answer> tags and scored by the task itself, part marks counting; {}."
TASK = Task(
    data={"made": Made(make=make, n=100, parts=gym.tasks)},
    item=item,
    metric="score",
    protocols={
        "chat": Generate(words=WORDS.format("greedy"), prompt=tagged),
        "reasoning": Generate(words=WORDS.format("T = 0.8, top-p 0.95, 5 repeats"), prompt=tagged, temperature=0.8, top_p=0.95,
                              max_tokens=31_744, repeats=5),
    },
)  # fmt: skip
