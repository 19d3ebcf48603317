"""Games with best play: taking from heaps, races to a number, noughts and crosses, small game trees, coins from both ends.

`make` uses the theory, remainders and Nim sums, or works from the end; `solve` searches all play.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from operator import xor
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed, people

_TOKENS = (
    "match", "stone", "coin", "bean", "button", "shell", "pebble", "token", "nut", "card", "stick", "bead", "cork", "marble", "peg", "grape",
    "counter", "chestnut", "pearl", "cube",
)  # fmt: skip
_MANY = {"match": "matches"}


def make(draw: Draw, level: int) -> Draft:
    kinds: tuple[tuple[Callable[[Draw, int], Draft], ...], ...] = (
        (_heap, _race, _board, _tree),
        (_heap, _race, _board, _tree, _nim),
        (_heap, _race, _board, _tree, _nim, _ends),
        (_odd_heap, _race, _board, _tree, _nim, _nim, _ends),
        (_odd_heap, _race, _tree, _nim, _nim, _ends),
    )
    return draw.pick(kinds[level - 1])(draw, level)


# --- one heap, and races ---------------------------------------------------------------------------------------------


def _heap(draw: Draw, level: int) -> Draft:
    """Take 1 to k from a heap."""
    k = draw.between(2, 3 + level)
    last_loses = level > 1 and draw.chance(0.35)
    n = draw.between(k + 2, 14 + 10 * level)
    a, b = (p.name for p in people(draw, 2))
    thing = draw.pick(_TOKENS)
    many = _MANY.get(thing, f"{thing}s")
    goal = "loses" if last_loses else "wins"
    bad = 1 if last_loses else 0  # what one wants to leave to the other, modulo k + 1
    take = (n - bad) % (k + 1)
    first_wins = take != 0
    steps = [
        Step(
            f"Whoever has to move with {'just 1 left loses' if last_loses else 'nothing left has lost'}.",
            f"Think from the end: the last {thing} {goal}.",
        ),
        Step(f"With {bad + 1} to {bad + k} left, one can leave {bad} to the other, and wins.", f"Up to {k} may be taken."),
        Step(f"With {bad + k + 1} left, whatever is taken leaves {bad + 1} to {bad + k}: that is lost.", "", Slip(f"With {bad + k + 1} one can take {k} and wins.", f"Then {bad + 1} {'are' if bad else 'is'} left, from which the other wins.")),
        Step(f"So the lost numbers are {', '.join(str(bad + i * (k + 1)) for i in range(4))} and so on, in steps of {k + 1}."),
        Step(f"{n} = {(n - bad) // (k + 1)} × {k + 1} + {take}{f' + {bad}' if bad else ''}.", f"Compare {n} with them."),
    ]  # fmt: skip
    ask = "move" if first_wins and draw.chance(0.5) else "who"
    rules = draw.pick((f"a move takes 1 to {k} of them", f"one may take at most {k}, and at least one, in a move", f"whose turn it is takes any number from 1 to {k}"))  # fmt: skip
    begins = f"{a} and {b} play with {n} {many}. They take turns, {a} first; {rules}. Whoever takes the last {thing} {goal}."  # fmt: skip
    facts = {"kind": "heap", "n": n, "takes": list(range(1, k + 1)), "last loses": last_loses, "ask": ask, "names": [a, b]}  # fmt: skip
    if ask == "move":
        steps.append(Step(f"Take {take}, which leaves {n - take}, a lost number."))
        question = f"{begins} {draw.pick((f'How many must {a} take first to win against every play?', f'Which first move wins for {a}, whatever {b} does? Give the number taken.'))}"  # fmt: skip
        answer, says = str(take), f"{a} has to take {take}."
        check = f"After that, {a} can always answer {b}'s x with {k + 1} − x, so that {b} meets only lost numbers."
    else:
        winner = a if first_wins else b
        steps.append(Step(f"{a} can leave {n - take} by taking {take}, so {a} wins." if first_wins else f"{n} is a lost number for the one to move, and that is {a}; so {b} wins.", "", Slip(f"{a} moves first, so {a} wins.", "Only if the number is not a lost one.") if not first_wins else None))  # fmt: skip
        question = f"{begins} {draw.pick(('Who wins if both play as well as possible?', 'With best play of both, who wins?', 'Who can force a win?'))}"  # fmt: skip
        answer, says = winner, f"{winner} wins."
        check = f"{winner} answers every x with {k + 1} − x, and the number goes from one lost number to the next."
    return Draft(
        question=question,
        answer=answer,
        facts=facts,
        template=f"heap {goal} {ask} {thing} {k}",
        steps=steps,
        says=says,
        given=f"{n} {many}, 1 to {k} in a move, the last one {goal}.",
        check=check,
        verifier="choice" if ask == "who" else "math",
    )


def _odd_heap(draw: Draw, level: int) -> Draft:
    """Take one of a few numbers that are not a run from 1."""
    takes = sorted(draw.pick(((1, 3), (1, 4), (1, 2, 4), (2, 3), (1, 3, 4), (2, 5), (1, 2, 5), (1, 5), (2, 3, 5), (1, 4, 5), (3, 4))))  # fmt: skip
    n = draw.between(9, 14 + 2 * level)
    a, b = (p.name for p in people(draw, 2))
    thing = draw.pick(_TOKENS)
    many = _MANY.get(thing, f"{thing}s")
    won: list[bool] = []
    steps: list[Step] = []
    for i in range(n + 1):
        good = [take for take in takes if take <= i and not won[i - take]]
        won.append(bool(good))
        if good:
            say = f"{i}: won, by taking {good[0]} (leaves {i - good[0]})."
        elif takes[0] > i:
            say = f"{i}: lost, no move."
        else:
            say = f"{i}: lost, since {listed([str(i - t) for t in takes if t <= i])} {'are' if len([t for t in takes if t <= i]) > 1 else 'is'} won for the other."  # fmt: skip
        steps.append(Step(say, "Say for each number whether the one to move wins." if i == 0 else ""))
    winner = a if won[n] else b
    losing = [i for i in range(n + 1) if not won[i]]
    size = takes[-1] + 1
    rule = n % size != 0
    slip = Slip(f"{n} is {'not ' if rule else ''}divisible by {size}, so it is {'won' if rule else 'lost'}.", f"That rule holds only if all numbers from 1 to {takes[-1]} may be taken.") if rule != won[n] else None  # fmt: skip
    steps.append(Step(f"With {n} it is {'won' if won[n] else 'lost'} for {a}, who moves first.", "", slip))
    ask = draw.pick(("who", "who", "count"))
    begins = f"{a} and {b} take turns with a heap of {n} {many}, {a} first. A move takes {listed([str(t) for t in takes], 'or')} of them. Who can't move loses."  # fmt: skip
    if ask == "who":
        question, answer, says = f"{begins} Who wins with best play?", winner, f"{winner} wins."
    else:
        answer = str(len([t for t in takes if not won[n - t]]))
        question = f"{begins} How many winning first moves does {a} have?"
        says = f"{a} has {answer}."
        left = listed([f"{n - t} ({'won' if won[n - t] else 'lost'} for {b})" for t in takes])
        steps.append(Step(f"{a} can leave {left}: {count(int(answer), 'good move')}."))
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "heap", "n": n, "takes": takes, "last loses": False, "ask": ask, "names": [a, b]},
        template=f"odd heap {ask} {thing} {len(takes)}",
        steps=steps,
        says=says,
        given=f"{n} {many}; {listed([str(t) for t in takes], 'or')} in a move.",
        check=f"The lost numbers up to {n} are {listed([str(i) for i in losing])}; from none of them does a move lead to another.",
        verifier="choice" if ask == "who" else "math",
    )


def _race(draw: Draw, level: int) -> Draft:
    """Count up by 1 to k; who says the goal wins or loses."""
    k = draw.between(2, 3 + level)
    goal = draw.between(12, 30 + 25 * level)
    loses = level > 2 and draw.chance(0.3)
    target = goal - 1 if loses else goal
    key = target % (k + 1)
    a, b = (p.name for p in people(draw, 2))
    ask = "first" if key and draw.chance(0.55) else "who"
    stops = [target - i * (k + 1) for i in range(4) if target - i * (k + 1) > 0]
    end = f"Who has to say {goal} or more loses" if loses else f"Who says {goal} first wins"
    steps = [
        Step(f"One wants to say {target}." if loses else f"{goal} is to be said.", f"After {target} the other has to say {goal} or more." if loses else "Go back from the goal."),
        Step(f"Who says {stops[1]} gets {target} as well: the other can only go to {stops[1] + 1} up to {stops[1] + k}.", f"{target} − {k + 1} = {stops[1]}."),
        Step(f"So the key numbers are {', '.join(map(str, stops))}{' and so on' if stops[-1] > k + 1 else ''}, in steps of {k + 1}.", "", Slip(f"They come in steps of {k}.", f"The other's x is answered with {k + 1} − x, so together it is {k + 1}.")),
        Step(f"{target} = {target // (k + 1)} × {k + 1} + {key}, so the first key number is {key or k + 1}."),
    ]  # fmt: skip
    play = draw.pick((f"{a} and {b} count together. {a} begins with a number from 1 to {k}; then in turn each adds 1 to {k} to the number said before. {end}.", f"In a counting game {a} starts at 0 and adds 1 to {k}; {b} adds 1 to {k} to that, and so on in turn, always saying the new number. {end}.", f"A counter stands on 0. {a} and {b} move it on in turn, {a} first, by 1 to {k} fields. {end.replace('has to say', 'has to reach').replace('says', 'reaches')}."))  # fmt: skip
    if ask == "first":
        answer, says = str(key), f"{a} should begin with {key}."
        question = f"{play} With which number should {a} begin to be sure of winning?"
        steps.append(Step(f"{a} can begin with {key} at once."))
    else:
        winner = a if key else b
        answer, says = winner, f"{winner} wins."
        question = f"{play} {draw.pick(('Who wins with best play?', 'Who can force a win?', 'If both play perfectly, who wins?'))}"  # fmt: skip
        steps.append(Step(f"{a} begins with {key} and keeps to the key numbers." if key else f"{a} can't begin with {k + 1}, but {b} reaches it with the second move."))  # fmt: skip
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "race", "k": k, "goal": goal, "loses": loses, "ask": ask, "names": [a, b]},
        template=f"race {ask} {loses} {k} {play[:4] == a[:4]}",
        steps=steps,
        says=says,
        given=f"From 0 to {goal} in steps of 1 to {k}.",
        check=f"From {key or k + 1} on, each round adds {k + 1}, and {target} − {key or k + 1} = {(target - (key or k + 1)) // (k + 1)} × {k + 1}.",
        verifier="choice" if ask == "who" else "math",
    )


# --- several heaps ---------------------------------------------------------------------------------------------------


def _nim(draw: Draw, level: int) -> Draft:
    n = 2 if level < 3 else draw.between(2, 3) if level < 5 else 3
    heaps = [draw.between(1, 5 + 2 * level if n == 2 else 7) for _ in range(n)]
    if draw.chance(0.4):
        heaps[-1] = reduce(xor, heaps[:-1]) or heaps[0]
    total = reduce(xor, heaps)
    a, b = (p.name for p in people(draw, 2))
    thing = draw.pick(_TOKENS)
    many = _MANY.get(thing, f"{thing}s")
    names = list("ABCD")[:n]
    good = [(name, heap - (heap ^ total)) for name, heap in zip(names, heaps, strict=True) if heap ^ total < heap]
    if n == 2:
        steps = [Step("Equal heaps are lost for the one to move.", "Whatever is taken from one of two equal heaps, the other player can take as much from the other, and so makes the last move.")]  # fmt: skip
        if total:
            big, small = max(heaps), min(heaps)
            steps.append(Step(f"{a} takes {big} − {small} = {big - small} from heap {names[heaps.index(big)]}, which leaves {small} and {small}.", f"{big} and {small} are not equal.", Slip(f"{a} takes the whole larger heap.", f"Then {b} takes the whole other one and has won.")))  # fmt: skip
        else:
            steps.append(Step(f"{heaps[0]} and {heaps[1]} are equal, so {a} can only make them unequal."))
        check = "From then on every move can be copied on the other heap."
    else:
        bits = max(heaps).bit_length()
        steps = [
            Step(f"{', '.join(f'{heap} = {heap:0{bits}b}' for heap in heaps)}.", "Write the heaps in binary."),
            Step(f"Adding each column without carrying gives {total:0{bits}b}.", "The position is lost for the one to move if every column has an even number of ones.", Slip(f"Just add: {sum(heaps)}, an {'even' if sum(heaps) % 2 == 0 else 'odd'} number.", "What counts is each binary column, not the sum.")),
        ]  # fmt: skip
        if total:
            steps += [Step(f"From heap {name} one can take {take}: {heaps[names.index(name)]} becomes {heaps[names.index(name)] - take} = {heaps[names.index(name)] - take:0{bits}b}, and all columns are even.") for name, take in good]  # fmt: skip
        else:
            steps.append(Step("All columns are even, and every move changes one heap, so it spoils at least one column."))  # fmt: skip
        check = "From a position with even columns every move spoils some, and from a spoilt one there is always a move that repairs them; the end, 0 in all heaps, is even."
    ask = draw.pick(("who", "who", "count", "move") if total else ("who", "who", "count"))
    told = listed([f"{name} with {count(heap, thing, many)}" for name, heap in zip(names, heaps, strict=True)])
    begins = draw.pick(
        (
            f"There are {('two', 'three')[n - 2]} heaps: {told}. {a} and {b} take turns, {a} first, taking any number from one heap (at least one). Who takes the last {thing} wins.",
            f"{a} and {b} play with heaps {told}. In a move one takes as many {many} as one likes, but from one heap only. {a} moves first, and the one who can't move loses.",
            f"Heaps on the table: {told}. Taking turns, {a} and then {b} remove one or more {many} from a single heap. The last {thing} wins the game.",
        )
    )
    facts = {"kind": "nim", "heaps": heaps, "names": [a, b], "ask": ask}
    args: dict[str, Any] = {}
    if ask == "who":
        answer, verifier = a if total else b, "choice"
        question = f"{begins} {draw.pick(('Who wins with best play?', 'Who can force a win?', 'Who wins if neither makes a mistake?'))}"  # fmt: skip
        steps.append(Step(f"So {answer} wins."))
        says = f"{answer} wins."
    elif ask == "count":
        answer, verifier = str(len(good)), "math"
        question = f"{begins} How many different winning first moves does {a} have?"
        steps.append(Step(f"That is {count(len(good), 'winning move')}." if good else f"So {a} has no winning move: 0."))  # fmt: skip
        says = f"{a} has {count(len(good), 'winning move')}."
    else:
        verifier = "logic"
        name, take = draw.pick(good)
        answer = f"heap: {name}, take: {take}"
        question = f"{begins} Give a winning first move for {a}, in the form “heap: A, take: 1”."
        says = f"{a} takes {take} from heap {name}."
        ways = [["formula", ["and", ["is", "heap", x], ["is", "take", y]]] for x, y in good]
        args = {"variables": {"heap": names, "take": list(range(1, max(heaps) + 1))}, "constraints": [["or", *ways]]}
    return Draft(
        question=question,
        answer=answer,
        facts=facts,
        template=f"nim {n} {ask} {thing}",
        steps=steps,
        says=says,
        given=f"Heaps of {listed([str(h) for h in heaps])}; {a} is to move.",
        check=check,
        verifier=verifier,
        verifier_args=args,
    )


# --- noughts and crosses ---------------------------------------------------------------------------------------------

_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


def _threats(board: str, player: str) -> list[int]:
    """The squares that complete a line for a player."""
    found: list[int] = []
    for line in _LINES:
        row = [board[i] for i in line]
        if row.count(player) == 2 and row.count(".") == 1:
            found.append(line[row.index(".")])
    return sorted(dict.fromkeys(found))


def _board(draw: Draw, level: int) -> Draft:
    for _ in range(60):
        moves = draw.sample(range(9), draw.between(4, 6 if level < 3 else 7))
        board = "".join("XO"[moves.index(i) % 2] if i in moves else "." for i in range(9))
        me, other = ("X", "O") if len(moves) % 2 == 0 else ("O", "X")
        if any(all(board[i] == p for i in line) for line in _LINES for p in "XO"):
            continue
        mine, theirs = _threats(board, me), _threats(board, other)
        if len(mine) == 1 or (level > 1 and not mine and len(theirs) == 1):
            break
    else:
        raise Unfit
    win = len(mine) == 1
    square = (mine if win else theirs)[0]
    line = next(line for line in _LINES if square in line and all(board[i] == (me if win else other) for i in line if i != square))  # fmt: skip
    rest = listed([str(i + 1) for i in line if i != square])
    steps = []
    if win:
        slip = Slip(f"{other} threatens to complete a line on {theirs[0] + 1}, so {me} has to block there.", f"{me} can win at once, so no blocking is needed.") if theirs and theirs[0] != square else None  # fmt: skip
        steps.append(Step(f"{me} has {rest}, and {square + 1} is free: that completes {_name(line)}.", f"Look for lines with two {me} and a free square.", slip))  # fmt: skip
    else:
        steps.append(Step(f"No line has two {me} and a free square.", f"First see whether {me} can win at once."))
        steps.append(Step(f"{other} has {rest}, and {square + 1} is free: {_name(line)} is in danger.", f"Then see what {other} threatens."))  # fmt: skip
        steps.append(Step(f"{me} has to take {square + 1}.", "", Slip(f"{me} takes the best-looking free square.", f"Then {other} plays {square + 1} and has three in a row.")))  # fmt: skip
    shown = "\n".join(" ".join(c if c != "." else "_" for c in board[i : i + 3]) for i in (0, 3, 6))
    where = {p: listed([str(i + 1) for i in range(9) if board[i] == p]) for p in "XO"}
    a, b = (p.name for p in people(draw, 2))
    form = draw.between(0, 2)
    ask = draw.pick(("Which square should be taken?", "What is the best move?", "Where should the next mark go?")) + " Give the number of the square."  # fmt: skip
    players = f"{a} plays X and {b} plays O"
    numbering = "The squares are numbered 1 to 9, row by row from the top left."
    question = (
        f"Noughts and crosses, {me} to move; {players}:\n\n{shown}\n\n{numbering} {ask}",
        f"In a game of tic-tac-toe {players}. X is on {where['X']}, O on {where['O']}. {numbering} It is {me}'s turn. {ask}",
        f"{players}, on a board of three by three. {numbering} So far: X on {where['X']}; O on {where['O']}. {me} moves. {ask}",
    )[form]
    return Draft(
        question=question,
        answer=str(square + 1),
        facts={"kind": "board", "board": board, "me": me},
        template=f"board {win} {form} {board.count('.')} {square}",
        steps=steps,
        says=f"The square is {square + 1}.",
        given=f"X: {where['X']}; O: {where['O']}; {me} is to move.",
        check=f"With {square + 1}, {_name(line)} is {'all ' + me if win else 'closed for ' + other}.",
    )


def _name(line: tuple[int, ...]) -> str:
    """A line of the board in words."""
    if line[1] - line[0] == 1:
        return f"the {('top', 'middle', 'bottom')[line[0] // 3]} row"
    if line[1] - line[0] == 3:
        return f"the {('left', 'middle', 'right')[line[0]]} column"
    return "a diagonal"


# --- game trees ------------------------------------------------------------------------------------------------------

_CHOICES = (
    ("a door", "an envelope", "euros"), ("a road", "an inn", "euros"), ("a hat", "a card", "points"), ("a table", "a box", "sweets"), ("a boat", "a harbour", "crates"),
    ("a field", "a crop", "sacks"), ("a drawer", "a bag", "marbles"), ("an island", "a cave", "gold pieces"), ("a shelf", "a jar", "cookies"), ("a stall", "a parcel", "tokens"),
)  # fmt: skip


def _tree(draw: Draw, level: int) -> Draft:
    """One picks a branch, the other a twig of it, and perhaps the first a leaf of that."""
    deep = level > 2
    a, b = (p.name for p in people(draw, 2))
    first, second, unit = draw.pick(_CHOICES)
    branches = draw.sample("ABCDEFGH", 2 if deep and level < 5 else draw.between(2, 3))
    names = sorted(branches)
    high = 9 + 6 * level
    tree: dict[str, list[Any]] = {}
    for name in names:
        tree[name] = [[draw.between(1, high) for _ in range(2)] if deep else draw.between(1, high) for _ in range(draw.between(2, 3))]  # fmt: skip
    steps: list[Step] = []
    values: dict[str, int] = {}
    for name in names:
        twigs = tree[name]
        if deep:
            tops = [max(twig) for twig in twigs]
            steps.append(Step(f"{name}: {', '.join(f'of {twig[0]} and {twig[1]} {a} would take {max(twig)}' for twig in twigs)}.", f"At the end {a} chooses, and wants most." if not values else ""))  # fmt: skip
        else:
            tops = twigs
        values[name] = min(tops)
        slip = Slip(f"With {name} {a} gets {max(tops)}, the best there.", f"{b} chooses there and will not leave that to {a}.") if max(tops) != min(tops) else None  # fmt: skip
        steps.append(Step(f"{name}: of {listed([str(t) for t in tops])} {b} leaves {min(tops)}.", f"{b} wants {a} to get as little as possible." if len(values) == 1 else "", slip))  # fmt: skip
    best = max(values.values())
    picks = [name for name in names if values[name] == best]
    steps.append(Step(f"Of {listed([str(values[name]) for name in names])} {a} takes the largest, {best}, with {picks[0]}."))  # fmt: skip
    form = draw.between(0, 1)
    told = "; ".join(f"{name}: {' | '.join(f'{twig[0]} or {twig[1]}' if deep else str(twig) for twig in tree[name])}" for name in names)  # fmt: skip
    one, two = first.split()[-1], second.split()[-1]
    last = f" Then {a} chooses one of the two numbers in it." if deep else ""
    question = (
        f"{a} chooses {first}, {listed(names, 'or')}; then {b} chooses {second} there.{last} {a} gets that many {unit}. {a} wants as many as possible, {b} wants {a} to have as few as possible. What is in each {one}, {two} by {two}: {told}.",
        f"A game for {a} and {b}. First {a} picks {first} ({listed(names, 'or')}), knowing all that is in it: {told}. Next {b} picks one {two} of it.{last} {a} receives the {unit}, and {b} tries to keep them few.",
    )[form]
    ask = "branch" if len(picks) == 1 and draw.chance(0.45) else "value"
    if ask == "branch":
        question += f" Which {one} should {a} choose? Give its letter."
        answer, says, verifier = picks[0], f"{a} should choose {picks[0]}.", "choice"
    else:
        question += f" How many {unit} does {a} get if both choose as well as they can?"
        answer, says, verifier = str(best), f"{a} gets {best}.", "math"
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "tree", "tree": tree, "deep": deep, "ask": ask},
        template=f"tree {ask} {deep} {one} {form}",
        steps=steps,
        says=says,
        given=f"{a} moves first, {b} second{f', {a} again last' if deep else ''}; work from the end.",
        check=f"With {picks[0]} {a} is sure of {best}, and with no other choice of more.",
        verifier=verifier,
    )


def _ends(draw: Draw, level: int) -> Draft:
    """Coins in a row, taken from either end in turn."""
    n = draw.between(3, 4) if level < 5 else draw.between(4, 5)
    coins = [draw.between(1, 20) for _ in range(n)]
    a, b = (p.name for p in people(draw, 2))
    best: dict[tuple[int, int], int] = {}  # what the one to move gets of coins i to j - 1
    steps: list[Step] = []
    for size in range(1, n + 1):
        for i in range(n - size + 1):
            j = i + size
            total = sum(coins[i:j])
            if size == 1:
                best[i, j] = coins[i]
                continue
            left, right = total - best[i + 1, j], total - best[i, j - 1]
            best[i, j] = max(left, right)
            row = ", ".join(map(str, coins[i:j]))
            why = "With two left, one takes the larger." if size == 2 and i == 0 else f"Now rows of {('three', 'four', 'five')[size - 3]}: what the other gets of the rest is lost." if size > 2 and i == 0 else ""  # fmt: skip
            if size == 2:
                steps.append(Step(f"[{row}]: {best[i, j]}.", why))
                continue
            greedy = left if coins[i] >= coins[j - 1] else right
            slip = Slip(f"[{row}]: take the larger end, {max(coins[i], coins[j - 1])}, which makes {greedy}.", f"The other end makes {best[i, j]}.") if greedy < best[i, j] else None  # fmt: skip
            steps.append(Step(f"[{row}]: with {coins[i]} first {total} − {best[i + 1, j]} = {left}, with {coins[j - 1]} first {total} − {best[i, j - 1]} = {right}; so {best[i, j]}.", why, slip))  # fmt: skip
    total, mine = sum(coins), best[0, n]
    ask = draw.pick(("most", "most", "margin"))
    thing = draw.pick(("coins", "cards", "tiles", "chips", "stones with numbers", "tickets", "stamps", "banknotes", "blocks", "vouchers"))  # fmt: skip
    form = draw.between(0, 1)
    row = ", ".join(map(str, coins))
    question = (
        f"{thing.capitalize()} lie in a row, with the values {row}. {a} and {b} take turns, {a} first; in a turn one takes the first or the last of the row. Both want the largest sum for themselves and play perfectly.",
        f"In turn, {a} and then {b} take one of the two outer {thing} of this row of values: {row}. Each collects as much as possible, and both play without a mistake.",
    )[form]
    if ask == "most":
        question += f" What sum does {a} get?"
        answer, says = str(mine), f"{a} gets {mine}."
    else:
        question += f" By how much is {a}'s sum larger than {b}'s? Give a negative number if it is smaller."
        answer, says = str(2 * mine - total), f"The difference is {2 * mine - total}."
        steps.append(Step(f"{b} gets {total} − {mine} = {total - mine}, and {mine} − {total - mine} = {2 * mine - total}."))  # fmt: skip
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "ends", "coins": coins, "ask": ask},
        template=f"ends {ask} {n} {thing} {form}",
        steps=steps,
        says=says,
        given="Work from short rows to long ones; write in brackets a row and then what the one to move gets of it.",
        check=f"{mine} and {total - mine} make {total}, the sum of all.",
    )


# --- the independent solver ------------------------------------------------------------------------------------------


@cache
def _wins(n: int, takes: tuple[int, ...], last_loses: bool) -> bool:
    if n == 0:
        return last_loses
    moves = [t for t in takes if t <= n]
    return any(not _wins(n - t, takes, last_loses) for t in moves)


@cache
def _nim_wins(heaps: tuple[int, ...]) -> bool:
    return any(not _nim_wins(left) for left in _nim_moves(heaps))


def _nim_moves(heaps: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [tuple(sorted((*heaps[:i], rest, *heaps[i + 1 :]))) for i, heap in enumerate(heaps) for rest in range(heap)]


@cache
def _says(at: int, k: int, goal: int, loses: bool) -> bool:
    """Whether the one who goes on from a number wins."""
    if at >= goal:
        return loses
    return any(not _says(at + i, k, goal, loses) for i in range(1, k + 1) if loses or at + i <= goal)


def _best(coins: tuple[int, ...]) -> int:
    """How much more than the other the one to move gets."""
    if not coins:
        return 0
    return max(coins[0] - _best(coins[1:]), coins[-1] - _best(coins[:-1]))


def _played(board: str, i: int, player: str) -> str:
    return board[:i] + player + board[i + 1 :]


def _won(board: str, player: str) -> bool:
    return any(all(board[i] == player for i in line) for line in _LINES)


def solve(facts: dict[str, Any]) -> str:
    """Search all play."""
    kind = facts["kind"]
    if kind == "heap":
        n, takes = facts["n"], tuple(facts["takes"])
        good = [t for t in takes if t <= n and not _wins(n - t, takes, facts["last loses"])]
        return facts["names"][0 if good else 1] if facts["ask"] == "who" else str(good[0] if facts["ask"] == "move" else len(good))  # fmt: skip
    if kind == "race":
        good = [i for i in range(1, facts["k"] + 1) if not _says(i, facts["k"], facts["goal"], facts["loses"])]
        return facts["names"][0 if good else 1] if facts["ask"] == "who" else str(good[0])
    if kind == "nim":
        heaps = tuple(facts["heaps"])
        good_moves = [(i, heap - rest) for i, heap in enumerate(heaps) for rest in range(heap) if not _nim_wins(tuple(sorted((*heaps[:i], rest, *heaps[i + 1 :]))))]  # fmt: skip
        if facts["ask"] == "who":
            return facts["names"][0 if good_moves else 1]
        if facts["ask"] == "count":
            return str(len(good_moves))
        return f"heap: {'ABCD'[good_moves[0][0]]}, take: {good_moves[0][1]}"
    if kind == "board":
        board, me = facts["board"], facts["me"]
        other = "O" if me == "X" else "X"
        free = [i for i in range(9) if board[i] == "."]
        wins = [i for i in free if _won(_played(board, i, me), me)]
        safe = [i for i in free if not any(_won(_played(_played(board, i, me), j, other), other) for j in free if j != i)]  # fmt: skip
        moves = wins or safe
        return str(moves[0] + 1) if len(moves) == 1 else "not one move"
    if kind == "tree":
        worth = {name: -max(-(max(twig) if facts["deep"] else twig) for twig in twigs) for name, twigs in facts["tree"].items()}  # fmt: skip
        name = max(worth, key=lambda each: worth[each])
        return name if facts["ask"] == "branch" else str(worth[name])
    coins = tuple(facts["coins"])
    margin = _best(coins)
    return str(margin if facts["ask"] == "margin" else (sum(coins) + margin) // 2)


PIPELINE = Solver(
    make, solve, knobs="level: one heap and a board; then Nim with 2 and 3 heaps, odd moves, rows of 3 to 5 coins"
)
