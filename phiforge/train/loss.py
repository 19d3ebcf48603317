"""Cross-entropy of a language model's head, computed in pieces so that the logits of all tokens never exist at once.

With 200,000 words in the vocabulary, the logits of 4,096 tokens are 3 GB and their gradient as much again. Here a piece of
the tokens at a time goes through the head; its gradient is taken on the spot, and only what the network needs is kept.

    T tokens, d width of the network, V vocabulary
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

PIECE_BYTES = 48 << 20  # of logits at a time
PIECE_ROWS = 512  # at most: more rows don't make the product faster


def cross_entropy(hidden: Tensor, head: Tensor, labels: Tensor, weights: Tensor, z: float = 0.0) -> Tensor:
    """sum_t weights_t (-log p(labels_t) + z log² Z_t), a scalar that gradients flow from into `hidden` and `head`.

    hidden [T, d], head [V, d], labels [T], weights [T]: tokens of weight 0 are left out before anything is computed. `z`
    weighs the square of the log-partition, which keeps logits from drifting (Chowdhery et al. 2022). The caller divides by
    what it averages over.
    """
    taught = weights.nonzero().squeeze(-1)
    return _CrossEntropy.apply(hidden[taught], head, labels[taught], weights[taught].float(), z)


def log_probabilities(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """log p(labels_t), fp32 [T], with gradients into both; memory as for `cross_entropy`."""
    return _LogProbabilities.apply(hidden, head, labels)


def _pieces(n: int, vocabulary: int) -> list[slice]:
    rows = max(1, min(PIECE_ROWS, PIECE_BYTES // (4 * vocabulary)))
    return [slice(start, min(n, start + rows)) for start in range(0, n, rows)]


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total += a b, fp32 whatever the factors are."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total.add_(a @ b)


class _CrossEntropy(torch.autograd.Function):
    """The gradient is computed on the way forward, where a piece's logits are at hand, and scaled on the way back."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor, weights: Tensor, z: float) -> Tensor:
        of_hidden = torch.empty_like(hidden) if hidden.requires_grad else None
        of_head = torch.zeros_like(head, dtype=torch.float32) if head.requires_grad else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for piece in _pieces(len(hidden), len(head)):
            logits = (hidden[piece] @ head.T).float()
            log_z = logits.logsumexp(-1)
            label, weight = labels[piece, None], weights[piece]
            total += (weight * (log_z - logits.gather(-1, label).squeeze(-1) + z * log_z.square())).sum()
            if of_hidden is None and of_head is None:
                continue
            logits.sub_(log_z[:, None]).exp_().mul_((weight * (1 + 2 * z * log_z))[:, None])
            logits.scatter_add_(-1, label, -weight[:, None])
            slope = logits.to(head.dtype)
            if of_hidden is not None:
                torch.mm(slope, head, out=of_hidden[piece])
            if of_head is not None:
                _add_product(of_head, slope.T, hidden[piece])
        ctx.save_for_backward(of_hidden, of_head)
        ctx.head_dtype = head.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        of_hidden, of_head = ctx.saved_tensors
        # In place: a second backward is refused anyway, as the saved tensors have changed.
        of_hidden, of_head = (None if x is None else x.mul_(slopes[0]) for x in (of_hidden, of_head))
        return of_hidden, None if of_head is None else of_head.to(ctx.head_dtype), None, None, None


class _LogProbabilities(torch.autograd.Function):
    """Each token has a slope of its own here, known only on the way back: logits are computed once more there."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
        found = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        log_z = torch.empty_like(found)
        for piece in _pieces(len(hidden), len(head)):
            logits = (hidden[piece] @ head.T).float()
            log_z[piece] = logits.logsumexp(-1)
            found[piece] = logits.gather(-1, labels[piece, None]).squeeze(-1) - log_z[piece]
        ctx.save_for_backward(hidden, head, labels, log_z)
        return found

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        hidden, head, labels, log_z = ctx.saved_tensors
        slope = slopes[0]
        of_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        of_head = torch.zeros_like(head, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        for piece in _pieces(len(hidden), len(head)):
            logits = (hidden[piece] @ head.T).float()
            logits.sub_(log_z[piece, None]).exp_().mul_(-slope[piece, None])
            logits.scatter_add_(-1, labels[piece, None], slope[piece, None])
            each = logits.to(head.dtype)
            if of_hidden is not None:
                torch.mm(each, head, out=of_hidden[piece])
            if of_head is not None:
                _add_product(of_head, each.T, hidden[piece])
        return of_hidden, None if of_head is None else of_head.to(head.dtype), None
