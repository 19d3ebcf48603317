"""The process from which sandboxed programs are forked: walled off once, Python and common modules warm.

    caller ⇄ zygote ⇄ (per run) keeper → first process of a process namespace → the program(s)

The keeper watches the clock and the output and kills the namespace; with its first process everything in it dies.
A second program, the tests, reads what it is to run from the caller's socket itself, after the first was forked: no memory
of the first ever held it. Loaded by path with the interpreter isolated: standard library only.
"""

# pyright: basic

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
import time
from runpy import run_path
from typing import Any, NoReturn

HERE = os.path.dirname(os.path.abspath(__file__))


class Walls:
    """The modules that put up walls, and which stand."""

    def __init__(self) -> None:
        self.walls = run_path(f"{HERE}/walls.py")
        self.seccomp = run_path(f"{HERE}/seccomp.py")
        self.peer = run_path(f"{HERE}/peer.py")
        self.stand: dict[str, bool] = {}

    def __getattr__(self, name: str) -> Any:
        return self.walls[name]

    def put_up(self, name: str, build: Any) -> bool:
        try:
            build()
        except (OSError, ValueError, AttributeError):
            self.stand[name] = False
        else:
            self.stand[name] = self.stand.get(name, True)
        return self.stand[name]


def main(conn: socket.socket, root: str, uid: int) -> NoReturn:
    """Put up the walls that last, say which stand, and serve until the caller goes."""
    walls = Walls()
    # The caller is known to be gone by the end of its socket; a death signal would come with the end of its thread already.
    for module in _WARM:
        with contextlib.suppress(ImportError):
            __import__(module)
    if sys.platform == "linux":
        if os.getuid() != 0:
            walls.put_up("user namespace", walls.new_user)
        walls.put_up("network", lambda: walls.unshare(walls.NEWNET | walls.NEWIPC | walls.NEWUTS))
        if walls.put_up("file system", lambda: walls.unshare(walls.NEWNS)):
            walls.put_up("file system", lambda: walls.new_root(root))
    else:
        walls.stand |= {"network": False, "file system": False}
    _probe(walls, uid)
    _send(conn, json.dumps(walls.stand).encode())
    gc.collect()
    gc.freeze()
    while True:
        try:
            request = _receive(conn)
        except EOFError:
            os._exit(0)
        keeper = os.fork()
        if keeper == 0:
            try:
                _keep(walls, conn, request, root, uid)
            except BaseException as error:
                _send(conn, json.dumps({"status": "killed", "stderr": f"the sandbox failed: {error!r}"}).encode())
            os._exit(0)
        os.waitpid(keeper, 0)


def _probe(walls: Walls, uid: int) -> None:
    """Try in a child what can only be done once, so that it's known to work before anything depends on it."""
    trials = {
        "processes": lambda: walls.unshare(walls.NEWPID | walls.NEWNS),
        "limits": lambda: walls.limit(10, 512, 32, 64, 16),
        "Landlock": lambda: walls.landlock(["/"], "/tmp"),
        "privileges": lambda: walls.become_nobody(uid),
        "system calls": lambda: (walls.become_nobody(uid), walls.seccomp["install"]()),
    }
    for name, trial in trials.items():
        child = os.fork()
        if child == 0:
            try:
                trial()
            except BaseException:
                os._exit(1)
            os._exit(0)
        walls.stand[name] = os.waitpid(child, 0)[1] == 0


# --- one run ----------------------------------------------------------------------------------------------------------


def _keep(walls: Walls, conn: socket.socket, request: bytes, root: str, uid: int) -> None:
    """Start what is asked for, watch it, kill what is left, tell the outcome."""
    asked = json.loads(request)
    limits = asked["limits"]
    out, err, result = os.pipe(), os.pipe(), os.pipe()
    own = walls.stand["processes"]
    if own:
        walls.unshare(walls.NEWPID | walls.NEWNS)
    started = time.monotonic()
    first = os.fork()
    if first == 0:
        for fd in (out[0], err[0], result[0]):
            os.close(fd)
        try:
            _first(walls, conn, asked, root, uid, out[1], err[1], result[1])
        except BaseException as error:
            os.write(err[1], f"the sandbox failed: {error!r}\n".encode())
        os._exit(120)
    for fd in (out[1], err[1], result[1]):
        os.close(fd)
    texts = {out[0]: bytearray(), err[0]: bytearray(), result[0]: bytearray()}
    most = limits["output_kb"] * 1024
    status = ""
    deadline = started + limits["seconds"]
    open_fds = set(texts)
    while open_fds:
        ready, _, _ = select.select(list(open_fds), [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            status = "timeout"
            break
        for fd in ready:
            part = os.read(fd, 65536)
            if not part:
                open_fds.discard(fd)
                continue
            texts[fd] += part
            if len(texts[fd]) > most:
                del texts[fd][most:]
                status = "output"
        if status:
            break
    if status:
        _kill(first)
    code = os.waitpid(first, 0)[1]
    if not own:
        _kill_group(first)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    exit_code = os.waitstatus_to_exitcode(code)
    outcome = {
        "status": status or _status(exit_code, bytes(texts[err[0]]), used.ru_utime + used.ru_stime, limits),
        "exit_code": exit_code,
        "stdout": bytes(texts[out[0]]).decode(errors="replace"),
        "stderr": bytes(texts[err[0]]).decode(errors="replace"),
        "result": bytes(texts[result[0]]).decode(errors="replace"),
        "seconds": time.monotonic() - started,
    }
    _send(conn, json.dumps(outcome).encode())


def _kill(first: int) -> None:
    """The namespace's first process, or where there is none the process group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(first, signal.SIGKILL)


def _kill_group(group: int) -> None:
    """Without a namespace a bomb has forked on while it was being killed: until nobody is left, for a tenth of a second."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        for _ in range(50):
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.002)


def _status(exit_code: int, stderr: bytes, cpu: float, limits: dict[str, Any]) -> str:
    if exit_code == 0:
        return "ok"
    if exit_code in (-signal.SIGXCPU, 128 + signal.SIGXCPU) or (
        (exit_code < 0 or exit_code > 128) and cpu >= limits["seconds"]
    ):
        return "timeout"
    if b"MemoryError" in stderr[-2000:]:
        return "memory"
    return "error" if 0 < exit_code <= 128 else "killed"


def _first(
    walls: Walls,
    conn: socket.socket,
    asked: dict[str, Any],
    root: str,
    uid: int,
    out: int,
    err: int,
    result: int,
) -> None:
    """The first process of the run: makes the scratch, gives up its rights, starts the programs, ends with them."""
    os.setsid()
    walls.die_with_parent()
    limits = asked["limits"]
    if walls.stand["file system"] and walls.stand["processes"]:
        scratch = walls.SCRATCH
        walls.new_scratch(limits["scratch_mb"])
    else:
        scratch = tempfile.mkdtemp(prefix="run-", dir=root)
        os.chmod(scratch, 0o777)
    os.umask(0o022)
    for name, text in asked["files"].items():
        path = os.path.normpath(os.path.join(scratch, name))
        if not path.startswith(f"{scratch}/"):
            raise ValueError(f"the file {name!r} lies outside the scratch folder")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        if os.getuid() == 0:
            os.chown(path, uid, uid)
    os.chdir(scratch)
    os.environ["HOME"] = os.environ["TMPDIR"] = scratch
    if walls.stand["Landlock"]:
        walls.landlock(["/"] if walls.stand["file system"] else walls.readable(), scratch)
    if walls.stand["privileges"]:
        walls.become_nobody(uid)
    walls.limit(
        int(limits["seconds"]) + 1, limits["memory_mb"], limits["processes"], limits["files"], limits["scratch_mb"]
    )
    if walls.stand["system calls"]:
        walls.seccomp["install"]()
    tested = asked["tested"]
    ask, answer = os.pipe(), os.pipe()
    code = asked.pop("code")
    stdin = asked.pop("stdin")
    program = os.fork()
    if program == 0:
        conn.close()
        for fd in (ask[1], answer[0], result):
            os.close(fd)
        _wire(stdin, out, err)
        if tested:
            _end(lambda: walls.peer["serve"](code, ask[0], answer[1]))
        for fd in (ask[0], answer[1]):
            os.close(fd)
        _end(lambda: _run(code))
    main_child = program
    if tested:
        tests = os.fork()
        if tests == 0:
            for fd in (ask[0], answer[1]):
                os.close(fd)
            del code
            told = json.loads(_receive(conn))
            conn.close()
            _wire("", out, err)
            _end(lambda: walls.peer["test"](told, ask[1], answer[0], result))
        main_child = tests
    conn.close()
    for fd in (out, err, result, *ask, *answer):
        os.close(fd)
    while True:
        pid, status = os.wait()
        if pid == main_child:
            ended = os.waitstatus_to_exitcode(status)
            os._exit(ended if ended >= 0 else 128 - ended)


def _wire(stdin: str, out: int, err: int) -> None:
    """Standard input from a text, output and errors into the keeper's pipes."""
    source = os.open(os.devnull, os.O_RDONLY)
    if stdin:
        os.close(source)
        reading, writing = os.pipe()
        data = stdin.encode()
        if len(data) > 60_000:  # more than a pipe holds: from an unlinked file
            path = os.path.join(os.getcwd(), ".stdin")
            with open(path, "wb") as file:
                file.write(data)
            source = os.open(path, os.O_RDONLY)
            os.unlink(path)
            os.close(reading)
        else:
            os.write(writing, data)
            source = reading
        os.close(writing)
    for fd, target in ((source, 0), (out, 1), (err, 2)):
        os.dup2(fd, target)
    for fd in (source, out, err):
        if fd > 2:
            os.close(fd)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)


def _end(work: Any) -> NoReturn:
    """Do the work as a program does, and leave as one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    code = 0
    try:
        work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException as error:
        code = 1
        import traceback

        with contextlib.suppress(BaseException):
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename != "<program>":
                trace = trace.tb_next
            traceback.print_exception(type(error), error, trace)
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        with contextlib.suppress(BaseException):
            sys.stderr.flush()
    os._exit(code & 0xFF)


def _run(code: str) -> None:
    """A program as `python program.py` runs it."""
    import types

    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program.py"]
    exec(compile(code, "<program>", "exec"), module.__dict__)


# --- frames over the socket ------------------------------------------------------------------------------------------


def _send(conn: socket.socket, data: bytes) -> None:
    conn.sendall(struct.pack("=Q", len(data)) + data)


def _receive(conn: socket.socket) -> bytes:
    (size,) = struct.unpack("=Q", _exactly(conn, 8))
    return _exactly(conn, size)


def _exactly(conn: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = conn.recv(min(1 << 20, size - len(data)))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


_WARM = """math re json string random itertools functools collections collections.abc heapq bisect operator datetime
decimal fractions statistics typing copy io textwrap hashlib dataclasses traceback types""".split()  # noqa: SIM905

if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3]))
