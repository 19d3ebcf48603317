"""What each equation of a solution is of, in the solution's own words.

    Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.    ->    $ Weng, per minute: 12/60=0.2

Equations alone leave out their units, and a model that learns from those multiplies hours a week by days a week. A label
stands before its equation, so that what is sought is told before it is computed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

NOTE = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")
LONGEST = 5  # words

_RESULT = re.compile(r"\s*(\$)?[\d.,]*\d(?:\.(?=\s|$))?(\s*%)?([^.;,\n=\d$(]*)")
_LEFT = re.compile(r"[-+*/×x()$\d.,%\s=’']*$")
_OTHER = re.compile(r"[^A-Za-z%’'/ -]")
# fmt: off
_NEXT = {  # another clause begins
    "so", "and", "but", "because", "since", "which", "then", "while", "if", "when",
}
_LOOSE = {
    "a", "the", "of", "in", "for", "to", "and", "on", "at", "with", "that", "by", "from", "x", "per", "is", "are", "was",
    "were", "or", "his", "her", "their", "than",
}
_BEFORE = {
    "is", "are", "was", "be", "costs", "of", "a", "to", "for", "by", "equals", "because", "so", "that’s", "that's", "the",
    "at", "x", "equal", "it's", "means", "there", "in", "s", "which", "you", "get",
}
_BEGIN = {
    "of", "and", "to", "the", "a", "for", "so", "that", "in", "is", "then", "by", "be", "because", "he", "she", "they",
    "are", "will", "was",
}
# fmt: on
_ORDINALS = {"st", "nd", "rd", "th"}


class Labels:
    """Made from texts of the kind to label: what they hold in small letters is no name, wherever it stands."""

    def __init__(self, texts: Iterable[str]) -> None:
        seen = Counter(word for text in texts for word in re.findall(r"\b[a-z]+\b", text))
        self._common = {word for word, times in seen.items() if times > 1}

    def __call__(self, solution: str) -> list[str]:
        """A label for each note of a solution, "" where it says nothing."""
        body = solution.rpartition("####")[0].strip() or solution.strip()
        labels, start = list[str](), 0
        for note in NOTE.finditer(body):
            labels.append(self._label(body[start : note.start()], body[note.end() :]))
            start = note.end()
        return labels

    def _label(self, before: str, after: str) -> str:
        result = _RESULT.match(after)
        money = before.rstrip().endswith("$") or bool(result and result[1])
        words = _following(f"{'% ' if result[2] else ''}{result[3]}") if result else []
        words = [found for word in words or _leading(before) if (found := word.strip("/-")) and word not in _ORDINALS]
        names = [word for word in re.findall(r"\b[A-Z][a-z]+\b", before) if word.lower() not in self._common]
        if names and names[-1] not in words:
            words = [names[-1] + ("," if words else ""), *words]
        return " ".join(["$", *words] if money else words)


def _following(text: str) -> list[str]:
    """The words after a result, to the end of their clause: "clips in May"."""
    words = _OTHER.sub("", text).strip(" -").split()
    end = next((i for i, word in enumerate(words) if word in _NEXT), len(words))
    words = words[: min(end, LONGEST)]
    while len(words) > 1 and words[-1].lower() in _LOOSE:
        words.pop()
    return [] if words[:1] == ["x"] else words


def _leading(text: str) -> list[str]:
    """The words before an equation, where nothing follows: "total cost of the accident"."""
    words = _OTHER.sub(" ", _LEFT.sub("", text.rpartition("\n")[2])).split()
    while words and words[-1].lower() in _BEFORE:
        words.pop()
    words = words[-LONGEST:]
    while words and words[0].lower() in _BEGIN:
        words.pop(0)
    return words
