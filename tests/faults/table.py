"""The faults: where each strikes, what the server does, and what a caller then sees.

``docs/project/reliability.md`` shows this table, and the matrix checks each row with every call.
"""

from __future__ import annotations

from typing import Callable

from tests.faults.cuts import in_response
from tests.faults.fault import ENDINGS, NOT_SENT, RESULT, TIMED_OUT_THERE, Act, Fault, Perform, close, sends
from tests.faults.wrong_responses import corrupt, in_events, statuses
from tests.support.loopback import Exchange


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
        Fault("before the connection", "refuses it", _nothing(close, acts=False), NOT_SENT, moment="listen"),
        *(
            Fault(stage, name, _unread(end), outcome, moment="accept")
            for name, (end, outcome) in ENDINGS.items()
        ),
        Fault(stage, "answers 408", early_answer, TIMED_OUT_THERE, moment="accept"),
    ]


def _after_request() -> list[Fault]:
    return [
        Fault(f"after the request, {when} it is carried out", name, _nothing(end, acts=acts), outcome)
        for when, acts in (("before", False), ("after", True))
        for name, (end, outcome) in ENDINGS.items()
    ]


def _between_requests() -> list[Fault]:
    stage = "between two requests"
    stolen = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"

    return [
        *(
            Fault(stage, name, sends(lambda answer: answer.sized(), ENDINGS[name][0]), RESULT)
            for name in list(ENDINGS)[:3]
        ),
        Fault(stage, "has answered twice", sends(lambda answer: answer.sized() + stolen), RESULT),
        Fault(stage, "has sent a line too many", sends(lambda answer: answer.sized() + b"\r\n"), RESULT),
    ]


FAULTS = (
    *_without_request(),
    *_after_request(),
    *in_response(),
    *corrupt(),
    *statuses(),
    *in_events(),
    *_between_requests(),
)
"""Every fault, in the order of the stages."""
