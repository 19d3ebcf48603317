"""Mixtures and cards: shares and epochs come out as asked, the same seed mixes the same, a row leads back to its seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyarrow import parquet

from phiforge.cli.main import main
from phiforge.data import mixture
from phiforge.data.card import describe, write_card
from phiforge.data.mixture import Mixture, Source
from phiforge.records import Example, read_parquet


def words(texts: Sequence[str]) -> list[int]:
    """A tokenizer that is always there."""
    return [len(text.split()) for text in texts]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    assert main(["data", "run", "science.circuits", "arithmetic.percent", "-n", "200", "-o", str(out), "--json"]) == 0
    return out


def test_shares_and_epochs_come_out_as_asked(made: Path, tmp_path: Path) -> None:
    circuits, percent = str(made / "data/science.circuits"), str(made / "data/arithmetic.percent")
    asked = Mixture([Source(circuits, share=0.25), Source(percent, share=0.75)], tokens=60_000)
    entries = mixture.write(asked, str(tmp_path / "out"), words)
    assert [(e.name, e.share, e.rows) for e in entries] == [
        ("science.circuits", 0.25, 200),
        ("arithmetic.percent", 0.75, 200),
    ]
    rows = list(read_parquet(tmp_path / "out/data/mixture/train-00000.parquet", Example))
    tokens, times = Counter[str](), Counter[str]()
    for row in rows:
        name = row.problem.id.partition("/")[0]
        tokens[name] += words([mixture.text_of(row)])[0]
        times[row.problem.id] += 1
    for entry in entries:
        assert tokens[entry.name] == pytest.approx(entry.tokens, rel=0.02)
        gone = [n for id, n in times.items() if id.startswith(entry.name)]
        assert max(gone) - (min(gone) if len(gone) == 200 else 0) <= 1  # nothing comes again before all have come
        assert entry.epochs == pytest.approx(entry.tokens / entry.unique_tokens)
    halves = [
        Counter(row.problem.id.partition("/")[0] for row in part)
        for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :])
    ]
    assert all(abs(halves[0][name] - halves[1][name]) <= 4 for name in tokens)  # spread evenly


def test_the_same_seed_mixes_the_same(made: Path, tmp_path: Path) -> None:
    asked = Mixture([Source(str(made), epochs=1.5)], seed=3)
    contents = []
    for name in ("a", "b"):
        mixture.write(asked, str(tmp_path / name), words)
        contents.append((tmp_path / name / "data/mixture/train-00000.parquet").read_bytes())
    assert contents[0] == contents[1]
    with pytest.raises(ValueError, match="holds a mixture already"):
        mixture.write(asked, str(tmp_path / "a"), words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "source"),
        ('[[source]]\npath = "MADE"\nshare = 0.5', "give `tokens`|Give `tokens`"),
        ('tokens = 10\n[[source]]\npath = "MADE"\nshare = 0.5', "add up to 0.5"),
        ('tokens = 10\n[[source]]\npath = "MADE"\nshare = 1.5', "more than 1"),
        ('[[source]]\npath = "MADE"', "either a share or epochs"),
        ('[[source]]\npath = "missing"\nepochs = 1', "no such file"),
        ('[[source]]\npath = "MADE"\nepochs = 1\n[[source]]\npath = "MADE"\nepochs = 1', "two sources are called"),
        ('[[source]]\npath = "MADE"\nepoch = 1', "epoch"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(text: str, message: str, made: Path, tmp_path: Path) -> None:
    file = tmp_path / "mixture.toml"
    file.write_text(text.replace("MADE", str(made)))
    with pytest.raises(ValueError, match=message):
        mixture.read_mixture(file)


def test_a_row_leads_back_to_its_seed(made: Path) -> None:
    traced = mixture.trace(str(made), "science.circuits/0/7")
    assert traced["source"] == "phiforge.data/science.circuits@1"
    assert str(traced["seeds"]).startswith("['seed 0, row 7, draw ")
    with pytest.raises(ValueError, match="has no row"):
        mixture.trace(str(made), "science.circuits/0/999")


def test_a_card_counts_measures_and_shows(made: Path) -> None:
    described = describe(str(made), words)
    assert [part.name for part in described] == ["arithmetic.percent", "science.circuits"]
    for part in described:
        assert part.rows == sum(part.levels.values()) == 200
        assert part.tokens > part.thought_tokens > 0
        assert part.accepted == 1.0
        assert len(part.samples) == 3
        assert 0 <= part.diversity.near_duplicates < 0.2
        assert 0 < part.diversity.commonest_template < 0.2
        assert part.licences == ["MIT"]
    text = Path(write_card(str(made), described)).read_text()
    head = dict(line.split(": ", 1) for line in text.split("---")[1].strip().splitlines())
    configs = {each["config_name"]: each["data_files"] for each in json.loads(head["configs"])}
    assert configs["science.circuits"] == "data/science.circuits/*.parquet"
    assert json.loads(head["license"]) == "mit"
    assert "Resistor networks" in text


def test_trainers_find_a_conversation_in_every_row(made: Path) -> None:
    (file,) = (made / "data/science.circuits").glob("*.parquet")
    row = parquet.read_table(file).to_pylist()[0]
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["messages"][1]["content"].startswith("<think>")
