"""HTTPTransport without a socket: its arguments for requests, and the conversion of responses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest
import requests
import requests_mock
import responses

from buntime import __version__
from buntime._http import Secret
from buntime.errors import APIConnectionError, APITimeoutError, ConfigurationError
from buntime.transport import HTTPTransport, Request
from tests.support.loopback import LoopbackServer, json_reply

URL = "https://api.buntime.sh"
GET = Request("GET", "/sessions/ses_1", connect_timeout=5, read_timeout=5)
KEY = "btk_0123456789abcdef"


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """Respond in place of the API."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{URL}/sessions/ses_1", json={"sessionId": "ses_1"})
        mock.post(f"{URL}/execute", json={})
        yield mock


def sent(web: responses.RequestsMock, request: Request = GET, **options: Any) -> requests.PreparedRequest:
    """Send through a transport with these options; return the prepared request."""
    with closing(HTTPTransport(URL, **options)) as transport:
        transport.send(request).read()
    prepared: requests.PreparedRequest = web.calls[-1].request
    return prepared


def test_response(web: responses.RequestsMock) -> None:
    """It has the status, headers and body of the HTTP response, for any status."""
    web.get(f"{URL}/teapot", status=418, body=b"short", headers={"X-Stout": "yes"})

    with closing(HTTPTransport(URL)) as transport:
        response = transport.send(Request("GET", "/teapot"))

        assert (response.status, response.headers["x-stout"], response.read()) == (418, "yes", b"short")


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        (URL, f"{URL}/a"),
        (f"{URL}/", f"{URL}/a"),
        (f"{URL}/v1", f"{URL}/v1/a"),
        (f"{URL}/v1/", f"{URL}/v1/a"),
        ("https://bücher.invalid", "https://xn--bcher-kva.invalid/a"),
    ],
)
def test_base_url(web: responses.RequestsMock, base_url: str, expected: str) -> None:
    """A path of the base URL precedes the request's, with one slash between them."""
    web.get(expected, json={})

    with closing(HTTPTransport(base_url)) as transport:
        transport.send(Request("GET", "/a")).read()

    assert expected == web.calls[-1].request.url


def test_url_of_a_request(web: responses.RequestsMock) -> None:
    """Path and query are encoded once, in the original order."""
    web.get(f"{URL}/files/a b%2Fc", json={})
    request = Request("GET", "/files/a b%2Fc", query=(("b", "x&y z"), ("a", "ü"), ("b", "2")))

    assert f"{URL}/files/a%20b%2Fc?b=x%26y%20z&a=%C3%BC&b=2" == sent(web, request).url


@pytest.mark.parametrize("path", ["@other.invalid/x", "x", ""])
def test_path_cannot_change_the_host(path: str) -> None:
    """A path without its slash would be part of the host name, so it is rejected."""
    with closing(HTTPTransport(URL)) as transport, pytest.raises(ValueError, match="starts with /"):
        transport.send(Request("GET", path))


def test_headers_of_a_request(web: responses.RequestsMock) -> None:
    """The transport adds only User-Agent and Accept-Encoding."""
    headers = dict(sent(web).headers)

    assert {"User-Agent": f"buntime-python/{__version__}", "Accept-Encoding": "gzip, deflate"} == headers


def test_headers_of_the_request_take_precedence(web: responses.RequestsMock) -> None:
    """They are sent unchanged, and match by name in any case; a repeated header is joined."""
    named = (("user-agent", "mine"), ("ACCEPT-ENCODING", "br"), ("X-A", "1"), ("x-a", "2"))

    headers = sent(web, Request("GET", "/sessions/ses_1", headers=named)).headers

    assert dict(headers.lower_items()) == {"user-agent": "mine", "accept-encoding": "br", "x-a": "1, 2"}


def test_event_stream_is_requested_uncompressed(web: responses.RequestsMock) -> None:
    """A compressing proxy would delay events, so a stream accepts no compression."""
    request = Request("POST", "/execute", headers=(("Accept", "text/event-stream"),), body=b"{}")

    assert sent(web, request).headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_body(web: responses.RequestsMock, body: bytes) -> None:
    """A body is sent unchanged, with its length."""
    prepared = sent(web, Request("POST", "/execute", body=body))

    assert (body, str(len(body))) == (prepared.body, prepared.headers["Content-Length"])


@pytest.mark.parametrize(("name", "value"), [("X-A", f"{KEY}\r\nX-B: 1"), ("X-A", f"{KEY} €"), ("X A", KEY)])
def test_invalid_header(web: responses.RequestsMock, name: str, value: str) -> None:
    """It is rejected before sending, with an error that has the name of the header and not its value."""
    with closing(HTTPTransport(URL)) as transport, pytest.raises(ConfigurationError) as caught:
        transport.send(Request("GET", "/sessions/ses_1", headers=((name, value),)))

    assert repr(name) in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(web.calls) == 0


def test_key_is_in_no_repr(web: responses.RequestsMock, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the transport, nor the prepared request, nor a log line shows the key or a proxy's password."""
    caplog.set_level(logging.DEBUG)
    request = Request("GET", "/sessions/ses_1", headers=(("Authorization", Secret(f"Bearer {KEY}")),))
    session = requests.Session()
    session.headers["X-Api-Key"] = KEY
    proxies = {"https": "http://me:hunter2@127.0.0.1:9"}

    with closing(session), closing(HTTPTransport(URL, session=session, proxies=proxies)) as transport:
        transport.send(request).read()
        prepared = web.calls[-1].request

        assert f"Bearer {KEY}" == prepared.headers["Authorization"]
        output = f"{transport!r} {vars(transport)!r} {vars(prepared)!r} {caplog.text}"
    assert KEY not in output
    assert "hunter2" not in output


def test_session_of_the_caller(web: responses.RequestsMock) -> None:
    """Its headers and cookies are sent if the request has none of them; its auth and params are not."""
    web.post(f"{URL}/login", headers={"Set-Cookie": "crumb=1"})
    with requests.Session() as session:
        session.headers.update({"X-Team": "blue", "Authorization": "Basic theirs"})
        session.auth = ("user", "password")
        session.params = {"extra": "1"}
        session.cookies.set("jar", "2")
        request = Request("GET", "/sessions/ses_1", headers=(("Authorization", f"Bearer {KEY}"),))

        prepared = sent(web, request, session=session)

    assert f"{URL}/sessions/ses_1" == prepared.url
    assert {
        "authorization": f"Bearer {KEY}",
        "x-team": "blue",
        "cookie": "jar=2",
        "user-agent": f"buntime-python/{__version__}",
        "accept-encoding": "gzip, deflate",
    } == dict(prepared.headers.lower_items())


def test_headers_of_a_session_that_are_not_strings(web: responses.RequestsMock) -> None:
    """A header that is None is omitted and one that is bytes is decoded, as requests does."""
    with requests.Session() as session:
        session.headers.update({"X-None": None, "X-Bytes": b"1", "User-Agent": "theirs"})  # type: ignore[dict-item]  # requests takes None

        headers = sent(web, session=session).headers

    assert (headers["X-Bytes"], headers["User-Agent"], "X-None" in headers) == ("1", "theirs", False)


@pytest.mark.parametrize("wrap", [lambda hook: hook, lambda hook: [hook]])
def test_hooks_of_a_session(web: responses.RequestsMock, wrap: Callable[[Any], Any]) -> None:
    """Its response hooks run, whether one or a list."""
    statuses: list[int] = []
    with requests.Session() as session:
        session.hooks["response"] = wrap(lambda response, **_: statuses.append(response.status_code))

        sent(web, session=session)

    assert statuses == [200]


def test_netrc_is_not_read(
    web: responses.RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A netrc entry for the host, which requests would prefer to our key, has no effect."""
    (tmp_path / "netrc").write_text("machine api.buntime.sh login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    assert "Authorization" not in sent(web).headers


@pytest.mark.parametrize(
    ("raised", "kind", "phase"),
    [
        (requests.ConnectTimeout("slow"), APITimeoutError, "connect"),
        (requests.ReadTimeout("slow"), APITimeoutError, "read"),
        (requests.ConnectionError("gone"), APIConnectionError, "read"),
        (requests.exceptions.InvalidSchema("no socks"), APIConnectionError, "connect"),
        (OSError("odd"), APIConnectionError, "read"),
    ],
)
def test_errors_of_requests(
    web: responses.RequestsMock, raised: Exception, kind: type[APIConnectionError], phase: str
) -> None:
    """They become buntime's, with the original as cause; "connect" only if the request was never sent."""
    web.get(f"{URL}/broken", body=raised)

    with closing(HTTPTransport(URL)) as transport, pytest.raises(APIConnectionError) as caught:
        transport.send(Request("GET", "/broken", connect_timeout=3, read_timeout=4))

    assert kind is type(caught.value)
    assert (phase, phase != "connect") == (caught.value.phase, caught.value.maybe_executed)
    assert raised is caught.value.__cause__
    assert "api.buntime.sh:443" in caught.value.message
    assert not caught.value.message.endswith(".")


@pytest.mark.parametrize("timeouts", [(0, 5), (5, 0), (-1.0, None)])
def test_no_time_left(web: responses.RequestsMock, timeouts: tuple[float, Any]) -> None:
    """A timeout of zero is exceeded before the request is sent."""
    request = Request("GET", "/sessions/ses_1", connect_timeout=timeouts[0], read_timeout=timeouts[1])

    with closing(HTTPTransport(URL)) as transport, pytest.raises(APITimeoutError) as caught:
        transport.send(request)

    assert (caught.value.phase, len(web.calls)) == ("connect", 0)


def test_redirect_is_a_response(web: responses.RequestsMock) -> None:
    """A 3xx is returned unchanged, even if its Location is not a URL."""
    web.get(f"{URL}/old", status=302, body=b"moved", headers={"Location": "http://[broken"})

    with closing(HTTPTransport(URL)) as transport:
        response = transport.send(Request("GET", "/old"))

    assert (
        response.status,
        response.headers["Location"],
        response.read(),
    ) == (302, "http://[broken", b"moved")
    assert len(web.calls) == 1


def test_requests_mock_intercepts() -> None:
    """Users' tests that use requests-mock keep working."""
    with requests_mock.Mocker() as mock, closing(HTTPTransport(URL)) as transport:
        mock.post(f"{URL}/execute", json={"stdout": "2\n"}, headers={"X-A": "1"})

        response = transport.send(Request("POST", "/execute", body=b"{}"))

        assert (
            response.status,
            response.headers["x-a"],
            response.read(),
        ) == (200, "1", b'{"stdout": "2\\n"}')
        assert mock.last_request.body == b"{}"


def test_a_patched_session_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request reaches the network if the adapter of every session is replaced."""
    adapter = requests_mock.Adapter()
    adapter.register_uri("POST", f"{URL}/execute", text="mocked")
    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: adapter)

    with closing(HTTPTransport(URL)) as transport:
        assert transport.send(Request("POST", "/execute", body=b"{}")).read() == b"mocked"


def test_vcrpy_intercepts(tmp_path: Path) -> None:
    """Users' tests that use vcrpy keep working: recorded responses are replayed without a server."""
    import vcr  # type: ignore[import-untyped]  # vcrpy ships no types

    cassette = str(tmp_path / "cassette.yaml")
    request = Request("POST", "/execute", body=b"{}", connect_timeout=5, read_timeout=5)

    def fetch(url: str) -> tuple[int, bytes]:
        with vcr.use_cassette(cassette, record_mode="once"), closing(HTTPTransport(url)) as transport:
            response = transport.send(request)
            return response.status, response.read()

    with LoopbackServer(json_reply({"stdout": "2\n"})) as server:
        recorded = fetch(server.url)

    assert recorded == fetch(server.url) == (200, b'{"stdout": "2\\n"}')
    assert len(server.requests) == 1
