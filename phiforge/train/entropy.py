"""Log-probabilities of tokens with the entropy of the distributions they come from, in pieces, as in `loss.py`.

T tokens, d width of the network, V vocabulary
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from phiforge.train.loss import _pieces as pieces


def with_entropy(hidden: Tensor, head: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """log p(labels_t) and -sum_v p_v log p_v, both fp32 [T], with gradients of both into hidden [T, d] and head [V, d].

    Divide `hidden` by a temperature to have both at that temperature.
    """
    return _WithEntropy.apply(hidden, head, labels)


class _WithEntropy(torch.autograd.Function):
    """As `loss.log_probabilities`: logits are computed once more on the way back, where the slopes are known."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        found = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        log_z, entropy = torch.empty_like(found), torch.empty_like(found)
        for piece in pieces(len(hidden), len(head)):
            logits = (hidden[piece] @ head.T).float()
            log_z[piece] = logits.logsumexp(-1)
            found[piece] = logits.gather(-1, labels[piece, None]).squeeze(-1) - log_z[piece]
            logits.sub_(log_z[piece, None])
            entropy[piece] = -(logits.exp() * logits).sum(-1)
        ctx.save_for_backward(hidden, head, labels, log_z, entropy)
        return found, entropy

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        hidden, head, labels, log_z, entropy = ctx.saved_tensors
        of_label, of_entropy = slopes
        weighed = bool(of_entropy.any())
        of_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        of_head = torch.zeros_like(head) if ctx.needs_input_grad[1] else None
        for piece in pieces(len(hidden), len(head)):
            logits = (hidden[piece] @ head.T).float().sub_(log_z[piece, None])
            p = logits.exp()
            if weighed:  # dH/dz_v = -p_v (log p_v + H)
                slope = p * (-of_entropy[piece, None] * (logits + entropy[piece, None]) - of_label[piece, None])
            else:
                slope = p.mul_(-of_label[piece, None])
            slope.scatter_add_(-1, labels[piece, None], of_label[piece, None])
            each = slope.to(head.dtype)
            if of_hidden is not None:
                torch.mm(each, head, out=of_hidden[piece])
            if of_head is not None:
                of_head.addmm_(each.T, hidden[piece])
        return of_hidden, of_head, None
