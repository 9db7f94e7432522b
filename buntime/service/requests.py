"""Reading requests: JSON bodies, queries, and the fields in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from buntime._http import Request
from buntime.service.errors import ServiceError, invalid
from buntime.service.sessions.limits import MAX_BODY

_MAX_NESTING = 100


def header(request: Request, name: str) -> str | None:
    """Return the first header of that name, in whatever case."""
    return next((value for key, value in request.headers if key.lower() == name.lower()), None)


def json_object(request: Request) -> dict[str, Any]:
    """Return the body, a JSON object; ``{}`` for an empty one.

    Refuses a body over 100 MB (413), and with 400 ``invalid_request`` another Content-Type than
    ``application/json``, what is not UTF-8 or not JSON (``NaN`` and infinite numbers are not), an
    object with the same name twice, and one that is nested more than 100 deep.
    """
    body = request.body
    if not body:
        return {}
    check_body_size(len(body))
    _check_content_type(header(request, "Content-Type"))
    value = _parsed(body)
    if not isinstance(value, dict):
        raise invalid(None, f"The body must be a JSON object, not {_kind(value)}")
    _check_nesting(value)
    return value


def check_body_size(size: int) -> None:
    """Refuse with 413 ``request_too_large`` a body of more than 100 MB."""
    if size > MAX_BODY:
        raise ServiceError(
            413,
            "request_too_large",
            f"The body has {size} bytes; it may have {MAX_BODY}",
            {"limit": "request_body", "max": MAX_BODY, "value": size},
        )


def _check_content_type(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise invalid("Content-Type", "Content-Type must be application/json", value=content_type)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_float=_number,
            parse_constant=_not_a_number,
        )
    except RecursionError as error:
        raise invalid(None, f"The body is nested more than {_MAX_NESTING} deep") from error
    except ValueError as error:
        raise invalid(None, f"The body is not valid JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same name twice")
    return found


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _check_nesting(value: Any) -> None:
    level = [value]
    for _ in range(_MAX_NESTING):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise invalid(None, f"The body is nested more than {_MAX_NESTING} deep")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value), "a number")


class Fields:
    """The fields of a body or a query, asked for by name and type.

    A field that is ``null`` counts as left out; fields that nobody asks for are ignored. What does not
    fit is refused with 400 ``invalid_request``, the field in its details. ``prefix`` is what the
    fields' names begin with in messages.
    """

    def __init__(self, values: Mapping[str, Any], *, prefix: str = "") -> None:
        self.values = values
        self._prefix = prefix

    def name(self, field: str) -> str:
        """Return the full name of a field, for messages."""
        return f"{self._prefix}{field}"

    def text(self, field: str) -> str:
        """Return a required string."""
        return self._required(field, self.optional_text(field))

    def optional_text(self, field: str) -> str | None:
        """Return a string; one with a lone surrogate, which no file or program can take, is refused."""
        value: str | None = self._typed(field, str, "a string")
        if value is not None:
            check_unicode(self.name(field), value)
        return value

    def optional_integer(self, field: str, low: int, high: int | None = None) -> int | None:
        """Return an integer of at least ``low`` and at most ``high``."""
        value: int | None = self._typed(field, int, "an integer")
        if value is not None:
            self._check_range(field, value, low, high)
        return value

    def optional_number(self, field: str) -> float | None:
        """Return a number above 0."""
        value: float | None = self._typed(field, (int, float), "a number")
        if value is not None and value <= 0:
            raise invalid(self.name(field), f"{self.name(field)} must be above 0", value=value)
        return value

    def flag(self, field: str) -> bool:
        """Return a boolean, ``False`` where it is left out."""
        return bool(self._typed(field, bool, "a boolean"))

    def object(self, field: str) -> dict[str, Any]:
        """Return an object, ``{}`` where it is left out."""
        value: dict[str, Any] | None = self._typed(field, dict, "an object")
        return {} if value is None else value

    def array(self, field: str) -> list[Any]:
        """Return an array, ``[]`` where it is left out."""
        value: list[Any] | None = self._typed(field, list, "an array")
        return [] if value is None else value

    def query_integer(self, field: str, low: int, high: int | None, default: int) -> int:
        """Return an integer that a query spells in digits."""
        value = self.optional_text(field)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 16):
            raise invalid(self.name(field), f"{field} must be an integer, in digits", value=value)
        self._check_range(field, int(value), low, high)
        return int(value)

    def _required(self, field: str, value: str | None) -> str:
        if value is None:
            raise invalid(self.name(field), f"{self.name(field)} is required")
        return value

    def _typed(self, field: str, kind: type | tuple[type, ...], wanted: str) -> Any:
        value = self.values.get(field)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise invalid(self.name(field), f"{self.name(field)} must be {wanted}, not {_kind(value)}")
        return value

    def _check_range(self, field: str, value: int, low: int, high: int | None) -> None:
        if value < low or (high is not None and value > high):
            bounds = {"min": low} if high is None else {"min": low, "max": high}
            wanted = f"at least {low}" if high is None else f"from {low} to {high}"
            raise invalid(self.name(field), f"{self.name(field)} must be {wanted}", value=value, **bounds)


def check_unicode(field: str, value: str) -> None:
    """Refuse a string with a lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise invalid(field, f"{field} is not valid Unicode") from error
