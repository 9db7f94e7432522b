"""Cassettes of format 1, in which helpers were stored as the service receives them, with escaped JSON."""

from __future__ import annotations

import re
from typing import Any

from buntime._support.json_values import map_texts
from buntime.cassette.body import last_without_repetition
from buntime.cassette.dialect import dialect_of

_ESCAPED = re.compile(r"\|([^|«»]*?)(?:\+?\b(?:json|ascii))+»")


def upgrade(data: dict[str, Any]) -> None:
    """Change an interaction of format 1 into the current form."""
    request, response = data["request"], data.get("response") or {}
    dialect = dialect_of(request["path"])
    if "json" in request:
        request["json"] = _unescape(request["json"], dialect.decode_request(request)["json"])
    if isinstance(response.get("json"), dict):
        response["json"] = _unescape(response["json"], dialect.decode_response(request, response["json"]))
    if "events" in response:
        response["events"][-1:] = last_without_repetition(response["events"], dialect)


def _unescape(stored: Any, decoded: Any) -> Any:
    """Take the escapes off the placeholders in JSON if it was decoded: the secret is there as it is."""
    if decoded == stored:
        return decoded
    return map_texts(
        decoded, lambda text: _ESCAPED.sub(lambda match: f"|{match[1]}»" if match[1] else "»", text)
    )
