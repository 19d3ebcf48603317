"""Problems of one's own: rows that `phiforge data` made, or records with a verifier; the whole file is the test."""

import msgspec

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Problem


def item(row: Row, index: int) -> Problem | None:
    """A `Problem`, or an `Example` of which the problem is taken. One without a verifier is left out."""
    record = {key: value for key, value in (row.get("problem") or row).items() if key != "_file"}
    problem = msgspec.convert(record, Problem)
    if not problem.verifier:
        return None
    return msgspec.structs.replace(
        problem, id=f"{row['_file']}/{problem.id}", metadata=problem.metadata | {"subset": row["_file"]}
    )


TASK = Task(
    data={"test": Files(folder="problems", get="put .jsonl files of problems there; NAME.jsonl is the part problems:NAME")},
    item=item,
    protocols={
        "chat": Generate(words="Chat, as the model would be asked, its tools offered; greedy, up to 512 tokens.", max_tokens=512),
        "sampled": Generate(words="As chat, at T = 0.7, top-p 0.95, 16 answers, which vote.", max_tokens=512, temperature=0.7,
                            top_p=0.95, repeats=16),
        "calculator": Generate(words="As chat, a calculator offered instead, whose calls are answered.", max_tokens=512,
                               calculator=True),
    },
)  # fmt: skip
