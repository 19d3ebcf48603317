"""Recognise a model by its files: a Hugging Face folder (safetensors), a GGUF file, or a LoRA adapter's folder that names the
model it belongs to. No tensor is read here.

GGUF: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The `gguf` package's reader indexes every vocabulary
entry first (6 s for 49,000 tokens on a slow core), so the few leading fields are read here directly.
"""

from __future__ import annotations

import re
import struct
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from phiforge.store.home import StoreError

# What a model needs of a Hugging Face repository: weights only as safetensors, since pickled ones can run code.
HF_FILES = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "LICENSE*",
    "NOTICE*",
    "README.md",
)

LORA_FILES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "chat_template.jinja",
    "generation_config.json",
    "README.md",
)

Format = Literal["hf", "gguf", "lora"]


class ModelFile(Struct, frozen=True, omit_defaults=True):
    """One file of a model. `sha256` is empty for files that were registered where they lie, which nobody checked."""

    path: str
    size: int
    sha256: str = ""


class Description(Struct, frozen=True):
    """What a model's own files say about it. `licence` is empty when they say nothing."""

    format: Format
    architecture: str
    licence: str
    files: list[ModelFile]


def is_wanted(filename: str) -> bool:
    """Whether a top-level file of a Hugging Face repository is part of the model."""
    return any(fnmatchcase(filename, pattern) for pattern in HF_FILES)


def describe(path: Path) -> Description:
    """Read what the model at `path` (a GGUF file or a folder in Hugging Face layout) says about itself.

    Raises StoreError, naming the file, for anything that is not a complete model of either kind.
    """
    if path.is_dir():
        return _describe_folder(path)
    if not path.is_file():
        raise StoreError(f"{path}: not found")
    if path.suffix != ".gguf":
        raise StoreError(f"{path}: not a model, which is a .gguf file or a folder with config.json and *.safetensors")
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", path.name):
        raise StoreError(f"{path}: one part of a split GGUF, which is not supported: join the parts first")
    header = read_gguf_header(path)
    architecture = header.get("general.architecture")
    if not isinstance(architecture, str):
        raise StoreError(f"{path}: the GGUF header does not begin with general.architecture")
    licence = header.get("general.license", "")
    return Description("gguf", architecture, str(licence), [ModelFile(path.name, path.stat().st_size)])


def _describe_folder(folder: Path) -> Description:
    config_file = folder / "config.json"
    if not config_file.is_file() and (folder / LORA_FILES[0]).is_file():
        return _describe_adapter(folder)
    if not config_file.is_file():
        ggufs = sorted(file.name for file in folder.glob("*.gguf"))
        hint = f"; name one of its GGUF files instead: {', '.join(ggufs)}" if ggufs else ""
        raise StoreError(f"{folder}: not a model folder, it has no config.json{hint}")
    config = _read_json(config_file)
    architecture = config.get("model_type")
    if not isinstance(architecture, str):
        raise StoreError(f"{config_file}: has no model_type, so its architecture is unknown")
    files = [
        ModelFile(file.name, file.stat().st_size)
        for file in sorted(folder.iterdir())
        if is_wanted(file.name) and file.is_file()
    ]
    present = {file.path for file in files}
    if not any(name.endswith(".safetensors") for name in present):
        raise StoreError(f"{folder}: has no model*.safetensors (pickled weights such as *.bin are not read)")
    for index in (name for name in present if name.endswith(".safetensors.index.json")):
        weight_map = _read_json(folder / index).get("weight_map", {})
        if missing := sorted(set(map(str, weight_map.values())) - present):
            raise StoreError(f"{folder}: {index} names files that are not there: {', '.join(missing)}")
    return Description("hf", architecture, card_licence(folder / "README.md"), files)


def base_of(folder: Path) -> str:
    """The model that an adapter belongs to, as its settings name it. Raises StoreError where they don't."""
    base = _read_json(folder / LORA_FILES[0]).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise StoreError(
            f"{folder / LORA_FILES[0]}: base_model_name_or_path does not say which model the adapter is for"
        )
    return base


def _describe_adapter(folder: Path) -> Description:
    base_of(folder)
    files = [ModelFile(name, (folder / name).stat().st_size) for name in LORA_FILES if (folder / name).is_file()]
    if LORA_FILES[1] not in {file.path for file in files}:
        raise StoreError(f"{folder}: has no {LORA_FILES[1]}")
    return Description("lora", "lora", card_licence(folder / "README.md"), files)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise StoreError(f"{file}: not a JSON object: {error}") from None


def card_licence(card: Path) -> str:
    """The licence in a model card's metadata block, or an empty string."""
    if not card.is_file():
        return ""
    block = re.match(r"---\s*\n(.*?)\n---\s*\n", card.read_text(errors="replace"), re.DOTALL)
    found = re.search(r"^license:[ \t]*[\"']?([\w.-]+)", block[1], re.MULTILINE) if block else None
    return found[1] if found else ""


# --- GGUF header --------------------------------------------------------------------------------------------------

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 2**20  # no general.* field comes near; a larger length means that the file is not what it says


def read_gguf_header(path: Path) -> dict[str, Any]:
    """The `general.*` fields before the tokenizer's in a GGUF file. Raises StoreError unless it is GGUF 2 or 3 and whole
    so far."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise StoreError(f"{path}: not a GGUF file (it does not begin with the letters GGUF)")
        try:
            version = _scalar(file, "I")
            if version not in (2, 3):
                raise StoreError(f"{path}: GGUF version {version} is not supported, only 2 and 3 (little-endian)")
            _n_tensors, n_fields = _scalar(file, "Q"), _scalar(file, "Q")
            header: dict[str, Any] = {}
            for _ in range(n_fields):
                key = _string(file)
                if key.startswith("tokenizer."):  # megabytes
                    break
                value = _value(file, _scalar(file, "I"))
                if key.startswith("general."):
                    header[key] = value
        except (struct.error, EOFError, UnicodeDecodeError, _Malformed) as error:
            raise StoreError(f"{path}: the GGUF header is cut short or damaged ({error or 'end of file'})") from None
    return header


class _Malformed(Exception):
    pass


def _scalar(file: BinaryIO, code: str) -> Any:
    return struct.unpack(f"<{code}", file.read(struct.calcsize(f"<{code}")))[0]


def _string(file: BinaryIO) -> str:
    length = _scalar(file, "Q")
    if length > _LONGEST:
        raise _Malformed(f"a string of {length} bytes")
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data.decode()


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        item_kind, count = _scalar(file, "I"), _scalar(file, "Q")
        if item_kind == _ARRAY or count > _LONGEST:
            raise _Malformed(f"an array of {count} items of type {item_kind}")
        return [_value(file, item_kind) for _ in range(count)]
    if kind not in _SCALARS:
        raise _Malformed(f"field type {kind}")
    return _scalar(file, _SCALARS[kind])
