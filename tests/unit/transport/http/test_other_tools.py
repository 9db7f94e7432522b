"""HTTPTransport with tools that replace requests, record it, or cache its responses."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import Any, Callable

import pytest
import requests

from buntime.transport import HTTPTransport
from tests.support.exchanges import PATIENT
from tests.support.loopback import LoopbackServer, json_reply


def test_connections_after_vcrpy() -> None:
    """A transport created or first used in a cassette connects normally afterwards."""
    import vcr  # type: ignore[import-untyped]  # vcrpy ships no types
    from vcr.errors import (  # type: ignore[import-untyped]  # as above
        CannotOverwriteExistingCassetteException,
    )

    with LoopbackServer() as server:
        with vcr.use_cassette(record_mode="none", path="/nonexistent/cassette.yaml"):
            transport = HTTPTransport(server.url)
            with pytest.raises(CannotOverwriteExistingCassetteException):
                transport.send(PATIENT)
        with closing(transport):
            assert b"{}" == transport.send(PATIENT).read()


_IMPORTED_IN_A_CASSETTE = """
import sys, vcr
with vcr.use_cassette(record_mode="none", path="/nonexistent/cassette.yaml"):
    from buntime.transport import HTTPTransport, Request
    transport = HTTPTransport(sys.argv[1])
print(transport.send(Request("GET", "/", connect_timeout=20, read_timeout=20)).read())
pool = transport._session.get_adapter(sys.argv[1]).poolmanager.connection_from_url(sys.argv[1])
print(any("vcr" in base.__module__ for base in pool.ConnectionCls.__mro__))
transport.close()
"""


def test_import_in_a_cassette_of_vcrpy() -> None:
    """The replaced classes of vcrpy are not stored."""
    with LoopbackServer() as server:
        command = [sys.executable, "-c", _IMPORTED_IN_A_CASSETTE, server.url]
        completed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ("b'{}'\nFalse\n", "") == (completed.stdout, completed.stderr)


@pytest.mark.parametrize("read", [lambda response: response.content, lambda response: response.text])
def test_hook_that_reads_the_response(read: Callable[[requests.Response], object]) -> None:
    """The body that the hook read is delivered all the same."""
    with LoopbackServer(json_reply({"ok": True})) as server, requests.Session() as session:
        hooks: Any = session.hooks
        hooks["response"] = lambda response, **_: (read(response), None)[1]
        with closing(HTTPTransport(server.url, session=session)) as transport:
            for _ in range(2):
                assert b'{"ok": true}' == transport.send(PATIENT).read()
    assert 1 == server.connections


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its dependencies
def test_requests_cache_responds() -> None:
    """A session of requests-cache serves the second request itself."""
    requests_cache = pytest.importorskip("requests_cache")
    with LoopbackServer(json_reply({"ok": True})) as server:
        session = requests_cache.CachedSession(backend="memory", allowable_methods=["GET", "POST"])
        with session, closing(HTTPTransport(server.url, session=session)) as transport:
            for _ in range(3):
                assert b'{"ok": true}' == transport.send(PATIENT).read()
    assert 1 == len(server.requests)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its dependencies
def test_installed_requests_cache() -> None:
    """This one replaces the class of every session."""
    requests_cache = pytest.importorskip("requests_cache")
    with (
        LoopbackServer(json_reply({"ok": True})) as server,
        requests_cache.enabled(backend="memory", allowable_methods=["GET", "POST"]),
        closing(HTTPTransport(server.url)) as transport,
    ):
        for _ in range(3):
            assert b'{"ok": true}' == transport.send(PATIENT).read()
    assert 1 == len(server.requests)
