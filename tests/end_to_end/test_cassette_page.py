"""The page of a cassette, in a headless Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.cassette.file import load
from buntime.cassette_view import render_page
from buntime.testing import cassette
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test
from tests.support.chromium import Page, chromium, find_chromium

BINARY = find_chromium()
pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(BINARY is None, reason="needs Chromium: apt-get install chromium"),
]
HOSTILE = [
    "</script><img src=x onerror=\"document.title='owned'\">",
    "<!--<script>document.title='owned'</script>",
    "\u2028document.title='owned'\u2029",
    "]]>';alert(1)//`${document.title='owned'}",
    "\ud800",
]
CODE = """// Add up the totals of each month.
const orders = JSON.parse(await Bun.file("orders.json").text());
for (const { month, amount } of orders) console.log(month, amount * 1.19);
"""


def _program(client: Buntime) -> None:
    with client.sessions.create(metadata={"purpose": "a page"}) as session:
        session.files.write("orders.json", '[{"month": "2026-01", "amount": 12}]')
        session.execute(CODE, files={"helper.ts": "export const rate = 1.19;"})
        session.execute("process.exit(3)")
        session.execute("print('needle in a haystack')")
        session.call("(a, b) => a + b", 1, 2)
        with session.stream("for (;;) tick()") as stream:
            list(stream)
        for text in HOSTILE[:-1]:
            session.execute(text)
            session.files.write("hostile.txt", text)


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_execute(contains="process.exit(3)", stderr="error: it failed\n", exit_code=3)
    fake.on_execute(
        contains="tick()", chunks=[("stdout", "one\n"), ("stderr", "two\n"), ("stdout", "three\n")]
    )
    for text in HOSTILE[:-1]:
        fake.on_execute(text, stdout=text, stderr=text)
    fake.on_execute(contains="", stdout="2026-01 14.28\n")
    fake.on_call("(a, b) => a + b", handler=lambda a, b: a + b)
    fake.fail_next(429, call="POST /execute")
    return fake


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a page with calls of every kind."""
    folder = tmp_path_factory.mktemp("page")
    with cassette(folder / "x.json", mode="record", source=_fake) as client:
        _program(client)
    page = folder / "x.html"
    failure = "E   AssertionError: " + HOSTILE[0]
    page.write_text(render_page(load(folder / "x.json"), f"test_{HOSTILE[0]}", failure=failure), "utf-8")
    return page.as_uri()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a tab of the browser."""
    assert BINARY is not None
    with chromium(BINARY, tmp_path_factory.mktemp("browser") / "profile") as opened:
        yield opened


VISIBLE = "[...document.querySelectorAll('details')].filter((node) => !node.hidden).length"
TEXT = "document.querySelector('main').innerText"
FILLED = "[...document.querySelectorAll('details[open]')].every((node) => node.childElementCount > 1)"
"""The content of a call is added by an event, after the call opened."""


def test_page(page: Page, url: str) -> None:
    """It loads without errors and network, filters, opens calls, obeys keys, and shows text as text."""
    page.open(url)
    assert 17 == page.evaluate(VISIBLE)
    assert "17 calls" in page.evaluate(TEXT)
    assert "attempt 2" in page.evaluate(TEXT)
    assert "exit 3" in page.evaluate(TEXT)

    page.open(f"{url}#q=haystack+needle")
    assert 1 == page.evaluate(VISIBLE)
    assert "1 of 17 calls" in page.evaluate(TEXT)

    page.open(f"{url}#open=4&theme=dark")
    page.wait_for(FILLED)
    assert "dark" == page.evaluate("document.documentElement.dataset.theme")
    assert "Add up the totals" in page.evaluate(TEXT)
    assert "export const rate" in page.evaluate(TEXT)
    assert page.evaluate("document.querySelectorAll('.keyword').length") >= 5
    assert "// Add up the totals of each month." == page.evaluate(
        "document.querySelector('.comment').innerText"
    )

    page.open(url)
    for key in "/needle":
        page.press(key)
    assert 1 == page.evaluate(VISIBLE)
    page.press("Escape")
    assert 17 == page.evaluate(VISIBLE)
    page.press("j")
    page.press("j")
    page.press("k")
    page.press("Enter")
    assert "call-1" == page.evaluate("document.querySelector('details[open]').id")
    page.press("e")
    assert 17 == page.evaluate("document.querySelectorAll('details[open]').length")
    before = page.evaluate("document.documentElement.dataset.theme")
    page.press("t")
    assert before != page.evaluate("document.documentElement.dataset.theme")

    page.wait_for(FILLED)
    text = page.evaluate("document.querySelector('main').textContent")
    for hostile in HOSTILE[:-1]:
        assert hostile in text
    assert "owned" != page.evaluate("document.title")
    assert 0 == page.evaluate("document.querySelectorAll('main img, main script').length")
    assert [] == page.problems
    assert {url} == {request.partition("#")[0] for request in page.requests if request.startswith("file")}
    assert [] == [request for request in page.requests if not request.startswith(("file:", "about:"))]


@in_one_test("width, theme", [(1200, "light"), (1200, "dark"), (400, "light"), (400, "dark")])
def test_page_fits(page: Page, url: str, width: int, theme: str) -> None:
    """No text needs to be scrolled sideways, from the width of a phone on."""
    page.resize(width, 900)
    page.open(f"{url}#theme={theme}&open=4&open=6")
    page.wait_for(FILLED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The bars of all calls have one scale.
    assert (
        page.evaluate("new Set([...document.querySelectorAll('.track')].map(e => e.offsetWidth)).size") == 1
    )
    picture = page.screenshot()
    assert picture.startswith(b"\x89PNG")
    folder = os.environ.get("PAGE_PICTURES")
    if folder:
        Path(folder, f"page-{width}-{theme}.png").write_bytes(picture)
