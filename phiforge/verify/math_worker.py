"""The process that does computer algebra for `math`: one at a time, long-lived, killed when it overruns.

The parent writes a request as a line of JSON and reads a line back. The child holds itself to `MAX_MEMORY` and
`MAX_CPU_SECONDS` a request, and ends when its parent does: its standard input closes. No signal is used in the caller,
so threads may call it, and a forked child of the caller starts a worker of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import msgspec

MAX_SECONDS = 2.0  # of wall time, for one pair
START_SECONDS = 60.0  # to import sympy, on a machine that is busy with other things
MAX_CPU_SECONDS = 4  # of processor time for one pair: a second bound, should the parent be gone or stopped
MAX_MEMORY = 400 * 2**20  # bytes of address space; sympy itself takes about 60


class Request(msgspec.Struct):
    a: str
    b: str
    tolerance: str = "0"
    percent_unit: bool = False


class TimedOut(Exception):
    """The worker gave no answer in time, or died over it."""


class Worker:
    """A handle on the process; it starts with the first request. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        os.register_at_fork(after_in_child=self._forget)

    def ask(self, request: Request, seconds: float = MAX_SECONDS) -> str:
        """What `math_compare.decide` says in the worker.

        Raises TimedOut after `seconds` of its work; waiting for a turn or for the start is not counted. Raises
        RuntimeError if the process does not start.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            process = self._process
            assert process is not None
            assert process.stdin is not None
            try:
                if not self._ready:
                    self._wait_for_start(process)
                process.stdin.write(msgspec.json.encode(request) + b"\n")
                process.stdin.flush()
                return msgspec.json.decode(self._read_line(process, seconds), type=str)
            except (TimedOut, OSError):
                self._stop()
                self._start()  # it loads while the caller goes on
                raise TimedOut from None
            except BaseException:  # an interrupt: the reply still to come must not answer the next request
                self._stop()
                raise

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "phiforge.verify.math_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._ready = False

    def _wait_for_start(self, process: subprocess.Popen[bytes]) -> None:
        try:
            self._read_line(process, START_SECONDS)
        except TimedOut:
            raise RuntimeError(
                f"the maths worker did not start; see what {sys.executable} -m phiforge.verify.math_worker says"
            ) from None
        self._ready = True

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close_pipes(self._process)
        self._process = None

    def _close_pipes(self, process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # the last request may not have been written
                    pipe.close()

    def _forget(self) -> None:
        """In a forked child: leave the process to the parent. The lock may have been copied while it was held."""
        self._lock = threading.Lock()
        if self._process is not None:
            self._close_pipes(self._process)
        self._process = None

    def _read_line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        descriptor = process.stdout.fileno()
        poll = select.poll()  # select() fails on descriptors over 1023
        poll.register(descriptor, select.POLLIN)
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TimedOut
            piece = os.read(descriptor, 65536)
            if not piece:  # it was killed: out of processor time or memory
                raise TimedOut
            line += piece
        return line


def main() -> None:
    """Answer requests from standard input until it closes."""
    from phiforge.verify.math_compare import TOO_LARGE, UNPROVEN, decide
    from phiforge.verify.math_symbolic import Symbolic

    _limit_memory()
    print(flush=True)  # ready
    decoder = msgspec.json.Decoder(Request)
    for line in sys.stdin.buffer:
        request = decoder.decode(line)
        _limit_cpu()
        try:
            reason = decide(request.a, request.b, Symbolic(Fraction(request.tolerance)), request.percent_unit)
        except MemoryError:
            reason = TOO_LARGE
        except Exception:  # sympy raises errors of many kinds on what it cannot do; none of them is a proof
            reason = UNPROVEN
        sys.stdout.buffer.write(msgspec.json.encode(reason) + b"\n")
        sys.stdout.buffer.flush()


def _limit_memory() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS refuses; the time limits remain
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def _limit_cpu() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    end = int(usage.ru_utime + usage.ru_stime) + 1 + MAX_CPU_SECONDS
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (end if hard == resource.RLIM_INFINITY else min(end, hard), hard))


if __name__ == "__main__":
    main()
