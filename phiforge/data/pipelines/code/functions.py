"""Small functions to write: a specification and examples, answered by code that passes tests.

The specification is composed of operations on lists, texts, dictionaries and records, or describes a well-known function.
`make` lets an interpreter of the operations say what the tests expect; `solve` and the verifier run the printed code.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.code._reply import fenced, plan, proven, small, traced
from phiforge.data.pipelines.code._small import Small, shown

# With the signature and a docstring, examples in it.
_STUBS = (
    "Complete this function.\n\n{stub}",
    "Fill in the body of the function below so that it does what its docstring says.\n\n{stub}",
    "{stub}\n\nWrite the body. Return the whole function in a Python code block.",
    "Here is a function with its docstring, but without a body. Please implement it.\n\n{stub}",
    "I have written the signature and the docstring; could you do the rest?\n\n{stub}",
    "Implement `{name}`:\n\n{stub}",
    "The tests for this function exist already, the function does not. Write it.\n\n{stub}",
    "Please finish the following Python code.\n\n{stub}\n\nUse nothing but the standard library.",
    "A colleague left this unfinished:\n\n{stub}\n\nFinish it.",
    "Turn this docstring into working code.\n\n{stub}",
    "Give me an implementation of the function that is specified here.\n\n{stub}\n\nPay attention to the special cases.",
    "Python task. Replace the missing body.\n\n{stub}",
)
# In prose, with examples after it.
_PROSE = (
    "Write a Python function `{name}({arguments})`. {spec}{note}\n\n{examples}",
    "I need a function in Python called `{name}` that takes {arguments}. {spec}{note}\n\nFor example:\n\n{examples}",
    "{spec}{note} Put this into a Python function named `{name}` with the signature\n\n{signature}\n\nSome results it should give:\n\n{examples}",
    "Define `{name}({arguments})` in Python. What it has to do: {lower}{note}\n\nThese should hold:\n\n{examples}",
    "Task: {lower}{note}\n\nWrite it as the Python function `{name}({arguments})`. Examples:\n\n{examples}",
    "Could you write me a small Python function? {spec}{note} It should be called `{name}` and take {arguments}.\n\n{examples}",
    "For a script of mine I am missing this function:\n\n{signature}\n\n{spec}{note}\n\nIf it is right, then\n\n{examples}",
    "Programming exercise: {lower}{note} The function is to be called `{name}`, its parameters are {arguments}.\n\nCheck it with:\n\n{examples}",
    "Write code for the following. {spec}{note}\n\nFunction name: {name}\nParameters: {arguments}\n\n{examples}",
    "In one Python function, `{name}({arguments})`, do this: {lower}{note}\n\nExpected:\n\n{examples}",
    "Please code this in Python 3.\n\n- name: `{name}`\n- parameters: {arguments}\n- behaviour: {lower}{note}\n- examples:\n\n{examples}",
    "How would you write `{name}({arguments})` in Python, if it has to do the following? {spec}{note}\n\n{examples}",
)
_SAYS = (
    "Here is the function.", "This does it.", "The complete function:", "Written out:", "The code:", "Put together:",
    "The function, special cases included:", "Here is an implementation.",
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    function = small(draw, level)
    form = draw.between(0, len(_STUBS) + len(_PROSE) - 1)
    examples = function.examples(draw, draw.between(2, 3))
    question = (
        _STUBS[form].format(stub=_block(function.stub(examples)), name=function.name)
        if form < len(_STUBS)
        else _prose(function, _PROSE[form - len(_STUBS)], examples)
    )
    program = function.program()
    return Draft(
        question=question,
        answer=fenced(program),
        facts={"code": program, "tests": function.tests},
        template=f"form {form}",
        steps=plan(function),
        says=draw.pick(_SAYS),
        given=f"I am to write `{function.name}`. {function.spec} {function.note}".strip(),
        check=traced(function, draw),
        verifier="code",
        verifier_args={"entry_point": function.name, "tests": function.tests},
    )


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


def _prose(function: Small, form: str, examples: list[Any]) -> str:
    calls = [f"{function.call(case)} → {shown(case[1])}" for case in examples]
    opened = function.signature.index("(")
    arguments = function.signature[opened + 1 : function.signature.rindex(") ->")]
    return form.format(
        name=function.name,
        arguments=arguments,
        signature=_block(f"{function.signature}\n    ..."),
        spec=function.spec,
        lower=function.spec[0].lower() + function.spec[1:],
        note=f" {function.note}" if function.note else "",
        examples=_block("\n".join(calls).replace(" → ", "  # "))
        if "→" not in form and len(calls) > 2
        else "\n".join(f"`{call}`" for call in calls),
    )


solve = proven

PIPELINE = Solver(
    make,
    solve,
    knobs="level: one to four operations, or a well-known function from leap years to subsequences",
    verifier="code",
)
