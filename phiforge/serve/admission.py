"""How many requests work at a time, and how many may wait for their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from phiforge.serve.errors import APIError

RETRY_AFTER = 2  # seconds, which a client whose request was not taken is asked to wait


class Admission:
    """At most `running` at once and `waiting` in line, first come first served."""

    def __init__(self, running: int, waiting: int) -> None:
        self.most_running, self.most_waiting = running, waiting
        self.running = self.waiting = 0
        self._turns = asyncio.Semaphore(running)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises APIError 429 where the line is full."""
        if self._turns.locked() and self.waiting >= self.most_waiting:
            raise APIError(
                f"{self.running} requests are being answered and {self.waiting} wait: try again later",
                status=429,
                code="queue_full",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        self.waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._turns.release()
