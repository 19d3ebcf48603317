"""Requests that no tool on offer fits: say so or answer directly, and call nothing; among them some that a tool does fit.

`make` takes the fitting tool away, or asks what needs none; `solve` tries the patterns of every tool that is left, and works
out by its own code what can be answered directly.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._direct import DIRECT, answered
from phiforge.data.pipelines.agents._scene import (
    BY_NAME,
    Scene,
    arguments,
    around,
    called,
    choosing,
    complete,
    distractors,
    remark,
    scene,
)
from phiforge.data.pipelines.agents._toolbox import Tool, answer, ask, offered
from phiforge.data.words import listed
from phiforge.records import Message

_ALIKE = (
    ("set_alarm", "create_reminder", "set_medicine_reminder", "set_timer", "create_event"),
    ("create_note", "add_to_list", "create_reminder", "send_message", "send_email"),
    ("search_flights", "search_trains", "get_directions"),
    ("get_news", "search_web", "search_notes", "find_colleague"),
    ("find_events", "find_places", "book_table"),
    ("transfer_money", "submit_expense"),
)  # one of them could stand in for another


def make(draw: Draw, level: int) -> Draft:
    where = scene(draw)
    n = draw.between(*((1, 2), (2, 4), (3, 6), (5, 9), (8, 13))[level - 1])
    kind = draw.random()
    if kind < 0.3:
        return _direct(draw, where, level, n)
    tool = draw.pick([tool for tool in where.box if not tool.broad])
    args = tool.draw(draw, where.today, optional=draw.between(0, level // 2))
    request = ask(draw, tool, args, where.today)
    said = around(draw, request.text, level)
    fits = kind > 0.75
    tools = distractors(draw, where, [tool], n + 1, near=0.1 * level)
    if not fits:
        alike = [name for group in _ALIKE if tool.family in group for name in group]
        tools = [each for each in tools if each is not tool and each.family not in alike] or [
            where.box[0] if tool.domain != "weather" else where.box[-1]
        ]
        steps, response = _unfit(draw, tool, tools), Message("assistant", _regret(draw, tool, tools))
        check = draw.pick(
            (
                "Calling something that does not fit would only do harm.",
                f"Read once more: {listed([f'`{each.name}`' for each in tools])}; none of that is it.",
                "A tool that nearly fits is still the wrong one.",
            )
        )
    else:
        steps = [choosing(draw, tool, tools), *arguments(draw, tool, args, request, where.today)]
        response, check = (
            Message("assistant", remark(draw), tool_calls=[called(tool, args)]),
            complete(draw, tool, args),
        )
    return _draft(where, said, tools, answer([(tool, args)]) if fits else "[]", f"{'fits' if fits else 'no tool'} {request.template}", steps, response, request.text, check)  # fmt: skip


def _draft(where: Scene, said: str, tools: list[Tool], due: str, template: str, steps: list[Step], response: Message, given: str, check: str) -> Draft:  # fmt: skip
    definitions = [tool.definition for tool in tools]
    return Draft(
        question=said,
        system=where.system,
        tools=definitions,
        answer=due,
        facts={"request": said, "tools": [tool.name for tool in tools], "today": where.day},
        template=template,
        steps=steps,
        given=f"The request: {given}",
        check=check,
        response=response,
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )


def _unfit(draw: Draw, tool: Tool, tools: list[Tool]) -> list[Step]:
    """The steps that find that nothing fits."""
    steps = [
        Step(
            f"What is wanted is to {tool.does}.",
            draw.pick(("First, what is this about?", "What would be needed here?")),
        )
    ]
    near = [each for each in tools if each.domain == tool.domain]
    shown = draw.sample(tools, min(len(tools), 4))
    slip = Slip(f"`{(near or shown)[0].name}` might do.", f"But that one is there to {(near or shown)[0].does}.")
    for each in shown:
        steps.append(
            Step(f"`{each.name}` is there to {each.does}: no.", slip=slip if each is (near or shown)[0] else None)
        )
    rest = [f"`{each.name}`" for each in tools if each not in shown]
    if rest:
        steps.append(Step(f"{listed(rest)}: not for this either."))
    steps.append(
        Step(
            draw.pick(
                (
                    "So I call nothing and say so.",
                    "Nothing fits, so there is no call, only an answer.",
                    "No call, then; I tell the user.",
                )
            ),
            draw.pick(("None of them does it.", "A wrong call would help nobody.")),
        )
    )
    return steps  # fmt: skip


def _yours(tool: Tool) -> str:
    return tool.does.replace("the user's", "your").replace("the user", "you")


def _regret(draw: Draw, tool: Tool, tools: list[Tool]) -> str:
    """What is said where no tool fits: that it cannot be done, and what could be."""
    able = draw.sample(tools, min(len(tools), draw.between(1, 2)))
    could = listed([_yours(each) for each in able], "or")
    lead = draw.pick(
        (
            "I am sorry, I cannot {}.",
            "I have no tool to {}.",
            "No tool of mine can {}.",
            "That is beyond me here: I have nothing to {}.",
            "Unfortunately I am not able to {}.",
            "I would like to help, but I have no way to {}.",
        )
    )
    tail = draw.pick(("", "What I can do is {}.", "I could {}, if that helps.", "With what I have, I can {}."))
    return " ".join(part for part in (lead.format(_yours(tool)), tail.format(could)) if part)  # fmt: skip


def _direct(draw: Draw, where: Scene, level: int, n: int) -> Draft:
    """A question that is answered without a tool."""
    form = draw.between(0, len(DIRECT) - 1)
    made = DIRECT[form](draw)
    first = draw.pick(
        [
            tool
            for tool in where.box
            if tool.domain not in ("language", "conversion", "calendar", "notes", "search", "company", "bank")
            and not tool.broad
        ]
    )
    tools = [
        tool for tool in distractors(draw, where, [first], n, near=0.0) if tool.domain not in ("language", "search")
    ]
    shown = draw.sample(tools, min(len(tools), 3))
    steps = [
        Step(
            f"{listed([f'`{tool.name}`' for tool in shown])}: not for this."
            if len(shown) > 1
            else f"`{shown[0].name}` is not for this.",
            "Is there a tool for it?",
            Slip(f"I could try `{shown[0].name}`.", f"But that one is there to {shown[0].does}."),
        ),
        Step(made.how, "I can answer this myself."),
    ]
    said = around(draw, made.text, level)
    return _draft(where, said, tools, json.dumps({"say": [made.answer]}), f"direct {form}", steps, Message("assistant", made.says), made.text, draw.pick(("No call is needed for that.", "A tool would add nothing.")))  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """The tool whose patterns fit; where none does, the answer to a question that needs no tool, if it is one."""
    request = facts["request"]
    tools, today = [BY_NAME[name] for name in facts["tools"]], date.fromisoformat(facts["today"])
    if found := list(offered(request, tools, today)):
        return answer(found)
    said = answered(request)
    return "[]" if said is None else json.dumps({"say": [said]})


PIPELINE = Solver(make, solve, knobs="level: 1 to 13 tools on offer, more of the domain in question; some requests fit, some need no tool", verifier="schema")  # fmt: skip
