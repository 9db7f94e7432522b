"""Interactions as a cassette may show them: without secrets, and with numbers for ids."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

from buntime._http import Headers, Pairs, Request
from buntime.cassette.body import join_outputs
from buntime.cassette.dialect import Dialect, Event, dialect_of
from buntime.cassette.ids import Numbering, Span
from buntime.cassette.secrets.detect import known_secrets, may_have_key
from buntime.cassette.secrets.encodings import base64_runs, has_base64
from buntime.cassette.secrets.named import (
    credentials,
    is_named_secret,
    named_secrets,
    secret_name,
    url_password,
)
from buntime.cassette.secrets.registry import SHORTEST_CREDENTIAL, Secrets, replace_spans

_NAMED = frozenset({"stdout", "stderr"})
RedactText = Callable[[str], str]


class Redactor:
    """The secrets and ids of one recording. The caller sees to locking.

    Redaction is one pass over the original values, with everything that is known by then. So what becomes
    known later is redacted from the original again, and never from a text that already has placeholders.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self.secrets: Secrets = Secrets()
        self._numbering = Numbering()
        self._allow = tuple(allow)
        self._versions: dict[object, list[str]] = {}
        self._headers: Pairs = ()
        self._dialect: Dialect

    def learn_request(self, request: Request, serialized: Mapping[str, Any]) -> bool:
        """Find the secrets of a request, and return whether a field or a variable names one of them."""
        if request.headers != self._headers:
            for kind, value, name in credentials(request.headers):
                self.secrets.add(kind, value, name, shortest=SHORTEST_CREDENTIAL)
            self._headers = request.headers
        body = serialized.get("json")
        env = dialect_of(request.path).environment(serialized)
        for name, value in env.items():
            password = url_password(value)
            if password:
                self.secrets.add("env", password, f"{name}.password")
        fields = [{name: value} for name, value in request.query]
        is_in_url = self._learn_named(fields, env)
        return self._learn_named(body, env) or is_in_url

    def learn_outcome(
        self, request: Request, serialized: Mapping[str, Any], outcome: dict[str, Any], headers: Headers
    ) -> bool:
        """Find the secrets and the ids in a response, and return whether a field names one of the secrets.

        The state of a file becomes a number in ``outcome``.
        """
        for cookie in headers["Set-Cookie"].split(",") if "Set-Cookie" in headers else ():
            name, _, value = cookie.partition(";")[0].strip().partition("=")
            if value:
                self.secrets.add("cookie", value, name, shortest=SHORTEST_CREDENTIAL)
        response, dialect = outcome.get("response", {}), dialect_of(request.path)
        for name, value in dialect.response_secrets(serialized, response.get("json")):
            self.secrets.add("value", value, name)
        has_named = self._learn_named(
            [response.get("json"), *(event[-1] for event in response.get("events", ()))]
        )
        for new in dialect.new_ids(serialized, response.get("json")):
            self._numbering.note(*new)
        version = dialect.version(serialized, response.get("json"))
        if version is not None:
            known = self._versions.setdefault(version[0], [])
            if version[1] not in known:
                known.append(version[1])
            number = json.dumps(f"stamp_{known.index(version[1]) + 1}")
            response["json"] = json.loads(
                json.dumps(response["json"]).replace(json.dumps(version[1]), number)
            )
        return has_named

    def _learn_named(self, value: Any, env: Optional[Mapping[str, Any]] = None) -> bool:
        has_named = False
        for secret in named_secrets(value, env):
            self.secrets.add(secret.kind, secret.value, secret.name)
            has_named = True
        return has_named

    def redact_line(self, text: str) -> Optional[str]:
        """Return a line of JSON without its ids; ``None`` if more may have to be redacted.

        Most lines hold nothing but ids, and a text is replaced faster in the line than in its values.
        """
        if self._numbering.needs_values(text) or self.secrets.may_be_in(text):
            return None
        return replace_spans(text, self._numbering.spans(text))

    def redact(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an interaction as it is, or its request alone, without secrets."""
        request = data["request"]
        self._dialect = dialect_of(request["path"])
        is_piece = self._dialect.is_piece(request)
        redact_text = self._text_in_pieces if is_piece else self._text
        redacted: dict[str, Any] = {"request": self._request(request, redact_text)}
        if "response" in data:
            is_cut = "error" in data or data["response"].get("left", False)
            # A program that stopped reading may have stopped in the middle of a secret.
            redact_text = self._text_in_pieces if is_piece else self._cut_text if is_cut else self._text
            redacted["response"] = self._response(data["response"], redact_text, is_cut=is_cut)
        if "error" in data:
            redacted["error"] = {**data["error"], "message": self._text(data["error"]["message"])}
        return redacted

    def _request(self, request: Mapping[str, Any], redact_text: RedactText) -> dict[str, Any]:
        redacted = {**request, **self._body(request, redact_text)}
        if request["path"] not in self._dialect.routes:
            redacted["path"] = redact_text(request["path"])
        if "query" in request:
            fields = [self._value({name: value}, redact_text) for name, value in request["query"]]
            redacted["query"] = [list(pair) for field in fields for pair in field.items()]
        return redacted

    def _response(
        self, response: Mapping[str, Any], redact_text: RedactText, *, is_cut: bool
    ) -> dict[str, Any]:
        redacted = {**response, **self._body(response, redact_text)}
        redacted["headers"] = {
            name: value if name == "Content-Type" else redact_text(value)
            for name, value in response.get("headers", {}).items()
        }
        if "events" in response:
            redacted["events"] = self._events(response["events"], redact_text, is_cut=is_cut)
        return redacted

    def _body(self, message: Mapping[str, Any], redact_text: RedactText) -> dict[str, Any]:
        if "json" in message:
            env = self._dialect.environment(message) if "path" in message else None
            return {"json": self._value(message["json"], redact_text, env=env)}
        if "text" in message:
            return {"text": redact_text(message["text"])}
        if "base64" in message:
            # Latin-1 gives each byte a character, so that a secret is found among any bytes.
            text = redact_text(base64.b64decode(message["base64"]).decode("latin-1"))
            return {"base64": base64.b64encode(text.encode("latin-1", "replace")).decode()}
        return {}

    def _value(
        self,
        value: Any,
        redact_text: RedactText,
        *,
        name: Optional[str] = None,
        env: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """Return a JSON value without secrets; ``name`` is that of a field around it that is one."""
        if isinstance(value, dict):
            redacted = {}
            for key, item in value.items():
                field = key if key in self._dialect.fields else redact_text(key)
                if value is env and is_named_secret(key, item, env=True):
                    redacted[field] = self.secrets.add("env", item, key)
                else:
                    inner = None if value is env else secret_name(key, name)
                    redacted[field] = self._value(item, redact_text, name=inner, env=env)
            return redacted
        if isinstance(value, list):
            return [self._value(item, redact_text, name=name, env=env) for item in value]
        if name is not None and is_named_secret(name, value):
            return self.secrets.add("value", value, name)
        return redact_text(value) if isinstance(value, str) else value

    def _events(
        self, events: Iterable[list[Any]], redact_text: RedactText, *, is_cut: bool
    ) -> list[list[Any]]:
        """Redact a stream, also a secret that comes in pieces: those of each kind are read as one text."""
        redacted: list[list[Any]] = []
        outputs: dict[str, list[tuple[list[Any], Event]]] = {}
        for moment, *event in events:
            if len(event) == 1:
                redacted.append([moment, redact_text(event[0])])
                continue
            parsed = self._dialect.read_event(*event)
            name = event[0] if parsed.is_end or parsed.kind in _NAMED else redact_text(event[0])
            redacted.append([moment, name, event[1]])
            if parsed.text is None:
                redacted[-1][2] = self._value(event[1], redact_text)
            else:
                outputs.setdefault(parsed.kind, []).append((redacted[-1], parsed))
        for pieces in outputs.values():
            texts = [parsed.text or "" for _, parsed in pieces]
            output = "".join(texts)
            spans = self._spans(output)
            spans += self.secrets.fragments(output, at_start=False, at_end=True) if is_cut else ()
            del output  # may be large
            for (event, parsed), text in zip(pieces, _replace_in_pieces(texts, spans) if spans else texts):
                event[2] = self._output(parsed, text, redact_text)
        return redacted

    def _output(self, parsed: Event, text: str, redact_text: RedactText) -> Any:
        """Return the data of an event with its text replaced, and its other fields without secrets."""
        if parsed.text_key is None:
            return parsed.with_text(text)
        fields: dict[str, Any] = {}
        for key, item in parsed.fields.items():
            if key == parsed.text_key:
                fields[key] = text
            elif isinstance(item, str) and item in _NAMED:
                fields[key] = item
            else:
                fields.update(self._value({key: item}, redact_text))
        if fields == parsed.fields:
            return parsed.data
        return json.dumps(fields) if isinstance(parsed.data, str) else fields

    def _text(self, text: str) -> str:
        spans = self._spans(text)
        return replace_spans(text, spans) if spans else text

    def _cut_text(self, text: str) -> str:
        return replace_spans(
            text, [*self._spans(text), *self.secrets.fragments(text, at_start=False, at_end=True)]
        )

    def _text_in_pieces(self, text: str) -> str:
        """Redact a piece of a file or a log, which may begin and end within a secret."""
        ends = self.secrets.fragments(text, at_start=True, at_end=True)
        return replace_spans(text, [*self._spans(text), *ends])

    def _spans(self, text: str) -> list[Span]:
        return [*self.secrets.spans(text), *self._numbering.spans(text)]

    def blocked(self, data: Mapping[str, Any], line: bytes) -> list[str]:
        """Return which well-known kinds of key an interaction still has, and where; never the key.

        ``line`` is the interaction as JSON, which shows for most that there is none. Only the pieces of a
        stream do not show it.
        """
        text = line.decode("ascii")
        is_stream = "events" in (data.get("response") or ())
        if not (is_stream or may_have_key(text) or has_base64(text)):
            return []
        problems: dict[str, None] = {}
        dialect = dialect_of(data["request"]["path"])
        for part, value in data.items():
            for location, text in _texts(part, value, dialect):
                problems.update((f"{kind} ({location})", None) for kind in known_secrets(text, self._allow))
                for inside in base64_runs(text):
                    kinds = known_secrets(inside, self._allow)
                    problems.update((f"{kind} ({location}, in base64)", None) for kind in kinds)
        return list(problems)


def _replace_in_pieces(texts: list[str], spans: Iterable[Span]) -> list[str]:
    """Replace spans of the joined text; a placeholder goes into the piece in which its span begins."""
    pieces: list[str] = []
    ordered = sorted(spans, key=lambda span: (span[0], -span[1]))
    joined, begin, done, position = "".join(texts), 0, 0, 0
    for text in texts:
        end = begin + len(text)
        piece = ""
        while position < len(ordered) and ordered[position][0] < end:
            start, stop, replacement = ordered[position]
            position += 1
            if start >= done:
                piece += joined[max(begin, done) : start] + replacement
                done = stop
        pieces.append(piece + joined[max(begin, done) : end])
        begin, done = end, max(done, end)
    return pieces


def _texts(location: str, value: Any, dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield each text of a value with its location; bytes as text, the output of a stream in one."""
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "base64" and isinstance(item, str) and item.isascii():
                yield f"{location} body", base64.b64decode(item).decode("latin-1")
            elif name == "events":
                texts, others = join_outputs(item, dialect)
                yield from _texts(f"{location} stream", texts, dialect)
                yield from _texts(f"{location} stream", others, dialect)
            else:
                yield f"{location} {name}, a name", name
                yield from _texts(location if name == "json" else f"{location} {name}", item, dialect)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(location, item, dialect)
