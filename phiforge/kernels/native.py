"""The compiled library: found, checked, and called through ctypes.

`kernel(name, ...)` is a C function of the variant (the instruction set) in use, or None where there is no library, and
the caller then does the work in torch. PHIFORGE_KERNELS=off does without the library; avx512vnni, avx2, neon or generic
picks a variant, which the processor must be able to run.

Kernels run on the threads that torch has: `build.py` links no OpenMP runtime, and the library gets the entry point of
the one inside torch.
"""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from phiforge.kernels import build

SETTING = "PHIFORGE_KERNELS"

pointer = ctypes.c_void_p
integer = ctypes.c_int64
real = ctypes.c_float
real64 = ctypes.c_double


class _Unusable(Exception):
    """Why the library is not used."""


@cache
def library() -> ctypes.CDLL | None:
    """The library, checked; None where kernels are off, were never built, or are stale (with a warning that says so)."""
    return _open()[0]


@cache
def variant() -> str | None:
    """The variant in use, or None without a library."""
    return _open()[1]


@cache
def kernel(name: str, *arguments: Any) -> Callable[..., None] | None:
    """The C function `name` of the variant in use, taking ctypes `arguments`; None without a library."""
    found = library()
    if found is None:
        return None
    function = getattr(found, f"phiforge_{name}_{variant()}")
    function.argtypes = arguments
    function.restype = None
    return function


def describe() -> dict[str, str | int | bool | None]:
    """For `phiforge doctor`: library, variant, compiler, threads, whether threads are shared with torch, and why there
    is no library where there is none."""
    found, name, why = _open()
    return {
        "library": str(build.LIBRARY) if found else None,
        "variant": name,
        "compiler": _text(found.phiforge_compiler) if found else None,
        "threads": torch.get_num_threads() if found and _team() else 1 if found else None,
        "shared_threads": bool(found and _team()),
        "why": why,
    }


@cache
def _open() -> tuple[ctypes.CDLL | None, str | None, str | None]:
    setting = os.environ.get(SETTING, "")
    if setting == "off":
        return None, None, f"{SETTING}=off"
    if not build.LIBRARY.exists():
        if setting:
            raise RuntimeError(f"{SETTING}={setting}, but there is no library: `python -m phiforge.kernels.build`")
        return None, None, "never built: `python -m phiforge.kernels.build` needs a C++ compiler"
    try:
        found = _load(build.LIBRARY)
    except _Unusable as unusable:
        if setting:
            raise RuntimeError(f"{SETTING}={setting}, but {unusable}") from None
        warnings.warn(f"kernels run in torch, slowly: {unusable}", stacklevel=3)
        return None, None, str(unusable)
    runnable = [name for name in _text(found.phiforge_variants).split() if found.phiforge_runs(name.encode())]
    if setting and setting not in runnable:
        raise ValueError(f"{SETTING}={setting}: this processor and this library have {', '.join(runnable)} and off")
    found.phiforge_use_team(*(_team() or (None, None)))
    return found, setting or runnable[0], None


def _load(path: Path) -> ctypes.CDLL:
    again = "build it again: `python -m phiforge.kernels.build`"
    try:
        found = ctypes.CDLL(str(path))
        found.phiforge_source.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:
        raise _Unusable(f"{path.name} is no library of ours for this system ({error}); {again}") from None
    if _text(found.phiforge_source) != build.source_hash():
        raise _Unusable(f"{path.name} was built from other sources; {again}")
    found.phiforge_use_team.argtypes = [pointer, pointer]
    found.phiforge_use_team.restype = None
    return found


def _text(function: Any) -> str:
    function.restype = ctypes.c_char_p
    return function().decode()


@cache
def _team() -> tuple[int | None, int | None] | None:
    """The addresses of GOMP_parallel and omp_get_thread_num in the OpenMP runtime that torch runs on (GNU's, LLVM's and
    Intel's all have them)."""
    shipped = sorted((Path(torch.__file__).parent / "lib").glob("lib*omp*"))
    for file in [*map(str, shipped), None]:  # None: whatever the process has loaded for everyone to see
        try:
            # RTLD_NOLOAD: a runtime that torch does not use would be a second pool of threads.
            runtime = ctypes.CDLL(file, mode=os.RTLD_NOLOAD | os.RTLD_NOW) if file else ctypes.CDLL(None)
            functions = runtime.GOMP_parallel, runtime.omp_get_thread_num
            start, member = (ctypes.cast(function, pointer).value for function in functions)
            return start, member
        except (OSError, AttributeError):
            continue
    return None
