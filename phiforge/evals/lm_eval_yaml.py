"""Task files of lm-evaluation-harness, read as tasks: `phiforge eval path/to/task.yaml`.

Plain tasks only: output_type generate_until (exact_match), multiple_choice (acc, acc_norm) and loglikelihood (acc), with
templates in jinja, few-shot examples from a split or written in the file, filters of `phiforge.verify.exact_match`. Whatever
else a file asks for - code by `!function`, another metric or filter, a field that is not known - is refused by its name, so
that no figure comes from half a task. Fields follow lm_eval/config/task.py of lm-eval 0.4.13.

Templates run in jinja's sandbox. Files named in `data_files` are looked for beside the task file, then in the working folder.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from phiforge.evals.protocol import Choice, Generate, Protocol, options, question
from phiforge.evals.task import Files, Row, Task
from phiforge.records import Message, Problem
from phiforge.verify import exact_match

Json = dict[str, Any]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
METRICS = {"generate_until": ("exact_match",), "multiple_choice": ("acc", "acc_norm"), "loglikelihood": ("acc",)}
FIELDS = {
    "task", "task_alias", "tag", "include", "dataset_path", "dataset_name", "dataset_kwargs", "training_split",
    "validation_split", "test_split", "fewshot_split", "fewshot_config", "num_fewshot", "description", "doc_to_text",
    "doc_to_target", "doc_to_choice", "target_delimiter", "fewshot_delimiter", "output_type", "generation_kwargs", "filter_list",
    "metric_list", "repeats", "metadata", "should_decontaminate", "doc_to_decontamination_query",
}  # fmt: skip
GENERATION = {"until", "do_sample", "temperature", "top_p", "top_k", "max_gen_toks"}
MAX_GEN_TOKS = 256  # lm-eval's default
FORMATS = ("json", "csv", "parquet", "text")  # of `datasets`, for files

_jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
_jinja.filters["regex_replace"] = lambda text, pattern, new, count=0: re.sub(pattern, new, text, count=count)


def read(path: str | Path) -> Task:
    """The task of a file. Raises ValueError, with the file's name and the field's, for one that is not there or not plain."""
    path = Path(path)
    try:
        return _task(_Config(_load(path)), path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


# --- the file


def _load(path: Path) -> Json:
    yaml: Any = import_module("yaml")

    class Loader(yaml.SafeLoader):
        pass

    def refuse(loader: Any, suffix: str, node: Any) -> None:
        written = f"!{suffix} {node.value}" if isinstance(node.value, str) else f"!{suffix}"
        raise ValueError(f"{written}: code is not run here, plain templates only")

    Loader.add_multi_constructor("!", refuse)
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except OSError as error:
        raise ValueError(error.strerror) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"not YAML: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("not a task: expected fields by name")
    if include := found.pop("include", None):
        found = _load(path.parent / str(include)) | found
    return found


class _Config:
    """The fields of a file, with lm-eval's defaults; `get` of one that is wrong raises ValueError."""

    def __init__(self, fields: Json) -> None:
        if "group" in fields or isinstance(fields.get("task"), list):
            raise ValueError("a group of tasks; name their files one by one")
        if unknown := [name for name, value in fields.items() if name not in FIELDS and value is not None]:
            raise ValueError(f"{', '.join(map(str, unknown))}: not known here")
        self.fields = fields
        self.output = str(fields.get("output_type", "generate_until"))
        if self.output not in METRICS:
            raise ValueError(f"output_type {self.output!r} is none of {', '.join(METRICS)}")
        self.target_delimiter = str(fields.get("target_delimiter", " "))
        self.between = str(fields.get("fewshot_delimiter", "\n\n"))
        self.shots = int(fields.get("num_fewshot") or 0)
        self.test = fields.get("test_split") or fields.get("validation_split")
        if not self.test:
            raise ValueError("neither test_split nor validation_split is given")
        if int(fields.get("repeats") or 1) != 1:
            raise ValueError(f"repeats {fields['repeats']}: one answer an item; ask for more with --repeats")
        for name in ("doc_to_text", "doc_to_target"):
            if not isinstance(fields.get(name), str | (int if name == "doc_to_target" else str)):
                raise ValueError(f"{name} {fields.get(name)!r}: expected a template or a column's name")
        if self.output == "multiple_choice" and not fields.get("doc_to_choice"):
            raise ValueError("doc_to_choice is not given")
        if self.output != "multiple_choice" and fields.get("doc_to_choice"):
            raise ValueError(f"doc_to_choice: not known for output_type {self.output}")

    def rows(self, name: str, kind: type, default: Any) -> Any:
        found = self.fields.get(name)
        if found is not None and not isinstance(found, kind):
            raise ValueError(f"{name}: expected a {kind.__name__}, not {found!r}")
        return default if found is None else found

    def metrics(self) -> list[Json]:
        """The metrics asked for, each known."""
        known = METRICS[self.output]
        found: list[Json] = self.rows("metric_list", list, [{"metric": name} for name in known])
        for each in found:
            if each.get("metric") not in known:
                raise ValueError(f"metric {each.get('metric')!r} is none of {', '.join(known)} ({self.output})")
            more = each.keys() - {"metric", "aggregation", "higher_is_better", "regexes_to_ignore", *exact_match.FLAGS}
            if more or each.get("aggregation", "mean") != "mean" or not each.get("higher_is_better", True):
                raise ValueError(
                    f"metric {each['metric']}: {', '.join(sorted(more)) or 'its aggregation'} is not known here"
                )
        return found

    def filters(self) -> dict[str, list[Json]]:
        """Filters by name, each step known; none where the answer counts as it is."""
        found: dict[str, list[Json]] = {}
        for each in self.rows("filter_list", list, []):
            steps = each.get("filter") or []
            for step in steps:
                exact_match.check(step)
            found[str(each.get("name", "none"))] = [dict(step) for step in steps]
        if found and self.output != "generate_until":
            raise ValueError(f"filter_list: not known for output_type {self.output}")
        return found

    def generation(self) -> Json:
        """What `Generate` takes of generation_kwargs."""
        given: Json = self.rows("generation_kwargs", dict, {})
        if unknown := given.keys() - GENERATION:
            raise ValueError(f"generation_kwargs: {', '.join(sorted(unknown))} not known here")
        until = given.get("until") or [self.between]
        sampled = given.get("do_sample", False)
        found: Json = {"stop": tuple([until] if isinstance(until, str) else until)}
        found["max_tokens"] = int(given.get("max_gen_toks", MAX_GEN_TOKS))
        found["temperature"] = float(given.get("temperature", 1.0)) if sampled else 0.0
        return found | {name: given[name] for name in ("top_p", "top_k") if sampled and name in given}

    def fewshot(self) -> tuple[str, bool, list[Row]]:
        """The split of worked examples, whether the first ones are taken, and those that stand in the file."""
        config: Json = self.rows("fewshot_config", dict, {})
        if unknown := config.keys() - {"sampler", "samples", "split"}:
            raise ValueError(f"fewshot_config: {', '.join(sorted(unknown))} not known here")
        sampler, samples = config.get("sampler", "default"), config.get("samples") or []
        if sampler not in ("default", "first_n"):
            raise ValueError(f"fewshot_config: sampler {sampler!r} is neither default nor first_n")
        if not isinstance(samples, list) or (samples and sampler != "first_n"):
            raise ValueError("fewshot_config: samples are a list of rows, and need sampler first_n")
        names = ("fewshot_split", "training_split", "validation_split")
        split = config.get("split") or next((self.fields[n] for n in names if self.fields.get(n)), self.test)
        return str(split), sampler == "first_n", samples


# --- data


def _data(config: _Config, here: Path) -> dict[str, Files]:
    """The measured split first, then the one with worked examples."""
    path, kwargs = config.fields.get("dataset_path"), config.rows("dataset_kwargs", dict, {})
    if not path:
        raise ValueError("dataset_path is not given")
    splits: list[str] = [str(config.test)]
    if config.shots and config.fewshot()[0] not in splits:
        splits.append(config.fewshot()[0])
    files = kwargs.get("data_files")
    if unknown := kwargs.keys() - {"data_files"}:
        raise ValueError(f"dataset_kwargs: {', '.join(sorted(unknown))} not known here")
    if path not in FORMATS:
        if files:
            raise ValueError(f"dataset_path {path!r}: data_files go with {', '.join(FORMATS)}")
        name = config.fields.get("dataset_name") or ""
        return {split: Files(hub=str(path), config=str(name), split=split) for split in splits}
    by_split: Mapping[str, Any] = files if isinstance(files, Mapping) else {"train": files}
    found: dict[str, Files] = {}
    for split in splits:
        file = by_split.get(split)
        if not isinstance(file, str):
            raise ValueError(f"dataset_kwargs: data_files name no single file of split {split!r}")
        place = here / file if (here / file).exists() else Path(file)
        found[split] = Files(folder=str(place.parent.resolve()), files=place.name, get="named by the task file")
    return found


# --- the task


def _task(config: _Config, path: Path) -> Task:
    from phiforge.evals import task as registry

    name = str(config.fields.get("task") or path.stem)
    item = _item(config, name)
    split, first, samples = config.fewshot()
    task = Task(
        data=_data(config, path.parent),
        item=item,
        shots=split if config.shots and not samples else "",
        protocols=_protocols(config, [item(row, i) for i, row in enumerate(samples)], first),
        version=_version(config),
    )
    task.name = f"lm-eval-{name}" if name in registry.names() else name
    task.summary = f"lm-eval's task {name}, of {path}"
    return task


def _version(config: _Config) -> int:
    try:
        return int(float(config.rows("metadata", dict, {}).get("version", 1)))
    except (TypeError, ValueError):
        return 1


def _protocols(config: _Config, samples: list[Problem], first: bool) -> dict[str, Protocol]:
    """One for each metric of choices, by its name; one to write by."""
    shown = "" if first or not config.shots else " Examples are drawn by the item's id, not by lm-eval's generator."
    words = f"lm-eval's {config.output}, {config.shots}-shot.{shown}"
    common: Json = {"shots": config.shots, "examples": tuple(samples), "between": config.between, "drawn": not first,
                    "intro": _intro, "prompt": question, "worked": _worked}  # fmt: skip
    if config.output == "generate_until":
        config.metrics()
        return {"exact_match": Generate(words=words, chat=False, **common, **config.generation())}
    pers = {"acc": "sum", "acc_norm": "char"}
    greedy = config.output == "loglikelihood"

    def choices(problem: Problem) -> list[str]:
        return [config.target_delimiter + text for text in options(problem)]

    return {
        each["metric"]: Choice(
            words=f"{words[:-1] if not shown else words} {each['metric']}.", choices=choices, per=pers[each["metric"]],  # type: ignore[arg-type]
            greedy=greedy, **common,
        )
        for each in config.metrics()
    }  # fmt: skip


def _intro(problem: Problem) -> str:
    return problem.metadata["intro"]


def _worked(problem: Problem) -> str:
    return problem.metadata["worked"]


def _item(config: _Config, name: str) -> Callable[[Row, int], Problem]:
    fields, ignored = config.fields, {}
    if config.output == "generate_until":
        metric = config.metrics()[0]
        ignored = {key: metric[key] for key in ("regexes_to_ignore", *exact_match.FLAGS) if metric.get(key)}
    filters = config.filters()

    def item(row: Row, index: int) -> Problem:
        row = {key: value for key, value in row.items() if key != "_file"}
        where = f"{name}, row {index}"
        text = _rendered(fields["doc_to_text"], row, where)
        if not isinstance(text, str) or (config.output == "multiple_choice" and text.isdigit()):
            raise ValueError(
                f"{where}: doc_to_text gives {text!r}; a question that is the number of a choice is not known here"
            )
        target = _target(fields["doc_to_target"], row, where, choices=config.output == "multiple_choice")
        args: Json
        if config.output == "generate_until":
            targets = [str(each) for each in target] if isinstance(target, list) else [str(target)]
            answer, verifier, shown = targets[0], "exact_match", targets[0]
            args = {"targets": targets, "filters": filters} | ignored if filters else {"targets": targets} | ignored
        else:
            texts = (
                [str(target)] if config.output == "loglikelihood" else _choices(fields["doc_to_choice"], row, where)
            )
            at = 0 if config.output == "loglikelihood" else _index(target, texts, where)
            answer, verifier, args, shown = LETTERS[at], "choice", {"options": texts}, texts[at]
        intro = _rendered(fields.get("description") or "", row, where)
        metadata = {"intro": intro, "worked": f"{text}{config.target_delimiter}{shown}", "solution": shown}
        return Problem("", [Message("user", text)], answer, verifier, args, metadata)

    return item


def _rendered(template: str, row: Row, where: str) -> Any:
    """A column as it is, where the template is its name; else the template's text."""
    if template in row:
        return row[template]
    try:
        return _jinja.from_string(template).render(**row)
    except TemplateError as error:
        raise ValueError(f"{where}: template {template!r}: {error}") from None


def _target(template: str | int, row: Row, where: str, *, choices: bool) -> Any:
    """Text, the number of a choice, or a list of texts."""
    if isinstance(template, int):
        return template
    found = _rendered(template, row, where)
    if template in row or not isinstance(found, str):
        return found
    if choices and found.isdigit():
        return int(found)
    if len(found) >= 2 and found[0] == "[" and found[-1] == "]":
        return _literal(found)
    return found


def _choices(template: Any, row: Row, where: str) -> list[str]:
    if isinstance(template, Mapping):
        found: Any = list(template.values())
    elif isinstance(template, list):
        found = template
    else:
        found = _rendered(template, row, where)
        found = _literal(found) if isinstance(found, str) else found
    if not isinstance(found, list) or not 1 <= len(found) <= len(LETTERS):
        raise ValueError(f"{where}: doc_to_choice gives {found!r}, not 1 to {len(LETTERS)} texts")
    return [str(text) for text in found]


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text


def _index(target: Any, texts: list[str], where: str) -> int:
    at = texts.index(target) if isinstance(target, str) and target in texts else target
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(texts):
        raise ValueError(f"{where}: doc_to_target gives {target!r}, which is none of the {len(texts)} choices")
    return at
