"""Run JavaScript and TypeScript in isolated Bun sessions, from blocking Python code."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from buntime._version import __version__

if TYPE_CHECKING:
    from buntime.calls.executions import ExecuteStream
    from buntime.client import Buntime
    from buntime.errors import (
        APIConnectionError,
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
        WaitTimeoutError,
    )
    from buntime.life import StayAwake
    from buntime.models import (
        APIResponse,
        ExecuteRequest,
        ExecuteResult,
        FileInfo,
        KillResult,
        ProcessLogs,
        RateLimit,
        ResourceLimits,
        SessionInfo,
        StreamEvent,
        TransferResult,
        WriteResult,
    )
    from buntime.pool import Outcome, SessionPool
    from buntime.processes import Process
    from buntime.session import Session

__all__ = [
    "APIConnectionError",
    "APIResponse",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "Buntime",
    "BuntimeError",
    "CassetteError",
    "CassetteMismatchError",
    "ConfigurationError",
    "ConflictError",
    "ExecuteRequest",
    "ExecuteResult",
    "ExecuteStream",
    "ExecutionFailedError",
    "ExecutionTimeoutError",
    "FileInfo",
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
    "RequestTimeoutError",
    "ResourceLimitError",
    "ResourceLimits",
    "ServerError",
    "Session",
    "SessionFileNotFoundError",
    "SessionInfo",
    "SessionNotFoundError",
    "SessionPool",
    "StayAwake",
    "StreamEvent",
    "TransferResult",
    "WaitTimeoutError",
    "WriteResult",
    "__version__",
]

_MODELS = {
    "APIResponse",
    "ExecuteRequest",
    "ExecuteResult",
    "FileInfo",
    "KillResult",
    "ProcessLogs",
    "RateLimit",
    "ResourceLimits",
    "SessionInfo",
    "StreamEvent",
    "TransferResult",
    "WriteResult",
}
_HOMES = {
    "Buntime": "client",
    "ExecuteStream": "execution",
    "Outcome": "pool",
    "Process": "processes",
    "Session": "session",
    "SessionPool": "pool",
    "StayAwake": "life",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import buntime`` costs next to nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "models" if name in _MODELS else _HOMES.get(name, "errors")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
