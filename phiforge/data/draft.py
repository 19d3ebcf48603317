"""What a pipeline makes of one row, and the example that becomes of it: question, thought, answer.

A solution is a list of steps. From the same steps come thoughts of three lengths: `short` has what is computed, `medium`
says why, `long` begins with what is asked, goes back where a step went wrong, and checks the result. `worked` is `short` as one
jots it down, a line for each sentence, with arithmetic by hand: what very small models learn most from.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from phiforge.data.by_hand import jotted
from phiforge.data.draw import Draw
from phiforge.records import Message, Problem

Length = Literal["short", "medium", "long", "worked"]
MIXED: tuple[Length, ...] = ("short", "medium", "long")

SLIPS = 0.35  # share of long thoughts with a step that could go wrong in which it does
CHECKS = {"medium": 0.4, "long": 0.9}  # share of thoughts that check their result


class Slip(Struct, frozen=True):
    """A mistake that a person might make at a step, and how it shows: `wrong` is said first, then `noticed`."""

    wrong: str
    noticed: str


class Step(Struct, frozen=True):
    """One step of a solution: what is done, why, and what might go wrong. Whole sentences."""

    say: str
    because: str = ""
    slip: Slip | None = None


class Draft(Struct, frozen=True, kw_only=True):
    """A row as its pipeline makes it.

    `facts` are JSON, and all that an independent solver needs to find the answer again. `answer` is what the verifier
    compares with, `says` the visible sentence that gives it. `template` names the phrasing, for counting.
    `given` restates the task for long thoughts, `check` is the sentence that checks the result. `messages` stand in for
    `question` where the conversation is longer, `response` for what would be composed of the steps; its thought is still
    made of them, where there are any.
    """

    answer: str
    facts: dict[str, Any]
    template: str
    question: str = ""
    steps: list[Step] = []
    says: str = ""
    given: str = ""
    check: str = ""
    verifier: str = "math"
    verifier_args: dict[str, Any] = {}
    system: str = ""
    messages: list[Message] = []
    tools: list[dict[str, Any]] = []
    response: Message | None = None
    metadata: dict[str, Any] = {}

    def problem(self, id: str, **metadata: Any) -> Problem:
        """The problem of this row. `metadata` joins its own, its facts and its template."""
        messages = self.messages or [Message("user", self.question)]
        if self.system:
            messages = [Message("system", self.system), *messages]
        about: dict[str, Any] = {"template": self.template, "facts": self.facts, **self.metadata, **metadata}
        if self.tools:
            about["tools"] = self.tools
        return Problem(id, messages, self.answer, self.verifier, self.verifier_args, about)


def respond(draft: Draft, length: Length, draw: Draw) -> Message:
    """The answer of a draft, with a thought of this length."""
    if draft.response is not None:
        return replace(draft.response, thinking=think(draft, length, draw)) if draft.steps else draft.response
    thought = think(draft, length, draw)
    shown = [step.say for step in draft.steps] if length in CHECKS and len(draft.steps) > 1 else []
    last = final(draft)
    visible = "\n".join(shown) + f"\n\n{last}" if shown else last
    return Message("assistant", visible, thinking=thought or None)


def final(draft: Draft) -> str:
    """The line with the answer, as the draft's verifier reads it."""
    mark = f"\\boxed{{{draft.answer}}}" if draft.verifier in ("math", "units") else draft.answer
    line = f"Answer: {mark}"
    return f"{draft.says}\n\n{line}" if draft.says else line


def think(draft: Draft, length: Length, draw: Draw) -> str:
    """A thought made of the draft's steps."""
    if length not in CHECKS:
        short = " ".join(step.say for step in draft.steps)
        return jotted(short) if length == "worked" else short
    parts: list[str] = []
    if length == "long" and draft.given:
        parts.append(f"{draw.pick(_OPENINGS)}{draft.given}")
    for step in draft.steps:
        line = step.say
        if step.slip is not None and length == "long" and draw.chance(SLIPS):
            line = f"{step.slip.wrong} {draw.pick(_DOUBTS)} {step.slip.noticed} {draw.pick(_REPAIRS)}{line}"
        if step.because:
            line = f"{step.because} {line}"
        parts.append(line)
    if draft.check and draw.chance(CHECKS[length]):
        parts.append(f"{draw.pick(_CHECKS)}{draft.check}")
    return "\n".join(parts)


_OPENINGS = ("", "", "Let me see. ", "First, what is known: ", "Let me put down what is given. ", "So: ")
_DOUBTS = (
    "Wait, that is not right.",
    "Hold on.",
    "No, let me look again.",
    "Hmm, that cannot be.",
    "Let me recheck that.",
)
_REPAIRS = ("", "", "So: ", "Again: ", "Corrected: ")
_CHECKS = ("", "Check: ", "Let me check. ", "To be sure: ", "Does it fit? ")
