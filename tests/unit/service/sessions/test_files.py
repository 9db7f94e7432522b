"""Writing, listing and reading files through the service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from buntime.service.sessions.app import Service
from buntime.service.workspace.base import DiskFullError
from buntime.service.workspace.disk import DiskWorkspace
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.cases import in_one_test
from tests.support.clocks import ManualClock
from tests.support.executors import PlayedExecutor
from tests.support.wire_client import BufferedResponse, WireClient


def _write(wire_client: WireClient, session_id: str, path: Any, content: Any = "x") -> BufferedResponse:
    return wire_client.post("/files/write", {"sessionId": session_id, "path": path, "content": content})


def _code(response: BufferedResponse) -> tuple[int, str]:
    return response.status, response.code


def test_write_returns_the_path_and_the_size_in_bytes(wire_client: WireClient) -> None:
    """The path as in the request; folders are created, a file is overwritten."""
    session_id = wire_client.create()

    assert {"path": "/workspace/a/b", "size": 5} == _write(
        wire_client, session_id, "/workspace/a/b", "12345"
    ).body
    assert {"path": "a/b", "size": 2} == _write(wire_client, session_id, "a/b", "ö").body
    assert "ö" == wire_client.get("/files/read", sessionId=session_id, path="a/b").body["content"]


@in_one_test(
    "path", ["", ".", "/workspace", "..", "../x", "/etc/x", "a\0b", "folder", "file/x", 5, None, "\ud800"]
)
def test_write_rejects_a_path_that_cannot_be_a_file(wire_client: WireClient, path: object) -> None:
    """A 400 with the field; nothing changes."""
    session_id = wire_client.create()
    _write(wire_client, session_id, "folder/x")
    _write(wire_client, session_id, "file", "kept")

    response = _write(wire_client, session_id, path)

    assert (400, "invalid_request") == _code(response)
    assert "path" == response.details["field"]
    assert "kept" == wire_client.get("/files/read", sessionId=session_id, path="file").body["content"]


@pytest.mark.parametrize("content", [None, 5, ["x"], "\ud800"])
def test_write_rejects_content_other_than_text(wire_client: WireClient, content: object) -> None:
    """A 400 with the field."""
    response = _write(wire_client, wire_client.create(), "a", content)

    assert (400, "content") == (response.status, response.details["field"])


def test_list_responds_as_documented(wire_client: WireClient) -> None:
    """Direct children, sorted, with paths relative to the workspace and times in ISO 8601."""
    session_id = wire_client.create()
    for path in ("b.txt", "a/deep/x", ".buntime/state"):
        _write(wire_client, session_id, path, "12")

    modified = "2024-01-19T10:30:00.000Z"
    assert {
        "files": [
            {"path": "a", "size": 0, "modified": modified, "type": "directory"},
            {"path": "b.txt", "size": 2, "modified": modified, "type": "file"},
        ]
    } == wire_client.get("/files/list", sessionId=session_id).body
    listed = wire_client.get("/files/list", sessionId=session_id, path="/workspace/a").body
    assert ["a/deep"] == [file["path"] for file in listed["files"]]


def test_list_returns_pages(wire_client: WireClient) -> None:
    """50 by default, 100 at most, from the offset on; after the end the page is empty."""
    session_id = wire_client.create()
    names = [f"{number:03}" for number in range(120)]
    wire_client.execute(session_id, files=[{"path": name, "content": ""} for name in names])

    def page(**query: int) -> Sequence[str]:
        response = wire_client.get("/files/list", sessionId=session_id, **query)
        return [file["path"] for file in response.body["files"]]

    assert names[:50] == page()
    assert names[:100] == page(limit=100)
    assert names[115:] == page(limit=50, offset=115)
    assert names[7:8] == page(limit=1, offset=7)
    assert [] == page(offset=10**15 - 1)


@in_one_test(
    ("field", "value"),
    [("limit", v) for v in ("0", "101", "-1", "x", "1.5", "", "٣", "9" * 5000)] + [("offset", "-1")],
)
def test_list_rejects_an_invalid_page(wire_client: WireClient, field: str, value: str) -> None:
    """A 400 with the field."""
    response = wire_client.get("/files/list", sessionId=wire_client.create(), **{field: value})

    assert (400, field) == (response.status, response.details["field"])


def test_list_of_other_than_a_directory(wire_client: WireClient) -> None:
    """404 for a missing path, 400 for a file and for a path outside."""
    session_id = wire_client.create()
    _write(wire_client, session_id, "file")

    responses = [
        wire_client.get("/files/list", sessionId=session_id, path=path)
        for path in ("no", "file/x", "file", "../x")
    ]
    missing, invalid = (404, "file_not_found"), (400, "invalid_request")
    assert [missing, missing, invalid, invalid] == [_code(response) for response in responses]


def test_read_returns_path_content_and_size(wire_client: WireClient) -> None:
    """The size is in bytes."""
    session_id = wire_client.create()
    _write(wire_client, session_id, "a", "ö\r\n\0")

    response = wire_client.get("/files/read", sessionId=session_id, path="./a")
    assert {"path": "./a", "content": "ö\r\n\0", "size": 5} == response.body


@in_one_test(
    ("path", "status", "code"),
    [
        ("missing", 404, "file_not_found"),
        ("folder/missing", 404, "file_not_found"),
        ("folder/file/x", 404, "file_not_found"),
        ("folder", 400, "invalid_request"),
        ("", 400, "invalid_request"),
        ("../x", 400, "invalid_request"),
    ],
)
def test_read_of_other_than_a_file(wire_client: WireClient, path: str, status: int, code: str) -> None:
    """The response names the path."""
    session_id = wire_client.create()
    _write(wire_client, session_id, "folder/file")

    response = wire_client.get("/files/read", sessionId=session_id, path=path)
    assert (status, code) == _code(response)
    assert path == response.details["path"]


def test_read_requires_a_path(wire_client: WireClient) -> None:
    """A 400 with the field."""
    response = wire_client.get("/files/read", sessionId=wire_client.create())

    assert (400, "path") == (response.status, response.details["field"])


def test_a_binary_file_is_not_read(wire_client: WireClient) -> None:
    """400 not_text has the first offset that is not UTF-8, and another way to read the file."""
    session_id = wire_client.create()
    wire_client.service.sessions[session_id].workspace.write("a", b"ab\xff")

    response = wire_client.get("/files/read", sessionId=session_id, path="a")
    assert (400, "not_text") == _code(response)
    assert {"path": "a", "offset": 2} == response.details
    assert "base64" in response.body["error"]["message"]


@pytest.fixture
def disk_caller(tmp_path: Path) -> WireClient:
    """Return a service whose only session is in ``tmp_path / "root"``."""
    (tmp_path / "root").mkdir()
    clock, executor = ManualClock(), PlayedExecutor()
    service = Service(executor, lambda _: DiskWorkspace(tmp_path / "root"), clock=clock)
    return WireClient(service, clock, executor)


def test_a_link_out_of_the_workspace_is_rejected(disk_caller: WireClient, tmp_path: Path) -> None:
    """400, and nothing of the host is read, listed or written."""
    session_id = disk_caller.create()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root/link").symlink_to("../outside")

    responses = [
        disk_caller.get("/files/read", sessionId=session_id, path="link/x"),
        disk_caller.get("/files/list", sessionId=session_id, path="link"),
        _write(disk_caller, session_id, "link/x"),
        disk_caller.execute(session_id, files=[{"path": "link/x", "content": ""}]),
        disk_caller.execute(session_id, workingDir="link"),
    ]
    assert [(400, "invalid_request")] * 5 == [_code(response) for response in responses]
    assert [] == list((tmp_path / "outside").iterdir())


def test_an_unrepresentable_date_is_changed(disk_caller: WireClient, tmp_path: Path) -> None:
    """A program can give its files any date; the list still works."""
    import os

    session_id = disk_caller.create()
    for name, date in (("early", -(10**9)), ("late", 10**12)):
        (tmp_path / "root" / name).write_text("")
        os.utime(tmp_path / "root" / name, (0, date))

    listed = disk_caller.get("/files/list", sessionId=session_id).body["files"]
    assert "1970-01-01T00:00:00.000Z" == listed[0]["modified"]
    assert listed[1]["modified"] > "2000"


class _FullWorkspace(MemoryWorkspace):
    """Has no space left."""

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Fail as a full disk does."""
        raise DiskFullError("no room")


class _BrokenWorkspace(MemoryWorkspace):
    """Cannot be accessed."""

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Fail in an unexpected way."""
        raise ConnectionError("the disk went away")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [(_FullWorkspace, 507, "disk_full"), (_BrokenWorkspace, 500, "internal_error")],
)
def test_a_workspace_that_fails(kind: type[MemoryWorkspace], status: int, code: str) -> None:
    """A full disk is a 507, any other failure a 500 with the type of the exception."""
    clock, executor = ManualClock(), PlayedExecutor()
    wire_client = WireClient(Service(executor, lambda _: kind(clock), clock=clock), clock, executor)

    assert (status, code) == _code(_write(wire_client, wire_client.create(), "a"))
