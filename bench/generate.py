"""How fast the engine generates, beside llama.cpp, OpenVINO GenAI, ONNX Runtime GenAI and transformers, in one run.

    python bench/generate.py --prepare    make every model form that an installed peer reads (once; minutes, 9 GB of disk)
    python bench/generate.py              all tasks, medians of 3 interleaved rounds
    python bench/generate.py --quick      a few short tasks, one round, under a minute on two cores
    python bench/generate.py --json       a row a line: what, unit, ours, peer, peer_value, ratio, bar, ok

Every peer runs in a process of its own with its best settings (`peers/`), one at a time, on the same prompts of random
tokens that no cache has seen. Decoding leaves out the time to the first token; prefill is only that. All sample with
temperature 1 and top-k 50. `ratio` is ours to the peer, above 1 where ours is better; "best" peers are those of at most as
many bits as the task allows. `achieved` is our rate of the weights alone, and `share` what part of this machine's
measured limit it is. Clocks of shared machines drift: read ratios, not figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

import limits
from models import MODELS, Model
from peers import Entry, entries
from tasks import QUICK, TASKS, Task
from worker import PeerFailed, Worker

from phiforge.store.machine import machine

SLOTS = 64
ENOUGH_MEMORY = 6_000_000_000  # free before another peer is started; else the largest idle one is closed
HOPELESS = 0.5  # of the best peer's first figure: a slower peer is not measured again, unless a bar names it


class Bench:
    """Runs tasks on peers and keeps the figures: `values[task.what, title]`, in the task's unit."""

    def __init__(self, peers: list[Entry]) -> None:
        self.peers = peers
        self.models: dict[str, Model] = {}
        self.workers: dict[tuple[str, str], Worker] = {}
        self.values: dict[tuple[str, str], list[float]] = {}
        self.peak: dict[tuple[str, str], float] = {}  # MB, of the worker so far
        self.started: dict[tuple[str, str], float] = {}
        self.left_out: set[tuple[str, str]] = set()

    def run(self, task: Task) -> None:
        prompts = task.prompts()
        for peer in self.peers:
            if (task.ours_only and peer.engine != "phiforge") or (task.model, peer.title) in self.left_out:
                continue
            if self.hopeless(task, peer):
                continue
            try:
                worker = self.worker(task.model, peer)
                answer = task.measure(worker, prompts)
            except PeerFailed as failure:
                self.note(f"{peer.title}, {task.what}: left out: {failure}")
                if (broken := self.workers.get((task.model, peer.title))) and not broken.alive:
                    del self.workers[task.model, peer.title]
                continue
            self.values.setdefault((task.what, peer.title), []).append(answer)
            self.peak[task.model, peer.title] = worker.peak / 1e6
            self.note(f"{peer.title}, {task.what}: {answer:.1f} {task.unit}")

    def hopeless(self, task: Task, peer: Entry) -> bool:
        first = self.values.get((task.what, peer.title))
        others = [v[0] for (what, title), v in self.values.items() if what == task.what and "phiforge" not in title]
        named = any(peer.engine == name for name, _ in task.bars)
        return bool(first) and peer.engine != "phiforge" and not named and first[0] < HOPELESS * max(others)

    def worker(self, model_name: str, peer: Entry) -> Worker:
        key = (model_name, peer.title)
        if key in self.workers:
            return self.workers[key]
        model = self.models.setdefault(model_name, MODELS[model_name]())
        for other in [k for k in self.workers if k[0] != model_name]:
            self.workers.pop(other).close()
        while self.workers and machine().memory_available < ENOUGH_MEMORY:
            largest = max(self.workers, key=lambda k: self.workers[k].memory)
            self.workers.pop(largest).close()
        path = peer.path(model)
        if not path.exists():
            self.left_out.add(key)
            raise PeerFailed(f"{path} is not there yet: `python bench/generate.py --prepare` makes it")
        try:
            worker = Worker(peer.module, peer.name, path, peer.form, SLOTS)
        except PeerFailed:
            self.left_out.add(key)
            raise
        worker.ask("generate", prompts=[list(range(100, 132))], n=2, new=2)  # first-call costs are nobody's speed
        self.workers[key] = worker
        return worker

    def time_to_first_token(self) -> None:
        """From a process's start to its first token, weights converted and files read before."""
        for peer in self.peers:
            key = ("135m", peer.title)
            model = self.models.setdefault("135m", MODELS["135m"]())
            if key in self.left_out or not peer.path(model).exists():
                continue
            try:
                worker = Worker(peer.module, peer.name, peer.path(model), peer.form, 1, first=list(range(100, 116)))
            except PeerFailed:
                continue
            worker.close()
            self.values.setdefault(("start to first token, 135m", peer.title), []).append(worker.started)
        script = "import sys; from phiforge.cli.main import main; sys.exit(main())"  # what the installed command runs
        command = [sys.executable, "-c", script, "ask", "--max-tokens", "1", "Hello"]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            if child.stdout.read(1):
                took = time.perf_counter() - start
                self.values.setdefault(("start to first token, 135m", "phiforge ask"), []).append(took)

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()

    @staticmethod
    def note(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)


def rows(bench: Bench, tasks: list[Task], most: limits.Limits) -> list[dict[str, object]]:
    """The best of our forms that the task allows against each peer, and against the best one, with the bars."""
    found: list[dict[str, object]] = []
    for task in tasks:
        median = {
            peer: statistics.median(bench.values[task.what, peer.title])
            for peer in bench.peers
            if (task.what, peer.title) in bench.values
        }
        mine = {p: v for p, v in median.items() if p.engine == "phiforge" and task.allows(p)}
        if task.ours_only:
            continue
        best_mine = max(mine, key=lambda p: mine[p], default=None)
        ours = mine[best_mine] if best_mine else None
        extra: dict[str, object] = {}
        if best_mine:
            rate, limit, unit = task.achieved(bench.models[task.model], best_mine, mine[best_mine], most)
            extra = {
                "ours_form": best_mine.form,
                "achieved": round(rate, 1),
                "achieved_unit": unit,
                "share": round(rate / limit, 2),
            }
            if task.share_bar:
                found.append(
                    row(f"{task.what}: share of the limit", unit, rate, "this machine", limit, task.share_bar)
                )
        theirs = {p: v for p, v in median.items() if p.engine != "phiforge"}
        comparable = {p: v for p, v in theirs.items() if task.allows(p)}
        if comparable and "best" in dict(task.bars):
            best = max(comparable, key=lambda p: comparable[p])
            found.append(
                row(
                    task.what,
                    task.unit,
                    ours,
                    f"best: {best.title}",
                    comparable[best],
                    dict(task.bars)["best"],
                    **extra,
                )
            )
        for peer, value in theirs.items():
            bar = next((bar for name, bar in task.bars if name in (peer.engine, peer.title)), None)
            found.append(row(task.what, task.unit, ours, peer.title, value, bar, **extra))
    return found


def row(
    what: str, unit: str, ours: float | None, peer: str, value: float, bar: float | None, **extra: object
) -> dict[str, object]:
    ratio = None if ours is None else (value / ours if unit in ("s", "MB", "GB") else ours / value)
    ok = bar is None or (ratio is not None and ratio >= bar)
    figures = {"ours": ours, "peer_value": value, "ratio": ratio}
    rounded = {k: None if v is None else round(v, 2) for k, v in figures.items()}
    return {
        "what": what, "unit": unit, "ours": rounded["ours"], "peer": peer, "peer_value": rounded["peer_value"],
        "ratio": rounded["ratio"], "bar": bar, "ok": ok, **extra,
    }  # fmt: skip


def scoring_rows(bench: Bench, tasks: list[Task]) -> list[dict[str, object]]:
    """Scoring four continuations against one prefill of their prompt, both ours."""
    found = []
    for task in (t for t in tasks if t.ours_only and t.against):
        for peer in bench.peers:
            mine, other = bench.values.get((task.what, peer.title)), bench.values.get((task.against, peer.title))
            if mine and other:
                bar = round(1 / 1.15, 3)
                found.append(
                    row(
                        f"{task.what}, {peer.form}",
                        "s",
                        statistics.median(mine),
                        task.against,
                        statistics.median(other),
                        bar,
                    )
                )
    return found


def start_and_memory_rows(bench: Bench) -> list[dict[str, object]]:
    found, start = [], "start to first token, 135m"
    seconds = {title: min(values) for (what, title), values in bench.values.items() if what == start}
    ours = seconds.get("phiforge ask")
    if ours is not None:
        found.append(row(start, "s", ours, "limit", 2.0, 1.0))
    found += [row(start, "s", ours, title, value, None) for title, value in seconds.items() if title != "phiforge ask"]
    for model in {model for model, _ in bench.peak}:
        peaks = {title: peak for (name, title), peak in bench.peak.items() if name == model}
        mine = min((peak for title, peak in peaks.items() if title.startswith("phiforge")), default=None)
        found += [row(f"peak memory, {model}", "MB", mine, title, peak, None) for title, peak in peaks.items()]
    return found


def prepare(peers: list[Entry], models: list[str]) -> int:
    failed = 0
    for name in models:
        model = MODELS[name]()
        for peer in peers:
            begin = time.perf_counter()
            try:
                path = peer.prepare(model, peer.form)
                print(f"{model.name} for {peer.title}: {path} ({time.perf_counter() - begin:.0f} s)", flush=True)
            except (RuntimeError, ValueError, OSError) as error:
                failed = 1
                print(f"{model.name} for {peer.title}: failed: {error}", file=sys.stderr, flush=True)
    return failed


def show(row: dict[str, object]) -> None:
    def figure(value: object) -> str:
        return "-" if value is None else f"{value:,.1f}"

    verdict = "" if row["bar"] is None else f"  (bar {row['bar']}: {'met' if row['ok'] else 'MISSED'})"
    if "achieved" in row:
        verdict += f"  [{row['ours_form']}: {row['achieved']} {row['achieved_unit']}, {row['share']:.0%} of the limit]"
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
    print(
        f"{row['what']:56} {figure(row['ours']):>9} {row['unit']:8}  against {row['peer']:24} "
        f"{figure(row['peer_value']):>9} = {ratio:>5} x{verdict}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", action="store_true", help="make the model forms, and measure nothing")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument(
        "--peers", nargs="+", metavar="NAME", help="only engines or forms whose title has one of these"
    )
    parser.add_argument("--tasks", nargs="+", metavar="WORD", help="only tasks whose name has one of these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    peers = []
    for peer in entries():
        if args.peers and not any(name.lower() in peer.title.lower() for name in args.peers):
            continue
        if find_spec(peer.needs) is None:
            print(f"  {peer.title}: left out: {peer.needs} is not installed", file=sys.stderr)
        elif not (args.quick and not peer.quick):
            peers.append(peer)
    if args.prepare:
        return prepare(peers, args.models)

    tasks = [task for task in (QUICK if args.quick else TASKS) if task.model in args.models]
    tasks = [task for task in tasks if not args.tasks or any(word in task.what for word in args.tasks)]
    most = limits.measure()
    bench = Bench(peers)
    bench.note(f"limits of this machine: {most}")
    try:
        for model in args.models:
            for _ in range(1 if args.quick else args.rounds):
                for task in tasks:
                    if task.model == model:
                        bench.run(task)
        if not args.quick and "135m" in args.models and not args.tasks:
            bench.close()
            for _ in range(args.rounds):
                bench.time_to_first_token()
    finally:
        bench.close()

    table = rows(bench, tasks, most) + scoring_rows(bench, tasks)
    if not args.quick:
        table += start_and_memory_rows(bench)
    for line in table:
        if args.json:
            print(json.dumps(line), flush=True)
        else:
            show(line)
    return 1 if any(not line["ok"] for line in table) else 0


if __name__ == "__main__":
    sys.exit(main())
