"""Operations on lists of whole numbers, and the worlds that such lists come from."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate, groupby, pairwise
from typing import Any, NamedTuple

from phiforge.data.pipelines.code._operation import Operation


class World(NamedTuple):
    """Where values come from: the parameter's name, what one and many are called, and their range."""

    parameter: str
    one: str
    many: str
    low: int
    high: int
    plain: bool = False


WORLDS = (
    World("numbers", "number", "numbers", -20, 30, True),
    World("values", "value", "whole numbers", -9, 25, True),
    World("nums", "number", "integers", 0, 60, True),
    World("codes", "code", "numeric codes", 10, 99, True),
    World("ids", "id", "ticket numbers", 100, 999, True),
    World("temperatures", "temperature", "temperatures in °C", -12, 35),
    World("scores", "score", "test scores", 0, 100),
    World("steps", "step count", "daily step counts", 800, 16000),
    World("prices", "price", "prices in cents", 20, 2500),
    World("balances", "balance", "account balances in euros", -400, 900),
    World("readings", "reading", "sensor readings", -50, 90),
    World("ages", "age", "ages in years", 1, 90),
    World("durations", "duration", "call durations in seconds", 5, 900),
    World("visits", "visit count", "daily visit counts", 0, 400),
    World("levels", "level", "water levels in centimetres", 20, 480),
    World("weights", "weight", "parcel weights in grams", 50, 4000),
    World("delays", "delay", "train delays in minutes", 0, 75),
    World("sales", "sales figure", "daily sales figures", 0, 300),
    World("rainfall", "rainfall", "daily rainfall figures in mm", 0, 40),
    World("pulses", "pulse", "pulse readings", 48, 165),
    World("laps", "lap time", "lap times in seconds", 55, 140),
    World("moves", "move", "moves along a line, negative to the left", -9, 9),
    World("hours", "number of hours", "hours worked per day", 0, 12),
    World("stock", "stock level", "stock levels", 0, 250),
)


def _keep(
    tag: str, says: str, code: str, run: Any, parameters: str = "", level: int = 1, plain: bool = False
) -> Operation:
    return Operation("keep", "numbers", "numbers", tag, says, code, run, parameters, level, plain)


def _map(
    tag: str, says: str, code: str, run: Any, parameters: str = "", level: int = 1, plain: bool = False
) -> Operation:
    return Operation("map", "numbers", "numbers", tag, says, code, run, parameters, level, plain)


def _list(
    tag: str, says: str, code: str, run: Any, parameters: str = "", level: int = 2, plain: bool = False
) -> Operation:
    return Operation("list", "numbers", "numbers", tag, says, code, run, parameters, level, plain)


def _fold(
    gives: str, returns: str, tag: str, says: str, code: str, run: Any, empty: str = "", level: int = 1, parameters: str = "", plain: bool = False
) -> Operation:  # fmt: skip
    return Operation("fold", "numbers", gives, tag, says, code, run, parameters, level, plain, empty, returns)


def _longest(xs: list[int], goes_on: Any) -> int:
    best = now = 0
    for i, x in enumerate(xs):
        now = now + 1 if i and goes_on(xs[i - 1], x) else 1
        best = max(best, now)
    return best


def _uniq(xs: list[Any]) -> list[Any]:
    return [x for i, x in enumerate(xs) if x not in xs[:i]]


def _commonest(xs: list[int]) -> int | None:
    return min(Counter(xs).items(), key=lambda pair: (-pair[1], pair[0]))[0] if xs else None


def _product(xs: list[int]) -> int:
    result = 1
    for x in xs:
        result *= x
    return result


OPERATIONS = (
    # --- keep some
    _keep("positive", "keep only the positive ones", "{v} > 0", lambda v, p: v >= 1),
    _keep("nonnegative", "drop the negative ones", "{v} >= 0", lambda v, p: not v < 0),
    _keep("even", "keep only the even ones", "{v} % 2 == 0", lambda v, p: not v & 1, plain=True),
    _keep("odd", "keep only the odd ones", "{v} % 2 == 1", lambda v, p: v & 1 == 1, plain=True),
    _keep("high", "keep only those of at least {k}", "{v} >= {k}", lambda v, p: not v < p["k"], "k low"),
    _keep("high", "keep only those above {k}", "{v} > {k}", lambda v, p: not v <= p["k"], "k low"),
    _keep("low", "keep only those below {k}", "{v} < {k}", lambda v, p: v - p["k"] < 0, "k high"),
    _keep("low", "drop everything above {k}", "{v} <= {k}", lambda v, p: v - p["k"] <= 0, "k high"),
    _keep("valid", "keep only those from {a} to {b}, both included", "{a} <= {v} <= {b}", lambda v, p: v in range(p["a"], p["b"] + 1), "a low;b high"),
    _keep("outlying", "keep only those below {a} or above {b}", "{v} < {a} or {v} > {b}", lambda v, p: v not in range(p["a"], p["b"] + 1), "a low;b high", 2),
    _keep("divisible", "keep only the multiples of {k}", "{v} % {k} == 0", lambda v, p: v == v // p["k"] * p["k"], "k 3 7", plain=True),
    _keep("indivisible", "drop the multiples of {k}", "{v} % {k} != 0", lambda v, p: v != v // p["k"] * p["k"], "k 2 5", plain=True),
    _keep("nonzero", "drop the zeros", "{v} != 0", lambda v, p: bool(v)),
    _keep("ending", "keep only those whose last digit is {d}, whatever their sign", "abs({v}) % 10 == {d}", lambda v, p: str(v)[-1] == str(p["d"]), "d 0 9", 2, True),
    _keep("near", "keep only those within {k} of {m}", "abs({v} - {m}) <= {k}", lambda v, p: p["m"] - p["k"] <= v <= p["m"] + p["k"], "m low;k 4 12", 2, True),
    _keep("double_digit", "keep only those with exactly two digits, whatever their sign", "10 <= abs({v}) <= 99", lambda v, p: len(str(abs(v))) == 2, "", 2, True),
    # --- change each
    _map("doubled", "double each", "{v} * 2", lambda v, p: v + v, plain=True),
    _map("scaled", "multiply each by {k}", "{v} * {k}", lambda v, p: sum([v] * p["k"]), "k 3 9", plain=True),
    _map("raised", "add {k} to each", "{v} + {k}", lambda v, p: p["k"] + v, "k 2 15"),
    _map("squared", "square each", "{v} ** 2", lambda v, p: v * v, plain=True),
    _map("absolute", "replace each by its absolute value", "abs({v})", lambda v, p: v if v >= 0 else -v, plain=True),
    _map("capped", "replace everything above {k} by {k}", "min({v}, {k})", lambda v, p: p["k"] if v > p["k"] else v, "k high"),
    _map("floored", "replace everything below {k} by {k}", "max({v}, {k})", lambda v, p: p["k"] if v < p["k"] else v, "k low"),
    _map("clamped", "limit each to the range from {a} to {b}", "max({a}, min({v}, {b}))", lambda v, p: sorted((p["a"], v, p["b"]))[1], "a low;b high", 2),
    _map("halved", "halve each, rounding down", "{v} // 2", lambda v, p: v >> 1, plain=True),
    _map("remainders", "take each modulo {k}", "{v} % {k}", lambda v, p: v - v // p["k"] * p["k"], "k 3 9", 2, True),
    _map("digit_sums", "replace each by the sum of its digits, ignoring the sign", "sum(int(digit) for digit in str(abs({v})))", lambda v, p: sum(map(int, str(v).lstrip("-"))), "", 2, True),
    _map("distances", "replace each by its distance from {k}", "abs({v} - {k})", lambda v, p: max(v - p["k"], p["k"] - v), "k low", 2),
    _map("excess", "replace each by how far it lies above {k}, or by 0 if it does not", "max({v} - {k}, 0)", lambda v, p: v - p["k"] if v > p["k"] else 0, "k low", 2),
    _map("reversed_digits", "reverse the digits of each, keeping its sign", "int(str(abs({v}))[::-1]) * (-1 if {v} < 0 else 1)", lambda v, p: int("-" * (v < 0) + "".join(reversed(str(abs(v))))), "", 3, True),
    # --- rearrange
    _list("sorted", "sort them from smallest to largest", "sorted({x})", lambda xs, p: sorted(xs)),
    _list("ranked", "sort them from largest to smallest", "sorted({x}, reverse=True)", lambda xs, p: sorted(xs)[::-1]),
    _list("reversed", "reverse their order", "{x}[::-1]", lambda xs, p: list(reversed(xs)), level=1),
    _list("distinct", "drop repeats, keeping the first of each", "list(dict.fromkeys({x}))", lambda xs, p: _uniq(xs)),
    _list("changes", "merge neighbours that are equal into one", "[v for i, v in enumerate({x}) if i == 0 or v != {x}[i - 1]]", lambda xs, p: [k for k, _ in groupby(xs)], level=3),
    _list("running_totals", "replace each by the running total up to it", "list(accumulate({x}))", lambda xs, p: [sum(xs[: i + 1]) for i in range(len(xs))]),
    _list("record", "replace each by the largest so far", "list(accumulate({x}, max))", lambda xs, p: [max(xs[: i + 1]) for i in range(len(xs))], level=3),
    _list("differences", "form the differences between each and the one before", "[b - a for a, b in zip({x}, {x}[1:])]", lambda xs, p: [xs[i] - xs[i - 1] for i in range(1, len(xs))]),
    _list("first", "take the first {k}", "{x}[:{k}]", lambda xs, p: [x for i, x in enumerate(xs) if i < p["k"]], "k 2 5", 1),
    _list("later", "skip the first {k}", "{x}[{k}:]", lambda xs, p: [x for i, x in enumerate(xs) if i >= p["k"]], "k 2 3", 1),
    _list("last", "take the last {k}", "{x}[-{k}:]", lambda xs, p: [x for i, x in enumerate(xs) if len(xs) - i <= p["k"]], "k 2 5"),
    _list("top", "take the {k} largest, largest first", "sorted({x}, reverse=True)[:{k}]", lambda xs, p: sorted(xs)[::-1][: p["k"]], "k 2 4"),
    _list("bottom", "take the {k} smallest, smallest first", "sorted({x})[:{k}]", lambda xs, p: sorted(xs, reverse=True)[::-1][: p["k"]], "k 2 4"),
    _list("alternate", "take every second one, beginning with the first", "{x}[::2]", lambda xs, p: [x for i, x in enumerate(xs) if i % 2 == 0]),
    _list("rotated", "move the first {k} to the end", "{x}[{k}:] + {x}[:{k}]", lambda xs, p: [xs[i] for i in [*range(p["k"], len(xs)), *range(min(p["k"], len(xs)))]], "k 2 3", 3),
    _list("pair_sums", "add each to its right-hand neighbour, the last having none", "[a + b for a, b in zip({x}, {x}[1:])]", lambda xs, p: [xs[i] + xs[i + 1] for i in range(len(xs) - 1)]),
    _list("window_sums", "form the sums of all windows of {k} neighbours", "[sum({x}[i:i + {k}]) for i in range(len({x}) - {k} + 1)]", lambda xs, p: [sum(w) for w in zip(*(xs[i:] for i in range(p["k"])), strict=False)], "k 2 4", 3),
    _list("chunk_sums", "cut them into groups of {k}, the last one perhaps shorter, and sum each group", "[sum({x}[i:i + {k}]) for i in range(0, len({x}), {k})]", lambda xs, p: [sum(x for i, x in enumerate(xs) if i // p["k"] == g) for g in range(-(-len(xs) // p["k"]))], "k 2 4", 3),
    _list("trimmed", "remove one smallest and one largest, and sort what is left", "sorted({x})[1:-1]", lambda xs, p: [x for i, x in enumerate(sorted(xs)) if 0 < i < len(xs) - 1], level=3),
    _list("above_average", "keep only those above the average of what is there", "[v for v in {x} if v * len({x}) > sum({x})]", lambda xs, p: [x for x in xs if sum(x - y for y in xs) > 0], level=3),
    _list("unrepeated", "keep only those that occur exactly once", "[v for v in {x} if {x}.count(v) == 1]", lambda xs, p: [x for x in xs if Counter(xs)[x] == 1], level=2),
    _list("peaks", "keep only those larger than both their neighbours, so never the first or the last", "[b for a, b, c in zip({x}, {x}[1:], {x}[2:]) if a < b > c]", lambda xs, p: [xs[i] for i in range(1, len(xs) - 1) if xs[i - 1] < xs[i] and xs[i + 1] < xs[i]], level=4),
    # --- fold into one
    _fold("number", "int", "sum", "return their sum", "sum({x})", lambda xs, p: next(iter(list(accumulate(xs))[-1:]), 0), "The sum of nothing is 0."),
    _fold("number", "int", "count", "return how many there are", "len({x})", lambda xs, p: sum(1 for _ in xs)),
    _fold("number", "int | None", "largest", "return the largest", "max({x}, default=None)", lambda xs, p: sorted(xs)[-1] if xs else None, "If there is none, return None."),
    _fold("number", "int | None", "smallest", "return the smallest", "min({x}, default=None)", lambda xs, p: sorted(xs)[0] if xs else None, "If there is none, return None."),
    _fold("number", "int", "spread", "return the difference between the largest and the smallest", "max({x}) - min({x}) if {x} else 0", lambda xs, p: max((a - b for a in xs for b in xs), default=0), "If there is none, return 0."),
    _fold("number", "int", "average", "return their average, rounded down to a whole number", "sum({x}) // len({x}) if {x} else 0", lambda xs, p: divmod(sum(xs), len(xs))[0] if xs else 0, "If there is none, return 0."),
    _fold("number", "int", "distinct", "return how many different ones there are", "len(set({x}))", lambda xs, p: len(_uniq(xs))),
    _fold("number", "int", "rises", "return how many of them are larger than the one before", "sum(b > a for a, b in zip({x}, {x}[1:]))", lambda xs, p: sum(xs[i] > xs[i - 1] for i in range(1, len(xs))), level=2),
    _fold("number", "int | None", "second_largest", "return the second largest of the different values", "sorted(set({x}))[-2] if len(set({x})) > 1 else None", lambda xs, p: max((x for x in xs if x != max(xs)), default=None), "If there are fewer than two different values, return None.", 2),
    _fold("number", "int | None", "mode", "return the one that occurs most often, the smallest of them if several do", "min({x}, key=lambda v: (-{x}.count(v), v), default=None)", lambda xs, p: _commonest(xs), "If there is none, return None.", 3),
    _fold("number", "int", "alternating_sum", "return their alternating sum: the first minus the second plus the third and so on", "sum({x}[::2]) - sum({x}[1::2])", lambda xs, p: sum(x if i % 2 == 0 else -x for i, x in enumerate(xs)), "For nothing that is 0.", 2, "", True),
    _fold("number", "int", "product", "return their product", "math.prod({x})", lambda xs, p: _product(xs), "The product of nothing is 1.", 1, "", True),
    _fold("number", "int", "peak_position", "return the index of the first largest one", "{x}.index(max({x})) if {x} else -1", lambda xs, p: next((i for i, x in enumerate(xs) if x == max(xs)), -1), "If there is none, return -1.", 2),
    _fold("number", "int", "longest_rise", "return the length of the longest stretch in which each is larger than the one before", "best = run = 0\nfor i, v in enumerate({x}):\n    run = run + 1 if i and {x}[i - 1] < v else 1\n    best = max(best, run)\nreturn best", lambda xs, p: _longest(xs, lambda a, b: a < b), "If there is none, return 0.", 4),
    _fold("number", "int", "longest_plateau", "return the length of the longest stretch of equal neighbours", "max((len(list(group)) for _, group in groupby({x})), default=0)", lambda xs, p: _longest(xs, lambda a, b: a == b), "If there is none, return 0.", 3),
    _fold("number", "int | None", "median", "return the median, the lower of the two middle ones if their number is even", "sorted({x})[(len({x}) - 1) // 2] if {x} else None", lambda xs, p: next((x for i, x in enumerate(sorted(xs)) if i * 2 in (len(xs) - 1, len(xs) - 2)), None), "If there is none, return None.", 2),
    _fold("number", "int", "total_change", "return the sum of the absolute differences between neighbours", "sum(abs(b - a) for a, b in zip({x}, {x}[1:]))", lambda xs, p: sum(max(a, b) - min(a, b) for a, b in pairwise(xs)), level=3),
    _fold("number", "int", "pairs", "return in how many ways two of them, at different positions, add up to {k}", "sum(a + b == {k} for a, b in combinations({x}, 2))", lambda xs, p: sum(xs[i] + xs[j] == p["k"] for i in range(len(xs)) for j in range(i)), "", 3, "k 4 20", True),
    _fold("numbers", "list[int]", "list", "return the list", "{x}", lambda xs, p: xs),
    _fold("counts", "dict[int, int]", "tally", "return a dictionary that says how often each of them occurs", "dict(Counter({x}))", lambda xs, p: {x: xs.count(x) for x in xs}, level=2),
    _fold("groups", "dict[str, list[int]]", "split", "return a dictionary with the even ones under \"even\" and the odd ones under \"odd\"", "{{\"even\": [v for v in {x} if v % 2 == 0], \"odd\": [v for v in {x} if v % 2 == 1]}}", lambda xs, p: {"even": [x for x in xs if not x & 1], "odd": [x for x in xs if x & 1]}, "", 2, "", True),
    _fold("bool", "bool", "steady", "return whether they never decrease", "all(a <= b for a, b in zip({x}, {x}[1:]))", lambda xs, p: list(xs) == sorted(xs), "For fewer than two the answer is True.", 2),
    _fold("numbers", "list[int]", "extremes", "return a list of the smallest and the largest", "[min({x}), max({x})] if {x} else []", lambda xs, p: [sorted(xs)[0], sorted(xs)[-1]] if xs else [], "If there is none, return an empty list.", 1),
    _fold("numbers", "list[int]", "peak_indexes", "return the indexes of all that equal the largest", "[i for i, v in enumerate({x}) if v == max({x})]", lambda xs, p: [i for i in range(len(xs)) if not any(xs[i] < x for x in xs)], "", 3),
)  # fmt: skip
