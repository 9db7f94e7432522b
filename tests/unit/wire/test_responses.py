"""Answers in every form that the service may give them."""

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
every_decoder = pytest.mark.parametrize("name", DECODERS)


def answer(body: object, status: int = 200, kind: str = "application/json") -> BufferedResponse:
    """Return an answer whose body is JSON, or these bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return BufferedResponse(status, Headers({"Content-Type": kind, "X-Request-Id": "req_1"}), content)


@every_decoder
@pytest.mark.parametrize("status", [200, 201, 202])
def test_flat_and_enveloped_bodies_mean_the_same(name: str, status: int) -> None:
    """Both forms are documented, and any 2xx is a success."""
    decode, body = DECODERS[name]
    assert decode(answer(body)) == decode(answer({"data": body}, status))


@every_decoder
@pytest.mark.parametrize(
    "body",
    [b"<html>Sign in</html>", b"", b"{", b"[]", b"null", b"42", b'"text"', b"\xff\xfe", b"[" * 100_000],
    ids=["html", "empty", "cut", "list", "null", "number", "string", "no text", "deep"],
)
def test_what_is_not_the_apis_says_what_it_is(name: str, body: bytes) -> None:
    """The error has the status, the request's id and the first bytes."""
    with pytest.raises(InvalidResponseError) as caught:
        DECODERS[name][0](answer(body))
    assert 200 == caught.value.status
    assert "req_1" == caught.value.request_id
    assert body[:500] == caught.value.body
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
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
    """What the value cannot be without must be there."""
    decode, body = DECODERS[name]
    with pytest.raises(InvalidResponseError, match=f"'{field}' is missing"):
        decode(answer({key: value for key, value in body.items() if key != field}))


@pytest.mark.parametrize(
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
    """A wrong type is not guessed at."""
    decode, body = DECODERS[name]
    with pytest.raises(InvalidResponseError):
        decode(answer({**body, field: value}))


@pytest.mark.parametrize("name", ["info", "execute", "kill", "write"])
def test_unknown_fields_are_kept(name: str) -> None:
    """A newer service says more; it stays in ``extra`` and changes nothing else."""
    decode, body = DECODERS[name]
    value = decode(answer({**body, "region": "eu"}))
    assert {"region": "eu"} == value.extra
    assert decode(answer(body)) == value


def test_unknown_fields_of_parts_are_kept() -> None:
    """Resource limits and files keep theirs too."""
    limits = {**responses.CREATED["resourceLimits"], "gpu": 1}
    made = wire.decode_created_session(answer({**responses.CREATED, "resourceLimits": limits}))
    assert made.resource_limits is not None
    assert {"gpu": 1} == made.resource_limits.extra
    (file,) = wire.decode_files(answer({"files": [{**responses.LISTED["files"][0], "mode": "0644"}]}))
    assert {"mode": "0644"} == file.extra


def test_unknown_states_and_types_are_passed_through() -> None:
    """An enumeration may grow."""
    assert "hibernating" == wire.decode_session_info(answer({**responses.INFO, "state": "hibernating"})).state
    (file,) = wire.decode_files(answer({"files": [{**responses.LISTED["files"][0], "type": "symlink"}]}))
    assert "symlink" == file.type


@pytest.mark.parametrize(
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
    """Every form of ISO 8601 that a service writes is read, on every Python; no offset means UTC."""
    made = wire.decode_created_session(answer({**responses.CREATED, "createdAt": text}))
    assert expected == made.created_at
    assert made.created_at is not None
    assert isinstance(made.created_at.utcoffset(), timedelta)


def test_a_result_has_what_the_service_said() -> None:
    """Each field arrives in the service's unit."""
    result = wire.decode_result(answer({**responses.RESULT, "exitCode": 3, "filesWritten": ["a.txt"]}))
    assert ("Sum: 15\n", "", 3) == (result.stdout, result.stderr, result.exit_code)
    assert (45, 12582912, 42) == (result.execution_time, result.memory_used, result.cpu_time)
    assert (False, ("a.txt",)) == (result.timed_out, result.files_written)


def test_what_the_service_did_not_say_is_none() -> None:
    """Nothing is made up."""
    result = wire.decode_result(answer({"stdout": "", "stderr": "", "exitCode": 0}))
    unsaid = (
        result.execution_time,
        result.memory_used,
        result.cpu_time,
        result.timed_out,
        result.files_written,
    )
    assert (None,) * 5 == unsaid


def test_whole_numbers_may_be_floats() -> None:
    """JavaScript has no integers, so ``12.0`` is 12."""
    memory = wire.decode_result(answer({**responses.RESULT, "memoryUsed": 12.0})).memory_used
    assert 12 == memory
    assert isinstance(memory, int)


def test_our_own_files_are_not_among_the_written() -> None:
    """The helpers' folder is not the user's."""
    written = ["a.txt", ".buntime/p1/log", "/workspace/.buntime/x", "./.buntime/y", ".buntimes", "b/.buntime"]
    result = wire.decode_result(answer({**responses.RESULT, "filesWritten": written}))
    assert ("a.txt", ".buntimes", "b/.buntime") == result.files_written


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"deleted": true}', b'{"data": {"deleted": true}}'])
def test_a_deletion_needs_few_words(body: bytes) -> None:
    """A 204 without a body says as much as the documented object."""
    wire.check_deleted(answer(body))


@pytest.mark.parametrize("body", [{"deleted": False}, {"deleted": "yes"}, [], "ok"])
def test_a_deletion_that_did_not_happen(body: object) -> None:
    """An answer that says otherwise is not taken for a success."""
    with pytest.raises(InvalidResponseError):
        wire.check_deleted(answer(body))


@pytest.mark.parametrize(
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
def test_a_file_comes_as_an_object_or_as_it_is(path: str, body: object, kind: str, expected: str) -> None:
    """Both are plausible, as the route is not published."""
    assert expected == wire.decode_content(answer(body, kind=kind), path)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("a.txt", b"<html>Sign in</html>", "text/html"),
        ("a.png", b"\x89PNG", "image/png"),
        ("a.json", b"[" * 100_000, "application/json"),
        ("a.json", b"{", "application/json"),
    ],
    ids=["page", "binary", "deep", "cut"],
)
def test_what_is_no_text_file(path: str, body: bytes, kind: str) -> None:
    """A page instead of a file, and a file that is not text, are errors."""
    with pytest.raises(InvalidResponseError):
        wire.decode_content(answer(body, kind=kind), path)


@pytest.mark.parametrize(
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
    """Garbage in them never fails a call that succeeded."""
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
def test_no_body_surprises(name: str, body: bytes) -> None:
    """Whatever comes back, it is a value or a BuntimeError."""
    decode = wire.check_deleted if name == "delete" else DECODERS[name][0]
    result_or_error(lambda: decode(answer(body)))


@given(
    text=st.text()
    | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:?\d\d)?", fullmatch=True)
)
def test_no_time_surprises(text: str) -> None:
    """A string in place of a time is a time or a BuntimeError."""
    made = result_or_error(
        lambda: wire.decode_created_session(answer({**responses.CREATED, "createdAt": text}))
    )
    assert isinstance(made, (wire.CreatedSession, str))
