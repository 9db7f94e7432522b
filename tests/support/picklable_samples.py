"""One of every public value and every error, as they go from one process to another."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import attrs

from buntime import (
    APIConnectionError,
    APIResponse,
    BuntimeError,
    CassetteMismatchError,
    ExecuteRequest,
    ExecuteResult,
    ExecutionFailedError,
    FileInfo,
    InvalidResponseError,
    JavaScriptError,
    KillResult,
    Outcome,
    ProcessLogs,
    RateLimit,
    RateLimitError,
    ResourceLimits,
    SessionFileNotFoundError,
    SessionInfo,
    StreamEvent,
    TransferResult,
    WriteResult,
    errors,
)
from buntime.transport import Headers

VALUES: list[Any] = [
    APIResponse(200, Headers({"A": "b"}), b"{}"),
    ExecuteRequest("1", env={"A": "b"}, files={"a": "b"}, session_id="ses_1"),
    ExecuteResult("out", "err", 0, files_written=("a",), extra={"x": 1}),
    FileInfo("a", 1, None, "file"),
    KillResult(1, (7,)),
    Outcome("item", 15),
    ProcessLogs("out", "err", 3, 3),
    RateLimit(1, 2, 3),
    ResourceLimits(memory=1),
    SessionInfo("ses_1", metadata={"a": 1}),
    StreamEvent("stdout", "hi"),
    TransferResult(("a",), 1, ("b",), 9),
    WriteResult("a", 1),
]

CLASSES = sorted(
    (value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, BuntimeError)),
    key=lambda kind: kind.__name__,
)

_OWN: dict[type[BuntimeError], dict[str, Any]] = {
    APIConnectionError: {"phase": "send"},
    InvalidResponseError: {"body": b"<html>"},
    RateLimitError: {"rate_limit": RateLimit(1, 0, 5)},
    ExecutionFailedError: {"result": ExecuteResult("out", "err", 3, extra={"x": 1})},
    JavaScriptError: {"name": "TypeError", "stack": "at [stdin]:1"},
    CassetteMismatchError: {"reason": "body", "closest": "-a\n+b"},
    SessionFileNotFoundError: {"path": "a.txt"},
}


class OrderError(BuntimeError):
    """A user's own error, made in a way of its own."""

    def __init__(self, order: int, *, reason: str) -> None:
        super().__init__(f"order {order} failed", code="order", details={"reason": reason})
        self.order = order
        self.reason = reason


class LostInvoiceError(SessionFileNotFoundError):
    """One that is an OSError, too, which Python makes in a way of its own."""

    def __init__(self, customer: str, year: int, month: int, *, copies: int) -> None:
        super().__init__(f"no invoice of {customer}", path=f"{customer}/{year}/{month}.pdf")
        self.copies = copies


class _StayingError(Exception):
    """What an HTTP library may raise: it holds what stays in its process."""

    def __init__(self) -> None:
        super().__init__("a connection broke")
        self.lock = threading.Lock()


def made(kind: type[BuntimeError]) -> BuntimeError:
    """Return an error that says all it can."""
    own: dict[str, Any] = {}
    for base, fields in _OWN.items():
        own.update(fields if issubclass(kind, base) else {})
    error = kind(
        "it failed",
        code="some_code",
        status=499,
        details={"limit": 1},
        retry_after=1.5,
        request_id="req_1",
        maybe_executed=True,
        **own,
    )
    error.call, error.attempts = "POST /execute", 2
    return error


def all_errors() -> list[BuntimeError]:
    """Return one of every class, and those of a user's own."""
    found = [
        *map(made, CLASSES),
        OrderError(7, reason="paper"),
        LostInvoiceError("ada", 1843, 7, copies=2),
    ]
    for error in found:
        # What ``add_note`` does, on Python 3.9 too.
        vars(error)["__notes__"] = ["while the orders were printed"]
    return found


def said(error: BaseException) -> dict[str, Any]:
    """Return everything that an error says, but where it was raised."""
    found = {"type": type(error), "args": error.args, "vars": vars(error), "str": str(error)}
    if isinstance(error, OSError):
        found["os"] = (error.errno, error.strerror, error.filename, error.filename2)
    return found


def shown(value: Any) -> object:
    """Return everything that a value says, also what does not count where two are compared."""
    names = [field.name for field in attrs.fields(type(value))]
    return type(value), repr(value), {name: getattr(value, name) for name in names}


def fail(number: int) -> None:
    """Raise an error, because of another that does not pickle."""
    raise all_errors()[number] from _StayingError()


def same(value: Any) -> Any:
    """Return what was passed."""
    return value
