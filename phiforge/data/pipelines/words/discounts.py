"""Discounts and offers: reductions, vouchers, two offers compared, buy-some-get-one-free, taxes on top.

`make` takes off what is off; `solve` goes by fractions of the price.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import CURRENCIES, amount, asides, known, told
from phiforge.data.words import article, people, percent_of, plural

_GOODS = (
    ("winter coat", 60, 240), ("desk lamp", 20, 90), ("rucksack", 30, 160), ("pair of hiking boots", 70, 220), ("office chair", 80, 400), ("kettle", 20, 80), ("violin", 200, 900), ("sewing machine", 120, 600), ("tent", 60, 500), ("wardrobe", 150, 900),
    ("bicycle", 200, 1200), ("telescope", 90, 700), ("rug", 40, 400), ("toaster", 20, 90), ("set of pans", 40, 240), ("mattress", 120, 900), ("microscope", 90, 500), ("raincoat", 40, 160), ("hammock", 30, 120), ("bookshelf", 60, 300),
    ("drill", 40, 200), ("coffee grinder", 30, 160), ("scooter", 80, 500), ("globe", 20, 100),
)  # fmt: skip
_PIECES = (("towel", 400, 1600), ("mug", 300, 1100), ("T-shirt", 500, 2000), ("candle", 200, 900), ("bar of soap", 100, 500), ("pot of herbs", 150, 450), ("tin of tea", 300, 900), ("pair of socks", 200, 800), ("notebook", 150, 700), ("bottle of juice", 100, 400), ("cushion", 600, 2400), ("plate", 300, 1400))  # fmt: skip
_WHEN = (
    "In the sale",
    "This week",
    "At the end of the season",
    "For the shop's birthday",
    "On market day",
    "For club members",
    "Because of a scratch",
    "As the shop is closing",
    "Until Saturday",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = ((_off,), (_off, _free), (_voucher, _free, _tax), (_voucher, _tax, _offers), (_offers, _voucher, _tax))
    return draw.pick(kinds[level - 1])(draw, level)


def _one(draw: Draw) -> tuple[str, int]:
    """A thing with a price in hundredths that any whole percentage divides."""
    what, low, high = draw.pick(_GOODS)
    return what, draw.between(low, high) * 100


def _pieces(what: str) -> str:
    head, of, rest = what.partition(" of ")
    return f"{plural(head)}{of}{rest}"


def _off(draw: Draw, level: int) -> Draft:
    who, money, (what, price) = people(draw, 1)[0], draw.pick(CURRENCIES), _one(draw)
    p = draw.pick((10, 20, 25, 50, 5, 30, 40)) if level == 1 else draw.between(3, 70)
    off, saved = price * p // 100, draw.chance(0.3)
    extra = asides(draw, level, who, "m")
    facts = [draw.pick((f"{article(what).capitalize()} costs {money.of(price)}.", f"{who} wants {article(what)} that costs {money.of(price)}.", f"The {what} in the window is marked {money.of(price)}, and {who} would like it.")), draw.pick((f"{draw.pick(_WHEN)} the price is reduced by {p} %.", f"{draw.pick(_WHEN)} there is a discount of {p} %.", f"{draw.pick(_WHEN)} it is {p} % cheaper."))]  # fmt: skip
    question = (
        draw.pick((f"How many {money.many} does {who} save?", f"What is the saving in {money.many}?"))
        if saved
        else draw.pick(
            (
                f"What does {who} pay for it then, in {money.many}?",
                f"How many {money.many} does it cost now?",
                f"Find the reduced price in {money.many}.",
            )
        )
    )
    steps = [
        Step(
            percent_of(p, price, amount),
            draw.pick(("How much comes off?", "First the reduction.", "The discount is a part of the old price.")),
        )
    ]
    if not saved:
        steps.append(
            Step(
                f"{amount(price)} − {amount(off)} = {amount(price - off)}.",
                draw.pick(
                    (
                        "The rest is to be paid.",
                        "Take it off.",
                        "That is only what is saved; the price is what remains.",
                    )
                ),
                Slip(f"So it costs {amount(off)}.", "That is the reduction, not the price."),
            )
        )
    wanted = off if saved else price - off
    return Draft(
        question=told(draw, facts, question, extra),
        answer=amount(wanted),
        facts={"kind": "off", "price": price, "percent": p, "saved": saved},
        template=f"off {what} {saved}",
        steps=steps,
        says=f"{who} {'saves' if saved else 'pays'} {money.of(wanted)}.",
        given=known(draw, f"The price is {money.of(price)}, the discount {p} %.", extra),
        check=f"{amount(wanted)} / {amount(price)} = {float(Fraction(wanted, price)):.4g}, that is {p if saved else 100 - p} %.",
    )


def _voucher(draw: Draw, level: int) -> Draft:
    who, money, (what, price) = people(draw, 1)[0], draw.pick(CURRENCIES), _one(draw)
    p = draw.pick((10, 20, 25, 15, 30, 40, 5, 12, 35))
    worth = draw.between(1, max(1, price // 500)) * 100
    first = draw.chance(0.5)  # whether the voucher comes off before the discount
    extra = asides(draw, level, who, "m")
    paid = (price - worth) * (100 - p) // 100 if first else price * (100 - p) // 100 - worth
    order = (
        draw.pick(
            (
                f"The voucher is taken off first, and the {p} % from what is left.",
                f"The till subtracts the voucher, then {p} % of the rest.",
            )
        )
        if first
        else draw.pick(
            (
                f"The {p} % come off first, then the voucher.",
                f"The till takes off {p} %, and the voucher from the reduced price.",
            )
        )
    )
    facts = [
        draw.pick(
            (
                f"{who} buys {article(what)} for {money.of(price)}.",
                f"The {what} that {who} picks costs {money.of(price)}.",
            )
        ),
        draw.pick(
            (
                f"{draw.pick(_WHEN)} there are {p} % off, and {who} has a voucher worth {money.of(worth)}.",
                f"With a voucher of {money.of(worth)} in hand, {who} learns that there are {p} % off as well.",
            )
        ),
        order,
    ]
    if first:
        steps = [
            Step(
                f"{amount(price)} − {amount(worth)} = {amount(price - worth)}.",
                "The order matters: here the voucher goes first.",
            ),
            Step(
                percent_of(p, price - worth, amount),
                "Then the percentage, of what is left.",
                Slip(
                    f"{p} % of {amount(price)} is {amount(price * p // 100)}.",
                    f"But by then the price is down to {amount(price - worth)}.",
                ),
            ),
            Step(f"{amount(price - worth)} − {amount((price - worth) * p // 100)} = {amount(paid)}."),
        ]
    else:
        steps = [
            Step(
                percent_of(p, price, amount),
                "The order matters: here the percentage goes first.",
            ),
            Step(f"{amount(price)} − {amount(price * p // 100)} = {amount(price * (100 - p) // 100)}."),
            Step(
                f"{amount(price * (100 - p) // 100)} − {amount(worth)} = {amount(paid)}.",
                "Now the voucher.",
                Slip(f"So {amount(price * (100 - p) // 100)} it is.", "The voucher is still in the purse."),
            ),
        ]
    other = price * (100 - p) // 100 - worth if first else (price - worth) * (100 - p) // 100
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick((f"How many {money.many} does {who} pay?", f"What remains to be paid, in {money.many}?")),
            extra,
        ),
        answer=amount(paid),
        facts={"kind": "voucher", "price": price, "percent": p, "worth": worth, "first": first},
        template=f"voucher {what} {first}",
        steps=steps,
        says=f"{who} pays {money.of(paid)}.",
        given=known(draw, f"A price of {money.of(price)}, {p} % off, and a voucher of {money.of(worth)}.", extra),
        check=f"The other way round it would be {amount(other)}; the voucher {'first is dearer, as the discount is then of less' if first else 'last is cheaper, as the discount is then of more'}.",
    )


def _free(draw: Draw, level: int) -> Draft:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES)
    what, low, high = draw.pick(_PIECES)
    price = draw.between(low // 10, high // 10) * 10
    buy = draw.between(2, 5)
    n = draw.between(buy + 1, 6 + 6 * level)
    groups, rest = divmod(n, buy + 1)
    paid = groups * buy + rest
    extra = asides(draw, level, who, "m")
    facts = [
        draw.pick(
            (f"A shop sells {_pieces(what)} at {money.of(price)} each.", f"One {what} costs {money.of(price)}.")
        ),
        draw.pick(
            (
                f"Whoever takes {buy} gets one more for nothing, as often as that happens.",
                f"The offer: for every {buy} paid, one more is free.",
                f"In every {buy + 1}, one is free.",
            )
        ),
        draw.pick((f"{who} takes {n} home.", f"{who} needs {n} of them.", f"{who} wants exactly {n}.")),
    ]
    return Draft(
        question=told(draw, facts, draw.pick((f"What does {who} pay, in {money.many}?", f"How many {money.many} is that?")), extra),
        answer=amount(paid * price),
        facts={"kind": "free", "buy": buy, "n": n, "price": price},
        template=f"free {what}",
        steps=[
            Step(f"{n} = {groups} × {buy + 1} + {rest}.", f"The offer works in groups of {buy + 1}: {buy} paid and one free.", Slip(f"{n} ÷ {buy} is {n // buy}, so {n // buy} are free.", f"But a group with its free piece has {buy + 1}.") if n // buy != groups else None),
            Step(f"{groups} {'is' if groups == 1 else 'are'} free, so {n} − {groups} = {paid} are paid.", "One free in each whole group."),
            Step(f"{paid} × {amount(price)} = {amount(paid * price)}."),
        ],
        says=f"{who} pays {money.of(paid * price)}.",
        given=known(draw, f"{n} pieces at {money.of(price)}, one of {buy + 1} free.", extra),
        check=f"Without the offer it would be {n} × {amount(price)} = {amount(n * price)}; {groups} × {amount(price)} = {amount(groups * price)} less is {amount(paid * price)}.",
    )  # fmt: skip


def _tax(draw: Draw, level: int) -> Draft:
    who, money, (what, price) = people(draw, 1)[0], draw.pick(CURRENCIES), _one(draw)
    p, tax = draw.pick((10, 20, 25, 30, 40, 50)), draw.pick((5, 10, 20, 25, 8, 12))
    price += -price % 1000
    while price * (100 - p) * (100 + tax) % 10_000:  # no fractions of a hundredth
        price += 1000
    net = price * (100 - p) // 100
    paid = net + net * tax // 100
    extra = asides(draw, level, who, "m")
    facts = [draw.pick((f"Before tax, {article(what)} costs {money.of(price)}.", f"{who} sees {article(what)} for {money.of(price)}, without tax.")), draw.pick((f"{draw.pick(_WHEN)} it is {p} % cheaper; on the reduced price, {tax} % tax is added.", f"There is a discount of {p} %, and then a tax of {tax} % on what is left."))]  # fmt: skip
    return Draft(
        question=told(draw, facts, draw.pick((f"How many {money.many} does {who} pay in the end?", f"What does {who} hand over, in {money.many}?")), extra),
        answer=amount(paid),
        facts={"kind": "tax", "price": price, "percent": p, "tax": tax},
        template=f"tax {what}",
        steps=[
            Step(f"{amount(price)} × {(100 - p) / 100:g} = {amount(net)}.", f"With {p} % off, {100 - p} % remain."),
            Step(f"{amount(net)} × {(100 + tax) / 100:g} = {amount(paid)}.", f"The tax makes it {100 + tax} % of that.", Slip(f"{p} % off and {tax} % on are {p - tax} % off together." if p > tax else f"{tax} % on and {p} % off are {tax - p} % on together.", "No: the two percentages are of different amounts.") if p != tax else Slip("Off and on cancel.", "They don't: the tax is of less than the discount was.")),
        ],
        says=f"{who} pays {money.of(paid)}.",
        given=known(draw, f"{money.of(price)} without tax, {p} % off, then {tax} % on.", extra),
        check=f"In one go: {amount(price)} × {(100 - p) * (100 + tax) / 10000:g} = {amount(paid)}.",
    )  # fmt: skip


def _offers(draw: Draw, level: int) -> Draft:
    who, money, (what, price) = people(draw, 1)[0], draw.pick(CURRENCIES), _one(draw)
    other_price = price + draw.between(-price // 1000, price // 500) * 100
    p = draw.pick((10, 15, 20, 25, 30))
    off = draw.between(max(1, price // 1500), max(2, price // 300)) * 100
    a, b = price * (100 - p) // 100, other_price - off
    if a == b:
        off += 100
        b -= 100
    extra = asides(draw, level, who, "m")
    towns = draw.sample(
        (
            "the old town",
            "the station",
            "the harbour",
            "the ring road",
            "the cathedral",
            "the market square",
            "the university",
        ),
        2,
    )
    facts = [
        draw.pick((f"{who} compares two shops for the same {what}.", f"Two shops have the {what} that {who} wants.")),
        f"The one near {towns[0]} asks {money.of(price)} and gives {p} % off; the one near {towns[1]} asks {money.of(other_price)} and gives {money.of(off)} off.",
    ]
    question = draw.pick(
        (
            f"How much less does {who} pay at the cheaper one, in {money.many}?",
            f"By how many {money.many} do the two final prices differ?",
        )
    )
    return Draft(
        question=told(draw, facts, question, extra),
        answer=amount(abs(a - b)),
        facts={"kind": "offers", "price": price, "percent": p, "other": other_price, "off": off},
        template=f"offers {what}",
        steps=[
            Step(f"{amount(price)} − {amount(price * p // 100)} = {amount(a)}.", f"Near {towns[0]}: {p} % of {amount(price)} is {amount(price * p // 100)}."),
            Step(f"{amount(other_price)} − {amount(off)} = {amount(b)}.", f"Near {towns[1]}:"),
            Step(f"{amount(max(a, b))} − {amount(min(a, b))} = {amount(abs(a - b))}.", f"The shop near {towns[0] if a < b else towns[1]} is cheaper.", Slip(f"The reductions differ by {amount(abs(price * p // 100 - off))}.", "But the marked prices differ too, so compare what is paid.") if price != other_price else None),
        ],
        says=f"The difference is {money.of(abs(a - b))}.",
        given=known(draw, f"{money.of(price)} less {p} %, against {money.of(other_price)} less {money.of(off)}.", extra),
        check=f"{amount(min(a, b))} + {amount(abs(a - b))} = {amount(max(a, b))}.",
    )  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    kind, price = facts["kind"], Fraction(facts["price"], 100)
    left = 1 - Fraction(facts.get("percent", 0), 100)
    if kind == "off":
        value = price - price * left if facts["saved"] else price * left
    elif kind == "voucher":
        worth = Fraction(facts["worth"], 100)
        value = price * left - worth * (left if facts["first"] else 1)
    elif kind == "free":
        value, since = Fraction(0), 0
        for _ in range(facts["n"]):  # piece by piece: each is paid, but for the one after `buy` paid ones
            if since == facts["buy"]:
                since = 0
            else:
                value, since = value + price, since + 1
    elif kind == "tax":
        value = price * left * (1 + Fraction(facts["tax"], 100))
    else:
        value = abs(price * left - Fraction(facts["other"] - facts["off"], 100))
    return str(value) if value.denominator == 1 else f"{float(value):.2f}"


PIPELINE = Solver(
    make, solve, knobs="level: one discount, free pieces, voucher and discount in order, tax, two offers"
)
