"""Whether the code in a response does what it should: it is run in the sandbox, against tests or against inputs and outputs.

`verifier_args`, one of:
    tests         Python assertions over the functions of the response, or HumanEval's `check(candidate)`
    test_list     the same as a list of assertions (MBPP), after `test_setup_code`
    cases         [[stdin, stdout], ...] for a whole program; trailing spaces and a last line end don't count
and with them:
    entry_point   the function that has to be there; `candidate` and `check` mean it
    prompt        what a completion continues, put before the code where the code alone doesn't define `entry_point`; of code
                  that does, what stands before that function in the prompt (imports, other functions) comes first
    seconds, memory_mb   limits of a run (10 and 512)

Tests run in a process of their own, to which the response's functions answer in plain data: to exit early, to print, to
patch assert or to return objects that equal everything gains nothing. What tests don't check isn't found, and a response
that knows the tests can answer just them.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from typing import Any

from phiforge.records import Problem, Verdict
from phiforge.verify import sandbox
from phiforge.verify.math_extract import MAX_RESPONSE_CHARS, visible

_FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)\n(?P<code>.*?)(?:^(?P=fence)[`~]*[ \t]*$|\Z)", re.M | re.S
)
_PYTHON = ("python", "py", "python3", "")


def verify(response: str, problem: Problem) -> Verdict:
    """Run the code of a response as `problem.verifier_args` say. Raises ValueError for arguments that make no sense."""
    args = problem.verifier_args
    prompt, entry = str(args.get("prompt", "")), str(args.get("entry_point", ""))
    code = extract(response, entry, prompt)
    if code is None:
        return Verdict(False, 0.0, "the response has no code")
    if wrong := _wrong_with(code):
        return Verdict(False, 0.0, f"the code doesn't parse: {wrong}")
    limits = sandbox.Limits(seconds=float(args.get("seconds", 10)), memory_mb=int(args.get("memory_mb", 512)))
    if "cases" in args:
        return _run_cases(code, args, limits)
    tests = tests_of(args)
    with sandbox.borrowed() as box:
        outcome = box.test(code, tests, entry_point=entry, limits=limits)
    if outcome.broken:
        raise ValueError(f"{problem.id}: {outcome.broken}")
    return Verdict(outcome.passed, float(outcome.passed), "all tests pass" if outcome.passed else outcome.reason)


def tests_of(args: Mapping[str, Any]) -> str:
    """The tests as one program. Raises ValueError if there are none."""
    tests = args.get("tests")
    if tests is None and args.get("test_list"):
        tests = "\n".join([str(args.get("test_setup_code", "")), *map(str, args["test_list"])])
    if not tests:
        raise ValueError("a code problem needs `tests`, `test_list` or `cases`")
    tests = str(tests)
    defined = re.search(r"^def check\(", tests, re.M)
    if defined and not re.search(r"^check\(", tests, re.M):
        tests += "\n\ncheck(candidate)\n"
    return tests


def _run_cases(code: str, args: Mapping[str, Any], limits: sandbox.Limits) -> Verdict:
    cases = args["cases"]
    if not cases:
        raise ValueError("a code problem's `cases` are empty")
    passed, first = 0, ""
    with sandbox.borrowed() as box:
        for number, (stdin, wanted) in enumerate(cases, 1):
            outcome = box.run(code, stdin=stdin, limits=limits)
            if outcome.ok and _lines(outcome.stdout) == _lines(wanted):
                passed += 1
            elif not first:
                said = outcome.stderr.strip().rpartition("\n")[2][:200]
                shown = (
                    f"prints {outcome.stdout[:80]!r}, not {wanted[:80]!r}" if outcome.ok else said or outcome.status
                )
                first = f"case {number}: {shown}"
    everything = passed == len(cases)
    return Verdict(everything, passed / len(cases), "all cases pass" if everything else first)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def extract(response: str, entry_point: str = "", prompt: str = "") -> str | None:
    """The code of a response: its fenced Python blocks that parse together, else the last; without fences all of it.

    With a `prompt` to continue, what doesn't define `entry_point` is put behind it, and what does behind what stands before
    that function there. None if there is no code.
    """
    shown = visible(response) if len(response) <= MAX_RESPONSE_CHARS else None
    if shown is None or not shown.strip():
        return None
    blocks = [m["code"] for m in _FENCE.finditer(shown) if (m["info"].split() or [""])[0].lower() in _PYTHON]
    code = _joined(blocks, entry_point) if blocks else shown
    if prompt and not code.startswith(prompt):
        function = rf"^(?:async )?def {re.escape(entry_point)}\b"
        if not re.search(function, code, re.M):
            code = prompt.rstrip("\n") + "\n" + code
        elif (there := re.search(function, prompt, re.M)) and "from __future__" not in code:  # which has to come first
            code = prompt[: there.start()] + code
    return code.strip("\n") + "\n" if code.strip() else None


def _joined(blocks: list[str], entry_point: str) -> str:
    """One of several blocks: the last that defines the function, with the ones before it where that still parses."""
    if len(blocks) == 1:
        return blocks[0]
    defining = [i for i, block in enumerate(blocks) if entry_point and f"def {entry_point}" in block]
    last = defining[-1] if defining else len(blocks) - 1
    return blocks[last] if defining else "\n\n".join(blocks) if not _wrong_with("\n\n".join(blocks)) else blocks[last]


def _wrong_with(code: str) -> str:
    """Why the code doesn't parse; empty if it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the response's escapes
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(error)[:200] or type(error).__name__
    return ""
