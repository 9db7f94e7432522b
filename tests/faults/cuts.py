"""Faults in the middle of a correct response: it breaks off, trickles or pauses at each position."""

from __future__ import annotations

import time
from typing import Callable, Optional

import attrs

from tests.faults.fault import ENDINGS, LATE, RESULT, Act, Fault, Outcome, Perform
from tests.faults.service import Answer
from tests.support.loopback import Exchange

_PAUSE = 0.02


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


def in_response() -> list[Fault]:
    """Return the faults at each position."""
    return [
        fault
        for position in _POSITIONS
        for fault in (
            *(
                Fault(position.stage, name, _broken_off(position, end), *position.outcomes(name, outcome))
                for name, (end, outcome) in ENDINGS.items()
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
