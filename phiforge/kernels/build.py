"""Compile the kernels: `python -m phiforge.kernels.build`, and every installation that finds a compiler.

Each source in `src` is compiled once for each instruction set of this kind of processor, and everything is linked into
one shared library, `_native.so` (`.dylib` on macOS), beside this file. Which instruction set is used is decided when
the library is loaded (`native.py`), so one build serves all processors of a kind. The sources need a C++17 compiler and
nothing else: $CXX if set, otherwise the first of c++, g++ and clang++. Only the standard library is imported here: the
build hook runs this file before Phiforge's dependencies exist.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCES = Path(__file__).parent / "src"
LIBRARY = Path(__file__).parent / ("_native.dylib" if sys.platform == "darwin" else "_native.so")

COMMON = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-fno-math-errno"]
# Without contraction and with threads started by hand, a stray `#pragma omp` or a*b+c means something else than it says.
COMMON += ["-ffp-contract=off", "-fno-trapping-math", "-Wno-psabi", "-Werror=unknown-pragmas"]

# Instruction sets by kind of processor, the best first.
VARIANTS: dict[str, dict[str, list[str]]] = {
    "x86_64": {
        "avx512vnni": [
            "-mavx512f",
            "-mavx512bw",
            "-mavx512dq",
            "-mavx512vl",
            "-mavx512vnni",
            "-mavx2",
            "-mfma",
            "-mf16c",
        ],
        "avx2": ["-mavx2", "-mfma", "-mf16c"],
        "generic": [],
    },
    "aarch64": {"neon": ["-march=armv8.2-a+dotprod+fp16"], "generic": []},
}


class BuildFailed(Exception):
    """There is no library; the message says why and what would help."""


def variants(processor: str | None = None) -> dict[str, list[str]]:
    """Instruction sets, the best first, and the compiler's options for them, for this or the named kind of processor."""
    name = (processor or platform.machine()).lower()
    return VARIANTS.get({"amd64": "x86_64", "arm64": "aarch64"}.get(name, name), {"generic": []})


def source_hash() -> str:
    """What the library is built from: the sources and the options. A library with another hash is stale."""
    digest = hashlib.sha256(repr((COMMON, VARIANTS)).encode())
    for file in sorted(SOURCES.iterdir()):
        if file.suffix in (".h", ".cpp"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def compiler() -> list[str]:
    """The C++ compiler's command. Raises `BuildFailed` if there is none."""
    if named := os.environ.get("CXX"):
        command = shlex.split(named)
        if not shutil.which(command[0]):
            raise BuildFailed(f"$CXX names {command[0]!r}, which is not a program here")
        return command
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    raise BuildFailed("no C++ compiler: install one (Debian: g++, macOS: xcode-select --install), or name it in $CXX")


def build(target: Path = LIBRARY) -> Path:
    """Compile and link; the library's path. Whole or not at all: an older library stays until the new one is done.

    Raises `BuildFailed` with the compiler's own words where it fails.
    """
    command, sets = compiler(), variants()
    identity = [f'-DPHIFORGE_SOURCE="{source_hash()}"', f'-DPHIFORGE_VARIANTS="{" ".join(sets)}"']
    with tempfile.TemporaryDirectory(prefix="phiforge-build-") as folder:
        jobs: dict[str, list[str]] = {}
        for file in sorted(SOURCES.glob("*.cpp")):
            if file.stem == "dispatch":
                jobs[f"{folder}/dispatch.o"] = [str(file), *identity]
                continue
            for name, options in sets.items():
                jobs[f"{folder}/{file.stem}-{name}.o"] = [str(file), f"-DPHIFORGE_VARIANT={name}", *options]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda job: _run([*command, *COMMON, "-c", *job[1], "-o", job[0]]), jobs.items()))
        # Beside the target, so that the move below is one step; another process may be building too.
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            _run([*command, "-shared", *jobs, "-o", str(partial)])
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise BuildFailed(f"`{shlex.join(command)}` failed:\n{done.stderr.strip()[-4000:]}")
    if done.stderr:
        print(done.stderr.strip(), file=sys.stderr)


def main() -> int:
    if "--if-stale" in sys.argv[1:] and LIBRARY.exists() and source_hash().encode() in LIBRARY.read_bytes():
        return 0
    try:
        print(f"built {build()}: {', '.join(variants())}")
    except BuildFailed as failed:
        print(f"The kernels were not built; Phiforge works without them, more slowly.\n{failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
