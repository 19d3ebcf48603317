"""Self-revision: a critique by a rubric with numbers, a revision, and again, until the rubric is met or rounds run out.

Every draft and score is kept. The critic that guides the revision also scores it, so its own gain is flattering; `judge`
is another teacher, or the same one asked afresh without the suggestions, that scores the first and the last draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import sqrt
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from phiforge.data.teacher import Teacher

BEST = 5


class Criterion(Struct, frozen=True):
    """Something that is scored from 1 to 5. `name` is a word; `least` is the score that is enough."""

    name: str
    asks: str
    least: int = 4


class Rubric(Struct, frozen=True):
    criteria: tuple[Criterion, ...]

    def met(self, scores: dict[str, int]) -> bool:
        return all(scores[each.name] >= each.least for each in self.criteria)


CLEAR = Rubric(
    (
        Criterion("correct", "Is everything in it true, and every step valid?"),
        Criterion("complete", "Does it do all that the task asks, and leave out nothing one needs?"),
        Criterion("clear", "Would a learner follow it without having to guess?"),
    )
)


class Draft(Struct, frozen=True):
    """One draft with the critic's scores and suggestions. `whole` is False where it was cut off."""

    text: str
    scores: dict[str, int]
    suggestions: list[str]
    whole: bool = True

    @property
    def score(self) -> float:
        return sum(self.scores.values()) / len(self.scores)


class Revised(Struct, frozen=True):
    """All drafts, in order; `best` is the place of the one to use: of the highest score, the latest of several."""

    drafts: list[Draft]
    best: int
    met: bool
    judged: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        return self.drafts[self.best].text

    @property
    def kept(self) -> bool:
        return self.met

    @property
    def reason(self) -> str:
        return "" if self.met else "rubric not met"

    @property
    def gain(self) -> float:
        """How much higher the used draft scores than the first: by the judge, if there was one, else by the critic."""
        if self.judged is not None:
            return self.judged[1] - self.judged[0]
        return self.drafts[self.best].score - self.drafts[0].score


class Gain(Struct, frozen=True):
    """The mean gain of many revisions with the half-width of its 95 % interval, and the shares that rose and fell."""

    mean: float
    half_width: float
    rose: float
    fell: float
    met: float
    rounds: float


_CRITIC = "You are a demanding but fair critic. You score only what you were asked to score, and say what to change."
_WRITER = "You revise texts. You answer with the whole revised text and nothing else."


async def revise(
    teacher: Teacher,
    task: str,
    draft: str,
    rubric: Rubric = CLEAR,
    *,
    rounds: int = 3,
    judge: Teacher | None = None,
    max_tokens: int = 1024,
    seed: int = 0,
) -> Revised:
    """Criticise and revise a draft that answers a task, at most `rounds` times."""
    drafts: list[Draft] = []
    text, whole = draft, True
    for turn in range(rounds + 1):
        scores, suggestions = await critique(teacher, task, text, rubric, seed=seed)
        drafts.append(Draft(text, scores, suggestions, whole))
        if rubric.met(scores) or turn == rounds:
            break
        wanted = "\n".join(f"- {each}" for each in suggestions) or "- Make it better in every respect above."
        marks = ", ".join(f"{name} {score} of {BEST}" for name, score in scores.items())
        asked = f"Task:\n{task}\n\nText:\n{text}\n\nScores: {marks}\n\nChange this:\n{wanted}\n\nGive the whole revised text."
        said = (await teacher.answer(asked, system=_WRITER, max_tokens=max_tokens, seed=seed))[0]
        if not said.whole or not said.text:
            break  # half a text is not a draft
        text, whole = said.text, said.whole
    best = max(range(len(drafts)), key=lambda i: (drafts[i].score, i))
    met = rubric.met(drafts[best].scores)
    if judge is None:
        return Revised(drafts, best, met)
    first, last = drafts[0].text, drafts[best].text
    before, _ = await critique(judge, task, first, rubric, seed=seed + 1)
    after, _ = (before, []) if last == first else await critique(judge, task, last, rubric, seed=seed + 1)
    means = tuple(sum(scores.values()) / len(scores) for scores in (before, after))
    return Revised(drafts, best, met, judged=(means[0], means[1]))


async def critique(
    teacher: Teacher, task: str, text: str, rubric: Rubric = CLEAR, *, seed: int = 0
) -> tuple[dict[str, int], list[str]]:
    """The scores of a text by a rubric, and what to change."""
    asks = "\n".join(f"- {each.name}: {each.asks}" for each in rubric.criteria)
    asked = (
        f"Task:\n{task}\n\nText:\n{text}\n\nScore the text from 1 (bad) to {BEST} (nothing to better) in each of these:\n"
        f"{asks}\n\nThen suggest at most three changes, the most useful first."
    )
    filled: Any = await teacher.fill(_form(rubric), asked, system=_CRITIC, seed=seed)
    return {each.name: getattr(filled, each.name) for each in rubric.criteria}, list(filled.suggestions)


def gain(reports: Sequence[Revised]) -> Gain:
    """What revision was worth, over many texts."""
    if not reports:
        raise ValueError("there is no revision of which to take the mean")
    gains, n = [each.gain for each in reports], len(reports)
    mean = sum(gains) / n
    deviation = sqrt(sum((each - mean) ** 2 for each in gains) / (n - 1)) if n > 1 else 0.0
    return Gain(
        mean=mean,
        half_width=1.96 * deviation / sqrt(n),
        rose=sum(each > 0 for each in gains) / n,
        fell=sum(each < 0 for each in gains) / n,
        met=sum(each.met for each in reports) / n,
        rounds=sum(len(each.drafts) - 1 for each in reports) / n,
    )


@cache
def _form(rubric: Rubric) -> type[Struct]:
    score = Annotated[int, Meta(ge=1, le=BEST)]
    fields = [(each.name, score) for each in rubric.criteria]
    suggestions = Annotated[list[Annotated[str, Meta(max_length=240)]], Meta(max_length=3)]
    return msgspec.defstruct("Critique", [*fields, ("suggestions", suggestions)])
