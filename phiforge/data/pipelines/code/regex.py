"""Regular expressions: to write one for a description, to say which texts one matches, what it finds, and what it replaces.

Patterns are built of pieces that know what they match. `make` generates matching texts and near misses from the pieces; `solve`
decides with a matcher of its own over the pieces, and the verifier uses Python's `re`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._patterns import Piece, described, matches, pattern_of, pieces_of, sample, spoiled
from phiforge.data.pipelines.code._reply import fenced
from phiforge.data.rows import Unfit
from phiforge.data.words import listed

_WRITE_ASKS = (
    "Write a regular expression that matches these texts as a whole:\n\n{yes}\n\nbut not these:\n\n{no}\n\nIn words: {words}.",
    "I need a regex for the following: {words}.\n\nIt has to accept\n\n{yes}\n\nand to reject\n\n{no}",
    "Which pattern fits this description? The text is {words}.\n\nMatching examples:\n\n{yes}\n\nNot matching:\n\n{no}",
    "For a form field the input must be {words}. Give a regular expression for `re.fullmatch`.\n\nValid:\n\n{yes}\n\nInvalid:\n\n{no}",
    "Validate {what}: {words}.\n\nGood ones are\n\n{yes}\n\nBad ones are\n\n{no}\n\nWrite the regular expression.",
    "Our {what} look like this: {words}. Please write a regex that recognises exactly those.\n\nYes:\n\n{yes}\n\nNo:\n\n{no}",
    "Translate into a regular expression: {words}.\n\nTest it on these, which fit,\n\n{yes}\n\nand on these, which don't:\n\n{no}",
    "Help me with a Python regex. A whole text counts when it is {words}.\n\nSo these count:\n\n{yes}\n\nand these don't:\n\n{no}",
    "Give a pattern p such that `re.fullmatch(p, text)` succeeds just for texts that are {words}.\n\nFor example\n\n{yes}\n\nbut none of\n\n{no}",
    "A log parser has to recognise {what}. They are {words}.\n\nExamples:\n\n{yes}\n\nCounterexamples:\n\n{no}\n\nWhat is the pattern?",
    "Exercise on regular expressions. Describe this set of texts with one: {words}.\n\nInside the set:\n\n{yes}\n\nOutside:\n\n{no}",
)
_WRITE_FORMS = (
    'Answer with a Python block that holds `pattern = r"..."`; it is used with `re.fullmatch`.',
    'Put it into a Python code block as `pattern = r"..."`. It is applied to whole texts.',
    'Give it as `pattern = r"..."` in a Python block; anchors are not needed, for whole texts are matched.',
)
_WHICH_ASKS = (
    "Which of these texts does the regular expression match as a whole?\n\n{pattern}\n\n{texts}",
    "For which of the following is `re.fullmatch` with this pattern successful?\n\n{pattern}\n\n{texts}",
    "{pattern}\n\nName all texts of this list that the pattern matches from beginning to end.\n\n{texts}",
    "Decide for each text whether it matches completely.\n\nPattern:\n\n{pattern}\n\nTexts:\n\n{texts}",
    "A validator uses `re.fullmatch` with\n\n{pattern}\n\nWhich of these inputs does it accept?\n\n{texts}",
    "Given the regex\n\n{pattern}\n\nwhich lines pass?\n\n{texts}",
    "Check the list against the expression, whole texts only.\n\n{texts}\n\nExpression:\n\n{pattern}\n\nWhich ones match?",
)
_WHICH_FORM = "List the numbers of all that match, separated by commas."
_FIND_ASKS = (
    "What does this print?\n\n{code}",
    "What is the result of the last line?\n\n{code}",
    "{code}\n\nGive the output.",
    "Predict the output of this use of `re`.\n\n{code}",
    "Without running it, say what is printed.\n\n{code}",
    "A question about Python's `re` module. What does the following show?\n\n{code}",
)


def make(draw: Draw, level: int) -> Draft:
    kind = draw.pick(("write", "write", "write", "write", "which", "which", "which", "find", "find", "find"))
    return {"write": _write, "which": _which, "find": _find}[kind](draw, level)


def _texts(draw: Draw, pieces: list[Piece], n_yes: int, n_no: int) -> tuple[list[str], list[str]]:
    yes: list[str] = []
    no: list[str] = []
    for _ in range(60):
        if len(yes) == n_yes and len(no) == n_no:
            break
        text = sample(draw, pieces)
        if text and text not in yes and len(yes) < n_yes:
            yes.append(text)
        near = spoiled(draw, pieces)
        if (
            near
            and near not in no
            and near not in yes
            and near == near.strip()
            and not matches(tuple(pieces), near)
            and len(no) < n_no
        ):
            no.append(near)
    if len(yes) < min(n_yes, 2) or len(no) < 2:
        raise Unfit
    return yes, no


def _listing(texts: list[str]) -> str:
    return "\n".join(f"- `{text}`" for text in texts)


def _write(draw: Draw, level: int) -> Draft:
    what, pieces = pieces_of(draw, level)
    pattern = pattern_of(pieces)
    yes, no = _texts(draw, pieces, 9, 12)
    ask = draw.between(0, len(_WRITE_ASKS) - 1)
    shown_yes, shown_no = yes[: 3 + level // 3], no[: 3 + level // 2]
    words = described(pieces)
    question = _WRITE_ASKS[ask].format(yes=_listing(shown_yes), no=_listing(shown_no), words=words, what=what)
    tests = ["import re", "assert type(pattern) is str", "compiled = re.compile(pattern)"]
    tests += [f"assert compiled.fullmatch({text!r})" for text in yes] + [
        f"assert not compiled.fullmatch({text!r})" for text in no
    ]
    return Draft(
        question=f"{question}\n\n{draw.pick(_WRITE_FORMS)}",
        answer=fenced(f'pattern = r"{pattern}"'),
        facts={"kind": "write", "pattern": pattern, "pieces": _facts(pieces), "yes": yes, "no": no},
        template=f"write {ask}",
        steps=_building(pieces, draw),
        says=draw.pick(("The pattern:", "Put together:", "This expression fits.", "So the regex is this.")),
        given=f"The whole text has to be {words}.",
        check=f"{_split(pieces, shown_yes[0])} But {shown_no[0]} is rejected: {_why_not(pieces, shown_no[0])}",
        verifier="code",
        verifier_args={"tests": "\n".join(tests)},
    )


def _building(pieces: list[Piece], draw: Draw) -> list[Step]:
    steps = []
    for i, piece in enumerate(pieces):
        slip = None
        if piece.kind == "literal" and piece.pattern() != piece.text and i:
            slip = Slip(
                f'For "{piece.text}" just write {piece.text}.',
                "That sign has a meaning of its own in a regular expression, so it needs a backslash.",
            )
        elif piece.kind == "class" and piece.most > piece.least:
            slip = (
                Slip(f"`{piece.base()}+` for that.", f"The plus has no upper limit, and {piece.most} is the most.")
                if piece.most < 99
                else None
            )
        elif piece.kind == "choice" and len(pieces) > 1:
            slip = Slip(
                f"`{'|'.join(re.escape(each) for each in piece.words)}` without brackets.",
                "Then the bar would cut the whole expression in two.",
            )
        begun = "It begins with" if i == 0 else "After that it has"
        steps.append(
            Step(
                f"{begun} {piece.words_of()}: `{piece.pattern()}`.", "I go from left to right." if i == 0 else "", slip
            )
        )
    if len(pieces) > 1:
        steps.append(Step(f"One after another: `{pattern_of(pieces)}`."))
    return steps


def _why_not(pieces: list[Piece], text: str) -> str:
    """How far a text that doesn't match goes."""
    best = 0
    for n in range(len(text) + 1):
        for k in range(len(pieces) + 1):
            if matches(tuple(pieces[:k]), text[:n]):
                best = max(best, k)
    if best == len(pieces):
        return "something is left at its end."
    return (
        f"it doesn't go on with {pieces[best].words_of()}."
        if best
        else f"it doesn't begin with {pieces[0].words_of()}."
    )


def _split(pieces: list[Piece], text: str) -> str:
    """The parts of a text that the pieces match, as a sentence."""
    ways: dict[int, list[str]] = {0: []}
    for piece in pieces:
        ways = {
            end: [*parts, text[start:end]] for start, parts in ways.items() for end in sorted(piece.ends(text, start))
        }
    parts = [part or "nothing" for part in ways[len(text)]]
    return (
        f"{text} falls into {listed(parts)}, a part for each piece."
        if len(parts) > 1
        else f"{text} is covered by the one piece."
    )


def _which(draw: Draw, level: int) -> Draft:
    _, pieces = pieces_of(draw, level)
    pattern = pattern_of(pieces)
    yes, no = _texts(draw, pieces, 4, 6)
    n = draw.between(1, min(4, len(yes)))
    texts = draw.shuffled([*yes[:n], *no[: 6 - n]])
    right = [i for i, text in enumerate(texts, 1) if text in yes]
    answer = ", ".join(map(str, right))
    ask = draw.between(0, len(_WHICH_ASKS) - 1)
    listing = "\n".join(f"{i}. `{text}`" for i, text in enumerate(texts, 1))
    steps = [Step(f"The pattern asks for {described(pieces)}.", "I read it piece by piece.")]
    for i, text in enumerate(texts, 1):
        slip = None
        if i not in right and re.search(pattern, text):
            slip = Slip(
                f"Number {i} contains a match, so it counts.", "The whole text has to match, not a part of it."
            )
        steps.append(
            Step(
                f"{i}. {text} matches." if i in right else f"{i}. {text} does not: {_why_not(pieces, text)}", "", slip
            )
        )
    return Draft(
        question=f"{_WHICH_ASKS[ask].format(pattern=f'`{pattern}`', texts=listing)}\n\n{_WHICH_FORM}",
        answer=answer,
        facts={"kind": "which", "pattern": pattern, "pieces": _facts(pieces), "texts": texts},
        template=f"which {ask}",
        steps=steps,
        says=f"{len(right)} of the {len(texts)} match." if len(right) > 1 else "Just one of them matches.",
        given="The pattern must cover each text from its first to its last character.",
        check=_split(pieces, texts[right[-1] - 1]),
        verifier="choice",
        verifier_args={"unordered": True},
    )  # fmt: skip


# --- finding and replacing ----------------------------------------------------------------------------------------------

_SENTENCES = (
    "Room 12, floor 3, key 407", "call 555-0182 or 555-0199", "a1 b22 c333 d4", "x=3, y=14, zz=159", "on 2024-05-17 and 2023-11-02", "red, green; blue", "2 eggs, 10 pears and 250 g flour",
    "Tim has 3 cats, Ann has 12", "v1.2 then v1.10 then v2.0", "AB12 cd34 EF56", "from 9:30 to 17:45", "id7 id42 ID9 id", "12 apples + 8 plums = 20", "aa ab ba bb abab", "no1 no22 No3",
    "one two  three   four", "tea: 3, milk: 12, jam: 7", "p4 q55 r6 s77", "up-to-date and well-known", "cat hat bat that", "Mon 08:00, Tue 10:15", "error 404 and error 500", "7 up, 12 down, 105 level", "ab12c3 d45",
    "Bus 42 leaves at 9", "go on, go up, go!", "10% of 250 is 25", "page 3 of 17", "B52 and A380", "k9 and r2d2",
)  # fmt: skip
_FINDS = (
    (1, r"\d+", "runs of digits"), (1, r"[a-z]+", "runs of small letters"), (1, r"[A-Z]\w*", "a capital letter with the letters and digits after it"), (1, r"\d", "single digits"),
    (2, r"\b\w{3}\b", "words of exactly three characters"), (2, r"[aeiou]", "small vowels"), (2, r"\b\w", "the first character of each word"), (2, r"\w+(?=,)", "words before a comma"),
    (3, r"[a-z]\d", "a small letter directly followed by a digit"), (3, r"\d{2,}", "runs of two or more digits"), (3, r"([a-z]+)\s*(\d+)", "letters and the number after them, as pairs"), (3, r"(\w)\w*", "the first character of each word, as the group"),
    (4, r"\b(\w)\w*\1\b", "the first letter of words that end with it"), (4, r"(?<=\s)\d+", "digits after a space"), (4, r"(\d)(\d)", "pairs of digits, not overlapping"), (4, r"\w+?\d", "as few characters as possible up to a digit"),
    (5, r"\b(?!a)\w+", "words that don't begin with a"), (5, r"(\d+)(?!\d|:)", "numbers not followed by a colon"), (5, r"[^\W\d]+(?= \d)", "letters before a space and a digit"), (5, r"(\w)\1", "characters that are doubled"),
)  # fmt: skip
_SUBS = (
    (1, r"\d", "#"), (1, r"\s+", "_"), (2, r"\d+", "N"), (2, r"[aeiou]", ""), (3, r"(\w+) (\w+)", r"\2 \1"), (3, r"(\d+)", r"<\1>"), (4, r"\b(\w)", r"(\1)"), (4, r"(\w)(\d)", r"\2\1"),
    (5, r"(\d)(?=\d)", r"\1."), (5, r"(\w)(\w*)", r"\2\1"), (2, r"[^a-z ]", ""), (3, r"\b\w{2}\b", "--"),
)  # fmt: skip


def _find(draw: Draw, level: int) -> Draft:
    text = draw.pick(_SENTENCES)
    if draw.chance(0.5):
        text = " ".join(draw.shuffled(text.split()))
    text = re.sub(r"\d", lambda m: str((int(m[0]) + shift) % 10), text) if (shift := draw.between(0, 9)) else text
    ask = draw.between(0, len(_FIND_ASKS) - 1)
    if draw.chance(0.6):
        _, pattern, words = draw.pick([each for each in _FINDS if abs(each[0] - level) <= 1])
        result: Any = [
            m.group(1) if m.re.groups == 1 else m.groups() if m.re.groups else m.group()
            for m in re.finditer(pattern, text)
        ]
        how, call = "findall", f're.findall(r"{pattern}", text)'
        if not 1 <= len(result) <= 8:
            raise Unfit
        if len(result) > 5 or draw.chance(0.25):
            call, result = f"len({call})", len(result)
        spans = [m.group() for m in re.finditer(pattern, text)]
        steps = [
            Step(f"The pattern `{pattern}` describes {words}.", "First the pattern."),
            Step(f"From left to right the matches are {', '.join(spans)}.", "The search goes on behind each match.", Slip(f"`{pattern}` is looked for only once.", "`findall` goes on to the end of the text.") if len(spans) > 1 else None),
        ]  # fmt: skip
        if call.startswith("len("):
            steps.append(Step(f"Counted, that makes {result}."))
        elif re.compile(pattern).groups:
            steps.append(Step("With groups in the pattern `findall` gives what the groups hold, not the whole match."))
    else:
        _, pattern, new = draw.pick([each for each in _SUBS if abs(each[0] - level) <= 1])
        count = draw.between(1, 2) if draw.chance(0.3) else 0
        result = re.sub(pattern, new, text, count=count)
        if result == text:
            raise Unfit
        how, call = "sub", f're.sub(r"{pattern}", r"{new}", text{f", count={count}" if count else ""})'
        hits = [m.group() for m in re.finditer(pattern, text)][: count or None]
        replaced_texts = ", ".join(repr(hit) for hit in hits[:8]) + (" and so on" if len(hits) > 8 else "")
        replaced = f"by `{new}`" if new else "by nothing"
        steps = [
            Step(f"The matches of `{pattern}` that are replaced are {replaced_texts}.", "First I find what is matched.", Slip("Only the first match is replaced.", "Without `count` all of them are.") if not count and len(hits) > 1 else None),
            Step(f"Each is replaced {replaced}{', where the numbers stand for the groups' if chr(92) in new else ''}, which gives {result}."),
        ]  # fmt: skip
    if isinstance(result, str) and (result != result.strip(" .!") or "  " in result):
        raise Unfit
    code = f'import re\n\ntext = "{text}"\nprint({call})'
    answer = str(result)
    return Draft(
        question=_FIND_ASKS[ask].format(code=f"```python\n{code}\n```"),
        answer=answer,
        facts={"kind": how, "code": code, "pattern": pattern, "text": text, "result": answer},
        template=f"{how} {ask}",
        steps=steps,
        says="That is what is printed.",
        given=f'The text is "{text}".',
        check=f"The text has {len(text)} characters; what no match covers stays as it is, and the result is {answer}." if how == "sub" else f"Nothing else in the text fits {pattern}, so it stays at {answer}.",
        verifier="choice",
    )  # fmt: skip


# --- the solver -----------------------------------------------------------------------------------------------------------


def _facts(pieces: list[Piece]) -> list[dict[str, Any]]:
    return [piece.as_facts() for piece in pieces]


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def solve(facts: dict[str, Any]) -> str:
    """Match the pieces with a matcher of our own; run the code where it is code. Raises AssertionError where texts disagree."""
    if facts["kind"] in ("findall", "sub"):
        printed: list[str] = []
        exec(facts["code"], {"print": lambda value: printed.append(str(value))})
        return printed[0]
    pieces = tuple(Piece.from_facts(each) for each in facts["pieces"])
    if facts["kind"] == "which":
        return ", ".join(str(i) for i, text in enumerate(facts["texts"], 1) if matches(pieces, text))
    compiled = _compiled(facts["pattern"])
    for text in [*facts["yes"], *facts["no"]]:
        assert matches(pieces, text) == bool(compiled.fullmatch(text)) == (text in facts["yes"]), (
            f"{text!r} and {facts['pattern']}"
        )
    return fenced(f'pattern = r"{facts["pattern"]}"')


PIPELINE = Solver(
    make,
    solve,
    knobs="level: two to five pieces, classes, repeats, options and alternatives; look-around and back-references",
    verifier="code",
)
