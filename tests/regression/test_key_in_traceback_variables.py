"""Tracebacks with local variables showed the API key and the proxy password after a refused connection."""

from __future__ import annotations

import base64
import gc
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
import requests
from requests.adapters import HTTPAdapter

from buntime import APIConnectionError, Buntime
from buntime.transport import HTTPTransport
from tests.support import ports
from tests.support.certificates import tls_server
from tests.support.loopback import Exchange, Handler, LoopbackServer, drop, hold, reply, reset

KEY = "btk_0123456789abcdef"
PASSWORD = "hunter2hunter2"
SECRETS = [KEY, PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode()]


def _report_of(error: Optional[BaseException]) -> str:
    """Return the output of an error reporter that follows causes and contexts and shows local variables."""
    assert error is not None
    lines: list[str] = []
    pending: list[Optional[BaseException]] = [error]
    known: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in known:
            continue
        known.add(id(current))
        lines += [repr(current), repr(current.args)]
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if "tests" not in frame.f_code.co_filename:
                lines += [f"{name} = {value!r}" for name, value in frame.f_locals.items()]
        inner = [*current.args, *vars(current).values(), current.__cause__, current.__context__]
        pending += [item for item in inner if isinstance(item, BaseException)]
    return "\n".join(lines)


def _check(error: BaseException) -> None:
    text = _report_of(error)
    assert [] == [secret for secret in SECRETS if secret in text]


@pytest.fixture(params=["own session", "session of the user"])
def session(request: pytest.FixtureRequest) -> Iterator[Optional[requests.Session]]:
    """Test the transport's own session and a user's session."""
    if request.param == "own session":
        yield None
    else:
        with requests.Session() as session:
            yield session


def _fails(url: str, timeout: float = 20, **options: Any) -> APIConnectionError:
    client = Buntime(KEY, transport=HTTPTransport(url, **options), max_retries=0, timeout=timeout)
    with client, pytest.raises(APIConnectionError) as caught:
        client.sessions.info("ses_1")
    return caught.value


def test_refused_connection(session: Optional[requests.Session]) -> None:
    """The service or the proxy refuses the connection."""
    with ports.unused_port() as port:
        proxies = {"all": f"http://me:{PASSWORD}@127.0.0.1:{port}"}
        _check(_fails(f"http://127.0.0.1:{port}", session=session))
        _check(_fails("http://api.buntime.sh", session=session, proxies=proxies))
        _check(_fails("https://api.buntime.sh", session=session, proxies=proxies))


def _cut(exchange: Exchange) -> None:
    exchange.head(200, [("Content-Length", "10")])
    exchange.drop()


@pytest.mark.parametrize("handler", [drop, reset, hold, _cut])
def test_lost_connection(session: Optional[requests.Session], handler: Handler) -> None:
    """The connection is lost before the response and while it is read."""
    with LoopbackServer(handler) as server:
        _check(_fails(server.url, timeout=0.3 if handler is hold else 20, session=session))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_refused_tunnel(session: Optional[requests.Session]) -> None:
    """The proxy received the password, but the error does not contain it."""
    with LoopbackServer(reply(407)) as proxy:
        proxies = {"https": f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}"}
        _check(_fails("https://api.buntime.sh", session=session, proxies=proxies))
        gc.collect()  # http.client leaves closing the socket to the collector before Python 3.12
    assert "Proxy-Authorization" in proxy.requests[0].headers


def test_unknown_certificate(session: Optional[requests.Session], tmp_path: Path) -> None:
    """Nothing was sent, but the traceback has frames of TLS."""
    context, _ = tls_server(tmp_path)
    with LoopbackServer(tls=context) as server:
        _check(_fails(server.url, session=session))


def test_interrupt() -> None:
    """Ctrl-C while waiting for the service leaves frames of buntime only."""

    class Interrupted(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
            sent = bytes(str(request.headers["Authorization"]), "latin-1")
            assert sent
            raise KeyboardInterrupt

    with requests.Session() as session:
        session.mount("http://", Interrupted())
        client = Buntime(KEY, transport=HTTPTransport("http://127.0.0.1:9", session=session))
        with pytest.raises(KeyboardInterrupt) as caught:
            client.sessions.info("ses_1")
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert files[-1].endswith("buntime/transport/http/transport.py")
    assert not [file for file in files if "site-packages" in file]
    assert 1 == files.count(__file__)
    _check(caught.value)


def test_the_error_that_the_caller_handles_is_unchanged() -> None:
    """A call that fails in an ``except`` block leaves the traceback of the handled error intact."""

    def program() -> None:
        try:
            raise OSError("of the caller")
        except OSError:
            _fails("http://127.0.0.1:1")
            raise

    with pytest.raises(OSError, match="of the caller") as caught:
        program()
    assert "program" == caught.traceback[-1].name
