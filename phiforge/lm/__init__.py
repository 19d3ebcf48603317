"""A language model to talk to: one interface, whether it runs here (`LocalModel`) or behind an endpoint (`RemoteModel`).

from phiforge.lm import open_model

with open_model("smollm2-135m-instruct") as lm:
    reply, = lm.chat([Message("user", "What is 2 + 2?")])
    print(reply.message.text)
"""

from __future__ import annotations

from typing import Any

from phiforge.engine.request import Scored
from phiforge.lm.base import Delta, LanguageModel, Options, Reply, TokenLogprob

__all__ = ["Delta", "LanguageModel", "Options", "Reply", "Scored", "TokenLogprob", "is_endpoint", "open_model"]


def is_endpoint(name: str) -> bool:
    """Whether a name is an endpoint's address, rather than a model's on this machine."""
    return name.startswith(("http://", "https://"))


def open_model(name: str, **options: Any) -> LanguageModel:
    """Open a model by name: one that was pulled, a path, or `http(s)://host/v1#model` for an OpenAI-compatible endpoint.

    `options` go to `LocalModel.open` or `RemoteModel`. Raises ValueError for a name that leads nowhere.
    """
    if is_endpoint(name):
        from phiforge.lm.remote import RemoteModel

        url, _, model = name.partition("#")
        if not model:
            raise ValueError(f"{name!r}: name the endpoint's model after a '#', as in http://localhost:8000/v1#phi-4")
        return RemoteModel(url, model, **options)
    from phiforge.lm.local import LocalModel

    return LocalModel.open(name, **options)
