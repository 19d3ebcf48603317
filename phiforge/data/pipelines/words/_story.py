"""How word problems are told: money, facts that nobody asked for, where they stand, and how a story of several steps grows."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from phiforge.data.draft import Step
from phiforge.data.draw import Draw
from phiforge.data.pipelines.words._annotated import evaluate
from phiforge.data.rows import Unfit
from phiforge.data.words import NUMBERS, TIMES, WEEKDAYS, Person, article


class Currency(NamedTuple):
    """The name of a currency, for one and for several."""

    one: str
    many: str

    def of(self, cents: int) -> str:
        """An amount with its name: "1 euro", "2.40 euros"."""
        return f"{amount(cents)} {self.one if cents == 100 else self.many}"


CURRENCIES = tuple(
    Currency(*names.split("/"))
    for names in [
        "euro/euros",
        "dollar/dollars",
        "pound/pounds",
        "franc/francs",
        "crown/crowns",
        "peso/pesos",
        "rupee/rupees",
        "dinar/dinars",
        "lira/lira",
        "real/reais",
    ]
)


def amount(cents: Fraction | int) -> str:
    """Whole hundredths as whole ones: 240 is "2.40", 300 is "3"."""
    whole, rest = divmod(int(cents), 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)


class Aside(NamedTuple):
    """A true sentence that does not matter, and what to call it when it is passed over."""

    text: str
    about: str


_STREETS = ("houses", "lamps", "trees", "shops", "parked bicycles", "benches")
_READ = (
    "a novel",
    "a detective story",
    "a book about whales",
    "a history of the town",
    "a travel diary",
    "a cookery book",
)
_CARRIED = ("rucksack", "bag", "suitcase", "toolbox", "basket", "guitar case")
_GAMES = ("football", "handball", "hockey", "water polo", "volleyball", "table tennis")
_WALLS = ("pictures", "postcards", "old maps", "clocks", "posters", "framed photos")
_KIN = ("cousins", "neighbours", "pen friends", "former classmates", "nephews", "colleagues")
_COLOURS = ("green", "red", "blue", "yellow", "grey", "orange", "brown", "white")
_WORN = ("jacket", "scarf", "hat", "pullover", "pair of boots", "raincoat")
_SOUNDS = ("dog barks", "bell rings", "rooster crows", "door slams", "phone rings", "car horn sounds")
_FAR = ("the station", "the river", "the next town", "the harbour", "the town hall", "the forest")
_SONGS = ("song", "waltz", "symphony", "radio play", "ballad")
_HOBBIES = (
    "playing chess",
    "singing in a choir",
    "learning Greek",
    "collecting stamps",
    "keeping bees",
    "painting birds",
)


def asides(draw: Draw, level: int, who: Person, without: str = "") -> list[Aside]:
    """Facts that have nothing to do with the question, more of them at higher levels.

    `without` names what would not be harmless here, by letters: t(ime), d(istance), m(oney and things), w(eights), a(ges).
    """
    n = draw.chance((0.1, 0.3, 0.55, 0.9, 1)[level - 1]) + draw.chance((0, 0, 0.1, 0.25, 0.5)[level - 1])
    found: list[Aside] = []
    while len(found) < n:
        kind, make = draw.pick(_ASIDES)
        if kind not in without or kind == "-":
            each = make(draw, who)
            if each.about not in (other.about for other in found):
                found.append(each)
    return found


def _street(draw: Draw, who: Person) -> Aside:
    things = draw.pick(_STREETS)
    return Aside(
        f"There are {draw.between(11, 89)} {things} in the street where {who} lives.",
        f"how many {things} the street has",
    )


def _book(draw: Draw, who: Person) -> Aside:
    book = draw.pick(_READ)
    return Aside(draw.pick((f"{who} has read {draw.between(21, 340)} pages of {book} so far.", f"On page {draw.between(21, 340)} of {book}, {who} has put a bookmark.")), f"the pages of {book}")  # fmt: skip


def _carried(draw: Draw, who: Person) -> Aside:
    thing = draw.pick(_CARRIED)
    return Aside(f"{who}'s {thing} weighs {draw.between(2, 14)} kilograms.", f"the weight of the {thing}")


def _game(draw: Draw, who: Person) -> Aside:
    game = draw.pick(_GAMES)
    return Aside(
        f"{who}'s {game} team lost {draw.between(0, 3)} to {draw.between(4, 9)} on {draw.pick(WEEKDAYS)}.",
        f"the {game} result",
    )


def _wall(draw: Draw, who: Person) -> Aside:
    things = draw.pick(_WALLS)
    return Aside(f"{draw.between(3, 19)} {things} hang in {who}'s room.", f"the number of {things}")


def _kin(draw: Draw, who: Person) -> Aside:
    kin = draw.pick(_KIN)
    return Aside(
        f"{who} has {draw.between(4, 17)} {kin}, of whom {draw.between(2, 3)} {draw.pick(('live', 'work'))} abroad.",
        f"the number of {kin}",
    )


def _worn(draw: Draw, who: Person) -> Aside:
    thing = draw.pick(_WORN)
    return Aside(f"{who} wears {article(draw.pick(_COLOURS))} {thing}.", f"the {thing}")


def _sound(draw: Draw, who: Person) -> Aside:
    sound = draw.pick(_SOUNDS)
    return Aside(f"Outside, a {sound} {draw.between(3, 12)} times.", "the noise outside")


def _far(draw: Draw, who: Person) -> Aside:
    place = draw.pick(_FAR)
    return Aside(f"{who} lives {draw.between(2, 25)} kilometres from {place}.", f"the way to {place}")


def _song(draw: Draw, who: Person) -> Aside:
    song = draw.pick(_SONGS)
    return Aside(f"On the radio there is a {song} that lasts {draw.between(3, 40)} minutes.", f"the {song}")


def _phone(draw: Draw, who: Person) -> Aside:
    return Aside(f"{who} has had the same phone number for {draw.between(2, 19)} years.", "the phone number")


def _age(draw: Draw, who: Person) -> Aside:
    return Aside(f"{who} is {draw.between(12, 71)} years old.", f"{who}'s age")


def _weather(draw: Draw, who: Person) -> Aside:
    return Aside(f"It is {draw.between(3, 34)} degrees {draw.pick(('outside', 'in the shade', 'by the thermometer'))} and {draw.pick(('cloudy', 'sunny', 'windy', 'a little foggy', 'calm'))}.", "the weather")  # fmt: skip


def _hobby(draw: Draw, who: Person) -> Aside:
    hobby = draw.pick(_HOBBIES)
    return Aside(f"{who} loves {hobby}.", f"the love of {hobby}")


def _seat(draw: Draw, who: Person) -> Aside:
    return Aside(f"{who}'s lucky number is {draw.between(2, 99)}.", "the lucky number")


_ASIDES = (
    ("-", _street), ("-", _book), ("w", _carried), ("-", _game), ("-", _wall), ("-", _kin), ("-", _worn), ("-", _sound), ("d", _far),
    ("t", _song), ("t", _phone), ("a", _age), ("-", _weather), ("-", _hobby), ("-", _seat),
)  # fmt: skip


def told(draw: Draw, facts: list[str], question: str, extra: list[Aside]) -> str:
    """The problem: facts in order, asides somewhere after the first of them, the question last."""
    sentences = list(facts)
    for aside in extra:
        sentences.insert(draw.between(1, len(sentences)), aside.text)
    return " ".join([*sentences, question])


def known(draw: Draw, facts: str, extra: list[Aside]) -> str:
    """What a solver puts down first: the facts that matter, and those to be passed over."""
    if not extra:
        return facts
    about = " and ".join(each.about for each in extra)
    return f"{facts} " + draw.pick(
        (
            f"I can leave out {about}.",
            f"What it says of {about} changes nothing.",
            f"For this it does not matter what is said of {about}.",
            f"As to {about}: not needed.",
        )
    )


MOST = 5000  # of anything
_SIGNS = str.maketrans({"*": " × ", "/": " ÷ ", "+": " + ", "-": " − "})
MANY = {k: (said, f"{k} times") for k, said in TIMES.items()}
PARTS = {
    2: ("half", "half", "1/2"),
    3: ("a third", "one third", "1/3"),
    4: ("a quarter", "one fourth", "1/4"),
    5: ("a fifth", "1/5"),
}


class Have(NamedTuple):
    """What a story has come to: so much, which of the solver's amounts that is, whose, and of what; "" is money."""

    n: int
    place: int
    who: Person
    of: str = ""
    box: str = "box"
    ends: bool = False  # nothing can be done with it: a difference, a mean

    @property
    def they(self) -> str:
        return self.who.they

    @property
    def s(self) -> str:
        """What a verb of theirs ends in."""
        return "" if self.who.they == "they" else "s"

    @property
    def do(self) -> str:
        return "do" if self.who.they == "they" else "does"


class Story:
    """A story as it grows: sentences, the solver's turns, the equations."""

    def __init__(self, draw: Draw, level: int) -> None:
        self.draw, self.level = draw, level
        self.facts: list[str] = []
        self.turns: list[list[Any]] = []
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.currency = draw.pick(CURRENCIES) if draw.chance(0.25) else None

    def tell(self, *ways: str) -> None:
        fact = self.draw.pick(ways)
        self.facts.append(fact[0].upper() + fact[1:])

    def turn(self, *turn: Any) -> int:
        """Another amount for the solver; its place."""
        self.turns.append([*turn])
        return len(self.turns) - 1

    def reckon(self, expression: str, because: str = "") -> int:
        """The value of an expression, which becomes a step. Raises Unfit where it is no whole number of a likely size."""
        value = evaluate(expression, [], [])
        if value.denominator > 1 or not 0 < value <= MOST:
            raise Unfit("an amount is not whole, or not likely")
        self.steps.append(Step(f"{expression.translate(_SIGNS)} = {value}.", because))
        self.notes.append(f"<<{expression}={value}>>")
        return int(value)

    def then(self, expression: str, because: str, *turn: Any) -> tuple[int, int]:
        """An equation, and the turn that it works out: the value, and its place."""
        return self.reckon(expression, because), self.turn(*turn)

    def some(self, most: int = 12) -> int:
        """A number for the level."""
        return self.draw.between(3, most + 6 * self.level)

    def number(self, n: int) -> str:
        """A number, a small one now and then in letters."""
        return NUMBERS[n] if 1 < n < len(NUMBERS) and self.draw.chance(0.2) else str(n)

    def money(self, n: int) -> str:
        return self.currency.of(100 * n) if self.currency else f"${n}"

    def relation(self, n: int, place: int, things: str, than: str) -> tuple[str, int, int]:
        """An amount told by another: "twice as many apples as on Monday", how many that is, and its place."""
        draw = self.draw
        k, plus = draw.pick((2, 2, 3, 3, 4, 5)), draw.between(2, 8 + 4 * self.level)
        things = f" {things}" if things else ""
        kind = draw.pick(("times", "part", "part", "more", "fewer", "percent", "times and more"))
        if kind == "times":
            value, turn = self.reckon(f"{n}*{k}"), (k, 1, 0)
            words = f"{draw.pick(MANY[k])} as many{things} as {than}"
        elif kind == "part":
            value, turn = self.reckon(f"{n}/{k}"), (1, k, 0)
            words = f"{draw.pick(PARTS[k])} as many{things} as {than}"
        elif kind == "percent":
            percent, (sign, more) = draw.pick((10, 20, 25, 30, 40, 50)), draw.pick((("+", "more"), ("-", "fewer")))
            value = self.reckon(f"{n}{sign}{self.reckon(f'{n}*{percent}/100')}")
            words, turn = f"{percent}% {more}{things} than {than}", (100 + int(f"{sign}{percent}"), 100, 0)
        elif kind == "times and more":
            value = self.reckon(f"{self.reckon(f'{n}*{k}')}+{plus}")
            words, turn = f"{plus} more than {draw.pick(MANY[k])} as many{things} as {than}", (k, 1, plus)
        else:
            sign = 1 if kind == "more" else -1
            value = self.reckon(f"{n}{'+' if sign > 0 else '-'}{plus}")
            words, turn = f"{self.number(plus)} {kind}{things} than {than}", (1, 1, sign * plus)
        return words, value, self.turn("part", place, *turn)

    def total(self, amounts: list[tuple[int, int]]) -> tuple[int, int]:
        """All of some amounts: how much, and its place."""
        return self.reckon("+".join(str(n) for n, _ in amounts), "In all:"), self.turn("sum", [i for _, i in amounts])
