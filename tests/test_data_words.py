"""Word problems as a whole: varied beyond their numbers, quick to make, and rewrites of annotated sets that stay true."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from phiforge.data import pipeline as registry
from phiforge.data import seeds
from phiforge.data.curate import duplicates
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words import backward, stories
from phiforge.data.pipelines.words._annotated import evaluate, read
from phiforge.data.pipelines.words.steps import completed
from phiforge.data.rows import Options, Unfit, make_row, question
from phiforge.data.seeds import Seed
from phiforge.data.words import NUMBERS, counted_down, past_weeks, times_into
from phiforge.records import Example

WORDS = [name for name in registry.names() if name.startswith("words.")]
GSM8K = Path(__file__).parents[2] / "shared/data/gsm8k/train.jsonl"


@pytest.mark.parametrize(
    ("total", "each", "said"),
    [
        (33, 6, "33: 10 × 6 = 60 > 33, 1: 27, 2: 21, 3: 15, 4: 9, 5: 3"),
        (149, 12, "149: 10 × 12 = 120 < 149, 149 − 120 = 29, 11: 29 − 12 = 17, 12: 17 − 12 = 5"),
        (240, 12, "240: 20 × 12 = 240"),
        (9, 20, "9: 10 × 20 = 200 > 9"),
        (Fraction(19, 2), 4, "9.5: 10 × 4 = 40 > 9.5, 1: 5.5, 2: 1.5"),
    ],
)
def test_one_counts_down_to_what_is_left(total: Fraction | int, each: int, said: str) -> None:
    assert counted_down(total, each) == said
    assert times_into(total, each) == said + (f", {total // each + 1} is enough" if total % each else "")


def test_weeks_leave_days() -> None:
    assert [past_weeks(days)[-2:] for days in range(1, 400)] == [
        f"{days % 7}." if days > 6 else "7." for days in range(1, 400)
    ]


def rows(n: int, name: str, given: list[Seed] | None = None, level: int = 0) -> list[Example]:
    pipeline = registry.get(name)
    assert isinstance(pipeline, Solver)
    seen = set[str]()
    made = [make_row(pipeline, i, Options(level=level), seen, given or ()) for i in range(n)]
    kept = [row for row in made if isinstance(row, Example)]
    assert len(kept) == n, [row for row in made if not isinstance(row, Example)][:3]
    return kept


def varied_enough(made: list[Example]) -> None:
    assert duplicates.near_share(question(row.problem) for row in made) < 0.02
    templates = Counter((row.provenance.source, row.problem.metadata["template"]) for row in made if row.provenance)
    assert max(templates.values()) < 0.05 * len(made)


def test_there_are_word_problems_of_many_kinds() -> None:
    assert len(WORDS) >= 13


def test_word_problems_are_varied() -> None:
    varied_enough([row for name in WORDS for row in rows(200, name)])


@pytest.mark.slow
def test_twenty_thousand_word_problems_are_varied() -> None:
    varied_enough([row for name in WORDS for row in rows(-(-20_000 // len(WORDS)), name)])


# --- rewrites of annotated problems ---------------------------------------------------------------------------------------

PENS = "Ana has 6 boxes with 15 pens each. She gives 20 pens away. How many pens are left?"
SOLVED = "Ana has 6*15=<<6*15=90>>90 pens.\nThere are 90-20=<<90-20=70>>70 left.\n#### 70"


def test_a_variant_says_in_its_question_what_its_solution_uses() -> None:
    for row in rows(150, "words.varied", [Seed(id="pens", text=PENS, answer=SOLVED, licence="CC0-1.0")]):
        found = re.fullmatch(
            r"(\w+) has (\d+) boxes with (\d+) pens each. She gives (\d+) pens away. How many pens are left\?",
            row.problem.messages[0].text,
        )
        assert found
        name, boxes, each, away = found.group(1), *map(int, found.groups()[1:])
        left = boxes * each - away
        assert left > 0
        assert row.problem.answer == str(left)
        assert row.problem.metadata["annotated"] == (
            f"{name} has {boxes}*{each}=<<{boxes}*{each}={boxes * each}>>{boxes * each} pens.\n"
            f"There are {boxes * each}-{away}=<<{boxes * each}-{away}={left}>>{left} left.\n#### {left}"
        )
        assert row.provenance
        assert row.provenance.licence == "CC0-1.0"
        assert row.provenance.seeds[0] == "pens"


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("Ana has 3 pens.", "She has 3 pens.\n#### 3", "no calculator annotations"),
        ("Ana invites 5 friends; everyone gets 4 rolls.", "6*4=<<6*4=24>>24, 24-5=<<24-5=19>>19\n#### 19", "may come from"),
        ("Ana has 3 bags of 4 and 12 more.", "3*4=<<3*4=12>>12, 12+12=<<12+12=24>>24\n#### 24", "told apart"),
        ("Ana has 7 pens and buys 9.", "7+9=<<7+9=17>>17\n#### 17", "rounded or wrong"),
        ("Ana has 7 pens and buys 9.", "7+9=<<7+9=16>>16\n#### 18", "not the result"),
        ("Ana has 7 pens and buys 9.", "7**9=<<7**9=40353607>>\n#### 40353607", "computed|arithmetic"),
        ("Ana has three pens of 3 colours.", "3*2=<<3*2=6>>6\n#### 6", "uses a number"),
        ("The 3 floors have 8 rooms; the third floor is empty.", "3-1=<<3-1=2>>2, 2*8=<<2*8=16>>16\n#### 16", "uses a number"),
        ("Ana shares 9 pens among 3 and gives each 17 cents.", "9/3=<<9/3=3>>3, 3*17=<<3*17=51>>51\n#### 51", "told apart"),
    ],
)  # fmt: skip
def test_what_cannot_be_varied_says_why(question: str, answer: str, reason: str) -> None:
    with pytest.raises(Unfit, match=reason):
        read(question, answer)


def test_prices_percentages_and_thousands_keep_their_form() -> None:
    text = "A shop sells 1,200 caps at 2.50 euros with a discount of 20%. How many euros is that?"
    answer = (
        "1200*2.50=<<1200*2.50=3000>>3,000 euros.\nOff: 3000*20/100=<<3000*20/100=600>>600.\n"
        "3000-600=<<3000-600=2400>>2400\n#### 2400"
    )
    for row in rows(60, "words.varied", [Seed(id="caps", text=text, answer=answer)]):
        asked = row.problem.messages[0].text
        found = re.search(r"sells (\S+) caps at (\d+\.\d\d) euros with a discount of (\d+)%", asked)
        assert found, asked
        caps, price, off = int(found.group(1).replace(",", "")), Fraction(found.group(2)), int(found.group(3))
        assert off <= 100
        assert ("," in found.group(1)) == (caps >= 1000)
        assert Fraction(row.problem.answer) == caps * price * (100 - off) / 100


@pytest.mark.skipif(not GSM8K.exists(), reason="no GSM8K here")
def test_rewrites_of_gsm8k_hold() -> None:
    given = seeds.read(str(GSM8K), "question")[:400]
    made = rows(300, "words.varied", given)
    originals = {seed.text for seed in given}
    assert not originals & {question(row.problem) for row in made}
    assert len({row.problem.metadata["varied from"] for row in made}) > 80


# --- the same asked backwards ---------------------------------------------------------------------------------------------


def test_a_number_of_the_story_is_found_from_its_answer() -> None:
    sought = Counter[int]()
    for row in rows(150, "words.backward", [Seed(id="pens", text=PENS, answer=SOLVED)]):
        asked = question(row.problem)
        story = re.search(
            r"has (\S+) boxes with (\S+) pens each. She gives (\S+) pens away. How many pens are left\?", asked
        )
        told = re.search(r"(?:answer (?:to (?:this|the following) )?|It )is (\d+)", asked)
        assert story
        assert told, asked
        (place,) = (i for i, number in enumerate(story.groups()) if not number.isdigit())
        sought[place] += 1
        boxes, each, away = (int(n if n.isdigit() else row.problem.answer) for n in story.groups())
        left, pens = int(told.group(1)), boxes * each
        assert left == pens - away
        assert row.problem.metadata["annotated"].splitlines() == [
            *(
                [f"<<{boxes}*{each}={pens}>>", f"<<{pens}-{left}={away}>>"]
                if place == 2
                else [f"<<{left}+{away}={pens}>>", f"<<{pens}/{(each, boxes)[place]}={(boxes, each)[place]}>>"]
            ),
            f"#### {row.problem.answer}",
        ]
    assert set(sought) == {0, 1, 2}


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        (
            "Ana puts 14 pens and 22 more into boxes of 9.",
            "14+22=<<14+22=36>>36, 36/9=<<36/9=4>>4\n#### 4",
            "divided by",
        ),
        ("Ana has 15 pens and as many pencils.", "15+15=<<15+15=30>>30\n#### 30", "used just once"),
    ],
)
def test_what_cannot_be_asked_backwards_says_why(question: str, answer: str, reason: str) -> None:
    seed = Seed(id="pens", text=question, answer=answer)
    said = set[str]()
    for i in range(40):
        try:
            backward.make(Draw(f"{i}"), 2, seed)
        except Unfit as found:
            said.add(str(found))
    assert any(reason in each for each in said), said


@pytest.mark.skipif(not GSM8K.exists(), reason="no GSM8K here")
def test_gsm8k_asked_backwards_holds() -> None:
    for row in rows(200, "words.backward", seeds.read(str(GSM8K), "question")[:400]):
        *notes, last = row.problem.metadata["annotated"].splitlines()
        assert last == f"#### {row.problem.answer}"
        assert notes[-1].endswith(f"={row.problem.answer}>>")
        for left, _, result in (note.strip("<>").partition("=") for note in notes):
            exact = re.sub(r"[\d.]+", lambda number: f"({Fraction(number.group())})", left)
            assert evaluate(exact, [], []) == Fraction(result), notes


# --- stories of several steps ---------------------------------------------------------------------------------------------


SPELT = {word: n for n, word in enumerate(NUMBERS)}
SPELT |= {"half": 2, "twice": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "dozen": 12}


@pytest.mark.parametrize("level", [1, 3])
def test_a_story_tells_all_that_its_equations_need(level: int) -> None:
    of_the_world = {2, 3, 4, 6, 7, 8, 100, *range(14, 36, 7)}  # sides, legs, wheels, weeks, percent
    turns = Counter[int]()
    for row in rows(400, "words.stories", level=level):
        told = question(row.problem).lower()
        known = {int(n) for n in re.findall(r"\d+", told)} | {n for word, n in SPELT.items() if word in told}
        *notes, last = row.problem.metadata["annotated"].splitlines()
        for note in notes:
            left, _, result = note.strip("<>").partition("=")
            assert {int(n) for n in re.findall(r"\d+", left)} <= known | of_the_world, (told, note)
            known.add(int(result))
        assert last == f"#### {result}" == f"#### {row.problem.answer}"
        turns[row.problem.metadata["template"].split(":")[0].count(" ")] += 1
    assert set(turns) == set(range(min(3, 1 + level) + 1))


def test_a_story_is_played_through_by_its_solver() -> None:
    """24 apples and half as many, a third given away, the others in boxes of 6."""
    turns = [["is", 24], ["part", 0, 1, 2, 0], ["sum", [0, 1]], ["part", 2, 2, 3, 0], ["into", 3, 6]]
    assert [stories.solve({"turns": turns, "wanted": i}) for i in range(5)] == ["24", "12", "36", "24", "4"]
    more = [["is", 5], ["times", 0, 9], ["is", 50], ["less", 2, 1], ["per", 1, 0], ["split", 3, 2]]
    assert [stories.solve({"turns": more, "wanted": i}) for i in (1, 3, 4, 5)] == ["45", "5", "9", "5/2"]


# --- steps of their solutions ---------------------------------------------------------------------------------------------


def test_a_step_is_asked_for_by_its_sentence_or_told() -> None:
    given = Seed(
        id="pens", text=PENS, answer=SOLVED.replace("#### 70", "That is $70*2=$<<70*2=140>>140 at $2 each.\n#### 140")
    )
    kinds = Counter[str]()
    for row in rows(120, "words.steps", [given]):
        asked, thought = question(row.problem), str(row.response.thinking)
        name, boxes, each, away = re.findall(r"^\w+|\d+", asked)[:4]
        pens = int(boxes) * int(each)
        left = pens - int(away)
        answers = {f"{name} has ____ pens.": pens, "There are ____ left.": left}
        blank = next((said for said in answers if said in asked), "")
        kinds[blank.replace(name, "Ana")] += 1
        assert row.problem.answer == str(answers.get(blank, 2 * left))
        assert ("How many" in asked) == (not blank)  # what is asked in the end isn't, where a step is
        if not blank:
            assert f"{name} has {pens} pens." in asked
            assert (f"There are {left} left." in asked) != (f"={left} left" in thought)
        assert f"{boxes}*{each}" not in asked
    assert set(kinds) == {"Ana has ____ pens.", "There are ____ left.", ""}


@pytest.mark.parametrize(
    ("line", "blank", "told"),
    [
        ("In 2005, 60/2 = <<60/2=30>>30 kids came", "In 2005, ____ kids came", "In 2005, 30 kids came."),
        ("She spent 25-11=$<<25-11=14>>14 on two.", "She spent $____ on two.", "She spent $14 on two."),
        ("It costs her $1,200 + $300 = $<<1200+300=1500>>1,500.", "It costs her $____.", "It costs her $1,500."),
        ("They need 60 miles x 2 = <<60*2=120>>120 miles", None, None),  # half of the sum would stay
        ("They make 280 cards because 40*7=<<40*7=280>>280", None, None),  # the number is there already
        ("That is 8 – 5=<<8-5=3>>3 people more than 8 – 6 people", None, None),
        ("6*2=<<6*2=12>>12", None, None),
    ],
)
def test_a_line_becomes_a_sentence_without_its_sum(line: str, blank: str | None, told: str | None) -> None:
    (found,) = completed(line)
    assert (found and found.blank, found and found.told) == (blank, told)


def test_a_solution_with_two_results_in_a_line_has_no_steps() -> None:
    with pytest.raises(Unfit, match="several results"):
        completed("3*4=<<3*4=12>>12 and 12+1=<<12+1=13>>13")
