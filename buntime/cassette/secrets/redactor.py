"""Interactions as a cassette may show them: without secrets, and with numbers for ids."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Callable, Optional

import attrs

from buntime._http import Headers, Pairs, Request
from buntime._support.base64_text import base64_in
from buntime._support.packed import Line
from buntime._support.repetition import with_changed_parts
from buntime._support.spans import Span, overlapping_parts, replace_in_pieces, replace_spans
from buntime.cassette.body import map_outputs
from buntime.cassette.dialect import Event, dialect_of
from buntime.cassette.file import Cassette, Interaction, journal_line
from buntime.cassette.ids import Numbering
from buntime.cassette.secrets import detect
from buntime.cassette.secrets.placeholders import PLACEHOLDER, Scalar
from buntime.cassette.secrets.registry import Secrets

_LONG = 12
"""Characters from which on the value of an environment variable is a secret, whatever its name."""
_OUTPUTS = ("stdout", "stderr")
_IN_VALUES = frozenset({"base64", "events", "left", "query"})
"""The fields of messages whose secrets may be named, encoded, in pieces, or cut off."""
_ENCODED = frozenset({"base64", "events"})

SpansIn = Callable[[str, str, bool], Optional[Sequence[Span]]]
"""Return the spans to replace in a text. Called with its location, and whether it may be cut in a secret."""
OnSecret = Callable[[str, Any, str], Any]
"""Return a secret changed. Called with the name for its placeholder, its value and its location."""


class Walk:
    """Returns interactions, or their requests alone, with texts and secrets changed by two functions."""

    def __init__(
        self,
        on_secret: OnSecret = lambda _name, value, _location: value,
        spans_in: SpansIn = lambda _text, _location, _is_cut: (),
        longest: int = 0,
    ) -> None:
        self._on_secret, self._spans_in, self._longest = on_secret, spans_in, longest

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an interaction changed, in the same order."""
        request = data["request"]
        self._dialect = dialect_of(request["path"])
        self._env = self._dialect.environment(request)
        changed: dict[str, Any] = {}
        for part, message in data.items():
            # A program that stopped reading may have stopped in the middle of a secret.
            is_left = part == "response" and ("error" in data or "left" in message)
            self._is_cut = is_left or self._dialect.is_piece(request)
            changed[part] = {name: self._field(name, value, part) for name, value in message.items()}
        return changed

    def _field(self, name: str, value: Any, part: str) -> Any:
        if name == "json":
            return self._value(value, part)
        if name == "query":
            pairs = (self._value({key: item}, f"{part} query") for key, item in value)
            return [list(pair) for fields in pairs for pair in fields.items()]
        if name == "headers":
            texts = {key: self._text(item, f"{part} headers {key}") for key, item in value.items()}
            return {key: value[key] if key == "Content-Type" else text for key, text in texts.items()}
        if name == "base64":
            # Latin-1 gives each byte a character, so that a secret is found among any bytes.
            text = self._text(base64.b64decode(value).decode("latin-1"), f"{part} body")
            return base64.b64encode(text.encode("latin-1", "replace")).decode()
        if name == "events":
            return self._events(value, f"{part} stream")
        is_text = name in {"text", "message"} or (name == "path" and value not in self._dialect.routes)
        return self._text(value, f"{part} {name}") if is_text else value

    def _text(self, text: str, location: str) -> str:
        spans = self._spans_in(text, location, self._is_cut)
        return replace_spans(text, spans) if spans else text

    def _pieces(self, pieces: Sequence[str], location: str) -> Sequence[str]:
        """As :meth:`_text`, of a text that may be large: what the edge of a part cuts is in the next one."""
        length = sum(map(len, pieces))
        spans = [
            (position + start, position + end, replacement)
            for position, part in overlapping_parts(pieces, self._longest)
            for start, end, replacement in self._spans_in(part, location, self._is_cut) or ()
            if (start or not position) and (end < len(part) or position + end == length)
        ]
        return replace_in_pieces(pieces, spans) if spans else pieces

    def _value(self, value: Any, location: str, secret: Optional[str] = None) -> Any:
        """Return a JSON value changed; ``secret`` is the name that it has, or ``""`` in a public field."""
        if isinstance(value, dict):
            changed: dict[str, Any] = {}
            returned = self._dialect.returned_fields if location == "response" else ()
            for key, item in value.items():
                name = secret and f"{secret}.{key}"
                if value is self._env:
                    is_secret = isinstance(item, str) and (detect.looks_secret(key) or len(item) >= _LONG)
                    name = f"env:{key}" if is_secret else None
                elif secret is None and (key in self._dialect.public_fields or key in returned):
                    name = ""
                elif secret is None and detect.looks_secret(key):
                    name = f"value:{key}"
                field = key if key in self._dialect.fields else self._text(key, f"{location} {key}, a name")
                changed[field] = self._value(item, f"{location} {key}", name)
            return changed
        if isinstance(value, list):
            return [self._value(item, location, secret) for item in value]
        is_hidden = isinstance(value, str) and (not value or PLACEHOLDER.fullmatch(value) is not None)
        if secret and isinstance(value, (str, int, float)) and not isinstance(value, bool) and not is_hidden:
            return self._on_secret(secret, value, location)
        return self._text(value, location) if isinstance(value, str) else value

    def _events(self, events: Iterable[Sequence[Any]], location: str) -> list[list[Any]]:
        """Return a stream changed. The pieces of each output are one text: a secret may be cut anywhere."""
        changed = [list(event) for event in events]
        outputs: dict[str, list[tuple[list[Any], Event]]] = defaultdict(list)
        ends: list[list[Any]] = []

        def part(text: str) -> str:  # the service may have cut it in a secret
            return replace_spans(text, self._spans_in(text, location, True) or ())

        for item in changed:
            event = self._dialect.read_event(*item[1:]) if len(item) > 2 else None
            if event is None or not (event.is_end or event.kind in _OUTPUTS):
                item[1] = self._text(item[1], location)
            if event is not None and event.text is not None:
                outputs[event.kind].append((item, event))
            elif event is not None:
                item[2] = self._value(item[2], location)
                ends += [item] * event.is_end
        for kind, pieces in outputs.items():
            originals = [event.text or "" for _, event in pieces]
            texts = self._pieces(originals, f"{location} {kind}")
            for item in ends if texts != originals else ():
                item[2] = map_outputs(item[2], {kind: originals}, partial(with_changed_parts, change=part))
            for (item, event), text in zip(pieces, texts):
                item[2] = self._with_text(event, text, location)
        return changed

    def _with_text(self, event: Event, text: str, location: str) -> Any:
        """Return the data of an event with its text replaced and its other fields changed."""
        if event.text_key is None:
            return event.with_text(text)
        kinds = {key: item for key, item in event.fields.items() if item in _OUTPUTS}
        fixed = {**kinds, event.text_key: text}
        fields = {**self._value({**event.fields, **dict.fromkeys(fixed)}, location), **fixed}
        return event.data if fields == event.fields else fields


class Redactor:
    """The secrets and ids of one recording. The caller sees to locking.

    Redaction is one pass over the original values, with everything that is known by then. So what becomes
    known later is redacted from the original again, and never from a text that already has placeholders.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self.secrets: Secrets = Secrets()
        self._numbering = Numbering()
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
        """Note the secrets and ids of an outcome; return whether to look for secrets in its values."""
        if "Set-Cookie" in headers:
            for name, value in detect.credentials([("Set-Cookie", headers["Set-Cookie"])]):
                self.secrets.add(name, value)
        request, response = data["request"], data.get("response", {})
        for name, value in dialect_of(request["path"]).response_secrets(request, response.get("json")):
            self._add(f"value:{name}", value, "response")
        self._numbering.learn(data)
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
        self, line: Line, data: Mapping[str, Any], number: int, *, in_values: bool
    ) -> tuple[Line, list[str]]:
        """Return an interaction's line of the journal without secrets, and the keys that it still has.

        Most lines hold nothing but ids, and those are replaced faster in the line than ``in_values``.
        """
        may_have_key = isinstance(line, str) and detect.may_have_key(line)
        text: Optional[Line] = None
        if isinstance(line, str) and not in_values and not self.secrets.may_be_in(line):
            path = data["request"]["path"]
            start = line.find(path) + len(path) if path in dialect_of(path).routes else 0
            text = self._numbering.renumber(line, start)
        if text is None:
            original, data = data, self.redact(data)
            is_large = isinstance(line, bytes)
            text = line if data == original else journal_line(number, data, is_large=is_large)
        # The line does not show a key in the pieces of a stream, or in base64 in a body of bytes.
        is_encoded = in_values and any(not _ENCODED.isdisjoint(message) for message in data.values())
        return text, self.blocked(data) if is_encoded or may_have_key else []

    def redact(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an interaction as it is, or its request alone, without secrets."""
        secrets, ids = self.secrets.spans, self._numbering.spans

        def spans_in(text: str, _: str, is_cut: bool) -> Sequence[Span]:
            return [*secrets(text, is_cut=is_cut), *ids(text)]

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
