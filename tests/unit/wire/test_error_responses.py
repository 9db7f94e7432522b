"""Error answers of any shape as the errors they are."""

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
from tests.support.responses import error_body

_GET = requests.session_info("ses_1")
_POST = requests.kill("ses_1", 7)
_CREATE = requests.create_session(None, None, None, "k")
_READ = requests.read_file("ses_1", "a.txt")
_OTHER = requests.custom("GET", "/usage", None, None)


def _refused(request: Request, status: int, body: object = b"", **headers: str) -> BuntimeError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_error(request, BufferedResponse(status, Headers(pairs), content))


@pytest.mark.parametrize(
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
    """An unknown code or status survives as the nearest parent, with the code kept."""
    error = _refused(_OTHER, status, error_body(code, "because", {"limit": 1}), X_Request_Id="req_1")
    assert getattr(buntime, kind) is type(error)
    assert (code, status, {"limit": 1}, "req_1") == (
        error.code,
        error.status,
        error.details,
        error.request_id,
    )
    assert "because" in str(error)


@pytest.mark.parametrize(
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
def test_what_was_not_found(request_: Request, body: object, kind: str) -> None:
    """A 404 in the API's envelope to a call that names a session is the session's, or the file's."""
    assert getattr(buntime, kind) is type(_refused(request_, 404, body))


@pytest.mark.parametrize("body", [None, b"", b"no JSON", b"[1]", b'"sessionId"'])
def test_a_call_that_names_no_session(body: bytes | None) -> None:
    """Whatever it carries, what was not found is not a session."""
    request = Request("POST", "/usage", body=body)
    assert buntime.NotFoundError is type(_refused(request, 404, error_body("not_found")))


def test_a_missing_file_is_a_builtin_error_too() -> None:
    """Code that reads files can catch what it always caught, and finds the path where it always was."""
    with pytest.raises(FileNotFoundError) as caught:
        raise _refused(_READ, 404, error_body("file_not_found"))
    assert "a.txt" == caught.value.filename
    assert isinstance(caught.value, SessionFileNotFoundError)


@pytest.mark.parametrize(
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
def test_whether_the_is_missing_route(status: int, body: object, missing: bool) -> None:
    """Only an unknown 404 or 405 speaks of the route and not of what it names."""
    assert missing == is_missing_route(_refused(_READ, status, body))


@pytest.mark.parametrize(
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
    """The message shows what the service said, in whatever form."""
    error = _refused(_GET, 500, body)
    assert message.replace("'", '"') in str(error).replace("'", '"')
    assert code == error.code
    assert len(str(error)) < 1000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_its_target(status: int) -> None:
    """It is not followed: the key is not for another host."""
    error = _refused(_GET, status, b"moved", Location="https://elsewhere.invalid/x")
    assert InvalidResponseError is type(error)
    assert "https://elsewhere.invalid/x" in str(error)
    assert status == error.status


@pytest.mark.parametrize("status", [100, 199, 300, 304, 399])
def test_a_status_that_is_no_answer(status: int) -> None:
    """Neither success nor refusal nor redirect is not the API's."""
    assert InvalidResponseError is type(_refused(_GET, status))


@pytest.mark.parametrize(
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
    """A read changes nothing; a refusal says that nothing was done; the rest is open."""
    assert maybe == _refused(request_, status, error_body(code)).maybe_executed


@pytest.mark.parametrize(
    "body",
    [b"", b"upstream reset", b'{"message": "busy"}', b'{"error": "busy"}', b'{"error": {"message": "busy"}}'],
)
def test_a_503_without_the_envelope_of_the_api_proves_nothing(body: bytes) -> None:
    """A gateway sends one when it lost its connection to a service that may be executing the request."""
    error = decode_error(_POST, BufferedResponse(503, Headers(), body))
    assert error.maybe_executed


def test_a_rate_limit_is_on_the_error() -> None:
    """It says what the limit is and when to come back."""
    error = _refused(_GET, 429, error_body("rate_limit_exceeded"), Retry_After="30", X_RateLimit_Limit="100")
    assert isinstance(error, RateLimitError)
    assert 30.0 == error.retry_after
    assert error.rate_limit is not None
    assert 100 == error.rate_limit.limit


@pytest.mark.parametrize(
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
    """Seconds or a date; what is past is now, and what says nothing is nothing."""
    assert expected == retry_after(Headers({"Retry-After": value}))


def test_no_retry_after() -> None:
    """Without the header there is none."""
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
def test_no_error_body_surprises(request_: Request, body: bytes, status: int, after: str) -> None:
    """Whatever a refusal holds, it becomes a BuntimeError that can be shown."""
    error = _refused(request_, status, body, Retry_After=after)
    assert isinstance(error, BuntimeError)
    assert str(error)
    assert status == error.status


def test_details_are_as_decoded() -> None:
    """They may be anything."""
    details: Any = {"limits": [{"name": "memory", "value": 1024}]}
    assert details == _refused(_GET, 507, error_body("memory_limit_exceeded", "m", details)).details
