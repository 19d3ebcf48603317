"""How the stories of `words.stories` begin: sixteen ways, from what people make and have to what they buy, earn and need.

Each tells its facts, reckons what they come to, and says what could be asked at once.
"""

from __future__ import annotations

from typing import NamedTuple

from phiforge.data.pipelines.words._story import MANY, PARTS, Have, Story
from phiforge.data.words import WEEKDAYS, Person, article, count, listed, people, plural

_COLOURS = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple", "small", "large", "old", "new")
_GOODS = ("shirt", "cap", "notebook", "plant", "lamp", "cushion", "mug", "towel", "pizza", "ball", "poster", "shawl", "jar of honey", "pen", "cake")  # fmt: skip
_JOBS = ("in a bakery", "at a library", "as a gardener", "in a shop", "as a waiter", "at the zoo", "as a tutor", "in a garage", "on a farm")  # fmt: skip
_EATERS = (("a dog", "cup", "dog food"), ("a cat", "spoon", "cat food"), ("a horse", "kilogram", "hay"), ("a parrot", "gram", "seeds"), ("a school kitchen", "litre", "milk"), ("a stove", "log", "wood"), ("a family", "slice", "bread"), ("a printer", "sheet", "paper"))  # fmt: skip
_GROUPS = (("pupils", "a school", ("walk", "come by bus", "come by bicycle", "come by car")), ("guests", "a hotel", ("drink tea", "drink coffee", "drink juice", "drink water")), ("books", "a library", ("are novels", "are about history", "are cookery books", "are for children")), ("animals", "a farm", ("are sheep", "are hens", "are goats", "are ducks")), ("flowers", "a garden", ("are roses", "are tulips", "are lilies", "are daisies")), ("players", "a club", ("play football", "play chess", "play tennis", "play hockey")))  # fmt: skip


class Trade(NamedTuple):
    """What somebody makes or gathers, "picked/pick/apple", and what it is put into."""

    past: str
    base: str
    one: str
    box: str

    @property
    def things(self) -> str:
        return plural(self.one)


_TRADES = tuple(
    Trade(*words.split("/"))
    for words in [
        "picked/pick/apple/basket", "baked/bake/muffin/box", "caught/catch/crab/bucket", "collected/collect/shell/jar",
        "tied/tie/bouquet/bucket", "folded/fold/paper boat/box", "painted/paint/postcard/packet", "made/make/candle/carton",
        "gathered/gather/egg/tray", "sewed/sew/bag/crate", "carved/carve/spoon/drawer", "found/find/mushroom/basket",
        "bound/bind/notebook/pile", "printed/print/poster/roll", "knitted/knit/shawl/chest", "grew/grow/pumpkin/cart",
        "filled/fill/bottle/crate", "cooked/cook/dumpling/plate", "glazed/glaze/tile/stack", "built/build/toy car/box",
    ]
)  # fmt: skip


Opening = tuple[Have, str, str]  # what there is; what could be asked already, and the sentence for it


def _days(story: Story) -> Opening:
    """Somebody's work on two or three days."""
    draw, trade, who = story.draw, story.draw.pick(_TRADES), people(story.draw, 1)[0]
    day, n = draw.between(0, 3), draw.between(6, 30 + 10 * story.level)
    amounts = [(n, story.turn("is", n))]
    first = WEEKDAYS[day]
    story.tell(f"{who} {trade.past} {n} {trade.things} on {first}.", f"on {first}, {who} {trade.past} {n} {trade.things}.", f"on {first} {who} managed to {trade.base} {n} {trade.things}.")  # fmt: skip
    for i in range(1, draw.between(2, 3)):
        named = trade.things if draw.chance(0.4) else ""
        words, value, place = story.relation(
            *amounts[-1], named, draw.pick(("the day before", f"on {WEEKDAYS[day + i - 1]}"))
        )
        amounts.append((value, place))
        now = WEEKDAYS[day + i]
        story.tell(f"on {now} {who.they} {trade.past} {words}.", f"on {now}, it was {words}.", f"then {who.they} {trade.past} {words} on {now}.")  # fmt: skip
    if len(amounts) == 3 and draw.chance(0.2):
        sum_, place = story.total(amounts)
        each = story.reckon(f"{sum_}/3", "On three days:")
        return Have(each, story.turn("split", place, 3), who, trade.things, ends=True), f"How many {trade.things} did {who} {trade.base} a day on average?", f"It was {{}} {trade.things} a day."  # fmt: skip
    sum_, place = story.total(amounts)
    asked = draw.pick((f"How many {trade.things} did {who} {trade.base} in all?", f"How many {trade.things} did {who} {trade.base} on those days?", f"What is the total number of {trade.things}?"))  # fmt: skip
    return Have(sum_, place, who, trade.things, trade.box), asked, f"{who} {trade.past} {{}} {trade.things}."


def _together(story: Story) -> Opening:
    """Two or three people, each told by another."""
    draw, trade = story.draw, story.draw.pick(_TRADES)
    who = people(draw, draw.between(2, 3))
    n = draw.between(6, 30 + 10 * story.level)
    amounts = [(n, story.turn("is", n))]
    lines = [f"{who[0]} {trade.past} {n} {trade.things}."]
    for i in range(1, len(who)):
        than = draw.between(0, i - 1)
        words, value, place = story.relation(*amounts[than], trade.things, str(who[than]))
        amounts.append((value, place))
        lines.append(f"{who[i]} {trade.past} {words}.")
    for line in lines[::-1] if draw.chance(0.25) else lines:
        story.tell(line)
    if draw.chance(0.25):
        more, less = sorted((0, len(who) - 1), key=lambda i: -amounts[i][0])
        gap = story.reckon(f"{amounts[more][0]}-{amounts[less][0]}", "The difference:")
        place = story.turn("less", amounts[more][1], amounts[less][1])
        return Have(gap, place, who[more], trade.things, ends=True), f"How many more {trade.things} did {who[more]} {trade.base} than {who[less]}?", f"It was {{}} {trade.things} more."  # fmt: skip
    sum_, place = story.total(amounts)
    all_ = Person(listed([str(each) for each in who]), "they", "them", "their")
    asked = draw.pick((f"How many {trade.things} did they {trade.base} altogether?", f"How many {trade.things} do they have in total?", f"How many {trade.things} did {all_} {trade.base}?"))  # fmt: skip
    return Have(sum_, place, all_, trade.things, trade.box), asked, f"They {trade.past} {{}} {trade.things}."


def _kinds(story: Story) -> Opening:
    """Things of several colours or kinds in one place."""
    draw, trade, who = story.draw, story.draw.pick(_TRADES), people(story.draw, 1)[0]
    kinds = draw.sample(_COLOURS, draw.between(2, 3))
    n = draw.between(6, 30 + 10 * story.level)
    amounts = [(n, story.turn("is", n))]
    story.tell(f"{who} has {n} {kinds[0]} {trade.things}.", f"there are {n} {kinds[0]} {trade.things} in {who}'s {trade.box}.", f"in {who}'s {trade.box} are {n} {kinds[0]} {trade.things}.")  # fmt: skip
    for i, kind in enumerate(kinds[1:], 1):
        than = draw.between(0, i - 1)
        words, value, place = story.relation(*amounts[than], f"{kind} {trade.things}", f"{kinds[than]} ones")
        amounts.append((value, place))
        story.tell(f"there are {words}.", f"{who.they} has {words}.", f"there are also {words}.")
    sum_, place = story.total(amounts)
    return Have(sum_, place, who, trade.things, trade.box), draw.pick((f"How many {trade.things} are there in all?", f"How many {trade.things} does {who} have altogether?")), f"There are {{}} {trade.things}."  # fmt: skip


def _rate(story: Story) -> Opening:
    """So many an hour, a day or a week, for some time."""
    draw, trade, who = story.draw, story.draw.pick(_TRADES), people(story.draw, 1)[0]
    n, hours, days = draw.between(2, 12), draw.between(2, 8), draw.between(2, 6)
    value, place = n, story.turn("is", n)
    if draw.chance(0.6):
        value, place = story.then(f"{n}*{hours}", "A day:", "times", place, hours)
        story.tell(f"{who} {plural(trade.base)} {n} {trade.things} an hour, {story.number(hours)} hours a day.", f"every hour {who} {plural(trade.base)} {story.number(n)} {trade.things}, and {who.they} works {story.number(hours)} hours each day.")  # fmt: skip
    else:
        story.tell(
            f"{who} {plural(trade.base)} {n} {trade.things} every day.",
            f"each day, {who} {plural(trade.base)} {n} {trade.things}.",
        )
    weeks = draw.between(2, 6)
    if draw.chance(0.5):
        value, place = story.then(f"{value}*{days}", "A week:", "times", place, days)
        value, place = story.then(f"{value}*{weeks}", f"{weeks} weeks:", "times", place, weeks)
        story.tell(f"{who.they} does this {story.number(days)} days a week for {story.number(weeks)} weeks.", f"{who.they} keeps to that on {days} days a week, {weeks} weeks long.")  # fmt: skip
    else:
        value, place = story.then(f"{value}*{days}", f"{days} days:", "times", place, days)
        story.tell(f"{who.they} did so for {story.number(days)} days.", f"this goes on for {story.number(days)} days.")
    return Have(value, place, who, trade.things, trade.box), draw.pick((f"How many {trade.things} did {who} {trade.base} in that time?", f"How many {trade.things} is that in total?")), f"{who} {trade.past} {{}} {trade.things}."  # fmt: skip


def _boxes(story: Story) -> Opening:
    """Boxes with so many in each, and loose ones."""
    draw, trade, who = story.draw, story.draw.pick(_TRADES), people(story.draw, 1)[0]
    boxes, rows, each, loose = draw.between(2, 9), draw.between(2, 5), draw.between(4, 12), draw.between(2, 20)
    value, place = each, story.turn("is", each)
    if draw.chance(0.4):
        value, place = story.then(f"{rows}*{each}", f"In each {trade.box}:", "times", place, rows)
        story.tell(f"{who} has {story.number(boxes)} {plural(trade.box)}, and in each there are {story.number(rows)} layers of {each} {trade.things}.", f"each of {who}'s {boxes} {plural(trade.box)} holds {rows} layers with {each} {trade.things} in a layer.")  # fmt: skip
    else:
        dozen = each == 12 and draw.chance(0.5)
        story.tell(f"{who} has {story.number(boxes)} {plural(trade.box)} with {'a dozen' if dozen else each} {trade.things} in each.", f"{who} bought {boxes} {plural(trade.box)} of {each} {trade.things}.", f"there are {each} {trade.things} in a {trade.box}, and {who} has {story.number(boxes)} {plural(trade.box)}.")  # fmt: skip
    value, place = story.then(f"{value}*{boxes}", f"In all {plural(trade.box)}:", "times", place, boxes)
    if draw.chance(0.5):
        value, place = story.then(f"{value}+{loose}", "With the others:", "part", place, 1, 1, loose)
        story.tell(f"{who.they} has {loose} more that are in no {trade.box}.", f"another {loose} {trade.things} lie beside them.", f"besides, there are {loose} loose {trade.things}.")  # fmt: skip
    return (
        Have(value, place, who, trade.things, trade.box),
        f"How many {trade.things} does {who} have?",
        f"{who} has {{}} {trade.things}.",
    )


def _whole(story: Story) -> Opening:
    """A whole of which parts are told, and the rest is asked for."""
    draw, (things, where, kinds) = story.draw, story.draw.pick(_GROUPS)
    n, (one, two, three, _) = 12 * draw.between(2, 20), draw.sample(kinds, 4)
    who = people(draw, 1)[0]
    story.tell(
        f"there are {n} {things} in {where}.", f"{where} has {n} {things}.", f"{who} counts {n} {things} in {where}."
    )
    whole = story.turn("is", n)
    k, percent = draw.between(2, 4), draw.pick((10, 20, 25, 40, 50))
    if draw.chance(0.5):
        first, place = story.then(f"{n}/{k}", "", "part", whole, 1, k, 0)
        story.tell(f"{draw.pick(PARTS[k]).capitalize()} of them {one}.")
    else:
        first, place = story.then(f"{n}*{percent}/100", "", "part", whole, percent, 100, 0)
        story.tell(f"{percent}% of them {one}.", f"of these {things}, {percent}% {one}.")
    left, rest = story.then(f"{n}-{first}", "The others:", "less", whole, place)
    k = draw.between(2, 4)
    if draw.chance(0.5):
        second, place = story.then(f"{left}/{k}", "", "part", rest, 1, k, 0)
        story.tell(
            f"of the others, {draw.pick(PARTS[k])} {two}.", f"{draw.pick(PARTS[k])} of the remaining {things} {two}."
        )
    else:
        second = draw.between(3, left)
        place = story.turn("is", second)
        story.tell(f"{second} {two}.", f"another {second} {two}.")
    value, place = story.then(f"{left}-{second}", "And the rest:", "less", rest, place)
    story.tell(f"the rest {three}.", f"all the others {three}.")
    return Have(value, place, who, things, ends=True), f"How many of the {things} {three}?", f"{{}} of them {three}."


def _bill(story: Story) -> Opening:
    """Things bought, one price told by another."""
    draw, who = story.draw, people(story.draw, 1)[0]
    goods = draw.sample(_GOODS, 2)
    price, k = draw.between(2, 20), draw.between(2, 3)
    a, b = draw.between(2, 8), draw.between(2, 8)
    first, way = story.turn("is", price), draw.between(0, 2)
    if way == 0:
        other = draw.between(2, 25)
        second = story.turn("is", other)
        words = f"{who} bought {story.number(a)} {_s(goods[0])} for {story.money(price)} each and {story.number(b)} {_s(goods[1])} for {story.money(other)} each."
    else:
        other = story.reckon(f"{price}*{k}" if way == 1 else f"{price}+{k}", f"A {goods[1]}:")
        second = story.turn("part", first, *((k, 1, 0) if way == 1 else (1, 1, k)))
        dearer = f"{draw.pick(MANY[k])} as much" if way == 1 else f"{story.money(k)} more"
        words = f"a {goods[0]} costs {story.money(price)}, and a {goods[1]} costs {dearer}{' as' if way == 1 else ' than'} a {goods[0]}. {who} bought {story.number(a)} {_s(goods[0])} and {story.number(b)} {_s(goods[1])}."
    story.tell(words)
    one, place = story.then(f"{a}*{price}", f"The {_s(goods[0])}:", "times", first, a)
    two, also = story.then(f"{b}*{other}", f"The {_s(goods[1])}:", "times", second, b)
    value, place = story.total([(one, place), (two, also)])
    if draw.chance(0.3):
        percent = draw.pick((10, 20, 25, 50))
        off = story.reckon(f"{value}*{percent}/100", "The discount:")
        value, place = story.then(f"{value}-{off}", "", "part", place, 100 - percent, 100, 0)
        story.tell(f"there was a discount of {percent}% on everything.", f"{who.they} got {percent}% off.", f"at the till {who.they} was given {percent}% off.")  # fmt: skip
    if draw.chance(0.5):
        had = value + draw.between(3, 60)
        story.tell(f"{who.they} had {story.money(had)} with {who.them}.", f"{who.they} paid with {story.money(had)}.", f"before that, {who.they} had {story.money(had)}.")  # fmt: skip
        value, place = story.then(f"{had}-{value}", "What is left:", "less", story.turn("is", had), place)
        return (
            Have(value, place, who),
            draw.pick((f"How much money does {who} have left?", f"How much of {who}'s money is left?")),
            f"{who} has {{}} left.",
        )
    return (
        Have(value, place, who, ends=True),
        draw.pick(
            (
                f"How much did {who} pay in all?",
                f"How much money did {who} spend?",
                "What did it cost altogether?",
                f"What is the total of {who}'s bill?",
            )
        ),
        f"{who} paid {{}}.",
    )


def _s(goods: str) -> str:
    first, of, rest = goods.partition(" of ")
    return f"{plural(first)}{of}{rest}"


def _wage(story: Story) -> Opening:
    """Pay by the hour, on some days or weeks, or more for hours on top."""
    draw, who = story.draw, people(story.draw, 1)[0]
    pay, hours, days = draw.between(5, 25), draw.between(3, 9), draw.between(2, 6)
    place = story.turn("is", pay)
    story.tell(f"{who} works {draw.pick(_JOBS)} and earns {story.money(pay)} an hour.", f"{who} gets {story.money(pay)} for each hour {who.they} works {draw.pick(_JOBS)}.", f"for an hour of work, {who} is paid {story.money(pay)}.")  # fmt: skip
    if draw.chance(0.5):
        time, other = story.then(f"{hours}*{days}", "Hours:", "is", hours)
        story.tell(f"{who.they} worked {story.number(hours)} hours a day for {story.number(days)} days.", f"last week {who.they} worked on {days} days, {hours} hours each.")  # fmt: skip
        value, place = story.then(f"{time}*{pay}", "The pay:", "times", story.turn("times", other, days), pay)
    else:
        more = draw.between(1, 5)
        story.tell(f"on {WEEKDAYS[days]} {who.they} worked {story.number(hours)} hours, and on {WEEKDAYS[days - 1]} {story.number(more)} {'hour' if more == 1 else 'hours'} more than that.")  # fmt: skip
        longer = story.reckon(f"{hours}+{more}", f"On {WEEKDAYS[days - 1]}:")
        time = story.reckon(f"{hours}+{longer}", "Hours:")
        value = story.reckon(f"{time}*{pay}", "The pay:")
        place = story.turn("times", story.turn("part", story.turn("is", hours), 2, 1, more), pay)
    return (
        Have(value, place, who),
        draw.pick((f"How much did {who} earn?", f"How much money did {who} make?", f"What is {who}'s pay?")),
        f"{who} earned {{}}.",
    )


def _two(story: Story) -> Opening:
    """Two at their own pace, put together or compared."""
    draw, trade, (one, two) = story.draw, story.draw.pick(_TRADES), people(story.draw, 2)
    n, m, days, other = (draw.between(2, 15) for _ in range(4))
    story.tell(f"{one} {plural(trade.base)} {n} {trade.things} a day and {two} {plural(trade.base)} {m}.", f"{one} {plural(trade.base)} {n} {trade.things} every day, {two} only does {m}." if m < n else f"{one} {plural(trade.base)} {n} {trade.things} every day, {two} even {m}.")  # fmt: skip
    same = draw.chance(0.4)
    other = days if same else other
    story.tell(f"both keep at it for {days} days.") if same else story.tell(f"{one} keeps at it for {story.number(days)} days, {two} for {story.number(other)} days.")  # fmt: skip
    first, place = story.then(f"{n}*{days}", f"{one}:", "times", story.turn("is", n), days)
    second, also = story.then(f"{m}*{other}", f"{two}:", "times", story.turn("is", m), other)
    if draw.chance(0.5):
        (most, high, more), (least, low, less) = sorted(
            ((first, place, one), (second, also, two)), key=lambda each: -each[0]
        )
        gap = story.reckon(f"{most}-{least}", "The difference:")
        return Have(gap, story.turn("less", high, low), more, trade.things, ends=True), f"How many more {trade.things} than {less} does {more} {trade.base}?", f"It is {{}} {trade.things} more."  # fmt: skip
    value, place = story.total([(first, place), (second, also)])
    both = Person(f"{one} and {two}", "they", "them", "their")
    return Have(value, place, both, trade.things, trade.box), f"How many {trade.things} did {both} {trade.base} together?", f"Together it was {{}} {trade.things}."  # fmt: skip


def _lasts(story: Story) -> Opening:
    """What is used up at a known pace: for how long, or how much in some time."""
    draw, (eater, unit, of), who = story.draw, story.draw.pick(_EATERS), people(story.draw, 1)[0]
    n, k, days = draw.between(2, 9), draw.between(2, 4), draw.between(3, 30)
    name = eater.split(" ", 1)[1]
    story.tell(f"{who} has {eater} that uses up {count(n, unit)} of {of} every morning and {draw.pick(MANY[k])} as much every evening.", f"in the morning, {who}'s {name} needs {count(n, unit)} of {of}, and in the evening {draw.pick(MANY[k])} as much.")  # fmt: skip
    first = story.turn("is", n)
    evening = story.reckon(f"{n}*{k}", "In the evening:")
    a_day, place = story.then(f"{n}+{evening}", "A day:", "part", first, k + 1, 1, 0)
    units = plural(unit)
    if draw.chance(0.5):
        story.tell(
            f"there are {a_day * days} {units} of {of} left.", f"a new sack holds {a_day * days} {units} of {of}."
        )
        value, place = story.then(f"{a_day * days}/{a_day}", "Days:", "per", story.turn("is", a_day * days), place)
        return (
            Have(value, place, who, "days", ends=True),
            "For how many days is that enough?",
            "It is enough for {} days.",
        )
    weeks = draw.between(2, 5)
    value = story.reckon(f"{a_day}*{7 * weeks}" if draw.chance(0.3) else f"{story.reckon(f'{a_day}*7', 'A week:')}*{weeks}", f"{weeks} weeks:")  # fmt: skip
    return Have(value, story.turn("times", place, 7 * weeks), who, units, ends=True), f"How many {units} of {of} does the {name} need in {story.number(weeks)} weeks?", f"It needs {{}} {units}."  # fmt: skip


def _field(story: Story) -> Opening:
    """A rectangle: its fence, or what covers it, by the metre."""
    draw, who = story.draw, people(story.draw, 1)[0]
    where, (fence, cover) = draw.pick(("garden", "yard", "field", "pen for the goats", "playground", "terrace")), draw.pick((("a fence", "turf"), ("a hedge", "gravel"), ("a wall", "slabs")))  # fmt: skip
    width, k = draw.between(3, 20), draw.pick((2, 2, 3))
    short = story.turn("is", width)
    plus = draw.between(2, 12)
    if draw.chance(0.4):
        length, long = story.then(f"{width}*{k}", "The length:", "part", short, k, 1, 0)
        story.tell(f"{who}'s {where} is {width} metres wide and {draw.pick(MANY[k])} as long.")
    elif draw.chance(0.5):
        length, long = story.then(f"{width}+{plus}", "The length:", "part", short, 1, 1, plus)
        story.tell(f"{who}'s {where} is {width} metres wide. It is {plus} metres longer than it is wide.")
    else:
        length, long = width + plus, story.turn("is", width + plus)
        story.tell(f"{who}'s {where} is a rectangle of {length} by {width} metres.", f"{who} has a rectangular {where}, {length} metres long and {width} metres wide.")  # fmt: skip
    price = draw.between(2, 20)
    if draw.chance(0.5):
        half = story.reckon(f"{length}+{width}", "Two sides:")
        metres, place = story.then(f"2*{half}", "All around:", "times", story.turn("sum", [short, long]), 2)
        story.tell(f"{who.they} wants {fence} all around it.", f"around it {who.they} puts {fence}.")
        unit, asked = "metre", f"How many metres long is {fence.replace('a ', 'the ')}?"
    else:
        metres, place = story.then(f"{length}*{width}", "The area:", "times", long, width)
        story.tell(f"{who.they} wants to cover all of it with {cover}.", f"all of it gets {cover}.")
        unit, asked = "square metre", f"How many square metres does {who} have to cover?"
    if draw.chance(0.6):
        story.tell(
            f"{'each' if unit == 'metre' else 'a'} {unit} costs {story.money(price)}.",
            f"the price is {story.money(price)} for a {unit}.",
        )
        cost = story.reckon(f"{metres}*{price}", "The price:")
        return Have(cost, story.turn("times", place, price), who, ends=True), draw.pick((f"How much does {who} pay?", "What does that cost?")), f"{who} pays {{}}."  # fmt: skip
    return Have(metres, place, who, f"{unit}s", ends=True), asked, f"It is {{}} {unit}s."


def _profit(story: Story) -> Opening:
    """What is earned with things that cost something themselves."""
    draw, trade, who = story.draw, story.draw.pick(_TRADES), people(story.draw, 1)[0]
    cost, more, n = draw.between(1, 9), draw.between(1, 9), draw.between(5, 60)
    story.tell(f"{who} buys {trade.things} for {story.money(cost)} each and sells them for {story.money(cost + more)} each.", f"it costs {who} {story.money(cost)} to {trade.base} one {trade.one}, and {who.they} sells each for {story.money(cost + more)}.")  # fmt: skip
    each = story.reckon(f"{cost + more}-{cost}", f"On each {trade.one}:")
    place = story.turn("less", story.turn("is", cost + more), story.turn("is", cost))
    if draw.chance(0.4):
        days = draw.between(2, 9)
        story.tell(
            f"{who.they} sells {n} a day, {days} days long.", f"every day of {days}, {who.they} sells {n} of them."
        )
        each, place = story.then(f"{each}*{n}", "A day:", "times", place, n)
        n = days
    else:
        story.tell(f"in a month {who.they} sells {n}.", f"{who.they} has sold {n} so far.", f"{who.they} sold {n} of them at the market.")  # fmt: skip
    value, place = story.then(f"{each}*{n}", "In all:", "times", place, n)
    asked = draw.pick((f"What is {who}'s profit?", f"How much profit does {who} make?"))
    return Have(value, place, who), asked, f"{who}'s profit is {{}}."


def _party(story: Story) -> Opening:
    """So many people need so much each; it comes in packs."""
    draw, who = story.draw, people(story.draw, 1)[0]
    food, piece = draw.pick((("pizza", "slice"), ("cake", "piece"), ("loaf of bread", "slice"), ("bottle", "glass"), ("pack", "roll"), ("bag", "biscuit"), ("tin", "cookie")))  # fmt: skip
    pieces = plural(piece)
    old, young, a, b, hold = draw.between(2, 12), draw.between(2, 15), draw.between(2, 5), draw.between(1, 4), draw.pick((4, 6, 8, 10, 12))  # fmt: skip
    story.tell(f"{who} invites {old} adults and {young} children.", f"{story.number(old)} adults and {story.number(young)} children come to {who}'s party.")  # fmt: skip
    story.tell(
        f"each adult has {count(a, piece)} and each child {b}.",
        f"an adult gets {count(a, piece)}, a child {count(b, piece)}.",
    )
    one, place = story.then(f"{old}*{a}", "The adults:", "times", story.turn("is", old), a)
    two, also = story.then(f"{young}*{b}", "The children:", "times", story.turn("is", young), b)
    value, place = story.total([(one, place), (two, also)])
    if draw.chance(0.3):
        return (
            Have(value, place, who, pieces, ends=True),
            f"How many {pieces} does {who} need?",
            f"{who} needs {{}} {pieces}.",
        )
    packs = _s(food)
    value, place = story.then(f"{value}/{hold}", f"{packs.capitalize()}:", "into", place, hold)
    story.tell(f"there are {hold} {pieces} in a {food}.", f"a {food} makes {hold} {pieces}.")
    if draw.chance(0.5):
        return (
            Have(value, place, who, packs, ends=True),
            f"How many {packs} does {who} need?",
            f"{who} needs {{}} {packs}.",
        )
    price = draw.between(2, 15)
    story.tell(f"a {food} costs {story.money(price)}.", f"{who.they} pays {story.money(price)} for each {food}.")
    value, place = story.then(f"{value}*{price}", "The price:", "times", place, price)
    return Have(value, place, who, ends=True), f"How much does {who} spend on them?", f"{who} spends {{}}."


def _legs(story: Story) -> Opening:
    """Things that have so many parts each."""
    draw, who = story.draw, people(story.draw, 1)[0]
    part, kinds = draw.pick(_WITH_PARTS)
    (one, a), (two, b) = draw.sample(kinds, 2)
    n = draw.between(2, 20)
    first = story.turn("is", n)
    words, m, other = (
        story.relation(n, first, plural(two), plural(one)) if draw.chance(0.5) else ("", draw.between(2, 20), -1)
    )
    story.tell(f"{who} has {count(n, one)} and {words or count(m, two)}.", f"{who} counts {count(n, one)} and {words or count(m, two)}.")  # fmt: skip
    other = story.turn("is", m) if other < 0 else other
    if part in ("strings", "seats") or draw.chance(0.7):  # of the others everybody knows how many
        story.tell(f"{article(one)} has {a} {part}, {article(two)} has {b}.")
    left, place = story.then(f"{n}*{a}", f"The {plural(one)}:", "times", first, a)
    right, also = story.then(f"{m}*{b}", f"The {plural(two)}:", "times", other, b)
    value, place = story.total([(left, place), (right, also)])
    return Have(value, place, who, part, ends=True), f"How many {part} do they have in all?", f"They have {{}} {part}."


_WITH_PARTS = (
    ("legs", (("cow", 4), ("duck", 2), ("spider", 8), ("beetle", 6), ("goat", 4), ("hen", 2), ("sheepdog", 4))),
    ("wheels", (("car", 4), ("bicycle", 2), ("tricycle", 3), ("cart", 2), ("lorry", 6))),
    ("strings", (("violin", 4), ("guitar", 6), ("ukulele", 4), ("lute", 8))),
    ("seats", (("sofa", 3), ("bench", 4), ("minibus", 9), ("van", 8))),
    ("sides", (("triangle", 3), ("square", 4), ("hexagon", 6), ("octagon", 8))),
)


_WORKS = (
    ("read", "read", "a book of", "pages"), ("typed", "type", "a report of", "pages"), ("walked", "walk", "a trail of", "kilometres"),
    ("watched", "watch", "a series of", "episodes"), ("solved", "solve", "a set of", "problems"), ("painted", "paint", "a fence with", "boards"),
    ("learnt", "learn", "a list of", "words"), ("watered", "water", "an orchard of", "trees"), ("addressed", "address", "a pile of", "letters"),
    ("cleaned", "clean", "a house with", "windows"),
)  # fmt: skip
_PERIODS = (("yesterday", "today"), ("on Monday", "on Tuesday"), ("in the first week", "in the second week"), ("in the morning", "in the afternoon"))  # fmt: skip


def _book(story: Story) -> Opening:
    """So much to do, some of it done day by day; how much is left, or a day of the time that is left."""
    draw, who = story.draw, people(story.draw, 1)[0]
    past, base, work, unit = draw.pick(_WORKS)
    n, (first, then) = draw.between(8, 40), draw.pick(_PERIODS)
    words, m, also = story.relation(n, place := story.turn("is", n), "", first)
    done, place = story.total([(n, place), (m, also)])
    whole = done + 2 * draw.between(6, 100)
    story.tell(f"{who} wants to {base} {work} {whole} {unit}.", f"{who} has to {base} {work} {whole} {unit}.")
    story.tell(
        f"{first[0].upper()}{first[1:]} {who.they} {past} {n} {unit}.", f"{who.they} {past} {n} {unit} {first}."
    )
    story.tell(f"{then[0].upper()}{then[1:]} {who.they} {past} {words}.")
    left, place = story.then(f"{whole}-{done}", "What is left:", "less", story.turn("is", whole), place)
    if draw.chance(0.6):
        days = draw.between(2, 8)
        each = story.reckon(f"{left}/{days}", "A day:")
        asked = draw.pick((f"If the rest is to be done in {story.number(days)} days, the same each day, how many {unit} is that a day?", f"How many {unit} are left for each of the next {days} days, if they are all alike?"))  # fmt: skip
        return Have(each, story.turn("split", place, days), who, unit, ends=True), asked, f"It is {{}} {unit} a day."
    return Have(left, place, who, unit, ends=True), draw.pick((f"How many {unit} are left?", f"How many {unit} does {who} still have to do?")), f"{{}} {unit} are left."  # fmt: skip


def _unit(story: Story) -> Opening:
    """The price of some, and how much others cost."""
    draw, who, one = story.draw, people(story.draw, 1)[0], story.draw.pick(_GOODS)
    price, a, b = draw.between(2, 15), draw.between(2, 9), draw.between(2, 20)
    story.tell(f"{story.number(a)} {_s(one)} cost {story.money(price * a)}.", f"{who} paid {story.money(price * a)} for {a} {_s(one)}.", f"a shop sells {a} {_s(one)} for {story.money(price * a)}.")  # fmt: skip
    each = story.reckon(f"{price * a}/{a}", f"One {one}:")
    place = story.turn("split", story.turn("is", price * a), a)
    if draw.chance(0.4):
        have = story.draw.between(2, 12)
        value = story.reckon(f"{each * have}/{each}", "As often as it goes in:")
        return Have(value, story.turn("per", story.turn("is", each * have), place), who, _s(one), ends=True), f"How many {_s(one)} does one get for {story.money(each * have)}?", f"One gets {{}} {_s(one)}."  # fmt: skip
    value, place = story.then(f"{each}*{b}", f"{b} {_s(one)}:", "times", place, b)
    return Have(value, place, who, ends=True), draw.pick((f"How much do {b} {_s(one)} cost?", f"What would {who} pay for {story.number(b)} {_s(one)} at that price?")), "They cost {}."  # fmt: skip


OPENINGS = (
    _days,
    _together,
    _kinds,
    _rate,
    _boxes,
    _whole,
    _bill,
    _wage,
    _two,
    _lasts,
    _field,
    _profit,
    _party,
    _legs,
    _book,
    _unit,
)
