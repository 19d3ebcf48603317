"""Shopping lists: totals, change, a price worked out from the bill, what is left to spend, who paid more.

`make` adds line by line in hundredths; `solve` puts every single piece on the till.
"""

from __future__ import annotations

from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import CURRENCIES, Currency, amount, asides, known, told
from phiforge.data.words import Person, article, count, listed, people, plural

# A shop, and what it sells with the least and the highest price in hundredths.
_SHOPS: tuple[tuple[str, tuple[tuple[str, int, int], ...]], ...] = (
    ("a bakery", (("roll", 30, 90), ("pretzel", 60, 150), ("slice of cake", 180, 380), ("loaf of bread", 220, 520), ("doughnut", 90, 190), ("croissant", 110, 240))),
    ("a greengrocer's", (("melon", 180, 420), ("lemon", 25, 70), ("cucumber", 60, 140), ("pineapple", 190, 390), ("avocado", 80, 190), ("bunch of radishes", 70, 160))),
    ("a stationer's", (("pencil", 40, 120), ("notebook", 110, 390), ("eraser", 50, 130), ("ruler", 70, 240), ("fountain pen", 690, 1890), ("glue stick", 90, 250))),
    ("a garden centre", (("rose bush", 590, 1490), ("packet of seeds", 120, 350), ("flowerpot", 180, 790), ("bag of soil", 390, 990), ("pair of gloves", 350, 890), ("watering can", 790, 1890))),
    ("a bookshop", (("novel", 890, 1990), ("comic", 390, 990), ("map", 490, 1290), ("calendar", 690, 1590), ("bookmark", 80, 250), ("dictionary", 1290, 2990))),
    ("a hardware store", (("hinge", 180, 490), ("paintbrush", 240, 790), ("light bulb", 190, 690), ("box of screws", 290, 790), ("padlock", 590, 1790), ("roll of tape", 150, 490))),
    ("a flea market", (("vinyl record", 200, 900), ("teacup", 100, 450), ("old postcard", 30, 120), ("toy car", 150, 600), ("candlestick", 300, 1200), ("picture frame", 250, 950))),
    ("a café", (("espresso", 140, 290), ("pot of tea", 250, 450), ("sandwich", 320, 690), ("glass of juice", 220, 420), ("muffin", 180, 340), ("bowl of soup", 390, 690))),
    ("a toy shop", (("kite", 690, 1890), ("yo-yo", 250, 690), ("jigsaw puzzle", 690, 1990), ("bag of marbles", 190, 490), ("stuffed bear", 890, 2490), ("box of crayons", 240, 690))),
    ("a sports shop", (("tennis ball", 150, 350), ("water bottle", 490, 1490), ("pair of socks", 390, 990), ("skipping rope", 450, 1190), ("swimming cap", 350, 890), ("whistle", 190, 590))),
    ("a fishmonger's", (("trout", 390, 790), ("oyster", 110, 250), ("herring", 140, 320), ("crab", 590, 1290), ("tin of sardines", 190, 420), ("mackerel", 250, 560))),
    ("a pet shop", (("bag of cat food", 390, 1290), ("dog lead", 790, 1990), ("rubber bone", 290, 790), ("goldfish", 190, 590), ("bird bell", 150, 450), ("brush", 390, 990))),
    ("the museum shop", (("poster", 590, 1590), ("magnet", 250, 590), ("tote bag", 690, 1690), ("pin", 150, 450), ("catalogue", 1490, 3490), ("set of postcards", 290, 690))),
    ("a farm stand", (("jar of honey", 490, 990), ("egg", 20, 60), ("pumpkin", 290, 790), ("bottle of cider", 290, 650), ("jar of jam", 320, 690), ("cheese", 590, 1490))),
)  # fmt: skip
_NOTES = (500, 1000, 2000, 5000, 10000, 20000, 50000)

Line = tuple[str, int, int]  # what, how many, price of one


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_total, _change),
        (_total, _change),
        (_change, _price, _more),
        (_price, _more, _apart),
        (_price, _more, _apart),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _basket(draw: Draw, level: int) -> tuple[str, list[Line], list[tuple[str, int]]]:
    """A shop, what is bought there, and what else it has, with prices."""
    shop, goods = draw.pick(_SHOPS)
    n = (1, 2, 2, 3, 3)[level - 1] + draw.chance(0.4)
    step = (50, 10, 10, 5, 5)[level - 1]
    chosen = draw.sample(goods, n + 1)
    priced = [(what, max(step, draw.between(low, high) // step * step)) for what, low, high in chosen]
    return shop, [(what, draw.between(2, 3 + 2 * level), price) for what, price in priced[:-1]], priced[-1:]


def _prices(draw: Draw, lines: list[Line], others: list[tuple[str, int]], money: Currency) -> str:
    """What each thing costs, as a sentence. `others` are things that nobody buys."""
    each = [(what, price) for what, _, price in lines] + others
    form = draw.between(0, 3)
    if form == 0:
        return f"There, {listed([f'one {what} costs {money.of(p)}' for what, p in each])}."
    if form == 1:
        return f"The price of {listed([f'{article(what)} is {money.of(p)}' if i == 0 else f'{article(what)} {money.of(p)}' for i, (what, p) in enumerate(each)])}."
    if form == 2:
        return f"The price list says: {'; '.join(f'{what} {money.of(p)}' for what, p in each)}."
    return f"{listed([f'{plural_of(what)} cost {money.of(p)} each' if i == 0 else f'{plural_of(what)} {money.of(p)} each' for i, (what, p) in enumerate(each)]).capitalize()}."


def plural_of(what: str) -> str:
    """The plural of a thing, bent at its first noun: "slices of cake"."""
    if what in ("goldfish", "trout"):
        return what
    if what == "loaf of bread":
        return "loaves of bread"
    head, of, rest = what.partition(" of ")
    return f"{plural(head)}{of}{rest}"


def _bought(lines: list[Line]) -> str:
    return listed([count(n, what, plural_of(what)) for what, n, _ in lines])


def _sums(draw: Draw, lines: list[Line], money: Currency) -> tuple[list[Step], int]:
    """The steps to the total, and the total."""
    steps: list[Step] = []
    why = draw.pick(("Start with", "Take", "First the", "Line by line:"))
    for i, (what, n, price) in enumerate(lines):
        because = {
            0: f"{why} {plural_of(what)}." if why != "Line by line:" else why,
            1: draw.pick((f"Now the {plural_of(what)}.", f"Then {plural_of(what)}.", "The next line.")),
        }.get(i, draw.pick((f"And the {plural_of(what)}.", "One more line.")))
        slip = Slip(f"One {what} is {amount(price)}.", f"But it is {n} of them, so multiply.") if i == 0 else None
        steps.append(Step(f"{n} × {amount(price)} = {amount(n * price)}.", because, slip))
    total = sum(n * p for _, n, p in lines)
    if len(lines) > 1:
        steps.append(
            Step(
                f"{' + '.join(amount(n * p) for _, n, p in lines)} = {amount(total)}.",
                draw.pick(("Add it up.", "Together that makes:", "The whole bill:", "And the sum.")),
            )
        )
    return steps, total


def _goes(draw: Draw, who: Person, shop: str, lines: list[Line]) -> str:
    bought = _bought(lines)
    return draw.pick(
        (
            f"At {shop}, {who} buys {bought}.",
            f"{who} goes to {shop} for {bought}.",
            f"{who} leaves {shop} with {bought}.",
            f"{who}'s list for {shop} reads: {bought}.",
            f"For a {draw.pick(('party', 'picnic', 'birthday', 'school fair', 'neighbour', 'long weekend', 'visit'))}, {who} gets {bought} at {shop}.",
        )
    )


def _start(draw: Draw, level: int) -> tuple[Person, Currency, str, list[Line], list[tuple[str, int]]]:
    who, money = people(draw, 1)[0], draw.pick(CURRENCIES)
    shop, lines, others = _basket(draw, level)
    return who, money, shop, lines, others if draw.chance(0.1 + 0.1 * level) else []


def _unneeded(others: list[tuple[str, int]]) -> str:
    return "".join(f" Nobody buys {article(what)}, so that price is of no use." for what, _ in others)


def _total(draw: Draw, level: int) -> Draft:
    who, money, shop, lines, others = _start(draw, level)
    extra = asides(draw, level, who, "m")
    steps, total = _sums(draw, lines, money)
    question = draw.pick(
        (
            f"How many {money.many} is that in all?",
            f"What does {who} pay altogether, in {money.many}?",
            f"Find the total in {money.many}.",
            f"How much is the bill, in {money.many}?",
        )
    )
    return Draft(
        question=told(draw, [_goes(draw, who, shop, lines), _prices(draw, lines, others, money)], question, extra),
        answer=amount(total),
        facts={"kind": "total", "lines": [[n, p] for _, n, p in lines]},
        template=f"total {shop} {len(lines)}",
        steps=steps,
        says=f"{who} pays {money.of(total)}.",
        given=known(draw, f"{_bought(lines)}, each with its price.{_unneeded(others)}", extra),
        check=_roughly(lines, total),
    )


def _roughly(lines: list[Line], total: int) -> str:
    """An estimate with prices rounded to whole units."""
    rough = sum(n * max(1, round(p / 100)) for _, n, p in lines)
    return f"With whole numbers, {' + '.join(f'{n} × {max(1, round(p / 100))}' for _, n, p in lines)} = {rough}; {amount(total)} is of that size."


def _change(draw: Draw, level: int) -> Draft:
    who, money, shop, lines, others = _start(draw, level)
    extra = asides(draw, level, who, "m")
    steps, total = _sums(draw, lines, money)
    paid = next((note for note in _NOTES if note > total), -(-total // 10000) * 10000 + 10000)
    back = paid - total
    pays = draw.pick(
        (
            f"{who} pays with {money.of(paid)}.",
            f"At the till, {who} hands over {money.of(paid)}.",
            f"{who} gives the cashier {money.of(paid)}.",
            f"There are {money.of(paid)} in {who}'s purse beforehand.",
        )
    )
    question = draw.pick(
        (
            f"How much money does {who} have back or left over, in {money.many}?",
            f"How many {money.many} remain?",
            f"What is left of the money, in {money.many}?",
        )
    )
    steps.append(
        Step(
            f"{amount(paid)} − {amount(total)} = {amount(back)}.",
            draw.pick(
                (
                    "The rest comes back.",
                    "That is what it costs, but the question is what remains.",
                    f"Now take it off {amount(paid)}.",
                )
            ),
            Slip(f"So the answer is {amount(total)}.", "That is the price; what remains is asked for."),
        )
    )
    return Draft(
        question=told(
            draw, [_goes(draw, who, shop, lines), _prices(draw, lines, others, money), pays], question, extra
        ),
        answer=amount(back),
        facts={"kind": "change", "lines": [[n, p] for _, n, p in lines], "paid": paid},
        template=f"change {shop} {len(lines)}",
        steps=steps,
        says=f"{money.of(back)} remain." if back != 100 else f"{money.of(back)} remains.",
        given=known(
            draw, f"{_bought(lines)}, the prices, and {money.of(paid)} to pay with.{_unneeded(others)}", extra
        ),
        check=f"{amount(total)} + {amount(back)} = {amount(paid)}.",
    )


def _price(draw: Draw, level: int) -> Draft:
    who, money, shop, lines, _ = _start(draw, max(level, 2))
    extra = asides(draw, level, who, "m")
    (what, n, price), rest = lines[0], lines[1:]
    total = sum(k * p for _, k, p in lines)
    bill = draw.pick(
        (
            f"The bill comes to {money.of(total)}.",
            f"In all, {who} pays {money.of(total)}.",
            f"Everything together costs {money.of(total)}.",
        )
    )
    question = draw.pick(
        (
            f"What does one {what} cost, in {money.many}?",
            f"Find the price of a single {what} in {money.many}.",
            f"How many {money.many} is one {what}?",
        )
    )
    steps, other = _sums(draw, rest, money)
    steps.append(
        Step(
            f"{amount(total)} − {amount(other)} = {amount(total - other)} is for the {plural_of(what)}.",
            draw.pick(
                (
                    "The rest of the bill is the unknown part.",
                    "What is left must be the line without a price.",
                    "Take off what is known.",
                )
            ),
            Slip(f"{amount(total)} ÷ {n} would be the price.", "No: the other things are on that bill too."),
        )
    )
    steps.append(Step(f"{amount(total - other)} ÷ {n} = {amount(price)}.", f"There are {n} of them."))
    return Draft(
        question=told(draw, [_goes(draw, who, shop, lines), _prices(draw, rest, [], money), bill], question, extra),
        answer=amount(price),
        facts={"kind": "price", "lines": [[k, p] for _, k, p in rest], "n": n, "total": total},
        template=f"price {shop} {len(lines)}",
        steps=steps,
        says=f"One {what} costs {money.of(price)}.",
        given=known(draw, f"The bill is {money.of(total)}, and every price but one is known.", extra),
        check=f"{n} × {amount(price)} + {amount(other)} = {amount(total)}.",
    )


def _more(draw: Draw, level: int) -> Draft:
    who, money, shop, lines, others = _start(draw, level)
    extra = asides(draw, level, who, "m")
    what, _, price = draw.pick(lines)
    total = sum(n * p for _, n, p in lines)
    most = draw.between(1, 9)
    budget = -(-(total + most * price) // 100) * 100
    most = (budget - total) // price
    rest = budget - total
    has = draw.pick(
        (
            f"{who} has {money.of(budget)}.",
            f"{who} may spend {money.of(budget)}.",
            f"{who} set out with {money.of(budget)}.",
        )
    )
    question = draw.pick(
        (
            f"How many more {plural_of(what)} could {who} buy from what is left?",
            f"With the rest of the money, how many {plural_of(what)} could be bought in addition?",
            f"At most how many additional {plural_of(what)} can {who} afford?",
        )
    )
    steps, _ = _sums(draw, lines, money)
    steps += [
        Step(
            f"{amount(budget)} − {amount(total)} = {amount(rest)} is left.",
            draw.pick(("What remains?", "So much is spent; the rest can be spent again.", "Now the rest.")),
        ),
        Step(
            f"{rest} ÷ {price} is {count(most, 'whole time')}{f', with {amount(rest - most * price)} over' if rest % price else ''}.",
            f"In hundredths, {article(what)} is {price} and the rest is {rest}.",
            Slip(
                f"{rest} ÷ {price} is more than {most}, so {most + 1}.",
                f"{most + 1} would cost {amount((most + 1) * price)}, more than there is.",
            )
            if rest % price
            else None,
        ),
    ]
    return Draft(
        question=told(
            draw, [has, _goes(draw, who, shop, lines), _prices(draw, lines, others, money)], question, extra
        ),
        answer=str(most),
        facts={"kind": "more", "lines": [[n, p] for _, n, p in lines], "budget": budget, "price": price},
        template=f"more {shop} {len(lines)}",
        steps=steps,
        says=f"{who} could buy {most} more.",
        given=known(draw, f"{money.of(budget)} to spend, {_bought(lines)} bought.{_unneeded(others)}", extra),
        check=f"{amount(total)} + {most} × {amount(price)} = {amount(total + most * price)}, which {amount(budget)} covers; one more would not be.",
    )


def _apart(draw: Draw, level: int) -> Draft:
    _, money, shop, lines, others = _start(draw, level)
    one, two = people(draw, 2)
    extra = asides(draw, level, one, "m")
    again: list[Line] = [(what, draw.between(1, 4 + 2 * level), p) for what, _, p in lines]
    first, second = sum(n * p for _, n, p in lines), sum(n * p for _, n, p in again)
    if first == second:
        again[0] = (again[0][0], again[0][1] + 1, again[0][2])
        second += again[0][2]
    more, less = (one, two) if first > second else (two, one)
    question = draw.pick(
        (
            f"How much more does {more} pay than {less}, in {money.many}?",
            f"By how many {money.many} do the two bills differ?",
            f"What is the difference between the two bills, in {money.many}?",
        )
    )
    facts = [
        f"At {shop}, {one} buys {_bought(lines)}, and {two} buys {_bought(again)}.",
        _prices(draw, lines, others, money),
    ]
    steps = [
        Step(
            f"{one}: {' + '.join(f'{n} × {amount(p)}' for _, n, p in lines)} = {amount(first)}.",
            draw.pick((f"{one}'s bill first.", "One bill after the other.")),
        ),
        Step(
            f"{two}: {' + '.join(f'{n} × {amount(p)}' for _, n, p in again)} = {amount(second)}.",
            f"The same prices hold for {two}.",
        ),
        Step(
            f"{amount(max(first, second))} − {amount(min(first, second))} = {amount(abs(first - second))}.",
            "The difference:",
            Slip(
                f"{amount(first)} + {amount(second)} = {amount(first + second)}.",
                "They want to know how far apart the bills are, not the sum.",
            ),
        ),
    ]
    return Draft(
        question=told(draw, facts, question, extra),
        answer=amount(abs(first - second)),
        facts={"kind": "apart", "lines": [[n, p] for _, n, p in lines], "again": [[n, p] for _, n, p in again]},
        template=f"apart {shop} {len(lines)}",
        steps=steps,
        says=f"{more} pays {money.of(abs(first - second))} more.",
        given=known(draw, f"Two bills at the same prices.{_unneeded(others)}", extra),
        check=f"Piece by piece: {' '.join(_signed(a[1] - b[1], a[2]) for a, b in zip(lines, again, strict=True)).removeprefix('+ ')} = {'−' if first < second else ''}{amount(abs(first - second))}.",
    )


def _signed(n: int, price: int) -> str:
    return f"{'+' if n >= 0 else '−'} {abs(n)} × {amount(price)}"


def _till(lines: list[list[int]]) -> int:
    return sum(price for n, price in lines for _ in range(n))


def solve(facts: dict[str, Any]) -> str:
    kind, total = facts["kind"], _till(facts["lines"])
    if kind == "change":
        total = facts["paid"] - total
    elif kind == "price":
        rest, price = facts["total"] - total, 0
        while _till([[facts["n"], price]]) < rest:
            price += 5
        total = price
    elif kind == "more":
        n = 0
        while total + facts["price"] <= facts["budget"]:
            total, n = total + facts["price"], n + 1
        return str(n)
    elif kind == "apart":
        total = abs(total - _till(facts["again"]))
    return f"{total / 100:.2f}".removesuffix(".00")


PIPELINE = Solver(
    make, solve, knobs="level: more lines, finer prices, unused prices, change, unknown prices, comparisons"
)
