"""The model of Runloop accepted values that its document rules out, and one upload failed in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from buntime.service.server.wsgi import application
from buntime.transport import FakeTransport
from tests.runloop.model.scripts import FOREVER, script
from tests.runloop.wire import Wire
from tests.support.cases import in_one_test

IDLE_WITHOUT_POLICY = {"launch_parameters": {"after_idle": {"idle_time_seconds": 5}}}
SCENARIO = {
    "name": "task",
    "input_context": {"problem_statement": "?"},
    "scoring_contract": {
        "scoring_function_parameters": [
            {"name": "s", "weight": 1, "scorer": {"type": "command_scorer", "command": "true"}}
        ]
    },
}


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Send requests to a fake."""
    fake = script(FakeTransport())
    yield Wire(fake)
    fake.close()


@pytest.mark.parametrize("path", ["/devboxes", "/agents/list_public", "/benchmark_runs", "/secrets"])
def test_flags_of_a_query_are_true_or_false(wire: Wire, path: str) -> None:
    """A page with or without counts, for every list."""
    assert 400 == wire.send("GET", path, query={"include_total_count": "yes"}).status
    assert "total_count" not in wire.get(path, include_total_count="false")


def test_other_flags_of_queries_are_true_or_false(wire: Wire) -> None:
    """A devbox is not shut down by a request with a flag that is neither."""
    devbox = wire.create()
    assert 400 == wire.send("POST", f"{devbox}/shutdown", query={"force": "yes"}).status
    assert "running" == wire.get(devbox)["status"]
    assert 400 == wire.send("GET", "/agents", query={"is_public": "yes"}).status


@in_one_test(
    ("path", "body"),
    [
        ("/scenarios", {**SCENARIO, "environment_parameters": IDLE_WITHOUT_POLICY}),
        (
            "/scenarios",
            {**SCENARIO, "environment_parameters": {"launch_parameters": {"launch_commands": [1]}}},
        ),
        ("/agents", {"name": "agent", "source": {}}),
        ("/agents", {"name": "agent", "source": {"type": "git", "git": {"repository": "r", "ref": {}}}}),
        ("/devboxes", {"launch_parameters": {"after_idle": {"on_idle": "suspend"}}}),
        ("/blueprints", {"name": "image", "metadata": {"key": 1}}),
        ("/blueprints", {"name": "image", "system_setup_commands": [1]}),
    ],
)
def test_wrong_fields_are_rejected_when_they_are_stored(wire: Wire, path: str, body: dict[str, Any]) -> None:
    """Not later, when a devbox is created with them."""
    assert 400 == wire.send("POST", path, body).status


def test_a_profile_of_a_benchmark_is_checked(wire: Wire) -> None:
    """Its launch parameters and variables are those of each of its runs."""
    benchmark = wire.post("/benchmarks", name="all")["id"]
    for profile in (
        {"launchParameters": IDLE_WITHOUT_POLICY["launch_parameters"]},
        {"envVars": {"A=B": "c"}},
    ):
        assert 400 == wire.refused("/benchmarks/start_run", benchmark_id=benchmark, runProfile=profile)[0]


def test_null_in_a_mapping_is_absent(wire: Wire) -> None:
    """In metadata of every resource, in variables of a run, and in launch parameters."""
    nulls = {"key": None}
    assert {} == wire.post("/blueprints", name="image", metadata=nulls)["metadata"]
    environment = {"launch_parameters": {"architecture": "arm64", "after_idle": None}}
    scenario = wire.post("/scenarios", **SCENARIO, environment_parameters=environment)
    assert {"launch_parameters": {"architecture": "arm64"}} == scenario["environment"]
    benchmark = wire.post("/benchmarks", name="all", metadata=nulls)
    assert {} == benchmark["metadata"]
    body = {"benchmark_id": benchmark["id"], "runProfile": {"envVars": nulls, "secrets": nulls}}
    run = wire.post("/benchmarks/start_run", **body)
    assert ({}, {}) == (run["environment_variables"], run["secrets_provided"])


def test_a_wait_for_a_command_checks_its_query_first(wire: Wire) -> None:
    """Before it is held."""
    execution = wire.start(wire.create(), FOREVER)
    body = {"statuses": ["queued"], "timeout_seconds": 0}
    assert 400 == wire.send("POST", f"{execution}/wait_for_status", body, query={"last_n": "-1"}).status


def test_a_fixed_path_is_not_an_id(wire: Wire) -> None:
    """Another method on it is a 405 that names each method once."""
    for path in ("/devboxes/create_and_await_running", "/scenarios/start_run"):
        response = wire.send("GET", path)
        assert (405, "POST") == (response.status, response.headers["Allow"])
    response = wire.send("DELETE", "/devboxes/dbx_1")
    assert (405, "GET, POST") == (response.status, response.headers["Allow"])


def test_a_form_may_begin_with_an_empty_line(wire: Wire) -> None:
    """As some clients of HTTP send it."""
    devbox = wire.create()
    parts = (("path", "a.bin"), ("file", "\r\n--b-\r\nx"))
    lines = [
        f'\r\n--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}' for name, text in parts
    ]
    form = "".join([*lines, "\r\n--b--\r\nrest"]).encode().replace(b"--b-\r", b"--c-\r")
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert 200 == wire.send("POST", f"{devbox}/upload_file", headers=headers, content=form).status
    response = wire.send("POST", f"{devbox}/download_file", {"path": "a.bin"})
    assert b"\r\n--c-\r\nx" == response.read()


def test_an_object_is_uploaded_to_a_served_fake(wire: Wire) -> None:
    """The body of a served request can be read once, and the fake also stores it in its calls."""
    url = wire.post("/objects", name="data", content_type="text")["upload_url"]
    path, _, query = url.partition("storage.invalid")[2].partition("?")
    environ = {"REQUEST_METHOD": "PUT", "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": "4"}
    statuses: list[str] = []

    def start_response(status: str, *_details: object) -> Any:
        statuses.append(status)

    body = application(wire.transport.send)({**environ, "wsgi.input": io.BytesIO(b"data")}, start_response)
    assert [b""] == [b"".join(body)]
    assert ["200 OK"] == statuses
    assert isinstance(wire.transport, FakeTransport)
    assert b"data" == wire.transport.calls[-1].body
