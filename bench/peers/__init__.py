"""The engines under test, each in a file of its own with the settings it is best at.

A peer's class is opened as `Peer(path, form, slots)` in a process of its own (`worker.py`), where nothing of ours is
imported but what it needs. All sample with temperature 1 and top-k 50, to the full number of new tokens.

    generate(prompts, n, new) -> Arrivals     n samples of each prompt, `new` tokens each
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from models import Model

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
TEMPERATURE, TOP_K = 1.0, 50


class Arrivals:
    """When tokens came, in seconds from the moment the prompts were handed over."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.first = self.last = 0.0

    def tick(self) -> None:
        self.last = time.perf_counter() - self.start
        self.first = self.first or self.last


@dataclass(frozen=True)
class Entry:
    """A peer in one numeric form: `module` and `name` of its class, the Python package it `needs`, the `path` of its files
    for a model and what makes them (`prepare`), and whether --quick asks it."""

    engine: str
    form: str
    module: str
    name: str
    needs: str
    path: Callable[[Model], Path]
    prepare: Callable[[Model, str], Path]
    quick: bool = False

    @property
    def title(self) -> str:
        return f"{self.engine} {self.form}"


def entries() -> list[Entry]:
    """Every peer and form, ours first."""
    from peers import prepare

    def ours(form: str) -> Entry:
        def path(model: Model) -> Path:
            return model.source if form == "fp32" else model.form(form)

        return Entry("phiforge", form, "peers.ours", "Phiforge", "phiforge", path, prepare.ours, True)

    def peer(engine: str, module: str, name: str, needs: str, pattern: str, make: Callable[[Model, str], Path]):
        def entry(form: str, quick: bool = False) -> Entry:
            def path(model: Model) -> Path:
                return model.form(pattern.format(form)) if pattern else model.source

            return Entry(engine, form, f"peers.{module}", name, needs, path, make, quick)

        return entry

    llama_cpp = peer("llama.cpp", "llama_cpp", "LlamaCpp", "xllamacpp", "{}.gguf", prepare.llama_cpp)
    openvino = peer("OpenVINO", "openvino", "OpenVino", "openvino_genai", "openvino-{}", prepare.openvino)
    onnxruntime = peer(
        "ONNX Runtime", "onnxruntime", "OnnxRuntime", "onnxruntime_genai", "onnxruntime-{}", prepare.onnxruntime
    )
    transformers = peer("transformers", "transformers", "Transformers", "transformers", "", prepare.source)
    return [
        *map(ours, ("int4", "int8", "fp32")),
        llama_cpp("q4_0", quick=True),
        llama_cpp("q8_0"),
        openvino("int4", quick=True),
        openvino("int8", quick=True),
        openvino("fp16"),
        onnxruntime("int4"),
        transformers("bf16"),
        transformers("fp32"),
    ]
