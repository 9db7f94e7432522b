"""Each row of the table of routes: its request, its signature, its errors."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from buntime.errors import ConflictError, InvalidRequestError, ServerError
from buntime.runloop import Runloop, RunloopSDK
from buntime.runloop.wire.multipart import NamedFile
from buntime.runloop.wire.requests import build
from buntime.runloop.wire.routes import BY_NAME, ROUTES, Repeat, Route
from buntime.transport import FakeTransport
from tests.runloop.client.stub import Stub, as_json, call
from tests.support.cases import in_one_test

CAPTURES = json.loads((Path(__file__).parent / "captures.json").read_text(encoding="utf-8"))
every_route = in_one_test("route", ROUTES.values(), ids=lambda route: route.name)


@in_one_test("captured", CAPTURES, ids=[captured["route"] for captured in CAPTURES])
def test_request_is_that_of_the_official_client(captured: dict[str, Any]) -> None:
    """A row builds the method, path, query, types and body that an official client sent."""
    route = ROUTES[captured["route"]]
    pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.path)
    match = re.fullmatch(pattern, captured["path"])
    assert match is not None
    body = captured["body"]
    path: Any = None
    file: Any = None
    if route.is_multipart:
        path, file = body
        name = re.search(r'filename="([^"]*)"', file["headers"][0])
        assert name is not None
        fields = {"path": path["data"], "file": NamedFile(name.group(1), file["data"].encode("latin-1"))}
    else:
        fields = {name.replace("runProfile", "run_profile"): value for name, value in (body or {}).items()}
    request = build(route, match.groupdict(), {**fields, **captured["query"]}, None)

    assert (captured["method"], captured["path"]) == (request.method, request.path)
    assert captured["query"] == dict(request.query)
    headers = {name.lower(): value for name, value in request.headers}
    assert captured["headers"]["accept"] == headers["accept"]
    expected = captured["headers"].get("content-type", "")
    assert expected == headers.get("content-type", "").partition(";")[0]
    assert (request.method == "GET") == ("x-request-id" not in headers)
    if route.is_multipart:
        parts = request.content.split(b"\r\n")
        assert [*path["headers"], *file["headers"]] == [
            p.decode() for p in parts if p.startswith(b"Content-")
        ]
        assert file["data"].encode("latin-1") in request.content
    else:
        assert (body or {}) == json.loads(request.content or b"{}")


@every_route
def test_call_returns_a_view(route: Route) -> None:
    """Each row is a method of ``api``, which sends one request to its path."""
    stub = Stub()
    with stub.client() as client:
        result = call(client, route)

    assert route.name == stub.acted[0]
    assert result is not None
    if route.view.endswith("View") and not route.items:
        assert route.view == type(result).__name__


@every_route
def test_unknown_keyword(route: Route) -> None:
    """A misspelt keyword is a TypeError that names the near one, before anything is sent."""
    stub = Stub()
    with stub.client() as client, pytest.raises(TypeError, match=r"has no argument 'timeoot'; use timeout"):
        call(client, route, timeoot=1)
    assert [] == stub.requests


def test_keywords_are_those_of_the_signature() -> None:
    """The names of the other parameters of a method are neither accepted nor proposed."""
    stub = Stub()
    with stub.client() as client:
        read: Any = client.devbox.from_id("dbx_1").file.read
        for name in ("options", "optons", "slf"):
            with pytest.raises(TypeError, match=rf"has no argument '{name}'$"):
                read(file_path="a", **{name: 1})
    assert [] == stub.requests


def test_missing_and_wrong_arguments() -> None:
    """Fields that are missing or of a wrong type, and ids that cannot be one, are errors before sending."""
    stub = Stub()
    with stub.client() as client:
        devboxes: Any = client.api.devboxes
        for wrong, message in (
            (devboxes.retrieve, "needs id"),
            (lambda: devboxes.retrieve("a", "b"), "takes id"),
            (lambda: devboxes.executions.kill("exc_1"), "needs devbox_id"),
            (lambda: devboxes.execute_async("dbx_1"), "needs command"),
            (lambda: devboxes.execute_async("dbx_1", command=["ls"]), "command must be a str, not list"),
            (lambda: devboxes.retrieve(7), "id must be a str, not int"),
            (lambda: client.devbox.create(metadata={1: object()}), "is not JSON"),
        ):
            with pytest.raises(TypeError, match=message):
                wrong()
        for bad in ("", " ", ".", "..", "a\nb"):
            with pytest.raises(ValueError, match="cannot be an id"):
                devboxes.retrieve(bad)
        with pytest.raises(AttributeError, match=r"no call 'devboxes.explode'; use api.get\(\)"):
            _ = devboxes.explode
    assert [] == stub.requests


def test_path_is_quoted() -> None:
    """An id with a slash stays one part of the path."""
    request = build(ROUTES["devboxes.retrieve"], {"id": "a/../b"}, {}, None)
    assert "/v1/devboxes/a%2F..%2Fb" == request.path


def test_signatures_and_names_for_completion() -> None:
    """``help`` and ``dir`` show each call with its arguments."""
    client = Runloop(transport=Stub())
    signature = inspect.signature(client.devboxes.executions.retrieve)
    assert ["execution_id", "devbox_id", "last_n"] == list(signature.parameters)[:3]
    assert "never" not in client.devboxes.retrieve.__doc__
    assert {"create", "executions", "disk_snapshots", "await_running"} <= set(dir(client.devboxes))
    assert BY_NAME["devboxes.delete_disk_snapshot"] is ROUTES["devboxes.disk_snapshots.delete"]


def test_custom_calls() -> None:
    """``get`` and ``post`` reach what has no row: a GET is repeated, a POST never."""
    replies = [as_json({"message": "no"}, 500), as_json({"a": 1}), as_json({"message": "no"}, 500)]
    stub = Stub(*replies)
    with stub.client() as client:
        assert {"a": 1} == client.api.get("/v1/axons", params={"limit": 1, "all": True})
        with pytest.raises(ServerError) as caught:
            client.api.post("/v1/axons", body={"name": "x"})
        with pytest.raises(ValueError, match="must start with '/'"):
            client.api.get("v1/axons?x=1")

    assert caught.value.maybe_executed
    assert [("GET", (("limit", "1"), ("all", "true")))] * 2 == [
        (r.method, r.query) for r in stub.requests[:2]
    ]
    assert [b'{"name":"x"}'] == [request.content for request in stub.requests[2:]]


def test_table_has_every_kind_of_repetition() -> None:
    """No kind of repetition is left without a row."""
    assert set(Repeat) == {route.repeat for route in ROUTES.values()}


def test_settled_only_by_the_goal() -> None:
    """A refusal after a repeat is raised if the devbox is not in the state that the call leads to."""
    stub = Stub("after", 400, as_json({"id": "dbx_1", "status": "running"}))
    with stub.client() as client, pytest.raises(InvalidRequestError):
        client.devbox.from_id("dbx_1").suspend()
    busy = Stub(409)
    with busy.client() as client, pytest.raises(ConflictError) as caught:
        client.devbox.from_id("dbx_1").shutdown()
    assert (1, "ConflictError") == (caught.value.attempts, caught.value.name)


def test_calls_of_the_api_that_wait() -> None:
    """Each returns the state that it waits for, without an object of the SDK."""
    fake = FakeTransport(boot_time=3, build_time=10, snapshot_time=4)
    fake.on_execute(command="true", stdout="score=1\n")
    with RunloopSDK(transport=fake) as runloop:
        devboxes, scenarios = runloop.api.devboxes, runloop.api.scenarios
        devbox = devboxes.create_and_await_running(name="box").id
        execution = devboxes.execute_and_await_completion(devbox, command="true")
        assert ("completed", 0) == (execution.status, execution.exit_status)
        begun = devboxes.execute(devbox, command="true", command_id="1")
        ended = devboxes.executions.await_completed(begun.execution_id, devbox)
        assert "completed" == ended.status
        snapshot = devboxes.snapshot_disk(devbox, name="disk")
        assert "complete" == devboxes.disk_snapshots.await_completed(snapshot.id).status
        devboxes.suspend(devbox)
        assert "suspended" == devboxes.await_suspended(devbox).status
        devboxes.resume(devbox)
        assert "running" == devboxes.await_running(devbox).status
        assert "build_complete" == runloop.api.blueprints.create_and_await_build_complete(name="b").status

        scorer = {"type": "command_scorer", "command": "true"}
        contract = {"scoring_function_parameters": [{"name": "f", "weight": 1, "scorer": scorer}]}
        scenario = scenarios.create(
            name="s", input_context={"problem_statement": "p"}, scoring_contract=contract
        )
        runs = scenarios.runs
        first, second = (scenarios.start_run_and_await_env_ready(scenario_id=scenario.id) for _ in "ab")
        assert ("scored", "scored") == (
            runs.score_and_await(first.id).state,
            runs.await_scored(first.id).state,
        )
        assert "completed" == runs.score_and_complete(second.id).state
        assert "<calls of api.devboxes>" == repr(devboxes)
        assert "devboxes" in dir(runloop.api)


def test_an_existing_devbox() -> None:
    """An object of the SDK waits for its devbox, describes itself, and ends it once."""
    fake = FakeTransport()
    fake.on_execute(command="ls", stdout="a\nb\n")
    with RunloopSDK(transport=fake) as runloop:
        first = runloop.devbox.create(name="box")
        devbox = runloop.devbox.from_id(first.id)
        assert "running" == devbox.await_running().status
        assert "other" == devbox.update(name="other").name
        devbox.keep_alive()
        result = devbox.cmd.exec("ls")
        assert (first.id, 0, True, False) == (
            result.devbox_id,
            result.exit_code,
            result.success,
            result.failed,
        )
        assert f"<ExecutionResult of {result.execution_id}, exit code 0>" == repr(result)
        assert result.execution_id == result.result.execution_id
        execution = devbox.cmd.exec_async("ls")
        assert f"<Execution {execution.execution_id} on {first.id}>" == repr(execution)
        execution.result()
        devbox.suspend()
        assert "suspended" == devbox.await_suspended().status
        devbox.resume_async()
        devbox.await_running()
        snapshot = devbox.snapshot_disk_async(name="disk")
        assert "complete" == snapshot.await_completed().status
        copies = [runloop.devbox.create_from_snapshot(snapshot.id)]
        runloop.blueprint.create(name="b")
        copies.append(runloop.devbox.create_from_blueprint_name("b"))
        assert "<Listing, " in repr(runloop.devbox.list())
        first.shutdown()
        for box in (devbox, *copies):
            box.close()
            box.close()
        assert ["shutdown"] * 3 == [box.get_info().status for box in (devbox, *copies)]
