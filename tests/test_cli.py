"""The verbs as a person or a program calls them. Those that need the default model are skipped where it is missing."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from phiforge.chat.parse import Said, Thought
from phiforge.cli.main import VERBS, main
from phiforge.cli.options import Screen, printable
from phiforge.lm import Delta
from phiforge.records import Message, read_jsonl
from phiforge.store import models as store


@pytest.fixture
def default_model() -> None:
    try:
        store.find("smollm2-135m-instruct")
    except store.NotInstalled:
        pytest.skip("the default model has not been pulled")


def test_help_lists_every_verb(capsys) -> None:
    for words in ([], *([verb] for verb in VERBS)):
        with pytest.raises(SystemExit) as end:
            main([*words, "--help"])
        assert end.value.code == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)


def test_help_and_verbs_import_no_torch() -> None:
    code = "import sys; from phiforge.cli.main import main\ntry: main(['{}', '--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'numpy', 'sympy', 'rich', 'transformers') if m in sys.modules])"
    for verb in VERBS:
        out = subprocess.run(
            [sys.executable, "-c", code.format(verb)], capture_output=True, text=True, check=True
        ).stdout
        assert out.splitlines()[-1] == "[]", verb


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ask", "-m", "nonesuch", "hi"], 1, "no model 'nonesuch'"),
        (["ask", "--votes", "0", "hi"], 2, "--votes must be 1 or more"),
        (["verify", "math", "1"], 2, "give two answers"),
        (["verify", "math", "--pairs", "/nonesuch.jsonl"], 1, "nonesuch"),
        (["chat", "-m", "http://localhost:1/v1"], 1, "'#'"),
    ],
)
def test_errors_are_one_sentence_and_a_code(capsys, words: list[str], code: int, message: str) -> None:
    assert main(words) == code
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_unknown_words_exit_with_2() -> None:
    for words in (["nonesuch"], ["ask"], ["ask", "hi", "--nonesuch"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 2


def test_verify_math(capsys) -> None:
    assert main(["verify", "math", r"\frac{1}{2}", "0.5"]) == 0
    assert main(["verify", "math", "1/2^99", "1/2^98", "--json"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "equal"
    assert json.loads(out[1])["correct"] is False


def test_screen_dims_thoughts_on_a_terminal_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for out, expected in ((Terminal(), "\x1b[2mhm\n\n\x1b[0myes\n"), (io.StringIO(), "hm\n\nyes\n")):
        screen = Screen(out)
        for event in (Thought("hm"), Said("\nyes")):
            screen.show(Delta(0, event))
        screen.end()
        assert out.getvalue() == expected


def test_model_text_cannot_drive_the_terminal() -> None:
    assert printable("a\x1b[31mb\x07\u009bc\n\té") == "a[31mbc\n\té"


@pytest.mark.usefixtures("default_model")
def test_ask_streams_an_answer(capsys) -> None:
    assert main(["ask", "-t", "0", "--max-tokens", "20", "What is the capital of France?"]) == 0
    captured = capsys.readouterr()
    assert "Paris" in captured.out
    assert "tokens/s" in captured.err
    assert "first token after" in captured.err


@pytest.mark.usefixtures("default_model")
def test_ask_refuses_sampling_that_makes_no_sense(capsys) -> None:
    assert main(["ask", "-t", "-1", "hi"]) == 2
    assert "temperature must be 0 or more" in capsys.readouterr().err


@pytest.mark.usefixtures("default_model")
def test_votes_tally_equal_answers(capsys) -> None:
    words = [
        "ask",
        "--votes",
        "5",
        "--seed",
        "1",
        "--max-tokens",
        "40",
        "--json",
        "What is 2 + 2? Answer with a number.",
    ]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["replies"]) == result["votes"] == 5
    counted = [i for group in result["tally"] for i in group["samples"]]
    assert len(counted) == len(set(counted)) == 5 - result["without_answer"]
    assert result["answer"] == result["tally"][0]["answer"]
    assert all(a["votes"] >= b["votes"] for a, b in zip(result["tally"], result["tally"][1:], strict=False))
    assert main([w for w in words if w != "--json"]) == 0
    captured = capsys.readouterr()
    assert f"Answer: {result['answer']}" in captured.out
    assert "█" in captured.out


@pytest.mark.usefixtures("default_model")
def test_chat_for_programs(capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("My name is Ann.\n\nWhat is my name?\n"))
    assert main(["chat", "--json", "-t", "0", "--max-tokens", "12"]) == 0
    replies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(replies) == 2
    assert replies[1]["prompt_tokens"] > replies[0]["prompt_tokens"] + replies[0]["tokens"]


@pytest.mark.usefixtures("default_model")
def test_chat_for_people(capsys, monkeypatch, tmp_path) -> None:
    saved = tmp_path / "talk.jsonl"
    lines = iter(
        [
            "Hi",
            "/retry",
            "/undo",
            "/undo",
            "/bogus",
            '"""one',
            'two"""',
            f"/save {saved}",
            "/system Be brief.",
            "/system",
            "/quit",
        ]
    )
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    monkeypatch.setattr("phiforge.cli.chat._remember_lines", lambda: None)
    assert main(["chat", "-t", "0", "--max-tokens", "5"]) == 0
    err = capsys.readouterr().err
    assert "there is nothing to take back" in err
    assert "/bogus is not a command" in err
    assert "Be brief." in err
    messages = list(read_jsonl(saved, Message))
    assert [m.role for m in messages] == ["user", "assistant"]
    assert messages[0].text == "one\ntwo"
