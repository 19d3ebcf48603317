"""Whether an answer satisfies constraints: any assignment, schedule or path that does is right, whatever the gold one was.

`verifier_args`, one of:
    variables, constraints   {"Ann": ["red", "blue"], "x": [1, 2, 3]}, and a list of constraints (see `KINDS`); the answer
                             is an assignment, "Ann: red, x = 2" or JSON, or "unsatisfiable", which is then proven
    graph                    {"edges": [["A", "B", 4], ...], "from": "A", "to": "F", "directed": false}, and
                             "length": L or "shortest": true where that matters; the answer is a path, "A -> C -> F",
                             or "no path"
"""

# pyright: basic

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Any, cast

from phiforge.records import Problem, Verdict
from phiforge.verify.choice import final_answer, plain

MAX_NODES = 500_000  # of a search; a problem that needs more can't be judged

Assignment = dict[str, Any]
_NONE = (
    "unsatisfiable",
    "impossible",
    "no solution",
    "no path",
    "none",
    "not satisfiable",
    "there is no solution",
    "it is unsatisfiable",
)
_PAIR = re.compile(r"\s*([^,;:=\n{}]+?)\s*(?::=|=|:|\bis\b|->|→)\s*([^,;\n{}]+?)\s*(?=[,;\n}]|\band\b|$)")


def verify(response: str, problem: Problem) -> Verdict:
    """Check the final answer of a response. Raises ValueError for constraints that make no sense or take too long."""
    args = problem.verifier_args
    said = final_answer(response)
    if said is None:
        return Verdict(False, 0.0, "the response gives no final answer")
    if "graph" in args:
        return _judge_path(said, args["graph"])
    variables, constraints = _model(args)
    if plain(said) in _NONE:
        found = solution(variables, constraints)
        if found is None:
            return Verdict(True, 1.0, "there is no solution indeed")
        return Verdict(False, 0.0, f"there is a solution: {written(found)}")
    given = _assignment(said, variables)
    if isinstance(given, str):
        return Verdict(False, 0.0, given)
    for constraint in constraints:
        if not holds(constraint, given):
            return Verdict(
                False, 0.0, f"{written({k: given[k] for k in mentioned(constraint)})} breaks {_shown(constraint)}"
            )
    return Verdict(True, 1.0, "every constraint holds")


def _model(args: Mapping[str, Any]) -> tuple[dict[str, list[Any]], list[list[Any]]]:
    variables, constraints = args.get("variables"), args.get("constraints")
    if not isinstance(variables, dict) or not isinstance(constraints, list):
        raise ValueError("a logic problem needs `variables` and `constraints`, or a `graph`")
    for constraint in cast(list[Any], constraints):
        unknown = [name for name in mentioned(constraint) if name not in variables]
        if unknown:
            raise ValueError(f"{_shown(constraint)} names {unknown[0]!r}, which is no variable")
    return cast("dict[str, list[Any]]", variables), cast("list[list[Any]]", constraints)


def written(assignment: Assignment) -> str:
    """An assignment as an answer: "Ann: red, x: 2"."""
    return ", ".join(f"{name}: {_word(value)}" for name, value in assignment.items())


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(constraint: Any) -> str:
    return json.dumps(constraint)[:120]


# --- assignments -------------------------------------------------------------------------------------------------------


def _assignment(text: str, variables: Mapping[str, list[Any]]) -> Assignment | str:
    """The values that a text gives to the variables, or what is wrong with it."""
    pairs = _pairs(text)
    names = {plain(name): name for name in variables}
    given: Assignment = {}
    for left, right in pairs:
        name = names.get(plain(left))
        if name is None:
            return f"{left} is no variable"
        value = next((each for each in variables[name] if plain(_word(each)) == plain(right)), None)
        if value is None and isinstance(variables[name][0], bool):
            value = {"t": True, "1": True, "yes": True, "f": False, "0": False, "no": False}.get(plain(right))
        if value is None:
            return f"{name} can't be {right}"
        if given.setdefault(name, value) != value:
            return f"{name} is given twice"
    missing = [name for name in variables if name not in given]
    return f"{missing[0]} has no value" if missing else given


def _pairs(text: str) -> list[tuple[str, str]]:
    text = text.strip().strip("`$")
    if text.startswith("{") and text.endswith("}"):
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):
            read = None
        if isinstance(read, dict):
            return [(str(k), _word(v)) for k, v in cast(dict[str, Any], read).items()]
    return [(left.removeprefix("and ").strip(), right) for left, right in _PAIR.findall(text)]


# --- constraints -------------------------------------------------------------------------------------------------------


def _value(term: Any, given: Assignment) -> Any:
    """A variable's value, or the term itself where it names none: numbers, and texts in ["value", x]."""
    if isinstance(term, list):
        return cast(list[Any], term)[1]
    return given[term] if isinstance(term, str) else term


def _formula(formula: Any, given: Assignment) -> bool:
    if isinstance(formula, str):
        return given[formula] is True
    operator, *parts = formula
    if operator == "not":
        return not _formula(parts[0], given)
    if operator == "and":
        return all(_formula(part, given) for part in parts)
    if operator == "or":
        return any(_formula(part, given) for part in parts)
    if operator == "implies":
        return not _formula(parts[0], given) or _formula(parts[1], given)
    if operator == "iff":
        return _formula(parts[0], given) == _formula(parts[1], given)
    if operator == "xor":
        return _formula(parts[0], given) != _formula(parts[1], given)
    return holds(formula, given)


def _counted(relation: Callable[[int, int], bool]) -> Callable[..., bool]:
    return lambda given, n, names, value=True: relation(sum(given[name] == value for name in names), n)


_RELATIONS = {"=": int.__eq__, "<=": int.__le__, ">=": int.__ge__}
KINDS: dict[str, Callable[..., bool]] = {
    "clause": lambda given, *literals: any(given[x.lstrip("-")] is not x.startswith("-") for x in literals),
    "formula": lambda given, formula: _formula(formula, given),
    "is": lambda given, x, value: given[x] == value,
    "is not": lambda given, x, value: given[x] != value,
    "in": lambda given, x, values: given[x] in values,
    "same": lambda given, x, y: given[x] == given[y],
    "different": lambda given, *names: len({_key(given[x]) for x in names}) == len(names),
    "before": lambda given, x, y, gap=1: _value(y, given) - _value(x, given) >= gap,
    "right before": lambda given, x, y: given[y] - given[x] == 1,
    "adjacent": lambda given, x, y: abs(given[x] - given[y]) == 1,
    "not adjacent": lambda given, x, y: abs(given[x] - given[y]) != 1,
    "apart": lambda given, x, y, gap: abs(given[x] - given[y]) >= gap,
    "at most": _counted(lambda n, most: n <= most),
    "at least": _counted(lambda n, least: n >= least),
    "exactly": _counted(lambda n, wanted: n == wanted),
    "sum": lambda given, names, relation, n: _RELATIONS[relation](sum(given[x] for x in names), n),
    "if": lambda given, condition, then: not holds(condition, given) or holds(then, given),
    "or": lambda given, *parts: any(holds(part, given) for part in parts),
    "no overlap": lambda given, x, length_x, y, length_y: given[x] + length_x <= given[y] or given[y] + length_y <= given[x],
}  # fmt: skip


def _key(value: Any) -> Any:
    return json.dumps(value)


def holds(constraint: Any, given: Assignment) -> bool:
    """Whether a constraint holds. Raises KeyError while a variable has no value, ValueError for what makes no sense."""
    kind, *terms = constraint
    if kind not in KINDS:
        raise ValueError(f"no constraint is called {kind!r}; there are {', '.join(KINDS)}")
    try:
        return KINDS[kind](given, *terms)
    except TypeError as error:
        raise ValueError(f"{_shown(constraint)}: {error}") from None


def mentioned(constraint: Any) -> list[str]:
    """The variables of a constraint, in order."""
    return list(dict.fromkeys(_names(constraint)))


def _names(constraint: Any) -> Iterator[str]:
    kind, *terms = constraint
    if kind == "clause":
        yield from (literal.lstrip("-") for literal in terms)
    elif kind == "formula":
        yield from _in_formula(terms[0])
    elif kind in ("if", "or"):
        for term in terms:
            yield from _names(term)
    elif kind in ("at most", "at least", "exactly"):
        yield from terms[1]
    elif kind == "sum":
        yield from terms[0]
    elif kind in ("is", "is not", "in"):
        yield terms[0]
    elif kind == "no overlap":
        yield from (terms[0], terms[2])
    else:
        yield from (term for term in terms if isinstance(term, str))


def _in_formula(formula: Any) -> Iterator[str]:
    if isinstance(formula, str):
        yield formula
    elif formula[0] in ("not", "and", "or", "implies", "iff", "xor"):
        for part in formula[1:]:
            yield from _in_formula(part)
    else:
        yield from _names(formula)


# --- search ------------------------------------------------------------------------------------------------------------


def solution(variables: Mapping[str, list[Any]], constraints: list[list[Any]]) -> Assignment | None:
    """An assignment that satisfies all constraints, or None where there is none. Raises ValueError beyond `MAX_NODES`."""
    return next(solutions(variables, constraints), None)


def solutions(variables: Mapping[str, list[Any]], constraints: list[list[Any]]) -> Iterator[Assignment]:
    """All assignments that satisfy all constraints, by backtracking, the variables with most constraints first."""
    about = [set(mentioned(constraint)) for constraint in constraints]
    order = sorted(variables, key=lambda name: (-sum(name in names for names in about), len(variables[name])))
    place = {name: i for i, name in enumerate(order)}
    due: list[list[list[Any]]] = [
        [] for _ in order
    ]  # the constraints that can be judged once a variable has its value
    for constraint, names in zip(constraints, about, strict=True):
        due[max((place[name] for name in names), default=0)].append(constraint)
    nodes = 0

    def search(i: int, given: Assignment) -> Iterator[Assignment]:
        nonlocal nodes
        if i == len(order):
            yield {name: given[name] for name in variables}
            return
        for value in variables[order[i]]:
            nodes += 1
            if nodes > MAX_NODES:
                raise ValueError(f"the search for a solution took more than {MAX_NODES} steps")
            given[order[i]] = value
            if all(holds(constraint, given) for constraint in due[i]):
                yield from search(i + 1, given)
            del given[order[i]]

    yield from search(0, {})


# --- paths ---------------------------------------------------------------------------------------------------------------


def _judge_path(said: str, graph: Mapping[str, Any]) -> Verdict:
    edges: dict[tuple[str, str], int] = {}
    for start, end, *weight in graph["edges"]:
        length = int(weight[0]) if weight else 1
        for pair in ((start, end), *(() if graph.get("directed") else ((end, start),))):
            edges[pair] = min(length, edges.get(pair, length))
    source, goal = str(graph["from"]), str(graph["to"])
    best = distance(edges, source, goal)
    if plain(said) in _NONE:
        return Verdict(
            best is None,
            float(best is None),
            "there is no path indeed" if best is None else f"there is a path of length {best}",
        )
    names = {plain(name): name for pair in edges for name in pair} | {plain(source): source, plain(goal): goal}
    stops = [
        names.get(plain(part))
        for part in re.split(r"\s*(?:-+>|→|⟶|\\to\b|\\rightarrow\b|–|—|,|;|\bthen\b|\bto\b|-)\s*", said)
        if part.strip()
    ]
    if len(stops) < 1 or None in stops:
        return Verdict(False, 0.0, f"{said[:60]!r} is no path of the graph's places")
    path = cast("list[str]", stops)
    if (path[0], path[-1]) != (source, goal):
        return Verdict(False, 0.0, f"the path goes from {path[0]} to {path[-1]}, not from {source} to {goal}")
    for pair in itertools.pairwise(path):
        if pair not in edges:
            return Verdict(False, 0.0, f"there is no edge from {pair[0]} to {pair[1]}")
    total = sum(edges[pair] for pair in itertools.pairwise(path))
    wanted = best if graph.get("shortest") else graph.get("length")
    if wanted is not None and total != wanted:
        return Verdict(False, 0.0, f"the path's length is {total}, not {wanted}")
    return Verdict(True, 1.0, f"a path of length {total}")


def distance(edges: Mapping[tuple[str, str], int], source: str, goal: str) -> int | None:
    """The length of a shortest path, None where there is none; no edge is negative."""
    after: dict[str, list[tuple[str, int]]] = {}
    for (start, end), length in edges.items():
        after.setdefault(start, []).append((end, length))
    heap, done = [(0, source)], set[str]()
    while heap:
        so_far, here = heappop(heap)
        if here == goal:
            return so_far
        if here in done:
            continue
        done.add(here)
        for there, length in after.get(here, ()):
            heappush(heap, (so_far + length, there))
    return None
