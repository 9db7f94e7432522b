"""The ways a request reaches a service, each behind the same two methods."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from buntime.transport.base import Headers, Request, Response, SupportsTime, Transport
from buntime.transport.function import FunctionTransport

if TYPE_CHECKING:
    from buntime.transport.http import HTTPTransport
    from buntime.transport.local import LocalTransport

__all__ = [
    "FunctionTransport",
    "HTTPTransport",
    "Headers",
    "LocalTransport",
    "Request",
    "Response",
    "SupportsTime",
    "Transport",
]

_LAZY = {"HTTPTransport": "buntime.transport.http", "LocalTransport": "buntime.transport.local"}


def __getattr__(name: str) -> Any:
    try:
        module = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value
