r"""The same text as a target, once it has been filtered: what lm-evaluation-harness calls exact_match.

`Problem.verifier_args`, all optional:

    targets              texts of which one must be met, instead of the problem's answer
    filters              {name: [step, ...]}: the first decides, the others are `measures`. Steps are {"function": "regex",
                         "regex_pattern", "group_select", "fallback"}, "remove_whitespace", "lowercase", "uppercase", "take_first"
    regexes_to_ignore    patterns whose matches are taken out of both sides
    ignore_case, ignore_punctuation, ignore_numbers

The rules follow lm_eval/filters/extraction.py and lm_eval/api/metrics.py of lm-eval 0.4.13.
"""

from __future__ import annotations

import re
import string
from typing import Any

from phiforge.records import Problem, Verdict

STEPS: dict[str, set[str]] = {
    "regex": {"regex_pattern", "group_select", "fallback"},
    "remove_whitespace": set(),
    "lowercase": set(),
    "uppercase": set(),
    "take_first": set(),
}
FLAGS = ("ignore_case", "ignore_punctuation", "ignore_numbers")
ARGUMENTS = {"targets", "filters", "regexes_to_ignore", *FLAGS}
DEFAULT_PATTERN, FALLBACK = r"#### (\-?[0-9\.\,]+)", "[invalid]"


def verify(response: str, problem: Problem) -> Verdict:
    """Whether what the first filter leaves of the response is one of the targets. Raises ValueError for arguments unknown."""
    filters = _filters(problem)
    right = _matches(filtered(response, next(iter(filters.values()))), problem)
    return Verdict(correct=right, score=float(right), reason="the same text" if right else "another text")


def extracted(response: str, problem: Problem) -> str | None:
    """What the first filter leaves; None where its pattern is not found."""
    steps = next(iter(_filters(problem).values()))
    said = filtered(response, steps)
    return None if said in {str(step.get("fallback", FALLBACK)) for step in steps} else said


def measures(response: str, problem: Problem) -> dict[str, float]:
    """exact_match by every filter, where there are several."""
    filters = _filters(problem)
    if len(filters) < 2:
        return {}
    return {f"exact_match, {name}": float(_matches(filtered(response, s), problem)) for name, s in filters.items()}


def filtered(text: str, steps: list[dict[str, Any]]) -> str:
    """The text after the steps, in their order. Raises ValueError for a step that is not known."""
    for step in steps:
        check(step)
        match step["function"]:
            case "regex":
                text = _found(text, step)
            case "remove_whitespace":
                text = text.strip()
            case "lowercase":
                text = text.lower()
            case "uppercase":
                text = text.upper()
            case _:  # take_first: of several answers; here is one
                pass
    return text


def check(step: dict[str, Any]) -> None:
    """Raises ValueError for a step of a filter that is not known, or has arguments unknown."""
    name = str(step.get("function"))
    if name not in STEPS:
        raise ValueError(f"filter {name!r} is not known; these are: {', '.join(STEPS)}")
    if more := step.keys() - STEPS[name] - {"function"}:
        raise ValueError(f"filter {name}: {', '.join(sorted(more))} not known")


def _found(text: str, step: dict[str, Any]) -> str:
    """The match that `group_select` counts, from the end where negative; of its groups the first that holds something."""
    fallback = str(step.get("fallback", FALLBACK))
    matches: list[Any] = re.findall(str(step.get("regex_pattern", DEFAULT_PATTERN)), text)
    if not matches:
        return fallback
    match = matches[int(step.get("group_select", 0))]
    groups: list[str] = [match] if isinstance(match, str) else list(match)
    return next((group for group in groups if group), fallback if len(groups) > 1 else "").strip()


def _matches(said: str, problem: Problem) -> bool:
    targets: list[str] = problem.verifier_args.get("targets") or [problem.answer]
    return any(_plain(said, problem) == _plain(str(target), problem) for target in targets)


def _plain(text: str, problem: Problem) -> str:
    args = problem.verifier_args
    for pattern in args.get("regexes_to_ignore") or ():
        text = re.sub(pattern, "", text)
    if args.get("ignore_case"):
        text = text.lower()
    if args.get("ignore_punctuation"):
        text = text.translate(str.maketrans("", "", string.punctuation))
    if args.get("ignore_numbers"):
        text = text.translate(str.maketrans("", "", string.digits))
    return text


def _filters(problem: Problem) -> dict[str, list[dict[str, Any]]]:
    if unknown := problem.verifier_args.keys() - ARGUMENTS:
        raise ValueError(f"problem {problem.id}: verifier 'exact_match' does not know {', '.join(sorted(unknown))}")
    return problem.verifier_args.get("filters") or {"none": []}
