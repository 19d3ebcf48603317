"""Several calls at once: one tool for many values, or different things asked for in one message, none needing another.

`make` says every call in words; `solve` cuts the message into its parts and reads each with the patterns of the tools.
"""

from __future__ import annotations

import re
from copy import copy
from datetime import date
from typing import Any

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._groups import Several
from phiforge.data.pipelines.agents._scene import (
    BY_NAME,
    Scene,
    arguments,
    around,
    called,
    choosing,
    distractors,
    left_out,
    remark,
    scene,
)
from phiforge.data.pipelines.agents._toolbox import Args, Form, Request, Tool, answer, ask, offered, read
from phiforge.data.rows import Unfit
from phiforge.data.words import listed
from phiforge.records import Message

_EACH = {
    "get_weather": ("city", "What will the weather be like in {city}[ {date}]?", "check the forecasts for {city}[ {date}]", "I travel through {city}: what will the weather be like there[ {date}]?", "compare the weather in {city}[ {date}]"),
    "get_air_quality": ("city", "check the air quality in {city}", "Where is the air cleanest: in {city}?", "How clean is the air in {city}?"),
    "get_sunrise": ("city", "When does the sun rise in {city} {date}?", "look up sunrise and sunset in {city} {date}"),
    "search_mail": ("sender", "find the mails from {sender}", "search my mailbox for mails by {sender}", "What did {sender} mail me?"),
    "find_contact": ("name", "look up {name} in my contacts", "find the contacts of {name}", "Are {name} among my contacts?"),
    "search_notes": ("query", "search my notes for {query}, one after the other", "look through my notes for {query}, each on its own"),
    "set_timer": ("minutes", "start timers of {minutes} minutes", "set separate timers for {minutes} minutes"),
    "set_alarm": ("time", "set alarms for {time}", "make alarms ring at {time}"),
    "set_light": ("room", "set the lights in {room} to {brightness} percent", "dim the lamps in {room} to {brightness} percent"),
    "set_thermostat": ("room", "heat {room} to {degrees} degrees", "I want {degrees} degrees in {room}."),
    "lock_door": ("door", "make sure to {action} {door}", "use the smart locks to {action} {door}"),
    "get_score": ("team", "How did {team} play?", "tell me the latest results of {team}", "check how the matches of {team} ended"),
    "get_standings": ("league", "show me the tables of {league}", "What are the standings in {league}?"),
    "get_flight_status": ("flight", "Are the flights {flight} on time?", "check the flights {flight}", "find out whether the flights {flight} are delayed"),
    "find_places": ("city", "find {kind} in {city}", "Which {kind} are there in {city}?"),
    "search_products": ("query", "search the shop for {query}, each on its own", "search the shop separately for {query}"),
    "track_order": ("order_id", "Where are my orders {order_id}?", "track the orders {order_id}", "What has become of the orders {order_id}?"),
    "get_stock_price": ("company", "What do shares of {company} cost?", "look up the share prices of {company}", "compare the share prices of {company}"),
    "find_files": ("folder", "list the files in {folder}", "What is in the folders {folder}?"),
    "translate_text": ("to", "translate {text} into {to}", "How do I say {text} in {to}?", "I need {text} in {to}."),
    "define_word": ("word", "define the words {word}", "look up the words {word} in the dictionary", "What do the words {word} mean?"),
    "get_news": ("topic", "get the news about {topic}, each topic by itself", "look for news about each of these topics: {topic}"),
    "get_time": ("city", "What time is it in {city}?", "tell me the local times in {city}", "I have a call with people in {city}: how late is it there?"),
    "find_recipe": ("dish", "find recipes for {dish}, each by itself", "I want to cook {dish}; find recipes for each."),
    "find_events": ("city", "Which {kind} are there in {city} {date}?", "find {kind} in {city} {date}"),
    "update_ticket": ("ticket_id", "set the tickets {ticket_id} to {status}", "mark the tickets {ticket_id} as {status}", "The tickets {ticket_id} are {status} now; update them."),
    "restart_service": ("service", "restart {service} in {environment}", "reboot {service} on {environment}"),
}  # fmt: skip


def _many(tool: Tool) -> Tool:
    """A tool that takes several values where this one takes one."""
    each, *forms = _EACH[tool.family]
    twin = copy(tool)
    param = tool.need[each]
    twin.need = {**tool.need, each: param._replace(kind=Several(param.kind, 2, 5))}
    twin.params = {**tool.params, each: twin.need[each]}
    twin.forms = [Form(text, twin.params) for text in forms]
    return twin


_MANY = {name: _many(tool) for name, tool in BY_NAME.items() if tool.family in _EACH}
_LEADS = ("There are a few things to do.", "Several things at once:", "I have a list for you.", "Please do all of this for me.", "Here is what I need.", "Could you see to the following?", "These are for today:", "Please take care of these:", "A few requests:", "My list:")  # fmt: skip
_LINKS = ("Also:", "Then:", "Next:", "And this:", "Besides:", "Another thing:", "One more:")
_BETWEEN = re.compile(rf"\n+(?:- |\d+[.)] )?| (?:{'|'.join(_LINKS)}) ")


def make(draw: Draw, level: int) -> Draft:
    where = scene(draw)
    n = draw.between(*((2, 2), (2, 3), (3, 4), (4, 5), (5, 6))[level - 1])
    spread = draw.chance(0.5 if level < 4 else 0.25)
    parts: list[tuple[Tool, list[Args], Request]] = []
    while (left := n - sum(len(calls) for _, calls, _ in parts)) > 0:
        if left >= 2 and (spread or (level >= 3 and draw.chance(0.3))):
            parts.append(_spread(draw, where, left if spread else 2, level))
        else:
            tool = draw.pick(where.box)
            args = tool.draw(draw, where.today, optional=draw.between(0, level // 2))
            parts.append((tool, [args], ask(draw, tool, args, where.today)))
    calls = [(tool, args) for tool, several, _ in parts for args in several]
    if any(calls[i] == calls[j] for i in range(len(calls)) for j in range(i)):
        raise Unfit
    wanted = list({tool.name: tool for tool, _, _ in parts}.values())
    tools = distractors(
        draw,
        where,
        wanted,
        len(wanted) + draw.between(*((1, 2), (1, 4), (2, 5), (3, 7), (4, 9))[level - 1]),
        near=0.1 * level,
    )
    text, style = _joined(draw, [request.text for _, _, request in parts])
    said = around(draw, text, level) if len(parts) == 1 else text
    definitions = [tool.definition for tool in tools]
    return Draft(
        question=said,
        system=where.system,
        tools=definitions,
        answer=answer(calls),
        facts={"request": said, "tools": [tool.name for tool in tools], "today": where.day},
        template=f"{style} {parts[0][2].template}",
        steps=_steps(draw, where, parts, tools),
        given=draw.pick((f"The user asks for {len(parts)} things.", f"There are {len(parts)} parts to this.")) if len(parts) > 1 else f"The request: {parts[0][2].text}",
        check=f"Counted again: {listed([f'`{tool.name}`' for tool, _ in calls])}; that is {len(calls)} calls.",
        response=Message("assistant", remark(draw), tool_calls=[called(tool, args) for tool, args in calls]),
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )  # fmt: skip


def _spread(draw: Draw, where: Scene, n: int, level: int) -> tuple[Tool, list[Args], Request]:
    """One tool, called `n` times with different values of one argument."""
    tool = draw.pick([tool for tool in where.box if tool.family in _EACH])
    each, many = _EACH[tool.family][0], _MANY[tool.name]
    args = tool.draw(draw, where.today, optional=draw.between(0, level // 3))
    values = [args[each]]
    kind = tool.need[each].kind
    for _ in range(20):
        if len(values) < n and (value := kind.draw(draw, where.today)) not in values:
            values.append(value)
    if len(values) < n:
        raise Unfit
    request = ask(draw, many, {**args, each: values}, where.today)
    return tool, [{**args, each: value} for value in values], request


def _joined(draw: Draw, texts: list[str]) -> tuple[str, str]:
    """Several requests in one message: as a list, as lines, or one after the other."""
    if len(texts) == 1:
        return texts[0], "each"
    lead, style = draw.pick(_LEADS), draw.pick(("dashes", "numbers", "brackets", "lines", "running", "running"))
    if style == "running":
        return " ".join([texts[0], *(f"{draw.pick(_LINKS)} {text}" for text in texts[1:])]), style
    marks = {"dashes": "- ", "numbers": "{}. ", "brackets": "{}) ", "lines": ""}[style]
    return "\n".join([lead, *(f"{marks.format(n)}{text}" for n, text in enumerate(texts, 1))]), style


def _steps(draw: Draw, where: Scene, parts: list[tuple[Tool, list[Args], Request]], tools: list[Tool]) -> list[Step]:
    steps: list[Step] = []
    for tool, several, request in parts:
        steps.append(choosing(draw, tool, tools))
        if len(several) == 1:
            steps += arguments(draw, tool, several[0], request, where.today)
        else:
            each = _EACH[tool.family][0]
            values = listed([str(args[each]) for args in several])
            steps += [
                step
                for step in arguments(
                    draw, tool, {**several[0], each: [a[each] for a in several]}, request, where.today
                )
                if not step.say.startswith(f"`{each}`")
            ]
            steps.append(
                Step(
                    f"`{each}` is in turn {values}: {len(several)} calls.",
                    draw.pick(
                        (
                            f"`{tool.name}` takes one {tool.params[each].noun} at a time.",
                            f"There is more than one {tool.params[each].noun}.",
                            f"Each {tool.params[each].noun} needs a call of its own.",
                        )
                    ),
                )
            )
        if draw.chance(0.4):
            steps += left_out(draw, tool, several[0])
    total = sum(len(several) for _, several, _ in parts)
    because = draw.pick(
        (
            "No call needs what another gives.",
            "None of them has to wait for another.",
            "They do not depend on each other.",
        )
    )
    return [*steps, Step(draw.pick((f"All {total} calls go out together.", f"I make the {total} calls at once.")) if total > 2 else "Both calls go out together.", because)]  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """Cut the message into parts; in each, find the one tool that it is for, and take lists of values apart."""
    tools = [BY_NAME[name] for name in facts["tools"]]
    today = date.fromisoformat(facts["today"])
    calls: list[tuple[Tool, Args]] = []
    for part in _BETWEEN.split(facts["request"]):
        spread = [(tool, args) for tool in tools if (args := _read_many(tool, part, today))]
        found = [(tool, each) for tool, several in spread for each in several]
        calls += found or offered(part, tools, today)
    return answer(calls)


def _read_many(tool: Tool, text: str, today: date) -> list[Args]:
    """The calls that a text asks for by naming several values; none if it names one only."""
    if tool.name not in _MANY:
        return []
    args = read(_MANY[tool.name], text, today)
    each = _EACH[tool.family][0]
    return [{**args, each: value} for value in args[each]] if args and len(args[each]) > 1 else []


PIPELINE = Solver(make, solve, knobs="level: 2 to 6 calls, of one tool or of several; tools and optional arguments", verifier="schema")  # fmt: skip
