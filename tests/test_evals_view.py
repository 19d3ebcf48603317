"""The page of logs: that it holds all there is, asks nobody, and that nothing a model wrote becomes part of it. In a real
browser (Debian's Chromium through Playwright, `-m slow`) it is used as a person would."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eval_logs import items, log, run

from phiforge.cli.main import main
from phiforge.evals import view
from phiforge.evals.log import Weighed, read_items, write_log

XSS = [line for line in (Path(__file__).parent / "xss.txt").read_text().split("\n") if line]
HOSTILE = [
    *XSS, "</script><script>window.owned=1</script>", "<!--<script>", "]]>", "line\u2028separator\u2029here", "\x00\x07",
    "<img src=x onerror=window.owned=1>", "</textarea></style></title>", "$$SCRIPT$$", "${window.owned=1}", "\u202egnitirw",
]  # fmt: skip
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def data_of(page: str) -> Any:
    packed = re.search(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]*)</script>', page)
    assert packed
    return json.loads(gzip.decompress(b64decode(packed[1])))


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return [
        log(tmp_path / "a", 0.45, n=120, model="small"),
        log(tmp_path / "b", 0.65, n=120, seed=1, model="large", repeats=1),
    ]


def hostile(folder: Path, model: str) -> Path:
    made = [
        msgspec.structs.replace(
            item, id=f"{i} {bad}", subset=bad, prompt=f"<|user|>\n{bad}", thought=bad, response=bad, extracted=bad, gold=bad,
            reason=bad, finish=bad, measures={bad: 0.5},
            choices=[Weighed(bad, -1.0, 1, 1, True), Weighed("other", -2.0, 1, 1, False)] if i % 3 == 0 else [],
        )
        for i, (item, bad) in enumerate(zip(items(0.5, n=len(HOSTILE)), HOSTILE, strict=True))
    ]  # fmt: skip
    told = run(model=model, items=len(made), protocol_words=XSS[0], stopped=XSS[1], machine=XSS[2])
    return write_log(folder, told, made)


def test_the_page_holds_every_answer(pair: list[Path], tmp_path: Path) -> None:
    page = view.write(pair, tmp_path / "out/eval.html")
    data = data_of(page.read_text())
    assert [r["model"] for r in data["runs"]] == ["small", "large"]
    assert len(data["items"]) == 120
    assert len(data["prompts"]) == 120  # shared by both runs
    for number, folder in enumerate(pair):
        for item, row in zip(read_items(folder), data["items"], strict=True):
            (answer,) = row["answers"][number]
            assert row["id"] == item.id
            assert data["outcomes"][answer[0]] == item.outcome
            assert answer[1:6] == [item.score, item.thought, item.response, item.extracted, item.reason]
            assert data["prompts"][row["prompts"][number][1]] == item.prompt
    assert data["pairs"][0]["items"] == 120
    assert len(data["runs"][0]["lengths"]) == 5
    again = view.write(pair, tmp_path / "again.html")
    assert again.read_bytes() == page.read_bytes()


def test_the_page_is_whole_and_asks_nobody(pair: list[Path], tmp_path: Path) -> None:
    page = view.write(pair, tmp_path / "eval.html").read_text()
    bare = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|src=|@import|url\(|<link", bare)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; ")
    for tag in ("style", 'script type="module"'):
        text = page.split(f"<{tag}>")[1].split(f"</{tag.split()[0]}>")[0]
        assert b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy[1]


def test_hostile_text_stays_data(tmp_path: Path) -> None:
    model = "</title><script>window.owned=1</script>$$SCRIPT$$"
    page = view.write([hostile(tmp_path / "a", model)], tmp_path / "eval.html").read_text()
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "owned" not in page.replace("&lt;/title&gt;&lt;script&gt;window.owned=1&lt;/script&gt;$$SCRIPT$$", "")
    data = data_of(page)
    assert [row["answers"][0][0][3] for row in data["items"]] == HOSTILE
    assert data["runs"][0]["model"] == model


def test_a_page_of_many_items_is_small(tmp_path: Path) -> None:
    """2,000 five-shot questions: worked examples that items share cost little."""
    shots = (
        "The following are questions about the sea.\n\n"
        + "Which of these is a fish?\nA. cod\nB. oak\nAnswer: A\n\n" * 60
    )
    made = [msgspec.structs.replace(item, prompt=f"{shots}Question {item.id}") for item in items(0.5, n=2000)]
    place = write_log(tmp_path / "a", run(items=2000), made)
    page = view.write([place], tmp_path / "eval.html")
    assert page.stat().st_size < (place / "items.jsonl").stat().st_size / 25


def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no log"):
        view.write([], tmp_path / "eval.html")
    with pytest.raises(ValueError, match="holds no evaluation log"):
        view.write([tmp_path], tmp_path / "eval.html")
    assert not (tmp_path / "eval.html").exists()


def test_the_verb_writes_the_page(pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.html"
    assert main(["eval", "view", *map(str, pair), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert data_of(out.read_text())["pairs"]


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not here: apt-get install chromium")
    with import_module("playwright.sync_api").sync_playwright() as play:
        yield play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab. The test fails if it ever logs an error, opens a dialog, or asks for anything but the page's own file."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    yield tab
    context.close()
    assert wrong == []
    assert all(url.startswith("file:") and url.endswith(".html") for url in asked)


def picture(tab: Any, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PHIFORGE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=folder / f"eval-{name}.png")


@pytest.mark.slow
def test_a_person_finds_what_one_model_got_wrong(pair: list[Path], tmp_path: Path, tab: Any) -> None:
    a, b = ({i.id: i for i in read_items(each)} for each in pair)
    tab.goto(view.write(pair, tmp_path / "eval.html").as_uri())
    tab.wait_for_selector(".overview")
    lost = [id for id in a if a[id].right and not b[id].right]
    assert tab.locator(".tally", has_text="A right, B wrong").locator("b").inner_text() == str(len(lost))
    assert tab.locator(".chart").count() == 3
    picture(tab, "overview", tmp_path)
    tab.keyboard.press("d")
    assert tab.locator("#count").inner_text() == f"{len(lost)} of 120 items"
    seen: list[str] = []
    for _ in lost:
        tab.keyboard.press("j")
        seen.append(tab.locator(".item h2").inner_text())
    assert seen == lost
    last = lost[-1]
    cards = tab.locator(".answer")
    assert [c.locator(".badge").inner_text().split("\n")[-1].lstrip("✓✗✂… ") for c in cards.all()] == [
        "right",
        b[last].outcome,
    ]
    assert a[last].response in cards.nth(0).inner_text()
    assert str(b[last].thought) in cards.nth(1).inner_text()
    assert tab.locator(".gold").inner_text().split()[-1] == a[last].gold
    picture(tab, "item", tmp_path)
    address = tab.evaluate("location.href")
    tab.goto("about:blank")
    tab.goto(address)
    tab.wait_for_selector(".item")
    assert tab.locator(".item h2").inner_text() == last  # an address leads back
    tab.keyboard.press("Escape")
    assert tab.locator(".overview").count() == 1


@pytest.mark.slow
def test_filters_narrow_and_add_up(pair: list[Path], tmp_path: Path, tab: Any) -> None:
    a = read_items(pair[0])
    tab.goto(view.write(pair, tmp_path / "eval.html").as_uri())
    tab.wait_for_selector(".overview")
    tab.locator("#outcome-filter .chip", has_text="truncated").click()
    truncated = [i for i in a if i.outcome == "truncated"]
    assert tab.locator("#count").inner_text() == f"{len(truncated)} of 120 items"
    tab.select_option("#subset-filter", "part1")
    both = [i for i in truncated if i.subset == "part1"]
    assert tab.locator("#count").inner_text() == f"{len(both)} of 120 items"
    tab.select_option("#subset-filter", "")
    tab.keyboard.press("w")
    tab.keyboard.press("/")
    tab.keyboard.type("Anna has 84 APPLES")
    tab.locator("#count", has_text=re.compile("^1 of 120 items$")).wait_for()
    assert tab.locator(".row").count() == 1
    tab.keyboard.press("Escape")
    tab.locator(".row").click()
    assert tab.locator(".item h2").inner_text() == "gsm8k/test/12"
    tab.select_option("#run-b", "")
    assert tab.locator(".answer").count() == 1
    tab.locator("#theme").click()
    assert tab.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    picture(tab, "dark", tmp_path)


@pytest.mark.slow
def test_thousands_of_items_are_listed_a_screen_at_a_time(tmp_path: Path, tab: Any) -> None:
    place = log(tmp_path / "a", 0.5, n=12_000)
    tab.goto(view.write([place], tmp_path / "eval.html").as_uri())
    tab.wait_for_selector(".overview")
    assert tab.locator(".row").count() < 40
    tab.evaluate("document.getElementById('list').scrollTop = 1e9")
    tab.locator(".row b", has_text="gsm8k/test/11999").wait_for()
    assert tab.locator(".row").count() < 40
    tab.keyboard.press("k")
    assert tab.locator(".item h2").inner_text() == "gsm8k/test/11999"


@pytest.mark.slow
def test_repeats_are_turned_through(tmp_path: Path, tab: Any) -> None:
    place = log(tmp_path / "a", 0.5, repeats=3)
    answers = read_items(place)
    tab.goto(view.write([place], tmp_path / "eval.html").as_uri())
    tab.wait_for_selector(".overview")
    assert "majority@k" in tab.locator(".overview").inner_text()
    tab.keyboard.press("j")
    for repeat in (0, 1, 2, 0):
        assert str(answers[repeat].thought) in tab.locator(".answer").inner_text()
        tab.keyboard.press("]")


@pytest.mark.slow
def test_hostile_text_is_shown_as_it_is_and_does_nothing(tmp_path: Path, tab: Any) -> None:
    page = view.write([hostile(tmp_path / "a", "<b>x</b>"), hostile(tmp_path / "b", XSS[0])], tmp_path / "eval.html")
    tab.goto(page.as_uri())
    tab.wait_for_selector(".overview")
    for bad in HOSTILE:
        tab.keyboard.press("j")
        shown = tab.locator(".turn .text").evaluate("e => e.textContent")
        assert shown == bad
        assert tab.locator("main script, main img, main iframe, main a, main style").count() == 0
    assert tab.evaluate("window.owned") is None
