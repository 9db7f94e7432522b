"""With urllib3 1, a generator posted over a session that a transport uses was sent without its headers."""

from __future__ import annotations

import socket
import threading
from contextlib import closing

import requests

from buntime.transport import HTTPTransport


def test_a_generator_is_posted_with_its_headers() -> None:
    """The session's own requests, chunked ones too, work as before the transport."""
    received = bytearray()

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            while not received.endswith(b"0\r\n\r\n"):
                received.extend(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener, requests.Session() as session:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        with closing(HTTPTransport(url, session=session)):
            session.post(url, data=iter([b"a", b"b"]), headers={"X-Team": "blue"}, timeout=20)
        thread.join()
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert b"X-Team: blue" in head.splitlines()
    assert b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n" == body
