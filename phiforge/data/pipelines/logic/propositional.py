"""Propositions: truth of formulas, truth tables, equivalent formulas and sentences, and what follows from premises in words.

`make` builds chains of premises and columns of truth tables; `solve` tries every assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.logic._clauses import clauses, sentence
from phiforge.data.words import listed

Formula = Any  # "p", ["not", formula] or [connective, formula, formula]
Literal = tuple[int, bool]

_NOTATIONS = (
    {"not": "¬", "and": "∧", "or": "∨", "implies": "→", "if": "↔", "xor": "⊕"},
    {"not": "~", "and": "&", "or": "|", "implies": "->", "if": "<->", "xor": "^"},
    {"not": "not ", "and": "and", "or": "or", "implies": "implies", "if": "if and only if", "xor": "xor"},
)
_LETTERS = ("pqrs", "ABCD", "xyzw", "PQRS", "abcd", "uvwt")
_TRUE: dict[str, Callable[[bool, bool], bool]] = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "implies": lambda a, b: not a or b,
    "if": lambda a, b: a == b,
    "xor": lambda a, b: a != b,
}
_WHY = {
    "and": "needs both sides true",
    "or": "needs at least one side true",
    "implies": "fails only where the left side is true and the right side false",
    "if": "needs both sides alike",
    "xor": "needs exactly one side true",
}


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_evaluate, _sentence, _entail),
        (_evaluate, _sentence, _entail, _count),
        (_count, _sentence, _entail, _entail, _equivalent),
        (_count, _classify, _entail, _entail, _cases, _equivalent),
        (_count, _classify, _entail, _cases, _cases, _equivalent),
    )
    return draw.pick(kinds[level - 1])(draw, level)


# --- formulas --------------------------------------------------------------------------------------------------------


def _formula(draw: Draw, letters: str, leaves: int, connectives: tuple[str, ...]) -> Formula:
    """A random formula in which every letter occurs."""
    parts: list[Formula] = [letters[i % len(letters)] for i in range(max(leaves, len(letters)))]
    parts = [["not", part] if draw.chance(0.3) else part for part in draw.shuffled(parts)]
    while len(parts) > 1:
        i = draw.between(0, len(parts) - 2)
        joined = [draw.pick(connectives), parts[i], parts[i + 1]]
        parts[i : i + 2] = [["not", joined] if len(parts) > 2 and draw.chance(0.15) else joined]
    return parts[0]


def _shown(formula: Formula, signs: dict[str, str], outer: bool = True) -> str:
    if isinstance(formula, str):
        return formula
    if formula[0] == "not":
        return signs["not"] + _shown(formula[1], signs, outer=False)
    text = f"{_shown(formula[1], signs, outer=False)} {signs[formula[0]]} {_shown(formula[2], signs, outer=False)}"
    return text if outer else f"({text})"


def _parts(formula: Formula) -> list[Formula]:
    """The compound parts of a formula, inner ones first, each once."""
    found: list[Formula] = []
    if not isinstance(formula, str):
        for part in formula[1:]:
            found += [each for each in _parts(part) if each not in found]
        found.append(formula)
    return found


def _column(formula: Formula, columns: dict[str, list[bool]]) -> list[bool]:
    """A formula's column in the truth table that holds these columns of letters."""
    if isinstance(formula, str):
        return columns[formula]
    left = _column(formula[1], columns)
    if formula[0] == "not":
        return [not value for value in left]
    true = _TRUE[formula[0]]
    return [true(a, b) for a, b in zip(left, _column(formula[2], columns), strict=True)]


def _table(letters: str) -> dict[str, list[bool]]:
    n = len(letters)
    return {letter: [not row >> (n - 1 - i) & 1 for row in range(2**n)] for i, letter in enumerate(letters)}


def _word(value: bool) -> str:
    return "true" if value else "false"


def _values(column: list[bool]) -> str:
    return " ".join("T" if value else "F" for value in column)


def _misread(formula: Formula, columns: dict[str, list[bool]], text: Callable[[list[bool]], str]) -> Slip | None:
    """A common mistake about the main connective, where it changes something."""
    wrong = {"implies": ["and", "A false left side makes an implication true, whatever the right side is."], "or": ["xor", "An “or” is true as well when both sides are."], "if": ["and", "Two false sides are alike too, so there the equivalence is true."]}  # fmt: skip
    if isinstance(formula, str) or formula[0] not in wrong:
        return None
    other, noticed = wrong[formula[0]]
    mistaken = _column([other, *formula[1:]], columns)
    return Slip(text(mistaken), noticed) if mistaken != _column(formula, columns) else None


def _legend(draw: Draw, letters: str) -> str:
    """What the letters stand for, mostly."""
    if draw.chance(0.08):
        return ""
    _, meanings = clauses(draw, len(letters))
    pairs = [(letter, clause.yes) for letter, clause in zip(letters, meanings, strict=True)]
    return draw.pick(
        (
            f"Let {listed([f'{letter} stand for “{yes}”' for letter, yes in pairs])}. ",
            f"{'; '.join(f'{letter} means that {yes}' for letter, yes in pairs)}. ",
            f"We write {listed([f'{letter} for “{yes}”' for letter, yes in pairs])}. ",
            f"The letters stand for sentences: {'; '.join(f'{letter} = “{yes}”' for letter, yes in pairs)}.\n\n",
        )
    )


def _setting(draw: Draw, level: int) -> tuple[str, dict[str, str], tuple[str, ...], str]:
    n = 2 if level == 1 else draw.between(2, 3) if level < 4 else 3
    letters, style = draw.pick(_LETTERS)[:n], draw.between(0, 2)
    connectives = ("and", "or", "implies") if level < 3 else ("and", "or", "implies", "implies", "if", "xor")
    return letters, _NOTATIONS[style], connectives, f"{letters[0]} {style}"


def _evaluate(draw: Draw, level: int) -> Draft:
    letters, signs, connectives, name = _setting(draw, level + 1)
    formula = _formula(draw, letters, level + 2, connectives)
    given = {letter: draw.chance(0.5) for letter in letters}
    columns = {letter: [value] for letter, value in given.items()}
    values = listed([f"{letter} is {_word(value)}" for letter, value in given.items()])
    text, form = _shown(formula, signs), draw.between(0, 3)
    question = (
        f"Suppose {values}. Is the formula {text} true or false?",
        f"Let {values.replace(' is ', ' be ')}. What is the truth value of {text}? Answer true or false.",
        f"Evaluate {text} when {values}. Answer true or false.",
        f"Given that {values}, decide whether {text} is true or false.",
    )[form]
    steps: list[Step] = []
    for part in _parts(formula):
        value = _column(part, columns)[0]
        if part[0] == "not":
            why = f"{_shown(part[1], signs)} is {_word(not value)}, and a negation turns it round."
        else:
            left, right = (_word(_column(side, columns)[0]) for side in part[1:])
            if part[1] == part[2]:
                why = f"Both sides are {left}; this connective {_WHY[part[0]]}."
            else:
                why = f"{_shown(part[1], signs)} is {left} and {_shown(part[2], signs)} is {right}; this connective {_WHY[part[0]]}."
        shown = _shown(part, signs)
        slip = _misread(part, columns, lambda wrong, shown=shown: f"{shown} is {_word(wrong[0])}.")
        steps.append(Step(f"{shown} is {_word(value)}.", why, slip))
    answer = _word(_column(formula, columns)[0])
    turned = [
        letter
        for letter in letters
        if _column(formula, {**columns, letter: [not given[letter]]})[0] != (answer == "true")
    ]
    return Draft(
        question=_legend(draw, letters) + question,
        answer=answer,
        facts={"kind": "evaluate", "formula": formula, "given": given},
        template=f"evaluate {name} {form}",
        steps=steps,
        says=f"The formula is {answer}.",
        given=f"{values[0]}{values[1:]}; the formula is {text}, to be worked out from the inside.",
        check=f"Changing {listed(turned, 'or')} alone would change the result, so {'that value matters' if len(turned) == 1 else 'those values matter'} and I have read {'it' if len(turned) == 1 else 'them'} correctly." if turned else f"No single letter would change the result if it were different, so {answer} is safe.",
        verifier="choice",
    )  # fmt: skip


def _columns_steps(formula: Formula, letters: str, signs: dict[str, str]) -> list[Step]:
    table = _table(letters)
    rows = listed(["".join("T" if table[letter][i] else "F" for letter in letters) for i in range(2 ** len(letters))])
    steps = [Step(f"The rows, in the order {', '.join(letters)}, are {rows}.", "A truth table settles it.")]
    for part in _parts(formula):
        shown = _shown(part, signs)
        why = "Turn every value round." if part[0] == "not" else f"It {_WHY[part[0]]}."
        slip = _misread(part, table, lambda wrong, shown=shown: f"{shown}: {_values(wrong)}.")
        steps.append(Step(f"{shown}: {_values(_column(part, table))}.", why, slip))
    return steps


def _count(draw: Draw, level: int) -> Draft:
    letters, signs, connectives, name = _setting(draw, level)
    formula = _formula(draw, letters, min(2 + level // 2 + draw.between(0, 1), 5), connectives)
    column = _column(formula, _table(letters))
    true = draw.chance(0.7)
    hits, text, form = column.count(true), _shown(formula, signs), draw.between(0, 3)
    question = (
        f"How many of the {len(column)} assignments of truth values to {listed(list(letters))} make {text} {_word(true)}?",
        f"In how many rows of its truth table is {text} {_word(true)}?",
        f"Consider the formula {text}. For how many combinations of values of {listed(list(letters))} is it {_word(true)}?",
        f"Write out the truth table of {text}. How many rows end in {'T' if true else 'F'}?",
    )[form]
    steps = [
        *_columns_steps(formula, letters, signs),
        Step(f"The last column has {'T' if true else 'F'} {('never', 'once', 'twice')[hits] if hits < 3 else f'{hits} times'}."),
    ]  # fmt: skip
    return Draft(
        question=_legend(draw, letters) + question,
        answer=str(hits),
        facts={"kind": "count", "formula": formula, "letters": letters, "true": true},
        template=f"count {name} {form}",
        steps=steps,
        says=f"The formula is {_word(true)} in {hits} of {len(column)} cases.",
        given=f"The formula is {text}, with {len(letters)} letters, so there are {len(column)} rows.",
        check=f"It is {_word(not true)} in {len(column) - hits} of them, and {hits} + {len(column) - hits} = {len(column)}.",
    )


_CLASSES = ("a tautology", "a contradiction", "neither")


def _classify(draw: Draw, level: int) -> Draft:
    letters, signs, connectives, name = _setting(draw, 2)
    a = _formula(draw, letters, 2, (*connectives, "if"))
    b, _ = draw.pick(_laws(a) or [(a, "")])
    aim = draw.between(0, 3)
    if aim == 0:
        formula = draw.pick((["if", a, b], ["implies", a, b], ["or", ["not", a], b]))
    elif aim == 1:
        formula = draw.pick((["and", a, ["not", b]], ["xor", a, b], ["if", a, ["not", b]]))
    else:
        formula = ["implies", a, _formula(draw, letters, 3, connectives)]
    column = _column(formula, _table(letters))
    answer = _CLASSES[0] if all(column) else _CLASSES[1] if not any(column) else _CLASSES[2]
    text, form = _shown(formula, signs), draw.between(0, 2)
    question = (
        f"Is {text} a tautology, a contradiction or neither?",
        f"Classify the formula {text}: a tautology, a contradiction, or neither?",
        f"Decide whether {text} is always true (a tautology), never true (a contradiction) or neither.",
    )[form]
    last = {
        _CLASSES[0]: "The last column is T throughout, so it is a tautology.",
        _CLASSES[1]: "The last column is F throughout, so it is a contradiction.",
        _CLASSES[2]: "The last column has both T and F, so it is neither.",
    }[answer]
    return Draft(
        question=_legend(draw, letters) + question,
        answer=answer,
        facts={"kind": "classify", "formula": formula, "letters": letters},
        template=f"classify {name} {form} {aim}",
        steps=[*_columns_steps(formula, letters, signs), Step(last)],
        says=f"It is {answer}.",
        given=f"The question is whether {text} is true in all rows, in none, or in some only.",
        check=f"T stands in {column.count(True)} of {len(column)} rows.",
        verifier="choice",
        verifier_args={"aliases": [answer.removeprefix("a ")]},
    )


def _laws(f: Formula) -> list[tuple[Formula, str]]:
    """Formulas equivalent to a formula, each with the law that says so."""
    if isinstance(f, str):
        return [(["not", ["not", f]], "a double negation cancels")]
    kind, a, *rest = f
    if kind == "not":
        if isinstance(a, str) or a[0] not in ("and", "or", "implies"):
            return []
        if a[0] == "implies":
            return [
                (
                    ["and", a[1], _negated(a[2])],
                    "an implication fails just where its left side holds and its right side doesn't",
                )
            ]
        return [(["or" if a[0] == "and" else "and", _negated(a[1]), _negated(a[2])], "of De Morgan's law")]
    b = rest[0]
    if kind == "implies":
        return [
            (["implies", _negated(b), _negated(a)], "an implication says the same as its contrapositive"),
            (
                ["or", _negated(a), b],
                "an implication is false only where its left side is true and its right side false",
            ),
            (
                ["not", ["and", a, _negated(b)]],
                "an implication forbids just one thing: the left side without the right",
            ),
        ]
    if kind == "if":
        return [
            (["and", ["implies", a, b], ["implies", b, a]], "an equivalence is an implication both ways"),
            (["or", ["and", a, b], ["and", _negated(a), _negated(b)]], "both sides are true or both are false"),
            (["if", _negated(a), _negated(b)], "negating both sides keeps them alike"),
        ]
    if kind == "xor":
        return [
            (["if", a, _negated(b)], "exactly one is true just when one side equals the negation of the other"),
            (["and", ["or", a, b], ["not", ["and", a, b]]], "at least one is true but not both"),
        ]
    other = "or" if kind == "and" else "and"
    return [(["not", [other, _negated(a), _negated(b)]], "of De Morgan's law")]  # fmt: skip


def _negated(f: Formula) -> Formula:
    return f[1] if f[0] == "not" else ["not", f]


def _near_misses(f: Formula) -> list[Formula]:
    """What a formula is often mistaken for."""
    kind, a, *rest = f
    if kind == "not":
        inner = a if isinstance(a, str) else [a[0], _negated(a[1]), _negated(a[2])]
        return [inner, ["not", [{"and": "or", "or": "and"}.get(a[0], "and"), *a[1:]]], ["and", a[1], a[2]], ["or", a[1], _negated(a[2])]]  # fmt: skip
    b = rest[0]
    return [
        ["implies", b, a],
        ["implies", _negated(a), _negated(b)],
        ["and", _negated(a), _negated(b)],
        ["or", a, _negated(b)],
        ["not", [kind, a, b]],
        ["and", a, b],
        ["or", a, b],
        ["implies", a, _negated(b)],
    ]


def _equivalent(draw: Draw, level: int) -> Draft:
    letters, signs, connectives, name = _setting(draw, level)
    formula = _formula(draw, letters, len(letters), (*connectives, "if"))
    if draw.chance(0.3) and formula[0] in ("and", "or", "implies"):
        formula = ["not", formula]
    laws = _laws(formula)
    if not laws:
        formula = formula[1]
        laws = _laws(formula)
    right, law = draw.pick(laws)
    table = _table(letters)
    wanted, seen, wrong = _column(formula, table), [right], []
    for other in draw.shuffled(_near_misses(formula)):
        if other not in seen and _column(other, table) != wanted:
            wrong.append(other)
            seen.append(other)
    options = draw.shuffled([right, *wrong[:3]])
    letter = "ABCD"[options.index(right)]
    texts, text, form = [_shown(option, signs) for option in options], _shown(formula, signs), draw.between(0, 2)
    ask = (
        f"Which of these formulas is logically equivalent to {text}?",
        f"Which option always has the same truth value as {text}?",
        f"The formula {text} is to be replaced by an equivalent one. Which one can be used?",
    )[form]
    steps = [
        Step(
            f"{text}: {_values(wanted)}.",
            f"Compare the columns of truth tables, rows in the order {', '.join(letters)} from all T to all F.",
        )
    ]
    for mark, option, shown in zip("ABCD", options, texts, strict=False):
        column = _column(option, table)
        if option is right:
            steps.append(Step(f"{mark}, {shown}: {_values(column)}, the same throughout, because {law}."))
        else:
            row = next(i for i in range(len(column)) if column[i] != wanted[i])
            at = listed([f"{each} {_word(table[each][row])}" for each in letters])
            steps.append(Step(f"{mark}, {shown}, is {_word(column[row])} with {at}, but the formula is {_word(wanted[row])} there.", "", Slip(f"{mark} looks the same.", f"But take {at}.")))  # fmt: skip
    return Draft(
        question=f"{_legend(draw, letters)}{ask}\n\n"
        + "\n".join(f"{mark}. {shown}" for mark, shown in zip("ABCD", texts, strict=False)),
        answer=letter,
        facts={"kind": "equivalent", "formula": formula, "options": options, "letters": letters},
        template=f"equivalent {name} {form}",
        steps=steps,
        says=f"{letter} is equivalent to {text}.",
        given=f"One of {len(options)} formulas has the same truth table as {text}.",
        check=f"The other{' is' if len(options) == 2 else 's are'} refuted by one row each, and for {letter} all {len(wanted)} rows agree.",
        verifier="choice",
        verifier_args={"options": texts},
    )


# --- sentences -------------------------------------------------------------------------------------------------------


def _rule(form: int, a: str, not_a: str, b: str, not_b: str) -> str:
    """A sentence that says: if a, then b."""
    return (
        f"If {a}, then {b}.",
        f"If {a}, {b}.",
        f"Whenever {a}, {b}.",
        f"{sentence(a)[:-1]} only if {b}.",
        f"{sentence(b)[:-1]} if {a}.",
        f"Unless {b}, {not_a}.",
        f"Either {not_a}, or {b}, or both.",
        f"It can't be that {a} and at the same time {not_b}.",
        f"If {not_b}, then {not_a}.",
    )[form]


_PLAIN_FORMS = (0, 1, 2, 4)


def _sentence(draw: Draw, level: int) -> Draft:
    situation, (first, second) = clauses(draw, 2)
    x, y = draw.chance(0.75), draw.chance(0.75)
    a, not_a, b, not_b = first.said(x), first.said(not x), second.said(y), second.said(not y)
    kind = draw.pick(("implies", "implies", "implies", "not and", "not or"))
    if kind == "implies":
        shown, *others = draw.sample((0, 3, 5, 6, 7, 8) if level > 1 else (0, 4, 8, 7), 2)
        said, right = _rule(shown, a, not_a, b, not_b), _rule(others[0], a, not_a, b, not_b)
        formula = ["implies", "a", "b"]
        wrongs = [(_rule(0, b, not_b, a, not_a), ["implies", "b", "a"]), (_rule(0, not_a, a, not_b, b), ["implies", ["not", "a"], ["not", "b"]]), (f"Both are the case: {a}, and {b}.", ["and", "a", "b"]), (f"{sentence(a)[:-1]}, unless {b}.", ["or", "a", "b"]), (f"{sentence(a)[:-1]} exactly when {b}.", ["if", "a", "b"])]  # fmt: skip
        why = f"“{said}” rules out one thing only: that {a} and {not_b}."
        same = "It rules out the very same thing."
    elif kind == "not and":
        said, right = f"It is not true that both {a} and {b}.", draw.pick((f"Either {not_a}, or {not_b}, or both.", f"If {a}, then {not_b}."))  # fmt: skip
        formula = ["not", ["and", "a", "b"]]
        wrongs = [(f"Both are the case: {not_a}, and {not_b}.", ["and", ["not", "a"], ["not", "b"]]), (f"If {not_a}, then {b}.", ["or", "a", "b"]), (f"If {a}, then {b}.", ["implies", "a", "b"]), (f"{sentence(a)[:-1]} exactly when {not_b}.", ["xor", "a", "b"])]  # fmt: skip
        why = f"The sentence excludes only that {a} and {b} at once; one of them may well be so."
        same = "It excludes just that too."
    else:
        said, right = f"It is not true that {a} or {b}.", f"Both are the case: {not_a}, and {not_b}."
        formula = ["not", ["or", "a", "b"]]
        wrongs = [(f"Either {not_a}, or {not_b}, or both.", ["or", ["not", "a"], ["not", "b"]]), (f"If {a}, then {not_b}.", ["not", ["and", "a", "b"]]), (f"If {not_a}, then {b}.", ["or", "a", "b"]), (f"If {not_b}, then {a}.", ["or", "a", "b"])]  # fmt: skip
        why = "If “one or the other” is not true, then neither of them is."
        same = "It denies each of the two as well."
    chosen = draw.sample(wrongs, 3)
    options = draw.shuffled([(right, formula), *chosen])
    letter = "ABCD"[[text for text, _ in options].index(right)]
    form = draw.between(0, 3)
    ask = (
        f"Which sentence says the same as “{said}”?",
        f"“{said}” Which of these is logically equivalent?",
        f"Someone says: “{said}” Which sentence means exactly the same?",
        f"Choose the sentence that is true in just the same cases as this one: “{said}”",
    )[form]
    table = _table("ab")
    wanted = _column(formula, table)
    steps = [Step(f"{letter}: “{right}” {same}", why)]
    for mark, (text, other) in zip("ABCD", options, strict=True):
        if mark != letter:
            column = _column(other, table)
            row = next(i for i in range(4) if column[i] != wanted[i])
            case = f"{first.said(x == table['a'][row])} and {second.said(y == table['b'][row])}"
            steps.append(Step(f"{mark} is {'true' if column[row] else 'false'} when {case}, and there the sentence is {'true' if wanted[row] else 'false'}.", "", Slip(f"{mark}, “{text}”, sounds like the same.", f"But suppose that {case}.")))  # fmt: skip
    return Draft(
        question=f"{ask}\n\n" + "\n".join(f"{mark}. {text}" for mark, (text, _) in zip("ABCD", options, strict=True)),
        answer=letter,
        facts={"kind": "equivalent", "formula": formula, "options": [f for _, f in options], "letters": "ab"},
        template=f"sentence {kind} {situation} {form}",
        steps=steps,
        says=f"{letter} says the same.",
        given=f"The sentence to be matched is “{said}”",
        check=f"For {letter} I find no case in which one sentence is true and the other false.",
        verifier="choice",
        verifier_args={"options": [text for text, _ in options]},
    )


# --- what follows ----------------------------------------------------------------------------------------------------

_ANSWERS = {True: "true", False: "false", None: "unknown"}
_ALIASES = {
    "true": ["yes", "it is true"],
    "false": ["no", "it is false"],
    "unknown": ["cannot be known", "it cannot be known", "undetermined"],
}


def _asked(draw: Draw, premises: list[str], claim: str) -> tuple[str, int]:
    """The question about a claim, with its premises in random order, and the number of its form."""
    form = draw.between(0, 4)
    told = draw.shuffled(premises)
    text = "\n".join(f"- {each}" for each in told) if form in (1, 3) else " ".join(told)
    open_ = "Answer unknown if the statements leave it open."
    claimed = sentence(claim)
    return (
        f"{text}\n\nIs the following true, false or unknown? “{claimed}” {open_}",
        f"These statements are true:\n{text}\n\nWhat about “{claimed}”: is it true, false or unknown? {open_}",
        f"Suppose all of this is true. {text} Is it then true that {claim}? Answer true, false or unknown.",
        f"We know:\n{text}\n\nJudge the claim “{claimed}” as true, false or unknown.",
        f"{text} From this alone, is the claim “{claimed}” true, false or unknown?",
    )[form], form


class _Story:
    """Clauses of one situation, with rules about them as they are said."""

    def __init__(self, draw: Draw, n: int, level: int) -> None:
        self.draw, self.level = draw, level
        self.situation, self.clauses = clauses(draw, n)
        self.rules: list[tuple[Literal, Literal]] = []
        self.said: dict[tuple[Literal, Literal], tuple[int, str]] = {}

    def text(self, literal: Literal) -> str:
        return self.clauses[literal[0]].said(literal[1])

    def no(self, literal: Literal) -> str:
        return self.clauses[literal[0]].said(not literal[1])

    def rule(self, a: Literal, b: Literal) -> None:
        form = self.draw.pick(_PLAIN_FORMS) if self.level == 1 else self.draw.between(0, 8 if self.level > 2 else 4)
        self.rules.append((a, b))
        self.said[a, b] = form, _rule(form, self.text(a), self.no(a), self.text(b), self.no(b))

    def forward(self, a: Literal, b: Literal) -> Step:
        form, said = self.said[a, b]
        means = "" if form in _PLAIN_FORMS else f"That is to say: if {self.text(a)}, then {self.text(b)}. "
        slip = None
        if form == 3:
            slip = Slip(f"So if {self.text(b)}, then {self.text(a)}.", "“Only if” names what must be so, not what is enough.")  # fmt: skip
        elif form == 5:
            slip = Slip(f"That says nothing as long as {self.text(a)}.", f"It does: if it were not so that {self.text(b)}, then {self.no(a)}.")  # fmt: skip
        return Step(f"{means}Since {self.text(a)}, {self.text(b)}.", f"“{said}”", slip)

    def backward(self, a: Literal, b: Literal) -> Step:
        form, said = self.said[a, b]
        means = "" if form == 8 else f"So it can't be that {self.text(a)}, for then {self.text(b)}. "
        slip = Slip(f"That says nothing about a case in which {self.no(b)}.", "It does, read from its end.")
        return Step(f"{means}Since {self.no(b)}, {self.no(a)}.", f"“{said}”", slip)

    def scene(self, values: list[bool]) -> str:
        return listed([clause.said(value) for clause, value in zip(self.clauses, values, strict=True)])


def _entail(draw: Draw, level: int) -> Draft:
    links = (2, draw.between(2, 3), 3, draw.between(3, 4), draw.between(4, 5))[level - 1]
    extra = draw.between(0, min(2, level - 1, 6 - links))
    story = _Story(draw, links + 1 + extra, level)
    chain = [(i, draw.chance(0.7)) for i in range(links + 1)]
    for a, b in pairwise(chain):
        story.rule(a, b)
    leaves: list[tuple[int, bool, bool]] = []
    for i in range(links + 1, links + 1 + extra):
        leaf, at, out = (i, draw.chance(0.7)), draw.pick(chain), draw.chance(0.5)
        story.rule(*((at, leaf) if out else (leaf, at)))
        leaves.append((*leaf, out))
    at, holds = draw.pick(((0, True), (links, False), (0, True), (links, False), (draw.between(0, links), draw.chance(0.5))))  # fmt: skip
    if draw.chance(0.3):
        at, holds = draw.pick(((links, True), (0, False)))
    known = (chain[at][0], chain[at][1] == holds)
    target = draw.pick([i for i in range(links + 1) if i != at and (abs(i - at) > 1 or links < 3)] or [at - 1 if at else 1])  # fmt: skip
    positive = draw.chance(0.6)
    claim = (chain[target][0], chain[target][1] == positive)
    steps = [Step(f"It is known that {story.text(known)}.", "Begin with what is certain.")]
    if holds == (target > at):
        between = range(at, target) if holds else range(at - 1, target - 1, -1)
        steps += [(story.forward if holds else story.backward)(chain[i], chain[i + 1]) for i in between]
        found: bool | None = holds == positive
        steps.append(Step(f"The claim is that {story.text(claim)}, so it is {_ANSWERS[found]}."))
        check = f"If it were otherwise, we could follow the same links from the other end and would find that {story.no(known)}, which is not the case."
    else:
        found = None
        near, far = (target, at) if holds else (at, target)
        rules = [story.said[chain[i], chain[i + 1]][1] for i in range(near, far)]
        wrong = Slip(f"The rules lead from “{story.text(claim if positive else (claim[0], not claim[1]))}” to “{story.text(chain[at])}” or back, so the one settles the other.", "They lead one way only: what follows may be so for another reason.")  # fmt: skip
        steps.append(Step(f"What links the two is {listed([f'“{rule}”' for rule in rules])}", "The claim is about the other end of a chain.", wrong))  # fmt: skip
        scenes: list[list[bool]] = []
        for alike in (True, False):
            values = [False] * len(story.clauses)
            for i, (atom, sign) in enumerate(chain):
                true = alike if (i < at if holds else i > at) else holds
                values[atom] = sign == true
            for atom, sign, out in leaves:
                values[atom] = sign == out
            scenes.append(values)
        if scenes[0][claim[0]] != claim[1]:
            scenes.reverse()
        steps.append(Step(f"It may be that {story.scene(scenes[0])}. That breaks no rule, and the claim is true.", "Look for a case in which the claim holds."))  # fmt: skip
        steps.append(Step(f"It may also be that {story.scene(scenes[1])}. That breaks no rule either, and the claim is false.", "And one in which it does not."))  # fmt: skip
        check = f"In both cases {story.text(known)}, as it must be, and they differ in the claim."
    premises = [story.said[rule][1] for rule in story.rules] + [sentence(story.text(known))]
    question, form = _asked(draw, premises, story.text(claim))
    return _judged(story, question, form, claim, found, [known], None, steps, check)


def _judged(story: _Story, question: str, form: int, claim: Literal, found: bool | None, known: list[Literal], either: list[Literal] | None, steps: list[Step], check: str) -> Draft:  # fmt: skip
    answer = _ANSWERS[found]
    facts = {
        "kind": "entail",
        "n": len(story.clauses),
        "rules": [[list(a), list(b)] for a, b in story.rules],
        "known": [list(each) for each in known],
        "either": either and [list(each) for each in either],
        "claim": list(claim),
    }
    return Draft(
        question=question,
        answer=answer,
        facts=facts,
        template=f"{'cases' if either else 'entail'} {story.situation} {form}",
        steps=steps,
        says=f"That {story.text(claim)} is {answer}."
        if found is not None
        else f"Whether {story.text(claim)} can't be known.",
        given=f"The claim is that {story.text(claim)}.",
        check=check,
        verifier="choice",
        verifier_args={"aliases": _ALIASES[answer]},
    )


def _cases(draw: Draw, level: int) -> Draft:
    """One of two is so, and both lead to the same, or one of them is ruled out."""
    story = _Story(draw, 5, level)
    a, b, c, d, e = ((i, draw.chance(0.75)) for i in range(5))
    both = draw.chance(0.55)
    known: list[Literal] = []
    story.rule(a, c)
    if both:  # a → c, b → d → c
        story.rule(b, d)
        story.rule(d, c)
        story.rule(*((c, e) if draw.chance(0.5) else (e, a)))
        true = c
        steps = [
            Step(f"In the first case {story.text(a)}.", f"One of two is so: {story.text(a)}, or {story.text(b)}. Take them one by one."),
            story.forward(a, c),
            Step(f"In the second case {story.text(b)}.", "", Slip(f"So {story.text(c)}, and that is all.", f"Not yet: it may be that {story.no(a)}, and then {story.text(b)}.")),
            story.forward(b, d),
            story.forward(d, c),
            Step(f"Either way, {story.text(c)}."),
        ]  # fmt: skip
        if story.rules[-1] == (c, e) and draw.chance(0.6):
            steps.append(story.forward(c, e))
            true = e
        check = f"If it were so that {story.no(c)}, then neither could it be that {story.text(a)} nor that {story.text(b)}, and one of them must be."
    else:  # a → c, but not c; so b, and b → d (→ e)
        story.rule(b, d)
        story.rule(d, e)
        known = [(c[0], not c[1])]
        steps = [
            Step(f"It is known that {story.no(c)}.", "Begin with what is certain."),
            story.backward(a, c),
            Step(f"So {story.text(b)}.", f"One of two is so, {story.text(a)} or {story.text(b)}, and the first is ruled out."),
            story.forward(b, d),
            story.forward(d, e),
        ]  # fmt: skip
        true = e
        check = f"All of this agrees with the rules: {story.no(a)}, {story.text(b)}, {story.no(c)}, {story.text(d)}, {story.text(e)}."
    claim = (true[0], true[1] == draw.chance(0.6))
    found = claim == true
    steps.append(Step(f"The claim is that {story.text(claim)}, so it is {_ANSWERS[found]}."))
    either = draw.pick(
        (
            f"Either {story.text(a)}, or {story.text(b)}, or both.",
            f"At least one of these is so: {story.text(a)}; {story.text(b)}.",
        )
    )
    premises = [*(said for _, said in story.said.values()), either, *(sentence(story.text(each)) for each in known)]
    question, form = _asked(draw, premises, story.text(claim))
    return _judged(story, question, form, claim, found, known, [a, b], steps, check)


# --- the independent solver ------------------------------------------------------------------------------------------


def _holds(formula: Formula, given: dict[str, bool]) -> bool:
    match formula:
        case str():
            return given[formula]
        case ["not", a]:
            return not _holds(a, given)
        case ["and", a, b]:
            return _holds(a, given) and _holds(b, given)
        case ["or", a, b]:
            return _holds(a, given) or _holds(b, given)
        case ["implies", a, b]:
            return _holds(b, given) if _holds(a, given) else True
        case ["if", a, b]:
            return _holds(a, given) is _holds(b, given)
        case _:
            return _holds(formula[1], given) is not _holds(formula[2], given)


def solve(facts: dict[str, Any]) -> str:
    """Try all assignments."""
    kind = facts["kind"]
    if kind == "evaluate":
        return _word(_holds(facts["formula"], facts["given"]))
    if kind == "entail":
        found: dict[bool, int] = {True: 0, False: 0}
        atom, sign = facts["claim"]
        for values in product((True, False), repeat=facts["n"]):
            if any(values[i] == s and values[j] != t for (i, s), (j, t) in facts["rules"]):
                continue
            if facts["either"] and all(values[i] != s for i, s in facts["either"]):
                continue
            if all(values[i] == s for i, s in facts["known"]):
                found[values[atom] == sign] += 1
        return "unknown" if found[True] and found[False] else "true" if found[True] else "false"
    letters = facts["letters"]
    worlds = [dict(zip(letters, row, strict=True)) for row in product((True, False), repeat=len(letters))]
    if kind == "equivalent":
        same = [all(_holds(option, w) == _holds(facts["formula"], w) for w in worlds) for option in facts["options"]]
        return "ABCD"[same.index(True)] if same.count(True) == 1 else "more than one"
    true = sum(_holds(facts["formula"], world) for world in worlds)
    if kind == "count":
        return str(true if facts["true"] else len(worlds) - true)
    return "a tautology" if true == len(worlds) else "neither" if true else "a contradiction"


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 2 to 4 letters and 1 to 5 links; values, sentences, then tables, equivalent formulas, cases",
    verifier="choice",
)
