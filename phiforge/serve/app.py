"""The application: routes, what they share, and its life from start to end.

A handler is `async def handler(request) -> Response` and finds everything in `request.app.state.server`, a `Server`. It
raises `APIError` for what it cannot do. Each file beside this one that has a list `routes` is a part of the API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from phiforge import __version__
from phiforge.serve import chat, completions, conversations, embeddings, page, responses
from phiforge.serve.errors import APIError
from phiforge.serve.guard import LOOPBACK, Guard
from phiforge.serve.server import ClientLeft, Server


def application(
    server: Server,
    *,
    keys: Collection[str] = (),
    hosts: Collection[str] | None = LOOPBACK,
    origins: Collection[str] = (),
) -> Starlette:
    """The ASGI application. `keys`, `hosts` and `origins` are `Guard`'s."""

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await server.models.close()
            if "history" in vars(server):
                server.history.close()

    parts = (chat, completions, responses, embeddings, conversations, page)
    guard = Middleware(
        Guard,
        metrics=server.metrics,
        keys=keys,
        hosts=hosts,
        origins=origins,
        most_bytes=server.limits.most_bytes,
    )
    app = Starlette(
        routes=[*routes, *(route for part in parts for route in part.routes)],
        middleware=[guard],
        exception_handlers={
            APIError: _api_error,
            ClientLeft: _left,
            404: _no_route,
            405: _no_route,
            Exception: _fault,
        },
        lifespan=life,
    )
    app.state.server = server
    return app


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, APIError)
    return error.response()


async def _fault(_: Request, error: Exception) -> Response:
    """A fault of ours. The log has where, and not what was asked."""
    return APIError(f"the server failed at this request: {type(error).__name__}", status=500).response()


async def _no_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return APIError(f"there is no {request.method} {request.url.path} here", status=status).response()


async def _left(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # as nginx calls it; nobody reads it


# --- what is about the server itself ---------------------------------------------------------------------------------


async def health(request: Request) -> Response:
    server: Server = request.app.state.server
    loaded = [name for name, entry in server.models.entries.items() if entry.lm is not None]
    return JSONResponse({"status": "ok", "version": __version__, "loaded": loaded})


async def models(request: Request) -> Response:
    server: Server = request.app.state.server
    cards = [_card(server, name) for name in server.models.names]
    return JSONResponse({"object": "list", "data": cards})


async def model(request: Request) -> Response:
    server: Server = request.app.state.server
    name = request.path_params["name"]
    if name not in server.models.names:
        raise APIError(f"the model {name!r} is not served here", status=404, param="model", code="model_not_found")
    return JSONResponse(_card(server, name))


def _card(server: Server, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": server.models.started, "owned_by": "phiforge"}


async def metrics(request: Request) -> Response:
    server: Server = request.app.state.server
    return PlainTextResponse(server.metrics.text(), media_type="text/plain; version=0.0.4")


routes = [
    Route("/health", health),
    Route("/v1/models", models),
    Route("/v1/models/{name:path}", model),
    Route("/metrics", metrics),
]
