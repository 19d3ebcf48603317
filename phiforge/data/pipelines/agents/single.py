"""One call: a request that states its arguments, the one tool that fits among others, and what is optional left alone.

`make` says a call in words; `solve` reads the request with the patterns of every tool on offer and keeps the one it fits.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._scene import (
    BY_NAME,
    arguments,
    around,
    called,
    choosing,
    complete,
    distractors,
    left_out,
    remark,
    scene,
)
from phiforge.data.pipelines.agents._toolbox import answer, ask, offered
from phiforge.records import Message


def make(draw: Draw, level: int, functions: bool = False) -> Draft:
    where = scene(draw, functions=functions)
    tool = draw.pick(where.box)
    args = tool.draw(draw, where.today, optional=draw.between((0, 0, 1, 1, 2)[level - 1], (0, 1, 2, 3, 4)[level - 1]))
    request = ask(draw, tool, args, where.today)
    tools = distractors(
        draw, where, [tool], draw.between(*((1, 3), (3, 5), (5, 8), (8, 12), (12, 18))[level - 1]), near=0.1 * level
    )
    said = around(draw, request.text, level)
    steps = [
        choosing(draw, tool, tools),
        *arguments(draw, tool, args, request, where.today),
        *left_out(draw, tool, args),
    ]
    definitions = [each.definition for each in tools]
    return Draft(
        question=said,
        system=where.system,
        tools=definitions,
        answer=answer([(tool, args)]),
        facts={"request": said, "tools": [each.name for each in tools], "today": where.day},
        template=request.template,
        steps=steps,
        given=draw.pick(
            (f"The request: {request.text}", f"The user wants me to {tool.does}.", f"I am asked to {tool.does}.")
        ),
        check=complete(draw, tool, args),
        response=Message("assistant", remark(draw), tool_calls=[called(tool, args)]),
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )


def solve(facts: dict[str, Any]) -> str:
    """The one tool whose patterns fit the request, with what they find."""
    tools = [BY_NAME[name] for name in facts["tools"]]
    found = list(offered(facts["request"], tools, date.fromisoformat(facts["today"])))
    return answer(found)


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 1 to 18 tools on offer, up to 4 optional arguments, more tools of the same domain",
    verifier="schema",
)
