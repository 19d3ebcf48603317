"""What this machine can do at most: bytes read from memory, fp32 and int8 operations, a second, on all its cores.

By loops in C++ (`limits.cpp`) where there is a compiler; by torch's largest products where there is none, which is less
than the peak. The best of several tries, as noise only takes away.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from peers import THREADS

from phiforge.store.home import home_dir

READ_BYTES = 512 * 2**20  # a core; far beyond every cache
TRIES = 5


@dataclass(frozen=True)
class Limits:
    """`read` in GB/s, `fp32` and `int8` in GFLOP/s and GOP/s; `source` says what measured them."""

    read: float
    fp32: float
    int8: float
    source: str

    def __str__(self) -> str:
        return f"read {self.read:.1f} GB/s, fp32 {self.fp32:.0f} GFLOP/s, int8 {self.int8:.0f} GOP/s ({self.source})"


def measure(threads: int = THREADS) -> Limits:
    loops = _loops()
    return _by_torch() if loops is None else _by_loops(loops, threads)


def _by_loops(loops: ctypes.CDLL, threads: int) -> Limits:
    memory = torch.ones(threads, READ_BYTES, dtype=torch.uint8)

    def read(core: int) -> float:
        loops.read_bytes(ctypes.c_void_p(memory[core].data_ptr()), ctypes.c_int64(READ_BYTES))
        return READ_BYTES

    def arithmetic(function: ctypes._CFuncPtr) -> Callable[[int], float]:
        return lambda core: function(ctypes.c_int64(20_000_000))

    with ThreadPoolExecutor(threads) as pool:  # ctypes lets go of the interpreter while a loop runs

        def rate(work: Callable[[int], float]) -> float:
            best = 0.0
            for _ in range(TRIES):
                start = time.perf_counter()
                done = sum(pool.map(work, range(threads)))
                best = max(best, done / (time.perf_counter() - start) / 1e9)
            return best

        fp32 = rate(arithmetic(loops.float_operations))
        int8 = rate(arithmetic(loops.int8_operations))
        return Limits(rate(read), fp32, max(fp32, int8), f"loops, {threads} threads")


def _by_torch() -> Limits:
    weight, rows = torch.randn(4096, 4096), torch.randn(1024, 4096)
    integers, few = weight.clamp(-3, 3).to(torch.int8), rows.clamp(-3, 3).to(torch.int8)
    memory = torch.ones(READ_BYTES // 4)

    def rate(work: Callable[[], object], amount: float) -> float:
        least = float("inf")
        for _ in range(TRIES):
            start = time.perf_counter()
            work()
            least = min(least, time.perf_counter() - start)
        return amount / least / 1e9

    operations = 2.0 * rows.shape[0] * weight.numel()
    fp32 = rate(lambda: rows @ weight, operations)
    int8 = rate(lambda: torch._int_mm(few, integers), operations)
    return Limits(rate(memory.sum, READ_BYTES), fp32, max(fp32, int8), "torch's products, no compiler here")


def _loops() -> ctypes.CDLL | None:
    """limits.cpp compiled for this machine, kept in Phiforge's home; None where no compiler does it."""
    source = Path(__file__).with_name("limits.cpp")
    library = home_dir() / "bench" / f"limits-{int(source.stat().st_mtime)}.so"
    if not library.exists():
        compiler = next((c for c in (os.environ.get("CXX"), "c++", "g++", "clang++") if c and shutil.which(c)), None)
        if compiler is None:
            return None
        library.parent.mkdir(parents=True, exist_ok=True)
        command = [compiler, "-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", str(source), "-o", str(library)]
        if subprocess.run(command, capture_output=True).returncode:
            return None
    loops = ctypes.CDLL(str(library))
    for name in ("read_bytes", "float_operations", "int8_operations"):
        getattr(loops, name).restype = ctypes.c_int64
    return loops


if __name__ == "__main__":
    print(measure())
