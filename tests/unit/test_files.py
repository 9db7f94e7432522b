"""Files of a session."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import (
    Buntime,
    FileInfo,
    NotFoundError,
    ServerError,
    SessionFileNotFoundError,
    SessionNotFoundError,
    WriteResult,
)
from buntime.transport import FunctionTransport, Request, Response
from tests.support import answers
from tests.support.scripted import ScriptedTransport, Step, always


def _client(*steps: Step) -> tuple[Buntime, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Buntime(transport=transport, max_retries=0), transport


def _file(path: str) -> dict[str, Any]:
    return {"path": path, "size": 1, "modified": "2024-01-19T10:30:00Z", "type": "file"}


def _helper(stdout: str, **changes: object) -> Step:
    return always(answers.as_json, answers.result(stdout=stdout, **changes))


def test_write() -> None:
    """By client or by session."""
    client, transport = _client(always(answers.as_json, answers.WRITTEN))
    written = client.files.write(session_id="ses_1", path="data.csv", content="name,age\n")
    assert WriteResult("data.csv", 9) == written
    assert written == client.sessions.attach("ses_1").files.write("data.csv", "name,age\n")
    assert transport.requests[0] == transport.requests[1]


def test_read() -> None:
    """By client or by session."""
    client, transport = _client(always(answers.as_json, answers.READ))
    assert "name,age\n" == client.files.read(session_id="ses_1", path="data.csv")
    assert "name,age\n" == client.sessions.attach("ses_1").files.read("data.csv")
    assert transport.requests[0] == transport.requests[1]


def test_reading_what_is_not_there() -> None:
    """The error is the one that reading a file has always raised."""
    client, transport = _client(always(answers.error, 404, "file_not_found"))
    with pytest.raises(FileNotFoundError) as caught:
        client.files.read(session_id="ses_1", path="nope.txt")
    assert isinstance(caught.value, SessionFileNotFoundError)
    assert "nope.txt" == caught.value.filename
    assert 1 == len(transport.requests)


@pytest.mark.parametrize("status", [404, 405])
def test_reading_where_the_service_has_no_route(status: int) -> None:
    """The file is read by code in the session, and the next read goes there at once."""
    client, transport = _client(always(answers.raw, b"no such route", status), _helper('{"content":"hi"}\n'))
    for _ in range(2):
        assert "hi" == client.files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read", "POST /execute", "POST /execute"] == transport.calls
    first, *_ = transport.body()["code"].splitlines()
    assert '// buntime:helper {"op": "read", "path": "a.txt"}' == first


def test_the_missing_route_is_remembered_by_clients_made_of_it() -> None:
    """They speak to the same service."""
    client, transport = _client(always(answers.raw, b"", 404), _helper('{"content":"hi"}'))
    client.files.read(session_id="ses_1", path="a.txt")
    client.with_options(timeout=5).files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read", "POST /execute", "POST /execute"] == transport.calls


def test_a_missing_file_found_out_by_helper() -> None:
    """It is the same error, and the route's absence is remembered."""
    gone = _helper('{"error":{"code":"ENOENT","message":"no such file"}}\n')
    client, transport = _client(always(answers.raw, b"", 404), gone)
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as caught:
            client.files.read(session_id="ses_1", path="nope.txt")
        assert "nope.txt" == caught.value.filename
    assert 3 == len(transport.requests)


def test_a_missing_session_is_not_a_missing_route() -> None:
    """Nothing is tried that cannot work, and nothing is remembered."""
    client, transport = _client(
        always(answers.error, 404, "session_not_found"), always(answers.as_json, answers.READ)
    )
    with pytest.raises(SessionNotFoundError):
        client.files.read(session_id="ses_1", path="a.txt")
    client.files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read"] * 2 == transport.calls


def test_a_missing_session_found_out_by_helper() -> None:
    """A 404 without an envelope, twice, is what it says."""
    client, transport = _client(always(answers.raw, b"", 404))
    with pytest.raises(NotFoundError):
        client.files.read(session_id="ses_1", path="a.txt")
    assert ["GET /files/read", "POST /execute"] == transport.calls


def test_a_failing_route_is_not_a_missing_one() -> None:
    """Another error is raised as it is."""
    client, transport = _client(always(answers.error, 500, ""))
    with pytest.raises(ServerError):
        client.files.read(session_id="ses_1", path="a.txt")
    assert 1 == len(transport.requests)


def test_list() -> None:
    """By client or by session, sorted."""
    listing = always(answers.as_json, {"files": [_file("b"), _file("a")]})
    client, transport = _client(listing)
    files = client.sessions.attach("ses_1").files.list("src")
    assert ["a", "b"] == [file.path for file in files]
    assert isinstance(files, list)
    assert isinstance(files[0], FileInfo)
    assert ("path", "src") in transport.requests[0].query
    client.files.list(session_id="ses_1")
    assert "path" not in dict(transport.requests[1].query)


def test_list_reads_all_pages() -> None:
    """A page shorter than its limit is the last."""
    names = [f"f{number:03}" for number in range(250)]

    def answer(request: Request) -> Response:
        query = dict(request.query)
        start = int(query["offset"])
        return answers.as_json(
            {"files": [_file(name) for name in names[start : start + int(query["limit"])]]}
        )

    client = Buntime(transport=FunctionTransport(answer))
    assert names == [file.path for file in client.files.list(session_id="ses_1")]


def test_a_full_last_page_is_followed_by_an_empty_one() -> None:
    """There is no other sign that nothing more comes."""
    full = always(answers.as_json, {"files": [_file(f"f{number:03}") for number in range(100)]})
    client, transport = _client(full, always(answers.as_json, {"files": []}))
    assert 100 == len(client.files.list(session_id="ses_1"))
    assert ["0", "100"] == [dict(request.query)["offset"] for request in transport.requests]


def test_a_service_without_pages_does_not_hang() -> None:
    """One that ignores ``offset`` sends the same files again, and that ends it."""
    same = always(answers.as_json, {"files": [_file(f"f{number:03}") for number in range(150)]})
    client, transport = _client(same)
    assert 150 == len(client.files.list(session_id="ses_1"))
    assert 2 == len(transport.requests)


def test_our_own_folder_is_hidden() -> None:
    """The helpers' state is not the user's."""
    names = [".buntime", "/workspace/.buntime", "./.buntime", ".buntimes", "a/.buntime", "a"]
    client, _ = _client(always(answers.as_json, {"files": [_file(name) for name in names]}))
    assert [".buntimes", "a", "a/.buntime"] == [file.path for file in client.files.list(session_id="ses_1")]


def test_hidden_files_do_not_shorten_a_page() -> None:
    """A full page with our folder in it is still full."""
    first = [_file(".buntime"), *(_file(f"f{number:03}") for number in range(99))]
    client, _ = _client(
        always(answers.as_json, {"files": first}), always(answers.as_json, {"files": [_file("z")]})
    )
    assert 100 == len(client.files.list(session_id="ses_1"))
