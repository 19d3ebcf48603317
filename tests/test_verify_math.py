"""The maths verifier: its error table, its extraction, its votes, and what it does with hostile input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phiforge import verify
from phiforge.records import Message, Problem, read_jsonl, write_jsonl
from phiforge.verify import math, math_worker
from phiforge.verify.math import Group, cluster, compare, equal, extract_answer
from phiforge.verify.math_exact import plain_number, rational
from phiforge.verify.math_read import read
from phiforge.verify.math_table import PAIRS, Pair, error_table

DATA = Path(__file__).parents[2] / "shared/data"  # beside the repository, where it is given
ANSWERS = Path(__file__).parent / "golden" / "math_answers.jsonl"
GSM8K = DATA / "gsm8k/train.jsonl"
MATH500 = DATA / "math500/math500_clean.jsonl"


# --- the error table


def test_no_pair_of_the_table_is_judged_wrongly():
    table = error_table()
    assert table.total.false_accepts == 0, str(table)
    assert table.total.false_rejects == 0, str(table)


def test_the_table_is_large_and_says_nothing_twice():
    pairs = list(read_jsonl(PAIRS, Pair))
    assert len(pairs) >= 320
    assert len({(pair.a, pair.b, pair.percent_unit) for pair in pairs}) == len(pairs)
    assert min(sum(pair.equal for pair in pairs), sum(not pair.equal for pair in pairs)) >= 150


def test_the_table_lists_the_pairs_that_were_judged_wrongly(tmp_path: Path):
    labelled_wrongly = [
        Pair("1/2", "0.5", False, "decimal"),
        Pair("1", "2", True, "integer"),
        Pair("3", "3", True, "integer"),
    ]
    write_jsonl(tmp_path / "pairs.jsonl", labelled_wrongly)
    table = error_table(tmp_path / "pairs.jsonl")
    assert (table.total.false_accepts, table.total.false_rejects) == (1, 1)
    assert [wrong.pair for wrong in table.wrong] == labelled_wrongly[:2]
    assert "FALSE ACCEPT: '1/2' and '0.5' (decimal): equal" in str(table)
    assert "false reject: '1' and '2' (integer): differs" in str(table)


def test_answers_in_the_styles_of_math_are_graded_as_a_person_would():
    """bench/math_grader.py has the same answers beside math-verify's grades."""
    rows = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
    right = [(row["gold"], answer) for row in rows for answer in row["equal"]]
    wrong = [(row["gold"], answer) for row in rows for answer in row["different"]]
    assert min(len(right), len(wrong)) >= 600
    assert not set(right) & set(wrong)
    assert not [pair for pair in wrong if graded(*pair) or equal(*pair) or equal(*pair[::-1])]
    rejected = [pair for pair in right if not graded(*pair)]
    assert len(rejected) <= 0.015 * len(right), rejected


def graded(gold: str, answer: str) -> bool:
    return math.verify(f"So it is \\boxed{{{answer}}}.", problem(gold)).correct


# --- properties

rationals = st.fractions(max_denominator=10**6)


@given(rationals)
def test_a_rational_equals_itself_however_it_is_written(value: Fraction):
    top, bottom = value.numerator, value.denominator
    written = [f"{top}/{bottom}", f"\\frac{{{top}}}{{{bottom}}}", f"${3 * top}/{3 * bottom}$", f"x = {top}/{bottom}"]
    assert all(equal(a, b) for a in written for b in written)


@given(st.integers(-(10**40), 10**40), st.integers(-(10**40), 10**40))
def test_integers_are_equal_exactly_when_they_are_the_same(a: int, b: int):
    assert equal(str(a), str(b)) == (a == b)
    assert equal(f"{a:,}", str(a))
    assert not equal(str(a), str(a + 1))


@given(rationals, st.integers(1, 300))
def test_a_tiny_difference_is_a_difference(value: Fraction, digits: int):
    assert not equal(str(value), f"{value} + 10^{{-{digits}}}")
    assert not equal(f"x + {abs(value)}", f"x + {abs(value)} + 10^{{-{digits}}}")


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**6), st.integers(1, 10**6))
def test_the_quick_reading_of_numbers_is_the_parsers(whole: int, decimals: int, bottom: int):
    for text in (f"{whole:,}", f"{whole}.{decimals}", f"{whole}/{bottom}", f"\\frac{{{abs(whole)}}}{{{bottom}}}"):
        assert plain_number(text) == rational(read(text))


def test_the_root_of_a_square_is_the_absolute_value_of_any_letter():
    for name in "abcdfghjklmnopqrstuvwxyz":
        assert not equal(f"\\sqrt{{{name}^2}}", name)
        assert equal(f"\\sqrt{{{name}^2}}", f"|{name}|")


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, Fraction]:
    """A rational expression in LaTeX and its value, worked out apart from the parser."""

    def build(depth: int) -> tuple[str, Fraction]:
        kind = draw(st.integers(0, 6)) if depth else 0
        if kind == 0:
            value = draw(st.integers(0, 99))
            return str(value), Fraction(value)
        (a, x), (b, y) = build(depth - 1), build(depth - 1)
        if kind == 1:
            return f"\\left({a}+{b}\\right)", x + y
        if kind == 2:
            return f"({a} - {b})", x - y
        if kind == 3:
            return f"({a} \\cdot {b})", x * y
        if kind == 4 and y:
            return f"\\frac{{{a}}}{{{b}}}", x / y
        if kind == 5:
            return f"({a})^{{2}}", x * x
        return f"-({a})", -x

    return build(draw(st.integers(0, 4)))


@given(expressions())
def test_an_expression_has_the_value_of_its_arithmetic(expression: tuple[str, Fraction]):
    text, value = expression
    assert equal(text, str(value))
    assert not equal(text, str(value + Fraction(1, 10**30)))


@settings(deadline=None, max_examples=60)
@given(*[st.sampled_from(list(read_jsonl(PAIRS, Pair)))] * 2)
def test_comparison_is_reflexive_symmetric_and_never_raises(one: Pair, other: Pair):
    assert compare(one.a, other.b).correct == compare(other.b, one.a).correct
    if one.a.strip():
        assert equal(one.a, one.a)


@settings(deadline=None, max_examples=200)
@given(st.text("0123456789xyei+-*/^(){}[]|,.=<>$%\\ \nfracsqrtpi!_&'\":", max_size=40))
def test_any_text_gets_a_verdict_and_blanks_are_never_right(text: str):
    verdict = compare(text, "7")
    assert verdict.reason in math.REASONS
    assert verdict.score == float(verdict.correct)
    assert not equal(text, "")
    assert extract_answer(text) != ""


# --- bounds

HOSTILE = {
    "a tower of powers": ("9^9^9^9", "5"),
    "nested brackets": ("(" * 10_000 + "1" + ")" * 10_000, "1"),
    "brackets just short enough to be read": ("(" * 2_400 + "1" + ")" * 2_400, "1"),
    "a megabyte": ("1" * 1_000_000, "1"),
    "a factorial": ("factorial(10^9)", "1"),
    "a root in a root": ("\\sqrt{" * 38 + "2" + "}" * 38, "1"),
    "an expansion without end": ("(x+y+z+w)^{900}-(w+x+y+z)^{900}\\cdot\\frac{x^2-1}{(x-1)(x+1)}", "0"),
    "powers of powers": ("(((x+1)^{99})^{99})^{99}", "(((x+1)^{99})^{99})^{98}"),
    "a binomial": ("\\binom{x}{10^9}", "x"),
    "a decimal exponent": ("1e999999999", "1"),
    "a long list": (",".join(map(str, range(1_000))), ",".join(map(str, range(1_000, 0, -1)))),
    "a long product": ("*".join(["2^{19999}"] * 400), "\\sqrt{2}"),
    "many dollar signs": ("$" * 5_000, "1"),
    "code": ("__import__('os').system('touch phiforge-was-here')", "1"),
    "attributes": ("x.__class__.__bases__", "x"),
    "no characters": ("\x00\ud800", "1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_gets_a_verdict_in_bounded_time(name: str):
    equal("\\sqrt{2}", "\\sqrt{3}")  # start the worker
    a, b = HOSTILE[name]
    started = time.monotonic()
    verdict = compare(a, b)
    assert time.monotonic() - started < 3.5
    assert not verdict.correct
    assert verdict.reason in math.REASONS
    assert not Path("phiforge-was-here").exists()
    assert equal("\\sqrt{8}", "2\\sqrt{2}")  # and the next pair is none the worse for it


@pytest.mark.slow
def test_two_hundred_more_hostile_answers(monkeypatch: pytest.MonkeyPatch):
    """Those of bench/math_grader.py, which measures what they cost math-verify."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "bench")
    hostile = import_module("math_grader").hostile()
    assert len(hostile) >= 200
    equal("\\sqrt{2}", "\\sqrt{3}")
    for pair in hostile:
        started = time.monotonic()
        assert not compare(pair.answer, pair.gold).correct
        assert not graded(pair.gold, pair.answer)
        assert time.monotonic() - started < 7


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "$", "the answer is ", "1,", "1/", "\\frac{", "<think>", "\\(", "answer: $ ", "1", "#### "]
)
def test_extraction_takes_linear_time(piece: str):
    started = time.monotonic()
    extract_answer(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - started < 10  # a quadratic one would take hours


def test_the_worker_keeps_to_its_memory():
    equal("\\sqrt{2}", "\\sqrt{3}")
    status = Path(f"/proc/{math._worker._process.pid}/limits")  # pyright: ignore
    if not status.exists():
        pytest.skip("no /proc")
    line = next(line for line in status.read_text().splitlines() if line.startswith("Max address space"))
    assert int(line.split()[3]) == math_worker.MAX_MEMORY <= 500 * 2**20


def test_threads_share_the_worker():
    wrong: list[str] = []

    def work(n: int) -> None:
        for k in range(2, 6):
            if not equal(f"\\sqrt{{{n * k * k}}}", f"{k}\\sqrt{{{n}}}") or equal(
                f"\\sqrt{{{n}}}", f"\\sqrt{{{n + k}}}"
            ):
                wrong.append(f"{n} {k}")

    threads = [threading.Thread(target=work, args=(n,)) for n in (2, 3, 5, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_forked_child_starts_a_worker_of_its_own():
    assert equal("\\sqrt{8}", "2\\sqrt{2}")
    child = os.fork()
    if child == 0:
        right = equal("\\sqrt{12}", "2\\sqrt{3}") and not equal("\\sqrt{12}", "3\\sqrt{2}")
        math._worker.close()
        os._exit(0 if right else 1)
    assert equal("\\sqrt{18}", "3\\sqrt{2}")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_plain_answers_need_no_computer_algebra_and_the_worker_ends_with_its_parent():
    program = (
        "import sys; from phiforge.verify import math; assert math.equal('1/2', '0.5'); assert math._worker._process is None;"
        "assert math.equal('\\\\sqrt{8}', '2\\\\sqrt{2}'); assert 'sympy' not in sys.modules; print(math._worker._process.pid)"
    )
    root = str(Path(math.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True)
    pid = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail(f"worker {pid} outlived its parent")


# --- extraction


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So we get \\boxed{42}.", "42"),
        ("\\boxed{1} and then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\left\\{1, \\frac{a_{1}}{2}\\right\\}}", "\\left\\{1, \\frac{a_{1}}{2}\\right\\}"),
        ("\\boxed {7}", "7"),
        ("\\boxed{5} but on reflection \\boxed{6", "5"),
        ("\\boxed{} The answer is 3.", "3"),
        ("a stray { brace, \\boxed{9}", "9"),
        ("She has 48/2 = <<48/2=24>>24 clips.\n#### 24", "24"),
        ("#### 3. Solve it\nWe find x = 12.", "12"),
        ("The answer is 42.", "42"),
        ("The answer is 3.14.", "3.14"),
        ("The final answer is $\\frac{3}{4}$.", "\\frac{3}{4}"),
        ("The answer is $x = 5$ because 3 + 2 = 5.", "$x = 5$"),
        ("Answer: 1,234", "1,234"),
        ("**Answer**: 17", "17"),
        ("**Answer:** 17\n\nI hope 2 examples help.", "17"),
        ("**Final Answer**: \\(2\\sqrt{3}\\)", "2\\sqrt{3}"),
        ("The answer to this problem is 18 apples.", "18 apples"),
        ("The answer is therefore (B).", "(B)"),
        ("The answer is 5. Wait, no. The answer is 6.", "6"),
        ("Answer: after all the steps above Natalia has sold 72 clips altogether.", "72"),
        ("Answer: 10,\\! 080", "10,\\! 080"),
        ("First 3, then 4. In total she pays $1,200.50 now.", "$1,200.50"),
        ("That makes 25%.", "25%"),
        ("That makes 3/4 of it.", "3/4"),
        ("It falls to -7 degrees.", "-7"),
        ("5-3", "3"),
        ("Version 2 gives \\frac{7}{8} in all.", "\\frac{7}{8}"),
        ("I have no idea.", None),
        ("", None),
        ("<think>It is \\boxed{5}.</think>The answer is 6.", "6"),
        ("<think>It is \\boxed{5}.</think>", None),
        ("<think>It is \\boxed{5}.", None),
        ("It is \\boxed{5}.</think>So \\boxed{6}", "6"),
        ("\\boxed{4}<think>or \\boxed{5}</think>", "4"),
        ("\\boxed{4}<think>or \\boxed{5}", None),
    ],
)
def test_extraction(text: str, answer: str | None):
    assert extract_answer(text) == answer


# --- verify and cluster


def problem(answer: str, question: str = "How many?", **verifier_args: object) -> Problem:
    return Problem("p1", [Message("user", question)], answer, "math", dict(verifier_args))


def test_every_outcome_has_its_reason():
    check = verify.get("math")
    assert check("It is \\boxed{0.5}", problem("1/2")).reason == "equal"
    assert check("It is \\boxed{0.5}", problem("1/3")).reason == "differs"
    assert check("I give up.", problem("1/3")).reason == "no answer found"
    assert check("\\boxed{\\frac{1}{}", problem("1/3")).reason in ("no answer found", "differs")
    assert check("\\boxed{=)}", problem("1/3")).reason == "cannot be read"
    assert check("\\boxed{9^{9^{9}}}", problem("1/3")).reason == "too large"
    assert check("5" * 5_000_000, problem("5")).reason == "too large"
    assert check("\\boxed{\\binom{x}{10^9}}", problem("x")).reason == "timed out"


def test_a_tolerance_holds_only_when_asked_for():
    assert not math.verify("\\boxed{3.14}", problem("3.1416")).correct
    assert math.verify("\\boxed{3.14}", problem("3.1416", tolerance=0.001)).correct
    assert not math.verify("\\boxed{3.1}", problem("3.1416", tolerance=0.001)).correct
    assert math.verify("\\boxed{3.1416}", problem("\\pi", tolerance=0.001)).correct
    assert not math.verify("\\boxed{3.1}", problem("\\pi", tolerance=0.001)).correct
    assert math.verify("\\boxed{(1.001, 2)}", problem("(1, 2)", tolerance=0.01)).correct


def test_percent_is_the_unit_when_the_question_or_the_reference_says_so():
    assert math.verify("It is 50%.", problem("50", "What percent of them are red?")).correct
    assert math.verify("It is 50.", problem("50%")).correct
    assert math.verify("It is 0.5.", problem("50%")).correct
    assert not math.verify("It is 50%.", problem("50")).correct
    assert not math.verify("It is 0.5%.", problem("0.5", "With 10% off, what fraction is that?")).correct


def test_an_unknown_argument_and_an_unknown_verifier_are_named():
    with pytest.raises(ValueError, match="tolerances"):
        math.verify("5", problem("5", tolerances=1))
    for name in ("nonesuch", "math_lex", "../math", ""):
        with pytest.raises(ValueError, match="no verifier is called"):
            verify.get(name)


def test_votes_are_grouped_by_equality():
    votes = ["1/2", "3", None, "0.5", "\\frac{1}{2}", "2\\sqrt{2}", "3.0", "", "\\sqrt{8}", "x=3", "7"]
    assert cluster(votes) == [
        Group("1/2", [0, 3, 4]),
        Group("3", [1, 6, 9]),
        Group("2\\sqrt{2}", [5, 8]),
        Group("7", [10]),
    ]
    assert cluster([]) == cluster([None, None]) == []
    assert cluster(["2", "1", "1.0", "2.0"]) == [Group("2", [0, 3]), Group("1", [1, 2])]


def test_an_answer_that_hangs_does_not_spoil_the_vote():
    started = time.monotonic()
    groups = cluster(["\\binom{x}{10^9}", *(f"\\sqrt{{{n}}}" for n in range(2, 12)), "\\sqrt{8}", "2\\sqrt{2}"])
    assert time.monotonic() - started < 20
    assert groups[0] == Group("\\sqrt{8}", [7, 11, 12])


# --- real answers


@pytest.mark.skipif(not GSM8K.exists(), reason="GSM8K is not here")
def test_gsm8k_answers_are_found_in_their_solutions():
    for line in GSM8K.read_text().splitlines():
        solution = json.loads(line)["answer"]
        gold = solution.rpartition("####")[2].strip()
        assert extract_answer(solution) == gold
        assert equal(gold, gold.replace(",", "") + ".0")


@pytest.mark.skipif(not MATH500.exists(), reason="MATH-500 is not here")
@pytest.mark.parametrize("form", ["Thus $\\boxed{%s}$.", "**Answer**: $%s$", "The answer is \\(%s\\).", "Answer: %s"])
def test_math500_answers_are_found_and_equal_themselves(form: str):
    for line in MATH500.read_text().splitlines():
        gold = json.loads(line)["answer"]
        answer = extract_answer("There are 2 cases in part 1.\n" + form.replace("%s", gold))
        assert answer is not None
        assert equal(answer, gold), (answer, gold)
