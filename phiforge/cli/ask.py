"""`phiforge ask`: one question, one streamed answer; or many samples and the vote among their answers."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phiforge.cli import WrongWords
from phiforge.cli.options import (
    Screen,
    add_model_options,
    grammar_of,
    note_ending,
    open_lm,
    printable,
    settings_of,
    speed_line,
)
from phiforge.records import Message

if TYPE_CHECKING:
    from phiforge.engine.request import Sampling
    from phiforge.lm import LanguageModel, Options, Reply

MAX_TOKENS = 1024  # where neither the words nor the checkpoint say: a small model that has lost its thread never stops
VOTING_TEMPERATURE = 0.7  # votes need variety


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", nargs="+", help="the question; - reads it from standard input")
    parser.add_argument(
        "-v", "--votes", type=int, default=1, metavar="N", help="take N samples and let their answers vote (maths)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    question = sys.stdin.read().strip() if args.question == ["-"] else " ".join(args.question)
    if not question:
        raise WrongWords("the question is empty")
    if args.votes < 1:
        raise WrongWords(f"--votes must be 1 or more, not {args.votes}")
    messages = [Message("system", args.system)] if args.system else []
    messages.append(Message("user", question))
    grammar = grammar_of(args)
    with open_lm(args) as lm:
        sampling, options = settings_of(args, lm, grammar)
        if sampling.max_tokens is None:
            sampling = replace(sampling, max_tokens=MAX_TOKENS)
        if args.votes > 1:
            if args.temperature is None:
                sampling = replace(sampling, temperature=max(sampling.temperature, VOTING_TEMPERATURE))
            return _vote(lm, messages, sampling, options, args.votes, args.json)
        return _answer(lm, messages, sampling, options, args.json)


def _answer(lm: LanguageModel, messages: list[Message], sampling: Sampling, options: Options, as_json: bool) -> int:
    replies, screen = _stream(lm, messages, sampling, options, 1, quiet=as_json)
    (reply,) = replies
    cut = sampling.grammar is not None and reply.finish_reason == "length"  # half a JSON text is none
    if as_json:
        print(json.dumps({"model": lm.name, **_reply_json(reply), **screen.speed(reply.tokens)}, ensure_ascii=False))
        return int(cut)
    if note := note_ending(reply):
        print(f"({note})", file=sys.stderr)
    print(f"\n{lm.name}: {speed_line(screen.speed(reply.tokens))}", file=sys.stderr)
    return int(cut)


def _vote(
    lm: LanguageModel, messages: list[Message], sampling: Sampling, options: Options, votes: int, as_json: bool
) -> int:
    from phiforge.verify.math import cluster, extract_answer

    if not as_json:
        print(f"One of {votes} samples, aloud:\n", file=sys.stderr)
    replies, screen = _stream(lm, messages, sampling, options, votes, quiet=as_json)
    votes = len(replies)  # fewer than asked for, if Ctrl-C cut it short
    speed = screen.speed(sum(reply.tokens for reply in replies))
    answers = [extract_answer(reply.message.text) if reply.thought_closed else None for reply in replies]
    tally = [(group.answer, group.members) for group in cluster(answers)]
    silent = answers.count(None)
    best = tally[0] if tally else None
    if as_json:
        result = {
            "model": lm.name,
            "answer": best[0] if best else None,
            "votes": votes,
            "tally": [{"answer": a, "votes": len(m), "samples": m} for a, m in tally],
            "without_answer": silent,
            "replies": [_reply_json(reply) for reply in replies],
            **speed,
        }
        print(json.dumps(result, ensure_ascii=False))
        return 0 if best else 1
    print(f"\nThe vote of {votes} samples:\n")
    width = max([len(_short(a)) for a, _ in tally] + [9])
    rows = [(_short(a), len(m)) for a, m in tally] + ([("no answer", silent)] if silent else [])
    for answer, count in rows:
        bar = "█" * max(1, round(40 * count / votes))
        print(f"  {answer:>{width}}  {bar} {count}")
    if best is None:
        print("\nNo sample gave an answer that could be read.")
        return 1
    print(f"\nAnswer: {printable(best[0])} ({len(best[1])} of {votes})")
    if all(replies[i].sample for i in best[1]):  # sample 0, which was shown, lost the vote
        print(f"\nOne that voted for it:\n\n{printable(replies[best[1][0]].message.text.strip())}")
    print(f"\n{lm.name}: {speed_line(speed)}", file=sys.stderr)
    return 0


def _stream(
    lm: LanguageModel, messages: list[Message], sampling: Sampling, options: Options, n: int, *, quiet: bool
) -> tuple[list[Reply], Screen]:
    """All replies in order; the first sample is shown as it comes, then how many have finished. Ctrl-C ends the rest.

    An answer that follows a grammar is for a program to read: it has the standard output for itself.
    """
    from phiforge.lm import Reply

    screen, replies = Screen(thoughts=sys.stderr if sampling.grammar else None), []
    progress = not quiet and n > 1 and sys.stderr.isatty()
    try:
        for item in lm.stream(messages, sampling=sampling, n=n, options=options):
            screen.note_first()
            if isinstance(item, Reply):
                replies.append(item)
            if item.sample == 0 and not quiet:
                screen.end() if isinstance(item, Reply) else screen.show(item)
            if progress and any(reply.sample == 0 for reply in replies):
                print(f"\r{len(replies)} of {n} samples done", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        if not replies:
            raise
        print(f"\ninterrupted: only the samples that were done ({len(replies)}) have a vote", file=sys.stderr)
    if progress:
        print("\r\x1b[K", end="", file=sys.stderr)
    return sorted(replies, key=lambda reply: reply.sample), screen


def _short(answer: str, width: int = 24) -> str:
    answer = printable(answer).replace("\n", " ")
    return answer if len(answer) <= width else answer[: width - 1] + "…"


def _reply_json(reply: Reply) -> dict[str, Any]:
    import msgspec

    return msgspec.to_builtins(reply)
