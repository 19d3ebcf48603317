"""One contestant of bench/data.py, in a process of its own: reads documents, does the task, prints what it took.

    python bench/peers/data.py ours|datatrove|datasketch near|decontaminate FOLDER

Seconds are of the work itself, from texts in memory to a verdict on each; loading texts, models and tokenizers is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

Work = Callable[[], set[int]]  # the numbers of the documents to drop


def ours(task: str, texts: list[str], items: list[str]) -> Work:
    if task == "near":
        import numpy as np

        from phiforge.data.curate.duplicates import NearDuplicates

        def near() -> set[int]:
            index = NearDuplicates()
            index.add(texts)
            return set(np.flatnonzero(index.first() != np.arange(len(texts))).tolist())

        return near
    from phiforge.data.curate.benchmark import Item
    from phiforge.data.curate.decontaminate import Decontaminator

    finder = Decontaminator([Item("bench", str(i), text) for i, text in enumerate(items)])
    return lambda: {i for i, reason in enumerate(finder.many(texts)) if reason}


def datasketch(task: str, texts: list[str], items: list[str]) -> Work:
    from datasketch import MinHash, MinHashLSH

    assert task == "near"

    def near() -> set[int]:
        lsh, drop = MinHashLSH(threshold=0.75, num_perm=120), set[int]()
        for number, text in enumerate(texts):
            words = text.lower().split()
            sketch = MinHash(num_perm=120)
            sketch.update_batch([" ".join(words[i : i + 5]).encode() for i in range(max(1, len(words) - 4))])
            if lsh.query(sketch):
                drop.add(number)
            lsh.insert(number, sketch)
        return drop

    return near


def datatrove(task: str, texts: list[str], items: list[str]) -> Work:
    from datatrove.data import Document

    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
    if task == "near":
        from datatrove.pipeline.dedup import (
            MinhashDedupBuckets,
            MinhashDedupCluster,
            MinhashDedupFilter,
            MinhashDedupSignature,
        )
        from datatrove.pipeline.dedup.minhash import MinhashConfig

        config = MinhashConfig(n_grams=5, num_buckets=20, hashes_per_bucket=6)
        with TemporaryDirectory() as warm:  # the word tokenizer loads at its first use
            MinhashDedupSignature(warm, config).run(iter(documents[:2]))

        def near() -> set[int]:
            with TemporaryDirectory() as folder:
                MinhashDedupSignature(f"{folder}/signatures", config).run(iter(documents))
                for bucket in range(config.num_buckets):
                    MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config).run(
                        rank=bucket, world_size=config.num_buckets
                    )
                MinhashDedupCluster(f"{folder}/buckets", f"{folder}/removed", config=config).run()
                kept = {int(each.id) for each in MinhashDedupFilter(f"{folder}/removed").run(iter(documents))}
            return set(range(len(texts))) - kept

        return near
    import numpy as np
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import ngrams, simplify_text

    config = NGramsDecontConfig(n_grams=13, find_query_ngrams=True, find_overlap_ngrams=False)
    index = TemporaryDirectory()
    judge = NGramsDecontFilter(index.name, config=config)
    hashes = set[int]()  # what its indexer writes, which wants lighteval for tasks that are not asked for
    for item in items:
        tokens = judge.tokenizer.word_tokenize(simplify_text(item, config.norm_config))
        hashes |= {judge.hash_func(" ".join(run)) for run in ngrams(tokens, config.n_grams)}
    np.array(sorted(hashes), dtype=config.hash_config.np_descr).tofile(f"{index.name}/bench.index.hashes")
    judge.filter(documents[0])

    def decontaminate() -> set[int]:
        dropped = {i for i, each in enumerate(documents) if judge.filter(each) is not True}
        index.cleanup()
        return dropped

    return decontaminate


CONTESTANTS = {"ours": ours, "datasketch": datasketch, "datatrove": datatrove}


def main() -> None:
    who, task, folder = sys.argv[1:]
    rows = [json.loads(line) for line in Path(folder, "documents.jsonl").read_bytes().splitlines()]
    items = json.loads(Path(folder, "items.json").read_text())
    work = CONTESTANTS[who](task, [row["text"] for row in rows], items)
    started = time.perf_counter()
    dropped = work()
    seconds = time.perf_counter() - started
    planted = {i for i, row in enumerate(rows) if row["planted"] == task}
    other = len(rows) - len(planted)
    found = {"recall": len(dropped & planted) / len(planted), "false": len(dropped - planted) / other}
    print(json.dumps({"who": who, "task": task, "documents_per_second": len(rows) / seconds, **found}))


if __name__ == "__main__":
    main()
