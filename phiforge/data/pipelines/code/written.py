"""Programs written with their tests for a task, run in the sandbox and repaired until the tests pass and catch mutants."""

from __future__ import annotations

from phiforge.data.draft import Draft
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Reject, Taught
from phiforge.data.seeds import Seed
from phiforge.data.stages.execute import write_code
from phiforge.data.teacher import Teacher
from phiforge.records import Message

_TASKS = (
    "Write a Python function that has to do with {}: small, useful, with clear inputs and outputs.",
    "Write a Python function for an exercise on {}. It takes plain values and returns one.",
    "Think of a calculation that belongs to {}, and write it as a Python function.",
)


async def make(teacher: Teacher, seed: Seed, draw: Draw) -> list[Draft | Reject]:
    task = draw.pick(_TASKS).format(seed.text)
    made = await write_code(teacher, task)
    if made.reason:
        return [Reject(made.reason, {"task": task, "code": made.code})]
    executed = made.attempts[-1].executed
    return [
        Draft(
            question=task,
            answer=made.code,
            facts={},
            template=task[:20],
            verifier="code",
            verifier_args={"tests": made.tests},
            response=Message("assistant", f"```python\n{made.code.strip()}\n```"),
            metadata={"mutants": executed.mutants, "caught": executed.caught, "attempts": len(made.attempts)},
        )
    ]


PIPELINE = Taught(
    make, seeds="topics", knobs="up to three attempts with repairs", verifier="code", stages=("execution validation",)
)
