"""Which recorded requests are equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from buntime.cassette.secrets.placeholders import PLACEHOLDER, name_of

BODY_FORMS = ("json", "text", "base64")
MARK = r"\u00ab"
"""The beginning of a placeholder in a key, which is JSON in ASCII."""
_COMPARED = ("method", "path", *BODY_FORMS)
_encode = json.JSONEncoder(sort_keys=True).encode


def key_of(request: Mapping[str, Any]) -> str:
    """Return the parts of a request that are compared: method, path, sorted query, canonical body."""
    parts = {name: request[name] for name in _COMPARED if name in request}
    return _encode({**parts, "query": sorted(request.get("query", ()))})


def without_numbers(key: str) -> str:
    """Return a key without the numbers that tell several secrets of a name apart, and without their forms.

    In which of several equal forms a secret stands depends on its characters, and so on the secret.
    """
    if MARK not in key:
        return key
    key = key.replace(r"\u00ab", "«").replace(r"\u00bb", "»")
    return PLACEHOLDER.sub(lambda match: f"«{name_of(match[0])}»", key)
