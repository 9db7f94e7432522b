"""Python values as arguments of JavaScript functions, and their return values as Python values.

Both are sent as JSON. A value that JSON cannot express is an object ``{"$buntime": kind, "value": ...}``, and
a user's own object with a key ``$buntime`` has the kind ``object``.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

_TAG = "$buntime"
_SAFE_INTEGER = 2**53 - 1
_DEEPEST = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


class UnfitError(TypeError):
    """A function returned a value that has no Python equivalent; the message describes where it is."""


def encode_arguments(arguments: Iterable[Any]) -> list[Any]:
    """Return the arguments as JSON values.

    Raises ``TypeError`` or ``ValueError`` with the path of a value that cannot be sent.
    """
    return [_encode(value, (f"args[{index}]",), ()) for index, value in enumerate(arguments)]


def _encode(value: Any, path: tuple[Any, ...], above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE_INTEGER else _tagged("bigint", str(int(value)))
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return _tagged("number", "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        return _encode_items(value, path, above)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _tagged("bytes", base64.b64encode(value).decode())
    if isinstance(value, datetime) and type(value).__name__ != "NaTType":
        return _tagged("date", _milliseconds(value, path))
    raise TypeError(f"{_format(path)} is of type {_unfit(value)}")


def _unfit(value: object) -> str:
    """Return the type of a value that cannot be sent, and what to pass in its place."""
    name = type(value).__name__
    advice = "None, a bool, int, float, str, bytes, aware datetime, list, tuple, set, or a dict with str keys"
    if name in {"NaTType", "NAType"}:
        advice = "None for a missing value"
    for method in ("to_dict", "tolist"):  # of pandas and numpy
        if hasattr(value, method):
            name = f"{type(value).__module__.partition('.')[0]}.{name}"
            advice = f"the result of its {method}()"
    return f"{name}, which has no JavaScript equivalent; pass {advice}"


def _encode_items(value: Any, path: tuple[Any, ...], above: tuple[int, ...]) -> Any:
    if id(value) in above:
        raise ValueError(f"{_format(path)} contains itself")
    if len(above) >= _DEEPEST:
        raise ValueError(f"{_format(path[:4])}... is nested more than {_DEEPEST} levels deep")
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(
                    f"{_format(path)} has the key {key!r} of type {type(key).__name__}; keys must be str"
                )
        fields = {str(key): _encode(item, (*path, key), inside) for key, item in value.items()}
        return _tagged("object", fields) if _TAG in fields else fields
    items = [_encode(item, (*path, index), inside) for index, item in enumerate(value)]
    if isinstance(value, (list, tuple)):
        return items
    # Python orders a set differently in each process, and equal arguments must be an equal request.
    return _tagged("set", sorted(items, key=json.dumps))


def _format(path: tuple[Any, ...]) -> str:
    return str(path[0]) + "".join(f"[{key!r}]" for key in path[1:])


def _tagged(kind: str, value: Any) -> dict[str, Any]:
    return {_TAG: kind, "value": value}


def _milliseconds(value: datetime, path: tuple[Any, ...]) -> int:
    if value.utcoffset() is None:
        raise ValueError(f"{_format(path)} is a datetime without a time zone; add one, such as timezone.utc")
    since_epoch = value - _EPOCH
    if since_epoch % _MILLISECOND:
        raise ValueError(
            f"{_format(path)} is a datetime with {value.microsecond} microseconds; a Date has "
            "milliseconds only: round it with value.replace(microsecond=value.microsecond // 1000 * 1000)"
        )
    return since_epoch // _MILLISECOND


def decode(text: str) -> Any:
    """Decode the return value of a function from its JSON.

    Raises :class:`UnfitError` with the path of a value that has no Python equivalent, and ``ValueError`` for
    JSON of another form.
    """
    try:
        value = json.loads(text)
        return _decode(value, "") if f'"{_TAG}"' in text else value
    except UnfitError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
        raise ValueError(f"not the JSON of a value: {error!r}") from error


def _decode(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_decode(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return _fields(value, path)
    decode_kind = _KINDS.get(value[_TAG])
    if decode_kind is None:
        raise ValueError(f"{_at(path)} is of the kind {value[_TAG]!r}, which is unknown to this version")
    return decode_kind(value["value"], path)


def _fields(value: dict[str, Any], path: str) -> dict[str, Any]:
    return {key: _decode(item, f"{path}.{key}") for key, item in value.items()}


def _date(milliseconds: int, path: str) -> datetime:
    try:
        return _EPOCH + milliseconds * _MILLISECOND
    except OverflowError:
        raise UnfitError(f"{_at(path)} is a Date outside the years 1 to 9999") from None


def _map(pairs: list[Any], path: str) -> dict[Any, Any]:
    decoded = _decode(pairs, path)
    keys = _hashable([key for key, _ in decoded], "Map", path)
    return dict(zip(keys, (item for _, item in decoded)))


def _hashable(items: list[Any], kind: str, path: str) -> list[Any]:
    """Return the items if all of them are different keys for Python."""
    if any(isinstance(item, (list, dict, set)) for item in items):
        raise UnfitError(
            f"{_at(path)} is a {kind} that contains objects, which a Python "
            f"{'set' if kind == 'Set' else 'dict'} cannot; return an array of its entries"
        )
    if len(set(items)) < len(items):
        raise UnfitError(
            f"{_at(path)} is a {kind} with entries that are equal in Python, such as 1 and true; "
            "return an array of its entries"
        )
    return items


def _at(path: str) -> str:
    return f"the returned value at {path}" if path else "the returned value"


_KINDS: dict[Any, Callable[[Any, str], Any]] = {
    "number": lambda value, _path: float(value),
    "bigint": lambda value, _path: int(value),
    "bytes": lambda value, _path: base64.b64decode(value),
    "date": _date,
    "set": lambda value, path: set(_hashable(_decode(value, path), "Set", path)),
    "map": _map,
    "object": _fields,
}
