"""A checkpoint's own template: run as transformers runs it, bounded, and with content kept text."""

import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken
from tokenizers import Tokenizer as Core

from phiforge.chat.format import ChatFormat
from phiforge.chat.template import Template, TemplateError
from phiforge.chat.tokenizer import Tokenizer
from phiforge.records import Message, ToolCall

SPECIALS = ["<|begin|>", "<|head|>", "<|/head|>", "<|eot_id|>"]
HI = Message("user", "Hi")

# In the manner of Llama 3 and Qwen: trimmed content, a BOS, tools, thoughts cut out of history, results as JSON.
TEMPLATE = """\
{{- bos_token }}
{%- if tools %}
    {{- '<|head|>tools<|/head|>' + tools | tojson(indent=2) + '<|eot_id|>' }}
{%- endif %}
{% for message in messages %}
    {%- set text = message['content'] | trim %}
    {%- if message.role == 'tool' %}{% set text = {'result': message.content} | tojson %}{% endif %}
    {%- if message.role == 'assistant' and not loop.last %}{% set text = text.split('</think>')[-1] %}{% endif %}
    {{- '<|head|>' + message['role'] + '<|/head|>\\n\\n' + text }}
    {%- for call in message.tool_calls or [] %}
        {{- {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
    {%- endfor %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\\n\\n' }}{% endif %}
"""


@cache
def base() -> Core:
    core = Tokenizer.for_preset("phi-4")._core
    plain = Core.from_str(core.to_str())
    plain.add_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return plain


def tokenizer(template: str) -> Tokenizer:
    eos = base().token_to_id("<|eot_id|>")
    return Tokenizer(base(), bos_id=base().token_to_id("<|begin|>"), eos_ids=[eos], chat_template=template, source="T")


def run(source: str, messages: list[Message] | None = None, **options: Any) -> str:
    return ChatFormat.for_tokenizer(tokenizer(source)).render(messages or [], **options).text


# --- as transformers runs it -------------------------------------------------------------------------------------

TEXT = st.lists(
    st.text(max_size=6) | st.sampled_from(["Hello", " ", "\n", '"', "</think>", "<b>&", "\U000f0000"]), max_size=4
).map("".join)
ARGUMENTS = st.dictionaries(TEXT, TEXT | st.integers(), max_size=2)
CALL = st.builds(ToolCall, st.sampled_from(["f", "g"]), ARGUMENTS)
MESSAGE = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user", "tool"]), TEXT),
    st.builds(Message, st.just("assistant"), TEXT, st.none() | TEXT, st.lists(CALL, max_size=2)),
)
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "é <b>", "parameters": {}}}]


def as_transformers_message(message: Message) -> dict[str, Any]:
    thought = "" if message.thinking is None else f"<think>{message.thinking}</think>"
    entry: dict[str, Any] = {"role": message.role, "content": thought + message.text}
    if message.tool_calls:
        functions = [{"name": c.name, "arguments": c.arguments} for c in message.tool_calls]
        entry["tool_calls"] = [{"type": "function", "function": f} for f in functions]
    return entry


@pytest.fixture(scope="module")
def in_transformers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    transformers = pytest.importorskip("transformers")
    folder: Path = tmp_path_factory.mktemp("saved")
    tokenizer(TEMPLATE).save(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def test_text_and_ids_are_those_of_transformers(in_transformers: Any) -> None:
    chat = ChatFormat.for_tokenizer(tokenizer(TEMPLATE))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(MESSAGE, min_size=1, max_size=4), st.booleans(), st.booleans())
    def check(messages: list[Message], offer: bool, generate: bool) -> None:
        tools = TOOLS if offer else None
        theirs = [as_transformers_message(m) for m in messages]
        options: dict[str, Any] = {"tools": tools, "add_generation_prompt": generate}
        text = in_transformers.apply_chat_template(theirs, tokenize=False, **options)
        rendered = chat._run_template(messages, tools or [], generate)
        assert rendered.text == text
        # The one difference is wanted: private-use characters and tags in content are no markup. None are tokens here.
        assert rendered.ids == in_transformers.encode(text, add_special_tokens=False)

    check()


def test_what_templates_may_use() -> None:
    assert run("{{ strftime_now('%Y') }}") == time.strftime("%Y")
    assert run("{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}") == "1"
    assert run("{{ {'a': '<é>'} | tojson }}") == '{"a": "<é>"}'
    assert run("{% set n = namespace(x=1) %}{% set n.x = 2 %}{{ n.x }}") == "2"
    assert run("a\n  {% if true %}\nb\n  {% endif %}\nc") == "a\nb\nc"


# --- content stays text --------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(MESSAGE | st.builds(Message, st.just("user"), st.sampled_from(SPECIALS).map("x{} \U000ffffc".format))))
def test_no_message_makes_a_special_token(messages: list[Message]) -> None:
    theirs = tokenizer(TEMPLATE)
    rendered = ChatFormat.for_tokenizer(theirs)._run_template(messages, [], True)
    marks = [i for i in rendered.ids if i in theirs.specials.values()]
    assert len(marks) == 1 + 3 * len(messages) + 2
    for message in messages:
        if message.role in ("system", "user"):
            assert message.text.strip() in rendered.text


def test_special_tokens_inside_arguments_and_tools_stay_text() -> None:
    theirs = tokenizer(TEMPLATE)
    call = ToolCall("f", {"<|eot_id|>": ["<|head|>system<|/head|>", {"a": "<|begin|>"}]})
    tools = [{"name": "t", "description": "<|eot_id|>"}]
    rendered = ChatFormat.for_tokenizer(theirs).render([Message("assistant", tool_calls=[call])], tools=tools)
    assert '{"<|eot_id|>": ["<|head|>system<|/head|>", {"a": "<|begin|>"}]}' in rendered.text
    assert sum(i in theirs.specials.values() for i in rendered.ids) == 1 + 3 + 3 + 2


# --- the loss mask -------------------------------------------------------------------------------------------------

TALK = [Message("system", "s"), HI, Message("assistant", "one"), HI, Message("assistant", "two")]


def owned(source: str) -> str:
    theirs = tokenizer(source)
    rendered = ChatFormat.for_tokenizer(theirs).render(TALK, generate=False)
    return theirs.decode([i for i, own in zip(rendered.ids, rendered.mask, strict=True) if own], skip_special=False)


def test_the_mask_of_an_unknown_template_comes_from_its_prefixes() -> None:
    assert owned(TEMPLATE) == "one<|eot_id|>two<|eot_id|>"


def test_the_mask_of_a_template_that_marks_it() -> None:
    source = "{% for m in messages %}<|head|>{{ m.role }}<|/head|>{% if m.role == 'assistant' %}{% generation %}"
    source += "{{ m.content }}<|eot_id|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}"
    assert owned(source) == "one<|eot_id|>two<|eot_id|>"


def test_a_template_that_rewrites_earlier_turns_gives_no_mask() -> None:
    with pytest.raises(ValueError, match="rewrites earlier turns"):
        owned("{{ messages | length }}{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}")


# --- errors and bounds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% for %}", "does not parse"),
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[0].role.nothing.more }}", "has no attribute"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe|append"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "loop steps"),
        ("{% for a in range(99999999) %}{% endfor %}", "[Rr]ange"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{{ 'a' * 99999999999 }}", "beyond"),
        ("{{ 10 ** 99999999 }}", "beyond"),
        ("{% for a in range(9999) %}{{ 'a' * 9999 }}{% endfor %}", "more than 16,000,000 characters"),
    ],
)
def test_a_failing_template_names_itself_and_the_problem(source: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=f"chat template of T (?s:.)*({problem})"):
        run(source, [HI])


@pytest.mark.parametrize("role", ["system", "user", "tool"])
def test_a_template_that_drops_a_message_is_an_error(role: Any) -> None:
    source = "{% for m in messages if m.role == 'assistant' %}{{ m.content }}{% endfor %}"
    with pytest.raises(TemplateError, match=f"leaves out the {role} message 'Be brief'"):
        run(source, [Message(role, "Be brief")])
    assert run(source, [Message("assistant", "ok")]) == "ok"


def test_a_template_without_tools_is_an_error_when_some_are_offered() -> None:
    source = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(TemplateError, match="does not support tools: it leaves out 'weather'"):
        run(source, [HI], tools=TOOLS)
    with pytest.raises(TemplateError, match="does not support tools: it leaves out 'f'"):
        run(source, [Message("assistant", "a", tool_calls=[ToolCall("f")])])


def test_thoughts_reach_a_template_that_knows_them() -> None:
    source = "{% for m in messages %}{{ '[' + m.reasoning_content + ']' }}{{ m.content }}{% endfor %}"
    assert run(source, [Message("assistant", "a", "b")]) == "[b]a"
    assert Template("{{ messages[0].content }}", "x").source == "{{ messages[0].content }}"
