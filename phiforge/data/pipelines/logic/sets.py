"""Sets: overlaps of two and three groups, the least and the greatest overlap, lists compared, multiples, expressions.

`make` goes by inclusion and exclusion; `solve` fills the regions of the diagram, or looks at every single member.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import lcm
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import PEOPLE, TIMES, count, listed, people


class Group(NamedTuple):
    """People or things, and what each of them may have or do: "swim"; "swims" for one."""

    all: str
    where: str
    traits: tuple[tuple[str, str], ...]


_GROUPS = (
    Group("pupils", "in a class", (("play chess", "play no chess"), ("sing in the choir", "don't sing in the choir"), ("wear glasses", "wear no glasses"), ("have a brother", "have no brother"), ("can swim", "can't swim"))),
    Group("members", "of a club", (("row", "don't row"), ("ski", "don't ski"), ("climb", "don't climb"), ("play tennis", "play no tennis"), ("dance", "don't dance"))),
    Group("guests", "of a hotel", (("speak Spanish", "speak no Spanish"), ("speak Polish", "speak no Polish"), ("speak Hindi", "speak no Hindi"), ("booked breakfast", "booked no breakfast"), ("came by train", "didn't come by train"))),
    Group("customers", "of a café", (("took tea", "took no tea"), ("took cake", "took no cake"), ("took soup", "took no soup"), ("paid in cash", "didn't pay in cash"), ("sat outside", "didn't sit outside"))),
    Group("books", "on a shelf", (("are novels", "are not novels"), ("have pictures", "have no pictures"), ("are older than ten years", "are not older than ten years"), ("are paperbacks", "are not paperbacks"), ("were prizes", "were not prizes"))),
    Group("houses", "in a street", (("have a garden", "have no garden"), ("have a cellar", "have no cellar"), ("are made of brick", "are not made of brick"), ("have a balcony", "have no balcony"), ("are for sale", "are not for sale"))),
    Group("workers", "in a factory", (("can weld", "can't weld"), ("can drive a forklift", "can't drive a forklift"), ("work nights", "work no nights"), ("know first aid", "know no first aid"), ("live nearby", "don't live nearby"))),
    Group("readers", "of a magazine", (("like the puzzles", "don't like the puzzles"), ("like the recipes", "don't like the recipes"), ("like the stories", "don't like the stories"), ("write letters", "write no letters"), ("have a subscription", "have no subscription"))),
    Group("animals", "in a shelter", (("are male", "are not male"), ("have a chip", "have no chip"), ("are younger than a year", "are not younger than a year"), ("are vaccinated", "are not vaccinated"), ("eat dry food", "eat no dry food"))),
    Group("emails", "in an inbox", (("have an attachment", "have no attachment"), ("are unread", "are not unread"), ("come from customers", "don't come from customers"), ("are marked as urgent", "are not marked as urgent"), ("are older than a week", "are not older than a week"))),
    Group("travellers", "on a train", (("have a suitcase", "have no suitcase"), ("read", "don't read"), ("change in the next town", "don't change in the next town"), ("travel alone", "don't travel alone"), ("have a reservation", "have no reservation"))),
    Group("students", "at a college", (("take physics", "take no physics"), ("take history", "take no history"), ("take art", "take no art"), ("live on campus", "don't live on campus"), ("have a job", "have no job"))),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds: tuple[tuple[Callable[[Draw, int], Draft], ...], ...] = (
        (_two, _lists),
        (_two, _two, _lists, _multiples),
        (_two, _bounds, _lists, _multiples, _three),
        (_three, _three, _bounds, _multiples, _lists, _hidden),
        (_three, _three, _bounds, _multiples, _lists, _hidden),
    )
    return draw.pick(kinds[level - 1])(draw, level)


# --- two and three groups --------------------------------------------------------------------------------------------


def _group(draw: Draw, n: int) -> tuple[str, Group, list[tuple[str, str]]]:
    which = draw.between(0, len(_GROUPS) - 1)
    return _GROUPS[which].all, _GROUPS[which], draw.sample(_GROUPS[which].traits, n)


def _two(draw: Draw, level: int) -> Draft:
    """Of the four numbers of two overlapping groups some are told, one is asked for."""
    name, group, ((a, not_a), (b, not_b)) = _group(draw, 2)
    top = 12 + 14 * level
    both, only_a, only_b, none = (draw.between(2, top) for _ in range(4))
    numbers = {"all": both + only_a + only_b + none, "a": both + only_a, "b": both + only_b, "both": both, "either": both + only_a + only_b, "none": none, "only a": only_a, "only b": only_b, "one": only_a + only_b}  # fmt: skip
    texts = {
        "all": f"there are {numbers['all']} {group.all} {group.where}",
        "a": f"{numbers['a']} {a}",
        "b": f"{numbers['b']} {b}",
        "both": f"{both} {a} and {b}",
        "either": f"{numbers['either']} {a} or {b} or both",
        "none": f"{none} neither {a} nor {b}" if not a.startswith(("are", "can", "have", "were")) else f"{none} {not_a} and {not_b}",
        "only a": f"{only_a} {a}, but {not_b}",
        "only b": f"{only_b} {b}, but {not_a}",
    }  # fmt: skip
    known, asked = draw.pick(
        (
            (("all", "a", "b", "both"), "none"), (("all", "a", "b", "none"), "both"), (("a", "b", "both"), "either"), (("a", "b", "either"), "both"),
            (("all", "a", "both", "none"), "b"), (("a", "b", "both"), "one"), (("all", "only a", "only b", "none"), "both"), (("all", "a", "b", "none"), "only a"),
            (("either", "a", "both"), "only b"), (("all", "a", "b", "both"), "one"),
        )
    )  # fmt: skip
    asks = {
        "none": f"How many {group.all} {not_a} and also {not_b}?", "both": f"How many {group.all} {a} and also {b}?", "either": f"How many {group.all} {a} or {b} (or both)?",
        "b": f"How many {group.all} {b}?", "one": f"For how many {group.all} is just one of the two true?", "only a": f"How many {group.all} {a}, but {not_b}?", "only b": f"How many {group.all} {b}, but {not_a}?",
    }  # fmt: skip
    lead = [key for key in known if key == "all"]
    rest = draw.shuffled([key for key in known if key != "all"])
    sentences = [f"{texts[key][0].upper()}{texts[key][1:]}." for key in (*lead, *rest)]
    if not lead:
        sentences[0] = f"Of the {group.all} {group.where}, {texts[rest[0]]}."
    form = draw.between(0, 1)
    told = " ".join(sentences) if form else f"{sentences[0]} Of these, {listed([texts[key] for key in (*lead, *rest)][1:])}."  # fmt: skip
    n = numbers
    x, y = f"“{a}”", f"“{b}”"
    line = {
        "none": [Step(f"{n['a']} + {n['b']} − {both} = {n['either']} {a} or {b}.", "Add the two groups and take away what was counted twice.", Slip(f"{n['a']} + {n['b']} = {n['a'] + n['b']} {a} or {b}.", f"Those {both} in both groups are counted twice.")), Step(f"{n['all']} − {n['either']} = {none}.", "The others are wanted.")],
        "either": [Step(f"{n['a']} + {n['b']} − {both} = {n['either']}.", "Add the two groups and take away what was counted twice.", Slip(f"{n['a']} + {n['b']} = {n['a'] + n['b']}.", f"That counts {both} twice."))],
        "both": [*([Step(f"{n['all']} − {none} = {n['either']} are in at least one of the groups.", "")] if "none" in known else []),
                 Step(f"{n['a']} + {n['b']} − {n['either']} = {both}.", "What the two numbers have too much was counted twice.") if "a" in known else Step(f"{n['either']} − {only_a} − {only_b} = {both}.", "Take away those in one group only.")],
        "b": [Step(f"{n['all']} − {none} = {n['either']} are in at least one of the groups."), Step(f"{n['either']} − {n['a']} = {only_b} are in the second only.", f"{n['a']} of them are in the first."), Step(f"{only_b} + {both} = {n['b']}.", "", Slip(f"So {only_b} {b}.", f"The {both} in both belong to it as well."))],
        "one": [Step(f"{n['a']} − {both} = {only_a} are in the first group only."), Step(f"{n['b']} − {both} = {only_b} are in the second only."), Step(f"{only_a} + {only_b} = {n['one']}.", "", Slip(f"{n['a']} + {n['b']} − {both} = {n['either']}.", "That still counts those in both groups."))],
        "only a": [Step(f"{n['all']} − {none} = {n['either']} are in at least one of the groups."), Step(f"{n['either']} − {n['b']} = {only_a}.", "Take away all of the second group; what is left is in the first group only.", Slip(f"{n['a']} − {n['b']} = {n['a'] - n['b']}.", "The second group is not a part of the first.") if n["a"] > n["b"] else None)],
        "only b": [Step(f"{n['either']} − {n['a']} = {only_b}.", "Take away all of the first group.", Slip(f"{n['either']} − {n['a']} − {both} = {only_b - both}.", f"The {both} in both are among the {n['a']} already.") if only_b > both else None)],
    }[asked]  # fmt: skip
    return Draft(
        question=f"{told} {asks[asked]}",
        answer=str(n[asked]),
        facts={"kind": "two", "known": {key: n[key] for key in known}, "asked": asked},
        template=f"two {asked} {len(known)} {name} {form}",
        steps=line,
        says=f"The number is {n[asked]}.",
        given=f"Two groups overlap, {x} and {y}; the diagram has four regions: both, only the first, only the second, neither.",
        check=f"The regions are {both}, {only_a}, {only_b}"
        + (
            f" and {none}, together {n['all']}." if "all" in known or "none" in known else f", together {n['either']}."
        ),
    )


def _three(draw: Draw, level: int) -> Draft:
    """Three overlapping groups."""
    name, group, traits = _group(draw, 3)
    a, b, c = (trait[0] for trait in traits)
    abc, ab, ac, bc = (draw.between(1, 9 + level) for _ in range(4))  # in just these
    sa, sb, sc, none = (draw.between(1, 16 + 3 * level) for _ in range(4))
    totals = {"a": sa + ab + ac + abc, "b": sb + ab + bc + abc, "c": sc + ac + bc + abc}
    pairs = {"ab": ab + abc, "ac": ac + abc, "bc": bc + abc}
    union = sa + sb + sc + ab + ac + bc + abc
    everything = union + none
    asked = draw.pick(("none", "union", "abc", "one", "two"))
    plus = sum(totals.values())
    twice = sum(pairs.values())
    parts = [f"{totals['a']} {a}", f"{totals['b']} {b}", f"{totals['c']} {c}", f"{pairs['ab']} {a} and {b}", f"{pairs['ac']} {a} and {c}", f"{pairs['bc']} {b} and {c}"]  # fmt: skip
    base = f"{listed([str(totals[k]) for k in 'abc'])}"
    steps = [Step(f"{' + '.join(str(v) for v in totals.values())} = {plus}.", "Add the three groups.")]
    minus = Step(f"{' + '.join(str(v) for v in pairs.values())} = {twice}, and {plus} − {twice} = {plus - twice}.", "Whoever is in two groups was counted twice, so take the pairs away once.", Slip(f"So {plus - twice} are in at least one.", "Those in all three were added three times and taken away three times; they are missing now."))  # fmt: skip
    facts: dict[str, Any] = {"kind": "three", "totals": totals, "pairs": pairs, "asked": asked}
    if asked == "abc":
        facts["union"] = union
        parts.append(f"for {union} at least one of the three is true")  # fmt: skip
        steps += [minus, Step(f"{union} − {plus - twice} = {abc}.", "Those in all three are what is missing to the number in at least one.")]  # fmt: skip
        answer, ask = abc, f"For how many {group.all} are all three true?"
    else:
        facts["abc"] = abc
        parts.append(f"for {abc} all three are true")
        if asked in ("union", "none"):
            steps += [minus, Step(f"{plus - twice} + {abc} = {union}.", "Put those in all three back once.")]
            answer, ask = union, f"For how many {group.all} is at least one of the three true?"
            if asked == "none":
                facts["all"] = everything
                steps.append(Step(f"{everything} − {union} = {none}.", f"There are {everything} in all."))
                answer, ask = none, f"For how many {group.all} is none of the three true?"
        else:
            steps = [Step(f"{pairs['ab']} − {abc} = {ab}, {pairs['ac']} − {abc} = {ac}, {pairs['bc']} − {abc} = {bc}.", "Begin with those in just two groups.", Slip(f"{pairs['ab']}, {pairs['ac']} and {pairs['bc']} are in just two groups.", f"Those {abc} in all three are among each of them."))]  # fmt: skip
            if asked == "two":
                answer, ask = ab + ac + bc, f"For how many {group.all} are exactly two of the three true?"
                steps.append(Step(f"{ab} + {ac} + {bc} = {answer}."))
            else:
                answer, ask = sa + sb + sc, f"For how many {group.all} is exactly one of the three true?"
                steps.append(Step(f"{totals['a']} − {ab} − {ac} − {abc} = {sa}; {totals['b']} − {ab} − {bc} − {abc} = {sb}; {totals['c']} − {ac} − {bc} − {abc} = {sc}.", "From each group take away all that are in others too."))  # fmt: skip
                steps.append(Step(f"{sa} + {sb} + {sc} = {answer}."))
    form = draw.between(0, 1)
    shuffled = draw.shuffled(parts)
    lead = f"There are {everything} {group.all} {group.where}. " if asked == "none" else f"Some {group.all} {group.where} were counted. "  # fmt: skip
    told = lead + ("Of them, " + listed(shuffled) + "." if form else " ".join(f"{part[0].upper()}{part[1:]}." for part in shuffled))  # fmt: skip
    return Draft(
        question=f"{told} (Whoever is counted for two may belong to the third as well.) {ask}",
        answer=str(answer),
        facts=facts,
        template=f"three {asked} {name} {form}",
        steps=steps,
        says=f"The number is {answer}.",
        given=f"Three groups of {base}, their overlaps, and what is asked: {ask[0].lower()}{ask[1:]}",
        check=f"The regions are: all three {abc}; just two {ab}, {ac}, {bc}; just one {sa}, {sb}, {sc}; together {union}.",
    )


def _bounds(draw: Draw, level: int) -> Draft:
    """The least or the greatest overlap that two or three numbers allow."""
    name, group, traits = _group(draw, 2 if level < 4 else draw.between(2, 3))
    whole = draw.between(20, 60 + 30 * level)
    sizes = [draw.between(whole // 3, whole - 1) for _ in traits]
    most = draw.chance(0.4)
    missing = [whole - size for size in sizes]
    if most:
        answer = min(sizes)
        steps = [
            Step(f"The numbers are {listed([str(s) for s in sizes])}; the smallest is {answer}.", "The overlap lies inside each group.", Slip(f"{max(sizes)}, the largest.", "The overlap can't be larger than the smallest group.") if max(sizes) != answer else None),
            Step(f"It can be {answer}, if the smallest group lies wholly inside the {'other' if len(sizes) == 2 else 'others'}."),
        ]  # fmt: skip
    else:
        answer = max(0, whole - sum(missing))
        steps = [
            Step(f"{', '.join(f'{whole} − {s} = {m}' for s, m in zip(sizes, missing, strict=True))}.", "Count what is missing from each group."),
            Step(f"At most {' + '.join(map(str, missing))} = {sum(missing)} are missing from at least one group.", "The missing ones overlap as little as possible.", Slip("Each may be missing anywhere, so the overlap could be 0.", f"There are only {whole} in all, and {sum(missing)} of them at most are missing somewhere.") if answer else None),
            Step(f"{whole} − {sum(missing)} = {answer}." if answer else f"That is {'more than' if sum(missing) > whole else 'just'} {whole}, so nobody has to be in all of them: 0."),
        ]  # fmt: skip
    form = draw.between(0, 1)
    what = "both" if len(sizes) == 2 else "all three"
    told = listed([f"{size} {trait[0]}" for size, trait in zip(sizes, traits, strict=True)])
    best = ("at most", "greatest") if most else ("at least", "least")
    question = (
        f"Of {whole} {group.all} {group.where}, {told}. For how many of them must it be that {what} are true, {best[0]}?" if not most else f"Of {whole} {group.all} {group.where}, {told}. For how many of them can {what} be true, at most?",
        f"There are {whole} {group.all} {group.where}; {told}. What is the {best[1]} possible number of those for which {what} are true?",
    )[form].replace("must it be that", "must").replace("both are true, at least", "both be true, at least").replace("all three are true, at least", "all three be true, at least")  # fmt: skip
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "bounds", "all": whole, "sizes": sizes, "most": most},
        template=f"bounds {most} {len(sizes)} {name} {form}",
        steps=steps,
        says=f"The number is {answer}.",
        given=f"{whole} in all, and groups of {listed([str(s) for s in sizes])}.",
        check=f"It fits: in the extreme case {answer} are in {what}, and no group is larger or smaller than told.",
    )


def _hidden(draw: Draw, level: int) -> Draft:
    """Numbers that are told one from another."""
    name, group, ((a, not_a), (b, not_b)) = _group(draw, 2)
    both = draw.between(2, 20)
    k, m = draw.sample((2, 3, 4, 5), 2)
    only_a, only_b = k * both, m * both
    none = draw.between(0, 30)
    whole = both + only_a + only_b + none
    asked = draw.pick(("both", "a", "b"))
    answer = {"both": both, "a": both + only_a, "b": both + only_b}[asked]
    question = (
        f"There are {whole} {group.all} {group.where}. {none} {not_a} and {not_b}. {TIMES[k].capitalize()} as many {a} but {not_b} as {a} and {b}, and {TIMES[m]} as many {b} but {not_a} as {a} and {b}. "
        if none
        else f"Each of the {whole} {group.all} {group.where} is counted here, for at least one of two things is true of each: they {a}, or they {b}, or both. {TIMES[k].capitalize()} as many {a} but {not_b} as {a} and {b}, and {TIMES[m]} as many {b} but {not_a} as {a} and {b}. "
    ) + {"both": f"How many {a} and {b}?", "a": f"How many {a} in all?", "b": f"How many {b} in all?"}[asked]  # fmt: skip
    steps = [
        Step(f"With x for the overlap, x + {k}x + {m}x = {1 + k + m}x.", "Call the overlap x."),
        Step(f"{1 + k + m}x = {whole} − {none} = {whole - none}, so x = {both}." if none else f"{1 + k + m}x = {whole}, so x = {both}.", "", Slip(f"{1 + k + m}x = {whole}.", f"The {none} that are in neither are no part of it.") if none else None),
    ]  # fmt: skip
    if asked != "both":
        size = k if asked == "a" else m
        steps.append(Step(f"{both} + {size} × {both} = {answer}.", "The group is its own part and the overlap.", Slip(f"{size} × {both} = {size * both}.", "That leaves out the overlap.")))  # fmt: skip
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "hidden", "all": whole, "none": none, "k": k, "m": m, "asked": asked},
        template=f"hidden {asked} {name} {k}{m}",
        steps=steps,
        says=f"The number is {answer}.",
        given=f"All regions of the diagram are told by the overlap; in all there are {whole}.",
        check=f"{both} + {only_a} + {only_b} + {none} = {whole}.",
    )


# --- lists and numbers -----------------------------------------------------------------------------------------------

_LISTS = (
    ("came on Saturday", "came on Sunday"), ("signed the first list", "signed the second list"), ("play in the band", "play in the orchestra"), ("have paid", "have registered"),
    ("were in the morning class", "were in the evening class"), ("ordered soup", "ordered dessert"), ("sent a card", "brought a gift"), ("know the code", "know the address"),
    ("passed the theory test", "passed the driving test"), ("voted for the park", "voted for the bridge"), ("have seen the film", "have read the book"), ("are on the red team's list", "are on the blue team's list"),
)  # fmt: skip
_OPERATIONS = {
    "and": "on both lists", "or": "on at least one list", "first": "on the first list but not on the second", "second": "on the second list but not on the first", "one": "on just one of the lists",
}  # fmt: skip


def _lists(draw: Draw, level: int) -> Draft:
    """Two or three lists of names, letters or numbers: which are on both, on one, on none."""
    n = draw.between(4, 5 + level)
    if draw.chance(0.6):
        pool = [p.name for p in draw.sample(PEOPLE, n + 4)]
        one_told, two_told = draw.pick(_LISTS)
        heads = (f"These people {one_told}", f"These people {two_told}")
    elif draw.chance(0.5):
        low = draw.between(1, 40)
        pool = [str(v) for v in draw.sample(range(low, low + 4 * n), n + 4)]
        heads = draw.pick((("A", "B"), ("M", "N"), ("S", "T"), ("the first list", "the second list"), ("P", "Q")))
    else:
        pool = draw.sample(("ash", "beech", "birch", "cedar", "elm", "fir", "hazel", "holly", "larch", "lime", "maple", "oak", "pine", "plane", "rowan", "willow", "yew", "poplar", "alder", "spruce"), n + 4)  # fmt: skip
        heads = draw.pick((("Trees in the park", "Trees in the street"), ("Trees in the north wood", "Trees in the south wood"), ("Seen on Monday", "Seen on Tuesday"), ("Planted last year", "Planted this year")))  # fmt: skip
    one = draw.sample(pool, n)
    two = draw.shuffled([*draw.sample(one, draw.between(1, n - 2)), *draw.sample([v for v in pool if v not in one], draw.between(1, 3))])  # fmt: skip
    operation = draw.pick(list(_OPERATIONS))
    where = (
        {key: text.replace("list", "set") for key, text in _OPERATIONS.items()} if len(heads[0]) == 1 else _OPERATIONS
    )
    hits = {"and": [v for v in one if v in two], "or": one + [v for v in two if v not in one], "first": [v for v in one if v not in two], "second": [v for v in two if v not in one], "one": [v for v in one if v not in two] + [v for v in two if v not in one]}[operation]  # fmt: skip
    number = draw.chance(0.4)
    form = draw.between(0, 1)
    shown = (f"{{{', '.join(one)}}}", f"{{{', '.join(two)}}}") if len(heads[0]) == 1 else (", ".join(one), ", ".join(two))  # fmt: skip
    joiner = " = " if len(heads[0]) == 1 else ": "
    begin = tuple(f"{head[0].upper()}{head[1:]}{joiner}{text}" for head, text in zip(heads, shown, strict=True))
    told = f"{begin[0]}.\n{begin[1]}." if form else f"{begin[0]}. {begin[1]}."
    ask = f"How many are {where[operation]}?" if number else f"Which are {where[operation]}? List them, separated by commas."  # fmt: skip
    steps = [Step(f"{value}: {'on both' if value in two else 'only on the first'}.", "Go through the first list." if i == 0 else "") for i, value in enumerate(one)]  # fmt: skip
    rest = [v for v in two if v not in one]
    steps.append(Step(f"Only on the second: {listed(rest)}.", "Then look for what is left on the second.", Slip(f"Only on the second: {listed(two)}.", "Some of these are on the first list as well.")))  # fmt: skip
    if number:
        steps.append(Step(f"That makes {len(hits)} {where[operation]}.", "", Slip(f"{len(one)} + {len(two)} = {len(one) + len(two)}.", "Those on both would be counted twice.") if operation == "or" else None))  # fmt: skip
    both = len(one) - len([v for v in one if v not in two])
    return Draft(
        question=f"{told}\n\n{ask}",
        answer=str(len(hits)) if number else ", ".join(hits),
        facts={"kind": "lists", "one": one, "two": two, "operation": operation, "number": number},
        template=f"lists {operation} {number} {heads[0][:18]} {form}",
        steps=steps,
        says=f"There {'is' if len(hits) == 1 else 'are'} {len(hits)}." if number else f"These are {where[operation]}: {listed(hits)}.",
        given=f"Two lists, of {len(one)} and of {len(two)}; wanted is what is {where[operation]}.",
        check=f"{both} on both, {len(one) - both} only on the first and {len(two) - both} only on the second.",
        verifier="math" if number else "choice",
        verifier_args={} if number else {"unordered": True},
    )  # fmt: skip


def _multiples(draw: Draw, level: int) -> Draft:
    """Numbers up to a limit that are multiples of some and not of others."""
    top = draw.between(30, 80 * level)
    a, b = draw.sample((2, 3, 4, 5, 6, 7, 8, 9, 10, 12), 2)
    both = lcm(a, b)
    kinds = ("or", "and", "a not b", "neither", "one") if level > 2 else ("or", "and", "a not b", "neither")
    kind = draw.pick(kinds)
    na, nb, nab = top // a, top // b, top // both
    steps = [
        Step(f"{top} ÷ {a} gives {na} multiples of {a}, and {top} ÷ {b} gives {nb} of {b}." if kind != "and" else f"A number that both divide is a multiple of {both}.", "Count each kind." if kind != "and" else "", Slip(f"A multiple of both is a multiple of {a} × {b} = {a * b}.", f"The two have a common factor; {both} is enough.") if kind == "and" and both != a * b else None),
        Step(f"Multiples of both are those of {both}: {nab}." if kind != "and" else f"Up to {top} there {'is' if nab == 1 else 'are'} {count(nab, 'multiple')} of {both}.", f"The least common multiple of {a} and {b} is {both}.", Slip(f"Multiples of both are those of {a * b}: {top // (a * b)}.", f"{both} is a multiple of both already.") if kind != "and" and both != a * b else None),
    ]  # fmt: skip
    union = na + nb - nab
    if kind == "or":
        answer = union
        steps.append(Step(f"{na} + {nb} − {nab} = {union}.", "Those of both were counted twice."))
        what = f"are multiples of {a} or of {b} (or of both)"
    elif kind == "and":
        answer, what = nab, f"are multiples of {a} and also of {b}"
    elif kind == "a not b":
        answer, what = na - nab, f"are multiples of {a}, but not of {b}"
        steps.append(Step(f"{na} − {nab} = {answer}.", f"Take those of {b} away.", Slip(f"{na} − {nb} = {na - nb}.", f"Most multiples of {b} are no multiples of {a} at all.") if na > nb else None))  # fmt: skip
    elif kind == "neither":
        answer, what = top - union, f"are neither multiples of {a} nor of {b}"
        steps += [Step(f"{na} + {nb} − {nab} = {union} are multiples of at least one."), Step(f"{top} − {union} = {answer}.")]  # fmt: skip
    else:
        answer, what = union - nab, f"are multiples of exactly one of {a} and {b}"
        steps += [Step(f"{na} − {nab} = {na - nab} of {a} only, and {nb} − {nab} = {nb - nab} of {b} only."), Step(f"{na - nab} + {nb - nab} = {answer}.")]  # fmt: skip
    who, where = people(draw, 1)[0], draw.pick(("lockers", "tickets", "houses", "cards", "pages", "seats", "boxes", "coupons", "lamps", "stamps", "tiles", "flags"))  # fmt: skip
    form = draw.between(0, 2)
    question = (
        f"How many of the whole numbers from 1 to {top} {what}?",
        f"{who} has {where} numbered from 1 to {top}. How many of the numbers {what}?",
        f"{where.capitalize()} carry the numbers 1 to {top}. {who} marks those whose numbers {what}. How many are marked?",
    )[form if draw.chance(0.1) else max(1, form)]
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "multiples", "top": top, "a": a, "b": b, "what": kind},
        template=f"multiples {kind} {where} {question[:3]}",
        steps=steps,
        says=f"There {'is' if answer == 1 else 'are'} {answer}.",
        given=f"The numbers from 1 to {top}, and multiples of {a} and of {b}.",
        check=f"{na - nab} of {a} only, {nb - nab} of {b} only, {nab} of both and {top - union} of neither make {top}.",
    )


# --- the independent solver ------------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """Fill the regions by solving for them, or look at every member."""
    kind = facts["kind"]
    if kind == "two":
        return _two_regions(facts["known"], facts["asked"])
    if kind == "three":
        return _three_regions(facts)
    if kind == "bounds":
        whole, sizes = facts["all"], facts["sizes"]
        if facts["most"]:
            return str(len(set.intersection(*(set(range(size)) for size in sizes))))
        ring, at = [0] * whole, 0  # lay out what is missing, one after the other, round a circle
        for size in sizes:
            for _ in range(whole - size):
                ring[at % whole] += 1
                at += 1
        return str(ring.count(0))
    if kind == "hidden":
        for both in range(facts["all"] + 1):
            if both * (1 + facts["k"] + facts["m"]) + facts["none"] == facts["all"]:
                return str(
                    {"both": both, "a": both + facts["k"] * both, "b": both + facts["m"] * both}[facts["asked"]]
                )
        return "no number fits"
    if kind == "lists":
        every = dict.fromkeys([*facts["one"], *facts["two"]])
        test: Callable[[bool, bool], bool] = {
            "and": lambda x, y: x and y, "or": lambda x, y: x or y, "first": lambda x, y: x and not y, "second": lambda x, y: y and not x, "one": lambda x, y: x != y,
        }[facts["operation"]]  # fmt: skip
        hits = [value for value in every if test(value in facts["one"], value in facts["two"])]
        return str(len(hits)) if facts["number"] else ", ".join(hits)
    found = 0
    for number in range(1, facts["top"] + 1):
        x, y = number % facts["a"] == 0, number % facts["b"] == 0
        found += {"or": x or y, "and": x and y, "a not b": x and not y, "neither": not x and not y, "one": x != y}[facts["what"]]  # fmt: skip
    return str(found)


_SUMS = {
    "all": (1, 1, 1, 1), "a": (1, 1, 0, 0), "b": (1, 0, 1, 0), "both": (1, 0, 0, 0), "either": (1, 1, 1, 0), "none": (0, 0, 0, 1), "only a": (0, 1, 0, 0), "only b": (0, 0, 1, 0), "one": (0, 1, 1, 0),
}  # fmt: skip


def _two_regions(known: dict[str, int], asked: str) -> str:
    """The regions both, only a, only b and none are unknowns; the asked sum is a mix of the known ones."""
    for weights in product((0, 1, -1, 2), repeat=len(known)):
        mix = [sum(w * _SUMS[key][i] for w, key in zip(weights, known, strict=True)) for i in range(4)]
        if tuple(mix) == _SUMS[asked]:
            return str(sum(w * value for w, value in zip(weights, known.values(), strict=True)))
    for weights in product((0, 1, -1, 2, -2), repeat=len(known)):
        mix = [sum(w * _SUMS[key][i] for w, key in zip(weights, known, strict=True)) for i in range(4)]
        if tuple(mix) == _SUMS[asked]:
            return str(sum(w * value for w, value in zip(weights, known.values(), strict=True)))
    return "not determined"


def _three_regions(facts: dict[str, Any]) -> str:
    """Try the number in all three, fill the diagram from the middle and see whether it fits."""
    totals, pairs = facts["totals"], facts["pairs"]
    for abc in [facts["abc"]] if "abc" in facts else range(min(pairs.values()) + 1):
        two = {pair: n - abc for pair, n in pairs.items()}
        one = {x: n - abc - sum(m for pair, m in two.items() if x in pair) for x, n in totals.items()}
        union = abc + sum(two.values()) + sum(one.values())
        if facts.get("union", union) == union:
            return str({"abc": abc, "union": union, "none": facts.get("all", 0) - union, "one": sum(one.values()), "two": sum(two.values())}[facts["asked"]])  # fmt: skip
    return "no number fits"


PIPELINE = Solver(
    make,
    solve,
    knobs="level: two groups, lists and multiples; then bounds and three groups; numbers to about 500",
)
