"""Interactions as a cassette may show them: without secrets, and with numbers for ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from buntime._http import Headers, Pairs, Request
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import journal_line
from buntime.cassette.ids import Numbering
from buntime.cassette.secrets import detect
from buntime.cassette.secrets.registry import Secrets, replace
from buntime.cassette.secrets.walk import Cut, Walk

_SHORTEST_CREDENTIAL = 8
"""Characters from which on a value in a header is searched for: a test server's key may be a word."""
_IN_VALUES = frozenset({"base64", "events", "left"})
"""The parts of responses whose secrets may be encoded, in pieces, or cut off."""


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

    def learn_request(self, request: Request, serialized: Mapping[str, Any]) -> bool:
        """Note the secrets of a request; return whether a field or a variable names one."""
        if request.headers != self._headers:
            for kind, value, name in detect.credentials(request.headers):
                self.secrets.add(kind, value, name, shortest=_SHORTEST_CREDENTIAL)
            self._headers = request.headers
        env = dialect_of(serialized["path"]).environment(serialized)
        for name, password in ((name, detect.url_password(value)) for name, value in env.items()):
            if password:
                self.secrets.add("env", password, f"{name}.password")
        return self._learn_named({"request": serialized}, serialized, has_env=bool(env))

    def learn_response(self, data: Mapping[str, Any], headers: Headers) -> bool:
        """Note the secrets and the ids in a response; return whether a field names one of the secrets.

        The state of a file becomes a number in the response.
        """
        for cookie in headers["Set-Cookie"].split(",") if "Set-Cookie" in headers else ():
            name, _, value = cookie.partition(";")[0].strip().partition("=")
            if value:
                self.secrets.add("cookie", value, name, shortest=_SHORTEST_CREDENTIAL)
        request, body = data["request"], data.get("response", {}).get("json")
        dialect = dialect_of(request["path"])
        for name, value in dialect.response_secrets(request, body):
            self.secrets.add("value", value, name)
        for new in dialect.new_ids(request, body):
            self._numbering.note(*new)
        version = dialect.version(request, body)
        if version is not None:
            known = self._versions.setdefault(version[0], [])
            if version[1] not in known:
                known.append(version[1])
            number = json.dumps(f"stamp_{known.index(version[1]) + 1}")
            data["response"]["json"] = json.loads(json.dumps(body).replace(json.dumps(version[1]), number))
        return "response" in data and self._learn_named(data, data["response"])

    def _learn_named(self, data: Mapping[str, Any], new: Mapping[str, Any], *, has_env: bool = False) -> bool:
        """Note the secrets that the new part of an interaction names."""
        if not (has_env or "query" in new or "events" in new or detect.has_secret_names(new.get("json"))):
            return False  # as for most messages, and faster than a walk
        names: list[str] = []

        def add(kind: str, name: str, value: Any, _: str) -> Any:
            names.append(name)
            return self.secrets.add(kind, value, name)

        Walk(add)(data)
        return bool(names)

    def redact_journaled(
        self, line: str, data: Mapping[str, Any], number: int, *, has_named: bool
    ) -> tuple[str, list[str]]:
        """Return the line of the journal of an interaction without secrets, and the keys that it still has.

        ``has_named`` is for one with named secrets, whose values have to be redacted one by one.
        """
        text = None if has_named else self.redact_line(line, data)
        if text is None:
            data = self.redact(data)
            text = journal_line(number, data)
            text = line if text == line else text  # not twice in memory
        return text, self.blocked(data, text)

    def redact_line(self, text: str, data: Mapping[str, Any]) -> Optional[str]:
        """Return an interaction as a line of JSON without its ids; ``None`` if more may have to be redacted.

        Most lines hold nothing but ids, and a text is replaced faster in the line than in its values.
        """
        request = data["request"]
        if "error" in data or "base64" in request or not _IN_VALUES.isdisjoint(data["response"]):
            return None
        dialect, start = dialect_of(request["path"]), text.find(request["path"]) + len(request["path"])
        needs_values = self._numbering.needs_values(text[start:]) or dialect.is_piece(request)
        if needs_values or self.secrets.may_be_in(text):
            return None
        start = start if request["path"] in dialect.routes else 0
        spans = self._numbering.spans(text[start:])
        return text[:start] + replace((text[start:],), spans)[0] if spans else text

    def redact(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an interaction as it is, or its request alone, without secrets."""

        def redact(pieces: Sequence[str], _: str, cut: Cut) -> Sequence[str]:
            text = "".join(pieces)
            spans = [*self.secrets.spans(text), *self._numbering.spans(text)]
            spans += self.secrets.fragments(text, at_start=cut == "both") if cut else ()
            return replace(pieces, spans) if spans else pieces

        return Walk(lambda kind, name, value, _: self.secrets.add(kind, value, name), redact)(data)

    def blocked(self, data: Mapping[str, Any], line: str) -> list[str]:
        """Return which well-known kinds of key an interaction still has, and where; never the key.

        ``line`` is the interaction as JSON, which shows for most that there is none. Only the pieces of a
        stream do not show it.
        """
        if not detect.may_have_key(line) and "events" not in data.get("response", ()):
            return []
        problems: dict[str, None] = {}

        def scan(pieces: Sequence[str], location: str, _: Cut) -> Sequence[str]:
            text = "".join(pieces)
            for content, form in (
                (text, ""),
                *((content, ", in base64") for content in detect.base64_in(text)),
            ):
                part = location.partition(" ")[0]
                for kind in detect.keys_in(content, self._allow):
                    readable = location if not any(detect.keys_in(location, ())) else part
                    problems[f"{kind} ({readable}{form})"] = None
            return pieces

        Walk(lambda _kind, _name, value, _location: value, scan)(data)
        return list(problems)
