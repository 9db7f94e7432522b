"""The cassette: a file of recorded interactions."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Union

import attrs

from buntime._support.json_text import SURROGATES, parse, write
from buntime._support.json_values import length
from buntime._support.packed import Line, PackedLine, PackedList, loads, loads_parts
from buntime.cassette.body import to_json
from buntime.cassette.dialect import dialect_of
from buntime.cassette.upgrade import upgrade
from buntime.errors import CassetteError

VERSION = 2
_READABLE = (1, VERSION)
_FORMAT = "buntime_cassette"

_NEWLINE = "\n    "
"""The margin of an interaction."""
_LARGE = 1 << 20
"""Characters from which on the texts of an interaction are not split: a margin a line can double a file."""

AnyPath = Union[str, os.PathLike[str]]


@attrs.define  # frozen, it takes twice as long to construct
class Interaction:
    """A request and its outcome, as plain JSON values.

    ``data`` has ``request``, and ``response``, ``error`` or both: a response that was cut off.
    """

    data: Mapping[str, Mapping[str, Any]]

    @property
    def request(self) -> Mapping[str, Any]:
        """``method``, ``path``, ``query``, a body in one of its forms, and the ``test`` that sent it."""
        return self.data["request"]

    @property
    def response(self) -> Mapping[str, Any] | None:
        """``status``, ``headers`` and a body; ``left`` is true if the program stopped reading early."""
        return self.data.get("response")

    @property
    def error(self) -> Mapping[str, Any] | None:
        """``kind`` (``connection`` or ``timeout``), ``phase`` and ``message``."""
        return self.data.get("error")

    @property
    def call(self) -> str:
        """The call, such as ``"POST /execute"``."""
        return f"{self.request['method']} {self.request['path']}"

    @property
    def description(self) -> str:
        """The call, and a few words on what it runs."""
        return f"{self.call} {dialect_of(self.request['path']).summary(self.request)}".rstrip()


@attrs.frozen
class Cassette:
    """The content of a cassette file.

    ``version`` is the format of the file; the interactions are in the current form, whatever it is.
    ``changed`` is the date on which a recording last changed it. ``gaps`` are the reasons why interactions
    of an interrupted recording are missing.
    """

    version: int
    changed: date
    interactions: tuple[Interaction, ...]
    gaps: Sequence[str] = ()


def load(path: AnyPath) -> Cassette:
    """Return the cassette in a file, or in the ``.part`` of an interrupted recording.

    Raises :class:`~buntime.CassetteError` if there is no such file or it is not a cassette, with line and
    column if it is not JSON.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        missing = CassetteError(f"the cassette {os.fspath(path)} does not exist")
        missing.hint = "Check the path"
        if not os.fspath(path).endswith(".part"):
            missing.hint += (
                f"; to record it, run the program with BUNTIME_TRANSPORT=record:{os.fspath(path)}, "
                "or record+local: to need no account"
            )
        raise missing from None
    except OSError as error:
        raise CassetteError(f"the cassette {os.fspath(path)} cannot be read: {error}") from error
    if content.startswith(b'{"buntime_cassette_part":'):
        return _from_journal(content, path)
    return _cassette(_value(content, path), path)


def _value(content: bytes, path: AnyPath) -> Any:
    try:
        return parse(content.decode())
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        reason = "it is not UTF-8"
    except json.JSONDecodeError as error:
        line, column, reason = error.lineno, error.colno, error.msg
        if error.doc[error.pos :].startswith(("<<<<<<<", "=======", ">>>>>>>")):
            reason = "a merge conflict was left in it"
    except (TypeError, RecursionError):
        raise _not_a_cassette(path, "a text in it is not a list of lines") from None
    raise _not_a_cassette(path, f"line {line}, column {column}: {reason}")


def _not_a_cassette(path: AnyPath, why: str) -> CassetteError:
    error = CassetteError(f"the file {os.fspath(path)} is not a cassette: {why}")
    error.hint = "Restore it, or record it again"
    return error


def _cassette(value: Any, path: AnyPath) -> Cassette:
    if not isinstance(value, dict) or _FORMAT not in value:
        raise _not_a_cassette(path, f"it has no {_FORMAT!r}")
    version = value[_FORMAT]
    if version not in _READABLE:
        raise CassetteError(
            f"the cassette {os.fspath(path)} has the format {version!r}; this release reads "
            f"{' and '.join(map(str, _READABLE))}. Record it again, or install the release that made it"
        )
    try:
        changed, interactions = date.fromisoformat(value["changed"]), value["interactions"]
        if not isinstance(interactions, list):
            raise TypeError("interactions")
    except (KeyError, TypeError, ValueError):
        raise _not_a_cassette(path, "its 'changed' or 'interactions' is missing or wrong") from None
    for number, data in enumerate(interactions, 1):
        if not _is_interaction(data):
            raise _not_a_cassette(path, f"interaction {number} does not have the form of one")
        if version != VERSION:
            upgrade(data)
    return Cassette(version, changed, tuple(map(Interaction, interactions)))


def _is_interaction(data: Any) -> bool:
    try:
        request, response, error = data["request"], data.get("response"), data.get("error")
        is_good = response is not None or error is not None
        texts = [request["method"], request["path"], request.get("test", "")]
        for message in data.values():
            texts.append(message.get("text", ""))
            if "base64" in message:
                base64.b64decode(message["base64"])  # a TypeError or ValueError if it is not base64
        if "query" in request:
            kinds = [(type(pair), *map(type, pair)) for pair in request["query"]]
            is_good &= isinstance(request["query"], list) and {*kinds} <= {(list, str, str)}
        if response is not None:
            texts += response.get("headers", {}).values()
            is_good &= isinstance(response["status"], int)
            if "events" in response:
                is_good &= isinstance(response["events"], list) and all(map(_is_event, response["events"]))
        if error is not None:
            texts.append(error["message"])
            is_good &= error["kind"] in {"connection", "timeout"}
            is_good &= error["phase"] in {"connect", "send", "read"}
        "".join(texts)  # a TypeError if one is not a text
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return is_good


def _is_event(item: Any) -> bool:
    has_time = isinstance(item, list) and len(item) in {2, 3} and isinstance(item[0], int)
    return has_time and isinstance(item[1], str) and isinstance(item[-1], (str, dict))


def journal_head(day: date) -> str:
    """Return the first line of a ``.part`` file."""
    return f'{{"buntime_cassette_part": {VERSION}, "changed": "{day}"}}\n'


def journal_line(number: int, data: Mapping[str, Any], request: str = "") -> Line:
    """Return the line of a ``.part`` file for an interaction; ``number`` gives the order.

    ``request`` is the request in JSON, if that was made before. The events of a large stream come last,
    behind tabs: such a line is never in memory as a whole.
    """
    outcome = {part: message for part, message in data.items() if part != "request"}
    start = f"[{number},{request or to_json(data['request'])},"
    events = outcome["response"].get("events") if "response" in outcome else None
    if not isinstance(events, PackedList):
        return f"{start}{to_json(outcome)}]\n"
    outcome["response"] = {**outcome["response"], "events": []}
    return PackedLine(f"{start}{to_json(outcome)}", events)


def journal_gap(number: int, blocked: Sequence[str]) -> str:
    """Return the line of a ``.part`` file for an interaction that is not in it, with the reasons."""
    return f"{to_json([number, blocked])}\n"


def interaction_of(line: Line) -> Interaction:
    """Return the interaction of a line that :func:`journal_line` made."""
    return Interaction(_data_of(loads(line)))


def _data_of(parts: Sequence[Any]) -> dict[str, Any]:
    _, request, outcome, *events = parts
    if events:
        (outcome["response"]["events"],) = events
    return {"request": request, **outcome}


def _from_journal(content: bytes, path: AnyPath) -> Cassette:
    """Read the complete lines: a recording may have been killed while it wrote the last one."""
    try:
        head, *lines = (line for line in content.split(b"\n")[:-1] if not line.startswith(b" "))
        # A line that was replaced is blank, or comes first if the process was killed just then.
        by_number = {int(parts[0]): parts for parts in (loads_parts(line.split(b"\t")) for line in lines)}
        interactions, gaps = [], []
        for _, parts in sorted(by_number.items()):
            if len(parts) == 2 and isinstance(parts[1], list):
                gaps += parts[1]
            else:
                interactions.append(_data_of(parts))
        version, changed = map(json.loads(head).__getitem__, (f"{_FORMAT}_part", "changed"))
    except (LookupError, OverflowError, RecursionError, TypeError, ValueError):
        raise _not_a_cassette(path, "a line of it is not an interaction") from None
    cassette = _cassette({_FORMAT: version, "changed": changed, "interactions": interactions}, path)
    return attrs.evolve(cassette, gaps=gaps)


def save(path: AnyPath, cassette: Cassette) -> None:
    """Replace the file with the cassette in the current format.

    Raises :class:`~buntime.CassetteError` and leaves the file as it is if that fails.
    """
    target = Path(path)
    temporary = target.with_name(target.name + ".tmp")
    try:
        with open(temporary, "w", encoding="utf-8", errors=SURROGATES, newline="\n") as file:
            out = file.write
            out(f'{{\n  "{_FORMAT}": {VERSION},\n  "changed": "{cassette.changed}",\n  "interactions": [')
            for number, item in enumerate(cassette.interactions):
                out(f",{_NEWLINE}" if number else _NEWLINE)
                write(item.data, _NEWLINE, out, in_lines=length(item.data) <= _LARGE)
            out("\n  ]\n}\n" if cassette.interactions else "]\n}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise CassetteError(f"the cassette {os.fspath(path)} cannot be written: {error}") from error
