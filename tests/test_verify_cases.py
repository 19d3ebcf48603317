"""Every verifier proves itself on its labelled file: all gold accepted, every near miss rejected."""

from __future__ import annotations

import pytest

from phiforge import verify
from phiforge.cli.main import main
from phiforge.records import Message, Problem
from phiforge.verify.cases import error_table, labelled


@pytest.mark.parametrize("name", labelled())
def test_gold_is_accepted_and_near_misses_are_rejected(name: str) -> None:
    table = error_table(name)
    assert table.total.right >= 20
    assert table.total.wrong >= 20
    assert not table.misjudged, str(table)


def test_a_labelled_file_shows_a_verifier_that_is_wrong(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text('{"response": "Answer: x", "answer": "x", "correct": false, "category": "planted"}\n')
    assert main(["verify", "choice", "--cases", str(file)]) == 1
    assert "FALSE ACCEPT: 'Answer: x' for 'x'" in capsys.readouterr().out


def test_one_answer_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "choice", "Answer: (B)", "B", "--args", '{"options": ["red", "blue"]}']) == 0
    assert main(["verify", "choice", "Answer: red", "B", "--args", '{"options": ["red", "blue"]}']) == 1
    assert "A was chosen, B is right" in capsys.readouterr().out


def test_an_answer_that_names_no_option_is_the_problem_s_fault() -> None:
    with pytest.raises(ValueError, match="names none of 2 options"):
        verify.get("choice")("Answer: A", Problem("p", [Message("user", "?")], "E", "choice", {"options": ["x", "y"]}))
