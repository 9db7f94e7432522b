"""Secrets: found in requests, replaced by named placeholders, filled in again on replay."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional
from urllib.parse import quote

from buntime._forks import free_after_fork
from buntime.transport._secret_names import looks_secret
from buntime.transport.base import Pairs, Request
from buntime.wire import recorded

Span = tuple[int, int, str]

PLACEHOLDER = re.compile(r"«(?:api_key|idempotency_key|(?:cookie|env|header|value):[^«»]+?)(?::\d+)?»")
"""What stands in a cassette in place of a secret: what it is, and from the second of that on a number."""

_LONG = 12
"""Characters from which on the value of an environment variable is a secret whatever its name."""
_SEARCHED = 4
"""Characters from which on a secret is looked for wherever it may occur; a shorter one is in every text."""
_FEW = 50
"""Up to how many secrets one pattern looks for; it would take the longer the more there are."""
_CREDENTIAL = 8
"""The same for what is in a header: a key for a test server may be a plain word."""


class Secrets:
    """The secrets that requests have brought so far. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = free_after_fork(threading.Lock())
        self._named: dict[str, dict[Any, str]] = {}
        self._values: dict[str, Any] = {}
        self._places: dict[str, str] = {}
        self._by_beginning: dict[str, list[str]] = {}
        self._pattern: Optional[re.Pattern[str]] = None

    def learn(self, request: Request, body: Any) -> None:
        """Find the secrets of a request, whose body as JSON is ``body``."""
        self.learn_headers(request.headers)
        for name, value in request.query:
            if looks_secret(name):
                self.place(f"value:{name}", value)
        hide_named(body, recorded.environment(request.method, request.path, body), self.place)

    def learn_headers(self, headers: Pairs) -> None:
        """Find the credentials in a request's headers."""
        for name, value in _of_headers(headers):
            self.place(name, value, least=_CREDENTIAL)

    def learn_answer(self, headers: Mapping[str, str], body: Any) -> None:
        """Find the secrets that the service invented: cookies, and values that are named as such."""
        for cookie in (headers.get("Set-Cookie") or "").split(","):
            name, _, value = cookie.partition(";")[0].strip().partition("=")
            if value:
                self.place(f"cookie:{name}", value, least=_CREDENTIAL)
        hide_named(body, {}, self.place)

    def place(self, name: str, value: Any, *, least: int = _SEARCHED) -> str:
        """Return the placeholder of a secret, from now on the same for this value under this name."""
        with self._lock:
            known = self._named.setdefault(name, {})
            if (type(value), value) in known:
                return known[type(value), value]
            place = f"«{name}:{len(known) + 1}»" if known else f"«{name}»"
            known[type(value), value] = place
            self._values[place] = value
            if isinstance(value, str) and len(value) >= least and value not in self._places:
                self._look_for(value, place)
        return place

    def _look_for(self, value: str, place: str) -> None:
        for form in {value: None, quote(value, safe=""): None}:
            self._places[form] = place
            self._by_beginning.setdefault(form[:_SEARCHED], []).append(form)
        longest_first = sorted(self._places, key=len, reverse=True)
        few = len(longest_first) <= _FEW
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if few else None

    def value(self, place: str) -> Any:
        """Return what a placeholder stands for, or the placeholder where that is not known."""
        return self._values.get(place, place)

    def searched(self) -> list[str]:
        """Return the values that are looked for in texts, in the order in which they came."""
        with self._lock:
            return list(self._places)

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where secrets are in a text, and what to put there."""
        pattern = self._pattern
        if pattern is not None:
            for found in pattern.finditer(text):
                yield found.start(), found.end(), self._places[found.group()]
        elif self._places:
            yield from self._spans_of_many(text)

    def _spans_of_many(self, text: str) -> Iterator[Span]:
        """Do the same in a time that does not depend on how many there are."""
        for start in range(len(text) - _SEARCHED + 1):
            for form in self._by_beginning.get(text[start : start + _SEARCHED], ()):
                if text.startswith(form, start):
                    yield start, start + len(form), self._places[form]


def is_secret_variable(name: str, value: Any) -> bool:
    """Whether an environment variable is a secret: it is named as one, or long."""
    return isinstance(value, str) and bool(value) and (looks_secret(name) or len(value) >= _LONG)


def _first_of_its_name(name: str, _value: Any) -> str:
    return f"«{name}»"


def hide_named(
    body: Any, env: Mapping[str, Any], place: Callable[[str, Any], str] = _first_of_its_name
) -> Any:
    """Return a JSON value with the values in it that are secret by their name replaced, however short.

    ``env`` is the part of it that has environment variables; ``place`` makes the placeholder of a value.
    """

    def walk(value: Any, name: Optional[str]) -> Any:
        if isinstance(value, dict):
            if value is env:
                return {key: variable(key, item) for key, item in value.items()}
            return {key: walk(item, _name(key, name)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, name) for item in value]
        return value if name is None or not _can_be_secret(value) else place(f"value:{name}", value)

    def variable(name: str, value: Any) -> Any:
        hidden = is_secret_variable(name, value) and _can_be_secret(value)
        return place(f"env:{name}", value) if hidden else value

    return walk(body, None)


def _name(key: str, above: Optional[str]) -> Optional[str]:
    """Return the name under which a field's values are secret: its own, or that of a field above it."""
    if above is not None:
        return f"{above}.{key}"
    return key if looks_secret(key) else None


def _can_be_secret(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and PLACEHOLDER.fullmatch(value) is None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of_headers(headers: Pairs) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        lower = name.lower()
        if lower == "authorization":
            yield "api_key", value.partition(" ")[2] or value
        elif lower == "idempotency-key":
            yield "idempotency_key", value
        elif lower == "cookie":
            for part in value.split(";"):
                cookie, _, content = part.strip().partition("=")
                yield f"cookie:{cookie}", content
        elif looks_secret(name):
            yield f"header:{name}", value


def map_strings(value: Any, change: Callable[[str], Any]) -> Any:
    """Return a JSON value with each string in it changed, names included that are not the API's own."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {
            name if name in recorded.FIELDS else _text(change(name)): map_strings(item, change)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [map_strings(item, change) for item in value]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def replaced(text: str, spans: Iterator[Span]) -> str:
    """Return the text with the spans replaced; of two that overlap, the first."""
    parts: list[str] = []
    end = 0
    for start, stop, place in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end:
            parts += (text[end:start], place)
            end = stop
    return text if not end else "".join((*parts, text[end:]))
