"""The final answer of a free-form response."""

from __future__ import annotations

import re

MAX_RESPONSE_CHARS = 4_000_000  # a million tokens
MAX_ANSWER_WORDS = 6  # of prose after "the answer is"; a longer phrase is a sentence that holds the answer

_BRACES = re.compile(r"(\\(?:boxed|fbox)\s*\{)|\\.|([{}])", re.S)
_GSM8K = re.compile(r"####[ \t]*(.*\S)")
_STATED = re.compile(
    r"\banswer\b(?:[^.:=\n]{0,40}?\b(?:is|was|equals)\b|[ \t*_]{0,8}[:=])(?:\s+(?:therefore|thus|then|simply)\b)?[\s*_:=]{0,16}",
    re.I,
)
_SENTENCE_END = re.compile(r"\n|(?<=[^\s.\\])[.!?](?=\s+[^\s=+*/-]|\s*$)")  # not in 5! = 120 or 10,\! 080
_AFTERTHOUGHT = re.compile(r"\s(?:because|since|as|so|which|where|when|for|after|given)\b", re.I)
_MATHS = re.compile(r"\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.S)
_PROSE = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{2,}")
_NUMBER = re.compile(
    r"""(?:(?<![\w).])[-−+])?(?:\\?\$|€|£)?
        (?: (?:\d+\s*)?\\[dt]?frac\s?\{[-\d]+\}\s?\{\d+\}
          | (?:\d{1,3}(?:(?:,|\{,\}|,\\!)\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?:\s?/\s?\d+)?
          | \.\d+ )
        (?:\s?\\?%)?""",
    re.X,
)


def visible(text: str) -> str | None:
    """The text outside <think>...</think>; None if a thought is left open. A tag that the template opened may be missing."""
    parts: list[str] = []
    position = 0
    first_end = text.find("</think>")
    if first_end >= 0 and "<think>" not in text[:first_end]:
        position = first_end + len("</think>")
    while (start := text.find("<think>", position)) >= 0:
        parts.append(text[position:start])
        end = text.find("</think>", start)
        if end < 0:
            return None
        position = end + len("</think>")
    return "".join([*parts, text[position:]])


def extract_answer(text: str) -> str | None:
    r"""The final answer of a response, as written, or None if it gives none or is over `MAX_RESPONSE_CHARS`.

    It is the first of these that is there: the last closed \boxed{...}; a last line `#### x` (GSM8K); what follows the
    last "answer is", "Answer:" or the like; the last number of the last sentence that has one. Thoughts do not count.
    """
    if len(text) > MAX_RESPONSE_CHARS:
        return None
    shown = visible(text)
    if shown is None:
        return None
    return boxed(shown) or _gsm8k(shown) or _stated(shown) or _last_number(shown)


def boxed(text: str) -> str | None:
    r"""The content of the last closed \boxed{...}, however deep its braces; None if there is none."""
    answer = None
    open_braces: list[int] = []  # where the content of a box begins, -1 for any other brace
    for match in _BRACES.finditer(text):
        if match[1]:
            open_braces.append(match.end())
        elif match[2] == "{":
            open_braces.append(-1)
        elif match[2] == "}" and open_braces:
            start = open_braces.pop()
            if start >= 0 and not text[start : match.start()].isspace() and start < match.start():
                answer = text[start : match.start()].strip()
    return answer


def _gsm8k(text: str) -> str | None:
    last_line = text.rstrip().rpartition("\n")[2]  # elsewhere #### is a Markdown heading
    match = _GSM8K.fullmatch(last_line.strip())
    return match[1] if match else None


def _stated(text: str) -> str | None:
    ends = [match.end() for match in _STATED.finditer(text)]
    if not ends:
        return None
    maths = _MATHS.match(text, ends[-1])
    if maths is not None:
        rest = _SENTENCE_END.split(text[maths.end() :], maxsplit=1)[0]
        if not _PROSE.search(rest) and len(rest) < 3:
            return next(group for group in maths.groups() if group is not None).strip()
    phrase = _SENTENCE_END.split(text[ends[-1] :], maxsplit=1)[0]
    phrase = _AFTERTHOUGHT.split(phrase, maxsplit=1)[0].strip().strip("*_").rstrip(".,;").strip()
    if len(_PROSE.findall(phrase)) > MAX_ANSWER_WORDS or not phrase:
        return _last_number(text[ends[-1] :])
    return phrase


def _last_number(text: str) -> str | None:
    """The last number of the last sentence that holds one: a decimal point is inside its number, so this is the last of all."""
    number = None
    for match in _NUMBER.finditer(text):
        number = match.group()
    return number
