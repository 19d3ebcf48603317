"""Sharing: who has how many more or times as many, fair splits with a rest, hand-overs that make equal, chains of parts.

`make` thinks in parts and goes backwards; `solve` tries amounts and plays the story forwards.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.words._story import asides, known, told
from phiforge.data.words import TIMES, counted_down, listed, people

_THINGS = (
    "marbles",
    "stickers",
    "shells",
    "walnuts",
    "stamps",
    "cherries",
    "beads",
    "trading cards",
    "tulip bulbs",
    "chestnuts",
    "buttons",
    "coins",
    "sugar cubes",
    "badges",
    "pebbles",
    "plums",
    "toy soldiers",
    "almonds",
    "comics",
    "bookmarks",
    "tokens",
    "dominoes",
    "postcards",
    "crayons",
)
_FRACTIONS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth"}
_RECEIVERS = (
    "a neighbour",
    "the school",
    "the museum",
    "a cousin",
    "a stall at the market",
    "the kindergarten",
    "a colleague",
    "the youth club",
    "a friend",
    "the charity shop",
)


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_split, _more),
        (_split, _more, _times),
        (_times, _even, _more),
        (_even, _parts, _three),
        (_parts, _three, _gave, _even),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _split(draw: Draw, level: int) -> Draft:
    n = draw.between(3, 5 + level)
    who, things = people(draw, 1)[0], draw.pick(_THINGS)
    each, rest = draw.between(3, 12 * level), draw.between(1, n - 1)
    total, kept = n * each + rest, draw.between(0, 9) if level > 1 else 0
    wanted_rest = draw.chance(0.35)
    extra = asides(draw, level, who, "m")
    group = draw.pick(("children", "guests", "friends", "classmates", "players", "neighbours", "cousins", "visitors"))
    facts = [
        draw.pick(
            (
                f"{who} has {total + kept} {things}.",
                f"There are {total + kept} {things} in {who}'s box.",
                f"{total + kept} {things} lie on {who}'s table.",
            )
        )
    ]
    if kept:
        facts.append(
            draw.pick(
                (
                    f"{who} keeps {kept} and deals out the others evenly to {n} {group}.",
                    f"After putting {kept} aside, {who} shares the others equally among {n} {group}.",
                )
            )
        )
    else:
        facts.append(
            draw.pick(
                (
                    f"{who} deals them out evenly to {n} {group}, as many to each as possible.",
                    f"{n} {group} get as many as possible, and all the same number.",
                )
            )
        )
    steps = (
        [
            Step(
                f"{total + kept} − {kept} = {total}.",
                "What is there to be dealt out?",
                Slip(f"{total + kept} ÷ {n} straight away.", f"But {kept} are kept, so take them off first."),
            )
        ]
        if kept
        else []
    )
    steps.append(
        Step(
            f"{counted_down(total, n)}, so it is {each} each{f' and {rest} left' if wanted_rest else ''}.",
            draw.pick(("Divide with a rest.", f"How often does {n} go into {total}?")),
            Slip(
                f"{total} ÷ {n} rounds up to {each + 1}.",
                f"{n} × {each + 1} = {n * (each + 1)} would be more than there are.",
            )
            if not wanted_rest
            else None,
        )
    )
    wanted = rest if wanted_rest else each
    return Draft(
        question=told(draw, facts, draw.pick(("How many are left over?", f"How many {things} remain undealt?")) if wanted_rest else draw.pick((f"How many {things} does each get?", f"How many go to each of the {group}?")), extra),
        answer=str(wanted),
        facts={"kind": "split", "total": total + kept, "kept": kept, "n": n, "rest": wanted_rest},
        template=f"split {things} {wanted_rest}",
        steps=steps,
        says=f"{rest} {'is' if rest == 1 else 'are'} left over." if wanted_rest else f"Each gets {each}.",
        given=known(draw, f"{total} {things} for {n} {group}.", extra),
        check=f"{n} × {each} = {n * each}, and {rest} more make {total}.",
    )  # fmt: skip


def _more(draw: Draw, level: int) -> Draft:
    """A total, and one has some more than the other."""
    one, two = people(draw, 2)
    things = draw.pick(_THINGS)
    less, gap = draw.between(3, 25 * level), draw.between(2, 12 * level)
    total, elder = 2 * less + gap, draw.chance(0.5)
    extra = asides(draw, level, one, "m")
    facts = [
        draw.pick(
            (
                f"{one} and {two} have {total} {things} together.",
                f"There are {total} {things} in all, some {one}'s and the others {two}'s.",
                f"{one} and {two} count their {things}: {total}.",
            )
        ),
        draw.pick((f"{one} has {gap} more than {two}.", f"{two} has {gap} fewer than {one}.")),
    ]
    who, answer = (one, less + gap) if elder else (two, less)
    steps = [
        Step(
            f"{total} − {gap} = {2 * less}, twice {two}'s.",
            f"Without the {gap} that {one} has more, both would have the same.",
            Slip(
                f"{total} ÷ 2 = {Fraction(total, 2)}, and {gap} more or less.",
                "Then the difference would be too large.",
            ),
        ),
        Step(f"{2 * less} ÷ 2 = {less} for {two}."),
    ]
    if elder:
        steps.append(Step(f"{less} + {gap} = {less + gap} for {one}."))
    return Draft(
        question=told(
            draw, facts, draw.pick((f"How many {things} does {who} have?", f"How many of them are {who}'s?")), extra
        ),
        answer=str(answer),
        facts={"kind": "more", "total": total, "gap": gap, "elder": elder},
        template=f"more {things} {elder}",
        steps=steps,
        says=f"{who} has {answer}.",
        given=known(draw, f"Sum {total}, difference {gap}.", extra),
        check=f"{less + gap} + {less} = {total}.",
    )


def _times(draw: Draw, level: int) -> Draft:
    one, two = people(draw, 2)
    things, k = draw.pick(_THINGS), draw.between(2, 5)
    less, plus = draw.between(3, 20 * level), draw.between(0, 9) if level > 2 else 0
    more = k * less + plus
    total, elder = more + less, draw.chance(0.5)
    extra = asides(draw, level, one, "m")
    facts = [
        f"{one} has {f'{plus} more than ' if plus else ''}{TIMES[k]} as many {things} as {two}.",
        draw.pick((f"Together they have {total}.", f"In all it is {total}.")),
    ]
    who, answer = (one, more) if elder else (two, less)
    steps = [
        *([Step(f"{total} − {plus} = {total - plus}.", f"Take the {plus} off first.")] if plus else []),
        Step(
            f"That is {k} + 1 = {k + 1} times what {two} has.",
            f"{two}'s are one part, {one}'s {k} parts.",
            Slip(f"{total - plus} ÷ {k} is {two}'s.", f"{two}'s own part belongs to the sum as well."),
        ),
        Step(f"{total - plus} ÷ {k + 1} = {less} for {two}."),
    ]
    if elder:
        steps.append(Step(f"{k} × {less}{f' + {plus}' if plus else ''} = {more} for {one}."))
    return Draft(
        question=told(
            draw,
            facts,
            draw.pick((f"How many {things} does {who} have?", f"What is the number of {who}'s {things}?")),
            extra,
        ),
        answer=str(answer),
        facts={"kind": "times", "total": total, "k": k, "plus": plus, "elder": elder},
        template=f"times {things} {k} {elder}",
        steps=steps,
        says=f"{who} has {answer}.",
        given=known(draw, f"{total} in all, in {k + 1} parts{f' and {plus}' if plus else ''}.", extra),
        check=f"{more} + {less} = {total}.",
    )


def _even(draw: Draw, level: int) -> Draft:
    """Some change hands until both have the same, or the other has twice as many."""
    one, two = people(draw, 2)
    things, give = draw.pick(_THINGS), draw.between(2, 10 * level)
    same = draw.between(3, 30 * level)
    a, b = same + give, same - give if same > give else same
    if b == same:
        a = same + 2 * give
    a, b = (a, b) if (a - b) % 2 == 0 else (a + 1, b)
    give, same = (a - b) // 2, (a + b) // 2
    extra = asides(draw, level, one, "m")
    asked = draw.chance(0.5)
    facts = (
        [draw.pick((f"{one} has {a} {things} and {two} has {b}.", f"{one}'s {things} are {a}, {two}'s {b}."))]
        if asked
        else [
            draw.pick(
                (
                    f"{one} gives {two} {give} {things}, and now both have the same number.",
                    f"After {one} has given {give} {things} to {two}, they have equally many.",
                )
            ),
            f"Before that, {two} had {b}.",
        ]
    )
    question = (
        draw.pick(
            (
                f"How many must {one} give to {two} so that both have the same number?",
                f"How many {things} should go from {one} to {two} to make it even?",
            )
        )
        if asked
        else f"How many did {one} have at first?"
    )
    steps = (
        [
            Step(f"{a} − {b} = {a - b}.", "How far apart are they?"),
            Step(
                f"{a - b} ÷ 2 = {give}.",
                "What one gives, the other gains, so half of the difference is enough.",
                Slip(f"{one} gives {a - b}.", f"Then {two} would have {a}, more than {one}."),
            ),
        ]
        if asked
        else [
            Step(f"{b} + {give} = {same}.", f"What has {two} now?"),
            Step(
                f"{same} + {give} = {a}.",
                f"{one} has {same} too, after giving {give}.",
                Slip(f"{b} + {give} = {same} was {one}'s.", "That is what both have afterwards."),
            ),
        ]
    )
    return Draft(
        question=told(draw, facts, question, extra),
        answer=str(give if asked else a),
        facts={"kind": "even", "a": a if asked else None, "b": b, "give": None if asked else give},
        template=f"even {things} {asked}",
        steps=steps,
        says=f"{one} must give {give}." if asked else f"{one} had {a}.",
        given=known(draw, f"{a} and {b}, to be made even." if asked else f"{give} change hands; then both are equal.", extra),
        check=f"{a} − {give} = {same} and {b} + {give} = {same}.",
    )  # fmt: skip


def _parts(draw: Draw, level: int) -> Draft:
    """A part is given away, then a part of the rest; what remains is known, or the start."""
    who, things = people(draw, 1)[0], draw.pick(_THINGS)
    first, second = draw.between(2, 5), draw.between(2, 5)
    also = draw.between(0, 6)
    left_after_second = draw.between(2, 14) * (second - 1)
    after_also = left_after_second * second // (second - 1)
    after_first = after_also + also
    if after_first % (first - 1):
        also += (first - 1) - after_first % (first - 1)
        after_first = after_also + also
    start = after_first * first // (first - 1)
    to = draw.sample(_RECEIVERS, 3)
    forward = draw.chance(0.35)
    extra = asides(draw, level, who, "m")
    facts = [
        f"{who} gives {_FRACTIONS[first]} of {'the ' + str(start) + ' ' if forward else 'a collection of '}{things} to {to[0]}."
    ]
    if also:
        facts.append(f"Then {to[1]} gets {also}.")
    facts.append(f"Of what is left, {_FRACTIONS[second]} goes to {to[2]}.")
    if not forward:
        facts.append(
            draw.pick((f"In the end {who} has {left_after_second} {things}.", f"{left_after_second} remain."))
        )
    answer = left_after_second if forward else start
    if forward:
        steps = [
            Step(
                f"{start} − {start // first} = {after_first}.",
                f"{_FRACTIONS[first].capitalize()} of {start} is {start // first}.",
            )
        ]
        if also:
            steps.append(Step(f"{after_first} − {also} = {after_also}."))
        steps.append(
            Step(
                f"{after_also} − {after_also // second} = {left_after_second}.",
                f"Now {_FRACTIONS[second]} of {after_also}, which is {after_also // second}.",
                Slip(f"{_FRACTIONS[second].capitalize()} of {start}.", "It is of what is left by then."),
            )
        )
    else:
        steps = [
            Step(
                f"{left_after_second} is {second - 1}/{second}, so it was {left_after_second} × {second} ÷ {second - 1} = {after_also}."
                if second > 2
                else f"{left_after_second} is the other half, so it was {after_also}.",
                "Go backwards, from the end.",
                Slip(
                    f"{left_after_second} × {second} = {left_after_second * second}.",
                    f"What remained is {second - 1}/{second}, not 1/{second}.",
                )
                if second > 2
                else None,
            ),
            *([Step(f"{after_also} + {also} = {after_first}.", f"Before {to[1]} got {also}:")] if also else []),
            Step(
                f"{after_first} is {first - 1}/{first} of all, so at first it was {after_first} × {first} ÷ {first - 1} = {start}."
                if first > 2
                else f"{after_first} is half of all, so at first it was {start}."
            ),
        ]
    return Draft(
        question=told(draw, facts, f"How many {things} {'are left' if forward else 'were there at first'}?", extra),
        answer=str(answer),
        facts={"kind": "parts", "first": first, "also": also, "second": second, "start": start if forward else None, "left": None if forward else left_after_second},
        template=f"parts {things} {forward} {first}",
        steps=steps,
        says=f"{answer} {'are left' if forward else 'were there at first'}.",
        given=known(draw, f"{_FRACTIONS[first].capitalize()} goes{f', then {also},' if also else ''} and then {_FRACTIONS[second]} of the rest.", extra),
        check=f"{start} → {after_first}{f' → {after_also}' if also else ''} → {left_after_second}.",
    )  # fmt: skip


def _three(draw: Draw, level: int) -> Draft:
    who = people(draw, 3)
    things = draw.pick(_THINGS)
    base, k, plus = draw.between(4, 12 * level), draw.between(2, 4), draw.between(2, 15)
    have = [base, k * base, base + plus]
    total, i = sum(have), draw.between(0, 2)
    extra = asides(draw, level, who[0], "m")
    facts = [
        f"{listed([str(w) for w in who])} {draw.pick(('pool', 'count', 'put together', 'compare'))} their {things}.",
        *draw.shuffled([f"{who[1]} has {TIMES[k]} as many as {who[0]}.", f"{who[2]} has {plus} more than {who[0]}."]),
        draw.pick((f"All in all there are {total}.", f"The three have {total} in all.")),
    ]
    steps = [
        Step(
            f"1 + {k} + 1 = {k + 2} parts and {plus} more make {total}.",
            f"Take {who[0]}'s as one part; the others are told by it.",
            Slip(f"{total} ÷ 3 for each.", "They don't have equal shares."),
        ),
        Step(f"({total} − {plus}) ÷ {k + 2} = {base} for {who[0]}."),
    ]
    if i:
        steps.append(Step(f"{who[i]} has {f'{k} × {base}' if i == 1 else f'{base} + {plus}'} = {have[i]}."))
    return Draft(
        question=told(draw, facts, f"How many {things} does {who[i]} have?", extra),
        answer=str(have[i]),
        facts={"kind": "three", "k": k, "plus": plus, "total": total, "i": i},
        template=f"three {things} {i} {k}",
        steps=steps,
        says=f"{who[i]} has {have[i]}.",
        given=known(draw, f"Three shares that make {total}, told by {who[0]}'s.", extra),
        check=f"{' + '.join(map(str, have))} = {total}.",
    )


def _gave(draw: Draw, level: int) -> Draft:
    """One gives the other as many as the other has, and so on; found backwards."""
    one, two = people(draw, 2)
    things = draw.pick(_THINGS)
    while True:
        a, b = draw.between(2, 60), draw.between(2, 60)
        if a > b and a - b < 2 * b and a != b:
            break
    path = [(a, b), (a - b, 2 * b)]
    x, y = path[-1]
    path.append((2 * x, y - x))
    end = path[-1]
    extra = asides(draw, level, one, "m")
    facts = [
        f"{one} gives {two} as many {things} as {two} has already.",
        f"Then {two} gives {one} as many as {one} has by then.",
        draw.pick(
            (
                f"Now {one} has {end[0]} and {two} has {end[1]}.",
                f"In the end it is {end[0]} for {one} and {end[1]} for {two}.",
            )
        ),
    ]
    who = draw.between(0, 1)
    return Draft(
        question=told(draw, facts, f"How many {things} did {(one, two)[who]} have at first?", extra),
        answer=str((a, b)[who]),
        facts={"kind": "gave", "end": list(end), "who": who},
        template=f"gave {things} {who}",
        steps=[
            Step(
                f"Before the second gift {one} had {end[0]} ÷ 2 = {x}, and {two} {end[1]} + {x} = {y}.",
                f"Backwards: the second gift doubled what {one} had.",
                Slip(f"{two} had {end[1]} before that, too.", f"No, {two} has given {x} away."),
            ),
            Step(
                f"Before the first gift {two} had {y} ÷ 2 = {b}, and {one} {x} + {b} = {a}.",
                f"The first gift doubled what {two} had.",
            ),
        ],
        says=f"{(one, two)[who]} had {(a, b)[who]} at first.",
        given=known(draw, f"Two gifts, and {end[0]} and {end[1]} in the end.", extra),
        check=f"{a}, {b} → {x}, {y} → {end[0]}, {end[1]}.",
    )


def solve(facts: dict[str, Any]) -> str:
    kind = facts["kind"]
    if kind == "split":
        left, n, each = facts["total"] - facts["kept"], facts["n"], 0
        while left >= n:  # a round of dealing
            left, each = left - n, each + 1
        return str(left if facts["rest"] else each)
    if kind in ("more", "times"):
        for less in range(facts["total"]):
            more = facts["k"] * less + facts["plus"] if kind == "times" else less + facts["gap"]
            if less + more == facts["total"]:
                return str(more if facts["elder"] else less)
    if kind == "even":
        if facts["a"] is None:
            return str(next(a for a in range(10_000) if a - facts["give"] == facts["b"] + facts["give"]))
        return str(next(g for g in range(facts["a"]) if facts["a"] - g == facts["b"] + g))
    if kind == "parts":
        for start in range(1, 5000) if facts["start"] is None else [facts["start"]]:
            left = (Fraction(start) * (1 - Fraction(1, facts["first"])) - facts["also"]) * (
                1 - Fraction(1, facts["second"])
            )
            if facts["left"] is None or left == facts["left"]:
                return str(left if facts["left"] is None else start)
    if kind == "three":
        base = next(x for x in range(facts["total"]) if x + facts["k"] * x + x + facts["plus"] == facts["total"])
        return str((base, facts["k"] * base, base + facts["plus"])[facts["i"]])
    total = sum(facts["end"])
    for a in range(total + 1):
        b = total - a
        x, y = a - b, 2 * b
        if [2 * x, y - x] == facts["end"]:
            return str((a, b)[facts["who"]])
    raise AssertionError(kind)


PIPELINE = Solver(
    make,
    solve,
    knobs="level: even splits, sums and differences, multiples, parts of the rest, three shares, gifts backwards",
)
