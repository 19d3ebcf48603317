"""Zebra puzzles: people in a row with pets, drinks, jobs and more; the clues leave one arrangement only.

`make` adds clues until striking out impossible places leaves one for everything, then drops clues it can do without;
`solve` searches with backtracking.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.logic._search import search
from phiforge.data.words import listed, people


class Trait(NamedTuple):
    """One thing that differs from person to person: its name, how to speak of the person who has it, and its values."""

    name: str
    names: str
    one: str
    has: str
    lacks: str
    values: tuple[str, ...]


class Row(NamedTuple):
    """Places in order: how the puzzle begins, how to say where somebody is, and how two are placed to each other."""

    begins: str
    at: str
    spot: str
    verb: str
    before: str
    right_before: str
    adjacent: str
    between: str
    end: str
    spots: tuple[str, ...]


_PEOPLE = Trait("name", "people", "{}", "is {}", "isn't {}", ())
_TRAITS = (
    Trait("pet", "pets", "the owner of the {}", "owns the {}", "doesn't own the {}", ("cat", "dog", "parrot", "rabbit", "tortoise", "goldfish", "hamster", "canary")),
    Trait("drink", "drinks", "the {} drinker", "drinks {}", "doesn't drink {}", ("tea", "coffee", "cocoa", "lemonade", "water", "milk", "cider")),
    Trait("job", "jobs", "the {}", "is the {}", "isn't the {}", ("baker", "lawyer", "nurse", "pilot", "plumber", "teacher", "tailor", "gardener", "chemist")),
    Trait("instrument", "instruments", "the {} player", "plays the {}", "doesn't play the {}", ("violin", "flute", "cello", "trumpet", "piano", "harp", "guitar", "oboe")),
    Trait("hat", "hats", "the person with the {} hat", "wears the {} hat", "doesn't wear the {} hat", ("red", "green", "blue", "white", "black", "yellow", "purple")),
    Trait("sport", "sports", "the {} fan", "likes {}", "doesn't like {}", ("tennis", "rowing", "judo", "chess", "sailing", "skiing", "fencing")),
    Trait("dish", "dishes", "the one who ordered {}", "ordered {}", "didn't order {}", ("soup", "curry", "pasta", "risotto", "salad", "stew", "pizza")),
    Trait("language", "languages", "the {} speaker", "speaks {}", "doesn't speak {}", ("Polish", "Hindi", "Arabic", "Danish", "Swahili", "Korean", "Greek")),
    Trait("book", "books", "the reader of the {}", "reads the {}", "doesn't read the {}", ("atlas", "novel", "thriller", "diary", "cookbook", "biography", "comic")),
    Trait("flower", "flowers", "the one who grows {}", "grows {}", "doesn't grow {}", ("roses", "tulips", "lilies", "daisies", "orchids", "asters", "violets")),
    Trait("bag", "bags", "the person with the {} bag", "carries the {} bag", "doesn't carry the {} bag", ("leather", "canvas", "paper", "silk", "straw", "nylon", "felt")),
)  # fmt: skip
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_NUMBERS = ("1", "2", "3", "4", "5")
_ROWS = (
    Row("{n} people live in {n} houses in a row, numbered 1 to {n} from left to right.", "in house", "house", "lives", "somewhere to the left of", "directly to the left of", "next door to", "house", "in a house at one end of the row", _NUMBERS),
    Row("A tower has {n} floors, 1 at the bottom and {n} at the top, with one person on each.", "on floor", "floor", "lives", "somewhere below", "directly below", "directly above or below", "floor", "on the lowest or the highest floor", _NUMBERS),
    Row("{n} people gave a talk this week, one a day, on {spots}.", "on", "day", "spoke", "earlier in the week than", "on the day right before", "on the day right before or right after", "day", "on the first or the last of these days", _WEEK),
    Row("{n} people ran a race; nobody shared a place.", "in place", "place", "finished", "ahead of", "directly ahead of", "directly ahead of or directly behind", "runner", "first or last", _NUMBERS),
    Row("{n} friends sit in a row of seats in the cinema, seat 1 on the left to seat {n} on the right.", "in seat", "seat", "sits", "somewhere to the left of", "directly to the left of", "right beside", "seat", "in a seat at one end", _NUMBERS),
    Row("{n} people wait in a queue, 1 at the front and {n} at the back.", "at position", "position", "stands", "somewhere in front of", "directly in front of", "directly in front of or behind", "person", "at the front or at the back of the queue", _NUMBERS),
    Row("{n} sellers have stalls 1 to {n} along a street, from west to east.", "at stall", "stall", "sells", "somewhere to the west of", "directly to the west of", "at the stall next to", "stall", "at one end of the street", _NUMBERS),
    Row("{n} swimmers use lanes 1 to {n} of a pool, lane 1 on the left.", "in lane", "lane", "swims", "somewhere to the left of", "directly to the left of", "in the lane next to", "lane", "in one of the two outer lanes", _NUMBERS),
    Row("A small train has {n} wagons, 1 behind the engine and {n} at the end, with one traveller in each.", "in wagon", "wagon", "travels", "somewhere ahead of", "directly ahead of", "in the wagon next to", "wagon", "in the first or the last wagon", _NUMBERS),
    Row("{n} patients have appointments one after the other, numbered 1 to {n}.", "at number", "number", "comes", "some time before", "immediately before", "immediately before or after", "patient", "first or last", _NUMBERS),
)  # fmt: skip


class Event(NamedTuple):
    """Something struck out: how, the values that lost places and the places left to them, and the values it hangs on."""

    how: str
    values: list[int]
    left: list[int]
    because: list[int]
    clue: int = -1


_OF_TWO = ("same", "not same", "before", "right before", "adjacent", "gap")
_STRONG_FIRST = ("at", "end", "right before", "gap", "same", "adjacent", "not at", "before", "not same")
Clue = tuple[str, int, int]  # kind, a value, and another value or a place; values are numbered trait by trait


def make(draw: Draw, level: int) -> Draft:
    n, m = ((3, 2), (3, 3), draw.pick(((4, 2), (4, 3))), (4, 3), draw.pick(((4, 4), (5, 3))))[level - 1]
    puzzle = _Puzzle(draw, n, m)
    return puzzle.draft(draw, draw.pick(("who", "who", "where", "what", "all") if n * m < 12 else ("who", "what", "where")))  # fmt: skip


class _Puzzle:
    def __init__(self, draw: Draw, n: int, m: int) -> None:
        self.n, self.m, self.full = n, m, (1 << n) - 1
        which = draw.between(0, len(_ROWS) - 1)
        self.row, self.tag = _ROWS[which], _ROWS[which].spot
        self.traits = [_PEOPLE, *draw.sample(_TRAITS, m - 1)]
        self.values = [person.name for person in people(draw, n)]
        for trait in self.traits[1:]:
            self.values += draw.sample(trait.values, n)
        self.places = [place for _ in range(m) for place in draw.shuffled(range(n))]  # of each value
        self.clues: list[Clue] = []
        self._pose(draw)

    # --- posing ---

    def _random_clue(self, draw: Draw) -> Clue:
        a, b = int(draw.random() * self.n * self.m), int(draw.random() * (self.n * self.m - 1))
        b += b >= a  # two different values, as `sample` would draw them, only much faster
        if b < a:
            a, b = b, a
        x, y = self.places[a], self.places[b]
        if x == y:
            return ("same", a, b)
        lot = draw.random()
        if lot < 0.08:
            return ("at", a, x)
        if lot < 0.16:
            return ("not at", a, draw.pick([k for k in range(self.n) if k != x]))
        if lot < 0.22 and x in (0, self.n - 1):
            return ("end", a, 0)
        if lot < 0.4 and a // self.n != b // self.n:
            return ("not same", a, b)
        if abs(x - y) == 1 and lot < 0.85:
            if lot < 0.6:
                return ("adjacent", a, b)
            return ("right before", a, b) if x < y else ("right before", b, a)
        if abs(x - y) == 2 and lot < 0.6 and self.n > 3:
            return ("gap", a, b)
        return ("before", a, b) if x < y else ("before", b, a)

    def _pose(self, draw: Draw) -> None:
        domains = [self.full] * (self.n * self.m)
        kept: list[Clue] = []
        while any(domain & (domain - 1) for domain in domains):
            clue = self._random_clue(draw)
            news = self._news(domains, clue)  # clues that say little would make the list long
            if (news > 1 or (news and draw.chance(0.3))) and clue not in kept:
                kept.append(clue)
                self._narrow(domains, kept, [len(kept) - 1])
        kept = [clue for clue in kept if not any(_stronger(other, clue) for other in kept)]
        for clue in kept[:3]:  # the early ones may have become needless
            rest = [each for each in kept if each != clue]
            domains = [self.full] * (self.n * self.m)
            self._narrow(domains, rest, list(range(len(rest))))
            if not any(domain & (domain - 1) for domain in domains):
                kept = rest
        self.clues = draw.shuffled(kept)

    def _news(self, domains: list[int], clue: Clue) -> int:
        """How many places that were still possible a clue strikes out."""
        kind, a, b = clue
        x, y = self._left(clue, domains)
        news = domains[a].bit_count() - x.bit_count()
        return news + domains[b].bit_count() - y.bit_count() if kind in _OF_TWO else news

    # --- reasoning ---

    def _left(self, clue: Clue, domains: list[int]) -> tuple[int, int]:
        """What a clue leaves of the places of its two values, as bits."""
        kind, a, b = clue
        x, y = domains[a], domains[b]
        if kind == "at":
            return x & 1 << b, y
        if kind == "not at":
            return x & ~(1 << b), y
        if kind == "end":
            return x & (1 | 1 << self.n - 1), y
        if kind == "same":
            return x & y, x & y
        if kind == "not same":
            return (x & ~y if not y & (y - 1) else x), (y & ~x if not x & (x - 1) else y)
        if kind == "before":
            x &= (1 << (y.bit_length() - 1)) - 1
            return x, y & ~(((x & -x) << 1) - 1)
        if kind == "right before":
            x &= y >> 1
            return x, y & x << 1
        step = 1 if kind == "adjacent" else 2
        x &= y << step | y >> step
        return x, y & (x << step | x >> step)

    def _narrow(self, domains: list[int], clues: list[Clue], queue: list[int], log: list[Event] | None = None) -> None:
        """Strike out places, beginning with the clues in the queue, until nothing changes; `log` gets what was struck out."""
        about: list[list[int]] = [[] for _ in domains]
        for number, (kind, a, b) in enumerate(clues):
            about[a].append(number)
            if kind in _OF_TWO:
                about[b].append(number)
        waiting = [number in queue for number in range(len(clues))]
        while queue:
            number = queue.pop(0)
            waiting[number] = False
            kind, a, b = clue = clues[number]
            new, other = self._left(clue, domains)
            changed = [a] if new != domains[a] else []
            domains[a] = new
            if kind in _OF_TWO:
                if other != domains[b]:
                    changed.append(b)
                domains[b] = other
            if not changed:
                continue
            if log is not None:
                log.append(
                    Event("clue", changed, [domains[v] for v in changed], [a, b] if kind in _OF_TWO else [a], number)
                )
            touched = list(changed)
            for trait in dict.fromkeys(v // self.n for v in changed):
                touched += self._share_out(domains, trait, log)
            for v in touched:
                for each in about[v]:
                    if not waiting[each]:
                        waiting[each] = True
                        queue.append(each)

    def _share_out(self, domains: list[int], trait: int, log: list[Event] | None) -> list[int]:
        """Within a trait, places taken are lost to the others, and a place that only one can have is that one's.

        The values that lost places.
        """
        lost: list[int] = []
        mine = range(trait * self.n, trait * self.n + self.n)
        while True:
            taken = 0
            open_: list[int] = []
            for v in mine:
                if domains[v] & (domains[v] - 1):
                    open_.append(v)
                else:
                    taken |= domains[v]
            if not open_:
                return lost
            moved = [v for v in open_ if domains[v] & taken]
            for v in moved:
                domains[v] &= ~taken
                if log is not None:
                    log.append(Event("taken", [v], [domains[v]], [v, *(w for w in mine if w not in open_)]))
            if not moved:
                once = twice = 0
                for v in open_:
                    twice |= once & domains[v]
                    once |= domains[v]
                moved = [v for v in open_ if domains[v] & once & ~twice]
                for v in moved:
                    domains[v] &= once & ~twice
                    if log is not None:
                        log.append(Event("only", [v], [domains[v]], list(mine)))
            if not moved:
                return lost
            lost += moved

    # --- words ---

    def one(self, v: int) -> str:
        return self.traits[v // self.n].one.format(self.values[v])

    def spots(self, bits: int) -> str:
        return f"{self.row.at} {listed([self.row.spots[k] for k in range(self.n) if bits >> k & 1], 'or')}"

    def said(self, clue: Clue) -> str:
        """A clue as a sentence."""
        kind, a, b = clue
        row, one, verb = self.row, self.one(a), self.row.verb
        trait = self.traits[b // self.n] if kind in ("same", "not same") else _PEOPLE
        text = {
            "same": lambda: f"{one} {trait.has.format(self.values[b])}",
            "not same": lambda: f"{one} {trait.lacks.format(self.values[b])}",
            "at": lambda: f"{one} {verb} {row.at} {row.spots[b]}",
            "not at": lambda: f"it is not {row.at} {row.spots[b]} that {one} {verb}",
            "end": lambda: f"{one} {verb} {row.end}",
            "adjacent": lambda: f"{one} {verb} {row.adjacent} {self.one(b)}",
            "right before": lambda: f"{one} {verb} {row.right_before} {self.one(b)}",
            "before": lambda: f"{one} {verb} {row.before} {self.one(b)}",
            "gap": lambda: f"there is exactly one {row.between} between {one} and {self.one(b)}",
        }[kind]()
        return f"{text[0].upper()}{text[1:]}."

    def steps(self, needed: list[int]) -> list[Step]:
        """What is struck out, one after the other, until the places of the values needed are known."""
        log: list[Event] = []
        domains = [self.full] * (self.n * self.m)
        order = sorted(range(len(self.clues)), key=lambda i: _STRONG_FIRST.index(self.clues[i][0]))
        self._narrow(domains, self.clues, order, log)
        open_ = list(needed)
        for end, event in enumerate(log):
            for w, left in zip(event.values, event.left, strict=True):
                if w in open_ and not left & (left - 1):
                    open_.remove(w)
            if not open_:
                log = log[: end + 1]
                break
        wanted, kept = list(needed), list[Event]()
        for event in reversed(log):  # only what it hangs on is worth saying
            if any(v in wanted for v in event.values):
                wanted += event.because
                kept.append(event)
        steps: list[Step] = []
        seen = list[int]()
        for event in reversed(kept):
            if event.how != "taken" or not event.left[0] & (event.left[0] - 1):
                steps.append(self._step(event, "again" if event.clue in seen else ""))
            seen.append(event.clue)
        return steps

    def _step(self, event: Event, again: str) -> Step:
        parts = [f"{self.one(v)} {'can only be' if left & (left - 1) else 'is'} {self.spots(left)}" for v, left in zip(event.values, event.left, strict=True)]  # fmt: skip
        text = f"{parts[0][0].upper()}{', and '.join(parts)[1:]}."
        v, trait = event.values[0], self.traits[event.values[0] // self.n]
        if event.how == "taken":
            return Step(text, f"Every other {self.row.spot} is ruled out for {'' if trait is _PEOPLE else f'the {trait.name} '}{self.values[v]}.".replace("the flower ", "").replace("the sport ", ""))  # fmt: skip
        if event.how == "only":
            return Step(text, f"Of the {trait.names}, no other can be there any more.")
        clue = self.clues[event.clue]
        slip = None
        if clue[0] == "adjacent":
            slip = Slip(f"So {self.one(clue[1])} comes first and {self.one(clue[2])} right after.", "The clue allows both orders.")  # fmt: skip
        elif clue[0] == "before":
            slip = Slip(f"So they are neighbours, {self.one(clue[1])} first.", "The clue doesn't say that nobody is between them.")  # fmt: skip
        if clue[0] == "at":
            return Step(text, f"Clue {event.clue + 1} gives it at once.")
        return Step(text, f"Clue {event.clue + 1}{' ' + again if again else ''}: {self.said(clue)}", slip)

    def scene(self) -> str:
        parts: list[str] = []
        for k in range(self.n):
            here = [self.values[v] for v in range(self.n * self.m) if self.places[v] == k]
            parts.append(f"{self.row.spots[k] if self.row.spots is _WEEK else self.row.spot + ' ' + self.row.spots[k]}: {', '.join(here)}")  # fmt: skip
        return "; ".join(parts)

    def draft(self, draw: Draw, kind: str) -> Draft:
        n, row = self.n, self.row
        spots = listed(list(row.spots[:n]))
        number = ("three", "four", "five")[n - 3]
        begins = row.begins.replace("{n} people", "{N} people").replace("{n} friends", "{N} friends")
        begins = begins.replace("{n} s", "{N} s").replace("{n} pat", "{N} pat")
        intro = begins.format(n=n, N=number.capitalize(), spots=spots)
        groups = [(trait, self.values[i * n : i * n + n]) for i, trait in enumerate(self.traits)]
        form = draw.between(0, 2)
        things = "; ".join(f"{trait.names}: {listed(draw.shuffled(values))}" for trait, values in groups[1:])
        told = f"{intro} They are {listed(draw.shuffled(groups[0][1]))}. {draw.pick(('Each of them has one of these, all different', 'No two of them are alike in any of this', 'These belong to one person each'))}: {things}."
        lines = [(f"{i}. ", f"({i}) ", f"Clue {i}: ")[form] + self.said(clue) for i, clue in enumerate(self.clues, 1)]
        for _ in range(20):  # something that no clue says outright
            v = draw.between(n, n * self.m - 1)
            name = self.places.index(self.places[v])
            if ("at", v, self.places[v]) not in self.clues and ("same", name, v) not in self.clues:
                break
        trait = self.traits[v // n]
        place = row.spots[self.places[v]]
        verifier_args: dict[str, Any] = {}
        if kind == "who":
            ask, answer, needed = f"Who {trait.has.format(self.values[v])}?", self.values[name], [v, name]
            says = f"It is {answer} who {trait.has.format(self.values[v])}."
            facts: dict[str, Any] = {"of": self.values[v], "among": self.values[:n]}
        elif kind == "what":
            many = {"hat": "Which hat does {} wear? Give the colour.", "bag": "Which bag does {} carry? Give the material."}.get(trait.name, f"What is {{}}'s {trait.name}?")  # fmt: skip
            ask, answer, needed = many.format(self.values[name]), self.values[v], [v, name]
            says = f"{self.values[name]} {trait.has.format(answer)}."
            facts = {"of": self.values[name], "among": self.values[v // n * n : v // n * n + n]}
            verifier_args = {"aliases": [f"the {answer}", f"{answer} {trait.name}"]}
        elif kind == "where":
            ask, answer, needed = f"{row.at.split()[0].capitalize()} which {row.spot} is {self.one(v)}? Give {'the day' if row.spots is _WEEK else 'the number'}.", place, [v]  # fmt: skip
            says = f"{self.one(v)[0].upper()}{self.one(v)[1:]} is {row.at} {place}."
            facts = {"of": self.values[v], "spots": list(row.spots[:n])}
            if row.spots is _WEEK:
                ask = ask.replace("On which day is ", "On which day did ").replace("? Give", " speak? Give")
        else:
            ask = f"Where is everyone and everything? Give each {'of the ' + str(n * self.m) + ' words'} the number of its {row.spot}{', counting ' + row.spots[0] + ' as 1' if row.spots is _WEEK else ''}, like “{self.values[0]}: 2, {self.values[n]}: 1” and so on."
            answer = ", ".join(f"{value}: {place + 1}" for value, place in zip(self.values, self.places, strict=True))
            needed, says, facts = list(range(n * self.m)), "Now every place is known.", {}
        variables, constraints = self._model()
        if kind == "all":
            verifier_args = {"variables": variables, "constraints": constraints}
        steps = self.steps(needed)
        if kind in ("who", "what"):
            both = f"{self.one(v)[0].upper()}{self.one(v)[1:]} and {self.values[name]} are both {row.at} {place}."
            steps.append(Step(both))
        return Draft(
            question=f"{told}\n\n" + "\n".join(lines) + f"\n\n{ask}",
            answer=answer,
            facts={"kind": kind, **facts, "variables": variables, "constraints": constraints},
            template=f"{kind} {self.tag} {trait.name if kind != 'all' else n} {form}",
            steps=steps,
            says=says,
            given=f"There are {n} places and {self.m} things to put in each of them: {listed([trait.name for trait in self.traits])}.",
            check=f"The whole arrangement is {self.scene()}, and it agrees with all {len(lines)} clues.",
            verifier="logic" if kind == "all" else "math" if kind == "where" and row.spots is _NUMBERS else "choice",
            verifier_args=verifier_args,
        )

    def _model(self) -> tuple[dict[str, list[Any]], list[list[Any]]]:
        n, names = self.n, self.values
        constraints: list[list[Any]] = [["different", *names[i : i + n]] for i in range(0, len(names), n)]
        for kind, a, b in self.clues:
            x = names[a]
            if kind in ("at", "not at"):
                constraints.append(["is" if kind == "at" else "is not", x, b + 1])
            elif kind == "end":
                constraints.append(["in", x, [1, n]])
            elif kind == "gap":
                ways = [["and", ["is", x, i], ["is", names[b], j]] for i in range(1, n + 1) for j in (i - 2, i + 2) if 1 <= j <= n]  # fmt: skip
                constraints.append(["formula", ["or", *ways]])
            else:
                constraints.append([{"not same": "different"}.get(kind, kind), x, names[b]])
        return {name: list(range(1, n + 1)) for name in names}, constraints


_IMPLIES = {
    "right before": ("before", "adjacent", "not same"), "adjacent": ("not same",), "gap": ("not same",), "before": ("not same",), "at": ("end", "not at"),
}  # fmt: skip


def _stronger(one: Clue, other: Clue) -> bool:
    """Whether a clue makes another one about the same values needless."""
    if other[0] not in _IMPLIES.get(one[0], ()):
        return False
    return one[1] == other[1] if one[0] == "at" else sorted(one[1:]) == sorted(other[1:])


def solve(facts: dict[str, Any]) -> str:
    """Search for all arrangements, and read the answer off the only one."""
    found = list(islice(search(facts["variables"], facts["constraints"]), 2))
    if len(found) != 1:
        return "not one solution"
    places = found[0]
    if facts["kind"] == "all":
        return ", ".join(f"{name}: {place}" for name, place in places.items())
    place = places[facts["of"]]
    if facts["kind"] == "where":
        return facts["spots"][place - 1]
    return next(name for name in facts["among"] if places[name] == place)


PIPELINE = Solver(
    make, solve, knobs="level: 3 places and 2 traits to 5 places and 3 traits, or 4 and 4", verifier="choice"
)
