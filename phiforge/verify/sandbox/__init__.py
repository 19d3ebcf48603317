"""A sandbox for Python that nobody has read: a process of its own behind as many walls as the machine lets one build.

    from phiforge.verify import sandbox

    outcome = sandbox.run("print(sum(range(10)))")
    outcome.status, outcome.stdout                      # "ok", "45\\n"
    sandbox.walls()                                     # which walls stand on this machine

On Linux: own namespaces for processes, mounts, network, IPC and host name; a root of nothing but Python, read-only, with a
small empty /tmp; Landlock; no privileges; a system call filter; limits of CPU, memory, processes, files and output; a wall
clock that kills the whole namespace. Elsewhere a separate process with limits. Code can still use its CPU share, measure
time, read the machine's Python and its packages, and attack the kernel through the calls that are left: this is a sandbox
for code that a language model wrote, not a home for malware. A caller who needs a wall says so with `require`.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec
from msgspec import Struct

Status = Literal["ok", "error", "timeout", "memory", "output", "killed"]

_ZYGOTE = Path(__file__).with_name("zygote.py")
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_PATIENCE = 20.0  # seconds beyond a run's own limit after which its zygote counts as broken


class SandboxError(RuntimeError):
    """The sandbox can't be had as it was asked for: it doesn't start, or a required wall doesn't stand here."""


class Limits(Struct, frozen=True, kw_only=True):
    """What a run may use. `seconds` is wall time, and CPU time of each process; `scratch_mb` is its /tmp."""

    seconds: float = 10.0
    memory_mb: int = 512
    processes: int = 32
    files: int = 64
    scratch_mb: int = 32
    output_kb: int = 64


class Outcome(Struct, frozen=True):
    """How a run ended. `stdout` and `stderr` are cut at `Limits.output_kb`, and then the status is "output"."""

    status: Status
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status == "ok"


class TestOutcome(Struct, frozen=True):
    """How tests ended. `broken` says what is wrong with the tests themselves."""

    __test__ = False  # not a test of pytest's

    passed: bool
    reason: str = ""
    broken: str = ""
    outcome: Outcome | None = None


class Sandbox:
    """One walled-off process from which runs are forked, one at a time; a few milliseconds each. Not for several threads.

    Raises SandboxError if it doesn't start, or if a wall of `require` doesn't stand.
    """

    def __init__(self, *, require: Iterable[str] = ("limits",)) -> None:
        self._require = tuple(require)
        self._process: subprocess.Popen[bytes] | None = None
        self._conn: socket.socket | None = None
        self.walls: dict[str, bool] = {}
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(
        self, code: str, *, stdin: str = "", files: Mapping[str, str] | None = None, limits: Limits | None = None
    ) -> Outcome:
        """Run a program as `python program.py` in an empty folder that holds `files`."""
        return _outcome(self._ask(_request(code, stdin, files, limits), None, limits or Limits()))

    def test(
        self,
        code: str,
        tests: str,
        *,
        entry_point: str = "",
        files: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> TestOutcome:
        """Run tests in a second process against the functions of a program; only plain data passes between the two.

        The tests see the program's functions and plain values by name, and `entry_point` as `candidate` too. They pass when
        they run to their end.
        """
        secret = secrets.token_hex(16)
        told = json.dumps({"tests": tests, "entry_point": entry_point, "secret": secret}).encode()
        answer = self._ask(_request(code, "", files, limits, tested=True), told, limits or Limits())
        outcome = _outcome(answer)
        try:
            verdict: dict[str, Any] = json.loads(answer.get("result") or "{}")
        except ValueError:
            verdict = {}
        if verdict.get("secret") != secret:
            return TestOutcome(False, _ended(outcome), "", outcome)
        passed = verdict["passed"] is True
        return TestOutcome(passed, verdict.get("reason", ""), verdict.get("broken", ""), outcome)

    def close(self) -> None:
        """End the sandbox and everything in it."""
        if self._conn is not None:
            self._conn.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._conn = self._process = None

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        root = tempfile.mkdtemp(prefix="phiforge-sandbox-")
        os.chmod(root, 0o711)  # scratch folders in it, where there is no better place, belong to nobody
        packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        words = [str(_ZYGOTE), str(theirs.fileno()), root, str(200_000 + secrets.randbelow(1_000_000))]
        start = f"import sys, runpy; sys.path += {packages!r}; sys.argv = {words!r}; "
        start += "runpy.run_path(sys.argv[0], None, '__main__')"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", start],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._conn = ours
        ours.settimeout(60)
        try:
            self.walls = json.loads(_receive(ours))
        except (OSError, EOFError, ValueError) as error:
            self._process.kill()
            said = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr else ""
            self.close()
            raise SandboxError(f"the sandbox doesn't start: {said.rpartition(chr(10))[2] or error!r}") from None
        finally:
            _remove_later(root)
        self.walls["process"] = True
        missing = [wall for wall in self._require if not self.walls.get(wall)]
        if missing:
            self.close()
            raise SandboxError(
                f"this machine lets no wall of {' and '.join(missing)} be built; walls that stand: "
                + ", ".join(sorted(name for name, stands in self.walls.items() if stands))
            )

    def _ask(self, request: bytes, second: bytes | None, limits: Limits) -> dict[str, Any]:
        if self._conn is None:
            self._start()
        assert self._conn is not None
        self._conn.settimeout(limits.seconds + _PATIENCE)
        try:
            _send(self._conn, request)
            if second is not None:
                _send(self._conn, second)
            answer: dict[str, Any] = json.loads(_receive(self._conn))
            if second is not None and str(answer.get("stderr", "")).startswith("the sandbox failed"):
                self.close()  # nobody has read the second part
            return answer
        except (OSError, EOFError, ValueError) as error:
            self.close()  # a new one is started for the next run
            return {"status": "killed", "stderr": f"the sandbox broke: {error!r}"}
        except BaseException:
            self.close()
            raise


def _request(
    code: str, stdin: str, files: Mapping[str, str] | None, limits: Limits | None, tested: bool = False
) -> bytes:
    limited = msgspec.structs.asdict(limits or Limits())
    return json.dumps(
        {"code": code, "stdin": stdin, "files": dict(files or {}), "limits": limited, "tested": tested}
    ).encode()


def _outcome(answer: Mapping[str, Any]) -> Outcome:
    return msgspec.convert({key: value for key, value in answer.items() if key != "result"}, Outcome)


def _ended(outcome: Outcome) -> str:
    said = outcome.stderr.strip().rpartition("\n")[2][:200]
    return {
        "timeout": "it took too long",
        "memory": "it took too much memory",
        "output": "it printed too much",
    }.get(outcome.status, said or f"it ended without a result ({outcome.status})")


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
            raise EOFError("the sandbox's process ended")
        data += part
    return bytes(data)


# --- sandboxes that are shared ---------------------------------------------------------------------------------------

_idle: list[Sandbox] = []
_lock = threading.Lock()
_roots: list[str] = []


@contextmanager
def borrowed() -> Generator[Sandbox]:
    """A sandbox that nobody else uses meanwhile, kept for the next who asks."""
    with _lock:
        box = _idle.pop() if _idle else None
    box = box or Sandbox()
    yield box
    with _lock:
        _idle.append(box)


def run(
    code: str,
    *,
    stdin: str = "",
    files: Mapping[str, str] | None = None,
    seconds: float = 10.0,
    memory_mb: int = 512,
    require: Iterable[str] = (),
) -> Outcome:
    """Run a program in a shared sandbox. Raises SandboxError if a wall of `require` doesn't stand here."""
    with borrowed() as box:
        missing = [wall for wall in require if not box.walls.get(wall)]
        if missing:
            raise SandboxError(f"this machine lets no wall of {' and '.join(missing)} be built")
        return box.run(code, stdin=stdin, files=files, limits=Limits(seconds=seconds, memory_mb=memory_mb))


def run_many(codes: Sequence[str], *, workers: int = 0, limits: Limits | None = None) -> list[Outcome]:
    """Run programs side by side, as many at a time as there are cores; outcomes in their order."""

    def one(code: str) -> Outcome:
        with borrowed() as box:
            return box.run(code, limits=limits)

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        return list(pool.map(one, codes))


def walls() -> dict[str, bool]:
    """Which walls stand on this machine: tried, not guessed."""
    with borrowed() as box:
        return dict(box.walls)


def _remove_later(root: str) -> None:
    """The folder on which a root was built: empty where that worked, scratch folders in it elsewhere."""
    if not _roots:
        atexit.register(_close_all)
    _roots.append(root)


def _close_all() -> None:
    for box in _idle:
        box.close()
    _idle.clear()
    for root in _roots:
        shutil.rmtree(root, ignore_errors=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a forked process shares no sandbox with its parent
