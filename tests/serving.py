"""A real server on loopback for tests: uvicorn in a thread, on a port of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from phiforge.lm.local import LocalModel
from phiforge.serve.app import application
from phiforge.serve.models import Entry, Models
from phiforge.serve.server import Limits, Server
from phiforge.store.models import Installed, from_path


@dataclass
class Running:
    url: str
    server: Server


@contextmanager
def running(server: Server, *, keys: Collection[str] = (), origins: Collection[str] = ()) -> Iterator[Running]:
    """The server at `url` until the block ends; it has then let go of its models."""
    config = uvicorn.Config(
        application(server, keys=keys, origins=origins), port=0, log_level="warning", access_log=False
    )
    asgi = uvicorn.Server(config)
    thread = threading.Thread(target=asgi.run)
    thread.start()
    try:
        while not asgi.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = asgi.servers[0].sockets[0].getsockname()[1]
        yield Running(f"http://127.0.0.1:{port}", server)
    finally:
        asgi.should_exit = True
        thread.join()


def server_of_file(path: Path, home: Path, limits: Limits | None = None, kv_memory: int | None = None) -> Server:
    """A server of the default model's file, which is loaded at the first request."""
    entry = Entry(from_path(path, "smollm2-135m-instruct"))
    models = Models([entry], lambda e: LocalModel.open(e.installed.path, kv_memory=kv_memory))
    return Server(models=models, home=home, limits=limits or Limits())


def server_of(lm: LocalModel, home: Path, limits: Limits | None = None) -> Server:
    """A server of a model that is loaded already; closing the server closes it."""
    card = Installed(
        name=lm.name, source="", family="", architecture="", format="hf", bytes=0, files=[], pulled="", path=""
    )
    return Server(models=Models([Entry(card, lm=lm)], lambda _: lm), home=home, limits=limits or Limits())
