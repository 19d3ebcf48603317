"""In which precision a network is trained: its products fp32 or bf16, whichever is faster here, its own weights fp32 or bf16.

Where the two differ, the loss is taken of a working copy whose weights, activations and products are of the products' precision.
The network's own weights are what the optimiser moves, and every micro-batch's gradients are added to theirs as soon as they are
there. Mean squares, softmaxes and the cross-entropy are taken in fp32 either way.

The layers' products may be by int8 instead (switchback.py), which is for whoever asks for it, and has a processor that is fast at
it: it is as exact as the int8 that the network will be served in, but no more.
"""

from __future__ import annotations

import time
from copy import deepcopy
from functools import cache, partial
from typing import Any, Literal

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.func import functional_call

from phiforge.engine.products import remembered
from phiforge.model.config import ModelConfig
from phiforge.model.phi3 import Linear, Phi3

Precision = Literal["auto", "float32", "bfloat16", "int8"]

PAYS = 0.8  # bf16 is taken where a layer's step takes less than this share of fp32's time
AT_ONCE = 1 << 20  # elements: more of them do not stay in the cache
ROWS, WIDE = 1024, 2048  # tokens of the measured step; a quarter of them for networks wider than this


def working_copy(model: Phi3) -> Phi3:
    """The network's modules once more, over the very same tensors: what is done to the copy's modules stays with it."""
    tensors = [*model.parameters(), *model.buffers()]
    return deepcopy(model, {id(tensor): tensor for tensor in tensors})


def converted(model: Phi3, dtype: torch.dtype) -> Phi3:
    """The network itself, its weights in `dtype` from now on; the rotary angles stay fp32."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return model


class Recast:
    """A working copy in `dtype` of a network, whose gradients go to the network's own weights. With `briefly`, a layer's weights
    are recast each time it is at work, and not kept: for layers that are computed twice. With `rounded`, the weights of the
    layers' products stay what they are, as int8 ones are made of them (switchback.py)."""

    def __init__(self, model: Phi3, dtype: torch.dtype, *, briefly: bool = False, rounded: bool = False) -> None:
        self.network = working_copy(model)
        spared = {module for module in self.network.layers.modules() if rounded and type(module) is Linear}
        if briefly:
            layers, self.network.layers = self.network.layers, nn.ModuleList()  # out of the way of what follows
        self.network.embed_tokens.sparse = True  # gradients of the rows that were looked up, and no others
        recast: dict[Tensor, Tensor] = {}
        for module in (each for each in self.network.modules() if each not in spared):
            for leaf, master in dict(module.named_parameters(recurse=False)).items():
                if master not in recast:
                    recast[master] = master.detach().to(dtype)
                # A tied weight is recast once, but a parameter at each of its places: none waits for the other's gradient.
                mine = nn.Parameter(recast[master], master.requires_grad)
                if master.requires_grad:
                    mine.register_post_accumulate_grad_hook(partial(_take, master))
                setattr(module, leaf, mine)
        if briefly:
            self.network.layers = nn.ModuleList(_Briefly(layer, dtype) for layer in layers)
        self._moving = [each for each in recast.items() if each[0].requires_grad and each[0].dtype is not dtype]

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over what the optimiser has done to the network."""
        for master, mine in self._moving:
            mine.copy_(master)


class _Briefly(nn.Module):
    """A layer whose weights are in `dtype` while it is at work."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.dtype = layer, dtype

    def forward(self, *inputs: Any) -> Tensor:
        weights = {name: _Cast.apply(weight, self.dtype) for name, weight in self.layer.named_parameters()}
        return functional_call(self.layer, weights, inputs)


class _Cast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, master: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.master = master
        return master.to(dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        _add(ctx.master, gradients[0])
        return None, None


def _take(master: Tensor, mine: Tensor) -> None:
    gradient, mine.grad = mine.grad, None
    assert gradient is not None
    _add(master, gradient)


def _add(master: Tensor, gradient: Tensor) -> None:
    if gradient.is_sparse:
        if master.grad is None:
            master.grad = torch.zeros_like(master)
        master.grad.index_add_(0, gradient._indices()[0], gradient._values().to(master.dtype))
    elif master.grad is None:
        master.grad = gradient.to(master.dtype)
    else:  # some rows at a time: torch first makes a wider copy of what it adds
        rows = max(1, AT_ONCE // gradient[0].numel())
        for total, part in zip(master.grad.split(rows), gradient.split(rows), strict=True):
            total.add_(part)


def fastest(device: torch.device, config: ModelConfig) -> torch.dtype:
    """fp32 or bf16: what a layer of this network takes less time in, forward and backward, on this machine."""
    fp32, bf16 = measured(device, config)
    return torch.bfloat16 if bf16 < PAYS * fp32 else torch.float32


def measured(device: torch.device, config: ModelConfig) -> tuple[float, float]:
    """Seconds that a layer's step takes in fp32 and in bf16, measured once for each shape of layer and kept with the engine's
    measurements."""
    where = f", training on {torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type}"
    shape = f"{config.d_model} {config.n_heads}/{config.n_kv_heads}x{config.head_dim} {config.d_ff}"
    fp32, bf16 = remembered(where, {shape: lambda: _seconds(device, config)})[shape]
    return fp32, bf16


def _seconds(device: torch.device, config: ModelConfig) -> tuple[float, float]:
    """The least time of a layer's step in fp32 and in bf16, taken in turn; once only where there is no doubt."""
    small = replace(config, n_layers=1, vocab_size=64, tied_embeddings=True, bos_id=None, eos_ids=(), pad_id=None)
    with torch.device(device):
        model = Phi3(small).init_weights()
        tokens = torch.randint(64, (min(ROWS if config.d_model <= WIDE else ROWS // 4, config.context),))
    least = [float("inf"), float("inf")]
    networks = model, Recast(model, torch.bfloat16).network
    for _ in range(4):  # the first call also prepares
        for i, network in enumerate(networks):
            started = time.perf_counter()
            network.hidden(tokens[None]).float().sum().backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            least[i] = min(least[i], time.perf_counter() - started)
        if least[1] > 3 * least[0]:
            break
    return least[0], least[1]


def int8_pays(device: torch.device) -> bool:
    """Whether a product of int8 takes less time here than one of fp32. Without instructions for it, it takes forty times more."""
    return matrix_speed(torch.int8, device, 512) > matrix_speed(torch.float32, device)


@cache
def matrix_speed(dtype: torch.dtype, device: torch.device, size: int = 1024, seconds: float = 0.15) -> float:
    """Operations a second of this machine's matrix product, the best of a few after the first, which may prepare."""
    multiply = torch._int_mm if dtype is torch.int8 else torch.mm
    a, b = (torch.randn(size, size, device=device).mul(30).to(dtype) for _ in range(2))
    multiply(a, b)
    best, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end or not best:
        started = time.perf_counter()
        multiply(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best
