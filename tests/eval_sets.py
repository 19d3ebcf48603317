"""Small data sets to measure on, as their authors write them."""

from __future__ import annotations

import json
from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared/data"


def write_sets(folder: Path) -> Path:
    """Two MMLU subjects, twelve GSM8K problems, a corpus of two files, in `folder`."""
    for where, n in (("dev", 5), ("test_sample", 6)):
        for subject in ("sums", "words_of_the_sea"):
            file = folder / f"mmlu/{where}/{subject}_{where.partition('_')[0]}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = [f'"{subject}, {where} {i}?",{i},{i + 1},"{i},5","{i} ß",{i % 4}' for i in range(n)]
            file.write_text("\n".join(["question,choice0,choice1,choice2,choice3,answer", *rows]) + "\n")
    (folder / "gsm8k").mkdir()
    for name in ("train", "test"):
        rows = [
            {"question": f"{name}: {i} + 2?", "answer": f"{i} + 2 = <<{i}+2={i + 2}>>{i + 2}\n#### {i + 2}"}
            for i in range(12)
        ]
        (folder / f"gsm8k/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "docs_corpus").mkdir()
    (folder / "docs_corpus/a.txt").write_text("hello world, hello\n" * 150)
    (folder / "docs_corpus/b.txt").write_text("\n\nwörld\n")
    return folder
