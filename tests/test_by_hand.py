"""Equations worked out by hand: every step of them is true, and small."""

from __future__ import annotations

import re
from decimal import Decimal
from random import Random

import pytest

from phiforge.data.by_hand import spelled


@pytest.mark.parametrize(
    ("equation", "steps"),
    [
        ("144*4=576", "144*4=400+160+16=560+16=576"),
        ("54-16=38", "54-16=44-6=38"),
        ("128+57=185", "128+57=178+7=185"),
        ("448/7=64", "448/7=(420+28)/7=60+28/7=60+4=64"),
        ("1155/7=165", "1155/7=(700+455)/7=100+455/7=100+(420+35)/7=100+60+35/7=160+5=165"),
        ("17.40/4=4.35", "17.40/4=(16+1.4)/4=4+1.4/4=4+(1.2+0.2)/4=4+0.3+0.2/4=4.3+0.05=4.35"),
        ("(12+18)/6=5", "(12+18)/6=(22+8)/6=30/6=5"),
        ("217/10=21.7", "217/10=21.7"),
        ("23*19=437", "23*19=23*10+23*9=230+180+27=330+80+27=410+27=437"),
        ("5*6.50=32.50", "5*6.50=30+2.5=32.50"),
        ("5*3+2*4=23", "5*3+2*4=15+8=23"),
        ("(10+5)*2=30", "(10+5)*2=15*2=20+10=30"),
        ("100-(54-16)=62", "100-(54-16)=100-(44-6)=100-38=70-8=62"),
    ],
)
def test_what_does_not_fit_in_a_head_is_taken_apart(equation: str, steps: str) -> None:
    assert spelled(equation) == steps


@pytest.mark.parametrize(
    "text",
    ["48/2=24", "400-100=300", "1/3*30=10", "2+2=5", "3/8=2/4", "12/20+5/20=17/20", "50+50=100=60+40", "a*17=34", "7:50",
     "gcd(9, 18)=9", "9**99=1", "17/0=1", "x=38+45", "(38+45=83"],
)  # fmt: skip
def test_what_is_easy_or_no_right_equation_stays(text: str) -> None:
    assert spelled(text) == text


def test_equations_are_found_within_sentences() -> None:
    assert spelled("38+45=83 in all, and 83-9=74") == "38+45=78+5=83 in all, and 83-9=74"


def exact(expression: str) -> Decimal:
    return eval(
        re.sub(r"\d+(?:\.\d+)?", lambda found: f"Decimal('{found.group()}')", expression), {"Decimal": Decimal}
    )


def test_every_step_is_true_and_ends_in_the_result() -> None:
    draw = Random(0)
    shown = 0
    for _ in range(3000):
        numbers = [
            Decimal(draw.randint(1, 9999)).scaleb(-draw.choice((0, 0, 0, 1, 2))) for _ in range(draw.randint(2, 4))
        ]
        expression = str(numbers[0])
        for number in numbers[1:]:
            expression += draw.choice("+-*") + (f"({number}+7)" if draw.random() < 0.1 else str(number))
        result = exact(expression)
        if result >= 0:
            steps = spelled(f"{expression}={result:f}").split("=")
            shown += len(steps) > 2
            assert steps[0] == expression
            assert {exact(step) for step in steps} == {result}
    assert shown > 500


def test_quotients_are_divided_in_parts() -> None:
    draw = Random(1)
    for _ in range(1000):
        by, times = draw.randint(2, 99), draw.randint(2, 999)
        steps = spelled(f"{by * times}/{by}={times}").split("=")
        assert {exact(step) for step in steps} == {times}
