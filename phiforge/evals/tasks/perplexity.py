"""Perplexity of a corpus: how well a model foretells text that people wrote, per byte, word and token."""

from phiforge.evals.protocol import Perplexity
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem

CHARACTERS = 8_000  # of a passage at most, but for a line that is longer


def item(row: Row, index: int) -> list[Problem]:
    passages = [""]
    for line in row["text"].splitlines(keepends=True):
        if len(passages[-1]) + len(line) > CHARACTERS and passages[-1]:
            passages.append("")
        passages[-1] += line
    metadata = {"subset": row["_file"], "cluster": row["_file"]}
    return [Problem(id="", messages=[Message("user", text)], metadata=metadata) for text in passages if text.strip()]


TASK = Task(
    data={
        "text": Files(folder="docs_corpus", files="*.txt", get="put plain text files there; each is cut into passages")
    },
    item=item,
    protocols={
        "rolling": Perplexity(
            words="Passages of at most 8,000 characters, cut at line ends; windows of 1,024 tokens that do not overlap."
        )
    },
)
