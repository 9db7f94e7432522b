"""The polls of a wait are one interaction, however long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buntime import CassetteMismatchError
from buntime.cassette.file import load
from buntime.transport import (
    FunctionTransport,
    RecordingTransport,
    ReplayTransport,
    Request,
    Response,
    Transport,
)
from buntime.wire.dialect import SessionsDialect


@pytest.fixture(autouse=True)
def _polling_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_pending(_: object, request: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
        return bool(request["path"] == "/wait" and response["json"] == {"status": "running"})

    monkeypatch.setattr(SessionsDialect, "is_pending", is_pending)


def _service(*statuses: str) -> FunctionTransport:
    remaining = iter(statuses)

    def respond(_: Request) -> Response:
        return Response(
            200, {"Content-Type": "application/json"}, [json.dumps({"status": next(remaining)}).encode()]
        )

    return FunctionTransport(respond)


def _wait(transport: Transport, polls: int = 9) -> list[str]:
    statuses: list[str] = []
    while statuses[-1:] != ["done"] and len(statuses) < polls:
        request = Request("POST", "/wait", body=b'{"id":1}', poll=True)
        statuses.append(json.loads(transport.send(request).read())["status"])
    return statuses


@pytest.mark.parametrize("running", [0, 1, 3])
def test_a_slower_day_gives_the_same_cassette(running: int, tmp_path: Path) -> None:
    """And replay takes no time."""
    path = tmp_path / "x.json"
    transport = RecordingTransport(path, _service(*["running"] * running, "done"))
    assert running + 1 == len(_wait(transport))
    assert 1 == len(load(tmp_path / "x.json.part").interactions)
    transport.close()
    assert [{"status": "done"}] == [item.data["response"]["json"] for item in load(path).interactions]
    assert ["done"] == _wait(ReplayTransport(path))


def test_a_wait_that_was_given_up_is_replayed_as_long_as_needed(tmp_path: Path) -> None:
    """The program polls until its own time limit."""
    path = tmp_path / "x.json"
    transport = RecordingTransport(path, _service(*["running"] * 3))
    _wait(transport, 3)
    transport.close()
    assert 1 == len(load(path).interactions)
    replay = ReplayTransport(path)
    assert ["running"] * 5 == _wait(replay, 5)
    assert [] == replay.unplayed


def test_other_requests_are_all_recorded(tmp_path: Path) -> None:
    """The same request is no poll if the program sends it by itself."""
    path = tmp_path / "x.json"
    transport = RecordingTransport(path, _service("running", "running", "done"))
    request = Request("POST", "/wait", body=b'{"id":1}')
    for _ in range(3):
        transport.send(request).read()
    transport.close()
    assert 3 == len(load(path).interactions)
    replay = ReplayTransport(path)
    assert ["running", "running", "done"] == [
        json.loads(replay.send(request).read())["status"] for _ in range(3)
    ]
    with pytest.raises(CassetteMismatchError):
        replay.send(request)


def test_a_poll_leaves_an_earlier_state_to_the_request_that_saw_it(tmp_path: Path) -> None:
    """In replay, a thread that waits may be faster than the one that asks for the state."""
    path = tmp_path / "x.json"
    state = Request("POST", "/wait", body=b'{"id":1}')

    def program(transport: Transport, *, waits_first: bool) -> list[str]:
        waited = _wait(transport) if waits_first else []
        status = json.loads(transport.send(state).read())["status"]
        return [status, *(waited or _wait(transport))]

    with closing(RecordingTransport(path, _service("running", "running", "done"))) as transport:
        assert ["running", "running", "done"] == program(transport, waits_first=False)
    for waits_first in (False, True):
        replay = ReplayTransport(path)
        assert ["running", "done"] == program(replay, waits_first=waits_first)
        assert [] == replay.unplayed
