"""Python values as arguments of JavaScript functions, and what those return as Python values.

Both travel as JSON. What JSON has no form for is an object ``{"$buntime": kind, "value": ...}``, and an
object of the caller's own with a key ``$buntime`` is one of the kind ``object``.
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
    """What a function returned has no Python value; the message says where it is."""


def encode_arguments(arguments: Iterable[Any]) -> list[Any]:
    """Return the arguments as what JSON carries.

    Raises ``TypeError`` or ``ValueError`` naming the argument and the place in it.
    """
    return [_encode(value, (f"args[{index}]",), ()) for index, value in enumerate(arguments)]


def _encode(value: Any, place: tuple[Any, ...], above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE_INTEGER else _tagged("bigint", str(int(value)))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _tagged("number", _not_finite(value))
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        return _encode_items(value, place, above)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _tagged("bytes", base64.b64encode(value).decode())
    if isinstance(value, datetime):
        return _tagged("date", _milliseconds(value, place))
    raise TypeError(
        f"{_shown(place)} is a {type(value).__name__}, which no JavaScript value stands for; pass None, a "
        "bool, int, float, str, bytes, aware datetime, list, tuple, set, or a dict with str keys"
    )


def _encode_items(value: Any, place: tuple[Any, ...], above: tuple[int, ...]) -> Any:
    if id(value) in above:
        raise ValueError(f"{_shown(place)} holds itself")
    if len(above) >= _DEEPEST:
        raise ValueError(f"{_shown(place[:4])}... is nested more than {_DEEPEST} levels deep")
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(
                    f"{_shown(place)} has the key {key!r}, a {type(key).__name__}; keys must be str"
                )
        fields = {str(key): _encode(item, (*place, key), inside) for key, item in value.items()}
        return _tagged("object", fields) if _TAG in fields else fields
    items = [_encode(item, (*place, index), inside) for index, item in enumerate(value)]
    if isinstance(value, (list, tuple)):
        return items
    # Python orders a set differently in each process, and equal arguments must be an equal request.
    return _tagged("set", sorted(items, key=json.dumps))


def _shown(place: tuple[Any, ...]) -> str:
    return str(place[0]) + "".join(f"[{key!r}]" for key in place[1:])


def _tagged(kind: str, value: Any) -> dict[str, Any]:
    return {_TAG: kind, "value": value}


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _milliseconds(value: datetime, place: tuple[Any, ...]) -> int:
    if value.utcoffset() is None:
        raise ValueError(f"{_shown(place)} is a datetime without a time zone; add one, such as timezone.utc")
    passed = value - _EPOCH
    if passed % _MILLISECOND:
        raise ValueError(
            f"{_shown(place)} is a datetime with {value.microsecond} microseconds; a Date holds "
            "milliseconds: round it, value.replace(microsecond=value.microsecond // 1000 * 1000)"
        )
    return passed // _MILLISECOND


def decode(text: str) -> Any:
    """Return what a function returned, from its JSON.

    Raises :class:`UnfitError` naming the place of what Python has no value for, ``ValueError`` for what is
    no JSON of this form.
    """
    value = json.loads(text)
    return _decode(value, "") if f'"{_TAG}"' in text else value


def _decode(value: Any, place: str) -> Any:
    if isinstance(value, list):
        return [_decode(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return _fields(value, place)
    decode_kind = _KINDS.get(value[_TAG])
    if decode_kind is None:
        raise ValueError(f"{_at(place)} is of the kind {value[_TAG]!r}, which this version does not know")
    return decode_kind(value["value"], place)


def _fields(value: dict[str, Any], place: str) -> dict[str, Any]:
    return {key: _decode(item, f"{place}.{key}") for key, item in value.items()}


def _date(milliseconds: int, place: str) -> datetime:
    try:
        return _EPOCH + milliseconds * _MILLISECOND
    except OverflowError:
        raise UnfitError(f"{_at(place)} is a Date outside the years 1 to 9999") from None


def _map(pairs: list[Any], place: str) -> dict[Any, Any]:
    decoded = _decode(pairs, place)
    keys = _hashable([key for key, _ in decoded], "Map", place)
    return dict(zip(keys, (item for _, item in decoded)))


def _hashable(items: list[Any], kind: str, place: str) -> list[Any]:
    """Return the items if a Python set keeps them all apart."""
    if any(isinstance(item, (list, dict, set)) for item in items):
        raise UnfitError(
            f"{_at(place)} is a {kind} that holds objects, which a Python "
            f"{'set' if kind == 'Set' else 'dict'} cannot; return an array of its entries"
        )
    if len(set(items)) < len(items):
        raise UnfitError(
            f"{_at(place)} is a {kind} with entries that Python does not keep apart, such as 1 and true; "
            "return an array of its entries"
        )
    return items


def _at(place: str) -> str:
    return f"the returned value at {place}" if place else "the returned value"


_KINDS: dict[Any, Callable[[Any, str], Any]] = {
    "number": lambda value, _place: float(value),
    "bigint": lambda value, _place: int(value),
    "bytes": lambda value, _place: base64.b64decode(value),
    "date": _date,
    "set": lambda value, place: set(_hashable(_decode(value, place), "Set", place)),
    "map": _map,
    "object": _fields,
}
