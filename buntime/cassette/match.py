"""Which recorded requests are equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from buntime.cassette.secrets.placeholders import PLACEHOLDER, name_of

BODY_FORMS = ("json", "text", "base64")


def key_of(request: Mapping[str, Any]) -> str:
    """Return the parts of a request that are compared: method, path, sorted query, canonical body."""
    query = json.dumps(sorted(request["query"])) if request.get("query") else ""
    if "json" in request:
        body = json.dumps(request["json"], sort_keys=True)
    else:
        body = next((f"{form}:{json.dumps(request[form])}" for form in BODY_FORMS if form in request), "")
    return f"{request['method']} {request['path']}\n{query}\n{body}"


def has_placeholder(key: str) -> bool:
    """Whether a request with this key may have a secret in it."""
    return "«" in key or "\\u00ab" in key


def without_numbers(key: str) -> str:
    """Return a key without the numbers that tell several secrets of a name apart, and without their forms.

    In which of several equal forms a secret stands depends on its characters, and so on the secret.
    """
    if not has_placeholder(key):
        return key
    # The marks of a placeholder are escaped in the JSON of a key, which is ASCII, and not in its path.
    key = key.replace(r"\u00ab", "«").replace(r"\u00bb", "»")
    return PLACEHOLDER.sub(lambda match: f"«{name_of(match[0])}»", key)
