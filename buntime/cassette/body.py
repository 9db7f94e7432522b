"""Bodies as a cassette has them: JSON as JSON, text as text, streams by event, the rest in base64."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, Optional

from buntime.wire import sse
from buntime.wire.events import read_event

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_compact = json.JSONEncoder(separators=(",", ":")).encode


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


_decoded = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite).decode


def stored(content: bytes, content_type: Optional[str]) -> dict[str, Any]:
    """Return a body in the form of a cassette: the name of the form, and the body; nothing for none.

    What is no JSON although it is called that, or would not come back from a file, is kept as text.
    """
    if not content:
        return {}
    if "json" in (content_type or ("json" if content[:1] in b"{[" else "")).lower():
        try:
            found = _decoded(content.decode(json.detect_encoding(content), "surrogatepass"))
        except (ValueError, RecursionError):
            pass
        else:
            return {"json": found}
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def content(form: Mapping[str, Any]) -> bytes:
    """Return the bytes of a body that is no stream."""
    if "json" in form:
        return _compact(form["json"]).encode()
    if "text" in form:
        return str(form["text"]).encode("utf-8", "surrogatepass")
    return base64.b64decode(form.get("base64", ""))


def events(chunks: Iterable[tuple[int, bytes]]) -> list[list[Any]]:
    """Return an event stream as ``[milliseconds, event, data]``, data as JSON where it is an object.

    What the stream ends with that is no whole event comes last, as ``[milliseconds, text]``.
    """
    found: list[list[Any]] = []
    chunks = list(chunks)
    now = 0

    def arriving() -> Iterator[bytes]:
        nonlocal now
        for now, chunk in chunks:  # noqa: B007 - read by the loop below
            yield chunk

    for name, data in sse.events(arriving()):
        found.append([now, name, _object_or_text(name, data)])
    rest = _BLANK_LINE.split(b"".join(chunk for _, chunk in chunks))[-1].lstrip(b"\r\n")
    if rest and not rest.startswith(b":"):
        found.append([now, rest.decode("utf-8", "replace")])
    return found


def _object_or_text(name: str, data: str) -> Any:
    try:
        found = _decoded(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(found, dict):
        return data
    # JSON that a program printed stays text: its spaces and the order of its fields are the output.
    event = read_event(name, found)
    return data if event.text is not None and event.text_key is None else found


def event_bytes(item: list[Any]) -> bytes:
    """Return what :func:`events` has made an item of, as it is sent."""
    if len(item) == 2:
        return str(item[1]).encode("utf-8", "surrogatepass")
    _, name, data = item
    lines = [f"event: {name}"] if name else []
    text = data if isinstance(data, str) else _compact(data)
    lines += [f"data: {line}" for line in text.split("\n")]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "surrogatepass")
