"""Questions that need two places of a passage: with either of them taken away, they can no longer be answered.

Both places have to be in the passage; the answer has to be found with both, and not without one.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from phiforge.data.draft import Draft, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.pipelines.language._second import agrees
from phiforge.data.seeds import Seed
from phiforge.data.stages import texts
from phiforge.data.teacher import Teacher


class Joined(Struct, frozen=True):
    first_sentence: Annotated[str, Meta(max_length=300)]
    second_sentence: Annotated[str, Meta(max_length=300)]
    reasoning: Annotated[str, Meta(max_length=300)]
    question: Annotated[str, Meta(max_length=300)]
    answer: Annotated[str, Meta(max_length=80)]


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    task = f"{seed.text}\n\nFind two sentences of this text that together tell something that neither tells alone. Copy both exactly, say what follows from them, and ask a question whose short answer needs both."
    joined = await teacher.fill(Joined, task, system="You write tests of close reading.")
    what = {
        "question": joined.question,
        "answer": joined.answer,
        "sentences": [joined.first_sentence, joined.second_sentence],
    }
    places = [
        sentence
        for sentence in texts.sentences(seed.text)
        if any(texts.quoted(q, sentence) for q in (joined.first_sentence, joined.second_sentence))
    ]
    if len(places) < 2:
        return [Reject("the two sentences are not in the text", what)]
    if texts.tells(joined.question, joined.answer):
        return [Reject("the question tells its answer", what)]
    question = f"{seed.text}\n\n{joined.question}"
    if not await agrees(teacher, question, joined.answer):
        return [Reject("a second reading answers otherwise", what)]
    for place in places[:2]:
        if await agrees(teacher, question.replace(place, ""), joined.answer, seed=1):
            return [Reject("one sentence is enough", what)]
    return [
        Draft(
            question=question,
            answer=joined.answer,
            facts={},
            template="two sentences",
            steps=[
                Step(f"The text says: “{joined.first_sentence.strip()}”"),
                Step(f"It also says: “{joined.second_sentence.strip()}”"),
                Step(joined.reasoning.strip(), "Together:"),
            ],
            says=joined.reasoning.strip(),
            verifier="choice",
        )
    ]


PIPELINE = Taught(
    make,
    seeds="passages",
    knobs="one question a passage",
    verifier="choice",
    stages=("propose", "second reading", "ablation"),
)
