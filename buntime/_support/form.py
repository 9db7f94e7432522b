"""An uploaded form (``multipart/form-data``) as JSON, so that it is readable and has no random boundary."""

from __future__ import annotations

import base64
import re
from typing import Any, Optional

_BOUNDARY = re.compile(r'multipart/form-data;.*?boundary="?([^";,]+)', re.IGNORECASE)
_PART = re.compile(
    rb'content-disposition: form-data; name="([^"]*)"(?:; filename="([^"]*)")?(?:\r\ncontent-type: ([^\r]*))?'
    rb"((?:\r\n[^\r\n:]+:[^\r\n]*)*)\r\n\r\n(.*)\r\n",
    re.DOTALL | re.IGNORECASE,
)


def parse_form(content: bytes, content_type: Optional[str]) -> Optional[dict[str, Any]]:
    """Return the fields of a form, a file as its name, its type and its text or base64.

    ``None`` if the content is not a form, or not one that has each field once.
    """
    match = _BOUNDARY.match(content_type or "")
    if match is None:
        return None
    mark = b"--" + match[1].encode("latin-1", "replace")
    first, *parts = (b"\r\n" + content).split(b"\r\n" + mark)
    fields: dict[str, Any] = {}
    for part in parts[:-1]:
        parsed = _PART.fullmatch(part[2:] + b"\r\n") if part.startswith(b"\r\n") else None
        name = parsed[1].decode("utf-8", "replace") if parsed else ""
        if parsed is None or name in fields:
            return None
        value = content_of(parsed[5])
        if parsed[2] is None and not parsed[3] and not parsed[4]:
            fields[name] = value.get("text", value)
            continue
        texts = {"filename": parsed[2], "type": parsed[3], "headers": parsed[4].strip()}
        file = {key: text.decode("utf-8", "replace") for key, text in texts.items() if text}
        fields[name] = {**file, **value}
    is_form = not first and parts and parts[-1].rstrip(b"\r\n") == b"--"
    return fields if is_form else None


def content_of(data: bytes) -> dict[str, str]:
    """Return the content of a file as ``text`` or ``base64``."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
