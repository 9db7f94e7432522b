"""Arguments and results of called functions, as JSON. A second reading: it does not import the client's.

A value without a form in JSON is sent as ``{"$buntime": kind, "value": ...}``.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

_TAG = "$buntime"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_INTEGERS_END = 1e21

_KINDS: dict[str, Callable[[Any], Any]] = {
    "number": float,
    "bigint": int,
    "bytes": base64.b64decode,
    "date": lambda value: _EPOCH + timedelta(milliseconds=value),
    "set": lambda value: {_hashable(from_js(item)) for item in value},
    "object": lambda value: {key: from_js(item) for key, item in value.items()},
}


def from_js(value: Any) -> Any:
    """Return an argument as the program passed it, except that a tuple is a list."""
    if isinstance(value, list):
        return [from_js(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG in value:
        return _KINDS[value[_TAG]](value["value"])
    return {key: from_js(item) for key, item in value.items()}


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def to_js(value: Any) -> Any:
    """Return a Python value as JSON, as if a function had returned it; ``TypeError`` if none can."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {_TAG: "bigint", "value": str(value)}
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (bytes, bytearray)):
        return {_TAG: "bytes", "value": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {_TAG: "date", "value": (value - _EPOCH) // timedelta(milliseconds=1)}
    if isinstance(value, (list, tuple)):
        return [to_js(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {_TAG: "set", "value": [to_js(item) for item in value]}
    if isinstance(value, Mapping):
        return _entries(value)
    raise TypeError(f"no JavaScript value becomes one of type {type(value).__name__} in Python")


def _number(value: float) -> Any:
    """Return a number as JavaScript writes it: 2.0 as 2, and names for values that JSON lacks."""
    if math.isnan(value) or math.isinf(value):
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return {_TAG: "number", "value": name}
    if value == 0 and math.copysign(1, value) < 0:
        return {_TAG: "number", "value": "-0"}
    return int(value) if value.is_integer() and abs(value) < _INTEGERS_END else value


def _entries(value: Mapping[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(key, str) for key in value):
        return {_TAG: "map", "value": [[to_js(key), to_js(item)] for key, item in value.items()]}
    fields = {key: to_js(item) for key, item in value.items()}
    return {_TAG: "object", "value": fields} if _TAG in fields else fields
