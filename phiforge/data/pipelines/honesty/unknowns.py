"""Knowing what one knows: right answers where the model is usually right, refusals where it is usually wrong (Phi-4, A.1)."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.unknowns import unknowns
from phiforge.data.teacher import Teacher
from phiforge.records import Message


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    found = await unknowns(teacher, seed.text, seed.answer)
    pairs = [{"prompt": each.prompt, "chosen": each.chosen, "rejected": each.rejected} for each in found.dpo]
    rows: list[Draft | Reject] = [
        Draft(
            question=each.prompt,
            answer=seed.answer if each.kind == "correct" else "",
            facts={},
            template=each.kind,
            verifier="",
            response=Message("assistant", each.response),
            metadata={"right": found.right.value, "preferences": pairs},
        )
        for each in found.sft
        if each.kind != "bogus"
    ]
    return rows or [Reject("the model's tries decide nothing", {"question": seed.text, "right": found.right.value})]


PIPELINE = Taught(make, seeds="trivia", knobs="six tries a question", verifier="", stages=("hallucination data",))
