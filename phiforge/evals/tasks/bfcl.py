"""BFCL: one function call to make, or none, among functions on offer (Berkeley Function-Calling Leaderboard v4, single turn)."""

import json
from typing import Any

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Task
from phiforge.evals.tasks import _prompts
from phiforge.records import Message, Problem

GET = "Apache-2.0, from https://github.com/ShishirPatil/gorilla (bfcl_eval/data), or the package bfcl-eval"
_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}


def item(row: Row, index: int) -> Problem:
    """`ground_truth` are calls {name: {parameter: right values}}, of a file beside; irrelevance has none."""
    functions = [
        each | {"description": each["description"] + " Note that the provided function is in Python 3 syntax."}
        for each in row["function"]
    ]
    right = [{"name": name, "accept": values} for call in row.get("ground_truth", ()) for name, values in call.items()]
    tools = [offered(each) | {"name": each["name"].replace(".", "_")} for each in functions]
    subset = row["_file"].removeprefix("BFCL_v4_")
    if not right and subset != "irrelevance":
        raise ValueError(f"{row['id']} has no right call: its file is missing in bfcl/possible_answer; {GET}")
    return Problem(
        id=row["id"],
        messages=[Message(each["role"], each["content"]) for each in row["question"][0]],
        answer=json.dumps(right),
        verifier="calls",
        verifier_args={"functions": functions},
        metadata={"subset": subset, "tools": tools},
    )


def offered(described: Any) -> Any:
    """A description in JSON Schema's types. (Functions are offered without dots in their names, which tool formats forbid.)"""
    if isinstance(described, list):
        return [offered(each) for each in described]
    if not isinstance(described, dict):
        return described
    kind = described.get("type")
    own = {"type": _TYPES.get(kind, kind)} if isinstance(kind, str) else {}
    return {key: offered(each) for key, each in described.items()} | own


def prompted(problem: Problem) -> str:
    return _prompts.BFCL.format(functions=json.dumps(problem.verifier_args["functions"], indent=4))


TASK = Task(
    data={
        "test": Files(folder="bfcl", files="BFCL_v4_*.json", more="possible_answer/*.json", key="id", get=GET,
                      sha256="a669cebd9e76e5796667c325595cf05cf1a12b71306f05a0ce1339686a2f9feb"),
    },
    item=item,
    protocols={
        "tools": Generate(
            words="The functions as tools in the model's own format; greedy; the call by BFCL's AST rules.", max_tokens=1024
        ),
        "grammar": Generate(
            words="As tools, with calls held to the functions' schemas as they are written, and thoughts to 512 tokens.",
            version=2, grammar="allowed", think_limit=512, max_tokens=1024,
        ),
        "required": Generate(
            words='As grammar, and one call must be made (tool_choice = "required" in OpenAI\'s API): not for irrelevance.',
            grammar="required", think_limit=512, max_tokens=1024,
        ),
        "prompt": Generate(
            words="BFCL's prompt mode: functions in the system message, the call as Python or JSON; greedy; AST rules.",
            intro=prompted, tools=False, max_tokens=1024,
        ),
    },
)  # fmt: skip
