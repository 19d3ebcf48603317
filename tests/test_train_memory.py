"""What is freed meanwhile stays with the process, to be used again; afterwards it is given back."""

from __future__ import annotations

import ctypes
import mmap
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from phiforge.train import memory

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc gives memory back so soon"
)
TAKEN = 256 << 20  # bytes


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def left(taken: int = TAKEN) -> int:
    """Bytes more than before, once so many were taken, written to and freed."""
    before = resident()
    torch.ones(taken // 4)
    return resident() - before


def check() -> None:
    assert left() < 0.1 * TAKEN
    before = resident()
    with memory.kept():
        assert left() > 0.9 * TAKEN
        assert left(TAKEN - (1 << 20)) < 0.1 * TAKEN  # fits in there
    assert resident() - before < 0.1 * TAKEN
    assert left(2 * TAKEN) < 0.1 * TAKEN  # more than any hole in the heap


def test_memory_is_kept_meanwhile_and_given_back_afterwards() -> None:
    """In a process of its own: one that has trained before has holes in its heap that such pieces fit in."""
    process = get_context("spawn").Process(target=check)
    process.start()
    process.join()
    assert process.exitcode == 0
