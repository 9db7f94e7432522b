"""The transport interface: one request in, one response out."""

# Annotations are not strings here, as in models.

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Callable, Optional, Protocol, Union, runtime_checkable

import attrs

from buntime._support.closing import ClosesWithBlock
from buntime._support.export import export

CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
"""Names of headers with secret values, in lower case."""
_SHORTEST_SECRET = 6
MAX_RESPONSE_BYTES = 256 * 1024 * 1024
"""The largest decoded body that is read into memory, in bytes."""

Pairs = tuple[tuple[str, str], ...]


class Secret(str):
    """A string with a ``repr`` that hides it in logs, ``vars()`` and tracebacks with local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[hidden]'"


class Headers(Mapping[str, str]):
    """HTTP headers: names compare without case; ``repr`` hides credentials.

    The values of a name that occurs more than once are joined by ``", "``, as RFC 9110 allows.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Union[Mapping[str, str], Iterable[tuple[str, str]]] = ()) -> None:
        self._items: dict[str, tuple[str, str]] = {}
        pairs: Any = items.items() if isinstance(items, (dict, Mapping)) else items
        for name, value in pairs:
            key = name.lower()
            first = self._items.get(key)
            self._items[key] = (name, f"{first[1]}, {value}" if first and first[1] else value)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def only(self, names: Iterable[str]) -> dict[str, str]:
        """Return the headers with these names, in their order and spelling."""
        return {name: self._items[key][1] for name in names if (key := name.lower()) in self._items}

    def has_any(self, names: Iterable[str]) -> bool:
        """Whether one of these names, in lower case, is among the headers."""
        return not self._items.keys().isdisjoint(names)

    def without(self, names: Container[str]) -> "Headers":
        """Return the headers whose names in lower case are not among ``names``."""
        return Headers([(name, value) for name, value in self.items() if name.lower() not in names])

    def __repr__(self) -> str:
        return f"Headers({_headers_repr(self._items.values())})"


def secret_values(headers: Iterable[tuple[str, str]]) -> list[Secret]:
    """Return the secrets in the credentials of headers: a key without its scheme, the value of each cookie.

    The longest is the first, as it may contain another one. One of less than 6 characters is omitted: it
    would match parts of ordinary words.
    """
    secrets: set[str] = set()
    for name, value in headers:
        kind = name.lower()
        if kind in {"cookie", "set-cookie"}:
            cookies = (part.partition("=") for part in value.split(";"))
            secrets.update((content or name).strip() for name, _, content in cookies)
        elif kind in CREDENTIALS:
            scheme, _, key = value.strip().partition(" ")
            secrets.add(key.strip() or scheme)
    return [Secret(each) for each in sorted(secrets, key=len, reverse=True) if len(each) >= _SHORTEST_SECRET]


def _headers_repr(headers: Iterable[tuple[str, str]]) -> str:
    return repr({name: Secret() if name.lower() in CREDENTIALS else value for name, value in headers})


@attrs.frozen(eq=False)
class Body:
    """A request body of ``size`` bytes that need not fit into memory.

    ``open`` returns a binary file at the start of the body. It is called for each attempt.
    """

    open: Callable[[], BinaryIO]
    size: int


def _body_repr(body: Union[bytes, Body, None]) -> str:
    if body is None:
        return "None"
    return f"<{body.size if isinstance(body, Body) else len(body)} bytes>"


@attrs.frozen(slots=False)  # constructed twice for each call, and with slots that takes 1.4 times as long
class Request:
    """One HTTP request as a value: it can be compared, stored and sent again.

    ``path`` starts with ``/`` and has no host: the base URL belongs to the transport. With an ``origin``,
    such as ``https://storage.example``, the request goes there instead, to a presigned URL, and no header,
    credential or cookie of the client or the transport is added.

    ``poll`` marks a wait that the client repeats; it is neither sent nor compared. ``on_sent`` is for work
    that is done meanwhile: a transport may call it when the request is sent and the wait for the response
    begins, in the same thread. It is not compared, not part of the total timeout, and must not raise.

    Timeouts are seconds; ``None`` sets no limit. ``connect_timeout`` limits connecting and each wait to send,
    ``read_timeout`` each wait for the next bytes. ``total_timeout`` limits all of these waits together, and
    ``deadline`` the time from ``send`` to the last byte, including the time that the reader of the body
    takes.
    """

    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = attrs.field(default=(), repr=_headers_repr)
    body: Union[bytes, Body, None] = attrs.field(default=None, repr=_body_repr)
    connect_timeout: Optional[float] = None
    read_timeout: Optional[float] = None
    total_timeout: Optional[float] = None
    deadline: Optional[float] = None
    origin: Optional[str] = None
    poll: bool = attrs.field(default=False, eq=False)
    on_sent: Optional[Callable[[], object]] = attrs.field(default=None, eq=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "on_sent": None}

    @property
    def content(self) -> bytes:
        """The complete body in memory; ``b""`` without one."""
        if isinstance(self.body, Body):
            with self.body.open() as file:
                return file.read()
        return self.body or b""

    def buffered(self) -> "Request":
        """Return this request with its body in memory."""
        return attrs.evolve(self, body=self.content) if isinstance(self.body, Body) else self


class Response(ClosesWithBlock):
    """A response with complete headers and a body that is still a stream.

    ``chunks`` yields the body as it arrives, content-decoded. It raises
    :class:`~buntime.APIConnectionError` or :class:`~buntime.APITimeoutError` if the body ends early.
    ``on_close`` is called once, when the response is closed; if it is discarded, ``on_discard`` is. The
    client rejects a body of more than ``max_bytes``, except for the stream of an execution's output.
    """

    def __init__(
        self,
        status: int,
        headers: Union[Mapping[str, str], Iterable[tuple[str, str]]] = (),
        chunks: Iterable[bytes] = (),
        *,
        on_close: Optional[Callable[[], object]] = None,
        on_discard: Optional[Callable[[], object]] = None,
        max_bytes: Optional[int] = MAX_RESPONSE_BYTES,
    ) -> None:
        iterable: object = chunks
        if isinstance(iterable, (str, bytes, bytearray)):
            raise TypeError("chunks must be an iterable of bytes: put a single piece into a list")
        if not isinstance(status, int):
            raise TypeError(f"status must be an int, not {type(status).__name__}")
        self.status = status
        self.headers: Headers = headers if type(headers) is Headers else Headers(headers)
        self.chunks: Iterator[bytes] = iter(chunks)
        self._on_close = on_close
        self._on_discard = on_discard or on_close
        self.max_bytes = max_bytes
        self._body: Optional[bytes] = None

    def __repr__(self) -> str:
        return f"<Response {self.status}>"

    def read(self) -> bytes:
        """Return the complete body and close the response; a second call returns the same bytes."""
        if self._body is None:
            with self:
                self._body = b"".join(self.chunks)
        return self._body

    def close(self) -> None:
        """Return the connection to its pool, or close it if the body is not at its end. Idempotent."""
        on_close, self._on_close, self._on_discard = self._on_close, None, None
        if on_close is not None:
            on_close()

    def discard(self) -> None:
        """Close the connection: the response cannot be the service's. Idempotent."""
        self._on_close = self._on_discard
        self.close()


def closed_error(request: Request) -> RuntimeError:
    """Return the error of a request to a transport that is closed."""
    return RuntimeError(
        f"{request.method} {request.path}: the transport is closed, by close() or the end of a with block of "
        "its client; make this call inside the block, or create a new client"
    )


@runtime_checkable
class Transport(Protocol):
    """Sends a request to a service and returns its response.

    A transport never retries, follows a redirect, adds credentials or interprets a status. It can be used
    from several threads.
    """

    def send(self, request: Request, /) -> Response:
        """Return the response as soon as its headers have arrived.

        Raises only :class:`~buntime.APIConnectionError` and :class:`~buntime.APITimeoutError`, here and while
        the body is read.
        """
        ...

    def close(self) -> None:
        """Release the transport's resources. Idempotent."""
        ...


@runtime_checkable
class SupportsTime(Protocol):
    """A transport with its own clock, by which the client waits and measures."""

    def sleep(self, seconds: float, /) -> None:
        """Wait for ``seconds`` on this transport's clock."""
        ...

    def monotonic(self) -> float:
        """Return seconds on this transport's clock, which never goes backwards."""
        ...


@runtime_checkable
class SupportsTimers(Protocol):
    """A transport with a clock that only the program moves, and which therefore runs periodic work itself."""

    def every(self, seconds: float, act: Callable[[], object], /) -> Callable[[], None]:
        """Call ``act`` each time that many seconds have passed; return a function that stops it."""
        ...


@runtime_checkable
class SupportsDate(Protocol):
    """A transport with its own date, with which the client compares expiry times."""

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


@attrs.define  # made for each call, and frozen, that takes twice as long
class BufferedResponse:
    """A response whose body has been read; ``status`` is ``None`` for an event in a stream."""

    status: Optional[int]
    headers: Headers
    body: bytes


export(
    "buntime.transport",
    *(Body, Headers, Request, Response, SupportsDate, SupportsOrder, SupportsTime, SupportsTimers, Transport),
)
