"""What is freed meanwhile is used again, and no page of it cleared anew."""

from __future__ import annotations

import ctypes
import resource
import sys

import pytest
import torch

from phiforge.train import memory

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc gives memory back so soon"
)


def pages_cleared() -> int:
    """By taking 256 MB, writing to them and freeing them, once it has been done before."""
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_memory_is_kept_meanwhile_and_given_back_afterwards() -> None:
    usual = pages_cleared()
    with memory.kept():
        assert pages_cleared() < 0.1 * usual
    assert pages_cleared() > 0.5 * usual
