"""One of every public value and every error, for passing between processes."""

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
    FetchResponse,
    FileEvent,
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
    SnapshotResult,
    StreamEvent,
    TransferResult,
    WriteResult,
    errors,
)
from buntime.transport import Headers

VALUES: list[Any] = [
    FetchResponse(200, {"content-type": "text/plain"}, b"ok"),
    APIResponse(200, Headers({"A": "b"}), b"{}"),
    ExecuteRequest("1", env={"A": "b"}, files={"a": "b"}, session_id="ses_1"),
    ExecuteResult("out", "err", 0, files_written=("a",), extra={"x": 1}),
    FileEvent("created", "a"),
    FileInfo("a", 1, None, "file"),
    KillResult(1, (7,)),
    Outcome("item", 15),
    ProcessLogs("out", "err", 3, 3),
    RateLimit(1, 2, 3),
    ResourceLimits(memory=1),
    SessionInfo("ses_1", metadata={"a": 1}),
    StreamEvent("stdout", "hi"),
    SnapshotResult(1, 2, ("a",), ("b",)),
    TransferResult(("a",), 1, ("b",), 9),
    WriteResult("a", 1),
]

CLASSES = sorted(
    (value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, BuntimeError)),
    key=lambda kind: kind.__name__,
)

_ATTRIBUTES: dict[type[BuntimeError], dict[str, Any]] = {
    APIConnectionError: {"phase": "send"},
    InvalidResponseError: {"body": b"<html>"},
    RateLimitError: {"rate_limit": RateLimit(1, 0, 5)},
    ExecutionFailedError: {"result": ExecuteResult("out", "err", 3, extra={"x": 1})},
    JavaScriptError: {"name": "TypeError", "stack": "at [stdin]:1"},
    CassetteMismatchError: {"reason": "body", "closest": "-a\n+b"},
    SessionFileNotFoundError: {"path": "a.txt"},
}


class OrderError(BuntimeError):
    """A user-defined error with other constructor arguments."""

    def __init__(self, order: int, *, reason: str) -> None:
        super().__init__(f"order {order} failed", code="order", details={"reason": reason})
        self.order = order
        self.reason = reason


class LostInvoiceError(SessionFileNotFoundError):
    """A user-defined error that is also an OSError, which Python constructs in a special way."""

    def __init__(self, customer: str, year: int, month: int, *, copies: int) -> None:
        super().__init__(f"no invoice of {customer}", path=f"{customer}/{year}/{month}.pdf")
        self.copies = copies


class _UnpicklableError(Exception):
    """An error of an HTTP library that holds an object which cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("a connection broke")
        self.lock = threading.Lock()


def make_error(kind: type[BuntimeError]) -> BuntimeError:
    """Return an error with every attribute set."""
    attributes: dict[str, Any] = {}
    for base, fields in _ATTRIBUTES.items():
        attributes.update(fields if issubclass(kind, base) else {})
    error = kind(
        "it failed",
        code="some_code",
        status=499,
        details={"limit": 1},
        retry_after=1.5,
        request_id="req_1",
        maybe_executed=True,
        **attributes,
    )
    error.call, error.attempts = "POST /execute", 2
    return error


def all_errors() -> list[BuntimeError]:
    """Return one error of every class, and user-defined ones."""
    samples = [
        *map(make_error, CLASSES),
        OrderError(7, reason="paper"),
        LostInvoiceError("ada", 1843, 7, copies=2),
    ]
    for error in samples:
        # The effect of ``add_note``, which Python 3.9 lacks.
        vars(error)["__notes__"] = ["while the orders were printed"]
    return samples


def error_state(error: BaseException) -> dict[str, Any]:
    """Return the whole state of an error, except its traceback."""
    state = {"type": type(error), "args": error.args, "vars": vars(error), "str": str(error)}
    if isinstance(error, OSError):
        state["os"] = (error.errno, error.strerror, error.filename, error.filename2)
    return state


def value_state(value: Any) -> object:
    """Return the whole state of a value, including fields that comparison ignores."""
    names = [field.name for field in attrs.fields(type(value))]
    return type(value), repr(value), {name: getattr(value, name) for name in names}


def fail(number: int) -> None:
    """Raise an error whose cause cannot be pickled."""
    raise all_errors()[number] from _UnpicklableError()


def same(value: Any) -> Any:
    """Return the argument."""
    return value
