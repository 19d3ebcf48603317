"""Mendelian crosses: one to three genes, blood groups, sex-linked traits, carriers and several children.

`make` argues gene by gene and multiplies; `solve` writes out every equally likely pair of gametes and counts.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import article, count, listed, people


class Trait(NamedTuple):
    """What one gene decides: its letter, and what an organism with and without the dominant allele has."""

    letter: str
    dominant: str
    recessive: str


class Species(NamedTuple):
    """An organism whose traits are inherited independently; `one` and `young` are a parent and an offspring."""

    name: str
    one: str
    young: str
    traits: tuple[Trait, ...]


_SPECIES = (
    Species(
        "pea plants",
        "plant",
        "seedling",
        (
            Trait("T", "tall stems", "short stems"),
            Trait("R", "round seeds", "wrinkled seeds"),
            Trait("Y", "yellow seeds", "green seeds"),
            Trait("P", "purple flowers", "white flowers"),
            Trait("G", "green pods", "yellow pods"),
        ),
    ),
    Species(
        "fruit flies",
        "fly",
        "fly of the next generation",
        (
            Trait("L", "long wings", "vestigial wings"),
            Trait("G", "a grey body", "a black body"),
            Trait("S", "straight bristles", "singed bristles"),
        ),
    ),
    Species(
        "guinea pigs",
        "guinea pig",
        "pup",
        (
            Trait("B", "black fur", "brown fur"),
            Trait("R", "rough fur", "smooth fur"),
            Trait("S", "short hair", "long hair"),
        ),
    ),
    Species(
        "rabbits",
        "rabbit",
        "kit",
        (
            Trait("G", "grey fur", "white fur"),
            Trait("E", "upright ears", "lop ears"),
            Trait("S", "short hair", "angora hair"),
        ),
    ),
    Species(
        "tomato plants",
        "plant",
        "seedling",
        (
            Trait("R", "red fruit", "yellow fruit"),
            Trait("H", "hairy stems", "smooth stems"),
            Trait("T", "tall vines", "dwarf vines"),
        ),
    ),
    Species(
        "maize plants",
        "plant",
        "kernel",
        (Trait("P", "purple colour", "yellow colour"), Trait("S", "a smooth coat", "a shrunken coat")),
    ),
    Species(
        "cats",
        "cat",
        "kitten",
        (
            Trait("D", "dense colour", "dilute colour"),
            Trait("S", "short hair", "long hair"),
            Trait("B", "black pigment", "brown pigment"),
        ),
    ),
    Species(
        "horses",
        "horse",
        "foal",
        (Trait("B", "a black coat", "a chestnut coat"), Trait("T", "a trotting gait", "a pacing gait")),
    ),
    Species(
        "snapdragons",
        "plant",
        "seedling",
        (Trait("T", "tall stalks", "dwarf stalks"), Trait("N", "normal flowers", "peloric flowers")),
    ),
)
_ASKS = (
    "What is the probability that {young} has {want}?",
    "What fraction of the offspring is expected to have {want}?",
    "How likely is it that {young} has {want}? Give a fraction.",
    "Which share of the next generation should show {want}? Answer as a fraction.",
)
_LINKED = (
    ("red-green colour blindness", "colour-blind"),
    ("haemophilia A", "affected by haemophilia"),
    ("an X-linked form of night blindness", "night-blind"),
    ("an X-linked enzyme deficiency", "affected by the deficiency"),
)
_ABO = (
    "The alleles A and B of the blood group gene are codominant, and both are dominant over O. Parents of genotypes {0} and"
    " {1} have a child. What is the probability that its blood group is {2}?",
    "One parent has blood group {3} (genotype {0}), the other {4} (genotype {1}). How likely is a child of blood group {2}?",
    "In the ABO system, a person of genotype {0} and a person of genotype {1} expect a child. With what probability will it"
    " have blood group {2}?",
    "A couple's ABO genotypes are {0} and {1}. Which fraction of their children would be expected to have group {2}?",
    "Genotypes {0} and {1} are crossed in an exercise about ABO blood groups (A and B codominant, O recessive). Find the"
    " probability of group {2}.",
    "A child's father is {0} and its mother is {1} at the ABO gene. What is the chance that the child's blood group is {2}?",
)
_HIDDEN = ("cystic fibrosis", "phenylketonuria", "albinism", "a rare metabolic disorder", "sickle cell disease")


def make(draw: Draw, level: int) -> Draft:
    if level >= 4 and draw.chance(0.6):
        return draw.pick((_linked, _blood, _carriers))(draw)
    return _cross(draw, level)


def _cross(draw: Draw, level: int) -> Draft:
    genes = (1, 1, 2, 2, 3)[level - 1]
    which = draw.pick([i for i, each in enumerate(_SPECIES) if len(each.traits) >= genes])
    species = _SPECIES[which]
    letters: list[Trait] = []
    for trait in draw.shuffled(species.traits):
        if trait.letter not in [each.letter for each in letters]:
            letters.append(trait)
    letters = letters[:genes]
    parents = [[draw.pick(("{0}{1}", "{0}{1}", "{1}{1}", "{0}{0}")) for _ in letters] for _ in range(2)]
    for i in range(genes):  # a gene of which nothing can vary teaches nothing
        if (genes == 1 and "{0}{0}" in (parents[0][i], parents[1][i])) or parents[0][i] == parents[1][i] != "{0}{1}":
            parents[0][i], parents[1][i] = draw.pick(
                (("{0}{1}", "{0}{1}"), ("{0}{1}", "{1}{1}"), ("{1}{1}", "{0}{1}"))
            )
    spelled = [[form.format(t.letter, t.letter.lower()) for form, t in zip(p, letters, strict=True)] for p in parents]
    wants = []
    for i, trait in enumerate(letters):
        possible = parents[0][i] != "{0}{0}" and parents[1][i] != "{0}{0}"
        wants.append(trait.recessive if possible and draw.chance(0.5) else trait.dominant)
    wanted = ["recessive" if w == t.recessive else "dominant" for w, t in zip(wants, letters, strict=True)]
    chances = [_chance(a, b, w) for a, b, w in zip(spelled[0], spelled[1], wanted, strict=True)]
    children = draw.between(2, 3 + level // 4) if level in (2, 4, 5) and draw.chance(0.45) else 1
    rules = [f"{t.dominant} ({t.letter}) are dominant over {t.recessive} ({t.letter.lower()})" for t in letters]
    rules = [
        rule.replace(" are ", " is ") if _single(t.dominant) else rule for rule, t in zip(rules, letters, strict=True)
    ]
    want = listed(wants)
    young = article(species.young)
    who = people(draw, 1)[0]
    told = listed(rules)
    question = draw.pick(
        (
            f"In {species.name}, {told}.",
            f"{who} breeds {species.name}, in which {told}.",
            f"For {species.name} it is known that {told}.",
            f"{who} reads in a book on {species.name} that {told}.",
            f"A school project with {species.name} begins with this: {told}.",
            f"{who}'s notes on {species.name} say that {told}.",
        )
    )
    if genes > 1:
        question += " The genes lie on different chromosomes."
    mothers = "".join(spelled[0]), "".join(spelled[1])
    ask = draw.between(0, len(_ASKS) - 1)
    question += draw.pick(
        (
            f" A {species.one} of genotype {mothers[0]} is crossed with one of genotype {mothers[1]}.",
            f" The parents have the genotypes {mothers[0]} and {mothers[1]}.",
            f" {who} crosses {mothers[0]} × {mothers[1]}.",
            f" One parent is {mothers[0]}, the other {mothers[1]}.",
            f" Now {mothers[0]} and {mothers[1]} have offspring.",
        )
    )
    one = Fraction(1)
    steps = []
    for a, b, trait, want_one, chance in zip(spelled[0], spelled[1], letters, wants, chances, strict=True):
        steps.append(_gene_step(draw, a, b, trait, want_one, chance))
        one *= chance
    if genes > 1:
        steps.append(
            Step(
                f"{' × '.join(map(str, chances))} = {one}.",
                "The genes are inherited independently, so the chances multiply.",
                Slip(
                    f"{' + '.join(map(str, chances))} = {sum(chances)}.",
                    "Adding would be for one or the other; here all must happen at once.",
                ),
            )
        )
    answer, says = one, f"The probability of {want} is {one}."
    facts: dict[str, Any] = {"kind": "cross", "parents": spelled, "want": wanted, "children": children}
    if children > 1:
        exactly = draw.between(0, children)
        facts["exactly"] = exactly
        ways = comb(children, exactly)
        answer = ways * one**exactly * (1 - one) ** (children - exactly)
        number = {0: "none", 1: "exactly one", children: "all"}.get(exactly, f"exactly {exactly}")
        question += f" They have {children} offspring. What is the probability that {number} of them "
        question += f"{'has' if exactly == 1 else 'have'} {want}?"
        steps.append(
            Step(
                f"{ways} × ({one})^{exactly} × ({1 - one})^{children - exactly} = {answer}.",
                f"Each is decided anew, and there {'is' if ways == 1 else 'are'} {count(ways, 'way')} to choose which.",
            )
        )
        says = (
            f"The probability that {number} of the {children} {'has' if exactly == 1 else 'have'} {want} is {answer}."
        )
        check = f"The chances for 0 to {children} of them, {_spread(children, one)}, add up to 1."
    else:
        question += " " + _ASKS[ask].format(young=young, want=want)
        others = 1 - one
        check = f"All other offspring together have probability {others}, and {one} + {others} = 1."
    return Draft(
        question=question,
        answer=str(answer),
        facts=facts,
        template=f"cross {which} {genes} {ask if children == 1 else 'several'}",
        steps=steps,
        says=says,
        given=f"{mothers[0]} is crossed with {mothers[1]}, and I want the chance of {want}.",
        check=check,
    )


def _spread(n: int, p: Fraction) -> str:
    return " + ".join(str(comb(n, k) * p**k * (1 - p) ** (n - k)) for k in range(n + 1))


def _single(what: str) -> bool:
    """Whether the dominant form takes "is": "black fur", "a grey body"."""
    return not what.endswith(("s", "ears"))


def _chance(a: str, b: str, want: str) -> Fraction:
    """By the share of recessive gametes of each parent."""
    recessive = Fraction(sum(x.islower() for x in a), 2) * Fraction(sum(x.islower() for x in b), 2)
    return recessive if want == "recessive" else 1 - recessive


def _gene_step(draw: Draw, a: str, b: str, trait: Trait, want: str, chance: Fraction) -> Step:
    low = trait.letter.lower()
    shares = [Fraction(sum(x.islower() for x in each), 2) for each in (a, b)]
    both = shares[0] * shares[1]
    because = f"For {trait.dominant} or {trait.recessive}: only {low}{low} shows {trait.recessive}."
    say = f"{a} gives {low} with chance {shares[0]}, {b} with chance {shares[1]}: {low}{low} has chance {both}"
    slip = None
    if want == trait.dominant:
        say += f", so {want}: 1 − {both} = {chance}."
        if a == b and a[0] != a[1]:
            slip = Slip(
                "Half of the offspring get the dominant allele.",
                f"Of {a[0]}{a[0]}, {a}, {a[1]}{a[0]} and {low}{low}, three have it.",
            )
    else:
        say += f", which is the chance of {want}."
    return Step(say, because, slip)


def _linked(draw: Draw) -> Draft:
    which = draw.between(0, len(_LINKED) - 1)
    name, affected = _LINKED[which]
    mother = draw.pick(("carrier", "carrier", "affected", "clear"))
    father = draw.pick(("affected", "clear"))
    who = draw.pick(("son", "daughter", "child"))
    wanted = draw.pick(("affected", "carrier")) if who == "daughter" else "affected"
    text = {
        "carrier": "a woman who is a healthy carrier",
        "affected": f"a woman who is {affected}",
        "clear": "a woman with no allele for it",
    }[mother]
    man = f"a man who is {affected}" if father == "affected" else "a man who is not"
    order = draw.chance(0.5)
    pair = f"{text} and {man} have" if order else f"{man.replace(' who is not', ' without it')} and {text} have"
    be = affected if wanted == "affected" else "a healthy carrier"
    opening = draw.pick(
        (
            f"{name[0].upper()}{name[1:]} is recessive and carried on the X chromosome. ",
            f"The recessive allele for {name} lies on the X chromosome. ",
        )
    )
    question = (
        opening
        + f"{pair[0].upper()}{pair[1:]} a {who}. "
        + draw.pick(
            (
                f"What is the probability that the {who} is {be}?",
                f"How likely is the {who} to be {be}? Give a fraction.",
            )
        )
    )
    eggs = {"carrier": Fraction(1, 2), "affected": Fraction(1), "clear": Fraction(0)}[mother]
    sperm = Fraction(father == "affected")
    son, daughter = eggs, eggs * sperm
    carrier = eggs * (1 - sperm) + (1 - eggs) * sperm
    answer = {"son": son, "daughter": daughter if wanted == "affected" else carrier, "child": (son + daughter) / 2}[
        who
    ]
    steps = [
        Step(
            f"The mother passes the allele on with probability {eggs}.",
            f"She is {'XᴬXᵃ' if mother == 'carrier' else 'XᵃXᵃ' if mother == 'affected' else 'XᴬXᴬ'}.",
        )
    ]
    if who in ("son", "child"):
        steps.append(
            Step(
                f"A son is {affected} with probability {eggs}.",
                "A son has his only X from his mother, so hers decides.",
                Slip("A son of an affected father is affected too.", "But the father gives him the Y, not the X.")
                if father == "affected"
                else None,
            )
        )
    if who in ("daughter", "child") and wanted == "affected":
        steps.append(
            Step(
                f"A daughter is {affected} with probability {eggs} × {sperm} = {daughter}.",
                "A daughter needs the allele from both parents.",
            )
        )
    if wanted == "carrier":
        steps.append(
            Step(
                f"{eggs} × {1 - sperm} + {1 - eggs} × {sperm} = {carrier}.",
                "A carrier has the allele from exactly one parent: from the mother and not the father, or the other way round.",
            )
        )
    if who == "child":
        steps.append(Step(f"({son} + {daughter}) / 2 = {answer}.", "Sons and daughters are equally likely."))
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "linked", "mother": mother, "father": father, "who": who, "want": wanted},
        template=f"linked {which} {who} {wanted} {order}",
        steps=steps,
        says=f"The {who} is {be} with probability {answer}.",
        given=f"An X-linked recessive trait; the mother is {mother}, the father {father}; I look for a {who} that is {be}.",
        check=f"Counting the {2 if who != 'child' else 4} equally likely combinations gives {answer} as well.",
    )


def _blood(draw: Draw) -> Draft:
    genotypes = ("AA", "AO", "BB", "BO", "AB", "OO")
    while True:
        parents = [draw.pick(genotypes), draw.pick(genotypes)]
        children = [_group(x + y) for x, y in product(*parents)]
        if len(set(children)) > 1:
            break
    want = draw.pick(sorted(set(children)))
    form = draw.between(0, 5)
    question = _ABO[form].format(*parents, want, *map(_group, parents))
    hits = children.count(want)
    answer = Fraction(hits, 4)
    table = listed([f"{''.join(sorted(x + y))}" for x, y in product(*parents)])
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "blood", "parents": parents, "want": want},
        template=f"blood {form}",
        steps=[
            Step(f"The four equally likely children are {table}.", "Each parent passes on one of two alleles."),
            Step(f"Their groups are {listed(children)}.", "A and B show wherever they are; O shows only when alone."),
            Step(f"{hits} of 4 have group {want}: {answer}.", ""),
        ],
        says=f"Blood group {want} has probability {answer}.",
        given=f"The parents are {parents[0]} and {parents[1]}; I want group {want}.",
        check=f"The other groups take {4 - hits} of 4, and {answer} + {1 - answer} = 1.",
    )


def _group(genotype: str) -> str:
    return "".join(sorted(set(genotype) - {"O"})) or "O"


def _carriers(draw: Draw) -> Draft:
    """Two healthy people whose chance of being carriers has to be worked out first."""
    name = draw.pick(_HIDDEN)
    sides = [draw.pick(("sibling", "sibling", "carrier", "child", "grandchild")) for _ in range(2)]
    said = {
        "sibling": "has a sibling with it, while both parents are healthy",
        "carrier": "is known to be a carrier",
        "child": "has one parent with it",
        "grandchild": "has one grandparent with it, and no allele for it came from any other ancestor",
    }
    chance = {"sibling": Fraction(2, 3), "carrier": Fraction(1), "child": Fraction(1), "grandchild": Fraction(1, 2)}
    why = {
        "sibling": "Both parents must be carriers; of their healthy children two in three are carriers: 2/3.",
        "carrier": "A known carrier: 1.",
        "child": "A parent with it can only pass the allele on, so the healthy child is a carrier: 1.",
        "grandchild": "The grandparent's child carries it for certain and passes it on half of the time: 1/2.",
    }
    a, b = (chance[side] for side in sides)
    answer = a * b / 4
    form = draw.between(0, 3)
    ask = (
        "What is the probability that their first child has the disease?",
        "How likely is their child to be affected? Give a fraction.",
        "Find the probability that a child of theirs is affected.",
        "With what probability will their baby be born with it?",
    )[form]
    woman, man = said[sides[0]], said[sides[1]]
    opening = draw.pick(
        (
            "{0} is caused by a recessive allele of one gene.",
            "{0} appears only in people with two copies of a recessive allele.",
        )
    )
    question = (
        f"{opening.format(name[0].upper() + name[1:])} A healthy woman {woman}. Her healthy partner {man}. {ask}"
    )
    return Draft(
        question=question,
        answer=str(answer),
        facts={"kind": "carriers", "sides": sides},
        template=f"carriers {sides[0]} {sides[1]}",
        steps=[
            Step(
                f"The woman is a carrier with probability {a}.",
                why[sides[0]],
                Slip(
                    "A healthy sibling is a carrier with probability 1/2.",
                    "But being healthy rules out one of the four cases, so it is 2 of the remaining 3.",
                )
                if sides[0] == "sibling"
                else None,
            ),
            Step(f"Her partner is a carrier with probability {b}.", why[sides[1]]),
            Step(f"{a} × {b} × 1/4 = {answer}.", "Two carriers have an affected child one time in four."),
        ],
        says=f"The child is affected with probability {answer}.",
        given="Both are healthy, so the child can only be affected when both are carriers.",
        check=f"If both were certain carriers it would be 1/4; {a} × {b} = {a * b} of that is {answer}.",
    )


def solve(facts: dict[str, Any]) -> str:
    """Count equally likely cases one by one."""
    return str(
        {"cross": _count_cross, "linked": _count_linked, "blood": _count_blood, "carriers": _count_carriers}[
            facts["kind"]
        ](facts)
    )


def _count_cross(facts: dict[str, Any]) -> Fraction:
    gametes = [list(product(*parent)) for parent in facts["parents"]]
    hits = total = 0
    for egg, sperm in product(*gametes):
        looks = ["dominant" if x.isupper() or y.isupper() else "recessive" for x, y in zip(egg, sperm, strict=True)]
        hits += looks == facts["want"]
        total += 1
    one, n = Fraction(hits, total), facts["children"]
    if n == 1:
        return one
    spread = [Fraction(1)]
    for _ in range(n):  # the distribution of the number of hits, child by child
        spread = [a * (1 - one) + b * one for a, b in zip([*spread, Fraction(0)], [Fraction(0), *spread], strict=True)]
    return spread[facts["exactly"]]


def _count_linked(facts: dict[str, Any]) -> Fraction:
    mother = {"carrier": "Aa", "affected": "aa", "clear": "AA"}[facts["mother"]]
    father = ("a" if facts["father"] == "affected" else "A") + "Y"
    born = [x + y for x, y in product(mother, father)]
    if facts["who"] != "child":
        born = [each for each in born if ("Y" in each) == (facts["who"] == "son")]
    looks = {"aY": "affected", "aa": "affected", "Aa": "carrier", "aA": "carrier"}
    return Fraction(sum(looks.get(each) == facts["want"] for each in born), len(born))


def _count_blood(facts: dict[str, Any]) -> Fraction:
    a, b = facts["parents"]
    shows = {"AA": "A", "AO": "A", "OA": "A", "BB": "B", "BO": "B", "OB": "B", "AB": "AB", "BA": "AB", "OO": "O"}
    return Fraction(sum(shows[x + y] == facts["want"] for x in a for y in b), 4)


def _count_carriers(facts: dict[str, Any]) -> Fraction:
    """Over both sides' equally likely family histories, then the child's four cases."""
    histories = {
        "sibling": [x + y for x, y in product("Aa", "Aa") if x + y != "aa"],
        "carrier": ["Aa"],
        "child": ["a" + other for other in "AA"],
        "grandchild": [passed + "A" for passed in "aA"],
    }
    cases = [
        (x + y) == "aa"
        for one, two in product(histories[facts["sides"][0]], histories[facts["sides"][1]])
        for x, y in product(one, two)
    ]
    return Fraction(sum(cases), len(cases))


PIPELINE = Solver(
    make, solve, knobs="level: one gene; several children; two and three genes; sex-linked, ABO, carriers"
)
