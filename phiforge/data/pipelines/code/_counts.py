"""Loops whose steps can be counted exactly: their lines, n, the count, the steps to it, and a check by another formula."""

from __future__ import annotations

import math

from phiforge.data.draft import Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.rows import Unfit

Counted = tuple[list[str], int, int, list[Step], str]


def single(draw: Draw, level: int) -> Counted:
    n, start, step = draw.between(12, 60), draw.between(0, 5), draw.between(1, 4)
    turns = -(-(n - start) // step)
    head = f"for i in range({start}, n{f', {step}' if step > 1 else ''}):"
    last = start + (turns - 1) * step
    slip = (
        Slip(
            f"({n} − {start}) ÷ {step} = {(n - start) // step} and one more for the start makes {(n - start) // step + 1}.",
            f"The value {n} itself is not reached, as a range leaves out its end.",
        )
        if (n - start) % step == 0
        else None
    )
    steps = [
        Step(
            f"i takes the values {start}, {start + step}, … up to {last}, which are {turns}.",
            "A range leaves out its end.",
            slip,
        )
    ]
    result = turns
    lines = [head, "    {count} += 1"]
    if draw.chance(0.5):
        k = draw.between(2, 6)
        lines = [head, f"    for j in range({k}):", "        {count} += 1"]
        result = turns * k
        steps.append(Step(f"Each time the inner loop runs {k} times: {turns} · {k} = {result}.", ""))
    return lines, n, result, steps, f"({last} − {start}) ÷ {step} + 1 = {turns} values of i."


def product(draw: Draw, level: int) -> Counted:
    n, a, b = draw.between(6, 25), draw.between(1, 3), draw.between(2, 4)
    one, other = n - a, b * n
    lines = [f"for i in range({a}, n):", f"    for j in range({b} * n):", "        {count} += 1"]
    result = one * other
    if draw.chance(0.4):
        lines.append("{count} += n")
        result += n
    steps = [
        Step(f"The outer loop runs {n} − {a} = {one} times.", "I count the turns of each loop.", Slip(f"The outer loop runs {n} times.", f"It begins with {a}, not with 0.")),
        Step(f"The inner one runs {b} · {n} = {other} times each time, together {one} · {other} = {one * other}.", "The two are independent, so they multiply."),
    ]  # fmt: skip
    if result != one * other:
        steps.append(Step(f"At the end n is added once: {one * other} + {n} = {result}.", ""))
    return lines, n, result, steps, f"{one * other} ÷ {other} = {one}, the number of values from {a} to {n - 1}."


def triangle(draw: Draw, level: int) -> Counted:
    n = draw.between(8, 20 + 15 * (level - 2))
    kind = draw.between(0, 3)
    inner, turns, words = (
        ("range(i)", n * (n - 1) // 2, f"0 + 1 + … + {n - 1}"),
        ("range(i + 1)", n * (n + 1) // 2, f"1 + 2 + … + {n}"),
        ("range(i + 1, n)", n * (n - 1) // 2, f"{n - 1} + {n - 2} + … + 0"),
        ("range(i, n)", n * (n + 1) // 2, f"{n} + {n - 1} + … + 1"),
    )[kind]
    k = draw.between(1, 3)
    lines = ["for i in range(n):", f"    for j in {inner}:", f"        {{count}} += {k}"]
    top = n - 1 if kind in (0, 2) else n
    steps = [
        Step(f"The inner loop runs {words} times in all.", "How often the inner loop runs depends on i.", Slip(f"It runs {n} · {n} = {n * n} times.", "Only a loop that doesn't depend on i would.")),
        Step(f"That is {top} · {top + 1} ÷ 2 = {turns}.", "The sum of the first numbers is the last times the next, halved."),
    ]  # fmt: skip
    if k > 1:
        steps.append(Step(f"Each time {k} is added: {k} · {turns} = {k * turns}.", ""))
    return (
        lines,
        n,
        k * turns,
        steps,
        f"As pairs: {'i and j are different' if kind in (0, 2) else 'i and j may be equal'}, so there are {turns} of them among {n} values.",
    )


def halving(draw: Draw, level: int) -> Counted:
    k = draw.between(2, 3)
    n = draw.between(20, (0, 60, 200, 1000, 5000, 20000)[level])
    values, x = [], n
    while x > 0:
        values.append(x)
        x //= k
    lines = ["while n > 0:", "    {count} += 1", f"    n //= {k}"]
    result = len(values)
    steps = [Step(f"n takes the values {', '.join(map(str, values))} and then 0, which makes {result} turns.", f"n is divided by {k} and rounded down until it is 0.", Slip(f"It ends with 1, so it is {result - 1}.", "1 is larger than 0, so with it the loop runs once more."))]  # fmt: skip
    if draw.chance(0.5):
        m = draw.between(2, 9)
        lines = ["while n > 0:", f"    for j in range({m}):", "        {count} += 1", f"    n //= {k}"]
        steps.append(Step(f"Each time the inner loop adds {m}: {result} · {m} = {result * m}.", ""))
        result *= m
    return (
        lines,
        n,
        result,
        steps,
        f"{k}^{len(values) - 1} = {k ** (len(values) - 1)} ≤ {n} < {k ** len(values)} = {k}^{len(values)}, so there are {len(values)} turns of the outer loop.",
    )


def parts(draw: Draw, level: int) -> Counted:
    n, a, k = draw.between(7, 16 + 4 * level), draw.between(3, 8), draw.between(2, 5)
    even = (n + 1) // 2
    lines = [
        "for i in range(n):",
        "    if i % 2 == 0:",
        f"        for j in range({a}):",
        "            {count} += 1",
        "    else:",
        f"        {{count}} += {k}",
    ]
    odd = n - even
    result = even * a + odd * k
    steps = [
        Step(f"Of 0 to {n - 1}, {even} are even and {odd} are odd.", "The two branches are taken by turns.", Slip(f"Half of {n} are even, so {n / 2:g}.", "0 is even, so with an odd number of values there is one even one more.") if n % 2 else None),
        Step(f"The even ones add {a} each, {even} · {a} = {even * a}; the odd ones {k} each, {odd} · {k} = {odd * k}.", ""),
        Step(f"Together {even * a} + {odd * k} = {result}.", ""),
    ]  # fmt: skip
    return (
        lines,
        n,
        result,
        steps,
        f"If all were even it would be {n * a}; {odd} odd ones change that by {odd} · ({k} − {a}) = {odd * (k - a)}, and {n * a} {'+' if k >= a else '−'} {abs(odd * (k - a))} = {result}.",
    )


def choose(draw: Draw, level: int) -> Counted:
    n = draw.between(6, 12 + 2 * level)
    if draw.chance(0.5):
        lines = [
            "for i in range(n):",
            "    for j in range(i):",
            "        for k in range(j):",
            "            {count} += 1",
        ]
        result, rule = n * (n - 1) * (n - 2) // 6, f"{n} · {n - 1} · {n - 2} ÷ 6"
        what = "k < j < i, so every choice of three different values counts once"
    else:
        lines = [
            "for i in range(n):",
            "    for j in range(i + 1):",
            "        for k in range(j + 1):",
            "            {count} += 1",
        ]
        result, rule = n * (n + 1) * (n + 2) // 6, f"{n} · {n + 1} · {n + 2} ÷ 6"
        what = "k ≤ j ≤ i, so every choice of three values counts once, repeats allowed"
    sums = (
        [m * (m - 1) // 2 for m in range(n)] if "range(i):" in lines[1] else [(m + 1) * (m + 2) // 2 for m in range(n)]
    )
    steps = [
        Step(f"The variables fulfil {what}.", "What do the three loops go through?", Slip(f"Three loops up to {n} make {n}³ = {n**3}.", "The inner ones end earlier.")),
        Step(f"That number is {rule} = {result}.", "Choosing three of n in any order."),
    ]  # fmt: skip
    return (
        lines,
        n,
        result,
        steps,
        f"Summing what the two inner loops give for i = 0, 1, …: {' + '.join(map(str, sums[:4]))} + … + {sums[-1]} = {sum(sums)}.",
    )


def divisors(draw: Draw, level: int) -> Counted:
    n = draw.between(8, 30)
    lines = ["for i in range(1, n + 1):", "    for j in range(i, n + 1, i):", "        {count} += 1"]
    terms = [n // i for i in range(1, n + 1)]
    ones = terms.count(1)
    shown_terms = " + ".join(map(str, terms[: n - ones]))
    result = sum(terms)
    steps = [
        Step(f"For each i the inner loop goes through the multiples of i up to {n}: {n} // i of them.", "The inner loop makes steps of length i.", Slip(f"It runs {n} − i times.", "The steps have length i, so there are fewer.")),
        Step(f"{shown_terms} = {result - ones}, and the {ones} values of i above {n // 2} give 1 each: together {result}.", ""),
    ]  # fmt: skip
    root = math.isqrt(n)
    half = sum(n // i for i in range(1, root + 1))
    return (
        lines,
        n,
        result,
        steps,
        f"Counted by pairs with product at most {n}: twice the {half} with the first up to {root}, less {root}² = {root * root}, is {2 * half - root * root}.",
    )


def broken_off(draw: Draw, level: int) -> Counted:
    n, m = draw.between(8, 25), draw.between(4, 9)
    lines = [
        "for i in range(n):",
        "    for j in range(n):",
        f"        if j > i % {m}:",
        "            break",
        "        {count} += 1",
    ]
    turns = [min(i % m + 1, n) for i in range(n)]
    full, rest = divmod(n, m)
    cycle, tail = m * (m + 1) // 2, rest * (rest + 1) // 2
    result = sum(turns)
    if m > n:
        raise Unfit
    steps = [
        Step(f"For given i the values j = 0 to i % {m} are counted, which are i % {m} + 1.", "When is the inner loop left?", Slip(f"i % {m} values are counted.", "j begins with 0, so there is one more.")),
        Step(f"i % {m} + 1 goes 1, 2, …, {m} and begins again; one such cycle gives {cycle}.", ""),
        Step(f"There are {full} full cycles in {n} values and {rest} more: {full} · {cycle} + {tail} = {result}.", ""),
    ]  # fmt: skip
    return lines, n, result, steps, f"Written out, {' + '.join(map(str, turns))} = {sum(turns)}."
