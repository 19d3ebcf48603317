"""The page in a real browser, as a person uses it: Debian's Chromium through Playwright. Run with `-m slow`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

pytestmark = pytest.mark.slow
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("Chromium is not here: apt-get install chromium", allow_module_level=True)

XSS = [line for line in (Path(__file__).parent / "xss.txt").read_text().split("\n") if line]
THOUGHT = "First I add the tens, then the ones.\nThat makes 42."
ANSWER = (
    "The sum is **42**, since $17 + 25 = 42$.\n\n```python\nprint(17 + 25)\n```\n\n| a | b |\n|---|---|\n| 17 | 25 |\n"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        yield play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PHIFORGE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab. The test fails if it ever logs an error, or if anything opens a dialog."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, color_scheme="light", accept_downloads=True)
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    yield tab
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def scripted(default_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real page and history, and in the place of a model one that says what a test wants to see: our models neither
    think nor attack."""
    from serving import running, server_of_file

    from phiforge.serve import app, chat

    async def prepared(http: Request) -> Response:
        asked = await http.json()
        question = asked["messages"][-1]["content"]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if question == "vote":
            tally = [
                {"answer": "42", "votes": 3, "samples": [0, 1, 3]},
                {"answer": "<b>7</b>", "votes": 1, "samples": [2]},
            ]
            message = {"role": "assistant", "content": ANSWER}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
            vote = {"k": 4, "answer": "42", "tally": tally, "without_answer": 0}
            return JSONResponse({"choices": [choice], "usage": {"completion_tokens": 40}, "majority_vote": vote})
        if question == "think":
            deltas += [{"reasoning_content": piece + " "} for piece in THOUGHT.split(" ")]
        if question == "call":
            call = {"index": 0, "id": "c", "type": "function", "function": {"name": "weather", "arguments": ""}}
            deltas += [
                {"tool_calls": [call]},
                {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Paris"}'}}]},
            ]
        elif question.startswith("attack "):
            deltas += [{"content": XSS[int(question.split()[1])]}]
        elif question == "attack":
            deltas += [{"reasoning_content": "\n".join(XSS)}, {"content": "\n\n".join(XSS)}]
        else:
            deltas += [{"content": piece + " "} for piece in ANSWER.split(" ")]

        async def events() -> Any:
            for delta in deltas:
                yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]})}\n\n"
                await asyncio.sleep(0.01)
            usage = {"completion_tokens": 60, "completion_tokens_details": {"reasoning_tokens": 12}}
            yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]})}\n\n"
            yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat, "routes", [Route("/v1/chat/completions", prepared, methods=["POST"])])
        assert app.chat is chat
        with running(server_of_file(default_gguf, tmp_path_factory.mktemp("scripted"))) as there:
            yield there


def until(page: Any, condition: str) -> None:
    """Wait until JavaScript says so. (Playwright's own way needs eval, which the page's policy forbids.)"""
    end = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def ask(page: Any, text: str) -> None:
    page.get_by_label("Your question").fill(text)
    page.keyboard.press("Enter")


def answered(page: Any, n: int = 1) -> Any:
    """The n-th answer, once it is complete."""
    answer = page.locator(".message.assistant").nth(n - 1)
    answer.get_by_role("button", name="Retry").wait_for(timeout=60_000)
    return answer


def test_ask_stream_stop_and_come_back(page: Any, served: Any, pictures: Path) -> None:
    page.goto(served.url)
    page.screenshot(path=pictures / "welcome.png")
    ask(page, "What is gravity?")
    page.get_by_role("button", name="Stop").wait_for()
    answer = page.locator(".message.assistant .text")
    until(page, "document.querySelector('.message.assistant .text')?.textContent.length > 20")
    growing = answer.text_content()
    until(page, f"document.querySelector('.message.assistant .text').textContent.length > {len(growing)}")
    page.keyboard.press("Escape")
    answered(page)
    stopped = answer.text_content()
    assert "ravity" in stopped
    assert page.get_by_role("button", name="Send").is_visible()
    page.screenshot(path=pictures / "answer.png")

    page.reload()
    answered(page)
    assert page.locator(".message.user .text").text_content() == "What is gravity?"
    assert answer.text_content() == stopped
    assert page.title() == "What is gravity? · Phiforge"

    page.get_by_role("button", name="New conversation").click()
    ask(page, "Name a zebra")
    page.get_by_role("button", name="Stop").click()
    page.get_by_label("Search conversations").fill("grav")
    until(page, "document.querySelectorAll('#conversations button').length === 1")
    page.get_by_role("button", name="What is gravity?").click()
    page.get_by_role("button", name="Rename").click()
    page.locator("#dialog input").fill("Of apples")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('h1').textContent === 'Of apples'")
    with page.expect_download() as download:
        page.get_by_text("Export", exact=True).click()
        page.get_by_role("button", name="Save").click()
    assert Path(download.value.path()).read_text().startswith("# Of apples\n\n## User\n\nWhat is gravity?")
    page.get_by_role("button", name="Delete").click()
    page.locator("#dialog-ok").click()
    until(page, "document.querySelector('h1').textContent === 'New conversation'")
    assert [c["title"] for c in served.server.history.list()] == ["Name a zebra"]


def test_edit_retry_and_branches(page: Any, scripted: Any) -> None:
    page.goto(scripted.url)
    ask(page, "one")
    answered(page).get_by_role("button", name="Retry").click()
    page.get_by_text("2 / 2").wait_for()
    answered(page)
    page.locator(".message.user").get_by_role("button", name="Edit").click()
    page.get_by_label("Edit your question").fill("two")
    page.get_by_role("button", name="Ask again").click()
    answered(page)
    assert page.locator(".message.user .text").text_content() == "two"
    page.locator(".message.user").get_by_role("button", name="Previous version").click()
    assert page.locator(".message.user .text").text_content() == "one"
    assert page.locator(".message.assistant").get_by_text("2 / 2").is_visible()
    page.reload()
    page.get_by_text("one", exact=True).first.wait_for()
    assert page.locator(".message.user .text").text_content() == "one"


def test_thoughts_formulas_calls_and_votes(page: Any, scripted: Any, pictures: Path) -> None:
    page.goto(scripted.url)
    ask(page, "think")
    answer = answered(page)
    thought = answer.locator("details")
    assert "12 tokens" in thought.locator("summary").text_content()
    assert not thought.locator("div").is_visible()
    thought.locator("summary").click()
    assert thought.locator("div").text_content().strip() == THOUGHT
    assert answer.locator("math").count() == 1
    assert answer.locator("table td").count() == 2
    assert answer.locator("strong").text_content() == "42"
    assert "tokens/s" in answer.locator(".speed").text_content()
    page.screenshot(path=pictures / "thought.png")
    answer.get_by_role("button", name="Copy this code").click()

    ask(page, "call")
    card = answered(page, 2).locator(".call")
    assert card.locator("strong").text_content() == "weather"
    assert '"city": "Paris"' in card.text_content()

    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Think longer").select_option("4")
    ask(page, "vote")
    tally = answered(page, 3).locator(".tally")
    assert [int(m.get_attribute("value")) for m in tally.locator("meter").all()] == [3, 1]
    assert "<b>7</b>" in tally.text_content()
    page.screenshot(path=pictures / "vote.png")


def test_token_probabilities(page: Any, served: Any, pictures: Path) -> None:
    page.goto(served.url)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Token probabilities").check()
    page.get_by_label("Most tokens").fill("12")
    ask(page, "Hi")
    answered(page).get_by_role("button", name="Probabilities").click()
    token = page.locator(".token").nth(1)
    token.hover()
    lines = page.locator("#popover").text_content().split("\n")
    assert len(lines) >= 5
    assert all("%" in line for line in lines)
    page.screenshot(path=pictures / "probabilities.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_light_and_dark(page: Any, scripted: Any, pictures: Path, scheme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    page.emulate_media(color_scheme=scheme)
    page.goto(scripted.url)
    ask(page, "think")
    answered(page).locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in background.strip("rgb()").split(",")) > 382
    assert light == (scheme == "light")
    page.screenshot(path=pictures / f"phone-{scheme}.png")
    page.get_by_role("button", name="Open the list of conversations").click()
    page.screenshot(path=pictures / f"phone-{scheme}-list.png")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != background


def test_an_answer_never_runs(page: Any, scripted: Any) -> None:
    page.goto(scripted.url)
    page.evaluate("void (window.attack = () => { window.attacked = true; })")
    for i in range(len(XSS)):
        ask(page, f"attack {i}")
        answered(page, i + 1)
    ask(page, "attack")
    answered(page, len(XSS) + 1).locator("summary").click()
    page.reload()
    answered(page, len(XSS) + 1)
    page.evaluate("void (window.attack = () => { window.attacked = true; })")
    for link in page.locator(".message.assistant a").all():
        assert link.get_attribute("href").split(":")[0] not in ("javascript", "data", "vbscript")
    assert page.evaluate("window.attacked") is None
    assert page.locator(".message script, .message iframe, .message img, .message svg, .message object").count() == 0
