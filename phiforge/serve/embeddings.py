"""`/v1/embeddings`: the mean of a text's last hidden states in the loaded model. That is no trained embedder: texts about
the same are nearer to each other than others, and no more than that."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from phiforge.serve import body, wire
from phiforge.serve.answering import answering
from phiforge.serve.completions import Texts, prompts_of
from phiforge.serve.errors import unsupported
from phiforge.serve.server import Server, while_connected


class EmbeddingRequest(wire.Record, kw_only=True):
    input: Texts
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


async def embeddings(http: Request) -> Response:
    server: Server = http.app.state.server
    request = await body.read(http, EmbeddingRequest)
    return JSONResponse(await while_connected(http, _embed(server, request)))


async def _embed(server: Server, request: EmbeddingRequest) -> dict[str, Any]:
    async with answering(server, request.model) as (lm, adapter):
        if adapter is not None:
            raise unsupported("model", "embeddings come from the model without its adapters")
        size = lm.network.config.d_model
        if request.dimensions not in (None, size):
            raise unsupported("dimensions", f"this model's embeddings have {size}")
        texts = await asyncio.to_thread(prompts_of, lm, request.input, server.limits.most_texts, "input")
        data = []
        for index, ids in enumerate(texts):  # one by one, so that a client that leaves stops them
            (vector,) = await asyncio.to_thread(lm.embed, [ids])
            as_text = request.encoding_format == "base64"
            values = base64.b64encode(vector.numpy().tobytes()).decode() if as_text else vector.tolist()
            data.append({"object": "embedding", "index": index, "embedding": values})
        used = sum(map(len, texts))
        server.metrics.count("prompt_tokens_total", used, model=lm.name)
        usage = {"prompt_tokens": used, "total_tokens": used}
        return {"object": "list", "data": data, "model": request.model or server.models.default, "usage": usage}


routes: list[BaseRoute] = [Route("/v1/embeddings", embeddings, methods=["POST"])]
