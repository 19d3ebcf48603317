"""Knowledge, maths and reading tasks: that they read their authors' files, ask what the protocols they name ask, character by
character, and that their graders accept the gold answers. The items are invented, in the authors' formats."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from endpoint import Server, delta, sends, usage
from eval_sets import SHARED
from test_evals_run import measure, model_folder

from phiforge.cli.main import main
from phiforge.evals import task as registry
from phiforge.evals.data import Missing, load, problems, read_rows
from phiforge.evals.grade import grade
from phiforge.evals.log import DataUsed, Item, Run, read_items, read_run, write_log
from phiforge.evals.protocol import Choice, Generate
from phiforge.evals.report import published
from phiforge.evals.run import Options, execute, plan
from phiforge.evals.summary import summarise
from phiforge.evals.task import Files
from phiforge.evals.tasks.mgsm import INSTRUCTIONS
from phiforge.lm.local import LocalModel
from phiforge.lm.remote import RemoteModel
from phiforge.records import Problem
from phiforge.verify import mgsm

__all__ = ["model_folder"]  # fixtures


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(*rows: list[str]) -> str:
    return "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows) + "\n"


ARC = lines(
    {"id": "Mercury_1", "question": {"stem": "Which of these floats?", "choices": [
        {"text": "a stone", "label": "A"}, {"text": "a cork", "label": "B"}, {"text": "a nail", "label": "C"},
        {"text": "a coin", "label": "D"}]}, "answerKey": "B"},
    {"id": "NYSEDREGENTS_2", "question": {"stem": "What pulls a dropped ball down?", "choices": [
        {"text": "light", "label": "1"}, {"text": "wind", "label": "2"}, {"text": "gravity", "label": "3"}]}, "answerKey": "3"},
    {"id": "TAKS_3", "question": {"stem": "How many days has a week?", "choices": [
        {"text": str(n), "label": "ABCDE"[n - 4]} for n in range(4, 9)]}, "answerKey": "D"},
)  # fmt: skip
HELLASWAG = lines(
    {"ind": 4, "activity_label": "Baking bread", "ctx_a": "A man kneads dough.", "ctx_b": "he", "ctx": "", "split": "val",
     "label": 2, "endings": ["eats the bowl.", "paints the wall.", "puts it in an oven.", "flies off."],
     "source_id": "activitynet~v_1"},
    {"ind": 9, "activity_label": "Home and Garden", "ctx_b": "",
     "ctx_a": "[header] How to water plants [title] Fill a can. [step] Use rain  water.",
     "ctx": "", "split": "val", "label": "0", "source_id": "wikihow~7",
     "endings": ["[substeps] Pour slowly.  Stop in time.", "Wait [step] a year.", "Drink it.", "Freeze it."]},
)  # fmt: skip
DROP = {
    "dev": lines(
        {"context": "Passage: Ann threw 3 passes, Bo 5.\nQuestion: How many more did Bo throw?\nAnswer:", "completion": " 2",
         "ref_text": "2"},
        {"context": "Passage: Ann threw 3 passes, Bo 5.\nQuestion: Who threw more?\nAnswer:", "completion": " Bo",
         "ref_text": "Bo||the thrower Bo"},
    ),
    "train": lines(*(
        {"context": f"Passage: Text {i}.\nQuestion: Which?\nAnswer:", "completion": f" {i}", "ref_text": str(i)} for i in range(9)
    )),
}  # fmt: skip
PIQA = lines(
    {"goal": "Dry wet shoes.", "sol1": "Stuff them with paper.", "sol2": "Put them in a pond."},
    {"goal": "Open a jar", "sol1": "Whistle at it.", "sol2": "Turn the lid."},
)
FIELDS = [
    "Record ID",
    "High-level domain",
    "Question",
    "Correct Answer",
    *(f"Incorrect Answer {i}" for i in (1, 2, 3)),
]
FILES: dict[str, str] = {
    "arc/ARC-Challenge/ARC-Challenge-Test.jsonl": ARC,
    "arc/ARC-Easy/ARC-Easy-Test.jsonl": ARC,
    "hellaswag/hellaswag_val.jsonl": HELLASWAG,
    "gpqa/gpqa_diamond.csv": table(FIELDS, *(
        [f"rec{i}", "Physics", f"What is {i}? ", f"right {i}\n", "wrong  one", "wrong two", "wrong three"] for i in range(24))),
    "mmlu_pro/test.jsonl": lines(*(
        {"question_id": i, "question": f"Which is {i}?", "options": [*map(str, range(n)), *["N/A"] * (10 - n)],
         "answer": "ABCDEFGHIJ"[i], "answer_index": i, "cot_content": "", "category": "law", "src": "x"}
        for i, n in ((0, 3), (9, 10), (4, 5)))),
    "mmlu_pro/validation.jsonl": lines(*(
        {"question_id": i, "question": f"Shown {i}?", "options": ["yes", "no"], "answer": "B", "answer_index": 1,
         "category": "law", "cot_content": f"A: Let's think step by step. It is {i}. The answer is (B).", "src": "x"}
        for i in range(5))),
    "MATH/test/algebra/1.json": json.dumps(
        {"problem": "Halve $x$.", "level": "Level 2", "type": "Algebra",
         "solution": "So \\boxed{1} is no. It is $\\boxed{\\frac{x}{2}}$."},
        indent=4),
    "MATH/test/geometry/7.json": json.dumps({"problem": "A right angle?", "level": "Level 1", "type": "Geometry", "solution":
        "It has $\\boxed{90^\\circ}$."}),
    "math500/test.jsonl": lines({"problem": "Add 1 and 2.", "answer": "3", "subject": "Algebra", "level": 1,
        "unique_id": "test/algebra/5.json", "solution": ""}),
    "aime/2025.jsonl": lines({"id": "0", "problem": "Find it.", "answer": "070"}),
    "aime/2024.jsonl": lines({"ID": "2024-I-1", "Problem": "Find it.", "Answer": 204, "Solution": ""}),
    "aime/1983-2024.csv": table(["ID", "Year", "Question", "Answer"], ["1983-1", "1983", "Find it.", "60"]),
    "simpleqa/simple_qa_test_set.csv": table(
        ["metadata", "problem", "answer"], *(["", f"Who was {i}?", f"Person {i}"] for i in range(5))),
    **{f"mgsm/mgsm_{language}.tsv": f'He said "hm" in {language}: 1,000 + 80?\t1,080\n' for language in INSTRUCTIONS},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the data sets, as their authors have them."""
    root = tmp_path_factory.mktemp("data")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "drop").mkdir()
    for split, text in DROP.items():
        (root / f"drop/drop_v0_{split}.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (root / "piqa").mkdir()
    (root / "piqa/valid-labels.lst").write_text("0\n1\n")
    (root / "piqa/given.jsonl").write_text(PIQA)
    told = registry.get("piqa").data["validation"]
    assert isinstance(told, Files)
    command = told.get[told.get.index("paste") :].replace("paste valid.jsonl", "paste piqa/given.jsonl")
    subprocess.run(command.replace(" valid-labels", " piqa/valid-labels"), shell=True, check=True, cwd=root)
    return root


@pytest.fixture(scope="module")
def lm(model_folder: Path) -> Iterator[LocalModel]:
    with LocalModel.open(str(model_folder), dtype="float32", device="cpu") as model:
        yield model


def of(name: str, folder: Path, split: str = "") -> list[Problem]:
    task = registry.get(name)
    split = split or task.split
    return problems(task, load(task.data[split], folder, unpinned=True), split)


def choice(name: str, protocol: str) -> Choice:
    found = registry.get(name).protocol(protocol)[1]
    assert isinstance(found, Choice)
    return found


def generate(name: str, protocol: str) -> Generate:
    found = registry.get(name).protocol(protocol)[1]
    assert isinstance(found, Generate)
    return found


# --- what is asked -------------------------------------------------------------------------------------------------


def test_arc_asks_what_lm_eval_asks(folder: Path) -> None:
    for name in ("arc_challenge", "arc_easy"):
        found = of(name, folder)
        assert [p.id for p in found] == ["Mercury_1", "NYSEDREGENTS_2", "TAKS_3"]
        assert [p.answer for p in found] == ["B", "C", "D"]
        for protocol, per in (("acc", "sum"), ("acc_norm", "char")):
            asked = choice(name, protocol)
            assert asked.per == per
            assert asked.text(found[1]) == "Question: What pulls a dropped ball down?\nAnswer:"
            assert asked.choices(found[1]) == [" light", " wind", " gravity"]
        shown = choice(name, "letter")
        assert shown.text(found[2]) == "How many days has a week?\nA. 4\nB. 5\nC. 6\nD. 7\nE. 8\nAnswer:"
        assert shown.choices(found[2]) == [" A", " B", " C", " D", " E"]


def test_arc_reads_the_hub_s_columns_and_refuses_a_key_that_is_no_label(folder: Path) -> None:
    item = registry.get("arc_easy").item
    row = {"id": "x", "question": "Q?", "choices": {"text": ["no", "yes"], "label": ["1", "2"]}, "answerKey": "2"}
    found = item(row, 0)
    assert isinstance(found, Problem)
    assert (found.answer, found.verifier_args["options"]) == ("B", ["no", "yes"])
    with pytest.raises(ValueError, match="row 3: answer 'C' is none of 1, 2"):
        item(row | {"answerKey": "C"}, 3)


def test_hellaswag_asks_what_lm_eval_asks(folder: Path) -> None:
    found, asked = of("hellaswag", folder), choice("hellaswag", "acc_norm")
    assert asked.text(found[0]) == "Baking bread: A man kneads dough. He"
    assert asked.choices(found[0]) == [" eats the bowl.", " paints the wall.", " puts it in an oven.", " flies off."]
    assert asked.text(found[1]) == "Home and Garden: How to water plants. Fill a can. Use rain water."
    assert asked.choices(found[1]) == ["  Pour slowly. Stop in time.", " Wait a year.", " Drink it.", " Freeze it."]
    assert [p.answer for p in found] == ["C", "A"]
    assert [(p.metadata["subset"], p.metadata["cluster"]) for p in found] == [
        ("activitynet", "activitynet~v_1"), ("wikihow", "wikihow~7"),
    ]  # fmt: skip


def test_piqa_asks_what_lm_eval_asks(folder: Path) -> None:
    found, asked = of("piqa", folder), choice("piqa", "acc")
    assert asked.text(found[0]) == "Question: Dry wet shoes.\nAnswer:"
    assert asked.choices(found[0]) == [" Stuff them with paper.", " Put them in a pond."]
    assert [p.answer for p in found] == ["A", "B"]


def test_gpqa_s_options_are_shuffled_the_same_way_every_time(folder: Path) -> None:
    found = of("gpqa_diamond", folder)
    assert found == of("gpqa_diamond", folder)
    assert {p.answer for p in found} == set("ABCD")
    for i, each in enumerate(found):
        texts = each.verifier_args["options"]
        assert sorted(texts) == sorted([f"right {i}\n", "wrong  one", "wrong two", "wrong three"])
        assert texts["ABCD".index(each.answer)] == f"right {i}\n"
    # The same items in another order, as another copy of the data may have them, keep their options' order.
    rows = read_rows(folder / "gpqa/gpqa_diamond.csv")
    random.Random(1).shuffle(rows)
    again = [registry.get("gpqa_diamond").item(row, i) for i, row in enumerate(rows)]
    assert sorted(p.answer + p.messages[0].text for p in found) == sorted(
        p.answer + p.messages[0].text for p in again if isinstance(p, Problem)
    )


def test_gpqa_and_mmlu_pro_ask_as_simple_evals_and_lm_eval_do(folder: Path) -> None:
    each = of("gpqa_diamond", folder)[0]
    a, b, c, d = each.verifier_args["options"]
    head = (
        "Answer the following multiple choice question. The last line of your response should be of the following format: "
        "'Answer: $LETTER' (without quotes) where LETTER is one of {}. Think step by step before answering.\n\n"
    )
    (message,) = generate("gpqa_diamond", "phi4").messages(each)
    assert message.text == head.format("ABCD") + f"What is 0? \n\nA) {a}\nB) {b}\nC) {c}\nD) {d}"
    a, b, c, d = (text.strip().replace("  ", " ") for text in (a, b, c, d))
    asked = choice("gpqa_diamond", "letter")
    assert asked.text(each) == (
        f"What is the correct answer to this question:What is 0? \nChoices:\n(A) {a}\n(B) {b}\n(C) {c}\n(D) {d}\nAnswer:"
    )
    assert asked.choices(each) == [" (A)", " (B)", " (C)", " (D)"]
    first, second, _ = of("mmlu_pro", folder)
    (message,) = generate("mmlu_pro", "phi4").messages(second)
    options = "\n".join(f"{letter}) {i}" for i, letter in enumerate("ABCDEFGHIJ"))
    assert message.text == head.format("ABCDEFGHIJ") + f"Which is 9?\n\n{options}"
    asked = choice("mmlu_pro", "letter")
    assert asked.choices(first) == [" A", " B", " C"]
    assert len(asked.choices(second)) == 10
    shown = of("mmlu_pro", folder, "validation")
    text = generate("mmlu_pro", "5-shot").text(first, shown)
    assert text.startswith(
        "The following are multiple choice questions (with answers) about law. Think step by step and then finish your answer "
        'with "the answer is (X)" where X is the correct letter choice.\n\nQuestion:\nShown 0?\nOptions:\nA. yes\nB. no\n'
        "Answer: Let's think step by step. It is 0. The answer is (B).\n\nQuestion:\nShown 1?"
    )
    assert text.endswith("\n\nQuestion:\nWhich is 0?\nOptions:\nA. 0\nB. 1\nC. 2\nAnswer: Let's think step by step.")


def test_maths_and_mgsm_ask_as_simple_evals_does(folder: Path) -> None:
    (message,) = generate("math500", "phi4").messages(of("math500", folder)[0])
    assert message.text == (
        "Solve the following math problem step by step. The last line of your response should be of the form ANSWER: $ANSWER "
        "(without quotes) where $ANSWER is the answer to the problem.\n\nAdd 1 and 2.\n\n"
        'Remember to put your answer on its own line after "ANSWER:", and you do not need to use a \\boxed command.'
    )
    asked = {p.metadata["subset"]: generate("mgsm", "phi4").messages(p)[0].text for p in of("mgsm", folder)}
    assert asked["de"] == (
        "Löse dieses Mathematikproblem. Gib die Schritte zur Begründung an, bevor du die endgültige Antwort in der letzten "
        'Zeile alleine im Format "Antwort:" gibst. Füge nichts anderes als die ganzzahlige Antwort nach "Antwort:" hinzu.'
        '\n\nHe said "hm" in de: 1,000 + 80?'
    )
    assert list(asked) == ["bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh"]
    for language, text in INSTRUCTIONS.items():
        assert mgsm.ANSWER[language] in text


def test_drop_asks_as_simple_evals_does(lm: LocalModel, folder: Path) -> None:
    work = plan("drop", lm, folder, Options(unpinned=True, protocol="phi4")).work
    (message,) = generate("drop", "phi4").messages(work[0].problem, work[0].examples)
    numbers = [int(each.answer) for each in work[0].examples]
    assert len(set(numbers)) == 3
    assert message.role == "user"
    shown = "".join(f"\n---\nPassage: Text {i}.\nQuestion: Which?\nAnswer:  {i}\n" for i in numbers)
    assert message.text == (
        "You will be asked to read a passage and answer a question. Some examples of passages and Q&A are provided below.\n\n"
        f"# Examples{shown}\n# Your Task\n\n---\nPassage: Ann threw 3 passes, Bo 5.\nQuestion: How many more did Bo throw?\n"
        'Answer: \n\nThink step by step, then write a line of the form "Answer: $ANSWER" at the end of your response.\n'
        "                    "
    )
    again = plan("drop", lm, folder, Options(unpinned=True)).work
    assert [each.examples for each in again] == [each.examples for each in work]
    assert work[0].examples != work[1].examples
    train = plan("drop", lm, folder, Options(unpinned=True, split="train")).work
    for each in train:  # an item is no worked example of itself, even where it is drawn
        assert len(each.examples) == 3
        assert each.problem.answer not in [example.answer for example in each.examples]
    assert (
        work[0].problem.metadata["cluster"]
        == work[1].problem.metadata["cluster"]
        != train[0].problem.metadata["cluster"]
    )


# --- graders accept gold answers -----------------------------------------------------------------------------------

SAID: dict[str, Callable[[Problem], str]] = {
    "boxed": lambda p: f"So it is $\\boxed{{{p.answer}}}$.",
    "stated": lambda p: f"Let me think.\n\nANSWER: {p.answer}",
    "letter": lambda p: f"It cannot be otherwise.\n\nAnswer: {p.answer}",
    "the letter": lambda p: f"That is so. The answer is ({p.answer}).",
    "in its language": lambda p: f"2 + 3 = 5\n{mgsm.ANSWER[p.metadata['subset']]}: {p.answer}",
    "plain": lambda p: f"Two thoughts.\nAnswer: {p.answer}",
}
GRADED = [
    ("math", "", "phi4", ("boxed", "stated")), ("math500", "", "phi4", ("boxed", "stated")),
    ("aime", "2025", "reasoning", ("boxed",)), ("aime", "2024", "reasoning", ("boxed",)),
    ("aime", "1983-2024", "reasoning", ("boxed",)), ("mgsm", "", "phi4", ("in its language",)), ("mgsm", "", "chat", ("boxed",)),
    ("gpqa_diamond", "", "phi4", ("letter", "the letter")), ("mmlu_pro", "", "phi4", ("letter",)),
    ("mmlu_pro", "", "5-shot", ("the letter",)), ("arc_easy", "", "chat", ("letter",)), ("drop", "", "phi4", ("plain",)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "split", "protocol", "forms"), GRADED)
def test_gold_answers_are_accepted_and_others_are_not(
    folder: Path, name: str, split: str, protocol: str, forms: tuple[str, ...]
) -> None:
    asked = generate(name, protocol)
    for each in of(name, folder, split):
        verifier = asked.verifier or each.verifier
        letters = verifier == "choice"
        wrong = "AB"[each.answer == "A"] if letters else "Ann" if each.answer == "Bo" else "7777"
        for form in forms:
            found = grade(verifier, SAID[form](each), each)
            assert (found.outcome, found.score) == ("right", 1.0), (each.id, form, found.reason)
            assert grade(verifier, SAID[form](msgspec.structs.replace(each, answer=wrong)), each).outcome == "wrong"
        assert grade(verifier, "", each).outcome == "unparsable"


@pytest.mark.skipif(not (SHARED / "math500").exists(), reason="the data sets are not here")
def test_every_gold_answer_of_math_500_is_accepted() -> None:
    """All 500, in both forms the protocols ask for, without an exception; and an item takes its neighbour's answer for its own
    only where both are the same."""
    task = registry.get("math500")
    loaded = load(task.data["test"], SHARED)
    assert loaded.pinned
    there = problems(task, loaded, "test")
    assert len(there) == 500
    for form in ("boxed", "stated"):
        assert [p.answer for p in there if grade("math", SAID[form](p), p).outcome != "right"] == []
    taken = [(p.answer, q.answer) for p, q in pairwise(there) if grade("math", SAID["boxed"](q), p).outcome == "right"]
    assert taken == [("5", "x=5"), ("7", "7"), ("3", "3")]


def test_drop_reads_the_hub_s_columns() -> None:
    empty = {"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": []}
    more = {"number": ["4", ""], "date": [empty["date"], {"day": "3", "month": "May", "year": ""}], "spans": [[], []]}
    row = {
        "query_id": "q1",
        "passage": "P.",
        "question": "Q?",
        "answer": empty | {"spans": ["A", "B"]},
        "validated_answers": more,
    }
    found = registry.get("drop").item(row, 0)
    assert isinstance(found, Problem)
    assert found.verifier_args["answers"] == [["A", "B"], "4", "3 May"]
    assert (found.id, found.answer, found.messages[0].text) == ("q1", "A, B", "Passage: P.\nQuestion: Q?\nAnswer:")
    assert grade("drop", f"Answer: {found.answer}", found).outcome == "right"


# --- a judge -------------------------------------------------------------------------------------------------------


def test_simpleqa_is_judged_and_its_f1_is_that_of_simple_evals(server: Server, folder: Path, tmp_path: Path) -> None:
    grades = {
        "Person 0": "A",
        "Person 1": "B",
        "Person 2": "C: not attempted",
        "Person 3": "CORRECT",
        "Person 4": "Hard to say.",
    }

    def act(handler: Any) -> None:
        asked = server.asked[-1]["messages"][-1]["content"]
        said = "I think so."
        if asked.startswith(
            "Your job is to look at a question, a gold target, and a predicted answer, and then assign a grade of "
        ):
            assert (
                "\nPredicted answer: I think so.\n```\n\nGrade the predicted answer of this new question as one of:\nA: CORRECT\n"
                in asked
            )
            assert asked.endswith('Just return the letters "A", "B", or "C", with no text around it.')
            (said,) = (mark for gold, mark in grades.items() if f"\nGold target: {gold}\n" in asked)
        sends(delta(content=said), delta(finish="stop"), usage(9, 9))(handler)

    server.otherwise = act
    with RemoteModel(server.url, "phi-4", api_key="") as lm, RemoteModel(server.url, "judge", api_key="") as judge:
        with pytest.raises(Missing, match="a language model grades simpleqa, name one with --judge"):
            plan("simpleqa", lm, folder)
        run = execute(plan("simpleqa", lm, folder, judge="judge"), lm, tmp_path, judge=judge)
    items = read_items(tmp_path)
    assert [item.outcome for item in items] == ["right", "wrong", "refused", "right", "refused"]
    assert "gave no grade: Hard to say." in items[4].reason
    assert (run.metric, run.judge, run.sampling["temperature"]) == ("f1", "judge", 0.5)
    told = summarise(tmp_path)
    # Two of five are right, two of the three attempted: 2 * 0.4 * 0.667 / (0.4 + 0.667).
    assert told.value.value == pytest.approx(0.5)
    assert told.bootstrap.low < 0.5 < told.bootstrap.high
    assert told.measures["attempted"].value == pytest.approx(0.6)


def test_what_lacks_data_or_a_judge_is_left_out_of_the_table(
    model_folder: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-m", str(model_folder), "--data", str(folder), "--unpinned", "--out", str(tmp_path / "out")]
    assert main(["eval", "phi4", *words, "--limit", "1", "--repeats", "1", "--max-tokens", "4"]) == 0
    out = capsys.readouterr()
    runs = {run.task: run.protocol for run in map(read_run, sorted((tmp_path / "out").iterdir()))}
    assert runs == dict.fromkeys(("gpqa_diamond", "math", "mgsm", "drop", "mmlu_pro"), "phi4")
    assert "left out: simpleqa: no judge: a language model grades simpleqa" in out.err
    assert "left out: mmlu: no data: " in out.err
    assert "Phi-4 Technical Report, arXiv:2412.08905, Table 1" in out.out


# --- the rest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["arc_challenge", "hellaswag", "piqa", "mmlu_pro", "gpqa_diamond"])
def test_options_are_weighed(lm: LocalModel, folder: Path, tmp_path: Path, name: str) -> None:
    task = registry.get(name)
    for protocol in [key for key, each in task.protocols.items() if isinstance(each, Choice)]:
        _, items = measure(name, lm, folder, tmp_path / protocol, protocol=protocol)
        assert len(items) == len(of(name, folder))
        for item in items:
            # lm-eval divides by the characters of the option as it stands, what is joined by one space.
            lengths = [len(each.text) - 1 if choice(name, protocol).per == "char" else 1 for each in item.choices]
            values = [each.logprob / length for each, length in zip(item.choices, lengths, strict=True)]
            assert item.extracted == "ABCDEFGHIJ"[values.index(max(values))]
            assert item.right == (item.extracted == item.gold)


def test_scores_are_those_of_the_protocol_that_was_measured(tmp_path: Path) -> None:
    def told(protocol: str) -> Any:
        asked = generate("gpqa_diamond", protocol) if protocol != "letter" else choice("gpqa_diamond", protocol)
        run = Run(
            task="gpqa_diamond", task_version=1, protocol=protocol, protocol_version=1, protocol_words=asked.words,
            kind="generate", verifiers=["choice"], model="m", items=1, data=DataUsed("test", "x", "y", True, 1), finished=True,
        )  # fmt: skip
        write_log(tmp_path / protocol, run, [Item(id="a", prompt="?", outcome="right", score=1.0)])
        return published(summarise(tmp_path / protocol))

    assert (told("phi4").scores["Phi-4"], told("phi4").unlike) == (56.1, [])
    assert (told("reasoning").scores["Phi-4-reasoning"], told("reasoning").unlike) == (67.1, [])
    assert told("letter").unlike == ["measured by protocol letter, published by phi4"]
