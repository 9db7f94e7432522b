"""The events of a streamed execution."""

from __future__ import annotations

import json
from typing import Any, Callable, Union

import attrs

from buntime._http import Headers, Request
from buntime.models import ExecuteResult, StreamEvent
from buntime.wire.buffered import BufferedResponse
from buntime.wire.error_responses import stream_refused
from buntime.wire.fields import Fields
from buntime.wire.responses import result_of

_TERMINAL = frozenset({"result", "exit", "complete", "done", "end"})
_TEXT_KEYS = ("text", "data", "chunk", "content", "output")
_KIND_KEYS = ("type", "event", "stream")
_CODE_KEYS = ("exitCode", "exit_code", "code")
_OUTPUT = frozenset({"stdout", "stderr"})
_KNOWN = _TERMINAL | _OUTPUT | {"error"}


@attrs.frozen
class Terminal:
    """The last event of a stream: the fields of the result, as far as it brings them."""

    fields: dict[str, Any]
    data: str

    def result(self, streamed: Callable[[str], str]) -> ExecuteResult:
        """Return the result; ``streamed`` tells what was streamed of an output that it does not bring."""
        fields = Fields(
            self.fields, BufferedResponse(200, Headers(), self.data[:500].encode("utf-8", "replace"))
        )
        codes = [fields.whole(key) for key in _CODE_KEYS]
        own_stdout, own_stderr = fields.text("stdout"), fields.text("stderr")
        return result_of(
            fields,
            stdout=streamed("stdout") if own_stdout is None else own_stdout,
            stderr=streamed("stderr") if own_stderr is None else own_stderr,
            exit_code=next((code for code in codes if code is not None), None),
        )


def decode_event(request: Request, name: str, data: str) -> Union[StreamEvent, Terminal, None]:
    """Return what an event says: output, the end, or nothing that is known.

    Raises the error that an ``error`` event brings.
    """
    found = _json_object(data)
    if found is None and data.strip() == "[DONE]" and name not in _OUTPUT:
        return Terminal({}, data)
    body = found or {}
    kind = _kind(name, body)
    if kind == "error":
        raise stream_refused(request, data.encode("utf-8", "replace"))
    if kind in _TERMINAL:
        inner = body.get("data", body.get("result"))
        return Terminal(inner if isinstance(inner, dict) and "stdout" not in body else body, data)
    text = _text(body)
    if text is None and (found is None or name in _OUTPUT):
        text = data
    return None if text is None else StreamEvent(kind or "stdout", text)


def _kind(name: str, body: dict[str, Any]) -> str:
    """Return the first name that is known of those an event has, else the first; ``""`` for none.

    An event that names none is a ``message``, and some servers write that out.
    """
    if name in _KNOWN:
        return name
    names = [name, *(body[key] for key in _KIND_KEYS if isinstance(body.get(key), str))]
    given = [each for each in names if each not in {"", "message"}]
    return next((each for each in given if each in _KNOWN), given[0] if given else "")


def _text(body: dict[str, Any]) -> str | None:
    for key in _TEXT_KEYS:
        text = body.get(key)
        if isinstance(text, str):
            return text
    return None


def _json_object(data: str) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
