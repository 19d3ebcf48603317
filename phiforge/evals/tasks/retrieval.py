"""Retrieval from long contexts: words and numbers hidden in a long text, asked for at its end, at 4K to 128K tokens."""

import random
from collections.abc import Iterator

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Made, Row, Task
from phiforge.evals.tasks._haystack import MOST, haystack, needles
from phiforge.records import Message, Problem

LENGTHS = ("4096", "8192", "16384", "32768", "65536", "131072")
KINDS = ("word", "number", "among", "several")
ROOM = 128  # tokens of an answer


def make(part: str, seed: int, n: int) -> Iterator[Row]:
    """`n` texts of at most `part` tokens, answer included. Raises ValueError for a length that is no number from 1,024 on."""
    if not part.isdecimal() or int(part) < 1024:
        raise ValueError(
            f"retrieval:{part}: the part is the length in tokens, 1024 or more, such as {', '.join(LENGTHS)}"
        )
    for i in range(n):
        rng = random.Random(f"{seed}/{part}/{i}")
        kind = KINDS[i % len(KINDS)]
        hidden = needles(
            rng, {"several": 4, "among": min(int(part) // 128, MOST)}.get(kind, 1), numbers=kind == "number"
        )
        asked = list(hidden.items())[: 4 if kind == "several" else 1]
        yield {"length": int(part), "kind": kind, "asked": asked, "text": haystack(rng, hidden, int(part) - ROOM)}


def item(row: Row, index: int) -> Problem:
    keys, values = [key for key, _ in row["asked"]], [value for _, value in row["asked"]]
    asks = f"are the codes of the {', the '.join(keys)}" if len(keys) > 1 else f"is the code of the {keys[0]}"
    text = (
        "Some codes are hidden in the text below. Remember them; you will be asked about them afterwards.\n\n"
        f"{row['text']}\n\nWhat {asks}? Answer with nothing else."
    )
    return Problem(
        id=f"retrieval/{row['length']}/{index}",
        messages=[Message("user", text)],
        answer=", ".join(values),
        verifier="instructions",
        verifier_args={"constraints": [{"kind": "keywords:existence", "keywords": [value]} for value in values]},
        metadata={"subset": row["kind"], "context": row["length"]},
    )


TASK = Task(
    data={"made": Made(make=make, n=100, parts=lambda: LENGTHS, default_part=LENGTHS[0])},
    item=item,
    metric="score",
    protocols={
        "chat": Generate(
            words="Codes (a word or a seven-digit number each) at random places in plain sentences, all within the length that "
            "the part names, by turns: one word, one number, one of many, four at once; greedy; the share that is answered.",
            max_tokens=ROOM,
        ),
    },
)
