"""Resistor networks on a battery: equivalent resistance, currents, voltages and powers, in series, parallel and mixed.

`make` reduces the network step by step and goes back; `solve` sets up the node equations and eliminates.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.science._numbers import decimal
from phiforge.data.rows import Unfit
from phiforge.data.words import listed

# A network is a resistor [name, ohms], or ["series" | "parallel", [networks]].
Network = list[Any]

_SHAPES: dict[int, tuple[Any, ...]] = {
    1: (("series", 1, 1), ("parallel", 1, 1), ("series", 1, 1, 1)),
    2: (("series", 1, 1, 1), ("parallel", 1, 1), ("parallel", 1, 1, 1)),
    3: (("series", 1, ("parallel", 1, 1)), ("parallel", 1, ("series", 1, 1)), ("series", ("parallel", 1, 1), 1)),
    4: (("series", 1, ("parallel", 1, 1, 1)), ("series", 1, ("parallel", 1, 1), 1), ("parallel", ("series", 1, 1), ("series", 1, 1)), ("series", ("parallel", 1, 1), ("parallel", 1, 1))),
    5: (("series", 1, ("parallel", 1, ("series", 1, 1))), ("parallel", 1, ("series", 1, ("parallel", 1, 1))), ("series", 1, ("parallel", ("series", 1, 1), ("series", 1, 1))), ("series", ("parallel", 1, 1), 1, ("parallel", 1, 1))),
}  # fmt: skip
_VALUES = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 60)
_BATTERIES = (3, 6, 9, 12, 18, 24, 30, 36, 48, 60)
_WANTED = {
    "resistance": ("What is the total resistance?", "Find the equivalent resistance of the network.", "How large is the resistance between the poles of the battery?"),
    "current": ("What current does the battery deliver?", "How large is the total current?", "Find the current through the battery."),
    "through": ("What current flows through {name}?", "How large is the current in {name}?", "Find the current through {name}."),
    "across": ("What is the voltage across {name}?", "How many volts drop across {name}?", "Find the voltage at {name}."),
    "power": ("What power is turned into heat in {name}?", "How large is the power in {name}?", "Find the power that {name} takes up."),
    "total power": ("What power does the battery deliver?", "How large is the power of the whole circuit?", "Find the total power."),
}  # fmt: skip
_UNITS = {"resistance": "ohm", "current": "A", "through": "A", "across": "V", "power": "W", "total power": "W"}
_LEVELS = {1: ("resistance", "current"), 2: ("resistance", "current", "total power"), 3: ("resistance", "current", "through", "across"), 4: ("through", "across", "power"), 5: ("through", "across", "power")}  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    shape = draw.between(0, len(_SHAPES[level]) - 1)
    wanted = draw.pick(_LEVELS[level])
    network, total, steps, volts = _sensible(draw, _SHAPES[level][shape], wanted)
    resistors = _resistors(network)
    name, ohms = draw.pick(resistors)
    current = volts / total
    value: Fraction
    check = (
        f"Every branch alone would have more resistance than {decimal(total)} Ω."
        if network[0] == "parallel"
        else f"{decimal(total)} Ω is more than any single part in the chain."
    )
    if wanted == "resistance":
        value = total
    else:
        steps.append(
            Step(
                f"I = U / R = {volts} / {decimal(total)} = {decimal(current)} A.",
                "The battery sees the whole resistance.",
            )
        )
        check = f"{decimal(current)} A × {decimal(total)} Ω = {volts} V."
        value = current
        if wanted == "total power":
            value = volts * current
            steps.append(Step(f"P = U × I = {volts} × {decimal(current)} = {decimal(value)} W."))
            check = f"I² × R = {decimal(current * current)} × {decimal(total)} = {decimal(value)} W as well."
        elif wanted != "current":
            across, through, way = _follow(network, name, Fraction(volts), current)
            steps += way
            value = {"through": through, "across": across, "power": across * through}[wanted]
            if wanted == "power":
                steps.append(Step(f"P = U × I = {decimal(across)} × {decimal(through)} = {decimal(value)} W."))
            check = f"At {name}: {decimal(through)} A × {ohms} Ω = {decimal(across)} V, and that is not more than {volts} V."
    form = draw.between(0, 2)
    told = _told(network)
    values = listed([f"{each} = {r} Ω" for each, r in resistors])
    ask = _WANTED[wanted][form].format(name=name)
    lead = draw.between(0, 3)
    question = (
        f"{told[0].upper()}{told[1:]}, on a battery of {volts} V. The values are {values}. {ask}",
        f"A {volts} V battery feeds this circuit: {told}, with {values}. {ask}",
        f"Given {values}: {told}, and the whole is connected to {volts} V. {ask}",
        f"In a circuit with a source of {volts} V, {told}. The resistors are {values}. {ask}",
    )[lead]
    answer = f"{decimal(value)} {_UNITS[wanted]}"
    return Draft(
        question=question + " The wires and the battery have no resistance of their own.",
        answer=answer,
        facts={"network": network, "volts": volts, "wanted": wanted, "name": name},
        template=f"{level}.{shape} {wanted} {form}",
        steps=steps,
        says=f"The answer is {decimal(value)} {_UNITS[wanted].replace('ohm', 'Ω')}.",
        given=f"{volts} V on {values}; {told}.",
        check=check,
        verifier="units",
    )


def _sensible(draw: Draw, shape: Any, wanted: str) -> tuple[Network, Fraction, list[Step], int]:
    """A network with its resistance and how that is found, and a battery with which the current is a short decimal."""
    for _ in range(60):
        network = _filled(draw, shape, iter(f"R{i}" for i in range(1, 9)))
        try:
            total, steps = _reduce(network)
        except Unfit:
            continue
        batteries = [
            v for v in _BATTERIES if wanted == "resistance" or (v / total).denominator in (1, 2, 4, 5, 8, 10, 20, 40)
        ]
        if batteries:
            return network, total, steps, draw.pick(batteries)
    raise Unfit


def _filled(draw: Draw, shape: Any, names: Any) -> Network:
    if shape == 1:
        return [next(names), draw.pick(_VALUES)]
    return [shape[0], [_filled(draw, part, names) for part in shape[1:]]]


def _resistors(network: Network) -> list[tuple[str, int]]:
    if network[0] in ("series", "parallel"):
        return [each for part in network[1] for each in _resistors(part)]
    return [(network[0], network[1])]


def _name(network: Network) -> str:
    names = [name for name, _ in _resistors(network)]
    return names[0] if len(names) == 1 else "R" + "".join(name[1:] for name in names)


def _told(network: Network) -> str:
    """The network in words."""
    kind, parts = network
    if all(part[0] not in ("series", "parallel") for part in parts):
        return f"{listed([part[0] for part in parts])} are connected in {kind}"
    said = []
    for part in parts:
        if part[0] not in ("series", "parallel"):
            said.append(part[0])
        else:
            inner = [p[0] if p[0] not in ("series", "parallel") else f"({_inner(p)})" for p in part[1]]
            said.append(f"the {part[0]} group ({listed(inner)})")
    return f"{listed(said)} are connected in {kind}"


def _inner(network: Network) -> str:
    inner = [p[0] if p[0] not in ("series", "parallel") else f"({_inner(p)})" for p in network[1]]
    return f"{listed(inner)} in {network[0]}"


def _reduce(network: Network) -> tuple[Fraction, list[Step]]:
    """The resistance of a network, innermost groups first."""
    if network[0] not in ("series", "parallel"):
        return Fraction(network[1]), []
    steps: list[Step] = []
    values: list[Fraction] = []
    for part in network[1]:
        value, inner = _reduce(part)
        values.append(value)
        steps += inner
    d = decimal
    name = _name(network)
    if network[0] == "series":
        total = sum(values, Fraction(0))
        steps.append(Step(f"{name} = {' + '.join(map(d, values))} = {d(total)} Ω.", "Resistances in series add up."))
        return total, steps
    total = 1 / sum((1 / value for value in values), Fraction(0))
    if total.denominator not in (1, 2, 4, 5, 8):
        raise Unfit
    slip = Slip(
        f"{name} = {' + '.join(map(d, values))} = {d(sum(values, Fraction(0)))} Ω.",
        "In parallel the whole must be smaller than the smallest part.",
    )
    if len(values) == 2:
        a, b = values
        steps.append(
            Step(
                f"{name} = {d(a)} × {d(b)} / ({d(a)} + {d(b)}) = {d(a * b)} / {d(a + b)} = {d(total)} Ω.",
                "Two in parallel: the product over the sum.",
                slip,
            )
        )
    else:
        inverse = " + ".join(f"1/{d(value)}" for value in values)
        steps.append(
            Step(
                f"1/{name} = {inverse} = {1 / total}, so {name} = {d(total)} Ω.",
                "In parallel the conductances add up.",
                slip,
            )
        )
    return total, steps


def _follow(network: Network, name: str, volts: Fraction, amps: Fraction) -> tuple[Fraction, Fraction, list[Step]]:
    """Voltage and current at a resistor, going from the whole inwards."""
    if network[0] not in ("series", "parallel"):
        return volts, amps, []
    part = next(part for part in network[1] if name in [each for each, _ in _resistors(part)])
    ohms, _ = _reduce(part)
    d = decimal
    if network[0] == "series":
        here = amps * ohms
        step = Step(
            f"Across {_name(part)}: {d(amps)} A × {d(ohms)} Ω = {d(here)} V.",
            "In series the same current goes through every part.",
        )
        across, through, more = _follow(part, name, here, amps)
    else:
        branch = volts / ohms
        step = Step(
            f"Through {_name(part)}: {d(volts)} V / {d(ohms)} Ω = {d(branch)} A.",
            "In parallel every branch has the same voltage.",
        )
        across, through, more = _follow(part, name, volts, branch)
    return across, through, [step, *more]


def solve(facts: dict[str, Any]) -> str:
    """Node voltages by Gaussian elimination in fractions: currents into every inner node add up to zero."""
    edges: list[tuple[int, int, str, int]] = []
    nodes = [2]  # node 0 is the battery's minus, 1 its plus

    def wire(network: Network, top: int, bottom: int) -> None:
        if network[0] not in ("series", "parallel"):
            edges.append((top, bottom, network[0], network[1]))
        elif network[0] == "parallel":
            for part in network[1]:
                wire(part, top, bottom)
        else:
            *first, last = network[1]
            for part in first:
                below = nodes[0]
                nodes[0] += 1
                wire(part, top, below)
                top = below
            wire(last, top, bottom)

    wire(facts["network"], 1, 0)
    n, volts = nodes[0], Fraction(facts["volts"])
    rows = [[Fraction(0)] * (n + 1) for _ in range(n)]
    for top, bottom, _, ohms in edges:
        for here, there in ((top, bottom), (bottom, top)):
            rows[here][here] += Fraction(1, ohms)
            rows[here][there] -= Fraction(1, ohms)
    for fixed, value in ((0, Fraction(0)), (1, volts)):
        rows[fixed] = [Fraction(int(i == fixed)) for i in range(n)] + [value]
    for i in range(n):
        pivot = next(j for j in range(i, n) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for j in range(n):
            if j != i and rows[j][i]:
                rows[j] = [x - rows[j][i] * y for x, y in zip(rows[j], rows[i], strict=True)]
    at = [row[n] for row in rows]
    battery = sum(((at[1] - at[b if t == 1 else t]) / r for t, b, _, r in edges if 1 in (t, b)), Fraction(0))
    across, ohms = next((at[t] - at[b], r) for t, b, name, r in edges if name == facts["name"])
    found = {"resistance": volts / battery, "current": battery, "total power": volts * battery, "across": across, "through": across / ohms, "power": across * across / ohms}[facts["wanted"]]  # fmt: skip
    return f"{decimal(found)} {_UNITS[facts['wanted']]}"


PIPELINE = Solver(
    make,
    solve,
    knobs="level: two or three resistors, then mixed networks, then single parts of nested ones",
    verifier="units",
)
