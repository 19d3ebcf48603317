"""Whole numbers: divisors, gcd and lcm, primes, remainders, powers modulo, digits, bases, and remainder systems.

`make` uses factorisations and theorems; `solve` counts and searches.
"""

from __future__ import annotations

from math import gcd, lcm
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import listed

_ASKS: dict[str, tuple[str, ...]] = {
    "gcd": ("What is the greatest common divisor of {a} and {b}?", "Find gcd({a}, {b}).", "Which is the largest number that divides both {a} and {b}?", "{a} roses and {b} tulips are to be made into as many equal bunches as possible, using all flowers. How many bunches can there be?", "Two boards of {a} cm and {b} cm are cut into equal pieces, as long as possible, without waste. How long is a piece, in cm?"),
    "lcm": ("What is the least common multiple of {a} and {b}?", "Find lcm({a}, {b}).", "Which is the smallest positive number that both {a} and {b} divide?", "One lamp flashes every {a} seconds, another every {b} seconds. Both flash now. After how many seconds do they next flash together?", "Two wheels have {a} and {b} teeth and turn against each other. After how many teeth do they stand as at the start?"),
    "divisors": ("How many positive divisors has {a}?", "Count the divisors of {a}.", "In how many ways can {a} be written as a product of two positive numbers, if the order counts?", "Find the number of positive divisors of {a}."),
    "divisor sum": ("What is the sum of all positive divisors of {a}?", "Add up the divisors of {a}, including 1 and {a}.", "Find the sum of the positive divisors of {a}."),
    "prime": ("What is the largest prime factor of {a}?", "Which is the greatest prime that divides {a}?", "Find the largest prime factor of {a}."),
    "remainder": ("What is the remainder of {a} divided by {b}?", "Find {a} mod {b}.", "{a} things are packed into boxes of {b}. How many are left over?", "Which remainder does {a} leave on division by {b}?"),
    "power": ("What is {a}^{n} mod {b}?", "Find the remainder of {a}^{n} divided by {b}.", "Which remainder does {a}^{n} leave on division by {b}?", "Compute {a}^{n} modulo {b}."),
    "last digit": ("What is the last digit of {a}^{n}?", "Find the units digit of {a}^{n}.", "With which digit does {a}^{n} end?"),
    "base": ("Write {a} in base {b}.", "What is {a} (base ten) in base {b}?", "Convert the decimal number {a} to base {b}."),
    "from base": ("Which decimal number is {text} in base {b}?", "Convert {text} from base {b} to decimal.", "The digits {text} are in base {b}. What number is it in base ten?"),
    "crt": ("Find the smallest positive number that leaves remainder {r} on division by {a} and remainder {s} on division by {b}.", "In rows of {a}, {r} soldiers are left over; in rows of {b}, {s}. What is the least positive number of soldiers?", "Which least positive n satisfies n ≡ {r} (mod {a}) and n ≡ {s} (mod {b})?"),
    "multiples": ("How many numbers from 1 to {n} are divisible by {a} or {b}?", "Count the integers from 1 to {n} that are multiples of {a} or of {b} (or both).", "Of the numbers 1, 2, …, {n}, how many can be divided by at least one of {a} and {b}?"),
    "zeros": ("With how many zeros does {n}! end?", "How many trailing zeros has {n} factorial?", "Find the number of zeros at the end of {n}!."),
    "digit sum": ("What is the sum of the digits of {a} × {b}?", "Multiply {a} by {b} and add up the digits of the result. What do you get?", "Find the digit sum of the product of {a} and {b}."),
    "inverse": ("Find the number x from 1 to {b1} with {a}x ≡ 1 (mod {b}).", "What is the inverse of {a} modulo {b}?", "Which x between 0 and {b} makes {a}x leave remainder 1 on division by {b}?"),
}  # fmt: skip
_LEVELS = (
    ("remainder", "gcd", "lcm", "digit sum"), ("gcd", "lcm", "divisors", "prime", "base"), ("divisors", "prime", "from base", "multiples", "last digit", "lcm"), ("divisor sum", "power", "crt", "multiples", "zeros"), ("power", "crt", "inverse", "zeros", "divisor sum"),
)  # fmt: skip


def factors(n: int) -> dict[int, int]:
    """Prime factors with their exponents."""
    found: dict[int, int] = {}
    p = 2
    while p * p <= n:
        while n % p == 0:
            found[p] = found.get(p, 0) + 1
            n //= p
        p += 1
    if n > 1:
        found[n] = found.get(n, 0) + 1
    return found


def _product(powers: dict[int, int]) -> str:
    return " × ".join(f"{p}^{e}" if e > 1 else str(p) for p, e in powers.items()) or "1"


def make(draw: Draw, level: int) -> Draft:
    kind = draw.pick(_LEVELS[level - 1])
    facts, answer, steps, check = _MAKERS[kind](draw, level)
    form = draw.between(0, len(_ASKS[kind]) - 1)
    question = _ASKS[kind][form].format(**facts)
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": kind, **facts},
        template=f"{kind} {form}",
        steps=steps,
        says=f"The answer is {answer}.",
        check=check,
    )


Made = tuple[dict[str, Any], str, list[Step], str]


def _two(draw: Draw, level: int) -> tuple[int, int]:
    g = draw.between(2, 4 + 5 * level)
    a, b = draw.sample(range(2, 8 + 6 * level), 2)
    return a * g, b * g


def _gcd(draw: Draw, level: int) -> Made:
    a, b = _two(draw, level)
    steps, x, y = [], max(a, b), min(a, b)
    while y:
        steps.append(
            Step(
                f"{x} = {x // y} × {y} + {x % y}.", "Euclid: divide and go on with the remainder." if not steps else ""
            )
        )
        x, y = y, x % y
    steps.append(
        Step(
            f"The last remainder that isn't 0 is {x}.",
            "",
            Slip(f"{x} divides both, but so does 1, so it is 1.", "The greatest is asked for."),
        )
    )
    return (
        {"a": a, "b": b},
        str(x),
        steps,
        f"{a} = {a // x} × {x} and {b} = {b // x} × {x}, and {a // x} and {b // x} have no common factor.",
    )


def _lcm(draw: Draw, level: int) -> Made:
    a, b = (x // draw.pick((1, 2)) or 2 for x in _two(draw, min(level, 2)))
    if a == b:
        raise Unfit
    g, m = gcd(a, b), lcm(a, b)
    slip = Slip(f"{a} × {b} = {a * b}.", f"The common factor {g} would be counted twice.") if g > 1 else None
    steps = [
        Step(f"{a} = {_product(factors(a))} and {b} = {_product(factors(b))}.", "Prime factors first."),
        Step(f"{_product(factors(m))} = {m}.", "Each prime with its highest power:", slip),
    ]
    return {"a": a, "b": b}, str(m), steps, f"{m} = {m // a} × {a} = {m // b} × {b}; and {a} × {b} / {g} = {m}."


def _some(draw: Draw, level: int) -> int:
    n = 1
    for _ in range(2 + (level + 1) // 2):
        n *= draw.pick((2, 2, 3, 3, 5, 7, 11, 13))
    return n


def _divisors(draw: Draw, level: int) -> Made:
    n = _some(draw, level)
    powers = factors(n)
    count = 1
    for e in powers.values():
        count *= e + 1
    slip = Slip(
        f"{' × '.join(map(str, powers.values()))} divisors.", "An exponent may be 0 too, so each counts one more."
    )
    steps = [
        Step(f"{n} = {_product(powers)}.", "Prime factors first."),
        Step(
            f"{' × '.join(f'({e} + 1)' for e in powers.values())} = {count}.",
            "Each exponent is chosen from 0 up.",
            slip,
        ),
    ]
    return (
        {"a": n},
        str(count),
        steps,
        f"Divisors come in pairs with product {n}; {count} is {'odd, since it is a square' if count % 2 else 'even'}.",
    )


def _divisor_sum(draw: Draw, level: int) -> Made:
    n = _some(draw, level - 1)
    powers = factors(n)
    parts = [sum(p**i for i in range(e + 1)) for p, e in powers.items()]
    total = 1
    for part in parts:
        total *= part
    steps = [
        Step(f"{n} = {_product(powers)}.", "Prime factors first."),
        Step(
            f"{'; '.join(' + '.join(str(p**i) for i in range(e + 1)) + f' = {part}' for (p, e), part in zip(powers.items(), parts, strict=True))}.",
            "For each prime the sum of its powers:",
        ),
        Step(f"{' × '.join(map(str, parts))} = {total}.", "The sums multiply."),
    ]
    small = [d for d in range(1, n + 1) if n % d == 0] if n < 4000 else []
    return (
        {"a": n},
        str(total),
        steps,
        f"The divisors are {listed(list(map(str, small)))}."
        if 0 < len(small) <= 16
        else f"1 and {n} alone give {n + 1}, and the others must make {total - n - 1}.",
    )


def _prime(draw: Draw, level: int) -> Made:
    n = _some(draw, level) * draw.pick((17, 19, 23, 29, 31, 1))
    powers = factors(n)
    steps, rest = [], n
    for p, e in powers.items():
        for _ in range(e):
            if rest != p:
                steps.append(
                    Step(
                        f"{rest} ÷ {p} = {rest // p}.", "Divide by the smallest prime that goes." if not steps else ""
                    )
                )
            rest //= p
    largest = max(powers)
    steps.append(Step(f"So {n} = {_product(powers)}, and the largest prime is {largest}."))
    return {"a": n}, str(largest), steps, f"{largest} is prime, and {n} ÷ {largest} = {n // largest}."


def _remainder(draw: Draw, level: int) -> Made:
    b = draw.between(3, 9 + 10 * level)
    a = draw.between(b + 1, 300 * level)
    q, r = divmod(a, b)
    steps = [
        Step(f"{q} × {b} = {q * b}.", f"How often does {b} go into {a}?"),
        Step(
            f"{a} − {q * b} = {r}.",
            "",
            Slip(
                f"{a} ÷ {b} ≈ {a / b:.1f}, so the remainder is {str(a / b).split('.')[1][0]}.",
                "The decimals are not the remainder.",
            )
            if r
            else None,
        ),
    ]
    return {"a": a, "b": b}, str(r), steps, f"{r} is less than {b}, and {q} × {b} + {r} = {a}."


def _power(draw: Draw, level: int) -> Made:
    b, n = draw.between(5, 13 + 4 * level), draw.between(6, 40 * level)
    a = draw.between(2, b - 1)
    steps, result, square, exponent = [], 1, a % b, n
    used: list[int] = []
    power = 1
    while exponent:
        if exponent & 1:
            used.append(square)
            result = result * square % b
        exponent >>= 1
        if exponent:
            new = square * square % b
            steps.append(
                Step(
                    f"{a}^{2 * power} ≡ {square}² = {square * square} ≡ {new} (mod {b}).",
                    "Square again and again, keeping remainders." if not steps else "",
                )
            )
            square, power = new, 2 * power
    steps.append(
        Step(
            f"{n} = {' + '.join(str(1 << i) for i in range(n.bit_length()) if n >> i & 1)}, so the result is {' × '.join(map(str, used))} ≡ {result} (mod {b}).",
            "Put the needed powers together.",
            Slip(f"{a} × {n} = {a * n} ≡ {a * n % b}.", "A power is not a product with the exponent."),
        )
    )
    return (
        {"a": a, "n": n, "b": b},
        str(result),
        steps,
        f"The remainder lies between 0 and {b - 1}, and {a}^{n} = {a} × {a}^{n - 1} with {a}^{n - 1} ≡ {pow(a, n - 1, b)}: {a} × {pow(a, n - 1, b)} = {a * pow(a, n - 1, b)} ≡ {result}.",
    )


def _last_digit(draw: Draw, level: int) -> Made:
    a, n = draw.between(2, 99), draw.between(5, 400)
    cycle = [a % 10]
    while (new := cycle[-1] * a % 10) != cycle[0]:
        cycle.append(new)
    index = (n - 1) % len(cycle)
    steps = [
        Step(
            f"The last digits of {a}, {a}^2, {a}^3, … are {', '.join(map(str, cycle))}, and again {cycle[0]}.",
            "Only the last digit matters.",
        ),
        Step(
            f"The period is {len(cycle)}, and {n} = {(n - 1) // len(cycle)} × {len(cycle)} + {index + 1}, so it is number {index + 1} of them: {cycle[index]}.",
            "",
            Slip(
                f"{n} mod {len(cycle)} = {n % len(cycle)}, so number {n % len(cycle)}.",
                "A remainder of 0 means the last of the period.",
            )
            if n % len(cycle) == 0 and len(cycle) > 1
            else None,
        ),
    ]
    return (
        {"a": a, "n": n},
        str(cycle[index]),
        steps,
        f"The parity fits: {a}^{n} is {'even' if a % 2 == 0 else 'odd'}.",
    )


def _digits(n: int, base: int) -> str:
    text = ""
    while n:
        text = str(n % base) + text
        n //= base
    return text or "0"


def _base(draw: Draw, level: int) -> Made:
    b, a = draw.pick((2, 2, 3, 4, 5, 6, 7, 8, 9)), draw.between(10, 200 * level)
    steps, n = [], a
    while n:
        steps.append(Step(f"{n} = {n // b} × {b} + {n % b}.", "Divide and keep the remainders." if not steps else ""))
        n //= b
    text = _digits(a, b)
    steps.append(
        Step(
            f"From the last to the first: {text}.",
            "",
            Slip(
                f"From the first to the last: {text[::-1]}.",
                "The first remainder is the units digit and belongs at the end.",
            )
            if text != text[::-1]
            else None,
        )
    )
    return (
        {"a": a, "b": b},
        text,
        steps,
        f"{' + '.join(f'{d} × {b**i}' for i, d in reversed(list(enumerate(reversed(text)))) if d != '0')} = {a}.",
    )


def _from_base(draw: Draw, level: int) -> Made:
    b, a = draw.pick((2, 2, 3, 4, 5, 6, 7, 8, 9)), draw.between(20, 250 * level)
    text = _digits(a, b)
    value, steps = 0, []
    for i, d in enumerate(text):
        new = value * b + int(d)
        steps.append(
            Step(f"{value} × {b} + {d} = {new}." if i else f"Begin with {d}.", "Digit by digit:" if not i else "")
        )
        value = new
    return (
        {"text": text, "b": b},
        str(a),
        steps,
        f"By places: {' + '.join(f'{d} × {b**i}' for i, d in reversed(list(enumerate(reversed(text)))) if d != '0')} = {a}.",
    )


def _crt(draw: Draw, level: int) -> Made:
    a, b = draw.sample((3, 4, 5, 7, 8, 9, 11, 13), 2)
    if gcd(a, b) > 1:
        raise Unfit
    n = draw.between(1, a * b)
    r, s = n % a, n % b
    if r == 0 or s == 0:
        raise Unfit
    large, small = max(a, b), min(a, b)
    t, u = n % large, n % small
    tried = [t + i * large for i in range(n // large + 1)]
    steps = [
        Step(
            f"Numbers with remainder {t} on division by {large}: {', '.join(map(str, tried))}, …",
            "Go through those of the larger divisor.",
        ),
        Step(
            f"Their remainders on division by {small}: {', '.join(str(x % small) for x in tried)}.", f"Wanted is {u}."
        ),
        Step(f"The first that fits is {n}."),
    ]
    return (
        {"a": a, "b": b, "r": r, "s": s},
        str(n),
        steps,
        f"{n} = {n // a} × {a} + {r} = {n // b} × {b} + {s}, and the next one would be {n + a * b}.",
    )


def _multiples(draw: Draw, level: int) -> Made:
    n = draw.between(50, 300 * level)
    a, b = draw.sample(range(2, 13), 2)
    if a % b == 0 or b % a == 0:
        raise Unfit
    m = lcm(a, b)
    x, y, z = n // a, n // b, n // m
    steps = [
        Step(f"{n} ÷ {a} gives {x} multiples of {a}; {n} ÷ {b} gives {y} of {b}.", "Whole parts of the quotients."),
        Step(
            f"{z} are multiples of both, that is of {m}.",
            "These were counted twice.",
            Slip(f"So {x} + {y} = {x + y}.", "Those divisible by both would count twice."),
        ),
        Step(f"{x} + {y} − {z} = {x + y - z}."),
    ]
    return (
        {"n": n, "a": a, "b": b},
        str(x + y - z),
        steps,
        f"The share is about 1/{a} + 1/{b} − 1/{m} = {1 / a + 1 / b - 1 / m:.3f}, and {n} times that is about {n * (1 / a + 1 / b - 1 / m):.0f}.",
    )


def _zeros(draw: Draw, level: int) -> Made:
    n = draw.between(12, 150 * level)
    parts, p = [], 5
    while p <= n:
        parts.append((p, n // p))
        p *= 5
    total = sum(q for _, q in parts)
    slip = (
        Slip(f"{n} ÷ 5 = {n // 5}, so {n // 5} zeros.", "25 and its multiples bring a second 5.")
        if len(parts) > 1
        else None
    )
    steps = [
        Step(
            f"{'; '.join(f'multiples of {p}: {q}' for p, q in parts)}.",
            "Each zero needs a 2 and a 5, and fives are rarer.",
            slip,
        ),
        Step(f"{' + '.join(str(q) for _, q in parts)} = {total}."),
    ]
    return (
        {"n": n},
        str(total),
        steps,
        f"About a quarter of {n}, {n / 4:.0f}, is the upper limit, and {total} is just below it.",
    )


def _digit_sum(draw: Draw, level: int) -> Made:
    a, b = draw.between(11, 60 * level), draw.between(3, 12 + 10 * level)
    product = a * b
    total = sum(map(int, str(product)))
    steps = [
        Step(f"{a} × {b} = {product}."),
        Step(
            f"{' + '.join(str(product))} = {total}.",
            "Now its digits:",
            Slip(
                f"The digits of {a} and {b} add up to {sum(map(int, str(a) + str(b)))}.",
                "The digits of the product are asked for.",
            ),
        ),
    ]
    return (
        {"a": a, "b": b},
        str(total),
        steps,
        f"Modulo 9, {product} and its digit sum agree: {product % 9} and {total % 9}.",
    )


def _inverse(draw: Draw, level: int) -> Made:
    b = draw.pick((7, 9, 11, 13, 16, 17, 19, 23, 25, 26, 29, 31))
    a = draw.pick([n for n in range(2, b) if gcd(n, b) == 1])
    x = pow(a, -1, b)
    k = (a * x - 1) // b
    tried = [j for j in range(k + 1) if (j * b + 1) % a == 0]
    steps = [
        Step(
            f"Numbers that leave 1: {', '.join(str(j * b + 1) for j in range(k + 1))}.",
            f"A multiple of {a} is wanted that is 1 more than a multiple of {b}.",
        ),
        Step(f"{k * b + 1} = {a} × {x}, the first that {a} divides.", ""),
    ]
    assert tried == [k]
    return {"a": a, "b": b, "b1": b - 1}, str(x), steps, f"{a} × {x} = {a * x} = {k} × {b} + 1."


_MAKERS = {
    "gcd": _gcd, "lcm": _lcm, "divisors": _divisors, "divisor sum": _divisor_sum, "prime": _prime, "remainder": _remainder, "power": _power, "last digit": _last_digit,
    "base": _base, "from base": _from_base, "crt": _crt, "multiples": _multiples, "zeros": _zeros, "digit sum": _digit_sum, "inverse": _inverse,
}  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """Count and search."""
    kind, a, b, n = facts["kind"], facts.get("a", 0), facts.get("b", 0), facts.get("n", 0)
    if kind == "gcd":
        return str(next(d for d in range(min(a, b), 0, -1) if a % d == 0 == b % d))
    if kind == "lcm":
        return str(next(m for m in range(a, a * b + 1, a) if m % b == 0))
    if kind in ("divisors", "divisor sum"):
        small = [d for d in range(1, int(a**0.5) + 1) if a % d == 0]
        every = sorted({*small, *(a // d for d in small)})
        return str(len(every) if kind == "divisors" else sum(every))
    if kind == "prime":
        rest, largest, p = a, 1, 2
        while rest > 1:
            if rest % p:
                p += 1
            else:
                rest, largest = rest // p, p
        return str(largest)
    if kind == "remainder":
        while a >= b:
            a -= b * max(1, a // b // 2)
        return str(a)
    if kind in ("power", "last digit"):
        value, modulus = 1, b or 10
        for _ in range(n):
            value = value * a % modulus
        return str(value)
    if kind == "base":
        place = 1
        while place * b <= a:
            place *= b
        text = ""
        while place:
            digit, a = divmod(a, place)
            text, place = text + str(digit), place // b
        return text
    if kind == "from base":
        return str(int(facts["text"], b))
    if kind == "crt":
        return str(next(m for m in range(1, a * b + 1) if m % a == facts["r"] and m % b == facts["s"]))
    if kind == "multiples":
        return str(len({*range(a, n + 1, a), *range(b, n + 1, b)}))
    if kind == "zeros":
        zeros = 0
        for m in range(5, n + 1, 5):
            while m % 5 == 0:
                m, zeros = m // 5, zeros + 1
        return str(zeros)
    if kind == "digit sum":
        product, total = a * b, 0
        while product:
            product, digit = divmod(product, 10)
            total += digit
        return str(total)
    return str(next(x for x in range(1, b) if a * x % b == 1))


PIPELINE = Solver(
    make, solve, knobs="level: remainders and common divisors, then primes, bases, counting, powers, remainder systems"
)
