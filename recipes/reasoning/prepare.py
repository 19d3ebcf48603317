"""The data of phiforge-135m-reasoning: `python recipes/reasoning/prepare.py`, then `phiforge train recipes/reasoning/train.toml`.

    <out>/dev.jsonl          GSM8K's training problems that nothing below is made from: one of 15, told by a hash of the question
    <out>/gsm8k.jsonl        the others, with their calculator notes as thoughts
    <out>/varied.jsonl       the same with other numbers and names, computed anew
    <out>/calculator.jsonl   the same, a calculator offered: what the notes come to, in one call
    <out>/practice.jsonl     word, arithmetic, logic and calendar problems of the data factory
    <out>/practice-test.jsonl    the like from other seeds, without a question of the above
    <out>/calls.jsonl        requests and tools, and when to ask back or to call nothing
    <out>/chat.jsonl         what the start model says to everyday requests, to stay what it is

Thoughts are written as short as they can be, one equation a line: on two cores every token counts, and small models learn more
from equations than from sentences about them (docs/log.md).
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from msgspec.structs import replace

from phiforge.data import mixture, seeds
from phiforge.data import run as factory
from phiforge.data.curate.benchmark import Item
from phiforge.data.curate.decontaminate import Decontaminator
from phiforge.data.pipelines.words._annotated import evaluate, value
from phiforge.data.rows import Unfit
from phiforge.engine.request import Sampling
from phiforge.lm import open_model
from phiforge.lm.tools import CALCULATOR
from phiforge.records import Example, Message, Problem, Provenance, ToolCall, write_jsonl

DEV = 15  # one problem of so many
VARIED, PRACTICE, CALLS = 20_000, 500, 1_500  # rows; of each pipeline, for the last two
SUMS = ["words.ages", "words.calendars", "words.clocks", "words.coins", "words.discounts", "words.interest", "words.inventory",
        "words.mixtures", "words.recipes", "words.savings", "words.sharing", "words.shopping", "words.travel", "words.work",
        "arithmetic.chains", "arithmetic.fractions", "arithmetic.percent", "arithmetic.ratios", "arithmetic.units",
        "logic.state", "logic.syllogisms", "logic.temporal", "logic.spatial", "logic.knights"]  # fmt: skip
TOOLS = ["agents.single", "agents.irrelevant", "agents.missing", "agents.parallel"]
LONGEST = 1200  # characters of the tools of a row of `calls`

NOTE = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")
_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-"})
_EQUATION = re.compile(r"[\d.,%()*/+\- =]*\d[\d.,%()*/+\- =]*=[\d.,%()*/+\- =]+")

TOPICS = ["the moon", "volcanoes", "how bread is baked", "the water cycle", "bees", "the Roman empire", "photosynthesis",
          "earthquakes", "glass", "the human heart", "rainbows", "electricity", "the printing press", "whales", "tides",
          "vaccines", "bridges", "chess", "the violin", "coral reefs", "deserts", "migration of birds", "steam engines",
          "the sun", "honey", "tea", "paper", "dreams", "the alphabet", "clocks", "snow", "magnets"]  # fmt: skip
REQUESTS = ["Tell me about {}.", "Explain {} to a child.", "Write two sentences about {}.", "Why do people find {} interesting?",
            "Give me three facts about {}.", "Write a short poem about {}.", "What should a beginner know about {}?"]  # fmt: skip
SMALL_TALK = ["Hello!", "Hi, how are you?", "Who are you?", "Thank you for your help.", "Good morning!", "What can you do?",
              "Can you help me write an email to my teacher?", "Give me a name for a cat.", "I am bored. What could I do?",
              "How do I make a cup of tea?", "What is a good breakfast?", "Suggest a weekend activity.",
              "Write a thank-you note to a neighbour.", "How can I sleep better?", "Tell me a joke.",
              "What is the difference between a simile and a metaphor?", "How do I start a conversation?"]  # fmt: skip

TASKS = ["adds two numbers", "reverses a string", "finds the largest number in a list", "counts the vowels in a word",
         "checks whether a number is prime", "sorts a list of names", "reads a file line by line",
         "removes duplicates from a list", "computes a factorial", "converts Celsius to Fahrenheit", "joins two lists",
         "prints the numbers from 1 to 10"]  # fmt: skip
CODE = ["Write a Python function that {}.", "Show me code that {}.", "How do I write a program that {}?",
        "Explain how a function that {} works."]  # fmt: skip
PEOPLE = [
    "my boss",
    "a friend",
    "my teacher",
    "the landlord",
    "a customer",
    "my grandmother",
    "the school",
    "a colleague",
]
MAILS = ["Write an email to {} to ask for a day off.", "Write a short apology to {}.", "Write a message to {} about a delay.",
         "Help me thank {} for a gift.", "Draft an invitation to {} for Saturday."]  # fmt: skip
EVERYDAY = ["What is the capital of {}?|France;Japan;Canada;Egypt;Brazil;Norway;Kenya;India",
            "Translate '{}' into Spanish.|good morning;thank you;where is the station;I am hungry;see you tomorrow",
            "What can I cook with {}?|eggs and spinach;rice and beans;potatoes;chicken and lemon;tomatoes",
            "Suggest a name for a {}.|bakery;bookshop;dog;boat;rock band;village",
            "I feel {} today.|sad;tired;happy;nervous;lonely",
            "Who wrote {}?|Romeo and Juliet;Don Quixote;Moby Dick;Pride and Prejudice;Faust",
            "Give me three tips for {}.|learning the guitar;saving money;sleeping well;public speaking;running",
            "List five {}.|planets;fruits;inventions;rivers;musical instruments;European cities"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data", help="the folder that has gsm8k/train.jsonl")
    parser.add_argument("--out", type=Path, default=Path("runs/reasoning/data"))
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    learn, dev = split(seeds.read(f"{options.data}/gsm8k/train.jsonl", "question"))
    leaks = Decontaminator([Item("dev", problem.id, problem.messages[-1].text) for problem in dev])
    learn = [seed for seed in learn if leaks(seed.text) is None]
    save(out / "dev.jsonl", dev)
    noted = [row for seed in learn if (row := worked(seed))]
    save(out / "gsm8k.jsonl", noted)
    save(out / "calculator.jsonl", [with_calculator(row) for row in noted])
    write_jsonl(out / "seeds.jsonl", ({"question": seed.text, "answer": seed.answer} for seed in learn))
    varied = made(out / "varied", ["words.varied"], VARIED, seeds=str(out / "seeds.jsonl"), column="question", level=2)
    rows = [row for each in varied if (row := again(each)) and leaks(row.problem.messages[-1].text) is None]
    save(out / "varied.jsonl", rows)
    practice = [short(row) for row in made(out / "practice", SUMS, PRACTICE, level=1)]
    save(out / "practice.jsonl", practice)
    asked = {row.problem.messages[-1].text for row in practice}
    test = (row for row in made(out / "practice-test", SUMS, 40, level=1, seed=1))
    save(out / "practice-test.jsonl", [row.problem for row in test if row.problem.messages[-1].text not in asked])
    calls = made(out / "calls", TOOLS, CALLS, level=1)
    save(out / "calls.jsonl", [row for row in calls if len(str(row.problem.metadata["tools"])) < LONGEST])
    save(out / "chat.jsonl", list(chat()))


def save(file: Path, rows: list[Example] | list[Problem]) -> None:
    print(f"{file}: {write_jsonl(file, rows):,} rows")


def made(place: Path, pipelines: list[str], rows: int, *, seed: int = 0, level: int, **of: str) -> Iterator[Example]:
    """Rows of the data factory, each pipeline's in turn."""
    make = factory.Make(pipelines, rows, level, "short", **of)
    factory.execute(factory.plan(factory.Config(str(place), [make], seed=seed)))
    return mixture.rows(str(place))


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


def worked(seed: seeds.Seed) -> Example | None:
    """A row whose thought is the calculator notes of a solution; None where a note is wrong, or they don't lead to the answer."""
    asked = problem(seed)
    notes = [(left.replace(" ", ""), right.strip().replace(",", "")) for left, right in asked.metadata["notes"]]
    try:
        right = all(computed(left) == value(result) for left, result in notes)
        if not notes or not right or value(notes[-1][1]) != value(asked.answer):
            return None
    except (Unfit, ValueError):
        return None
    said = Message("assistant", f"Answer: \\boxed{{{asked.answer}}}", thinking="\n".join(f"{a}={b}" for a, b in notes))
    asked = replace(asked, metadata={"notes": notes})
    return Example(asked, said, Provenance("gsm8k train", [seed.id], licence="mit"))


def again(row: Example) -> Example | None:
    """A row of words.varied with its notes as thoughts."""
    asked = row.problem
    seed = seeds.Seed(id=asked.id, text=asked.messages[-1].text, answer=asked.metadata["annotated"])
    found = worked(seed)
    return found and replace(found, provenance=row.provenance)


def computed(expression: str) -> Fraction:
    return evaluate(_NUMBER.sub(lambda found: f"({Fraction(found.group())})", expression.replace(",", "")), [], [])


def with_calculator(row: Example) -> Example:
    """The same with a calculator on offer: the notes put into one another, and computed by a call."""
    known: dict[Fraction, str] = {}
    for left, right in row.problem.metadata["notes"]:
        nested = _NUMBER.sub(lambda found: known.get(value(found.group()), found.group()), left)
        known[value(right)] = f"({nested})"
    expression = nested
    assert computed(expression) == value(row.problem.answer)
    call = Message(
        "assistant", thinking=row.response.thinking, tool_calls=[ToolCall("calculator", {"expression": expression})]
    )
    turns = [*row.problem.messages, call, Message("tool", row.problem.answer)]
    asked = replace(row.problem, messages=turns, metadata={"tools": [CALCULATOR]})
    return Example(asked, replace(row.response, thinking=None), row.provenance)


def short(row: Example) -> Example:
    """A row whose thought has a line for each sentence, equations without spaces."""
    if not row.response.thinking:
        return row
    lines = re.split(r"(?<=[.:]) |\n", row.response.thinking)
    plain = [line.translate(_SIGNS).rstrip(".") for line in lines]
    tight = [
        each.replace(" ", "") if _EQUATION.fullmatch(each) else line for each, line in zip(plain, lines, strict=True)
    ]
    return replace(row, response=replace(row.response, thinking="\n".join(tight)))


def chat() -> Iterator[Example]:
    """Answers of the start model, as it is, to everyday requests."""
    wanted = list(SMALL_TALK)
    for forms, subjects in ((REQUESTS, TOPICS), (CODE, TASKS), (MAILS, PEOPLE)):
        wanted += [form.format(subject) for form, subject in itertools.product(forms, subjects)]
    for form, subjects in (each.split("|") for each in EVERYDAY):
        wanted += [form.format(subject) for subject in subjects.split(";")]
    with open_model("smollm2-135m-instruct", dtype="int8") as lm:
        plain = Sampling(temperature=0.7, top_p=0.9, max_tokens=400, seed=0)
        answers = lm.chat_many([[Message("user", request)] for request in wanted], sampling=plain)
    for n, (request, (said,)) in enumerate(zip(wanted, answers, strict=True)):
        if said.finish_reason == "stop":
            source = Provenance("smollm2-135m-instruct", licence="apache-2.0")
            yield Example(Problem(f"chat {n}", [Message("user", request)]), said.message, source)


if __name__ == "__main__":
    main()
