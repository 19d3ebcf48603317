"""Rotary position embedding (Su et al. 2021), partial, with LongRoPE (Ding et al. 2024) and Llama 3.1's scaling.

LongRoPE has two factor sets: short for sequences up to `original_context`, long beyond. The choice belongs to a whole
sequence: keys rotated under one set must never meet queries rotated under the other, so whoever keeps a cache has to
drop it at the crossing (see `engine/`). Here the choice is only an argument.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from phiforge.model.config import ModelConfig


def inverse_frequencies(config: ModelConfig, long: bool = False) -> Tensor:
    """Angular step per position of each rotated pair: [rotary_dim / 2], fp32, on the CPU."""
    rope = config.rope
    exponent = torch.arange(0, config.rotary_dim, 2, dtype=torch.float32, device="cpu") / config.rotary_dim
    frequency = 1.0 / rope.theta**exponent
    if rope.scaling == "longrope":
        factors = torch.tensor(rope.long_factor if long else rope.short_factor, dtype=torch.float32, device="cpu")
        return 1.0 / (factors * rope.theta**exponent)
    if rope.scaling == "linear":
        return frequency / rope.factor
    if rope.scaling == "llama3":
        # Wavelengths longer than the original context / low_freq_factor are stretched in full, those shorter than
        # original / high_freq_factor not at all, and the band between goes smoothly from one to the other.
        turns = config.original_context * frequency / (2 * math.pi)
        smooth = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)
        smooth = smooth.clamp(0, 1)
        return (1 - smooth) * frequency / rope.factor + smooth * frequency
    return frequency


class RotaryEmbedding(nn.Module):
    """Positions to cos and sin. Buffers stay fp32 and on a real device even where the network is on `meta`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.mscale = config.rope.mscale
        self.long_after = config.long_after
        self.short = nn.Buffer(inverse_frequencies(config, long=False), persistent=False)
        self.long = nn.Buffer(inverse_frequencies(config, long=True), persistent=False)

    def forward(self, positions: Tensor, long: Tensor | bool | None, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """cos and sin [..., L, 1, rotary_dim / 2] of integer positions [..., L].

        `long` picks the long factors, for all or for each position (broadcast against `positions`). None decides for
        each row by its greatest position, as the reference does for one whole sequence.
        """
        steps = self.short
        if self.long_after is not None:
            if long is None:
                long = positions.amax(-1, keepdim=True) >= self.long_after
            if isinstance(long, Tensor):
                steps = torch.where(long[..., None], self.long, self.short)
            elif long:
                steps = self.long
        angles = positions[..., None].float() * steps
        return (
            (angles.cos() * self.mscale).to(dtype).unsqueeze(-2),
            (angles.sin() * self.mscale).to(dtype).unsqueeze(-2),
        )
