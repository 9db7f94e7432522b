"""Threads that wrote the same bytes, or made the same large call, removed each other's uploaded content."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, Session
from buntime._http import Response
from buntime.transport import FakeTransport, FunctionTransport, RecordingTransport, ReplayTransport, Request

_BYTES = b"\x89PNG"
_LARGE = "x" * 20_000
_LARGEST = "x" * 5_000_000
_CALLERS = 4

CALLS: dict[str, Callable[[Session], object]] = {
    "write": lambda session: session.files.write("logo.png", _BYTES).size,
    "call": lambda session: session.call("(text) => text.length", _LARGE),
    "call in pieces": lambda session: session.call("(text) => text.length", _LARGEST),
}
RESULTS = {"write": len(_BYTES), "call": len(_LARGE), "call in pieces": len(_LARGEST)}


def _fake() -> FakeTransport:
    fake = FakeTransport()
    fake.on_call("(text) => text.length", handler=len)
    return fake


def _call_concurrently(session: Session, name: str) -> list[object]:
    with ThreadPoolExecutor(_CALLERS) as threads:
        return list(threads.map(lambda _: CALLS[name](session), range(_CALLERS)))


@pytest.mark.parametrize("name", CALLS)
def test_each_call_has_its_own_file(name: str) -> None:
    """Concurrent calls use different paths; sequential calls reuse one, so that recordings are stable."""
    fake = _fake()
    barrier = threading.Barrier(_CALLERS)
    paths: list[str] = []

    def respond(request: Request) -> Response:
        body = json.loads(request.content or b"{}")
        paths.extend(file["path"] for file in body.get("files", ()))
        if request.path == "/files/write":
            paths.append(body["path"])
        if "buntime:helper" in body.get("code", "") and not barrier.broken:
            barrier.wait(30)
        return fake.send(request)

    with Buntime(transport=FunctionTransport(respond)) as client:
        session = client.sessions.create()
        assert [RESULTS[name]] * _CALLERS == _call_concurrently(session, name)
        assert len(paths) == len(set(paths))
        barrier.abort()
        first = paths[: len(paths) // _CALLERS]
        paths.clear()
        CALLS[name](session)
        CALLS[name](session)
        assert len(first) * 2 == len(paths)
        assert set(paths[: len(first)]) == set(paths[len(first) :])


@pytest.mark.parametrize("name", ["write", "call"])
def test_a_cassette_does_not_depend_on_concurrency(name: str, tmp_path: Path) -> None:
    """A recording of concurrent calls replays sequentially."""
    path = tmp_path / "x.json"
    fake = _fake()
    barrier = threading.Barrier(_CALLERS)

    def respond(request: Request) -> Response:
        if b"buntime:helper" in request.content:
            barrier.wait(30)
        return fake.send(request)

    with Buntime(transport=RecordingTransport(path, FunctionTransport(respond))) as client:
        _call_concurrently(client.sessions.create(), name)
    assert "~" not in path.read_text(encoding="utf-8")
    replay = ReplayTransport(path)
    with Buntime(transport=replay) as client:
        session = client.sessions.create()
        assert [RESULTS[name]] * _CALLERS == [CALLS[name](session) for _ in range(_CALLERS)]
    assert [] == replay.unplayed
