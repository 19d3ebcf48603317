"""Small functions as people ask for them, composed of operations.

What a case expects is said by our interpreter of the operations, never by the printed code.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._layouts import LAYOUTS
from phiforge.data.pipelines.code._on_numbers import OPERATIONS
from phiforge.data.pipelines.code._on_tables import ON_ROWS, ON_TABLES
from phiforge.data.pipelines.code._on_words import ON_TEXTS, ON_WORDS
from phiforge.data.pipelines.code._operation import parameters_of
from phiforge.data.pipelines.code._small import Case, Small, Stage, chained
from phiforge.data.pipelines.code._worlds import World
from phiforge.data.rows import Unfit

_ALL = (*OPERATIONS, *ON_WORDS, *ON_TEXTS, *ON_TABLES, *ON_ROWS)
_BY_TYPE = {kind: [op for op in _ALL if op.takes == kind] for kind in ("numbers", "words", "text", "table", "rows")}
_ANNOTATIONS = {"numbers": "list[int]", "words": "list[str]", "text": "str", "table": "dict[str, int]", "rows": "list[dict]"}  # fmt: skip
KINDS = "numbers numbers numbers words words text table rows"


def composed(draw: Draw, level: int, kinds: str = KINDS, style: str = "", begin: tuple[str, ...] = ()) -> Small:
    """A function of one argument, a chain of operations, of which the first are of the kinds `begin`.

    Raises Unfit where no sensible one was drawn.
    """
    for _ in range(12):
        made = _composed(draw, level, kinds, style, begin)
        if made is not None:
            return made
    raise Unfit


def _composed(draw: Draw, level: int, kinds: str, style: str, begin: tuple[str, ...]) -> Small | None:
    kind = draw.pick(kinds.split())
    world = World(draw, kind)
    stages = _chain(draw, level, kind, world, begin)
    if _clumsy(stages):
        return None
    inputs = [world.value(draw, stages, n) for n in (0, 1, 4, 5, 6, 7, 8, 9, 6, 7)]
    cases = [((x,), _result(stages, x)) for x in _distinct(inputs)]
    if not _sensible(stages, cases):
        return None
    name = _name(draw, stages, world)
    style = style or draw.pick(("steps", "steps", "loop", "compact"))
    lines = LAYOUTS[style](stages, world.parameter, world.element)
    returns = stages[-1].op.returns
    signature = f"def {name}({world.parameter}: {_ANNOTATIONS[kind]}) -> {returns}:"
    code = "\n".join([signature, *("    " + line.replace("\n", "\n    ") for _, line in lines)])
    said = [stage.says for stage in stages]
    spec = f"From {world.about}, {chained(said)}." if kind != "text" else f"Take {world.about}, {chained(said)}."
    return Small(name, signature, spec, stages[-1].op.empty, code, cases, lines, kind, world.about, stages, world.parameter, world.element)  # fmt: skip


_STAGES = ((), (1, 1), (1, 2), (2, 2), (2, 3), (3, 4))


def _chain(draw: Draw, level: int, kind: str, world: World, begin: tuple[str, ...]) -> list[Stage]:
    stages: list[Stage] = []
    wanted = max(draw.between(*_STAGES[level]), len(begin))
    for i in range(wanted):
        used = [stage.op.tag for stage in stages]
        options = [
            op
            for op in _BY_TYPE[kind]
            if op.kind != "fold" and (i >= len(begin) or op.kind in begin[i].split()) and op.level <= level + 1 and (op.tag not in used or not op.tag) and (world.plain or not op.plain or world.kind != "numbers")
        ]  # fmt: skip
        op = draw.pick(options)
        stages.append(Stage(op, {**world.fields, **parameters_of(op, draw, world.low, world.high)}))
        kind = op.gives
    folds = [
        op
        for op in _BY_TYPE[kind]
        if op.kind == "fold" and max(level - 3, 1) <= op.level <= level + 1 and (world.plain or not op.plain or world.kind != "numbers")
    ]  # fmt: skip
    op = draw.pick(folds)
    return [*stages, Stage(op, {**world.fields, **parameters_of(op, draw, world.low, world.high)})]


def _result(stages: list[Stage], value: Any) -> Any:
    for stage in stages:
        value = stage.run(value)
    return value


def _distinct(values: list[Any]) -> list[Any]:
    return [x for i, x in enumerate(values) if x not in values[:i]]


_SORTING = ("sorted", "ranked", "reversed", "by_length", "top", "bottom", "trimmed")


def _clumsy(stages: list[Stage]) -> bool:
    """Whether a stage makes the one before it pointless: sorted and then sorted again."""
    tags = [stage.op.tag for stage in stages]
    return any(one == two or (one in _SORTING[:4] and two in _SORTING) for one, two in pairwise(tags[:-1]))


def _sensible(stages: list[Stage], cases: list[Case]) -> bool:
    """Whether the results differ, are of a readable size, and every stage makes a difference to one of them."""
    results = [repr(result) for _, result in cases]
    if (
        len(cases) < 5
        or len(set(results)) < (2 if stages[-1].op.returns == "bool" else 3)
        or max(map(len, results)) > 300
    ):
        return False
    if any(isinstance(result, int) and abs(result) > 10**7 for _, result in cases):
        return False
    for i, stage in enumerate(stages[:-1]):
        if stage.op.takes == stage.op.gives:
            without = [*stages[:i], *stages[i + 1 :]]
            if sum(_result(without, args[0]) != expected for args, expected in cases) < 2:
                return False
    return True


def _name(draw: Draw, stages: list[Stage], world: World) -> str:
    tags = [tag for stage in stages[:-1] if (tag := stage.op.tag.format_map(stage.values)) and tag.isidentifier()]
    last = stages[-1].op.tag
    if len(tags) > 1 and draw.chance(0.6 if len(tags) == 2 else 1.0):
        tags = [draw.pick(tags)]
    noun = world.parameter
    if not tags and last in ("list", "text", "table"):
        return f"{draw.pick(('process', 'prepare', 'tidy', 'convert'))}_{noun}"
    if len(stages) > 3 and draw.chance(0.5):
        return f"{draw.pick(('summarise', 'evaluate', 'analyse', 'condense'))}_{noun}"
    parts = [*([last] if last not in ("list", "text", "table") else []), *tags, noun]
    return "_".join(parts).lower()
