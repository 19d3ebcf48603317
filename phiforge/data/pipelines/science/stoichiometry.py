"""Amounts in chemical reactions: balancing, molar masses, grams to grams, limiting reagents, yields, gas volumes, compositions.

`make` uses a table of balanced reactions; `solve` reads the formulas, balances the equation by linear algebra and counts atoms.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from math import gcd, lcm
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.science._numbers import decimal
from phiforge.data.rows import Unfit
from phiforge.data.words import listed

# Molar masses in g/mol, rounded as school tables have them; every question states those that it needs.
_MASS = {"H": "1", "C": "12", "N": "14", "O": "16", "Na": "23", "Mg": "24", "Al": "27", "P": "31", "S": "32", "Cl": "35.5",
         "K": "39", "Ca": "40", "Fe": "56", "Cu": "64", "Zn": "65"}  # fmt: skip
_NAMES = {
    "H2": "hydrogen", "O2": "oxygen", "N2": "nitrogen", "Cl2": "chlorine", "H2O": "water", "CO2": "carbon dioxide", "CO": "carbon monoxide",
    "CH4": "methane", "C2H6": "ethane", "C3H8": "propane", "C4H10": "butane", "C2H4": "ethene", "C2H2": "ethyne", "C6H12O6": "glucose", "C2H6O": "ethanol",
    "NH3": "ammonia", "NO": "nitrogen monoxide", "HCl": "hydrogen chloride", "NaCl": "sodium chloride", "Na": "sodium", "NaOH": "sodium hydroxide",
    "Mg": "magnesium", "MgO": "magnesium oxide", "MgCl2": "magnesium chloride", "Al": "aluminium", "Al2O3": "aluminium oxide", "AlCl3": "aluminium chloride", "Fe": "iron",
    "Fe2O3": "iron(III) oxide", "Fe3O4": "magnetite", "FeS": "iron(II) sulfide", "S": "sulfur", "SO2": "sulfur dioxide", "SO3": "sulfur trioxide", "H2SO4": "sulfuric acid",
    "CaCO3": "calcium carbonate", "CaO": "calcium oxide", "CaCl2": "calcium chloride", "Ca": "calcium", "CaH2O2": "calcium hydroxide",
    "Zn": "zinc", "ZnO": "zinc oxide", "ZnCl2": "zinc chloride", "ZnS": "zinc sulfide", "Cu": "copper", "CuO": "copper(II) oxide", "K": "potassium", "KOH": "potassium hydroxide", "KCl": "potassium chloride", "KClO3": "potassium chlorate",
    "P": "phosphorus", "P4O10": "phosphorus pentoxide", "H3PO4": "phosphoric acid", "Na2SO4": "sodium sulfate", "NaHCO3": "sodium hydrogen carbonate", "Na2CO3": "sodium carbonate", "H2O2": "hydrogen peroxide", "N2H4": "hydrazine",
}  # fmt: skip
_REACTIONS = (
    "2 H2 + O2 -> 2 H2O", "N2 + 3 H2 -> 2 NH3", "CH4 + 2 O2 -> CO2 + 2 H2O", "2 C2H6 + 7 O2 -> 4 CO2 + 6 H2O", "C3H8 + 5 O2 -> 3 CO2 + 4 H2O",
    "2 C4H10 + 13 O2 -> 8 CO2 + 10 H2O", "C2H4 + 3 O2 -> 2 CO2 + 2 H2O", "2 C2H2 + 5 O2 -> 4 CO2 + 2 H2O", "C6H12O6 + 6 O2 -> 6 CO2 + 6 H2O", "C2H6O + 3 O2 -> 2 CO2 + 3 H2O",
    "4 NH3 + 5 O2 -> 4 NO + 6 H2O", "H2 + Cl2 -> 2 HCl", "2 Na + Cl2 -> 2 NaCl", "2 Na + 2 H2O -> 2 NaOH + H2", "2 Mg + O2 -> 2 MgO", "Mg + 2 HCl -> MgCl2 + H2",
    "4 Al + 3 O2 -> 2 Al2O3", "2 Al + 3 Cl2 -> 2 AlCl3", "2 Al + 6 HCl -> 2 AlCl3 + 3 H2", "4 Fe + 3 O2 -> 2 Fe2O3", "3 Fe + 2 O2 -> Fe3O4", "Fe + S -> FeS", "Fe2O3 + 3 CO -> 2 Fe + 3 CO2", "Fe2O3 + 2 Al -> Al2O3 + 2 Fe",
    "S + O2 -> SO2", "2 SO2 + O2 -> 2 SO3", "SO3 + H2O -> H2SO4", "CaCO3 -> CaO + CO2", "CaCO3 + 2 HCl -> CaCl2 + H2O + CO2", "Ca + 2 H2O -> CaH2O2 + H2", "CaO + H2O -> CaH2O2",
    "Zn + 2 HCl -> ZnCl2 + H2", "2 ZnS + 3 O2 -> 2 ZnO + 2 SO2", "2 Cu + O2 -> 2 CuO", "CuO + H2 -> Cu + H2O", "2 K + 2 H2O -> 2 KOH + H2", "2 KClO3 -> 2 KCl + 3 O2", "4 P + 5 O2 -> P4O10", "P4O10 + 6 H2O -> 4 H3PO4",
    "2 NaOH + H2SO4 -> Na2SO4 + 2 H2O", "2 NaHCO3 -> Na2CO3 + H2O + CO2", "Na2CO3 + 2 HCl -> 2 NaCl + H2O + CO2", "2 H2O2 -> 2 H2O + O2", "N2H4 + O2 -> N2 + 2 H2O", "2 CO + O2 -> 2 CO2", "NaOH + HCl -> NaCl + H2O",
)  # fmt: skip
_GASES = ("H2", "O2", "N2", "Cl2", "CO2", "CO", "CH4", "C2H6", "C3H8", "C2H4", "C2H2", "NH3", "NO", "SO2", "HCl")


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_molar_mass, _moles),
        (_moles, _mass_share, _balance),
        (_balance, _amounts, _grams),
        (_grams, _gas, _yield),
        (_limiting, _yield, _grams),
    )
    return draw.pick(kinds[level - 1])(draw)


def _mass(formula: str) -> Fraction:
    return sum(
        (int(n or 1) * Fraction(_MASS[element]) for element, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula)),
        Fraction(0),
    )


def _terms(side: str) -> list[tuple[int, str]]:
    found = []
    for term in side.split(" + "):
        n, _, formula = term.rpartition(" ")
        found.append((int(n or 1), formula))
    return found


def _shown(equation: str) -> str:
    return equation.replace("->", "→")


def _given_masses(*formulas: str) -> str:
    elements = dict.fromkeys(element for formula in formulas for element in re.findall("[A-Z][a-z]?", formula))
    return "Molar masses in g/mol: " + ", ".join(f"{element} {_MASS[element]}" for element in elements) + "."


def _mass_step(formula: str) -> Step:
    parts = [f"{n or 1} × {_MASS[e]}" for e, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula)]
    return Step(
        f"M({formula}) = {' + '.join(parts)} = {decimal(_mass(formula))} g/mol.",
        f"First the molar mass of {_NAMES[formula]}.",
    )


def _pick_compound(draw: Draw) -> str:
    return draw.pick([formula for formula in _NAMES if len(re.findall("[A-Z]", formula)) > 1])


def _molar_mass(draw: Draw) -> Draft:
    formula = _pick_compound(draw)
    form = draw.between(0, 2)
    ask = (
        f"What is the molar mass of {_NAMES[formula]}, {formula}?",
        f"Find the mass of one mole of {formula} ({_NAMES[formula]}).",
        f"Calculate the molar mass of {_NAMES[formula]} ({formula}).",
    )[form]
    value = _mass(formula)
    atoms = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    slip = (
        Slip(
            f"Adding {' + '.join(_MASS[e] for e, _ in atoms)} gives {decimal(sum((Fraction(_MASS[e]) for e, _ in atoms), Fraction(0)))}.",
            "That counts every element once and forgets the indices.",
        )
        if any(n for _, n in atoms)
        else None
    )
    step = _mass_step(formula)
    count = sum(int(n or 1) for _, n in atoms)
    return Draft(
        question=f"{ask} {_given_masses(formula)}",
        answer=f"{decimal(value)} g/mol",
        facts={"kind": "molar mass", "formula": formula},
        template=f"molar mass {formula} {form}",
        steps=[Step(step.say, f"{formula} has {listed([f'{n or 1} {e}' for e, n in atoms])}.", slip)],
        says=f"The molar mass of {_NAMES[formula]} is {decimal(value)} g/mol.",
        given=f"{formula}, and the molar masses of its elements.",
        check=f"{count} atoms in {decimal(value)} g/mol is {float(value / count):.1f} on average, between the lightest and the heaviest of them.",
        verifier="units",
    )


def _moles(draw: Draw) -> Draft:
    formula = draw.pick(list(_NAMES))
    n = Fraction(draw.between(1, 40), draw.pick((1, 2, 4, 5, 10)))
    grams = n * _mass(formula)
    to_grams = draw.chance(0.5)
    form = draw.between(0, 1)
    if to_grams:
        ask = (
            f"What is the mass of {decimal(n)} mol of {_NAMES[formula]} ({formula})?",
            f"How many grams are {decimal(n)} mol of {formula} ({_NAMES[formula]})?",
        )[form]
        step = Step(
            f"m = n × M = {decimal(n)} × {decimal(_mass(formula))} = {decimal(grams)} g.",
            "Mass is amount times molar mass.",
        )
        answer = f"{decimal(grams)} g"
        check = f"{decimal(grams)} / {decimal(_mass(formula))} = {decimal(n)} mol."
    else:
        ask = (
            f"How many moles are {decimal(grams)} g of {_NAMES[formula]} ({formula})?",
            f"What amount of {formula} ({_NAMES[formula]}) weighs {decimal(grams)} g?",
        )[form]
        slip = Slip(
            f"n = m × M = {decimal(grams)} × {decimal(_mass(formula))}.",
            "Grams times grams per mole are not moles; it has to be divided.",
        )
        step = Step(
            f"n = m / M = {decimal(grams)} / {decimal(_mass(formula))} = {decimal(n)} mol.",
            "Amount is mass over molar mass.",
            slip,
        )
        answer = f"{decimal(n)} mol"
        check = f"{decimal(n)} × {decimal(_mass(formula))} = {decimal(grams)} g."
    return Draft(
        question=f"{ask} {_given_masses(formula)}",
        answer=answer,
        facts={"kind": "moles", "formula": formula, "moles": str(n), "grams": str(grams), "to_grams": to_grams},
        template=f"moles {formula} {to_grams} {form}",
        steps=[_mass_step(formula), step],
        says=f"The answer is {answer}.",
        given=f"{decimal(n) if to_grams else decimal(grams)} {'mol' if to_grams else 'g'} of {formula}.",
        check=check,
        verifier="units",
    )


def _mass_share(draw: Draw) -> Draft:
    formula = _pick_compound(draw)
    element, index = draw.pick(re.findall(r"([A-Z][a-z]?)(\d*)", formula))
    part = int(index or 1) * Fraction(_MASS[element])
    share = part / _mass(formula)
    form = draw.between(0, 1)
    ask = (
        f"What fraction of the mass of {_NAMES[formula]} ({formula}) is {element}?",
        f"Which part of the mass of {formula} ({_NAMES[formula]}) belongs to the element {element}?",
    )[form]
    return Draft(
        question=f"{ask} Give a fraction in lowest terms. {_given_masses(formula)}",
        answer=str(share),
        facts={"kind": "share", "formula": formula, "element": element},
        template=f"share {formula} {element} {form}",
        steps=[
            _mass_step(formula),
            Step(
                f"{element} has {index or 1} × {_MASS[element]} = {decimal(part)} g of it.",
                f"One mole of {formula} holds {index or 1} mol of {element}.",
            ),
            Step(f"{decimal(part)} / {decimal(_mass(formula))} = {share}."),
        ],
        says=f"The share of {element} is {share}, about {float(share):.1%}.",
        given=f"The share of {element} in {formula}.",
        check=f"The other elements have {1 - share} of the mass, {decimal(_mass(formula) - part)} g of {decimal(_mass(formula))} g.",
        verifier="math",
    )


def _balance(draw: Draw) -> Draft:
    equation = draw.pick([r for r in _REACTIONS if re.search(r"\d ", r)])
    left, right = (_terms(side) for side in equation.split(" -> "))
    left, right = draw.shuffled(left), draw.shuffled(right)
    bare = " → ".join(" + ".join(formula for _, formula in side) for side in (left, right))
    numbers = [n for n, _ in left + right]
    form = draw.between(0, 2)
    ask = (
        "Balance this equation: {}. Give the smallest whole coefficients, in order, as a tuple.",
        "Which smallest whole numbers balance {}? Answer with a tuple in the order of the substances.",
        "Find the coefficients of {} (smallest whole numbers, as a tuple in this order).",
    )[form].format(bare)
    balanced = " → ".join(" + ".join(f"{n if n > 1 else ''} {f}".strip() for n, f in side) for side in (left, right))
    steps = []
    elements = list(dict.fromkeys(re.findall("[A-Z][a-z]?", bare)))
    first = draw.pick(elements)
    steps.append(
        Step(
            f"Unknown numbers: {', '.join(f'{x} for {f}' for x, (_, f) in zip('abcdef', left + right, strict=False))}.",
            "Every element must have as many atoms on the left as on the right.",
        )
    )
    for element in elements:
        sides = []
        for side, names in ((left, "abcdef"), (right, "abcdef"[len(left) :])):
            terms = [
                f"{k if k > 1 else ''}{x}"
                for x, (_, f) in zip(names, side, strict=False)
                if (k := _atoms(f).get(element, 0))
            ]
            sides.append(" + ".join(terms))
        steps.append(Step(f"{element}: {sides[0]} = {sides[1]}."))
    steps.append(
        Step(
            f"The smallest whole numbers that satisfy all are {listed([f'{x} = {n}' for x, n in zip('abcdef', numbers, strict=False)])}: {balanced}.",
            "Choose one number, follow the equations, and multiply fractions away.",
        )
    )
    counts = [sum(n * _atoms(f).get(first, 0) for n, f in side) for side in (left, right)]
    return Draft(
        question=ask,
        answer=f"({', '.join(map(str, numbers))})",
        facts={"kind": "balance", "left": [f for _, f in left], "right": [f for _, f in right]},
        template=f"balance {equation} {form}",
        steps=steps,
        says=f"Balanced: {balanced}.",
        given=f"{bare} is not balanced yet.",
        check=f"{first}: {counts[0]} atoms on the left, {counts[1]} on the right.",
        verifier="math",
    )


@cache
def _atoms(formula: str) -> dict[str, int]:
    atoms: dict[str, int] = {}
    for element, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        atoms[element] = atoms.get(element, 0) + int(n or 1)
    return atoms


def _reaction(draw: Draw, reactants: int = 1) -> tuple[str, list[tuple[int, str]], list[tuple[int, str]]]:
    equation = draw.pick([r for r in _REACTIONS if r.split(" -> ")[0].count("+") >= reactants - 1])
    left, right = (_terms(side) for side in equation.split(" -> "))
    return equation, left, right


def _amounts(draw: Draw) -> Draft:
    equation, left, right = _reaction(draw)
    (a, given), (b, wanted) = draw.sample(left + right, 2)
    n = Fraction(a * draw.between(1, 24), draw.pick((1, 2, 4)))
    value = n * b / a
    reacts = (a, given) in left
    needed = (b, wanted) in left
    form = draw.between(0, 1)
    ask = (f"{_shown(equation)}. How many moles of {wanted} {'are needed' if needed else 'are formed'} {'for' if needed else 'from' if reacts else 'together with'} {decimal(n)} mol of {given}?",
           f"In the reaction {_shown(equation)}, {decimal(n)} mol of {_NAMES[given]} ({given}) {'react' if reacts else 'are formed'}. What amount of {_NAMES[wanted]} ({wanted}) {'reacts' if needed else 'is formed'} with it?")[form]  # fmt: skip
    return Draft(
        question=ask,
        answer=f"{decimal(value)} mol",
        facts={"kind": "amounts", "equation": equation, "given": given, "wanted": wanted, "moles": str(n)},
        template=f"amounts {equation} {form}",
        steps=[
            Step(f"{a} mol of {given} go with {b} mol of {wanted}.", "The coefficients are a ratio of amounts."),
            Step(
                f"{decimal(n)} × {b}/{a} = {decimal(value)} mol.",
                "",
                Slip(
                    f"{decimal(n)} × {a}/{b} = {n * a / b} mol.",
                    f"The ratio is upside down: {wanted} has the coefficient {b}.",
                )
                if a != b
                else None,
            ),
        ],
        says=f"It is {decimal(value)} mol of {wanted}.",
        given=f"{decimal(n)} mol of {given}; wanted: {wanted}.",
        check=f"{decimal(n)} : {decimal(value)} is {a} : {b}.",
        verifier="units",
    )


def _grams(draw: Draw) -> Draft:
    equation, left, right = _reaction(draw)
    (a, given), (b, wanted) = draw.sample(left + right, 2)
    n = Fraction(a * draw.between(1, 20), draw.pick((2, 4, 5, 10)))
    grams, value = n * _mass(given), n * b / a * _mass(wanted)
    reacts, needed = (a, given) in left, (b, wanted) in left
    form = draw.between(0, 1)
    what = f"{_NAMES[wanted]} ({wanted})"
    ask = (f"{_shown(equation)}. What mass of {what} {'is needed for' if needed else 'is formed together with'} {decimal(grams)} g of {_NAMES[given]} ({given})?" if needed or not reacts else f"{_shown(equation)}. What mass of {what} is formed from {decimal(grams)} g of {_NAMES[given]} ({given})?",
           f"{decimal(grams)} g of {_NAMES[given]} ({given}) {'react' if reacts else 'are produced'} as in {_shown(equation)}. How many grams of {what} {'are used up' if needed else 'are produced'}?")[form]  # fmt: skip
    return Draft(
        question=f"{ask} {_given_masses(given, wanted)}",
        answer=f"{decimal(value)} g",
        facts={"kind": "grams", "equation": equation, "given": given, "wanted": wanted, "grams": str(grams)},
        template=f"grams {equation} {form}",
        steps=[*_to_moles(given, grams, n), Step(f"{decimal(n)} × {b}/{a} = {decimal(n * b / a)} mol of {wanted}.", f"{a} mol of {given} go with {b} mol of {wanted}.", Slip(f"So {decimal(grams)} × {b}/{a} = {float(grams * b / a):.2f} g.", "Coefficients count moles, not grams.")), _mass_step(wanted), Step(f"m = {decimal(n * b / a)} × {decimal(_mass(wanted))} = {decimal(value)} g.")],
        says=f"It is {decimal(value)} g of {_NAMES[wanted]}.",
        given=f"{decimal(grams)} g of {given}; wanted: grams of {wanted}.",
        check=f"Backwards: {decimal(value)} / {decimal(_mass(wanted))} = {decimal(n * b / a)} mol, and that goes with {decimal(n)} mol of {given}.",
        verifier="units",
    )  # fmt: skip


def _to_moles(formula: str, grams: Fraction, n: Fraction) -> list[Step]:
    return [
        _mass_step(formula),
        Step(f"n({formula}) = {decimal(grams)} / {decimal(_mass(formula))} = {decimal(n)} mol."),
    ]


def _gas(draw: Draw) -> Draft:
    equation, left, right = _reaction(draw)
    gases = [(b, f) for b, f in right if f in _GASES]
    if not gases:
        raise Unfit
    b, gas = draw.pick(gases)
    a, given = draw.pick(left)
    n = Fraction(a * draw.between(1, 20), draw.pick((2, 4, 5, 10)))
    grams, litres = n * _mass(given), n * b / a * 24
    form = draw.between(0, 1)
    ask = (f"What volume of {_NAMES[gas]} ({gas}) is formed from {decimal(grams)} g of {_NAMES[given]} ({given}) in {_shown(equation)}?",
           f"{decimal(grams)} g of {given} ({_NAMES[given]}) react completely as in {_shown(equation)}. How many litres of {gas} ({_NAMES[gas]}) is that?")[form]  # fmt: skip
    return Draft(
        question=f"{ask} One mole of gas takes 24 L. {_given_masses(given)}",
        answer=f"{decimal(litres)} L",
        facts={"kind": "gas", "equation": equation, "given": given, "wanted": gas, "grams": str(grams)},
        template=f"gas {equation} {form}",
        steps=[*_to_moles(given, grams, n), Step(f"{decimal(n)} × {b}/{a} = {decimal(n * b / a)} mol of {gas}.", f"{a} mol of {given} give {b} mol of {gas}."), Step(f"V = {decimal(n * b / a)} × 24 = {decimal(litres)} L.")],
        says=f"{decimal(litres)} L of {_NAMES[gas]} are formed.",
        given=f"{decimal(grams)} g of {given}; wanted: litres of {gas}.",
        check=f"{decimal(litres)} / 24 = {decimal(n * b / a)} mol of {gas} needs {decimal(n)} mol of {given}.",
        verifier="units",
    )  # fmt: skip


def _yield(draw: Draw) -> Draft:
    equation, left, right = _reaction(draw)
    (a, given), (b, wanted) = draw.pick(left), draw.pick(right)
    n = Fraction(a * draw.between(1, 20), draw.pick((2, 4, 5)))
    percent = draw.between(8, 19) * 5
    grams, full = n * _mass(given), n * b / a * _mass(wanted)
    got = full * percent / 100
    form = draw.between(0, 1)
    what = f"{_NAMES[wanted]} ({wanted})"
    if form:
        ask = f"From {decimal(grams)} g of {_NAMES[given]} ({given}), {decimal(got)} g of {what} are obtained by {_shown(equation)}. What is the yield in per cent of what is possible? Give the number."
        answer = str(percent)
        last = Step(
            f"{decimal(got)} / {decimal(full)} × 100 = {percent}.",
            "The yield is what was obtained over what was possible.",
        )
    else:
        ask = f"{decimal(grams)} g of {_NAMES[given]} ({given}) react as in {_shown(equation)}, with a yield of {percent} %. How many grams of {what} are obtained?"
        answer = f"{decimal(got)} g"
        last = Step(
            f"{percent} % of {decimal(full)} g is {decimal(got)} g.", "Only a part of what is possible is obtained."
        )
    return Draft(
        question=f"{ask} {_given_masses(given, wanted)}",
        answer=answer,
        facts={"kind": "yield", "equation": equation, "given": given, "wanted": wanted, "grams": str(grams), "percent": percent, "got": str(got), "ask": form},
        template=f"yield {equation} {form}",
        steps=[*_to_moles(given, grams, n), Step(f"{decimal(n)} × {b}/{a} = {decimal(n * b / a)} mol of {wanted} are possible.", f"{a} mol of {given} give {b} mol of {wanted}."), _mass_step(wanted), Step(f"That is {decimal(n * b / a)} × {decimal(_mass(wanted))} = {decimal(full)} g."), last],
        says=f"The answer is {answer}{' %' if form else ''}.",
        given=f"{decimal(grams)} g of {given} and the yield of {wanted}.",
        check=f"{decimal(full)} g × {percent}/100 = {decimal(got)} g.",
        verifier="math" if form else "units",
    )  # fmt: skip


def _limiting(draw: Draw) -> Draft:
    equation, left, right = _reaction(draw, 2)
    (a1, one), (a2, two) = left[:2]
    b, wanted = draw.pick(right)
    times = draw.between(1, 10)
    extra = draw.between(1, 8)
    unit = Fraction(1, draw.pick((2, 4, 5)))
    short = draw.between(0, 1)
    counts = [times * unit, times * unit]
    counts[1 - short] += extra * unit
    n1, n2 = a1 * counts[0], a2 * counts[1]
    value = b * counts[short] * _mass(wanted)
    g1, g2 = n1 * _mass(one), n2 * _mass(two)
    scarce, plenty = (one, two) if short == 0 else (two, one)
    form = draw.between(0, 1)
    ask = (f"{decimal(g1)} g of {_NAMES[one]} ({one}) and {decimal(g2)} g of {_NAMES[two]} ({two}) react as in {_shown(equation)} until one of them is used up. What mass of {_NAMES[wanted]} ({wanted}) is formed?",
           f"{_shown(equation)}. At most how many grams of {wanted} ({_NAMES[wanted]}) can be made of {decimal(g1)} g of {one} and {decimal(g2)} g of {two}?")[form]  # fmt: skip
    lighter = one if g1 < g2 else two
    slip = (
        Slip(
            f"There is less {lighter} by mass, so it limits.",
            "Masses can't be compared; the amounts over their coefficients can.",
        )
        if lighter != scarce
        else None
    )
    return Draft(
        question=f"{ask} {_given_masses(one, two, wanted)}",
        answer=f"{decimal(value)} g",
        facts={"kind": "limiting", "equation": equation, "given": [one, two], "grams": [str(g1), str(g2)], "wanted": wanted},
        template=f"limiting {equation} {form}",
        steps=[
            *_to_moles(one, g1, n1), *_to_moles(two, g2, n2),
            Step(f"{decimal(n1)} / {a1} = {decimal(counts[0])} and {decimal(n2)} / {a2} = {decimal(counts[1])}: {scarce} runs out first.", "How often does the reaction fit into each amount?", slip),
            Step(f"n({wanted}) = {b} × {decimal(counts[short])} = {decimal(b * counts[short])} mol.", f"Each time gives {b} {wanted}."), _mass_step(wanted),
            Step(f"m = {decimal(b * counts[short])} × {decimal(_mass(wanted))} = {decimal(value)} g."),
        ],
        says=f"{decimal(value)} g of {_NAMES[wanted]} are formed; some {_NAMES[plenty]} is left.",
        given="Two amounts, and the one that runs out first decides.",
        check=f"With {plenty} alone it would be {decimal(b * counts[1 - short])} mol of {wanted}, more than {scarce} allows.",
        verifier="units",
    )  # fmt: skip


# --- the independent solver -----------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """Atoms are conserved: balance by elimination, weigh by counting."""
    kind = facts["kind"]
    if kind == "molar mass":
        return f"{decimal(_weigh(facts['formula']))} g/mol"
    if kind == "share":
        only = re.sub(rf"(?!{facts['element']}(?![a-z]))[A-Z][a-z]?\d*", "", facts["formula"])
        return str(_weigh(only) / _weigh(facts["formula"]))
    if kind == "moles":
        mass = _weigh(facts["formula"])
        return (
            f"{decimal(Fraction(facts['moles']) * mass)} g"
            if facts["to_grams"]
            else f"{decimal(Fraction(facts['grams']) / mass)} mol"
        )
    if kind == "balance":
        return f"({', '.join(map(str, balance(tuple(facts['left']), tuple(facts['right']))))})"
    left, right = (
        [re.sub(r"^\d+ ", "", term) for term in side.split(" + ")] for side in facts["equation"].split(" -> ")
    )
    numbers = dict(zip(left + right, balance(tuple(left), tuple(right)), strict=True))
    wanted = facts["wanted"]
    if kind == "limiting":
        rounds = min(Fraction(g) / _weigh(f) / numbers[f] for f, g in zip(facts["given"], facts["grams"], strict=True))
        return f"{decimal(rounds * numbers[wanted] * _weigh(wanted))} g"
    given = facts["given"]
    rounds = (
        Fraction(facts["moles"]) / numbers[given]
        if kind == "amounts"
        else Fraction(facts["grams"]) / (_weigh(given) * numbers[given])
    )
    moles = rounds * numbers[wanted]
    if kind == "amounts":
        return f"{decimal(moles)} mol"
    if kind == "gas":
        return f"{decimal(moles * 24)} L"
    mass = moles * _weigh(wanted)
    if kind == "grams":
        return f"{decimal(mass)} g"
    return str(Fraction(facts["got"]) / mass * 100) if facts["ask"] else f"{decimal(mass * facts['percent'] / 100)} g"


@cache
def _weigh(formula: str) -> Fraction:
    """Letter by letter."""
    total, i = Fraction(0), 0
    while i < len(formula):
        end = i + 1 + (i + 1 < len(formula) and formula[i + 1].islower())
        digits = end
        while digits < len(formula) and formula[digits].isdigit():
            digits += 1
        total += Fraction(_MASS[formula[i:end]]) * int(formula[end:digits] or 1)
        i = digits
    return total


@cache
def balance(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[int, ...]:
    """The smallest whole numbers for which every element is as often on the left as on the right."""
    formulas = left + right
    elements = sorted({e for f in formulas for e in re.findall("[A-Z][a-z]?", f)})
    rows = [
        [Fraction(_atoms(f).get(e, 0) * (1 if i < len(left) else -1)) for i, f in enumerate(formulas)]
        for e in elements
    ]
    pivots: list[int] = []
    for column in range(len(formulas)):
        found = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if found is None:
            continue
        top = len(pivots)
        rows[top], rows[found] = rows[found], rows[top]
        rows[top] = [x / rows[top][column] for x in rows[top]]
        for r in range(len(rows)):
            if r != top and rows[r][column]:
                rows[r] = [x - rows[r][column] * y for x, y in zip(rows[r], rows[top], strict=True)]
        pivots.append(column)
    free = [c for c in range(len(formulas)) if c not in pivots]
    if len(free) != 1:
        raise ValueError(f"{left} -> {right} can be balanced in {len(free)} independent ways")
    numbers = [Fraction(1)] * len(formulas)
    for row, column in zip(rows, pivots, strict=False):
        numbers[column] = -row[free[0]]
    scale = lcm(*(n.denominator for n in numbers))
    whole = [int(n * scale) for n in numbers]
    return tuple(n // gcd(*whole) for n in whole)


PIPELINE = Solver(
    make,
    solve,
    knobs="level: molar masses, amounts, balancing, grams to grams, gases and yields, limiting reagents",
    verifier="units",
)
