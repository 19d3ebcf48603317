"""Claim checking: statements that a passage supports, contradicts or doesn't mention, to be told apart.

Each claim is judged again by somebody who doesn't know how it was made; both have to agree.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages import solve, texts
from phiforge.data.teacher import Teacher
from phiforge.records import Message, Problem
from phiforge.verify.choice import verify

_KINDS = ("supported", "contradicted", "not mentioned")
_HOW = {
    "supported": "a claim that the text states or clearly implies, in other words",
    "contradicted": "a claim that the text shows to be false",
    "not mentioned": "a plausible claim about the same subject of which the text says nothing",
}


class Claim(Struct, frozen=True):
    claim: Annotated[str, Meta(max_length=240)]
    why: Annotated[str, Meta(max_length=240)]


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    return [await _one(teacher, seed, kind, draw.shuffled(_KINDS)) for kind in _KINDS]


async def _one(teacher: Teacher, seed: Seed, kind: str, options: list[str]) -> Draft | Reject:
    made = await teacher.fill(
        Claim, f"{seed.text}\n\nWrite {_HOW[kind]}, and say why.", system="You write tests of careful reading."
    )
    what = {"claim": made.claim, "kind": kind}
    if texts.copied(made.claim, seed.text) > 0.5:
        return Reject("copied from the text", what)
    letters = "\n".join(f"{'ABC'[i]}) {option}" for i, option in enumerate(options))
    question = f"{seed.text}\n\nClaim: {made.claim}\n\nIs the claim supported by the text, contradicted by it, or not mentioned in it?\n{letters}"
    answer = "ABC"[options.index(kind)]
    problem = Problem("", [Message("user", question)], answer, "choice", {"options": options})
    said = (await solve.attempts(teacher, problem, 1, max_tokens=300))[0]
    if not verify(said.text, problem).correct:
        return Reject("a second judge decides otherwise", {**what, "second": said.text})
    return Draft(
        question=question,
        answer=answer,
        facts={},
        template=kind,
        steps=[Step(made.why.strip()), Step(f"So the claim is {kind}.")],
        says=f"The claim is {kind}.",
        verifier="choice",
        verifier_args={"options": options},
    )


PIPELINE = Taught(
    make,
    seeds="passages",
    knobs="supported, contradicted, not mentioned",
    verifier="choice",
    stages=("propose", "second judge"),
)
