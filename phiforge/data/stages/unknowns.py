"""Saying "I don't know": rows that teach a model to answer what it knows, to refuse what it does not, and what cannot be.

(phi-4 report, appendix A.1.) The model to be taught tries a question several times; a teacher writes a correct answer, a
refusal, and a bogus variant of the question that nobody could answer. From its accuracy follows what it is to learn:

    SFT   usually right: (question, correct)   usually wrong: (question, refusal)   always: (bogus, refusal)
    DPO   sometimes right: correct over refusal   sometimes wrong: refusal over that wrong answer
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from phiforge.data.answers import Answer
from phiforge.data.stages import solve, texts
from phiforge.data.teacher import Teacher
from phiforge.records import Message, Problem
from phiforge.verify.choice import plain

DPO_TOKENS = 5  # of a response that the report's DPO looks at: where it turns to answering or to refusing
_REFUSES = (
    "i don't know",
    "i do not know",
    "i'm not sure",
    "i am not sure",
    "i'm not aware",
    "i am not aware",
    "i have no information",
    "i don't have",
    "i do not have",
    "i can't answer",
    "i cannot answer",
)


class Taught(Struct, frozen=True):
    """A prompt with what to say."""

    prompt: str
    response: str
    kind: Literal["correct", "refusal", "bogus"]


class Preferred(Struct, frozen=True):
    """A prompt with what is better to say than what."""

    prompt: str
    chosen: str
    rejected: str
    kind: Literal["correct over refusal", "refusal over wrong"]


class Checked(Struct, frozen=True):
    why: Annotated[str, Meta(max_length=160)]
    matches_key: Literal["True", "False", "Uncertain"]


class Bogus(Struct, frozen=True):
    """A question that sounds like the first but cannot be answered, with the writer's own grade of it."""

    question: Annotated[str, Meta(max_length=300)]
    why_impossible: Annotated[str, Meta(max_length=200)]
    quality: Annotated[int, Meta(ge=1, le=5)]


class Unknowns(Struct, frozen=True):
    """The model's tries, what the teacher wrote, and the rows. `uncertain` tries are neither right nor wrong."""

    question: str
    tries: list[str]
    right: solve.Share
    wrong: list[str]
    uncertain: int
    correct: str
    refusal: str
    bogus: Bogus | None
    bogus_refusal: str
    sft: list[Taught]
    dpo: list[Preferred]

    @property
    def kept(self) -> bool:
        return bool(self.sft or self.dpo)

    @property
    def reason(self) -> str:
        return "" if self.kept else "the model's tries decide nothing"


_CHECKER = "You compare an answer with the key. You do not use what you know yourself."
_WRITER = "You write for an assistant that is honest about what it knows. You write only what the assistant says."


async def unknowns(
    teacher: Teacher,
    question: str,
    answer: str,
    *,
    aliases: Sequence[str] = (),
    learner: Teacher | None = None,
    tries: int = 6,
    usually: float = 0.7,
    least_quality: int = 3,
    seed: int = 0,
) -> Unknowns:
    """What to teach about one question of known answer. `learner` is who is to be taught (by default the teacher itself);
    it is usually right, or wrong, if that share of its tries is."""
    problem = Problem("", [Message("user", question)], answer, "choice")
    said = await solve.attempts(
        learner or teacher, problem, tries, max_tokens=120, seed=seed, system="Answer briefly."
    )
    verdicts = [await check(teacher, question, [answer, *aliases], each, seed=seed) for each in said]
    refused = [refuses(each.text) for each in said]
    pairs = list(zip(said, verdicts, refused, strict=True))
    right = [each.text for each, verdict, _ in pairs if verdict == "True"]
    wrong = [each.text for each, verdict, no in pairs if verdict == "False" and not no]
    asked = (
        f"Question: {question}\nThe answer is: {answer}\n\nWrite the assistant's reply: the answer in a full sentence."
    )
    correct = (await teacher.ask(asked, system=_WRITER, max_tokens=100, seed=seed))[0]
    if not any(texts.tells(correct, each) for each in (answer, *aliases)):
        correct = answer
    refusal = await refuse(teacher, question, hides=[answer, *aliases], seed=seed)
    bogus: Bogus | None = await teacher.fill(
        Bogus,
        f"Question: {question}\n\nChange it into a question of the same kind that nobody can answer, because what it asks "
        "for does not exist or never happened, though it sounds as if it did. Say why, and grade it from 1 to 5: 5 if "
        "one notices only by knowing better.",
        system="You write trick questions.",
        seed=seed,
    )
    if bogus.quality < least_quality or texts.words(bogus.question) == texts.words(question):
        bogus = None
    bogus_refusal = await refuse(teacher, bogus.question, bogus.why_impossible, seed=seed) if bogus else ""
    share = solve.Share(len(right), len(said))
    return Unknowns(
        question=question,
        tries=[each.text for each in said],
        right=share,
        wrong=wrong,
        uncertain=verdicts.count("Uncertain"),
        correct=correct,
        refusal=refusal,
        bogus=bogus,
        bogus_refusal=bogus_refusal,
        sft=_sft(
            question, correct, refusal, bogus, bogus_refusal, share, verdicts.count("False") / len(said), usually
        ),
        dpo=_dpo(question, correct, refusal, wrong, bool(right)),
    )


def _sft(
    question: str,
    correct: str,
    refusal: str,
    bogus: Bogus | None,
    bogus_refusal: str,
    right: solve.Share,
    wrong: float,
    usually: float,
) -> list[Taught]:
    rows: list[Taught] = []
    if right.value >= usually:
        rows.append(Taught(question, correct, "correct"))
    elif wrong >= usually:
        rows.append(Taught(question, refusal, "refusal"))
    if bogus is not None:
        rows.append(Taught(bogus.question, bogus_refusal, "bogus"))
    return rows


def _dpo(question: str, correct: str, refusal: str, wrong: list[str], ever_right: bool) -> list[Preferred]:
    rows: list[Preferred] = []
    if ever_right:
        rows.append(Preferred(question, correct, refusal, "correct over refusal"))
    if wrong:
        rows.append(Preferred(question, refusal, wrong[0], "refusal over wrong"))
    return rows


async def check(
    teacher: Teacher, question: str, keys: Sequence[str], said: Answer, *, seed: int = 0
) -> Literal["True", "False", "Uncertain"]:
    """Whether an answer matches one of the keys. What is plain needs no teacher: the key itself, or a refusal."""
    if not said.text or refuses(said.text):
        return "False"
    if plain(said.text) in [plain(key) for key in keys]:
        return "True"
    asked = (
        f"Question: {question}\nKey: {' or '.join(keys)}\nAnswer: {said.text}\n\nDoes the answer say the same as the key? True, "
        "False, or Uncertain if it says both or neither."
    )
    found = (await teacher.fill(Checked, asked, system=_CHECKER, max_tokens=160, seed=seed)).matches_key
    there = set(texts.words(said.text))
    if found == "True" and not any(there & set(texts.words(key)) for key in keys):
        return "Uncertain"  # not a word of the key: another name of it, or a checker that is too kind
    return found


async def refuse(teacher: Teacher, question: str, why: str = "", *, hides: Sequence[str] = (), seed: int = 0) -> str:
    """A refusal that fits the question. One that goes on to answer, tells what it `hides` or is long, is replaced by a
    plain one."""
    hint = f" (what is wrong with it: {why})" if why else ""
    asked = (
        f"Question: {question}{hint}\n\nWrite the assistant's reply: in one or two sentences it says that it does not know, "
        "without guessing, and if something in the question seems not to exist, says so. It begins with 'I'."
    )
    said = (await teacher.ask(asked, system=_WRITER, max_tokens=80, seed=seed))[0]
    told = any(texts.tells(said, each) for each in hides) or re.search(r"\bbut i(?:'|’| )", said, re.I)
    if refuses(said) and len(said.split()) <= 60 and not told:
        return said
    doubt = " Something in the question does not seem to exist." if why else ""
    return f"I don't know the answer to that, and I would rather not guess.{doubt}"


def refuses(text: str) -> bool:
    """Whether a reply declines to answer, in its first words."""
    start = text.strip().lower().replace("’", "'")[:200]
    return any(phrase in start for phrase in _REFUSES)
