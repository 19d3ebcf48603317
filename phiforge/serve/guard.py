"""What stands before every handler: who may ask, from which page, how much at once, and what the answer's headers forbid.

A server on loopback is reached by every page that the user's browser has open. So a request must name this host (a
foreign name that resolves to loopback does not), must not come from another origin, and a body must be JSON, which a
page elsewhere cannot send unasked.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phiforge.serve.errors import APIError
from phiforge.serve.metrics import Metrics

log = logging.getLogger("phiforge.serve")

OPEN = ("/", "/health", "/static/")  # what needs no token: the page asks for one itself
LOOPBACK = ("localhost", "127.0.0.1", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware. `keys` are the bearer tokens, any of which will do; none means that no token is asked for.
    `hosts` are the names that requests may use for this server, None any. `origins` are pages elsewhere that may ask.
    Logs a line a request, without what it asks."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        keys: Collection[str] = (),
        hosts: Collection[str] | None = LOOPBACK,
        origins: Collection[str] = (),
        most_bytes: int = 32 << 20,
    ) -> None:
        self.app = app
        self._metrics, self._hosts, self._origins, self._most = metrics, hosts, origins, most_bytes
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                if foreign and origin is not None and origin in self._origins:
                    out["Access-Control-Allow-Origin"] = origin
                    out["Vary"] = "Origin"
            await send(message)

        try:
            self._check(scope, headers, origin if foreign else None)
            if scope["method"] == "OPTIONS" and foreign:
                await _preflight(sending)
            else:
                await self.app(scope, self._counted(receive), sending)
        except APIError as error:
            await error.response()(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.count("requests_total", path=_route(scope), status=str(status))
            log.info("%s %s %d %.3f s", scope["method"], scope["path"], status, seconds)

    def _check(self, scope: Scope, headers: Headers, foreign: str | None) -> None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
        if self._hosts is not None and host not in self._hosts:
            raise APIError(f"this server is not called {host!r}; start it with --allow-host to let it be", status=403)
        if foreign is not None and foreign not in self._origins:
            raise APIError(
                f"pages of {foreign} may not ask here; start the server with --cors to let them", status=403
            )
        path = scope["path"]
        is_open = path in OPEN or path.startswith("/static/")
        if self._keys and not is_open and scope["method"] != "OPTIONS" and not self._known(headers):
            raise APIError("a bearer token is needed: Authorization: Bearer ...", status=401, code="invalid_api_key")
        if scope["method"] in ("POST", "PUT", "PATCH"):
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise APIError(f"the body must be application/json, not {kind or 'without a type'}", status=415)
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > self._most:
                raise APIError(f"the body may have {self._most:,} bytes", status=413, code="body_too_large")

    def _known(self, headers: Headers) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip().encode()
        same = [hmac.compare_digest(given, key) for key in self._keys]  # all, so that time tells nothing
        return kind.lower() == "bearer" and any(same)

    def _counted(self, receive: Receive) -> Receive:
        """The body's parts, until there are more than the header may have promised."""
        seen = 0

        async def receiving() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise APIError(f"the body may have {self._most:,} bytes", status=413, code="body_too_large")
            return message

        return receiving


def _route(scope: Scope) -> str:
    """The path for the counters, of which there are only so many."""
    route = scope.get("route")
    return getattr(route, "path", "other")


async def _preflight(send: Send) -> None:
    allowed = {
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "600",
    }
    headers = [(name.encode(), value.encode()) for name, value in allowed.items()]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
