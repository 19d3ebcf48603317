"""Instruction reversal: from code to the instruction that asks for it, kept when code written anew from it behaves the same."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.reverse import reverse
from phiforge.data.teacher import Teacher
from phiforge.records import Message


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    made = await reverse(teacher, seed.text, draw)
    if made.reason:
        return [Reject(made.reason, {"instruction": made.instruction, "regenerated": made.regenerated})]
    about = {"agreed": made.agreed.value, "inputs": made.agreed.of, "similarity": round(made.similarity, 3)}
    return [
        Draft(
            question=made.instruction,
            answer=made.code,
            facts={},
            template=made.entry,
            verifier="",
            response=Message("assistant", f"```python\n{made.code.strip()}\n```"),
            metadata=about,
        )
    ]


PIPELINE = Taught(
    make,
    seeds="code",
    knobs="generated inputs decide whether behaviour agrees",
    verifier="",
    stages=("instruction reversal",),
)
