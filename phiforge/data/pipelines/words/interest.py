"""Money lent and saved: simple and compound interest, the rate or the capital from the interest, repayments.

`make` goes by factors; `solve` books year by year, or tries.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import CURRENCIES, asides, known, told
from phiforge.data.words import count, decimal, people, percent_of

_BANKS = (
    "a savings bank",
    "the village bank",
    "a cooperative",
    "an online bank",
    "the credit union",
    "a building society",
    "the post office bank",
    "a friend's company",
    "the harbour bank",
    "a student fund",
    "the teachers' bank",
    "a farmers' bank",
)
_FOR = (
    "a new roof",
    "a van",
    "a grand piano",
    "a greenhouse",
    "a pottery kiln",
    "a fishing boat",
    "a year abroad",
    "a bakery oven",
    "solar panels",
    "a beehive trailer",
    "a printing press",
    "an orchard",
    "a workshop",
    "a sailing course",
    "dental work",
    "a second-hand tractor",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_simple,),
        (_simple, _part_year),
        (_rate, _part_year, _compound),
        (_compound, _capital, _debt),
        (_compound, _capital, _debt, _double),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _puts(draw: Draw, who: object, capital: int, money: str, rate: int, how: str) -> tuple[list[str], str]:
    purpose, bank = draw.pick(_FOR), draw.pick(_BANKS)
    if draw.chance(0.5):
        return [
            draw.pick(
                (
                    f"{who} puts {capital} {money} into {bank}, saving for {purpose}.",
                    f"Saving for {purpose}, {who} takes {capital} {money} to {bank}.",
                )
            ),
            f"It pays {rate} % {how} a year.",
        ], f"save {purpose}"
    return [
        draw.pick(
            (
                f"For {purpose}, {who} borrows {capital} {money} from {bank}.",
                f"{who} takes a loan of {capital} {money} from {bank} for {purpose}.",
            )
        ),
        f"It costs {rate} % {how} a year.",
    ], f"lend {purpose}"


def _simple(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    capital, rate, years = (
        draw.between(2, 80) * 100,
        draw.between(2, 9),
        draw.between(1 if level > 1 else 2, 3 + 2 * level),
    )
    interest = capital * rate * years // 100
    end = draw.chance(0.4)
    extra = asides(draw, level, who, "mt")
    facts, place = _puts(draw, who, capital, money, rate, "simple interest")
    facts.append("The interest is not added to the capital." if level > 1 and draw.chance(0.5) else "")
    question = (
        f"How many {money} are there to be paid out or back in all after {count(years, 'year')}?"
        if end
        else draw.pick(
            (
                f"How many {money} of interest is that in {count(years, 'year')}?",
                f"How much interest comes together in {count(years, 'year')}, in {money}?",
            )
        )
    )
    steps = [
        Step(
            percent_of(rate, capital),
            draw.pick(("The interest of one year:", "First, one year.")),
        ),
        Step(
            f"{years} × {decimal(Fraction(capital * rate, 100))} = {interest}.",
            "Simple interest is the same each year.",
        ),
    ]
    if end:
        steps.append(
            Step(
                f"{capital} + {interest} = {capital + interest}.",
                "With the capital:",
                Slip(f"So the answer is {interest}.", "That is the interest only; in all the capital comes with it."),
            )
        )
    return Draft(
        question=told(draw, [f for f in facts if f], question, extra),
        answer=str(capital + interest if end else interest),
        facts={"kind": "simple", "capital": capital, "rate": rate, "years": years, "end": end},
        template=f"simple {place} {end}",
        steps=steps,
        says=f"It is {capital + interest if end else interest} {money}.",
        given=known(draw, f"{capital} {money} at {rate} % for {count(years, 'year')}.", extra),
        check=f"{interest} / {capital} = {decimal(Fraction(rate * years, 100))}, that is {years} × {rate} %.",
    )


def _part_year(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    capital, rate, months = draw.between(2, 60) * 200, draw.between(2, 12), draw.between(1, 23)
    interest = Fraction(capital * rate * months, 1200)
    if (interest * 100).denominator != 1:
        capital = -(-capital // 1200) * 1200
        interest = Fraction(capital * rate * months, 1200)
    extra = asides(draw, level, who, "mt")
    facts, place = _puts(draw, who, capital, money, rate, "simple interest")
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick(
                (
                    f"How many {money} of interest are due after {count(months, 'month')}?",
                    f"What is the interest for {count(months, 'month')}, in {money}?",
                )
            ),
            extra,
        ),
        answer=decimal(interest),
        facts={"kind": "months", "capital": capital, "rate": rate, "months": months},
        template=f"months {place}",
        steps=[
            Step(f"{capital} × {rate}/100 = {decimal(Fraction(capital * rate, 100))}.", "For a year it would be"),
            Step(
                f"{decimal(Fraction(capital * rate, 100))} × {months}/12 = {decimal(interest)}.",
                f"{count(months, 'month').capitalize()} {'is' if months == 1 else 'are'} {months}/12 of a year.",
                Slip(
                    f"{decimal(Fraction(capital * rate, 100))} × {months} = {decimal(Fraction(capital * rate * months, 100))}.",
                    "The rate is for a year, not for a month.",
                ),
            ),
        ],
        says=f"The interest is {decimal(interest)} {money}.",
        given=known(draw, f"{capital} {money}, {rate} % a year, {count(months, 'month')}.", extra),
        check=f"A month brings {decimal(interest / months)}; times {months} that is {decimal(interest)}.",
    )


def _rate(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    capital, rate, years = draw.between(2, 80) * 100, draw.between(2, 12), draw.between(1, 8)
    interest = capital * rate * years // 100
    ask_years = draw.chance(0.4)
    extra = asides(draw, level, who, "mt")
    bank, purpose = draw.pick(_BANKS), draw.pick(_FOR)
    facts = [
        draw.pick(
            (
                f"{who} lends {capital} {money} to {bank} at simple interest.",
                f"{capital} {money} of {who}'s lie in {bank} at simple interest, for {purpose}.",
            )
        )
    ]
    facts.append(
        f"The rate is {rate} % a year, and {interest} {money} of interest have come together."
        if ask_years
        else f"After {count(years, 'year')}, {interest} {money} of interest have come together."
    )
    answer = years if ask_years else rate
    one = Fraction(capital * rate, 100) if ask_years else Fraction(interest, years)
    return Draft(
        question=told(draw, facts, "How many years is that?" if ask_years else draw.pick(("What is the rate in percent a year?", "How many percent a year is that?")), extra),
        answer=str(answer),
        facts={"kind": "rate", "capital": capital, "interest": interest, "rate": rate if ask_years else None, "years": None if ask_years else years},
        template=f"rate {bank} {ask_years}",
        steps=[
            Step(f"{capital} × {rate}/100 = {decimal(one)}." if ask_years else f"{interest} ÷ {years} = {decimal(one)}.", "What does one year bring?"),
            Step(f"{interest} ÷ {decimal(one)} = {years}." if ask_years else f"{decimal(one)} ÷ {capital} = {decimal(Fraction(rate, 100))}, that is {rate} %.", "So the number of years is" if ask_years else "Compared with the capital:", None if ask_years else Slip(f"{interest} ÷ {capital} = {decimal(Fraction(rate * years, 100))}.", f"That is for all {years} years together.") if years > 1 else None),
        ],
        says=f"It is {count(years, 'year') if ask_years else f'{rate} %'}.",
        given=known(draw, f"{capital} {money} brought {interest}.", extra),
        check=f"{capital} × {rate} % × {years} = {interest}.",
    )  # fmt: skip


def _compound(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    years = draw.between(2, 3)
    capital, rate = (
        draw.between(1, 40) * (100 if years == 2 else 1000),
        draw.pick((2, 3, 4, 5, 6, 8, 10, 20) if years == 2 else (2, 5, 10, 20, 4)),
    )
    factor = 1 + Fraction(rate, 100)
    end = capital * factor**years
    only = draw.chance(0.4)
    extra = asides(draw, level, who, "mt")
    facts, place = _puts(draw, who, capital, money, rate, "interest")
    facts.append(
        draw.pick(
            (
                "Each year the interest is added to what is there and bears interest itself.",
                "It is compound interest: what is added each year counts the next year.",
            )
        )
    )
    steps, value = [], Fraction(capital)
    for i in range(years):
        steps.append(
            Step(
                f"{decimal(value)} × {decimal(factor)} = {decimal(value * factor)}.",
                f"After the {('first', 'second', 'third')[i]} year:",
                Slip(
                    f"{capital} × {rate} % × {years} = {decimal(Fraction(capital * rate * years, 100))} of interest.",
                    "The interest of the first year bears interest too.",
                )
                if i == 0
                else None,
            )
        )
        value *= factor
    if only:
        steps.append(
            Step(f"{decimal(end)} − {capital} = {decimal(end - capital)}.", "Only the interest is asked for.")
        )
    wanted = end - capital if only else end
    return Draft(
        question=told(
            draw,
            facts,
            f"How many {money} of interest does that make in {years} years?"
            if only
            else draw.pick(
                (
                    f"What is the amount after {years} years, in {money}?",
                    f"How many {money} has it become after {years} years?",
                )
            ),
            extra,
        ),
        answer=decimal(wanted),
        facts={"kind": "compound", "capital": capital, "rate": rate, "years": years, "only": only},
        template=f"compound {place} {only}",
        steps=steps,
        says=f"It is {decimal(wanted)} {money}.",
        given=known(draw, f"{capital} {money}, {rate} % a year, {years} years, with interest on interest.", extra),
        check=f"Simple interest would give {decimal(capital + Fraction(capital * rate * years, 100))}, a little less than {decimal(end)}.",
    )


def _capital(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    capital, rate, years = draw.between(3, 90) * 100, draw.between(2, 9), draw.between(2, 9)
    interest = capital * rate * years // 100
    from_end = draw.chance(0.5)
    extra = asides(draw, level, who, "mt")
    bank = draw.pick(_BANKS)
    told_ = capital + interest if from_end else interest
    facts = [
        draw.pick(
            (
                f"{bank[0].upper()}{bank[1:]} pays {who} {rate} % simple interest a year.",
                f"At {bank}, {who} gets {rate} % simple interest a year.",
            )
        ),
        f"After {years} years, {who} has {told_} {money}, capital and interest together."
        if from_end
        else f"In {years} years this makes {told_} {money} of interest.",
    ]
    share = 100 + rate * years if from_end else rate * years
    return Draft(
        question=told(draw, facts, draw.pick((f"What was the capital, in {money}?", f"How many {money} did {who} put in?")), extra),
        answer=str(capital),
        facts={"kind": "capital", "rate": rate, "years": years, "told": told_, "from_end": from_end},
        template=f"capital {bank} {from_end}",
        steps=[
            Step(f"{years} × {rate} % = {rate * years} %{f', so in all {share} % of the capital' if from_end else ''}.", "Simple interest grows by the same share each year.", Slip(f"{rate * years} % of {told_} is {decimal(Fraction(told_ * rate * years, 100))}.", "The percentages are of the capital, which is unknown." )),
            Step(f"{told_} ÷ {decimal(Fraction(share, 100))} = {capital}.", f"{told_} is {share} % of the capital."),
        ],
        says=f"The capital was {capital} {money}.",
        given=known(draw, f"{rate} % for {years} years; {told_} {'in the end' if from_end else 'of interest'}.", extra),
        check=f"{rate * years} % of {capital} is {interest}{f', and {capital} + {interest} = {told_}' if from_end else ''}.",
    )  # fmt: skip


def _debt(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    years = draw.between(2, 3)
    debt, rate = draw.between(2, 40) * 1000, draw.pick((2, 4, 5, 10))
    back = draw.between(2, 5) * debt // 10 // 100 * 100
    extra = asides(draw, level, who, "mt")
    bank, purpose = draw.pick(_BANKS), draw.pick(_FOR)
    facts = [
        draw.pick(
            (
                f"For {purpose}, {who} owes {bank} {debt} {money}.",
                f"{who} owes {debt} {money} to {bank} for {purpose}.",
            )
        ),
        f"At the end of each year {rate} % interest on the debt is added, and then {who} pays {back} {money}.",
    ]
    steps, value = [], Fraction(debt)
    for i in range(years):
        grown = value * (100 + rate) / 100
        steps.append(
            Step(
                f"{decimal(value)} × {decimal(Fraction(100 + rate, 100))} = {decimal(grown)}, and {decimal(grown)} − {back} = {decimal(grown - back)}.",
                f"Year {i + 1}: interest first, then the payment.",
                Slip(
                    f"{decimal(value)} − {back} = {decimal(value - back)} first.",
                    "The interest is added before the payment.",
                )
                if i == 0
                else None,
            )
        )
        value = grown - back
    return Draft(
        question=told(draw, facts, draw.pick((f"How many {money} does {who} owe after {years} years?", f"What is the debt after {years} years, in {money}?")), extra),
        answer=decimal(value),
        facts={"kind": "debt", "debt": debt, "rate": rate, "back": back, "years": years},
        template=f"debt {purpose}",
        steps=steps,
        says=f"{who} owes {decimal(value)} {money}.",
        given=known(draw, f"A debt of {debt}, {rate} % a year, {back} paid back each year.", extra),
        check=f"Paid: {years} × {back} = {years * back}; interest: {decimal(value + years * back - debt)}; {debt} + {decimal(value + years * back - debt)} − {years * back} = {decimal(value)}.",
    )  # fmt: skip


def _double(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES).many
    capital, rate, times = draw.between(1, 30) * 100, draw.pick((2, 4, 5, 8, 10, 20, 25)), draw.between(2, 4)
    years = 100 * (times - 1) // rate
    if rate * years != 100 * (times - 1):
        rate = 5
        years = 20 * (times - 1)
    extra = asides(draw, level, who, "mt")
    facts, place = _puts(draw, who, capital, money, rate, "simple interest")
    word = {2: "double", 3: "three times", 4: "four times"}[times]
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick(
                (
                    f"After how many years is it {word} the capital, with the interest?",
                    f"How many years pass until capital and interest make {word} the capital?",
                )
            ),
            extra,
        ),
        answer=str(years),
        facts={"kind": "double", "capital": capital, "rate": rate, "times": times},
        template=f"double {place} {times}",
        steps=[
            Step(
                f"The interest must be {100 * (times - 1)} % of the capital.",
                f"{word.capitalize()} means the capital once, and {times - 1} {'time' if times == 2 else 'times'} as interest.",
                Slip(
                    f"{100 * times} ÷ {rate} = {decimal(Fraction(100 * times, rate))} years.",
                    "The capital itself is there from the start.",
                ),
            ),
            Step(f"{100 * (times - 1)} ÷ {rate} = {years}.", f"{rate} % come each year."),
        ],
        says=f"That takes {years} years.",
        given=known(draw, f"{rate} % simple interest; the {capital} {money} themselves don't matter.", extra),
        check=f"{years} × {rate} % of {capital} is {capital * (times - 1)}, and with {capital} that is {capital * times}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    rate: Any = facts["rate"]
    if kind in ("simple", "months"):
        each = Fraction(facts["capital"] * rate, 100)
        interest = sum([each] * facts["years"], Fraction(0)) if kind == "simple" else each / 12 * facts["months"]
        return decimal(interest + facts["capital"] if facts.get("end") else interest)
    if kind == "rate":
        for unknown in range(1, 100):
            r, y = (rate, unknown) if facts.get("years") is None else (unknown, facts["years"])
            if facts["capital"] * r * y == 100 * facts["interest"]:
                return str(unknown)
    if kind == "capital":
        for capital in range(100, 100_000, 100):
            interest = capital * rate * facts["years"] // 100
            if facts["told"] == (capital + interest if facts["from_end"] else interest):
                return str(capital)
    if kind == "double":
        sum_, years = Fraction(facts["capital"]), 0
        while sum_ < facts["times"] * facts["capital"]:
            sum_, years = sum_ + Fraction(facts["capital"] * rate, 100), years + 1
        return str(years)
    value = Fraction(facts["debt"] if kind == "debt" else facts["capital"])
    for _ in range(facts["years"]):
        value += value * rate / 100 - facts.get("back", 0)
    return decimal(value - facts["capital"] if facts.get("only") else value)


PIPELINE = Solver(
    make, solve, knobs="level: simple interest, months, rate and years, compound interest, capital, repayments"
)
