"""`phiforge verify`: is this answer that answer; and how often the checker itself is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from phiforge.cli import WrongWords

if TYPE_CHECKING:
    from phiforge.records import Verdict


def configure(parser: argparse.ArgumentParser) -> None:
    from phiforge.verify.cases import labelled

    parser.add_argument("verifier", choices=("math", *labelled()), help="which verifier")
    parser.add_argument(
        "answers", nargs="*", metavar="ANSWER", help="a response and the right answer; none prints the error table"
    )
    parser.add_argument(
        "--cases", "--pairs", type=Path, metavar="FILE", help="measure the table on this labelled JSONL file instead"
    )
    parser.add_argument(
        "--tolerance", type=float, default=0.0, help="math: largest relative difference of numbers (default: 0)"
    )
    parser.add_argument("--args", default="{}", metavar="JSON", help="the others: what the problem tells its verifier")
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """0 if the answer is right (or the table has no false accepts), 1 if not."""
    import msgspec

    if args.answers:
        verdict = _judge(args)
        print(msgspec.json.encode(verdict).decode() if args.json else verdict.reason)
        return 0 if verdict.correct else 1
    if args.verifier == "math":
        from phiforge.verify.math_table import PAIRS, error_table

        table = error_table(args.cases or PAIRS)
    else:
        from phiforge.verify.cases import error_table as table_of

        table = table_of(args.verifier, args.cases)
    print(msgspec.json.encode(table).decode() if args.json else table)
    return 1 if table.total.false_accepts else 0


def _judge(args: argparse.Namespace) -> Verdict:
    import msgspec

    from phiforge import verify
    from phiforge.records import Message, Problem

    if len(args.answers) != 2:
        raise WrongWords(f"give two answers to compare, not {len(args.answers)}; quote those with spaces")
    response, answer = args.answers
    if args.verifier == "math":
        from phiforge.verify.math import compare

        return compare(response, answer, tolerance=args.tolerance)
    try:
        told = msgspec.json.decode(args.args, type=dict)
    except msgspec.DecodeError as error:
        raise WrongWords(f"--args {args.args}: not a JSON object: {error}") from None
    return verify.get(args.verifier)(response, Problem("cli", [Message("user", "")], answer, args.verifier, told))
