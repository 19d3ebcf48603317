"""Stock in and out: deliveries, packs and pallets, losses, counts that must agree, how long a store lasts.

`make` sums in groups; `solve` books movement by movement.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import asides, known, told
from phiforge.data.words import count, decimal, people

# What is kept where, in what it is packed, and what the packs stand on.
_STORES = (
    ("the brewery", "bottles", "crate", "pallet"), ("the brickworks", "bricks", "stack", "lorry"), ("the egg farm", "eggs", "carton", "trolley"), ("the print shop", "calendars", "parcel", "shelf"), ("the pharmacy's cellar", "syringes", "box", "cabinet"), ("the school kitchen", "plates", "stack", "cupboard"),
    ("the bicycle works", "saddles", "carton", "rack"), ("the candle maker", "candles", "box", "shelf"), ("the seed store", "bulbs", "net", "crate"), ("the tile depot", "tiles", "packet", "pallet"), ("the library stores", "folders", "carton", "bay"), ("the paint shop", "tins", "tray", "pallet"),
    ("the toy warehouse", "dolls", "box", "cage"), ("the bakery depot", "tins of yeast", "case", "trolley"), ("the vineyard", "corks", "bag", "barrel"), ("the clinic", "masks", "packet", "cupboard"), ("the shoe factory", "insoles", "bundle", "bin"), ("the tea house", "tea bags", "box", "chest"),
)  # fmt: skip
_LOST = (
    "are damaged by water",
    "break on the way",
    "turn out to be faulty",
    "are given away as samples",
    "are sent back",
    "go missing at the stocktaking",
    "are past their date",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_packs,),
        (_packs, _moves),
        (_moves, _lasts, _nested),
        (_lasts, _nested, _before),
        (_before, _order, _nested, _moves),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _s(noun: str) -> str:
    return (
        f"{noun}es"
        if noun.endswith(("x", "h"))
        else f"{noun[:-1]}ies"
        if noun.endswith("y") and noun != "bay" and noun != "tray" and noun != "trolley"
        else f"{noun}s"
    )


def _packs(draw: Draw, level: int) -> Draft:
    who, (store, goods, pack, _) = people(draw, 1)[0], draw.pick(_STORES)
    each, n, loose = draw.between(4, 12 * level + 12), draw.between(3, 15 * level), draw.between(1, 40)
    sold = draw.between(1, n - 1)
    whole = draw.chance(0.5)
    extra = asides(draw, level, who, "m")
    facts = [
        draw.pick(
            (
                f"In {store} there are {n} {_s(pack)} with {each} {goods} each and {loose} loose ones.",
                f"{who} counts the {goods} of {store}: {n} {_s(pack)} of {each} and {loose} single ones.",
            )
        )
    ]
    if not whole:
        facts.append(
            draw.pick(
                (
                    f"{count(sold, pack, _s(pack))} {'goes' if sold == 1 else 'go'} out.",
                    f"Then {count(sold, pack, _s(pack))} {'is' if sold == 1 else 'are'} sold.",
                )
            )
        )
    left = n if whole else n - sold
    return Draft(
        question=told(draw, facts, f"How many {goods} are there{'' if whole else ' then'}?", extra),
        answer=str(left * each + loose),
        facts={"kind": "packs", "each": each, "n": n, "loose": loose, "sold": 0 if whole else sold},
        template=f"packs {store} {whole}",
        steps=[
            *([] if whole else [Step(f"{n} − {sold} = {count(left, pack, _s(pack))}.", "How many packs remain?")]),
            Step(f"{left} × {each} = {left * each}.", f"In {_s(pack)}:", Slip(f"{left} + {each} = {left + each}.", f"Each of the {_s(pack)} holds {each}, so multiply.")),
            Step(f"{left * each} + {loose} = {left * each + loose}.", "And the loose ones."),
        ],
        says=f"There are {left * each + loose} {goods}.",
        given=known(draw, f"{n} {_s(pack)} of {each} and {loose} loose{'' if whole else f'; {sold} {_s(pack)} go'}.", extra),
        check=f"({left * each + loose} − {loose}) ÷ {each} = {left}.",
    )  # fmt: skip


def _moves(draw: Draw, level: int) -> Draft:
    who, (store, goods, pack, _) = people(draw, 1)[0], draw.pick(_STORES)
    each = draw.between(6, 40)
    stock = draw.between(100, 300 * level)
    moves: list[tuple[str, int]] = []
    value, steps = stock, list[Step]()
    told_: list[str] = [
        draw.pick(
            (
                f"On {draw.pick(('Monday', 'Tuesday'))} morning {store} has {stock} {goods}.",
                f"{who} starts the week in {store} with {stock} {goods}.",
            )
        )
    ]
    for _ in range(draw.between(2, 2 + (level + 1) // 2)):
        kind = draw.pick(("in", "out", "lost", "packs in"))
        n = draw.between(2, 9) * each if kind == "packs in" else draw.between(5, max(6, value // 3))
        if kind in ("out", "lost") and n > value:
            continue
        sign = 1 if kind in ("in", "packs in") else -1
        told_.append(
            {
                "in": f"{n} come in.",
                "out": draw.pick((f"{n} are sold.", f"A customer takes {n}.", f"{n} go out.")),
                "lost": f"{n} {draw.pick(_LOST)}.",
                "packs in": f"A delivery brings {n // each} {_s(pack)} of {each}.",
            }[kind]
        )
        steps.append(
            Step(
                f"{value} {'+' if sign > 0 else '−'} {f'{n // each} × {each}' if kind == 'packs in' else n} = {value + sign * n}.",
                draw.pick(
                    (
                        "",
                        "",
                        "Next:",
                        {
                            "in": "They come in.",
                            "out": "Those are gone.",
                            "lost": "Lost ones count as gone.",
                            "packs in": f"{n // each} {_s(pack)} of {each} are {n}.",
                        }[kind],
                    )
                ),
                Slip(f"{value} + {n // each} = {value + n // each}.", f"Those are {_s(pack)}, with {each} in each.")
                if kind == "packs in"
                else None,
            )
        )
        moves.append((kind, sign * n))
        value += sign * n
    extra = asides(draw, level, who, "m")
    return Draft(
        question=told(draw, told_, draw.pick((f"How many {goods} are there in the end?", "What is the stock now?", f"How many {goods} remain in {store}?")), extra),
        answer=str(value),
        facts={"kind": "moves", "stock": stock, "moves": [n for _, n in moves]},
        template=f"moves {store} {moves[0][0]}",
        steps=steps,
        says=f"In the end there are {value} {goods}.",
        given=known(draw, f"{stock} at first, then {count(len(moves), 'change')}.", extra),
        check=f"In: {sum(n for _, n in moves if n > 0)}, out: {-sum(n for _, n in moves if n < 0)}; {stock} + {sum(n for _, n in moves if n > 0)} − {-sum(n for _, n in moves if n < 0)} = {value}.",
    )  # fmt: skip


def _lasts(draw: Draw, level: int) -> Draft:
    who, (store, goods, pack, _) = people(draw, 1)[0], draw.pick(_STORES)
    each, n = draw.between(8, 60), draw.between(4, 20 * level)
    use = draw.between(5, 25 * level)
    total = each * n
    days, rest = divmod(total, use)
    if days < 2:
        use = max(2, total // draw.between(3, 9))
        days, rest = divmod(total, use)
    ask_rest = rest > 0 and draw.chance(0.3)
    extra = asides(draw, level, who, "mt")
    facts = [
        draw.pick(
            (
                f"{store[0].upper()}{store[1:]} has {n} {_s(pack)} of {each} {goods}.",
                f"{n} {_s(pack)} with {each} {goods} each stand in {store}, {who} reports.",
            )
        ),
        draw.pick((f"Every day {use} of them are used.", f"{use} go out each day, and nothing comes in.")),
    ]
    return Draft(
        question=told(draw, facts, "When they no longer last for a whole day, how many are left?" if ask_rest else draw.pick(("For how many full days do they last?", "How many whole days does the store last?")), extra),
        answer=str(rest if ask_rest else days),
        facts={"kind": "lasts", "each": each, "n": n, "use": use, "rest": ask_rest},
        template=f"lasts {store} {ask_rest}",
        steps=[
            Step(f"{n} × {each} = {total}.", "All of them:", Slip(f"{n} ÷ {use} days.", f"The {_s(pack)} have to be counted out first.")),
            Step(f"{total} = {days} × {use} + {rest}.", "How often does a day's use go into that?"),
        ],
        says=f"{rest} {'is' if rest == 1 else 'are'} left." if ask_rest else f"They last for {count(days, 'day')}.",
        given=known(draw, f"{n} times {each}, {use} a day.", extra),
        check=f"{days} × {use} = {days * use}, and {days + 1} × {use} = {(days + 1) * use} is more than {total}.",
    )  # fmt: skip


def _nested(draw: Draw, level: int) -> Draft:
    """Packs on pallets: how many pallets, or how many pieces on some."""
    who, (store, goods, pack, base) = people(draw, 1)[0], draw.pick(_STORES)
    each, on = draw.between(4, 36), draw.between(5, 40)
    up = draw.chance(0.5)
    n = draw.between(each * on + 1, each * on * (3 + 2 * level)) if up else draw.between(2, 9 * level)
    extra = asides(draw, level, who, "m")
    facts = [
        f"At {store}, a {pack} holds {each} {goods}, and a {base} takes {on} {_s(pack)}.",
        draw.pick((f"An order is for {n} {goods}.", f"{who} has to send {n} {goods}."))
        if up
        else draw.pick(
            (
                f"{count(n, base, _s(base))} {'is' if n == 1 else 'are'} full.",
                f"{who} sees {count(n, base, 'full ' + _s(base))}.",
            )
        ),
    ]
    packs = ceil(n / each)
    answer = ceil(packs / on) if up else n * on * each
    steps = (
        [
            Step(
                f"{n} ÷ {each} is {'exactly' if n % each == 0 else 'at most'} {packs} {_s(pack)}.",
                f"First the {_s(pack)}, rounded up.",
                Slip(f"{n // each} {_s(pack)} are enough.", f"They hold only {n // each * each}.")
                if n % each
                else None,
            ),
            Step(
                f"{packs} ÷ {on} is {'exactly' if packs % on == 0 else 'at most'} {answer}.",
                f"Then what they stand on, {_s(base)}, rounded up again.",
            ),
        ]
        if up
        else [
            Step(f"{n} × {on} = {n * on} {_s(pack)}."),
            Step(
                f"{n * on} × {each} = {answer}.",
                f"Each with {each} in it.",
                Slip(f"So it is {n * on}.", f"Those are {_s(pack)}, not {goods}."),
            ),
        ]
    )
    return Draft(
        question=told(draw, facts, f"How many {_s(base)} are needed?" if up else f"How many {goods} is that?", extra),
        answer=str(answer),
        facts={"kind": "nested", "each": each, "on": on, "n": n, "up": up},
        template=f"nested {store} {up}",
        steps=steps,
        says=f"{answer} {_s(base) if answer != 1 else base} {'are' if answer != 1 else 'is'} needed." if up else f"It is {answer} {goods}.",
        given=known(draw, f"{each} in a {pack}, {on} {_s(pack)} on a {base}.", extra),
        check=f"{answer} hold up to {answer * on * each}, {answer - 1} only {(answer - 1) * on * each}." if up else f"{answer} ÷ {each} ÷ {on} = {n}.",
    )  # fmt: skip


def _before(draw: Draw, level: int) -> Draft:
    """The stock before some movements, worked out backwards."""
    who, (store, goods, pack, _) = people(draw, 1)[0], draw.pick(_STORES)
    start, a, each, n = draw.between(100, 900), draw.between(20, 90), draw.between(6, 36), draw.between(2, 9)
    end = start - a + each * n
    lost = draw.pick(_LOST)
    half = end % 2 == 0 and draw.chance(0.5)
    extra = asides(draw, level, who, "m")
    facts = [f"One week {a} {goods} in {store} {lost}.", f"Then {n} {_s(pack)} of {each} come in."]
    if half:
        facts.append("Half of what is there then is sold.")
        end //= 2
    facts.append(draw.pick((f"Now there are {end}.", f"{who} counts {end} in the end.")))
    total = end * 2 if half else end
    return Draft(
        question=told(draw, facts, draw.pick(("How many were there at first?", f"How many {goods} did the week begin with?")), extra),
        answer=str(start),
        facts={"kind": "before", "a": a, "each": each, "n": n, "half": half, "end": end},
        template=f"before {store} {half}",
        steps=[
            *([Step(f"2 × {end} = {total}.", "Backwards: before the sale there was twice as much.")] if half else []),
            Step(f"{total} − {n} × {each} = {total - n * each}.", "What came in must be taken off again.", Slip(f"{total} + {n} × {each} = {total + n * each}.", "Going backwards, what came in has not come yet.")),
            Step(f"{total - n * each} + {a} = {start}.", f"And the {a} that were lost were still there."),
        ],
        says=f"There were {start} at first.",
        given=known(draw, f"{a} lost, {n} × {each} in{', half sold' if half else ''}, {end} left.", extra),
        check=f"{start} − {a} + {n * each} = {total}{f', half of it {end}' if half else ''}.",
    )  # fmt: skip


def _order(draw: Draw, level: int) -> Draft:
    """How many packs to order so that a store lasts to a day."""
    who, (store, goods, pack, _) = people(draw, 1)[0], draw.pick(_STORES)
    use, days, each = draw.between(5, 60), draw.between(7, 40), draw.between(6, 60)
    need = use * days
    stock = draw.between(1, need - 1)
    packs = ceil((need - stock) / each)
    extra = asides(draw, level, who, "mt")
    facts = [
        f"{store[0].upper()}{store[1:]} uses {use} {goods} a day and has {stock}.",
        draw.pick(
            (f"The next delivery after this one is {days} days away.", f"What is there has to last for {days} days.")
        ),
        f"{goods[0].upper()}{goods[1:]} come in {_s(pack)} of {each}.",
    ]
    return Draft(
        question=told(draw, facts, f"How many {_s(pack)} must {who} order, at least?", extra),
        answer=str(packs),
        facts={"kind": "order", "use": use, "days": days, "stock": stock, "each": each},
        template=f"order {store}",
        steps=[
            Step(f"{days} × {use} = {need}.", "So many are needed:"),
            Step(
                f"{need} − {stock} = {need - stock} are missing.",
                "Some are there.",
                Slip(
                    f"{need} ÷ {each} = {decimal(ceil(need / each))}, rounded up.",
                    f"That forgets the {stock} in stock.",
                ),
            ),
            Step(
                f"{need - stock} ÷ {each} is {'exactly' if (need - stock) % each == 0 else 'at most'} {packs}.",
                "Only whole ones can be ordered.",
            ),
        ],
        says=f"{who} must order {count(packs, pack, _s(pack))}.",
        given=known(draw, f"{use} a day for {days} days, {stock} there, {each} in a {pack}.", extra),
        check=f"{stock} + {packs} × {each} = {stock + packs * each}, at least {need}; one less gives {stock + (packs - 1) * each}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "packs":
        return str(facts["loose"] + sum(facts["each"] for _ in range(facts["n"] - facts["sold"])))
    if kind == "moves":
        stock = facts["stock"]
        for n in facts["moves"]:
            stock += n
        return str(stock)
    if kind == "lasts":
        left, days = facts["each"] * facts["n"], 0
        while left >= facts["use"]:
            left, days = left - facts["use"], days + 1
        return str(left if facts["rest"] else days)
    if kind == "nested":
        if not facts["up"]:
            return str(facts["n"] * facts["on"] * facts["each"])
        used, packs_on = 1, 0
        left = facts["n"]
        while left > 0:  # fill pack by pack, take the next base when one is full
            if packs_on == facts["on"]:
                used, packs_on = used + 1, 0
            left, packs_on = left - facts["each"], packs_on + 1
        return str(used)
    if kind == "before":
        for start in range(5000):
            end = start - facts["a"] + facts["n"] * facts["each"]
            if start >= facts["a"] and (end == 2 * facts["end"] if facts["half"] else end == facts["end"]):
                return str(start)
    stock, packs = facts["stock"], 0
    while stock < facts["use"] * facts["days"]:
        stock, packs = stock + facts["each"], packs + 1
    return str(packs)


PIPELINE = Solver(make, solve, knobs="level: packs, movements, how long it lasts, packs on pallets, backwards, orders")
