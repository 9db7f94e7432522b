"""A client of previews, on plain sockets."""

from __future__ import annotations

import base64
import functools
import socket
import struct
import urllib.request
from urllib.parse import urlsplit

TIMEOUT = 20.0


def get(url: str, body: bytes | None = None) -> bytes:
    """Return the body of a server's response."""
    with _opener().open(url, body, TIMEOUT) as response:
        content: bytes = response.read()
        return content


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    """Return the opener of all requests: it loads the certificates of the system."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def connect(url: str) -> socket.socket:
    """Return a connection to a preview."""
    return socket.create_connection(("127.0.0.1", urlsplit(url).port or 80), TIMEOUT)


def is_closed(url: str) -> bool:
    """Return whether a preview closes a connection without a response, or refuses it."""
    try:
        with connect(url) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: preview\r\n\r\n")
            return connection.recv(1) == b""
    except OSError:
        return True


def websocket_echo(url: str, text: str) -> str:
    """Send one short text over a WebSocket and return the reply."""
    key = base64.b64encode(b"0123456789abcdef").decode()
    with connect(url) as connection, connection.makefile("rb") as stream:
        head = "GET / HTTP/1.1\r\nHost: preview\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        connection.sendall(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        assert b"101" in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        payload = text.encode()
        mask = bytes(4)
        connection.sendall(struct.pack("!BB", 0x81, 0x80 | len(payload)) + mask + payload)
        _, length = struct.unpack("!BB", stream.read(2))
        return stream.read(length).decode()
