"""Files of a session."""

from __future__ import annotations

import json
from typing import Any

import pytest

from buntime import (
    APIStatusError,
    Buntime,
    FileInfo,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    ServerError,
    SessionFileNotFoundError,
    SessionNotFoundError,
    WriteResult,
)
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, Step, always, lost


def _client(*steps: Step) -> tuple[Buntime, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Buntime(transport=transport, max_retries=0), transport


def _file(path: str) -> dict[str, Any]:
    return {"path": path, "size": 1, "modified": "2024-01-19T10:30:00Z", "type": "file"}


def _helper(stdout: str, **changes: object) -> Step:
    return always(responses.as_json, responses.result(stdout=stdout, **changes))


def test_write() -> None:
    """A file can be written from the client or the session."""
    client, transport = _client(always(responses.as_json, responses.WRITTEN))
    written = client.files.write(session_id="ses_1", path="data.csv", content="name,age\n")
    assert WriteResult("data.csv", 9) == written
    assert written == client.sessions.attach("ses_1").files.write("data.csv", "name,age\n")
    assert transport.requests[0] == transport.requests[1]


def test_read() -> None:
    """A file can be read from the client or the session."""
    client, transport = _client(always(responses.as_json, responses.READ))
    assert "name,age\n" == client.files.read(session_id="ses_1", path="data.csv")
    assert "name,age\n" == client.sessions.attach("ses_1").files.read("data.csv")
    assert transport.requests[0] == transport.requests[1]


def test_reading_a_missing_file() -> None:
    """The error is a `FileNotFoundError`, as for a local file."""
    client, transport = _client(always(responses.error, 404, "file_not_found"))
    with pytest.raises(FileNotFoundError) as caught:
        client.files.read(session_id="ses_1", path="nope.txt")
    assert isinstance(caught.value, SessionFileNotFoundError)
    assert "nope.txt" == caught.value.filename
    assert 1 == len(transport.requests)


@pytest.mark.parametrize("status", [404, 405])
def test_reading_without_a_read_route(status: int) -> None:
    """Code in the session reads the file, and the next read skips the missing route."""
    client, transport = _client(
        always(responses.raw, b"no such route", status), _helper('{"content":"hi"}\n')
    )
    for _ in range(2):
        assert "hi" == client.files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read", "POST /execute", "POST /execute"] == transport.calls
    first, *_ = transport.body()["code"].splitlines()
    assert '// buntime:helper {"op": "read", "path": "a.txt"}' == first


def test_derived_clients_share_the_missing_route() -> None:
    """They use the same service."""
    client, transport = _client(always(responses.raw, b"", 404), _helper('{"content":"hi"}'))
    client.files.read(session_id="ses_1", path="a.txt")
    client.with_options(timeout=5).files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read", "POST /execute", "POST /execute"] == transport.calls


def test_a_missing_file_read_by_a_helper() -> None:
    """It is the same error, and the missing route is remembered."""
    gone = _helper('{"error":{"code":"ENOENT","message":"no such file"}}\n')
    client, transport = _client(always(responses.raw, b"", 404), gone)
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as caught:
            client.files.read(session_id="ses_1", path="nope.txt")
        assert "nope.txt" == caught.value.filename
    assert 3 == len(transport.requests)


def test_a_missing_session_is_not_a_missing_route() -> None:
    """No helper is sent, and nothing is remembered."""
    client, transport = _client(
        always(responses.error, 404, "session_not_found"), always(responses.as_json, responses.READ)
    )
    with pytest.raises(SessionNotFoundError):
        client.files.read(session_id="ses_1", path="a.txt")
    client.files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read"] * 2 == transport.calls


def test_a_missing_session_without_a_read_route() -> None:
    """Two 404 responses without an envelope raise a `NotFoundError`."""
    client, transport = _client(always(responses.raw, b"", 404))
    with pytest.raises(NotFoundError):
        client.files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read", "POST /execute"] == transport.calls


def test_a_failing_route_is_not_a_missing_one() -> None:
    """Any other error is raised unchanged."""
    client, transport = _client(always(responses.error, 500, ""))
    with pytest.raises(ServerError):
        client.files.read(session_id="ses_1", path="a.txt")
    assert 1 == len(transport.requests)


def test_list() -> None:
    """The client and the session return the same sorted list."""
    listing = always(responses.as_json, {"files": [_file("b"), _file("a")]})
    client, transport = _client(listing)
    files = client.sessions.attach("ses_1").files.list("src")
    assert ["a", "b"] == [file.path for file in files]
    assert isinstance(files, list)
    assert isinstance(files[0], FileInfo)
    assert ("path", "src") in transport.requests[0].query
    client.files.list(session_id="ses_1")
    assert "path" not in dict(transport.requests[1].query)


def test_list_reads_all_pages() -> None:
    """A page with fewer files than its limit is the last."""
    names = [f"f{number:03}" for number in range(250)]

    def respond(request: Request) -> Response:
        query = dict(request.query)
        start = int(query["offset"])
        return responses.as_json(
            {"files": [_file(name) for name in names[start : start + int(query["limit"])]]}
        )

    client = Buntime(transport=FunctionTransport(respond))
    assert names == [file.path for file in client.files.list(session_id="ses_1")]


def test_a_full_last_page_is_followed_by_an_empty_one() -> None:
    """Nothing else marks the last page."""
    full = always(responses.as_json, {"files": [_file(f"f{number:03}") for number in range(100)]})
    client, transport = _client(full, always(responses.as_json, {"files": []}))
    assert 100 == len(client.files.list(session_id="ses_1"))
    assert ["0", "100"] == [dict(request.query)["offset"] for request in transport.requests]


def test_a_service_without_pages_does_not_hang() -> None:
    """A service that ignores ``offset`` sends the same files again, which ends the listing."""
    same = always(responses.as_json, {"files": [_file(f"f{number:03}") for number in range(150)]})
    client, transport = _client(same)
    assert 150 == len(client.files.list(session_id="ses_1"))
    assert 2 == len(transport.requests)


def test_the_folder_of_the_client_is_hidden() -> None:
    """The state of the helpers is hidden from the user."""
    names = [".buntime", "/workspace/.buntime", "./.buntime", ".buntimes", "a/.buntime", "a"]
    client, _ = _client(always(responses.as_json, {"files": [_file(name) for name in names]}))
    assert [".buntimes", "a", "a/.buntime"] == [file.path for file in client.files.list(session_id="ses_1")]


def test_hidden_files_do_not_shorten_a_page() -> None:
    """A full page is full even if it lists the hidden folder."""
    first = [_file(".buntime"), *(_file(f"f{number:03}") for number in range(99))]
    client, _ = _client(
        always(responses.as_json, {"files": first}), always(responses.as_json, {"files": [_file("z")]})
    )
    assert 100 == len(client.files.list(session_id="ses_1"))


def test_a_text_that_is_too_large_for_the_route_is_read_in_pieces() -> None:
    """Any file that can be written can be read, on the smallest plan too."""
    with Buntime(transport=FakeTransport(plan="free"), max_retries=0) as client:
        files = client.sessions.create().files
        text = "é" * 6_000_000
        files.write("long.txt", text)
        assert text == files.read("long.txt")
        files.write("long.bin", b"\xff" * 12_000_000)
        with pytest.raises(InvalidRequestError, match="read_bytes"):
            files.read("long.bin")


def test_staged_content_that_another_process_used() -> None:
    """It is sent again, a limited number of times, because the other process wrote the same content."""
    gone = _helper('{"error":{"code":"ECONSUMED","message":"it is not there"}}')
    client, transport = _client(gone, gone, _helper('{"count":1}'))
    assert WriteResult("a", 1) == client.files.write(session_id="ses_1", path="a", content=b"\xff")
    assert 3 == len(transport.requests)
    client, transport = _client(gone)
    with pytest.raises(APIStatusError, match="ECONSUMED"):
        client.files.write(session_id="ses_1", path="a", content=b"\xff")
    assert 5 == len(transport.requests)
    retried = Buntime(transport=ScriptedTransport(lost(), gone, _helper('{"count":1}')))
    assert WriteResult("a", 1) == retried.files.write(session_id="ses_1", path="a", content=b"\xff")


@in_one_test("fields", [{"base64": 7}, {"base64": "?"}, {"base64": None}, {}])
def test_invalid_bytes_of_a_helper(fields: dict[str, Any]) -> None:
    """They raise an `InvalidResponseError`."""
    stdout = json.dumps({"size": 1, "stamp": "1", "sha256": None, **fields})
    client, _ = _client(_helper(stdout))
    with pytest.raises(InvalidResponseError, match="base64"):
        client.files.read_bytes(session_id="ses_1", path="a")


@pytest.mark.parametrize("path", ["", "a\0b", "a\ud800"])
def test_an_invalid_path_is_rejected_before_a_request(path: str) -> None:
    """Every method validates its path."""
    client, transport = _client(always(responses.raw, b""))
    files = client.sessions.attach("ses_1").files
    for call in (files.read_bytes, files.stat, files.exists, files.mkdir, files.delete):
        with pytest.raises(ValueError, match="path"):
            call(path)
    with pytest.raises(ValueError, match="target"):
        files.move("a", path)
    with pytest.raises(TypeError, match="content"):
        files.write("a", 7)  # type: ignore[arg-type] # not valid content
    assert [] == transport.requests
