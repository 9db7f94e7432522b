"""Faults in what the server sends: errors, responses of other senders, corrupt bytes and events."""

from __future__ import annotations

import gzip
from typing import Callable

import attrs

from tests.faults.fault import (
    FAILED,
    INVALID,
    LOST,
    RATE_LIMITED,
    RESULT,
    UNAVAILABLE,
    Act,
    Fault,
    close,
    sends,
)
from tests.faults.service import Answer


def _status(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Act:
    return lambda exchange, _: exchange.reply(status, body, headers)


def _error(status: int, code: str) -> Act:
    body = b'{"error": {"code": "%s", "message": "scripted"}}' % code.encode()
    return _status(status, body, ("Content-Type", "application/json"), ("Retry-After", "0"))


_PAGE = b"<html><title>A proxy</title></html>"
_HTML = ("Content-Type", "text/html")


def statuses() -> list[Fault]:
    """Return the responses that are an error, of the service or of another sender."""
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


def corrupt() -> list[Fault]:
    """Return the responses that are not valid, at each stage."""
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
            sends(lambda a: b"HTTP/1.1 OK" + a.sized()[8:]),
            LOST,
        ),
        Fault(
            "in the headers",
            "there are too many",
            sends(lambda a: a.head(*[("X", "y")] * 200)),
            LOST,
        ),
        Fault(
            "in the headers",
            "Content-Length is too large",
            sends(lambda a: a.sized(10**6), close),
            LOST,
            RESULT,
        ),
        Fault(
            "in the headers",
            "Content-Length is too small",
            sends(lambda a: a.sized(len(a.body) // 2)),
            INVALID,
            LOST,
        ),
        Fault(
            "in the headers",
            "both Content-Length and chunks",
            sends(lambda a: a.head(*both) + a.chunked().partition(b"\r\n\r\n")[2] + b"\r\n"),
            RESULT,
        ),
        Fault(
            "in the headers",
            "Content-Encoding is gzip, and the body is not",
            sends(lambda a: encoded(a, "gzip", a.body)),
            LOST,
        ),
        Fault(
            "in the headers",
            "Content-Encoding was not asked for",
            sends(lambda a: encoded(a, "br", a.body)),
            LOST,
        ),
        Fault(
            "in an interim response (103)",
            "is followed by 1,000 others",
            sends(lambda a: b"HTTP/1.1 103 Hints\r\n\r\n" * 1001 + a.sized(), close),
            LOST,
        ),
        Fault(
            "in an interim response (103)",
            "is 101 (another protocol)",
            sends(lambda a: b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n" + a.sized(), close),
            LOST,
        ),
        Fault("in the body", "half of it is missing", sends(lambda a: short(a).sized()), INVALID, LOST),
        Fault(
            "in the body",
            "it is not JSON",
            sends(lambda a: attrs.evolve(a, body=b"\xff" + a.body[1:-1]).sized()),
            INVALID,
            LOST,
        ),
        Fault(
            "in the body",
            "it is JSON of another form",
            sends(lambda a: attrs.evolve(a, body=b"[1]").sized()),
            INVALID,
            LOST,
        ),
        Fault(
            "in the body",
            "its gzip breaks off",
            sends(lambda a: encoded(a, "gzip", gzip.compress(a.body)[:-12])),
            INVALID,
            LOST,
        ),
        Fault("in a chunk", "its size is not a number", sends(replaced(b"\r\n\r\n", b"\r\n\r\nzz")), LOST),
        Fault(
            "in a chunk",
            "its size is too large",
            sends(replaced(b"\r\n\r\n", b"\r\n\r\nf"), close),
            LOST,
            RESULT,
        ),
    ]


def in_events() -> list[Fault]:
    """Return the faults in the events of a stream; the framing of HTTP is complete."""

    def events(change: Callable[[list[bytes]], list[bytes]]) -> Act:
        def make(answer: Answer) -> bytes:
            parts = answer.body.split(b"\n\n")[:-1]
            return attrs.evolve(answer, body=b"".join(part + b"\n\n" for part in change(parts))).sized()

        return sends(make)

    stage = "in an event of a stream"
    return [
        Fault(stage, "breaks off", events(lambda parts: [parts[0], parts[1][:12]]), LOST, only_streams=True),
        Fault(stage, "the result is missing", events(lambda parts: parts[:-1]), LOST, only_streams=True),
        Fault(stage, "the result comes twice", events(lambda p: [*p, p[-1]]), RESULT, only_streams=True),
        Fault(stage, "output after the result", events(lambda p: [*p, p[0]]), RESULT, only_streams=True),
    ]
