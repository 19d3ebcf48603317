"""Syllogisms: all, no, some and some-not among kinds of things; what must be, can't be or may be, and which sentence follows.

`make` chains rules from kind to kind; `solve` strikes out the combinations of kinds that the premises exclude.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import listed

Claim = tuple[str, int, int]  # "all" | "no" | "some" | "some not", subject, predicate

_GROUPS = (
    "bakers, chess players, cyclists, early risers, gardeners, left-handers, painters, poets, runners, singers, swimmers, tea drinkers, twins, volunteers, night owls, pilots, stamp collectors, mathematicians",
    "carnivores, climbers, diggers, hibernators, mammals, nocturnal animals, swimmers, striped animals, pets, island dwellers, egg layers, fast runners, furry animals, desert animals",
    "atlases, bestsellers, cookbooks, first editions, gifts, hardbacks, illustrated books, library books, novels, paperbacks, prize winners, school books, signed copies, translations",
    "sonatas, folk songs, hits, lullabies, marches, old pieces, piano pieces, short pieces, slow pieces, waltzes, works in minor, dances, duets, loud pieces",
    "boats, bicycles, electric vehicles, exhibits, expensive things, imports, red things, rentals, toys, two-seaters, vintage models, prototypes, fast machines, noisy machines",
    "coins, forgeries, heirlooms, jewels, medals, museum pieces, Roman finds, silver things, souvenirs, tokens, treasures, round things, gilded things",
    "blorps, daxes, fendles, gromps, kivvers, lumaks, mibs, noffles, plinks, quills, rovians, snarks, tovels, umbles, vorps, wugs, yelpers, zindles",
    "cafés, corner shops, listed buildings, museums, schools, stone houses, tall buildings, theatres, towers, brick buildings, heated buildings, old mills, flat-roofed buildings",
    "apps, beta versions, command-line tools, compilers, drivers, editors, free programs, games, open-source programs, plug-ins, portable programs, paid programs, web services",
    "ferns, fruit trees, garden plants, herbs, medicinal plants, poisonous plants, shade plants, shrubs, spring bloomers, weeds, evergreens, climbing plants",
)  # fmt: skip
_KINDS: tuple[tuple[str, ...], ...] = tuple(tuple(group.split(", ")) for group in _GROUPS)
_PHRASES = {
    "all": ("All {a} are {b}.", "Every one of the {a} belongs to the {b}.", "Whatever belongs to the {a} belongs to the {b}.", "There are no {a} outside the {b}.", "Only {b} are {a}."),
    "no": ("No {a} are {b}.", "Not one of the {a} is among the {b}.", "Nothing is at once among the {a} and among the {b}.", "There is no overlap between the {a} and the {b}."),
    "some": ("Some {a} are {b}.", "At least one of the {a} belongs to the {b}.", "There are {a} that are {b}.", "Among the {a} there are some {b}."),
    "some not": ("Some {a} are not {b}.", "Not all {a} are {b}.", "At least one of the {a} does not belong to the {b}.", "There are {a} that are not {b}."),
}  # fmt: skip
_MEMBERS = ("Each of these kinds has at least one member.", "Not one of these kinds is empty.", "There is at least one member of each kind.")  # fmt: skip
_OPPOSITE = {"all": "some not", "some not": "all", "no": "some", "some": "no"}
_ANSWERS = ("must be true", "must be false", "may be either")


def make(draw: Draw, level: int) -> Draft:
    return draw.pick((_judge, _judge, _choose))(draw, level)


class _World:
    """Kinds in a chain: each link is inside the next, and some premises more."""

    def __init__(self, draw: Draw, level: int) -> None:
        self.draw = draw
        self.group = draw.between(0, len(_KINDS) - 1)
        links = (2, 2, draw.between(2, 3), draw.between(3, 4), draw.between(3, 5))[level - 1]
        self.names: list[str] = draw.sample(_KINDS[self.group], links + 1 + (level > 2))
        self.chain = list(range(links))  # kinds, each inside the next
        self.premises: list[tuple[Claim, str]] = []
        for a in range(links - 1):
            self.say(("all", a, a + 1))
        self.top = links - 1
        self.extra = links  # one more kind, related by the premise that is not "all"

    def say(self, claim: Claim) -> None:
        forms = _PHRASES[claim[0]]
        form = self.draw.pick(forms[: 2 if len(self.names) < 4 else len(forms)])
        self.premises.append((claim, self.phrase(claim, form)))

    def phrase(self, claim: Claim, form: str = "") -> str:
        text = (form or _PHRASES[claim[0]][0]).format(a=self.names[claim[1]], b=self.names[claim[2]])
        return text[0].upper() + text[1:]

    def quoted(self, claim: Claim) -> str:
        return next(f"“{text}”" for each, text in self.premises if each == claim)

    def climb(self, start: int, end: int) -> list[Step]:
        """From a kind up the chain to a wider one."""
        steps: list[Step] = []
        for a in range(start, end):
            says = self.quoted(("all", a, a + 1))
            only = "Only" in says
            slip = Slip(f"So all {self.names[a + 1]} are {self.names[a]}.", f"The other way round: nothing but {self.names[a + 1]} can be {self.names[a]}.") if only else None  # fmt: skip
            here, wider = self.names[a], self.names[a + 1]
            if a > start:
                steps.append(Step(f"This makes all {self.names[start]} {wider}.", f"{says} The {self.names[start]} are among the {here}.", slip))  # fmt: skip
            elif says == f"“All {here} are {wider}.”":
                steps.append(Step(f"All {here} are {wider}."))
            else:
                steps.append(Step(f"{'' if slip else 'So '}{'A' if slip else 'a'}ll {here} are {wider}.", says, slip))
        return steps


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _derived(world: _World) -> tuple[Claim, list[Step], str]:
    """A sentence that follows from the premises, how it follows, and the name of the argument. Adds premises."""
    draw, x, top = world.draw, world.extra, world.top
    n = world.names
    low = draw.between(0, max(0, top - 1))
    kind = draw.pick(("all", "no", "no", "some", "some", "some not", "below"))
    if kind == "all" and top > 1:
        low = draw.between(0, top - 2)
        return ("all", low, top), world.climb(low, top), "chain"
    if kind in ("all", "no"):
        last: Claim = draw.pick((("no", top, x), ("no", x, top)))
        world.say(last)
        steps = world.climb(low, top)
        claim: Claim = draw.pick((("no", low, x), ("no", x, low)))
        steps.append(Step(f"As {_lower(world.phrase(last))[:-1]}, {_lower(world.phrase(claim))}", f"{world.quoted(last)} All {n[low]} are {n[top]}.", Slip(f"This speaks of {n[top]} only, not of {n[low]}.", f"But all {n[low]} are among the {n[top]}.")))  # fmt: skip
        return claim, steps, "exclusion"
    if kind == "some":
        first: Claim = draw.pick((("some", x, low), ("some", low, x)))
        world.say(first)
        claim = draw.pick((("some", x, top), ("some", top, x)))
        return claim, [
            Step(f"There is at least one thing that is among the {n[x]} and among the {n[low]}.", world.quoted(first)),
            *world.climb(low, top),
            Step(f"So that thing is among the {n[top]} too: {_lower(world.phrase(claim))}", f"It belongs to the {n[low]}."),
        ], "some"  # fmt: skip
    if kind == "some not":  # some x are not in the widest kind, so they are in none below
        first = ("some not", x, top)
        world.say(first)
        return ("some not", x, low), [
            Step(f"There is at least one thing among the {n[x]} that is outside the {n[top]}.", world.quoted(first)),
            *world.climb(low, top),
            Step(f"It can't be among the {n[low]}: some {n[x]} are not {n[low]}.", f"If it were among the {n[low]}, it would be among the {n[top]}.", Slip(f"It may still be one of the {n[low]}.", f"No: all {n[low]} are {n[top]}, and it is not.")),
        ], "some not"  # fmt: skip
    first = ("some not", low, x)  # some of the narrow kind are not x, so some of the wide one are not
    world.say(first)
    return ("some not", top, x), [
        Step(f"There is at least one thing among the {n[low]} that is not among the {n[x]}.", world.quoted(first)),
        *world.climb(low, top),
        Step(f"So some {n[top]} are not {n[x]}.", f"That thing is among the {n[top]} as well."),
    ], "some not up"  # fmt: skip


def _open(world: _World) -> tuple[Claim, list[Step], str]:
    """A sentence that the premises leave open, with a case for it and one against. Adds premises."""
    draw, x, top, n = world.draw, world.extra, world.top, world.names
    kind = draw.pick(("converse", "converse", "middle", "no up", "some up", "some down"))
    if top == 0:
        kind = "middle"
    if kind == "converse":
        claim: Claim = ("all", top, 0)
        steps = [
            *world.climb(0, top),
            Step(f"The two could have just the same members, and then all {n[top]} would be {n[0]}.", f"But the question is about {n[top]}, the other way round.", Slip(f"All {n[0]} are {n[top]}, so all {n[top]} are {n[0]}.", "Turning “all” round is not allowed.")),
            Step(f"There could also be {n[top]} that are not {n[0]}; no sentence forbids it."),
        ]  # fmt: skip
        if draw.chance(0.5):
            claim = ("some not", top, 0)
        return claim, steps, kind
    if kind == "middle":  # all 0 are top, all x are top: nothing between 0 and x
        world.say(("all", x, top))
        claim = (draw.pick(("all", "no", "some", "some not")), 0, x)
        steps = [
            *world.climb(0, top),
            Step(f"The {n[0]} and the {n[x]} are both inside the {n[top]}.", world.quoted(("all", x, top)), Slip(f"Both are {n[top]}, so they overlap.", "Two kinds may lie inside a third side by side.")),
            Step(f"Both could have just the same members: then all {n[0]} are {n[x]}.", "One case:"),
            Step(f"Or they could have no member in common: then no {n[0]} are {n[x]}.", "Another case:"),
        ]  # fmt: skip
        return claim, steps, kind
    if kind == "no up":  # no x are 0, all 0 are top
        world.say(("no", x, 0))
        claim = (draw.pick(("no", "some")), top, x)
        steps = [
            *world.climb(0, top),
            Step(f"Those {n[top]} that are not {n[0]}, if there are any, may be {n[x]}.", world.quoted(("no", x, 0)), Slip(f"No {n[0]} are {n[x]}, so no {n[top]} are.", f"The {n[top]} may have other members than the {n[0]}.")),
            Step(f"In one case all {n[x]} are {n[top]}, beside the {n[0]}; in another the {n[x]} are quite apart from the {n[top]}.", "Nothing is said about them."),
        ]  # fmt: skip
        return claim, steps, kind
    if kind == "some up":  # some top are x; what of 0
        world.say(("some", top, x))
        claim = (draw.pick(("some", "no")), 0, x)
        steps = [
            *world.climb(0, top),
            Step(f"The {n[top]} that are {n[x]} may be some of the {n[0]}.", world.quoted(("some", top, x)), Slip(f"Some {n[top]} are {n[x]}, so some {n[0]} are.", f"Those {n[top]} need not be among the {n[0]}.")),
            Step(f"They may just as well be {n[top]} outside the {n[0]}, with no {n[0]} among the {n[x]}."),
        ]  # fmt: skip
        return claim, steps, kind
    world.say(("some not", top, x))
    claim = (draw.pick(("some not", "all")), 0, x)
    steps = [
        *world.climb(0, top),
        Step(f"The {n[top]} that are not {n[x]} may be {n[0]}.", world.quoted(("some not", top, x)), Slip(f"Some {n[top]} are not {n[x]}, so some {n[0]} are not.", f"Those need not be among the {n[0]}.")),
        Step(f"Or all {n[0]} may be {n[x]}, and only other {n[top]} are not."),
    ]  # fmt: skip
    return claim, steps, kind


def _told(world: _World, level: int) -> str:
    """The premises, with one that has nothing to do with it from level 3 on, and what is understood."""
    if level > 2:
        spare, other = len(world.names) - 1, world.draw.between(0, world.top)
        world.say(world.draw.pick((("some", spare, other), ("all", spare, other), ("some", other, spare))))
    lines = world.draw.shuffled([text for _, text in world.premises])
    text = "\n" + "\n".join(f"- {line}" for line in lines) if world.draw.chance(0.35) else " ".join(lines)
    return f"{text}\n\n{world.draw.pick(_MEMBERS)}"


def _judge(draw: Draw, level: int) -> Draft:
    world = _World(draw, level)
    sure = draw.chance(0.64)
    claim, steps, name = (_derived if sure else _open)(world)
    answer = _ANSWERS[2]
    if sure:
        answer = _ANSWERS[0]
        if draw.chance(0.45):
            proven, claim, answer = claim, (_OPPOSITE[claim[0]], *claim[1:]), _ANSWERS[1]
            same, verdict = "opposite", "false"
        else:
            proven, same, verdict = claim, "same", "true"
        steps.append(Step(f"“{world.phrase(proven)}” and the claim “{world.phrase(claim)}” say the {same}, so it must be {verdict}."))  # fmt: skip
    else:
        steps.append(Step("So the claim may be either."))
    told, form = _told(world, level), draw.between(0, 3)
    text = draw.pick(_PHRASES[claim[0]][:2]).format(a=world.names[claim[1]], b=world.names[claim[2]])
    text = text[0].upper() + text[1:]
    options = "must be true, must be false, or may be either"
    question = (
        (
            f"{told}\n\nThen what about this claim: “{text}” Say whether it {options}.",
            f"Suppose: {told}\n\nDoes the following {options.replace('must be true', 'have to be true').replace('must be false', 'have to be false').replace('may be either', 'is either possible')}? “{text}” Answer “must be true”, “must be false” or “may be either”.",
            f"Take these sentences as true: {told}\n\nThe claim “{text}” {options}: which is it?",
            f"{told}\n\nJudge “{text}”: it {options}. Which?",
        )[form]
        .strip()
        .replace(": \n", ":\n")
    )
    return Draft(
        question=question,
        answer=answer,
        facts=_facts(world, {"kind": "judge", "claim": list(claim)}),
        template=f"judge {name} {world.group} {form}",
        steps=steps,
        says=f"The claim {answer}.",
        given=f"The claim is: {world.phrase(claim)}",
        check="I have used only what the sentences say, not what I know of the things."
        if sure
        else "Both cases agree with every sentence, and the claim is true in just one of them.",
        verifier="choice",
        verifier_args={"aliases": {_ANSWERS[0]: ["it must be true", "true"], _ANSWERS[1]: ["it must be false", "false"], _ANSWERS[2]: ["it may be either", "either"]}[answer]},
    )  # fmt: skip


def _facts(world: _World, more: dict[str, Any]) -> dict[str, Any]:
    return {"n": len(world.names), "premises": [list(claim) for claim, _ in world.premises], **more}


def _wrong(claim: Claim) -> list[tuple[Claim, str]]:
    """Sentences that do not follow where a claim is the most that follows, each with what is wrong with it."""
    kind, a, b = claim
    opposite = ((_OPPOSITE[kind], a, b), "is the very opposite of what follows")
    if kind == "all":
        return [
            opposite,
            (("no", a, b), "can't be, as the first kind has members"),
            (("all", b, a), "turns it round, which is not allowed"),
            (("some not", b, a), "would need something that no sentence speaks of: the two may be the same"),
        ]
    if kind == "no":
        return [
            opposite,
            (("all", a, b), "can't be, as the first kind has members"),
            (("all", b, a), "can't be, as the first kind has members"),
        ]
    if kind == "some":
        return [
            opposite,
            (("all", a, b), "says too much: it is known of some only"),
            (("all", b, a), "says too much: it is known of some only"),
            (("some not", a, b), "is left open: for all we know, all of them are"),
            (("some not", b, a), "is left open: for all we know, all of them are"),
        ]
    return [
        opposite,
        (("some", a, b), "is left open: for all we know, none of them is"),
        (("no", a, b), "says too much: it is known of some only"),
        (("all", b, a), "speaks of the second kind, of which this is not known"),
        (("some not", b, a), "turns it round, which is not allowed"),
    ]


def _choose(draw: Draw, level: int) -> Draft:
    """Which of four sentences follows."""
    world = _World(draw, level)
    claim, steps, name = _derived(world)
    told, form, n = _told(world, level), draw.between(0, 3), world.names
    wrong = draw.sample(_wrong(claim), 3)
    options = draw.shuffled([claim, *(each for each, _ in wrong)])
    letter = "ABCD"[options.index(claim)]
    texts = [world.phrase(each, draw.pick(_PHRASES[each[0]][:3])) for each in options]
    question = (
        (
            f"{told}\n\nWhich of these sentences follows?",
            f"Suppose: {told}\n\nWhich conclusion must be true?",
            f"{told}\n\nWhich one of the following can be concluded with certainty?",
            f"From these sentences one of the options follows, and the others don't. {told}",
        )[form]
        .strip()
        .replace(": \n", ":\n")
    )
    for mark, each in zip("ABCD", options, strict=True):
        why = next((why for other, why in wrong if other == each), "is what follows")
        steps.append(Step(f"{mark}, “{world.phrase(each)}”, {why}."))
    steps.append(Step(f"So it is option {letter}."))
    return Draft(
        question=f"{question}\n\n" + "\n".join(f"{mark}. {text}" for mark, text in zip("ABCD", texts, strict=True)),
        answer=letter,
        facts=_facts(world, {"kind": "choose", "options": [list(each) for each in options]}),
        template=f"choose {name} {world.group} {form}",
        steps=steps,
        says=f"{letter} follows: {_lower(world.phrase(claim))}",
        given=f"The kinds are {listed(n)}.",
        check=f"{letter} needs nothing but the sentences that I have used.",
        verifier="choice",
        verifier_args={"options": texts},
    )


# --- the independent solver ------------------------------------------------------------------------------------------


def _fits(claim: Claim, member: tuple[bool, ...]) -> bool:
    """Whether a thing that belongs to these kinds is an example for "some", or may exist beside "all" and "no"."""
    kind, a, b = claim
    return {
        "all": not member[a] or member[b],
        "no": not (member[a] and member[b]),
        "some": member[a] and member[b],
        "some not": member[a] and not member[b],
    }[kind]


def _possible(n: int, claims: list[Claim]) -> bool:
    """Whether all of this can be so together, each kind having a member."""
    things = [m for m in product((True, False), repeat=n) if all(_fits(c, m) for c in claims if c[0] in ("all", "no"))]
    needed = [c for c in claims if c[0] not in ("all", "no")]
    return all(any(m[i] for m in things) for i in range(n)) and all(any(_fits(c, m) for m in things) for c in needed)


def _verdict(facts: dict[str, Any], claim: Claim) -> str:
    premises = [tuple(each) for each in facts["premises"]]
    kind, a, b = claim
    if not _possible(facts["n"], [*premises, (kind, a, b)]):
        return _ANSWERS[1]
    return _ANSWERS[2] if _possible(facts["n"], [*premises, (_OPPOSITE[kind], a, b)]) else _ANSWERS[0]


def solve(facts: dict[str, Any]) -> str:
    """Strike out what the premises exclude, and see whether the claim and its opposite are still possible."""
    if facts["kind"] == "judge":
        return _verdict(facts, facts["claim"])
    follow = [i for i, each in enumerate(facts["options"]) if _verdict(facts, each) == _ANSWERS[0]]
    return "ABCD"[follow[0]] if len(follow) == 1 else "more than one"


PIPELINE = Solver(
    make, solve, knobs="level: chains of 2 to 5 kinds, plain phrases first, then premises to spare", verifier="choice"
)
