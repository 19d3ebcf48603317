"""Operations on lists of words and on texts, and what such lists and texts hold."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from phiforge.data.pipelines.code._operation import Operation

# parameter, one, many, and what it is drawn from
WORD_WORLDS = (
    ("words", "word", "words", "level stone river Anna kayak apple orange echo Delta noon garden pear Otto window arena summit sugar tent eerie copper tulip rotor island Bread"),
    ("names", "name", "first names", "Anna Otto Ibrahim Mei Ada Lars Elena Hannah Bob Priya Noor Umar Eve Kofi Sanjay Zoe Alba Igor Yara Oskar Lil Emre"),
    ("cities", "city", "city names", "Oslo Lima Accra Cairo Quito Delhi Osaka Milan Athens Berlin Agra Essen Turin Nara Amman Porto Bergen Salta Izmir Ulm"),
    ("tags", "tag", "tags", "python sql data web api css html test docs bug cloud linux git ui ml net ops rust aws cache async"),
    ("files", "file name", "file names", "report.txt notes.md main.py setup.py data.csv logo.png readme.md test.py index.html photo.jpg app.js style.css todo.txt a.py b.csv"),
    ("usernames", "username", "user names", "max_92 ada lovelace7 tom kim_k neo42 zoe guest admin r2d2 sam99 eva_m otto bob_b lina4 x9 dev_ops"),
    ("products", "product", "product names", "lamp chair desk mug pen kettle rug sofa shelf clock towel bowl stool mirror vase pan bin fork tray"),
    ("animals", "animal", "animal names", "otter ant eagle newt elephant tapir owl lynx gnu crane hare seal emu toad yak ibis heron"),
)  # fmt: skip
TEXT_WORLDS = (
    ("text", "text"), ("sentence", "sentence"), ("message", "message"), ("title", "title"), ("line", "line of text"), ("comment", "comment"),
    ("phrase", "phrase"), ("note", "note"),
)  # fmt: skip
TEXTS = (
    "the quick brown fox", "A man a plan", "Never odd or even", "see you at noon", "Level up now", "buy 2 eggs and 10 pears", "Was it a cat I saw",
    "to be or not to be", "Room 101 is on floor 4", "hello", "Hello World", "all that glitters", "Mississippi river", "rain rain go away",
    "Meet me at 7 pm", "One two one two", "Bookkeeper wanted", "keep calm and carry on", "She sells sea shells", "no news is good news",
    "a", "Zoo", "noon", "Kayak trip in May", "Two Tall Trees", "coffee and cake", "an apple a day", "Bus 42 leaves at 9",
)  # fmt: skip
VOWELS = "aeiou"


def _op(kind: str, takes: str, gives: str) -> Any:
    def make(
        tag: str, says: str, code: str, run: Any, parameters: str = "", level: int = 1, empty: str = "", returns: str = ""
    ) -> Operation:  # fmt: skip
        return Operation(kind, takes, gives, tag, says, code, run, parameters, level, False, empty, returns)

    return make


def _fold(gives: str, returns: str, takes: str = "words") -> Any:
    make = _op("fold", takes, gives)

    def fold(
        tag: str, says: str, code: str, run: Any, empty: str = "", level: int = 1, parameters: str = ""
    ) -> Operation:
        return make(tag, says, code, run, parameters, level, empty, returns)

    return fold


def _without(text: str, unwanted: str) -> str:
    return "".join(c for c in text if c not in unwanted)


def _grouped(xs: list[str], key: Any) -> dict[Any, list[str]]:
    groups: dict[Any, list[str]] = {}
    for x in xs:
        groups[key(x)] = [*groups.get(key(x), []), x]
    return groups


_keep, _map, _list = _op("keep", "words", "words"), _op("map", "words", "words"), _op("list", "words", "words")
_measure = _op("map", "words", "numbers")
_int, _maybe, _text = _fold("number", "int"), _fold("word", "str | None"), _fold("text", "str")
_all, _counts, _groups = (
    _fold("words", "list[str]"),
    _fold("counts", "dict[str, int]"),
    _fold("groups", "dict[str, list[str]]"),
)

ON_WORDS = (
    _keep("long", "keep only those with at least {k} characters", "len({v}) >= {k}", lambda v, p: v[p["k"] - 1 :] != "", "k 3 6"),
    _keep("short", "keep only those with fewer than {k} characters", "len({v}) < {k}", lambda v, p: v[p["k"] - 1 :] == "", "k 4 7"),
    _keep("initial_{c}", "keep only those that start with \"{c}\", in either case", "{v}.lower().startswith(\"{c}\")", lambda v, p: v[:1] in (p["c"], p["c"].upper()), "c a e o t s b l"),
    _keep("", "keep only those that contain \"{c}\", in either case", "\"{c}\" in {v}.lower()", lambda v, p: v.lower().count(p["c"]) > 0, "c a e o n r"),
    _keep("", "drop those that contain \"{c}\", in either case", "\"{c}\" not in {v}.lower()", lambda v, p: v.lower().find(p["c"]) < 0, "c a e i o"),
    _keep("palindromic", "keep only those that read the same backwards, ignoring case", "{v}.lower() == {v}.lower()[::-1]", lambda v, p: all(a == b for a, b in zip(v.lower(), reversed(v.lower()), strict=True)), "", 2),
    _keep("vowel_initial", "keep only those that start with a vowel (a, e, i, o, u), in either case", "{v}.lower().startswith((\"a\", \"e\", \"i\", \"o\", \"u\"))", lambda v, p: v.startswith(tuple("aeiouAEIOU")), "", 1),
    _keep("even_length", "keep only those of even length", "len({v}) % 2 == 0", lambda v, p: len(v[::2]) == len(v[1::2])),
    _keep("isogram", "keep only those in which no letter is repeated, ignoring case", "len(set({v}.lower())) == len({v})", lambda v, p: max(Counter(v.lower()).values(), default=1) == 1, "", 3),
    _keep("vowel_rich", "keep only those with at least {k} vowels (a, e, i, o, u)", "sum(c in \"aeiou\" for c in {v}.lower()) >= {k}", lambda v, p: len(v) - len(_without(v.lower(), VOWELS)) >= p["k"], "k 2 3", 2),
    _map("upper", "turn each into capitals", "{v}.upper()", lambda v, p: "".join(c.upper() for c in v)),
    _map("lower", "turn each into lower case", "{v}.lower()", lambda v, p: "".join(c.lower() for c in v)),
    _map("reversed", "write each backwards", "{v}[::-1]", lambda v, p: "".join(reversed(v))),
    _map("shortened", "cut each to its first {k} characters", "{v}[:{k}]", lambda v, p: "".join(c for i, c in enumerate(v) if i < p["k"]), "k 2 4"),
    _map("devoweled", "remove the vowels (a, e, i, o, u) of each, in either case", "\"\".join(c for c in {v} if c.lower() not in \"aeiou\")", lambda v, p: _without(v, "aeiouAEIOU"), "", 2),
    _map("padded", "fill each up to {k} characters with dots at its end", "{v}.ljust({k}, \".\")", lambda v, p: v + "." * (p["k"] - len(v)), "k 6 9", 2),
    _map("prefixed", "put \"{s}\" in front of each", "\"{s}\" + {v}", lambda v, p: "".join([p["s"], v]), "s # @ - > *"),
    _map("rotated", "move the first character of each to its end", "{v}[1:] + {v}[:1]", lambda v, p: "".join([*v[1:], *v[:1]]), "", 2),
    _measure("lengths", "replace each by its length", "len({v})", lambda v, p: sum(1 for _ in v)),
    _measure("vowel_counts", "replace each by its number of vowels (a, e, i, o, u), in either case", "sum(c in \"aeiou\" for c in {v}.lower())", lambda v, p: len(v) - len(_without(v, "aeiouAEIOU")), "", 2),
    _measure("letter_counts", "replace each by how many different characters it has, ignoring case", "len(set({v}.lower()))", lambda v, p: len(Counter(v.lower())), "", 2),
    _list("sorted", "sort them alphabetically, ignoring case", "sorted({x}, key=str.lower)", lambda xs, p: [x for _, _, x in sorted((x.lower(), i, x) for i, x in enumerate(xs))]),
    _list("by_length", "sort them by length, and those of the same length in their old order", "sorted({x}, key=len)", lambda xs, p: [x for n in range(60) for x in xs if len(x) == n], "", 2),
    _list("by_length", "sort them from longest to shortest, and those of the same length alphabetically, capitals first", "sorted({x}, key=lambda v: (-len(v), v))", lambda xs, p: [x for n in range(60, -1, -1) for x in sorted(xs) if len(x) == n], "", 3),
    _list("reversed", "reverse their order", "{x}[::-1]", lambda xs, p: list(reversed(xs)), "", 1),
    _list("distinct", "drop repeats, keeping the first of each", "list(dict.fromkeys({x}))", lambda xs, p: [x for i, x in enumerate(xs) if x not in xs[:i]], "", 1),
    _list("first", "take the first {k}", "{x}[:{k}]", lambda xs, p: [x for i, x in enumerate(xs) if i < p["k"]], "k 2 4"),
    _list("alternate", "take every second one, beginning with the first", "{x}[::2]", lambda xs, p: [x for i, x in enumerate(xs) if not i % 2], "", 2),
    _list("numbered", "put its number, counted from 1, and a colon in front of each", "[f\"{{i}}:{{v}}\" for i, v in enumerate({x}, 1)]", lambda xs, p: [str(i + 1) + ":" + x for i, x in enumerate(xs)], "", 2),
    _list("joined_pairs", "join each with its right-hand neighbour by a hyphen, the last having none", "[f\"{{a}}-{{b}}\" for a, b in zip({x}, {x}[1:])]", lambda xs, p: ["-".join(xs[i : i + 2]) for i in range(len(xs) - 1)], "", 3),
    _list("repeated", "keep only those that occur more than once", "[v for v in {x} if {x}.count(v) > 1]", lambda xs, p: [x for i, x in enumerate(xs) if x in xs[:i] + xs[i + 1 :]], "", 2),
    _int("count", "return how many there are", "len({x})", lambda xs, p: sum(1 for _ in xs)),
    _int("total_length", "return how many characters they have together", "sum(len(v) for v in {x})", lambda xs, p: len("".join(xs))),
    _int("distinct", "return how many different ones there are, ignoring case", "len({{v.lower() for v in {x}}})", lambda xs, p: len(Counter(x.lower() for x in xs)), "", 2),
    _maybe("longest", "return the longest, the first of them if several are equally long", "max({x}, key=len, default=None)", lambda xs, p: next((x for x in xs if all(len(x) >= len(y) for y in xs)), None), "If there is none, return None."),
    _maybe("shortest", "return the shortest, the first of them if several are equally short", "min({x}, key=len, default=None)", lambda xs, p: next((x for x in xs if all(len(x) <= len(y) for y in xs)), None), "If there is none, return None."),
    _maybe("commonest", "return the one that occurs most often, the first of them if several do", "max({x}, key={x}.count, default=None)", lambda xs, p: next((x for x in xs if all(xs.count(x) >= xs.count(y) for y in xs)), None), "If there is none, return None.", 2),
    _maybe("last_in_order", "return the one that comes last in alphabetical order, ignoring case", "max({x}, key=str.lower, default=None)", lambda xs, p: next((x for x in xs if not any(y.lower() > x.lower() for y in xs)), None), "If there is none, return None.", 2),
    _text("joined", "return them as one text, with \"{s}\" between them", "\"{s}\".join({x})", lambda xs, p: "".join(x + p["s"] * (i < len(xs) - 1) for i, x in enumerate(xs)), "", 1, "s - / + | _"),
    _text("acronym", "return the text of their first characters in capitals", "\"\".join(v[0].upper() for v in {x} if v)", lambda xs, p: "".join(x[:1] for x in xs).upper(), "", 1),
    _text("listed", "return them as one text, with \", \" between them but \" and \" before the last", "if len({x}) < 2:\n    return \"\".join({x})\nreturn \", \".join({x}[:-1]) + \" and \" + {x}[-1]", lambda xs, p: " and ".join([", ".join(xs[:-1]), xs[-1]]) if len(xs) > 1 else "".join(xs), "For nothing return an empty text.", 3),
    _all("list", "return the list", "{x}", lambda xs, p: xs),
    _counts("tally", "return a dictionary that says how often each of them occurs", "dict(Counter({x}))", lambda xs, p: {x: xs.count(x) for x in xs}, "", 2),
    _counts("lengths", "return a dictionary from each of them to its length", "{{v: len(v) for v in {x}}}", lambda xs, p: dict(zip(xs, map(len, xs), strict=True))),
    _groups("grouped", "return a dictionary from each first letter, in lower case, to the list of those that start with it", "groups = {{}}\nfor v in {x}:\n    groups.setdefault(v[:1].lower(), []).append(v)\nreturn groups", lambda xs, p: _grouped(xs, lambda x: x[:1].lower()), "", 3),
    _fold("groups", "dict[int, list[str]]")("grouped_by_length", "return a dictionary from each length that occurs to the list of those that have it", "groups = {{}}\nfor v in {x}:\n    groups.setdefault(len(v), []).append(v)\nreturn groups", lambda xs, p: _grouped(xs, len), "", 3),
    _fold("bool", "bool")("ordered", "return whether they stand in alphabetical order, ignoring case", "all(a.lower() <= b.lower() for a, b in zip({x}, {x}[1:]))", lambda xs, p: [x.lower() for x in xs] == sorted(x.lower() for x in xs), "For fewer than two the answer is True.", 2),
)  # fmt: skip

_t, _split = _op("map", "text", "text"), _op("list", "text", "words")
_number, _string, _flag = _fold("number", "int", "text"), _fold("text", "str", "text"), _fold("bool", "bool", "text")
ON_TEXTS = (
    _t("lower", "turn it into lower case", "{v}.lower()", lambda v, p: "".join(c.lower() for c in v)),
    _t("letters", "drop everything that is not a letter", "\"\".join(c for c in {v} if c.isalpha())", lambda v, p: "".join(c for c in v if c.lower() != c.upper()), "", 2),
    _t("compact", "drop the spaces", "{v}.replace(\" \", \"\")", lambda v, p: _without(v, " ")),
    _t("swapped", "turn small letters into capitals and capitals into small letters", "{v}.swapcase()", lambda v, p: "".join(c.lower() if c.isupper() else c.upper() for c in v), "", 2),
    _t("reversed", "write it backwards", "{v}[::-1]", lambda v, p: "".join(reversed(v))),
    _t("masked", "replace every digit by \"#\"", "\"\".join(\"#\" if c.isdigit() else c for c in {v})", lambda v, p: "".join(c if c not in "0123456789" else "#" for c in v), "", 2),
    _t("starred", "replace every vowel (a, e, i, o, u), in either case, by \"*\"", "\"\".join(\"*\" if c.lower() in \"aeiou\" else c for c in {v})", lambda v, p: "".join("*" if c in "aeiouAEIOU" else c for c in v), "", 2),
    _t("deduplicated", "drop every character that has occurred before", "\"\".join(dict.fromkeys({v}))", lambda v, p: "".join(c for i, c in enumerate(v) if c not in v[:i]), "", 3),
    _t("squeezed", "merge equal neighbouring characters into one", "\"\".join(c for i, c in enumerate({v}) if i == 0 or c != {v}[i - 1])", lambda v, p: "".join(k for k, _ in groupby(v)), "", 3),
    _split("", "split it into words at the spaces", "{x}.split()", lambda v, p: [w for w in v.split(" ") if w]),
    _number("vowels", "return how many vowels (a, e, i, o, u) it has, in either case", "sum(c in \"aeiou\" for c in {x}.lower())", lambda v, p: len(v) - len(_without(v, "aeiouAEIOU"))),
    _number("digits", "return the sum of the digits in it", "sum(int(c) for c in {x} if c.isdigit())", lambda v, p: sum(d * v.count(str(d)) for d in range(10))),
    _number("capitals", "return how many capital letters it has", "sum(c.isupper() for c in {x})", lambda v, p: sum(v.count(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
    _number("distinct", "return how many different characters it has", "len(set({x}))", lambda v, p: len(Counter(v))),
    _number("longest_run", "return the length of the longest run of one and the same character", "max((len(list(group)) for _, group in groupby({x})), default=0)", lambda v, p: max((n for n in range(1, len(v) + 1) if any(c * n in v for c in v)), default=0), "For an empty text that is 0.", 4),
    _fold("word", "str | None", "text")("first_single", "return the first character that occurs only once", "next((c for c in {x} if {x}.count(c) == 1), None)", lambda v, p: ([c for c in v if Counter(v)[c] == 1] or [None])[0], "If there is none, return None.", 3),
    _fold("word", "str | None", "text")("commonest", "return the character that occurs most often, the first of them if several do", "max({x}, key={x}.count, default=None)", lambda v, p: next((c for c in v if all(v.count(c) >= v.count(d) for d in v)), None), "If there is none, return None.", 2),
    _string("text", "return it", "{x}", lambda v, p: v),
    _string("encoded", "return it with every run of one character written as the character and the length of the run, as in \"a3b1\"", "\"\".join(f\"{{c}}{{len(list(group))}}\" for c, group in groupby({x}))", lambda v, p: "".join(f"{k}{sum(1 for _ in g)}" for k, g in groupby(v)), "", 4),
    _flag("is_palindrome", "return whether it reads the same backwards", "{x} == {x}[::-1]", lambda v, p: all(v[i] == v[-1 - i] for i in range(len(v))), "An empty text does.", 1),
    _fold("counts", "dict[str, int]", "text")("tally", "return a dictionary that says how often each character occurs", "dict(Counter({x}))", lambda v, p: {c: v.count(c) for c in v}, "", 2),
)  # fmt: skip
