"""A recipe from problems or documents of one's own: a part is kept aside to measure on, the rest is learnt from.

<out>/own.toml                 the recipe, to be read and changed
<out>/own/learn.jsonl, test.jsonl
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from phiforge import verify
from phiforge.data import seeds as seedbed
from phiforge.data.seeds import Seed
from phiforge.forge.recipe import Eval, Forge, write_forge
from phiforge.records import Example, Message, Problem, Provenance, write_jsonl
from phiforge.train.distil import Sampled
from phiforge.train.grpo import Settings
from phiforge.train.optim import Optimizer
from phiforge.train.recipe import AnyStage, Data, Distil, Grpo, Lora, Sft, Start

QUESTIONS = ("question", "problem", "prompt", "text", "input")  # what a file's column of questions may be called
KEPT_ASIDE = 5  # one in so many, at most MOST
MOST = 200
VARIED = 20  # rows with other numbers for each annotated problem, at most ROWS
ROWS = 5000
FEWEST = 10
READING = ["language.reading", "language.claims", "language.multihop"]
OTHERS = [Eval(task="mmlu", limit=114), Eval(task="perplexity", limit=20)]  # what must not get worse

R = TypeVar("R")
_NOTE = re.compile(r"<<[^<>]*>>")


class Passage(Struct):
    """A row of a file of texts."""

    text: str


def from_seeds(file: str, out: Path, model: str, teacher: str = "") -> Forge:
    """From problems with answers. Worked solutions (before a last line "#### answer", as GSM8K has them) are learnt, and with
    calculator notes varied; a teacher's right answers are learnt; then the model's own are rewarded.

    Raises OSError for a missing file, ValueError for a row that cannot be judged, or too few of them.
    """
    column = _column(file)
    rows = [_example(file, seed) for seed in seedbed.read(file, column)]
    learn, aside = _apart(file, rows)
    own = _folder(out)
    write_jsonl(own / "learn.jsonl", learn)
    write_jsonl(own / "test.jsonl", aside)
    data = {name: Data(path=str(own / f"{name}.jsonl")) for name in ("learn", "test")}
    solved = [row for row in learn if row.response.thinking]
    taught = ["learn"] if solved else []
    if annotated := [Annotated(each.problem.messages[-1].text, str(each.problem.metadata["notes"])) for each in solved
                     if "<<" in each.problem.metadata["notes"]]:  # fmt: skip
        write_jsonl(own / "annotated.jsonl", annotated)
        data["varied"] = Data(
            pipelines=["words.varied"], seeds=str(own / "annotated.jsonl"), column="question", length="short",
            rows=min(ROWS, VARIED * len(annotated)),
        )  # fmt: skip
        taught.append("varied")
    stages: list[AnyStage] = []
    gentle = Optimizer(lr=3e-4, schedule="linear", weight_decay=0.0)
    if taught:
        stages.append(Sft(data=taught, epochs=2, batch=2048, micro=2048, lora=Lora(), optimizer=gentle))
    if teacher or not taught:
        stages.append(
            Distil(
                data=["learn"],
                teacher=teacher,
                batch=2048,
                micro=2048,
                lora=Lora(),
                optimizer=gentle,
                sampled=Sampled(),
            )
        )
    stages.append(
        Grpo(data=["learn"], steps=20, settings=Settings(prompts=16, group=8, longest=256), lora=Lora(),
             optimizer=Optimizer(lr=1e-4, schedule="constant", weight_decay=0.0))
    )  # fmt: skip
    evals = [Eval(data="test", learn=True, limit=MOST), *OTHERS]
    return Forge(
        name=f"{Path(file).stem}-forged", out=str(out), start=Start(model=model), data=data, stage=stages, eval=evals
    )


def from_documents(folder: str, out: Path, model: str, teacher: str = "") -> Forge:
    """From documents: a teacher (or the model itself) asks questions about passages, and what stands up to a second reading is
    learnt. Raises OSError for a missing folder, ValueError for one without texts."""
    learn, aside = _apart(folder, [Passage(seed.text) for seed in seedbed.read(folder)])
    own = _folder(out)
    write_jsonl(own / "learn.jsonl", learn)
    write_jsonl(own / "test.jsonl", aside)
    data = {
        name: Data(pipelines=READING, seeds=str(own / f"{name}.jsonl"), rows=len(rows), teacher=teacher)
        for name, rows in (("learn", learn), ("test", aside))
    }
    optimizer = Optimizer(lr=3e-4, schedule="linear", weight_decay=0.0)
    stage = Sft(data=["learn"], epochs=2, batch=2048, micro=2048, lora=Lora(), optimizer=optimizer)
    evals = [Eval(data="test", learn=True, limit=MOST), *OTHERS]
    return Forge(
        name=f"{Path(folder).name}-forged",
        out=str(out),
        start=Start(model=model),
        data=data,
        stage=[stage],
        eval=evals,
    )


class Annotated(Struct):
    """A problem with its worked solution, calculator notes in place: what `words.varied` starts from."""

    question: str
    answer: str


def write(recipe: Forge) -> Path:
    """Write own.toml, to be read, changed and carried out again."""
    return write_forge(recipe, recipe.path / "own.toml")


def _column(file: str) -> str:
    row = next(iter(seedbed.rows(file)), {})
    found = next((name for name in QUESTIONS if name in row), None)
    if found is None or "answer" not in row:
        raise ValueError(
            f"{file}: problems need a column `answer`, and one of {', '.join(QUESTIONS)}; it has {', '.join(row) or 'none'}"
        )
    return found


def _example(file: str, seed: Seed) -> Example:
    solution, _, last = seed.answer.rpartition("####")
    answer = last.strip().replace(",", "") if solution else seed.answer.strip()
    metadata = {"notes": seed.answer} if solution else {}
    problem = Problem(seed.id, [Message("user", seed.text.strip())], answer, "math", metadata=metadata)
    said = f"Answer: \\boxed{{{answer}}}"
    if not answer or not verify.get("math")(said, problem).correct:
        raise ValueError(
            f"{file}: the answer {seed.answer!r} of {seed.id} cannot be judged: it should be a value or a few words"
        )
    thinking = _NOTE.sub("", solution).strip() or None
    return Example(
        problem, Message("assistant", said, thinking=thinking), Provenance(f"own/{Path(file).name}", [seed.id])
    )


def _apart(what: str, rows: list[R]) -> tuple[list[R], list[R]]:
    """Those to learn from, and those to measure on."""
    if len(rows) < FEWEST:
        raise ValueError(
            f"{what} has {len(rows)}; {FEWEST} are needed at least, as a part is kept aside to measure on"
        )
    each = max(KEPT_ASIDE, -(-len(rows) // MOST))
    return [row for i, row in enumerate(rows) if i % each], rows[::each]


def _folder(out: Path) -> Path:
    own = out / "own"
    own.mkdir(parents=True, exist_ok=True)
    return own
