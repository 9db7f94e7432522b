"""Bodies in a cassette: JSON as JSON, text as text, streams as events, everything else in base64."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional

import attrs

from buntime._http import Request
from buntime._support import sse
from buntime._support.archive import GZIP, ZIP, parse_tgz, parse_zip, zip_bytes
from buntime._support.form import parse_form
from buntime._support.json_decoder import json_decoder
from buntime._support.json_encoder import json_encoder
from buntime._support.packed import PackedList, Values
from buntime._support.repetition import without_repetition
from buntime.cassette.dialect import Dialect, dialect_of

to_json: Callable[[Any], str] = json_encoder()
_parse = json_decoder(only_finite=True)


def serialize_request(request: Request) -> dict[str, Any]:
    """Return a request in the form of a cassette, without the library's own programs.

    The query of a presigned URL is left out, as it is the credential and new in each run.
    """
    serialized: dict[str, Any] = {"method": request.method, "path": f"{request.origin or ''}{request.path}"}
    if request.query and request.origin is None:
        serialized["query"] = [list(pair) for pair in request.query]
    content = request.content
    if content:
        kind = next((value for name, value in request.headers if name.lower() == "content-type"), None)
        fields = parse_tgz(content) if content.startswith(GZIP) else None
        if content.startswith(b"--"):
            fields = parse_form(content, kind)
        serialized.update(serialize_body(content, kind) if fields is None else {"json": fields})
    return dialect_of(serialized["path"]).decode_request(serialized)


def serialize_body(content: bytes, content_type: Optional[str]) -> dict[str, Any]:
    """Return the name of a body's form and the body in that form; an empty dict for an empty body.

    A body that is called JSON and is not, or would not come back from a file, is kept as text.
    """
    if not content:
        return {}
    files = parse_zip(content) if content_type == ZIP else None
    if files is not None:
        return {"json": files}
    if "json" in content_type.lower() if content_type else content[:1] in b"{[":
        try:
            return {"json": _parse(content)}
        except (ValueError, RecursionError):
            pass  # the content is not JSON, whatever its type: it is stored as text or bytes
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def json_bytes(value: Any) -> bytes:
    """Return a JSON value as it is sent, in ASCII."""
    return to_json(value).encode()


def body_bytes(message: Mapping[str, Any]) -> bytes:
    """Return the bytes of a body that is not a stream."""
    if "json" in message:
        is_zip = message.get("headers", {}).get("Content-Type") == ZIP
        return zip_bytes(message["json"]) if is_zip else json_bytes(message["json"])
    if "text" in message:
        return str(message["text"]).encode("utf-8", "surrogatepass")
    return base64.b64decode(message.get("base64", ""))


def serialize_events(
    chunks: Iterable[tuple[int, bytes]],
    rest: bytes,
    dialect: Dialect,
    store: Callable[[Iterable[Any]], Values] = list,
) -> Values:
    """Return an event stream as ``[milliseconds, event, data]``; data that is a JSON object is parsed.

    An incomplete event at the end, ``rest``, comes last, as ``[milliseconds, text]``. Output that the last
    event repeats is not stored again. ``store`` makes a list of the events.
    """
    now = 0

    def arriving() -> Iterator[bytes]:
        nonlocal now
        for now, chunk in chunks:  # noqa: B007 - read below
            yield chunk

    stored = store([now, name, _object_or_text(name, data, dialect)] for name, data in sse.events(arriving()))
    last = last_without_repetition(stored, dialect)
    if rest and not rest.startswith(b":"):
        last.append([now, rest.decode("utf-8", "replace")])
    return stored.with_last(last) if isinstance(stored, PackedList) else [*stored[:-1], *last]


def _object_or_text(name: str, data: str, dialect: Dialect) -> Any:
    try:
        value = _parse(data)
    except (ValueError, RecursionError):
        return data
    event = dialect.read_event(name, value) if isinstance(value, dict) else None
    # JSON that a program printed stays text: its spaces and the order of its fields are the output.
    return data if event is None or (event.text is not None and event.text_key is None) else value


@attrs.frozen
class _Output(Iterable[str]):
    """The pieces of an output of a stream; iterate over them as often as needed."""

    events: Iterable[Sequence[Any]]
    dialect: Dialect
    kind: str

    def __iter__(self) -> Iterator[str]:
        return (text for kind, text in outputs_of(self.events, self.dialect) if kind == self.kind)


def outputs_of(events: Iterable[Sequence[Any]], dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each piece of output in a stream."""
    for _, name, *data in events:
        event = dialect.read_event(name, data[0]) if data else None
        if event is not None and event.text is not None:
            yield event.kind, event.text


def output_pieces(events: Values, dialect: Dialect) -> Mapping[str, Iterable[str]]:
    """Return the pieces of each output of a stream. Those of a packed one are read when they are needed."""
    outputs = outputs_of(events, dialect)
    if isinstance(events, PackedList):
        return {kind: _Output(events, dialect, kind) for kind in {kind for kind, _ in outputs}}
    pieces: dict[str, list[str]] = defaultdict(list)
    for kind, text in outputs:
        pieces[kind].append(text)
    return pieces


def last_without_repetition(events: Values, dialect: Dialect) -> list[Any]:
    """Return the last event of a stream, if any, without the output that it repeats."""
    if not events:
        return []
    *start, data = last = events[-1]
    if len(last) < 3 or not dialect.read_event(*last[1:]).is_end:
        return [last]
    return [[*start, map_outputs(data, output_pieces(events, dialect), without_repetition)]]


def map_outputs(
    value: Any, outputs: Mapping[str, Iterable[str]], change: Callable[[str, Iterable[str]], str]
) -> Any:
    """Return a JSON value with a function called for each text that is named like an output."""
    if not isinstance(value, dict):
        return value
    return {
        name: change(item, outputs[name])
        if name in outputs and isinstance(item, str)
        else map_outputs(item, outputs, change)
        for name, item in value.items()
    }


def event_bytes(item: Sequence[Any]) -> bytes:
    """Return an item of :func:`serialize_events` as it is sent."""
    if len(item) == 2:
        return str(item[1]).encode("utf-8", "surrogatepass")
    _, name, data = item
    lines = [f"event: {name}"] if name else []
    text = data if isinstance(data, str) else to_json(data)
    lines += [f"data: {line}" for line in text.split("\n")]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "surrogatepass")


def join_outputs(events: Values, dialect: Dialect) -> tuple[dict[str, str], list[Any]]:
    """Return each output of a stream as one text, and the other events without their times."""
    bare = [event for _, *event in events]
    others = [event for event in bare if len(event) == 1 or dialect.read_event(*event).text is None]
    return {kind: "".join(pieces) for kind, pieces in sorted(output_pieces(events, dialect).items())}, others
