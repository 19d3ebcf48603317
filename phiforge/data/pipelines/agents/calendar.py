"""Calendars with conflicts: find overlaps and free slots, create, move and cancel events, or say that nothing is free.

`make` works with sorted intervals and the gaps between them; `solve` reads the calendar again and goes minute by minute.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._groups import Several
from phiforge.data.pipelines.agents._kinds import PERSON
from phiforge.data.pipelines.agents._moments import Clock, Day
from phiforge.data.pipelines.agents._scene import BOXES, STYLES, called, distractors, named, remark, scene
from phiforge.data.pipelines.agents._toolbox import Args, Tool, answer
from phiforge.data.pipelines.agents._toolbox import Param as P
from phiforge.data.pipelines.agents._values import Code, Phrase
from phiforge.data.pipelines.agents._week import LAYOUTS, Event, clock, event_title, events, read, shown, written
from phiforge.data.rows import Unfit
from phiforge.data.words import listed
from phiforge.records import Message

_ID, _DAY, _TIME = Code("EV-####"), Day(), Clock()


def _tool(name: str, about: str, need: dict[str, P], may: dict[str, P] | None = None) -> Tool:
    return Tool(name, "calendar", about, need, may or {}, (), {}, "")


_TOOLS = (
    _tool("get_events", "Get the events between two days.", {"from": P(_DAY, "first day", "First day, as YYYY-MM-DD."), "to": P(_DAY, "last day", "Last day, as YYYY-MM-DD.")}),
    _tool("add_event", "Add an event to the calendar.", {"title": P(Phrase(("x",)), "title", "What it is called."), "date": P(_DAY, "date", "The day, as YYYY-MM-DD."), "start": P(_TIME, "start", "Start, as HH:MM."), "end": P(_TIME, "end", "End, as HH:MM.")},
          {"attendees": P(Several(PERSON), "attendees", "First names of the people invited.")}),
    _tool("move_event", "Move an event to another time; its length stays.", {"event_id": P(_ID, "event", "Id of the event."), "date": P(_DAY, "date", "New day, as YYYY-MM-DD."), "start": P(_TIME, "start", "New start, as HH:MM.")}),
    _tool("cancel_event", "Cancel an event.", {"event_id": P(_ID, "event", "Id of the event.")}),
    _tool("report_conflict", "Report that two events overlap.", {"first": P(_ID, "first event", "Id of the one that starts earlier; if both start together, of the one listed first."), "second": P(_ID, "second event", "Id of the other.")}),
)  # fmt: skip
_BOXES = {style: {tool.name: tool.called(named(tool, style)) for tool in _TOOLS} for style in sorted(set(STYLES))}

_ASKS = {
    "conflicts": ("Which events of {when} overlap? Report every pair of them.", "Please report all conflicts {when}: every two events that overlap.", "Go through {when} and report each pair of events that collide.", "Two things at once is one too many. Report every overlap {when}.", "Check {when} for double bookings and report every pair."),
    "slot": ('Put "{title}" into the earliest free slot of {n} minutes {when}{buffer}.', 'Find the first free {n} minutes {when} for "{title}" and enter it{buffer}.', 'I need {n} minutes for "{title}" {when}, as early as possible{buffer}. Please add it.', 'Add "{title}" {when} at the earliest time at which {n} minutes are free{buffer}.', 'Where do {n} minutes for "{title}" fit {when}? Take the first place there is{buffer}.'),
    "fixed": ('Add "{title}" {when} at {at} for {n} minutes. If that collides with something, take the next free time after it{buffer}.', 'I would like "{title}" {when} at {at}, {n} minutes long, or else as soon after that as possible{buffer}.', 'Schedule "{title}" {when}, {n} minutes, not before {at}, at the first moment that is free{buffer}.', 'Is {at} still free {when} for {n} minutes of "{title}"? If so, add it; if not, add it at the next possible time{buffer}.'),
    "common": ('Find the earliest time {when} at which {who} and I are both free for {n} minutes, and add "{title}" with {who}. {who} is busy {busy}.', '{who} is busy {busy} {when}. Add "{title}" with {who} at the first time that suits us both; it takes {n} minutes.', 'Add "{title}" with {who} {when}: {n} minutes, as early as both of us can. {who} cannot {busy}.'),
    "move": ("Move {event} to the first free slot {when}{buffer}; it keeps its length.", "I cannot make {event}. Put it into the earliest gap {when} that is long enough{buffer}.", "Please shift {event} to {when2}, as early as it fits{buffer}."),
    "cancel person": ("{who} is ill. Cancel everything with {who} {when}.", "Cancel all events with {who} {when}.", "I do not want to see {who} {when}: cancel what we have.", "Take every meeting with {who} out of my calendar {when}."),
    "cancel time": ("I have to leave at {at} {when}. Cancel everything that ends later than that.", "Cancel everything {when} that starts before {at}.", "I am not free from {at} to {until} {when}: cancel all that falls into that time, even partly."),
}  # fmt: skip
_FROM = {"conflicts": 1, "slot": 1, "cancel person": 1, "fixed": 2, "cancel time": 2, "move": 3, "common": 4}
_LEADS = {"json": "", "lines": "My calendar:", "table": "This is my calendar:", "days": "Here is my calendar."}
_NOTHING = (
    "If nothing is free, just tell me.",
    "If it does not fit, tell me and add nothing.",
    "Tell me if there is no room.",
)

Gap = tuple[int, int]


def make(draw: Draw, level: int) -> Draft:
    style = draw.pick(STYLES)
    where = scene(draw, style)
    kind = draw.pick([kind for kind, least in _FROM.items() if least <= level])
    first = where.today + timedelta(draw.between(0, 9))
    days, each = ((1, 4), (2, 4), (3, 5), (4, 5), (5, 6))[level - 1]
    held = events(draw, first, days, each, 15 if level < 4 else 5, overlaps=0.6 if kind == "conflicts" else 0.15)
    opens, closes = draw.pick(((8, 17), (9, 17), (9, 18), (8, 18), (8, 16), (10, 18)))
    day = str(first + timedelta(draw.between(0, days - 1)))
    buffer = draw.pick((10, 15)) if level >= 3 and kind in ("slot", "fixed", "move") and draw.chance(0.4) else 0
    ask: dict[str, Any] = {
        "kind": kind,
        "day": day,
        "opens": opens * 60,
        "closes": closes * 60,
        "buffer": buffer,
        "n": draw.pick((30, 45, 60, 75, 90, 120)),
        "title": event_title(draw),
    }
    ask["at"], ask["who"] = (
        draw.between(opens * 4, closes * 4 - 4) * 15,
        draw.pick([p for e in held for p in e.people] or [draw.pick(PERSON.words)]),
    )
    ask["until"] = min(24 * 60 - 15, ask["at"] + draw.between(4, 12) * 15)
    form = draw.between(0, len(_ASKS[kind]) - 1)
    ask["form"] = form
    if kind == "common":
        ask["who"] = draw.pick([name for name in PERSON.words if not any(name in e.people for e in held)])
        starts = sorted(draw.sample(range(opens * 2, closes * 2 - 2), draw.between(1, 3)))
        ask["busy"] = [[30 * start, 30 * start + draw.pick((30, 60, 90))] for start in starts]
    if kind == "move":
        moved = draw.pick(held or [None])
        if moved is None:
            raise Unfit
        ask |= {"event": moved.id, "n": moved.end - moved.start}
    calls, steps, check, lines = _KINDS[kind](draw, held, ask)
    tools = _BOXES[style]
    calls = [(tools[tool.name], args) for tool, args in calls]
    layout = draw.pick(LAYOUTS)
    listing = held if level < 3 or layout == "days" or kind == "conflicts" else draw.shuffled(held)
    text = shown(layout, listing)
    request = _request(draw, ask, held)
    nothing_free = kind in ("slot", "fixed", "move", "common")
    if nothing_free:
        request = f"{request} {draw.pick(_NOTHING)}"
    hours = draw.pick(
        (
            "Working hours are {} to {}; new events must lie within them.",
            "Everything has to be between {} and {}.",
            "Put nothing before {} or after {}.",
            "The day begins at {} and ends at {} for appointments.",
        )
    ).format(clock(opens * 60), clock(closes * 60))
    seen = [Message("user", request)]
    if layout == "json":
        args = {"from": held[0].day, "to": held[-1].day} if held else {"from": day, "to": day}
        seen += [
            Message("assistant", remark(draw), tool_calls=[called(tools["get_events"], args)]),
            Message("tool", text, name=tools["get_events"].name),
        ]
    else:
        seen = [
            Message(
                "user",
                draw.pick((f"{_LEADS[layout]}\n\n{text}\n\n{request}", f"{request} {_LEADS[layout]}\n\n{text}")),
            )
        ]
    others = [
        tool
        for tool in distractors(draw, where, [BOXES[style][0]], 1 + draw.between(1, 2 * level), near=0.0)
        if tool.domain != "calendar"
    ]
    definitions = [tool.definition for tool in draw.shuffled([*tools.values(), *others])]
    spoken = remark(draw) if calls else lines
    return Draft(
        messages=seen,
        system=f"{where.system} {hours}",
        tools=definitions,
        answer=answer(calls),
        facts={"calendar": text, "layout": layout, "ask": ask, "style": style},
        template=f"{kind} {form} {layout} {'calls' if calls else 'none'}",
        steps=steps,
        given=draw.pick((f"The request: {request}", f"What is asked: {request}")),
        check=check,
        response=Message("assistant", spoken, tool_calls=[called(tool, args) for tool, args in calls]),
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )  # fmt: skip


def _request(draw: Draw, ask: dict[str, Any], held: list[Event]) -> str:
    when = draw.pick((f"on {written(ask['day'])}", f"on {ask['day']}"))
    buffer = f", with at least {ask['buffer']} minutes between it and anything else" if ask["buffer"] else ""
    busy = listed([f"from {clock(a)} to {clock(b)}" for a, b in ask["busy"]]) if "busy" in ask else ""
    moved = next((e for e in held if e.id == ask.get("event")), None)
    event = f'"{moved.title}" ({moved.id})' if moved else ""
    text = _ASKS[ask["kind"]][ask["form"]]
    plain = when.removeprefix("on ") if ask["kind"] == "conflicts" and ask["form"] in (0, 2, 4) else when
    return text.format(
        when=plain,
        when2=when.removeprefix("on "),
        n=ask["n"],
        title=ask["title"],
        buffer=buffer,
        at=clock(ask["at"]),
        until=clock(ask["until"]),
        who=ask["who"],
        busy=busy,
        event=event,
    )


def _on(held: list[Event], day: str) -> list[Event]:
    return sorted((event for event in held if event.day == day), key=lambda event: event.start)


def _gaps(busy: list[Gap], opens: int, closes: int) -> list[Gap]:
    """What is left between `opens` and `closes`."""
    gaps: list[Gap] = []
    at = opens
    for start, end in sorted(busy):
        if start > at:
            gaps.append((at, min(start, closes)))
        at = max(at, end)
    if at < closes:
        gaps.append((at, closes))
    return [(a, b) for a, b in gaps if b > a]


def _told(gap: Gap) -> str:
    return f"{clock(gap[0])} to {clock(gap[1])}"


_Found = tuple[list[tuple[Tool, Args]], list[Step], str, str]
_ADD, _MOVE, _CANCEL, _REPORT = (next(tool for tool in _TOOLS if tool.name == name) for name in ("add_event", "move_event", "cancel_event", "report_conflict"))  # fmt: skip


def _conflicts(draw: Draw, held: list[Event], ask: dict[str, Any]) -> _Found:
    day = _on(held, ask["day"])
    pairs = [(a, b) for a, b in itertools.combinations(day, 2) if b.start < a.end]
    steps = [
        Step(
            "; ".join(f"{e.id} {_told((e.start, e.end))}" for e in day) + "."
            if day
            else "There are no events that day.",
            "The events of the day by their start.",
        )
    ]
    for a, b in itertools.combinations(day, 2):
        if b.start < a.end:
            steps.append(Step(f"{a.id} and {b.id} overlap: {b.id} starts at {clock(b.start)}, before {clock(a.end)}."))
        elif b.start == a.end:
            steps.append(
                Step(
                    f"{a.id} and {b.id} only touch at {clock(a.end)}.",
                    slip=Slip(
                        f"{a.id} and {b.id} meet at {clock(a.end)}, so they collide.",
                        "One ends when the other starts; that is no overlap.",
                    ),
                )
            )
    calls: list[tuple[Tool, Args]] = [(_REPORT, {"first": a.id, "second": b.id}) for a, b in pairs]
    steps.append(
        Step(f"That makes {len(pairs)} to report." if pairs else "No two overlap, so there is nothing to report.")
    )
    return calls, steps, "Each event was compared with every later one of the day.", f"No events overlap on {written(ask['day'])}."  # fmt: skip


def _place(draw: Draw, ask: dict[str, Any], busy: list[Gap], opens: int, tool: Tool, args: Args, event: str) -> _Found:
    """Find the first gap that is long enough, and make the call with it."""
    n, closes = ask["n"], ask["closes"]
    wide = [(a - ask["buffer"], b + ask["buffer"]) for a, b in busy]
    gaps = _gaps(wide, opens, closes)
    steps = [
        Step(
            f"Busy: {', '.join(_told(b) for b in sorted(busy))}." if busy else "Nothing is booked that day.",
            f"What is there on {written(ask['day'])}?",
        )
    ]
    if ask["buffer"] and busy:
        steps.append(
            Step(
                f"With {ask['buffer']} minutes around each: {', '.join(_told(b) for b in sorted(wide))}.",
                "There has to be some time in between.",
            )
        )
    listed_gaps = ", ".join(f"{_told(gap)} ({gap[1] - gap[0]} min)" for gap in gaps)
    steps.append(
        Step(
            f"Free between {clock(opens)} and {clock(closes)}: {listed_gaps}."
            if gaps
            else f"Nothing is free between {clock(opens)} and {clock(closes)}."
        )
    )
    fitting = [gap for gap in gaps if gap[1] - gap[0] >= n]
    if not fitting:
        steps.append(Step(f"No gap has {n} minutes, so I add nothing and say so.", "Is one long enough?"))
        return (
            [],
            steps,
            f"The longest gap has {max((b - a for a, b in gaps), default=0)} minutes, and {n} are needed.",
            f"There is no room of {n} minutes on {written(ask['day'])} for {event}.",
        )
    start = fitting[0][0]
    short = [gap for gap in gaps if gap[0] < start]
    slip = (
        Slip(
            f"It could start at {clock(short[-1][0])}.",
            f"That gap has only {short[-1][1] - short[-1][0]} minutes, and {n} are needed.",
        )
        if short
        else None
    )
    steps.append(
        Step(
            f"The first with {n} minutes begins at {clock(start)}; the event ends at {clock(start + n)}.",
            "Which one is long enough?",
            slip,
        )
    )
    made = {**args, "start": clock(start)} | ({"end": clock(start + n)} if tool is _ADD else {})
    return [(tool, tool.ordered(made))], steps, f"From {clock(start)} to {clock(start + n)} nothing else is booked.", ""  # fmt: skip


def _slot(draw: Draw, held: list[Event], ask: dict[str, Any]) -> _Found:
    busy = [(e.start, e.end) for e in _on(held, ask["day"])]
    opens = ask["at"] if ask["kind"] == "fixed" else ask["opens"]
    return _place(draw, ask, busy, opens, _ADD, {"title": ask["title"], "date": ask["day"]}, f'"{ask["title"]}"')


def _common(draw: Draw, held: list[Event], ask: dict[str, Any]) -> _Found:
    mine = [(e.start, e.end) for e in _on(held, ask["day"])]
    theirs = [(a, b) for a, b in ask["busy"]]
    args = {"title": ask["title"], "date": ask["day"], "attendees": [ask["who"]]}
    calls, steps, check, none = _place(draw, ask, [*mine, *theirs], ask["opens"], _ADD, args, f'"{ask["title"]}"')
    both = Step(
        f"{ask['who']}: {', '.join(_told(b) for b in theirs)}. I take both calendars together.",
        "Two people have to be free.",
    )
    return calls, [both, *steps], check, none


def _moved(draw: Draw, held: list[Event], ask: dict[str, Any]) -> _Found:
    moved = next(event for event in held if event.id == ask["event"])
    busy = [(e.start, e.end) for e in _on(held, ask["day"]) if e is not moved]
    if moved.day == ask["day"]:
        raise Unfit
    length = Step(
        f"{moved.id} takes {ask['n']} minutes.", f"It is from {_told((moved.start, moved.end))} on {moved.day}."
    )
    calls, steps, check, none = _place(draw, ask, busy, ask["opens"], _MOVE, {"event_id": moved.id, "date": ask["day"]}, f'"{moved.title}"')  # fmt: skip
    return calls, [length, *steps], check, none


def _cancelled(draw: Draw, held: list[Event], ask: dict[str, Any]) -> _Found:
    day = _on(held, ask["day"])
    steps: list[Step] = []
    out: list[Event] = []
    for e in day:
        if ask["kind"] == "cancel person":
            goes, why = ask["who"] in e.people, f"with {listed(e.people)}" if e.people else "with nobody"
        else:
            goes, why = _falls(e, ask), f"{_told((e.start, e.end))}"
        out += [e] if goes else []
        steps.append(Step(f"{e.id}, {why}: {'goes' if goes else 'stays'}."))
    if not day:
        steps.append(Step("There is nothing that day."))
    steps.append(Step(f"To cancel: {listed([e.id for e in out])}." if out else "So there is nothing to cancel."))
    who = f"with {ask['who']} " if ask["kind"] == "cancel person" else "that this applies to "
    return [(_CANCEL, {"event_id": e.id}) for e in out], steps, f"Looked at: {len(day)}; to cancel: {len(out)}.", f"There is nothing {who}on {written(ask['day'])}, so I cancel nothing."  # fmt: skip


def _falls(event: Event, ask: dict[str, Any]) -> bool:
    """Whether an event has to go, by the form of the request."""
    if ask["form"] == 0:
        return event.end > ask["at"]
    if ask["form"] == 1:
        return event.start < ask["at"]
    return event.start < ask["until"] and event.end > ask["at"]


_KINDS = {"conflicts": _conflicts, "slot": _slot, "fixed": _slot, "common": _common, "move": _moved, "cancel person": _cancelled, "cancel time": _cancelled}  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """Read the calendar as it is shown and go through the day minute by minute."""
    ask, tools = facts["ask"], _BOXES[facts["style"]]
    kind = ask["kind"]
    day = [event for event in read(facts["layout"], facts["calendar"]) if event.day == ask["day"]]
    if kind == "conflicts":
        day.sort(key=lambda event: event.start)
        pairs = [
            (a, b)
            for i, a in enumerate(day)
            for b in day[i + 1 :]
            if set(range(a.start, a.end)) & set(range(b.start, b.end))
        ]
        return answer([(tools["report_conflict"], {"first": a.id, "second": b.id}) for a, b in pairs])
    if kind.startswith("cancel"):
        day.sort(key=lambda event: event.start)
        if kind == "cancel person":
            gone = [event for event in day if ask["who"] in event.people]
        else:
            bad = (range(ask["at"], 1440), range(ask["at"]), range(ask["at"], ask["until"]))[ask["form"]]
            gone = [event for event in day if any(minute in bad for minute in range(event.start, event.end))]
        return answer([(tools["cancel_event"], {"event_id": event.id}) for event in gone])
    taken = [False] * 3000
    blocked = [(e.start, e.end) for e in day if e.id != ask.get("event")] + [(a, b) for a, b in ask.get("busy", [])]
    for start, end in blocked:
        for minute in range(max(0, start - ask["buffer"]), end + ask["buffer"]):
            taken[minute] = True
    earliest = ask["at"] if kind == "fixed" else ask["opens"]
    begin = next((t for t in range(earliest, ask["closes"] - ask["n"] + 1) if not any(taken[t : t + ask["n"]])), None)
    if begin is None:
        return "[]"
    if kind == "move":
        return answer([(tools["move_event"], {"event_id": ask["event"], "date": ask["day"], "start": clock(begin)})])
    made: Args = {"title": ask["title"], "date": ask["day"], "start": clock(begin), "end": clock(begin + ask["n"])}
    if kind == "common":
        made["attendees"] = [ask["who"]]
    return answer([(tools["add_event"], made)])  # fmt: skip


PIPELINE = Solver(
    make, solve, knobs="level: 1 to 5 days with up to 6 events each, moves, buffers, two calendars", verifier="schema"
)
