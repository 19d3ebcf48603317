"""The language of a text, by py3langid's naive Bayes over byte n-grams."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

SAMPLE = 800  # characters that are looked at: a quarter of a millisecond
FEW = 24  # letters; fewer are too few to tell
SURE = 0.5

# Code, formulas and addresses look like some language that nobody wrote.
_NO_PROSE = re.compile(
    r"```.*?(?:```|\Z)|\$\$.+?\$\$|\$[^$\n]{1,200}\$|\\\(.+?\\\)|\\\[.+?\\\]|\\[A-Za-z]+|https?://\S+|\S+@\S+|<[^<>\n]{1,80}>|`[^`\n]+`",
    re.DOTALL,
)


def identify(text: str) -> tuple[str, float]:
    """The language's ISO 639-1 code and how probable it is; ("und", 0.0) where there is too little prose to tell."""
    prose = _NO_PROSE.sub(" ", text[: 4 * SAMPLE])[:SAMPLE]
    letters = sum(map(str.isalpha, prose))
    if letters < FEW and not (letters >= 6 and max(prose, default="") > "\u2e80"):  # six ideographs say much
        return "und", 0.0
    language, probability = _classifier().classify(prose)
    return str(language), float(probability)


class Language:
    """Keeps texts in some languages, and those that don't tell theirs (formulas, code, a few words)."""

    def __init__(self, languages: Collection[str] = ("en",), sure: float = SURE) -> None:
        if isinstance(languages, str):
            languages = languages.split(",")
        known = set(_classifier().nb_classes)
        if unknown := sorted(set(languages) - known):
            raise ValueError(
                f"no language {', '.join(unknown)} is known; codes of two letters: {', '.join(sorted(known))}"
            )
        self.languages, self.sure = frozenset(languages), sure

    def __call__(self, text: str) -> str | None:
        """ "language: de" of a text that is in another language with a probability of at least `sure`."""
        language, probability = identify(text)
        if language in self.languages or language == "und" or probability < self.sure:
            return None
        return f"language: {language}"


@cache
def _classifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
