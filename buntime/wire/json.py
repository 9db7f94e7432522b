"""What the caller passes that travels as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

_METADATA_LIMIT = 16 * 1024
_encoded = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


def metadata(value: object) -> Optional[dict[str, Any]]:
    """Return ``value`` as a dict that JSON carries, at most 16 KB of it."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"metadata must be a mapping, not {type(value).__name__}")
    if not all(isinstance(key, str) for key in value):
        raise TypeError("metadata must have str keys")
    size = len(json_body("metadata", dict(value)))
    if size > _METADATA_LIMIT:
        raise ValueError(f"metadata is {size} bytes of JSON; the API takes {_METADATA_LIMIT}")
    return dict(value)


def json_body(name: str, value: object) -> bytes:
    """Return ``value`` as the bytes of its JSON."""
    try:
        return _encoded(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds a lone surrogate, which UTF-8 cannot carry") from None
    except TypeError as error:
        raise TypeError(f"{name} is not JSON: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from None


def json_object(text: str | bytes) -> Optional[dict[str, Any]]:
    """Return the JSON object that ``text`` holds; ``None`` for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
