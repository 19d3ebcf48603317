"""The pages of the KV cache: keys and values in blocks of 16 tokens, for the attention of `attention.py`.

T tokens, G key/value heads, D head dim
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from ctypes import c_char_p
from functools import cache
from struct import Struct

import torch
from torch import Tensor

from phiforge.kernels.native import kernel

BLOCK = 16  # tokens of a block
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.int8)
NATIVE = {torch.float32: 0, torch.bfloat16: 1, torch.int8: 2}  # what the kernels read, and their numbers for it

_STORE_CALL = Struct("8q").pack  # attention.h


@cache
def _store_kernel() -> Callable[..., None] | None:
    return kernel("store_tokens", c_char_p)


class Pool:
    """Keys and values of every layer of one network. Memory that no block has touched yet costs nothing on Linux.

    Per layer: keys [n_blocks, G, D, BLOCK] (a block's keys are stored transposed), values [n_blocks, G, BLOCK, D]. In
    int8 each token's key and value of a head have one scale, [n_blocks, G, BLOCK] fp32, and lie in -127..127.
    """

    def __init__(
        self,
        n_layers: int,
        n_blocks: int,
        n_kv_heads: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"a pool cannot hold {dtype}; take one of {', '.join(map(str, DTYPES))}")
        self.n_blocks, self.n_kv_heads, self.head_dim = n_blocks, n_kv_heads, head_dim
        self.dtype, self.device = dtype, torch.device(device)

        def empty(shape: tuple[int, ...], dtype: torch.dtype) -> list[Tensor]:
            return [torch.empty(n_blocks, n_kv_heads, *shape, dtype=dtype, device=device) for _ in range(n_layers)]

        self.keys = empty((head_dim, BLOCK), dtype)
        self.values = empty((BLOCK, head_dim), dtype)
        scaled = dtype == torch.int8
        self.key_scales = empty((BLOCK,), torch.float32) if scaled else []
        self.value_scales = empty((BLOCK,), torch.float32) if scaled else []
        # attention.h, PoolLayer
        self._native: list[array[int]] = []
        if self.device.type == "cpu" and dtype in NATIVE and head_dim % 8 == 0:
            for layer in range(n_layers):
                scales = [x[layer].data_ptr() if scaled else 0 for x in (self.key_scales, self.value_scales)]
                data = [self.keys[layer].data_ptr(), self.values[layer].data_ptr()]
                self._native.append(array("q", [*data, *scales, NATIVE[dtype], n_kv_heads, head_dim]))
        self.layers = [fields.buffer_info()[0] for fields in self._native]  # where the kernels find each layer

    @staticmethod
    def bytes_per_block(n_layers: int, n_kv_heads: int, head_dim: int, dtype: torch.dtype) -> int:
        """What one block of all layers takes: a budget divided by this is a pool's `n_blocks`."""
        token = head_dim * dtype.itemsize + (4 if dtype == torch.int8 else 0)
        return 2 * n_layers * n_kv_heads * BLOCK * token

    def store(self, layer: int, k: Tensor, v: Tensor, slots: Tensor) -> None:
        """Put k and v [T, G, D] of T tokens at slots int64 [T], all different; slot = block * BLOCK + place in it."""
        store = _store_kernel()
        if store and self.layers and readable(k) and readable(v) and slots.is_contiguous():
            tokens = slots.shape[0]
            threads = torch.get_num_threads() if tokens > 1 else 1
            kv = (k.data_ptr(), k.stride(0), v.data_ptr(), v.stride(0))
            store(_STORE_CALL(*kv, slots.data_ptr(), tokens, self.layers[layer], threads))
            return
        block, place = slots // BLOCK, slots % BLOCK
        if self.key_scales:
            k, k_scale = _quantize(k)
            v, v_scale = _quantize(v)
            self.key_scales[layer][block, :, place] = k_scale
            self.value_scales[layer][block, :, place] = v_scale
        self.keys[layer][block, :, :, place] = k.to(self.dtype)
        self.values[layer][block, :, place] = v.to(self.dtype)

    def copy(self, source: int | Sequence[int], target: int | Sequence[int]) -> None:
        """Copy whole blocks, of every layer; lists copy pair by pair, all sources read before any target is written."""
        here = torch.tensor([source] if isinstance(source, int) else list(source), device=self.device)
        there = torch.tensor([target] if isinstance(target, int) else list(target), device=self.device)
        if len(here) != len(there):
            raise ValueError(f"{len(here)} blocks cannot be copied to {len(there)}")
        for tensor in (*self.keys, *self.values, *self.key_scales, *self.value_scales):
            tensor[there] = tensor[here]


def _quantize(x: Tensor) -> tuple[Tensor, Tensor]:
    """int8 of x [T, G, D] and its scales [T, G]."""
    x = x.float()
    scale = x.abs().amax(dim=-1) / 127
    inverse = torch.where(scale > 2.0**-100, 1 / scale, 0)
    return (x * inverse[..., None]).round().to(torch.int8), scale


def readable(x: Tensor) -> bool:
    """Whether kernels can read x [T, heads, D]: fp32 on the CPU, a token's heads contiguous, no gradients asked for."""
    _, head, step = x.stride()
    return x.dtype is torch.float32 and step == 1 and head == x.shape[2] and x.is_cpu and not x.requires_grad
