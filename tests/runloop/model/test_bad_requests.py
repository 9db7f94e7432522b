"""Requests of any form get an error of the service, never a failure of the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from buntime._http import Response
from buntime.service.devboxes.app import ROUTES
from buntime.transport import FakeTransport
from tests.runloop.model.scripts import script
from tests.runloop.wire import Wire
from tests.support import effort

FIELDS = (
    *("after_idle", "attach_stdin", "auth_mode", "base_blueprint_id", "blueprint_name", "command"),
    *("command_id", "commit_message", "contents", "entrypoint", "environment_variables", "file_mounts"),
    *("file_path", "kill_process_group", "launch_parameters", "metadata", "mounts", "name", "path"),
    *("optimistic_timeout", "secrets", "shell_name", "signal", "snapshot_id", "statuses", "text"),
    *("timeout_seconds", "tunnel"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, "", "x", "a\0b", "\ud800", "../..", [], [None], [{}], ["x"], {}),
    *(
        {"": ""},
        {"x": 1},
        {"x": "\ud800"},
        {"keep_alive_time_seconds": "1"},
        {"after_idle": []},
        {"after_idle": {"on_idle": []}},
    ),
    *([{"type": "file_mount"}], [{"type": "file_mount", "target": "/", "content": "x"}], {"auth_mode": 1}),
)
QUERIES = ({"limit": "-1"}, {"offset": "x"}, {"last_n": "1e3"}, {"starting_after": "\udcff"}, {"status": ""})


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Send requests to a fake."""
    fake = script(FakeTransport(boot_time=0, build_time=0, snapshot_time=0))
    yield Wire(fake)
    fake.close()


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_with_any_value(wire: Wire, name: str) -> None:
    """A sixth of the fields, or all of them, with each value; and each query."""
    method, template, _ = ROUTES[name]
    path = ""
    for field in effort.sample([*FIELDS], [*ROUTES].index(name), 6):
        path = existing(wire, template)
        for value in VALUES:
            body = {"command": "true", "command_id": "c", field: value}
            check(wire.send(method, path, None if method == "GET" else body))
    for query in QUERIES:
        check(wire.send(method, path, query=query))
    for content in (b"{", b"[]", b"\xff", b'{"a":NaN}', b'{"a":' * 2000):
        check(wire.send(method, path, headers={"Content-Type": "application/json"}, content=content))


def existing(wire: Wire, template: str) -> str:
    """Return the path of a route with the ids of new objects."""
    path = template[len("/v1") :]
    if "blueprints/{id}" in path:
        return path.format(id=wire.post("/blueprints", name="b")["id"])
    if "{id}" not in path:
        return path
    devbox = wire.create()
    if "disk_snapshots" in path:
        return path.format(id=wire.post(f"{devbox}/snapshot_disk")["id"])
    path = path.replace("{id}", devbox.rpartition("/")[2], 1)
    return path.format(id=wire.start(devbox, "true").rpartition("/")[2]) if "{id}" in path else path


def check(response: Response) -> None:
    """Accept a success, or an error with a message."""
    content = response.read()
    assert response.status not in {500, 502, 503}, content
    if response.status >= 400:
        assert {"message", "code"} == set(json.loads(content)), content
