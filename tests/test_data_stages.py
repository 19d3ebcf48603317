"""The stages of the data factory, each alone, with a simulated teacher whose errors are known, and with a real model."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from fractions import Fraction
from math import comb, prod, sqrt
from pathlib import Path
from typing import Any

import pytest

from phiforge.data import pipeline as registry
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Options, make_row
from phiforge.data.simulated import Known, Nature, SimulatedTeacher
from phiforge.data.stages import behaviour, solve, texts, vote
from phiforge.data.stages.converse import converse
from phiforge.data.stages.deduce import deduce
from phiforge.data.stages.difficulty import rate, reasoning, takes_thought, teachable, untaught_reason
from phiforge.data.stages.execute import code_of, mutated, run_tests, write_code
from phiforge.data.stages.fill_middle import code_hole, fill_middle, reasoned_hole
from phiforge.data.stages.plurality import plurality
from phiforge.data.stages.propose import Brief, annotate, briefs, propose, worthwhile
from phiforge.data.stages.rejection import rejection
from phiforge.data.stages.reverse import reverse, similarity
from phiforge.data.stages.revise import CLEAR, Criterion, Rubric, gain, revise
from phiforge.data.stages.rewrite import rewrite
from phiforge.data.stages.unknowns import unknowns
from phiforge.data.teacher import Teacher
from phiforge.records import Example, Message, Problem

NATURE = Nature(errors=(0.05, 0.2, 0.4, 0.6, 0.8), favour=0.5, silent=0.0)
TEXT = """Glass does not flow at room temperature. Old windows are often thicker at the bottom than at the top.
Some people conclude that glass flows, because the thick part is where a liquid would gather.
But panes that were set with the thick side up are still thick at the top, so the glass has not moved.
Therefore the thickness must come from the way in which panes were made.
Spun glass was uneven, and glaziers liked to put the heavy edge at the bottom of the frame."""


def fills(**by_form: Any) -> Callable[[str, dict[str, Any], Draw], Any]:
    """Forms filled in by name: a value, or a function of the prompt and a draw."""

    def fill(prompt: str, schema: dict[str, Any], draw: Draw) -> Any:
        value = by_form.get(schema["$ref"].rpartition("/")[2])
        return value(prompt, draw) if callable(value) else value

    return fill


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def within(count: int, n: int, chance: float) -> bool:
    """Whether a count is within four standard deviations of what is expected."""
    return abs(count - n * chance) <= 4 * sqrt(n * chance * (1 - chance)) + 1e-9


# --- votes: the arithmetic ---------------------------------------------------------------------------------------


def outcomes(counts: list[int], left: int, least: int) -> set[tuple[str, int]]:
    """Every outcome, with its plurality, that further votes can lead to: by trying all of them."""
    if not left:
        outcome = vote.decide(counts, sum(counts), least)
        return {(outcome, counts.index(max(counts)) if outcome != "no agreement" else -1)}
    found = set()
    for place in range(len(counts) + 1):
        grown = [*counts, 0]
        grown[place] += 1
        found |= outcomes([each for each in grown if each], left - 1, least)
    return found


@pytest.mark.parametrize("least", [2, 3])
def test_votes_are_settled_exactly_when_no_further_votes_matter(least: int) -> None:
    n = 7
    for asked in range(1, n + 1):
        for counts in partitions(asked):
            assert vote.settled(counts, n - asked, least) == (len(outcomes(counts, n - asked, least)) == 1), counts
            if asked < vote.earliest(n, least):
                assert not vote.settled(counts, n - asked, least)


def partitions(n: int, most: int = 99) -> list[list[int]]:
    if not n:
        return [[]]
    return [[first, *rest] for first in range(min(n, most), 0, -1) for rest in partitions(n - first, first)]


def urn(counts: list[int], left: int, spread: float) -> dict[tuple[int, ...], float]:
    """The ways in which votes fall under the prior, cluster by cluster."""
    states = {tuple(counts): 1.0}
    for _ in range(left):
        after: dict[tuple[int, ...], float] = {}
        for state, chance in states.items():
            total = sum(state) + spread
            for place in range(len(state) + 1):
                size = state[place] if place < len(state) else spread
                grown = tuple(c + (i == place) for i, c in enumerate((*state, *(0,) * (place == len(state)))))
                after[grown] = after.get(grown, 0) + chance * size / total
        states = after
    return states


@pytest.mark.parametrize("counts", [[3], [2, 1], [4, 1, 1], [2, 2], [1, 1, 1], [5, 3]])
@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
def test_the_chance_of_change_is_that_of_the_urn(counts: list[int], spread: float) -> None:
    now = vote.decide(counts, sum(counts))
    changed = 0.0
    for state, chance in urn(counts, 5, spread).items():
        same = vote.decide(state, sum(state)) == now and (now == "no agreement" or state[0] == max(state))
        changed += 0.0 if same else chance
    assert vote.chance_of_change(counts, 5, spread=spread) == pytest.approx(changed)


def test_the_stated_risk_is_the_risk() -> None:
    """Votes drawn from the prior: of the questions that were stopped early, so many would have ended otherwise."""
    draw, n, risk, early, changed = random.Random(5), 11, 0.1, 0, 0
    for _ in range(4000):
        sizes: list[int] = []
        stopped: list[int] | None = None
        for asked in range(1, n + 1):
            place = draw.choices(range(len(sizes) + 1), [*sizes, 1.0])[0]
            sizes = [c + (i == place) for i, c in enumerate((*sizes, *(0,) * (place == len(sizes))))]
            if stopped is None and asked >= 3 and vote.ended(sizes, n - asked, 2, "bayes", risk):
                stopped = list(sizes)
        assert stopped is not None
        if sum(stopped) < n:
            early += 1
            then = vote.decide(stopped, sum(stopped)), stopped.index(max(stopped))
            now = vote.decide(sizes, n), sizes.index(max(sizes))
            changed += then[0] != now[0] or (then[0] == "kept" and then[1] != now[1])
    assert early > 1000
    assert changed / early < risk + 4 * sqrt(risk * (1 - risk) / early)


@pytest.mark.parametrize("error", [Fraction(1, 10), Fraction(4, 10), Fraction(8, 10)])
def test_what_is_expected_is_what_the_multinomial_says(error: Fraction) -> None:
    """By listing every way the votes can fall."""
    n, law = 7, [1 - error, error / 2, error / 4, error / 4]
    kept = right = all_agree = Fraction()
    for counts in itertools.product(range(n + 1), repeat=4):
        if sum(counts) != n:
            continue
        ways = prod(comb(n - sum(counts[:i]), c) for i, c in enumerate(counts))
        chance = ways * prod(p**c for p, c in zip(law, counts, strict=True))
        largest = max(counts)
        if largest == n:
            all_agree += chance
        elif largest >= 2 and counts.count(largest) == 1:
            kept += chance
            right += chance if counts[0] == largest else 0
    for stop in ("never", "exact"):
        found = vote.expected(law, n, stop=stop)
        assert (found.kept, found.right, found.all_agree) == pytest.approx((kept, right, all_agree))
        assert found.precision == pytest.approx(right / kept)
    assert vote.expected(law, n, stop="never").votes == n
    assert vote.expected(law, n, stop="bayes", risk=0.1).votes < vote.expected(law, n).votes < n


# --- plurality against theory ------------------------------------------------------------------------------------


def known_rows(name: str, level: int, n: int) -> list[tuple[Problem, Known]]:
    pipeline, seen = registry.get(name), set[str]()
    assert isinstance(pipeline, Solver)
    rows = [make_row(pipeline, i, Options(level=level), seen) for i in range(n)]
    return [(row.problem, Known.of(row)) for row in rows if isinstance(row, Example)]


@pytest.mark.parametrize(
    ("level", "stop", "n"),
    [(1, "exact", 9), (2, "exact", 5), (3, "exact", 9), (4, "bayes", 9), (5, "exact", 9), (3, "never", 5)],
)
def test_the_filter_does_what_theory_says(level: int, stop: vote.Stop, n: int) -> None:
    """Precision, recall and cost of plurality on rows of a solver pipeline, against the exact multinomial law."""
    rows = known_rows("arithmetic.chains", level, 250)
    teacher = SimulatedTeacher([known for _, known in rows], NATURE, seed=level)
    found = run(_gather(plurality(teacher, problem, n=n, stop=stop, risk=0.05) for problem, _ in rows))
    laws = {tuple(sorted(known.law(NATURE).values())) for _, known in rows}
    assert len(laws) == 1
    law = list(rows[0][1].law(NATURE).values())
    theory = vote.expected(law, n, stop=stop, risk=0.05)
    kept = [report for report in found if report.kept]
    right = sum(r.kept and r.answer == known.answer for r, (_, known) in zip(found, rows, strict=True))
    assert within(len(kept), len(rows), theory.kept)
    assert within(right, len(rows), theory.recall)
    assert within(right, len(kept), theory.precision)
    assert within(sum(r.outcome == "all agree" for r in found), len(rows), theory.all_agree)
    asked = [report.asked for report in found]
    mean = sum(asked) / len(asked)
    deviation = sqrt(sum((each - mean) ** 2 for each in asked) / len(asked))
    assert abs(mean - theory.votes) <= 4 * deviation / sqrt(len(asked)) + 1e-9
    assert sum(teacher.model.asked) == sum(asked)  # votes that were not needed were not paid for
    assert all(report.asked + report.saved == n for report in found)
    for report in kept:
        assert all(report.answer in each for each in report.responses)


async def _gather(works: Any) -> list[Any]:
    return await asyncio.gather(*works)


def test_a_favourite_error_wins_where_theory_says_so() -> None:
    """At a difficulty where the favourite error is likelier than the truth, plurality keeps the error, as it must."""
    rows = known_rows("arithmetic.chains", 5, 150)
    nature = Nature(errors=(0, 0, 0, 0, 0.7), favour=0.9)
    teacher = SimulatedTeacher([known for _, known in rows], nature)
    found = run(_gather(plurality(teacher, problem, n=9) for problem, _ in rows))
    wrong = sum(r.kept and r.answer == known.wrong[0] for r, (_, known) in zip(found, rows, strict=True))
    law = list(rows[0][1].law(nature).values())
    swapped = [law[1], law[0], *law[2:]]
    assert within(wrong, len(rows), vote.expected(swapped, 9).right)
    assert wrong > len(rows) / 2


def test_answers_are_clustered_by_what_they_mean() -> None:
    said = itertools.cycle(["\\boxed{1/2}", "\\boxed{0.5}", "\\boxed{2}", "I do not know", "\\boxed{\\frac{2}{4}}"])
    teacher = SimulatedTeacher(responds=lambda messages, draw: next(said))
    found = run(plurality(teacher, "Half of one?", n=5, stop="never"))
    assert found.clusters == [[0, 1, 4], [2], [3]]
    assert found.kept
    options = Problem("", [Message("user", "Which?")], "A", "choice", {"options": ["red", "blue"]})
    assert run(solve.clustered(options, ["B", "blue", "(b)", "red", None])) == [[0, 1, 2], [3], [4]]


def test_votes_that_agree_or_never_do_are_dropped() -> None:
    same = SimulatedTeacher(responds=lambda messages, draw: "Answer: 7")
    assert run(plurality(same, "q", n=5)).reason == "all agree"
    number = itertools.count()
    none = SimulatedTeacher(responds=lambda messages, draw: f"Answer: {next(number)}")
    assert run(plurality(none, "q", n=5)).reason == "no agreement"
    cut = SimulatedTeacher(responds=lambda messages, draw: "so " * 50 + "Answer: 7")
    assert run(plurality(cut, "q", n=5, max_tokens=20)).reason == "no agreement"


# --- difficulty and rejection ------------------------------------------------------------------------------------


def test_difficulty_is_how_often_weaker_models_agree() -> None:
    rows = known_rows("arithmetic.chains", 3, 60)
    known = [each for _, each in rows]
    solvers: list[Teacher] = [
        SimulatedTeacher(known, Nature(errors=(0.3,) * 5)),
        SimulatedTeacher(known, Nature(errors=(0.7,) * 5), seed=1),
    ]
    found = run(_gather(rate(solvers, problem, n=8) for problem, _ in rows))
    shares = [list(each.by_solver.values()) for each in found]
    assert within(sum(a.count for a, _ in shares), 480, 0.7)
    assert within(sum(b.count for _, b in shares), 480, 0.3)
    assert all(each.agreement.of == 16 for each in found)
    easy = rows[0][0]
    sure: list[Teacher] = [SimulatedTeacher(known, Nature(errors=(0,) * 5))]
    told = run(rate(sure, easy))
    assert (told.level, teachable(told), untaught_reason(told)) == (1, False, "too easy for weaker models")
    other = run(rate(sure, easy, answer="123456"))  # measured by another answer, all are wrong
    assert untaught_reason(other) == "too hard for weaker models"
    low, high = solve.Share(5, 10).interval
    assert low == pytest.approx(0.2366, abs=1e-3)
    assert high == pytest.approx(0.7634, abs=1e-3)


def test_a_rubric_tells_recall_from_reasoning() -> None:
    form = {"steps": 1, "hardest_step": "x", "complexity": 1, "recall": 5}
    found = run(reasoning(SimulatedTeacher(fills=fills(Reasoning=form)), "What is the capital of Peru?", "Lima."))
    assert not takes_thought(found)


def test_rejection_keeps_what_the_verifier_accepts_and_stops() -> None:
    rows = known_rows("arithmetic.chains", 4, 200)
    teacher = SimulatedTeacher([known for _, known in rows], NATURE)
    found = run(_gather(rejection(teacher, problem, n=4) for problem, _ in rows))
    assert within(sum(each.kept for each in found), 200, 1 - 0.6**4)
    tries = sum((1 - 0.4) ** i for i in range(4))  # expected: as long as none was right
    assert abs(sum(each.tried for each in found) / 200 - tries) < 0.35
    for each in found:
        assert len(each.rejected) + each.right.count == each.tried
        assert each.kept == (each.reason == "")
        if each.kept:
            assert each.shortest in each.accepted


def test_rejection_takes_a_test_of_ones_own() -> None:
    from phiforge.records import Verdict

    said = itertools.cycle(["no", "yes", "yes", "yes please"])
    teacher = SimulatedTeacher(responds=lambda messages, draw: next(said))

    def accepts(answer: Any) -> Verdict:
        return Verdict("yes" in answer.text, 1.0, "not yes")

    found = run(rejection(teacher, solve.as_problem("?"), want=2, n=8, accepts=accepts))
    assert [each.text for each in found.accepted] == ["yes", "yes please"]  # the same text counts once
    assert [each.why for each in found.rejected] == ["not yes"]


# --- revision ----------------------------------------------------------------------------------------------------


def writer(rise: float, noise: float = 0.0, seed: int = 0) -> SimulatedTeacher:
    """A world in which a draft is a number that says how good it is. A revision adds `rise`; a critic sees it with noise."""

    def quality(prompt: str) -> float:
        return float(prompt.partition("quality ")[2].split()[0])

    def critique(prompt: str, draw: Draw) -> dict[str, Any]:
        score = max(1, min(5, round(quality(prompt) + draw.gauss(0, noise))))
        return {"good": score, "suggestions": ["Be better."]}

    def responds(messages: Any, draw: Draw) -> str:
        return f"quality {quality(messages[-1].text) + rise:.2f} text"

    return SimulatedTeacher(seed=seed, responds=responds, fills=fills(Critique=critique))


GOOD = Rubric((Criterion("good", "Is it good?"),))


def test_a_draft_is_revised_until_the_rubric_is_met() -> None:
    found = run(revise(writer(0.8), "Write.", "quality 2.00 text", GOOD))
    assert [each.scores["good"] for each in found.drafts] == [2, 3, 4]
    assert found.kept
    assert (found.gain, found.text) == (2, "quality 3.60 text")
    short = run(revise(writer(0.8), "Write.", "quality 1.00 text", GOOD, rounds=2))
    assert (len(short.drafts), short.reason) == (3, "rubric not met")
    done = run(revise(writer(0.8), "Write.", "quality 5.00 text", GOOD))
    assert (len(done.drafts), done.gain) == (1, 0)
    worse = run(revise(writer(-1), "Write.", "quality 3.00 text", GOOD, rounds=2))
    assert (worse.text, worse.gain) == ("quality 3.00 text", 0)  # the best draft is used, not the last


def test_gain_is_measured_by_another_eye_than_the_critics() -> None:
    """Where revision does nothing, a noisy critic who picks the best of several drafts still sees a gain; a judge does not."""

    async def go(rise: float) -> tuple[Any, Any]:
        reports = [
            await revise(
                writer(rise, 0.8, seed), "Write.", "quality 2.5 text", GOOD, judge=writer(rise, 0.8, 999 + seed)
            )
            for seed in range(120)
        ]
        from msgspec.structs import replace

        return gain(reports), gain([replace(each, judged=None) for each in reports])

    judged, own = run(go(0.0))
    assert abs(judged.mean) <= 2 * judged.half_width
    assert own.mean - own.half_width > 0.3
    judged, _ = run(go(0.5))
    assert judged.mean - judged.half_width > 0.2
    assert judged.rounds > 0


def test_half_a_revision_is_no_draft() -> None:
    teacher = writer(1)
    found = run(revise(teacher, "Write.", "quality 2.00 text", GOOD, max_tokens=2))
    assert len(found.drafts) == 1


# --- proposing ---------------------------------------------------------------------------------------------------


def excerpt(first: int, last: int, **also: Any) -> dict[str, Any]:
    plain = {
        "information_type": "fact",
        "description": "d",
        "complexity": "C",
        "obscurity": "B",
        "chain_of_reasoning": True,
        "steps": [{"assumption": "a", "conclusion": "c", "description": "d"}],
        "depends_on_lines": [],
    }
    return {"start_line": first, "end_line": last, **plain, **also}


def test_excerpts_hold_what_they_point_to() -> None:
    marked = {"excerpts": [excerpt(2, 3), excerpt(3, 4), excerpt(9, 12), excerpt(4, 4, complexity="A")]}
    found = run(annotate(SimulatedTeacher(fills=fills(Marked=marked)), TEXT, most=4))
    assert [(e.start_line, e.end_line) for e in found.excerpts] == [(2, 3), (4, 4)]
    assert found.texts[0].startswith("Some people conclude")
    assert found.dropped == {"overlaps another": 1, "no such lines": 1}
    assert [worthwhile(each, chain_of_reasoning=True) for each in found.excerpts] == [True, False]


def test_briefs_cover_everything_evenly() -> None:
    made = briefs(["a", "b", "c"], ["x", "y"], [1, 3, 5], Draw.of(1), 36)
    assert len(set(made[:18])) == 18
    for part in ("topic", "persona", "difficulty"):
        for n in (6, 12, 18, 36):
            counts = Counter(getattr(each, part) for each in made[:n])
            assert max(counts.values()) - min(counts.values()) <= 1, (part, n)
    assert made == briefs(["a", "b", "c"], ["x", "y"], [1, 3, 5], Draw.of(1), 36)


def test_a_question_is_written_examined_and_repaired() -> None:
    drafts = itertools.count()
    written = itertools.cycle(["three spiders and a cow", "three spiders and a healthy cow"])

    def question(prompt: str, draw: Draw) -> dict[str, str]:
        return {"question": f"How many legs have {next(written)} together?", "solution": "3*8+4", "answer": "28"}

    def examined(prompt: str, draw: Draw) -> dict[str, Any]:
        good = next(drafts) > 0
        return {"understood": True, "one_answer": good, "missing": "", "difficulty": 2, "change": "Say which cow."}

    teacher = SimulatedTeacher(fills=fills(Ideas={"ideas": ["legs", "eyes"]}, Asked=question, Examined=examined))
    found = run(propose(teacher, Brief("animals", "a child", 2), "Spiders have eight legs."))
    assert found.kept
    assert (len(found.drafts), len(found.examined), found.answer) == (2, 2, "28")
    again = run(propose(SimulatedTeacher(fills=fills(Ideas={"ideas": []})), Brief("a", "b", 1)))
    assert again.reason == "no idea"


# --- code --------------------------------------------------------------------------------------------------------

CODE = '''
def running_max(xs):
    """The largest so far."""
    out, best = [], None
    for x in xs:
        if best is None or x > best:
            best = x
        out.append(best)
    return out
'''
SAME = (
    "def running_max(values):\n    seen, top = [], None\n    for v in values:\n        if top is None or v > top:\n"
    "            top = v\n        seen.append(top)\n    return seen\n"
)
OTHER = "def running_max(xs):\n    return sorted(xs)\n"
TASK = (
    "Write a function running_max that gets a list of numbers and returns, for each place, the largest number so far."
)


def speaks(*parts: str) -> SimulatedTeacher:
    said = iter(parts)
    return SimulatedTeacher(responds=lambda messages, draw: next(said))


def test_code_is_reversed_when_it_comes_back_the_same() -> None:
    found = run(reverse(speaks(TASK, f"```python\n{SAME}```"), CODE, Draw.of(1)))
    assert (found.reason, found.agreed.value, found.similarity) == ("", 1.0, 1.0)
    assert found.fidelity == 1.0
    assert found.instruction == TASK
    other = run(reverse(speaks(TASK, f"```python\n{OTHER}```"), CODE, Draw.of(1)))
    assert other.reason == "behaves otherwise"
    assert 0 < other.agreed.value < 1
    assert run(reverse(speaks(CODE * 2, SAME), CODE, Draw.of(1))).reason == "the instruction quotes the code"
    assert run(reverse(speaks(), "print(1)", Draw.of(1))).reason == "no function with plain parameters"
    assert run(reverse(speaks(), "def f(x):\n    return 1\n", Draw.of(1))).reason == "its values never differ"
    assert similarity(CODE, OTHER) < 0.5 < similarity(CODE, SAME)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("def f(q):\n    return q.upper()[::-1]", str),
        ("def f(q):\n    return sum(q) if q else 0", list),
        ("def f(q):\n    return q * 3 % 7 - q // 2", int),
        ("def f(q: dict[str, int]):\n    return sorted(q)", dict),
        ("def f(q: 'List[int]'):\n    return max(q, default=0)", list),
    ],
)
def test_inputs_suit_the_function(code: str, kind: type) -> None:
    async def go() -> None:
        found = behaviour.signature(code)
        assert found is not None
        inputs = await behaviour.inputs_for(code, found, Draw.of(3), 12)
        assert {type(args[0]) for args in inputs} == {kind}
        values = (await behaviour.behaviour(code, "f", inputs)).values
        assert len(set(values) - {None}) > 3

    run(go())


def test_code_that_loops_or_prints_is_seen_for_what_it_is() -> None:
    async def go() -> None:
        loops = await behaviour.behaviour("def f(x):\n    while True: pass", "f", [[1]], seconds=0.5)
        assert loops.values == []
        assert loops.problem
        prints = await behaviour.behaviour(
            "print('hello 😀 {}')\ndef f(x):\n    print(x)\n    return {x, 3}", "f", [[1], ["b"]]
        )
        assert prints.values == ["{1, 3}", "{'b', 3}"]

    run(go())


def test_tests_that_catch_nothing_are_told_from_those_that_do() -> None:
    async def go() -> None:
        good = await run_tests(CODE, "assert running_max([1, 3, 2]) == [1, 3, 3]")
        assert good.kept
        assert good.caught == good.mutants >= 3
        assert (await run_tests(CODE, "assert True")).reason == "tests catch nothing"
        assert (await run_tests(CODE, "assert running_max([1]) == [2]")).reason == "tests fail"

    run(go())
    assert len(set(mutated(CODE))) == len(mutated(CODE))


def test_code_is_repaired_until_its_tests_pass() -> None:
    tests = {"asserts": ["assert running_max([1, 3, 2]) == [1, 3, 3]", "assert True", "x = 3", "import os"]}
    said = iter([f"Here:\n```python\n{OTHER}```", "I give up", f"```python\n{SAME}```"])
    teacher = SimulatedTeacher(fills=fills(Tests=tests), responds=lambda messages, draw: next(said))
    found = run(write_code(teacher, TASK))
    assert found.kept
    assert found.tests == tests["asserts"][0]
    assert [each.executed.passed for each in found.attempts] == [False, False, True]
    assert code_of("no code here, only words") == ""


# --- texts -------------------------------------------------------------------------------------------------------


def test_what_is_measured_of_texts() -> None:
    assert texts.copied("one two three four five", "zero one two three four five six", 3) == 1.0
    assert texts.new_numbers("It cost 1,250 in 1999 and 3 men left.", "1250 was paid.") == ["1999"]
    assert texts.quoted("panes set with the thick side up are still thick", TEXT)
    assert not texts.quoted("panes are made of sugar and of salt", TEXT)
    assert texts.tells("The capital, Lima, lies in Peru.", "lima")
    assert not texts.tells("Climate matters.", "lima")


def test_a_deduction_has_its_words_in_the_text() -> None:
    links = [
        {"premises": ["thick top"], "conclusion": "not moved", "quote": "panes that were set with the thick side up"},
        {"premises": ["not moved"], "conclusion": "made so", "quote": "the thickness must come from the way"},
        {"premises": ["x"], "conclusion": "y", "quote": "the moon is made of green cheese"},
    ]
    posed = {
        "question": "Panes set upside down are still thick at the end that was heavy. What made panes uneven, if not flow?",
        "answer": "the making",
        "reasoning": "They did not move.",
    }
    teacher = SimulatedTeacher(fills=fills(Chain={"reasons": True, "links": links}, Posed=posed))
    found = run(deduce(teacher, TEXT))
    assert (found.reason, len(found.links), found.dropped) == ("", 2, 1)
    teacher = SimulatedTeacher(fills=fills(Chain={"reasons": True, "links": links[2:]}))
    assert run(deduce(teacher, TEXT)).reason == "not in the text"
    told = posed | {"answer": "upside down"}
    teacher = SimulatedTeacher(fills=fills(Chain={"reasons": True, "links": links}, Posed=told))
    assert run(deduce(teacher, TEXT)).reason == "the question tells its answer"
    said = itertools.cycle(["Answer: the making", "Answer: the making", "Answer: heat"])
    teacher = SimulatedTeacher(
        fills=fills(Chain={"reasons": True, "links": links}, Posed=posed), responds=lambda messages, draw: next(said)
    )
    assert run(deduce(teacher, TEXT, votes=5)).kept


def test_a_gap_is_filled_by_tries_with_hints() -> None:
    hole = reasoned_hole(TEXT, Draw.of(1))
    assert hole is not None
    assert hole.before + hole.middle + hole.after == TEXT
    asked: list[str] = []

    def tries(prompt: str, draw: Draw) -> dict[str, str]:
        asked.append(prompt)
        return {"background": "b", "reasoning": "r", "guess": hole.middle if len(asked) == 2 else "something else"}

    grade = {"comparison": "no", "grade": 2, "hint": "Think of the frame."}
    teacher = SimulatedTeacher(fills=fills(Try=tries, Grade=grade))
    found = run(fill_middle(teacher, hole, Draw.of(1)))
    assert (found.kept, found.hints, [g.grade for g in found.grades]) == (True, 1, [2, 5])
    assert "Think of the frame." in asked[1]
    assert all(hole.middle not in each for each in asked)
    assert run(fill_middle(teacher, "Nothing here.", Draw.of(1))).reason == "nothing reasoned to take out"


def test_a_gap_in_code_is_judged_by_running_it() -> None:
    hole = code_hole(CODE, Draw.of(2))
    assert hole is not None
    assert hole.before + hole.middle + hole.after == CODE

    async def check(whole: str) -> str:
        return (await run_tests(whole, "assert running_max([1, 3, 2]) == [1, 3, 3]")).said

    right = SimulatedTeacher(fills=fills(Try={"background": "", "reasoning": "", "guess": hole.middle}))
    assert run(fill_middle(right, hole, Draw.of(1), check=check)).kept
    wrong = SimulatedTeacher(fills=fills(Try={"background": "", "reasoning": "", "guess": "        oops\n"}))
    assert run(fill_middle(wrong, hole, Draw.of(1), check=check)).reason == "not found again"


def test_a_rewrite_neither_copies_nor_invents() -> None:
    fresh = (
        "Windows that are centuries old tend to be heavier below. One might think that the stuff creeps downwards over "
        "time; yet some were mounted the other way round and kept their heavy rim above, which rules that out. Makers simply "
        "produced irregular sheets, and craftsmen chose to let the weightier rim rest below."
    )
    assert run(rewrite(speaks(fresh), TEXT)).reason == ""
    assert run(rewrite(speaks(TEXT), TEXT)).reason == "copied"
    assert run(rewrite(speaks(f"{fresh} That was in 1687."), TEXT)).reason == "new numbers"
    assert run(rewrite(speaks("Short."), TEXT)).reason == "too short"
    assert run(rewrite(speaks(fresh), TEXT, max_tokens=20)).reason == "cut off"


def test_a_conversation_alternates_and_ends() -> None:
    profile = {"who": "Ann", "wants": "to know", "believes": "glass flows"}
    said = iter(
        ["Does glass flow?", "No. Old panes were uneven when made.", "Then why below?", "Glaziers liked it.", "DONE"]
    )
    teacher = SimulatedTeacher(fills=fills(Profile=profile), responds=lambda messages, draw: next(said))
    found = run(converse(teacher, TEXT, Draw.of(1), turns=5))
    assert found.kept
    assert [each.role for each in found.messages] == ["user", "assistant"] * 2
    assert found.messages[-1].text == "Glaziers liked it."
    said = iter(["Does glass flow?", "No.", "Does glass flow?"])
    again = run(converse(SimulatedTeacher(responds=lambda messages, draw: next(said)), TEXT, Draw.of(1), turns=3))
    assert len(again.messages) == 2


def test_each_answer_of_a_conversation_is_revised() -> None:
    score = {"correct": 5, "complete": 5, "clear": 5, "suggestions": []}
    teacher = SimulatedTeacher(
        fills=fills(Critique=score), responds=lambda messages, draw: f"Line {len(messages)}, {draw.between(1, 999)}."
    )
    found = run(converse(teacher, TEXT, Draw.of(1), turns=2, rubric=CLEAR))
    assert [each.met for each in found.revised] == [True, True]


# --- "I don't know" ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kinds", "pairs"),
    [
        (0.0, ["correct", "bogus"], ["correct over refusal"]),
        (1.0, ["refusal", "bogus"], ["refusal over wrong"]),
        (0.5, ["bogus"], ["correct over refusal", "refusal over wrong"]),
    ],
)
def test_what_is_taught_follows_from_what_is_known(error: float, kinds: list[str], pairs: list[str]) -> None:
    known = Known(question="Who painted it?", answer="Vermeer", wrong=("Rubens", "Goya"), verifier="choice")
    bogus = {"question": "Who painted it in 2087?", "why_impossible": "It is not 2087.", "quality": 4}

    def says(messages: Any, draw: Draw) -> str | None:
        text = messages[-1].text
        if text == known.question:
            return None
        return "I don't know that." if "does not know" in text else "It was painted by Vermeer."

    def check(prompt: str, draw: Draw) -> dict[str, str]:
        return {"why": "", "matches_key": str("Vermeer" in prompt.partition("\nAnswer:")[2])}

    nature = Nature(errors=(error,) * 5)
    teacher = SimulatedTeacher([known], nature, responds=says, fills=fills(Bogus=bogus, Checked=check), seed=4)
    found = run(unknowns(teacher, known.question, known.answer, tries=8))
    assert [each.kind for each in found.sft] == kinds
    assert [each.kind for each in found.dpo] == pairs
    assert within(found.right.count, 8, 1 - error)
    assert all(each.chosen != each.rejected for each in found.dpo)


def test_a_poor_trick_question_is_not_used() -> None:
    bogus = {"question": "Who painted it in 2087?", "why_impossible": "x", "quality": 1}
    found = run(unknowns(SimulatedTeacher(fills=fills(Bogus=bogus)), "Who painted it?", "Vermeer"))
    assert found.bogus is None
    assert all(each.kind != "bogus" for each in found.sft)
    assert texts.tells(found.correct, "Vermeer")
    assert found.refusal.startswith("I don't know")


# --- every stage with a real model -------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_stage_runs_with_the_default_model(default_gguf: Path, tmp_path: Path) -> None:
    """A model of 135 million parameters passes few filters; here every stage has to come to its end and say why."""
    from phiforge.data.run import TeacherChoice

    teacher = Teacher.open(TeacherChoice(model=str(default_gguf)), str(tmp_path / "t.sqlite"))
    works = real_stages(teacher)
    for name, work in works.items():
        report = run(work)
        print(name, getattr(report, "kept", ""), getattr(report, "reason", ""), teacher.used())
    used = teacher.used()
    assert used["tokens"] > 0
    teacher.close()


def real_stages(teacher: Teacher) -> dict[str, Coroutine[Any, Any, Any]]:
    draw = Draw.of(1)
    problem = Problem("", [Message("user", "Tom has 3 apples and buys 4. How many has he?")], "7", "math")

    async def forgiving(work: Coroutine[Any, Any, Any]) -> Any:
        from phiforge.data.teacher import BadAnswer

        try:
            return await work
        except BadAnswer as error:
            return error

    works = {
        "annotate": annotate(teacher, TEXT, most=2, max_tokens=400),
        "propose": propose(teacher, Brief("glass", "a child", 1), max_tokens=400),
        "revise": revise(teacher, "Explain rain.", "Rain is water.", rounds=1, max_tokens=120),
        "reverse": reverse(teacher, CODE, draw, max_tokens=160),
        "plurality": plurality(teacher, problem, n=3, max_tokens=120),
        "deduce": deduce(teacher, TEXT, max_tokens=400),
        "fill_middle": fill_middle(teacher, TEXT, draw, tries=1, max_tokens=400),
        "rewrite": rewrite(teacher, TEXT, "notes", max_tokens=150),
        "converse": converse(teacher, TEXT, draw, turns=1, max_tokens=100),
        "rate": rate([teacher], problem, n=2, max_tokens=100),
        "reasoning": reasoning(teacher, "2 + 2?", "4", max_tokens=120),
        "rejection": rejection(teacher, problem, n=2, max_tokens=100),
        "unknowns": unknowns(teacher, "What is the capital of Peru?", "Lima", tries=2),
        "write_code": write_code(teacher, TASK, tries=1, max_tokens=160),
    }
    return {name: forgiving(work) for name, work in works.items()}
