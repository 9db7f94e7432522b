"""The service as a WSGI application: requests and responses are passed on unchanged."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import attrs
import pytest

from buntime._http import Headers, Secret
from buntime.service.executors import Execution, Output
from buntime.service.requests import MAX_BODY
from buntime.service.server.access import AccessControl
from buntime.service.server.wsgi import application
from tests.support.cases import in_one_test
from tests.support.executors import Item, PlayedRuntime, outcome
from tests.support.wire_client import WireClient
from tests.unit.service.conftest import MakeWireClient


@attrs.define
class WSGIResult:
    """The result for a WSGI server: status line, headers, early writes, and the body."""

    status: str = ""
    headers: Headers = attrs.Factory(Headers)
    written: list[bytes] = attrs.Factory(list)
    body: Any = None

    def json(self) -> Any:
        """Return the body as JSON."""
        try:
            return json.loads(b"".join(self.body))
        finally:
            self.body.close()


def _environ(
    method: str, path: str, body: bytes = b"", *, query: str = "", length: int | None = None, **headers: str
) -> dict[str, Any]:
    """Return the WSGI environment of a request."""
    size = len(body) if length is None else length
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(size) if size else "",
        "wsgi.input": io.BytesIO(body),
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    setup_testing_defaults(environ)
    return environ


def _call(
    wire_client: WireClient,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    api_key: str | None = None,
    **options: Any,
) -> WSGIResult:
    """Call the application as a WSGI server does; the validator checks both sides."""
    result = WSGIResult()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        result.status, result.headers = status, Headers(headers)
        return result.written.append

    environ = _environ(method, path, body, **options)
    access = AccessControl(None if api_key is None else Secret(api_key))
    result.body = validator(application(wire_client.service.handle, access))(environ, start_response)
    return result


def _created(wire_client: WireClient, **headers: Any) -> str:
    return str(_call(wire_client, "POST", "/sessions/create", **headers).json()["sessionId"])


def _wsgi(text: str) -> str:
    """Return text in the form of a WSGI server: its UTF-8 decoded as Latin-1."""
    return text.encode().decode("latin-1")


def test_a_json_response_has_its_status_headers_and_body(wire_client: WireClient) -> None:
    """Nothing is lost or added."""
    session_id = wire_client.create(metadata={"name": "ö"})

    result = _call(wire_client, "GET", f"/sessions/{session_id}")

    assert "200 OK" == result.status
    assert "application/json" == result.headers["Content-Type"]
    body = b"".join(result.body)
    result.body.close()
    assert str(len(body)) == result.headers["Content-Length"]
    assert {"name": "ö"} == json.loads(body)["metadata"]


def test_an_empty_body_counts_as_missing(wire_client: WireClient) -> None:
    """A create without a body and without a Content-Length creates a session."""
    assert _created(wire_client) in wire_client.service.sessions


def test_a_body_is_read_to_its_length_only(wire_client: WireClient) -> None:
    """Further bytes on the connection belong to another request."""
    result = _call(wire_client, "POST", "/sessions/create", b'{"ttl": 400}next', length=12)

    created = result.json()
    assert 400 == wire_client.service.sessions[created["sessionId"]].ttl


def test_headers_reach_the_service(wire_client: WireClient) -> None:
    """With the names of the request: a repeated idempotency key returns the same session."""
    assert _created(wire_client, idempotency_key="k") == _created(wire_client, idempotency_key="k")
    assert 1 == len(wire_client.service.sessions)


def test_headers_of_an_error_are_sent(wire_client: WireClient) -> None:
    """The response to a wrong key names the scheme."""
    result = _call(wire_client, "GET", "/sessions/x", api_key="right", authorization="Bearer wrong")

    assert "unauthorized" == result.json()["error"]["code"]
    assert ("401 Unauthorized", "Bearer") == (result.status, result.headers["WWW-Authenticate"])


@in_one_test("session_id", ["ö", "a b", "a%b", "%2F", "a?b", "\0", "🙂"])
def test_a_path_of_any_characters_reaches_the_service(wire_client: WireClient, session_id: str) -> None:
    """It is unquoted once: the error has the session ID as the caller wrote it."""
    error = _call(wire_client, "GET", f"/sessions/{_wsgi(session_id)}").json()["error"]

    assert ("session_not_found", {"sessionId": session_id}) == (error["code"], error["details"])


def test_an_empty_path_is_the_root(wire_client: WireClient) -> None:
    """404 like any other unknown path."""
    assert {"path": "/"} == _call(wire_client, "GET", "").json()["error"]["details"]


@in_one_test("quoted", [True, False])
@in_one_test("path", ["data.csv", "a folder/ö & ü=1+1%.txt", "🙂"])
def test_a_query_of_any_characters_reaches_the_service(
    wire_client: WireClient, path: str, quoted: bool
) -> None:
    """Percent-encoded, or for other than ASCII in plain UTF-8."""
    session_id = wire_client.create()
    wire_client.post("/files/write", {"sessionId": session_id, "path": path, "content": "x"})
    sent = quote(path, safe="" if quoted else "öü🙂")

    result = _call(wire_client, "GET", "/files/read", query=f"sessionId={session_id}&path={_wsgi(sent)}")

    assert {"path": path, "content": "x", "size": 1} == result.json()


def test_a_plus_in_a_query_is_a_space(wire_client: WireClient) -> None:
    """This is how HTML forms and most HTTP libraries encode it."""
    session_id = wire_client.create()
    wire_client.post("/files/write", {"sessionId": session_id, "path": "a b", "content": "x"})

    assert (
        "x"
        == _call(wire_client, "GET", "/files/read", query=f"sessionId={session_id}&path=a+b").json()[
            "content"
        ]
    )


def test_an_empty_value_in_a_query_is_a_value(wire_client: WireClient) -> None:
    """``limit=`` is an error, and not a missing value."""
    result = _call(wire_client, "GET", "/files/list", query=f"sessionId={wire_client.create()}&limit=")

    assert "400 Bad Request" == result.status
    assert "limit" == result.json()["error"]["details"]["field"]


@pytest.mark.parametrize("path", ["%FF", "\xff"])
def test_a_query_that_is_not_utf_8_is_rejected(wire_client: WireClient, path: str) -> None:
    """The response is a 400 with the field."""
    result = _call(wire_client, "GET", "/files/read", query=f"sessionId={wire_client.create()}&path={path}")

    assert "400 Bad Request" == result.status
    assert "path" == result.json()["error"]["details"]["field"]


def test_an_oversized_body_is_rejected_unread(wire_client: WireClient) -> None:
    """The response is a 413, by the length alone."""
    result = _call(wire_client, "POST", "/execute", b"", length=MAX_BODY + 1)

    assert "413 " == result.status[:4]
    assert "request_too_large" == result.json()["error"]["code"]


def test_head_has_no_body(wire_client: WireClient) -> None:
    """A 405 with headers only; the client would read a body as the next response on the connection."""
    result = _call(wire_client, "HEAD", "/execute")

    assert [] == list(result.body)
    result.body.close()
    assert ("405 Method Not Allowed", "POST") == (result.status, result.headers["Allow"])


def _two_steps(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
    """Print hello, then end with a result."""
    yield Output("stdout", "hello")
    runtime.running.set()
    yield outcome("hello")


def _stream(wire_client: WireClient) -> tuple[str, WSGIResult]:
    session_id = wire_client.create()
    return session_id, _call(wire_client, "POST", "/execute", _streamed(session_id))


def _streamed(session_id: str) -> bytes:
    return json.dumps({"sessionId": session_id, "code": "x", "stream": True, "timeout": 300}).encode()


def test_headers_of_a_stream_are_sent_before_its_output(make_wire_client: MakeWireClient) -> None:
    """A caller then knows that the execution has started, even if it prints nothing."""
    wire_client = make_wire_client(_two_steps)
    session_id, result = _stream(wire_client)

    assert [b""] == result.written
    assert "text/event-stream" == result.headers["Content-Type"]
    assert not wire_client.runtime(session_id).running.is_set()
    result.body.close()


def test_events_are_passed_on_one_by_one(make_wire_client: MakeWireClient) -> None:
    """The first arrives while the execution continues."""
    wire_client = make_wire_client(_two_steps)
    session_id, result = _stream(wire_client)
    chunks = iter(result.body)

    assert b'event: stdout\ndata: {"text":"hello"}\n\n' == next(chunks)
    assert not wire_client.runtime(session_id).running.is_set()
    assert next(chunks).startswith(b"event: result\n")
    assert [] == list(chunks)
    result.body.close()


def test_an_abandoned_stream_is_closed(make_wire_client: MakeWireClient) -> None:
    """The session counts as active until then."""
    wire_client = make_wire_client(_two_steps)
    session_id, result = _stream(wire_client)
    next(iter(result.body))

    wire_client.clock.advance(200)
    result.body.close()
    wire_client.clock.advance(250)
    assert "active" == wire_client.get(f"/sessions/{session_id}").body["state"]
    wire_client.clock.advance(50)
    assert "idle" == wire_client.get(f"/sessions/{session_id}").body["state"]


def test_a_caller_that_disconnects_before_the_headers_closes_the_stream(
    make_wire_client: MakeWireClient,
) -> None:
    """As if it disconnected later."""
    wire_client = make_wire_client(_two_steps)
    session_id = wire_client.create()

    def gone(_data: bytes) -> None:
        wire_client.clock.advance(200)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        application(wire_client.service.handle)(
            _environ("POST", "/execute", _streamed(session_id)), lambda *_: gone
        )
    wire_client.clock.advance(250)
    assert "active" == wire_client.get(f"/sessions/{session_id}").body["state"]


@pytest.mark.parametrize(
    ("path", "key"),
    [("/health", "status"), ("/openapi.json", "openapi"), ("/runloop-openapi.json", "openapi")],
    ids=["health", "openapi", "runloop"],
)
def test_public_paths_need_no_key(wire_client: WireClient, path: str, key: str) -> None:
    """A load balancer and a generator of clients can read them; other methods are refused as usual."""
    assert key in _call(wire_client, "GET", path, api_key="key").json()
    head = _call(wire_client, "HEAD", path, api_key="key")
    assert ("200 OK", []) == (head.status, list(head.body))
    head.body.close()
    refused = _call(wire_client, "DELETE", path, api_key="key")
    refused.body.close()
    assert "401 Unauthorized" == refused.status
