"""Twenty everyday requests, answered by the base and by what is shipped: `python recipes/reasoning/samples.py`.

None of them is in the data that `prepare.py` makes. They are for reading: does it still chat?
"""

from __future__ import annotations

import argparse
from pathlib import Path

from phiforge.engine.request import Sampling
from phiforge.lm import open_model
from phiforge.records import Message
from phiforge.store.catalogue import BASE_MODEL, SHIPPED

ASKED = [
    "Hi! What are you good at?", "What is the largest ocean?", "Explain gravity in two sentences.",
    "Write a Python function that returns the second largest number of a list.", "How do I boil an egg?",
    "Write a mail to my neighbour to say that I found her cat.", "Who painted the Mona Lisa?", "Give me names for a parrot.",
    "What is the difference between a lake and a sea?", "Write a haiku about autumn.", "I have a headache. What could help?",
    "Translate 'where is the library' into French.", "Why is the sky blue?",
    "Summarise in one sentence: The meeting was moved to Wednesday because the projector is broken and half of the team is ill.",
    "List four renewable sources of energy.",
    "What should I pack for a week at the sea?", "What did I dream of last Tuesday?", "How does a bicycle stay upright?",
    "Write the first two sentences of a detective story.", "Thanks, that was all. Goodbye!",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(SHIPPED / "phiforge-135m-reasoning"))
    parser.add_argument("--out", type=Path, default=SHIPPED / "phiforge-135m-reasoning/samples.md")
    options = parser.parse_args()
    greedy = Sampling(temperature=0.0, max_tokens=160)
    columns = []
    for name in (BASE_MODEL, options.model):
        with open_model(name, dtype="int8") as lm:
            answers = lm.chat_many([[Message("user", each)] for each in ASKED], sampling=greedy)
            columns.append([reply.text for (reply,) in answers])
    lines = ["# Twenty everyday requests", "", "Greedy, at int8, up to 160 tokens."]
    for asked, base, ours in zip(ASKED, *columns, strict=True):
        lines += ["", f"## {asked}", "", "base:", "", quoted(base), "", "this:", "", quoted(ours)]
    options.out.write_text("\n".join(lines) + "\n")
    print(options.out)


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    main()
