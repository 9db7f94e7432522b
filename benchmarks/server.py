"""A loopback server that does as little as can be: a ready answer for each path, in a process of its own."""

from __future__ import annotations

import gc
import itertools
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.answers import DELETED, table

ROOT = Path(__file__).resolve().parent.parent
SLOW = 0.1
"""Seconds that an execution below ``/slow`` takes."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_BLOCK = bytes(1 << 20)
_numbers = itertools.count(1)


@contextmanager
def loopback() -> Iterator[str]:
    """Run the server, and give its URL. It ends with its standard input, so it outlives nobody."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def main() -> None:
    """Serve until standard input ends."""
    answers = table()
    gc.disable()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=_accept, args=(listener, answers), daemon=True).start()
        sys.stdin.read()
    os._exit(0)


def _accept(listener: socket.socket, answers: dict[bytes, bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, answers), daemon=True).start()


def _serve(connection: socket.socket, answers: dict[bytes, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        try:
            while path := _request(connection):
                _answer(connection, path, answers)
        except OSError:
            return


def _answer(connection: socket.socket, path: bytes, answers: dict[bytes, bytes]) -> None:
    if path == b"/slow/execute":
        time.sleep(SLOW)
    answer = answers.get(path)
    if answer is None:
        _other(connection, path)
    elif path.endswith(b"/create"):
        connection.sendall(answer.replace(b"@@@@@@@@", b"%08d" % next(_numbers)))
    else:
        connection.sendall(answer)


def _other(connection: socket.socket, path: bytes) -> None:
    if not path.startswith(b"/zeros/"):
        connection.sendall(DELETED)
        return
    left = int(path[7:])
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
    while left:
        left -= connection.send(_BLOCK[:left])


def _request(connection: socket.socket) -> bytes:
    """Read one request whole, and return its path; nothing at the end of the connection."""
    data = b""
    while (end := data.find(b"\r\n\r\n") + 4) == 3:
        received = connection.recv(65536)
        if not received:
            return b""
        data += received
    head = data[:end]
    length = _LENGTH.search(head)
    if length is not None:
        _skip(connection, int(length[1]) - (len(data) - end))
    elif _CHUNKED.search(head):
        while not data.endswith(b"\r\n0\r\n\r\n"):
            data = data[-7:] + connection.recv(65536)
    return head.split(b" ", 2)[1]


def _skip(connection: socket.socket, left: int) -> None:
    if left <= 0:
        return
    block = bytearray(min(left, 1 << 20))
    while left:
        received = connection.recv_into(block, min(left, len(block)))
        if not received:
            raise ConnectionResetError
        left -= received


if __name__ == "__main__":
    main()
