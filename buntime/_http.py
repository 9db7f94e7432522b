"""What a transport is: one request in, one response out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Callable, Protocol, Union, cast, runtime_checkable

import attrs

CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
"""Names of headers whose values are secret, in lower case."""
_HIDDEN = "[hidden]"

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
"""Bytes of a decoded body that is read whole, by default."""

Pairs = tuple[tuple[str, str], ...]


class Secret(str):
    """A string whose ``repr`` does not show it, so that no log, ``vars()`` or traceback does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{_HIDDEN}'"


class Headers(Mapping[str, str]):
    """HTTP headers: names compare without case; ``repr`` hides credentials.

    A name that occurs more than once has its values joined by ``", "``, as RFC 9110 allows.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Union[Mapping[str, str], Iterable[tuple[str, str]]] = ()) -> None:
        self._items: dict[str, tuple[str, str]] = {}
        pairs = cast("Iterable[tuple[str, str]]", items.items() if isinstance(items, Mapping) else items)
        for name, value in pairs:
            _, seen = self._items.get(name.lower(), (name, ""))
            self._items[name.lower()] = (name, f"{seen}, {value}" if seen else value)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({_shown(self._items.values())!r})"


def _shown(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: _HIDDEN if name.lower() in CREDENTIALS else value for name, value in headers}


def _headers_repr(headers: Pairs) -> str:
    return repr(_shown(headers))


def _body_repr(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body)} bytes>"


@attrs.frozen
class Request:
    """One HTTP request as a value: it can be compared, kept and sent again.

    ``path`` starts with ``/`` and names no host: the base URL belongs to the transport.

    Timeouts are seconds; ``None`` sets no limit. ``connect_timeout`` limits connecting and each wait to send,
    ``read_timeout`` each wait for the next bytes. ``total_timeout`` limits all of these waits together, and
    ``deadline`` the time from ``send`` to the last byte, with the time that the reader of the body takes.
    """

    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = attrs.field(default=(), repr=_headers_repr)
    body: bytes | None = attrs.field(default=None, repr=_body_repr)
    connect_timeout: float | None = None
    read_timeout: float | None = None
    total_timeout: float | None = None
    deadline: float | None = None


class Response:
    """An answer whose headers are in and whose body is still a stream.

    ``chunks`` yields the body as it arrives, content-decoded. It raises
    :class:`~buntime.APIConnectionError` or :class:`~buntime.APITimeoutError` where the body is cut.
    ``on_close`` is called once, when the response is closed; ``on_discard`` in its place, if it is discarded.
    The client refuses a body of more than ``max_bytes`` that it reads whole, which a stream of output is not.
    """

    def __init__(
        self,
        status: int,
        headers: Union[Mapping[str, str], Iterable[tuple[str, str]]] = (),
        chunks: Iterable[bytes] = (),
        *,
        on_close: Callable[[], object] | None = None,
        on_discard: Callable[[], object] | None = None,
        max_bytes: int | None = MAX_RESPONSE_BYTES,
    ) -> None:
        given: object = chunks
        if isinstance(given, (str, bytes, bytearray)):
            raise TypeError("chunks is an iterable of bytes: for one piece, a list of it")
        self.status = status
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.chunks: Iterator[bytes] = iter(chunks)
        self._on_close = on_close
        self._on_discard = on_discard or on_close
        self.max_bytes = max_bytes
        self._body: bytes | None = None

    def __repr__(self) -> str:
        return f"<Response {self.status}>"

    def __enter__(self) -> Response:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def read(self) -> bytes:
        """Return the whole body and close the response; a second call returns the same bytes."""
        if self._body is None:
            try:
                self._body = b"".join(self.chunks)
            finally:
                self.close()
        return self._body

    def close(self) -> None:
        """Give the connection back, or close it if the body is not at its end. Idempotent."""
        on_close, self._on_close, self._on_discard = self._on_close, None, None
        if on_close is not None:
            on_close()

    def discard(self) -> None:
        """Close the connection, as after a response that cannot be the service's. Idempotent."""
        self._on_close = self._on_discard
        self.close()


@runtime_checkable
class Transport(Protocol):
    """Moves one request to a service and brings its response.

    A transport never retries, follows a redirect, adds credentials or interprets a status; it is safe
    to use from several threads.
    """

    def send(self, request: Request, /) -> Response:
        """Return the response as soon as its headers are in.

        Raises :class:`~buntime.APIConnectionError` and :class:`~buntime.APITimeoutError` only, here and
        while the body is read.
        """
        ...

    def close(self) -> None:
        """Release what the transport holds. Idempotent."""
        ...


@runtime_checkable
class SupportsTime(Protocol):
    """A transport that owns time: the client waits and measures by it."""

    def sleep(self, seconds: float, /) -> None:
        """Wait for ``seconds`` on this transport's clock."""
        ...

    def monotonic(self) -> float:
        """Return seconds on this transport's clock, which never goes back."""
        ...


@runtime_checkable
class SupportsTimers(Protocol):
    """A transport whose time only passes when it is told to: it runs the timers."""

    def every(self, seconds: float, act: Callable[[], object], /) -> Callable[[], None]:
        """Call ``act`` each time that many seconds have passed; return a function that stops it."""
        ...


@runtime_checkable
class SupportsDate(Protocol):
    """A transport that owns the date: the client compares expiry times with it."""

    def time(self) -> float:
        """Return seconds since the epoch."""
        ...


@runtime_checkable
class SupportsOrder(Protocol):
    """A transport that can ask a pool to run one item after another.

    A recording does so: which item gets which session is then the same in each run.
    """

    @property
    def sequential(self) -> bool:
        """Whether a pool must not run items in parallel over this transport."""
        ...
