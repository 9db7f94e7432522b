"""How the service writes responses: JSON, event streams, times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

from buntime._http import Response

KEEP_ALIVE = b": keep-alive\n\n"
"""A comment in an event stream, sent so that no proxy takes silence for the end."""

_NOT_CACHED = ("Cache-Control", "no-store")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_END_OF_YEAR_9999 = 253_402_300_799
_PIECE = 1 << 16
_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def json_bytes(value: Any) -> bytes:
    """Return ``value`` as compact JSON, in ASCII so that a lone surrogate cannot break it."""
    return b"".join(_pieces(value))


def _pieces(value: Any) -> Iterable[bytes]:
    """Return the parts of :func:`json_bytes`: so megabytes of text are joined once."""
    if _is_long(value):
        return _long_text(value)
    if not isinstance(value, dict) or not any(map(_is_long, value.values())):
        return (_encode(value).encode("ascii"),)
    names = (b"%s%s:" % (b"," if n else b"{", _encode(name).encode("ascii")) for n, name in enumerate(value))
    fields = (chain((name,), _pieces(field)) for name, field in zip(names, value.values()))
    return chain(chain.from_iterable(fields), (b"}",))


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > _PIECE


def _long_text(text: str) -> Iterator[bytes]:
    # The encoder needs six times as long for base64 as a copy, and megabytes of it are sent: only the pieces
    # that need escapes are encoded.
    yield b'"'
    for start in range(0, len(text), _PIECE):
        piece = text[start : start + _PIECE]
        data = piece.encode("ascii", "replace")
        plain = piece.isascii() and not data.translate(None, _PLAIN)
        yield data if plain else _encode(piece)[1:-1].encode("ascii")
    yield b'"'


def json_response(
    body: Mapping[str, Any], *, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return a JSON response with these extra ``headers``."""
    content = json_bytes(body)
    standard = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), _NOT_CACHED]
    return Response(status, [*standard, *headers], [content])


def event_stream_headers() -> list[tuple[str, str]]:
    """Return the headers of an event stream; the last one keeps nginx from collecting it."""
    return [("Content-Type", "text/event-stream"), _NOT_CACHED, ("X-Accel-Buffering", "no")]


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """Return one event of an event stream, its data as JSON on one line."""
    return b"".join([b"event: %s\ndata: " % name.encode("ascii"), *_pieces(data), b"\n\n"])


def timestamp(epoch: float, *, milliseconds: bool = False) -> str:
    """Return epoch seconds in ISO 8601 with ``Z``, to the second or to the millisecond.

    Programs can give a file any time; one outside the years 1970 to 9999 is moved to the nearest end.
    """
    moment = _EPOCH + timedelta(seconds=min(max(epoch, 0.0), _END_OF_YEAR_9999))
    return moment.isoformat(timespec="milliseconds" if milliseconds else "seconds")[:-6] + "Z"
