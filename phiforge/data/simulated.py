"""A simulated teacher: a measuring instrument whose errors are known, so that filters can be held against theory.

It is given problems with their truth, and answers each by a known law: right with a probability that depends on the
difficulty, else wrong, with a favourite among the wrong answers; of options it may favour the first or the longest. It sits
behind a real `Teacher`, cache and all. What it was told nothing about it answers with words of the question, and forms with
whatever fits their schema: enough for a pipeline to run, worth nothing as data.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from string import ascii_uppercase
from typing import Any

import msgspec
from msgspec import Struct

from phiforge.chat.parse import Said
from phiforge.chat.render import Tool
from phiforge.data.answers import Answers
from phiforge.data.babble import babble, filled
from phiforge.data.draw import Draw
from phiforge.data.rows import question, spoken
from phiforge.data.teacher import Teacher
from phiforge.engine.request import Sampling, Scored
from phiforge.lm.base import Conversation, Delta, LanguageModel, Options, Reply, Writing
from phiforge.records import Example, Message, Problem

Responds = Callable[[Sequence[Message], Draw], str | None]
Fills = Callable[[str, dict[str, Any], Draw], Any]

_OPENINGS = (
    "Let me work through it.",
    "Step by step:",
    "First I write down what is given.",
    "I begin with what is asked.",
    "This can be done directly.",
    "Taking the quantities in order.",
    "One thing after the other.",
    "I set it up and compute.",
)


class Nature(Struct, frozen=True, kw_only=True):
    """How it errs. All are probabilities.

    `errors`: of a wrong answer, by difficulty from 1 to 5. `favour`: that a wrong answer is the favourite one; the others
    share the rest evenly. `position` and `length`: that of options the first, or the longest, is taken without looking.
    `silent`: that no answer is given at all.
    """

    errors: tuple[float, ...] = (0.05, 0.15, 0.3, 0.5, 0.8)
    favour: float = 0.5
    position: float = 0.0
    length: float = 0.0
    silent: float = 0.0

    def __post_init__(self) -> None:
        for name in ("favour", "position", "length", "silent"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, not {getattr(self, name)}")
        if len(self.errors) != 5 or not all(0 <= each <= 1 for each in self.errors):
            raise ValueError(f"errors are five probabilities, one for each difficulty, not {self.errors}")
        if self.position + self.length + self.silent > 1:
            raise ValueError("position, length and silent are together at most 1")


class Known(Struct, frozen=True, kw_only=True):
    """A question and the truth about it. `wrong` answers begin with the favourite; `response` is a whole right answer."""

    question: str
    answer: str
    wrong: tuple[str, ...]
    difficulty: int = 3
    verifier: str = "math"
    options: tuple[str, ...] = ()
    response: str = ""

    @classmethod
    def of(cls, made: Example | Problem) -> Known:
        """What a row of a solver pipeline says."""
        problem, response = (made.problem, spoken(made.response)) if isinstance(made, Example) else (made, "")
        return cls(
            question=question(problem),
            answer=problem.answer,
            wrong=_wrong(problem),
            difficulty=problem.metadata.get("level", 3),
            verifier=problem.verifier,
            options=tuple(problem.verifier_args.get("options") or ()),
            response=response,
        )

    def law(self, nature: Nature) -> dict[str, Fraction]:
        """The probability of each answer, exactly; the truth comes first, "" stands for none."""
        error, favour = _exact(nature.errors[self.difficulty - 1]), _exact(nature.favour)
        law = {self.answer: 1 - error}
        others = len(self.wrong) - 1
        for place, wrong in enumerate(self.wrong):
            share = favour if place == 0 else (1 - favour) / others
            law[wrong] = error * (share if others else 1)
        position, length = (
            (_exact(nature.position), _exact(nature.length)) if self.options else (Fraction(), Fraction())
        )
        silent = _exact(nature.silent)
        law = {answer: chance * (1 - position - length - silent) for answer, chance in law.items()} | {"": silent}
        if self.options:
            longest = max(range(len(self.options)), key=lambda i: (len(self.options[i]), -i))
            law["A"] += position
            law[ascii_uppercase[longest]] += length
        return {answer: chance for answer, chance in law.items() if chance or answer == self.answer}


class SimulatedModel(LanguageModel):
    """The instrument as a language model. `responds` and `fills` may speak first: None leaves it to what is known.

    `seconds` is how long it pretends to think; `asked` counts samples by request.
    """

    name = "simulated"
    defaults = Sampling()

    def __init__(
        self,
        known: Iterable[Known] = (),
        nature: Nature | None = None,
        *,
        seed: int = 0,
        responds: Responds | None = None,
        fills: Fills | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.nature = nature or Nature()
        self.known = {each.question: each for each in known}
        self.seed = seed
        self.seconds = seconds
        self.asked: list[int] = []
        self._responds = responds
        self._fills = fills
        self._laws = {each.question: each.law(self.nature) for each in self.known.values()}

    def answer(self, messages: Conversation, sampling: Sampling, sample: int) -> str:
        """What it says, always the same for the same arguments."""
        told = "\n".join(each.text for each in messages)
        draw = Draw.of(self.seed, told, sampling.seed or 0, sample)
        last = messages[-1].text
        if sampling.grammar is not None and sampling.grammar.kind == "json_schema":
            schema = json.loads(sampling.grammar.text)
            value = self._fills(last, schema, draw) if self._fills else None
            value = filled(schema, draw, last) if value is None else value
            return msgspec.json.encode(value).decode()
        if self._responds and (said := self._responds(messages, draw)) is not None:
            return said
        if (known := self._find(messages)) is None:
            return babble(last, draw, 40)
        return self._solve(known, draw)

    def _find(self, messages: Conversation) -> Known | None:
        said = [each.text for each in messages if each.role != "system"]
        for text in ("\n".join(each.text for each in messages), "\n".join(said), said[-1]):
            if text in self.known:
                return self.known[text]
        inside = [asked for asked in self.known if asked in said[-1]]
        return self.known[max(inside, key=len)] if inside else None

    def _solve(self, known: Known, draw: Draw) -> str:
        law, point = self._laws[known.question], Fraction(draw.getrandbits(53), 1 << 53)
        reached = zip(law, accumulate(law.values()), strict=True)
        answer = next((each for each, up_to in reached if point < up_to), known.answer)
        opening = " ".join(draw.sample(_OPENINGS, draw.between(1, 3)))
        if not answer:
            return f"{opening} I do not see how to go on."
        if answer == known.answer and known.response:
            return f"{opening}\n\n{known.response}"
        mark = f"\\boxed{{{answer}}}" if known.verifier in ("math", "units") else answer
        return f"{opening}\n\nAnswer: {mark}"

    # --- as a language model ---------------------------------------------------------------------------------------

    def stream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> Iterator[Delta | Reply]:
        """See `LanguageModel.stream`."""
        self.asked.append(n)
        sampling = sampling or self.defaults
        for sample in range(n):
            text = self.answer(messages, sampling, sample)
            words = text.split(" ")
            cut = sampling.max_tokens is not None and len(words) > sampling.max_tokens
            text = " ".join(words[: sampling.max_tokens]) if cut else text
            writing = Writing(sample)
            writing.tokens = max(1, min(len(words), sampling.max_tokens or len(words)))
            yield from writing.take([Said(text)], text)
            yield writing.reply("length" if cut else "stop", sum(len(each.text.split()) for each in messages))

    async def astream(
        self,
        messages: Conversation,
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> AsyncIterator[Delta | Reply]:
        """See `LanguageModel.astream`."""
        await asyncio.sleep(self.seconds)
        for item in self.stream(messages, sampling=sampling, n=n, tools=tools, options=options):
            yield item

    def chat_many(
        self,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling | None = None,
        n: int = 1,
        tools: Sequence[Tool] | None = None,
        options: Options | None = None,
    ) -> list[list[Reply]]:
        """See `LanguageModel.chat_many`."""
        streams = [self.stream(each, sampling=sampling, n=n, tools=tools, options=options) for each in conversations]
        return [[item for item in stream if isinstance(item, Reply)] for stream in streams]

    def score(self, pairs: Sequence[tuple[str, str]], *, adapter: str | None = None) -> list[Scored]:
        """Raises ValueError: it has no probabilities of tokens."""
        raise ValueError("a simulated model weighs no texts")

    def score_chat(
        self, messages: Conversation, continuations: Sequence[str], *, adapter: str | None = None
    ) -> list[Scored]:
        """Raises ValueError, as `score` does."""
        return self.score(())

    def check(self, sampling: Sampling | None = None, options: Options | None = None) -> None:
        """See `LanguageModel.check`: it can do all that is asked of it."""

    def close(self) -> None:
        """Nothing is held."""


class SimulatedTeacher(Teacher):
    """A `Teacher` over a `SimulatedModel`, which is its `model`."""

    def __init__(
        self,
        known: Iterable[Known] = (),
        nature: Nature | None = None,
        *,
        seed: int = 0,
        responds: Responds | None = None,
        fills: Fills | None = None,
        seconds: float = 0.0,
        cache: str | Answers = ":memory:",
        concurrency: int = 64,
        price_in: float = 0.0,
        price_out: float = 0.0,
    ) -> None:
        self.model = SimulatedModel(known, nature, seed=seed, responds=responds, fills=fills, seconds=seconds)
        identity = f"simulated, seed {seed}, {self.model.nature}"
        super().__init__(
            self.model, cache, identity=identity, concurrency=concurrency, price_in=price_in, price_out=price_out
        )


def _wrong(problem: Problem, n: int = 6) -> tuple[str, ...]:
    """Answers that a problem's verifier does not take for its own; the first is the favourite."""
    answer, options = problem.answer, problem.verifier_args.get("options") or ()
    if options:
        letters = ascii_uppercase[: len(options)]
        place = letters.index(answer)
        return tuple(letters[(place + 1 + i) % len(letters)] for i in range(len(letters) - 1))
    try:
        value = Fraction(answer)
    except (ValueError, ZeroDivisionError):
        if problem.verifier == "math":  # an expression
            return tuple(str(1_000_003 + i) for i in range(n))
        return tuple(f"none of {n + i}" for i in range(n))
    return tuple(str(value + step) for step in (1, -1, 10, 2, -2, 3, 7, -5)[:n])


def _exact(probability: float) -> Fraction:
    return Fraction(str(probability))
