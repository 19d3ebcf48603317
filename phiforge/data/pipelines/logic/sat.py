"""Satisfiability: choices under conditions, colourings, clauses, sums and counts; an assignment that fits, or none exists.

`make` plants a solution or a contradiction and goes by what is forced; `solve` searches on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.logic._search import search
from phiforge.data.rows import Unfit
from phiforge.data.words import count, listed, people, plural

Literal = tuple[int, bool]
Clause = tuple[Literal, ...]
NONE = "unsatisfiable"

_ACTS = (
    ("comes to dinner", "stays away", "A host wonders who of {names} will come to dinner."),
    ("is on the team", "is not on the team", "A coach chooses a team from {names}."),
    ("gets a part", "gets no part", "A director gives out parts to {names}, or to some of them."),
    ("works on Monday", "is free on Monday", "A shop needs a plan for Monday for {names}."),
    ("joins the trip", "does not join the trip", "A group plans a trip; {names} may join or not."),
    ("gets a key", "gets no key", "A house has keys for some of {names}."),
    ("sings", "does not sing", "A choir asks who of {names} sings tonight."),
    ("is invited", "is not invited", "A couple makes a list of guests from {names}."),
    ("speaks at the meeting", "is silent at the meeting", "{names} may speak at a meeting or not."),
    ("rides in the first car", "rides in the second car", "Two cars take {names} to a wedding."),
)  # fmt: skip
_DEVICES = (
    ("pump", "runs", "is off"), ("switch", "is on", "is off"), ("valve", "is open", "is shut"), ("lamp", "is lit", "is dark"),
    ("feature", "is enabled", "is disabled"), ("gate", "is up", "is down"), ("module", "is installed", "is missing"), ("alarm", "is armed", "is disarmed"),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds: tuple[tuple[Callable[[Draw, int], Draft], ...], ...] = (
        (_choice, _choice, _colouring),
        (_choice, _choice, _colouring, _clauses),
        (_choice, _choice, _colouring, _clauses, _numbers),
        (_choice, _choice, _colouring, _clauses, _numbers, _models),
        (_choice, _choice, _colouring, _clauses, _numbers, _models),
    )
    return draw.pick(kinds[level - 1])(draw, level)


# --- clauses ---------------------------------------------------------------------------------------------------------


class _Reasoner:
    """What is forced by clauses, with the words for it."""

    def __init__(self, n: int, clauses: list[Clause], told: list[str], lit: Callable[[Literal], str]) -> None:
        self.n, self.clauses, self.told, self.lit = n, clauses, told, lit

    def follow(self, known: dict[int, bool]) -> tuple[list[Step], bool]:
        """Unit propagation; the steps, and whether it ends in a contradiction. `known` grows."""
        steps: list[Step] = []
        moved = True
        while moved:
            moved = False
            for clause, told in zip(self.clauses, self.told, strict=True):
                if any(known.get(v) == sign for v, sign in clause):
                    continue
                open_ = [(v, sign) for v, sign in clause if v not in known]
                if len(open_) > 1:
                    continue
                facts = [self.lit((v, not sign)) for v, sign in clause if v in known]
                if not open_:
                    steps.append(Step(f"That can't be together with this: {listed(facts)}. A contradiction.", f"The condition says: {told}"))  # fmt: skip
                    return steps, True
                v, sign = open_[0]
                known[v] = sign
                moved = True
                since = f"Since {listed(facts)}, " if facts else ""
                say = f"{since}{self.lit((v, sign))}."
                slip = Slip("So far nothing is forced by that.", f"It is: {listed(facts)}, so only one way is left to keep it.") if len(clause) > 2 else None  # fmt: skip
                steps.append(
                    Step(
                        say if say[1] == " " else say[0].upper() + say[1:],
                        told if facts else "This much is said outright.",
                        slip,
                    )
                )
        return steps, False

    def solved(self, draw: Draw, wanted: list[bool] | None) -> list[Step] | None:
        """How to find the solution that was planted, or that there is none (None if that takes too many words)."""
        known: dict[int, bool] = {}
        steps, clash = self.follow(known)
        while not clash and len(known) < self.n:
            v = max((v for v in range(self.n) if v not in known), key=lambda v: sum(v == w for c in self.clauses for w, _ in c))  # fmt: skip
            sign = wanted[v] if wanted else draw.chance(0.5)
            trial = {**known, v: sign}
            trail, failed = self.follow(trial)
            if wanted:
                other, bad = self.follow({**known, v: not sign})
                if bad and draw.chance(0.5):
                    steps += [Step(f"Try it with this: {self.lit((v, not sign))}."), *other, Step(f"So {self.lit((v, sign))}.")]  # fmt: skip
                else:
                    steps.append(Step(f"Try it with this: {self.lit((v, sign))}.", ("Nothing more is forced" if steps else "Nothing is forced yet") + ", so something has to be tried."))  # fmt: skip
                steps += trail
                known = trial
                continue
            other, bad = self.follow({**known, v: not sign})
            if failed and bad:
                steps += [
                    Step(f"First case: {self.lit((v, sign))}.", "Nothing more is forced, so take two cases."),
                    *trail,
                    Step(f"Second case: {self.lit((v, not sign))}."),
                    *other,
                ]
                return steps
            return None
        return steps if clash or wanted else None


def _no_way(steps: list[Step]) -> str:
    if any(step.say.startswith("First case") for step in steps):
        return "Each of the two cases ended in a contradiction, and there is no third."
    return "Nothing was tried on the way: every step was forced, up to the contradiction."


def _said(draw: Draw, clause: Clause, lit: Callable[[Literal], str]) -> str:
    """A clause of one to three literals as a sentence of everyday speech."""
    texts = [lit(each) for each in clause]
    nots = [lit((v, not sign)) for v, sign in clause]
    if len(clause) == 1:
        return f"{texts[0][0].upper()}{texts[0][1:]}."
    if len(clause) == 2:
        text = draw.pick((f"if {nots[0]}, then {texts[1]}", f"if {nots[1]}, then {texts[0]}", f"{texts[0]}, or {texts[1]}, or both", f"it can't be that {nots[0]} and {nots[1]}"))  # fmt: skip
    else:
        text = draw.pick((f"at least one of these is so: {'; '.join(texts)}", f"if {nots[0]} and {nots[1]}, then {texts[2]}", f"it can't be that {nots[0]}, {nots[1]} and {nots[2]}"))  # fmt: skip
    return f"{text[0].upper()}{text[1:]}."


def _planted(draw: Draw, n: int, level: int) -> tuple[list[Clause], list[bool] | None]:
    """Clauses that a chosen assignment satisfies, or, for None, that nothing does."""
    target = [draw.chance(0.5) for _ in range(n)]
    clauses: list[Clause] = []
    for _ in range(n + level):
        width = draw.pick((1, 2, 2, 2, 3) if not any(len(c) == 1 for c in clauses) else (2, 2, 3))
        chosen = draw.sample(range(n), min(width, n))
        clause = tuple((v, draw.chance(0.5)) for v in chosen)
        if not any(target[v] == sign for v, sign in clause):
            v, sign = clause[0]
            clause = ((v, not sign), *clause[1:])
        if sorted(clause) not in [sorted(each) for each in clauses]:
            clauses.append(clause)
    if level < 2 or draw.chance(0.65):
        return clauses, target
    a, b, c = ((v, draw.chance(0.5)) for v in draw.sample(range(n), 3))

    def no(x: Literal) -> Literal:
        return x[0], not x[1]

    core = draw.pick(
        (
            [(a, b), (no(a), b), (no(b), c), (no(b), no(c))],
            [(no(a), b), (no(b), c), (no(c), no(a)), (a, c), (no(c), b), (no(b), a)],
            [(a, b), (a, no(b)), (no(a), c), (no(a), no(c))],
            [(a,), (no(a), b), (no(b), c), (no(c), no(a))],
        )
    )
    rest = clauses[: n - 1] if level > 2 else clauses[:2]
    return draw.shuffled([*core, *(each for each in rest if each not in core)]), None


def _constraint(clause: Clause, names: list[str], yes: Any, no: Any) -> list[Any]:
    parts = [["is", names[v], yes if sign else no] for v, sign in clause]
    return parts[0] if len(parts) == 1 else ["or", *parts]


def _choice(draw: Draw, level: int) -> Draft:
    """People or devices that are so or not, with conditions in words."""
    n = 3 + (level + 1) // 2 - (level == 1)
    human = draw.chance(0.6)
    if human:
        names = [p.name for p in people(draw, n)]
        yes, no, intro = draw.pick(_ACTS)
        intro = intro.format(names=listed(names))
        tag = yes
        lead = {name: name for name in names}
    else:
        kind, yes, no = draw.pick(_DEVICES)
        names = draw.sample("ABCDEFGHKLMNPRST", n)
        place = draw.pick(("A plant", "A workshop", "An old ship", "A greenhouse", "A laboratory", "A theatre", "A harbour", "A data centre"))  # fmt: skip
        intro = f"{place} has {n} {plural(kind)}, {listed(names)}; each either {yes} or {no}."
        tag = kind
        lead = {name: f"{kind} {name}" for name in names}

    def lit(each: Literal) -> str:
        return f"{lead[names[each[0]]]} {yes if each[1] else no}"

    for _ in range(40):
        clauses, target = _planted(draw, n, level)
        told = [_said(draw, clause, lit) for clause in clauses]
        reasoner = _Reasoner(n, clauses, told, lit)
        steps = reasoner.solved(draw, target)
        if steps is not None:
            break
    else:
        raise Unfit
    variables = {name: ["yes", "no"] for name in names}
    constraints = [_constraint(clause, names, "yes", "no") for clause in clauses]
    if target:
        answer = ", ".join(f"{name}: {'yes' if value else 'no'}" for name, value in zip(names, target, strict=True))
        says = f"This fits: {listed([lit((i, value)) for i, value in enumerate(target)])}."
        check = "Condition by condition: " + " ".join(_kept(clause, target, lit, i) for i, clause in enumerate(clauses, 1))  # fmt: skip
    else:
        answer, says, check = NONE, "There is no way to keep all the conditions.", _no_way(steps)  # fmt: skip
        steps = [*steps, Step("So the conditions can't all be kept.")]
    form = draw.between(0, 2)
    listing = "\n" + "\n".join(f"- {text}" for text in told) if draw.chance(0.5) else " " + " ".join(told)
    mean = f"yes for “{yes}” and no for “{no}”"
    question = (
        f"{intro} The conditions:{listing}\n\nFind values that keep all of them, {mean}, in the form “{names[0]}: yes, {names[1]}: no” and so on, or answer “unsatisfiable”.",
        f"{intro} All of this must hold:{listing}\n\nGive every one of the {n} its value ({mean}; like “{names[0]}: no, {names[1]}: no, …”), or say “unsatisfiable” if it can't be done.",
        f"{intro} These rules apply:{listing}\n\nCan they all be kept? If so, list a solution as “{names[0]}: yes, …” ({mean}); if not, answer “unsatisfiable”.",
    )[form]
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "choice", "variables": variables, "constraints": constraints},
        template=f"choice {target is None} {tag} {form}",
        steps=steps,
        says=says,
        given=f"{n} values are wanted, under {len(clauses)} conditions.",
        check=check,
        verifier="logic",
        verifier_args={"variables": variables, "constraints": constraints},
    )


def _kept(clause: Clause, target: list[bool], lit: Callable[[Literal], str], i: int) -> str:
    good = next((v, sign) for v, sign in clause if target[v] == sign)
    return f"{i} is kept, as {lit(good)}."


def _clauses(draw: Draw, level: int) -> Draft:
    """The same with letters and signs."""
    n = 3 + level // 2
    names = list(draw.pick(("pqrst", "abcde", "xyzuv", "PQRST", "ABCDE", "kmnrs")))[:n]
    style = draw.pick((("¬", " ∨ "), ("not ", " or "), ("~", " | "), ("!", " || ")))

    def shown_clause(clause: Clause) -> str:
        return style[1].join(f"{'' if sign else style[0]}{names[v]}" for v, sign in clause)

    def lit(each: Literal) -> str:
        return f"{names[each[0]]} is {'true' if each[1] else 'false'}"

    for _ in range(40):
        clauses, target = _planted(draw, n, level + 1)
        told = [f"{shown_clause(clause)}." for clause in clauses]
        steps = _Reasoner(n, clauses, told, lit).solved(draw, target)
        if steps is not None:
            break
    else:
        raise Unfit
    variables = {name: [True, False] for name in names}
    constraints = [["clause", *(name if sign else f"-{name}" for name, sign in ((names[v], s) for v, s in clause))] for clause in clauses]  # fmt: skip
    if target:
        answer = ", ".join(f"{name}: {str(value).lower()}" for name, value in zip(names, target, strict=True))
        says, check = "This assignment satisfies every clause.", "Clause by clause: " + " ".join(_kept(clause, target, lit, i) for i, clause in enumerate(clauses, 1))  # fmt: skip
    else:
        answer, says, check = NONE, "No assignment satisfies all clauses.", _no_way(steps)  # fmt: skip
        steps = [*steps, Step("So the clauses are unsatisfiable together.")]
    who = people(draw, 1)[0]
    text = draw.pick(("; ".join(f"{i}. {shown_clause(c)}" for i, c in enumerate(clauses, 1)) + ".", "\n" + "\n".join(f"({i}) {shown_clause(c)}" for i, c in enumerate(clauses, 1)) + "\n"))  # fmt: skip
    uses = draw.pick(("to set the options of a program", "to check a circuit", "to configure a server", "to plan an experiment", "to test a solver", "to settle an argument", "to choose the rules of a game", "to wire a control panel", "to write a puzzle", "to verify a lock"))  # fmt: skip
    form = draw.between(0, 2)
    like = f"“{names[0]}: true, {names[1]}: false, …”"
    question = (
        f"{who} has these clauses {uses}: {text} Find an assignment of {listed(names)} that makes all of them true, as {like}, or answer “unsatisfiable”.",
        f"Is there an assignment of true and false to {listed(names)} under which every clause holds? {who} needs it {uses}. {text} Give it as {like}, or say “unsatisfiable”.",
        f"{who} wants all of these to hold at once, {uses}: {text} Give values for {listed(names)} in the form {like}; if there are none, answer “unsatisfiable”.",
    )[form].replace("\n ", "\n")
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "clauses", "variables": variables, "constraints": constraints},
        template=f"clauses {target is None} {names[0]} {style[0]} {form}",
        steps=steps,
        says=says,
        given=f"{len(clauses)} clauses with {n} letters.",
        check=check,
        verifier="logic",
        verifier_args={"variables": variables, "constraints": constraints},
    )


def _models(draw: Draw, level: int) -> Draft:
    """How many choices keep all the conditions."""
    n = 3 + (level > 4)
    names = [p.name for p in people(draw, n)]
    yes, no, intro = draw.pick(_ACTS)

    def lit(each: Literal) -> str:
        return f"{names[each[0]]} {yes if each[1] else no}"

    clauses: list[Clause] = []
    while len(clauses) < n:
        clause = tuple((v, draw.chance(0.5)) for v in sorted(draw.sample(range(n), draw.pick((2, 2, 3)))))
        if clause not in clauses:
            clauses.append(clause)
    told = [_said(draw, clause, lit) for clause in clauses]
    left = list(range(2**n))
    steps = [Step(f"{2**n} ways in all.", f"Each of {n} people has two possibilities.")]
    for clause, text in zip(clauses, told, strict=True):
        out = [w for w in left if not any((w >> v & 1 == 1) == sign for v, sign in clause)]
        left = [w for w in left if w not in out]
        against = listed([lit((v, not sign)) for v, sign in clause])
        steps.append(Step(f"It rules out the ways in which {against}; {'none' if not out else count(len(out), 'way')} of those still there {'goes' if len(out) == 1 else 'go'}, and {len(left)} {'is' if len(left) == 1 else 'are'} left.", text, Slip(f"It rules out {2 ** (n - len(clause))} ways, so subtract that.", "Some of them are out already.") if len(out) != 2 ** (n - len(clause)) else None))  # fmt: skip
    answer = str(len(left))
    form = draw.between(0, 1)
    question = (
        f"{intro.format(names=listed(names))} {' '.join(told)} In how many ways can it be decided for all {n}, so that this holds?",
        f"{intro.format(names=listed(names))} The rules are these:\n" + "\n".join(f"- {text}" for text in told) + "\n\nHow many different choices keep all the rules?",
    )[form]  # fmt: skip
    shown = "; ".join("/".join(names[v] for v in range(n) if w >> v & 1) or "nobody" for w in left)
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "models", "variables": {name: [True, False] for name in names}, "constraints": [["clause", *(names[v] if sign else f"-{names[v]}" for v, sign in clause)] for clause in clauses]},
        template=f"models {yes} {form}",
        steps=steps,
        says=f"There {'is' if len(left) == 1 else 'are'} {count(len(left), 'way')}.",
        given=f"{n} people, {len(clauses)} rules.",
        check=f"Those of whom “{yes}” is true, way by way: {shown}." if left else "Every way breaks a rule.",
        verifier="math",
    )  # fmt: skip


# --- colourings and numbers ------------------------------------------------------------------------------------------

_COLOURS: tuple[str, ...] = ("red", "blue", "green", "yellow")
_MAPS = (
    ("country", "countries", "on a map", "share a border"), ("room", "rooms", "of a house", "have a door between them"), ("field", "fields", "of a farm", "touch"),
    ("station", "stations", "of a radio net", "are in range of each other"), ("tile", "tiles", "of a mosaic", "lie side by side"), ("garden", "gardens", "of a street", "have a common fence"),
    ("stand", "stands", "of a market", "face each other"), ("island", "islands", "of an archipelago", "are joined by a bridge"), ("wire", "wires", "of a machine", "cross"),
)  # fmt: skip


def _colouring(draw: Draw, level: int) -> Draft:
    """Neighbours must differ in colour."""
    n = 3 + (level + 1) // 2
    colours = draw.sample(_COLOURS, 2 if level == 1 or draw.chance(0.2) else 3)
    names = draw.sample("ABCDEFGHKLMNPRST", n)
    one, many, where, touch = draw.pick(_MAPS)
    impossible = level > 1 and draw.chance(0.35)
    target = {name: draw.pick(colours) for name in names}
    edges = [pair for pair in combinations(names, 2) if target[pair[0]] != target[pair[1]]]
    edges = draw.sample(edges, min(len(edges), n + level // 2))
    odd: list[str] = []
    if impossible:  # all of them neighbours of each other, one more than there are colours, or an odd ring for two
        odd = names[: len(colours) + 1]
        edges = list(dict.fromkeys([*combinations(odd, 2), *edges[: level // 2]]))
    if len(edges) < 2:
        raise Unfit
    fixed = draw.pick(names) if not impossible and draw.chance(0.6) else ""
    near = {name: [b if a == name else a for a, b in edges if name in (a, b)] for name in names}
    steps: list[Step] = []
    if impossible:
        given: list[str] = []
        for name, colour in zip(odd, colours, strict=False):
            why = f"{name} is a neighbour of {listed(given)}." if given else f"Take {listed(odd)}, which are all neighbours of each other."  # fmt: skip
            steps.append(Step(f"Say {name} is {colour}." if not given else f"So {name} needs another colour, say {colour}.", why))  # fmt: skip
            given.append(name)
        last = odd[len(colours)]
        steps.append(Step(f"{last} is a neighbour of {listed(given)}, which have {'both' if len(colours) == 2 else 'all three'} colours between them; none is left for it.", "", Slip(f"{last} gets {colours[0]} again.", f"{given[0]} has it, and they are neighbours.")))  # fmt: skip
        steps.append(Step("Which colours are named first makes no difference, so it can't be done."))
        answer, says, check = NONE, "There is no such colouring.", f"{len(odd)} that are all neighbours need {len(odd)} colours, and there are only {len(colours)}."  # fmt: skip
    else:
        for i, name in enumerate(sorted(names, key=lambda name: (name != fixed, -len(near[name])))):
            taken = sorted(
                {target[other] for other in near[name][:] if other in [s for s in names if _done(steps, s)]}
            )
            done = [other for other in near[name] if _done(steps, other)]
            free = [colour for colour in colours if colour not in taken]
            if name == fixed:
                steps.append(Step(f"{name} is {target[name]}.", "That is given."))
            elif not done:
                steps.append(Step(f"{name} is free: try {target[name]}.", "Begin with the one that has most neighbours." if i == 0 else "No neighbour of it has a colour yet."))  # fmt: skip
            else:
                seen = listed([f"{other} ({target[other]})" for other in done])
                slip = Slip(f"{name} is {taken[0]}.", f"{next(o for o in done if target[o] == taken[0])} is {taken[0]} and a neighbour.")  # fmt: skip
                steps.append(Step(f"{name} is {target[name]}." if len(free) == 1 else f"{name} is {listed(free, 'or')}: try {target[name]}.", f"{name} is a neighbour of {seen}.", slip))  # fmt: skip
        answer = ", ".join(f"{name}: {target[name]}" for name in names)
        says = "This colouring works."
        check = f"Pair by pair: {', '.join(f'{a}–{b} {target[a]}/{target[b]}' for a, b in edges)}."
    pairs = draw.shuffled([f"{a} and {b}" if draw.chance(0.5) else f"{b} and {a}" for a, b in edges])
    who = people(draw, 1)[0]
    hint = f" {fixed} is to be {target[fixed]}." if fixed else ""
    form = draw.between(0, 2)
    like = f"“{names[0]}: {colours[-1]}, {names[1]}: {colours[0]}, …”"
    question = (
        f"{who} paints {n} {many} {where}, {listed(names)}, each {listed(colours, 'or')}. Two that {touch} must not get the same colour; these do: {listed(pairs)}.{hint} Give a colouring like {like}, or answer “unsatisfiable”.",
        f"The {many} {listed(names)} {where} are to be marked with the colours {listed(colours)}. Those that {touch} need different ones: {'; '.join(pairs)}.{hint} Find such a colouring ({like}), or say “unsatisfiable” if there is none.",
        f"Of the {n} {many} {where}, these pairs {touch}: {', '.join(pairs)}. {who} has {('two', 'three')[len(colours) - 2]} colours, {listed(colours)}, and gives one to each of {listed(names)}, never the same to such a pair.{hint} Write down a way, as {like}, or “unsatisfiable”.",
    )[form]
    variables = {name: list(colours) for name in names}
    constraints: list[list[Any]] = [["different", a, b] for a, b in edges]
    if fixed:
        constraints.append(["is", fixed, target[fixed]])
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "colouring", "variables": variables, "constraints": constraints},
        template=f"colouring {impossible} {one} {form}",
        steps=steps,
        says=says,
        given=f"{n} {many}, {len(edges)} pairs of neighbours, {len(colours)} colours.",
        check=check,
        verifier="logic",
        verifier_args={"variables": variables, "constraints": constraints},
    )


def _done(steps: list[Step], name: str) -> bool:
    return any(step.say.startswith(f"{name} is ") for step in steps)


def _numbers(draw: Draw, level: int) -> Draft:
    """Small numbers for some letters, with sums and orders."""
    n = 3 + (level > 4)
    top = draw.between(5, 9)
    names = list(draw.pick(("abcd", "xyzw", "klmn", "pqrs", "uvwz", "rstu")))[:n]
    values = draw.sample(range(1, top + 1), n)
    impossible = draw.chance(0.3)
    total = sum(values)
    order = sorted(range(n), key=lambda i: values[i])
    low, high = order[0], order[-1]
    a, b = draw.sample(range(n), 2)
    if values[a] > values[b]:
        a, b = b, a
    gap = values[b] - values[a]
    variables = {name: list(range(1, top + 1)) for name in names}
    constraints: list[list[Any]] = [["different", *names]]
    rules = [f"the {n} numbers are all different"]
    steps: list[Step] = []
    if impossible:
        total = draw.pick(
            (sum(range(1, n + 1)) - draw.between(1, 2), sum(range(top - n + 1, top + 1)) + draw.between(1, 3))
        )
    rules.append(f"{' + '.join(names)} = {total}")
    constraints.append(["sum", names, "=", total])
    rules.append(f"{names[low]} is smaller than {names[high]}")
    constraints.append(["before", names[low], names[high]])
    rules.append(f"{names[b]} is at least {gap} more than {names[a]}")
    constraints.append(["before", names[a], names[b], gap])
    least, most = list(range(1, n + 1)), list(range(top - n + 1, top + 1))
    if impossible:
        small = total < sum(least)
        row = least if small else most
        steps = [
            Step(f"The {'smallest' if small else 'largest'} possible sum of {n} different numbers is {' + '.join(map(str, row))} = {sum(row)}.", "Look at the sum.", Slip(f"With equal numbers it could be {n * (1 if small else top)}.", "They have to be different.")),
            Step(f"{total} is {'less' if small else 'more'} than that."),
        ]  # fmt: skip
        answer, says, check = NONE, "There are no such numbers.", f"The other rules don't matter: the sum alone can't be {total}."  # fmt: skip
    else:
        known = draw.pick([i for i in range(n) if i not in (a, b)])
        rules.append(f"{names[known]} is {values[known]}")
        constraints.append(["is", names[known], values[known]])
        rest = [i for i in range(n) if i != known]
        steps.append(Step(f"{' + '.join(names[i] for i in rest)} = {total} − {values[known]} = {total - values[known]}.", f"{names[known]} is {values[known]}."))  # fmt: skip
        if n == 4:
            third = next(i for i in rest if i not in (a, b))
            steps.append(Step(f"Try {names[third]} = {values[third]}: then {names[a]} + {names[b]} = {values[a] + values[b]}.", "One more can be chosen."))  # fmt: skip
        slip = Slip(f"Take {names[a]} = {values[b]} and {names[b]} = {values[a]}.", f"Then {names[b]} would not be at least {gap} more than {names[a]}.")  # fmt: skip
        steps.append(Step(f"{names[a]} = {values[a]} and {names[b]} = {values[b]}: {values[b]} − {values[a]} = {gap}, and {values[a]} + {values[b]} = {values[a] + values[b]}.", f"{names[b]} has to be at least {gap} more than {names[a]}.", slip))  # fmt: skip
        answer = ", ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))
        says = "These numbers fit."
        check = f"{' + '.join(map(str, values))} = {total}, all are different and from 1 to {top}, and {names[low]} = {values[low]} is smaller than {names[high]} = {values[high]}."  # fmt: skip
    told = draw.shuffled(rules)
    who = people(draw, 1)[0]
    what = draw.pick(("the dials of a safe", "the drawers of a cabinet", "the teams of a league", "the shelves of a shop", "the weights of a balance", "the tracks of an album", "the seats of a boat", "the doors of a vault", "the keys of a piano", "the houses of a lane"))  # fmt: skip
    form = draw.between(0, 1)
    like = f"“{', '.join(f'{name}: {i}' for i, name in enumerate(names, 1))}”"
    question = (
        f"{who} sets numbers for {what}: {listed(names)} are whole numbers from 1 to {top}. {' '.join(f'{text[0].upper() if text[1] != chr(32) else text[0]}{text[1:]}.' for text in told)} Find such numbers, written like {like}, or answer “unsatisfiable”.",
        f"For {what} {who} needs whole numbers {listed(names)}, each from 1 to {top}, so that all of this holds:\n" + "\n".join(f"- {text}" for text in told) + f"\n\nGive them like {like}; if there are none, say “unsatisfiable”.",
    )[form]  # fmt: skip
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "numbers", "variables": variables, "constraints": constraints},
        template=f"numbers {impossible} {what} {form}",
        steps=steps,
        says=says,
        given=f"{n} whole numbers from 1 to {top} are wanted.",
        check=check,
        verifier="logic",
        verifier_args={"variables": variables, "constraints": constraints},
    )


# --- the independent solver ------------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """Search; count all that is found where the number is asked for."""
    found = search(facts["variables"], facts["constraints"])
    if facts["kind"] == "models":
        return str(sum(1 for _ in found))
    first = next(found, None)
    if first is None:
        return NONE
    return ", ".join(f"{name}: {str(value).lower() if isinstance(value, bool) else value}" for name, value in first.items())  # fmt: skip


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 3 to 6 values; unsatisfiable ones, letters and clauses from 2, numbers from 3, counting from 4",
    verifier="logic",
)
