"""The dense decoder of phi-4, phi-4-reasoning(-plus), phi-4-mini-instruct and -mini-reasoning, and of Llama-type models.

Pre-norm RMSNorm, fused QKV and gate/up projections, grouped-query attention, rotate-half RoPE, SiLU-gated MLP, no
biases. The same module trains and generates: what differs is only the `attend` function, which is given queries, keys
and values and decides what sees what. Training uses `causal_attention`; the engine passes its KV cache.

Parameter names are those of the published checkpoints (without their leading "model."), so loading is a copy.

    B batch, L length, T tokens (all leading dims), H query heads, G key/value heads, D head dim, V vocabulary
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phiforge.kernels.elementwise import rms_norm, rotate, silu_mul
from phiforge.kernels.gradients import gated_product
from phiforge.model.config import ModelConfig
from phiforge.model.rope import RotaryEmbedding

# attend(attention, layer, qkv [..., L, (H + 2 G) D], cos, sin) -> [..., L, H D]: rotates queries and keys, and attends.
Attend = Callable[["Attention", int, Tensor, Tensor, Tensor], Tensor]


def causal_attention(attention: Attention, layer: int, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Every token sees itself and those before it in its own row: [..., L, (H + 2 G) D] -> [..., L, H D]."""
    H, G = attention.n_heads, attention.n_kv_heads
    qk, v = qkv.unflatten(-1, (-1, attention.head_dim)).split((H + G, G), dim=-2)
    q, k = rotate(qk, cos, sin).split((H, G), dim=-2)
    q, k, v = (x.transpose(-3, -2) for x in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=H != G)
    return out.transpose(-3, -2).flatten(-2)


class RMSNorm(nn.Module):
    """x / rms(x) * weight, with the mean square taken in fp32 (Zhang and Sennrich 2019)."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


class Linear(nn.Module):
    """x W^T without bias. The weight starts as whatever memory held: `init_weights` or a checkpoint fills it, and not
    drawing it twice saves seconds at every start (torch's own layers do, even on the meta device)."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.weight: Tensor = nn.Parameter(torch.empty(d_out, d_in))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)


class Attention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        self.qkv_proj = Linear(config.d_model, (config.n_heads + 2 * config.n_kv_heads) * config.head_dim)
        self.o_proj = Linear(config.n_heads * config.head_dim, config.d_model)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend, layer: int) -> Tensor:
        return self.o_proj(attend(self, layer, self.qkv_proj(x), cos, sin))


class MLP(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up_proj = Linear(config.d_model, 2 * config.d_ff)
        self.down_proj = Linear(config.d_ff, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        gate_up = self.gate_up_proj(x)
        if gate_up.requires_grad and type(self.down_proj) is Linear:  # an adapter has a product of its own
            return gated_product(gate_up, self.down_proj.weight)
        return self.down_proj(silu_mul(gate_up))


class Layer(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.d_model, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.d_model, config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend, layer: int) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, attend, layer)
        return x + self.mlp(self.post_attention_layernorm(x))


class Phi3(nn.Module):
    """The whole network. Fresh ones hold undefined weights: call `init_weights`, or get a filled one from
    `checkpoint.load`. Build under `torch.device("meta")` to count parameters without memory."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(
            config.vocab_size, config.d_model, _weight=torch.empty(config.vocab_size, config.d_model), _freeze=False
        )
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.lm_head = Linear(config.d_model, config.vocab_size)
        if config.tied_embeddings:
            self.lm_head.weight = self.embed_tokens.weight
        self.rotary = RotaryEmbedding(config)

    def init_weights(self, generator: torch.Generator | None = None) -> Phi3:
        """Draw every matrix from N(0, init_std) and set norms to 1, as the family was initialised."""
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                nn.init.ones_(parameter)
            else:
                nn.init.normal_(parameter, std=self.config.init_std, generator=generator)
        return self

    def forward(self, tokens: Tensor | None = None, **how: Any) -> Tensor:
        """Logits [..., L, V]; arguments as for `hidden`."""
        return self.lm_head(self.hidden(tokens, **how))

    def hidden(
        self,
        tokens: Tensor | None = None,
        *,
        embeddings: Tensor | None = None,
        positions: Tensor | None = None,
        long: Tensor | bool | None = None,
        attend: Attend = causal_attention,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Normalised last hidden states [..., L, d_model] of token ids [..., L], or of their embeddings [..., L, d_model].

        `positions` [..., L] default to 0, 1, 2, ...; `long` is passed to the rotary embedding. With `rows` (indices
        into a single leading dim) only those tokens' states are returned: [len(rows), d_model].
        """
        if (tokens is None) == (embeddings is None):
            raise ValueError("give either tokens or embeddings")
        x = self.embed_tokens(tokens) if embeddings is None else embeddings
        if positions is None:
            positions = torch.arange(x.shape[-2], device=x.device).expand(x.shape[:-1])
        cos, sin = self.rotary(positions, long, x.dtype)
        for index, layer in enumerate(self.layers):
            x = layer(x, cos, sin, attend, index)
        return self.norm(x if rows is None else x[rows])
