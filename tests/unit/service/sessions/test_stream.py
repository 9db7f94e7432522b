"""Executions with streamed output, also failing ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from buntime.service.errors import ServiceError
from buntime.service.executors import Execution, ExecutionLost, Output, ResourceExceeded
from tests.support.executors import Item, PlayedRuntime, Silence, outcome
from tests.support.wire_client import WireClient
from tests.unit.service.conftest import MakeWireClient


def _stream(wire_client: WireClient, session_id: str, **options: Any) -> Any:
    body = {"sessionId": session_id, "code": "1", "stream": True}
    return wire_client.send("POST", "/execute", body, **options)


def test_a_stream_has_the_output_and_then_the_result(make_wire_client: MakeWireClient) -> None:
    """One event for each piece of output, in order, then the same object as for an unstreamed call."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield Output("stdout", "a\nb")
        yield Output("stderr", "ö")
        runtime.workspace.write("new", b"")
        yield outcome("a\nb", "ö")

    wire_client = make_wire_client(script)
    response = _stream(wire_client, wire_client.create())
    first, second, third = list(response.chunks)

    assert 200 == response.status
    assert "text/event-stream" == response.headers["Content-Type"]
    assert b'event: stdout\ndata: {"text":"a\\nb"}\n\n' == first
    assert b'event: stderr\ndata: {"text":"\\u00f6"}\n\n' == second
    head, data = third.decode().split("\n", 1)
    unstreamed = make_wire_client(script)
    assert "event: result" == head
    assert unstreamed.execute(unstreamed.create()).body == json.loads(data[len("data: ") :])


def test_events_are_sent_as_they_happen(make_wire_client: MakeWireClient) -> None:
    """The first piece of output arrives before the execution continues."""
    reached = []

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield Output("stdout", "first")
        reached.append("second")
        yield outcome()

    wire_client = make_wire_client(script)
    chunks = _stream(wire_client, wire_client.create()).chunks

    assert b"first" in next(chunks)
    assert [] == reached
    assert b"result" in next(chunks)


def test_a_silent_stream_is_kept_alive(make_wire_client: MakeWireClient) -> None:
    """A comment for each 15 s of silence, and then the execution continues."""

    class Script:
        def __init__(self) -> None:
            self.items: list[Item] = [Silence(), Silence(), Output("stdout", "late"), outcome()]

        def __iter__(self) -> Script:
            return self

        def __next__(self) -> Item:
            return self.items.pop(0)

    wire_client = make_wire_client(lambda runtime, execution: Script())
    session_id = wire_client.create()
    chunks = list(_stream(wire_client, session_id, read_timeout=60.0).chunks)

    assert [b": keep-alive\n\n"] * 2 == chunks[:2]
    assert b"late" in chunks[2]
    assert [15.0] == wire_client.runtime(session_id).timeouts


def test_a_stream_waits_no_longer_than_its_caller(make_wire_client: MakeWireClient) -> None:
    """TimeoutError if the caller waits for less than 15 s."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield Silence()

    wire_client = make_wire_client(script)
    session_id = wire_client.create()
    response = _stream(wire_client, session_id, read_timeout=3.0)

    with pytest.raises(TimeoutError):
        next(response.chunks)
    assert [3.0] == wire_client.runtime(session_id).timeouts


def _failing_later(error: Exception) -> Any:
    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield Output("stdout", "so far")
        raise error

    return script


failures = pytest.mark.parametrize(
    ("error", "status", "code", "details"),
    [
        (ExecutionLost("the sandbox died"), 500, "execution_lost", {}),
        (
            ResourceExceeded("memory_limit_exceeded", "too much", {"limit": "memory", "max": 1, "value": 2}),
            507,
            "memory_limit_exceeded",
            {"limit": "memory", "max": 1, "value": 2},
        ),
        (ServiceError("unscripted_execution", "say what it does"), 501, "unscripted_execution", {}),
        (KeyError("a bug"), 500, "internal_error", {"type": "KeyError"}),
    ],
)


@failures
def test_a_failure_while_it_runs(
    make_wire_client: MakeWireClient, error: Exception, status: int, code: str, details: object
) -> None:
    """Unstreamed it is the status; in a stream it is the last event, in the same format."""
    wire_client = make_wire_client(_failing_later(error))
    session_id = wire_client.create()

    response = wire_client.execute(session_id)
    *_, last = list(_stream(wire_client, session_id).chunks)
    assert (status, code, details) == (response.status, response.code, response.details)
    assert str(getattr(error, "message", error.args[0])) in response.body["error"]["message"]
    head, data = last.decode().split("\n", 1)
    assert "event: error" == head
    assert response.body == json.loads(data[len("data: ") :])


@failures
def test_a_failure_before_it_runs_is_a_status(
    wire_client: WireClient, error: Exception, status: int, code: str, details: object
) -> None:
    """A stream that never started fails as any other request does."""
    session_id = wire_client.create()
    wire_client.runtime(session_id).refusal = error

    for stream in (False, True):
        response = wire_client.execute(session_id, stream=stream)
        assert (status, code, details) == (response.status, response.code, response.details)


def test_an_execution_without_a_result_is_lost(make_wire_client: MakeWireClient) -> None:
    """An executor that stops without a result is an error, streamed or not."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield Output("stdout", "so far")

    wire_client = make_wire_client(script)
    session_id = wire_client.create()

    assert (500, "execution_lost") == (
        wire_client.execute(session_id).status,
        wire_client.execute(session_id).code,
    )
    assert b"execution_lost" in list(_stream(wire_client, session_id).chunks)[-1]
