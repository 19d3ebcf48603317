"""What a language model's head needs of rows of logits: log-partitions and entropies, and the slopes of functions of them.

On CPUs one pass of a kernel each (training.cpp), elsewhere in torch.

    R rows, V vocabulary, p = softmax of a row
"""

from __future__ import annotations

import torch
from torch import Tensor

from phiforge.kernels.gradients import narrow, readable
from phiforge.kernels.native import integer, kernel, pointer


def logs_of(logits: Tensor, entropy: bool = False) -> tuple[Tensor, Tensor | None]:
    """log sum_v exp(logits_v), and -sum_v p_v log p_v if asked for, of logits [R, V]: fp32 [R]."""
    run = kernel("row_logs", pointer, integer, integer, pointer, pointer, integer, integer)
    if run and readable(logits):
        logs, entropies = torch.empty(len(logits)), torch.empty(len(logits)) if entropy else None
        place = None if entropies is None else entropies.data_ptr()
        run(logits.data_ptr(), *logits.shape, logs.data_ptr(), place, narrow(logits), torch.get_num_threads())
        return logs, entropies
    wide = logits.float()
    logs = wide.logsumexp(-1)
    if not entropy:
        return logs, None
    shifted = wide - logs[:, None]
    return logs, -(shifted.exp() * shifted).sum(-1)


def slopes_of(
    logits: Tensor, labels: Tensor, logs: Tensor, of_label: Tensor, of_all: Tensor, entropies: Tensor | None = None,
    of_entropy: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The gradient for logits [R, V] where the label's own has the gradient `of_label`, the log-partition `of_all`, and the
    entropy, if given, `of_entropy`; all fp32 [R]. The logits are overwritten."""
    run = kernel("row_slopes", pointer, integer, integer, *[pointer] * 6, integer, integer)
    if run and readable(logits):
        given = [labels, logs, entropies, of_label, of_all, of_entropy]
        held = [None if each is None else each.contiguous() for each in given]
        places = (None if each is None else each.data_ptr() for each in held)
        run(logits.data_ptr(), *logits.shape, *places, narrow(logits), torch.get_num_threads())
        return logits
    found = logits.float().sub_(logs[:, None])
    if of_entropy is None:
        found = found.exp_().mul_(of_all[:, None])
    else:  # dH / dlogits_v = -p_v (log p_v + H)
        assert entropies is not None
        found = found.exp() * (of_all[:, None] - of_entropy[:, None] * (found + entropies[:, None]))
    return found.scatter_add_(-1, labels[:, None], of_label[:, None]).to(logits.dtype)
