"""`phiforge serve`: an OpenAI-compatible server for local models, and a page to talk with them on. Ctrl-C ends it."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from phiforge.cli import WrongWords
from phiforge.store.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from phiforge.lm.local import LocalModel
    from phiforge.serve.models import Entry

KEYS = "PHIFORGE_API_KEYS"  # tokens in the environment, separated by commas: arguments are seen by everyone
DRAIN = 30  # seconds that answers under way have when the server is told to end


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        "--model",
        action="append",
        metavar="NAME",
        help=f"a pulled model or a path; repeat for more, the first is the default (default: {DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a LoRA adapter of the model, asked for as MODEL:NAME; repeatable",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8017, help="0 takes any free one (default: %(default)s)")
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help=f"bearer tokens, one a line; or {KEYS}, separated by commas"
    )
    parser.add_argument(
        "--cors", action="append", default=[], metavar="ORIGIN", help="let pages of this origin ask; repeatable"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="another name of this server; repeatable"
    )
    dtypes = ("auto", "stored", "float32", "bfloat16", "float16", "int8", "int4")
    parser.add_argument("--dtype", default="auto", choices=dtypes)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--kv", default="auto", choices=("auto", "bf16", "int8"), help="how keys and values are kept")
    parser.add_argument("--kv-memory", metavar="GB", type=float, help="for keys and values of each model")
    parser.add_argument("--memory", metavar="GB", type=float, help="what loaded models may take together")
    parser.add_argument("--max-running", type=int, default=64, metavar="N", help="requests at once (default: 64)")
    parser.add_argument("--max-waiting", type=int, default=256, metavar="N", help="requests in line (default: 256)")
    parser.add_argument("--max-body", type=float, default=32, metavar="MB", help="of one request (default: 32)")
    parser.add_argument("--quiet", action="store_true", help="no line for each request")


def run(args: argparse.Namespace) -> int:
    keys = _keys(args.key_file)
    loopback = args.host == "localhost" or _is_loopback(args.host)
    if not loopback and not keys:
        raise WrongWords(f"to listen on {args.host}, beyond this machine, give --key-file or {KEYS}: bearer tokens")
    if args.max_running < 1 or args.max_waiting < 0 or args.max_body <= 0:
        raise WrongWords("--max-running is 1 or more, --max-waiting 0 or more, and --max-body above 0")
    entries = _entries(args.model or [DEFAULT_MODEL], args.adapter)

    import logging

    import uvicorn

    from phiforge.serve.app import application
    from phiforge.serve.guard import LOOPBACK
    from phiforge.serve.models import Models
    from phiforge.serve.server import Limits, Server
    from phiforge.store.home import home_dir

    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logging.getLogger("phiforge.serve").setLevel(logging.WARNING if args.quiet else logging.INFO)
    limits = Limits(running=args.max_running, waiting=args.max_waiting, most_bytes=int(args.max_body * (1 << 20)))
    memory = None if args.memory is None else int(args.memory * (1 << 30))
    server = Server(models=Models(entries, lambda e: _open(e, args), memory), home=home_dir(), limits=limits)
    hosts = (*LOOPBACK, *args.allow_host) if loopback or args.allow_host else None
    app = application(server, keys=keys, hosts=hosts, origins=args.cors)

    listening = _listen(args.host, args.port)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    names = ", ".join(server.models.names)
    print(
        f"Serving {names}\n  page  http://{shown}:{port}/\n  API   http://{shown}:{port}/v1\nCtrl-C ends it.",
        flush=True,
    )
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=DRAIN, lifespan="on")
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _entries(names: list[str], asked: list[str]) -> list[Entry]:
    from phiforge.serve.models import Entry
    from phiforge.store import models as store

    adapters: dict[str, str] = {}
    for text in asked:
        name, _, folder = text.partition("=")
        if not name or not folder or ":" in name:
            raise WrongWords(f"--adapter is NAME=FOLDER, with no colon in the name, not {text!r}")
        if not Path(folder).is_dir():
            raise WrongWords(f"--adapter {name}: {folder} is no folder")
        adapters[name] = folder
    found = [store.find(name) for name in names]
    if adapters and len(found) > 1:
        raise WrongWords("--adapter needs a server of one --model: say which model it belongs to by serving only that")
    return [Entry(model, adapters) for model in found]


def _open(entry: Entry, args: argparse.Namespace) -> LocalModel:
    from phiforge.cli.options import KV_DTYPES
    from phiforge.lm.local import LocalModel

    return LocalModel.open(
        entry.installed.path if Path(entry.installed.source).exists() else entry.installed.name,
        dtype=args.dtype,
        device=args.device,
        kv_dtype=KV_DTYPES[args.kv],  # type: ignore[arg-type]
        kv_memory=None if args.kv_memory is None else int(args.kv_memory * (1 << 30)),
        adapters=entry.adapters,
    )


def _keys(file: Path | None) -> list[str]:
    text = os.environ.get(KEYS, "").replace(",", "\n") + "\n" + (file.read_text() if file else "")
    keys = [line.strip() for line in text.splitlines() if line.strip()]
    if file and not keys:
        raise WrongWords(f"{file} holds no token")
    return keys


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that a taken port is told before a model is loaded."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, proto)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listening
