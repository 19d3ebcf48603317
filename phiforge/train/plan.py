"""What a recipe would take: every stage's network built on the meta device, its tokens, steps, memory a GPU, and days.

Nothing is allocated or read; so a plan of 14 billion weights takes a second. The reckoning, for N weights and T tokens:
6 N T operations to learn, 2 N T to read (references, and answers that are written); attention's own come on top. `use` is the
share of a GPU's peak that training gets: phi-4's 9.8T tokens in 21 days on 1,920 H100s (its model card) come to a quarter of
989 TFLOP/s, which is the default.
"""

from __future__ import annotations

import torch
from msgspec import Struct

from phiforge.data import mixture
from phiforge.lm.sources import open_source
from phiforge.model.config import ModelConfig
from phiforge.model.phi3 import Phi3
from phiforge.store.models import find
from phiforge.train import midtrain
from phiforge.train.recipe import AnyStage, Dpo, Grpo, Midtrain, Reading, Recipe
from phiforge.train.scaling import optimizer

GB = 1e9


class Gpus(Struct, frozen=True):
    """On what is trained: how many, of what bf16 peak (operations a second), how much of it is used, and their memory."""

    n: int = 8
    peak: float = 989e12  # an H100 SXM's
    use: float = 0.25
    memory: float = 80e9


class Planned(Struct, frozen=True):
    """One stage. `memory` is bytes a GPU: weights, gradients and optimiser's state spread over all, and activations of `micro`
    tokens. `tokens` of pairs and answers are at most as many; None where the data isn't at hand to be counted. What a search for
    pairs, a judge or a teacher takes is not in them, as it depends on their answers."""

    stage: str
    kind: str
    weights: int
    context: int
    tokens: int | None
    steps: int | None
    lr: float
    batch: int
    memory: float
    fits: bool
    days: float | None
    ledger: list[mixture.Entry] = []


class Amount(Struct, frozen=True):
    """How much a stage reads: tokens and steps (None where that follows from data that isn't at hand), a step's tokens, the
    longest text, and how often a token is read without learning."""

    tokens: int | None
    steps: int | None
    batch: int
    length: int
    reads: int = 0


def plan(recipe: Recipe, gpus: Gpus) -> list[Planned]:
    """Every stage of a recipe, without carrying it out. Raises ValueError where a stage does not fit its network."""
    config = _config(recipe)
    found: list[Planned] = []
    for stage in recipe.stage:
        if isinstance(stage, Midtrain):
            config = midtrain.extend(config, stage.context, stage.rope_theta)
        amount = _amount(recipe, stage)
        if amount.length > config.context:
            raise ValueError(
                f"stage {stage.title!r}: {amount.length} tokens are more than the context of {config.context}"
            )
        with torch.device("meta"):
            model = Phi3(config)
        weights = sum(p.numel() for p in model.parameters())
        memory = _memory(config, weights, stage, gpus)
        speed = gpus.n * gpus.peak * gpus.use
        days = _flops(config, weights, amount) / speed / 86400 if amount.tokens else None
        lr = optimizer(stage, model, amount.steps or 1).lr
        found.append(
            Planned(
                stage.title, stage.kind, weights, config.context, amount.tokens, amount.steps, lr, amount.batch,
                memory, memory < gpus.memory, days, _ledger(recipe, stage, amount.tokens),
            )
        )  # fmt: skip
    return found


def _amount(recipe: Recipe, stage: AnyStage) -> Amount:
    if isinstance(stage, Grpo):
        how = stage.settings
        batch = how.prompts * how.group * how.longest
        return Amount(stage.steps * batch, stage.steps, batch, how.longest, 1)
    if isinstance(stage, Dpo):
        tokens = round(stage.epochs * stage.problems * 2 * stage.length)
        return Amount(tokens, -(-tokens // stage.batch), stage.batch, stage.length, 1)
    sizes = [recipe.data[name].tokens for name in stage.sources]
    tokens = stage.tokens or (round(stage.epochs * sum(sizes)) if all(sizes) else None)
    return Amount(tokens, -(-tokens // stage.batch) if tokens else None, stage.batch, stage.length)


def _config(recipe: Recipe) -> ModelConfig:
    if recipe.start.model:
        return open_source(find(recipe.start.model)).config
    return recipe.start.config(recipe.tokenizer.size if recipe.tokenizer else 0)


def _ledger(recipe: Recipe, stage: AnyStage, tokens: int | None) -> list[mixture.Entry]:
    """Unique tokens, epochs and share of every source whose size is stated."""
    if not isinstance(stage, Reading) or not tokens:
        return []
    entries: list[mixture.Entry] = []
    for name in stage.sources:
        unique = recipe.data[name].tokens
        part = stage.mix[name] * tokens if stage.mix else stage.epochs * unique
        if unique:
            entries.append(mixture.Entry(name, "", 0, unique, round(part), part / unique, part / tokens, []))
    return entries


def _memory(config: ModelConfig, weights: int, stage: AnyStage, gpus: Gpus) -> float:
    """Weights, gradients and AdamW's two moments, each as wide as the weights, or those of an adapter in fp32 and the weights
    that stay, over all GPUs; bf16 copies of the layer at work and the next; activations: a layer's input a layer when they are
    recomputed, else about 17 widths and 3 feed-forward widths of a token a layer, 2 bytes each; and logits of a piece."""
    width = getattr(torch, stage.weights).itemsize
    state = (4 * 4 * _adapter(config, stage) + width * weights if stage.lora else 4 * width * weights) / gpus.n
    layer = 2 * 2 * 2 * weights / max(1, config.n_layers)
    each = config.d_model if stage.recompute else 17 * config.d_model + 3 * config.d_ff
    working = 17 * config.d_model + 3 * config.d_ff if stage.recompute else 0
    return state + layer + 2 * stage.micro * (each * config.n_layers + working) + 4 * 512 * config.vocab_size * 2


def _adapter(config: ModelConfig, stage: AnyStage) -> int:
    assert stage.lora
    width = (config.n_heads + 2 * config.n_kv_heads) * config.head_dim
    sizes = {
        "qkv_proj": config.d_model + width, "o_proj": config.n_heads * config.head_dim + config.d_model,
        "gate_up_proj": config.d_model + 2 * config.d_ff, "down_proj": config.d_ff + config.d_model,
    }  # fmt: skip
    return sum(sizes.get(name, 0) for name in stage.lora.modules) * stage.lora.rank * config.n_layers


def _flops(config: ModelConfig, weights: int, amount: Amount) -> float:
    """Forward and backward are 6 a weight and token; what recomputing adds is in the share that a GPU is used. Attention is over
    half of the length on average."""
    passes = 6 + 2 * amount.reads
    attention = 2 * config.n_layers * config.n_heads * config.head_dim * amount.length / 2
    return passes * (weights + attention) * (amount.tokens or 0)
