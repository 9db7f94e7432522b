"""Starting and ending ``buntime serve``: invalid options, signals, clean-up."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from buntime.service.clock import SystemClock
from buntime.service.server.serve import ServeError, serve
from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.transport import FakeTransport, LocalTransport, Transport
from tests.support.cases import in_one_test
from tests.support.executors import PlayedExecutor, ServiceTransport, until_closed


class _Closing(LocalTransport):
    """Counts how often it is closed."""

    closed = 0

    def __init__(self) -> None:
        super().__init__(isolation="none")

    def close(self) -> None:
        """Count."""
        self.closed += 1
        super().close()


def _serve(transport: Transport | None = None, **options: Any) -> list[str]:
    """Serve until the server is ready, and return its URLs."""
    urls: list[str] = []

    def ready(url: str) -> None:
        urls.append(url)
        os.kill(os.getpid(), signal.SIGTERM)

    defaults = {"host": "127.0.0.1", "port": 0, "api_key": None, "threads": 1, "ready": ready}
    serve(transport or FakeTransport(), **{**defaults, **options})
    return urls


@in_one_test("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid", ""])
def test_a_public_address_needs_a_key(host: str) -> None:
    """The message names both alternatives."""
    with pytest.raises(ServeError, match=r"other machines; give an --api-key, or serve on 127\.0\.0\.1"):
        _serve(host=host)


def test_a_public_address_is_served_with_a_key() -> None:
    """The server listens on that address."""
    assert _serve(host="0.0.0.0", api_key="btk_key")[0].startswith("http://0.0.0.0:")


@pytest.mark.parametrize("threads", [0, -1])
def test_at_least_one_thread_is_required(threads: int) -> None:
    """Without a thread, no request would get a response."""
    with pytest.raises(ServeError, match=f"--threads is {threads}; it must be at least 1"):
        _serve(threads=threads)


@pytest.mark.parametrize("port", [-1, 65536, 10**20])
def test_an_invalid_port_is_rejected(port: int) -> None:
    """The message names it."""
    with pytest.raises(ServeError, match=f"--port is {port}; it must be from 0 to 65535"):
        _serve(port=port)


def test_a_used_port_is_rejected() -> None:
    """The attempt leaves no thread and no folder."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port}: .*in use"):
            _serve(port=port)


def test_an_unknown_host_is_rejected() -> None:
    """The message names it."""
    with pytest.raises(ServeError, match=r"cannot listen on nowhere\.invalid, port 0: "):
        _serve(host="nowhere.invalid", api_key="btk_key")


def test_port_0_selects_a_free_one() -> None:
    """The URL has it."""
    (url,) = _serve()
    host, _, port = url.rpartition(":")
    assert "http://127.0.0.1" == host
    assert int(port) > 0


def test_localhost_is_served() -> None:
    """However many addresses it has."""
    assert _serve(host="localhost")[0].startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_ipv6_address_is_in_brackets() -> None:
    """As required in URLs."""
    try:
        (url,) = _serve(host="::1")
    except ServeError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    assert url.startswith("http://[::1]:")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly(number: int, temporary_folder: Path) -> None:
    """Sessions and their folders are gone, the transport is closed, and the signal handlers are restored."""
    transport = _Closing()
    before = {item: signal.getsignal(item) for item in (signal.SIGINT, signal.SIGTERM)}
    new: list[str] = []

    with ThreadPoolExecutor(1) as thread:

        def ready(url: str) -> None:
            def use() -> None:
                with urllib.request.urlopen(
                    urllib.request.Request(f"{url}/sessions/create", method="POST")
                ) as response:
                    session_id = json.load(response)["sessionId"]
                new.extend(str(item) for item in temporary_folder.glob(f"buntime-*/{session_id}"))
                os.kill(os.getpid(), number)

            thread.submit(use)

        _serve(transport, ready=ready)

    assert 1 == len(new)
    assert [] == list(temporary_folder.glob("buntime-*"))
    assert transport.closed
    assert before == {item: signal.getsignal(item) for item in (signal.SIGINT, signal.SIGTERM)}


def test_a_second_signal_does_not_interrupt_the_clean_up(temporary_folder: Path) -> None:
    """A second Ctrl-C leaves as little behind as one."""

    class Interrupted(_Closing):
        def close(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            super().close()

    transport = Interrupted()
    _serve(transport)
    assert transport.closed
    assert [] == list(temporary_folder.glob("buntime-*"))


class _Signalling(logging.Handler):
    """Once armed, sends a signal while any other code logs a record."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False
        self.sent = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send the signal."""
        if self.armed:
            self.sent += 1
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def signalling() -> Iterator[_Signalling]:
    """Handle the server's log record about a request that waits for a thread."""
    logger, handler = logging.getLogger("waitress.queue"), _Signalling()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_signal_at_a_bad_moment_ends_the_server_too(signalling: _Signalling) -> None:
    """One is enough; and the running execution ends."""
    executor = PlayedExecutor(until_closed)
    ended = threading.Event()

    def use(url: str) -> int:
        address = url.rpartition("/")[2]
        with ExitStack() as stack:
            first, second = (stack.enter_context(closing(HTTPConnection(address))) for _ in range(2))
            first.request("POST", "/sessions/create")
            created = json.load(first.getresponse())["sessionId"]
            body = json.dumps({"sessionId": created, "code": "1"})
            first.request("POST", "/execute", body, {"Content-Type": "application/json"})
            assert executor.runtimes[created].running.wait(60)
            signalling.armed = True
            second.request("POST", "/execute", body, {"Content-Type": "application/json"})
            status = first.getresponse().status
            if not ended.wait(60):
                os.kill(os.getpid(), signal.SIGTERM)
                pytest.fail("the server went on")
            return status

    with ThreadPoolExecutor(1) as thread:
        calls: list[Future[int]] = []
        service = Service(executor, lambda _: MemoryWorkspace(SystemClock()))
        _serve(ServiceTransport(service), ready=lambda url: calls.append(thread.submit(use, url)))
        ended.set()
        assert [200] == [call.result() for call in calls]
    assert 1 == signalling.sent
