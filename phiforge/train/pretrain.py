"""Pretraining: every token of every document counts, in pieces of the context's length, in packed batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from phiforge.model.config import ModelConfig, Rope
from phiforge.train import sft
from phiforge.train.batches import Batch, Document, stream
from phiforge.train.loop import Stage


def nano(depth: int, vocab_size: int, *, context: int = 2048, rope_theta: float = 10_000.0) -> ModelConfig:
    """A network of the family's architecture by one dial. Width is 64 a layer, heads have 64, feed-forward 8/3 of the width
    in steps of 64, a key/value head for two query heads: 4 layers are 3M weights besides the vocabulary, 12 are 85M."""
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
