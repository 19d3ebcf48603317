"""Who decides what is true. A verifier reads a response and a `Problem` and returns a `Verdict`; one file each, found by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from phiforge.records import Problem, Verdict

Verifier = Callable[[str, Problem], Verdict]


def get(name: str) -> Verifier:
    """The verifier that `Problem.verifier` names: the function `verify` of `phiforge/verify/<name>.py`.

    Raises ValueError if there is none.
    """
    module = f"{__name__}.{name}"
    verify = getattr(import_module(module), "verify", None) if name.isidentifier() and find_spec(module) else None
    if verify is None:
        raise ValueError(
            f"no verifier is called {name!r}: expected the name of a file in phiforge/verify with a `verify`"
        )
    return verify
