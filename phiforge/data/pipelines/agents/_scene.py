"""What surrounds a request: the tools on offer, the day, the system message, small talk, and how one reasons about a call."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any, NamedTuple

from phiforge.data.draft import Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._moments import MONTHS, Day
from phiforge.data.pipelines.agents._toolbox import Args, Request, Tool
from phiforge.data.pipelines.agents._tools_daily import DAILY
from phiforge.data.pipelines.agents._tools_errands import ERRANDS
from phiforge.data.pipelines.agents._tools_functions import FUNCTIONS
from phiforge.data.pipelines.agents._values import filled
from phiforge.data.words import PEOPLE, WEEKDAYS, listed
from phiforge.records import ToolCall

STYLES = ("snake", "snake", "camel", "server")
FUNCTION_STYLES = ("snake", "camel", "module")


def named(tool: Tool, style: str) -> str:
    """The tool's name as some program would write it: get_weather, getWeather, weather__get_weather or weather.get_weather."""
    if style == "camel":
        first, *rest = tool.name.split("_")
        return first + "".join(map(str.capitalize, rest))
    return {"server": f"{tool.domain}__{tool.name}", "module": f"{tool.domain}.{tool.name}"}.get(style, tool.name)


BOXES = {style: tuple(tool.called(named(tool, style)) for tool in DAILY + ERRANDS) for style in sorted(set(STYLES))}
FUNCTION_BOXES = {style: tuple(tool.called(named(tool, style)) for tool in FUNCTIONS) for style in FUNCTION_STYLES}
BY_NAME = {tool.name: tool for boxes in (BOXES, FUNCTION_BOXES) for box in boxes.values() for tool in box}


class Scene(NamedTuple):
    """A day, a way of naming tools, and a system message."""

    today: date
    box: tuple[Tool, ...]
    system: str

    @property
    def day(self) -> str:
        return str(self.today)


def scene(draw: Draw, style: str = "", functions: bool = False) -> Scene:
    """A scene, with the day in its system message; tools are named in any style, or this one. Functions that compute are
    called by programs, mostly without a system message."""
    today = date(2025, 1, 1) + timedelta(draw.between(0, 1000))
    weekday, month = WEEKDAYS[today.weekday()], MONTHS[today.month - 1]
    written = draw.pick((f"{weekday}, {today.day} {month} {today.year}", f"{weekday}, {today}", f"{today} ({weekday})", f"{weekday}, {month} {today.day}, {today.year}"))  # fmt: skip
    who = draw.pick(PEOPLE)
    system = " ".join(part for part in (draw.pick(_SYSTEMS).format(who=who), draw.pick(_DATES).format(written), draw.pick(_RULES)) if part)  # fmt: skip
    if functions:
        return Scene(today, FUNCTION_BOXES[style or draw.pick(FUNCTION_STYLES)], system if draw.chance(0.3) else "")
    return Scene(today, BOXES[style or draw.pick(STYLES)], system)


_SYSTEMS = ("You are a helpful assistant with some tools.", "You are {who}'s assistant.", "You help {who} with everyday matters.", "You are an assistant that can call functions.", "You assist {who}; tools are listed below.", "You are a careful assistant.", "You work for {who} and have a few tools.",
            "Help the user, whose name is {who}.", "You are a voice assistant in {who}'s home.", "{who} is the user you are talking to.", "Answer the user, with a tool where one is needed.", "You are the assistant of a small office.")  # fmt: skip
_DATES = ("Today is {}.", "The date is {}.", "Today's date: {}.", "It is {}.", "Current date: {}.")
_RULES = ("", "", "", "", "Never guess an argument.", "Call a function only if it fits.", "Ask if something that you need is missing.", "Do not fill in optional arguments that nobody mentioned.", "Be brief.", "Dates are written as YYYY-MM-DD.", "Use what the user says, word for word.")  # fmt: skip


def distractors(draw: Draw, scene: Scene, wanted: list[Tool], n: int, near: float | None) -> list[Tool]:
    """The wanted tools and others, `n` in all, in no order. A share `near` of the others is of their domains, none if it is None."""
    names, domains = [tool.name for tool in wanted], [tool.domain for tool in wanted]
    others = [tool for tool in scene.box if tool.name not in names and not tool.broad]
    close = [tool for tool in others if tool.domain in domains]
    missing = max(0, n - len(wanted))
    if near is None:
        return draw.shuffled([*wanted, *draw.sample([tool for tool in others if tool not in close], missing)])
    taken = draw.sample(close, min(len(close), round(missing * near)))
    far = [tool for tool in others if tool not in taken]
    return draw.shuffled([*wanted, *taken, *draw.sample(far, missing - len(taken))])


def around(draw: Draw, text: str, level: int) -> str:
    """A request with a greeting, some talk before it and a word of thanks, each at times."""
    parts = [text]
    if draw.chance(0.1 + 0.1 * level):
        parts.insert(0, filled(draw, draw.pick(_TALK)))
    if draw.chance(0.25):
        parts.insert(0, draw.pick(_GREETINGS))
    if draw.chance(0.25):
        parts.append(filled(draw, draw.pick(_THANKS)))
    return " ".join(parts)


_GREETINGS = (
    "Hi!",
    "Hello!",
    "Hey!",
    "Good morning!",
    "Good evening!",
    "Hello there!",
    "Hi again!",
    "Excuse me:",
    "Quick one:",
    "Hey, it is me.",
)
_TALK = ("I have just come home.", "I am in a bit of a hurry.", "{who} is sitting next to me.", "It has been a long week.", "{who} asked me to see to this.", "My hands are full, so I am dictating.", "I was going to do this on {weekday} and forgot.", "{who} and I were just talking about it.",
         "My phone has only {n} percent left.", "I am on the bus.", "I am waiting for {who}.", "I cannot type much, I am carrying {thing}.", "{other} would usually do this, but is ill.", "There is one thing before {who} comes.", "I promised {who} to look after this.", "The last {n} minutes were chaos here.",
         "{who} says that you can do this.", "I nearly forgot this because of {thing}.", "My week is full, so help me out.", "I am at {who}'s place right now.", "{who} could not tell me.", "This has been on my mind since {weekday}.", "Between us, {who} is not good at this.", "I have {n} things to do and this is the first.",
         "I am standing in a queue of {n} people.", "{who} borrowed my laptop.", "We had {n} guests and I am tired.", "I put this off because of {who}.", "I lost a bet against {who}, so it falls to me.", "While I look for {thing}:")  # fmt: skip
_THANKS = ("Thanks!", "Thank you.", "Thanks a lot!", "That is all.", "{who} and I thank you.", "That would help a lot.", "I am grateful.", "No rush.", "{who} is waiting for it.", "Then I can look for {thing}.", "Much appreciated.", "That is it for now.", "Nothing more, {who} is calling.")  # fmt: skip


def called(tool: Tool, args: Args) -> ToolCall:
    """The call."""
    return ToolCall(tool.name, tool.ordered(args))


def choosing(draw: Draw, tool: Tool, tools: list[Tool]) -> Step:
    """The step that picks the tool; a slip takes one of the same domain first."""
    names = [f"`{each.name}`" for each in tools]
    rivals = [each for each in tools if each.domain == tool.domain and each.name != tool.name]
    say = draw.pick(_PICKS).format(name=tool.name, does=tool.does)
    because = draw.pick(("What is wanted here?", f"On offer: {listed(names)}.", f"There are {len(tools)} tools to choose from.", "Which tool is for this?", "I go through the tools.")) if len(tools) > 1 else "There is one tool."  # fmt: skip
    if not rivals:
        return Step(say, because)
    rival = draw.pick(rivals)
    wrong = draw.pick(("`{}` might do.", "Maybe `{}`.", "I would take `{}`.")).format(rival.name)
    return Step(say, because, Slip(wrong, f"That one is there to {rival.does}, and this is something else."))


_PICKS = ("`{name}` fits: it is there to {does}.", "For this I have `{name}`, which can {does}.", "The right one is `{name}`: {does}.", "`{name}` is made to {does}.", "I need `{name}` ({does}).", "To {does}, there is `{name}`.")  # fmt: skip


def arguments(draw: Draw, tool: Tool, args: Args, request: Request, today: date) -> list[Step]:
    """A step for each argument: what was said, and what value that is."""
    steps: list[Step] = []
    for name, value in tool.ordered(args).items():
        shown, said = json.dumps(value, ensure_ascii=False), request.said[name]
        noun = tool.params[name].noun
        say = f"`{name}` = {shown}."
        if said.strip('"') == str(value):
            because = draw.pick(("The {noun} is stated.", "The {noun} is there.", "The user names the {noun}.", "For the {noun}, I copy what is said.")).format(noun=noun)  # fmt: skip
        else:
            put = said.strip('"')
            because = draw.pick(('The {noun} is put as "{put}".', '"{put}" gives the {noun}.', 'The {noun}: "{put}".', 'In the request it says "{put}".')).format(noun=noun, put=put)  # fmt: skip
            if isinstance(tool.params[name].kind, Day):
                because += f" Today is {today}."
        steps.append(Step(say, because))
    return steps


def left_out(draw: Draw, tool: Tool, args: Args) -> list[Step]:
    """A step about optional arguments that nobody stated; a slip fills one in."""
    absent = [name for name in tool.may if name not in args]
    if not absent:
        return []
    names = listed([f"`{name}`" for name in absent])
    one = draw.pick(absent)
    noun = tool.params[one].noun
    say = draw.pick(("Nothing is said about {names}, so I leave that out.", "{names}: not mentioned, not given.", "I do not touch {names}.", "The request does not mention {names}.")).format(names=names)  # fmt: skip
    slip = Slip(f"I could choose a value for `{one}`.", f"Nobody mentioned the {noun}, and it is optional.")
    return [Step(say, draw.pick(("What is left is optional.", "The rest:", "And the optional ones?")), slip)]


def complete(draw: Draw, tool: Tool, args: Args) -> str:
    """The sentence that checks a call against the schema."""
    need, given = (listed([f"`{name}`" for name in names]) for names in (tool.need, tool.ordered(args)))
    return draw.pick(
        (
            f"`{tool.name}` requires {need}; nothing of that is missing.",
            f"`{tool.name}` needs {need}; given: {given}.",
            f"Nothing required is missing, and every argument comes from the request: {given}.",
            f"{need}: that is required, and it is there.",
        )
    )


def remark(draw: Draw) -> str:
    """What is said beside a call: mostly nothing."""
    return draw.pick(_REMARKS) if draw.chance(0.3) else ""


_REMARKS = (
    "One moment.",
    "I will see to it.",
    "Let me do that.",
    "Right away.",
    "I am on it.",
    "Certainly.",
    "Sure, one second.",
    "Let me take care of that.",
)


def as_result(tool: Tool, draw: Draw, today: date) -> dict[str, Any]:
    """What comes back from a call."""
    return {name: kind.draw(draw, today) for name, kind in tool.gives.items()}


def told(tool: Tool, said: dict[str, str], result: dict[str, Any], draw: Draw, today: date) -> str:
    """The sentence that tells a result."""
    shown = {name: str(value) if name not in tool.gives else tool.gives[name].say(value, draw, today) for name, value in result.items()}  # fmt: skip
    text = re.sub(r"\bmy\b", "your", tool.reply.format(**{**said, **shown}))
    return f"{text[0].upper()}{text[1:]}"
