"""math-verify, as a program: `python -P math_verifier.py`, a pair a line.

It runs in the environment that has math-verify, where nothing of ours is. A request is a line of JSON, [gold, response];
the answer [equal, seconds]. Both sides are parsed as the readme of math-verify has it, with its own time limits.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    print("ready", flush=True)
    for line in sys.stdin:
        gold, response = json.loads(line)
        begin = time.perf_counter()
        try:
            equal = bool(verify(parse(gold), parse(response)))
        except Exception:  # it gives no answer
            equal = False
        print(json.dumps([equal, time.perf_counter() - begin]), flush=True)


if __name__ == "__main__":
    main()
