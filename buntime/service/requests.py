"""Reading requests: JSON bodies, queries, and the fields in them."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from buntime._http import Request
from buntime.service.errors import ServiceError, invalid

MAX_BODY = 100 * 1024 * 1024
"""The most bytes that a request may have."""

_MAX_NESTING = 100
_NAMES_OF_TYPES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer"}

T = TypeVar("T")


def header(request: Request, name: str) -> str | None:
    """Return the first header of that name, in any case."""
    return next((value for key, value in request.headers if key.lower() == name.lower()), None)


def json_object(request: Request) -> dict[str, Any]:
    """Return the body, a JSON object; ``{}`` for an empty one.

    Raises a 413 for a body over 100 MB. Raises a 400 ``invalid_request`` for another Content-Type than
    ``application/json``, for anything but UTF-8 and strict JSON (no ``NaN``, no infinite numbers, no name
    twice in an object), and for nesting deeper than 100.
    """
    body = request.content
    if not body:
        return {}
    check_body_size(len(body))
    if not is_json(header(request, "Content-Type")):
        raise invalid(
            "Content-Type",
            "Content-Type must be application/json",
            value=header(request, "Content-Type"),
        )
    try:
        value = _strict_decode(body.decode())
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise invalid(None, f"The body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise invalid(None, f"The body must be a JSON object, not {_type_name(value)}")
    _check_nesting(value)
    return value


def is_json(content_type: str | None) -> bool:
    """Whether a ``Content-Type`` header announces JSON."""
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"


def check_body_size(size: int) -> None:
    """Raise a 413 ``request_too_large`` for a body of more than 100 MB."""
    if size > MAX_BODY:
        raise ServiceError(
            "request_too_large",
            f"The body has {size} bytes; it may have {MAX_BODY}",
            {"limit": "request_body", "max": MAX_BODY, "value": size},
        )


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object has the same name twice")
    return value


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


def _reject_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


_strict_decode = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates, parse_float=_finite_number, parse_constant=_reject_constant
).decode


def _check_nesting(value: Any) -> None:
    level = [value]
    for _ in range(_MAX_NESTING):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ServiceError:
    return invalid(None, f"The body is nested more than {_MAX_NESTING} deep")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _type_name(value: Any) -> str:
    return "null" if value is None else _NAMES_OF_TYPES.get(type(value), "a number")


class RequestFields:
    """The fields of a body or a query, read by name and type.

    A field that is ``null`` counts as missing; fields that are never read are ignored. A value of another
    type raises a 400 ``invalid_request`` with the field in its details. ``prefix`` is put before the
    fields' names in messages.
    """

    def __init__(self, values: Mapping[str, Any], *, prefix: str = "") -> None:
        self.values = values
        self._prefix = prefix

    def name(self, field: str) -> str:
        """Return the full name of a field, for messages."""
        return f"{self._prefix}{field}"

    def text(self, field: str, allowed: Collection[str] = ()) -> str:
        """Return a required string; with ``allowed``, one of these."""
        value = self.optional_text(field, allowed)
        if value is None:
            raise invalid(self.name(field), f"{self.name(field)} is required")
        return value

    def optional_text(self, field: str, allowed: Collection[str] = ()) -> str | None:
        """Return a string; it must not hold a lone surrogate, which no file or program can take."""
        value = self._typed(field, str)
        if value is not None:
            check_unicode(self.name(field), value)
        if allowed and value not in {None, *allowed}:
            raise invalid(self.name(field), f"{self.name(field)} must be one of {', '.join(allowed)}")
        return value

    def optional_integer(self, field: str, low: int, high: int | None = None) -> int | None:
        """Return an integer from ``low`` to ``high``. A number without a fraction, as 300.0, is one too."""
        number = self.values.get(field)
        value = int(number) if isinstance(number, float) and number.is_integer() else self._typed(field, int)
        if value is not None:
            self._check_range(field, value, low, high)
        return value

    def optional_number(self, field: str) -> float | None:
        """Return a number above 0."""
        value = self.values.get(field)
        if not isinstance(value, float):
            value = self._typed(field, int, "a number")
        if value is not None and value <= 0:
            raise invalid(self.name(field), f"{self.name(field)} must be above 0", value=value)
        return value

    def flag(self, field: str) -> bool:
        """Return a boolean, ``False`` by default."""
        return self._typed(field, bool) or False

    def object(self, field: str) -> dict[str, Any]:
        """Return an object, ``{}`` by default."""
        return self._typed(field, dict) or {}

    def array(self, field: str) -> list[Any]:
        """Return an array, ``[]`` by default."""
        return self._typed(field, list) or []

    def query_integer(self, field: str, low: int, high: int | None, default: int) -> int:
        """Return an integer that a query spells in digits."""
        value = self.optional_text(field)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 16):
            raise invalid(self.name(field), f"{field} must be an integer, in digits", value=value)
        self._check_range(field, int(value), low, high)
        return int(value)

    def _typed(self, field: str, kind: type[T], expected: str | None = None) -> T | None:
        value = self.values.get(field)
        if value is None:
            return None
        # In JSON a boolean is not a number, in Python it is an int.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            expected = expected or _NAMES_OF_TYPES[kind]
            raise invalid(self.name(field), f"{self.name(field)} must be {expected}, not {_type_name(value)}")
        return value

    def _check_range(self, field: str, value: int, low: int, high: int | None) -> None:
        if value < low or (high is not None and value > high):
            bounds = {"min": low} if high is None else {"min": low, "max": high}
            expected = f"at least {low}" if high is None else f"from {low} to {high}"
            raise invalid(self.name(field), f"{self.name(field)} must be {expected}", value=value, **bounds)


def check_unicode(field: str, value: str) -> None:
    """Raise a 400 for a string with a lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise invalid(field, f"{field} is not valid Unicode") from error
