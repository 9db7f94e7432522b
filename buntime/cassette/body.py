"""Bodies in a cassette: JSON as JSON, text as text, streams as events, everything else in base64."""

from __future__ import annotations

import base64
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, Optional

from buntime._http import Request
from buntime.wire import sse, volatile
from buntime.wire.events import read_event

_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\n\r", b"\r\r\n", b"\r\r")
"""The ends of a blank line, for each pair of CR, LF and CRLF."""
_compact = json.JSONEncoder(separators=(",", ":")).encode


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


_parse = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite).decode


def serialize_request(request: Request) -> dict[str, Any]:
    """Return a request in the form of a cassette, without the library's own programs."""
    serialized: dict[str, Any] = {"method": request.method, "path": request.path}
    if request.query:
        serialized["query"] = [list(pair) for pair in request.query]
    if request.content:
        kinds = (value for name, value in request.headers if name.lower() == "content-type")
        serialized.update(serialize_body(request.content, next(kinds, None)))
    if "json" in serialized:
        body = volatile.without_program(request.method, request.path, serialized["json"])
        serialized["json"] = body
    return serialized


def serialize_body(content: bytes, content_type: Optional[str]) -> dict[str, Any]:
    """Return the name of a body's form and the body in that form; an empty dict for an empty body.

    A body that is called JSON and is not, or would not come back from a file, is kept as text.
    """
    if not content:
        return {}
    if "json" in (content_type or ("json" if content[:1] in b"{[" else "")).lower():
        try:
            value = _parse(content.decode(json.detect_encoding(content), "surrogatepass"))
        except (ValueError, RecursionError):
            pass
        else:
            return {"json": value}
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def body_bytes(message: Mapping[str, Any]) -> bytes:
    """Return the bytes of a body that is not a stream."""
    if "json" in message:
        return _compact(message["json"]).encode()
    if "text" in message:
        return str(message["text"]).encode("utf-8", "surrogatepass")
    return base64.b64decode(message.get("base64", ""))


def serialize_events(chunks: Iterable[tuple[int, bytes]]) -> list[list[Any]]:
    """Return an event stream as ``[milliseconds, event, data]``; data that is a JSON object is parsed.

    An incomplete event at the end comes last, as ``[milliseconds, text]``.
    """
    events: list[list[Any]] = []
    chunks = list(chunks)
    now = 0

    def arriving() -> Iterator[bytes]:
        nonlocal now
        for now, chunk in chunks:  # noqa: B007 - read by the loop below
            yield chunk

    for name, data in sse.events(arriving()):
        events.append([now, name, _object_or_text(name, data)])
    content = b"".join(chunk for _, chunk in chunks)
    # Searched from the end: a stream may be long, and only an incomplete event is missing above.
    ends = ((content.rfind(ending), len(ending)) for ending in _BLANK_LINES)
    rest = content[max(start + length if start >= 0 else 0 for start, length in ends) :].lstrip(b"\r\n")
    if rest and not rest.startswith(b":"):
        events.append([now, rest.decode("utf-8", "replace")])
    return events


def _object_or_text(name: str, data: str) -> Any:
    try:
        value = _parse(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(value, dict):
        return data
    # JSON that a program printed stays text: its spaces and the order of its fields are the output.
    event = read_event(name, value)
    return data if event.text is not None and event.text_key is None else value


def event_bytes(item: Sequence[Any]) -> bytes:
    """Return an item of :func:`serialize_events` as it is sent."""
    if len(item) == 2:
        return str(item[1]).encode("utf-8", "surrogatepass")
    _, name, data = item
    lines = [f"event: {name}"] if name else []
    text = data if isinstance(data, str) else _compact(data)
    lines += [f"data: {line}" for line in text.split("\n")]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "surrogatepass")


def join_outputs(events: Iterable[Sequence[Any]]) -> tuple[dict[str, str], list[Any]]:
    """Return each output of a stream as one text, and the other events without their times."""
    texts: dict[str, list[str]] = defaultdict(list)
    others: list[Any] = []
    for _, name, *data in events:
        event = read_event(name, data[0]) if data else None
        if event is None or event.text is None:
            others.append([name, *data])
        else:
            texts[event.kind].append(event.text)
    return {kind: "".join(pieces) for kind, pieces in sorted(texts.items())}, others
