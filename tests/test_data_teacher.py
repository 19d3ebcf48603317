"""The teacher: what is paid for once is kept, whatever happens; what goes wrong once is tried again."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from endpoint import CUT, Server, answers, delta, event, raw, says
from msgspec import Meta, Struct
from msgspec.structs import replace

from phiforge.data import forms
from phiforge.data.answers import Answer, Answers, Question
from phiforge.data.run import TeacherChoice
from phiforge.data.simulated import Known, Nature, SimulatedModel, SimulatedTeacher
from phiforge.data.teacher import BadAnswer, Teacher
from phiforge.lm.base import Delta, Reply
from phiforge.lm.remote import EndpointError
from phiforge.records import Message


class Step(Struct, frozen=True):
    why: Annotated[str, Meta(max_length=60)]


class Sheet(Struct, frozen=True):
    title: Annotated[str, Meta(max_length=40)]
    level: Annotated[int, Meta(ge=1, le=5)]
    kind: Literal["fact", "reason"]
    steps: Annotated[list[Step], Meta(max_length=2)] = []


def knows(answer: str = "4", nature: Nature | None = None, **options: Any) -> SimulatedTeacher:
    return SimulatedTeacher([Known(question="2 + 2?", answer=answer, wrong=("5", "6"))], nature, **options)


# --- asking ------------------------------------------------------------------------------------------------------


def test_the_same_question_is_paid_for_once() -> None:
    async def go() -> None:
        teacher = knows()
        first = await teacher.ask("2 + 2?", n=3)
        assert await teacher.ask("2 + 2?", n=3) == first
        assert teacher.model.asked == [3]
        more = await teacher.ask("2 + 2?", n=5)
        assert more[:3] == first
        assert teacher.model.asked == [3, 2]
        assert len(set(more)) > 1
        assert await teacher.ask("2 + 2?", n=3, seed=1) != first
        used = teacher.used()
        assert (used["calls"], used["cached"]) == (3, 6)

    asyncio.run(go())


def test_every_argument_tells_questions_apart() -> None:
    teacher = knows()

    async def go() -> None:
        for options in ({}, {"system": "Be brief."}, {"temperature": 0.5}, {"max_tokens": 9}, {"seed": 2}):
            await teacher.ask("2 + 2?", **options)
        await teacher.ask([Message("user", "2 + 2?")])  # the same as the text alone

    asyncio.run(go())
    assert len(teacher.asked) == len(teacher.model.asked) == 5


def test_those_who_ask_the_same_at_the_same_time_pay_once() -> None:
    teacher = knows(seconds=0.01)

    async def go() -> list[list[str]]:
        return await asyncio.gather(*(teacher.ask("2 + 2?", n=2) for _ in range(10)))

    assert len({tuple(each) for each in asyncio.run(go())}) == 1
    assert teacher.model.asked == [2]


def test_no_more_are_under_way_than_the_bound_says() -> None:
    class Counting(SimulatedModel):
        now = most = 0

        async def astream(self, *args: Any, **options: Any) -> AsyncIterator[Delta | Reply]:
            self.now += 1
            self.most = max(self.most, self.now)
            async for item in super().astream(*args, **options):
                yield item
            self.now -= 1

    model = Counting(seconds=0.005)
    teacher = Teacher(model, concurrency=3)

    async def go(name: str) -> None:
        await asyncio.gather(*(teacher.ask(f"{name} {i}") for i in range(20)))

    asyncio.run(go("one"))
    asyncio.run(go("two"))  # a teacher outlives a loop
    assert model.most == 3
    assert teacher.used()["seconds"] >= 0.005 * 14


def test_recordings_share_all_but_their_lists() -> None:
    teacher = knows()

    async def go() -> None:
        one, two = teacher.recording(), teacher.recording()
        await one.ask("2 + 2?")
        await two.ask("2 + 2?")
        await two.ask("what else?")
        assert len(one.asked) == 1
        assert set(one.asked) < set(two.asked)
        question = teacher.answers.question(one.asked[0])
        assert question is not None
        assert [m.text for m in question.messages] == ["2 + 2?"]
        assert teacher.used()["cached"] == 1

    asyncio.run(go())


def test_costs_follow_the_prices() -> None:
    teacher = knows(price_in=1.0, price_out=10.0)
    asyncio.run(teacher.ask("2 + 2?", n=4))
    used = teacher.used()
    assert used["prompt_tokens"] == 3  # once, though there were four answers
    assert used["cost"] == pytest.approx((used["prompt_tokens"] + 10 * used["tokens"]) / 1e6)


# --- filling in --------------------------------------------------------------------------------------------------


def test_a_form_is_filled_in_and_shown() -> None:
    sheet = asyncio.run(SimulatedTeacher().fill(Sheet, "Describe water."))
    assert 1 <= sheet.level <= 5
    assert forms.form(Sheet) == (
        '{"title": string (at most 40 characters), "level": 1 to 5, "kind": "fact" or "reason", '
        '"steps": [{"why": string (at most 60 characters)}, ...] (at most 2)}'
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "a", "level": 2, "kind": "fact"}',
        'Sure! Here it is:\n```json\n{"title": "a", "level": 2, "kind": "fact", "steps": []}\n```\nGood luck.',
        'The set {1, 2} is {"title": "a", "level": "2", "kind": "fact"} as asked.',
    ],
)
def test_forms_are_read_out_of_what_surrounds_them(text: str) -> None:
    assert forms.read(Sheet, text) == Sheet("a", 2, "fact")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no", "no JSON object"),
        ('{"title": "a", "steps": [{"why": "b"}', "truncated"),
        ('{"title": "a"}', "level"),
        ('{"title": "a", "level": 9, "kind": "fact"}', "<= 5"),
    ],
)
def test_what_is_no_form_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        forms.read(Sheet, text)


def test_a_bad_form_is_asked_for_once_more_with_the_reason() -> None:
    told: list[str] = []

    def fills(prompt: str, schema: dict[str, Any], draw: Any) -> Any:
        told.append(prompt)
        return {"title": "a", "level": 9 if len(told) == 1 else 3, "kind": "fact", "steps": []}

    teacher = SimulatedTeacher(fills=fills)
    assert asyncio.run(teacher.fill(Sheet, "x")).level == 3
    assert "<= 5" in told[1]
    assert asyncio.run(teacher.fill(Sheet, "x")).level == 3  # both answers are kept
    assert len(told) == 2
    never = SimulatedTeacher(fills=lambda *_: {"title": "a"})
    with pytest.raises(BadAnswer, match="did not fill in a Sheet"):
        asyncio.run(never.fill(Sheet, "x"))


# --- what goes wrong ---------------------------------------------------------------------------------------------


class Failing(SimulatedModel):
    """Raises what it was given, then answers."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.tries = 0

    async def astream(self, *args: Any, **options: Any) -> AsyncIterator[Delta | Reply]:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        async for item in super().astream(*args, **options):
            yield item


def broken(sentence: str, status: int | None = None) -> EndpointError:
    return EndpointError(f"http://x/v1 {sentence}", status=status)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phiforge.data.desk.FIRST_WAIT_S", 0.001)


@pytest.mark.usefixtures("no_waiting")
def test_what_passes_is_tried_again() -> None:
    model = Failing(broken("broke off in the middle of the answer"), broken("answered 503: busy", 503))
    assert asyncio.run(Teacher(model).ask("hello"))
    assert model.tries == 3


@pytest.mark.usefixtures("no_waiting")
def test_what_does_not_pass_ends_the_run() -> None:
    model = Failing(*[broken("answered 503: busy", 503)] * 9)
    with pytest.raises(EndpointError, match="busy"):
        asyncio.run(Teacher(model).ask("hello"))
    assert model.tries == 4
    model = Failing(broken("answered 401: wrong key", 401))
    with pytest.raises(EndpointError, match="wrong key"):
        asyncio.run(Teacher(model).ask("hello"))
    assert model.tries == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the prompt has 20000 tokens"),
        broken("answered 400: maximum context", 400),
        broken("withheld the answer: its content filter cut it"),
    ],
)
def test_one_question_that_cannot_be_answered_does_not_end_the_run(error: Exception) -> None:
    """But if nothing was ever answered, the model is set up wrongly, and that is said as it is."""

    async def go() -> None:
        with pytest.raises(type(error)) as told:
            await Teacher(Failing(error)).ask("hello")
        assert not isinstance(told.value, BadAnswer)
        model = Failing()
        teacher = Teacher(model)
        await teacher.ask("hello")
        model.errors.append(error)
        with pytest.raises(BadAnswer):
            await teacher.ask("something long")

    asyncio.run(go())


def test_an_endpoint_without_grammars_is_asked_without() -> None:
    class Plain(SimulatedModel):
        forms = 0

        async def astream(self, *args: Any, **options: Any) -> AsyncIterator[Delta | Reply]:
            if options["sampling"].grammar is not None:
                self.forms += 1
                raise broken("answered 400: unknown field response_format", 400)
            async for item in super().astream(*args, **options):
                yield item

    sheet = '{"title": "a", "level": 1, "kind": "fact"}'
    model = Plain(responds=lambda messages, draw: sheet)
    teacher = Teacher(model)
    for question in "abc":
        assert asyncio.run(teacher.fill(Sheet, question)) == Sheet("a", 1, "fact")
    assert model.forms == 1


@pytest.mark.usefixtures("no_waiting")
def test_an_endpoint_that_breaks_off_is_asked_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real client against a stand-in server: the sentences by which failures are told apart are those it raises."""
    monkeypatch.setattr("phiforge.lm.remote.FIRST_WAIT_S", 0.001)
    monkeypatch.setenv("PHIFORGE_API_KEY", "sk-secret")
    teacher = Teacher.open(TeacherChoice(model=f"{server.url}#their-model"), str(tmp_path / "t.sqlite"))
    server.script = [raw(event(delta(content="Hel")), CUT), raw(event(delta(content="Hel"))), says("Hello")]
    assert asyncio.run(teacher.ask("Hi")) == ["Hello"]
    assert teacher.used()["calls"] == 3
    assert [each["seed"] for each in server.asked] == [server.asked[0]["seed"]] * 3
    server.script = [answers(400, {"error": {"message": "maximum context length is 4096"}})]
    with pytest.raises(BadAnswer, match="maximum context"):
        asyncio.run(teacher.ask("Something long"))
    server.script = [answers(401)]
    with pytest.raises(EndpointError, match="key"):
        asyncio.run(teacher.ask("Something else"))
    teacher.close()
    assert all(b"sk-secret" not in file.read_bytes() for file in tmp_path.iterdir())


# --- the cache ---------------------------------------------------------------------------------------------------


def test_a_cache_with_an_answer_needs_no_model(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "teacher.sqlite"
    said = asyncio.run(Teacher(SimulatedModel(), path, identity="x").ask("hello"))

    def never() -> Any:
        raise AssertionError("the model was opened")

    assert asyncio.run(Teacher(never, path, name="x").ask("hello")) == said


def test_answers_come_all_or_none_and_stay(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "a.sqlite")
    question = Question(model="m", messages=[Message("user", "q")], sampling={"seed": 0})
    answers.put(question, 0, [Answer(text="one"), Answer(text="two")])
    answers.put(question, 1, [Answer(text="another"), Answer(text="three")])  # a slower process with the same question
    assert [each.text for each in answers.get(question.key, 9)] == ["one", "two", "three"]
    assert answers.get(question.key, 1)[0].text == "one"
    other = replace(question, sampling={"seed": 1})
    assert other.key != question.key
    assert answers.get(other.key, 1) == []


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("not a database, but long enough to look like something" * 9)
    with pytest.raises(ValueError, match="cannot keep"):
        Answers(tmp_path / "x")
    with pytest.raises(ValueError, match="file of this machine"):
        Answers("s3://bucket/teacher.sqlite")


def test_credentials_are_not_kept(tmp_path: Path) -> None:
    choice = TeacherChoice(model="https://user:hunter2@example.org/v1?key=sk-abc#phi-4")
    teacher = Teacher.open(choice, str(tmp_path / "t.sqlite"))
    assert teacher.name == "phi-4"
    assert teacher.identity == "https://example.org/v1#phi-4"
    question = Question(model=teacher.identity, messages=[Message("user", "q")], sampling={})
    teacher.answers.put(question, 0, [Answer(text="one")])
    teacher.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"hunter2" not in kept
    assert b"sk-abc" not in kept


def test_a_model_that_is_not_here_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model 'nosuch'"):
        Teacher.open(TeacherChoice(model="nosuch"), str(tmp_path / "t.sqlite"))


RUN = """
import asyncio, sys
from phiforge.data.simulated import SimulatedTeacher

async def go():
    teacher = SimulatedTeacher(cache=sys.argv[1], concurrency=4, seconds=0.01)
    said = await asyncio.gather(*(teacher.ask(f"question {i}", n=2) for i in range(150)))
    print(sum(teacher.model.asked), repr(said))

asyncio.run(go())
"""


def test_kill_9_in_the_middle_loses_no_answer(tmp_path: Path) -> None:
    """A rerun asks for what is missing, no more, and all answers are those of a run that nothing happened to."""

    def start(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / name)], stdout=subprocess.PIPE, text=True)

    def count(name: str) -> int:
        try:
            with sqlite3.connect(f"file:{tmp_path / name}?mode=ro", uri=True) as db:
                return db.execute("SELECT count(*) FROM answers").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    paid, whole = start("whole").communicate()[0].split(" ", 1)
    assert paid == "300"
    for least in (20, 150):
        process = start("killed")
        while count("killed") < least:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    there = count("killed")
    assert 150 <= there < 300
    assert there % 2 == 0
    paid, resumed = start("killed").communicate()[0].split(" ", 1)
    assert int(paid) == 300 - there
    assert resumed == whole
    assert start("killed").communicate()[0].split(" ", 1) == ["0", whole]


def test_two_processes_may_fill_one_cache(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / "both")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = {each.communicate()[0].split(" ", 1)[1] for each in runs}
    assert len(said) == 1


# --- the instrument ----------------------------------------------------------------------------------------------


def test_the_simulated_teacher_errs_as_its_law_says() -> None:
    known = Known(
        question="q", answer="A", wrong=("B", "C"), difficulty=4, verifier="choice", options=("a", "b", "longest")
    )
    nature = Nature(errors=(0, 0, 0, 0.4, 0), favour=0.75, position=0.1, length=0.2, silent=0.05)
    law = known.law(nature)
    assert sum(law.values()) == 1
    assert law["A"] == Fraction(6, 10) * Fraction(65, 100) + Fraction(1, 10)
    said = asyncio.run(SimulatedTeacher([known], nature).ask("q", n=4000))
    for answer, chance in law.items():
        ending = f"Answer: {answer}" if answer else "go on."
        found = sum(each.endswith(ending) for each in said) / 4000
        assert abs(found - chance) < 4 * float(chance * (1 - chance) / 4000) ** 0.5


def test_the_simulated_teacher_repeats_itself() -> None:
    one, two, other = knows(seed=1), knows(seed=1), knows(seed=2)
    said = [asyncio.run(each.ask("2 + 2?", n=50)) for each in (one, two, other)]
    assert said[0] == said[1] != said[2]


# --- the real model ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_default_model_teaches(default_gguf: Path, tmp_path: Path) -> None:
    async def go(teacher: Teacher) -> tuple[list[str], Sheet]:
        return await teacher.ask("Name a fruit.", n=2, max_tokens=20), await teacher.fill(
            Sheet, "Describe water for a child.", max_tokens=200
        )

    choice = TeacherChoice(model=str(default_gguf))
    teacher = Teacher.open(choice, str(tmp_path / "t.sqlite"))
    said, sheet = asyncio.run(go(teacher))
    assert len(said) == 2
    assert sheet.title
    used = teacher.used()
    assert used["calls"] >= 2
    assert used["tokens"] > 10
    teacher.close()
    again = Teacher.open(choice, str(tmp_path / "t.sqlite"))
    assert asyncio.run(go(again)) == (said, sheet)
    assert again.used()["calls"] == 0
    fresh = Teacher.open(choice, str(tmp_path / "fresh.sqlite"))
    assert asyncio.run(go(fresh)) == (said, sheet)  # seeds, not luck
    fresh.close()
