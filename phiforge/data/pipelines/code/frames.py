"""Questions about a data frame: answered by a value, by the value of a pandas expression, by choosing or writing the pandas code.

`make` finds the value in plain Python, row by row; `solve` builds the frame and evaluates pandas.
"""

from __future__ import annotations

import json
from fractions import Fraction
from functools import lru_cache
from typing import Any

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._frames import ASKS, Ask, Row
from phiforge.data.pipelines.code._reply import fenced
from phiforge.data.pipelines.code._schemas import THEMES, Theme
from phiforge.data.rows import Unfit
from phiforge.data.words import listed

_VALUE_LEADS = (
    "Here is a data frame.\n\n{table}\n\n{ask}",
    "{ask}\n\nThe data:\n\n{table}",
    "A pandas data frame `df` looks like this:\n\n{table}\n\n{ask}",
    "Use the table to answer. {ask}\n\n{table}",
    "From this excerpt of a file\n\n{table}\n\nI would like to know: {ask}",
    "Someone exported these rows.\n\n{table}\n\n{ask}",
)
_CODE_LEADS = (
    "`df` is this data frame:\n\n{table}\n\nWhat does `{code}` give?",
    "What is the value of\n\n```python\n{code}\n```\n\nfor the following `df`?\n\n{table}",
    "{table}\n\nWith this as `df`, what is the result of `{code}`?",
    "Read the pandas code and find its result by hand.\n\n```python\n{code}\n```\n\n`df` holds\n\n{table}",
    "In a notebook `df` shows as\n\n{table}\n\nWhat appears after the next cell is run?\n\n```python\nprint({code})\n```",
    "Evaluate `{code}`.\n\n{table}",
)
_CHOOSE_LEADS = (
    "`df` is\n\n{table}\n\n{ask} Which expression computes it?\n\n{options}",
    "I want to answer this with pandas: {ask}\n\n{table}\n\nWhich line is right?\n\n{options}",
    "{table}\n\nChoose the pandas expression for the question: {ask}\n\n{options}",
    'Which of these answers the question "{ask}" for a frame `df` like the one below?\n\n{options}\n\n{table}',
    "Four people wrote code for this question, and one did it right. {ask}\n\n{table}\n\n{options}",
)
_WRITE_LEADS = (
    "Write a Python function `answer(rows)` that uses pandas. It gets a list of dictionaries, the rows of a table such as\n\n{table}\n\nand returns the answer to this question as a plain Python value: {ask}",
    "{ask} Answer with pandas code: a function `answer(rows)`, where `rows` is a list of dictionaries with the keys of this table, that returns a plain value.\n\n{table}",
)
_WRITTEN = 0.01  # share of rows whose code is run in the sandbox: to import pandas there takes half a second


def make(draw: Draw, level: int) -> Draft:
    for _ in range(20):
        try:
            return _draft(draw, level)
        except Unfit:
            continue
    raise Unfit


def _draft(draw: Draw, level: int) -> Draft:
    kind = draw.pick([name for name, each in ASKS.items() if abs(each.level - level) <= 1])
    ask, theme = ASKS[kind], draw.pick(THEMES)
    rows, names = _rows(draw, theme, draw.between(4, 5) + level // 2)
    given = _given(draw, theme, rows, names)
    value, steps = ask.find(rows, given)
    code = ask.expression.format_map(given)
    if isinstance(value, Fraction) and value.denominator == 1:
        value = int(value)
    facts = {"kind": kind, "rows": rows, "code": code}
    mode = (
        "write"
        if draw.chance(_WRITTEN)
        else draw.pick(("value", "value", "value", "code", "code", "code", "choose", "choose"))
    )
    question = draw.pick(ask.asks).format_map(given)
    table = _printed(draw, rows, code=mode in ("code", "choose") or "index" in question or "df" in question)
    if mode == "write":
        return _written(draw, ask, theme, given, question, table, facts, steps, value)
    if mode == "choose":
        return _chosen(draw, ask, given, question, table, facts, steps, value)
    text = isinstance(value, str)
    lead = draw.between(0, 5)
    asked = (
        _VALUE_LEADS[lead].format(table=table, ask=question)
        if mode == "value"
        else _CODE_LEADS[lead].format(table=table, code=code)
    )
    if mode == "code":
        steps = [Step(f"The expression asks: {question}", "First I read the code."), *steps]
    return Draft(
        question=asked,
        answer=str(value),
        facts={**facts, "mode": "value"},
        template=f"{mode} {lead} {kind}",
        steps=steps,
        says="That is the answer." if text else f"The value is {value}.",
        given=f"The frame has {len(rows)} rows; what matters is {given['number']} and {given['category']}.",
        check=_check(kind, rows, given, value),
        verifier="choice" if text else "math",
    )


def _rows(draw: Draw, theme: Theme, n: int) -> tuple[list[Row], list[str]]:
    names = draw.sample(theme.names, draw.between(2, 3))
    numbers = draw.sample(range(theme.low, theme.high + 1), n)
    rows = [
        {theme.parent: draw.pick(names), theme.category: draw.pick(theme.categories), theme.number: number, theme.count: draw.between(1, theme.most)}
        for number in numbers
    ]  # fmt: skip
    return rows, list(dict.fromkeys(row[theme.parent] for row in rows))


def _given(draw: Draw, theme: Theme, rows: list[Row], names: list[str]) -> dict[str, Any]:
    numbers = sorted(row[theme.number] for row in rows)
    value = draw.pick(rows)[theme.category]
    others = [each for each in theme.categories if each != value]
    rate_of = draw.sample(theme.categories, 2)
    rates = [draw.between(2, 9) for _ in rate_of]
    return {
        "parent": theme.parent, "category": theme.category, "number": theme.number, "count": theme.count, "value": value, "value2": draw.pick(others), "name": draw.pick(names),
        "i": draw.between(1, len(rows) - 2), "n": draw.between(2, 3), "limit": numbers[draw.between(0, len(rows) - 2)], "total": sum(numbers) * draw.between(3, 7) // 10,
        "rate_of": "[" + ", ".join(f'"{each}"' for each in rate_of) + "]", "rates": str(rates), "rate_names": rate_of, "rate_values": rates, "said_rates": listed([f"{a} {b}" for a, b in zip(rate_of, rates, strict=True)]),
    }  # fmt: skip


def _printed(draw: Draw, rows: list[Row], code: bool) -> str:
    """As a frame shows itself, with its index; or, where the question doesn't need that, as CSV or in Markdown."""
    heads = list(rows[0])
    style = "frame" if code else draw.pick(("frame", "csv", "markdown"))
    body = [[str(row[head]) for head in heads] for row in rows]
    if style == "csv":
        return "```\n" + "\n".join(",".join(line) for line in [heads, *body]) + "\n```"
    if style == "markdown":
        return "\n".join(
            [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(f"| {' | '.join(line)} |" for line in body)]
        )
    widths = [max(len(line[i]) for line in [heads, *body]) + 2 for i in range(len(heads))]
    lines = [" " + "".join(head.rjust(width) for head, width in zip(heads, widths, strict=True))]
    lines += [
        f"{i}" + "".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for i, line in enumerate(body)
    ]
    return "```\n" + "\n".join(lines) + "\n```"


def _check(kind: str, rows: list[Row], given: dict[str, Any], value: Any) -> str:
    """The part that was left out, where the value is of a part; else the runner-up."""
    number, category = given["number"], given["category"]
    numbers = [row[number] for row in rows]
    if kind == "filtered sum":
        rest = [row[number] for row in rows if row[category] != given["value"]]
        return f"The other rows have {sum(rest)}, and {sum(rest)} + {value} = {sum(numbers)}, the sum of all."
    if kind == "count":
        rest = [each for each in numbers if each <= given["limit"]]
        return (
            f"Not above it are {listed([str(each) for each in rest])}, and {len(rest)} + {value} = {len(rows)} rows."
        )
    if kind in ("isin", "share"):
        tally = {
            each: [row[category] for row in rows].count(each) for each in dict.fromkeys(row[category] for row in rows)
        }
        return f"By {category}: {listed([f'{name} {n}' for name, n in tally.items()])}, together {len(rows)} rows."
    if kind in ("argmax", "spread"):
        order = sorted(numbers)
        return f"In order the values are {listed([str(each) for each in order])}."
    if kind == "median":
        below = sum(each < value for each in numbers)
        return f"{below} values are smaller and {sum(each > value for each in numbers)} are larger."
    if kind == "sum":
        halves = sum(numbers[: len(rows) // 2]), sum(numbers[len(rows) // 2 :])
        return f"In two halves: {halves[0]} + {halves[1]} = {value}."
    return ""


def _chosen(
    draw: Draw,
    ask: Ask,
    given: dict[str, Any],
    question: str,
    table: str,
    facts: dict[str, Any],
    steps: list[Step],
    value: Any,
) -> Draft:
    codes = [ask.expression.format_map(given), *(each.format_map(given) for each in ask.wrong)]
    results = [_result(code, facts["rows"]) for code in codes]
    if any(result == str(value) for result in results[1:]) or "error" in results:
        raise Unfit
    order = draw.shuffled(range(4))
    options = [codes[i] for i in order]
    letter = "ABCD"[order.index(0)]
    lead = draw.between(0, len(_CHOOSE_LEADS) - 1)
    others = [f"{a} gives {results[i]}" for a, i in zip("ABCD", order, strict=True) if i]
    return Draft(
        question=_CHOOSE_LEADS[lead].format(
            table=table, ask=question, options="\n".join(f"{a}) `{b}`" for a, b in zip("ABCD", options, strict=True))
        ),
        answer=letter,
        facts={**facts, "mode": "choose", "options": options, "value": str(value)},
        template=f"choose {lead} {facts['kind']}",
        steps=[*steps, Step(f"So the code has to give {value}, and {listed(others)}.", "Now the four lines.")],
        says=f"Option {letter} gives {value}.",
        given=f"The question is: {question}",
        verifier="choice",
        verifier_args={"options": options},
    )


def _written(
    draw: Draw, ask: Ask, theme: Theme, given: dict[str, Any], question: str, table: str, facts: dict[str, Any], steps: list[Step], value: Any
) -> Draft:  # fmt: skip
    if facts["kind"] in ("merge", "rank"):
        raise Unfit
    result = facts["code"]
    plain = (
        result
        if isinstance(value, str)
        else f"float({result})"
        if facts["kind"] in ("median", "share", "group mean")
        else f"int({result})"
    )
    program = f"import pandas as pd\n\n\ndef answer(rows):\n    df = pd.DataFrame(rows)\n    return {plain}"
    tests = []
    for data in [facts["rows"], *(_rows(draw, theme, 6)[0] for _ in range(3))]:
        try:
            expected, _ = ask.find(data, given)
        except (Unfit, ZeroDivisionError, IndexError):
            continue
        tests.append(
            f"assert abs(answer({data!r}) - {float(expected)!r}) < 1e-9"
            if not isinstance(expected, str)
            else f"assert answer({data!r}) == {expected!r}"
        )
    lead = draw.between(0, len(_WRITE_LEADS) - 1)
    return Draft(
        question=_WRITE_LEADS[lead].format(table=table, ask=question),
        answer=fenced(program),
        facts={**facts, "mode": "write", "program": program, "tests": "\n".join(tests)},
        template=f"write {lead} {facts['kind']}",
        steps=[
            Step("The rows become a frame with pd.DataFrame(rows)."),
            Step(f"The expression is `{facts['code']}`.", "Then what is asked."),
            Step("It is turned into a plain value, as pandas gives its own kinds of number."),
        ],
        says="The function:",
        given=f"The question is: {question}",
        check=f"For the rows shown it gives {value}.",
        verifier="code",
        verifier_args={"entry_point": "answer", "tests": "\n".join(tests), "memory_mb": 2048},
    )


def _result(code: str, rows: list[Row]) -> str:
    """What a pandas expression of ours gives, as text: whole numbers without a point, others as fractions."""
    return _evaluated(code, json.dumps(rows))


@lru_cache(maxsize=64)
def _evaluated(code: str, data: str) -> str:
    import pandas as pd

    rows = json.loads(data)

    try:
        value = eval(code, {"df": pd.DataFrame(rows), "pd": pd})
    except (KeyError, IndexError, ValueError):
        return "error"
    if isinstance(value, str):
        return value
    return str(Fraction(float(value)).limit_denominator(1000))


def solve(facts: dict[str, Any]) -> str:
    """Evaluate with pandas. Raises AssertionError where a program fails its tests."""
    if facts["mode"] == "choose":
        results = [_result(code, facts["rows"]) for code in facts["options"]]
        right = [letter for letter, result in zip("ABCD", results, strict=True) if result == facts["value"]]
        assert len(right) == 1, f"{right} of the options give {facts['value']}"
        return right[0]
    if facts["mode"] == "write":
        space: dict[str, Any] = {}
        exec(facts["program"], space)
        exec(facts["tests"], space)
        return fenced(facts["program"])
    return _result(facts["code"], facts["rows"])


PIPELINE = Solver(
    make,
    solve,
    knobs="level: cells and sums; filters and sorting; groups; pivots, differences and products; transforms, ranks and merges",
    verifier="math",
)
