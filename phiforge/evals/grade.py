"""Grading in processes of their own: an answer that makes a grader hang or eat memory costs that answer, nothing else.

A parent writes a request as a line of JSON to a worker and reads a `Grade` back. As a program, this file is the worker.
"""

from __future__ import annotations

import os
import re
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module

import msgspec
from msgspec import Struct

from phiforge.evals.log import Grade
from phiforge.records import Problem

SECONDS = 60.0  # of grading one answer, where the problem allows its own tests no more
START_SECONDS = 60.0  # to import what a verifier needs, on a machine that is busy with other things
MAX_MEMORY = 8 << 30  # bytes of a worker's address space; sandboxes hold their programs to far less

# What graders say of an answer on which they ran out of time.
_TIMED_OUT = re.compile(r"\btimed out\b|\btook too long\b|\btimeout\b", re.I)
_REFUSAL = re.compile(
    r"""^\W*(?: (?:i['’]m|i\ am)\ (?:very\ |really\ |so\ )?(?:sorry|afraid)\b | sorry, | i\ apologi[sz]e\b
        | (?:unfortunately,?\ )?i\ (?:can['’]?t|cannot|can\ not|won['’]t|will\ not|am\ unable\ to|am\ not\ able\ to)\b
        | (?:unfortunately,?\ )?i['’]m\ (?:unable|not\ able)\ to\b
        | as\ an\ ai\b[^.]{0,60}\b(?:can['’]?t|cannot|unable)\b )""",
    re.I | re.X,
)
REFUSAL_CHARS = 600  # a longer answer has gone on to say something


class Asked(Struct):
    """A request to a worker."""

    verifier: str
    response: str
    problem: Problem


def grade(verifier: str, response: str, problem: Problem) -> Grade:
    """Grade one answer, here. A verifier may have `measures(response, problem)`, further numbers beside its verdict.

    Raises ValueError for a problem whose own side is broken.
    """
    module = import_module("phiforge.verify")
    said = _extracted(verifier, response, problem)
    verdict = module.get(verifier)(response, problem)
    measure = getattr(import_module(f"phiforge.verify.{verifier}"), "measures", None)
    measures: dict[str, float] = measure(response, problem) if measure else {}
    if verdict.correct:
        return Grade("right", verdict.score, verdict.reason, said, measures)
    if _TIMED_OUT.search(verdict.reason):
        return Grade("timeout", 0.0, verdict.reason, said, measures)
    if refuses(response):
        return Grade("refused", 0.0, verdict.reason, said, measures)
    if said is None or not response.strip():
        return Grade("unparsable", verdict.score, verdict.reason, None, measures)
    return Grade("wrong", verdict.score, verdict.reason, said, measures)


def refuses(response: str) -> bool:
    """Whether a short answer begins by declining. A phrase list: it counts outcomes, and decides nothing."""
    return len(response) <= REFUSAL_CHARS and _REFUSAL.match(response) is not None


def _extracted(verifier: str, response: str, problem: Problem) -> str | None:
    """The final answer that a grader will look at; None where it finds none. A verifier may have its own
    `extracted(response, problem)`; without one, the whole response is what it looks at."""
    args = problem.verifier_args
    if (own := getattr(import_module(f"phiforge.verify.{verifier}"), "extracted", None)) is not None:
        return own(response, problem)
    if verifier == "math":
        from phiforge.verify.math_extract import extract_answer

        return extract_answer(response)
    if verifier == "choice":
        from phiforge.verify.choice import final_answer

        return final_answer(response, n_options=len(args.get("options") or ()))
    if verifier == "code":
        from phiforge.verify.code import extract

        return extract(response, str(args.get("entry_point", "")), str(args.get("prompt", "")))
    return response


class Graders:
    """`n` workers. `submit` may be called from any thread; answers are graded in the order they come."""

    def __init__(self, n: int = 2) -> None:
        self._pool = ThreadPoolExecutor(n, thread_name_prefix="phiforge-grade")
        self._own = threading.local()
        self._workers: list[_Worker] = []

    def submit(self, verifier: str, response: str, problem: Problem) -> Future[Grade]:
        """Grade one answer; a grader's failure is outcome "error", its overrunning "timeout"."""
        return self._pool.submit(self._grade, verifier, response, problem)

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def _grade(self, verifier: str, response: str, problem: Problem) -> Grade:
        worker: _Worker | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = _Worker()
            self._workers.append(worker)
        allowed = problem.verifier_args.get("seconds", 0)
        seconds = SECONDS + 2 * (allowed if isinstance(allowed, int | float) else 0)
        return worker.ask(Asked(verifier, response, problem), seconds)


class _Worker:
    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def ask(self, asked: Asked, seconds: float) -> Grade:
        if self._process is None or self._process.poll() is not None:
            self._start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(msgspec.json.encode(asked) + b"\n")
            process.stdin.flush()
            line = self._line(seconds)
        except OSError:
            line = b""
        if line is None:
            self.close()
            return Grade("timeout", 0.0, f"the grader took more than {seconds:.0f} s")
        if not line:
            status = process.wait()
            self._process = None
            return Grade("error", 0.0, f"the grader's process ended with status {status}")
        return msgspec.json.decode(line, type=Grade)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        self._buffer = b""
        command = [sys.executable, "-m", "phiforge.evals.grade"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment())
        if self._line(START_SECONDS) != b"ready":
            self.close()
            raise RuntimeError("the grader's process did not start")

    def _line(self, seconds: float) -> bytes | None:
        """The next line; b"" where the process has ended, None where it took too long."""
        assert self._process is not None
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return None
            piece = os.read(self._process.stdout.fileno(), 1 << 16)
            if not piece:
                return b""
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _environment() -> dict[str, str]:
    # The worker imports the same package as its parent, from wherever the parent was started. It hashes as `verify.reasoning_gym`
    # makes its questions.
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def serve(graded: Callable[[str, str, Problem], Grade] = grade) -> None:
    """Answer requests from standard input until it closes. Whatever a grader prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    decoder = msgspec.json.Decoder(Asked)
    answers.write(b"ready\n")
    answers.flush()
    for line in sys.stdin.buffer:
        asked = decoder.decode(line)
        try:
            answer = graded(asked.verifier, asked.response, asked.problem)
        except MemoryError:
            answer = Grade("timeout", 0.0, f"the grader took more than {MAX_MEMORY >> 30} GB")
        except Exception as error:  # a broken problem must not end the run; it is counted and shown
            answer = Grade("error", 0.0, f"{type(error).__name__}: {error}")
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve()
