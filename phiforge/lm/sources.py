"""Any model that can be loaded, as a source to convert: config, weights and tokenizer, however they lie on disk."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from phiforge.kernels.formats import Kind
from phiforge.model.checkpoint import SafetensorsFolder, TensorSource
from phiforge.model.config import ModelConfig, read_config
from phiforge.model.lora_source import Updated
from phiforge.model.quantized import Scheme, scheme
from phiforge.model.quantized_files import Progress, convert_quantized, read_scheme
from phiforge.model.quantized_source import QuantizedFolder
from phiforge.store import models as store
from phiforge.store.formats import LORA_FILES, base_of, is_wanted, read_gguf_header
from phiforge.store.home import converted_dir, ensure_space, locked

if TYPE_CHECKING:
    from gguf import GGUFReader

QUICK = 3  # seconds of work that need no word


class Source(NamedTuple):
    """`companions(folder)` writes there what belongs to a model besides its weights and config.json: tokenizer, chat
    template, generation_config.json, licence. `weights` are the files that hold the tensors."""

    config: ModelConfig
    tensors: TensorSource
    companions: Callable[[Path], None]
    weights: list[Path]
    scheme: Scheme | None
    reader: GGUFReader | None  # of a GGUF file


def open_source(model: store.Installed) -> Source:
    """Open a model without reading its weights. Raises CheckpointError, or ValueError for an unsupported config."""
    if model.format == "lora":
        folder = Path(model.path)
        base = open_source(store.find(base_of(folder)))
        tensors = Updated(base.tensors, base.config, folder)
        weights = [*base.weights, folder / LORA_FILES[1]]
        return Source(base.config, tensors, lambda out: _companions_of_adapter(base, folder, out), weights, None, None)
    if model.format == "hf":
        folder = Path(model.path)
        quantised = read_scheme(folder)
        tensors = SafetensorsFolder(folder) if quantised is None else QuantizedFolder(folder)
        weights = sorted({*tensors.files.values()} if isinstance(tensors, SafetensorsFolder) else {tensors.file})
        return Source(
            read_config(folder), tensors, lambda out: _copy_companions(folder, out), weights, quantised, None
        )
    from phiforge.chat.tokenizer import Tokenizer
    from phiforge.model.gguf import GGUFFile  # parsing a GGUF takes seconds: only when it has to be

    file = GGUFFile(model.path)
    return Source(
        file.config,
        file,
        lambda out: Tokenizer.from_gguf(file.reader).save(out),
        [Path(model.path)],
        None,
        file.reader,
    )


def _copy_companions(folder: Path, out: Path) -> None:
    for file in sorted(folder.iterdir()):
        if file.is_file() and is_wanted(file.name) and ".safetensors" not in file.name and file.name != "config.json":
            shutil.copyfile(file, out / file.name)


def _companions_of_adapter(base: Source, folder: Path, out: Path) -> None:
    """The base model's, with what the adapter has of its own in their places."""
    from phiforge.chat.tokenizer import Tokenizer

    base.companions(out)
    for file in (folder / name for name in LORA_FILES[3:]):
        if file.exists():
            shutil.copyfile(file, out / file.name)
    template = folder / LORA_FILES[2]
    if template.exists():
        tokenizer = Tokenizer.from_folder(out)
        tokenizer.chat_template = template.read_text()
        (out / template.name).unlink(missing_ok=True)
        tokenizer.save(out)


def quantised_bytes(config: ModelConfig, wanted: Scheme) -> int:
    """About how large the quantised file will be, for a look at the free space."""
    bits = {"int8": 8.1, "int4": 4 + 32 / max(wanted.group, 1), "bf16": 16}[wanted.kind]
    return int(config.parameter_count * bits / 8 + 2 * config.vocab_size * config.d_model)


# What general.file_type says of most of a GGUF's matrices (llama.cpp's names), and what keeps as many bits of them.
GGUF_KINDS: dict[int, Kind] = {
    **dict.fromkeys((2, 3, 10, 11, 12, 13, 14, 15), "int4"),  # Q4_0, Q4_1, Q2_K, Q3_K (three), Q4_K (two)
    **dict.fromkeys((7, 8, 9, 16, 17, 18), "int8"),  # Q8_0, Q5_0, Q5_1, Q5_K (two), Q6_K
}


def own_kind(model: store.Installed) -> Kind | None:
    """How a model's file is quantised, in our terms: None for 16 bits and more, and where the file does not say. With an adapter
    a quantised model is int8, as 4 bits have been chosen for it without."""
    if model.format == "lora":
        return own_kind(store.find(base_of(Path(model.path)))) and "int8"
    if model.format != "gguf":
        return None
    return GGUF_KINDS.get(read_gguf_header(Path(model.path)).get("general.file_type", -1))


def quantised_folder(model: store.Installed, kind: Kind, progress: Progress | None = None) -> Path:
    """The folder with this model's weights at `kind`, made in the store at the first time; later calls are free.

    It appears whole or not at all, and memory never holds more than a few rows of the source. A model that is quantised
    already is taken as it is. Raises ValueError where it is of another kind, or where the disk is too small.
    """
    if model.format == "hf" and (found := read_scheme(model.path)) is not None:
        if found.kind == kind:
            return Path(model.path)
        raise ValueError(
            f"{model.name} is quantised to {found.kind} already: take it as it is (dtype stored), or its source as {kind}"
        )
    wanted = scheme(kind)
    variant = msgspec.json.encode(wanted).decode()
    if folder := store.converted(model, kind=kind, variant=variant):
        return folder
    with locked(model.name):
        if folder := store.converted(model, kind=kind, variant=variant):  # by another process, while we waited
            return folder
        source = open_source(model)
        folder = converted_dir(model.name, kind=kind)
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        ensure_space(folder.parent, quantised_bytes(source.config, wanted), f"{model.name} at {kind}")
        try:
            said = progress or Spoken(f"Quantising {model.name} to {kind} (once)")
            convert_quantized(source.config, source.tensors, partial, kind, progress=said)
            source.companions(partial)
            store.mark_converted(model, partial, variant=variant)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return folder


class Spoken:
    """Progress as lines on stderr, from the moment that work takes long: one for every tenth."""

    def __init__(self, title: str) -> None:
        self.title, self._start, self._tenth = title, time.monotonic(), -1

    def __call__(self, _what: str, done: int, total: int) -> None:
        tenth = 10 * done // total
        if tenth > self._tenth and time.monotonic() - self._start > QUICK:
            self._tenth = tenth
            print(f"{self.title}: {10 * tenth} %", file=sys.stderr)
