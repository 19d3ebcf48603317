# ruff: noqa: E501
"""Curation: what each filter catches and lets pass, duplicates against their definition, planted leaks, the chain as a whole."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from phiforge.cli.main import main
from phiforge.data import seeds
from phiforge.data.curate import filters
from phiforge.data.curate.benchmark import Item, read_items
from phiforge.data.curate.corrupted import corrupted
from phiforge.data.curate.decontaminate import Decontaminator
from phiforge.data.curate.duplicates import ExactDuplicates, NearDuplicates, near_share
from phiforge.data.curate.language import Language, identify
from phiforge.data.curate.pii import Scrub, find
from phiforge.data.curate.quality import Quality, train
from phiforge.data.pipeline import Solver, get
from phiforge.data.rows import Options, make_row, question
from phiforge.records import Example

SHARED = Path(__file__).parents[2] / "shared/data"
PASSAGES = [seed.text for seed in seeds.own("passages")]
CODE = [seed.text for seed in seeds.own("code")]
WORDS = " ".join(PASSAGES).split()


def prose(draw: random.Random, n: int = 200) -> str:
    """Words of our passages in another order."""
    return " ".join(draw.choice(WORDS) for _ in range(n))


def questions(name: str, n: int) -> list[str]:
    pipeline = get(name)
    assert isinstance(pipeline, Solver)
    made = [make_row(pipeline, i, Options()) for i in range(n)]
    return [question(each.problem) for each in made if isinstance(each, Example)]


# --- duplicates ---------------------------------------------------------------------------------------------------------


def test_exact_duplicates_are_told_by_words_and_symbols() -> None:
    seen = ExactDuplicates()
    assert seen("3 + 4 is\nseven") is None
    assert seen("3 + 4  IS seven ") == "exact duplicate"
    assert seen("3 - 4 is seven") is None


def test_near_duplicates_are_those_of_the_definition() -> None:
    draw = random.Random(1)
    texts = [prose(draw) for _ in range(400)]
    for i in range(0, 200, 2):  # every other one of the first comes again with some words changed
        words = texts[i].split()
        for place in draw.sample(range(len(words)), 1 + i % 3):
            words[place] = "changed"
        texts.append(" ".join(words))
    index = NearDuplicates()
    index.add(texts)
    first = index.first().tolist()
    assert first[:400] == list(range(400))
    found = sum(first[400 + k] == 2 * k for k in range(100))
    assert found >= 99
    assert index.nbytes == len(texts) * (120 + 160)


def test_near_share_counts_exactly() -> None:
    draw = random.Random(2)
    texts = [prose(draw, 60) for _ in range(50)]
    assert near_share(texts) == 0
    assert near_share([*texts, *texts[:10]]) == 10 / 60


@pytest.mark.parametrize("similarity", [0.2, 1.2])
def test_a_similarity_out_of_reach_is_refused(similarity: float) -> None:
    with pytest.raises(ValueError, match="out of reach"):
        NearDuplicates(similarity)


# --- languages, corrupted texts, personal data ------------------------------------------------------------------------------


def test_languages_are_told_and_formulas_left_alone() -> None:
    keep = Language(["en"])
    assert identify("Der Hund läuft über die Straße und bellt laut.")[0] == "de"
    assert keep("Der Hund läuft über die Straße und bellt laut.") == "language: de"
    for text in (PASSAGES[0], "$x^2 + y^2 = z^2$", CODE[0], "42"):
        assert keep(text) is None
    with pytest.raises(ValueError, match="no language xx"):
        Language(["xx"])


BROKEN = {
    "empty": " \n",
    "binary": "\x00\x01\x02" * 200,
    "replacement characters": "A \ufffd few \ufffd words" * 20,
    "mojibake": "Ã¼ber die BrÃ¼cke, fÃ¼r zwÃ¶lf KÃ¶nige. " * 10,
    "encoded data": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkrLw" * 8,
    "repetition": "click here to subscribe now " * 100,
    "letters at random": " ".join("".join(random.Random(i).choices("qxzjkvwpfghbcm", k=7)) for i in range(120)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_corrupted_texts_are_told(what: str) -> None:
    assert corrupted(BROKEN[what]) == f"corrupted: {what}"


def test_prose_code_formulas_and_tables_pass() -> None:
    table = "| name | value |\n|---|---|\n" + "\n".join(f"| row {i} | {i * 37 % 101} |" for i in range(40))
    formulas = "We have $\\int_0^1 x^n\\,dx = \\frac{1}{n+1}$ and so on. " + "\n".join(
        f"$a_{i} = {i}^2 + {i + 1}$" for i in range(30)
    )
    good = [
        *PASSAGES,
        *CODE,
        "\n\n".join(CODE),
        table,
        formulas,
        *questions("science.stoichiometry", 30),
        *questions("language.tables", 30),
    ]
    assert [reason for text in good if (reason := corrupted(text))] == []


def test_personal_data_is_replaced_by_its_kind() -> None:
    text = "Mail ada.l@mail.org or call +49 30 901820; card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00, host 81.2.69.142."
    scrub = Scrub()
    assert scrub(text) == "Mail [EMAIL] or call [PHONE]; card [CREDIT_CARD], IBAN [IBAN], host [IP]."
    assert scrub.counts == {"EMAIL": 1, "PHONE": 1, "CREDIT_CARD": 1, "IBAN": 1, "IP": 1}
    assert (
        Scrub()("card 4111 1111 1111 1112, IBAN DE88 3704 0044 0532 0130 00")
        == "card 4111 1111 1111 1112, IBAN DE88 3704 0044 0532 0130 00"
    )


def test_mathematics_and_code_hold_no_personal_data() -> None:
    names = ("arithmetic.chains", "numbers.theory", "algebra.linear", "science.kinematics", "code.output")
    texts = [*CODE, *(text for name in names for text in questions(name, 60))]
    assert [(text, found) for text in texts if (found := find(text))] == []


# --- quality ------------------------------------------------------------------------------------------------------------------


def test_a_classifier_learns_and_is_kept(tmp_path: Path) -> None:
    draw = random.Random(3)
    good = [" ".join(draw.sample(PASSAGES, 1)[0].split()[: draw.randint(60, 120)]) for _ in range(80)]
    bad = [
        "BUY NOW!!! "
        + " ".join(draw.choices(["cheap", "deal", "click", "free", "win", "prize", "offer", "now"], k=60))
        for _ in range(80)
    ]
    texts, labels = good + bad, [1.0] * 80 + [0.0] * 80
    model = train(texts, labels, name="adverts", labelled_by="hand")
    assert model.manifest.holdout.auc > 0.95
    assert model.manifest.holdout.accuracy > model.manifest.holdout.majority
    model.save(str(tmp_path / "m"))
    again = Quality.open(str(tmp_path / "m"))
    assert again.score(texts).tolist() == model.score(texts).tolist() == train(texts, labels).score(texts).tolist()
    assert again.many([good[0], bad[0]]) == [None, "quality: adverts"]
    with pytest.raises(ValueError, match="too few"):
        train(texts[:10], labels[:10])


# --- decontamination -----------------------------------------------------------------------------------------------------------


def changed_numbers(draw: random.Random, text: str) -> str:
    return " ".join(str(draw.randint(2, 99)) if word.strip(".,?").isdigit() else word for word in text.split())


def reworded(draw: random.Random, text: str) -> str:
    """One word in twelve is another."""
    words = text.split()
    for place in draw.sample(range(len(words)), max(1, len(words) // 12)):
        words[place] = draw.choice(("quite", "thing", "maybe", "other"))
    return " ".join(words)


def planted(items: list[Item], hosts: list[str]) -> tuple[float, float]:
    """Shares of verbatim and of lightly edited items that are found, alone and within longer texts."""
    draw = random.Random(5)
    finder = Decontaminator(items, hosts)
    verbatim, edited = [], []
    for item in items:
        host = draw.choice(hosts)
        middle = len(host) // 2
        verbatim += [item.text, f"{host[:middle]} {item.text} {host[middle:]}"]
        for edit in (changed_numbers, reworded):
            edited += [edit(draw, item.text), f"{host[:middle]} {edit(draw, item.text)} {host[middle:]}"]
    return sum(map(bool, finder.many(verbatim))) / len(verbatim), sum(map(bool, finder.many(edited))) / len(edited)


def test_planted_leaks_of_made_items_are_found() -> None:
    items = [
        Item("made", str(i), text)
        for i, text in enumerate(questions("arithmetic.ratios", 60) + questions("numbers.probability", 60))
        if len(text.split()) >= 16
    ]
    verbatim, edited = planted(items, PASSAGES)
    assert verbatim == 1
    assert edited >= 0.95


def test_unrelated_texts_raise_no_alarm() -> None:
    items = [Item("made", str(i), text) for i, text in enumerate(questions("arithmetic.ratios", 200))]
    draw = random.Random(7)
    others = [*PASSAGES, *CODE, *(prose(draw) for _ in range(2000)), *questions("science.genetics", 200)]
    assert sum(map(bool, Decontaminator(items, PASSAGES).many(others))) <= len(others) // 1000


def test_a_leak_is_told_with_its_place() -> None:
    item = Item(
        "quiz",
        "7",
        "A farmer has seventeen brown sheep and all but nine of them wander off one foggy night; how many stay behind?",
    )
    text = f"{PASSAGES[0]} {item.text} {PASSAGES[1]}"
    finder = Decontaminator([item])
    (leak,) = finder.find([text])[0]
    assert (leak.benchmark, leak.item, leak.how, leak.contaminated) == ("quiz", "7", "13-gram", True)
    assert text[leak.start : leak.end] in item.text
    assert finder.report["quiz"].leaked_items == 1
    assert finder.report["quiz"].matches == [leak]


def test_benchmark_files_without_a_question_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "b.jsonl"
    file.write_text('{"body": "x"}\n')
    with pytest.raises(ValueError, match="no column"):
        list(read_items(str(file)))
    with pytest.raises(FileNotFoundError):
        list(read_items(str(tmp_path / "none.jsonl")))
    with pytest.raises(ValueError, match="no benchmark item"):
        Decontaminator([])


def test_planted_leaks_of_real_benchmarks_are_found() -> None:
    files = [
        SHARED / "gsm8k/train.jsonl",
        SHARED / "math500/math500_clean.jsonl",
        SHARED / "humaneval/HumanEval.jsonl.gz",
        SHARED / "ifeval/input_data.jsonl",
    ]
    files = [file for file in files if file.exists()]
    corpus = SHARED / "docs_corpus"
    if not files or not corpus.exists():
        pytest.skip("the benchmarks are not here")
    hosts = [seed.text for seed in seeds.read(str(corpus))]
    for file in files:
        items = [item for item in read_items(str(file)) if len(item.text.split()) >= 16][:300]
        verbatim, edited = planted(items, hosts[:500])
        assert verbatim == 1, file
        assert edited >= 0.95, (file, edited)
        alarms = sum(map(bool, Decontaminator(items, hosts[:500]).many(hosts[500:2500])))
        assert alarms <= len(hosts[500:2500]) // 1000, file


# --- the chain ---------------------------------------------------------------------------------------------------------------------


def test_documents_are_curated_with_reasons(tmp_path: Path) -> None:
    near = PASSAGES[4].replace("library", "bookshop", 1)
    leak = (
        "A farmer has seventeen brown sheep and all but nine of them wander off one foggy night; how many stay behind?"
    )
    texts = [
        *PASSAGES,
        PASSAGES[0],
        near,
        BROKEN["repetition"],
        "Der Hund läuft über die Straße und bellt laut.",
        leak,
        "Write to ada.l@mail.org about it, and she will answer within a day or two.",
    ]
    (tmp_path / "docs.jsonl").write_text(
        "".join(json.dumps({"text": text, "n": i}) + "\n" for i, text in enumerate(texts))
    )
    (tmp_path / "quiz.jsonl").write_text(json.dumps({"question": leak}) + "\n")
    out = tmp_path / "out"
    words = [
        "data",
        "curate",
        str(tmp_path / "docs.jsonl"),
        "--text",
        "text",
        "-o",
        str(out),
        "--languages",
        "en",
        "--against",
        str(tmp_path / "quiz.jsonl"),
        "--scrub",
        "--json",
    ]
    assert main(words) == 0
    report = msgspec.json.decode((out / "report.json").read_bytes(), type=filters.CurationReport)
    assert report.rejected == {
        "exact duplicate": 1,
        "near duplicate": 1,
        "corrupted: repetition": 1,
        "language: de": 1,
        "contaminated: quiz": 1,
    }
    assert (report.read, report.kept, report.scrubbed) == (len(texts), len(PASSAGES) + 1, {"EMAIL": 1})
    kept = [json.loads(line) for line in (out / "kept.jsonl").open()]
    assert [row["n"] for row in kept] == [*range(len(PASSAGES)), len(texts) - 1]
    assert "[EMAIL]" in kept[-1]["text"]
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").open()]
    assert sorted(row["reason"] for row in rejects) == sorted(report.rejected)
    assert main(words) == 1  # nothing is written over


def test_rows_are_curated_into_a_folder_that_can_be_described_and_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = str(tmp_path / "made"), str(tmp_path / "out")
    assert main(["data", "run", "science.circuits", "arithmetic.percent", "-n", "300", "-o", made, "--json"]) == 0
    assert main(["data", "curate", made, "-o", out]) == 0
    assert " of 600 kept" in capsys.readouterr().out
    kept = msgspec.json.decode((Path(out) / "report.json").read_bytes(), type=filters.CurationReport).kept
    assert 500 < kept <= 600
    rows = filters.Rows(out)
    assert sum(1 for _ in rows) == kept
    assert [a <= b for a, b in pairwise(name for name, _, _ in rows)]
    with pytest.raises(ValueError, match="not in rows"):
        filters.curate(rows, str(tmp_path / "other"), [], scrub=Scrub())
