"""A run: a task over a model, into a log. What is there already is not asked again, so the same call goes on after a kill.

What a sample holds follows from the run's seed, the item and the repeat; lines are put in order at the end. So a run that was
killed at any moment, or stopped by a budget, ends in the log of one that was not.
"""

from __future__ import annotations

import asyncio
import fcntl
import platform
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from phiforge.engine.request import Sampling
from phiforge.evals import data as sets
from phiforge.evals.ask import Work, ask_all
from phiforge.evals.grade import Graders
from phiforge.evals.log import DataUsed, Item, Log, Run
from phiforge.evals.protocol import Generate, Protocol
from phiforge.evals.task import Made, Task, get
from phiforge.evals.weigh import weigh_all
from phiforge.lm import LanguageModel
from phiforge.records import Problem
from phiforge.store.machine import machine

if TYPE_CHECKING:
    from phiforge.lm.local import LocalModel

AT_ONCE = 64  # answers written at a time by a model on this machine
AT_ONCE_REMOTE = 16  # and by an endpoint, which has a limit of its own besides


class Options(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a run may change of its task. Numbers that are None are the protocol's.

    `limit`: so many items, drawn by the seed. `minutes` and `max_tokens` (read and written) end the run early; asked again it
    goes on, with a fresh budget.
    """

    protocol: str = ""
    split: str = ""
    limit: int | None = None
    repeats: int | None = None
    seed: int = 0
    temperature: float | None = None
    max_new_tokens: int | None = None
    shots: int | None = None
    adapter: str | None = None
    unpinned: bool = False
    minutes: float | None = None
    max_tokens: int | None = None
    at_once: int | None = None


class Progress(Struct):
    """How far a run is, items that were there before included."""

    task: str
    done: int
    total: int
    right: int
    tokens: int  # of this sitting, read and written
    seconds: float


class Plan(Struct, frozen=True):
    """A run that can begin: what is wrong with one is said before."""

    task: Task
    protocol: Protocol
    sampling: Sampling
    work: list[Work]
    run: Run


def plan(
    name: str, lm: LanguageModel, folder: Path, options: Options | None = None, *, hub: bool = False, judge: str = ""
) -> Plan:
    """Load a task's data and fix what will be asked. `name` may be NAME:PART. Raises ValueError for what cannot be run."""
    options = options or Options()
    name, _, part = name.partition(":")
    task = get(name)
    protocol_name, protocol = task.protocol(options.protocol)
    protocol = _changed(protocol, options)
    if not isinstance(protocol, Generate) and not hasattr(lm, "submit"):
        raise ValueError(
            f"{name}, {protocol_name}: {lm.name} is behind an endpoint, which cannot weigh given texts; take a protocol in "
            f"which the model writes, or a model on this machine"
        )
    if isinstance(protocol, Generate) and protocol.here and not hasattr(lm, "submit"):
        raise ValueError(
            f"{name}, {protocol_name}: {lm.name} is behind an endpoint for conversations, and this protocol is for models on "
            f"this machine"
        )
    if isinstance(protocol, Generate) and protocol.judge is not None and not judge:
        raise sets.Missing(f"no judge: a language model grades {name}, name one with --judge")
    split = options.split or task.split
    if split not in task.data:
        raise ValueError(f"{name} has no split {split!r}: it has {', '.join(task.data)}")
    source = task.data[split]
    made = options.limit or 0 if isinstance(source, Made) else 0
    loaded = sets.load(source, folder, hub=hub, unpinned=options.unpinned, part=part, seed=options.seed, n=made)
    there = sets.problems(task, loaded, split, part)
    chosen = there if isinstance(source, Made) else _sample(there, options.limit, options.seed)
    if not chosen:
        raise ValueError(f"{name}: {loaded.where} has no items")
    examples = _examples(task, protocol, chosen, folder, hub=hub, unpinned=options.unpinned)
    _can_be_asked(lm, task, protocol, chosen[0])
    work = [
        Work(problem, repeat, shown)
        for problem, shown in zip(chosen, examples, strict=True)
        for repeat in range(protocol.repeats)
    ]
    sampling = _sampling(protocol, lm)
    told = {"shots": protocol.shots}
    verifiers: list[str] = []
    if isinstance(protocol, Generate):
        told |= _shown_sampling(sampling)
        judged = protocol.judge is not None
        verifiers = [] if judged else sorted({protocol.verifier or p.verifier for p in chosen})
        judge = judge if judged else ""
    run = Run(
        task=task.name,
        part=part,
        task_version=task.version,
        protocol=protocol_name,
        protocol_version=protocol.version,
        protocol_words=protocol.words,
        kind=protocol.kind,  # type: ignore[arg-type]
        metric="perplexity" if protocol.kind == "perplexity" else task.metric,
        verifiers=verifiers,
        model=lm.name,
        model_details=_details(lm, options),
        judge=judge,
        sampling=told,
        repeats=protocol.repeats,
        seed=options.seed,
        limit=options.limit,
        items=len(chosen),
        data=DataUsed(split, loaded.where, loaded.sha256, loaded.pinned, len(there)),
        versions=_versions(),
        machine=_machine(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Plan(task, protocol, sampling, work, run)


def execute(
    plan: Plan,
    lm: LanguageModel,
    out: Path,
    options: Options | None = None,
    *,
    judge: LanguageModel | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Run:
    """Run a plan to its end, a budget's end or an interrupt, or go on with it; the log's folder is `out`.

    Raises ValueError where the folder holds another run or another process fills it.
    """
    options = options or Options()
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"{out}: another process is filling this log") from None
        return _execute(plan, lm, out, options, judge, progress)


def _execute(
    plan: Plan,
    lm: LanguageModel,
    out: Path,
    options: Options,
    judge: LanguageModel | None,
    progress: Callable[[Progress], None],
) -> Run:
    log = Log(out, plan.run)
    order = [(each.problem.id, each.repeat) for each in plan.work]
    left = [each for each in plan.work if (each.problem.id, each.repeat) not in log.done]
    begin = time.monotonic()
    here = Progress(plan.run.task, len(order) - len(left), len(order), sum(i.right for i in log.done.values()), 0, 0.0)
    stopped = ""

    def keep(item: Item) -> None:
        log.add(item)
        here.done += 1
        here.right += item.right
        here.tokens += item.tokens_in + item.tokens_out
        here.seconds = time.monotonic() - begin
        progress(here)

    def go_on() -> bool:
        nonlocal stopped
        if options.minutes is not None and time.monotonic() - begin > 60 * options.minutes:
            stopped = f"the budget of {options.minutes:g} minutes was used up"
        elif options.max_tokens is not None and here.tokens >= options.max_tokens:
            stopped = f"the budget of {options.max_tokens:,} tokens was used up"
        return not stopped

    try:
        _work(plan, lm, left, options, judge, keep, go_on)
    except BaseException as error:
        stopped = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        raise
    finally:
        if not stopped:
            go_on()  # the last ones may have been given up
        done = log.close(
            order, seconds=round(time.monotonic() - begin, 3), stopped=stopped if here.done < here.total else ""
        )
    return done


def _work(
    plan: Plan,
    lm: LanguageModel,
    left: Sequence[Work],
    options: Options,
    judge: LanguageModel | None,
    keep: Callable[[Item], None],
    go_on: Callable[[], bool],
) -> None:
    if not isinstance(plan.protocol, Generate):
        local = cast("LocalModel", lm)
        weigh_all(local, plan.protocol, left, keep=keep, go_on=go_on, adapter=options.adapter)
        return
    graders = Graders()
    try:
        asking = ask_all(
            lm,
            plan.protocol,
            left,
            sampling=plan.sampling,
            seed=plan.run.seed,
            graders=graders,
            keep=keep,
            go_on=go_on,
            at_once=options.at_once or (AT_ONCE if hasattr(lm, "submit") else AT_ONCE_REMOTE),
            seconds=None if options.minutes is None else 60 * options.minutes,
            adapter=options.adapter,
            judge=judge,
        )
        asyncio.run(asking)
    finally:
        graders.close()


def _changed(protocol: Protocol, options: Options) -> Protocol:
    """The protocol with what the options change of it. Its words then say so."""
    given: dict[str, Any] = {} if options.shots is None else {"shots": options.shots}
    if isinstance(protocol, Generate):
        wanted = {
            "repeats": options.repeats,
            "temperature": options.temperature,
            "max_tokens": options.max_new_tokens,
        }
        given |= {key: value for key, value in wanted.items() if value is not None}
    given = {key: value for key, value in given.items() if getattr(protocol, key) != value}
    if not given:
        return protocol
    told = ", ".join(f"{key} {value}" for key, value in given.items())
    return replace(protocol, **given, words=f"{protocol.words} Changed: {told}.")


def _can_be_asked(lm: LanguageModel, task: Task, protocol: Protocol, problem: Problem) -> None:
    """Raises ValueError where a model on this machine has no tools and they are offered, or reads less than is needed."""
    if not hasattr(lm, "submit"):
        return
    local = cast("LocalModel", lm)
    context, needed = local.network.config.context, problem.metadata.get("context", 0)
    if context < needed:
        raise ValueError(f"{task.name}: {needed:,} tokens of context are needed, and {lm.name} has {context:,}")
    if isinstance(protocol, Generate) and (tools := protocol.offered(problem)):
        try:
            local.format.render(problem.messages, tools=tools)
        except ValueError as error:
            others = [
                key for key, each in task.protocols.items() if isinstance(each, Generate) and not each.offered(problem)
            ]
            without = f"; without tools: {' or '.join(f'--protocol {key}' for key in others)}" if others else ""
            raise ValueError(f"{task.name}: {error}{without}") from None


def _sample(problems: list[Problem], limit: int | None, seed: int) -> list[Problem]:
    """`limit` of the problems, drawn by the seed, in the order of the data. A smaller limit draws some of a larger one's."""
    if limit is None or limit >= len(problems):
        return problems
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, not {limit}")
    drawn = list(range(len(problems)))
    random.Random(seed).shuffle(drawn)
    return [problems[i] for i in sorted(drawn[:limit])]


def _examples(
    task: Task, protocol: Protocol, problems: list[Problem], folder: Path, *, hub: bool, unpinned: bool
) -> list[Sequence[Problem]]:
    """The worked examples of each problem: the protocol's own, or of its subset in the task's `shots` split the first ones,
    or some that its id draws."""
    if not protocol.shots or protocol.kind == "perplexity":
        return [()] * len(problems)
    own: Sequence[Problem] = getattr(protocol, "examples", ())
    if own:
        pool = list(own)
    elif task.shots:
        loaded = sets.load(task.data[task.shots], folder, hub=hub, unpinned=unpinned)
        pool = sets.problems(task, loaded, task.shots)
    else:
        raise ValueError(f"{task.name} has no worked examples, and {protocol.shots} were asked for")
    by_subset: dict[str, list[Problem]] = {}
    for example in pool:
        by_subset.setdefault(str(example.metadata.get("subset", "")), []).append(example)
    found: list[Sequence[Problem]] = []
    for problem in problems:
        mine = pool if own else by_subset.get(str(problem.metadata.get("subset", "")), pool)
        if getattr(protocol, "drawn", False):  # one more, since the problem may be among them
            mine = random.Random(problem.id).sample(mine, min(protocol.shots + 1, len(mine)))
        shown = list(islice((each for each in mine if each.messages != problem.messages), protocol.shots))
        if len(shown) < protocol.shots:
            raise ValueError(f"{problem.id}: {protocol.shots} worked examples were asked for, there are {len(shown)}")
        found.append(shown)
    return found


def _sampling(protocol: Protocol, lm: LanguageModel) -> Sampling:
    if not isinstance(protocol, Generate):
        return Sampling()
    wanted = {
        "temperature": protocol.temperature,
        "top_p": protocol.top_p,
        "top_k": protocol.top_k,
        "max_tokens": protocol.max_tokens,
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    # A protocol that fixes the temperature fixes the distribution: the model's own filters are left out, not mixed in.
    base = lm.defaults if protocol.temperature is None else Sampling()
    return replace(base, **given, stop=(*base.stop, *protocol.stop))


def _shown_sampling(sampling: Sampling) -> dict[str, Any]:
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens")
    return {name: getattr(sampling, name) for name in names} | {"stop": list(sampling.stop)}


def _details(lm: LanguageModel, options: Options) -> dict[str, Any]:
    """What is known of the model: its kind, dtype and adapter, or its endpoint."""
    found: dict[str, Any] = {"url": url} if (url := getattr(lm, "url", "")) else {}
    network = getattr(lm, "network", None)
    if network is not None:
        config = network.config
        scheme = import_module("phiforge.model.quantized").scheme_of(network)
        kinds = sorted({str(p.dtype).removeprefix("torch.") for p in network.parameters()})
        if scheme is not None:
            kinds = [scheme.kind, *([f"{scheme.head} head"] if scheme.head != scheme.kind else [])]
        found |= {"architecture": config.architecture, "parameters": config.parameter_count, "dtype": ", ".join(kinds)}
        found["context"] = config.context
    if options.adapter:
        found["adapter"] = options.adapter
    return found


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("phiforge", "torch", "tokenizers"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    with suppress(OSError, subprocess.SubprocessError):
        here = Path(__file__).parent
        command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        if told.returncode == 0:
            found["git"] = told.stdout.strip()
    return found


def _machine() -> str:
    m = machine()
    return f"{m.cpu}, {m.allowed_cores} cores, {m.memory_total >> 30} GB, {m.system}"
