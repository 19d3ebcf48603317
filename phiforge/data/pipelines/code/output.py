"""Small programs, and the question what they print: loops, slices, aliases, closures, exceptions, recursion, classes.

`make` predicts the output with an interpreter of its own, which also tells the steps; `solve` runs the printed program.
"""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._programs import PROGRAMS, Program
from phiforge.data.pipelines.code._tracer import Tracer
from phiforge.data.rows import Unfit
from phiforge.data.words import listed

_ASKS = (
    "What does this program print?\n\n{code}",
    "What is the output of the following code?\n\n{code}",
    "{code}\n\nWhat is printed?",
    "Predict the output without running it.\n\n{code}",
    "Read the program and say what appears on the screen.\n\n{code}",
    "Which line does this Python program print?\n\n{code}",
    "I ran this in Python 3. What did I see?\n\n{code}",
    "Trace the code by hand. What does the last statement print?\n\n{code}",
    "{code}\n\nGive the exact output.",
    "In an interview you are shown this:\n\n{code}\n\nWhat does it print?",
    "What will Python show for the code below?\n\n{code}",
    "Work out the output:\n\n{code}",
    "A quiz question: what is the output?\n\n{code}",
    "Without a computer at hand: what does this print?\n\n{code}",
    "Someone wrote this program.\n\n{code}\n\nTell me what it prints, exactly.",
    "Determine what the following prints.\n\n{code}",
    "Here is some Python.\n\n{code}\n\nWhat text does `print` write?",
    "Follow the values of the variables through this program. What is its output?\n\n{code}",
    "Look closely:\n\n{code}\n\nWhat comes out?",
    "What output do you expect from this code?\n\n{code}",
    "My program is below. Before I start it, what should it print?\n\n{code}",
    "Say exactly what is printed when this runs.\n\n{code}",
)
_SHOWN = 14  # events of one statement that a step tells


def make(draw: Draw, level: int) -> Draft:
    chosen = draw.pick([each for each in PROGRAMS if each.level in (level, level, max(level - 1, 1))])
    made = chosen.write(draw, level)
    tracer = Tracer(made.code)
    output = tracer.printed[-1] if tracer.printed else ""
    if (
        len(tracer.printed) != 1
        or not 0 < len(output) < 120
        or output != output.strip(" *_`\"'$.!")
        or len(tracer.said) > 70
    ):
        raise Unfit
    ask = draw.between(0, len(_ASKS) - 1)
    return Draft(
        question=_ASKS[ask].format(code=f"```python\n{made.code}\n```"),
        answer=output,
        facts={"program": made.code},
        template=f"ask {ask}",
        steps=_steps(made, tracer),
        says=draw.pick(
            ("It prints this one line.", "That is the output.", "So one line is printed.", "This is what appears.")
        ),
        given=f"The program has {made.code.count(chr(10)) + 1} lines, and prints once. {made.about}".strip(),
        check=_check(made, tracer, output),
        verifier="choice",
    )


def _steps(made: Program, tracer: Tracer) -> list[Step]:
    lines = made.code.split("\n")
    grouped: dict[int, list[str]] = {}
    for line, words in tracer.said:
        grouped.setdefault(line, []).append(words)
    steps = []
    for line, words in grouped.items():
        text = lines[line - 1].strip()
        words = [each for i, each in enumerate(words) if i == 0 or each != words[i - 1]]
        if len(words) > _SHOWN:
            words = [*words[: _SHOWN - 6], "and so on, until", *words[-5:]]
        told = "; ".join(words).replace("and so on, until; ", "and so on, until ")
        if text.startswith("print("):
            begun = "It" if told.startswith("it prints") else f"Within `{text}`: it" if not told[0].isalpha() else ""
            told = f"{begun}{told[2:]}" if begun else f"From the innermost call on: {told}"
            steps.append(Step(f"{told}.", "Now the last line." if begun else ""))
        elif len(words) == 1 and words[0] == text:
            steps.append(Step(f"At first {told}." if not steps else f"Then {told}."))
        else:
            steps.append(Step(f"`{text}`: {told}."))
    if made.why and steps:
        at = max(len(steps) - 2, 0)
        slip = Slip(made.wrong, made.noticed) if made.wrong and at else None
        steps[0] = Step(steps[0].say, made.why)
        steps[at] = Step(steps[at].say, steps[at].because, slip)
    return steps


def _check(made: Program, tracer: Tracer, output: str) -> str:
    """What the variables of the last line hold when it is reached."""
    last = made.code.split("\n")[-1]
    held = tracer.scope.values.items()
    known = [
        f"{name} is {value!r}"
        for name, value in held
        if re.search(rf"\b{name}\b", last) and isinstance(value, int | str | list | dict)
    ]
    return f"Just before the end, {listed(known)}, so `{last}` shows {output}." if known else ""


def solve(facts: dict[str, Any]) -> str:
    """Run the program."""
    screen = StringIO()
    with redirect_stdout(screen):
        exec(facts["program"], {"__name__": "program"})
    return screen.getvalue().rstrip("\n")


PIPELINE = Solver(
    make,
    solve,
    knobs="level: arithmetic and loops; dictionaries and functions; aliases and sorting; closures and exceptions; recursion and classes",
    verifier="choice",
)
