"""The fields of a JSON object, read one by one and checked."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, TypeVar, cast

from buntime._http import BufferedResponse
from buntime.errors import InvalidResponseError
from buntime.wire.json import load_json

T = TypeVar("T")

_EXPECTED: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "a boolean",
    dict: "an object",
}


class Fields:
    """The fields of a JSON object, which is emptied. :meth:`unknown` returns those that were never read.

    Every method returns ``None`` for a field that is missing or null, and raises
    :class:`~buntime.InvalidResponseError` for one of another type.
    """

    def __init__(self, fields: dict[str, Any], response: BufferedResponse) -> None:
        self._unread = fields
        self._response = response

    def read(self, name: str, kind: type[T]) -> T | None:
        """A value of this type: ``float`` is any number, ``int`` a whole one."""
        value: T | None = self._unread.pop(name, None)
        # An exact comparison: to Python a bool is an int, to JSON it is not.
        return value if value is None or type(value) is kind else self._converted(name, value, kind)

    def require(self, name: str, kind: type[T]) -> T:
        """As :meth:`read`; the field must not be missing."""
        value: T | None = self._unread.pop(name, None)
        if value is None:
            raise self.invalid(f"the field {name!r} is missing")
        return value if type(value) is kind else self._converted(name, value, kind)

    def _converted(self, name: str, value: T, kind: type[T]) -> T:
        if kind is float and type(value) is int:
            return value
        problem = f"of type {type(value).__name__}"
        if kind is int and isinstance(value, float):
            if value.is_integer():
                return cast("T", int(value))
            problem = f"{value}"
        raise self.invalid(f"the field {name!r} is {problem}, not {_EXPECTED[kind]}")

    def invalid(self, problem: str) -> InvalidResponseError:
        """Return the error for a field with an impossible value."""
        return invalid(self._response, problem)

    def list_of(self, kind: type[T], name: str) -> tuple[T, ...] | None:
        """A list of items of one type."""
        value: Any = self._unread.pop(name, None)
        if value is None or (type(value) is list and (not value or {*map(type, value)} == {kind})):
            return None if value is None else tuple(value)
        problem = "not" if type(value) is list else f"of type {type(value).__name__}, not"
        raise self.invalid(f"the field {name!r} is {problem} a list of {kind.__name__} values")

    def timestamp(self, name: str) -> datetime | None:
        """An ISO 8601 time; one without an offset is in UTC."""
        value = self.read(name, str)
        try:
            return None if value is None else iso8601(value)
        except ValueError:
            raise invalid(self._response, f"the field {name!r} is {value!r}, not an ISO 8601 time") from None

    def unknown(self) -> dict[str, Any]:
        """The fields that were not read."""
        return self._unread


def iso8601(value: str) -> datetime:
    """Return an ISO 8601 time; one without a zone is in UTC. ``ValueError`` for anything else."""
    # Python 3.9 and 3.10 accept neither a Z nor a fraction that is not 3 or 6 digits long.
    text = value.strip()
    if text[-1:] in {"Z", "z"}:
        text = text[:-1] + "+00:00"
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:6]:0<6}{tail[digits:]}"
    if ":" in text and text[-5:-4] in {"+", "-"} and text[-4:].isdigit():
        text = f"{text[:-2]}:{text[-2:]}"
    elif ":" in text and text[-3:-2] in {"+", "-"} and text[-2:].isdigit():
        text = f"{text}:00"
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def invalid(response: BufferedResponse, problem: str) -> InvalidResponseError:
    """Return the error for a response that is not the API's."""
    return InvalidResponseError(
        f"unexpected response (HTTP {response.status}): {problem}; the body begins {response.body[:100]!r}",
        status=response.status,
        request_id=response.headers.get("X-Request-Id"),
        body=response.body[:500],
    )


def parse_json(response: BufferedResponse) -> Any:
    """Return the JSON value of a response."""
    try:
        return load_json(response.body)
    except (ValueError, RecursionError):
        kind = response.headers.get("Content-Type", "no content type")
        raise invalid(response, f"the body is not JSON ({kind})") from None


def parse(response: BufferedResponse, marker: str) -> Fields:
    """Return the fields of a response, flat or in a ``data`` envelope; ``marker`` is a field that it has."""
    body = parse_json(response)
    if isinstance(body, dict) and marker not in body and isinstance(body.get("data"), dict):
        body = body["data"]
    if not isinstance(body, dict):
        raise invalid(response, f"the body is a JSON {type(body).__name__}, not an object")
    return Fields(body, response)
