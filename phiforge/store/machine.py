"""What this machine is, as its operating system tells it: processor, instruction sets, cores, memory. Linux and macOS.

A container may be allowed less than the machine has, so cores and memory are also read from the control groups (v1
and v2) that this process lives in.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

# The instruction sets that decide how fast a model runs: our name, then the flag that Linux gives it.
_X86 = {
    "AVX": "avx",
    "AVX2": "avx2",
    "FMA": "fma",
    "F16C": "f16c",
    "AVX-512F": "avx512f",
    "AVX-512 VNNI": "avx512_vnni",
    "AVX-VNNI": "avx_vnni",
    "AVX-512 BF16": "avx512_bf16",
    "AVX-512 FP16": "avx512_fp16",
    "AMX BF16": "amx_bf16",
    "AMX INT8": "amx_int8",
}
_ARM = {"NEON": "asimd", "dotprod": "asimddp", "FP16": "asimdhp", "BF16": "bf16", "I8MM": "i8mm", "SVE": "sve"}
_APPLE = {
    "NEON": "hw.optional.neon",
    "dotprod": "hw.optional.arm.FEAT_DotProd",
    "FP16": "hw.optional.arm.FEAT_FP16",
    "BF16": "hw.optional.arm.FEAT_BF16",
    "I8MM": "hw.optional.arm.FEAT_I8MM",
    "AVX2": "hw.optional.avx2_0",
    "AVX-512F": "hw.optional.avx512f",
}


class Machine(Struct, frozen=True, kw_only=True):
    """Processor and memory. Sizes in bytes; None where the system does not say or sets no limit."""

    system: str
    cpu: str
    instruction_sets: list[str]
    physical_cores: int | None
    logical_cores: int
    allowed_cores: int  # that this process may run on
    cpu_quota: float | None  # cores' worth of time that a container may use
    memory_total: int
    memory_available: int  # without swapping, and within the limit
    memory_limit: int | None  # of a container


def machine(root: Path = Path("/")) -> Machine:
    """Read the facts. `root` is where /proc and /sys are looked for."""
    return _macos() if sys.platform == "darwin" else _linux(root)


# --- Linux --------------------------------------------------------------------------------------------------------


def _linux(root: Path) -> Machine:
    cpuinfo = _text(root / "proc/cpuinfo")
    flags = set(_field(cpuinfo, "flags").split()) | set(_field(cpuinfo, "Features").split())
    sets = [name for name, flag in (_ARM if "asimd" in flags else _X86).items() if flag in flags]
    logical = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)) or os.cpu_count() or 1
    cores = set(re.findall(r"^physical id\s*:\s*(\d+).*?^core id\s*:\s*(\d+)", cpuinfo, re.MULTILINE | re.DOTALL))
    meminfo = _text(root / "proc/meminfo")
    total, free = (int(_field(meminfo, key).removesuffix("kB") or 0) * 1024 for key in ("MemTotal", "MemAvailable"))
    quota = cpu_quota(root)
    limit, left = memory_limit(root)
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_field(cpuinfo, "model name") or _arm_name(cpuinfo) or platform.machine(),
        instruction_sets=sets,
        physical_cores=len(cores) or None,
        logical_cores=logical,
        allowed_cores=len(os.sched_getaffinity(0)),
        cpu_quota=quota,
        memory_total=total,
        memory_available=free if left is None else min(free, left),
        memory_limit=limit if limit is not None and limit < total else None,
    )


def _field(text: str, key: str) -> str:
    found = re.search(rf"^{key}\s*:[ \t]*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _arm_name(cpuinfo: str) -> str:
    implementer, part = _field(cpuinfo, "CPU implementer"), _field(cpuinfo, "CPU part")
    return f"ARM implementer {implementer}, part {part}" if implementer else ""


def _groups(root: Path, controller: str) -> list[Path]:
    """The control group folders that bind this process for one controller, innermost first, whichever version."""
    mount = root / "sys/fs/cgroup"
    folders: list[Path] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = mount / controller if controllers else mount
        inner = base / path.lstrip("/")
        folders += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(base)]
    return folders


def cpu_quota(root: Path = Path("/")) -> float | None:
    """How many cores' worth of time the control groups allow, or None without a limit."""
    quotas: list[float] = []
    for folder in _groups(root, "cpu"):
        v2 = _text(folder / "cpu.max").split()  # "200000 100000", or "max 100000"
        v1 = [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        for words in (v2, v1):
            if len(words) == 2 and words[0].isdigit() and words[1].isdigit():  # v1 says -1 for no limit
                quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory_limit(root: Path = Path("/")) -> tuple[int | None, int | None]:
    """The tightest memory limit of the control groups and what is left of it, in bytes; None, None without one."""
    limits: list[tuple[int, int]] = []
    for folder in _groups(root, "memory"):
        for limit_file, used_file in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, used = _text(folder / limit_file).strip(), _text(folder / used_file).strip()
            if limit.isdigit() and int(limit) < 2**60:  # v1 says nearly 2^63 for no limit
                # Cached file pages count as used but are given back on demand.
                cached = re.search(r"^(?:total_)?inactive_file (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
                held = int(used or 0) - (int(cached[1]) if cached else 0)
                limits.append((int(limit), max(0, int(limit) - max(0, held))))
    if not limits:
        return None, None
    return min(limit for limit, _ in limits), min(left for _, left in limits)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


# --- macOS --------------------------------------------------------------------------------------------------------


def _macos() -> Machine:
    known = dict(line.split(": ", 1) for line in _output("sysctl", "-a").splitlines() if ": " in line)
    pages = dict(
        re.findall(r"^Pages (free|inactive|speculative|purgeable):\s+(\d+)", _output("vm_stat"), re.MULTILINE)
    )
    available = sum(map(int, pages.values())) * int(known.get("hw.pagesize", "16384"))
    logical = os.cpu_count() or 1
    return Machine(
        system=f"macOS {platform.mac_ver()[0]} {platform.machine()}",
        cpu=known.get("machdep.cpu.brand_string", platform.machine()),
        instruction_sets=[name for name, key in _APPLE.items() if known.get(key) == "1"],
        physical_cores=int(known["hw.physicalcpu"]) if "hw.physicalcpu" in known else None,
        logical_cores=logical,
        allowed_cores=logical,
        cpu_quota=None,
        memory_total=int(known.get("hw.memsize", "0")),
        memory_available=available,
        memory_limit=None,
    )


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
