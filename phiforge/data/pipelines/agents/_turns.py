"""What a user says in later turns: changes, additions, things dropped, the same for another value, answers, yes and no."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from phiforge.data.draft import Step
from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._moments import Day
from phiforge.data.pipelines.agents._toolbox import Args, Tool
from phiforge.data.pipelines.agents._values import Choice, Phrase
from phiforge.data.rows import Unfit

_LOOKUPS = ("get_", "find_", "search_", "list_", "track_", "convert_", "define_", "translate_")
_UNNAMED = ("reason", "access", "action", "mode", "window", "with")  # said in ways that don't follow "the … is"

CHANGE = (
    "Change the {noun} to {new}.", "The {noun} should be {new}, not {old}.", "Please use {new} as the {noun}.", "Set the {noun} to {new} instead.", "Sorry, I meant {new} as the {noun}, not {old}.",
    "On second thought, make the {noun} {new}.", "Wrong {noun}: take {new} instead of {old}.", "I would rather have {new} as the {noun}.", "Wait, {old} is not right as the {noun}; use {new}.", "I mixed something up. Instead of {old}, the {noun} should be {new}.",
)  # fmt: skip
SAME = ("What about {new}?", "And what about {new}?", "The same for {new}, please.", "Now the same for {new}.", "And for {new}?", "Do that again for {new}.", "Could you also do that for {new}?")  # fmt: skip
ADD = ("One more thing. {more}", "Oh, and this: {more}", "I forgot to say something. {more}", "A small addition. {more}", "Let me add something. {more}", "There is something else to mind. {more}")  # fmt: skip
DROP = ("Forget about the {noun}.", "You can leave out the {noun} after all.", "Drop the {noun}, it does not matter.", "I changed my mind: nothing about the {noun}, please.")  # fmt: skip
TELL = ("Let me see: {new}.", "Oh, right: {new}.", "I should have said so: {new}.", "That would be {new}.", "Take {new}.", "Sorry, I forgot that: {new}.", "It is {new}.", "Of course: {new}.")  # fmt: skip
YES = ("Yes, go ahead.", "Yes, please.", "That is right, do it.", "Exactly, go on.", "Fine, do that.", "Correct, please do.", "Yes, all of that is right.", "OK, go ahead.", "Sounds good, do it.")  # fmt: skip
THEN = (
    "Then go ahead.",
    "With that, go ahead.",
    "Then you can do it.",
    "After that change, do it without asking again.",
    "The rest is fine, so do it.",
)
NO = ("No, leave it.", "No, forget it.", "Never mind, I will do it myself.", "Stop, do not do that.", "Let us drop it.", "No, not any more. Leave everything as it is.", "Cancel that, please.", "I have changed my mind, so do nothing.")  # fmt: skip
BACK = ("Back to my first question.", "Let us go back to what I asked first.", "About my first question again.")


class Turn(NamedTuple):
    """What is said, the arguments that it leads to, its kind and form, and how one sees that."""

    text: str
    args: Args
    name: str
    steps: list[Step]


def is_lookup(tool: Tool) -> bool:
    """Whether the tool only looks something up, so that calling it again does no harm."""
    return tool.family.startswith(_LOOKUPS)


def _nameable(tool: Tool, name: str) -> bool:
    kind = tool.params[name].kind
    if name in _UNNAMED or (isinstance(kind, Phrase) and not kind.quoted):
        return False
    return not isinstance(kind, Choice) or (name in tool.need and not any(isinstance(v, bool) for v in kind.ways))


def put(tool: Tool, name: str, value: Any, draw: Draw, today: date) -> str:
    """A value as it stands after "the … is": a day without its "on"."""
    said = tool.params[name].kind.say(value, draw, today)
    return said.removeprefix("on ") if isinstance(tool.params[name].kind, Day) else said


def _other(tool: Tool, name: str, args: Args, draw: Draw, today: date) -> Any:
    """Another value for an argument."""
    for _ in range(10):
        value = tool.params[name].kind.draw(draw, today)
        if value not in (args.get(name), args.get("from"), args.get("to"), tool.params[name].default):
            days = {**args, name: value}
            if (
                "from" not in days
                or "to" not in days
                or name not in ("from", "to")
                or not isinstance(tool.params[name].kind, Day)
                or days["from"] < days["to"]
            ):
                return value
    raise Unfit  # fmt: skip


def change(draw: Draw, tool: Tool, args: Args, today: date) -> Turn:
    """One argument gets another value."""
    name = draw.pick([name for name in args if _nameable(tool, name)] or [""])
    if not name:
        raise Unfit
    value, noun, form = _other(tool, name, args, draw, today), tool.params[name].noun, draw.between(0, len(CHANGE) - 1)
    new, old = put(tool, name, value, draw, today), put(tool, name, args[name], draw, today)
    steps = [
        Step(
            f"`{name}` = {json.dumps(value, ensure_ascii=False)} now.",
            draw.pick((f"For the {noun}, {new} takes the place of {old}.", f"New {noun}: {new} instead of {old}.")),
        )
    ]
    return Turn(CHANGE[form].format(noun=noun, new=new, old=old), {**args, name: value}, f"change {form}", steps)  # fmt: skip


def same(draw: Draw, tool: Tool, args: Args, today: date) -> Turn:
    """The same question about another value; only one argument can be meant."""
    name = draw.pick([name for name in tool.need if name in args])
    value, form = _other(tool, name, args, draw, today), draw.between(0, len(SAME) - 1)
    new = put(tool, name, value, draw, today)
    if [name] != takers(tool, args, new) or isinstance(tool.params[name].kind, Phrase):
        raise Unfit
    noun = tool.params[name].noun
    steps = [
        Step(
            f"`{name}` = {json.dumps(value, ensure_ascii=False)}.",
            draw.pick((f"{new} can only be the {noun}.", f"The question is the same with another {noun}: {new}.")),
        )
    ]
    return Turn(SAME[form].format(new=new), {**args, name: value}, f"same {form}", steps)  # fmt: skip


def takers(tool: Tool, args: Args, text: str) -> list[str]:
    """The arguments of a call of which a text could be the value."""
    return [name for name in args if _whole(_loose(tool, name)).fullmatch(text)]


def _loose(tool: Tool, name: str) -> str:
    """The pattern of a value that may lack its "on"."""
    kind = tool.params[name].kind
    return kind.pattern.replace("on (?:", "(?:on )?(?:") if isinstance(kind, Day) else kind.pattern


def add(draw: Draw, tool: Tool, args: Args, today: date) -> Turn:
    """An optional argument is added."""
    free = [name for name, param in tool.may.items() if name not in args and param.also]
    if not free:
        raise Unfit
    name, form = draw.pick(free), draw.between(0, len(ADD) - 1)
    value = _other(tool, name, args, draw, today)
    said = tool.params[name].kind.say(value, draw, today)
    more = draw.pick(tool.params[name].also).format(**{name: said})
    steps = [
        Step(
            f"`{name}` = {json.dumps(value, ensure_ascii=False)}.",
            f"Not stated before: the {tool.params[name].noun}.",
        )
    ]
    return Turn(ADD[form].format(more=more), {**args, name: value}, f"add {form}", steps)  # fmt: skip


def drop(draw: Draw, tool: Tool, args: Args, today: date) -> Turn:
    """An optional argument is taken back."""
    given = [name for name in args if name in tool.may]
    if not given:
        raise Unfit
    name, form = draw.pick(given), draw.between(0, len(DROP) - 1)
    rest = {n: value for n, value in args.items() if n != name}
    steps = [Step(f"`{name}` goes.", f"No longer wanted: the {tool.params[name].noun}. It is optional.")]
    return Turn(DROP[form].format(noun=tool.params[name].noun), rest, f"drop {form}", steps)


@cache
def _reader(forms: tuple[str, ...], noun: str) -> re.Pattern[str]:
    """A pattern for all forms in which something is said about what this noun names."""
    made: list[str] = []
    for n, form in enumerate(forms):
        text = re.escape(form.format(noun=noun, new="NEW", old="OLD"))
        text = re.sub(r"\\\.$", r"\\.(?=\\s|$)", text)
        made.append(text.replace("NEW", rf'(?P<new{n}>"[^"]*"|[^"]+?)').replace("OLD", r'(?:"[^"]*"|[^"]+?)'))
    return re.compile("|".join(made))


@cache
def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def follow(tool: Tool, args: Args, text: str, today: date) -> Args | None:
    """The arguments after a later turn, read out of what is said; None where it changes nothing."""
    for name in args:
        if match := _reader(CHANGE, tool.params[name].noun).search(text):
            new = next(each for each in match.groupdict().values() if each is not None)
            if _whole(_loose(tool, name)).fullmatch(new):
                return {**args, name: tool.params[name].kind.read(new, today)}
        if name in tool.may and _reader(DROP, tool.params[name].noun).search(text):
            return {n: value for n, value in args.items() if n != name}
    for form in SAME:
        head, tail = form.split("{new}")
        if (
            head in text
            and (new := text.partition(head)[2].removesuffix(tail))
            and len(names := takers(tool, args, new)) == 1
        ):
            return {**args, names[0]: tool.params[names[0]].kind.read(new, today)}
    for name, pattern in tool.also.items():
        if name not in args and (match := pattern.search(text)):
            said = next(each for each in match.groupdict().values() if each is not None)
            return {**args, name: tool.params[name].kind.read(said, today)}
    missing = [name for name in tool.need if name not in args]
    for name in missing:
        if match := _whole(rf"(?<!\w)(?:{_loose(tool, name)})(?=[.!]?$)").search(text):
            return {**args, name: tool.params[name].kind.read(match[0], today)}
    return None  # fmt: skip
