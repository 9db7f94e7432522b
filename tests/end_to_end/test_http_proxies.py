"""HTTPTransport with a proxy from the environment, a session or an argument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests

from buntime.transport import HTTPTransport
from tests.support import ports
from tests.support.exchanges import PATIENT, connection_error, serving
from tests.support.loopback import LoopbackServer, drop, json_reply, reply
from tests.support.proxies import ForwardingProxy

# http.client leaves the socket of a refused tunnel to the garbage collector before Python 3.12.
_OLD_HTTP_CLIENT = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Reserve a port without a listener."""
    with ports.unused_port() as port:
        yield port


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is read when the transport is created."""
    with LoopbackServer(json_reply({"ok": True})) as server, ForwardingProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with closing(HTTPTransport(server.url)) as transport:
            monkeypatch.delenv("HTTP_PROXY")
            assert b'{"ok": true}' == transport.send(PATIENT).read()

        assert [f"{server.url}/execute"] == [received.target for received in proxy.requests]
        assert [b"{}"] == [received.body for received in server.requests]


@pytest.mark.parametrize("exception", ["NO_PROXY", "proxies", "trust_env", "session"])
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, unused_port: int, exception: str) -> None:
    """NO_PROXY, proxies={}, a session's trust_env and a session's proxies override HTTP_PROXY."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    with LoopbackServer() as server, ForwardingProxy() as proxy, requests.Session() as session:
        options: dict[str, Any] = {}
        if exception == "NO_PROXY":
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        elif exception == "proxies":
            options = {"proxies": {}}
        else:
            options = {"session": session}
            session.trust_env = exception != "trust_env"
            session.proxies = {"http": proxy.url} if exception == "session" else {}
        with closing(HTTPTransport(server.url, **options)) as transport:
            assert 200 == transport.send(PATIENT).status

    assert (exception == "session") == (len(proxy.requests) == 1)


def test_proxy_of_the_argument(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    """proxies= overrides the environment; its password is sent to the proxy only."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    with LoopbackServer() as server, ForwardingProxy() as proxy:
        proxies = {"http": f"http://me:hunter2@127.0.0.1:{proxy.port}"}
        with closing(HTTPTransport(server.url, proxies=proxies)) as transport:
            assert b"{}" == transport.send(PATIENT).read()

    assert "Proxy-Authorization" in proxy.requests[0].headers
    assert "Proxy-Authorization" not in server.requests[0].headers


def test_refused_by_the_proxy(unused_port: int) -> None:
    """The error of an unreachable proxy shows its address without the password, and nothing was sent."""
    proxies = {"http": f"http://me:hunter2@127.0.0.1:{unused_port}"}

    with serving(proxies=proxies) as (server, transport):
        error = connection_error(transport)

    assert ("connect", False) == (error.phase, error.maybe_executed)
    assert (
        f"could not connect to 127.0.0.1:{server.port} through the proxy 127.0.0.1:{unused_port} "
        "(Connection refused)"
    ) == error.message


@_OLD_HTTP_CLIENT
def test_tunnel_refused_by_the_proxy() -> None:
    """A proxy that refuses a tunnel has forwarded nothing of the request."""
    with LoopbackServer(reply(407)) as proxy:
        transport = HTTPTransport("https://api.buntime.sh", proxies={"https": proxy.url})
        with closing(transport):
            error = connection_error(transport)

    assert ("connect", False) == (error.phase, error.maybe_executed)
    assert "Tunnel connection failed: 407" in error.message
    assert "CONNECT" == proxy.requests[0].method


def test_dropped_behind_the_proxy() -> None:
    """A request whose proxy connection is lost afterwards may have executed."""
    with LoopbackServer(drop) as proxy:
        transport = HTTPTransport("http://api.buntime.sh", proxies={"http": proxy.url})
        with closing(transport):
            error = connection_error(transport)

    assert ("read", True) == (error.phase, error.maybe_executed)
