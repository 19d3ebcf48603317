"""Knights and knaves: who tells the truth, who lies, and who is the spy, from what each of them says.

`make` reasons with sets of worlds, one bit a world; `solve` tries all ways to give out the roles.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations, product
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import article, listed, people, plural

Statement = list[Any]  # a kind of `_truth`, and persons, roles or a number
TRIES = 60

_ROLES = (
    ("knight", "knave"), ("truth-teller", "liar"), ("angel", "demon"), ("sage", "trickster"),
    ("loyal guard", "traitor"), ("honest trader", "swindler"), ("priest", "rogue"), ("saint", "scoundrel"),
)  # fmt: skip
_NUMBERS = ("none", "one", "two", "three", "four", "five")
_INTRODUCTIONS = (
    "On an island everyone is either {a} or {b}. {A}s always tell the truth, {bs} always lie.",
    "Everybody in this town is {a}, who only says what is true, or {b}, who only says what is false.",
    "In an old tale each person is {a} or {b}: the first always speak the truth, the second never do.",
    "You meet some people. Each is {a} (and always tells the truth) or {b} (and always lies).",
    "{a_} never lies and {b} never tells the truth, and there is nobody else here.",
    "Every inhabitant of a valley is {a} or {b}. What {a} says is true; what {b} says is false.",
)


class _Setting(NamedTuple):
    """Who speaks, what the two roles are called, and how it begins."""

    names: list[str]
    roles: tuple[str, str]
    told: str
    tag: str

    def role(self, true: bool) -> str:
        return self.roles[not true]

    def a(self, true: bool) -> str:
        return article(self.role(true))


def _setting(draw: Draw, n: int) -> _Setting:
    r, i = draw.between(0, len(_ROLES) - 1), draw.between(0, len(_INTRODUCTIONS) - 1)
    a, b = _ROLES[r]
    told = _INTRODUCTIONS[i].format(
        a=article(a), b=article(b), bs=plural(b), A=a.capitalize(), a_=article(a).capitalize()
    )
    return _Setting([p.name for p in people(draw, n)], (a, b), told, f"{a} {i}")  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = ((_all, _one), (_all, _one, _number), (_all, _one, _number), (_all, _one, _number, _spy), (_all, _one, _number, _spy))  # fmt: skip
    return draw.pick(kinds[level - 1])(draw, level)


# --- what they say ---------------------------------------------------------------------------------------------------


def _statement(draw: Draw, n: int, me: int, level: int) -> Statement:
    others = [i for i in range(n) if i != me]
    kinds = ["is", "is", "same", "different", "either", "both"]
    if n > 2:
        kinds += ["exactly", "would", "both of", "either of"]
    if level > 2:
        kinds += ["if", "if", "would", "exactly", "either of"]
    kind = draw.pick(kinds)
    x = draw.pick(others)
    role = draw.chance(0.5)
    if kind == "is":
        return ["is", x, role]
    if kind in ("same", "different"):
        return [kind, me if n == 2 or draw.chance(0.6) else draw.pick([i for i in others if i != x]), x]
    if kind in ("either", "both"):
        return [kind, me, draw.chance(0.3), x, role]
    if kind == "exactly":
        return ["exactly", draw.between(0 if n < 4 else 1, n - 1)]
    y = draw.pick([i for i in others if i != x]) if n > 2 else me
    if kind in ("both of", "either of"):
        return [kind.removesuffix(" of"), x, role, y, role]
    if kind == "would":
        return ["would", x, y, role]
    return ["if", x, role, y, draw.chance(0.5)]


def _who(i: int, me: int, names: list[str]) -> str:
    return "I" if i == me else names[i]


def _quote(said: Statement, me: int, setting: _Setting) -> str:
    """A statement in its speaker's own words."""
    kind, *terms = said
    names, a = setting.names, setting.a

    def being(i: int, role: bool) -> str:
        return f"{_who(i, me, names)} {'am' if i == me else 'is'} {a(role)}"

    if kind == "is":
        return f"{being(*terms)}."
    if kind in ("same", "different"):
        x, y = terms
        pair = f"{names[y]} and I" if x == me else f"{names[x]} and {names[y]}"
        return f"{pair} are of {'the same kind' if kind == 'same' else 'different kinds'}."
    if kind in ("both", "either"):
        x, r, y, s = terms
        if r == s:
            pair = f"{names[y]} and I" if x == me else f"{names[x]} and {names[y]}"
            if kind == "both":
                return f"{pair} are both {plural(setting.role(r))}."
            pair = f"{names[y]} and me" if x == me else pair
            return f"At least one of {pair} is {a(r)}."
        return f"{being(x, r)} {'and' if kind == 'both' else 'or'} {being(y, s)}."
    if kind == "exactly":
        n, k = len(names), terms[0]
        if k == 0:
            return f"All {_NUMBERS[n]} of us are {plural(setting.roles[1])}."
        if k == n - 1 and n > 2:
            return f"Exactly one of us {_NUMBERS[n]} is {a(False)}."
        return f"Exactly {_NUMBERS[k]} of us {_NUMBERS[n]} {'is ' + a(True) if k == 1 else 'are ' + plural(setting.role(True))}."  # fmt: skip
    if kind == "would":
        x, y, r = terms
        return f"{names[x]} would tell you that {'I am' if y == me else names[y] + ' is'} {a(r)}."
    x, r, y, s = terms
    return f"If {being(x, r)}, then {being(y, s)}."


def _persons(said: Statement, n: int) -> list[int]:
    kind, *terms = said
    if kind == "exactly":
        return list(range(n))
    return {"is": terms[:1], "same": terms, "different": terms, "would": terms[:2]}.get(kind, terms[::2])


@cache
def _worlds(n: int) -> tuple[int, list[int]]:
    """All worlds, and for each person those in which it tells the truth; a world is a bit."""
    every = (1 << (1 << n)) - 1
    return every, [sum(1 << w for w in range(1 << n) if w >> i & 1) for i in range(n)]


@cache
def _with(n: int, k: int) -> int:
    return sum(1 << w for w in range(1 << n) if w.bit_count() == k)


def _truth(said: Statement, n: int) -> int:
    """The worlds in which a statement is true."""
    every, k = _worlds(n)
    kind, *t = said

    def being(i: int, role: bool) -> int:
        return k[i] if role else every & ~k[i]

    if kind == "is":
        return being(*t)
    if kind == "exactly":
        return _with(n, t[0])
    if kind in ("same", "different"):
        unequal = k[t[0]] ^ k[t[1]]
        return unequal if kind == "different" else every & ~unequal
    if kind == "would":
        return every & ~(k[t[0]] ^ being(t[1], t[2]))
    one, other = being(t[0], t[1]), being(t[2], t[3])
    return one & other if kind == "both" else one | other if kind == "either" else (every & ~one) | other


# --- reasoning -------------------------------------------------------------------------------------------------------


class _Puzzle:
    """Statements, the worlds that fit them, and reasoning about them person by person."""

    def __init__(self, draw: Draw, n: int, level: int, single: bool) -> None:
        self.setting = _setting(draw, n)
        self.n = n
        every, k = _worlds(n)
        for _ in range(TRIES):
            world = draw.between(0, (1 << n) - 1)
            self.said: list[Statement] = []
            for me in range(n):
                said = _statement(draw, n, me, level)
                while (_truth(said, n) >> world & 1) != (world >> me & 1):
                    said = _statement(draw, n, me, level)
                self.said.append(said)
            self.fit = [every & ~(k[me] ^ _truth(said, n)) for me, said in enumerate(self.said)]
            self.worlds = every
            for fit in self.fit:
                self.worlds &= fit
            if (self.worlds.bit_count() == 1) == single:
                self.world = self.worlds.bit_length() - 1
                return
        raise Unfit

    def name(self, i: int) -> str:
        return self.setting.names[i]

    def is_(self, i: int, role: bool) -> str:
        return f"{self.name(i)} is {self.setting.a(role)}"

    def quote(self, i: int) -> str:
        return f"“{_quote(self.said[i], i, self.setting)}”"

    def told(self, draw: Draw) -> str:
        verb = draw.pick(("says", "says", "claims", "declares"))
        lines = [f"{self.name(i)} {verb}: {self.quote(i)}" for i in draw.shuffled(range(self.n))]
        joined = "\n" + "\n".join(lines) if draw.chance(0.5) else " " + " ".join(lines)
        return f"{self.setting.told}{draw.pick(('', f' Here are {listed(self.setting.names)}.', f' You meet {listed(self.setting.names)}.'))}{joined}"

    def follow(self, known: dict[int, bool]) -> tuple[list[Step], bool]:
        """What follows from what is known, statement by statement, and whether it leads to a contradiction.

        `known` grows.
        """
        steps: list[Step] = []
        every, k = _worlds(self.n)
        at = every
        for i, role in known.items():
            at &= k[i] if role else ~k[i]
        moved = True
        while moved:
            moved = False
            for me, fit in enumerate(self.fit):
                local = fit & at
                about = [i for i in _persons(self.said[me], self.n) if i != me]
                if not local:
                    steps.append(self._clash(me, about, known))
                    return steps, True
                for i in (*about, me):
                    if i not in known and (not local & k[i] or not local & ~k[i]):
                        role = bool(local & k[i])
                        steps.append(self._step(me, about, i, role, known))
                        known[i] = role
                        at &= k[i] if role else ~k[i]
                        local = fit & at
                        moved = True
        return steps, False

    def _step(self, me: int, about: list[int], i: int, role: bool, known: dict[int, bool]) -> Step:
        """That person `i` has this role, by what `me` says."""
        given = [self.is_(j, known[j]) for j in about if j in known and j != i]
        said, slip = self.quote(me).replace(".”", "”"), None
        if me in known:
            because = f"{self.is_(me, known[me])}, so what {self.name(me)} says is {'true' if known[me] else 'false'}."
            say = f"{said} is {'true' if known[me] else 'false'}{', and ' + listed(given) if given else ''}; so {self.is_(i, role)}."
            kind = self.said[me][0]
            if kind == "both" and not known[me]:
                slip = Slip("So neither part of it is true.", "For “both” to be false it is enough that one part is false.")  # fmt: skip
            elif kind == "either" and known[me]:
                slip = Slip("So just one part of it is true.", "Both parts may be; only one has to.")
            elif kind == "if" and not known[me]:
                slip = Slip("So the first part is false.", "A conditional is false just if its first part is true and its second false.")  # fmt: skip
            elif not known[me] and not given:
                slip = Slip(f"{self.name(me)} says {said}, so that is so.", f"But {self.is_(me, False)}: the opposite holds.")  # fmt: skip
            return Step(say, because, slip)
        because = f"Take what {self.name(me)} says."
        ahead = f"as {listed(given)}, " if given else ""
        if i != me:
            say = f"{ahead}if {self.is_(i, not role)}, then {said} would be false for {self.setting.a(True)} and true for {self.setting.a(False)} to say; so {self.is_(i, role)}."
        elif self._decided(me, known):
            say = f"{ahead}{said} is {'true' if role else 'false'}; so {self.name(me)}, who says it, is {self.setting.a(role)}."
        else:
            say = f"{ahead}if {self.is_(me, not role)}, then {said} would be {'true' if role else 'false'}; so {self.is_(me, role)}."
        return Step(say[0].upper() + say[1:], because, slip)

    def _decided(self, me: int, known: dict[int, bool]) -> bool:
        """Whether what is known makes a statement true or false, whatever its speaker is."""
        at, k = _worlds(self.n)
        for i, role in known.items():
            at &= k[i] if role else ~k[i]
        true = _truth(self.said[me], self.n) & at
        return true in (0, at)

    def _clash(self, me: int, about: list[int], known: dict[int, bool]) -> Step:
        mentions = [*about, me] if me in known and me in _persons(self.said[me], self.n) else about
        given = listed([self.is_(j, known[j]) for j in mentions if j in known] or ["that can't be"])
        said = self.quote(me).replace(".”", "”")
        if me in known:
            truth = known[me]
            return Step(f"But {given}, which makes {said} {'false' if truth else 'true'}, and {self.setting.a(truth)} can't say that: a contradiction.", f"Look at what {self.name(me)} says.")  # fmt: skip
        return Step(f"But as {given}, neither {self.setting.a(True)} nor {self.setting.a(False)} could say {said}: a contradiction.", f"Look at what {self.name(me)} says.")  # fmt: skip

    def tried(self) -> list[Step]:
        """All worlds of two persons, one after another, each with the first words that don't fit it."""
        first, *others = (f"{self.scene(world)}: {self._heard(world)}." for world in (3, 1, 2, 0))
        return [Step(first, "Try all four ways."), *map(Step, others)]

    def _heard(self, world: int) -> str:
        said: list[str] = []
        for me, fit in enumerate(self.fit):
            true = bool(_truth(self.said[me], self.n) >> world & 1)
            quote = f"{self.quote(me).replace('.”', '”')} is {'true' if true else 'false'}"
            if not fit >> world & 1:
                return f"{quote}, which {self.setting.a(not true)} can't say"
            said.append(quote)
        return f"{listed(said)}, so it fits"

    def deduction(self, draw: Draw) -> list[Step] | None:
        """From nothing to the only world, by what follows and by refuting assumptions; None where that is not enough."""
        if self.n == 2:
            return self.tried()
        known: dict[int, bool] = {}
        steps, _ = self.follow(known)
        while len(known) < self.n:
            best: tuple[int, list[Step]] | None = None
            for i in draw.shuffled([i for i in range(self.n) if i not in known]):
                trial = {**known, i: not self.world >> i & 1}
                trail, clash = self.follow(trial)
                if clash and (best is None or len(trail) < len(best[1])):
                    best = i, trail
            if best is None:
                return None
            i, trail = best
            role = bool(self.world >> i & 1)
            before = "Now suppose" if steps else draw.pick(("Suppose", "Assume", "Let me suppose"))
            steps += [Step(f"{before} that {self.is_(i, not role)}."), *trail, Step(f"So {self.is_(i, role)}.", "The assumption was wrong.")]  # fmt: skip
            known[i] = role
            more, _ = self.follow(known)
            steps += more
        return steps

    def checked(self, world: int) -> str:
        """That a world agrees with everything said."""
        parts = [f"{self.name(i)}'s words are {'true' if world >> i & 1 else 'false'}" for i in range(self.n)]
        return f"with {self.scene(world)}, {listed(parts)}, as it should be"

    def sentence(self, world: int) -> str:
        text = self.checked(world)
        return f"{text[0].upper()}{text[1:]}."

    def scene(self, world: int) -> str:
        return listed([f"{self.name(i)} {self.setting.a(bool(world >> i & 1))}" for i in range(self.n)])

    def facts(self, kind: str, **more: Any) -> dict[str, Any]:
        return {
            "kind": kind,
            "names": self.setting.names,
            "roles": list(self.setting.roles),
            "said": self.said,
            **more,
        }


def _solved(draw: Draw, level: int) -> tuple[_Puzzle, list[Step]]:
    """A puzzle with one solution, and how to find it."""
    n = (2, 3, 3, 4, draw.between(4, 5))[level - 1]
    for _ in range(8):
        puzzle = _Puzzle(draw, n, level, single=True)
        steps = puzzle.deduction(draw)
        if steps is not None:
            return puzzle, steps
    raise Unfit


def _draft(puzzle: _Puzzle, **more: Any) -> Draft:
    given = f"{listed(puzzle.setting.names)} each made one statement, and the roles have to fit all of them."
    return Draft(given=given, check=puzzle.sentence(puzzle.world), **more)


def _all(draw: Draw, level: int) -> Draft:
    puzzle, steps = _solved(draw, level)
    a, b = puzzle.setting.roles
    form = draw.between(0, 3)
    ask = (
        f"Who is what? Give each name with {a} or {b}, like “{puzzle.name(0)}: {a}”, separated by commas.",
        f"Find out what each of them is, {a} or {b}. Answer in the form “name: role, name: role”.",
        f"Which of them are {plural(a)} and which {plural(b)}? List every name with its role, as in “{puzzle.name(puzzle.n - 1)}: {b}”.",
        "Determine the role of everyone and answer in one line, “name: role” for each, with commas between.",
    )[form]
    names = puzzle.setting.names
    model = [["formula", ["iff", ["is", names[me], a], _formula(said, names, a, b)]] for me, said in enumerate(puzzle.said)]  # fmt: skip
    return _draft(
        puzzle,
        question=f"{puzzle.told(draw)}\n\n{ask}",
        answer=", ".join(f"{name}: {puzzle.setting.role(bool(puzzle.world >> i & 1))}" for i, name in enumerate(names)),
        facts=puzzle.facts("all"),
        template=f"all {puzzle.setting.tag} {form}",
        steps=steps,
        says=f"This is how it is: {puzzle.scene(puzzle.world)}.",
        verifier="logic",
        verifier_args={"variables": {name: [a, b] for name in names}, "constraints": model},
    )  # fmt: skip


def _formula(said: Statement, names: list[str], a: str, b: str) -> Any:
    """A statement as the verifier reads it."""
    kind, *t = said

    def being(i: int, role: bool = True) -> Any:
        return ["is", names[i], a if role else b]

    if kind == "is":
        return being(*t)
    if kind == "exactly":
        return ["exactly", t[0], names, a]
    if kind in ("same", "different"):
        return ["iff" if kind == "same" else "xor", being(t[0]), being(t[1])]
    if kind == "would":
        return ["iff", being(t[0]), being(t[1], t[2])]
    return [{"both": "and", "either": "or", "if": "implies"}[kind], being(t[0], t[1]), being(t[2], t[3])]


def _number(draw: Draw, level: int) -> Draft:
    puzzle, steps = _solved(draw, level)
    role, form = draw.chance(0.6), draw.between(0, 2)
    many = plural(puzzle.setting.role(role))
    hits = puzzle.world.bit_count() if role else puzzle.n - puzzle.world.bit_count()
    ask = (f"How many of them are {many}?", f"How many {many} are among these {puzzle.n}?", f"Find the number of {many}.")[form]  # fmt: skip
    found = [puzzle.name(i) for i in range(puzzle.n) if (puzzle.world >> i & 1) == role]
    last = Step(f"The {many} are {listed(found)}, {hits} in all." if hits > 1 else f"Only {found[0]} is {puzzle.setting.a(role)}." if hits else f"Nobody is {puzzle.setting.a(role)}.")  # fmt: skip
    return _draft(
        puzzle,
        question=f"{puzzle.told(draw)}\n\n{ask}",
        answer=str(hits),
        facts=puzzle.facts("number", role=role),
        template=f"number {puzzle.setting.tag} {form}",
        steps=[*steps, last],
        says=f"There {'is' if hits == 1 else 'are'} {hits} of them.",
    )


def _one(draw: Draw, level: int) -> Draft:
    """What one of them is, if that can be known."""
    open_ = level > 1 and draw.chance(0.4)
    if open_:
        puzzle = _Puzzle(draw, (2, 3, 3, 4, 4)[level - 1], level, single=False)
        _, k = _worlds(puzzle.n)
        unsure = [i for i in range(puzzle.n) if puzzle.worlds & k[i] and puzzle.worlds & ~k[i]]
        who = draw.pick(unsure)
        yes, no = (part.bit_length() - 1 for part in (puzzle.worlds & k[who], puzzle.worlds & ~k[who]))
        answer = "cannot be known"
        steps = [
            Step(f"It may be: {puzzle.checked(yes)}.", f"Can {puzzle.name(who)} be {puzzle.setting.a(True)}?"),
            Step(f"That may be too: {puzzle.checked(no)}.", f"Can {puzzle.name(who)} be {puzzle.setting.a(False)}?", Slip(f"No, since it has turned out that {puzzle.is_(who, True)}.", "That was only one way; it has not been shown to be the only one.")),
            Step(f"So what {puzzle.name(who)} is can't be known."),
        ]  # fmt: skip
        check = f"In both cases every statement has the truth value that its speaker's role demands, and {puzzle.name(who)}'s role differs."
    else:
        puzzle, steps = _solved(draw, level)
        who = draw.between(0, puzzle.n - 1)
        answer = puzzle.setting.role(bool(puzzle.world >> who & 1))
        steps = [*steps, Step(f"What was asked is {puzzle.name(who)}: {article(answer)}.")]
        check = puzzle.sentence(puzzle.world)
    form, name = draw.between(0, 2), puzzle.name(who)
    a, b = puzzle.setting.roles
    ask = (
        f"Is {name} {article(a)} or {article(b)}, or can it not be known? Answer “{a}”, “{b}” or “cannot be known”.",
        f"What is {name}: “{a}”, “{b}”, or is it “cannot be known”?",
        f"Decide about {name}. Answer with one of these: {a}, {b}, cannot be known.",
    )[form]
    return Draft(
        question=f"{puzzle.told(draw)}\n\n{ask}",
        answer=answer,
        facts=puzzle.facts("one", who=who),
        template=f"one {puzzle.setting.tag} {form}",
        steps=steps,
        says=f"What {name} is can't be known." if open_ else f"{name} is {article(answer)}.",
        given=f"The question is only what {name} is, but the roles have to fit all statements.",
        check=check,
        verifier="choice",
        verifier_args={"aliases": ["it cannot be known", "unknown"] if open_ else [article(answer)]},
    )


# --- spies -----------------------------------------------------------------------------------------------------------

_SPY = ("knight", "knave", "spy")


def _spy_truth(said: Statement, roles: tuple[int, ...]) -> bool:
    kind, *t = said
    if kind == "role":
        return roles[t[0]] == t[1]
    if kind == "not":
        return roles[t[0]] != t[1]
    if kind == "either":
        return roles[t[0]] == t[1] or roles[t[2]] == t[3]
    return roles[t[0]] == t[1] and roles[t[2]] == t[3]


def _spy_quote(said: Statement, me: int, names: list[str]) -> str:
    kind, *t = said

    def being(i: int, role: int, no: str = "") -> str:
        return f"{'I am' if i == me else names[i] + ' is'} {no}the {_SPY[role]}"

    if kind in ("role", "not"):
        return f"{being(t[0], t[1], 'not ' if kind == 'not' else '')}."
    return f"{being(t[0], t[1])} {'or' if kind == 'either' else 'and'} {being(t[2], t[3])}."


def _spy(draw: Draw, level: int) -> Draft:
    names = [p.name for p in people(draw, 3)]
    kinds = ("role", "role", "not") if level < 5 else ("role", "not", "either", "both")
    for _ in range(TRIES):
        said: list[Statement] = []
        for _ in range(3):
            kind, x = draw.pick(kinds), draw.between(0, 2)
            y = draw.pick([i for i in range(3) if i != x])
            r = draw.between(0, 2)
            s = draw.pick([i for i in range(3) if i != r])
            said.append([kind, x, r] if kind in ("role", "not") else [kind, x, r, y, s])
        fit = [roles for roles in permutations(range(3)) if _spy_fits(said, roles)]
        if len(fit) == 1 and all(s[:2] != ["role", me] or s[2] != 1 for me, s in enumerate(said)):
            break
    else:
        raise Unfit
    roles = fit[0]
    quotes = [f"“{_spy_quote(s, me, names)}”" for me, s in enumerate(said)]
    steps: list[Step] = []
    for p in range(3):
        q, r = [i for i in range(3) if i != p]
        ways: list[tuple[int, int, tuple[int, ...]]] = []
        for knave, spy in ((q, r), (r, q)):
            way = tuple(0 if i == p else 1 if i == knave else 2 for i in range(3))
            ways.append((knave, spy, way))
        if not any(_spy_truth(said[p], way) for *_, way in ways):
            steps.append(Step(f"{names[p]}'s words, {quotes[p]}, would be false, whichever of the others is the spy; so {names[p]} isn't the knight.", f"Could {names[p]} be the knight?"))  # fmt: skip
            continue
        for first, (knave, spy, way) in enumerate(ways):
            scene = f"{names[knave]} the knave and {names[spy]} the spy"
            why = f"Could {names[p]} be the knight?" if not first else ""
            if not _spy_truth(said[p], way):
                steps.append(Step(f"With {scene}, {names[p]}'s words, {quotes[p]}, would be false, and a knight doesn't say that.", why))  # fmt: skip
            elif _spy_truth(said[knave], way):
                slip = Slip(f"With {scene}, {names[p]}'s words are true, so this is the solution.", f"Not yet: {names[knave]} has to lie.")  # fmt: skip
                steps.append(Step(f"With {scene}, {names[knave]}'s words, {quotes[knave]}, would be true, and a knave doesn't say that.", why, slip))  # fmt: skip
            else:
                steps.append(Step(f"With {scene}, {names[p]}'s words {quotes[p]} are true and {names[knave]}'s words {quotes[knave]} are false; the spy may say anything. This fits.", why))  # fmt: skip
    place = draw.pick(("On an island", "In a castle", "At a ball", "In a tale", "In a tavern", "On a ship", "At a fair", "In a camp"))  # fmt: skip
    intro = draw.between(0, 2)
    told = (
        f"{place} there are {listed(names)}: one is a knight, who always tells the truth, one a knave, who always lies, and one a spy, who may do either.",
        f"{place} you meet {listed(names)}. One of them is the knight and tells the truth, one is the knave and lies, one is the spy and says what he or she likes.",
        f"{place} three people, {listed(names)}, are one knight (always true), one knave (always false) and one spy (true or false at will).",
    )[intro]
    lines = [f"{names[i]} says: {quotes[i]}" for i in draw.shuffled(range(3))]
    told = f"{told}\n" + "\n".join(lines) if draw.chance(0.5) else f"{told} {' '.join(lines)}"
    scene = listed([f"{name} the {_SPY[role]}" for name, role in zip(names, roles, strict=True)])
    common: dict[str, Any] = {
        "steps": steps,
        "given": "One knight, one knave, one spy: six ways to give out the roles. Go by who is the knight.",
        "check": f"With {scene}, the knight's words are true and the knave's false, and none of the other five ways fits.",
    }
    facts: dict[str, Any] = {"kind": "spy", "names": names, "said": said}
    if draw.chance(0.5):
        ask = draw.pick(("Who is what? Answer in the form “name: role, name: role, name: role”.", "Give each of them the right role, as “name: role” with commas between."))  # fmt: skip
        model = [["different", *names]]
        for me, s in enumerate(said):
            model += [["if", ["is", names[me], "knight"], ["formula", _spy_formula(s, names)]], ["if", ["is", names[me], "knave"], ["formula", ["not", _spy_formula(s, names)]]]]  # fmt: skip
        return Draft(question=f"{told}\n\n{ask}", answer=", ".join(f"{name}: {_SPY[role]}" for name, role in zip(names, roles, strict=True)), facts={**facts, "ask": -1}, template=f"spy all {place} {intro}", says=f"So it is {scene}.", verifier="logic", verifier_args={"variables": {name: list(_SPY) for name in names}, "constraints": model}, **common)  # fmt: skip
    wanted = draw.between(0, 2)
    who = names[roles.index(wanted)]
    ask = draw.pick((f"Who is the {_SPY[wanted]}?", f"Which of them is the {_SPY[wanted]}? Give the name."))
    return Draft(question=f"{told}\n\n{ask}", answer=who, facts={**facts, "ask": wanted}, template=f"spy {_SPY[wanted]} {place} {intro}", says=f"The {_SPY[wanted]} is {who}.", verifier="choice", **common)  # fmt: skip


def _spy_fits(said: list[Statement], roles: tuple[int, ...]) -> bool:
    return all(role == 2 or _spy_truth(s, roles) == (role == 0) for s, role in zip(said, roles, strict=True))


def _spy_formula(said: Statement, names: list[str]) -> Any:
    kind, *t = said
    parts: list[Any] = [["is", names[i], _SPY[role]] for i, role in zip(t[::2], t[1::2], strict=True)]
    return {"role": parts[0], "not": ["not", parts[0]], "either": ["or", *parts], "both": ["and", *parts]}[kind]


# --- the independent solver ------------------------------------------------------------------------------------------


def _is_so(said: Statement, honest: tuple[bool, ...]) -> bool:
    match said:
        case ["is", x, role]:
            return honest[x] == role
        case ["same", x, y]:
            return honest[x] == honest[y]
        case ["different", x, y]:
            return honest[x] != honest[y]
        case ["exactly", k]:
            return sum(honest) == k
        case ["would", x, y, role]:
            return (honest[y] == role) if honest[x] else (honest[y] != role)
        case ["both", x, r, y, s]:
            return honest[x] == r and honest[y] == s
        case ["either", x, r, y, s]:
            return honest[x] == r or honest[y] == s
        case _:
            _, x, r, y, s = said
            return honest[x] != r or honest[y] == s


def _spy_says(said: Statement, roles: tuple[str, ...]) -> bool:
    pairs = [roles[i] == _SPY[role] for i, role in zip(said[1::2], said[2::2], strict=True)]
    return {"role": all, "not": lambda p: not any(p), "either": any, "both": all}[said[0]](pairs)


def solve(facts: dict[str, Any]) -> str:
    """Try every way to give out the roles."""
    names, said = facts["names"], facts["said"]
    if facts["kind"] == "spy":
        fit: list[tuple[str, ...]] = []
        for roles in permutations(_SPY):
            truths = [_spy_says(s, roles) for s in said]
            if truths[roles.index("knight")] and not truths[roles.index("knave")]:
                fit.append(roles)
        if len(fit) != 1:
            return "not one solution"
        if facts["ask"] >= 0:
            return names[fit[0].index(_SPY[facts["ask"]])]
        return ", ".join(f"{name}: {role}" for name, role in zip(names, fit[0], strict=True))
    worlds = [
        honest
        for honest in product((True, False), repeat=len(names))
        if all(_is_so(s, honest) == mine for s, mine in zip(said, honest, strict=True))
    ]
    word = {True: facts["roles"][0], False: facts["roles"][1]}
    if facts["kind"] == "one":
        found = list(dict.fromkeys(world[facts["who"]] for world in worlds))
        return word[found[0]] if len(found) == 1 else "cannot be known"
    if len(worlds) != 1:
        return "not one solution"
    if facts["kind"] == "number":
        return str(worlds[0].count(facts["role"]))
    return ", ".join(f"{name}: {word[mine]}" for name, mine in zip(names, worlds[0], strict=True))


PIPELINE = Solver(
    make, solve, knobs="level: 2 to 5 people; plain statements, then counts, conditionals, reports and spies"
)
