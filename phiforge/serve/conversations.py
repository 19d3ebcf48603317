"""`/api/conversations`: what the page keeps of its conversations (`history.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from phiforge.serve import body
from phiforge.serve.errors import APIError
from phiforge.serve.history import Missing, Saved, markdown
from phiforge.serve.server import Server
from phiforge.serve.wire import Record

T = TypeVar("T")
LONGEST_ID = 64


class New(Record):
    title: str = ""


class Change(Record):
    title: str | None = None
    leaf: str | None = None


class Put(Record):
    role: Literal["user", "assistant", "tool"]
    content: str
    parent: str | None = None
    thinking: str | None = None
    info: dict[str, Any] = {}


async def _do(work: Callable[..., T], *arguments: Any, **keywords: Any) -> T:
    try:
        return await asyncio.to_thread(work, *arguments, **keywords)
    except Missing as missing:
        raise APIError(f"there is no conversation or message {missing.args[0]!r}", status=404) from None
    except ValueError as error:
        raise APIError(str(error)) from None


async def conversations(http: Request) -> Response:
    server: Server = http.app.state.server
    if http.method == "POST":
        new = await body.read(http, New)
        return JSONResponse(await _do(server.history.create, new.title), 201)
    return JSONResponse(await _do(server.history.list, http.query_params.get("q", "")))


async def conversation(http: Request) -> Response:
    server: Server = http.app.state.server
    id = http.path_params["id"]
    if http.method == "DELETE":
        await _do(server.history.delete, id)
        return Response(status_code=204)
    if http.method == "PATCH":
        change = await body.read(http, Change)
        await _do(server.history.change, id, title=change.title, leaf=change.leaf)
        return Response(status_code=204)
    return JSONResponse(await _do(server.history.get, id))


async def message(http: Request) -> Response:
    server: Server = http.app.state.server
    put = await body.read(http, Put)
    id = http.path_params["message"]
    if len(id) > LONGEST_ID:
        raise APIError(f"a message's id has at most {LONGEST_ID} characters")
    saved = Saved(put.role, put.content, put.parent, put.thinking, put.info)
    await _do(server.history.put, http.path_params["id"], id, saved)
    return Response(status_code=204)


async def export(http: Request) -> Response:
    server: Server = http.app.state.server
    found = await _do(server.history.get, http.path_params["id"])
    kind = http.query_params.get("format", "markdown")
    if kind not in ("markdown", "json"):
        raise APIError(f"format is markdown or json, not {kind!r}", param="format")
    ending = "md" if kind == "markdown" else "json"
    headers = {"Content-Disposition": f'attachment; filename="conversation.{ending}"'}
    if kind == "json":
        return JSONResponse(found, headers=headers)
    return Response(markdown(found), media_type="text/markdown; charset=utf-8", headers=headers)


routes: list[BaseRoute] = [
    Route("/api/conversations", conversations, methods=["GET", "POST"]),
    Route("/api/conversations/{id}", conversation, methods=["GET", "PATCH", "DELETE"]),
    Route("/api/conversations/{id}/export", export),
    Route("/api/conversations/{id}/messages/{message}", message, methods=["PUT"]),
]
