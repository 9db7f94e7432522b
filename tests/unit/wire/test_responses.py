"""Decoding of responses in every form that the service may use."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import InvalidResponseError, RateLimit
from buntime._http import BufferedResponse
from buntime.transport import Headers
from buntime.wire import responses as wire
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.results import result_or_error

_UTC = timezone.utc
DECODERS: dict[str, tuple[Callable[[BufferedResponse], Any], dict[str, Any]]] = {
    "create": (wire.decode_created_session, responses.CREATED),
    "info": (wire.decode_session_info, responses.INFO),
    "execute": (wire.decode_result, responses.RESULT),
    "kill": (wire.decode_killed, responses.KILLED),
    "write": (wire.decode_written, responses.WRITTEN),
    "list": (wire.decode_files, responses.LISTED),
    "read": (partial(wire.decode_content, path="data.csv"), responses.READ),
}
every_decoder = in_one_test("name", DECODERS)


def _response(body: object, status: int = 200, kind: str = "application/json") -> BufferedResponse:
    """Return a response whose body is this JSON value or these bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return BufferedResponse(status, Headers({"Content-Type": kind, "X-Request-Id": "req_1"}), content)


@every_decoder
@in_one_test("status", [200, 201, 202])
def test_flat_and_enveloped_bodies_mean_the_same(name: str, status: int) -> None:
    """Both forms are documented, and any 2xx is a success."""
    decode, body = DECODERS[name]
    assert decode(_response(body)) == decode(_response({"data": body}, status))


@every_decoder
@in_one_test(
    "body",
    [b"<html>Sign in</html>", b"", b"{", b"[]", b"null", b"42", b'"text"', b"\xff\xfe", b"[" * 100_000],
    ids=["html", "empty", "cut", "list", "null", "number", "string", "no text", "deep"],
)
def test_a_body_that_is_not_the_apis_is_described(name: str, body: bytes) -> None:
    """The error has the status, the request's id and the first bytes of the body."""
    with pytest.raises(InvalidResponseError) as caught:
        DECODERS[name][0](_response(body))
    assert 200 == caught.value.status
    assert "req_1" == caught.value.request_id
    assert body[:500] == caught.value.body
    assert len(str(caught.value)) < 1000


@in_one_test(
    ("name", "field"),
    [
        ("create", "sessionId"),
        ("info", "sessionId"),
        ("execute", "stdout"),
        ("execute", "stderr"),
        ("execute", "exitCode"),
        ("kill", "killed"),
        ("write", "path"),
        ("write", "size"),
        ("list", "files"),
        ("read", "content"),
    ],
)
def test_a_missing_field_is_named(name: str, field: str) -> None:
    """Required fields must be present."""
    decode, body = DECODERS[name]
    with pytest.raises(InvalidResponseError, match=f"'{field}' is missing"):
        decode(_response({key: value for key, value in body.items() if key != field}))


@in_one_test(
    ("name", "field", "value"),
    [
        ("create", "sessionId", 7),
        ("create", "expiresAt", "tomorrow"),
        ("create", "expiresAt", ":"),
        ("create", "expiresAt", 1705660200),
        ("create", "resourceLimits", []),
        ("create", "resourceLimits", {"memory": "1 GB"}),
        ("info", "filesCount", 1.5),
        ("info", "metadata", "none"),
        ("execute", "stdout", ["Sum"]),
        ("execute", "exitCode", "0"),
        ("execute", "exitCode", True),
        ("execute", "timedOut", 0),
        ("execute", "filesWritten", [1]),
        ("kill", "pids", ["1"]),
        ("list", "files", [1]),
        ("list", "files", {}),
        ("read", "content", None),
    ],
)
def test_a_mistyped_field_is_named(name: str, field: str, value: object) -> None:
    """A wrong type is an error, not a guess."""
    decode, body = DECODERS[name]
    with pytest.raises(InvalidResponseError):
        decode(_response({**body, field: value}))


@in_one_test("name", ["info", "execute", "kill", "write"])
def test_unknown_fields_are_stored(name: str) -> None:
    """Fields of a newer service are stored in ``extra`` and change nothing else."""
    decode, body = DECODERS[name]
    value = decode(_response({**body, "region": "eu"}))
    assert {"region": "eu"} == value.extra
    assert decode(_response(body)) == value


def test_unknown_fields_of_nested_values_are_stored() -> None:
    """Resource limits and files store their unknown fields too."""
    limits = {**responses.CREATED["resourceLimits"], "gpu": 1}
    session = wire.decode_created_session(_response({**responses.CREATED, "resourceLimits": limits}))
    assert session.resource_limits is not None
    assert {"gpu": 1} == session.resource_limits.extra
    (file,) = wire.decode_files(_response({"files": [{**responses.LISTED["files"][0], "mode": "0644"}]}))
    assert {"mode": "0644"} == file.extra


def test_unknown_states_and_types_are_passed_through() -> None:
    """An enumeration may grow."""
    info: Any = wire.decode_session_info(_response({**responses.INFO, "state": "hibernating"}))
    assert "hibernating" == info.state
    files: Any = wire.decode_files(
        _response({"files": [{**responses.LISTED["files"][0], "type": "symlink"}]})
    )
    assert ["symlink"] == [file.type for file in files]


@in_one_test(
    ("text", "expected"),
    [
        ("2024-01-20T10:30:00Z", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20T10:30:00z", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20T10:30:00", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20 10:30:00", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20T10:30Z", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20", datetime(2024, 1, 20, tzinfo=_UTC)),
        ("2024-01-20T10:30:00.5Z", datetime(2024, 1, 20, 10, 30, 0, 500_000, tzinfo=_UTC)),
        ("2024-01-20T10:30:00.123Z", datetime(2024, 1, 20, 10, 30, 0, 123_000, tzinfo=_UTC)),
        ("2024-01-20T10:30:00.123456789Z", datetime(2024, 1, 20, 10, 30, 0, 123_456, tzinfo=_UTC)),
        ("2024-01-20T10:30:00+00:00", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20T12:30:00+02:00", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20T12:30:00+0200", datetime(2024, 1, 20, 10, 30, tzinfo=_UTC)),
        ("2024-01-20 12:30:00.25+02", datetime(2024, 1, 20, 10, 30, 0, 250_000, tzinfo=_UTC)),
        ("2024-01-20T05:00:00.1-05:30", datetime(2024, 1, 20, 10, 30, 0, 100_000, tzinfo=_UTC)),
    ],
)
def test_times_are_aware(text: str, expected: datetime) -> None:
    """Every common form of ISO 8601 is parsed, on every Python; without an offset it is UTC."""
    session = wire.decode_created_session(_response({**responses.CREATED, "createdAt": text}))
    assert expected == session.created_at
    assert session.created_at is not None
    assert isinstance(session.created_at.utcoffset(), timedelta)


def test_a_result_has_the_fields_of_the_response() -> None:
    """Each field has the service's unit."""
    result = wire.decode_result(_response({**responses.RESULT, "exitCode": 3, "filesWritten": ["a.txt"]}))
    assert ("Sum: 15\n", "", 3) == (result.stdout, result.stderr, result.exit_code)
    assert (45, 12582912, 42) == (result.execution_time, result.memory_used, result.cpu_time)
    assert (False, ("a.txt",)) == (result.timed_out, result.files_written)


def test_missing_optional_fields_are_none() -> None:
    """The client invents no values."""
    result = wire.decode_result(_response({"stdout": "", "stderr": "", "exitCode": 0}))
    missing = (
        result.execution_time,
        result.memory_used,
        result.cpu_time,
        result.timed_out,
        result.files_written,
    )
    assert (None,) * 5 == missing


def test_whole_numbers_may_be_floats() -> None:
    """JavaScript has no integers, so ``12.0`` is 12."""
    memory = wire.decode_result(_response({**responses.RESULT, "memoryUsed": 12.0})).memory_used
    assert 12 == memory
    assert isinstance(memory, int)


def test_files_of_the_client_are_not_among_the_written() -> None:
    """The helpers' folder is hidden from the user."""
    paths = ["a.txt", ".buntime/p1/log", "/workspace/.buntime/x", "./.buntime/y", ".buntimes", "b/.buntime"]
    result = wire.decode_result(_response({**responses.RESULT, "filesWritten": paths}))
    assert ("a.txt", ".buntimes", "b/.buntime") == result.files_written


@in_one_test("body", [b"", b" ", b"{}", b'{"deleted": true}', b'{"data": {"deleted": true}}'])
def test_a_deletion_may_have_no_body(body: bytes) -> None:
    """A 204 without a body is equivalent to the documented object."""
    wire.check_deleted(_response(body))


@in_one_test("body", [{"deleted": False}, {"deleted": "yes"}, [], "ok"])
def test_a_deletion_that_did_not_happen(body: object) -> None:
    """A response that contradicts the deletion is an error."""
    with pytest.raises(InvalidResponseError):
        wire.check_deleted(_response(body))


@in_one_test(
    ("path", "body", "kind", "expected"),
    [
        ("a.txt", responses.READ, "application/json", "name,age\n"),
        ("a.txt", {"data": responses.READ}, "application/json; charset=utf-8", "name,age\n"),
        ("a.txt", "é".encode(), "text/plain", "é"),
        ("a.txt", b"", "application/octet-stream", ""),
        ("a.json", b'{"a": 1}', "application/json", '{"a": 1}'),
        ("a.json", b"[1]", "application/json", "[1]"),
        ("a.json", {"path": "a.json", "content": "[1]", "size": 3}, "application/json", "[1]"),
        ("a.html", b"<html>", "text/html", "<html>"),
        ("a.txt", b"\xef\xbb\xbfa", "text/plain", "\ufeffa"),
    ],
)
def test_a_file_is_an_object_or_a_raw_body(path: str, body: object, kind: str, expected: str) -> None:
    """Both are plausible, because the route is not published."""
    assert expected == wire.decode_content(_response(body, kind=kind), path)


@in_one_test(
    ("path", "body", "kind"),
    [
        ("a.txt", b"<html>Sign in</html>", "text/html"),
        ("a.png", b"\x89PNG", "image/png"),
        ("a.json", b"[" * 100_000, "application/json"),
        ("a.json", b"{", "application/json"),
    ],
    ids=["page", "binary", "deep", "cut"],
)
def test_a_body_that_is_not_a_text_file(path: str, body: bytes, kind: str) -> None:
    """An HTML page in place of a file, and a file that is not text, are errors."""
    with pytest.raises(InvalidResponseError):
        wire.decode_content(_response(body, kind=kind), path)


@in_one_test(
    ("headers", "expected"),
    [
        ({}, None),
        ({"X-RateLimit-Limit": "100"}, RateLimit(100, None, None)),
        ({"x-ratelimit-remaining": "0", "X-RateLimit-Reset": "1700000000"}, RateLimit(None, 0, 1700000000)),
        ({"X-RateLimit-Limit": "many", "X-RateLimit-Reset": "1e400"}, RateLimit(None, None, None)),
        ({"X-RateLimit-Reset": "1700000000.5"}, RateLimit(None, None, 1700000000)),
        ({"X-RateLimit-Limit": "nan"}, RateLimit(None, None, None)),
    ],
)
def test_rate_limit_headers(headers: dict[str, str], expected: RateLimit | None) -> None:
    """Invalid values never fail a request that succeeded."""
    assert expected == wire.rate_limit(Headers(headers))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
_fields = sorted(
    {key for _, body in DECODERS.values() for key in body} | {"data", "memory", "type", "modified"}
)
_objects = st.dictionaries(st.sampled_from(_fields), _json, max_size=8)


@pytest.mark.parametrize("name", [*DECODERS, "delete"])
@given(
    body=st.binary()
    | (_json | _objects | _objects.map(lambda o: {"data": o})).map(lambda v: json.dumps(v).encode())
)
def test_any_body_is_decoded(name: str, body: bytes) -> None:
    """Any body decodes to a value or raises a BuntimeError."""
    decode = wire.check_deleted if name == "delete" else DECODERS[name][0]
    result_or_error(lambda: decode(_response(body)))


@given(
    text=st.text()
    | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:?\d\d)?", fullmatch=True)
)
def test_any_time_is_decoded(text: str) -> None:
    """Any string in a time field is a time or raises a BuntimeError."""
    session = result_or_error(
        lambda: wire.decode_created_session(_response({**responses.CREATED, "createdAt": text}))
    )
    assert isinstance(session, (wire.CreatedSession, str))
