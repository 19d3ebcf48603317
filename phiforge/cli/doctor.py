"""`phiforge doctor`: what this machine has, and which models will run on it, how large and about how fast."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

from phiforge import __version__
from phiforge.store.home import StoreError, free_bytes, home_dir, size_text

LIBRARIES = ("torch", "numpy", "safetensors", "tokenizers", "gguf", "msgspec", "pyarrow", "sympy")
LIBRARIES += ("huggingface_hub", "httpx", "rich")

# Bits in memory for each weight: the quantised forms keep a 16-bit scale for every 32 weights.
EFFECTIVE_BITS = {4: 4.5, 8: 8.5, 16: 16.0, 32: 32.0}
RUNTIME_BYTES = 2**29  # Python with torch loaded and the activations of one token
SHORT_CONTEXT = 4096
SMOLLM2_PARAMETERS, SMOLLM2_KV_BYTES, SMOLLM2_CONTEXT = 134_515_008, 2 * 30 * 3 * 64 * 2, 8192  # its GGUF header


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words this verb takes."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Examine the machine. Returns 1 when something here keeps Phiforge from running."""
    report = examine()
    if args.json:
        import msgspec

        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    else:
        _print(report)
    return 0 if all(check["ok"] for check in report["checks"] if check["needed"]) else 1


def examine() -> dict[str, Any]:
    """Everything `doctor` has to tell, as plain data: sizes in bytes, rates a second."""
    import msgspec

    from phiforge.store.machine import machine

    facts = machine()
    torch_facts, devices = _torch_devices(facts.memory_available)
    for device in devices:
        read_rate = device["measured"]["memory_bytes"]
        device["models"] = [
            {"name": name, **fit(parameters, kv_bytes, context, device["memory_available"], read_rate)}
            for name, parameters, kv_bytes, context in _known_models()
        ]
        device["largest"] = {bits: largest(bits, device["memory_available"]) for bits in (4, 8, 16)}
    home = home_dir()
    return {
        "phiforge": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "libraries": {name: _version(name) for name in LIBRARIES},
        "machine": msgspec.to_builtins(facts),
        "torch": torch_facts,
        "devices": devices,
        "home": {"path": str(home), "disk_free": free_bytes(home)},
        "checks": _checks(torch_facts),
    }


# --- what fits ----------------------------------------------------------------------------------------------------


def _known_models() -> list[tuple[str, int, int, int]]:
    """Name, parameters, KV-cache bytes a token (16-bit) and context of the default model's base and the family's presets."""
    from phiforge.model.config import PRESETS
    from phiforge.store.catalogue import BASE_MODEL

    default = (BASE_MODEL, SMOLLM2_PARAMETERS, SMOLLM2_KV_BYTES, SMOLLM2_CONTEXT)
    family = [(n, c.parameter_count, int(c.kv_bytes_per_token(2)), c.context) for n, c in PRESETS.items()]
    return [default, *family]


def fit(
    parameters: int, kv_bytes_per_token: int, context: int, available: int, bytes_per_second: float | None
) -> dict[str, Any]:
    """What a model needs at each width and whether `available` bytes hold it, with the KV cache of 4K and full context.

    `tokens_per_second` is an estimate of decoding one stream: each token reads all weights once, so it is the
    memory's speed over the weights' size. Attention and overhead make it less, a cache that holds the model more.
    """
    kv_short, kv_full = kv_bytes_per_token * min(SHORT_CONTEXT, context), kv_bytes_per_token * context
    widths: dict[int, dict[str, Any]] = {}
    for bits, effective in EFFECTIVE_BITS.items():
        weights = int(parameters * effective / 8)
        widths[bits] = {
            "weights": weights,
            "fits": weights + kv_short + RUNTIME_BYTES <= available,
            "fits_full_context": weights + kv_full + RUNTIME_BYTES <= available,
            "tokens_per_second": round(bytes_per_second / weights, 2) if bytes_per_second else None,
        }
    return {"parameters": parameters, "context": context, "kv_4k": kv_short, "kv_full": kv_full, "bits": widths}


def largest(bits: int, available: int) -> int:
    """The most parameters that fit at this width, a tenth of the memory being left for the KV cache."""
    return max(0, int((available * 0.9 - RUNTIME_BYTES) * 8 / EFFECTIVE_BITS[bits]))


# --- measuring ----------------------------------------------------------------------------------------------------


def _torch_devices(cpu_available: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What torch says of itself, and the devices it can use with their memory and measured speed."""
    cpu: dict[str, Any] = {"name": "cpu", "memory_available": cpu_available}
    try:
        import torch
    except Exception as error:  # a broken installation is what this verb is there to find
        cpu["measured"] = {"memory_bytes": None, "matmul_flops": {}}
        return {"version": None, "error": f"{type(error).__name__}: {error}"}, [cpu]
    cpu["measured"] = measure("cpu", cpu_available)
    devices = [cpu]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(index)
        device = {"name": f"cuda:{index}", "model": torch.cuda.get_device_name(index)}
        device |= {"memory_total": total, "memory_available": free}
        devices.append(device | {"measured": measure(f"cuda:{index}", free)})
    return {"version": str(torch.__version__), "threads": torch.get_num_threads(), "cuda": torch.version.cuda}, devices


def measure(device: str, available: int) -> dict[str, Any]:
    """Memory bandwidth (bytes a second) and matrix-multiply rates (operations a second) of a torch device, in about 2 s.

    Bandwidth is that of a matrix-vector product over a matrix too large for the caches, as decoding reads weights.
    A rate is None where torch has no such multiply. CPU int8 and bf16 are what plain torch gives, not our kernels.
    """
    import torch

    def best_time(work: Callable[..., Any], *operands: Any, budget_s: float) -> float:
        work(*operands)  # the first call sets things up
        best, end = float("inf"), time.perf_counter() + budget_s
        while True:
            start = time.perf_counter()
            work(*operands)
            if device != "cpu":
                torch.cuda.synchronize(device)
            best = min(best, time.perf_counter() - start)
            if time.perf_counter() >= end:
                return best

    n = 8192 if available > 2**31 else 2048  # 256 MB, or 16 MB where memory is short
    seconds = best_time(torch.mv, torch.ones(n, n, device=device), torch.ones(n, device=device), budget_s=0.5)
    bandwidth = 4 * n * n / seconds

    rates: dict[str, float | None] = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("int8", torch.int8)):
        multiply = torch._int_mm if dtype == torch.int8 else torch.mm
        rate, n = 0.0, 128
        try:
            while n <= (1024 if device == "cpu" else 4096):
                a, b = torch.ones(n, n, device=device).to(dtype), torch.ones(n, n, device=device).to(dtype)
                seconds = best_time(multiply, a, b, budget_s=0.05)
                rate = max(rate, 2 * n**3 / seconds)
                if seconds > 0.03:  # slow here: twice the size would take eight times as long
                    break
                n *= 2
        except RuntimeError:
            pass
        rates[name] = rate or None
    return {"memory_bytes": bandwidth, "matmul_flops": rates}


# --- checks -------------------------------------------------------------------------------------------------------


def _checks(torch_facts: dict[str, Any]) -> list[dict[str, Any]]:
    """What is in order and what is not: `needed` ones keep Phiforge from running, each with its way out."""
    from phiforge.store.catalogue import DEFAULT_MODEL
    from phiforge.store.models import find

    def check(what: str, ok: bool, detail: str, needed: bool = True) -> None:
        checks.append({"what": what, "ok": ok, "needed": needed, "detail": detail})

    checks: list[dict[str, Any]] = []
    version = torch_facts["version"]
    working = f"{version}, {torch_facts.get('threads')} threads"
    check(
        "torch",
        version is not None,
        working if version else f"{torch_facts['error']}. `pip install --force-reinstall torch`",
    )
    home = home_dir()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            check("home", True, f"{home} can be written")
    except OSError as error:
        check("home", False, f"{home} cannot be written ({error.strerror}): set PHIFORGE_HOME to a folder that can")
    try:
        check("default model", True, find(DEFAULT_MODEL).path, needed=False)
    except StoreError:
        check("default model", False, f"not here yet: `phiforge pull {DEFAULT_MODEL}` (98 MB)", needed=False)
    if version is not None:
        from phiforge.kernels.native import describe

        kernels = describe()
        shared = "torch's threads" if kernels["shared_threads"] else "one thread"
        built = f"{kernels['variant']}, built by {kernels['compiler']}, on {shared}"
        found = kernels["library"] is not None
        check("kernels", found, built if found else f"none, torch does their work: {kernels['why']}", needed=False)
    return checks


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


# --- for people ---------------------------------------------------------------------------------------------------


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    m = report["machine"]
    cores = f"{m['physical_cores'] or m['logical_cores']} cores, {m['allowed_cores']} usable threads"
    if m["cpu_quota"]:
        cores += f", a quota of {m['cpu_quota']:g} cores"
    limit = f" (limited to {size_text(m['memory_limit'])})" if m["memory_limit"] else ""
    rows = {
        "system": m["system"],
        "processor": f"{m['cpu']}, {cores}",
        "instructions": ", ".join(m["instruction_sets"]) or "none of those we know",
        "memory": f"{size_text(m['memory_available'])} free of {size_text(m['memory_total'])}{limit}",
        "disk": f"{size_text(report['home']['disk_free'])} free at {report['home']['path']}",
        "python": report["python"],
        "phiforge": f"{report['phiforge']}, with "
        + ", ".join(f"{name} {version or 'missing'}" for name, version in report["libraries"].items()),
    }
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    for label, text in rows.items():
        facts.add_row(label, text)
    for check in report["checks"]:
        mark = "ok" if check["ok"] else "FAILED" if check["needed"] else "note"
        facts.add_row(check["what"], check["detail"] if mark == "ok" else f"{mark}: {check['detail']}")
    console.print(facts)
    for device in report["devices"]:
        _print_device(console, device)


def _print_device(console: Any, device: dict[str, Any]) -> None:
    from rich.table import Table

    measured = device["measured"]
    flops = measured["matmul_flops"].items()
    rates = ", ".join(f"{name} {rate / 1e9:,.0f}" if rate else f"{name} none" for name, rate in flops)
    speed = measured["memory_bytes"]
    console.print(f"\n{device['name']} {device.get('model', '')}".rstrip(), style="bold")
    if speed:
        console.print(f"reads memory at {speed / 1e9:,.1f} GB/s; multiplies matrices at (GFLOP/s) {rates}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("weights and tokens/s*", no_wrap=True)
    for column in (*(f"{bits} bits" for bits in EFFECTIVE_BITS), "KV 4K", "KV full"):
        table.add_column(column, justify="right")
    for model in device["models"]:
        cells = [model["name"], *map(_cell, model["bits"].values())]
        full = "" if any(w["fits_full_context"] for w in model["bits"].values()) else " no"
        table.add_row(*cells, size_text(model["kv_4k"]), size_text(model["kv_full"]) + full)
    console.print(table)
    sizes = ", ".join(f"{n / 1e9:.1f} billion at {bits} bits" for bits, n in device["largest"].items())
    console.print(f"largest model that fits, in parameters: {sizes}")
    console.print(
        '* an estimate: measured memory speed over the size of the weights; "no" does not fit with a 4K context'
    )


def _cell(width: dict[str, Any]) -> str:
    rate = width["tokens_per_second"]
    if not width["fits"]:
        verdict = "no"
    elif rate is None:
        verdict = "fits"
    else:
        verdict = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    return f"{size_text(width['weights'])} {verdict}"
