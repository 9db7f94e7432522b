"""A scripted HTTP server on 127.0.0.1, with control over every byte.

::

    with LoopbackServer(drop, json_reply({"ok": True})) as server:
        ...                                   # drops the first request, replies to every later one
        assert 2 == len(server.requests)      # the received requests
        assert 2 == server.connections        # the number of connections

A handler is ``handler(exchange)``: it reads ``exchange.request`` and writes any bytes. Handlers are
used in the order of the requests, and the last one repeats. A handler that raises fails the test when
the ``with`` block ends. Wait with ``exchange.wait(event)`` and ``exchange.hold()``, which end with the
server, never by the clock.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Callable, Optional

import attrs

from buntime._http import Headers

_TIMEOUT = 30.0


class ServerStopped(Exception):  # noqa: N818  # named for the event; it ends a handler and is not a failure
    """The server is closing; raised in a waiting handler."""


@attrs.frozen
class Received:
    """One received request.

    ``target`` is that of the request line, query included; ``connection`` counts connections from 1.
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    connection: int = 0


@attrs.define
class Exchange:
    """One request and the connection for its response."""

    request: Received
    _socket: socket.socket
    _stopping: threading.Event
    _dropped: bool = False

    def send(self, data: bytes) -> None:
        """Send these bytes unchanged."""
        self._socket.sendall(data)

    def head(self, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send a status line and these headers only."""
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers)]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def reply(self, status: int = 200, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send a complete response with its Content-Length; the connection stays open."""
        self.head(status, [*headers, ("Content-Length", str(len(body)))])
        self.send(body)

    def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked body; empty data ends it."""
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def drop(self) -> None:
        """Close the connection cleanly once the handler returns."""
        self._dropped = True

    def reset(self) -> None:
        """Close the connection with a TCP reset once the handler returns."""
        reset_on_close(self._socket)
        self._dropped = True

    def half_close(self) -> None:
        """Send the end of the stream, and keep the connection open for reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def wait_for_bytes(self) -> None:
        """Wait until the client has sent something, and leave it unread."""
        self._socket.recv(1, socket.MSG_PEEK)

    def wait(self, event: threading.Event) -> None:
        """Wait until the test sets ``event``."""
        while not event.wait(0.05):
            if self._stopping.is_set():
                raise ServerStopped

    def forward(self, port: int) -> None:
        """Forward bytes to a server on this port and back, until one of both ends the connection."""
        self._dropped = True
        with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as target:
            others = {target: self._socket, self._socket: target}
            while True:
                for source in select.select(others, (), ())[0]:
                    if not (data := source.recv(65536)):
                        return
                    others[source].sendall(data)

    def hold(self) -> None:
        """Stay silent until the client closes the connection, or the server ends."""
        while self._socket.recv(65536):
            pass
        self._dropped = True


Handler = Callable[[Exchange], None]


def reset_on_close(connection: socket.socket) -> None:
    """Let the end of a connection be a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reply(status: int = 200, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> Handler:
    """Return a handler that sends this complete response."""
    return lambda exchange: exchange.reply(status, body, headers)


def json_reply(value: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Handler:
    """Return a handler that replies with ``value`` as JSON."""
    return reply(status, json.dumps(value).encode(), [("Content-Type", "application/json"), *headers])


def drop(exchange: Exchange) -> None:
    """Close the connection after the request, without a response."""
    exchange.drop()


def reset(exchange: Exchange) -> None:
    """Reset the connection after the request, without a response."""
    exchange.reset()


def hold(exchange: Exchange) -> None:
    """Never respond."""
    exchange.hold()


class LoopbackServer:
    """An HTTP/1.1 server on a free port of 127.0.0.1 with one thread a connection; a context manager.

    ``handlers`` are used in the order of the requests, and the last one repeats; without any, every
    response is an empty JSON object. ``tls`` turns it into an HTTPS server. With ``listening=False`` the port
    refuses connections until :meth:`listen` is called.
    """

    def __init__(
        self, *handlers: Handler, tls: Optional[ssl.SSLContext] = None, listening: bool = True
    ) -> None:
        self.requests: list[Received] = []
        """Every request that was read whole, in order."""
        self.connections = 0
        """How many connections were accepted."""
        self._handlers = handlers or (json_reply({}),)
        self._tls = tls
        self._failures: list[BaseException] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        if listening:
            self.listen()

    @property
    def url(self) -> str:
        """The base URL: ``http://127.0.0.1:PORT``, or ``https``."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        with self._changed:
            return len(self._open)

    def listen(self) -> None:
        """Accept connections. Idempotent."""
        if not self._threads:
            self._listener.listen()
            self._start(self._accept)

    def accepted(self, connection: socket.socket) -> bool:
        """Called for each new connection; return ``False`` to close it."""
        del connection
        return True

    def wait_for(self, condition: Callable[[LoopbackServer], object]) -> None:
        """Wait until ``condition(server)`` holds, such as ``lambda s: len(s.requests) == 2``."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), _TIMEOUT):
                raise AssertionError(f"never came true; the server saw {self.requests}")

    def close(self) -> None:
        """Close every connection, join every thread, and raise a handler's error. Idempotent."""
        self._stopping.set()
        _shut(self._listener)
        for thread in self._threads[:1]:
            thread.join()
        with self._changed:
            for connection in self._open:
                _shut(connection)
        for thread in self._threads[1:]:
            thread.join()
        failures, self._failures = self._failures, []
        for failure in failures:
            raise failure

    def __enter__(self) -> LoopbackServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"loopback-{self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with self._listener:
            while not self._stopping.is_set():
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    return
                # A response in two pieces would wait for the client's delayed acknowledgement.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._changed:
                    self.connections += 1
                    number = self.connections
                    self._open.add(connection)
                    self._changed.notify_all()
                self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        served = connection
        try:
            if self._tls is not None:
                served = self._replace(connection, self._tls)
            if not self.accepted(served):
                return
            with served.makefile("rb") as stream:
                while (received := _read_request(stream.readline, stream.read)) is not None:
                    if not self._respond(attrs.evolve(received, connection=number), served):
                        break
        except (OSError, ServerStopped):
            pass
        except BaseException as error:
            self._failures.append(error)
        finally:
            with self._changed:
                self._open.discard(served)
                served.close()
                self._changed.notify_all()

    def _replace(self, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        with self._changed:
            wrapped = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._open.discard(connection)
            self._open.add(wrapped)
        wrapped.do_handshake()
        return wrapped

    def _respond(self, received: Received, connection: socket.socket) -> bool:
        with self._changed:
            handler = self._handlers[min(len(self.requests), len(self._handlers) - 1)]
            self.requests.append(received)
            self._changed.notify_all()
        exchange = Exchange(received, connection, self._stopping)
        handler(exchange)
        return not exchange._dropped  # the exchange's internal state, hidden from handlers


def _read_request(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> Optional[Received]:
    line = readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    pairs = []
    while (header := readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = header.partition(":")
        pairs.append((name, value.strip()))
    headers = Headers(pairs)
    length = int(headers.get("Content-Length", "0"))
    body = read(length)
    return Received(method, target, headers, body) if len(body) == length else None


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        connection.close()
