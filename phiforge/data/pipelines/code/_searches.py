"""Functions whose input has to be searched for: counting steps, digits and divisors, tallies, and lists of conditions."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from phiforge.data.draft import Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._small import shown
from phiforge.data.rows import Unfit


class Search(NamedTuple):
    """A function, an input with its output, how it is found, and inputs that may be wrong."""

    code: str
    name: str
    parameter: str
    input: Any
    output: Any
    steps: list[Step]
    check: str
    wrong: list[Any]


def searched(draw: Draw, level: int) -> Search:
    """One that fits the level."""
    options: list[Callable[[Draw, int], Search]] = [_digits, _divisors, _tally, _encoded, _formula]
    if level >= 3:
        options += [_conditions, _conditions, _collatz, _running]
    return draw.pick(options)(draw, level)


def _near(draw: Draw, n: int) -> list[int]:
    return draw.shuffled([n + d for d in (-12, -10, -9, -7, -3, -2, -1, 1, 2, 3, 5, 9, 10, 11) if n + d > 0])


def _digits(draw: Draw, level: int) -> Search:
    name = draw.pick(("digit_sum", "cross_sum", "sum_digits"))
    square = level >= 3 and draw.chance(0.5)
    k = draw.between(1, 9) if level >= 2 else 0
    plus = f" + {k} * len(str(n))" if k else ""
    part = "int(d) ** 2" if square else "int(d)"
    n = draw.between(12, (0, 99, 999, 999, 9999, 99999)[level])
    digits = [int(d) for d in str(n)]
    total = sum(d * d if square else d for d in digits)
    output = total + k * len(digits)
    code = f"def {name}(n: int) -> int:\n    return sum({part} for d in str(n)){plus}"
    terms = " + ".join(f"{d}²" if square else str(d) for d in digits)
    steps = [
        Step(f"With {len(digits)} digits the second part is {k} · {len(digits)} = {k * len(digits)}, so the digits have to give {output} − {k * len(digits)} = {total}." if k else f"The {'squares of the ' * square}digits have to add up to {total}.",
             "The order of the digits doesn't matter, only how many there are and what they add up to."),
        Step(f"{terms} = {total}, so {n} will do.", "Now digits that fit.", Slip(f"{total} itself.", f"The digits of {total} add up to something else.") if total > 9 and sum(map(int, str(total))) != total else None),
    ]  # fmt: skip
    return Search(
        code, name, "n", n, output, steps, f"{terms}{f' + {k * len(digits)}' if k else ''} = {output}.", _near(draw, n)
    )


def _divisors(draw: Draw, level: int) -> Search:
    name = draw.pick(("count_divisors", "divisors", "number_of_divisors"))
    n = draw.pick((6, 8, 10, 12, 15, 16, 18, 20, 24, 28, 30, 36, 40, 42, 45, 48, 50, 54, 60)[: 8 + 2 * level])
    found = [d for d in range(1, n + 1) if n % d == 0]
    what = draw.pick(("len(found)", "sum(found)", "found[-2]", "len(found) * 10 + found[1]"))
    output = {
        "len(found)": len(found),
        "sum(found)": sum(found),
        "found[-2]": found[-2],
        "len(found) * 10 + found[1]": len(found) * 10 + found[1],
    }[what]
    code = f"def {name}(n: int) -> int:\n    found = [d for d in range(1, n + 1) if n % d == 0]\n    return {what}"
    steps = [
        Step(f"The list holds the divisors of n, and {what} has to be {output}.", "What does the function collect?"),
        Step(f"For n = {n} it is {found}, and {what} gives {output}.", "I try numbers with several small divisors.", Slip(f"n = {output}.", "That is the result, not the number that has it.") if output > 1 and output != n else None),
    ]  # fmt: skip
    return Search(
        code,
        name,
        "n",
        n,
        output,
        steps,
        f"{n} is divided by {', '.join(map(str, found))} and by nothing else.",
        _near(draw, n),
    )


def _tally(draw: Draw, level: int) -> Search:
    if draw.chance(0.5):
        xs: list[Any] = [draw.between(1, 3 + level) for _ in range(3 + level // 2)]
        annotation = "list[int]"
    else:
        xs = [draw.pick(("red", "blue", "green", "tea", "milk", "north", "up", "on")) for _ in range(3 + level // 2)]
        annotation = "list[str]"
    shift = draw.between(2, 3) if level >= 3 else 0
    output = {x: n * shift if shift else n for x, n in Counter(xs).items()}
    parameter = draw.pick(("items", "values", "votes"))
    name = draw.pick(("tally", "count_all", "frequencies"))
    code = f"def {name}({parameter}: {annotation}) -> dict:\n    counts = {{}}\n    for each in {parameter}:\n        counts[each] = counts.get(each, 0) + {shift or 1}\n    return counts"
    answer = [x for x, n in Counter(xs).items() for _ in range(n)]
    parts = ", ".join(
        f"{shown(x)} {('once', 'twice')[n - 1] if n < 3 else f'{n} times'}" for x, n in Counter(xs).items()
    )
    steps = [
        Step(f"Each occurrence adds {shift or 1}, so there must be {parts}.", "The dictionary tells how often each value occurs; the order is free.", Slip(f"{shown(list(output))} has all the values.", "But how often each occurs has to be right too.") if len(answer) > len(output) else None),
        Step(f"Written one after another: {shown(answer)}.", ""),
    ]  # fmt: skip
    wrong = [
        answer[1:],
        [*answer, answer[0]],
        [*answer[:-1], answer[0]],
        answer[:-1],
        [*answer, answer[-1], answer[-1]],
        list(dict.fromkeys(answer)),
    ]
    return Search(
        code,
        name,
        parameter,
        answer,
        output,
        steps,
        f"Counting through {shown(answer)} gives {shown(output)}.",
        [each for each in wrong if each != answer],
    )


def _encoded(draw: Draw, level: int) -> Search:
    runs = [(draw.pick("abcxyz"), draw.between(1, 4)) for _ in range(2 + level // 2)]
    if any(a[0] == b[0] for a, b in itertools.pairwise(runs)):
        raise Unfit
    first = draw.chance(0.5)
    text = "".join(c * n for c, n in runs)
    output = "".join(f"{n}{c}" if first else f"{c}{n}" for c, n in runs)
    pair = "{n}{c}" if first else "{c}{n}"
    name = draw.pick(("encode", "compress", "pack"))
    code = f'def {name}(s: str) -> str:\n    out, i = "", 0\n    while i < len(s):\n        c, n = s[i], 1\n        while i + n < len(s) and s[i + n] == c:\n            n += 1\n        out += f"{pair}"\n        i += n\n    return out'
    parts = ", ".join(f"{n} × {c}" for c, n in runs)
    steps = [
        Step(f"The result stands for {parts}.", "The function replaces each run of a character by the character and its length.", Slip("Each pair stands for two characters.", "The digit says how often the character is repeated.")),
        Step(f"Written out that is {text}.", ""),
    ]  # fmt: skip
    wrong = [
        text[1:],
        text + text[-1],
        text[::-1],
        "".join(c * (n + 1) for c, n in runs),
        text[:-1],
        "".join(c for c, _ in runs),
        text[0] + text,
    ]
    return Search(
        code,
        name,
        "s",
        text,
        output,
        steps,
        f"The runs of {text} are {parts}, which is written {output}.",
        [each for each in wrong if each and each != text],
    )


def _formula(draw: Draw, level: int) -> Search:
    a, b, n = draw.between(2, 9), draw.between(1, 40), draw.between(3, 12 + 4 * level)
    kind = draw.between(0, 4)
    name = draw.pick(("f", "g", "score", "price", "value"))
    if kind == 0:
        output, body = a * n + b, f"{a} * n + {b}"
        how = f"{a} · n = {output} − {b} = {output - b}, so n = {output - b} ÷ {a} = {n}."
    elif kind == 1:
        output, body = n * (n + 1) // 2 + b, f"sum(range(n + 1)) + {b}"
        how = f"1 + 2 + … + n has to be {output - b}, and n(n + 1)/2 = {output - b} for n = {n}."
    elif kind == 2:
        output, body = n * n + b, f"n * n + {b}"
        how = f"n · n = {output} − {b} = {output - b} = {n}², so n = {n}."
    elif kind == 3:
        output, body = n * (n + a), f"n * (n + {a})"
        how = f"{output} as a product of two numbers with the difference {a} is {n} · {n + a}, so n = {n}."
    else:
        m = draw.between(7, 23)
        n = draw.between(1, m - 1)
        output, body = (a * n + b) % m, f"({a} * n + {b}) % {m}"
        how = (
            f"For n = {n} it is {a} · {n} + {b} = {a * n + b}, and {a * n + b} = {(a * n + b) // m} · {m} + {output}."
        )
    code = f"def {name}(n: int) -> int:\n    return {body}"
    slip = Slip(f"n = {output}.", "That is the result that is to come out, not what goes in.")
    return Search(
        code,
        name,
        "n",
        n,
        output,
        [Step(f"{body} has to be {output}.", "This is an equation for n."), Step(how, "", slip)],
        f"{body} with n = {n} gives {output}.",
        _near(draw, n),
    )


def _collatz(draw: Draw, level: int) -> Search:
    n = draw.between(3, 20 + 10 * level)
    odd = draw.pick((("3 * n + 1", 3, 1), ("n + 1", 1, 1), ("n - 1", 1, -1)))
    way = [n]
    while way[-1] != 1 and len(way) < 60:
        last = way[-1]
        way.append(last // 2 if last % 2 == 0 else odd[1] * last + odd[2])
    if way[-1] != 1 or len(way) > 14 or len(way) < 4:
        raise Unfit
    name = draw.pick(("steps", "count_steps", "length"))
    code = f"def {name}(n: int) -> int:\n    count = 0\n    while n != 1:\n        n = n // 2 if n % 2 == 0 else {odd[0]}\n        count += 1\n    return count"
    output = len(way) - 1
    power = 2**output
    shown_way = " → ".join(map(str, way))
    slip = Slip(f"n = {output}.", f"It is the number of steps that has to be {output}.") if output != n else None
    steps = [
        Step(f"I go backwards from 1: before 1 comes 2, before that 4, and so on; after {output} halvings one would be at {power}.", "The loop ends at 1, and every step is counted."),
        Step(f"{n} will do as well: {shown_way}, which are {output} steps.", "", slip),
    ]  # fmt: skip
    wrong = [k for k in _near(draw, n) if k > 1]
    return Search(code, name, "n", n, output, steps, f"Counting the arrows of {shown_way} gives {output}.", wrong)


def _running(draw: Draw, level: int) -> Search:
    n = draw.between(3, 4)
    xs = [draw.between(1, 9) for _ in range(n)]
    factor = draw.between(2, 5)
    output = [xs[0]]
    for x in xs[1:]:
        output.append(output[-1] * factor + x if level >= 4 else output[-1] + factor * x)
    rule = f"{factor} * out[-1] + x" if level >= 4 else f"out[-1] + {factor} * x"
    name = draw.pick(("fold", "chain", "build"))
    code = f"def {name}(xs: list[int]) -> list[int]:\n    out = [xs[0]]\n    for x in xs[1:]:\n        out.append({rule})\n    return out"
    steps = [
        Step(
            f"The first element stays, so xs begins with {xs[0]}.", "Each element of the result tells one of the list."
        )
    ]
    for i in range(1, n):
        a, b = output[i - 1], output[i]
        found = f"x = {b} − {factor} · {a} = {xs[i]}" if level >= 4 else f"x = ({b} − {a}) ÷ {factor} = {xs[i]}"
        slip = (
            Slip(f"x = {b} − {a} = {b - a}.", f"The factor {factor} is missing in that.")
            if i == 1 and b - a != xs[i]
            else None
        )
        steps.append(Step(f"{b} comes after {a}, so {found}.", "", slip))
    wrong = [[*xs[:i], xs[i] + d, *xs[i + 1 :]] for i in range(n) for d in (-1, 1, 2)] + [xs[::-1]]
    return Search(
        code,
        name,
        "xs",
        xs,
        output,
        steps,
        f"Forwards, {shown(xs)} gives {shown(output)}.",
        draw.shuffled([w for w in wrong if w != xs]),
    )


def _conditions(draw: Draw, level: int) -> Search:
    """A function that is True for lists with several properties."""
    n = draw.between(3, 2 + level)
    xs = [draw.between(1, 15) for _ in range(n)]
    rising = draw.chance(0.4)
    if rising:
        xs = sorted(draw.sample(range(1, 20), n))
    k = draw.between(0, n - 1)
    tests = {
        f"sum(xs) == {sum(xs)}": f"the sum is {sum(xs)}",
        f"max(xs) == {max(xs)}": f"the largest is {max(xs)}",
        f"xs[0] == {xs[0]}": f"the first is {xs[0]}",
        f"xs[-1] - xs[0] == {xs[-1] - xs[0]}": f"the last minus the first is {xs[-1] - xs[0]}",
        f"xs[{k}] % {3 + k} == {xs[k] % (3 + k)}": f"the one at position {k} leaves {xs[k] % (3 + k)} when divided by {3 + k}",
        f"sum(x % 2 for x in xs) == {sum(x % 2 for x in xs)}": f"{sum(x % 2 for x in xs)} of them are odd" if sum(x % 2 for x in xs) != 1 else "one of them is odd",
        f"len(set(xs)) == {len(set(xs))}": f"there are {len(set(xs))} different ones",
    }  # fmt: skip
    if rising:
        tests["xs == sorted(xs)"] = "they never decrease"
    chosen = draw.sample(list(tests), min(2 + level // 2, len(tests)))
    conditions = [f"len(xs) == {n}", *chosen]
    name = draw.pick(("is_valid", "accepts", "passes", "fits", "is_key"))
    lines = "\n        and ".join(conditions)
    code = f"def {name}(xs: list[int]) -> bool:\n    return (\n        {lines}\n    )"
    steps = [
        Step(f"There must be {n} numbers; then {'; '.join(tests[each] for each in chosen)}.", "Every condition has to hold at once, so I read them first."),
        Step(f"{shown(xs)} meets all of them.", "I fix what is determined and fill in the rest so that the others come out right.", Slip(f"{shown([xs[0]] * n)} might do.", "It has the length, but not everything else.") if not all(_holds(each, [xs[0]] * n) for each in chosen) else None),
    ]  # fmt: skip
    wrong = [[*xs[:i], xs[i] + d, *xs[i + 1 :]] for i in range(n) for d in (-1, 1, 3)] + [xs[::-1], xs[1:]]
    check = f"For {shown(xs)}: the length is {len(xs)}, the sum {sum(xs)}, the largest {max(xs)}, the first {xs[0]}, the last {xs[-1]}; each condition holds."
    return Search(code, name, "xs", xs, True, steps, check, draw.shuffled([w for w in wrong if w != xs]))


def _holds(condition: str, xs: list[int]) -> bool:
    return bool(eval(condition, {"xs": xs}))
