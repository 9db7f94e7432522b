"""The request of each operation, as the API sheet defines it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from buntime import ExecuteRequest, ResourceLimits
from buntime.wire import requests
from tests.support.cases import in_one_test


def _body(request: Any) -> Any:
    return json.loads(request.body)


def test_create_session_with_everything() -> None:
    """Names are the service's, in camelCase, and the idempotency key is a header."""
    request = requests.create_session(3600, {"a": 1}, ResourceLimits(memory=2048, cpu=1.5, timeout=60), "k1")
    assert ("POST", "/sessions/create") == (request.method, request.path)
    assert {
        "ttl": 3600,
        "metadata": {"a": 1},
        "resourceLimits": {"memory": 2048, "cpu": 1.5, "timeout": 60},
    } == _body(request)
    assert ("Idempotency-Key", "k1") in request.headers
    assert ("Content-Type", "application/json") in request.headers


def test_create_session_without_arguments() -> None:
    """Omitted arguments are not sent, so the service's defaults apply."""
    assert {} == _body(requests.create_session(None, None, None, "k1"))


def test_execute_with_everything() -> None:
    """Every argument has its field; options of the client alone have none."""
    request = requests.execute(
        ExecuteRequest(
            "console.log(1)",
            session_id="ses_1",
            files={"a.ts": "1", "b/c.ts": "2"},
            env={"A": "b"},
            timeout=5,
            working_dir="b",
            check=True,
            idempotent=True,
        )
    )
    assert {
        "sessionId": "ses_1",
        "code": "console.log(1)",
        "files": [{"path": "a.ts", "content": "1"}, {"path": "b/c.ts", "content": "2"}],
        "env": {"A": "b"},
        "timeout": 5,
        "workingDir": "b",
    } == _body(request)


def test_execute_streamed() -> None:
    """A stream is requested in the body and in the headers."""
    request = requests.execute(ExecuteRequest(command="ls", session_id="ses_1"), stream=True)
    assert {"sessionId": "ses_1", "command": "ls", "stream": True} == _body(request)
    assert ("Accept", "text/event-stream") in request.headers


def test_an_empty_program_is_sent() -> None:
    """An empty file is a program and differs from None."""
    assert {"sessionId": "ses_1", "code": ""} == _body(
        requests.execute(ExecuteRequest("", session_id="ses_1"))
    )


def test_text_goes_as_utf8() -> None:
    """No character is escaped without need, and none is lost."""
    request = requests.execute(ExecuteRequest("'é 😀 \u2028'", session_id="ses_1"))
    assert "'é 😀 \u2028'" == _body(request)["code"]
    assert "😀".encode() in request.content


@pytest.mark.parametrize(
    ("pid", "expected"), [(7, {"sessionId": "ses_1", "pid": 7}), (None, {"sessionId": "ses_1"})]
)
def test_kill(pid: int | None, expected: dict[str, Any]) -> None:
    """Without a pid the field is omitted, which means all processes."""
    request = requests.kill("ses_1", pid)
    assert "/execution/kill" == request.path
    assert expected == _body(request)


@in_one_test("end", ["", "\n", '"', "\\", "\x7f", "é", "\0"])
@in_one_test("position", [0, 70_000, 140_000])
def test_execute_with_a_long_file(end: str, position: int) -> None:
    """The content of a file is sent unchanged, wherever it needs an escape."""
    content = "x" * position + end + "y" * (140_000 - position)
    request = requests.execute(ExecuteRequest("1", session_id="ses_1", files={"b": content, "a\n": "1"}))
    assert [{"path": "a\n", "content": "1"}, {"path": "b", "content": content}] == _body(request)["files"]


def test_files() -> None:
    """Reading and listing send a query, writing sends a body."""
    write = requests.write_file("ses_1", "a.txt", "")
    assert ("POST", "/files/write") == (write.method, write.path)
    assert {"sessionId": "ses_1", "path": "a.txt", "content": ""} == _body(write)
    read = requests.read_file("ses_1", "a b.txt")
    assert ("GET", "/files/read") == (read.method, read.path)
    assert (("sessionId", "ses_1"), ("path", "a b.txt")) == read.query
    listed = requests.list_files("ses_1", "", 100)
    assert ("GET", "/files/list") == (listed.method, listed.path)
    assert (("sessionId", "ses_1"), ("limit", "100"), ("offset", "100")) == listed.query


@pytest.mark.parametrize(
    ("session_id", "path"),
    [("ses_1", "/sessions/ses_1"), ("a/b", "/sessions/a%2Fb"), ("ä?#", "/sessions/%C3%A4%3F%23")],
)
def test_an_id_is_one_part_of_the_path(session_id: str, path: str) -> None:
    """No id can lead to another route."""
    assert path == requests.session_info(session_id).path
    assert ("DELETE", path) == (
        requests.delete_session(session_id).method,
        requests.delete_session(session_id).path,
    )


def test_custom() -> None:
    """A custom request has a body only if one is passed."""
    request = requests.custom("POST", "/webhooks", {"url": "x"}, {"a": 1})
    assert {"url": "x"} == _body(request)
    assert (("a", "1"),) == request.query
    assert requests.custom("GET", "/usage", None, None).body is None
    assert b"[]" == requests.custom("POST", "/usage", [], None).body


def test_body_that_contains_itself_is_refused() -> None:
    """The error names the argument."""
    circular: list[Any] = []
    circular.append(circular)
    with pytest.raises(ValueError, match=r"^json is not JSON: it contains itself,"):
        requests.custom("POST", "/route", circular, None)
