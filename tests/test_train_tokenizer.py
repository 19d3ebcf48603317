"""A tokenizer that is learnt from texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from phiforge.chat.format import ChatFormat
from phiforge.chat.tokenizer import Tokenizer
from phiforge.records import Message
from phiforge.train import tokenizer as vocabulary


def test_a_learnt_tokenizer_reads_all_there_is(tmp_path: Path) -> None:
    texts = ["The 12 cows ate 345 apples; the cows slept."] * 9 + ["def cows(x):\n    return x"] * 5
    learnt = vocabulary.learn(texts, 330)
    assert learnt.vocab_size <= 330
    assert len(learnt.encode(" cows")) == 1  # a frequent word
    assert len(learnt.encode("345")) == 3  # digits stay apart
    learnt.save(tmp_path)
    again = Tokenizer.from_folder(tmp_path)
    odd = "Ünïcödé 😀\n\n\t<|end|> ½"
    assert again.decode(again.encode(odd)) == odd
    assert again.specials["<|end|>"] not in again.encode(odd)  # markup comes from the caller alone
    turns = [Message("user", "hi"), Message("assistant", "ho", thinking="hm")]
    rendered = ChatFormat.for_tokenizer(again).render(turns, generate=False)
    assert again.specials["<think>"] in rendered.ids
    assert vocabulary.learn(texts, 330).core.to_str() == learnt.core.to_str()
    with pytest.raises(ValueError, match="vocab_size = 200 must be at least"):
        vocabulary.learn(texts, 200)
