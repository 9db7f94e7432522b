"""The texts, the secrets and the streams of an interaction, visited and changed."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Callable, Optional

from buntime._support.packed import PackedList, Values, pack
from buntime._support.repetition import with_changed_parts
from buntime._support.spans import OverlappingParts, Replacement, Span, replace_spans
from buntime.cassette.body import map_outputs, output_pieces
from buntime.cassette.dialect import dialect_of
from buntime.cassette.secrets import detect
from buntime.cassette.secrets.placeholders import PLACEHOLDER
from buntime.wire.events import ParsedEvent

_LONG = 12
"""Characters from which on the value of an environment variable is a secret, whatever its name."""
_OUTPUTS = ("stdout", "stderr")
NAME_OF_TEST = "name of the test"  # a location

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
        if name == "path" and value in self._dialect.routes:
            return value
        location = NAME_OF_TEST if name == "test" else f"{part} {name}"
        return self._text(value, location) if name in {"path", "text", "message", "test"} else value

    def _text(self, text: str, location: str) -> str:
        spans = self._spans_in(text, location, self._is_cut)
        return replace_spans(text, spans) if spans else text

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

    def _events(self, events: Values, location: str) -> Values:
        """Return a stream changed. The pieces of each output are one text: a secret may be cut anywhere.

        The first look finds what to change. So a large stream that is only searched is read once.
        """
        outputs: dict[str, OverlappingParts] = defaultdict(lambda: OverlappingParts(self._longest))
        spans: dict[str, list[Span]] = defaultdict(list)
        is_changed = False

        def look(kind: str, position: int, part: str, *, is_last: bool = False) -> None:
            # What the edge of a part cuts is in the next one.
            for start, end, replacement in self._spans_in(part, f"{location} {kind}", self._is_cut) or ():
                if (start or not position) and (end < len(part) or is_last):
                    spans[kind].append((position + start, position + end, replacement))

        for item in events:
            event = self._read(item)
            is_changed = self._event(item, event, event.text, location) != item or is_changed
            if event.text is not None:
                for part in outputs[event.kind].add(event.text):
                    look(event.kind, *part)
        for kind, parts in outputs.items():
            look(kind, *parts.last(), is_last=True)
        if not (is_changed or spans):
            return events
        changed = self._changed(events, spans, location)
        return pack(changed) if isinstance(events, PackedList) else [*changed]

    def _changed(self, events: Values, spans: dict[str, list[Span]], location: str) -> Iterator[list[Any]]:
        """Yield the events of a stream changed, with these spans of its outputs replaced."""
        replacements = {kind: Replacement(each) for kind, each in spans.items()}
        outputs = output_pieces(events, self._dialect) if spans else {}
        outputs = {kind: outputs[kind] for kind in spans}

        def part(text: str) -> str:  # the service may have cut it in a secret
            return replace_spans(text, self._spans_in(text, location, True) or ())

        for item in events:
            event = self._read(item)
            text = event.text
            if text is not None and event.kind in replacements:
                text = replacements[event.kind](text)
            changed = self._event(item, event, text, location)
            if event.is_end:
                changed[2] = map_outputs(changed[2], outputs, partial(with_changed_parts, change=part))
            yield changed

    def _read(self, item: Sequence[Any]) -> ParsedEvent:
        is_complete = len(item) > 2
        return self._dialect.read_event(*item[1:]) if is_complete else ParsedEvent("", item[1], {})

    def _event(self, item: Sequence[Any], event: ParsedEvent, text: str | None, location: str) -> list[Any]:
        """Return an event changed, with this text as its output."""
        changed = [*item]
        if not (event.is_end or event.kind in _OUTPUTS):
            changed[1] = self._text(item[1], location)
        if text is None and len(item) > 2:
            changed[2] = self._value(item[2], location)
        elif event.text_key is not None:
            kinds = {key: field for key, field in event.fields.items() if field in _OUTPUTS}
            fixed = {**kinds, event.text_key: text}
            fields = {**self._value({**event.fields, **dict.fromkeys(fixed)}, location), **fixed}
            changed[2] = event.data if fields == event.fields else fields
        elif text != event.text:
            changed[2] = text
        return changed
