"""How much memory a large member takes at int4: random weights of its exact shapes, 2,048 tokens of keys and values.

    python bench/memory.py              phi-4-mini-instruct and phi-4 (14B); writes up to 9 GB to Phiforge's home, and keeps it
    python bench/memory.py --quick      phi-4-mini-instruct with 4 layers; proves the program, not the bar
    python bench/memory.py --json       a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok

The peak is the process's own (VmHWM), with every page of weights read and every key and value written once: the
memory-mapped file counts, though the system could take it back. Groups of 64 weights share a scale, the output layer
keeps 8 bits, keys and values 8 bits on the mini and 16 on the 14B. Tokens a second are printed besides.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from generate import row, show
from msgspec.structs import replace
from worker import peak_bytes

from phiforge.engine.engine import Engine
from phiforge.engine.request import Request, Sampling
from phiforge.kernels.formats import Packed, dtypes, packed_shapes
from phiforge.kernels.pool import Pool
from phiforge.model.config import PRESETS, ModelConfig
from phiforge.model.phi3 import Linear, Phi3, RMSNorm
from phiforge.model.quantized import QuantizedEmbedding, QuantizedLinear, arguments, put, scheme
from phiforge.model.quantized_files import load, save_quantized
from phiforge.store.home import ensure_space, home_dir

CONTEXT = 2048
BARS = {"phi-4-mini-instruct": 2.9, "phi-4": 9.5}  # GB
KV = {"phi-4-mini-instruct": torch.int8, "phi-4": torch.bfloat16}


def random_folder(name: str, config: ModelConfig, folder: Path) -> Path:
    """A checkpoint of random packed weights, without the search that quantising takes."""
    if (folder / "config.json").exists():
        return folder
    ensure_space(folder, config.parameter_count * 5 // 8, f"{name} at int4")
    wanted = scheme("int4", group=64)
    with torch.device("meta"):
        model = Phi3(config)
    for module, layer in list(model.named_modules()):
        if isinstance(layer, Linear):
            n, k = layer.weight.shape
            kind, group = arguments(wanted.of(module))
            (shape, scales_shape), (dtype, scales_dtype) = packed_shapes(n, k, kind, group), dtypes(kind)
            assert scales_shape is not None
            data = torch.randint(0, 127, shape, dtype=torch.uint8).view(dtype)
            scales = (torch.rand(scales_shape) * 0.001).to(scales_dtype)
            packed = Packed(kind, n, k, group if kind == "int4" else 0, data, scales)
            put(model, module, QuantizedLinear(packed))
        elif isinstance(layer, RMSNorm):
            layer.weight = torch.nn.Parameter(torch.ones(layer.weight.shape))
    rows = torch.randint(-127, 127, (config.vocab_size, config.d_model), dtype=torch.int8)
    put(model, "embed_tokens", QuantizedEmbedding(rows, torch.full((config.vocab_size,), 1e-3)))
    save_quantized(model, folder)
    return folder


def measure(folder: str, kv: str) -> None:
    """In a process of its own: load, fill the cache, generate; print the peak's bytes and tokens a second."""
    model, dtype = load(folder), getattr(torch, kv)
    config = model.config
    blocks = Pool.bytes_per_block(config.n_layers, config.n_kv_heads, config.head_dim, dtype) * (CONTEXT // 16)
    engine = Engine(model, kv_dtype=dtype, memory=blocks)
    for part in (engine._pool.keys, engine._pool.values):
        for layer in part:
            layer.zero_()
    engine.submit(Request(prompt=list(range(100, 164)), sampling=Sampling(temperature=0, max_tokens=9)))
    arrivals = []
    while engine.busy:
        engine.step()
        arrivals.append(time.perf_counter())
    print(json.dumps([peak_bytes(), 8 / (arrivals[-1] - arrivals[0])]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(BARS), default=list(BARS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        measure(*args.child)
        return 0
    failed = 0
    for name in ["phi-4-mini-instruct"] if args.quick else args.models:
        config = replace(PRESETS[name], n_layers=4) if args.quick else PRESETS[name]
        folder = random_folder(name, config, home_dir() / "bench" / f"{name}-{config.n_layers}-random" / "int4-64")
        kv = str(KV[name]).removeprefix("torch.")
        done = subprocess.run(
            [sys.executable, __file__, "--child", str(folder), kv], capture_output=True, text=True, check=True
        )
        peak, rate = json.loads(done.stdout)
        print(f"  {name}, {config.n_layers} layers: {rate:.1f} tokens/s", file=sys.stderr)
        bar = None if args.quick else 1.0
        line = row(f"peak memory, {name}, int4", "GB", peak / 1e9, "limit", BARS[name], bar)
        failed |= not line["ok"]
        print(json.dumps(line)) if args.json else show(line)
    return failed


if __name__ == "__main__":
    sys.exit(main())
