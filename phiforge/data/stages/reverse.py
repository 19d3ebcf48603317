"""Instruction reversal: from code that is there to the instruction that would ask for it.

The teacher writes an instruction from the code, then code from the instruction alone. The pair (instruction, the original
code) is kept only if the new code behaves as the old does on generated inputs and resembles it: then the instruction says
all that the code does (phi-4 report, section 2.2).
"""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import tokenize
from difflib import SequenceMatcher

from msgspec import Struct

from phiforge.data.draw import Draw
from phiforge.data.stages import behaviour, solve
from phiforge.data.stages.execute import code_of
from phiforge.data.teacher import Teacher

INPUTS = 16
_LONGEST_COPY = 24  # tokens of the code in a row that an instruction may hold


class Reversed(Struct, frozen=True):
    """An instruction for a program, the program that it led to, and how far the two agree."""

    code: str
    entry: str
    instruction: str = ""
    regenerated: str = ""
    inputs: list[behaviour.Args] = []
    agreed: solve.Share = solve.Share(0, 0)
    similarity: float = 0.0
    reason: str = ""

    @property
    def kept(self) -> bool:
        return not self.reason

    @property
    def fidelity(self) -> float:
        """1 where behaviour and form are the same: the share of inputs on which they agree, times the similarity."""
        return self.agreed.value * self.similarity


_READER = "You write programming tasks. You tell what is wanted, never how it is done, and quote no code."
_WRITER = "You write Python. You do exactly what is asked for, with nothing beyond the standard library."


async def reverse(
    teacher: Teacher,
    code: str,
    draw: Draw,
    *,
    entry: str = "",
    least_agreed: float = 1.0,
    least_similar: float = 0.4,
    n_inputs: int = INPUTS,
    max_tokens: int = 768,
    seed: int = 0,
) -> Reversed:
    """Reverse one program into an instruction. `entry` is the function that counts, by default the last public one."""
    found = behaviour.signature(code, entry)
    if found is None:
        return Reversed(code, entry, reason="no function with plain parameters")
    inputs = await behaviour.inputs_for(code, found, draw, n_inputs)
    old = await behaviour.behaviour(code, found.name, inputs)
    if not inputs or old.problem:
        return Reversed(code, found.name, reason="it does not run")
    inputs = [args for args, value in zip(inputs, old.values, strict=False) if value is not None]
    wanted = [value for value in old.values if value is not None]
    if len(inputs) < min(4, n_inputs):
        return Reversed(code, found.name, inputs=inputs, reason="it runs on too few inputs")
    if len(set(wanted)) < 2:
        return Reversed(code, found.name, inputs=inputs, reason="its values never differ")
    asked = (
        f"Write the task to which this code is the answer, in two to five sentences. State what the function `{found.name}` "
        "gets and returns, and what it does with empty, negative or otherwise special input, so that another programmer "
        f"could write one that behaves the same.\n\n```python\n{code}\n```"
    )
    options = {"max_tokens": max_tokens, "seed": seed}
    said = (await teacher.answer(asked, system=_READER, **options))[0]  # type: ignore[arg-type]
    instruction = said.text
    if not said.whole or len(instruction.split()) < 8:
        return Reversed(code, found.name, instruction, inputs=inputs, reason="no instruction")
    if _longest_copy(instruction, code) > _LONGEST_COPY:
        return Reversed(code, found.name, instruction, inputs=inputs, reason="the instruction quotes the code")
    asked = f"{instruction}\n\nBegin with `{found.header}:`. Give the code in one ```python block."
    regenerated = code_of((await teacher.ask(asked, system=_WRITER, **options))[0])  # type: ignore[arg-type]
    if not regenerated:
        return Reversed(code, found.name, instruction, inputs=inputs, reason="no code")
    new = await behaviour.behaviour(regenerated, found.name, inputs)
    same = sum(a == b for a, b in zip(wanted, new.values, strict=False))
    agreed, alike = solve.Share(same, len(inputs)), similarity(code, regenerated)
    reason = ""
    if agreed.value < least_agreed:
        reason = "behaves otherwise"
    elif alike < least_similar:
        reason = "written otherwise"
    return Reversed(code, found.name, instruction, regenerated, inputs, agreed, alike, reason)


def similarity(a: str, b: str) -> float:
    """How alike two programs are written, from 0 to 1: their tokens, where the names that they choose do not count, nor do
    comments, docstrings and layout."""
    return SequenceMatcher(None, canonical(a), canonical(b), autojunk=False).ratio()


def canonical(code: str) -> list[str]:
    """The tokens of a program with its own names numbered in order of appearance. Empty if it does not parse."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    numbers: dict[str, str] = {}
    found: list[str] = []
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(ast.unparse(tree)).readline):
        text = token.string
        if token.type in (tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER):
            continue
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE):
            text = tokenize.tok_name[token.type]
        elif token.type == tokenize.NAME and not (keyword.iskeyword(text) or hasattr(builtins, text) or before == "."):
            text = numbers.setdefault(text, f"name{len(numbers)}")
        found.append(text)
        before = token.string
    return found


def _longest_copy(instruction: str, code: str) -> int:
    """The most tokens in a row that an instruction has from the code, told apart by spaces and signs."""
    a, b = _rough(instruction), _rough(code)
    return SequenceMatcher(None, a, b, autojunk=False).find_longest_match().size


def _rough(text: str) -> list[str]:
    return [token for token in "".join(c if c.isalnum() or c == "_" else f" {c} " for c in text).split() if token]
