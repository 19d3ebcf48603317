"""Found texts rewritten in seven forms that teach, without copying and without a number that the source doesn't have."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.rewrite import FORMS, rewrite
from phiforge.data.teacher import Teacher
from phiforge.data.words import article
from phiforge.records import Message


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    rows: list[Draft | Reject] = []
    for form in draw.sample(list(FORMS), 2):
        made = await rewrite(teacher, seed.text, form, claims=True)
        if not made.kept:
            rows.append(Reject(made.reason, {"form": form, "text": made.text}))
            continue
        question = (
            f"Turn this text into {article(form)}, in your own words:\n\n{seed.text}"
            if form != "questions and answers"
            else f"Turn this text into questions and answers, in your own words:\n\n{seed.text}"
        )
        rows.append(
            Draft(
                question=question,
                answer="",
                facts={},
                template=form,
                verifier="",
                response=Message("assistant", made.text),
                metadata={"copied": round(made.copied, 3)},
            )
        )
    return rows


PIPELINE = Taught(
    make, seeds="passages", knobs="seven forms, two a text", verifier="", stages=("web rewriting", "claims checked")
)
