"""Functions that every programmer meets, with the mistakes that are really made in them.

`run` says what is right, by another way than the code: cases and repairs are judged by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, permutations
from math import gcd
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._small import Case, Small

Arguments = tuple[Any, ...]


class Classic(NamedTuple):
    """`code` begins with its signature. `bugs`: a piece of the code, what stands there wrongly, and what that does."""

    level: int
    spec: str
    code: str
    arguments: Callable[[Draw], Arguments]
    run: Callable[..., Any]
    bugs: tuple[tuple[str, str, str], ...]
    note: str = ""
    edges: tuple[Arguments, ...] = ()


def _ints(draw: Draw, low: int = -9, high: int = 20, most: int = 8) -> list[int]:
    return [draw.between(low, high) for _ in range(draw.between(1, most))]


def _increasing(draw: Draw, most: int = 8) -> list[int]:
    return sorted(draw.sample(range(1, 40), draw.between(1, most)))


def _spans(draw: Draw) -> list[list[int]]:
    starts = [draw.between(0, 20) for _ in range(draw.between(1, 5))]
    return [[start, start + draw.between(1, 6)] for start in starts]


def _grid(draw: Draw) -> list[list[int]]:
    width = draw.between(1, 4)
    return [[draw.between(0, 9) for _ in range(width)] for _ in range(draw.between(1, 3))]


def _merged(spans: list[list[int]]) -> list[list[int]]:
    covered = {2 * t + h for a, b in spans for t in range(a, b) for h in (0, 1, 2)}
    marks = sorted(covered)
    pieces: list[list[int]] = []
    for mark in marks:
        if pieces and pieces[-1][1] == mark - 1:
            pieces[-1][1] = mark
        else:
            pieces.append([mark, mark])
    return [[a // 2, b // 2] for a, b in pieces]


def _balanced(text: str) -> bool:
    text = re.sub(r"[^()\[\]{}]", "", text)
    while (shorter := re.sub(r"\(\)|\[\]|\{\}", "", text)) != text:
        text = shorter
    return not text


def _roman(n: int) -> str:
    parts = []
    for digit, (one, five, ten) in zip(f"{n:04d}", ("M  ", "CDM", "XLC", "IVX"), strict=True):
        d = int(digit)
        parts.append(
            ("", one, one * 2, one * 3, one + five, five, five + one, five + one * 2, five + one * 3, one + ten)[d]
            if one != "M"
            else "M" * d
        )
    return "".join(parts)


def _changes(a: str, b: str) -> int:
    rows = {(i, j): i or j for i in range(len(a) + 1) for j in range(len(b) + 1) if not i or not j}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            rows[i, j] = min(rows[i - 1, j] + 1, rows[i, j - 1] + 1, rows[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
    return rows[len(a), len(b)]


def _word(draw: Draw) -> str:
    return draw.pick(
        (
            "listen",
            "silent",
            "kayak",
            "banana",
            "hello",
            "Python",
            "noon",
            "stats",
            "abba",
            "rhythm",
            "a",
            "queue",
            "night",
            "thing",
            "dusty",
            "study",
        )
    )


CLASSICS = (
    Classic(1, "Return whether a year is a leap year in the Gregorian calendar: divisible by 4, but not by 100 unless it is also divisible by 400.",
        "def is_leap_year(year: int) -> bool:\n    if year % 400 == 0:\n        return True\n    if year % 100 == 0:\n        return False\n    return year % 4 == 0",
        lambda d: (d.pick((d.between(1583, 2400), 100 * d.between(16, 24), 4 * d.between(400, 600))),), lambda y: (y % 16 == 0) if y % 25 == 0 else y % 4 == 0,
        (("year % 400 == 0", "year % 400 != 0", "the test for centuries is the wrong way round"), ("year % 100 == 0:\n        return False", "year % 100 == 0:\n        return True", "centuries count as leap years"), ("return year % 4 == 0", "return year % 4 != 0", "the last test is the wrong way round")), edges=((2000,), (1900,), (2023,), (2024,))),
    Classic(1, "Return the numbers from 1 to n as texts, but \"Fizz\" for multiples of 3, \"Buzz\" for multiples of 5 and \"FizzBuzz\" for multiples of both.",
        "def fizz_buzz(n: int) -> list[str]:\n    result = []\n    for i in range(1, n + 1):\n        if i % 15 == 0:\n            result.append(\"FizzBuzz\")\n        elif i % 3 == 0:\n            result.append(\"Fizz\")\n        elif i % 5 == 0:\n            result.append(\"Buzz\")\n        else:\n            result.append(str(i))\n    return result",
        lambda d: (d.between(1, 20),), lambda n: ["Fizz" * (i % 3 == 0) + "Buzz" * (i % 5 == 0) or str(i) for i in range(1, n + 1)],
        (("range(1, n + 1)", "range(1, n)", "the loop stops one too early"), ("range(1, n + 1)", "range(n)", "the loop runs from 0 to n − 1 instead of 1 to n"), ("append(str(i))", "append(i)", "other numbers are added as numbers, not as texts"), ("i % 15 == 0", "i % 8 == 0", "multiples of 3 and 5 are tested with 3 + 5 instead of 3 · 5")), edges=((15,), (3,), (0,))),
    Classic(1, "Return whether n is a prime number.",
        "def is_prime(n: int) -> bool:\n    if n < 2:\n        return False\n    divisor = 2\n    while divisor * divisor <= n:\n        if n % divisor == 0:\n            return False\n        divisor += 1\n    return True",
        lambda d: (d.pick((d.between(0, 60), d.pick((25, 49, 121, 97, 91, 169)))),), lambda n: [d for d in range(1, n + 1) if n % d == 0] == [1, n],
        (("divisor * divisor <= n", "divisor * divisor < n", "squares of primes are never tested with their root"), ("if n < 2:\n        return False", "if n < 1:\n        return False", "1 counts as prime"), ("        divisor += 1\n    return True", "        divisor += 2\n    return True", "odd divisors are never tried")), edges=((0,), (1,), (2,), (9,), (25,), (15,))),
    Classic(2, "Return the greatest common divisor of two non-negative integers.",
        "def greatest_common_divisor(a: int, b: int) -> int:\n    while b:\n        a, b = b, a % b\n    return a",
        lambda d: (d.pick((2, 3, 6, 12)) * d.between(1, 15), d.pick((2, 4, 6, 9)) * d.between(0, 15)), gcd,
        (("a, b = b, a % b", "a, b = b, a // b", "it goes on with the quotient instead of the remainder"), ("return a", "return b", "it returns the variable that is 0 at the end")), "The greatest common divisor of a and 0 is a.", ((12, 18), (7, 0), (0, 5), (9, 9))),
    Classic(2, "Return the index of target in a list that is sorted in increasing order without repeats, by binary search, or -1 if it isn't there.",
        "def binary_search(numbers: list[int], target: int) -> int:\n    low, high = 0, len(numbers) - 1\n    while low <= high:\n        middle = (low + high) // 2\n        if numbers[middle] == target:\n            return middle\n        if numbers[middle] < target:\n            low = middle + 1\n        else:\n            high = middle - 1\n    return -1",
        lambda d: (xs := _increasing(d), d.pick((d.pick(xs), d.between(0, 41)))), lambda xs, t: xs.index(t) if t in xs else -1,
        (("while low <= high", "while low < high", "the last remaining element is never looked at"), ("0, len(numbers) - 1", "1, len(numbers) - 1", "the first element is never looked at"), ("numbers[middle] < target", "numbers[middle] > target", "it goes on in the wrong half"), ("return -1", "return low", "a missing target is reported at a place")), edges=(([], 3), ([5], 5), ([2, 4, 6], 2), ([2, 4, 6], 6), ([2, 4, 6], 5))),
    Classic(2, "Return whether two words are anagrams of each other, ignoring case.",
        "def are_anagrams(first: str, second: str) -> bool:\n    if len(first) != len(second):\n        return False\n    return sorted(first.lower()) == sorted(second.lower())",
        lambda d: (w := _word(d), d.pick(("".join(d.shuffled(w)).title(), _word(d)))), lambda a, b: tuple(b.lower()) in set(permutations(a.lower())) if len(a) < 6 else all(a.lower().count(c) == b.lower().count(c) for c in (a + b).lower()),
        (("sorted(first.lower())", "sorted(first)", "only the second word is turned into lower case"), ("sorted(first.lower()) == sorted(second.lower())", "set(first.lower()) == set(second.lower())", "sets forget how often a letter occurs"), ("return sorted(first.lower()) == sorted(second.lower())", "return first.lower() == second.lower()", "it compares the words without sorting their letters")), edges=(("Listen", "Silent"), ("aab", "abb"), ("", ""), ("Noon", "noon"))),
    Classic(2, "Return whether every bracket in a text, of the kinds (), [] and {}, is closed by the right one in the right order. Other characters don't matter.",
        "def is_balanced(text: str) -> bool:\n    pairs = {\")\": \"(\", \"]\": \"[\", \"}\": \"{\"}\n    stack = []\n    for char in text:\n        if char in \"([{\":\n            stack.append(char)\n        elif char in pairs:\n            if not stack or stack.pop() != pairs[char]:\n                return False\n    return not stack",
        lambda d: ("".join(d.pick("()[]{}()a") for _ in range(d.between(1, 6))) if d.chance(0.5) else d.pick(("(a[b]{c})", "{[()]}", "f(x[0])", "([)]", "((", "a+b", "}{", "[()]]", "{(})")),), _balanced,
        (("    return not stack", "    return True", "brackets that are never closed go unnoticed"), ("if not stack or stack.pop() != pairs[char]", "if stack and stack.pop() != pairs[char]", "a closing bracket with nothing open goes unnoticed"), ("in \"([{\"", "in \"([\"", "opening braces are ignored")), edges=(("",), ("(",), (")",), ("([)]",), ("{[()]}",), ("{}",))),
    Classic(2, "Encode a text by run lengths: each run of one character becomes the character followed by the length of the run.",
        "def run_length_encode(text: str) -> str:\n    if not text:\n        return \"\"\n    result = []\n    current, count = text[0], 1\n    for char in text[1:]:\n        if char == current:\n            count += 1\n        else:\n            result.append(f\"{current}{count}\")\n            current, count = char, 1\n    result.append(f\"{current}{count}\")\n    return \"\".join(result)",
        lambda d: ("".join(d.pick("abcd") * d.between(1, 4) for _ in range(d.between(1, 5))),), lambda t: re.sub(r"(.)\1*", lambda m: f"{m[1]}{len(m[0])}", t),
        (("    result.append(f\"{current}{count}\")\n    return", "    return", "the last run is never added"), ("current, count = char, 1\n", "current, count = char, 0\n", "the first character of a new run isn't counted"), ("current, count = text[0], 1", "current, count = text[0], 0", "the first character of the text isn't counted")), edges=(("",), ("a",), ("aab",), ("zzz",))),
    Classic(3, "Merge spans [start, end] that overlap or touch, and return them sorted by start.",
        "def merge_spans(spans: list[list[int]]) -> list[list[int]]:\n    merged = []\n    for start, end in sorted(spans):\n        if merged and start <= merged[-1][1]:\n            merged[-1][1] = max(merged[-1][1], end)\n        else:\n            merged.append([start, end])\n    return merged",
        lambda d: (_spans(d),), _merged,
        (("start <= merged[-1][1]", "start < merged[-1][1]", "spans that only touch stay apart"), ("max(merged[-1][1], end)", "end", "a span that lies inside another makes it shorter"), ("in sorted(spans)", "in spans", "it relies on an order that the spans need not have")), edges=(([],), ([[1, 4], [4, 6]],), ([[1, 9], [2, 3]],), ([[5, 6], [1, 2]],))),
    Classic(3, "Return the averages of all windows of size neighbours in a list, in order, rounded down to whole numbers.",
        "def moving_averages(values: list[int], size: int) -> list[int]:\n    if size > len(values):\n        return []\n    total = sum(values[:size])\n    averages = [total // size]\n    for i in range(size, len(values)):\n        total += values[i] - values[i - size]\n        averages.append(total // size)\n    return averages",
        lambda d: (_ints(d, 0, 30, 8), d.between(1, 4)), lambda xs, n: [sum(w) // n for w in zip(*(xs[i:] for i in range(n)), strict=False)],
        (("values[i] - values[i - size]", "values[i] - values[i - size + 1]", "the value that leaves the window is the wrong one"), ("range(size, len(values))", "range(size, len(values) - 1)", "the last window is left out"), ("averages.append(total // size)", "averages.append(total // len(values))", "the sum is divided by the length of the list instead of that of the window")), "If the list is shorter than size, return an empty list.", (([], 2), ([4], 1), ([1, 2, 3, 4], 2), ([5, 7], 3))),
    Classic(3, "Return the transpose of a matrix that is given as a list of rows of equal length.",
        "def transpose(matrix: list[list[int]]) -> list[list[int]]:\n    if not matrix:\n        return []\n    result = []\n    for column in range(len(matrix[0])):\n        result.append([row[column] for row in matrix])\n    return result",
        lambda d: (_grid(d),), lambda m: [list(c) for c in zip(*m, strict=True)],
        (("range(len(matrix[0]))", "range(len(matrix))", "it counts rows where it should count columns"), ("row[column] for row in matrix", "row[column] for row in matrix[1:]", "the first row is left out"), ("[row[column] for row in matrix]", "[row[column] for row in reversed(matrix)]", "the rows come in reverse order, so the matrix is turned instead of transposed")), "The transpose of an empty matrix is empty.", (([],), ([[1, 2, 3]],), ([[1, 2], [3, 4], [5, 6]],))),
    Classic(3, "Return the positions i < j of the first two numbers in a list that add up to target, as a list [i, j] with the smallest j, or None if there are none.",
        "def two_sum(numbers: list[int], target: int) -> list[int] | None:\n    seen = {}\n    for j, number in enumerate(numbers):\n        if target - number in seen:\n            return [seen[target - number], j]\n        if number not in seen:\n            seen[number] = j\n    return None",
        lambda d: (_xs := _ints(d, 0, 12, 8), d.between(3, 20)), lambda xs, t: next(([i, j] for j in range(len(xs)) for i in range(j) if xs[i] + xs[j] == t), None),
        (("        if target - number in seen:\n            return [seen[target - number], j]\n        if number not in seen:\n            seen[number] = j", "        seen[number] = j\n        if target - number in seen:\n            return [seen[target - number], j]", "a number is remembered before it is tested, so it can be paired with itself"), ("return [seen[target - number], j]", "return [j, seen[target - number]]", "the two positions are in the wrong order"), ("        if number not in seen:\n            seen[number] = j", "        seen[number] = j", "a later position overwrites the first one of an equal number")), "Of several i for that j, take the smallest.", (([], 4), ([2], 4), ([4, 4], 8), ([3, 3, 5], 8), ([2, 9], 4))),
    Classic(3, "Convert a whole number from 1 to 3999 to a Roman numeral.",
        "def to_roman(number: int) -> str:\n    symbols = [\n        (1000, \"M\"), (900, \"CM\"), (500, \"D\"), (400, \"CD\"), (100, \"C\"), (90, \"XC\"), (50, \"L\"),\n        (40, \"XL\"), (10, \"X\"), (9, \"IX\"), (5, \"V\"), (4, \"IV\"), (1, \"I\"),\n    ]\n    result = \"\"\n    for value, symbol in symbols:\n        while number >= value:\n            result += symbol\n            number -= value\n    return result",
        lambda d: (d.pick((d.between(1, 60), d.between(80, 1999))),), _roman,
        (("while number >= value", "while number > value", "a rest that equals a symbol's value is never written as it"), ("        while number >= value", "        if number >= value", "every symbol is written at most once"), (", (4, \"IV\")", "", "4 is missing in the table"), ("(40, \"XL\"), ", "", "40 is missing in the table")), edges=((4,), (9,), (40,), (1994,), (3,), (2000,))),
    Classic(3, "Shift every letter of a text by a number of places in the alphabet, starting again at a after z. Capitals stay capitals, and other characters stay as they are.",
        "def caesar(text: str, shift: int) -> str:\n    result = []\n    for char in text:\n        if char.isalpha():\n            base = ord(\"A\") if char.isupper() else ord(\"a\")\n            result.append(chr((ord(char) - base + shift) % 26 + base))\n        else:\n            result.append(char)\n    return \"\".join(result)",
        lambda d: (d.pick(("Hello, World", "xyz", "Zoo at 9", "attack at dawn", "Veni vidi vici", "a-b-c")), d.between(-5, 30)), lambda t, k: "".join((a := "abcdefghijklmnopqrstuvwxyz", a[(a.index(c.lower()) + k) % 26].upper() if c.isupper() else a[(a.index(c) + k) % 26])[1] if c.lower() != c.upper() else c for c in t),
        (("(ord(char) - base + shift) % 26 + base", "ord(char) + shift", "letters run over the end of the alphabet"), ("ord(\"A\") if char.isupper() else ord(\"a\")", "ord(\"a\")", "capitals are treated as if they were small letters"), ("        else:\n            result.append(char)\n", "", "everything but letters is lost")), "The shift may be negative or larger than 25.", (("", 3), ("xyz", 3), ("Az!", 1), ("abc", -1))),
    Classic(3, "Flatten a list that may hold lists at any depth into one list of numbers, in the same order.",
        "def flatten(items: list) -> list[int]:\n    flat = []\n    for item in items:\n        if isinstance(item, list):\n            flat.extend(flatten(item))\n        else:\n            flat.append(item)\n    return flat",
        lambda d: (d.pick(([1, [2, [3, d.between(4, 9)]], d.between(0, 9)], [[d.between(0, 9)], [], [[d.between(0, 9), 7]]], [d.between(0, 5), d.between(0, 5)], [[[[d.between(0, 9)]]]], [[1, 2], d.between(3, 9), [[5], 6]])),), lambda x: [int(n) for n in re.findall(r"\d+", repr(x))],
        (("flat.extend(flatten(item))", "flat.append(flatten(item))", "the flattened inner list is added as one item"), ("flat.extend(flatten(item))", "flat.extend(item)", "only one level is flattened"), ("flat.extend(flatten(item))", "flat = flatten(item)", "what was collected before an inner list is lost")), edges=(([],), ([1, [2, [3]]],), ([[], [1]],))),
    Classic(4, "Return the edit distance of two words: the smallest number of insertions, deletions and replacements of single letters that turn one into the other.",
        "def edit_distance(first: str, second: str) -> int:\n    previous = list(range(len(second) + 1))\n    for i, a in enumerate(first, 1):\n        current = [i]\n        for j, b in enumerate(second, 1):\n            cost = 0 if a == b else 1\n            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost))\n        previous = current\n    return previous[-1]",
        lambda d: (_word(d), _word(d)), _changes,
        (("cost = 0 if a == b else 1", "cost = 1 if a == b else 0", "equal letters cost and different ones don't"), ("enumerate(first, 1)", "enumerate(first)", "the first column of the table is numbered from 0"), ("previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost", "previous[j] + 1, previous[j - 1] + cost", "insertions are never considered"), ("        previous = current\n", "", "the table is never carried from one row to the next")), edges=(("", ""), ("", "abc"), ("kitten", "sitting"), ("same", "same"))),
    Classic(4, "Return the largest sum of a contiguous, non-empty part of a list of integers.",
        "def max_subarray(numbers: list[int]) -> int:\n    best = current = numbers[0]\n    for number in numbers[1:]:\n        current = max(number, current + number)\n        best = max(best, current)\n    return best",
        lambda d: (_ints(d, -9, 9, 8),), lambda xs: max(sum(xs[i:j]) for i in range(len(xs)) for j in range(i + 1, len(xs) + 1)),
        (("best = current = numbers[0]", "best = current = 0", "an empty part counts, so lists of negative numbers give 0"), ("max(number, current + number)", "max(0, current + number)", "a part may become empty on the way"), ("    return best", "    return current", "it returns the best part that ends at the end"), ("        best = max(best, current)\n", "        best = current\n", "a good part is forgotten when it gets worse")), edges=(([-3, -1, -2],), ([5],), ([1, -5, 4, 2],), ([-2, 1, -3, 4, -1, 2, 1, -5, 4],))),
    Classic(4, "Parse a duration such as \"2h30m15s\" and return it in seconds. Each part may be missing, but the parts that are there come in this order.",
        "def parse_duration(text: str) -> int:\n    factors = {\"h\": 3600, \"m\": 60, \"s\": 1}\n    total, digits = 0, \"\"\n    for char in text:\n        if char.isdigit():\n            digits += char\n        else:\n            total += int(digits) * factors[char]\n            digits = \"\"\n    return total",
        lambda d: ("".join(f"{d.between(1, 59)}{unit}" for unit in "hms" if d.chance(0.6)) or f"{d.between(1, 9)}h",), lambda t: sum(int(n) * 60 ** "smh".index(u) for n, u in re.findall(r"(\d+)(\w)", t)),
        (("            digits = \"\"\n", "", "the digits of one part are carried into the next"), ("digits += char", "digits = char", "only the last digit of a number is kept"), ("\"h\": 3600", "\"h\": 60", "an hour is taken for 60 seconds"), ("total += int(digits)", "total = int(digits)", "only the last part counts")), "An empty text is 0 seconds.", (("",), ("1h",), ("45s",), ("10m5s",), ("1h1m1s",))),
    Classic(4, "Rotate a square matrix by 90 degrees clockwise and return the new matrix.",
        "def rotate(matrix: list[list[int]]) -> list[list[int]]:\n    n = len(matrix)\n    result = [[0] * n for _ in range(n)]\n    for i in range(n):\n        for j in range(n):\n            result[j][n - 1 - i] = matrix[i][j]\n    return result",
        lambda d: (n := d.between(1, 3), [[d.between(0, 9) for _ in range(n)] for _ in range(n)])[1:], lambda m: [list(c) for c in zip(*m[::-1], strict=True)],
        (("[[0] * n for _ in range(n)]", "[[0] * n] * n", "all rows are one and the same list"), ("result[j][n - 1 - i]", "result[j][i]", "the matrix is transposed instead of rotated"), ("result[j][n - 1 - i]", "result[n - 1 - j][i]", "it rotates the other way"), ("result[j][n - 1 - i]", "result[j][n - i]", "the column runs over the end by one")), edges=(([],), ([[1, 2], [3, 4]],), ([[7]],))),
    Classic(4, "Return all prime numbers up to and including n, in order, by the sieve of Eratosthenes.",
        "def primes_up_to(n: int) -> list[int]:\n    is_prime = [True] * (n + 1)\n    is_prime[:2] = [False] * min(2, n + 1)\n    for i in range(2, int(n**0.5) + 1):\n        if is_prime[i]:\n            for multiple in range(i * i, n + 1, i):\n                is_prime[multiple] = False\n    return [i for i, prime in enumerate(is_prime) if prime]",
        lambda d: (d.between(0, 50),), lambda n: [k for k in range(2, n + 1) if all(k % d for d in range(2, k))],
        (("range(i * i, n + 1, i)", "range(i, n + 1, i)", "the primes cross out themselves"), ("range(i * i, n + 1, i)", "range(i * i, n, i)", "n itself is never crossed out"), ("int(n**0.5) + 1", "int(n**0.5)", "the largest possible divisor is never used"), ("    is_prime[:2] = [False] * min(2, n + 1)\n", "", "0 and 1 count as prime")), edges=((0,), (1,), (2,), (9,), (25,), (30,))),
    Classic(4, "Return the coins of the given kinds that pay an amount, largest first, always taking the largest coin that still fits, or None if something is left at the end.",
        "def pay(amount: int, coins: list[int]) -> list[int] | None:\n    used = []\n    for coin in sorted(coins, reverse=True):\n        while amount >= coin:\n            used.append(coin)\n            amount -= coin\n    return used if amount == 0 else None",
        lambda d: (d.between(1, 99), d.pick(([1, 2, 5, 10, 20, 50], [5, 10, 25], [1, 3, 4, 10], [2, 5, 10, 50], [25, 1, 10, 5]))), lambda a, c: (_r := [x for i, x in enumerate(sorted(c)[::-1]) for _ in range(_left(a, sorted(c)[::-1][:i]) // x)]) if _left(a, sorted(c)[::-1]) == 0 else None,
        (("while amount >= coin", "while amount > coin", "a rest that is exactly one coin is not paid"), ("sorted(coins, reverse=True)", "sorted(coins)", "it begins with the smallest coin"), ("        while amount >= coin", "        if amount >= coin", "every kind of coin is used at most once"), ("used if amount == 0 else None", "used", "what can't be paid goes unnoticed")), "An amount of 0 is paid by an empty list.", ((0, [1, 2]), (3, [5]), (30, [25, 10, 5, 1]), (10, [5, 10]))),
    Classic(5, "Return the next larger number with the same decimal digits as n, or -1 if there is none.",
        "def next_larger(n: int) -> int:\n    digits = list(str(n))\n    i = len(digits) - 2\n    while i >= 0 and digits[i] >= digits[i + 1]:\n        i -= 1\n    if i < 0:\n        return -1\n    j = len(digits) - 1\n    while digits[j] <= digits[i]:\n        j -= 1\n    digits[i], digits[j] = digits[j], digits[i]\n    digits[i + 1:] = reversed(digits[i + 1:])\n    return int(\"\".join(digits))",
        lambda d: (d.between(1, 9999),), lambda n: min((k for k in (int("".join(p)) for p in permutations(str(n))) if k > n), default=-1),
        (("digits[i] >= digits[i + 1]", "digits[i] > digits[i + 1]", "equal digits count as rising"), ("digits[j] <= digits[i]", "digits[j] < digits[i]", "a digit may be swapped with an equal one"), ("    digits[i + 1:] = reversed(digits[i + 1:])\n", "", "the tail stays in falling order, so the number is too large")), edges=((12,), (21,), (1243,), (122,), (1332,), (9,))),
    Classic(5, "Evaluate an expression in reverse Polish notation, given as a list of tokens: whole numbers and the operators +, - and *.",
        "def evaluate_rpn(tokens: list[str]) -> int:\n    stack = []\n    for token in tokens:\n        if token in (\"+\", \"-\", \"*\"):\n            right = stack.pop()\n            left = stack.pop()\n            if token == \"+\":\n                stack.append(left + right)\n            elif token == \"-\":\n                stack.append(left - right)\n            else:\n                stack.append(left * right)\n        else:\n            stack.append(int(token))\n    return stack.pop()",
        lambda d: (_polish(d, d.between(1, 4)),), lambda tokens: _reduced(list(tokens)),
        (("            right = stack.pop()\n            left = stack.pop()", "            left = stack.pop()\n            right = stack.pop()", "left and right operand are swapped, which shows with -"), ("stack.append(int(token))", "stack.append(token)", "numbers stay texts"), ("stack.append(left - right)", "stack.append(left + right)", "a minus adds")), edges=((["7"],), (["5", "2", "-"],), (["2", "3", "4", "*", "+"],))),
    Classic(5, "Return the length of the longest strictly increasing subsequence of a list; its elements need not stand next to each other.",
        "def longest_increasing(numbers: list[int]) -> int:\n    lengths = []\n    for i, number in enumerate(numbers):\n        best = 0\n        for j in range(i):\n            if numbers[j] < number:\n                best = max(best, lengths[j])\n        lengths.append(best + 1)\n    return max(lengths, default=0)",
        lambda d: (_ints(d, 0, 12, 7),), lambda xs: max(k for k in range(len(xs) + 1) for s in combinations(xs, k) if list(s) == sorted(set(s))),
        (("numbers[j] < number", "numbers[j] <= number", "equal numbers count as increasing"), ("best = max(best, lengths[j])", "best = lengths[j]", "a later, shorter one replaces a better one"), ("max(lengths, default=0)", "lengths[-1] if lengths else 0", "only subsequences that end with the last number count")), edges=(([],), ([3],), ([3, 3],), ([2, 3, 1, 4],), ([1, 9, 2, 3],))),
    Classic(5, "Return a fraction numerator/denominator in lowest terms as a list [numerator, denominator] with a positive denominator.",
        "def lowest_terms(numerator: int, denominator: int) -> list[int]:\n    a, b = abs(numerator), abs(denominator)\n    while b:\n        a, b = b, a % b\n    if denominator < 0:\n        a = -a\n    return [numerator // a, denominator // a]",
        lambda d: (d.between(-30, 30), d.pick((-1, 1)) * d.between(1, 24)), lambda n, m: [Fraction(n, m).numerator, Fraction(n, m).denominator],
        (("    if denominator < 0:\n        a = -a\n", "", "a negative denominator stays negative"), ("denominator < 0", "numerator < 0", "the sign is decided by the wrong number"), ("[numerator // a, denominator // a]", "[numerator, denominator]", "nothing is ever divided by the common divisor")), edges=((0, 5), (6, -4), (-6, -4), (8, 2))),
)  # fmt: skip


# What the code rests on, function by function.
IDEAS = {
    "is_leap_year": "Test the rarest case first: multiples of 400, then other centuries, then multiples of 4.",
    "fizz_buzz": "Multiples of both 3 and 5 are multiples of 15, and have to be tested before the others.",
    "is_prime": "If n has a divisor other than 1 and n, it has one whose square is at most n.",
    "greatest_common_divisor": "Euclid: the common divisors of a and b are those of b and a mod b, until the remainder is 0.",
    "binary_search": "Keep the two ends of the part where the target can still be, and halve it each time.",
    "are_anagrams": "Two words are anagrams when their letters, sorted, are the same.",
    "is_balanced": "A stack holds the brackets that are open; a closing one has to match the last of them.",
    "run_length_encode": "Count the current run, and write it down when another character begins or the text ends.",
    "merge_spans": "Sorted by start, a span can only overlap the last of those merged so far.",
    "moving_averages": "From one window to the next one value comes in and one goes out, so the sum need not be formed anew.",
    "transpose": "Row number j of the result is column number j of the matrix.",
    "two_sum": "Remember where each number was first seen, and look for the missing part of the sum among them.",
    "to_roman": "Go down a list of symbols, with 900, 400, 90, 40, 9 and 4 in it, and take each as often as it fits.",
    "caesar": "Count letters from 0, add the shift modulo 26, and count back, for small letters and capitals apart.",
    "flatten": "An inner list is flattened by the same function, and its numbers are added one by one.",
    "edit_distance": "A table of distances between beginnings: each entry comes from the one above, to the left and diagonally.",
    "max_subarray": "The best part that ends here either begins here or continues the best one that ended just before.",
    "parse_duration": "Collect digits until a unit comes, then add that many of the unit.",
    "rotate": "Row i becomes the column that is i from the right.",
    "primes_up_to": "Cross out the multiples of every prime, from its square on.",
    "pay": "With the coins sorted, take each as often as it fits, and see whether something is left.",
    "next_larger": "Behind the last place where digits rise, the digits fall: swap in the next larger one and reverse that tail.",
    "evaluate_rpn": "Numbers go on a stack; an operator takes the two on top, the upper one being its right side.",
    "longest_increasing": "For each place, the best sequence that ends there extends the best one that ends at a smaller number before it.",
    "lowest_terms": "Divide both by their greatest common divisor, with the sign of the denominator.",
}


def _left(amount: int, coins: list[int]) -> int:
    for coin in coins:
        amount %= coin
    return amount


def _polish(draw: Draw, n: int) -> list[str]:
    if n == 0:
        return [str(draw.between(1, 9))]
    left = draw.between(0, n - 1)
    return [*_polish(draw, left), *_polish(draw, n - 1 - left), draw.pick("+-*-")]


def _reduced(tokens: list[str]) -> int:
    """By rewriting: the first operator and the two numbers before it become one number."""
    while len(tokens) > 1:
        i = next(i for i, token in enumerate(tokens) if token in "+-*")
        a, b = int(tokens[i - 2]), int(tokens[i - 1])
        tokens[i - 2 : i + 1] = [str({"+": a + b, "-": a - b, "*": a * b}[tokens[i]])]
    return int(tokens[0])


def classic(draw: Draw, level: int) -> Small:
    """One of the well-known functions that fit a level, with cases."""
    chosen = draw.pick([each for each in CLASSICS if abs(each.level - level) <= 1])
    arguments = [*chosen.edges]
    for _ in range(30):
        new = chosen.arguments(draw)
        if new not in arguments:
            arguments.append(new)
        if len(arguments) == len(chosen.edges) + 5:
            break
    cases: list[Case] = [(each, chosen.run(*each)) for each in arguments]
    signature, _, body = chosen.code.partition("\n")
    name = signature[4 : signature.index("(")]
    lines = [("", line) for line in body.split("\n")]
    return Small(
        name,
        signature,
        chosen.spec,
        chosen.note,
        chosen.code,
        draw.shuffled(cases),
        lines,
        "classic",
        bugs=list(chosen.bugs),
        idea=IDEAS[name],
    )
