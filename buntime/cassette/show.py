"""The interactions of a cassette as a readable listing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from buntime.cassette.file import Cassette


def listing(cassette: Cassette, name: str) -> Iterator[str]:
    """Yield the lines of a readable listing."""
    count = len(cassette.interactions)
    yield f"{name}: {count} interaction{'' if count == 1 else 's'}, last changed on {cassette.changed}"
    for number, interaction in enumerate(cassette.interactions, 1):
        yield ""
        request = interaction.request
        query = "&".join(f"{name}={value}" for name, value in request.get("query") or ())
        yield f"{number}. {interaction.call}{'?' + query if query else ''}"
        yield from _body(request, "   > ")
        response, error = interaction.response, interaction.error
        if response is not None:
            yield f"   < {response['status']}"
            yield from _body(response, "   < ")
        if error is not None:
            yield f"   < {error['kind']} failed ({error['phase']}): {error['message']}"


def _body(message: Mapping[str, Any], margin: str) -> Iterator[str]:
    for name, value in (message.get("headers") or {}).items():
        yield f"{margin}{name}: {value}"
    body = message.get("json")
    if isinstance(body, dict):
        for name, value in body.items():
            yield from _field(name, value, margin)
    elif body is not None:
        yield margin + _inline(body)
    if "text" in message:
        yield from _field("text", message["text"], margin)
    if "base64" in message:
        yield f"{margin}{len(message['base64']) * 3 // 4} bytes"
    for moment, *event in message.get("events") or ():
        yield f"{margin}after {moment} ms: {' '.join(_inline(part) for part in event)}"


def _field(name: str, value: Any, margin: str) -> Iterator[str]:
    if isinstance(value, str) and "\n" in value.rstrip("\n"):
        yield f"{margin}{name}:"
        yield from (f"{margin}  {line}" for line in value.rstrip("\n").split("\n"))
    else:
        yield f"{margin}{name}: {_inline(value)}"


def _inline(value: Any) -> str:
    return value.rstrip("\n") if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
