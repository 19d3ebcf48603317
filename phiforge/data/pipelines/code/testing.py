"""Tests to write for a small function: they must pass for the right one and fail for every wrong version that is given.

The verifier runs the tests of the response against all versions, in an order that the response cannot know.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._bugs import Bug, bugs_of, told
from phiforge.data.pipelines.code._reply import fenced, small
from phiforge.data.pipelines.code._small import Case, Small, shown
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed

_ASKS = (
    "Write tests for this function.\n\n{stub}\n\nThey have to pass for a right implementation and to fail for each of these wrong ones:\n\n{wrong}\n\n{form}",
    "I want to be sure that `{name}` is tested well.\n\n{stub}\n\nPlease write tests that notice the following mistakes, without rejecting the right code.\n\n{wrong}\n\n{form}",
    "Here is what a function should do:\n\n{stub}\n\nIn the past people got it wrong like this:\n\n{wrong}\n\nWrite tests that would have caught that. {form}",
    "Mutation testing: {n} of the function below {survive} our tests.\n\n{stub}\n\n{wrong}\n\nWrite tests that kill {them} and accept the original. {form}",
    "{stub}\n\nGive me unit tests for this specification. As a minimum they must find these errors:\n\n{wrong}\n\n{form}",
    "Our test suite for `{name}` is too weak: it lets these through.\n\n{wrong}\n\nThe specification is\n\n{stub}\n\nWrite stronger tests. {form}",
    "Three people implemented this specification, and not all did it right.\n\n{stub}\n\nThe wrong code:\n\n{wrong}\n\nWrite tests that tell right from wrong. {form}",
    "Please test `{name}`.\n\n{stub}\n\nThe tests must fail when the code is changed in one of these ways:\n\n{wrong}\n\n{form}",
    "For the function specified here, find inputs that expose the wrong versions, and turn them into tests.\n\n{stub}\n\n{wrong}\n\n{form}",
    "Testing exercise. Specification:\n\n{stub}\n\nFaulty code:\n\n{wrong}\n\nYour tests should reject what is faulty and accept what is right. {form}",
    "I have a right implementation of this, which you cannot see, and the wrong ones below, which you can.\n\n{stub}\n\n{wrong}\n\nWrite tests that only mine passes. {form}",
    "Before we refactor `{name}`, I need regression tests.\n\n{stub}\n\nThey should catch at least this:\n\n{wrong}\n\n{form}",
    "Which tests does this function need, if the following slips are to be noticed?\n\n{stub}\n\n{wrong}\n\n{form}",
    "Write a short but sharp test for the specification below.\n\n{stub}\n\nSharp means that it does not let this pass:\n\n{wrong}\n\n{form}",
    "A reviewer wrote: \"There is no test that would find this.\"\n\n{wrong}\n\nThe function:\n\n{stub}\n\nAdd the missing tests. {form}",
    "Be the tester.\n\n{stub}\n\nSubmitted, and wrong:\n\n{wrong}\n\nWrite tests that show it, and that are fair to right submissions. {form}",
    "From this docstring, work out tests by hand.\n\n{stub}\n\nThey must be able to tell these apart from right code:\n\n{wrong}\n\n{form}",
    "Tests first: `{name}` is not written yet, only specified.\n\n{stub}\n\nWe fear mistakes like these, so the tests should find them.\n\n{wrong}\n\n{form}",
    "An automatic tool changed the code of `{name}`, and no test failed.\n\n{stub}\n\nThe changed code:\n\n{wrong}\n\nWrite tests that fail for it and pass for the original. {form}",
    "How can I tell by tests alone that someone handed in the following instead of the right thing?\n\n{wrong}\n\nThe right thing:\n\n{stub}\n\n{form}",
    "Cover this function with assertions.\n\n{stub}\n\nWhat must not get through:\n\n{wrong}\n\n{form}",
    "Quality assurance for `{name}`:\n\n{stub}\n\nKnown wrong versions:\n\n{wrong}\n\nI need tests that separate these from the right code. {form}",
)  # fmt: skip
_FORMS = (
    "Write plain functions whose names begin with `test_`, with `assert` in them; don't import the function.",
    "Use functions named `test_...` and `assert`; the function is there already when they run.",
    "Please give functions `test_...()` without parameters, with assertions about calls of the function, and nothing else.",
    "In the style of pytest, that is functions `test_...` with `assert`, and without any import.",
)
_SAYS = (
    "These tests tell them apart.",
    "The tests:",
    "Each line below was worked out from the description.",
    "The right version passes these, the wrong ones don't.",
)
_ENTRY = "outcome_of_tests_for_version"

_WRAPPER = """
_VERSIONS = {versions!r}

def {name}(*arguments):
    raise NotImplementedError("the function is only there while tests run")

def {entry}(number):
    space = globals()
    version = {{}}
    exec(_VERSIONS[number], version)
    space[{name!r}] = version[{name!r}]
    tests = [each for name, each in list(space.items()) if name.startswith("test") and callable(each)]
    if not tests:
        raise ValueError("there is no function whose name begins with test")
    try:
        for test in tests:
            test()
    except Exception:
        return "fails"
    return "passes"
"""


def make(draw: Draw, level: int) -> Draft:
    function = small(draw, level, 0.15)
    found = bugs_of(function, draw, (1, 1, 2, 3, 3, 4)[level])
    if not found or (level > 2 and len(found) < 2):
        raise Unfit
    chosen = _sharp(function, found)
    tests = _tests(function, chosen, found)
    ask, form = draw.between(0, len(_ASKS) - 1), draw.pick(_FORMS)
    while "Three people" in _ASKS[ask] and len(found) > 2:
        ask = draw.between(0, len(_ASKS) - 1)
    versions = draw.shuffled([function.program(), *(_with_imports(function, bug) for bug in found)])
    right = versions.index(function.program())
    order = draw.shuffled([*range(len(versions)), right, right])
    question = _ASKS[ask].format(
        stub=f"```python\n{function.stub(function.examples(draw, 1))}\n```",
        wrong="\n\n".join(_told(function, bug, number, len(found)) for number, bug in enumerate(found, 1)),
        form=form,
        name=function.name,
        n="one wrong version" if len(found) == 1 else f"{len(found)} wrong versions",
        survive="survives" if len(found) == 1 else "survive",
        them={1: "it", 2: "both"}.get(len(found), "them all"),
    )
    return Draft(
        question=question,
        answer=fenced(tests),
        facts={"tests": tests, "versions": versions, "right": right, "name": function.name},
        template=f"ask {ask}",
        steps=_steps(function, found),
        says=draw.pick(_SAYS),
        given=f"I need calls of `{function.name}` whose results show the difference: {function.spec[0].lower()}{function.spec[1:]}",
        check=_check(function, chosen, found),
        verifier="code",
        verifier_args={
            "entry_point": _ENTRY,
            "prompt": _WRAPPER.format(versions=versions, name=function.name, entry=_ENTRY),
            "tests": "\n".join(f'assert {_ENTRY}({i}) == "{"passes" if i == right else "fails"}"' for i in order),
        },
    )


def _with_imports(function: Small, bug: Bug) -> str:
    return function.program(bug.code)


def _told(function: Small, bug: Bug, number: int, n: int) -> str:
    """A wrong version, with a heading where there are several."""
    heading = f"Version {number}:\n\n" if n > 1 else ""
    return f"{heading}```python\n{function.program(bug.code)}\n```"


def _sharp(function: Small, found: list[Bug]) -> list[Case]:
    """Few, readable cases that show every bug, and one that is just usual."""
    chosen: list[Case] = []
    for bug in found:
        shows = [case for case, _ in bug.fails]
        if not any(case in shows for case in chosen):
            chosen.append(
                min(
                    shows, key=lambda case: sum(case in [c for c, _ in b.fails] for b in found) * -40 + len(repr(case))
                )
            )
    usual = [
        case
        for case in function.cases
        if case not in chosen and case[0][0] not in ([], "", {}) and len(repr(case)) < 160
    ]
    return [*chosen, *sorted(usual, key=lambda case: abs(len(repr(case)) - 60))[:1]]


def _tests(function: Small, chosen: list[Case], found: list[Bug]) -> str:
    lines = []
    for number, case in enumerate(chosen):
        caught = [str(n) for n, bug in enumerate(found, 1) if case in [each for each, _ in bug.fails]]
        what = (
            f"version_{'_and_'.join(caught)}"
            if 1 < len(found) != len(caught)
            else "all_versions"
            if len(found) > 1
            else "mistake"
        )
        what = (
            "usual"
            if number == len(chosen) - 1 > 0 or not caught
            else "nothing"
            if case[0][0] in ([], "", {})
            else what
        )
        head = f"def test_{what}():"
        head = f"def test_{what}_{number}():" if any(line == head for line in lines) else head
        lines += [head, f"    {function.test(case)}", "", ""]
    return "\n".join(lines).rstrip()


def _steps(function: Small, found: list[Bug]) -> list[Step]:
    steps = []
    for number, bug in enumerate(found, 1):
        case, got = min(bug.fails, key=lambda fail: len(repr(fail)))
        name = f"Version {number}" if len(found) > 1 else "The wrong version"
        agree = [each for each in function.cases if each not in [c for c, _ in bug.fails] and len(repr(each)) < 120]
        slip = None
        if agree:
            slip = Slip(
                f"{function.call(agree[0])} might show it.",
                f"No: right and wrong both give {shown(agree[0][1])} there.",
            )
        steps.append(
            Step(
                f"{name}: {bug.effect}. For {function.call(case)} it {told(got)}, and right is {shown(case[1])}.",
                "For which call does that make a difference?" if number == 1 else "And the next one?",
                slip,
            )
        )
    return steps


def _check(function: Small, chosen: list[Case], found: list[Bug]) -> str:
    case = chosen[-1]
    if function.stages:
        way = ", then ".join(function.trace(case))
        return f"The expected results have to be right themselves: {function.call(case)} gives, stage by stage, {way}."
    names = listed([str(n) for n in range(1, len(found) + 1)])
    return f"Going through the {count(len(chosen), 'assertion')} with the versions, {names} {'fails' if len(found) == 1 else 'fail'} at least one, and the right code passes all."


def solve(facts: dict[str, Any]) -> str:
    """Run the tests against all versions here. Raises AssertionError where a version is not told rightly."""
    for number, version in enumerate(facts["versions"]):
        space: dict[str, Any] = {}
        exec(version, space)
        exec(facts["tests"], space)
        passes = True
        try:
            for test in [each for name, each in list(space.items()) if name.startswith("test_")]:
                test()
        except Exception:
            passes = False
        assert passes == (number == facts["right"]), f"version {number} of {facts['name']} is not told rightly"
    return fenced(facts["tests"])


PIPELINE = Solver(
    make,
    solve,
    knobs="level: one to four operations or harder well-known functions, one to four wrong versions",
    verifier="code",
)
