"""The ways a request reaches a service, each behind the same two methods.

Imports `_http`, errors, `cassette/` and `service/`, each with the transport that needs it. Only the
settings of the client, tests and the command line create transports. Public names are listed in `__all__`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from buntime._http import (
    Body,
    Headers,
    Request,
    Response,
    SupportsDate,
    SupportsOrder,
    SupportsTime,
    SupportsTimers,
    Transport,
)
from buntime._support.export import export

if TYPE_CHECKING:
    from buntime.service.scripted.results import ScriptedExecution, ScriptedResult
    from buntime.transport.fake import FakeCall, FakeDevbox, FakeSession, FakeTransport
    from buntime.transport.function import FunctionTransport
    from buntime.transport.http import HTTPTransport
    from buntime.transport.local import LocalTransport
    from buntime.transport.logs import LoggingTransport
    from buntime.transport.middleware import MiddlewareTransport
    from buntime.transport.recording import RecordingTransport
    from buntime.transport.replay import ReplayTransport

__all__ = [
    "Body",
    "FakeCall",
    "FakeDevbox",
    "FakeSession",
    "FakeTransport",
    "FunctionTransport",
    "HTTPTransport",
    "Headers",
    "LocalTransport",
    "LoggingTransport",
    "MiddlewareTransport",
    "RecordingTransport",
    "ReplayTransport",
    "Request",
    "Response",
    "ScriptedExecution",
    "ScriptedResult",
    "SupportsDate",
    "SupportsOrder",
    "SupportsTime",
    "SupportsTimers",
    "Transport",
]

_LAZY = {
    "FakeCall": "buntime.transport.fake",
    "FakeDevbox": "buntime.transport.fake",
    "FakeSession": "buntime.transport.fake",
    "FakeTransport": "buntime.transport.fake",
    "FunctionTransport": "buntime.transport.function",
    "HTTPTransport": "buntime.transport.http",
    "LocalTransport": "buntime.transport.local",
    "LoggingTransport": "buntime.transport.logs",
    "MiddlewareTransport": "buntime.transport.middleware",
    "RecordingTransport": "buntime.transport.recording",
    "ReplayTransport": "buntime.transport.replay",
    "ScriptedExecution": "buntime.service.scripted.results",
    "ScriptedResult": "buntime.service.scripted.results",
}


def __getattr__(name: str) -> Any:
    try:
        module = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(module), name)
    export(__name__, value)
    globals()[name] = value
    return value
