"""The training loop that all stages share: step, log, save, stop, and go on exactly where it was.

A stage says how many steps there are, which micro-batches belong to a step and what their loss is. All of that is a function
of the step's number, so a run that is killed and started again sees the same batches and ends with the same weights.

Processes that `torchrun` has started share a step's micro-batches: the same documents make up a step, whatever their number.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Generic, TypeVar, get_args

import torch
from torch import Tensor

from phiforge.model.phi3 import Phi3
from phiforge.train import distributed, memory
from phiforge.train.batches import placed
from phiforge.train.optim import Moved, Optimizer
from phiforge.train.precision import Precision, fastest, int8_pays, matrix_speed
from phiforge.train.run_folder import RunFolder
from phiforge.train.tracker import Tracker, tracking
from phiforge.train.working import Working, working

B = TypeVar("B")  # a stage's micro-batch

SAVE_SECONDS = 600.0
SPIKE = 3.0  # times the median loss of the last steps, and
UNHEARD = 2.0  # times the highest of them: the batches of a mixture differ, and some kinds come rarely
REMEMBERED = 200  # steps that a spike is judged by
TOGETHER = 2.0  # seconds within which several signals are one: a terminal and torchrun both pass Ctrl-C on


class Diverged(RuntimeError):
    """A loss or gradient that is no number, or a loss far above the last ones. The batch that caused it has been saved."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM: the state has been saved."""


@dataclass(frozen=True)
class Step:
    """What a step did, for the log and the progress line."""

    step: int  # how many are done with it
    steps: int
    loss: float
    lr: float
    norm: float  # of the gradient, before clipping
    tokens: int  # of all processes
    seconds: float
    utilisation: float  # of the measured matrix speed, at the precision used, of all processes
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage(Generic[B]):
    """What is trained. `batches(step)` are a step's micro-batches; `loss(model, micro)` the sum of a micro-batch's loss and
    sums to log; `count(micro)` what both are divided by, over the step; `tokens(micro)` how many it has. `samples(step)`
    says whether a step's batches come from the network itself, which is then whole in every process."""

    steps: int
    batches: Callable[[int], Sequence[B]]
    loss: Callable[[Phi3, B], tuple[Tensor, dict[str, float]]]
    count: Callable[[B], float]
    tokens: Callable[[B], int]
    held_out: Callable[[Phi3], dict[str, float]] | None = None
    held_out_every: int = 0
    samples: Callable[[int], bool] = lambda step: False


def train(
    model: Phi3,
    stage: Stage[B],
    settings: Optimizer,
    folder: str | Path,
    *,
    progress: Callable[[Step], None] = lambda _: None,
    precision: Precision = "float32",
    recompute: bool = False,
    tracker: Tracker | None = None,
    save_seconds: float = SAVE_SECONDS,
    spike: float = SPIKE,
) -> Phi3:
    """Train a network of fp32 weights, or of bf16, in place, going on from what `folder` holds.

    `precision` is what the products are computed in: "auto" takes what the run began with, or else what is faster here; so
    does "int8" where int8 products aren't fast.
    `recompute` keeps no activations within layers, and computes them again. Where torch.distributed is initialised, every
    process makes the same call; metrics are logged and told by the first.

    Raises Diverged, or Interrupted after Ctrl-C, when all is saved; ValueError for a folder with another network's run.
    """
    run = RunFolder(folder)
    first = run.begin()
    dtype = _dtype(precision, model, run, first)
    chief = distributed.rank() == 0
    about = {"optimizer": settings, "precision": str(dtype).removeprefix("torch."), "processes": distributed.size()}
    with (
        tracking(tracker if chief else None, run.path, about) as tell,
        working(model, dtype, recompute, final=(Diverged, Interrupted)) as work,
        _interruptible() as interrupted,
        nullcontext() if recompute else memory.kept(),  # who computes again wants to hold little
    ):
        moved = Moved(work.trained, settings)
        if first:
            _restore(run, work, moved)
        losses = [row["loss"] for row in run.metrics()][-REMEMBERED:]
        saved, safe, operations = time.monotonic(), first, flops_a_token(model)
        for step in range(first, stage.steps):
            started = time.monotonic()
            with work.whole() if stage.samples(step) else nullcontext():
                batches = stage.batches(step)
            loss, more = _gradients(stage, work, batches)
            norm = moved.clip()
            try:
                _sound(run, step, batches, loss, norm, losses, spike)
            except Diverged:
                if step > safe:
                    run.save(step, _state(work, moved, dtype))
                raise
            lr = moved.step(step, stage.steps)
            work.moved()
            losses = [*losses, loss][-REMEMBERED:]
            seconds = time.monotonic() - started
            tokens = sum(stage.tokens(batch) for batch in batches)
            peak = matrix_speed(dtype, work.device) * distributed.size()
            used = operations * tokens / seconds / peak
            done = Step(step + 1, stage.steps, loss, lr, norm, tokens, seconds, used, more)
            last = done.step == stage.steps
            if stage.held_out and stage.held_out_every and (last or done.step % stage.held_out_every == 0):
                more = more | _held_out(work, stage.held_out)
            if chief:
                row = {"loss": loss, "lr": lr, "norm": norm, "tokens": tokens, "seconds": round(seconds, 4)}
                run.log({"step": done.step} | row | more)
                tell(done.step, row | more)
                progress(done)
            stop, due = _agreed(interrupted(), time.monotonic() - saved > save_seconds)
            if stop or due or last:
                run.save(done.step, _state(work, moved, dtype))
                saved, safe = time.monotonic(), done.step
            if stop:
                raise Interrupted(
                    f"stopped after step {done.step} of {stage.steps}; the same again goes on from there"
                )
    return model.eval()


def _gradients(stage: Stage[B], work: Working, batches: Sequence[B]) -> tuple[float, dict[str, float]]:
    """Leave the gradient of a step's mean loss in the weights. Returns the loss and the means to log, of all processes."""
    count = sum(stage.count(batch) for batch in batches) or 1.0  # a step may have nothing to teach
    loss, sums = 0.0, dict[str, float]()
    for batch, counts in distributed.share(batches):
        value, more = stage.loss(work.network, placed(batch, work.device))
        (value * (counts / count)).backward()
        if counts:
            loss += float(value.detach())
            for key, each in more.items():
                sums[key] = sums.get(key, 0.0) + each
    everyone = distributed.gathered((loss, sums))
    keys = dict.fromkeys(key for _, sums in everyone for key in sums)
    means = {key: sum(sums.get(key, 0.0) for _, sums in everyone) / count for key in keys}
    return sum(loss for loss, _ in everyone) / count, means


def _held_out(work: Working, measure: Callable[[Phi3], dict[str, float]]) -> dict[str, float]:
    work.network.eval()
    with torch.no_grad():
        found = measure(work.network)
    work.measured()
    work.network.train()
    return found


def _dtype(precision: Precision, model: Phi3, run: RunFolder, first: int) -> torch.dtype:
    if precision not in get_args(Precision):
        raise ValueError(f"precision = {precision!r} is not known: {', '.join(get_args(Precision))}")
    if precision in ("float32", "bfloat16"):
        return getattr(torch, precision)
    if first:
        bits = torch.zeros((), dtype=torch.int64)
        run.load({"bits": bits})
        return {8: torch.int8, 16: torch.bfloat16, 32: torch.float32}[int(bits)]
    device = model.embed_tokens.weight.device
    if distributed.size() > 1 and torch.cuda.is_available():
        device = torch.device("cuda", torch.cuda.current_device())
    return distributed.by_first(
        lambda: torch.int8 if precision == "int8" and int8_pays(device) else fastest(device, model.config)
    )


def _agreed(*flags: bool) -> list[bool]:
    """Each flag, raised if any process has raised it."""
    return [any(each) for each in zip(*distributed.gathered(flags), strict=True)]


def _state(work: Working, moved: Moved, dtype: torch.dtype) -> dict[str, Tensor]:
    """All that a run goes on from, by name."""
    weights = {f"weights.{name}": parameter.detach() for name, parameter in work.trained.items()}
    memories = {f"optimizer.{name}": value for name, value in moved.state().items()}
    return weights | memories | {"chance": torch.get_rng_state(), "bits": torch.tensor(dtype.itemsize * 8)}


def _restore(run: RunFolder, work: Working, moved: Moved) -> None:
    shapes = run.shapes()
    weights = {f"weights.{name}": parameter.detach() for name, parameter in work.trained.items()}
    if {name: size for name, size in shapes.items() if name.startswith("weights.")} != {
        name: weight.shape for name, weight in weights.items()
    }:
        raise ValueError("the folder holds a run of another network, or of other weights of it: choose another folder")
    memories = {
        name.removeprefix("optimizer."): size for name, size in shapes.items() if name.startswith("optimizer.")
    }
    expected = {f"optimizer.{name}": value for name, value in moved.expect(memories).items()}
    chance = torch.get_rng_state()
    run.load(weights | expected | {"chance": chance})
    torch.set_rng_state(chance)
    work.moved()


def _sound(
    run: RunFolder, step: int, batches: Sequence[Any], loss: float, norm: float, last: list[float], spike: float
) -> None:
    """Refuse a step that would spoil the weights, and keep what caused it."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        reason = f"the loss is {loss} and the gradient's norm {norm}"
    elif len(last) >= 20 and loss > spike * max(median(last), 0.2) and loss > UNHEARD * max(last):
        reason = (
            f"the loss is {loss:.3f}, after {median(last):.3f}, at most {max(last):.3f}, in the last {len(last)} steps "
            f"(a `spike` of the stage above {spike:g} lets it pass)"
        )
    else:
        return
    kept = run.path / f"diverged-{step + 1}.pt"
    if distributed.rank() == 0:
        torch.save(list(batches), kept)
    raise Diverged(f"step {step + 1}: {reason}. Its batches are in {kept}; the weights of the step before are kept")


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM are remembered until the step is done; a later one stops at once. Only in the main thread."""
    told: list[float] = []

    def remember(number: int, _: Any) -> None:
        told.append(time.monotonic())
        if told[-1] - told[0] > TOGETHER:
            raise KeyboardInterrupt

    before: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, remember)
    except ValueError:  # not the main thread
        yield lambda: False
        return
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def flops_a_token(model: Phi3) -> float:
    """Operations of matrix products for one token: forward, backward, and for the gradients of weights that are learnt, 2 a
    weight each. Attention's own are left out."""
    looked_up = () if model.config.tied_embeddings else (model.embed_tokens.weight,)
    matrices = [w for w in model.parameters() if w.dim() == 2 and not any(w is each for each in looked_up)]
    return sum((6.0 if weight.requires_grad else 4.0) * weight.numel() for weight in matrices)
