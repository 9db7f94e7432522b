"""Requests and outcomes of a session over a devbox, and their form in a cassette.

That form is the one of an execution of buntime.sh, whose dialect decodes helpers and their replies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from buntime._support.json_encoder import json_encoder
from buntime._support.packed import PackedList, Values
from buntime.runloop.wire.responses import read_event
from buntime.wire.dialect import DIALECT as SESSIONS
from buntime.wire.helper_messages import NUMBERED, helper_of, parse_reply
from buntime.wire.json import json_object

MARK = "\x1ebuntime:end "
"""Stands before the outcome, in the last line of standard error."""
FIELDS: frozenset[str] = SESSIONS.fields.union(
    ("outcome", "exit", "timed_out", "wall", "written", "label", "working_dir")
)
"""The names in a request and an outcome."""
MEASUREMENTS = frozenset({"wall", "cpu", "memory"})
DECODED = frozenset({"outcome", "value", "reply"})
"""The fields of a decoded response that stand for the last lines of its output."""
_PROGRAM = re.compile(r"(?<=\.buntime)/run-[0-9a-f]{16}\.ts\b")
_NUMBERED = re.compile(r"(?<=[/ ])([0-9a-f]{32})~\d+(?=\.json$)")
_REQUEST_FILE = re.compile(r"\.buntime/requests/(?:([0-9a-f]{32})|«[^»]+»)\.json")
"""The file of a request, whose name is a placeholder in a cassette."""
_PROGRAM_FILE = ".buntime/run.ts"
_compact = json_encoder(ensure_ascii=False)


def label_of(code: Optional[str]) -> Optional[dict[str, Any]]:
    """Return the operation of a helper and its file, which the outcome repeats; else ``None``."""
    helper = helper_of(code)
    if helper is None:
        return None
    path = helper.get("path")
    file = {"path": NUMBERED.sub(r"\1", path)} if isinstance(path, str) else {}
    return {"op": helper.get("op"), **file}


def execution(fields: object) -> dict[str, Any]:
    """Return a request to buntime.sh with these fields."""
    return {"method": "POST", "path": "/execute", "json": fields}


def decode_request(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request's body without the program of a session, and with the request in a file as values.

    Its empty fields are left out, and the number in its name, which depends on the order of threads.
    """
    decoded = dict(body)
    for field in ("command", "file_path"):
        if isinstance(text := body.get(field), str):
            decoded[field] = _PROGRAM.sub("/run.ts", _NUMBERED.sub(r"\1", text))
    if decoded.get("file_path") == _PROGRAM_FILE:
        decoded["contents"] = ""
    elif _is_request_file(decoded) and isinstance(body.get("contents"), str):
        # The path comes last, so that the first difference from another request is one of the contents.
        decoded["contents"] = _decode_contents(body["contents"])
        decoded["file_path"] = decoded.pop("file_path")
    return decoded


def _decode_contents(contents: str) -> Any:
    fields = json_object(contents)
    if fields is None:
        return contents
    empty: tuple[Any, ...] = (None, [], {})
    present = {name: value for name, value in fields.items() if name != "label" and value not in empty}
    if isinstance(files := present.get("files"), list):
        present["files"] = [{"path": path, "content": content} for path, content in files]
    return SESSIONS.decode_request(execution(present))["json"]


def request_in(body: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """Return the request of a session that a decoded request writes to its file."""
    contents = body.get("contents")
    return contents if _is_request_file(body) and isinstance(contents, dict) else None


def _is_request_file(body: Mapping[str, Any]) -> bool:
    return _REQUEST_FILE.fullmatch(str(body.get("file_path"))) is not None


def name_of(body: Mapping[str, Any]) -> Optional[str]:
    """Return the name of the request that a decoded request writes to its file.

    It is a hash of all of it, secrets too, and tells which request a command runs.
    """
    match = _REQUEST_FILE.fullmatch(str(body.get("file_path")))
    return match and match[1]


def is_piece(body: Mapping[str, Any]) -> bool:
    """Whether a decoded request sends a piece of a file, or may read one: a command does not show which."""
    return SESSIONS.is_piece(execution(request_in(body))) or f"{_PROGRAM_FILE} " in str(body.get("command"))


def decode_response(body: Any) -> Any:
    """Return a response, or the events of one, with the outcome and the reply of a helper as values."""
    if isinstance(body, (list, PackedList)):
        return _decode_events(body)
    split = _split_outcome(body.get("stderr")) if isinstance(body, dict) else None
    if split is None or not DECODED.isdisjoint(body):
        return body
    decoded = {**body, "stderr": split[0], "outcome": split[1]}
    return SESSIONS.decode_response(_labelled(decoded), decoded)


def encode_response(body: Any, *, is_event: bool = False) -> Any:
    """Return the response, or the events, that :func:`decode_response` decoded."""
    if isinstance(body, list):
        return [[*event[:-1], encode_response(event[-1], is_event=True)] for event in body]
    if not (isinstance(body, dict) and isinstance(body.get("outcome"), dict)):
        return body
    encoded = {**SESSIONS.encode_response(_labelled(body), body)}
    line = _line(encoded.pop("outcome"))
    if is_event:
        return {"output": line, **encoded}
    return {**encoded, "stderr": f"{encoded.get('stderr', '')}{line}"}


def _decode_events(events: Values) -> Values:
    """Return the events of an output with the outcome, if it ends with one, as the last event."""
    texts = [(read_event(*event[1:]).text if len(event) == 3 else None) or "" for event in events]
    split = _split_outcome("".join(texts))
    if split is None:
        return events
    first, rest = 0, len(split[0])
    while rest >= len(texts[first]):
        rest -= len(texts[first])
        first += 1
    moment, name, data = events[first]
    if not (all(texts[first:]) and isinstance(data, dict)):
        return events
    before = texts[first][:rest]
    outcome: dict[str, Any] = {"outcome": split[1]}
    if isinstance(data.get("offset"), int):
        outcome["offset"] = data["offset"] + len(before.encode("utf-8", "surrogatepass"))
    cut = [[moment, name, {**data, "output": before}]] if before else []
    return [*events[:first], *cut, [events[-1][0], name, outcome]]


def version(request: Mapping[str, Any], body: Mapping[str, Any]) -> Optional[tuple[object, str]]:
    """Return the file of a helper's reply, and the text in it that changes with each change of the file."""
    state = SESSIONS.version(_labelled(body), body)
    return state and ((request["path"], state[0]), state[1])


def _labelled(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request to buntime.sh that has the decoded response ``body``."""
    outcome = body.get("outcome")
    return execution({"helper": outcome.get("label") if isinstance(outcome, dict) else None})


def _split_outcome(text: object) -> Optional[tuple[str, dict[str, Any]]]:
    """Return a text without the outcome that it ends with, and that; ``None`` if it would not come back."""
    before, mark, line = text.rpartition(MARK) if isinstance(text, str) else ("", "", "")
    outcome = parse_reply(line) if mark else None
    return None if outcome is None or _line(outcome) != mark + line else (before, outcome)


def _line(outcome: Mapping[str, Any]) -> str:
    return f"{MARK}{_compact(outcome)}\n"
