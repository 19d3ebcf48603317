"""Keys and values of one request, and the attention over them.

A request's samples share their prompt: its keys and values are kept once and read once for all of them, as one matrix
product per head, and only what each sample adds is its own.

    S samples, N new tokens each, L cached tokens, H query heads, G key/value heads, R = H / G, D head dim
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.model.config import ModelConfig


class KVCache:
    """Growing keys and values [S, G, L, D] of S equally long sequences, for every layer."""

    def __init__(self, config: ModelConfig, n_samples: int, dtype: torch.dtype, device: torch.device) -> None:
        self.length = 0
        self._new = (dtype, device)
        self._shape = (n_samples, config.n_kv_heads, config.head_dim)
        self._keys: list[Tensor | None] = [None] * config.n_layers
        self._values: list[Tensor | None] = [None] * config.n_layers

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store k and v [S, N, G, D] after the cached ones; all keys and values [S, G, L + N, D]. `length` stays: `advance`."""
        end = self.length + k.shape[1]
        keys, values = self._room(self._keys, layer, end), self._room(self._values, layer, end)
        keys[:, :, self.length : end] = k.transpose(1, 2)
        values[:, :, self.length : end] = v.transpose(1, 2)
        return keys[:, :, :end], values[:, :, :end]

    def get(self, layer: int) -> tuple[Tensor, Tensor]:
        """The cached keys and values of a layer, [S, G, L, D]."""
        keys, values = self._keys[layer], self._values[layer]
        assert keys is not None
        assert values is not None
        return keys[:, :, : self.length], values[:, :, : self.length]

    def advance(self, n: int) -> None:
        """Count n tokens as cached, once every layer has appended them."""
        self.length += n

    def keep(self, samples: list[int]) -> None:
        """Drop every sample but these."""
        index = torch.tensor(samples, device=self._new[1])
        self._shape = (len(samples), *self._shape[1:])
        for store in (self._keys, self._values):
            for layer, tensor in enumerate(store):
                if tensor is not None:
                    store[layer] = tensor[index]

    def _room(self, store: list[Tensor | None], layer: int, end: int) -> Tensor:
        tensor = store[layer]
        if tensor is None or tensor.shape[2] < end:
            n_samples, n_kv_heads, head_dim = self._shape
            capacity = -(-max(end + 32, end + self.length // 4) // 32) * 32
            grown = torch.empty(n_samples, n_kv_heads, capacity, head_dim, dtype=self._new[0], device=self._new[1])
            if tensor is not None:
                grown[:, :, : self.length] = tensor[:, :, : self.length]
            store[layer] = tensor = grown
        return tensor


def attend(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of the last N positions over all L: q [S, N, H, D], keys and values [S, G, L, D] -> [S, N, H, D]."""
    n, length = q.shape[1], keys.shape[2]
    mask = None if n in (1, length) else _causal(n, length, q.device)
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        keys,
        values,
        attn_mask=mask,
        is_causal=n == length and n > 1,
        enable_gqa=q.shape[2] != keys.shape[1],
    )
    return out.transpose(1, 2)


def attend_shared(q: Tensor, shared: tuple[Tensor, Tensor], own: tuple[Tensor, Tensor]) -> Tensor:
    """Attention over one prefix shared by all samples and each sample's own tokens, in one softmax.

    q [S, N, H, D]; shared keys and values [1, G, P, D], all visible; own ones [S, G, L, D], of which the last N are q's.
    Returns [S, N, H, D]. The prefix is read once: its scores are one [S N R, D] x [D, P] product per head.
    """
    (prefix_k, prefix_v), (own_k, own_v) = shared, own
    S, N, H, D = q.shape
    G, P = prefix_k.shape[1], prefix_k.shape[2]
    L, R = own_k.shape[2], H // G
    q_GMD = (q * D**-0.5).view(S, N, G, R, D).permute(2, 0, 3, 1, 4).reshape(G, S * R * N, D)
    prefix_scores = (q_GMD @ prefix_k[0].transpose(1, 2)).view(G, S, R * N, P)
    own_scores = q_GMD.view(G, S, R * N, D) @ own_k.permute(1, 0, 3, 2)
    if N > 1:
        hidden = ~_causal(N, L, q.device).repeat(R, 1)
        own_scores.masked_fill_(hidden, float("-inf"))
    weights = torch.cat((prefix_scores, own_scores), dim=-1).softmax(dim=-1, dtype=torch.float32).to(q.dtype)
    out = (weights[..., :P].reshape(G, S * R * N, P) @ prefix_v[0]).view(G, S, R * N, D)
    out = out + weights[..., P:] @ own_v.transpose(0, 1)
    return out.view(G, S, R, N, D).permute(1, 3, 0, 2, 4).reshape(S, N, H, D)


def _causal(n: int, length: int, device: torch.device) -> Tensor:
    """True where the i-th of the last n positions may look: [n, length]."""
    return torch.ones(n, length, dtype=torch.bool, device=device).tril(length - n)
