"""Keeping track: shell games, things moved between boxes, nested containers, light switches, piles, repeated shuffles, beliefs.

`make` follows what happens, one event after another; `solve` goes backwards, counts, or asks only about the thing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import article, count, listed, people

_THINGS = (
    "key", "coin", "ring", "button", "marble", "stamp", "letter", "map", "shell", "feather", "pen", "torch", "whistle", "badge", "spoon",
    "candle", "domino", "magnet", "ticket", "photo", "thimble", "bell", "bead", "watch",
)  # fmt: skip
_COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "orange", "purple", "grey")
_HOLDERS = ("box", "bag", "drawer", "basket", "tin", "jar", "case", "bucket", "chest", "pouch")
_PILES = (
    ("marble", "jar"), ("book", "shelf"), ("apple", "basket"), ("coin", "purse"), ("brick", "stack"), ("letter", "tray"), ("bottle", "crate"),
    ("sheep", "field"), ("token", "bowl"), ("card", "deck"), ("potato", "sack"), ("egg", "nest"), ("log", "pile"), ("chair", "room"),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds: tuple[tuple[Callable[[Draw, int], Draft], ...], ...] = (
        (_swaps, _moves, _piles),
        (_swaps, _moves, _piles, _lights),
        (_swaps, _moves, _nested, _piles, _lights),
        (_swaps, _nested, _piles, _lights, _belief, _belief),
        (_swaps, _nested, _piles, _lights, _belief, _cycle, _cycle),
    )
    return draw.pick(kinds[level - 1])(draw, level)


# --- swaps -----------------------------------------------------------------------------------------------------------

_TRADES = (
    ("hold a ball each", "ball", "swap balls", _COLOURS), ("wear a hat each", "hat", "swap hats", _COLOURS), ("have one book each", "book", "swap books", ("atlas", "novel", "diary", "cookbook", "comic", "songbook", "guide")),
    ("play different instruments", "instrument", "change instruments", ("flute", "violin", "drum", "guitar", "harp", "trumpet", "cello")), ("each have a job in the kitchen", "job", "trade jobs", ("cooking", "washing up", "serving", "baking", "shopping", "sweeping")),
    ("sit on chairs of different colours", "chair", "change chairs", _COLOURS), ("each lead a dog", "dog", "exchange leads", ("poodle", "spaniel", "terrier", "beagle", "collie", "boxer")), ("drive one car each", "car", "swap cars", _COLOURS),
    ("play in different positions", "position", "change positions", ("goalkeeper", "striker", "defender", "winger", "sweeper")), ("each have a key to one room", "key", "swap keys", ("attic", "cellar", "library", "garage", "workshop", "chapel")),
)  # fmt: skip


def _swaps(draw: Draw, level: int) -> Draft:
    n = (3, 3, 4, 5, 5)[level - 1]
    who = [p.name for p in people(draw, n)]
    which = draw.between(0, len(_TRADES) - 1)
    told, noun, swap, values = _TRADES[which]
    has = dict(zip(who, draw.sample(values, n), strict=True))
    begin = dict(has)
    pairs: list[list[str]] = []
    sentences: list[str] = []
    steps: list[Step] = []
    for i in range(2 + level + draw.between(0, 1)):
        a, b = draw.sample(who, 2)
        while pairs and sorted((a, b)) == sorted(pairs[-1]):
            a, b = draw.sample(who, 2)
        pairs.append([a, b])
        has[a], has[b] = has[b], has[a]
        word = ("First", "Then", "Next", "After that", "Then", "Later", "Then", "Finally")[min(i, 7)]
        sentences.append(f"{word} {a} and {b} {swap}.")
        slip = Slip(f"Now {a} has {begin[b]}.", f"That was {b}'s at the start, but {b} had {has[a]} by now.") if begin[b] != has[a] else None  # fmt: skip
        steps.append(Step(f"{', '.join(f'{name}: {value}' for name, value in has.items())}.", f"{a} had {has[b]} and {b} had {has[a]}; they change over.", slip))  # fmt: skip
    form = draw.between(0, 1)
    start = "; ".join(f"{name}: {value}" for name, value in begin.items())
    if form:
        name = draw.pick(who)
        ask = draw.pick((f"Which {noun} does {name} have at the end?", f"What is {name}'s {noun} in the end?"))
        answer, about = has[name], {"of": name}
        says = f"In the end {name} has {answer}."
    else:
        value = draw.pick(list(has.values()))
        answer = next(name for name in who if has[name] == value)
        ask = draw.pick((f"Who has {value} at the end?", f"With whom is {value} in the end?"))
        about = {"where": value}
        says = f"In the end {value} is with {answer}."
    lead = draw.pick(("At first it is like this", "In the beginning", "They start with"))
    return Draft(
        question=f"{listed(who)} {told}. {lead}: {start}. {' '.join(sentences)} {ask}",
        answer=answer,
        facts={"kind": "swaps", "begin": begin, "pairs": pairs, **about},
        template=f"swaps {noun} {form} {len(pairs)}",
        steps=steps,
        says=says,
        given=f"At the start: {start}.",
        check=f"In the end all have something different: {'; '.join(f'{name}: {value}' for name, value in has.items())}.",
        verifier="choice",
        verifier_args={"aliases": [f"the {answer}", f"{answer} {noun}", f"the {answer} {noun}"]} if form else {},
    )


# --- things in boxes -------------------------------------------------------------------------------------------------


def _holders(draw: Draw, n: int) -> list[str]:
    """Names of containers, "the red box"."""
    if draw.chance(0.5):
        kind = draw.pick(_HOLDERS)
        return [f"the {colour} {kind}" for colour in draw.sample(_COLOURS, n)]
    return [f"the {kind}" for kind in draw.sample(_HOLDERS, n)]


def _moves(draw: Draw, level: int) -> Draft:
    """Things put into containers, moved one by one or poured over together."""
    places = _holders(draw, 2 + (level + 1) // 2)
    things = draw.sample(_THINGS, 2 + level)
    at = {thing: draw.pick(places) for thing in things}
    begin = dict(at)
    names = people(draw, 2)
    events: list[list[str]] = []
    told: list[str] = []
    steps: list[Step] = []
    for _ in range(2 + 2 * level):
        who = draw.pick(names)
        full = [place for place in places if place in at.values()]
        if draw.chance(0.25):
            source = draw.pick(full)
            goal = draw.pick([place for place in places if place != source])
            moved = [thing for thing in things if at[thing] == source]
            events.append(["all", source, goal])
            told.append(draw.pick((f"{who} empties {source} into {goal}.", f"{who} puts everything from {source} into {goal}.")))  # fmt: skip
            for thing in moved:
                at[thing] = goal
            steps.append(Step(f"{source[0].upper()}{source[1:]} is empty now, and {listed([f'the {t}' for t in moved])} {'is' if len(moved) == 1 else 'are'} in {goal}.", f"Everything that was in {source} goes into {goal}: {listed([f'the {t}' for t in moved])}.", Slip("Only what was there at the start moves.", "What has been added since moves as well.") if any(begin[t] != source for t in moved) else None))  # fmt: skip
        else:
            thing = draw.pick(things)
            goal = draw.pick([place for place in places if place != at[thing]])
            events.append(["one", thing, goal])
            told.append(draw.pick((f"{who} moves the {thing} to {goal}.", f"{who} takes the {thing} out of {at[thing]} and puts it into {goal}.", f"The {thing} goes from {at[thing]} into {goal}.")))  # fmt: skip
            old = at[thing]
            at[thing] = goal
            steps.append(Step(f"The {thing} is in {goal}.", f"It leaves {old}."))
    contents = listed([f"the {thing} is in {place}" for thing, place in begin.items()])
    form = draw.between(0, 1)
    base = f"At first {contents}. {' '.join(told)}"
    if form:
        thing = draw.pick([t for t in things if at[t] != begin[t]] or things)
        answer, about, verifier = at[thing], {"of": thing}, "choice"
        ask = draw.pick((f"Where is the {thing} now?", f"In which container is the {thing} at the end?"))
        says = f"The {thing} is in {answer}."
        args: dict[str, Any] = {"aliases": [answer.removeprefix("the "), f"in {answer}"]}
    else:
        place = draw.pick(places)
        here = [thing for thing in things if at[thing] == place]
        answer, about, verifier, args = str(len(here)), {"in": place}, "math", {}
        ask = draw.pick((f"How many of these things are in {place} at the end?", f"How many things does {place} hold now?"))  # fmt: skip
        says = f"{place[0].upper()}{place[1:]} holds {answer}."
        steps.append(Step(f"At the end: {', '.join(f'the {thing} in {where}' for thing, where in at.items())}."))
        steps.append(Step(f"In {place} {'is' if len(here) < 2 else 'are'} {listed([f'the {t}' for t in here]) if here else 'nothing'}."))  # fmt: skip
    return Draft(
        question=f"{base} {ask}",
        answer=answer,
        facts={"kind": "moves", "begin": begin, "events": events, **about},
        template=f"moves {form} {places[0].split()[-1]} {len(events)}",
        steps=steps,
        says=says,
        given=f"{len(things)} things in {len(places)} containers.",
        check=f"In the end {listed([f'the {thing} is in {place}' for thing, place in at.items()])}.",
        verifier=verifier,
        verifier_args=args,
    )


def _nested(draw: Draw, level: int) -> Draft:
    """Containers in containers, carried to rooms by people; where is a small thing?"""
    rooms = draw.sample(("kitchen", "cellar", "attic", "garage", "study", "hall", "garden", "library", "workshop", "bedroom", "pantry", "balcony"), 3 + level // 3)  # fmt: skip
    holders = draw.sample(_HOLDERS, 2 + level // 2)
    thing = draw.pick([t for t in _THINGS if t not in holders])
    who = people(draw, 2)
    inside: dict[str, str] = {holder: draw.pick(rooms) for holder in holders}
    inside[thing] = draw.pick(holders)
    begin = dict(inside)
    told = [f"The {holder} is in the {inside[holder]}." for holder in holders] + [f"The {thing} is in the {inside[thing]}."]  # fmt: skip
    events: list[list[str]] = []
    steps: list[Step] = []

    def room(name: str) -> str:
        while name not in rooms:
            name = inside[name]
        return name

    steps.append(Step(f"The {thing} is in the {inside[thing]}, which is in the {room(thing)}."))
    for _ in range(2 + level):
        mover = draw.pick(who)
        outer = [h for h in holders if inside[h] in rooms]
        lot = draw.random()
        if lot < 0.25 and len(outer) > 1:
            a, b = draw.sample(outer, 2)
            inside[a] = b
            events.append([a, b])
            told.append(f"{mover} puts the {a}, with whatever it holds, into the {b}.")
        elif lot < 0.45:
            goal = draw.pick([h for h in holders if h != inside[thing]])
            inside[thing] = goal
            events.append([thing, goal])
            told.append(f"{mover} takes the {thing} and puts it into the {goal}.")
        else:
            moved = draw.pick(outer)
            goal = draw.pick([r for r in rooms if r != inside[moved]])
            inside[moved] = goal
            events.append([moved, goal])
            told.append(f"{mover} carries the {moved} to the {goal}.")
        item, place = events[-1]
        chain = [thing]
        while chain[-1] not in rooms:
            chain.append(inside[chain[-1]])
        if item in chain[:-1]:
            slip = Slip(f"The {thing} itself is not moved, so nothing changes for it.", f"It is in the {item}.") if item != thing else None  # fmt: skip
            steps.append(Step(f"The {thing}: {' in the '.join(chain[1:])}.".replace(": ", ": in the "), f"The {item} goes to the {place}." if place in rooms else f"The {item} goes into the {place}.", slip))  # fmt: skip
        else:
            steps.append(Step(f"The {thing} stays in the {room(thing)}.", f"The {item} is moved, but the {thing} is not in it."))  # fmt: skip
    answer = room(thing)
    steps.append(Step(f"So the {thing} is in the {answer}."))
    ask = draw.pick((f"In which room is the {thing} now?", f"Where in the house is the {thing} at the end? Name the room.", f"{draw.pick(people(draw, 1)).name} looks for the {thing}. In which room is it?"))  # fmt: skip
    return Draft(
        question=f"{' '.join(told)} {ask}",
        answer=answer,
        facts={"kind": "nested", "begin": begin, "events": events, "of": thing, "rooms": rooms},
        template=f"nested {thing} {len(holders)} {len(events)}",
        steps=steps,
        says=f"The {thing} is in the {answer}.",
        given=f"Only the {thing} matters, with whatever it is inside of.",
        check=f"From the inside out: the {thing} is in the {inside[thing]}, and that ends up in the {answer}.",
        verifier="choice",
        verifier_args={"aliases": [f"the {answer}", f"in the {answer}"]},
    )


# --- switches and piles ----------------------------------------------------------------------------------------------


def _lights(draw: Draw, level: int) -> Draft:
    """Switches that turn over several lamps each."""
    n = 3 + level // 2
    what = draw.pick(("lamp", "window", "valve", "tile", "flag", "gate", "screen", "card"))
    on, off = {"lamp": ("on", "off"), "window": ("open", "closed"), "valve": ("open", "shut"), "tile": ("white", "black"), "flag": ("up", "down"), "gate": ("open", "closed"), "screen": ("lit", "dark"), "card": ("face up", "face down")}[what]  # fmt: skip
    state = [draw.chance(0.5) for _ in range(n)]
    begin = list(state)
    marks = draw.sample("ABCDEFGHKLMNPQRST", 2 + level // 2)
    switches = {mark: sorted(draw.sample(range(n), draw.between(2, n - 1))) for mark in marks}
    presses = [draw.pick(marks) for _ in range(2 + level + draw.between(0, 1))]
    steps: list[Step] = []
    for mark in presses:
        for i in switches[mark]:
            state[i] = not state[i]
        steps.append(Step(f"{mark}: {listed([f'{i + 1} is {on if state[i] else off}' for i in switches[mark]])}.", f"{mark} turns over {listed([str(i + 1) for i in switches[mark]])}."))  # fmt: skip
    twice = [mark for mark in marks if presses.count(mark) > 1]
    begins = listed([f"{what} {i + 1} is {on if value else off}" for i, value in enumerate(begin)])
    wiring = "; ".join(f"{mark} turns over {listed([str(i + 1) for i in parts])}" for mark, parts in switches.items())
    who = people(draw, 1)[0]
    ask = draw.pick(("count", "which", "which"))
    good = [i for i in range(n) if state[i]]
    if ask == "which" and not good:
        ask = "count"
    form = draw.between(0, 1)
    base = (
        f"At first {begins}. There are buttons: {wiring}. (To turn over means: {on} becomes {off} and {off} becomes {on}.) {who} presses {', '.join(presses)}, in this order.",
        f"{who} stands before {count(n, what)} and {len(marks)} buttons. Button by button: {wiring}, so that what was {on} is {off} and the other way round. In the beginning {begins}. The buttons are pressed in the order {', '.join(presses)}.",
    )[form]
    if ask == "count":
        answer, verifier, args = str(len(good)), "math", {}
        question = f"How many of the {what}s are {on} at the end?"
        says = f"{answer} of them {'is' if len(good) == 1 else 'are'} {on}."
        steps.append(Step(f"{on.capitalize()}: {listed([str(i + 1) for i in good]) if good else 'none'}. That makes {answer}."))  # fmt: skip
    else:
        answer, verifier, args = ", ".join(str(i + 1) for i in good), "choice", {"unordered": True}
        question = f"Which {what}s are {on} at the end? Give their numbers, separated by commas."
        says = f"These are {on}: {answer}."
        steps.append(Step(f"So {on} {'are' if len(good) > 1 else 'is'} {listed([str(i + 1) for i in good])}."))
    pairs = f"{listed(twice)} {'was' if len(twice) == 1 else 'were'} pressed more than once, and two presses undo each other. " if twice else ""  # fmt: skip
    return Draft(
        question=f"{base} {question}",
        answer=answer,
        facts={"kind": "lights", "begin": begin, "switches": switches, "presses": presses, "ask": ask},
        template=f"lights {what} {ask} {form}",
        steps=steps,
        says=says,
        given=f"At the start {begins}.",
        check=f"{pairs}Counted by {what}, the numbers of changes are {listed([str(sum(i in switches[m] for m in presses)) for i in range(n)])}; an odd number of changes means the opposite of the start.",
        verifier=verifier,
        verifier_args=args,
    )


def _piles(draw: Draw, level: int) -> Draft:
    """Amounts that go from one to another; how many at the end, or at the start."""
    thing, _ = draw.pick(_PILES)
    many = "sheep" if thing == "sheep" else "potatoes" if thing == "potato" else f"{thing}s"
    who = [p.name for p in people(draw, 2 + (level > 1) + (level > 3))]
    has = {name: draw.between(6, 12 + 8 * level) for name in who}
    begin = dict(has)
    events: list[list[Any]] = []
    told: list[str] = []
    steps: list[Step] = []
    for _ in range(2 + level):
        a, b = draw.sample(who, 2)
        kind = draw.pick(("give", "give", "half", "double") if level > 2 else ("give",))
        if kind == "half" and has[a] % 2 == 0 and has[a]:
            n = has[a] // 2
            told.append(f"{a} gives half of what {a} has to {b}.")
            events.append(["half", a, b])
        elif kind == "double" and has[a] > has[b] > 0:
            n = has[b]
            told.append(f"{a} gives {b} as many as {b} has already.")
            events.append(["double", a, b])
        else:
            if has[a] < 2:
                a, b = b, a
            n = draw.between(1, max(1, has[a] - 1)) if has[a] < 12 else draw.between(2, 12)
            told.append(draw.pick((f"{a} gives {count(n, thing, many)} to {b}.", f"{b} gets {count(n, thing, many)} from {a}.", f"{b} takes {count(n, thing, many)} away from {a}.")))  # fmt: skip
            events.append([n, a, b])
        old = has[a], has[b]
        has[a] -= n
        has[b] += n
        slip = Slip(f"{a} gives {begin[a] // 2}.", f"Half of what {a} has now, not of what {a} had at first.") if events[-1][0] == "half" and begin[a] // 2 != n else None  # fmt: skip
        steps.append(Step(f"{a} gives {n} to {b}: {a} has {old[0]} − {n} = {has[a]}; {b} has {old[1]} + {n} = {has[b]}.", "" if isinstance(events[-1][0], int) else f"That is {n}.", slip))  # fmt: skip
    backwards = level > 2 and draw.chance(0.4)
    name = draw.pick(who)
    total = sum(has.values())
    form = draw.between(0, 1)
    if backwards:
        ends = listed([f"{p} has {has[p]}" for p in who])
        question = (
            f"{listed(who)} have some {many}. {' '.join(told)} Now {ends}. How many {many} did {name} have at the start?",
            f"Nobody remembers how many {many} {listed(who)} had. But this happened: {' '.join(told)} In the end {ends}. How many had {name} at first?",
        )[form]
        steps = []
        now = dict(has)
        for event in reversed(events):
            what, a, b = event
            n = what if isinstance(what, int) else now[a] if what == "half" else now[b] // 2
            now[a] += n
            now[b] -= n
            why = "" if isinstance(what, int) else f"After giving half, {a} had {n} left, so {n} had been given." if what == "half" else f"{b} had been doubled, so {n} had been given."  # fmt: skip
            steps.append(Step(f"Before that, {a} had {now[a] - n} + {n} = {now[a]} and {b} had {now[b] + n} − {n} = {now[b]}.", why or f"Undo the gift of {n}."))  # fmt: skip
        answer = str(begin[name])
    else:
        starts = listed([f"{p} has {begin[p]}" for p in who])
        question = (
            f"{listed(who)} collect {many}: {starts}. {' '.join(told)} How many {many} does {name} have now?",
            f"At first {starts} {many}. {' '.join(told)} How many does {name} have in the end?",
        )[form]
        answer = str(has[name])
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "piles", "begin": None if backwards else begin, "end": has if backwards else None, "events": events, "of": name},
        template=f"piles {thing} {backwards} {form}",
        steps=steps,
        says=f"{name} {'had' if backwards else 'has'} {answer}.",
        given=f"What was there at the start is asked for, so go backwards from the end: {listed([f'{p} {has[p]}' for p in who])}." if backwards else f"At the start: {listed([f'{p} {begin[p]}' for p in who])}.",
        check=f"Nothing is lost on the way: {' + '.join(str(v) for v in begin.values())} = {total} at the start and {' + '.join(str(v) for v in has.values())} = {total} at the end.",
    )  # fmt: skip


# --- beliefs and repeated shuffles -----------------------------------------------------------------------------------


def _belief(draw: Draw, level: int) -> Draft:
    """Somebody is out while a thing is moved: where is it, and where does he or she think it is?"""
    who = people(draw, 3)
    places = _holders(draw, 3 + (level > 4))
    thing = draw.pick(_THINGS)
    at = draw.pick(places)
    inside = {p.name: True for p in who}
    thinks = {p.name: at for p in who}
    events: list[list[str]] = [["put", who[0].name, at]]
    told = [f"{listed([p.name for p in who])} are in a room. {who[0]} puts {article(thing)} into {at}, and everybody sees it."]  # fmt: skip
    steps = [Step(f"The {thing} is in {at}, and all three know it.")]
    for _ in range(2 + level):
        here = [name for name in inside if inside[name]]
        gone = [name for name in inside if not inside[name]]
        lot = draw.random()
        if lot < 0.3 and len(here) > 1:
            name = draw.pick(here)
            inside[name] = False
            events.append(["out", name, ""])
            told.append(draw.pick((f"{name} leaves the room.", f"{name} goes out.")))
            steps.append(Step(f"{name} is out now and will not see what is done.", ""))
        elif lot < 0.5 and gone:
            name = draw.pick(gone)
            inside[name] = True
            events.append(["in", name, ""])
            told.append(draw.pick((f"{name} comes back.", f"{name} returns to the room.")))
            steps.append(Step(f"{name} still thinks that the {thing} is in {thinks[name]}.", f"{name} is back, but has not looked.", Slip(f"{name} is back, so {name} knows that it is in {at}.", "Coming back does not show what happened before.") if thinks[name] != at else None))  # fmt: skip
        else:
            mover = draw.pick(here)
            at = draw.pick([place for place in places if place != at])
            events.append(["put", mover, at])
            told.append(f"{mover} moves the {thing} to {at}.")
            for name in here:
                thinks[name] = at
            missed = f"; {listed(gone)} {'does' if len(gone) == 1 else 'do'} not" if gone else ""
            steps.append(Step(f"The {thing} is in {at}. {listed(here)} know{'s' if len(here) == 1 else ''} it{missed}."))  # fmt: skip
    name = draw.pick([n for n in thinks if thinks[n] != at] or list(thinks))
    real = draw.chance(0.25)
    answer = at if real else thinks[name]
    ask = f"Where is the {thing} really?" if real else draw.pick((f"Where does {name} think the {thing} is?", f"Where will {name} look for the {thing} first?"))  # fmt: skip
    steps.append(Step(f"So it really is in {answer}." if real else f"What {name} saw last was the {thing} going into {answer}.", "", None if real or answer == at else Slip(f"{name} looks in {at}, where it is.", f"{name} did not see it being put there.")))  # fmt: skip
    return Draft(
        question=f"{' '.join(told)} Nobody looks into the containers or talks about it. {ask} Name the container.",
        answer=answer,
        facts={"kind": "belief", "events": events, "of": "" if real else name},
        template=f"belief {real} {thing} {len(events)}",
        steps=steps,
        says=f"It is in {answer}." if real else f"{name} thinks that it is in {answer}.",
        given=f"Keep apart where the {thing} is and what each person has seen.",
        check=f"It really is in {at}, and the last time that {name} was there when it was moved, it went into {thinks[name]}.",
        verifier="choice",
        verifier_args={"aliases": [answer.removeprefix("the "), f"in {answer}"]},
    )


def _cycle(draw: Draw, level: int) -> Draft:
    """The same shuffle many times over."""
    n = draw.between(5, 7)
    order = draw.shuffled(range(n))
    while all(order[i] == i for i in range(n)):
        order = draw.shuffled(range(n))
    names = draw.sample(_THINGS, n)
    times = draw.between(12, 140)
    moving = [i for i in range(n) if order[i] != i]
    start = draw.pick(moving)
    trail = [start]
    while order[trail[-1]] != start:
        trail.append(order[trail[-1]])
    length, rest = len(trail), times % len(trail)
    end = trail[rest]
    rule = listed([f"what is on place {i + 1} goes to place {order[i] + 1}" for i in range(n)])
    machine = draw.pick(("A machine", "A magician", "A robot arm", "A shuffling device", "A dancer", "A sorting belt"))
    thing = names[start]
    slip = Slip(f"After {times} times it is on place {trail[times % n] + 1 if times % n < length else end + 1}, since there are {n} places.", f"What counts is after how many times it is back, and that is {length}.") if length != n else None  # fmt: skip
    steps = [
        Step(f"{' → '.join(str(i + 1) for i in [*trail, start])}.", f"Follow the {thing} from place {start + 1}."),
        Step(f"It is back after {length} times.", "", slip),
        Step(f"{times} = {times // length} × {length} + {rest}.", "Whole rounds change nothing."),
        Step(f"So {rest} more from place {start + 1}: place {end + 1}." if rest else f"So it is on place {start + 1} again."),
    ]  # fmt: skip
    form = draw.between(0, 1)
    row = listed([f"the {name}" for name in names])
    question = (
        f"On places 1 to {n} lie, in this order, {row}. {machine} rearranges them all at once by a fixed rule: {rule}. This is done {times} times. On which place is the {thing} then?",
        f"{machine} moves things between {n} places, always in the same way: {rule}. At first {row} are on places 1 to {n}, in this order. After {times} such moves, on which place is the {thing}?",
    )[form]
    return Draft(
        question=question,
        answer=str(end + 1),
        facts={"kind": "cycle", "order": order, "start": start, "times": times},
        template=f"cycle {machine} {n} {form}",
        steps=steps,
        says=f"The {thing} is on place {end + 1}.",
        given=f"The same move {times} times; it is best to find out when the {thing} is back.",
        check=f"After {times - rest} times it is on place {start + 1}"
        + (f", and {rest} more make{'s' if rest == 1 else ''} place {end + 1}." if rest else ", and that is all."),
    )


# --- the independent solver ------------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """Go backwards from the question where `make` went forwards, or only follow what is asked about."""
    kind = facts["kind"]
    if kind == "swaps":
        if "of" in facts:
            name = facts["of"]
            for a, b in reversed(facts["pairs"]):  # who had it before
                name = b if name == a else a if name == b else name
            return facts["begin"][name]
        name = next(who for who, value in facts["begin"].items() if value == facts["where"])
        for a, b in facts["pairs"]:
            name = b if name == a else a if name == b else name
        return name
    if kind == "moves":
        ends = {thing: _followed(thing, place, facts["events"]) for thing, place in facts["begin"].items()}
        return ends[facts["of"]] if "of" in facts else str(list(ends.values()).count(facts["in"]))
    if kind == "nested":
        item, when = facts["of"], len(facts["events"])
        while item not in facts["rooms"]:  # the last time that it was moved tells where it is
            item = next((goal for moved, goal in reversed(facts["events"][:when]) if moved == item), facts["begin"][item])  # fmt: skip
        return item
    if kind == "lights":
        odd = [sum(i in facts["switches"][mark] for mark in facts["presses"]) % 2 for i in range(len(facts["begin"]))]
        good = [str(i + 1) for i, value in enumerate(facts["begin"]) if value != odd[i]]
        return str(len(good)) if facts["ask"] == "count" else ", ".join(good)
    if kind == "piles":
        return str(_piled(facts))
    if kind == "belief":
        present, seen = True, ""
        for what, name, place in facts["events"]:
            if what == "put" and present:
                seen = place
            elif what != "put" and name == facts["of"]:
                present = what == "in"
        return seen
    place = facts["start"]
    for _ in range(facts["times"]):
        place = facts["order"][place]
    return str(place + 1)


def _followed(thing: str, place: str, events: list[list[str]]) -> str:
    for what, which, goal in events:
        if which == (thing if what == "one" else place):
            place = goal
    return place


def _piled(facts: dict[str, Any]) -> int:
    """Forwards from known beginnings; from known ends, by trying beginnings of the one who gave first."""
    if facts["begin"]:
        return _run(facts["begin"], facts["events"])[facts["of"]]
    ends = facts["end"]
    weights = {name: {name: 1.0} for name in ends}  # each amount at the end as a sum of shares of the beginnings
    shift = dict.fromkeys(ends, 0.0)
    for what, a, b in facts["events"]:
        if what == "half":
            weights[a] = {k: v / 2 for k, v in weights[a].items()}
            shift[a] /= 2
            weights[b] = _added(weights[b], weights[a], 1)
            shift[b] += shift[a]
        elif what == "double":
            weights[a] = _added(weights[a], weights[b], -1)
            shift[a] -= shift[b]
            weights[b] = {k: 2 * v for k, v in weights[b].items()}
            shift[b] *= 2
        else:
            shift[a] -= what
            shift[b] += what
    names = list(ends)
    rows = [[weights[n].get(m, 0.0) for m in names] + [ends[n] - shift[n]] for n in names]
    for i in range(len(rows)):  # elimination
        pivot = max(range(i, len(rows)), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for k in range(len(rows)):
            if k != i:
                rows[k] = [v - rows[k][i] * w for v, w in zip(rows[k], rows[i], strict=True)]
    return round(rows[names.index(facts["of"])][-1])


def _added(one: dict[str, float], other: dict[str, float], sign: int) -> dict[str, float]:
    return {k: one.get(k, 0.0) + sign * other.get(k, 0.0) for k in {**one, **other}}


def _run(begin: dict[str, int], events: list[list[Any]]) -> dict[str, int]:
    has = dict(begin)
    for what, a, b in events:
        n = has[a] // 2 if what == "half" else has[b] if what == "double" else what
        has |= {a: has[a] - n, b: has[b] + n}
    return has


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 3 to 8 events; nesting from 3, beliefs from 4, repeated shuffles at 5",
    verifier="choice",
)
