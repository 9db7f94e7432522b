"""One walk over an interaction: to each text of the program or the service, and to each named secret."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Literal, Optional

from buntime.cassette.dialect import Event, dialect_of
from buntime.cassette.secrets.detect import looks_secret
from buntime.cassette.secrets.placeholders import PLACEHOLDER

_LONG = 12
"""Characters from which on the value of an environment variable is a secret, whatever its name."""
_OUTPUTS = ("stdout", "stderr")

Cut = Literal["", "end", "both"]
"""Where a text may be cut within a secret."""
OnText = Callable[[Sequence[str], str, Cut], Sequence[str]]
"""Return a text changed. Called with its pieces, its location, and where it may be cut."""
OnSecret = Callable[[str, str, Any, str], Any]
"""Return a secret changed. Called with the kind and name of its placeholder, its value and its location."""


class Walk:
    """Returns interactions, or their requests alone, with texts and secrets changed by two functions."""

    def __init__(self, on_secret: OnSecret, on_text: OnText = lambda pieces, _location, _cut: pieces) -> None:
        self._on_secret, self._on_text = on_secret, on_text

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an interaction changed, in the same order."""
        request = data["request"]
        self._dialect = dialect_of(request["path"])
        self._env = self._dialect.environment(request)
        changed: dict[str, Any] = {}
        for part, message in data.items():
            # A program that stopped reading may have stopped in the middle of a secret.
            is_left = part == "response" and ("error" in data or message.get("left"))
            self._cut: Cut = "both" if self._dialect.is_piece(request) else "end" if is_left else ""
            changed[part] = {name: self._part(name, item, part) for name, item in message.items()}
        return changed

    def _part(self, name: str, value: Any, location: str) -> Any:
        if name == "json":
            return self._value(value, location)
        if name in {"text", "message"} or (name == "path" and value not in self._dialect.routes):
            return self._text(value, f"{location} {name}")
        if name == "query":
            pairs = (self._value({key: item}, f"{location} query") for key, item in value)
            return [list(pair) for fields in pairs for pair in fields.items()]
        if name == "headers":
            return {
                key: item if key == "Content-Type" else self._text(item, f"{location} headers {key}")
                for key, item in value.items()
            }
        if name == "base64":
            # Latin-1 gives each byte a character, so that a secret is found among any bytes.
            text = self._text(base64.b64decode(value).decode("latin-1"), f"{location} body")
            return base64.b64encode(text.encode("latin-1", "replace")).decode()
        return self._events(value, f"{location} stream") if name == "events" else value

    def _text(self, text: str, location: str) -> str:
        return self._on_text((text,), location, self._cut)[0]

    def _value(self, value: Any, location: str, secret: Optional[str] = None) -> Any:
        """Return a JSON value changed; ``secret`` is the name of a field around it whose value is one.

        It is ``""`` in a field that is public whatever the names in it are.
        """
        if isinstance(value, dict):
            changed: dict[str, Any] = {}
            for key, item in value.items():
                if secret is None:
                    name = "" if key in self._dialect.public_fields else key if looks_secret(key) else None
                else:
                    name = secret and f"{secret}.{key}"
                field = key if key in self._dialect.fields else self._text(key, f"{location} {key}, a name")
                is_text = value is self._env and isinstance(item, str)
                if is_text and _is_secret(item) and (name or len(item) >= _LONG):
                    changed[field] = self._on_secret("env", key, item, f"{location} {key}")
                else:
                    name = None if value is self._env else name
                    changed[field] = self._value(item, f"{location} {key}", name)
            return changed
        if isinstance(value, list):
            return [self._value(item, location, secret) for item in value]
        if secret and _is_secret(value):
            return self._on_secret("value", secret, value, location)
        return self._text(value, location) if isinstance(value, str) else value

    def _events(self, events: Iterable[Sequence[Any]], location: str) -> list[list[Any]]:
        """Return a stream changed. The pieces of each output are one text: a secret may be cut anywhere."""
        changed = [list(event) for event in events]
        outputs: dict[str, list[tuple[list[Any], Event]]] = defaultdict(list)
        for item in changed:
            event = self._dialect.read_event(*item[1:]) if len(item) > 2 else None
            if event is None or not (event.is_end or event.kind in _OUTPUTS):
                item[1] = self._text(item[1], location)
            if event is not None and event.text is not None:
                outputs[event.kind].append((item, event))
            elif event is not None:
                item[2] = self._value(item[2], location)
        for kind, pieces in outputs.items():
            texts = [event.text or "" for _, event in pieces]
            changed_texts = self._on_text(texts, f"{location} {kind}", "end" if self._cut else "")
            for (item, event), text in zip(pieces, changed_texts):
                item[2] = self._with_text(event, text, location)
        return changed

    def _with_text(self, event: Event, text: str, location: str) -> Any:
        """Return the data of an event with its text replaced and its other fields changed."""
        if event.text_key is None:
            return event.with_text(text)
        fields: dict[str, Any] = {}
        for key, item in event.fields.items():
            output = text if key == event.text_key else item if item in _OUTPUTS else None
            fields.update(self._value({key: item}, location) if output is None else {key: output})
        if fields == event.fields or not isinstance(event.data, str):
            return event.data if fields == event.fields else fields
        return json.dumps(fields)


def _is_secret(value: Any) -> bool:
    """Whether a value in a field that is named like a secret is one."""
    if isinstance(value, str):
        return bool(value) and PLACEHOLDER.fullmatch(value) is None
    return isinstance(value, (int, float)) and not isinstance(value, bool)
