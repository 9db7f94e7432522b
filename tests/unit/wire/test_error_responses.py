"""Decoding of error responses, in any shape, to exceptions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import buntime
from buntime import BuntimeError, InvalidResponseError, RateLimitError, SessionFileNotFoundError
from buntime._http import BufferedResponse
from buntime.transport import Headers, Request
from buntime.wire import requests
from buntime.wire.error_responses import decode_error, is_missing_route, retry_after
from tests.support.cases import in_one_test
from tests.support.responses import error_body

_GET = requests.session_info("ses_1")
_POST = requests.kill("ses_1", 7)
_CREATE = requests.create_session(None, None, None, "k")
_READ = requests.read_file("ses_1", "a.txt")
_OTHER = requests.custom("GET", "/usage", None, None)


def _decode(request: Request, status: int, body: object = b"", **headers: str) -> BuntimeError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_error(request, BufferedResponse(status, Headers(pairs), content))


@in_one_test(
    ("status", "code", "kind"),
    [
        (400, "invalid_request", "InvalidRequestError"),
        (401, "unauthorized", "AuthenticationError"),
        (403, "forbidden", "PermissionDeniedError"),
        (404, "not_found", "NotFoundError"),
        (405, "method_not_allowed", "APIStatusError"),
        (408, "request_timeout", "RequestTimeoutError"),
        (408, "execution_timeout", "ExecutionTimeoutError"),
        (409, "idempotency_conflict", "ConflictError"),
        (413, "too_large", "APIStatusError"),
        (429, "rate_limit_exceeded", "RateLimitError"),
        (451, "new", "APIStatusError"),
        (500, "internal", "ServerError"),
        (501, "unscripted_execution", "ServerError"),
        (503, "unavailable", "ServerError"),
        (507, "memory_limit_exceeded", "ResourceLimitError"),
        (507, "disk_full", "ResourceLimitError"),
        (599, "new", "ServerError"),
        (700, "new", "ServerError"),
    ],
)
def test_each_status_has_its_class(status: int, code: str, kind: str) -> None:
    """An unknown code or status becomes the nearest parent class and retains its code."""
    error = _decode(_OTHER, status, error_body(code, "because", {"limit": 1}), X_Request_Id="req_1")
    assert getattr(buntime, kind) is type(error)
    assert (code, status, {"limit": 1}, "req_1") == (
        error.code,
        error.status,
        error.details,
        error.request_id,
    )
    assert "because" in str(error)


@in_one_test(
    ("request_", "body", "kind"),
    [
        (_GET, error_body("session_not_found"), "SessionNotFoundError"),
        (_GET, error_body("invalid_request", "Session not found"), "SessionNotFoundError"),
        (_GET, error_body("gone_fishing"), "SessionNotFoundError"),
        (_GET, b"<html>", "NotFoundError"),
        (_GET, b"", "NotFoundError"),
        (_GET, {"message": "Not Found"}, "NotFoundError"),
        (_GET, {"error": "Not Found"}, "NotFoundError"),
        (_POST, error_body("session_not_found"), "SessionNotFoundError"),
        (_POST, error_body("file_not_found"), "SessionFileNotFoundError"),
        (_READ, error_body("file_not_found"), "SessionFileNotFoundError"),
        (_READ, error_body("session_not_found"), "SessionNotFoundError"),
        (_READ, error_body("invalid_request"), "SessionNotFoundError"),
        (_READ, error_body("route_not_found"), "NotFoundError"),
        (_CREATE, error_body("not_found"), "NotFoundError"),
        (_OTHER, error_body("not_found"), "NotFoundError"),
    ],
)
def test_not_found_names_the_session_or_the_file(request_: Request, body: object, kind: str) -> None:
    """A 404 in the API's envelope, for a request that names a session, concerns that session or its file."""
    assert getattr(buntime, kind) is type(_decode(request_, 404, body))


@in_one_test("body", [None, b"", b"no JSON", b"[1]", b'"sessionId"'])
def test_not_found_without_a_session_in_the_request(body: bytes | None) -> None:
    """If the request names no session, a 404 is not a `SessionNotFoundError`, regardless of its body."""
    request = Request("POST", "/usage", body=body)
    assert buntime.NotFoundError is type(_decode(request, 404, error_body("not_found")))


def test_a_missing_file_is_a_builtin_error_too() -> None:
    """Code that reads files can catch `FileNotFoundError` and read `filename`, as for a local file."""
    with pytest.raises(FileNotFoundError) as caught:
        raise _decode(_READ, 404, error_body("file_not_found"))
    assert "a.txt" == caught.value.filename
    assert isinstance(caught.value, SessionFileNotFoundError)


@in_one_test(
    ("status", "body", "missing"),
    [
        (404, b"Not Found", True),
        (404, error_body("route_not_found"), True),
        (405, error_body("method_not_allowed"), True),
        (404, error_body("session_not_found"), False),
        (404, error_body("file_not_found"), False),
        (404, error_body("invalid_request"), False),
        (400, error_body("bad_path"), False),
        (500, b"", False),
    ],
)
def test_a_missing_route_is_recognised(status: int, body: object, missing: bool) -> None:
    """Only a 404 or 405 without a known code means that the route is missing."""
    assert missing == is_missing_route(_decode(_READ, status, body))


@in_one_test(
    ("body", "message", "code"),
    [
        (error_body("c", "m"), "m", "c"),
        ({"error": "m"}, "m", None),
        ({"error": "m", "code": "c"}, "m", "c"),
        ({"message": "m", "code": 7}, "m", "7"),
        ({"detail": "m"}, "m", None),
        ({"error": {"code": "c"}}, "{'code': 'c'}", "c"),
        ({"error": ["m"]}, '["m"]', None),
        ({"errors": [{"msg": "m"}]}, '"m"', None),
        (["m"], '["m"]', None),
        (b"<h1>m</h1>", "<h1>m</h1>", None),
        (b"", "empty", None),
        (b"\xff\xfe\x00", "not an error of the API", None),
        (b"[" * 100_000, "not an error of the API", None),
    ],
    ids=range(13),
)
def test_an_error_body_of_any_shape_is_read(body: object, message: str, code: str | None) -> None:
    """The message includes the service's message for any form of the body."""
    error = _decode(_GET, 500, body)
    assert message.replace("'", '"') in str(error).replace("'", '"')
    assert code == error.code
    assert len(str(error)) < 1000


@in_one_test("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_its_target(status: int) -> None:
    """A redirect is not followed: the key must not be sent to another host."""
    error = _decode(_GET, status, b"moved", Location="https://elsewhere.invalid/x")
    assert InvalidResponseError is type(error)
    assert "https://elsewhere.invalid/x" in str(error)
    assert status == error.status


@in_one_test("status", [100, 199, 300, 304, 399])
def test_an_unexpected_status_is_an_invalid_response(status: int) -> None:
    """A status that is neither success, error nor redirect is an `InvalidResponseError`."""
    assert InvalidResponseError is type(_decode(_GET, status))


@in_one_test(
    ("request_", "status", "code", "maybe"),
    [
        (_POST, 400, "", False),
        (_POST, 408, "", True),
        (_POST, 408, "execution_timeout", True),
        (_POST, 429, "", False),
        (_POST, 500, "", True),
        (_POST, 503, "", False),
        (_POST, 507, "", True),
        (_GET, 500, "", False),
    ],
)
def test_whether_the_service_may_have_acted(request_: Request, status: int, code: str, maybe: bool) -> None:
    """A read changes nothing and an error response rules out execution; any other outcome is unknown."""
    assert maybe == _decode(request_, status, error_body(code)).maybe_executed


@in_one_test(
    "body",
    [b"", b"upstream reset", b'{"message": "busy"}', b'{"error": "busy"}', b'{"error": {"message": "busy"}}'],
)
def test_a_503_without_the_envelope_of_the_api_proves_nothing(body: bytes) -> None:
    """A gateway returns one if it loses the connection to a service that may be executing the request."""
    error = decode_error(_POST, BufferedResponse(503, Headers(), body))
    assert error.maybe_executed


def test_a_rate_limit_is_on_the_error() -> None:
    """The error has the limit and the time to wait."""
    error = _decode(_GET, 429, error_body("rate_limit_exceeded"), Retry_After="30", X_RateLimit_Limit="100")
    assert isinstance(error, RateLimitError)
    assert 30.0 == error.retry_after
    assert error.rate_limit is not None
    assert 100 == error.rate_limit.limit


@in_one_test(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("inf", float("inf")),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed Oct 21 07:28:00 2015", 0.0),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0.0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
    ],
)
def test_retry_after(value: str, expected: float | None) -> None:
    """Seconds or a date are accepted; a date in the past means 0, and an invalid value is ignored."""
    assert expected == retry_after(Headers({"Retry-After": value}))


def test_no_retry_after() -> None:
    """Without the header, `retry_after` is None."""
    assert retry_after(Headers()) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "details", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    body=st.binary() | _json.map(lambda value: json.dumps(value).encode()),
    status=st.integers(300, 999),
    after=st.text(st.characters(max_codepoint=255), max_size=40)
    | st.from_regex(r"\w{3}, \d+ Jan \d+ \d+:\d+:\d+ [-+]\d+", fullmatch=True),
)
@pytest.mark.parametrize("request_", [_GET, _POST, _READ], ids=["get", "post", "read"])
def test_any_error_body_is_decoded(request_: Request, body: bytes, status: int, after: str) -> None:
    """Any error response becomes a BuntimeError with a printable message."""
    error = _decode(request_, status, body, Retry_After=after)
    assert isinstance(error, BuntimeError)
    assert str(error)
    assert status == error.status


def test_details_are_as_decoded() -> None:
    """`details` may have any JSON type."""
    details: Any = {"limits": [{"name": "memory", "value": 1024}]}
    assert details == _decode(_GET, 507, error_body("memory_limit_exceeded", "m", details)).details
