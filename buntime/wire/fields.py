"""The fields of a JSON object, taken one by one and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Callable, TypeVar

from buntime.errors import InvalidResponseError
from buntime.wire.buffered import BufferedResponse

T = TypeVar("T")


class Fields:
    """The fields of a JSON object: each is taken by name and checked; what nobody took is :meth:`rest`."""

    def __init__(self, fields: Mapping[str, Any], answer: BufferedResponse) -> None:
        self._left = dict(fields)
        self._answer = answer

    def _take(self, name: str, kinds: tuple[type, ...], wanted: str) -> Any:
        value = self._left.pop(name, None)
        # Compared exactly: to Python a bool is an int, to JSON it is not.
        if value is None or type(value) in kinds:
            return value
        raise invalid(self._answer, f"the field {name!r} is a {type(value).__name__}, not {wanted}")

    def need(self, name: str, take: Callable[[str], T | None]) -> T:
        """Return ``take(name)``, which must be there."""
        value = take(name)
        if value is None:
            raise invalid(self._answer, f"the field {name!r} is missing")
        return value

    def text(self, name: str) -> str | None:
        """A string."""
        value: str | None = self._take(name, (str,), "a string")
        return value

    def whole(self, name: str) -> int | None:
        """An integer; a float without a fraction counts."""
        value = self._take(name, (int, float), "a whole number")
        if isinstance(value, float):
            if not value.is_integer():
                raise invalid(self._answer, f"the field {name!r} is {value}, not a whole number")
            return int(value)
        checked: int | None = value
        return checked

    def number(self, name: str) -> float | None:
        """An integer or a float."""
        value: float | None = self._take(name, (int, float), "a number")
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        value: bool | None = self._take(name, (bool,), "a boolean")
        return value

    def object(self, name: str) -> dict[str, Any] | None:
        """A JSON object."""
        value: dict[str, Any] | None = self._take(name, (dict,), "an object")
        return value

    def strings(self, name: str) -> tuple[str, ...] | None:
        """A list of strings."""
        return self._list(name, str, "a list of strings")

    def wholes(self, name: str) -> tuple[int, ...] | None:
        """A list of integers."""
        return self._list(name, int, "a list of whole numbers")

    def objects(self, name: str) -> tuple[dict[str, Any], ...] | None:
        """A list of JSON objects."""
        return self._list(name, dict, "a list of objects")

    def _list(self, name: str, kind: type[T], wanted: str) -> tuple[T, ...] | None:
        value = self._take(name, (list,), wanted)
        if value is None:
            return None
        if not all(isinstance(item, kind) for item in value):
            raise invalid(self._answer, f"the field {name!r} is not {wanted}")
        return tuple(value)

    def when(self, name: str) -> datetime | None:
        """An ISO 8601 time, made aware: one without an offset is UTC."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return iso8601(value)
        except ValueError:
            raise invalid(self._answer, f"the field {name!r} is {value!r}, not an ISO 8601 time") from None

    def rest(self) -> dict[str, Any]:
        """What nobody took."""
        return self._left


def iso8601(value: str) -> datetime:
    """Return a time in ISO 8601; in UTC if it names no zone. ``ValueError`` if it is not one."""
    # Python 3.9 and 3.10 read neither a Z nor a fraction that is not 3 or 6 digits long.
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
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)


def invalid(answer: BufferedResponse, problem: str) -> InvalidResponseError:
    """Return the error for an answer that is not the API's."""
    return InvalidResponseError(
        f"the answer ({answer.status}) is not the API's: {problem}; it begins {answer.body[:100]!r}",
        status=answer.status,
        request_id=answer.headers.get("X-Request-Id"),
        body=answer.body[:500],
    )


def parse(answer: BufferedResponse, marker: str) -> Fields:
    """Return the fields of an answer, flat or in a ``data`` envelope; ``marker`` is a field it has."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        kind = answer.headers.get("Content-Type", "no content type")
        raise invalid(answer, f"it is not JSON ({kind})") from None
    if isinstance(body, dict) and marker not in body and isinstance(body.get("data"), dict):
        body = body["data"]
    if not isinstance(body, dict):
        raise invalid(answer, f"it is a JSON {type(body).__name__}, not an object")
    return Fields(body, answer)
