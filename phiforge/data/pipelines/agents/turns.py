"""Conversations of several turns: changes, additions, the same for another value, answers, a yes or a no, results recalled.

`make` keeps the call as it stands; `solve` goes through what the user said, turn by turn, with patterns of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._scene import (
    BY_NAME,
    Scene,
    around,
    as_result,
    called,
    distractors,
    remark,
    scene,
    told,
)
from phiforge.data.pipelines.agents._toolbox import Args, Tool, answer, ask, offered
from phiforge.data.pipelines.agents._turns import BACK, NO, THEN, YES, Turn, add, change, drop, follow, is_lookup, same
from phiforge.data.pipelines.agents._values import Choice
from phiforge.data.rows import Unfit
from phiforge.records import Message

_RULES = ("Before you do anything that cannot be undone, say what you are going to do and wait for a yes.", "Confirm every action with the user first.", "Ask for a yes before you act; looking things up needs none.", "Never act without the user's confirmation.")  # fmt: skip
_SHALL = (
    "Shall I go ahead?",
    "Is that right?",
    "Do you want me to do it?",
    "May I do that?",
    "Is that what you want?",
)
_RECALL = ("What was the {} again?", "Please repeat the {}.", "Could you tell me the {} once more?", "I did not catch the {}: what was it?", "Say the {} again, please.")  # fmt: skip
_LATER = (change, change, same, same, add, drop)


_LABELS = {
    "temperature": "temperature", "rain_mm": "rain in mm", "index": "air quality index", "sunrise": "time of sunrise", "sunset": "time of sunset", "found": "number of results", "count": "number", "phone": "phone number",
    "email": "mail address", "scored": "number of goals scored", "conceded": "number of goals conceded", "leader": "leading team", "points": "number of points", "flight": "flight number", "price": "price",
    "delay_minutes": "delay in minutes", "departure": "time of departure", "changes": "number of changes", "minutes": "time in minutes", "km": "distance in km", "days_left": "number of days", "result": "result",
    "characters": "number of characters", "senses": "number of meanings", "lines": "number of lines", "name": "name",
}  # fmt: skip


@dataclass
class Talk:
    """A conversation as it grows: its messages, what the user said, the results, and the calls that were spoken of."""

    where: Scene
    messages: list[Message] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[Tool, Args]] = field(default_factory=list)

    def user(self, text: str) -> None:
        self.said.append(text)
        self.messages.append(Message("user", text))

    def replied(self, draw: Draw, tool: Tool, args: Args) -> None:
        """The assistant's part of a turn: a call, its result and a reply; or, before an action, a question."""
        today = self.where.today
        put = {name: tool.params[name].kind.say(value, draw, today) for name, value in args.items()}
        if not is_lookup(tool):
            listing = "; ".join(
                f"{tool.params[name].noun}: {_plain(tool, name, args[name], put[name])}" for name in put
            )
            does = tool.does.replace("the user's", "your").replace("the user", "you")
            lead = draw.pick(
                ("This is what I would do: {}.", "So you want me to {}.", "I would now {}.", "I am ready to {}.")
            )
            self.messages.append(
                Message("assistant", f"{lead.format(does)} {listing[0].upper()}{listing[1:]}. {draw.pick(_SHALL)}")
            )
            return
        result = as_result(tool, draw, today)
        self.results.append(result)
        self.messages.append(Message("assistant", remark(draw), tool_calls=[called(tool, args)]))
        self.messages.append(Message("tool", json.dumps(result, ensure_ascii=False), name=tool.name))
        self.messages.append(Message("assistant", told(tool, put, result, draw, today)))  # fmt: skip


def _plain(tool: Tool, name: str, value: Any, put: str) -> str:
    """A value as the assistant lists it: what is one of a few is named as such."""
    if isinstance(tool.params[name].kind, Choice):
        return {True: "yes", False: "no"}.get(value, str(value).replace("_", " "))
    return put.removeprefix("on ")


def make(draw: Draw, level: int) -> Draft:
    where = scene(draw)
    talk, today = Talk(where), where.today
    tool = draw.pick([tool for tool in where.box if not tool.broad])
    args = tool.draw(draw, today, optional=draw.between(0, 1 + level // 3))
    first = ask(draw, tool, args, today)
    talk.user(around(draw, first.text, level))
    talk.calls.append((tool, args))
    turns = draw.between(*((2, 2), (2, 3), (3, 3), (3, 4), (4, 5))[level - 1])
    for n in range(turns - 2):
        talk.replied(draw, *talk.calls[-1])
        if is_lookup(tool) and level >= 4 and n == 0 and draw.chance(0.5):
            tool = draw.pick([each for each in where.box if is_lookup(each) and each is not tool and not each.broad])
            args = tool.draw(draw, today)
            talk.user(f"{draw.pick(('Something else:', 'Another question:', 'By the way:', 'Now to something different.'))} {ask(draw, tool, args, today).text}")  # fmt: skip
            talk.calls.append((tool, args))
            continue
        turn = _later(draw, *talk.calls[-1], today)
        talk.user(turn.text)
        talk.calls[-1] = (tool, turn.args)
    talk.replied(draw, *talk.calls[-1])
    due, response, steps, name = _close(draw, talk)
    wanted = list({each.name: each for each, _ in talk.calls}.values())
    tools = distractors(draw, where, wanted, len(wanted) + draw.between(level, 2 * level), near=0.1 * level)
    definitions = [each.definition for each in tools]
    rule = "" if is_lookup(tool) else f" {draw.pick(_RULES)}"
    return Draft(
        messages=talk.messages,
        system=where.system + rule,
        tools=definitions,
        answer=due,
        facts={"said": talk.said, "results": talk.results, "tools": [each.name for each in tools], "today": where.day},
        template=f"{turns} turns, {name}, {tool.family}",
        steps=steps,
        given=draw.pick((f"The user says: {talk.said[-1]}", f"There have been {turns} turns; the last one counts: {talk.said[-1]}", f"What matters is the last message: {talk.said[-1]}")),
        check=draw.pick(("The last thing said on each point is what holds.", "What was not touched stays as it was.", "Nothing else was changed.")) if due.startswith("[{") else "",
        response=response,
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )  # fmt: skip


def _later(draw: Draw, tool: Tool, args: Args, today: date) -> Turn:
    turn = draw.pick(_LATER)
    if turn is same and not is_lookup(tool):
        turn = change
    return turn(draw, tool, args, today)


def _close(draw: Draw, talk: Talk) -> tuple[str, Message, list[Step], str]:
    """The last turn, what is due after it, and how one sees that."""
    tool, args = talk.calls[-1]
    today = talk.where.today
    if is_lookup(tool):
        if draw.chance(0.15):
            return _recalled(draw, talk)
        if len(talk.calls) > 1 and draw.chance(0.6):
            tool, args = talk.calls[0]
            turn = change(draw, tool, args, today)
            talk.user(f"{draw.pick(BACK)} {turn.text}")
            known = Step(f"That was `{tool.name}`.", "The user goes back to the first question.")
        else:
            turn = _later(draw, tool, args, today)
            talk.user(turn.text)
            known = Step(
                f"It is `{tool.name}` again.",
                draw.pick(("The user follows up on the last call.", "This is about the call just made.")),
            )
        steps = [known, *turn.steps, *_kept(draw, tool, args, turn.args)]
        return _call(draw, tool, turn.args, steps, turn.name)
    ending = draw.random()
    if ending < 0.15:
        form = draw.between(0, len(NO) - 1)
        talk.user(NO[form])
        said = draw.pick(
            (
                "All right, I leave everything as it is.",
                "Fine, nothing has been done.",
                "As you wish. I have done nothing.",
                "OK, I will not do it.",
            )
        )
        steps = [
            Step(
                "So no call.",
                f"The user was asked and does not want it: {NO[form]}",
                Slip(f"I call `{tool.name}`.", "But the user said no."),
            )
        ]
        return "[]", Message("assistant", said), steps, f"no {form}"
    if ending < 0.45:
        form = draw.between(0, len(YES) - 1)
        talk.user(YES[form])
        steps = [Step(f"Now `{tool.name}`, as it was agreed.", "The user says yes."), *_kept(draw, tool, {}, args)]
        return _call(draw, tool, args, steps, f"yes {form}")
    turn = _later(draw, tool, args, today)
    talk.user(f"{turn.text} {draw.pick(THEN)}")
    steps = [
        *turn.steps,
        *_kept(draw, tool, args, turn.args),
        Step(f"Then the call of `{tool.name}` goes out.", "The user says to go ahead after this change."),
    ]
    return _call(draw, tool, turn.args, steps, turn.name)  # fmt: skip


def _call(draw: Draw, tool: Tool, args: Args, steps: list[Step], name: str) -> tuple[str, Message, list[Step], str]:
    return answer([(tool, args)]), Message("assistant", remark(draw), tool_calls=[called(tool, args)]), steps, name


def _kept(draw: Draw, tool: Tool, before: Args, after: Args) -> list[Step]:
    """A step about the arguments that stay."""
    kept = {name: value for name, value in tool.ordered(after).items() if not before or before.get(name) == value}
    if not kept:
        return []
    shown = ", ".join(f"`{name}` = {json.dumps(value, ensure_ascii=False)}" for name, value in kept.items())
    because = (
        draw.pick(("The rest stays.", "What was said before still holds.", "From before:"))
        if before
        else "What was said before holds."
    )
    return [Step(f"{shown}.", because)]  # fmt: skip


def _recalled(draw: Draw, talk: Talk) -> tuple[str, Message, list[Step], str]:
    """The user wants to hear a result again: it is there already, and nothing has to be called."""
    named = [(name, value) for name, value in talk.results[-1].items() if name in _LABELS]
    if not named:
        raise Unfit
    name, value = draw.pick(named)
    label, form = _LABELS[name], draw.between(0, len(_RECALL) - 1)
    talk.user(_RECALL[form].format(label))
    shown = draw.pick((f"The {label} is {value}.", f"It was {value}.", f"The {label}: {value}."))
    steps = [
        Step(
            f"In the last result, `{name}` is {value}.",
            "This was looked up already, so no call is needed.",
            Slip("I could call the tool again.", "But the result is in the conversation."),
        )
    ]
    return json.dumps({"say": [str(value)]}), Message("assistant", shown), steps, f"recall {form}"  # fmt: skip


def _recalls(name: str) -> list[str]:
    """All questions for a value of a result."""
    return [form.format(_LABELS.get(name)) for form in _RECALL]


def solve(facts: dict[str, Any]) -> str:
    """Go through what the user said; every turn is a new request, a change of the call, a yes, a no or a question."""
    tools, today = [BY_NAME[name] for name in facts["tools"]], date.fromisoformat(facts["today"])
    calls: list[tuple[Tool, Args]] = []
    for text in facts["said"]:
        if text in NO:
            return "[]"
        if text in YES:
            continue
        latest = facts["results"][-1] if facts["results"] else {}
        recalled = [value for name, value in latest.items() if text in _recalls(name)]
        if recalled:
            return json.dumps({"say": [str(recalled[0])]})
        if any(text.startswith(back) for back in BACK):
            calls.append(calls[0])
        elif new := list(offered(text, tools, today)):
            calls += new
            continue
        tool, args = calls.pop()
        changed = follow(tool, args, text, today)
        if changed is None:
            return f"not understood: {text}"
        calls.append((tool, tool.ordered(changed)))
    return answer(calls[-1:])


PIPELINE = Solver(make, solve, knobs="level: 2 to 5 turns, changes of topic and back, optional arguments, tools on offer", verifier="schema")  # fmt: skip
