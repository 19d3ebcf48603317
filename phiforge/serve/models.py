"""The models that a server answers with: loaded when first asked for, let go when memory is needed for another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from phiforge.lm.local import LocalModel
from phiforge.serve.errors import APIError
from phiforge.store.home import size_text
from phiforge.store.machine import machine
from phiforge.store.models import Installed


@dataclass
class Entry:
    """A model that can be asked for; `lm` while it is loaded."""

    installed: Installed
    adapters: Mapping[str, str] = field(default_factory=dict)  # names of LoRA adapters, and their folders
    lm: LocalModel | None = None
    users: int = 0
    used: float = 0.0  # when it was last asked for, by the monotonic clock
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Models:
    """`entries` by the names that requests use, the default first. An adapter is asked for as `model:adapter`.

    `open` loads one, in a thread. `memory` is how many bytes loaded models may take; None: what is free on the machine.
    """

    def __init__(
        self, entries: Sequence[Entry], open: Callable[[Entry], LocalModel], memory: int | None = None
    ) -> None:
        self.entries = {entry.installed.name: entry for entry in entries}
        self.started = int(time.time())
        self._open = open
        self._memory = memory
        self._making_room = asyncio.Lock()

    @property
    def default(self) -> str:
        return next(iter(self.entries))

    @property
    def names(self) -> list[str]:
        """Everything that a request may name."""
        return [
            name
            for model, entry in self.entries.items()
            for name in (model, *(f"{model}:{a}" for a in entry.adapters))
        ]

    @asynccontextmanager
    async def use(self, name: str | None) -> AsyncIterator[tuple[LocalModel, str | None]]:
        """The model of this name, loaded, and the adapter that the name asks for; it is not let go meanwhile.

        Raises APIError 404 for an unknown name and 503 where there is no memory for it.
        """
        model, _, adapter = (name or self.default).partition(":")
        entry = self.entries.get(model)
        if entry is None or (adapter and adapter not in entry.adapters):
            known = ", ".join(self.names)
            message = f"the model {name!r} is not served here; there are {known}"
            raise APIError(message, status=404, param="model", code="model_not_found")
        entry.users += 1
        entry.used = time.monotonic()
        try:
            async with entry.loading:
                if entry.lm is None:
                    await self._load(entry)
            assert entry.lm is not None
            yield entry.lm, adapter or None
        finally:
            entry.users -= 1

    async def _load(self, entry: Entry) -> None:
        async with self._making_room:
            needed = entry.installed.bytes
            while needed > self._free():
                idle = [e for e in self.entries.values() if e.lm is not None and not e.users]
                if not idle:
                    raise APIError(
                        f"{entry.installed.name} takes about {size_text(needed)} and {size_text(self._free())} are free; "
                        "the models that are loaded are in use",
                        status=503,
                        code="out_of_memory",
                        headers={"Retry-After": "10"},
                    )
                oldest = min(idle, key=lambda e: e.used)
                lm, oldest.lm = oldest.lm, None
                assert lm is not None
                await asyncio.to_thread(lm.close)
            try:
                entry.lm = await asyncio.to_thread(self._open, entry)
            except (ValueError, OSError, MemoryError) as error:
                raise APIError(f"{entry.installed.name} could not be loaded: {error}", status=503) from error

    def _free(self) -> int:
        if self._memory is None:
            return machine().memory_available
        return self._memory - sum(e.installed.bytes for e in self.entries.values() if e.lm is not None)

    async def close(self) -> None:
        for entry in self.entries.values():
            lm, entry.lm = entry.lm, None
            if lm is not None:
                await asyncio.to_thread(lm.close)
