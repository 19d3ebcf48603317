"""What becomes of a draft whose response is given: its calls stay, its thought has the length asked for."""

from __future__ import annotations

from phiforge.data.draft import Draft, Step, respond
from phiforge.data.draw import Draw
from phiforge.records import Message, ToolCall


def test_the_thought_of_a_given_response_is_made_of_the_steps() -> None:
    call = ToolCall("get_weather", {"city": "Oslo"})
    given = Message("assistant", tool_calls=[call])
    draft = Draft(answer="[]", facts={}, template="", response=given)
    assert respond(draft, "long", Draw(1)) == given
    steps = [Step("`city` is Oslo.", "The city is stated.")]
    for length, thought in (("short", "`city` is Oslo."), ("medium", "The city is stated. `city` is Oslo.")):
        draft = Draft(answer="[]", facts={}, template="", response=given, steps=steps)
        made = respond(draft, length, Draw(1))
        assert made.tool_calls == [call]
        assert made.thinking == thought


def test_worked_thoughts_are_short_ones_jotted_down() -> None:
    steps = [Step("684 ÷ 4 = 171 for one; 12 − 7 = 5.", "Why."), Step("So 171 × 5 = 855.")]
    made = respond(Draft(answer="855", facts={}, template="", says="It is 855.", steps=steps), "worked", Draw(1))
    assert made.thinking == (
        "684/4=(400+284)/4=100+284/4=100+(280+4)/4=100+70+4/4=170+1=171 for one\n12-7=5\nSo 171*5=500+350+5=850+5=855"
    )
    assert made.text == "It is 855.\n\nAnswer: \\boxed{855}"
