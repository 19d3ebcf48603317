"""Benchmarks run by phiforge and by lm-evaluation-harness (through transformers): the same items, weights and machine.

    python bench/evals.py --lm-eval PYTHON            agreement in fp32, then speed; about half an hour on two cores
    python bench/evals.py --lm-eval PYTHON --quick    a few items of each, under a minute of ours and two of theirs
    python bench/evals.py --only mmlu gsm8k --json    a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok

PYTHON is an interpreter that has lm-eval, in an environment of its own (`pip install lm-eval torch transformers
accelerate`). It runs in a process of its own, one at a time. The model is the default one, its GGUF's weights in fp32. Data
sets are looked for in --data, $PHIFORGE_DATA or ../shared/data.

Agreement: "ours" is the largest difference of a log-likelihood, in nats, and the bar the most it may be; or the share of items
that end alike. Speed: items a second without loading, each side with the best of its number formats.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness_tasks as theirs
from models import default
from msgspec.structs import replace

from phiforge.evals import task as registry
from phiforge.evals.data import load, problems
from phiforge.evals.log import Item, read_items
from phiforge.evals.protocol import Perplexity
from phiforge.evals.run import Options, Plan, execute, plan
from phiforge.lm.local import LocalModel
from phiforge.records import Problem

HERE = Path(__file__).parent
HARNESS = HERE / "peers" / "lm_eval_harness.py"
NATS = 1e-3  # the most that a log-likelihood may differ by in fp32
ALIKE = 0.99  # of greedy answers
FASTER_MMLU, FASTER_GSM8K = 4.0, 3.0
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
OUR_FORMS = ("bfloat16", "int8")  # besides fp32
THEIR_FORMS = (("bfloat16", 4), ("bfloat16", 16))  # and batch sizes; besides fp32 at 8

Row = dict[str, Any]


class Bench:
    """Both sides, and the rows so far."""

    def __init__(self, python: str, data: Path, folder: Path) -> None:
        self.python, self.data, self.folder = python, data, folder
        self.source = default().source
        self.rows: list[Row] = []
        self._lm: tuple[str, LocalModel] | None = None

    def lm(self, dtype: str) -> LocalModel:
        """One model at a time."""
        if self._lm is None or self._lm[0] != dtype:
            self.close()
            self._lm = (dtype, LocalModel.open(str(self.source), dtype=dtype, device="cpu"))
        return self._lm[1]

    def close(self) -> None:
        if self._lm is not None:
            self._lm[1].close()
            self._lm = None

    def ours(
        self,
        name: str,
        dtype: str,
        choose: Callable[[Plan], Plan] = lambda planned: planned,
        *,
        data: Path | None = None,
        **options: Any,
    ) -> tuple[list[Item], float]:
        """A task's items as `choose` leaves them, and the seconds they took."""
        lm, asked = self.lm(dtype), Options(**options)
        chosen = choose(plan(name, lm, data or self.data, asked))
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            begin = time.perf_counter()
            execute(chosen, lm, Path(out) / "log", asked)
            seconds = time.perf_counter() - begin
            return read_items(Path(out) / "log"), seconds

    def theirs(self, tasks: Sequence[str], dtype: str, batch: int, max_length: int = 8192) -> tuple[list[Any], float]:
        """lm-eval's samples of some task files, and the seconds they took."""
        request, answer = self.folder / "request.json", self.folder / "answer.json"
        asked = {
            "model": str(self.source), "dtype": dtype, "batch": batch, "tasks": list(tasks), "include": str(self.folder),
            "limit": None, "threads": THREADS, "max_length": max_length,
        }  # fmt: skip
        request.write_text(json.dumps(asked))
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(self.folder / "hf")}
        command = [self.python, "-P", str(HARNESS), str(request), str(answer)]
        done = subprocess.run(
            command, env={**os.environ, **offline}, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"lm-eval failed:\n{done.stderr[-2000:]}")
        found = json.loads(answer.read_text())
        return [sample for samples in found["samples"].values() for sample in samples], found["seconds"]

    def package(self) -> Path:
        """The folder of lm-eval's own code."""
        command = [self.python, "-P", "-c", "import importlib.util as u; print(u.find_spec('lm_eval').origin)"]
        return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()).parent

    def add(self, what: str, unit: str, ours: float, peer: str, value: float, bar: float | None, **more: Any) -> None:
        """Of differences the bar is the most, of everything else the least ratio."""
        differs = unit == "nats"
        ratio = None if differs or not value else ours / value
        ok = bar is None or (ours <= bar if differs else ratio is not None and ratio >= bar)
        figures = {"ours": ours if differs else round(ours, 3), "peer": peer, "peer_value": round(value, 3)}
        judged = {"ratio": ratio and round(ratio, 2), "bar": bar, "ok": ok}
        self.rows.append({"what": what, "unit": unit, **figures, **judged, **more})
        print(f"  {what}: {self.rows[-1]}", file=sys.stderr, flush=True)


def only(ids: set[str]) -> Callable[[Plan], Plan]:
    """A plan of these items."""

    def choose(planned: Plan) -> Plan:
        work = [each for each in planned.work if each.problem.id in ids]
        return replace(planned, work=work, run=replace(planned.run, items=len(work)))

    return choose


def of(bench: Bench, name: str, split: str) -> list[Problem]:
    task = registry.get(name)
    return problems(task, load(task.data[split], bench.data), split)


def a_subject(items: Sequence[Problem], subjects: int, each: int) -> list[Problem]:
    """The first items of the first subjects."""
    by: dict[str, list[Problem]] = {}
    for item in items:
        by.setdefault(item.metadata["subset"], []).append(item)
    return [item for mine in list(by.values())[:subjects] for item in mine[:each]]


def compare_choices(bench: Bench, what: str, mine: list[Item], samples: list[Any], metric: str) -> None:
    """Prompts must be the same, log-likelihoods within NATS, and the same choice right."""
    ours = {item.id: item for item in mine}
    worst, prompts, alike = 0.0, 0, 0
    for sample in samples:
        item = ours[sample["doc"]["id"]]
        prompts += sample["arguments"][0][0] == item.prompt
        for answer, choice in zip(sample["answers"], item.choices, strict=True):
            worst = max(worst, abs(float(answer[0][0]) - choice.logprob))
        alike += bool(float(sample["scores"][metric])) == item.right
    peer = f"lm-eval fp32, {metric}"
    bench.add(f"{what}: largest difference", "nats", worst, peer, 0.0, NATS, items=len(mine), same_prompts=prompts)
    bench.add(f"{what}: items right alike", "share", alike / len(mine), peer, 1.0, 1.0, items=len(mine))


def agree_choices(bench: Bench, quick: bool) -> None:
    test, dev = of(bench, "mmlu", "test"), of(bench, "mmlu", "dev")
    for kind, metric, chosen in (
        ("letter", "acc", a_subject(test, 3 if quick else 57, 1)),
        ("cloze", "acc_norm", a_subject(test, 2 if quick else 15, 2)),
    ):
        tasks = theirs.write_choices(bench.folder, kind, chosen, dev)
        mine, _ = bench.ours("mmlu", "float32", only({p.id for p in chosen}), protocol=kind)
        samples, _ = bench.theirs(tasks, "float32", 8)
        compare_choices(bench, f"MMLU, {'ARC-like ' * (kind == 'cloze')}{kind}, 5-shot", mine, samples, metric)


def arc_rows(bench: Bench, n: int) -> list[Row]:
    """ARC's form out of MMLU: questions with three, four and five options, some with numbers for labels."""
    found: list[Row] = []
    test = of(bench, "mmlu", "test")
    for i, problem in enumerate(test[:: len(test) // n][:n]):
        texts = list(map(str, problem.verifier_args["options"]))
        right = texts["ABCD".index(problem.answer)]
        others = [text for text in texts if text != right]
        more = [str(test[(i + 1) * 5].verifier_args["options"][0])] if i % 3 == 2 else []
        shown = sorted([right, *others[: 2 if i % 3 == 0 else 3], *more])
        labels = list("12345" if i % 4 == 3 else "ABCDE")[: len(shown)]
        found.append({
            "id": f"arc/{i}", "question": problem.messages[-1].text, "choices": {"text": shown, "label": labels},
            "answerKey": labels[shown.index(right)],
        })  # fmt: skip
    return found


def hellaswag_rows(bench: Bench, n: int) -> list[Row]:
    """HellaSwag's form out of documentation: where a line goes on, and three other lines; some with WikiHow's marks."""
    found: list[Row] = []
    lines = [
        line.strip()
        for passage in of(bench, "perplexity", "text")
        for line in passage.messages[-1].text.splitlines()
        if 20 <= len(line.split()) <= 40 and line.isascii()
    ]
    for i, line in enumerate(lines[:: max(1, len(lines) // (4 * n))][:n]):
        words = line.split()
        third = len(words) // 3
        others = [" ".join(lines[(i + 1) * 7 * k % len(lines)].split()[-8:]) for k in (1, 2, 3)]
        texts = [*others[: i % 4], " ".join(words[2 * third :]), *others[i % 4 :]]
        if i % 3 == 0:
            texts = [f"[substeps] {text} [step] Go on." for text in texts]
        found.append({
            "id": f"hellaswag/validation/{i}", "activity_label": "Reading",
            "ctx_a": " ".join(["[header]", *words[:third], "[title]"]), "ctx_b": " ".join(words[third : 2 * third]),
            "endings": texts, "label": str(i % 4), "source_id": f"activitynet~{i}",
        })  # fmt: skip
    return found


def piqa_rows(bench: Bench, n: int) -> list[Row]:
    """PIQA's form out of MMLU: the right option and one other."""
    found: list[Row] = []
    for i, row in enumerate(arc_rows(bench, n)):
        texts, labels = row["choices"]["text"], row["choices"]["label"]
        right = texts[labels.index(row["answerKey"])]
        pair = [right, next(text for text in texts if text != right)]
        shown = {"goal": row["question"], "sol1": pair[i % 2], "sol2": pair[1 - i % 2], "label": i % 2}
        found.append({"id": f"piqa/validation/{i}", **shown})
    return found


def agree_tasks(bench: Bench, quick: bool) -> None:
    """Our tasks and lm-eval's own definitions of the same, each on files in the form it reads."""
    for name, rows_of, file, split in (
        ("arc_challenge", arc_rows, "arc/ARC-Challenge/ARC-Challenge-Test.jsonl", "test"),
        ("hellaswag", hellaswag_rows, "hellaswag/hellaswag_val.jsonl", "validation"),
        ("piqa", piqa_rows, "piqa/valid.jsonl", "validation"),
    ):
        rows = rows_of(bench, 6 if quick else 60)
        place = bench.folder / "sets" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(json.dumps(row) + "\n" for row in rows))
        samples, _ = bench.theirs(theirs.write_own(bench.folder, bench.package(), name, rows, split), "float32", 8)
        for protocol in ("acc", "acc_norm"):
            mine, _ = bench.ours(name, "float32", data=bench.folder / "sets", protocol=protocol)
            compare_choices(bench, f"{name}, 0-shot, {protocol}", mine, samples, protocol)


def agree_perplexity(bench: Bench, quick: bool) -> None:
    items = of(bench, "perplexity", "text")[:: 400 if quick else 150]
    task = registry.get("perplexity")
    protocol = task.protocol()[1]
    assert isinstance(protocol, Perplexity)
    mine, _ = bench.ours("perplexity", "float32", only({p.id for p in items}))
    samples, _ = bench.theirs(theirs.write_texts(bench.folder, items), "float32", 1, max_length=protocol.window)
    ours = {item.id: item for item in mine}
    worst = max(
        abs(_first(sample["answers"]) - ours[sample["doc"]["id"]].measures["logprob"])
        / ours[sample["doc"]["id"]].measures["tokens"]
        for sample in samples
    )
    bench.add(
        "perplexity: largest difference of a passage, a token",
        "nats",
        worst,
        "lm-eval fp32",
        0.0,
        NATS,
        items=len(mine),
    )


def _first(answer: Any) -> float:
    while isinstance(answer, list):
        answer = answer[0]
    return float(answer)


def speed_mmlu(bench: Bench, quick: bool) -> None:
    """Whole subjects, as the sample has them: ten items that share five worked examples."""
    chosen = a_subject(of(bench, "mmlu", "test"), 2 if quick else 6, 10)
    tasks = theirs.write_choices(bench.folder, "letter", chosen, of(bench, "mmlu", "dev"))
    choose = only({p.id for p in chosen})

    def mine(dtype: str) -> float:
        return len(chosen) / bench.ours("mmlu", dtype, choose, protocol="letter")[1]

    def peer(dtype: str, batch: int) -> float:
        return len(chosen) / bench.theirs(tasks, dtype, batch)[1]

    compare_speed(bench, "MMLU sample, 5-shot log-likelihood", mine, peer, FASTER_MMLU, quick)


def speed_gsm8k(bench: Bench, quick: bool) -> None:
    """Speed, and in fp32 whether greedy answers are the same text."""
    train = of(bench, "gsm8k", "train")
    chosen = train[8 : 8 + (4 if quick else 32)]
    tasks = theirs.write_words(bench.folder, chosen, train[:8])
    choose = only({p.id for p in chosen})
    answers: dict[str, dict[str, str]] = {}

    def mine(dtype: str) -> float:
        items, seconds = bench.ours("gsm8k", dtype, choose, protocol="8-shot", split="train")
        answers[f"ours {dtype}"] = {item.id: item.response for item in items}
        return len(chosen) / seconds

    def peer(dtype: str, batch: int) -> float:
        samples, seconds = bench.theirs(tasks, dtype, batch)
        answers[f"theirs {dtype}"] = {sample["doc"]["id"]: sample["answers"][0][0] for sample in samples}
        return len(chosen) / seconds

    compare_speed(bench, "GSM8K, 8-shot generation", mine, peer, FASTER_GSM8K, quick)
    ours, other = answers["ours float32"], answers["theirs float32"]
    alike = sum(ours[id].strip() == other[id].strip() for id in ours) / len(ours)
    bench.add("GSM8K, 8-shot, fp32: greedy answers alike", "share", alike, "lm-eval fp32", 1.0, ALIKE, items=len(ours))


def compare_speed(
    bench: Bench, what: str, mine: Callable[[str], float], peer: Callable[[str, int], float], bar: float, quick: bool
) -> None:
    fp32, theirs_fp32 = mine("float32"), peer("float32", 8)
    bench.add(f"{what}, both fp32", "items/s", fp32, "lm-eval fp32", theirs_fp32, None)
    ours = {"float32": fp32} | {form: mine(form) for form in OUR_FORMS[: 1 if quick else None]}
    others = {"float32": theirs_fp32}
    others |= {f"{form} at {batch}": peer(form, batch) for form, batch in THEIR_FORMS[: 1 if quick else None]}
    best, other = max(ours, key=lambda form: ours[form]), max(others, key=lambda form: others[form])
    bench.add(
        what, "items/s", ours[best], f"lm-eval {other}", others[other], bar, ours_form=best,
        all_ours={form: round(v, 2) for form, v in ours.items()}, all_theirs={form: round(v, 2) for form, v in others.items()},
    )  # fmt: skip


PARTS: dict[str, Callable[[Bench, bool], None]] = {
    "choices": agree_choices,
    "tasks": agree_tasks,
    "perplexity": agree_perplexity,
    "mmlu": speed_mmlu,
    "gsm8k": speed_gsm8k,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lm-eval", default=sys.executable, metavar="PYTHON", help="an interpreter that has lm-eval")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("PHIFORGE_DATA", HERE.parents[1] / "shared/data"))
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.lm_eval, args.data, Path(folder))
        try:
            for part in args.only:
                PARTS[part](bench, args.quick)
        finally:
            bench.close()
    for row in bench.rows:
        if args.json:
            print(json.dumps(row))
            continue
        ratio = "" if row["ratio"] is None else f", {row['ratio']} times"
        bar = "" if row["bar"] is None else f" (bar {row['bar']}: {'met' if row['ok'] else 'missed'})"
        print(f"{row['what']}: {row['ours']} {row['unit']}; {row['peer']}: {row['peer_value']}{ratio}{bar}")
    return 0 if all(row["ok"] for row in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
