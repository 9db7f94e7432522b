"""Cassettes of format 1, in which helpers were stored as the service receives them, with escaped JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from buntime._support.json_values import map_texts
from buntime.cassette.body import last_without_repetition
from buntime.cassette.dialect import dialect_of

_ESCAPED = re.compile(r"\|([^|«»]*?)(?:\+?\b(?:json|ascii))+»")


def upgrade(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an interaction of format 1 in the current form."""
    request, response = dict(data["request"]), data.get("response")
    dialect = dialect_of(request["path"])
    if "json" in request:
        decoded = dialect.decode_request(request)["json"]
        request["json"] = decoded if decoded == request["json"] else _unescape(decoded)
    upgraded = {**data, "request": request}
    if response is not None and "json" in response:
        body = dialect.decode_response(request, response["json"])
        upgraded["response"] = {**response, "json": body if body == response["json"] else _unescape(body)}
    if response is not None and "events" in response:
        events = response["events"]
        last = last_without_repetition(events, dialect)
        upgraded["response"] = {**response, "events": [*events[:-1], *last]}
    return upgraded


def _unescape(value: Any) -> Any:
    """Take the escapes off the placeholders in JSON that was decoded: the secret is there as it is."""
    return map_texts(
        value, lambda text: _ESCAPED.sub(lambda match: f"|{match[1]}»" if match[1] else "»", text)
    )
