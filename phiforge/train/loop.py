"""The training loop that all stages share: step, log, save, stop, and go on exactly where it was.

A stage says how many steps there are, which micro-batches belong to a step and what their loss is. All of that is a function
of the step's number, so a run that is killed and started again sees the same batches and ends with the same weights.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from phiforge.model.config import ModelConfig
from phiforge.model.phi3 import Phi3
from phiforge.train.optim import Moved, Optimizer
from phiforge.train.run_folder import RunFolder

B = TypeVar("B")  # a stage's micro-batch

SAVE_SECONDS = 600.0
SPIKE = 3.0  # times the median loss of the last steps
REMEMBERED = 50  # steps that a spike is judged by


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
    tokens: int
    seconds: float
    utilisation: float  # of this machine's measured matrix speed
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage(Generic[B]):
    """What is trained. `batches(step)` are a step's micro-batches; `loss(model, micro)` the sum of a micro-batch's loss and
    sums to log; `count(micro)` what both are divided by, over the step; `tokens(micro)` how many it has."""

    steps: int
    batches: Callable[[int], Sequence[B]]
    loss: Callable[[Phi3, B], tuple[Tensor, dict[str, float]]]
    count: Callable[[B], float]
    tokens: Callable[[B], int]
    held_out: Callable[[Phi3], dict[str, float]] | None = None
    held_out_every: int = 0


def train(
    model: Phi3,
    stage: Stage[B],
    settings: Optimizer,
    folder: str | Path,
    *,
    progress: Callable[[Step], None] = lambda _: None,
    save_seconds: float = SAVE_SECONDS,
    spike: float = SPIKE,
) -> Phi3:
    """Train in place, going on from what `folder` holds. Raises Diverged, or Interrupted after Ctrl-C, when all is saved."""
    run = RunFolder(folder)
    moved = Moved(model, settings)
    state = run.last()
    first = 0
    if state is not None:
        _restore(model, moved, state)
        first = state["step"]
    losses = [row["loss"] for row in run.metrics()][-REMEMBERED:]
    peak, saved = matrix_speed(), time.monotonic()
    model.train()
    with _interruptible() as interrupted:
        for step in range(first, stage.steps):
            started = time.monotonic()
            batches = stage.batches(step)
            count = sum(stage.count(batch) for batch in batches) or 1.0  # a step may have nothing to teach
            loss, sums = 0.0, dict[str, float]()
            for batch in batches:
                value, more = stage.loss(model, batch)
                (value / count).backward()
                loss += float(value.detach()) / count
                for key, each in more.items():
                    sums[key] = sums.get(key, 0.0) + each
            norm = moved.clip()
            _sound(run, step, batches, loss, norm, losses, spike)
            lr = moved.step(step, stage.steps)
            losses = [*losses, loss][-REMEMBERED:]
            seconds = time.monotonic() - started
            tokens = sum(stage.tokens(batch) for batch in batches)
            used = flops_a_token(model.config) * tokens / seconds / peak
            done = Step(
                step + 1, stage.steps, loss, lr, norm, tokens, seconds, used, {k: v / count for k, v in sums.items()}
            )
            more = dict(done.more)
            if (
                stage.held_out
                and stage.held_out_every
                and (done.step % stage.held_out_every == 0 or done.step == stage.steps)
            ):
                model.eval()
                with torch.no_grad():
                    more |= stage.held_out(model)
                model.train()
            row = {
                "step": done.step,
                "loss": loss,
                "lr": lr,
                "norm": norm,
                "tokens": tokens,
                "seconds": round(seconds, 4),
            }
            run.log(row | more)
            progress(done)
            if interrupted() or done.step == stage.steps or time.monotonic() - saved > save_seconds:
                run.save(done.step, _state(model, moved))
                saved = time.monotonic()
            if interrupted():
                raise Interrupted(
                    f"stopped after step {done.step} of {stage.steps}; the same again goes on from there"
                )
    return model.eval()


def _state(model: Phi3, moved: Moved) -> dict[str, Any]:
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    return {"weights": trained, "optimizers": moved.state_dict(), "chance": torch.get_rng_state()}


@torch.no_grad()
def _restore(model: Phi3, moved: Moved, state: dict[str, Any]) -> None:
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if trained.keys() != state["weights"].keys():
        raise ValueError("the folder holds a run of another network, or of other weights of it: choose another folder")
    for name, parameter in trained.items():
        parameter.copy_(state["weights"][name])
    moved.load_state_dict(state["optimizers"])
    torch.set_rng_state(state["chance"])


def _sound(
    run: RunFolder, step: int, batches: Sequence[Any], loss: float, norm: float, last: list[float], spike: float
) -> None:
    """Refuse a step that would spoil the weights, and keep what caused it."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        reason = f"the loss is {loss} and the gradient's norm {norm}"
    elif len(last) >= 20 and loss > spike * max(median(last), 0.05):
        reason = f"the loss is {loss:.3f}, after {median(last):.3f} in the last {len(last)} steps"
    else:
        return
    kept = run.path / f"diverged-{step + 1}.pt"
    torch.save(list(batches), kept)
    raise Diverged(f"step {step + 1}: {reason}. Its batches are in {kept}; the weights of the step before are kept")


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM are remembered until the step is done; a second one stops at once. Only in the main thread."""
    told: list[int] = []

    def remember(number: int, _: Any) -> None:
        told.append(number)
        if len(told) > 1:
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


def flops_a_token(config: ModelConfig) -> float:
    """Operations of matrix products for one token, forward and backward: 6 a weight. Attention's own are left out."""
    width = (config.n_heads + 2 * config.n_kv_heads) * config.head_dim
    layer = (
        config.d_model * width + config.n_heads * config.head_dim * config.d_model + 3 * config.d_model * config.d_ff
    )
    return 6.0 * (config.n_layers * layer + config.vocab_size * config.d_model)


@cache
def matrix_speed(size: int = 1024, seconds: float = 0.15) -> float:
    """Operations a second of this machine's fp32 matrix product, the best of a few."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end or not best:
        started = time.monotonic()
        torch.mm(a, b)
        best = max(best, 2 * size**3 / (time.monotonic() - started))
    return best
