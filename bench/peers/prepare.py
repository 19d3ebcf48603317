"""Brings a model into the form that each peer reads, once, beside the model's other forms."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from models import Model, gguf_file, make, quantised


def source(model: Model, form: str) -> Path:
    """The checkpoint itself, for engines that read it."""
    return model.source


def ours(model: Model, form: str) -> Path:
    return model.source if form == "fp32" else quantised(model, form)


def llama_cpp(model: Model, form: str) -> Path:
    return gguf_file(model, form)


def onnxruntime(model: Model, form: str) -> Path:
    """The package's own model builder, which reads a Hugging Face folder."""

    def write(folder: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "onnxruntime_genai.models.builder",
            "-i",
            str(model.source),
            "-o",
            str(folder),
        ]
        command += ["-p", form, "-e", "cpu", "-c", str(folder / "cache")]
        # accuracy level 4: products in int8, the fastest that the builder offers
        command += ["--extra_options", "int4_accuracy_level=4", "int4_block_size=32"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the model builder of ONNX Runtime GenAI failed: {done.stderr.strip()[-2000:]}")
        shutil.rmtree(folder / "cache", ignore_errors=True)

    return make(model.form(f"onnxruntime-{form}"), write)


def openvino(model: Model, form: str) -> Path:
    """OpenVINO's graph of the model, by its own reader of an F16 GGUF file, with its weights then compressed as NNCF does."""
    whole = make(model.form("openvino-fp16"), lambda folder: _read_gguf(gguf_file(model, "f16"), folder))
    if form == "fp16":
        return whole
    return make(model.form(f"openvino-{form}"), lambda folder: _compress(whole, folder, form))


def _read_gguf(file: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "model.gguf").symlink_to(file)  # the reader saves beside the file it reads
    # In a process of its own: its memory goes back, and what it prints is not ours.
    code = (
        "import sys, openvino_genai; "
        "openvino_genai.LLMPipeline(sys.argv[1], 'CPU', enable_save_ov_model=True)"
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, str(folder / "model.gguf")], capture_output=True, text=True)
    if not (folder / "openvino_model.xml").exists():
        raise RuntimeError(f"OpenVINO GenAI did not save {file} as its own: {done.stderr.strip()[-2000:]}")
    (folder / "model.gguf").unlink()


def _compress(source: Path, folder: Path, form: str) -> None:
    """int8: every matrix symmetric per output. int4: the layers' matrices symmetric in groups of 128, or of 64 where 128
    does not divide them; the embeddings stay at int8, as in the packages that OpenVINO's hub offers."""
    import openvino as ov
    from openvino import opset13 as ops

    graph = ov.Core().read_model(source / "openvino_model.xml")
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "Constant" or len(node.shape) != 2 or not re.search(r"weight$", node.friendly_name):
            continue
        weight = node.data.astype(np.float32)
        rows, columns = weight.shape
        if form == "int8" or "embed_tokens" in node.friendly_name:
            scale = np.maximum(np.abs(weight).max(1, keepdims=True), 1e-8) / 127
            stored = ops.constant(np.round(weight / scale).astype(np.int8))
        else:
            group = 128 if columns % 128 == 0 else 64
            weight = weight.reshape(rows, columns // group, group)
            scale = np.maximum(np.abs(weight).max(2, keepdims=True), 1e-8) / 7
            values = np.round(weight / scale).astype(np.int8).reshape(-1) & 15
            packed = (values[0::2] | values[1::2] << 4).astype(np.uint8)
            stored = ops.constant(ov.Tensor(packed, ov.Shape(weight.shape), ov.Type.i4), shared_memory=False)
        product = ops.multiply(ops.convert(stored, "f16"), ops.constant(scale.astype(np.float16)))
        if product.output(0).get_partial_shape().rank.get_length() == 3:
            product = ops.reshape(product, np.array([rows, columns]), special_zero=False)
        node.output(0).replace(product.output(0))
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("openvino_model.*"))
    ov.save_model(graph, folder / "openvino_model.xml", compress_to_fp16=False)
    (folder / "compression.json").write_text(json.dumps({"form": form}))
