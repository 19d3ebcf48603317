"""An engine in a thread of its own, for callers that wait on streams rather than step."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from phiforge.engine.engine import Engine
from phiforge.engine.request import Event, Failed, Finished, Request, Score, Scored

T = TypeVar("T")


class Stream:
    """The events of one request, until all its samples have finished; iterate it, with `for` or `async for`, once.

    An error of the request (or of the engine) is raised to the reader. Leaving early should `cancel`.
    """

    def __init__(self, request: Request | Score, cancel: Callable[[int], None]) -> None:
        self.request = request
        self._cancel = cancel
        self._running = request.n
        self._events: deque[Event | BaseException] = deque()
        self._ready = threading.Condition()
        self._wake: Callable[[], object] | None = None  # set by an async reader

    def cancel(self) -> None:
        """End the request; what it still holds is told, then the stream ends."""
        self._cancel(self.request.id)

    def put(self, item: Event | BaseException) -> None:
        """Called by the driver's thread."""
        with self._ready:
            self._events.append(item)
            self._ready.notify()
            if self._wake is not None:
                self._wake()

    def __iter__(self) -> Iterator[Event]:
        while self._running:
            with self._ready:
                while not self._events:
                    # A bounded wait lets Ctrl-C through on every platform.
                    self._ready.wait(timeout=0.5)
            yield self._next()

    async def __aiter__(self) -> AsyncIterator[Event]:
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        with self._ready:
            self._wake = lambda: loop.call_soon_threadsafe(came.set)
        while self._running:
            if not self._events:
                came.clear()
                if not self._events:
                    await came.wait()
                    continue
            yield self._next()

    def _next(self) -> Event:
        item = self._events.popleft()
        if isinstance(item, Failed):
            item = item.error
        if isinstance(item, BaseException):
            self._running = 0
            raise item
        if isinstance(item, Finished | Scored):
            self._running -= 1
        return item


class Driver:
    """Steps `engine` whenever it has work. Threads and tasks may submit and cancel at will."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._orders: deque[Callable[[], None]] = deque()
        self._streams: dict[int, Stream] = {}
        self._ordered = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="phiforge-engine", daemon=True)
        self._thread.start()

    def submit(self, request: Request | Score) -> Stream:
        """Queue a request and return its stream at once. A request that can never run raises from the stream."""
        stream = Stream(request, self.cancel)

        def start() -> None:
            try:
                self.engine.submit(request)
            except Exception as error:  # whatever it is, it belongs to this reader, and the thread has others
                stream.put(error)
            else:
                self._streams[request.id] = stream

        self._order(start)
        return stream

    def cancel(self, request_id: int) -> None:
        """End a request; unknown and finished ones are ignored."""
        self._order(lambda: self.engine.cancel(request_id))

    def call(self, work: Callable[[Engine], T]) -> T:
        """Run `work` on the engine between two steps, in the driver's thread; wait for what it returns or raises."""
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(work(self.engine))
            except BaseException as error:  # whatever it is, it is the caller's, and the thread has others
                result.set_exception(error)

        self._order(run)
        return result.result()

    def close(self) -> None:
        """Stop the thread; streams that are still open raise RuntimeError."""
        with self._ordered:
            self._closed = True
            self._ordered.notify()
        self._thread.join()

    def _order(self, order: Callable[[], None]) -> None:
        with self._ordered:
            if self._closed:
                raise RuntimeError("the model has been closed")
            self._orders.append(order)
            self._ordered.notify()

    def _run(self) -> None:
        while True:
            with self._ordered:
                while not (self._orders or self.engine.busy or self._closed):
                    self._ordered.wait()
                closed = self._closed
                orders = list(self._orders)
                self._orders.clear()
            for order in orders:  # those that came before the end too: someone may be waiting for each
                order()
            if closed:
                break
            try:
                events = self.engine.step() if self.engine.busy else []
            except Exception as error:
                # The state of a failed step is unknown: everything in flight ends with the error, nothing hangs.
                self.engine.reset()
                self._end_all(error)
                continue
            for event in events:
                self._streams[event.request].put(event)
            for id in {event.request for event in events if isinstance(event, Finished | Scored | Failed)}:
                if not self.engine.has(id):
                    del self._streams[id]
        self._end_all(RuntimeError("the model was closed while it was answering"))

    def _end_all(self, error: BaseException) -> None:
        for stream in self._streams.values():
            stream.put(error)
        self._streams.clear()
