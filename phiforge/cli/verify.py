"""`phiforge verify`: is this answer that answer; and how often the checker itself is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from phiforge.cli import WrongWords


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verifier", choices=("math",), help="which verifier")
    parser.add_argument(
        "answers", nargs="*", metavar="ANSWER", help="two answers; none prints the verifier's error table"
    )
    parser.add_argument(
        "--pairs", type=Path, metavar="FILE", help="measure the table on this labelled JSONL file instead"
    )
    parser.add_argument(
        "--tolerance", type=float, default=0.0, help="largest relative difference of numbers (default: 0)"
    )
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """0 if the answers are equal (or the table has no false accepts), 1 if not."""
    import msgspec

    from phiforge.verify.math import compare
    from phiforge.verify.math_table import PAIRS, error_table

    if args.answers:
        if len(args.answers) != 2:
            raise WrongWords(f"give two answers to compare, not {len(args.answers)}; quote those with spaces")
        verdict = compare(*args.answers, tolerance=args.tolerance)
        print(msgspec.json.encode(verdict).decode() if args.json else verdict.reason)
        return 0 if verdict.correct else 1
    table = error_table(args.pairs or PAIRS)
    print(msgspec.json.encode(table).decode() if args.json else table)
    return 1 if table.total.false_accepts else 0
