"""Operations on dictionaries of numbers and on lists of records, and what these are about."""

from __future__ import annotations

from typing import Any

from phiforge.data.pipelines.code._operation import Operation

# parameter, what a key is, what the dictionary is, keys, range of the values
TABLE_WORLDS = (
    ("stock", "item", "a dictionary of how many of each item are in stock", "bolts nuts screws hinges hooks nails clamps pins rivets cables", 0, 120),
    ("scores", "player", "a dictionary of each player's points", "Ada Ben Chidi Dora Emil Fay Goran Hana Ivo Jun", 0, 95),
    ("votes", "candidate", "a dictionary of each candidate's votes", "Okafor Lindqvist Moreau Tanaka Silva Novak Haddad Byrne", 10, 400),
    ("prices", "product", "a dictionary of each product's price in cents", "bread milk eggs rice tea salt honey jam oats soap", 60, 900),
    ("ages", "person", "a dictionary of each person's age", "Mia Noah Omar Pia Quinn Rosa Sven Tara Uri Vera", 3, 84),
    ("hours", "worker", "a dictionary of each worker's hours", "Anke Bruno Celia Deniz Edwin Fatou Gita Hugo", 0, 45),
    ("populations", "village", "a dictionary of each village's number of inhabitants", "Arden Birch Colm Dale Esk Fern Glen Holt", 40, 3000),
    ("downloads", "file", "a dictionary of each file's number of downloads", "intro.pdf setup.exe logo.svg notes.txt song.mp3 demo.zip data.csv", 0, 800),
    ("distances", "city", "a dictionary of each city's distance in km", "Ghent Basel Turin Lyon Bilbao Graz Brno Essen", 15, 1400),
    ("grades", "student", "a dictionary of each student's grade in per cent", "Iris Jonah Kira Levi Maya Nils Olu Petra", 20, 100),
)  # fmt: skip
# parameter, one, the fields for a name, a group and a number, names, groups, range of the number
ROW_WORLDS = (
    ("orders", "order", "customer", "status", "amount", "Ana Ben Cleo Dev Eli", "paid open cancelled", 5, 300),
    ("shifts", "shift", "worker", "day", "hours", "Finn Gül Hedy Ian Jo", "Mon Tue Wed Thu", 2, 10),
    ("sales", "sale", "seller", "region", "units", "Kim Lou Max Nia Ole", "north south west", 1, 60),
    ("flights", "flight", "airline", "airport", "delay", "Aero Bluejet Condora Dart", "OSL LIS WAW ATH", 0, 120),
    ("tickets", "ticket", "agent", "priority", "minutes", "Pam Raj Sue Tom", "low normal high", 3, 90),
    ("books", "book", "author", "genre", "pages", "Ito Lem Morrison Achebe", "novel essay poetry", 80, 700),
    ("matches", "match", "team", "venue", "goals", "Reds Blues Greens Whites", "home away", 0, 6),
    ("loans", "loan", "member", "branch", "days", "Vik Wes Xia Yan Zed", "main east harbour", 1, 40),
)  # fmt: skip


def _fold(takes: str, gives: str, returns: str) -> Any:
    def fold(
        tag: str, says: str, code: str, run: Any, empty: str = "", level: int = 1, parameters: str = ""
    ) -> Operation:
        return Operation("fold", takes, gives, tag, says, code, run, parameters, level, False, empty, returns)

    return fold


def _op(takes: str) -> Any:
    def make(tag: str, says: str, code: str, run: Any, parameters: str = "", level: int = 1) -> Operation:
        return Operation("list", takes, takes, tag, says, code, run, parameters, level)

    return make


def _summed(rows: list[dict[str, Any]], key: str, number: str) -> dict[str, int]:
    return {name: sum(r[number] for r in rows if r[key] == name) for name in [r[key] for r in rows]}


def _inverted(d: dict[str, int]) -> dict[int, list[str]]:
    return {v: [k for k in d if d[k] == v] for v in d.values()}


_d, _names, _maybe, _int = (
    _op("table"),
    _fold("table", "words", "list[str]"),
    _fold("table", "word", "str | None"),
    _fold("table", "number", "int"),
)
ON_TABLES = (
    _d("high", "keep only the entries whose value is at least {k}", "{{key: value for key, value in {x}.items() if value >= {k}}}", lambda d, p: dict(e for e in d.items() if not e[1] < p["k"]), "k low"),
    _d("low", "keep only the entries whose value is below {k}", "{{key: value for key, value in {x}.items() if value < {k}}}", lambda d, p: dict(e for e in d.items() if p["k"] > e[1]), "k high"),
    _d("short_named", "keep only the entries whose key has at most {n} characters", "{{key: value for key, value in {x}.items() if len(key) <= {n}}}", lambda d, p: {k: d[k] for k in d if k[p["n"] :] == ""}, "n 4 6", 2),
    _d("increased", "add {n} to every value", "{{key: value + {n} for key, value in {x}.items()}}", lambda d, p: {k: d[k] + p["n"] for k in d}, "n 2 12"),
    _d("doubled", "double every value", "{{key: value * 2 for key, value in {x}.items()}}", lambda d, p: {k: d[k] + d[k] for k in d}, "", 1),
    _d("reduced", "subtract {n} from every value, but never go below 0", "{{key: max(value - {n}, 0) for key, value in {x}.items()}}", lambda d, p: {k: d[k] - p["n"] if d[k] > p["n"] else 0 for k in d}, "n 5 20", 2),
    _d("capped", "replace values above {k} by {k}", "{{key: min(value, {k}) for key, value in {x}.items()}}", lambda d, p: {k: p["k"] if d[k] > p["k"] else d[k] for k in d}, "k high", 2),
    _d("lower_cased", "turn the keys into lower case", "{{key.lower(): value for key, value in {x}.items()}}", lambda d, p: dict(zip([k.lower() for k in d], d.values(), strict=True)), "", 1),
    _d("above_average", "keep only the entries whose value is above the average of all values there", "{{key: value for key, value in {x}.items() if value * len({x}) > sum({x}.values())}}", lambda d, p: {k: v for k, v in d.items() if sum(v - w for w in d.values()) > 0}, "", 3),
    _int("total", "return the sum of the values", "sum({x}.values())", lambda d, p: sum(d[k] for k in d)),
    _int("count", "return how many entries there are", "len({x})", lambda d, p: len(list(d.items()))),
    _int("spread", "return the difference between the largest and the smallest value", "max({x}.values()) - min({x}.values()) if {x} else 0", lambda d, p: max((a - b for a in d.values() for b in d.values()), default=0), "Without entries return 0.", 2),
    _int("average", "return the average value, rounded down to a whole number", "sum({x}.values()) // len({x}) if {x} else 0", lambda d, p: divmod(sum(d.values()), len(d))[0] if d else 0, "Without entries return 0.", 2),
    _maybe("best", "return the key with the largest value, the alphabetically first of them if several have it", "min({x}, key=lambda key: (-{x}[key], key), default=None)", lambda d, p: next((k for k in sorted(d) if d[k] == max(d.values())), None), "Without entries return None.", 2),
    _maybe("worst", "return the key with the smallest value, the alphabetically first of them if several have it", "min({x}, key=lambda key: ({x}[key], key), default=None)", lambda d, p: next((k for k in sorted(d) if d[k] == min(d.values())), None), "Without entries return None.", 2),
    _names("names", "return the keys in alphabetical order, capitals first", "sorted({x})", lambda d, p: sorted(d)),
    _names("ranking", "return the keys by falling value, and alphabetically where values are equal", "sorted({x}, key=lambda key: (-{x}[key], key))", lambda d, p: [k for v in sorted({*d.values()}, reverse=True) for k in sorted(d) if d[k] == v], "", 2),
    _names("top", "return the {n} keys with the largest values, largest first, and alphabetically where values are equal", "sorted({x}, key=lambda key: (-{x}[key], key))[:{n}]", lambda d, p: [k for v in sorted({*d.values()}, reverse=True) for k in sorted(d) if d[k] == v][: p["n"]], "", 3, "n 2 3"),
    _fold("table", "text", "str")("summary", "return a text of lines \"key: value\" in alphabetical order of the keys", "\"\\n\".join(f\"{{key}}: {{{x}[key]}}\" for key in sorted({x}))", lambda d, p: "\n".join(f"{k}: {d[k]}" for k in sorted(d)), "", 2),
    _fold("table", "counts", "dict[str, int]")("table", "return the dictionary", "{x}", lambda d, p: d),
    _fold("table", "groups", "dict[int, list[str]]")("inverted", "return a dictionary from each value to the list of keys that have it, in their old order", "groups = {{}}\nfor key, value in {x}.items():\n    groups.setdefault(value, []).append(key)\nreturn groups", lambda d, p: _inverted(d), "", 3),
)  # fmt: skip

_r, _sums, _row_names, _row_int = (
    _op("rows"),
    _fold("rows", "counts", "dict[str, int]"),
    _fold("rows", "words", "list[str]"),
    _fold("rows", "number", "int"),
)
ON_ROWS = (
    _r("large", "keep only those whose \"{number}\" is at least {k}", "[row for row in {x} if row[\"{number}\"] >= {k}]", lambda rs, p: [r for r in rs if not r[p["number"]] < p["k"]], "k low"),
    _r("small", "keep only those whose \"{number}\" is below {k}", "[row for row in {x} if row[\"{number}\"] < {k}]", lambda rs, p: [r for r in rs if p["k"] > r[p["number"]]], "k high"),
    _r("{group_value}", "keep only those whose \"{group}\" is \"{group_value}\"", "[row for row in {x} if row[\"{group}\"] == \"{group_value}\"]", lambda rs, p: [r for r in rs if r[p["group"]] == p["group_value"]]),
    _r("other", "drop those whose \"{group}\" is \"{group_value}\"", "[row for row in {x} if row[\"{group}\"] != \"{group_value}\"]", lambda rs, p: [r for r in rs if r[p["group"]] != p["group_value"]], "", 2),
    _r("sorted", "sort them by \"{number}\", smallest first, those with equal numbers in their old order", "sorted({x}, key=lambda row: row[\"{number}\"])", lambda rs, p: [r for n in sorted({r[p["number"]] for r in rs}) for r in rs if r[p["number"]] == n], "", 2),
    _r("first", "take the first {n}", "{x}[:{n}]", lambda rs, p: [r for i, r in enumerate(rs) if i < p["n"]], "n 2 4", 2),
    _row_int("total", "return the sum of \"{number}\"", "sum(row[\"{number}\"] for row in {x})", lambda rs, p: sum(r[p["number"]] for r in rs)),
    _row_int("count", "return how many there are", "len({x})", lambda rs, p: sum(1 for _ in rs)),
    _row_int("distinct", "return how many different values of \"{name}\" there are", "len({{row[\"{name}\"] for row in {x}}})", lambda rs, p: len(dict.fromkeys(r[p["name"]] for r in rs)), "", 2),
    _row_int("largest", "return the largest \"{number}\"", "max((row[\"{number}\"] for row in {x}), default=0)", lambda rs, p: sorted([0, *[r[p["number"]] for r in rs]])[-1], "If there is none, return 0.", 2),
    _sums("total_by_name", "return a dictionary from each \"{name}\" to its sum of \"{number}\"", "totals = {{}}\nfor row in {x}:\n    totals[row[\"{name}\"]] = totals.get(row[\"{name}\"], 0) + row[\"{number}\"]\nreturn totals", lambda rs, p: _summed(rs, p["name"], p["number"]), "", 2),
    _sums("count_by_group", "return a dictionary from each \"{group}\" to how many there are of it", "dict(Counter(row[\"{group}\"] for row in {x}))", lambda rs, p: {r[p["group"]]: [s[p["group"]] for s in rs].count(r[p["group"]]) for r in rs}, "", 2),
    _sums("largest_by_group", "return a dictionary from each \"{group}\" to its largest \"{number}\"", "best = {{}}\nfor row in {x}:\n    best[row[\"{group}\"]] = max(best.get(row[\"{group}\"], 0), row[\"{number}\"])\nreturn best", lambda rs, p: {g: max(r[p["number"]] for r in rs if r[p["group"]] == g) for g in [r[p["group"]] for r in rs]}, "", 3),
    _row_names("names", "return the different values of \"{name}\" in alphabetical order", "sorted({{row[\"{name}\"] for row in {x}}})", lambda rs, p: sorted(dict.fromkeys(r[p["name"]] for r in rs))),
    _row_names("names_in_order", "return the list of \"{name}\" in the order of the rows", "[row[\"{name}\"] for row in {x}]", lambda rs, p: [r[p["name"]] for r in rs]),
    _fold("rows", "word", "str | None")("top", "return the \"{name}\" with the largest sum of \"{number}\", the alphabetically first of them if several have it", "totals = {{}}\nfor row in {x}:\n    totals[row[\"{name}\"]] = totals.get(row[\"{name}\"], 0) + row[\"{number}\"]\nreturn min(totals, key=lambda name: (-totals[name], name), default=None)", lambda rs, p: next((n for n in sorted(r[p["name"]] for r in rs) if _summed(rs, p["name"], p["number"])[n] == max(_summed(rs, p["name"], p["number"]).values())), None), "If there is none, return None.", 4),
)  # fmt: skip
