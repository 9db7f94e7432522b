"""The values that users pass and receive.

All are frozen. Values from the service keep its units; ``extra`` holds the fields that this version does not
know. The ``repr`` of a value shortens long texts.
"""

from buntime.models.executions import (
    CallbackOptions,
    ExecuteOptions,
    ExecuteRequest,
    ExecuteResult,
    FilesArgument,
    MaxOutput,
    OutputKind,
    StreamEvent,
    WatchOptions,
)
from buntime.models.values import (
    APIResponse,
    FileInfo,
    KillResult,
    ProcessLogs,
    RateLimit,
    ResourceLimits,
    SessionInfo,
    SnapshotResult,
    TransferResult,
    WriteResult,
)

__all__ = [
    "APIResponse",
    "CallbackOptions",
    "ExecuteOptions",
    "ExecuteRequest",
    "ExecuteResult",
    "FileInfo",
    "FilesArgument",
    "KillResult",
    "MaxOutput",
    "OutputKind",
    "ProcessLogs",
    "RateLimit",
    "ResourceLimits",
    "SessionInfo",
    "SnapshotResult",
    "StreamEvent",
    "TransferResult",
    "WatchOptions",
    "WriteResult",
]
