"""Functions as they shouldn't be written, with the same function as it should, for what composed functions don't show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from phiforge.data.draw import Draw


class Rewriting(NamedTuple):
    """`requires` are the verifier's requirements, `wish` says them; `why` is the idea of the new version."""

    level: int
    old: str
    new: str
    wish: str
    requires: list[list[Any]]
    why: str
    arguments: Callable[[Draw], tuple[Any, ...]]
    edges: tuple[tuple[Any, ...], ...]


def _ints(draw: Draw, low: int = 0, high: int = 12) -> list[int]:
    return [draw.between(low, high) for _ in range(draw.between(2, 8))]


def _words(draw: Draw) -> list[str]:
    return [
        draw.pick(["tea", "ate", "eat", "tan", "nat", "bat", "pear", "reap", "oak", "era", "ear", "tea"])
        for _ in range(draw.between(2, 7))
    ]


_NESTED = [["no_nested_loops"]]
REWRITINGS = (
    Rewriting(2, "def has_duplicates(values: list[int]) -> bool:\n    for i in range(len(values)):\n        for j in range(i + 1, len(values)):\n            if values[i] == values[j]:\n                return True\n    return False",
        "def has_duplicates(values: list[int]) -> bool:\n    return len(set(values)) < len(values)", "without loops in loops", _NESTED, "A set holds every value once, so it is smaller than the list if one is repeated.", lambda d: (_ints(d),), (([],), ([1],), ([1, 1],))),
    Rewriting(3, "def common(first: list[int], second: list[int]) -> list[int]:\n    result = []\n    for a in first:\n        for b in second:\n            if a == b and a not in result:\n                result.append(a)\n    return result",
        "def common(first: list[int], second: list[int]) -> list[int]:\n    wanted = set(second)\n    return [a for a in dict.fromkeys(first) if a in wanted]", "without loops in loops", _NESTED, "A set answers in one step whether a value is in the second list, and `dict.fromkeys` drops repeats but keeps the order.", lambda d: (_ints(d), _ints(d)), (([], [1]), ([3, 3], [3]), ([2, 1], [1, 2]))),
    Rewriting(3, "def has_pair(numbers: list[int], target: int) -> bool:\n    for i in range(len(numbers)):\n        for j in range(len(numbers)):\n            if i != j and numbers[i] + numbers[j] == target:\n                return True\n    return False",
        "def has_pair(numbers: list[int], target: int) -> bool:\n    seen = set()\n    for number in numbers:\n        if target - number in seen:\n            return True\n        seen.add(number)\n    return False", "without loops in loops", _NESTED, "For each number, only one other number completes the sum; look for it among those seen before.", lambda d: (_ints(d), d.between(3, 20)), (([], 0), ([4], 8), ([4, 4], 8))),
    Rewriting(4, "def group_anagrams(words: list[str]) -> list[list[str]]:\n    groups = []\n    for word in words:\n        placed = False\n        for group in groups:\n            if sorted(group[0]) == sorted(word):\n                group.append(word)\n                placed = True\n                break\n        if not placed:\n            groups.append([word])\n    return groups",
        "def group_anagrams(words: list[str]) -> list[list[str]]:\n    groups = {}\n    for word in words:\n        groups.setdefault(\"\".join(sorted(word)), []).append(word)\n    return list(groups.values())", "without loops in loops", _NESTED, "Anagrams have the same sorted letters, so these are the key of a dictionary of groups.", lambda d: (_words(d),), (([],), (["a"],), (["ab", "ba", "c"],))),
    Rewriting(4, "def first_repeated(values: list[int]) -> int | None:\n    for i in range(len(values)):\n        for j in range(i):\n            if values[j] == values[i]:\n                return values[i]\n    return None",
        "def first_repeated(values: list[int]) -> int | None:\n    seen = set()\n    for value in values:\n        if value in seen:\n            return value\n        seen.add(value)\n    return None", "without loops in loops", _NESTED, "Keep a set of what was seen; the first value that is in it already is the answer.", lambda d: (_ints(d),), (([],), ([1, 2],), ([2, 1, 1, 2],))),
    Rewriting(5, "def prefix_sums(values: list[int]) -> list[int]:\n    result = []\n    for i in range(len(values)):\n        total = 0\n        for j in range(i + 1):\n            total += values[j]\n        result.append(total)\n    return result",
        "def prefix_sums(values: list[int]) -> list[int]:\n    result, total = [], 0\n    for value in values:\n        total += value\n        result.append(total)\n    return result", "without loops in loops", _NESTED, "Each sum is the one before plus one value, so carry the total along.", lambda d: (_ints(d, -5, 9),), (([],), ([3],), ([1, -1, 2],))),
    Rewriting(5, "def best_profit(prices: list[int]) -> int:\n    best = 0\n    for buy in range(len(prices)):\n        for sell in range(buy + 1, len(prices)):\n            best = max(best, prices[sell] - prices[buy])\n    return best",
        "def best_profit(prices: list[int]) -> int:\n    best = 0\n    lowest = prices[0] if prices else 0\n    for price in prices:\n        lowest = min(lowest, price)\n        best = max(best, price - lowest)\n    return best", "without loops in loops", _NESTED, "When one sells at a price, the best day to have bought was the cheapest so far.", lambda d: (_ints(d, 1, 40),), (([],), ([5],), ([5, 4, 3],), ([3, 9, 1, 6],))),
    Rewriting(2, "def factorial(n: int) -> int:\n    if n == 0:\n        return 1\n    return n * factorial(n - 1)", "def factorial(n: int) -> int:\n    result = 1\n    for k in range(2, n + 1):\n        result *= k\n    return result", "without recursion", [["no_recursion"]], "Multiply the numbers from 2 to n in a loop.", lambda d: (d.between(2, 12),), ((0,), (1,), (5,))),
    Rewriting(3, "def digit_sum(n: int) -> int:\n    total = 0\n    while n > 0:\n        total += n % 10\n        n //= 10\n    return total", "def digit_sum(n: int) -> int:\n    if n < 10:\n        return n\n    return n % 10 + digit_sum(n // 10)", "with recursion instead of a loop", [["recursion"], ["no_loops"]], "The sum is the last digit plus the sum of the others; a single digit is its own sum.", lambda d: (d.between(10, 99999),), ((0,), (7,), (10,), (999,))),
    Rewriting(3, "def fibonacci(n: int) -> int:\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)", "def fibonacci(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a", "without recursion", [["no_recursion"]], "Two neighbouring numbers of the sequence are enough to find the next.", lambda d: (d.between(2, 18),), ((0,), (1,), (2,), (10,))),
    Rewriting(4, "def power(base: int, exponent: int) -> int:\n    result = 1\n    for _ in range(exponent):\n        result *= base\n    return result", "def power(base: int, exponent: int) -> int:\n    if exponent == 0:\n        return 1\n    half = power(base, exponent // 2)\n    return half * half * (base if exponent % 2 else 1)", "with recursion instead of a loop, and without `**` or `pow`", [["recursion"], ["no_loops"], ["no_calls", ["pow"]]], "Square the half power, and multiply once more if the exponent is odd.", lambda d: (d.between(-4, 6), d.between(0, 9)), ((2, 0), (0, 3), (3, 1), (-2, 3))),
    Rewriting(4, "def reverse_text(text: str) -> str:\n    if not text:\n        return \"\"\n    return reverse_text(text[1:]) + text[0]", "def reverse_text(text: str) -> str:\n    return text[::-1]", "without recursion", [["no_recursion"]], "A slice with step -1 is the text backwards.", lambda d: ("".join(d.pick("abcxyz ") for _ in range(d.between(2, 9))),), (("",), ("a",), ("ab",))),
    Rewriting(5, "def count_leaves(tree: list) -> int:\n    leaves = 0\n    for item in tree:\n        if isinstance(item, list):\n            leaves += count_leaves(item)\n        else:\n            leaves += 1\n    return leaves", "def count_leaves(tree: list) -> int:\n    leaves, waiting = 0, [tree]\n    while waiting:\n        item = waiting.pop()\n        if isinstance(item, list):\n            waiting.extend(item)\n        else:\n            leaves += 1\n    return leaves", "without recursion", [["no_recursion"]], "A list of what is still to be looked at takes the place of the calls.", lambda d: ([d.between(0, 9), [d.between(0, 9), [d.between(0, 9)] * d.between(0, 3)], [[]] * d.between(0, 2)],), (([],), ([1],), ([[1, [2]], 3],), ([[], [[]]],))),
)  # fmt: skip

# A text that decides, what it is called, and the values it decides on: chains of ifs that become dictionaries.
CHAINS = (
    ("shipping_cost", "zone", {"domestic": (3, 6), "europe": (7, 14), "america": (15, 22), "asia": (18, 26), "africa": (17, 25)}, (28, 40)),
    ("days_in_month", "month", {"feb": (28, 28), "apr": (30, 30), "jun": (30, 30), "sep": (30, 30), "nov": (30, 30)}, (31, 31)),
    ("ticket_price", "group", {"child": (3, 6), "student": (6, 9), "senior": (5, 8), "member": (4, 7), "staff": (0, 2)}, (10, 16)),
    ("points_for", "colour", {"red": (10, 20), "green": (30, 45), "blue": (50, 60), "gold": (80, 100), "grey": (1, 5)}, (0, 0)),
    ("priority_of", "status", {"urgent": (1, 1), "high": (2, 2), "normal": (3, 3), "low": (4, 4), "idle": (7, 9)}, (10, 12)),
    ("http_meaning", "method", {"get": (100, 110), "post": (200, 210), "put": (300, 310), "delete": (400, 410), "patch": (500, 510)}, (0, 0)),
    ("calories_in", "food", {"apple": (90, 100), "banana": (100, 115), "bread": (70, 90), "egg": (75, 85), "rice": (200, 215)}, (0, 0)),
    ("speed_limit", "road", {"town": (45, 50), "street": (25, 30), "rural": (90, 100), "motorway": (120, 130), "yard": (7, 10)}, (50, 60)),
    ("wheels_of", "vehicle", {"bicycle": (2, 2), "car": (4, 4), "tricycle": (3, 3), "lorry": (6, 10), "sledge": (0, 0)}, (4, 4)),
    ("fee_for", "service", {"copy": (1, 2), "scan": (2, 4), "print": (3, 5), "binding": (8, 12), "laminate": (4, 6)}, (15, 20)),
)  # fmt: skip
