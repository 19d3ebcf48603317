"""Several models and adapters behind one server: loaded when asked for, within a budget, by the names that requests use."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
import torch
from serving import running

from phiforge.lm.local import LocalModel
from phiforge.model.lora import new_adapter
from phiforge.model.peft import save_adapter
from phiforge.serve.errors import APIError
from phiforge.serve.models import Entry, Models
from phiforge.serve.server import Server
from phiforge.store.models import from_path


def two(default_gguf: Path, share: float, adapters: dict[str, str] | None = None) -> Models:
    """The default model twice, with room for `share` of them."""
    entries = [Entry(from_path(default_gguf, "first"), adapters or {}), Entry(from_path(default_gguf, "second"))]
    memory = int(share * sum(entry.installed.bytes for entry in entries))
    return Models(entries, lambda e: LocalModel.open(e.installed.path, adapters=e.adapters, kv_memory=1 << 26), memory)


def loaded(models: Models) -> list[str]:
    return [name for name, entry in models.entries.items() if entry.lm is not None]


def test_room_is_made_by_letting_go_of_who_was_asked_longest_ago(default_gguf: Path) -> None:
    async def story() -> None:
        models = two(default_gguf, 0.6)
        assert (models.default, loaded(models)) == ("first", [])
        async with models.use(None) as (lm, adapter):
            assert lm.name.startswith("SmolLM2")
            assert adapter is None
            with pytest.raises(APIError, match="in use") as refused:
                async with models.use("second"):
                    pass
            assert refused.value.status == 503
        async with models.use("second"):
            assert loaded(models) == ["second"]
        await asyncio.gather(*(ask(models, "second") for _ in range(3)))
        assert loaded(models) == ["second"]
        await models.close()
        assert loaded(models) == []

    async def ask(models: Models, name: str) -> None:
        async with models.use(name):
            await asyncio.sleep(0)

    asyncio.run(story())


def test_many_who_ask_at_once_load_once(default_gguf: Path) -> None:
    async def story() -> None:
        models = two(default_gguf, 1.0)
        found: list[LocalModel] = []

        async def ask(name: str) -> None:
            async with models.use(name) as (lm, _):
                found.append(lm)

        await asyncio.gather(*(ask(name) for name in ["first", "second"] * 3))
        assert len(set(map(id, found))) == 2
        assert loaded(models) == ["first", "second"]
        await models.close()

    asyncio.run(story())


def test_an_adapter_is_asked_for_by_name(default_gguf: Path, tmp_path: Path) -> None:
    with LocalModel.open(str(default_gguf)) as lm:
        adapter = new_adapter(lm.network.config, rank=4, generator=torch.Generator().manual_seed(0))
    for update in adapter.updates.values():
        torch.nn.init.normal_(update.b, std=0.2, generator=torch.Generator().manual_seed(1))
    save_adapter(adapter, tmp_path / "odd", lm.network.config)
    server = Server(models=two(default_gguf, 1.0, {"odd": str(tmp_path / "odd")}), home=tmp_path)
    with running(server) as there:
        names = [card["id"] for card in httpx.get(f"{there.url}/v1/models").json()["data"]]
        assert names == ["first", "first:odd", "second"]
        asked = {"messages": [{"role": "user", "content": "What is gravity?"}], "temperature": 0, "max_tokens": 12}

        def say(model: str) -> str:
            answer = httpx.post(f"{there.url}/v1/chat/completions", json={**asked, "model": model}, timeout=60)
            assert answer.status_code == 200, answer.text
            return answer.json()["choices"][0]["message"]["content"]

        plain = say("first")
        assert say("first:odd") != plain == say("second") == say("first")
        for name in ("second:odd", "first:none", "third"):
            answer = httpx.post(f"{there.url}/v1/chat/completions", json={**asked, "model": name})
            assert answer.status_code == 404
            assert "first:odd" in answer.json()["error"]["message"]
