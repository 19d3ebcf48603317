"""How fast the quantised products are, beside torch's own, and beside what this machine can do at most.

    python bench/kernels.py             SmolLM2-135M's and phi-4-mini's shapes, 1 to 512 rows
    python bench/kernels.py --quick     fewer of both, well under a minute on two cores
    python bench/kernels.py --json      a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok
    python bench/kernels.py --threads 1 on one thread: the processor's time counts, so other work disturbs less

A product of m rows with a weight [n, k] is 2 m n k operations; one row reads the weight once, so it is judged by GB/s
too. The peers are torch's fp32 `linear`, and for int8 `torch._int_mm` on activations that are rounded already (ours
include the rounding). The least of many interleaved timings counts. The limits are measured by the same library: bytes
read from a buffer larger than the caches, and fp32 multiply-adds in registers; integer products may pass the latter.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from phiforge.kernels import native
from phiforge.kernels.formats import KINDS, Kind, Packed, dtypes, packed_shapes
from phiforge.kernels.linear import product

SMOLLM2 = [(576, 960), (576, 576), (576, 3072), (1536, 576), (576, 49152)]  # inputs, outputs
PHI4_MINI = [(3072, 5120), (3072, 3072), (3072, 16384), (8192, 3072), (3072, 200064)]
QUICK = [(576, 3072), (3072, 5120)]
ROWS = (1, 16, 64, 512)

BAR = {("int4", 1): 1.0, ("int8", 1): 1.0, ("bf16", 1): 1.0, ("int4", 64): 1.4}  # least ratios to fp32, kind and rows
LANES = {"avx512vnni": 16, "avx2": 8}  # floats in a vector; elsewhere 4
ENOUGH = 60e9  # operations above which a product is left out: minutes, and no other rates


def random(n: int, k: int, kind: Kind) -> Packed:
    """A weight with random content, without the search that quantising takes."""
    (shape, scales_shape), (dtype, scales_dtype) = packed_shapes(n, k, kind), dtypes(kind)
    if kind == "bf16":
        return Packed(kind, n, k, 0, torch.randn(shape).to(dtype), None)
    assert scales_shape is not None
    data = torch.randint(0, 127, shape, dtype=torch.uint8).view(dtype)
    return Packed(kind, n, k, 32 if kind == "int4" else 0, data, torch.rand(scales_shape).to(scales_dtype))


def least(works: list[Callable[[], object]], budget: float, clock: Callable[[], float]) -> list[float]:
    """The least seconds of each, timed in turn until `budget` seconds each are spent."""
    best = [float("inf")] * len(works)
    end = time.perf_counter() + budget * len(works)
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        for i, work in enumerate(works):
            start = clock()
            work()
            best[i] = min(best[i], clock() - start)
        rounds += 1
    return best


def limits(threads: int, clock: Callable[[], float]) -> tuple[float, float]:
    """GB/s read from memory and GFLOP/s of fp32 multiply-adds, on `threads` threads."""
    read = native.kernel("read_memory", native.pointer, native.integer, native.pointer, native.integer)
    multiply = native.kernel("multiply_add", native.integer, native.pointer, native.integer)
    assert read is not None
    assert multiply is not None
    memory, out, rounds = torch.ones(1 << 28, dtype=torch.uint8), torch.zeros(1 << 12), 500_000
    seconds = least(
        [
            lambda: read(memory.data_ptr(), memory.nbytes, out.data_ptr(), threads),
            lambda: multiply(rounds, out.data_ptr(), threads),
        ],
        0.5,
        clock,
    )
    lanes = LANES.get(native.variant() or "", 4)
    return memory.nbytes / seconds[0] / 1e9, 2 * 12 * lanes * rounds * threads / seconds[1] / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if native.library() is None:
        print(f"no library: {native.describe()['why']}", file=sys.stderr)
        return 1
    torch.set_num_threads(args.threads)
    clock = time.thread_time if args.threads == 1 else time.perf_counter
    bandwidth, peak = limits(args.threads, clock)
    print(f"{native.describe()}", file=sys.stderr)
    print(f"limits: {bandwidth:.1f} GB/s read, {peak:.1f} GFLOP/s of fp32 multiply-adds", file=sys.stderr)

    failed = False
    for k, n in QUICK if args.quick else [*SMOLLM2, *PHI4_MINI]:
        weight = torch.randn(n, k)
        rounded = torch.randint(-127, 128, (n, k), dtype=torch.int8)
        packed = {kind: random(n, k, kind) for kind in KINDS}
        for m in (1, 64) if args.quick else ROWS:
            if 2 * m * n * k > ENOUGH:
                continue
            x, xq = torch.randn(m, k), torch.randint(-127, 128, (m, k), dtype=torch.int8)
            works: list[Callable[[], object]] = [lambda p=p, x=x: product(x, p) for p in packed.values()]
            works += [lambda x=x, w=weight: F.linear(x, w), lambda xq=xq, w=rounded: torch._int_mm(xq, w.t())]
            *ours, fp32, int_mm = least(works, 0.1 if args.quick else 0.3, clock)
            for kind, seconds in zip(KINDS, ours, strict=True):
                peers = {"torch fp32": fp32, **({"torch._int_mm": int_mm} if kind == "int8" else {})}
                for peer, theirs in peers.items():
                    bar = BAR.get((kind, m)) if peer == "torch fp32" else None
                    ratio = theirs / seconds
                    ok = bar is None or ratio >= bar
                    failed |= not ok
                    rate, bytes_rate = 2 * m * n * k / seconds / 1e9, packed[kind].nbytes / seconds / 1e9
                    row = {
                        "what": f"{kind} {k} x {n}, {m} rows", "unit": "GOP/s", "ours": round(rate, 1), "peer": peer,
                        "peer_value": round(2 * m * n * k / theirs / 1e9, 1), "ratio": round(ratio, 2), "bar": bar,
                        "ok": ok, "gigabytes_per_s": round(bytes_rate, 1), "of_bandwidth": round(bytes_rate / bandwidth, 2),
                        "of_fp32_peak": round(rate / peak, 2),
                    }  # fmt: skip
                    if args.json:
                        print(json.dumps(row), flush=True)
                        continue
                    verdict = "" if bar is None else f"  (bar {bar}: {'met' if ok else 'MISSED'})"
                    print(
                        f"{row['what']:30} {rate:7.1f} GOP/s ({row['of_fp32_peak']:4.0%} of fp32's peak)"
                        f" {bytes_rate:6.1f} GB/s ({row['of_bandwidth']:4.0%})  against {peer:14}"
                        f" {row['peer_value']:7.1f}  = {ratio:5.2f} x{verdict}",
                        flush=True,
                    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
