"""A peer in a process of its own: thread pools do not meet, memory is the peer's alone, and a crash is only its own.

The parent writes one JSON request a line and reads one JSON answer a line. As a program, this file is the child.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class PeerFailed(RuntimeError):
    """The peer refused a request, or died; the message is its own."""


class Worker:
    """The parent's end. `started` is the seconds from the process's start to its being ready."""

    def __init__(
        self, module: str, name: str, path: Path, form: str, slots: int, first: list[int] | None = None
    ) -> None:
        self.peak = 0.0  # bytes, of its whole life so far
        begin = time.perf_counter()
        arguments = json.dumps([module, name, str(path), form, slots])
        self._child = subprocess.Popen(
            [sys.executable, str(Path(__file__)), arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()
        if first is not None:
            self.ask("generate", prompts=[first], n=1, new=1)
        self.started = time.perf_counter() - begin

    def ask(self, method: str, **arguments: Any) -> dict[str, float]:
        """Call a method of the peer: seconds to the `first` token and to the `last`. Raises PeerFailed."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps([method, arguments]) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise PeerFailed("its process has died") from None
        return self._answer()

    @property
    def memory(self) -> int:
        """Bytes it holds in memory now."""
        pages = Path(f"/proc/{self._child.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def close(self) -> None:
        self._child.kill()
        self._child.wait()

    def _answer(self) -> dict[str, float]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        answer = json.loads(line) if line else {"error": f"its process ended with status {self._child.wait()}"}
        if "error" in answer:
            raise PeerFailed(answer["error"])
        self.peak = answer.get("peak", self.peak)
        return answer


def serve(module: str, name: str, path: str, form: str, slots: int) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the peer prints goes where nobody reads

    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    try:
        peer = getattr(importlib.import_module(module), name)(path, form, slots)
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")
        return
    answer(ready=True)
    for line in sys.stdin:
        method, arguments = json.loads(line)
        try:
            arrivals = getattr(peer, method)(**arguments)
        except Exception as error:
            answer(error=f"{type(error).__name__}: {error}")
            continue
        answer(first=arrivals.first, last=arrivals.last, peak=peak_bytes())


def peak_bytes() -> int:
    """The most memory this process has held. Linux's ru_maxrss would count the parent's from before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes, and afresh


if __name__ == "__main__":
    serve(*json.loads(sys.argv[1]))
    os._exit(0)  # some peers hang when Python takes them apart
