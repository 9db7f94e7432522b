"""Forwarding connections to a session, represented by servers of this process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from buntime.service.machine.previews import Previews, Target
from tests.support.previews import TIMEOUT
from tests.support.threads import started_since

LARGE = b"0123456789abcdef" * 500_000


@contextmanager
def echoing(listener: socket.socket) -> Iterator[None]:
    """Send the data of one connection back after its end."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            received = read_all(connection)
            connection.sendall(received)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join(TIMEOUT)


def read_all(connection: socket.socket) -> bytes:
    """Read to the end."""
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


@contextmanager
def preview(previews: Previews, target: Target | Exception) -> Iterator[int]:
    """Accept connections to the target, and yield the port."""

    def resolve() -> Target:
        if isinstance(target, Exception):
            raise target
        return target

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        previews.open(listener, resolve)
        try:
            yield listener.getsockname()[1]
        finally:
            previews.close(listener)


def exchange(port: int, data: bytes) -> bytes:
    """Send the data, close the sending side, and return the response."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        sender = threading.Thread(target=send_all, args=(connection, data))
        sender.start()
        try:
            return read_all(connection)
        except ConnectionError:
            return b""
        finally:
            sender.join(TIMEOUT)


def send_all(connection: socket.socket, data: bytes) -> None:
    """Send as much as the other side accepts."""
    with suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def test_data_is_forwarded_both_ways_on_the_hosts_network() -> None:
    """The end of the client's data is forwarded, while the response continues."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        previews = Previews(server.getsockname()[1])
        with echoing(server), preview(previews, None) as port:
            assert LARGE == exchange(port, LARGE)


def test_data_is_forwarded_both_ways_to_a_socket(tmp_path: Path) -> None:
    """The same for a sandbox, reached by a socket in its workspace."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "preview"))
        server.listen()
        with echoing(server), preview(Previews(), (tmp_path, "preview")) as port:
            assert LARGE == exchange(port, LARGE)


@pytest.mark.parametrize("kind", ["missing", "file", "fifo", "folder", "link out", "link to a folder out"])
def test_only_the_sandboxes_own_socket_is_connected(tmp_path: Path, kind: str) -> None:
    """Untrusted code may replace it, in particular with a link to a socket of the host."""
    workspace, outside = tmp_path / "workspace", tmp_path / "outside"
    workspace.mkdir()
    outside.mkdir()
    state = workspace / "state"
    if kind == "link to a folder out":
        state.symlink_to(outside)
    else:
        state.mkdir()
    if kind == "file":
        (state / "preview").write_text("")
    elif kind == "fifo":
        os.mkfifo(state / "preview")
    elif kind == "folder":
        (state / "preview").mkdir()
    elif kind == "link out":
        (state / "preview").symlink_to(outside / "preview")
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(outside / "preview"))
        server.listen()
        server.settimeout(0)
        with preview(Previews(), (workspace, "state/preview")) as port:
            assert b"" == exchange(port, b"secret")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_connection_without_a_server_is_closed() -> None:
    """The next one is accepted again."""
    with preview(Previews(), ConnectionRefusedError("nothing runs")) as port:
        assert [b"", b""] == [exchange(port, b"hello") for _ in range(2)]


def test_closing_ends_connections_and_the_thread() -> None:
    """The client's connection ends, the port is free, and closing again does nothing."""
    before = threading.enumerate()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        previews = Previews(server.getsockname()[1])
        previews.open(listener, lambda: None)
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            carried, _ = server.accept()
            with carried:
                previews.close(listener)
                previews.close(listener)
                assert [] == started_since(before)
                assert b"" == client.recv(1)
                assert b"" == carried.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT)


def test_one_thread_serves_all_previews() -> None:
    """It ends when the last preview is closed, and a new one starts with the next preview."""
    previews, before = Previews(), threading.enumerate()
    for _ in range(2):
        with preview(previews, ConnectionRefusedError()) as one, preview(previews, ConnectionRefusedError()):
            assert 1 == len(started_since(before))
            assert b"" == exchange(one, b"")
        assert [] == started_since(before)
