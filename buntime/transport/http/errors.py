"""The errors of requests, urllib3 and sockets as buntime's two connection errors."""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator
from typing import Optional

import requests
from requests.exceptions import ContentDecodingError, InvalidSchema, InvalidURL, MissingSchema
from urllib3 import exceptions

from buntime.errors import APIConnectionError, APITimeoutError
from buntime.transport.http.connection import Attempt

_BAD_CERTIFICATE = "certificate verification failed"
_NO_TUNNEL = "Tunnel connection failed:"
_HINTS = {
    _BAD_CERTIFICATE: "If the network's own authority signs certificates, name the file of its certificates "
    "in REQUESTS_CA_BUNDLE, or pass it as verify= to the HTTPTransport",
    f"{_NO_TUNNEL} 407": "The proxy asks for a user name and password: put them into its URL, "
    "http://USER:PASSWORD@HOST",
}
"""By the beginning of the reason."""
_MESSAGES = {
    "connect": ("connecting to {} took longer than {}", "could not connect to {}"),
    "send": (
        "sending the request to {} stood still for {}",
        "the connection to {} was lost while the request was sent",
    ),
    "read": ("{} did not answer within {}", "the connection to {} was lost before the answer"),
    "body": ("{} sent nothing more for {}", "the answer from {} was cut off"),
}
"""By the stage of the attempt: of a timeout, and of any other failure."""

FAILURES = (
    requests.RequestException,
    exceptions.HTTPError,
    http.client.HTTPException,
    zlib.error,
    OSError,
)
"""Every class that requests, urllib3 and the sockets below them raise for a failed exchange."""
_OF_REQUESTS = (requests.ConnectTimeout, InvalidSchema, InvalidURL, MissingSchema)
_OF_URLLIB3 = (exceptions.ClosedPoolError, exceptions.ConnectTimeoutError, exceptions.LocationValueError)
_NEVER_SENT = (*_OF_REQUESTS, *_OF_URLLIB3)
_TIMEOUTS = (requests.Timeout, exceptions.TimeoutError, socket.timeout)
_NOT_DECODED = (ContentDecodingError, exceptions.DecodeError, zlib.error)


def connection_error(error: BaseException, attempt: Attempt) -> APIConnectionError:
    """Return the error for an exchange without a complete response, by how far the attempt came."""
    causes = list(_unwrap(error))

    def is_any(*kinds: type[BaseException], but: tuple[type[BaseException], ...] = ()) -> bool:
        return any(isinstance(cause, kinds) and not isinstance(cause, but) for cause in causes)

    # Not by one of our connections, it is "connect" only if nothing can have been sent.
    stage = attempt.stage or ("connect" if is_any(*_NEVER_SENT) else "read")
    phase = "read" if stage == "body" else stage
    timed_out, lost = _MESSAGES[stage]
    # Of urllib3's timeouts this one is not a timeout.
    if is_any(*_TIMEOUTS, but=(exceptions.NewConnectionError,)):
        timeout = attempt.read_timeout if phase == "read" else attempt.connect_timeout
        text = timed_out.format(attempt.peer, "the time allowed" if timeout is None else f"{timeout:g} s")
        if attempt.remaining() <= 0:
            text = f"the call to {attempt.peer} did not end in time (it was in its phase {phase!r})"
        return APITimeoutError(text, phase=phase)
    reason = _reason(causes[-1])
    text = f"{lost.format(attempt.peer)} ({reason})"
    if stage == "body" and is_any(*_NOT_DECODED):
        text = f"the answer from {attempt.peer} is not encoded as its Content-Encoding says"
    failure = APIConnectionError(text, phase=phase)
    failure.hint = next((hint for start, hint in _HINTS.items() if reason.startswith(start)), failure.hint)
    return failure


def _reason(innermost: BaseException) -> str:
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return f"{_BAD_CERTIFICATE}: {innermost.verify_message}"
    if isinstance(innermost, http.client.RemoteDisconnected):
        return "the connection was closed"
    text = str(innermost)
    if not isinstance(innermost, requests.RequestException):  # of a test double, or of the user's adapter
        if isinstance(innermost, OSError) and innermost.strerror:
            text = innermost.strerror
        elif type(innermost) is not http.client.HTTPException and not text.startswith(_NO_TUNNEL):
            text = ""
    return text.rstrip(".") or type(innermost).__name__


def _unwrap(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and the errors in it, the innermost last, and none that was merely being handled.

    An error's ``__context__`` may be the caller's: that of an earlier attempt. urllib3's own timeouts
    are raised only in the handler of their cause, and urllib3 1.26 keeps it nowhere else.
    """
    yield error
    inner = [getattr(error, name, None) for name in ("reason", "original_error", "__cause__")]
    if isinstance(error, exceptions.TimeoutError):
        inner.append(error.__context__)
    for item in (*error.args, *inner):
        if isinstance(item, BaseException):
            yield from _unwrap(item)


def drop_tracebacks(error: object, handled: Optional[BaseException]) -> None:
    """Take the frames off ``error`` and the errors behind it, up to one that was handled before.

    http.client's hold the bytes that it sent, with the key or the password of a proxy, and error reporters
    show the variables of frames.
    """
    if isinstance(error, BaseException) and error is not handled and error.__traceback__ is not None:
        error.__traceback__ = None
        for inner in (*error.args, error.__cause__, error.__context__):
            drop_tracebacks(inner, handled)
