"""The verbs as a person or a program calls them. Those that need the default model are skipped where it is missing."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from phiforge.chat.parse import Said, Thought
from phiforge.cli.main import VERBS, main
from phiforge.cli.options import Screen, printable
from phiforge.cli.schema import closed
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


def test_thoughts_may_go_elsewhere() -> None:
    out, thoughts = io.StringIO(), io.StringIO()
    screen = Screen(out, thoughts)
    for event in (Thought("hm"), Said("\n"), Said("\n"), Said('{"a"'), Said(":\n1}")):
        screen.show(Delta(0, event))
    screen.end()
    assert out.getvalue() == '{"a":\n1}\n'
    assert thoughts.getvalue() == "hm\n\n"


# --- answers in a grammar --------------------------------------------------------------------------------------------

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "schema.json: No such file or directory"),
        ('{"type": ', "schema.json: the json_schema grammar is not JSON: "),
        ("[1]", "schema.json: a JSON schema is an object or true, not [1]"),
        (b"\xff\xfe", "schema.json is not UTF-8 text"),
        ("[" * 100_000, "schema.json: a JSON schema is nested at most"),
    ],
)
def test_schemas_that_cannot_be_read(capsys, tmp_path, content: str | bytes | None, message: str) -> None:
    file = tmp_path / "schema.json"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    for verb in (["ask", "hi"], ["chat"]):
        assert main([*verb, "--schema", str(file)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_other_words_that_cannot_be_meant(capsys, tmp_path) -> None:
    for words, message in (
        (["--regex", ""], "--regex: the regex grammar is empty"),
        (["--lark", str(tmp_path)], f"{tmp_path}: Is a directory"),
        (["--adapter", str(tmp_path / "none")], "none: there is no such folder"),
        (["-m", "http://localhost:1/v1#m", "--kv", "int8"], "--kv is for models on this machine"),
        (["-m", "http://localhost:1/v1#m", "--adapter", str(tmp_path)], "--adapter is for models on this machine"),
        (["-m", "http://localhost:1/v1#m", "--think-limit", "9"], "think_limit is 9, but the OpenAI API"),
        (["-m", "http://localhost:1/v1#m", "--regex", "a"], "the grammar is a regex one"),
    ):
        assert main(["ask", "hi", *words]) == 2, words
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["ask", "hi", "--regex", "a", "--lark", "b"])


def test_a_schema_is_closed_where_it_says_nothing() -> None:
    def shut(schema: dict[str, Any]) -> dict[str, Any]:
        return {**schema, "additionalProperties": False}

    assert closed(PERSON) == shut(PERSON)
    ref = {"$ref": "#/$defs/p"}
    nested = {"properties": {"p": ref, "l": {"items": PERSON}, "q": {"anyOf": [PERSON, True]}}, "$defs": {"p": PERSON}}
    assert closed(nested) == shut(
        {
            "properties": {"p": ref, "l": {"items": shut(PERSON)}, "q": {"anyOf": [shut(PERSON), True]}},
            "$defs": {"p": shut(PERSON)},
        }
    )
    for schema in (
        True,
        {"type": "object"},
        {"enum": [PERSON]},
        {**PERSON, "additionalProperties": True},
        {**PERSON, "patternProperties": {"^x": True}},
        {**PERSON, "required": ["other"]},
        {**PERSON, "minProperties": 3},
        {"allOf": [PERSON, {"properties": {"b": True}}]},
        {"properties": {"a": True}, "anyOf": [{"properties": {"b": True}}, True]},
        {"properties": {"a": {**PERSON, "$ref": "#/$defs/x"}}, "$defs": {"x": PERSON}},
        {"if": PERSON, "then": {"properties": {"b": True}}},
    ):
        assert closed(schema) == schema


@pytest.mark.usefixtures("default_model")
def test_ask_answers_in_json(capsys, tmp_path) -> None:
    file = tmp_path / "person.json"
    file.write_text(json.dumps(PERSON))
    words = ["ask", "--seed", "1", "--max-tokens", "100", "--schema", str(file)]
    assert main([*words, "Invent a person"]) == 0
    person = json.loads(capsys.readouterr().out)
    assert person.keys() == {"name", "age"}
    assert isinstance(person["name"], str)
    assert isinstance(person["age"], int)
    assert main([*words, "--max-tokens", "3", "Invent a person"]) == 1  # half a JSON text is no answer
    assert "cut off" in capsys.readouterr().err
    file.write_text('{"type": "object", "properties": {"a": {"type": "string", "format": "no-such-format"}}}')
    assert main([*words, "hi"]) == 2
    error = capsys.readouterr().err
    assert "the json_schema grammar does not compile" in error
    assert "no-such-format" in error


@pytest.mark.usefixtures("default_model")
def test_chat_answers_by_a_pattern_under_other_settings(capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Pick a number.\nAnother one.\n"))
    words = ["--kv", "int8", "--presence-penalty", "0.5", "--frequency-penalty", "0.5", "-t", "0"]
    assert main(["chat", "--json", "--regex", "[0-9]{2}", *words]) == 0
    replies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [reply["text"].isdigit() and len(reply["text"]) for reply in replies] == [2, 2]


@pytest.mark.usefixtures("default_model")
def test_ask_streams_an_answer(capsys) -> None:
    assert main(["ask", "-t", "0", "--max-tokens", "20", "What is gravity?"]) == 0
    captured = capsys.readouterr()
    assert "Gravity" in captured.out
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
