"""Word problems with calculator annotations, GSM8K's format: read as a program over the numbers of the question.

    Ann has 3 boxes of 12 pens …          3*12=<<3*12=36>>36 pens. …          #### 36

An annotation's number is a number of the question, an earlier result, or a constant (a week has 7 days). Where it can't be
told which, or where the text holds back a step, the problem can't be varied and says why.
Format: Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from phiforge.data.rows import Unfit

NUMBER = re.compile(
    r"(?<![\w.,/:])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w/:]|[.,]\d)|(?<![\w.,/:])\.\d+(?![\w/:]|[.,]\d)"
)
ANNOTATION = re.compile(r"<<[^<>]*>>")
_COMPUTED = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")
_TOKEN = re.compile(r"\d[\d,]*\.?\d*|\.\d+|[-+*/()]")
_CONSTANTS = {Fraction(n) for n in (1, 2, 3, 4, 5, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000)} | {Fraction(1, 2), Fraction(1, 4), Fraction(3, 4)}  # fmt: skip
_ORDINAL = re.compile(r"\b(?:second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)\b", re.I)
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "twenty": 20, "dozen": 12}  # fmt: skip


class Annotated(NamedTuple):
    """A problem as a program. `formulas` are over names: `q3` is number 3 of the question, `r1` the result of formula 1,
    anything else a constant. `varied` are the numbers of the question that formulas use."""

    question: str
    solution: str
    numbers: list[Fraction]
    formulas: list[str]
    results: list[Fraction]
    varied: list[int]
    final: int  # which result is the answer


def value(text: str) -> Fraction:
    """The value of a number as written: "1,250", "0.5", ".5"."""
    return Fraction(text.replace(",", ""))


def read(question: str, answer: str) -> Annotated:
    """The program of a problem. Raises Unfit, with the reason, for one that can't be varied."""
    solution, mark, final = answer.rpartition("####")
    if not mark or "<<" not in solution:
        raise Unfit("the solution carries no calculator annotations, or no #### with the answer")
    if "<<" in question:
        raise Unfit("the question carries annotations")
    numbers = [value(found.group()) for found in NUMBER.finditer(question)]
    spelled = {Fraction(n) for word, n in _WORDS.items() if re.search(rf"\b{word}\b", question.lower())}
    if _ORDINAL.search(question):  # "the fourth wall": then a small number may be told by what follows
        spelled |= {Fraction(n) for n in range(1, 13)}
    formulas, results, used = list[str](), list[Fraction](), set[int]()
    for text, stated in _COMPUTED.findall(solution):
        formula = ""
        if "".join(_TOKEN.findall(text)) != text.replace(" ", ""):
            raise Unfit("an annotation is not plain arithmetic")
        for token in _TOKEN.findall(text):
            formula += token if token in "-+*/()" else _named(value(token), numbers, results, spelled, used)
        result = evaluate(formula, numbers, results)
        try:
            if result != value(stated.strip()):
                raise Unfit("an annotation is rounded or wrong")
        except ValueError:
            raise Unfit("an annotation's result is no number") from None
        formulas.append(formula)
        results.append(result)
    try:
        wanted = value(final.strip())
    except ValueError:
        raise Unfit("the answer is no number") from None
    if wanted not in results:
        raise Unfit("the answer is not the result of an annotation")
    if len(set(results)) < len(results) or set(results) & set(numbers):
        raise Unfit("a result equals another number, so its mentions can't be told apart")
    varied = sorted(used)
    if not varied:
        raise Unfit("no annotation uses a number of the question")
    _nothing_hidden(formulas, [numbers[i] for i in varied], spelled)
    return Annotated(
        question, solution.strip(), numbers, formulas, results, varied, len(results) - 1 - results[::-1].index(wanted)
    )


def _named(
    number: Fraction, numbers: list[Fraction], results: list[Fraction], spelled: set[Fraction], used: set[int]
) -> str:
    """What a number of an annotation stands for, as a name in a formula."""
    if number in results:
        return f"r{results.index(number)}"
    if number in numbers and number not in spelled and number != 1:
        first = numbers.index(number)
        used.update(i for i, other in enumerate(numbers) if other == number)
        return f"q{first}"
    return f"({number})"


def _nothing_hidden(formulas: list[str], varied: list[Fraction], spelled: set[Fraction]) -> None:
    """Refuse constants that may come from a number that is to change: 6 people where 5 friends are invited."""
    for text in re.findall(r"\(([\d/]+)\)", " ".join(formulas)):
        constant = Fraction(text)
        if constant in spelled:
            continue
        for n in varied:
            if constant in (n + 1, n - 1, 2 * n, n / 2, n / 100, 100 - n, 1 - n / 100, 1 + n / 100, 100 + n):
                raise Unfit("a constant may come from a number of the question")
        if constant not in _CONSTANTS:
            raise Unfit("a constant comes from nowhere")


def evaluate(formula: str, numbers: list[Fraction], results: list[Fraction]) -> Fraction:
    """The value of a formula. Raises Unfit for one that is no arithmetic, or divides by nought."""
    try:
        return _value(_parsed(formula), {f"q{i}": n for i, n in enumerate(numbers)} | {f"r{i}": n for i, n in enumerate(results)})  # fmt: skip
    except (SyntaxError, ZeroDivisionError):
        raise Unfit("an annotation can't be computed") from None


@lru_cache(maxsize=50_000)
def _parsed(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def _value(node: ast.expr, names: Mapping[str, Fraction]) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return Fraction(node.value)
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, names)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, names), _value(node.right, names)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
    raise Unfit("an annotation is not plain arithmetic")


def nested(problem: Annotated, result: int) -> str:
    """One formula over the numbers of the question for a result, with each earlier result put in its place."""
    formulas: list[str] = []
    for formula in problem.formulas[: result + 1]:
        formulas.append("(" + re.sub(r"\br(\d+)\b", lambda found: formulas[int(found.group(1))], formula) + ")")
    return formulas[result]


def solve(facts: dict[str, Any]) -> str:
    """A nested formula, of the numbers that a question's text begins with."""
    numbers = [value(found.group()) for found in NUMBER.finditer(facts["question"])]
    result = evaluate(facts["formula"], numbers, [])
    return str(result) if result.denominator == 1 else f"{float(result):.2f}"
