"""Pairs for DPO, from a simulated model whose errors are known: what is preferred is better, and what is dropped says why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from test_export import small_tokenizer

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.data.simulated import Known, Nature, SimulatedModel
from phiforge.lm.base import Reply, TokenLogprob
from phiforge.records import Message, Problem, Provenance
from phiforge.train import pairs
from phiforge.train.asking import Account
from phiforge.train.judging import Weighed, graded
from phiforge.train.pairs import Candidates, Judged, Preferred, Refusals, Rolled
from phiforge.verify import math

PROBLEMS = [
    Problem(f"sum-{n}", [Message("user", f"What is {n} + {n + 1}?")], str(2 * n + 1), "math") for n in range(10, 40)
]


def model(error: float, name: str = "simulated", seed: int = 0) -> SimulatedModel:
    known = [
        Known(question=p.messages[0].text, answer=p.answer, wrong=(str(int(p.answer) + 1), "0"), verifier="math")
        for p in PROBLEMS
    ]
    made = SimulatedModel(known, Nature(errors=(error,) * 5), seed=seed)
    made.name = name
    return made


def right(message: Message, problem: Problem) -> bool:
    return math.verify(message.text, problem).correct


# --- rollouts ---------------------------------------------------------------------------------------------------------


def test_right_answers_are_paired_with_wrong_ones_of_like_length(tmp_path: Path) -> None:
    seen: list[Account] = []
    total = pairs.rolled(model(0.5), PROBLEMS, tmp_path, Rolled(at_once=7), progress=seen.append)
    found = pairs.read(tmp_path)
    assert len(found) == total.kept > 40
    for each in found:
        assert right(each.chosen, each.problem)
        assert not right(each.rejected, each.problem)
        about = each.provenance.metadata
        assert max(about["tokens"]) <= 3 * min(about["tokens"])
        assert (each.provenance.source, each.provenance.seeds) == ("pairs/rolled", [each.problem.id])
        assert each.provenance.model == "simulated"
    assert (total.problems, total.calls) == (30, 240)
    assert total.tokens > 0
    assert [each.problems for each in seen] == [7, 14, 21, 28, 30]


def test_a_model_that_never_errs_gives_no_pairs_and_says_why(tmp_path: Path) -> None:
    total = pairs.rolled(model(0.0), PROBLEMS, tmp_path)
    assert (total.kept, total.why) == (0, {"all right": 30})
    assert pairs.rolled(model(1.0), PROBLEMS, tmp_path / "2").why == {"all wrong": 30}
    cut = pairs.rolled(model(0.5), PROBLEMS, tmp_path / "3", Rolled(longest=2))
    assert cut.why == {"not ended": 240, "nothing left": 30}


def repeating(messages: Any, draw: Any) -> str:
    return "so it goes on and " * 9 + ("\\boxed{21}" if draw.random() < 0.5 else "\\boxed{0}")


def test_answers_that_repeat_themselves_are_left_out(tmp_path: Path) -> None:
    total = pairs.rolled(SimulatedModel(responds=repeating), PROBLEMS[:1], tmp_path)
    assert total.why == {"repeats itself": 8, "nothing left": 1}


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_what_is_sometimes_known_is_said_and_what_is_not_is_refused(tmp_path: Path) -> None:
    how = Refusals(said=("I don't know.",))
    pairs.refusals(model(0.5), PROBLEMS, tmp_path, how)
    found = pairs.read(tmp_path)
    assert len(found) > 55  # nearly each of 30 questions is sometimes right and sometimes wrong in eight tries
    for each in found:
        assert each.first == 5
        if each.chosen.text == "I don't know.":
            assert not right(each.rejected, each.problem)
        else:
            assert right(each.chosen, each.problem)
            assert each.rejected.text == "I don't know."
    pairs.refusals(model(0.0), PROBLEMS, tmp_path / "sure", how)
    assert all(each.rejected.text == "I don't know." for each in pairs.read(tmp_path / "sure"))
    assert len(pairs.read(tmp_path / "sure")) == 30


# --- a judge ----------------------------------------------------------------------------------------------------------


def judge(of: Callable[[str], int], favours: int = 0) -> SimulatedModel:
    """Grades each answer by `of`; `favours` is added to whichever is shown first."""

    def fills(asked: str, schema: dict[str, Any], draw: Any) -> dict[str, Any]:
        assert set(schema["properties"]) == set(Weighed.__struct_fields__)
        a = asked.split("=== Answer of A ===\n")[1].split("\n\n=== Answer of B")[0]
        b = asked.split("=== Answer of B ===\n")[1].split("\n\n=== Your judgement")[0]
        one, other = min(5, of(a) + favours), of(b)
        return {
            "faults_of_a": "", "faults_of_b": "", "discussion": "", "a": dict.fromkeys(("accuracy", "style", "detail"), one),
            "b": dict.fromkeys(("accuracy", "style", "detail"), other),
        }  # fmt: skip

    made = SimulatedModel(fills=fills)
    made.name = "judge"
    return made


TRUTH = {p.answer for p in PROBLEMS}


def by_truth(text: str) -> int:
    return 4 if text.split("\\boxed{")[-1].rstrip("}") in TRUTH else 2


def candidates() -> list[Candidates]:
    return [Candidates(model(0.3, "weak", 1), 0.8, 2), Candidates(model(0.1, "strong", 2), 0.2, 2)]


def test_the_judge_prefers_and_ties_are_dropped(tmp_path: Path) -> None:
    total = pairs.judged(candidates(), judge(by_truth), PROBLEMS, tmp_path, Judged(comparisons=3))
    found = pairs.read(tmp_path)
    assert len(found) == total.kept > 10
    assert all(by_truth(each.chosen.text) > by_truth(each.rejected.text) for each in found)
    assert total.why["a tie"] > 10
    about = found[0].provenance.metadata
    assert (about["judge"], about["by"], about["margin"]) == ("judge", "overall", 2)
    assert about["chosen"] in ("weak at 0.8", "strong at 0.2")
    assert total.calls == 30 * 4 + 2 * (total.kept + sum(n for why, n in total.why.items() if why != "not ended"))
    strong = sum(each.provenance.metadata["chosen"].startswith("strong") for each in found)
    assert strong > len(found) / 2


def test_a_judge_that_goes_by_the_place_prefers_nothing(tmp_path: Path) -> None:
    total = pairs.judged(candidates(), judge(lambda text: 3, favours=1), PROBLEMS, tmp_path)
    assert total.kept == 0
    assert total.why["the order decides"] > 20
    slight = pairs.judged(candidates(), judge(by_truth, favours=1), PROBLEMS, tmp_path / "2", Judged(by="accuracy"))
    assert slight.kept > 5  # the place moves grades, but not past a difference of two


def test_what_the_judge_says_has_to_be_readable(tmp_path: Path) -> None:
    broken = SimulatedModel(fills=lambda asked, schema, draw: {"a": 1})
    total = pairs.judged(candidates(), broken, PROBLEMS[:5], tmp_path)
    assert total.kept == 0
    assert total.why["the judge cannot be read"] >= 5
    with pytest.raises(ValueError, match="two candidates or more"):
        pairs.judged([Candidates(broken)], broken, PROBLEMS, tmp_path)


def weighing(grades: list[int], top: dict[int, list[tuple[str, float]]] | None = None) -> Reply:
    """What a judge wrote, a token at a time, with the likeliest tokens in the place of some of the six grades."""
    parts = [dict(zip(("accuracy", "style", "detail"), some, strict=True)) for some in (grades[:3], grades[3:])]
    text = json.dumps(
        {"faults_of_a": 'its "style": 2', "faults_of_b": "", "discussion": "", "a": parts[0], "b": parts[1]}
    )
    pieces = re.findall(r"\d|\D{1,4}", text)
    tokens = [TokenLogprob(piece, 0.0, []) for piece in pieces]
    places = [i for i, piece in enumerate(pieces) if piece.isdigit()][1:]  # the first stands in the faults
    for grade, likeliest in (top or {}).items():
        i = places[grade]
        tokens[i] = TokenLogprob(pieces[i], dict(likeliest)[pieces[i]], likeliest)
    message = Message("assistant", text)
    told = {"prompt_tokens": 1, "tokens": len(tokens), "logprobs": tokens if top else None}
    return Reply(sample=0, message=message, text=text, finish_reason="stop", **told)


def test_a_grade_is_expected_over_its_chances() -> None:
    chances = [("3", log(0.5)), ("4", log(0.25)), ('"', log(0.2)), ("1", log(0.05))]
    found = graded(weighing([3, 3, 3, 3, 3, 5], {1: chances, 5: [("5", -0.1)]}))
    assert found is not None
    assert found[0].accuracy == found[0].detail == 3
    assert found[0].style == pytest.approx((3 * 0.5 + 4 * 0.25 + 0.05) / 0.8)
    assert (found[1].accuracy, found[1].detail) == (3, 5)
    told = graded(weighing([1, 2, 3, 4, 5, 1]))
    assert told is not None
    assert [each.brief() for each in told] == [[1, 2, 3], [4, 5, 1]]


# --- going on ---------------------------------------------------------------------------------------------------------


class Dies(SimulatedModel):
    left = 2

    def chat_many(self, *args: Any, **how: Any) -> list[list[Reply]]:
        self.left -= 1
        if self.left < 0:
            raise KeyError("killed")
        return super().chat_many(*args, **how)


def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    whole = pairs.rolled(model(0.5), PROBLEMS, tmp_path / "whole", Rolled(at_once=7))
    dies = Dies(model(0.5).known.values(), Nature(errors=(0.5,) * 5))
    with pytest.raises(KeyError):
        pairs.rolled(dies, PROBLEMS, tmp_path / "cut", Rolled(at_once=7))
    with (tmp_path / "cut/asked.jsonl").open("ab") as file:
        file.write(b'{"problem": "sum-2')
    goes_on = model(0.5)
    total = pairs.rolled(goes_on, PROBLEMS, tmp_path / "cut", Rolled(at_once=7))
    assert len(goes_on.asked) == 16
    assert (tmp_path / "cut/pairs.jsonl").read_bytes() == (tmp_path / "whole/pairs.jsonl").read_bytes()
    assert replace(total, seconds=0.0) == replace(whole, seconds=0.0)
    with pytest.raises(ValueError, match="holds answers to other problems: sum-10 is not sum-11"):
        pairs.rolled(goes_on, PROBLEMS[1:], tmp_path / "cut")


# --- as tokens --------------------------------------------------------------------------------------------------------


TEMPLATE = (
    "{% for m in messages %}<bos>{{ m.role }} {{ m.content }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<bos>assistant {% endif %}"
)


def test_a_pair_becomes_tokens_that_the_model_writes() -> None:
    tokenizer = Tokenizer(small_tokenizer().core, bos_id=1, eos_ids=[2], pad_id=0, chat_template=TEMPLATE)
    format = ChatFormat.for_tokenizer(tokenizer)
    chosen, rejected = Message("assistant", "Five."), Message("assistant", "It is six, I am sure of that.")
    row = Preferred(PROBLEMS[0], chosen, rejected, Provenance("test"))
    assert msgspec.json.decode(msgspec.json.encode(row), type=Preferred) == row
    pair = pairs.tokens(format, row)
    assert list(pair.prompt) == format.render(row.problem.messages).ids
    assert tokenizer.decode(list(pair.chosen)).startswith("Five.")
    assert pair.chosen[-1] == 2
    short = pairs.tokens(format, replace(row, first=5))
    assert list(short.rejected) == list(pair.rejected)[:5]
    assert len(short.chosen) == 5
