"""Plurality: N independent answers stand in for the truth where they neither all agree nor all differ.

A question on which all answers agree teaches nothing; one on which none stands out is too hard, or has no one answer.
Of the rest the largest cluster is taken for the truth (phi-4 report, section 2.2). No vote is asked for that can't matter.
"""

from __future__ import annotations

from msgspec import Struct

from phiforge.data.answers import Answer
from phiforge.data.stages import solve, vote
from phiforge.data.teacher import Teacher
from phiforge.records import Problem


class Plurality(Struct, frozen=True):
    """What the votes say. `responses` are those that gave `answer`, shortest first; `clusters` hold the votes' positions.

    `asked` votes of `n` were paid for. `risk` is the chance that the votes left out would have changed the outcome.
    """

    outcome: vote.Outcome
    answer: str
    responses: list[str]
    votes: list[str | None]
    clusters: list[list[int]]
    asked: int
    n: int
    tokens: int
    risk: float = 0.0

    @property
    def kept(self) -> bool:
        return self.outcome == "kept"

    @property
    def reason(self) -> str:
        return "" if self.kept else self.outcome

    @property
    def saved(self) -> int:
        """Votes that were not paid for."""
        return self.n - self.asked

    @property
    def agreement(self) -> float:
        """The share of the votes for the answer."""
        return len(self.clusters[0]) / self.asked


async def plurality(
    teacher: Teacher,
    question: str | Problem,
    *,
    n: int = 9,
    least: int = 2,
    stop: vote.Stop = "exact",
    risk: float = 0.01,
    step: int = 1,
    verifier: str = "math",
    temperature: float | None = solve.TEMPERATURE,
    max_tokens: int = solve.MAX_TOKENS,
    seed: int = 0,
) -> Plurality:
    """The plurality of up to `n` votes; a problem's own answer is not looked at. A plurality has `least` votes or more.

    `stop`: "exact" ends when no vote left could change the outcome, "bayes" also when the chance that they do is at most
    `risk` (under `vote.chance_of_change`'s prior), "never" asks for all. After the votes that are needed in any case they
    are asked for `step` at a time: more is quicker, and saves less. A response that gives no answer agrees with nobody.
    """
    problem = solve.as_problem(question, verifier)
    attempts: list[Answer] = []
    votes: list[str | None] = []
    clusters: list[list[int]] = []
    for more in vote.blocks(n, least, stop, step):
        options = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
        new = await solve.attempts(teacher, problem, more, first=len(votes), **options)  # type: ignore[arg-type]
        attempts += new
        votes += [solve.final(problem, each) for each in new]
        clusters = await solve.clustered(problem, votes)
        if vote.ended([len(each) for each in clusters], n - len(votes), least, stop, risk):
            break
    sizes = [len(members) for members in clusters]
    left = n - len(votes)
    outcome = vote.decide(sizes, len(votes), least)
    agreeing = [attempts[position].text for position in clusters[0]] if outcome != "no agreement" else []
    return Plurality(
        outcome=outcome,
        answer=(votes[clusters[0][0]] or "") if agreeing else "",
        responses=sorted(agreeing, key=len),
        votes=votes,
        clusters=clusters,
        asked=len(votes),
        n=n,
        tokens=sum(each.tokens for each in attempts),
        risk=0.0 if vote.settled(sizes, left, least) else vote.chance_of_change(sizes, left, least),
    )
