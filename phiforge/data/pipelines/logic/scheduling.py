"""Scheduling: orders under constraints or none at all, projects, rooms, meetings, deadlines, as much as fits into a day.

`make` builds schedules and reasons about them; `solve` searches, scans the clock or tries all subsets.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.logic._search import search
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed, people, plural

_EVENTS = (
    ("talk", "conference", "on birds;on glaciers;on bridges;on bees;on tides;on fonts;on salt;on maps;on comets;on bread;on dunes;on clocks"),
    ("lesson", "music school", "for flute;for cello;for harp;for piano;for tuba;for violin;for oboe;for drums;for guitar;for organ"),
    ("scene", "film set", "with the ship;with the storm;with the duel;with the dance;with the train;with the horse;with the feast;with the fog;with the letter"),
    ("show", "radio station", "about gardens;about chess;about jazz;about cooking;about space;about trains;about sailing;about novels;about weather"),
    ("test", "laboratory", "of the pump;of the valve;of the lens;of the cable;of the brake;of the sensor;of the filter;of the rotor;of the battery"),
    ("class", "sports club", "in judo;in yoga;in rowing;in fencing;in tennis;in boxing;in diving;in climbing;in archery;in karate"),
    ("tour", "museum", "of the cellar;of the tower;of the garden;of the library;of the chapel;of the armoury;of the kitchen;of the gallery;of the attic"),
    ("exam", "college", "in algebra;in botany;in Latin;in optics;in history;in law;in music;in poetry;in surveying;in statistics"),
)  # fmt: skip
_PROJECTS = (
    ("build a shed", "level the ground;lay the floor;raise the walls;fit the roof;hang the door;paint the walls;put up shelves;lay the path"),
    ("open a café", "rent the room;paint the room;order the machines;hire the staff;train the staff;print the menu;install the counter;test the kitchen"),
    ("publish a book", "write the text;edit the text;draw the pictures;set the pages;design the cover;print the sheets;bind the copies;send out the copies"),
    ("stage a play", "choose the play;cast the roles;sew the costumes;build the scenery;rehearse the scenes;hang the lights;sell the tickets;hold the dress rehearsal"),
    ("release an app", "list the features;draw the screens;write the server;write the client;test the client;translate the texts;record a video;submit the app"),
    ("plan a garden", "measure the plot;test the soil;order the plants;dig the beds;lay the pipes;plant the hedge;sow the lawn;set the benches"),
    ("run an experiment", "write the plan;order the samples;build the rig;calibrate the rig;train the helpers;take the readings;analyse the data;write the report"),
    ("cook a banquet", "write the menu;buy the food;bake the bread;make the soup;roast the meat;lay the tables;prepare the salad;decorate the cake"),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_order, _project, _project, _most, _meeting),
        (_order, _project, _project, _rooms, _most, _meeting),
        (_order, _project, _project, _rooms, _most, _meeting, _deadlines),
        (_order, _order, _project, _project, _rooms, _most, _meeting, _deadlines),
        (_order, _order, _project, _project, _rooms, _most, _meeting, _deadlines),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


# --- an order for slots ----------------------------------------------------------------------------------------------


def _order(draw: Draw, level: int) -> Draft:
    """One thing in each slot, some before others, some not in some slots; perhaps impossible."""
    n = (3, 4, 4, 5, draw.between(5, 6))[level - 1]
    which = draw.between(0, len(_EVENTS) - 1)
    noun, place, endings = _EVENTS[which]
    kinds = draw.sample(endings.split(";"), n)
    names = [kind.split()[-1] for kind in kinds]
    right = draw.shuffled(names)
    at = {name: i + 1 for i, name in enumerate(right)}
    rules: list[tuple[str, list[Any]]] = []

    def rule(constraint: list[Any], *texts: str) -> None:
        if constraint not in [each for _, each in rules]:
            rules.append((draw.pick(texts), constraint))

    def before(a: str, b: str) -> None:
        rule(["before", a, b], f"{a} has to come before {b}", f"{b} can't begin until {a} is over", f"{a} must be earlier than {b}")  # fmt: skip

    for _ in range(n - 1 + level // 3):
        i, j = sorted(draw.sample(range(n), 2))
        a, b = right[i], right[j]
        match draw.between(0, 5):
            case 0 | 1 | 2:
                before(a, b)
            case 3:
                k = draw.pick([k for k in range(1, n + 1) if k != at[a]])
                rule(["is not", a, k], f"{a} can't be in slot {k}", f"slot {k} doesn't suit {a}")
            case 4 if j == i + 1:
                rule(["right before", a, b], f"{a} has to be directly followed by {b}", f"{b} comes right after {a}")
            case 4:
                rule(["not adjacent", a, b], f"{a} and {b} must not be in neighbouring slots", f"between {a} and {b} there has to be at least one other")  # fmt: skip
            case _:
                half = (n + 1) // 2
                if at[b] > half:
                    rule(["in", b, list(range(half + 1, n + 1))], f"{b} must be after slot {half}", f"{b} can be in slot {half + 1} at the earliest")  # fmt: skip
                else:
                    rule(["in", b, list(range(1, half + 1))], f"{b} must be in slot {half} or earlier", f"{b} can't be later than slot {half}")  # fmt: skip
    impossible = level > 1 and draw.chance(0.3)
    steps: list[Step] = []
    if impossible:
        a, b, c = draw.sample(names, 3)
        kind = draw.pick(("circle", "crowd", "chain"))
        if kind == "circle":
            before(a, b)
            before(b, c)
            before(c, a)
            steps = [
                Step(f"{a.capitalize()} is before {b}, and {b} is before {c}, so {a} is before {c}.", "Follow who has to wait for whom."),
                Step(f"But {c} has to be before {a}. Both can't be.", "", Slip(f"Begin with {a}, then.", f"It has to wait for {c}.")),
            ]  # fmt: skip
        elif kind == "crowd":
            for each in (a, b, c):
                rule(["in", each, [1, 2]], f"{each} must be in slot 1 or 2", f"{each} can't be later than slot 2")
            steps = [
                Step(f"{a.capitalize()}, {b} and {c} are all to be in slot 1 or 2.", "Look for the tightest part."),
                Step("Those are three for two slots, so one of them is left over.", "Each slot takes one only."),
            ]
        else:
            before(a, b)
            before(b, c)
            rule(["in", a, list(range(n - 1, n + 1))], f"{a} can be in slot {n - 1} at the earliest")
            steps = [
                Step(f"{a.capitalize()} is in slot {n - 1} or later.", "Look for the tightest part."),
                Step(f"Then {b} is in slot {n} at the earliest.", f"{b} comes after {a}."),
                Step(f"And {c} would need slot {n + 1}, which there isn't.", f"{c} comes after {b}.", Slip(f"So {c} is in slot {n}.", f"That is taken up by {b}, or by something later.")),
            ]  # fmt: skip
        steps.append(Step("So there is no such order."))
        answer, says = "impossible", "It can't be done."
        check = f"The other rules need not be looked at: {'these three' if kind != 'chain' else 'these'} alone can't be kept."
    else:
        for k, name in enumerate(right, 1):
            rest, last = right[k - 1 :], right[k - 2] if k > 1 else ""
            against = {x: _reason(x, k, last, rest, rules) for x in rest}
            free = [x for x in rest if not against[x]]
            out = [x for x in rest if against[x]]
            if len(rest) == 1:
                steps.append(Step(f"Slot {k}: {name}, the last one."))
                continue
            if len(free) == 1:
                say = f"Slot {k}: {name}; no other can be there."
            elif out:
                say = f"Slot {k}: {listed(free, 'or')} could be there, but not {listed(out, 'or')}. Take {name}."
            else:
                say = f"Slot {k}: nothing speaks against any of {listed(rest)}. Take {name}."
            slip = Slip(f"Slot {k}: {out[0]}.", f"That breaks a rule: {against[out[0]]}.") if out else None
            steps.append(Step(say, f"For slot {k}, {listed(rest)} are left.", slip))
        answer = ", ".join(f"{name}: {at[name]}" for name in names)
        says = f"One order that keeps all the rules: {', '.join(right)}."
        check = f"Rule by rule: {'; '.join(_kept(constraint, at) for _, constraint in rules)}."
    texts = [text for text, _ in draw.shuffled(rules)]
    form = draw.between(0, 2)
    things = listed([f"one {kind}" for kind in kinds])
    told = (
        f"At a {place}, {n} {plural(noun)} have to be put into slots 1 to {n}, one in each: {things}.",
        f"A {place} has slots 1 to {n} for {n} {plural(noun)}: {things}. Each gets a slot of its own.",
        f"{people(draw, 1)[0]} plans the day of a {place}: {n} {plural(noun)} ({things}) in {n} slots, numbered 1 to {n} in order of time.",
    )[form]
    rules_told = "\n".join(f"- {text[0].upper()}{text[1:]}." for text in texts) if draw.chance(0.5) else " ".join(f"{text[0].upper()}{text[1:]}." for text in texts)  # fmt: skip
    ask = draw.pick((f"Find an order. Answer like “{names[0]}: 2, {names[1]}: 1, …”, or “impossible” if there is none.", f"Give every {noun} its slot, in the form “{names[0]}: number, {names[1]}: number” and so on, or say “impossible”."))  # fmt: skip
    variables = {name: list(range(1, n + 1)) for name in names}
    model = [["different", *names], *(constraint for _, constraint in rules)]
    return Draft(
        question=f"{told}\n{rules_told}\n\n{ask}",
        answer=answer,
        facts={"kind": "order", "variables": variables, "constraints": model},
        template=f"order {impossible} {noun} {form}",
        steps=steps,
        says=says,
        given=f"There are {n} slots and {count(len(rules), 'rule')}.",
        check=check,
        verifier="logic",
        verifier_args={"variables": variables, "constraints": model},
    )


def _reason(x: str, k: int, last: str, rest: list[str], rules: list[tuple[str, list[Any]]]) -> str:
    """The rule that keeps a thing out of slot `k`, after `last` and with the rest still to come; empty if there is none."""
    for text, (kind, *terms) in rules:
        first, second = terms[0], terms[1]
        if kind in ("before", "right before") and second == x and first in rest:
            return text
        if kind == "right before" and ((first == last and second != x) or (second == x and first != last)):
            return text
        if kind == "not adjacent" and sorted((first, second)) == sorted((x, last)):
            return text
        if first == x and ((kind == "is not" and second == k) or (kind == "in" and k not in second)):
            return text
    return ""


def _kept(constraint: list[Any], at: dict[str, int]) -> str:
    kind, a, b = constraint
    if kind in ("before", "right before"):
        return f"{a} in {at[a]} is {'right ' if kind != 'before' else ''}before {b} in {at[b]}"
    if kind == "not adjacent":
        return f"{a} in {at[a]} and {b} in {at[b]} are not neighbours"
    return f"{a} in {at[a]} is allowed"


# --- projects --------------------------------------------------------------------------------------------------------


def _project(draw: Draw, level: int) -> Draft:
    """Tasks that wait for others, with enough hands: the earliest end."""
    n = (3, 4, 5, 6, draw.between(6, 8))[level - 1]
    which = draw.between(0, len(_PROJECTS) - 1)
    goal, tasks = _PROJECTS[which]
    every = tasks.split(";")
    chosen = sorted(draw.sample(range(len(every)), n))
    names = [every[i] for i in chosen]
    unit = draw.pick(("day", "hour", "week"))
    length = [draw.between(1, 9) for _ in names]
    needs = [sorted(draw.sample(range(i), min(i, draw.pick((0, 1, 1, 2) if i > 1 else (0, 1, 1))))) for i in range(n)]
    if all(not each for each in needs):
        needs[-1] = [0]
    starts, ends = [0] * n, [0] * n
    steps: list[Step] = []
    for i, name in enumerate(names):
        starts[i] = max((ends[j] for j in needs[i]), default=0)
        ends[i] = starts[i] + length[i]
        if not needs[i]:
            why = f"“{name}” waits for nothing."
            say = f"“{name}” ends after {count(ends[i], unit)}."
            slip = None
        else:
            why = f"“{name}” waits for {listed([f'“{names[j]}” ({ends[j]})' for j in needs[i]])}."
            say = f"“{name}” begins at {starts[i]} and ends at {starts[i]} + {length[i]} = {ends[i]}."
            early = min(ends[j] for j in needs[i])
            slip = Slip(f"It begins at {early}.", "It has to wait for the last of them, not the first.") if early != starts[i] else None  # fmt: skip
        steps.append(Step(say, why, slip))
    end = max(ends)
    total = sum(length)
    last = [names[i] for i in range(n) if ends[i] == end]
    steps.append(Step(f"The last to end {'is' if len(last) == 1 else 'are'} {listed([f'“{name}”' for name in last])}, at {end}.", "", Slip(f"Adding up all lengths gives {total}.", "But tasks that don't wait for each other run side by side.") if total != end else None))  # fmt: skip
    lines = []
    for i in draw.shuffled(range(n)):
        wait = f" (after {listed([f'“{names[j]}”' for j in needs[i]])})" if needs[i] else ""
        lines.append(f"“{names[i]}” takes {count(length[i], unit)}{wait}")
    form = draw.between(0, 3)
    who = people(draw, 1)[0]
    bullets = "\n" + "\n".join(f"- {line}" for line in lines) + "\n"
    told = "; ".join(lines)
    question = (
        f"To {goal}, {who} has these tasks: {told}. There are enough helpers for tasks to run side by side. After how many {unit}s can everything be done at the earliest?",
        f"{who} wants to {goal}. The tasks:{bullets}Tasks that need not wait can run at the same time. How many {unit}s does it take at least?",
        f"A team is to {goal}: {told}. Several tasks may go on at once. What is the shortest possible time, in {unit}s?",
        f"These tasks are needed to {goal}:{bullets}With any number of helpers, find the least number of {unit}s until the end.",
    )[form]
    path = [max(range(n), key=lambda i: ends[i])]
    while needs[path[-1]]:
        path.append(max(needs[path[-1]], key=lambda j: ends[j]))
    chain = " + ".join(str(length[i]) for i in reversed(path))
    return Draft(
        question=question,
        answer=str(end),
        facts={"kind": "project", "length": length, "needs": needs},
        template=f"project {goal} {form}",
        steps=steps,
        says=f"It takes {count(end, unit)}.",
        given=f"{n} tasks; each begins as soon as all that it waits for is done.",
        check=f"The longest chain of waiting is {', '.join(f'“{names[i]}”' for i in reversed(path))}: {chain} = {end}. Nothing can make it shorter."
        if len(path) > 1
        else f"“{names[path[0]]}” alone takes {end}, and all others fit in beside it.",
    )  # fmt: skip


# --- times of day ----------------------------------------------------------------------------------------------------


def _day(draw: Draw, n: int, step: int, names: list[str]) -> list[tuple[str, int, int]]:
    """Things with their begin and end, in order of the names; no two equal."""
    found: list[tuple[str, int, int]] = []
    while len(found) < n:
        begin = 540 + step * draw.between(0, 480 // step)
        end = begin + step * draw.between(1 if step > 20 else 2, 150 // step)
        if (begin, end) not in [each[1:] for each in found]:
            found.append((names[len(found)], begin, end))
    return found


def _span(begin: int, end: int) -> str:
    return f"{_clock(begin)}–{_clock(end)}"


def _programme(draw: Draw, n: int, step: int) -> tuple[str, str, list[tuple[str, int, int]]]:
    noun, place, endings = _EVENTS[draw.between(0, len(_EVENTS) - 1)]
    names = [f"{noun} {kind}" for kind in draw.sample(endings.split(";"), n)]
    return noun, place, _day(draw, n, step, names)


def _rooms(draw: Draw, level: int) -> Draft:
    n = draw.between(3 + level // 2, 4 + level)
    noun, place, events = _programme(draw, n, draw.pick((15, 30)))
    ordered = sorted(events, key=lambda each: each[1:])
    steps: list[Step] = []
    most, peak = 0, 0
    for begin in dict.fromkeys(each[1] for each in ordered):
        on = [each for each in ordered if each[1] <= begin < each[2]]
        new = [f"the {name}, until {_clock(b)}" for name, a, b in ordered if a == begin]
        just = [each for each in ordered if each[2] == begin]
        slip = Slip(f"At {_clock(begin)} {count(len(on) + len(just), 'room')} would be in use.", f"The {just[0][0]} ends at that very moment and leaves its room.") if just else None  # fmt: skip
        if len(on) > most:
            most, peak = len(on), begin
        running = listed([f"the {each[0]}" for each in on])
        steps.append(Step(f"At {_clock(begin)}: {running}, so {count(len(on), 'room')}.", f"{'These begin' if len(new) > 1 else 'This begins'}: {listed(new)}.", slip))  # fmt: skip
    steps.append(Step(f"The most at any time is {most}."))
    form = draw.between(0, 3)
    told = "; ".join(f"the {name} {_span(b, e)}" for name, b, e in events)
    question = (
        f"At a {place} there are these {plural(noun)}: {told}. No two can share a room at the same time, but a room is free again at the moment when something in it ends. How many rooms are needed at least?",
        f"Rooms are to be booked at a {place}: {told}. A room can be used again as soon as it is free. What is the least number of rooms?",
        f"{people(draw, 1)[0]} finds rooms for {len(events)} {plural(noun)} of a {place}: {told}. Each needs a room of its own from beginning to end; one may begin just when another ends. What is the smallest number of rooms that will do?",
        f"The programme of a {place} reads: {told}. How few rooms are enough, if what ends at a time does not disturb what begins then?",
    )[form]
    return Draft(
        question=question,
        answer=str(most),
        facts={"kind": "rooms", "spans": [[b, e] for _, b, e in events]},
        template=f"rooms {noun} {form}",
        steps=steps,
        says=f"{count(most, 'room').capitalize()} {'is' if most == 1 else 'are'} needed.",
        given="As many rooms are needed as there are things going on at once; that number can only grow when one begins.",
        check=f"At {_clock(peak)} {most} are on at once, so fewer won't do, and at each beginning one of {most} is free."
        if most > 1
        else "No two are ever on at once, so one room is enough.",
    )


def _most(draw: Draw, level: int) -> Draft:
    n = draw.between(3 + level // 2, 4 + level)
    noun, place, events = _programme(draw, n, draw.pick((15, 30)))
    steps: list[Step] = []
    free, taken = 0, list[str]()
    for name, begin, end in sorted(events, key=lambda each: (each[2], each[1])):
        if begin >= free:
            last = f" at {_clock(free)} or later" if taken else ""
            steps.append(Step(f"Take the {name}, {_span(begin, end)}.", f"Of those that begin{last}, it ends first." if taken else "The one that ends first leaves most of the day.", Slip("Take the one that begins first.", "That one may last so long that it blocks others.") if not taken else None))  # fmt: skip
            taken.append(name)
            free = end
        else:
            steps.append(Step(f"Leave out the {name}: it begins at {_clock(begin)}, before {_clock(free)}."))
    steps.append(Step(f"That makes {len(taken)}: {listed([f'the {name}' for name in taken])}."))
    who = people(draw, 1)[0]
    form = draw.between(0, 3)
    told = "; ".join(f"the {name} {_span(b, e)}" for name, b, e in events)
    question = (
        f"{who} wants to attend as many {plural(noun)} of a {place} as possible, each from beginning to end: {told}. How many can {who.they} attend at most? Going from one to the next takes no time.",
        f"One camera team is to record {plural(noun)} at a {place}, each in full: {told}. What is the greatest number that it can record? It may begin one as soon as another ends.",
        f"Only one room is left at a {place}, and these ask for it: {told}. How many of them can be held in it at most, if none overlap?",
        f"The {plural(noun)} of a {place}: {told}. What is the largest number of them of which no two overlap? (One may begin when another ends.)",
    )[form]
    return Draft(
        question=question,
        answer=str(len(taken)),
        facts={"kind": "most", "spans": [[b, e] for _, b, e in events]},
        template=f"most {noun} {form}",
        steps=steps,
        says=f"At most {len(taken)}.",
        given=f"There are {n} to choose from; go through them by their ends.",
        check="Always taking the one that ends first never blocks more than another choice would, so no plan has more.",
    )


def _meeting(draw: Draw, level: int) -> Draft:
    """The earliest time at which everybody is free."""
    who = people(draw, 2 + (level > 1) + (level > 4))
    length = draw.pick((30, 45, 60, 90))
    begin, end = draw.pick((480, 510, 540)), draw.pick((960, 990, 1020))
    busy: list[list[list[int]]] = []
    for _ in who:
        spans: list[list[int]] = []
        at = begin + 15 * draw.between(0, 4)
        while at < end - 60 and len(spans) < 2 + level // 2 + 1:
            stop = min(end, at + 15 * draw.between(2, 8))
            spans.append([at, stop])
            at = stop + 15 * draw.between(1, 5)
        busy.append(spans)
    merged: list[list[int]] = []
    for a, b in sorted(span for spans in busy for span in spans):
        if merged and a <= merged[-1][1]:
            merged[-1][1] = max(b, merged[-1][1])
        else:
            merged.append([a, b])
    at, found = begin, -1
    steps = [Step(f"Somebody is busy {listed([_span(a, b) for a, b in merged])}.", "Put all busy times together, joining those that touch or overlap.")]  # fmt: skip
    for a, b in [*merged, [end, end]]:
        gap = a - at
        if gap >= length:
            found = at
            steps.append(Step(f"{_span(at, a)} is free for all: {gap} minutes, enough for {length}.", "", Slip(f"{_span(at, a)} is a gap, but not for everyone.", "It is outside all busy times that I have put together.")))  # fmt: skip
            break
        if gap > 0:
            steps.append(Step(f"{_span(at, a)} is free, but only {gap} minutes, and {length} are needed.", "Go through the gaps in order." if len(steps) == 1 else ""))  # fmt: skip
        at = max(at, b)
    answer = _clock(found) if found >= 0 else "impossible"
    if found < 0:
        steps.append(Step("No gap is long enough."))
    calendars = [f"{person} is busy {listed([_span(a, b) for a, b in spans])}" for person, spans in zip(who, busy, strict=True)]  # fmt: skip
    names = listed([str(person) for person in who])
    form = draw.between(0, 3)
    bullets = "\n" + "\n".join(f"- {line}" for line in calendars) + "\n"
    told = ". ".join(calendars)
    window = f"between {_clock(begin)} and {_clock(end)}"
    what = draw.pick(("meet", "talk", "rehearse", "study together", "look at a flat", "have a call", "play a match", "review a plan"))  # fmt: skip
    question = (
        f"{names} want to {what} for {length} minutes {window}. {told}. When can they begin at the earliest?",
        f"Find a time for {names} to {what}: {length} minutes in a row, {window}.{bullets}What is the earliest start?",
        f"{told}. All of them want to {what} for {length} minutes, not before {_clock(begin)} and to be over by {_clock(end)}. What is the earliest possible start?",
        f"The calendars for today:{bullets}At what time can {names} first {what}, if it takes {length} minutes and has to lie {window}?",
    )[form] + " Give the time as h:mm, or “impossible”."
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "meeting", "busy": busy, "length": length, "begin": begin, "end": end},
        template=f"meeting {what} {form}",
        steps=steps,
        says=f"The earliest start is {answer}." if found >= 0 else "There is no such time.",
        given=f"{len(who)} calendars, {length} minutes {window}.",
        check=f"From {answer} to {_clock(found + length)} nobody has an appointment, and each earlier gap is too short."
        if found >= 0
        else f"The gaps are all shorter than {length} minutes.",
        verifier="choice",
        verifier_args={"aliases": [f"0{answer}"] if len(answer) == 4 else []},
    )


# --- deadlines -------------------------------------------------------------------------------------------------------


def _deadlines(draw: Draw, level: int) -> Draft:
    """One worker, jobs with deadlines: can all be in time?"""
    n = level + draw.between(0, 1)
    for _ in range(20):
        jobs = [(draw.between(1, 8), 0) for _ in range(n)]
        at, dated = 0, list[tuple[int, int]]()
        for length, _ in jobs:
            at += length
            dated.append((length, max(length, at + draw.between(-2, 4))))
        if len({due for _, due in dated}) == n:
            break
    else:
        raise Unfit
    what = draw.pick(("report", "repair", "order", "print job", "cake", "drawing", "translation", "delivery", "coat", "model", "batch", "file"))  # fmt: skip
    unit = draw.pick(("day", "hour"))
    letters = draw.sample("ABCDEFGHKLMPRSTV", n)
    jobs = dict(zip(letters, draw.shuffled(dated), strict=True))
    order = sorted(jobs, key=lambda name: jobs[name][1])
    at, late, steps = 0, "", [Step(f"By deadline: {', '.join(order)}.", "With one worker, go in the order of the deadlines; if that fails, every order fails.", Slip("Take the shortest jobs first.", "That would be good for the average, not for deadlines."))]  # fmt: skip
    for name in order:
        length, due = jobs[name]
        at += length
        steps.append(Step(f"{name} ends at {at - length} + {length} = {at}, {'in time' if at <= due else 'too late'} for {due}."))  # fmt: skip
        if at > due:
            late = name
            break
    possible = not late
    if late:
        until = order[: order.index(late) + 1]
        steps.append(Step(f"{listed(until) if len(until) > 1 else late} together take {at} and all have to be done by {jobs[late][1]}."))  # fmt: skip
        check = f"In any order, the last of {listed(until) if len(until) > 1 else late} ends at {at} or later, and {jobs[late][1]} is the latest of their deadlines."
    else:
        check = f"The order {', '.join(order)} keeps every deadline; the work ends at {at}."
    told = listed([f"{name} takes {count(jobs[name][0], unit)} and is due after {jobs[name][1]}" for name in letters])  # fmt: skip
    who = people(draw, 1)[0]
    form = draw.between(0, 2)
    question = (
        f"{who} has {n} {plural(what)} to do, one at a time: {told}. Can all be finished in time?",
        f"One worker, {n} {plural(what)}: {told}. Is there an order that keeps all the deadlines?",
        f"A small firm can work on one {what} at a time. {told}. Deadlines count in {unit}s from now. Is it possible to meet all of them?",
    )[form] + " Answer “possible” or “impossible”."
    return Draft(
        question=question,
        answer="possible" if possible else "impossible",
        facts={"kind": "deadlines", "jobs": [list(jobs[name]) for name in letters]},
        template=f"deadlines {what} {form}",
        steps=steps,
        says=f"It is {'possible' if possible else 'impossible'}.",
        given=f"{n} jobs for one worker, without breaks, beginning at 0.",
        check=check,
        verifier="choice",
        verifier_args={"aliases": ["yes"] if possible else ["no", "not possible"]},
    )


# --- the independent solver ------------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """Search, scan and try."""
    kind = facts["kind"]
    if kind == "order":
        found = next(search(facts["variables"], facts["constraints"]), None)
        return ", ".join(f"{name}: {slot}" for name, slot in found.items()) if found else "impossible"
    if kind == "project":
        end = list(facts["length"])
        for _ in end:  # relax until nothing changes
            for i, needs in enumerate(facts["needs"]):
                for j in needs:
                    end[i] = max(end[i], end[j] + facts["length"][i])
        return str(max(end))
    if kind == "rooms":  # give each the first room that is free
        rooms: list[int] = []
        for begin, end in sorted(facts["spans"]):
            free = next((i for i, until in enumerate(rooms) if until <= begin), None)
            if free is None:
                rooms.append(end)
            else:
                rooms[free] = end
        return str(len(rooms))
    if kind == "most":  # the best plan that ends by each moment
        spans = sorted(facts["spans"], key=lambda span: span[1])
        best = [0] * len(spans)
        for i, (begin, _) in enumerate(spans):
            best[i] = 1 + max((best[j] for j in range(i) if spans[j][1] <= begin), default=0)
        return str(max(best))
    if kind == "meeting":
        for start in range(facts["begin"], facts["end"] - facts["length"] + 1, 15):
            stop = start + facts["length"]
            if all(stop <= a or b <= start for spans in facts["busy"] for a, b in spans):
                return f"{start // 60}:{start % 60:02d}"
        return "impossible"
    return "possible" if any(_in_time(order) for order in permutations(facts["jobs"])) else "impossible"


def _in_time(order: tuple[list[int], ...]) -> bool:
    at = 0
    for length, due in order:
        at += length
        if at > due:
            return False
    return True


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 3 to 6 slots, 3 to 8 tasks, 3 to 9 events; deadlines from 3; impossible ones from 2",
    verifier="logic",
)
