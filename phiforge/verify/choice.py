r"""Whether a response chose the right option, or gave the right text.

`verifier_args`:
    options     the texts of the options A, B, C, …; `Problem.answer` is the letter of the right one. A response may give
                the letter or the option's text, not both of two.
    unordered   the answer is a list, "a, b and c", of which the order does not matter
    aliases     other texts that are right too
Without options the final answer is compared as text, but for case, spaces, quotes and the full stop.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from string import ascii_uppercase

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import MAX_RESPONSE_CHARS, boxed, visible

_LINE = re.compile(
    r"(?:^|(?<=[.!?\s]))(?:\*\*|__)?(?:my |the |so the |final |correct |right )*"
    r"(?:answer|choice|option)(?:\*\*|__)?\s*(?:[:=]|\bis\b:?|\bwould be\b|\bmust be\b)(?:\*\*|__)?[ \t]*\n?[ \t]*([^\n]+)",
    re.I,
)
_LETTER = re.compile(
    r"""(?:\*\*|__|["'`$])*(?:option\s+|choice\s+|answer\s+)?(?:\\text(?:bf)?\{)?
        (?:\((?P<round>[A-Za-z])\)|\[(?P<square>[A-Za-z])\]|(?P<bare>[A-Za-z])(?![\w'’]))
        \}?(?:\*\*|__|["'`$])*\s*(?P<rest>.*)""",
    re.X | re.S | re.I,
)
_ANOTHER = re.compile(r"^(?:,|/|&|and\b|or\b)\s*(?:both\s+)?\(?([A-Za-z])\b(?!['’])", re.I)
_WRAP = " \t\n*_`\"'“”‘’«»$"


def verify(response: str, problem: Problem) -> Verdict:
    """Compare the final answer of a response with `problem.answer`. A response without one is wrong, and says so."""
    args = problem.verifier_args
    options: Sequence[str] = args.get("options") or ()
    said = final_answer(response, n_options=len(options))
    if said is None:
        return Verdict(False, 0.0, "the response gives no final answer")
    if options:
        return _judge_option(said, problem.answer, options)
    right = [problem.answer, *args.get("aliases", ())]
    read = _as_set if args.get("unordered") else plain
    if read(said) in [read(text) for text in right]:
        return Verdict(True, 1.0, f"{said} is the answer")
    return Verdict(False, 0.0, f"{_short(said)} is not {_short(problem.answer)}")


def final_answer(response: str, n_options: int = 0) -> str | None:
    r"""The final answer as written: the last \boxed{...}, what follows the last "Answer:" or "the answer is", or, where
    there are options, a letter that stands alone on the last line or is the whole response. Thoughts do not count."""
    shown = visible(response) if len(response) <= MAX_RESPONSE_CHARS else None
    if not shown or not shown.strip():
        return None
    if box := boxed(shown):
        return box
    if lines := _LINE.findall(shown):
        return lines[-1].strip(_WRAP) or None
    last = shown.strip().rpartition("\n")[2].strip(_WRAP)
    if n_options and _letter(last, n_options) is not None:
        return last
    return last if "\n" not in shown.strip() and len(last) <= 200 else None


def plain(text: str) -> str:
    """A text as it is compared: lower case, one space between words, no quotes, emphasis, closing full stop or \\text."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}", r"\1", text).replace("−", "-")
    return " ".join(text.casefold().strip(_WRAP).rstrip(".!").strip(_WRAP).split())


def _as_set(text: str) -> frozenset[str]:
    parts = re.split(r",\s*(?:and\s+)?|;\s*|\s+and\s+|\n", plain(text).strip("{}[]()"))
    return frozenset(part.strip() for part in parts if part.strip())


def _judge_option(said: str, answer: str, options: Sequence[str]) -> Verdict:
    right = ascii_uppercase.index(answer.strip().upper()) if len(answer.strip()) == 1 else -1
    if not 0 <= right < len(options):
        raise ValueError(f"answer {answer!r} names none of {len(options)} options; expected a letter from A on")
    chosen = _letter(said, len(options))
    exact = [i for i, option in enumerate(options) if plain(option) == plain(said)]
    if exact and (chosen is None or len(plain(said)) > 1):
        chosen = exact[0] if len(exact) == 1 else None
    if chosen is None:
        return Verdict(False, 0.0, f"{_short(said)} is not one of the options")
    letter = ascii_uppercase[chosen]
    if chosen == right:
        return Verdict(True, 1.0, f"{letter} is right")
    return Verdict(False, 0.0, f"{letter} was chosen, {ascii_uppercase[right]} is right")


def _letter(text: str, n_options: int) -> int | None:
    """The index of the option that a text begins with: "B", "(b)", "B. Paris", "option B"; None for two, or for "A dog"."""
    match = _LETTER.match(text.strip())
    if match is None:
        return None
    letter, rest = match["round"] or match["square"] or match["bare"], match["rest"].strip()
    if _ANOTHER.match(rest):
        return None
    if match["bare"] and rest and not re.match(r"[.):,;\-–—:(]|because\b|since\b|as\b|is\b", rest, re.I):
        return None  # the article, or a sentence that begins with I
    index = ascii_uppercase.find(letter.upper())
    return index if 0 <= index < n_options else None


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
