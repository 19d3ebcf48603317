"""What the shipped model's equations are of, told in a solution's own words (recipes/reasoning/labels.py)."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

Labels = runpy.run_path(str(Path(__file__).parents[1] / "recipes/reasoning/labels.py"))["Labels"]


@pytest.mark.parametrize(
    ("solution", "wanted"),
    [
        ("Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n#### 24", ["Natalia, clips in May"]),
        ("Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.", ["$ Weng, per minute"]),
        ("The total cost of the accident: 4+7=<<4+7=11>>11", ["total cost of the accident"]),
        ("2 pens cost 2*3=<<2*3=6>>6 dollars, so 9-6=<<9-6=3>>3 is left.", ["dollars", "is left"]),
        ("He pays 20*.1=<<20*.1=2>>2% more.", ["% more"]),
        ("<<1+1=2>>\n<<2+2=4>>\n#### 4", ["", ""]),
        ("Nothing to compute.", []),
    ],
)
def test_an_equation_is_named_by_the_words_around_it(solution: str, wanted: list[str]) -> None:
    common = ["the total he nothing so is left pens", "the total he nothing so is left pens"]
    assert Labels(common)(solution) == wanted


def test_what_is_written_small_elsewhere_is_no_name() -> None:
    solution = "Apples cost 2*3=<<2*3=6>>6 dollars."
    assert Labels(["apples", "more apples"])(solution) == ["dollars"]
    assert Labels([])(solution) == ["Apples, dollars"]
