"""Networks with quantised weights: the same `Phi3` with other modules in the places of its matrices.

Every linear layer keeps its weight as kernels/formats.py packs it; the embedding keeps rows of int8 with a scale each,
of which only those looked up are ever read; norms stay fp32. A tied output layer gets a packed weight of its own, since
looking rows up and multiplying by all of them want different layouts. Files are in quantized_files.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phiforge.kernels import formats
from phiforge.kernels.formats import Kind, Packed, dequantize
from phiforge.kernels.layers import Layers, LayerWeights
from phiforge.kernels.linear import product
from phiforge.kernels.pool import Pool
from phiforge.model.phi3 import Layer, Linear, Phi3, RMSNorm

BLOCK = 1_000_000  # embedding weights rounded at a time


class Scheme(msgspec.Struct, frozen=True, omit_defaults=False):
    """How a network is quantised: the kind of its layers, and that of its output layer, with the int4 groups' sizes."""

    kind: Kind
    group: int
    head: Kind
    head_group: int

    def of(self, module: str) -> tuple[Kind, int]:
        """Kind and group of a linear layer, by its name in the network."""
        return (self.head, self.head_group) if module == "lm_head" else (self.kind, self.group)


def scheme(kind: Kind, group: int = 32, head: Kind | None = None) -> Scheme:
    """The scheme of a kind. Without `head`, the output layer has 16 bits at bf16 and 8 otherwise: 4 cost SmolLM2-135M
    7 % of perplexity there and next to nothing elsewhere.

    Raises ValueError for a kind or group that there is none of.
    """
    head = head or ("bf16" if kind == "bf16" else "int8")
    for each in (kind, head):
        formats.packed_shapes(16, 64, each, group)
    return Scheme(kind, group if kind == "int4" else 0, head, 32 if head == "int4" else 0)


class QuantizedLinear(nn.Module):
    """x W^T without bias, W packed. On the CPU the product is the kernels' own and fp32 inside; elsewhere, and where
    gradients flow to x, W is dequantised for the product. `native_rows` is up to how many rows of x the compiled kernel
    is the faster one (engine/products.py)."""

    kind: Kind
    native_rows = 1 << 30
    weight: Tensor
    scales: Tensor | None

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self.kind, self.n, self.k, self.group = packed.kind, packed.n, packed.k, packed.group
        self.register_buffer("weight", packed.data)
        self.register_buffer("scales", packed.scales)
        self.packed = packed  # the same tensors, as the kernels take them

    def requantize(self, weight: Tensor) -> None:
        """Take a new full-precision weight [n, k]. What was mapped from a file is then private memory."""
        packed = formats.quantize(weight.detach().cpu(), self.kind, self.group)
        device = self.weight.device
        self.weight = packed.data.to(device)
        self.scales = None if packed.scales is None else packed.scales.to(device)
        self._repack()

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cpu and not (x.requires_grad and torch.is_grad_enabled()):
            native = self.native_rows >= x.numel() // x.shape[-1]
            return product(x.float(), self.packed, native=native).to(x.dtype)
        return F.linear(x, dequantize(self.packed).to(x.dtype))

    def _repack(self) -> None:
        self.packed = Packed(self.kind, self.n, self.k, self.group, self.weight, self.scales)

    def _apply(self, fn, recurse: bool = True):  # type: ignore[no-untyped-def]
        """Move, but keep the bits: `.half()` or `.float()` on a network must not convert scales."""
        super()._apply(lambda t: t.to(fn(t).device), recurse)
        self._repack()
        return self


class QuantizedEmbedding(nn.Module):
    """Rows of int8 [V, d] times a scale each, or of bf16 without scales; gives fp32."""

    weight: Tensor
    scales: Tensor | None

    def __init__(self, rows: Tensor, scales: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", rows)
        self.register_buffer("scales", scales)

    def requantize(self, weight: Tensor) -> None:
        """Take new full-precision rows [V, d]."""
        rows, scales = quantize_rows(weight.detach().cpu(), "bf16" if self.scales is None else "int8")
        device = self.weight.device
        self.weight, self.scales = rows.to(device), None if scales is None else scales.to(device)

    def forward(self, tokens: Tensor) -> Tensor:
        rows = self.weight[tokens].float()
        return rows if self.scales is None else rows.mul_(self.scales[tokens].unsqueeze(-1))

    def _apply(self, fn, recurse: bool = True):  # type: ignore[no-untyped-def]
        return super()._apply(lambda t: t.to(fn(t).device), recurse)


def embedding_kind(kind: Kind) -> Kind:
    """What the embedding keeps where the layers have this kind: 8 bits cost nothing there, as few rows are read."""
    return "bf16" if kind == "bf16" else "int8"


def quantize_rows(weight: Tensor, kind: Kind) -> tuple[Tensor, Tensor | None]:
    """Rows for a `QuantizedEmbedding`: int8 [V, d] and scales fp32 [V], or bf16 and None."""
    if kind == "bf16":
        return weight.to(torch.bfloat16), None
    rows, scales = torch.empty(weight.shape, dtype=torch.int8), torch.empty(len(weight))
    step = max(1, BLOCK // weight.shape[1])
    for start in range(0, len(weight), step):
        block = weight[start : start + step].float()
        scale = block.abs().amax(1) / 127
        if not scale.isfinite().all():
            raise ValueError(
                f"rows {start} to {start + len(block) - 1} of the embedding have values that are not finite"
            )
        rows[start : start + step] = (block * torch.where(scale > 0, 1 / scale, 0)[:, None]).round_().clamp_(-127, 127)
        scales[start : start + step] = scale
    return rows, scales


@torch.no_grad()
def quantize(model: Phi3, kind: Kind, group: int = 32, head: Kind | None = None) -> Phi3:
    """Quantise a network in place, layer by layer: each layer's source is let go before the next is read.

    Raises ValueError for what the kind cannot hold, before anything is changed.
    """
    wanted = scheme(kind, group, head)
    layers: dict[str, Linear] = {name: m for name, m in model.named_modules() if isinstance(m, Linear)}
    for name, module in layers.items():
        check(name, (module.weight.shape[0], module.weight.shape[1]), wanted)
    for name in list(layers):
        weight = layers.pop(name).weight
        packed = formats.quantize(weight.detach().cpu(), *arguments(wanted.of(name)))
        put(model, name, QuantizedLinear(packed).to(weight.device))
    embedding = model.embed_tokens.weight
    rows = quantize_rows(embedding.detach().cpu(), embedding_kind(kind))
    put(model, "embed_tokens", QuantizedEmbedding(*rows).to(embedding.device))
    for module in model.modules():
        if isinstance(module, RMSNorm):
            module.weight.data = module.weight.data.float()
    return model.eval()


def check(name: str, shape: tuple[int, int], wanted: Scheme) -> None:
    """Raise ValueError, naming the layer, for a matrix [n, k] that its kind cannot hold."""
    try:
        formats.packed_shapes(*shape, *arguments(wanted.of(name)))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def arguments(of: tuple[Kind, int]) -> tuple[Kind, int]:
    """Kind and group as `formats.quantize` takes them, which wants a group even where there is none."""
    kind, group = of
    return kind, group or 32


def put(model: Phi3, name: str, module: nn.Module) -> None:
    """Set the submodule of this dotted name."""
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, module)


def scheme_of(model: Phi3) -> Scheme | None:
    """How a network is quantised; None for one that is not."""
    head = model.lm_head
    layer = next((m for n, m in model.named_modules() if isinstance(m, QuantizedLinear) and n != "lm_head"), None)
    if not isinstance(head, QuantizedLinear) or layer is None:
        return None
    return Scheme(layer.kind, layer.group, head.kind, head.group)


def layers_on(model: Phi3, pool: Pool) -> Layers | None:
    """The layers of a quantised network as one call, with this pool; None where they are not all quantised, or no kernel
    is there. Of no use after `update`, and for more tokens than the least `native_rows`."""
    if not Layers.available(pool):
        return None
    found: list[LayerWeights] = []
    most_tokens = QuantizedLinear.native_rows
    for layer in model.layers:
        assert isinstance(layer, Layer)
        linears = (layer.self_attn.qkv_proj, layer.self_attn.o_proj, layer.mlp.gate_up_proj, layer.mlp.down_proj)
        quantised = [linear for linear in linears if isinstance(linear, QuantizedLinear)]
        if len(quantised) < len(linears):
            return None
        most_tokens = min(most_tokens, *(linear.native_rows for linear in quantised))
        packed = [linear.packed for linear in quantised]
        found.append(LayerWeights(layer.input_layernorm.weight, layer.post_attention_layernorm.weight, *packed))
    return Layers(found, model.config.n_heads, model.config.norm_eps, pool, most_tokens)


@torch.no_grad()
def update(model: Phi3, weights: Mapping[str, Tensor]) -> None:
    """Take new full-precision weights, by the names of an unquantised network's parameters, into whatever holds them.

    Quantised layers are quantised anew in their own kind. All is checked first: raises ValueError for an unknown name, a
    wrong shape or a value that is not finite, and then nothing has changed.
    """
    places = _places(model)
    alias = "lm_head.weight" if model.config.tied_embeddings else None
    for name, tensor in weights.items():
        if name == alias:
            embedding = weights.get("embed_tokens.weight")
            if embedding is None or not (embedding is tensor or torch.equal(embedding, tensor)):
                raise ValueError("the output layer is tied to the embedding: give 'embed_tokens.weight' for both")
            continue
        if name not in places:
            raise ValueError(f"the network has no parameter {name!r}")
        if tuple(tensor.shape) != places[name][1]:
            raise ValueError(f"parameter {name!r} has shape {places[name][1]}, and the update {tuple(tensor.shape)}")
        if not tensor.isfinite().all():
            raise ValueError(f"the update of parameter {name!r} has values that are not finite")
    for name, tensor in weights.items():
        if name == alias:
            continue
        for holder in places[name][0]:
            if isinstance(holder, QuantizedLinear | QuantizedEmbedding):
                holder.requantize(tensor)
            elif isinstance(holder, Tensor):
                holder.copy_(tensor)


def _places(model: Phi3) -> dict[str, tuple[list[nn.Module | Tensor], tuple[int, ...]]]:
    """What holds each parameter, and its full-precision shape."""
    places: dict[str, tuple[list[nn.Module | Tensor], tuple[int, ...]]] = {
        name: ([parameter], tuple(parameter.shape)) for name, parameter in model.named_parameters()
    }
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLinear):
            places[f"{name}.weight"] = ([module], (module.n, module.k))
        elif isinstance(module, QuantizedEmbedding):
            places[f"{name}.weight"] = ([module], tuple(module.weight.shape))
    if model.config.tied_embeddings and isinstance(model.lm_head, QuantizedLinear):
        places["embed_tokens.weight"][0].append(model.lm_head)
        del places["lm_head.weight"]
    return places
