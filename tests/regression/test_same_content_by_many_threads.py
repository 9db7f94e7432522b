"""Threads that wrote the same bytes, or made the same large call, took each other's content away."""

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


def _together(session: Session, name: str) -> list[object]:
    with ThreadPoolExecutor(_CALLERS) as threads:
        return list(threads.map(lambda _: CALLS[name](session), range(_CALLERS)))


@pytest.mark.parametrize("name", CALLS)
def test_each_call_has_its_own_file(name: str) -> None:
    """Of those that are under way at once; one after the other use the same, as the next run will."""
    fake = _fake()
    all_are_here = threading.Barrier(_CALLERS)
    used: list[str] = []

    def answer(request: Request) -> Response:
        body = json.loads(request.body or b"{}")
        used.extend(file["path"] for file in body.get("files", ()))
        if request.path == "/files/write":
            used.append(body["path"])
        if "buntime:helper" in body.get("code", "") and not all_are_here.broken:
            all_are_here.wait(30)
        return fake.send(request)

    with Buntime(transport=FunctionTransport(answer)) as client:
        session = client.sessions.create()
        assert [RESULTS[name]] * _CALLERS == _together(session, name)
        assert len(used) == len(set(used))
        all_are_here.abort()
        first = used[: len(used) // _CALLERS]
        used.clear()
        CALLS[name](session)
        CALLS[name](session)
        assert len(first) * 2 == len(used)
        assert set(used[: len(first)]) == set(used[len(first) :])


@pytest.mark.parametrize("name", ["write", "call"])
def test_a_cassette_does_not_depend_on_what_overlapped(name: str, tmp_path: Path) -> None:
    """What threads recorded at once is replayed one after the other."""
    path = tmp_path / "x.json"
    fake = _fake()
    all_are_here = threading.Barrier(_CALLERS)

    def answer(request: Request) -> Response:
        if b"buntime:helper" in (request.body or b""):
            all_are_here.wait(30)
        return fake.send(request)

    with Buntime(transport=RecordingTransport(path, FunctionTransport(answer))) as client:
        _together(client.sessions.create(), name)
    assert "~" not in path.read_text(encoding="utf-8")
    replay = ReplayTransport(path)
    with Buntime(transport=replay) as client:
        session = client.sessions.create()
        assert [RESULTS[name]] * _CALLERS == [CALLS[name](session) for _ in range(_CALLERS)]
    assert [] == replay.unplayed
