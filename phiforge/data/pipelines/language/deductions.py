"""Deduction chains found in texts, turned into questions whose answer is reached link by link.

The links quote the text; three attempts at the question have to have its answer for their plurality.
"""

from __future__ import annotations

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.deduce import deduce
from phiforge.data.teacher import Teacher


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    found = await deduce(teacher, seed.text, votes=3)
    if not found.kept or found.posed is None:
        return [Reject(found.reason, {"links": [link.conclusion for link in found.links]})]
    steps = [Step(f"So {link.conclusion.rstrip('.')}.", f"{'; '.join(link.premises)}.") for link in found.links]
    return [
        Draft(
            question=found.posed.question,
            answer=found.posed.answer,
            facts={},
            template=f"{len(found.links)} links",
            steps=steps,
            says=found.posed.reasoning.strip(),
            verifier="choice",
            metadata={"quotes": [link.quote for link in found.links]},
        )
    ]


PIPELINE = Taught(
    make, seeds="passages", knobs="chains of two to six links", verifier="choice", stages=("deduce", "plurality")
)
