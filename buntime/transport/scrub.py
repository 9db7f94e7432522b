"""Secrets: found in requests, replaced by named placeholders, filled in again on replay."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional
from urllib.parse import quote

from buntime.transport._secret_names import looks_secret
from buntime.transport.base import Pairs, Request
from buntime.wire import recorded

Span = tuple[int, int, str]

PLACEHOLDER = re.compile(r"«(?:api_key|idempotency_key|(?:cookie|env|header|value):[^«»]+)»")
"""What stands in a cassette in place of a secret."""

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
        self._lock = threading.Lock()
        self._places: dict[str, str] = {}
        self._values: dict[tuple[Optional[str], str], Any] = {}
        self._by_beginning: dict[str, list[str]] = {}
        self._pattern: Optional[re.Pattern[str]] = None

    def learn(self, request: Request, body: Any) -> dict[str, Any]:
        """Find the secrets of a request; return its values by their placeholders. ``body`` is its JSON."""
        found: dict[str, Any] = {}
        self.learn_headers(request.headers, found)
        for name, value in request.query:
            if looks_secret(name):
                self.add(f"«value:{name}»", value, found)
        env = recorded.environment(request.method, request.path, body)
        for name, value in env.items():
            if is_secret_variable(name, value):
                self.add(f"«env:{name}»", value, found)
        for name, value in _named_secret(body, env):
            self.add(f"«value:{name}»", value, found)
        return found

    def learn_headers(self, headers: Pairs, found: dict[str, Any]) -> None:
        """Find the credentials in a request's headers."""
        for place, value in _of_headers(headers):
            self.add(place, value, found, least=_CREDENTIAL)

    def learn_answer(self, headers: Mapping[str, str], body: Any) -> None:
        """Find the secrets that the service invented: cookies, and values that are named as such."""
        for cookie in (headers.get("Set-Cookie") or "").split(","):
            name, _, value = cookie.partition(";")[0].strip().partition("=")
            if value:
                self.add(f"«cookie:{name}»", value, {}, least=_CREDENTIAL)
        for name, value in _named_secret(body, {}):
            if not (isinstance(value, str) and PLACEHOLDER.fullmatch(value)):
                self.add(f"«value:{name}»", value, {})

    def add(self, place: str, value: Any, found: dict[str, Any], *, least: int = _SEARCHED) -> None:
        """Note a secret by its placeholder, and in ``found`` what is new about this request."""
        found.setdefault(place, value)
        with self._lock:
            self._values[None, place] = value
            if isinstance(value, str) and len(value) >= least and value not in self._places:
                for form in {value: None, quote(value, safe=""): None}:
                    self._places[form] = place
                    self._by_beginning.setdefault(form[:_SEARCHED], []).append(form)
                longest_first = sorted(self._places, key=len, reverse=True)
                few = len(longest_first) <= _FEW
                self._pattern = re.compile("|".join(map(re.escape, longest_first))) if few else None

    def belongs(self, session_id: Optional[str], found: Mapping[str, Any]) -> None:
        """Note that these values are the ones of a session; another session may have others."""
        if session_id is not None:
            with self._lock:
                self._values.update({(session_id, place): value for place, value in found.items()})

    def knows(self, place: str) -> bool:
        """Whether a value for a placeholder is known."""
        return (None, place) in self._values

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

    def fill(self, text: str, session_id: Optional[str], found: Mapping[str, Any]) -> Any:
        """Return the text with its secrets: those of the request, else of the session, else the last seen."""
        whole = PLACEHOLDER.fullmatch(text)
        if whole is not None:
            return self._value(text, session_id, found)
        return PLACEHOLDER.sub(lambda place: str(self._value(place.group(), session_id, found)), text)

    def _value(self, place: str, session_id: Optional[str], found: Mapping[str, Any]) -> Any:
        if place in found:
            return found[place]
        return self._values.get((session_id, place), self._values.get((None, place), place))


def is_secret_variable(name: str, value: Any) -> bool:
    """Whether an environment variable is a secret: it is named as one, or long."""
    return isinstance(value, str) and bool(value) and (looks_secret(name) or len(value) >= _LONG)


def hide_named(body: Any, env: Mapping[str, Any]) -> Any:
    """Return a JSON value with the values in it that are secret by their name replaced, however short.

    ``env`` is the part of it that has environment variables.
    """
    numbers = _Numbers()

    def walk(value: Any, name: Optional[str]) -> Any:
        if value is env:
            return {
                key: f"«env:{key}»" if is_secret_variable(key, item) else item for key, item in env.items()
            }
        if isinstance(value, dict):
            return {key: walk(item, _name(key, name)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, name) for item in value]
        if name is None or not _can_be_secret(value):
            return value
        return f"«value:{numbers.of(name, value)}»"

    return walk(body, None)


def _named_secret(body: Any, env: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    numbers = _Numbers()

    def walk(value: Any, name: Optional[str]) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, item in value.items() if value is not env else ():
                yield from walk(item, _name(key, name))
        elif isinstance(value, list):
            for item in value:
                yield from walk(item, name)
        elif name is not None and _can_be_secret(value):
            yield numbers.of(name, value), value

    return walk(body, None)


def _name(key: str, above: Optional[str]) -> Optional[str]:
    """Return the name under which a field's values are secret: its own, or that of a field above it."""
    if above is not None:
        return f"{above}.{key}"
    return key if looks_secret(key) else None


def _can_be_secret(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


class _Numbers:
    """Tells several values of one name apart, within a request."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Any]] = {}

    def of(self, name: str, value: Any) -> str:
        seen = self._seen.setdefault(name, [])
        if value not in seen:
            seen.append(value)
        index = seen.index(value)
        return f"{name}:{index + 1}" if index else name


def _of_headers(headers: Pairs) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        lower = name.lower()
        if lower == "authorization":
            yield "«api_key»", value.partition(" ")[2] or value
        elif lower == "idempotency-key":
            yield "«idempotency_key»", value
        elif lower == "cookie":
            for part in value.split(";"):
                cookie, _, content = part.strip().partition("=")
                yield f"«cookie:{cookie}»", content
        elif looks_secret(name):
            yield f"«header:{name}»", value


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
