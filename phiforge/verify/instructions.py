"""Whether a response keeps to constraints that can be checked: lengths, words, letters, format, case, language.

`verifier_args`:
    constraints   [{"kind": ..., ...}], each followed or not; the score is the share that is followed
    loose         True where a first or last line around the answer, and emphasis, don't count against it (IFEval's loose)
    figures       True where IFEval's further figures are wanted as measures

The kinds of IFEval (arXiv:2311.07911) have its names and arguments, so that its file can be used as it is; those without a
colon are ours. A relation is "less than", "at least", "at most" or "exactly".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

from phiforge.records import Problem, Verdict
from phiforge.verify.math_extract import visible

Check = Callable[..., str]  # of the response and the constraint's arguments; what is wrong, empty if nothing

KINDS: dict[str, Check] = {}


def verify(response: str, problem: Problem) -> Verdict:
    """Check a response against its problem's constraints. Raises ValueError for a kind or an argument that is not known."""
    wrong = _wrong(response, problem, loose=bool(problem.verifier_args.get("loose")))
    kept = sum(not reason for reason in wrong)
    reason = next((reason for reason in wrong if reason), "every constraint is kept")
    return Verdict(kept == len(wrong), kept / len(wrong), reason)


def measures(response: str, problem: Problem) -> dict[str, float]:
    """IFEval's other three figures, where they are wanted: whether all is kept by loose reading, how many are by either."""
    if not problem.verifier_args.get("figures"):
        return {}
    strict, loose = (_wrong(response, problem, loose=loose) for loose in (False, True))
    kept, loosely, n = (float(each) for each in (strict.count(""), loose.count(""), len(strict)))
    return {
        "loose": float(loosely == n),
        "instructions": kept, "of instructions": n, "instructions, loose": loosely, "of instructions, loose": n,
    }  # fmt: skip


def _wrong(response: str, problem: Problem, *, loose: bool) -> list[str]:
    """How each constraint is broken, empty where it is kept."""
    constraints: list[dict[str, Any]] = problem.verifier_args.get("constraints") or []
    if not constraints:
        raise ValueError("an instructions problem needs `constraints`")
    shown = (visible(response) or "").strip()
    if not shown:
        return ["the response is empty"] * len(constraints)
    variants = [each for each in _variants(shown) if each.strip()] if loose else [shown]
    return [min((broken(each, text) for text in variants), key=bool) for each in constraints]


def broken(constraint: dict[str, Any], response: str) -> str:
    """How a response breaks a constraint; empty if it keeps it. Raises ValueError for a constraint that makes no sense."""
    kind = str(constraint.get("kind", ""))
    if kind not in KINDS:
        raise ValueError(f"no constraint is called {kind!r}; there are {', '.join(sorted(KINDS))}")
    arguments = {name: value for name, value in constraint.items() if name != "kind" and value is not None}
    try:
        return KINDS[kind](response, **arguments)
    except TypeError as error:
        raise ValueError(f"{kind}: {error}") from None


def _variants(text: str) -> Iterator[str]:
    """A response without its first line, its last, both, and each of these without asterisks."""
    lines = text.split("\n")
    for part in (lines, lines[1:], lines[:-1], lines[1:-1]):
        whole = "\n".join(part).strip()
        yield whole
        yield whole.replace("*", "")


def _kind(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        KINDS[name] = check
        return check

    return register


# --- measures ----------------------------------------------------------------------------------------------------------

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_ABBREVIATION = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|etc|e\.g|i\.e|No|Inc|Ltd|Fig|a\.m|p\.m|P\.S|P\.P\.S|[A-Z])\.$"
)


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Runs of text that end in . ! or ?, or at a line's end; not after an abbreviation or within a number."""
    found: list[str] = []
    for line in text.split("\n"):
        current = ""
        for piece in re.split(r"(?<=[.!?])\s+|(?<=[.!?][\"'”’)\]])\s+", line):
            current = f"{current} {piece}".strip()
            if re.search(r"[.!?][\"'”’)\]]?$", piece) and not _ABBREVIATION.search(current):
                found.append(current)
                current = ""
        found.append(current)
    return [each.strip() for each in found if words(each)]


def paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _compare(n: int, relation: str, wanted: int, what: str) -> str:
    holds = {
        "less than": n < wanted,
        "at least": n >= wanted,
        "at most": n <= wanted,
        "exactly": n == wanted,
        "more than": n > wanted,
    }
    if relation not in holds:
        raise ValueError(f"no relation is called {relation!r}; there are {', '.join(holds)}")
    return "" if holds[relation] else f"{n} {what}, not {relation} {wanted}"


def _times(word: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.I))


# --- IFEval's kinds -----------------------------------------------------------------------------------------------------


@_kind("keywords:existence")
def _existence(response: str, keywords: list[str]) -> str:
    missing = [word for word in keywords if not _times(word, response)]
    return f"{missing[0]!r} is missing" if missing else ""


@_kind("keywords:frequency")
def _frequency(response: str, keyword: str, frequency: int, relation: str = "at least") -> str:
    return _compare(_times(keyword, response), relation, frequency, f"times {keyword!r}")


@_kind("keywords:forbidden_words")
def _forbidden(response: str, forbidden_words: list[str]) -> str:
    used = [word for word in forbidden_words if _times(word, response)]
    return f"{used[0]!r} is forbidden" if used else ""


@_kind("keywords:letter_frequency")
def _letters(response: str, letter: str, let_frequency: int, let_relation: str = "at least") -> str:
    return _compare(
        response.lower().count(letter.lower()), let_relation, let_frequency, f"times the letter {letter!r}"
    )


@_kind("language:response_language")
def _language(response: str, language: str) -> str:
    found = _identify(response, language)
    return "" if found == language else f"the language is {found}, not {language}"


_LIKELY = """en es pt fr de it nl ru uk bg ar fa ur hi mr ne bn pa gu
ta te kn ml th vi ko ja zh fi sv tr pl ro sw he el cs da no id"""


@cache
def _identifier(languages: tuple[str, ...]) -> Any:
    langid: Any = import_module("py3langid.langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    known = set(map(str, identifier.nb_classes))
    identifier.set_languages([language for language in languages if language in known])
    return identifier


def _identify(text: str, expected: str) -> str:
    return str(_identifier(tuple(sorted({*_LIKELY.split(), expected}))).classify(text)[0])


@_kind("length_constraints:number_sentences")
def _number_sentences(response: str, num_sentences: int, relation: str) -> str:
    return _compare(len(sentences(response)), relation, num_sentences, "sentences")


@_kind("length_constraints:number_paragraphs")
def _divided(response: str, num_paragraphs: int) -> str:
    """Paragraphs with *** between them; none of them empty but before the first or after the last divider."""
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", response)]
    inner = parts[1:-1]
    if any(not part for part in inner):
        return "a paragraph between two *** is empty"
    return _compare(sum(bool(part) for part in parts), "exactly", num_paragraphs, "paragraphs divided by ***")


@_kind("length_constraints:number_words")
def _number_words(response: str, num_words: int, relation: str) -> str:
    return _compare(len(re.findall(r"\w+", response)), relation, num_words, "words")


@_kind("length_constraints:nth_paragraph_first_word")
def _nth_paragraph(response: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> str:
    parts = [part.strip() for part in response.split("\n\n") if part.strip()]
    if wrong := _compare(len(parts), "exactly", num_paragraphs, "paragraphs"):
        return wrong
    if not 1 <= nth_paragraph <= len(parts):
        return f"there is no paragraph {nth_paragraph}"
    first = re.sub(r"^[\"'“‘*_]+|[.,?!\"'”’*_:;]+$", "", parts[nth_paragraph - 1].split()[0])
    return (
        ""
        if first.lower() == first_word.lower()
        else f"paragraph {nth_paragraph} begins with {first!r}, not {first_word!r}"
    )


@_kind("detectable_content:number_placeholders")
def _placeholders(response: str, num_placeholders: int) -> str:
    return _compare(
        len(re.findall(r"\[[^\[\]]+\]", response)), "at least", num_placeholders, "placeholders in square brackets"
    )


@_kind("detectable_content:postscript")
def _postscript(response: str, postscript_marker: str) -> str:
    loose = re.escape(postscript_marker).replace(r"\.", r"\.\s?")
    return (
        ""
        if re.search(rf"^\W*{loose}.*\S", response, re.I | re.M)
        else f"there is no postscript with {postscript_marker}"
    )


@_kind("detectable_format:number_bullet_lists")
def _bullets(response: str, num_bullets: int) -> str:
    return _compare(
        len(re.findall(r"^[ \t]*(?:\*(?!\*)|-(?!-))[ \t]+\S", response, re.M)), "exactly", num_bullets, "bullet points"
    )


@_kind("detectable_format:constrained_response")
def _constrained(response: str) -> str:
    allowed = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
    return "" if any(each in response for each in allowed) else f"it says none of {', '.join(allowed)}"


@_kind("detectable_format:number_highlighted_sections")
def _highlighted(response: str, num_highlights: int) -> str:
    double = re.findall(r"\*\*([^\n*]+)\*\*", response)
    single = re.findall(r"(?<!\*)\*([^\n*]+)\*(?!\*)", response)
    return _compare(
        sum(bool(each.strip()) for each in double + single), "at least", num_highlights, "highlighted sections"
    )


@_kind("detectable_format:multiple_sections")
def _sections(response: str, section_spliter: str, num_sections: int) -> str:
    found = re.findall(rf"\s?{re.escape(section_spliter)}\s?\d+", response)
    return _compare(len(found), "at least", num_sections, f"sections marked {section_spliter}")


@_kind("detectable_format:json_format")
def _json(response: str) -> str:
    text = re.sub(r"^```(?:json)?\s*|\s*```$", "", response.strip(), flags=re.I).strip()
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON as a whole"
    return ""


@_kind("detectable_format:title")
def _title(response: str) -> str:
    return (
        "" if any(each.strip() for each in re.findall(r"<<([^\n<>]+)>>", response)) else "there is no title in << >>"
    )


@_kind("combination:two_responses")
def _two_responses(response: str) -> str:
    parts = [part.strip() for part in response.split("******")]
    given = [part for i, part in enumerate(parts) if part or 0 < i < len(parts) - 1]
    if any(not part for part in given) or len(given) != 2:
        return f"{len(given)} responses divided by ******, not 2"
    return "" if given[0] != given[1] else "both responses are the same"


@_kind("combination:repeat_prompt")
def _repeat(response: str, prompt_to_repeat: str) -> str:
    begins = response.strip().lower().startswith(prompt_to_repeat.strip().lower())
    return "" if begins else "it doesn't begin by repeating the request"


@_kind("startend:end_checker")
def _end(response: str, end_phrase: str) -> str:
    ends = response.strip().strip('"').lower().endswith(end_phrase.strip().lower())
    return "" if ends else f"it doesn't end with {end_phrase!r}"


@_kind("startend:quotation")
def _quotation(response: str) -> str:
    text = response.strip()
    return "" if len(text) > 1 and text[0] == '"' and text[-1] == '"' else "it is not within double quotation marks"


@_kind("change_case:capital_word_frequency")
def _capital_words(response: str, capital_frequency: int, capital_relation: str) -> str:
    return _compare(
        sum(word.isupper() for word in words(response)), capital_relation, capital_frequency, "words in capitals"
    )


@_kind("change_case:english_capital")
def _all_capitals(response: str) -> str:
    if not response.isupper():
        return "it has small letters"
    return _language(response.lower(), "en") if len(words(response)) >= 8 else ""


@_kind("change_case:english_lowercase")
def _all_small(response: str) -> str:
    if not response.islower():
        return "it has capital letters"
    return _language(response, "en") if len(words(response)) >= 8 else ""


@_kind("punctuation:no_comma")
def _no_comma(response: str) -> str:
    return "it has a comma" if "," in response else ""


# --- ours ----------------------------------------------------------------------------------------------------------------


@_kind("first_word")
def _first_word(response: str, word: str) -> str:
    first = next(iter(words(response)), "")
    return "" if first.lower() == word.lower() else f"it begins with {first!r}, not {word!r}"


@_kind("last_word")
def _last_word(response: str, word: str) -> str:
    last = next(iter(reversed(words(response))), "")
    return "" if last.lower() == word.lower() else f"it ends with {last!r}, not {word!r}"


@_kind("words_a_sentence")
def _words_a_sentence(response: str, most: int) -> str:
    longest = max((len(words(each)) for each in sentences(response)), default=0)
    return "" if longest <= most else f"a sentence has {longest} words, more than {most}"


@_kind("lines")
def _lines(response: str, n: int, relation: str = "exactly") -> str:
    return _compare(sum(bool(line.strip()) for line in response.split("\n")), relation, n, "lines")


@_kind("paragraphs")
def _paragraphs(response: str, n: int, relation: str = "exactly") -> str:
    return _compare(len(paragraphs(response)), relation, n, "paragraphs")


@_kind("characters")
def _characters(response: str, n: int, relation: str = "at most") -> str:
    return _compare(len(response.strip()), relation, n, "characters")


@_kind("no_digits")
def _no_digits(response: str) -> str:
    return "it has digits" if re.search(r"\d", response) else ""


@_kind("numbers")
def _numbers(response: str, n: int, relation: str = "at least") -> str:
    return _compare(len(re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?", response)), relation, n, "numbers")


@_kind("numbered_list")
def _numbered(response: str, n: int) -> str:
    found = [int(each) for each in re.findall(r"^\s*(\d+)[.)]\s+\S", response, re.M)]
    return "" if found == list(range(1, n + 1)) else f"the numbered points are {found}, not 1 to {n}"


@_kind("ends_with_question")
def _ends_with_question(response: str) -> str:
    return "" if response.rstrip().rstrip("\"'”’*)").endswith("?") else "it doesn't end with a question"


@_kind("no_letter")
def _no_letter(response: str, letter: str) -> str:
    return f"it has the letter {letter!r}" if letter.lower() in response.lower() else ""


@_kind("unique_words")
def _unique(response: str) -> str:
    (word, n), *_ = Counter(map(str.lower, words(response))).most_common(1) or [("", 0)]
    return "" if n <= 1 else f"{word!r} stands {n} times"


@_kind("sentence_starts")
def _sentence_starts(response: str, letter: str) -> str:
    wrong = [each for each in sentences(response) if words(each)[0][0].lower() != letter.lower()]
    return "" if not wrong else f"a sentence begins with {words(wrong[0])[0]!r}, not with {letter!r}"


@_kind("acrostic")
def _acrostic(response: str, word: str) -> str:
    starts = "".join(words(line)[0][0] for line in response.split("\n") if words(line))
    return "" if starts.lower() == word.lower() else f"the lines begin {starts!r}, not {word!r}"


@_kind("longest_word")
def _longest_word(response: str, most: int) -> str:
    longest = max(words(response), key=len, default="")
    return "" if len(longest) <= most else f"{longest!r} has {len(longest)} letters, more than {most}"


@_kind("in_order")
def _in_order(response: str, keywords: list[str]) -> str:
    position = 0
    for word in keywords:
        match = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.I).search(response, position)
        if match is None:
            return f"{word!r} is not there, or not in its order"
        position = match.end()
    return ""


@_kind("table")
def _table(response: str, columns: int) -> str:
    rows = re.findall(r"^\s*\|(.+)\|\s*$", response, re.M)
    if len(rows) < 3:
        return "there is no Markdown table with a head and a row"
    widths = {len(row.split("|")) for row in rows}
    return "" if widths == {columns} else f"the table has {sorted(widths)} columns, not {columns}"


@_kind("headings")
def _headings(response: str, n: int, relation: str = "exactly") -> str:
    return _compare(len(re.findall(r"^#{1,6}\s+\S", response, re.M)), relation, n, "headings")


@_kind("exclamations")
def _exclamations(response: str, n: int, relation: str = "at most") -> str:
    return _compare(response.count("!"), relation, n, "exclamation marks")
