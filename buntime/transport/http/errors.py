"""The errors of requests, urllib3 and sockets as buntime's two connection errors."""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator
from typing import Any, Optional

import requests
import urllib3.exceptions

from buntime.errors import APIConnectionError, APITimeoutError, Phase
from buntime.transport.http.connection import Attempt

_BAD_CERTIFICATE = "certificate verification failed"
_NO_TUNNEL = "Tunnel connection failed:"
_HINT_OF_CERTIFICATES = (
    "If the network's own authority signs certificates, name the file of its certificates in "
    "REQUESTS_CA_BUNDLE, or pass it as verify= to the HTTPTransport"
)
_HINT_OF_PROXIES = (
    "The proxy asks for a user name and password: put them into its URL, http://USER:PASSWORD@HOST"
)

FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    zlib.error,
    OSError,
)
"""Every class that requests, urllib3 and the sockets below them raise for a failed exchange."""

_NEVER_SENT = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.ClosedPoolError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.LocationValueError,
)
_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, socket.timeout)
_NOT_DECODED = (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError, zlib.error)
_TIMED_OUT: dict[Phase, str] = {
    "connect": "connecting to {} took longer than {}",
    "send": "sending the request to {} stood still for {}",
    "read": "{} did not answer within {}",
}
_LOST: dict[Phase, str] = {
    "connect": "could not connect to {}",
    "send": "the connection to {} was lost while the request was sent",
    "read": "the connection to {} was lost before the answer",
}


class UnknownEncodingError(urllib3.exceptions.DecodeError):
    """A Content-Encoding that the request does not accept. Two in a row can hide a gigabyte in a kilobyte."""


def error_at_send(error: BaseException, attempt: Attempt) -> APIConnectionError:
    """Return the error for an exchange without a response."""
    causes = list(_unwrap(error))
    phase = attempt.phase
    if phase is None:  # Not by one of our connections, so "connect" only if nothing can have been sent.
        phase = "connect" if any(isinstance(cause, _NEVER_SENT) for cause in causes) else "read"
    refused = urllib3.exceptions.NewConnectionError  # of urllib3's timeouts this one is not a timeout
    if any(isinstance(cause, _TIMEOUTS) and not isinstance(cause, refused) for cause in causes):
        request = attempt.request
        timeout = request.read_timeout if phase == "read" else request.connect_timeout
        return _timed_out(attempt, phase, _TIMED_OUT[phase], timeout)
    reason = _reason(causes[-1])
    failure = APIConnectionError(f"{_LOST[phase].format(attempt.peer)} ({reason})", phase=phase)
    if reason.startswith(_BAD_CERTIFICATE):
        failure.hint = _HINT_OF_CERTIFICATES
    elif reason.startswith(f"{_NO_TUNNEL} 407"):
        failure.hint = _HINT_OF_PROXIES
    return failure


def error_at_read(error: BaseException, attempt: Attempt) -> APIConnectionError:
    """Return the error for a response whose body did not arrive whole."""
    causes = list(_unwrap(error))
    if any(isinstance(cause, _TIMEOUTS) for cause in causes):
        return _timed_out(attempt, "read", "{} sent nothing more for {}", attempt.request.read_timeout)
    problem = f"was cut off ({_reason(causes[-1])})"
    if isinstance(error, UnknownEncodingError):
        problem = f"is encoded as {error.args[0]!r}, which was not asked for"
    elif any(isinstance(cause, _NOT_DECODED) for cause in causes):
        problem = "is not encoded as its Content-Encoding says"
    return APIConnectionError(f"the answer from {attempt.peer} {problem}", phase="read")


def _timed_out(attempt: Attempt, phase: Phase, message: str, timeout: Optional[float]) -> APITimeoutError:
    text = message.format(attempt.peer, "the time allowed" if timeout is None else f"{timeout:g} s")
    if attempt.remaining() <= 0:
        text = f"the call to {attempt.peer} did not end in time (it was in its phase {phase!r})"
    return APITimeoutError(text, phase=phase)


def _reason(innermost: BaseException) -> str:
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return f"{_BAD_CERTIFICATE}: {innermost.verify_message}"
    if isinstance(innermost, http.client.RemoteDisconnected):
        return "the connection was closed"
    if isinstance(innermost, requests.RequestException):  # of a test double, or of the user's adapter
        return str(innermost) or type(innermost).__name__
    if isinstance(innermost, OSError):
        text = innermost.strerror or str(innermost)
        if innermost.strerror or text.startswith(_NO_TUNNEL):
            return text.rstrip(".")
    return str(innermost) if type(innermost) is http.client.HTTPException else type(innermost).__name__


def _unwrap(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and the errors in it, the innermost last, and none that was merely being handled.

    An error's ``__context__`` may be the caller's: that of an earlier attempt. urllib3's own timeouts
    are raised only in the handler of their cause, and urllib3 1.26 keeps it nowhere else.
    """
    yield error
    inner = _inner(error)
    if isinstance(error, urllib3.exceptions.TimeoutError):
        inner.append(error.__context__)
    for item in inner:
        if isinstance(item, BaseException):
            yield from _unwrap(item)


def _inner(error: BaseException) -> list[Any]:
    attributes = (getattr(error, "reason", None), getattr(error, "original_error", None))
    return [*error.args, *attributes, error.__cause__]


def drop_tracebacks(error: BaseException, handled: Optional[BaseException]) -> None:
    """Take the frames off ``error`` and the errors behind it, up to one that was handled before.

    http.client's hold the bytes that it sent, with the key or the password of a proxy, and error reporters
    show the variables of frames.
    """
    pending: list[Any] = [error]
    known = {id(handled)}
    while pending:
        current = pending.pop()
        if isinstance(current, BaseException) and id(current) not in known:
            known.add(id(current))
            current.__traceback__ = None
            pending += [*_inner(current), current.__context__]
