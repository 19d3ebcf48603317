"""A long text of plain sentences with codes hidden in it. Nearly every word is one token in the tokenizers around."""

import random
from collections.abc import Mapping


def _words(text: str) -> list[str]:
    return text.split()


_SUBJECTS = _words("man woman child teacher doctor farmer driver worker student writer friend neighbor")
_VERBS = _words("found saw took moved carried watched opened closed sold bought kept lost")
_OBJECTS = _words("book table letter box window door chair bottle bag picture wheel paper")
_PLACES = _words("house garden market river station school church bridge office store park street")
_TIMES = _words("morning evening afternoon night spring summer winter")
_COLOURS = _words("red blue green black white brown silver golden purple orange pink gray")
_MATERIALS = _words("stone iron wooden glass paper cotton crystal copper")
_THINGS = _words(
    "tower castle forest island mountain valley harbor village temple palace desert canyon meadow lake ship train"
)
_CODES = _words(
    "apple tiger candle pepper monkey lemon rocket guitar planet dragon butter pencil rabbit hammer cookie eagle camera "
    "button cherry falcon tunnel mirror helmet carpet coffee potato kitten turtle violin walnut anchor basket bucket cactus "
    "circus donkey engine feather garlic hunter insect jacket kettle ladder magnet needle oyster parrot"
)

SENTENCE = 12  # tokens of a sentence of `_plain` with its full stop
OUTSIDE = (
    384  # tokens of what stands around: the question, a chat template and a system message (phi-4-reasoning's has 230)
)
MOST = 1_024  # codes in a text


def needles(rng: random.Random, n: int, *, numbers: bool = False) -> dict[str, str]:
    """`n` codes by what they are the code of, all different: words (two each where many are needed), or seven-digit numbers."""
    keys = [f"{colour} {material} {thing}" for colour in _COLOURS for material in _MATERIALS for thing in _THINGS]
    if numbers:
        values = [str(number) for number in rng.sample(range(1_000_000, 10_000_000), n)]
    else:
        values = rng.sample(_CODES if n <= len(_CODES) else [f"{a}-{b}" for a in _CODES for b in _CODES], n)
    return dict(zip(rng.sample(keys, n), values, strict=True))


def haystack(rng: random.Random, hidden: Mapping[str, str], tokens: int) -> str:
    """Sentences of at most `tokens` tokens with what stands around them, the codes among them at random places."""
    codes = [f"The code of the {key} is {value}." for key, value in hidden.items()]
    room = tokens - OUTSIDE - sum(map(_most_tokens, codes))
    sentences = [_plain(rng) for _ in range(max(0, room // SENTENCE))]
    for code in codes:
        sentences.insert(rng.randint(0, len(sentences)), code)
    return " ".join(sentences)


def _plain(rng: random.Random) -> str:
    subject, verb, thing, place, time = map(rng.choice, (_SUBJECTS, _VERBS, _OBJECTS, _PLACES, _TIMES))
    return f"The {subject} {verb} the {thing} near the {place} in the {time}."


def _most_tokens(code: str) -> int:
    """The eight words of a code's sentence are one token each, its value up to two a word, a digit one; two are the rest's."""
    value = code.rpartition(" ")[2].rstrip(".")
    return 10 + (len(value) if value.isdecimal() else 5 if "-" in value else 2)
