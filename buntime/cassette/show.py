"""The interactions of a cassette as readable lines, the same in a listing and in a mismatch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from buntime.cassette.file import Cassette, Interaction
from buntime.cassette.match import BODY_FORMS

MARGIN = "    "
"""Before each line of a text of several lines."""


def listing(cassette: Cassette, name: str) -> Iterator[str]:
    """Yield the lines of a readable listing."""
    count = len(cassette.interactions)
    yield f"{name}: {count} interaction{'' if count == 1 else 's'}, last changed on {cassette.changed}"
    for number, interaction in enumerate(cassette.interactions, 1):
        yield ""
        request = interaction.request
        query = "&".join(f"{name}={value}" for name, value in request.get("query") or ())
        test = f" ({request['test']})" if "test" in request else ""
        yield f"{number}. {interaction.call}{'?' + query if query else ''}{test}"
        yield from (f"   > {line}" for line in _body_lines(request))
        yield from (f"   < {line}" for line in _outcome_lines(interaction))


def request_lines(request: Mapping[str, Any]) -> list[str]:
    """Return a request in lines that a diff can compare: one for each field, or each line of a text."""
    parameters = (f"?{name}={value}" for name, value in sorted(request.get("query", [])))
    return [f"{request['method']} {request['path']}", *parameters, *_body_lines(request, is_complete=True)]


def _outcome_lines(interaction: Interaction) -> Iterator[str]:
    response, error = interaction.response, interaction.error
    if response is not None:
        yield str(response["status"])
        yield from (f"{name}: {value}" for name, value in (response.get("headers") or {}).items())
        yield from _body_lines(response)
        for moment, *event in response.get("events") or ():
            parts = (part if isinstance(part, str) else _json(part) for part in event)
            yield f"after {moment} ms: {' '.join(parts)}"
    if error is not None:
        yield f"{error['kind']} failed ({error['phase']}): {error['message']}"


def _body_lines(message: Mapping[str, Any], *, is_complete: bool = False) -> list[str]:
    """Return the lines of a body; if not complete, bytes as their number, and a list of numbers on one."""
    lines: list[str] = []

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                add(f"{name}.{key}" if name else key, item)
        elif isinstance(value, list) and value and (is_complete or not _fits_on_a_line(value)):
            for index, item in enumerate(value):
                path = item.get("path") if isinstance(item, dict) else None
                add(f"{name}[{path or index}]", item)
        elif isinstance(value, str) and 0 <= value.find("\n") < len(value) - 1:
            lines.append(f"{name}:")
            lines.extend([f"{MARGIN}{line}" for line in value.split("\n")])
        elif isinstance(value, str) and name.endswith("base64") and not is_complete:
            lines.append(f"{name}: {len(value.rstrip('=')) * 3 // 4} bytes")
        else:
            lines.append(f"{name}: {_json(value)}" if name else _json(value))

    for form in BODY_FORMS:
        if form in message:
            add("" if form == "json" else form, message[form])
    return lines


def _fits_on_a_line(value: list[Any]) -> bool:
    return len(value) < 20 and all(item is None or isinstance(item, (int, float)) for item in value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
