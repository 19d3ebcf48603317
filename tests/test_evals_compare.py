"""Two logs compared, and logs summarised: against figures counted by hand, and what may not be compared is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import pytest
from eval_logs import items, log, run

from phiforge.cli.main import main
from phiforge.evals import report
from phiforge.evals import task as registry
from phiforge.evals.compare import compare
from phiforge.evals.log import DataUsed, Item, read_items, write_log
from phiforge.evals.summary import read_flags, summarise


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return (
        log(tmp_path / "a", 0.45, n=120, model="small"),
        log(tmp_path / "b", 0.65, n=120, seed=1, model="large"),
    )


def test_what_changed_is_counted_item_by_item(pair: tuple[Path, Path]) -> None:
    a, b = ({i.id: i for i in read_items(each)} for each in pair)
    found = compare(*pair)
    gained = {id for id in a if b[id].right and not a[id].right}
    lost = {id for id in a if a[id].right and not b[id].right}
    assert {c.id for c in found.better} == gained
    assert {c.id for c in found.worse} == lost
    assert found.same == 120 - len(gained) - len(lost)
    assert found.paired.difference.value == pytest.approx((len(gained) - len(lost)) / 120)
    assert found.paired.mcnemar is not None
    assert (found.paired.mcnemar.only_a, found.paired.mcnemar.only_b) == (len(lost), len(gained))
    assert [(c.outcome_a, c.outcome_b) for c in found.better] == [(a[c.id].outcome, "right") for c in found.better]
    assert (found.a.model, found.b.model) == ("small", "large")
    assert sum(each.items for each in found.subsets) == 120
    assert found.remarks == []
    back = compare(pair[1], pair[0])
    assert back.paired.difference.value == pytest.approx(-found.paired.difference.value)


def test_the_comparison_reads_well(pair: tuple[Path, Path]) -> None:
    found = compare(*pair)
    shown = found.text()
    assert "B is better than A by more than chance explains." in shown
    assert f"{len(found.better)} items better in B, the first 10:" in shown
    assert f"{100 * found.paired.difference.value:+.1f} points" in shown
    same = compare(pair[0], pair[0])
    assert "No difference that these items can tell from chance" in same.text()
    assert (same.paired.p, same.better, same.worse) == (1.0, [], [])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"protocol": "8-shot"}, "protocol 'chat' and '8-shot'"),
        ({"task_version": 2}, "task version 1 and 2"),
        ({"data": DataUsed("test", "elsewhere", "cd" * 32, True, 40)}, "checksums abababababab and cdcdcdcdcdcd"),
        ({"data": DataUsed("train", "data", "ab" * 32, True, 40)}, "splits 'test' and 'train'"),
        ({"judge": "gpt"}, "judge '' and 'gpt'"),
        ({"sampling": {"shots": 5}}, "0 and 5 worked examples"),
    ],
)
def test_what_is_not_the_same_is_refused_unless_forced(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    a, b = log(tmp_path / "a", 0.5), log(tmp_path / "b", 0.5, **changes)
    with pytest.raises(ValueError, match=says) as error:
        compare(a, b)
    assert "--force" in str(error.value)
    assert any(says in remark for remark in compare(a, b, force=True).remarks)


def test_other_items_are_refused_and_those_of_one_run_alone_left_out(tmp_path: Path) -> None:
    whole, part = log(tmp_path / "a", 0.5, n=40), log(tmp_path / "b", 0.5, n=30)
    found = compare(whole, part)
    assert found.items == 30
    assert "left out of A, as the other run does not have them: 10 items" in found.remarks
    other = [msgspec.structs.replace(item, gold="other" if i == 3 else item.gold) for i, item in enumerate(items(0.5))]
    with pytest.raises(ValueError, match="items with other gold answers: 1, as gsm8k/test/3"):
        compare(whole, write_log(tmp_path / "c", run(), other))
    strangers = [msgspec.structs.replace(item, id=f"x{item.id}") for item in items(0.5)]
    with pytest.raises(ValueError, match="no item in common"):
        compare(whole, write_log(tmp_path / "d", run(), strangers))
    with pytest.raises(ValueError, match="holds no evaluation log"):
        compare(whole, tmp_path / "nowhere")


def test_repeats_are_averaged_before_items_are_paired(tmp_path: Path) -> None:
    a, b = log(tmp_path / "a", 0.5, repeats=4), log(tmp_path / "b", 0.5)
    found = compare(a, b)
    means = {id: fmean(i.right for i in read_items(a) if i.id == id) for id in {i.id for i in read_items(a)}}
    assert found.paired.difference.n == 40
    assert found.paired.mcnemar is None  # an item may be half right
    assert found.a.value.value == pytest.approx(fmean(means.values()))
    assert "repeats: 4 and 1" in found.remarks


def weighed(folder: Path, worse: float, seed: int) -> Path:
    def text(i: int) -> Item:
        size = 50 + 40 * (i % 7)
        bits = size * (1.1 + 0.1 * (i % 3) + worse)
        return Item(
            id=f"p/{i}", prompt="x", outcome="right", score=1.0, tokens_in=size // 4,
            measures={"logprob": -bits * math.log(2), "tokens": size / 4, "bytes": float(size), "words": size / 5},
        )  # fmt: skip

    told = run(task="perplexity", kind="perplexity", metric="perplexity", protocol="rolling", verifiers=[], seed=seed)
    return write_log(folder, told, [text(i) for i in range(60)])


def test_of_perplexity_less_is_better(tmp_path: Path) -> None:
    found = compare(weighed(tmp_path / "a", 0.0, 0), weighed(tmp_path / "b", 0.05, 0))
    assert found.paired.difference.value == pytest.approx(0.05)
    assert (len(found.better), len(found.worse)) == (0, 60)
    assert "B is worse than A" in found.text()
    assert summarise(tmp_path / "a").value.value == pytest.approx(found.a.value.value)
    assert "bits per byte" in report.text([summarise(tmp_path / "a")])


def test_a_summary_is_what_the_items_say(tmp_path: Path) -> None:
    place = log(tmp_path / "a", 0.5, n=50, repeats=4)
    answers = read_items(place)
    found = summarise(place)
    assert found.value.value == pytest.approx(sum(i.right for i in answers) / 200)
    assert (found.items, found.answers, found.value.clusters) == (50, 200, 50)
    assert found.outcomes == {k: n for k, n in Counter(i.outcome for i in answers).items()}  # noqa: C416
    assert sum(found.outcomes.values()) == 200
    assert found.cost.tokens_out.value == pytest.approx(fmean(i.tokens_out for i in answers))
    assert found.cost.tokens_right == pytest.approx(fmean(i.tokens_out for i in answers if i.right))
    assert {each.name: each.value.value for each in found.subsets} == pytest.approx(
        {f"part{s}": fmean(i.right for i in answers if i.subset == f"part{s}") for s in range(4)}
    )
    assert [each.k for each in found.of_k] == [1, 2, 4]
    right = [sum(i.right for i in answers[4 * j : 4 * j + 4]) for j in range(50)]
    assert found.of_k[-1].passed.value == pytest.approx(fmean(n > 0 for n in right))
    assert found.of_k[-1].all.value == pytest.approx(fmean(n == 4 for n in right))
    assert found.of_k[0].passed.value == pytest.approx(found.value.value)
    assert found.spread is not None
    assert found.spread.runs == 4
    assert msgspec.json.decode(msgspec.json.encode(found))["value"]["method"] == "wilson"


def test_the_majority_is_by_proven_equality(tmp_path: Path) -> None:
    """0.5, 1/2 and \\frac12 are one answer; as texts, the wrong 7 would have had most votes."""
    said = ["7", "0.5", "1/2", "\\frac{1}{2}", "7"]
    made = [
        msgspec.structs.replace(
            item, id="one", repeat=r, extracted=text, gold="1/2", outcome="wrong" if text == "7" else "right",
            score=float(text != "7"),
        )
        for r, (item, text) in enumerate(zip(items(0.5, n=5), said, strict=True))
    ]  # fmt: skip
    told = run(items=1, repeats=5)
    found = summarise(write_log(tmp_path / "a", told, made)).of_k[-1]
    assert found.k == 5
    assert found.majority is not None
    assert found.majority.value == 1.0
    as_text = msgspec.structs.replace(told, verifiers=["choice"])
    voted = summarise(write_log(tmp_path / "b", as_text, made)).of_k[-1].majority
    assert voted is not None
    assert voted.value == 0.0
    essays = [msgspec.structs.replace(item, extracted="word " * 99) for item in made]
    assert summarise(write_log(tmp_path / "c", as_text, essays)).of_k[-1].majority is None


def test_contaminated_items_are_told_apart(tmp_path: Path) -> None:
    place = log(tmp_path / "a", 0.5)
    flags = tmp_path / "flags.txt"
    flags.write_text("# found by hand\ngsm8k/test/0\n1\n\n" + json.dumps({"item": "gsm8k/test/2", "contaminated": True}) + "\n"
                     + json.dumps({"item": "gsm8k/test/3", "contaminated": False}) + "\nelse/where/9\n")  # fmt: skip
    ids = read_flags(flags, "gsm8k", "test")
    assert ids == {"gsm8k/test/0", "gsm8k/test/1", "gsm8k/test/2", "else/where/9"}
    found = summarise(place, ids)
    answers = read_items(place)
    assert found.contamination is not None
    assert (found.contamination.flagged, found.contamination.strangers) == (3, 1)
    assert found.contamination.without is not None
    assert found.contamination.without.value == pytest.approx(fmean(i.right for i in answers[3:]))
    assert "3 of 40 items are in the training data" in report.text([found])


def test_flags_come_from_a_curation_against_the_log(tmp_path: Path) -> None:
    """The decontaminator reads the log itself, so that its report names our ids."""
    benchmark = tmp_path / "bench"
    questions = [
        f"A carpenter of the village number {i} sawed planks for {w} and sold each {w} at the market of the old town for "
        f"{i + 3} coins before noon; how many coins did the carpenter carry home that same evening?"
        for i, w in enumerate(("doors", "boats", "chests", "ladders", "tables", "cradles"))
    ]
    made = [
        msgspec.structs.replace(item, prompt=f"<|user|>\n{q}")
        for item, q in zip(items(0.5, n=6), questions, strict=True)
    ]
    place = write_log(benchmark, run(items=6), made)
    filler = "The weather in the hills was mild, and people talked about the harvest, the road and the new bridge all week long. "
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text(filler * 3 + questions[2] + " " + filler * 3)
    (corpus / "b.txt").write_text(filler * 4)
    curated = tmp_path / "curated"
    against = ["--against", str(place / "items.jsonl")]
    assert main(["data", "curate", str(corpus), *against, "--out", str(curated)]) == 0
    ids = read_flags(curated / "report.json", "gsm8k", "test")
    assert "gsm8k/test/2" in ids
    told = json.loads((curated / "report.json").read_text())
    told["benchmarks"]["items"]["leaked_items"] += 5
    (curated / "report.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="items of items that were found"):
        read_flags(curated / "report.json")


def test_published_scores_say_when_they_do_not_compare(tmp_path: Path) -> None:
    task = registry.get("mmlu")
    changes = {"task": "mmlu", "protocol": "phi4", "verifiers": ["choice"], "task_version": task.version}
    whole = summarise(log(tmp_path / "a", 0.5, **changes))
    known = report.published(whole)
    assert known is not None
    assert (known.unlike, known.scores["Phi-4"]) == ([], 84.8)
    shown = report.text([whole])
    assert "84.8" in shown
    assert "2412.08905" in shown
    assert "not to be compared" not in shown
    for other, says in (
        ({"protocol": "letter"}, "measured by protocol letter, published by phi4"),
        ({"part": "anatomy"}, "only anatomy"),
        ({"protocol_words": "As it was. Changed: temperature 0."}, "the protocol was changed: temperature 0"),
        ({"data": DataUsed("test", "x", "", False, 14_042)}, "40 of 14,042 items"),
    ):
        found = summarise(log(tmp_path / says[:12].replace(" ", "-"), 0.5, **{**changes, **other}))
        shown = " ".join(report.text([found]).split())
        assert says in shown
        assert "not to be compared" in shown
    assert report.published(summarise(log(tmp_path / "b", 0.5))) is None


def test_an_unfinished_run_and_a_sample_are_said(tmp_path: Path) -> None:
    told = run(items=40, data=DataUsed("test", "x", "", False, 1319))
    place = write_log(tmp_path / "a", told, items(0.5, n=20))
    (place / "run.json").write_bytes(
        msgspec.json.encode(msgspec.structs.replace(told, finished=False, stopped="a budget"))
    )
    remarks = summarise(place).remarks
    assert remarks == [
        "not finished, 20 of 40 answers: a budget", "a sample: 40 of the 1,319 items",
        "the data set is not pinned by a checksum", "20 items say little",
    ]  # fmt: skip
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "run.json").write_bytes(msgspec.json.encode(told))
    with pytest.raises(ValueError, match="no items yet"):
        summarise(empty)


def test_several_runs_are_a_line_each(tmp_path: Path) -> None:
    two = [summarise(log(tmp_path / "a", 0.4, model="small")), summarise(log(tmp_path / "b", 0.6, model="large"))]
    lines = report.text(two, width=140).splitlines()
    assert lines[1].startswith("small")
    assert two[1].value.text() in lines[2]
