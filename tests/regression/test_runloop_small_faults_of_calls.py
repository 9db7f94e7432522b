"""Calls of Runloop lost headers, opened a stream too often, and accepted arguments without effect."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from buntime.errors import APIError, NotFoundError, RateLimitError
from buntime.runloop import RunloopSDK
from buntime.transport import FakeTransport, Request, Response
from tests.runloop.client.stub import Stub, as_json
from tests.support.cases import in_one_test


def test_callbacks_have_the_headers_of_the_call() -> None:
    """All requests of ``exec_async`` have ``extra_headers``; the timeout is that of the start alone."""
    stub = Stub()
    with stub.client() as client:
        cmd = client.devbox.from_id("dbx_1").cmd
        cmd.exec_async("x", stdout=str, stderr=str, extra_headers={"X-Trace": "t1"}, timeout=5).result()
    streams = [request for request in stub.requests if request.path.endswith("_updates")]
    assert ["t1", "t1"] == [dict(request.headers).get("X-Trace") for request in streams]
    assert {None} == {request.deadline for request in streams}


@pytest.mark.parametrize("status", [429, 503])
def test_stream_that_cannot_be_opened(status: int) -> None:
    """It is opened ``1 + max_retries`` times, with the pauses and ``on_retry`` of every call."""
    retries: list[int] = []

    def respond(_request: Request) -> Optional[Response]:
        return as_json({"message": "slow down"}, status, **{"retry-after-ms": "1500"})

    stub = Stub(respond=respond)
    with stub.client(max_retries=2, on_retry=lambda _error, number: retries.append(number)) as client:
        stream = client.api.devboxes.executions.stream_stdout_updates("exc_1", "dbx_1")
        with pytest.raises(APIError) as caught:
            list(stream)
    assert (status, 3, 3) == (caught.value.status, caught.value.attempts, len(stub.requests))
    assert ([1.5, 1.5], [1, 2]) == (stub.slept, retries)


def test_state_that_cannot_be_read_after_a_stream() -> None:
    """The request for the state after the output counts as the same retries."""

    def respond(request: Request) -> Optional[Response]:
        return None if request.path.endswith("_updates") else as_json({"message": "slow down"}, 429)

    stub = Stub(respond=respond)
    with stub.client(max_retries=2) as client:
        stream = client.api.devboxes.executions.stream_stdout_updates("exc_1", "dbx_1")
        with pytest.raises(RateLimitError):
            list(stream)
    assert 3 == sum(request.path.endswith("/exc_1") for request in stub.requests)


@pytest.mark.parametrize(("offset", "error"), [(-1, ValueError), ("x", TypeError), (1.5, TypeError)])
def test_offset_of_a_stream(offset: Any, error: type[Exception]) -> None:
    """One that is not a count of bytes is an error before anything is sent."""
    stub = Stub()
    with stub.client() as client, pytest.raises(error, match="offset must be"):
        client.api.devboxes.executions.stream_stdout_updates("exc_1", "dbx_1", offset=offset)
    assert [] == stub.requests


def test_unknown_launch_parameter() -> None:
    """It is a TypeError with the near name; one that is new in the API is sent by ``extra_body``."""
    stub = Stub()
    with stub.client() as client:
        message = r"launch_parameters has no key 'keep_alive_seconds'; use keep_alive_time_seconds"
        with pytest.raises(TypeError, match=message):
            client.devbox.create(launch_parameters={"keep_alive_seconds": 60})
        with pytest.raises(TypeError, match=r"'xyz'; if it is new in the API, pass it by extra_body"):
            client.api.blueprints.create(name="b", launch_parameters={"xyz": 1})
        run: dict[str, Any] = {"launch_parameters": {"launch_command": []}}
        with pytest.raises(TypeError, match="launch_parameters has no key 'launch_command'"):
            client.api.scenarios.start_run(scenario_id="scn_1", run_profile=run)
        assert [] == stub.requests
        client.devbox.create(extra_body={"launch_parameters": {"xyz": 1}})
    assert {"launch_parameters": {"xyz": 1}} == json.loads(stub.requests[0].content)


def test_create_on_a_closed_client(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing can have been created: no warning about a devbox is logged."""
    client = RunloopSDK(transport=FakeTransport())
    other = client.with_options(transport=FakeTransport())
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.devbox.create()
    assert "" == caplog.text
    with other, other.devbox.create() as devbox:
        assert devbox.id


@in_one_test(
    ("method", "arguments", "message"),
    [
        ("read", {"path": "a"}, r"read\(\) has no argument 'path'; use file_path"),
        ("write", {"file_path": "a", "content": ""}, r"write\(\) has no argument 'content'; use contents"),
        ("download", {"file_path": "a"}, r"download\(\) has no argument 'file_path'; use path"),
        ("upload", {"path": "a", "files": b""}, r"upload\(\) has no argument 'files'; use file"),
        ("read", {"file_path": "a", "timeot": 1}, r"read\(\) has no argument 'timeot'; use timeout"),
        ("read", {}, "file_path"),
    ],
)
def test_wrong_keyword_of_a_file(method: str, arguments: dict[str, Any], message: str) -> None:
    """The error names the near keyword, as for every other call."""
    stub = Stub()
    with stub.client() as client, pytest.raises(TypeError, match=message):
        getattr(client.devbox.from_id("dbx_1").file, method)(**arguments)
    assert [] == stub.requests


def test_view_as_json() -> None:
    """``to_json`` and ``model_dump_json`` are the JSON of ``to_dict``, unknown fields included."""
    stub = Stub(as_json({"id": "dbx_1", "status": "running", "name": "é", "new": [1]}))
    with stub.client() as client:
        view = client.devbox.from_id("dbx_1").get_info()
    assert view.to_dict() == json.loads(view.to_json()) == json.loads(view.model_dump_json())
    assert view.to_json().startswith('{\n  "')
    assert '"new":[1]' in view.model_dump_json()
    assert '"name":"é"' in view.model_dump_json()


@pytest.mark.parametrize(
    ("path", "body", "is_missing"),
    [
        ("scenarios.retrieve", {"message": "Scenario scn_1 does not exist"}, False),
        ("scenarios.retrieve", {"code": 404, "message": "HTTP 404 Not Found"}, True),
        ("scenarios.retrieve", None, True),
        ("scenarios.list", {"message": "There is nothing here"}, True),
    ],
)
def test_unknown_scenario(path: str, body: object, is_missing: bool) -> None:
    """Only if the route is missing does the error explain that newer versions lack the resource."""
    response = as_json(body, 404) if body is not None else Response(404, {}, [b"<html>"])
    with Stub(response).client() as client, pytest.raises(NotFoundError) as caught:
        list(client.scenario.list()) if path.endswith("list") else client.scenario.from_id("scn_1").get_info()
    assert is_missing is ("no longer have this resource" in str(caught.value))
