"""What handlers share: the server's models and limits, and how a request's work ends with its client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from starlette.requests import Request

from phiforge.serve.admission import Admission
from phiforge.serve.history import History
from phiforge.serve.metrics import Metrics
from phiforge.serve.models import Models

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server takes on: requests at once and in line, and the parts of one request."""

    running: int = 64
    waiting: int = 256
    most_bytes: int = 32 << 20
    most_samples: int = 128  # n, of one request
    most_texts: int = 2048  # of one request, each as often as it has samples


@dataclass(kw_only=True)
class Server:
    """What handlers share. `home` is where conversations are kept."""

    models: Models
    home: Path
    limits: Limits = Limits()
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.admission = Admission(self.limits.running, self.limits.waiting)
        self.metrics.gauges["requests_running"] = lambda: self.admission.running
        self.metrics.gauges["requests_waiting"] = lambda: self.admission.waiting

    @cached_property
    def history(self) -> History:
        return History(self.home / "conversations.db")


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """What `work` returns. When the client goes away, the work is cancelled and `ClientLeft` raised."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft
        return await task
    finally:
        for each in (task, watch):
            each.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
