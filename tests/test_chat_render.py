"""The exact renderers against the published templates, and the loss mask."""

import json
from functools import cache
from typing import Any

import jinja2.sandbox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken
from tokenizers import Tokenizer as Core

from phiforge.chat import ChatFormat, Rendered, Tokenizer, published
from phiforge.chat.parse import parse
from phiforge.records import Image, Message, Text, ToolCall

MEMBERS = (
    "phi-4",
    "phi-4-reasoning",
    "phi-4-reasoning-plus",
    "phi-4-mini-instruct",
    "phi-4-mini-reasoning",
    "smollm2",
)
MINI = ("phi-4-mini-instruct", "phi-4-mini-reasoning")

# The published templates, verbatim: the oracles of this file.
# microsoft/phi-4, tokenizer_config.json since January 2025.
PHI4 = (
    "{% for message in messages %}{% if (message['role'] == 'system') %}{{'<|im_start|>system<|im_sep|>' + "
    "message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + "
    "message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'assistant') %}{{'<|im_start|>assistant<|im_sep|>' "
    "+ message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
# microsoft/Phi-4-reasoning and -plus (as copied in public fine-tuning code; {% generation %} tags there taken out).
PHI4_REASONING = (
    "<|im_start|>system<|im_sep|>" + published.PHI4_REASONING_SYSTEM + "<|im_end|>{% for message in messages %}"
    "{% if (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}"
    "{% elif (message['role'] == 'assistant') %}{{'<|im_start|>assistant<|im_sep|>'}}"
    "{{message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
# microsoft/Phi-4-mini-instruct, tokenizer_config.json.
MINI_INSTRUCT = (
    "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not "
    "none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + "
    "'<|end|>' }}{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
# microsoft/Phi-4-mini-reasoning, chat_template.jinja (microsoft/onnxruntime-extensions, test/data).
MINI_REASONING = (
    "{{ '<|system|>Your name is Phi, an AI math expert developed by Microsoft.' }}{% for message in messages %}"
    "{% if message['role'] == 'system' %} {{ message['content'] }}{% if 'tools' in message and message['tools'] is not "
    "none %}{{ '<|tool|>' + message['tools'] + '<|/tool|>' }}{% endif %}{% endif %}{% endfor %}{{ '<|end|>' }}"
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ '<|' + message['role'] + '|>' + "
    "message['content'] + '<|end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}"
    "{% else %}{{ eos_token }}{% endif %}"
)
# HuggingFaceTB/SmolLM2-135M-Instruct, in the metadata of its GGUF.
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PUBLISHED = dict(
    zip(MEMBERS, (PHI4, PHI4_REASONING, PHI4_REASONING, MINI_INSTRUCT, MINI_REASONING, SMOLLM2), strict=True)
)


@cache
def tokenizer(name: str) -> Tokenizer:
    """The member's tokenizer; for SmolLM2, whose file may not be here, phi-4's with its special tokens only."""
    if name not in ("smollm2", "phiforge"):
        return Tokenizer.for_preset(name)
    base = tokenizer("phi-4")._core
    core = Core(base.model)
    core.pre_tokenizer, core.decoder = base.pre_tokenizer, base.decoder
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    core.add_tokens([AddedToken(token, special=True, normalized=False) for token in names])
    return Tokenizer(core, eos_ids=[100265], source="SmolLM2's tokens")


@cache
def chat_format(name: str) -> ChatFormat:
    """Of the member's name, with no template to run."""
    theirs = tokenizer(name)
    return ChatFormat.for_tokenizer(Tokenizer(theirs._core, eos_ids=theirs.eos_ids, bos_id=theirs.bos_id), name)


@cache
def template_format(name: str, own: bool = False) -> ChatFormat:
    """With the published template (or, `own`, with ours) as the checkpoint's, and no name to go by."""
    theirs = tokenizer(name)
    from phiforge.chat import dialects

    source = dialects.get(name).jinja if own else PUBLISHED[name]
    with_template = Tokenizer(theirs._core, eos_ids=theirs.eos_ids, bos_id=theirs.bos_id, chat_template=source)
    return ChatFormat.for_tokenizer(with_template)


def as_published(name: str, messages: list[Message], generate: bool, tools: list[Any] | None = None) -> str:
    """What the published template writes, straight out of jinja."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    chat: list[dict[str, str]] = []
    for message in messages:
        thought = "" if message.thinking is None else f"<think>{message.thinking}</think>"
        chat.append({"role": message.role, "content": thought + message.text})
    if tools:
        chat[0]["tools"] = json.dumps(tools, ensure_ascii=False)
    return environment.from_string(PUBLISHED[name]).render(
        messages=chat, add_generation_prompt=generate, eos_token="<|endoftext|>"
    )


# --- conversations -----------------------------------------------------------------------------------------------

SPECIALS = st.sampled_from(
    [
        *("<|im_end|>", "<|im_start|>user<|im_sep|>", "<|end|>", "<|user|>", "<|assistant|>", "<|endoftext|>"),
        *("<think>", "</think>", "<|tool_call|>", "<|/tool|>", "<|dummy_85|>", "\U000f0000", "\U000ffffd", "<|im_"),
    ]
)
TEXT = st.lists(st.text(max_size=6) | SPECIALS | st.sampled_from(["Hello", " 12 ", "\n\n", "漢"]), max_size=4).map(
    "".join
)
USER = st.builds(Message, st.just("user"), TEXT)
ASSISTANT = st.builds(Message, st.just("assistant"), TEXT, st.none() | TEXT)
TURNS = st.lists(st.tuples(USER, ASSISTANT), max_size=2).map(lambda pairs: [m for pair in pairs for m in pair])
SYSTEM = st.lists(st.builds(Message, st.just("system"), TEXT), max_size=1)
CONVERSATIONS = st.builds(
    lambda system, turns, last: [*system, *turns, *last], SYSTEM, TURNS, st.lists(USER, max_size=1)
)
ARGUMENTS = st.dictionaries(
    st.text(max_size=4), st.integers() | TEXT | st.lists(st.integers(), max_size=2), max_size=2
)
CALLS = st.lists(st.builds(ToolCall, st.sampled_from(["f", "weather"]), ARGUMENTS), max_size=2)
TOOL_TURNS = st.builds(
    lambda text, calls, result: [
        Message("user", text),
        Message("assistant", text, tool_calls=calls),
        Message("tool", result),
    ],
    TEXT,
    CALLS,
    TEXT,
)
TOOLS: list[dict[str, Any]] = [
    {"name": "weather", "description": "Weather for a city. 天気 <|end|>", "parameters": {"city": {"type": "str"}}},
    {"type": "function", "function": {"name": "f", "parameters": {}}},
]


def without_system(name: str, messages: list[Message]) -> list[Message]:
    return [m for m in messages if m.role != "system"] if "4-reasoning" in name else messages


@pytest.mark.parametrize("name", MEMBERS)
def test_text_equals_the_published_template(name: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(CONVERSATIONS, st.booleans())
    def check(messages: list[Message], generate: bool) -> None:
        messages = without_system(name, messages)
        rendered = chat_format(name).render(messages, generate=generate)
        assert rendered.text == as_published(name, messages, generate)
        assert len(rendered.ids) == len(rendered.mask)
        assert chat_format(name).tokenizer.decode(rendered.ids, skip_special=False) == rendered.text

    check()


@pytest.mark.parametrize("name", MEMBERS)
def test_running_the_published_template_gives_the_same_tokens(name: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(CONVERSATIONS)
    def check(messages: list[Message]) -> None:
        messages = without_system(name, messages)
        exact = chat_format(name).render(messages)
        assert template_format(name, own=True).render(messages).text == exact.text
        ran = template_format(name).render(messages)
        assert ran.text == exact.text
        # "assistant\n" and a text that begins with blanks are one run to jinja; the renderer cuts at the header.
        if name != "smollm2" or not any(m.text[:1].isspace() for m in messages):
            assert ran.ids == exact.ids

    check()


@pytest.mark.parametrize("name", MINI)
def test_tools_equal_the_published_template(name: str) -> None:
    @settings(max_examples=30, deadline=None)
    @given(TEXT, TURNS, st.booleans())
    def check(system: str, turns: list[Message], generate: bool) -> None:
        messages = [Message("system", system), *turns]
        rendered = chat_format(name).render(messages, tools=TOOLS, generate=generate)
        bare = [TOOLS[0], TOOLS[1]["function"]]
        assert rendered.text == as_published(name, messages, generate, bare)

    check()


@pytest.mark.parametrize("name", MINI)
def test_our_template_says_calls_and_results_as_the_renderer_does(name: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(SYSTEM, TOOL_TURNS, st.booleans())
    def check(system: list[Message], turns: list[Message], offer: bool) -> None:
        messages, tools = [*system, *turns], TOOLS if offer else None
        exact = chat_format(name).render(messages, tools=tools)
        ran = template_format(name, own=True).render(messages, tools=tools)
        assert (ran.text, ran.ids) == (exact.text, exact.ids)

    check()


# --- goldens -----------------------------------------------------------------------------------------------------

ASK = Message("user", "How should I explain the Internet?")


def test_ids_that_transformers_gave_for_the_published_files() -> None:
    # microsoft/onnxruntime-extensions, test/pp_api_test: outputs of transformers for the models' own files.
    messages = [Message("system", "You are a helpful assistant."), ASK]
    assert chat_format("phi-4").render(messages).ids == [
        *(100264, 9125, 100266, 2675, 527, 264, 11190, 18328, 13, 100265, 100264, 882, 100266),
        *(4438, 1288, 358, 10552, 279, 8191, 30, 100265, 100264, 78191, 100266),
    ]
    knight = "You are a medieval knight and must provide explanations to modern people."
    assert chat_format("phi-4-mini-reasoning").render([Message("system", knight), ASK]).ids == [
        *(200022, 9719, 1308, 382, 102143, 11, 448, 20837, 13324, 8333, 9742, 656, 8321, 13, 1608, 553, 261, 55145),
        *(105457, 326, 2804, 3587, 69457, 316, 6809, 1665, 13, 200020, 200021, 5299, 1757, 357, 16644, 290, 7380, 30),
        *(200020, 200019),
    ]


def test_the_tags_in_the_reasoning_prompt_are_tokens_and_those_of_a_user_are_not() -> None:
    ids = chat_format("phi-4-reasoning").render([Message("user", "<think></think>")]).ids
    assert (ids.count(100350), ids.count(100351)) == (1, 1)


def test_mini_tool_use_reads_like_the_model_card() -> None:
    messages = [
        Message("user", "Weather?"),
        Message("assistant", "", tool_calls=[ToolCall("weather", {"city": "Zürich"}), ToolCall("f")]),
        Message("tool", '{"c": 4}', tool_call_id="1"),
    ]
    assert chat_format("phi-4-mini-instruct").render(messages, tools=TOOLS[1:]).text == (
        '<|system|>You are a helpful assistant with some tools.<|tool|>[{"name": "f", "parameters": {}}]<|/tool|><|end|>'
        "<|user|>Weather?<|end|>"
        '<|assistant|><|tool_call|>[{"name": "weather", "arguments": {"city": "Zürich"}}, {"name": "f", "arguments": {}}]'
        '<|/tool_call|><|end|><|tool_response|>{"c": 4}<|end|><|assistant|>'
    )


# --- the loss mask -----------------------------------------------------------------------------------------------

TURN_END = dict(zip(MEMBERS, ["<|im_end|>"] * 3 + ["<|end|>"] * 2 + ["<|im_end|>"], strict=True))


def own_text(name: str, rendered: Rendered) -> str:
    ids = [i for i, own in zip(rendered.ids, rendered.mask, strict=True) if own]
    return tokenizer(name).decode(ids, skip_special=False)


@pytest.mark.parametrize("name", MEMBERS)
def test_the_mask_is_what_the_assistant_wrote(name: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(CONVERSATIONS)
    def check(messages: list[Message]) -> None:
        messages = without_system(name, messages)
        expected = ""
        for message in messages:
            if message.role == "assistant":
                thought = "" if message.thinking is None else f"<think>{message.thinking}</think>"
                expected += thought + message.text + TURN_END[name]
        assert own_text(name, chat_format(name).render(messages, generate=False)) == expected
        # With a template that has no name, the renderer is found by what the template writes.
        assert own_text(name, template_format(name).render(messages, generate=False)) == expected

    check()


def test_the_mask_covers_calls_but_not_results() -> None:
    messages = [Message("assistant", "a", tool_calls=[ToolCall("f", {"x": 1})]), Message("tool", "r")]
    rendered = chat_format("phi-4-mini-instruct").render(messages, generate=False)
    assert own_text("phi-4-mini-instruct", rendered) == (
        'a<|tool_call|>[{"name": "f", "arguments": {"x": 1}}]<|/tool_call|><|end|>'
    )


@pytest.mark.parametrize("name", MEMBERS)
def test_a_turn_is_trained_on_the_tokens_that_it_is_generated_with(name: str) -> None:
    messages = [Message("user", "Hi"), Message("assistant", "\n\nHello", "hm\n")]
    prompt = chat_format(name).render(messages[:1]).ids
    trained = chat_format(name).render(messages, generate=False)
    assert trained.ids[: len(prompt)] == prompt
    assert not any(trained.mask[: len(prompt)])
    assert trained.mask[len(prompt)]


def test_parsing_and_rendering_again_gives_the_generated_text() -> None:
    written = "<think>\nhm\n</think>\n\n42"
    turn = parse(written)
    for name in ("phi-4-reasoning", "phi-4-mini-reasoning"):
        prompt = chat_format(name).render([ASK])
        assert chat_format(name).render([ASK, turn], generate=False).text.startswith(prompt.text + written)


# --- nobody forges a turn ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEMBERS)
def test_special_tokens_come_from_the_format_alone(name: str) -> None:
    """A conversation has the same special tokens whatever its messages say."""
    specials = set(tokenizer(name).specials.values())

    @settings(max_examples=25, deadline=None)
    @given(CONVERSATIONS)
    def check(messages: list[Message]) -> None:
        messages = without_system(name, messages)
        silent = [Message(m.role, "x", None if m.thinking is None else "x") for m in messages]
        for chat in (chat_format(name), template_format(name)):
            said, quiet = (
                [i for i in chat.render(conversation).ids if i in specials] for conversation in (messages, silent)
            )
            assert said == quiet

    check()


# --- our own format ----------------------------------------------------------------------------------------------

CALLING = [
    Message("user", "How much is 12*3?"),
    Message("assistant", "", "12*3=36", [ToolCall("calculator", {"expression": "12*3"})]),
    Message("tool", "36"),
    Message("assistant", "It is 36."),
]
CALCULATOR = {"name": "calculator", "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}}}


@pytest.mark.parametrize("generate", [True, False])
@pytest.mark.parametrize("system", [[], [Message("system", "Be <|im_end|> brief.")]])
def test_phiforge_has_thoughts_and_tools(system: list[Message], generate: bool) -> None:
    rendered = chat_format("phiforge").render([*system, *CALLING], tools=[CALCULATOR], generate=generate)
    offer = f"<|tool|>{json.dumps([CALCULATOR])}<|/tool|>"
    call = '<|tool_call|>[{"name": "calculator", "arguments": {"expression": "12*3"}}]<|/tool_call|>'
    assert rendered.text == (
        f"<|im_start|>system\n{system[0].text if system else ''}{offer}<|im_end|>\n"
        "<|im_start|>user\nHow much is 12*3?<|im_end|>\n"
        f"<|im_start|>assistant\n<think>12*3=36</think>{call}<|im_end|>\n"
        "<|im_start|>tool\n36<|im_end|>\n"
        "<|im_start|>assistant\nIt is 36.<|im_end|>\n" + ("<|im_start|>assistant\n" if generate else "")
    )
    ours = template_format("phiforge", own=True).render([*system, *CALLING], tools=[CALCULATOR], generate=generate)
    assert (ours.ids, ours.text) == (rendered.ids, rendered.text)
    decode = tokenizer("phiforge").decode
    own = decode([i for i, mine in zip(rendered.ids, rendered.mask, strict=True) if mine], skip_special=False)
    assert own == f"<think>12*3=36</think>{call}<|im_end|>It is 36.<|im_end|>"
    assert parse(f"<think>12*3=36</think>{call}") == CALLING[1]


def test_phiforge_needs_no_system_message() -> None:
    assert (
        chat_format("phiforge").render([ASK]).text
        == f"<|im_start|>user\n{ASK.text}<|im_end|>\n<|im_start|>assistant\n"
    )


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phi-4", "phi-4-reasoning", "smollm2"])
def test_tools_are_refused_where_the_model_has_none(name: str) -> None:
    for messages, tools in (([ASK], TOOLS), ([Message("assistant", tool_calls=[ToolCall("f")])], None)):
        for chat in (chat_format(name), template_format(name)):
            with pytest.raises(ValueError, match="does not support tools"):
                chat.render(messages, tools=tools)


@pytest.mark.parametrize("generate", [True, False])
def test_a_system_message_beside_the_fixed_one(generate: bool) -> None:
    messages = [Message("system", "Answer in <|im_end|> French."), ASK]
    chat = chat_format("phi-4-reasoning")
    with pytest.raises(ValueError, match="merge_system=True"):
        chat.render(messages, generate=generate)
    with pytest.raises(ValueError, match=r"leaves out the system message|merge_system=True"):
        template_format("phi-4-reasoning").render(messages, generate=generate)
    for merged in (chat, template_format("phi-4-reasoning")):
        text = merged.render(messages, generate=generate, merge_system=True).text
        assert f"{published.PHI4_REASONING_SYSTEM}\n\nAnswer in <|im_end|> French.<|im_end|><|im_start|>user" in text


def test_what_no_format_can_say() -> None:
    chat = chat_format("phi-4")
    with pytest.raises(ValueError, match="a user message holds an image"):
        chat.render([Message("user", [Text("a"), Image(path="a.png")])])
    with pytest.raises(ValueError, match="a user message has thinking"):
        chat.render([Message("user", "a", "b")])
    with pytest.raises(ValueError, match="a tool without a name"):
        chat_format("phi-4-mini-instruct").render([ASK], tools=[{"function": {}}])
    assert chat.render([Message("user", [Text("a"), Text("b")])]) == chat.render([Message("user", "ab")])


def test_no_format_at_all() -> None:
    bare = Tokenizer(tokenizer("phi-4")._core)
    with pytest.raises(ValueError, match="has no chat template, and 'llama-9' is none of"):
        ChatFormat.for_tokenizer(bare, "llama-9")
    with pytest.raises(ValueError, match=r"lacks tokens of the phi-4-mini-instruct format: <\|system\|>"):
        ChatFormat.for_tokenizer(bare, "microsoft/Phi-4-mini-instruct")


# --- the rest ----------------------------------------------------------------------------------------------------


def test_old_thoughts_can_be_left_out() -> None:
    messages = [ASK, Message("assistant", "a", "t1"), ASK, Message("assistant", "b", "t2")]
    text = chat_format("phi-4-reasoning").render(messages, generate=False, keep_thinking=False).text
    assert "t1" not in text
    assert "<think>t2</think>b" in text


def test_stop_ids() -> None:
    assert chat_format("phi-4").stop_ids == (100265, 100257)
    assert chat_format("phi-4-mini-instruct").stop_ids == (199999, 200020)
    assert set(chat_format("smollm2").stop_ids) == {100265, 100257}


def test_the_parser_starts_in_the_thought_that_the_prompt_opened() -> None:
    opened = chat_format("phi-4").render([ASK])._replace(text="...<|im_sep|><think>\n")
    parser = chat_format("phi-4").parser(opened)
    assert [type(e).__name__ for e in [*parser.feed("a</think>b"), *parser.finish()]] == ["Thought", "Said", "End"]
    parser = chat_format("phi-4").parser(chat_format("phi-4").render([ASK]))
    assert [type(e).__name__ for e in parser.feed("a")] == ["Said"]
