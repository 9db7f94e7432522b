"""urllib3 connections that keep a deadline, and that are used again only after a flawless response.

urllib3 and http.client have a public place for each part: the classes of pools, of a pool's queue, of its
connections and of their responses. None of these passes a value on to a connection, so a thread-local
variable holds the attempt that the thread is sending.
"""

from __future__ import annotations

import functools
import http.client
import io
import math
import socket
import threading
import time
from contextlib import suppress
from queue import Full, LifoQueue
from typing import Any, Callable, Literal, Optional

import urllib3
from urllib3.util import SKIP_HEADER

from buntime._http import Request
from buntime._support.forks import reset_after_fork

_MOST_INTERIM = 1000
_MOST_FIELDS = 100
_LONGEST_LINE = 65536
_MOST_DIGITS = 20
_NO_BODY = {204, 304}


class Attempt:
    """One request on its way to ``peer``: how long it may still take, and how far it came."""

    now: Callable[[], float] = staticmethod(time.monotonic)
    stage: Optional[Literal["connect", "send", "read", "body"]] = None
    """``None`` until one of our connections is used; ``body`` belongs to the phase ``read``."""
    _late_waits = 200

    def __init__(self, request: Request, peer: str) -> None:
        self.peer = peer
        self.on_sent: Optional[Callable[[], object]] = request.on_sent
        self.connect_timeout: Optional[float] = request.connect_timeout
        self.read_timeout: Optional[float] = request.read_timeout
        total, deadline = request.total_timeout, request.deadline
        self._end_of_waiting = math.inf if total is None else self.now() + total
        self._deadline = math.inf if deadline is None else self.now() + deadline

    def remaining(self) -> float:
        """Return the seconds until the attempt has to end."""
        return min(self._deadline, self._end_of_waiting) - self.now()

    def pause(self, seconds: float) -> None:
        """Leave out time in which nothing was waited for: it is not part of the request's total timeout."""
        self._end_of_waiting += seconds

    def limit(self, timeout: Optional[float]) -> Optional[float]:
        """Return ``timeout`` cut to the time that remains, for one operation of a socket.

        If no time remains, it is an instant for bytes that are here already, so that a complete response is
        not lost to a slow program. A server that goes on sending gets 200 of these, then ``socket.timeout``.
        """
        remaining = self.remaining()
        if remaining > 0:
            return timeout if remaining == math.inf else min(remaining, timeout or math.inf)
        self._late_waits -= 1
        if self._late_waits < 0:
            raise socket.timeout("no time remains")
        return 0.001


class _Thread(threading.local):
    attempt: Attempt = Attempt(Request("GET", "/"), "")
    """By default without a bound: a request that the user sends by their own session."""


current: _Thread = _Thread()


def _set_timeout(sock: socket.socket, timeout: Optional[float]) -> None:
    # urllib3 has set it to nearly the same. To set it is a system call, for which a thread gives up the
    # interpreter lock, and with many threads it waits to get it back.
    present = sock.gettimeout()
    if timeout is None or present is None or abs(present - timeout) > timeout / 1000:
        sock.settimeout(timeout)


class _Incoming(io.RawIOBase):
    """The bytes that come from a socket, each wait for them limited."""

    at_end = False

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        # Of the thread that sends. The body may be read by another one, which sends other requests meanwhile.
        self._sock, self._raw, self._attempt = sock, raw, current.attempt
        self._timeout = sock.gettimeout()
        # The rest of a TLS record that was read in part is in no buffer, and the socket does not show it.
        self._decrypted: Callable[[], int] = getattr(sock, "pending", int)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        if self.at_end:  # None is for no bytes yet: the buffer then shows what it has, and waits for nothing
            return self._raw.readinto(buffer) if self._decrypted() else None
        _set_timeout(self._sock, self._attempt.limit(self._timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reader(io.BufferedReader):
    """A response's buffer, which http.client closes at the end of the body.

    If it is not empty by then, the connection is closed: the next request would receive what is left.
    """

    close_connection: Callable[[], None]
    has_headers = False
    """Stays unset for a proxy's response to CONNECT: the tunnel follows it, and a body is skipped."""

    def close(self) -> None:
        if self.has_headers and not self.closed:
            self.raw.at_end = True  # type: ignore[attr-defined]  # it is an _Incoming
            if self.peek(1):
                self.close_connection()
        super().close()


class _Response(http.client.HTTPResponse):
    fp: Any

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: Any = None, url: Any = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._is_head = method == "HEAD"
        self.fp = _Reader(_Incoming(sock, self.fp.detach()))

    def begin(self) -> None:
        """Read the status line and the headers, and how the body is framed (RFC 9112, 6.3 and 9.3).

        http.client's own reads headers with the parser for emails, a tenth of a call. It takes headers for
        complete where the bytes end, so that a lost connection gives an empty body: an empty file, a deletion
        that succeeded. And it skips only a 100 of all interim responses (RFC 9110, 15.2): the response behind
        another one would be taken for that of the next request.
        """
        for _ in range(_MOST_INTERIM):
            # A private name, of a method that checks the status line.
            version, status, reason = self._read_status()  # type: ignore[attr-defined]  # typeshed leaves it out
            fields = self._read_fields()
            if not 100 <= status < 200 or status == 101:
                break
        else:
            raise http.client.HTTPException(f"more than {_MOST_INTERIM} interim responses")
        if not version.startswith("HTTP/1."):
            raise http.client.UnknownProtocol(version)
        self.code, self.status, self.reason = status, status, reason.strip()
        self.version = 10 if version == "HTTP/1.0" else 11
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            self.headers.set_raw(name, value)
        coding, lengths = self.headers.get("Transfer-Encoding"), self.headers.get_all("Content-Length", [])
        self.chunked, self.chunk_left = (coding or "").lower() == "chunked", None
        length = "".join(lengths[:1])
        is_length = length.isdecimal() and len(length) < _MOST_DIGITS and not self.chunked
        has_body = not (self._is_head or status < 200 or status in _NO_BODY)
        self.length = 0 if not has_body else int(length) if is_length else None
        # Kept only if what follows must be the next response, so if the body has one length: a response that
        # may have no body (HEAD, 204, 304) can be followed by one all the same.
        has_one_length = has_body and len(set(lengths)) + (coding is not None) == 1
        closes = self.version == 10 or "close" in self.headers.get("Connection", "").lower()
        self.will_close = closes or not (has_one_length and (self.chunked or is_length))
        self.fp.has_headers = True

    def _read_fields(self) -> list[tuple[str, str]]:
        fields: list[tuple[str, str]] = []
        while (line := self.fp.readline(_LONGEST_LINE)) not in {b"\r\n", b"\n"}:
            name, colon, value = line.decode("latin-1").partition(":")
            if line[:1] in {b" ", b"\t"} and fields:  # it continues the line before
                name, value = fields.pop()
                value += " " + line.decode("latin-1").strip()
            elif not colon or name.split() != [name]:
                raise http.client.HTTPException("a header is malformed or cut off")
            if not line.endswith(b"\n") or len(fields) == _MOST_FIELDS:
                raise http.client.HTTPException("the headers are too large or cut off")
            fields.append((name, value.strip()))
        return fields


class _Connection:
    """Mixed into urllib3's classes of connections: notes the stage, and limits each operation.

    The stages are connect, send, read, in this order. ``connect`` promises that the service has nothing of
    the request, and lets any call be repeated: it ends when the connection stands, tunnel and TLS included.
    """

    sock: Any
    timeout: Any
    close: Callable[[], None]
    _fields: Optional[list[str]] = None
    """Headers, from the beginning of a request until they are in ``_head``."""
    _head = b""
    """The beginning of a request, which leaves together with the first piece of its body."""

    def response_class(self, *args: Any, **options: Any) -> _Response:
        response = _Response(*args, **options)
        response.fp.close_connection = self.close
        return response

    def connect(self) -> None:
        current.attempt.stage = "connect"
        super().connect()  # type: ignore[misc]  # urllib3's, as below

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is None:
            self.connect()
        current.attempt.stage = "send"
        self._fields = []
        super().request(*args, **options)  # type: ignore[misc]  # as above
        if self._head:
            self.send(b"")

    def putheader(self, header: Any, value: Any, *others: Any) -> None:
        # To check each header again takes urllib3 and http.client a twentieth of a call. They get those that
        # are not plain text, and the marker with which urllib3 leaves a header out.
        line = f"{header}: {value}"
        is_plain = str is type(header) is type(value) and line.isascii() and line.isprintable()
        if self._fields is not None and is_plain and not others and value != SKIP_HEADER:
            self._fields.append(line)
        else:
            super().putheader(header, value, *others)  # type: ignore[misc]  # as above

    def send(self, data: Any) -> None:
        if self._fields is not None:
            self._head = data[:-2] + "\r\n".join([*self._fields, "", ""]).encode()
            self._fields = None
            return
        data, self._head = self._head + data if self._head else data, b""
        if self.sock is not None:
            _set_timeout(self.sock, current.attempt.limit(self.timeout))
        super().send(data)  # type: ignore[misc]  # as above

    def getresponse(self, *args: Any, **options: Any) -> Any:
        attempt = current.attempt
        attempt.stage = "read"
        # Once: urllib3 1 calls this twice, first with an argument of Python 2. And a user's hook may send.
        on_sent, attempt.on_sent = attempt.on_sent, None
        if on_sent is not None:
            started = attempt.now()
            on_sent()
            attempt.pause(attempt.now() - started)
        return super().getresponse(*args, **options)  # type: ignore[misc]  # as above


@functools.cache
def _connection_class(base: type) -> type:
    """Mix ours into urllib3's class. Another one in its place, such as vcrpy's, stays as it is."""
    is_urllib3 = base.__module__ == "urllib3.connection"
    return type(base.__name__, (_Connection, base), {}) if is_urllib3 else base


class _Idle(LifoQueue[Any]):
    """A pool's idle connections.

    One that there is no room for is closed, which urllib3 would log. A forked child closes its copies: they
    are the parent's, and open until the last copy is closed.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        reset_after_fork(self)

    def put(self, item: Any, block: bool = True, timeout: Optional[float] = None) -> None:  # noqa: ARG002 - it never waits
        try:
            super().put(item, block=False)
        except Full:
            if item is not None:
                item.close()

    def _at_fork_reinit(self) -> None:
        copies = filter(None, self.queue)
        super().__init__(self.maxsize)
        for copy in copies:
            with suppress(OSError):
                copy.close()


def _pool_class(base: Any) -> Any:
    # A property, as vcrpy replaces urllib3's class while a cassette is in use.
    connection_class = property(lambda _: _connection_class(base.ConnectionCls))
    return type(base.__name__, (base,), {"QueueCls": _Idle, "ConnectionCls": connection_class})


POOLS = {"http": _pool_class(urllib3.HTTPConnectionPool), "https": _pool_class(urllib3.HTTPSConnectionPool)}
