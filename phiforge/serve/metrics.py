"""Counts of what the server has done, as Prometheus reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)  # seconds


class Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[sum(seconds > bound for bound in BUCKETS)] += 1
        self.total += seconds


class Metrics:
    """`counters[name, labels]` only grow; `gauges` are asked when somebody looks; labels are ((key, value), ...)."""

    def __init__(self) -> None:
        self.counters: defaultdict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)
        self.gauges: dict[str, Callable[[], float]] = {}
        self.histograms: defaultdict[str, Histogram] = defaultdict(Histogram)

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        self.counters[name, tuple(sorted(labels.items()))] += by

    def text(self) -> str:
        lines: list[str] = []
        told: set[str] = set()

        def tell(name: str, kind: str) -> str:
            full = f"phiforge_{name}"
            if name not in told:
                told.add(name)
                lines.append(f"# TYPE {full} {kind}")
            return full

        for (name, labels), value in sorted(self.counters.items()):
            lines.append(f"{tell(name, 'counter')}{_labels(labels)} {value:g}")
        for name, ask in self.gauges.items():
            lines.append(f"{tell(name, 'gauge')} {ask():g}")
        for name, histogram in self.histograms.items():
            full, below = tell(name, "histogram"), 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), histogram.counts, strict=True):
                below += count
                lines.append(f'{full}_bucket{{le="{bound}"}} {below}')
            lines += [f"{full}_sum {histogram.total:g}", f"{full}_count {below}"]
        return "\n".join(lines) + "\n"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    def quoted(value: str) -> str:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    return "{" + ",".join(f'{key}="{quoted(value)}"' for key, value in labels) + "}" if labels else ""
