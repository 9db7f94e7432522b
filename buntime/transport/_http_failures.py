"""What went wrong in requests or urllib3, told as one of buntime's two connection errors."""

from __future__ import annotations

import http.client
import socket
import ssl
import traceback
from collections.abc import Iterator, Sequence
from typing import Optional

import attrs
import requests
import urllib3.exceptions

from buntime._http import Request
from buntime.errors import APIConnectionError, APITimeoutError, Phase

FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
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
_CONNECTING = {
    ("requests.adapters", "cert_verify"),
    ("urllib3.connectionpool", "_prepare_proxy"),
    ("urllib3.connectionpool", "_validate_conn"),
}
_SENDING = ("urllib3.connection", "request")


@attrs.frozen
class Failure:
    """A failed exchange: the errors from the outermost to the innermost, and whom they are about."""

    errors: Sequence[BaseException]
    peer: str
    request: Request

    def at_send(self) -> APIConnectionError:
        """Return the error for an exchange without an answer."""
        phase = self._phase()
        if self._timed_out():
            waited = self.request.read_timeout if phase == "read" else self.request.connect_timeout
            return APITimeoutError(
                _TIMED_OUT[phase].format(peer=self.peer, waited=_seconds(waited)), phase=phase
            )
        return APIConnectionError(f"{_LOST[phase].format(peer=self.peer)} ({self._reason()})", phase=phase)

    def at_read(self) -> APIConnectionError:
        """Return the error for an answer whose body did not arrive whole."""
        if self._timed_out():
            waited = _seconds(self.request.read_timeout)
            return APITimeoutError(f"{self.peer} sent nothing more for {waited}", phase="read")
        if self._has((urllib3.exceptions.DecodeError, requests.exceptions.ContentDecodingError)):
            return APIConnectionError(
                f"the answer from {self.peer} is not encoded as its Content-Encoding says", phase="read"
            )
        return APIConnectionError(f"the answer from {self.peer} was cut off ({self._reason()})", phase="read")

    def _phase(self) -> Phase:
        if self._has(_NEVER_SENT):
            return "connect"
        frames = {frame for error in self.errors for frame in _frames(error)}
        if frames & _CONNECTING:
            return "connect"
        return "send" if _SENDING in frames else "read"

    def _timed_out(self) -> bool:
        refused = urllib3.exceptions.NewConnectionError
        kinds = (requests.Timeout, urllib3.exceptions.TimeoutError, socket.timeout)
        return any(isinstance(error, kinds) and not isinstance(error, refused) for error in self.errors)

    def _has(self, kinds: tuple[type[BaseException], ...]) -> bool:
        return any(isinstance(error, kinds) for error in self.errors)

    def _reason(self) -> str:
        innermost = self.errors[-1]
        if isinstance(innermost, ssl.SSLCertVerificationError):
            return f"certificate verification failed: {innermost.verify_message}"
        if isinstance(innermost, http.client.RemoteDisconnected):
            return "the connection was closed"
        if isinstance(innermost, OSError):
            shown = innermost.strerror or str(innermost)
            if innermost.strerror or shown.startswith("Tunnel connection failed"):
                return shown.rstrip(".")
        return type(innermost).__name__


_TIMED_OUT: dict[Phase, str] = {
    "connect": "connecting to {peer} took longer than {waited}",
    "send": "sending the request to {peer} stood still for {waited}",
    "read": "{peer} did not answer within {waited}",
}
_LOST: dict[Phase, str] = {
    "connect": "could not connect to {peer}",
    "send": "the connection to {peer} was lost while the request was sent",
    "read": "the connection to {peer} was lost before the answer",
}


def failure(error: BaseException, peer: str, request: Request) -> Failure:
    """Return what can be known about ``error``; ``peer`` names the service in messages."""
    return Failure(tuple(_unwrap(error)), peer, request)


def _seconds(waited: Optional[float]) -> str:
    return "the time allowed" if waited is None else f"{waited:g} s"


def _unwrap(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], {id(error)}
    while pending:
        current = pending.pop(0)
        yield current
        for inner in _inner(current):
            if id(inner) not in seen:
                seen.add(id(inner))
                pending.append(inner)


def _inner(error: BaseException) -> Iterator[BaseException]:
    """Yield what ``error`` wraps, and nothing that merely was being handled when it was raised.

    An error's ``__context__`` may be the caller's: that of an earlier attempt. urllib3's own timeouts
    are raised nowhere but in the handler of their cause, and urllib3 1.26 says it only there.
    """
    related = [*error.args, getattr(error, "reason", None), getattr(error, "original_error", None)]
    related.append(error.__cause__)
    if isinstance(error, urllib3.exceptions.TimeoutError):
        related.append(error.__context__)
    yield from (item for item in related if isinstance(item, BaseException))


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield frame.f_globals.get("__name__", ""), frame.f_code.co_name
