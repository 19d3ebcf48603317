"""How a handler gets an answer out: a turn, a loaded model, errors as the client reads them, and events as they come."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import torch
from starlette.requests import Request
from starlette.responses import StreamingResponse

from phiforge.lm.local import LocalModel
from phiforge.serve.errors import APIError
from phiforge.serve.server import Server, while_connected

DONE = "data: [DONE]\n\n"


@asynccontextmanager
async def answering(server: Server, model: str | None) -> AsyncIterator[tuple[LocalModel, str | None]]:
    """The model of this name and its adapter, within a turn. What the model refuses becomes an APIError."""
    async with server.models.use(model) as found, server.admission.turn():
        try:
            yield found
        except ValueError as error:  # the prompt, the grammar, a limit: the sentence says which
            raise APIError(str(error)) from error
        except (torch.OutOfMemoryError, MemoryError) as error:
            message = f"there is not enough memory for this request: {error}"
            raise APIError(message, status=503, code="out_of_memory") from error
        except RuntimeError as error:
            if "closed" not in str(error):
                raise
            raise APIError("the server is ending", status=503) from error


def event(data: dict[str, Any], name: str = "") -> str:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def event_stream(request: Request, events: AsyncGenerator[str, None]) -> StreamingResponse:
    """Events as a response. What goes wrong before the first is an error like any other; later it is an event."""
    try:
        first = await while_connected(request, anext(events))
    except BaseException:
        await events.aclose()
        raise

    async def body() -> AsyncIterator[str]:
        try:
            yield first
            async for each in events:
                yield each
        except APIError as error:
            yield event(error.body())
        finally:
            await events.aclose()

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(body(), media_type="text/event-stream", headers=headers)
