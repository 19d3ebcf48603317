"""`phiforge VERB`: find the verb's file, read its words, run it. Imports nothing heavy, so that help is instant.

Exit codes: 0 done, 1 the work failed, 2 the words were wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from phiforge import __version__
from phiforge.cli import WrongWords

VERBS = {
    "ask": "ask the model one question; with --votes, let many samples vote",
    "chat": "talk with the model, turn by turn",
    "serve": "answer over HTTP as OpenAI's API does, with a page to talk on",
    "pull": "bring a model to this machine, checked",
    "models": "list the models here, or the Phi-4 family's figures",
    "quantize": "write a model's weights at 8, 4 or 16 bits, with what that costs measured",
    "export": "write a model as a GGUF file for llama.cpp, or as a Hugging Face folder",
    "data": "make, describe, clean and mix training data",
    "train": "train a model by a recipe, on rows that `data` made",
    "forge": "from a recipe, or problems of your own, to a better model with a report",
    "eval": "measure a model on benchmarks, compare two runs, look into a log",
    "doctor": "what this machine has, and which models fit it",
    "verify": "check an answer, or print the checker's own error table",
}


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="phiforge",
        description="Make, measure and run small reasoning models.",
        epilog="`phiforge VERB --help` says more of a verb. Start with: phiforge ask 'Why is the sky blue?'",
    )
    parser.add_argument("--version", action="version", version=f"phiforge {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = next((word for word in words if word in VERBS), None)
    for verb, summary in VERBS.items():
        sub = verbs.add_parser(verb, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if verb == chosen:
            import_module(f"phiforge.cli.{verb}").configure(sub)
    args = parser.parse_args(words)
    try:
        return import_module(f"phiforge.cli.{args.verb}").run(args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; Python would complain about it at exit
        return 1
    except (ValueError, OSError) as error:
        print(f"error: {_said(error)}", file=sys.stderr)
        return 2 if isinstance(error, WrongWords) else 1


def _said(error: Exception) -> str:
    """Of a file, which and what, without the system's number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
