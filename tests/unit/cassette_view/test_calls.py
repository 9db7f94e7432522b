"""The content of the page of a cassette."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest

from buntime.cassette.file import VERSION, Cassette, Interaction
from buntime.cassette_view import calls, render_page
from tests.support.cases import in_one_test

EXECUTE: dict[str, Any] = {"method": "POST", "path": "/execute", "json": {"code": "\n\nfirst();\nsecond();"}}
RESULT = {"stdout": "out\n", "stderr": "err\n", "exitCode": 0, "executionTime": 12}


def _cassette(*interactions: dict[str, Any]) -> Cassette:
    return Cassette(VERSION, date(2026, 11, 28), tuple(map(Interaction, interactions)))


def _describe(*interactions: dict[str, Any]) -> list[dict[str, Any]]:
    return calls.describe_calls(_cassette(*interactions))


def _texts(call: dict[str, Any]) -> dict[str, str]:
    return {section["name"]: section["text"] for section in call["sections"]}


def test_retries_and_times() -> None:
    """A request that is sent again after a failure is another attempt; each call begins after the last."""
    busy = {"request": EXECUTE, "response": {"status": 429, "json": {}}}
    lost = {"request": EXECUTE, "error": {"kind": "timeout", "phase": "read", "message": "no response"}}
    done = {"request": EXECUTE, "response": {"status": 200, "json": RESULT}}
    described = _describe(busy, lost, done, done)
    assert [1, 2, 3, 1] == [call["attempt"] for call in described]
    assert ["429", "timeout (read)", "200", "200"] == [call["outcome"] for call in described]
    assert [False, False, True, True] == [call["ok"] for call in described]
    assert [(0, None), (0, None), (0, 12), (12, 12)] == [(call["start"], call["ms"]) for call in described]
    assert "timeout failed (read): no response" == _texts(described[1])["error"]


def test_the_test_of_a_request() -> None:
    """A shared cassette names the test of each request, and the same request of another test is no retry."""
    response = {"status": 503, "json": {}}
    described = _describe(*({"request": {**EXECUTE, "test": name}, "response": response} for name in "ab"))
    assert ["a", "b"] == [_texts(call)["test"] for call in described]
    assert [1, 1] == [call["attempt"] for call in described]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [({"exitCode": 3}, "exit 3"), ({"exit_status": 4}, "exit 4"), ({"timedOut": True}, "time limit")],
)
def test_failed_executions(result: dict[str, Any], outcome: str) -> None:
    """A program that fails is a failure, although the request did not fail."""
    (call,) = _describe({"request": EXECUTE, "response": {"status": 200, "json": result}})
    assert (outcome, False) == (call["outcome"], call["ok"])


def test_stream() -> None:
    """The output is in one piece, and each event has its time."""
    events = [
        [3, "stdout", {"text": "a"}],
        [5, "stdout", {"text": "b\n"}],
        [9, "result", {"exitCode": 0}],
        [9, "x"],
    ]
    (call,) = _describe({"request": EXECUTE, "response": {"status": 200, "events": events}})
    texts = _texts(call)
    assert "ab\n" == texts["stdout"]
    assert 9 == call["ms"]
    assert 4 == len(texts["events"].splitlines())


@in_one_test(
    ("request_body", "label", "section"),
    [
        ({"json": EXECUTE["json"]}, "first();", "code"),
        ({"json": {"command": "ls -l"}}, "ls -l", "command"),
        ({"json": {"path": "a.txt", "content": "x"}}, "a.txt", "request"),
        ({"json": {"file_path": "a.txt", "contents": "x"}}, "a.txt", "file a.txt"),
        (
            {"json": {"helper": {"op": "call", "source": "(a) => a", "arguments": [1]}}},
            "call (a) => a",
            "source",
        ),
        ({"json": {"code": "1", "files": [{"path": "a.ts", "content": "x"}, 5]}}, "1", "file a.ts"),
        ({"query": [["path", "a"]]}, "path=a", "query"),
        ({"text": "plain"}, "", "request"),
        ({"base64": "AAAA"}, "", "request"),
        ({"json": [1]}, "", "request"),
    ],
)
def test_requests(request_body: dict[str, Any], label: str, section: str) -> None:
    """Each form of a request has a label for its row, and a section."""
    request = {"method": "POST", "path": "/x", **request_body}
    (call,) = _describe({"request": request, "response": {"status": 200, "text": "ok"}})
    assert label == call["label"]
    assert section in _texts(call)
    assert "ok" == _texts(call)["response"]


def test_long_texts_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text and a page have bounds."""
    monkeypatch.setattr(calls, "_LONGEST", 100)
    monkeypatch.setattr(calls, "_LONGEST_IN_ALL", 250)
    long = {"request": EXECUTE, "response": {"status": 200, "text": "x" * 500}}
    texts = [_texts(call)["response"] for call in _describe(long, long, long)]
    assert "x" * 100 + "\n... and 400 more characters" == texts[0]
    assert "\n... and 500 more characters" == texts[2]


def test_text_cannot_end_the_script() -> None:
    """The data has no character that a parser of HTML or of old JavaScript takes for its own."""
    hostile = "</script><!--<img onerror=x>&\u2028\u2029\ud800"
    response = {"status": 200, "json": {**RESULT, "stdout": hostile}}
    page = render_page(_cassette({"request": EXECUTE, "response": response}), hostile[:20], failure=hostile)
    page.encode()
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert match is not None
    assert set() == set(match.group(1)) & set("<>&\u2028\u2029")
    data = json.loads(match.group(1))
    assert hostile == data["failure"] == data["calls"][0]["sections"][1]["text"]
    assert 2 == page.count("<script")
    assert "http-equiv" in page
    assert "//" not in page.partition("<style>")[0]
