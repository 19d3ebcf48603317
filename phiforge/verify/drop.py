"""Whether a response gives DROP's answer: a number, a date or spans of the passage (Dua et al., arXiv:1903.00161, section 5).

`verifier_args`: `answers`, what annotators gave, each a text or a list of spans. The verdict is right where one is met exactly
but for case, articles, punctuation and how a number is written; its score is the best F1 of words.

Spans are bags of words, matched one to one so that the sum of F1 is largest; a bag with numbers has no F1 with one that shares
none. Unmatched spans count zero. The final answer is what follows the last "Answer:", else the whole response. Of an answer
with several spans it is read as one text and as a list, the better of both.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from functools import cache

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import MAX_RESPONSE_CHARS, visible

MAX_SPANS = 12  # that a response is read as a list of; with more it is one text
_ANSWER = re.compile(r"answer\s*:\s*([^\n]+)", re.I)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_LIST = re.compile(r",\s+(?:and\s+)?|;\s*|\s+and\s+", re.I)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def verify(response: str, problem: Problem) -> Verdict:
    """Compare the final answer of a response with every reference. Raises ValueError for a problem without references."""
    references = [[each] if isinstance(each, str) else list(each) for each in problem.verifier_args.get("answers", ())]
    references = [each for each in references if any(span.strip() for span in each)]
    if not references:
        raise ValueError(f"problem {problem.id}: verifier 'drop' needs `answers`")
    said = extracted(response, problem)
    if said is None:
        return Verdict(False, 0.0, "the response gives no final answer")
    readings = [(gold, given) for gold in references for given in _readings(said, gold)]
    score = max(f1(given, gold) for gold, given in readings)
    if any(_exact(given, gold) for gold, given in readings):
        return Verdict(True, 1.0, f"{said[:60]} is the answer")
    # Two texts of the same words in another order have an F1 of 1 and are not the same.
    return Verdict(False, score, f"{said[:60]!r} is not {' | '.join(references[0])[:60]!r}; F1 {score:.2f}")


def extracted(response: str, problem: Problem) -> str | None:
    """The final answer as written; None where the response is empty or its thought never ended."""
    shown = visible(response) if len(response) <= MAX_RESPONSE_CHARS else None
    if not shown or not shown.strip():
        return None
    stated = _ANSWER.findall(shown)
    return (stated[-1] if stated else shown).strip() or None


def f1(given: Sequence[str], gold: Sequence[str]) -> float:
    """The mean F1 of matched spans, over the larger number of spans; 0 to 1."""
    bags = [frozenset(_normal(span).split()) for span in gold]
    others = [frozenset(_normal(span).split()) for span in given]
    worth = [[_of_bags(bag, other) for other in others] for bag in bags]

    @cache
    def best(row: int, free: int) -> float:
        if row == len(bags):
            return 0.0
        taken = [worth[row][i] + best(row + 1, free & ~(1 << i)) for i in range(len(others)) if free >> i & 1]
        return max([best(row + 1, free), *taken])

    return best(0, (1 << len(others)) - 1) / max(len(bags), len(others))


def _readings(said: str, gold: Sequence[str]) -> list[list[str]]:
    parts = [part for part in _LIST.split(said.strip().rstrip(".")) if part.strip()]
    return [[said], parts] if len(gold) > 1 and 1 < len(parts) <= MAX_SPANS else [[said]]


def _exact(given: Sequence[str], gold: Sequence[str]) -> bool:
    return sorted(map(_normal, given)) == sorted(map(_normal, gold))


def _of_bags(gold: frozenset[str], given: frozenset[str]) -> float:
    numbers = set(filter(_is_number, gold))
    if numbers and not numbers & given:
        return 0.0
    if not gold or not given:
        return float(gold == given)
    return 2 * len(gold & given) / (len(gold) + len(given))


def _normal(text: str) -> str:
    """Lower case, no articles, no punctuation outside of numbers, numbers as floats write them; a hyphen parts words."""
    words = (_word(word) for word in re.split("[ -]", text.lower()))
    return " ".join(" ".join(words).split())


def _word(word: str) -> str:
    bare = word if _is_number(word) else word.translate(_NO_PUNCTUATION)
    return str(float(bare)) if _is_number(bare) else _ARTICLE.sub(" ", bare)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
