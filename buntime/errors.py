"""The exceptions of buntime.

::

    BuntimeError
    ├── ConfigurationError            a setting is missing or wrong; raised before any I/O
    ├── APIError                      a request failed; has a name and headers
    │   ├── APIConnectionError            no response arrived
    │   │   └── APITimeoutError           ... in the time allowed
    │   ├── InvalidResponseError          a response arrived that is not the API's
    │   └── APIStatusError                the service returned an error
    │       ├── InvalidRequestError           400
    │       ├── AuthenticationError           401
    │       ├── PermissionDeniedError         403
    │       ├── NotFoundError                 404
    │       │   ├── SessionNotFoundError
    │       │   └── SessionFileNotFoundError      also a builtin FileNotFoundError
    │       ├── RequestTimeoutError           408
    │       ├── ConflictError                 409
    │       ├── UnprocessableEntityError      422
    │       ├── RateLimitError                429
    │       └── ServerError                   5xx
    │           └── ResourceLimitError        507
    ├── ExecutionFailedError          raised by check(); has the result
    │   ├── ExecutionTimeoutError         the execution reached its time limit
    │   └── JavaScriptError               a JavaScript function raised an error
    ├── WaitTimeoutError              waiting in a session timed out; also a builtin TimeoutError
    └── CassetteError                 a cassette cannot be used
        └── CassetteMismatchError         it has no recording of this request

Every error pickles, so it survives a process pool.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Literal, Optional

import buntime
from buntime._error import BuntimeError as BuntimeError  # noqa: PLC0414 - exported for mypy
from buntime._support.export import export

if TYPE_CHECKING:
    from buntime._http import Headers

Phase = Literal["connect", "send", "read"]
"""When a connection failed: before, while, or after the request was sent."""


class ConfigurationError(BuntimeError):
    """A setting is missing or wrong; nothing was sent."""


class APIError(BuntimeError):
    """A request failed: no response, a response that is not the API's, or an error status."""

    should_retry: Optional[bool] = None
    """Whether the service asks clients to retry (``x-should-retry``); ``None`` if it does not say."""

    def __init__(self, message: str, **fields: Any) -> None:
        # Imported here, as every run of pytest imports this module.
        from buntime._http import Headers

        super().__init__(message, **fields)
        self.headers: Headers = Headers()
        """The headers of the response without credentials; empty if there was none."""

    @property
    def name(self) -> str:
        """The name of the error's class, as the official clients of Runloop name it."""
        kind = type(self).__name__
        return _OFFICIAL_NAMES.get(kind, kind)


_OFFICIAL_NAMES = {
    "InvalidRequestError": "BadRequestError",
    "InvalidResponseError": "APIResponseValidationError",
    "RequestTimeoutError": "APIStatusError",
    "ServerError": "InternalServerError",
}


class APIConnectionError(APIError):
    """No response arrived: the connection could not be made, or it was lost.

    ``phase`` is ``"connect"`` if nothing can have reached the service, else ``"send"`` or ``"read"``.
    ``__cause__`` is the HTTP library's own exception.
    """

    hint = "Check the network, the proxy settings and the base URL"

    def __init__(self, message: str, *, phase: Phase = "connect", **fields: Any) -> None:
        fields.setdefault("maybe_executed", phase != "connect")
        super().__init__(message, **fields)
        self.phase: Phase = phase


class APITimeoutError(APIConnectionError):
    """The network or the service took longer than the ``timeout`` or ``deadline`` allowed."""

    hint = "Raise timeout= or deadline= if the service needs longer"


class InvalidResponseError(APIError):
    """A response arrived that is not the API's: an HTML page, truncated JSON, a missing field, a 3xx.

    ``body`` is its first 500 bytes.
    """

    hint = "Check the base URL, and that no proxy responds in place of the API"

    def __init__(self, message: str, *, body: bytes = b"", **fields: Any) -> None:
        fields.setdefault("maybe_executed", True)
        super().__init__(message, **fields)
        self.body = body


class APIStatusError(APIError):
    """The service returned an error status."""

    hint = "See the service's documentation for this status and code"

    @property
    def status_code(self) -> Optional[int]:
        """The status, by its name in requests and in the official client of Runloop."""
        return self.status


class InvalidRequestError(APIStatusError):
    """400: the service rejected the parameters."""

    hint = "Correct the argument or the state that the message names"


class AuthenticationError(APIStatusError):
    """401: the API key is missing, wrong or revoked."""

    hint = "Check BUNTIME_API_KEY, or pass api_key="


class PermissionDeniedError(APIStatusError):
    """403: the API key may not do this."""

    hint = "Check the permissions and the plan of the API key"


class NotFoundError(APIStatusError):
    """404: the resource does not exist."""

    hint = "Check the names in the call, and the base URL"


class SessionNotFoundError(NotFoundError):
    """404: the session does not exist, was deleted, or has expired."""

    hint = "Create a new session; a session expires after its ttl"


class SessionFileNotFoundError(NotFoundError, FileNotFoundError):
    """404: the session has no such file. Also a builtin ``FileNotFoundError``."""

    hint = "List the session's files with files.list()"

    def __init__(self, message: str, *, path: Optional[str] = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.errno: Optional[int] = errno.ENOENT
        self.strerror: Optional[str] = message
        self.filename = path

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError keeps these three outside of __dict__.
        function, arguments, state = super().__reduce__()
        state.update(errno=self.errno, strerror=self.strerror, filename=self.filename)
        return function, arguments, state


class RequestTimeoutError(APIStatusError):
    """408: the service took too long to respond."""

    hint = "Retry, or request less per call"


class ConflictError(APIStatusError):
    """409: the call conflicts with an earlier one, such as an idempotency key with a different body."""

    hint = "Use a new idempotency key for different arguments"


class UnprocessableEntityError(APIStatusError):
    """422: the parameters are well-formed, but the service cannot use them."""

    hint = "Correct the argument named in the message"


class RateLimitError(APIStatusError):
    """429: too many requests; retry after ``retry_after`` seconds."""

    hint = "Wait for retry_after seconds, or raise max_retries="

    def __init__(
        self, message: str, *, rate_limit: Optional[buntime.RateLimit] = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.rate_limit = rate_limit
        """The :class:`~buntime.RateLimit` of the response; ``None`` if it has none."""


class ServerError(APIStatusError):
    """5xx: the service failed."""

    hint = "Retry later"


class ResourceLimitError(ServerError):
    """507: the execution or the session reached a resource limit (memory, disk)."""

    hint = "Use less memory or disk, or create the session with larger resource_limits="


class ExecutionFailedError(BuntimeError):
    """An execution with ``check`` ended with a non-zero exit code."""

    def __init__(
        self, message: str, *, result: Optional[buntime.ExecuteResult] = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.result = result
        """The :class:`~buntime.ExecuteResult`; ``None`` if the service sent none."""


class ExecutionTimeoutError(ExecutionFailedError):
    """An execution reached its time limit and was stopped."""

    hint = "Raise the execution's timeout=, or split the work"


class JavaScriptError(ExecutionFailedError):
    """A JavaScript function raised an error, which has this ``message`` and ``name``.

    ``stack`` refers to the lines of the function as it was passed, or to files of the workspace. ``details``
    holds the error's ``code`` and ``cause``, if it has them; ``result`` holds the function's output.
    """

    def __init__(self, message: str, *, name: str = "Error", stack: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.name = name
        """The error's name, such as ``"TypeError"``; for a thrown value that is not an error, its type."""
        self.stack = stack
        """The error's title and stack, one frame per line; ``""`` for a value that is not an error."""

    def _text(self) -> str:
        text = self.stack or f"{self.name}: {self.message}"
        return f"JavaScript failed with {text}" if self.call is None else f"{super()._text()}\n{text}"


class WaitTimeoutError(BuntimeError, TimeoutError):
    """Waiting in a session took longer than its ``timeout``. Also a builtin ``TimeoutError``."""

    hint = "Wait longer with timeout=, and check the process's logs()"


class CassetteError(BuntimeError):
    """A cassette is missing, cannot be read, or may not be written."""


class CassetteMismatchError(CassetteError):
    """A cassette has no recording that matches the request.

    ``reason`` is a word that explains why; ``closest`` is a diff against the nearest recording.
    """

    def __init__(
        self, message: str, *, reason: str = "", closest: Optional[str] = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.reason = reason
        self.closest = closest


for _value in list(globals().values()):
    if isinstance(_value, type) and issubclass(_value, BuntimeError):
        export("buntime", _value)
