"""Requests that lack a required argument: ask for exactly that and call nothing, or call once it has been told.

`make` leaves an argument out of a request; `solve` reads what is stated and compares it with the tool's schema.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._scene import (
    BY_NAME,
    arguments,
    around,
    called,
    choosing,
    distractors,
    remark,
    scene,
)
from phiforge.data.pipelines.agents._toolbox import Args, Tool, answer, ask, askable, offered
from phiforge.data.pipelines.agents._turns import TELL, follow, put
from phiforge.data.rows import Unfit
from phiforge.data.words import listed
from phiforge.records import Message

_QUESTIONS = (
    "Could you tell me the {nouns}?", "What should I take as the {nouns}?", "May I ask for the {nouns}?", "Can you give me the {nouns}, please?", "I can do that. Which {nouns} do you have in mind?",
    "Gladly. What do you want as the {nouns}?", "One thing is missing: could you tell me the {nouns}?", "Before I start, what should the {nouns} be?", "I still need the {nouns}, so what should I put there?",
    "To {does}, I need the {nouns}: could you add that?", "Almost. Which {nouns} should I use?", "Could you also state the {nouns}?",
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    where = scene(draw)
    today = where.today
    tool = draw.pick([tool for tool in where.box if not tool.broad])
    args = tool.draw(draw, today, optional=draw.between(0, level // 2))
    gone = draw.sample(list(tool.need), 2 if level >= 4 and len(tool.need) > 2 and draw.chance(0.4) else 1)
    stated = {name: value for name, value in args.items() if name not in gone}
    if not askable(tool, stated):
        raise Unfit
    whole = draw.chance(0.15)
    request = ask(draw, tool, args if whole else stated, today)
    said = around(draw, request.text, level + 3)
    tools = distractors(
        draw, where, [tool], draw.between(*((1, 2), (2, 4), (4, 7), (6, 10), (9, 14))[level - 1]), near=0.1 * level
    )
    messages = [Message("user", said)]
    told = ""
    if not whole and len(gone) == 1 and draw.chance(0.2):
        new, form = put(tool, gone[0], args[gone[0]], draw, today), draw.between(0, len(TELL) - 1)
        told = TELL[form].format(new=new)
        messages += [Message("assistant", _question(draw, tool, gone)), Message("user", told)]
        request = request._replace(said={**request.said, gone[0]: new})
    complete = whole or bool(told)
    definitions = [each.definition for each in tools]
    words = _words(tool, gone)
    steps = [choosing(draw, tool, tools), *arguments(draw, tool, args if complete else stated, request, today)]
    if complete:
        steps.append(
            Step(
                draw.pick(
                    ("Everything required is there.", "Nothing required is missing.", "So the call can be made.")
                ),
                f"Required: {_names(tool.need)}.",
            )
        )
        response = Message("assistant", remark(draw), tool_calls=[called(tool, args)])
    else:
        steps += _lacking(draw, tool, args, gone)
        response = Message("assistant", _question(draw, tool, gone))
    return Draft(
        messages=messages,
        system=where.system,
        tools=definitions,
        answer=answer([(tool, args)]) if complete else json.dumps({"ask": words}),
        facts={"request": said, "told": told, "tools": [each.name for each in tools], "today": where.day},
        template=f"{'whole' if whole else 'told' if told else listed(gone)} {request.template}",
        steps=steps,
        given=draw.pick((f"The request: {request.text}", f"I am asked to {tool.does}.")),
        check="" if complete else draw.pick((f"Without the {_nouns(tool, gone)} the call would be invalid.", f"`{tool.name}` cannot be called without {_names(gone)}.", "Asking costs one message; a guess could do the wrong thing.")),
        response=response,
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )  # fmt: skip


def _lacking(draw: Draw, tool: Tool, args: Args, gone: list[str]) -> list[Step]:
    """The steps that find what is missing; a slip makes a value up."""
    one = gone[0]
    guess = json.dumps(args[one], ensure_ascii=False)
    made_up = Slip(f"I could take {guess} for `{one}`.", "But that would be made up: nobody said so.")
    because = f"Required: {_names(tool.need)}."
    say = draw.pick(
        (
            f"Of these, {_names(gone)} is not stated anywhere.",
            f"Nothing in the request gives {_names(gone)}.",
            f"What is missing: {_names(gone)}.",
        )
    )
    return [
        Step(say, because, made_up),
        Step(draw.pick((f"I ask for the {_nouns(tool, gone)} and call nothing yet.", f"So no call now; I ask for the {_nouns(tool, gone)}.")), draw.pick(("I must not guess.", "The user has to tell me.", "Only the user knows."))),
    ]  # fmt: skip


def _question(draw: Draw, tool: Tool, gone: list[str]) -> str:
    text = draw.pick(_QUESTIONS).format(nouns=_nouns(tool, gone), does=tool.does)
    return text.replace("the user's", "your").replace("the user", "you")


def _nouns(tool: Tool, names: list[str]) -> str:
    return listed([tool.params[name].noun for name in tool.need if name in names])


def _names(names: Any) -> str:
    return listed([f"`{name}`" for name in names])


def _words(tool: Tool, gone: list[str]) -> list[list[str]]:
    """For each missing argument the words of which a question for it has one."""
    return [
        _known_by(tool.params[name].noun, name, tool.params[name].kind.asked) for name in tool.need if name in gone
    ]


def _known_by(noun: str, name: str, asked: tuple[str, ...]) -> list[str]:
    words = [noun, name.replace("_", " "), *asked]
    return [word for word in dict.fromkeys(words) if word not in ("from", "to", "with")]


def solve(facts: dict[str, Any]) -> str:
    """Read what the request states for the tool it is for; what the schema requires beyond that is missing."""
    tools, today = [BY_NAME[name] for name in facts["tools"]], date.fromisoformat(facts["today"])
    found = list(offered(facts["request"], tools, today))
    if len(found) != 1:
        return f"{len(found)} tools fit"
    tool, args = found[0]
    if facts["told"]:
        args = tool.ordered(follow(tool, args, facts["told"], today) or {})
    required: list[str] = tool.parameters["required"]
    missing = [name for name in required if name not in args]
    if not missing:
        return answer([(tool, args)])
    return json.dumps(
        {"ask": [_known_by(tool.params[name].noun, name, tool.params[name].kind.asked) for name in missing]}
    )


PIPELINE = Solver(make, solve, knobs="level: tools on offer, optional arguments, one or two arguments missing", verifier="schema")  # fmt: skip
