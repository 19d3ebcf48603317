"""Logits to tokens, a row a sample.

Each row's choice depends on its own logits, its own settings and its own uniform draw, never on its neighbours: the
draw comes from a hash of (seed, sample, step), and every row takes the same path whatever else is in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from phiforge.engine.request import Sampling
from phiforge.kernels.head import logs_of
from phiforge.kernels.select import draw, invert, mask_, top

# Rows with a filter look at this many candidates first; only those whose filter reaches further are sorted whole.
CANDIDATES = 256

Told = tuple[float | None, tuple[tuple[int, float], ...]]
"""A chosen id's log-probability and the likeliest ids with theirs, where a request asks for them."""


@dataclass(slots=True)
class Row:
    """What one row of logits is sampled with: `seen` are the ids that a repetition penalty applies to, `counts` how often
    each id has been generated."""

    sampling: Sampling
    seed: int
    sample: int
    step: int
    seen: list[int] | None = None
    counts: dict[int, int] = field(default_factory=dict)


def choose(logits: Tensor, rows: list[Row], mask: Tensor | None = None) -> Tensor:
    """One token id per row of logits [len(rows), V]. The logits are not changed.

    `mask` int32 [len(rows), ceil(V / 32)] has a 1 for every id that may be chosen, from the lowest bit up.
    """
    logits = _adjust(logits.float(), rows, mask)
    chosen = torch.empty(len(rows), dtype=torch.long, device=logits.device)
    paths: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        paths.setdefault(_path(row.sampling), []).append(i)
    for path, members in paths.items():
        index = torch.tensor(members, device=logits.device)
        z = logits if len(members) == len(rows) else logits[index]
        if path == "greedy":
            chosen[index] = z.argmax(dim=-1)
            continue
        some = [rows[i] for i in members]
        temperature = torch.tensor([[row.sampling.temperature] for row in some], device=z.device)
        u = torch.tensor(
            [[uniform(row.seed, row.sample, row.step)] for row in some], dtype=torch.float64, device=z.device
        )
        chosen[index] = draw(z, temperature, u) if path == "whole" else _filtered(z / temperature, some, u)
    return chosen


def _adjust(logits: Tensor, rows: list[Row], mask: Tensor | None) -> Tensor:
    """Logits after bias, penalties and mask; the same tensor where there are none."""
    changed = [i for i, row in enumerate(rows) if row.seen is not None or row.counts or row.sampling.logit_bias]
    if not changed and mask is None:
        return logits
    logits = logits.clone()
    for i in changed:
        z, row, sampling = logits[i], rows[i], rows[i].sampling
        if sampling.logit_bias:
            ids = torch.tensor(list(sampling.logit_bias), device=z.device)
            z[ids] += torch.tensor(list(sampling.logit_bias.values()), dtype=z.dtype, device=z.device)
        if row.seen is not None:
            # As transformers has it: divide positive logits, multiply negative ones (Keskar et al. 2019).
            seen = torch.tensor(row.seen, device=z.device)
            z[seen] = torch.where(
                z[seen] > 0, z[seen] / sampling.repetition_penalty, z[seen] * sampling.repetition_penalty
            )
        if row.counts and (sampling.frequency_penalty or sampling.presence_penalty):
            ids = torch.tensor(list(row.counts), device=z.device)
            counts = torch.tensor(list(row.counts.values()), dtype=z.dtype, device=z.device)
            z[ids] -= sampling.frequency_penalty * counts + sampling.presence_penalty
    if mask is not None:
        mask_(logits, mask)
    return logits


def _path(sampling: Sampling) -> str:
    if sampling.temperature < 1e-5:  # dividing by less overflows, and the choice is the same
        return "greedy"
    return "filtered" if sampling.top_k or sampling.top_p < 1 or sampling.min_p else "whole"


def _filtered(z: Tensor, rows: list[Row], u: Tensor) -> Tensor:
    """Sample after top-k, top-p and min-p, from the candidates if they are enough and from the whole row if not."""
    width = min(CANDIDATES, z.shape[-1])
    values, ids, total = top(z, width)
    k = torch.tensor([[min(row.sampling.top_k or z.shape[-1], z.shape[-1])] for row in rows], device=z.device)
    p = torch.tensor([[row.sampling.top_p] for row in rows], device=z.device)
    floor = torch.tensor([[row.sampling.min_p] for row in rows], device=z.device)

    kept = _keep(values, total[:, None], k, p, floor)
    chosen = ids.gather(-1, invert(kept, u)[:, None])[:, 0]
    # Sort all of a row whose last candidate is still kept, for it may keep more beyond, and of one whose top-k reaches
    # past the candidates, for its top-p counts the mass of all k.
    k = k[:, 0]
    for i in torch.nonzero((k > width) & ((kept[:, -1] > 0) | (k < z.shape[-1])))[:, 0].tolist():
        values, ids = z[i : i + 1].sort(descending=True, stable=True)
        kept = _keep(
            values, z[i : i + 1].logsumexp(dim=-1, keepdim=True), k[i : i + 1, None], p[i : i + 1], floor[i : i + 1]
        )
        chosen[i] = ids[0, invert(kept, u[i : i + 1])[0]]
    return chosen


def _keep(values: Tensor, total: Tensor, k: Tensor, p: Tensor, floor: Tensor) -> Tensor:
    """Unnormalised probabilities of descending `values`, zero where a filter drops them."""
    rank = torch.arange(values.shape[-1], device=values.device)
    values = values.masked_fill(rank >= k, float("-inf"))
    limited = k <= values.shape[-1]  # top-p counts the mass that top-k left
    probabilities = (values - torch.where(limited, values.logsumexp(dim=-1, keepdim=True), total)).exp()
    before = probabilities.cumsum(dim=-1) - probabilities
    keep = ((before < p) | (p >= 1)) & (probabilities >= floor * probabilities[:, :1])
    return probabilities * keep


def weigh(logits: Tensor, ids: Tensor, samplings: list[Sampling]) -> list[Told]:
    """Of rows of logits [R, V], the log-probability of `ids` [R] and of the likeliest ids, where they are asked for."""
    found: list[Told] = [(None, ())] * len(samplings)
    wanted: dict[int, list[int]] = {}
    for i, sampling in enumerate(samplings):
        if sampling.logprobs is not None:
            wanted.setdefault(sampling.logprobs, []).append(i)
    for k, rows in wanted.items():
        z = (logits if len(rows) == len(logits) else logits[rows]).float()
        temperatures = [
            each.temperature if each.logprobs_of == "sampled" else 0.0 for each in (samplings[i] for i in rows)
        ]
        if any(each not in (0.0, 1.0) for each in temperatures):
            z = z / torch.tensor([[each or 1.0] for each in temperatures], device=z.device)
        total, _ = logs_of(z)
        own = (z.gather(-1, ids[rows, None])[:, 0] - total).tolist()
        if not k:
            for i, mine in zip(rows, own, strict=True):
                found[i] = mine, ()
            continue
        values, likeliest = z.topk(k)
        values = (values - total[:, None]).tolist()
        for i, mine, *others in zip(rows, own, likeliest.tolist(), values, strict=True):
            found[i] = mine, tuple(zip(*others, strict=True))
    return found


def uniform(seed: int, sample: int, step: int) -> float:
    """A uniform draw in [0, 1) from a hash (splitmix64) of its three arguments."""
    x = seed & _MASK
    for part in (sample, step):
        x = _mix((x + (part + 1) * 0x9E3779B97F4A7C15) & _MASK)
    return (x >> 11) / (1 << 53)


_MASK = (1 << 64) - 1


def _mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
