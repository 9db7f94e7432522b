"""Secrets: found in requests, replaced by named placeholders, filled in again on replay."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Callable, Optional
from urllib.parse import unquote, urlsplit

from buntime._http import Pairs
from buntime._support.forks import reset_after_fork
from buntime.cassette.secrets.detect import looks_secret, places_of
from buntime.cassette.secrets.encodings import FORM, cut, encoded, forms
from buntime.wire import volatile

Span = tuple[int, int, str]

PLACEHOLDER = re.compile(
    rf"«(?:api_key|idempotency_key|(?:cookie|env|header|value):[^«»]+?)(?::\d+)?(?:{FORM})?»"
)
"""What stands in a cassette in place of a secret.

That is what it is, from the second of that on a number, and its form where it does not stand there as it is.
"""
_FORM = re.compile(rf"({FORM})?»\Z")

_LONG = 12
"""Characters from which on the value of an environment variable is a secret whatever its name."""
_SEARCHED = 4
"""Characters from which on a secret is looked for wherever it may occur; a shorter one is in every text."""
_FEW = 200
"""Up to how many texts a text is searched once for each."""
_CREDENTIAL = 8
"""The same for what is in a header: a key for a test server may be a plain word."""


def without_form(place: str) -> tuple[str, str]:
    """Return the placeholder of the secret itself, and the name of the form that this one is for."""
    found = _FORM.search(place)
    if found is None or not found[1]:
        return place, ""
    return f"{place[: found.start()]}»", found[1][1:]


def in_form(place: str, form: str) -> str:
    """Return the placeholder for a secret in a form."""
    return f"{place[:-1]}|{form}»" if form else place


class Secrets:
    """The secrets that requests have brought so far. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = reset_after_fork(threading.Lock())
        self._named: dict[str, dict[Any, str]] = {}
        self._values: dict[str, Any] = {}
        self._headers_seen: Pairs = ()
        self._places: set[str] = set()
        self.searched: list[tuple[str, str]] = []
        """What is looked for in texts, each with its placeholder, in the order in which they came."""
        self._by_beginning: dict[str, list[tuple[str, str]]] = {}
        self._parted = 0
        self._firsts: dict[str, str] = {}
        self._others: dict[str, str] = {}
        self._lengths: list[int] = []

    def learn_arguments(self, method: str, path: str, body: Any) -> None:
        """Find the secrets that are no field of a request's JSON: in URLs, and in the arguments of a call."""
        for name, value in volatile.environment(method, path, body).items():
            self._learn_password(f"env:{name}", value)
        arguments = volatile.call_arguments(method, path, body)
        if arguments is not None:
            hide_named(arguments, {}, self.place)

    def learn_headers(self, headers: Pairs) -> None:
        """Find the credentials in a request's headers."""
        if headers == self._headers_seen:
            return
        for name, value in _of_headers(headers):
            self.place(name, value, least=_CREDENTIAL)
        self._headers_seen = headers

    def _learn_password(self, name: str, value: Any) -> None:
        """Find the password in the URL of a database, say: programs take such URLs apart."""
        if isinstance(value, str) and "://" in value and len(value) >= _LONG:
            with suppress(ValueError):
                password = urlsplit(value).password
                if password:
                    self.place(f"{name}.password", unquote(password))

    def learn_cookies(self, headers: Mapping[str, str]) -> None:
        """Find the cookies that the service sets."""
        for cookie in headers["Set-Cookie"].split(",") if "Set-Cookie" in headers else ():
            name, _, value = cookie.partition(";")[0].strip().partition("=")
            if value:
                self.place(f"cookie:{name}", value, least=_CREDENTIAL)

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
        for text, form in forms(value).items():
            if text not in self._places:
                self._places.add(text)
                found = (text, in_form(place, form))
                self.searched.append(found)
                self._by_beginning.setdefault(text[:_SEARCHED], []).append(found)

    def value(self, place: str) -> Any:
        """Return what a placeholder stands for, or the placeholder where that is not known."""
        secret, form = without_form(place)
        found = self._values.get(secret, place)
        return encoded(found, form) if form and found is not place and isinstance(found, str) else found

    def spans(self, text: str) -> list[Span]:
        """Return where secrets are in a text, and what to put there."""
        if len(self.searched) > _FEW:
            return list(self._spans_of_many(text))
        found = [(secret, place) for secret, place in self.searched if secret in text]
        return [
            (start, start + len(secret), place)
            for secret, place in found
            for start in places_of(secret, text)
        ]

    def _spans_of_many(self, text: str) -> Iterator[Span]:
        """Do the same in a time that does not depend on how many there are."""
        for start in range(len(text) - _SEARCHED + 1):
            for secret, place in self._by_beginning.get(text[start : start + _SEARCHED], ()):
                if text.startswith(secret, start):
                    yield start, start + len(secret), place

    def at_the_ends(self, text: str, *, begun: bool = False) -> Iterator[Span]:
        """Yield where the first part of a secret is, at the end of a text that was cut.

        ``begun`` says that it was cut where it begins, too.
        """
        self._look_for_parts()
        for length in self._lengths:
            first, other = self._firsts.get(text[-length:]), self._others.get(text[:length])
            if first is not None and length <= len(text):
                yield len(text) - length, len(text), first
            if begun and other is not None and length <= len(text):
                yield 0, length, other

    def _look_for_parts(self) -> None:
        """Find the parts of the secrets that came since the last time."""
        with self._lock:
            new, self._parted = self.searched[self._parted :], len(self.searched)
            for secret, place in new:
                if not without_form(place)[1]:
                    for text, form, is_first in cut(secret):
                        (self._firsts if is_first else self._others).setdefault(text, in_form(place, form))
            if new:
                self._lengths = sorted({*map(len, self._firsts), *map(len, self._others)}, reverse=True)


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
    return _hidden_values(body, None, env, place)


def _hidden_values(
    value: Any, name: Optional[str], env: Mapping[str, Any], place: Callable[[str, Any], str]
) -> Any:
    if isinstance(value, dict):
        if value is env:
            return {key: _hidden_variable(key, item, place) for key, item in value.items()}
        if name is None and not any(map(looks_secret, value)):
            inner = [(key, item) for key, item in value.items() if isinstance(item, (dict, list))]
            return {**value, **{key: _hidden_values(item, None, env, place) for key, item in inner}}
        return {key: _hidden_values(item, _name(key, name), env, place) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden_values(item, name, env, place) for item in value]
    return value if name is None or not _can_be_secret(value) else place(f"value:{name}", value)


def _hidden_variable(name: str, value: Any, place: Callable[[str, Any], str]) -> Any:
    hidden = is_secret_variable(name, value) and _can_be_secret(value)
    return place(f"env:{name}", value) if hidden else value


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
            name if name in volatile.FIELDS else _text(change(name)): change(item)
            if isinstance(item, str)
            else map_strings(item, change)
            if isinstance(item, (dict, list))
            else item
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [map_strings(item, change) for item in value]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def replaced(text: str, spans: Iterable[Span]) -> str:
    """Return the text with the spans replaced; of two that overlap, the first."""
    if not spans:
        return text
    parts: list[str] = []
    end = 0
    for start, stop, place in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end:
            parts += (text[end:start], place)
            end = stop
    return "".join((*parts, text[end:]))
