"""Which recorded requests are equal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from buntime.cassette.secrets.placeholders import FORM

BODY_FORMS = ("json", "text", "base64")

_PLACEHOLDER = re.compile(
    # The marks of a placeholder are escaped in the JSON of a key, which is ASCII, and not in its path.
    r"(?P<open>«|\\u00ab)(?P<name>api_key|idempotency_key|(?:cookie|env|header|value):.+?)(?::\d+)?"
    rf"(?:{FORM})?(?P<close>»|\\u00bb)"
)


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
    return _PLACEHOLDER.sub(r"\g<open>\g<name>\g<close>", key) if has_placeholder(key) else key
