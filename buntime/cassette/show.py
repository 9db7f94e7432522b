"""The interactions of a cassette as readable lines, the same in a listing and in a mismatch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Optional

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
        yield f"{number}. {interaction.call}{'?' + query if query else ''}"
        yield from (f"   > {line}" for line in _body_lines(request, None))
        yield from (f"   < {line}" for line in _outcome_lines(interaction))


def request_lines(request: Mapping[str, Any], longest: Optional[int] = None) -> Iterator[str]:
    """Yield a request in lines that a diff can compare: one for each field, or each line of a text.

    A line of more than ``longest`` characters is cut.
    """
    yield f"{request['method']} {request['path']}"
    query: list[list[str]] = request.get("query") or []
    yield from (f"?{name}={value}" for name, value in sorted(query))
    yield from _body_lines(request, longest)


def _outcome_lines(interaction: Interaction) -> Iterator[str]:
    response, error = interaction.response, interaction.error
    if response is not None:
        yield str(response["status"])
        yield from (f"{name}: {value}" for name, value in (response.get("headers") or {}).items())
        yield from _body_lines(response, None)
        for moment, *event in response.get("events") or ():
            parts = (part if isinstance(part, str) else _json(part, None) for part in event)
            yield f"after {moment} ms: {' '.join(parts)}"
    if error is not None:
        yield f"{error['kind']} failed ({error['phase']}): {error['message']}"


def _body_lines(message: Mapping[str, Any], longest: Optional[int]) -> Iterator[str]:
    for form in BODY_FORMS:
        if form in message:
            yield from _field_lines("" if form == "json" else form, message[form], longest)


def _field_lines(name: str, value: Any, longest: Optional[int]) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _field_lines(f"{name}.{key}" if name else key, item, longest)
    elif isinstance(value, list) and value and (longest or not _fits_on_a_line(value)):
        for index, item in enumerate(value):
            path = item.get("path") if isinstance(item, dict) else None
            yield from _field_lines(f"{name}[{path or index}]", item, longest)
    elif isinstance(value, str) and "\n" in value[:-1]:
        yield f"{name}:"
        yield from (f"{MARGIN}{_shorten(line, longest)}" for line in value.split("\n"))
    elif isinstance(value, str) and name.endswith("base64") and longest is None:
        yield f"{name}: {len(value) * 3 // 4} bytes"
    else:
        yield f"{name}: {_json(value, longest)}" if name else _json(value, longest)


def _fits_on_a_line(value: list[Any]) -> bool:
    return len(value) < 20 and all(item is None or isinstance(item, (int, float)) for item in value)


def _json(value: Any, longest: Optional[int]) -> str:
    return _shorten(json.dumps(value, ensure_ascii=False), longest)


def _shorten(line: str, longest: Optional[int]) -> str:
    if longest is None or len(line) <= longest:
        return line
    # Lines with the same beginning are told apart by their ends and lengths.
    return f"{line[:longest]}... {line[-20:]} ({len(line)} characters)"
