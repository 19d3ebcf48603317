"""What a stage is worth: problems that no stage learns, answered greedily by the engine and judged by their verifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from phiforge.chat.format import ChatFormat
from phiforge.data import mixture
from phiforge.model.phi3 import Phi3
from phiforge.records import Problem
from phiforge.train.pivotal import Chance
from phiforge.train.rewards import Judge, by_verifier, judged
from phiforge.train.rollouts import Sampler, Wanted


class Sample(Struct, frozen=True):
    """One answered problem, for the report."""

    question: str
    answer: str
    expected: str
    correct: bool


class Score(Struct, frozen=True):
    """How many problems were solved. `ended` counts answers that came to an end; `samples` are the first few."""

    right: int
    n: int
    ended: int
    samples: list[Sample] = []

    @property
    def chance(self) -> Chance:
        return Chance(self.right, self.n)


class Measured(Struct, frozen=True):
    """What a model is worth: its loss on documents kept aside, problems solved, and numbers found in registers by length."""

    held_out: float | None
    score: Score | None
    retrieval: dict[str, int] = {}  # of midtrain.RETRIEVALS


class Result(Struct, frozen=True):
    """What a stage came to. `model` is the folder of model or adapter; `too_long` of the documents were left out, as were `alike`
    pairs, whose answers don't differ in what is learnt of them; the ledger is the mixture's."""

    stage: str
    kind: str
    model: str
    steps: int
    tokens: int
    seconds: float
    loss: float
    before: Measured
    after: Measured
    documents: int = 0
    too_long: int = 0
    alike: int = 0
    ledger: list[mixture.Entry] = []


SHOWN = 5  # samples of a score


def question(problem: Problem) -> str:
    """A problem's messages as plain text, as pretraining sees them."""
    return "\n".join(message.text for message in problem.messages)


def unseen(problems: Iterable[Problem], seen: set[str], n: int) -> list[Problem]:
    """The first `n` problems whose question is not among those seen. Raises ValueError if there is none."""
    fit = (each for each in problems if question(each) not in seen)
    found = [each for each, _ in zip(fit, range(n), strict=False)]
    if not found:
        raise ValueError("there is no problem to measure on that is not learnt, too")
    return found


def solve(
    model: Phi3,
    format: ChatFormat,
    problems: Sequence[Problem],
    longest: int,
    *,
    plain: bool = False,
    judge: Judge = by_verifier,
) -> Score:
    """Greedy answers of at most `longest` tokens, in the chat format or (`plain`) as texts go on."""
    tokenizer = format.tokenizer
    stops = tokenizer.eos_ids if plain else format.stop_ids
    wanted: list[Wanted] = []
    for problem in problems:
        if plain:
            prompt = tokenizer.encode(question(problem) + "\n")
        else:
            prompt = format.render(problem.messages, tools=problem.metadata.get("tools")).ids
        room = model.config.context - len(prompt)
        if room < 1:
            raise ValueError(
                f"problem {problem.id} has {len(prompt)} tokens, more than a context of {model.config.context}"
            )
        wanted.append(Wanted(prompt, 1, min(longest, room), seed=0, temperature=0.0))
    samples: list[Sample] = []
    right = ended = 0
    for problem, (answer,) in zip(problems, Sampler(model, stops).answers(wanted), strict=True):
        text = tokenizer.decode(answer.ids)
        correct = judged(text, len(answer.ids), answer.ended, problem, judge).correct
        right, ended = right + correct, ended + answer.ended
        if len(samples) < SHOWN:
            samples.append(Sample(question(problem), text, problem.answer, correct))
    return Score(right, len(problems), ended, samples)
