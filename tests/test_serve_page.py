"""The page's files, answers as HTML, conversations kept, and what a report may do."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from phiforge.serve import history
from phiforge.serve.history import History, Missing, Saved
from phiforge.serve.markdown import ATTRIBUTES, TAGS, render
from phiforge.serve.page import STATIC

XSS = [line for line in (Path(__file__).parent / "xss.txt").read_text().split("\n") if line]


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", XSS)
def test_nothing_in_an_answer_can_run(text: str) -> None:
    for wrapped in (
        text,
        f"**{text}**",
        f"- {text}",
        f"[{text}]({text})",
        f"${text}$",
        f"$$\\text{{{text}}}$$",
        f"| a |\n|-|\n| {text} |",
    ):
        for tag, attributes in Elements(render(wrapped)).found:
            assert tag in TAGS
            for name, value in attributes.items():
                assert name in ATTRIBUTES.get(tag, set()) | {"rel"}
                assert not name.startswith("on")
                if name == "href":
                    assert value is not None
                    assert urlsplit(value).scheme in ("", "http", "https", "mailto")  # read as browsers do


def test_there_are_forty_attacks() -> None:
    assert len(XSS) == len(set(XSS)) >= 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>"),
        ("It costs $5 or $10.", "<p>It costs $5 or $10.</p>"),
        ("Between $5 and $ 6", "<p>Between $5 and $ 6</p>"),
        ("<b>raw</b>", "<p>&lt;b&gt;raw&lt;/b&gt;</p>"),
        ("~~gone~~", "<p><s>gone</s></p>"),
        ("`$x$`", "<p><code>$x$</code></p>"),
        (r"\$x\$", "<p>$x$</p>"),
    ],
)
def test_markdown(text: str, expected: str) -> None:
    assert render(text).strip() == expected


@pytest.mark.parametrize("text", ["$x^2$", r"\(x^2\)", "$$x^2$$", r"\[x^2\]", "so $$\nx^2\n$$ holds"])
def test_formulas(text: str) -> None:
    made = render(text)
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in made
    assert ('display="block"' in made) == ("$$" in text or r"\[" in text)


def test_what_is_no_formula_is_shown_as_it_is() -> None:
    assert r"$\frac{$" in render(r"$\frac{$ is broken").replace("<code>", "").replace("</code>", "")
    assert "<table>" in render("| a | b |\n|---|---|\n| 1 | 2 |")
    assert 'class="language-python"' in render("```python\nx\n```")
    assert "<img" not in render("![a](http://elsewhere/pixel.png)")
    assert 'rel="noopener noreferrer nofollow"' in render("[a](http://elsewhere/)")


def test_the_page_is_small_and_forbids_much(served: Any) -> None:
    page = httpx.get(served.url)
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    assert "style=" not in page.text
    sizes = {file.name: file.stat().st_size for file in STATIC.iterdir()}
    assert sum(sizes.values()) < 150_000
    assert len([name for name in sizes if name.endswith((".html", ".css"))]) == 2
    for name in sizes:
        answer = httpx.get(f"{served.url}/static/{name}")
        assert answer.status_code == 200
        again = httpx.get(f"{served.url}/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code in (200, 304)
    for path in ("/static/../app.py", "/static/..%2Fapp.py", "/static/nothing.js"):
        assert httpx.get(served.url + path).status_code == 404


# --- conversations ------------------------------------------------------------------------------------------------------


def test_a_conversation_is_kept_and_found(tmp_path: Path) -> None:
    store = History(tmp_path / "conversations.db")
    id = store.create()["id"]
    store.put(id, "q", Saved("user", "How tall is the Eiffel tower, in feet?"))
    store.put(id, "a", Saved("assistant", "About", parent="q"))
    store.put(id, "a", Saved("assistant", "About 1,083 feet.", parent="q", info={"tokens": 7}))
    store.put(id, "b", Saved("assistant", "Very tall.", parent="q", thinking="Hm."))
    other = store.create("Of cats")["id"]
    again = History(tmp_path / "conversations.db").get(id)  # another process
    assert again["title"] == "How tall is the Eiffel tower, in feet?"
    assert [m["content"] for m in again["messages"]] == [
        "How tall is the Eiffel tower, in feet?",
        "About 1,083 feet.",
        "Very tall.",
    ]
    assert again["leaf"] == "b"
    store.change(id, leaf="a")
    assert [m["id"] for m in history.shown(store.get(id))] == ["q", "a"]
    assert "About 1,083 feet." in history.markdown(store.get(id))
    assert "Very tall" not in history.markdown(store.get(id))
    assert [c["id"] for c in store.list()] == [id, other] or [c["id"] for c in store.list()] == [other, id]
    assert [c["id"] for c in store.list("eiff")] == [id]
    assert [c["id"] for c in store.list("cats")] == [other]
    assert store.list("abou") != []
    assert store.list('")*(') == []
    store.delete(id)
    assert store.list("eiffel") == []
    with pytest.raises(Missing):
        store.get(id)
    with pytest.raises(Missing):
        store.put(id, "c", Saved("user", "x"))
    with pytest.raises(Missing):
        store.put(other, "c", Saved("user", "x", parent="q"))
    assert (tmp_path / "conversations.db").stat().st_mode & 0o077 == 0


def test_conversations_over_http(served: Any) -> None:
    api = f"{served.url}/api/conversations"
    id = httpx.post(api, json={}).json()["id"]
    message = {"role": "user", "content": "zebra stripes"}
    assert httpx.put(f"{api}/{id}/messages/m1", json=message).status_code == 204
    assert [c["id"] for c in httpx.get(api, params={"q": "zeb"}).json()] == [id]
    assert httpx.patch(f"{api}/{id}", json={"title": "Stripes"}).status_code == 204
    assert httpx.get(f"{api}/{id}").json()["title"] == "Stripes"
    assert httpx.get(f"{api}/{id}/export").text.startswith("# Stripes\n\n## User\n\nzebra stripes")
    assert (
        httpx.get(f"{api}/{id}/export", params={"format": "json"}).json()["messages"][0]["content"] == "zebra stripes"
    )
    assert httpx.get(f"{api}/{id}/export", params={"format": "pdf"}).status_code == 400
    other = httpx.post(api, json={}).json()["id"]
    assert httpx.put(f"{api}/{other}/messages/m1", json=message).status_code == 400
    assert httpx.put(f"{api}/{id}/messages/m2", json={**message, "parent": "none"}).status_code == 404
    for each in (id, other):
        assert httpx.delete(f"{api}/{each}").status_code == 204
    assert httpx.get(f"{api}/{id}").status_code == 404


def test_reports_of_runs(served: Any) -> None:
    home = served.server.home
    run = home / "runs" / "first"
    run.mkdir(parents=True)
    (run / "report.html").write_text("<h1>A report</h1>")
    (home / "runs" / "bare").mkdir()
    (home / "secret.html").write_text("secret")
    found = {each["name"]: each["report"] for each in httpx.get(f"{served.url}/api/runs").json()}
    assert found == {"first": True, "bare": False}
    report = httpx.get(f"{served.url}/api/runs/first/report")
    assert report.text == "<h1>A report</h1>"
    assert report.headers["content-security-policy"].startswith("sandbox")
    for name in ("bare", "..", "%2e%2e", "nothing"):
        assert httpx.get(f"{served.url}/api/runs/{name}/report").status_code == 404
