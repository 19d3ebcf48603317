"""Midtraining: mixtures by share, long documents whose ends need their beginnings, looking up at a length, a longer context."""

from __future__ import annotations

from array import array
from pathlib import Path
from random import Random

import pytest
import torch
from gguf import GGUFReader

from phiforge.chat.tokenizer import Tokenizer
from phiforge.model.config import PRESETS
from phiforge.model.gguf import load_gguf
from phiforge.model.phi3 import Phi3
from phiforge.records import Example, Message, Problem, Provenance
from phiforge.train import midtrain, pretrain
from phiforge.train import tokenizer as vocabulary


def test_a_mixture_gives_every_source_its_share() -> None:
    sources = {"a": [array("I", [1] * 10)] * 20, "b": [array("I", [2] * 30)] * 2}
    texts, entries = pretrain.mixed(sources, {"a": 0.25, "b": 0.75}, 1200, seed=0)
    tokens = [token for text in texts for token in text]
    assert tokens.count(1) == 300
    assert tokens.count(2) == 900
    assert [(entry.unique_tokens, entry.epochs) for entry in entries] == [(200, 1.5), (60, 15.0)]


ROWS = [
    Example(
        Problem(str(i), [Message("user", f"say {i}")], str(i), "math"),
        Message("assistant", f"hello {i}"),
        Provenance("test"),
    )
    for i in range(6)
]


@pytest.fixture(scope="module")
def learnt() -> Tokenizer:
    return vocabulary.learn([f"The number of Bako: {i}\n1. say Answer" for i in range(300)], 400)


def test_long_documents_ask_at_their_end_what_stands_at_their_beginning(learnt: Tokenizer) -> None:
    made = midtrain.books(ROWS, learnt, 400, 3000, seed=0)
    assert made == midtrain.books(ROWS, learnt, 400, 3000, seed=0) != midtrain.books(ROWS, learnt, 400, 3000, seed=1)
    assert sum(map(len, made)) >= 3000
    assert all(190 <= len(each) <= 400 for each in made)
    one = midtrain.register(learnt, 300, 0.0, Random(1))
    listed, _, again = learnt.decode(one.ids).partition("\nAgain:\n")
    assert again.count(":") == 1  # the one that is measured
    assert again.removesuffix("<|endoftext|>") in f"{listed}\n"
    assert learnt.decode(one.ids[one.start : one.stop]) == again.partition(":")[2].partition("\n")[0]


def test_what_cannot_look_up_finds_nothing(learnt: Tokenizer) -> None:
    """Not by chance: a number has three digits."""
    config = pretrain.nano(2, -(-learnt.vocab_size // 64) * 64, context=128)
    model = Phi3(config).init_weights(torch.Generator().manual_seed(0))
    assert midtrain.retrieval(model, learnt, 100, n=20) == 0


def test_what_can_look_up_finds_most(default_gguf: Path) -> None:
    tokenizer = Tokenizer.from_gguf(GGUFReader(default_gguf))
    assert midtrain.retrieval(load_gguf(default_gguf, dtype=torch.float32), tokenizer, 256, n=10) > 5


@pytest.mark.parametrize(("context", "theta", "said"), [(64, 1e4, "shorter than the network's 128"), (256, 4e4, "")])
def test_a_longer_context_is_the_same_network(context: int, theta: float, said: str) -> None:
    config = pretrain.nano(2, 64, context=128)
    if said:
        with pytest.raises(ValueError, match=said):
            midtrain.extend(config, context, theta)
        return
    longer = midtrain.extend(config, context, theta)
    assert (longer.context, longer.rope.theta) == (256, 4e4)
    with pytest.raises(ValueError, match="scaled already"):
        midtrain.extend(PRESETS["phi-4-mini-instruct"], 200_000, 1e6)
