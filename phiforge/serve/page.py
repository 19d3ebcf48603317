"""The page at `/`, its files, what it asks of the server to show answers, and the reports of runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from phiforge.serve import body, runs
from phiforge.serve.errors import APIError
from phiforge.serve.markdown import render
from phiforge.serve.server import Server
from phiforge.serve.wire import Record

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LONGEST = 400_000  # characters of an answer


class Answer(Record):
    text: str


async def page(_: Request) -> Response:
    return _file(STATIC / "index.html")


async def static(http: Request) -> Response:
    file = STATIC / http.path_params["name"]
    if file.parent != STATIC or file.suffix not in TYPES or not file.is_file():
        raise APIError(f"there is no {http.url.path} here", status=404)
    return _file(file)


def _file(file: Path) -> Response:
    # No-cache: asked for again each time, and answered by its tag when nothing has changed.
    return FileResponse(file, media_type=TYPES[file.suffix], headers={"Cache-Control": "no-cache"})


async def rendered(http: Request) -> Response:
    answer = await body.read(http, Answer)
    if len(answer.text) > LONGEST:
        raise APIError(f"an answer to render has at most {LONGEST:,} characters", param="text")
    return JSONResponse({"html": await asyncio.to_thread(render, answer.text)})


async def all_runs(http: Request) -> Response:
    server: Server = http.app.state.server
    return JSONResponse(await asyncio.to_thread(runs.runs, server.home))


async def report(http: Request) -> Response:
    server: Server = http.app.state.server
    file = await asyncio.to_thread(runs.report, server.home, http.path_params["name"])
    if file is None:
        raise APIError("this run has no report", status=404)
    # A document of its own, without our origin: it can reach neither the conversations nor the API.
    policy = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-inline'"
    return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": policy})


routes: list[BaseRoute] = [
    Route("/", page),
    Route("/static/{name}", static),
    Route("/api/render", rendered, methods=["POST"]),
    Route("/api/runs", all_runs),
    Route("/api/runs/{name}/report", report),
]
