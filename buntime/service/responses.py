"""How the service writes what it answers: JSON, event streams, times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from buntime._http import Response

KEEP_ALIVE = b": keep-alive\n\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST = 253_402_300_799


def json_bytes(value: Any) -> bytes:
    """Return ``value`` as compact JSON, in ASCII so that a lone surrogate cannot break it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def json_response(
    body: Mapping[str, Any], *, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return a JSON answer with ``headers`` beside its own."""
    content = json_bytes(body)
    own = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    return Response(status, [*own, *headers], [content])


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """Return one event of an event stream, its data as JSON on one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), json_bytes(data))


def timestamp(epoch: float, *, milliseconds: bool = False) -> str:
    """Return epoch seconds in ISO 8601 with ``Z``, to the second or to the millisecond.

    A time outside the years 1970 to 9999, which any program can give a file, is moved to the nearest
    end.
    """
    moment = _EPOCH + timedelta(seconds=min(max(epoch, 0.0), _LAST))
    return moment.isoformat(timespec="milliseconds" if milliseconds else "seconds")[:-6] + "Z"
