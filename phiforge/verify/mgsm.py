"""Whether a response gives MGSM's whole number, found as simple-evals finds it: the last number after the last word for
"Answer" of the problem's language. A response without that word is wrong, whatever number it ends on.

`Problem.metadata`: `subset`, the language (`ANSWER` has them).
"""

from __future__ import annotations

import re

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import MAX_RESPONSE_CHARS, visible

ANSWER = {
    "bn": "উত্তর", "de": "Antwort", "en": "Answer", "es": "Respuesta", "fr": "Réponse", "ja": "答え", "ru": "Ответ",
    "sw": "Jibu", "te": "సమాధానం", "th": "คำตอบ", "zh": "答案",
}  # fmt: skip
_NUMBER = re.compile(r"\d+(?:\.\d*)?")


def verify(response: str, problem: Problem) -> Verdict:
    """Compare the number with `Problem.answer`. Raises ValueError for a language that is not one of `ANSWER`."""
    said = extracted(response, problem)
    if said is None:
        return Verdict(False, 0.0, f"no number after {_word(problem)!r}")
    right = float(said) == float(problem.answer.replace(",", ""))
    return Verdict(right, float(right), f"{said} is {'' if right else 'not '}{problem.answer}")


def extracted(response: str, problem: Problem) -> str | None:
    """The number as written, without separators of thousands."""
    shown = visible(response) if len(response) <= MAX_RESPONSE_CHARS else None
    _, found, after = (shown or "").rpartition(_word(problem))
    numbers = _NUMBER.findall(after.replace(",", "")) if found else []
    return numbers[-1].rstrip(".") if numbers else None


def _word(problem: Problem) -> str:
    language = str(problem.metadata.get("subset", ""))
    if language not in ANSWER:
        raise ValueError(f"problem {problem.id}: {language!r} is none of MGSM's languages {', '.join(ANSWER)}")
    return ANSWER[language]
