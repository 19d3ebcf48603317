"""Writing under constraints that can be checked: lengths, words, letters, forms; attempts are made until one keeps to all."""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.rejection import rejection
from phiforge.data.teacher import Teacher
from phiforge.records import Message, Problem

_FORMS = (
    "a short explanation",
    "a letter to a friend",
    "a story for children",
    "an advertisement",
    "a diary entry",
    "a speech",
    "a list of tips",
    "a riddle",
    "a news item",
    "a dialogue",
)


def _constraints(draw: Draw) -> list[tuple[str, dict[str, Any]]]:
    """Every kind with the sentence that asks for it."""
    n, m = draw.between(2, 5), draw.between(40, 120)
    word = draw.pick(("however", "therefore", "imagine", "finally", "together", "simple"))
    letter = draw.pick("zqxjk")
    return [
        (
            f"Use at least {m} words.",
            {"kind": "length_constraints:number_words", "num_words": m, "relation": "at least"},
        ),
        (
            f"Use fewer than {m + 60} words.",
            {"kind": "length_constraints:number_words", "num_words": m + 60, "relation": "less than"},
        ),
        ("Do not use any commas.", {"kind": "punctuation:no_comma"}),
        (
            f"Include the word '{word}' at least twice.",
            {"kind": "keywords:frequency", "keyword": word, "frequency": 2, "relation": "at least"},
        ),
        (f"Write exactly {n} paragraphs, divided by blank lines.", {"kind": "paragraphs", "n": n}),
        ("Write everything in lower case.", {"kind": "change_case:english_lowercase"}),
        (f"Do not use the letter {letter}.", {"kind": "no_letter", "letter": letter}),
        ("Do not use any digits.", {"kind": "no_digits"}),
        ("End with a question.", {"kind": "ends_with_question"}),
        (
            f"Give exactly {n} bullet points, each beginning with '* '.",
            {"kind": "detectable_format:number_bullet_lists", "num_bullets": n},
        ),
        ("Put a title in double angular brackets, like <<title>>.", {"kind": "detectable_format:title"}),
        ("Put the whole answer in double quotation marks.", {"kind": "startend:quotation"}),
        (f"Begin with the word '{word.capitalize()}'.", {"kind": "first_word", "word": word}),
        ("Use no more than one exclamation mark.", {"kind": "exclamations", "n": 1}),
    ]


_AGAINST = (
    {"length_constraints:number_words"},
    {"startend:quotation", "first_word", "ends_with_question", "detectable_format:title"},
    {"paragraphs", "detectable_format:number_bullet_lists"},
    {"change_case:english_lowercase", "first_word"},
)


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    chosen: list[tuple[str, dict[str, Any]]] = []
    for sentence, constraint in draw.shuffled(_constraints(draw)):
        kinds = {each["kind"] for _, each in chosen}
        if not any(constraint["kind"] in group and kinds & group for group in _AGAINST):
            chosen.append((sentence, constraint))
        if len(chosen) == 3:
            break
    form = draw.pick(_FORMS)
    question = f"Write {form} about {seed.text}. {' '.join(sentence for sentence, _ in chosen)}"
    args = {"constraints": [constraint for _, constraint in chosen]}
    problem = Problem("", [Message("user", question)], "", "instructions", args)
    sampled = await rejection(teacher, problem, want=1, n=6, max_tokens=500)
    if not sampled.accepted:
        return [
            Reject(
                "no attempt keeps to every constraint",
                {"question": question, "reasons": [each.why for each in sampled.rejected]},
            )
        ]
    kinds = " ".join(sorted(constraint["kind"].rpartition(":")[2] for _, constraint in chosen))
    return [
        Draft(
            question=question,
            answer="",
            facts={},
            template=kinds,
            verifier="instructions",
            verifier_args=args,
            response=Message("assistant", sampled.accepted[0].text),
            metadata={"right": sampled.right.value},
        )
    ]


PIPELINE = Taught(
    make,
    seeds="topics",
    knobs="three constraints of fourteen kinds",
    verifier="instructions",
    stages=("rejection sampling",),
)
