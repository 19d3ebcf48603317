"""Space in the mind: walks and turns, rows of people, round tables, compass directions between places, grids, a rolling die.

`make` keeps track step by step; `solve` uses complex numbers, tries all seatings, or turns the whole die.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import isqrt
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import Person, count, listed, people

_SIDES = ("north", "east", "south", "west")
_MOVE = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
_TURNS = {"left": -1, "right": 1, "around": 2}
_PLACES = (
    "park", "field", "square", "desert", "beach", "car park", "meadow", "frozen lake", "parade ground", "playground", "salt flat", "plaza",
    "runway", "golf course", "forest clearing", "sports ground",
)  # fmt: skip
_POSTS = (
    "school", "well", "mill", "church", "station", "bakery", "tower", "farm", "harbour", "museum", "library", "forge", "chapel", "bridge",
    "market", "castle", "lighthouse", "hospital", "inn", "quarry",
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds: tuple[tuple[Callable[[Draw, int], Draft], ...], ...] = (
        (_walk, _row, _compass),
        (_walk, _row, _compass, _robot),
        (_walk, _row, _compass, _robot, _table),
        (_walk, _row, _compass, _robot, _table, _die),
        (_walk, _row, _compass, _robot, _table, _die),
    )
    return draw.pick(kinds[level - 1])(draw, level)


# --- walks -----------------------------------------------------------------------------------------------------------


def _walk(draw: Draw, level: int) -> Draft:
    n = level + draw.between(1, 2)
    who = people(draw, 1)[0]
    facing = draw.between(0, 3)
    unit = draw.pick(("steps", "metres", "paces"))
    first = facing
    moves: list[list[Any]] = []
    x = y = 0
    steps: list[Step] = []
    told: list[str] = []
    for i in range(n):
        turn = "" if i == 0 and draw.chance(0.6) else draw.pick(("left", "right", "left", "right", "around"))
        length = draw.between(2, 6 + 3 * level)
        if turn:
            old = facing
            facing = (facing + _TURNS[turn]) % 4
            told.append(f"turns {turn if turn == 'around' else 'to the ' + turn}")
            wrong = (old - _TURNS[turn]) % 4
            slip = Slip(f"{who.They} turns {turn} and faces {_SIDES[wrong]}.", f"Facing {_SIDES[old]}, {_SIDES[wrong]} is on the other hand.") if turn != "around" and old in (1, 2, 3) else None  # fmt: skip
            steps.append(Step(f"From {_SIDES[old]}, {who.they} turns {turn} to {_SIDES[facing]}.", "", slip))
        else:
            steps.append(Step(f"{who.They} faces {_SIDES[facing]}."))
        told.append(f"walks {length} {unit}")
        moves.append([turn, length])
        dx, dy = _MOVE[_SIDES[facing]]
        x, y = x + dx * length, y + dy * length
        steps.append(Step(f"{length} {unit} to the {_SIDES[facing]}: now {who.they} is {_whereabouts(x, y, unit)}."))
    asks = ["facing", "back"] + (["side"] if x or y else [])
    if x and y and isqrt(x * x + y * y) ** 2 == x * x + y * y:
        asks = ["line"]
    elif (x == 0) != (y == 0):
        asks.append("line")
    ask = draw.pick(asks)
    first_words = draw.pick((f"{who} stands in a {draw.pick(_PLACES)}, facing {_SIDES[first]}", f"On a {draw.pick(_PLACES)}, {who} looks {_SIDES[first]}", f"{who} sets out in a {draw.pick(_PLACES)}, with {who.their} face to the {_SIDES[first]}"))  # fmt: skip
    path = _in_turn(who, told, draw)
    verifier, aliases = "math", list[str]()
    if ask == "facing":
        answer, verifier = _SIDES[facing], "choice"
        question = draw.pick(("Which way is {they} facing in the end?", "In which direction does {they} look at the end?"))  # fmt: skip
        says = f"{who.They} faces {answer}."
    elif ask == "back":
        answer = str(abs(x) + abs(y))
        question = draw.pick((f"How many {unit} does it take to get back to the start, walking only north, south, east or west?", f"Walking only along the four main directions, how many {unit} is the start away?"))  # fmt: skip
        steps.append(Step(f"{abs(x)} + {abs(y)} = {answer}.", "East or west and north or south have to be undone.", Slip(f"All the way back is {sum(m[1] for m in moves)}.", "Parts of the walk undo each other.") if sum(m[1] for m in moves) != int(answer) else None))  # fmt: skip
        says = f"The start is {answer} {unit} away along the main directions."
    elif ask == "line":
        answer = str(isqrt(x * x + y * y))
        question = draw.pick((f"How far is {who.they} from the start, in a straight line? Give the number of {unit}.", f"What is the straight distance to the starting point, in {unit}?"))  # fmt: skip
        if x and y:
            steps.append(Step(f"√({abs(x)}² + {abs(y)}²) = √{x * x + y * y} = {answer}.", "The two distances are the legs of a right triangle."))  # fmt: skip
        else:
            steps.append(Step(f"That is a straight line already: {answer} {unit}."))
        says = f"It is {answer} {unit} away."
    else:
        answer, verifier = _direction(x, y), "choice"
        question = "In which direction from the start is {they} now: north, north-east, east, south-east, south, south-west, west or north-west? (North-east means anywhere both north and east of it.)"
        aliases = [answer.replace("-", ""), answer.replace("-", " ")]
        steps.append(Step(f"So {who.they} is {answer} of the start."))
        says = f"It is {answer}."
    return Draft(
        question=f"{first_words}. {path} {question.format(they=who.they)}",
        answer=answer,
        facts={"kind": "walk", "facing": _SIDES[first], "moves": moves, "ask": ask},
        template=f"walk {ask} {n} {unit}",
        steps=steps,
        says=says,
        given=f"{who} begins facing {_SIDES[first]}; take the start as the middle and keep track.",
        check=f"Added up by direction: {_ledger(moves, first)}.",
        verifier=verifier,
        verifier_args={"aliases": aliases} if verifier == "choice" else {},
    )


def _in_turn(who: Person, told: list[str], draw: Draw) -> str:
    if draw.chance(0.5):
        return f"{who.They} {', '.join(told[:-1])}{' and ' if len(told) > 1 else ''}{told[-1]}."
    sentences = [f"{draw.pick(('Then', 'Next', 'After that')) if i else 'First'} {who.they} {part}." for i, part in enumerate(told)]  # fmt: skip
    return " ".join(sentences)


def _whereabouts(x: int, y: int, unit: str) -> str:
    parts = [f"{abs(v)} {unit} {side}" for v, side in ((y, "north" if y > 0 else "south"), (x, "east" if x > 0 else "west")) if v]  # fmt: skip
    return f"{' and '.join(parts)} of the start" if parts else "back at the start"


def _direction(x: int, y: int) -> str:
    return "-".join(([] if not y else ["north" if y > 0 else "south"]) + ([] if not x else ["east" if x > 0 else "west"]))  # fmt: skip


def _ledger(moves: list[list[Any]], facing: int) -> str:
    sums = dict.fromkeys(_SIDES, 0)
    for turn, length in moves:
        facing = (facing + _TURNS.get(turn, 0)) % 4
        sums[_SIDES[facing]] += length
    return ", ".join(f"{side} {n}" for side, n in sums.items() if n)


# --- compass ---------------------------------------------------------------------------------------------------------


def _compass(draw: Draw, level: int) -> Draft:
    """Places told one from another; where is one from another?"""
    n = 3 + level // 2 + draw.between(0, 1)
    names = draw.sample(_POSTS, n)
    at = {names[0]: (0, 0)}
    links: list[list[Any]] = []
    for name in names[1:]:
        base = draw.pick(list(at)) if draw.chance(0.3) else list(at)[-1]
        for _ in range(20):
            side, length = draw.pick(_SIDES), draw.between(1, 9)
            dx, dy = _MOVE[side]
            spot = at[base][0] + dx * length, at[base][1] + dy * length
            if spot not in at.values():
                break
        else:
            continue
        at[name] = spot
        links.append([name, side, length, base])
    start, goal = draw.sample(list(at), 2)
    for _ in range(10):
        if not any({start, goal} == {a, b} for a, _, _, b in links):
            break
        start, goal = draw.sample(list(at), 2)
    x, y = at[goal][0] - at[start][0], at[goal][1] - at[start][1]
    unit = draw.pick(("km", "blocks", "miles", "leagues"))
    told: list[str] = []
    for a, side, length, b in draw.shuffled(links):
        opposite = _SIDES[(_SIDES.index(side) + 2) % 4]
        long = count(length, unit[:-1], unit) if unit != "km" else f"{length} {unit}"
        told.append(draw.pick((f"The {a} is {long} {side} of the {b}.", f"The {b} is {long} {opposite} of the {a}.", f"From the {b}, the {a} is {long} to the {side}.")))  # fmt: skip
    known = {start: (0, 0)}
    via: dict[str, tuple[str, Step]] = {}
    while goal not in known:
        for a, side, length, b in links:
            dx, dy = _MOVE[side]
            if b in known and a not in known:
                known[a] = known[b][0] + dx * length, known[b][1] + dy * length
                new, old, word = a, b, side
            elif a in known and b not in known:
                known[b] = known[a][0] - dx * length, known[a][1] - dy * length
                new, old, word = b, a, _SIDES[(_SIDES.index(side) + 2) % 4]
            else:
                continue
            slip = Slip(f"The {new} is {length} to the {_SIDES[(_SIDES.index(word) + 2) % 4]} of the {old}.", "That turns the sentence round.") if new == b else None  # fmt: skip
            near = f"The {new} is {length} {word} of the {old}"
            if old == start:
                via[new] = old, Step(f"{near}.", f"Begin at the {start}.", slip)
            else:
                via[new] = old, Step(f"{near}, so {_signed(*known[new], known[old])} of the {start}.", "", slip)
            break
    steps: list[Step] = []
    place = goal
    while place != start:  # only what is on the way
        place, step = via[place]
        steps.insert(0, step)
    ask = draw.pick(("side", "side", "back"))
    if ask == "side":
        answer = _direction(x, y)
        question = draw.pick((f"In which direction from the {start} is the {goal}?", f"Where is the {goal}, seen from the {start}?")) + " Answer with one of the eight directions north, north-east, east and so on, taking north-east as anywhere both north and east."  # fmt: skip
        verifier, args = "choice", {"aliases": [answer.replace("-", ""), answer.replace("-", " ")]}
        steps.append(Step(f"So the {goal} is {answer} of the {start}."))
        says = f"The {goal} is {answer} of the {start}."
    else:
        answer = str(abs(x) + abs(y))
        question = f"How far is it from the {start} to the {goal}, going only north, south, east and west? Give the number ({unit})."
        verifier, args = "math", {}
        steps.append(Step(f"{abs(x)} + {abs(y)} = {answer}."))
        says = f"It is {answer} {unit}."
    return Draft(
        question=f"{draw.pick(('In a town:', 'A treasure map says:', 'A guidebook describes a valley.', 'On an island:', 'A pilot reads from a map:', 'These notes describe a village.', 'A scout reports:'))} {' '.join(told)} {question}",
        answer=answer,
        facts={"kind": "compass", "links": links, "start": start, "goal": goal, "ask": ask},
        template=f"compass {ask} {n} {unit}",
        steps=steps,
        says=says,
        given=f"The {goal} is wanted, as seen from the {start}; so it is best to go from the {start}, sentence by sentence.",
        check=f"The other way round, the {start} is {_signed(-x, -y)} of the {goal}.",
        verifier=verifier,
        verifier_args=args,
    )  # fmt: skip


def _sum(before: int, after: int) -> str:
    """How a distance becomes another on the same line, "" where nothing has to be reckoned."""
    if not before or before == after:
        return ""
    if (before > 0) != (after > 0):
        return f"{abs(before - after)} − {abs(before)} = "
    sign = "+" if abs(after) > abs(before) else "−"
    return f"{abs(before)} {sign} {abs(after - before)} = "


def _signed(x: int, y: int, old: tuple[int, int] = (0, 0)) -> str:
    """Where a place is, with the sums that lead to it from another one: "8 + 6 = 14 west"."""
    lines = (old[1], y, ("south", "north")), (old[0], x, ("west", "east"))
    return " and ".join(
        f"{_sum(before, after)}{abs(after)} {sides[after > 0]}" for before, after, sides in lines if after
    )


# --- rows and tables -------------------------------------------------------------------------------------------------

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_ROWS = (
    ("sit in a row", "sits", "seat"), ("stand in a row for a photo", "stands", "place"), ("sit side by side on a bench", "sits", "place"),
    ("are lined up at a wall", "stands", "place"), ("have their lockers side by side", "has a locker", "locker"), ("park their cars in a row", "is parked", "space"),
    ("have their desks in one line", "has a desk", "desk"), ("pitched their tents in a line", "camps", "tent"),
)  # fmt: skip


def _row(draw: Draw, level: int) -> Draft:
    n = (3, 4, 5, 5, 6)[level - 1]
    names = [p.name for p in people(draw, n)]
    what, verb, spot = draw.pick(_ROWS)
    order = draw.shuffled(range(n))
    at = {names[i]: place for place, i in enumerate(order)}
    clues: list[list[Any]] = []
    told: list[str] = []
    steps: list[Step] = []
    placed: list[str] = []
    for name in draw.shuffled(names)[:-1]:
        k = at[name]
        near = [other for other in placed if abs(at[other] - k) <= 2 + level // 4]
        if not placed or not near:
            clues.append(["at", name, k])
            right = n - 1 - k
            told.append(draw.pick((f"{name} is {_ORDINALS[k]} from the left.", f"{name} is {_ORDINALS[right]} from the right.")) if 0 < k < n - 1 else f"{name} is at the {'left' if not k else 'right'} end.")  # fmt: skip
            steps.append(Step(f"{name} is in {spot} {k + 1}.", told[-1] if "right" in told[-1] else ""))
        else:
            other = draw.pick(near)
            gap = k - at[other]
            clues.append(["gap", other, name, gap])
            side, back = ("right", "left") if gap > 0 else ("left", "right")
            told.append(
                draw.pick((f"{name} is directly to the {side} of {other}.", f"{other} has {name} as the next to the {side}.", f"{other} is directly to the {back} of {name}."))
                if abs(gap) == 1
                else draw.pick((f"{name} is {('two', 'three')[abs(gap) - 2]} places to the {side} of {other}.", f"{other} is {('two', 'three')[abs(gap) - 2]} places to the {back} of {name}."))
            )  # fmt: skip
            mirrored = at[other] - gap
            slip = Slip(f"Then {name} is in {spot} {mirrored + 1}.", f"That would be to the {back} of {other}.") if 0 <= mirrored < n else None  # fmt: skip
            steps.append(Step(f"{name} is in {spot} {at[other] + 1} {'+' if gap > 0 else '−'} {abs(gap)} = {k + 1}.", told[-1], slip))  # fmt: skip
        placed.append(name)
    last = next(name for name in names if name not in placed)
    steps.append(Step(f"{spot.capitalize()} {at[last] + 1} is left, for {last}."))
    row = sorted(names, key=lambda name: at[name])
    ask = draw.pick(("at", "between", "neighbour"))
    verifier = "choice"
    if ask == "between":
        a, b = draw.sample(names, 2)
        answer, verifier = str(abs(at[a] - at[b]) - 1), "math"
        question, more = f"How many people are between {a} and {b}?", [a, b]
        says = f"There {'is' if answer == '1' else 'are'} {answer} between them."
        low, high = sorted((at[a] + 1, at[b] + 1))
        steps.append(Step(f"{a} is in {spot} {at[a] + 1} and {b} in {spot} {at[b] + 1}. Between them: {high} − {low} − 1 = {answer}.", "", Slip(f"{abs(at[a] - at[b])}, the difference of their places.", "That counts one of the two as well.")))  # fmt: skip
    elif ask == "at":
        k = draw.between(0, n - 1)
        answer = row[k]
        middle = n % 2 == 1 and k == n // 2
        question = "Who is in the middle?" if middle else f"Who is {_ORDINALS[k]} from the left?" if draw.chance(0.5) else f"Who is {_ORDINALS[n - 1 - k]} from the right?"  # fmt: skip
        more, says = [k], f"It is {answer}."
        place = question.removeprefix("Who is ").removesuffix("?")
        steps.append(Step(f"From left to right: {', '.join(row)}. {place[0].upper()}{place[1:]} is {spot} {k + 1}, with {answer}."))  # fmt: skip
    else:
        k = draw.between(0, n - 2)
        answer = row[k]
        question, more = f"Who is directly to the left of {row[k + 1]}?", [row[k + 1]]
        says = f"It is {answer}."
        steps.append(Step(f"From left to right: {', '.join(row)}. {row[k + 1]} is in {spot} {k + 2}, and in {spot} {k + 1} is {answer}."))  # fmt: skip
    return Draft(
        question=f"{listed(names)} {what}, numbered 1 to {n} from left to right. {' '.join(draw.shuffled(told))} {question}",
        answer=answer,
        facts={"kind": "row", "names": names, "clues": clues, "ask": ask, "about": more},
        template=f"row {ask} {n} {spot} {verb}",
        steps=steps,
        says=says,
        given=f"There are {n} places, 1 on the left to {n} on the right.",
        check=f"In the row {', '.join(row)} every sentence is true.",
        verifier=verifier,
    )


def _table(draw: Draw, level: int) -> Draft:
    n = (4, 4, 4, 6, 6)[level - 1] if draw.chance(0.7) else 5
    names = [p.name for p in people(draw, n)]
    order = draw.shuffled(names)  # clockwise
    at = {name: i for i, name in enumerate(order)}
    placed = [names[0]]
    clues: list[list[Any]] = []
    steps = [Step(f"Put {names[0]} on chair 0 and number the others 1 to {n - 1} clockwise.", "Only the order round the table matters.")]  # fmt: skip
    chair = {names[0]: 0}
    told: list[str] = []
    for name in draw.shuffled(names[1:])[:-1]:
        other = draw.pick(placed)
        gap = (at[name] - at[other]) % n
        k = (chair[other] + gap) % n
        if n % 2 == 0 and gap == n // 2:
            told.append(draw.pick((f"{name} sits opposite {other}.", f"{other} and {name} face each other.")))
            clues.append(["gap", other, name, gap])
            steps.append(Step(f"{name} is {n // 2} chairs on: chair {k}.", told[-1]))
        else:
            clockwise = gap <= n // 2
            far = gap if clockwise else n - gap
            way = "clockwise" if clockwise else "anticlockwise"
            hand = "left" if clockwise else "right"
            told.append(draw.pick((f"{name} is the next {way} from {other}.", f"{name} sits directly on {other}'s {hand}.")) if far == 1 else f"{name} is {('two', 'three')[far - 2]} chairs {way} from {other}.")  # fmt: skip
            clues.append(["gap", other, name, gap])
            why = told[-1] + (f" All face the middle, so one's {hand} is {way}." if "directly on" in told[-1] else "")
            wrong = (chair[other] - gap) % n
            slip = Slip(f"So {name} has chair {wrong}.", f"That is the wrong way round the table from {other}.") if wrong != k else None  # fmt: skip
            steps.append(Step(f"{name} has chair {k}.", why, slip))
        chair[name] = k
        placed.append(name)
    last = next(name for name in names if name not in placed)
    chair[last] = next(k for k in range(n) if k not in chair.values())
    steps.append(Step(f"Chair {chair[last]} is left, for {last}."))
    for _ in range(8):  # something that was not told
        who = draw.pick(names)
        asks = [
            ("left", 1, f"Who sits directly on {who}'s left?"),
            ("right", n - 1, f"Who sits directly on {who}'s right?"),
        ]
        if n % 2 == 0:
            asks += [("opposite", n // 2, f"Who sits opposite {who}?")] * 2
        ask, gap, question = draw.pick(asks)
        if not any(who in clue[1:3] and clue[3] in (gap, n - gap) for clue in clues):
            break
    answer = next(name for name in names if chair[name] == (chair[who] + gap) % n)
    steps.append(Step(f"{who} has chair {chair[who]}, and {'opposite is' if ask == 'opposite' else f'on the {ask} is'} chair {(chair[who] + gap) % n}: {answer}."))  # fmt: skip
    shape = draw.pick(("a round table", "a campfire", "a round rug", "a round garden table", "a drum", "a well", "a fountain"))  # fmt: skip
    return Draft(
        question=f"{listed(names)} sit around {shape} on {n} chairs at equal distances, all facing the middle. {' '.join(draw.shuffled(told))} {question}",
        answer=answer,
        facts={"kind": "table", "names": names, "clues": clues, "gap": gap, "of": who},
        template=f"table {ask} {n} {shape}",
        steps=steps,
        says=f"It is {answer}.",
        given=f"{n} chairs in a circle; left of somebody who faces the middle is clockwise, seen from above.",
        check=f"Clockwise from {names[0]} they sit: {', '.join(sorted(names, key=lambda name: chair[name]))}, and all sentences are true of that.",
        verifier="choice",
    )


# --- grids and dice --------------------------------------------------------------------------------------------------


def _robot(draw: Draw, level: int) -> Draft:
    """Orders on a board with walls and blocked squares; an order that can't be carried out is skipped."""
    size = draw.between(4, 6)
    column, row = draw.between(0, size - 1), draw.between(0, size - 1)
    begin = _square(column, row)
    orders = [draw.pick(_SIDES) for _ in range(3 + 2 * level)]
    blocked = [_square(*spot) for spot in draw.sample([(c, r) for c in range(size) for r in range(size) if (c, r) != (column, row)], level)]  # fmt: skip
    steps: list[Step] = []
    lost = 0
    for order in orders:
        dx, dy = _MOVE[order]
        new = column + dx, row + dy
        here = _square(column, row)
        if not (0 <= new[0] < size and 0 <= new[1] < size):
            lost += 1
            steps.append(Step(f"{order.capitalize()}: it stays on {here}.", "That would leave the board."))
        elif _square(*new) in blocked:
            lost += 1
            steps.append(Step(f"{order.capitalize()}: it stays on {here}.", f"{_square(*new)} is blocked.", Slip(f"{order.capitalize()}: {_square(*new)}.", "That square is on the list of blocked ones.")))  # fmt: skip
        else:
            column, row = new
            steps.append(Step(f"{order.capitalize()}: {_square(column, row)}."))
    ask = draw.pick(("end", "end", "skipped"))
    answer = _square(column, row) if ask == "end" else str(lost)
    machine = draw.pick(("robot", "toy car", "drone", "beetle", "vacuum cleaner", "lawn mower", "cursor", "rover", "tile painter", "game piece"))  # fmt: skip
    shown = ", ".join(orders)
    form = draw.between(0, 1)
    what = f"Which square is the {machine} on in the end?" if ask == "end" else "How many of the orders are skipped?"
    question = (
        f"A board has columns A to {chr(64 + size)} from west to east and rows 1 to {size} from south to north. A {machine} starts on {begin} and gets these orders, one square each: {shown}. The squares {listed(sorted(blocked))} are blocked. An order that would lead off the board or onto a blocked square is skipped. {what}",
        f"On a {size} by {size} board (A to {chr(64 + size)} going east, 1 to {size} going north) a {machine} stands on {begin}. {listed(sorted(blocked))} can't be entered. Orders that can't be carried out are left out. The orders are: {shown}. {what}",
    )[form]
    if level == 1:
        question = question.replace("The squares", "The square").replace(" are blocked", " is blocked")
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "robot", "size": size, "begin": begin, "orders": orders, "blocked": blocked, "ask": ask},
        template=f"robot {ask} {machine} {form}",
        steps=steps,
        says=f"It ends on {answer}." if ask == "end" else f"{count(lost, 'order').capitalize()} {'is' if lost == 1 else 'are'} skipped.",
        given=f"It begins on {begin}; blocked: {listed(sorted(blocked))}.",
        check=f"{len(orders) - lost} of {len(orders)} orders were carried out, and none of the squares on the way is blocked.",
        verifier="choice" if ask == "end" else "math",
    )  # fmt: skip


def _square(column: int, row: int) -> str:
    return f"{chr(65 + column)}{row + 1}"


def _die(draw: Draw, level: int) -> Draft:
    """A die rolled over its edges."""
    top = draw.between(1, 6)
    north = draw.pick([face for face in range(1, 7) if face not in (top, 7 - top)])
    east = draw.pick([face for face in range(1, 7) if face not in (top, 7 - top, north, 7 - north)])
    begin = [top, north, east]
    rolls = [draw.pick(_SIDES) for _ in range(level - 1 + draw.between(0, 2))]
    steps: list[Step] = []
    for side in rolls:
        old = top, north, east
        if side == "north":
            top, north = 7 - north, top
        elif side == "south":
            top, north = north, 7 - top
        elif side == "east":
            top, east = 7 - east, top
        else:
            top, east = east, 7 - top
        kept = f"{east} stays in the east" if side in ("north", "south") else f"{north} stays in the north"
        slip = Slip(f"Rolling {side}, the face in the {side} comes up.", f"The face in the {side} goes down; the one behind comes up.")  # fmt: skip
        steps.append(Step(f"Rolled {side}: {top} on top, {north} in the north, {east} in the east.", f"The top, {old[0]}, goes to the {side}, and {kept}.", slip))  # fmt: skip
    ask = draw.pick(("top", "top", "bottom", "north", "east"))
    answer = {"top": top, "bottom": 7 - top, "north": north, "east": east}[ask]
    if ask == "bottom":
        steps.append(Step(f"The bottom is 7 − {top} = {answer}.", "Opposite faces add up to 7."))
    who = people(draw, 1)[0]
    where = draw.pick(("table", "board", "tray", "desk", "map", "carpet", "tiled floor", "chessboard"))
    look = {"top": "is on top", "bottom": "is on the bottom", "north": "faces north", "east": "faces east"}[ask]
    form = draw.between(0, 1)
    question = (
        f"Opposite faces of a die add up to 7. {who} puts it on a {where} with {begin[0]} on top, {begin[1]} facing north and {begin[2]} facing east, and rolls it over its edges, one face at a time: {', '.join(rolls)}. Which number {look} then?",
        f"A die (opposite faces make 7) lies on a {where}: top {begin[0]}, north side {begin[1]}, east side {begin[2]}. {who} tips it over to the {', then to the '.join(rolls)}. What number {look} in the end?",
    )[form]
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "die", "begin": begin, "rolls": rolls, "ask": ask},
        template=f"die {ask} {where} {form}",
        steps=steps,
        says=f"{answer} {look}.",
        given=f"On top is {begin[0]}, in the north {begin[1]}, in the east {begin[2]}; so on the bottom is {7 - begin[0]}, in the south {7 - begin[1]}, in the west {7 - begin[2]}.",
        check=f"Top {top}, north {north} and east {east} belong to three different pairs that add up to 7, as they must.",
    )


# --- the independent solver ------------------------------------------------------------------------------------------

_COMPASS = {"north": 1j, "east": 1, "south": -1j, "west": -1}


def solve(facts: dict[str, Any]) -> str:
    """Complex numbers for the plane, all orders for rows and tables, six faces for the die."""
    kind = facts["kind"]
    if kind == "walk":
        looks, spot = complex(_COMPASS[facts["facing"]]), 0j
        for turn, length in facts["moves"]:
            looks *= {"": 1, "left": 1j, "right": -1j, "around": -1}[turn]
            spot += looks * length
        if facts["ask"] == "facing":
            return next(side for side, way in _COMPASS.items() if abs(way - looks) < 0.1)
        return _asked(spot, facts["ask"])
    if kind == "compass":
        return _asked(_between(facts["links"], facts["start"], facts["goal"], ""), facts["ask"])
    if kind in ("row", "table"):
        return _seated(facts)
    if kind == "robot":
        spot, lost = facts["begin"], 0
        for order in facts["orders"]:
            step = _COMPASS[order]
            new = chr(ord(spot[0]) + int(step.real)) + str(int(spot[1:]) + int(step.imag))
            inside = "A" <= new[0] < chr(65 + facts["size"]) and 1 <= int(new[1:]) <= facts["size"]
            if inside and new not in facts["blocked"]:
                spot = new
            else:
                lost += 1
        return spot if facts["ask"] == "end" else str(lost)
    top, north, east = facts["begin"]
    faces = {"top": top, "bottom": 7 - top, "north": north, "south": 7 - north, "east": east, "west": 7 - east}
    for side in facts["rolls"]:
        behind = {"north": "south", "south": "north", "east": "west", "west": "east"}[side]
        old = dict(faces)
        faces[side], faces["bottom"], faces[behind], faces["top"] = old["top"], old[side], old["bottom"], old[behind]
    return str(faces[facts["ask"]])


def _asked(spot: complex, ask: str) -> str:
    if ask == "back":
        return str(round(abs(spot.real) + abs(spot.imag)))
    if ask == "line":
        return str(round(abs(spot)))
    return "-".join(side for side in ("north", "south", "east", "west") if (spot * complex(_COMPASS[side]).conjugate()).real > 0.5)  # fmt: skip


def _between(links: list[list[Any]], here: str, goal: str, came: str) -> complex:
    """From one place to another along the sentences, which form a tree. NaN where there is no way."""
    if here == goal:
        return 0j
    for a, side, length, b in links:
        for there, step in ((a, _COMPASS[side] * length), (b, -_COMPASS[side] * length)):
            if here in (a, b) and there not in (here, came):
                rest = _between(links, there, goal, here)
                if rest == rest:
                    return step + rest
    return complex("nan")


def _seated(facts: dict[str, Any]) -> str:
    names, clues, table = facts["names"], facts["clues"], facts["kind"] == "table"
    n = len(names)
    answers: list[str] = []
    for order in permutations(range(n)):
        if table and order[0]:
            break
        at = dict(zip(names, order, strict=True))
        if any(_wrong(clue, at, n if table else 0) for clue in clues):
            continue
        who = {place: name for name, place in at.items()}
        if table:
            answers.append(who[(at[facts["of"]] + facts["gap"]) % n])
        elif facts["ask"] == "between":
            a, b = facts["about"]
            answers.append(str(abs(at[a] - at[b]) - 1))
        else:
            answers.append(who[facts["about"][0] if facts["ask"] == "at" else at[facts["about"][0]] - 1])
    return answers[0] if answers and answers.count(answers[0]) == len(answers) else "not one answer"


def _wrong(clue: list[Any], at: dict[str, int], n: int) -> bool:
    if clue[0] == "at":
        return at[clue[1]] != clue[2]
    gap = at[clue[2]] - at[clue[1]]
    return (gap - clue[3]) % n != 0 if n else gap != clue[3]


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 2 to 7 legs, 3 to 6 people, 5 to 13 orders; tables from 3, dice from 4",
    verifier="choice",
)
