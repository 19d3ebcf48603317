"""Cross-entropy of a language model's head, computed in pieces so that the logits of all tokens never exist at once.

With 200,000 words in the vocabulary, the logits of 4,096 tokens are 3 GB and their gradient as much again. Here a piece of
the tokens at a time goes through the head; its gradient is taken on the spot, and only what the network needs is kept.
Where the slopes are known only on the way back, logits that are many are computed once more there.

    T tokens, d width of the network, V vocabulary
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from phiforge.kernels.head import logs_of, slopes_of

PIECE_BYTES = 48 << 20  # of logits at a time
KEPT_BYTES = 256 << 20  # of logits that are kept for the way back, at most
AT_ONCE = 1 << 20  # elements of the head's gradient
ROUND = 32  # tokens of products come in multiples: oneDNN makes and keeps code, and memory to work in, for every shape it meets
PIECE_ROWS = 512  # at most: more rows don't make the product faster


def cross_entropy(hidden: Tensor, head: Tensor, labels: Tensor, weights: Tensor, z: float = 0.0) -> Tensor:
    """sum_t weights_t (-log p(labels_t) + z log² Z_t), a scalar that gradients flow from into `hidden` and `head`.

    hidden [T, d], head [V, d], labels [T], weights [T]: tokens of weight 0 are left out before anything is computed. `z`
    weighs the square of the log-partition, which keeps logits from drifting (Chowdhery et al. 2022). The caller divides by
    what it averages over.
    """
    taught = weights.nonzero().squeeze(-1)
    more = -len(taught) % ROUND
    weights = F.pad(weights[taught].float(), (0, more))
    taught = F.pad(taught, (0, more))
    return _CrossEntropy.apply(hidden[taught], head, labels[taught], weights, z)


def log_probabilities(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """log p(labels_t), fp32 [T], with gradients into both; memory as for `cross_entropy`."""
    return _LogProbabilities.apply(hidden, head, labels, False)[0]


def with_entropy(hidden: Tensor, head: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """log p(labels_t), and the entropy -sum_v p_v log p_v of the distributions they come from, both fp32 [T], with gradients of
    both into hidden [T, d] and head [V, d]. Divide `hidden` by a temperature to have both at that temperature."""
    return _LogProbabilities.apply(hidden, head, labels, True)


def pieces(n: int, vocabulary: int, itemsize: int = 4) -> list[slice]:
    """Of `n` tokens, those whose logits may exist at once."""
    rows = max(1, min(PIECE_ROWS, PIECE_BYTES // (itemsize * vocabulary)))
    return [slice(start, min(n, start + rows)) for start in range(0, n, rows)]


class _Gradients:
    """Those of hidden states and head, piece by piece; each where it is needed. The head's is in fp32 where it is a sum of
    several."""

    def __init__(self, hidden: Tensor, head: Tensor, needs_hidden: bool, needs_head: bool) -> None:
        self.states, self.weight, self.needs_head = hidden, head, needs_head
        self.pieces = pieces(len(hidden), len(head), head.itemsize)
        self.of_hidden = torch.empty_like(hidden) if needs_hidden else None
        several = needs_head and len(self.pieces) != 1
        self.of_head = torch.zeros_like(head, dtype=torch.float32) if several else None

    def add(self, piece: slice, slope: Tensor) -> None:
        """`slope` is the gradient of the piece's logits, in the head's dtype."""
        states = self.states[piece]
        if self.of_hidden is not None:
            torch.mm(slope, self.weight, out=self.of_hidden[piece])
        if not self.needs_head:
            return
        if self.of_head is None:
            self.of_head = slope.T @ states
        elif self.of_head.dtype == slope.dtype:
            self.of_head.addmm_(slope.T, states)
        else:
            words = max(1, AT_ONCE // states.shape[-1])  # so that a product is added while it is in the cache
            for total, some in zip(self.of_head.split(words), slope.split(words, dim=-1), strict=True):
                total.add_(some.T @ states)


class _CrossEntropy(torch.autograd.Function):
    """The gradient is computed on the way forward, where a piece's logits are at hand, and scaled on the way back."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor, weights: Tensor, z: float) -> Tensor:
        gradients = _Gradients(hidden, head, hidden.requires_grad, head.requires_grad)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for piece in gradients.pieces:
            logits = hidden[piece] @ head.T
            label, weight = labels[piece], weights[piece]
            log_z, _ = logs_of(logits)
            own = logits.gather(-1, label[:, None]).squeeze(-1).float()
            total += (weight * (log_z - own + z * log_z.square())).sum()
            if hidden.requires_grad or head.requires_grad:
                gradients.add(piece, slopes_of(logits, label, log_z, -weight, weight * (1 + 2 * z * log_z)))
        ctx.gradients, ctx.head_dtype = (gradients.of_hidden, gradients.of_head), head.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.gradients is None:
            raise RuntimeError(
                "the gradients of this cross-entropy have been taken: a second backward is not possible"
            )
        of_hidden, of_head = (None if x is None else x.mul_(slopes[0]) for x in ctx.gradients)
        ctx.gradients = None  # nobody else has them now, so that they become the weights' without a copy
        return of_hidden, None if of_head is None else of_head.to(ctx.head_dtype), None, None, None


class _LogProbabilities(torch.autograd.Function):
    """Each token has slopes of its own here, known only on the way back."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor, entropy: bool) -> tuple[Tensor, Tensor | None]:
        found = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        log_z = torch.empty_like(found)
        keep = any(ctx.needs_input_grad) and len(hidden) * len(head) * head.itemsize <= KEPT_BYTES
        ctx.kept = []
        entropies = torch.empty_like(found) if entropy else None
        for piece in pieces(len(hidden), len(head), head.itemsize):
            logits = hidden[piece] @ head.T
            if keep:
                ctx.kept.append(logits)
            log_z[piece], of_piece = logs_of(logits, entropy)
            if entropies is not None and of_piece is not None:
                entropies[piece] = of_piece
            found[piece] = logits.gather(-1, labels[piece, None]).squeeze(-1).float() - log_z[piece]
        ctx.save_for_backward(hidden, head, labels, log_z, entropies)
        return found, entropies

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden, head, labels, log_z, entropies = ctx.saved_tensors
        of_label, of_entropy = slopes
        assert of_label is not None
        if of_entropy is not None and not of_entropy.any():
            of_entropy = None
        gradients = _Gradients(hidden, head, *ctx.needs_input_grad[:2])
        kept, ctx.kept = ctx.kept[::-1], []
        for piece in gradients.pieces:
            logits = kept.pop() if kept else hidden[piece] @ head.T
            more = (None, None) if of_entropy is None else (entropies[piece], of_entropy[piece])
            gradients.add(
                piece, slopes_of(logits, labels[piece], log_z[piece], of_label[piece], -of_label[piece], *more)
            )
        of_head = gradients.of_head
        return gradients.of_hidden, None if of_head is None else of_head.to(head.dtype), None, None
