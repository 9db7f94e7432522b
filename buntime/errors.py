"""The exceptions of buntime.

::

    BuntimeError
    ├── ConfigurationError            a bad or missing setting, before any I/O
    ├── APIConnectionError            no answer arrived
    │   └── APITimeoutError           ... in the time allowed
    ├── InvalidResponseError          an answer arrived and is not the API's
    ├── APIStatusError                the service said no
    │   ├── InvalidRequestError           400
    │   ├── AuthenticationError           401
    │   ├── PermissionDeniedError         403
    │   ├── NotFoundError                 404
    │   │   ├── SessionNotFoundError
    │   │   └── SessionFileNotFoundError      also a builtin FileNotFoundError
    │   ├── RequestTimeoutError           408
    │   ├── ConflictError                 409
    │   ├── RateLimitError                429
    │   └── ServerError                   5xx
    │       └── ResourceLimitError        507
    ├── ExecutionFailedError          raised by check(): carries the result
    │   ├── ExecutionTimeoutError         the execution reached its time limit
    │   └── JavaScriptError               a function that was called threw
    ├── WaitTimeoutError              what was waited for did not happen; also a builtin TimeoutError
    └── CassetteError                 a cassette cannot be used
        └── CassetteMismatchError         it holds no answer to this request

Every error pickles, so it survives a process pool.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Literal, Optional

if TYPE_CHECKING:
    from buntime.models import ExecuteResult, RateLimit

Phase = Literal["connect", "send", "read"]
"""Where a connection failed: before, while or after the request was sent."""


class BuntimeError(Exception):
    """The base of every error that buntime raises on purpose.

    ``message`` says what happened. ``str(error)`` adds the call it happened to, the number of
    attempts and what to do next.
    """

    hint: str = ""
    """What to do next."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: Any = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        maybe_executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The service's own error code, such as ``"session_not_found"``."""
        self.status = status
        """The HTTP status of the answer, or ``None`` where there was none."""
        self.details = details
        """The ``details`` object of the error body, as decoded from JSON."""
        self.retry_after = retry_after
        """Seconds after which the service asks to be tried again."""
        self.request_id = request_id
        """The ``X-Request-Id`` of the answer, for the service's support."""
        self.attempts = 0
        """How many times the call was sent, or tried to be."""
        self.maybe_executed = maybe_executed
        """Whether the service may have acted on the call although it failed."""
        self.call: str | None = None
        """The call that failed, such as ``"POST /execute"``."""

    def __str__(self) -> str:
        text = f"{self.call}: {self.message}" if self.call else self.message
        if self.attempts:
            text += f" (after {self.attempts} attempt{'s' if self.attempts > 1 else ''})"
        if self.request_id:
            text += f" (request id {self.request_id})"
        if self.maybe_executed:
            text += " [the service may have acted on it]"
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[BuntimeError], args: tuple[Any, ...], state: dict[str, Any]) -> BuntimeError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(BuntimeError):
    """A setting is missing or wrong; nothing was sent."""


class APIConnectionError(BuntimeError):
    """No answer arrived: the connection could not be made, or it was lost.

    ``phase`` is ``"connect"`` where nothing can have reached the service, else ``"send"`` or
    ``"read"``. The HTTP library's own exception is ``__cause__``.
    """

    hint = "Check the network, the proxy settings and the base URL"

    def __init__(self, message: str, *, phase: Phase = "connect", **fields: Any) -> None:
        fields.setdefault("maybe_executed", phase != "connect")
        super().__init__(message, **fields)
        self.phase: Phase = phase


class APITimeoutError(APIConnectionError):
    """The network or the service took longer than the ``timeout`` or ``deadline`` allowed."""

    hint = "Raise timeout= or deadline= if the service needs longer"


class InvalidResponseError(BuntimeError):
    """An answer arrived that is not the API's: an HTML page, cut JSON, a missing field, a 3xx.

    ``body`` holds the first bytes of it, at most 500.
    """

    hint = "Check that the base URL is the API's and that no proxy answers in its place"

    def __init__(self, message: str, *, body: bytes = b"", **fields: Any) -> None:
        fields.setdefault("maybe_executed", True)
        super().__init__(message, **fields)
        self.body = body


class APIStatusError(BuntimeError):
    """The service answered with an error status."""

    hint = "See the service's documentation for this status and code"


class InvalidRequestError(APIStatusError):
    """400: the service refused the parameters."""

    hint = "Correct the argument that the message names"


class AuthenticationError(APIStatusError):
    """401: the API key is missing, wrong or revoked."""

    hint = "Check BUNTIME_API_KEY, or pass api_key="


class PermissionDeniedError(APIStatusError):
    """403: the API key may not do this."""

    hint = "Check the permissions and the plan of the API key"


class NotFoundError(APIStatusError):
    """404: what the call names does not exist."""

    hint = "Check what the call names, and that the base URL is the API's"


class SessionNotFoundError(NotFoundError):
    """404: the session does not exist, was deleted, or has expired."""

    hint = "Create a new session; a session ends with its ttl"


class SessionFileNotFoundError(NotFoundError, FileNotFoundError):
    """404: the session has no such file. Also a builtin ``FileNotFoundError``."""

    hint = "See files.list() for what the session holds"

    def __init__(self, message: str, *, path: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.errno = errno.ENOENT
        self.strerror = message
        self.filename = path

    def __reduce__(self) -> tuple[Any, ...]:
        oserror = {"errno": self.errno, "strerror": self.strerror, "filename": self.filename}
        return _restore_file_error, (type(self), self.args, {**self.__dict__}, oserror)


def _restore_file_error(
    cls: type[SessionFileNotFoundError], args: tuple[Any, ...], state: dict[str, Any], oserror: dict[str, Any]
) -> BuntimeError:
    error = _restore(cls, args, state)
    for name, value in oserror.items():
        setattr(error, name, value)
    return error


class RequestTimeoutError(APIStatusError):
    """408: the service took too long over the request."""

    hint = "Try again, or ask for less at once"


class ConflictError(APIStatusError):
    """409: the call contradicts an earlier one, such as an idempotency key with another body."""

    hint = "Use a new idempotency key for other arguments"


class RateLimitError(APIStatusError):
    """429: too many requests. ``retry_after`` says when to try again, in seconds."""

    hint = "Wait for retry_after seconds, or raise max_retries="

    def __init__(self, message: str, *, rate_limit: Optional[RateLimit] = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.rate_limit = rate_limit
        """The :class:`~buntime.RateLimit` of the refusing answer, if it sent one."""


class ServerError(APIStatusError):
    """5xx: the service failed."""

    hint = "Try again later"


class ResourceLimitError(ServerError):
    """507: the execution or the session reached a resource limit (memory, disk)."""

    hint = "Use less memory or disk, or create the session with larger resource_limits="


class ExecutionFailedError(BuntimeError):
    """An execution ended with a non-zero exit code and ``check`` was asked for."""

    def __init__(self, message: str, *, result: Optional[ExecuteResult] = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.result = result
        """The :class:`~buntime.ExecuteResult`, or ``None`` where the service sent none."""


class ExecutionTimeoutError(ExecutionFailedError):
    """An execution reached its time limit and was ended."""

    hint = "Raise the execution's timeout=, or make the code do less at once"


class JavaScriptError(ExecutionFailedError):
    """A JavaScript function threw: ``message`` and ``name`` are its error's.

    ``stack`` is the error's, in the lines of the function as it was passed, or of the workspace's files.
    ``details`` has its ``code`` and ``cause`` where it has them, ``result`` the output of the function.
    """

    def __init__(self, message: str, *, name: str = "Error", stack: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.name = name
        """The name of what was thrown, such as ``"TypeError"``; the type of what is no error."""
        self.stack = stack
        """The error's title and, one a line, where it was thrown; ``""`` for what is no error."""

    def __str__(self) -> str:
        thrown = self.stack or f"{self.name}: {self.message}"
        return f"the function failed with {thrown}" if self.call is None else f"{super().__str__()}\n{thrown}"


class WaitTimeoutError(BuntimeError, TimeoutError):
    """What was waited for in a session did not happen in time. Also a builtin ``TimeoutError``."""

    hint = "Wait longer with timeout=, and look at the logs() of the process"


class CassetteError(BuntimeError):
    """A cassette is missing, cannot be read, or may not be written."""


class CassetteMismatchError(CassetteError):
    """A cassette holds no answer to the request.

    ``reason`` says why in a word; ``closest`` shows the difference to the nearest recording.
    """

    def __init__(self, message: str, *, reason: str = "", closest: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.reason = reason
        self.closest = closest
