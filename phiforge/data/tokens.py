"""How many tokens texts have, by a real tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from phiforge.records import Example

Counter = Callable[[Sequence[str]], list[int]]


def counter(model: str = "") -> Counter:
    """Counts tokens as a pulled model does (smollm2-135m-instruct if empty), or a member of the family by name ("phi-4").

    Raises ValueError for a model that is neither here nor a preset, or whose ranks are not installed.
    """
    from phiforge.chat.tokenizer import Tokenizer
    from phiforge.store import models
    from phiforge.store.catalogue import BASE_MODEL
    from phiforge.store.formats import base_of

    try:
        found = models.find(model or BASE_MODEL)
    except models.NotInstalled:
        try:
            tokenizer = Tokenizer.for_preset(model)
        except (ValueError, ModuleNotFoundError):
            raise ValueError(f"no tokenizer of {model or BASE_MODEL!r} is here; pull the model first") from None
    else:
        if found.format == "lora":  # its base has the vocabulary
            found = models.find(base_of(Path(found.path)))
        folder = found.path if found.format == "hf" else models.converted(found)
        tokenizer = Tokenizer.from_folder(folder) if folder else Tokenizer.from_gguf(found.path)
    core = tokenizer.core
    return lambda texts: [len(each.ids) for each in core.encode_batch_fast(list(texts), add_special_tokens=False)]


def text_of(row: Example) -> str:
    """All that a row would teach a model: question, thought and answer, without a chat template's marks."""
    parts = [message.text for message in row.problem.messages]
    parts += [row.response.thinking or "", row.response.text]
    parts += [f"{call.name}({call.arguments})" for call in row.response.tool_calls]
    return "\n".join(part for part in parts if part)
