"""Interactions as a cassette may show them: without secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Callable

import attrs

from buntime._http import Headers, Pairs, Request
from buntime._support.base64_text import base64_in
from buntime._support.packed import Line
from buntime._support.spans import Span, cover, without_cutting
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import Cassette, Interaction, journal_line
from buntime.cassette.secrets import detect
from buntime.cassette.secrets.placeholders import Scalar, with_form
from buntime.cassette.secrets.registry import Secrets
from buntime.cassette.secrets.walk import Walk

_IN_VALUES = frozenset({"base64", "events", "left", "query"})
"""The fields of messages whose secrets may be named, encoded, in pieces, or cut off."""
_ENCODED = frozenset({"base64", "events"})


class Redactor:
    """The secrets of one recording. The caller sees to locking.

    Redaction is one pass over the original values, with everything that is known by then. So what becomes
    known later is redacted from the original again, and never from a text that already has placeholders.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self.secrets: Secrets = Secrets()
        self.allow: tuple[str, ...] = tuple(allow)
        self._headers: Pairs = ()
        self._named_by: dict[str, str] = {}
        """The location of the field that first named each secret."""

    def learn_request(self, request: Request, serialized: Mapping[str, Any]) -> bool:
        """Note the secrets of a request; return whether they have to be looked for in its values."""
        if request.headers != self._headers:
            new = [pair for pair in request.headers if pair not in self._headers]
            for name, value in detect.credentials(new):
                self.secrets.add(name, value)
            self._headers = request.headers
        dialect = dialect_of(serialized["path"])
        env = dialect.environment(serialized)
        for name, value in env.items():
            if password := detect.url_password(value):
                self.secrets.add(f"env:{name}.password", password)
        in_values = bool(env) or dialect.is_piece(serialized)
        return self._learn_values({"request": serialized}, serialized, in_values=in_values)

    def learn_response(self, data: Mapping[str, Any], headers: Headers) -> bool:
        """Note the secrets of an outcome; return whether they have to be looked for in its values."""
        if "Set-Cookie" in headers:
            for name, value in detect.credentials([("Set-Cookie", headers["Set-Cookie"])]):
                self.secrets.add(name, value)
        request, response = data["request"], data.get("response", {})
        for name, value in dialect_of(request["path"]).response_secrets(request, response.get("json")):
            self._add(f"value:{name}", value, "response")
        return self._learn_values(data, response, in_values="error" in data)

    def _learn_values(self, data: Mapping[str, Any], message: Mapping[str, Any], *, in_values: bool) -> bool:
        """Note the secrets that a message names; return whether they have to be looked for in its values."""
        in_values = in_values or not _IN_VALUES.isdisjoint(message)
        plain = detect.plain_names(dialect_of(data["request"]["path"]).fields)
        if not in_values and not detect.has_secret_names(message.get("json"), plain):
            return False  # as for most messages, and faster than a walk
        Walk(self._add)(data)
        return True

    def _add(self, name: str, value: Any, location: str) -> str:
        placeholder = self.secrets.add(name, value)
        self._named_by.setdefault(placeholder, location)
        return placeholder

    def redact_line(
        self, line: Line, data: Mapping[str, Any], number: int, *, in_values: bool, may_have_key: bool
    ) -> tuple[Line, list[str]]:
        """Return an interaction's line of the journal without secrets, and the keys that it still has.

        The line itself is returned if it has no secret.
        """
        text = line
        if in_values or not isinstance(line, str) or self.secrets.may_be_in(line):
            original, data = data, self.redact(data)
            text = line if data == original else journal_line(number, data)
        # The line does not show a key in the pieces of a stream, or in base64 in a body of bytes.
        is_encoded = in_values and any(not _ENCODED.isdisjoint(message) for message in data.values())
        return text, self.blocked(data) if is_encoded or may_have_key else []

    def redact(
        self, data: Mapping[str, Any], ids: Callable[[str], Iterable[Span]] = lambda _: ()
    ) -> dict[str, Any]:
        """Return an interaction, or its request alone, without secrets, and with its ``ids`` replaced."""

        def spans_in(text: str, _: str, is_cut: bool) -> Sequence[Span]:
            spans = self.secrets.spans(text, is_cut=is_cut)
            secrets = cover(spans, lambda secret, count: with_form(secret, f"after.{count}"))
            return [*secrets, *without_cutting(ids(text), secrets)]

        return Walk(self._add, spans_in, self.secrets.longest)(data)

    def blocked(self, data: Mapping[str, Any]) -> list[str]:
        """Return which well-known kinds of key an interaction still has, and where; never the key."""
        problems: dict[str, None] = {}

        def look(text: str, location: str, _: bool) -> None:
            readable = location.partition(" ")[0] if any(detect.keys_in(location, ())) else location
            for content, form in chain([(text, "")], ((each, ", in base64") for each in base64_in(text))):
                for kind in detect.keys_in(content, self.allow):
                    problems[f"{kind} ({readable}{form})"] = None

        Walk(spans_in=look)(data)
        return [*problems]

    def sent(self) -> Iterator[tuple[str, Scalar]]:
        """Yield the placeholders and values of the secrets, apart from those that a response named first."""
        for placeholder, value in self.secrets.placeholders.items():
            if not self._named_by.get(placeholder, "").startswith("response"):
                yield placeholder, value


def secrets_in(cassette: Cassette, allow: Iterable[str] = ()) -> Iterator[str]:
    """Yield the locations of well-known keys, and of values that are named like secrets, in a cassette."""
    redactor = Redactor(allow)
    named: list[str] = []
    find_named = Walk(lambda _name, _value, location: named.append(location))
    for number, item in enumerate(cassette.interactions, 1):
        named.clear()
        find_named(item.data)
        for secret in (*redactor.blocked(item.data), *(f"a value that is not hidden ({it})" for it in named)):
            yield f"interaction {number}, {item.call}, holds {secret}"


def scrub(cassette: Cassette, env: Mapping[str, str]) -> Cassette:
    """Return a cassette with placeholders for the values of variables, and for values named like secrets."""
    redactor = Redactor()
    for name, value in env.items():
        redactor.secrets.add(f"env:{name}", value)
    for item in cassette.interactions:
        redactor.learn_request(Request(item.request["method"], item.request["path"]), item.request)
        redactor.learn_response(item.data, Headers())
    interactions = tuple(Interaction(redactor.redact(item.data)) for item in cassette.interactions)
    return attrs.evolve(cassette, interactions=interactions)
