"""The plan of the house holds: a room imports only from floors below it, and the doors open without heavy luggage."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import phiforge

HOUSE = Path(phiforge.__file__).parent
FLOORS = (
    ("files",),
    ("records",),
    ("kernels",),
    ("model", "chat", "verify", "store"),
    ("engine", "safety"),
    ("lm",),
    ("data", "train", "evals"),
    ("serve", "apps", "forge"),
    ("cli",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
NAMED_ARROWS = {("train", "phiforge.data.mixture"), ("train", "phiforge.data.run")}


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import of ours, relative ones resolved, `import_module("...")` included."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            names = [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
        yield from ((node.lineno, name) for name in names if name.startswith("phiforge."))


def violations(house: Path) -> list[str]:
    """Every import that goes up or sideways, and every room that the plan does not know."""
    found = []
    for file in sorted(house.rglob("*.py")):
        place = file.relative_to(house).with_suffix("").parts
        room = place[0]
        if room == "__init__":
            continue
        if room not in FLOOR:
            found.append(f"{'/'.join(place)}: {room} is on no floor")
            continue
        for line, name in imports(ast.parse(file.read_text()), ".".join(("phiforge", *place[:-1]))):
            other = name.split(".")[1]
            below = FLOOR.get(other, -1) < FLOOR[room] or other == room  # -1: names of the package itself
            named = any(room == who and f"{name}.".startswith(f"{what}.") for who, what in NAMED_ARROWS)
            if not below and not named:
                found.append(f"{'/'.join(place)}:{line}: {room} (floor {FLOOR[room]}) imports {name}")
    return found


def test_no_import_goes_up_or_sideways() -> None:
    assert violations(HOUSE) == []


@pytest.mark.parametrize(
    ("room", "line", "allowed"),
    [
        ("lm/local.py", "from phiforge.engine import engine", True),
        ("lm/local.py", "from . import base", True),
        ("cli/main.py", "from phiforge import __version__", True),
        ("train/sft.py", "from phiforge.data.mixture import Mixture", True),
        ("train/sft.py", "from phiforge.data import mixture", True),
        ("engine/engine.py", "from phiforge.lm import LocalModel", False),  # up
        ("engine/engine.py", "import phiforge.lm", False),
        ("engine/engine.py", "from phiforge import lm", False),
        ("engine/engine.py", "from ..lm import LocalModel", False),
        ("engine/engine.py", "from .. import lm", False),
        ("records.py", "from .model import phi3", False),
        ("model/phi3.py", "from phiforge.chat import render", False),  # sideways
        ("model/deep/er.py", "from ...store import home", False),
        ("train/sft.py", "from phiforge.data import curate", False),
        ("data/mixture.py", "from phiforge.train import loop", False),
        ("engine/engine.py", "if TYPE_CHECKING:\n    from phiforge.lm import LocalModel", False),
        ("engine/engine.py", "def f():\n    from phiforge.lm import LocalModel", False),
        ("engine/engine.py", "importlib.import_module('phiforge.lm')", False),
        ("utils/x.py", "", False),
    ],
)
def test_the_checker_sees_a_planted_import(tmp_path: Path, room: str, line: str, allowed: bool) -> None:
    file = tmp_path / room
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{line}\n")
    assert (violations(tmp_path) == []) is allowed


@pytest.mark.parametrize("module", ["phiforge", "phiforge.cli.main"])
def test_the_doors_import_nothing_from_outside(module: str) -> None:
    """Beyond the standard library and the package itself: no torch, no numpy, no rich, nothing."""
    program = f"""if True:
        import sys
        before = set(sys.modules)
        import {module}
        ours = {{name.partition('.')[0] for name in set(sys.modules) - before}}
        print(*sorted(ours - sys.stdlib_module_names - {{'phiforge'}}))
    """
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=HOUSE.parent)
    assert out.stdout.split() == []
