"""A stand-in for another company's endpoint: a real server on this machine that does as scripted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-secretsecretsecret"

Act = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Does the acts of `script` one a request, then `otherwise`; keeps what it was asked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.script: list[Act] = []
        self.otherwise: Act = says("Hello")
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.times: list[float] = []
        self.connections = self.busy = self.busiest = 0
        self.left = threading.Semaphore(0)  # one for each client that went before the end
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_POST(self) -> None:
        server, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            server.times.append(time.monotonic())
            server.paths.append(self.path)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            server.asked.append(json.loads(body))
            act = server.script.pop(0) if server.script else server.otherwise
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
        try:
            act(self)
        finally:
            with server.lock:
                server.busy -= 1

    def log_message(self, *_: object) -> None:
        pass

    def start(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def wait_for_client_to_leave(self) -> None:
        self.connection.settimeout(10)
        if self.connection.recv(1) == b"":
            self.server.left.release()
        self.close_connection = True


HANG, CUT = object(), object()


def raw(*pieces: Any) -> Act:
    """An event stream of these bytes, one TCP write each; a number waits, HANG stays silent, CUT breaks off."""

    def act(handler: Handler) -> None:
        handler.start(Content_Type="text/event-stream", Transfer_Encoding="chunked")
        for piece in pieces:
            if piece is HANG:
                return handler.wait_for_client_to_leave()
            if piece is CUT:
                handler.close_connection = True
                return None
            if isinstance(piece, bytes):
                handler.chunk(piece)
            else:
                time.sleep(piece)
        return handler.chunk(b"")

    return act


def event(data: Any) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def delta(index: int = 0, finish: str | None = None, logprobs: Any = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": fields, "finish_reason": finish, "logprobs": logprobs}
    return {"object": "chat.completion.chunk", "choices": [choice]}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


DONE = event("[DONE]")


def sends(*chunks: Any) -> Act:
    return raw(*(c if isinstance(c, bytes | float) or c in (HANG, CUT) else event(c) for c in chunks), DONE)


def says(text: str, after: float = 0.0) -> Act:
    first = delta(role="assistant", content="")
    return sends(first, after, delta(content=text), delta(finish="stop"), usage(3, 2))


def answers(status: int, body: Any = None, **headers: str) -> Act:
    def act(handler: Handler) -> None:
        data = json.dumps(body or {"error": {"message": f"no {status}"}}).encode()
        handler.start(status, Content_Type="application/json", Content_Length=str(len(data)), **headers)
        handler.wfile.write(data)

    return act


def hangs(handler: Handler) -> None:
    handler.wait_for_client_to_leave()


def drops(handler: Handler) -> None:
    handler.close_connection = True
