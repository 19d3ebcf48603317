"""The data of phiforge-135m-reasoning: `python recipes/reasoning/prepare.py`, then `phiforge train recipes/reasoning/train.toml`.

    <out>/dev.jsonl          GSM8K's training problems that nothing below is made from: one of 15, told by a hash of the question
    <out>/gsm8k.jsonl        the others, with their calculator notes as thoughts, each after what it is of
    <out>/varied.jsonl       the same with other numbers and names, computed anew
    <out>/backward.jsonl     the same asked backwards: from the answer to one of the numbers
    <out>/calculator.jsonl   gsm8k.jsonl and one in three of varied.jsonl once more, a calculator offered: a call for each note
    <out>/practice.jsonl     word, arithmetic, logic and calendar problems of the data factory
    <out>/practice-test.jsonl    the like from other seeds, in phrasings and of things that no row of the above has
    <out>/calls.jsonl        requests and tools, and when to ask back or to call nothing
    <out>/functions.jsonl    functions that compute, to be called even so
    <out>/unknown.jsonl      what it can't know, and says so
    <out>/chat.jsonl         what the start model says to everyday requests, to stay what it is
    <out>/wishes.jsonl       its answers that kept to how they were asked to be written
    <out>/tasks.jsonl        problems to answer in groups: GSM8K's, one in four of practice, and wishes that were kept to
    <out>/sums/sums.txt      the equations of gsm8k.jsonl and varied.jsonl, a line each
    <out>/text/*.txt         documentation, to go on reading well: half of docs_corpus, the other half is measured on

Thoughts are short, one equation a line after a few words that say what it is of (labels.py): on two cores every token counts, and
small models learn more from equations than from sentences about them (docs/log.md). What can't be computed in one's head is
computed by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import re
import shutil
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from random import Random

import msgspec
from everyday import requests, unknown, wishes
from labels import NOTE, Labels
from msgspec.structs import replace

from phiforge import verify
from phiforge.data import mixture, seeds
from phiforge.data import run as factory
from phiforge.data.by_hand import spelled
from phiforge.data.curate.benchmark import Item
from phiforge.data.curate.decontaminate import Decontaminator
from phiforge.data.pipelines.words._annotated import evaluate, value
from phiforge.data.rows import Unfit
from phiforge.engine.request import Sampling
from phiforge.evals import data as sets
from phiforge.evals import task as tasks
from phiforge.evals.protocol import question
from phiforge.lm import open_model
from phiforge.lm.base import LanguageModel
from phiforge.lm.tools import CALCULATOR, calculate
from phiforge.records import Example, Message, Problem, Provenance, ToolCall, write_jsonl

DEV = 15  # one problem of so many
VARIED, BACKWARD = 20_000, 12_000  # rows
PRACTICE, CALLS, FUNCTIONS = 400, 1_500, 8_000  # rows of each pipeline
PHRASINGS = 8  # of a pipeline's templates, one of so many is kept for the test
TESTED = 40  # problems of each pipeline
WISHES = 300  # requests, of which each is answered three times
SUMS = ["words.ages", "words.calendars", "words.clocks", "words.coins", "words.discounts", "words.interest", "words.inventory",
        "words.mixtures", "words.recipes", "words.savings", "words.sharing", "words.shopping", "words.travel", "words.work",
        "arithmetic.chains", "arithmetic.fractions", "arithmetic.percent", "arithmetic.ratios", "arithmetic.units",
        "logic.state", "logic.syllogisms", "logic.temporal", "logic.spatial", "logic.knights"]  # fmt: skip
HARD = ["words.recipes", "words.savings", "words.work", "arithmetic.fractions", "logic.knights", "logic.spatial",
        "logic.state", "logic.syllogisms", "logic.temporal"]  # fmt: skip
TOOLS = ["agents.single", "agents.irrelevant", "agents.missing", "agents.parallel"]
TEXTS = ["inspect_ai.txt", "llm.txt", "torchtune.txt", "vega-lite.txt"]
TESTS = ["bfcl", "humaneval", "ifeval", "math500", "mbpp", "mmlu"]
BASE = Provenance("smollm2-135m-instruct", licence="apache-2.0")
LONGEST = 1200  # characters of the tools of a row of `calls` or `functions`
BOXED = (
    "\n\nPlease reason step by step, and put your final answer within \\boxed{}."  # how many ask, and one row in four
)

_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="benchmarks, and gsm8k/train.jsonl")
    parser.add_argument("--out", type=Path, default=Path("runs/reasoning/data"))
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    learn, dev = split(seeds.read(str(options.data / "gsm8k/train.jsonl"), "question"))
    held = [Item("dev", problem.id, problem.messages[-1].text) for problem in dev]
    leaks = Decontaminator([*held, *benchmarks(options.data)])

    def save(name: str, rows: Iterable[Example]) -> list[Example]:
        kept = [row for row in rows if leaks(text(row)) is None]
        print(f"{out / name}: {write_jsonl(out / name, kept):,} rows")
        return kept

    write_jsonl(out / "dev.jsonl", dev)
    labels = Labels(f"{seed.text} {seed.answer}" for seed in learn)
    noted = save("gsm8k.jsonl", (boxed(row) for seed in learn if (row := worked(seed, labels))))
    clean = {row.problem.id for row in noted}
    seed_rows = [{"question": seed.text, "answer": seed.answer} for seed in learn if seed.id in clean]
    write_jsonl(out / "seeds.jsonl", seed_rows)
    annotated = {"seeds": str(out / "seeds.jsonl"), "column": "question"}
    varied = made(out / "varied", ["words.varied"], VARIED, level=2, **annotated)
    renumbered = save("varied.jsonl", (row for each in varied if (row := again(each, labels))))
    save("calculator.jsonl", (with_calculator(row) for row in [*noted, *renumbered[::3]]))
    backward = made(out / "backward", ["words.backward"], BACKWARD, level=2, **annotated)
    save("backward.jsonl", (row for each in backward if (row := again(each, labels))))
    (out / "sums").mkdir(exist_ok=True)
    (out / "sums/sums.txt").write_text(sums([*noted, *renumbered]))
    easy = made(out / "practice", SUMS, PRACTICE, level=1)
    hard = made(out / "hard", HARD, 2 * PRACTICE, level=1, seed=2)
    practice = save("practice.jsonl", (row for row in itertools.chain(easy, hard) if not unseen(row)))
    test = (row.problem for row in made(out / "practice-test", SUMS, 2 * PRACTICE, level=1, seed=1) if unseen(row))
    of_each = itertools.groupby(test, lambda problem: problem.id.split("/")[0])
    write_jsonl(out / "practice-test.jsonl", (each for _, some in of_each for each in itertools.islice(some, TESTED)))
    for name, pipelines, n in (("calls", TOOLS, CALLS), ("functions", ["agents.functions"], FUNCTIONS)):
        rows = made(out / name, pipelines, n, level=1)
        save(f"{name}.jsonl", (row for row in rows if len(str(row.problem.metadata["tools"])) < LONGEST))
    with open_model("smollm2-135m-instruct", dtype="int8") as base:
        save("chat.jsonl", chat(base))
        wished = save("wishes.jsonl", granted(base))
    save("unknown.jsonl", unknown())
    save("tasks.jsonl", [*noted, *practice[::4], *{row.problem.id: row for row in wished}.values()])
    (out / "text").mkdir(exist_ok=True)
    for name in TEXTS:
        shutil.copy(options.data / "docs_corpus" / name, out / "text")
    (out / "decontamination.json").write_bytes(msgspec.json.format(msgspec.json.encode(leaks.report)))


def benchmarks(folder: Path) -> Iterator[Item]:
    """The items of the tests that are at hand."""
    for name in TESTS:
        task = tasks.get(name)
        source = task.data[task.split]
        assert isinstance(source, tasks.Files)
        for each in sets.problems(task, sets.load(source, folder, unpinned=True), task.split):
            yield Item(name, each.id, "\n".join([question(each), *map(str, each.verifier_args.get("options") or ())]))


def text(row: Example) -> str:
    """Of a row, what could be a test's: what is asked and said, but not the tools, and not what all rows are asked alike."""
    return "\n".join(m.text for m in (*row.problem.messages, row.response) if m.role != "system").replace(BOXED, "")


def made(place: Path, pipelines: list[str], rows: int, *, seed: int = 0, level: int, **of: str) -> Iterator[Example]:
    """Rows of the data factory, each pipeline's in turn."""
    make = factory.Make(pipelines, rows, level, "worked", **of)
    factory.execute(factory.plan(factory.Config(str(place), [make], seed=seed)))
    return mixture.rows(str(place))


def unseen(row: Example) -> bool:
    """Whether a row's phrasing, which its template names, is kept for the test."""
    phrasing = f"{row.problem.id.split('/')[0]} {row.problem.metadata['template']}"
    return int(hashlib.sha256(phrasing.encode()).hexdigest(), 16) % PHRASINGS == 0


def split(rows: Iterable[seeds.Seed]) -> tuple[list[seeds.Seed], list[Problem]]:
    """The problems to learn from, and those of the dev set."""
    learn: list[seeds.Seed] = []
    dev: list[Problem] = []
    for seed in rows:
        if int(hashlib.sha256(seed.text.encode()).hexdigest(), 16) % DEV:
            learn.append(seed)
        else:
            dev.append(problem(seed))
    return learn, dev


def problem(seed: seeds.Seed) -> Problem:
    answer = seed.answer.rpartition("####")[2].strip().replace(",", "")
    return Problem(
        seed.id, [Message("user", seed.text.strip())], answer, "math", metadata={"notes": NOTE.findall(seed.answer)}
    )


def worked(seed: seeds.Seed, labels: Labels) -> Example | None:
    """A row whose thought is the calculator notes of a solution, each after its label; None where a note is wrong, or they
    don't lead to the answer."""
    asked = problem(seed)
    notes = [(left.replace(" ", ""), right.strip().replace(",", "")) for left, right in asked.metadata["notes"]]
    try:
        right = all(computed(left) == value(result) for left, result in notes)
        if not notes or not right or value(notes[-1][1]) != value(asked.answer):
            return None
    except (Unfit, ValueError):
        return None
    heads = [f"{label}: " if label else "" for label in labels(seed.answer)]
    lines = [f"{head}{spelled(f'{a}={b}')}" for head, (a, b) in zip(heads, notes, strict=True)]
    said = Message("assistant", f"Answer: \\boxed{{{asked.answer}}}", thinking="\n".join(lines))
    asked = replace(asked, metadata={"notes": notes, "heads": heads})
    return Example(asked, said, Provenance("gsm8k train", [seed.id], licence="mit"))


def sums(rows: list[Example]) -> str:
    """The equations of thoughts, in any order, in paragraphs of fifty."""
    lines = [line.rpartition(": ")[2] for row in rows for line in str(row.response.thinking).splitlines()]
    Random("sums").shuffle(lines)
    return "\n\n".join("\n".join(lines[i : i + 50]) for i in range(0, len(lines), 50))


def boxed(row: Example) -> Example:
    """One row in four asks for the box."""
    first = row.problem.messages[-1]
    if int(hashlib.sha256(first.text.encode()).hexdigest(), 16) // DEV % 4:
        return row
    return replace(row, problem=replace(row.problem, messages=[Message("user", first.text + BOXED)]))


def again(row: Example, labels: Labels) -> Example | None:
    """A row of words.varied or words.backward with its notes as thoughts."""
    asked = row.problem
    seed = seeds.Seed(id=asked.id, text=asked.messages[-1].text, answer=asked.metadata["annotated"])
    found = worked(seed, labels)
    return found and replace(found, provenance=row.provenance)


def computed(expression: str) -> Fraction:
    return evaluate(_NUMBER.sub(lambda found: f"({Fraction(found.group())})", expression.replace(",", "")), [], [])


def with_calculator(row: Example) -> Example:
    """The same with a calculator on offer: a call for each note, instead of a thought."""
    turns = list(row.problem.messages)
    for head, (left, _) in zip(row.problem.metadata["heads"], row.problem.metadata["notes"], strict=True):
        turns.append(Message("assistant", head, tool_calls=[ToolCall("calculator", {"expression": left})]))
        turns.append(Message("tool", calculate(left)))
    asked = replace(row.problem, messages=turns, metadata={"tools": [CALCULATOR]})
    return Example(asked, replace(row.response, thinking=None), row.provenance)


def chat(base: LanguageModel) -> Iterator[Example]:
    """Answers of the start model, as it is, to everyday requests."""
    asked = [Problem(f"chat {n}", [Message("user", request)]) for n, request in enumerate(requests())]
    for problem, message in said(base, asked, n=1):
        yield Example(problem, message, BASE)


def granted(base: LanguageModel) -> Iterator[Example]:
    """Its answers that keep to what was wished of their form."""
    for problem, message in said(base, list(wishes(WISHES)), n=3):
        if verify.get(problem.verifier)(message.text, problem).correct:
            yield Example(problem, message, BASE)


def said(base: LanguageModel, asked: list[Problem], n: int) -> Iterator[tuple[Problem, Message]]:
    """The different ones of `n` answers to each problem that come to an end."""
    plain = Sampling(temperature=0.7, top_p=0.9, max_tokens=400, seed=0)
    answers = base.chat_many([each.messages for each in asked], sampling=plain, n=n)
    for problem, replies in zip(asked, answers, strict=True):
        for message in {each.text: each.message for each in replies if each.finish_reason == "stop"}.values():
            yield problem, message


if __name__ == "__main__":
    main()
