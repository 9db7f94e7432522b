"""Run JavaScript and TypeScript in isolated Bun sessions, from blocking Python code.

Each public name is imported when it is first used, so that `import buntime` costs next to nothing.
The folders are the layers, from above: `cli`, `pytest_plugin`, `testing`, `pool`, `client`, `helpers`,
`calls`, `engine` and `wire`.
"""

from __future__ import annotations

from buntime._version import __version__

TYPE_CHECKING = False  # importing typing and importlib would take `buntime --version` as long as all else
if TYPE_CHECKING:
    from typing import Any

    from buntime.calls.stream import ExecuteStream
    from buntime.client.client import Buntime
    from buntime.client.fetch import FetchResponse
    from buntime.client.file_view import FileView
    from buntime.client.file_watch import FileEvent, FileWatch
    from buntime.client.files import SessionFiles
    from buntime.client.files_by_id import Files
    from buntime.client.keepalive import StayAwake
    from buntime.client.processes import Process
    from buntime.client.repl import Repl
    from buntime.client.session import Session
    from buntime.client.session_path import SessionPath
    from buntime.client.sessions import Sessions
    from buntime.client.settings import ClientOptions
    from buntime.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BuntimeError,
        CassetteError,
        CassetteMismatchError,
        ConfigurationError,
        ConflictError,
        ExecutionFailedError,
        ExecutionTimeoutError,
        InvalidRequestError,
        InvalidResponseError,
        JavaScriptError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        RequestTimeoutError,
        ResourceLimitError,
        ServerError,
        SessionFileNotFoundError,
        SessionNotFoundError,
        UnprocessableEntityError,
        WaitTimeoutError,
    )
    from buntime.helpers.transfers import TransferOptions
    from buntime.models import (
        APIResponse,
        ExecuteOptions,
        ExecuteRequest,
        ExecuteResult,
        FileInfo,
        KillResult,
        ProcessLogs,
        RateLimit,
        ResourceLimits,
        SessionInfo,
        SnapshotResult,
        StreamEvent,
        TransferResult,
        WriteResult,
    )
    from buntime.pool import Outcome, SessionPool

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponse",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "Buntime",
    "BuntimeError",
    "CassetteError",
    "CassetteMismatchError",
    "ClientOptions",
    "ConfigurationError",
    "ConflictError",
    "ExecuteOptions",
    "ExecuteRequest",
    "ExecuteResult",
    "ExecuteStream",
    "ExecutionFailedError",
    "ExecutionTimeoutError",
    "FetchResponse",
    "FileEvent",
    "FileInfo",
    "FileView",
    "FileWatch",
    "Files",
    "InvalidRequestError",
    "InvalidResponseError",
    "JavaScriptError",
    "KillResult",
    "NotFoundError",
    "Outcome",
    "PermissionDeniedError",
    "Process",
    "ProcessLogs",
    "RateLimit",
    "RateLimitError",
    "Repl",
    "RequestTimeoutError",
    "ResourceLimitError",
    "ResourceLimits",
    "ServerError",
    "Session",
    "SessionFileNotFoundError",
    "SessionFiles",
    "SessionInfo",
    "SessionNotFoundError",
    "SessionPath",
    "SessionPool",
    "Sessions",
    "SnapshotResult",
    "StayAwake",
    "StreamEvent",
    "TransferOptions",
    "TransferResult",
    "UnprocessableEntityError",
    "WaitTimeoutError",
    "WriteResult",
    "__version__",
]

_DEFINED_IN = {
    "APIResponse": "models",
    "Buntime": "client.client",
    "ClientOptions": "client.settings",
    "ExecuteOptions": "models",
    "ExecuteRequest": "models",
    "ExecuteResult": "models",
    "ExecuteStream": "calls.stream",
    "FetchResponse": "client.fetch",
    "FileEvent": "client.file_watch",
    "FileInfo": "models",
    "FileView": "client.file_view",
    "FileWatch": "client.file_watch",
    "Files": "client.files_by_id",
    "KillResult": "models",
    "Outcome": "pool",
    "Process": "client.processes",
    "ProcessLogs": "models",
    "RateLimit": "models",
    "Repl": "client.repl",
    "ResourceLimits": "models",
    "Session": "client.session",
    "SessionFiles": "client.files",
    "SessionInfo": "models",
    "SessionPath": "client.session_path",
    "SessionPool": "pool",
    "Sessions": "client.sessions",
    "SnapshotResult": "models",
    "StayAwake": "client.keepalive",
    "StreamEvent": "models",
    "TransferOptions": "helpers.transfers",
    "TransferResult": "models",
    "WriteResult": "models",
    "load_ipython_extension": "notebook",
    "unload_ipython_extension": "notebook",
}
"""The module of each public name, and of what ``%load_ext buntime`` calls; those not listed are errors."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing buntime itself must stay cheap."""
    if name not in __all__ and name not in _DEFINED_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"{__name__}.{_DEFINED_IN.get(name, 'errors')}")
    value = getattr(module, name)
    if name in __all__:
        globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
