"""A service that responded early was polled without a pause, and a list of files could be endless."""

from __future__ import annotations

import itertools
import json
from typing import Any, Callable

import pytest

from buntime import Buntime, InvalidResponseError, Process, Session
from buntime.helpers import listing
from buntime.transport import FunctionTransport, Request, Response
from tests.support import responses
from tests.support.scripted import ScriptedTransport, Step, always

_STARTED = {"number": 1, "pid": 2}
_LOGS = {"stdout": "", "stderr": "", "stdout_offset": 0, "stderr_offset": 0, "complete": False}


def _helper(reply: object) -> Step:
    return always(responses.as_json, responses.result(stdout=json.dumps(reply)))


def _wait_for_port(session: Session) -> None:
    session.wait_for_port(80, timeout=None)


def _started(session: Session) -> Process:
    return session.start("1")


WAITS: dict[str, tuple[Callable[[Session], object], dict[str, Any], dict[str, Any]]] = {
    "port": (_wait_for_port, {"open": False}, {"open": True}),
    "wait": (lambda session: _started(session).wait(), {"exit_code": None}, {"exit_code": 0}),
    "follow": (lambda session: list(_started(session).follow()), _LOGS, {**_LOGS, "complete": True}),
}


@pytest.mark.parametrize("wait", WAITS)
def test_an_early_response_is_followed_by_a_pause(wait: str) -> None:
    """There are at most two requests a second."""
    run, early, last = WAITS[wait]
    steps = [*([] if wait == "port" else [_helper(_STARTED)]), *[_helper(early)] * 5, _helper(last)]
    transport = ScriptedTransport(*steps)

    run(Buntime(transport=transport).sessions.attach("ses_1"))

    assert [0.5] * 5 == transport.slept
    assert len(steps) == len(transport.requests)


@pytest.mark.parametrize("wait", WAITS)
def test_a_response_in_time_is_not(wait: str) -> None:
    """If the session waited as requested, the next request follows immediately."""
    run, early, last = WAITS[wait]
    steps = [*([] if wait == "port" else [_helper(_STARTED)]), *[_helper(early)] * 5, _helper(last)]
    transport = ScriptedTransport(*steps, takes=20.0)

    run(Buntime(transport=transport).sessions.attach("ses_1"))

    assert [] == transport.slept


def test_output_is_followed_without_a_pause() -> None:
    """Output that arrived may be followed by more."""
    output = {**_LOGS, "stdout": "x", "stdout_offset": 1}
    transport = ScriptedTransport(_helper(_STARTED), _helper(output), _helper({**_LOGS, "complete": True}))
    process = Buntime(transport=transport).sessions.attach("ses_1").start("1")

    assert ["x"] == [event.text for event in process.follow()]
    assert [] == transport.slept


def test_an_endless_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that always has a further page is an error."""
    monkeypatch.setattr(listing, "_MOST_PAGES", 20)
    numbers = itertools.count()

    def page(_request: Request) -> Response:
        entries = [{"path": f"{next(numbers)}.txt", "size": 1, "type": "file"} for _ in range(100)]
        return responses.as_json({"files": entries})

    session = Buntime(transport=FunctionTransport(page)).sessions.attach("ses_1")
    with pytest.raises(InvalidResponseError, match="more than 20 pages"):
        session.files.list()
    assert 2000 == next(numbers)
