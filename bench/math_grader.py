"""The maths grader beside math-verify: what either accepts and rejects wrongly, how fast, and what hostile input does to it.

    python bench/math_grader.py --math-verify /path/to/venv/bin/python      # the bars, ours beside math-verify's
    python bench/math_grader.py --kinds --wrong                             # ours only: every kind of answer, every error
    python bench/math_grader.py --json

The labelled answers are tests/golden/math_answers.jsonl, written by hand in the styles of MATH: a gold answer, answers that
equal it, and near misses that do not. Each is graded as a response, in a box. Plain answers are integers, decimals and
fractions, none of them seen twice. A hostile input is right if it is graded, not accepted, and soon done with. Where
../shared/data is there, MATH-500's own answers are graded against themselves and against another problem's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from phiforge.records import Message, Problem
from phiforge.verify.math import compare, normal, verify

HERE = Path(__file__).parent
ANSWERS = HERE.parent / "tests" / "golden" / "math_answers.jsonl"
DATA = Path(os.environ.get("PHIFORGE_DATA", HERE.parents[1] / "shared/data"))
PEER = HERE / "peers" / "math_verifier.py"
PEER_SECONDS, PEER_MEMORY = 15.0, 4 * 2**30  # of one pair, before it is ended
FALSE_REJECTS, PAIRS_A_SECOND, HOSTILE_SECONDS = 0.015, 2000, 3.5  # the bars
PLAIN = 4000

Row = dict[str, Any]
Grade = Callable[[str, str], tuple[bool, float]]  # of a gold answer and one given: whether they are equal, and seconds


class Pair(NamedTuple):
    kind: str
    gold: str
    answer: str
    equal: bool


def labelled() -> list[Pair]:
    found: list[Pair] = []
    for line in ANSWERS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found += [Pair(row["kind"], row["gold"], answer, True) for answer in row["equal"]]
        found += [Pair(row["kind"], row["gold"], answer, False) for answer in row["different"]]
    return found


def plain(n: int) -> list[Pair]:
    """Plain answers, half of them equal, no two alike."""
    rng = random.Random(0)
    found: list[Pair] = []
    for i in range(n):
        a, b, off = rng.randrange(10**6), rng.randrange(2, 10**4), i % 2
        gold, answer = [
            (f"{a}", f"{a + off:,}"),
            (f"\\frac{{{a}}}{{{b}}}", f"{3 * a + off}/{3 * b}"),
            (f"{a}.{b}", f"{a}.{b}{off or ''}"),
            (f"-{a}", f"n = -{a + off}"),
        ][i // 2 % 4]
        found.append(Pair("plain", gold, answer, not off))
    return found


def hostile() -> list[Pair]:
    """Two hundred answers that aim at time, memory or the parser. None of them equals its gold answer."""
    texts: list[str] = []
    for n in (9, 99, 10**6, 10**10):
        texts += [
            f"{n}^{{{n}^{{{n}^{n}}}}}",
            f"({n}!)!",
            f"{n}!^{{{n}!}}",
            f"\\binom{{{n}^9}}{{{n}}}",
            f"10^{{10^{{{n}}}}}",
        ]
        texts += [
            f"2^{{-{n}^{n}}}",
            f"\\sqrt[{n}]{{{n}^{n}+1}}",
            f"\\log_{{{n}}} ({n}^{{{n}}}!)",
            f"x^{{{n}}}-(x-1)^{{{n}}}",
        ]
    for n in (50, 1000, 4900, 200_000):
        texts += [
            left * n + "1" + right * n
            for left, right in ("()", "[]", "{}", "||", ("\\{", "\\}"), ("\\left(", "\\right)"))
        ]
        texts += [
            "\\frac{1}{" * n + "2" + "}" * n,
            "\\sqrt{" * n + "2" + "}" * n,
            "x^{" * n + "2" + "}" * n,
            "1+" * n + "x",
        ]
        texts += [
            "-" * n + "3",
            "!" * n,
            "5" + "!" * n,
            "\\pm" * n + "1",
            "((" * n,
            "}" * n,
            "$" * n,
            "\\" * n,
            "," * n,
        ]
        texts += [
            "\\sin " * n + "x",
            "(x+1)" * n,
            "x y z " * n,
            "9" * n + "x",
            "0." + "3" * n,
            "1e" + "9" * n,
            "\\cup" * n,
        ]
        texts += ["\\begin{pmatrix} " + "1 & " * n + "2 \\end{pmatrix}", "\\text{" * n, "a_{" * n + "1" + "}" * n]
    texts += [f"(x+y+z+w)^{{{n}}}-(w+z+y+x)^{{{n}}}\\frac{{x^2-1}}{{(x-1)(x+1)}}" for n in (30, 300, 3000)]
    texts += [f"((x+1)^{{{n}}})^{{{n}}}-1" for n in (99, 9999)]
    texts += [
        "\\cos(x)^{900}+\\sin(\\sin(\\cos(\\tan(x^{77}))))",
        "\\sum_{k=1}^{10^{12}} \\frac{1}{k^2}",
        "\\int_0^1 x^{x^{x}} dx",
    ]
    texts += [
        "*".join(["(x^{97}+y^{89}+1)"] * 40),
        "+".join(f"\\sqrt{{{p}}}" for p in range(2, 60)),
        "e^{e^{e^{e^{e^{e}}}}}",
    ]
    texts += [
        "\\lim_{n\\to\\infty} (1+1/n)^n",
        "\\prod_{n=1}^{10^9} n",
        "1/0",
        "0/0",
        "0^0",
        "\\infty-\\infty",
        "\\frac{1}{1-1}",
    ]
    texts += [",".join(map(str, range(1000))), "\\{" + ",".join(f"\\sqrt{{{k}}}" for k in range(49)) + "\\}"]
    # Unicode: digits of other scripts, directions, zero widths, full width, combining marks, lone surrogates, NUL.
    texts += [
        "٤٢"[::-1],
        "4\u200b2",
        "\u202e24",
        "４２１",
        "4\u03362",
        "42\u20e3",
        "\ud800",
        "\x00",
        "𝟜𝟚",
        "四十二",
        "4²²²²",
        "½" * 99,
    ]
    texts += [
        "__import__('os').abort()",
        "x.__class__.__mro__",
        "lambda: 0",
        "exec('1')",
        "{{7*7}}",
        "${jndi:x}",
        "'; DROP--",
    ]
    texts += [
        "\\def\\a{\\a\\a}\\a",
        "\\newcommand{\\x}{\\x\\x}\\x",
        "\\input{/etc/passwd}",
        "\\write18{id}",
        "\\csname x\\endcsname",
    ]
    texts += [
        "1" * 1_000_000,
        "x" * 1_000_000,
        "\\frac{" * 150_000,
        " " * 1_000_000 + "7",
        "\n" * 500_000,
        "1," * 500_000,
    ]
    return [Pair("hostile", "\\sqrt{2}" if i % 2 else "5", text, False) for i, text in enumerate(texts)]


def math500() -> list[Pair]:
    """Each answer and itself; each answer and that of the seventh after it, where the texts differ."""
    path = DATA / "math500" / "math500_clean.jsonl"
    golds = [json.loads(line)["answer"] for line in path.read_text().splitlines()] if path.exists() else []
    own = [Pair("MATH-500", gold, gold, True) for gold in golds]
    return own + [
        Pair("MATH-500", gold, other, False)
        for gold, other in zip(golds, golds[7:] + golds[:7], strict=True)
        if normal(gold) != normal(other)
    ]


def ours(gold: str, answer: str) -> tuple[bool, float]:
    problem = Problem("pair", [Message("user", "Find it.")], gold, "math", {})
    begin = time.perf_counter()
    verdict = verify(f"So it is \\boxed{{{answer}}}.", problem)
    return verdict.correct, time.perf_counter() - begin


def unboxed(gold: str, answer: str) -> tuple[bool, float]:
    """As a vote or a filter compares them, where no box need close."""
    begin = time.perf_counter()
    return compare(answer, gold).correct, time.perf_counter() - begin


class MathVerify:
    """The peer's process; one that does not answer in `PEER_SECONDS`, or dies, has failed the pair and is started anew."""

    def __init__(self, python: str) -> None:
        self.python = python
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, gold: str, answer: str) -> tuple[bool, float]:
        process = self.process or self._start()
        assert process.stdin is not None
        begin = time.perf_counter()
        try:
            process.stdin.write(json.dumps([f"${gold}$", f"So it is $\\boxed{{{answer}}}$."]) + "\n")
            process.stdin.flush()
            equal, seconds = json.loads(self._line(process, PEER_SECONDS))
            return equal, seconds
        except (TimeoutError, OSError, ValueError):
            self.close()
            return False, time.perf_counter() - begin

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _start(self) -> subprocess.Popen[str]:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (PEER_MEMORY, PEER_MEMORY))

        self.process = subprocess.Popen(
            [self.python, "-P", str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, preexec_fn=limit,
        )  # fmt: skip
        if not self._line(self.process, 60).startswith("ready"):
            raise SystemExit(f"math-verify does not start in {self.python}")
        return self.process

    def _line(self, process: subprocess.Popen[str], seconds: float) -> str:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], seconds)[0]:
            raise TimeoutError
        return process.stdout.readline()


class Score(NamedTuple):
    false_accepts: list[Pair]
    false_rejects: list[Pair]
    seconds: list[float]


def score(grade: Grade, pairs: Iterable[Pair]) -> Score:
    found = Score([], [], [])
    for pair in pairs:
        equal, seconds = grade(pair.gold, pair.answer)
        found.seconds.append(seconds)
        if equal != pair.equal:
            (found.false_accepts if equal else found.false_rejects).append(pair)
    return found


def row(what: str, unit: str, mine: float, peer: float | None, bar: float, least: bool = False, **more: Any) -> Row:
    """`least`: the bar is the least that ours may be, not the most."""
    ratio = None if peer is None or not peer else round(mine / peer, 4)
    ok = mine >= bar if least else mine <= bar
    figures = {"ours": round(mine, 4), "peer": "math-verify", "peer_value": None if peer is None else round(peer, 4)}
    return {"what": what, "unit": unit, **figures, "ratio": ratio, "bar": bar, "ok": ok, **more}


def rows(pairs: Sequence[Pair], mine: Score, peer: Score | None, name: str, rejects: float) -> Iterator[Row]:
    equal, different = sum(pair.equal for pair in pairs), sum(not pair.equal for pair in pairs)
    theirs = None if peer is None else len(peer.false_accepts)
    yield row(f"{name}: false accepts", "pairs", len(mine.false_accepts), theirs, 0, of=different)
    theirs = None if peer is None else len(peer.false_rejects) / equal
    yield row(f"{name}: false rejects", "share", len(mine.false_rejects) / equal, theirs, rejects, of=equal)


def speeds(mine: Score, peer: Score | None, quick: int) -> Iterator[Row]:
    theirs = None if peer is None else len(peer.seconds) / sum(peer.seconds)
    yield row(
        "plain answers", "pairs/s", len(mine.seconds) / sum(mine.seconds), theirs, PAIRS_A_SECOND, least=True, of=quick
    )


def by_kind(pairs: Sequence[Pair], mine: Score, peer: Score | None) -> Iterator[Row]:
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        of = [pair.equal for pair in pairs if pair.kind == kind]
        counts: Row = {"kind": kind, "equal": sum(of), "different": len(of) - sum(of)}
        for side, found in (("ours", mine), ("math-verify", peer)):
            if found is not None:
                counts[f"{side} false accepts"] = sum(pair.kind == kind for pair in found.false_accepts)
                counts[f"{side} false rejects"] = sum(pair.kind == kind for pair in found.false_rejects)
        yield counts


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--math-verify", metavar="PYTHON", help="an interpreter that has math-verify")
    parser.add_argument("--kinds", action="store_true", help="a line for each kind of answer")
    parser.add_argument("--wrong", action="store_true", help="every pair of ours that was judged wrongly")
    parser.add_argument("--no-hostile", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    peer = MathVerify(args.math_verify) if args.math_verify else None
    compare("\\sqrt{2}", "\\sqrt{3}")  # the worker's start belongs to no pair
    found: list[Row] = []

    def both(pairs: Sequence[Pair], fewer: Sequence[Pair] | None = None) -> tuple[Score, Score | None]:
        """`fewer`: those that are enough for the slower side."""
        return score(ours, pairs), None if peer is None else score(peer, pairs if fewer is None else fewer)

    pairs = labelled()
    mine, other = both(pairs)
    found += rows(pairs, mine, other, "labelled answers", FALSE_REJECTS)
    kinds, wrong = list(by_kind(pairs, mine, other)), [*mine.false_accepts, *mine.false_rejects]
    simple = plain(PLAIN)
    quick, slower = both(simple, simple[: PLAIN // 8])
    if quick.false_accepts or quick.false_rejects:
        raise SystemExit(f"plain answers judged wrongly: {quick.false_accepts + quick.false_rejects}")
    found += speeds(quick, slower, PLAIN)
    own = math500()
    if own:
        mine, other = both(own)
        found += rows(own, mine, other, "MATH-500's answers", 0.0)
        wrong += [*mine.false_accepts, *mine.false_rejects]
    if not args.no_hostile:
        bad = hostile()
        (mine, other), bare = both(bad, bad[::5]), score(unboxed, bad)
        ended = 0 if other is None else sum(seconds >= PEER_SECONDS for seconds in other.seconds)
        theirs = None if other is None else max(other.seconds)
        longest = max(mine.seconds + bare.seconds)
        found.append(row("hostile input: the longest", "s", longest, theirs, HOSTILE_SECONDS, of=len(bad),
                         peer_inputs=len(bad[::5]), peer_ended=ended))  # fmt: skip
        theirs = None if other is None else len(other.false_accepts)
        accepted = [*mine.false_accepts, *bare.false_accepts]
        found.append(row("hostile input: accepted", "inputs", len(accepted), theirs, 0, of=len(bad)))
        wrong += accepted
    if peer is not None:
        peer.close()
    for each in found:
        print(json.dumps(each) if args.json else _line(each))
    for each in kinds if args.kinds else []:
        print(json.dumps(each) if args.json else "  " + ", ".join(f"{key} {value}" for key, value in each.items()))
    for pair in wrong if args.wrong else []:
        print(f"  {'false reject' if pair.equal else 'FALSE ACCEPT'}: {pair.gold[:60]} and {pair.answer[:60]}")
    return 0 if all(each["ok"] for each in found) else 1


def _line(each: Row) -> str:
    theirs = "" if each["peer_value"] is None else f"; math-verify {each['peer_value']}"
    judged = f"bar {each['bar']}: {'met' if each['ok'] else 'MISSED'}"
    return f"{each['what']}: {each['ours']} {each['unit']} of {each['of']}{theirs} ({judged})"


if __name__ == "__main__":
    sys.exit(main())
