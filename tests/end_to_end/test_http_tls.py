"""HTTPTransport over TLS: which certificates it trusts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from buntime.transport import HTTPTransport
from tests.support.certificates import tls_server
from tests.support.exchanges import PATIENT, connection_error
from tests.support.loopback import LoopbackServer, json_reply


@contextmanager
def _tls(tmp_path: Path) -> Iterator[tuple[LoopbackServer, str]]:
    context, bundle = tls_server(tmp_path)
    with LoopbackServer(json_reply({"ok": True}), tls=context) as server:
        yield server, bundle


def _respond(transport: HTTPTransport) -> bytes:
    with closing(transport):
        return transport.send(PATIENT).read()


def test_tls_is_verified(tmp_path: Path) -> None:
    """An untrusted certificate raises an error before anything is sent."""
    with _tls(tmp_path) as (server, _), closing(HTTPTransport(server.url)) as transport:
        error = connection_error(transport)

    assert ("connect", False, 0) == (error.phase, error.maybe_executed, len(server.requests))
    assert "certificate verification failed" in error.message


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_bundle_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The CA bundle from the environment is used, unless the session ignores the environment."""
    with _tls(tmp_path) as (server, bundle), requests.Session() as session:
        monkeypatch.setenv(name, bundle)
        assert b'{"ok": true}' == _respond(HTTPTransport(server.url))

        session.trust_env = False
        assert "connect" == connection_error(HTTPTransport(server.url, session=session)).phase


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("choose", [lambda bundle: False, str, Path])
def test_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choose: Any) -> None:
    """verify= overrides the environment: the path of a bundle, or False."""
    other = tmp_path / "other"
    other.mkdir()
    with _tls(tmp_path) as (server, bundle):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls_server(other)[1])
        assert b'{"ok": true}' == _respond(HTTPTransport(server.url, verify=choose(bundle)))


def test_verify_of_a_session(tmp_path: Path) -> None:
    """A session's verify is used if the argument is not set."""
    with _tls(tmp_path) as (server, bundle), requests.Session() as session:
        session.verify = bundle
        assert b'{"ok": true}' == _respond(HTTPTransport(server.url, session=session))
