"""The head's cross-entropy and log-probabilities in pieces: those of all logits at once, and their memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from phiforge.train import loss as losses


@pytest.mark.parametrize("z", [0.0, 1e-3])
def test_the_loss_in_pieces_is_the_loss(monkeypatch: pytest.MonkeyPatch, z: float) -> None:
    monkeypatch.setattr(losses, "PIECE_ROWS", 7)
    states, head = torch.randn(50, 16, requires_grad=True), torch.randn(97, 16, requires_grad=True)
    labels, weights = torch.randint(97, (50,)), torch.rand(50) * (torch.rand(50) < 0.6)
    ours = torch.autograd.grad(losses.cross_entropy(states, head, labels, weights, z) * 3, (states, head))
    logits = states @ head.T
    each = F.cross_entropy(logits, labels, reduction="none") + z * logits.logsumexp(-1).square()
    torch.testing.assert_close(losses.cross_entropy(states, head, labels, weights, z), (weights * each).sum())
    for mine, theirs in zip(ours, torch.autograd.grad((weights * each).sum() * 3, (states, head)), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("kept", [0, 1 << 20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_probabilities_have_their_gradient(monkeypatch: pytest.MonkeyPatch, kept: int, dtype: torch.dtype) -> None:
    monkeypatch.setattr(losses, "PIECE_ROWS", 7)
    monkeypatch.setattr(losses, "AT_ONCE", 16 * 40)  # words of the head at a time
    monkeypatch.setattr(losses, "KEPT_BYTES", kept)
    states, head = (torch.randn(n, 16).to(dtype).requires_grad_() for n in (50, 97))
    labels, slope = torch.randint(97, (50,)), torch.randn(50)
    found = losses.log_probabilities(states, head, labels)
    plain = (states @ head.T).float().log_softmax(-1).gather(-1, labels[:, None]).squeeze(-1)
    torch.testing.assert_close(found, plain)
    near = {} if dtype is torch.float32 else {"rtol": 0.02, "atol": 0.1}  # three roundings of sums of 50 or 97
    for again in (True, False):  # logits that were kept are used once
        ours = torch.autograd.grad((found * slope).sum(), (states, head), retain_graph=again)
        theirs = torch.autograd.grad((plain * slope).sum(), (states, head), retain_graph=again)
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, **near)


def test_a_frozen_head_costs_no_gradient() -> None:
    states, head = torch.randn(5, 16, requires_grad=True), torch.randn(97, 16)
    losses.cross_entropy(states, head, torch.randint(97, (5,)), torch.ones(5)).backward()
    assert states.grad is not None
    assert head.grad is None


def test_a_second_backward_is_refused() -> None:
    states, head = torch.randn(5, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    loss = losses.cross_entropy(states, head, torch.arange(5), torch.ones(5))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="second backward"):
        loss.backward()


_MEMORY = """
import sys, torch
from pathlib import Path
from phiforge.train.loss import cross_entropy

def peak():  # of this process: ru_maxrss would begin with its parent's
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

vocabulary = int(sys.argv[1])
states, head = torch.randn(4096, 64, requires_grad=True), torch.randn(vocabulary, 64)
torch.randn(64, 64) @ torch.randn(64, 64)
before = peak()
cross_entropy(states, head, torch.randint(vocabulary, (4096,)), torch.ones(4096)).backward()
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_the_loss_takes_no_more_memory_with_a_large_vocabulary() -> None:
    """4,096 tokens, beyond the weights themselves: 200,000 words against 32,000."""
    taken = [
        int(subprocess.run([sys.executable, "-c", _MEMORY, str(n)], capture_output=True, text=True, check=True).stdout)
        for n in (32_000, 200_000)
    ]
    assert taken[1] < 1.2 * taken[0]
    assert taken[1] < 4096 * 200_000 * 4 / 1024 / 10  # all logits would be 3.3 GB
