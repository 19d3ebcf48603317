"""Group-relative policy optimisation (Shao et al. 2024): the loss, the advantages, and why a group teaches nothing.

T tokens of all answers, end to end; n answers
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

import torch
from torch import Tensor

from phiforge.train.rewards import Rollout


def advantages(rewards: Sequence[float], eps: float = 1e-4) -> list[float]:
    """How much better each answer of a group is than the group, in its standard deviations; all 0 where all are alike."""
    mean, spread = fmean(rewards), stdev(rewards) if len(rewards) > 1 else 0.0
    if spread == 0:
        return [0.0] * len(rewards)
    return [(reward - mean) / (spread + eps) for reward in rewards]


def lesson(rollouts: Sequence[Rollout], rewards: Sequence[float]) -> str:
    """What a group teaches, for the log: "taught", or why nothing."""
    if len(set(rewards)) > 1:
        return "taught"
    if all(each.correct for each in rollouts):
        return "all right"
    if not any(each.ended for each in rollouts):
        return "all truncated"
    return "all wrong"


def grpo_loss(
    policy: Tensor,
    old: Tensor,
    advantage: Tensor,
    lengths: Sequence[int],
    *,
    clip: tuple[float, float] = (0.2, 0.2),
    beta: float = 0.0,
    reference: Tensor | None = None,
    by_answer: bool = True,
) -> tuple[Tensor, dict[str, float]]:
    """The clipped objective, negated, summed over answers (`by_answer`: mean over each one's tokens) or over tokens.

    policy, old, reference: log-probabilities [T] now, when sampled, and of the model that `beta` ties to (`old` if not
    given); advantage [n]; lengths of the answers. The divergence is estimated by exp(d) - d - 1, which is never negative
    (Schulman 2020). Sums for the log: share of clipped tokens and the divergence, weighted as the loss is.
    """
    ratio = (policy - old).exp()
    each = advantage.repeat_interleave(torch.tensor(lengths, device=policy.device))
    bounded = ratio.clamp(1 - clip[0], 1 + clip[1])
    value = torch.minimum(ratio * each, bounded * each)
    apart = (old if reference is None else reference) - policy
    divergence = apart.exp() - apart - 1
    if beta:
        value = value - beta * divergence
    clipped = ((ratio < 1 - clip[0]) & (each < 0)) | ((ratio > 1 + clip[1]) & (each > 0))

    def total(tokens: Tensor) -> Tensor:
        if not by_answer:
            return tokens.sum()
        return torch.stack([part.mean() for part in tokens.split(list(lengths))]).sum()

    with torch.no_grad():
        sums = {"clipped": float(total(clipped.float())), "divergence": float(total(divergence))}
    return -total(value), sums
