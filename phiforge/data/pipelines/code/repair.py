"""Functions with a planted bug and a test that fails, answered by the repaired function.

The bugs are ones that people make. `make` finds what the wrong version gives by running it; `solve` and the verifier run the
repaired one on cases whose results come from an interpreter of the specification.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._bugs import Bug, bugs_of, told
from phiforge.data.pipelines.code._reply import fenced, proven, small
from phiforge.data.pipelines.code._small import Case, Small, imports_of, shown, wrapped
from phiforge.data.rows import Unfit

_ASKS = (
    "This function has a bug.\n\n{code}\n\nA test fails: {failure} Repair the function.",
    "One of my tests doesn't pass. {Failure}\n\n{code}\n\nPlease find the mistake and give me the corrected function.",
    "{code}\n\nThe docstring is right, the code isn't: {failure} Fix it.",
    "Debug this.\n\n{code}\n\n{Failure}",
    "A user reports that {failure} The code is\n\n{code}\n\nCorrect it.",
    "What is wrong with the following code? {Failure} Answer with a version that works.\n\n{code}",
    "Since yesterday a check fails in our build:\n\n{assertion}\n\n{code}\n\n{Failure} Repair it, please.",
    "I have stared at this for an hour.\n\n{code}\n\n{Failure} Where is the bug? Give the whole function, repaired.",
    "Code review: the function below does not do what it promises, as {failure} Suggest a version that does.\n\n{code}",
    "The assertion\n\n{assertion}\n\nfails for this function:\n\n{code}\n\n{Failure} Make it pass without changing the signature.",
    "Please repair `{name}`. {Failure}\n\n{code}",
    "Here is a function and a failing test.\n\n{code}\n\n{assertion}\n\n{Failure} Return the function with the mistake removed.",
    "My student handed in this:\n\n{code}\n\nBut {failure} What would a right solution look like that changes as little as possible?",
    "There is exactly one mistake in this function.\n\n{code}\n\nIt shows here: {failure} Find it and write the function correctly.",
    "{Failure} That should not be. Correct the code:\n\n{code}",
    "After a refactoring this no longer works; {failure}\n\n{code}\n\nPut it right.",
    "Find and fix the error.\n\n{code}\n\nFailing test:\n\n{assertion}",
    "The ticket says: \"{Failure}\" The function in question:\n\n{code}\n\nSubmit a fix.",
    "An LLM wrote this for me, and I don't trust it: {failure}\n\n{code}\n\nPlease correct it.",
    "Which line is wrong here, and how should the function read?\n\n{code}\n\n{Failure}",
    "Running the tests gives an error in one place.\n\n{assertion}\n\n{Failure} The function is\n\n{code}\n\nGive back a correct one.",
    "I expected something else: {failure} Can you repair my function?\n\n{code}",
)  # fmt: skip
_SAYS = (
    "The repaired function:",
    "With this change all tests pass.",
    "Corrected:",
    "Here is the function without the bug.",
    "So the function should read:",
)


def make(draw: Draw, level: int) -> Draft:
    function = small(draw, level, 0.15)
    found = bugs_of(function, draw, 1)
    if not found:
        raise Unfit
    bug = found[0]
    case, got = min(bug.fails, key=lambda fail: (len(repr(fail[0])) < 12, len(repr(fail))))
    form = draw.between(0, len(_ASKS) - 1)
    failure = f"{_call(function, case)} {told(got)}, but should return {shown(case[1])}."
    if told(got).startswith("raises"):
        failure = f"{_call(function, case)} {told(got).rstrip('.')}, where it should return {shown(case[1])}."
    question = _ASKS[form].format(
        code=f"```python\n{_documented(function, bug.code)}\n```",
        failure=failure,
        Failure=failure,
        assertion=f"```python\n{function.test(case)}\n```",
        name=function.name,
    )
    program = _documented(function, function.code)
    return Draft(
        question=question,
        answer=fenced(program),
        facts={"code": program, "tests": function.tests},
        template=f"ask {form}",
        steps=_steps(function, bug, case, got),
        says=draw.pick(_SAYS),
        given=f"`{function.name}` is to do this: {function.spec[0].lower()}{function.spec[1:]} For the failing call it should give {shown(case[1])}, and it {told(got)}.",
        check=_check(function, bug, case),
        verifier="code",
        verifier_args={"entry_point": function.name, "tests": function.tests},
    )


def _call(function: Small, case: Case) -> str:
    return f"`{function.call(case)}`"


def _documented(function: Small, code: str) -> str:
    signature, _, body = code.partition("\n")
    note = f"\n\n    {wrapped(function.note, 4)}\n    " if function.note else ""
    imports = f"{needed}\n\n\n" if (needed := imports_of(code)) else ""
    return f'{imports}{signature}\n    """{wrapped(function.spec, 4, 3)}{note}"""\n{body}'


def _steps(function: Small, bug: Bug, case: Case, got: Any) -> list[Step]:
    right, wrong = _differing(function.code, bug.code)
    steps = []
    if function.stages:
        trace = function.trace(case)
        trace = [each for i, each in enumerate(trace) if i == 0 or each != trace[i - 1]]
        way = f"{', then '.join(trace[:-1])}, and at last {trace[-1]}" if len(trace) > 1 else trace[0]
        steps.append(
            Step(
                f"By the description, {function.call(case)} should become {way}.", "What should happen, step by step?"
            )
        )
    else:
        steps.append(Step(f"{function.idea}", "How should it work?"))
    where = (
        f"The line `{wrong[-1 if len(wrong) > len(right) else 0].strip()}` is wrong"
        if wrong
        else f"A line is missing, `{right[0].strip()}`"
    )
    slip = None
    others = [line.strip() for line in function.code.split("\n")[1:] if line not in right and "return" not in line]
    if others:
        slip = Slip(f"The mistake may be in `{others[0]}`.", "That line does just what the description says.")
    steps.append(Step(f"{where}: {bug.effect}.", f"Instead it {told(got)}. Which line does that?", slip))
    if wrong and right:
        steps.append(
            Step(
                f"It has to be `{'`, then `'.join(line.strip() for line in right)}`.",
                "So I change that and nothing else.",
            )
        )
    elif wrong:
        steps.append(Step("That line has to go.", "So I take it out and change nothing else."))
    else:
        steps.append(
            Step(
                f"Put `{'` and `'.join(line.strip() for line in right)}` back in its place.",
                "So I add that and change nothing else.",
            )
        )
    return steps


def _check(function: Small, bug: Bug, case: Case) -> str:
    n = len(bug.fails)
    others = [each for each in function.cases if each not in [fail[0] for fail in bug.fails]]
    more = (
        f" And {function.call(others[0])}, which was right before, still gives {shown(others[0][1])}."
        if others
        else ""
    )
    return f"Now {function.call(case)} gives {shown(case[1])}{', as the test asks' if n else ''}.{more}"


def _differing(right: str, wrong: str) -> tuple[list[str], list[str]]:
    """The lines between the common beginning and the common end of two programs."""
    a, b = right.split("\n"), wrong.split("\n")
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return a, b


solve = proven

PIPELINE = Solver(
    make, solve, knobs="level: one to four operations or harder well-known functions, one bug", verifier="code"
)
