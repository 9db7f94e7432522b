"""The faults: where each strikes, what the server does, and what a caller then sees.

``docs/reliability.md`` shows this table, and the matrix checks each row with every call.
"""

from __future__ import annotations

import gzip
import time
from typing import Callable, Literal, Optional

import attrs

from buntime import (
    APIConnectionError,
    APITimeoutError,
    BuntimeError,
    InvalidResponseError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from tests.faults.service import Answer
from tests.support.loopback import Exchange

Perform = Callable[[], Answer]
Act = Callable[[Exchange, Perform], None]

_PAUSE = 0.02


@attrs.frozen
class Outcome:
    """What a caller sees: the result of the call, or this error unless a retry succeeds."""

    retried: Literal["every call", "repeatable calls", "no call"]
    error: Optional[type[BuntimeError]]

    def expected(self, *, repeatable: bool, persistent: bool) -> Optional[type[BuntimeError]]:
        """Return the class of the error, or ``None`` for the call's own result."""
        retried = self.retried == "every call" or (self.retried == "repeatable calls" and repeatable)
        return None if retried and not persistent else self.error


RESULT = Outcome("no call", None)
NOT_SENT = Outcome("every call", APIConnectionError)
LOST = Outcome("repeatable calls", APIConnectionError)
LATE = Outcome("no call", APITimeoutError)
INVALID = Outcome("no call", InvalidResponseError)
RATE_LIMITED = Outcome("every call", RateLimitError)
UNAVAILABLE = Outcome("every call", ServerError)
FAILED = Outcome("repeatable calls", ServerError)
TIMED_OUT_THERE = Outcome("repeatable calls", RequestTimeoutError)


@attrs.frozen
class Fault:
    """One row of the table. ``streamed`` is the outcome of a streamed response, if it is another one."""

    stage: str
    name: str
    act: Act
    outcome: Outcome
    streamed: Optional[Outcome] = None
    moment: Literal["listen", "accept", "request"] = "request"
    only_streams: bool = False
    accepted_by: tuple[str, ...] = ()
    """Calls for which this is a valid response."""

    @property
    def waits(self) -> bool:
        """Whether the call lasts until its deadline."""
        return self.outcome is LATE

    def outcome_of(self, *, streamed: bool) -> Outcome:
        """Return the outcome of a call."""
        return self.streamed if streamed and self.streamed is not None else self.outcome

    def __str__(self) -> str:
        return f"{self.stage}: {self.name}"


def _close(exchange: Exchange) -> None:
    exchange.drop()


def _reset(exchange: Exchange) -> None:
    exchange.reset()


def _half_close(exchange: Exchange) -> None:
    exchange.half_close()


def _silence(exchange: Exchange) -> None:
    exchange.hold()


_ENDINGS: dict[str, tuple[Callable[[Exchange], None], Outcome]] = {
    "closes the connection": (_close, LOST),
    "resets the connection": (_reset, LOST),
    "ends its side of the connection": (_half_close, LOST),
    "falls silent": (_silence, LATE),
}


def _unread(end: Callable[[Exchange], None]) -> Act:
    def act(exchange: Exchange, _: Perform) -> None:
        # Before its first byte, the client cannot tell this from a connection that was never made.
        exchange.wait_for_bytes()
        end(exchange)

    return act


def _nothing(end: Callable[[Exchange], None], *, acts: bool) -> Act:
    def act(exchange: Exchange, perform: Perform) -> None:
        if acts:
            perform()
        end(exchange)

    return act


def _without_request() -> list[Fault]:
    stage = "before the request is read"
    early = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def early_answer(exchange: Exchange, _: Perform) -> None:
        exchange.send(early)
        exchange.half_close()
        exchange.hold()

    return [
        Fault("before the connection", "refuses it", _nothing(_close, acts=False), NOT_SENT, moment="listen"),
        *(
            Fault(stage, name, _unread(end), outcome, moment="accept")
            for name, (end, outcome) in _ENDINGS.items()
        ),
        Fault(stage, "answers 408", early_answer, TIMED_OUT_THERE, moment="accept"),
    ]


def _after_request() -> list[Fault]:
    return [
        Fault(f"after the request, {when} it is carried out", name, _nothing(end, acts=acts), outcome)
        for when, acts in (("before", False), ("after", True))
        for name, (end, outcome) in _ENDINGS.items()
    ]


@attrs.frozen
class _Position:
    """A place in a response: ``split`` returns what is sent before it and after it.

    A response that trickles begins with ``endless``, if that is another beginning, and goes on with
    ``filler``.
    """

    stage: str
    split: Callable[[Answer], tuple[bytes, bytes]]
    filler: bytes
    endless: Optional[Callable[[Answer], bytes]] = None
    is_behind_body: bool = False

    def outcomes(self, name: str, usual: Outcome) -> tuple[Outcome, Outcome]:
        """Return the outcomes of a response that ends here: of a usual one, and of a stream."""
        if not self.is_behind_body:
            return usual, usual
        is_complete = name in {"closes the connection", "ends its side of the connection"}
        return (RESULT if is_complete else usual), RESULT

    @property
    def streamed_trickle(self) -> Outcome:
        """The outcome of a stream that trickles: its result may have arrived."""
        return RESULT if self.is_behind_body or self.stage == "in the body" else LATE


def _cut_at(data: bytes, length: int) -> tuple[bytes, bytes]:
    return data[:length], data[length:]


def _in_chunk(answer: Answer) -> tuple[bytes, bytes]:
    data = answer.chunked()
    return _cut_at(data + b"\r\n", data.index(b"\r\n\r\n") + 8)


def _interim(answer: Answer) -> tuple[bytes, bytes]:
    return b"HTTP/1.1 103 Early Hints\r\nLink: </a", b">\r\n\r\n" + answer.sized()


_POSITIONS = [
    _Position("in the status line", lambda answer: _cut_at(answer.sized(), 12), b"0"),
    _Position(
        "in the headers", lambda answer: _cut_at(answer.sized(), answer.sized().index(b"\r\n") + 6), b"y"
    ),
    _Position("in an interim response (103)", _interim, b"y"),
    _Position(
        "in the body",
        lambda answer: _cut_at(answer.sized(), len(answer.sized()) - len(answer.body) // 2),
        b" ",
        endless=lambda answer: answer.sized(10**6),
    ),
    _Position(
        "in a chunk",
        _in_chunk,
        b" ",
        endless=lambda answer: answer.head(("Transfer-Encoding", "chunked")) + b"fffff\r\n",
    ),
    _Position(
        "in the trailers",
        lambda answer: (answer.chunked() + b"X-Check: 1", b"\r\n\r\n"),
        b"y",
        is_behind_body=True,
    ),
]


def _in_response() -> list[Fault]:
    return [
        fault
        for position in _POSITIONS
        for fault in (
            *(
                Fault(position.stage, name, _broken_off(position, end), *position.outcomes(name, outcome))
                for name, (end, outcome) in _ENDINGS.items()
            ),
            Fault(position.stage, "trickles for ever", _trickling(position), LATE, position.streamed_trickle),
            Fault(position.stage, "pauses, then goes on", _pausing(position), RESULT),
        )
    ]


def _broken_off(position: _Position, end: Callable[[Exchange], None]) -> Act:
    def act(exchange: Exchange, perform: Perform) -> None:
        exchange.send(position.split(perform())[0])
        end(exchange)

    return act


def _trickling(position: _Position) -> Act:
    def act(exchange: Exchange, perform: Perform) -> None:
        answer = perform()
        exchange.send(position.endless(answer) if position.endless else position.split(answer)[0])
        for _ in range(400):
            exchange.send(position.filler)
            time.sleep(_PAUSE)
        exchange.drop()

    return act


def _pausing(position: _Position) -> Act:
    def act(exchange: Exchange, perform: Perform) -> None:
        before, after = position.split(perform())
        exchange.send(before)
        time.sleep(_PAUSE)
        exchange.send(after)

    return act


def _sends(make: Callable[[Answer], bytes], end: Optional[Callable[[Exchange], None]] = None) -> Act:
    """Return an act that sends ``make(answer)``, and then ends the connection with ``end``."""

    def act(exchange: Exchange, perform: Perform) -> None:
        exchange.send(make(perform()))
        if end is not None:
            end(exchange)

    return act


def _status(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Act:
    return lambda exchange, _: exchange.reply(status, body, headers)


def _error(status: int, code: str) -> Act:
    body = b'{"error": {"code": "%s", "message": "scripted"}}' % code.encode()
    return _status(status, body, ("Content-Type", "application/json"), ("Retry-After", "0"))


_PAGE = b"<html><title>A proxy</title></html>"
_HTML = ("Content-Type", "text/html")


def _statuses() -> list[Fault]:
    stage = "a response of another sender"
    return [
        Fault("an error of the service", "429 with Retry-After", _error(429, "rate_limited"), RATE_LIMITED),
        Fault("an error of the service", "503", _error(503, "unavailable"), UNAVAILABLE),
        Fault("an error of the service", "500", _error(500, "internal_error"), FAILED),
        *(
            Fault(stage, f"{status} of a gateway", _status(status, _PAGE, _HTML), FAILED)
            for status in (500, 502, 503, 504)
        ),
        Fault(stage, "200 with an HTML page", _status(200, _PAGE, _HTML), INVALID),
        Fault(stage, "302 to another page", _status(302, b"", ("Location", "http://127.0.0.1:9/")), INVALID),
        Fault(stage, "204 without a body", _status(204), INVALID, LOST, accepted_by=("session.delete",)),
        Fault(stage, "200 with an empty body", _status(200), INVALID, LOST, accepted_by=("session.delete",)),
        Fault(
            stage,
            "the banner of SSH",
            lambda exchange, _: exchange.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
            LOST,
        ),
    ]


def _corrupt() -> list[Fault]:
    both = (("Transfer-Encoding", "chunked"), ("Content-Length", "5"))

    def short(answer: Answer) -> Answer:
        return attrs.evolve(answer, body=answer.body[: len(answer.body) // 2])

    def encoded(answer: Answer, name: str, body: bytes) -> bytes:
        headers = (*answer.headers, ("Content-Encoding", name))
        return attrs.evolve(answer, headers=headers, body=body).sized()

    def replaced(old: bytes, new: bytes) -> Callable[[Answer], bytes]:
        return lambda answer: answer.chunked().replace(old, new, 1) + b"\r\n"

    return [
        Fault(
            "in the status line",
            "its status is not a number",
            _sends(lambda a: b"HTTP/1.1 OK" + a.sized()[8:]),
            LOST,
        ),
        Fault(
            "in the headers",
            "there are too many",
            _sends(lambda a: a.head(*[("X", "y")] * 200)),
            LOST,
        ),
        Fault(
            "in the headers",
            "Content-Length is too large",
            _sends(lambda a: a.sized(10**6), _close),
            LOST,
            RESULT,
        ),
        Fault(
            "in the headers",
            "Content-Length is too small",
            _sends(lambda a: a.sized(len(a.body) // 2)),
            INVALID,
            LOST,
        ),
        Fault(
            "in the headers",
            "both Content-Length and chunks",
            _sends(lambda a: a.head(*both) + a.chunked().partition(b"\r\n\r\n")[2] + b"\r\n"),
            RESULT,
        ),
        Fault(
            "in the headers",
            "Content-Encoding is gzip, and the body is not",
            _sends(lambda a: encoded(a, "gzip", a.body)),
            LOST,
        ),
        Fault(
            "in the headers",
            "Content-Encoding was not asked for",
            _sends(lambda a: encoded(a, "br", a.body)),
            LOST,
        ),
        Fault(
            "in an interim response (103)",
            "is followed by 1,000 others",
            _sends(lambda a: b"HTTP/1.1 103 Hints\r\n\r\n" * 1001 + a.sized(), _close),
            LOST,
        ),
        Fault(
            "in an interim response (103)",
            "is 101 (another protocol)",
            _sends(lambda a: b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n" + a.sized(), _close),
            LOST,
        ),
        Fault("in the body", "half of it is missing", _sends(lambda a: short(a).sized()), INVALID, LOST),
        Fault(
            "in the body",
            "it is not JSON",
            _sends(lambda a: attrs.evolve(a, body=b"\xff" + a.body[1:-1]).sized()),
            INVALID,
            LOST,
        ),
        Fault(
            "in the body",
            "it is JSON of another form",
            _sends(lambda a: attrs.evolve(a, body=b"[1]").sized()),
            INVALID,
            LOST,
        ),
        Fault(
            "in the body",
            "its gzip breaks off",
            _sends(lambda a: encoded(a, "gzip", gzip.compress(a.body)[:-12])),
            INVALID,
            LOST,
        ),
        Fault("in a chunk", "its size is not a number", _sends(replaced(b"\r\n\r\n", b"\r\n\r\nzz")), LOST),
        Fault(
            "in a chunk",
            "its size is too large",
            _sends(replaced(b"\r\n\r\n", b"\r\n\r\nf"), _close),
            LOST,
            RESULT,
        ),
    ]


def _in_events() -> list[Fault]:
    """Return the faults in the events of a stream; the framing of HTTP is complete."""

    def events(change: Callable[[list[bytes]], list[bytes]]) -> Act:
        def make(answer: Answer) -> bytes:
            parts = answer.body.split(b"\n\n")[:-1]
            return attrs.evolve(answer, body=b"".join(part + b"\n\n" for part in change(parts))).sized()

        return _sends(make)

    stage = "in an event of a stream"
    return [
        Fault(stage, "breaks off", events(lambda parts: [parts[0], parts[1][:12]]), LOST, only_streams=True),
        Fault(stage, "the result is missing", events(lambda parts: parts[:-1]), LOST, only_streams=True),
        Fault(stage, "the result comes twice", events(lambda p: [*p, p[-1]]), RESULT, only_streams=True),
        Fault(stage, "output after the result", events(lambda p: [*p, p[0]]), RESULT, only_streams=True),
    ]


def _between_requests() -> list[Fault]:
    stage = "between two requests"
    stolen = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"

    return [
        *(
            Fault(stage, name, _sends(lambda answer: answer.sized(), _ENDINGS[name][0]), RESULT)
            for name in list(_ENDINGS)[:3]
        ),
        Fault(stage, "has answered twice", _sends(lambda answer: answer.sized() + stolen), RESULT),
        Fault(stage, "has sent a line too many", _sends(lambda answer: answer.sized() + b"\r\n"), RESULT),
    ]


FAULTS = (
    *_without_request(),
    *_after_request(),
    *_in_response(),
    *_corrupt(),
    *_statuses(),
    *_in_events(),
    *_between_requests(),
)
"""Every fault, in the order of the stages."""
