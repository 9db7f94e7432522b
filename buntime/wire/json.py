"""JSON that is sent, and JSON that may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

from buntime._support.json_decoder import json_decoder
from buntime._support.json_encoder import json_encoder

_METADATA_LIMIT = 16 * 1024
_LONG = 1 << 16
_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')
_encode = json_encoder(ensure_ascii=False, allow_nan=False)

load_json: Callable[[Union[str, bytes]], Any] = json_decoder()
"""As ``json.loads``, in half the time for a short text."""


def metadata(value: object) -> Optional[dict[str, Any]]:
    """Return ``value`` as a dict; it must be a JSON object of at most 16 KB."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"metadata must be a mapping, not {type(value).__name__}")
    if not all(isinstance(key, str) for key in value):
        raise TypeError("metadata must have str keys")
    size = len(json_body("metadata", dict(value)))
    if size > _METADATA_LIMIT:
        raise ValueError(f"metadata is {size} bytes of JSON; the API accepts at most {_METADATA_LIMIT}")
    return dict(value)


def json_body(name: str, value: object) -> bytes:
    """Return ``value`` encoded as JSON."""
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has a lone surrogate, which UTF-8 cannot encode") from None
    except TypeError as error:
        raise TypeError(f"{name} is not JSON: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{name} is not JSON: it contains itself, or is nested too deeply") from None


def json_text(name: str, text: str) -> bytes:
    """Return a string encoded as JSON; ``name`` is for errors.

    Base64 and other text without escapes is only copied: the encoder needs six times as long, and two copies.
    """
    if len(text) < _LONG or not text.isascii():
        return json_body(name, text)
    data = text.encode("ascii")
    if any(data[start : start + _LONG].translate(None, _PLAIN) for start in range(0, len(data), _LONG)):
        return json_body(name, text)
    return b'"%s"' % data


def json_object(text: str | bytes) -> Optional[dict[str, Any]]:
    """Return the JSON object in ``text``; ``None`` for anything else."""
    try:
        value = load_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
