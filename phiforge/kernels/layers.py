"""All layers of a network with quantised weights in one call, from embeddings to last hidden states.

The result is what `model/phi3.py` computes module by module, bit for bit: the kernels are the same. For a single stream
of a small model, Python's way from one to the next takes as long as they do.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from ctypes import c_char_p
from functools import cache
from struct import Struct
from typing import NamedTuple

import torch
from torch import Tensor

from phiforge.kernels.attention import Plan, Pool
from phiforge.kernels.formats import Packed
from phiforge.kernels.native import kernel

KINDS = {"int8": 0, "int4": 1, "bf16": 2}
_LAYERS_CALL = Struct("6qd11q").pack  # LayersCall in attention.h


@cache
def _kernel() -> Callable[..., None] | None:
    return kernel("layers", c_char_p)


class LayerWeights(NamedTuple):
    input_norm: Tensor  # fp32 [d_model], as is the other
    post_norm: Tensor
    qkv: Packed
    o: Packed
    gate_up: Packed
    down: Packed


class Layers:
    """`layers` with `pool` for their keys and values, `n_heads` query heads each. Changed weights want a new one. More
    than `most_tokens` at once are better off elsewhere."""

    def __init__(self, layers: Sequence[LayerWeights], n_heads: int, eps: float, pool: Pool, most_tokens: int) -> None:
        self._kept = layers  # by their addresses
        self.pool, self._n_heads, self._eps, self.most_tokens = pool, n_heads, eps, most_tokens
        products = [packed for layer in layers for packed in layer[2:]]
        self._most_in, self._most_out = max(p.k for p in products), max(max(p.n, p.k) for p in products)
        self._records = array("q")
        for layer, where in zip(layers, pool.layers, strict=True):
            self._records.extend((layer.input_norm.data_ptr(), layer.post_norm.data_ptr()))
            for p in layer[2:]:
                scales = 0 if p.scales is None else p.scales.data_ptr()
                self._records.extend((p.data.data_ptr(), scales, KINDS[p.kind], p.group, p.n, p.k))
            self._records.append(where)

    @staticmethod
    def available(pool: Pool) -> bool:
        """Whether there is a kernel that reads this pool."""
        return _kernel() is not None and bool(pool.layers)

    def __call__(self, x: Tensor, cos: Tensor, sin: Tensor, slots: Tensor, plan: Plan, rows: Tensor) -> Tensor:
        """Hidden states [len(rows), d_model], before the last norm, of the tokens `rows` int64, all within T.

        x [T, d_model] are the tokens' embeddings, fp32 and contiguous, and are overwritten; cos and sin
        [T, 1, r / 2]; keys and values go to `slots` [T] of the pool; `plan` says what each token sees.
        """
        run = _kernel()
        assert run is not None
        assert x.dtype is cos.dtype is torch.float32
        assert x.is_contiguous()
        assert cos.is_contiguous()
        T, d = x.shape
        out, narrow, wide = torch.empty(len(rows), d), torch.empty(T, self._most_in), torch.empty(T, self._most_out)
        tables = (cos.data_ptr(), sin.data_ptr(), cos.shape[-1])
        tokens = (slots.data_ptr(), plan.native(self.pool), rows.data_ptr(), len(rows))
        scratch = (out.data_ptr(), narrow.data_ptr(), wide.data_ptr())
        layers = (self._records.buffer_info()[0], len(self._kept), self._n_heads, self._eps)
        run(_LAYERS_CALL(x.data_ptr(), T, d, *layers, *tables, *tokens, *scratch, torch.get_num_threads()))
        return out
