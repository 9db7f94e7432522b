"""Previews of servers in local sandboxes, and the processes behind them."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from buntime import Buntime, Session
from buntime.service.machine.executor import BunExecutor
from buntime.service.machine.find import find_bun
from buntime.service.sessions.app import Service
from buntime.service.workspace.disk import DiskWorkspace
from buntime.transport import FunctionTransport, LocalTransport
from tests.support import previews
from tests.support.clocks import ManualClock
from tests.support.threads import started_since

SERVES = """
Bun.serve({ port: 8080, fetch: (request) => new Response(new URL(request.url).pathname) });
console.log("up");
"""
SERVES_LATER = "await Bun.sleep(300);" + SERVES
# node:net is unsuitable: its servers in Bun 1.3 close a connection entirely when the client ends its half.


def _bun_version() -> tuple[int, ...]:
    argv = [find_bun(None, os.environ), "--version"]
    return tuple(
        map(int, subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split(".")[:2])
    )


with_half_open = pytest.mark.skipif(
    _bun_version() < (1, 4), reason="servers of Bun before 1.4 report the end of a half endlessly"
)
SAYS_BACK = """
const send = (socket) => {
  while (socket.data.length) {
    const piece = socket.data.shift();
    const count = Math.max(0, socket.write(piece));
    if (count < piece.length) return socket.data.unshift(piece.subarray(count));
  }
  socket.end();
};
Bun.listen({
  hostname: "127.0.0.1",
  port: 8080,
  allowHalfOpen: true,
  socket: {
    open: (socket) => (socket.data = [Buffer.from("all of: ")]),
    data: (socket, bytes) => socket.data.push(bytes),
    end: (socket) => ((socket.data.over = true), send(socket)),
    drain: (socket) => socket.data.over && send(socket),
    close: () => console.log("closed"),
  },
});
console.log("up");
"""
REPORTS_CLOSED_CONNECTIONS = """
const socket = { data() {}, close: () => console.log("closed") };
Bun.listen({ hostname: "127.0.0.1", port: 8080, socket });
console.log("up");
"""
ENDS = "setTimeout(process.exit, 60_000, 1);"
FOREVER = "setInterval(() => {}, 1000);"
IMPOSTOR = """
const path = "/workspace/.buntime/preview";
require("node:fs").rmSync(path);
require("node:net").createServer((socket) => socket.end("an impostor")).listen(path, () => console.log("up"));
"""


@pytest.fixture
def client() -> Iterator[Buntime]:
    """Return a client of sandboxes."""
    with Buntime(transport=LocalTransport(isolation="required"), max_retries=0) as client:
        yield client


@pytest.fixture
def session(client: Buntime) -> Iterator[Session]:
    """Return a new session."""
    with client.sessions.create() as session:
        yield session


def url_of(session: Session) -> str:
    """Return the preview URL of a session."""
    assert session.preview_url is not None
    return session.preview_url


def test_nothing_listens_without_a_server(session: Session) -> None:
    """Without a server, no thread is started, and the port refuses connections."""
    before = threading.enumerate()
    session.execute(command="sleep 0.3; true", check=True)
    assert [] == started_since(before)
    with pytest.raises(ConnectionRefusedError):
        previews.connect(url_of(session))


def test_a_server_in_a_running_execution_is_reachable(session: Session) -> None:
    """A server is reachable at the latest when the output of its execution announces it."""
    with session.stream(SERVES, timeout=20) as stream:
        assert "up\n" == next(stream).text
        assert b"/a" == previews.get(url_of(session) + "/a")
        session.kill_all()


def test_a_server_in_an_unstreamed_execution_is_reachable(session: Session) -> None:
    """A server in an execution of another thread is reachable without any other call."""
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(session.execute, SERVES, timeout=20)
        get_with_retries(url_of(session))
        assert b"/a" == previews.get(url_of(session) + "/a")
        session.kill_all()
        assert "up\n" == running.result().stdout


def test_a_server_that_starts_later_is_reachable(session: Session) -> None:
    """A server is reachable without a call after the one that started it."""
    session.start(SERVES_LATER)
    get_with_retries(url_of(session))
    assert b"/a" == previews.get(url_of(session) + "/a")


def get_with_retries(url: str) -> None:
    """Connect repeatedly until a response arrives."""
    end = time.monotonic() + previews.TIMEOUT
    while previews.is_closed(url):
        assert time.monotonic() < end


def test_a_background_server_of_a_command_is_reachable(session: Session) -> None:
    """A preview does not need a Process."""
    session.files.write("server.ts", SERVES)
    session.execute(command="bun run server.ts >/dev/null 2>&1 &", check=True)
    session.wait_for_port(8080)
    assert b"/a" == previews.get(url_of(session) + "/a")


def test_many_concurrent_connections(session: Session) -> None:
    """Each connection receives its own response."""
    session.start(SERVES)
    session.wait_for_port(8080)
    with ThreadPoolExecutor(16) as threads:
        replies = list(threads.map(lambda n: previews.get(f"{url_of(session)}/{n}"), range(100)))
    assert [f"/{number}".encode() for number in range(100)] == replies


@with_half_open
@pytest.mark.parametrize("sent", [b"this", b"0123456789abcdef" * 500_000], ids=["short", "long"])
def test_the_end_of_input_is_forwarded(session: Session, sent: bytes) -> None:
    """A server that responds at the end of its input notices that end."""
    session.start(SAYS_BACK)
    session.wait_for_port(8080)
    with previews.connect(url_of(session)) as connection:
        connection.sendall(sent)
        connection.shutdown(1)
        assert b"all of: " + sent == b"".join(iter(lambda: connection.recv(1 << 16), b""))


@with_half_open
def test_a_response_outlives_its_server(session: Session) -> None:
    """Data that a client has not read is delivered even after both sides have ended their halves."""
    process = session.start(SAYS_BACK)
    assert "up\n" == next(process.follow()).text
    sent = b"0123456789abcdef" * 500_000
    received = b""
    with previews.connect(url_of(session)) as connection:
        connection.sendall(sent)
        connection.shutdown(1)
        # The server ends once the buffers of the kernel, whose sizes vary, have room for the rest.
        while process.logs().stdout != "up\nclosed\n":
            piece = connection.recv(1 << 18)
            assert piece
            received += piece
        assert len(received) < len(sent)
        received += b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert b"all of: " + sent == received


def test_a_disconnected_client_is_forwarded(session: Session) -> None:
    """The server's connection ends with the client's."""
    process = session.start(ENDS + REPORTS_CLOSED_CONNECTIONS)
    output = process.follow()
    assert "up\n" == next(output).text
    with previews.connect(url_of(session)) as connection:
        connection.sendall(b"this")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert "closed\n" == next(output).text


def test_a_preview_is_of_its_own_session_only(client: Buntime, session: Session) -> None:
    """Another session can neither serve the preview nor reach the server."""
    session.start(SERVES)
    session.wait_for_port(8080)
    with client.sessions.create() as other:
        with other.start(FOREVER):
            assert previews.is_closed(url_of(other))
        assert other.execute("await fetch('http://127.0.0.1:8080')").exit_code
    assert b"/a" == previews.get(url_of(session) + "/a")


def test_replacing_the_preview_socket_gains_nothing(session: Session) -> None:
    """Code that replaces the preview socket gains nothing: connections reach the same session."""
    session.start(FOREVER)
    with session.start(IMPOSTOR) as impostor:
        assert "up\n" == next(impostor.follow()).text
        with previews.connect(url_of(session)) as connection:
            assert b"an impostor" == connection.recv(100)


def test_the_preview_socket_is_neither_listed_nor_counted(session: Session) -> None:
    """The preview socket is not a file of the user."""
    session.start(SERVES)
    session.wait_for_port(8080)
    assert ([], 0) == (session.files.list(), session.info().files_count)
    assert () == session.execute("1").files_written


@pytest.mark.parametrize("isolation", ["required", "none"])
def test_sleep_ends_processes(tmp_path: Path, isolation: str) -> None:
    """Processes count as killed, their logs remain, numbering continues, and a new server is reachable."""
    clock = ManualClock()
    workspaces = tmp_path / "workspaces"
    workspaces.mkdir()

    def workspace(session_id: str) -> DiskWorkspace:
        (workspaces / session_id).mkdir()
        return DiskWorkspace(workspaces / session_id)

    service = Service(BunExecutor(isolation=isolation), workspace, clock=clock)
    client = Buntime(transport=FunctionTransport(service.handle), max_retries=0)
    try:
        session = client.sessions.create()
        process = session.start("console.log('up');" + FOREVER)
        assert "up\n" == next(process.follow()).text
        clock.advance(31 * 60)
        assert ("deep-sleep", 0) == (session.info().state, session.info().active_processes)
        assert (False, 137, 137) == (process.running(), process.exit_code, process.wait())
        assert "up\n" == process.logs().stdout
        process.kill()
        if isolation == "required":
            assert 2 == session.start(SERVES).number
            session.wait_for_port(8080)
            assert b"/a" == previews.get(url_of(session) + "/a")
    finally:
        service.close()
