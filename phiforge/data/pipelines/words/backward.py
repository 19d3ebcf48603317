"""Annotated word problems (GSM8K's format) asked backwards: the answer is told, and a number of the story is what is sought.

    Ann has x boxes of 12 pens. How many pens does she have? The answer is 36. What is x?    36/12=<<36/12=3>>3

Numbers and names are changed first, as `words.varied` does. The way is undone step by step, from the answer to the number;
`solve` takes the formula at two places and draws the line through them. Give it a set of your own, as there.
Idea: Yu et al. 2023, "MetaMath" (backward questions), after Weng et al. 2022, "Large Language Models are Better Reasoners with
Self-Verification".
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words import varied
from phiforge.data.pipelines.words._annotated import NUMBER, Annotated, evaluate, nested, read
from phiforge.data.rows import Unfit
from phiforge.data.seeds import Seed

_FORMS = (
    ("x", "{question} The answer is {answer}. What is x?"),
    ("X", "{question} If the answer to this is {answer}, what is the value of X?"),
    ("____", "{question} It is {answer}. Which number belongs in the blank?"),
    ("n", "It is known that the answer to the following is {answer}. What is n? {question}"),
)
_NAME = re.compile(r"\b[qr]\d+\b")


def make(draw: Draw, level: int, seed: Seed) -> Draft:
    changed = varied.make(draw, level, seed)
    problem = read(changed.question, changed.metadata["annotated"])
    numbers, result = problem.numbers, problem.results[problem.final]
    formula = nested(problem, problem.final)
    once = [i for i in problem.varied if _NAME.findall(formula).count(f"q{i}") == numbers.count(numbers[i]) == 1]
    if not once:
        raise Unfit("no number of the question is used just once")
    sought = draw.pick(once)
    lines = _undone(problem, f"q{sought}")
    form = draw.between(0, len(_FORMS) - 1)
    name, asked = _FORMS[form]
    mention = list(NUMBER.finditer(changed.question))[sought]
    story = f"{changed.question[: mention.start()]}{name}{changed.question[mention.end() :]}"
    question, answer = asked.format(question=story, answer=_text(result)), _text(numbers[sought])
    told = {f"q{i}": str(n) for i, n in enumerate(numbers) if i != sought}
    return Draft(
        question=question,
        answer=answer,
        facts={"formula": formula, "told": told, "answer": str(result)},
        template=f"{seed.id} {sought} {form}",
        steps=[Step(line) for line in lines],
        metadata={
            "annotated": "\n".join([*(f"<<{line}>>" for line in lines), f"#### {answer}"]),
            "varied from": seed.id,
        },
    )


def _undone(problem: Annotated, sought: str) -> list[str]:
    """The equations that lead from the answer back to a number of the question, each after those that it needs."""
    trees = {f"r{i}": ast.parse(formula, mode="eval").body for i, formula in enumerate(problem.formulas)}
    values = {f"q{i}": n for i, n in enumerate(problem.numbers)} | {f"r{i}": n for i, n in enumerate(problem.results)}
    lines: list[str] = []
    worked = set[str]()

    def holds(node: ast.AST) -> bool:
        return any(
            name == sought or (name in trees and holds(trees[name])) for name in _NAME.findall(ast.unparse(node))
        )

    def number(node: ast.AST) -> str:
        """What a node comes to, after its equations."""
        written = ast.unparse(node)
        for name in _NAME.findall(written):
            if name in trees and name not in worked:
                worked.add(name)
                number(trees[name])
        value = _text(evaluate(written, problem.numbers, problem.results))
        if isinstance(node, ast.BinOp):
            written = _NAME.sub(lambda found: _text(values[found.group()]), written).replace(" ", "")
            lines.append(f"{written}={value}")
        return value

    node, result = trees[f"r{problem.final}"], _text(problem.results[problem.final])
    while not (isinstance(node, ast.Name) and node.id == sought):
        if isinstance(node, ast.Name):
            node = trees[node.id]
            continue
        if not isinstance(node, ast.BinOp):
            raise Unfit("a sign stands before a number")
        inside, other = (node.left, node.right) if holds(node.left) else (node.right, node.left)
        known = number(other)
        match node.op, inside is node.left:
            case ast.Add(), _:
                undone = f"{result}-{known}"
            case ast.Sub(), first:
                undone = f"{result}+{known}" if first else f"{known}-{result}"
            case ast.Mult(), _ if known != "0":
                undone = f"{result}/{known}"
            case ast.Div(), True:
                undone = f"{result}*{known}"
            case _:
                raise Unfit("what is sought is divided by, or multiplied by nought")
        node, result = inside, _text(evaluate(ast.unparse(inside), problem.numbers, problem.results))
        lines.append(f"{undone}={result}")
    return lines


def _text(number: Fraction) -> str:
    if (100 * number).denominator != 1:
        raise Unfit("a number on the way has more than two decimals")
    return f"{float(number):.2f}".rstrip("0").rstrip(".")


def solve(facts: dict[str, Any]) -> str:
    """Where the formula has the answer's value: on the line through its values at 0 and at 1."""

    def at(x: int) -> Fraction:
        return evaluate(_NAME.sub(lambda found: f"({facts['told'].get(found.group(), x)})", facts["formula"]), [], [])

    return _text((Fraction(facts["answer"]) - at(0)) / (at(1) - at(0)))


PIPELINE = Solver(
    make, solve, seeds="annotated", knobs="level: how far numbers move; --seeds and --column name a set of your own"
)
