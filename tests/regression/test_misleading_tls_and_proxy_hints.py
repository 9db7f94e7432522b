"""Errors for a private certificate authority or a proxy that requires a password had the wrong hint."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from buntime import APIStatusError, Buntime
from buntime.transport import HTTPTransport
from tests.support.certificates import tls_server
from tests.support.exchanges import PATIENT, connection_error
from tests.support.loopback import LoopbackServer, json_reply, reply


def test_an_unknown_authority(tmp_path: Path) -> None:
    """The hint names the variable and the argument that accept CA certificates."""
    context, _ = tls_server(tmp_path)
    with LoopbackServer(tls=context) as server, closing(HTTPTransport(server.url)) as transport:
        error = connection_error(transport)
    assert "REQUESTS_CA_BUNDLE" in error.hint
    assert "verify=" in error.hint
    assert "certificate verification failed" in error.message


def test_the_openssl_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE is used if no variable of requests is set, and ignored if the file does not exist."""
    context, bundle = tls_server(tmp_path)
    with LoopbackServer(json_reply({"ok": True}), tls=context) as server:
        monkeypatch.setenv("SSL_CERT_FILE", bundle)
        with closing(HTTPTransport(server.url)) as transport:
            assert b'{"ok": true}' == transport.send(PATIENT).read()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "no-cert-file.crt"))
        with closing(HTTPTransport(server.url)) as transport:
            assert "REQUESTS_CA_BUNDLE" in connection_error(transport).hint


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tunnelling_proxy_requires_a_password() -> None:
    """The hint shows how to pass user name and password."""
    with LoopbackServer(reply(407)) as proxy:
        transport = HTTPTransport("https://api.buntime.sh", proxies={"https": proxy.url})
        with closing(transport):
            error = connection_error(transport)
    assert "user name and password" in error.hint
    assert "http://USER:PASSWORD@HOST" in error.hint


def test_a_forwarding_proxy_requires_a_password() -> None:
    """Without a tunnel, the proxy's error is the response."""
    with LoopbackServer(reply(407)) as proxy:
        transport = HTTPTransport("http://api.buntime.sh", proxies={"http": proxy.url})
        with Buntime(transport=transport, max_retries=0) as client, pytest.raises(APIStatusError) as caught:
            client.sessions.info("ses_1")
    assert "user name and password" in caught.value.hint
