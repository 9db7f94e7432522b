"""The events of a streamed execution: the only reader, for the client and for cassettes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional, Union, cast

import attrs

from buntime._http import BufferedResponse, Headers, Request
from buntime._support.collected_text import CollectedText, bound
from buntime.models import ExecuteResult, OutputKind, StreamEvent
from buntime.wire.error_responses import decode_error_event
from buntime.wire.fields import Fields
from buntime.wire.json import json_object
from buntime.wire.responses import make_result

_TERMINAL = frozenset({"result", "exit", "complete", "done", "end"})
_TEXT_KEYS = ("text", "data", "chunk", "content", "output")
_KIND_KEYS = ("type", "event", "stream")
_CODE_KEYS = ("exitCode", "exit_code", "code")
_OUTPUT = frozenset({"stdout", "stderr"})
_ENDS = _TERMINAL | {"error"}
_KNOWN = _ENDS | _OUTPUT


@attrs.define
class ParsedEvent:
    """An event in any accepted form."""

    kind: str
    """``stdout``, ``stderr`` or another output; ``error``, or a name of the end; ``""`` for any other."""
    data: Union[str, dict[str, Any]]
    """The argument of :func:`read_event`."""
    fields: dict[str, Any]
    """The JSON object in the data, or an empty one."""
    text: Optional[str] = None
    """The output; ``None`` for an event without output."""
    text_key: Optional[str] = None
    """The field that holds the text; ``None`` if all of the data is the text."""

    @property
    def is_end(self) -> bool:
        """Whether the client reads no further."""
        return self.kind in _ENDS


def read_event(name: str, data: Union[str, dict[str, Any]]) -> ParsedEvent:
    """Parse an event.

    Args:
        name: The event's name; ``""`` if it has none.
        data: Its data, as text or as the JSON object that the text holds.
    """
    fields = data if isinstance(data, dict) else json_object(data)
    if fields is None and isinstance(data, str) and data.strip() == "[DONE]" and name not in _OUTPUT:
        return ParsedEvent("done", data, {})
    kind = name if name in _KNOWN else _kind(name, fields or {})
    if kind in _ENDS:
        return ParsedEvent(kind, data, fields or {})
    if fields is not None:
        for key in _TEXT_KEYS:
            text = fields.get(key)
            if isinstance(text, str):
                return ParsedEvent(kind or "stdout", data, fields, text, key)
    # A program may print JSON of its own, and an event may carry bare text.
    if fields is None or name in _OUTPUT:
        printed = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
        return ParsedEvent(kind or "stdout", data, fields or {}, printed)
    return ParsedEvent(kind, data, fields)


def _kind(name: str, fields: dict[str, Any]) -> str:
    """Return the first known name in the fields, else the event's own, else the first.

    ``message`` does not count: it is the format's name for an event without one.
    """
    names = [name, *(fields[key] for key in _KIND_KEYS if isinstance(fields.get(key), str))]
    candidates = [each for each in names if each not in {"", "message"}]
    return next((each for each in candidates if each in _KNOWN), candidates[0] if candidates else "")


@attrs.frozen
class Terminal:
    """The last event of a stream, with the fields of the result that it has."""

    fields: dict[str, Any]
    beginning: bytes
    """Of its data, for errors."""

    def result(self, streamed: Mapping[str, CollectedText]) -> ExecuteResult:
        """Return the result; ``streamed`` is the output that arrived before."""
        fields = Fields(dict(self.fields), BufferedResponse(200, Headers(), self.beginning))
        codes = [fields.read(key, int) for key in _CODE_KEYS]
        outputs = {}
        for kind, collected in streamed.items():
            text = fields.read(kind, str)
            # Output that the service cut is only in the events in full.
            output = None if text is None else bound(text, collected.maximum)
            if output is None or (output[1] and collected.size):
                output = collected.text(), collected.truncated
            outputs[kind] = output
        return make_result(
            fields,
            stdout=outputs["stdout"],
            stderr=outputs["stderr"],
            exit_code=next((code for code in codes if code is not None), None),
        )


def decode_event(request: Request, name: str, data: str) -> Union[StreamEvent, Terminal, None]:
    """Return an event's output or the end of the stream; ``None`` for an event that is not known.

    Raises the error that an ``error`` event describes.
    """
    event = read_event(name, data)
    if event.text is not None:
        # A kind that the API does not have is passed through.
        return StreamEvent(cast(OutputKind, event.kind), event.text)
    if event.kind == "error":
        raise decode_error_event(request, data.encode("utf-8", "replace"))
    if not event.is_end:
        return None
    fields = event.fields
    inner = fields.get("data", fields.get("result"))
    beginning = data[:500].encode("utf-8", "replace")
    return Terminal(inner if isinstance(inner, dict) and "stdout" not in fields else fields, beginning)
