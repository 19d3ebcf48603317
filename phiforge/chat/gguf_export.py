"""A tokenizer into GGUF metadata, the way back from gguf_vocab.py: byte-level BPE, by the name of its pre-tokenizer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import tokenizers

from phiforge.chat.gguf_vocab import PRE_TOKENIZERS, pre_tokenizer
from phiforge.chat.tokenizer import Tokenizer

if TYPE_CHECKING:
    import gguf

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5  # token types of the GGUF specification

# Where the known pre-tokenizers differ: letters, digits, blanks, contractions, line ends, case, marks and punctuation.
PROBE = (
    "Hello world, I'm here: they'LL see 1234567 x2 (a+b)!=c...\n\n  indented\tTab \r\n\nHTTPServer camelCase "
    "naïve ÉCOLE été 12.50€ straße 你好，世界 नमस्ते ¿qué? don't  2nd   \n end/of/path\n/x $100 <=> ~ |\u0301a "
)


def write_tokenizer(tokenizer: Tokenizer, vocab_size: int, writer: gguf.GGUFWriter) -> None:
    """Add the tokenizer's keys to a GGUF file whose embedding has `vocab_size` rows; rows without a token get a name.

    Raises ValueError for a tokenizer that is no byte-level BPE or whose pre-tokenizer GGUF has no name for.
    """
    core = tokenizer.core
    state: dict[str, Any] = json.loads(core.to_str())
    model = state["model"]
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise ValueError(f"{tokenizer.source}: only byte-level BPE tokenizers can be written to a GGUF file")
    vocabulary = core.get_vocab(with_added_tokens=True)
    if max(vocabulary.values()) >= vocab_size:
        raise ValueError(
            f"{tokenizer.source}: token ids go up to {max(vocabulary.values())}, and the embedding has {vocab_size} rows"
        )
    tokens, types = [f"[PAD{i}]" for i in range(vocab_size)], [_UNUSED] * vocab_size
    for token, i in vocabulary.items():
        tokens[i], types[i] = token, _NORMAL
    for i, token in core.get_added_tokens_decoder().items():
        types[i] = _CONTROL if token.special else _USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_name(core, bool(model.get("ignore_merges")), tokenizer.source))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_token_merges(merges)
    if len(tokenizer.eos_ids) > 3:
        raise ValueError(f"{tokenizer.source}: GGUF has room for three ids that end a text, not {tokenizer.eos_ids}")
    for role, i in zip(("eos", "eot", "eom"), tokenizer.eos_ids, strict=False):
        writer.add_uint32(f"tokenizer.ggml.{role}_token_id", i)
    if tokenizer.bos_id is not None:
        writer.add_bos_token_id(tokenizer.bos_id)
    if tokenizer.pad_id is not None:
        writer.add_pad_token_id(tokenizer.pad_id)
    adds_bos = tokenizer.bos_id is not None and core.encode("a").ids[:1] == [tokenizer.bos_id]
    writer.add_add_bos_token(adds_bos)
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template is not None:
        writer.add_chat_template(tokenizer.chat_template)


def pre_name(core: tokenizers.Tokenizer, ignore_merges: bool, source: str) -> str:
    """The name under which llama.cpp knows this tokenizer's way of cutting text: the one that cuts a probe alike."""
    if core.pre_tokenizer is not None and core.normalizer is None:
        cuts = core.pre_tokenizer.pre_tokenize_str(PROBE)
        for name, patterns in PRE_TOKENIZERS.items():
            if name.startswith("llama") == ignore_merges and pre_tokenizer(patterns).pre_tokenize_str(PROBE) == cuts:
                return name
    raise ValueError(f"{source}: its pre-tokenizer is none of those that GGUF has a name for")


def copy_tokenizer(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    """Copy every tokenizer key of a GGUF file as it is."""
    for key, field in reader.fields.items():
        if key.startswith("tokenizer."):
            sub_type = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(key, field.contents(), field.types[0], sub_type=sub_type)
