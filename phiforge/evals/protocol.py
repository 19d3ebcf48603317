"""How a model is asked, in words and in code. A task has several protocols by name; scores of different ones don't compare.

`Generate`: the model writes an answer and the problem's verifier grades it. `Choice`: the likeliest of given texts is taken
as its answer. `Perplexity`: how likely a text is. All render a `Problem`; a worked example is a problem of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING, ClassVar, Literal

from phiforge.chat.render import Tool
from phiforge.lm.tools import CALCULATOR
from phiforge.records import Message, Problem

if TYPE_CHECKING:
    from phiforge.evals.log import Grade
    from phiforge.lm import LanguageModel

Words = Callable[[Problem], str]


def question(problem: Problem) -> str:
    """The text of the last message."""
    return problem.messages[-1].text


def gold(problem: Problem) -> str:
    """What a worked example answers: metadata's `solution` where there is one, else the answer."""
    return str(problem.metadata.get("solution", problem.answer))


def options(problem: Problem) -> list[str]:
    """The texts of a problem's options, as verifier `choice` has them."""
    return list(problem.verifier_args["options"])


def lettered(problem: Problem) -> str:
    """The question, its options as lines "A. ...", and "Answer:"."""
    lines = [f"{ascii_uppercase[i]}. {text}" for i, text in enumerate(options(problem))]
    return "\n".join([question(problem).strip(), *lines, "Answer:"])


def letters(problem: Problem) -> list[str]:
    """The continuations " A", " B", ... of `lettered`."""
    return [f" {ascii_uppercase[i]}" for i in range(len(options(problem)))]


def step_by_step(problem: Problem) -> str:
    """simple-evals' multiple-choice question: to think, then to end in "Answer: X"."""
    shown = ascii_uppercase[: len(options(problem))]
    lines = "\n".join(f"{letter}) {text}" for letter, text in zip(shown, options(problem), strict=True))
    return (
        "Answer the following multiple choice question. The last line of your response should be of the following format: "
        f"'Answer: $LETTER' (without quotes) where LETTER is one of {shown}. Think step by step before answering.\n\n"
        f"{question(problem)}\n\n{lines}"
    )


def cloze(problem: Problem) -> str:
    """The question without its options."""
    return f"Question: {question(problem).strip()}\nAnswer:"


def spaced_options(problem: Problem) -> list[str]:
    """The options themselves as continuations, after a space."""
    return [f" {text}" for text in options(problem)]


@dataclass(frozen=True, kw_only=True)
class Generate:
    """The model writes; the verifier of the problem grades what it shows, thought stripped.

    `prompt` makes the text of the question. With `chat` it is the user's last message, worked examples are turns before it,
    and the problem's earlier messages are kept; without, the text is continued as it is (models on this machine only), worked
    examples standing before it as `prompt` and `target`, joined by `between`. `intro` comes first: the system message, or the
    beginning of the text. `metadata["tools"]` of a problem are offered as tools, `metadata["follow_ups"]` are user messages
    asked one after another once the one before is answered. Numbers that are None are the model's own defaults.
    `judge`, where a language model grades: judge(its model, problem, answers), an answer a turn.

    `worked` writes a whole worked example where that is not its `prompt` and `target`; with `chat` the examples then stand
    before the question in the one user message. `drawn`: each problem has its own examples, drawn by its id.
    """

    words: str  # the protocol as a person would tell it, with its source
    version: int = 1
    chat: bool = True
    prompt: Words = question
    intro: str | Words = ""
    target: Words = gold
    between: str = "\n\n"
    shots: int = 0
    examples: Sequence[Problem] = ()  # worked examples written in the task; else the task's `shots` split has them
    worked: Words | None = None
    drawn: bool = False
    verifier: str = ""  # instead of the problem's
    tools: bool = True  # whether metadata's tools are offered, in the model's own dialect
    # Whether calls are held to the tools' schemas as they are written, and whether one must be; models on this machine only.
    grammar: Literal["", "allowed", "required"] = ""
    calculator: bool = False  # whether a calculator is offered instead, whose calls are answered
    think_limit: int | None = None  # tokens of a thought, which is closed then; models on this machine only
    temperature: float | None = 0.0
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = 2048
    stop: tuple[str, ...] = ()
    repeats: int = 1
    judge: Callable[[LanguageModel, Problem, list[str]], Grade] | None = None
    kind: ClassVar[str] = "generate"

    @property
    def here(self) -> bool:
        """Whether it needs a model on this machine."""
        return not self.chat or bool(self.grammar) or self.think_limit is not None

    def offered(self, problem: Problem) -> list[Tool] | None:
        """The tools that a model may call."""
        return [CALCULATOR] if self.calculator else (self.tools and problem.metadata.get("tools")) or None

    def messages(self, problem: Problem, examples: Sequence[Problem] = ()) -> list[Message]:
        """The conversation that asks a problem, after worked examples."""
        if self.worked is not None:
            return [*problem.messages[:-1], Message("user", self.text(problem, examples))]
        intro = _said(self.intro, problem)
        turns = [Message("system", intro)] if intro else []
        for example in examples:
            turns += [Message("user", self.prompt(example)), Message("assistant", self.target(example))]
        return [*turns, *problem.messages[:-1], Message("user", self.prompt(problem))]

    def text(self, problem: Problem, examples: Sequence[Problem] = ()) -> str:
        """The text to continue (`chat` False), or the one message of `worked`, after worked examples."""
        shown = [
            _worked(self.prompt(each), self.target(each)) if self.worked is None else self.worked(each)
            for each in examples
        ]
        return _said(self.intro, problem) + self.between.join([*shown, self.prompt(problem)])


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The continuation with the largest log-likelihood is the answer, first of equals; `Problem.answer` is a letter.

    `per` is what sums are divided by: nothing, or the continuation's UTF-8 bytes, characters (lm-evaluation-harness'
    acc_norm), both without its leading space, or tokens. All are logged. With `greedy` an item is right where its answer is
    what greedy decoding would write: of a text with one way to go on.
    """

    words: str
    version: int = 1
    prompt: Words = lettered
    choices: Callable[[Problem], list[str]] = letters
    intro: str | Words = ""
    between: str = "\n\n"
    shots: int = 0
    examples: Sequence[Problem] = ()
    worked: Words | None = None  # as of `Generate`
    drawn: bool = False  # likewise
    per: Literal["sum", "byte", "char", "token"] = "sum"
    greedy: bool = False
    repeats: ClassVar[int] = 1
    kind: ClassVar[str] = "choice"

    def prefix(self, problem: Problem, examples: Sequence[Problem] = ()) -> str:
        """Intro and worked examples: what the items of a subset share."""
        shown = [
            _worked(self.prompt(e), self.choices(e)[right(e)]) if self.worked is None else self.worked(e)
            for e in examples
        ]
        return _said(self.intro, problem) + "".join(each + self.between for each in shown)

    def text(self, problem: Problem, examples: Sequence[Problem] = ()) -> str:
        """What stands before the continuations."""
        return self.prefix(problem, examples) + self.prompt(problem)


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """How likely a text is, in windows of `window` tokens that follow one another, each after one token of context; the last,
    if shorter, after as much as fills it (lm-evaluation-harness' rolling log-likelihood). The first begins after bos, or
    eos where there is none."""

    words: str
    version: int = 1
    window: int = 1024
    prompt: Words = field(default=question)
    shots: ClassVar[int] = 0
    repeats: ClassVar[int] = 1
    kind: ClassVar[str] = "perplexity"


Protocol = Generate | Choice | Perplexity


def right(problem: Problem) -> int:
    """The index of the right option. Raises ValueError where the answer names none."""
    at = ascii_uppercase.find(problem.answer.strip().upper()) if len(problem.answer.strip()) == 1 else -1
    if at < 0:
        raise ValueError(f"{problem.id}: answer {problem.answer!r} is not a letter from A to Z")
    return at


def _said(intro: str | Words, problem: Problem) -> str:
    return intro if isinstance(intro, str) else intro(problem)


def _worked(prompt: str, target: str) -> str:
    return prompt + target if target[:1].isspace() or prompt[-1:].isspace() else f"{prompt} {target}"
