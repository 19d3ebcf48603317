"""A log in other tools' formats: an inspect-ai log, or lm-evaluation-harness' results with its samples.

    phiforge eval export RUN --format inspect --out FILE.json     opens in `inspect view`, loads with its read_eval_log
    phiforge eval export RUN --format lm-eval --out FILE.json     with samples_TASK_DATE.jsonl beside it, as --log_samples writes

What their formats have no place for (outcomes, verifiers, checksums of data) goes to their metadata.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from phiforge.evals.log import Item, Run, read_items, read_run
from phiforge.evals.stats import Estimate
from phiforge.evals.summary import by_item, estimate, mean_of, summarise

Json = dict[str, Any]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TURN = re.compile(r"^<\|(system|user|assistant|tool)\|>\n", re.M)
_STOPS = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls"}  # inspect-ai's words for ours


def export(folder: str | Path, form: str, out: str | Path) -> list[Path]:
    """Write the log in `folder` as `form` ("inspect" or "lm-eval") to the file `out`. Returns the files that were written.

    Raises ValueError for another form, for a folder that holds no log, and for a run without items.
    """
    if form not in FORMS:
        raise ValueError(f"no format is called {form!r}: it is {' or '.join(FORMS)}")
    run, items, out = read_run(folder), read_items(folder), Path(out)
    if not items:
        raise ValueError(f"{folder}: the run has no items yet")
    out.parent.mkdir(parents=True, exist_ok=True)
    return FORMS[form](run, items, Path(folder), out)


# --- inspect-ai, log format 2


def _inspect(run: Run, items: list[Item], folder: Path, out: Path) -> list[Path]:
    summary = summarise(folder)
    scorer = "+".join(run.verifiers) or ("model_graded" if run.judge else run.kind)
    value, done = summary.value, len({item.id for item in items})
    metrics = {"accuracy": value.value} | ({} if math.isnan(value.se) else {"stderr": value.se})
    if run.metric != "right":
        metrics = {run.metric if name == "accuracy" else name: figure for name, figure in metrics.items()}
    sampling = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_tokens"}
    config = {theirs: run.sampling[ours] for ours, theirs in sampling.items() if run.sampling.get(ours) is not None}
    usage = {run.model: _usage(sum(i.tokens_in for i in items), sum(i.tokens_out for i in items))}
    log = {
        "version": 2,
        "status": "success" if run.finished else "cancelled",
        "eval": {
            "eval_id": _id(run, "eval"),
            "run_id": _id(run, "run"),
            "created": run.created,
            "task": _name(run),
            "task_id": _id(run, "task"),
            "task_version": run.task_version,
            "task_args": {"protocol": run.protocol, "shots": run.sampling.get("shots", 0)},
            "dataset": {
                "name": run.task,
                "location": run.data.where,
                "samples": run.items,
                "sample_ids": list(by_item(items)),
                "shuffled": False,
            },
            "model": run.model,
            "model_args": run.model_details,
            "model_generate_config": config | {"seed": run.seed},
            "config": {"limit": run.limit, "epochs": run.repeats},
            "packages": run.versions,
            "metadata": _told(run),
        },
        "plan": {"name": "plan", "steps": [{"solver": run.protocol, "params": {"words": run.protocol_words}}], "config": config},
        "results": {
            "total_samples": run.items * run.repeats,
            "completed_samples": len(items),
            "scores": [
                {
                    "name": scorer,
                    "scorer": scorer,
                    "scored_samples": done,
                    "unscored_samples": run.items - done,
                    "params": {},
                    "metrics": {name: {"name": name, "value": figure, "params": {}} for name, figure in metrics.items()},
                }
            ],
        },
        "stats": {"started_at": run.created, "completed_at": run.created, "model_usage": usage},
        "samples": [_sample(run, item, scorer) for item in items],
    }  # fmt: skip
    out.write_bytes(msgspec.json.format(msgspec.json.encode(log)))
    return [out]


def _sample(run: Run, item: Item, scorer: str) -> Json:
    asked = turns(item.prompt)
    content: Any = item.response
    if item.thought:
        content = [{"type": "reasoning", "reasoning": item.thought}, {"type": "text", "text": item.response}]
    answer = {"role": "assistant", "content": content, "source": "generate", "model": run.model}
    marks = {"right": "C" if item.right else "I"}
    score = {
        "value": marks.get(run.metric, item.score),
        "answer": item.extracted,
        "explanation": item.reason,
        "metadata": {"outcome": item.outcome, "score": item.score, **item.measures},
    }
    usage = _usage(item.tokens_in, item.tokens_out, item.thought_tokens)
    return {
        "id": item.id,
        "epoch": item.repeat + 1,
        "input": asked,
        "choices": [each.text for each in item.choices] or None,
        "target": item.gold,
        "messages": [*asked, answer],
        "output": {
            "model": run.model,
            "choices": [{"message": answer, "stop_reason": _STOPS.get(item.finish, "unknown")}],
            "completion": item.response,
            "usage": usage,
            "time": item.seconds,
        },
        "scores": {scorer: score},
        "metadata": {"subset": item.subset, "cluster": item.cluster, "choices": msgspec.to_builtins(item.choices)},
        "model_usage": {run.model: usage},
        "total_time": item.seconds,
        "uuid": _id(run, f"{item.id}/{item.repeat}"),
    }


def turns(prompt: str) -> list[Json]:
    """The messages of a logged prompt; a text without roles is one user message."""
    parts = _TURN.split(prompt)
    if parts[0] or len(parts) < 3:
        return [{"role": "user", "content": prompt}]
    texts = [*(text.removesuffix("\n") for text in parts[2:-1:2]), parts[-1]]
    return [{"role": role, "content": text} for role, text in zip(parts[1::2], texts, strict=True)]


def _usage(read: int, written: int, thought: int | None = None) -> Json:
    usage: Json = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    return usage if thought is None else usage | {"reasoning_tokens": thought}


# --- lm-evaluation-harness


def _lm_eval(run: Run, items: list[Item], folder: Path, out: Path) -> list[Path]:
    name, figures = _name(run), _metrics(run, items)
    results: Json = {"alias": name}
    for metric, (of, value) in figures.items():
        results[f"{metric},none"] = value.value
        # Ratios over all items, as perplexities are, have no standard error there.
        results[f"{metric}_stderr,none"] = "N/A" if of is None or math.isnan(value.se) else value.se
    shots = int(run.sampling.get("shots", 0))
    output = {"generate": "generate_until", "choice": "multiple_choice", "perplexity": "loglikelihood_rolling"}
    better = {metric: "perplexity" not in metric and "bits" not in metric for metric in figures}
    rows = by_item(items)
    date = run.created.replace(":", "-")
    found = {
        "results": {name: results},
        "group_subtasks": {name: []},
        "configs": {
            name: {
                "task": name,
                "test_split": run.data.split,
                "output_type": output[run.kind],
                "num_fewshot": shots,
                "repeats": run.repeats,
                "generation_kwargs": {
                    "until": run.sampling.get("stop", []),
                    "do_sample": bool(run.sampling.get("temperature")),
                    "temperature": run.sampling.get("temperature"),
                    "max_gen_toks": run.sampling.get("max_tokens"),
                },
                "metric_list": [{"metric": metric, "higher_is_better": up} for metric, up in better.items()],
                "metadata": {"version": run.task_version, **_told(run)},
            }
        },
        "versions": {name: run.task_version},
        "n-shot": {name: shots},
        "higher_is_better": {name: better},
        "n-samples": {name: {"original": run.data.items, "effective": len(rows)}},
        "config": {
            "model": "phiforge",
            "model_args": {"pretrained": run.model, **run.model_details},
            "limit": run.limit,
            "random_seed": run.seed,
        },
        "date": date,
        "model_name": run.model,
        "model_source": "phiforge",
        "total_evaluation_time_seconds": str(run.seconds),
    }
    samples = out.with_name(f"samples_{name}_{date}.jsonl")
    out.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    lines = [_lm_eval_sample(number, answers, figures) for number, answers in enumerate(rows.values())]
    samples.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return [out, samples]


Figures = dict[str, tuple[Callable[[Item], float] | None, Estimate]]


def _metrics(run: Run, items: list[Item]) -> Figures:
    """Metrics by lm-eval's names: what each is of an item (None: only of all), and of the run."""
    if run.kind == "perplexity":
        bits = estimate(run, items)
        nats = -sum(item.measures.get("logprob", 0.0) for item in items)
        byte, word = (nats / sum(item.measures.get(each, 0.0) for item in items) for each in ("bytes", "words"))
        alone = msgspec.structs.replace
        return {
            "word_perplexity": (None, alone(bits, value=math.exp(word))),
            "byte_perplexity": (None, alone(bits, value=math.exp(byte))),
            "bits_per_byte": (None, bits),
        }
    if run.kind == "choice":
        of: dict[str, Callable[[Item], float]] = {"acc": _likeliest(False), "acc_norm": _likeliest(True)}
    elif run.metric == "right":
        of = {"exact_match": lambda item: float(item.right)}
    else:
        of = {run.metric: lambda item: item.score}
        if run.metric == "f1":
            return {"f1": (of["f1"], estimate(run, items))}
    return {name: (each, mean_of(items, [each(item) for item in items])) for name, each in of.items()}


def _likeliest(by_length: bool) -> Callable[[Item], float]:
    def right(item: Item) -> float:
        if not item.choices:  # it was too long to be weighed
            return 0.0
        values = [w.logprob / (max(1, len(w.text.removeprefix(" "))) if by_length else 1) for w in item.choices]
        return float(LETTERS[values.index(max(values))] == item.gold.strip().upper())

    return right


def _lm_eval_sample(number: int, answers: list[Item], figures: Figures) -> Json:
    """An item as --log_samples has it, where every leaf of `resps` is text; repeats are the answers to one request."""
    first = answers[0]
    doc = {"id": first.id, "subset": first.subset, "gold": first.gold}
    if first.choices:
        arguments = [[first.prompt, each.text] for each in first.choices]
        responses = [[[str(each.logprob), str(each.greedy)]] for each in first.choices]
        target = str(LETTERS.find(first.gold.strip().upper()))
    else:
        arguments, target = [[first.prompt]], first.gold
        said = [str(i.measures["logprob"]) if "logprob" in i.measures else i.response for i in answers]
        responses = [said]
    metrics = {name: sum(map(of, answers)) / len(answers) for name, (of, _) in figures.items() if of is not None}
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {
            f"gen_args_{i}": {f"arg_{j}": a for j, a in enumerate(each)} for i, each in enumerate(arguments)
        },
        "resps": responses,
        "filtered_resps": [each[0] for each in responses],
        "filter": "none",
        "metrics": list(metrics),
        "doc_hash": _sha(msgspec.json.encode(doc).decode()),
        "prompt_hash": _sha(first.prompt),
        "target_hash": _sha(target),
        **metrics,
    }


# --- both


def _name(run: Run) -> str:
    return f"{run.task}_{run.part}" if run.part else run.task


def _told(run: Run) -> Json:
    """What neither format has a place for."""
    return {
        "protocol": run.protocol,
        "protocol_version": run.protocol_version,
        "protocol_words": run.protocol_words,
        "verifiers": run.verifiers,
        "judge": run.judge,
        "data": msgspec.to_builtins(run.data),
        "machine": run.machine,
        "stopped": run.stopped,
    }


def _id(run: Run, what: str) -> str:
    """An id that is the same for the same run."""
    return _sha("/".join((run.task, run.part, run.protocol, run.model, run.created, what)))[:22]


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


FORMS: dict[str, Callable[[Run, list[Item], Path, Path], list[Path]]] = {"inspect": _inspect, "lm-eval": _lm_eval}
