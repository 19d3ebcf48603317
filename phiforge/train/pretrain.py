"""Pretraining: every token of every document counts, in pieces of the context's length, in packed batches.

A mixture's sources are gone through as often as their share of the tokens asks for, as in the Phi-4 report's Table 5.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from phiforge.chat.tokenizer import Tokenizer
from phiforge.data import mixture
from phiforge.model.config import ModelConfig, Rope
from phiforge.train import sft
from phiforge.train.batches import Batch, Document, stream
from phiforge.train.loop import Stage

T = TypeVar("T")

DEPTHS = {
    "phi-nano-1m": 2,
    "phi-nano-4m": 4,
    "phi-nano-13m": 6,
    "phi-nano-30m": 8,
    "phi-nano-55m": 10,
    "phi-nano-125m": 13,
}
"""Depths by about how many weights they come to, with a vocabulary of 4,096 (the last: 16,384) words."""


def nano(depth: int, vocab_size: int, *, context: int = 2048, rope_theta: float = 10_000.0) -> ModelConfig:
    """A network of the family's architecture by one dial. Width is 64 a layer, heads have 64, feed-forward 8/3 of the width
    in steps of 64, a key/value head for two query heads (for each where the depth is odd): 4 layers are 3M weights besides the
    vocabulary, 12 are 85M."""
    width = 64 * depth
    return ModelConfig(
        architecture="phi3",
        vocab_size=vocab_size,
        d_model=width,
        n_layers=depth,
        n_heads=depth,
        n_kv_heads=max(1, depth // 2) if depth % 2 == 0 else depth,
        head_dim=64,
        d_ff=-(-8 * width // 3 // 64) * 64,
        context=context,
        original_context=context,
        tied_embeddings=True,
        rope=Rope(theta=rope_theta),
    )


def read(path: str, tokenizer: Tokenizer) -> list[array[int]]:
    """The token ids of a source's texts, each closed by the end-of-text id."""
    end, core, texts = tokenizer.eos_ids[0], tokenizer.core, list(mixture.texts(path))
    found: list[array[int]] = []
    for first in range(0, len(texts), 1000):
        encoded = core.encode_batch_fast(texts[first : first + 1000], add_special_tokens=False)
        found += [array("I", [*each.ids, end]) for each in encoded]
    return found


def mixed(
    sources: Mapping[str, Sequence[T]],
    shares: Mapping[str, float],
    tokens: int,
    seed: int,
    size: Callable[[Any], int] = len,
) -> tuple[list[T], list[mixture.Entry]]:
    """Texts in the order of a mixture of `tokens`, and its ledger: unique tokens, epochs and share of each source. `size` is how
    many tokens a text has."""
    lengths = [[size(text) for text in texts] for texts in sources.values()]
    entries = [
        mixture.Entry(name, "", len(each), sum(each), round(shares[name] * tokens), shares[name] * tokens / sum(each),
                      shares[name], [])
        for name, each in zip(sources, lengths, strict=True)
    ]  # fmt: skip
    texts = list(sources.values())
    return [texts[source][row] for source, row in mixture.schedule(entries, lengths, seed)], entries


def stage(
    texts: Iterable[Sequence[int]],
    *,
    length: int,
    tokens: int,
    epochs: float = 1,
    accumulate: int = 1,
    seed: int = 0,
    z: float = 1e-4,
    held_out: Iterable[Sequence[int]] = (),
    held_out_every: int = 0,
) -> Stage[Batch]:
    """Token ids of documents, each closed by the end-of-text id, cut into pieces of `length` and packed to `tokens` a batch."""
    documents: list[Document] = list(stream(texts, length))
    return sft.stage(
        documents,
        tokens=tokens,
        epochs=epochs,
        accumulate=accumulate,
        seed=seed,
        z=z,
        held_out=list(stream(held_out, length)),
        held_out_every=held_out_every,
    )
