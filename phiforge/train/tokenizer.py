"""A tokenizer of one's own: byte-level BPE learnt from texts, with the Phi-4-mini family's special tokens and chat format.

Digits are a token each, unlike in the family's published tokenizers, which join up to three: a small network then sees a
number's places, which is what arithmetic is made of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

from phiforge.chat import dialects
from phiforge.chat.gguf_vocab import O200K
from phiforge.chat.tokenizer import Tokenizer

FORMAT = "phi-4-mini-instruct"
THOUGHT = ("<think>", "</think>")  # tokens in phi-4-reasoning; the mini members write them out
SMALLEST = 256 + 16  # the bytes and the special tokens


def learn(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """A tokenizer of at most `vocab_size` tokens, special ones included; fewer if the texts hold no more.

    The same texts give the same tokenizer. Raises ValueError for a vocabulary that the bytes alone would fill.
    """
    dialect = dialects.get(FORMAT)
    specials = [*dict.fromkeys([*dialect.tokens, *THOUGHT])]
    if vocab_size < SMALLEST:
        raise ValueError(f"vocab_size = {vocab_size} must be at least {SMALLEST}: 256 bytes and the special tokens")
    core: Any = tokenizers.Tokenizer(models.BPE())  # whose stubs know no setters
    pattern = O200K.replace(r"\p{N}{1,3}", r"\p{N}")
    core.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(specials),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.add_special_tokens([AddedToken(text, normalized=False, special=text not in THOUGHT) for text in specials])
    ids = core.get_vocab()
    end = ids["<|endoftext|>"]
    return Tokenizer(
        core,
        bos_id=end,
        eos_ids=[end, ids["<|end|>"]],
        pad_id=end,
        chat_template=dialect.jinja,
        source="a tokenizer learnt from texts",
    )
