"""What quantising costs, measured on a text: perplexity of source and result, and the KL divergence between them.

The source is run a layer at a time from wherever its weights lie, so that even 14B needs the memory of one layer, the
output matrix and the hidden states. The result is run as it will be used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phiforge.model.checkpoint import TensorSource, parts_of, read_parameter
from phiforge.model.config import ModelConfig
from phiforge.model.phi3 import Layer, Phi3, RMSNorm, causal_attention
from phiforge.model.rope import RotaryEmbedding

WINDOW = 512  # tokens that are read together; each is predicted from those before it in its window
CHUNK = 16_000_000  # logits in memory at a time

# progress(what is being done, steps done, steps in all)
Progress = Callable[[str, int, int], None]


class Divergence(NamedTuple):
    """Means over `tokens` predicted tokens; `kl` is KL(source || result) in nats."""

    tokens: int
    source_perplexity: float
    result_perplexity: float
    kl: float


def windows(ids: Sequence[int], size: int = WINDOW) -> list[Tensor]:
    """Token ids cut into windows [L], of which the last may be shorter; one token alone predicts nothing and is left out."""
    return [torch.tensor(ids[i : i + size]) for i in range(0, len(ids), size) if len(ids) - i > 1]


@torch.inference_mode()
def measure(
    config: ModelConfig, source: TensorSource, result: Phi3, texts: Sequence[Tensor], progress: Progress | None = None
) -> Divergence:
    """Compare a network with its source on windows of tokens. Raises ValueError when there are none."""
    if not texts:
        raise ValueError("the text has fewer than two tokens, so there is nothing to predict")
    with torch.device("meta"):
        model = Phi3(config)
    parts = parts_of(model, source)

    def weight(name: str) -> Tensor:
        return read_parameter(source, parts[name], torch.float32, "cpu")

    n_steps = config.n_layers + 2 * len(texts)
    states = _source_states(config, weight, texts, lambda done: progress and progress("source", done, n_steps))
    head = weight("embed_tokens.weight" if config.tied_embeddings else "lm_head.weight")
    totals, n_tokens = torch.zeros(3, dtype=torch.float64), 0
    rows = max(1, CHUNK // config.vocab_size)
    for i, (text, state) in enumerate(zip(texts, states, strict=True)):
        ours = result.hidden(text[None])[0]
        for at in range(0, len(text) - 1, rows):
            part = slice(at, min(at + rows, len(text) - 1))
            p = F.linear(state[part], head).log_softmax(-1)
            q = result.lm_head(ours[part]).float().log_softmax(-1)
            targets = text[at + 1 : part.stop + 1, None]
            totals[0] -= p.gather(1, targets).sum().double()
            totals[1] -= q.gather(1, targets).sum().double()
            totals[2] += (p.exp() * (p - q)).sum(1).double().sum()
        n_tokens += len(text) - 1
        if progress is not None:
            progress("result", config.n_layers + 2 * (i + 1), n_steps)
    source_loss, result_loss, kl = (totals / n_tokens).tolist()
    return Divergence(n_tokens, math.exp(source_loss), math.exp(result_loss), kl)


def _source_states(
    config: ModelConfig, weight: Callable[[str], Tensor], texts: Sequence[Tensor], step: Callable[[int], object]
) -> list[Tensor]:
    """The last hidden states [L, d_model] of every window, in fp32, with one layer in memory at a time."""
    rotary = RotaryEmbedding(config)
    angles = [rotary(torch.arange(len(text))[None], None, torch.float32) for text in texts]
    embedding = weight("embed_tokens.weight")
    states = [F.embedding(text, embedding) for text in texts]
    del embedding
    for index in range(config.n_layers):
        with torch.device("meta"):
            layer = Layer(config)
        for name, _ in list(layer.named_parameters()):
            owner, _, leaf = name.rpartition(".")
            tensor = weight(f"layers.{index}.{name}")
            setattr(layer.get_submodule(owner), leaf, nn.Parameter(tensor, requires_grad=False))
        states = [layer(x[None], *angle, causal_attention, 0)[0] for x, angle in zip(states, angles, strict=True)]
        step(index + 1)
    norm = RMSNorm(config.d_model, config.norm_eps)
    norm.weight = nn.Parameter(weight("norm.weight"), requires_grad=False)
    return [norm(x) for x in states]
