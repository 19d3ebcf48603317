"""Forward divergence from a teacher's distribution, mixed with cross-entropy, in pieces: the logits of all tokens never exist
at once, neither the student's nor the teacher's. As in `loss.py`, the gradient is taken on the way forward.

    T tokens, d width of the student, V vocabulary, K likeliest words
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from phiforge.train.loss import pieces

Teach = Callable[[slice], tuple[Tensor | None, Tensor]]
"""`teach(piece)`: the teacher's log-probabilities at temperature 1 of those tokens: of all words (None, [t, V]), or of its
likeliest (ids [t, K], [t, K])."""


def distillation(
    hidden: Tensor, head: Tensor, labels: Tensor, weights: Tensor, teach: Teach, temperature: float, mix: float
) -> tuple[Tensor, Tensor]:
    """sum_t weights_t (mix τ² KL(teacher_τ || student_τ) + (1 - mix) (-log p(labels_t))), with gradients into hidden [T, d] and
    head [V, d]; and the weighted sum of KL alone, without.

    τ² keeps the gradient's size whatever the temperature (Hinton et al. 2015). Where the teacher says its likeliest words only,
    it is taken for one that knows no others.
    """
    return _Distillation.apply(hidden, head, labels, weights.float(), teach, temperature, mix)


class _Distillation(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        labels: Tensor,
        weights: Tensor,
        teach: Teach,
        temperature: float,
        mix: float,
    ) -> tuple[Tensor, Tensor]:
        of_hidden = torch.empty_like(hidden) if hidden.requires_grad else None
        of_head = torch.zeros_like(head) if head.requires_grad else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        apart = torch.zeros_like(total)
        for piece in pieces(len(hidden), len(head)):
            logits = (hidden[piece] @ head.T).float()
            label, weight = labels[piece, None], weights[piece, None]
            student = (logits / temperature).log_softmax(-1)
            ids, teacher = teach(piece)
            teacher = (teacher.float() / temperature).log_softmax(-1)
            known = student if ids is None else student.gather(-1, ids)
            p = teacher.exp()
            divergence = (weight * (p * (teacher - known)).nan_to_num_(0.0)).sum()  # 0 log 0 = 0
            apart += divergence
            total += mix * temperature**2 * divergence
            slope = student.exp_().mul_(weight * mix * temperature)
            p = p * (weight * mix * temperature)
            slope = slope.sub_(p) if ids is None else slope.scatter_add_(-1, ids, -p)
            if mix < 1:
                log_p = logits.log_softmax(-1)
                total -= (1 - mix) * (weight * log_p.gather(-1, label)).sum()
                slope.add_(log_p.exp_().mul_((1 - mix) * weight))
                slope.scatter_add_(-1, label, -(1 - mix) * weight)
            each = slope.to(head.dtype)
            if of_hidden is not None:
                torch.mm(each, head, out=of_hidden[piece])
            if of_head is not None:
                of_head.addmm_(each.T, hidden[piece])
        ctx.save_for_backward(of_hidden, of_head)
        ctx.mark_non_differentiable(apart)
        return total, apart

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        of_hidden, of_head = ctx.saved_tensors
        scaled = (None if x is None else x * slopes[0].to(x.dtype) for x in (of_hidden, of_head))
        return (*scaled, None, None, None, None, None)
