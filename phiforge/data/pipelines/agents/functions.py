"""One call of a function that computes: it is called even where the answer could be worked out without it."""

from __future__ import annotations

from functools import partial

from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents import single

PIPELINE = Solver(
    partial(single.make, functions=True),
    single.solve,
    knobs="level: 1 to 18 functions on offer, up to 4 optional arguments, more functions of the same domain",
    verifier="schema",
)
